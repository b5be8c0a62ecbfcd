"""The growth curve: three paths with one result, exact gradients, boundaries, and what adds up."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.case_sums import CannotLearnError, NoSpreadError
from models.course_rows import NotOnAGridError, course_rows
from models.cross_products import CrossProducts, cross_products, joined
from models.curve_sums import CurveSums, Method
from models.growth_curve import (
    cross_products_by,
    fit_growth_curve,
    fit_many,
    log_time,
)
from models.mixed_model import (
    Floats,
    MixedModelFit,
    case_sums,
    conditional_modes,
    fit_curve,
)
from models.newton import minimise
from models.profiled_likelihood import criterion_of, evaluate
from models.serial_correlation import CurveSumsOfDesigns
from models.therapist_effect import with_therapists


class Sessions(NamedTuple):
    """One entry a score."""

    case: np.ndarray
    session: np.ndarray
    score: np.ndarray
    baseline: np.ndarray
    therapist: np.ndarray

    def of(self, rows: np.ndarray) -> "Sessions":
        return Sessions(*(values[rows] for values in self))

    def products(self, *, therapists: bool = False) -> CrossProducts:
        return cross_products(*self[:4], self.therapist if therapists else None)

    def by_case(self, *, therapists: bool = False) -> CurveSums:
        _, first, codes = np.unique(self.case, return_index=True, return_inverse=True)
        time = np.log1p(self.session.astype(np.float64))
        sums = case_sums(self.baseline, time, self.score, codes).curve_sums()
        if not therapists:
            return sums
        return with_therapists(sums, np.unique(self.therapist[first], return_inverse=True)[1])


def sessions(
    seed: int = 1,
    cases: int = 120,
    most_scores: int = 8,
    missing: float = 0.0,
    sd: tuple[float, float] = (3.0, 1.8),
    therapist_sd: float = 1.0,
    noise: float = 2.0,
    rho: float = 0.0,
    is_whole: bool = True,
) -> Sessions:
    """Scores about 3 + .7 baseline - (.4 + .13 baseline) log(1 + session), cases differing."""
    random = np.random.default_rng(seed)
    count = random.integers(1, most_scores + 1, cases)
    case = np.repeat(np.arange(cases), count)
    session = np.concatenate([np.arange(one) for one in count])
    baseline = np.clip(np.rint(random.normal(14.5, 5.0, cases)), 0, 27).astype(int)
    therapist = random.integers(0, max(cases // 8, 2), cases)
    own = random.normal(size=(cases, 2)) * sd
    own[:, 0] += random.normal(0, therapist_sd, cases)[therapist]
    error = random.normal(0, noise, len(case))
    for one in range(1, len(case)):
        if session[one]:
            error[one] = rho * error[one - 1] + np.sqrt(1 - rho**2) * error[one]
    time = np.log1p(session)
    level = 3 + 0.7 * baseline[case] + own[case, 0]
    score = level + (own[case, 1] - 0.4 - 0.13 * baseline[case]) * time + error
    score = np.rint(score).astype(int) if is_whole else score
    made = Sessions(case, session, score, baseline[case], therapist[case])
    return made.of(random.random(len(case)) >= missing)


def same(one: MixedModelFit, other: MixedModelFit, **within: float) -> None:
    within = within or {"rtol": 1e-6, "atol": 1e-7}
    assert one.criterion == pytest.approx(other.criterion, rel=0, abs=1e-7)
    np.testing.assert_allclose(one.coefficients, other.coefficients, **within)
    np.testing.assert_allclose(one.covariance, other.covariance, **within)
    np.testing.assert_allclose(one.residual_sd, other.residual_sd, **within)


# --- One result ----------------------------------------------------------------------------------


def dense_criterion(rows: Sessions, theta: Floats, rho: float, method: Method) -> float:
    """Return the criterion from the whole covariance matrix of all scores."""
    time = np.log1p(rows.session.astype(float))
    Z = np.column_stack([np.ones_like(time), time])
    X = np.column_stack([Z, Z * rows.baseline[:, None]])
    is_same = rows.case[:, None] == rows.case
    factor = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
    apart = np.abs(rows.session[:, None] - rows.session)
    V = is_same * (Z @ factor @ factor.T @ Z.T + np.where(apart == 0, 1.0, rho**apart))
    if len(theta) > 3:
        V = V + theta[3] ** 2 * (rows.therapist[:, None] == rows.therapist)
    information = X.T @ np.linalg.solve(V, X)
    beta = np.linalg.solve(information, X.T @ np.linalg.solve(V, rows.score))
    left = rows.score - X @ beta
    freedom = len(left) - (4 if method == "reml" else 0)
    squares = left @ np.linalg.solve(V, left)
    criterion = np.linalg.slogdet(V)[1] + freedom * (1 + np.log(2 * np.pi * squares / freedom))
    return float(criterion + (np.linalg.slogdet(information)[1] if method == "reml" else 0.0))


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("rho", [0.0, 0.4, -0.3])
@pytest.mark.parametrize("therapists", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_the_criterion_is_that_of_the_whole_covariance_matrix(
    method: Method, rho: float, therapists: bool, missing: float
) -> None:
    few = sessions(2, cases=30, missing=missing)
    theta = np.array([1.1, -0.4, 0.6, 0.5][: 3 + therapists])
    sums = CurveSumsOfDesigns(
        few.products(therapists=therapists), log_time(), therapists=therapists
    )
    ours = evaluate(sums(rho), theta, method).criterion
    assert ours == pytest.approx(dense_criterion(few, theta, rho, method), rel=1e-12)
    if rho == 0.0:
        by_case = evaluate(few.by_case(therapists=therapists), theta, method).criterion
        assert by_case == pytest.approx(ours, rel=1e-12)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_the_gradient_is_the_slope_of_the_criterion(method: Method, missing: float) -> None:
    sums = CurveSumsOfDesigns(
        sessions(3, missing=missing).products(therapists=True), log_time(), therapists=True
    )
    theta, step = np.array([0.9, -0.3, 0.5, 0.4]), 1e-5
    slopes = [
        (
            evaluate(sums(0.2), theta + move, method).criterion
            - evaluate(sums(0.2), theta - move, method).criterion
        )
        / (2 * step)
        for move in step * np.eye(4)
    ]
    np.testing.assert_allclose(evaluate(sums(0.2), theta, method).gradient, slopes, rtol=1e-6)
    by_step = criterion_of(sums(complex(0.2, 1e-20)), theta, method).imag / 1e-20
    by_difference = (
        evaluate(sums(0.2 + step), theta, method).criterion
        - evaluate(sums(0.2 - step), theta, method).criterion
    ) / (2 * step)
    assert by_step == pytest.approx(by_difference, rel=1e-6)


@pytest.mark.parametrize("missing", [0.0, 0.25])
@pytest.mark.parametrize("therapists", [False, True])
def test_cross_products_and_sums_by_case_give_one_fit(missing: float, therapists: bool) -> None:
    some = sessions(4, missing=missing)
    sums = some.by_case(therapists=therapists)
    by_design = fit_growth_curve(
        some.products(therapists=therapists), log_time(), therapists=therapists
    )
    same(by_design, fit_curve(sums, 2))


def test_modes_with_therapists_are_those_of_the_whole_covariance_matrix() -> None:
    few = sessions(5, cases=25)
    theta = np.array([1.1, -0.4, 0.6, 0.5])
    _, first, codes = np.unique(few.case, return_index=True, return_inverse=True)
    therapist = np.unique(few.therapist[first], return_inverse=True)[1]
    time = np.log1p(few.session.astype(float))
    sums = case_sums(few.baseline, time, few.score, codes)
    Z = np.column_stack([np.ones_like(time), time])
    X = np.column_stack([Z, Z * few.baseline[:, None]])
    factor = np.array([[1.1, 0.0], [-0.4, 0.6]])
    is_same = few.case[:, None] == few.case
    V = is_same * (Z @ factor @ factor.T @ Z.T) + np.eye(len(time))
    V += 0.25 * (few.therapist[:, None] == few.therapist)
    beta = np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T @ np.linalg.solve(V, few.score))
    explained = np.linalg.solve(V, few.score - X @ beta)
    mode = factor @ factor.T @ (Z[codes == 3].T @ explained[codes == 3])
    ours = conditional_modes(sums, theta, therapist=therapist)[3]
    np.testing.assert_allclose(ours, mode, rtol=1e-9)


def test_a_search_from_a_part_of_the_cells_ends_where_the_whole_search_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = sessions(6, cases=600)
    whole = fit_curve(some.by_case(), 2)
    monkeypatch.setattr("models.curve_search.MANY_CELLS", 100)
    monkeypatch.setattr("models.curve_search.THINNED_BY", 4)
    same(fit_curve(some.by_case(), 2), whole)


def test_a_search_with_a_hessian_that_is_only_nearly_right_ends_at_the_same_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = sessions(7, rho=0.4, cases=400).products(therapists=True)
    exact = fit_growth_curve(both, log_time(), therapists=True, is_serial=True)
    monkeypatch.setattr("models.growth_curve.DEAR", 0)
    nearly = fit_growth_curve(both, log_time(), therapists=True, is_serial=True)
    same(nearly, exact, rtol=1e-4, atol=1e-4)
    assert nearly.serial_correlation == pytest.approx(exact.serial_correlation, abs=1e-5)


@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_designs_looked_at_together_or_apart_give_one_fit(
    missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = sessions(24, missing=missing).products(therapists=True)
    together = fit_growth_curve(both, log_time(), therapists=True, is_serial=True)
    monkeypatch.setattr("models.serial_correlation.MOST_TO_FILL_UP", 0)
    apart = fit_growth_curve(both, log_time(), therapists=True, is_serial=True)
    same(apart, together)
    assert apart.serial_correlation == pytest.approx(together.serial_correlation, abs=1e-6)


# --- What adds up --------------------------------------------------------------------------------


def numbers_of(products: CrossProducts) -> list[Any]:
    return [
        part
        for each in products.designs
        for part in (
            each.masks,
            each.gram,
            *((each.therapists.therapist, each.therapists.design, each.therapists.sums)
              if each.therapists else ()),
        )
    ]  # fmt: skip


def equal(one: CrossProducts, other: CrossProducts) -> None:
    for ours, theirs in zip(numbers_of(one), numbers_of(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(
    seed=st.integers(0, 2**32 - 1),
    missing=st.sampled_from([0.0, 0.3]),
    therapists=st.booleans(),
    nights=st.integers(2, 4),
)
def test_the_statistics_of_some_cases_and_others_add_up_to_those_of_all(
    seed: int, missing: float, therapists: bool, nights: int
) -> None:
    some = sessions(seed, cases=40, missing=missing)
    night = np.random.default_rng(seed).integers(0, nights, some.case.max() + 1)[some.case]
    parts = [some.of(night == one) for one in range(nights)]
    parts = [part for part in parts if len(part.case)]
    whole = some.products(therapists=therapists)
    equal(joined([part.products(therapists=therapists) for part in parts]), whole)


@given(
    seed=st.integers(0, 2**32 - 1), missing=st.sampled_from([0.0, 0.3]), therapists=st.booleans()
)
def test_the_order_of_rows_does_not_matter(seed: int, missing: float, therapists: bool) -> None:
    some = sessions(seed, cases=40, missing=missing)
    order = np.random.default_rng(seed).permutation(len(some.case))
    equal(some.of(order).products(therapists=therapists), some.products(therapists=therapists))


def test_case_numbers_may_be_far_apart_and_scores_too_many_for_a_matrix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = sessions(8, missing=0.3)
    order = np.random.default_rng(8).permutation(len(some.case))
    shuffled = some.of(order)._replace(case=some.case[order] * 1_000_003 - 5)
    equal(shuffled.products(), some.products())
    monkeypatch.setattr("models.course_rows.LARGEST_MATRIX", 0)
    equal(shuffled.products(), some.products())


def test_whole_scores_add_up_to_whole_numbers_in_every_kind_of_number() -> None:
    some = sessions(9, cases=200, missing=0.2)
    whole = some.products()
    assert all(np.array_equal(each.gram, np.rint(each.gram)) for each in whole.designs)
    for kind in (np.int8, np.int16, np.int64, np.float32, np.float64):
        equal(some._replace(score=some.score.astype(kind)).products(), whole)
    expected = sum(int(score) ** 2 for score in some.score)
    squares = sum(
        np.trace(each.gram[:, :-2, :-2], axis1=1, axis2=2).sum() for each in whole.designs
    )
    assert squares == expected


def test_large_scores_stay_exact() -> None:
    """Products of scores about 120 or -120 of 4,096 cases do not fit float32 exactly."""
    random = np.random.default_rng(10)
    for sign in (1, -1):
        score = sign * random.integers(100, 121, 9000).astype(np.int8)
        case, session = np.repeat(np.arange(4500), 2), np.tile([0, 1], 4500)
        (only,) = cross_products(case, session, score, score[case * 2]).designs
        assert only.gram[0, 0, 0] == int((score[::2].astype(int) ** 2).sum())
        assert only.gram[0, 0, 1] == int((score[::2].astype(int) * score[1::2]).sum())


def test_forty_measures_from_one_scan_are_forty_separate_fits() -> None:
    each = [sessions(seed, cases=60, missing=0.1 * (seed % 2)) for seed in range(40)]
    measure = np.concatenate([np.full(len(one.case), f"m{seed}") for seed, one in enumerate(each)])
    together = Sessions(*(np.concatenate(columns) for columns in zip(*each, strict=True)))
    order = np.random.default_rng(0).permutation(len(measure))
    by_measure = cross_products_by(measure[order], *together.of(order)[:4])
    fits = fit_many(by_measure, log_time())
    assert len(fits) == 40
    for seed, one in enumerate(each):
        fit, alone = fits[f"m{seed}"], fit_growth_curve(one.products(), log_time())
        assert isinstance(fit, MixedModelFit)
        assert fit.criterion == alone.criterion
        np.testing.assert_array_equal(fit.coefficients, alone.coefficients)


def test_a_measure_that_cannot_be_fitted_says_why_and_the_others_go_on() -> None:
    some = sessions(11)
    flat = some._replace(score=np.full(len(some.case), 7))
    fits = fit_many({"phq9": some.products(), "flat": flat.products()})
    assert isinstance(fits["phq9"], MixedModelFit)
    assert "no spread" in str(fits["flat"])


def test_statistics_with_and_without_therapists_do_not_add_up() -> None:
    some = sessions(12)
    with pytest.raises(ValueError, match="tell therapists apart"):
        some.products() + some.products(therapists=True)
    with pytest.raises(ValueError, match="do not tell therapists apart"):
        CurveSumsOfDesigns(some.products(), log_time(), therapists=True)


# --- Laws ----------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), constant=st.integers(-1000, 1000))
def test_a_constant_added_to_all_scores_moves_the_intercept_alone(seed: int, constant: int) -> None:
    some = sessions(seed, cases=60)
    before = fit_growth_curve(some.products(), log_time())
    after = fit_growth_curve(some._replace(score=some.score + constant).products(), log_time())
    moved = before.coefficients + np.array([constant, 0, 0, 0])
    np.testing.assert_allclose(after.coefficients, moved, rtol=1e-4, atol=1e-4)
    assert after.criterion == pytest.approx(before.criterion, rel=0, abs=1e-6)


@given(seed=st.integers(0, 2**32 - 1), missing=st.sampled_from([0.0, 0.3]))
def test_mirrored_scores_have_the_mirrored_curve(seed: int, missing: float) -> None:
    some = sessions(seed, cases=60, missing=missing)
    before = fit_growth_curve(some.products(), log_time())
    after = fit_growth_curve(some._replace(score=27 - some.score).products(), log_time())
    mirrored = np.array([27, 0, 0, 0]) - before.coefficients
    np.testing.assert_allclose(after.coefficients, mirrored, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(after.covariance, before.covariance, rtol=1e-3, atol=1e-3)


# --- Boundaries ----------------------------------------------------------------------------------


def best_of_a_grid(sums: CurveSums, method: Method = "reml") -> float:
    """Return the smallest criterion on a grid of variances that holds the boundaries."""
    spreads = [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6]
    slopes = [0.0, 0.03, 0.1, 0.3, 0.9]
    last = [0.0, 0.1, 0.3, 0.6] if sums.pairs is not None else [None]
    return min(
        evaluate(
            sums, np.array([a, b, c, *([] if d is None else [d])]), method
        ).criterion
        for a in spreads for b in (-0.3, -0.1, 0.0, 0.1, 0.3) for c in slopes for d in last
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sd", [(0.0, 0.0), (3.0, 0.0), (0.0, 1.5)])
def test_with_therapists_at_a_boundary_no_other_start_ends_lower(
    seed: int, sd: tuple[float, float]
) -> None:
    from scipy.optimize import minimize as minimize_of_scipy

    some = sessions(seed, cases=60, sd=sd, therapist_sd=0.5, noise=3.0)
    sums = some.by_case(therapists=True)

    def criterion(theta: Floats) -> tuple[float, Floats]:
        here = evaluate(sums, theta)
        return here.criterion, here.gradient

    starts = np.exp(np.random.default_rng(seed).normal(-0.5, 1.0, (6, 4)))
    found = [minimize_of_scipy(criterion, start, jac=True, method="L-BFGS-B") for start in starts]
    fit = fit_growth_curve(some.products(therapists=True), log_time(), therapists=True)
    assert fit.criterion <= min(each.fun for each in found) + 1e-6
    assert min(fit.theta[[0, 2, 3]]) >= 0


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("sd", [(0.0, 0.0), (3.0, 0.0), (0.0, 1.5)])
def test_at_a_boundary_nothing_on_a_grid_is_more_likely(
    sd: tuple[float, float], method: Method
) -> None:
    for seed in range(4):
        some = sessions(seed, cases=60, sd=sd, therapist_sd=0.0)
        fit = fit_growth_curve(some.products(), log_time(), method=method)
        assert fit.criterion <= best_of_a_grid(some.by_case(), method) + 1e-9
        assert fit.theta[0] >= 0
        assert fit.theta[2] >= 0


def test_therapists_who_do_not_differ_have_a_variance_of_zero() -> None:
    fits = []
    for seed in range(6):
        some = sessions(seed, cases=80, therapist_sd=0.0)
        fit = fit_growth_curve(some.products(therapists=True), log_time(), therapists=True)
        assert fit.criterion <= best_of_a_grid(some.by_case(therapists=True)) + 1e-9
        fits.append(fit)
    assert min(fit.therapist_variance or 0.0 for fit in fits) == pytest.approx(0.0, abs=1e-6)
    assert any(fit.is_singular for fit in fits)


def test_two_waves_tell_levels_apart_and_no_slopes() -> None:
    random = np.random.default_rng(13)
    case, session = np.repeat(np.arange(80), 2), np.tile([0, 1], 80)
    baseline = random.integers(5, 25, 80)[case]
    score = np.rint(baseline - 4 * session + random.normal(0, 3, 80)[case]
                    + random.normal(0, 2, 160))  # fmt: skip
    fit = fit_growth_curve(cross_products(case, session, score, baseline))
    assert fit.covariance[0, 0] == pytest.approx(9.0, rel=0.5)
    assert fit.covariance[1, 1] == 0.0
    assert fit.residual_sd == pytest.approx(2.0, rel=0.3)


def test_cases_with_one_score_take_part() -> None:
    some = sessions(14)
    counts = np.bincount(some.case)
    more = some.of(counts[some.case] > 1)
    assert (counts == 1).sum() > 5
    all_of_them = fit_growth_curve(some.products(), log_time())
    assert all_of_them.criterion != fit_growth_curve(more.products(), log_time()).criterion
    same(all_of_them, fit_curve(some.by_case(), 2))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (lambda some: some.case == 3, "one case"),
        (lambda some: some.session == 0, "has one score"),
    ],
)
def test_what_is_no_course_of_several_cases_is_said_so(rows: Any, said: str) -> None:
    some = sessions(15)
    with pytest.raises(CannotLearnError, match=said):
        fit_growth_curve(some.of(rows(some)).products(), log_time())


def test_scores_that_are_all_equal_have_no_spread() -> None:
    some = sessions(16)
    flat = some._replace(score=np.full(len(some.case), 12))
    with pytest.raises(NoSpreadError):
        fit_growth_curve(flat.products())


def test_correlated_residuals_need_lines_that_leave_scores_over() -> None:
    some = sessions(17, most_scores=2)
    with pytest.raises(CannotLearnError, match="three or more scores"):
        fit_growth_curve(some.products(), is_serial=True)


@pytest.mark.parametrize("therapist", [lambda some: 0 * some.case, lambda some: some.case])
def test_one_therapist_or_one_case_each_tells_nothing_of_therapists(therapist: Any) -> None:
    some = sessions(18)
    alone = some._replace(therapist=therapist(some))
    with pytest.raises(CannotLearnError, match="Leave the therapist out"):
        fit_growth_curve(alone.products(therapists=True), therapists=True)


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("what", ["baseline", "therapist"])
def test_two_baselines_or_therapists_in_one_case_are_refused(what: str, is_sorted: bool) -> None:
    some = sessions(19)
    wrong = getattr(some, what).copy()
    row = int(np.flatnonzero(some.session == 1)[0])
    wrong[row] += 1
    broken = some._replace(**{what: wrong})
    order = slice(None) if is_sorted else np.random.default_rng(1).permutation(len(wrong))
    with pytest.raises(ValueError, match=f"more than one {what}"):
        course_rows(*broken.of(order))


@pytest.mark.parametrize("session", [-1, 64, 2.5, np.nan])
def test_times_that_are_no_session_numbers_are_told_apart(session: float) -> None:
    some = sessions(20)
    wrong = some.session.astype(float)
    wrong[-1] = session
    with pytest.raises(NotOnAGridError, match="whole numbers"):
        course_rows(*some._replace(session=wrong))


@pytest.mark.parametrize("is_sorted", [True, False])
def test_two_scores_at_one_session_are_told_apart(is_sorted: bool) -> None:
    some = sessions(21)
    twice = some.of(np.sort(np.append(np.arange(len(some.case)), 5)))
    order = slice(None) if is_sorted else np.random.default_rng(1).permutation(len(twice.case))
    with pytest.raises(NotOnAGridError, match="two scores at one session"):
        course_rows(*twice.of(order))


def test_no_row_is_said_so() -> None:
    with pytest.raises(ValueError, match="no score"):
        course_rows(*sessions(1).of(np.array([], dtype=int)))
    with pytest.raises(ValueError, match="0 scores"):
        nothing = np.array([])
        case_sums(nothing, nothing, nothing, nothing.astype(int))


# --- The search ----------------------------------------------------------------------------------


def test_the_search_leaves_a_saddle_and_ends_in_a_valley() -> None:
    def saddle(x: Floats) -> tuple[float, Floats]:
        return float(x[0] ** 2 + (x[1] ** 2 - 1) ** 2), np.array(
            [2 * x[0], 4 * x[1] ** 3 - 4 * x[1]]
        )

    found = minimise(saddle, np.array([1.0, 0.1]))
    np.testing.assert_allclose(np.abs(found.point), [0, 1], atol=1e-7)


def test_a_hessian_that_is_quite_wrong_delays_the_search_and_does_not_stop_it() -> None:
    def valley(x: Floats) -> tuple[float, Floats]:
        bend = x[1] - x[0] ** 2
        slope = np.array([-2 * (1 - x[0]) - 40 * x[0] * bend, 20 * bend])
        return float((1 - x[0]) ** 2 + 10 * bend**2), slope

    for hessian in (None, np.eye(2), np.diag([1e4, 1e-4]), -np.eye(2)):
        found = minimise(valley, np.array([-1.0, 1.5]), hessian)
        np.testing.assert_allclose(found.point, [1, 1], atol=1e-6)


def test_the_unit_of_time_does_not_matter() -> None:
    some = sessions(22, cases=200)
    weeks = fit_growth_curve(some.products(), log_time())
    other = fit_growth_curve(some.products(), 1000.0 * log_time())
    np.testing.assert_allclose(other.coefficients[1] * 1000, weeks.coefficients[1], rtol=1e-5)
    np.testing.assert_allclose(other.covariance[1, 1] * 1e6, weeks.covariance[1, 1], rtol=1e-4)


def test_serial_correlation_is_found_again() -> None:
    many = sessions(23, cases=1500, most_scores=14, rho=0.5, is_whole=False)
    fit = fit_growth_curve(many.products(), log_time(), is_serial=True)
    assert fit.serial_correlation == pytest.approx(0.5, abs=0.06)
