"""What a review found by running small practices: each finding stays found."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from data_contracts.errors import ContractError
from pipelines.answers import Answer, flags_as_of, flags_at_day, flags_now

SCORES = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "scores"
path = "scores*.csv"

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
"SRS" = "srs"
"item_9" = {{ measure = "phq9", subscale = "item_9" }}
"""
SESSIONS = """
[[file]]
table = "sessions"
path = "sessions*.csv"
[file.columns]
case_id = "case"
session = "session"
attended = "attended"
{more}
"""
CASES = """
[[file]]
table = "cases"
path = "cases*.csv"
[file.columns]
case_id = "case"
end_day = "end"
end_reason = "why"
"""
HEAD = "case day measure score\n"


def scores_mapping(*, columns: str = "", time: str = 'unit = "day"') -> str:
    return SCORES.format(columns=columns, time=time)


def as_csv(drawing: str) -> str:
    return drawing.replace(" ", ",")


def weekly(case: str, measure: str, values: list[float], *, first: int = 0, step: int = 7) -> str:
    return "".join(
        f"{case} {first + step * place} {measure} {value}\n" for place, value in enumerate(values)
    )


def sessions(case: str, count: int, *, with_days: bool) -> str:
    rows = ((case, place + 1, 7 * place, "yes") for place in range(count))
    return "".join(
        " ".join(str(cell) for cell in (row if with_days else (*row[:2], row[3]))) + "\n"
        for row in rows
    )


def kinds(answers: list[Answer]) -> list[tuple[str, str | None]]:
    return [(answer.case_id, answer.kind) for answer in answers]


def trend(practice: Any, figure: str) -> dict[str, Any]:
    return practice.published("trends").filter(figure=figure, site_id="all", period="all").row(
        0, named=True
    )  # fmt: skip


# ---- flags -------------------------------------------------------------------------------------


def test_a_flag_stays_in_the_queue_when_its_measure_is_no_longer_filled_in(
    practice: Any,
) -> None:
    practice.night(HEAD + weekly("A", "PHQ-9", [20] * 9) + weekly("A", "GAD-7", [11] * 20))
    assert practice.statuses()["A"] == ("cannot_judge", "stale")
    assert practice.published("queue")["kind"].to_list() == ["stuck"]
    (flag,) = flags_now(practice.places)
    assert (flag.kind, flag.since_day) == ("stuck", 42)
    told = "Cannot judge: no PHQ-9 score for a while (last on day 56). Last known: stuck."
    assert flag.reasons[0] == told
    assert kinds(flags_at_day(practice.places, 133)) == [("A", "stuck")]


def test_a_case_without_any_outcome_score_keeps_its_alliance_and_safety_flags(
    practice: Any,
) -> None:
    practice.map(scores_mapping())
    practice.night(
        HEAD
        + weekly("A", "SRS", [30] * 6)
        + weekly("B", "item_9", [2, 3])
        + weekly("C", "PHQ-9", [18] * 9)
    )
    flagged = [("B", "safety"), ("C", "stuck"), ("A", "alliance_low")]
    assert kinds(flags_now(practice.places)) == flagged
    assert kinds(flags_at_day(practice.places, 60)) == flagged
    assert kinds(flags_as_of(practice.places, date(2026, 1, 5))) == flagged
    assert sorted(practice.published("queue")["case_id"]) == ["A", "B", "C"]


def test_a_client_who_comes_back_after_the_end_is_in_care_again(practice: Any) -> None:
    practice.map(scores_mapping() + CASES)
    practice.send("case,end,why\nA,70,dropped_out\n", "cases.csv")
    practice.night(
        HEAD + weekly("A", "PHQ-9", [20] * 9) + weekly("A", "PHQ-9", [20] * 9, first=400)
    )
    cases = practice.published("cases").select("case_id", "is_open", "end_day", "end_reason")
    assert cases.rows() == [("A", False, 70, "dropped_out"), ("A~2", True, None, None)]
    assert practice.published("queue")["case_id"].to_list() == ["A~2"]
    assert kinds(flags_at_day(practice.places, 300)) == [("A", "stuck")]
    assert kinds(flags_at_day(practice.places, 450)) == [("A~2", "stuck")]


def test_the_end_of_the_last_course_is_not_the_end_of_the_one_before(
    practice: Any,
) -> None:
    practice.map(scores_mapping() + CASES)
    practice.send("case,end,why\nA,470,dropped_out\n", "cases.csv")
    practice.night(
        HEAD + weekly("A", "PHQ-9", [20] * 9) + weekly("A", "PHQ-9", [20] * 9, first=400)
    )
    cases = practice.published("cases").select("case_id", "is_open", "end_day", "end_reason")
    assert cases.rows() == [("A", False, 56, None), ("A~2", False, 470, "dropped_out")]


def test_a_correction_moves_the_end_of_a_flag_that_is_over(practice: Any) -> None:
    practice.map(scores_mapping())
    practice.night(HEAD + weekly("A", "SRS", [30, 30, 30, 38, 38, 38]))
    practice.night(HEAD + "A 21 SRS 30\n")
    (flag,) = practice.published("flags").iter_rows(named=True)
    assert (flag["opened_day"], flag["closed_occasion"], flag["closed_day"]) == (7, 4, 28)


# ---- two questions about time ------------------------------------------------------------------


def test_at_a_day_an_alliance_flag_says_what_was_known_on_it(practice: Any) -> None:
    practice.map(scores_mapping())
    ratings = [38, 35, 34, 33, 32, 31, 30, 25, 20]
    practice.night(HEAD + weekly("A", "SRS", ratings[:4]) + weekly("A", "PHQ-9", [18] * 4))
    before = [(flag.kind, flag.reasons) for flag in flags_at_day(practice.places, 21)]
    practice.night(
        HEAD
        + weekly("A", "SRS", ratings[4:], first=28)
        + weekly("A", "PHQ-9", [18] * 5, first=28)
        + weekly("A", "PHQ-9", [18] * 3, first=400)
    )
    after = [(flag.kind, flag.reasons) for flag in flags_at_day(practice.places, 21)]
    assert after == before
    assert after[0][1][0] == "SRS was at or below 36 in the last two ratings (35 and 34)."


def test_at_a_session_alliance_and_safety_flags_are_there_without_days(
    practice: Any,
) -> None:
    practice.map(scores_mapping(time='unit = "session"'))
    practice.night(
        HEAD
        + weekly("A", "PHQ-9", [18] * 9, first=1, step=1)
        + weekly("A", "SRS", [30] * 9, first=1, step=1)
        + weekly("A", "item_9", [0, 0, 2], first=1, step=1)
    )
    at_2, at_3 = (flags_at_day(practice.places, session) for session in (2, 3))
    assert kinds(at_2) == [("A", "alliance_low")]
    assert kinds(at_3) == [("A", "safety"), ("A", "alliance_low")]


def test_what_was_taken_back_is_shown_no_longer(practice: Any) -> None:
    practice.map(scores_mapping(columns='withdrawn = "gone"'))
    head = "case day measure score gone\n"
    rows = "".join(f"{case} {7 * week} PHQ-9 20 no\n" for case in "AB" for week in range(9))
    practice.night(head + rows)
    practice.night(head + "".join(f"A {7 * week} PHQ-9 20 yes\n" for week in range(9)))
    both, one = [("A", "stuck"), ("B", "stuck")], [("B", "stuck")]
    assert kinds(flags_as_of(practice.places, date(2026, 1, 5))) == both
    assert kinds(flags_as_of(practice.places, date(2026, 1, 6))) == one
    assert kinds(flags_now(practice.places)) == one


# ---- t, and which files count ------------------------------------------------------------------


def test_sessions_that_cannot_be_put_beside_scores_do_not_hold_every_case_back(
    practice: Any,
) -> None:
    practice.map(scores_mapping() + SESSIONS.format(more=""))
    practice.send(as_csv("case session attended\n" + sessions("A", 9, with_days=False)),
                  "sessions.csv")  # fmt: skip
    report = practice.night(HEAD + weekly("A", "PHQ-9", [18] * 9))
    assert practice.statuses()["A"] == ("stuck", "no_gain")
    assert any("sessions without days" in warning for warning in report.warnings)


def test_when_a_site_takes_its_sessions_back_all_its_cases_are_judged_again(
    practice: Any,
) -> None:
    practice.map(scores_mapping() + SESSIONS.format(more='day = "day"\nwithdrawn = "gone"'))
    practice.send("case,session,day,attended,gone\nA,1,0,yes,no\n", "sessions_1.csv")
    practice.night(HEAD + weekly("A", "PHQ-9", [18] * 9) + weekly("B", "PHQ-9", [18] * 9))
    assert practice.statuses()["B"] == ("cannot_judge", "no_score")
    practice.send("case,session,day,attended,gone\nA,1,0,yes,yes\n", "sessions_2.csv")
    practice.night()
    assert practice.statuses() == {"A": ("stuck", "no_gain"), "B": ("stuck", "no_gain")}


def test_a_mended_mapping_keeps_corrections_after_what_they_correct(
    practice: Any,
) -> None:
    every_file = scores_mapping().replace("scores*.csv", "*.csv")
    practice.map(every_file)
    practice.send("case,day,measure,score\nA,0,PHQ-9,20\nA,7,PHQ-9,20\nA,14,phq,20\n")
    practice.night()
    practice.send("case,day,measure,score\nA,7,PHQ-9,9\n", "a_correction.csv")
    practice.night()
    practice.map(every_file + '"phq" = "phq9"\n')
    practice.night()
    assert practice.scores() == {("A", 0, 20.0), ("A", 7, 9.0), ("A", 14, 20.0)}


def test_ids_that_a_home_holds_as_they_were_sent_are_not_replaced_beside_them(
    practice: Any,
) -> None:
    practice.map(scores_mapping())
    practice.night(HEAD + weekly("A", "PHQ-9", [20] * 3))
    practice.map(scores_mapping().replace('"keep"', '"crosswalk"'))
    with pytest.raises(ContractError, match="1 of them are in this home"):
        practice.night()
    assert set(practice.statuses()) == {"A"}


# ---- numbers -----------------------------------------------------------------------------------


def test_scores_of_another_rater_are_not_told_as_the_client_s(practice: Any) -> None:
    practice.map(scores_mapping(columns='rater = "who"'))
    practice.night(
        "case day who measure score\n"
        + "".join(
            f"A {7 * week} client PHQ-9 20\nA {7 * week} clinician PHQ-9 5\n" for week in range(9)
        )
    )
    (flag,) = flags_now(practice.places)
    assert (flag.first_score, flag.last_score) == (20, 20)


def test_the_mean_of_two_bad_scores_is_their_mean_also_when_they_lie_far_apart(
    practice: Any,
) -> None:
    practice.night(HEAD + "A 0 PHQ-9 10\nA 7 PHQ-9 11\nA 60 PHQ-9 17\nA 120 PHQ-9 24\n")
    (flag,) = flags_now(practice.places)
    assert flag.code == "two_scores"
    assert flag.reasons[0].startswith("The last two PHQ-9 scores average 10.5 above the start")


def test_a_score_on_the_day_of_a_session_counts_as_measured(practice: Any) -> None:
    cases = [f"C{number}" for number in range(12)]
    practice.map(scores_mapping() + SESSIONS.format(more='day = "day"'))
    practice.send(
        as_csv(
            "case session day attended\n"
            + "".join(sessions(case, 8, with_days=True) for case in cases)
        ),
        "sessions.csv",
    )
    practice.night(HEAD + "".join(weekly(case, "PHQ-9", [18] * 6) for case in cases))
    found = trend(practice, "completeness")
    assert (found["numerator"], found["denominator"]) == (70, 95)  # 72 of 96, rounded


def test_the_outcome_of_a_closed_case_is_that_of_its_primary_measure(
    practice: Any,
) -> None:
    practice.map(scores_mapping() + CASES)
    practice.send("case,end,why\nA,70,\n", "cases.csv")
    practice.night(HEAD + weekly("A", "PHQ-9", [22] * 9) + weekly("A", "GAD-7", [8] * 6 + [14] * 3))
    assert practice.statuses()["A"] == ("deteriorating", "two_scores")  # by GAD-7
    outcome = practice.published("cases").select(pl.col("closed_class")).item()
    assert outcome == "unchanged"  # by PHQ-9
