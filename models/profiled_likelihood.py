"""How well does a growth curve with given variances fit? The profiled criterion and its gradient.

The model stands in `mixed_model`. A cell is a set of cases with one design Z = [1, time]; it may be
a single case. With A = Z'R^-1 Z, b = Z'R^-1 y (R: correlation of the residuals, usually I), Psi the
relative covariance of the random effects, d = |Psi| and V = R + Z Psi Z', Woodbury's identity gives
Z'V^-1 = (I + A Psi)^-1 Z'R^-1. The adjugate of a 2 x 2 matrix is linear, so
(I + A Psi)^-1 = (I + adj(Psi) adj(A)) / D =: T, and because A adj(A) = |A| I:

    D         = |V| / |R| = |I + A Psi| = 1 + psi11 a11 + 2 psi12 a12 + psi22 a22 + d |A|
    Z' V^-1 Z = M = (A + |A| adj(Psi)) / D
    Z' V^-1 y = m = T b
    y' V^-1 y = y'R^-1 y - b' Psi m

X = [Z, c Z] repeats Z, so X'V^-1 X is the sum over cases of [[M, cM], [cM, c^2 M]] and X'V^-1 y
that of [m, cm]. Profiling beta and sigma out (R2 = y'V^-1 y - beta' X'V^-1 y, N scores, p columns):

    REML = sum log D + log|R| + log|X'V^-1 X| + (N - p) (1 + log(2 pi R2 / (N - p)))
    ML   = sum log D + log|R|                 +  N      (1 + log(2 pi R2 / N))

(Bates and others 2015, Fitting linear mixed-effects models using lme4, J Stat Softw 67(1), section
3.) With w = Z'V^-1 (y - X beta) = m - M g, g = [beta1 + c beta3, beta2 + c beta4]', and Q the 2 x 2
blocks of (X'V^-1 X)^-1 added up with weights 1, c, c and c^2 (none in ML), the gradient is

    with respect to Psi: G = sum [M - M Q M - w w' / sigma^2];   to L: 2 G L, lower triangle.

All of it is linear in a few sums over cells, which `curve_sums` takes in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from models.curve_sums import (
    SMALLEST_PART,
    CurveSums,
    Floats,
    Method,
    Numbers,
    Totals,
    added_up,
    by_baseline,
)

_ENTRY = np.array([[0, 1], [1, 2]])
"""Where entry (i, j) of a symmetric 2 x 2 matrix stands among its three numbers."""
_PRODUCT = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
"""Where the product of two such numbers stands among the six."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The criterion at one theta, with fixed effects and residual variance profiled out."""

    criterion: float
    gradient: Floats
    """(3,) or, with therapists, (4,): with respect to theta."""
    covariance_gradient: Floats
    """(2, 2): G, the gradient with respect to Psi."""
    therapist_gradient: float
    """With respect to the relative variance of therapists; 0 without them."""
    coefficients: Floats
    residual_variance: float
    coefficient_covariance: Floats
    """(4, 4): of the fixed effects, given the variances."""
    therapist_modes: Floats
    """(therapists,): how far each therapist's cases lie from the curve, in points, shrunken."""


class Profiled(NamedTuple):
    """What profiling leaves."""

    criterion: Any
    inverse: Numbers
    """(4, 4): (X'V^-1 X)^-1, zero in columns that are left out."""
    shift: Numbers
    """(4,): beta minus the start."""
    variance: Any
    is_exact: bool
    """The residual is zero: every case on a line of its own, and sigma would run to zero."""


def _profiled(
    sums: CurveSums, totals: Totals, method: Method, taken_by_therapists: Totals | None = None
) -> Profiled:
    """Profile fixed effects and residual variance out.

    Parameters
    ----------
    taken_by_therapists
        What a therapist's intercept takes off M, m and y'V^-1 y, and adds to log|V|.
    """
    information = by_baseline(totals.M)
    right_side, taken_off, log_d = totals.m, totals.taken_off, totals.log_d
    if taken_by_therapists is not None:
        information = information - taken_by_therapists.M
        right_side = right_side - taken_by_therapists.m
        taken_off = taken_off + taken_by_therapists.taken_off
        log_d = log_d + taken_by_therapists.log_d
    kept, freedom = sums.kept, sums.freedom(method)
    inverse = np.zeros((4, 4), dtype=information.dtype)
    inverse[np.ix_(kept, kept)] = np.linalg.inv(information[np.ix_(kept, kept)])
    shift = inverse @ right_side
    squares = sums.residual_squared - taken_off - right_side @ shift
    smallest = SMALLEST_PART * sums.residual_squared.real
    is_exact = bool(squares.real <= smallest)
    variance = (smallest if is_exact else squares) / freedom
    criterion = log_d + sums.log_correlation + freedom * (1.0 + np.log(2.0 * np.pi * variance))
    if method == "reml":
        sign, size = np.linalg.slogdet(information[np.ix_(kept, kept)])
        criterion = criterion + size + (np.log(sign) if np.iscomplexobj(sign) else 0.0)
    return Profiled(criterion, inverse, shift, variance, is_exact)


def criterion_of(sums: CurveSums, theta: Floats, method: Method = "reml") -> complex:
    """Return the criterion alone; of complex sums it is complex.

    Parameters
    ----------
    theta
        As for `evaluate`.

    Examples
    --------
    Where cases do not differ it is that of ordinary least squares: here 8 scores, and squares of
    80 + 68 left over about the means 10 (time 0) and 9 (time 1).

    >>> from models.case_sums import case_sums
    >>> score = np.array([4.0, 4, 8, 6, 12, 12, 16, 14])
    >>> case, time = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)
    >>> sums = case_sums(np.full(8, 10.0), time, score, case)
    >>> ml = criterion_of(sums.curve_sums(), np.zeros(3), "ml")
    >>> bool(np.isclose(ml, 8 * (1 + np.log(2 * np.pi * 148 / 8))))
    True
    """
    totals = added_up(sums.cells, theta)
    if sums.pairs is None:
        return complex(_profiled(sums, totals, method).criterion)
    taken = sums.pairs.taken_off(sums.A, theta)
    return complex(_profiled(sums, totals, method, taken.totals).criterion)


def evaluate(sums: CurveSums, theta: Floats, method: Method = "reml") -> Profile:
    """Return criterion, exact gradient and estimates at theta.

    Parameters
    ----------
    theta
        (3,): l11, l21, l22, or, with therapists, (4,): also the standard deviation of their
        intercepts, all relative to the residual's.

    Examples
    --------
    The best l11 of these cases is 6 (see `curve_search.search`): the criterion falls up to there.

    >>> from models.case_sums import case_sums
    >>> score = np.array([4.0, 4, 8, 6, 12, 12, 16, 14])
    >>> case, time = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)
    >>> sums = case_sums(np.full(8, 10.0), time, score, case)
    >>> thetas = [np.array([l11, 0.0, 0.0]) for l11 in (3.0, 6.0, 12.0)]
    >>> slopes = [evaluate(sums.curve_sums(), theta).gradient[0] for theta in thetas]
    >>> [round(float(slope), 2) + 0.0 for slope in slopes]
    [-1.11, 0.0, 0.3]
    """
    totals = added_up(sums.cells, theta)
    taken = None if sums.pairs is None else sums.pairs.taken_off(sums.A, theta)
    fit = _profiled(sums, totals, method, None if taken is None else taken.totals)
    precision = 0.0 if fit.is_exact else 1.0 / float(fit.variance)
    G = _covariance_gradient(totals, fit, precision, method)
    l11, l21, l22 = (float(value) for value in theta[:3])
    therapist_gradient, therapist_modes = 0.0, np.zeros(0)
    if taken is not None:
        added, therapist_gradient, therapist_modes = taken.gradients(fit, precision, method)
        G = G + added
    gradient = 2.0 * np.array(
        [G[0, 0] * l11 + G[0, 1] * l21, G[0, 1] * l11 + G[1, 1] * l21, G[1, 1] * l22]
    )
    if taken is not None:
        gradient = np.append(gradient, 2.0 * float(theta[3]) * therapist_gradient)
    return Profile(
        criterion=float(fit.criterion),
        gradient=gradient,
        covariance_gradient=G,
        therapist_gradient=therapist_gradient,
        coefficients=sums.start + fit.shift,
        residual_variance=float(fit.variance),
        coefficient_covariance=float(fit.variance) * fit.inverse,
        therapist_modes=therapist_modes,
    )


def _covariance_gradient(totals: Totals, fit: Profiled, precision: float, method: Method) -> Floats:
    """Return G of cases without therapists; `middle` is Q + g g' / sigma^2 by powers of c."""
    level, by_c = fit.shift[:2], fit.shift[2:]
    middle = precision * np.stack(
        [
            np.outer(level, level),
            np.outer(level, by_c) + np.outer(by_c, level),
            np.outer(by_c, by_c),
        ]
    )
    if method == "reml":
        Q = fit.inverse
        middle += np.stack([Q[:2, :2], Q[:2, 2:] + Q[2:, :2], Q[2:, 2:]])
    M_M = totals.products[:, _PRODUCT[_ENTRY][:, :, _ENTRY]]  # [power, i, p, q, j] of M_ip M_qj
    m_g_M = np.einsum("klj,l->kj", totals.mixed[:2][:, _ENTRY], level)
    m_g_M += np.einsum("klj,l->kj", totals.mixed[2:][:, _ENTRY], by_c)
    G: Floats = totals.M[0][_ENTRY] - np.einsum("wipqj,wpq->ij", M_M, middle)
    G -= precision * (totals.squares[_ENTRY] - m_g_M - m_g_M.T)
    return G
