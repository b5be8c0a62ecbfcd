"""What is known of a case when somebody asks where it may be stuck?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from data_contracts.measure import Measure
from data_contracts.rule import RuleThresholds


@dataclass(frozen=True, kw_only=True)
class LensInputs:
    """All that is known of the cases that are looked at; nothing later than what is to be said."""

    cases: pl.DataFrame
    """One row a case: `case_id, day` (of its last contact; null without a calendar),
    `has_clear_gain` (whether the outcome has moved; null where no outcome could be judged),
    `measure_id` (of the outcome that decides),
    `safety` (measures with an open safety flag, such as 'phq9/item_9', a list)."""
    points: pl.DataFrame
    """Every score: `case_id, measure_id, subscale, rater, occasion, at, session, day, value,
    level_gain`."""
    alliance: pl.DataFrame
    """`alliance_points` of the contract."""
    patterns: pl.DataFrame
    """Open patterns of alliance ratings: `case_id, measure_id, kind, session, day, parameters`."""
    sessions: pl.DataFrame
    """Sessions offered: `case_id, session, day, attended, is_late_cancellation`."""
    homework: pl.DataFrame
    """`case_id, session, assigned, done_percent, quality, hindrance`."""
    focus: pl.DataFrame
    """`case_id, session, focus, is_agreed`."""
    life_events: pl.DataFrame
    """`case_id, day, kind`."""
    measures: Mapping[str, Measure]
    thresholds: RuleThresholds

    @property
    def judged(self) -> pl.DataFrame:
        """`case_id` of cases whose outcome could be judged."""
        return self.cases.filter(pl.col("has_clear_gain").is_not_null()).select("case_id")

    @property
    def without_gain(self) -> pl.DataFrame:
        """`case_id` of cases whose outcome shows no clear gain; not those without an outcome."""
        return self.cases.filter(~pl.col("has_clear_gain")).select("case_id")


SCHEMAS: dict[str, dict[str, type[pl.DataType] | pl.DataType]] = {
    "cases": {
        "case_id": pl.String,
        "day": pl.Int64,
        "has_clear_gain": pl.Boolean,
        "measure_id": pl.String,
        "safety": pl.List(pl.String),
    },
    "points": {
        "case_id": pl.String,
        "measure_id": pl.String,
        "subscale": pl.String,
        "rater": pl.String,
        "occasion": pl.Int64,
        "at": pl.Int64,
        "session": pl.Int64,
        "day": pl.Int64,
        "value": pl.Float64,
        "level_gain": pl.Float64,
    },
    "alliance": {
        "case_id": pl.String,
        "measure_id": pl.String,
        "occasion": pl.Int64,
        "at": pl.Int64,
        "session": pl.Int64,
        "day": pl.Int64,
        "value": pl.Float64,
        "prior_mean": pl.Float64,
        "personal_low": pl.Float64,
        "is_low": pl.Boolean,
        "is_dropped": pl.Boolean,
        "ratings_since_drop": pl.Int64,
        "is_ceiling": pl.Boolean,
    },
    "patterns": {
        "case_id": pl.String,
        "measure_id": pl.String,
        "kind": pl.String,
        "session": pl.Int64,
        "day": pl.Int64,
        "parameters": pl.String,
    },
    "sessions": {
        "case_id": pl.String,
        "session": pl.Int64,
        "day": pl.Int64,
        "attended": pl.Boolean,
        "is_late_cancellation": pl.Boolean,
    },
    "homework": {
        "case_id": pl.String,
        "session": pl.Int64,
        "assigned": pl.Boolean,
        "done_percent": pl.Float64,
        "quality": pl.Float64,
        "hindrance": pl.String,
    },
    "focus": {
        "case_id": pl.String,
        "session": pl.Int64,
        "focus": pl.String,
        "is_agreed": pl.Boolean,
    },
    "life_events": {"case_id": pl.String, "day": pl.Int64, "kind": pl.String},
}
"""Columns and types of every frame of `LensInputs`."""


def lens_inputs(
    measures: Mapping[str, Measure],
    thresholds: RuleThresholds,
    **rows: pl.DataFrame | list[dict[str, object]],
) -> LensInputs:
    """Return inputs in which every frame that is not given is empty, and columns left out are null.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> inputs = lens_inputs(
    ...     built_in_measures(),
    ...     status_rule().thresholds,
    ...     homework=[{"case_id": "c1", "session": 1, "assigned": True}],
    ... )
    >>> inputs.homework["done_percent"].to_list(), inputs.points.height
    ([None], 0)
    """
    frames = {name: _as_declared(rows.get(name, []), schema) for name, schema in SCHEMAS.items()}
    return LensInputs(measures=measures, thresholds=thresholds, **frames)


def _as_declared(
    rows: pl.DataFrame | list[dict[str, object]],
    schema: dict[str, type[pl.DataType] | pl.DataType],
) -> pl.DataFrame:
    if not isinstance(rows, pl.DataFrame):
        return pl.DataFrame(rows, schema=schema)
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in schema.items()
    )
