"""How far could a number over these cases have been another, had other cases come?

The bootstrap by case (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and
13, recalled): cases are drawn with replacement, as many as there are, and what is counted over them
is counted again; the interval is the middle 95 % of the answers. What hangs together (the cases of
one client, of one therapist) is drawn together. All rules are counted over the same draws, so that
their differences have intervals too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
DEFINED = 0.9
"""Share of the draws that must have a number (some bad case, some flag), else no interval."""
_BLOCK = 128
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number and where the middle 95 % of its draws lie; nan where there is none."""

    value: float
    low: float = nan
    high: float = nan


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """How often each case is in each draw."""

    counts: NDArray[np.uint8] = field(repr=False)
    """(1 + times, n). The first row is the cases themselves, each once."""
    groups: NDArray[np.intp] = field(repr=False)
    """(n,) What each case is drawn together with, from 0."""

    def sums(self, columns: Floats) -> Floats:
        """Return the sums of columns (n, k) over each draw, (1 + times, k)."""
        total = np.zeros((len(self.counts), columns.shape[1]))
        # In blocks of cases: the counts are a byte each, as floats they would fill the memory; so
        # small that a block stays in the processor's cache.
        for start in range(0, len(columns), _BLOCK):
            block = slice(start, start + _BLOCK)
            total += self.counts[:, block].astype(np.float64) @ columns[block]
        return total

    def only(self, rows: NDArray[np.bool_]) -> Drawn:
        """Return the same draws of the cases in these rows (n,) alone."""
        if rows.all():
            return self
        return Drawn(counts=self.counts[:, rows], groups=self.groups[rows])

    @property
    def once(self) -> Drawn:
        """The cases themselves without any draw: numbers without intervals."""
        return Drawn(counts=self.counts[:1], groups=self.groups)

    def apart(self, rows: NDArray[np.bool_]) -> int:
        """Return how many independent groups the cases in these rows (n,) belong to."""
        return len(np.unique(self.groups[rows]))


def draw_cases(groups: ArrayLike, *, times: int = 500, seed: int = 1) -> Drawn:
    """Draw cases with replacement, those of one group together.

    Parameters
    ----------
    groups
        (n,) One code a case: whose cases are drawn together. The client's, or the therapist's for
        intervals that allow for therapists who differ; `np.arange(n)` if each case stands alone.
    times
        Draws. 0: numbers without intervals.

    Examples
    --------
    >>> drawn = draw_cases(["ann", "ann", "ben"], times=3, seed=1)
    >>> drawn.counts.tolist()
    [[1, 1, 1], [1, 1, 1], [0, 0, 2], [2, 2, 0]]
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    random = np.random.default_rng(seed)
    counts = np.ones((1 + times, len(codes)), dtype=np.uint8)
    stands_alone = len(names) == len(codes)
    for row in counts[1:] if len(codes) else ():
        chosen = np.bincount(
            random.integers(len(names), size=len(names), dtype=np.int32), minlength=len(names)
        )
        # A byte is enough: more than 255 draws of one in as many as there are do not happen.
        row[:] = chosen if stands_alone else chosen[codes]
    return Drawn(counts=counts, groups=codes)


def middle(numbers: Floats, *, apart: int | None = None) -> Interval:
    """Return the number of the cases themselves with the middle 95 % of the draws'.

    Parameters
    ----------
    numbers
        (1 + times,) The first is that of the cases themselves; nan where a draw has none, infinite
        where it is beyond all bounds. An end that is not finite is nan.
    apart
        For shares: over how many independent cases. All of 5 is no proof of all: every draw of them
        says 1, so at 0 and 1 the inner end is the exact one, .025 ** (1 / apart) from there
        (Clopper and Pearson 1934, Biometrika 26, 404, recalled).

    Examples
    --------
    >>> middle(np.array([0.5, 0.25, 0.5, 0.75]))
    Interval(value=0.5, low=0.25, high=0.75)
    >>> middle(np.array([0.5, 0.25, np.nan, np.nan]))
    Interval(value=0.5, low=nan, high=nan)
    >>> round(middle(np.array([1.0, 1.0, 1.0]), apart=5).low, 3)
    0.478
    """
    value = float(numbers[0])
    drawn = numbers[1:][~np.isnan(numbers[1:])]
    if not isfinite(value) or not len(drawn) or len(drawn) < DEFINED * (len(numbers) - 1):
        return Interval(value=value if isfinite(value) else nan)
    tail = (1.0 - LEVEL) / 2.0
    # Whole ranks: between a number and an infinite one there is nothing to interpolate.
    low = float(np.quantile(drawn, tail, method="lower"))
    high = float(np.quantile(drawn, 1.0 - tail, method="higher"))
    if apart and min(abs(value), abs(1.0 - value)) < _ROUNDING:
        inner = tail ** (1.0 / apart)
        low, high = (inner, 1.0) if value > 0.5 else (0.0, 1.0 - inner)
    return Interval(
        value=value, low=low if isfinite(low) else nan, high=high if isfinite(high) else nan
    )


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, nan where the whole is nothing.

    Examples
    --------
    >>> ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    answer: Floats = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=answer, where=whole > 0)
    return answer


def by_name(metrics: Mapping[str, Interval]) -> dict[str, float | None]:
    """Return each number with its two ends by name, name_low and name_high; None for nan.

    Examples
    --------
    >>> by_name({"auc": Interval(value=0.75, low=0.5)})
    {'auc': 0.75, 'auc_low': 0.5, 'auc_high': None}
    """
    return {
        f"{name}{end}": told(number)
        for name, each in metrics.items()
        for end, number in (("", each.value), ("_low", each.low), ("_high", each.high))
    }


def told(number: float) -> float | None:
    """Return the number, None for nan: what a JSON file or a table can hold.

    Examples
    --------
    >>> told(0.5), told(float("nan"))
    (0.5, None)
    """
    return None if isnan(number) else number
