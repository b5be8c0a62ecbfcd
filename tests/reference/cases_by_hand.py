"""Past cases by hand: a few weekly scores become the frames that rules are replayed on."""

from __future__ import annotations

import polars as pl

from data_contracts.measure import Measure
from data_contracts.measures import built_in_measures
from models.past_cases import PastCases

PHQ9, ORS = built_in_measures()["phq9"], built_in_measures()["ors"]


def past_of(
    courses: dict[str, list[float]], measure: Measure = PHQ9, **more: pl.DataFrame
) -> PastCases:
    """Return open cases with weekly scores and ten planned sessions, and what else is known."""
    weekly = PastCases.weekly(measure, courses)
    cases = weekly.cases.with_columns(
        is_ended=pl.lit(None, pl.Boolean), planned_sessions=pl.lit(10, pl.Int64)
    )
    return PastCases.of(measure, cases, weekly.points, **more)
