"""How is one figure of the practice told: a sentence, benchmarks, charts, numbers, how computed?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from dashboard.chart_trend import funnel_chart, trend_chart, trend_words
from dashboard.figures import ALL, Figure, hidden, percent, sentence
from dashboard.trend_reading import FIRST_YEAR_NOTE, interval_words, period_words
from dashboard.words import plain, small
from data_contracts.benchmarks import Benchmark, benchmarks_of
from data_contracts.suppression import suppression_rule

WHOLE_PRACTICE = "whole practice"
ABOVE, BELOW = "above the practice's share", "below the practice's share"
# Rows of one figure: `group` (a period, site or group of people) and the published numbers.


def show_figure(
    figure: Figure,
    whole: dict[str, Any] | None,
    parts: dict[str, pl.DataFrame],
    preset: str,
    early: Sequence[str] = (),
) -> None:
    """Draw one figure: the words first, then a chart for each of the parts, then the numbers.

    `parts` holds, by title ("by site"), rows with `label` and the published numbers; `early` are
    the periods of the first year of data.
    """
    st.header(figure.title, anchor=False)
    if whole is None:
        st.markdown(f"Of {plain(figure.denominator)}, how many {plain(figure.counts)}:")
    else:
        st.markdown(plain(sentence(figure, whole, preset)))
    show_benchmarks(figure.name)
    tables = []
    for column, (grouping, rows) in zip(
        st.columns(max(1, len(parts)), gap="medium"), parts.items(), strict=False
    ):
        with column:
            tables.append(_chart(figure, grouping, rows, preset, early))
    with st.container(horizontal=True):
        with st.popover("In numbers", type="tertiary"):
            for table in tables:
                if len(table):
                    st.table(table, border="horizontal", hide_index=True)
            st.markdown(small(plain(f"Interval: Wilson, 95 %. Small numbers: {hidden(preset)}.")))
        how_computed(figure, preset)


def how_computed(figure: Figure, preset: str) -> None:
    """Offer how a figure is computed, and where its numbers come from."""
    rule = suppression_rule(preset)
    said = [
        f"{figure.counts} / {figure.denominator}, by the day of {figure.dated_by}.",
        figure.computed,
        f"Source: {figure.source}" if figure.source else "",
        "The interval is Wilson's (1927), 95 %, from the rounded counts.",
        f"Small numbers: {rule.source}.",
    ]
    with st.popover("How is this computed?", type="tertiary"):
        st.markdown("\n".join(f"- {small(plain(line))}" for line in said if line))


def show_benchmarks(figure: str) -> None:
    """Say what others have published, and how it differs; never better or worse."""
    found = benchmarks_of(figure)
    if not found:
        return
    st.markdown("  \n".join(small(plain(benchmark_words(each))) for each in found))
    show_differences(found)


def show_differences(found: Sequence[Benchmark]) -> None:
    """Offer how the definitions and people of published figures differ."""
    with st.popover("What differs there?", type="tertiary"):
        st.markdown(
            "\n".join(
                f"- **{plain(each.name)}** ({plain(each.population)}): {plain(each.differs)} "
                + small(plain(f"Source: {each.source}."))
                for each in found
            )
        )
        st.markdown(small("Benchmarks show the order of size. They are no target and no verdict."))


def benchmark_words(benchmark: Benchmark) -> str:
    """Return a benchmark in words."""
    return f"Beside it: {benchmark.name}: {benchmark.share} ({benchmark.origin})"


def show_funnel(figure: Figure, rows: pl.DataFrame) -> None:
    """Draw the sites of one figure within the limits of chance, in alphabetical order."""
    st.header(figure.title, anchor=False)
    labelled = rows.sort("site_id").with_columns(
        label=pl.col("site_id"),
        words=pl.Series([funnel_words(row) for row in rows.sort("site_id").to_dicts()]),
        side=pl.when(pl.col("rate") > pl.col("practice_rate"))
        .then(pl.lit(ABOVE))
        .otherwise(pl.lit(BELOW)),
    )
    outside = labelled.filter(pl.col("place") != "inside").with_columns(
        sided=pl.format("{} ({})", "label", "side")
    )
    share = percent(labelled["practice_rate"][0])
    st.markdown(
        plain(
            f"{share} of the whole practice's {figure.denominator} {figure.counts}. "
            + (
                "Every site lies where chance alone would let it."
                if outside.is_empty()
                else f"Outside the limits that 95 in 100 sites would keep by chance: "
                f"{', '.join(outside['sided'])}. That is a question, not an answer: who comes to a "
                "site differs."
            )
        )
    )
    st.vega_lite_chart(
        funnel_chart(labelled).to_dict(),
        theme=None,
        alt=trend_words(f"{figure.title}, by site, with the limits of chance", labelled),
        key=f"funnel_{figure.name}",
    )
    with st.container(horizontal=True):
        with st.popover("In numbers", type="tertiary"):
            st.table(
                labelled.select(
                    pl.col("label").alias("Site"), pl.col("words").alias("Share and limits")
                ),
                border="horizontal",
                hide_index=True,
            )
        with st.popover("How is this computed?", type="tertiary"):
            st.markdown("\n".join(f"- {small(plain(line))}" for line in FUNNEL_WORDS))


FUNNEL_WORDS = (
    "Broken line: share of the whole practice. Dark band: 95 in 100 sites of this size would lie "
    "in it by chance alone; light band: 998 in 1,000.",
    "Limits: share +- 1.96 or 3.09 times the root of share (1 - share) / n; Spiegelhalter 2005 "
    "(recalled, not read). From the rounded counts.",
    "Nothing is adjusted for how cases began, and one site in twenty lies outside the dark band by "
    "chance. Sites whose number is hidden are not drawn. Alphabetical: no rank.",
)


def funnel_words(row: dict[str, Any]) -> str:
    """Return a site's share and where it lies, in words."""
    side = ABOVE if row["rate"] > row["practice_rate"] else BELOW
    limits = f"{percent(row['low_95'])} to {percent(row['high_95'])}"
    place = {
        "inside": "within the limits of chance",
        "beyond 95 %": f"beyond the 95 % limits, {side}",
        "beyond 99.8 %": f"beyond the 99.8 % limits, {side}",
    }[row["place"]]
    return f"{percent(row['rate'])}, n = {row['denominator']:,}: {place} ({limits})"


def first_improvement_words(rows: Sequence[dict[str, Any]], preset: str) -> str:
    """Return by when half had a first clear improvement, as far as the rounded counts tell."""
    blur = (suppression_rule(preset).round_to - 1) // 2
    at_least, fewer = [], []
    known = sorted(
        (int(row["figure"].removeprefix("improved_by_")), row["numerator"], row["denominator"])
        for row in rows
        if row["rate"] is not None
    )
    if not known:
        return "By when half had a first clear improvement cannot be said: the numbers are hidden."
    for mark, part, whole in known:
        if 2 * (part - blur) >= whole + blur:
            at_least.append(mark)
        elif 2 * (part + blur * (part > 0)) < whole - blur:
            fewer.append(mark)
    of = "of the ended cases with a first and a last score had a first clear improvement by session"
    if at_least:
        return f"At least half {of} {at_least[0]}."
    between = [mark for mark, _, _ in known if mark not in fewer]
    if between:
        return f"About half {of} {between[0]}: the rounded counts leave a few more or less open."
    return f"Fewer than half {of} {fewer[-1]}."


def _chart(
    figure: Figure, grouping: str, rows: pl.DataFrame, preset: str, early: Sequence[str]
) -> pl.DataFrame:
    st.markdown(f"**{plain(grouping[:1].upper() + grouping[1:])}**")
    if rows.is_empty():
        st.markdown(small("Nothing to show: the practice sends no practice day or no such code."))
        return pl.DataFrame()
    labelled = rows.with_columns(
        words=pl.Series(
            [period_words(row, preset, early) for row in rows.to_dicts()], dtype=pl.String
        )
    )
    title = f"{figure.title}, {grouping}"
    st.vega_lite_chart(
        trend_chart(labelled, labelled["label"].to_list()).to_dict(),
        theme=None,
        alt=trend_words(title, labelled),
        key=f"trend_{title}",
    )
    for kind in ("quarter", "month"):
        if grouping.startswith(f"by {kind}"):
            st.markdown(small(plain(interval_words(labelled, kind))))
    if labelled["label"].is_in(early).any():
        st.markdown(small(plain(FIRST_YEAR_NOTE)))
    return labelled.select(pl.col("label").alias("Of"), pl.col("words").alias("Share"))


def labelled_by(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return rows with their label, the whole practice first, then in alphabetical order."""
    return (
        rows.with_columns(label=pl.col(column).replace({ALL: WHOLE_PRACTICE}))
        .with_columns(is_part=pl.col("label") != WHOLE_PRACTICE)
        .sort("is_part", "label")
        .drop("is_part")
    )
