"""What came in, what was set aside, and why?"""

from __future__ import annotations

from functools import partial

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.chart_trend import trend_chart, trend_words
from dashboard.download_buttons import Export, show_downloads
from dashboard.downloads import CSV, EXCEL, Sheet, as_csv, as_excel
from dashboard.figures import ALL, COMPLETENESS, figure_named, rate_words, sentence
from dashboard.origin import origin_of
from dashboard.scope import OutsideScopeError
from dashboard.visit import Visit
from dashboard.words import counted, moment, plain, small

FILES_SHOWN = 30
WHOLE_PRACTICE = "whole practice"
HOW = (
    "Every row of every file is held against the rules of its table. A row that breaks one is set "
    "aside with the rule, its line and its column, never its value; a warning keeps the row. A "
    "file that may identify people, or whose lines cannot be told apart, is refused as a whole. "
    "Completeness is attended sessions with a score of all attended sessions."
)


def show(visit: Visit) -> None:
    """Draw what came in, what was set aside and why, and how complete measurement is."""
    visit.title("Data quality")
    if visit.scope.role == "supervisor":
        message = "Data quality is shown to analysts and managers. Choose that role to see it."
        raise OutsideScopeError(message)
    with st.spinner("Reading the ledger of the night ..."):
        files = reading.files(visit.snapshot, visit.scope)
        aside = reading.quarantine(visit.snapshot, visit.scope)
        trends = reading.trends(visit.snapshot, visit.scope)
    st.markdown(small(f"State of {moment(visit.snapshot.published_at)}"))
    _files(files)
    _aside(aside)
    _completeness(visit, trends)
    _downloads(visit, files, aside)
    with st.popover("How is this computed?", type="tertiary"):
        st.markdown(HOW)
        st.markdown(small("Steps and rules: docs/how_a_flag_is_made.md."))


def _files(files: pl.DataFrame) -> None:
    st.header("Files", anchor=False)
    if files.is_empty():
        st.info("No file has come in yet. Files appear here with the first night that reads any.")
        return
    refused = files.filter(pl.col("state") == "refused")
    st.markdown(
        f"{counted(len(files), 'file')} came in, {len(refused)} refused as a whole. Rows that "
        "landed are in force, set aside, said nothing new, were replaced by a later row or taken "
        "back by the practice: nothing else happens to a row, and every run checks the sum."
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
            pl.col("duplicate").alias("Nothing new"),
            pl.col("superseded").alias("Replaced later"),
            pl.col("withdrawn").alias("Taken back"),
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
    st.vega_lite_chart(
        trend_chart(labelled, order).to_dict(),
        theme=None,
        alt=trend_words(figure.title, labelled),
        key="completeness",
    )


def _downloads(visit: Visit, files: pl.DataFrame, aside: pl.DataFrame) -> None:
    sheets = [Sheet(name="Set aside", rows=aside), Sheet(name="Files", rows=files)]
    origin = origin_of(visit, "Data quality: files, and what was set aside", HOW)
    name = f"unstuck-data-quality-{visit.snapshot.run_id}"
    files_out = [
        ("All as Excel", f"{name}.xlsx", EXCEL, partial(as_excel, sheets, origin)),
        ("Set aside as CSV", f"{name}-set-aside.csv", CSV, partial(as_csv, sheets[0])),
        ("Files as CSV", f"{name}-files.csv", CSV, partial(as_csv, sheets[1])),
    ]
    show_downloads(
        visit,
        [
            Export(
                kind="runs",
                label=label,
                file_name=file_name,
                mime=mime,
                what=f"data quality: {label}",
                make=make,
            )
            for label, file_name, mime, make in files_out
        ],
    )
