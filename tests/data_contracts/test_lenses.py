"""Every place to look is declared whole, names its source, and neither explains nor blames."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files

import pytest

from data_contracts.lenses import (
    LENSES_IN_ORDER,
    LensRow,
    lens_contract,
    lens_row,
    lenses_fingerprint,
    therapist_rows,
)
from data_contracts.words_not_used import words_not_used

ROWS = lens_contract().rows

# Typed by hand from ../shared/clinical/feedback_mapping.md (its table) and design/product.md.
MAPPED = {
    "alliance too weak": ("alliance", ["alliance_weak"]),
    "alliance too congenial": ("alliance", ["too_congenial"]),
    "ceiling or flat ratings": ("alliance", ["alliance_ceiling"]),
    "a drop not repaired": ("alliance", ["alliance_unrepaired"]),
    "disagree on goal / task / problem": (
        "alliance",
        ["work_disagreement", "raters_apart", "problem_disagreement"],
    ),
    "focus on the past": ("alliance", ["focus_past", "focus_not_agreed"]),
    "hopelessness": ("client", ["hope"]),
    "short-term relief, safety behaviour": ("client", ["relief_only", "safety_behaviour"]),
    "unspoken doubts": ("client", ["unspoken_doubts"]),
    "insight only": ("client", ["insight_without_action"]),
    "willingness to bear discomfort": ("client", ["bearing_discomfort"]),
    "low ownership, no action between sessions": (
        "action",
        ["homework_not_done", "homework_not_set", "homework_quality", "homework_hindrance"],
    ),
    "unsupportive network": ("life", ["support"]),
    "dismissive or unsafe people": ("safety", ["unsafe_people"]),
    "the domain that goes best": ("life", ["strongest_domain"]),
    "life domains / events": ("life", ["domain_flat", "life_events"]),
    "process: what moves with the outcome": ("process", ["own_processes"]),
    "process: inflexibility": ("process", ["flexibility"]),
    "therapist: not listening / imposing": ("therapist", ["therapist_listening"]),
    "therapist: tailoring": ("therapist", ["therapist_tailoring"]),
    "therapist: technique": ("therapist", ["therapist_technique"]),
    "therapist: seeking approval": ("therapist", ["therapist_approval"]),
    "therapist: personal struggle": ("therapist", ["therapist_strain"]),
    "risk item": ("safety", ["safety_item"]),
    "missing data": ("missing_data", ["scores_missing"]),
}
NEVER_INFERRED = {
    "focus_past",
    "therapist_tailoring",
    "therapist_technique",
    "therapist_approval",
    "therapist_strain",
}


def test_every_row_of_the_mapping_is_there_in_its_lens_and_no_other_row() -> None:
    expected = {row_id: lens for lens, ids in MAPPED.values() for row_id in ids}
    assert {row.id: row.lens for row in ROWS} == expected


def test_rows_stand_in_the_order_in_which_lenses_are_asked() -> None:
    places = [LENSES_IN_ORDER.index(row.lens) for row in ROWS]
    assert places == sorted(places)
    assert LENSES_IN_ORDER[:3] == ("safety", "missing_data", "alliance")


def test_what_is_asked_and_never_inferred_has_no_sentence_and_no_threshold() -> None:
    for row_id in NEVER_INFERRED:
        row = lens_row(row_id)
        assert row.kind == "question"
        assert not row.sentences
        assert not row.thresholds
        assert row.computed.startswith("Nothing is computed")


def test_rows_about_therapists_are_never_rows_of_a_case() -> None:
    assert {row.lens for row in therapist_rows()} == {"therapist"}
    assert "therapist" not in {row.lens for row in lens_contract().of_cases}
    assert [row.id for row in therapist_rows() if row.kind == "signal"] == ["therapist_listening"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_asks_openly_and_ends_with_a_sentence_to_begin_with(row: LensRow) -> None:
    assert 2 <= len(row.questions) <= 3
    assert all(question.endswith("?") for question in (*row.questions, row.opening))
    assert all(len(question) <= 110 for question in row.questions)
    closed = ("is ", "are ", "do ", "does ", "did ", "has ", "have ", "can ", "could ", "will ")
    open_ones = [q for q in row.questions if not q.lower().startswith(closed)]
    assert open_ones, "at least one question cannot be answered by yes or no"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_says_how_well_it_is_known_and_where_each_number_comes_from(row: LensRow) -> None:
    named = f"{row.source} {row.evidence}"
    assert any(word in named for word in ("R", "chosen", "no figure", "never inferred", "noted"))
    if row.evidence in ("meta-analysis", "single studies"):
        assert "R" in row.source
    for threshold in row.thresholds.values():
        is_read = threshold.source.startswith("R")
        assert is_read or "chosen" in threshold.source or "proposal" in threshold.source
        assert not threshold.verified or is_read


def test_without_a_figure_in_a_source_a_sign_is_moderate_at_most() -> None:
    assert lens_row("hope").most == "strong"
    assert lens_row("alliance_ceiling").most == "moderate"
    assert lens_row("relief_only").most == "moderate"
    assert lens_row("safety_item").most == "strong"


def test_only_people_who_may_be_unsafe_bring_the_safeguarding_text_before_any_prompt() -> None:
    assert [row.id for row in ROWS if row.safeguarding] == ["unsafe_people"]


def test_the_fingerprint_is_short_and_stays() -> None:
    assert len(lenses_fingerprint()) == 8
    assert lenses_fingerprint() == lenses_fingerprint()


# --- no cause, no blame ------------------------------------------------------------------------


def texts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Return every text in a TOML file with its key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(inner, f"{key}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from texts(inner, f"{key}[{place}]")


def sentences_of(name: str) -> list[tuple[str, str]]:
    content = (files("data_contracts") / name).read_text(encoding="utf-8")
    return list(texts(tomllib.loads(content)))


@pytest.mark.parametrize("name", ["lenses.toml", "wording.toml", "review_words.toml"])
def test_no_sentence_names_a_cause_or_blames(name: str) -> None:
    found = {key: words for key, text in sentences_of(name) if (words := words_not_used(text))}
    assert len(sentences_of(name)) > 30
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "The case is stuck because of the alliance.",
        "This was caused by missed sessions.",
        "No gain, due to low hope.",
        "The client is resistant.",
        "Client non-compliant with homework.",
        "An unmotivated client.",
        "She refuses homework.",
        "The therapist failed to notice.",
        "It is nobody's fault.",
        "A bad therapist.",
        "The therapist should have asked.",
    ],
)
def test_sentences_of_cause_and_blame_are_found(text: str) -> None:
    assert words_not_used(text)


def test_because_may_stand_in_the_name_of_one_decision_and_nowhere_else() -> None:
    assert not words_not_used("Not stuck because")
    assert words_not_used("Not stuck because the client is well")
    buttons = [text for key, text in sentences_of("review_words.toml") if key.endswith("button")]
    assert "Not stuck because" in buttons


@pytest.mark.parametrize("text", ["Support was low.", "Is it the default?", "A causeway."])
def test_harmless_words_are_left_alone(text: str) -> None:
    assert not words_not_used(text)
