"""What would be found, and how often rightly, if the cases with the worst scores were flagged?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.resampling import ratio

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AtShare:
    """What flagging this share of cases, the worst scores first, would find."""

    share: float
    threshold: float
    """The lowest score that is flagged, at least in part."""
    sensitivity: float
    ppv: float


def at_share_flagged(
    is_bad: ArrayLike,
    score: ArrayLike,
    shares: Sequence[float],
    *,
    weights: ArrayLike | None = None,
) -> list[AtShare]:
    """Return what each share of cases would find, were they flagged from the worst score down.

    So rules with different lines are compared at the same number of flags. Of cases with the same
    score, where not all can be flagged, each counts in part: what drawing lots would find on
    average.

    Parameters
    ----------
    is_bad
        (n,)
    score
        (n,), or (repeats, n): means over the repeats. Higher: worse expected. A case without a
        score, nan, is left out.
    shares
        Each above 0, at most 1.

    Examples
    --------
    >>> at_share_flagged([True, True, False, False], [4, 2, 2, 0], [0.5])
    [AtShare(share=0.5, threshold=2.0, sensitivity=0.75, ppv=0.75)]
    """
    scores = np.atleast_2d(np.asarray(score, dtype=np.float64))
    bad = np.asarray(is_bad, dtype=np.bool_)
    weight = np.ones(len(bad)) if weights is None else np.asarray(weights, dtype=np.float64)
    wanted = np.asarray(shares, dtype=np.float64)
    told = [~np.isnan(each) for each in scores]
    repeats = [
        _at_shares(bad[rows], each[rows], weight[rows], wanted)
        for each, rows in zip(scores, told, strict=True)
        if rows.any()
    ]
    threshold, sensitivity, ppv = (
        np.mean(repeats, axis=0) if repeats else np.full((3, len(wanted)), nan)
    ).tolist()
    return [
        AtShare(
            share=share, threshold=threshold[place], sensitivity=sensitivity[place], ppv=ppv[place]
        )
        for place, share in enumerate(shares)
    ]


def _at_shares(bad: NDArray[np.bool_], score: Floats, weight: Floats, shares: Floats) -> Floats:
    """Return threshold, sensitivity and predictive value at each share, (3, shares)."""
    values, place = np.unique(-score, return_inverse=True)
    flags = np.bincount(place, weight).cumsum()
    found = np.bincount(place, weight * bad).cumsum()
    enough = shares * flags[-1]
    # A share that ends just where a score does must not reach for the next by rounding.
    last = np.minimum(np.searchsorted(flags, enough * (1.0 - 1e-12)), len(values) - 1)
    reached = np.interp(enough, np.append(0.0, flags), np.append(0.0, found))
    all_bad = np.full(len(shares), found[-1])
    return np.stack((-values[last], ratio(reached, all_bad), ratio(reached, enough)))
