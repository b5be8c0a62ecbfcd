"""Events of a course: sudden gains and losses told once, in words, and never taken back."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.course_events import early_events, sudden_events

MEASURES = built_in_measures()
THRESHOLDS = status_rule().thresholds


def scored(
    *values: float | None, measure: str = "phq9", is_open: bool = True, by_session: bool = True
) -> pl.DataFrame:
    """Return one case with a score a session; None is a session without a score."""
    present = [(place, value) for place, value in enumerate(values) if value is not None]
    return pl.DataFrame(
        {
            "case_id": ["c1"] * len(present),
            "measure_id": [measure] * len(present),
            "occasion": list(range(len(present))),
            "session": [place + 1 if by_session else None for place, _ in present],
            "day": [7 * place for place, _ in present],
            "value": [float(value) for _, value in present],
            "is_open": [is_open] * len(present),
        },
        schema_overrides={"session": pl.Int64},
    )


def told(points: pl.DataFrame) -> list[tuple[str, int | None, str]]:
    return sudden_events(points, MEASURES, THRESHOLDS).select("kind", "session", "sentence").rows()


def test_a_sudden_gain_is_told_at_the_session_after_the_jump() -> None:
    assert told(scored(20, 21, 20, 9, 9, 10)) == [
        ("sudden_gain", 4, "Sudden gain on PHQ-9 between session 3 and session 4: 20 to 9.")
    ]


def test_a_gain_on_a_scale_where_high_is_good_rises() -> None:
    assert told(scored(14, 15, 14, 26, 26, 27, measure="ors")) == [
        ("sudden_gain", 4, "Sudden gain on ORS between session 3 and session 4: 14 to 26.")
    ]
    assert [kind for kind, *_ in told(scored(27, 26, 27, 14, 14, 13, measure="ors"))] == [
        "sudden_loss"
    ]


def test_a_smaller_step_than_a_clear_change_is_no_event() -> None:
    # the PHQ-9's reliable change is 6 points (R2)
    assert told(scored(20, 20, 20, 15, 15, 15)) == []
    assert len(told(scored(20, 20, 20, 14, 14, 14))) == 1


def test_without_sessions_scores_are_counted() -> None:
    assert told(scored(20, 21, 20, 9, 9, 10, by_session=False)) == [
        ("sudden_gain", None, "Sudden gain on PHQ-9 between score 3 and score 4: 20 to 9.")
    ]


def test_an_event_waits_until_its_three_later_sessions_are_over() -> None:
    # the second score after the jump would do for the criteria; the third can still undo them
    assert told(scored(20, 21, 20, 9, 9)) == []
    assert len(told(scored(20, 21, 20, 9, 9, None, 9))) == 1
    assert len(told(scored(20, 21, 20, 9, 9, is_open=False))) == 1


def test_a_gain_that_is_lost_again_says_so() -> None:
    ((_, _, sentence),) = told(scored(20, 21, 20, 9, 9, 10, 19, 20))
    assert sentence.endswith("More than half of it was lost again.")


def test_an_early_response_is_told_once_session_four_is_reached() -> None:
    def early(*values: float | None) -> list[tuple[int, str]]:
        return (
            early_events(scored(*values), MEASURES, THRESHOLDS).select("session", "sentence").rows()
        )

    assert early(20, 16, 14) == []
    assert early(20, 16, 14, 14) == [
        (4, "Early response on PHQ-9: 20 to 14 by session 4, a clear change.")
    ]
    assert early(20, 16, 14, 15) == []  # five points are no clear change (R2: six)
    assert early(20, 16, 14, None, 3) == [
        (3, "Early response on PHQ-9: 20 to 14 by session 3, a clear change.")
    ]
    assert early_events(scored(9, 9, 9, 1, measure="expectation"), MEASURES, THRESHOLDS).is_empty()


def test_a_measure_without_a_reliable_change_has_no_events() -> None:
    assert told(scored(9, 9, 9, 1, 1, 1, measure="expectation")) == []


@given(st.lists(st.integers(0, 27), min_size=1, max_size=14), st.data())
def test_a_later_score_never_takes_an_event_back(values: list[int], data) -> None:
    known = data.draw(st.integers(1, len(values)))
    key = ["kind", "occasion", "session", "day"]
    earlier = sudden_events(scored(*values[:known]), MEASURES, THRESHOLDS).select(key)
    later = sudden_events(scored(*values), MEASURES, THRESHOLDS).select(key)
    assert earlier.join(later, on=key, how="anti").is_empty()
    told_late = later.join(earlier, on=key, how="anti")
    assert (told_late["session"] + 2 > known).all()


def test_days_sent_as_sessions_are_not_taken_for_them() -> None:
    points = scored(20, 21, 20, 9, 9, 10).with_columns(
        session=pl.Series([1001, 1002, 1003, 1004, 1005, 1006])
    )
    ((_, _, sentence),) = told(points)
    assert "between score 3 and score 4" in sentence


@pytest.mark.parametrize("later", [None, 2, 6, 1200])
def test_a_later_score_with_an_odd_session_number_changes_nothing_told(later: int | None) -> None:
    before = scored(20, 21, 20, 9, 9, 10)
    odd = scored(*[20.0] * 6, 9).tail(1).with_columns(session=pl.lit(later, dtype=pl.Int64))
    assert told(pl.concat([before, odd])) == told(before) != []


def test_nothing_is_called_sudden_or_early_across_months() -> None:
    monthly = scored(20, 21, 20, 9, 9, 10, by_session=False).with_columns(
        day=pl.col("occasion") * 60
    )
    assert told(monthly) == []
    quick = scored(20, 16, 14, 13, by_session=False)
    assert early_events(quick, MEASURES, THRESHOLDS).height == 1
    slow = quick.with_columns(day=pl.col("occasion") * 30)
    assert early_events(slow, MEASURES, THRESHOLDS).is_empty()
