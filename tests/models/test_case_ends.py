"""What became of a case, by every outcome, and what is not known."""

from __future__ import annotations

import polars as pl
import pytest
from cases_by_hand import past_of

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.case_ends import Outcome, case_ends
from models.landmarks import Landmark, rows_at, usual_landmarks
from models.moments import moments_of
from models.past_cases import PastCases, PastCasesError

# PHQ-9: clear change 6 points, clinical from 10 on.
COURSES = {
    "no_gain": [18, 17, 16, 15, 17],
    "slow": [18, 17, 16, 15, 13],
    "clear": [18, 17, 16, 15, 12],
    "below": [12, 12, 12, 11, 9],
    "worse": [12, 13, 15, 16, 18],
    "mild": [8, 8, 9, 8, 9],
    "half": [16, 15, 12, 10, 8],
}


def ended(courses: dict[str, list[float]] = COURSES, **columns: object) -> PastCases:
    past = past_of(courses)
    cases = past.cases.with_columns(is_ended=pl.lit(value=True), **columns)
    return PastCases.of(past.measure, cases, past.points)


def bad_by(outcome: str) -> dict[str, bool | None]:
    ends = case_ends(ended(), Outcome(name=outcome))
    return {row["case_id"]: row["is_bad"] for row in ends.iter_rows(named=True) if row["is_asked"]}


def test_the_primary_outcome_asks_those_who_start_clinical_whether_they_still_are() -> None:
    assert bad_by("clinical_without_gain") == {
        "no_gain": True,
        "slow": True,
        "clear": False,
        "below": False,
        "worse": True,
        "half": False,
    }


def test_no_reliable_improvement_also_counts_those_already_below_the_cut_off() -> None:
    found = bad_by("no_reliable_improvement")
    assert found["mild"] is True
    assert found["below"] is True
    assert [case for case, bad in found.items() if not bad] == ["clear", "half"]


def test_half_a_score_gone_is_not_less_than_half() -> None:
    found = bad_by("under_half_reduction")
    assert found["half"] is False
    assert found["clear"] is True


def test_a_clear_rise_of_exactly_the_line_is_deterioration() -> None:
    assert [case for case, bad in bad_by("reliable_deterioration").items() if bad] == ["worse"]


def test_drop_out_is_what_the_practice_says_and_unknown_where_it_says_nothing() -> None:
    told = ended({"a": [18, 17], "b": [18, 17], "c": [18, 17]})
    cases = told.cases.with_columns(
        dropped_out=pl.Series([True, False, None]), is_ended=pl.lit(value=True)
    )
    ends = case_ends(PastCases.of(told.measure, cases, told.points), Outcome(name="drop_out"))
    assert ends["is_bad"].to_list() == [True, False, None]
    assert ends["why_unknown"].to_list() == [None, None, "how_not_told"]


def test_an_open_case_has_no_end_yet() -> None:
    past = past_of({"a": [18, 17, 16]})
    ends = case_ends(past, Outcome())
    assert ends.select("is_bad", "why_unknown").row(0) == (None, "still_open")


def test_in_an_end_window_the_last_score_of_it_counts_and_who_has_none_is_unknown() -> None:
    past = ended({"stays": [18, 17, 16, 9], "leaves": [18, 17]})
    ends = case_ends(past, Outcome(name="under_half_reduction", end_from_day=20))
    told = {
        row["case_id"]: (row["is_bad"], row["why_unknown"]) for row in ends.iter_rows(named=True)
    }
    assert told == {"stays": (False, None), "leaves": (None, "no_score_in_end_window")}


def test_an_end_fewer_than_three_scores_away_is_unknown() -> None:
    asked = [Landmark.named("1"), Landmark.named("2")]
    rows = moments_of(ended({"a": [18, 17, 16, 15, 14]}), Outcome(), asked, status_rule()).rows
    assert rows["why_unknown"].to_list() == [None, "too_few_later_scores"]
    assert rows["later_scores"].to_list() == [3, 2]


def test_an_outcome_that_the_measure_cannot_tell_is_refused_in_words() -> None:
    ors = built_in_measures()["ors"]
    with pytest.raises(PastCasesError, match="half of a score means nothing"):
        case_ends(past_of({"a": [20, 25]}, ors), Outcome(name="under_half_reduction"))


def test_a_day_asks_at_the_last_score_up_to_it_and_leaves_out_who_has_none() -> None:
    known = pl.DataFrame(
        {"case_id": ["a", "a", "b"], "occasion": [1.0, 2.0, 1.0], "days": [10, 28, 29]}
    )
    assert rows_at(known, Landmark.named("day:28")).rows() == [("a", 2.0, 28)]


@pytest.mark.parametrize("text", ["", "week:3", "0", "4.5", "day:"])
def test_what_is_no_landmark_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PastCasesError, match="landmark"):
        Landmark.named(text)


def test_a_landmark_hardly_anybody_reaches_is_not_asked_by_itself() -> None:
    rows = [(f"c{case}", float(k), 7 * k, k) for case in range(25) for k in range(1, 4)]
    rows += [("long", float(k), 7 * k, k) for k in range(1, 9)]
    known = pl.DataFrame(
        rows, schema=["case_id", "occasion", "days", "sessions_attended"], orient="row"
    )
    assert [landmark.at for landmark in usual_landmarks(known)] == [1, 2, 3]
