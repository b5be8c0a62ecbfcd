"""Charts show raw points, gaps as gaps, and labels that do not cover one another."""

from __future__ import annotations

import json
from itertools import pairwise

import altair
import polars as pl
import pytest
from jsonschema import ValidationError

from dashboard.chart_alliance import alliance_chart, alliance_words
from dashboard.chart_course import EventMark, FlagLine, Scale, course_chart, course_words
from dashboard.chart_layers import Chart
from dashboard.chart_trend import trend_chart, trend_words
from dashboard.line_ends import LINE_PIXELS, LineEnd, spread
from dashboard.sparkline import scores_in, sparkline, sparkline_words
from dashboard.time_axis import TimeAxis
from dashboard.words import mark

AXIS = TimeAxis(unit="session", first=0, last=4)
PHQ9 = Scale(name="PHQ-9", lowest=0, highest=27, cutoff=10, clear_change=13)
POINTS = pl.DataFrame(
    {
        "time": [0.0, 1.0, 3.0, 4.0],
        "value": [19.0, 18.0, 17.5, 17.0],
        "run": [0, 0, 1, 1],
        "expected": [19.0, 18.0, 16.0, 15.0],
        "band_80_low": [17.0, 14.0, 11.0, 10.0],
        "band_80_high": [21.0, 21.0, 20.0, 20.0],
        "personal_low": [None, None, 16.0, 16.0],
    }
)
FLAG = FlagLine(time=3.0, mark=mark("stuck"), words="since session 3")


def texts(chart) -> list[str]:
    layers = chart.to_dict()["layer"]
    return [layer["mark"].get("text", "") for layer in layers if layer["mark"]["type"] == "text"]


def test_an_event_is_a_word_on_the_chart_and_in_its_description() -> None:
    events = [EventMark(time=1.0, words="sudden gain"), EventMark(time=4.0, words="sudden loss")]
    drawn = texts(course_chart(POINTS, PHQ9, AXIS, events=events))
    # a late one is written towards the left, so that it stays inside
    assert {"▾ sudden gain", "sudden loss ▾"} <= set(drawn)
    assert "sudden gain at session 1." in course_words(POINTS, PHQ9, AXIS, events=events)


def test_the_course_names_its_lines_and_says_where_no_score_is() -> None:
    found = texts(course_chart(POINTS, PHQ9, AXIS, flag=FLAG))
    for words in (
        "PHQ-9 17",
        "cut-off 10",
        "clear change at 13",
        "no score",
        "■ stuck since session 3",
    ):
        assert words in found
    assert any("8 in 10 within" in text for text in found)


def test_every_raw_point_is_drawn_and_runs_are_not_joined() -> None:
    spec = json.dumps(course_chart(POINTS, PHQ9, AXIS).to_dict())
    assert '"detail": {"field": "run", "type": "nominal"}' in spec
    assert '"domain": [0, 27]' in spec  # the full range, not a zoom
    assert all(f'"value": {value}' in spec for value in POINTS["value"])


def test_a_clear_change_line_beyond_the_scale_is_left_out() -> None:
    scale = Scale(name="PHQ-9", lowest=0, highest=27, cutoff=10, clear_change=-2)
    assert [name for name, _, _ in scale.lines] == ["cut-off"]


def test_the_course_in_words_has_every_score_and_the_gap() -> None:
    said = course_words(POINTS, PHQ9, AXIS, FLAG)
    assert "session 0: 19; session 1: 18; session 3: 17.5; session 4: 17." in said
    assert "No score between session 1 and session 3." in said
    assert "The cut-off is at 10." in said
    assert "stuck since session 3." in said


@pytest.mark.parametrize(
    "chart",
    [
        course_chart(POINTS, PHQ9, AXIS, flag=FLAG, events=[EventMark(time=1.0, words="gain")]),
        course_chart(POINTS.clear(), PHQ9, AXIS),
        alliance_chart(POINTS, "SRS", 0, 40, 36, AXIS),
    ],
)
def test_what_is_drawn_is_vega_lite(chart: Chart) -> None:
    # Altair's copy of the schema; also that it is the one the charts name.
    specification = chart.to_dict()
    assert specification["$schema"] == altair.LayerChart().to_dict()["$schema"]
    altair.LayerChart.from_dict(specification)
    with pytest.raises(ValidationError):
        altair.LayerChart.from_dict(specification | {"layer": [{"mark": "scribble"}]})


def test_an_empty_course_can_be_drawn_and_said() -> None:
    assert course_chart(POINTS.clear(), PHQ9, AXIS)
    assert "No score." in course_words(POINTS.clear(), PHQ9, AXIS)


def test_the_alliance_has_both_limits() -> None:
    found = texts(alliance_chart(POINTS, "SRS", 0, 40, 36, AXIS))
    assert {"SRS 17", "concern 36", "own limit 16"} <= set(found)
    said = alliance_words(POINTS, "SRS", 36, AXIS)
    assert "at or below 36" in said
    assert "own limit is now 16" in said


@pytest.mark.parametrize(
    "values", [[10, 10, 10, 10], [0, 0.5, 1], [27, 26.9, 26.5], [5, 12, 20], [16, 17, 16.5, 10]]
)
def test_labels_never_cover_one_another_nor_leave_the_scale(values: list[float]) -> None:
    labels = [LineEnd(text="x", value=value, colour="#000000") for value in values]
    labels.append(LineEnd(text="two\nlines", value=values[0], colour="#000000"))
    placed = spread(labels, lowest=0, highest=27, height=270)
    a_line = LINE_PIXELS * 27 / 270
    for below, above in pairwise(placed):
        needed = a_line * (below.lines + above.lines) / 2
        assert above.value - below.value >= needed * 0.98
    assert placed[0].value >= 0
    assert placed[-1].value <= 27


def test_labels_with_room_stay_where_they_belong() -> None:
    labels = [LineEnd(text="x", value=value, colour="#000000") for value in (3.0, 15.0)]
    assert [found.value for found in spread(labels, lowest=0, highest=27, height=270)] == [3, 15]


def test_a_sparkline_leaves_a_gap_where_no_score_is() -> None:
    whole = sparkline([1, 2, 3], 0, 27)
    broken = sparkline([1, None, 3], 0, 27)
    assert whole.count("<polyline") == 2
    assert broken.count("<polyline") == 0
    assert sparkline([], 0, 0).count("<circle") == 0
    assert len(whole) < 1000  # forty of them must be light
    assert scores_in("[19.0, null, 17.5]") == [19.0, None, 17.5]
    assert sparkline_words([19.0, None, 17.5]) == "Outcome scores in order: 19, no score, 17.5"


def test_a_hidden_rate_is_words_and_no_dot() -> None:
    rows = pl.DataFrame(
        {
            "label": ["whole practice", "west"],
            "rate": [0.5, None],
            "rate_low": [0.4, None],
            "rate_high": [0.6, None],
            "words": ["50 % (40 % to 60 %), n = 100", "hidden (fewer than 8)"],
        }
    )
    chart = trend_chart(rows, ["whole practice", "west"]).to_dict()
    drawn = [layer for layer in chart["layer"] if layer["mark"]["type"] == "circle"]
    assert len(drawn[0]["data"]["values"]) == 1
    assert "west: hidden (fewer than 8)" in trend_words("Recovered", rows)
