"""What do single items from 0 to 10, rated now and then, say about where a case may be stuck?

Hope, support, relief, safety behaviour, willingness, flexibility, agreement on the problem, and
people who are not safe. Each is a practice's own open field without norms, so every line is chosen
(lenses.toml says which); only the client's own ratings are compared.
"""

from __future__ import annotations

import polars as pl

from data_contracts.lenses import LensRow, lens_row
from data_contracts.measure import TOTAL
from models.lens_findings import findings, strength, when
from models.lens_inputs import LensInputs
from models.reasons import number_text

_SHORT, _LONG = 2, 3  # ratings that are averaged (chosen)
_OVER = {
    1: "in the only rating so far",
    2: "in the last two ratings",
    3: "in the last three ratings",
}


def item_findings(inputs: LensInputs) -> pl.DataFrame:
    """Return the findings of every row that rests on a single item.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.lens_inputs import lens_inputs
    >>> rated = {"case_id": "c1", "measure_id": "expectation", "subscale": "total",
    ...          "rater": "client"}
    >>> points = [
    ...     rated | {"occasion": place, "session": 2 * place + 1, "value": value}
    ...     for place, value in enumerate([7.0, 6.0, 4.0])
    ... ]
    >>> inputs = lens_inputs(built_in_measures(), status_rule().thresholds, points=points)
    >>> found = item_findings(inputs)
    >>> found.filter(strength="moderate").select("row_id", "sentence").rows()
    [('hope', 'Outcome expectation fell from 7 (session 1) to 5 of 10 in the last two ratings.')]
    """
    levels = item_levels(inputs)
    return pl.concat(
        [
            _unsafe(levels),
            _low_or_fallen(lens_row("hope"), _of(levels, "expectation")),
            _low_or_fallen(lens_row("bearing_discomfort"), _of(levels, "willingness")),
            _low_or_fallen(lens_row("support"), _of(levels, "support")),
            _relief(inputs, _of(levels, "relief")),
            _safety_behaviour(_of(levels, "safety_behaviour")),
            _flexibility(_of(levels, "flexibility")),
            _problem(inputs),
            _enough_points(inputs),
        ]
    )


def item_levels(inputs: LensInputs) -> pl.DataFrame:
    """Return what each process item looks like: one row a case and item, by the contract's rater.

    Returns
    -------
    `case_id, measure_id, ratings` (count), `first, last`, `short, long` (mean of the last two, and
    of the last three), `first_when, last_when`.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.lens_inputs import lens_inputs
    >>> rated = {"case_id": "c1", "measure_id": "expectation", "subscale": "total",
    ...          "rater": "client"}
    >>> points = [
    ...     rated | {"occasion": place, "session": 2 * place + 1, "value": value}
    ...     for place, value in enumerate([7.0, 6.0, 4.0])
    ... ]
    >>> inputs = lens_inputs(built_in_measures(), status_rule().thresholds, points=points)
    >>> item_levels(inputs).select("measure_id", "ratings", "first", "last").rows()
    [('expectation', 3, 7.0, 4.0)]
    """
    raters = {
        name: measure.rater
        for name, measure in inputs.measures.items()
        if measure.role == "process"
    }
    own = inputs.points.filter(
        (pl.col("subscale") == TOTAL)
        & (pl.col("rater") == pl.col("measure_id").replace_strict(raters, default=None))
    ).sort("case_id", "measure_id", "occasion")
    value = pl.col("value")
    return (
        own.with_columns(moment=when())
        .group_by("case_id", "measure_id", maintain_order=True)
        .agg(
            ratings=pl.len().cast(pl.Int64),
            first=value.first(),
            last=value.last(),
            short=value.tail(_SHORT).mean(),
            long=value.tail(_LONG).mean(),
            first_when=pl.col("moment").first(),
            last_when=pl.col("moment").last(),
        )
    )


def _of(levels: pl.DataFrame, measure_id: str) -> pl.DataFrame:
    return levels.filter(pl.col("measure_id") == measure_id)


def _words(rows: pl.DataFrame, level: str, ratings: int) -> pl.DataFrame:
    """Write the numbers of an item as text, under the names the sentences use."""
    return rows.select(
        "case_id",
        "strength",
        "first_when",
        "last_when",
        level=number_text(pl.col(level).round(1)),
        first=number_text(pl.col("first")),
        last=number_text(pl.col("last")),
        value=number_text(pl.col("last")),
        over=pl.min_horizontal("ratings", ratings).replace_strict(_OVER, return_dtype=pl.String),
    )


def _low_or_fallen(row: LensRow, item: pl.DataFrame) -> pl.DataFrame:
    """Return an item that is low, or has fallen since the first rating: mean of the last two.

    One rating that says so is a weak sign; low and fallen, or twice what the line asks, a strong
    one.
    """
    is_low = pl.col("short") <= row.line("low_at")
    fall = pl.col("first") - pl.col("short")
    has_fallen = (pl.col("ratings") > _SHORT) & (fall >= row.line("fall"))
    fell_once = (pl.col("ratings") >= _SHORT) & (
        pl.col("first") - pl.col("last") >= row.line("fall")
    )
    is_strong = is_low & has_fallen
    if "strong_fall" in row.thresholds:
        is_strong |= has_fallen & (fall >= row.line("strong_fall"))
    if "strong_at" in row.thresholds:
        is_strong |= (pl.col("ratings") >= _SHORT) & (pl.col("short") <= row.line("strong_at"))
    several = pl.col("ratings") >= _SHORT
    judged = item.with_columns(
        strength(
            moderate=(is_low & several) | has_fallen, strong=is_strong, weak=is_low | fell_once
        ),
        is_low=is_low,
        has_fallen=has_fallen,
    ).filter(pl.col("strength").is_not_null())
    return findings(
        row,
        item,
        low=_words(judged.filter("is_low"), "short", _SHORT),
        fell=_words(judged.filter(~pl.col("is_low") & pl.col("has_fallen")), "short", _SHORT),
        fell_once=_words(judged.filter(~pl.col("is_low") & ~pl.col("has_fallen")), "short", _SHORT),
    )


def _unsafe(levels: pl.DataFrame) -> pl.DataFrame:
    row, item = lens_row("unsafe_people"), _of(levels, "unsafe_people")
    rated = item.with_columns(
        strength(
            moderate=pl.col("last") >= row.line("moderate_at"),
            strong=pl.col("last") >= row.line("strong_at"),
        )
    ).filter(pl.col("strength").is_not_null())
    words = _words(rated, "short", _SHORT).rename({"last_when": "when"})
    return findings(row, item, high=words)


def _relief(inputs: LensInputs, item: pl.DataFrame) -> pl.DataFrame:
    row = lens_row("relief_only")
    enough = item.filter(pl.col("ratings") >= _LONG).join(inputs.judged, on="case_id", how="semi")
    high = enough.filter(pl.col("long") >= row.line("high_at")).join(
        inputs.without_gain, on="case_id", how="semi"
    )
    told = _words(high.with_columns(strength=pl.lit("moderate")), "long", _LONG)
    return findings(row, enough, relief=told)


def _safety_behaviour(item: pl.DataFrame) -> pl.DataFrame:
    row = lens_row("safety_behaviour")
    enough = item.filter(pl.col("ratings") >= _LONG)
    high = enough.filter(
        (pl.col("long") >= row.line("high_at"))
        & (pl.col("first") - pl.col("long") < row.line("fall"))
    )
    told = _words(high.with_columns(strength=pl.lit("moderate")), "long", _LONG)
    return findings(row, enough, high=told)


def _flexibility(item: pl.DataFrame) -> pl.DataFrame:
    row = lens_row("flexibility")
    enough = item.filter(pl.col("ratings") >= _LONG)
    low = enough.filter(
        (pl.col("short") <= row.line("low_at"))
        & (pl.col("short") - pl.col("first") < row.line("rise"))
    )
    told = _words(low.with_columns(strength=pl.lit("moderate")), "short", _SHORT)
    return findings(row, enough, still=told)


def _problem(inputs: LensInputs) -> pl.DataFrame:
    """Return how far the two raters' last ratings of the problem agree, and how high they are.

    A rating counts beside the newest one where both belong to one session, or lie no further apart
    than two scores that the rule averages (`pair_days`).
    """
    row = lens_row("problem_disagreement")
    of_each = (
        inputs.points.filter(
            (pl.col("measure_id") == "problem_agreement") & (pl.col("subscale") == TOTAL)
        )
        .sort("case_id", "rater", "occasion")
        .group_by("case_id", "rater", maintain_order=True)
        .last()
        .sort("case_id", pl.coalesce("day", "at"), maintain_order=True)
    )
    newest = {name: pl.col(name).last().over("case_id") for name in ("session", "day")}
    is_near = (pl.col("session") == newest["session"]) | (
        newest["day"] - pl.col("day") <= inputs.thresholds.pair_days
    )
    is_newest = pl.int_range(pl.len()).over("case_id") == pl.len().over("case_id") - 1
    last = (
        of_each.filter(is_newest | is_near.fill_null(value=False))
        .group_by("case_id")
        .agg(
            rating=pl.col("value").filter(pl.col("rater") == "client").last(),
            other_rating=pl.col("value").filter(pl.col("rater") == "clinician").last(),
        )
    )
    apart = (pl.col("rating") - pl.col("other_rating")).abs() >= row.line("apart_from")
    lowest = pl.min_horizontal("rating", "other_rating")
    both = [number_text(pl.col(name)).alias(name) for name in ("rating", "other_rating")]
    moderate = pl.lit("moderate").alias("strength")
    is_apart = apart.fill_null(value=False)
    return findings(
        row,
        last,
        apart=last.filter(is_apart).with_columns(*both, moderate),
        low=last.filter(~is_apart & (lowest <= row.line("low_at")))
        .with_columns(rating=lowest)
        .with_columns(number_text(pl.col("rating")).alias("rating"), moderate),
    )


def _enough_points(inputs: LensInputs) -> pl.DataFrame:
    """Say of which item there are ratings enough to ask what moves with the outcome."""
    row = lens_row("own_processes")
    names = {
        name: measure.name for name, measure in inputs.measures.items() if measure.role == "process"
    }
    counted = item_levels(inputs).filter(pl.col("ratings") >= row.line("points"))
    most = counted.sort("case_id", "ratings", "measure_id", descending=[False, True, False]).unique(
        "case_id", keep="first", maintain_order=True
    )
    return findings(
        row,
        most,
        enough=most.select(
            "case_id",
            strength=pl.lit(None, dtype=pl.String),
            ratings=pl.col("ratings").cast(pl.String),
            name=pl.col("measure_id").replace_strict(names, return_dtype=pl.String),
        ),
    )
