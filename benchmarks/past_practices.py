"""Which past cases do the benchmarks replay? Simulated practices and published sets, as frames.

Made from tables in memory as steps 3 to 5 of a night would make them, without a warehouse. The
published sets lie in ../shared, not in this repository.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.past_cases import PastCases
from pipelines.demo_practice import Practice

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
DAYS_A_MONTH = 30.4375  # docs/mapping.md
_SESSION = ("case_id", "session")


def simulated(practice: Practice) -> PastCases:
    """Return all cases of a simulated practice with their PHQ-9 and Session Rating Scale."""
    start = pl.col("practice_day_start").cast(pl.Int64)
    cases = practice.cases.join(
        practice.therapists.select("therapist_id", "supervisor_id"), on="therapist_id", how="left"
    ).with_columns(
        ended_on=start + pl.col("end_day").cast(pl.Int64),
        is_ended=pl.col("end_reason").is_not_null(),
        dropped_out=pl.col("end_reason") == "dropped_out",
    )
    sessions = practice.sessions.select(
        "case_id",
        pl.col("session", "day").cast(pl.Int64),
        attended=pl.col("attended") == "yes",
    )
    attended = (
        sessions.filter("attended")
        .sort(_SESSION)
        .select(*_SESSION, sessions_attended=pl.int_range(1, pl.len() + 1).over("case_id"))
    )
    measures = built_in_measures()
    ratings = _totals(practice, "SRS").with_columns(
        measure_id=pl.lit("srs"), share=pl.col("value") / measures["srs"].maximum
    )
    first = pl.col("sessions_attended").first().over("case_id")
    scores = (
        _totals(practice, "PHQ-9")
        .join(attended, on=_SESSION, how="left")
        .sort(_SESSION)
        .filter(first <= status_rule().thresholds.baseline_sessions)
        .with_columns(at=pl.col("session"), clock=pl.lit("session"))
    )
    points = from_baseline(scores, direction=1)
    baselines = points.filter(pl.col("occasion") == 0).select("case_id", started_on="practice_day")
    cases = cases.join(baselines, on="case_id", how="left")
    return PastCases.of(measures["phq9"], cases, points, sessions=sessions, alliance=ratings)


def _totals(practice: Practice, measure: str) -> pl.DataFrame:
    """Return `case_id, session, day, practice_day, value` of the totals of one measure."""
    is_total = (pl.col("measure") == measure) & (pl.col("subscale") == "total")
    return practice.scores.filter(is_total).select(
        "case_id",
        pl.col("session", "day", "practice_day").cast(pl.Int64),
        pl.col("value").cast(pl.Float64),
    )


def from_baseline(scores: pl.DataFrame, *, direction: int) -> pl.DataFrame:
    """Add occasion, baseline, days and gains to scores in order; the first is the baseline.

    Reads `case_id, day, value`; rows of a case stand in order, one a day.
    """
    before = pl.col("day").shift(1).over("case_id")
    near = status_rule().thresholds.pair_days
    gain_before = pl.col("gain").shift(1).over("case_id")
    return (
        scores.with_columns(
            occasion=pl.int_range(pl.len()).over("case_id"),
            baseline=pl.col("value").first().over("case_id"),
            days=pl.col("day") - pl.col("day").first().over("case_id"),
        )
        .with_columns(
            gain=direction * (pl.col("baseline") - pl.col("value")),
            is_pair=(pl.col("occasion") >= 2) & (pl.col("day") - before <= near),
        )
        .with_columns(
            level_gain=pl.when("is_pair").then((pl.col("gain") + gain_before) / 2).otherwise("gain")
        )
    )


def of_scores(measure_id: str, scores: pl.DataFrame) -> PastCases:
    """Return cases of which only `case_id, day, value` is known; scores of a day are averaged.

    All of them count as ended: nobody scores after the study.
    """
    measure = built_in_measures()[measure_id]
    daily = (
        scores.drop_nulls()
        .group_by("case_id", "day")
        .agg(pl.col("value").mean())
        .sort("case_id", "day")
        .with_columns(clock=pl.lit("day"), at=pl.col("day"))
    )
    points = from_baseline(daily, direction=measure.direction)
    cases = points.select("case_id").unique().with_columns(is_ended=pl.lit(value=True))
    return PastCases.of(measure, cases, points)


def enrichd(folder: Path = SHARED) -> PastCases:
    """Return the cognitive behaviour therapy arm of ENRICHD: 557 people, BDI."""
    sent = pl.read_csv(folder / "enrichd_bdi_cbt/long.csv")
    return of_scores("bdi", _timed(sent, pl.col("day")))


def beat_the_blues(folder: Path = SHARED) -> PastCases:
    """Return Beat the Blues: 100 people, BDI-II at months 0, 2, 4, 6 and 8."""
    sent = pl.read_csv(folder / "beat_the_blues/long.csv", null_values="NA")
    return of_scores("bdi2", _timed(sent, pl.col("month") * DAYS_A_MONTH))


def _timed(sent: pl.DataFrame, day: pl.Expr) -> pl.DataFrame:
    return sent.select(
        pl.col("patient_id").cast(pl.String).alias("case_id"),
        day=day.round().cast(pl.Int64),
        value=pl.col("score").cast(pl.Float64),
    )
