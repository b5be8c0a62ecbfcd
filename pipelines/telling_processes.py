"""Ask what moves with the outcome for each client of a file; tell it as text or JSON.

The file is looked at and left as it is: nothing lands, nothing is kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.errors import SourceError
from models.process_pooling import PooledLink, TooFewPersonsError, own_links, pooled_link
from models.processes import REASONS, Lag, process_links
from pipelines.reading_columns import each_its_own, moments, read_columns
from pipelines.telling_flags import counted

CAVEAT = (
    "What moved together in a client's own days, in standard deviations; never what leads to what: "
    "a third thing may move both. By chance alone about 1 interval in 20 lies apart from zero. "
    "A reason to ask the client, not a finding about them."
)

_OWN = ("own_link", "own_low", "own_high")


@dataclass(frozen=True, kw_only=True)
class ToldProcess:
    """What was found of one process."""

    process: str
    links: pl.DataFrame
    """As `process_links`, with `own_link, own_low, own_high` drawn towards the mean; or null."""
    pooled: PooledLink | None
    """None: too few clients."""


@dataclass(frozen=True, kw_only=True)
class ToldProcesses:
    """What was found in a file."""

    outcome: str
    lag: Lag
    found: tuple[ToldProcess, ...]
    rows_without_case: int


def processes_of(
    file: Path, *, outcome: str, processes: Sequence[str], case: str, time: str, lag: Lag
) -> ToldProcesses:
    """Return the links in a file.

    Raises
    ------
    SourceError
        If the file or a column cannot be read, a time is not whole, or a case has a time twice.
    """
    columns = {"case_id": case, "at": time, "outcome": outcome}
    named = {f"process_{place}": name for place, name in enumerate(processes)}
    each_its_own(columns | named, file)
    sent = read_columns(file, columns | named, numbers=("outcome", *named))
    known = sent.filter(pl.col("case_id").is_not_null())
    known = known.with_columns(at=_steps(moments(known["at"], time, file), time, file))
    twice = known.height - known.n_unique(["case_id", "at"])
    if twice:
        message = (
            f"{file.name}, column {time!r}: {counted(twice, 'row')} with the case and time of "
            "another: leave one row a case and day, such as the mean of the day"
        )
        raise SourceError(message)
    return ToldProcesses(
        outcome=outcome,
        lag=lag,
        found=tuple(_told(known, ours, theirs, lag) for ours, theirs in named.items()),
        rows_without_case=sent.height - known.height,
    )


def _steps(times: pl.Series, column: str, file: Path) -> pl.Series:
    if times.dtype.is_temporal():
        return times.cast(pl.Date).cast(pl.Int32).cast(pl.Int64)
    if (times.cast(pl.Float64) % 1 != 0).any():
        message = (
            f"column {column!r} of {file.name} holds parts of a day: give whole days or weeks, "
            "one row each"
        )
        raise SourceError(message)
    return times.cast(pl.Int64)


def _told(rows: pl.DataFrame, ours: str, theirs: str, lag: Lag) -> ToldProcess:
    points = rows.select("case_id", "at", "outcome", process=ours)
    links = process_links(points, lag=lag)
    sure = links.drop_nulls("link")
    try:
        pooled = pooled_link(sure["link"], sure["standard_error"])
    except TooFewPersonsError:
        nothing = (pl.lit(None, pl.Float64).alias(name) for name in _OWN)
        return ToldProcess(process=theirs, links=links.with_columns(nothing), pooled=None)
    drawn = own_links(sure["link"], sure["standard_error"], pooled)
    columns = zip(_OWN, (drawn.link, drawn.low, drawn.high), strict=True)
    own = sure.select("case_id", **{name: pl.Series(values) for name, values in columns})
    joined = links.join(own, on="case_id", how="left", maintain_order="left")
    return ToldProcess(process=theirs, links=joined, pooled=pooled)


def processes_as_json(told: ToldProcesses) -> str:
    """Return one object: a list of processes, each with its clients and what they share."""
    return json.dumps(
        {
            "outcome": told.outcome,
            "lag": told.lag,
            "processes": [
                {
                    "process": each.process,
                    "pooled": None if each.pooled is None else asdict(each.pooled),
                    "clients": each.links.to_dicts(),
                }
                for each in told.found
            ],
            "rows_without_case": told.rows_without_case,
            "caveat": CAVEAT,
        },
        indent=1,
        allow_nan=False,
    )


def processes_as_text(told: ToldProcesses) -> str:
    """Return for every process a line a client, then what the clients share."""
    lines = []
    for each in told.found:
        when = " one step before" if told.lag else ""
        lines.append(f"{told.outcome} with {each.process}{when}")
        sure = each.links.drop_nulls("link")
        lines += [_line(row, told.outcome, each.process) for row in sure.iter_rows(named=True)]
        lines += _shared(each, sure)
        lines += [
            f"  {counted(count, 'client')} without an answer: {REASONS[reason]}."
            for reason, count in each.links["reason"]
            .drop_nulls()
            .value_counts()
            .sort("reason")
            .rows()
        ]
    if told.rows_without_case:
        lines.append(f"Set aside: {counted(told.rows_without_case, 'row')} without a case.")
    return "\n".join([*lines, CAVEAT])


def _line(row: dict[str, Any], outcome: str, process: str) -> str:
    said = f"95 % {_signed(row['low'])} to {_signed(row['high'])}, {row['point_count']} pairs"
    own = (
        ""
        if row["own_link"] is None
        else f"; drawn towards all {_signed(row['own_link'])} "
        f"({_signed(row['own_low'])} to {_signed(row['own_high'])})"
    )
    if row["low"] > 0 or row["high"] < 0:
        link = f"one SD more {process} went with {_signed(row['link'])} SD of {outcome}"
    else:
        link = f"no clear link, {_signed(row['link'])}"
    return f"  {row['case_id']}: for this client {link} ({said}){own}"


def _signed(value: float) -> str:
    shown = f"{value:+.2f}"
    return "0.00" if shown[1:] == "0.00" else shown


def _shared(each: ToldProcess, sure: pl.DataFrame) -> list[str]:
    apart = sure.filter((pl.col("low") > 0) | (pl.col("high") < 0))
    rising = apart.filter(pl.col("link") > 0).height
    counts = (
        f"  {counted(sure.height, 'client')} with an estimate: {rising} clearly above zero, "
        f"{apart.height - rising} clearly below, {sure.height - apart.height} not clear."
    )
    if each.pooled is None:
        return [counts, "  Too few clients to say what they share."]
    found = each.pooled
    return [
        counts,
        f"  On average {_signed(found.mean)} (95 % {_signed(found.low)} to {_signed(found.high)}). "
        f"Clients differ by SD {found.tau2**0.5:.2f} (95 % {found.tau2_low**0.5:.2f} to "
        f"{found.tau2_high**0.5:.2f}), I2 {found.i2:.0%}; a further client's link lies between "
        f"{_signed(found.prediction_low)} and {_signed(found.prediction_high)} (95 %).",
    ]
