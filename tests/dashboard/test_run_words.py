"""Last night is told in one sentence, rows are shown to add up, changes between runs are named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dashboard.run_words import (
    STEP_WORDS,
    account_sentences,
    accounts,
    how_last_run_went,
    seconds_words,
    what_changed,
    what_to_do,
)
from data_contracts.places import LastRun
from pipelines.nightly import STEPS

STARTED = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
USUAL = timedelta(minutes=2)
SOON = STARTED + timedelta(hours=3)


def a_run(state: str, **more: Any) -> LastRun:
    ended = {"finished_at": STARTED + USUAL} if state != "running" else {}
    return LastRun(
        run_id="r1", state=state, trigger="schedule", started_at=STARTED, **{**ended, **more}
    )


def test_a_night_that_worked_says_yes_when_and_how_long() -> None:
    assert how_last_run_went(a_run("published"), USUAL, SOON) == (
        "Yes. The run that started at 23 Nov 2026, 05:00 UTC (3 hours ago) by the schedule "
        "published new results; it took 2 min 0 s."
    )
    assert what_to_do(a_run("published"), USUAL, SOON) == []


def test_a_night_without_news_worked_too() -> None:
    assert "found nothing new" in how_last_run_went(a_run("unchanged"), USUAL, SOON)


def test_a_failed_night_says_no_why_and_what_to_do() -> None:
    failed = a_run("failed", message="scores.csv has no column 'value'.")
    said = how_last_run_went(failed, USUAL, SOON)
    assert said.startswith("No. ")
    assert said.endswith("failed: scores.csv has no column 'value'.")
    steps = what_to_do(failed, USUAL, SOON)
    assert any("unstuck doctor" in step for step in steps)
    assert any("screens show the state" in step for step in steps)


def test_a_night_that_never_came_is_not_called_good() -> None:
    late = STARTED + timedelta(days=3)
    said = how_last_run_went(a_run("published"), USUAL, late)
    assert "long ago" in said
    assert "3 days ago" in said
    assert any("schedule" in step for step in what_to_do(a_run("published"), USUAL, late))


def test_a_run_far_longer_than_usual_may_have_been_stopped() -> None:
    running = a_run("running")
    assert how_last_run_went(running, USUAL, STARTED + USUAL).startswith("Not yet. ")
    assert what_to_do(running, USUAL, STARTED + USUAL) == []
    long_after = STARTED + timedelta(hours=4)
    assert how_last_run_went(running, USUAL, long_after).startswith("Not certain. ")
    assert any("still runs" in step for step in what_to_do(running, USUAL, long_after))


def test_before_the_first_run_it_says_how_to_start_one() -> None:
    assert how_last_run_went(None, None, SOON) == "No run has left a word here yet."
    assert "unstuck run" in what_to_do(None, None, SOON)[0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "under 1 s"), (45, "45 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert seconds_words(seconds) == words


def files(*rows: tuple[str, int, int, int, int, int, int]) -> pl.DataFrame:
    names = ("path", "landed", "accepted", "duplicate", "superseded", "quarantined", "withdrawn")
    frame = pl.DataFrame(rows, schema=list(names), orient="row")
    return frame.with_columns(table_name=pl.lit("scores"), state=pl.lit("accepted"))


def test_rows_that_add_up_are_shown_to_add_up() -> None:
    found = files(("a.csv", 10, 6, 1, 1, 1, 1), ("b.csv", 1000, 1000, 0, 0, 0, 0))
    assert account_sentences(found) == [
        "1,010 rows landed in 2 files = 1,006 in force + 1 said nothing new + 1 replaced by a "
        "later row + 1 set aside + 1 taken back by the practice.",
        "It adds up, in sum and for every file: nothing else became of a row.",
    ]


def test_a_file_that_does_not_add_up_is_named_even_if_the_sum_fits() -> None:
    found = files(("a.csv", 10, 9, 0, 0, 0, 0), ("b.csv", 10, 11, 0, 0, 0, 0))
    assert accounts(found)["rest"].to_list() == [1, -1]
    assert "look at a.csv, b.csv" in account_sentences(found)[1]


def version(rule: str, contracts: str, **packages: str) -> dict[str, Any]:
    return {
        "rule_version": rule,
        "contract_version": contracts,
        "package_versions": json.dumps(packages),
    }


def test_what_changed_between_two_runs_is_named() -> None:
    before = version("1", "t1.m1.w1.l1.c1.none", polars="2.0", duckdb="1.5.5")
    now = version("2", "t1.m2.w1.l2.c1.none", polars="2.1", duckdb="1.5.5")
    assert what_changed(now, before) == [
        "Status rule: 1 → 2.",
        "Contracts: measures, lenses changed.",
        "polars: 2.0 → 2.1.",
    ]
    older = version("2", "t1.m1.w1.c1", polars="2.1", duckdb="1.5.5")
    assert what_changed(now, older) == ["Contracts: some of them changed."]
    assert "those of the run before" in what_changed(now, now)[0]
    assert "no earlier run" in what_changed(now, None)[0]


def test_every_step_of_the_night_has_words() -> None:
    assert [name for name, _ in STEPS if name not in STEP_WORDS] == []
