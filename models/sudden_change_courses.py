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
    UNTESTED,
    WINDOW,
    Around,
    Numbers,
    Present,
    SuddenChangeRule,
    Truths,
)

Counts = NDArray[np.int64]

NEEDED = ("case_id", "session", "score")

_LAST_SESSION = 1_000  # a larger number is a day or a date


class ScoresError(UnstuckError):
    """Scores that cannot be laid out by case and session; the message holds no value of them."""


def by_case(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the rows by case; a missing score is nan."""
    missing = [name for name in NEEDED if name not in scores.columns]
    if missing:
        raise ScoresError(f"there is no column {', '.join(missing)}")
    if not (scores["session"].dtype.is_numeric() and scores["score"].dtype.is_numeric()):
        raise ScoresError(
            "sessions and scores must be numbers; --in-order numbers the rows of a case by a date"
        )
    session = pl.col("session")
    faults = {
        "have no case": pl.col("case_id").is_null(),
        "have no session": session.is_null(),
        "have a session below 0": session < 0,
        f"have a session above {_LAST_SESSION}: is it a day? See --in-order": (
            session > _LAST_SESSION
        ),
    }
    if scores["session"].dtype.is_float():
        faults["have a session that is no whole number"] = session != session.floor()
    if scores["score"].dtype.is_float():
        faults["have an infinite score"] = pl.col("score").is_infinite()
    counts = scores.select(
        fault.sum().alias(str(place)) for place, fault in enumerate(faults.values())
    ).row(0)
    for count, told in zip(counts, faults, strict=True):
        if count:
            raise ScoresError(f"{count} rows {told}")
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
