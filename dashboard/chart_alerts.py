"""How much do rules find, how well do they tell cases apart, and do chances come true?

Shapes tell rules and ends apart, not colours alone; every chart has its words.
"""

from __future__ import annotations

from collections.abc import Sequence

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
)
from dashboard.figures import percent
from dashboard.line_ends import LineEnd, spread
from dashboard.words import BLUE, INK, LINE, MUTED

ROW_PIXELS = 30
SQUARE_PIXELS = 240
FLAGGED, FOUND = "□", "●"
"""As drawn: share of all flagged, share of those that ended so found."""
_PERCENT = {"format": "%", "values": [0, 0.25, 0.5, 0.75, 1]}
_AUC_FROM, _AUC_TO = 0.4, 1.0
CHANCE = 0.5
"""AUC of a rule that knows nothing."""
_LOOKS: Sequence[tuple[str, str, bool]] = (
    ("square", INK, True),
    ("circle", BLUE, True),
    ("triangle-up", MUTED, False),
)


def found_chart(rows: pl.DataFrame) -> Chart:
    """Return for each rule the share it flags and the share it finds of those that ended so.

    `rows` has `label`, `share_flagged`, `sensitivity`, `sensitivity_low`, `sensitivity_high`,
    `words`; a rule without numbers shows its words alone.
    """
    down = _down(rows["label"].to_list())
    known = rows.drop_nulls(["share_flagged", "sensitivity"])
    layers = [
        _row_lines(known, down),
        layer(
            known.select("label", "sensitivity_low", "sensitivity_high"),
            {"type": "rule", "color": MUTED, "strokeWidth": 2},
            x=_share("sensitivity_low"),
            x2={"field": "sensitivity_high"},
            y=down,
        ),
        _dots(known, "share_flagged", down, shape="square", filled=False),
        _dots(known, "sensitivity", down, shape="circle", filled=True),
        *_without(rows.filter(pl.col("sensitivity").is_null()), down),
    ]
    return chart_of(layers, ROW_PIXELS * max(1, len(rows)))


def found_words(rows: pl.DataFrame) -> str:
    """Return that chart in words."""
    return "Share of cases flagged, and share found of those that ended so. " + _listed(rows)


def auc_chart(rows: pl.DataFrame) -> Chart:
    """Return for each rule how well it tells cases apart, with its interval.

    `rows` has `label`, `auc`, `auc_low`, `auc_high`, `words`.
    """
    down = _down(rows["label"].to_list())
    known = rows.drop_nulls("auc")
    layers = [
        _row_lines(known, down),
        layer(
            [{"auc": CHANCE}],
            {"type": "rule", "color": MUTED, "strokeDash": [4, 3], "strokeWidth": 1.2},
            x=_auc("auc"),
        ),
        layer(
            known.drop_nulls("auc_low").select("label", "auc_low", "auc_high"),
            {"type": "rule", "color": MUTED, "strokeWidth": 2},
            x=_auc("auc_low"),
            x2={"field": "auc_high"},
            y=down,
        ),
        layer(
            known.select("label", "auc", "words"),
            {"type": "point", "shape": "circle", "filled": True, "color": INK, "size": 60},
            x=_auc("auc"),
            y=down,
            tooltip=[name_of("label"), name_of("words")],
        ),
        *_without(rows.filter(pl.col("auc").is_null()), down),
    ]
    return chart_of(layers, ROW_PIXELS * max(1, len(rows)))


def auc_words(rows: pl.DataFrame) -> str:
    """Return that chart in words."""
    return "AUC of each rule; one half is no better than chance. " + _listed(rows)


def by_moment_chart(rows: pl.DataFrame, labels: Sequence[str], unit: str) -> Chart:
    """Return the AUC of up to three rules over the moments at which they were asked.

    `rows` has `label`, `at`, `auc`, `auc_low`, `auc_high`; `unit` names the axis.
    """
    known = rows.drop_nulls("auc").sort("label", "at")
    ticks = known["at"].unique().sort().to_list()
    across = quantity(
        "at",
        title=unit,
        scale={"nice": False, "zero": False, "padding": 8},
        axis={"values": ticks, "format": "d", "grid": False},
    )
    layers: list[Part] = [level_line(CHANCE, [4, 3])]
    ends = []
    for label, (shape, colour, filled) in zip(labels, _LOOKS, strict=False):
        own = known.filter(pl.col("label") == label)
        if own.is_empty():
            continue
        layers += [
            layer(
                own.drop_nulls("auc_low").select("at", "auc_low", "auc_high"),
                {"type": "rule", "color": LINE, "strokeWidth": 2},
                x=across,
                y=_auc("auc_low"),
                y2={"field": "auc_high"},
            ),
            layer(
                own.select("at", "auc"),
                {"type": "line", "color": colour, "strokeWidth": 1.5},
                x=across,
                y=_auc("auc"),
            ),
            layer(
                own.select("at", "auc"),
                {"type": "point", "shape": shape, "filled": filled, "color": colour, "size": 55},
                x=across,
                y=_auc("auc"),
            ),
        ]
        ends.append(LineEnd(text=label, value=own["auc"][-1], colour=colour))
    placed = spread(ends, lowest=_AUC_FROM, highest=_AUC_TO, height=SQUARE_PIXELS)
    return chart_of([*layers, *end_labels(placed)], SQUARE_PIXELS)


def by_moment_words(rows: pl.DataFrame, labels: Sequence[str], unit: str) -> str:
    """Return that chart in words."""
    said = []
    for label in labels:
        own = rows.filter(pl.col("label") == label).drop_nulls("auc").sort("at")
        values = ", ".join(f"{auc:.2f} at {at}" for at, auc in own.select("at", "auc").rows())
        said.append(f"{label}: {values or 'no figure'}")
    return f"AUC by {unit}. " + "; ".join(said) + "."


def calibration_chart(rows: pl.DataFrame, labels: Sequence[str]) -> Chart:
    """Return what was predicted against what came; on the broken line both are alike.

    `rows` has `label`, `mean_probability`, `share_bad`, `share_low`, `share_high`.
    """
    known = rows.drop_nulls(["mean_probability", "share_bad"])
    layers = [
        layer(
            [{"mean_probability": 0.0, "share_bad": 0.0}, {"mean_probability": 1, "share_bad": 1}],
            {"type": "line", "color": MUTED, "strokeDash": [4, 3], "strokeWidth": 1.2},
            x=_predicted(),
            y=_came("share_bad"),
        )
    ]
    for label, (_, colour, _) in zip(labels, _LOOKS[1:], strict=False):
        own = known.filter(pl.col("label") == label)
        is_first = label == labels[0]
        layers += [
            layer(
                own.select("mean_probability", "share_low", "share_high"),
                {"type": "rule", "color": colour if is_first else LINE, "strokeWidth": 1.2},
                x=_predicted(),
                y=_came("share_low"),
                y2={"field": "share_high"},
            ),
            layer(
                own.select("mean_probability", "share_bad"),
                {
                    "type": "point",
                    "shape": "circle" if is_first else "diamond",
                    "filled": is_first,
                    "color": colour,
                    "size": 65,
                },
                x=_predicted(),
                y=_came("share_bad"),
            ),
        ]
    return chart_of(layers, SQUARE_PIXELS)


def calibration_words(rows: pl.DataFrame, labels: Sequence[str]) -> str:
    """Return that chart in words."""
    said = []
    for label in labels:
        own = rows.filter(pl.col("label") == label).drop_nulls(["mean_probability", "share_bad"])
        values = ", ".join(
            f"{percent(predicted)} predicted, {percent(came)} came"
            for predicted, came in own.select("mean_probability", "share_bad").rows()
        )
        said.append(f"{label}: {values or 'no figure'}")
    return "Predicted chance against what came of the cases. " + "; ".join(said) + "."


def _listed(rows: pl.DataFrame) -> str:
    return "; ".join(f"{label}: {words}" for label, words in rows.select("label", "words").rows())


def _down(labels: Sequence[str]) -> Part:
    return name_of(
        "label",
        title=None,
        sort=list(labels),
        scale={"domain": list(labels)},
        axis={"labelLimit": 150, "domain": False, "ticks": False, "minExtent": 120},
    )


def _row_lines(rows: pl.DataFrame, down: Part) -> Part:
    mark = {"type": "rule", "color": LINE, "strokeWidth": 1}
    return layer(rows.select("label"), mark, y=down, x={"value": 0}, x2={"value": "width"})


def _dots(rows: pl.DataFrame, name: str, down: Part, *, shape: str, filled: bool) -> Part:
    mark = {"type": "point", "shape": shape, "filled": filled, "color": INK, "size": 70}
    return layer(
        rows.select("label", name, "words"),
        mark | {"opacity": 1},
        x=_share(name),
        y=down,
        tooltip=[name_of("label"), name_of("words")],
    )


def _without(rows: pl.DataFrame, down: Part) -> list[Part]:
    if rows.is_empty():
        return []
    mark = {"type": "text", "align": "left", "color": MUTED, "fontSize": 12, "dx": 4}
    return [
        layer(rows.select("label", "words"), mark, x={"value": 0}, y=down, text=name_of("words"))
    ]


def _share(name: str) -> Part:
    return quantity(name, title=None, scale={"domain": [0, 1]}, axis=_PERCENT)


def _auc(name: str) -> Part:
    scale = {"domain": [_AUC_FROM, _AUC_TO], "nice": False, "zero": False}
    return quantity(name, title=None, scale=scale, axis={"values": [0.5, 0.6, 0.7, 0.8, 0.9, 1]})


def _predicted() -> Part:
    return quantity("mean_probability", title="predicted", scale={"domain": [0, 1]}, axis=_PERCENT)


def _came(name: str) -> Part:
    return quantity(name, title=None, scale={"domain": [0, 1]}, axis=_PERCENT)
