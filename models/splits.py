"""From which cases may a rule learn before it is asked about which others?

With a calendar: practice time is cut into blocks; a rule that is asked in a block has learned from
cases that were over before the block began, and from nothing else. Without one: repeated grouped
cross-validation. In both, all cases of one client are on one side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.past_cases import PastCasesError

Truths = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Kind = Literal["calendar", "cross_validation"]

BLOCK_DAYS = 91
"""A quarter. Blocks lie on multiples of it, so a new case never moves an old block."""
FEWEST_TO_LEARN_FROM = 30
"""Blocks with fewer cases over before them are not asked at all: nobody could have learned."""
MOST_TO_LEARN_FROM = 20_000
"""More cases teach nothing new and cost as much: with a calendar the latest are taken, else as many
evenly among them."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One fit: who is learned from, and of whom is asked."""

    repeat: int
    number: int
    learns_from: Truths
    """(cases,)"""
    asks: Truths
    """(cases,): cases that may be asked about."""
    from_day: int | None = None
    """First and last practice day on which they are asked; None without a calendar."""
    to_day: int | None = None


def cross_validation(
    client: pl.Series, is_bad: Numbers, *, repeats: int, folds: int, seed: int
) -> Iterator[Part]:
    """Cut the clients at random into folds, again and again; every case is asked once a repeat.

    Bad ends, good and unknown ones are dealt out alike: a fold with more bad ends by chance would
    leave fewer to learn from, and the rule would look worse than it is (Parker and others 2007,
    unverified).

    Parameters
    ----------
    client
        (cases,) the client of each case.
    is_bad
        (cases,) 1 bad, 0 good, nan unknown; nothing but the dealing looks at it.

    Raises
    ------
    PastCasesError
        If there are fewer clients than folds.

    Examples
    --------
    >>> client, is_bad = pl.Series(["a", "b", "b", "c"]), np.array([1.0, 0.0, 0.0, np.nan])
    >>> parts = list(cross_validation(client, is_bad, repeats=1, folds=3, seed=1))
    >>> len(parts), sum(part.asks.astype(int) for part in parts).tolist()
    (3, [1, 1, 1, 1])
    """
    if folds < 2 or repeats < 1:
        message = f"cross-validation needs 2 folds and 1 repeat at least, not {folds} and {repeats}"
        raise PastCasesError(message)
    code = client.rank("dense").cast(pl.Int64).to_numpy() - 1
    clients = int(code.max()) + 1 if len(code) else 0
    if clients < folds:
        message = f"{clients} clients cannot be cut into {folds} folds"
        raise PastCasesError(message)
    kind = np.full(clients, -1.0)
    np.maximum.at(kind, code, np.nan_to_num(is_bad, nan=-1.0))
    for repeat in range(repeats):
        random = np.random.default_rng([seed, repeat])
        order = random.permutation(clients)
        dealt = np.empty(clients, dtype=np.int64)
        # One round through all, kind after kind: folds differ by one client at most in each kind.
        dealt[order[np.argsort(kind[order], kind="stable")]] = np.arange(clients) % folds
        fold = dealt[code]
        for number in range(folds):
            asks = fold == number
            every = -(-int((~asks).sum()) // MOST_TO_LEARN_FROM) or 1
            learns_from = np.zeros(len(code), dtype=bool)
            learns_from[np.flatnonzero(~asks)[::every]] = True
            yield Part(repeat=repeat, number=number, learns_from=learns_from, asks=asks)


def calendar(
    client: pl.Series, over_on: Numbers, first_asked: Numbers, last_asked: Numbers
) -> Iterator[Part]:
    """Cut practice time into blocks; a block learns from cases that were over before it began.

    Parameters
    ----------
    client
        (cases,) the client of each case.
    over_on
        (cases,) last practice day on which anything of the case happened; nan while it goes on.
    first_asked, last_asked
        (cases,) first and last practice day on which a rule is asked about it; nan if never.

    Examples
    --------
    >>> over_on = np.append(np.full(40, 50.0), np.nan)
    >>> asked = np.append(np.full(40, 20.0), 100.0)
    >>> parts = list(calendar(pl.Series(range(41)), over_on, asked, asked))
    >>> [(part.from_day, part.learns_from.sum().item(), part.asks.sum().item()) for part in parts]
    [(91, 40, 1)]
    """
    if np.isnan(last_asked).all():
        return
    code = client.rank("dense").cast(pl.Int64).to_numpy() - 1
    first = int(np.nanmin(first_asked) // BLOCK_DAYS)
    last = int(np.nanmax(last_asked) // BLOCK_DAYS)
    for number in range(first, last + 1):
        begins, ends = number * BLOCK_DAYS, (number + 1) * BLOCK_DAYS - 1
        asks = (first_asked <= ends) & (last_asked >= begins)
        is_asked_client = np.zeros(int(code.max()) + 1, dtype=bool)
        # Whoever was not over by then is out of it for good: not only if asked again, which nobody
        # could know yet.
        is_asked_client[code[asks | ((first_asked <= ends) & ~(over_on < begins))]] = True
        learns_from = _latest((over_on < begins) & ~is_asked_client[code], over_on)
        if asks.any() and int(learns_from.sum()) >= FEWEST_TO_LEARN_FROM:
            yield Part(
                repeat=0,
                number=number,
                learns_from=learns_from,
                asks=asks,
                from_day=begins,
                to_day=ends,
            )


def _latest(learns_from: Truths, over_on: Numbers) -> Truths:
    """Return those that were over last, so many as teach something."""
    cases = np.flatnonzero(learns_from)
    if len(cases) <= MOST_TO_LEARN_FROM:
        return learns_from
    kept = np.zeros(len(learns_from), dtype=bool)
    kept[cases[np.argsort(over_on[cases], kind="stable")[-MOST_TO_LEARN_FROM:]]] = True
    return kept
