"""What followed flags, said and shown: no difference claimed, nothing hidden told."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard import follow_up_words
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
from data_contracts.places import Places
from data_contracts.suppression import suppression_rule
from data_contracts.words_not_used import words_not_used
from models.follow_up import GROUPS, MEASURED, WENT_ON
from models.follow_up_tables import FOLLOW_UP_COLUMNS, follow_up

APP = Path(dashboard.__file__).parent / "app.py"
Rewriting = Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]
PRESET = "default"
# Words that set one group against another, or make a talk the reason of what followed.
COMPARING = re.compile(
    r"\b(than|more|less|fewer cases|higher|lower|instead|effect|helped|works?|thanks|because of|"
    r"due to|led to|improves?|compared)\b",
    re.IGNORECASE,
)


def published(chances: dict[str, float], cases: int = 400, seed: int = 1) -> pl.DataFrame:
    """Return what is published of cases that are better with these chances, by group."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for group, chance in chances.items():
        others = [each for each in WENT_ON if each != "better"]
        rows += [
            {
                "case_id": f"{group}-{number}",
                "kind": "stuck",
                "group": group,
                "decision": "plan_changed" if group == "reviewed" else None,
                "is_reviewed_later": False,
                "went_on": "better" if draw.random() < chance else str(draw.choice(others)),
                "gain": 0.5,
                "weeks_to_next": 1.0,
            }
            for number in range(cases)
        ]
    followed = pl.DataFrame(rows).with_columns(
        gain=pl.when(pl.col("went_on").is_in(MEASURED)).then("gain")
    )
    answers = pl.DataFrame(
        {"case_id": [f"c{number}" for number in range(40)], "kind": "stuck", "was_useful": True}
    )
    return follow_up(followed, answers, suppression_rule(PRESET))


def said(rows: pl.DataFrame) -> list[str]:
    of_kind = rows.filter(kind="stuck")
    return [*group_sentences(of_kind, PRESET), useful_sentence(of_kind, "stuck", PRESET)]


def compares(sentence: str) -> bool:
    return bool(COMPARING.search(sentence.replace(hidden(PRESET), "")))


@pytest.mark.parametrize("seed", range(20))
def test_no_difference_is_claimed_where_there_is_none(seed: int) -> None:
    for sentence in said(published(dict.fromkeys(GROUPS, 0.3), cases=60, seed=seed)):
        assert not compares(sentence), sentence


def test_nor_is_one_claimed_where_the_groups_differ() -> None:
    # who is talked about is chosen: such a difference may have been there before
    chances = {"reviewed": 0.7, "not_reviewed": 0.1, "not_shown": 0.3}
    sentences = said(published(chances))
    assert len(sentences) == 4
    for sentence in sentences:
        assert not compares(sentence), sentence
    # and each sentence is about one group
    for group in follow_up_words.GROUPS.values():
        assert sum(group in sentence.lower() for sentence in sentences) == 1


def test_it_is_said_first_that_this_is_no_trial_and_that_cases_were_chosen() -> None:
    assert "no trial" in NO_TRIAL
    assert "chosen" in NO_TRIAL
    assert "regression to the mean" in REGRESSION
    assert any("14th" in line and "later was in care" in line for line in COMPUTED)
    assert any("discontinuity" in line for line in COMPUTED)


def test_no_sentence_holds_a_word_of_cause_or_blame() -> None:
    told = [*said(published(dict.fromkeys(GROUPS, 0.3))), NO_TRIAL, REGRESSION, BY_DECISION]
    for sentence in (*told, *COMPUTED):
        assert not words_not_used(sentence), sentence


def test_shares_come_with_their_number_of_cases_and_interval() -> None:
    first = said(published(dict.fromkeys(GROUPS, 0.3)))[0]
    assert re.search(r"of 400 cases, \d+ % \(\d+ % to \d+ %\) were better four scores later", first)


def test_what_is_hidden_is_said_to_be_hidden() -> None:
    rows = published({"reviewed": 0.0}, cases=12)
    whole = " ".join([*said(rows), *went_on_table(rows, PRESET).to_series(1).to_list()])
    assert "hidden (fewer than 8)" in whole
    shown = rows.filter(pl.col("kind") == "stuck", ~pl.col("is_suppressed"))
    for percent in re.findall(r"(\d+) %", whole):
        rates = shown.select("rate", "rate_low", "rate_high").to_numpy().ravel()
        assert any(f"{rate * 100:.0f}" == percent for rate in rates[~np.isnan(rates)])


def test_the_tables_name_every_way_a_case_went_on_and_every_decision_there_was() -> None:
    rows = published(dict.fromkeys(GROUPS, 0.3))
    table = went_on_table(rows, PRESET)
    assert table.height == len(WENT_ON) + 2
    assert table.width == 1 + len(GROUPS)
    assert table.null_count().sum_horizontal().item() == 0
    decisions = decision_table(rows, PRESET)
    assert "Plan changed" in decisions["Decision"].to_list()


def test_nothing_published_is_nothing_told() -> None:
    empty = pl.DataFrame(schema=FOLLOW_UP_COLUMNS)
    assert kinds_told(empty) == []
    assert kinds_told(pl.DataFrame()) == []  # a snapshot from before
    assert went_on_table(empty, PRESET).is_empty()
    assert group_sentences(empty, PRESET) == []


# --- on the screen ---


def opened(places: Places, monkeypatch: pytest.MonkeyPatch, role: str = "manager") -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=30)
    test.query_params["role"] = role
    test._page_hash = calc_hash("alerts")
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def drawn(test: AppTest) -> str:
    parts = [*test.header, *test.markdown, *test.info]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


@pytest.fixture
def followed(own_practice: Places, rewriting: Rewriting) -> Places:
    """Return the practice with 400 followed cases in each group."""
    rows = published(dict.fromkeys(GROUPS, 0.3))
    with rewriting(own_practice.published / own_practice.pointer().aggregates) as snapshot:
        snapshot.execute("delete from published_follow_up")
        snapshot.register("told", rows.to_arrow())
        snapshot.execute("insert into published_follow_up by name select * from told")
        snapshot.unregister("told")
    return own_practice


@pytest.mark.usefixtures("served_on_loopback")
@pytest.mark.parametrize("role", ["supervisor", "manager", "analyst"])
def test_it_is_no_trial_before_any_number(
    followed: Places, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    text = drawn(opened(followed, monkeypatch, role))
    assert text.index(NO_TRIAL) < text.index("Talked about within 14 days: of 400 cases")
    assert "On no screen (from before unstuck was in use): of 400 cases" in text
    assert "n = 40" in text  # of those who said whether the flag was useful


@pytest.mark.usefixtures("served_on_loopback")
def test_the_same_stands_in_a_table(followed: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [table.value for table in opened(followed, monkeypatch).table]
    told = next(table for table in tables if "Four scores later" in table.columns)
    assert len(told.columns) == 1 + len(GROUPS)
    assert "dropped out before" in set(told["Four scores later"])


@pytest.mark.usefixtures("served_on_loopback")
def test_before_anything_could_be_followed_the_screen_says_so(
    own_practice: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "a flag is followed for 14 weeks" in drawn(opened(own_practice, monkeypatch))


@pytest.mark.usefixtures("served_on_loopback")
def test_a_snapshot_from_before_opens(
    own_practice: Places, rewriting: Rewriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rewriting(own_practice.published / own_practice.pointer().aggregates) as snapshot:
        snapshot.execute("drop table published_follow_up")
    assert "Nothing to tell yet" in drawn(opened(own_practice, monkeypatch))
