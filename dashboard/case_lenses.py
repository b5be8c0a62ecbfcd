"""Where might one look in this case, what could be asked, and how to open the talk?

Numbers and sentences come from the night, questions and sources from data_contracts/lenses.toml;
nothing is computed here. Prompts for a talk.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import streamlit as st

from dashboard.reading import CaseRecord
from dashboard.visit import Visit
from dashboard.words import plain, quoted, small
from data_contracts.lenses import FIRST_LENSES, LensRow, Strength, lens_contract

OPEN_LENSES = 2  # lenses that stand open behind safety and missing data; the others in an expander


@dataclass(frozen=True, kw_only=True)
class LensLine:
    """One place to look in which something was seen, as plain text."""

    row: LensRow
    lens: str
    name: str
    sentence: str
    small: str
    questions: tuple[str, ...]
    is_leading: bool
    opens_the_talk: bool  # before all others: flagged for safety, or last above the lowest answer


def lens_lines(record: CaseRecord) -> list[LensLine]:
    """Return where something was seen, in order: safety, missing data, then what leads."""
    contract = lens_contract()
    rows = {row.id: row for row in contract.of_cases}
    found = []
    for seen in record.lenses.sort("position").to_dicts():
        row = rows.get(seen["row_id"])  # a snapshot of another version may know other rows
        if row is None or not seen["sentence"] or row.kind == "question":
            continue
        found.append(
            LensLine(
                row=row,
                lens=contract.lens_names[row.lens],
                name=row.name,
                sentence=seen["sentence"],
                small=_small(row, seen["strength"]),
                questions=row.questions,
                is_leading=seen["is_leading"],
                opens_the_talk=row.lens == "safety" and seen["strength"] != "weak",
            )
        )
    return found


def _small(row: LensRow, strength: Strength | None) -> str:
    """Return how clear the sign is and how well it is known; an answer about safety is neither."""
    words = lens_contract().words
    if row.lens == "safety":
        return words.as_answered
    sign = words.of_strength(strength) if strength else words.resource
    return f"{sign}, {_evidence_words(row)}"


def nothing_measured(record: CaseRecord) -> str:
    """Return what nothing was sent for, in one line; empty where all was measured."""
    without = _without_data(record)
    if not without:
        return ""
    words = lens_contract().words
    silent = {row.lens for row in without} - {row.lens for row in _with_data(record)}
    names = [name for lens, name in lens_contract().lens_names.items() if lens in silent]
    whole = words.nothing_measured.replace("{names}", ", ".join(names)) + " " if names else ""
    count = words.no_data_count.replace("{missing}", str(len(without)))
    return whole + count.replace("{all}", str(len(without) + len(_with_data(record))))


def opening_sentence(record: CaseRecord) -> str:
    """Return what the therapist could open the talk with: about safety first, else what leads."""
    lines = lens_lines(record)
    safety = [line.row.opening for line in lines if line.opens_the_talk]
    leading = [line.row.opening for line in lines if line.is_leading]
    return (safety + leading + [lens_contract().words.opening])[0]


def show_lenses(visit: Visit, record: CaseRecord) -> None:
    """Draw the panel: what leads open, the rest folded, then how the talk could begin."""
    if record.lenses.is_empty():  # not in the queue, or a snapshot of an older version
        return
    words, lines = lens_contract().words, lens_lines(record)
    with st.container(border=True):
        st.header(words.title, anchor=False)
        if any(line.row.safeguarding for line in lines):
            st.markdown(plain(visit.settings.safety_protocol))
        groups = [list(group) for _, group in groupby(lines, key=lambda line: line.row.lens)]
        first = [group for group in groups if group[0].row.lens in FIRST_LENSES]
        others = [group for group in groups if group[0].row.lens not in FIRST_LENSES]
        for group in first + others[:OPEN_LENSES]:
            _group(group)
        if not others and not any(line.row.lens == "safety" for line in lines):
            st.markdown(plain(words.nothing_leads))
        _folded(others[OPEN_LENSES:])
        _silent(record)
        st.markdown(f"**{words.opening_title}**")
        st.markdown(quoted([opening_sentence(record)]))
        st.markdown(small(plain(words.note)))
        _computed(lines)


def _group(lines: list[LensLine]) -> None:
    """Draw one lens: each sign with its strength, then the questions of the first."""
    for line in lines:
        head = line.lens if line.name == line.lens else f"{line.lens}: {line.name[0].lower()}"
        head += "" if line.name == line.lens else line.name[1:]
        st.markdown(f":blue[**{plain(head)}**] {plain(line.sentence)} {small(f'({line.small})')}")
    asked = next((line for line in lines if line.row.kind == "signal"), lines[0])
    st.markdown(quoted(asked.questions))


def _folded(groups: list[list[LensLine]]) -> None:
    words = lens_contract().words
    names = ", ".join(group[0].lens for group in groups)
    title = f"{words.more}: {names}" if names else f"{words.more}: {words.questions_only.lower()}"
    with st.expander(title):
        for group in groups:
            _group(group)
        st.markdown(f"**{words.questions_only}**")
        for row in lens_contract().of_cases:
            if row.kind == "question":
                st.markdown(plain(row.name))
                st.markdown(quoted(row.questions))


def _silent(record: CaseRecord) -> None:
    """Say what was looked at in vain (never safety), and what nothing was sent for."""
    words, without = lens_contract().words, _without_data(record)
    quiet = set(record.lenses.filter(record.lenses["sentence"] == "")["row_id"])
    looked_at = [row for row in _with_data(record) if row.lens != "safety"]
    names = [row.name for row in looked_at if row.id in quiet]
    if names:
        listed = words.nothing_seen.replace("{names}", ", ".join(names))
        st.markdown(small(plain(listed)))
    if without:
        st.markdown(small(plain(nothing_measured(record))))
        with st.popover(words.what_to_add, type="tertiary"):
            for row in without:
                st.markdown(f"**{plain(row.name)}** {plain(row.no_data)}")


def _computed(lines: list[LensLine]) -> None:
    with st.popover("How is this computed?", type="tertiary"):
        for line in lines:
            row = line.row
            st.markdown(f"**{plain(row.name)}** {plain(row.computed)}")
            for threshold in row.thresholds.values():
                read = "" if threshold.verified else ", not read in a source"
                rule = f"{threshold.value:g}: {threshold.meaning} ({threshold.source}{read})"
                st.markdown(f"- {plain(rule)}")
            st.markdown(small(plain(f"Evidence: {_evidence_words(row)}. {row.source}.")))
        st.markdown(small("Every row, with its rule and source: docs/lenses.md"))


def _evidence_words(row: LensRow) -> str:
    return {"chosen": "line chosen by us", "none found": "no figure found"}.get(
        row.evidence, row.evidence
    )


def _without_data(record: CaseRecord) -> list[LensRow]:
    return _asked_of_data(record, has_data=False)


def _with_data(record: CaseRecord) -> list[LensRow]:
    return _asked_of_data(record, has_data=True)


def _asked_of_data(record: CaseRecord, *, has_data: bool) -> list[LensRow]:
    """Return the rows that rest on data, by whether this case has them."""
    ids = set(record.lenses.filter(record.lenses["has_data"] == has_data)["row_id"])
    return [row for row in lens_contract().of_cases if row.id in ids and row.kind != "question"]
