"""How often do the boundaries of similar cases hold, on cases that are not in the reference?

Simulated practices: the reference is closed on one day, asked are cases that began later, after
every score. ENRICHD (real, from ../shared where it is there): five folds by case. Prints a table
for docs/similar_cases.md. Run: python benchmarks/similar_cases.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import polars as pl

from models.similar_cases import SimilarCases
from models.similar_rule import SimilarCasesRule
from pipelines.demo_practice import simulate_practice

ENRICHD = Path(__file__).parents[2] / "shared" / "data" / "enrichd_bdi_cbt" / "long.csv"
SHARE_ENDED = 0.6
"""The reference is closed when so many of the cases that end have ended."""
FOLDS = 5


def practice(*, cases: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the cases and PHQ-9 scores of a simulated practice, as similar cases take them."""
    simulated = simulate_practice(cases=cases, seed=seed, dirty_rows=False)
    totals = (
        simulated.scores.filter(pl.col("subscale") == "total")
        .select(
            "case_id",
            "measure",
            pl.col("session").cast(pl.Int64),
            score=pl.col("value").cast(pl.Float64, strict=False),
            known_on=pl.col("practice_day").cast(pl.Int64),
        )
        .drop_nulls()
        .sort("case_id", "session")
    )
    phq9 = totals.filter(pl.col("measure") == "PHQ-9").select(
        "case_id", "score", "known_on", occasion=pl.int_range(pl.len()).over("case_id")
    )
    gad7 = totals.filter(pl.col("measure") == "GAD-7").group_by("case_id", maintain_order=True)
    began = pl.col("practice_day_start").cast(pl.Int64)
    people = simulated.cases.select(
        "case_id",
        began_on=began,
        ended_on=began + pl.col("end_day").cast(pl.Int64),
        anxiety=(pl.col("problem_code") == "anxiety").cast(pl.Int64),
    )
    return people.join(gad7.agg(gad7=pl.col("score").first()), on="case_id", how="left"), phq9


def foreseen_in_practice(rule: SimilarCasesRule, *, cases: int, seed: int) -> pl.DataFrame:
    """Return every foreseen score of cases that began after the reference was closed."""
    people, scores = practice(cases=cases, seed=seed)
    closed = int(people["ended_on"].drop_nulls().quantile(SHARE_ENDED) or 0)
    similar = SimilarCases(rule).fit(people, scores, as_of=closed)
    new = people.filter(pl.col("began_on") >= closed)
    return _seen(similar.expect(new, scores, at="every").foreseen, scores).with_columns(
        name=pl.lit(f"practice {seed}")
    )


def foreseen_in_enrichd(rule: SimilarCasesRule) -> pl.DataFrame:
    """Return every foreseen score of each fold, from the cases of the others."""
    scores = (
        pl.read_csv(ENRICHD, schema_overrides={"patient_id": pl.String})
        .group_by(case_id="patient_id", day="day")
        .agg(pl.col("score").mean())
        .sort("case_id", "day")
        .select("case_id", "score", occasion=pl.int_range(pl.len()).over("case_id"))
    )
    people = scores.select("case_id").unique().sort("case_id").with_columns(ended_on=0)
    fold = np.random.default_rng(0).permutation(people.height) % FOLDS
    parts = []
    for number in range(FOLDS):
        similar = SimilarCases(rule).fit(people.filter(fold != number), scores, as_of=1)
        answers = similar.expect(people.filter(fold == number), scores, at="every")
        parts.append(_seen(answers.foreseen, scores))
    return pl.concat(parts).with_columns(name=pl.lit("ENRICHD"))


def _seen(foreseen: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    first = scores.filter(pl.col("occasion") == 0).select("case_id", baseline="score")
    return (
        foreseen.drop_nulls("expected")
        .join(scores.select("case_id", "occasion", "score"), on=["case_id", "occasion"])
        .join(first, on="case_id")
    )


def table_row(name: str, seen: pl.DataFrame) -> str:
    """Return how often scores lay beyond and within, and the error, of some foreseen scores."""
    score, worse, better = pl.col("score"), pl.col("worse_boundary"), pl.col("better_boundary")
    told = seen.select(
        beyond=(score > worse).mean(),
        on_or_beyond=(score >= worse).mean(),
        strictly_within=((score > better) & (score < worse)).mean(),
        within=((score >= better) & (score <= worse)).mean(),
        error=((score - pl.col("expected")) ** 2).mean().sqrt(),
    ).row(0, named=True)
    shares = [f"{told[each]:.1%}" for each in list(told)[:4]]
    return f"| {name} | {seen.height:,} | {' | '.join(shares)} | {told['error']:.2f} |\n"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=6000)
    parser.add_argument("--practices", type=int, default=5)
    options = parser.parse_args()
    say = sys.stdout.write
    say("| cases | foreseen | beyond | on or beyond | strictly within | within | error |\n")
    say("|---|---|---|---|---|---|---|\n")
    ahead = pl.col("occasion") - pl.col("made_at")
    parts = {
        "all": pl.lit(value=True),
        "the next score": (pl.col("made_at") > 0) & (ahead == 1),
        "4 scores ahead": (pl.col("made_at") > 0) & (ahead == 4),
        "from intake alone": pl.col("made_at") == 0,
    }
    rules = {
        "": SimilarCasesRule(),
        "percentile .8: ": SimilarCasesRule(percentile=0.8),
        "GAD-7 and problem: ": SimilarCasesRule(features=("gad7", "anxiety")),
    }
    seeds = range(1, options.practices + 1)
    for label, rule in rules.items():
        every = pl.concat(
            [foreseen_in_practice(rule, cases=options.cases, seed=seed) for seed in seeds]
        )
        for name, part in parts.items():
            say(table_row(f"{label}{options.practices} practices, {name}", every.filter(part)))
        if not label:
            for (name,), seen in every.group_by("name", maintain_order=True):
                say(table_row(str(name), seen))
            for low, high in ((0, 10), (10, 15), (15, 20), (20, 28)):
                inside = every.filter(pl.col("baseline").is_between(low, high, "left"))
                say(table_row(f"first score {low} to {high - 1}", inside))
    if ENRICHD.exists():
        real = foreseen_in_enrichd(SimilarCasesRule())
        for name, part in parts.items():
            say(table_row(f"ENRICHD, {name}", real.filter(part)))
        low, high = (real["baseline"].quantile(share) or 0.0 for share in (1 / 3, 2 / 3))
        thirds = {
            "lower": pl.col("baseline") <= low,
            "middle": pl.col("baseline").is_between(low, high, "right"),
            "upper": pl.col("baseline") > high,
        }
        for name, part in thirds.items():
            say(table_row(f"ENRICHD, {name} third of first scores", real.filter(part)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
