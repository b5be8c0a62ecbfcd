"""Which sudden gains or losses do many cases have, and which cases cannot be asked?

Scores come as they are stored, one row a score; blocks of cases are looked at in turn, so that what
they need stays in the processor's cache. What counts as a jump: `sudden_change.py`.

A gain is reversed if a later score, from session n + 2 on, gives back more than half of it (Tang &
DeRubeis 1999). The R package looks from n + 3 on, unless the baseline is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.sudden_change import (
    ROUNDING,
    UNTESTED,
    Numbers,
    SuddenChangeRule,
    can_judge,
    criteria_in_use,
    has_both_beside,
    has_windows,
)
from models.sudden_change_courses import Counts, Courses, by_case

AROUND = (
    "score_two_before",
    "score_one_before",
    "score_before",
    "score_after",
    "score_one_later",
    "score_two_later",
)
"""Scores at sessions n - 2 to n + 3."""

REASONS: dict[str, str] = {
    "no_score": "no score in the sessions looked at",
    "too_few_sessions": "fewer than four sessions from the first to the last score: no interval "
    "has two sessions on each side",
    "negative_score": "a share of a negative score means nothing: switch criterion 2 off",
    "gaps": "no two neighbouring sessions have a score with enough scores around them",
}
"""Why no interval of a case could be judged; the first that applies."""

EVENT_COLUMNS = (
    "case_id",
    "session",
    "changes_of_case",
    *AROUND,
    "points_better",
    "treatment_gain",
    "share_of_treatment_gain",
    "reversal_level",
    "is_reversed",
)
SERIES_COLUMNS = (
    "case_id",
    "score_count",
    "between_sessions",
    "judged",
    "not_judged",
    "change_count",
    "has_enough_scores",
    "reason",
)

_BLOCK = 1 << 17  # rows: what a block needs stays in the processor's cache


@dataclass(frozen=True, kw_only=True)
class SuddenChanges:
    """What was found, and what could not be asked."""

    rule: SuddenChangeRule
    events: pl.DataFrame
    """One row a jump between sessions n and n + 1, by case and session:
    `case_id, session` (n), `changes_of_case, <AROUND>, points_better` (of the jump; negative for a
    loss), `treatment_gain` (first score minus last, as points better), `share_of_treatment_gain`
    (null where that gain is 0 or unknown), `reversal_level, is_reversed` (null where no later score
    could show it)."""
    series: pl.DataFrame
    """One row a case: `case_id, score_count, between_sessions, judged, not_judged` (intervals),
    `change_count` (null where nothing could be judged), `has_enough_scores` (for all three
    criteria, somewhere), `reason` (a key of REASONS; null where an interval was judged)."""


def sudden_changes(
    scores: pl.DataFrame, rule: SuddenChangeRule, *, planned_sessions: int | None = None
) -> SuddenChanges:
    """Return the sudden changes of all cases.

    Parameters
    ----------
    scores
        One row a score: `case_id`, `session` (whole; 1 is the first treatment session, 0 a
        baseline), `score` (null or nan is missing). In any order; a session without a row has no
        score.
    planned_sessions
        Length of the treatment: later scores are left out, every case has all its intervals, and
        the treatment gain runs from session 1 to this one. None: each case ends at its own last
        score, and the treatment gain runs from its first (from session 1 on) to its last.

    Raises
    ------
    ScoresError
        If a session has two scores, or a number of session or a score is none.

    >>> found = sudden_changes(
    ...     pl.DataFrame(
    ...         {
    ...             "case_id": ["a"] * 8,
    ...             "session": range(1, 9),
    ...             "score": [30, 31, 30, 15, 28, 14, 14, 14],
    ...         }
    ...     ),
    ...     SuddenChangeRule(cutoff=7, beyond_spread=False),
    ... )
    >>> found.events.select("session", "points_better", "is_reversed").rows()
    [(3, 15.0, True), (5, 14.0, False)]
    """
    checked = by_case(scores)
    runs = checked["case_id"].rle().struct.unnest()
    ends = runs["len"].cast(pl.Int64).to_numpy().cumsum()
    sessions = checked["session"].to_numpy()
    points = checked["score"].to_numpy()
    blocks: list[_Block] = []
    start = 0
    while start < ends.size or not blocks:
        first_row = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, first_row + _BLOCK)), min(start + 1, ends.size))
        rows = slice(first_row, int(ends[stop - 1]) if stop else 0)
        lengths = np.diff(ends[start:stop], prepend=first_row)
        courses = Courses.of(sessions[rows], points[rows], lengths, rule, planned_sessions)
        blocks.append(_Block.of(courses, start, rule, planned_sessions))
        start = stop
    return SuddenChanges(
        rule=rule,
        events=_events([block.events for block in blocks], runs["value"], rule),
        series=_series([block.series for block in blocks], runs["value"], rule),
    )


Columns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Columns of the events and of the cases of some courses."""

    events: Columns
    series: Columns

    @classmethod
    def of(
        cls,
        courses: Courses,
        first_case: int,
        rule: SuddenChangeRule,
        planned_sessions: int | None,
    ) -> _Block:
        around, present, is_tested = courses.around, courses.present, courses.is_tested
        is_judged = can_judge(around, present, rule) & is_tested
        first, *others = criteria_in_use(rule)
        changed = np.flatnonzero(is_judged & first(around, rule))
        for criterion in others:  # only where the ones before hold
            changed = changed[criterion(tuple(scores[changed] for scores in around), rule)]
        case = courses.case_of(changed)
        changes = np.bincount(case, minlength=courses.begins.size)
        intervals = np.maximum(courses.lengths - UNTESTED, 0)
        not_judged = courses.per_case(is_tested & ~is_judged)
        lacks_scores = is_tested & ~(has_both_beside(present) & has_windows(present))
        series: Columns = {
            "score_count": courses.score_count,
            "between_sessions": np.maximum(courses.lengths - 1, 0),
            "judged": intervals - not_judged,
            "not_judged": not_judged,
            "change_count": changes,
            "has_enough_scores": courses.per_case(lacks_scores) < intervals,
            "has_negative": courses.per_case(around[2] < 0) > 0,
        }
        events: Columns = {
            "case": case + first_case,
            "session": changed - courses.begins[case] + rule.first_session,
            "changes_of_case": changes[case],
            **{name: scores[changed] for name, scores in zip(AROUND, around, strict=True)},
            "treatment_gain": _treatment_gain(courses, case, rule, planned_sessions),
            **_reversal(courses, changed, case, rule),
        }
        return cls(events=events, series=series)


def _treatment_gain(
    courses: Courses, case: Counts, rule: SuddenChangeRule, planned_sessions: int | None
) -> Numbers:
    """Return points better from the first score of the treatment to its last, an event."""
    scores = courses.places[2:]
    begin = courses.begins[case] + (1 - rule.first_session)
    end = courses.begins[case] + courses.lengths[case] - 1
    if planned_sessions is None:
        missing = np.isnan(scores[begin])
        while missing.any():  # an event has a score, so this ends
            begin = begin + missing
            missing = np.isnan(scores[begin])
    gain: Numbers = rule.better_sign * (scores[begin] - scores[end])
    return gain


def _reversal(courses: Courses, changed: Counts, case: Counts, rule: SuddenChangeRule) -> Columns:
    """Return the score that halves the change, and whether a later one lies beyond it."""
    scores = courses.places[2:]
    level = (scores[changed] + scores[changed + 1]) / 2
    end = courses.begins[case] + courses.lengths[case]
    farthest = int((end - changed).max(initial=2))
    later = changed + np.arange(2, farthest)[:, None]
    score = scores[np.minimum(later, end)]  # the place at the end is empty
    return {
        "reversal_level": level,
        "is_reversed": (rule.sign * (score - level) > ROUNDING).any(axis=0),
        "can_tell": (~np.isnan(score)).any(axis=0) & ~np.isnan(level),
    }


def _events(blocks: list[Columns], case_ids: pl.Series, rule: SuddenChangeRule) -> pl.DataFrame:
    columns = _joined(blocks)
    points, treatment = pl.col("points_better"), pl.col("treatment_gain")
    return (
        pl.DataFrame(columns)
        .with_columns(pl.col(*AROUND, "treatment_gain", "reversal_level").fill_nan(None))
        .with_columns(
            case_id=case_ids.gather(columns["case"]),
            points_better=rule.better_sign * (pl.col("score_before") - pl.col("score_after")),
            is_reversed=pl.when("can_tell").then("is_reversed"),
        )
        .with_columns(
            share_of_treatment_gain=pl.when(treatment != 0).then(points.abs() / treatment)
        )
        .select(*EVENT_COLUMNS)
    )


def _series(blocks: list[Columns], case_ids: pl.Series, rule: SuddenChangeRule) -> pl.DataFrame:
    reason = (
        pl.when(pl.col("judged") > 0).then(None)
        .when(pl.col("score_count") == 0).then(pl.lit("no_score"))
        .when(pl.col("between_sessions") < UNTESTED).then(pl.lit("too_few_sessions"))
        .when(pl.col("has_negative") & (rule.share is not None)).then(pl.lit("negative_score"))
        .otherwise(pl.lit("gaps"))
    )  # fmt: skip
    return (
        pl.DataFrame(_joined(blocks))
        .with_columns(
            case_id=case_ids,
            change_count=pl.when(pl.col("judged") > 0).then("change_count"),
            reason=reason,
        )
        .select(*SERIES_COLUMNS)
    )


def _joined(blocks: list[Columns]) -> Columns:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
