"""Are known differences between therapists found again, and do the intervals hold?

Drawn caseloads of very different size, then simulated practices. Prints tables for
docs/caseload.md. Run: python benchmarks/caseload.py
"""

from __future__ import annotations

import argparse
import sys
from math import sqrt

import numpy as np
import polars as pl

from data_contracts.suppression import suppression_rule
from models.caseload import Caseload, case_effects, caseload
from models.random_intercept import random_intercepts
from models.severity_adjustment import SeverityAdjustment
from pipelines.demo_practice import simulate_practice

SIZES = ((30, 12), (90, 13), (400, 20))
SHARES = (0.0, 0.03, 0.06, 0.10)


def recovery(therapists: int, cases: int, share: float, seeds: int) -> str:
    """Return a row: share of therapists found, and how often intervals hold."""
    found, holds, inside, known = [], 0, [], []
    for seed in range(seeds):
        rng = np.random.default_rng(1000 * therapists + seed)
        count = 1 + rng.negative_binomial(3, 3 / (2 + cases), therapists)
        count[:2] = np.maximum(count[:2], 2)
        therapist = np.repeat(np.arange(therapists), count)
        true = sqrt(share) * rng.normal(size=therapists)
        y = 1 + true[therapist] + sqrt(1 - share) * rng.normal(size=len(therapist))
        fit = random_intercepts(y, therapist)
        told, effects = fit.variances, fit.therapists
        found.append(told.therapist_share)
        holds += told.therapist_share_low - 1e-9 <= share <= told.therapist_share_high + 1e-9
        inside.append(((effects.low <= true) & (true <= effects.high)).mean())
        # As if the estimated variances were known: what the uncertainty of variances adds to.
        kept = count * told.therapist_variance / (
            told.rest_variance + count * told.therapist_variance
        )  # fmt: skip
        sd = np.sqrt(told.therapist_variance * (1 - kept))
        known.append((np.abs(true - effects.effect) <= 1.96 * sd + 1e-12).mean())
    return (
        f"| {therapists}, {cases} | {share:.0%} | {np.mean(found):.1%} ({np.std(found):.1%}) | "
        f"{holds} of {seeds} | {np.mean(inside):.1%} | {np.mean(known):.1%} |\n"
    )


def of_practice(*, cases: int, seed: int) -> Caseload:
    """Return the caseload of a simulated practice, its own cases the reference."""
    simulated = simulate_practice(cases=cases, seed=seed, dirty_rows=False)
    scores = (
        simulated.scores.filter((pl.col("subscale") == "total") & (pl.col("measure") == "PHQ-9"))
        .select(
            "case_id",
            pl.col("session").cast(pl.Int64),
            pl.col("value").cast(pl.Float64, strict=False),
        )
        .drop_nulls()
        .sort("case_id", "session")
        .group_by("case_id", maintain_order=True)
        .agg(
            first_score=pl.col("value").first(),
            last_score=pl.col("value").last(),
            first_session=pl.col("session").first(),
            score_count=pl.len(),
        )
    )
    ended = simulated.cases.filter(pl.col("end_day").is_not_null())
    paired = ended.join(scores.filter(pl.col("score_count") > 1), on="case_id").with_columns(
        measure_id=pl.lit("phq9"), problem=pl.col("problem_code")
    )
    reference = SeverityAdjustment.learn(paired, name="own", higher_is="worse", cutoff=10)
    return caseload(case_effects(paired, {"phq9": reference}), suppression_rule("default"))


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--cases", type=int, default=2000)
    options = parser.parse_args()
    say = sys.stdout.write
    say(
        "| therapists, mean cases | true share | estimated (SD) | interval of the share holds | "
        "interval of an effect holds | were the variances known |\n|---|---|---|---|---|---|\n"
    )
    for therapists, cases in SIZES:
        for share in SHARES:
            say(recovery(therapists, cases, share, options.seeds))
    found = [of_practice(cases=options.cases, seed=seed) for seed in range(options.seeds)]
    told = [each.variances for each in found if each.variances is not None]
    shares = [each.therapist_share for each in told]
    widths = [each.therapist_share_high - each.therapist_share_low for each in told]
    hidden = [each.therapists["is_suppressed"].to_numpy().mean() for each in found]
    spread = [each.overdispersion for each in found if each.overdispersion is not None]
    say(
        f"\n{options.seeds} simulated practices of {options.cases} cases: share "
        f"{np.mean(shares):.1%} (SD {np.std(shares):.1%}), interval {np.mean(widths):.1%} wide, "
        f"overdispersion {np.mean(spread):.2f}, {np.mean(hidden):.0%} of therapists not shown\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
