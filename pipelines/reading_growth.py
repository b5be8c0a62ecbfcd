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

from data_contracts.errors import SourceError
from pipelines.reading_columns import read_columns
from pipelines.telling_flags import counted

REASONS = {
    "no_case": "have no case",
    "no_time": "have no time",
    "no_score": "have no score",
    "no_baseline": "have no baseline",
    "no_therapist": "have no therapist",
    "repeated": "repeat another row",
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
        If the file cannot be read, a column is missing or repeated, one of numbers holds others, or
        a case has two scores at one time.
    """
    wanted = columns.all
    if len(set(wanted.values())) < len(wanted):
        raise SourceError(f"{_and(list(wanted))} must be {len(wanted)} different columns")
    frame = read_columns(
        file, wanted, texts=("case", "therapist"), numbers=tuple(columns.numbers)
    )  # fmt: skip
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
            f"{file.name} has {counted(frame.height, 'row')} and none has "
            f"{_and(list(columns.all.values()))} all filled in: nothing to fit"
        )
    once = rows if _is_in_order(rows) else _without_repeats(rows, columns, file)
    set_aside["repeated"] = rows.height - once.height
    return GrowthRows(
        case=_whole_numbers(once["case"]),
        time=once["time"].to_numpy(),
        score=once["score"].to_numpy(),
        baseline=once["baseline"].to_numpy(),
        therapist=_whole_numbers(once["therapist"]) if columns.therapist is not None else None,
        row_count=frame.height,
        set_aside={reason: count for reason, count in set_aside.items() if count},
    )


def _is_in_order(rows: pl.DataFrame) -> bool:
    """Return whether rows stand by case and time: then none repeats another. Quick."""
    case, time = rows["case"], rows["time"].to_numpy()
    codes = case.to_numpy() if case.dtype.is_integer() else None
    if codes is None:
        is_new = (case != case.shift()).fill_null(value=True)
        if not case.filter(is_new).is_unique().all():
            return False
        is_first = is_new.to_numpy()[1:]
    elif (codes[1:] < codes[:-1]).any():
        return False
    else:
        is_first = codes[1:] != codes[:-1]
    return bool((is_first | (time[1:] > time[:-1])).all())


def _without_repeats(rows: pl.DataFrame, columns: Columns, file: Path) -> pl.DataFrame:
    """Return each row once; a case with two scores at one time is refused: which one counts?"""
    if rows.n_unique(["case", "time"]) == rows.height:
        return rows
    once = rows.unique(maintain_order=True)
    scores = once.select("case", "time", "score").unique()
    twice = scores.height - scores.n_unique(["case", "time"])
    if twice:
        raise SourceError(
            f"{file.name}: {counted(twice, 'row')} with the case and time of another and a "
            f"different score (column {columns.score!r}): which one counts?"
        )
    return once


def _is_missing(frame: pl.DataFrame, name: str) -> pl.Series:
    values = frame[name]
    if values.dtype.is_float():
        return ~values.is_finite().fill_null(value=False)
    return values.is_null()


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
