"""What people and programs meet at `unstuck change`."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_contracts.errors import SourceError, UnstuckError
from pipelines.cli import main

ROWS = """client,week,phq9
A,0,20
A,12,8
B,0,20
B,12,19
C,0,8
C,12,18
D,0,20
E,0,NA
E,12,9
"""
COLUMNS = ["--case", "client", "--time", "week", "--score", "phq9", "--pre", "0", "--post", "12"]
FROZEN = ["--reliability", "0.86", "--sd-pre", "6.1", "--mean-pre", "16", "--reference", "manual"]


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    file = tmp_path / "scores.csv"
    file.write_text(ROWS, encoding="utf-8")

    def tell(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["change", str(file), *COLUMNS, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


def classes(printed: str) -> dict[str, str]:
    return {one["case_id"]: one["class"] for one in json.loads(printed)["cases"]}


def test_classes_with_a_frozen_reference_and_a_published_cutoff(told: Any) -> None:
    code, printed = told(*FROZEN, "--cutoff", "10", "--json")
    found = json.loads(printed)
    assert code == 0
    assert classes(printed) == {
        "A": "recovered", "B": "unchanged", "C": "entered_clinical_range",
        "D": "not_computable", "E": "not_computable",
    }  # fmt: skip
    assert found["counts"]["recovered"] == 1
    assert found["counts"]["improved"] == 0
    assert found["not_computable"] == {"no_score_after": 1, "no_score_before": 1}
    assert found["rule"]["reference"] == "manual"
    assert found["warnings"] == []
    assert "harmed" not in printed
    assert "NaN" not in printed


def test_text_says_counts_reasons_and_what_it_rests_on(told: Any) -> None:
    code, printed = told(
        *FROZEN, "--cutoff", "c", "--functional-mean", "5", "--functional-sd", "4", "--method", "EN"
    )
    assert code == 0
    assert "5 cases by EN" in printed
    assert "1: no score after" in printed
    assert "reference manual" in printed
    assert "Cut-off: 9.356 (c: manual and functional population)" in printed
    assert "Warning: EN leaves out" in printed


def test_the_sample_as_reference_is_asked_for_by_name(told: Any) -> None:
    code, printed = told("--reliability", "0.86")
    assert code == UnstuckError.exit_code
    assert "--reference sample" in printed
    code, printed = told("--reliability", "0.86", "--reference", "sample", "--json")
    assert code == 0
    assert json.loads(printed)["rule"]["is_sample"] is True
    assert "taken from these very cases" in json.loads(printed)["warnings"][0]


def test_a_measure_brings_its_published_numbers(told: Any) -> None:
    code, printed = told("--measure", "phq9", *FROZEN, "--cutoff", "c", "--json")
    found = json.loads(printed)
    assert code == 0
    assert (found["rule"]["method"], found["rule"]["points"]) == ("points", 6)
    assert found["cutoff"]["value"] == 10


@pytest.mark.parametrize("method", ["JT", "GLN", "HLL", "EN", "NK", "HA", "points", "percent"])
def test_every_method_answers(told: Any, method: str) -> None:
    given = ["--reference", "sample", "--cutoff", "a", "--method", method, "--json"]
    if method == "points":
        given += ["--points", "6", "--worse-points", "5"]
    elif method == "percent":
        given += ["--percent", "50"]
    else:
        given += ["--reliability", "0.86"]
    code, printed = told(*given)
    assert code == 0
    assert json.loads(printed)["rule"]["method"] == method
    assert len(classes(printed)) == 5


def test_slopes_take_every_score_of_a_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.parquet"
    rows = [
        (f"C{case}", week, 25.0 - week * (case % 5) / 2 + (case * 7 + week * 5) % 4)
        for case in range(30)
        for week in range(5)
    ]
    frame = pl.DataFrame(rows, schema=["case_id", "time", "score"], orient="row")
    frame.write_parquet(file)
    assert main(["change", str(file), "--method", "HLM", "--cutoff", "15", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cases_count"] == 30
    assert "faster_than_mean" in found["counts"]
    assert "relative to the mean slope" in found["warnings"][0]


def test_cases_can_be_written_to_a_file(told: Any, tmp_path: Path) -> None:
    for name in ("out.csv", "out.parquet"):
        code, _ = told(*FROZEN, "--out", str(tmp_path / name))
        assert code == 0
        read = pl.read_csv if name.endswith("csv") else pl.read_parquet
        assert read(tmp_path / name).height == 5
    assert told(*FROZEN, "--out", str(tmp_path / "out.xlsx"))[0] == UnstuckError.exit_code


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--method", "XX"], "not known: expected one of JT"),
        (["--method", "points"], "needs --points"),
        (["--method", "percent"], "needs --percent"),
        (["--sd-pre", "6"], "needs --reliability"),
        ([*FROZEN, "--cutoff", "c"], "needs --functional-mean and --functional-sd"),
        ([*FROZEN, "--cutoff", "high"], "neither a, b, c nor a number"),
        ([*FROZEN, "--higher-is", "up"], "must be 'better' or 'worse'"),
        ([*FROZEN, "--post", "99"], "no row has the time '99'"),
        (["--measure", "phq"], "no contract for measure 'phq'"),
        ([*FROZEN, "--cutoff", "b", "--functional-mean", "5", "--functional-sd", "3",
          "--sd-of-b", "both"], "neither functional nor clinical"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(told: Any, given: list[str], said: str) -> None:
    code, printed = told(*given)
    assert code == UnstuckError.exit_code
    assert said in printed


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, told: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["change", str(tmp_path / "no.csv"), *COLUMNS]) == SourceError.exit_code
    assert "cannot be read as CSV or Parquet" in capsys.readouterr().err
    code, printed = told("--score", "phq")
    assert code == SourceError.exit_code
    assert "did you mean 'phq9'?" in printed
    code, printed = told("--score", "client")
    assert code == SourceError.exit_code
    assert "must be a column of its own" in printed


# --- Other shapes, other questions ---------------------------------------------------------------

WIDE = """client,first,last,arm
A,20,8,therapy
B,20,19,waiting
C,8,18,waiting
D,20,,therapy
E,21,9,therapy
F,19,18,waiting
"""


@pytest.fixture
def told_wide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    file = tmp_path / "wide.csv"
    file.write_text(WIDE, encoding="utf-8")
    columns = ["--case", "client", "--pre-column", "first", "--post-column", "last"]

    def tell(*arguments: str) -> tuple[int, str]:
        code = main(["change", str(file), *columns, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


def test_one_row_a_case_is_read_as_well(told_wide: Any) -> None:
    code, printed = told_wide(*FROZEN, "--cutoff", "10", "--json")
    assert code == 0
    assert classes(printed) == {
        "A": "recovered", "B": "unchanged", "C": "entered_clinical_range",
        "D": "not_computable", "E": "recovered", "F": "unchanged",
    }  # fmt: skip
    assert json.loads(printed)["not_computable"] == {"no_score_after": 1}


def test_groups_are_judged_as_a_whole(told_wide: Any) -> None:
    asked = ["--effect", "within", "--group", "arm", "--points", "5"]
    code, printed = told_wide(*asked, "--json")
    groups = {one["group"]: one for one in json.loads(printed)["groups"]}
    assert code == 0
    assert (groups["therapy"]["difference"], groups["therapy"]["verdict"]) == (-12, "large")
    assert (groups["waiting"]["count"], groups["waiting"]["verdict"]) == (3, "not_significant")
    assert "therapy: -12 points" in told_wide(*asked)[1]
    everyone = json.loads(told_wide("--effect", "within", "--points", "5", "--json")[1])["groups"]
    assert [(one["group"], one["count"]) for one in everyone] == [(None, 5)]


def test_groups_are_compared_with_the_one_that_is_named(told_wide: Any) -> None:
    asked = ["--effect", "between", "--group", "arm", "--points", "5"]
    code, printed = told_wide(*asked, "--reference-group", "waiting")
    assert code == 0
    assert "therapy compared with waiting: -9.833 points" in printed
    assert "5 points matter" in printed
    assert "--reference-group" in told_wide(*asked)[1]
    assert "is in the group 'nobody'" in told_wide(*asked, "--reference-group", "nobody")[1]


def test_the_side_of_the_cutoff_alone_can_be_asked(told_wide: Any) -> None:
    code, printed = told_wide("--crossing", "--cutoff", "10", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["counts"]["left_clinical_range"] == 2
    assert found["counts"]["entered_clinical_range"] == 1
    assert "verdict" not in found["cases"][0]
    assert "--crossing needs --cutoff" in told_wide("--crossing")[1]


def test_percentages_may_differ_for_deterioration(told_wide: Any) -> None:
    asked = ["--method", "percent", "--percent", "50", "--json"]
    assert json.loads(told_wide(*asked)[1])["counts"]["deteriorated"] == 1
    more = json.loads(told_wide(*asked, "--worse-percent", "150")[1])
    assert more["counts"]["deteriorated"] == 0
    assert more["rule"]["worse_share"] == 1.5


def test_shares_by_true_scores_are_told_by_group(told_wide: Any) -> None:
    asked = ["--method", "HA", "--reliability", "0.9", "--cutoff", "a", "--reference", "sample"]
    code, printed = told_wide(*asked, "--group", "arm")
    assert code == 0
    assert "Shares by true scores in therapy: improved" in printed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--effect", "within"], "--effect needs --points"),
        (["--effect", "beside", "--points", "5"], "neither within nor between"),
        ([*FROZEN, "--at-cutoff", "near", "--cutoff", "10"], "neither clinical nor must_cross"),
        ([*FROZEN, "--method", "NK", "--post-error", "sd"], "neither sd_pre nor sd_post"),
        ([*FROZEN, "--group", "arms"], "did you mean 'arm'?"),
        ([*FROZEN, "--pre-column", "arm"], "holds text"),
    ],
)
def test_what_is_missing_in_a_wide_file_is_named(
    told_wide: Any, given: list[str], said: str
) -> None:
    code, printed = told_wide(*given)
    assert code != 0
    assert said in printed


def test_a_case_that_is_there_twice_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wide.csv"
    file.write_text(WIDE + "A,20,8,therapy\n", encoding="utf-8")
    columns = ["--case", "client", "--pre-column", "first", "--post-column", "last"]
    assert main(["change", str(file), *columns, *FROZEN, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["not_computable"] == {"two_scores_before": 2, "no_score_after": 1}
