"""Which hidden counts would the shown ones give away, by adding and subtracting?

Counts of people are tied to each other: a total is the sum of its parts, all quarters make up the
whole. With every shown count known, the ties are linear equations in those not shown; a count is
given away where they have only one solution for it. So counts are hidden, one after the other,
until no small count is given away.

Sources: primary and secondary suppression as in Hundepool and others, Statistical Disclosure
Control (2012), chapter 4 (M, recalled); the exact check for one solution is plain linear algebra.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Name = TypeVar("Name", bound=Hashable)

_ZERO = 1e-9


def showable(
    counts: Mapping[Name, int],
    worth: Mapping[Name, int],
    sums: Sequence[tuple[Name, Sequence[Name]]],
    *,
    hide_up_to: int,
) -> set[Name]:
    """Return which of the counts meant for publication may be shown.

    Parameters
    ----------
    counts
        Every count that a reader could work out, by name, whether it is to be published or not.
    worth
        The counts to be published, and how much each is worth: where one must be hidden to protect
        another, the one worth least goes first, of equals the smallest.
    sums
        Each total with its parts, by name.
    hide_up_to
        Counts from 0 to this are hidden. Those from 1 on must not be had back from others; nobody
        is hidden to protect a 0.

    Raises
    ------
    ValueError
        If a total is not the sum of its parts.

    Examples
    --------
    Of 40 people 3 left; who stayed is hidden too, else 40 less 37 gives them away.

    >>> people = {"all": 40, "stayed": 37, "left": 3}
    >>> worth = {"all": 2, "stayed": 1, "left": 1}
    >>> showable(people, worth, [("all", ["stayed", "left"])], hide_up_to=4)
    {'all'}
    """
    for total, parts in sums:
        if counts[total] != sum(counts[part] for part in parts):
            message = f"{total} is not the sum of {', '.join(map(str, parts))}"
            raise ValueError(message)
    shown = {name for name in worth if counts[name] > hide_up_to}
    small = {name for name, count in counts.items() if 0 < count <= hide_up_to}
    order = {name: place for place, name in enumerate(counts)}
    sums_of: dict[Name, list[int]] = {name: [] for name in counts}
    for place, (total, parts) in enumerate(sums):
        for name in (total, *parts):
            sums_of[name].append(place)
    while given_away := _with_one_solution(counts, shown, sums) & small:
        mended: set[int] = set()
        for exposed in sorted(given_away, key=lambda name: order[name]):
            if not shown or mended & set(sums_of[exposed]):
                continue  # perhaps it is protected now: look again first
            beside = {name for place in sums_of[exposed] for name in _members(sums[place])}
            candidates = (beside & shown) or shown
            hidden = min(candidates, key=lambda name: (worth[name], counts[name], order[name]))
            shown.remove(hidden)
            mended.update(sums_of[hidden])
    return shown


def _members(a_sum: tuple[Name, Sequence[Name]]) -> tuple[Name, ...]:
    total, parts = a_sum
    return (total, *parts)


def _with_one_solution(
    counts: Mapping[Name, int], shown: set[Name], sums: Sequence[tuple[Name, Sequence[Name]]]
) -> set[Name]:
    """Return the counts not shown that the shown ones and the sums determine."""
    unknown = [name for name in counts if name not in shown]
    column = {name: place for place, name in enumerate(unknown)}
    equations = np.zeros((len(sums), len(unknown)))
    for row, (total, parts) in enumerate(sums):
        for name, sign in ((total, -1.0), *((part, 1.0) for part in parts)):
            if name in column:
                equations[row, column[name]] += sign
    free = _directions_left_open(equations)
    determined = np.abs(free).max(axis=0, initial=0.0) < _ZERO
    return {name for name, is_determined in zip(unknown, determined, strict=True) if is_determined}


def _directions_left_open(equations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the directions (k, n) in which a solution of the equations (m, n) can be moved."""
    if not equations.shape[1]:
        return np.zeros((0, 0))
    _, sizes, rows = np.linalg.svd(equations)
    rank = int((sizes > _ZERO * max(1.0, sizes.max(initial=0.0))).sum())
    return np.asarray(rows[rank:])
