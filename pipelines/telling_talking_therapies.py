"""Tell England's official outcomes: those of a file, and those a night published.

The file is looked at and left as it is: nothing lands, nothing is kept. Its figures are the raw
ones, for whoever holds the file; what a night published is suppressed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.errors import SourceError
from data_contracts.measures import built_in_measures
from data_contracts.talking_therapies import talking_therapies_rule
from data_contracts.talking_therapies_words import (
    FIGURES_IN_ORDER,
    SECTION,
    figure_title,
    rule_in_words,
    share_with_counts,
)
from data_contracts.wording import sentence
from models.suppression import wilson
from models.talking_therapies import REASONS, talking_therapies_outcomes
from models.talking_therapies_rates import FIGURES, OutcomeCounts, outcome_counts
from pipelines.reading_columns import each_its_own, moments, read_columns
from pipelines.telling_flags import counted

if TYPE_CHECKING:
    from data_contracts.measure import Measure
    from data_contracts.places import Places

CAVEAT = (
    "Counts of this file, not suppressed: they may tell of single people. Before they leave the "
    "practice, hide counts below 5 and round the others."
)
ALL_FINISHED = (
    "No --cases were given: every case was taken for finished, and every problem for one that is "
    "paired with the GAD-7."
)
ROW_REASONS = {
    "no_case": "the case is missing",
    "impossible_score": "the measure has no such score",
}
_TRUE, _FALSE = {"true", "yes", "y", "1"}, {"false", "no", "n", "0"}


@dataclass(frozen=True, kw_only=True)
class FileOutcomes:
    """The outcomes of a file's cases and what must be said with them."""

    outcomes: pl.DataFrame
    counts: OutcomeCounts
    passed_over: dict[str, int]
    """rows of measures the rule does not use, by measure_id; of those nobody knows, 'unknown'"""
    set_aside: dict[str, int]
    """rows that could not be used, by key of `ROW_REASONS`"""
    remarks: tuple[str, ...]


def outcomes_of(file: Path, cases_file: Path | None, *, columns: Mapping[str, str]) -> FileOutcomes:
    """Judge the cases of a file.

    Parameters
    ----------
    file
        CSV or Parquet, one row a score.
    cases_file
        CSV or Parquet, one row a case; None: every case is taken for finished.
    columns
        Names of the columns, by ours: `case`, `time`, `measure`, `score`, and of the cases `case`,
        `problem`, `sessions`, `ended`.

    Raises
    ------
    SourceError
        If a file or a column cannot be read; the message holds no value of it.
    """
    rule = talking_therapies_rule()
    sent = _read(file, columns, texts=("case", "measure"), others=("time", "score"))
    read = sent.filter(pl.col("case").is_not_null())
    known = built_in_measures()
    spelled = {_plain(each): name for name in known for each in (name, known[name].name)}
    scores = read.select(
        case_id="case",
        measure_id=pl.col("measure").map_elements(
            lambda name: spelled.get(_plain(name)), return_dtype=pl.String
        ),
        time=moments(read["time"], columns["time"], file),
        value=pl.col("score").cast(pl.Float64),
    )
    is_used = pl.col("measure_id").is_in(list(rule.thresholds)).fill_null(value=False)
    unused = scores.filter(~is_used)["measure_id"].fill_null("unknown")
    scores, impossible = _possible(scores, known)
    named = _all_finished(scores) if cases_file is None else _cases(cases_file, columns)
    cases = named.filter(pl.col("case_id").is_not_null())
    nowhere = scores.select("case_id").unique().join(cases, on="case_id", how="anti").height
    remarks = [ALL_FINISHED] if cases_file is None else []
    if nameless := named.height - cases.height:
        remarks.append(f"{counted(nameless, 'row')} of --cases without a case: left out.")
    if nowhere:
        have = "has" if nowhere == 1 else "have"
        remarks.append(
            f"{counted(nowhere, 'case')} {have} scores but no row among --cases: left out."
        )
    outcomes = talking_therapies_outcomes(scores, cases, rule)
    set_aside = {"no_case": sent.height - read.height, "impossible_score": impossible}
    return FileOutcomes(
        outcomes=outcomes,
        counts=outcome_counts(outcomes),
        passed_over=dict(unused.value_counts(name="rows").sort("measure_id").iter_rows()),
        set_aside={reason: count for reason, count in set_aside.items() if count},
        remarks=tuple(remarks),
    )


def _possible(scores: pl.DataFrame, known: Mapping[str, Measure]) -> tuple[pl.DataFrame, int]:
    """Return the rows without the scores their measure cannot have, and how many those were.

    The case stays, with no score in its place: what it lacks is then told with its reason.
    """
    ranges = pl.DataFrame(
        [(name, *measure.score_range()) for name, measure in known.items()],
        schema={"measure_id": pl.String, "lowest": pl.Float64, "highest": pl.Float64},
        orient="row",
    )
    placed = scores.join(ranges, on="measure_id", how="left", maintain_order="left")
    is_possible = pl.col("value").is_between("lowest", "highest").fill_null(value=True)
    held = placed.with_columns(value=pl.when(is_possible).then("value"))
    impossible = placed.filter(~is_possible).height
    return held.drop("lowest", "highest"), impossible


def _all_finished(scores: pl.DataFrame) -> pl.DataFrame:
    return scores.select(pl.col("case_id").unique(maintain_order=True)).with_columns(
        problem_code=pl.lit(None, dtype=pl.String),
        is_ended=pl.lit(value=True),
        sessions_attended=pl.lit(talking_therapies_rule().least_sessions),
    )


def _cases(file: Path, columns: Mapping[str, str]) -> pl.DataFrame:
    """Return the cases; a column the caller did not find in the file is an error, never a guess."""
    read = _read(file, columns, texts=("case", "problem", "ended"), others=("sessions",))
    ended = read["ended"].str.strip_chars().str.to_lowercase()
    if not set(ended.drop_nulls()) <= _TRUE | _FALSE:
        message = f"column {columns['ended']!r} of {file.name} holds more than yes and no"
        raise SourceError(message)
    return read.select(
        case_id="case",
        problem_code="problem",
        is_ended=ended.is_in(list(_TRUE)).fill_null(value=False),
        sessions_attended=pl.col("sessions").cast(pl.Float64),
    )


def _read(
    file: Path, columns: Mapping[str, str], *, texts: tuple[str, ...], others: tuple[str, ...]
) -> pl.DataFrame:
    """Read columns by our names for them; each must be a column of its own."""
    needed = {name: columns[name] for name in (*texts, *others)}
    each_its_own(needed, file)
    read = read_columns(file, needed, texts=texts, numbers=("score", "sessions"))
    return read.with_columns(pl.col(texts).cast(pl.String))


def _plain(name: str | None) -> str:
    return "".join(sign for sign in (name or "").casefold() if sign.isalnum())


# --- Telling -------------------------------------------------------------------------------------


def outcomes_as_json(found: FileOutcomes) -> str:
    """Return one object: figures, why some are not among them, every case, and what is recalled."""
    figures = {}
    for figure in FIGURES:
        numerator, denominator, share = found.counts.share(figure)
        low, high = wilson(numerator, denominator)
        figures[figure] = {
            "numerator": numerator,
            "denominator": denominator,
            "share": share,
            "interval_95": [low, high] if denominator else None,
        }
    head = {
        "figures": figures,
        "mixed": found.counts.mixed,
        "no_change": found.counts.no_change,
        "not_computable_by_reason": found.counts.by_reason,
        "pairs_by_anxiety_measure": found.counts.by_measure,
        "rows_passed_over_by_measure": found.passed_over,
        "rows_set_aside": found.set_aside,
        "recalled": list(talking_therapies_rule().recalled),
        "remarks": list(found.remarks),
        "caveat": CAVEAT,
    }
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    parts.append(f'"cases": {found.outcomes.write_json()}')
    return "{" + ",\n ".join(parts) + "}"


def outcomes_as_text(found: FileOutcomes) -> str:
    """Return a line a figure, then who is not computable, and why."""
    lines = [sentence(SECTION, "title")]
    for figure in FIGURES_IN_ORDER:
        numerator, denominator, share = found.counts.share(figure)
        of = sentence(SECTION, f"{figure}.of")
        told = "of nobody" if share is None else f"{share * 100:.1f} %"
        lines.append(f"{figure_title(figure)}: {told} ({numerator} of {denominator} {of})")
    lines += [
        f"{counted(count, 'case')}: {REASONS[reason]}"
        for reason, count in found.counts.by_reason.items()
    ]
    if found.counts.mixed:
        lines.append(
            f"{counted(found.counts.mixed, 'case')}: reliably better on one measure and worse on "
            "the other; neither improved nor deteriorated"
        )
    if found.passed_over:
        told = ", ".join(f"{name} ({rows})" for name, rows in found.passed_over.items())
        lines.append(f"Rows of measures that play no part: {told}")
    lines += [
        f"{counted(count, 'row')} set aside: {ROW_REASONS[reason]}."
        for reason, count in found.set_aside.items()
    ]
    return "\n".join([*lines, *found.remarks, rule_in_words("england")[-1], CAVEAT])


def published_lines(places: Places, preset: str) -> list[str]:
    """Return what the current snapshot says of the whole practice, suppressed as on the screen."""
    import duckdb

    path = str(places.published / places.pointer().aggregates)
    with closing(duckdb.connect(path, read_only=True)) as connection:
        rows = connection.sql(
            "select * from published_talking_therapies where period = 'all' and category = 'all'"
        ).pl()
    by_figure = {row["figure"]: row for row in rows.to_dicts()}
    if not by_figure:
        return []
    told = [
        f"{figure_title(figure).lower()} {share_with_counts(by_figure[figure], preset)}"
        for figure in FIGURES_IN_ORDER[:4]
    ]
    return [f"{sentence(SECTION, 'title')}: {'; '.join(told)}."]
