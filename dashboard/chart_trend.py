"""How large is a share, how sure is it, and in which quarter, site or group?"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dashboard.chart_layers import Chart, Part, chart_of, layer, name_of, quantity
from dashboard.chart_style import LABEL_SIZE
from dashboard.words import BAND, INK, LINE, MUTED

ROW_PIXELS = 26
_LIMITS = "#cdd8e4"  # between BAND and LINE in grey: the two limits can be told apart in print


def trend_chart(rows: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Return a dot and its interval for each row, on a scale from 0 to 100 %.

    `rows` has `label`, `rate`, `rate_low`, `rate_high` and `words`; a row without a rate shows
    its words alone.
    """
    down = _down(order)
    known = rows.drop_nulls("rate").select("label", "rate", "rate_low", "rate_high", "words")
    layers = [
        layer(
            known.select("label"),
            {"type": "rule", "color": LINE, "strokeWidth": 1},
            y=down,
            x={"value": 0},
            x2={"value": "width"},
        ),
        layer(
            known,
            {"type": "rule", "color": MUTED, "strokeWidth": 2},
            x=_across("rate_low"),
            x2={"field": "rate_high"},
            y=down,
        ),
        _dots(known, down),
    ]
    if rows["rate"].null_count():
        layers.append(_hidden(rows, down))
    return chart_of(layers, ROW_PIXELS * max(1, len(order)))


def funnel_chart(rows: pl.DataFrame) -> Chart:
    """Return each site's share within the limits that chance alone keeps most shares in.

    `rows` is of one figure, as published_funnel, in the order of sites, with `label` and `words`.
    """
    down = _down(rows["label"].to_list())
    bands = [
        layer(
            rows.select("label", low, high),
            {"type": "rule", "color": colour, "strokeWidth": 14},
            x=_across(low),
            x2={"field": high},
            y=down,
        )
        for low, high, colour in (("low_998", "high_998", BAND), ("low_95", "high_95", _LIMITS))
    ]
    practice = layer(
        rows.select("practice_rate").head(1),
        {"type": "rule", "color": INK, "strokeDash": [4, 3], "strokeWidth": 1.2},
        x=_across("practice_rate"),
    )
    return chart_of(
        [*bands, practice, _dots(rows.select("label", "rate", "words"), down)],
        ROW_PIXELS * max(1, len(rows)),
    )


def trend_words(title: str, rows: pl.DataFrame) -> str:
    """Return the chart in words."""
    return f"{title}. " + "; ".join(
        f"{label}: {words}" for label, words in rows.select("label", "words").rows()
    )


def _down(order: Sequence[str]) -> Part:
    return name_of(
        "label",
        title=None,
        sort=list(order),
        scale={"domain": list(order)},
        axis={"labelLimit": 110, "domain": False, "ticks": False, "minExtent": 74},
    )


def _across(name: str) -> Part:
    return quantity(
        name,
        title=None,
        scale={"domain": [0, 1]},
        axis={"format": "%", "values": [0, 0.25, 0.5, 0.75, 1]},
    )


def _dots(rows: pl.DataFrame, down: Part) -> Part:
    return layer(
        rows,
        {"type": "circle", "color": INK, "size": 60, "opacity": 1},
        x=_across("rate"),
        y=down,
        tooltip=[name_of("label"), name_of("words")],
    )


def _hidden(rows: pl.DataFrame, down: Part) -> Part:
    return layer(
        rows.filter(pl.col("rate").is_null()).select("label", "words"),
        {"type": "text", "align": "left", "color": MUTED, "fontSize": LABEL_SIZE, "dx": 4},
        x={"value": 0},
        y=down,
        text=name_of("words"),
    )
