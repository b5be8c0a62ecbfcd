"""The chance of little gain to come: true where the truth is known, and refused where it is not."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.plateau import MINIMUM_SCORES, REASONS, NoTrendError, fit_trend, little_gain
from models.trend_filter import Courses, Trend

Floats = NDArray[np.float64]

TREND = Trend(
    start_level=14.0,
    start_variance=20.0,
    start_slope=-1.0,
    long_run_slope=-0.1,
    slope_variance=0.25,
    level_variance=0.6,
    error_variance=2.0,
    error_by_level=0.2,
    forgetting=0.15,
    typical_gap=1.0,
    healthy_end=0.0,
    sign=1,
)


class Drawn(NamedTuple):
    time: Floats
    score: Floats
    case: NDArray[np.intp]
    level: Floats


def drawn(seed: int, cases: int = 600, sessions: int = 16) -> Drawn:
    """Draw from the model itself, exactly as `TREND` has it, in small steps of time."""
    random = np.random.default_rng(seed)
    parts = 20
    step = 1.0 / parts
    level = random.normal(TREND.start_level, TREND.start_variance**0.5, cases)
    slope = random.normal(TREND.start_slope, TREND.slope_variance**0.5, cases)
    kept = np.exp(-TREND.forgetting * step)
    levels = []
    for _ in range(sessions):
        levels.append(level.copy())
        for _ in range(parts):
            level = level + slope * step
            level += random.normal(0, (TREND.level_variance * step) ** 0.5, cases)
            slope = TREND.long_run_slope + kept * (slope - TREND.long_run_slope)
            slope += random.normal(0, (TREND.slope_variance * (1 - kept**2)) ** 0.5, cases)
    true = np.column_stack(levels)
    error = TREND.error_variance + TREND.error_by_level * np.maximum(true, 0)
    score = true + random.normal(size=true.shape) * np.sqrt(error)
    return Drawn(
        np.tile(np.arange(float(sessions)), cases),
        score.ravel(),
        np.repeat(np.arange(cases), sessions),
        true.ravel(),
    )


@cache
def fitted() -> Trend:
    some = drawn(1)
    return fit_trend(*some[:3], minimum=0, maximum=27, higher_is="worse")


def gain_to_come(some: Drawn, horizon: int) -> Floats:
    level = some.level.reshape(-1, 16)
    gain = np.full(level.shape, np.nan)
    gain[:, :-horizon] = level[:, :-horizon] - level[:, horizon:]
    return gain.ravel()


# --- Recovery and calibration --------------------------------------------------------------------


def test_known_variances_are_found_again() -> None:
    found = fitted()
    assert found.start_slope == pytest.approx(TREND.start_slope, abs=0.3)
    assert found.long_run_slope == pytest.approx(TREND.long_run_slope, abs=0.15)
    assert found.slope_variance == pytest.approx(TREND.slope_variance, rel=0.5)
    error = found.error(np.array([12.0]))[0]
    assert error == pytest.approx(TREND.error(np.array([12.0]))[0], rel=0.25)
    assert found.typical_gap == 1


@pytest.mark.parametrize("horizon", [4, 8])
def test_chances_come_true_as_often_as_they_say(horizon: int) -> None:
    held = drawn(2, cases=2000)
    said = little_gain(fitted(), *held[:3], horizon=horizon, points=3.0).chance
    gain = gain_to_come(held, horizon)
    # Only where the level has room for the gain: the truth drawn here knows no floor.
    known = np.isfinite(said) & np.isfinite(gain) & (held.level > 8)
    said, came_true = said[known], gain[known] < 3.0
    for low, high in ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
        inside = (low <= said) & (said < high)
        if inside.sum() > 500:
            assert came_true[inside].mean() == pytest.approx(said[inside].mean(), abs=0.06)


def test_the_filter_is_the_regression_on_all_scores_so_far() -> None:
    """Level and slope from the joint normal distribution, without any recursion."""
    time = np.array([0.0, 1.0, 2.5, 4.0])
    score = np.array([16.0, 14.0, 15.0, 11.0])
    even = Trend(**{**TREND.__dict__, "error_by_level": 0.0})
    rate = even.forgetting

    def reach(t: float) -> float:
        return (1 - np.exp(-rate * t)) / rate

    # Covariance of two levels by summing the slope's contributions over a fine grid of time.
    fine = np.linspace(0, 4, 4001)[:-1] + 0.0005
    slopes = even.slope_variance * np.exp(-rate * np.abs(fine[:, None] - fine[None, :]))
    until = (fine[None, :] < time[:, None]) * 0.001
    levels = even.start_variance + until @ slopes @ until.T
    levels += even.level_variance * np.minimum(time[:, None], time[None, :])
    with_slope = until @ (even.slope_variance * np.exp(-rate * (4.0 - fine)))
    drift = even.start_slope - even.long_run_slope
    mean = even.start_level + even.long_run_slope * time
    mean = mean + drift * np.array([reach(t) for t in time])
    inverse = np.linalg.inv(levels + even.error_variance * np.eye(4))
    level = mean[-1] + levels[-1] @ inverse @ (score - mean)
    slope = even.long_run_slope + drift * np.exp(-rate * 4.0)
    slope += with_slope @ inverse @ (score - mean)
    courses = Courses.of(time, score, ["c1"] * 4, healthy_end=0.0, sign=1)
    state = list(even.states(courses))[-1]
    assert state.level[0] == pytest.approx(level, abs=1e-3)
    assert state.slope[0] == pytest.approx(slope, abs=1e-3)
    variance = levels[-1, -1] - levels[-1] @ inverse @ levels[-1]
    assert state.level_variance[0] == pytest.approx(variance, abs=1e-3)


def test_it_does_not_flatten_by_construction() -> None:
    """A case that begins to gain late is seen to gain, as far as one that began early."""
    sessions = np.arange(30.0)
    flat_then_falling = np.where(sessions < 22, 24.0, 24.0 - 2.0 * (sessions - 21))
    falling_at_once = np.maximum(24.0 - 2.0 * sessions, 8.0)[:9]
    late = little_gain(TREND, sessions, flat_then_falling, ["c1"] * 30, horizon=6, points=3).chance
    early = little_gain(
        TREND, sessions[:9], falling_at_once, ["c1"] * 9, horizon=6, points=3
    ).chance
    assert late[21] > 0.6
    assert late[29] < late[21] - 0.2
    assert late[29] == pytest.approx(early[8], abs=0.1)


# --- Laws ----------------------------------------------------------------------------------------


@given(kept=st.integers(1, 11), seed=st.integers(0, 1000))
def test_nothing_later_changes_a_chance(kept: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    time = np.cumsum(random.integers(0, 4, 12)).astype(np.float64)
    score = random.integers(0, 28, 12).astype(np.float64)
    whole = little_gain(TREND, time, score, ["c1"] * 12, horizon=4, points=3)
    begun = little_gain(TREND, time[:kept], score[:kept], ["c1"] * kept, horizon=4, points=3)
    np.testing.assert_array_equal(whole.chance[:kept], begun.chance)
    np.testing.assert_array_equal(whole.reason[:kept], begun.reason)


@given(points=st.floats(0.5, 10.0), more=st.floats(0.0, 10.0), seed=st.integers(0, 1000))
def test_more_gain_is_never_likelier(points: float, more: float, seed: int) -> None:
    score = np.random.default_rng(seed).integers(0, 28, 6).astype(np.float64)
    case = ["c1"] * 6
    less = little_gain(TREND, range(6), score, case, horizon=4, points=points).chance[-1]
    asked_more = little_gain(TREND, range(6), score, case, horizon=4, points=points + more)
    assert asked_more.chance[-1] >= less - 1e-12
    assert 0 <= less <= 1


def test_a_mirrored_scale_gives_the_same_chances() -> None:
    some = drawn(3, cases=80)
    score = np.clip(np.rint(some.score), 0, 27)
    one = fit_trend(some.time, score, some.case, minimum=0, maximum=27, higher_is="worse")
    other = fit_trend(some.time, 27 - score, some.case, minimum=0, maximum=27, higher_is="better")
    np.testing.assert_allclose(
        little_gain(other, some.time, 27 - score, some.case, horizon=4, points=3).chance,
        little_gain(one, some.time, score, some.case, horizon=4, points=3).chance,
        atol=1e-6,
    )


def test_no_room_to_the_healthy_end_means_little_gain() -> None:
    chance = little_gain(TREND, range(8), [2.0] * 8, ["c1"] * 8, horizon=6, points=3).chance
    assert chance[-1] > 0.95


# --- Refusals ------------------------------------------------------------------------------------


def test_too_few_scores_are_not_computable_and_say_so() -> None:
    found = little_gain(TREND, range(5), [15.0] * 5, ["c1"] * 5, horizon=4, points=3)
    reasons = [REASONS[code] for code in found.reason]
    assert reasons == ["too_few_scores"] * (MINIMUM_SCORES - 1) + ["computable"] * 2
    assert np.isnan(found.chance[: MINIMUM_SCORES - 1]).all()
    assert np.isfinite(found.chance[MINIMUM_SCORES - 1 :]).all()


def test_a_horizon_that_was_not_tried_is_not_computable() -> None:
    found = little_gain(TREND, range(5), [15.0] * 5, ["c1"] * 5, horizon=30, points=3)
    assert REASONS[found.reason[-1]] == "horizon_too_far"
    assert np.isnan(found.chance).all()


def test_a_practice_with_few_long_cases_is_refused_with_a_sentence() -> None:
    some = drawn(4, cases=20)
    with pytest.raises(NoTrendError, match="20 cases have 5 scores or more; the chance of little"):
        fit_trend(*some[:3], minimum=0, maximum=27, higher_is="worse")
    with pytest.raises(NoTrendError, match="0 cases"):
        fit_trend([0.0], [9.0], ["c1"], minimum=0, maximum=27, higher_is="worse")
    with pytest.raises(NoTrendError, match="0 cases"):
        fit_trend([], [], [], minimum=0, maximum=27, higher_is="worse")


def test_equal_scores_and_same_day_scores_do_no_harm() -> None:
    time = np.tile([0.0, 0.0, 1.0, 1.0, 2.0, 3.0], 60)
    case = np.repeat(np.arange(60), 6)
    trend = fit_trend(time, np.full(360, 9.0), case, minimum=0, maximum=27, higher_is="worse")
    chance = little_gain(trend, time, np.full(360, 9.0), case, horizon=2, points=3).chance
    assert (chance[5::6] > 0.9).all()


def test_rows_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in order of time"):
        little_gain(TREND, [0, 2, 1], [9, 9, 9], ["c1"] * 3, horizon=4, points=3)
    with pytest.raises(ValueError, match="in order of time"):
        little_gain(TREND, [0, 0, 1], [9, 9, 9], ["c1", "c2", "c1"], horizon=4, points=3)
    with pytest.raises(ValueError, match="time has a missing"):
        little_gain(TREND, [0, 1, np.nan], [9, 9, 9], ["c1"] * 3, horizon=4, points=3)
