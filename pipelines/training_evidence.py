"""What does a training put before the screens: how good are the flags, and which models are in use?

Back-tests with what each number of cases a week would catch, and the cards of the models in use.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.suppression import suppression_rule
from models.alarm_budget import alarm_budget, caseload_per_supervisor
from models.backtest import Backtest
from models.budget_words import with_budget_words
from models.model_card import MODEL
from models.past_cases import PastCases
from models.trained_outlook import TrainedOutlook
from pipelines.evidence import EvidenceCard, write_evidence
from pipelines.model_shelf import card_on_shelf, card_text_on_shelf
from pipelines.models_in_use import InUse
from pipelines.opening_past import GivenPast


def publish_evidence(
    places: Places,
    trained: list[TrainedOutlook],
    pasts: list[GivenPast],
    started_at: datetime,
    state: InUse,
) -> None:
    """Put back-tests and the cards of models in use before the screens, if there are any.

    Parameters
    ----------
    state
        What will be in use: it is written after this, so that a failure here changes nothing.
    """
    settings = pasts[0].settings
    of_measure = {given.past.measure.measure_id: given.past for given in pasts}
    told = [
        _with_budget(each.backtest, of_measure[each.measure_id], settings)
        for each in trained
        if each.backtest is not None
    ]
    if not told:
        return
    write_evidence(
        places,
        told,
        cards=_cards_in_use(places, state),
        made_at=started_at,
        suppression=settings.publishing.suppression,
        measure_names={given.past.measure.measure_id: given.past.measure.name for given in pasts},
        snapshots_kept=settings.publishing.snapshots_kept,
    )


def _with_budget(tested: Backtest, past: PastCases, settings: Settings) -> dict[str, Any]:
    """Return a back-test with what every number of cases a week would catch and miss.

    Only cases the outlook spoke of can come up, so only they are a supervisor's load here: who
    began outside the clinical range is not asked about the primary end.
    """
    told = tested.as_json()
    if "budget" in told:
        return told
    spoken_of = tested.predictions.filter(pl.col("rule") == MODEL).drop_nulls("probability")
    cases = past.cases.join(spoken_of, on="case_id", how="semi", maintain_order="left")
    budget = alarm_budget(
        tested.predictions,
        suppression_rule(settings.publishing.suppression),
        open_cases=caseload_per_supervisor(cases),
    )
    return {**told, "budget": with_budget_words(budget, told["outcome"]).to_dicts()}


def _cards_in_use(places: Places, state: InUse) -> list[EvidenceCard]:
    """Return the cards of the models in use; of one whose card is gone, none."""
    found = []
    for shelved in state.all_current:
        content = card_on_shelf(places, shelved.version, shelved.place)
        text = card_text_on_shelf(places, shelved.version, shelved.place)
        if content is None or text is None:
            continue
        found.append(
            EvidenceCard(
                measure_id=shelved.measure_id,
                outcome=shelved.outcome,
                version=shelved.version,
                trained_at=state.since(*shelved.place),
                markdown=text,
                content=content,
            )
        )
    return found
