"""Early response: what counts, who cannot be asked, and that later sessions change nothing."""

from math import nan
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.change_reference import ChangeRuleError
from models.early_response import REASONS, RESPONSES, early_responses
from models.meaningful_change import PercentageChange, PointsChange
from models.sudden_change_courses import ScoresError

PHQ9 = PointsChange(points=6, higher_is="worse", source="R2")
HALF = PercentageChange(share=0.5, higher_is="worse")


def scored(courses: dict[str, list[float | None]], first: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (case, session, score)
            for case, scores in courses.items()
            for session, score in enumerate(scores, start=first)
        ],
        schema={"case_id": pl.String, "session": pl.Int64, "score": pl.Float64},
        orient="row",
    )


def only(*scores: float | None, rule: Any = PHQ9, **more: Any) -> dict[str, Any]:
    first = more.pop("first", 1)
    return early_responses(scored({"c": list(scores)}, first), rule, **more).row(0, named=True)


def test_a_reliable_gain_by_session_four_is_an_early_response() -> None:
    assert only(18, 17, 14, 12) == {
        "case_id": "c", "session_before": 1, "session_after": 4, "pre": 18, "post": 12,
        "change": -6, "share": -6 / 18, "response": "early_response", "reason": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "response"),
    [
        ((18, 17, 14, 13), "no_early_response"),
        ((18, 17, 20, 24), "early_deterioration"),
        ((18, 17, 12, None, 18), "early_response"),  # session 4 took place without a score
        ((18, 12, 12, 18), "no_early_response"),  # given back by then
    ],
)
def test_the_last_score_up_to_the_session_counts(scores: Any, response: str) -> None:
    assert only(*scores)["response"] == response


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ((None, 18, 12, 10), "no_first_score"),
        ((18, 10, 9), "session_not_reached"),
        ((18, None, None, None, 3), "no_later_score"),
        ((nan, nan, nan, nan), "no_first_score"),
    ],
)
def test_a_case_that_cannot_be_asked_says_why(scores: Any, reason: str) -> None:
    found = only(*scores)
    assert (found["response"], found["reason"]) == ("not_computable", reason)
    assert REASONS[reason]


def test_a_baseline_goes_before_the_first_session() -> None:
    found = only(24, 18, 18, 18, 17, first=0)
    assert (found["session_before"], found["pre"], found["response"]) == (0, 24, "early_response")


def test_a_share_of_the_first_score_may_be_asked_for() -> None:
    assert only(20, 15, 12, 10, rule=HALF)["response"] == "early_response"
    assert only(20, 15, 12, 11, rule=HALF)["response"] == "no_early_response"
    below = only(-2, 1, 1, 1, rule=HALF)
    assert (below["response"], below["reason"]) == ("not_computable", "negative_before")


def test_session_three_may_be_asked_for() -> None:
    assert only(18, 17, 12, 18, by_session=3)["response"] == "early_response"
    with pytest.raises(ChangeRuleError, match="by_session == 1, must be after session 1"):
        only(18, 17, by_session=1)


def test_two_scores_of_one_session_are_refused() -> None:
    rows = scored({"c": [18, 17, 14, 12]})
    with pytest.raises(ScoresError, match="1 scores stand beside another"):
        early_responses(pl.concat([rows, rows.tail(1)]), PHQ9)


def test_no_word_calls_it_a_flag() -> None:
    assert not {"flag", "failure", "stuck"} & {
        part for word in RESPONSES for part in word.split("_")
    }


points = st.one_of(st.none(), st.integers(0, 27))
courses = st.lists(points, min_size=4, max_size=10)


@given(scores=courses, later=st.lists(points, max_size=5))
def test_sessions_after_the_fourth_change_nothing(scores: Any, later: Any) -> None:
    assert only(*scores) == only(*scores[:4], *later)


@given(practice=st.dictionaries(st.text("abc", min_size=1), courses, min_size=1, max_size=5),
       seed=st.integers(0, 9))  # fmt: skip
def test_rows_may_come_in_any_order(practice: Any, seed: int) -> None:
    rows = scored(practice)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=seed)
    assert early_responses(rows, PHQ9).equals(early_responses(shuffled, PHQ9))


@given(scores=courses)
def test_mirroring_the_scale_changes_no_response(scores: Any) -> None:
    mirrored = [None if score is None else 27 - score for score in scores]
    better = PointsChange(points=6, higher_is="better", source="x")
    assert only(*scores)["response"] == only(*mirrored, rule=better)["response"]


@given(scores=courses, by=st.integers(0, 30))
def test_a_constant_added_changes_no_response_in_points(scores: Any, by: int) -> None:
    moved = [None if score is None else score + by for score in scores]
    assert only(*scores)["response"] == only(*moved)["response"]
