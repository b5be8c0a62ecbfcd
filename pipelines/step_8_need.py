"""Step 8, need: which open cases are worth talking about, and how much does each need it?

In: flags, current_statuses, course_points, outlooks; what the practice's own back-test says of the
status rule and of a number of cases a week; when cases were last reviewed. Out: the temporary
tables `candidates` and `needs`, which the queue is made of. Made anew of every open case in every
night, so that waiting counts.
"""

from __future__ import annotations

import duckdb
import polars as pl

from data_contracts.contract import Table
from data_contracts.errors import UnstuckError
from data_contracts.tables_evidence import EVIDENCE_BUDGET, EVIDENCE_FIGURES, EVIDENCE_LANDMARKS
from data_contracts.tables_judged import FLAG_KINDS
from data_contracts.wording import sentence
from models.case_ends import PRIMARY
from models.need import with_chance, with_need, with_severity
from models.need_words import with_need_words
from pipelines.evidence_tables import rows_of
from pipelines.night import Night
from pipelines.reading_evidence import read_evidence
from pipelines.reading_reviews import on_practice_days, review_days
from pipelines.sql import statement

_STEM = "step_8_need"
_REVIEWED = {"case_id": pl.String, "practice_day": pl.Int64}
_UNREADABLE = (
    "the evidence of the last back-test cannot be read, so the order of the queue does without it: "
    "run 'unstuck train' to make it anew"
)
# What the back-test says of cases with a flag of the status rule, and of those without.
_SHARES = {"ppv": "if_flagged", "bad_if_not_flagged": "if_not_flagged"}


def weigh(night: Night) -> None:
    """Make `candidates`, and `needs`, one row a candidate, with the words for its place."""
    night.make("outlook_lines", _lowest_lines(night))
    night.make("last_reviews", _last_reviews(night))
    night.run(statement(_STEM, "candidates"), kinds=list(FLAG_KINDS))
    inputs = night.frame(statement(_STEM, "need_inputs"), as_of=night.as_of)
    weighed = (
        inputs.pipe(with_chance, _backtested(night))
        .pipe(with_severity, night.measures)
        .pipe(with_need)
        .pipe(with_need_words, night.measures)
    )
    night.make("needs", weighed.with_columns(outlook_words=_outlook_words(weighed)))


def _outlook_words(weighed: pl.DataFrame) -> pl.Series:
    """Return why a case is there that has an outlook and no flag."""
    said = [
        sentence("need", "outlook_only", outlook=text or "") for text in weighed["outlook_sentence"]
    ]
    return pl.Series(said, dtype=pl.String)


def _lowest_lines(night: Night) -> pl.DataFrame:
    """Return `measure_id, outcome, line`: the chance at which the largest budget takes a case up.

    Cases without a flag come into the queue from there on, so that what the back-test says a number
    of cases a week would catch is there to be caught.
    """
    return (
        _evidence(night, EVIDENCE_BUDGET)
        .filter(pl.col("outcome") == PRIMARY)
        .group_by("measure_id", "outcome")
        .agg(line=pl.col("threshold").min())
        .drop_nulls()
        .sort("measure_id", "outcome")
    )


def _backtested(night: Night) -> pl.DataFrame:
    """Return `measure_id, outcome, occasion, if_flagged, if_not_flagged` of the status rule."""
    occasions = _evidence(night, EVIDENCE_LANDMARKS).filter(pl.col("kind") == "occasion")
    figures = _evidence(night, EVIDENCE_FIGURES).filter(pl.col("rule") == "status_rule")
    shares = [
        pl.col("value").filter(pl.col("figure") == figure).first().cast(pl.Float64).alias(name)
        for figure, name in _SHARES.items()
    ]
    return (
        figures.join(occasions, on=["measure_id", "outcome", "landmark"])
        .group_by("measure_id", "outcome", occasion=pl.col("at"))
        .agg(shares)
        .sort("measure_id", "outcome", "occasion")
    )


def _evidence(night: Night, table: Table) -> pl.DataFrame:
    """Return a table of the last back-test; no row where there is none, or it cannot be read."""
    try:
        return read_evidence(night.places, table)
    except (
        UnstuckError,
        duckdb.Error,
        ValueError,
        OSError,
    ):  # whatever is wrong with it, the night goes on
        if _UNREADABLE not in night.warnings:
            night.warnings.append(_UNREADABLE)
        return rows_of(table, [])


def _last_reviews(night: Night) -> pl.DataFrame:
    """Return `case_id, practice_day` of each case's last review that was not undone."""
    try:
        reviews = review_days(night.places, night.settings)
    except UnstuckError as error:
        night.warnings.append(f"{error} Until then the queue counts every case as not talked about")
        return pl.DataFrame(schema=_REVIEWED)
    runs = night.frame("select run_id, as_of, started_at from runs")
    return (
        on_practice_days(reviews, runs)
        .group_by("case_id")
        .agg(pl.col("practice_day").max())
        .drop_nulls()
        .sort("case_id")
        .select(pl.col(name).cast(kind) for name, kind in _REVIEWED.items())
    )
