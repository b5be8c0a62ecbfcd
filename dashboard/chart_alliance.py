"""How did the client rate the alliance, on the same time axis as the scores?"""

from __future__ import annotations

import polars as pl

from dashboard.chart_course import FlagLine
from dashboard.chart_layers import (
    Chart,
    chart_of,
    end_labels,
    layer,
    level_line,
    name_of,
    quantity,
    score_scale,
    time_scale,
)
from dashboard.line_ends import LineEnd, spread
from dashboard.time_axis import TimeAxis
from dashboard.words import BLUE, MUTED, number

HEIGHT = 110
_DASHED, _DOTTED = [6, 3], [1.5, 2.5]


def alliance_chart(
    points: pl.DataFrame,
    name: str,
    lowest: float,
    highest: float,
    concern_line: float | None,
    axis: TimeAxis,
) -> Chart:
    """Return the ratings with the concern line and the client's own limit.

    `points` has `time`, `value`, `run` and `personal_low` and is sorted by time.
    """
    across = time_scale(axis, with_title=False)
    height = score_scale("value", lowest, highest, 3)
    layers = [] if concern_line is None else [level_line(concern_line, _DASHED)]
    limits = points.drop_nulls("personal_low")
    if len(limits):
        own_limit = {
            "type": "line",
            "color": MUTED,
            "strokeWidth": 1,
            "interpolate": "step-after",
            "strokeDash": _DOTTED,
        }
        place = score_scale("personal_low", lowest, highest, 3)
        layers.append(layer(limits.select("time", "personal_low"), own_limit, x=across, y=place))
    line = {"type": "line", "color": BLUE, "strokeWidth": 2}
    squares = {"type": "square", "color": BLUE, "size": 42, "opacity": 1}
    ratings = points.select("time", "value", "run")
    layers += [
        layer(ratings, line, x=across, y=height, detail=name_of("run")),
        layer(ratings, squares, x=across, y=height, tooltip=[quantity("value", title=name)]),
    ]
    labels = []
    if len(points):
        value = points["value"][-1]
        words = f"{name} {number(value)}"
        labels.append(LineEnd(text=words, value=value, colour=BLUE, is_bold=True))
    if concern_line is not None:
        words = f"concern {number(concern_line)}"
        labels.append(LineEnd(text=words, value=concern_line, colour=MUTED))
    if len(limits):
        value = limits["personal_low"][-1]
        labels.append(LineEnd(text=f"own limit {number(value)}", value=value, colour=MUTED))
    layers += end_labels(spread(labels, lowest=lowest, highest=highest, height=HEIGHT))
    return chart_of(layers, HEIGHT)


def alliance_words(
    points: pl.DataFrame,
    name: str,
    concern_line: float | None,
    axis: TimeAxis,
    flag: FlagLine | None = None,
) -> str:
    """Return the chart in words."""
    ratings = "; ".join(
        f"{axis.words(time)}: {number(value)}"
        for time, value in points.select("time", "value").rows()
    )
    said = f"Alliance by {name}. {ratings or 'No rating'}."
    if concern_line is not None:
        said += f" Ratings at or below {number(concern_line)} are a concern."
    limits = points.drop_nulls("personal_low")
    if len(limits):
        said += f" The client's own limit is now {number(limits['personal_low'][-1])}."
    return said if flag is None else f"{said} {flag.mark.word} {flag.words}."
