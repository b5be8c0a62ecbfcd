"""Which hidden counts would the shown ones give away, and which others must be hidden for them?

Counts of people are tied to each other: a total is the sum of its parts, months make up quarters,
sites the practice. A reader knows a shown count to within its rounding, and of a hidden one that it
is small. What that leaves possible for every other count is a linear programme. So counts are
hidden, one after the other, until at least `VALUES_LEFT` whole numbers (four where only counts up
to 4 are hidden) are left possible for every small count, hidden or only implied: it is then known
no better than a count rounded to 5.

Sources: audit of suppression by linear programmes as in Fischetti and Salazar (2001), Management
Science 47, 1008; Hundepool and others, Statistical Disclosure Control (2012), chapter 4 (M, both
recalled). What is left possible is proved by an example each: a table that fits all that is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Name = TypeVar("Name", bound=Hashable)
Floats = NDArray[np.float64]
Places = NDArray[np.intp]

VALUES_LEFT = 5
# Counts near the one asked about, of which the reader's table may differ; the others stay as they
# are, which can only make a count look better known than it is.
_NEAR = 160
_SWEEPS = 6
_ALMOST = 1e-6


def showable(
    counts: Mapping[Name, int],
    worth: Mapping[Name, int],
    sums: Sequence[tuple[Name, Sequence[Name]]],
    *,
    hide_up_to: int,
    round_to: int = 1,
    people: Mapping[Name, int] | None = None,
    known: Collection[Name] = (),
    shows_nobody: bool = False,
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
        Counts of people from 1 to this are hidden, and must not be had back from others; nobody is
        hidden to protect a 0.
    round_to
        What shown counts are rounded to; 1 if a reader knows them exactly.
    people
        For how many people a count stands, where it counts something else (sessions).
    known
        Counts that are known from elsewhere, exactly, whether they are shown or not.
    shows_nobody
        Whether a 0 may be shown. Below a hidden total it never is.

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

    Rounded to 5 they are blurred enough: 40 less 35, each give or take 2, is 1 to 9.

    >>> found = showable(people, worth, [("all", ["stayed", "left"])], hide_up_to=4, round_to=5)
    >>> sorted(found)
    ['all', 'stayed']
    """
    return set(
        _worked_out(
            tuple(counts.items()),
            tuple(worth.items()),
            tuple((total, tuple(parts)) for total, parts in sums),
            hide_up_to,
            round_to,
            tuple((people or {}).items()),
            frozenset(known),
            shows_nobody,
        )
    )


# A night that brings nothing new for a table asks the same again, as do a card and the evidence of
# one back-test; working it out takes a second or more.
@lru_cache(maxsize=512)
def _worked_out(
    counts_in_order: tuple[tuple[Name, int], ...],
    worth_in_order: tuple[tuple[Name, int], ...],
    sums: tuple[tuple[Name, tuple[Name, ...]], ...],
    hide_up_to: int,
    round_to: int,
    people: tuple[tuple[Name, int], ...],
    known: frozenset[Name],
    shows_nobody: bool,
) -> frozenset[Name]:
    counts, worth, told_people = dict(counts_in_order), dict(worth_in_order), dict(people)
    for total, parts in sums:
        if counts[total] != sum(counts[part] for part in parts):
            message = f"{total} is not the sum of {', '.join(map(str, parts))}"
            raise ValueError(message)
    people_behind = {name: told_people.get(name, count) for name, count in counts.items()}
    shown = {
        name
        for name in worth
        if people_behind[name] > hide_up_to or (shows_nobody and counts[name] == 0)
    }
    telling: set[Name] = _nobody_below_hidden(counts, worth, sums, shown)
    shown -= telling
    reader = _Reader(counts, people_behind, worth, sums, hide_up_to, round_to, known)
    small = [
        name
        for name, count in people_behind.items()
        if 0 < count <= hide_up_to and name not in known
    ]
    # Hiding what is known from elsewhere would hide nothing.
    while (open_ones := shown.difference(known)) and (
        given_away := reader.gives_away(small, shown)
    ):
        mended: set[int] = set()
        for exposed, limiting in given_away.items():
            limiting &= open_ones
            near = reader.sums_of(exposed)
            if not open_ones or mended & near:
                continue  # perhaps it is protected now: look again first
            candidates = limiting or reader.around(exposed) & open_ones or open_ones
            hidden = min(
                candidates, key=lambda name: (worth[name], counts[name], reader.order[name])
            )
            shown.remove(hidden)
            open_ones.remove(hidden)
            mended.update(reader.sums_of(hidden))
        telling = _nobody_below_hidden(counts, worth, sums, shown)
        shown -= telling
    return frozenset(shown)


def _nobody_below_hidden(
    counts: Mapping[Name, int],
    worth: Mapping[Name, int],
    sums: Sequence[tuple[Name, Sequence[Name]]],
    shown: set[Name],
) -> set[Name]:
    """Return the zeros among the parts of a hidden total: shown, they say where its people are.

    Not those of a shown 0: everybody knows them.
    """
    telling: set[Name] = set()
    while True:  # a 0 that is hidden may itself be the total of others
        left = shown - telling
        known = {
            part for total, parts in sums if total in left and counts[total] == 0 for part in parts
        }
        found = {
            part
            for total, parts in sums
            if total in worth and total not in left
            for part in parts
            if counts[part] == 0
        }
        more = (found & left) - known
        if not more:
            return telling
        telling |= more


class _Reader(Generic[Name]):
    """Somebody who knows every tie, every shown count to its rounding, and that hidden is small."""

    def __init__(
        self,
        counts: Mapping[Name, int],
        people_behind: Mapping[Name, int],
        worth: Mapping[Name, int],
        sums: Sequence[tuple[Name, Sequence[Name]]],
        hide_up_to: int,
        round_to: int,
        known: Collection[Name],
    ) -> None:
        from scipy.sparse import csr_array  # slow to import: only where counts are checked

        self.names = list(counts)
        self.order = {name: place for place, name in enumerate(self.names)}
        self.count = np.array([counts[name] for name in self.names], dtype=np.float64)
        self._people = np.array([people_behind[name] for name in self.names], dtype=np.float64)
        self._is_meant = np.array([name in worth for name in self.names])
        self._is_known = np.array([name in known for name in self.names])
        self._hide_up_to, self._round_to = hide_up_to, round_to
        self._steps_needed = min(VALUES_LEFT, hide_up_to) - 1
        self._safe: set[Name] = set()  # hiding more leaves more possible: once safe, always safe
        entries = [
            (row, self.order[name], sign)
            for row, (total, parts) in enumerate(sums)
            for name, sign in ((total, -1.0), *((part, 1.0) for part in parts))
        ]
        rows, columns, signs = (
            (np.array(each) for each in zip(*entries, strict=True))
            if (entries)
            else (np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0))
        )
        self._ties: csr_array = csr_array(
            (signs, (rows, columns)), shape=(len(sums), len(self.names))
        )
        self._by_name = self._ties.tocsc()

    def sums_of(self, name: Name) -> set[int]:
        """Return the places of the sums a count takes part in."""
        place = self.order[name]
        found = self._by_name.indices[self._by_name.indptr[place] : self._by_name.indptr[place + 1]]
        return set(found.tolist())

    def around(self, name: Name) -> set[Name]:
        """Return the counts nearest to one, by the sums they share."""
        return {self.names[place] for place in self._near(self.order[name])}

    def gives_away(self, pending: Sequence[Name], shown: set[Name]) -> dict[Name, set[Name]]:
        """Return the pending counts left too few values, each with the shown ones that limit it."""
        pending = [name for name in pending if name not in self._safe]
        asked = np.array([self.order[name] for name in pending], dtype=np.intp)
        least, most = self._bounds(shown)
        low, high = np.zeros(len(self.names)), np.zeros(len(self.names))
        everything = np.arange(len(self.names))
        limiting: dict[Name, set[Name]] = {name: set() for name in pending}

        def look(wish: Floats, columns: Places) -> Places:
            moved, limits = self._moved(wish, columns, least, most)
            np.minimum(low, moved, out=low)
            np.maximum(high, moved, out=high)
            return limits

        def is_open(places: Places) -> NDArray[np.bool_]:
            return np.asarray(high[places] - low[places] > self._steps_needed - _ALMOST)

        signs = np.random.default_rng(0)
        for sweep in range(_SWEEPS):
            still = asked[~is_open(asked)]
            if len(still) <= _SWEEPS:
                break
            wish = np.zeros(len(self.names))
            wish[still] = (-1.0) ** sweep if sweep < 2 else signs.choice((-1.0, 1.0), len(still))
            look(wish, everything)
        for name, place in zip(pending, asked, strict=True):
            for columns in (self._near(place), everything):
                if limiting[name] or is_open(asked[asked == place])[0]:
                    break
                for sign in (1.0, -1.0):
                    wish = np.zeros(len(self.names))
                    wish[place] = sign
                    limiting[name] |= {self.names[limit] for limit in look(wish, columns)} & shown
        is_safe = is_open(asked)
        self._safe.update(name for name, so in zip(pending, is_safe, strict=True) if so)
        return {name: limiting[name] for name in pending if name not in self._safe}

    def _bounds(self, shown: set[Name]) -> tuple[Floats, Floats]:
        """Return by how much the reader's idea of each count may lie below and above it."""
        is_shown = np.array([name in shown for name in self.names])
        counts_people = self._people == self.count
        rounded = self._round_to * np.floor(self.count / self._round_to + 0.5)
        half = (self._round_to - 1) // 2
        least = np.maximum(rounded - half, np.where(counts_people, self._hide_up_to + 1, 1))
        least, most = least - self.count, rounded + half - self.count
        is_small = counts_people & self._is_meant & (self.count <= self._hide_up_to)
        least = np.where(is_shown, least, -self.count)
        # What may be any number is bounded too, so that the programme stays small.
        most = np.where(
            is_shown, most, np.where(is_small, self._hide_up_to - self.count, 2.0 * VALUES_LEFT)
        )
        fixed = self._is_known | (is_shown & (self.count == 0))
        return np.where(fixed, 0.0, least), np.where(fixed, 0.0, most)

    def _near(self, place: int) -> Places:
        found = {place}
        edge = [place]
        while edge and len(found) < _NEAR:
            ties = {
                tie
                for each in edge
                for tie in self._by_name.indices[
                    self._by_name.indptr[each] : self._by_name.indptr[each + 1]
                ].tolist()
            }
            beside = {
                each
                for tie in sorted(ties)
                for each in self._ties.indices[
                    self._ties.indptr[tie] : self._ties.indptr[tie + 1]
                ].tolist()
            }
            edge = sorted(beside - found)
            found.update(edge)
        return np.array(sorted(found), dtype=np.intp)

    def _moved(
        self, wish: Floats, columns: Places, least: Floats, most: Floats
    ) -> tuple[Floats, Places]:
        """Return how far another table that fits may lie from the true one, towards the wish.

        And which counts keep it from lying farther.
        """
        from scipy.optimize import linprog  # 0.4 s to import

        moved = np.zeros(len(self.names))
        ties = self._ties[:, columns]
        ties = ties[np.diff(ties.indptr) > 0]
        found = linprog(
            -wish[columns],
            A_eq=ties if ties.shape[0] else None,
            b_eq=np.zeros(ties.shape[0]) if ties.shape[0] else None,
            bounds=np.column_stack((least[columns], most[columns])),
            method="highs",
        )
        if found.x is None:
            return moved, columns[:0]
        moved[columns] = found.x
        is_limit = np.abs(found.lower.marginals) + np.abs(found.upper.marginals) > _ALMOST
        return moved, columns[is_limit]
