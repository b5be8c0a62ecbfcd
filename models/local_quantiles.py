"""How do residuals lie here, not on average? Means and quantiles at the nodes of a grid.

A grid has nodes along each column (baseline, time ...). Every row counts at the nodes around it,
with the weights of linear interpolation, and what was learned at the nodes is interpolated with the
same weights. Rows outside the grid count at its edge, so nothing is extrapolated.

Two safeguards keep thin nodes quiet: means are shrunk towards zero by `MEAN_PRIOR_ROWS` rows, and
each node's quantiles also hold all other rows, with the weight of `POOLED_ROWS` rows together.

The k-th of n values is the quantile k / (n + 1): then a new value lies below it that often. Rows of
one case resemble each other, so n is the effective number of cases, (sum w)^2 / sum of w_case^2
(Kish 1965, Survey sampling; recalled).
"""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

SHARES: Floats = (np.arange(100) + 0.5) / 100
"""The shares of residuals whose quantiles are kept: chances run from .005 to .995."""
MEAN_PRIOR_ROWS = 2.0
POOLED_ROWS = 10.0
MOST_ROWS = 200_000
"""More rows than this add time and memory but no digit: whole cases are left out evenly."""
TIE = 1e-9
"""Standardised residuals closer than this are equal but for rounding."""
BLOCK_ROWS = 1 << 16
"""Rows worked on at once, so that memory does not grow with the practice."""


@dataclass(frozen=True, kw_only=True)
class Corners:
    """The nodes around each row, and how much each counts; (corners, n) both."""

    index: Indices
    weight: Floats

    def interpolate(self, at_nodes: Floats) -> Floats:
        """Return (n,) what was learned at the nodes (nodes,), between the nodes."""
        return np.asarray((self.weight * at_nodes[self.index]).sum(axis=0))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Nodes along each column, rising.

    Examples
    --------
    >>> grid = Grid(nodes=(np.array([0.0, 10.0]),))
    >>> grid.corners(np.array([2.5, 99.0])).interpolate(np.array([1.0, 3.0]))
    array([1.5, 3. ])
    """

    nodes: tuple[Floats, ...]

    @property
    def size(self) -> int:
        """How many nodes the grid has."""
        return prod(len(along) for along in self.nodes)

    def corners(self, *columns: Floats) -> Corners:
        """Return the nodes around each row of the columns, (n,) each."""
        index = np.zeros((1, len(columns[0])), dtype=np.intp)
        weight = np.ones((1, len(columns[0])))
        for along, values in zip(self.nodes, columns, strict=True):
            last = len(along) - 1
            if last == 0:
                continue
            position = np.interp(values, along, np.arange(last + 1.0))
            below = np.minimum(position.astype(np.intp), last - 1)
            part = position - below
            index = index * (last + 1) + below
            index = np.concatenate([index, index + 1])
            weight = np.concatenate([weight * (1.0 - part), weight * part])
        return Corners(index=index, weight=weight)


def nodes_at_quantiles(values: Floats, count: int) -> Floats:
    """Return up to `count` rising nodes that cut the values into equal parts, at their middles.

    Examples
    --------
    >>> nodes_at_quantiles(np.arange(101.0), 2)
    array([25., 75.])
    >>> nodes_at_quantiles(np.array([4.0, 4.0, 4.0]), 5)
    array([4.])
    """
    nodes: Floats = np.unique(np.quantile(values, (np.arange(count) + 0.5) / count))
    return nodes


def some_cases(codes: Indices) -> NDArray[np.bool_]:
    """Say which rows (n,) to learn from: all, or every second, third ... case of many.

    Parameters
    ----------
    codes
        (n,) the case of each row, 0 to cases - 1.

    Examples
    --------
    Up to 200,000 rows are all learned from; of 600,000, every third case with all its rows.

    >>> some_cases(np.array([0, 0, 1, 2])).tolist()
    [True, True, True, True]
    >>> some_cases(np.repeat(np.arange(300_000), 2))[:8].tolist()
    [True, True, False, False, False, False, True, True]
    """
    step = -(-len(codes) // MOST_ROWS)
    chosen: NDArray[np.bool_] = codes % max(step, 1) == 0
    return chosen


def local_means(corners: Corners, size: int, residual: Floats) -> Floats:
    """Return the mean residual (size,) at each node: least squares, shrunk towards zero.

    Examples
    --------
    >>> grid = Grid(nodes=(np.array([0.0, 10.0]),))
    >>> at = np.tile([0.0, 10.0], 1000)
    >>> means = local_means(grid.corners(at), grid.size, np.where(at == 0.0, 2.0, -1.0))
    >>> bool(1.8 < means[0] <= 2.0) and bool(-1.0 <= means[1] < -0.9)
    True
    """
    gram = np.zeros(size * size)
    right_side = np.zeros(size)
    for one, by in zip(corners.index, corners.weight, strict=True):
        right_side += np.bincount(one, weights=by * residual, minlength=size)
        for other, weight in zip(corners.index, corners.weight, strict=True):
            gram += np.bincount(one * size + other, weights=by * weight, minlength=size * size)
    prior = MEAN_PRIOR_ROWS * np.eye(size)
    return np.asarray(np.linalg.solve(gram.reshape(size, size) + prior, right_side))


def local_quantiles(corners: Corners, size: int, residual: Floats, codes: Indices) -> Floats:
    """Return the quantiles (size, 100) at `SHARES` of the residuals near each node.

    Parameters
    ----------
    codes
        (n,) the case of each row, as whole numbers from 0.

    Examples
    --------
    >>> corners = Grid(nodes=(np.array([0.0]),)).corners(np.zeros(2001))
    >>> residual = np.linspace(-10.0, 10.0, 2001)
    >>> quantiles = local_quantiles(corners, 1, residual, np.arange(2001))
    >>> [round(float(quantiles[0, step]), 1) for step in (0, 50, 99)]
    [-9.9, 0.1, 9.9]
    """
    order = np.argsort(residual, kind="stable")
    ranked, ranked_codes = residual[order], codes[order]
    index, weight = corners.index[:, order], corners.weight[:, order]
    # Sorted by node once: a loop over nodes that looks at all rows would cost nodes x rows.
    by_node = np.argsort(index, axis=None, kind="stable")
    ends = np.searchsorted(index.ravel()[by_node], np.arange(size + 1))
    rows, weights = by_node % len(order), weight.ravel()[by_node]
    found = np.empty((size, len(SHARES)))
    for node in range(size):
        here = slice(ends[node], ends[node + 1])
        counted = np.full(len(order), POOLED_ROWS / len(order))
        np.add.at(counted, rows[here], weights[here])
        total = np.cumsum(counted)
        by_case = np.bincount(ranked_codes, weights=counted)
        effective = total[-1] ** 2 / float(by_case @ by_case)
        middle = (total - 0.5 * counted) / total[-1]
        position = 0.5 + (middle - 0.5) * effective / (effective + 1.0)
        # Five digits are enough, and a stored course is half as long.
        found[node] = np.round(np.interp(SHARES, position, ranked), 5)
    return found


def quantile(corners: Corners, quantiles: Floats, share: float) -> Floats:
    """Return (n,) the quantile of the residual at a share between .005 and .995.

    Parameters
    ----------
    quantiles
        (nodes, 100), from `local_quantiles`.

    Examples
    --------
    >>> corners = Grid(nodes=(np.array([0.0, 10.0]),)).corners(np.array([0.0, 5.0]))
    >>> quantiles = np.stack([np.linspace(-1.0, 1.0, 100), np.linspace(-3.0, 3.0, 100)])
    >>> np.round(quantile(corners, quantiles, 0.995), 2)
    array([1., 2.])
    """
    stored = np.array([np.interp(share, SHARES, at_node) for at_node in quantiles])
    return corners.interpolate(stored)


def share_below(corners: Corners, quantiles: Floats, residual: Floats) -> Floats:
    """Return (n,) the share of residuals below this one, .005 to .995.

    Inverts the quantiles: a binary search in all rows at once, then a straight line. Where several
    shares have this very quantile, as with many equal scores, the middle one is taken.

    Examples
    --------
    >>> corners = Grid(nodes=(np.array([0.0]),)).corners(np.zeros(2))
    >>> quantiles = np.linspace(-1.0, 1.0, 100)[None]
    >>> np.round(share_below(corners, quantiles, np.array([0.0, 5.0])), 3)
    array([0.5  , 0.995])
    """
    last = _last_at_most(corners, quantiles, residual + TIE)
    first = _last_at_most(corners, quantiles, residual - TIE)
    return np.asarray((0.5 * (last + first) + 0.5) / len(SHARES))


def _last_at_most(corners: Corners, quantiles: Floats, residual: Floats) -> Floats:
    """Return (n,) how many steps of `SHARES`, 0 to 99 with parts, lie at or below the residual."""

    def at(step: Indices) -> Floats:
        return np.asarray((corners.weight * quantiles[corners.index, step]).sum(axis=0))

    last = len(SHARES) - 1
    low = np.zeros(len(residual), dtype=np.intp)
    high = np.full(len(residual), last, dtype=np.intp)
    for _ in range(last.bit_length()):
        middle = (low + high + 1) // 2
        fits = at(middle) <= residual
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    left, right = at(low), at(np.minimum(low + 1, last))
    width = np.where(right > left, right - left, np.inf)
    return np.asarray(low + np.clip((residual - left) / width, 0.0, 1.0))
