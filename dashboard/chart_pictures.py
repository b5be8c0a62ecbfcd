"""How does a chart of the screen leave as a picture?

The same chart, drawn by vl-convert in this process: nothing is fetched, and the letters are
those that vl-convert carries, so that a picture looks alike on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from dashboard.chart_style import Drawable
from dashboard.origin import Origin
from dashboard.words import BACKGROUND, INK, MUTED

SVG, PNG = "image/svg+xml", "image/png"
WIDTH = 640  # pixels of the plot; labels stand beside it
SCALE = 2  # a PNG has twice the pixels, so that it prints
# Carried by vl-convert; the others have the same widths, for whoever opens the SVG.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_TITLE_SIZE, _SMALL_SIZE, _LINE_HEIGHT = 16, 11, 15
_LETTERS = 125  # of small print in a line


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A chart, its heading above and what it shows in words."""

    heading: str
    chart: Drawable
    words: str
    note: str = ""
    """How much is hidden, and what n is, where the chart itself cannot say it."""


def as_svg(pictures: Sequence[Picture], origin: Origin, remarks: Sequence[str] = ()) -> bytes:
    """Return charts under one title as SVG; `remarks` say what they stand on, such as n."""
    return _with_words(_svg(_page(pictures, origin, remarks)), origin, pictures).encode()


def as_png(pictures: Sequence[Picture], origin: Origin, remarks: Sequence[str] = ()) -> bytes:
    """Return the same as PNG."""
    import vl_convert

    drawn: bytes = vl_convert.svg_to_png(_svg(_page(pictures, origin, remarks)), scale=SCALE)
    return drawn


def bare_svg(chart: Drawable, width: int = WIDTH) -> str:
    """Return one chart without title and source, for a page that says both."""
    alone = chart.to_dict()
    settings = _settings(alone) | {"background": None}
    return _svg({**_plot(alone, width), "autosize": {"type": "pad"}, "config": settings})


def _page(pictures: Sequence[Picture], origin: Origin, remarks: Sequence[str]) -> dict[str, Any]:
    """Return one Vega-Lite specification: title, charts, and under them where they come from."""
    plots: list[dict[str, Any]] = []
    datasets: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for picture in pictures:
        alone = picture.chart.to_dict()
        settings = _settings(alone)
        datasets |= alone.pop("datasets", {})
        heading = {"text": picture.heading, "anchor": "start", "fontSize": 13, "offset": 14}
        plots.append({**_plot(alone, WIDTH), "title": heading})
    said = [origin.source_line, *([origin.small_numbers] if origin.small_numbers else [])]
    foot = [line for text in [*remarks, *said] for line in wrap(text, _LETTERS)]
    return {
        "title": {"text": origin.what, "anchor": "start", "fontSize": _TITLE_SIZE, "offset": 12},
        "vconcat": [*plots, _small_print(foot)],
        "datasets": datasets,
        "config": settings,
        "padding": 14,
    }


def _plot(alone: dict[str, Any], width: int) -> dict[str, Any]:
    """Return a chart that may stand beside others: a width of its own, no settings."""
    kept = {
        name: value
        for name, value in alone.items()
        if name not in ("config", "autosize", "$schema")
    }
    return {**kept, "width": width}


def _settings(alone: dict[str, Any]) -> dict[str, Any]:
    text = {"color": INK, "font": FONT}
    return {**alone["config"], "font": FONT, "background": BACKGROUND, "title": text}


def _small_print(lines: Sequence[str]) -> dict[str, Any]:
    return {
        "data": {"values": [{}]},
        "width": WIDTH,
        "height": _LINE_HEIGHT * len(lines),
        "mark": {
            "type": "text",
            "text": list(lines),
            "align": "left",
            "baseline": "top",
            "color": MUTED,
            "fontSize": _SMALL_SIZE,
            "lineHeight": _LINE_HEIGHT,
        },
        "encoding": {"x": {"value": 0}, "y": {"value": 0}},
    }


def _svg(specification: dict[str, Any]) -> str:
    import vl_convert

    # No address is allowed: a chart holds its own rows.
    drawn: str = vl_convert.vegalite_to_svg(json.dumps(specification), allowed_base_urls=[])
    return drawn


def _with_words(svg: str, origin: Origin, pictures: Sequence[Picture]) -> str:
    """Return the SVG with its title and description, for those who do not see it."""
    from xml.sax.saxutils import escape

    start = svg.index(">", svg.index("<svg")) + 1
    said = escape(" ".join(picture.words for picture in pictures))
    return f"{svg[:start]}<title>{escape(origin.what)}</title><desc>{said}</desc>{svg[start:]}"
