"""What do all charts share: fonts, axes, labels at line ends?"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from dashboard.line_ends import LineEnd
from dashboard.time_axis import TimeAxis
from dashboard.words import INK, LINE, MUTED

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
LABEL_SIZE = 12
_RULER = (
    "clear change at 88"  # the widest label beside a line; keeps charts above one another level
)
_Y_AXIS_PIXELS = 26


def time_scale(axis: TimeAxis, *, with_title: bool) -> alt.X:
    """Return the time axis: whole sessions, days or weeks."""
    return alt.X(
        "time:Q",
        title=f"{axis.unit}" if with_title else None,
        scale=alt.Scale(domain=[axis.first, axis.last], nice=False, zero=False),
        axis=alt.Axis(values=axis.ticks, format="d", grid=False, labelOverlap=True),
    )


def score_scale(name: str, lowest: float, highest: float, ticks: int) -> alt.Y:
    """Return the score axis: the measure's full range, never a zoom."""
    return alt.Y(
        f"{name}:Q",
        title=None,
        scale=alt.Scale(domain=[lowest, highest], nice=False, zero=False),
        axis=alt.Axis(tickCount=ticks, minExtent=_Y_AXIS_PIXELS, maxExtent=_Y_AXIS_PIXELS),
    )


def level_line(level: float, dash: Sequence[float]) -> alt.Chart:
    """Return a line across the chart, such as the cut-off."""
    line: alt.Chart = (
        alt.Chart(pl.DataFrame({"level": [level]}))
        .mark_rule(color=MUTED, strokeDash=list(dash), strokeWidth=1.2)
        .encode(y="level:Q")
    )
    return line


def end_labels(labels: Sequence[LineEnd]) -> list[alt.Chart]:
    """Return the labels to the right of the plot, and the ruler that keeps charts level."""
    ruler = LineEnd(text=_RULER, value=labels[0].value if labels else 0, colour="transparent")
    return [
        alt.Chart(pl.DataFrame({"level": [label.value]}))
        .mark_text(
            align="left",
            baseline="middle",
            dx=9,
            # Several lines are centred on their place.
            dy=-(label.lines - 1) * LABEL_SIZE * 0.6,
            lineBreak="\n",
            lineHeight=LABEL_SIZE * 1.2,
            text=label.text,
            color=label.colour,
            fontSize=LABEL_SIZE,
            fontWeight="bold" if label.is_bold else "normal",
        )
        .encode(x=alt.value("width"), y="level:Q")
        for label in [*labels, ruler]
    ]


def dressed(layers: Sequence[alt.Chart], height: int) -> alt.LayerChart:
    """Return the layers as one calm chart, as wide as its place."""
    chart: alt.LayerChart = (
        alt.layer(*layers)
        .properties(
            height=height,
            width="container",
            # The height is the plot's alone, so that labels can be placed by pixels.
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure(font=FONT, background="transparent", padding={"left": 2, "right": 2})
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED,
            labelFontSize=LABEL_SIZE,
            titleColor=MUTED,
            titleFontSize=LABEL_SIZE,
            titleFontWeight="normal",
            gridColor="#eef1f4",
            domainColor=LINE,
            tickColor=LINE,
        )
        .configure_text(color=INK)
    )
    return chart
