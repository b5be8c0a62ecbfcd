"""How many cases a week can be talked about, and what does that catch and miss here?"""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboard import reading_evidence
from dashboard.queue_line import (
    FEWEST,
    MOST,
    NO_OUTLOOK,
    NO_WEEKS,
    NOT_READABLE,
    NOT_TESTED,
    Line,
    line_at,
    most_tested,
)
from dashboard.reading_evidence import Asked
from dashboard.visit import Visit
from dashboard.words import plain, small
from data_contracts.errors import UnstuckError

_CHOSEN = "cases_a_week"


def choose_line(visit: Visit, rows: pl.DataFrame, *, usual: int) -> Line:
    """Draw the choice and what it means; without a back-test, say that one is needed.

    `rows` are those of the queue, `usual` the number taken until somebody chooses one.
    """
    line = _without_choice(visit, rows)
    if isinstance(line, pl.DataFrame):
        line = line_at(line, _cases_a_week(visit, usual))
    st.markdown(small(plain(line.sentence)))
    return line


def _without_choice(visit: Visit, rows: pl.DataFrame) -> Line | pl.DataFrame:
    """Return the budget to choose from, or the line where there is nothing to choose."""
    try:
        budget = _published(visit)
    except UnstuckError:  # the queue is there without it
        return Line(sentence=NOT_READABLE)
    if budget is None:
        return Line(sentence=NOT_TESTED)
    if budget.is_empty():
        return Line(sentence=NO_WEEKS)
    if not (rows["probability_from"] == "outlook").any():
        return Line(sentence=NO_OUTLOOK)
    return budget


def _published(visit: Visit) -> pl.DataFrame | None:
    evidence = reading_evidence.current_evidence(visit.places)
    if evidence is None:
        return None
    asked = most_tested(reading_evidence.backtests(evidence, visit.scope))
    if asked is None:
        return None
    measure_id, outcome = asked
    return reading_evidence.budget(
        evidence, visit.scope, Asked(measure_id=measure_id, outcome=outcome)
    )


def _cases_a_week(visit: Visit, usual: int) -> int:
    """Draw the number; what was chosen is remembered until another night or another viewer."""
    label = "Cases a week I can talk about"
    # The widget forgets its number when another screen is drawn; the memory does not.
    if _CHOSEN not in visit.memory:
        st.session_state[_CHOSEN] = usual
    elif _CHOSEN not in st.session_state:
        st.session_state[_CHOSEN] = visit.memory[_CHOSEN]

    def remember() -> None:
        visit.memory[_CHOSEN] = st.session_state[_CHOSEN]

    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{label}**", width="content")
        number = st.number_input(
            label,
            min_value=FEWEST,
            max_value=MOST,
            step=1,
            key=_CHOSEN,
            on_change=remember,
            label_visibility="collapsed",
            width=130,
        )
    return int(number)
