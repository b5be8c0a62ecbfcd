"""Read the rows a growth curve is fitted to; count those that cannot be used, and say why.

The file is looked at and left as it is. Messages hold columns, counts and rows, never a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

from data_contracts.errors import SourceError, nearest

REASONS = {
    "no_case": "have no case",
    "no_time": "have no time",
    "no_score": "have no score",
    "no_baseline": "have no baseline",
    "no_therapist": "have no therapist",
}
"""Why a row is set aside; a row is counted once, under the first that applies. Not-a-number and
infinite count as missing."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of the file are meant."""

    case: str
    time: str
    score: str
    baseline: str
    therapist: str | None = None

    @property
    def numbers(self) -> dict[str, str]:
        """Columns that must be numbers, by what they are."""
        return {"time": self.time, "score": self.score, "baseline": self.baseline}

    @property
    def all(self) -> dict[str, str]:
        """Columns by what they are."""
        told = {"case": self.case, **self.numbers}
        return told if self.therapist is None else {**told, "therapist": self.therapist}


@dataclass(frozen=True, kw_only=True)
class GrowthRows:
    """Rows that can be used, one array entry a score."""

    case: NDArray[Any]
    """Whole numbers that tell cases apart."""
    time: NDArray[Any]
    score: NDArray[Any]
    baseline: NDArray[Any]
    therapist: NDArray[Any] | None
    row_count: int
    """Rows of the file."""
    set_aside: Mapping[str, int]
    """By key of `REASONS`."""


def growth_rows(file: Path, columns: Columns) -> GrowthRows:
    """Read the file.

    Raises
    ------
    SourceError
        If the file cannot be read, a column is missing or repeated, or one of numbers holds others.
    """
    frame = _read(file, columns)
    _numbers_or_error(frame, columns, file)
    missing = {f"no_{name}": _is_missing(frame, name) for name in frame.columns}
    set_aside: dict[str, int] = {}
    if any(bool(each.any()) for each in missing.values()):
        left = pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
        for reason, is_missing in missing.items():
            set_aside[reason] = int((left & is_missing).sum())
            left = left & ~is_missing
        rows = frame.filter(left)
    else:
        rows = frame
    if not rows.height:
        raise SourceError(
            f"{file.name} has {frame.height} rows and none has {_and(list(columns.all.values()))} "
            "all filled in: nothing to fit"
        )
    return GrowthRows(
        case=_whole_numbers(rows["case"]),
        time=rows["time"].to_numpy(),
        score=rows["score"].to_numpy(),
        baseline=rows["baseline"].to_numpy(),
        therapist=_whole_numbers(rows["therapist"]) if columns.therapist is not None else None,
        row_count=frame.height,
        set_aside={reason: count for reason, count in set_aside.items() if count},
    )


def _read(file: Path, columns: Columns) -> pl.DataFrame:
    """Return the columns under the names of what they are."""
    wanted = columns.all
    if len(set(wanted.values())) < len(wanted):
        raise SourceError(f"{_and(list(wanted))} must be {len(wanted)} different columns")
    try:
        if file.suffix.lower() == ".parquet":
            _columns_exist(pl.read_parquet_schema(file), wanted, file)
            frame = pl.read_parquet(file, columns=list(wanted.values()))
        else:
            _columns_exist(pl.scan_csv(file, infer_schema=False).collect_schema(), wanted, file)
            text = [wanted[name] for name in ("case", "therapist") if name in wanted]
            frame = pl.read_csv(
                file,
                columns=list(wanted.values()),
                infer_schema_length=None,
                schema_overrides=dict.fromkeys(text, pl.String),
            )
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"{file} cannot be read as CSV or Parquet: {type(error).__name__}"
        raise SourceError(message) from None
    named = frame.select(pl.col(column).alias(name) for name, column in wanted.items())
    return named.with_columns(pl.selectors.decimal().cast(pl.Float64))


def _columns_exist(schema: Mapping[str, Any], wanted: Mapping[str, str], file: Path) -> None:
    for name, column in wanted.items():
        if column not in schema:
            message = (
                f"{file.name} has no column {column!r}{nearest(column, list(schema))}: "
                f"name the {name}'s column with --{name}"
            )
            raise SourceError(message)


def _numbers_or_error(frame: pl.DataFrame, columns: Columns, file: Path) -> None:
    for name, column in columns.numbers.items():
        kind = frame.schema[name]
        if kind.is_numeric() or kind == pl.Null:
            continue
        where = f"{file.name}, column {column!r}:"
        if kind == pl.String:
            is_text = (
                frame[name].is_not_null() & frame[name].cast(pl.Float64, strict=False).is_null()
            )
            count, first = int(is_text.sum()), is_text.arg_max()
            if count and first is not None:
                message = (
                    f"{where} {count} rows hold text where a number must stand, first in row "
                    f"{first + 1} after the header; correct them, or leave the cell empty"
                )
                raise SourceError(message)
            message = f"{where} numbers are stored as text; store them as numbers"
            raise SourceError(message)
        hint = (
            " Days, weeks or sessions since the start are numbers, dates are none."
            if kind.is_temporal()
            else ""
        )
        raise SourceError(f"{where} holds {kind}, and must hold numbers.{hint}")


def _is_missing(frame: pl.DataFrame, name: str) -> pl.Series:
    values = frame[name]
    if values.dtype.is_float():
        return ~values.is_finite().fill_null(value=False)
    is_missing = values.is_null()
    return (
        is_missing | (values == "").fill_null(value=False)
        if values.dtype == pl.String
        else is_missing
    )


def _whole_numbers(ids: pl.Series) -> NDArray[Any]:
    """Return ids as whole numbers; the same number for the same id."""
    if ids.dtype.is_integer():
        return ids.to_numpy()
    text = ids.cast(pl.String)
    runs = text.rle_id()
    is_first = runs != runs.shift(1, fill_value=2**32 - 1)
    firsts = text.filter(is_first)
    if firsts.n_unique() == len(firsts):
        return runs.to_numpy()
    return text.cast(pl.Categorical).to_physical().to_numpy()


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
