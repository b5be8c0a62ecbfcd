"""Step 7, judge: what the rules say of every occasion, where each case stands, what is flagged.

In: course_points of touched cases. Out: `statuses` (per measure, and per case under measure_id
'case'), `alliance_points`, `events` (seen, never flagged), `current_statuses`, `flags` (kept;
opened and closed, never rebuilt), `forecasts` (step_7_foresee.py), `outlooks` (step_7_outlook.py).
"""

from __future__ import annotations

from hashlib import sha256

import polars as pl

from data_contracts.problems import problem_measures
from models.alliance import alliance_points, client_totals
from models.alliance_patterns import alliance_patterns
from models.case_status import case_statuses
from models.course_events import alliance_events, early_events, sudden_events
from models.episodes import episodes
from models.safety import safety_points
from models.standing import last_statuses, with_staleness
from models.status import judge as judge_occasions
from pipelines.night import Counts, Night
from pipelines.sql import statement
from pipelines.step_7_foresee import foresee
from pipelines.step_7_outlook import outlook

_STEM = "step_7_judge"
_NO_PROGRESS = ("no_gain", "no_gain_yet", "gain_lost", "slow_gain", "half_worse", "worse_once")


def judge(night: Night) -> Counts:
    """Judge the touched cases, then where every open case stands today."""
    night.run("create or replace temp table touched as select distinct case_id from touched")
    night.run(statement(_STEM, "touched_courses"))
    for table in ("statuses", "alliance_points", "events"):
        night.run(statement(_STEM, "forget", table=table))
    points = night.frame(
        statement(_STEM, "outcome_points"), paused_days=night.rule.thresholds.paused_days
    )
    judged = _with_tags(judge_occasions(points, night.rule, night.measures))
    of_cases = case_statuses(judged, _declared(night), night.measures, night.rule.thresholds)
    statuses = _as_statuses(judged, of_cases, night.rule.version)
    night.insert("statuses", statuses)
    alliance = _judge_alliance(night)
    night.run(statement(_STEM, "case_facts"), as_of=night.as_of)
    _find_events(night)
    _renew_standing(night)
    _renew_flags(night, of_cases, alliance)
    foresee(night)
    outlook(night)
    return Counts(rows_in=points.height, rows_out=statuses.height)


def _with_tags(judged: pl.DataFrame) -> pl.DataFrame:
    tags = {
        "gain_stalled": pl.col("code") == "gain_stalled",
        "past_plan": pl.col("sessions_attended") > pl.col("planned_sessions"),
        "paused": pl.col("is_after_pause"),
        "baseline_averaged": (pl.col("occasion") == 0) & (pl.col("value_count") > 1),
    }
    listed = pl.concat_list(
        pl.when(holds).then(pl.lit(tag)).otherwise(pl.lit(None, dtype=pl.String))
        for tag, holds in tags.items()
    )
    return judged.with_columns(tags=listed.list.drop_nulls().list.join(","))


def _declared(night: Night) -> pl.DataFrame:
    """Return `case_id, measure_id`: the measure each touched case's problem declares."""
    known = problem_measures() | night.settings.care.problem_measures
    night.run("create or replace temp table problem_measures (problem_code text, measure_id text)")
    night.insert(
        "problem_measures",
        pl.DataFrame(
            list(known.items()),
            schema={"problem_code": pl.String, "measure_id": pl.String},
            orient="row",
        ),
    )
    return night.frame(statement(_STEM, "declared_measures"))


def _as_statuses(judged: pl.DataFrame, of_cases: pl.DataFrame, rule_version: str) -> pl.DataFrame:
    names = ["case_id", "measure_id", "occasion", "at", "day", "status", "code", "tags",
             "decided_by", "curve_id"]  # fmt: skip
    return pl.concat(
        [
            judged.with_columns(decided_by=pl.col("measure_id")).select(names),
            of_cases.with_columns(measure_id=pl.lit("case")).select(names),
        ],
        how="vertical_relaxed",
    ).with_columns(rule_version=pl.lit(rule_version))


def _judge_alliance(night: Night) -> pl.DataFrame:
    found = []
    for measure in night.measures.values():
        if measure.alliance is None:
            continue
        ratings = night.frame(statement(_STEM, "alliance_ratings"), measure_id=measure.measure_id)
        totals = client_totals(ratings, measure)
        found.append(alliance_points(totals, measure, night.rule.thresholds))
        patterns = alliance_patterns(ratings, measure, night.rule.thresholds)
        night.insert("events", alliance_events(patterns, measure, night.rule.thresholds))
    points = pl.concat(found)
    night.insert("alliance_points", points)
    return points


def _find_events(night: Night) -> None:
    """Write what is worth seeing in the outcome scores of the touched cases, and no flag."""
    scores = night.frame(statement(_STEM, "outcome_scores"))
    night.insert("events", sudden_events(scores, night.measures, night.rule.thresholds))
    night.insert("events", early_events(scores, night.measures, night.rule.thresholds))


def _renew_standing(night: Night) -> None:
    """Write where every touched or open case stands on the run's day."""
    standing = last_statuses(night.frame(statement(_STEM, "standing_inputs")))
    facts = night.frame(statement(_STEM, "standing_facts"))
    attended = night.frame(statement(_STEM, "last_attended"))
    verified = {name: measure.is_verified for name, measure in night.measures.items()}
    current = (
        with_staleness(
            standing.join(facts, on="case_id")
            .join(
                attended,
                left_on=["case_id", "decided_by"],
                right_on=["case_id", "measure_id"],
                how="left",
            )
            .with_columns(
                sessions_since=pl.col("sessions_attended") - pl.col("score_sessions"),
                days_since=pl.col("today") - pl.col("last_day"),
            ),
            night.rule.thresholds,
        )
        .with_columns(
            is_verified=pl.col("decided_by").replace_strict(verified, default=False),
            rule_version=pl.lit(night.rule.version),
        )
        .drop("today", "sessions_attended", "score_sessions", "sessions_since", "days_since")
    )
    night.make("standing", current)
    night.run(statement(_STEM, "forget_standing"))
    night.insert("current_statuses", current)


def _renew_flags(night: Night, of_cases: pl.DataFrame, alliance: pl.DataFrame) -> None:
    """Open and close flags of the touched cases."""
    found = pl.concat(
        [
            episodes(conditions)
            for conditions in (
                _status_conditions(of_cases),
                _alliance_conditions(of_cases, alliance),
                _safety_conditions(night),
            )
        ],
        how="vertical_relaxed",
    )
    facts = night.frame("select case_id, is_open, end_day from case_facts")
    ended = found.join(facts, on="case_id").with_columns(
        is_closed=pl.col("closed_occasion").is_not_null() | ~pl.col("is_open"),
        closed_day=pl.when(pl.col("closed_occasion").is_null() & ~pl.col("is_open"))
        .then("end_day")
        .otherwise("closed_day"),
    )
    identity = ["case_id", "kind", "measure_id", "opened_occasion"]
    flags = ended.with_columns(
        flag_id=pl.concat_str(identity, separator="|").map_elements(
            lambda text: sha256(text.encode()).hexdigest()[:16], return_dtype=pl.String
        )
    ).drop("is_open", "end_day")
    night.make("flag_episodes", flags)
    for name in ("close_gone_flags", "open_new_flags"):
        night.run(statement(_STEM, name), run_id=night.run_id)
    for name in ("mend_closed_flags", "reopen_flags"):
        night.run(statement(_STEM, name))


def _status_conditions(of_cases: pl.DataFrame) -> pl.DataFrame:
    """Return whether each occasion of a case is stuck, and whether it is deteriorating.

    Where the measure that decides has grown stale nobody looked: the flag stays as it was.
    """
    looked_at = of_cases.filter(pl.col("code") != "stale")
    return pl.concat(
        looked_at.select(
            "case_id",
            kind=pl.lit(kind),
            series=pl.lit("case"),
            measure_id="decided_by",
            occasion="occasion",
            day="day",
            holds=pl.col("status") == kind,
        )
        for kind in ("stuck", "deteriorating")
    )


def _alliance_conditions(of_cases: pl.DataFrame, alliance: pl.DataFrame) -> pl.DataFrame:
    """Return, per rating, low, dropped, and at the ceiling while the outcome does not move."""
    progress = of_cases.sort(pl.coalesce("day", "at")).select(
        "case_id",
        moment=pl.coalesce("day", "at"),
        does_not_move=pl.col("status").is_in(["stuck", "deteriorating"])
        | ((pl.col("status") == "watch") & pl.col("code").is_in(_NO_PROGRESS)),
    )
    rated = (
        alliance.with_columns(moment=pl.coalesce("day", "at"))
        .sort("moment")
        .join_asof(
            progress.sort("moment"),
            on="moment",
            by="case_id",
            strategy="backward",
            check_sortedness=False,
        )
        .with_columns(
            is_stuck_at_ceiling=pl.col("is_ceiling")
            & pl.col("does_not_move").fill_null(value=False)
        )
    )
    conditions = {
        "alliance_low": "is_low",
        "alliance_drop": "is_dropped",
        "alliance_ceiling": "is_stuck_at_ceiling",
    }
    return pl.concat(
        rated.select(
            "case_id",
            kind=pl.lit(kind),
            series="measure_id",
            measure_id="measure_id",
            occasion="occasion",
            day="day",
            holds=column,
        )
        for kind, column in conditions.items()
    )


def _safety_conditions(night: Night) -> pl.DataFrame:
    parts = [
        (measure.measure_id, part.subscale)
        for measure in night.measures.values()
        for part in measure.subscales
        if part.safety
    ]
    night.run("create or replace temp table safety_subscales (measure_id text, subscale text)")
    night.insert(
        "safety_subscales",
        pl.DataFrame(parts, schema={"measure_id": pl.String, "subscale": pl.String}, orient="row"),
    )
    answers = safety_points(night.frame(statement(_STEM, "safety_items")), night.measures)
    return answers.select(
        "case_id",
        kind=pl.lit("safety"),
        series=pl.col("measure_id") + "/" + pl.col("subscale"),
        measure_id=pl.col("measure_id") + "/" + pl.col("subscale"),
        occasion="occasion",
        day="day",
        holds="is_open",
    )
