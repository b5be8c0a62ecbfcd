"""Scores are joined only where they follow one another; everything else is a gap."""

from __future__ import annotations

import polars as pl
import pytest

from dashboard.time_axis import TimeAxis, gaps, time_axis, unbroken_runs

SESSIONS = TimeAxis(unit="session", first=0, last=12)
DAYS = TimeAxis(unit="day", first=0, last=90)
WEEKS = TimeAxis(unit="week", first=0, last=40)
PAIR_DAYS = 42


def runs(
    times: list[float], axis: TimeAxis = SESSIONS, attended: tuple[int, ...] = ()
) -> list[int]:
    return unbroken_runs(times, axis, attended=attended, pair_days=PAIR_DAYS)


def test_neighbouring_sessions_are_joined() -> None:
    assert runs([0, 1, 2, 3]) == [0, 0, 0, 0]


def test_a_session_without_score_is_a_gap() -> None:
    found = runs([6, 7, 8, 10, 11, 12])
    assert found == [0, 0, 0, 1, 1, 1]
    assert gaps([6, 7, 8, 10, 11, 12], found) == [(8, 10)]


def test_a_session_nobody_attended_is_no_gap() -> None:
    assert runs([7, 8, 10, 11], attended=(7, 8, 10, 11)) == [0, 0, 0, 0]


def test_a_case_measured_every_fourth_session_is_joined_at_its_own_step() -> None:
    assert runs([0, 4, 8, 12]) == [0, 0, 0, 0]
    assert runs([0, 4, 8, 16]) == [0, 0, 0, 1]


def test_days_are_joined_as_far_as_the_rule_averages() -> None:
    assert runs([0, 7, 14, 56, 99], DAYS) == [0, 0, 0, 0, 1]


def test_weeks_use_the_same_days() -> None:
    assert runs([0, 1, 2, 8, 14.2], WEEKS) == [0, 0, 0, 0, 1]


def test_one_score_and_no_score_have_no_gap() -> None:
    assert runs([3]) == [0]
    assert runs([]) == []
    assert gaps([], []) == []


def points(**columns: list[int | None]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))


@pytest.mark.parametrize(
    ("session", "day", "unit", "first", "last"),
    [
        ([0, 1, 4], [0, 7, 28], "session", 0, 4),
        ([-1, 0, 4], [-7, 0, 28], "session", -1, 4),
        ([None, 1, 4], [0, 7, 28], "day", 0, 28),
        ([None, None, None], [0, 50, 200], "week", 0, 29),
        ([1, 1, 1], [0, 0, 0], "session", 0, 1),
    ],
)
def test_whole_sessions_else_days_else_weeks(
    session: list[int | None], day: list[int | None], unit: str, first: int, last: int
) -> None:
    axis = time_axis(points(session=session, day=day, at=day))
    assert (axis.unit, axis.first, axis.last) == (unit, first, last)


def test_ticks_are_whole_numbers_and_few() -> None:
    for last in (1, 5, 12, 13, 40, 200, 3000):
        ticks = TimeAxis(unit="session", first=0, last=last).ticks
        assert len(ticks) <= 14
        assert all(isinstance(tick, int) for tick in ticks)
    assert SESSIONS.ticks == list(range(13))


def test_times_are_in_the_axis_unit() -> None:
    frame = points(session=[None], day=[14], at=[14])
    assert WEEKS.times(frame)["time"].to_list() == [2.0]
    assert DAYS.times(frame)["time"].to_list() == [14.0]
