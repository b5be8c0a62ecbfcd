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
RENEWED = (
    "course_points",
    "statuses",
    "current_statuses",
    "reasons",
    "alliance_points",
    "events",
    "forecasts",
    "lenses",
)

# A measure got worse in most cases, by this part of its range: perhaps it is upside down.
_DOUBTFUL_SHARE = 0.05
_DOUBTFUL_CASES = 20
# Two outcome measures of the same cases correlate over time by this or less, and by so many
# standard errors: perhaps one of them is. All four numbers are chosen.
_DOUBTFUL_CORRELATION = -0.3
_DOUBTFUL_STANDARD_ERRORS = 3.0


def course(night: Night) -> Counts:
    """Put scores in order, find the baseline, and count gains from it."""
    night.run(statement(_STEM, "sending_sites"))
    night.run(statement(_STEM, "touch_where_counting_changed"))
    night.run("create or replace temp table touched as select distinct case_id from touched")
    night.run("drop table if exists measure_facts")
    night.run(
        "create temp table measure_facts (measure_id text, subscale text, direction double, "
        "reliable_change double, role text, rater text)"
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
    _warn_of_cases_without_sessions(night)
    _warn_of_mixed_clocks(night)
    return Counts(
        rows_in=night.number("select count(*) from scored"),
        rows_out=night.number("select count(*) from placed"),
    )


def measure_facts(night: Night) -> pl.DataFrame:
    """Return direction, reliable change, role and judged rater of every measure and subscale."""
    return pl.DataFrame(
        [
            (
                measure.measure_id,
                subscale,
                float(measure.direction),
                measure.reliable_change_points,
                measure.role,
                measure.rater,
            )
            for measure in night.measures.values()
            for subscale in ("total", *(part.subscale for part in measure.subscales))
        ],
        schema={
            "measure_id": pl.String,
            "subscale": pl.String,
            "direction": pl.Float64,
            "reliable_change": pl.Float64,
            "role": pl.String,
            "rater": pl.String,
        },
        orient="row",
    )


def _warn_of_mixed_clocks(night: Night) -> None:
    """Warn where a measure comes by session number and by day, and some scores have no day."""
    for measure_id, cases in night.rows(statement(_STEM, "mixed_clocks")):
        night.warnings.append(
            f"{measure_id}: {cases} cases have scores by session number and scores by day that "
            "cannot be put in one order: map the day of every score (or the sessions' days). "
            "Do not rely on their statuses until then"
        )


def _warn_of_cases_without_sessions(night: Night) -> None:
    """Warn where a site sends sessions but none for some cases that have scores."""
    count = night.number(statement(_STEM, "cases_without_sessions"))
    if count:
        night.warnings.append(
            f"{count} cases have scores but no session, at sites that send sessions: until one "
            "comes they count as not yet treated and stay too early to judge"
        )
    if unplaced := night.number(statement(_STEM, "unplaced_sites")):
        night.warnings.append(
            f"{unplaced} sites send sessions without days, and scores without the number of their "
            "session: nothing tells which came first, so their scores are counted in place of "
            "sessions. Send the day of each session, or the session of each score"
        )


def _warn_of_upside_down_measures(night: Night) -> None:
    """Warn where scores on the whole move the wrong way: perhaps the scale is reversed."""
    ranges = {
        name: measure.maximum - measure.minimum
        for name, measure in night.measures.items()
        if measure.role == "outcome"
    }
    for measure_id, cases, mean_gain in night.rows(statement(_STEM, "mean_gains")):
        span = ranges.get(measure_id)
        if span and cases >= _DOUBTFUL_CASES and mean_gain <= -_DOUBTFUL_SHARE * span:
            night.warnings.append(
                f"{measure_id}: over {cases} cases scores move the wrong way on the whole "
                "(worse from first to last). If the scale is recorded upside down, map it with "
                "reversed = true"
            )
    for one, other, cases, correlation in night.rows(
        statement(_STEM, "opposite_measures"),
        least_cases=_DOUBTFUL_CASES,
        doubtful_correlation=_DOUBTFUL_CORRELATION,
        standard_errors=_DOUBTFUL_STANDARD_ERRORS,
    ):
        night.warnings.append(
            f"{one} and {other}: over {cases} cases they move in opposite directions over time "
            f"(one better while the other gets worse; correlation {correlation:.2f}). If one of "
            "the scales is recorded upside down, map it with reversed = true"
        )
