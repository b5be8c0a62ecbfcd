"""How are this therapist's cases, fairly?"""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.caseload_questions import show_questions
from dashboard.caseload_words import (
    HOW_COMPUTED,
    effect_alternative,
    ended_sentences,
    now_sentences,
)
from dashboard.chart_effect import effect_chart
from dashboard.visit import Visit
from dashboard.words import code_words, counted, mark, moment, plain, since, small

SHOWN_AT_ONCE = 10
NOBODY = (
    "No therapist is assigned to you. Therapists come here through the practice's tables (who "
    "supervises whom), or through [roles.supervisors] in unstuck.toml."
)
NOT_YOURS = (
    "The therapist in the address is not among those you supervise. Choose one of yours above."
)
NO_OPEN_CASE = "This therapist has no open case now."


def show(visit: Visit) -> None:
    """Draw the caseload of one of the viewer's own therapists."""
    visit.title("Caseload")
    visit.scope.require_cases()
    therapists = visit.scope.therapist_ids
    if not therapists:
        st.info(NOBODY)
        return
    therapist_id = _chosen(visit, therapists)
    visit.note_list(f"caseload of {therapist_id}")
    with st.spinner("Reading the last published night ..."):
        cases = reading.open_cases(visit.snapshot, visit.scope, therapist_id)
        ended = reading.caseload(visit.snapshot, visit.scope)
        seen = reading.therapist_lenses(visit.snapshot, visit.scope)
    st.markdown(
        small(
            f"State of {moment(visit.snapshot.published_at)} · for the therapist and their "
            "supervisor · nobody is ranked"
        )
    )
    with st.container(border=True):
        st.header("Cases now", anchor=False)
        said = now_sentences(therapist_id, cases) if cases.height else [NO_OPEN_CASE]
        st.markdown("  \n".join(plain(line) for line in said))
    _ended(visit, _row_of(ended, therapist_id))
    with st.popover("How is this computed?", type="tertiary"):
        st.markdown(HOW_COMPUTED)
        st.markdown(small(plain(f"Computed in run {visit.snapshot.run_id}.")))
    _open_cases(visit, cases)
    show_questions(seen.filter(pl.col("therapist_id") == therapist_id).to_dicts())


def _chosen(visit: Visit, therapists: tuple[str, ...]) -> str:
    """Return the therapist that the address names, else the one of before, else the first."""
    asked = st.query_params.get("therapist")
    remembered = visit.memory.get("therapist")
    if "caseload_therapist" not in st.session_state:
        first = next((name for name in (asked, remembered) if name in therapists), therapists[0])
        st.session_state["caseload_therapist"] = first
    elif st.session_state["caseload_therapist"] not in therapists:  # another supervisor looks now
        st.session_state["caseload_therapist"] = therapists[0]
    chosen: str = st.selectbox(
        "Therapist", therapists, key="caseload_therapist", width=240, on_change=_into_the_address
    )
    visit.memory["therapist"] = chosen
    if asked is not None and asked not in therapists:
        st.info(NOT_YOURS)  # whether such a therapist exists elsewhere is not said
    return chosen


def _into_the_address() -> None:
    st.query_params["therapist"] = st.session_state["caseload_therapist"]


def _row_of(ended: pl.DataFrame, therapist_id: str) -> dict[str, Any] | None:
    if ended.is_empty():
        return None
    found = ended.filter(pl.col("therapist_id") == therapist_id).to_dicts()
    return found[0] if found else None


def _ended(visit: Visit, row: dict[str, Any] | None) -> None:
    said = ended_sentences(row, visit.settings.publishing.suppression)
    with st.container(border=True):
        st.header("Ended cases, given how they began", anchor=False)
        st.markdown("  \n".join(plain(line) for line in said))
        # A snapshot of an older version has no limits to draw.
        if row is None or row["effect"] is None or row["mean_of_all"] is None:
            return
        st.altair_chart(effect_chart(row), theme=None, alt=effect_alternative(row, said))
        st.markdown(
            small(
                "Dark band: where chance alone keeps 95 in 100 means of so many cases; light band: "
                "998 in 1,000. Dashed: the mean of all therapists' cases. Right is better."
            )
        )


def _open_cases(visit: Visit, cases: pl.DataFrame) -> None:
    if cases.is_empty():
        return
    st.header("Open cases", anchor=False)
    st.markdown(small("First those of the queue, in its order; then the others, by id."))
    with st.container(gap="xsmall"):
        for row in cases.head(SHOWN_AT_ONCE).to_dicts():
            _case(visit, row)
        rest = cases.slice(SHOWN_AT_ONCE)
        if rest.height:
            with st.expander(f"Show the other {counted(rest.height, 'case')}"):
                for row in rest.to_dicts():
                    _case(visit, row)


def _case(visit: Visit, row: dict[str, Any]) -> None:
    with st.container(border=True):
        status, reason, way = st.columns([2, 5.9, 1.8], vertical_alignment="center")
    status.markdown(mark(row["kind"] or row["status"]).markdown)
    words = row["sentence"] or code_words(row["code"] or row["status"]).capitalize() + "."
    reason.markdown(plain(words))
    seen = row["sessions_attended"]
    facts = [
        "sessions not sent" if seen is None else f"{counted(seen, 'session')} attended",
        visit.last_contact(row["days_since_contact"]),
        since(row["since_session"], row["since_day"]),
    ]
    reason.markdown(small(plain(" · ".join(fact for fact in facts if fact))))
    way.page_link(
        visit.case_page,
        label=f":blue[Open {plain(row['case_id'])}]",
        query_params=visit.case_address(row["case_id"]),
    )
