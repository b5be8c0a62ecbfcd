"""What moves with the outcome for one client: known links come back, noise stays noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.process_pooling import pooled_link
from models.processes import KPSS_CRITICAL, kpss_level, process_link, process_links

DIARY = Path(__file__).parents[3] / "shared" / "data" / "mirorr_daily_diary" / "long.csv"
SEEDS = range(30)


def wandering(count: int, carried: float, draw: np.random.Generator) -> np.ndarray:
    """Return an autoregressive series that has long forgotten its start."""
    series = np.zeros(count + 50)
    for place in range(1, count + 50):
        series[place] = carried * series[place - 1] + draw.normal()
    return series[50:]


def linked(
    seed: int, *, count: int, link: float, carried: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return days, outcome, process, and the true link in standard deviations."""
    draw = np.random.default_rng(seed)
    process = wandering(count, carried, draw)
    outcome = link * process + wandering(count, carried, draw)
    true = link * process.std(ddof=1) / outcome.std(ddof=1)
    return np.arange(count), outcome, process, true


@pytest.mark.parametrize(("count", "carried"), [(30, 0.0), (80, 0.5)])
def test_a_known_link_comes_back_with_an_honest_interval(count: int, carried: float) -> None:
    errors, held = [], 0
    for seed in SEEDS:
        *series, true = linked(seed, count=count, link=0.5, carried=carried)
        found = process_link(*series)
        assert found.link is not None
        errors.append(found.link - true)
        held += found.low <= true <= found.high
    assert abs(np.mean(errors)) < 0.05
    assert held >= 25  # 28 or 29 of 30 are meant; 24 or fewer have a chance of 1 in 300


def test_noise_rarely_looks_like_a_link() -> None:
    alarms = sum(
        not found.low <= 0 <= found.high
        for seed in SEEDS
        if (found := process_link(*linked(seed, count=25, link=0.0)[:3])).link is not None
    )
    assert alarms <= 5  # 1 or 2 of 30 are meant; 6 or more have a chance of 1 in 300


@pytest.mark.reliability
@pytest.mark.parametrize("carried", [0.0, 0.5])
@pytest.mark.parametrize("count", [20, 40, 80])
def test_the_false_alarm_rate_over_many_seeds(count: int, carried: float) -> None:
    alarms = 0
    for seed in range(300):
        found = process_link(*linked(10_000 + seed, count=count, link=0.0, carried=carried)[:3])
        alarms += found.link is not None and not found.low <= 0 <= found.high
    assert alarms / 300 <= (0.09 if carried == 0 else 0.14)


def test_two_series_that_share_a_trend_alone_are_no_link() -> None:
    draw = np.random.default_rng(2)
    days = np.arange(60)
    found = process_link(
        days, 20 - 0.2 * days + draw.normal(size=60), 0.1 * days + draw.normal(size=60)
    )
    assert found.low < 0 < found.high


def test_neither_scale_nor_zero_point_nor_a_shared_calendar_matters() -> None:
    days, outcome, process, _ = linked(7, count=50, link=0.5)
    first = process_link(days, outcome, process)
    second = process_link(days * 7 + 300, 10 * outcome - 40, 0.01 * process + 5)
    assert second.order == first.order
    assert second.link == pytest.approx(first.link, abs=1e-3)
    assert second.standard_error == pytest.approx(first.standard_error, rel=1e-2)


def test_turning_the_process_round_turns_the_link_round() -> None:
    days, outcome, process, _ = linked(7, count=50, link=0.5)
    assert process_link(days, outcome, -process).link == pytest.approx(
        -process_link(days, outcome, process).link, abs=1e-3
    )


def test_below_twenty_pairs_nothing_is_said() -> None:
    days, outcome, process, _ = linked(1, count=30, link=0.5)
    process[19:] = np.nan
    assert process_link(days, outcome, process).reason == "too_few_points"
    process[19] = 0.3
    assert process_link(days, outcome, process).reason is None


@pytest.mark.parametrize("name", ["outcome", "process"])
@pytest.mark.parametrize("others", [0, 4])
def test_what_hardly_varies_is_refused(name: str, others: int) -> None:
    days, outcome, process, _ = linked(1, count=40, link=0.5)
    flat = np.full(40, 3.0)
    flat[:others] = 4.0
    series = {"outcome": outcome, "process": process} | {name: flat}
    assert process_link(days, **series).reason == f"{name}_hardly_varies"


def test_a_straight_line_is_no_variation() -> None:
    days, outcome, _, _ = linked(1, count=40, link=0.5)
    assert process_link(days, outcome, 2.0 * days).reason == "process_hardly_varies"


def test_pairs_scattered_over_years_are_refused() -> None:
    _, outcome, process, _ = linked(1, count=25, link=0.5)
    days = np.cumsum(np.resize([29, 31, 30], 25))
    assert process_link(days, outcome, process).reason == "too_sparse"


def test_missing_days_stay_missing_and_the_link_comes_back() -> None:
    days, outcome, process, true = linked(5, count=120, link=0.8, carried=0.4)
    draw = np.random.default_rng(5)
    outcome[draw.random(120) < 0.2] = np.nan
    process[draw.random(120) < 0.1] = np.nan
    kept = np.isfinite(outcome) | np.isfinite(process)
    found = process_link(days[kept], outcome[kept], process[kept])
    assert found.point_count < 100
    assert found.low < true < found.high
    assert found.low > 0.3


def test_the_day_before_is_found_at_lag_one_only() -> None:
    draw = np.random.default_rng(8)
    process = draw.normal(size=80)
    outcome = 0.3 * draw.normal(size=80)
    outcome[1:] += 0.9 * process[:-1]
    now, before = (process_link(np.arange(80), outcome, process, lag=lag) for lag in (0, 1))
    assert now.low < 0 < now.high
    assert before.link == pytest.approx(0.95, abs=0.05)
    assert before.point_count == 79


def test_what_a_day_carries_over_is_not_taken_for_a_link() -> None:
    # Regression that takes days for independent cries wolf about three times as often.
    ours = plain = 0
    for seed in SEEDS:
        days, outcome, process, _ = linked(500 + seed, count=80, link=0.0, carried=0.7)
        found = process_link(days, outcome, process)
        ours += not found.low <= 0 <= found.high
        r = np.corrcoef(outcome, process)[0, 1]
        plain += abs(r) * np.sqrt(78 / (1 - r**2)) > 1.99
    assert ours <= 5
    assert plain > ours


def test_a_series_that_wanders_is_differenced() -> None:
    draw = np.random.default_rng(11)
    process = np.cumsum(draw.normal(size=80))
    walk = np.cumsum(draw.normal(size=80)) * 3
    found = process_link(np.arange(80), process + walk, process)
    assert found.order.split(",")[1] in ("0", "1")
    assert kpss_level(walk) > KPSS_CRITICAL


@pytest.mark.filterwarnings("ignore:The test statistic is outside")  # its table of p ends there
def test_the_level_test_agrees_with_statsmodels() -> None:
    from statsmodels.tsa.stattools import kpss

    series = wandering(60, 0.6, np.random.default_rng(12))
    lags = int(3 * np.sqrt(60) / 13)
    theirs = kpss(series, regression="c", nlags=lags, result_object=False)[0]
    assert kpss_level(series) == pytest.approx(theirs, rel=1e-10)


def test_every_case_gets_a_row_by_id_with_a_link_or_a_reason() -> None:
    frames = []
    for case_id, count in (("b", 30), ("a", 10)):
        days, outcome, process, _ = linked(3, count=count, link=0.5)
        frames.append(
            pl.DataFrame({"at": days, "outcome": outcome, "process": process}).with_columns(
                case_id=pl.lit(case_id)
            )
        )
    points = pl.concat(frames).sample(fraction=1, shuffle=True, seed=1)
    found = process_links(points)
    assert found["case_id"].to_list() == ["a", "b"]
    assert found["reason"].to_list() == ["too_few_points", None]
    assert found["link"].null_count() == 1


@pytest.mark.skipif(not DIARY.exists(), reason="needs ../shared/data/mirorr_daily_diary")
def test_real_diaries_give_links_that_differ_between_people() -> None:
    sent = pl.read_csv(DIARY, columns=["patient_id", "day", "down", "worr"], null_values="NA")
    first = sent["patient_id"].unique().sort()[:10].to_list()
    points = sent.filter(pl.col("patient_id").is_in(first)).select(
        pl.col("patient_id").cast(pl.String).alias("case_id"),
        at="day", outcome="down", process="worr",
    )  # fmt: skip
    found = process_links(points)
    assert found.height == 10
    assert found["reason"].null_count() == 10
    assert found["point_count"].min() >= 60
    shared = pooled_link(found["link"], found["standard_error"])
    assert 0.2 < shared.mean < 0.6
    assert shared.tau2 > 0
