"""Which past and open cases does a caller of `unstuck similar` mean? One file read into two frames.

A row that cannot be used is counted with its reason and left out; a case whose rows contradict one
another too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_contracts.errors import SourceError
from pipelines.reading_columns import read_columns
from pipelines.telling_flags import counted

ROW_REASONS = {
    "no_case": "the case is missing",
    "no_time": "the time is missing, or neither a number nor a date",
    "no_score": "the score is missing or no number",
    "same_time": "the case has another score at the same time: which one counts?",
    "contradicting_case": "rows of one case differ in what a case has once (end, client, feature)",
}
DAYS = ("ended_on", "known_on")


@dataclass(frozen=True, kw_only=True)
class SimilarInput:
    """What a file holds."""

    cases: pl.DataFrame
    """`case_id, ended_on`, features, and `client_id` where given."""
    scores: pl.DataFrame
    """`case_id, occasion, score`, and `known_on` where given."""
    rows: int
    not_used: dict[str, int]
    """Rows by reason."""


def read_similar(
    file: Path,
    *,
    case: str,
    time: str,
    score: str,
    ended_on: str,
    known_on: str | None = None,
    client: str | None = None,
    features: Sequence[str] = (),
) -> SimilarInput:
    """Read one row a score; what a case has once may stand in every row or in some.

    Occasions are the count of a case's scores in the order of `time`; 0 is the first.

    Raises
    ------
    SourceError
        If file or columns are missing, or a day is neither a number nor a date.
    """
    names = {"case_id": case, "time": time, "score": score, "ended_on": ended_on}
    names |= {"known_on": known_on} if known_on else {}
    names |= {"client_id": client} if client else {}
    names |= {f"feature {name}": name for name in features}
    read = read_columns(file, names, texts=names, numbers=())
    days = {name: _days(read[name], names[name]) for name in DAYS if name in names}
    read = read.with_columns(
        pl.col("case_id").cast(pl.String),
        pl.col("score").cast(pl.Float64, strict=False),
        _in_order(read["time"]).alias("time"),
        *(values.alias(name) for name, values in days.items()),
        *(pl.col(f"feature {name}").cast(pl.Float64, strict=False) for name in features),
    )
    once = [name for name in read.columns if name in ("ended_on", "client_id")]
    once += [f"feature {name}" for name in features]
    judged = read.with_columns(reason=_reason(once)).with_columns(
        reason=pl.when(
            pl.col("reason").is_null() & pl.struct("case_id", "time", "reason").is_duplicated()
        )
        .then(pl.lit("same_time"))
        .otherwise("reason")
    )
    used = judged.filter(pl.col("reason").is_null()).sort("case_id", "time")
    counted = dict(judged["reason"].drop_nulls().value_counts().iter_rows())
    # What a case has once may stand in a row whose score cannot be used.
    known = judged.filter(pl.col("case_id").is_in(used["case_id"].unique().to_list()))
    cases = known.group_by("case_id").agg(pl.col(once).drop_nulls().first()).sort("case_id")
    occasion = pl.int_range(pl.len()).over("case_id")
    return SimilarInput(
        cases=cases.rename({f"feature {name}": name for name in features}),
        scores=used.select(
            "case_id", "score", *(name for name in ("known_on",) if known_on), occasion=occasion
        ),
        rows=read.height,
        not_used={reason: counted[reason] for reason in ROW_REASONS if reason in counted},
    )


def _reason(once: list[str]) -> pl.Expr:
    several = pl.any_horizontal(
        pl.lit(value=False), *(pl.col(name).drop_nulls().n_unique() > 1 for name in once)
    ).over("case_id")
    return (
        pl.when(pl.col("case_id").is_null())
        .then(pl.lit("no_case"))
        .when(several)
        .then(pl.lit("contradicting_case"))
        .when(pl.col("time").is_null())
        .then(pl.lit("no_time"))
        .when(~pl.col("score").is_finite().fill_null(value=False))
        .then(pl.lit("no_score"))
    )


def _in_order(values: pl.Series) -> pl.Series:
    """Return times as numbers, or days since 1970 where they are dates; null where neither."""
    if values.dtype != pl.String:
        return (values.dt.epoch("d") if values.dtype.is_temporal() else values).cast(pl.Float64)
    number = values.cast(pl.Float64, strict=False)
    if number.null_count() == values.null_count():
        return number
    day = values.str.to_date("%Y-%m-%d", strict=False).dt.epoch("d").cast(pl.Float64)
    return day if day.null_count() < number.null_count() else number


def _days(values: pl.Series, column: str) -> pl.Series:
    """Return days as numbers; a date is days since 1970."""
    found = _in_order(values)
    wrong = found.null_count() - values.null_count()
    if wrong:
        message = (
            f"{counted(wrong, 'cell')} of column {column!r} {'is' if wrong == 1 else 'are'} "
            "neither a day's number nor a date (2026-01-31); leave it empty where there is none"
        )
        raise SourceError(message)
    return found.floor().cast(pl.Int64)
