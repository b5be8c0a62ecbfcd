"""Step 5, course: each touched case's scores in order, from its baseline on.

In: scores, sessions, cases of touched cases. Out: `courses`, `course_points` (without the expected
course), renewed for the touched cases. Rule: status_rule.md, baseline and symbols.
"""

from __future__ import annotations

import polars as pl

from pipelines.night import Counts, Night
from pipelines.sql import statement

_STEM = "step_5_course"
# Tables with rows per case that a night renews for the cases it touches.
RENEWED = ("course_points", "statuses", "current_statuses", "reasons", "alliance_points")

# A measure got worse in most cases, by this part of its range: perhaps it is upside down.
_DOUBTFUL_SHARE = 0.05
_DOUBTFUL_CASES = 20


def course(night: Night) -> Counts:
    """Put scores in order, find the baseline, and count gains from it."""
    night.run(
        "create or replace temp table known_senders as "
        "select distinct coalesce(cases.site_id, '') as site_id "
        "from courses inner join cases on courses.source_case_id = cases.case_id "
        "semi join course_points on course_points.case_id = courses.case_id "
        "and course_points.sessions_attended is not null"
    )
    night.run(statement(_STEM, "sending_sites"))
    night.run(statement(_STEM, "touch_new_senders"))
    night.run("create or replace temp table touched as select distinct case_id from touched")
    night.run("drop table if exists measure_facts")
    night.run(
        "create temp table measure_facts (measure_id text, subscale text, direction double, "
        "role text, rater text)"
    )
    night.insert("measure_facts", measure_facts(night))
    for table in RENEWED:
        night.run(statement(_STEM, "forget", table=table))
    night.run(statement(_STEM, "forget_courses"))
    thresholds = night.rule.thresholds
    night.run(statement(_STEM, "scored"))
    night.run(
        statement(_STEM, "courses"), new_course_after=night.settings.care.new_course_after_days
    )
    night.run(statement(_STEM, "course_sessions"))
    night.run(statement(_STEM, "placed"))
    night.run(
        statement(_STEM, "baselines"),
        baseline_days=thresholds.baseline_days,
        baseline_sessions=thresholds.baseline_sessions,
    )
    night.run(statement(_STEM, "course_points"), pair_days=thresholds.pair_days)
    _warn_of_upside_down_measures(night)
    return Counts(
        rows_in=night.number("select count(*) from scored"),
        rows_out=night.number("select count(*) from placed"),
    )


def measure_facts(night: Night) -> pl.DataFrame:
    """Return direction, role and judged rater of every measure and subscale."""
    return pl.DataFrame(
        [
            (measure.measure_id, subscale, float(measure.direction), measure.role, measure.rater)
            for measure in night.measures.values()
            for subscale in ("total", *(part.subscale for part in measure.subscales))
        ],
        schema={
            "measure_id": pl.String,
            "subscale": pl.String,
            "direction": pl.Float64,
            "role": pl.String,
            "rater": pl.String,
        },
        orient="row",
    )


def _warn_of_upside_down_measures(night: Night) -> None:
    """Warn where scores on the whole move the wrong way: perhaps the scale is reversed."""
    ranges = {
        name: measure.maximum - measure.minimum
        for name, measure in night.measures.items()
        if measure.role == "outcome"
    }
    for measure_id, cases, mean_gain in night.rows(
        "select measure_id, count(*), avg(gain) from ("
        "select measure_id, gain from course_points "
        "where subscale = 'total' and has_baseline and occasion >= 2 "
        "qualify row_number() over (partition by case_id, measure_id, rater "
        "order by occasion desc) = 1) group by measure_id order by measure_id"
    ):
        span = ranges.get(measure_id)
        if span and cases >= _DOUBTFUL_CASES and mean_gain <= -_DOUBTFUL_SHARE * span:
            night.warnings.append(
                f"{measure_id}: over {cases} cases scores move the wrong way on the whole "
                "(worse from first to last). If the scale is recorded upside down, map it with "
                "reversed = true"
            )
