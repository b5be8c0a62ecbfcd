"""Which status does a case have when it fills in several outcome measures?

The primary measure is fixed at the baseline; the others can contradict it. Rule: status_rule.md,
"Several outcome measures". A measure that is not fresh (too many days or sessions since its last
score) neither worsens, gains nor sticks.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure
from data_contracts.rule import RuleThresholds

_GAINED = ("recovered", "improved")


def case_statuses(
    statuses: pl.DataFrame,
    declared: pl.DataFrame,
    measures: Mapping[str, Measure],
    thresholds: RuleThresholds,
) -> pl.DataFrame:
    """Return the status of each case at each of its scored days.

    Parameters
    ----------
    statuses
        One row a case, measure and occasion: `case_id, measure_id, occasion, at, day,
        sessions_attended, has_baseline, baseline, status, code, tags, curve_id`.
    declared
        `case_id, measure_id`: the measure its problem declares; cases without one are absent.

    Returns
    -------
    `case_id, occasion` (scored days of any measure, 0 at the first baseline), `at, day,
    sessions_attended, status, code, tags, decided_by, curve_id, primary_measure_id`.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> statuses = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 2,
    ...         "measure_id": ["gad7", "phq9"],
    ...         "occasion": [0, 0],
    ...         "at": [1, 1],
    ...         "day": [0, 0],
    ...         "sessions_attended": [1, 1],
    ...         "has_baseline": [True, True],
    ...         "baseline": [14.0, 12.0],
    ...         "status": ["stuck", "improved"],
    ...         "code": ["no_gain", ""],
    ...         "tags": ["", ""],
    ...         "curve_id": ["a", "b"],
    ...     }
    ... )
    >>> declared = pl.DataFrame({"case_id": ["c1"], "measure_id": ["gad7"]})
    >>> case_statuses(statuses, declared, built_in_measures(), status_rule().thresholds).select(
    ...     "status", "code", "decided_by"
    ... ).row(0)
    ('watch', 'measures_disagree', 'gad7')
    """
    rows = statuses.with_columns(moment=pl.coalesce("day", "at"))
    moments = (
        rows.group_by("case_id", "moment")
        .agg(pl.col("at").first(), pl.col("day").first(), pl.col("sessions_attended").max())
        .sort("moment", "case_id")
    )
    known = (
        moments.join(rows.select("case_id", "measure_id").unique(), on="case_id")
        .sort("moment")
        .join_asof(
            rows.sort("moment").select(
                "case_id",
                "measure_id",
                "moment",
                "occasion",
                "status",
                "code",
                "tags",
                "curve_id",
                score_day="day",
                score_sessions="sessions_attended",
            ),
            on="moment",
            by=["case_id", "measure_id"],
            strategy="backward",
            check_sortedness=False,
        )
        .filter(pl.col("status").is_not_null())
        .with_columns(is_fresh=_is_fresh(thresholds))
        .join(_standing_at_baseline(rows, declared, measures), on=["case_id", "measure_id"])
    )
    combined = _combine(known)
    first = _first_baselines(rows)
    return (
        combined.join(moments, on=["case_id", "moment"])
        .join(first, on="case_id", how="left")
        .sort("case_id", "moment")
        .with_columns(
            occasion=pl.int_range(pl.len()).over("case_id")
            - (pl.col("moment") < pl.col("first_moment").fill_null(-(10**9)))
            .sum()
            .over("case_id")
            .cast(pl.Int64)
        )
        .drop("first_moment", "moment")
    )


def _is_fresh(thresholds: RuleThresholds) -> pl.Expr:
    """Return whether a measure's last score still speaks at a moment; unknown gaps do."""
    days = pl.col("day") - pl.col("score_day")
    sessions = pl.col("sessions_attended") - pl.col("score_sessions")
    return (
        (days <= thresholds.stale_days).fill_null(value=True)
        & (sessions <= thresholds.stale_sessions).fill_null(value=True)
    )  # fmt: skip


def _first_baselines(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `case_id, first_moment`: when the first measure of a case has its baseline."""
    at_baseline = rows.filter((pl.col("occasion") == 0) & pl.col("has_baseline"))
    return at_baseline.group_by("case_id").agg(first_moment=pl.col("moment").min())


def _standing_at_baseline(
    rows: pl.DataFrame, declared: pl.DataFrame, measures: Mapping[str, Measure]
) -> pl.DataFrame:
    """Return `case_id, measure_id, is_candidate, is_declared, severity` of each measure.

    Candidates for primary had their baseline when the case had its first one. `severity` is
    h(b - C)/RC, how far in the clinical range the baseline lies in units of clear change.
    """
    facts = pl.DataFrame(
        [
            (name, float(measure.direction), measure.cutoff, measure.reliable_change_points)
            for name, measure in measures.items()
        ],
        schema={
            "measure_id": pl.String,
            "direction": pl.Float64,
            "cutoff": pl.Float64,
            "change": pl.Float64,
        },
        orient="row",
    )
    first = rows.sort("case_id", "measure_id", "occasion").filter(
        (pl.col("occasion") == 0) | (pl.col("occasion") == pl.col("occasion").min().over(
            "case_id", "measure_id"))
    ).unique(["case_id", "measure_id"], keep="last", maintain_order=True)  # fmt: skip
    return (
        first.join(_first_baselines(rows), on="case_id", how="left")
        .join(facts, on="measure_id", how="left")
        .join(
            declared.select("case_id", "measure_id", is_declared=pl.lit(value=True)),
            on=["case_id", "measure_id"],
            how="left",
        )
        .select(
            "case_id",
            "measure_id",
            is_candidate=(pl.col("moment") == pl.col("first_moment")).fill_null(value=False)
            & pl.col("has_baseline"),
            is_declared=pl.col("is_declared").fill_null(value=False),
            severity=pl.col("direction")
            * (pl.col("baseline") - pl.col("cutoff"))
            / pl.col("change"),
        )
    )


def _combine(known: pl.DataFrame) -> pl.DataFrame:
    """Return one status a case and moment from what each measure says.

    `known` has one row a case, moment and measure: `case_id, moment, measure_id, occasion, status,
    code, tags, curve_id, is_fresh, is_candidate, is_declared, severity`.
    """
    primary_order = [
        pl.col("is_candidate"),
        pl.col("is_declared"),
        pl.col("severity").fill_null(-1e9),
        pl.col("occasion"),
    ]
    ordered = known.sort(
        "case_id", "moment", *primary_order, "measure_id",
        descending=[False, False, True, True, True, True, False],
    )  # fmt: skip
    fresh = pl.col("is_fresh")
    worse = fresh & (pl.col("status") == "deteriorating")
    gained = fresh & pl.col("status").is_in(_GAINED)
    stuck = fresh & (pl.col("status") == "stuck")
    other = pl.int_range(pl.len()) > 0

    def the_worse(name: str) -> pl.Expr:
        return pl.col(name).filter(worse).first()

    found = ordered.group_by("case_id", "moment", maintain_order=True).agg(
        primary_measure_id=pl.col("measure_id").first(),
        status=pl.col("status").first(),
        code=pl.col("code").first(),
        tags=pl.col("tags").first(),
        curve_id=pl.col("curve_id").first(),
        is_fresh=fresh.first(),
        any_worse=worse.any(),
        any_gained=gained.any(),
        other_gained=(gained & other).any(),
        other_stuck=(stuck & other).any(),
        worse_measure=the_worse("measure_id"),
        worse_code=the_worse("code"),
        worse_curve=the_worse("curve_id"),
    )
    disagree = (pl.col("any_worse") & pl.col("any_gained")) | (
        pl.col("is_fresh") & (pl.col("status") == "stuck") & pl.col("other_gained")
    )
    worst = pl.col("any_worse") & ~pl.col("any_gained")
    held_back = pl.col("is_fresh") & (pl.col("status") == "recovered") & pl.col("other_stuck")
    stale = ~pl.col("is_fresh")
    return found.select(
        "case_id",
        "moment",
        "primary_measure_id",
        status=pl.when(worst).then(pl.lit("deteriorating"))
        .when(disagree).then(pl.lit("watch"))
        .when(held_back).then(pl.lit("improved"))
        .when(stale).then(pl.lit("cannot_judge"))
        .otherwise("status"),
        code=pl.when(worst).then("worse_code")
        .when(disagree).then(pl.lit("measures_disagree"))
        .when(held_back).then(pl.lit("another_stuck"))
        .when(stale).then(pl.lit("stale"))
        .otherwise("code"),
        decided_by=pl.when(worst).then("worse_measure").otherwise("primary_measure_id"),
        curve_id=pl.when(worst).then("worse_curve").otherwise("curve_id"),
        tags="tags",
    )  # fmt: skip
