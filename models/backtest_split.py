"""How are past cases parted into those learned from and those asked about?"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from models.moments import Moments
from models.past_cases import PastCases, PastCasesError
from models.splits import Kind, Part, calendar, cross_validation

SplitKind = Literal["auto", "calendar", "cross_validation"]
_REPEATS_BY_SIZE = ((2_000, 20), (10_000, 5))
"""Cases up to, repeats: with many cases one cut into folds is as good as twenty."""


def kind_of_split(past: PastCases, split: SplitKind) -> Kind:
    """Return the split that was asked for; by itself the calendar, where there is one.

    >>> from data_contracts.measures import built_in_measures
    >>> kind_of_split(PastCases.weekly(built_in_measures()["phq9"], {"a": [18, 12]}), "auto")
    'cross_validation'
    """
    if split == "calendar" and not past.has_calendar:
        message = (
            "these cases have no calendar (practice days of scores and ends): "
            "choose cross-validation"
        )
        raise PastCasesError(message)
    if split != "auto":
        return split
    return "calendar" if past.has_calendar else "cross_validation"


def usual_repeats(cases: int) -> int:
    """Return how often so many cases are cut into folds.

    >>> usual_repeats(500), usual_repeats(50_000)
    (20, 1)
    """
    return next((repeats for limit, repeats in _REPEATS_BY_SIZE if cases <= limit), 1)


def parts_of(
    past: PastCases, moments: Moments, kind: str, *, repeats: int, folds: int, seed: int
) -> list[Part]:
    """Return every part; blocks of a calendar, or folds of every repeat.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.case_ends import Outcome
    >>> from models.landmarks import Landmark
    >>> from models.moments import moments_of
    >>> phq9 = built_in_measures()["phq9"]
    >>> courses = {f"c{case:02d}": [18, 17 - case % 9, 16, 15, 17 - case % 9] for case in range(40)}
    >>> past, asked = PastCases.weekly(phq9, courses), [Landmark.named("1")]
    >>> moments = moments_of(past, Outcome(), asked, status_rule())
    >>> len(parts_of(past, moments, "cross_validation", repeats=3, folds=2, seed=1))
    6
    """
    client = moments.cases["client_id"]
    if kind == "cross_validation":
        clients = client.n_unique()
        is_bad = moments.cases["is_bad"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return list(
            cross_validation(client, is_bad, repeats=repeats, folds=min(folds, clients), seed=seed)
        )
    days = moments.rows.group_by("case").agg(
        first=pl.col("practice_day").min(), last=pl.col("practice_day").max()
    )
    placed = moments.cases.select("case", "case_id", "ended_on").join(
        days, on="case", how="left", maintain_order="left"
    )
    seen = past.points.group_by("case_id").agg(last_seen=pl.col("practice_day").max())
    placed = placed.join(seen, on="case_id", how="left", maintain_order="left")
    over = pl.when(pl.col("ended_on").is_not_null()).then(
        pl.max_horizontal("ended_on", "last_seen")
    )
    columns = (
        placed.select(over=over, first="first", last="last").cast(pl.Float64).fill_null(np.nan)
    )
    over_on, first, last = (columns[name].to_numpy() for name in ("over", "first", "last"))
    return list(calendar(client, over_on, first, last))
