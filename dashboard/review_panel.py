"""What do we decide? The forms of a decision, its history, and what has not been saved yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from dashboard import reviews
from dashboard.case_words import WHOLE_CASE
from dashboard.reading import CaseRecord
from dashboard.review_events import Review, ReviewEvent, Shown, Undo, new_event_id, shown_of
from dashboard.review_form import decision_form, quick_decision
from dashboard.review_saving import (
    Waiting,
    desk_of,
    discard,
    leave_waiting,
    save_waiting,
    today,
    try_again,
)
from dashboard.review_sentences import (
    decision_words,
    event_words,
    meanwhile_words,
    queue_review_words,
    rule_in_words,
    saved_words,
    shown_words,
)
from dashboard.review_state import QueuePlace, ReviewState, queue_place, review_state
from dashboard.visit import Visit
from dashboard.words import plain, small


def show_decide(visit: Visit, record: CaseRecord) -> None:
    """Draw the form of a decision about one case; writes what was saved with it before."""
    save_waiting(visit)
    case_id = record.case["case_id"]
    events = reviews.history(visit.workspace, case_id)
    state = review_state(events, today())
    shown = _shown_of_case(visit, record)
    with st.container(border=True, key="decide"):
        st.header("Decide", anchor=False)
        show_saved(visit, case_id)
        if state.latest is None or desk_of(visit).saved != state.latest:
            place = queue_place(state, shown, today()) if shown.kind else None
            said = queue_review_words(state, place, today=today()) or "no decision yet"
            st.markdown(small(plain(f"{said[0].upper()}{said[1:]}.")))
        decision_form(visit, case_id, state.last_sequence, shown)
        with st.popover("How is this computed?", type="tertiary"):
            st.markdown(rule_in_words())


def show_review_history(visit: Visit, record: CaseRecord) -> None:
    """Draw every decision about a case, the last one first, with the way to take it back."""
    events = reviews.history(visit.workspace, record.case["case_id"])
    if not events:
        st.markdown("Nobody has decided anything about this case yet.")
        return
    state = review_state(events, today())
    undone = {event.undoes for event in events if event.kind == "undo"}
    for event in reversed(events):
        words = plain(event_words(event))
        st.markdown(f"~~{words}~~ (taken back)" if event.sequence in undone else words)
        if event.note:
            st.markdown(f"“{plain(event.note)}”")
        if event.kind == "review":
            st.markdown(small(plain(shown_words(event))))
    if state.latest is not None:
        _undo_button(visit, state.latest, state.last_sequence, "Take back the last decision")


def show_quick_decide(visit: Visit, row: Mapping[str, Any], state: ReviewState) -> None:
    """Draw a button for a queue row: two clicks to a decision, without reasons.

    `row` is a row of reading.queue. Reasons, lens and a note are given on the case's screen.
    """
    shown = shown_of(visit.snapshot.run_id, visit.run["rule_version"], row)
    quick_decision(visit, row["case_id"], state.last_sequence, shown)


def show_saved(visit: Visit, case_id: str | None = None) -> None:
    """Say what was saved last, with Undo, and what is not saved; None: for every case.

    The queue calls it once above its rows, the form of a case for that case.
    """
    desk = desk_of(visit)
    saved = desk.saved
    if saved is not None and case_id in (None, saved.case_id):
        state = review_state(reviews.history(visit.workspace, saved.case_id), today())
        with st.container(horizontal=True, vertical_alignment="center", key="review_saved"):
            about = "" if case_id else f"Case {saved.case_id}. "
            place = queue_place(state, saved.shown, today())
            st.markdown(f"✓ {plain(about + saved_words(saved, place))}", width="content")
            if saved.kind == "review" and state.latest == saved:
                _undo_button(visit, saved, state.last_sequence, "Undo")
    for open_case, waiting in list(desk.unsaved.items()):
        if case_id in (None, open_case):
            _unsaved(visit, open_case, waiting)
    chosen = [case for case in desk.drafts if case not in desk.unsaved and case != case_id]
    if chosen:
        with st.container(horizontal=True, vertical_alignment="center", key="review_drafts"):
            st.markdown("Chosen and not saved yet:", width="content")
            for case in chosen:
                st.page_link(
                    visit.case_page,
                    label=f":blue[{plain(case)}]",
                    query_params=visit.case_address(case),
                )


def queue_reviews(visit: Visit, rows: pl.DataFrame) -> dict[str, tuple[ReviewState, QueuePlace]]:
    """Return for each row of the queue where it stands, and whether it belongs in the list now.

    Writes what was saved on this screen first. Grain of `rows`: a case of reading.queue.
    """
    save_waiting(visit)
    found = reviews.states(visit.workspace, today(), rows["case_id"].to_list())
    told = {}
    for row in rows.to_dicts():
        state = found.get(row["case_id"], ReviewState())
        shown = shown_of(visit.snapshot.run_id, visit.run["rule_version"], row)
        told[row["case_id"]] = (state, queue_place(state, shown, today()))
    return told


def _shown_of_case(visit: Visit, record: CaseRecord) -> Shown:
    run_id, version = visit.snapshot.run_id, visit.run["rule_version"]
    if record.queue_row is not None:
        return shown_of(run_id, version, record.queue_row)
    status = record.current.filter(pl.col("measure_id") == WHOLE_CASE)["status"].to_list()
    return Shown(run_id=run_id, rule_version=version, status=status[0] if status else None)


def _undo_button(visit: Visit, event: ReviewEvent, last_sequence: int, label: str) -> None:
    def take_back() -> None:
        given = Undo(
            event_id=new_event_id(),
            case_id=event.case_id,
            user_id=visit.viewer.user_id,
            supervisor_id=visit.scope.supervisor_id,
            undoes=event.sequence,
            shown=Shown(run_id=visit.snapshot.run_id, rule_version=visit.run["rule_version"]),
        )
        leave_waiting(visit, given, last_sequence)

    st.button(label, type="tertiary", key=f"undo {label} {event.event_id}", on_click=take_back)


def _unsaved(visit: Visit, case_id: str, waiting: Waiting) -> None:
    given = waiting.given
    what = decision_words(given) if isinstance(given, Review) else "take back a decision"
    with st.container(border=True, key=f"review_unsaved_{case_id}"):
        st.warning(plain(f"Not saved for case {case_id}: {what}."), icon="✋")
        st.markdown(plain(waiting.problem or "It was interrupted on its way."))
        for line in meanwhile_words(waiting.meanwhile):
            st.markdown(f"- {plain(line)}")
        with st.container(horizontal=True):
            if waiting.may_retry:
                st.button(
                    "Save mine as well" if waiting.meanwhile else "Try again",
                    key=f"again {case_id}",
                    on_click=try_again,
                    args=(visit, case_id),
                )
            st.button(
                "Discard mine",
                type="tertiary",
                key=f"forget {case_id}",
                on_click=discard,
                args=(visit, case_id),
            )
