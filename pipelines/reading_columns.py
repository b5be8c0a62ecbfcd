"""Which columns of one file does a command need? Read them, or say what is missing.

For commands that look at a file and leave it as it is: nothing lands, nothing is kept. The night
reads files by `reading_files.py`, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from data_contracts.errors import SourceError, nearest
from pipelines.checking_csv import checked_header, has_empty_lines
from pipelines.telling_flags import counted

_MISSING = ["", "NA"]
_VALUE = re.compile(r"NA|[-+]?\d+([.,]\d+)?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}.*")
_MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")


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
        Ours that are read as they are written (007 stays 007); Parquet leaves no choice. Blanks
        alone are missing.
    numbers
        Ours that must hold numbers; empty cells and NA are missing.

    Raises
    ------
    SourceError
        If the file or a column is missing or there twice, the file cannot be read to its end or
        has no rows, a line has more or fewer cells than the header, or a column of numbers holds
        text. The message holds no value of the file.
    """
    is_parquet = file.suffix.lower() in (".parquet", ".pq")
    try:
        there = list(pl.read_parquet_schema(file)) if is_parquet else checked_header(file)
    except (pl.exceptions.PolarsError, OSError):
        message = f"{file} cannot be read as CSV or Parquet: is it there, and whole?"
        raise SourceError(message) from None
    for theirs in columns.values():
        _there_once(theirs, there, file)
    texts = [name for name in texts if name in columns]
    try:
        lazy = pl.scan_parquet(file) if is_parquet else _scanned(file, columns, texts)
        found = lazy.select(**{ours: pl.col(theirs) for ours, theirs in columns.items()}).collect()
    except (pl.exceptions.PolarsError, OSError):
        message = (
            f"{file.name} cannot be read to its end: export it again, CSV in UTF-8, quotes closed"
        )
        raise SourceError(message) from None
    if not found.height:
        message = f"{file.name} has no rows, only names of columns: export it again"
        raise SourceError(message)
    for name in numbers:
        if name in columns:
            _numbers_or_error(found[name], columns[name], file)
    return found.with_columns(
        pl.selectors.decimal().cast(pl.Float64),
        *(
            pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)).alias(name)
            for name in texts
            if found.schema[name] == pl.String and _may_be_blank(found[name])
        ),
    )


def each_its_own(columns: Mapping[str, str], file: Path) -> None:
    """Refuse a column that is named for two things; a file's column holds one thing."""
    if len(set(columns.values())) < len(columns):
        listed = ", ".join(columns.values())
        message = f"{file.name}: each of {listed} must be a column of its own; name another"
        raise SourceError(message)


def moments(values: pl.Series, column: str, file: Path) -> pl.Series:
    """Return times that can be put in order: numbers, dates, or ISO dates as text.

    Raises
    ------
    SourceError
        If times are other text, or missing.
    """
    if untold := values.null_count():
        message = (
            f"{file.name}, column {column!r}: {counted(untold, 'row')} "
            f"{'has' if untold == 1 else 'have'} no time: nothing tells first from last"
        )
        raise SourceError(message)
    if values.dtype != pl.String:
        return values
    readings = (
        values.cast(pl.Float64, strict=False),
        values.str.to_date("%Y-%m-%d", strict=False),
        *(values.str.to_datetime(form, strict=False, time_unit="us") for form in _MOMENTS),
    )
    for reading in readings:
        if not reading.null_count():
            return reading
    message = (
        f"column {column!r} of {file.name} holds text that cannot be put in order; "
        "expected numbers, or dates written 2026-01-31"
    )
    raise SourceError(message)


def _scanned(file: Path, columns: Mapping[str, str], texts: list[str]) -> pl.LazyFrame:
    scanned = pl.scan_csv(
        file,
        infer_schema_length=None,
        null_values=_MISSING,
        schema_overrides={columns[name]: pl.String for name in texts},
    )
    if not has_empty_lines(file):
        return scanned
    return scanned.filter(~pl.all_horizontal(pl.all().is_null()))


def _there_once(theirs: str, there: list[str], file: Path) -> None:
    if theirs not in there:
        message = f"{file.name} has no column {theirs!r}{_hint(theirs, there)}"
        raise SourceError(message)
    if there.count(theirs) > 1:
        message = f"{file.name} has {there.count(theirs)} columns {theirs!r}: keep or rename one"
        raise SourceError(message)


def _hint(theirs: str, there: list[str]) -> str:
    """Return what to do; never a word of a first line that may hold values of a client."""
    if any(_VALUE.fullmatch(name.strip()) for name in there):
        return ": name the right one; does the first line hold the names of the columns?"
    plain = [
        name
        for name in there
        if name.isascii() and name.isprintable()
        and (_letters(name) == name or _letters(name) == _letters(theirs))
    ]  # fmt: skip
    return f"{nearest(theirs, plain)}; name the right one"


def _may_be_blank(values: pl.Series) -> bool:
    return bool((values == "").any() or values.str.starts_with(" ").any())


def _letters(name: str) -> str:
    return re.sub(r"\d", "", name)


def _numbers_or_error(values: pl.Series, column: str, file: Path) -> None:
    """Let numbers pass; else say what stands there, and in which row first."""
    kind = values.dtype
    if kind.is_numeric() or kind == pl.Null:
        return
    where = f"column {column!r} of {file.name} holds"
    if kind.is_temporal():
        message = (
            f"{where} dates; expected numbers. Days, weeks or sessions since the start are "
            "numbers, dates are none."
        )
        raise SourceError(message)
    if kind != pl.String:
        raise SourceError(f"{where} {kind}; expected numbers")
    is_text = values.is_not_null() & values.cast(pl.Float64, strict=False).is_null()
    first = is_text.arg_max()
    if not is_text.any() or first is None:
        message = (
            f"{where} text; expected numbers: numbers are stored as text; store them as numbers"
        )
        raise SourceError(message)
    message = (
        f"{where} text; expected numbers: text in {counted(int(is_text.sum()), 'row')}, first in "
        f"row {first + 1} after the header; correct it (a decimal comma?), or leave the cell empty"
    )
    raise SourceError(message)
