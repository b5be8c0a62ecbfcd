"""Of which layers is a chart of a case made? Vega-Lite's own words, as plain values.

Altair says the same, but copies and checks every part it is given: 0.4 s for the charts of one
case, on the screen a supervisor waits for (docs/benchmarks.md). Here a test holds what is drawn
against Vega-Lite's schema instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboard.chart_style import LABEL_SIZE, SETTINGS, SIZING
from dashboard.line_ends import LineEnd
from dashboard.time_axis import TimeAxis
from dashboard.words import MUTED

Part = dict[str, Any]
"""A part of a Vega-Lite specification: a layer, a channel, a scale."""

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"
# The widest label beside a line: it keeps charts above one another level.
_RULER = "clear change at 88"
_Y_AXIS_PIXELS = 26


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A finished chart, its rows inside; like Altair's it can be asked for its specification."""

    specification: Part

    def to_dict(self) -> Part:
        """Return the Vega-Lite specification."""
        return dict(self.specification)


def layer(rows: pl.DataFrame | Sequence[Part], mark: Part, **channels: Part | list[Part]) -> Part:
    """Return one layer: its rows, its mark, and what stands for what."""
    values = rows.to_dicts() if isinstance(rows, pl.DataFrame) else list(rows)
    return {"data": {"values": values}, "mark": mark, "encoding": channels}


def quantity(name: str, **more: object) -> Part:
    """Return a channel that shows a column of numbers."""
    return {"field": name, "type": "quantitative", **more}


def name_of(name: str, **more: object) -> Part:
    """Return a channel that shows a column of names."""
    return {"field": name, "type": "nominal", **more}


def time_scale(axis: TimeAxis, *, with_title: bool) -> Part:
    """Return the time axis: whole sessions, days or weeks."""
    return quantity(
        "time",
        title=axis.unit if with_title else None,
        scale={"domain": [axis.first, axis.last], "nice": False, "zero": False},
        axis={"values": axis.ticks, "format": "d", "grid": False, "labelOverlap": True},
    )


def score_scale(name: str, lowest: float, highest: float, ticks: int) -> Part:
    """Return the score axis: the measure's full range, never a zoom."""
    return quantity(
        name,
        title=None,
        scale={"domain": [lowest, highest], "nice": False, "zero": False},
        axis={"tickCount": ticks, "minExtent": _Y_AXIS_PIXELS, "maxExtent": _Y_AXIS_PIXELS},
    )


def level_line(level: float, dash: Sequence[float]) -> Part:
    """Return a line across the chart, such as the cut-off."""
    mark = {"type": "rule", "color": MUTED, "strokeDash": list(dash), "strokeWidth": 1.2}
    return layer([{"level": level}], mark, y=quantity("level"))


def text(words: str, *, colour: str = MUTED, **more: object) -> Part:
    """Return the mark of words in a chart."""
    return {"type": "text", "text": words, "color": colour, "fontSize": LABEL_SIZE, **more}


def end_labels(labels: Sequence[LineEnd]) -> list[Part]:
    """Return the labels to the right of the plot, and the ruler that keeps charts level."""
    ruler = LineEnd(text=_RULER, value=labels[0].value if labels else 0, colour="transparent")
    return [
        layer(
            [{"level": label.value}],
            text(
                label.text,
                colour=label.colour,
                align="left",
                baseline="middle",
                dx=9,
                # Several lines are centred on their place.
                dy=-(label.lines - 1) * LABEL_SIZE * 0.6,
                lineBreak="\n",
                lineHeight=LABEL_SIZE * 1.2,
                fontWeight="bold" if label.is_bold else "normal",
            ),
            x={"value": "width"},
            y=quantity("level"),
        )
        for label in [*labels, ruler]
    ]


def chart_of(layers: Sequence[Part], height: int) -> Chart:
    """Return the layers as one calm chart, as wide as its place."""
    return Chart(
        specification={
            "$schema": _SCHEMA,
            "layer": list(layers),
            "height": height,
            "width": "container",
            "autosize": SIZING,
            "config": SETTINGS,
        }
    )
