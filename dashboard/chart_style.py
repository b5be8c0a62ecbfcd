"""What do all charts share: fonts, axes, size?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import altair as alt

from dashboard.words import INK, LINE, MUTED

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
LABEL_SIZE = 12

# In Vega-Lite's words, for charts written in Altair and for those in chart_layers.py.
SETTINGS: dict[str, Any] = {
    "font": FONT,
    "background": "transparent",
    "padding": {"left": 2, "right": 2},
    "view": {"stroke": None},
    # Each chart has one text alternative; Vega's own labels of marks would be read on top of it.
    "mark": {"aria": False},
    "axis": {
        "labelColor": MUTED,
        "labelFontSize": LABEL_SIZE,
        "titleColor": MUTED,
        "titleFontSize": LABEL_SIZE,
        "titleFontWeight": "normal",
        "gridColor": "#eef1f4",
        "domainColor": LINE,
        "tickColor": LINE,
    },
    "text": {"color": INK},
}
# The height is the plot's alone, so that labels can be placed by pixels.
SIZING = {"type": "fit-x", "contains": "padding"}


class Drawable(Protocol):
    """A finished chart, written in Altair or with chart_layers.py."""

    def to_dict(self) -> dict[str, Any]:
        """Return the Vega-Lite specification."""


def dressed(layers: Sequence[alt.Chart], height: int) -> alt.LayerChart:
    """Return the layers as one calm chart, as wide as its place."""
    chart: alt.LayerChart = (
        alt.layer(*layers)
        .properties(height=height, width="container", autosize=SIZING)
        .configure(**SETTINGS)
    )
    return chart
