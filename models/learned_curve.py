"""Which probability goes with a score? A logistic curve, learned from past cases."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.similar_features import Scale

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]

_FEWEST = 20
_FEWEST_OF_A_KIND = 5
_RIDGE = 1e3  # scikit-learn's C on standardised features: next to no penalty, but no infinities


def through_score(own: Numbers, is_bad: Numbers, asked: Numbers) -> Numbers:
    """Return probabilities (m,) by a logistic curve through a score; nan where none is learned.

    Parameters
    ----------
    own, is_bad
        (n,) scores and ends (1 bad, 0 not) of the cases learned from.
    asked
        (m,) scores of those asked about.

    Examples
    --------
    >>> own = np.arange(40.0)
    >>> is_bad = (own % 3 + own / 10 > 3).astype(float)
    >>> low, high = through_score(own, is_bad, np.array([5.0, 35.0]))
    >>> bool(low < 0.2 < 0.8 < high)
    True
    """
    model = logistic(own[:, None], is_bad)
    return np.full(len(asked), np.nan) if model is None else model(asked[:, None])


def logistic(features: Numbers, is_bad: Numbers) -> Callable[[Numbers], Numbers] | None:
    """Return a fitted logistic regression as a function of features (m, k).

    None where fewer than 20 cases tell, or fewer than 5 of a kind. Rows with nan get nan.

    Parameters
    ----------
    features
        (n, k); rows with nan are not learned from.
    is_bad
        (n,) 1 or 0; nan is not learned from.

    Examples
    --------
    >>> logistic(np.zeros((5, 1)), np.zeros(5)) is None
    True
    """
    usable = ~np.isnan(features).any(axis=1) & ~np.isnan(is_bad)
    bad = is_bad[usable] == 1
    fewer = min(int(bad.sum()), int((~bad).sum()))
    if len(bad) < _FEWEST or fewer < _FEWEST_OF_A_KIND:
        return None
    scale = Scale.of(features[usable])
    model = _fitted(scale.standardised(features[usable]), bad)

    def probability(asked: Numbers) -> Numbers:
        found = np.full(len(asked), np.nan)
        rows = np.flatnonzero(~np.isnan(asked).any(axis=1))
        if len(rows):
            found[rows] = model.predict_proba(scale.standardised(asked[rows]))[:, 1]
        return found

    return probability


def _fitted(features: Numbers, bad: Truths) -> LogisticRegression:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # Complete separation: the penalty keeps the numbers finite, which is all that is asked.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=_RIDGE, solver="newton-cholesky").fit(features, bad)


def weights_of_known(rows: pl.DataFrame, here: NDArray[np.intp], is_bad: Numbers) -> Numbers:
    """Return one over the chance that a row's end is known, given what was seen by then.

    Ends are missing for those who leave early, and they differ; weighted by this, those whose end
    is known stand for all (inverse probability weighting; Seaman and White 2013, unverified).

    Parameters
    ----------
    rows
        All moments, with `score`, `gain` and `occasion`.
    here
        Rows at one landmark.
    is_bad
        (rows,) nan where unknown.

    Returns
    -------
    (rows,) weights, 1 to 10, mean not fixed; 1 outside `here` and where nothing can be learned.

    Examples
    --------
    >>> rows = pl.DataFrame({"score": [9.0, 8.0], "gain": [1.0, 2.0], "occasion": [4.0, 4.0]})
    >>> weights_of_known(rows, np.array([0, 1]), np.array([1.0, np.nan])).tolist()
    [1.0, 1.0]
    """
    weight = np.ones(rows.height)
    features = rows[here].select("score", "gain").to_numpy()
    model = logistic(features, (~np.isnan(is_bad[here])).astype(np.float64))
    if model is not None:
        weight[here] = 1.0 / np.clip(model(features), 0.1, 1.0)
    return weight
