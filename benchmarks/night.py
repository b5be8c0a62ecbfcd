"""How long does a night take, and does it cost what is new or what there is?

Side by side in one run: a first night over a whole simulated practice, and the next night in which
a few cases have new scores. Prints a table for docs/benchmarks.md. Run: make bench
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import polars as pl
from measuring import machine

from pipelines.demo_practice import simulate_practice, write_practice
from pipelines.nightly import STEPS, run_night

if TYPE_CHECKING:
    from pipelines.night import Counts, Night
    from pipelines.nightly import Step

_FIRST_NIGHT = datetime(2026, 1, 5, 5, tzinfo=UTC)
_NEW_CASES = 20


def timed_night(folder: Path, home: Path, night_number: int) -> dict[str, float]:
    """Run one night; return seconds by step."""
    seconds: dict[str, float] = {}

    def watch(name: str, step: Step, night: Night) -> Counts:
        began = perf_counter()
        counts = step(night)
        seconds[name] = perf_counter() - began
        return counts

    began = perf_counter()
    run_night(
        source=folder,
        mapping=folder / "mapping.toml",
        home=home,
        started_at=_FIRST_NIGHT + timedelta(days=night_number),
        watch=watch,
    )
    seconds["whole night"] = perf_counter() - began
    return seconds


def add_scores(folder: Path) -> None:
    """Put a small further export beside the first: one new score for a few cases."""
    scores = pl.read_csv(folder / "scores.csv", infer_schema=False)
    good = scores.filter(
        (pl.col("measure") == "PHQ-9")
        & (pl.col("subscale") == "total")
        & pl.col("value").str.contains(r"^\d+$")
        & (pl.col("value").cast(pl.Int64, strict=False) <= 27)
        & pl.col("session").str.contains(r"^\d+$")
        & pl.col("case_id").is_not_null()
    )
    last = (
        good.with_columns(pl.col("session").cast(pl.Int64), pl.col("day").cast(pl.Int64))
        .sort("case_id", "session")
        .group_by("case_id", maintain_order=True)
        .last()
        .head(_NEW_CASES)
    )
    later = last.with_columns(
        session=pl.col("session") + 1,
        day=pl.col("day") + 7,
        practice_day=(pl.col("practice_day").cast(pl.Int64) + 7).cast(pl.String),
    )
    later.select(scores.columns).write_csv(folder / "scores_later.csv")


def bench(cases: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Return (first night, next night) in seconds by step, medians over repeats."""
    found: list[tuple[dict[str, float], dict[str, float]]] = []
    for repeat in range(repeats):
        with tempfile.TemporaryDirectory() as scratch:
            folder, home = Path(scratch) / "export", Path(scratch) / "home"
            write_practice(simulate_practice(cases=cases, seed=repeat + 1), folder)
            mapping = folder / "mapping.toml"
            text = mapping.read_text(encoding="utf-8")
            mapping.write_text(text.replace('"scores.csv"', '"scores*.csv"'), encoding="utf-8")
            first = timed_night(folder, home, 0)
            add_scores(folder)
            found.append((first, timed_night(folder, home, 1)))
    names = [name for name, _ in STEPS] + ["whole night"]
    return {
        name: (
            median(first[name] for first, _ in found),
            median(later[name] for _, later in found),
        )
        for name in names
    }


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    parser.add_argument("--cases", type=int, nargs="+", help="500 2000 5000; with --quick 200")
    parser.add_argument("--repeats", type=int, help="3; with --quick 1")
    chosen = parser.parse_args(argv)
    chosen.cases = chosen.cases or ([200] if chosen.quick else [500, 2000, 5000])
    chosen.repeats = chosen.repeats or (1 if chosen.quick else 3)
    bench(100, 1)  # imports and caches are not what is measured
    write = sys.stdout.write
    write(f"{machine('duckdb')}; ")
    write(f"medians of {chosen.repeats}; first night / next night with {_NEW_CASES} new scores\n\n")
    results = {cases: bench(cases, chosen.repeats) for cases in chosen.cases}
    write("| step | " + " | ".join(f"{cases:,} cases" for cases in chosen.cases) + " |\n")
    write("|---|" + "---|" * len(chosen.cases) + "\n")
    for name in results[chosen.cases[0]]:
        cells = [f"{result[name][0]:.2f} / {result[name][1]:.2f} s" for result in results.values()]
        write(f"| {name} | " + " | ".join(cells) + " |\n")


if __name__ == "__main__":
    main()
