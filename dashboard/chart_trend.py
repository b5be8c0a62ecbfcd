"""How large is a share, how sure is it, and in which quarter or site?"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from dashboard.chart_style import LABEL_SIZE, dressed
from dashboard.words import INK, LINE, MUTED

ROW_PIXELS = 26


def trend_chart(rows: pl.DataFrame, order: Sequence[str]) -> alt.LayerChart:
    """Return a dot and its interval for each row, on a scale from 0 to 100 %.

    `rows` has `label`, `rate`, `rate_low`, `rate_high` and `words`; a row without a rate shows
    its words alone.
    """
    down = alt.Y(
        "label:N",
        title=None,
        sort=list(order),
        scale=alt.Scale(domain=list(order)),
        axis=alt.Axis(labelLimit=110, domain=False, ticks=False, minExtent=74),
    )
    across = alt.X(
        "rate:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    known = alt.Chart(rows.drop_nulls("rate"))
    interval = known.mark_rule(color=MUTED, strokeWidth=2).encode(
        x=alt.X("rate_low:Q", scale=alt.Scale(domain=[0, 1])), x2="rate_high:Q", y=down
    )
    dot = known.mark_circle(color=INK, size=60, opacity=1).encode(
        x=across, y=down, tooltip=[alt.Tooltip("label:N"), alt.Tooltip("words:N")]
    )
    unknown = (
        alt.Chart(rows.filter(pl.col("rate").is_null()))
        .mark_text(align="left", color=MUTED, fontSize=LABEL_SIZE, dx=4)
        .encode(x=alt.value(0), y=down, text="words:N")
    )
    guide = (
        alt.Chart(rows.drop_nulls("rate").select("label"))
        .mark_rule(color=LINE, strokeWidth=1)
        .encode(y=down, x=alt.value(0), x2=alt.value("width"))
    )
    layers = [guide, interval, dot]
    if rows["rate"].null_count():
        layers.append(unknown)
    return dressed(layers, ROW_PIXELS * max(1, len(order)))


def trend_words(title: str, rows: pl.DataFrame) -> str:
    """Return the chart in words."""
    return f"{title}. " + "; ".join(
        f"{label}: {words}" for label, words in rows.select("label", "words").rows()
    )
