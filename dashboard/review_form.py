"""Which decision, and what goes with it? The form on a case's screen and the short one of a row.

Both draw themselves anew without the rest of the screen. A decision leaves them waiting; it is
written by review_saving.py in the run of the whole screen that follows.
"""

from __future__ import annotations

from datetime import date, timedelta

import streamlit as st

from dashboard import reviews
from dashboard.review_events import Review, Shown, new_event_id
from dashboard.review_saving import begun, desk_of, discard, leave_waiting, today
from dashboard.visit import Visit
from dashboard.words import plain, small
from data_contracts.errors import UnstuckError
from data_contracts.lenses import LENSES_IN_ORDER, lens_contract
from data_contracts.review_words import DECISIONS, Decision, review_words

NO_DAY, ON_A_DAY = "no day", "on a day"
WEEKS = {"in 1 week": 1, "in 2 weeks": 2, "in 4 weeks": 4}
WATCHED_WEEKS = "in 2 weeks"  # chosen: what "watch until" offers first
SAFETY_STAYS = "A safety flag is open: this case stays in the list, whatever day you choose."
NO_NAMES = "No names, dates of birth or numbers of people: such a note is refused."


@st.fragment
def decision_form(visit: Visit, case_id: str, last_sequence: int, shown: Shown) -> None:
    """Draw the form; what is chosen stays chosen when another case is looked at in between."""
    _require_somebody(visit, case_id, last_sequence)
    desk = desk_of(visit)
    draft = desk.drafts.get(case_id) or begun(last_sequence)
    # Named by case and place, so that the browser finds its choices again after a restart.
    key = f"review {case_id} {draft.begun_at} {desk.rounds.get(case_id, 0)}"
    words = review_words()
    decision = st.pills(
        "Decision",
        DECISIONS,
        format_func=lambda name: words.decision[name].button,
        key=f"{key} decision",
        persist_state="session",
        label_visibility="collapsed",
    )
    if decision is None:
        desk.drafts.pop(case_id, None)
        return
    desk.drafts[case_id] = draft
    st.markdown(small(plain(words.decision[decision].meaning)))
    if decision == "watch_until" and "safety" in shown.kinds:
        st.markdown(small(SAFETY_STAYS))
    day = _day(f"{key} {decision}", decision)
    was_useful = _was_useful(key) if shown.kind else None
    # Folded, so that Save stands close to the decision; open where the reason is the point.
    with st.expander(
        "Reasons and lens (optional)",
        expanded=decision == "not_stuck_because",
        key=f"{key} {decision} more",
    ):
        reasons = st.pills(
            "Reasons",
            list(words.reason[decision]),
            selection_mode="multi",
            format_func=words.reason_words,
            key=f"{key} {decision} reasons",
            persist_state="session",
        )
        lens = st.selectbox(
            "Where did you look?",
            LENSES_IN_ORDER,
            index=None,
            format_func=lens_contract().lens_names.__getitem__,
            placeholder="no lens",
            key=f"{key} lens",
            persist_state="session",
        )
    note = _note(visit, key)
    given = Review(
        event_id=draft.event_id,
        case_id=case_id,
        user_id=visit.viewer.user_id,
        supervisor_id=visit.scope.supervisor_id,
        decision=decision,
        reasons=tuple(reasons),
        lens=lens,
        follow_up_on=None if decision == "watch_until" else day,
        watch_until=day if decision == "watch_until" else None,
        was_useful=was_useful,
        note=note,
        shown=shown,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Save", type="primary", key=f"{key} save"):
            leave_waiting(visit, given, draft.seen)
            st.rerun()
        st.button(
            "Discard",
            type="tertiary",
            key=f"{key} discard",
            on_click=discard,
            args=(visit, case_id),
        )


def _require_somebody(visit: Visit, case_id: str, last_sequence: int) -> None:
    """Count work in a form as a sign of life; where the sign-in has ended, keep what to tell."""
    try:
        is_here = visit.still_here()
    except UnstuckError:
        is_here = False  # app.py looks again, and says what is wrong
    if not is_here:
        desk_of(visit).drafts.setdefault(case_id, begun(last_sequence))
        st.rerun(scope="app")


def _day(key: str, decision: Decision) -> date | None:
    watches = decision == "watch_until"
    options = [*([] if watches else [NO_DAY]), *WEEKS, ON_A_DAY]
    chosen = st.segmented_control(
        "Watch until" if watches else "Look again",
        options,
        default=WATCHED_WEEKS if watches else NO_DAY,
        required=True,
        key=f"{key} day",
        persist_state="session",
    )
    if chosen == ON_A_DAY:
        return st.date_input(
            "Day",
            value=today() + timedelta(weeks=2),
            min_value=today() + timedelta(days=1),
            max_value=today() + timedelta(days=review_words().days.longest),
            format="DD/MM/YYYY",
            width=160,
            key=f"{key} date",
            persist_state="session",
        )
    return today() + timedelta(weeks=WEEKS[chosen]) if chosen in WEEKS else None


def _was_useful(key: str) -> bool | None:
    said = st.segmented_control(
        "Was this flag useful? (optional)",
        ["yes", "no"],
        key=f"{key} useful",
        persist_state="session",
    )
    return None if said is None else said == "yes"


def _note(visit: Visit, key: str) -> str | None:
    if not visit.settings.workspace.free_text:
        return None
    text = st.text_area(
        "Note (optional)",
        max_chars=reviews.NOTE_LENGTH,
        height=80,
        help=NO_NAMES,
        key=f"{key} note",
        persist_state="session",
    )
    return text.strip() or None


@st.fragment
def quick_decision(visit: Visit, case_id: str, last_sequence: int, shown: Shown) -> None:
    """Draw a button that opens the five decisions; pressing one of them is the second click."""
    key = f"quick {case_id} {last_sequence}"
    menu = st.popover("Decide", key=key, on_change="rerun")
    if not menu.open:
        return
    _require_somebody(visit, case_id, last_sequence)
    words = review_words()
    with menu:
        chosen = st.segmented_control(
            "Look again", [NO_DAY, *WEEKS], default=NO_DAY, required=True, key=f"{key} day"
        )
        was_useful = _was_useful(key)
        for decision in DECISIONS:
            weeks = chosen if chosen in WEEKS else WATCHED_WEEKS
            day = today() + timedelta(weeks=WEEKS[weeks])
            label = words.decision[decision].button
            watches = decision == "watch_until"
            if st.button(
                f"{label} ({weeks})" if watches else label,
                key=f"{key} {decision}",
                width="stretch",
            ):
                given = Review(
                    event_id=new_event_id(),
                    case_id=case_id,
                    user_id=visit.viewer.user_id,
                    supervisor_id=visit.scope.supervisor_id,
                    decision=decision,
                    follow_up_on=day if chosen in WEEKS and not watches else None,
                    watch_until=day if watches else None,
                    was_useful=was_useful,
                    shown=shown,
                )
                leave_waiting(visit, given, last_sequence)
                st.rerun()
        if "safety" in shown.kinds:
            st.markdown(small(SAFETY_STAYS))
