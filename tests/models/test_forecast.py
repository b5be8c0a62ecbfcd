"""The forecast from all scores so far: calibrated, never changed by what comes later, and fast."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.course_tables import CourseTables, Predictions
from models.expected_course import ExpectedCourse
from models.forecast import CaseForecast, NoPairsError
from models.own_lines import case_blocks, case_starts, known_so_far

Floats = NDArray[np.float64]


class Practice(NamedTuple):
    X: Floats
    y: Floats
    cases: NDArray[np.intp]

    def fit(self) -> CaseForecast:
        return CaseForecast(ExpectedCourse(minimum_cases=1).fit(*self)).fit(*self)

    @property
    def occasion(self) -> Floats:
        return np.rint(np.expm1(self.X[:, 1]))


def practice(
    seed: int, cases: int = 600, most_scores: int = 14, noise: float = 2.4, is_phq9: bool = True
) -> Practice:
    """Scores on a logarithm with a line of each case's own, as the mixed model has it."""
    random = np.random.default_rng(seed)
    count = random.integers(1, most_scores + 1, cases)
    case = np.repeat(np.arange(cases), count)
    baseline = np.clip(np.rint(random.normal(14.5, 5.0, cases)), 0, 27)[case]
    occasion = np.concatenate([np.arange(1.0, one + 1) for one in count])
    time = np.log1p(occasion)
    own = random.normal(size=(cases, 2)) * (3.0, 1.8)
    score = 3.0 + 0.7 * baseline + (-0.4 - 0.13 * baseline) * time
    score = score + own[case, 0] + own[case, 1] * time + random.normal(0, noise, len(case))
    score = np.clip(np.rint(score), 0, 27) if is_phq9 else score
    return Practice(np.column_stack([baseline, time]), score, case)


def pairs(some: Practice, lead: int) -> NDArray[np.intp]:
    """Return the rows that have a score so many occasions later."""
    row = np.arange(len(some.y) - lead)
    return row[some.cases[row] == some.cases[row + lead]]


@pytest.fixture(scope="module")
def forecast() -> CaseForecast:
    return practice(1, cases=1500).fit()


# --- Calibration and recovery --------------------------------------------------------------------


@pytest.mark.parametrize("lead", [1, 3, 8])
def test_later_scores_lie_in_the_interval_as_often_as_it_says(
    forecast: CaseForecast, lead: int
) -> None:
    held = practice(2, cases=3000)
    heading = forecast.heading(
        *held, np.log1p(held.occasion + lead), minimum=-50, maximum=80, coverages=(0.8, 0.95)
    )
    row = pairs(held, lead)
    later = held.y[row + lead]
    for number, coverage in enumerate((0.8, 0.95)):
        inside = (heading.low[number, row] <= later) & (later <= heading.high[number, row])
        assert inside.mean() == pytest.approx(coverage, abs=0.025)
    severity = np.digitize(held.X[row, 0], np.quantile(held.X[row, 0], [1 / 3, 2 / 3]))
    for tercile in range(3):
        above = (later > heading.high[0, row])[severity == tercile]
        assert above.mean() == pytest.approx(0.1, abs=0.045)  # some 400 cases a cell


def test_a_forecast_chance_comes_true_as_often_as_it_says(forecast: CaseForecast) -> None:
    held = practice(3, cases=3000)
    row = pairs(held, 2)
    for value in (5.5, 9.5, 14.5):
        said = forecast.share_below(
            *held, np.log1p(held.occasion + 2), np.full(len(held.y), value)
        )[row]
        assert (held.y[row + 2] < value).mean() == pytest.approx(said.mean(), abs=0.02)


def test_where_the_model_is_true_the_forecast_is_nearly_the_best_there_is() -> None:
    some = practice(4, cases=2000, is_phq9=False)
    held = practice(5, cases=2000, is_phq9=False)
    forecast = some.fit()
    later = np.log1p(held.occasion + 1)
    row = pairs(held, 1)
    heading = forecast.heading(*held, later, minimum=-50, maximum=80)
    # The best linear unbiased prediction with the parameters the data were made with.
    time = held.X[:, 1]
    covariance = np.diag([3.0**2, 1.8**2])
    best = np.empty(len(row))
    for number, one in enumerate(row):
        first = one - int(held.occasion[one]) + 1
        Z = np.column_stack([np.ones(one - first + 1), time[first : one + 1]])
        baseline = held.X[one, 0]
        fixed = np.array([3.0 + 0.7 * baseline, -0.4 - 0.13 * baseline])
        V = Z @ covariance @ Z.T + 2.4**2 * np.eye(len(Z))
        mode = covariance @ Z.T @ np.linalg.solve(V, held.y[first : one + 1] - Z @ fixed)
        best[number] = np.array([1.0, later[one]]) @ (fixed + mode)
    miss = np.sqrt(np.mean((held.y[row + 1] - heading.expected[row]) ** 2))
    least = np.sqrt(np.mean((held.y[row + 1] - best) ** 2))
    assert miss < 1.02 * least


def test_own_lines_are_the_conditional_modes_of_the_scores_so_far() -> None:
    some = practice(6, cases=80, most_scores=6)
    course = ExpectedCourse(minimum_cases=1).fit(*some)
    known = known_so_far(course, *some.X.T, some.y, case_starts(some.cases))
    row = int(np.flatnonzero(some.occasion == 5)[0])
    so_far = slice(row - 4, row + 1)
    Z = np.column_stack([np.ones(5), some.X[so_far, 1]])
    V = Z @ course.random_covariance_ @ Z.T + course.residual_sd_**2 * np.eye(5)
    distance = some.y[so_far] - course.predict(some.X[so_far])
    mode = course.random_covariance_ @ Z.T @ np.linalg.solve(V, distance)
    np.testing.assert_allclose([known.intercept[row], known.slope[row]], mode, rtol=1e-8)


# --- Laws ----------------------------------------------------------------------------------------


@given(kept=st.integers(1, 9), seed=st.integers(0, 1000), ahead=st.integers(1, 8))
def test_nothing_later_changes_what_was_predicted(
    forecast: CaseForecast, kept: int, seed: int, ahead: int
) -> None:
    random = np.random.default_rng(seed)
    occasion = np.arange(1.0, 10.0)
    whole = Practice(
        np.column_stack([np.full(9, float(random.integers(0, 28))), np.log1p(occasion)]),
        random.integers(0, 28, 9).astype(np.float64),
        np.zeros(9, dtype=np.intp),
    )
    begun = Practice(whole.X[:kept], whole.y[:kept], whole.cases[:kept])
    then, before = (
        forecast.heading(*one, np.log1p(one.occasion + ahead), minimum=0, maximum=27)
        for one in (whole, begun)
    )
    # The last bit depends on how many rows are multiplied at once.
    np.testing.assert_allclose(then.expected[:kept], before.expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(then.low[:, :kept], before.low, rtol=0, atol=1e-9)
    np.testing.assert_allclose(then.high[:, :kept], before.high, rtol=0, atol=1e-9)


def test_other_cases_do_not_change_a_forecast(forecast: CaseForecast) -> None:
    many = practice(7, cases=50)
    one = Practice(*(part[many.cases == 30] for part in many))
    together = forecast.heading(*many, np.log1p(many.occasion + 2), minimum=0, maximum=27)
    alone = forecast.heading(*one, np.log1p(one.occasion + 2), minimum=0, maximum=27)
    np.testing.assert_allclose(together.expected[many.cases == 30], alone.expected, atol=1e-9)


def test_worse_scores_never_lead_to_a_better_forecast(forecast: CaseForecast) -> None:
    X = np.column_stack([np.full(6, 15.0), np.log1p(np.arange(1.0, 7.0))])
    case = np.zeros(6, dtype=np.intp)
    ends = [
        forecast.heading(
            X, np.full(6, level), case, np.log1p(np.arange(1.0, 7.0) + 4), minimum=0, maximum=27
        ).expected[-1]
        for level in np.arange(0.0, 28.0)
    ]
    assert (np.diff(ends) >= 0).all()


def test_a_mirrored_scale_gives_the_mirrored_forecast() -> None:
    some = practice(8, cases=300)
    mirrored = Practice(np.column_stack([27 - some.X[:, 0], some.X[:, 1]]), 27 - some.y, some.cases)
    later = np.log1p(some.occasion + 2)
    one = some.fit().heading(*some, later, minimum=0, maximum=27)
    other = mirrored.fit().heading(*mirrored, later, minimum=0, maximum=27)
    np.testing.assert_allclose(27 - other.expected, one.expected, atol=1e-4)
    np.testing.assert_allclose(27 - other.high, one.low, atol=1e-4)


def test_text_gives_back_exactly_the_same_forecast(forecast: CaseForecast) -> None:
    some = practice(9, cases=20)
    again = CaseForecast.from_json(forecast.to_json())
    later = np.log1p(some.occasion + 3)
    one, other = (each.heading(*some, later, minimum=0, maximum=27) for each in (forecast, again))
    np.testing.assert_array_equal(one.low, other.low)
    assert again.course.to_json() == forecast.course.to_json()
    with pytest.raises(ValueError, match="fit the forecast again"):
        CaseForecast.from_json(forecast.course.to_json())


# --- Thin and odd data ---------------------------------------------------------------------------


def test_too_far_ahead_is_not_computed(forecast: CaseForecast) -> None:
    some = practice(10, cases=20)
    heading = forecast.heading(*some, np.log1p(some.occasion + 40), minimum=0, maximum=27)
    assert np.isnan(heading.expected).all()
    assert np.isnan(heading.low).all()


def test_one_score_a_case_gives_no_forecast_and_a_sentence() -> None:
    both = practice(11, cases=80, most_scores=1)
    course = ExpectedCourse().fit(*both)
    with pytest.raises(
        NoPairsError, match="0 cases have two scores after the baseline; a forecast"
    ):
        CaseForecast(course).fit(*both)


def test_two_scores_a_case_forecast_the_second_from_the_first() -> None:
    two = practice(12, cases=300, most_scores=2)
    heading = two.fit().heading(*two, np.log1p(two.occasion + 1), minimum=0, maximum=27)
    row = pairs(two, 1)
    inside = (heading.low[0, row] <= two.y[row + 1]) & (two.y[row + 1] <= heading.high[0, row])
    assert inside.mean() == pytest.approx(0.8, abs=0.07)


def test_irregular_times_are_forecast_too() -> None:
    some = practice(13, cases=400)
    random = np.random.default_rng(0)
    weeks = some.occasion * 1.3 + random.uniform(0, 1, len(some.y))
    irregular = Practice(np.column_stack([some.X[:, 0], np.log1p(weeks)]), some.y, some.cases)
    heading = irregular.fit().heading(*irregular, np.log1p(weeks + 4), minimum=0, maximum=27)
    assert np.isfinite(heading.expected).all()
    assert (heading.low <= heading.high).all()


def test_rows_out_of_order_and_times_gone_by_are_refused(forecast: CaseForecast) -> None:
    some = practice(14, cases=20)
    turned = Practice(*(part[::-1] for part in some))
    with pytest.raises(ValueError, match="in order of time"):
        forecast.heading(*turned, np.log1p(turned.occasion + 1), minimum=0, maximum=27)
    with pytest.raises(ValueError, match="later must lie after"):
        forecast.heading(*some, some.X[:, 1], minimum=0, maximum=27)
    with pytest.raises(ValueError, match="not fitted yet"):
        CaseForecast(forecast.course).heading(*some, some.X[:, 1] + 1, minimum=0, maximum=27)


def test_blocks_hold_whole_cases() -> None:
    codes = np.repeat(np.arange(40_000), 3)
    blocks = list(case_blocks(case_starts(codes)))
    assert len(blocks) == 2
    assert all(block.start % 3 == 0 for block in blocks)
    assert blocks[-1].stop == len(codes)


# --- Tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int8, np.float64])
def test_tables_give_the_same_predictions(forecast: CaseForecast, dtype: type) -> None:
    held = practice(15, cases=400)
    tables = CourseTables.of(
        forecast, minimum=0, maximum=27, higher_is="worse", ahead=3, occasions=20
    )
    starts = case_starts(held.cases)
    counts = np.bincount(held.cases)
    found = list(tables.predict(held.X[starts, 0], counts, held.y.astype(dtype)))
    order = np.argsort(np.concatenate([rows for rows, _ in found]))
    assert len(order) == len(held.y)
    both = Predictions(
        **{
            field.name: np.concatenate([getattr(one, field.name) for _, one in found], axis=-1)[
                ..., order
            ]
            for field in fields(Predictions)
        }
    )
    course = forecast.course
    heading = forecast.heading(*held, np.log1p(held.occasion + 3), minimum=0, maximum=27)
    np.testing.assert_allclose(both.expected, course.predict(held.X), atol=1e-4)
    for number, coverage in enumerate((0.8, 0.95)):
        low, high = course.band(held.X, coverage=coverage, minimum=0, maximum=27)
        np.testing.assert_allclose(both.low[number], low, atol=1e-4)
        np.testing.assert_allclose(both.high[number], high, atol=1e-4)
    chance = course.chance_this_bad(held.X, held.y, higher_is="worse")
    np.testing.assert_allclose(both.chance_this_bad, chance, atol=1e-5)
    np.testing.assert_allclose(both.heading, heading.expected, atol=1e-4)
    np.testing.assert_allclose(both.heading_low, heading.low, atol=0.12)  # nearest level
    np.testing.assert_allclose(both.heading_high, heading.high, atol=0.12)


def test_tables_refuse_what_is_not_on_the_scale(forecast: CaseForecast) -> None:
    tables = CourseTables.of(forecast, minimum=0, maximum=27, higher_is="worse", occasions=5)
    counts = np.array([2])
    for score in ([3.0, 4.5], [3.0, 28.0], [-1.0, 3.0]):
        with pytest.raises(ValueError, match="in steps of"):
            list(tables.predict(np.array([15.0]), counts, np.array(score)))
    with pytest.raises(ValueError, match="1 to 5 scores"):
        list(tables.predict(np.array([15.0]), np.array([6]), np.ones(6)))
    with pytest.raises(ValueError, match="2 scores are counted, but 3 came"):
        list(tables.predict(np.array([15.0]), counts, np.ones(3)))
