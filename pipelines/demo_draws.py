"""How does the simulated practice draw bounded, categorical and whole numbers? Shared rules.

All randomness comes from the generator that is passed in.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]


def reflected(values: Numbers, least: ArrayLike, most: ArrayLike) -> Numbers:
    """Fold values back at two bounds, so that none is outside and none piles up on a bound.

    Parameters
    ----------
    values, least, most
        Same shape or broadcastable, least below most.
    """
    low = np.asarray(least, dtype=np.float64)
    width = np.asarray(most, dtype=np.float64) - low
    folded: Numbers = low + width - np.abs((values - low) % (2 * width) - width)
    return folded


def category(rng: np.random.Generator, shares: ArrayLike, size: int) -> Counts:
    """Draw one category index per case.

    Parameters
    ----------
    shares
        Shape (categories,) for all cases, or (cases, categories); each row sums to 1.
    size
        Number of cases.
    """
    limits = np.cumsum(np.atleast_2d(np.asarray(shares, dtype=np.float64)), axis=1)[:, :-1]
    drawn: Counts = (rng.random((size, 1)) >= limits).sum(axis=1, dtype=np.int64)
    return drawn


def as_score(values: Numbers, highest: int) -> Counts:
    """Round to whole points between 0 and the highest score of the measure."""
    points: Counts = np.clip(np.rint(values), 0, highest).astype(np.int64)
    return points
