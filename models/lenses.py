"""Where may one look for what keeps a case stuck, in which order, and what leads?

Safety and missing data first. Then the lenses in the order of the strongest sign each of them has,
ties in the order in which they are asked; within a lens, likewise its rows, but what goes best in
the client's life before what does not. What leads a case is the first row with a sign behind those
two (docs/decisions/0019-order-of-lenses.md). Rows without a sign follow, then questions, then what
nothing was sent for. All are prompts for a talk.
"""

from __future__ import annotations

import polars as pl

from data_contracts.lenses import (
    FIRST_LENSES,
    LENSES_IN_ORDER,
    STRENGTHS_IN_ORDER,
    lens_contract,
    lens_row,
)
from models.lens_findings import findings, when
from models.lens_inputs import LensInputs
from models.lens_signals_alliance import alliance_findings
from models.lens_signals_domains import domain_findings
from models.lens_signals_items import item_findings
from models.lens_signals_sessions import session_findings
from models.reasons import number_text

_NO_SIGN = len(STRENGTHS_IN_ORDER)  # the place of a row without a sign, behind all strengths


def lenses(inputs: LensInputs) -> pl.DataFrame:
    """Return every lens row of every case, in order.

    Returns
    -------
    The columns of `lenses` in the contract, one row a case and lens row. Nothing is used but
    `inputs`: cut to a day, it gives what was to be said on that day.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.lens_inputs import lens_inputs
    >>> inputs = lens_inputs(
    ...     built_in_measures(),
    ...     status_rule().thresholds,
    ...     cases=[{"case_id": "c1", "day": 56, "has_clear_gain": False, "measure_id": "phq9"}],
    ...     homework=[
    ...         {"case_id": "c1", "session": session, "assigned": True, "done_percent": 10.0}
    ...         for session in range(1, 4)
    ...     ],
    ... )
    >>> found = lenses(inputs)
    >>> found.filter("is_leading").select("lens", "strength", "sentence").rows()
    [('action', 'strong', 'Of what was set the last 3 times, 10 % was done on average.')]
    """
    found = pl.concat(
        [
            _safety(inputs),
            alliance_findings(inputs),
            item_findings(inputs),
            session_findings(inputs),
            domain_findings(inputs),
        ]
    ).join(inputs.cases, on="case_id", how="semi")
    return _in_order(_every_row(inputs.cases, _strongest(found)))


def _safety(inputs: LensInputs) -> pl.DataFrame:
    """Return answers to safety items: of an open flag, last above the lowest, or so of late."""
    row = lens_row("safety_item")
    parts = {
        f"{measure.measure_id}/{part.subscale}": part
        for measure in inputs.measures.values()
        for part in measure.subscales
        if part.safety
    }
    answers = (
        inputs.points.with_columns(item=pl.format("{}/{}", "measure_id", "subscale"))
        .filter(pl.col("item").is_in(list(parts)))
        .join(inputs.cases.select("case_id", "safety"), on="case_id")
        .sort("case_id", "item", "occasion")
        .with_columns(
            is_flagged=pl.col("safety").fill_null([]).list.contains(pl.col("item")),
            least=pl.col("item").replace_strict(
                {key: float(part.minimum) for key, part in parts.items()},
                return_dtype=pl.Float64,
            ),
            name=pl.col("item").replace_strict(
                {key: part.name for key, part in parts.items()}, return_dtype=pl.String
            ),
            when=when(),
            place_from_last=pl.int_range(pl.len(), 0, -1).over("case_id", "item"),
        )
        .with_columns(
            is_above=pl.col("value") > pl.col("least"),
            value=number_text(pl.col("value")),
            lowest=number_text(pl.col("least")),
        )
    )
    is_last = pl.col("place_from_last") == 1
    last = answers.filter(is_last)
    above = answers.filter(
        ~pl.col("is_flagged")
        & pl.col("is_above")
        & (pl.col("place_from_last") <= row.line("recent_answers"))
    ).unique(["case_id", "item"], keep="last", maintain_order=True)
    return findings(
        row,
        last,
        flagged=last.filter("is_flagged").with_columns(strength=pl.lit("strong")),
        above=above.filter(is_last).with_columns(strength=pl.lit("moderate")),
        recent=above.filter(~is_last).with_columns(strength=pl.lit("weak")),
    )


def _place(strength: pl.Expr) -> pl.Expr:
    places = {name: place for place, name in enumerate(STRENGTHS_IN_ORDER)}
    return strength.replace_strict(places, default=_NO_SIGN, return_dtype=pl.Int64)


def _strongest(found: pl.DataFrame) -> pl.DataFrame:
    """Keep one finding a case and row: the strongest; of equals the first by its words."""
    return (
        found.with_columns(
            sign_place=_place(pl.col("strength")), is_silent=pl.col("sentence") == ""
        )
        .sort("case_id", "row_id", "sign_place", "is_silent", "sentence")
        .unique(["case_id", "row_id"], keep="first", maintain_order=True)
        .drop("sign_place", "is_silent")
    )


def _every_row(cases: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return all rows of the contract for every case, with what was found."""
    rows = pl.DataFrame(
        [
            (row.id, row.lens, place, row.kind == "question", row.kind == "resource")
            for place, row in enumerate(lens_contract().of_cases)
        ],
        schema={
            "row_id": pl.String,
            "lens": pl.String,
            "row_place": pl.Int64,
            "is_question_only": pl.Boolean,
            "is_resource": pl.Boolean,
        },
        orient="row",
    )
    return (
        cases.select("case_id", "day")
        .join(rows, how="cross")
        .join(found, on=["case_id", "row_id"], how="left")
        .with_columns(
            has_data=pl.col("sentence").is_not_null(),
            sentence=pl.col("sentence").fill_null(""),
            parameters=pl.col("parameters").fill_null("{}"),
        )
    )


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    by_case = "case_id"
    is_first = pl.col("lens").is_in(FIRST_LENSES)
    order = {lens: place for place, lens in enumerate(LENSES_IN_ORDER)}
    placed = rows.with_columns(
        sign_place=_place(pl.col("strength")),
        lens_place=pl.col("lens").replace_strict(order, return_dtype=pl.Int64),
    ).with_columns(
        lens_sign=pl.when(is_first)
        .then(-1)  # before every strength
        .otherwise(pl.col("sign_place").min().over(by_case, "lens")),
    )
    ordered = placed.sort(
        by_case,
        "lens_sign",
        "lens_place",
        ~(pl.col("is_resource") & (pl.col("sentence") != "")),  # what goes best comes first
        "sign_place",
        pl.col("sentence") == "",
        ~pl.col("has_data"),
        "is_question_only",
        "row_place",
    ).with_columns(position=pl.int_range(1, pl.len() + 1).over(by_case))
    can_lead = ~is_first & pl.col("strength").is_not_null()
    return ordered.with_columns(
        is_leading=can_lead & (can_lead.cast(pl.Int64).cum_sum().over(by_case) == 1)
    ).select(
        "case_id",
        "row_id",
        "lens",
        "position",
        "is_leading",
        "strength",
        "has_data",
        "is_question_only",
        "day",
        "sentence",
        "parameters",
    )
