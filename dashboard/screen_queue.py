"""Whom do I talk about in the time I have?"""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.sparkline import scores_in, sparkline, sparkline_words
from dashboard.visit import Visit
from dashboard.words import code_words, counted, mark, moment, plain, since, small

MINUTES_A_CASE = 12  # chosen: an hour for five cases; supervision as usual has about 2.5 a case
MINUTES = (30, 60, 90)


def show(visit: Visit) -> None:
    """Draw the queue."""
    visit.title("Supervision queue")
    visit.scope.require_cases()
    with st.spinner("Reading the last published night ..."):
        rows = reading.queue(visit.snapshot, visit.scope)
        standing = reading.standing(visit.snapshot, visit.scope)
    st.markdown(small(_headline(visit, rows, standing)))
    minutes, kept = _controls(rows)
    flagged, watched = kept.filter("is_flagged"), kept.filter(~pl.col("is_flagged"))
    visit.memory["queue_order"] = [*flagged["case_id"], *watched["case_id"]]
    room = minutes // MINUTES_A_CASE
    with st.container(gap="xsmall"):
        _rows(visit, flagged.head(room))
        if flagged.is_empty():
            st.info(_why_empty(rows, standing))
        rest = flagged.slice(room)
        if len(rest):
            with st.expander(f"Show the other {counted(len(rest), 'case')}"):
                _rows(visit, rest)
        if len(watched):
            with st.expander(f"Not flagged; to keep an eye on ({len(watched)})"):
                _rows(visit, watched)
    st.markdown(small(_not_in_queue(standing)))


def _headline(visit: Visit, rows: pl.DataFrame, standing: pl.DataFrame) -> str:
    unjudged = standing.filter(pl.col("status") == "cannot_judge")["case_count"].sum()
    therapists = len(visit.scope.therapist_ids)
    whose = f"of your {counted(therapists, 'therapist')}" if therapists else "without a therapist"
    return " · ".join(
        [
            f"State of {moment(visit.snapshot.published_at)}",
            f"{counted(int(standing['case_count'].sum()), 'open case')} {whose}",
            f"{rows['is_flagged'].sum()} to talk about",
            f"{unjudged} cannot be judged now",
        ]
    )


def _controls(rows: pl.DataFrame) -> tuple[int, pl.DataFrame]:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**I have**", width="content")
        minutes = st.segmented_control(
            "I have",
            MINUTES,
            default=MINUTES[1],
            required=True,
            format_func=lambda number: f"{number} minutes",
            key="minutes",
            label_visibility="collapsed",
        )
        minutes = minutes or MINUTES[1]
        fitting = f"{minutes} minutes fit about {minutes // MINUTES_A_CASE} cases"
        st.markdown(small(fitting), width="content")
        with st.popover("Filter"):
            for column, label in (
                ("therapist_id", "Therapist"),
                ("kind", "Kind"),
                ("site_id", "Site"),
            ):
                options = rows[column].drop_nulls().unique().sort().to_list()
                chosen = st.multiselect(
                    label,
                    options,
                    key=f"filter_{column}",
                    format_func=(lambda kind: mark(kind).text) if column == "kind" else str,
                )
                if chosen:
                    rows = rows.filter(pl.col(column).is_in(chosen))
        with st.popover("How is this computed?", type="tertiary"):
            st.markdown(
                f"We reckon with {MINUTES_A_CASE} minutes a case. That number is chosen, not a "
                "finding. Order: safety item, deteriorating, stuck, alliance; within a kind, the "
                "least gain first, counted in clear changes of the measure, then who has waited "
                "longest. What does not fit stays below, one click away: nothing is dropped."
            )
    return minutes, rows


def _rows(visit: Visit, rows: pl.DataFrame) -> None:
    with st.container(gap="xsmall"):
        for row in rows.to_dicts():
            _row(visit, row)


def _row(visit: Visit, row: dict[str, Any]) -> None:
    with st.container(border=True):
        status, reason, way = st.columns([2, 5.9, 1.8], vertical_alignment="center")
    status.markdown(mark(row["kind"]).markdown)
    words = reason.container(gap=None)
    words.markdown(f"### {plain(row['sentence'])}", anchors=False)
    words.markdown("  \n".join(small(line) for line in (_facts(visit, row), _remarks(row)) if line))
    scores = scores_in(row["sparkline"])
    way = way.container(gap="xsmall")
    way.image(
        sparkline(scores, row["scale_minimum"], row["scale_maximum"]),
        alt=sparkline_words(scores),
    )
    way.page_link(
        visit.case_page,
        label=f":blue[Open {plain(row['case_id'])}]",
        query_params=visit.case_address(row["case_id"]),
    )


def _remarks(row: dict[str, Any]) -> str:
    others = [mark(kind).text for kind in row["kinds"].split(",") if kind not in ("", row["kind"])]
    remarks = [
        row["also"],
        f"also open: {', '.join(others)}" if others else "",
        "" if row["is_verified"] else "an unverified number is behind it",
    ]
    return plain(" · ".join(remark for remark in remarks if remark))


def _facts(visit: Visit, row: dict[str, Any]) -> str:
    seen = row["sessions_attended"]
    facts = [
        "sessions not sent" if seen is None else f"{counted(seen, 'session')} attended",
        visit.last_contact(row["days_since_contact"]),
        row["therapist_id"] or "no therapist",
        since(row["since_session"], row["since_day"]),
    ]
    return plain(" · ".join(fact for fact in facts if fact))


def _why_empty(rows: pl.DataFrame, standing: pl.DataFrame) -> str:
    if rows["is_flagged"].any():
        return "No flagged case matches the filter. Clear the filter to see them all."
    if standing.is_empty():
        return (
            "No open case is assigned to you. Cases come here through their therapist's "
            "supervisor in the practice's tables, or through [roles.supervisors] in unstuck.toml."
        )
    return "No open case is flagged. A case comes here when a night finds a reason to talk."


def _not_in_queue(standing: pl.DataFrame) -> str:
    out = standing.with_columns(outside=pl.col("case_count") - pl.col("queued_count"))
    well = {
        status: out.filter(pl.col("status") == status)["outside"].sum()
        for status in ("on_track", "improved", "recovered")
    }
    words = ", ".join(f"{number} {mark(status).word}" for status, number in well.items())
    unjudged = out.filter((pl.col("status") == "cannot_judge") & (pl.col("outside") > 0))
    said = f"Not in the queue: {words}"
    if len(unjudged):
        why = ", ".join(
            f"{code_words(code)} ({number})"
            for code, number in unjudged.select("code", "outside").rows()
        )
        said += f"; {unjudged['outside'].sum()} cannot be judged: {why}"
    return plain(said + ".")
