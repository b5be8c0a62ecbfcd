"""Which past cases are held back from a training, so that models can be compared on them?

The newest by the day care ended: they are most like the cases to come. A model in use has learned
from all that had ended by its training, so beside it only cases count that ended since then; until
enough have, there is nothing to compare on (a model that knows the answers wins every comparison).
Without a calendar nobody knows which cases are new, and clients drawn by lot stand in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from models.promotion import FEWEST_CASES, FEWEST_OF_EACH

SHARE = 0.2
"""Share of the cases that is held back, if it holds enough ends of either kind (ours)."""
MOST = 0.5
"""Never more than this share: the candidate must have something to learn from (ours)."""
_STEP = 0.05

How = Literal["since the last training", "newest", "drawn"]

HOW_WORDS: dict[How, str] = {
    "since the last training": "Compared on cases that ended since the model in use was learned.",
    "newest": "Compared on the newest cases: a fifth, or as many as it takes, at most half.",
    "drawn": "Compared on a fifth of the clients, drawn by lot: without a calendar nobody knows "
    "which cases are the newest, nor which the model in use has not seen.",
}


@dataclass(frozen=True, kw_only=True)
class HeldBack:
    """Who is held back, and how they were chosen."""

    case_ids: pl.Series
    client_ids: pl.Series
    how: How
    from_day: int | None
    """Practice day of the first end among them; None without a calendar."""

    def newest(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of those held back."""
        return rows.filter(pl.col("case_id").is_in(self.case_ids.implode()))

    def older(self, ends: pl.DataFrame) -> pl.DataFrame:
        """Return who may be learned from: over before, and of no client who is held back."""
        others = ends.filter(~pl.col("client_id").is_in(self.client_ids.implode()))
        if self.from_day is None:
            return others
        return others.filter(pl.col("ended_on") < self.from_day)


def held_back(
    asked: pl.DataFrame, *, has_calendar: bool, learned_until: int | None = None, seed: int = 1
) -> HeldBack | None:
    """Return which cases are held back; None where too few have ended since `learned_until`.

    Parameters
    ----------
    asked
        One row a case that models can be compared on: `case_id, client_id, ended_on, is_bad`.
    learned_until
        Practice day of the last end the model in use learned from; None: there is no such model.

    Examples
    --------
    >>> asked = pl.DataFrame(
    ...     {
    ...         "case_id": [f"c{day:03}" for day in range(200)],
    ...         "client_id": [f"c{day:03}" for day in range(200)],
    ...         "ended_on": range(200),
    ...         "is_bad": [day % 3 == 0 for day in range(200)],
    ...     }
    ... )
    >>> found = held_back(asked, has_calendar=True)
    >>> found.how, len(found.case_ids), found.case_ids.min()
    ('newest', 50, 'c150')
    >>> held_back(asked, has_calendar=True, learned_until=139).how
    'since the last training'
    >>> held_back(asked, has_calendar=True, learned_until=180) is None
    True
    """
    if not has_calendar:
        return _drawn(asked, seed)
    by_end = asked.sort("ended_on", "case_id", descending=True)
    if learned_until is not None:
        since = by_end.filter(pl.col("ended_on") > learned_until).head(int(MOST * asked.height))
        return _held(since, "since the last training") if _are_enough(since) else None
    newest = by_end.head(0)
    for share in np.arange(SHARE, MOST + _STEP / 2, _STEP):  # a rare end needs more of them
        newest = by_end.head(round(float(share) * asked.height))
        if _are_enough(newest):
            break
    return _held(newest, "newest")


def _are_enough(rows: pl.DataFrame) -> bool:
    bad = int(rows["is_bad"].sum())
    return rows.height >= FEWEST_CASES and min(bad, rows.height - bad) >= FEWEST_OF_EACH


def _drawn(asked: pl.DataFrame, seed: int) -> HeldBack:
    clients = asked["client_id"].unique().sort()
    lot = np.random.default_rng(seed).permutation(len(clients))[: int(SHARE * len(clients))]
    chosen = clients.gather(np.sort(lot))
    rows = asked.filter(pl.col("client_id").is_in(chosen.implode()))
    return HeldBack(case_ids=rows["case_id"], client_ids=chosen, how="drawn", from_day=None)


def _held(rows: pl.DataFrame, how: How) -> HeldBack:
    first = rows["ended_on"].min()
    return HeldBack(
        case_ids=rows["case_id"],
        client_ids=rows["client_id"].unique(),
        how=how,
        from_day=int(first) if isinstance(first, int) else None,
    )
