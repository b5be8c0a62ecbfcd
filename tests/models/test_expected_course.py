"""The expected course: agrees with lme4 and statsmodels, finds known truths, and is calibrated."""

import json
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import UnstuckError
from models.course_coverage import coverage_by_cell, spread_inside
from models.expected_course import ExpectedCourse, TooFewCasesError
from models.mixed_model import (
    CaseSums,
    Floats,
    NoSpreadError,
    case_sums,
    conditional_modes,
    fit_mixed_model,
    profile,
)

LME4 = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "lme4"
NEEDS_LME4 = pytest.mark.skipif(
    not LME4.is_dir(), reason=f"the reference fits of lme4 are not here: {LME4}"
)
LME4_FITS = [
    pytest.param("s1k", "lmer_1k_tight", "session", id="1,000 cases by session"),
    pytest.param("s10k", "lmer_10k_tight", "session", id="10,000 cases by session"),
    pytest.param("s10k", "lmer_10k_day_tight", "day", id="10,000 cases by day"),
    pytest.param("gap10k", "lmer_gap10k_day_tight", "day", id="10,000 cases with gaps"),
]


class Practice(NamedTuple):
    X: Floats
    y: Floats
    cases: np.ndarray

    @property
    def sums(self) -> CaseSums:
        numbers = np.unique(self.cases, return_inverse=True)[1]
        return case_sums(self.X[:, 0], self.X[:, 1], self.y, numbers)

    def of(self, rows: np.ndarray) -> "Practice":
        return Practice(self.X[rows], self.y[rows], self.cases[rows])

    def fit(self, minimum_cases: int = 1) -> ExpectedCourse:
        return ExpectedCourse(minimum_cases=minimum_cases).fit(*self)


def practice(
    seed: int,
    cases: int = 300,
    most_scores: int = 14,
    sd: tuple[float, float] = (3.0, 1.8),
    noise: float = 2.4,
    is_phq9: bool = True,
) -> Practice:
    """Scores = 3 + .7 baseline + (-.4 - .13 baseline) log1p(occasion) + own line + noise."""
    random = np.random.default_rng(seed)
    count = random.integers(1, most_scores + 1, cases)
    case = np.repeat(np.arange(cases), count)
    baseline = np.clip(np.rint(random.normal(14.5, 5.0, cases)), 0, 27)[case]
    occasion = np.concatenate([np.arange(1, one + 1) for one in count])
    time = np.log1p(occasion.astype(np.float64))
    own = random.normal(size=(cases, 2)) * sd
    score = 3.0 + 0.7 * baseline + (-0.4 - 0.13 * baseline) * time
    score = score + own[case, 0] + own[case, 1] * time + random.normal(0, noise, len(case))
    score = np.clip(np.rint(score), 0, 27) if is_phq9 else score
    return Practice(np.column_stack([baseline, time]), score, case)


@pytest.fixture(scope="module")
def fitted() -> tuple[Practice, ExpectedCourse]:
    many = practice(1, cases=600)
    return many, many.fit()


def lme4_practice(stem: str, clock: str) -> Practice:
    sessions = pl.read_parquet(LME4 / f"{stem}.parquet")
    since = sessions[clock].cast(pl.Float64).to_numpy() / (7.0 if clock == "day" else 1.0)
    X = np.column_stack([sessions["intake"].cast(pl.Float64).to_numpy(), np.log1p(since)])
    return Practice(X, sessions["score"].cast(pl.Float64).to_numpy(), sessions["case"].to_numpy())


# --- The mixed model -----------------------------------------------------------------------------


@NEEDS_LME4
@pytest.mark.parametrize(("stem", "fit", "clock"), LME4_FITS)
def test_the_criterion_is_that_of_lme4_at_fixed_thetas(stem: str, fit: str, clock: str) -> None:
    sums = lme4_practice(stem, clock).sums
    for known in json.loads((LME4 / f"{fit}.json").read_text())["dev_at"]:
        here = profile(sums, np.array(known["theta"], dtype=np.float64)).criterion
        assert here == pytest.approx(known["reml_dev"], rel=0, abs=1e-6)


@NEEDS_LME4
@pytest.mark.parametrize(("stem", "fit", "clock"), LME4_FITS)
def test_the_fit_is_that_of_lme4(stem: str, fit: str, clock: str) -> None:
    known = json.loads((LME4 / f"{fit}.json").read_text())
    sums = lme4_practice(stem, clock).sums
    ours = fit_mixed_model(sums)
    assert ours.criterion == pytest.approx(known["reml_criterion"], rel=0, abs=1e-6)
    fixed = [known["fixef"][name] for name in ("(Intercept)", "t", "intake", "t:intake")]
    np.testing.assert_allclose(ours.coefficients, fixed, rtol=1e-5)
    np.testing.assert_allclose(ours.residual_sd, known["sigma"], rtol=1e-5)
    np.testing.assert_allclose(ours.covariance, known["vcov_re"], rtol=1e-5)
    modes = conditional_modes(sums, ours.theta)[:5]
    np.testing.assert_allclose(modes, known["blup_first5"], rtol=0, atol=1e-4)


@NEEDS_LME4
def test_a_course_learns_the_lme4_curve() -> None:
    known = json.loads((LME4 / "lmer_1k_tight.json").read_text())
    course = lme4_practice("s1k", "session").fit()
    assert course.criterion_ == pytest.approx(known["reml_criterion"], rel=0, abs=1e-6)
    np.testing.assert_allclose(course.random_covariance_, known["vcov_re"], rtol=1e-5)


def test_the_fit_is_that_of_statsmodels() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    few = practice(2, cases=60, most_scores=8)
    baseline, time = few.X.T
    one = np.ones_like(time)
    theirs = MixedLM(
        few.y,
        np.column_stack([one, time, baseline, time * baseline]),
        groups=few.cases,
        exog_re=np.column_stack([one, time]),
    ).fit(reml=True, method=["lbfgs"])
    ours = fit_mixed_model(few.sums)
    np.testing.assert_allclose(ours.coefficients, theirs.fe_params, rtol=1e-4)
    np.testing.assert_allclose(ours.covariance, theirs.cov_re, rtol=1e-3)
    np.testing.assert_allclose(ours.residual_sd**2, theirs.scale, rtol=1e-4)
    assert ours.criterion == pytest.approx(-2.0 * theirs.llf, abs=1e-4)


def test_the_criterion_is_that_of_the_full_covariance_matrices() -> None:
    few = practice(3, cases=12, most_scores=5)
    theta = np.array([1.1, -0.4, 0.6])
    factor = np.array([[1.1, 0.0], [-0.4, 0.6]])
    baseline, time = few.X.T
    Z = np.column_stack([np.ones_like(time), time])
    X = np.column_stack([Z, Z * baseline[:, None]])
    is_same_case = few.cases[:, None] == few.cases[None, :]
    V = np.eye(len(few.y)) + is_same_case * (Z @ factor @ factor.T @ Z.T)
    information = X.T @ np.linalg.solve(V, X)
    beta = np.linalg.solve(information, X.T @ np.linalg.solve(V, few.y))
    residual = few.y - X @ beta
    freedom = len(few.y) - 4
    variance = residual @ np.linalg.solve(V, residual) / freedom
    known = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
    known += freedom * (1 + np.log(2 * np.pi * variance))
    here = profile(few.sums, theta)
    assert here.criterion == pytest.approx(known, rel=0, abs=1e-9)
    np.testing.assert_allclose(here.coefficients, beta, rtol=1e-9)
    first = few.cases == 0
    mode = factor @ factor.T @ Z[first].T @ np.linalg.solve(V, residual)[first]
    np.testing.assert_allclose(conditional_modes(few.sums, theta)[0], mode, rtol=1e-9)


def test_the_gradient_is_the_slope_of_the_criterion() -> None:
    sums = practice(4, cases=40).sums
    theta, step = np.array([0.7, 0.3, 0.5]), 1e-5
    slopes = [
        (profile(sums, theta + move).criterion - profile(sums, theta - move).criterion) / (2 * step)
        for move in step * np.eye(3)
    ]
    np.testing.assert_allclose(profile(sums, theta).gradient, slopes, rtol=1e-6)


def test_known_parameters_are_found_again() -> None:
    fits = [fit_mixed_model(practice(seed, cases=1000, is_phq9=False).sums) for seed in range(5)]
    coefficients = np.mean([fit.coefficients for fit in fits], axis=0)
    np.testing.assert_allclose(coefficients, [3.0, -0.4, 0.7, -0.13], atol=0.2)
    np.testing.assert_allclose(coefficients[2:], [0.7, -0.13], atol=0.015)
    deviation = np.sqrt(np.mean([np.diag(fit.covariance) for fit in fits], axis=0))
    np.testing.assert_allclose(deviation, [3.0, 1.8], atol=0.12)
    np.testing.assert_allclose(np.mean([fit.residual_sd for fit in fits]), 2.4, atol=0.03)


@pytest.mark.parametrize("sd", [(0.0, 0.0), (3.0, 0.0), (0.0, 1.8)])
@pytest.mark.parametrize("seed", range(4))
def test_a_fit_on_the_boundary_is_the_best_of_many_starts(
    seed: int, sd: tuple[float, float]
) -> None:
    from scipy.optimize import minimize

    sums = practice(seed, cases=80, most_scores=6, sd=sd, noise=3.0).sums
    random = np.random.default_rng(seed)

    def criterion(theta: Floats) -> tuple[float, Floats]:
        here = profile(sums, theta)
        return here.criterion, here.gradient

    starts = np.exp(random.normal(-0.5, 1.0, (8, 3)))
    best = min(minimize(criterion, start, jac=True, method="L-BFGS-B").fun for start in starts)
    ours = fit_mixed_model(sums)
    assert ours.criterion <= best + 1e-6
    assert ours.theta[0] >= 0
    assert ours.theta[2] >= 0
    assert np.linalg.eigvalsh(ours.covariance)[0] >= -1e-9


def test_the_unit_of_time_does_not_matter() -> None:
    weekly = practice(5, cases=100)
    daily = Practice(weekly.X * [1.0, 700.0], weekly.y, weekly.cases)
    np.testing.assert_allclose(
        daily.fit().predict(daily.X), weekly.fit().predict(weekly.X), rtol=1e-6
    )


# --- The expected course -------------------------------------------------------------------------


def test_row_order_does_not_matter() -> None:
    some = practice(6, cases=250)
    mixed = some.of(np.random.default_rng(0).permutation(len(some.y)))
    one, other = some.fit(), mixed.fit()
    np.testing.assert_allclose(one.predict(some.X), other.predict(some.X), rtol=1e-6)
    np.testing.assert_allclose(
        one.chance_this_bad(some.X, some.y, higher_is="worse"),
        other.chance_this_bad(some.X, some.y, higher_is="worse"),
        atol=1e-6,
    )


def test_the_names_of_cases_do_not_matter() -> None:
    some = practice(6, cases=60)
    named = ExpectedCourse().fit(some.X, some.y, [("case", int(one)) for one in some.cases])
    assert named.to_json() == ExpectedCourse().fit(*some).to_json()


def test_cases_never_seen_lie_in_the_band_as_often_as_it_says() -> None:
    course, later = practice(7, cases=1500).fit(), practice(8, cases=3000)
    for coverage in (0.5, 0.8):
        low, high = course.band(later.X, coverage=coverage, minimum=-50, maximum=80)
        inside = (later.y >= low) & (later.y <= high)
        assert inside.mean() == pytest.approx(coverage, abs=0.02)
    low, high = course.band(later.X, coverage=0.8, minimum=0, maximum=27)
    severity = np.digitize(later.X[:, 0], np.quantile(later.X[:, 0], [1 / 3, 2 / 3]))
    late = later.X[:, 1] > np.log1p(7)
    for tercile in range(3):
        for cell in (late & (severity == tercile), ~late & (severity == tercile)):
            above = (later.y > high)[cell].mean()
            assert above == pytest.approx(0.1, abs=0.03)


def test_a_chance_comes_true_as_often_as_it_says() -> None:
    course, later = practice(7, cases=1500).fit(), practice(9, cases=3000)
    for offset in (-2.0, 0.0, 3.0, 6.0):
        bar = np.clip(np.rint(course.predict(later.X) + offset), 1, 27)
        said = course.chance_this_bad(later.X, bar, higher_is="worse")
        assert (later.y >= bar).mean() == pytest.approx(said.mean(), abs=0.02)


def test_spread_is_the_standard_deviation_and_grows_with_the_level() -> None:
    many = practice(10, cases=1500)
    course = many.fit()
    standardised = (many.y - course.predict(many.X)) / course.spread(many.X)
    assert np.mean(standardised**2) == pytest.approx(1.0, abs=1e-9)
    mild, severe = course.spread([[4.0, np.log1p(8.0)], [24.0, np.log1p(8.0)]])
    assert severe > mild > 0


def test_the_spread_stays_positive_far_outside_the_data(
    fitted: tuple[Practice, ExpectedCourse],
) -> None:
    assert fitted[1].spread([[-500.0, 0.0], [-500.0, 50.0], [500.0, 50.0]]).min() > 0


def test_a_worse_score_is_never_more_likely(fitted: tuple[Practice, ExpectedCourse]) -> None:
    course = fitted[1]
    scores = np.arange(0.0, 28.0)
    for baseline in (2.0, 14.0, 26.0):
        X = np.tile([baseline, np.log1p(6.0)], (28, 1))
        chance = course.chance_this_bad(X, scores, higher_is="worse")
        assert all(earlier >= later for earlier, later in pairwise(chance))
        assert chance.min() >= 0
        assert chance.max() <= 1


def test_whole_points_begin_half_a_point_early(fitted: tuple[Practice, ExpectedCourse]) -> None:
    X = [[14.0, np.log1p(6.0)]]
    whole = fitted[1].chance_this_bad(X, [15.0], higher_is="worse")
    exact = fitted[1].chance_this_bad(X, [14.5], higher_is="worse", integer=False)
    assert whole == exact


def test_a_mirrored_scale_gives_the_same_chances() -> None:
    some = practice(11, cases=600)
    mirrored_X = np.column_stack([27 - some.X[:, 0], some.X[:, 1]])
    mirrored = Practice(mirrored_X, 27 - some.y, some.cases)
    np.testing.assert_allclose(
        mirrored.fit().chance_this_bad(mirrored.X, mirrored.y, higher_is="better"),
        some.fit().chance_this_bad(some.X, some.y, higher_is="worse"),
        atol=1e-5,
    )


def test_a_band_stays_in_the_range_and_widens_with_coverage(
    fitted: tuple[Practice, ExpectedCourse],
) -> None:
    X = [[baseline, np.log1p(week)] for baseline in (0, 9, 27) for week in (1, 8, 60)]
    low, high = fitted[1].band(X, coverage=0.8, minimum=0, maximum=27)
    wide_low, wide_high = fitted[1].band(X, coverage=0.95, minimum=0, maximum=27)
    assert low.min() >= 0
    assert high.max() <= 27
    assert (wide_low <= low).all()
    assert (low <= high).all()
    assert (high <= wide_high).all()


def test_text_gives_back_exactly_the_same_course(fitted: tuple[Practice, ExpectedCourse]) -> None:
    some, course = fitted
    again = ExpectedCourse.from_json(course.to_json())
    assert again.to_json() == course.to_json()
    assert again.get_params() == course.get_params()
    np.testing.assert_array_equal(again.predict(some.X), course.predict(some.X))
    np.testing.assert_array_equal(again.spread(some.X), course.spread(some.X))
    np.testing.assert_array_equal(
        again.chance_this_bad(some.X, some.y, higher_is="worse"),
        course.chance_this_bad(some.X, some.y, higher_is="worse"),
    )


def test_text_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="fit the course again"):
        ExpectedCourse.from_json('{"format": "expected course 0"}')


@pytest.mark.parametrize("measure", ["PHQ-9", "GAD-7"])
def test_bands_hold_in_every_severity_and_session_of_a_practice_not_made_by_this_model(
    measure: str,
) -> None:
    """Kinds of course that no logarithm follows; the chances are those of docs/expected_course."""
    from pipelines.demo_practice import simulate_practice

    top = {"PHQ-9": 27, "GAD-7": 21}[measure]
    baselines, occasions, above, inside = [], [], [], []
    for seed in (21, 22, 23):
        sent = simulate_practice(cases=3000, seed=seed, dirty_rows=False).scores
        rows = sent.filter((pl.col("measure") == measure) & (pl.col("subscale") == "total"))
        rows = rows.with_columns(pl.col("session", "value").cast(pl.Float64))
        rows = rows.sort("case_id", "session").with_columns(
            occasion=pl.int_range(pl.len()).over("case_id"),
            baseline=pl.col("value").first().over("case_id"),
        )
        rows = rows.filter(pl.col("occasion") > 0)
        case = np.unique(rows["case_id"], return_inverse=True)[1]
        occasion = rows["occasion"].to_numpy().astype(np.float64)
        X = np.column_stack([rows["baseline"].to_numpy(), np.log1p(occasion)])
        whole = Practice(X, rows["value"].to_numpy(), case)
        held = whole.of(case % 2 == 1)
        course = whole.of(case % 2 == 0).fit()
        high = course.band(held.X, coverage=0.8, minimum=0, maximum=top)[1]
        below = 1 - course.chance_this_bad(held.X, held.y, higher_is="worse")
        up_to = 1 - course.chance_this_bad(held.X, held.y + 1, higher_is="worse")
        below, up_to = np.where(held.y == 0, 0, below), np.where(held.y == top, 1, up_to)
        baselines.append(held.X[:, 0])
        occasions.append(occasion[case % 2 == 1])
        above.append(held.y > high)
        inside.append(spread_inside(below, up_to, 0.8))
    table = coverage_by_cell(
        np.concatenate(baselines),
        np.concatenate(occasions),
        {"above": np.concatenate(above), "inside": np.concatenate(inside)},
    )
    assert table["inside"][0] == pytest.approx(0.8, abs=0.02)
    assert table["above"][0] == pytest.approx(0.1, abs=0.015)
    cells = table[1:].filter(pl.col("count") >= 1000)
    assert len(cells) >= 15
    assert (cells["inside"] - 0.8).abs().max() < 0.04
    assert (cells["above"] - 0.1).abs().max() < 0.04


def test_scikit_learn_can_clone_it() -> None:
    from sklearn.base import clone

    course = practice(12, cases=60).fit(minimum_cases=7)
    copy = clone(course)
    assert copy.get_params() == {"minimum_cases": 7}
    assert not hasattr(copy, "coefficients_")
    assert copy.set_params(minimum_cases=9).minimum_cases == 9
    with pytest.raises(ValueError, match="no parameter 'minimum'"):
        copy.set_params(minimum=9)


# --- Thin and odd data ---------------------------------------------------------------------------


def test_too_few_cases_are_refused_with_the_sentence() -> None:
    with pytest.raises(TooFewCasesError) as refused:
        ExpectedCourse().fit(*practice(13, cases=12))
    assert str(refused.value) == (
        "12 cases have a score after the baseline; an expected course needs 50. "
        "Until then there is no expected band; the status rule works without it."
    )
    assert (refused.value.found, refused.value.needed) == (12, 50)
    assert isinstance(refused.value, UnstuckError)


def test_no_rows_at_all_are_too_few_cases() -> None:
    with pytest.raises(TooFewCasesError, match=r"^0 cases"):
        ExpectedCourse().fit(np.empty((0, 2)), [], [])


def test_pre_post_data_give_a_course_without_random_effects() -> None:
    both = practice(14, cases=400, most_scores=1)
    course = both.fit()
    np.testing.assert_array_equal(course.random_covariance_, np.zeros((2, 2)))
    low, high = course.band(both.X, coverage=0.8, minimum=0, maximum=27)
    assert ((both.y >= low) & (both.y <= high)).mean() == pytest.approx(0.8, abs=0.03)
    baseline = both.X[:, 0]
    slope, intercept = np.polyfit(baseline, both.y, 1)
    line = course.coefficients_[0] + course.coefficients_[2] * baseline
    np.testing.assert_allclose(line, intercept + slope * baseline, rtol=1e-9)


def test_two_scores_a_case_carry_a_random_intercept_only() -> None:
    covariance = practice(15, cases=200, most_scores=2).fit().random_covariance_
    assert covariance[0, 0] > 0
    assert covariance[1, 1] == 0


def test_one_score_cases_among_others_change_nothing_but_the_estimates() -> None:
    some = practice(16, cases=200)
    assert (np.bincount(some.cases) == 1).any()
    assert np.isfinite(some.fit().predict(some.X)).all()


def test_several_scores_at_the_same_time_are_allowed() -> None:
    some = practice(16, cases=100)
    twice = Practice(
        np.vstack([some.X, some.X]),
        np.concatenate([some.y, some.y + 1]),
        np.concatenate([some.cases, some.cases]),
    )
    assert np.isfinite(twice.fit().chance_this_bad(twice.X, twice.y, higher_is="worse")).all()


def test_a_single_case_gives_its_own_line() -> None:
    time = np.log1p(np.arange(1.0, 9.0))
    y = 15 - 3 * time + np.array([1, -1, 0, 1, 0, -1, 1, -1])
    course = ExpectedCourse(minimum_cases=1).fit(
        np.column_stack([np.full(8, 15.0), time]), y, ["only"] * 8
    )
    X = np.column_stack([np.full(8, 15.0), time])
    line = np.polyval(np.polyfit(time, y, 1), time)
    np.testing.assert_allclose(course.predict(X), line, atol=0.5)  # what is left shifts it
    assert course.spread(X).min() > 0


def test_fewer_scores_than_the_curve_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores after the baseline cannot determine 2"):
        ExpectedCourse(minimum_cases=1).fit([[15.0, 0.7], [15.0, 1.1]], [14.0, 13.0], ["a", "a"])


def test_scores_that_never_change_are_refused_with_a_sentence() -> None:
    some = practice(17, cases=80)
    with pytest.raises(NoSpreadError, match="there is no spread to learn"):
        ExpectedCourse().fit(some.X, np.full(len(some.y), 9.0), some.cases)
    with pytest.raises(NoSpreadError, match="there is no spread to learn"):
        ExpectedCourse().fit(some.X, some.X[:, 0], some.cases)


def test_scores_copied_forward_within_each_case_still_give_a_course() -> None:
    some = practice(18, cases=80)
    copied = Practice(some.X, some.y[np.searchsorted(some.cases, some.cases)], some.cases)
    course = copied.fit()
    assert np.isfinite(course.criterion_)
    assert course.residual_sd_ < 0.01
    low, high = course.band(copied.X, coverage=0.8, minimum=0, maximum=27)
    assert (low <= high).all()


def test_a_case_with_two_baselines_is_refused() -> None:
    some = practice(19, cases=60)
    X = some.X.copy()
    X[0, 0] += 1
    with pytest.raises(ValueError, match="more than one baseline"):
        ExpectedCourse().fit(X, some.y, some.cases)


def test_missing_values_and_wrong_shapes_are_refused() -> None:
    some = practice(20, cases=60)
    missing = np.where(np.arange(len(some.y)) == 3, np.nan, some.y)
    with pytest.raises(ValueError, match="y has a missing or infinite value"):
        ExpectedCourse().fit(some.X, missing, some.cases)
    with pytest.raises(ValueError, match="X has a missing or infinite value"):
        ExpectedCourse().fit(np.column_stack([missing, some.y]), some.y, some.cases)
    with pytest.raises(ValueError, match="groups has a missing value"):
        ExpectedCourse().fit(some.X, some.y, [None, *some.cases[1:].tolist()])
    with pytest.raises(ValueError, match="groups has"):
        ExpectedCourse().fit(some.X, some.y, some.cases[1:])
    with pytest.raises(ValueError, match="y has shape"):
        ExpectedCourse().fit(some.X, some.y[1:], some.cases)
    with pytest.raises(ValueError, match="baseline and time"):
        ExpectedCourse().fit(some.X[:, 0], some.y, some.cases)


def test_wrong_calls_say_what_was_meant(fitted: tuple[Practice, ExpectedCourse]) -> None:
    with pytest.raises(ValueError, match="not fitted yet"):
        ExpectedCourse().predict([[15.0, 1.0]])
    with pytest.raises(ValueError, match="coverage is a share"):
        fitted[1].band([[15.0, 1.0]], coverage=80, minimum=0, maximum=27)
    with pytest.raises(ValueError, match="'worse' or 'better'"):
        fitted[1].chance_this_bad([[15.0, 1.0]], [9.0], higher_is="up")  # type: ignore[arg-type]  # wrong on purpose
