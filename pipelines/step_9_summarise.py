"""Step 9, summarise: what the practice as a whole may see, small numbers suppressed.

In: current_statuses, course_points, cases, sessions, quarantine. Out: `published_trends`,
`published_talking_therapies`, `published_caseload` (step_9_caseload.py), `published_quarantine`.
Suppression: models/suppression.py with the practice's preset; England's official outcomes with
England's rule where that is stricter.
"""

from __future__ import annotations

import polars as pl

from data_contracts.suppression import official_suppression, suppression_rule
from data_contracts.talking_therapies import TalkingTherapiesRule, talking_therapies_rule
from data_contracts.wording import templates
from models.suppression import suppress
from models.talking_therapies import talking_therapies_outcomes
from models.talking_therapies_rates import published_outcomes
from pipelines.night import Counts, Night
from pipelines.sql import statement
from pipelines.step_9_caseload import summarise_caseload

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
    night.run(statement(_STEM, "quarter_of"))
    night.run(statement(_STEM, "closed_outcomes"))
    counts = night.frame(statement(_STEM, "counts"))
    trends = suppress(counts, suppression_rule(night.settings.publishing.suppression))
    night.make("published_trends", trends)
    others = _official_outcomes(night) + summarise_caseload(night)
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
    return Counts(rows_in=counts.height, rows_out=trends.height + others)


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
