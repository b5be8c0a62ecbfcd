"""How large a practice can be had in a minute? A simulated one, published once and copied.

A night over about 2,000 simulated cases is published; then every case, therapist and supervisor
of the snapshot is copied under new ids, and written by the night's own writer (contract, order,
storage). So the size is real, and so is each supervisor's share of it; but the fiftieth copy of a
case is like the first, and no night of that size was run.

Run: python benchmarks/screens_home.py FOLDER [--cases 2000] [--copies 50]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from data_contracts.contract import Table
from data_contracts.places import Places
from data_contracts.tables_published import PUBLISHED_FOR_CASES
from pipelines.demo_practice import simulate_practice, write_practice
from pipelines.nightly import run_night
from pipelines.step_10_publish import write_snapshot

_NIGHT = datetime(2026, 1, 5, 5, tzinfo=UTC)
_COPIED_IDS = ("case_id", "therapist_id", "supervisor_id")


def simulated_home(home: Path, cases: int) -> Places:
    """Simulate a practice into the home, run its night, return its places."""
    folder = home / "source"
    write_practice(simulate_practice(cases=cases, seed=1), folder)
    run_night(source=folder, mapping=folder / "mapping.toml", home=home, started_at=_NIGHT)
    return Places.at(home)


def larger_home(small: Places, home: Path, copies: int) -> Places:
    """Publish `copies` times the cases of a home into another; figures over cases stay its own."""
    pointer = small.pointer()
    larger = Places.at(home)
    larger.published.mkdir(parents=True)
    shutil.copy2(small.published / pointer.aggregates, larger.published / pointer.aggregates)
    with closing(duckdb.connect(str(_cases(small)), read_only=True)) as snapshot:
        tables = {
            table: _copied(table, snapshot.table(table.name).pl(), copies)
            for table in PUBLISHED_FOR_CASES
        }
    write_snapshot(larger.published / pointer.cases, tables)
    larger.point_to(pointer)
    return larger


def supervisors(places: Places) -> list[str]:
    """Return who supervises, busiest last, so that a sample of any part is like the whole."""
    with closing(duckdb.connect(str(_cases(places)), read_only=True)) as snapshot:
        found = snapshot.sql(
            "select supervisor_id from published_queue where supervisor_id is not null "
            "group by supervisor_id order by count(*), supervisor_id"
        ).fetchall()
    return [supervisor_id for (supervisor_id,) in found]


def size(places: Places) -> str:
    """Return how large what is published is, in words."""
    with closing(duckdb.connect(str(_cases(places)), read_only=True)) as snapshot:
        counted = snapshot.sql(
            "select count(*), count(*) filter (is_open), count(distinct supervisor_id), "
            "(select count(*) from published_queue) from published_cases"
        ).fetchone()
    assert counted is not None  # noqa: S101 - a query without groups has one row
    cases, still_open, supervised_by, queued = counted
    return (
        f"{cases:,} cases, {still_open:,} of them open, {queued:,} in the queue, "
        f"{supervised_by:,} supervisors, {_cases(places).stat().st_size / 2**20:,.0f} MiB"
    )


def _cases(places: Places) -> Path:
    return places.published / places.pointer().cases


def _copied(table: Table, rows: pl.DataFrame, copies: int) -> pl.DataFrame:
    """Return the rows of a table once for every copy, in the order the night writes them.

    What tells copies apart stands before the ids: one sorted copy follows the other.
    """
    ids = [name for name in _COPIED_IDS if name in table.column_names]
    if not ids:
        return rows
    # Places in the queue stay places: one row of each copy, then the next.
    place = pl.col("position") * copies
    return pl.concat(
        rows.with_columns(
            *(pl.concat_str(pl.lit(f"{copy:03}-"), name).alias(name) for name in ids),
            *([place - copies + 1 + copy] if table.name == "published_queue" else []),
        )
        for copy in range(copies)
    )


def main(argv: list[str] | None = None) -> None:
    """Make a large home in a folder, for the benchmark or for looking at it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path, help="a folder that is not there yet")
    options.add_argument("--cases", type=int, default=2000, help="simulated; 2000")
    options.add_argument("--copies", type=int, default=50, help="of each of them; 50")
    told = options.parse_args(argv)
    small = simulated_home(told.folder / "small", told.cases)
    large = larger_home(small, told.folder / "large", told.copies)
    for places in (small, large):
        sys.stdout.write(f"{places.home}: {size(places)}\n")


if __name__ == "__main__":
    main()
