"""Discrimination: printed examples, sklearn's answers in every draw, and intervals that hold."""

from math import isnan, nan
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from models import auc
from models.discrimination import METRICS, PAIRED, Comparison, Judged, compare
from models.flag_shares import at_share_flagged
from models.resampling import draw_cases
from models.unknown_ends import if_unknown


def told(is_bad: Any, rule: Judged, **how: Any) -> dict[str, float]:
    """Return the metrics of one rule without intervals."""
    found = compare(is_bad, {"rule": rule}, draw_cases(np.arange(len(is_bad)), times=0), **how)
    return {name: each.value for name, each in found.of["rule"].metrics.items()}


def simulated(n: int, seed: int = 1, *, shift: float = 1.0) -> tuple[Any, dict[str, Judged]]:
    """Return ends of n cases and three rules: a keen one, a coarse one, one asked ten times."""
    random = np.random.default_rng(seed)
    is_bad = random.random(n) < 0.4
    score = random.normal(size=n) + shift * is_bad
    chance = 1.0 / (1.0 + np.exp(0.5 - score))
    coarse = np.round(score + random.normal(size=n))
    asked = score + 0.5 * random.normal(size=(10, n))
    return is_bad, {
        "keen": Judged(score=score, is_flagged=score > 0.8, probability=chance),
        "coarse": Judged(score=coarse, is_flagged=coarse >= 1),
        "asked often": Judged(score=asked, is_flagged=asked > 1, probability=asked.clip(0, 1)),
    }


# --- Printed examples ----------------------------------------------------------------------------


def test_the_area_of_hanley_and_mcneil() -> None:
    # Their table of 109 CT images, rated 1 to 5 (Radiology 1982, 143, 29; recalled): area .893.
    ratings = np.arange(1, 6)
    normal, abnormal = np.repeat(ratings, [33, 6, 6, 11, 2]), np.repeat(ratings, [3, 2, 2, 11, 33])
    score = np.concatenate((normal, abnormal))
    is_bad = np.repeat([False, True], [58, 51])
    assert told(is_bad, Judged(score=score))["auc"] == pytest.approx(0.893, abs=5e-4)


def test_the_liver_scans_of_altman_and_bland() -> None:
    # 258 of 344 abnormal; scans: 231 found, 27 missed, 32 wrongly (BMJ 1994, 308, 1552; recalled).
    is_bad = np.repeat([True, True, False, False], [231, 27, 32, 54])
    flag = np.repeat([True, False, True, False], [231, 27, 32, 54])
    found = told(is_bad, Judged(score=flag, is_flagged=flag))
    rounded = {name: round(found[name], 2) for name in ("sensitivity", "specificity", "ppv", "npv")}
    assert rounded == {"sensitivity": 0.9, "specificity": 0.63, "ppv": 0.88, "npv": 0.67}
    assert found["bad_if_not_flagged"] == pytest.approx(27 / 81)
    assert found["share_flagged"] == pytest.approx(263 / 344)
    assert found["balanced_accuracy"] == pytest.approx((231 / 258 + 54 / 86) / 2)


def test_counts_are_told_beside_the_shares() -> None:
    is_bad = [True, True, True, False, False]
    rule = Judged(score=[5, 4, 1, 3, nan], is_flagged=[True, True, False, True, True])
    found = compare(is_bad, {"rule": rule}, draw_cases(np.arange(5), times=20)).of["rule"]
    assert (found.n, found.bad, found.flagged) == (4, 3, 3.0)
    assert (found.true_alarms, found.false_alarms, found.missed) == (2.0, 1.0, 1.0)
    flat = found.flat()
    assert flat["ppv"] == pytest.approx(2 / 3)
    assert flat["brier"] is None
    assert set(flat) >= {f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")}


# --- An independent implementation, in every draw ------------------------------------------------


@pytest.mark.parametrize("exact_pairs", [auc.EXACT_PAIRS, 0])
def test_the_cases_themselves_have_the_area_sklearn_finds(
    exact_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auc, "EXACT_PAIRS", exact_pairs)
    is_bad, rules = simulated(300)
    weights = np.random.default_rng(2).uniform(0.5, 3.0, 300)
    for name in ("keen", "coarse"):
        rule = rules[name]
        assert told(is_bad, rule)["auc"] == pytest.approx(roc_auc_score(is_bad, rule.score))
        weighted = roc_auc_score(is_bad, rule.score, sample_weight=weights)
        assert told(is_bad, rule, weights=weights)["auc"] == pytest.approx(weighted)


def test_every_draw_is_counted_as_sklearn_counts_it() -> None:
    is_bad, rules = simulated(80)
    drawn = draw_cases(np.arange(80) // 2, times=100, seed=3)
    keen, coarse = rules["keen"], rules["coarse"]

    def drawn_as(metric: Any, *of: Any) -> list[float]:
        return [metric(is_bad, *of, sample_weight=row) for row in drawn.counts[1:]]

    def specificity(_: Any, flag: Any, sample_weight: Any) -> float:
        return recall_score(~is_bad, ~flag, sample_weight=sample_weight)

    by_hand = {
        "auc": drawn_as(roc_auc_score, keen.score),
        "sensitivity": drawn_as(recall_score, keen.is_flagged),
        "specificity": drawn_as(specificity, keen.is_flagged),
        "ppv": drawn_as(precision_score, keen.is_flagged),
        "balanced_accuracy": drawn_as(balanced_accuracy_score, keen.is_flagged),
        "brier": drawn_as(brier_score_loss, keen.probability),
    }
    found = compare(is_bad, {"keen": keen, "coarse": coarse}, drawn)
    for name, numbers in by_hand.items():
        interval = found.of["keen"].metrics[name]
        low = np.quantile(numbers, 0.025, method="lower")
        high = np.quantile(numbers, 0.975, method="higher")
        assert (interval.low, interval.high) == pytest.approx((low, high)), name
    differences = np.subtract(by_hand["auc"], drawn_as(roc_auc_score, coarse.score))
    paired = found.paired["keen", "coarse"].metrics["auc"]
    assert paired.low == pytest.approx(np.quantile(differences, 0.025, method="lower"))
    assert paired.high == pytest.approx(np.quantile(differences, 0.975, method="higher"))


def test_with_many_pairs_the_intervals_stay_what_they_are_with_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Far below EXACT_PAIRS on purpose: what is left out is largest with few cases.
    is_bad, rules = simulated(400)
    drawn = draw_cases(np.arange(400), times=400)
    exact = compare(is_bad, rules, drawn)
    monkeypatch.setattr(auc, "EXACT_PAIRS", 0)
    placed = compare(is_bad, rules, drawn)
    for here, there in (
        *((exact.of[name], placed.of[name]) for name in rules),
        *((exact.paired[pair], placed.paired[pair]) for pair in exact.paired),
    ):
        one, other = here.metrics["auc"], there.metrics["auc"]
        assert other.value == pytest.approx(one.value, abs=1e-12)
        width = one.high - one.low
        assert other.low == pytest.approx(one.low, abs=0.05 * width)
        assert other.high == pytest.approx(one.high, abs=0.05 * width)


# --- What numbers mean ---------------------------------------------------------------------------

SCORES = st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=30)


@given(SCORES)
@settings(max_examples=60, deadline=None)
def test_only_the_order_of_scores_counts(cases: list[tuple[bool, int]]) -> None:
    is_bad, score = (np.array(each) for each in zip(*cases, strict=True))
    area = told(is_bad, Judged(score=score))["auc"]
    stretched = told(is_bad, Judged(score=np.exp(score / 2.0) + 7.0))["auc"]
    turned = told(~is_bad, Judged(score=score))["auc"]
    upside_down = told(is_bad, Judged(score=-score))["auc"]
    backwards = told(is_bad[::-1], Judged(score=score[::-1]))["auc"]
    if is_bad.all() or not is_bad.any():
        assert isnan(area)
        assert isnan(turned)
        return
    assert stretched == pytest.approx(area)
    assert backwards == pytest.approx(area)
    assert turned == pytest.approx(1.0 - area)
    assert upside_down == pytest.approx(1.0 - area)


def test_a_weight_of_two_is_a_case_twice() -> None:
    is_bad, rules = simulated(60)
    weights = np.random.default_rng(1).integers(1, 4, 60)
    twice = {
        name: Judged(
            score=np.repeat(rule.score, weights, axis=-1),
            is_flagged=np.repeat(rule.is_flagged, weights, axis=-1),
            probability=None
            if rule.probability is None
            else np.repeat(rule.probability, weights, axis=-1),
        )
        for name, rule in rules.items()
    }
    for name, rule in rules.items():
        weighted = told(is_bad, rule, weights=weights)
        assert weighted == pytest.approx(told(np.repeat(is_bad, weights), twice[name]), nan_ok=True)


def test_over_repeats_area_and_shares_are_means() -> None:
    is_bad, rules = simulated(70)
    often = rules["asked often"]
    found = told(is_bad, often)
    areas = [roc_auc_score(is_bad, score) for score in often.score]
    assert found["auc"] == pytest.approx(np.mean(areas))
    recalls = [recall_score(is_bad, flag) for flag in often.is_flagged]
    assert found["sensitivity"] == pytest.approx(np.mean(recalls))
    errors = [brier_score_loss(is_bad, chance) for chance in often.probability]
    assert found["brier"] == pytest.approx(np.mean(errors))


def test_a_rule_asked_once_is_the_same_as_one_asked_ten_times_alike() -> None:
    is_bad, rules = simulated(50)
    keen = rules["keen"]
    alike = Judged(
        score=np.tile(keen.score, (10, 1)),
        is_flagged=keen.is_flagged,
        probability=np.tile(keen.probability, (10, 1)),
    )
    found = compare(is_bad, {"once": keen, "often": alike}, draw_cases(np.arange(50)))
    for name in METRICS:
        once, often = found.of["once"].metrics[name], found.of["often"].metrics[name]
        assert (once.value, once.low, once.high) == pytest.approx(
            (often.value, often.low, often.high)
        )


def test_a_rule_does_not_differ_from_itself() -> None:
    is_bad, rules = simulated(60)
    both = {"one": rules["keen"], "again": rules["keen"]}
    found = compare(is_bad, both, draw_cases(np.arange(60))).paired["one", "again"]
    for name in PAIRED:
        each = found.metrics[name]
        assert (each.value, each.low, each.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)


# --- Refusals, and numbers that do not exist -----------------------------------------------------


@pytest.mark.parametrize("exact_pairs", [auc.EXACT_PAIRS, 0])
def test_a_rule_is_judged_on_what_it_judged_and_a_pair_on_what_both_did(
    exact_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auc, "EXACT_PAIRS", exact_pairs)
    is_bad, rules = simulated(120)
    keen, coarse = rules["keen"], rules["coarse"]
    score, other_score = keen.score.copy(), coarse.score.copy()
    score[:20], other_score[10:40] = nan, nan
    # What a rule says where it refused is not read.
    chance = keen.probability.copy()
    chance[:20] = 7.0
    drawn = draw_cases(np.arange(120), times=50)
    found = compare(
        is_bad,
        {
            "keen": Judged(score=score, is_flagged=keen.is_flagged, probability=chance),
            "coarse": Judged(score=other_score, is_flagged=coarse.is_flagged),
        },
        drawn,
    )
    keen_here = told(
        is_bad[20:],
        Judged(score=score[20:], is_flagged=keen.is_flagged[20:], probability=chance[20:]),
    )
    assert found.of["keen"].n == 100
    assert {name: each.value for name, each in found.of["keen"].metrics.items()} == pytest.approx(
        keen_here
    )
    both = slice(40, None)
    pair = found.paired["keen", "coarse"]
    assert pair.n == 80
    assert pair.metrics["auc"].value == pytest.approx(
        roc_auc_score(is_bad[both], score[both]) - roc_auc_score(is_bad[both], other_score[both])
    )
    assert isnan(pair.metrics["brier"].value)


@pytest.mark.parametrize("exact_pairs", [auc.EXACT_PAIRS, 0])
def test_a_case_counts_if_most_repeats_judged_it(
    exact_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auc, "EXACT_PAIRS", exact_pairs)
    is_bad = np.array([True, True, False, False])
    score = np.array([[3.0, 2.0, 1.0, nan], [3.0, nan, 1.0, nan], [3.0, 0.0, 1.0, 9.0]])
    rule = Judged(score=score, is_flagged=score > 1.5)
    found = compare(is_bad, {"rule": rule}, draw_cases(np.arange(4), times=0)).of["rule"]
    # The last case has one score in three. The second won once of the two times it was judged.
    assert (found.n, found.flagged) == (3, 1.5)
    if exact_pairs:
        assert found.metrics["auc"].value == pytest.approx((1.0 + 0.5) / 2.0)
    else:
        assert 0.75 <= found.metrics["auc"].value <= 0.85


def test_what_is_not_defined_is_never_a_zero() -> None:
    nobody = Judged(score=[1.0, 2.0, 3.0], is_flagged=[False, False, False])
    found = told([True, True, False], nobody)
    assert isnan(found["ppv"])
    assert (found["sensitivity"], found["specificity"], found["npv"]) == (0.0, 1.0, 1 / 3)
    assert isnan(found["brier"])
    all_bad = told([True, True, True], Judged(score=[1.0, 2.0, 3.0]))
    assert all(isnan(number) for number in all_bad.values())
    everyone = told([True, False], Judged(score=[1.0, 2.0], is_flagged=[True, True]))
    assert isnan(everyone["npv"])
    assert isnan(everyone["bad_if_not_flagged"])


def test_no_cases_and_no_judgements_are_no_error() -> None:
    none = compare([], {"rule": Judged(score=[])}, draw_cases([]))
    assert none.of["rule"].n == 0
    refused = Judged(score=[nan, nan], is_flagged=[True, True], probability=[0.5, 0.5])
    rules = {"refused": refused, "other": Judged(score=[1.0, 2.0])}
    found = compare([True, False], rules, draw_cases([1, 2]))
    assert found.of["refused"].n == 0
    assert all(isnan(each.value) for each in found.of["refused"].metrics.values())
    assert found.paired["refused", "other"].flat()["auc"] is None


def test_a_number_most_draws_do_not_have_gets_no_interval() -> None:
    # One flag of 40: a third of the draws have none.
    is_bad = np.arange(40) < 10
    rule = Judged(score=is_bad * 1.0, is_flagged=np.arange(40) == 0)
    ppv = compare(is_bad, {"rule": rule}, draw_cases(np.arange(40))).of["rule"].metrics["ppv"]
    assert ppv.value == 1.0
    assert isnan(ppv.low)


# --- Intervals -----------------------------------------------------------------------------------


def test_all_of_five_is_no_proof_of_all() -> None:
    is_bad = np.arange(30) < 5
    rule = Judged(score=is_bad * 1.0, is_flagged=is_bad)
    found = compare(is_bad, {"rule": rule}, draw_cases(np.arange(30))).of["rule"].metrics
    for name in ("sensitivity", "ppv", "auc"):
        assert found[name].low == pytest.approx(0.025 ** (1 / 5)), name
        assert found[name].high == 1.0
    assert found["bad_if_not_flagged"].low == 0.0
    assert found["bad_if_not_flagged"].high == pytest.approx(1.0 - 0.025 ** (1 / 25))


def test_cases_of_one_client_are_one_case_to_the_interval() -> None:
    is_bad, rules = simulated(60)
    once = compare(is_bad, {"keen": rules["keen"]}, draw_cases(np.arange(60), seed=5))
    keen = rules["keen"]
    three = Judged(
        score=np.tile(keen.score, 3),
        is_flagged=np.tile(keen.is_flagged, 3),
        probability=np.tile(keen.probability, 3),
    )
    ends, clients = np.tile(is_bad, 3), np.tile(np.arange(60), 3)
    by_client = compare(ends, {"keen": three}, draw_cases(clients, seed=5))
    by_case = compare(ends, {"keen": three}, draw_cases(np.arange(180), seed=5))
    for name in METRICS:
        one, same = once.of["keen"].metrics[name], by_client.of["keen"].metrics[name]
        assert (same.low, same.high) == pytest.approx((one.low, one.high)), name
    wide, narrow = by_client.of["keen"].metrics["auc"], by_case.of["keen"].metrics["auc"]
    assert wide.high - wide.low > 1.4 * (narrow.high - narrow.low)


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    is_bad, rules = simulated(60)

    def found(seed: int) -> Comparison:
        return compare(is_bad, rules, draw_cases(np.arange(60), seed=seed))

    assert found(1).of["coarse"].flat() == found(1).of["coarse"].flat()
    assert found(1).of["coarse"].flat() != found(2).of["coarse"].flat()


def test_a_pair_is_told_apart_sooner_than_two_intervals_are() -> None:
    # Two rules that err together: their intervals overlap, that of their difference is narrow.
    is_bad, _ = simulated(300)
    random = np.random.default_rng(4)
    score = random.normal(size=300) + is_bad
    worse = score + 0.5 * random.normal(size=300)
    rules = {"better": Judged(score=score), "worse": Judged(score=worse)}
    found = compare(is_bad, rules, draw_cases(np.arange(300)))
    better, pair = found.of["better"].metrics["auc"], found.paired["better", "worse"].metrics["auc"]
    assert pair.high - pair.low < 0.7 * (better.high - better.low)


def coverage(replicates: int, n: int) -> tuple[float, float]:
    """Return how often the intervals hold the true area, and the true difference of areas."""
    area = NormalDist().cdf(1.0 / 2**0.5)
    other_area = NormalDist().cdf(1.0 / 3**0.5)
    held = held_difference = 0
    for seed in range(replicates):
        random = np.random.default_rng(1000 + seed)
        is_bad = random.random(n) < 0.4
        score = random.normal(size=n) + is_bad
        # Noise of variance 1 / 2 in both kinds: the difference of two has variance 3.
        noisy = score + random.normal(size=n) * 0.5**0.5
        rules = {"one": Judged(score=score), "noisy": Judged(score=noisy)}
        found = compare(is_bad, rules, draw_cases(np.arange(n), times=300, seed=seed))
        one = found.of["one"].metrics["auc"]
        pair = found.paired["one", "noisy"].metrics["auc"]
        held += one.low <= area <= one.high
        held_difference += pair.low <= area - other_area <= pair.high
    return held / replicates, held_difference / replicates


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    # 200 replicates: standard error .015.
    assert coverage(200, 150) == (pytest.approx(0.95, abs=0.045), pytest.approx(0.95, abs=0.045))


@pytest.mark.reliability
@pytest.mark.parametrize("n", [60, 150, 1500])
def test_intervals_hold_the_truth_as_often_as_they_say(n: int) -> None:
    assert coverage(2000, n) == (pytest.approx(0.95, abs=0.02), pytest.approx(0.95, abs=0.02))


# --- Unknown ends, and equal numbers of flags ----------------------------------------------------


def test_unknown_ends_bound_what_is_known() -> None:
    is_bad = np.repeat([True, False, True, False], [30, 20, 10, 40])
    flag = np.repeat([True, False], [50, 50])
    unknown = np.repeat([True, False], [5, 15])
    found = if_unknown(
        is_bad,
        Judged(score=flag, is_flagged=flag),
        Judged(score=np.where(np.arange(20) < 19, 1.0, nan), is_flagged=unknown),
    )
    assert found == pytest.approx(
        {
            "ppv_if_unknown_good": 30 / 55,
            "ppv_if_unknown_bad": 35 / 55,
            "sensitivity_if_unknown_good": 30 / 40,
            "sensitivity_if_unknown_bad": 35 / 59,  # the refused one is in neither
        }
    )


def test_without_flags_or_unknown_ends_bounds_are_nan_or_what_is_known() -> None:
    no_flag = if_unknown([True, False], Judged(score=[1.0, 0.0]), Judged(score=[1.0]))
    assert all(isnan(number) for number in no_flag.values())
    known = Judged(score=[1.0, 0.0], is_flagged=[True, False])
    nobody = if_unknown([True, False], known, Judged(score=[], is_flagged=[]))
    assert set(nobody.values()) == {1.0}


def test_at_a_share_flagged_ties_count_in_part() -> None:
    is_bad = [True, True, False, True, False, False, False, False, False, False]
    score = [9, 8, 8, 8, 2, 1, 1, 0, 0, nan]
    third, all_of_them = at_share_flagged(is_bad, score, [1 / 3, 1.0])
    # 3 of 9: the first, and 2 of the three 8s, of which 2 of 3 are bad.
    assert third.sensitivity == pytest.approx((1 + 2 * 2 / 3) / 3)
    assert third.ppv == pytest.approx((1 + 2 * 2 / 3) / 3)
    assert third.threshold == 8.0
    assert (all_of_them.sensitivity, all_of_them.ppv, all_of_them.threshold) == (1.0, 3 / 9, 0.0)


def test_at_a_share_flagged_repeats_are_averaged() -> None:
    is_bad = [True, False, False, False]
    (found,) = at_share_flagged(is_bad, [[4, 3, 2, 1], [1, 2, 3, 4]], [0.25])
    assert (found.sensitivity, found.ppv) == (0.5, 0.5)
    (nothing,) = at_share_flagged(is_bad, [nan] * 4, [0.25])
    assert isnan(nothing.sensitivity)


def test_a_rule_with_scores_and_no_line_has_an_area_and_nothing_of_flags() -> None:
    no_line = Judged(score=[3.0, 2.0, 1.0], is_flagged=[nan, nan, nan])
    found = told([True, False, False], no_line)
    assert found["auc"] == 1.0
    without = ("sensitivity", "specificity", "ppv", "npv", "share_flagged", "bad_if_not_flagged")
    assert all(isnan(found[name]) for name in without)
    some = told([True, False, False], Judged(score=[3.0, 2.0, 1.0], is_flagged=[1.0, nan, 0.0]))
    assert isnan(some["ppv"])
