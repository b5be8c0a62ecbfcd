"""What happened to flagged cases after a talk about them, and without one?"""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.figures import hidden
from dashboard.follow_up_words import (
    BY_DECISION,
    COMPUTED,
    NO_TRIAL,
    REGRESSION,
    decision_table,
    group_sentences,
    kinds_told,
    useful_sentence,
    went_on_table,
)
from dashboard.visit import Visit
from dashboard.words import mark, plain, small
from data_contracts.suppression import suppression_rule


def show_follow_up(visit: Visit) -> None:
    """Draw what followed flags: what it cannot say first, then sentences, then the table."""
    st.header("After a flag", anchor="after-a-flag")
    rows = reading.follow_up(visit.snapshot, visit.scope)
    kinds = kinds_told(rows)
    if not kinds:
        st.info(
            "Nothing to tell yet: a flag is followed for 14 weeks, and a practice day must be in "
            "the data. Where a night could not read the decisions, it says so on the screen of "
            "runs."
        )
        return
    preset = visit.settings.publishing.suppression
    st.markdown(plain(NO_TRIAL))
    kind = st.segmented_control(
        "Kind of flag",
        kinds,
        default="stuck" if "stuck" in kinds else kinds[0],
        format_func=lambda each: mark(each).text,
        key="follow_up_kind",
        required=True,
    )
    _of_kind(rows.filter(pl.col("kind") == kind), kind or kinds[0], preset)


def _of_kind(of_kind: pl.DataFrame, kind: str, preset: str) -> None:
    sentences = [*group_sentences(of_kind, preset), useful_sentence(of_kind, kind, preset)]
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))
    st.markdown(small(plain(REGRESSION)))
    table = went_on_table(of_kind, preset)
    if table.height:
        st.table(table, border="horizontal", hide_index=True)
    with st.container(horizontal=True):
        decisions = decision_table(of_kind, preset)
        if decisions.height:
            with st.popover("By decision", type="tertiary"):
                st.table(decisions, border="horizontal", hide_index=True)
                st.markdown(small(BY_DECISION))
        with st.popover("How is this computed?", type="tertiary"):
            small_numbers = f"Small numbers: {hidden(preset)}; {suppression_rule(preset).source}."
            st.markdown("\n".join(f"- {small(plain(line))}" for line in (*COMPUTED, small_numbers)))
