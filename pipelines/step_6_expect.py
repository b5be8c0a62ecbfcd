"""Step 6, expect: what course a practice's own cases usually take, given where they start.

In: course_points. Out: `curves` (a fit is kept for ever), and for the touched cases the expected
score, its bands and the chance of a score this bad. A curve stays in force until enough new scores
have come; below the minimum of cases there is none, and the note says what stands in.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256

import numpy as np
import polars as pl

from data_contracts.measure import Measure
from models.expected_course import ExpectedCourse
from models.forecast import CaseForecast
from models.mixed_model import CannotLearnError, Floats
from models.plateau import fit_trend
from pipelines.night import Counts, Night
from pipelines.sql import statement

_STEM = "step_6_expect"
_KEY = ("case_id", "measure_id", "subscale", "rater", "occasion")


def expect(night: Night) -> Counts:
    """Fit the curves that are due, and draw the expected course of the touched cases."""
    fitted = 0
    for measure_id, clock in night.rows(statement(_STEM, "judged_series")):
        measure = night.measures[measure_id]
        if _is_due(night, measure_id, clock):
            fitted += _refit(night, measure, clock)
    drawn = 0
    for curve_id, measure_id, clock, fit in night.rows(
        "select curve_id, measure_id, clock, fit from curves "
        "where is_current and fit is not null order by measure_id, clock"
    ):
        if measure_id in night.measures:
            course = ExpectedCourse.from_json(fit)
            drawn += _draw(night, night.measures[measure_id], clock, curve_id, course)
    return Counts(rows_in=fitted, rows_out=drawn)


def _is_due(night: Night, measure_id: str, clock: str) -> bool:
    """Return whether there is no curve yet, or enough new scores for a new one."""
    have = night.rows(
        "select fit, score_count from curves "
        "where is_current and measure_id = $measure_id and clock = $clock",
        measure_id=measure_id,
        clock=clock,
    )
    if night.refit or not have or not _can_be_read(have[0][0]):
        return True
    scores = night.number(
        f"select count(*) from ({statement(_STEM, 'fit_rows')})",
        measure_id=measure_id,
        clock=clock,
    )
    return bool(scores >= have[0][1] * (1 + night.settings.curves.refit_growth))


def _can_be_read(fit: str | None) -> bool:
    """Return whether there is a fit, in the form that this version writes."""
    if fit is None:
        return False
    try:
        ExpectedCourse.from_json(fit)
    except ValueError:
        return False
    return True


def _trend(night: Night, measure: Measure, clock: str) -> str | None:
    """Return how levels and slopes vary as JSON; None where too few cases tell."""
    rows = night.frame(statement(_STEM, "trend_rows"), measure_id=measure.measure_id, clock=clock)
    try:
        trend = fit_trend(
            rows["time"].to_numpy(),
            rows["value"].to_numpy(),
            rows["case_id"].to_numpy(),
            minimum=float(measure.minimum),
            maximum=float(measure.maximum),
            higher_is=measure.higher_is,
            minimum_cases=night.settings.curves.minimum_cases,
        )
    except CannotLearnError:
        return None
    return json.dumps(asdict(trend), allow_nan=False)


def _time(points: pl.DataFrame, clock: str) -> Floats:
    """Return log1p of weeks where the clock is days, else of the occasion."""
    column = "weeks" if clock == "day" else "occasion"
    weeks_or_occasions: Floats = points[column].cast(pl.Float64).to_numpy()
    return np.log1p(weeks_or_occasions)


def _design(points: pl.DataFrame, clock: str) -> Floats:
    return np.column_stack([points["baseline"].to_numpy(), _time(points, clock)])


def _refit(night: Night, measure: Measure, clock: str) -> int:
    rows = night.frame(
        statement(_STEM, "fit_rows") + " order by case_id, rater, occasion",
        measure_id=measure.measure_id,
        clock=clock,
    )
    fingerprint = _fingerprint(rows)
    fit, forecast, note = None, None, None
    design, scores, cases = (
        _design(rows, clock),
        rows["value"].to_numpy(),
        rows["case_id"].to_numpy(),
    )
    try:
        course = ExpectedCourse(minimum_cases=night.settings.curves.minimum_cases).fit(
            design, scores, cases
        )
        fit = course.to_json()
        forecast = CaseForecast(course).fit(design, scores, cases).to_json()
    except CannotLearnError as error:
        note = str(error)
    curve_id = sha256(
        f"{measure.measure_id}{clock}{fingerprint}{fit is None}".encode()
    ).hexdigest()[:16]
    night.run(
        "update curves set is_current = false where measure_id = $measure_id and clock = $clock",
        measure_id=measure.measure_id,
        clock=clock,
    )
    night.run("delete from curves where curve_id = $curve_id", curve_id=curve_id)
    night.insert(
        "curves",
        pl.DataFrame(
            {
                "curve_id": [curve_id],
                "measure_id": [measure.measure_id],
                "group_name": ["all"],
                "clock": [clock],
                "fit": [fit],
                "forecast": [forecast],
                "trend": [_trend(night, measure, clock)],
                "note": [note],
                "case_count": [rows["case_id"].n_unique()],
                "score_count": [rows.height],
                "data_fingerprint": [fingerprint],
                "fitted_run_id": [night.run_id],
                "is_current": [True],
            },
            schema_overrides={
                "fit": pl.String,
                "forecast": pl.String,
                "trend": pl.String,
                "note": pl.String,
            },
        ),
    )
    if note:
        night.warnings.append(f"{measure.name}: {note}")
    if fit is None:
        return 0
    night.run(statement(_STEM, "touch_series"), measure_id=measure.measure_id, clock=clock)
    return 1


def _fingerprint(rows: pl.DataFrame) -> str:
    """Return a hash of the scores a curve is fitted on (16 hex digits)."""
    digest = sha256()
    for name in ("case_id", "occasion", "baseline", "value"):
        digest.update(rows[name].cast(pl.String).str.join("|").item().encode())
    return digest.hexdigest()[:16]


def _draw(night: Night, measure: Measure, clock: str, curve_id: str, course: ExpectedCourse) -> int:
    points = night.frame(
        statement(_STEM, "points_to_draw"), measure_id=measure.measure_id, clock=clock
    )
    if not points.height:
        return 0
    design = _design(points, clock)
    low, high = float(measure.minimum), float(measure.maximum)
    band_80 = course.band(design, coverage=0.8, minimum=low, maximum=high)
    band_95 = course.band(design, coverage=0.95, minimum=low, maximum=high)
    drawn = points.select(*_KEY).with_columns(
        expected=pl.Series(np.clip(course.predict(design), low, high)),
        band_80_low=pl.Series(band_80[0]),
        band_80_high=pl.Series(band_80[1]),
        band_95_low=pl.Series(band_95[0]),
        band_95_high=pl.Series(band_95[1]),
        chance_this_bad=pl.Series(
            course.chance_this_bad(
                design,
                points["value"].to_numpy(),
                higher_is=measure.higher_is,
                integer=measure.integer,
            )
        ),
        curve_id=pl.lit(curve_id),
    )
    night.make("drawn", drawn)
    night.run(statement(_STEM, "draw"))
    return drawn.height
