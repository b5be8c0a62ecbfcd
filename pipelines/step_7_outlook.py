"""Step 7, outlook: how open cases may end, from what is known so far and the models in use.

In: course_points, courses, sessions, case_facts. Out: `outlooks` of the touched open cases, as of
their last score. Where there is no model in use, or it refuses, the row says why and which rule
stands in. Which models are in use is part of the contract version, so that another model says it
anew of every case. Beside the statuses and flags, which never look at it.
"""

from __future__ import annotations

import polars as pl

from data_contracts.measure import Measure
from data_contracts.suppression import suppression_rule
from data_contracts.tables_judged import OUTLOOK_OUTCOMES
from models.case_ends import PRIMARY, Outcome
from models.known_so_far import known_so_far
from models.outlook_words import with_outlook_words
from pipelines.model_shelf import ReadyModel, models_for_the_night, warn_of_no_answer
from pipelines.night import Night
from pipelines.reading_past import past_cases
from pipelines.sql import statement

_STEM = "step_7_outlook"
_DECIMALS = 4  # a chance is not known better, and sums in another order differ beyond
_NOT_ASKED, _NO_MODEL, _NO_SCORE = "not_asked", "no_model", "no_later_score"


def outlook(night: Night) -> None:
    """Write how the touched open cases may end; closed ones have no outlook."""
    night.run(statement(_STEM, "forget"))
    ready = models_for_the_night(night)
    suppression = suppression_rule(night.settings.publishing.suppression)
    for (measure_id,) in night.rows(statement(_STEM, "open_measures")):
        if measure_id not in night.measures:
            continue
        measure = night.measures[measure_id]
        models = {
            outcome: ready.get((measure_id, outcome))
            for outcome in OUTLOOK_OUTCOMES
            if outcome == PRIMARY or (measure_id, outcome) in ready
        }
        night.run(statement(_STEM, "asked_cases"), measure_id=measure_id)
        last = _last_known(night, measure)
        found = pl.concat(
            _said(night, last, outcome, measure, model) for outcome, model in models.items()
        )
        night.insert(
            "outlooks",
            with_outlook_words(found, night.measures, suppression).drop("past_cases"),
        )


def _last_known(night: Night, measure: Measure) -> pl.DataFrame:
    """Return what is known of each case asked at its last score, and `starts_clinical`.

    A case without a score after its baseline has `occasion` 0 and nothing known.
    """
    past = past_cases(
        night.connection,
        measure,
        measures=night.measures,
        drop_out_codes=night.settings.care.drop_out_codes,
        among="asked_cases",
    )
    known = known_so_far(past).unique("case_id", keep="last", maintain_order=True)
    first = past.points.filter("has_baseline", occasion=0).select("case_id", "baseline")
    direction = float(measure.direction)
    is_clinical = (
        pl.lit(value=True)
        if measure.cutoff is None
        else direction * pl.col("baseline") >= direction * measure.cutoff
    )
    return (
        first.select("case_id", starts_clinical=is_clinical)
        .join(known, on="case_id", how="left", maintain_order="left")
        .with_columns(pl.col("occasion").fill_null(0).cast(pl.Int64))
    )


def _said(
    night: Night, last: pl.DataFrame, outcome: str, measure: Measure, ready: ReadyModel | None
) -> pl.DataFrame:
    """Return the outlook of each case on one outcome: a chance, or why there is none."""
    lacks = ready is None or Outcome(name=outcome).needs(measure) is not None
    rows = last.with_columns(
        reason=pl.when(~pl.col("starts_clinical") & (outcome == PRIMARY))
        .then(pl.lit(_NOT_ASKED))
        .when(pl.col("occasion") == 0)
        .then(pl.lit(_NO_SCORE))
        .when(pl.lit(lacks))
        .then(pl.lit(_NO_MODEL))
    ).with_columns(probability=pl.lit(None, pl.Float64))
    if ready is not None:
        is_asked = pl.col("reason").is_null()
        asked = rows.filter(is_asked)
        rows = pl.concat([rows.filter(~is_asked), _answered(night, asked, ready)])
    return rows.select(
        "case_id",
        "occasion",
        "probability",
        "reason",
        measure_id=pl.lit(measure.measure_id),
        outcome=pl.lit(outcome),
        model_version=pl.lit(ready.version if ready else None, pl.String),
        past_cases=pl.lit(ready.shelved.case_count if ready else None, pl.Int64),
    ).sort("case_id")


def _answered(night: Night, asked: pl.DataFrame, ready: ReadyModel) -> pl.DataFrame:
    """Return the cases with what the model says of them, or why it says nothing."""
    if asked.is_empty():
        return asked
    try:
        answer = ready.model.predict(asked)
    except Exception as error:  # noqa: BLE001 - a model of another version; the night goes on
        warn_of_no_answer(night, ready, error)
        return asked.with_columns(reason=pl.lit(_NO_MODEL))
    return asked.with_columns(
        pl.Series("probability", answer.probability, nan_to_null=True).round(_DECIMALS),
        pl.Series("reason", answer.reason.tolist(), dtype=pl.String),
    )
