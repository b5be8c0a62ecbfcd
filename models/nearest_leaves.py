"""How is a reference cut into leaves and boxes, so that most of it need not be looked at?

A k-d tree (Bentley 1975, unverified) of which only the leaves are kept: halved at the median of
the feature that varies most. Beside each case stand its features in single precision, for the
matrix products of `models.nearest`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Indices = NDArray[np.intp]

SMALLEST = 1e-100
"""A reference that spans less is not scaled up further: its squares may vanish."""
SAMPLED = 1000
"""Rows that decide which feature varies most."""
FAR_AWAY = 1e30
"""Queries farther from the mean than so many times the reference reaches are refused."""


@dataclass(frozen=True, kw_only=True)
class Leaves:
    """The reference, leaf after leaf; a place is a row in this order."""

    start: Indices
    """(leaves + 1,): where each leaf begins, and the end."""
    row: Indices
    """(cases,): the row of the reference at each place."""
    table: Floats
    low: Floats
    high: Floats
    """(leaves, features): the boxes."""
    is_one_point: NDArray[np.bool_]
    centre: Floats
    scale: float
    """A power of two: scaling is exact, and single precision neither overflows nor starves."""
    single: Singles
    """(cases, features + 1): centred and scaled features, and half of their sum of squares."""
    reach: Floats
    """(leaves,): largest scaled distance from the centre."""

    def are_far_away(self, queries: Floats) -> bool:
        """Say whether a query lies where single precision could overflow."""
        return bool(np.abs(queries - self.centre).max(initial=0.0) > FAR_AWAY * self.scale)

    def squares_to_boxes(self, queries: Floats) -> Floats:
        """Return squared distances (leaves, queries) to the boxes, 0 inside."""
        total = np.zeros((len(self.low), len(queries)))
        for feature in range(queries.shape[1]):
            asked = queries[:, feature]
            gap = np.maximum(
                self.low[:, feature, None] - asked, asked - self.high[:, feature, None]
            )
            np.maximum(gap, 0.0, out=gap)
            total += gap * gap
        return total

    def places_of(self, leaf: int, k: int) -> slice:
        """Return the places of a leaf; of equal rows the first k are enough."""
        first, end = int(self.start[leaf]), int(self.start[leaf + 1])
        return slice(first, min(end, first + k) if self.is_one_point[leaf] else end)


def leaves_of(table: Floats, most: int) -> Leaves:
    """Cut a reference (cases, features) into leaves of at most so many cases, or of equal ones.

    Examples
    --------
    >>> cut = leaves_of(np.array([[0.0], [9.0], [1.0], [8.0]]), 2)
    >>> cut.row.tolist(), cut.low.ravel().tolist(), cut.high.ravel().tolist()
    ([0, 2, 1, 3], [0.0, 8.0], [1.0, 9.0])
    """
    leaves = list(_cut(table, np.arange(len(table)), most))
    start = np.concatenate([[0], np.cumsum([len(leaf) for leaf in leaves])])
    row = np.concatenate(leaves)
    ordered = table[row]
    low = np.minimum.reduceat(ordered, start[:-1])
    high = np.maximum.reduceat(ordered, start[:-1])
    centre = table.mean(axis=0)
    centred = ordered - centre
    scale = float(2.0 ** np.ceil(np.log2(max(np.abs(centred).max() or 1.0, SMALLEST))))
    centred /= scale
    half = 0.5 * np.einsum("ij,ij->i", centred, centred)
    return Leaves(
        start=start,
        row=row,
        table=ordered,
        low=low,
        high=high,
        is_one_point=(low == high).all(axis=1),
        centre=centre,
        scale=scale,
        single=np.column_stack([centred, half]).astype(np.float32),
        reach=np.sqrt(2.0 * np.maximum.reduceat(half, start[:-1])),
    )


def _cut(table: Floats, rows: Indices, most: int) -> Iterator[Indices]:
    """Halve at the median of the feature that varies most, until few or equal rows are left."""
    if len(rows) > most:
        varies = table[rows[:: -(-len(rows) // SAMPLED)]].var(axis=0)
        if not varies.any():
            part = table[rows]
            varies = part.max(axis=0) - part.min(axis=0)
        if varies.any():
            middle = len(rows) // 2
            halves = rows[np.argpartition(table[rows, int(varies.argmax())], middle)]
            yield from _cut(table, halves[:middle], most)
            yield from _cut(table, halves[middle:], most)
            return
    yield np.sort(rows)  # in their own order: of equal rows the first k are enough
