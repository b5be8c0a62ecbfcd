"""Which areas of life go well, which stand still, and how near are people, by parts of ORS or WSAS?

What goes best is told first: one builds on it. Which subscale is an area of life stands in
lenses.toml ([domains]); parts are compared as shares of their own range, turned so that more is
better.
"""

from __future__ import annotations

import polars as pl

from data_contracts.lenses import Domains, lens_contract, lens_row
from data_contracts.measure import TOTAL, Measure
from models.lens_findings import FINDING_SCHEMA, findings
from models.lens_inputs import LensInputs
from models.reasons import number_text

_LAST = 2  # ratings that are averaged (chosen)


def domain_findings(inputs: LensInputs) -> pl.DataFrame:
    """Return the findings about areas of life.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.lens_inputs import lens_inputs
    >>> rated = {"case_id": "c1", "measure_id": "ors", "rater": "client", "occasion": 0}
    >>> points = [
    ...     rated | {"subscale": part, "value": value}
    ...     for part, value in (("individual", 3.0), ("interpersonal", 4.0), ("social", 7.0))
    ... ]
    >>> inputs = lens_inputs(built_in_measures(), status_rule().thresholds, points=points)
    >>> domain_findings(inputs).filter(pl.col("sentence") != "").select("row_id", "sentence").rows()
    [('strongest_domain', 'ORS Socially goes best at present (7 of 10).')]
    """
    found = [pl.DataFrame(schema=FINDING_SCHEMA)]
    for measure_id, domains in lens_contract().domains.items():
        measure = inputs.measures.get(measure_id)
        if measure is None:
            continue
        areas = _areas(inputs, measure, domains)
        if areas.height:
            found += [
                _best(areas),
                _people(areas, domains),
                _standing_still(inputs, areas, measure),
            ]
    return pl.concat(found)


def _areas(inputs: LensInputs, measure: Measure, domains: Domains) -> pl.DataFrame:
    """Return one row a case and area: where it stands, and how far it has moved since the start."""
    facts = pl.DataFrame(
        [
            (part.subscale, part.name, float(part.minimum), float(part.maximum))
            for part in measure.subscales
            if part.subscale in domains.parts
        ],
        schema={"subscale": pl.String, "part": pl.String, "low": pl.Float64, "high": pl.Float64},
        orient="row",
    )
    share = (pl.col("value") - pl.col("low")) / (pl.col("high") - pl.col("low"))
    better = share if measure.higher_is == "better" else 1 - share
    return (
        inputs.points.filter(
            (pl.col("measure_id") == measure.measure_id) & (pl.col("rater") == measure.rater)
        )
        .join(facts, on="subscale")
        .sort("case_id", "subscale", "occasion")
        .with_columns(share=better)
        .group_by("case_id", "subscale", maintain_order=True)
        .agg(
            pl.col("part").first(),
            ratings=pl.len(),
            now=pl.col("share").tail(_LAST).mean(),
            before=pl.col("share").first(),
            value=number_text(pl.col("value").tail(_LAST).mean().round(1)),
            most=number_text(pl.col("high").first()),
        )
        .with_columns(
            moved=(pl.col("now") - pl.col("before")).abs(),
            turned=pl.lit("" if measure.higher_is == "better" else ", 0 is best"),
        )
    )


def _best(areas: pl.DataFrame) -> pl.DataFrame:
    """Return the area above all others, where it stands in the better half of its range."""
    row = lens_row("strongest_domain")
    now = pl.col("now").round(6)  # two means that are shown alike are alike
    others = now.rank("max", descending=True).over("case_id")  # 2 for each of two that are equal
    best = areas.filter((others == 1) & (pl.len().over("case_id") > 1)).filter(
        pl.col("now") > row.line("above_share")
    )
    return findings(row, areas, best=best.with_columns(strength=pl.lit(None, dtype=pl.String)))


def _people(areas: pl.DataFrame, domains: Domains) -> pl.DataFrame:
    """Return the area of people near the client, where it is below all others and low."""
    row = lens_row("support")
    now = pl.col("now").round(6)  # two means that are shown alike are alike
    others = now.rank("max").over("case_id")  # 2 for each of two that are equal
    is_lowest = (others == 1) & (pl.len().over("case_id") > 1)
    people = areas.with_columns(is_lowest=is_lowest).filter(
        (pl.col("subscale") == domains.people) & (pl.col("ratings") > _LAST)
    )
    low = people.filter(
        pl.col("is_lowest")
        & (now < row.line("below_share"))
        & (pl.col("moved") < row.line("flat_share"))
    ).with_columns(strength=pl.lit("moderate"))
    return findings(row, people, part=low)


def _standing_still(inputs: LensInputs, areas: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    row = lens_row("domain_flat")
    change = measure.reliable_change_points
    totals = (
        inputs.points.filter(
            (pl.col("measure_id") == measure.measure_id)
            & (pl.col("subscale") == TOTAL)
            & (pl.col("rater") == measure.rater)
        )
        .sort("case_id", "occasion")
        .group_by("case_id", maintain_order=True)
        .agg(gain=pl.col("level_gain").last())
    )
    known = areas.filter(pl.col("ratings") > _LAST).join(totals, on="case_id")
    asked = row.line("gain_share") * change if change is not None else float("inf")
    still = (
        known.filter((pl.col("gain") >= asked) & (pl.col("moved") < row.line("flat_share")))
        .sort("case_id", "now", "subscale")
        .unique("case_id", keep="first", maintain_order=True)
        .with_columns(
            strength=pl.lit("weak"),
            name=pl.lit(measure.name),
            gain=number_text(pl.col("gain").round(1)),
        )
    )
    return findings(row, known, still=still)
