"""What is a review? A decision of a supervisor about a case, and what was on the screen then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Literal
from uuid import uuid4

from data_contracts.lenses import Lens
from data_contracts.local_day import local_day
from data_contracts.review_words import Decision


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the supervisor had before them: kept, because later nights show something else.

    Parameters
    ----------
    kind
        What led the case's row in the queue; None where it was not in the queue.
    kinds
        Every flag that was open, worst first.
    open_flags
        The same, each told from every other: 'kind|measure|day 63' (reading.queue).
    """

    run_id: str
    rule_version: str
    kind: str | None = None
    kinds: tuple[str, ...] = ()
    open_flags: tuple[str, ...] = ()
    status: str | None = None


def shown_of(run_id: str, rule_version: str, row: Mapping[str, Any] | None) -> Shown:
    """Return what a row of reading.queue shows; None for a case outside the queue."""
    if row is None:
        return Shown(run_id=run_id, rule_version=rule_version)
    return Shown(
        run_id=run_id,
        rule_version=rule_version,
        kind=row["kind"],
        kinds=listed(row["kinds"]),
        open_flags=listed(row["open_flags"]),
        status=row["status"],
    )


def listed(text: str) -> tuple[str, ...]:
    """Return the parts of a comma-separated text; none of an empty one."""
    return tuple(part for part in text.split(",") if part)


def new_event_id() -> str:
    """Return an id for a decision that is being taken; sent twice it still counts once."""
    return str(uuid4())


@dataclass(frozen=True, kw_only=True)
class Review:
    """A decision as it is taken, before it has a place among the case's events.

    Parameters
    ----------
    follow_up_on, watch_until
        Days on the supervisor's calendar. `watch_until` belongs to the decision of that name alone.
    was_useful
        Whether the flag was; None where the supervisor did not say.
    """

    event_id: str
    case_id: str
    user_id: str
    supervisor_id: str
    decision: Decision
    shown: Shown
    reasons: tuple[str, ...] = ()
    lens: Lens | None = None
    follow_up_on: date | None = None
    watch_until: date | None = None
    was_useful: bool | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Undo:
    """The taking back of one review: an event of its own."""

    event_id: str
    case_id: str
    user_id: str
    supervisor_id: str
    undoes: int
    shown: Shown


@dataclass(frozen=True, kw_only=True)
class ReviewEvent:
    """A row of review_events: a review or an undo with its place and moment (UTC)."""

    case_id: str
    sequence: int
    event_id: str
    recorded_at: datetime
    user_id: str
    supervisor_id: str
    kind: Literal["review", "undo"]
    shown: Shown
    decision: Decision | None = None
    reasons: tuple[str, ...] = ()
    lens: Lens | None = None
    follow_up_on: date | None = None
    watch_until: date | None = None
    was_useful: bool | None = None
    note: str | None = None
    undoes: int | None = None

    @property
    def recorded_on(self) -> date:
        """Its day on the practice's calendar."""
        return local_day(self.recorded_at)

    def says(self, given: Review | Undo) -> bool:
        """Return whether this event is what was given, moment and place aside."""
        kind = "undo" if isinstance(given, Undo) else "review"
        return self.kind == kind and all(
            getattr(self, field.name) == getattr(given, field.name) for field in fields(given)
        )
