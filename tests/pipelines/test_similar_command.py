"""`unstuck similar`: how the most similar ended cases of a file went on."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_contracts.errors import SourceError, UnknownCaseError
from pipelines.cli import main


def scores() -> pl.DataFrame:
    """Return 150 ended cases that fall by a point a week, and two open ones."""
    rows: list[tuple[Any, ...]] = []
    for number in range(150):
        first = 12 + number % 12
        rows += [
            (f"{number:03}", week, first - week, 20 + number % 7, 100 + number, week + number)
            for week in range(5)
        ]
    rows += [("open", week, 18 - week, 22, None, 300 + week) for week in range(3)]
    rows += [("far", 0, 27, 400, None, 300)]
    names = ["client", "week", "phq", "age", "ended", "day"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.fixture(params=["csv", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"scores.{request.param}"
    scores().write_csv(path) if request.param == "csv" else scores().write_parquet(path)
    return path


COLUMNS = ("--case", "client", "--time", "week", "--score", "phq", "--ended-on", "ended")


def told(file: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["similar", str(file), *COLUMNS, *arguments])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_as_json_an_open_case_gets_what_similar_cases_show(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = told(file, capsys, "--feature", "age", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["reference"] == {"case_count": 150, "ended_before": 250}
    answers = {row["case_id"]: row for row in found["asked"]}
    assert answers["open"]["made_at"] == 2
    assert answers["open"]["reason"] is None
    assert answers["far"]["reason"] == "outside_reference"
    assert found["not_answered"] == {"outside_reference": 1}
    first, second = found["foreseen"]
    assert (first["case_id"], first["occasion"], second["occasion"]) == ("open", 3, 4)
    assert first["expected"] == pytest.approx(15, abs=0.7)
    assert first["better_boundary"] <= first["expected"] <= first["worse_boundary"]
    assert first["neighbour_count"] == 40
    assert 20 < first["effective_number"] <= 40


def test_as_text_a_case_has_one_line_and_the_rest_is_counted(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = told(file, capsys, "--feature", "age")
    assert code == 0
    assert "open: after 3 scores, next expected 14.9; boundary 17.0" in printed
    assert "1 of 2 open cases compared with 150 ended ones." in printed
    assert "1 case: no ended case is as near" in printed
    assert "not what will happen to this one" in printed


def test_asked_as_on_a_day_nothing_later_is_used(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--known-on", "day", "--as-of", "240", "--only", "149", "--only", "148", "--json")
    code, printed = told(file, capsys, *arguments)
    found = json.loads(printed)
    assert code == 0
    assert found["reference"] == {"case_count": 140, "ended_before": 240}
    assert {row["case_id"]: row["made_at"] for row in found["asked"]} == {"148": 4, "149": 4}
    _, printed = told(file, capsys, *arguments[:3], "151", *arguments[4:])
    early = json.loads(printed)
    assert early["reference"]["case_count"] == 51
    assert [row["made_at"] for row in early["asked"]] == [2, 1]
    assert early["not_answered"] == {"too_few_similar": 2}


def test_rows_that_cannot_be_used_are_counted_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.csv"
    good = scores().cast(pl.String).write_csv()
    broken = [
        ",1,10,20,,",  # no case
        "open,,10,22,,",  # no time
        "open,9,high,22,,",  # no score
        "twin,1,10,20,,",
        "twin,1,12,20,,",  # the same time
        "shift,1,10,20,50,",
        "shift,2,10,20,60,",  # two ends
    ]
    path.write_text(good + "\n".join(broken) + "\n")
    code, printed = told(path, capsys, "--json")
    assert code == 0
    assert json.loads(printed)["rows_not_used"] == {
        "no_case": 1,
        "no_time": 1,
        "no_score": 1,
        "same_time": 2,
        "contradicting_case": 2,
    }
    _, text = told(path, capsys)
    assert "2 of 761 rows not used: the case has another score at the same time" in text


def test_dates_are_taken_for_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = pl.date(2025, 1, 1)
    dated = scores().with_columns(
        (day + pl.duration(days="ended")).alias("ended"),
        (day + pl.duration(days="day")).alias("day"),
    )
    path = tmp_path / "dated.csv"
    dated.write_csv(path)
    code, printed = told(path, capsys, "--time", "day", "--json")
    assert code == 0
    assert json.loads(printed)["reference"]["case_count"] == 150


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--percentile", "0.4"), "percentile"),
        (("--percentile", "0.99"), "cannot show"),
        (("--neighbours", "1"), "neighbours"),
    ],
)
def test_a_rule_that_means_nothing_is_a_wrong_call(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, printed = told(file, capsys, *arguments)
    assert code == 2
    assert said in printed


def test_a_wrong_column_is_named_and_an_unknown_case_is_not(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = told(file, capsys, "--feature", "agee")
    assert code == SourceError.exit_code
    assert "did you mean 'age'" in printed
    code, printed = told(file, capsys, "--only", "secret")
    assert code == UnknownCaseError.exit_code
    assert "secret" not in printed


def test_an_end_that_is_no_day_is_said_so_without_its_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("client,week,phq,ended\na,1,10,secret\n")
    code, printed = told(path, capsys)
    assert code == SourceError.exit_code
    assert "1 cell of column 'ended'" in printed
    assert "secret" not in printed
