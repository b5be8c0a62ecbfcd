"""How are a forecast and a chance learned from few cases without believing them too much?

Ridge regression with its penalty by leave-one-out error (Golub, Heath & Wahba 1979) and ridge
logistic regression by Newton's method (le Cessie & van Houwelingen 1992). Plain arithmetic on
arrays: a back-test fits them some ten thousand times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PENALTIES = np.geomspace(0.01, 1000.0, 11)
"""Tried in a linear forecast; on standardised columns, so a penalty counts as so many cases."""
_MOST_STEPS = 25
_LONGEST_STEP = 4.0
_CLOSE_ENOUGH = 1e-6
_LEAST_WEIGHT = 1e-9
_LEAST_KEPT = 0.5
"""Of weights that gain nothing at all: one half, so that the order of cases stays."""


class Line(NamedTuple):
    """A linear forecast: `intercept + columns @ weights`."""

    intercept: float
    weights: Floats
    """(p,)"""
    left_out: Floats
    """(n,) forecast of each training row with the weights of the rows without it, about the mean of
    all: that the mean lacks the row would make bad ends look foreseen as a little less bad."""


def ridge_line(columns: Floats, target: Floats) -> Line:
    """Learn a linear forecast of a target (n,) from columns (n, p), shrunken.

    Examples
    --------
    >>> x = np.arange(8.0)[:, None]
    >>> line = ridge_line(x, 2.0 * x[:, 0] + 1.0)
    >>> round(float(line.weights[0]), 2), len(line.left_out)
    (2.0, 8)
    """
    middle, spread = columns.mean(axis=0), spread_of(columns)
    aim = float(target.mean())
    left, singular, right = np.linalg.svd((columns - middle) / spread, full_matrices=False)
    along = left.T @ (target - aim)
    kept = singular**2 / (singular**2 + PENALTIES[:, None])  # (penalties, p)
    fitted = aim + (kept * along) @ left.T
    own_share = np.minimum(kept @ (left**2).T, 1.0 - 1e-9)
    residual = (target - fitted) / (1.0 - own_share)
    best = int(np.argmin((residual**2).mean(axis=1)))
    shrunken = kept[best] * along / np.maximum(singular, 1e-12)
    weights = (right.T @ shrunken) / spread
    return Line(aim - float(middle @ weights), weights, target - residual[best])


def ridge_logistic(
    columns: Floats,
    happened: Floats,
    penalty: Floats,
    start: Floats | None = None,
) -> Floats:
    """Return weights (p,) of columns (n, p) for the log odds of an event.

    Parameters
    ----------
    columns
        (n, p); a column of ones is the intercept.
    happened
        (n,) 0 or 1.
    penalty
        (p,) how hard each weight is pulled to 0; 0 not at all.
    start
        (p,) weights near the answer: saves steps.

    Examples
    --------
    >>> x = np.column_stack([np.ones(6), [-2.0, -1.0, 0.0, 0.0, 1.0, 2.0]])
    >>> ridge_logistic(x, np.array([0.0, 0, 0, 1, 1, 1]), np.array([0.0, 1.0])).round(2).tolist()
    [0.0, 1.01]
    """
    weights = np.zeros(columns.shape[1]) if start is None else start
    for _ in range(_MOST_STEPS):
        chance = logistic(columns @ weights)
        gradient = columns.T @ (chance - happened) + penalty * weights
        weight = chance * (1.0 - chance) + _LEAST_WEIGHT
        curvature = (columns * weight[:, None]).T @ columns
        curvature.flat[:: len(weights) + 1] += penalty + _LEAST_WEIGHT
        step = np.linalg.solve(curvature, gradient)
        longest = float(np.abs(step).max())
        weights = weights - step * min(1.0, _LONGEST_STEP / max(longest, _CLOSE_ENOUGH))
        if longest < _CLOSE_ENOUGH:
            break
    return weights


def less_sure(columns: Floats, happened: Floats, penalty: Floats, weights: Floats) -> Floats:
    """Return weights (p,) made smaller by what learning them from few cases exaggerates.

    All but the first (the intercept, which is then found anew) are multiplied by (gain - p) / gain:
    gain is twice what the log-likelihood gains over the intercept alone, p the weights that are
    truly free (van Houwelingen and le Cessie 1990, Statistics in Medicine 9, 1303 [recalled]).

    Parameters
    ----------
    columns, happened, penalty
        As of `ridge_logistic`, the column of ones first.
    weights
        (p,) what it returned.

    Examples
    --------
    >>> x = np.column_stack([np.ones(8), [-3.0, -2.0, -1.0, 0.0, 0.0, 1.0, 2.0, 3.0]])
    >>> happened, penalty = np.array([0.0, 0, 1, 0, 1, 0, 1, 1]), np.array([0.0, 0.3])
    >>> weights = ridge_logistic(x, happened, penalty)
    >>> bool(0.0 < less_sure(x, happened, penalty, weights)[1] < weights[1])
    True
    """
    log_odds = columns @ weights
    chance = logistic(log_odds)
    share = float(happened.mean())
    alone = len(happened) * (share * np.log(share) + (1.0 - share) * np.log(1.0 - share))
    gain = 2.0 * (float((happened * log_odds - np.logaddexp(0.0, log_odds)).sum()) - alone)
    told = (columns * (chance * (1.0 - chance))[:, None]).T @ columns
    pulled = told + np.diag(penalty + _LEAST_WEIGHT)
    free = float(np.trace(np.linalg.solve(pulled, told))) - 1.0
    kept = min(max((gain - free) / gain, _LEAST_KEPT), 1.0) if gain > 0.0 else _LEAST_KEPT
    smaller = kept * weights
    sure = columns[:, 1:] @ smaller[1:]
    for _ in range(_MOST_STEPS):
        chance = logistic(smaller[0] + sure)
        step = float((chance - happened).sum() / (chance * (1.0 - chance)).sum())
        smaller[0] -= np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if abs(step) < _CLOSE_ENOUGH:
            break
    return smaller


def logistic(log_odds: Floats) -> Floats:
    """Return chances from log odds.

    Examples
    --------
    >>> logistic(np.array([0.0, 800.0, -800.0])).tolist()
    [0.5, 1.0, 0.0]
    """
    half: Floats = 0.5 + 0.5 * np.tanh(0.5 * log_odds)
    return half


def spread_of(columns: Floats) -> Floats:
    """Return standard deviations (p,); 1 where a column does not vary.

    Examples
    --------
    >>> spread_of(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [1.0, 1.0]
    """
    spread: Floats = columns.std(axis=0)
    return np.where(spread > 1e-9, spread, 1.0)


def ordered_right(chance: Floats, happened: Bools) -> float:
    """Return the area under the curve: pairs of one event and one none in the right order.

    Examples
    --------
    >>> ordered_right(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    values, place = np.unique(chance, return_inverse=True)
    good = np.bincount(place[~happened], minlength=len(values)).astype(float)
    bad = np.bincount(place[happened], minlength=len(values)).astype(float)
    pairs = float(good.sum() * bad.sum())
    if pairs == 0.0:
        return float("nan")
    return float((bad * (np.cumsum(good) - 0.5 * good)).sum()) / pairs
