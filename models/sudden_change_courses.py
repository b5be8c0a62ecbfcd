"""How do the sessions of many cases lie in one row of numbers?

One place a session, whether it has a score or not, and an empty place after each case: so the
neighbours of every interval of every case are six slices of one array.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.errors import UnstuckError
from models.sudden_change import (
    ROUNDING,
    UNTESTED,
    WINDOW,
    Around,
    Columns,
    Numbers,
    Present,
    SuddenChangeRule,
    Truths,
)
from models.sudden_change_criteria import (
    can_judge,
    criteria_in_use,
    has_both_beside,
    has_windows,
)

Counts = NDArray[np.int64]

NEEDED = ("case_id", "session", "score")

LAST_SESSION = 1_000  # a larger number is a day or a date


class ScoresError(UnstuckError):
    """Scores that cannot be laid out by case and session; the message holds no value of them."""


def by_case(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the rows by case; a missing score is nan.

    Examples
    --------
    >>> scores = pl.DataFrame({"case_id": ["b", "a"], "session": [1, 1], "score": [3, None]})
    >>> by_case(scores).rows()
    [('a', 1, nan), ('b', 1, 3.0)]
    """
    missing = [name for name in NEEDED if name not in scores.columns]
    if missing:
        raise ScoresError(f"there is no column {', '.join(missing)}")
    if not (scores["session"].dtype.is_numeric() and scores["score"].dtype.is_numeric()):
        raise ScoresError(
            "sessions and scores must be numbers; --in-order numbers the rows of a case by a date"
        )
    session = pl.col("session")
    faults = {
        "no case": pl.col("case_id").is_null(),
        "no session": session.is_null(),
        "a session below 0": session < 0,
        f"a session above {LAST_SESSION}: is it a day? See --in-order": (session > LAST_SESSION),
    }
    if scores["session"].dtype.is_float():
        faults["a session that is no whole number"] = session != session.floor()
    if scores["score"].dtype.is_float():
        faults["an infinite score"] = pl.col("score").is_infinite()
    counts = scores.select(
        fault.sum().alias(str(place)) for place, fault in enumerate(faults.values())
    ).row(0)
    for count, told in zip(counts, faults, strict=True):
        if count:
            raise ScoresError(f"{'1 row has' if count == 1 else f'{count} rows have'} {told}")
    ordered = scores if scores["case_id"].is_sorted() else scores.sort("case_id")
    points = pl.col("score")
    if scores["score"].null_count():
        points = points.cast(pl.Float64).fill_null(float("nan"))
    return ordered.select("case_id", "session", points)


@dataclass(frozen=True, kw_only=True)
class Courses:
    """Some cases one after the other, a place a session, an empty place after each case."""

    places: Numbers
    """Two empty places, the cases, three empty places; nan is missing."""
    begins: Counts
    """Place of each case's first session, the two empty places not counted."""
    lengths: Counts
    """Sessions of each case, from the first that is used to the end of its course."""
    score_count: Counts

    @classmethod
    def of(
        cls,
        sessions: NDArray[np.generic],
        points: NDArray[np.generic],
        rows: Counts,
        rule: SuddenChangeRule,
        planned_sessions: int | None,
    ) -> Courses:
        """Lay out rows of cases, `rows` of them for each case in turn."""
        session = sessions.astype(np.int64) - rule.first_session
        score = points.astype(np.float64)
        used = (session >= 0) & ~np.isnan(score)
        if planned_sessions is not None:
            used &= session <= planned_sessions - rule.first_session
        score_count = rows
        if not used.all():
            case = np.repeat(np.arange(rows.size), rows)
            session, score = session[used], score[used]
            score_count = np.bincount(case[used], minlength=rows.size)
        if planned_sessions is None:
            lengths = np.zeros(rows.size, dtype=np.int64)
            seen = np.flatnonzero(score_count)
            if seen.size:
                firsts = (score_count.cumsum() - score_count)[seen]
                lengths[seen] = np.maximum.reduceat(session, firsts) + 1
        else:
            lengths = np.full(rows.size, planned_sessions - rule.first_session + 1)
        begins = (lengths + 1).cumsum() - lengths - 1
        places = np.full(int((lengths + 1).sum()) + WINDOW + 2, np.nan)
        places[np.repeat(begins + 2, score_count) + session] = score
        twice = score.size - int(np.count_nonzero(~np.isnan(places)))
        if twice:
            raise ScoresError(f"{twice} scores stand beside another of the same case and session")
        return cls(places=places, begins=begins, lengths=lengths, score_count=score_count)

    @property
    def around(self) -> Around:
        """The six scores around the interval after each place."""
        size = self.places.size - WINDOW - 2
        return tuple(self.places[step : step + size] for step in range(2 * WINDOW))

    @property
    def present(self) -> Present:
        """Which of those are there."""
        size = self.places.size - WINDOW - 2
        there = ~np.isnan(self.places)
        return tuple(there[step : step + size] for step in range(2 * WINDOW))

    @property
    def is_tested(self) -> Truths:
        """Whether the interval after a place has two sessions on each side."""
        tested = np.ones(self.places.size - WINDOW - 2, dtype=bool)
        tested[self.begins] = False
        for back in range(UNTESTED):  # an empty place, the last session, and the one before
            tested[np.maximum(self.begins + self.lengths - back, 0)] = False
        return tested

    def per_case(self, truths: Truths) -> Counts:
        """Count true places of each case; quick where they are few."""
        counts = np.bincount(self.case_of(np.flatnonzero(truths)), minlength=self.begins.size)
        return counts.astype(np.int64, copy=False)

    def case_of(self, place: Counts) -> Counts:
        """Return the number of the case a place belongs to."""
        case: Counts = np.searchsorted(self.begins, place, side="right") - 1
        return case


def changes_in_courses(
    courses: Courses, rule: SuddenChangeRule, planned_sessions: int | None
) -> tuple[Columns, Columns]:
    """Return columns of the changes and of the cases, numbered from 0; see `changes_in_rows`.

    Examples
    --------
    >>> rule = SuddenChangeRule(cutoff=7)
    >>> scores = np.array([30, 31, 30, 15, 14, 14])
    >>> courses = Courses.of(np.arange(1, 7), scores, np.array([6]), rule, None)
    >>> changes_in_courses(courses, rule, None)[0]["session"].tolist()
    [3]
    """
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
        "case": case,
        "session": changed - courses.begins[case] + rule.first_session,
        "changes_of_case": changes[case],
        "around": np.array([scores[changed] for scores in around]),
        "treatment_gain": _treatment_gain(courses, case, rule, planned_sessions),
        **_reversal(courses, changed, case, rule),
    }
    return events, series


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
