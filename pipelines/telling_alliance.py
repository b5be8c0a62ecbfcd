"""Look at alliance ratings in a file; tell what they show as text or JSON.

The file is looked at and left as it is: nothing lands, nothing is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_contracts.errors import ContractError, SourceError, nearest
from data_contracts.measure import TOTAL, Measure
from data_contracts.measures import built_in_measures, measures_for
from data_contracts.places import Places
from data_contracts.rule import status_rule
from data_contracts.settings import settings_of
from models.alliance import alliance_points, client_totals
from models.alliance_patterns import alliance_patterns
from models.course_events import alliance_events
from pipelines.reading_columns import each_its_own, read_columns
from pipelines.telling_flags import counted
from pipelines.telling_rules import existing_home

FLAGS = {
    "is_dropped": "alliance fell",
    "is_low": "alliance low",
    "is_ceiling": "alliance at the top",
}
RATERS = ("client", "clinician", "therapist")
"""Who rates an alliance, in small or capital letters; others are set aside."""
CAVEAT = (
    "Reasons to talk, no judgement of anybody. At the top is a flag only where the outcome does "
    "not move; the night looks at both."
)


@dataclass(frozen=True, kw_only=True)
class AllianceRatings:
    """What was found in a file."""

    measure: Measure
    rule_version: str
    points: pl.DataFrame
    """One row a client's total, as `alliance_points` returns them."""
    events: pl.DataFrame
    """Patterns, as `alliance_events` returns them."""
    set_aside: dict[str, int]
    """Rows that could not be used, by reason."""


def alliance_of(
    file: Path, measure_id: str, *, columns: Mapping[str, str], home: Path | None
) -> AllianceRatings:
    """Return what the ratings of a file show.

    Raises
    ------
    SourceError
        If the file or a column cannot be read, or a key stands there twice.
    ContractError
        If there is no such alliance measure.
    """
    places = None if home is None else Places.at(existing_home(home))
    measures = built_in_measures() if places is None else measures_for(places.measures)
    measure = _alliance_measure(measures, measure_id)
    rule = status_rule(None if places is None else settings_of(places).rule)
    each_its_own(columns, file)
    sent = read_columns(
        file, columns, texts=("case_id", "subscale", "rater"), numbers=("time", "score")
    )
    usable, set_aside = _usable(_complete(sent, measure), measure)
    twice = usable.height - usable.n_unique(["case_id", "at", "subscale", "rater"])
    if twice:
        repeat = "repeats" if twice == 1 else "repeat"
        message = (
            f"{counted(twice, 'row')} of {file.name} {repeat} a case, time, part and rater: "
            "which holds?"
        )
        raise SourceError(message)
    totals = client_totals(usable, measure)
    return AllianceRatings(
        measure=measure,
        rule_version=rule.version,
        points=alliance_points(totals, measure, rule.thresholds),
        events=alliance_events(
            alliance_patterns(usable, measure, rule.thresholds), measure, rule.thresholds
        ),
        set_aside=set_aside,
    )


def _alliance_measure(measures: Mapping[str, Measure], measure_id: str) -> Measure:
    known = [name for name, measure in measures.items() if measure.alliance]
    if measure_id not in known:
        message = (
            f"{measure_id!r} is no alliance measure{nearest(measure_id, known)}; "
            f"--measure is one of {', '.join(known)}"
        )
        raise ContractError(message)
    return measures[measure_id]


def _complete(sent: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    columns = sent.columns
    return sent.select(
        pl.col("case_id").cast(pl.String),
        at=pl.col("time"),
        session=pl.col("time"),
        day=pl.lit(None, dtype=pl.Int64),
        subscale="subscale" if "subscale" in columns else pl.lit(TOTAL),
        rater=pl.col("rater").str.strip_chars().str.to_lowercase()
        if "rater" in columns
        else pl.lit(measure.rater),
        value=pl.col("score").cast(pl.Float64),
    )


def _usable(rows: pl.DataFrame, measure: Measure) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows that can be used, whole times as integers, and the others by reason."""
    parts = pl.DataFrame(
        [(name, *measure.score_range(name)) for name in (TOTAL, *_subscales(measure))],
        schema={"subscale": pl.String, "lowest": pl.Float64, "highest": pl.Float64},
        orient="row",
    )
    known = rows.join(parts, on="subscale", how="left", maintain_order="left").with_columns(
        reason=pl.when(pl.col("case_id").is_null()).then(pl.lit("no case"))
        .when(pl.col("at").is_null()).then(pl.lit("no time"))
        .when(pl.col("at").cast(pl.Float64) % 1 != 0).then(pl.lit("time not whole"))
        .when(pl.col("value").is_null() | pl.col("value").is_nan()).then(pl.lit("no rating"))
        .when(~pl.col("rater").is_in(RATERS).fill_null(value=False)).then(pl.lit("unknown rater"))
        .when(pl.col("lowest").is_null()).then(pl.lit("unknown part of the measure"))
        .when(~pl.col("value").is_between("lowest", "highest"))
        .then(pl.lit("outside the range of the measure")),
    )  # fmt: skip
    refused = known["reason"].drop_nulls().value_counts().sort("reason")
    usable = (
        known.filter(pl.col("reason").is_null())
        .drop("reason", "lowest", "highest")
        .with_columns(pl.col("at", "session").cast(pl.Int64))
    )
    return usable, dict(refused.rows())


def _subscales(measure: Measure) -> tuple[str, ...]:
    return tuple(part.subscale for part in measure.subscales)


def alliance_as_json(found: AllianceRatings) -> str:
    """Return one object: ratings with the client's limits, patterns, rows set aside."""
    return json.dumps(
        {
            "measure": found.measure.measure_id,
            "rule_version": found.rule_version,
            "ratings": found.points.drop("measure_id", "at", "day").to_dicts(),
            "patterns": found.events.select(
                "case_id", "kind", "session", "until_occasion", "sentence"
            ).to_dicts(),
            "set_aside": found.set_aside,
            "caveat": CAVEAT,
        },
        indent=1,
    )


def alliance_as_text(found: AllianceRatings) -> str:
    """Return a line a case with something to say, then the patterns and the counts."""
    last = found.points.group_by("case_id", maintain_order=True).last()
    lines = []
    for row in last.iter_rows(named=True):
        said = [words for column, words in FLAGS.items() if row[column]]
        if said:
            lines.append(
                f"{row['case_id']}  at {row['session']}: {', '.join(said)} "
                f"({found.measure.name} {row['value']:g})"
            )
    lines += [
        f"{case_id}  from {session}: {sentence}"
        for case_id, session, sentence in found.events.select(
            "case_id", "session", "sentence"
        ).rows()
    ]
    lines.append(
        f"{counted(found.points.height, 'rating')} of {counted(last.height, 'case')} by the "
        f"client, rule {found.rule_version}. {CAVEAT}"
    )
    lines += [
        f"Set aside: {counted(count, 'row')}, {reason}."
        for reason, count in found.set_aside.items()
    ]
    return "\n".join(lines)
