"""Which columns of one file does a command need? Read them, or say what is missing.

For commands that look at a file and leave it as it is: nothing lands, nothing is kept. The night
reads files by `reading_files.py`, line by line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from data_contracts.errors import SourceError, nearest

_MISSING = ["", "NA"]


def read_columns(
    file: Path,
    columns: Mapping[str, str],
    *,
    texts: Iterable[str] = ("case_id",),
    numbers: Iterable[str] = ("score",),
) -> pl.DataFrame:
    """Return the named columns of a CSV or Parquet file, in the order of the file.

    Parameters
    ----------
    columns
        Our name of each column, and its name in the file. Two of ours may be one of the file's.
    texts
        Ours that are read as they are written (007 stays 007); Parquet leaves no choice.
    numbers
        Ours that must hold numbers; empty cells and NA are missing.

    Raises
    ------
    SourceError
        If the file or a column is missing, the file cannot be read to its end, or a column of
        numbers holds text. The message holds no value of the file.
    """
    is_parquet = file.suffix.lower() in (".parquet", ".pq")
    try:
        if is_parquet:
            lazy = pl.scan_parquet(file)
        else:
            lazy = pl.scan_csv(
                file,
                infer_schema_length=None,
                null_values=_MISSING,
                schema_overrides={
                    columns[name]: pl.String for name in texts if name in columns
                },
            )  # fmt: skip
        there = lazy.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError):
        message = f"{file} cannot be read as CSV or Parquet: is it there, and whole?"
        raise SourceError(message) from None
    for theirs in columns.values():
        if theirs not in there:
            message = (
                f"{file.name} has no column {theirs!r}{nearest(theirs, there)}; name the right one"
            )
            raise SourceError(message)
    try:
        found = lazy.select(**{ours: pl.col(theirs) for ours, theirs in columns.items()}).collect()
    except pl.exceptions.PolarsError:
        message = f"{file.name} cannot be read to its end: export it again"
        raise SourceError(message) from None
    for name in numbers:
        if name in columns and not (
            found[name].dtype.is_numeric() or found[name].dtype == pl.Null
        ):  # fmt: skip
            message = f"column {columns[name]!r} of {file.name} holds text; expected numbers"
            raise SourceError(message)
    return found
