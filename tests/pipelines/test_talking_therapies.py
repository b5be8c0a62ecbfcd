"""Official outcomes from a practice's files to what is published, and for single files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_contracts.errors import UnstuckError
from pipelines.cli import main
from pipelines.running import told

MAPPING = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "cases"
path = "cases*.csv"
missing = [""]
[file.columns]
case_id = "case"
end_day = "end"
end_reason = "why"
problem_code = "problem"
{start}

[[file]]
table = "sessions"
path = "sessions*.csv"
missing = [""]
true_values = ["yes"]
false_values = ["no"]
[file.columns]
case_id = "case"
session = "session"
day = "day"
attended = "came"

[[file]]
table = "scores"
path = "scores*.csv"
missing = [""]
[file.columns]
case_id = "case"
time = "day"
measure = "measure"
value = "score"
[file.time]
unit = "day"
[file.measures]
"PHQ-9" = "phq9"
"GAD-7" = "gad7"
"SPIN" = "spin"
"""
CALENDAR = 'practice_day_start = "start"'
# kind: problem, scores by day, days of sessions attended, day of the end
KINDS: dict[str, tuple[str, dict[str, dict[int, int]], list[int], str]] = {
    # the first score lies 60 days before the first session: not the baseline, yet the first score
    # (from the 11 on, the change would not be reliable)
    "recovered": ("", {"PHQ-9": {-60: 18, 0: 11, 28: 6}, "GAD-7": {0: 8, 28: 5}}, [0, 28], "30"),
    "unmoved": ("", {"PHQ-9": {0: 18, 28: 17}, "GAD-7": {0: 12, 28: 12}}, [0, 14, 28], "30"),
    # better by the follow-up only, after the end
    "later": ("", {"PHQ-9": {0: 18, 28: 17, 90: 2}, "GAD-7": {0: 12, 28: 12, 90: 1}},
              [0, 28], "30"),
    "spin": ("shy", {"PHQ-9": {0: 4, 28: 4}, "SPIN": {0: 40, 28: 10}, "GAD-7": {0: 3, 28: 3}},
             [0, 28], "30"),
    "unpaired": ("", {"PHQ-9": {0: 18, 28: 5}}, [0, 28], "30"),
    "once": ("", {"PHQ-9": {0: 18, 28: 5}, "GAD-7": {0: 12, 28: 3}}, [0], "30"),
    "open": ("", {"PHQ-9": {0: 18, 28: 5}, "GAD-7": {0: 12, 28: 3}}, [0, 28], ""),
}  # fmt: skip


def send(practice: Any, counts: dict[str, int], *, start: int | None = 0) -> None:
    """Send so many cases of each kind, with a calendar or without."""
    cases, sessions, scores = [], [], []
    names = (f"{kind}-{place}" for kind, count in counts.items() for place in range(count))
    for name in names:
        problem, by_measure, days, end = KINDS[name.split("-")[0]]
        cases.append((name, end, "completed" if end else "", problem, start))
        sessions += [(name, place, day, "yes") for place, day in enumerate(days, start=1)]
        scores += [
            (name, day, measure, score)
            for measure, by_day in by_measure.items()
            for day, score in by_day.items()
        ]
    practice.map(MAPPING.format(start=CALENDAR if start is not None else ""))
    for name, rows, columns in (
        ("cases", cases, ["case", "end", "why", "problem", "start"]),
        ("sessions", sessions, ["case", "session", "day", "came"]),
        ("scores", scores, ["case", "day", "measure", "score"]),
    ):
        practice.send(pl.DataFrame(rows, schema=columns, orient="row").write_csv(), f"{name}.csv")


def england(practice: Any, more: str = "") -> None:
    practice.settings(f'[publishing]\nsuppression = "england"\n{more}')


def figure(practice: Any, name: str, category: str = "all", period: str = "all") -> dict[str, Any]:
    rows = practice.published("talking_therapies").filter(
        figure=name, category=category, period=period
    )
    return rows.row(0, named=True)


def shown(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["numerator"], row["denominator"], row["rate"]


def test_the_night_counts_as_the_official_rule_does(practice: Any) -> None:
    england(practice, '[care.problem_measures]\nshy = "spin"\n')
    send(practice, {"recovered": 20, "unmoved": 10, "later": 10, "spin": 10, "unpaired": 10,
                    "once": 10, "open": 10})  # fmt: skip
    practice.night()
    # 60 finished of 70 ended; 30 recovered (the SPIN by the practice's own word), all reliably
    assert shown(figure(practice, "finished")) == (60, 70, 0.86)
    assert shown(figure(practice, "recovery")) == (30, 60, 0.5)
    assert shown(figure(practice, "reliable_recovery")) == (30, 60, 0.5)
    assert shown(figure(practice, "reliable_improvement")) == (30, 60, 0.5)
    assert shown(figure(practice, "paired")) == (50, 60, 0.83)
    assert shown(figure(practice, "not_paired", "no_anxiety_pair"))[0] == 10
    assert shown(figure(practice, "not_finished", "fewer_than_two_sessions"))[0] == 10
    assert shown(figure(practice, "anxiety_measure", "spin"))[0] == 10
    assert figure(practice, "reliable_deterioration")["is_suppressed"]


def test_a_practice_that_sends_no_sessions_is_told_why_nothing_is_finished(practice: Any) -> None:
    england(practice)
    send(practice, {"recovered": 20})
    (practice.source / "sessions.csv").unlink()
    practice.night()
    assert shown(figure(practice, "not_finished", "sessions_not_known"))[0] == 20
    assert figure(practice, "recovery")["is_suppressed"]


def test_quarters_need_a_calendar(practice: Any) -> None:
    england(practice)
    send(practice, {"recovered": 20, "unmoved": 20}, start=None)
    practice.night()
    assert set(practice.published("talking_therapies")["period"]) == {"all"}
    assert shown(figure(practice, "recovery")) == (20, 40, 0.5)


def test_with_a_calendar_there_are_quarters(practice: Any) -> None:
    england(practice)
    send(practice, {"recovered": 20, "unmoved": 20}, start=100)
    practice.night()  # the end lies on practice day 130, in the second 91 days
    assert shown(figure(practice, "recovery", period="quarter 02")) == (20, 40, 0.5)


def test_the_published_table_never_holds_a_small_count(practice: Any) -> None:
    send(practice, {"recovered": 7, "unmoved": 30, "once": 3, "unpaired": 5})
    practice.night()
    published = practice.published("talking_therapies")
    for name in ("numerator", "denominator"):
        assert all(count >= 10 for count in published[name].drop_nulls())
    assert figure(practice, "recovery")["is_suppressed"]


def test_the_end_of_a_run_tells_the_practice_s_outcomes_as_suppressed_as_the_screen(
    practice: Any,
) -> None:
    england(practice)
    send(practice, {"recovered": 20, "unmoved": 17, "unpaired": 3})
    lines = told(practice.night(), practice.places)
    (line,) = [line for line in lines if line.startswith("Talking Therapies")]
    assert "recovery 50 % (35 % to 65 %), 20 of 40" in line
    assert "reliable deterioration hidden (fewer than 5)" in line


def test_a_practice_without_ended_cases_is_told_nothing_of_outcomes(practice: Any) -> None:
    send(practice, {"open": 10})
    assert not [
        line for line in told(practice.night(), practice.places) if "Talking Therapies" in line
    ]


# --- Files ---------------------------------------------------------------------------------------

SCORES = """client,week,form,total
007,1,PHQ-9,15
007,8,PHQ-9,8
007,1,GAD-7,12
007,8,GAD-7,7
B,1,PHQ-9,9
B,8,PHQ-9,9
B,1,SPIN,40
B,8,SPIN,10
C,1,PHQ-9,12
C,8,BDI,30
C,8,Nina,30
"""
CASES = """client,problem,visits,over
007,F32.1,8,yes
B,F40.1,8,yes
C,,1,no
"""
COLUMNS = ["--case", "client", "--time", "week", "--measure", "form", "--score", "total"]
CASE_COLUMNS = ["--problem", "problem", "--sessions", "visits", "--ended", "over"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    scores, cases = tmp_path / "scores.csv", tmp_path / "cases.csv"
    scores.write_text(SCORES, encoding="utf-8")
    cases.write_text(CASES, encoding="utf-8")
    return scores, cases


@pytest.fixture
def tell(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> Any:
    def asked(*arguments: str, with_cases: bool = True) -> tuple[int, str]:
        scores, cases = files
        more = ["--cases", str(cases), *CASE_COLUMNS] if with_cases else []
        code = main(["talking-therapies", str(scores), *COLUMNS, *more, *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return asked


def test_a_file_is_judged_by_the_official_rule(tell: Any) -> None:
    code, printed = tell("--json")
    found = json.loads(printed)
    assert code == 0
    cases = {case["case_id"]: case for case in found["cases"]}
    assert list(cases) == ["007", "B", "C"]
    assert (cases["007"]["change"], cases["007"]["is_reliably_recovered"]) == ("improved", True)
    assert (cases["B"]["anxiety_measure"], cases["B"]["is_recovered"]) == ("spin", True)
    assert cases["C"]["reason"] == "care_goes_on"
    recovery = found["figures"]["recovery"]
    assert (recovery["numerator"], recovery["denominator"], recovery["share"]) == (2, 2, 1.0)
    assert found["pairs_by_anxiety_measure"] == {"gad7": 1, "spin": 1}


def test_measures_that_play_no_part_are_counted_and_unknown_words_not_repeated(tell: Any) -> None:
    _, printed = tell()
    assert "Rows of measures that play no part: bdi (1), unknown (1)" in printed
    assert "Nina" not in printed


def test_without_cases_it_is_said_what_was_assumed(tell: Any) -> None:
    code, printed = tell(with_cases=False)
    assert code == 0
    assert "every case was taken for finished" in printed
    assert "Recovery: 33.3 % (1 of 3 finished cases" in printed
    assert "1 case: no first and last score of an anxiety measure" in printed


def test_as_text_the_figures_stand_with_what_is_recalled_and_a_warning(tell: Any) -> None:
    _, printed = tell()
    assert "Recovery: 100.0 % (2 of 2 finished cases" in printed
    assert "not yet read in a source" in printed
    assert "not suppressed" in printed


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("007,1,PHQ-9,15", "007,first,PHQ-9,15", "cannot be put in order"),
        ("007,1,PHQ-9,15", "007,,PHQ-9,15", "1 row has no time"),
        ("007,1,PHQ-9,15", "007,1,PHQ-9,high", "holds text; expected numbers"),
        ("week", "day", "has no column 'week'"),
    ],
)
def test_what_cannot_be_read_is_refused_without_a_value(
    tell: Any, files: tuple[Path, Path], old: str, new: str, words: str
) -> None:
    scores, _ = files
    scores.write_text(SCORES.replace(old, new), encoding="utf-8")
    code, printed = tell()
    assert code == UnstuckError.exit_code or code != 0
    assert words in printed
    assert "007" not in printed


def test_care_that_is_maybe_over_is_refused(tell: Any, files: tuple[Path, Path]) -> None:
    _, cases = files
    cases.write_text(CASES.replace("8,yes", "8,perhaps"), encoding="utf-8")
    code, printed = tell()
    assert code != 0
    assert "holds more than yes and no" in printed
    assert "perhaps" not in printed


def test_dates_put_scores_in_order_and_parquet_is_read_alike(
    tell: Any, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, cases = files
    dated = SCORES.replace(",1,", ",2026-01-05,").replace(",8,", ",2026-02-23,")
    scores.write_text(dated, encoding="utf-8")
    _, by_date = tell("--json")
    pl.read_csv(scores, schema_overrides={"client": pl.String}).write_parquet(
        tmp_path / "s.parquet"
    )
    call = [str(tmp_path / "s.parquet"), *COLUMNS, "--cases", str(cases), *CASE_COLUMNS, "--json"]
    assert main(["talking-therapies", *call]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == json.loads(by_date)["figures"]
