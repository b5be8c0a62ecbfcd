"""A model is learned from what may be learned from, and used only where it holds its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from data_contracts.suppression import suppression_rule
from models import backtest as backtest_module
from models import model_contest, trained_outlook
from models.case_ends import PRIMARY
from models.known_so_far import known_so_far
from models.landmarks import Landmark
from models.model_contest import Rival, Terms
from models.past_cases import PastCases
from models.trained_outlook import TrainedOutlook

PHQ9 = built_in_measures()["phq9"]
SCORES = 9
TERMS = Terms(
    rule=status_rule(),
    suppression=suppression_rule("default"),
    version="v1",
    packages={},
    minimum_cases=100,
    minimum_bad=20,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask two rules at one landmark: what is tested here is what is made of the back-test."""
    asked = partial(
        backtest_module.backtest,
        landmarks=[Landmark.named("4")],
        rules=("outlook", "naive_two_score"),
        resamples=60,
    )
    monkeypatch.setattr(trained_outlook, "backtest", asked)


def practice(size: int = 400, *, seed: int = 1, told: bool = True) -> PastCases:
    """Return cases of nine scores a week apart, one case ending every second day.

    told: whether the course says anything of the end.
    """
    random = np.random.default_rng(seed)
    slope = random.choice([-1.4, 0.0], size=size, p=[0.6, 0.4])
    first = random.integers(12, 24, size)
    case, occasion = np.repeat(np.arange(size), SCORES), np.tile(np.arange(SCORES), size)
    value = first[case] + slope[case] * occasion + random.normal(0, 1.5, size * SCORES)
    if not told:
        value = first[case] + random.normal(0, 1.5, size * SCORES)
        last = occasion == SCORES - 1
        value[last] = np.where(slope < 0, 4.0, first)
    value = np.clip(np.rint(np.where(occasion == 0, first[case], value)), 0, 27)
    started = 2 * np.arange(size)
    points = pl.DataFrame(
        {
            "case_id": [f"c{number:04}" for number in case],
            "occasion": occasion,
            "value": value,
            "days": 7 * occasion,
            "day": 7 * occasion,
            "practice_day": started[case] + 7 * occasion,
            "sessions_attended": occasion + 1,
            "clock": "day",
            "at": 7 * occasion,
        }
    ).with_columns(baseline=pl.col("value").first().over("case_id"))
    points = points.with_columns(gain=pl.col("baseline") - pl.col("value"))
    cases = pl.DataFrame(
        {
            "case_id": [f"c{number:04}" for number in range(size)],
            "started_on": started,
            "ended_on": started + 7 * (SCORES - 1),
            "is_ended": True,
        }
    )
    return PastCases.of(PHQ9, cases, points)


def train(past: PastCases, **how: Any) -> TrainedOutlook:
    return trained_outlook.trained_outlook(past, PRIMARY, how.pop("terms", TERMS), **how)


def said(found: TrainedOutlook, past: PastCases) -> list[float]:
    assert found.model is not None
    known = known_so_far(past).filter(pl.col("occasion") == 4)
    return found.model.predict(known).probability.tolist()


def test_a_model_that_says_something_is_put_in_use_with_its_card_and_reference() -> None:
    found = train(practice())
    assert found.state == "promoted", found.why
    assert found.card is not None
    assert found.card.first_figures is not None
    at, rules = found.card.first_figures
    assert at == "occasion_4"
    assert rules["outlook"]["auc"] > 0.7
    assert found.counts is not None
    assert (found.counts.known, found.counts.fitted, found.counts.reviewed) == (400, 400, 0)
    assert found.reference is not None
    assert found.reference["learned_until"] == 2 * 399 + 7 * (SCORES - 1)
    assert found.reference["newest"]["n"] == 80
    assert set(found.reference["inputs"]["features"]) == {name for name, _ in found.card.predictors}


def test_the_same_past_gives_the_same_model() -> None:
    past = practice()
    assert said(train(past), past) == said(train(past), past)


def test_reviewed_cases_are_learned_from_by_nobody() -> None:
    past = practice()
    reviewed = pl.int_range(pl.len()) % 5 == 0
    known = replace(
        past,
        cases=past.cases.with_columns(reviewed_on=pl.when(reviewed).then(pl.col("started_on"))),
    )
    ids = known.cases.filter(pl.col("reviewed_on").is_not_null())["case_id"]
    turned = replace(
        known,
        points=known.points.with_columns(
            value=pl.when(pl.col("case_id").is_in(ids.implode()), pl.col("occasion") == SCORES - 1)
            .then(27.0 - pl.col("value"))
            .otherwise("value")
        ),
    )
    first, second = train(known), train(turned)
    assert first.counts is not None
    assert (first.counts.reviewed, first.counts.fitted) == (80, 320)
    others = known.only(known.cases.filter(pl.col("reviewed_on").is_null())["case_id"])
    assert said(first, others) == said(second, others)


def test_the_candidate_has_seen_neither_the_newest_cases_nor_their_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past = practice()
    again = pl.int_range(pl.len()) % 200  # every client comes twice, the second time late
    past = replace(
        past, cases=past.cases.with_columns(client_id=pl.format("k{}", again)).sort("case_id")
    )
    learned: list[pl.DataFrame] = []
    asked: list[pl.DataFrame] = []
    whole = model_contest.OutlookByOccasion

    class Watched(whole):  # type: ignore[misc, valid-type]  # a class held in a name
        def fit(self, known: pl.DataFrame, ends: pl.DataFrame) -> Any:
            learned.append(ends)
            return super().fit(known, ends)

        def predict(self, known: pl.DataFrame) -> Any:
            asked.append(known)
            return super().predict(known)

    monkeypatch.setattr(model_contest, "OutlookByOccasion", Watched)
    found = train(past)
    assert found.counts is not None
    older, everybody = learned
    newest = asked[0]
    assert newest.height == 80
    assert not set(newest["case_id"]) & set(older["case_id"])
    assert not set(newest["client_id"]) & set(older["client_id"])
    assert older["ended_on"].max() < newest["ended_on"].min()  # type: ignore[operator]  # days
    assert set(newest["case_id"]) <= set(everybody["case_id"])


def test_a_model_in_use_stays_until_enough_have_ended_that_it_has_not_seen() -> None:
    past = practice()
    first = train(past)
    assert first.model is not None
    assert first.reference is not None
    rival = Rival(model=first.model, learned_until=first.reference["learned_until"])
    again = train(past, rival=rival)
    assert again.state == "not promoted"
    assert again.model is None
    assert "have ended since the model in use was learned" in again.why[-1]
    assert again.why[-1].endswith("The model in use stays.")


def test_an_older_model_is_replaced_by_one_that_is_not_worse_on_what_came_since() -> None:
    past = practice()
    until = 2 * 250 + 7 * (SCORES - 1)
    older = past.only(past.cases.filter(pl.col("ended_on") <= until)["case_id"])
    first = train(older)
    assert first.model is not None
    found = train(past, rival=Rival(model=first.model, learned_until=until))
    assert found.why[0] == "Compared on cases that ended since the model in use was learned."
    assert found.state == "promoted", found.why
    assert any("Beside the model in use" in each for each in found.why)


def test_a_model_in_use_of_which_nobody_knows_what_it_has_seen_is_not_compared_with() -> None:
    past = practice()
    first = train(past)
    assert first.model is not None
    found = train(past, rival=Rival(model=first.model, learned_until=None))
    assert any("Not compared with the model in use" in each for each in found.why)
    assert not any("Beside the model in use" in each for each in found.why)
    assert found.state == "promoted", found.why


def test_a_course_that_says_nothing_of_the_end_gives_no_model() -> None:
    found = train(practice(told=False))
    assert found.state == "not promoted"
    assert found.model is None
    assert found.card is not None
    assert not found.card.decision.is_promoted
    assert "Not put in use" in found.why[-1]
    assert found.why[-1].endswith("The status rule stands in.")


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        (replace(TERMS, minimum_cases=401), "401 ended cases"),
        (replace(TERMS, minimum_bad=300), "300 ends of either kind"),
    ],
)
def test_too_few_ended_cases_are_no_training(terms: Terms, why: str) -> None:
    found = train(practice(), terms=terms)
    assert found.state == "not trained"
    assert why in found.why[0]
    assert found.card is None


def test_a_measure_that_cannot_tell_the_end_is_not_trained() -> None:
    past = practice(60)
    blind = replace(past, measure=PHQ9.model_copy(update={"clinical_cutoff": None}))
    found = train(blind)
    assert found.state == "not trained"
    assert "cut-off" in found.why[0]
