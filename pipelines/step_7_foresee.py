"""Step 7, foresee: where open cases are heading on each measure, from their scores so far.

In: course_points, curves, courses, case_facts. Out: `forecasts` of the touched open cases: what is
said after a score rests on the cases that had ended by that night, and stays until the case is
touched again. Beside the statuses and flags, which never look at it.
"""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from data_contracts.measure import Measure
from models.forecast import CaseForecast
from models.forecast_words import GAIN_SCORES_AHEAD, SCORES_AHEAD, with_forecast_words
from models.mixed_model import Floats
from models.plateau import little_gain
from models.similar_cases import SimilarCases
from models.similar_rule import SimilarCasesRule
from models.trend_filter import Trend
from pipelines.night import Night
from pipelines.sql import statement

_STEM = "step_7_foresee"
_KNOWN, _NOW = 0, 1  # days of the reference: all that ended is known by now


def foresee(night: Night) -> None:
    """Write the forecasts of the touched open cases; closed ones have none."""
    night.run(statement(_STEM, "forget"))
    found = [
        _forecasts(night, night.measures[measure_id], clock)
        for measure_id, clock in night.rows(statement(_STEM, "open_series"))
        if measure_id in night.measures
    ]
    if found:
        # A case with scores on two clocks (the night warns of it) cannot be told from all of them.
        last = night.frame(statement(_STEM, "last_occasions"))
        whole = pl.concat(found).join(last, on=["case_id", "measure_id", "occasion"], how="semi")
        night.insert("forecasts", whole)


def _forecasts(night: Night, measure: Measure, clock: str) -> pl.DataFrame:
    points = night.frame(
        statement(_STEM, "open_points"), measure_id=measure.measure_id, clock=clock
    )
    fits = night.rows(
        "select curve_id, forecast, trend, note from curves "
        "where is_current and measure_id = $measure_id and clock = $clock",
        measure_id=measure.measure_id,
        clock=clock,
    )
    curve_id, forecast, trend, note = fits[0] if fits else (None, None, None, None)
    last = points.group_by("case_id", maintain_order=True).agg(
        pl.col("occasion").last(), is_clinical=_is_clinical(measure).last()
    )
    return (
        last.join(_headings(points, measure, clock, forecast), on="case_id", how="left")
        .join(_little_gains(points, measure, trend), on="case_id", how="left")
        .join(_similar(night, points, measure), on="case_id", how="left")
        .with_columns(
            measure_id=pl.lit(measure.measure_id),
            clock=pl.lit("session" if clock == "session" else "week"),
            ahead=pl.col("ahead").fill_null(float(SCORES_AHEAD)),
            curve_id=pl.lit(curve_id, dtype=pl.String),
            heading_reason=pl.lit(
                "too few courses here to learn from" if note else None, dtype=pl.String
            ),
        )
        .pipe(with_forecast_words, night.measures)
        .drop("heading_reason", "similar_reason", "is_clinical")
    )


def _is_clinical(measure: Measure) -> pl.Expr:
    if measure.cutoff is None:
        return pl.lit(value=True)
    return measure.direction * pl.col("value") >= measure.direction * measure.cutoff


def _headings(
    points: pl.DataFrame, measure: Measure, clock: str, fitted: str | None
) -> pl.DataFrame:
    """Return the forecast from each case's last score: `case_id, ahead, expected, low_80 ...`."""
    names = ("ahead", "expected", "low_80", "high_80", "low_95", "high_95")
    later = points.filter(pl.col("occasion") >= 1)
    if fitted is None or later.is_empty():
        return pl.DataFrame(schema={"case_id": pl.String, **dict.fromkeys(names, pl.Float64)})
    forecast = CaseForecast.from_json(fitted)
    time = later["time"].to_numpy()
    ahead = SCORES_AHEAD * (1.0 if clock == "session" else float(np.exp(forecast.gap_nodes_[0])))
    heading = forecast.heading(
        np.column_stack([later["baseline"].to_numpy(), np.log1p(time)]),
        later["value"].to_numpy(),
        later["case_id"].to_numpy(),
        np.log1p(time + ahead),
        minimum=float(measure.minimum),
        maximum=float(measure.maximum),
    )
    edges: dict[str, Floats] = {
        "expected": heading.expected,
        "low_80": heading.low[0],
        "high_80": heading.high[0],
        "low_95": heading.low[1],
        "high_95": heading.high[1],
    }
    return (
        later.select("case_id", ahead=pl.lit(ahead))
        .with_columns(pl.Series(name, values, nan_to_null=True) for name, values in edges.items())
        .group_by("case_id", maintain_order=True)
        .last()
    )


def _little_gains(points: pl.DataFrame, measure: Measure, fitted: str | None) -> pl.DataFrame:
    """Return `case_id, gain_asked, gain_ahead, little_gain_chance` after each last score."""
    change = measure.reliable_change_points
    if fitted is None or change is None:
        names = ("gain_asked", "gain_ahead", "little_gain_chance")
        return pl.DataFrame(schema={"case_id": pl.String, **dict.fromkeys(names, pl.Float64)})
    trend = Trend(**json.loads(fitted))
    ahead = GAIN_SCORES_AHEAD * trend.typical_gap
    found = little_gain(
        trend,
        points["time"].to_numpy(),
        points["value"].to_numpy(),
        points["case_id"].to_numpy(),
        horizon=ahead,
        points=change / 2,
    )
    return (
        points.select("case_id", gain_asked=pl.lit(change / 2), gain_ahead=pl.lit(ahead))
        .with_columns(pl.Series("little_gain_chance", found.chance, nan_to_null=True))
        .group_by("case_id", maintain_order=True)
        .last()
    )


def _similar(night: Night, points: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    """Return what similar ended cases say of the score `SCORES_AHEAD` on, by open case."""
    ended = night.frame(statement(_STEM, "ended_points"), measure_id=measure.measure_id)
    rule = SimilarCasesRule(higher_is=measure.higher_is, horizon=SCORES_AHEAD)

    def cases_of(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("case_id", "client_id", ended_on=pl.lit(_KNOWN)).unique("case_id")

    def scores_of(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("case_id", "occasion", score="value")

    reference = SimilarCases(rule).fit(cases_of(ended), scores_of(ended), as_of=_NOW)
    said = reference.expect(cases_of(points), scores_of(points))
    at_horizon = said.foreseen.filter(pl.col("occasion") == pl.col("made_at") + SCORES_AHEAD)
    return said.asked.select("case_id", "reason").join(
        at_horizon.select(
            "case_id",
            similar_count="neighbour_count",
            similar_effective="effective_number",
            similar_expected="expected",
            similar_better="better_boundary",
            similar_worse="worse_boundary",
            later_reason="reason",
        ),
        on="case_id",
        how="left",
    ).with_columns(similar_reason=pl.coalesce("reason", "later_reason")).drop(
        "reason", "later_reason"
    )  # fmt: skip
