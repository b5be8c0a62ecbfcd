"""What a number of cases a week catches and misses, counted honestly and shown carefully."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.suppression import suppression_rule
from models.alarm_budget import (
    BUDGET_COLUMNS,
    BY_OPEN_CASES,
    BY_SUPERVISOR,
    alarm_budget,
    caseload_per_supervisor,
)
from models.budget_words import with_budget_words

HIDE_FEW = suppression_rule("default")
SHOW_ALL = HIDE_FEW.model_copy(update={"hide_up_to": 0, "round_to": 1})


def asked(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return predictions; a weekly landmark of the outlook unless said otherwise."""
    usual = {
        "case_id": "a",
        "rule": "outlook",
        "probability": 0.5,
        "is_bad": True,
        "later_scores": 5,
        "started_on": 0,
        "asked_on": 28,
        "weeks_left": 5.0,
        "occasions_left": 5,
        "is_reviewed": False,
    }
    schema = {
        "probability": pl.Float64,
        "is_bad": pl.Boolean,
        "started_on": pl.Int64,
        "asked_on": pl.Int64,
        "weeks_left": pl.Float64,
    }
    return pl.DataFrame([usual | row for row in rows], schema_overrides=schema)


def past(seed: int, cases: int = 400) -> pl.DataFrame:
    """Draw past cases asked every week from the second to the third score before the end."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(cases):
        weeks = int(random.integers(6, 20))
        risk = random.normal()
        is_bad = random.random() < 1 / (1 + np.exp(1 - risk))
        start = int(random.integers(0, 700))
        for week in range(1, weeks - 1):
            chance = 1 / (1 + np.exp(1 - risk - 0.8 * random.normal()))
            rows.append(
                {
                    "case_id": f"c{number}",
                    "probability": float(chance),
                    "is_bad": bool(is_bad),
                    "later_scores": weeks - week,
                    "started_on": start,
                    "asked_on": start + 7 * week,
                    "weeks_left": float(weeks - week),
                    "occasions_left": weeks - week,
                }
            )
    return asked(*rows)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_more_time_lowers_the_line_and_never_catches_less(seed: int) -> None:
    budget = alarm_budget(past(seed, cases=150), SHOW_ALL)
    assert budget["cases_a_week"].to_list() == list(range(1, 16))
    assert budget["threshold"].is_sorted(descending=True)
    for name in ("flags_a_week", "ever_flagged", "sensitivity"):
        assert budget[name].is_sorted(), name


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_more_cases_come_up_than_there_is_time_for(seed: int) -> None:
    budget = alarm_budget(past(seed, cases=150), SHOW_ALL, open_cases=25)
    has_room = budget["threshold"] < 0.99
    assert (budget["flags_a_week"] <= budget["cases_a_week"]).filter(has_room).all()


def test_the_flags_a_week_are_counted_as_a_slow_reader_would() -> None:
    predictions = past(3, cases=60)
    budget = alarm_budget(predictions, SHOW_ALL, open_cases=20, budgets=[2]).row(0, named=True)
    times, weeks, caught, bad = 0, 0.0, 0, 0
    for _, rows in predictions.sort("asked_on").group_by("case_id", maintain_order=True):
        last, is_caught = -1000, False
        first = rows.row(0, named=True)
        weeks += (first["asked_on"] - first["started_on"]) / 7 + first["weeks_left"]
        for row in rows.iter_rows(named=True):
            if row["probability"] < budget["threshold"]:
                continue
            is_caught = is_caught or row["later_scores"] >= 3
            if row["asked_on"] - last >= 28:
                times, last = times + 1, row["asked_on"]
        caught += is_caught and first["is_bad"]
        bad += first["is_bad"]
    assert budget["flags_a_week"] == pytest.approx(times * 20 / weeks)
    assert budget["sensitivity"] == pytest.approx(caught / bad)


def test_a_case_counts_once_while_it_rests() -> None:
    weekly = [{"asked_on": 7 * week, "weeks_left": 10.0 - week} for week in range(1, 9)]
    budget = alarm_budget(asked(*weekly), SHOW_ALL, open_cases=10, budgets=[15])
    # Days 7 and 35 in ten weeks of one case: two of eight.
    assert budget["flags_a_week"].item() == pytest.approx(2 * 10 / 10)


def test_coming_up_at_the_last_score_is_too_late() -> None:
    late = [
        {"case_id": f"c{number}", "probability": chance, "later_scores": later, "asked_on": day}
        for number in range(20)
        for chance, later, day in ((0.2, 5, 28), (0.9, 2, 56))
    ]
    budget = alarm_budget(asked(*late), SHOW_ALL, open_cases=1, budgets=[1]).row(0, named=True)
    assert budget["threshold"] <= 0.2
    line = alarm_budget(asked(*late), SHOW_ALL, open_cases=30, budgets=[4]).row(0, named=True)
    assert 0.2 < line["threshold"] <= 0.9
    assert line["ever_flagged"] == 1.0
    assert line["sensitivity"] == 0.0


def test_a_reviewed_case_is_no_false_alarm() -> None:
    rows = [
        {"case_id": f"c{number}", "is_bad": number < 30, "is_reviewed": number >= 30}
        for number in range(60)
    ]
    found = alarm_budget(asked(*rows), HIDE_FEW, budgets=[15]).row(0, named=True)
    assert found["ppv"] == 1.0
    assert found["case_count"] == 30
    assert found["reviewed_count"] == 30


def test_unknown_ends_take_time_and_are_neither_right_nor_wrong() -> None:
    known = [{"case_id": f"c{number}", "is_bad": number < 30} for number in range(60)]
    unknown = [{"case_id": f"u{number}", "is_bad": None} for number in range(60)]
    without = alarm_budget(asked(*known), HIDE_FEW, budgets=[15]).row(0, named=True)
    both = alarm_budget(asked(*known, *unknown), HIDE_FEW, budgets=[15]).row(0, named=True)
    assert both["ppv"] == without["ppv"] == 0.5
    assert both["case_count"] == without["case_count"] == 60
    assert both["flags_a_week"] == pytest.approx(without["flags_a_week"])


def test_where_the_rule_refused_nothing_comes_up() -> None:
    rows = [
        {"case_id": f"c{number}", "probability": None if number < 30 else 0.9}
        for number in range(60)
    ]
    assert alarm_budget(asked(*rows), SHOW_ALL, budgets=[15])["case_count"].item() == 30


@pytest.mark.parametrize("gone", [["asked_on", "weeks_left"], ["probability"]])
def test_without_days_or_chances_nothing_is_said(gone: list[str]) -> None:
    rows = past(1, cases=30).with_columns(
        pl.lit(None, dtype=pl.Float64 if name != "asked_on" else pl.Int64).alias(name)
        for name in gone
    )
    found = alarm_budget(rows, HIDE_FEW)
    assert found.is_empty()
    assert found.columns == list(BUDGET_COLUMNS)


def test_without_supervisors_weeks_are_told_of_thirty_open_cases() -> None:
    predictions = past(2, cases=80)
    assert set(alarm_budget(predictions, SHOW_ALL)["unit"]) == {BY_OPEN_CASES}
    by_supervisor = alarm_budget(predictions, SHOW_ALL, open_cases=30)
    assert set(by_supervisor["unit"]) == {BY_SUPERVISOR}
    assert by_supervisor["threshold"].equals(alarm_budget(predictions, SHOW_ALL)["threshold"])


def test_small_numbers_are_hidden_and_their_rates_with_them() -> None:
    rows = [{"case_id": f"c{number}", "is_bad": number < 3} for number in range(60)]
    found = alarm_budget(asked(*rows), HIDE_FEW, budgets=[15]).row(0, named=True)
    assert found["is_suppressed"]
    hidden = ("bad_count", "sensitivity", "sensitivity_low", "ppv", "caught_in_ten", "lead_weeks")
    assert [found[name] for name in hidden] == [None] * len(hidden)


def test_no_count_is_shown_exactly() -> None:
    found = alarm_budget(past(5), HIDE_FEW)
    shown = pl.concat([found["case_count"], found["bad_count"]]).drop_nulls()
    assert shown.len()
    assert (shown % HIDE_FEW.round_to == 0).all()


def test_the_order_of_rows_changes_nothing() -> None:
    predictions = past(6, cases=80)
    shuffled = predictions.sample(fraction=1.0, shuffle=True, seed=1)
    assert alarm_budget(shuffled, HIDE_FEW).equals(alarm_budget(predictions, HIDE_FEW))


def test_open_cases_of_a_supervisor_are_counted_over_their_own_years() -> None:
    cases = pl.DataFrame(
        {
            "supervisor_id": ["S", "S", "S", "R", None],
            "started_on": [0, 0, 50, 0, 0],
            "ended_on": [100, 100, None, 100, 100],
        }
    )
    # S: 100 + 100 + 50 days of cases in 100 days; R: 100 in 100.
    assert caseload_per_supervisor(cases) == pytest.approx(350 / 200)
    assert caseload_per_supervisor(cases.with_columns(started_on=None)) is None
    assert caseload_per_supervisor(cases.with_columns(supervisor_id=None)) is None


def test_words_say_what_is_caught_and_what_is_missed() -> None:
    budget = with_budget_words(alarm_budget(past(5), HIDE_FEW), "clinical_without_gain")
    five = budget.filter(pl.col("cases_a_week") == 3).row(0, named=True)
    assert five["caught_in_ten"] + five["missed_in_ten"] == 10
    said = five["sentence"]
    assert (
        f"{five['caught_in_ten']} came up in time and {five['missed_in_ten']} were missed" in said
    )
    assert f"is {round(100 * five['threshold'])} in 100 or more" in said
    assert f"{five['case_count']:,} cases of this practice" in said
    assert all("{" not in sentence for sentence in budget["sentence"])


def test_hidden_numbers_say_what_less_time_caught_already() -> None:
    budget = alarm_budget(past(5), HIDE_FEW, budgets=[1, 2, 3])
    hidden = budget.with_columns(
        is_suppressed=pl.col("cases_a_week") == 3,
        caught_in_ten=pl.when(pl.col("cases_a_week") < 3).then("caught_in_ten"),
    )
    said = with_budget_words(hidden, "drop_out")["sentence"].to_list()
    caught = budget["caught_in_ten"][1]
    assert f"at least {caught} came up in time, as with 2 cases a week" in said[2]


def test_hidden_numbers_are_said_to_be_hidden() -> None:
    rows = [{"case_id": f"c{number}", "is_bad": number < 3} for number in range(60)]
    budget = with_budget_words(alarm_budget(asked(*rows), HIDE_FEW), "drop_out")
    assert all("not shown" in sentence for sentence in budget["sentence"])
    assert not any("of 10" in sentence.lower() for sentence in budget["sentence"])


def test_where_more_time_changes_nothing_the_words_say_so_and_how_many_ever_come_up() -> None:
    budget = alarm_budget(past(5), HIDE_FEW, budgets=[1, 2, 3, 4]).with_columns(
        threshold=pl.Series([0.4, 0.2, 0.1, 0.1]), ever_flagged=0.62, is_suppressed=False
    )
    said = with_budget_words(budget, "drop_out")["sentence"].to_list()
    nothing = "More than 3 a week changes nothing: no case comes up below 10 in 100. "
    assert ["changes nothing" in each for each in said] == [False, False, True, True]
    assert all(nothing + "Of all cases, about 6 of 10 would ever come up." in s for s in said[2:])
    few = with_budget_words(budget.with_columns(ever_flagged=pl.lit(None, pl.Float64)), "drop_out")
    assert "ever come up" not in few["sentence"][3]
