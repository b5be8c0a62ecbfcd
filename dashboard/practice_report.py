"""What can a practice tell a funder on one page, without giving anybody away?

From published counts only: what is hidden on the screen is hidden here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dashboard.chart_pictures import bare_svg
from dashboard.chart_trend import trend_chart, trend_words
from dashboard.figures import (
    ALL,
    DROP_OUT_MISSING,
    IN_TIME,
    NOW,
    Figure,
    figure_named,
    hidden,
    rate_words,
    sentence,
)
from dashboard.origin import Origin
from dashboard.pdf_pages import as_pdf
from dashboard.trend_reading import (
    FIRST_YEAR,
    FIRST_YEAR_NOTE,
    first_year,
    interval_words,
    period_words,
)
from data_contracts.benchmarks import OFFICIAL, benchmarks_of
from data_contracts.talking_therapies_words import SECTION, share_words
from data_contracts.wording import sentence as sentence_of

CHARTED = ("reliable_improvement", "drop_out")
LEADING = ("reliable_improvement", "reliable_recovery", "deterioration")
QUARTERS_SHOWN = 8
CHART_WIDTH = 250  # pixels of the plot
INTERVAL_NOTE = " In brackets: 95 % interval."  # said once, below
# What fits a page; all of them are on the screen.
REPORTED = (
    "reliable_improvement",
    "recovery",
    "reliable_recovery",
    "deterioration",
    "drop_out",
    "improved_by_8",
    "waiting_42",
    "attendance",
    "paired",
    "completeness",
)
OFFICIAL_APART = (
    "England's official rule asks for two measures and counts finished cases without a first and "
    "last score as not recovered; the figures above it take one measure and only cases with both."
)
NO_BENCHMARK = "no published figure to compare with"


def report_pdf(
    trends: pl.DataFrame,
    official: pl.DataFrame,
    origin: Origin,
    preset: str,
) -> bytes:
    """Return the report: one A4 page; `official` are England's official outcomes."""
    whole = {
        row["figure"]: row
        for row in trends.filter(
            (pl.col("site_id") == ALL)
            & (pl.col("category") == ALL)
            & pl.col("period").is_in([ALL, NOW])
        ).to_dicts()
    }
    shown = [figure_named(name) for name in REPORTED if name in whole]
    charts = [
        chart for name in CHARTED if (chart := _by_quarter(trends, figure_named(name), preset))
    ]
    return as_pdf(
        "pdf_practice_report.typ",
        {
            "heading": f"{origin.practice or 'This practice'}: outcomes of care",
            "facts": " · ".join(_period(trends)),
            "note": "No ranking, and no verdict on any therapist or site.",
            "summary": [
                sentence(figure, whole[figure.name], preset).removesuffix(INTERVAL_NOTE)
                for figure in shown
                if figure.name in LEADING
            ]
            or ["No outcome can be told yet: outcomes are counted when care has ended."],
            "rows": [
                {
                    "title": figure.title,
                    "counts": f"{figure.denominator}: {figure.counts}",
                    "share": rate_words(whole[figure.name], preset),
                    **_benchmark(figure.name),
                }
                for figure in shown
            ]
            + _official_recovery(official, preset),
            "charts": charts,
            "reading": [
                *([FIRST_YEAR_NOTE] if any(chart["is_early"] for chart in charts) else []),
                *([] if official.is_empty() else [OFFICIAL_APART]),
                *_how_to_read(preset, {figure.name for figure in shown}),
            ],
        },
        origin,
    )


def _period(trends: pl.DataFrame) -> Sequence[str]:
    dated = trends.filter(pl.col("period").str.starts_with("quarter"))
    quarters = dated.sort(IN_TIME)["period"].unique(maintain_order=True).to_list()
    clock = (
        f"{quarters[0]} to {quarters[-1]} of the practice's own clock (91 days each; the last may "
        "not be over)"
        if quarters
        else "quarters are not known: the practice sends no practice day"
    )
    return ("Practice report", "all care that ended so far", clock)


def _official_recovery(official: pl.DataFrame, preset: str) -> list[dict[str, str]]:
    """Return the row of recovery by England's official rule, to stand beside England's own."""
    whole = official.filter(
        (pl.col("figure") == "recovery") & (pl.col("period") == ALL) & (pl.col("category") == ALL)
    )
    return [
        {
            "title": "Recovery by England's official rule",
            "counts": ": ".join(
                sentence_of(SECTION, f"recovery.{name}") for name in ("of", "counts")
            ),
            "share": share_words(row, preset)
            + ("" if row["is_suppressed"] else f", n = {row['denominator']:,}"),
            **_benchmark(f"{OFFICIAL}recovery"),
        }
        for row in whole.to_dicts()
    ]


def _by_quarter(trends: pl.DataFrame, figure: Figure, preset: str) -> dict[str, Any] | None:
    quarters = (
        trends.filter(
            (pl.col("figure") == figure.name)
            & (pl.col("site_id") == ALL)
            & (pl.col("category") == ALL)
            & pl.col("period").str.starts_with("quarter")
        )
        .sort(IN_TIME)
        .tail(QUARTERS_SHOWN)
    )
    if quarters["rate"].null_count() == len(quarters):  # nothing to draw
        return None
    early = first_year(trends, figure)
    labelled = quarters.with_columns(label=pl.col("period"))
    labelled = labelled.with_columns(
        words=pl.Series(
            [period_words(row, preset, early) for row in labelled.to_dicts()], dtype=pl.String
        ),
    )
    title = f"{figure.title}, by quarter of the end"
    marked = labelled.filter(pl.col("label").is_in(early))["label"].to_list()
    years = f"{marked[0].capitalize()} to {marked[-1]}: {FIRST_YEAR}. " if marked else ""
    return {
        "name": title,
        "said": years + interval_words(labelled, "quarter"),
        "is_early": bool(marked),
        "svg": bare_svg(trend_chart(labelled, labelled["label"].to_list()), CHART_WIDTH),
        "words": trend_words(title, labelled),
    }


def _benchmark(figure: str) -> dict[str, str]:
    """Return the first published result beside a figure, and how its definition differs."""
    for found in benchmarks_of(figure):
        return {
            "benchmark": f"{found.name}: {found.share} ({found.origin}).",
            "differs": found.differs,
        }
    return {"benchmark": NO_BENCHMARK, "differs": ""}


def _how_to_read(preset: str, shown: set[str]) -> list[str]:
    of_sessions = (
        " Sessions of one client are alike: the intervals of sessions attended and of sessions "
        "with a score are too narrow."
        if shown & {"attendance", "completeness"}
        else ""
    )
    return [
        "In brackets: 95 % interval (Wilson). Where intervals of two quarters overlap widely, the "
        f"difference may be chance.{of_sessions}",
        f"“{hidden(preset)}”: so few people count, or a larger number would give such a small one "
        "away. Never read it as 0.",
        "Published figures come from other people, measures and definitions: they show the order "
        "of size, and are no target. R and a number: a source in the source list of unstuck.",
        "Outcome is known only of those with a first and a last score; the share with both stands "
        "in the table. Those without may have fared differently.",
        "“Clearly” means more than the measurement error of the questionnaire (reliable change).",
        *([DROP_OUT_MISSING] if shown and "drop_out" not in shown else []),
    ]
