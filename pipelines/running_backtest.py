"""How good would the rules have been on the past cases of a home, or of files?

What did not change since the last back-test of a home is used again: pieces lie in
`<home>/backtest/` under hashes of their inputs (piece_store.py). Files keep nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from data_contracts.places import Places
from data_contracts.suppression import suppression_rule
from models.backtest import ALL, Backtest, backtest
from models.case_ends import PRIMARY
from models.landmarks import Landmark
from models.past_cases import PastCases
from models.replay import Watch as PartsWatch
from pipelines.opening_past import GivenPast, past_of_files, past_of_home
from pipelines.piece_store import PieceStore, code_version
from pipelines.progress import BacktestWatches

SplitChoice = Literal["auto", "calendar", "cross-validation"]


@dataclass(frozen=True, kw_only=True)
class BacktestQuestion:
    """What a back-test is asked; the same defaults as `models.backtest.backtest`."""

    outcome: str = PRIMARY
    landmarks: tuple[Landmark, ...] = ()
    """Empty: those enough cases reach."""
    rules: tuple[str, ...] = ALL
    repeats: int | None = None
    folds: int = 5
    seed: int = 1
    later_scores: int | None = None
    """None: 3, or as many as the data have."""
    end_from_day: int | None = None
    split: SplitChoice = "auto"
    resamples: int = 500


@dataclass(frozen=True, kw_only=True)
class BacktestAnswer:
    """What came out, and from which cases."""

    backtest: Backtest
    past: PastCases
    notes: tuple[str, ...]
    """What is to be said of the cases, before the notes of the back-test itself."""

    def as_json(self) -> dict[str, Any]:
        """Return the back-test's own content, with the notes on its cases first."""
        content = self.backtest.as_json()
        return {**content, "notes": [*self.notes, *content["notes"]]}


def backtest_of_home(
    places: Places,
    question: BacktestQuestion,
    started_at: datetime,
    *,
    measure_id: str | None = None,
    watch: PartsWatch | None = None,
) -> BacktestAnswer:
    """Replay a practice's own past cases; reuses what an earlier back-test worked out.

    Raises
    ------
    NightRunningError
        If a night holds the home.
    NothingPublishedError
        If no night has published yet.
    UnstuckError
        If there are too few cases, or the measure cannot tell the outcome.
    """
    given = past_of_home(places, started_at, measure_id=measure_id)
    store = PieceStore(folder=places.backtest_pieces, made_by=code_version(), now=started_at)
    answer = _answer(given, question, watch, store)
    store.sweep()
    return answer


def backtest_of_files(
    source: Path,
    mapping: Path,
    question: BacktestQuestion,
    started_at: datetime,
    *,
    measures: Path | None = None,
    measure_id: str | None = None,
    watches: BacktestWatches | None = None,
) -> BacktestAnswer:
    """Replay the past cases in files; nothing of them is kept.

    Raises
    ------
    UnstuckError
        If the files cannot be landed, there are too few cases, or the measure cannot tell the
        outcome.
    """
    given = past_of_files(
        source, mapping, started_at,
        measures=measures, measure_id=measure_id, watch=watches.landing if watches else None,
    )  # fmt: skip
    return _answer(given, question, watches.parts if watches else None, None)


def _answer(
    given: GivenPast,
    question: BacktestQuestion,
    watch: PartsWatch | None,
    store: PieceStore | None,
) -> BacktestAnswer:
    found = backtest(
        given.past,
        outcome=question.outcome,
        landmarks=question.landmarks or None,
        rules=question.rules,
        repeats=question.repeats,
        folds=question.folds,
        seed=question.seed,
        later_scores="auto" if question.later_scores is None else question.later_scores,
        end_from_day=question.end_from_day,
        split="cross_validation" if question.split == "cross-validation" else question.split,
        resamples=question.resamples,
        rule=given.rule,
        hide_up_to=suppression_rule(given.settings.publishing.suppression).hide_up_to,
        watch=watch,
        store=store,
    )
    return BacktestAnswer(backtest=found, past=given.past, notes=given.notes)
