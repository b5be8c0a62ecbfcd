"""With which score will a case end, as far as its scores so far tell, and how far off is that?

A linear forecast from the first score, the last and the mean of those between, shrunken, on the
scale of roots (`outlook_features.square_root`): scores near the best end of a measure scatter less,
and a straight line in points is drawn off by the few that end far up. Turned back to points it is
the middle of the ends foreseen, not their mean. How far forecasts are off is a line in the
forecast, learned from forecasts of cases by all others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.outlook_arithmetic import Floats, ridge_line
from models.outlook_features import SCORES, square_root

_MEAN_TO_SD = float(np.sqrt(np.pi / 2.0))  # of a normal distribution
_SMALLEST_MISS = 0.3
"""As a part of the mean: a line may cross zero, a spread may not."""


def learn_forecast(
    columns: Mapping[str, Floats], end: Floats, best: float
) -> tuple[Floats, Floats]:
    """Learn to forecast the last score.

    Parameters
    ----------
    columns
        (n,) each of `SCORES`, points, higher is worse.
    end
        (n,) last scores.
    best
        The best score there is.

    Returns
    -------
    What was learned (intercept, a weight for each of `SCORES`, intercept and slope of the miss, the
    smallest miss), and (n,) the forecast of each case by all others; both of roots.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> first, last = random.uniform(10, 24, 100), random.uniform(2, 24, 100)
    >>> columns = {"baseline": first, "score": last, "mean_between": last}
    >>> learned, _ = learn_forecast(columns, last, 0.0)
    >>> root, miss = forecast(learned, columns, 0.0)
    >>> bool(np.abs(root - square_root(last, 0.0)).max() < 0.1)
    True
    """
    aim = square_root(end, best)
    line = ridge_line(_roots(columns, best), aim)
    missed = _MEAN_TO_SD * np.abs(aim - line.left_out)
    by_level = np.column_stack([np.ones_like(aim), line.left_out])
    miss = np.linalg.lstsq(by_level, missed, rcond=None)[0]
    smallest = max(_SMALLEST_MISS * float(missed.mean()), 1e-6)
    return np.r_[line.intercept, line.weights, miss, smallest], line.left_out


def forecast(learned: Floats, columns: Mapping[str, Floats], best: float) -> tuple[Floats, Floats]:
    """Return the forecast (n,) and its spread (n,), both of roots.

    Examples
    --------
    >>> columns = {name: np.array([3.5]) for name in SCORES}
    >>> forecast(np.array([0.0, 0.5, 0.25, 0.25, 0.5, 0.0, 0.1]), columns, 0.0)
    (array([2.]), array([0.5]))
    """
    root = learned[0] + _roots(columns, best) @ learned[1:-3]
    return root, spread_of_forecast(learned, root)


def spread_of_forecast(learned: Floats, root: Floats) -> Floats:
    """Return the standard deviation (n,) of ends about forecasts (n,), both of roots.

    Examples
    --------
    >>> learned = np.array([0.0, 0.5, 0.25, 0.25, 0.5, 0.1, 0.1])
    >>> spread_of_forecast(learned, np.array([2.0, -9.0])).tolist()
    [0.7, 0.1]
    """
    spread: Floats = np.maximum(learned[-3] + learned[-2] * root, learned[-1])
    return spread


def _roots(columns: Mapping[str, Floats], best: float) -> Floats:
    return np.column_stack([square_root(columns[name], best) for name in SCORES])
