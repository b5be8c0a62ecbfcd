"""How often are the alliance ratings of a therapist's clients low, and how sure is that?

A share of cases, shrunken towards that of all therapists with an interval, hidden where cases are
few: the arithmetic of `caseload`. Some low ratings are to be expected in any large caseload; rows
come in the order of ids. Never inferred from one case, never a rank.
"""

from __future__ import annotations

import polars as pl

from data_contracts.lenses import lens_row
from data_contracts.suppression import SuppressionRule
from models.caseload import caseload

_ROW = "therapist_listening"


def therapist_lenses(rated: pl.DataFrame, rule: SuppressionRule) -> pl.DataFrame:
    """Return the columns of `published_therapist_lenses`, one row a therapist with rated cases.

    Parameters
    ----------
    rated
        One row a case: `case_id, therapist_id, site_id, is_low` (the last two ratings at or below
        the concern line).

    >>> from data_contracts.suppression import suppression_rule
    >>> numbers = range(120)
    >>> rated = pl.DataFrame(
    ...     {
    ...         "case_id": [f"c{number:03}" for number in numbers],
    ...         "therapist_id": [f"t{number % 6}" for number in numbers],
    ...         "site_id": ["north"] * 120,
    ...         "is_low": [number % 6 == 0 and number % 4 == 0 for number in numbers],
    ...     }
    ... )
    >>> found = therapist_lenses(rated, suppression_rule("default"))
    >>> found.select("therapist_id", "case_count", "effect", "is_suppressed").row(0)
    ('t0', 20, 39.0, False)
    """
    shares = rated.with_columns(
        site_id=pl.col("site_id").fill_null(""),
        saes=pl.col("is_low").cast(pl.Float64),
        reason=pl.lit(None, dtype=pl.String),
    )
    table = caseload(shares, rule).therapists
    hundredths = [
        (pl.col(name) * 100).round(0).alias(name)
        for name in ("effect", "effect_low", "effect_high")
    ]
    return (
        table.with_columns(*hundredths)
        .with_columns(row_id=pl.lit(_ROW), sentence=_sentence())
        .select(
            "therapist_id",
            "row_id",
            "case_count",
            "effect",
            "effect_low",
            "effect_high",
            "sentence",
            "is_suppressed",
        )
    )


def _sentence() -> pl.Expr:
    """Return the estimate in words: more or fewer only where the interval leaves no doubt."""
    words = lens_row(_ROW).sentences

    def said(variant: str) -> pl.Expr:
        text = (
            words[variant].replace("{effect}", "{}").replace("{low}", "{}").replace("{high}", "{}")
        )
        numbers = [
            pl.col(name).cast(pl.Int64).cast(pl.String)
            for name in ("effect", "effect_low", "effect_high")
        ]
        return pl.format(text, *numbers)

    return (
        pl.when(pl.col("effect").is_null())
        .then(pl.lit(""))
        .when(pl.col("effect_low") > 0)
        .then(said("more"))
        .when(pl.col("effect_high") < 0)
        .then(said("fewer"))
        .otherwise(said("alike"))
    )
