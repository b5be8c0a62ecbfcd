"""What came in, what was set aside, and why?"""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.chart_trend import trend_chart, trend_words
from dashboard.figures import ALL, COMPLETENESS, figure_named, rate_words, sentence
from dashboard.scope import OutsideScopeError
from dashboard.visit import Visit
from dashboard.words import counted, moment, plain, small

FILES_SHOWN = 30
RUNS_SHOWN = 10
WHOLE_PRACTICE = "whole practice"


def show(visit: Visit) -> None:
    """Draw what the runs read, set aside and published."""
    visit.title("Data quality")
    if visit.scope.role == "supervisor":
        message = "Data quality is shown to analysts and managers. Choose that role to see it."
        raise OutsideScopeError(message)
    with st.spinner("Reading the ledger of the night ..."):
        files = reading.files(visit.snapshot, visit.scope)
        aside = reading.quarantine(visit.snapshot, visit.scope)
        counts = reading.run_counts(visit.snapshot, visit.scope)
        runs = reading.runs(visit.snapshot, visit.scope)
        trends = reading.trends(visit.snapshot, visit.scope)
    st.markdown(small(f"State of {moment(visit.snapshot.published_at)}"))
    _files(files)
    _aside(aside)
    _completeness(visit, trends)
    _runs(runs, counts, visit.snapshot.run_id)


def _files(files: pl.DataFrame) -> None:
    st.header("Files", anchor=False)
    if files.is_empty():
        st.info("No file has come in yet. Files appear here with the first night that reads any.")
        return
    refused = files.filter(pl.col("state") == "refused")
    st.markdown(
        f"{counted(len(files), 'file')} came in, {len(refused)} refused as a whole. Rows that "
        "landed are in force, set aside, duplicate, superseded or withdrawn: nothing else happens "
        "to a row, and every run checks the sum. A later file may supersede or withdraw a row."
    )
    for path, reason in refused.select("path", "reason").rows():
        st.markdown(f"- **{plain(path)}** was refused: {plain(reason or 'no reason was left')}")
    latest = files.head(FILES_SHOWN)
    if len(latest) < len(files):
        st.markdown(small(f"The latest {FILES_SHOWN} of {len(files)}."))
    st.table(
        latest.select(
            pl.col("path").alias("File"),
            pl.col("landed").alias("Landed"),
            pl.col("accepted").alias("In force"),
            pl.col("quarantined").alias("Set aside"),
            pl.col("duplicate").alias("Duplicate"),
            pl.col("superseded").alias("Superseded"),
            pl.col("withdrawn").alias("Withdrawn"),
            pl.col("table_name").alias("Table"),
            pl.col("state").alias("State"),
        ),
        border="horizontal",
        hide_index=True,
    )


def _aside(aside: pl.DataFrame) -> None:
    st.header("Set aside, by reason", anchor=False)
    if aside.is_empty():
        st.markdown("Nothing was set aside.")
        return
    for row in aside.to_dicts():
        where = plain(row["path"]) + (
            f", column {plain(row['column_name'])}" if row["column_name"] else ""
        )
        what = "the whole file" if row["severity"] == "file" else counted(row["row_count"], "row")
        line = f", first at line {row['first_line']}" if row["first_line"] else ""
        kind = "warning" if row["severity"] == "warning" else "set aside"
        st.markdown(f"**{plain(row['explanation'])}**  \n{where}: {what} ({kind}){line}.")
    st.markdown(small("Values are never shown: look the line up in the source."))


def _completeness(visit: Visit, trends: pl.DataFrame) -> None:
    figure = figure_named(COMPLETENESS)
    rows = trends.filter((pl.col("figure") == COMPLETENESS) & (pl.col("category") == ALL))
    rows = rows.filter(pl.col("period").is_in([ALL, "now"]))
    st.header("Completeness by site", anchor=False)
    if rows.is_empty():
        st.markdown("Cannot be said: the practice sends no sessions.")
        return
    preset = visit.settings.publishing.suppression
    for row in rows.filter(pl.col("site_id") == ALL).to_dicts():
        st.markdown(plain(sentence(figure, row, preset)))
    labelled = rows.with_columns(
        label=pl.col("site_id").replace({ALL: WHOLE_PRACTICE}),
        words=pl.Series([rate_words(row, preset) for row in rows.to_dicts()], dtype=pl.String),
    )
    order = sorted(labelled["label"], key=lambda label: (label != WHOLE_PRACTICE, label))
    st.altair_chart(
        trend_chart(labelled, order),
        theme=None,
        alt=trend_words(figure.title, labelled),
        key="completeness",
    )


def _runs(runs: pl.DataFrame, counts: pl.DataFrame, run_id: str) -> None:
    st.header("Runs", anchor=False)
    st.table(
        runs.head(RUNS_SHOWN).select(
            pl.col("run_id").alias("Run"),
            pl.col("started_at").map_elements(moment, return_dtype=pl.String).alias("Started"),
            pl.col("trigger").alias("By"),
            pl.col("state").alias("State"),
            pl.col("rule_version").alias("Rule"),
        ),
        border="horizontal",
        hide_index=True,
    )
    steps = counts.filter(pl.col("run_id") == run_id).sort("position")
    st.markdown(f"**Steps of the run on the screen** ({plain(run_id)})")
    st.table(
        steps.select(
            pl.col("step").alias("Step"),
            pl.col("rows_in").alias("In"),
            pl.col("rows_out").alias("Out"),
            pl.col("quarantined").alias("Set aside"),
            pl.col("duplicate").alias("Duplicate"),
            pl.col("superseded").alias("Superseded"),
            pl.col("withdrawn").alias("Withdrawn"),
        ),
        border="horizontal",
        hide_index=True,
    )
