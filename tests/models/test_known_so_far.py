"""What is known of a case at a score, counted by hand and in a slow loop."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import mean

import numpy as np
import polars as pl
import pytest
from cases_by_hand import ORS, PHQ9, past_of
from hypothesis import given, settings
from hypothesis import strategies as st

from models.known_so_far import FEATURES, known_so_far
from models.past_cases import PastCases


def test_a_course_is_told_as_somebody_with_a_pencil_would() -> None:
    row = known_so_far(past_of({"a": [20, 18, 14, 16]})).row(2, named=True)
    assert (row["baseline"], row["score"], row["previous"]) == (20, 16, 14)
    assert (row["level"], row["gain"], row["level_gain"]) == (15, 4, 5)
    assert (row["mean_between"], row["best"], row["worst"]) == (16, 14, 20)
    assert row["slope"] == pytest.approx(-1.6)  # least squares through 20, 18, 14, 16
    assert row["variability"] == pytest.approx(math.sqrt((4 + 16 + 4) / 6))
    assert (row["weeks"], row["weeks_since_previous"]) == (3, 1)
    assert row["planned_share"] == pytest.approx(0.4)
    assert row["scores_missing_share"] == 0


def test_where_higher_is_better_all_points_are_turned_round() -> None:
    row = known_so_far(past_of({"a": [20, 25]}, ORS)).row(0, named=True)
    assert (row["baseline"], row["score"], row["gain"], row["worst"]) == (-20, -25, 5, -20)


def test_what_is_not_sent_is_unknown_and_never_zero() -> None:
    bare = past_of({"a": [20, 18]})
    nothing = bare.points.with_columns(
        days=pl.lit(None, pl.Int64), day=pl.lit(None, pl.Int64), sessions_attended=pl.lit(None)
    )
    row = known_so_far(PastCases.of(PHQ9, pl.DataFrame({"case_id": ["a"]}), nothing)).row(
        0, named=True
    )
    unknown = {name for name in FEATURES if row[name] is None}
    assert unknown == {
        "mean_between", "variability", "weeks", "weeks_since_previous", "sessions_attended",
        "planned_share", "scores_missing_share", "missed_sessions_share", "missed_lately",
        "alliance_last", "alliance_fall",
    }  # fmt: skip


def test_sessions_and_ratings_count_up_to_the_day_of_the_score_and_no_further() -> None:
    sessions = pl.DataFrame(
        {
            "case_id": ["a"] * 4,
            "session": [1, 2, 3, 4],
            "day": [0, 7, 14, 21],
            "attended": [True, False, True, False],
        }
    )
    alliance = pl.DataFrame(
        {
            "case_id": ["a"] * 3,
            "measure_id": ["srs"] * 3,
            "day": [0, 7, 14],
            "share": [0.9, 0.7, 0.2],
        }
    )
    known = known_so_far(past_of({"a": [20, 18, 16]}, sessions=sessions, alliance=alliance))
    assert known["missed_sessions_share"].to_list() == pytest.approx([1 / 2, 1 / 3])
    assert known["missed_lately"].to_list() == [1, 1]
    assert known["alliance_last"].to_list() == [0.7, 0.2]
    assert known["alliance_fall"].to_list() == pytest.approx([0.2, 0.6])


scores = st.lists(st.integers(0, 27).map(float), min_size=2, max_size=9)


@settings(max_examples=30, deadline=None)
@given(st.lists(scores, min_size=1, max_size=4))
def test_every_number_is_that_of_a_slow_loop(courses: list[list[float]]) -> None:
    named = {f"c{number}": course for number, course in enumerate(courses)}
    rows = {
        (row["case_id"], row["occasion"]): row
        for row in known_so_far(past_of(named)).iter_rows(named=True)
    }
    assert len(rows) == sum(len(course) - 1 for course in courses)
    for case, course in named.items():
        for k in range(1, len(course)):
            row, seen = rows[case, k], course[: k + 1]
            assert row["best"] == min(seen)
            assert row["worst"] == max(seen)
            assert row["slope"] == pytest.approx(np.polyfit(range(k + 1), seen, 1)[0], abs=1e-9)
            if k > 1:
                assert row["mean_between"] == pytest.approx(mean(seen[1:-1]))
                steps = [b - a for a, b in pairwise(seen)]
                assert row["variability"] == pytest.approx(
                    math.sqrt(sum(step**2 for step in steps) / (2 * k))
                )


@settings(max_examples=20, deadline=None)
@given(scores, st.lists(st.integers(0, 27).map(float), min_size=1, max_size=5))
def test_later_scores_change_nothing_that_was_known(
    course: list[float], later: list[float]
) -> None:
    before = known_so_far(past_of({"a": course, "b": [9, 9]}))
    after = known_so_far(past_of({"a": course + later, "b": [9, 9]}))
    kept = after.filter((pl.col("case_id") == "b") | (pl.col("occasion") < len(course)))
    assert kept.equals(before)
