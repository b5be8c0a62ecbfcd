"""Agreement of rules: a printed kappa, sklearn's, and what repeats and refusals do to it."""

from math import isnan, nan

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from models.discrimination import Judged
from models.rule_agreement import agreement


def flagging(flags: object, score: object = None) -> Judged:
    return Judged(score=np.zeros(np.shape(flags)) if score is None else score, is_flagged=flags)


def test_twenty_yes_fifteen_no_and_fifteen_at_odds_make_a_kappa_of_point_four() -> None:
    # The usual textbook table: 20 both, 5 and 10 one alone, 15 neither; .7 agree, .5 by chance.
    first = np.repeat([True, True, False, False], [20, 5, 10, 15])
    second = np.repeat([True, False, True, False], [20, 5, 10, 15])
    rules = {"first": flagging(first), "second": flagging(second)}
    found = agreement(rules)["first", "second"]
    counts = (found.n, found.both, found.first_only, found.second_only, found.neither)
    assert counts == (50, 20, 5, 10, 15)
    assert found.kappa == pytest.approx(0.4)


def test_kappa_is_sklearns_for_every_pair() -> None:
    random = np.random.default_rng(1)
    shares = {"a": 0.2, "b": 0.5, "c": 0.8}
    rules = {name: random.random(90) < share for name, share in shares.items()}
    found = agreement({name: flagging(flags) for name, flags in rules.items()})
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    for (name, other), each in found.items():
        assert each.kappa == pytest.approx(cohen_kappa_score(rules[name], rules[other]))


def test_rules_that_flag_everyone_agree_by_chance_alone() -> None:
    everyone = flagging([True, True, True])
    found = agreement({"first": everyone, "second": everyone})["first", "second"]
    assert (found.both, found.neither) == (3, 0)
    assert isnan(found.kappa)
    assert found.flat()["kappa"] is None


def test_only_cases_both_have_judged_are_compared() -> None:
    first = flagging([True, False, True], [1.0, nan, 1.0])
    second = flagging([True, True, False], [1.0, 1.0, 1.0])
    found = agreement({"first": first, "second": second, "no flags": Judged(score=[1, 2, 3])})
    assert list(found) == [("first", "second")]
    assert (found["first", "second"].n, found["first", "second"].first_only) == (2, 1)


def test_a_rule_asked_once_is_compared_with_each_repeat_of_another() -> None:
    once = flagging([True, False, True, False])
    often = flagging([[True, False, False, False], [True, True, True, False]])
    found = agreement({"once": once, "often": often})["once", "often"]
    counts = (found.both, found.first_only, found.second_only, found.neither)
    assert counts == (1.5, 0.5, 0.5, 1.5)
    assert found.n == 4


def test_no_cases_agree_on_nothing() -> None:
    found = agreement({"first": flagging([]), "second": flagging([])})["first", "second"]
    assert found.n == 0
    assert isnan(found.kappa)


def test_a_rule_without_a_line_agrees_with_nobody() -> None:
    without = Judged(score=[1.0, 2.0], is_flagged=[nan, nan])
    found = agreement({"without": without, "other": flagging([True, False])})["without", "other"]
    assert (found.n, found.both) == (0, 0.0)
    assert isnan(found.kappa)
