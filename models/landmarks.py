"""At which moments of a case are rules asked, and what was known of the case then?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from models.past_cases import PastCasesError

# A practice that measures at every session: from the first score a rule may speak to the tenth.
USUAL_OCCASIONS = tuple(range(1, 11))
USUAL_DAYS = (14, 28, 42, 56, 84)
_FEWEST_CASES = 20  # a landmark that fewer cases reach is not asked, unless it is named


@dataclass(frozen=True, kw_only=True, order=True)
class Landmark:
    """A moment of a case.

    Parameters
    ----------
    kind
        'occasion': at the score with this number after the baseline. 'day': at the last score up to
        this many days after the baseline.
    """

    kind: Literal["occasion", "day"]
    at: int

    def __post_init__(self) -> None:
        """Refuse moments that no case has."""
        if self.kind not in ("occasion", "day") or self.at < 1:
            message = f"a landmark is an occasion or a day from 1 on, not {self.kind} {self.at}"
            raise PastCasesError(message)

    @classmethod
    def named(cls, text: str) -> Landmark:
        """Read '4' or 'occasion:4' (or _) as an occasion, 'day:28' as a day.

        Raises
        ------
        PastCasesError
            If the text is nothing of this.

        Examples
        --------
        >>> Landmark.named("day:28").name, Landmark.named("4").name
        ('day_28', 'occasion_4')
        """
        kind, _, at = text.strip().replace("_", ":").rpartition(":")
        kind = kind or "occasion"
        if kind not in ("occasion", "day") or not at.isdigit():
            message = (
                f"{text!r} is no landmark: write 4 or occasion:4 for the 4th score after the "
                "baseline, day:28 for the last score up to day 28"
            )
            raise PastCasesError(message)
        return cls(kind="occasion" if kind == "occasion" else "day", at=int(at))

    @property
    def name(self) -> str:
        """The name in results, such as occasion_4."""
        return f"{self.kind}_{self.at}"


def rows_at(known: pl.DataFrame, landmark: Landmark) -> pl.DataFrame:
    """Return the row of each case that stands at the landmark: one row a case, in their order.

    Parameters
    ----------
    known
        One row a case and occasion (`case_id, occasion, days`), in the order of both.

    Examples
    --------
    >>> known = pl.DataFrame({"case_id": ["a", "b"], "occasion": [1.0, 1.0], "days": [9, 40]})
    >>> rows_at(known, Landmark(kind="day", at=28)).rows()
    [('a', 1.0, 9)]
    """
    if landmark.kind == "occasion":
        return known.filter(pl.col("occasion") == landmark.at)
    return known.filter(pl.col("days") <= landmark.at).unique(
        "case_id", keep="last", maintain_order=True
    )


def in_care(landmark: Landmark) -> pl.Expr:
    """Return whether care still went on at the landmark, from `started_on` and `ended_on`.

    A score is there only in care. A day is not: who left before it would be asked about an end that
    lies behind. Where nobody knows when care ended, true.

    Examples
    --------
    >>> cases = pl.DataFrame({"started_on": [100, 100, 100], "ended_on": [120, 130, None]})
    >>> cases.filter(in_care(Landmark(kind="day", at=28)))["ended_on"].to_list()
    [130, None]
    """
    if landmark.kind == "occasion":
        return pl.lit(value=True)
    return (pl.col("ended_on") - pl.col("started_on") >= landmark.at).fill_null(value=True)


def usual_landmarks(known: pl.DataFrame, *, by_day: bool = True) -> tuple[Landmark, ...]:
    """Return the landmarks that enough cases reach: occasions, or days if few scores are far apart.

    Where cases have fewer than five scores after the baseline, occasions are all there is. Where
    they have more but no session is counted, days say more than the number of a score, unless
    `by_day` is false.

    Examples
    --------
    >>> known = pl.DataFrame(
    ...     {
    ...         "case_id": [f"c{case}" for case in range(30) for _ in range(2)],
    ...         "occasion": [1.0, 2.0] * 30,
    ...         "days": [7, 14] * 30,
    ...         "sessions_attended": [2, 3] * 30,
    ...     }
    ... )
    >>> [landmark.name for landmark in usual_landmarks(known)]
    ['occasion_1', 'occasion_2']
    """
    has_sessions = known["sessions_attended"].null_count() < known.height
    many = known.filter(pl.col("occasion") >= 5)["case_id"].n_unique() >= _FEWEST_CASES
    by_day = by_day and many and not has_sessions and not known["days"].null_count()
    offered = (
        [Landmark(kind="day", at=day) for day in USUAL_DAYS]
        if by_day
        else [Landmark(kind="occasion", at=occasion) for occasion in USUAL_OCCASIONS]
    )
    return tuple(
        landmark for landmark in offered if rows_at(known, landmark).height >= _FEWEST_CASES
    )
