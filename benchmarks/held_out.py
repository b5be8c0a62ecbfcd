"""Which cases is a prediction fitted on, and on which is it judged? Practices and their splits.

Used by the benchmarks of this folder: simulated practices, of which the truth is known, and ENRICHD
(real people; not in this repository).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.own_lines import case_starts
from pipelines.demo_practice import simulate_practice

Floats = NDArray[np.float64]

ENRICHD = Path(__file__).resolve().parents[2] / "shared/data/enrichd_bdi_cbt/long.csv"
HORIZONS = (4, 8)
"""Sessions ahead at which true levels are given."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of many cases in order; occasion 0 is the baseline."""

    case: NDArray[np.intp]
    occasion: Floats
    clock: Floats
    """Sessions or weeks since the baseline, for the trend."""
    baseline: Floats
    score: Floats
    truth: Floats
    """True level some sessions later minus now, by horizon: (horizons, n); NaN where unknown."""

    def of(self, rows: NDArray[np.bool_]) -> Scores:
        """Return some of the rows, whole cases or not."""
        return Scores(
            case=np.unique(self.case[rows], return_inverse=True)[1],
            occasion=self.occasion[rows],
            clock=self.clock[rows],
            baseline=self.baseline[rows],
            score=self.score[rows],
            truth=self.truth[:, rows],
        )

    @property
    def after(self) -> Scores:
        """The scores after the baseline."""
        return self.of(self.occasion > 0)

    @property
    def design(self) -> Floats:
        """Baseline and time, as the models take them."""
        return np.column_stack([self.baseline, np.log1p(self.occasion)])


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where scores come from, and the scale of their measure."""

    name: str
    maximum: float
    splits: list[tuple[Scores, Scores]]


def _scores(frame: pl.DataFrame, truth: pl.DataFrame | None = None) -> Scores:
    """Arrange `case, clock, score` rows; truth has `case, clock, level`."""
    frame = frame.sort("case", "clock")
    case = np.unique(frame["case"].to_numpy(), return_inverse=True)[1]
    starts = case_starts(case)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(case)), 0))
    score, clock = frame["score"].to_numpy(), frame["clock"].to_numpy()
    ahead = np.full((len(HORIZONS), len(case)), np.nan)
    if truth is not None:
        now = frame.join(truth, on=["case", "clock"], how="left", maintain_order="left")["level"]
        for number, horizon in enumerate(HORIZONS):
            moved = truth.with_columns(pl.col("clock") - horizon)
            later = frame.join(moved, on=["case", "clock"], how="left", maintain_order="left")
            ahead[number] = (later["level"] - now).fill_null(np.nan).to_numpy()
    return Scores(
        case=case,
        occasion=(np.arange(len(case)) - first).astype(np.float64),
        clock=clock - clock[first],
        baseline=score[first],
        score=score,
        truth=ahead,
    )


def simulated(cases: int, seed: int, measure: str = "PHQ-9") -> Scores:
    """Return the scores of a simulated practice, with the truth."""
    practice = simulate_practice(cases=cases, seed=seed, dirty_rows=False)
    level = "true_phq9" if measure == "PHQ-9" else "true_gad7"
    return _scores(
        practice.scores.filter(
            (pl.col("measure") == measure) & (pl.col("subscale") == "total")
        ).select(
            case="case_id",
            clock=pl.col("session").cast(pl.Float64),
            score=pl.col("value").cast(pl.Float64),
        ),
        practice.truth_by_session.select(
            case="case_id", clock=pl.col("session").cast(pl.Float64), level=level
        ),
    )


def enrichd(path: Path) -> Scores:
    """Scores of one day are averaged, as the status rule does."""
    return _scores(
        pl.read_csv(path)
        .group_by("patient_id", "day")
        .agg(pl.col("score").mean())
        .select(case="patient_id", clock=pl.col("day") / 7, score="score")
    )


def halves(scores: Scores, seed: int) -> tuple[Scores, Scores]:
    """Split cases at random into two."""
    is_first = np.random.default_rng(seed).permutation(scores.case.max() + 1) % 2 == 0
    return scores.of(is_first[scores.case]), scores.of(~is_first[scores.case])


def fifths(scores: Scores) -> list[tuple[Scores, Scores]]:
    """Leave out every fifth of the cases once."""
    fold = np.random.default_rng(0).permutation(scores.case.max() + 1) % 5
    return [
        (scores.of(fold[scores.case] != k), scores.of(fold[scores.case] == k)) for k in range(5)
    ]
