"""What does each part of the outlook gain on the published sets, and how many cases does it need?

The sets and outcomes of backtest_shared.py. AUCs are of pairs within one fifth, mean over the cuts,
on the cases the outlook answers; standard errors of differences come from the placements of the
cases (DeLong and others 1988) and know nothing of how the cut moves a number. Prints the tables of
docs/outlook.md. Run: python benchmarks/outlook_parts.py [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import polars as pl
from backtest_shared import COMPARED, EXAMPLES, READ_ON, SETS, SHARED
from measuring import chosen, parser, table
from numpy.typing import NDArray

from models.case_ends import PRIMARY, Outcome, case_ends
from models.known_so_far import known_so_far
from models.landmarks import Landmark, rows_at
from models.outlook import Outlook
from models.outlook_arithmetic import ordered_right, ridge_logistic
from models.outlook_features import OF_SCORES
from models.past_cases import PastCases
from pipelines.opening_past import past_of_files

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Fit = Callable[["Asked", Bools], Floats]
"""Takes cases and which of them are learned from; returns a score of every case."""
FOLDS = 5
LEARNING = ("ENRICHD day:28", "ENRICHD day:84")
SIZES = (50, 100, 150, 200, 250, 300)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Cases of one set at one landmark whose end is known."""

    name: str
    past: PastCases
    outcome: str
    rows: pl.DataFrame

    @property
    def is_bad(self) -> Bools:
        """Whether each ended badly."""
        return self.rows["is_bad"].to_numpy()

    def outlook(self, learned: Bools) -> Outlook:
        """Return an outlook learned from some of them."""
        measure, rows = self.past.measure, self.rows.filter(learned)
        return Outlook(
            outcome=self.outcome,
            higher_is=measure.higher_is,
            reliable_change=measure.reliable_change_points,
            cutoff=measure.cutoff,
            minimum=float(measure.minimum),
            maximum=float(measure.maximum),
        ).fit(rows, self.is_bad[learned], rows["end_score"].to_numpy())


def asked_of(past: PastCases, name: str, outcome: str, landmark: str, end_from: int) -> Asked:
    """Return the cases at one landmark, with as many later scores as the set has, 3 at most."""
    window = end_from if outcome == COMPARED else None
    what = Outcome(name=outcome, later_scores=1, end_from_day=window)
    rows = rows_at(known_so_far(past), Landmark.named(landmark)).join(
        case_ends(past, what), on="case_id", maintain_order="left"
    )
    rows = rows.filter("is_asked", pl.col("is_bad").is_not_null())
    later = pl.col("end_occasion") - pl.col("occasion")
    wanted = 1 if window else next(n for n in (3, 2, 1) if rows.filter(later >= n).height >= 30)
    return Asked(
        name=f"{name} {landmark}", past=past, outcome=outcome, rows=rows.filter(later >= wanted)
    )


def by_outlook(steps: int) -> Fit:
    """Return the outlook held to its first steps."""

    def fit(asked: Asked, learned: Bools) -> Floats:
        with patch("models.outlook.OF_SCORES", OF_SCORES[:steps]):
            return asked.outlook(learned).predict(asked.rows).probability

    return fit


def by_two_scores(asked: Asked, learned: Bools) -> Floats:
    """Return the log odds of a logistic regression on first and last score."""
    design = np.column_stack([np.ones(asked.rows.height), asked.rows.select("baseline", "score")])
    bad = asked.is_bad[learned].astype(np.float64)
    return design @ ridge_logistic(design[learned], bad, np.full(3, 1e-3))


def by_percent(asked: Asked, _learned: Bools) -> Floats:
    """Return which share of the way from the best score to the first is left."""
    best = float(asked.past.measure.minimum)
    return ((asked.rows["score"] - best) / (asked.rows["baseline"] - best)).to_numpy()


PARTS: dict[str, Fit] = {
    "two-score": by_two_scores,
    "percent": by_percent,
    "half and half": by_outlook(1),
    "+ first, last": by_outlook(2),
    "outlook": by_outlook(len(OF_SCORES)),
}


def folds(bad: Bools, seed: int) -> NDArray[np.int64]:
    """Deal the cases out at random, bad and good ones apart."""
    random = np.random.default_rng(seed)
    fold = np.empty(len(bad), dtype=np.int64)
    for kind in (False, True):
        rows = random.permutation(np.flatnonzero(bad == kind))
        fold[rows] = np.arange(len(rows)) % FOLDS
    return fold


def placements(scores: Floats, fold: NDArray[np.int64], bad: Bools) -> tuple[Floats, Floats]:
    """Return each case's share of pairs in the right order (n,), and its pairs (n,)."""
    right, pairs = np.zeros((2, len(bad)))
    for each, cut in zip(scores, fold, strict=True):
        for number in range(FOLDS):
            here = (cut == number) & ~np.isnan(each)
            worse, better = np.flatnonzero(here & bad), np.flatnonzero(here & ~bad)
            above = each[worse][:, None] - each[better][None]
            won = (above > 0) + 0.5 * (above == 0)
            right[worse] += won.sum(axis=1)
            right[better] += won.sum(axis=0)
            pairs[worse] += len(better)
            pairs[better] += len(worse)
    return right / np.maximum(pairs, 1.0), pairs


def parts_of(asked: Asked, repeats: int) -> tuple[list[str], float | None]:
    """Return one line of the first table, and the difference to the better naive rule."""
    bad = asked.is_bad
    fold = np.stack([folds(bad, seed) for seed in range(repeats)])
    scores = {name: np.full(fold.shape, np.nan) for name in PARTS}
    for repeat, number in np.ndindex(repeats, FOLDS):
        out = fold[repeat] == number
        for name, fit in PARTS.items():
            scores[name][repeat, out] = fit(asked, ~out)[out]
    answered = ~np.isnan(scores["outlook"])
    if not answered.any():
        return [asked.name, f"{len(bad)}, {bad.sum()}", *["refused"] * (len(PARTS) + 1)], None
    placed = {
        name: placements(np.where(answered, each, np.nan), fold, bad)
        for name, each in scores.items()
    }
    area = {name: float(np.average(v[bad], weights=n[bad])) for name, (v, n) in placed.items()}
    better = max("two-score", "percent", key=area.__getitem__)
    apart = placed["outlook"][0] - placed[better][0]
    error = float(np.sqrt(apart[bad].var() / bad.sum() + apart[~bad].var() / (~bad).sum()))
    difference = area["outlook"] - area[better]
    cells = [asked.name, f"{len(bad)}, {bad.sum()}", *(f"{each:.3f}" for each in area.values())]
    return [*cells, f"{difference:+.3f} ({error:.3f})"], difference


def learning_curve(asked: Asked, draws: int) -> Iterator[list[str]]:
    """Yield one line a size: learned from so many cases at random, asked about all others."""
    bad = asked.is_bad
    end = asked.rows["end_score"].to_numpy()
    for size in SIZES:
        found = []
        for draw in range(draws):
            random = np.random.default_rng([size, draw])
            learned = np.zeros(len(bad), dtype=bool)
            learned[random.permutation(len(bad))[:size]] = True
            answer = asked.outlook(learned).predict(asked.rows)
            told = ~learned & ~np.isnan(answer.probability)
            if told.any():
                missed = np.abs(answer.expected_end - end)[told].mean()
                areas = [
                    ordered_right(score[told], bad[told])
                    for score in (
                        answer.probability,
                        by_two_scores(asked, learned),
                        by_percent(asked, learned),
                    )
                ]
                found.append([*areas, missed])
        means = np.mean(found, axis=0) if found else np.full(4, np.nan)
        yield [
            asked.name, str(size), f"{len(found)} of {draws}",
            *(f"{mean:.3f}" for mean in means[:3]), f"{means[3]:.2f}",
        ]  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Print both tables for both outcomes."""
    sizes = chosen(parser(__doc__, repeats=(20, 2), draws=(40, 2)), argv)
    write = sys.stdout.write
    curves: list[list[str]] = []
    for outcome in (COMPARED, PRIMARY):
        lines, differences = [], []
        for each in SETS:
            past = past_of_files(
                SHARED / each.folder, EXAMPLES / f"{each.mapping}.toml", READ_ON
            ).past
            if Outcome(name=outcome).needs(past.measure):
                continue
            for landmark in each.landmarks:
                asked = asked_of(past, each.name, outcome, landmark, each.end_from_day)
                line, difference = parts_of(asked, sizes.repeats)
                lines.append(line)
                differences += [] if difference is None else [difference]
                if asked.name in LEARNING:
                    curves += list(learning_curve(asked, sizes.draws))
        write(f"\n{outcome}\n\n")
        write(table(["where", "n, bad", *PARTS, "less the better (se)"], lines))
        write(f"\nmean {np.mean(differences):+.4f}, least {min(differences):+.4f}\n")
    heads = ["where", "learned from", "answered", "outlook", "two-score", "percent", "missed by"]
    write(f"\n{table(heads, curves)}")


if __name__ == "__main__":
    main()
