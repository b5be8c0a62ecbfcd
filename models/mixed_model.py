"""Which growth curve do many cases share, and how far do they differ? The mixed model by REML.

The model of case i with scores y, baseline c (one number a case) and design Z = [1, time]:

    y = X beta + Z u + e,   X = [Z, c Z],   u ~ N(0, sigma^2 Psi),   e ~ N(0, sigma^2 I)

Psi = L L' with L = [[l11, 0], [l21, l22]] is the covariance of the random intercept and slope
relative to the residual variance; theta = (l11, l21, l22) as in lme4 (Bates and others 2015,
Fitting linear mixed-effects models using lme4, J Stat Softw 67(1), section 3).

Derivation. With A = Z'Z, b = Z'y, d = |Psi| and V = I + Z Psi Z', Woodbury's identity gives
Z' V^-1 = (I + A Psi)^-1 Z'. The adjugate of a 2 x 2 matrix is linear, so
(I + A Psi)^-1 = (I + adj(Psi) adj(A)) / D, and because A adj(A) = |A| I:

    D         = |V| = |I + A Psi| = 1 + psi11 a11 + 2 psi12 a12 + psi22 a22 + d |A|
    Z' V^-1 Z = M = (A + |A| adj(Psi)) / D
    Z' V^-1 y = m = (b + adj(Psi) adj(A) b) / D
    y' V^-1 y = y'y - b' (Psi + d adj(A)) b / D

As X repeats Z, X' V^-1 X is the sum over cases of [[M, cM], [cM, c^2 M]] and X' V^-1 y that of
[m, cm]. Profiling beta and sigma out (R^2 = y'V^-1 y - beta' X'V^-1 y, p columns, N scores):

    criterion = sum log D + log|X' V^-1 X| + (N - p) (1 + log(2 pi R^2 / (N - p)))

With w = Z' V^-1 (y - X beta) = m - M [beta1 + c beta3, beta2 + c beta4]' and Q the 2 x 2 blocks of
(X' V^-1 X)^-1 added up with weights 1, c, c and c^2, dV = Z dPsi Z' gives the gradient

    with respect to Psi: G = sum [M - M Q M - (N - p)/R^2 w w'];   to L: 2 G L, lower triangle.

So six sums a case are enough, and an evaluation costs the same for 5 or 500 scores a case. The sums
are taken over residuals of ordinary least squares: the criterion is the same, the rounding smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import UnstuckError

Floats = NDArray[np.float64]

SMALLEST_PART = 1e-10
"""Parts of a sum of squares below this are rounding: a dependent column, a residual of zero."""

SMALLEST_GAIN = 1e-13
"""A step that lowers the criterion by less than this, a score, is rounding."""

MOST_SEARCHES = 20
"""Searches before the best point so far is taken; more than three were never needed in tests."""


class CannotLearnError(UnstuckError):
    """These scores allow no expected course; the status rule works without it."""


class NoSpreadError(CannotLearnError):
    """The scores leave nothing to explain: all equal, or an exact function of baseline and time."""


@dataclass(frozen=True, kw_only=True)
class CaseSums:
    """What the likelihood needs to know of the data.

    Arrays have one entry a case; `residual` means score minus `start`'s prediction, in points.
    """

    count: Floats
    time: Floats
    time_squared: Floats
    residual: Floats
    time_residual: Floats
    baseline: Floats
    residual_squared: float
    """Sum over all scores."""
    start: Floats
    """Ordinary least squares coefficients (4,): intercept, time, baseline, time x baseline."""
    kept: NDArray[np.intp]
    """Which of the four columns are linearly independent; the others have coefficient 0."""

    @property
    def freedom(self) -> int:
        """Scores minus fixed effects."""
        return int(self.count.sum()) - len(self.kept)

    @property
    def random_effects(self) -> int:
        """How many random effects a case the scores can carry: 2 (intercept and slope), 1 or 0.

        A line through each case must leave more scores over than there are fixed effects, else the
        residual could shrink to zero. Pre-post data, one score a case, carry none.
        """
        for effects in (2, 1):
            if float(np.maximum(self.count - effects, 0.0).sum()) > len(self.kept):
                return effects
        return 0


@dataclass(frozen=True, kw_only=True)
class MixedModelFit:
    """A fitted growth curve. Points are points of the measure, time is the caller's time column."""

    coefficients: Floats
    """(4,): intercept, time, baseline, time x baseline."""
    covariance: Floats
    """(2, 2): of the random intercept and slope, in points squared."""
    residual_sd: float
    theta: Floats
    """(3,): relative Cholesky factor l11, l21, l22, with l11 >= 0 and l22 >= 0."""
    criterion: float
    """Profiled REML criterion (-2 restricted log-likelihood) at theta."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The REML criterion at one theta, with fixed effects and residual variance profiled out."""

    criterion: float
    gradient: Floats
    covariance_gradient: Floats
    """(2, 2): G, the gradient with respect to Psi."""
    coefficients: Floats
    residual_variance: float
    explained: Floats
    """(2, cases): w = Z' V^-1 (y - X beta)."""


def design(baseline: Floats, time: Floats) -> Floats:
    """Fixed-effect columns (n, 4): 1, time, baseline, time x baseline."""
    return np.column_stack([np.ones_like(time), time, baseline, time * baseline])


def case_sums(baseline: Floats, time: Floats, score: Floats, codes: NDArray[np.intp]) -> CaseSums:
    """Add up the scores after the baseline, case by case.

    Parameters
    ----------
    baseline, time, score
        One entry a score, in any order; the baseline is the same in all rows of a case. Time is
        float64 from the start (`np.log1p` of int16 is float32 and costs 4e-5 on the criterion).
    codes
        The case of each row, 0 to cases - 1, every code used.

    Raises
    ------
    ValueError
        If a case has two baselines, or there are no more scores than fixed effects.
    NoSpreadError
        If baseline and time predict every score exactly.
    """
    cases = int(codes.max()) + 1 if len(codes) else 0

    def summed(values: Floats) -> Floats:
        return np.bincount(codes, weights=values, minlength=cases).astype(np.float64)

    baseline_of_case = np.empty(cases)
    baseline_of_case[codes] = baseline
    if not np.array_equal(baseline_of_case[codes], baseline):
        raise ValueError("A case has more than one baseline; give every row of a case the same.")

    columns = design(baseline, time)
    kept = _independent(columns.T @ columns)
    if len(score) <= len(kept):
        raise ValueError(
            f"{len(score)} scores after the baseline cannot determine {len(kept)} fixed effects."
        )
    start = np.zeros(4)
    start[kept] = np.linalg.lstsq(columns[:, kept], score, rcond=None)[0]
    residual = score - columns @ start
    residual_squared = float(residual @ residual)
    if residual_squared <= SMALLEST_PART**2 * len(score) + SMALLEST_PART * float(score @ score):
        raise NoSpreadError(
            "Baseline and time predict every score after the baseline exactly (are all scores "
            "equal, or copied from the baseline?); there is no spread to learn."
        )
    return CaseSums(
        count=summed(np.ones_like(score)),
        time=summed(time),
        time_squared=summed(time * time),
        residual=summed(residual),
        time_residual=summed(time * residual),
        baseline=baseline_of_case,
        residual_squared=residual_squared,
        start=start,
        kept=kept,
    )


def _independent(gram: Floats) -> NDArray[np.intp]:
    """Find, from X'X, the columns that are no combination of the columns before them."""
    kept: list[int] = []
    for column in range(len(gram)):
        left = gram[column, column]
        if kept:
            cross = gram[kept, column]
            left = left - cross @ np.linalg.solve(gram[np.ix_(kept, kept)], cross)
        if left > SMALLEST_PART * gram[column, column]:
            kept.append(column)
    return np.array(kept, dtype=np.intp)


class _Inverted(NamedTuple):
    """The sums of each case after V is inverted, names as in the derivation; (cases,) each."""

    m11: Floats
    m12: Floats
    m22: Floats
    m1: Floats
    m2: Floats
    taken_off: Floats
    """b' (Psi + d adj(A)) b / D: what V^-1 takes off y'y."""
    log_d: Floats


def _invert(sums: CaseSums, l11: float, l21: float, l22: float) -> _Inverted:
    psi11, psi12, psi22 = l11 * l11, l11 * l21, l21 * l21 + l22 * l22
    d = (l11 * l22) ** 2
    a11, a12, a22 = sums.count, sums.time, sums.time_squared
    b1, b2 = sums.residual, sums.time_residual
    determinant = np.maximum(a11 * a22 - a12 * a12, 0.0)
    adjugate1, adjugate2 = a22 * b1 - a12 * b2, a11 * b2 - a12 * b1
    by_psi = psi11 * b1 * b1 + 2.0 * psi12 * b1 * b2 + psi22 * b2 * b2
    by_d = d * (b1 * adjugate1 + b2 * adjugate2)
    big_d = 1.0 + psi11 * a11 + 2.0 * psi12 * a12 + psi22 * a22 + d * determinant
    return _Inverted(
        m11=(a11 + psi22 * determinant) / big_d,
        m12=(a12 - psi12 * determinant) / big_d,
        m22=(a22 + psi11 * determinant) / big_d,
        m1=(b1 + psi22 * adjugate1 - psi12 * adjugate2) / big_d,
        m2=(b2 - psi12 * adjugate1 + psi11 * adjugate2) / big_d,
        taken_off=(by_psi + by_d) / big_d,
        log_d=np.log(big_d),
    )


def profile(sums: CaseSums, theta: Floats) -> Profile:
    """Evaluate the REML criterion and its exact gradient at theta (l11, l21, l22)."""
    l11, l21, l22 = (float(value) for value in theta)
    m11, m12, m22, m1, m2, taken_off, log_d = _invert(sums, l11, l21, l22)
    c, kept = sums.baseline, sums.kept

    powers = np.stack([np.ones_like(c), c, c * c])
    once, by_c, by_c_squared = (powers @ np.stack([m11, m12, m12, m22], axis=1)).reshape(3, 2, 2)
    information = np.block([[once, by_c], [by_c, by_c_squared]])[np.ix_(kept, kept)]
    right_side = (powers[:2] @ np.stack([m1, m2], axis=1)).ravel()
    inverse = np.zeros((4, 4))
    inverse[np.ix_(kept, kept)] = np.linalg.inv(information)
    shift = inverse @ right_side  # beta minus the ordinary least squares start

    squares = sums.residual_squared - float(taken_off.sum()) - float(right_side @ shift)
    smallest = SMALLEST_PART * sums.residual_squared
    is_exact = squares <= smallest  # every case on a line of its own: sigma would run to zero
    variance = max(squares, smallest) / sums.freedom
    log_information = float(np.linalg.slogdet(information)[1])
    log_variance = sums.freedom * (1.0 + float(np.log(2.0 * np.pi * variance)))

    level, slope = shift[0] + c * shift[2], shift[1] + c * shift[3]
    w1, w2 = m1 - m11 * level - m12 * slope, m2 - m12 * level - m22 * slope
    q11, q12, q22 = (
        inverse[i, j] + c * (inverse[i, j + 2] + inverse[i + 2, j]) + c * c * inverse[i + 2, j + 2]
        for i, j in ((0, 0), (0, 1), (1, 1))
    )
    mqm11 = m11 * m11 * q11 + 2.0 * m11 * m12 * q12 + m12 * m12 * q22
    mqm12 = m11 * m12 * q11 + (m11 * m22 + m12 * m12) * q12 + m12 * m22 * q22
    mqm22 = m12 * m12 * q11 + 2.0 * m12 * m22 * q12 + m22 * m22 * q22
    precision = 0.0 if is_exact else 1.0 / variance
    g11 = float((m11 - mqm11).sum()) - precision * float(w1 @ w1)
    g12 = float((m12 - mqm12).sum()) - precision * float(w1 @ w2)
    g22 = float((m22 - mqm22).sum()) - precision * float(w2 @ w2)
    return Profile(
        criterion=float(log_d.sum()) + log_information + log_variance,
        gradient=2.0 * np.array([g11 * l11 + g12 * l21, g12 * l11 + g22 * l21, g22 * l22]),
        covariance_gradient=np.array([[g11, g12], [g12, g22]]),
        coefficients=sums.start + shift,
        residual_variance=variance,
        explained=np.stack([w1, w2]),
    )


def fit_mixed_model(sums: CaseSums) -> MixedModelFit:
    """Find the REML estimates.

    Theta is left free in sign: the criterion is even in each column of L, so a boundary (a
    variance of zero, a correlation of 1) is an ordinary minimum and not an edge. But the gradient
    vanishes there whether or not it is the best point, so each minimum is checked on the cone of
    covariances: where the gradient with respect to Psi has a negative eigenvalue, more variance in
    that direction helps, and the search goes on from there. Random effects that the scores cannot
    tell from the residual are left out (`CaseSums.random_effects`).
    """
    from scipy.optimize import minimize  # 0.4 s to import: only when a course is fitted

    effects = sums.random_effects
    free = (0, 1, 3)[effects]
    # The search runs in units of a typical time, so that it does not depend on the caller's unit.
    time_unit = float(np.sqrt(sums.time_squared.sum() / sums.count.sum())) or 1.0
    unit = np.array([1.0, time_unit, time_unit])

    def theta_from(searched: Floats) -> Floats:
        theta: Floats = np.concatenate([searched, np.zeros(3 - free)]) / unit
        return theta

    def per_score(searched: Floats) -> tuple[float, Floats]:
        """Return criterion and gradient, divided by the scores so that tolerances mean the same."""
        here = profile(sums, theta_from(searched))
        return here.criterion / sums.freedom, (here.gradient / unit)[:free] / sums.freedom

    searched = np.array([0.5, 0.0, 0.5])[:free]
    for _ in range(MOST_SEARCHES if free else 0):
        found = minimize(per_score, searched, jac=True, method="BFGS", options={"gtol": 1e-8})
        searched = np.asarray(found.x, dtype=np.float64)
        uphill = profile(sums, theta_from(searched)).covariance_gradient
        uphill = (uphill / np.outer(unit[:2], unit[:2]))[:effects, :effects]
        values, vectors = np.linalg.eigh(uphill)
        if values[0] >= 0.0:
            break
        better = _more_variance(per_score, searched, vectors[:, 0])
        if better is None:
            break
        searched = better

    theta = theta_from(searched)
    theta *= np.where(theta[[0, 0, 2]] < 0.0, -1.0, 1.0)
    best = profile(sums, theta)
    factor = _factor(theta)
    return MixedModelFit(
        coefficients=best.coefficients,
        covariance=best.residual_variance * factor @ factor.T,
        residual_sd=float(np.sqrt(best.residual_variance)),
        theta=theta,
        criterion=best.criterion,
    )


def _more_variance(
    per_score: Callable[[Floats], tuple[float, Floats]], searched: Floats, direction: Floats
) -> Floats | None:
    """Add relative variance in a direction; None if no amount of it lowers the criterion."""
    here = per_score(searched)[0]
    for variance in (1.0, 1e-1, 1e-2, 1e-3, 1e-4):
        if len(searched) == 1:
            tried: Floats = np.sqrt(searched**2 + variance)
        else:
            factor = _factor(searched)
            wider = factor @ factor.T + variance * np.outer(direction, direction)
            l11 = np.sqrt(wider[0, 0])
            l21 = wider[0, 1] / l11 if l11 > 0.0 else 0.0
            tried = np.array([l11, l21, np.sqrt(max(wider[1, 1] - l21 * l21, 0.0))])
        if per_score(tried)[0] < here - SMALLEST_GAIN:
            return tried
    return None


def _factor(theta: Floats) -> Floats:
    """Arrange theta as the lower triangle L (2, 2)."""
    return np.array([[theta[0], 0.0], [theta[1], theta[2]]])


def conditional_modes(sums: CaseSums, theta: Floats) -> Floats:
    """Say how far each case lies from the shared curve, shrunken (cases, 2): intercept and slope.

    Psi Z' V^-1 (y - X beta); the best linear unbiased prediction, `ranef` in lme4.
    """
    factor = _factor(theta)
    modes: Floats = (factor @ factor.T @ profile(sums, theta).explained).T
    return modes
