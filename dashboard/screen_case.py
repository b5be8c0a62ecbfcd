"""Why is this case here, since when, and what is its course?"""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.case_charts import show_charts
from dashboard.case_downloads import show_case_downloads
from dashboard.case_flag_quality import show_flag_quality
from dashboard.case_header import case_facts, case_marks
from dashboard.case_lenses import show_lenses
from dashboard.case_words import (
    ANSWERS_SHOWN,
    SafetyItem,
    Standing,
    case_blocks,
    event_sentences,
    flag_history,
    heading_sentences,
    measure_names,
    open_flags,
    outlook_sentences,
    safety_answers,
    since_day_words,
    standing_of,
    status_history,
)
from dashboard.reading import CaseRecord
from dashboard.review_panel import show_decide, show_review_history
from dashboard.scope import OutsideScopeError
from dashboard.visit import Visit
from dashboard.words import code_words, mark, moment, plain, small
from data_contracts.errors import UnknownCaseError
from data_contracts.rule import rule_text, status_rule

HEADING_SOURCES = """
- **How it may end**: a model trained on this practice's own ended cases, from the course so far,
  told in tenths. Where it cannot say, the status rule stands in: the case then has its place in the
  queue by what cases with its status came to. The model's card is under Runs; how often it was
  right here, under Alert quality.
- **From all scores so far**: the course this practice's cases usually take from such a start, moved
  by how far this case's own scores lie from it; the 8 in 10 are how far past cases ended from what
  was said of them.
- **Less than half a clear change**: level and slope of this case, followed score by score; the
  slope may change at any time, so a course is not taken to flatten by itself.
- **Similar past cases**: ended cases of this practice nearest in start and course so far (Lutz and
  others 2005, 2019, recalled).

How often each came true on held-out cases: docs/expected_course.md and docs/similar_cases.md.
"""
NO_SOURCE = "no number of its own is used"


def show(visit: Visit) -> None:
    """Draw the case that the address names, else say how to get to one."""
    visit.title("Case")
    asked = st.query_params.get("case", "")
    try:
        visit.scope.require_cases()
    except OutsideScopeError:
        if asked:
            visit.note_refused_case(asked)
        raise
    case_id = asked or visit.memory.get("last_case", "")
    _ways(visit, case_id)
    if not case_id:
        st.info("No case is chosen. Open one from the supervision queue, or type its id above.")
        return
    with st.spinner("Reading the case ..."):
        try:
            record = reading.case_record(visit.snapshot, visit.scope, case_id)
        except UnknownCaseError:
            visit.note_refused_case(case_id)
            raise
    visit.note_case(case_id)  # before anything of it is drawn
    visit.memory["last_case"] = case_id
    standing = standing_of(record)
    _header(visit, record)
    words, pictures = st.columns([1, 1.75], gap="medium")
    with words:
        items = safety_answers(record)
        is_first = {item.name: item.is_flagged or item.is_above_lowest for item in items}
        _safety(visit, [item for item in items if is_first[item.name]])
        _why(visit, record, standing)
        show_decide(visit, record)
        show_flag_quality(visit, record, standing)
        _other_measures(record, standing)
        _heading(record, standing)
        _events(record)
        _safety(visit, [item for item in items if not is_first[item.name]])
    with pictures:
        show_charts(record, status_rule(visit.settings.rule).thresholds.pair_days)
        show_lenses(visit, record)
    show_case_downloads(visit, record)
    with st.expander("Decisions about this case"):
        show_review_history(visit, record)
    _history(record)


def _ways(visit: Visit, case_id: str) -> None:
    order = visit.memory.get("queue_order") or list(
        reading.queue(visit.snapshot, visit.scope)["case_id"]
    )
    place = order.index(case_id) if case_id in order else None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(visit.queue_page, label=":blue[Back to the queue]", query_params=visit.address)
        if place is not None:
            _step(visit, "Previous", "P", order[place - 1] if place else None)
            _step(visit, "Next", "N", order[place + 1] if place + 1 < len(order) else None)
            st.markdown(small(f"{place + 1} of {len(order)} in your queue"), width="content")
        st.text_input(
            "Go to case",
            key="jump_text",
            placeholder="Go to case id",
            label_visibility="collapsed",
            width=160,
            on_change=_remember_jump,
        )
    wanted = st.session_state.pop("jump_to", "")
    if wanted:
        st.switch_page(visit.case_page, query_params=visit.case_address(wanted))


def _remember_jump() -> None:
    st.session_state["jump_to"] = st.session_state["jump_text"].strip()
    st.session_state["jump_text"] = ""


def _step(visit: Visit, label: str, key: str, case_id: str | None) -> None:
    if st.button(label, shortcut=key, disabled=case_id is None) and case_id:
        st.switch_page(visit.case_page, query_params=visit.case_address(case_id))


def _header(visit: Visit, record: CaseRecord) -> None:
    visit.title(f"Case {plain(record.case['case_id'])}")
    st.markdown(" · ".join(f"{found.markdown} {since}" for found, since in case_marks(record)))
    facts = case_facts(record, visit.last_contact(record.case["days_since_contact"]))
    facts.append(f"published {moment(visit.snapshot.published_at)}")
    st.markdown(small(plain(" · ".join(facts))))


def _safety(visit: Visit, items: list[SafetyItem]) -> None:
    for item in items:
        with st.container(border=True):
            title = mark("safety").markdown if item.is_flagged else "**Safety item**"
            st.markdown(f"{title} {plain(item.name)}, as answered{_left_out(item)}")
            st.markdown(plain("; ".join(item.answers[-ANSWERS_SHOWN:])))
            st.markdown(small(plain(visit.settings.safety_protocol)))


def _left_out(item: SafetyItem) -> str:
    total = len(item.answers)
    return f" (the last {ANSWERS_SHOWN} of {total})" if total > ANSWERS_SHOWN else ""


def _why(visit: Visit, record: CaseRecord, standing: Standing | None) -> None:
    blocks = case_blocks(record)
    with st.container(border=True):
        st.header("Why it is here" if open_flags(record) else "Where it stands", anchor=False)
        for block in blocks:
            if len(blocks) > 1:
                st.markdown(f"{block.heading.markdown} {block.since_words}")
            for sentence in block.sentences or ["The night left no sentence for this."]:
                st.markdown(f"- {plain(sentence)}")
        if not blocks:
            st.markdown("Nothing could be judged in this case yet.")
        if (
            standing
            and standing.status == "cannot_judge"
            and standing.last_status != "cannot_judge"
        ):
            last = f"Last known (day {standing.last_day}): {mark(standing.last_status).text}."
            st.markdown(small(plain(last)))
        tags = [tag for tag in standing.tags.split(",") if tag] if standing else []
        # Most tags have a sentence above.
        unsaid = [code_words(tag) for tag in tags if tag not in set(record.reasons["code"])]
        if unsaid:
            st.markdown(small(plain(f"Also: {', '.join(unsaid)}.")))
        leaving = [(block.heading, line) for block in blocks for line in block.leaves]
        if leaving:
            several = len(leaving) > 1
            st.markdown(f"**What would remove {'these flags' if several else 'this flag'}**")
            for heading, line in leaving:
                st.markdown(f"{heading.markdown}: {plain(line)}" if several else plain(line))
        is_said = any(block.says_unverified for block in blocks)
        if standing and not standing.is_verified and not is_said:
            unverified = "Unverified: a number behind this status was not read in its source."
            st.markdown(small(unverified))
        _computed(visit, record, standing)


def _computed(visit: Visit, record: CaseRecord, standing: Standing | None) -> None:
    with st.popover("How is this computed?", type="tertiary"):
        version = standing.rule_version if standing else "?"
        st.markdown(
            f"A published rule, version {plain(version)}, looks at the scores in order and takes "
            f"the first condition that holds. Computed in run {plain(visit.snapshot.run_id)}."
        )
        used = {*record.course["measure_id"], *record.alliance["measure_id"]}
        for row in record.measures.filter(pl.col("measure_id").is_in(used)).to_dicts():
            remark = "" if row["is_verified"] else " (unverified)"
            st.markdown(f"**{plain(row['name'])}**{remark}: {plain(row['sources'] or NO_SOURCE)}")
        with st.expander("The rule's numbers"):
            if visit.settings.rule:
                changed = ", ".join(
                    f"{name} = {value:g}" for name, value in visit.settings.rule.items()
                )
                st.markdown(plain(f"This practice sets: {changed}."))
            st.code(rule_text(), language="toml")


def _other_measures(record: CaseRecord, standing: Standing | None) -> None:
    decided = {"case", standing.decided_by if standing else ""}
    others = record.current.filter(~pl.col("measure_id").is_in(decided))
    if others.is_empty():
        return
    names = measure_names(record)
    with st.container(border=True):
        st.header("What the other measures say", anchor=False)
        for row in others.to_dicts():
            name = plain(names.get(row["measure_id"], row["measure_id"]))
            since_words = since_day_words(record, row["since_day"])
            st.markdown(f"**{name}** {mark(row['status']).markdown} {since_words}")
            if row["code"]:
                st.markdown(small(plain(code_words(row["code"]))))


def _heading(record: CaseRecord, standing: Standing | None) -> None:
    said = (
        [
            *outlook_sentences(record, standing.decided_by),
            *heading_sentences(record, standing.decided_by),
        ]
        if standing
        else []
    )
    if not said or (standing and standing.code == "stale"):  # ahead of a score long ago
        return
    with st.container(border=True):
        st.header("Where it may be heading", anchor=False)
        for sentence in said:
            st.markdown(f"- {plain(sentence)}")
        st.markdown(
            small(
                "Not a flag, and no status looks at it. The order of the queue looks at the first "
                "line. A course can always turn."
            )
        )
        with st.popover("How is this computed?", type="tertiary"):
            st.markdown(HEADING_SOURCES)


def _events(record: CaseRecord) -> None:
    said = event_sentences(record)
    if not said:
        return
    with st.container(border=True):
        st.header("Also seen", anchor=False)
        for sentence in said:
            st.markdown(f"- {plain(sentence)}")
        st.markdown(small("Events describe a course; none is a flag or a cause."))


def _history(record: CaseRecord) -> None:
    with st.expander("History: status at each score, and every flag"):
        flags, statuses = flag_history(record), status_history(record)
        st.markdown("**Flags**" if len(flags) else "This case was never flagged.")
        if len(flags):
            st.table(flags, border="horizontal", hide_index=True)
        st.markdown("**Status at each score**" if len(statuses) else "No score was judged yet.")
        if len(statuses):
            st.table(statuses, border="horizontal", hide_index=True)
