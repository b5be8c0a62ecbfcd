"""Where to look, night after night: optional tables arrive, cases come and go, the past stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl
import pytest

from data_contracts.lenses import lens_contract, therapist_rows
from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.lens_inputs import LensInputs, lens_inputs
from models.lenses import lenses

MAPPING = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "cases"
path = "cases*.csv"
[file.columns]
case_id = "case"
therapist_id = "therapist"
end_day = "end_day"

[[file]]
table = "sessions"
path = "sessions*.csv"
[file.columns]
case_id = "case"
session = "session"
day = "day"
attended = "came"
is_late_cancellation = "late"

[[file]]
table = "scores"
path = "scores*.csv"
[file.columns]
case_id = "case"
time = "day"
measure = "measure"
rater = "rater"
value = "score"
[file.measures]
"phq" = "phq9"
"srs" = "srs"
"hope" = "expectation"
"support" = "support"
"problem" = "problem_agreement"
"relief" = "relief"
"unsafe" = "unsafe_people"

[[file]]
table = "homework"
path = "homework*.csv"
[file.columns]
case_id = "case"
session = "session"
assigned = "set"
done_percent = "done"
quality = "quality"
hindrance = "hindrance"

[[file]]
table = "session_focus"
path = "focus*.csv"
[file.columns]
case_id = "case"
session = "session"
focus = "focus"
is_agreed = "agreed"

[[file]]
table = "life_events"
path = "events*.csv"
[file.columns]
case_id = "case"
day = "day"
kind = "kind"
"""
NO_CURVES = "[curves]\nminimum_cases = 1000000\n"
HEADERS = {
    "cases": "case,therapist,end_day",
    "sessions": "case,session,day,came,late",
    "scores": "case,day,measure,rater,score",
    "homework": "case,session,set,done,quality,hindrance",
    "focus": "case,session,focus,agreed",
    "events": "case,day,kind",
}
WEEKS = 10


def send(practice: Any, number: int = 0, **rows: list[tuple[Any, ...]]) -> None:
    for table, cells in rows.items():
        lines = [",".join("" if cell is None else str(cell) for cell in row) for row in cells]
        text = "\n".join([HEADERS[table], *lines]) + "\n"
        practice.send(text, f"{table}_{number:03}.csv")


def stuck(case_id: str, weeks: int = WEEKS, first: int = 0) -> list[tuple[Any, ...]]:
    """Return a course without any gain."""
    return [(case_id, 7 * week, "phq", "client", 19 + week % 2) for week in range(first, weeks)]


def met(case_id: str, weeks: int = WEEKS, first: int = 0) -> list[tuple[Any, ...]]:
    return [(case_id, week + 1, 7 * week, "yes", "no") for week in range(first, weeks)]


def rated(case_id: str, measure: str, values: list[float], rater: str = "client") -> list[Any]:
    return [(case_id, 7 * week, measure, rater, value) for week, value in enumerate(values)]


def lenses_of(practice: Any, case_id: str) -> pl.DataFrame:
    return practice.published("lenses").filter(pl.col("case_id") == case_id).sort("position")


def said(practice: Any, case_id: str) -> dict[str, str]:
    rows = lenses_of(practice, case_id).filter(pl.col("sentence") != "")
    return dict(rows.select("row_id", "sentence").rows())


def tasks(case_id: str, done: int | None) -> list[tuple[Any, ...]]:
    return [(case_id, week, "yes", done, 1, "too_big") for week in range(1, 5)]


@pytest.fixture(scope="module")
def first_night(new_practice: Callable[[], Any]) -> Any:
    """Return a practice of six cases after its first night; looked at, never changed.

    A has sent everything, B scores and sessions alone, C cancellations, D and E no outcome to judge
    but low ratings of the alliance, F homework of which nothing was told yet.
    """
    practice = new_practice()
    practice.map(MAPPING)
    practice.settings(NO_CURVES)
    held = {6: ("yes", "yes"), 8: ("yes", "yes"), 9: ("no", "no")}
    send(
        practice,
        cases=[(case_id, "T-1", None) for case_id in "ABCDEF"],
        sessions=[
            *met("A"),
            *met("B"),
            *met("F"),
            *(("C", week + 1, 7 * week, *held.get(week, ("yes", "no"))) for week in range(WEEKS)),
        ],
        scores=[
            *(row for case_id in "ABCF" for row in stuck(case_id)),
            *rated("A", "hope", [8, 7, 3, 3]),
            *rated("A", "support", [3, 3]),
            *rated("A", "unsafe", [6]),
            *rated("A", "problem", [8]),
            *rated("A", "problem", [3], "clinician"),
            *(row for case_id in "ADE" for row in rated(case_id, "relief", [9, 9, 9])),
            *(row for case_id in "DE" for row in rated(case_id, "srs", [30, 30, 30])),
            *rated("E", "phq", [20]),
        ],
        homework=[*tasks("A", 10), *tasks("F", None)],
        focus=[("A", week, "past", "no") for week in range(1, 5)],
        events=[("A", 60, "bereavement"), ("A", 70, "move")],
    )
    practice.night()
    return practice


@pytest.fixture
def practice(first_night: Any, new_practice: Callable[[], Any]) -> Any:
    """Return a copy of that practice to send more to."""
    copied = new_practice()
    shutil.copytree(first_night.folder, copied.folder, dirs_exist_ok=True)
    copied.nights = first_night.nights
    return copied


def test_every_optional_table_and_item_comes_through_to_what_is_published(
    first_night: Any,
) -> None:
    found = said(first_night, "A")
    assert found["hope"] == "Outcome expectation was 3 of 10 in the last two ratings (first 8)."
    assert found["support"].startswith("Support from others was 3 of 10")
    assert found["unsafe_people"].startswith("Feeling put down by")
    assert found["problem_disagreement"].endswith("client 8, therapist 3 of 10.")
    assert found["homework_not_done"].endswith("10 % was done on average.")
    assert found["homework_hindrance"] == "Noted most often: too big a step (4 of the last 4)."
    assert found["focus_not_agreed"].startswith("In 4 of the last 4 sessions")
    order = lenses_of(first_night, "A")
    assert order["row_id"][0] == "safety_item" or order["row_id"][0] == "unsafe_people"
    assert order.filter("is_leading")["row_id"].to_list() == ["hope"]


def test_an_event_after_the_last_contact_waits_for_the_next_one(practice: Any) -> None:
    new = "Noted in the four weeks before the last contact: bereavement (day 60)"
    assert said(practice, "A")["life_events"] == f"{new}."
    send(practice, 1, scores=stuck("A", WEEKS + 1, WEEKS))
    practice.night()
    assert said(practice, "A")["life_events"] == f"{new}, move (day 70)."


def test_sessions_that_did_not_take_place_are_counted_and_late_ones_named(
    first_night: Any,
) -> None:
    assert said(first_night, "C")["unspoken_doubts"] == (
        "3 of the last 6 sessions offered did not take place, 2 of them cancelled late."
    )


@pytest.mark.parametrize("case_id", ["D", "E"])
def test_without_an_outcome_nothing_is_said_about_its_gain(first_night: Any, case_id: str) -> None:
    gain = "while the outcome shows no clear gain."
    assert said(first_night, "A")["relief_only"].endswith(gain)
    assert set(said(first_night, case_id)) == {"alliance_weak"}
    rows = lenses_of(first_night, case_id).filter(pl.col("row_id") == "relief_only")
    assert rows["has_data"].to_list() == [False]


def test_a_case_that_was_sent_nothing_more_has_every_row_and_says_what_is_missing(
    first_night: Any,
) -> None:
    rows = lenses_of(first_night, "B")
    assert set(rows["row_id"]) == {row.id for row in lens_contract().of_cases}
    assert set(rows.filter("has_data")["row_id"]) == {"scores_missing", "unspoken_doubts"}
    assert not rows["is_leading"].any()


def test_rows_about_therapists_are_published_with_no_case(first_night: Any) -> None:
    about = {row.id for row in therapist_rows()}
    assert not about & set(first_night.published("lenses")["row_id"])
    of_therapists = first_night.published("therapist_lenses")
    assert of_therapists.select("therapist_id", "is_suppressed", "sentence").rows() == [
        ("T-1", True, "")
    ]


def test_only_touched_cases_are_looked_at_anew_and_told_what_came_later(practice: Any) -> None:
    with duckdb.connect(str(practice.places.warehouse)) as warehouse:
        warehouse.execute("update lenses set parameters = '{\"kept\":1}'")
    assert "homework_not_done" not in said(practice, "F")
    send(practice, 1, scores=stuck("A", WEEKS + 1, WEEKS), homework=tasks("F", 20))
    practice.night()
    kept = pl.col("parameters") == '{"kept":1}'
    assert not lenses_of(practice, "A").filter(kept).height
    assert lenses_of(practice, "B").filter(kept).height == len(lens_contract().of_cases)
    assert said(practice, "F")["homework_not_done"].startswith("Of what was set the last 3 times")


def test_a_case_that_ends_or_leaves_the_queue_has_no_lenses_left(practice: Any) -> None:
    gained = [("B", 7 * week, "phq", "client", 4) for week in range(WEEKS, WEEKS + 3)]
    send(practice, 1, cases=[("A", "T-1", 70)], scores=gained)
    practice.night()
    for table in ("queue", "lenses"):
        assert set(practice.published(table)["case_id"]) == {"C", "D", "E", "F"}


def known_by(practice: Any, day: int) -> LensInputs:
    """Return what the tables of a later night hold of each case up to a day."""

    def until(table: str, rest: str = "true") -> pl.DataFrame:
        return practice.warehouse(f"select * from {table} where day <= {day} and {rest}")

    cases = practice.warehouse(
        "select case_id, nullif(arg_max(status, day), 'cannot_judge') "
        "in ('recovered', 'improved', 'on_track') as has_clear_gain, "
        "arg_max(decided_by, day) as measure_id, "
        f"{day} as day from statuses where measure_id = 'case' and day <= {day} group by case_id"
    )
    patterns = until("events", f"kind like 'alliance%' and coalesce(until_day, 999) > {day}")
    return lens_inputs(
        built_in_measures(),
        status_rule().thresholds,
        cases=cases,
        points=until("course_points"),
        alliance=until("alliance_points"),
        patterns=patterns,
        sessions=until("sessions"),
        life_events=until("life_events"),
    )


@pytest.mark.parametrize(
    "weeks",
    [
        pytest.param(5, marks=pytest.mark.reliability),
        6,
        pytest.param(7, marks=pytest.mark.reliability),
    ],
)
def test_data_after_a_day_never_changes_what_was_to_be_seen_on_that_day(
    new_practice: Callable[[], Any], weeks: int
) -> None:
    scores = [
        *stuck("A"),
        *rated("A", "srs", [38, 38, 38, 38, 37, 30, 30, 30, 38, 40]),
        *rated("A", "hope", [8, 8, 7, 6, 6, 5, 4, 8, 9, 9]),
        *stuck("B"),
        *rated("B", "support", [8, 3, 3, 3, 3, 3, 3, 3, 9, 9]),
    ]
    events = [("A", 7 * week + 1, "move") for week in range(WEEKS)]
    sessions, day = [*met("A"), *met("B")], 7 * weeks
    cut, whole = new_practice(), new_practice()
    for practice, last in ((cut, day), (whole, 999)):
        practice.map(MAPPING)
        practice.settings(NO_CURVES)
        send(
            practice,
            cases=[("A", "T-1", None), ("B", "T-1", None)],
            sessions=[row for row in sessions if row[2] <= last],
            scores=[row for row in scores if row[1] <= last],
            events=events,  # also those after the last contact
        )
        practice.night()
    then = cut.published("lenses").sort("case_id", "position")
    assert then.filter("is_leading").height == 2
    assert not whole.published("lenses").sort("case_id", "position").equals(then)
    again = lenses(known_by(whole, day)).sort("case_id", "position")
    assert again.select(then.columns).equals(then)


def test_an_older_home_gets_its_lenses_in_the_next_night(practice: Any) -> None:
    before = practice.published("lenses")
    with duckdb.connect(str(practice.places.warehouse)) as warehouse:
        warehouse.execute("drop table lenses")
    practice.night(rebuild=True)
    assert practice.published("lenses").equals(before)


def test_therapists_are_told_apart_from_all_only_where_intervals_say_so(
    new_practice: Callable[[], Any],
) -> None:
    practice = new_practice()
    practice.map(MAPPING)
    practice.settings(NO_CURVES)
    cases, scores = [], []
    for number in range(150):
        therapist = f"T-{min(number % 8, 6) % 6}"
        low = therapist == "T-0" or number % 20 == 7
        case_id = f"C-{number:03}"
        cases.append((case_id, therapist, None))
        scores += [*stuck(case_id, 2), *rated(case_id, "srs", [30, 30] if low else [38, 38])]
    cases.append(("C-999", "T-9", None))
    scores += [*stuck("C-999", 2), *rated("C-999", "srs", [30, 30])]
    send(practice, cases=cases, scores=scores)
    practice.night()
    found = {row["therapist_id"]: row for row in practice.published("therapist_lenses").to_dicts()}
    assert found["T-0"]["sentence"].startswith("Low alliance ratings are somewhat more frequent")
    assert found["T-0"]["effect_low"] > 0
    assert found["T-9"]["is_suppressed"]
    assert found["T-9"]["effect"] is None
    assert found["T-9"]["sentence"] == ""
    assert list(found) == sorted(found), "never in the order of what was found"
