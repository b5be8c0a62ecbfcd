"""Is this case recovered, on track, stuck, worse, or can it not be judged? The status rule.

One status per case, measure and occasion, from what is known at that occasion. The conditions
are those of docs/status_rule.md, in its order; the first that holds wins. Every number comes from
data_contracts/rule.toml. A status looks back one occasion only where a row of the rule says so,
and never forward, so nothing later changes it.

Source: this project's own rule, design in docs/status_rule.md; reliable change and clinical range
follow Jacobson & Truax (1991).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.measure import Measure
from data_contracts.rule import RuleThresholds, StatusRule

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]

# (status, code) in the order of the rule; position 0 stands for "not judged yet".
VERDICTS: tuple[tuple[str, str], ...] = (
    ("", ""),
    ("cannot_judge", "no_baseline"),
    ("cannot_judge", "no_score"),
    ("cannot_judge", "no_threshold"),
    ("deteriorating", "two_scores"),
    ("deteriorating", "easing"),
    ("watch", "worse_once"),
    ("recovered", ""),
    ("improved", "gain_stalled"),
    ("improved", ""),
    ("cannot_judge", "too_early"),
    ("stuck", "gain_lost"),
    ("stuck", "no_gain"),
    ("stuck", "slow_gain"),
    ("watch", "half_worse"),
    ("on_track", "below_cut_at_start"),
    ("on_track", "below_cut_not_reliable"),
    ("watch", "gain_lost"),
    ("watch", "no_gain_yet"),
    ("watch", "below_band"),
    ("on_track", ""),
)
_NUMBER = {verdict: position for position, verdict in enumerate(VERDICTS)}
_WORSE = [_NUMBER["deteriorating", code] for code in ("two_scores", "easing")]
_BETTER = [
    _NUMBER[verdict]
    for verdict in (
        ("recovered", ""),
        ("improved", "gain_stalled"),
        ("improved", ""),
    )
]
_STUCK = [_NUMBER["stuck", code] for code in ("gain_lost", "no_gain", "slow_gain")]

# Columns `judge` reads; course_points of the contract holds them all.
NEEDED = (
    "case_id",
    "measure_id",
    "occasion",
    "has_baseline",
    "value",
    "baseline",
    "gain",
    "level_gain",
    "is_pair",
    "days",
    "sessions_attended",
    "chance_this_bad",
)


@dataclass(frozen=True, kw_only=True)
class _Course:
    """Columns of all occasions, one row an occasion, rows of a case and measure in order."""

    direction: Numbers  # +1 where high is worse, -1 where it is better
    reliable_change: Numbers  # RC in points; nan where there is none
    cutoff: Numbers  # C; nan where there is none
    occasion: NDArray[np.int64]  # k; negative before the baseline
    value: Numbers
    baseline: Numbers
    gain: Numbers  # g
    level_gain: Numbers  # G
    is_pair: Truths  # `two`
    days: Numbers  # since the baseline; nan where unknown
    sessions: Numbers  # t
    chance: Numbers  # P(this bad or worse); nan where there is no curve
    has_baseline: Truths

    def back(self, column: Numbers, rows: NDArray[np.int64], steps: int) -> Numbers:
        """Return a column `steps` occasions earlier; callers make sure those exist."""
        return column[np.maximum(rows - steps, 0)]


def judge(points: pl.DataFrame, rule: StatusRule, measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Return the status of every occasion.

    Parameters
    ----------
    points
        One row per case, measure and occasion with the columns of `NEEDED`; `days` since the
        baseline, null where unknown; `sessions_attended` null where no sessions are sent.

    Returns
    -------
    Grain of `points`, in the order case_id, measure_id, occasion, with `status` and `code` added.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> scores = [19.0, 18, 19, 18, 18, 18, 18]
    >>> points = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 7,
    ...         "measure_id": ["phq9"] * 7,
    ...         "occasion": range(7),
    ...         "has_baseline": [True] * 7,
    ...         "value": scores,
    ...         "baseline": [19.0] * 7,
    ...         "gain": [19 - score for score in scores],
    ...         "level_gain": [0.0, 1.0, 0.5, 0.5, 1.0, 1.0, 1.0],
    ...         "is_pair": [False, False, True, True, True, True, True],
    ...         "days": range(0, 49, 7),
    ...         "sessions_attended": range(1, 8),
    ...         "chance_this_bad": [None] * 7,
    ...     }
    ... )
    >>> judge(points, status_rule(), built_in_measures()).select("status", "code").rows()[-2:]
    [('stuck', 'no_gain'), ('stuck', 'no_gain')]
    """
    ordered = points.sort("case_id", "measure_id", "occasion")
    course = _course(ordered, measures)
    verdicts = np.zeros(ordered.height, dtype=np.int64)
    ever_better = np.zeros(ordered.height, dtype=bool)
    for occasion in np.unique(course.occasion):
        rows = np.flatnonzero(course.occasion == occasion)
        if occasion < 1:
            verdicts[rows] = _before_a_later_score(course, rows)
            continue
        before = verdicts[rows - 1]
        ever_better[rows] = ever_better[rows - 1] | np.isin(before, _BETTER)
        verdicts[rows] = _at_occasion(course, rows, before, ever_better[rows], rule.thresholds)
    statuses = np.array([status for status, _ in VERDICTS])
    codes = np.array([code for _, code in VERDICTS])
    return ordered.with_columns(
        status=pl.Series(statuses[verdicts], dtype=pl.String),
        code=pl.Series(codes[verdicts], dtype=pl.String),
    )


def _course(ordered: pl.DataFrame, measures: Mapping[str, Measure]) -> _Course:
    names = ordered["measure_id"].unique().to_list()
    nan = float("nan")

    def fact(of: dict[str, float | None]) -> Numbers:
        column = pl.col("measure_id").replace_strict(
            {name: nan if value is None else value for name, value in of.items()},
            return_dtype=pl.Float64,
        )
        return ordered.select(column).to_series().to_numpy()

    def numbers(name: str) -> Numbers:
        return ordered[name].cast(pl.Float64).fill_null(nan).to_numpy()

    occasion = ordered["occasion"].cast(pl.Int64).to_numpy()
    sessions = numbers("sessions_attended")
    return _Course(
        direction=fact({name: float(measures[name].direction) for name in names}),
        reliable_change=fact({name: measures[name].reliable_change_points for name in names}),
        cutoff=fact({name: measures[name].cutoff for name in names}),
        occasion=occasion,
        value=numbers("value"),
        baseline=numbers("baseline"),
        gain=numbers("gain"),
        level_gain=numbers("level_gain"),
        is_pair=ordered["is_pair"].to_numpy(),
        days=numbers("days"),
        sessions=np.where(np.isnan(sessions), occasion, sessions),
        chance=numbers("chance_this_bad"),
        has_baseline=ordered["has_baseline"].to_numpy(),
    )


def _before_a_later_score(course: _Course, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(
        course.has_baseline[rows],
        _NUMBER["cannot_judge", "no_score"],
        _NUMBER["cannot_judge", "no_baseline"],
    )


def _tidy(points: Numbers) -> Numbers:
    """Round to a billionth, so that "at least RC" also holds on scales with tenths (1.4 - 0.9)."""
    return np.round(points, 9)


def pace(
    sessions: Numbers, *, is_sparse: Truths, reliable_change: Numbers, rule: RuleThresholds
) -> Numbers:
    """Return the gain to be seen by now, in points: nothing at session 4, all of RC at 12.

    Parameters
    ----------
    sessions, is_sparse, reliable_change
        (n,) each: `t` of the rule; few scores over a long time; RC in points, nan where unknown.

    >>> from data_contracts.rule import status_rule
    >>> sessions, few = np.array([4.0, 8.0, 12.0, 4.0]), np.array([False, False, False, True])
    >>> change, rule = np.full(4, 6.0), status_rule().thresholds
    >>> pace(sessions, is_sparse=few, reliable_change=change, rule=rule).tolist()
    [0.0, 3.0, 6.0, 3.0]
    """
    counted = np.where(is_sparse, np.maximum(sessions, rule.sparse_sessions), sessions)
    return _tidy(reliable_change * np.clip((counted - rule.pace_from) / rule.pace_over, 0.0, 1.0))


def _at_occasion(
    course: _Course,
    rows: NDArray[np.int64],
    before: NDArray[np.int64],
    ever_better: Truths,
    rule: RuleThresholds,
) -> NDArray[np.int64]:
    """Walk down the rule's rows for all series that have this occasion (k of at least 1)."""
    occasion = course.occasion[rows]
    change = course.reliable_change[rows]
    gain = _tidy(course.gain[rows])
    level_gain = _tidy(course.level_gain[rows])
    sessions = course.sessions[rows]
    days = course.days[rows]  # nan compares false: unknown days make nothing sparse or settled
    starts_clinical = _is_clinical(course, rows, course.baseline[rows])
    still_clinical = _is_clinical(
        course, rows, course.baseline[rows] - course.direction[rows] * level_gain
    )
    was_better = np.isin(before, _BETTER)
    is_sparse = (occasion >= rule.sparse_occasions) & (days >= rule.sparse_days)
    to_be_seen = pace(sessions, is_sparse=is_sparse, reliable_change=change, rule=rule)

    two_worse = (course.is_pair[rows] & (level_gain <= -change)) | (
        (occasion >= 2) & (gain <= -change) & (_tidy(course.back(course.gain, rows, 1)) <= -change)
    )
    easing = np.isin(before, _WORSE) & (level_gain <= _tidy(-rule.easing_share * change))
    settled = (occasion >= 2) | (days > rule.settled_days)
    better = settled & (
        (level_gain >= change) | (was_better & (level_gain >= _tidy(rule.hold_share * change)))
    )
    recovered = ~np.isnan(course.cutoff[rows]) & starts_clinical & ~still_clinical
    enough = ((sessions >= rule.stuck_sessions) & (occasion >= rule.stuck_occasions)) | is_sparse
    held = np.isin(before, _STUCK) & (
        level_gain < np.minimum(change, _tidy(to_be_seen + rule.stuck_hold_share * change))
    )
    stuck = starts_clinical & still_clinical & enough & ((level_gain < to_be_seen) | held)
    no_gain = level_gain < _tidy(rule.no_gain_share * change)

    conditions: list[tuple[tuple[str, str], Truths]] = [
        (("cannot_judge", "no_baseline"), ~course.has_baseline[rows]),
        (("cannot_judge", "no_threshold"), np.isnan(change)),
        (("deteriorating", "two_scores"), two_worse),
        (("deteriorating", "easing"), easing),
        (("watch", "worse_once"), gain <= -change),
        (("recovered", ""), better & recovered),
        (("improved", "gain_stalled"), better & _gain_stalled(course, rows, rule)),
        (("improved", ""), better),
        (("cannot_judge", "too_early"), (sessions < rule.early_sessions) & ~is_sparse),
        (("stuck", "gain_lost"), stuck & ever_better),
        (("stuck", "no_gain"), stuck & no_gain),
        (("stuck", "slow_gain"), stuck),
        (("watch", "half_worse"), gain <= _tidy(-rule.half_worse_share * change)),
        (("on_track", "below_cut_at_start"), ~starts_clinical),
        (("on_track", "below_cut_not_reliable"), ~still_clinical),
        (("watch", "gain_lost"), was_better),
        (("watch", "no_gain_yet"), no_gain),
        (("watch", "below_band"), course.chance[rows] < rule.band_chance),
    ]
    return np.select(
        [holds for _, holds in conditions],
        [_NUMBER[verdict] for verdict, _ in conditions],
        default=_NUMBER["on_track", ""],
    )


def _is_clinical(course: _Course, rows: NDArray[np.int64], score: Numbers) -> Truths:
    """Return whether scores lie in the clinical range; true where the measure has no cut-off."""
    direction, cutoff = course.direction[rows], course.cutoff[rows]
    return np.isnan(cutoff) | (_tidy(direction * score) >= direction * cutoff)


def _gain_stalled(course: _Course, rows: NDArray[np.int64], rule: RuleThresholds) -> Truths:
    """Return whether a clear gain has stopped growing well inside the clinical range."""
    direction, change = course.direction[rows], course.reliable_change[rows]
    level = course.baseline[rows] - direction * course.level_gain[rows]
    back = rule.stalled_back

    def pair_mean(steps: int) -> Numbers:
        earlier = course.back(course.value, rows, steps)
        return (earlier + course.back(course.value, rows, steps + 1)) / 2

    new_gain = direction * (pair_mean(back) - pair_mean(0))
    inside = direction * (level - course.cutoff[rows])
    return (
        _is_clinical(course, rows, level)
        & (course.sessions[rows] >= rule.stalled_sessions)
        & (course.occasion[rows] >= rule.stalled_occasions)
        & (_tidy(new_gain) < _tidy(rule.stalled_share * change))
        & (_tidy(inside) >= _tidy(rule.stalled_share * change))
    )
