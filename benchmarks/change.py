"""How long does reliable change take, from a Parquet file to a class for every case?

Beside it, in turn, the scan of just the columns that are needed: the goal is twice that. A wide
file has one row a case; long files have one row a score, by case and time, or in no order.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from models.change_reference import Reference
from models.clinical_cutoff import published_cutoff
from models.clinical_significance import judged_pairs
from models.paired_scores import paired_columns, paired_scores
from models.reliable_change import ReliableChange

GOAL = 2.0
"""Times the scan."""

RULE = ReliableChange(
    reference=Reference(name="simulated", mean_pre=16, sd_pre=6.1), reliability=0.86,
    higher_is="worse",
)  # fmt: skip
CUTOFF = published_cutoff(10, higher_is="worse", source="simulated")
LONG = ["case_id", "time", "score"]
WIDE = ["case_id", "pre", "post"]


def write_files(folder: Path, cases: int) -> dict[str, Path]:
    """Write the same simulated scores in every shape."""
    rng = np.random.default_rng(1)
    pre = rng.integers(5, 28, cases)
    post = np.clip(pre - rng.integers(-6, 15, cases), 0, 27)
    number = np.arange(cases)
    wide = pl.DataFrame({"case_id": number, "pre": pre, "post": post, "other": rng.random(cases)})
    scores = pl.DataFrame(
        {
            "case_id": np.repeat(number, 2),
            "time": np.tile([0, 1], cases),
            "score": np.stack([pre, post], axis=1).ravel(),
            "other": rng.random(2 * cases),
        }
    )
    text = pl.format("c{}", pl.col("case_id").cast(pl.String).str.zfill(9)).alias("case_id")
    words = scores.with_columns(text)
    order = rng.permutation(scores.height)
    frames = {
        "wide, whole-number ids": wide,
        "long, whole-number ids, by case": scores,
        "long, text ids, by case": words,
        "long, whole-number ids, no order": scores[order],
        "long, text ids, no order": words[order],
    }
    paths = {name: folder / f"{place}.parquet" for place, name in enumerate(frames)}
    for name, frame in frames.items():
        frame.write_parquet(paths[name])
    return paths


def scan(path: Path) -> pl.DataFrame:
    """Read the columns that are needed, and no more."""
    columns = WIDE if "pre" in pl.read_parquet_schema(path) else LONG
    return pl.read_parquet(path, columns=columns)


def judge(path: Path) -> pl.DataFrame:
    """Read a file and judge every case."""
    scores = scan(path)
    wide = "pre" in scores.columns
    pairs = paired_columns(scores) if wide else paired_scores(scores, before=0, after=1)
    return judged_pairs(pairs, RULE, CUTOFF)


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    from tempfile import TemporaryDirectory  # here: a process that is timed does without

    from measuring import chosen, machine, parser, process, side_by_side, table

    told = chosen(parser(__doc__, cases=(1_000_000, 50_000), repeats=(9, 3)), argv)
    here = str(Path(__file__).parent)
    rows = []
    with TemporaryDirectory() as scratch:
        for name, path in write_files(Path(scratch), told.cases).items():
            start = f"import sys; sys.path.insert(0, {here!r}); import pathlib, change; "
            call = f"(pathlib.Path({str(path)!r}))"
            columns = scan(path).columns
            plain = f"import polars; polars.read_parquet({str(path)!r}, columns={columns})"
            judge(path)  # first use of memory and code is not what is measured in process
            pairs = (
                (lambda path=path: scan(path), lambda path=path: judge(path)),
                (process(plain), process(f"{start}change.judge{call}")),
            )
            cells = []
            for first, second in pairs:
                one, other, ratio = side_by_side(first, second, repeats=told.repeats)
                cells += [f"{one:.3f} s", f"{other:.3f} s", f"{ratio:.2f}"]
            rows.append([name, *cells])
    write = sys.stdout.write
    write(f"{machine()}; {told.cases:,} cases; medians of {told.repeats}; goal {GOAL:g} x\n\n")
    head = [
        "file",
        "scan",
        "scan to classes",
        "ratio",
        "process: scan",
        "process: classes",
        "ratio",
    ]
    write(table(head, rows))


if __name__ == "__main__":
    main()
