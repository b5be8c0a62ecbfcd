"""Do two rules flag the same cases?

Kappa is agreement beyond what two rules with these shares of flags would reach by chance, as a part
of what was left to reach (Cohen 1960, Educational and Psychological Measurement 20, 37, recalled).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import nan

import numpy as np

from models.discrimination import Judged
from models.resampling import told


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How many cases both rules flagged, one alone, and neither; over cases both have judged.

    With repeated cross-validation means over the repeats, so not whole.
    """

    n: int
    both: float
    first_only: float
    second_only: float
    neither: float
    kappa: float
    """-1 to 1; nan where chance alone makes them agree on all (both flag everyone, or nobody)."""

    def flat(self) -> dict[str, float | None]:
        """Return the counts and kappa by name; None where there is none."""
        names = ("n", "both", "first_only", "second_only", "neither", "kappa")
        return {name: told(getattr(self, name)) for name in names}


def agreement(judged: Mapping[str, Judged]) -> dict[tuple[str, str], Agreement]:
    """Return the agreement of every two rules, in the order in which the rules are given.

    Rules without flags are left out. A rule asked once agrees with each repeat of another.

    Examples
    --------
    >>> first = Judged(score=[3, 2, 1, 0], is_flagged=[True, True, False, False])
    >>> second = Judged(score=[3, 2, 1, 0], is_flagged=[True, False, False, False])
    >>> agreement({"first": first, "second": second})["first", "second"].kappa
    0.5
    """
    flagging = {name: rule for name, rule in judged.items() if rule.is_flagged is not None}
    return {
        (name, other): _agreement(flagging[name], flagging[other])
        for name, other in combinations(flagging, 2)
    }


def _agreement(rule: Judged, other: Judged) -> Agreement:
    rows = rule.is_judged() & other.is_judged()
    flags, other_flags = np.broadcast_arrays(rule.flags(), other.flags())
    told_by_both = rows & ~np.isnan(flags) & ~np.isnan(other_flags)
    flags, other_flags = flags == 1.0, other_flags == 1.0
    # Each case counts once, by the repeats in which both have judged it.
    part = told_by_both / np.maximum(told_by_both.sum(0), 1)
    both = float(part[flags & other_flags].sum())
    first_only = float(part[flags & ~other_flags].sum())
    second_only = float(part[~flags & other_flags].sum())
    neither = float(part[~flags & ~other_flags].sum())
    return Agreement(
        n=int(told_by_both.any(axis=0).sum()),
        both=both,
        first_only=first_only,
        second_only=second_only,
        neither=neither,
        kappa=_kappa(both, first_only, second_only, neither),
    )


def _kappa(both: float, first_only: float, second_only: float, neither: float) -> float:
    n = both + first_only + second_only + neither
    first, second = both + first_only, both + second_only
    by_chance = first * second + (n - first) * (n - second)
    left = n * n - by_chance
    return (n * (both + neither) - by_chance) / left if left > 1e-9 * n * n else nan
