"""How many recovered, improved, deteriorated by England's official rule?"""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboard.chart_trend import trend_chart, trend_words
from dashboard.figures import IN_TIME
from dashboard.trend_blocks import benchmark_words, show_differences
from dashboard.words import plain, small
from data_contracts.benchmarks import OFFICIAL, benchmarks_of
from data_contracts.talking_therapies_words import (
    FIGURES_IN_ORDER,
    SECTION,
    category_words,
    figure_sentence,
    figure_title,
    rule_in_words,
    share_with_counts,
)
from data_contracts.wording import sentence

ALL = "all"
WHOLE_PRACTICE = "whole practice"
QUARTERS_SHOWN = 8
CHARTED = FIGURES_IN_ORDER[:4]
_REASONS = ("not_finished", "not_paired", "anxiety_measure")


def show_official(outcomes: pl.DataFrame, preset: str) -> None:
    """Draw the official outcomes from published counts only; `outcomes` is the whole table."""
    st.header(sentence(SECTION, "title"), anchor="talking-therapies")
    if outcomes.is_empty():
        st.info(sentence(SECTION, "nothing"))
        return
    st.markdown(small(plain(rule_in_words(preset)[0])))
    whole = outcomes.filter((pl.col("period") == ALL) & (pl.col("category") == ALL))
    by_figure = {row["figure"]: row for row in whole.to_dicts()}
    st.markdown(
        "\n".join(
            f"- **{plain(figure_title(figure))}:** "
            + plain(figure_sentence(by_figure[figure], preset))
            + "".join(
                f"  \n  {small(plain(benchmark_words(each)))}"
                for each in benchmarks_of(OFFICIAL + figure)
            )
            for figure in FIGURES_IN_ORDER
            if figure in by_figure
        )
    )
    show_differences(
        [each for figure in FIGURES_IN_ORDER for each in benchmarks_of(OFFICIAL + figure)]
    )
    tables = _charts(outcomes, preset)
    _not_in_the_figures(outcomes, preset)
    with st.popover("Talking Therapies in numbers", type="tertiary"):
        for figure, table in tables.items():
            st.markdown(f"**{plain(figure_title(figure))}**")
            st.table(table, border="horizontal", hide_index=True)
    with st.popover("How are they computed?", type="tertiary"):
        st.markdown("\n".join(f"- {small(plain(line))}" for line in rule_in_words(preset)))


def _charts(outcomes: pl.DataFrame, preset: str) -> dict[str, pl.DataFrame]:
    """Draw two figures a row, by quarter; return each in numbers."""
    tables = {}
    for first in range(0, len(CHARTED), 2):
        beside = st.columns(2, gap="medium")
        for column, figure in zip(beside, CHARTED[first : first + 2], strict=False):
            with column:
                tables[figure] = _chart(outcomes, figure, preset)
    return tables


def _chart(outcomes: pl.DataFrame, figure: str, preset: str) -> pl.DataFrame:
    rows = outcomes.filter((pl.col("figure") == figure) & (pl.col("category") == ALL))
    quarters = rows.filter(pl.col("period") != ALL).sort(IN_TIME).tail(QUARTERS_SHOWN)
    labelled = pl.concat([rows.filter(pl.col("period") == ALL), quarters])
    labelled = labelled.with_columns(
        label=pl.col("period").replace({ALL: WHOLE_PRACTICE}),
        words=pl.Series(
            [share_with_counts(row, preset) for row in labelled.to_dicts()], dtype=pl.String
        ),
    )
    title = figure_title(figure)
    st.markdown(f"**{plain(title)}**" + ("" if len(quarters) else ", whole practice only"))
    st.vega_lite_chart(
        trend_chart(labelled, labelled["label"].to_list()).to_dict(),
        theme=None,
        alt=trend_words(f"{title}, by quarter of the end", labelled),
        key=f"official_{figure}",
    )
    return labelled.select(pl.col("label").alias("Of"), pl.col("words").alias("Share"))


def _not_in_the_figures(outcomes: pl.DataFrame, preset: str) -> None:
    """Say how many are not finished or not paired, and what the pairs are of."""
    lines, hidden = [], []
    for figure in _REASONS:
        for row in outcomes.filter(pl.col("figure") == figure).to_dicts():
            if not row["is_suppressed"]:
                lines.append(f"{row['numerator']:,} cases: {category_words(row)}")
            elif figure != "anxiety_measure":
                hidden.append(category_words(row))
    measures = outcomes.filter(pl.col("figure") == "anxiety_measure")
    if measures["is_suppressed"].any():
        hidden.append(sentence(SECTION, "reason.other_measures"))
    st.markdown("**Who is not in which figure, and which pairs there are**")
    if lines:
        st.markdown("  \n".join(plain(line) for line in lines))
    if hidden:
        few = share_with_counts({"is_suppressed": True}, preset)
        st.markdown(small(plain(f"{few.capitalize()}: {'; '.join(hidden)}.")))
