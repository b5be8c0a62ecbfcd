"""What every command that looks at one file does with a file that is not as it should be."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from data_contracts.errors import SourceError, UnstuckError
from pipelines.cli import main

HEADER = "case_id,time,score,baseline,note"
GROWTH = ["growth"]
GAINS = ["gains", "--cutoff", "7"]
CHANGE = ["change", "--pre", "1", "--post", "2", "--method", "points", "--points", "5"]
ALLIANCE = ["alliance", "--measure", "srs"]
SIMILAR = ["similar", "--ended-on", "baseline"]
THERAPIES = ["talking-therapies", "--measure", "note"]
CASELOAD = ["caseload", "--cutoff", "10", "--therapist", "note", "--first-score", "score",
            "--last-score", "baseline"]  # fmt: skip
COMMANDS = [GROWTH, GAINS, CHANGE, ALLIANCE, SIMILAR, THERAPIES, CASELOAD]
Told = Callable[..., tuple[int, str]]


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    def tell(command: list[str], content: str | bytes, *more: str) -> tuple[int, str]:
        file = tmp_path / "scores.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        code = main([command[0], str(file), *command[1:], *more])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return tell


def lines(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows, ""])


# --- The file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("c1,2,12,5,20,x", "line 3 has 6 cells and the header 5"),
        ("c1,2,20,x", "line 3 has 4 cells and the header 5"),
        ('"c1",2,12,5,20,"x, y"', "line 3 has 6 cells and the header 5"),
    ],
)
def test_a_line_with_a_cell_too_many_or_too_few_is_refused_with_its_number(
    told: Told, command: list[str], row: str, said: str
) -> None:
    code, printed = told(command, lines("c1,1,12,20,x", row, "c1,3,12,20,x"))
    assert code == SourceError.exit_code
    assert said in printed
    assert "decimal comma" in printed


def test_empty_lines_are_no_rows(told: Told) -> None:
    rows = ["c1,1,12,20,x", "", "c1,2,5,20,x", "", ""]
    code, printed = told(CHANGE, lines(*rows), "--json")
    found = json.loads(printed)
    assert code == 0
    assert (found["cases_count"], found["rows_set_aside"]) == (1, {})
    assert told(GAINS, lines(*rows))[0] == 0


@pytest.mark.parametrize("form", ["utf-8-sig", "utf-8"])
def test_a_mark_at_the_begin_and_ends_of_lines_of_windows_are_no_matter(
    told: Told, form: str
) -> None:
    content = lines("c1,1,12,20,x", "c1,2,5,20,x").replace("\n", "\r\n").encode(form)
    code, printed = told(CHANGE, content, "--json")
    assert code == 0
    assert json.loads(printed)["counts"]["improved"] == 1


def test_text_of_another_encoding_is_told_where_it_is_read(told: Told) -> None:
    content = lines("c1,1,12,20,x", "M\u00fc,2,5,20,x").encode("latin-1")
    code, printed = told(CHANGE, content)
    assert (code, "CSV in UTF-8" in printed) == (SourceError.exit_code, True)


def test_commas_and_ends_of_lines_within_quotes_are_no_cells(told: Told) -> None:
    rows = ['"c1",1,12,20,"a, b"', 'c1,2,5,20,"a\nb ""c"", d"', "c1,3,4,20,x", "", "c1,4,4,20,x"]
    code, printed = told(CHANGE, lines(*rows), "--json")
    assert code == 0
    assert json.loads(printed)["counts"]["improved"] == 1
    code, printed = told(CHANGE, lines(*rows, "c1,5,4,5,20,x"))
    assert (code, "line 8 has 6 cells" in printed) == (SourceError.exit_code, True)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lines(), "has no rows"),
        (b"", "has no header"),
        (lines("c1;1;12;20;x", header=HEADER.replace(",", ";")), "separated by semicolons"),
        (lines("c1\t1\t12", header=HEADER.replace(",", "\t")), "separated by tabs"),
        (lines("c1,1,12,20,x").encode("utf-16"), "no UTF-8 text (saved as UTF-16?)"),
        (lines("c1,1,12,20,x").encode("utf-16-le"), "no UTF-8 text (saved as UTF-16?)"),
        (
            lines("c1,1,12,20,x,9", header="case_id,time,score,baseline,note,score"),
            "2 columns 'score'",
        ),
        (lines("c1,2,12,20,x", header="case_i7,1,12,20,x"), "does the first line hold the names"),
        (lines("c1,2,12,20,x", header="case_i7,time,score,baseline,note"), "no column 'case_id'"),
    ],
)
def test_a_file_that_is_no_such_csv_is_told_what_is_wrong_and_nothing_of_its_first_line(
    told: Told, command: list[str], content: str | bytes, said: str
) -> None:
    code, printed = told(command, content)
    assert code == SourceError.exit_code
    assert said in printed
    assert "case_i7" not in printed


def test_a_column_with_a_number_in_its_name_is_suggested(told: Told) -> None:
    file = lines("c1,1,12,20,x", header="case_id,time,phq9,baseline,note")
    _, printed = told(GAINS, file, "--score", "phq")
    assert "did you mean 'phq9'?" in printed


@pytest.mark.parametrize("command", [GROWTH, GAINS, CHANGE, ALLIANCE, THERAPIES, CASELOAD],
                         ids=lambda command: command[0])  # fmt: skip
def test_text_among_numbers_is_told_with_column_and_row_and_without_the_text(
    told: Told, command: list[str]
) -> None:
    code, printed = told(command, lines("c1,1,12,20,x", "c1,2,secret,20,x", "c1,3,bad,20,x"))
    assert code == SourceError.exit_code
    assert "column 'score' of scores.csv holds text" in printed
    assert "text in 2 rows, first in row 2 after the header" in printed
    assert "secret" not in printed


# --- Growth --------------------------------------------------------------------------------------


def courses(cases: int = 12) -> list[str]:
    return [
        f"{case:03},{time},{20 - time * (case % 3) + (case * 7 + time * 5) % 4},{10 + case % 5},t1"
        for case in range(cases)
        for time in range(1, 5)
    ]


def test_growth_takes_na_for_missing_and_keeps_leading_zeros(told: Told) -> None:
    rows = [*courses(), "NA,1,12,10,t1", "900,1,NA,10,t1", "900,2,9,NA,t1", "900,NA,9,10,t1"]
    code, printed = told(GROWTH, lines(*rows), "--json")
    assert code == 0
    assert json.loads(printed)["set_aside"] == {
        "no_case": 1, "no_time": 1, "no_score": 1, "no_baseline": 1
    }  # fmt: skip
    zeros = json.loads(told(GROWTH, lines(*courses(), "1,1,12,10,x", "1,2,9,10,x"), "--json")[1])
    assert zeros["n_cases"] == 13
    by_many = [f"{row}{place // 4 % 5}" for place, row in enumerate(courses())]
    rows = [*by_many, "900,1,9,10,NA"]
    code, printed = told(GROWTH, lines(*rows), "--therapist", "note", "--json")
    assert code == 0
    assert json.loads(printed)["set_aside"] == {"no_therapist": 1}


def test_growth_counts_a_row_that_is_there_twice_once(told: Told) -> None:
    once = json.loads(told(GROWTH, lines(*courses()), "--json")[1])
    rows = courses()
    code, printed = told(GROWTH, lines(*rows, rows[0], *rows[5:7]), "--json")
    twice = json.loads(printed)
    assert code == 0
    assert twice["set_aside"] == {"repeated": 3}
    assert twice["n_scores"] == once["n_scores"]
    assert twice["reml_criterion"] == pytest.approx(once["reml_criterion"], abs=1e-8)
    assert "1 row set aside: it repeats another row." in told(GROWTH, lines(*rows, rows[0]))[1]


def test_growth_refuses_two_scores_of_a_case_at_one_time(told: Told) -> None:
    code, printed = told(GROWTH, lines(*courses(), "003,2,27,13,t1"))
    assert code == SourceError.exit_code
    assert "which one counts?" in printed


def test_growth_says_what_was_fitted(told: Told) -> None:
    two_waves = [row for row in courses() if row.split(",")[1] in "12"]
    code, printed = told(GROWTH, lines(*two_waves))
    assert code == 0
    assert "cases differ in level alone" in printed
    assert "slope 0" not in printed
    same = [",".join([*row.split(",")[:3], "10,t1"]) for row in courses()]
    assert "score ~ time, cases differ" in told(GROWTH, lines(*same))[1]


# --- Change --------------------------------------------------------------------------------------

PAIRS = ["c1,1,20,1,x", "c1,2,8,1,x", "c2,1,20,01,x", "c2,2,19,01,x", ",1,20,1,x", " ,2,9,1,x"]


def test_change_never_writes_over_a_file_that_is_there(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    for out, said in (
        (file, "exists already"), (tmp_path / "no" / "out.csv", "no folder"),
    ):  # fmt: skip
        code, printed = told(CHANGE, lines(*PAIRS), "--out", str(out))
        assert (code, said in printed) == (SourceError.exit_code, True)
        assert file.read_text() == lines(*PAIRS)
    (tmp_path / "folder.csv").mkdir()
    code, printed = told(CHANGE, lines(*PAIRS), "--out", str(tmp_path / "folder.csv"))
    assert (code, "is a folder" in printed) == (SourceError.exit_code, True)


def test_change_sets_rows_without_a_case_aside_and_counts_them(told: Told) -> None:
    _, printed = told(CHANGE, lines(*PAIRS), "--json")
    found = json.loads(printed)
    assert (found["cases_count"], found["rows_set_aside"]) == (2, {"no_case": 2})
    assert "2 rows set aside: the case is missing." in told(CHANGE, lines(*PAIRS))[1]


def test_change_reads_groups_as_they_are_written(told: Told) -> None:
    asked = ["--effect", "within", "--group", "baseline", "--json"]
    found = json.loads(told(CHANGE, lines(*PAIRS), *asked)[1])
    assert [group["group"] for group in found["groups"]] == ["1", "01"]
    assert found["no_case_count"] == 2


# --- Gains ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "times",
    [
        ["2", "9", "10", "11", "12", "100"],
        ["2026-01-02", "2026-01-09", "2026-01-10", "2026-01-11", "2026-02-01", "2026-10-01"],
        ["2026-01-02 09:00", "2026-01-02 10:00", *(f"2026-01-0{day} 09:00" for day in "3456")],
    ],
)
def test_gains_puts_numbers_and_iso_dates_in_order(told: Told, times: list[str]) -> None:
    scores = [30, 31, 30, 15, 14, 14]
    rows = [f"c1,{time},{score},1,x" for time, score in zip(times, scores, strict=True)]
    code, printed = told(GAINS, lines(*reversed(rows)), "--in-order")
    assert code == 0
    assert "c1: gain between sessions 3 and 4, 30 to 15 (held)" in printed


def test_gains_refuses_other_times_as_text(told: Told, tmp_path: Path) -> None:
    code, printed = told(GAINS, lines("c1,2.1.26,9,1,x", "c1,10.1.26,8,1,x"), "--in-order")
    assert code == SourceError.exit_code
    assert "column 'time' of scores.csv holds text that cannot be put in order" in printed
    code, printed = told(GAINS, lines("c1,2026-01-02,9,1,x"))
    assert (code, "--in-order" in printed) == (SourceError.exit_code, True)
    code, printed = told(GAINS, lines("c1,20260102,9,1,x"))
    assert code == UnstuckError.exit_code
    assert "scores.csv (columns 'case_id', 'time', 'score'): 1 row has a session above" in printed


# --- Talking therapies ---------------------------------------------------------------------------


def test_outcomes_set_aside_impossible_scores_and_rows_without_a_case(told: Told) -> None:
    rows = [f"c1,{time},{score},1,{name}"
            for name, first, last in (("PHQ-9", 15, 8), ("GAD-7", 12, 7))
            for time, score in ((1, first), (8, last))]  # fmt: skip
    wrong = ["c1,9,99,1,PHQ-9", "c1,9,-1,1,GAD-7", ",1,15,1,PHQ-9"]
    code, printed = told(THERAPIES, lines(*rows, *wrong), "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["rows_set_aside"] == {"no_case": 1, "impossible_score": 2}
    assert [case["case_id"] for case in found["cases"]] == ["c1"]
    assert found["cases"][0]["depression_last"] == 8
    text = told(THERAPIES, lines(*rows, *wrong))[1]
    assert "2 rows set aside: the measure has no such score." in text
    assert "1 row set aside: the case is missing." in text


# --- Alliance and rules --------------------------------------------------------------------------


def test_raters_nobody_knows_are_set_aside_and_capital_letters_are_no_matter(told: Told) -> None:
    raters = ["Client", "client ", "THERAPIST", "Clinician", "mother", "NA"]
    rows = [f"c1,{time},38,1,{rater}" for time, rater in enumerate(raters, start=1)]
    code, printed = told(ALLIANCE, lines(*rows), "--rater", "note", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["set_aside"] == {"unknown rater": 2}
    assert [each["session"] for each in found["ratings"]] == [1, 2]


def test_a_home_that_is_not_there_is_no_home_with_the_built_in_numbers(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    code, printed = told(ALLIANCE, lines("c1,1,38,1,x"), "--home", nowhere)
    assert (code, nowhere in printed) == (SourceError.exit_code, True)
    assert main(["rules", "--home", nowhere]) == SourceError.exit_code
    assert nowhere in capsys.readouterr().err
    assert main(["rules", "--home", str(tmp_path)]) == 0


# --- Caseload ------------------------------------------------------------------------------------


def test_a_caseload_needs_two_columns_of_scores(told: Told) -> None:
    code, printed = told(CASELOAD, lines("c1,1,20,9,t1"), "--last-score", "score")
    assert code == SourceError.exit_code
    assert "must be a column of its own" in printed


def test_counts_that_are_hidden_are_told_to_be_hidden(told: Told) -> None:
    rows = [f"c{case},1,{12 + case % 9},{5 + case % 7},t{case % 6}" for case in range(120)]
    code, printed = told(CASELOAD, lines(*rows, ",1,20,9,t1", "c900,1,4,4,t1"), "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["rows_not_used"] == {"no_case": None}
    assert found["cases_not_used"] == {"not_clinical": None}
    text = told(CASELOAD, lines(*rows, ",1,20,9,t1"))[1]
    assert "A hidden number of rows not used: the case is missing." in text


def test_parquet_is_read_by_the_same_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.parquet"
    frame = pl.DataFrame({"case_id": ["c1", " ", None], "time": [1, 1, 1], "score": [9, 8, 7]})
    for content, said in ((frame.head(0), "has no rows"), (frame, "2 rows set aside")):
        content.write_parquet(file)
        main(["change", str(file), *CHANGE[1:], "--post", "1"])
        printed = capsys.readouterr()
        assert said in printed.out + printed.err
