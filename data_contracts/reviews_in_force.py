"""Which reviews of a case count? Those that nobody took back: an undone one was never taken.

The one home of that rule: the screens ask it for where a case stands in supervision, the night for
what happened after a review.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar


class StoredEvent(Protocol):
    """What the rule looks at of a row of review_events, however it was read."""

    @property
    def case_id(self) -> Any: ...  # noqa: ANN401, D102 - SQLAlchemy's rows have no types
    @property
    def kind(self) -> Any: ...  # noqa: ANN401, D102 - as above
    @property
    def sequence(self) -> Any: ...  # noqa: ANN401, D102 - as above
    @property
    def undoes(self) -> Any: ...  # noqa: ANN401, D102 - as above


Event = TypeVar("Event", bound=StoredEvent)


def in_force(events: Iterable[Event]) -> list[Event]:
    """Return the reviews among the events that were not undone, in the order given."""
    given = list(events)
    undone = {(event.case_id, event.undoes) for event in given if event.kind == "undo"}
    return [
        event
        for event in given
        if event.kind == "review" and (event.case_id, event.sequence) not in undone
    ]
