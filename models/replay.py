"""What would each rule have said of past cases at each landmark, knowing only what was known then?

Two walls keep the future out. Every feature of a row rests on scores up to it (`known_so_far`), and
whatever is learned for a row comes from cases of other clients that were over before it was asked
(calendar) or that lie in other folds (cross-validation). Cases that were reviewed after a flag are
asked about, but nothing is learned from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.discrimination import Judged
from models.moments import Moments
from models.replay_piece import SAID, Piece
from models.rival_rules import Numbers, Question
from models.splits import Part

Watch = Callable[[int, int, str], None]
"""Told how many parts are done, of how many, and what is being done."""
Indices = NDArray[np.intp]


class Store(Protocol):
    """Keeps what was worked out, so that a second back-test need not."""

    def recall(self, key: str) -> pl.DataFrame | None:
        """Return what was kept under this key; None if nothing is."""

    def keep(self, key: str, frame: pl.DataFrame) -> None:
        """Keep a frame."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What every rule said, (repeats, rows) each; nan where it was not asked or refused."""

    moments: Moments
    said: dict[str, dict[str, Numbers]]
    """By rule: score, is_flagged, probability, expected_end."""
    part: NDArray[np.int32]
    """(repeats, rows) Which part asked; -1 for none."""
    reasons: dict[str, dict[int, str]] = field(default_factory=dict)
    """By rule and landmark: why it refused everybody, where it did."""
    parts: int = 0
    reused: int = 0
    has_calendar: bool = False
    """Whether parts are blocks of time. Else they are folds, whose scores come from other fits and
    are compared within a fold."""

    def judged(self, rule: str, rows: Indices) -> Judged:
        """Return what a rule said of some rows, as it is measured."""
        said = self.said[rule]
        return Judged(
            score=said["score"][:, rows],
            is_flagged=said["is_flagged"][:, rows],
            probability=said["probability"][:, rows],
            fold=None if self.has_calendar else self.part[:, rows],
        )


def replay(
    question: Question,
    moments: Moments,
    parts: Sequence[Part],
    rules: Sequence[str],
    *,
    watch: Watch | None = None,
    store: Store | None = None,
) -> Replay:
    """Ask every rule at every moment, part by part.

    Parameters
    ----------
    parts
        From `splits`; a row belongs to at most one part of a repeat.
    store
        Where the answers of a part are looked for and kept; the key is a hash of all that went in.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.case_ends import Outcome
    >>> from models.landmarks import Landmark
    >>> from models.moments import moments_of
    >>> from models.past_cases import PastCases
    >>> from models.backtest_split import parts_of
    >>> from models.rival_rules import Question
    >>> phq9 = built_in_measures()["phq9"]
    >>> courses = {f"c{case:02d}": [18, 17 - case % 9, 16, 15, 17 - case % 9] for case in range(40)}
    >>> past, asked = PastCases.weekly(phq9, courses), [Landmark.named("1")]
    >>> moments = moments_of(past, Outcome(), asked, status_rule())
    >>> parts = parts_of(past, moments, "cross_validation", repeats=1, folds=2, seed=1)
    >>> question = Question(measure=phq9, outcome=Outcome(), band_chance=0.25)
    >>> replayed = replay(question, moments, parts, ["naive_last_change"])
    >>> replayed.said["naive_last_change"]["score"][0, :3].tolist()
    [-1.0, -2.0, -3.0]
    """
    repeats = max((part.repeat for part in parts), default=0) + 1
    height = moments.rows.height
    said = {rule: {name: np.full((repeats, height), np.nan) for name in SAID} for rule in rules}
    reasons: dict[str, dict[int, str]] = {rule: {} for rule in rules}
    asked_by = np.full((repeats, height), -1, dtype=np.int32)
    reused = 0
    for number, part in enumerate(parts):
        if watch:
            watch(number, len(parts), "replaying past cases")
        rows = _asked_rows(moments, part)
        piece = Piece.of(question, moments, part, rows, rules)
        key = piece.key() if store else ""
        answers = store.recall(key) if store else None
        reused += answers is not None
        if answers is None:
            answers = piece.answers()
            if store:
                store.keep(key, answers)
        asked_by[part.repeat, rows] = part.number
        for rule in rules:
            for name in SAID:
                said[rule][name][part.repeat, rows] = answers[f"{rule}.{name}"].to_numpy()
            reason = answers[f"{rule}.reason"]
            for at in np.unique(moments.rows["landmark"].gather(rows).to_numpy()):
                found = reason.filter(moments.rows["landmark"].gather(rows) == at).drop_nulls()
                if len(found):
                    reasons[rule][int(at)] = found[0]
    if watch:
        watch(len(parts), len(parts), "replaying past cases")
    return Replay(
        moments=moments, said=said, part=asked_by, reasons=reasons, parts=len(parts), reused=reused,
        has_calendar=any(part.from_day is not None for part in parts),
    )  # fmt: skip


def _asked_rows(moments: Moments, part: Part) -> Indices:
    is_asked = part.asks[moments.rows["case"].to_numpy()]
    if part.from_day is not None and part.to_day is not None:
        day = moments.rows["practice_day"]
        inside = day.is_between(part.from_day, part.to_day).fill_null(value=False)
        is_asked &= inside.to_numpy()
    return np.flatnonzero(is_asked)
