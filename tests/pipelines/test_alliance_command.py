"""`unstuck alliance`: what the alliance ratings of a file show."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main

ROWS = """client,session,part,who,points
007,1,total,client,38
007,2,total,client,38
007,3,total,client,37
007,4,total,client,38
007,5,total,client,38
007,6,total,client,30
007,7,total,client,31
007,8,total,client,30
007,8,total,therapist,39
B,1,total,client,44
B,1,mood,client,4
B,2,total,client,
B,x,total,client,40
"""
COLUMNS = ["--case", "client", "--time", "session", "--score", "points"]


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def tell(*arguments: str, rows: str = ROWS) -> tuple[int, str]:
        file = tmp_path / "ratings.csv"
        file.write_text(rows, encoding="utf-8")
        given = [*COLUMNS, "--subscale", "part", "--rater", "who", *arguments]
        code = main(["alliance", str(file), *given])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


def without_text(rows: str) -> str:
    return "".join(line for line in rows.splitlines(keepends=True) if ",x," not in line)


def test_a_fall_that_is_not_repaired_is_told_with_its_numbers(told: Any) -> None:
    code, printed = told("--measure", "srs", "--json", rows=without_text(ROWS))
    found = json.loads(printed)
    assert code == 0
    last = found["ratings"][-1]
    assert last["case_id"] == "007"  # as it is written in the file
    # mean of the five ratings before the fall 37.8; the limit lies 2 x 2.0 points below
    assert (last["is_dropped"], round(last["personal_low"], 6)) == (True, 33.8)
    assert [pattern["kind"] for pattern in found["patterns"]] == ["alliance_raters_apart"]


def test_rows_that_cannot_be_used_are_counted_with_their_reason(told: Any) -> None:
    _, printed = told("--measure", "srs", "--json", rows=without_text(ROWS))
    assert json.loads(printed)["set_aside"] == {
        "no rating": 1,
        "outside the range of the measure": 1,
        "unknown part of the measure": 1,
    }


def test_as_text_a_case_with_something_to_say_has_a_line(told: Any) -> None:
    _, printed = told("--measure", "srs", rows=without_text(ROWS))
    assert "007  at 8: alliance fell, alliance low (SRS 30)" in printed


@pytest.mark.parametrize(
    ("arguments", "rows", "code", "said"),
    [
        (["--measure", "sr"], ROWS, 4, "did you mean 'srs'"),
        (["--measure", "phq9"], ROWS, 4, "no alliance measure"),
        (["--measure", "srs"], ROWS, 5, "column 'session' of ratings.csv holds text"),
        (
            ["--measure", "srs"],
            without_text(ROWS) + "007,8,total,client,31\n",
            5,
            "1 row of ratings.csv repeats a case",
        ),
        (["--measure", "srs", "--rater", "whom"], ROWS, 5, "did you mean 'who'"),
    ],
)
def test_errors_say_what_is_wrong_and_hold_no_value(
    told: Any, arguments: list[str], rows: str, code: int, said: str
) -> None:
    found, printed = told(*arguments, rows=rows)
    assert found == code
    assert said in printed
    assert "007" not in printed
