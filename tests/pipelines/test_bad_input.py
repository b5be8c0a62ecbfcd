"""Whatever a practice sends: what is wrong is set aside or refused by name, the rest goes on."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from data_contracts.errors import (
    ContractError,
    EverythingRefusedError,
    SourceError,
    UnstuckError,
)
from data_contracts.wording import explanation
from pipelines.nightly import run_night

STARTED_AT = datetime(2026, 1, 5, 5, 0, tzinfo=UTC)

HEADER = "case,day,measure,score\n"
ANN = "ann-1,0,PHQ-9,20\nann-1,7,PHQ-9,18\n"
BEN = "ben-2,0,PHQ-9,15\nben-2,7,PHQ-9,12\n"
ANN_SCORES = {("ann-1", 0, 20.0), ("ann-1", 7, 18.0)}
BEN_SCORES = {("ben-2", 0, 15.0), ("ben-2", 7, 12.0)}

SCORES = """
format = 1
case_ids = "keep"

[[file]]
table = "scores"
path = "scores.csv"
{file}

[file.columns]
case_id = "case"
time = "day"
measure = "measure"
value = "score"
{columns}

[file.time]
{time}

[file.measures]
"PHQ-9" = "phq9"
"GAD-7" = "gad7"
{measures}
"""
WIDE = """
format = 1
case_ids = "keep"

[[file]]
table = "scores"
path = "wide.csv"
missing = ["", "NA"]

[file.columns]
case_id = "case"
time = "day"

[[file.values]]
column = "phq"
measure = "phq9"

[[file.values]]
column = "gad"
measure = "gad7"
"""
SESSIONS = """
[[file]]
table = "sessions"
path = "sessions.csv"

[file.columns]
case_id = "case"
session = "session"
day = "day"
attended = "came"
"""


def mapped(
    file: str = "", columns: str = "", time: str = 'unit = "day"', measures: str = ""
) -> str:
    return SCORES.format(file=file, columns=columns, time=time, measures=measures)


@pytest.fixture
def sent(practice: Any) -> Any:
    """Send one scores file, run the night, return the practice."""

    def send(content: str | bytes, mapping: str | None = None, name: str = "scores.csv") -> Any:
        practice.map(mapping or mapped())
        practice.send(content, name)
        practice.report = practice.night()
        return practice

    return send


def refusal(practice: Any) -> str:
    """Return the reason of the one refused file, as the screens show it."""
    [(_path, reason)] = practice.report.refused
    [row] = practice.published("quarantine").filter(pl.col("severity") == "file").to_dicts()
    assert reason in row["explanation"]
    assert row["first_line"] == 0
    return reason


# ---- single values ------------------------------------------------------------------------------


BAD_LINES = [
    ("cat-3,7,PHQ-9,abc", "not_a_number", "score"),
    ("cat-3,7,PHQ-9,1e1", "not_a_number", "score"),
    ("cat-3,7,PHQ-9,12;5", "not_a_number", "score"),
    ("cat-3,7,PHQ-9,nan", "not_a_number", "score"),
    ("cat-3,7,PHQ-9,inf", "not_a_number", "score"),
    ("cat-3,7,PHQ-9,28", "score_out_of_range", "score"),
    ("cat-3,7,PHQ-9,-1", "score_out_of_range", "score"),
    ("cat-3,7,PHQ-9,12.5", "score_not_whole", "score"),
    ("cat-3,7,PHQ-9,", "no_value", "score"),
    ("cat-3,soon,PHQ-9,12", "not_a_number", "day"),
    ("cat-3,7.5,PHQ-9,12", "time_not_whole", "day"),
    ("cat-3,,PHQ-9,12", "missing", "day"),
    ("cat-3,99999,PHQ-9,12", "out_of_range", "day"),
    ("cat-3,7,PHQ9x,12", "unknown_measure", "measure"),
    ("cat-3,7,,12", "missing", "measure"),
    (",7,PHQ-9,12", "missing", "case"),
    ("cat three,7,PHQ-9,12", "identifier_form", "case"),
    ("cat-3,7,PHQ-9", "field_count", ""),
    ("cat-3,7,PHQ-9,12,3", "field_count", ""),
    ('cat-3,7,"PHQ-9,12', "unclosed_quote", ""),
]


@pytest.fixture(scope="module")
def bad_lines(new_practice: Any) -> Any:
    """Send every bad line in one file, each between two good ones."""
    practice = new_practice()
    good = [f"c-{place},0,PHQ-9,20\n" for place in range(len(BAD_LINES))]
    bad = [line + "\n" for line, _, _ in BAD_LINES]
    practice.map(mapped())
    practice.send(HEADER + "".join(a + b for a, b in zip(good, bad, strict=True)) + ANN)
    practice.night()
    return practice


@pytest.mark.parametrize(("place", "line", "rule_id", "column"),
                         [(place, *bad) for place, bad in enumerate(BAD_LINES)])  # fmt: skip
def test_a_bad_line_is_set_aside_by_name(
    bad_lines: Any, place: int, line: str, rule_id: str, column: str
) -> None:
    number = 3 + 2 * place
    assert {found for found in bad_lines.set_aside() if found[0] == number} == {
        (number, rule_id, column)
    }
    [row] = bad_lines.published("quarantine").filter(
        (pl.col("rule_id") == rule_id) & (pl.col("column_name") == column)
    ).to_dicts()  # fmt: skip
    alike = [n for n, bad in enumerate(BAD_LINES) if bad[1:] == (rule_id, column)]
    assert (row["path"], row["row_count"]) == ("scores.csv", len(alike))
    assert row["first_line"] == 3 + 2 * alike[0]
    assert row["explanation"] == explanation(rule_id)
    assert row["severity"] == ("warning" if rule_id == "no_value" else "row")


def test_the_neighbours_of_bad_lines_live(bad_lines: Any) -> None:
    good = {(f"c-{place}", 0, 20.0) for place in range(len(BAD_LINES))}
    assert bad_lines.scores() == good | ANN_SCORES
    assert set(bad_lines.statuses()) == {case_id for case_id, _, _ in good | ANN_SCORES}


def test_25_point_0_is_the_number_25_and_29_point_0_is_day_29(sent: Any) -> None:
    assert sent(HEADER + "ann-1,29.0,PHQ-9,25.0\n").scores() == {("ann-1", 29, 25.0)}


def test_a_row_with_two_faults_is_set_aside_once_with_both(sent: Any) -> None:
    practice = sent(HEADER + ANN + "cat-3,soon,PHQ-9,99\n")
    assert practice.set_aside() == {(4, "not_a_number", "day"), (4, "score_out_of_range", "score")}
    [file] = practice.published("files").to_dicts()
    assert (file["landed"], file["quarantined"]) == (3, 1)


def test_identical_rows_count_once_and_as_duplicates(sent: Any) -> None:
    practice = sent(HEADER + ANN + ANN)
    [file] = practice.published("files").to_dicts()
    assert (file["landed"], file["duplicate"], file["quarantined"]) == (4, 2, 0)
    assert practice.scores() == ANN_SCORES


def test_different_scores_of_one_day_are_averaged_and_counted(sent: Any) -> None:
    practice = sent(HEADER + ANN + "ann-1,7,PHQ-9,10\n")
    point = practice.published("course_points").filter(pl.col("at") == 7).to_dicts()[0]
    assert (point["value"], point["value_count"]) == (14, 2)


def test_sessions_that_contradict_each_other_are_all_set_aside(practice: Any) -> None:
    practice.map(mapped() + SESSIONS)
    practice.send(HEADER + ANN)
    practice.send("case,session,day,came\nann-1,1,0,yes\nann-1,2,7,yes\nann-1,2,7,no\n",
                  "sessions.csv")  # fmt: skip
    practice.night()
    assert practice.set_aside() == {(3, "contradicting_rows", ""), (4, "contradicting_rows", "")}
    assert practice.published("sessions")["session"].to_list() == [1]


def test_what_is_declared_as_missing_is_a_warning_and_not_an_error(sent: Any) -> None:
    practice = sent(HEADER + ANN + "cat-3,7,PHQ-9,NA\n", mapped(file='missing = ["", "NA"]'))
    assert practice.set_aside() == {(4, "no_value", "score")}


def test_what_is_not_declared_as_missing_is_not_a_number(sent: Any) -> None:
    assert sent(HEADER + ANN + "cat-3,7,PHQ-9,NA\n").set_aside() == {(4, "not_a_number", "score")}


def test_a_boolean_is_one_of_the_declared_words(practice: Any) -> None:
    practice.map(mapped() + SESSIONS)
    practice.send(HEADER + ANN)
    practice.send("case,session,day,came\nann-1,1,0,yes\nann-1,2,7,perhaps\n", "sessions.csv")
    practice.night()
    assert practice.set_aside() == {(3, "not_true_or_false", "came")}
    assert practice.published("sessions")["session"].to_list() == [1]


# ---- lines and bytes ----------------------------------------------------------------------------


def test_latin_1_bytes_in_a_utf_8_file_lose_only_their_lines(sent: Any) -> None:
    content = (HEADER + ANN).encode() + "müller,7,PHQ-9,9\n".encode("latin-1") + BEN.encode()
    practice = sent(content)
    assert practice.set_aside() == {(4, "encoding", "")}
    assert practice.scores() == ANN_SCORES | BEN_SCORES


def test_a_declared_encoding_is_read(sent: Any) -> None:
    content = "Fall,day,measure,score\nann-1,0,Müdigkeit,20\n".encode("latin-1")
    mapping = mapped(file='encoding = "latin-1"', measures='"Müdigkeit" = "bdi"').replace(
        '"case"', '"Fall"'
    )
    assert sent(content, mapping).scores() == {("ann-1", 0, 20.0)}


@pytest.mark.parametrize("with_bad_byte", [False, True])
def test_a_byte_order_mark_is_no_part_of_the_first_column(sent: Any, with_bad_byte: bool) -> None:
    bad = b"\xff\xfe,0,PHQ-9,1\n" if with_bad_byte else b""
    practice = sent(b"\xef\xbb\xbf" + (HEADER + ANN).encode() + bad)
    assert practice.scores() == ANN_SCORES
    assert practice.set_aside() == ({(4, "encoding", "")} if with_bad_byte else set())


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
@pytest.mark.parametrize("with_bad_byte", [False, True])
def test_line_ends_of_any_system_are_line_ends(sent: Any, ending: str, with_bad_byte: bool) -> None:
    content = (HEADER + ANN).replace("\n", ending).encode()
    if with_bad_byte:
        content += b"\xff,0,PHQ-9,1" + ending.encode()
    practice = sent(content)
    assert practice.scores() == ANN_SCORES
    assert practice.set_aside() == ({(4, "encoding", "")} if with_bad_byte else set())


def test_blank_lines_are_counted_and_no_fault(sent: Any) -> None:
    practice = sent(HEADER + "\n" + ANN + "   \n" + BEN + "\n\n")
    [file] = practice.published("files").to_dicts()
    assert (file["lines"], file["blank_lines"], file["landed"]) == (9, 4, 4)
    assert practice.set_aside() == set()
    assert practice.scores() == ANN_SCORES | BEN_SCORES


def test_a_last_line_without_an_end_counts(sent: Any) -> None:
    assert sent((HEADER + ANN + BEN).rstrip("\n")).scores() == ANN_SCORES | BEN_SCORES


def test_an_unclosed_quote_loses_only_its_line(sent: Any) -> None:
    practice = sent(HEADER + 'cat-3,"0,PHQ-9,9\n' + ANN + 'cat-3,7,PHQ-9,"9\n' + BEN)
    assert practice.set_aside() == {(2, "unclosed_quote", ""), (5, "unclosed_quote", "")}
    assert practice.scores() == ANN_SCORES | BEN_SCORES


def test_quoted_fields_may_hold_the_delimiter_and_quotes(sent: Any) -> None:
    measures = '"PHQ-9, total" = "phq9"\n"the \\"PHQ\\"" = "phq9"'
    content = HEADER + '"ann-1","0","PHQ-9, total","20"\nann-1,7,"the ""PHQ""",18\n'
    assert sent(content, mapped(measures=measures)).scores() == ANN_SCORES


def test_a_zero_byte_loses_only_its_line(sent: Any) -> None:
    practice = sent((HEADER + ANN).encode() + b"cat-3,7,PHQ-9,\x009\n" + BEN.encode())
    assert practice.set_aside() == {(4, "encoding", "")}
    assert practice.scores() == ANN_SCORES | BEN_SCORES


def test_decimal_commas_are_declared(sent: Any) -> None:
    content = "case;day;measure;score\nann-1;0;PHQ-9;20,0\nann-1;7;ORS;18,5\nann-1;9;ORS;18.5\n"
    practice = sent(content, mapped(file='delimiter = ";"\ndecimal = ","', measures='ORS = "ors"'))
    assert practice.scores() == {("ann-1", 0, 20.0), ("ann-1", 7, 18.5)}
    assert practice.set_aside() == {(4, "not_a_number", "score")}


# ---- whole files --------------------------------------------------------------------------------


@pytest.fixture
def two_files(practice: Any) -> Any:
    """Send a good scores.csv and another file; return the practice after its night."""

    def send(
        content: str | bytes,
        name: str = "more.csv",
        file: str = "",
        columns: str = "",
        time: str = 'unit = "day"',
    ) -> Any:
        more = mapped(file=file, columns=columns, time=time).split("[[file]]")[1]
        more = more.replace("scores.csv", name)
        practice.map(mapped() + "\n[[file]]" + more)
        practice.send(HEADER + ANN)
        practice.send(content, name)
        practice.report = practice.night()
        return practice

    return send


def test_a_missing_column_refuses_the_file_and_says_what_came(two_files: Any) -> None:
    practice = two_files("case,day,measure,points\nben-2,0,PHQ-9,15\n")
    assert refusal(practice) == (
        "expected the columns case, day, measure, score; missing: score; "
        "the file has: case, day, measure, points"
    )
    assert practice.scores() == ANN_SCORES


def test_a_file_without_a_header_line_shows_none_of_its_values(two_files: Any) -> None:
    reason = refusal(two_files("ben-2,0,PHQ-9,15\nben-2,7,PHQ-9,12\n"))
    assert "ben-2" not in reason
    assert "none of them is in the first line (4 fields)" in reason
    assert "header" in reason


def test_another_delimiter_is_guessed_in_the_message_and_not_in_the_reading(
    two_files: Any,
) -> None:
    reason = refusal(two_files((HEADER + BEN).replace(",", ";")))
    assert "delimiter ';'" in reason


@pytest.mark.parametrize("content", ["", "\n\n  \n", "\ufeff"])
def test_an_empty_file_is_refused_as_empty(two_files: Any, content: str) -> None:
    practice = two_files(content)
    assert "is empty: expected a header line and data" in refusal(practice)
    assert practice.scores() == ANN_SCORES


def test_a_file_with_only_its_header_is_taken_and_holds_nothing(two_files: Any) -> None:
    practice = two_files(HEADER)
    assert practice.report.refused == ()
    assert practice.scores() == ANN_SCORES


def test_a_header_with_names_that_only_case_tells_apart_is_refused(two_files: Any) -> None:
    reason = refusal(two_files("case,day,Day,measure,score\nben-2,0,0,PHQ-9,15\n"))
    assert "repeated" in reason


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_truncated_parquet_file_is_refused(two_files: Any, part: float) -> None:
    buffer = io.BytesIO()
    frame = pl.DataFrame({"case": ["ben-2"] * 99, "day": range(99), "measure": ["PHQ-9"] * 99,
                          "score": [15] * 99})  # fmt: skip
    frame.write_parquet(buffer)
    content = buffer.getvalue()[: int(part * len(buffer.getvalue()))]
    practice = two_files(content, "more.parquet", file='kind = "parquet"')
    assert "no readable Parquet file" in refusal(practice)
    assert practice.scores() == ANN_SCORES


def test_a_parquet_file_with_numbers_and_dates_is_read(two_files: Any) -> None:
    buffer = io.BytesIO()
    pl.DataFrame(
        {"case": ["ben-2", "ben-2", "ben-2"], "day": [0, 7, 14], "measure": ["PHQ-9"] * 3,
         "score": [15.0, None, 12.5]}
    ).write_parquet(buffer)  # fmt: skip
    practice = two_files(buffer.getvalue(), "more.parquet", file='kind = "parquet"')
    assert practice.scores() == ANN_SCORES | {("ben-2", 0, 15.0)}
    assert practice.set_aside() == {(2, "no_value", "score"), (3, "score_not_whole", "score")}


IDENTIFYING = [
    ("client", ["Anna Meyer", "Thomas Weber", "Julia Koch"], "names"),
    ("patient_name", ["xq-1", "xq-2", "xq-3"], "names"),
    ("contact", ["a@example.org", "", ""], "e-mail addresses"),
    ("email", ["", "", ""], "contacts"),
    ("reach", ["+49 30 1234567", "030 1234567", "(212) 555-0187"], "phone numbers"),
    ("mobile_phone", ["xq-1", "xq-2", "xq-3"], "contacts"),
    ("born", ["12.03.1971", "01.11.1980", "30.06.1965"], "dates of birth"),
    ("dob", ["", "xq-1", ""], "birth dates"),
    ("remark", ["", "said that she would rather not come again", ""], "free text"),
    ("notes", ["xq-1", "", ""], "free text"),
    ("plc", ["SW1A 1AA", "M1 1AE", "EC1A 1BB"], "postcodes"),
    ("no", ["123-45-6789", "QQ 12 34 56 C", "987-65-4321"], "national identifiers"),
]


@pytest.fixture(scope="module")
def identifying_files(new_practice: Any) -> Any:
    """Send a good file and, twice, one with each identifying column: unknown, and ignored."""
    practice = new_practice()
    [head, entry] = mapped().split("[[file]]")
    mapping = head + "[[file]]" + entry
    practice.send(HEADER + ANN)
    for column, values, _ in IDENTIFYING:
        lines = [f"ben-2,{7 * n},PHQ-9,15,{value}\n" for n, value in enumerate(values)]
        for how, ignored in (("unknown", ""), ("ignored", f'ignore = ["{column}"]')):
            name = f"{how}_{column}.csv"
            practice.send(f"case,day,measure,score,{column}\n" + "".join(lines), name)
            _, entry = mapped(file=ignored).split("[[file]]")
            mapping += "[[file]]" + entry.replace("scores.csv", name)
    practice.map(mapping)
    practice.report = practice.night()
    return practice


@pytest.mark.parametrize("how", ["unknown", "ignored"])
@pytest.mark.parametrize(("column", "values", "kind"), IDENTIFYING)
def test_a_column_that_identifies_refuses_its_file_without_a_value(
    identifying_files: Any, column: str, values: list[str], kind: str, how: str
) -> None:
    reason = dict(identifying_files.report.refused)[f"{how}_{column}.csv"]
    filled = sum(value != "" for value in values)
    assert reason == (
        f"column '{column}' looks like {kind} ({filled} rows): "
        "remove it from the export, or send a pseudonym in its place"
    )
    assert not any(value in reason for value in values if value)


def test_files_that_identify_leave_nothing_and_stop_no_other(identifying_files: Any) -> None:
    assert len(identifying_files.report.refused) == 2 * len(IDENTIFYING)
    assert identifying_files.scores() == ANN_SCORES
    assert identifying_files.warehouse("select case_id from cases").rows() == [("ann-1",)]
    quarantine = identifying_files.published("quarantine")
    assert set(quarantine["rule_id"]) == {"identifying_column"}
    assert quarantine.height == 2 * len(IDENTIFYING)


def test_a_mapped_column_of_names_refuses_the_file(two_files: Any) -> None:
    practice = two_files("case,day,measure,score\nAnna,0,PHQ-9,15\nThomas,0,PHQ-9,15\n")
    assert refusal(practice).startswith("column 'case' looks like names (2 rows)")


def test_zero_padded_ids_are_no_phone_numbers(sent: Any) -> None:
    assert sent(HEADER + "0000012345,0,PHQ-9,20\n").scores() == {("0000012345", 0, 20.0)}


def test_names_in_a_crosswalked_id_column_become_random_ids(practice: Any) -> None:
    practice.map(mapped().replace('"keep"', '"crosswalk"'))
    practice.send(HEADER + "Anna,0,PHQ-9,15\nThomas,0,PHQ-9,15\n")
    practice.night()
    ids = practice.published("cases")["case_id"].to_list()
    assert len(ids) == 2
    assert all(case_id.startswith("C-") and len(case_id) == 10 for case_id in ids)
    assert not practice.places.home.joinpath("home-crosswalk.sqlite3").exists()


def test_an_unknown_column_is_left_out_with_a_warning(sent: Any) -> None:
    practice = sent("case,day,measure,score,room\nann-1,0,PHQ-9,20,7\n")
    assert practice.report.warnings == (
        "scores.csv: columns neither mapped nor ignored were left out: room",
        *practice.report.warnings[1:],
    )


def test_one_refused_file_among_many_stops_none_of_the_others(practice: Any) -> None:
    practice.map(
        mapped()
        + SESSIONS
        + """
[[file]]
table = "cases"
path = "cases.csv"

[file.columns]
case_id = "case"
therapist_id = "therapist"

[[file]]
table = "therapists"
path = "therapists.csv"

[file.columns]
therapist_id = "therapist"
supervisor_id = "supervisor"
"""
    )
    practice.send(HEADER + ANN + BEN)
    practice.send("case,session,day,came\nann-1,1,0,yes\nben-2,1,0,yes\n", "sessions.csv")
    practice.send("case,therapist,surname\nann-1,T-1,Meyer\nben-2,T-1,Weber\n", "cases.csv")
    practice.send("therapist,supervisor\nT-1,S-1\n", "therapists.csv")
    report = practice.night()
    assert [path for path, _ in report.refused] == ["cases.csv"]
    assert practice.scores() == ANN_SCORES | BEN_SCORES
    assert practice.published("sessions").height == 2
    assert practice.published("therapists").height == 1
    assert practice.published("cases")["therapist_id"].to_list() == [None, None]


# ---- time ---------------------------------------------------------------------------------------

DATES = 'unit = "date"\nformat = "%d.%m.%Y"'


def test_dates_become_days_of_the_case_on_a_secret_calendar(sent: Any) -> None:
    practice = sent(
        HEADER + "ann-1,01.12.2025,PHQ-9,20\nann-1,8.12.2025,PHQ-9,18\nben-2,08.12.2025,PHQ-9,9\n",
        mapped(time=DATES),
    )
    assert practice.scores() == ANN_SCORES | {("ben-2", 0, 9.0)}
    starts = dict(practice.published("cases").select("case_id", "practice_day_start").iter_rows())
    assert starts["ben-2"] - starts["ann-1"] == 7
    assert 0 <= starts["ann-1"] < 365


def test_dates_in_another_format_are_set_aside_and_never_guessed(sent: Any) -> None:
    practice = sent(
        HEADER + "ann-1,01.12.2025,PHQ-9,20\nann-1,2025-12-08,PHQ-9,18\nann-1,12/08/2025,PHQ-9,1\n"
        "ann-1,31.02.2025,PHQ-9,1\nann-1,,PHQ-9,1\n",
        mapped(time=DATES),
    )
    assert practice.set_aside() == {
        (3, "date_format", "day"),
        (4, "date_format", "day"),
        (5, "date_format", "day"),
        (6, "time_missing", "day"),
    }
    assert practice.scores() == {("ann-1", 0, 20.0)}


@pytest.mark.parametrize("typed", ["01.12.0205", "01.12.25", "01.12.2062", "01.12.1905"])
def test_a_date_of_another_age_is_set_aside_and_moves_no_calendar(sent: Any, typed: str) -> None:
    practice = sent(
        HEADER + f"ann-1,01.12.2025,PHQ-9,20\nann-1,{typed},PHQ-9,3\nann-1,08.12.2025,PHQ-9,18\n",
        mapped(time=DATES),
    )
    assert practice.set_aside() == {(3, "date_out_of_range", "day")}
    assert practice.scores() == ANN_SCORES
    assert practice.places.pointer().as_of < 365 + 8


def test_two_files_with_dates_share_a_case_s_day_0(two_files: Any, practice: Any) -> None:
    practice.map(
        mapped(time=DATES)
        + "[[file]]"
        + mapped(time=DATES).split("[[file]]")[1].replace("scores.csv", "gad.csv")
    )
    practice.send(HEADER + "ann-1,01.12.2025,PHQ-9,20\nann-1,08.12.2025,PHQ-9,18\n")
    practice.send(HEADER + "ann-1,08.12.2025,GAD-7,11\n", "gad.csv")
    practice.night()
    assert practice.scores() == ANN_SCORES | {("ann-1", 7, 11.0)}


@pytest.mark.parametrize(
    ("unit", "times", "days"),
    [("week", ("0", "1", "2.0"), {0, 7, 14}), ("month", ("0", "1", "2"), {0, 30, 61})],
)
def test_weeks_and_months_become_days(
    sent: Any, unit: str, times: tuple[str, ...], days: set[int]
) -> None:
    lines = "".join(f"ann-1,{time},PHQ-9,20\n" for time in times)
    practice = sent(HEADER + lines, mapped(time=f'unit = "{unit}"'))
    assert {at for _, at, _ in practice.scores()} == days


def test_half_a_week_is_no_whole_day(sent: Any) -> None:
    practice = sent(HEADER + ANN + "cat-3,1.5,PHQ-9,9\n", mapped(time='unit = "week"'))
    assert practice.set_aside() == {(4, "time_not_whole", "day")}


@pytest.mark.parametrize(
    ("time", "decimal", "times", "practice_days"),
    [
        ('unit = "day"', ".", ("100", "107.0"), [100, 107]),
        ('unit = "day"', ",", ("100,0", "107,0"), [100, 107]),
        ('unit = "week"', ".", ("10", "11"), [70, 77]),
        ('unit = "month"', ".", ("10", "10.23"), [304, 311]),
    ],
)
def test_a_clock_of_the_practice_is_counted_from_the_case_s_first_day(
    sent: Any, time: str, decimal: str, times: tuple[str, str], practice_days: list[int]
) -> None:
    first, second = times
    content = f"case;day;measure;score\nann-1;{first};PHQ-9;20\nann-1;{second};PHQ-9;18\n"
    practice = sent(
        content, mapped(file=f'delimiter = ";"\ndecimal = "{decimal}"',
                        time=f'{time}\norigin = "practice"'),
    )  # fmt: skip
    assert practice.scores() == ANN_SCORES
    kept = practice.warehouse('select practice_day from scores order by "at"')
    assert kept["practice_day"].to_list() == practice_days


def test_a_fraction_of_a_practice_day_is_set_aside(sent: Any) -> None:
    practice = sent(
        HEADER + "ann-1,100,PHQ-9,20\nann-1,103.5,PHQ-9,1\nann-1,x,PHQ-9,1\nann-1,107,PHQ-9,18\n",
        mapped(time='unit = "day"\norigin = "practice"'),
    )
    assert practice.set_aside() == {(3, "time_not_whole", "day"), (4, "not_a_number", "day")}
    assert practice.scores() == ANN_SCORES


# ---- measures -----------------------------------------------------------------------------------


def test_a_case_with_one_score_is_published_as_not_to_be_judged_yet(sent: Any) -> None:
    practice = sent(HEADER + "ann-1,0,PHQ-9,20\n")
    assert practice.statuses() == {"ann-1": ("cannot_judge", "no_score")}


def upside_down(cases: int = 30) -> str:
    """Return a practice that gets better on an ORS recorded upside down."""
    lines = [
        f"c-{case},{7 * place},ORS,{40 - (12 + 3 * place + case % 3)}\n"
        for case in range(cases)
        for place in range(6)
    ]
    return HEADER + "".join(lines)


def test_a_scale_recorded_upside_down_warns_with_what_to_do(sent: Any) -> None:
    practice = sent(upside_down(), mapped(measures='ORS = "ors"'))
    [warning] = [text for text in practice.report.warnings if "upside down" in text]
    assert "ors: over 30 cases" in warning
    assert "map it with reversed = true" in warning


def test_a_scale_mapped_as_reversed_stands_upright(sent: Any) -> None:
    practice = sent(upside_down(), mapped(measures='ORS = { measure = "ors", reversed = true }'))
    assert not [text for text in practice.report.warnings if "upside down" in text]
    first = practice.published("course_points").filter(pl.col("case_id") == "c-0").sort("at")
    assert first["value"].to_list() == [12, 15, 18, 21, 24, 27]
    assert first["gain"][-1] == 15


def test_measures_of_the_same_cases_that_move_apart_warn(sent: Any) -> None:
    """The mean says nothing here: as many get better as worse."""
    lines = []
    for case in range(40):
        step = 2 if case % 2 else -2
        for place in range(5):
            level = 13 + step * (place - 2) + (case + place) % 2
            lines.append(f"c-{case},{7 * place},PHQ-9,{level}\n")
            lines.append(f"c-{case},{7 * place},GAD-7,{21 - (level - 3)}\n")
    practice = sent(HEADER + "".join(lines))
    [warning] = [text for text in practice.report.warnings if "opposite" in text]
    assert warning.startswith("gad7 and phq9: over 40 cases")
    assert "reversed = true" in warning


def test_measures_that_move_together_do_not_warn(sent: Any) -> None:
    lines = []
    for case in range(40):
        step = 2 if case % 2 else -2
        for place in range(5):
            level = 13 + step * (place - 2) + (case + place) % 2
            lines.append(f"c-{case},{7 * place},PHQ-9,{level}\n")
            lines.append(f"c-{case},{7 * place},ORS,{40 - 2 * level + 8}\n")
    practice = sent(HEADER + "".join(lines), mapped(measures='ORS = "ors"'))
    assert not [text for text in practice.report.warnings if "opposite" in text]


def test_a_wide_file_gives_a_score_for_each_value_column(sent: Any) -> None:
    practice = sent(
        "case,day,phq,gad\nann-1,0,20,11\nann-1,7,18,NA\nann-1,14,99,x\n,21,1,1\nann-1,28\n",
        WIDE,
        "wide.csv",
    )
    assert practice.scores() == ANN_SCORES | {("ann-1", 0, 11.0)}
    assert practice.set_aside() == {
        (3, "no_value", "gad"),
        (4, "score_out_of_range", "phq"),
        (4, "not_a_number", "gad"),
        (5, "missing", "case"),
        (6, "field_count", ""),
    }
    [file] = practice.published("files").to_dicts()
    assert (file["landed"], file["quarantined"]) == (10, 7)


def test_another_rater_s_totals_are_kept_apart(practice: Any) -> None:
    practice.map(mapped(columns='rater = "rater"'))
    practice.send(
        "case,day,measure,score,rater\n"
        + "".join(
            f"ann-1,{7 * place},PHQ-9,{20 if rater == 'client' else 5},{rater}\n"
            for place in range(7)
            for rater in ("client", "clinician")
        )
    )
    practice.night()
    assert practice.statuses()["ann-1"] == ("stuck", "no_gain")
    [row] = practice.published("queue").to_dicts()
    assert json.loads(row["sparkline"]) == [20] * 7
    shown = practice.published("shown").filter(pl.col("measure_id") == "phq9").to_dicts()[0]
    assert (shown["first_score"], shown["last_score"], shown["gain"]) == (20, 20, 0)


# ---- withdrawal ---------------------------------------------------------------------------------

WITHDRAWN = mapped(columns='withdrawn = "gone"')


def test_a_withdrawn_score_is_gone_even_without_its_value(practice: Any) -> None:
    practice.map(WITHDRAWN)
    practice.send("case,day,measure,score,gone\nann-1,0,PHQ-9,20,\nann-1,7,PHQ-9,18,no\n")
    practice.night()
    practice.send("case,day,measure,score,gone\nann-1,7,PHQ-9,,yes\n")
    practice.night()
    assert practice.scores() == {("ann-1", 0, 20.0)}
    assert practice.set_aside() == set()


def test_a_word_for_withdrawn_that_nobody_declared_is_set_aside(practice: Any) -> None:
    practice.map(WITHDRAWN)
    practice.send("case,day,measure,score,gone\nann-1,0,PHQ-9,20,\nann-1,7,PHQ-9,18,ja\n")
    practice.night()
    assert practice.set_aside() == {(3, "not_true_or_false", "gone")}
    assert practice.scores() == {("ann-1", 0, 20.0)}


# ---- the night as a whole -----------------------------------------------------------------------


def test_a_night_in_which_every_row_is_bad_leaves_the_last_snapshot(practice: Any) -> None:
    practice.map(mapped())
    practice.send(HEADER + ANN)
    practice.night()
    before = practice.places.pointer()
    practice.send(HEADER + "ben-2,0,PHQ-9,99\nben-2,0,PHQ-9,\n")
    with pytest.raises(EverythingRefusedError, match=r"scores\.csv: no row passed"):
        practice.night()
    assert practice.places.pointer() == before
    assert practice.scores() == ANN_SCORES
    last_run = practice.places.last_run()
    assert last_run.state == "failed"
    assert "The last snapshot stays" in last_run.message
    practice.send(HEADER + BEN)
    assert practice.night().outcome == "published"


def test_a_first_night_in_which_every_row_is_bad_publishes_nothing(practice: Any) -> None:
    practice.map(mapped())
    practice.send(HEADER + "ben-2,0,PHQ-9,99\n")
    with pytest.raises(EverythingRefusedError) as refused:
        practice.night()
    assert refused.value.exit_code == 6
    assert not practice.places.pointer_file.exists()


def test_an_export_without_new_rows_is_no_failure(practice: Any) -> None:
    practice.night("case day measure score\nann-1 0 PHQ-9 20")
    report = practice.night("case day measure score")
    assert report.outcome == "published"
    assert practice.scores() == {("ann-1", 0, 20.0)}


def test_an_unknown_key_of_the_mapping_is_refused_with_the_nearest(practice: Any) -> None:
    practice.map(mapped(file='delimitor = ";"'))
    practice.send(HEADER + ANN)
    with pytest.raises(ContractError, match="delimitor is not part of a mapping.*'delimiter'"):
        practice.night()


def test_a_column_of_ours_that_does_not_exist_is_refused_with_the_nearest(practice: Any) -> None:
    practice.map(mapped(columns='sesion = "x"'))
    practice.send(HEADER + ANN)
    with pytest.raises(ContractError, match="'sesion' is not a column of scores.*'session'"):
        practice.night()


def test_a_measure_without_a_contract_is_refused_with_the_nearest(practice: Any) -> None:
    practice.map(mapped(measures='"Core" = "core_10"'))
    practice.send(HEADER + ANN)
    with pytest.raises(ContractError, match="'core_10'.*'core10'"):
        practice.night()


def test_a_table_without_a_column_it_needs_is_refused(practice: Any) -> None:
    practice.map(mapped() + SESSIONS.replace('attended = "came"\n', ""))
    practice.send(HEADER + ANN)
    with pytest.raises(ContractError, match="sessions need columns for attended"):
        practice.night()


def test_a_mapping_that_is_not_there_is_said_so(practice: Any) -> None:
    practice.send(HEADER + ANN)
    with pytest.raises(ContractError, match="there is no mapping file"):
        run_night(
            source=practice.source,
            mapping=practice.mapping,
            home=practice.places.home,
            started_at=STARTED_AT,
        )


def test_no_file_that_matches_is_said_with_what_was_looked_for(practice: Any) -> None:
    practice.map(mapped())
    practice.send("x", "other.txt")
    with pytest.raises(SourceError, match=r"no file in .* matches .*scores\.csv"):
        practice.night()


def test_a_folder_that_is_not_there_is_said_so(practice: Any) -> None:
    practice.map(mapped())
    with pytest.raises(SourceError, match="there is no folder .*--source"):
        practice.night()


@pytest.mark.parametrize("path", ["/etc/scores.csv", "../scores.csv"])
def test_a_path_outside_the_source_is_refused(practice: Any, path: str) -> None:
    practice.map(mapped().replace("scores.csv", path))
    practice.send(HEADER + ANN)
    with pytest.raises(ContractError, match="below the source folder"):
        practice.night()


def test_a_night_dated_before_the_last_one_is_refused(practice: Any) -> None:
    practice.night("case day measure score\nann-1 0 PHQ-9 20")
    earlier = STARTED_AT - timedelta(hours=1)
    with pytest.raises(UnstuckError, match="check the clock"):
        practice.night("case day measure score\nann-1 7 PHQ-9 20", started_at=earlier)


def test_a_setting_that_changes_the_judgement_judges_anew(practice: Any) -> None:
    practice.night("case day measure score\nann-1 0 PHQ-9 20\nann-1 200 PHQ-9 18")
    assert set(practice.statuses()) == {"ann-1", "ann-1~2"}
    practice.settings("[care]\nnew_course_after_days = 0\n")
    assert practice.night().outcome == "published"
    assert set(practice.statuses()) == {"ann-1"}


def test_the_same_refusal_twice_is_one_row_with_the_last_reason(practice: Any) -> None:
    practice.map(mapped() + SESSIONS)
    for extra, more in (("a", ""), ("b", BEN)):
        practice.send(HEADER + ANN + more)
        practice.send(f"case,session,day,{extra}\nann-1,1,0,yes\n", "sessions.csv")
        practice.night()
    quarantine = practice.published("quarantine")
    assert quarantine.height == 1
    assert "the file has: case, session, day, b" in quarantine["explanation"][0]


def test_only_the_newest_file_of_a_path_is_counted_as_set_aside(practice: Any) -> None:
    practice.map(mapped())
    for more in ("", BEN):
        practice.send(HEADER + ANN + "cat-3,7,PHQ-9,99\n" + more)
        practice.night()
    [row] = practice.published("quarantine").to_dicts()
    assert row["row_count"] == 1


# ---- privacy ------------------------------------------------------------------------------------

CANARY = "KANARIENVOGEL"


def test_no_value_of_a_practice_reaches_a_message_or_a_log(
    practice: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Case ids are in the databases, of course; bad values are nowhere at all."""
    caplog.set_level(0)
    practice.map(
        mapped(columns='rater = "rater"')
        + SESSIONS
        + "".join(
            "[[file]]" + mapped().split("[[file]]")[1].replace("scores.csv", name)
            for name in ("names.csv", "headless.csv", "short.csv")
        )
    )
    rows = [f"id-{CANARY}-{case},{7 * place},PHQ-9,{20 - place},client"
            for case in range(3) for place in range(7)]  # fmt: skip
    bad = [
        f"id-{CANARY}-1,7,PHQ-9,{CANARY}-value,client",
        f"id-{CANARY}-1,{CANARY}-day,PHQ-9,9,client",
        f"id-{CANARY}-1,7,{CANARY}-measure,9,client",
        f"{CANARY} {CANARY},7,PHQ-9,9,client",
        f'id-{CANARY}-1,7,"{CANARY}-quote,9,client',
        f"id-{CANARY}-1,{CANARY}",
    ]
    practice.send("case,day,measure,score,rater\n" + "\n".join(rows + bad) + "\n")
    practice.send(f"case,session,day,came\nid-{CANARY}-1,1,0,{CANARY}-bool\n", "sessions.csv")
    practice.send(f"case,day,measure,score,surname\nid-1,0,PHQ-9,9,{CANARY}-name\n", "names.csv")
    practice.send(f"id-{CANARY}-1,0,PHQ-9,9\nid-{CANARY}-1,7,PHQ-9,9\n", "headless.csv")
    practice.send(f"case,{CANARY}\nid-{CANARY}-1,0\n".replace(CANARY, "x", 1), "short.csv")
    report = practice.night()
    assert len(report.refused) == 3
    assert set(practice.statuses()) == {f"id-{CANARY}-{n}" for n in range(3)}
    told = [*report.warnings, *(reason for _, reason in report.refused), str(report)]
    told += [practice.places.last_run_file.read_text(), practice.places.pointer_file.read_text()]
    told += [str(practice.published(name).rows()) for name in ("quarantine", "files", "runs")]
    practice.send(f"case,day,measure,score,rater\nid-{CANARY}-1,7,PHQ-9,{CANARY},client\n")
    (practice.source / "names.csv").unlink()
    with pytest.raises(EverythingRefusedError) as refused:
        practice.night()
    told += [str(refused.value), practice.places.last_run_file.read_text()]
    told += [caplog.text, *capfd.readouterr()]
    assert not [text for text in told if CANARY in text]
    files = [path for path in practice.folder.rglob("*") if path.is_file()]
    for path in files:
        if practice.source not in path.parents:
            content = path.read_bytes()
            assert f"{CANARY}-value".encode() not in content, path
            assert f"{CANARY}-name".encode() not in content, path
