"""Calibration: the truth recovered, statsmodels' answers, and honesty with few cases."""

from itertools import pairwise
from math import isnan, log, nan
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from models import recalibration
from models.calibration import calibration
from models.recalibration import logits
from models.resampling import draw_cases


def simulated(n: int, seed: int = 1) -> tuple[Any, Any]:
    """Return ends and the true chances of them."""
    random = np.random.default_rng(seed)
    chance = 1.0 / (1.0 + np.exp(0.8 - 1.2 * random.normal(size=n)))
    return random.random(n) < chance, chance


def stretched(chance: Any, by: float, shift: float = 0.0) -> Any:
    return 1.0 / (1.0 + np.exp(-by * np.log(chance / (1.0 - chance)) - shift))


def alone(n: int, times: int = 0) -> Any:
    return draw_cases(np.arange(n), times=times)


# --- Values --------------------------------------------------------------------------------------


def test_true_chances_have_slope_one_and_no_shift() -> None:
    is_bad, chance = simulated(20_000)
    found = calibration(is_bad, chance, alone(20_000, times=200))
    assert found.slope.value == pytest.approx(1.0, abs=0.06)
    assert found.intercept.value == pytest.approx(0.0, abs=0.06)
    assert found.slope.low < 1.0 < found.slope.high
    assert found.intercept.low < 0.0 < found.intercept.high
    assert found.expected_error < 0.02


def test_chances_twice_too_extreme_have_half_the_slope() -> None:
    is_bad, chance = simulated(20_000)
    true = calibration(is_bad, chance, alone(20_000)).slope.value
    doubled = calibration(is_bad, stretched(chance, 2.0), alone(20_000)).slope
    halved = calibration(is_bad, stretched(chance, 0.5), alone(20_000)).slope
    # A few of the doubled ones are beyond .001.
    assert doubled.value == pytest.approx(true / 2.0, rel=0.01)
    assert halved.value == pytest.approx(true * 2.0, rel=0.01)


def test_chances_too_high_by_one_logit_have_a_shift_of_minus_one() -> None:
    is_bad, chance = simulated(20_000)
    found = calibration(is_bad, stretched(chance, 1.0, shift=1.0), alone(20_000))
    assert found.intercept.value == pytest.approx(-1.0, abs=0.06)
    assert found.slope.value == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("fitted_each", [10**9, 0])
def test_slope_and_shift_are_those_of_statsmodels(
    fitted_each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalibration, "FITTED_EACH", fitted_each)
    is_bad, chance = simulated(150)
    wrong = stretched(chance, 1.7, 0.4)
    weights = np.random.default_rng(3).uniform(0.5, 2.0, 150)
    line, binomial = logits(wrong), sm.families.Binomial()
    for weight in (np.ones(150), weights):
        slope = sm.GLM(1.0 * is_bad, sm.add_constant(line), binomial, freq_weights=weight).fit()
        shift = sm.GLM(1.0 * is_bad, np.ones(150), binomial, offset=line, freq_weights=weight).fit()
        found = calibration(is_bad, wrong, alone(150), weights=weight)
        assert found.slope.value == pytest.approx(slope.params[1], abs=1e-6)
        assert found.intercept.value == pytest.approx(shift.params[0], abs=1e-6)


def test_every_draw_is_fitted_as_statsmodels_fits_it() -> None:
    is_bad, chance = simulated(80)
    drawn = alone(80, times=60)
    line, binomial = sm.add_constant(logits(chance)), sm.families.Binomial()
    by_hand = [
        sm.GLM(1.0 * is_bad, line, binomial, freq_weights=1.0 * row).fit().params[1]
        for row in drawn.counts[1:]
    ]
    slope = calibration(is_bad, chance, drawn).slope
    assert slope.low == pytest.approx(np.quantile(by_hand, 0.025, method="lower"), abs=1e-6)
    assert slope.high == pytest.approx(np.quantile(by_hand, 0.975, method="higher"), abs=1e-6)


def test_with_many_cases_the_short_way_leads_to_the_same_intervals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_bad, chance = simulated(1500)
    drawn = alone(1500, times=300)
    monkeypatch.setattr(recalibration, "FITTED_EACH", 10**9)
    fitted = calibration(is_bad, chance, drawn)
    monkeypatch.setattr(recalibration, "FITTED_EACH", 0)
    short = calibration(is_bad, chance, drawn)
    for one, other in ((fitted.slope, short.slope), (fitted.intercept, short.intercept)):
        width = one.high - one.low
        assert other.low == pytest.approx(one.low, abs=0.02 * width)
        assert other.high == pytest.approx(one.high, abs=0.02 * width)


def test_brier_and_its_skill_by_hand() -> None:
    found = calibration([True, False, False, False], [0.5, 0.5, 0.0, 0.2], alone(4))
    assert found.brier.value == pytest.approx((0.25 + 0.25 + 0.0 + 0.04) / 4)
    # Saying a quarter of everyone: .25 * .75.
    assert found.brier_skill.value == pytest.approx(1 - 0.135 / 0.1875)


def test_the_share_of_everyone_has_no_skill_and_no_slope() -> None:
    is_bad = np.arange(40) < 10
    found = calibration(is_bad, np.full(40, 0.25), alone(40, times=50))
    assert found.brier_skill.value == pytest.approx(0.0)
    assert found.intercept.value == pytest.approx(0.0)
    assert isnan(found.slope.value)
    assert len(found.curve) == 1


# --- Where there is no answer --------------------------------------------------------------------


@pytest.mark.parametrize("fitted_each", [10**9, 0])
def test_kinds_that_do_not_overlap_have_no_slope(
    fitted_each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalibration, "FITTED_EACH", fitted_each)
    chance = np.linspace(0.1, 0.9, 30)
    parted = calibration(chance > 0.5, chance, alone(30, times=50))
    assert isnan(parted.slope.value)
    assert isnan(parted.slope.low)
    touching = calibration([True, True, False, False], [0.9, 0.5, 0.5, 0.1], alone(4))
    assert isnan(touching.slope.value)


@pytest.mark.parametrize("fitted_each", [10**9, 0])
def test_all_ending_alike_tells_nothing_of_slope_or_shift(
    fitted_each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalibration, "FITTED_EACH", fitted_each)
    found = calibration(np.full(30, False), np.linspace(0.1, 0.9, 30), alone(30, times=20))
    assert isnan(found.slope.value)
    assert isnan(found.intercept.value)
    assert isnan(found.brier_skill.value)
    assert found.brier.value > 0.0


def test_draws_that_happen_to_part_leave_the_upper_end_open() -> None:
    # One case on the wrong side: a third of the draws lack it, and have no finite slope.
    chance = np.linspace(0.1, 0.9, 30)
    is_bad = chance > 0.5
    is_bad[4] = True
    slope = calibration(is_bad, chance, alone(30, times=300)).slope
    assert slope.low < slope.value
    assert isnan(slope.high)


def test_no_probabilities_are_no_error() -> None:
    for nothing in (None, [nan, nan], np.full((3, 2), nan)):
        found = calibration([True, False], nothing, alone(2, times=5))
        assert (found.n, found.curve) == (0, ())
        assert found.flat()["calibration_slope"] is None
    assert calibration([], [], draw_cases([])).n == 0


def test_cases_without_a_probability_are_left_out() -> None:
    is_bad, chance = simulated(200)
    some = np.where(np.arange(200) < 50, nan, chance)
    found = calibration(is_bad, some, alone(200))
    assert found.n == 150
    there = calibration(is_bad[50:], chance[50:], alone(150))
    assert found.slope.value == pytest.approx(there.slope.value)
    assert found.curve == there.curve


def test_certainty_counts_as_one_in_a_thousand() -> None:
    is_bad, chance = simulated(100)
    sure, nearly = chance.copy(), chance.copy()
    sure[:10], nearly[:10] = 0.0, 0.001
    drawn = alone(100)
    one, other = calibration(is_bad, sure, drawn), calibration(is_bad, nearly, drawn)
    assert one.slope.value == pytest.approx(other.slope.value)
    assert logits(np.array([1.0]))[0] == pytest.approx(log(999))


# --- Repeats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fitted_each", [10**9, 0])
def test_repeats_alike_are_one(fitted_each: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalibration, "FITTED_EACH", fitted_each)
    is_bad, chance = simulated(120)
    drawn = alone(120, times=100)
    once, often = (
        calibration(is_bad, each, drawn).flat() for each in (chance, np.tile(chance, (7, 1)))
    )
    assert often == pytest.approx(once)


def test_repeats_are_not_averaged_before_they_are_judged() -> None:
    # Ten noisy answers of which each is too extreme; their mean would look well calibrated.
    is_bad, chance = simulated(3000)
    random = np.random.default_rng(5)
    noisy = 1.0 / (1.0 + np.exp(-logits(chance) - random.normal(size=(10, 3000))))
    found = calibration(is_bad, noisy, alone(3000))
    each = [calibration(is_bad, row, alone(3000)).slope.value for row in noisy]
    assert found.slope.value == pytest.approx(np.mean(each), abs=0.01)
    assert found.slope.value < 0.75
    assert calibration(is_bad, noisy.mean(0), alone(3000)).slope.value > 1.0


# --- The curve -----------------------------------------------------------------------------------


def test_the_curve_has_equal_bins_and_every_case_once() -> None:
    is_bad, chance = simulated(1000)
    curve = calibration(is_bad, chance, alone(1000)).curve
    assert [each.n for each in curve] == [100] * 10
    assert sum(each.n * each.share_bad for each in curve) == pytest.approx(is_bad.sum())
    assert sum(each.n * each.mean_probability for each in curve) == pytest.approx(chance.sum())
    for one, following in pairwise(curve):
        assert one.high < following.low
        assert one.low <= one.mean_probability <= one.high
    for each in curve:
        assert each.share_low < each.share_bad < each.share_high


def test_few_cases_make_few_bins() -> None:
    is_bad, chance = simulated(65)
    curve = calibration(is_bad, chance, alone(65)).curve
    assert [each.n for each in curve] == [21, 22, 22]
    assert len(calibration(is_bad[:15], chance[:15], alone(15)).curve) == 1


def test_cases_of_one_probability_are_in_one_bin() -> None:
    chance = np.repeat([0.1, 0.3, 0.7], [50, 20, 30])
    curve = calibration(np.arange(100) % 3 == 0, chance, alone(100)).curve
    assert [(each.low, each.high, each.n) for each in curve] == [
        (0.1, 0.1, 50),
        (0.3, 0.3, 20),
        (0.7, 0.7, 30),
    ]


def test_wilsons_interval_of_a_bin_without_a_bad_end() -> None:
    # 0 of 20: 0 to z^2 / (20 + z^2).
    (only,) = calibration(np.full(20, False), np.full(20, 0.1), alone(20)).curve
    assert (only.share_low, only.share_high) == pytest.approx((0.0, 3.8415 / 23.8415), abs=1e-4)


# --- Intervals -----------------------------------------------------------------------------------


def coverage(replicates: int, n: int) -> float:
    """Return how often the interval holds a true slope of .5."""
    held = 0
    for seed in range(replicates):
        is_bad, chance = simulated(n, seed=500 + seed)
        drawn = draw_cases(np.arange(n), times=300, seed=seed)
        slope = calibration(is_bad, stretched(chance, 2.0), drawn).slope
        held += slope.low <= 0.5 <= slope.high
    return held / replicates


def test_the_interval_of_the_slope_holds_the_truth_about_as_often_as_it_says() -> None:
    # 120 replicates: standard error .02.
    assert coverage(120, 200) == pytest.approx(0.95, abs=0.055)


@pytest.mark.reliability
@pytest.mark.parametrize("n", [150, 4000])
def test_the_interval_of_the_slope_holds_the_truth_as_often_as_it_says(n: int) -> None:
    assert coverage(2000, n) == pytest.approx(0.95, abs=0.025)
