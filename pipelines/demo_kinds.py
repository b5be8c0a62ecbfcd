"""Which kinds of course does the simulated practice have? Eight, with what each promises.

Simulated: every number here is chosen unless a source (R#, the clinical ledger) stands beside it.
The promises are about the true PHQ-9 level, before noise, whether or not the case lasts that long;
session 1 is the baseline and gain is positive when better:

- `steady_improver`: true gain of at least 6 (reliable change, R2) by session 8, and growing on.
- `early_responder`: true gain of at least 6 by session 4, level after that.
- `late_responder`: no true gain up to session 6 (R39), at least 6 by session 12, and growing on.
- `sudden_gain`: no true gain, then at least 7 from one session to the next (between sessions 3 and
  8), kept.
- `no_change`: the true slope is almost 0: within 0.5 points of the baseline up to session 8 and
  within 1 in the whole course, because only a twentieth of the random slope acts on this kind.
- `decline`: true loss of at least 6 by session 12, level after that.
- `drop_out`: any course around a small gain (R65: non-completion costs 6 points); ends early.
- `good_enough`: from above the cut-off to a level of its own between 3 and 8.5 by session 8; stays
  at it and stays on in care (R43).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CourseParameters:
    """One kind of course, in PHQ-9 points."""

    share: float  # of all cases
    gain: float  # mean of the gain once full, at average severity
    gain_least: float
    gain_most: float
    baseline_least: float
    baseline_most: float = 25.0
    slope_kept: float = 1.0  # how much of the random slope and of the severity effect acts
    begins_after: int = 1  # last session without any gain
    full_at: int = 8  # session at which the gain is full
    grows_on: bool = True  # after `full_at` along the logarithm, or level


# Worst to best prognosis: a latent prognosis (case, therapist, site) is cut at these shares.
COURSES: dict[str, CourseParameters] = {
    "decline": CourseParameters(
        share=0.06,
        gain=-8.5,
        gain_least=-13,
        gain_most=-6,
        baseline_least=5,
        baseline_most=19.0,
        slope_kept=0.6,
        full_at=12,
        grows_on=False,
    ),
    "no_change": CourseParameters(
        share=0.17,
        gain=0,
        gain_least=-0.5,
        gain_most=0.5,
        baseline_least=4,
        slope_kept=0.05,
    ),
    "drop_out": CourseParameters(
        share=0.12, gain=2.5, gain_least=-6, gain_most=9, baseline_least=4
    ),
    "late_responder": CourseParameters(
        share=0.09,
        gain=8.5,
        gain_least=6,
        gain_most=16,
        baseline_least=8,
        begins_after=6,
        full_at=12,
    ),
    "good_enough": CourseParameters(  # gains here are not used: the level is drawn, demo_courses
        share=0.09,
        gain=8,
        gain_least=2,
        gain_most=22,
        baseline_least=10.5,
        grows_on=False,
    ),
    "steady_improver": CourseParameters(
        share=0.26,
        gain=9,
        gain_least=6,
        gain_most=18,
        baseline_least=8,
    ),
    "sudden_gain": CourseParameters(
        share=0.07,
        gain=9,
        gain_least=7,
        gain_most=16,
        baseline_least=9,
        grows_on=False,
    ),
    "early_responder": CourseParameters(
        share=0.14,
        gain=9,
        gain_least=6,
        gain_most=17,
        baseline_least=8,
        full_at=4,
        grows_on=False,
    ),
}
KINDS = tuple(COURSES)
