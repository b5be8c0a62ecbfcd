"""How did the client rate the alliance, on the same time axis as the scores?"""

from __future__ import annotations

import altair as alt
import polars as pl

from dashboard.chart_course import FlagLine
from dashboard.chart_style import dressed, end_labels, level_line, score_scale, time_scale
from dashboard.line_ends import LineEnd, spread
from dashboard.time_axis import TimeAxis
from dashboard.words import BLUE, MUTED, number

HEIGHT = 110
_DASHED = (6, 3)


def alliance_chart(
    points: pl.DataFrame,
    name: str,
    lowest: float,
    highest: float,
    concern_line: float | None,
    axis: TimeAxis,
) -> alt.LayerChart:
    """Return the ratings with the concern line and the client's own limit.

    `points` has `time`, `value`, `run` and `personal_low` and is sorted by time.
    """
    across = time_scale(axis, with_title=False)
    height = score_scale("value", lowest, highest, 3)
    drawn = alt.Chart(points.select("time", "value", "run"))
    layers = [] if concern_line is None else [level_line(concern_line, _DASHED)]
    limits = points.drop_nulls("personal_low")
    if len(limits):
        layers.append(
            alt.Chart(limits.select("time", "personal_low"))
            .mark_line(color=MUTED, strokeWidth=1, interpolate="step-after", strokeDash=[1.5, 2.5])
            .encode(x=across, y=score_scale("personal_low", lowest, highest, 3))
        )
    layers += [
        drawn.mark_line(color=BLUE, strokeWidth=2).encode(x=across, y=height, detail="run:N"),
        drawn.mark_square(color=BLUE, size=42, opacity=1).encode(
            x=across, y=height, tooltip=[alt.Tooltip("value:Q", title=name)]
        ),
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
    return dressed(layers, HEIGHT)


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
