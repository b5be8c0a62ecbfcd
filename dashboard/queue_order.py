"""What fits into the hour, and in which order? One order for the screen and the printed agenda.

First the flagged cases that fit, in the order of need of the night (safety items lead); one whose
follow-up is due keeps its place by need and says so. Then, as short look-backs, the follow-ups that
are due without a flag. What does not fit waits, in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.review_state import ReviewState

MINUTES_A_CASE = 12  # chosen: an hour for five cases; supervision as usual has about 2.5 a case

Row = Mapping[str, Any]
LookBack = tuple[Row, ReviewState]


@dataclass(frozen=True, kw_only=True)
class Hour:
    """What is talked about in the time there is.

    Parameters
    ----------
    cases, waiting
        Flagged cases that fit and that do not, worst need first.
    watched
        Cases of the queue without a flag whose follow-up is due; short look-backs.
    look_backs
        The same outside the queue.
    """

    cases: Sequence[Row]
    watched: Sequence[Row]
    look_backs: Sequence[LookBack]
    waiting: Sequence[Row]

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The order in which the hour goes through them."""
        rows = [*self.cases, *self.watched, *(case for case, _ in self.look_backs)]
        return tuple(row["case_id"] for row in rows)


def hour_of(rows: Sequence[Row], look_backs: Sequence[LookBack], minutes: int) -> Hour:
    """Return the hour; `rows` are those to talk about, worst need first."""
    fitting = max(1, minutes // MINUTES_A_CASE)
    flagged = [row for row in rows if row["is_flagged"]]
    return Hour(
        cases=flagged[:fitting],
        watched=[row for row in rows if not row["is_flagged"]],
        look_backs=look_backs,
        waiting=flagged[fitting:],
    )


ORDER_IN_WORDS = (
    "A case whose follow-up is due keeps its place by need and says so. Follow-ups that are due "
    "without a flag come after the cases that fit, as short look-backs."
)
