"""What do the practice's trends say once small numbers are hidden?

In: every count (models/trend_counts.py). Out: published_trends, published_trend_groups and
published_funnel. Rates, intervals and limits come from the rounded counts, so they hold nothing
that the counts do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import polars as pl

from data_contracts.suppression import SuppressionRule
from models.derivable_counts import showable
from models.funnel import Z_95, Z_998, funnel_limits, places_in_funnel
from models.suppression import FIGURE_NUMBERS, figure_numbers
from models.trend_counts import ALL, FIGURES, NOW, PRACTICE, Cell, TrendCounts, worth_of

FUNNEL_FIGURES = (
    "reliable_improvement",
    "recovery",
    "reliable_recovery",
    "deterioration",
    "drop_out",
    "waiting_42",
)
_SITES_FOR_A_FUNNEL = 2

_Schema = dict[str, type[pl.DataType]]
_TEXTS: _Schema = dict.fromkeys(("figure", "period", "site_id", "category"), pl.String)
_GROUP_TEXTS: _Schema = dict.fromkeys(("figure", "dimension", "group_id", "period"), pl.String)
_FUNNEL: _Schema = {
    "figure": pl.String,
    "site_id": pl.String,
    "denominator": pl.Int64,
    "rate": pl.Float64,
    "practice_rate": pl.Float64,
    "low_95": pl.Float64,
    "high_95": pl.Float64,
    "low_998": pl.Float64,
    "high_998": pl.Float64,
    "place": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class TrendTables:
    """The published tables of the practice's trends."""

    trends: pl.DataFrame
    groups: pl.DataFrame
    funnel: pl.DataFrame


def trend_tables(counted: TrendCounts, rule: SuppressionRule) -> TrendTables:
    """Return what may be published of the counts.

    >>> from data_contracts.suppression import suppression_rule
    >>> from models.trend_counts import status_counts
    >>> mix = pl.DataFrame({"site": "a", "status": ["stuck", "watch"], "case_count": [3, 40]})
    >>> found = trend_tables(status_counts(mix, ["stuck", "watch"]), suppression_rule("default"))
    >>> found.trends.filter(site_id="all").select("category", "numerator").rows()
    [('stuck', None), ('watch', 40)]
    """
    shown = showable(
        counted.counts,
        worth_of(counted.counts),
        counted.sums,
        hide_up_to=rule.hide_up_to,
        round_to=rule.round_to,
        people=counted.people,
        known=_known_elsewhere(counted, rule),
        shows_nobody=True,
    )
    trends, groups = [], []
    for figure, numerator, denominator, category in _asked(counted):
        part, whole = (
            counted.counts[cell] if cell in shown else None for cell in (numerator, denominator)
        )
        numbers = figure_numbers(part, whole, rule)
        _, dimension, group, period = denominator
        if dimension in (PRACTICE, "site"):
            trends.append((figure, period, group, category, *numbers))
        else:
            groups.append((figure, dimension, group, period, *numbers))
    by_site = pl.DataFrame(trends, schema=_TEXTS | FIGURE_NUMBERS, orient="row").sort(*_TEXTS)
    return TrendTables(
        trends=by_site,
        groups=pl.DataFrame(groups, schema=_GROUP_TEXTS | FIGURE_NUMBERS, orient="row").sort(
            *_GROUP_TEXTS
        ),
        funnel=funnel_of_sites(by_site),
    )


def _known_elsewhere(counted: TrendCounts, rule: SuppressionRule) -> set[Cell]:
    """Return totals that the number of rows received, or England's official figures, tell."""
    totals: list[Cell] = [
        ("ended", PRACTICE, ALL, ALL),
        ("open", PRACTICE, ALL, NOW),
        ("offered", PRACTICE, ALL, ALL),
    ]
    return {cell for cell in totals if counted.people.get(cell, 0) > rule.hide_up_to}


def _asked(counted: TrendCounts) -> list[tuple[str, Cell, Cell, str]]:
    """Return every row to publish: figure, numerator, denominator, category."""
    rows: list[tuple[str, Cell, Cell, str]] = []
    # Nobody dropped out, or nobody knows the practice's code of it: no figure rather than a 0.
    has_drop_out = counted.counts.get(("dropped_out", PRACTICE, ALL, ALL), 0) > 0
    for cell in counted.counts:
        name, dimension, group, period = cell
        rows += [
            (figure, (numerator, dimension, group, period), cell, ALL)
            for figure, (numerator, denominator) in FIGURES.items()
            if denominator == name and (figure != "drop_out" or has_drop_out)
        ]
        if period == NOW and name != "open":
            rows.append(("status_mix", cell, ("open", dimension, group, NOW), name))
    return rows


def funnel_of_sites(trends: pl.DataFrame) -> pl.DataFrame:
    """Return published_funnel: where sites lie in a funnel about the practice's share.

    Limits are the practice's share +- z sqrt(p (1 - p) / n), as in models/funnel.py, from published
    counts alone. Cases of one practice are not told apart by how they began: no case mix.

    >>> trends = pl.DataFrame(
    ...     {
    ...         "figure": "recovery", "period": "all", "site_id": ["all", "north", "south"],
    ...         "numerator": [100, 65, 35], "denominator": [200, 100, 100],
    ...     }
    ... )
    >>> funnel_of_sites(trends).select("site_id", "place").rows()
    [('north', 'beyond 95 %'), ('south', 'beyond 95 %')]
    """
    rows: list[tuple[object, ...]] = []
    whole = trends.filter(
        (pl.col("period") == ALL) & pl.col("numerator").is_not_null() & (pl.col("denominator") > 0)
    ).with_columns(share=pl.col("numerator") / pl.col("denominator"))
    for figure in FUNNEL_FIGURES:
        of_figure = whole.filter(pl.col("figure") == figure)
        practice = of_figure.filter(pl.col("site_id") == ALL)["share"].to_list()
        sites = of_figure.filter(pl.col("site_id") != ALL).sort("site_id")
        if not practice or sites.height < _SITES_FOR_A_FUNNEL:
            continue
        mean = practice[0]
        sd = sqrt(mean * (1.0 - mean))
        count = sites["denominator"].to_numpy()
        low_95, high_95 = funnel_limits(count, mean=mean, sd=sd, z=Z_95)
        low_998, high_998 = funnel_limits(count, mean=mean, sd=sd, z=Z_998)
        places = places_in_funnel(
            sites["share"].to_numpy(), count, mean=mean, sd=sd, overdispersion=1.0
        )
        rows += zip(
            [figure] * sites.height,
            sites["site_id"],
            sites["denominator"],
            sites["share"],
            [mean] * sites.height,
            low_95.clip(0, 1).tolist(),
            high_95.clip(0, 1).tolist(),
            low_998.clip(0, 1).tolist(),
            high_998.clip(0, 1).tolist(),
            places,
            strict=True,
        )
    return pl.DataFrame(rows, schema=_FUNNEL, orient="row").sort("figure", "site_id")
