"""Which charts does a case have, on one time axis?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from dashboard.case_words import event_marks, flag_line
from dashboard.chart_alliance import alliance_chart, alliance_words
from dashboard.chart_course import HEIGHT, SMALL_HEIGHT, Scale, course_chart, course_words
from dashboard.chart_layers import Chart
from dashboard.reading import CaseRecord
from dashboard.time_axis import TimeAxis, time_axis, unbroken_runs
from dashboard.words import number, plain


@dataclass(frozen=True, kw_only=True)
class CaseChart:
    """A chart of a case: which measure by whom, on which scale, and the chart in words."""

    key: str
    name: str
    scale: str
    chart: Chart
    words: str


def show_charts(record: CaseRecord, pair_days: int) -> None:
    """Draw the leading measure large, the alliance under it, then every other measure small."""
    charts = case_charts(record, pair_days)
    if not charts:
        st.info("Nothing was measured in this case yet.")
    for found in charts:
        st.markdown(f"**{plain(found.name)}** :gray[{plain(found.scale)}]")
        specification = found.chart.to_dict()
        st.vega_lite_chart(specification, theme=None, alt=found.words, key=found.key)


def case_charts(record: CaseRecord, pair_days: int) -> list[CaseChart]:
    """Return the charts of a case in their order; none where nothing was measured."""
    # The alliance has a table and a chart of its own.
    known = record.measures.filter((pl.col("subscale") == "total") & (pl.col("role") != "alliance"))
    totals = record.course.filter(
        (pl.col("subscale") == "total") & pl.col("measure_id").is_in(known["measure_id"].to_list())
    )
    if totals.is_empty() and record.alliance.is_empty():
        return []
    axis = time_axis(totals, record.alliance)
    primary = record.case["primary_measure_id"]
    keys = totals.select("measure_id", "rater").unique(maintain_order=True).rows()
    ordered = sorted(keys, key=lambda key: (key[0] != primary, key))
    return [
        *(_course(record, key, axis, pair_days, is_first=True) for key in ordered[:1]),
        *(
            _alliance(record, measure_id, axis, pair_days)
            for measure_id in record.alliance["measure_id"].unique().sort()
        ),
        *(_course(record, key, axis, pair_days, is_first=False) for key in ordered[1:]),
    ]


def joined(
    points: pl.DataFrame, axis: TimeAxis, record: CaseRecord, pair_days: int
) -> pl.DataFrame:
    """Add `time` and `run` to points, sorted by time."""
    timed = axis.times(points).drop_nulls("time").sort("time")
    attended = record.sessions.filter("attended")["session"].to_list()
    runs = unbroken_runs(timed["time"].to_list(), axis, attended=attended, pair_days=pair_days)
    return timed.with_columns(run=pl.Series(runs, dtype=pl.Int64))


def scale_of(record: CaseRecord, measure_id: str, points: pl.DataFrame) -> Scale:
    """Return a measure's range and lines."""
    found = _measure(record, measure_id)
    clear_changes = points["clear_change_at"].drop_nulls()
    clear_change = clear_changes[-1] if len(clear_changes) else None
    return Scale(
        name=found["name"],
        lowest=found["minimum"],
        highest=found["maximum"],
        cutoff=found["cutoff"],
        clear_change=clear_change,
    )


def _course(
    record: CaseRecord, key: tuple[str, str], axis: TimeAxis, pair_days: int, *, is_first: bool
) -> CaseChart:
    measure_id, rater = key
    rows = record.course.filter(
        (pl.col("measure_id") == measure_id)
        & (pl.col("rater") == rater)
        & (pl.col("subscale") == "total")
    )
    points = joined(rows, axis, record, pair_days)
    scale = scale_of(record, measure_id, points)
    flag = flag_line(record, axis) if is_first else None
    events = event_marks(record, measure_id, axis)
    return CaseChart(
        key=f"course_{measure_id}_{rater}",
        name=scale.name,
        scale=_scale_words(record, measure_id, rater),
        chart=course_chart(
            points,
            scale,
            axis,
            flag=flag,
            events=events,
            height=HEIGHT if is_first else SMALL_HEIGHT,
        ),
        words=course_words(points, scale, axis, flag, events),
    )


def _alliance(record: CaseRecord, measure_id: str, axis: TimeAxis, pair_days: int) -> CaseChart:
    rows = record.alliance.filter(pl.col("measure_id") == measure_id)
    points = joined(rows, axis, record, pair_days)
    found = _measure(record, measure_id)
    concern = found["concern_line"]
    return CaseChart(
        key=f"alliance_{measure_id}",
        name=found["name"],
        scale=_scale_words(record, measure_id, "client"),
        chart=alliance_chart(
            points, found["name"], found["minimum"], found["maximum"], concern, axis
        ),
        words=alliance_words(points, found["name"], concern, axis),
    )


def _scale_words(record: CaseRecord, measure_id: str, rater: str) -> str:
    found = _measure(record, measure_id)
    span = f"{number(found['minimum'])} to {number(found['maximum'])}"
    return f"{found['role']} by {rater}, {span}, higher is {found['higher_is']}"


def _measure(record: CaseRecord, measure_id: str) -> dict[str, Any]:
    rows = record.measures.filter(
        (pl.col("measure_id") == measure_id) & (pl.col("subscale") == "total")
    )
    return rows.to_dicts()[0]
