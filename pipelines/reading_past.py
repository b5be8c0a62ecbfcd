"""Which past cases does a warehouse hold, with what was known of them and how they ended?

In: the tables of an open warehouse up to step 5 (courses, course_points, sessions, cases). Out:
`PastCases`. The rows are those the status rule judges, and the ends those the trends count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import duckdb
import polars as pl

from data_contracts.measure import Measure
from models.alliance import client_totals
from models.past_cases import PastCases
from pipelines.sql import statement

_STEM = "reading_past"
DROP_OUT_CODES = ("dropped_out", "drop_out", "dropout")
"""Kinds of end that mean dropping out; the settings add the practice's own."""
WithoutEnds = Literal["open", "ended"]


def measures_with_a_past(
    connection: duckdb.DuckDBPyConnection, measures: Mapping[str, Measure]
) -> list[tuple[str, int]]:
    """Return outcome measures and how many cases have a score after a baseline, most first."""
    found = connection.sql(statement(_STEM, "measures_with_a_past")).fetchall()
    return sorted(
        (
            (measure_id, cases)
            for measure_id, rater, cases in found
            if measure_id in measures
            and measures[measure_id].role == "outcome"
            and measures[measure_id].rater == rater
        ),
        key=lambda each: (-each[1], each[0]),
    )


def past_cases(
    connection: duckdb.DuckDBPyConnection,
    measure: Measure,
    *,
    measures: Mapping[str, Measure],
    drop_out_codes: Iterable[str] = (),
    without_ends: WithoutEnds | None = None,
    among: str | None = None,
) -> PastCases:
    """Return every case with a score of this measure, open ones too.

    Cases without a usable baseline are among them (`has_baseline` is false). Makes temporary tables
    only, so a connection that may not write will do. `reviewed_on` is null: it is not known here.

    Parameters
    ----------
    measures
        All measures of the practice: alliance ratings come from those whose role is 'alliance'.
    drop_out_codes
        The practice's own codes of an end that mean dropping out, besides the built-in ones. Where
        no end has any of them all, `dropped_out` is null: the practice may have codes we miss.
    without_ends
        What a case counts as where no case at all came with an end. None: 'ended' where no cases
        file ever came (scores alone tell nothing of ends), else 'open' (a practice that just
        began). 'ended': its last score is its end.
    among
        Name of a table of `case_id`: only these. None: all.
    """
    only = "" if among is None else f"semi join {among} using (case_id)"
    _prepare(connection, drop_out_codes)
    points = _frame(connection, "points", only, measure_id=measure.measure_id, rater=measure.rater)
    started = points.filter("has_baseline", occasion=0).select("case_id", started_on="practice_day")
    cases = (
        _frame(connection, "ends_of_courses", only)
        .join(points.select("case_id").unique(), on="case_id", how="semi", maintain_order="left")
        .join(started, on="case_id", how="left", maintain_order="left")
    )
    if _counts_as_ended(connection, without_ends):
        cases = cases.with_columns(is_ended=pl.lit(value=True), ended_on="last_contact_on")
    if not cases["dropped_out"].any():
        cases = cases.with_columns(dropped_out=pl.lit(None, pl.Boolean))
    mine = cases.select("case_id")
    return PastCases.of(
        measure,
        cases.drop("last_contact_on"),
        points,
        sessions=_frame(connection, "sessions", only).join(
            mine, on="case_id", how="semi", maintain_order="left"
        ),
        alliance=_alliance(connection, measures.values(), only).join(
            mine, on="case_id", how="semi", maintain_order="left"
        ),
    )


def says_no_ends(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether not one case came with an end."""
    return not _frame(connection, "ends_sent")["has_ends"].item()


def _prepare(connection: duckdb.DuckDBPyConnection, drop_out_codes: Iterable[str]) -> None:
    """Make what the judgement and the trends make of ends and their codes.

    In a night that has judged already its own facts are used: they stand on the run's day.
    """
    if not connection.sql(statement(_STEM, "case_facts_there")).fetchall()[0][0]:
        last_day = connection.sql(statement(_STEM, "last_day")).fetchall()[0][0]
        connection.execute(statement("step_7_judge", "case_facts"), {"as_of": last_day})
    connection.execute(statement("step_9_summarise", "spelling_of"))
    connection.execute(statement(_STEM, "drop_out_spellings"))
    connection.executemany(
        "insert into drop_out_spellings values (?)",
        [(code,) for code in (*DROP_OUT_CODES, *drop_out_codes)],
    )
    connection.execute(statement("step_9_summarise", "drop_out_codes"))


def _counts_as_ended(
    connection: duckdb.DuckDBPyConnection, without_ends: WithoutEnds | None
) -> bool:
    sent = _frame(connection, "ends_sent").row(0, named=True)
    if sent["has_ends"]:
        return False
    return not sent["has_cases"] if without_ends is None else without_ends == "ended"


def _alliance(
    connection: duckdb.DuckDBPyConnection, measures: Iterable[Measure], only: str
) -> pl.DataFrame:
    """Return every rating of the alliance as a share of its range, 1 the best."""
    found = []
    for measure in measures:
        if measure.alliance is None:
            continue
        ratings = _frame(connection, "alliance_ratings", only, measure_id=measure.measure_id)
        low, high = measure.score_range()
        worst = high if measure.higher_is == "worse" else low
        found.append(
            client_totals(ratings, measure).select(
                "case_id",
                "session",
                "day",
                "value",
                measure_id=pl.lit(measure.measure_id),
                share=(pl.col("value") - worst).abs() / (high - low),
            )
        )
    return pl.concat(found).sort("case_id", "measure_id", "day", "session")


def _frame(
    connection: duckdb.DuckDBPyConnection, name: str, only: str = "", **parameters: object
) -> pl.DataFrame:
    return connection.sql(statement(_STEM, name, only=only), params=parameters or None).pl()
