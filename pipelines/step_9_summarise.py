"""Step 9, summarise: what the practice as a whole may see, small numbers suppressed.

In: current_statuses, course_points, cases, sessions, quarantine. Out: `published_trends`,
`published_trend_groups`, `published_funnel`, `published_talking_therapies`, `published_caseload`
(step_9_caseload.py), `published_follow_up` (step_9_follow_up.py), `published_models` and
`published_drift` (step_9_drift.py), `published_quarantine`.
Suppression: models/trend_tables.py with the practice's preset; England's official outcomes with
England's rule where that is stricter.
"""

from __future__ import annotations

import polars as pl

from data_contracts.suppression import official_suppression, suppression_rule
from data_contracts.tables_judged import STATUSES_IN_ORDER
from data_contracts.talking_therapies import TalkingTherapiesRule, talking_therapies_rule
from data_contracts.wording import templates
from models.talking_therapies import talking_therapies_outcomes
from models.talking_therapies_rates import published_outcomes
from models.trend_counts import status_counts, trend_counts
from models.trend_tables import trend_tables
from pipelines.night import Counts, Night
from pipelines.reading_past import DROP_OUT_CODES
from pipelines.sql import statement
from pipelines.step_9_caseload import summarise_caseload
from pipelines.step_9_drift import summarise_drift
from pipelines.step_9_follow_up import summarise_follow_up

_STEM = "step_9_summarise"


def summarise(night: Night) -> Counts:
    """Count, suppress, and put side by side what was set aside."""
    night.run(
        "create or replace temp table measure_lines "
        "(measure_id text, direction double, cutoff double)"
    )
    night.insert(
        "measure_lines",
        pl.DataFrame(
            [
                (measure.measure_id, float(measure.direction), measure.cutoff)
                for measure in night.measures.values()
            ],
            schema={"measure_id": pl.String, "direction": pl.Float64, "cutoff": pl.Float64},
            orient="row",
        ),
    )
    for name in (
        "quarter_of",
        "month_of",
        "problem_of",
        "spelling_of",
        "groups_of_cases",
        "primary_measures",
        "closed_outcomes",
    ):
        night.run(statement(_STEM, name))
    night.run("create or replace temp table drop_out_spellings (code text)")
    codes = [*DROP_OUT_CODES, *night.settings.care.drop_out_codes]
    night.insert("drop_out_spellings", pl.DataFrame({"code": codes}, schema={"code": pl.String}))
    night.run(statement(_STEM, "drop_out_codes"))
    counted, published = _trends(night)
    others = _official_outcomes(night) + summarise_caseload(night) + summarise_follow_up(night)
    others += summarise_drift(night)
    night.run("create or replace temp table rule_words (rule_id text, explanation text)")
    night.insert(
        "rule_words",
        pl.DataFrame(
            list(templates("quarantine").items()),
            schema={"rule_id": pl.String, "explanation": pl.String},
            orient="row",
        ),
    )
    night.run(statement(_STEM, "quarantine"))
    return Counts(rows_in=counted, rows_out=published + others)


def _trends(night: Night) -> tuple[int, int]:
    """Count, hide small numbers; return how many counts there are and how many rows are shown."""
    counted = status_counts(night.frame(statement(_STEM, "status_now")), STATUSES_IN_ORDER)
    rule = suppression_rule(night.settings.publishing.suppression)
    for family in ("ended_cases", "started_cases", "offered_sessions"):
        marks = night.frame(statement(_STEM, family))
        counted = counted.with_more(trend_counts(marks, family, hide_up_to=rule.hide_up_to))
    tables = trend_tables(counted, rule)
    night.make("published_trends", tables.trends)
    night.make("published_trend_groups", tables.groups)
    night.make("published_funnel", tables.funnel)
    rows = tables.trends.height + tables.groups.height + tables.funnel.height
    return len(counted.counts), rows


def _official_outcomes(night: Night) -> int:
    """Judge the ended cases by England's rule and keep what may be shown; return its rows."""
    rule = talking_therapies_rule()
    ended = night.frame(statement(_STEM, "official_cases"))
    codes = _spoken_codes(ended["problem_code"], rule, night.settings.care.problem_measures)
    cases = ended.with_columns(pl.col("problem_code").replace(codes))
    scores = night.frame(statement(_STEM, "official_scores"))
    outcomes = talking_therapies_outcomes(scores, cases, rule).with_columns(cases["period"])
    shown = published_outcomes(
        outcomes,
        measures=tuple(measure for measure in rule.thresholds if measure != rule.depression),
        rule=official_suppression(night.settings.publishing.suppression),
    )
    night.make("published_talking_therapies", shown)
    return shown.height


def _spoken_codes(
    codes: pl.Series, rule: TalkingTherapiesRule, problem_measures: dict[str, str]
) -> dict[str, str]:
    """Return the rule's word for each code that only the practice's settings explain."""
    words = {measure: problem.words[0] for problem in rule.problems for measure in problem.measures}
    return {
        code: words[problem_measures[code]]
        for code in codes.drop_nulls().unique()
        if rule.problem_of(code) is None and problem_measures.get(code) in words
    }
