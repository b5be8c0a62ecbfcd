"""What was decided about a case? Written once, never changed, and read back in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Row, insert, select
from sqlalchemy.exc import IntegrityError

from dashboard import audit
from dashboard.review_events import Review, ReviewEvent, Shown, Undo, listed
from dashboard.review_state import ReviewState, review_state
from dashboard.workspace_store import only_reading, writing
from data_contracts.errors import UnstuckError
from data_contracts.identifying import identifiers_in
from data_contracts.local_day import local_day
from data_contracts.review_words import review_words
from data_contracts.workspace_tables import REVIEW_EVENTS

if TYPE_CHECKING:
    from dashboard.viewer import Viewer

NOTE_LENGTH = 300  # characters; a review is a decision, not a record of the talk
# Far below the number of values one statement may carry (32,766 in SQLite).
_CASES_A_QUESTION = 5_000
_OF_SHOWN = {
    "run_id": "shown_run_id",
    "kind": "shown_kind",
    "kinds": "shown_kinds",
    "open_flags": "shown_flags",
    "status": "shown_status",
    "rule_version": "rule_version",
}


class ReviewConflictError(UnstuckError):
    """Somebody decided about the case meanwhile: nothing was stored, nothing is lost.

    `meanwhile` holds the events the writer had not seen, in order.
    """

    def __init__(self, message: str, meanwhile: tuple[ReviewEvent, ...]) -> None:
        super().__init__(message)
        self.meanwhile = meanwhile


class ReviewRefusedError(UnstuckError):
    """A review that cannot be stored as it is: a day, a reason or a note does not fit."""


def record(
    engine: Engine,
    given: Review | Undo,
    expected_sequence: int,
    *,
    at: datetime,
    takes_notes: bool = False,
    viewer: Viewer | None = None,
) -> ReviewEvent:
    """Store a decision or an undo, and return it as stored; after that it is on disk.

    The same event given twice is stored once, so a writer who heard no answer may ask again.

    Parameters
    ----------
    expected_sequence
        Sequence of the last event of the case that the writer has seen; 0 for none.
    at
        The moment of writing, with a time zone.
    takes_notes
        Whether the practice switched free text on.
    viewer
        Who decides: the audit log says so if, and only if, the decision is stored.

    Raises
    ------
    ReviewConflictError
        If the case has events the writer has not seen, or an event of this id says something else.
    ReviewRefusedError
        If the review itself cannot be stored.
    WorkspaceError
        If the store cannot be used; give the same event again.
    """
    for _ in range(2):  # two writers may both pass the look; the second is then told by the table
        try:
            with writing(engine) as connection:
                stored, is_new = _append(
                    connection, given, expected_sequence, at, takes_notes=takes_notes
                )
                if viewer is not None and is_new:
                    _note(connection, viewer, stored)
                return stored
        except IntegrityError:
            continue
    # Only a broken constraint that no other writer explains gets here.
    message = "The decision does not fit the workspace store. Nothing was stored; please report it."
    raise ReviewRefusedError(message)


def undo(engine: Engine, given: Undo, expected_sequence: int, *, at: datetime) -> ReviewEvent:
    """Take a review back: `record` under the name a reader looks for."""
    return record(engine, given, expected_sequence, at=at)


def history(engine: Engine, case_id: str) -> list[ReviewEvent]:
    """Return every event of a case, in order; the caller has checked the viewer's scope."""
    with only_reading(engine) as connection:
        return _events(connection, [case_id])


def states(
    engine: Engine, today: date, case_ids: Collection[str] | None = None
) -> dict[str, ReviewState]:
    """Return where the cases stand that have events; None asks for all of them."""
    with only_reading(engine) as connection:
        found = [event for part in _parts(case_ids) for event in _events(connection, part)]
    by_case: dict[str, list[ReviewEvent]] = {}
    for event in found:
        by_case.setdefault(event.case_id, []).append(event)
    return {case_id: review_state(events, today) for case_id, events in by_case.items()}


def _require_fit(given: Review, today: date) -> None:
    words = review_words()
    unknown = set(given.reasons) - set(words.reason[given.decision])
    if unknown:
        raise ReviewRefusedError(f"No such reason for this decision: {', '.join(sorted(unknown))}.")
    if (given.decision == "watch_until") != (given.watch_until is not None):
        raise ReviewRefusedError("Say until which day the case is to be watched.")
    for day in (given.follow_up_on, given.watch_until):
        if day is not None and not 0 < (day - today).days <= words.days.longest:
            message = (
                f"The day must lie after today and within {words.days.longest} days: choose "
                "another one."
            )
            raise ReviewRefusedError(message)


def _require_fit_note(note: str | None, this_year: int, *, takes_notes: bool) -> None:
    if note is None:
        return
    if not takes_notes:
        raise ReviewRefusedError(
            "This practice takes no notes with a review (workspace.free_text in unstuck.toml)."
        )
    if len(note) > NOTE_LENGTH:
        raise ReviewRefusedError(f"A note has at most {NOTE_LENGTH} characters: shorten it.")
    if kinds := identifiers_in(note, this_year=this_year):
        raise ReviewRefusedError(
            f"The note seems to hold {', '.join(kinds)}. Say it without: what identifies people is "
            "not kept here. If it is none, say it in other words."
        )


def _append(
    connection: Connection,
    given: Review | Undo,
    expected_sequence: int,
    at: datetime,
    *,
    takes_notes: bool,
) -> tuple[ReviewEvent, bool]:
    """Return the event as it stands in the store, and whether it came there now."""
    events = _events(connection, [given.case_id])
    same = next((event for event in events if event.event_id == given.event_id), None)
    if same is not None:
        if same.says(given):
            return same, False
        raise _conflict(
            "An earlier version of this decision has reached the store. What you changed since is "
            "not stored",
            (same,),
        )
    last = events[-1].sequence if events else 0
    if last != expected_sequence:
        meanwhile = tuple(event for event in events if event.sequence > expected_sequence)
        is_own = all(event.user_id == given.user_id for event in meanwhile)
        who = "You have decided" if is_own else "Somebody else has decided"
        where = "in another window since you opened it" if is_own else "while you had it open"
        raise _conflict(f"{who} about this case {where}. This one is not stored", meanwhile)
    if isinstance(given, Undo):
        _require_undoable(given, events)
    else:
        _require_fit(given, local_day(at))
        _require_fit_note(given.note, local_day(at).year, takes_notes=takes_notes)
    stored = ReviewEvent(
        kind="undo" if isinstance(given, Undo) else "review",
        sequence=last + 1,
        recorded_at=at,
        **{name: getattr(given, name) for name in given.__dataclass_fields__},
    )
    connection.execute(insert(REVIEW_EVENTS).values(_row_of(stored)))
    return stored, True


def _note(connection: Connection, viewer: Viewer, stored: ReviewEvent) -> None:
    audit.note_within(
        connection,
        viewer=viewer,
        action="reviewed",
        case_id=stored.case_id,
        detail="undo" if stored.kind == "undo" else "",
    )


def _require_undoable(given: Undo, events: Iterable[ReviewEvent]) -> None:
    undone = {event.undoes for event in events}
    open_reviews = {event.sequence for event in events if event.kind == "review"} - undone
    if given.undoes not in open_reviews:
        raise ReviewRefusedError("This decision has already been undone, or was never taken.")


def _conflict(what: str, meanwhile: tuple[ReviewEvent, ...]) -> ReviewConflictError:
    return ReviewConflictError(
        f"{what}: look at what was decided, then save again if you still want to.", meanwhile
    )


def _events(connection: Connection, case_ids: Collection[str] | None) -> list[ReviewEvent]:
    query = select(REVIEW_EVENTS).order_by(REVIEW_EVENTS.c.case_id, REVIEW_EVENTS.c.sequence)
    if case_ids is not None:
        query = query.where(REVIEW_EVENTS.c.case_id.in_(case_ids))
    return [_event_of(row) for row in connection.execute(query)]


def _parts(case_ids: Collection[str] | None) -> Iterator[list[str] | None]:
    if case_ids is None:
        yield None
        return
    wanted = sorted(set(case_ids))
    for start in range(0, len(wanted), _CASES_A_QUESTION):
        yield wanted[start : start + _CASES_A_QUESTION]


def _row_of(event: ReviewEvent) -> dict[str, Any]:
    row = asdict(event)
    shown = row.pop("shown")
    row |= {stored: shown[name] for name, stored in _OF_SHOWN.items()}
    return {
        name: ",".join(value) if isinstance(value, tuple) else value for name, value in row.items()
    }


def _event_of(row: Row[Any]) -> ReviewEvent:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented way to a row by name
    shown = {name: values.pop(stored) for name, stored in _OF_SHOWN.items()}
    shown |= {name: listed(shown[name]) for name in ("kinds", "open_flags")}
    return ReviewEvent(**(values | {"reasons": listed(values["reasons"]), "shown": Shown(**shown)}))
