"""What moves with the outcome for this one client?

i-ARIMAX (Ciarrochi and others 2024; R package idionomics, R58; its help pages read, the papers
recalled): each person alone. Both series are standardised within the person and freed of a straight
trend; the outcome is regressed on the process with ARIMA errors, so that what a day carries over to
the next is not taken for a link:

    outcome_t = b process_(t - lag) + n_t,    n_t an ARIMA(p, d, q) process

b is in standard deviations of the outcome for one of the process. d by the test of Kwiatkowski and
others (1992) as auto.arima does, p and q by AICc, step by step from small orders, among the models
whose roots lie well off the unit circle (Hyndman and Khandakar 2008; both recalled, unverified).
Days without a pair stay missing: a Kalman filter passes over them. Nothing here says what leads to
what.

Standard errors are widened by n / (n - k), k counting b, the trend, p, q and d, and intervals use t
with n - k degrees of freedom (ours): with 20 points the usual ones are too short.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from math import gcd
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Lag = Literal[0, 1]

MINIMUM_POINTS = 20
"""Fewest pairs (product.md; idionomics' default). Below it: plot, and say nothing."""
FEWEST_OTHER = 5
"""Pairs that must differ from the commonest value, of process and of outcome (ours)."""
SPARSEST = 20
"""Most time steps for one pair (ours): beyond it nearly all that is filtered is missing."""
LARGEST_ORDER = 2
"""Of p and of q. auto.arima allows 5; with 20 to 90 points two are hard enough to tell (ours)."""
KPSS_CRITICAL = 0.463
"""5 % point of the test for a level (Kwiatkowski and others 1992, table 1, recalled)."""
_ROOT_APART = 1.01  # auto.arima's bound: roots nearer to the circle are refused
_TREND_TERMS = 2
_CONFIDENCE = 0.95

REASONS = {
    "too_few_points": f"fewer than {MINIMUM_POINTS} times with both",
    "outcome_hardly_varies": "the outcome is nearly always the same",
    "process_hardly_varies": "the process is nearly always the same",
    "too_sparse": "too few pairs for so long a time",
    "no_fit": "no model could be fitted",
}
LINK_SCHEMA: dict[str, Any] = {
    "case_id": pl.String,
    "point_count": pl.Int64,
    "order": pl.String,
    "link": pl.Float64,
    "standard_error": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "reason": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class ProcessLink:
    """What moves with the outcome for one client; 95 % interval. Null with a reason."""

    point_count: int
    """Times with both."""
    order: str | None = None
    """p,d,q of the errors."""
    link: float | None = None
    """Standard deviations of the outcome for one of the process."""
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    """A key of `REASONS`; else null."""


def process_links(points: pl.DataFrame, *, lag: Lag = 0) -> pl.DataFrame:
    """Return one row a case, by case id: a link, or the reason why there is none.

    Parameters
    ----------
    points
        `case_id, at, outcome, process`: one row a case and time; `at` whole days or weeks.
        Null or NaN where nothing was rated.
    lag
        0: the process at the same time as the outcome. 1: one time step before.

    Examples
    --------
    >>> few = pl.DataFrame({"case_id": "a", "at": [1, 2], "outcome": [1.0, 2], "process": [1.0, 3]})
    >>> process_links(few).select("case_id", "point_count", "reason").rows()
    [('a', 2, 'too_few_points')]
    """
    rows = [
        {"case_id": case_id} | vars(_of_frame(own, lag))
        for (case_id,), own in points.sort("case_id", "at").group_by("case_id", maintain_order=True)
    ]
    return pl.DataFrame(rows, schema=LINK_SCHEMA)


def _of_frame(own: pl.DataFrame, lag: Lag) -> ProcessLink:
    outcome, process = (
        own[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in ("outcome", "process")
    )
    return process_link(own["at"].to_numpy(), outcome, process, lag=lag)


def process_link(
    at: NDArray[np.int64], outcome: Floats, process: Floats, *, lag: Lag = 0
) -> ProcessLink:
    """Return the link of one client.

    Parameters
    ----------
    at
        Whole times, rising, each once. Shape (n,), as the others. One step is the greatest whole
        number that divides all distances: weeks on days 0, 7, 21 make steps of 7 days.
    outcome, process
        NaN where nothing was rated.

    Examples
    --------
    >>> days = np.arange(40)
    >>> process = np.sin(days * 2.4)
    >>> found = process_link(days, 0.5 * process + np.cos(days * 1.7), process)
    >>> found.point_count, round(found.link, 1), found.reason
    (40, 0.5, None)
    """
    times, y, x = _on_steps(at, outcome, process, lag)
    paired = np.isfinite(y) & np.isfinite(x)
    count = int(paired.sum())
    if count < MINIMUM_POINTS:
        return ProcessLink(point_count=count, reason="too_few_points")
    if _others(y[paired]) < FEWEST_OTHER:
        return ProcessLink(point_count=count, reason="outcome_hardly_varies")
    if _others(x[paired]) < FEWEST_OTHER:
        return ProcessLink(point_count=count, reason="process_hardly_varies")
    first, last = np.flatnonzero(paired)[[0, -1]]
    within = slice(first, last + 1)
    times, y, x, paired = times[within], y[within], x[within], paired[within]
    if len(times) > SPARSEST * count:
        return ProcessLink(point_count=count, reason="too_sparse")
    clean_y, clean_x = (
        _without_trend(_standardised(each[paired]), times[paired]) for each in (y, x)
    )
    for name, clean in (("outcome", clean_y), ("process", clean_x)):
        if clean.std() < 1e-6:  # a straight line and nothing else
            return ProcessLink(point_count=count, reason=f"{name}_hardly_varies")
    return _fitted(paired, clean_y, clean_x)


def _on_steps(
    at: NDArray[np.int64], outcome: Floats, process: Floats, lag: Lag
) -> tuple[Floats, Floats, Floats]:
    """Return times, outcome and process on every step from first to last; NaN where none is."""
    step = max(1, gcd(*np.diff(at).tolist())) if len(at) > 1 else 1
    place = (at - at[0]) // step
    y, x = (np.full(int(place[-1]) + 1, np.nan) for _ in range(2))
    y[place], x[place] = outcome, process
    if lag:
        x = np.concatenate([[np.nan], x[:-1]])
    return np.arange(len(y), dtype=np.float64), y, x


def _others(values: Floats) -> int:
    """Return how many values differ from the commonest."""
    return len(values) - int(np.unique(values, return_counts=True)[1].max())


def _standardised(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / values.std(ddof=1))


def _without_trend(values: Floats, times: Floats) -> Floats:
    slope, level = np.polyfit(times, values, 1)
    return np.asarray(values - level - slope * times)


@dataclass(frozen=True, kw_only=True)
class _Fit:
    aicc: float
    order: tuple[int, int, int]
    result: Any


def _fitted(paired: NDArray[np.bool_], clean_y: Floats, clean_x: Floats) -> ProcessLink:
    # Imported before warnings are silenced: the import puts filters of its own in front.
    import statsmodels.tsa.statespace.sarimax  # noqa: F401 - see above
    from scipy.stats import t

    y = np.full(len(paired), np.nan)
    y[paired] = clean_y
    x = np.zeros(len(paired))  # where nothing is paired the filter does not look at it
    x[paired] = clean_x
    slope = clean_x @ clean_y / (clean_x @ clean_x)
    differences = int(kpss_level(clean_y - slope * clean_x) > KPSS_CRITICAL)
    count = len(clean_y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of orders that do not fit: they are dropped below
        for fit in _fits(y, x, differences, count):
            variance = _variance(fit)
            if variance is None:
                continue
            free = count - _terms(fit.order)
            error = float(np.sqrt(variance * count / free))
            link = float(fit.result.params[0])
            reach = float(t.ppf(0.5 + _CONFIDENCE / 2, free)) * error
            return ProcessLink(
                point_count=count,
                order=",".join(map(str, fit.order)),
                link=link,
                standard_error=error,
                low=link - reach,
                high=link + reach,
            )
    return ProcessLink(point_count=count, reason="no_fit")


def _fits(y: Floats, x: Floats, differences: int, count: int) -> list[_Fit]:
    """Return fits of p and q, best first: from small orders step by step to better neighbours."""
    tried: dict[tuple[int, int], _Fit | None] = {}
    orders = range(LARGEST_ORDER + 1)
    wanted = [(0, 0), (1, 0), (0, 1)]
    while wanted:
        for p, q in wanted:
            tried[p, q] = _fit(y, x, (p, differences, q), count)
        found = sorted(
            (fit for fit in tried.values() if fit is not None), key=lambda each: each.aicc
        )
        if not found:
            return []
        best_p, _, best_q = found[0].order
        wanted = [
            place
            for place in product(orders, orders)
            if place not in tried and max(abs(place[0] - best_p), abs(place[1] - best_q)) == 1
        ]
    return found


def _terms(order: tuple[int, int, int]) -> int:
    return 1 + _TREND_TERMS + sum(order)


def _fit(y: Floats, x: Floats, order: tuple[int, int, int], count: int) -> _Fit | None:
    """Return the fit of one order; None where it does not converge or has a root near 1."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    model = SARIMAX(y, exog=x, order=order, concentrate_scale=True)
    try:
        result = model.fit(disp=False, maxiter=100, cov_type="none")
    except (np.linalg.LinAlgError, ValueError):
        return None
    if not result.mle_retvals["converged"] or not np.isfinite(result.llf):
        return None
    roots = np.abs(np.concatenate([result.arroots, result.maroots]))
    if (roots < _ROOT_APART).any():
        return None
    terms = _terms(order) - order[1] + 1  # and the variance
    seen = count - order[1]
    penalty = 2 * terms + 2 * terms * (terms + 1) / (seen - terms - 1)
    return _Fit(aicc=penalty - 2 * float(result.llf), order=order, result=result)


def _variance(fit: _Fit) -> float | None:
    """Return the variance of the link from the observed information; None where there is none."""
    again = fit.result.model.filter(fit.result.params, cov_type="oim")
    variance = float(np.asarray(again.cov_params())[0, 0])
    return variance if np.isfinite(variance) and variance > 0 else None


def kpss_level(values: Floats) -> float:
    """Return the statistic of Kwiatkowski and others for a level: large where it wanders.

    Bandwidth 3 sqrt(n) / 13, as auto.arima takes it (recalled). Shape (n,), at least two values.

    Examples
    --------
    >>> round(kpss_level(np.arange(40.0)), 2), round(kpss_level(np.sin(np.arange(40.0))), 2)
    (2.08, 0.03)
    """
    away = values - values.mean()
    count = len(away)
    bandwidth = int(3 * np.sqrt(count) / 13)
    long_run = float(away @ away)
    for distance in range(1, bandwidth + 1):
        weight = 1 - distance / (bandwidth + 1)
        long_run += 2 * weight * float(away[distance:] @ away[:-distance])
    return float((np.cumsum(away) ** 2).sum() / count / long_run) if long_run > 0 else 0.0
