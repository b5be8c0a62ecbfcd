"""What do the links of many persons have in common, how much do they differ, and whose own is it?

Random effects: b_i = mu + u_i + e_i, Var u = tau2, Var e_i = v_i known.
- tau2 by REML, or by moments (DerSimonian and Laird 1986, unverified).
- Interval of mu by t with k - 1 degrees of freedom and the variance of Hartung and Knapp, never
  narrower than the usual one (Hartung and Knapp 2001; Roever and others 2015; unverified).
- Prediction interval: where the true link of a further person lies, with tau2 taken as known.
- Interval of tau2 by the Q profile (Viechtbauer 2007, unverified); I2 from tau2 and the typical v.
- A person's own link drawn towards mu by v / (v + tau2).

What metafor prints for two published examples: tests/models/test_process_pooling.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Method = Literal["reml", "moments"]

MINIMUM_PERSONS = 5
"""Fewer persons tell next to nothing about how much persons differ (ours)."""
_CONFIDENCE = 0.95
_FARTHEST = 1e9  # of tau2, in units of the mean variance; beyond it a search has failed


class TooFewPersonsError(ValueError):
    """Too few persons with a link to say what they share."""


@dataclass(frozen=True, kw_only=True)
class PooledLink:
    """What many persons' links have in common. 95 % intervals."""

    person_count: int
    mean: float
    standard_error: float
    """Hartung and Knapp's, at least the usual one."""
    low: float
    high: float
    prediction_low: float
    prediction_high: float
    tau2: float
    tau2_low: float
    tau2_high: float
    i2: float
    """Share of the differences between persons that is not error: 0 to 1."""
    q: float
    method: Method


@dataclass(frozen=True, kw_only=True)
class OwnLinks:
    """Each person's link, drawn towards the mean. Arrays of shape (persons,)."""

    link: Floats
    low: Floats
    high: Floats


def pooled_link(
    coefficients: ArrayLike, standard_errors: ArrayLike, *, method: Method = "reml"
) -> PooledLink:
    """Return what the links share.

    Raises
    ------
    TooFewPersonsError
        If there are fewer than `MINIMUM_PERSONS`.

    Examples
    --------
    >>> found = pooled_link([0.1, 0.3, 0.5, 0.2, 0.4], [0.1] * 5)
    >>> round(found.mean, 3), round(found.tau2, 4), round(found.i2, 2)
    (0.3, 0.015, 0.6)
    """
    from scipy.stats import t

    y = np.asarray(coefficients, dtype=np.float64)
    v = np.asarray(standard_errors, dtype=np.float64) ** 2
    count = y.size
    if count < MINIMUM_PERSONS:
        message = (
            f"{count} persons with a link: at least {MINIMUM_PERSONS} are needed to say what they "
            "share and how much they differ"
        )
        raise TooFewPersonsError(message)
    tau2 = _reml(y, v) if method == "reml" else _moments(y, v)
    weights = 1.0 / (v + tau2)
    mean = float(np.average(y, weights=weights))
    inflation = float(np.sum(weights * (y - mean) ** 2)) / (count - 1)
    error = float(np.sqrt(max(inflation, 1.0) / weights.sum()))
    reach = float(t.ppf(0.5 + _CONFIDENCE / 2, count - 1))
    spread = float(np.sqrt(tau2 + error**2))
    tau2_low, tau2_high = _q_profile(y, v)
    return PooledLink(
        person_count=count,
        mean=mean,
        standard_error=error,
        low=mean - reach * error,
        high=mean + reach * error,
        prediction_low=mean - reach * spread,
        prediction_high=mean + reach * spread,
        tau2=tau2,
        tau2_low=tau2_low,
        tau2_high=tau2_high,
        i2=tau2 / (tau2 + _typical_variance(v)),
        q=_q(y, v, 0.0),
        method=method,
    )


def own_links(coefficients: ArrayLike, standard_errors: ArrayLike, pooled: PooledLink) -> OwnLinks:
    """Return each person's link drawn towards the mean of all, the more the less sure it is.

    The interval counts in that the mean is estimated, not that tau2 is.

    Examples
    --------
    >>> errors = [0.1, 0.1, 0.1, 0.1, 0.4]
    >>> found = pooled_link([0.1, 0.3, 0.5, 0.2, 0.9], errors)
    >>> own_links([0.1, 0.3, 0.5, 0.2, 0.9], errors, found).link.round(2).tolist()
    [0.16, 0.3, 0.44, 0.23, 0.37]
    """
    from scipy.stats import norm

    y = np.asarray(coefficients, dtype=np.float64)
    v = np.asarray(standard_errors, dtype=np.float64) ** 2
    drawn = v / (v + pooled.tau2)
    link = drawn * pooled.mean + (1.0 - drawn) * y
    error = np.sqrt((1.0 - drawn) * v + (drawn * pooled.standard_error) ** 2)
    reach = float(norm.ppf(0.5 + _CONFIDENCE / 2))
    return OwnLinks(link=link, low=link - reach * error, high=link + reach * error)


def _moments(y: Floats, v: Floats) -> float:
    weights = 1.0 / v
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    return max(0.0, float((_q(y, v, 0.0) - (y.size - 1)) / scale))


def _reml(y: Floats, v: Floats) -> float:
    def score(tau2: float) -> float:
        """Return twice the slope of the restricted log likelihood."""
        weights = 1.0 / (v + tau2)
        mean = np.average(y, weights=weights)
        bend = (weights**2).sum()
        return float((weights**2 * (y - mean) ** 2).sum() - weights.sum() + bend / weights.sum())

    return _where_zero(score, v)


def _q(y: Floats, v: Floats, tau2: float) -> float:
    weights = 1.0 / (v + tau2)
    return float((weights * (y - np.average(y, weights=weights)) ** 2).sum())


def _q_profile(y: Floats, v: Floats) -> tuple[float, float]:
    from scipy.stats import chi2

    def above(tail: float) -> Callable[[float], float]:
        quantile = float(chi2.ppf(tail, y.size - 1))
        return lambda tau2: _q(y, v, tau2) - quantile

    upper = 0.5 + _CONFIDENCE / 2
    return _where_zero(above(upper), v), _where_zero(above(1.0 - upper), v)


def _where_zero(falling: Callable[[float], float], v: Floats) -> float:
    """Return where a function that falls in tau2 is zero; 0 where it starts below."""
    from scipy.optimize import brentq

    if falling(0.0) <= 0.0:
        return 0.0
    end = float(v.mean())
    while falling(end) > 0.0 and end < _FARTHEST * v.mean():
        end *= 2.0
    return float(brentq(falling, 0.0, end, xtol=1e-14))


def _typical_variance(v: Floats) -> float:
    """Return the error variance of a typical person (Higgins and Thompson 2002, unverified)."""
    weights = 1.0 / v
    return float((v.size - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum()))
