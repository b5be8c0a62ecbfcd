"""What fits into the hour, and in which order? One order for the screen and the printed agenda.

First the cases that come up and fit, in the order of need of the night (safety items lead); one
whose follow-up is due keeps its place by need and says so. Then, as short look-backs, the
follow-ups that are due of cases that do not come up. What does not fit waits, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
        Cases that come up, those that fit and those that do not, worst need first.
    watched
        Cases of the queue that do not come up and whose follow-up is due; short look-backs.
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


def is_flagged(row: Row) -> bool:
    """Return whether a row of the queue has a flag; those come up where no line is drawn."""
    return bool(row["is_flagged"])


def hour_of(
    rows: Sequence[Row],
    look_backs: Sequence[LookBack],
    minutes: int,
    takes: Callable[[Row], bool] = is_flagged,
) -> Hour:
    """Return the hour; `rows` are those to talk about, worst need first.

    `takes` says whether a line of cases a week takes a row up; a flagged one among `rows` comes up
    anyway (its follow-up is due).
    """
    fitting = max(1, minutes // MINUTES_A_CASE)
    up = [row for row in rows if row["is_flagged"] or takes(row)]
    return Hour(
        cases=up[:fitting],
        watched=[row for row in rows if not (row["is_flagged"] or takes(row))],
        look_backs=look_backs,
        waiting=up[fitting:],
    )


NEED_IN_WORDS = (
    "Order: safety items first, then need. Need is the chance of ending badly, times how severe it "
    "is (how far into the clinical range, up to three times as much), times how long the case was "
    "not talked about (up to twice as much, after eight weeks). A deteriorating case has both in "
    "full. These bounds are chosen, not a finding. Where a case has no outlook, the status rule "
    "stands in, and its row says so."
)
ORDER_IN_WORDS = (
    "A case whose follow-up is due keeps its place by need and says so. Follow-ups that are due "
    "without a flag come after the cases that fit, as short look-backs."
)
