"""Which growth curve do many cases share, and how far do they differ? The mixed model.

The model of case i with scores y, baseline c (one number a case) and design Z = [1, time]:

    y = X beta + Z u + v + e,   X = [Z, c Z],   u ~ N(0, sigma^2 Psi),   e ~ N(0, sigma^2 R)

Psi = L L' with L = [[l11, 0], [l21, l22]] is the covariance of the random intercept and slope
relative to the residual variance; theta = (l11, l21, l22) as in lme4 (Bates and others 2015,
Fitting linear mixed-effects models using lme4, J Stat Softw 67(1), section 3). Optionally cases of
one therapist share v ~ N(0, (sigma l_therapist)^2) (`therapist_effect`), and residuals of one case
are correlated, R_jk = rho^|j - k| (`serial_correlation`). The likelihood, its derivation and its
gradient: `profiled_likelihood`. The search: `curve_search`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.case_sums import (
    CannotLearnError,
    CaseSums,
    NoSpreadError,
    case_sums,
    design,
)
from models.curve_search import SumsAt, search
from models.curve_sums import CurveSums, Floats, Method, inverted
from models.profiled_likelihood import Profile, evaluate
from models.therapist_effect import with_therapists

__all__ = [
    "CannotLearnError",
    "CaseSums",
    "Floats",
    "MixedModelFit",
    "NoSpreadError",
    "case_sums",
    "conditional_modes",
    "design",
    "fit_curve",
    "fit_mixed_model",
    "profile",
]

SINGULAR = 1e-4
"""lme4's tolerance (isSingular): a fit is singular if a diagonal entry of theta lies below it."""


@dataclass(frozen=True, kw_only=True)
class MixedModelFit:
    """A fitted growth curve. Points are points of the measure, time is the caller's time column."""

    coefficients: Floats
    """(4,): intercept, time, baseline, time x baseline."""
    coefficient_covariance: Floats
    """(4, 4): of the estimates, given the variances; 0 for columns left out."""
    covariance: Floats
    """(2, 2): of the random intercept and slope, in points squared."""
    residual_sd: float
    theta: Floats
    """(3,) or, with therapists, (4,): relative Cholesky factor l11, l21, l22, with l11 >= 0 and
    l22 >= 0, then the relative standard deviation of therapists."""
    therapist_variance: float | None
    """In points squared; None without therapists."""
    serial_correlation: float | None
    """Of residuals one position apart; None if residuals are independent."""
    criterion: float
    """Profiled criterion at theta: REML's (-2 restricted log-likelihood) or ML's (-2 log-lik.)."""
    method: Method

    @property
    def is_singular(self) -> bool:
        """Whether a variance is zero or intercept and slope move as one (lme4's 1e-4)."""
        spreads = [self.theta[0], self.theta[2], *self.theta[3:]]
        return bool(min(spreads) < SINGULAR)


def profile(sums: CaseSums, theta: Floats, method: Method = "reml") -> Profile:
    """Evaluate the criterion and its exact gradient at theta (3,): l11, l21, l22.

    Examples
    --------
    Four cases with means 4, 7, 12 and 15 and a change of 0 or -2: the shared curve runs from 10 to
    9. Intercepts with 6 times the residual's standard deviation fit better than with 3 times.

    >>> score = np.array([4.0, 4, 8, 6, 12, 12, 16, 14])
    >>> case, time = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)
    >>> sums = case_sums(np.full(8, 10.0), time, score, case)
    >>> three, six = (profile(sums, np.array([l11, 0.0, 0.0])) for l11 in (3.0, 6.0))
    >>> six.coefficients.round(3).tolist(), six.criterion < three.criterion
    ([10.0, -1.0, 0.0, 0.0], True)
    """
    return evaluate(sums.curve_sums(), theta, method)


def fit_mixed_model(sums: CaseSums, *, method: Method = "reml") -> MixedModelFit:
    """Find the REML (or ML) estimates from the sums of each case: see `fit_curve`.

    Source: Bates and others 2015, section 3; the same estimates as lme4's.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> case = np.repeat(np.arange(200), 6)
    >>> time = np.tile(np.arange(6.0), 200)
    >>> baseline = random.normal(15, 4, 200)[case]
    >>> score = 5 + 0.6 * baseline + (random.normal(-1, 0.5, 200)[case]) * time
    >>> score = score + random.normal(0, 2, 200)[case] + random.normal(0, 1, 1200)
    >>> fit = fit_mixed_model(case_sums(baseline, time, score, case))
    >>> fit.coefficients[[1, 2]].round(1).tolist(), round(fit.residual_sd, 1)
    ([-0.9, 0.7], 1.0)
    """
    return fit_curve(sums.curve_sums(), sums.random_effects, method=method)


def fit_curve(
    sums: CurveSums | SumsAt,
    effects: int,
    *,
    method: Method = "reml",
    is_serial: bool = False,
    is_dear: bool = False,
) -> MixedModelFit:
    """Find the estimates from the sums of cells: of cases, or of all cases of one design.

    Random effects that the scores cannot tell from the residual are left out (`effects`).

    Parameters
    ----------
    sums
        The sums, or for serial correlation a function that returns those at one correlation.
    effects
        Random effects a case: 2 (intercept and slope), 1 (intercept) or 0.
    is_serial
        Estimate the serial correlation too.
    is_dear
        Whether sums at another serial correlation cost much.

    Examples
    --------
    Mean squares between and within cases are 146 / 3 and 2 / 3, so with two scores a case the
    variance of cases is (146 / 3 - 2 / 3) / 2 = 24 points squared.

    >>> score = np.array([4.0, 4, 8, 6, 12, 12, 16, 14])
    >>> case, time = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)
    >>> sums = case_sums(np.full(8, 10.0), time, score, case)
    >>> fit = fit_curve(sums.curve_sums(), 1)
    >>> round(float(fit.covariance[0, 0]), 3), round(fit.residual_sd**2, 3)
    (24.0, 0.667)
    """
    sums_at = sums if callable(sums) else lambda _: sums
    found = search(sums_at, effects, method=method, is_serial=is_serial, is_dear=is_dear)
    factor = _factor(found.theta)
    here = found.profile
    has_therapists = len(found.theta) > 3
    return MixedModelFit(
        coefficients=here.coefficients,
        coefficient_covariance=here.coefficient_covariance,
        covariance=here.residual_variance * factor @ factor.T,
        residual_sd=float(np.sqrt(here.residual_variance)),
        theta=found.theta,
        therapist_variance=(
            float(here.residual_variance * found.theta[3] ** 2) if has_therapists else None
        ),
        serial_correlation=found.serial_correlation,
        criterion=here.criterion,
        method=method,
    )


def _factor(theta: Floats) -> Floats:
    """Arrange theta as the lower triangle L (2, 2)."""
    return np.array([[theta[0], 0.0], [theta[1], theta[2]]])


def conditional_modes(
    sums: CaseSums, theta: Floats, *, therapist: NDArray[np.intp] | None = None
) -> Floats:
    """Say how far each case lies from the shared curve, shrunken (cases, 2): intercept and slope.

    Psi Z' V^-1 (y - X beta); the best linear unbiased prediction, `ranef` in lme4.

    Parameters
    ----------
    theta
        (3,) or (4,), from the fit. With a fourth number, the therapists', `therapist` is needed.
    therapist
        (cases,): the therapist of each case, 0 to therapists - 1.

    Examples
    --------
    Cases lie 5.5 and 2.5 points below and above the mean; of that, 72 / 73 is taken to be theirs.

    >>> score = np.array([4.0, 4, 8, 6, 12, 12, 16, 14])
    >>> case, time = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)
    >>> sums = case_sums(np.full(8, 10.0), time, score, case)
    >>> conditional_modes(sums, np.array([6.0, 0.0, 0.0]))[:, 0].round(2).tolist()
    [-5.42, -2.47, 2.47, 5.42]
    """
    curve = sums.curve_sums()
    shift_of_level = np.zeros(len(sums.count))
    if therapist is not None and len(theta) > 3:
        here = evaluate(with_therapists(curve, therapist), theta)
        shift_of_level = here.therapist_modes[therapist]
    else:
        here = evaluate(curve, theta)
    shift, c = here.coefficients - curve.start, sums.baseline
    level, slope = shift[0] + c * shift[2] + shift_of_level, shift[1] + c * shift[3]
    _, (m11, m12, m22), (t11, t12, t21, t22) = inverted(curve.A, theta)
    b1, b2 = sums.residual, sums.time_residual
    explained = np.stack([
        t11 * b1 + t12 * b2 - m11 * level - m12 * slope,
        t21 * b1 + t22 * b2 - m12 * level - m22 * slope,
    ])  # fmt: skip
    factor = _factor(theta)
    modes: Floats = (factor @ factor.T @ explained).T
    return modes
