"""Step 9, drift: are the models in use still right?

In: past cases, models in use with their references (model_shelf.py). Out: `published_models`,
`published_drift` (for managers and analysts, on the screen Runs). Inputs are those of cases that
came to the landmark in the last quarter; calibration is that of cases that ended after the last end
a model learned from, so that it has not seen them. Small counts are hidden before anything is
written. Nothing here changes what is in use; what cannot be looked at is a warning of the night.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from data_contracts.contract import Table
from data_contracts.errors import UnstuckError
from data_contracts.measure import Measure
from data_contracts.suppression import SuppressionRule, suppression_rule
from data_contracts.tables_published import PUBLISHED_DRIFT, PUBLISHED_MODELS
from models.case_ends import Outcome, case_ends
from models.drift import CalibrationDrift, calibration_drift, inputs_drift
from models.drift_words import (
    Concern,
    advice,
    calibration_sentence,
    concern_of,
    inputs_sentence,
    model_sentence,
    outcome_words,
)
from models.feature_words import feature_words
from models.known_at import arrivals, known_at
from models.known_so_far import known_so_far
from models.landmarks import Landmark
from models.model_card import shown_count
from models.past_cases import PastCases
from pipelines.model_shelf import (
    ReadyModel,
    card_on_shelf,
    figures_told_first,
    models_for_the_night,
    reference_on_shelf,
    warn_of_no_answer,
)
from pipelines.models_in_use import Shelved
from pipelines.night import Night
from pipelines.reading_past import past_cases

RECENT_DAYS = 91
"""Inputs are looked at over a quarter."""
_DECIMALS = 3
Row = dict[str, Any]


def summarise_drift(night: Night) -> int:
    """Look at every model in use; return how many rows are published."""
    try:
        models, drift = _models_and_drift(night)
    except UnstuckError as error:
        night.warnings.append(f"drift of the models in use is left out of this night: {error}")
        models, drift = [], []
    night.make(PUBLISHED_MODELS.name, _frame(PUBLISHED_MODELS, models))
    night.make(PUBLISHED_DRIFT.name, _frame(PUBLISHED_DRIFT, drift))
    return len(models) + len(drift)


def _models_and_drift(night: Night) -> tuple[list[Row], list[Row]]:
    ready = models_for_the_night(night)
    rule = suppression_rule(night.settings.publishing.suppression)
    models: list[Row] = []
    drift: list[Row] = []
    pasts: dict[str, tuple[PastCases, pl.DataFrame]] = {}
    for shelved in night.in_use.all_current:
        model, measure = ready.get(shelved.place), night.measures.get(shelved.measure_id)
        # A contract may have been changed since the training.
        lost = measure and Outcome(name=shelved.outcome).needs(measure)
        if lost:
            night.warnings.append(_unusable_words(shelved, lost))
            models.append(_model_row(night, shelved, measure, rule, "unusable", lost))
            continue
        reference = reference_on_shelf(night.places, shelved.version, shelved.place)
        if model is None or measure is None or reference is None:
            lacking: Concern = "unusable" if model is None or measure is None else "unknown"
            models.append(_model_row(night, shelved, measure, rule, lacking))
            continue
        if measure.measure_id not in pasts:
            past = _past(night, measure)
            pasts[measure.measure_id] = (past, known_so_far(past))
        past, known = pasts[measure.measure_id]
        inputs = _inputs(night, past, known, shelved.outcome, reference)
        try:
            calibration = _calibration(past, known, model, reference)
        except Exception as error:  # noqa: BLE001 - a model of another version; the night goes on
            warn_of_no_answer(night, model, error)
            models.append(_model_row(night, shelved, measure, rule, "unusable"))
            continue
        models.append(_model_row(night, shelved, measure, rule, concern_of(inputs, calibration)))
        drift += _drift_rows(shelved, inputs, calibration, reference, rule)
    return models, drift


def _unusable_words(shelved: Shelved, lacking: str) -> str:
    outcome = shelved.outcome.replace("_", " ")
    return (
        f"the model in use for {shelved.measure_id}, {outcome}, says nothing and the status rule "
        f"stands in: {lacking}"
    )


def _past(night: Night, measure: Measure) -> PastCases:
    past = past_cases(
        night.connection,
        measure,
        measures=night.measures,
        drop_out_codes=night.settings.care.drop_out_codes,
    )
    from pipelines.reading_reviews import (  # SQLAlchemy: 0.4 s, for homes with a model only
        on_practice_days,
        review_days,
        with_reviews,
    )

    runs = night.frame("select run_id, as_of, started_at from runs")
    return with_reviews(past, on_practice_days(review_days(night.places, night.settings), runs))


def _inputs(
    night: Night, past: PastCases, known: pl.DataFrame, outcome: str, reference: Row
) -> pl.DataFrame:
    """Return how the inputs of cases that came to the landmark in the last quarter lie."""
    rows = arrivals(past, known, outcome, Landmark.named(reference["landmark"]))
    if night.as_of is None:
        rows = rows.head(0)
    else:
        rows = rows.filter(pl.col("practice_day") > night.as_of - RECENT_DAYS)
    return inputs_drift(reference["inputs"], rows)


def _calibration(
    past: PastCases, known: pl.DataFrame, ready: ReadyModel, reference: Row
) -> CalibrationDrift:
    """Return whether chances came true among cases that ended after the training."""
    until = reference.get("learned_until")
    if until is None:
        return CalibrationDrift(n=0)
    outcome = ready.shelved.outcome
    ends = case_ends(past, Outcome(name=outcome)).filter(
        pl.col("ended_on") > until, pl.col("reviewed_on").is_null()
    )
    rows = known_at(
        known, ends, Landmark.named(reference["landmark"]), reference["later_scores"], outcome
    )
    said = ready.model.predict(rows).probability if rows.height else np.empty(0)
    return calibration_drift(
        rows["is_bad"].cast(pl.Boolean).to_numpy(), said, brier_then=reference.get("brier")
    )


def _model_row(
    night: Night,
    shelved: Shelved,
    measure: Measure | None,
    rule: SuppressionRule,
    concern: Concern,
    lacking: str | None = None,
) -> Row:
    card = card_on_shelf(night.places, shelved.version, shelved.place)
    figures = None if card is None else figures_told_first(card)
    count = shown_count(shelved.case_count, rule)
    since = night.in_use.since(*shelved.place)
    return {
        **_about(shelved),
        "measure_name": measure.name if measure else shelved.measure_id,
        "outcome_words": outcome_words(shelved.outcome),
        "in_use_since": None if since is None else since.replace(tzinfo=None),
        "case_count": count,
        "landmark": figures["landmark"] if figures else None,
        **{name: figures[name] if figures else None for name in ("auc", "auc_low", "auc_high")},
        "concern": concern,
        "sentence": model_sentence(version=shelved.version, case_count=count, figures=figures),
        "advice": advice(
            concern, measure_id=shelved.measure_id, outcome=shelved.outcome, lacking=lacking
        ),
    }


def _drift_rows(
    shelved: Shelved,
    inputs: pl.DataFrame,
    calibration: CalibrationDrift,
    reference: Row,
    rule: SuppressionRule,
) -> list[Row]:
    """Return a row for all inputs, one for each of them, and one for the calibration."""
    about = _about(shelved)
    newest = reference.get("newest")
    recent = int(inputs["recent_cases"].max() or 0)  # type: ignore[arg-type]  # whole numbers
    empty: Row = dict.fromkeys(("value", "low", "high", "share_then", "share_now"))
    rows: list[Row] = [
        about | empty | {
            "kind": "inputs",
            "feature": "",
            "feature_words": "what goes into the model",
            "case_count": shown_count(recent, rule),
            "verdict": _gravest(inputs),
            "sentence": inputs_sentence(inputs),
        },
        about | empty | {
            "kind": "calibration",
            "feature": "",
            "feature_words": "what came of its chances",
            "case_count": shown_count(calibration.n, rule),
            "value": _told(calibration.gap),
            "low": _told(calibration.gap_low),
            "high": _told(calibration.gap_high),
            "share_then": _told(calibration.brier_then),
            "share_now": _told(calibration.brier),
            "verdict": calibration.verdict,
            "sentence": calibration_sentence(calibration, newest, shelved.outcome, rule),
        },
    ]  # fmt: skip
    return rows + [about | empty | _input_row(each, rule) for each in inputs.iter_rows(named=True)]


def _input_row(each: Row, rule: SuppressionRule) -> Row:
    return {
        "kind": "input",
        "feature": each["feature"],
        "feature_words": feature_words(each["feature"]),
        "case_count": shown_count(each["recent_cases"], rule),
        "value": _told(each["stability_index"]),
        "high": _told(each["by_chance"]),
        "share_then": _told(each["not_known_then"]),
        "share_now": _told(each["not_known_now"]),
        "verdict": each["verdict"],
        "sentence": "",
    }


def _gravest(inputs: pl.DataFrame) -> str:
    found = set(inputs["verdict"])
    return next(
        (each for each in ("moved_clearly", "moved", "as_before") if each in found), "too_few"
    )


def _about(shelved: Shelved) -> Row:
    return {
        "measure_id": shelved.measure_id,
        "outcome": shelved.outcome,
        "version": shelved.version,
    }


def _told(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)


def _frame(table: Table, rows: list[Row]) -> pl.DataFrame:
    kinds = {
        "text": pl.String(),
        "bigint": pl.Int64(),
        "double": pl.Float64(),
        "timestamp": pl.Datetime("us"),
    }
    return pl.DataFrame(rows, schema={each.name: kinds[each.type] for each in table.columns})
