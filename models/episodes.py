"""When did a flag begin and end? Unbroken spells of a condition, as one row each."""

from __future__ import annotations

import polars as pl


def episodes(conditions: pl.DataFrame) -> pl.DataFrame:
    """Return the spells in which a condition held.

    Parameters
    ----------
    conditions
        One row a case, kind and occasion in which it was looked at: `case_id, kind, series,
        measure_id, occasion, day, holds`. `series` tells apart what is followed within a kind.

    Returns
    -------
    `case_id, kind, measure_id` (of the first occasion), `opened_occasion, opened_day,
    closed_occasion, closed_day` (the first occasion without it; null while it lasts).

    >>> conditions = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 4,
    ...         "kind": ["stuck"] * 4,
    ...         "series": ["case"] * 4,
    ...         "measure_id": ["phq9"] * 4,
    ...         "occasion": [5, 6, 7, 8],
    ...         "day": [35, 42, 49, 56],
    ...         "holds": [False, True, True, False],
    ...     }
    ... )
    >>> episodes(conditions).select("opened_occasion", "closed_occasion").rows()
    [(6, 8)]
    """
    group = ["case_id", "kind", "series"]
    ordered = conditions.sort(*group, "occasion").with_columns(
        changes=(pl.col("holds") != pl.col("holds").shift(1).over(group)).fill_null(value=True)
    )
    spells = (
        ordered.with_columns(spell=pl.col("changes").cum_sum().over(group))
        .group_by(*group, "spell", maintain_order=True)
        .agg(
            pl.col("holds").first(),
            pl.col("measure_id").first(),
            opened_occasion=pl.col("occasion").first(),
            opened_day=pl.col("day").first(),
        )
        .with_columns(
            closed_occasion=pl.col("opened_occasion").shift(-1).over(group),
            closed_day=pl.col("opened_day").shift(-1).over(group),
        )
    )
    return spells.filter("holds").drop("holds", "spell", "series")
