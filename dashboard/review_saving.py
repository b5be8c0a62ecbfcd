"""How does a decision get from the screen into the store without being lost on the way?

A click on Save leaves the decision waiting and runs the whole screen again: only there, after
sign-in and scope were looked at anew, is it written. What could not be written stays with the
session, in words, with a button to try again; what was chosen and not saved is named on every
screen that draws `show_saved`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import streamlit as st

from dashboard import reading, reviews
from dashboard.review_events import Review, ReviewEvent, Undo, new_event_id
from dashboard.reviews import ReviewConflictError, ReviewRefusedError
from dashboard.visit import Visit
from dashboard.words import plain
from data_contracts.errors import UnknownCaseError, UnstuckError
from data_contracts.local_day import local_day

_DESK = "review desk "


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A decision on its way into the store, and why it did not get there yet."""

    given: Review | Undo
    expected_sequence: int
    problem: str = ""
    may_retry: bool = True
    meanwhile: tuple[ReviewEvent, ...] = ()


@dataclass(kw_only=True)
class Draft:
    """A decision that was chosen in the form of a case, with Save not pressed yet.

    Parameters
    ----------
    begun_at
        Sequence of the case's last event when the form was begun; its fields are named by it.
    seen
        Sequence of the last event the supervisor was told of.
    """

    event_id: str
    begun_at: int
    seen: int


@dataclass(kw_only=True)
class Desk:
    """What one user of this session has not finished: by case."""

    waiting: dict[str, Waiting]  # to be written in this run
    unsaved: dict[str, Waiting]  # could not be written
    drafts: dict[str, Draft]
    rounds: dict[str, int]  # how often the form was emptied by hand
    saved: ReviewEvent | None = None  # the last one stored


def today() -> date:
    """Return the day on the calendar of the machine that runs the screens."""
    return local_day(datetime.now(UTC))


def desk_of(visit: Visit) -> Desk:
    """Return what this user has not finished; another user of the same session has another."""
    key = f"{_DESK}{visit.viewer.user_id} {visit.scope.supervisor_id}"
    found: Desk = st.session_state.setdefault(
        key, Desk(waiting={}, unsaved={}, drafts={}, rounds={})
    )
    return found


def begun(last_sequence: int) -> Draft:
    """Return a decision that is being taken after this event of its case."""
    return Draft(event_id=new_event_id(), begun_at=last_sequence, seen=last_sequence)


def say_what_is_lost() -> None:
    """Name the cases whose decision was not saved, where the sign-in has ended.

    By pseudonym, as in the address; what was chosen is not said to an unattended screen.
    """
    desks = [desk for key, desk in st.session_state.items() if str(key).startswith(_DESK)]
    cases = {case for desk in desks for case in (*desk.waiting, *desk.unsaved, *desk.drafts)}
    if cases:
        st.warning(
            plain(
                f"A decision was not saved: {', '.join(sorted(cases))}. Signing in anew forgets "
                "what was chosen; decide again on the screen of the case."
            ),
            icon="✋",
        )


def leave_waiting(visit: Visit, given: Review | Undo, expected_sequence: int) -> None:
    """Keep a decision for the next run of the whole screen, which writes it."""
    desk_of(visit).waiting[given.case_id] = Waiting(
        given=given, expected_sequence=expected_sequence
    )


def save_waiting(visit: Visit) -> None:
    """Write what is waiting, for cases in the viewer's scope only; what fails stays, in words."""
    desk = desk_of(visit)
    for case_id in list(desk.waiting):
        one = desk.waiting.pop(case_id)
        desk.unsaved[case_id] = one  # whatever happens now, it is not lost
        try:
            reading.case_record(visit.snapshot, visit.scope, case_id)
            stored = reviews.record(
                visit.workspace,
                one.given,
                one.expected_sequence,
                at=datetime.now(UTC),
                takes_notes=visit.settings.workspace.free_text,
                viewer=visit.viewer,
            )
        except ReviewConflictError as conflict:
            desk.unsaved[case_id] = now = _after(conflict, one)
            if draft := desk.drafts.get(case_id):
                draft.event_id, draft.seen = now.given.event_id, now.expected_sequence
        except UnknownCaseError as error:  # the scope has changed since the form was drawn
            visit.note_refused_case(case_id)
            desk.unsaved[case_id] = replace(one, problem=str(error), may_retry=False)
        except ReviewRefusedError as error:
            desk.unsaved[case_id] = replace(one, problem=str(error), may_retry=False)
        except UnstuckError as error:
            desk.unsaved[case_id] = replace(one, problem=str(error))
        else:
            del desk.unsaved[case_id]
            desk.drafts.pop(case_id, None)
            desk.saved = stored


def _after(conflict: ReviewConflictError, one: Waiting) -> Waiting:
    """Return the decision as it would be saved once the writer has seen what happened."""
    meanwhile = conflict.meanwhile
    return Waiting(
        # An id of its own: the old one may belong to an earlier version of this decision.
        given=replace(one.given, event_id=new_event_id()),
        expected_sequence=max(event.sequence for event in meanwhile),
        problem=str(conflict),
        meanwhile=meanwhile,
    )


def try_again(visit: Visit, case_id: str) -> None:
    """Let a decision that could not be written wait once more."""
    desk = desk_of(visit)
    if case_id in desk.unsaved:
        desk.waiting[case_id] = desk.unsaved.pop(case_id)


def discard(visit: Visit, case_id: str) -> None:
    """Forget what was chosen for a case and not stored."""
    desk = desk_of(visit)
    desk.unsaved.pop(case_id, None)
    desk.drafts.pop(case_id, None)
    desk.rounds[case_id] = desk.rounds.get(case_id, 0) + 1
