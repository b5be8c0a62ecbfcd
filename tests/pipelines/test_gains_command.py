"""`unstuck gains`: sudden gains and losses of the cases in a file."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_contracts.errors import SourceError
from pipelines.cli import main

COURSES = {
    "007": [30, 31, 30, 15, 14, 14, 14],  # falls by half, and holds
    "A": [30, 31, 30, 15, 14, 14, 28],  # falls by half, and gives it back
    "B": [14, 14, 15, 30, 31, 30],  # a loss
    "C": [30, None, None, 14],  # too many gaps
    "D": [30],
}


def scores() -> pl.DataFrame:
    rows = [
        (case, session, f"2026-01-{session:02}", score)
        for case, course in COURSES.items()
        for session, score in enumerate(course, start=1)
    ]
    return pl.DataFrame(rows, schema=["client", "session", "on", "bdi"], orient="row")


@pytest.fixture(params=["csv", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"scores.{request.param}"
    scores().write_csv(path) if request.param == "csv" else scores().write_parquet(path)
    return path


@pytest.fixture
def told(file: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def tell(*arguments: str, time: str = "session") -> tuple[int, str]:
        columns = ["--case", "client", "--time", time, "--score", "bdi"]
        code = main(["gains", str(file), *columns, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


def test_as_json_every_event_stands_with_its_scores(told: Any) -> None:
    code, printed = told("--cutoff", "7", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["rule"]["cutoff"] == 7
    events = {event["case_id"]: event for event in found["events"]}
    assert list(events) == ["007", "A"]
    assert (events["A"]["session"], events["A"]["points_better"]) == (3, 15)
    assert [event["is_reversed"] for event in events.values()] == [False, True]


def test_as_json_who_could_not_be_judged_stands_with_the_reason(told: Any) -> None:
    _, printed = told("--cutoff", "7", "--json")
    found = json.loads(printed)
    assert {each["case_id"]: each["reason"] for each in found["not_judged"]} == {
        "C": "gaps",
        "D": "too_few_sessions",
    }
    assert found["not_judged_by_reason"] == {"too_few_sessions": 1, "gaps": 1}
    assert (found["cases"]["case_count"], found["cases"]["judged_count"]) == (5, 3)
    assert found["cases"]["cases_with_change"] == 2


def test_as_text_events_are_told_as_events_and_never_as_flags(told: Any) -> None:
    code, printed = told("--cutoff", "7")
    assert code == 0
    assert "007: gain between sessions 3 and 4, 30 to 15 (held)" in printed
    assert "A: gain between sessions 3 and 4, 30 to 15 (given back by half later on)" in printed
    assert "2 sudden gains in 2 of 3 cases that could be judged" in printed
    assert "none is a flag" in printed


def test_losses_are_asked_for(told: Any) -> None:
    _, printed = told("--cutoff", "7", "--losses")
    assert "B: loss between sessions 3 and 4, 15 to 30 (held)" in printed
    assert "1 sudden loss in 1 of 3 cases" in printed


def test_days_can_be_put_in_order(told: Any) -> None:
    _, by_number = told("--cutoff", "7", "--json")
    code, by_day = told("--cutoff", "7", "--in-order", "--json", time="on")
    assert code == 0
    assert json.loads(by_day)["events"] == json.loads(by_number)["events"]


def test_criteria_can_be_switched_off(told: Any) -> None:
    code, printed = told("--without", "1", "--without", "3", "--share", "0.4", "--json")
    rule = json.loads(printed)["rule"]
    assert code == 0
    assert (rule["cutoff"], rule["share"], rule["beyond_spread"]) == (None, 0.4, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--cutoff"),
        (("--cutoff", "-7"), "positive"),
        (("--without", "1", "--without", "2", "--without", "3"), "keep at least one"),
    ],
)
def test_a_rule_that_means_nothing_is_a_wrong_call(
    told: Any, arguments: tuple[str, ...], said: str
) -> None:
    code, printed = told(*arguments)
    assert code == 2
    assert said in printed


def test_a_day_is_no_number_of_a_session(told: Any) -> None:
    code, printed = told("--cutoff", "7", time="on")
    assert code == SourceError.exit_code
    assert "column 'on' of scores." in printed
    assert "must be numbers" in printed
    assert "--in-order" in printed


@pytest.mark.parametrize(
    ("column", "said"), [("sesion", "did you mean 'session'"), ("bdi", "three columns")]
)
def test_a_wrong_column_is_named(told: Any, column: str, said: str) -> None:
    code, printed = told("--cutoff", "7", time=column)
    assert code == SourceError.exit_code
    assert said in printed


@pytest.mark.parametrize("name", ["nothing.csv", "nothing.parquet", "cut_off.parquet"])
def test_a_file_that_cannot_be_read_is_said_so(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut_off.parquet").write_bytes(b"PAR1")
    code = main(["gains", str(tmp_path / name), "--cutoff", "7"])
    assert code == SourceError.exit_code
    assert name in capsys.readouterr().err


def test_rows_that_have_no_order_are_refused_without_their_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.csv"
    for days, said in (
        (["5", "5"], "1 row with the case and time"),
        (["5", ""], "1 row has no time"),
    ):
        rows = [f"secret,{day},13" for day in days]
        path.write_text("\n".join(["case_id,time,score", *rows]))
        code = main(["gains", str(path), "--cutoff", "7", "--in-order"])
        printed = capsys.readouterr().err
        assert code == SourceError.exit_code
        assert said in printed
        assert "secret" not in printed


def test_a_file_with_a_column_a_session_gives_the_same_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], told: Any
) -> None:
    wide = scores().pivot("session", index="client", values="bdi")
    sessions = [name for name in wide.columns if name != "client"]
    file = tmp_path / "wide.csv"
    wide.write_csv(file)
    named = [word for session in sessions for word in ("--session-column", session)]
    assert main(["gains", str(file), "--case", "client", *named, "--cutoff", "7", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["events"] == json.loads(told("--cutoff", "7", "--json")[1])["events"]
    twice = [*named, "--session-column", sessions[0]]
    code = main(["gains", str(file), "--case", "client", *twice, "--cutoff", "7"])
    assert code == SourceError.exit_code
    assert "named twice" in capsys.readouterr().err
