"""Which sudden changes are there in scores that stand row under row, by case and session?

The criteria ask for the score before and the score after: both are rows, one under the other. So
nothing is laid out: two rows belong to one interval if they belong to one case and their sessions
follow one another, and a window holds two scores if the next row is at most two sessions away.
(A rule by criterion 3 alone judges intervals without those rows: see `sudden_change_courses`.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.sudden_change import (
    ROUNDING,
    UNTESTED,
    WINDOW,
    Around,
    Columns,
    Numbers,
    SuddenChangeRule,
    Truths,
)
from models.sudden_change_courses import LAST_SESSION, Counts
from models.sudden_change_criteria import criteria_in_use, is_beyond_spread, is_large_share

Steps = NDArray[np.int16]

_FAR = 4
"""Sessions from a row to one of another case: beyond every window."""


class NotInOrderError(ValueError):
    """Rows are not by case and session, or one of them cannot be: they must be looked at first."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The scores of some cases, one under the other, none missing."""

    session: Steps
    """Shape (rows,); rises within a case."""
    score: Numbers
    """Shape (rows,)."""
    count: Counts
    """Rows of each case in turn (cases,); may be 0."""
    step: Steps
    """Sessions from each row to the next (rows - 1,); `_FAR` or more to another case."""

    @classmethod
    def of(cls, cases: pl.Series, sessions: pl.Series, points: pl.Series) -> Rows:
        """Take rows as they stand: whole cases, their rows together.

        Raises
        ------
        NotInOrderError
            If sessions do not rise within a case or lie outside 0 to 1000, or a score is infinite.
        """
        told = sessions.to_numpy()
        if told.min() < 0 or told.max() > LAST_SESSION:
            raise NotInOrderError
        session = told.astype(np.int16)
        starts = np.concatenate([[0], np.flatnonzero(_differs(cases)) + 1])
        step = np.diff(session)
        step[starts[1:] - 1] = _FAR
        ends = np.append(starts[1:], len(session))
        if step.size and step.min() < 1:
            raise NotInOrderError
        score = _numbers(points)
        if points.dtype.is_float() and np.isinf(score).any():
            raise NotInOrderError
        return cls(session=session, score=score, count=ends - starts, step=step)

    @classmethod
    def of_columns(cls, columns: list[pl.Series], first_session: int) -> Rows:
        """Take scores that stand side by side: a column a session, a row a case."""
        cases, sessions = len(columns[0]), len(columns)
        score, session = np.empty((cases, sessions)), np.empty((cases, sessions), dtype=np.int16)
        step = np.ones((cases, sessions), dtype=np.int16)
        for place, column in enumerate(columns):
            score[:, place] = column.to_numpy()
            session[:, place] = first_session + place
        step[:, -1] = _FAR
        return cls(
            session=session.ravel(),
            score=score.ravel(),
            count=np.full(cases, sessions),
            step=step.ravel()[:-1],
        )

    def used(self, rule: SuddenChangeRule, planned_sessions: int | None) -> Rows:
        """Return the rows that count: with a score, from the first session to the planned last."""
        is_used = np.isfinite(self.score)
        if rule.first_session:
            is_used &= self.session >= rule.first_session
        if planned_sessions is not None:
            is_used &= self.session <= planned_sessions
        if is_used.all():
            return self
        case = np.repeat(np.arange(self.count.size), self.count)[is_used]
        session = self.session[is_used]
        step = np.diff(session)
        step[np.diff(case) != 0] = _FAR
        count = np.bincount(case, minlength=self.count.size)
        return Rows(session=session, score=self.score[is_used], count=count, step=step)

    @cached_property
    def start(self) -> Counts:
        """First row of each case (cases,); of the next one if it has none."""
        start: Counts = self.count.cumsum() - self.count
        return start

    def per_case(self, truths: Truths) -> Counts:
        """Count the true rows of each case (cases,)."""
        counts = np.zeros(self.count.size, dtype=np.int64)
        seen = self.count > 0
        if seen.any():
            counts[seen] = np.add.reduceat(truths.view(np.int8), self.start[seen], dtype=np.int64)
        return counts

    def around(self, row: Counts) -> Around:
        """Return the scores at sessions n - 2 to n + 3 of the intervals after some rows."""
        found = np.array(
            [self.score.take(row + away, mode="clip") for away in range(1 - WINDOW, WINDOW + 1)]
        )
        two_before, before, after, two_after = (
            self._step_at(row + away) for away in (-2, -1, 1, 2)
        )
        nan = float("nan")
        for places, near, beyond in (((1, 0), before, two_before), ((4, 5), after, two_after)):
            is_missing = near != 1
            np.copyto(found[places[0]], nan, where=is_missing)
            np.copyto(found[places[1]], nan, where=is_missing | (beyond != 1))
        skips = np.flatnonzero(before == 2)  # n - 1 has no row: the one above is that of n - 2
        found[0, skips] = self.score[row[skips] - 1]
        skips = np.flatnonzero(after == 2)
        found[5, skips] = self.score[row[skips] + 2]
        return tuple(found)

    def _step_at(self, row: Counts) -> Steps:
        """Return the steps after some rows, to another case where there is no row."""
        if not self.step.size:
            return np.full(row.size, _FAR, dtype=np.int16)
        step = self.step.take(row, mode="clip")
        step[(row < 0) | (row >= self.step.size)] = _FAR
        return step

    def case_of(self, row: Counts) -> Counts:
        """Return the number of the case a row belongs to."""
        case: Counts = np.searchsorted(self.start, row, side="right") - 1
        return case


def _differs(cases: pl.Series) -> Truths:
    """Return whether each row but the first has another case than the row above (rows - 1,)."""
    if cases.dtype.is_numeric():
        values = cases.to_numpy()
        different: Truths = values[1:] != values[:-1]
        return different
    return (cases.slice(1) != cases.slice(0, max(len(cases) - 1, 0))).to_numpy()


def _numbers(points: pl.Series) -> Numbers:
    """Return scores as numbers, missing ones as nan."""
    if points.null_count():
        points = points.cast(pl.Float64)
    return points.to_numpy().astype(np.float64, copy=False)


def changes_in_rows(
    all_rows: Rows, rule: SuddenChangeRule, planned_sessions: int | None
) -> tuple[Columns, Columns]:
    """Return columns of the changes and of the cases, numbered from 0.

    The names are those of `sudden_change_events`; `rule` has criterion 1 or criterion 2 on.

    Examples
    --------
    >>> rule = SuddenChangeRule(cutoff=7)
    >>> scores = pl.Series([30, 31, 30, 15, 14, 14])
    >>> rows = Rows.of(pl.Series(["a"] * 6), pl.Series(range(1, 7)), scores)
    >>> changes_in_rows(rows, rule, None)[0]["session"].tolist()
    [3]
    """
    rows = all_rows.used(rule, planned_sessions)
    sessions = _sessions(rows, rule, planned_sessions)
    follows = np.append(rows.step == 1, False)[: rows.session.size]
    has_windows = follows.copy()
    near = rows.step <= WINDOW - 1
    has_windows[:1] = has_windows[-2:] = False
    has_windows[1:] &= near
    has_windows[:-2] &= near[1:]
    is_judged = has_windows
    if not rule.beyond_spread:
        end = np.repeat(sessions + rule.first_session, rows.count)
        is_judged = follows & (rows.session > rule.first_session) & (rows.session + 2 < end)
    enough = rows.per_case(has_windows)
    negative = rows.score < 0 if rows.score.size and rows.score.min() < 0 else None
    if negative is not None and rule.share is not None:
        is_judged = is_judged & ~negative
    judged = enough if is_judged is has_windows else rows.per_case(is_judged)
    row, around = _changed(rows, is_judged, rule)
    case = rows.case_of(row)
    changes = np.bincount(case, minlength=rows.count.size)
    intervals = np.maximum(sessions - UNTESTED, 0)
    series: Columns = {
        "score_count": rows.count,
        "between_sessions": np.maximum(sessions - 1, 0),
        "judged": judged,
        "not_judged": intervals - judged,
        "change_count": changes,
        "has_enough_scores": enough > 0,
        "has_negative": (np.zeros(rows.count.size, dtype=bool) if negative is None
                         else rows.per_case(negative) > 0),
    }  # fmt: skip
    events: Columns = {
        "case": case,
        "session": rows.session[row].astype(np.int64),
        "changes_of_case": changes[case],
        "around": np.array(around),
        "treatment_gain": _treatment_gain(rows, case, rule, planned_sessions),
        **_reversal(rows, row, case, rule),
    }
    return events, series


def _sessions(rows: Rows, rule: SuddenChangeRule, planned_sessions: int | None) -> Counts:
    """Return how long each course is, in sessions from the first that is used (cases,)."""
    if planned_sessions is not None:
        return np.full(rows.count.size, planned_sessions - rule.first_session + 1)
    sessions = np.zeros(rows.count.size, dtype=np.int64)
    seen = rows.count > 0
    last = (rows.start + rows.count - 1)[seen]
    sessions[seen] = rows.session[last] - rule.first_session + 1
    return sessions


def _changed(rows: Rows, is_judged: Truths, rule: SuddenChangeRule) -> tuple[Counts, Around]:
    """Return the rows before a sudden change, and the scores around it."""
    first, *others = criteria_in_use(rule)
    here = rows.score
    row = np.flatnonzero(is_judged[:-1] & first(_beside(here[:-1], here[1:]), rule))
    if is_large_share in others:  # it looks at two scores only, so it goes before the windows
        row = row[np.flatnonzero(is_large_share(_beside(here[row], here[row + 1]), rule))]
    around = rows.around(row)
    if is_beyond_spread in others:
        met = np.flatnonzero(is_beyond_spread(around, rule))
        row, around = row[met], tuple(scores[met] for scores in around)
    return row, around


def _beside(before: Numbers, after: Numbers) -> Around:
    """Return what criteria 1 and 2 look at: of six scores only the third and the fourth."""
    return (before,) * WINDOW + (after,) * WINDOW


def _treatment_gain(
    rows: Rows, case: Counts, rule: SuddenChangeRule, planned_sessions: int | None
) -> Numbers:
    """Return points better from the first score of the treatment to its last, an event."""
    first, last = rows.start[case], rows.start[case] + rows.count[case] - 1
    first = first + (rows.session[first] < 1)  # the baseline is no session of the treatment
    gain: Numbers = rule.better_sign * (rows.score[first] - rows.score[last])
    if planned_sessions is not None:
        is_whole = (rows.session[first] == 1) & (rows.session[last] == planned_sessions)
        gain = np.where(is_whole, gain, np.nan)
    return gain


def _reversal(rows: Rows, row: Counts, case: Counts, rule: SuddenChangeRule) -> Columns:
    """Return the score that halves the change, and whether a later one lies beyond it."""
    level = (rows.score[row] + rows.score[row + 1]) / 2
    end = rows.start[case] + rows.count[case]
    later = row + np.arange(2, int((end - row).max(initial=2)))[:, None]
    is_there = later < end
    score = rows.score[np.minimum(later, end - 1)]
    return {
        "reversal_level": level,
        "is_reversed": (is_there & (rule.sign * (score - level) > ROUNDING)).any(axis=0),
        "can_tell": is_there.any(axis=0),
    }
