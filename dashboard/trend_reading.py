"""What may be read out of quarters that stand side by side, and what may not?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dashboard.figures import IN_TIME, Figure, rate_words

FIRST_YEAR = "first year of data"
FIRST_YEAR_NOTE = (
    "In the first year of data short courses end first, so early quarters show more drop-out and "
    "less recovery than later ones: do not read a trend out of it."
)
NO_TREND = "No trend is claimed"
_OF_A_YEAR = {"quarter": 4, "month": 12}  # 4 x 91 days: 52 weeks


def first_year(trends: pl.DataFrame, figure: Figure) -> list[str]:
    """Return the quarters and months within 52 weeks of the earliest published, in time.

    None for a figure by another day than the end of care: courses that have not ended are not
    missing there.
    """
    if figure.dated_by != "the end of care":
        return []
    found: list[str] = []
    for kind, count in _OF_A_YEAR.items():
        periods = trends.filter(pl.col("period").str.starts_with(f"{kind} "))
        numbered = periods.select("period", number=IN_TIME).unique().sort("number")
        early = numbered.filter(pl.col("number") < pl.col("number").min() + count)
        found.extend(early["period"])
    return found


def period_words(row: dict[str, Any], preset: str, early: Sequence[str]) -> str:
    """Return the share of a row with a `label`, and whether it is of the first year of data."""
    return rate_words(row, preset) + (f"; {FIRST_YEAR}" if row["label"] in early else "")


def interval_words(rows: pl.DataFrame, kind: str) -> str:
    """Return whether the published intervals of neighbours in time overlap; never a trend.

    `rows` are of one figure, in time, with `label` and the published numbers; `kind` is quarter
    or month.
    """
    shown = rows.drop_nulls(["rate_low", "rate_high"]).select("label", "rate_low", "rate_high")
    if len(shown) < 2:
        return f"{NO_TREND}: fewer than two {kind}s have a share that can be shown."
    earlier, later = shown.rows()[:-1], shown.rows()[1:]
    apart = [
        f"{before} and {after}"
        for (before, low, high), (after, next_low, next_high) in zip(earlier, later, strict=True)
        if next_low > high or next_high < low
    ]
    if apart:
        return (
            f"{NO_TREND}. The intervals of {'; '.join(apart)} lie apart; that alone does not show "
            "a change in care."
        )
    return f"{NO_TREND}: the intervals of neighbouring {kind}s overlap."
