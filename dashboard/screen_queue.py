"""Whom do I talk about in the time I have?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from dashboard import reading, reviews
from dashboard.queue_budget import choose_line
from dashboard.queue_downloads import show_queue_downloads
from dashboard.queue_line import LINE_IN_WORDS, NO_LINE, Line
from dashboard.queue_order import (
    MINUTES_A_CASE,
    NEED_IN_WORDS,
    ORDER_IN_WORDS,
    LookBack,
    Row,
    hour_of,
)
from dashboard.queue_rows import Told, show_case_link, show_rows
from dashboard.review_panel import queue_reviews, show_saved
from dashboard.review_saving import today
from dashboard.review_sentences import queue_review_words, rule_in_words
from dashboard.visit import Visit
from dashboard.words import code_words, counted, mark, moment, plain, small

MINUTES = (30, 60, 90)
_FILTERS = (("therapist_id", "Therapist"), ("kind", "Kind"), ("site_id", "Site"))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The queue in the parts it is shown in; rows of published_queue in the order of need."""

    to_talk_about: list[dict[str, Any]]
    below: list[dict[str, Any]]
    resting: list[dict[str, Any]]
    watched: list[dict[str, Any]]

    @property
    def order(self) -> list[str]:
        """In which order "next case" goes through them."""
        rows = [*self.to_talk_about, *self.below, *self.watched, *self.resting]
        return [row["case_id"] for row in rows]


def show(visit: Visit) -> None:
    """Draw the queue."""
    visit.title("Supervision queue")
    visit.scope.require_cases()
    visit.note_list("queue")
    with st.spinner("Reading the last published night ..."):
        rows = reading.queue(visit.snapshot, visit.scope)
        told = queue_reviews(visit, rows)
        due_elsewhere = _due_elsewhere(visit)
        standing = reading.standing(visit.snapshot, visit.scope)
    headline = st.container()  # it counts by the line, which is chosen below it
    show_saved(visit)
    minutes, kept = _controls(rows)
    line = choose_line(visit, rows, usual=minutes // MINUTES_A_CASE)
    everything = parts_of(rows, told, line)
    headline.markdown(small(_headline(visit, everything, len(due_elsewhere), standing)))
    parts = parts_of(kept, told, line)
    visit.memory["queue_order"] = parts.order
    hour = hour_of(parts.to_talk_about, due_elsewhere, minutes, line.takes)
    with st.container(gap="xsmall"):
        show_rows(visit, [*hour.cases, *hour.watched], told, line)
        if not parts.to_talk_about:
            st.info(_why_empty(rows, parts, standing))
        _due(visit, hour.look_backs)
        others = counted(len(hour.waiting), "case")
        _folded(visit, "others", f"Show the other {others}", hour.waiting, told, line)
        below = f"Flagged, below your line ({len(parts.below)})"
        _folded(visit, "below", below, parts.below, told, line)
        resting = f"Decided, resting for now ({len(parts.resting)})"
        _folded(visit, "resting", resting, parts.resting, told, line)
        watched = f"Not flagged; to keep an eye on ({len(parts.watched)})"
        _folded(visit, "watched", watched, parts.watched, told, line)
    show_queue_downloads(
        visit,
        [*parts.to_talk_about, *parts.below],
        told,
        hour,
        minutes=minutes,
        resting=len(parts.resting),
        below=len(parts.below),
    )
    st.markdown(small(_not_in_queue(standing)))


def parts_of(rows: pl.DataFrame, told: Told, line: Line = NO_LINE) -> Parts:
    """Split the queue: a case that was decided about rests until it is due or changes.

    What is due is talked about, wherever it lies from the line.
    """
    found: dict[str, list[dict[str, Any]]] = {"up": [], "below": [], "resting": [], "watched": []}
    for row in rows.to_dicts():
        place = told[row["case_id"]][1]
        is_due = place.why in ("due", "overdue")
        if not row["is_flagged"] and not is_due and not line.takes(row):
            found["watched"].append(row)
        elif not place.is_in_list:
            found["resting"].append(row)
        else:
            found["up" if is_due or line.takes(row) else "below"].append(row)
    return Parts(
        to_talk_about=found["up"],
        below=found["below"],
        resting=found["resting"],
        watched=found["watched"],
    )


def _due_elsewhere(visit: Visit) -> list[LookBack]:
    """Return the cases outside the queue whose follow-up is due: a flag may have gone since."""
    cases = reading.cases_outside_queue(visit.snapshot, visit.scope)
    states = reviews.states(visit.workspace, today(), cases["case_id"].to_list())
    return [
        (case, states[case["case_id"]])
        for case in cases.to_dicts()
        if case["case_id"] in states and states[case["case_id"]].standing in ("due", "overdue")
    ]


def _headline(visit: Visit, parts: Parts, due_elsewhere: int, standing: pl.DataFrame) -> str:
    unjudged = standing.filter(pl.col("status") == "cannot_judge")["case_count"].sum()
    therapists = len(visit.scope.therapist_ids)
    whose = f"of your {counted(therapists, 'therapist')}" if therapists else "without a therapist"
    said = [
        f"State of {moment(visit.snapshot.published_at)}",
        f"{counted(int(standing['case_count'].sum()), 'open case')} {whose}",
        f"{len(parts.to_talk_about)} to talk about",
        f"{len(parts.below)} flagged below your line" if parts.below else "",
        f"{len(parts.resting)} decided and resting" if parts.resting else "",
        f"{due_elsewhere} more with a follow-up due" if due_elsewhere else "",
        f"{unjudged} cannot be judged now",
    ]
    return " · ".join(part for part in said if part)


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
            for column, label in _FILTERS:
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
                f"finding. {NEED_IN_WORDS} {ORDER_IN_WORDS} What does not fit stays below, one "
                "click away: nothing is dropped. The printed agenda holds the same cases in the "
                "same order."
            )
            st.markdown(LINE_IN_WORDS)
            st.markdown(rule_in_words())
    return minutes, rows


def _due(visit: Visit, found: Sequence[LookBack]) -> None:
    if not found:
        return
    with st.container(border=True, key="due_elsewhere"):
        st.markdown(f"**Follow-up due, no flag now ({len(found)})**")
        for case, state in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                show_case_link(visit, case["case_id"])
                st.markdown(plain(_now(case)), width="content")
                words = queue_review_words(state, today=today())
                st.markdown(small(plain(words)), width="content")


def _now(case: Row) -> str:
    if not case["is_open"]:
        return f"care has ended: {code_words(case['closed_class'] or 'outcome not known')}"
    return f"now {mark(case['status'] or 'cannot_judge').text}"


def _folded(
    visit: Visit, name: str, label: str, rows: Sequence[Row], told: Told, line: Line
) -> None:
    """Draw rows behind one click; they are made only when that click comes."""
    if not rows:
        return
    fold = st.expander(label, key=f"fold_{name}", on_change="rerun")
    if fold.open:
        with fold:
            show_rows(visit, rows, told, line)


def _why_empty(rows: pl.DataFrame, parts: Parts, standing: pl.DataFrame) -> str:
    if parts.below:
        return (
            "Nothing lies above your line now. The flagged cases below it are folded here: raise "
            "the cases a week to take more of them up."
        )
    if parts.resting:
        return (
            "Nothing to talk about now: every flagged case here was decided about and rests. They "
            "come back on their day, or at once when a new flag opens."
        )
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
