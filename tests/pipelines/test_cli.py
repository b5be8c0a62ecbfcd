"""What people and programs meet at the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import (
    ContractError,
    EverythingRefusedError,
    NothingPublishedError,
    SourceError,
    UnknownCaseError,
)
from pipelines.cli import main

FIELDS = {
    "case_id", "therapist_id", "kind", "measure", "status", "code", "since_occasion", "since_day",
    "occasions", "first_score", "last_score", "gain", "reasons", "as_of", "run_id", "rule_version",
    "verified",
}  # fmt: skip

# A1 does not move, B2 recovers, C3 gets worse, D4 is seen once
DRAWING = """
case day measure score
A1  0   PHQ-9   18
A1  7   PHQ-9   18
A1  14  PHQ-9   17
A1  21  PHQ-9   18
A1  28  PHQ-9   18
A1  35  PHQ-9   17
A1  42  PHQ-9   18
B2  0   PHQ-9   18
B2  7   PHQ-9   12
B2  14  PHQ-9   8
B2  21  PHQ-9   6
C3  0   PHQ-9   10
C3  7   PHQ-9   17
C3  14  PHQ-9   18
D4  0   PHQ-9   14
"""


@pytest.fixture
def told(practice: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command on the drawn practice; return exit code and what it printed."""
    practice.night(DRAWING)

    def tell(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main([*arguments, "--home", str(practice.places.home)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


def test_flags_as_json_are_a_list_of_objects_with_every_promised_field(told: Any) -> None:
    code, printed = told("flags", "--json")
    found = json.loads(printed)
    assert code == 0
    assert all(set(flag) >= FIELDS for flag in found)
    assert {(flag["case_id"], flag["kind"]) for flag in found} == {
        ("A1", "stuck"),
        ("C3", "deteriorating"),
    }
    A1 = next(flag for flag in found if flag["case_id"] == "A1")
    assert (A1["first_score"], A1["last_score"], A1["gain"]) == (18, 18, 0)
    assert (A1["since_occasion"], A1["since_day"], A1["occasions"]) == (6, 42, 7)
    assert A1["code"] == "no_gain"
    assert A1["verified"] is True
    assert A1["reasons"][0].startswith("Day 42: the last two PHQ-9 scores average 17.5;")


def test_all_adds_the_cases_without_a_flag(told: Any) -> None:
    _, printed = told("flags", "--all", "--json")
    by_case = {flag["case_id"]: flag for flag in json.loads(printed)}
    assert set(by_case) == {"A1", "B2", "C3", "D4"}
    assert (by_case["B2"]["kind"], by_case["B2"]["status"]) == (None, "recovered")
    assert (by_case["D4"]["status"], by_case["D4"]["code"]) == ("cannot_judge", "no_score")


def test_at_day_asks_what_the_rule_says_with_the_data_up_to_that_day(told: Any) -> None:
    _, printed = told("flags", "--at-day", "7", "--all", "--json")
    by_case = {flag["case_id"]: flag for flag in json.loads(printed)}
    assert (by_case["C3"]["status"], by_case["C3"]["code"]) == ("watch", "worse_once")
    assert by_case["C3"]["last_score"] == 17
    assert by_case["A1"]["occasions"] == 2


def test_as_of_asks_what_was_shown_then_whatever_came_later(practice: Any, told: Any) -> None:
    practice.night("case day measure score\nA1 49 PHQ-9 5\nA1 56 PHQ-9 5\n")
    _, now = told("flags", "--json")
    _, then = told("flags", "--as-of", "2026-01-05", "--json")
    assert "A1" not in {flag["case_id"] for flag in json.loads(now)}
    shown = {flag["case_id"]: flag for flag in json.loads(then)}
    assert shown["A1"]["kind"] == "stuck"
    assert shown["A1"]["last_score"] == 18


def test_a_day_before_the_first_run_showed_nothing(told: Any) -> None:
    code, printed = told("flags", "--as-of", "2025-12-31", "--json")
    assert (code, json.loads(printed)) == (0, [])


def test_explain_says_why_and_what_would_remove_the_flag(told: Any) -> None:
    code, printed = told("explain", "A1")
    assert code == 0
    assert "stuck" in printed
    assert "Still in the clinical range at" in printed
    assert "this flag goes if the last two PHQ-9 scores average" in printed


def test_an_unknown_case_is_said_to_be_unknown(told: Any) -> None:
    code, printed = told("explain", "nobody")
    assert code == UnknownCaseError.exit_code
    assert "unstuck flags --all" in printed


def test_rules_name_thresholds_and_sources(told: Any) -> None:
    _, printed = told("rules")
    assert "stuck_sessions = 6" in printed
    assert "R2: BMC Psychiatry 2018" in printed
    assert "NOT YET VERIFIED" in printed


def test_rules_say_what_changed_and_why_and_how_safety_items_are_shown(told: Any) -> None:
    _, printed = told("rules")
    _, as_json = told("rules", "--json")
    changes = json.loads(as_json)["changes"]
    assert {change["version"] for change in changes} == {json.loads(as_json)["rule_version"]}
    for change in changes:
        assert change["what"] in printed
        assert change["why"] in printed
    assert "safety item, shown as answered: PHQ-9 item 9, flag from" in printed
    assert "Follow your practice's own safety protocol" in printed


def test_without_a_snapshot_the_next_command_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["flags", "--home", str(tmp_path / "empty")])
    assert code == NothingPublishedError.exit_code
    assert "unstuck run" in capsys.readouterr().err


def test_errors_of_different_kinds_have_different_exit_codes(
    practice: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    practice.night(DRAWING)
    home = ["--home", str(practice.places.home)]
    mapping = ["--mapping", str(practice.mapping)]
    nowhere = str(practice.folder / "nowhere")
    assert main(["run", "--source", nowhere, *mapping, *home]) == SourceError.exit_code
    assert (
        main(["run", "--source", str(practice.source), "--mapping", nowhere, *home])
        == ContractError.exit_code
    )
    assert main(["run", *home]) == ContractError.exit_code
    assert main(["flags", "--no-such-option"]) == 2
    assert main(["flags", "--as-of", "yesterday", *home]) == 2
    assert "neither a date" in capsys.readouterr().err


def test_a_night_with_nothing_good_says_what_was_expected_and_what_came(
    practice: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EverythingRefusedError):
        practice.night("case day measure wrong\nA1 0 PHQ-9 3\n")
    told = practice.places.last_run()
    assert told.state == "failed"
    assert "expected the columns case, day, measure, score" in told.message
    assert "missing: score" in told.message


def test_a_run_by_hand_says_how_it_ran_and_a_rerun_that_nothing_was_new(
    practice: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    practice.night(DRAWING)
    arguments = [
        "run", "--source", str(practice.source), "--mapping", str(practice.mapping),
        "--home", str(practice.places.home), "--quiet",
    ]  # fmt: skip
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "in this process" in printed
    assert "Nothing new" in printed


def test_init_makes_a_home_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert main(["init", "--home", str(home)]) == 0
    (home / "unstuck.toml").write_text('title = "Ours"\n', encoding="utf-8")
    assert main(["init", "--home", str(home)]) == 0
    assert (home / "unstuck.toml").read_text(encoding="utf-8") == 'title = "Ours"\n'
    assert "kept" in capsys.readouterr().out


def test_doctor_finds_a_broken_setting_and_names_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unstuck.toml").write_text('titel = "Ours"\n', encoding="utf-8")
    assert main(["doctor", "--home", str(tmp_path)]) != 0
    printed = capsys.readouterr().out
    assert "PROBLEM" in printed
    assert "did you mean 'title'?" in printed


def test_the_command_line_starts_without_anything_heavy() -> None:
    program = (
        "import sys, pipelines.cli; "
        "heavy = {'polars', 'duckdb', 'pandas', 'prefect', 'streamlit', 'sklearn', 'scipy', "
        "'great_expectations', 'numpy'} & set(sys.modules); print(sorted(heavy))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "[]"


DATED = """
format = 1
case_ids = "keep"

[[file]]
table = "scores"
path = "scores*.csv"
columns = { case_id = "case", time = "date", measure = "measure", value = "score" }
time = { unit = "date", format = "%d.%m.%Y" }
measures = { "PHQ-9" = "phq9" }

[[file]]
table = "sessions"
path = "sessions*.csv"
columns = { case_id = "case", session = "number", time = "date", attended = "came" }
time = { unit = "date", format = "%d.%m.%Y" }
"""


def test_dated_scores_and_sessions_meet_on_the_same_clock_and_no_date_stays(practice: Any) -> None:
    practice.map(DATED)
    weeks = [f"{day:02}.0{month}.2025" for month in (3, 4) for day in (1, 8, 15, 22)]
    practice.send("case,date,measure,score\n" + "".join(f"A1,{week},PHQ-9,18\n" for week in weeks))
    practice.send(
        "case,number,date,came\n"
        + "".join(f"A1,{number},{week},yes\n" for number, week in enumerate(weeks, 1)),
        "sessions.csv",
    )
    practice.night()
    points = practice.published("course_points").sort("occasion")
    assert points["day"].to_list() == [0, 7, 14, 21, 31, 38, 45, 52]
    assert points["sessions_attended"].to_list() == list(range(1, 9))
    assert practice.statuses() == {"A1": ("stuck", "no_gain")}
    for path in practice.places.home.rglob("*.duckdb"):
        content = path.read_bytes()
        assert b"01.03.2025" not in content, path.name
        assert b"2025-03-01" not in content, path.name


def test_flags_come_in_the_order_of_the_queue(told: Any) -> None:
    _, printed = told("flags", "--json")
    assert [(flag["case_id"], flag["kind"]) for flag in json.loads(printed)] == [
        ("C3", "deteriorating"),  # the worse need first, not the first id
        ("A1", "stuck"),
    ]
