"""How far are a therapist's ended cases from the mean of all, against what chance allows?"""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from dashboard.chart_style import LABEL_SIZE, dressed
from dashboard.words import BAND, BLUE, INK, LINE, MUTED

ROW_PIXELS = 44
CHANCE, ESTIMATE = "mean as it is", "estimate"
_ROWS = [CHANCE, ESTIMATE]
_ROOM = 0.15  # of a standard deviation beside the outermost mark
_MIDDLE = "#cfdae6"  # a shade darker than the band: 95 inside 99.8, also in grey


def effect_chart(row: dict[str, Any]) -> alt.LayerChart:
    """Return a slice through the funnel at so many cases; under it the shrunken estimate.

    `row` is a row of `published_caseload` with all its numbers. No other therapist is drawn.
    """
    mean = row["mean_of_all"]
    wide = (row["funnel_low_998"] - mean, row["funnel_high_998"] - mean)
    inner = (row["funnel_low_95"] - mean, row["funnel_high_95"] - mean)
    raw = row["mean_saes"] - mean
    ends = [*wide, raw, row["effect_low"], row["effect_high"]]
    reach = max(map(abs, ends)) + _ROOM  # alike on both sides: zero in the middle
    across = alt.Scale(domain=[-reach, reach], nice=False)
    down = alt.Y(
        "row:N",
        title=None,
        scale=alt.Scale(domain=_ROWS),
        axis=alt.Axis(domain=False, ticks=False, labelLimit=120, minExtent=88),
    )

    def bar(low: float, high: float, colour: str) -> alt.Chart:
        rows = pl.DataFrame({"row": [CHANCE], "low": [low], "high": [high]})
        drawn: alt.Chart = (
            alt.Chart(rows)
            .mark_bar(color=colour, height=ROW_PIXELS * 0.62)
            .encode(x=alt.X("low:Q", scale=across), x2="high:Q", y=down)
        )
        return drawn

    def written(words: str, at: float, row_name: str, dy: int) -> alt.Chart:
        rows = pl.DataFrame({"row": [row_name], "at": [at]})
        drawn: alt.Chart = (
            alt.Chart(rows)
            .mark_text(text=words, color=MUTED, fontSize=LABEL_SIZE, dy=dy)
            .encode(x=alt.X("at:Q", scale=across), y=down)
        )
        return drawn

    zero = (
        alt.Chart(pl.DataFrame({"at": [0.0]}))
        .mark_rule(color=MUTED, strokeDash=[4, 3])
        .encode(x=alt.X("at:Q", scale=across))
    )
    dots = pl.DataFrame({"row": _ROWS, "at": [raw, row["effect"]]})
    interval = (
        alt.Chart(
            pl.DataFrame(
                {"row": [ESTIMATE], "low": [row["effect_low"]], "high": [row["effect_high"]]}
            )
        )
        .mark_rule(color=BLUE, strokeWidth=3)
        .encode(x=alt.X("low:Q", scale=across), x2="high:Q", y=down)
    )
    axis = alt.Axis(
        labelExpr="datum.value ? format(datum.value, '+.1f') : '0'",
        tickCount=5,
        grid=False,
        labelColor=MUTED,
        domainColor=LINE,
    )
    title = "standard deviations from the mean of all"
    marks = (
        alt.Chart(dots)
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            x=alt.X("at:Q", scale=across, title=title, axis=axis),
            y=down,
            color=alt.Color("row:N", scale=alt.Scale(domain=_ROWS, range=[INK, BLUE]), legend=None),
            shape=alt.Shape(
                "row:N", scale=alt.Scale(domain=_ROWS, range=["diamond", "circle"]), legend=None
            ),
        )
    )
    layers = [
        bar(*wide, BAND),
        bar(*inner, _MIDDLE),
        zero,
        interval,
        marks,
        written("95 % interval", row["effect"], ESTIMATE, 16),
    ]
    return dressed(layers, ROW_PIXELS * len(_ROWS))
