"""Models are compared on cases neither has seen, and a worse one does not get through."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from models.held_back import held_back
from models.promotion import FEWEST_CASES, FEWEST_OF_EACH, MAY_LOSE, against


def ended(size: int, *, bad_every: int = 3, clients: int | None = None) -> pl.DataFrame:
    numbers = np.arange(size)
    return pl.DataFrame(
        {
            "case_id": [f"c{number:04}" for number in numbers],
            "client_id": [f"k{number % (clients or size):04}" for number in numbers],
            "ended_on": numbers,
            "is_bad": numbers % bad_every == 0,
        }
    )


def test_the_newest_are_held_back_and_their_clients_are_not_learned_from() -> None:
    cases = ended(300, clients=250)
    chosen = held_back(cases, has_calendar=True)
    assert chosen is not None
    newest, older = chosen.newest(cases), chosen.older(cases)
    assert newest["ended_on"].to_list() == list(range(240, 300))
    assert older["ended_on"].max() < 240  # type: ignore[operator]  # a day
    assert not set(newest["client_id"]) & set(older["client_id"])
    assert older.height == 240 - 50  # the first cases of the 50 clients who came again


def test_of_a_rare_end_more_of_the_newest_are_held_back_but_never_more_than_half() -> None:
    rare = held_back(ended(400, bad_every=15), has_calendar=True)
    rarer = held_back(ended(400, bad_every=80), has_calendar=True)
    assert rare is not None
    assert rarer is not None
    assert len(rare.case_ids) == 160
    assert len(rarer.case_ids) == 200


def test_beside_a_model_in_use_only_cases_count_that_it_has_not_seen() -> None:
    cases = ended(300)
    chosen = held_back(cases, has_calendar=True, learned_until=219)
    assert chosen is not None
    assert chosen.newest(cases)["ended_on"].min() == 220
    assert held_back(cases, has_calendar=True, learned_until=251) is None
    few_bad = ended(300, bad_every=10)
    assert held_back(few_bad, has_calendar=True, learned_until=219) is None


def test_without_a_calendar_clients_are_drawn_and_the_same_ones_again() -> None:
    cases = ended(300, clients=100)
    first, again = (held_back(cases, has_calendar=False, seed=7) for _ in range(2))
    other = held_back(cases, has_calendar=False, seed=8)
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.case_ids.to_list() == again.case_ids.to_list() != other.case_ids.to_list()
    assert len(first.client_ids) == 20
    assert not set(first.newest(cases)["client_id"]) & set(first.older(cases)["client_id"])


def drawn(size: int, seed: int) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(seed)
    truth = random.uniform(0.05, 0.95, size)
    return random.uniform(size=size) < truth, truth, np.arange(size).astype(str)


def test_the_same_answers_are_not_worse() -> None:
    is_bad, truth, clients = drawn(200, 1)
    found = against(is_bad, truth, truth, clients, rival="itself")
    assert found is not None
    assert not found.is_worse
    assert found.auc_difference.value == 0
    assert found.why.endswith("Not worse.")


def test_noise_does_not_get_past_the_truth() -> None:
    random = np.random.default_rng(5)
    through = 0
    for seed in range(30):
        is_bad, truth, clients = drawn(300, seed)
        noise = np.clip(truth + random.normal(0, 0.35, 300), 0.01, 0.99)
        found = against(is_bad, noise, truth, clients, rival="the truth", times=200)
        through += found is not None and not found.is_worse
    assert through == 0


def test_right_order_with_wrong_chances_is_worse() -> None:
    is_bad, truth, clients = drawn(300, 1)
    found = against(is_bad, truth**4, truth, clients, rival="the truth")
    assert found is not None
    assert found.auc_difference.value == pytest.approx(0)
    assert found.is_worse
    assert "log loss lies on the worse side" in found.why


def test_a_little_less_is_allowed_and_more_is_not() -> None:
    is_bad, truth, clients = drawn(400, 3)
    random = np.random.default_rng(1)
    lost = {}
    for noise in (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15):
        said = np.clip(truth + random.normal(0, noise, 400), 0.01, 0.99)
        found = against(is_bad, said, truth, clients, rival="the truth")
        assert found is not None
        lost[-found.auc_difference.value] = found.is_worse
    assert all(is_worse for loss, is_worse in lost.items() if loss > MAY_LOSE)
    assert not all(lost.values())


def test_too_few_cases_are_no_comparison() -> None:
    is_bad, truth, clients = drawn(FEWEST_CASES - 1, 1)
    assert against(is_bad, truth, truth, clients, rival="itself") is None
    rare = np.arange(200) < FEWEST_OF_EACH - 1
    chance = np.full(200, 0.1)
    assert against(rare, chance, chance, np.arange(200).astype(str), rival="itself") is None


def test_only_cases_count_of_which_both_say_something() -> None:
    is_bad, truth, clients = drawn(200, 1)
    silent = np.where(np.arange(200) < 60, np.nan, truth)
    found = against(is_bad, silent, truth, clients, rival="itself")
    assert found is not None
    assert found.n == 140
