"""How do the simulated cases truly go? Their true PHQ-9 and GAD-7 levels, before any measurement.

Simulated. Spread as in `generate_sessions.py`, the reference generator of this project; R# are
sources in the clinical ledger; "chosen" is our choice. What each kind promises: `demo_kinds`.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.demo_draws import Counts, Numbers, Truths, category, reflected
from pipelines.demo_kinds import COURSES, KINDS

SESSIONS_AT_MOST = 30  # columns of (cases, sessions) arrays: longest plan and extension

CUT_OFF_PHQ9, CUT_OFF_GAD7 = 10.0, 8.0  # R2; a true level at or above it is clinical
HIGHEST_PHQ9, HIGHEST_GAD7 = 27, 21

SEVERITY_MEAN, SEVERITY_SD = 14.5, 5.0  # generate_sessions.py
SEVERITY_LEAST, SEVERITY_MOST = 3.0, 27.0  # generate_sessions.py
BASELINE_AT_NO_SEVERITY, BASELINE_PER_SEVERITY = 3.0, 0.72  # generate_sessions.py
GAIN_PER_SEVERITY = 0.13  # generate_sessions.py: points per log session and point of severity
INTERCEPT_SD, SLOPE_SD, INTERCEPT_SLOPE_CORRELATION = 3.2, 1.9, -0.35  # generate_sessions.py
THERAPIST_SEVERITY_SD, SITE_SEVERITY_SD = 0.55, 0.35  # generate_sessions.py: points of baseline
THERAPIST_SHARE = 0.05  # of the variance of prognosis and slope; R65 reports 5.8 %
SITE_SHARE = 0.01  # chosen

ANXIETY_SHARE = 0.40  # chosen
ANXIETY_SHIFT_PHQ9, ANXIETY_SHIFT_GAD7 = -1.0, 2.0  # chosen: points of baseline for anxiety cases
GAD7_AT_NO_PHQ9, GAD7_PER_PHQ9 = 1.5, 0.62  # chosen: line from true PHQ-9 to GAD-7 baseline
GAD7_OWN_SD = 2.6  # chosen: so that the true baselines correlate about .7
GAD7_GAIN_MEAN, GAD7_GAIN_SD = 0.75, 0.08  # chosen: GAD-7 points per PHQ-9 point gained
GAD7_GAIN_LEAST, GAD7_GAIN_MOST = 0.68, 0.90  # chosen: 6 PHQ-9 points give at least 4 (R2)

GOOD_ENOUGH_MEAN, GOOD_ENOUGH_SD = 6.0, 1.3  # chosen
GOOD_ENOUGH_LEAST, GOOD_ENOUGH_MOST = 3.0, 8.5  # chosen: below the cut-off with a margin
SUDDEN_GAIN_FROM, SUDDEN_GAIN_TO = 4, 8  # chosen: first session after the sudden gain


@dataclass(frozen=True, kw_only=True)
class TrueCourses:
    """The truth, one row per case; arrays of shape (cases,) or (cases, sessions)."""

    kind: Counts  # index into KINDS
    is_anxiety: Truths
    phq9: Numbers  # true level at every session, also beyond the end of the case
    gad7: Numbers
    sudden_gain_session: Counts  # first session after it; meaningful for `sudden_gain` only


def draw_true_courses(
    rng: np.random.Generator, *, therapist: Counts, site_of_therapist: Counts
) -> TrueCourses:
    """Draw kinds and true levels of all cases.

    Parameters
    ----------
    therapist
        Shape (cases,): the therapist of each case.
    site_of_therapist
        Shape (therapists,): the site of each therapist.
    """
    cases = len(therapist)
    skill, caseload = rng.normal(size=(2, len(site_of_therapist)))
    site_skill, site_caseload = rng.normal(size=(2, site_of_therapist.max() + 1))
    site = site_of_therapist[therapist]
    shared = np.sqrt(THERAPIST_SHARE) * skill[therapist] + np.sqrt(SITE_SHARE) * site_skill[site]
    own_share = np.sqrt(1 - THERAPIST_SHARE - SITE_SHARE)

    kind = _kinds(shared + own_share * rng.normal(size=cases))
    is_anxiety = category(rng, (1 - ANXIETY_SHARE, ANXIETY_SHARE), cases) == 1
    severity = np.clip(rng.normal(SEVERITY_MEAN, SEVERITY_SD, cases), SEVERITY_LEAST, SEVERITY_MOST)
    intercept, slope = _random_effects(rng, cases)
    slope = own_share * slope - SLOPE_SD * shared  # a negative slope of the score is a gain

    baseline = reflected(
        BASELINE_AT_NO_SEVERITY
        + BASELINE_PER_SEVERITY * severity
        + intercept
        + THERAPIST_SEVERITY_SD * caseload[therapist]
        + SITE_SEVERITY_SD * site_caseload[site]
        + ANXIETY_SHIFT_PHQ9 * is_anxiety,
        _per_case([course.baseline_least for course in COURSES.values()], kind),
        _per_case([course.baseline_most for course in COURSES.values()], kind),
    )
    steepness = GAIN_PER_SEVERITY * (severity - SEVERITY_MEAN) - slope  # points per log session
    gain = _full_gain(rng, kind, baseline, steepness)
    sudden_gain_session = rng.integers(SUDDEN_GAIN_FROM, SUDDEN_GAIN_TO + 1, cases)
    share_of_gain = _share_of_gain(kind, sudden_gain_session)
    phq9 = np.clip(baseline[:, None] - gain[:, None] * share_of_gain, 0, HIGHEST_PHQ9)
    return TrueCourses(
        kind=kind,
        is_anxiety=is_anxiety,
        phq9=phq9,
        gad7=_true_gad7(rng, phq9, is_anxiety),
        sudden_gain_session=sudden_gain_session,
    )


def truth_of_courses(courses: TrueCourses) -> pl.DataFrame:
    """Summarise the true course of every case, one row per case, in the order of the cases."""
    return pl.DataFrame(
        {
            "kind": np.array(KINDS)[courses.kind],
            "baseline_true": courses.phq9[:, 0],
            "true_gain_at_8": courses.phq9[:, 0] - courses.phq9[:, 7],
            "true_gain_at_12": courses.phq9[:, 0] - courses.phq9[:, 11],
            "starts_clinical": courses.phq9[:, 0] >= CUT_OFF_PHQ9,
            "baseline_true_gad7": courses.gad7[:, 0],
            "true_gain_at_8_gad7": courses.gad7[:, 0] - courses.gad7[:, 7],
            "starts_clinical_gad7": courses.gad7[:, 0] >= CUT_OFF_GAD7,
            "sudden_gain_session": courses.sudden_gain_session,
        }
    ).with_columns(pl.when(pl.col("kind") == "sudden_gain").then("sudden_gain_session"))


def _per_case(values: list[float], kind: Counts) -> Numbers:
    return np.array(values, dtype=np.float64)[kind]


def _kinds(prognosis: Numbers) -> Counts:
    """Cut the ranked prognosis at the shares, so that the shares hold exactly up to rounding."""
    rank = np.argsort(np.argsort(prognosis, kind="stable"), kind="stable")
    limits = np.cumsum([course.share for course in COURSES.values()])[:-1]
    return np.searchsorted(limits, (rank + 0.5) / len(prognosis), side="right").astype(np.int64)


def _random_effects(rng: np.random.Generator, cases: int) -> tuple[Numbers, Numbers]:
    """Return intercepts and slopes of the score; the correlation is between the two."""
    first, second = rng.normal(size=(2, cases))
    rest = np.sqrt(1 - INTERCEPT_SLOPE_CORRELATION**2)
    slope = SLOPE_SD * (INTERCEPT_SLOPE_CORRELATION * first + rest * second)
    return INTERCEPT_SD * first, slope


def _full_gain(
    rng: np.random.Generator, kind: Counts, baseline: Numbers, steepness: Numbers
) -> Numbers:
    """Return the gain of each case once full, within the bounds of its kind."""
    parameters = COURSES.values()
    mean = _per_case([course.gain for course in parameters], kind)
    kept = _per_case([course.slope_kept for course in parameters], kind)
    least = _per_case([course.gain_least for course in parameters], kind)
    most = np.minimum(_per_case([course.gain_most for course in parameters], kind), baseline - 1)
    level = reflected(
        rng.normal(GOOD_ENOUGH_MEAN, GOOD_ENOUGH_SD, len(kind)), GOOD_ENOUGH_LEAST, GOOD_ENOUGH_MOST
    )
    drawn = reflected(mean + kept * np.log(8) * steepness, least, most)
    return np.where(kind == KINDS.index("good_enough"), baseline - level, drawn)


def _share_of_gain(kind: Counts, sudden_gain_session: Counts) -> Numbers:
    """Return the part of the full gain reached at each session, shape (cases, sessions)."""
    parameters = COURSES.values()
    is_sudden = kind == KINDS.index("sudden_gain")
    begins_after = _per_case([course.begins_after for course in parameters], kind)
    full_at = _per_case([course.full_at for course in parameters], kind)
    begins_after = np.where(is_sudden, sudden_gain_session - 1, begins_after)
    full_at = np.where(is_sudden, sudden_gain_session, full_at)
    session = np.arange(1, SESSIONS_AT_MOST + 1)
    since = np.maximum(session[None, :] - begins_after[:, None], 0)
    share = np.log1p(since) / np.log1p(full_at - begins_after)[:, None]
    grows_on = np.array([course.grows_on for course in parameters])[kind]
    return np.where(grows_on[:, None], share, np.minimum(share, 1))


def _true_gad7(rng: np.random.Generator, phq9: Numbers, is_anxiety: Truths) -> Numbers:
    """Return the true GAD-7 level: a correlated baseline, and a part of the PHQ-9 gain."""
    cases = len(phq9)
    ratio = reflected(
        rng.normal(GAD7_GAIN_MEAN, GAD7_GAIN_SD, cases), GAD7_GAIN_LEAST, GAD7_GAIN_MOST
    )
    gain = ratio[:, None] * (phq9[:, :1] - phq9)
    room = np.maximum(gain[:, 7], gain[:, 11]) + 0.5  # so that the floor hides no promised gain
    drawn = (
        GAD7_AT_NO_PHQ9
        + GAD7_PER_PHQ9 * phq9[:, 0]
        + ANXIETY_SHIFT_GAD7 * is_anxiety
        + rng.normal(0, GAD7_OWN_SD, cases)
    )
    baseline = np.clip(drawn, np.maximum(room, 1), HIGHEST_GAD7 - 1)
    return np.clip(baseline[:, None] - gain, 0, HIGHEST_GAD7)
