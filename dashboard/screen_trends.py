"""Is the practice getting better, and can I say so?"""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.chart_trend import trend_chart, trend_words
from dashboard.figures import (
    ALL,
    NO_CALENDAR,
    NOW,
    Figure,
    hidden,
    outcome_figures,
    rate_words,
    sentence,
    status_mix,
)
from dashboard.trends_official import show_official
from dashboard.visit import Visit
from dashboard.words import moment, plain, small
from data_contracts.suppression import suppression_rule

WHOLE_PRACTICE = "whole practice"
QUARTERS_SHOWN = 8
_NO_QUARTER = [ALL, NOW, NO_CALENDAR]


def show(visit: Visit) -> None:
    """Draw the trends of the practice from published counts only."""
    visit.title("Practice trends")
    with st.spinner("Reading the published counts ..."):
        trends = reading.trends(visit.snapshot, visit.scope)
        official = reading.talking_therapies(visit.snapshot, visit.scope)
    preset = visit.settings.publishing.suppression
    rule = suppression_rule(preset)
    st.markdown(
        small(
            f"State of {moment(visit.snapshot.published_at)} · counts rounded to "
            f"{rule.round_to} · sites in alphabetical order: this is no ranking  \n"
            f"“{hidden(preset)}”: so few cases count, or do not count, or a larger number would "
            "give such a small one away. It never means none.  \n"
            "Quarters are 91 days on the practice's own clock, by the day care ended; the last "
            "may not be over."
        )
    )
    if trends.is_empty():
        st.info(
            "No figure is published yet. Figures come with the first night that finds ended cases; "
            "quarters need a practice day in the data."
        )
        return
    _mix(trends, preset)
    figures = outcome_figures(trends)
    if not figures:
        st.info("No outcome is published yet: outcomes are counted when care has ended.")
    for figure in figures:
        _figure(trends.filter(pl.col("figure") == figure.name), figure, preset)
    show_official(official, preset)


def _mix(trends: pl.DataFrame, preset: str) -> None:
    said = status_mix(trends, preset)
    if not said:
        return
    st.header("Open cases now, by status", anchor=False)
    st.markdown("  \n".join(plain(line) for line in said))
    st.markdown(small("Counts of open cases; shares of all open cases."))


def _figure(rows: pl.DataFrame, figure: Figure, preset: str) -> None:
    st.header(figure.title, anchor=False)
    rows = rows.filter(pl.col("category") == ALL)
    whole = rows.filter((pl.col("site_id") == ALL) & pl.col("period").is_in([ALL, NOW])).to_dicts()
    if whole:
        st.markdown(plain(sentence(figure, whole[0], preset)))
    else:
        st.markdown(f"Of {plain(figure.denominator)}, how many {plain(figure.counts)}:")
    by_quarter, by_site = st.columns(2, gap="medium")
    quarters = rows.filter((pl.col("site_id") == ALL) & ~pl.col("period").is_in(_NO_QUARTER))
    sites = rows.filter(pl.col("period").is_in([ALL, NOW]))
    with by_quarter:
        quarters = quarters.tail(QUARTERS_SHOWN)
        first = _chart(quarters, "period", figure, "by quarter of the end", preset)
    with by_site:
        second = _chart(sites, "site_id", figure, "by site", preset)
    with st.popover("In numbers", type="tertiary"):
        for table in (first, second):
            if len(table):
                st.table(table, border="horizontal", hide_index=True)
        st.markdown(small(plain(f"Interval: Wilson, 95 %. Small numbers: {hidden(preset)}.")))


def _chart(
    rows: pl.DataFrame, column: str, figure: Figure, grouping: str, preset: str
) -> pl.DataFrame:
    st.markdown(f"**{grouping.capitalize()}**")
    if rows.is_empty():
        st.markdown(small("Nothing to show: the practice sends no practice day or no sites."))
        return pl.DataFrame()
    title = f"{figure.title}, {grouping}"
    words = [rate_words(row, preset) for row in rows.to_dicts()]
    labelled = rows.with_columns(
        label=pl.col(column).replace({ALL: WHOLE_PRACTICE}),
        words=pl.Series(words, dtype=pl.String),
    )
    order = sorted(labelled["label"], key=lambda label: (label != WHOLE_PRACTICE, label))
    st.altair_chart(
        trend_chart(labelled, order),
        theme=None,
        alt=trend_words(title, labelled),
        key=f"trend_{title}",
    )
    return labelled.select(pl.col("label").alias("Of"), pl.col("words").alias("Share"))
