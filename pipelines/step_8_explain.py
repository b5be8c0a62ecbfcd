"""Step 8, explain: the reason for every status and flag in words, and the queue they make.

In: statuses, flags, alliance_points, current_statuses, outlooks. Out: `reasons` of the touched
cases (and of stale ones), `published_queue` in the order of need (step_8_need.py); `lenses`
(step_8_lenses.py). Wording: data_contracts/wording.toml.
"""

from __future__ import annotations

import polars as pl

from data_contracts.wording import templates
from models.case_reasons import (
    alliance_reasons,
    disagreement_reasons,
    safety_reasons,
    stale_reasons,
)
from models.reasons import status_reasons
from pipelines.night import Counts, Night
from pipelines.sql import statement
from pipelines.step_8_lenses import look, look_at_therapists
from pipelines.step_8_need import weigh

_STEM = "step_8_explain"


def explain(night: Night) -> Counts:
    """Write the sentences, and put open cases worth talking about in order."""
    night.run("delete from reasons where case_id in (select case_id from touched_courses)")
    night.run("delete from reasons where code = 'cannot_judge.stale'")
    judged = night.frame(statement(_STEM, "judged"))
    statuses = night.frame(statement(_STEM, "touched_statuses"))
    is_case = pl.col("measure_id") == "case"
    written = 0
    for reasons in (
        status_reasons(judged, night.measures, night.rule.thresholds),
        disagreement_reasons(statuses.filter(is_case), statuses.filter(~is_case), night.measures),
        alliance_reasons(
            night.frame(statement(_STEM, "alliance_flagged")),
            night.frame("select * from alliance_points semi join touched_courses using (case_id)"),
            night.measures,
            night.rule.thresholds,
        ),
        safety_reasons(night.frame(statement(_STEM, "safety_flagged")), night.measures),
        stale_reasons(night.frame(statement(_STEM, "stale")), night.measures),
    ):
        written += night.insert("reasons", reasons)
    _name_things(night)
    weigh(night)
    night.run(statement(_STEM, "queue"))
    written += look(night)
    look_at_therapists(night)
    return Counts(rows_in=judged.height, rows_out=written)


def _name_things(night: Night) -> None:
    """Put names of measures and statuses where SQL can join them."""
    night.run(
        "create or replace temp table measure_names (measure_id text, name text, minimum double, "
        "maximum double, reliable_change double, is_verified boolean)"
    )
    wholes = [
        (measure.measure_id, measure.name, float(measure.minimum), float(measure.maximum),
         measure.reliable_change_points, measure.is_verified)
        for measure in night.measures.values()
    ]  # fmt: skip
    parts = [
        (f"{measure.measure_id}/{part.subscale}", part.name, float(part.minimum),
         float(part.maximum), None, part.verified)
        for measure in night.measures.values()
        for part in measure.subscales
    ]  # fmt: skip
    night.insert(
        "measure_names",
        pl.DataFrame(
            wholes + parts,
            schema={
                "measure_id": pl.String,
                "name": pl.String,
                "minimum": pl.Float64,
                "maximum": pl.Float64,
                "reliable_change": pl.Float64,
                "is_verified": pl.Boolean,
            },
            orient="row",
        ),
    )
    night.run("create or replace temp table status_words (status text, words text)")
    night.insert(
        "status_words",
        pl.DataFrame(
            list(templates("status_words").items()),
            schema={"status": pl.String, "words": pl.String},
            orient="row",
        ),
    )
