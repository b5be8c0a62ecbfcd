"""What do the courses of similar cases say about the next scores? Weighted means and boundaries.

Neighbours count by nearness: exp(-(distance / median distance)^2 / 2). Their number is told as
Kish's effective number n = (sum w)^2 / sum w^2 (Kish 1965, Survey Sampling, unverified): so many
equal weights would be as certain. A boundary is the weighted quantile of their scores at positions
(n C + 1/2) / (n + 1), C the share of weight below a score and half its own: with equal weights the
k-th of n scores is the quantile k / (n + 1), so a new one lies below it that often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def nearness(distance: Floats) -> Floats:
    """Return the weight (cases, k) of each neighbour, 0 to 1, from distances (cases, k).

    Examples
    --------
    >>> nearness(np.array([[0.0, 1.0, 1.0]])).round(3).tolist()
    [[1.0, 0.607, 0.607]]
    """
    middle = np.median(distance, axis=1, keepdims=True)
    return np.asarray(np.exp(-0.5 * (distance / np.where(middle > 0, middle, 1.0)) ** 2))


def effective_number(weight: Floats) -> Floats:
    """Return Kish's effective number (cases,) of neighbours of weights (cases, k); 0 for none.

    Examples
    --------
    >>> effective_number(np.array([[1.0, 1.0, 0.0], [3.0, 1.0, 0.0]])).tolist()
    [2.0, 1.6]
    """
    squares = (weight**2).sum(axis=1)
    return np.asarray(weight.sum(axis=1) ** 2 / np.where(squares > 0, squares, 1.0))


def weighted_mean(score: Floats, weight: Floats) -> Floats:
    """Return the mean (cases,) of scores (cases, k); weight 0 leaves a score out, NaN for none.

    Examples
    --------
    >>> weighted_mean(np.array([[10.0, 20.0]]), np.array([[3.0, 1.0]])).tolist()
    [12.5]
    """
    total = weight.sum(axis=1)
    summed = np.where(weight > 0, score, 0.0) * weight
    return np.where(total > 0, summed.sum(axis=1) / np.where(total > 0, total, 1.0), np.nan)


def weighted_quantile(score: Floats, weight: Floats, share: float) -> Floats:
    """Return the score (cases,) that a new one lies at or below with chance `share`.

    Parameters
    ----------
    score, weight
        (cases, k); weight 0 leaves a score out.
    share
        0 to 1. Beyond n / (n + 1) of an effective number n the largest score is returned (and the
        smallest at the other end), which is then not far enough out.

    Examples
    --------
    >>> equal = np.ones((1, 9))
    >>> weighted_quantile(np.arange(1.0, 10.0)[None, :], equal, 0.9).tolist()
    [9.0]
    """
    counted = weight > 0
    order = np.argsort(np.where(counted, score, np.inf), axis=1, kind="stable")
    ordered = np.take_along_axis(np.where(counted, score, np.nan), order, axis=1)
    ranked = np.take_along_axis(np.where(counted, weight, 0.0), order, axis=1)
    number = effective_number(ranked)
    total = ranked.sum(axis=1)
    up_to = (ranked.cumsum(axis=1) - 0.5 * ranked) / np.where(total > 0, total, 1.0)[:, None]
    position = (number[:, None] * up_to + 0.5) / (number[:, None] + 1.0)
    last = counted.sum(axis=1) - 1
    above = np.minimum((position < share).sum(axis=1), np.maximum(last, 0))
    below = np.maximum(above - 1, 0)
    rows = np.arange(len(score))
    low, high = position[rows, below], position[rows, above]
    part = np.clip((share - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    part = np.where(above > below, part, 0.0)
    value = (1.0 - part) * ordered[rows, below] + part * ordered[rows, above]
    return np.where(last >= 0, value, np.nan)
