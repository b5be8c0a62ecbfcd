"""How is a case told in one row of the queue, and what is decided about it there?"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.queue_line import NO_LINE, Line
from dashboard.queue_order import Row
from dashboard.review_panel import show_quick_decide
from dashboard.review_saving import today
from dashboard.review_sentences import queue_review_words
from dashboard.review_state import QueuePlace, ReviewState
from dashboard.sparkline import scores_in, sparkline, sparkline_words
from dashboard.visit import Visit
from dashboard.words import counted, mark, plain, since, small

Told = dict[str, tuple[ReviewState, QueuePlace]]


def show_rows(visit: Visit, rows: Sequence[Row], told: Told, line: Line = NO_LINE) -> None:
    """Draw rows of published_queue, each with where it stands in supervision."""
    with st.container(gap="xsmall"):
        for row in rows:
            _row(visit, row, *told[row["case_id"]], line)


def _row(visit: Visit, row: Row, state: ReviewState, place: QueuePlace, line: Line) -> None:
    with st.container(border=True):
        status, reason, way = st.columns([1.7, 5.3, 2.4], vertical_alignment="center")
    status.markdown(mark(row["kind"]).markdown)
    words = reason.container(gap=None)
    words.markdown(f"### {plain(row['sentence'])}", anchors=False)
    reviewed = queue_review_words(state, place, today=today())
    lines = (
        # Its place says since when it was not talked about.
        _facts(visit, row, is_new=not reviewed and not row["need_words"]),
        _place(row, line),
        _remarks(row),
        plain(reviewed),
    )
    words.markdown("  \n".join(small(line) for line in lines if line))
    scores = scores_in(row["sparkline"])
    way = way.container(gap="xsmall")
    way.image(
        sparkline(scores, row["scale_minimum"], row["scale_maximum"]),
        alt=sparkline_words(scores),
    )
    with way.container(horizontal=True, vertical_alignment="center"):
        show_case_link(visit, row["case_id"])
        show_quick_decide(visit, row, state)


def show_case_link(visit: Visit, case_id: str) -> None:
    """Draw the link to a case; it can be sent and holds the pseudonym only."""
    st.page_link(
        visit.case_page,
        label=f":blue[Open {plain(case_id)}]",
        query_params=visit.case_address(case_id),
    )


def _place(row: Row, line: Line) -> str:
    """Return why it stands at its place; nothing in a snapshot of an older version."""
    if not row["need_words"]:
        return ""
    where = line.remark(row)
    return plain(f"Its place{f', {where}' if where else ''}: {_begun_small(row['need_words'])}")


def _begun_small(sentence: str) -> str:
    return f"{sentence[0].lower()}{sentence[1:]}"


def _remarks(row: Row) -> str:
    others = [mark(kind).text for kind in row["kinds"].split(",") if kind not in ("", row["kind"])]
    remarks = [
        row["also"],
        f"also open: {', '.join(others)}" if others else "",
        "" if row["is_verified"] else "an unverified number is behind it",
    ]
    return plain(" · ".join(remark for remark in remarks if remark))


def _facts(visit: Visit, row: Row, *, is_new: bool) -> str:
    seen = row["sessions_attended"]
    facts = [
        "sessions not sent" if seen is None else f"{counted(seen, 'session')} attended",
        visit.last_contact(row["days_since_contact"]),
        row["therapist_id"] or "no therapist",
        since(row["since_session"], row["since_day"]),
        "new" if is_new else "",
    ]
    return plain(" · ".join(fact for fact in facts if fact))
