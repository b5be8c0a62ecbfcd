"""Which safety items were answered so that a supervisor should see them first?

The item is shown raw with the practice's own protocol. This is not crisis detection: an item can
be zero in a crisis. It opens at the contract's `flag_from` or more, or when it rises from zero,
and stays until it is zero again. Both lines were chosen by this project.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure


def safety_points(items: pl.DataFrame, measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Return each answer to a safety item with `is_open`, whether it stands before a supervisor.

    Parameters
    ----------
    items
        `case_id, measure_id, subscale, at, session, day, value` of safety items only.

    Returns
    -------
    The same rows by case, item and time, with `occasion` (0-based count of answers) and `is_open`.

    >>> from data_contracts.measures import built_in_measures
    >>> items = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 4,
    ...         "measure_id": ["phq9"] * 4,
    ...         "subscale": ["item_9"] * 4,
    ...         "at": [1, 2, 3, 4],
    ...         "session": [1, 2, 3, 4],
    ...         "day": [0, 7, 14, 21],
    ...         "value": [0.0, 1, 1, 0],
    ...     }
    ... )
    >>> safety_points(items, built_in_measures())["is_open"].to_list()
    [False, True, True, False]
    """
    ordered = items.sort(
        "case_id", "measure_id", "subscale", pl.coalesce("day", "at"), "at"
    ).with_columns(occasion=pl.int_range(pl.len()).over("case_id", "measure_id", "subscale"))
    opened: list[bool] = []
    before: float | None = None
    was_open = False
    for measure_id, subscale, occasion, value in ordered.select(
        "measure_id", "subscale", "occasion", "value"
    ).iter_rows():
        if occasion == 0:
            before, was_open = None, False
        item = next(part for part in measures[measure_id].subscales if part.subscale == subscale)
        rises = item.flag_rise_from_zero and before == 0 and value > 0
        reaches = item.flag_from is not None and value >= item.flag_from
        was_open = bool(reaches or rises or (was_open and value > 0))
        opened.append(was_open)
        before = value
    return ordered.with_columns(is_open=pl.Series(opened, dtype=pl.Boolean))
