"""How often does a case that ends badly score worse than one that ends well, in every draw?

The area under the ROC curve is the share of pairs of a bad and a good case in which the bad one
scores higher, ties counted half (Hanley and McNeil 1982, Radiology 143, 29, recalled). Over a draw
of cases it is a sum over pairs, weighted by how often either is drawn:

- with few pairs it is found so, exactly;
- with many, from each case's *placement*: the share of the other kind it is on the right side of
  (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837, recalled). A draw's area is then the
  mean placement of its bad cases plus that of its good ones less the area itself (the projection of
  a U-statistic, Hoeffding 1948, recalled). What is left out has a standard deviation under
  .5 / sqrt(pairs), at `EXACT_PAIRS` a thousandth, where an area's own is above a hundredth unless
  it is near 1: interval ends move by less than 500 draws leave open. The area of the cases
  themselves is exact either way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.resampling import Drawn, ratio

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EXACT_PAIRS = 250_000


def areas(is_bad: Bools, score: Floats, rows: Bools, weights: Floats, drawn: Drawn) -> Floats:
    """Return the areas over the cases and over each draw, (1 + times, k); nan without both kinds.

    Parameters
    ----------
    is_bad
        (n,)
    score
        (repeats, n) higher: worse expected; nan: the rule refused, or was not asked in this fold. A
        pair counts as its mean over the repeats in which both have a score; one that shares none
        (two cases that were never in one fold) does not count.
    rows
        (k, n) Over which cases each of k areas is found.
    weights
        (n,) positive

    Examples
    --------
    >>> from models.resampling import draw_cases
    >>> drawn = draw_cases(np.arange(4), times=0)
    >>> rows = np.array([[True, True, True, True], [True, False, True, True]])
    >>> areas(np.array([True, True, False, False]), np.array([[3.0, 1.0, 1.0, 0.0]]),
    ...       rows, np.ones(4), drawn).tolist()
    [[0.875, 1.0]]
    """
    bad, good = np.flatnonzero(rows.any(0) & is_bad), np.flatnonzero(rows.any(0) & ~is_bad)
    if len(bad) * len(good) <= EXACT_PAIRS:
        won, shared = _won(score[:, bad], score[:, good])
        of_bad, of_good = drawn.counts[:, bad] * weights[bad], drawn.counts[:, good] * weights[good]
        found = np.empty((len(drawn.counts), len(rows)))
        for column, here in zip(found.T, rows, strict=True):
            bad_here, good_here = of_bad * here[bad], of_good * here[good]
            pairs = ((bad_here @ shared) * good_here).sum(1)
            column[:] = ratio(((bad_here @ won) * good_here).sum(1), pairs)
        return found
    of_bad, of_good = weights * (rows & is_bad), weights * (rows & ~is_bad)
    placed = _placements(score, of_bad, of_good)
    columns = np.concatenate((of_bad * placed, of_bad, of_good * placed, of_good)).T
    above, all_bad, below, all_good = np.split(drawn.sums(columns), 4, axis=1)
    by_bad, by_good = ratio(above, all_bad), ratio(below, all_good)
    # Both means are the area, but for cases refused in some of the repeats.
    area: Floats = by_bad + by_good - (by_bad[0] + by_good[0]) / 2.0
    return area


def _won(bad: Floats, good: Floats) -> tuple[Floats, Floats]:
    """Return how often each bad case scores above each good one, and whether a repeat has both."""
    won, both = np.zeros((bad.shape[1], good.shape[1])), np.zeros((bad.shape[1], good.shape[1]))
    for of_bad, of_good in zip(bad, good, strict=True):
        above, below = of_bad[:, None], of_good[None, :]
        won += 0.5 * (above > below) + 0.5 * (above >= below)
        both += ~np.isnan(above) & ~np.isnan(below)
    return won / np.maximum(both, 1.0), (both > 0).astype(np.float64)


def _placements(score: Floats, of_bad: Floats, of_good: Floats) -> Floats:
    """Return each case's weighted share of the other kind on its right side, (k, n), over repeats.

    `of_bad`, `of_good` (k, n): the cases' weights where they are of this kind and count, else 0.
    """
    placed, repeats = np.zeros(of_bad.shape), np.zeros(of_bad.shape)
    for each in score:
        told = np.flatnonzero(~np.isnan(each))
        values, place = np.unique(each[told], return_inverse=True)
        for row in range(len(placed)):
            bad = np.bincount(place, of_bad[row, told], len(values))
            good = np.bincount(place, of_good[row, told], len(values))
            if not bad.any() or not good.any():
                continue
            good_below = (np.cumsum(good) - good / 2.0) / good.sum()
            bad_above = 1.0 - (np.cumsum(bad) - bad / 2.0) / bad.sum()
            is_bad = of_bad[row, told] > 0.0
            placed[row, told] += np.where(is_bad, good_below[place], bad_above[place])
            repeats[row, told] += 1.0
    placed /= np.maximum(repeats, 1.0)
    return placed
