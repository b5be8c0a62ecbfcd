"""Cases a week: what comes up, what is folded, what is said to be missed, what is remembered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard import reading
from dashboard.queue_line import NO_LINE, NOT_READABLE, NOT_TESTED, Line, line_at, most_tested
from dashboard.queue_order import hour_of
from data_contracts.places import EvidencePointer, Places
from data_contracts.tables_evidence import EVIDENCE, EVIDENCE_BACKTESTS, EVIDENCE_BUDGET
from pipelines.evidence_tables import rows_of
from pipelines.step_10_publish import write_snapshot

APP = Path(dashboard.__file__).parent / "app.py"
MADE_AT = datetime(2026, 11, 22, tzinfo=UTC)
ABOUT = {"measure_id": "phq9", "outcome": "clinical_without_gain", "is_suppressed": False}
CHANCES = {"stuck": 0.7, "deteriorating": 0.2, "alliance_drop": 0.3, "watch": 0.65, "safety": 0.1}

pytestmark = pytest.mark.usefixtures("served_on_loopback")


def row(kind: str = "stuck", **how: Any) -> dict[str, Any]:
    """Return a row of the queue with an outlook of 0.5, unless said otherwise."""
    usual = {
        "case_id": "C-1",
        "kind": kind,
        "kinds": kind,
        "is_flagged": kind not in ("watch", "outlook"),
        "probability": 0.5,
        "probability_from": "outlook",
    }
    return usual | how


@pytest.fixture
def tested(own_practice: Places, rewriting: Any) -> Places:
    """Return a practice with a back-test, and outlooks by kind of flag."""
    lines = {number: max(0.1, 0.85 - number / 20) for number in range(1, 16)}
    budget = [
        ABOUT
        | {
            "cases_a_week": number,
            "unit": "supervisor",
            "threshold": threshold,
            "sentence": f"With {number} a week 6 of 10 came up in time and 4 were missed.",
        }
        for number, threshold in lines.items()
    ]
    backtest = ABOUT | {
        "measure_name": "PHQ-9",
        "outcome_words": "ended so",
        "is_primary": True,
        "case_count": 400,
        "split_kind": "calendar",
        "split_words": "by calendar",
        "made_at": MADE_AT.replace(tzinfo=None),
        "notes": "[]",
    }
    rows = {EVIDENCE_BUDGET: budget, EVIDENCE_BACKTESTS: [backtest]}
    file = "evidence-20261122T000000-abc123.duckdb"
    tables = {table: rows_of(table, rows.get(table, [])) for table in EVIDENCE}
    write_snapshot(own_practice.published / file, tables)
    own_practice.point_to_evidence(
        EvidencePointer(evidence_id=file.removesuffix(".duckdb"), file=file, made_at=MADE_AT)
    )
    with rewriting(reading.current_snapshot(own_practice).cases) as cases:
        for kind, chance in CHANCES.items():
            cases.execute(
                "update published_queue set probability_from = 'outlook', probability = ? "
                "where kind = ?",
                [chance, kind],
            )
    return own_practice


def opened(places: Places, monkeypatch: pytest.MonkeyPatch, case_id: str = "") -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=30)
    test.query_params["role"], test.query_params["supervisor"] = "supervisor", "S-01"
    if case_id:
        test.query_params["case"] = case_id
        test._page_hash = calc_hash("case")
    return run(test)


def run(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    return "\n".join(str(part.value) for part in [*test.markdown, *test.info]).replace("\\", "")


def folds(test: AppTest) -> dict[str, int]:
    """Return how many cases each fold holds, by the words before the number."""
    found = {}
    for fold in test.expander:
        words, bracket, number = fold.label.rpartition(" (")
        if bracket:
            found[words] = int(number.rstrip(")"))
    return found


# ---- the rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "case", "comes_up"),
    [
        (0.5, row(), True),
        (0.51, row(), False),
        (0.51, row("outlook"), False),
        (0.5, row("outlook"), True),
        (0.5, row("watch"), True),
        (0.9, row("safety"), True),
        (0.9, row("deteriorating"), True),
        (0.9, row("stuck", kinds="stuck,safety"), True),
        (0.9, row("alliance_drop"), False),
        (0.9, row(probability_from="backtest"), True),
        (0.1, row("watch", probability_from="chosen"), False),
        (None, row(probability=0.0), True),
        (None, row("watch", probability=1.0), False),
    ],
)
def test_what_comes_up(threshold: float | None, case: dict[str, Any], comes_up: bool) -> None:
    assert Line(threshold=threshold).takes(case) is comes_up


def test_a_row_says_where_it_lies_only_where_there_is_a_line() -> None:
    assert Line(threshold=0.4).remark(row()) == "above your line"
    assert Line(threshold=0.6).remark(row()) == "below your line"
    assert Line(threshold=0.6).remark(row(probability_from="chosen")) == ""
    assert NO_LINE.remark(row()) == ""


def test_the_hour_takes_what_comes_up_without_a_flag_too() -> None:
    rows = [row(case_id="A"), row("outlook", case_id="B"), row("watch", case_id="C")]
    line = Line(threshold=0.5)
    assert [each["case_id"] for each in hour_of(rows, [], 60, line.takes).cases] == ["A", "B", "C"]
    hour = hour_of(rows, [], 60, Line(threshold=0.6).takes)
    assert [each["case_id"] for each in hour.cases] == ["A"]
    assert [each["case_id"] for each in hour.watched] == ["B", "C"]


def test_the_line_is_that_of_the_measure_with_most_cases() -> None:
    backtests = pl.DataFrame(
        {
            "measure_id": ["gad7", "phq9", "phq9"],
            "outcome": ["clinical_without_gain", "clinical_without_gain", "drop_out"],
            "is_primary": [True, True, False],
            "case_count": [100, 400, 900],
        }
    )
    assert most_tested(backtests) == ("phq9", "clinical_without_gain")
    assert most_tested(backtests.clear()) is None


def test_a_number_nobody_tested_draws_no_line() -> None:
    budget = pl.DataFrame({"cases_a_week": [5], "threshold": [0.4], "sentence": ["said"]})
    assert line_at(budget, 5).threshold == 0.4
    assert line_at(budget, 9).threshold is None


# ---- the screen ---------------------------------------------------------------------------------


def test_without_a_back_test_the_queue_says_that_one_is_needed(
    practice: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(practice, monkeypatch)
    assert NOT_TESTED in said(test)
    assert "unstuck train" in said(test)
    assert not test.number_input
    assert "12 to talk about" in said(test)


def test_the_cases_a_week_fold_what_lies_below_and_say_what_is_missed(
    tested: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(tested, monkeypatch)
    assert test.number_input(key="cases_a_week").value == 5  # what an hour fits
    assert "With 5 a week 6 of 10 came up in time and 4 were missed." in said(test)
    assert "above your line" in said(test)
    few, many = 3, 15
    test.number_input(key="cases_a_week").set_value(few)
    below = folds(run(test))
    test.number_input(key="cases_a_week").set_value(many)
    assert "With 15 a week" in said(run(test))
    assert below["Flagged, below your line"] > 0
    assert "Flagged, below your line" not in folds(test)


def test_no_flagged_case_is_lost_whatever_the_line(
    tested: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(tested, monkeypatch)
    order = None
    for number in (1, 4, 8, 15):
        test.number_input(key="cases_a_week").set_value(number)
        text = said(run(test))
        up = int(text.split(" to talk about")[0].rsplit(" ", 1)[1])
        below = folds(test).get("Flagged, below your line", 0)
        watched = folds(test).get("Not flagged; to keep an eye on", 0)
        total = up + below + watched
        assert order in (None, total)
        order = total


def test_until_a_number_is_chosen_it_follows_the_minutes(
    tested: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(tested, monkeypatch)
    test.segmented_control(key="minutes").set_value(90)
    assert run(test).number_input(key="cases_a_week").value == 7
    test.number_input(key="cases_a_week").set_value(4)
    run(test)
    test.segmented_control(key="minutes").set_value(30)
    assert run(test).number_input(key="cases_a_week").value == 4


def test_the_number_is_remembered_while_a_case_is_looked_at(
    tested: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(tested, monkeypatch)
    test.number_input(key="cases_a_week").set_value(9)
    run(test)
    test._page_hash = calc_hash("case")
    run(test)
    assert not test.number_input
    test._page_hash = calc_hash("queue")
    assert run(test).number_input(key="cases_a_week").value == 9


def test_evidence_that_cannot_be_read_leaves_the_queue(
    tested: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in tested.published.glob("evidence-*.duckdb"):
        file.unlink()
    test = opened(tested, monkeypatch)
    assert NOT_READABLE in said(test)
    assert "12 to talk about" in said(test)


def test_a_snapshot_from_before_has_no_places_in_words(
    own_practice: Places, monkeypatch: pytest.MonkeyPatch, rewriting: Any
) -> None:
    with rewriting(reading.current_snapshot(own_practice).cases) as cases:
        for name in ("need", "probability", "probability_from", "severity", "unseen", "need_words"):
            cases.execute(f"alter table published_queue drop column {name}")
        cases.execute("drop table published_outlooks")
    text = said(opened(own_practice, monkeypatch))
    assert "12 to talk about" in text
    assert "Its place" not in text
    assert " · new" in text


def test_a_row_whose_place_says_how_long_it_waits_is_not_called_new(
    practice: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(opened(practice, monkeypatch))
    assert "Its place: no outlook" in text
    assert " · new" not in text


def test_sentences_that_are_shown_letter_by_letter_hold_no_marks_of_code() -> None:
    assert "`" not in NOT_TESTED + NOT_READABLE


def test_a_case_says_how_it_may_end_and_what_stands_in(
    own_practice: Places, monkeypatch: pytest.MonkeyPatch, rewriting: Any
) -> None:
    sentence = "No outlook on PHQ-9: too few cases have ended here to learn from."
    with rewriting(reading.current_snapshot(own_practice).cases) as cases:
        (case_id,) = cases.execute("select min(case_id) from published_queue").fetchone()
        cases.execute(
            "insert into published_outlooks by name select ? as case_id, decided_by as measure_id, "
            "'clinical_without_gain' as outcome, 8 as occasion, 'too_few_ended' as reason, "
            "'status_rule' as stands_in, ? as sentence from published_current_statuses "
            "where case_id = ? and measure_id = 'case'",
            [case_id, sentence, case_id],
        )
    assert sentence in said(opened(own_practice, monkeypatch, case_id))
