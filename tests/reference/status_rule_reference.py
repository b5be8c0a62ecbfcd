"""What the published status rule says, read row by row and without haste.

Written from `status_rule.md`, version 1, alone, to check the fast implementation against. Every row
of the rule's table is one function, and the rows are asked in the table's order; the first that
holds wins.

Where the text leaves a choice, this is the one taken:

1. Arithmetic is exact: a score, a reliable change and a cut-off are the decimals they are written
   as, so that "inclusive" means the same for 1.4 - 0.9 >= 0.5 and for 14 - 9 >= 5, and on the
   mirrored scale.
2. `recovered`, plain `improved` and plain `on_track` have no code in the table: theirs is "".
3. The baseline (occasion 0) has no gain. Without reliable change a later score still has a gain.
4. "The last two g <= -RC" needs two later scores (k >= 2), however far apart they lie.
5. "Was X" is the status given at the previous occasion, whatever its code; a `cannot_judge` or a
   `watch` in between ends it. Only the code `gain_lost` of row 5 looks further back.
6. `deteriorating` has the code `easing` only where it stays without the entry condition.
7. `gain_stalled` compares plain means of two scores, whatever the days between them; its last part
   is h (v - C) >= RC/2. A measure without C has no depth inside a range, so never `gain_stalled`.
   The text names it as a code and as a tag: it is given as both.
8. Unknown days: neighbouring scores count as at most 42 days apart, `sparse` and `days > 42` are
   false. One unknown day of a pair makes their distance unknown.
9. Baseline: without a second session so far, every score after the first is "by session 2".
   A score without a day is placed by its `at`, and its age is no obstacle.
10. A measure that is not fresh is `cannot_judge : stale` by row 0, so for the case it is neither
    stuck, gained nor deteriorating; a fresh other measure may still make the case deteriorate.
    The worse measure lends its code: the primary if it is one, else the first by name.
    "Primary recovered while another is stuck" gives `improved` without a code.
11. "Without C" for the primary means: no measure of the case has a baseline, C and RC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

# The symbols say: "the last two scores lie <= 42 days apart"
TWO_SCORES_WITHIN_DAYS = 42
# The symbols say: "`sparse` = k >= 2 and days >= 84 ... with `t' = max(t, 8)` if sparse"
SPARSE_FROM_SCORES = 2
SPARSE_FROM_DAYS = 84
SPARSE_COUNTS_AS_SESSIONS = 8
# The symbols say: "`pace` = RC . clip((t' - 4)/8, 0, 1)"
PACE_STARTS_AT_SESSION = 4
PACE_RISES_OVER_SESSIONS = 8
# Row 0: "case open and last score > 3 attended sessions or > 42 days before the run's day"
STALE_AFTER_SESSIONS = 3
STALE_AFTER_DAYS = 42
# Row 1: "*stays* (: easing) while G <= -RC/2"
DETERIORATING_STAYS_AT = Fraction(1, 2)
# Row 3: "(k >= 2 or days > 42) and (G >= RC, or it was ... and G >= 0.75 RC)"
GAINED_FROM_SCORES = 2
GAINED_AFTER_DAYS = 42
GAINED_STAYS_AT = Fraction(3, 4)
# Row 3: "`gain_stalled` ...: clin(v), t >= 12, k >= 8, the mean of x_k and x_{k-1} less than RC/2
# better than the mean of x_{k-6} and x_{k-7}, and v still >= RC/2 inside the clinical range"
STALLED_FROM_SESSION = 12
STALLED_FROM_SCORES = 8
STALLED_LOOKS_BACK_SCORES = 6
STALLED_BELOW_GAIN_OF = Fraction(1, 2)
STALLED_INSIDE_CLINICAL_RANGE_BY = Fraction(1, 2)
# Row 4: "t < 3 and not sparse"
TOO_EARLY_BEFORE_SESSION = 3
# Row 5: "((t >= 6 and k >= 4) or sparse) and (G < pace, or it was stuck and
# G < min(RC, pace + RC/4)). ... no_gain if G < RC/4"
STUCK_FROM_SESSION = 6
STUCK_FROM_SCORES = 4
STUCK_STAYS_ABOVE_PACE_BY = Fraction(1, 4)
STUCK_NO_GAIN_BELOW = Fraction(1, 4)
# Row 6: "g_k <= -RC/2"
HALF_WORSE_AT = Fraction(1, 2)
# Row 8: "G < RC/4 . P(this bad or worse | baseline, t) < .25"
NO_GAIN_YET_BELOW = Fraction(1, 4)
BELOW_BAND_CHANCE = 0.25
# The baseline says: "the last score at or before treatment session 1 that is <= 42 days old"
BASELINE_AT_MOST_DAYS_OLD = 42
# The gaps say: "more than 90 days without contact tags `paused`; more than 180 starts a new
# course of care"
PAUSED_AFTER_DAYS = 90
NEW_COURSE_AFTER_DAYS = 180

GAINED = ("recovered", "improved")

Finding = tuple[str, str]  # status and code


@dataclass(frozen=True, kw_only=True)
class Score:
    """One score of one measure of one case.

    `at` is its place on the case's time axis, `day` its day (None: no days), `t` the treatment
    sessions attended up to it (None: no sessions are sent, so `t = k`).
    """

    at: int
    day: int | None
    value: float
    t: int | None


@dataclass(frozen=True, kw_only=True)
class MeasureFacts:
    """What the rule knows of a measure: direction, reliable change, last clinical score."""

    higher_is: Literal["worse", "better"]
    reliable_change: float | None
    cutoff: float | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the rule says at one occasion; gains in points, positive is better."""

    occasion: int
    status: str
    code: str
    gain: float | None
    level_gain: float | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Everything that the rows may look at, in the symbols of the rule, known at occasion k."""

    h: int
    b: Fraction
    x: tuple[Fraction, ...]  # x[0] is b, x[k] the last
    k: int
    t: int
    days: int | None
    days_between_last_two: int | None
    RC: Fraction
    C: Fraction | None
    previous_status: str
    was_ever_gained: bool
    chance_this_bad: float | None

    def g(self, k: int) -> Fraction:
        """Return the gain `g_k = h (b - x_k)`."""
        return self.h * (self.b - self.x[k])

    @property
    def two(self) -> bool:
        """Tell whether the last two scores may be averaged."""
        if self.k < 2:
            return False
        if self.days_between_last_two is None:
            return True
        return self.days_between_last_two <= TWO_SCORES_WITHIN_DAYS

    @property
    def level_gain(self) -> Fraction:
        """Return G, the gain of the last two scores together, else of the last."""
        if self.two:
            return (self.g(self.k) + self.g(self.k - 1)) / 2
        return self.g(self.k)

    @property
    def v(self) -> Fraction:
        """Return the level."""
        return self.b - self.h * self.level_gain

    def clin(self, score: Fraction) -> bool:
        """Tell whether a score lies in the clinical range; always, without C."""
        if self.C is None:
            return True
        return self.h * score >= self.h * self.C

    @property
    def sparse(self) -> bool:
        """Tell whether the scores are few for the time gone by."""
        if self.days is None:
            return False
        return self.k >= SPARSE_FROM_SCORES and self.days >= SPARSE_FROM_DAYS

    @property
    def pace(self) -> Fraction:
        """Return the gain to be seen by now."""
        counted = max(self.t, SPARSE_COUNTS_AS_SESSIONS) if self.sparse else self.t
        share = Fraction(counted - PACE_STARTS_AT_SESSION, PACE_RISES_OVER_SESSIONS)
        clipped = min(max(share, Fraction(0)), Fraction(1))
        return self.RC * clipped

    def was(self, *statuses: str) -> bool:
        """Tell whether one of these was the status at the previous occasion."""
        return self.previous_status in statuses


def row_1_deteriorating(now: Moment) -> Finding | None:
    """`two` and G <= -RC, or the last two g <= -RC; stays (: easing) while G <= -RC/2."""
    if now.two and now.level_gain <= -now.RC:
        return "deteriorating", "two_scores"
    if now.k >= 2 and now.g(now.k) <= -now.RC and now.g(now.k - 1) <= -now.RC:
        return "deteriorating", "two_scores"
    if now.was("deteriorating") and now.level_gain <= -now.RC * DETERIORATING_STAYS_AT:
        return "deteriorating", "easing"
    return None


def row_2_watch_worse_once(now: Moment) -> Finding | None:
    """g_k <= -RC."""
    if now.g(now.k) <= -now.RC:
        return "watch", "worse_once"
    return None


def row_3_recovered_improved(now: Moment) -> Finding | None:
    """(k >= 2 or days > 42) and (G >= RC, or it was one of them and G >= 0.75 RC)."""
    long_enough = now.days is not None and now.days > GAINED_AFTER_DAYS
    if not (now.k >= GAINED_FROM_SCORES or long_enough):
        return None
    reaches = now.level_gain >= now.RC
    stays = now.was("recovered", "improved") and now.level_gain >= now.RC * GAINED_STAYS_AT
    if not (reaches or stays):
        return None
    if now.clin(now.b) and not now.clin(now.v):
        return "recovered", ""
    if gain_is_stalled(now):
        return "improved", "gain_stalled"
    return "improved", ""


def gain_is_stalled(now: Moment) -> bool:
    """Tell whether an improved case is level, long in care and well inside the clinical range."""
    if now.C is None or not now.clin(now.v):
        return False
    if now.t < STALLED_FROM_SESSION or now.k < STALLED_FROM_SCORES:
        return False
    back = now.k - STALLED_LOOKS_BACK_SCORES
    mean_now = (now.x[now.k] + now.x[now.k - 1]) / 2
    mean_then = (now.x[back] + now.x[back - 1]) / 2
    better_by = now.h * (mean_then - mean_now)
    inside_by = now.h * (now.v - now.C)
    return (
        better_by < now.RC * STALLED_BELOW_GAIN_OF
        and inside_by >= now.RC * STALLED_INSIDE_CLINICAL_RANGE_BY
    )


def row_4_too_early(now: Moment) -> Finding | None:
    """Too soon to say: t < 3 and not sparse."""
    if now.t < TOO_EARLY_BEFORE_SESSION and not now.sparse:
        return "cannot_judge", "too_early"
    return None


def row_5_stuck(now: Moment) -> Finding | None:
    """clin(b), clin(v), enough seen, and G < pace (to leave: pace + RC/4, at most RC)."""
    if not (now.clin(now.b) and now.clin(now.v)):
        return None
    enough_seen = (now.t >= STUCK_FROM_SESSION and now.k >= STUCK_FROM_SCORES) or now.sparse
    if not enough_seen:
        return None
    falls_short = now.level_gain < now.pace
    leaves_at = min(now.RC, now.pace + now.RC * STUCK_STAYS_ABOVE_PACE_BY)
    stays = now.was("stuck") and now.level_gain < leaves_at
    if not (falls_short or stays):
        return None
    if now.was_ever_gained:
        return "stuck", "gain_lost"
    if now.level_gain < now.RC * STUCK_NO_GAIN_BELOW:
        return "stuck", "no_gain"
    return "stuck", "slow_gain"


def row_6_watch_half_worse(now: Moment) -> Finding | None:
    """g_k <= -RC/2."""
    if now.g(now.k) <= -now.RC * HALF_WORSE_AT:
        return "watch", "half_worse"
    return None


def row_7_on_track_below_cut(now: Moment) -> Finding | None:
    """Not clin(b), or not clin(v)."""
    if not now.clin(now.b):
        return "on_track", "below_cut_at_start"
    if not now.clin(now.v):
        return "on_track", "below_cut_not_reliable"
    return None


def row_8_watch(now: Moment) -> Finding | None:
    """Was recovered or improved, or G < RC/4, or this bad with a chance below .25."""
    if now.was("recovered", "improved"):
        return "watch", "gain_lost"
    if now.level_gain < now.RC * NO_GAIN_YET_BELOW:
        return "watch", "no_gain_yet"
    if now.chance_this_bad is not None and now.chance_this_bad < BELOW_BAND_CHANCE:
        return "watch", "below_band"
    return None


def row_9_on_track() -> Finding:
    """Otherwise."""
    return "on_track", ""


def first_row_that_holds(now: Moment) -> Finding:
    """Ask rows 1 to 9 in the table's order."""
    for row in (
        row_1_deteriorating,
        row_2_watch_worse_once,
        row_3_recovered_improved,
        row_4_too_early,
        row_5_stuck,
        row_6_watch_half_worse,
        row_7_on_track_below_cut,
        row_8_watch,
    ):
        found = row(now)
        if found is not None:
            return found
    return row_9_on_track()


def judge_measure(
    scores: list[Score],
    measure: MeasureFacts,
    chance_this_bad: list[float | None] | None = None,
) -> list[Verdict]:
    """Return one verdict per score, each from what is known at that score.

    Parameters
    ----------
    scores
        From the baseline on, in the order of `at`.
    measure
        Without reliable change every later score is `cannot_judge : no_threshold`.
    chance_this_bad
        P(this bad or worse | baseline, t) at each occasion, 0 to 1; None where no course is known.
    """
    verdicts: list[Verdict] = []
    for k in range(len(scores)):
        if k == 0:
            verdicts.append(
                Verdict(
                    occasion=0, status="cannot_judge", code="no_score", gain=None, level_gain=None
                )
            )
            continue
        now = moment(scores, k, measure, chance_this_bad, verdicts)
        if measure.reliable_change is None:
            status, code = "cannot_judge", "no_threshold"
        else:
            status, code = first_row_that_holds(now)
        verdicts.append(
            Verdict(
                occasion=k,
                status=status,
                code=code,
                gain=float(now.g(k)),
                level_gain=float(now.level_gain),
                tags=("gain_stalled",) if code == "gain_stalled" else (),
            )
        )
    return verdicts


def moment(
    scores: list[Score],
    k: int,
    measure: MeasureFacts,
    chance_this_bad: list[float | None] | None,
    verdicts: list[Verdict],
) -> Moment:
    """Gather what is known at occasion k >= 1; nothing behind position k is read."""
    score = scores[k]
    known_rc = measure.reliable_change
    return Moment(
        h=1 if measure.higher_is == "worse" else -1,
        b=exact(scores[0].value),
        x=tuple(exact(earlier.value) for earlier in scores[: k + 1]),
        k=k,
        t=k if score.t is None else score.t,
        days=days_between(scores[0], score),
        days_between_last_two=days_between(scores[k - 1], score),
        RC=Fraction(0) if known_rc is None else exact(known_rc),
        C=None if measure.cutoff is None else exact(measure.cutoff),
        previous_status=verdicts[k - 1].status,
        was_ever_gained=any(verdict.status in GAINED for verdict in verdicts),
        chance_this_bad=None if chance_this_bad is None else chance_this_bad[k],
    )


def exact(number: float) -> Fraction:
    """Return the decimal that a number is written as, without rounding."""
    return Fraction(str(number))


def days_between(earlier: Score, later: Score) -> int | None:
    """Return the days from one score to another; None if one of the days is unknown."""
    if earlier.day is None or later.day is None:
        return None
    return later.day - earlier.day


def is_stale(
    *,
    case_is_open: bool,
    attended_sessions_since_last_score: int,
    days_since_last_score: int | None,
) -> bool:
    """Tell on the run's day whether row 0's `stale` holds; a closed case never is.

    `days_since_last_score` None: days are unknown, so only sessions count.
    """
    if not case_is_open:
        return False
    if attended_sessions_since_last_score > STALE_AFTER_SESSIONS:
        return True
    return days_since_last_score is not None and days_since_last_score > STALE_AFTER_DAYS


def gap(days_without_contact: int) -> Literal["", "paused", "new_course"]:
    """Return what the paragraph `Gaps` calls so many days without contact."""
    if days_without_contact > NEW_COURSE_AFTER_DAYS:
        return "new_course"
    if days_without_contact > PAUSED_AFTER_DAYS:
        return "paused"
    return ""


def baseline_position(scores: list[Score], session_days: list[int] | None) -> int | None:
    """Return which score is the baseline, None for `no_baseline`.

    Parameters
    ----------
    scores
        In the order of `at`.
    session_days
        Days of the treatment sessions attended so far, in order; None if no sessions are sent.
    """
    if not scores:
        return None
    if session_days is None:
        return 0
    if len(session_days) == 0:
        return len(scores) - 1

    first_session = session_days[0]
    usable = [
        position
        for position, score in enumerate(scores)
        if place(score) <= first_session
        and (score.day is None or first_session - score.day <= BASELINE_AT_MOST_DAYS_OLD)
    ]
    if usable:
        return usable[-1]

    for position, score in enumerate(scores):
        after_first = place(score) > first_session
        by_second = len(session_days) < 2 or place(score) <= session_days[1]
        if after_first and by_second:
            return position
    return None


def place(score: Score) -> int:
    """Return where a score lies on the axis of the sessions: its day, else its `at`."""
    return score.at if score.day is None else score.day


def baseline_value(values_of_the_day: Sequence[float], at_session: float | None) -> float:
    """Return one value for two scores on the baseline day: the session's own, else the mean."""
    if at_session is not None:
        return at_session
    total = sum((exact(value) for value in values_of_the_day), start=Fraction(0))
    return float(total / len(values_of_the_day))


def primary_measure(
    declared: str | None,
    measures: Mapping[str, MeasureFacts],
    baselines: Mapping[str, float],
    score_counts: Mapping[str, int],
) -> str:
    """Return the measure that speaks for the case; all mappings are by measure_id.

    Parameters
    ----------
    declared
        The measure that the problem declares, None without one; counts only where it was scored.
    measures
        The facts of every outcome measure of the case.
    baselines
        Baseline scores; a measure without one is left out.
    score_counts
        How many scores each measure has when the primary is fixed.
    """
    if declared is not None and score_counts.get(declared, 0) > 0:
        return declared

    depths: dict[str, Fraction] = {}
    for measure_id in sorted(baselines):
        facts = measures[measure_id]
        if facts.cutoff is not None and facts.reliable_change is not None:
            h = 1 if facts.higher_is == "worse" else -1
            inside = h * (exact(baselines[measure_id]) - exact(facts.cutoff))
            depths[measure_id] = inside / exact(facts.reliable_change)
    if depths:
        return max(depths, key=lambda measure_id: depths[measure_id])
    return max(sorted(score_counts), key=lambda measure_id: score_counts[measure_id])


def case_status(primary: str, measures: Mapping[str, tuple[str, str, bool]]) -> Finding:
    """Return status and code of a case from those of its measures.

    Parameters
    ----------
    primary
        The measure_id of the primary measure.
    measures
        By measure_id: status, code, and whether the measure is fresh (not stale).
    """
    fresh = {
        measure_id: (status, code)
        for measure_id, (status, code, is_fresh) in sorted(measures.items())
        if is_fresh
    }
    worse = [measure_id for measure_id in fresh if fresh[measure_id][0] == "deteriorating"]
    gained = [measure_id for measure_id in fresh if fresh[measure_id][0] in GAINED]
    stuck = [measure_id for measure_id in fresh if fresh[measure_id][0] == "stuck"]

    if worse and not gained:
        return fresh[primary if primary in worse else worse[0]]
    if worse and gained:
        return "watch", "measures_disagree"
    if primary in stuck and gained:
        return "watch", "measures_disagree"
    if primary in fresh and fresh[primary][0] == "recovered" and stuck:
        return "improved", ""
    if primary not in fresh:
        return "cannot_judge", "stale"
    return fresh[primary]
