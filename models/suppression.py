"""Which counts of people may be shown of one table, and how exactly?

Small counts are hidden, the others rounded, rates and intervals come from the rounded counts. A
hidden count could be had back from its margins (a total less its other parts), so in every sum
with exactly one hidden member another is hidden too, until no such sum is left. Enough for a table
that stands alone, as the caseload's; trends overlap and go by models/derivable_counts.py.

Sources: OpenSAFELY output policy (hide <= 7, round to 5); England's Talking Therapies (R1) as a
preset; intervals Wilson (1927).
"""

from __future__ import annotations

from collections import defaultdict
from math import sqrt

import polars as pl

from data_contracts.suppression import SuppressionRule

ALL = "all"
_Z_95 = 1.959963984540054

# What every published figure over many cases says of itself, whatever it is grouped by.
FIGURE_NUMBERS: dict[str, type[pl.DataType]] = {
    "numerator": pl.Int64,
    "denominator": pl.Int64,
    "rate": pl.Float64,
    "rate_low": pl.Float64,
    "rate_high": pl.Float64,
    "is_suppressed": pl.Boolean,
}

# (figure, period, site, category); the category "(rest)" is what is left to the denominator,
# "(total)" the denominator itself.
Cell = tuple[str, str, str, str]
REST = "(rest)"
TOTAL = "(total)"


def wilson(numerator: int, denominator: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share (two shares, 0 to 1); (0, 1) for nobody.

    Source: Wilson (1927), without continuity correction.

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    if denominator <= 0:
        return 0.0, 1.0
    share = min(numerator / denominator, 1.0)
    widening = _Z_95**2 / denominator
    centre = (share + widening / 2) / (1 + widening)
    half = _Z_95 * sqrt(share * (1 - share) / denominator + widening / (4 * denominator))
    half /= 1 + widening
    # None of all is an end of its own: computed, it would be off by what a float cannot hold.
    low = 0.0 if numerator <= 0 else centre - half
    high = 1.0 if numerator >= denominator else centre + half
    return low, high


def rounded(count: int, rule: SuppressionRule) -> int:
    """Return a count of people rounded to the nearest multiple the rule names.

    >>> from data_contracts.suppression import suppression_rule
    >>> rounded(13, suppression_rule("default"))
    15
    """
    return rule.round_to * int(count / rule.round_to + 0.5)


def figure_numbers(
    part: int | None, whole: int | None, rule: SuppressionRule
) -> tuple[int | None, int | None, float | None, float | None, float | None, bool]:
    """Return the published numbers of one count over another, in the order of `FIGURE_NUMBERS`.

    Parameters
    ----------
    part, whole
        Raw counts of people; None where it must not be shown.

    >>> from data_contracts.suppression import suppression_rule
    >>> figure_numbers(12, 41, suppression_rule("default"))[:3]
    (10, 40, 0.25)
    >>> figure_numbers(None, 41, suppression_rule("default"))
    (None, 40, None, None, None, True)
    """
    denominator = None if whole is None else rounded(whole, rule)
    if part is None or denominator is None:
        return None, denominator, None, None, None, True
    numerator = min(rounded(part, rule), denominator)
    if not denominator:
        return numerator, denominator, None, None, None, False
    low, high = wilson(numerator, denominator)
    return numerator, denominator, numerator / denominator, low, high, False


def suppress(counts: pl.DataFrame, rule: SuppressionRule) -> pl.DataFrame:
    """Return what may be shown of one table of raw counts.

    Parameters
    ----------
    counts
        `figure, period, site_id, category, numerator, denominator`: raw counts of people (or
        sessions). Within a figure, period 'all' is the sum of the other periods and site 'all'
        of the other sites; categories other than 'all' exclude one another and add up to the
        denominator.

    >>> from data_contracts.suppression import suppression_rule
    >>> counts = pl.DataFrame(
    ...     {
    ...         "figure": ["improved"] * 3,
    ...         "period": ["all"] * 3,
    ...         "site_id": ["all", "north", "south"],
    ...         "category": ["all"] * 3,
    ...         "numerator": [43, 40, 3],
    ...         "denominator": [80, 60, 20],
    ...     }
    ... )
    >>> suppress(counts, suppression_rule("default")).select("site_id", "numerator").rows()
    [('all', 45), ('north', None), ('south', None)]
    """
    cells: dict[Cell, int] = {}
    for figure, period, site, category, numerator, denominator in counts.select(
        "figure", "period", "site_id", "category", "numerator", "denominator"
    ).iter_rows():
        cells[figure, period, site, category] = numerator
        cells[figure, period, site, TOTAL] = denominator
        if category == ALL:
            cells[figure, period, site, REST] = denominator - numerator
    hidden = {cell for cell, count in cells.items() if 0 < count <= rule.hide_up_to}
    _hide_what_sums_give_back(cells, hidden)
    rows = [
        _published(row, cells, hidden, rule)
        for row in counts.select("figure", "period", "site_id", "category").iter_rows()
    ]
    return pl.DataFrame(
        rows,
        schema={
            "figure": pl.String,
            "period": pl.String,
            "site_id": pl.String,
            "category": pl.String,
            **FIGURE_NUMBERS,
        },
        orient="row",
    ).sort("figure", "period", "site_id", "category")


def _sums(cells: dict[Cell, int]) -> list[list[Cell]]:
    """Return every sum among the cells, total first."""
    parts: dict[Cell, list[Cell]] = defaultdict(list)
    for cell in cells:
        figure, period, site, category = cell
        if category != TOTAL:
            parts[figure, period, site, TOTAL].append(cell)
    by_site: dict[Cell, list[Cell]] = defaultdict(list)
    by_period: dict[Cell, list[Cell]] = defaultdict(list)
    for cell in cells:
        figure, period, site, category = cell
        if site != ALL:
            by_site[figure, period, ALL, category].append(cell)
        if period != ALL:
            by_period[figure, ALL, site, category].append(cell)
    return [
        [total, *members]
        for sums in (parts, by_site, by_period)
        for total, members in sums.items()
        if total in cells
    ]


def _hide_what_sums_give_back(cells: dict[Cell, int], hidden: set[Cell]) -> None:
    """Add to `hidden` until every sum has no hidden member, or at least two."""
    sums = _sums(cells)
    changed = True
    while changed:
        changed = False
        for members in sums:
            inside = [cell for cell in members if cell in hidden]
            if len(inside) != 1:
                continue
            open_parts = [cell for cell in members[1:] if cell not in hidden and cells[cell] > 0]
            candidates = open_parts or [cell for cell in members if cell not in hidden]
            if candidates:
                hidden.add(min(candidates, key=lambda cell: (cells[cell], cell)))
                changed = True


def _published(
    row: tuple[str, str, str, str],
    cells: dict[Cell, int],
    hidden: set[Cell],
    rule: SuppressionRule,
) -> tuple[object, ...]:
    figure, period, site, _ = row
    total: Cell = (figure, period, site, TOTAL)
    if total in hidden:
        return (*row, *figure_numbers(None, None, rule))
    if row in hidden:
        return (*row, *figure_numbers(None, cells[total], rule))
    return (*row, *figure_numbers(cells[row], cells[total], rule))
