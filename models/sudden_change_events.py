"""Which sudden gains or losses do many cases have, and which cases cannot be asked?

Scores come as they are stored, one row a score; blocks of cases are looked at in turn, so that what
they need stays in the processor's cache. What counts as a jump: `sudden_change.py`.

A gain is reversed if a later score, from session n + 2 on, gives back more than half of it (Tang &
DeRubeis 1999). The R package looks from n + 3 on, unless the baseline is used.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from models.sudden_change import SuddenChangeRule
from models.sudden_change_courses import (
    LAST_SESSION,
    NEEDED,
    Courses,
    ScoresError,
    by_case,
    changes_in_courses,
)
from models.sudden_change_rows import NotInOrderError, Rows, changes_in_rows
from models.sudden_change_tables import Block, SuddenChanges, joined_blocks

_BLOCK = 1 << 17  # rows: what a block needs stays in the processor's cache


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
    reads_rows = rule.cutoff is not None or rule.share is not None
    if reads_rows and _can_be_read(scores):
        try:
            return _from_rows(scores, rule, planned_sessions)
        except NotInOrderError:
            pass
    checked = by_case(scores)
    if reads_rows and not checked.is_empty():
        in_order = checked.with_columns(pl.col("session").cast(pl.Int64)).sort("case_id", "session")
        try:
            return _from_rows(in_order, rule, planned_sessions)
        except NotInOrderError:
            pass
    return _from_courses(checked, rule, planned_sessions)


def sudden_changes_in_columns(
    scores: pl.DataFrame, rule: SuddenChangeRule, *, planned_sessions: int | None = None
) -> SuddenChanges:
    """Return the sudden changes of cases whose sessions stand side by side.

    Parameters
    ----------
    scores
        One row a case: `case_id` (each once), then one column a session in order, from session 1
        on, or from the baseline if the rule uses it; null or nan is missing.
    planned_sessions
        As for `sudden_changes`; None: each case ends at its own last score.

    Raises
    ------
    ScoresError
        If a case is there twice or has no id, or a column holds no numbers or an infinite one.

    Examples
    --------
    >>> scores = [[30], [31], [30], [15], [14], [14]]
    >>> wide = pl.DataFrame({"case_id": ["a"], **{f"s{n}": s for n, s in enumerate(scores, 1)}})
    >>> sudden_changes_in_columns(wide, SuddenChangeRule(cutoff=7)).events["session"].to_list()
    [3]
    """
    cases, *columns = scores.get_columns()
    for column in columns:
        if not column.dtype.is_numeric():
            raise ScoresError(f"column {column.name} holds no numbers")
        if column.dtype.is_float() and column.is_infinite().any():
            raise ScoresError(f"column {column.name} holds an infinite score")
    if cases.null_count() or cases.n_unique() < len(cases):
        raise ScoresError("a case is there twice or has no id: one row a case is expected")
    if not cases.is_sorted():
        return sudden_changes_in_columns(
            scores.sort("case_id"), rule, planned_sessions=planned_sessions
        )
    if rule.cutoff is None and rule.share is None:
        sessions = {c.name: place for place, c in enumerate(columns, rule.first_session)}
        return sudden_changes(
            scores.unpivot(index="case_id", variable_name="session", value_name="score")
            .with_columns(pl.col("session").replace_strict(sessions, return_dtype=pl.Int64)),
            rule,
            planned_sessions=planned_sessions,
        )  # fmt: skip

    def judged(rows: slice) -> Block:
        block = [column[rows] for column in columns]
        found = changes_in_rows(Rows.of_columns(block, rule.first_session), rule, planned_sessions)
        return Block.of(*found, rows.start)

    width = max(_BLOCK // max(len(columns), 1), 1)
    blocks = [slice(at, min(at + width, len(cases))) for at in range(0, len(cases), width)]
    return joined_blocks([judged(rows) for rows in blocks or [slice(0, 0)]], cases, rule)


def _can_be_read(scores: pl.DataFrame) -> bool:
    """Return whether the columns are what they should be, as far as that can be seen at once."""
    if scores.is_empty() or not set(NEEDED) <= set(scores.columns):
        return False
    unknown = scores["case_id"].null_count() + scores["session"].null_count()
    return (
        not unknown and scores["session"].dtype.is_integer() and scores["score"].dtype.is_numeric()
    )


def _from_rows(
    scores: pl.DataFrame, rule: SuddenChangeRule, planned_sessions: int | None
) -> SuddenChanges:
    """Judge rows by case and session; see `sudden_change_rows`."""
    case, session, points = (scores[name] for name in NEEDED)

    def judged(rows: slice) -> tuple[Block, pl.Series]:
        block = Rows.of(case[rows], session[rows], points[rows])
        found = changes_in_rows(block, rule, planned_sessions)
        return Block.of(*found, 0), case[rows].gather(block.start)

    parts = [judged(rows) for rows in _whole_cases(case)]
    case_ids = pl.concat([ids for _, ids in parts])
    if not case_ids.is_sorted() or (case_ids == case_ids.shift()).any():
        raise NotInOrderError  # a case goes on elsewhere
    first_cases = np.cumsum([0, *(len(ids) for _, ids in parts[:-1])])
    blocks = [block.numbered(first) for (block, _), first in zip(parts, first_cases, strict=True)]
    return joined_blocks(blocks, case_ids, rule)


def _whole_cases(case: pl.Series) -> list[slice]:
    """Return blocks of about `_BLOCK` rows that end with a case."""
    ends = [0]
    while ends[-1] < len(case):
        end = min(ends[-1] + _BLOCK, len(case))
        first = end
        while end < len(case) and case[end] == case[end - 1]:
            if end - first > LAST_SESSION:
                raise NotInOrderError  # more rows than a case has sessions
            end += 1
        ends.append(end)
    return [slice(start, end) for start, end in pairwise(ends)]


def _from_courses(
    checked: pl.DataFrame, rule: SuddenChangeRule, planned_sessions: int | None
) -> SuddenChanges:
    """Judge rows by case in any order of sessions; see `sudden_change_courses`."""
    runs = checked["case_id"].rle().struct.unnest()
    ends = runs["len"].cast(pl.Int64).to_numpy().cumsum()
    sessions = checked["session"].to_numpy()
    points = checked["score"].to_numpy()
    blocks: list[Block] = []
    start = 0
    while start < ends.size or not blocks:
        first_row = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, first_row + _BLOCK)), min(start + 1, ends.size))
        rows = slice(first_row, int(ends[stop - 1]) if stop else 0)
        lengths = np.diff(ends[start:stop], prepend=first_row)
        courses = Courses.of(sessions[rows], points[rows], lengths, rule, planned_sessions)
        found = changes_in_courses(courses, rule, planned_sessions)
        blocks.append(Block.of(*found, start))
        start = stop
    return joined_blocks(blocks, runs["value"], rule)
