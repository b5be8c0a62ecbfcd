"""Which rows belong to the same case, when rows come in any order?

The number of a case and the number of its row are put into one 64-bit number and sorted: modern
processors sort such numbers several times as fast as a table of cases is looked up. Ids that are
words, or numbers too far apart, are replaced by a hash, and whether two ids share one is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Places = NDArray[np.int64]
Keys = NDArray[np.uint64]

_BITS = 64


@dataclass(frozen=True, kw_only=True)
class RowsByCase:
    """Rows with those of a case together, in the order in which they came."""

    row: Places
    """Number of each row (rows,)."""
    start: Places
    """Where each case begins in `row` (cases,)."""

    @property
    def first(self) -> Places:
        """First row of each case (cases,)."""
        return self.row[self.start]


def rows_by_case(cases: pl.Series) -> RowsByCase | None:
    """Return the rows by case, or None where that must be found another way.

    Parameters
    ----------
    cases
        The case of each row, whole numbers or words.

    Returns
    -------
    None if an id is missing, if there are no rows, or if two ids share a hash (about once in
    20 files of a million cases).

    Examples
    --------
    >>> rows = rows_by_case(pl.Series([7, 3, 7]))
    >>> rows.row.tolist(), rows.start.tolist(), rows.first.tolist()
    ([1, 0, 2], [0, 1], [1, 0])
    """
    if cases.is_empty() or cases.null_count():
        return None
    bits = len(cases).bit_length()
    keys, are_exact = _keys(cases, _BITS - bits)
    keys <<= np.uint64(bits)
    keys |= np.arange(len(cases), dtype=np.uint64)
    keys.sort()
    row = (keys & np.uint64((1 << bits) - 1)).view(np.int64)
    keys >>= np.uint64(bits)
    is_other = keys[1:] != keys[:-1]
    if not are_exact:
        sorted_cases = cases.gather(row)
        differs = (sorted_cases.slice(1) != sorted_cases.slice(0, len(row) - 1)).to_numpy()
        if (differs & ~is_other).any():
            return None
    start = np.concatenate([[0], np.flatnonzero(is_other) + 1])
    return RowsByCase(row=row, start=start)


def _keys(cases: pl.Series, bits: int) -> tuple[Keys, bool]:
    """Return numbers below 2 ** bits, and whether different cases surely have different ones."""
    if cases.dtype.is_integer():
        low, high = cases.min(), cases.max()
        if isinstance(low, int) and isinstance(high, int) and high - low < 1 << bits:
            # Two's complement: the difference is right even where the numbers are negative.
            return cases.to_numpy().astype(np.uint64) - np.uint64(low % (1 << _BITS)), True
    return cases.hash().to_numpy().copy() >> np.uint64(_BITS - bits), False
