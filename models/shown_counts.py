"""Which counts of one moment of a back-test may be shown, and what shares do they give?"""

from __future__ import annotations

from data_contracts.suppression import SuppressionRule
from models.backtest_counts import CountsAtOnce, Name
from models.suppression import rounded, wilson

_STEPS = 20  # shares of counts that are not shown are told in twentieths


Share = tuple[float | None, float | None, float | None]
"""A share with its 95 % interval; null where it is hidden."""


class ShownCounts:
    """The counts of one moment: those that may be shown, rounded."""

    def __init__(self, counts: CountsAtOnce, rule: SuppressionRule) -> None:
        self._counts, self._rule = counts, rule
        self._names = counts.shown(rule)

    def count(self, *name: str) -> int | None:
        """Return a rounded count; None where it is hidden or not there."""
        if name not in self._names:
            return None
        return rounded(self._counts.counts[name], self._rule)

    def are_shown(self, *names: Name) -> bool:
        """Return whether all of these counts are shown."""
        return all(name in self._names for name in names)

    def are_enough(self, *names: Name) -> bool:
        """Return whether each of these counts, shown or not, is of more cases than are hidden."""
        counts = self._counts.counts
        return all(counts.get(name, 0) > self._rule.hide_up_to for name in names)

    def share(self, part: Name, whole: Name) -> Share:
        """Return a share of two shown counts with its 95 % interval."""
        return _share(self.count(*part), self.count(*whole))

    def share_of(self, part: float, whole: float) -> Share:
        """Return a share of counts that stand alone; hidden where it, or the rest, is small.

        What is left to the whole of all groups is blurred by the rounding of both.
        """
        sides = (round(part), round(whole) - round(part))
        if any(0 < side <= self._rule.hide_up_to for side in sides):
            return None, None, None
        return _share(rounded(round(part), self._rule), rounded(round(whole), self._rule))


def _share(numerator: int | None, denominator: int | None) -> Share:
    if numerator is None or not denominator:
        return None, None, None
    numerator = min(numerator, denominator)  # both are rounded
    return numerator / denominator, *wilson(numerator, denominator)


def in_steps(share: object) -> float | None:
    """Return a share of counts that are not shown, as far as it may be told: in twentieths.

    >>> in_steps(0.33), in_steps(None)
    (0.35, None)
    """
    return round(share * _STEPS) / _STEPS if isinstance(share, int | float) else None


def told(value: object, decimals: int) -> float | None:
    """Return a number to so many decimals; None where there is none.

    >>> told(0.7349, 2), told(None, 2)
    (0.73, None)
    """
    return round(float(value), decimals) if isinstance(value, int | float) else None
