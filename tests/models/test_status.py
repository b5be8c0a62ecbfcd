"""The fast status rule against the slow, plain reference, on drawn courses; and its laws."""

from typing import Any

import polars as pl
import pytest
import status_rule_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.measure import Measure
from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.status import VERDICTS, judge, pace

RULE = status_rule()
MEASURES = built_in_measures()
# higher is worse with whole points; higher is better with tenths; no reliable change at all
DRAWN = {name: MEASURES[name] for name in ("phq9", "bdi", "ors", "k10")}


@st.composite
def courses(draw: st.DrawFn) -> tuple[Measure, list[reference.Score], list[float | None]]:
    """Draw a course of one measure: scores that wander, gaps in days, sessions sent or not."""
    measure = DRAWN[draw(st.sampled_from(sorted(DRAWN)))]
    count = draw(st.integers(1, 16))
    step = 1 if measure.integer else 0.1
    width = round((measure.maximum - measure.minimum) / step)
    level = draw(st.integers(0, width))
    has_days, sends_sessions = draw(st.booleans()), draw(st.booleans())
    day, attended = 0, draw(st.integers(0, 2))
    scores = []
    for at in range(count):
        level = min(width, max(0, level + draw(st.integers(-width // 4, width // 4))))
        scores.append(
            reference.Score(
                at=at,
                day=day if has_days else None,
                value=round(measure.minimum + level * step, 1),
                t=attended if sends_sessions else None,
            )
        )
        day += draw(st.sampled_from([1, 7, 7, 7, 14, 42, 43, 100]))
        attended += draw(st.integers(0, 2))
    chances = [draw(st.sampled_from([None, 0.1, 0.249, 0.25, 0.9])) for _ in scores]
    return measure, scores, chances


def points(
    measure: Measure, scores: list[reference.Score], chances: list[float | None], case: str = "c"
) -> pl.DataFrame:
    """Return course points as step 5 makes them, from plain Python."""
    first = scores[0]
    rows: list[dict[str, Any]] = []
    for occasion, score in enumerate(scores):
        gain = measure.direction * (first.value - score.value)
        near = occasion >= 2 and (score.day is None or score.day - scores[occasion - 1].day <= 42)
        before = rows[-1]["gain"] if rows else None
        rows.append(
            {
                "case_id": case,
                "measure_id": measure.measure_id,
                "occasion": occasion,
                "has_baseline": True,
                "value": score.value,
                "baseline": first.value,
                "gain": gain,
                "level_gain": (gain + before) / 2 if near else gain,
                "is_pair": near,
                "days": None if score.day is None else score.day - first.day,
                "sessions_attended": score.t,
                "chance_this_bad": chances[occasion],
            }
        )
    return pl.DataFrame(
        rows,
        schema_overrides={
            "days": pl.Int64,
            "sessions_attended": pl.Int64,
            "chance_this_bad": pl.Float64,
            "value": pl.Float64,
        },
    )


def verdicts(judged: pl.DataFrame) -> list[tuple[str, str]]:
    return list(judged.select("status", "code").iter_rows())


@settings(max_examples=600, deadline=None)
@given(courses())
def test_the_fast_rule_says_what_the_plain_reference_says(
    course: tuple[Measure, list[reference.Score], list[float | None]],
) -> None:
    measure, scores, chances = course
    facts = reference.MeasureFacts(
        higher_is=measure.higher_is,
        reliable_change=measure.reliable_change_points,
        cutoff=measure.cutoff,
    )
    expected = [
        (each.status, each.code) for each in reference.judge_measure(scores, facts, chances)
    ]
    assert verdicts(judge(points(measure, scores, chances), RULE, MEASURES)) == expected


@settings(max_examples=100, deadline=None)
@given(courses(), st.integers(1, 16))
def test_nothing_later_changes_an_earlier_status(
    course: tuple[Measure, list[reference.Score], list[float | None]], known: int
) -> None:
    measure, scores, chances = course
    whole = verdicts(judge(points(measure, scores, chances), RULE, MEASURES))
    part = verdicts(judge(points(measure, scores[:known], chances[:known]), RULE, MEASURES))
    assert part == whole[:known]


@settings(max_examples=50, deadline=None)
@given(st.lists(courses(), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_cases_do_not_touch_one_another_and_row_order_does_not_matter(
    drawn: list[tuple[Measure, list[reference.Score], list[float | None]]], random: Any
) -> None:
    alone = [
        verdicts(judge(points(*course, case=f"c{place}"), RULE, MEASURES))
        for place, course in enumerate(drawn)
    ]
    together = pl.concat(points(*course, case=f"c{place}") for place, course in enumerate(drawn))
    rows = list(range(together.height))
    random.shuffle(rows)
    judged = judge(together[rows], RULE, MEASURES)
    for place, expected in enumerate(alone):
        assert verdicts(judged.filter(pl.col("case_id") == f"c{place}")) == expected


@pytest.mark.parametrize(
    ("sessions", "expected"),
    [(3, 0.0), (4, 0.0), (6, 1.5), (8, 3.0), (12, 6.0), (20, 6.0)],
    # status_rule.md: none asked at 4, a quarter of RC at 6, half at 8, all at 12
)
def test_the_pace_rises_from_session_four_to_twelve(sessions: int, expected: float) -> None:
    import numpy as np

    found = pace(
        np.array([float(sessions)]),
        is_sparse=np.array([False]),
        reliable_change=np.array([6.0]),
        rule=RULE.thresholds,
    )
    assert found.tolist() == [expected]


def test_a_case_without_a_usable_baseline_cannot_be_judged() -> None:
    scores = [reference.Score(at=at, day=7 * at, value=18, t=5 + at) for at in range(5)]
    drawn = points(MEASURES["phq9"], scores, [None] * 5).with_columns(
        has_baseline=pl.lit(value=False),
        baseline=pl.lit(None, dtype=pl.Float64),
        gain=pl.lit(None, dtype=pl.Float64),
        level_gain=pl.lit(None, dtype=pl.Float64),
    )
    assert set(verdicts(judge(drawn, RULE, MEASURES))) == {("cannot_judge", "no_baseline")}


def test_a_practice_can_move_a_threshold_and_gets_a_rule_version_of_its_own() -> None:
    later = status_rule({"stuck_occasions": 6})
    assert later.version != RULE.version
    scores = [reference.Score(at=at, day=7 * at, value=18, t=at + 2) for at in range(6)]
    drawn = points(MEASURES["phq9"], scores, [None] * 6)
    assert ("stuck", "no_gain") in verdicts(judge(drawn, RULE, MEASURES))
    assert ("stuck", "no_gain") not in verdicts(judge(drawn, later, MEASURES))


def test_the_drawn_courses_reach_every_verdict_of_the_rule() -> None:
    """A generator that never draws a row of the rule would prove nothing about it."""
    reached: set[tuple[str, str]] = set()

    @settings(max_examples=1500, deadline=None, database=None, derandomize=True)
    @given(courses())
    def draw(course: tuple[Measure, list[reference.Score], list[float | None]]) -> None:
        reached.update(verdicts(judge(points(*course), RULE, MEASURES)))

    draw()
    wanted = set(VERDICTS) - {("", ""), ("cannot_judge", "no_baseline")}
    assert wanted - reached <= {("improved", "gain_stalled")}  # needs nine level scores in a row
