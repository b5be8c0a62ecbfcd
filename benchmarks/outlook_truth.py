"""How near does each rule come to what knowing the generator's own numbers would reach?

Simulated practices of which the truth is known. Every rule is asked by the back-test (five folds by
case); beside it stands a Bayes oracle (`generator_oracle`) asked about the same cases. Prints the
tables of docs/benchmarks.md. Run: python benchmarks/outlook_truth.py [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import perf_counter

import numpy as np
import polars as pl
from generator_oracle import Foretold, Seen, foretell, seen_of
from measuring import chosen, machine, parser, table
from numpy.typing import NDArray
from past_practices import simulated

from models.backtest import backtest
from models.calibration import calibration
from models.discrimination import Judged, compare
from models.flag_shares import at_share_flagged
from models.landmarks import Landmark
from models.past_cases import PastCases
from models.resampling import draw_cases, middle
from pipelines.demo_practice import simulate_practice

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Figures = tuple[float, float, float]
"""AUC, and sensitivity and predictive value at 30 % flagged; or shares of them."""

SEEDS = (403, 404)  # of practices on which nothing was chosen or tried (401 and 402 were looked at)
OUTCOMES = ("clinical_without_gain", "reliable_deterioration")
OCCASIONS = (4, 6, 8)
SHARE_FLAGGED = 0.3
BATCH = 100_000
LEVEL_SD = 0.5  # points: as near as the stronger ceiling knows the true levels so far
CEILINGS: dict[str, dict[str, float | bool]] = {
    "generator known": {},
    "generator known, PHQ-9 and attendance alone": {"uses_gad7": False, "uses_srs": False},
    "and true levels so far": {"uses_gad7": False, "uses_srs": False, "level_sd": LEVEL_SD},
}
GOAL = 95  # per cent of the ceiling
DRAWS_BY_CASE = 300


def ceiling(seen: Seen, past: PastCases, occasion: int, draws: int, kind: str) -> Foretold:
    """Return what an oracle says of every case that may be asked at an occasion."""
    change, cutoff = past.measure.reliable_change_points, past.measure.cutoff
    if change is None or cutoff is None:
        message = f"{past.measure.name} has no reliable change or no cut-off"
        raise ValueError(message)
    return foretell(
        seen,
        seen.session_of(occasion),
        draws=draws,
        batch=min(BATCH, draws),
        seed=occasion,
        reliable_change=change,
        cutoff=cutoff,
        **CEILINGS[kind],  # type: ignore[arg-type]  # numbers and switches by name
    )


def figures(is_bad: Truths, score: Floats) -> Figures:
    """Return AUC, sensitivity and predictive value at 30 % flagged."""
    drawn = draw_cases(np.arange(len(is_bad)), times=0)
    auc = compare(is_bad, {"it": Judged(score=score)}, drawn).of["it"].metrics["auc"].value
    at_share = at_share_flagged(is_bad, score, [SHARE_FLAGGED])[0]
    return auc, at_share.sensitivity, at_share.ppv


def _shares(mine: Figures, best: Figures) -> Figures:
    """Return AUC, AUC above one half and sensitivity as shares of the ceiling."""
    return mine[0] / best[0], (mine[0] - 0.5) / (best[0] - 0.5), mine[1] / best[1]


def _line(name: str, judged: int, mine: Figures, best: Figures) -> list[str]:
    """Return one row: the figures of a rule, and each as a share of the ceiling."""
    auc, above, found = (f"{100 * share:.1f}" for share in _shares(mine, best))
    figures_told = [f"{mine[0]:.3f}", auc, above, f"{mine[1]:.3f}", found, f"{mine[2]:.2f}"]
    return [name, f"{judged:,}", *figures_told]


HEAD = [
    "",
    "judged",
    "AUC",
    "% of the ceiling",
    "% of it above .5",
    "sensitivity at 30 %",
    "% of the ceiling",
    "predictive value at 30 %",
    "own line: flagged",
    "sensitivity",
    "predictive value",
]


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    options = parser(__doc__, cases=(5_000, 800), draws=(1_000_000, 50_000))
    options.add_argument("--calendar", action="store_true", help="learn from cases over before")
    told = chosen(options, argv)
    write = sys.stdout.write
    write(f"{machine('scikit-learn')}; {told.cases:,} cases, {told.draws:,} drawn for the oracle\n")
    landmarks = [Landmark(kind="occasion", at=at) for at in OCCASIONS]
    shares: dict[str, list[list[float]]] = {}
    for seed in SEEDS[: 1 if told.quick else None]:
        began = perf_counter()
        practice = simulate_practice(cases=told.cases, seed=seed, dirty_rows=False)
        seen, past = seen_of(practice), simulated(practice)
        row_of = {name: row for row, name in enumerate(practice.cases["case_id"])}
        ceilings = {
            (at, kind): ceiling(seen, past, at, told.draws, kind)
            for at in OCCASIONS
            for kind in CEILINGS
        }
        for outcome in OUTCOMES:
            found = backtest(
                past,
                outcome=outcome,
                landmarks=landmarks,
                repeats=1,
                resamples=0,
                split="calendar" if told.calendar else "cross_validation",
                seed=seed,
            )
            said = _asked_of_all(found.predictions)
            for at in OCCASIONS:
                asked = said.filter(landmark=f"occasion_{at}")
                write(f"\n### seed {seed}, {outcome}, occasion {at}\n\n")
                oracle = {kind: ceilings[at, kind] for kind in CEILINGS}
                write(_told(asked, oracle, row_of, outcome, shares))
        write(f"\n{perf_counter() - began:.0f} s\n")
    write("\n### Share of the ceiling over all of these, per cent: mean, and lowest\n\n")
    rows = []
    for rule, found_shares in shares.items():
        average, low = np.mean(found_shares, axis=0), np.min(found_shares, axis=0)
        cells = [f"{one:.1f}, {other:.1f}" for one, other in zip(average, low, strict=True)]
        rows.append([rule, *cells, "yes" if min(low[0], low[2]) >= GOAL else "no"])
    reached = f"lowest AUC and sensitivity at least {GOAL}"
    write(table(["", "AUC", "AUC above .5", "sensitivity", reached], rows))


def _asked_of_all(predictions: pl.DataFrame) -> pl.DataFrame:
    """Return what was said of cases with a known end that the outlook has answered for.

    With folds these are all of them; by calendar too few cases were over before the first ones.
    """
    answered = predictions.filter(pl.col("score").is_not_null(), rule="outlook")
    return predictions.filter(pl.col("is_bad").is_not_null()).join(
        answered.select("case_id", "landmark"),
        on=["case_id", "landmark"],
        how="semi",
        maintain_order="left",
    )


def _told(
    asked: pl.DataFrame,
    oracle: Mapping[str, Foretold],
    row_of: Mapping[str, int],
    outcome: str,
    shares: dict[str, list[list[float]]],
) -> str:
    """Return the table of one outcome and occasion; keeps each rule's lowest shares."""
    of_rule = {rule: asked.filter(rule=rule) for rule in asked["rule"].unique(maintain_order=True)}
    first = next(iter(of_rule.values()))
    rows = first["case_id"].replace_strict(row_of, return_dtype=pl.Int64).to_numpy()
    is_bad = first["is_bad"].cast(pl.Float64).to_numpy() == 1
    found = {kind: figures(is_bad, said.bad[outcome][rows]) for kind, said in oracle.items()}
    main_kind = next(iter(CEILINGS))
    best = found[main_kind]
    told = [[*_line(kind, len(rows), mine, best), "", "", ""] for kind, mine in found.items()]
    for rule, said in of_rule.items():
        score = said["score"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        mine = figures(is_bad, score)
        flagged = said["is_flagged"].fill_null(value=False).to_numpy()
        hits = (flagged & is_bad).sum()
        line = _line(rule, int((~np.isnan(score)).sum()), mine, best)
        own = (flagged.mean(), hits / is_bad.sum(), hits / max(flagged.sum(), 1))
        told.append([*line, *(f"{number:.2f}" for number in own)])
        shares.setdefault(rule, []).append([100 * share for share in _shares(mine, best)])
    probability = oracle[main_kind].bad[outcome][rows]
    drawn = draw_cases(np.arange(len(rows)), times=200, seed=1)
    slope = calibration(is_bad, probability, drawn).slope
    effective = np.quantile(oracle[main_kind].effective[rows], [0.01, 0.05, 0.5])
    told_of_outlook = _with_intervals(is_bad, of_rule["outlook"]["score"].to_numpy(), probability)
    return (
        f"{len(rows):,} cases asked, {is_bad.sum():,} ended so ({100 * is_bad.mean():.1f} %; the "
        f"oracle expects {100 * probability.mean():.1f} %, calibration slope {slope.value:.2f}, "
        f"{slope.low:.2f} to {slope.high:.2f}). Effective drawn cases: median {effective[2]:,.0f}, "
        f"5 % of the cases below {effective[1]:,.0f}, 1 % below {effective[0]:,.0f}.\n\n"
        + table(HEAD, told)
        + f"\n{told_of_outlook}\n"
    )


def _with_intervals(is_bad: Truths, score: Floats, ceiling: Floats) -> str:
    """Return the outlook's shares of the ceiling with intervals by case, both over one draw."""
    both = np.flatnonzero(~np.isnan(score))
    random = np.random.default_rng(1)
    drawn = [both, *(random.choice(both, len(both)) for _ in range(DRAWS_BY_CASE))]
    shares = np.array(
        [_shares(figures(is_bad[d], score[d]), figures(is_bad[d], ceiling[d])) for d in drawn]
    )
    auc, _, found = (middle(100 * column) for column in shares.T)
    return (
        f"The outlook's share of the ceiling: AUC {auc.value:.1f} % ({auc.low:.1f} to "
        f"{auc.high:.1f}), sensitivity {found.value:.1f} % ({found.low:.1f} to {found.high:.1f})."
    )


if __name__ == "__main__":
    main()
