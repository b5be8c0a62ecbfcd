"""`unstuck caseload`: what came of therapists' cases in a file, suppressed and never ranked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import SourceError, UnstuckError
from pipelines.cli import main


def cases() -> pl.DataFrame:
    """Return 10 therapists with 21 cases each, one with 3 and one with 2."""
    rng = np.random.default_rng(1)
    therapists = [f"T{number}" for number in range(10) for _ in range(21)] + ["U"] * 3 + ["V"] * 2
    first = rng.integers(10, 26, len(therapists))
    return pl.DataFrame(
        {
            "case": [f"c{number}" for number in range(len(therapists))],
            "who": therapists,
            "where": ["north" if each < "T5" else "south" for each in therapists],
            "pre": first,
            "post": np.clip(first - rng.integers(0, 14, len(first)), 0, 27),
            "problem": rng.choice(["fear", "grief"], len(first)),
        }
    )


@pytest.fixture(params=["csv", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"cases.{request.param}"
    cases().write_csv(path) if request.param == "csv" else cases().write_parquet(path)
    return path


COLUMNS = ("--case", "case", "--therapist", "who", "--first-score", "pre", "--last-score", "post")


def told(file: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["caseload", str(file), *COLUMNS, *arguments])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_as_json_therapists_stand_in_the_order_of_ids_and_small_ones_without_numbers(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = told(file, capsys, "--measure", "phq9", "--problem", "problem", "--json")
    found = json.loads(printed)
    assert code == 0
    rows: list[dict[str, Any]] = found["therapists"]
    assert [row["therapist_id"] for row in rows] == [*(f"T{n}" for n in range(10)), "U", "V"]
    for row in rows:
        assert row["is_suppressed"] == (row["therapist_id"] in "UV")
        numbers = [row[name] for name in ("case_count", "mean_saes", "effect", "effect_low")]
        assert all(number is None for number in numbers) == row["is_suppressed"]
        if not row["is_suppressed"]:
            assert row["case_count"] == 20
            assert row["effect_low"] < row["effect"] < row["effect_high"]
    assert found["reference"]["cutoff"] == 10
    assert found["reference"]["name"] == "these cases"
    shares = found["variances"]
    assert 0 <= shares["therapist_share_low"] <= shares["therapist_share"] < 0.5
    assert "rank" not in printed.replace("No rank", "")


def test_as_text_hidden_therapists_are_counted_and_not_named(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = told(file, capsys, "--measure", "phq9", "--site", "where")
    assert code == 0
    assert "T0: about 20 cases, mean" in printed
    assert "2 therapists are not shown" in printed
    assert "\nU" not in printed
    assert "2 sites cannot show how much sites differ" in printed
    assert "No rank" in printed
    assert "Share of therapists in the variance" in printed


def test_a_reference_of_another_file_is_taken_as_it_is(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    better = tmp_path / "last_year.csv"
    cases().with_columns(post=pl.col("post") + 3).write_csv(better)
    _, own = told(file, capsys, "--measure", "phq9", "--json")
    code, printed = told(file, capsys, "--measure", "phq9", "--reference", str(better), "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["reference"]["name"] == "last_year.csv"
    assert found["mean_saes"] > json.loads(own)["mean_saes"] - 0.01
    assert found["reference"]["mean_change"] < json.loads(own)["reference"]["mean_change"]


def test_rows_and_cases_that_cannot_be_used_are_counted_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = pl.DataFrame(
        {
            "case": [None] * 8 + ["twice"] * 10 + [f"m{n}" for n in range(12)],
            "who": ["T1"] * 30,
            "where": ["north"] * 30,
            "pre": ["20"] * 18 + ["4"] * 12,
            "post": ["10"] * 30,
            "problem": ["fear"] * 30,
        }
    )
    path = tmp_path / "cases.csv"
    pl.concat([cases().cast(pl.String), more]).write_csv(path)
    code, printed = told(path, capsys, "--measure", "phq9", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["rows_not_used"] == {"no_case": 10, "same_case": 10}
    assert found["cases_not_used"] == {"not_clinical": 10}
    _, text = told(path, capsys, "--measure", "phq9")
    assert "10 cases not used: the first score is not in the clinical range." in text
    assert "10 rows not used: the case has another row." in text


def test_what_is_missing_in_the_call_or_the_file_is_said(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = told(file, capsys)
    assert code == 2
    assert "--cutoff" in printed
    code, printed = told(file, capsys, "--cutoff", "10", "--site", "wher")
    assert code == SourceError.exit_code
    assert "did you mean 'where'" in printed
    code, printed = told(file, capsys, "--cutoff", "26")
    assert code == UnstuckError.exit_code
    assert "a reference needs 50" in printed
    few = tmp_path / "few.csv"
    cases().filter(pl.col("who").is_in(["T1", "T2", "T3"])).write_csv(few)
    code, printed = told(few, capsys, "--cutoff", "10")
    assert code == 0
    assert "not enough groups for a shrunken estimate" in printed
