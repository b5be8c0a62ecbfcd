"""How long do sudden gains take, from a Parquet file to all events and every case's answer?

Beside it, in turn, the scan of the columns that are needed: the goal is three times that. A wide
file has one row a case and a column a session; a long one has one row a score. All three criteria.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from models.sudden_change import SuddenChangeRule
from models.sudden_change_events import sudden_changes, sudden_changes_in_columns
from models.sudden_change_tables import SuddenChanges

GOAL = 3.0
"""Times the scan."""

RULE = SuddenChangeRule(cutoff=7)
LONG = ["case_id", "session", "score"]


def write_files(folder: Path, cases: int, sessions: int) -> dict[str, Path]:
    """Write the same simulated courses in every shape; every sixth or so holds a jump."""
    rng = np.random.default_rng(1)
    fall = rng.random((cases, 1)) * np.arange(sessions)
    scores = 22 - fall + rng.normal(0, 3, (cases, sessions))
    jumps = (rng.random(cases) < 0.15)[:, None]
    jumped = np.arange(sessions) >= rng.integers(2, max(sessions - 2, 3), cases)[:, None]
    scores = np.clip(np.round(scores - 10 * (jumps & jumped)), 0, 63).astype(np.int64)
    number = np.arange(cases)
    session = np.tile(np.arange(1, sessions + 1), cases)
    wide = pl.DataFrame({"case_id": number, **{f"s{n + 1}": scores[:, n] for n in range(sessions)}})
    long = pl.DataFrame(
        {"case_id": np.repeat(number, sessions), "session": session, "score": scores.ravel()}
    )
    gaps = long.filter(pl.Series(rng.random(long.height) > 0.1))
    text = pl.format("c{}", pl.col("case_id").cast(pl.String).str.zfill(9)).alias("case_id")
    frames = {
        "wide, whole-number ids": wide,
        "long, whole-number ids": long,
        "long, text ids": long.with_columns(text),
        "long, whole-number ids, one score in ten missing": gaps,
    }
    paths = {name: folder / f"{place}.parquet" for place, name in enumerate(frames)}
    for name, frame in frames.items():
        frame.write_parquet(paths[name])
    return paths


def scan(path: Path) -> pl.DataFrame:
    """Read the columns that are needed, and no more."""
    columns = pl.read_parquet_schema(path)
    return pl.read_parquet(path, columns=LONG if "session" in columns else list(columns))


def find(path: Path) -> SuddenChanges:
    """Read a file and find every sudden gain."""
    scores = scan(path)
    if "session" in scores.columns:
        return sudden_changes(scores, RULE)
    return sudden_changes_in_columns(scores, RULE)


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    from tempfile import TemporaryDirectory  # here: a process that is timed does without

    from measuring import chosen, machine, parser, process, side_by_side, table

    options = parser(__doc__, cases=(1_000_000, 20_000), sessions=(12, 12), repeats=(7, 3))
    told = chosen(options, argv)
    here = str(Path(__file__).parent)
    rows = []
    with TemporaryDirectory() as scratch:
        for name, path in write_files(Path(scratch), told.cases, told.sessions).items():
            start = f"import sys; sys.path.insert(0, {here!r}); import pathlib, gains; "
            call = f"(pathlib.Path({str(path)!r}))"
            columns = scan(path).columns
            plain = f"import polars; polars.read_parquet({str(path)!r}, columns={columns})"
            events = find(path).events.height
            pairs = (
                (lambda path=path: scan(path), lambda path=path: find(path)),
                (process(plain), process(f"{start}gains.find{call}")),
            )
            cells = []
            for first, second in pairs:
                one, other, ratio = side_by_side(first, second, repeats=told.repeats)
                cells += [f"{one:.3f} s", f"{other:.3f} s", f"{ratio:.2f}"]
            rows.append([name, f"{events:,}", *cells])
    write = sys.stdout.write
    write(f"{machine()}; {told.cases:,} cases of {told.sessions} sessions; ")
    write(f"medians of {told.repeats}; goal {GOAL:g} x\n\n")
    head = ["file", "gains", "scan", "scan to events", "ratio"]
    write(table([*head, "process: scan", "process: events", "ratio"], rows))


if __name__ == "__main__":
    main()
