"""How did the scores of a case run against what was to be expected?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from dashboard.chart_layers import (
    Chart,
    Part,
    chart_of,
    end_labels,
    layer,
    level_line,
    name_of,
    quantity,
    score_scale,
    text,
    time_scale,
)
from dashboard.chart_style import LABEL_SIZE
from dashboard.line_ends import LineEnd, spread
from dashboard.time_axis import TimeAxis, gaps
from dashboard.words import BAND, INK, MUTED, Mark, number

HEIGHT = 270
SMALL_HEIGHT = 120
_NAME_LETTERS = 10
CLEAR_CHANGE = "clear change"
_EXPECTED_LINE = "#9fb3c8"
_DASHED, _DOTTED = (6, 3), (1.5, 2.5)
_LABELLED_GAP_SHARE = 0.14  # of the axis between two labels "no score"
_FLAG_TURN = 0.55  # from this share of the axis on, the flag's words stand left of its line


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a chart needs to know of a measure."""

    name: str
    lowest: float
    highest: float
    cutoff: float | None = None
    clear_change: float | None = None

    @property
    def lines(self) -> list[tuple[str, float, tuple[float, ...]]]:
        """Cut-off and clear-change line, where there are any inside the range."""
        known = (("cut-off", self.cutoff, _DASHED), (CLEAR_CHANGE, self.clear_change, _DOTTED))
        return [
            (name, level, dash)
            for name, level, dash in known
            if level is not None and self.lowest <= level <= self.highest
        ]


@dataclass(frozen=True, kw_only=True)
class EventMark:
    """Something that happened between two scores, such as a sudden gain."""

    time: float
    words: str


@dataclass(frozen=True, kw_only=True)
class FlagLine:
    """When the flag that leads began."""

    time: float
    mark: Mark
    words: str


def course_chart(
    points: pl.DataFrame,
    scale: Scale,
    axis: TimeAxis,
    *,
    flag: FlagLine | None = None,
    events: Sequence[EventMark] = (),
    height: int = HEIGHT,
) -> Chart:
    """Return the chart of one measure.

    `points` has `time`, `value`, `run`, `expected`, `band_80_low`, `band_80_high` and is sorted
    by time; scores of one run are joined.
    """
    across = time_scale(axis, with_title=height >= HEIGHT)
    ticks = 6 if height >= HEIGHT else 4
    band = points.drop_nulls(["band_80_low", "band_80_high"])
    layers: list[Part] = []
    if len(band) > 1:
        layers += _band(band, scale, across, ticks)
    layers += [level_line(level, dash) for _, level, dash in scale.lines]
    if flag is not None:
        layers += _flag(flag, axis)
    layers += _scores(points, scale, across, ticks, axis)
    layers += _no_score(points, axis, height)
    layers += _events(events, axis)
    labels = _labels(points, band, scale)
    layers += end_labels(spread(labels, lowest=scale.lowest, highest=scale.highest, height=height))
    return chart_of(layers, height)


def course_words(
    points: pl.DataFrame,
    scale: Scale,
    axis: TimeAxis,
    flag: FlagLine | None = None,
    events: Sequence[EventMark] = (),
) -> str:
    """Return the chart in words, for those who do not see it."""
    scores = [
        f"{axis.words(time)}: {number(value)}"
        for time, value in points.select("time", "value").rows()
    ]
    said = [f"{scale.name} from {number(scale.lowest)} to {number(scale.highest)}. "]
    said.append("; ".join(scores) + "." if scores else "No score.")
    said += [
        f" No score between {axis.words(before)} and {axis.words(after)}."
        for before, after in gaps(points["time"].to_list(), points["run"].to_list())
    ]
    said += [f" The {name} is at {number(level)}." for name, level, _ in scale.lines]
    last = points.drop_nulls(["band_80_low", "band_80_high"]).tail(1)
    for low, high in last.select("band_80_low", "band_80_high").rows():
        said.append(f" 8 in 10 similar cases lie within {number(low)} and {number(high)} there.")
    said += [f" {event.words} at {axis.words(event.time)}." for event in events]
    if flag is not None:
        said.append(f" {flag.mark.word} {flag.words}.")
    return "".join(said)


def _band(band: pl.DataFrame, scale: Scale, across: Part, ticks: int) -> list[Part]:
    area = layer(
        band.select("time", "band_80_low", "band_80_high"),
        {"type": "area", "color": BAND},
        x=across,
        y=score_scale("band_80_low", scale.lowest, scale.highest, ticks),
        y2={"field": "band_80_high"},
    )
    expected = layer(
        band.select("time", "expected"),
        {"type": "line", "color": _EXPECTED_LINE, "strokeWidth": 1.4},
        x=across,
        y=quantity("expected"),
    )
    return [area, expected]


def _scores(
    points: pl.DataFrame, scale: Scale, across: Part, ticks: int, axis: TimeAxis
) -> list[Part]:
    height = score_scale("value", scale.lowest, scale.highest, ticks)
    line = layer(
        points.select("time", "value", "run"),
        {"type": "line", "color": INK, "strokeWidth": 2},
        x=across,
        y=height,
        detail=name_of("run"),
    )
    words = pl.Series("words", [axis.words(time) for time in points["time"]], dtype=pl.String)
    dots = layer(
        points.select("time", "value", words),
        {"type": "circle", "color": INK, "size": 46, "opacity": 1},
        x=across,
        y=height,
        tooltip=[name_of("words", title="when"), quantity("value", title=scale.name)],
    )
    return [line, dots]


def _flag(flag: FlagLine, axis: TimeAxis) -> list[Part]:
    place = [{"time": flag.time}]
    is_late = (flag.time - axis.first) / (axis.last - axis.first) > _FLAG_TURN
    colour = flag.mark.colour
    words = text(
        f"{flag.mark.text} {flag.words}",
        colour=colour,
        align="right" if is_late else "left",
        baseline="bottom",
        dx=6 if is_late else -6,
    )
    return [
        layer(place, {"type": "rule", "color": colour, "strokeWidth": 1.2}, x=quantity("time")),
        layer(place, words, x=quantity("time"), y={"value": -5}),
    ]


def _events(events: Sequence[EventMark], axis: TimeAxis) -> list[Part]:
    """Return a small mark with words inside the upper edge for each event."""
    drawn = []
    for event in events:
        is_late = (event.time - axis.first) / (axis.last - axis.first) > _FLAG_TURN
        words = text(
            f"{event.words} ▾" if is_late else f"▾ {event.words}",
            align="right" if is_late else "left",
            dx=4 if is_late else -4,
        )
        place = [{"time": event.time}]
        drawn.append(layer(place, words, x=quantity("time"), y={"value": LABEL_SIZE}))
    return drawn


def _no_score(points: pl.DataFrame, axis: TimeAxis, height: int) -> list[Part]:
    found = gaps(points["time"].to_list(), points["run"].to_list())
    middles = sorted((before + after) / 2 for before, after in found)
    room = _LABELLED_GAP_SHARE * (axis.last - axis.first)
    kept = middles[:1] + [after for before, after in pairwise(middles) if after - before > room]
    if not kept:
        return []
    places = [{"time": time} for time in kept]
    return [layer(places, text("no score"), x=quantity("time"), y={"value": height - LABEL_SIZE})]


def _labels(points: pl.DataFrame, band: pl.DataFrame, scale: Scale) -> Sequence[LineEnd]:
    labels = [
        LineEnd(text=words, value=level, colour=MUTED)
        for words, level in (
            # "at": its level on this scale, not its size, which the sentences give.
            (
                f"{name} at {number(level)}" if name == CLEAR_CHANGE else f"{name} {number(level)}",
                level,
            )
            for name, level, _ in scale.lines
        )
    ]
    if len(points):
        value = points["value"][-1]
        # A long name would push the plot out of line with its neighbours; it stands above anyway.
        is_short = len(scale.name) <= _NAME_LETTERS
        words = f"{scale.name if is_short else 'last'} {number(value)}"
        labels.append(LineEnd(text=words, value=value, colour=INK, is_bold=True))
    if len(band) > 1:
        labels.append(
            LineEnd(text="similar cases,\n8 in 10 within", value=band["expected"][-1], colour=MUTED)
        )
    return labels
