"""Where to look, on the screen: what leads stands open, the rest says what it is or what to ask."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.case_lenses import lens_lines, nothing_measured, opening_sentence
from data_contracts.lenses import FIRST_LENSES, lens_contract, lens_row
from data_contracts.tables_judged import LENSES

SAID: dict[str, tuple[str | None, str]] = {
    "hope": ("strong", "Outcome expectation was 2.5 of 10 in the last two ratings (first 7)."),
    "homework_not_done": ("moderate", "Of what was set the last 3 times, 40 % was done."),
    "support": ("moderate", "Support from others was 4 of 10 in the last two ratings (first 5)."),
    "strongest_domain": (None, "ORS Socially goes best at present (8 of 10)."),
    "unspoken_doubts": ("weak", "2 of the last 6 sessions offered did not take place."),
}
QUIET = ("safety_item", "alliance_weak")


def record_of(said: dict[str, tuple[str | None, str]], quiet: tuple[str, ...] = QUIET) -> Any:
    """Return what a case's screen is given, with these findings in the order of the contract."""
    ordered = sorted(
        lens_contract().of_cases,
        key=lambda row: (row.lens not in FIRST_LENSES, row.id not in said, list(said).index(row.id)
                         if row.id in said else 0),
    )  # fmt: skip
    leading = next(
        (row.id for row in ordered if row.lens not in FIRST_LENSES and said.get(row.id, ("",))[0]),
        None,
    )
    rows = [
        {
            "case_id": "C-1",
            "row_id": row.id,
            "lens": row.lens,
            "position": place,
            "is_leading": row.id == leading,
            "strength": said.get(row.id, (None, ""))[0],
            "has_data": row.id in said or row.id in quiet,
            "is_question_only": row.kind == "question",
            "day": 56,
            "sentence": said.get(row.id, (None, ""))[1],
            "parameters": json.dumps({}),
        }
        for place, row in enumerate(ordered, 1)
    ]
    return SimpleNamespace(lenses=pl.DataFrame(rows))


def screen(record: Any, protocol: str = "Follow protocol 7.") -> AppTest:
    def draw(lenses: str, protocol: str) -> None:
        from types import SimpleNamespace

        import polars as pl

        from dashboard.case_lenses import show_lenses

        visit = SimpleNamespace(settings=SimpleNamespace(safety_protocol=protocol))
        show_lenses(visit, SimpleNamespace(lenses=pl.read_json(lenses.encode())))

    test = AppTest.from_function(draw, args=(record.lenses.write_json(), protocol))
    test.run(timeout=30)
    assert not test.exception
    return test


def text_of(test: AppTest) -> str:
    parts = [*test.header, *test.markdown, *test.expander]
    said = [str(getattr(part, "value", None) or getattr(part, "label", "")) for part in parts]
    return "\n".join(said).replace("\\", "")


def test_the_columns_are_those_of_the_contract() -> None:
    assert set(record_of(SAID).lenses.columns) == set(LENSES.column_names)


def test_lines_come_in_order_with_strength_evidence_and_questions() -> None:
    lines = lens_lines(record_of(SAID))
    assert [line.row.id for line in lines] == list(SAID)
    first = lines[0]
    assert (first.lens, first.name, first.is_leading) == ("Client", "Hope", True)
    assert first.small == "strong sign, meta-analysis"
    assert first.questions == lens_row("hope").questions
    assert lines[3].small == "to build on, clinical writing"
    assert not any(line.is_leading for line in lines[1:])


def test_an_answer_about_safety_is_shown_as_answered_and_never_as_a_sign_of_something() -> None:
    answered = {"safety_item": ("strong", "PHQ-9 item 9 was answered 1 (session 3).")}
    assert [line.small for line in lens_lines(record_of(answered))] == ["as answered"]


def test_a_sheet_ends_with_the_sentence_of_what_leads_else_with_one_that_always_fits() -> None:
    assert opening_sentence(record_of(SAID)) == lens_row("hope").opening
    assert opening_sentence(record_of({})) == lens_contract().words.opening


def test_what_was_not_measured_names_whole_lenses_and_counts_the_rest() -> None:
    said = nothing_measured(record_of(SAID))
    # client, life and action have something; nothing was sent about the process
    assert said.startswith("Nothing measured: Missing data, Process.")
    assert said.endswith("19 of 26 places to look have no data.")
    everything = tuple(row.id for row in lens_contract().of_cases)
    assert nothing_measured(record_of({}, quiet=everything)) == ""


def test_rows_of_another_version_are_passed_over() -> None:
    record = record_of(SAID)
    renamed = pl.col("row_id").replace({"support": "row_of_tomorrow"})
    record.lenses = record.lenses.with_columns(renamed)
    assert "support" not in [line.row.id for line in lens_lines(record)]


def test_two_lenses_stand_open_and_the_others_are_folded() -> None:
    test = screen(record_of(SAID))
    text = text_of(test)
    assert test.header[0].value == "Where to look"
    assert "Client: hope" in text
    assert "Outcome expectation was 2.5 of 10" in text
    assert f"> {lens_row('hope').questions[0]}" in text
    assert [found.label for found in test.expander] == [
        "More places to look: Life around therapy, Client"
    ]
    folded = "\n".join(part.value for part in test.expander[0].markdown).replace("\\", "")
    assert "Support from others was 4 of 10" in folded
    assert "Asked, never inferred" in folded
    assert lens_row("focus_past").questions[0] in folded
    assert lens_row("hope").opening in text


def test_each_place_without_data_says_what_to_ask_or_measure() -> None:
    text = text_of(screen(record_of(SAID)))
    assert lens_row("flexibility").no_data in text
    assert lens_row("alliance_ceiling").no_data in text
    assert lens_row("hope").no_data not in text


def test_how_it_is_computed_names_rule_lines_and_source() -> None:
    text = text_of(screen(record_of(SAID)))
    assert lens_row("hope").computed in text
    assert "3: the last two ratings average this or less" in text
    assert "not read in a source" in text
    assert "R57: Constantino 2018" in text


def test_the_safeguarding_text_stands_before_any_prompt_about_unsafe_people() -> None:
    unsafe = {"unsafe_people": ("strong", "Feeling put down was rated 7 of 10 (session 3).")}
    text = text_of(screen(record_of(unsafe | SAID)))
    assert text.index("Follow protocol 7.") < text.index(lens_row("unsafe_people").questions[0])
    assert "Follow protocol 7." not in text_of(screen(record_of(SAID)))


def test_nothing_found_says_so_and_still_opens_the_talk() -> None:
    text = text_of(screen(record_of({})))
    assert lens_contract().words.nothing_leads in text
    assert lens_contract().words.opening in text


ANSWERED: dict[str, tuple[str | None, str]] = {
    "safety_item": ("strong", "PHQ-9 item 9 was answered 2 (session 3).")
}
OF_LATE: dict[str, tuple[str | None, str]] = {
    "safety_item": ("weak", "PHQ-9 item 9 was answered 1 (session 3), 0 since.")
}


@pytest.mark.parametrize("strength", ["strong", "moderate"])
def test_an_answer_about_safety_opens_the_talk_before_whatever_leads(strength: str) -> None:
    answered = {"safety_item": (strength, ANSWERED["safety_item"][1])}
    assert opening_sentence(record_of(answered | SAID)) == lens_row("safety_item").opening
    assert opening_sentence(record_of(answered)) == lens_row("safety_item").opening


def test_an_answer_that_has_passed_since_leaves_the_opening_to_what_leads() -> None:
    assert opening_sentence(record_of(OF_LATE | SAID)) == lens_row("hope").opening


@pytest.mark.parametrize("seen", [ANSWERED, OF_LATE], ids=["answered", "of late"])
def test_under_an_answer_about_safety_nothing_stands_out_is_not_said(seen: Any) -> None:
    assert lens_contract().words.nothing_leads not in text_of(screen(record_of(seen)))


def test_safety_is_never_listed_among_what_does_not_stand_out() -> None:
    record = record_of({}, quiet=("safety_item", "unsafe_people", "alliance_weak"))
    assert "nothing stands out: Low ratings." in text_of(screen(record))


def test_the_opening_says_who_could_say_it_to_whom() -> None:
    assert "To open the talk, the therapist could say to the client" in text_of(
        screen(record_of(SAID))
    )


def test_a_case_outside_the_queue_has_no_panel() -> None:
    empty = SimpleNamespace(lenses=record_of({}).lenses.clear())
    test = screen(empty)
    assert not test.header
    assert not test.markdown


@pytest.mark.parametrize("name", ["hope", "homework_not_done"])
def test_no_sentence_names_a_therapist_row(name: str) -> None:
    text = text_of(screen(record_of({name: SAID[name]})))
    for row in lens_contract().rows:
        if row.place == "caseload":
            assert row.opening not in text
            assert not any(question in text for question in row.questions)
