"""Official outcomes on the trends screen: words before pictures, small numbers hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from data_contracts.places import Places

APP = Path(dashboard.__file__).parent / "app.py"
FIGURES = ("recovery", "reliable_recovery", "reliable_improvement", "reliable_deterioration")


pytestmark = pytest.mark.usefixtures("served_on_loopback")


def opened(places: Places, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=30)
    test.query_params["role"] = "manager"
    test._page_hash = calc_hash("trends")
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.header, *test.markdown, *test.info]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def put(places: Places, rows: list[tuple[Any, ...]]) -> None:
    """Publish rows of figure, period, category and two counts (None: hidden)."""
    path = str(places.published / places.pointer().aggregates)
    with duckdb.connect(path) as snapshot:
        for figure, period, category, part, whole in rows:
            numbers = (None,) * 3 if part is None else (part / whole, 0.3, 0.7)
            snapshot.execute(
                "insert into published_talking_therapies values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [figure, period, category, part, whole, *numbers, part is None],
            )


@pytest.fixture
def reported(own_practice: Places) -> Places:
    """Return the practice with official outcomes of two quarters, one of them small."""
    rows = [(figure, "all", "all", 50, 100) for figure in (*FIGURES, "not_caseness", "paired")]
    rows += [(figure, "quarter 01", "all", 50, 95) for figure in FIGURES]
    rows += [(figure, "quarter 02", "all", None, None) for figure in FIGURES]
    rows += [
        ("finished", "all", "all", None, 105),
        ("not_paired", "all", "no_anxiety_pair", 40, 100),
        ("not_paired", "all", "no_pairs", None, 100),
        ("anxiety_measure", "all", "gad7", 50, 50),
        ("anxiety_measure", "all", "spin", None, 50),
    ]
    put(own_practice, rows)
    return own_practice


def test_every_rate_says_of_whom_and_what_it_counts(reported: Places, monkeypatch) -> None:
    text = said(opened(reported, monkeypatch))
    assert "Talking Therapies outcomes (England's official rule)" in text
    assert (
        "**Recovery:** 50 % (30 % to 70 %) of 100 finished cases that could recover went from "
        "caseness to below both cut-offs (50 cases)." in text
    )


def test_a_hidden_figure_says_so_and_never_how_many(reported: Places, monkeypatch) -> None:
    text = said(opened(reported, monkeypatch))
    assert "**Finished a course of care:** hidden (fewer than 8, or such a number" in text
    assert "None" not in text


def test_who_is_not_in_the_figures_is_counted_and_named(reported: Places, monkeypatch) -> None:
    text = said(opened(reported, monkeypatch))
    assert "40 cases: not paired: no first and last score of an anxiety measure" in text
    assert "Hidden (fewer than 8): not paired: neither measure was filled in twice" in text
    assert "paired with any other anxiety measure, each" in text


def test_how_it_is_computed_stands_with_its_sources_and_what_is_recalled(
    reported: Places, monkeypatch
) -> None:
    text = said(opened(reported, monkeypatch))
    assert "BMC Psychiatry 2018" in text
    assert "those below 8 are hidden" in text
    assert "Known from memory, not yet read in a source" in text


def test_the_numbers_stand_in_tables_by_quarter(reported: Places, monkeypatch) -> None:
    tables = [table.value for table in opened(reported, monkeypatch).table]
    shares = [list(table["Share"]) for table in tables if "quarter 02" in list(table["Of"])]
    assert shares == [
        ["50 % (30 % to 70 %), 50 of 100", "53 % (30 % to 70 %), 50 of 95", "hidden (fewer than 8)"]
    ] * len(FIGURES)


def test_without_quarters_the_whole_practice_stands_alone(
    own_practice: Places, monkeypatch
) -> None:
    put(own_practice, [(figure, "all", "all", 50, 100) for figure in FIGURES])
    assert "**Recovery**, whole practice only" in said(opened(own_practice, monkeypatch))


def test_before_any_case_has_ended_the_screen_says_what_will_fill_it(
    practice: Places, monkeypatch
) -> None:
    assert "these outcomes are counted when care has ended" in said(opened(practice, monkeypatch))


def test_a_snapshot_from_before_is_still_shown(own_practice: Places, monkeypatch) -> None:
    path = str(own_practice.published / own_practice.pointer().aggregates)
    with duckdb.connect(path) as snapshot:
        snapshot.execute("drop table published_talking_therapies")
    text = said(opened(own_practice, monkeypatch))
    assert "Clearly better at the end" in text
    assert "these outcomes are counted when care has ended" in text


def test_england_s_figure_stands_beside_the_figure_by_the_same_rule_with_where_it_was_read(
    reported: Places, monkeypatch
) -> None:
    text = said(opened(reported, monkeypatch))
    england = "Beside it: England, NHS Talking Therapies 2017-18: 50.8 %"
    assert text.count(england) == 1
    recovery = text[text.index("- **Recovery:**") : text.index("- **Reliable recovery:**")]
    assert f"{england} (reported second-hand, original not read: R66)" in recovery
