"""What can be taken out of the trends?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from dashboard.download_buttons import Export, show_downloads
from dashboard.downloads import CSV, EXCEL, Sheet, as_csv, as_excel
from dashboard.origin import HOW_COUNTS, origin_of
from dashboard.pdf_pages import PDF
from dashboard.practice_report import report_pdf
from dashboard.visit import Visit


def show_trend_downloads(
    visit: Visit,
    trends: pl.DataFrame,
    official: pl.DataFrame,
    *,
    more: Sequence[Sheet] = (),
) -> None:
    """Draw the ways to take the trends out: the report for a funder, and the counts.

    `official` are England's official outcomes; `more` are further tables of the screen, after
    suppression.
    """
    preset = visit.settings.publishing.suppression
    report = partial(
        report_pdf,
        trends,
        official,
        origin_of(visit, "Practice report", HOW_COUNTS, counts_people=True),
        preset,
    )
    counts = [counts_sheet("Trends", trends), *more]
    origin = origin_of(visit, "Practice trends", HOW_COUNTS, counts_people=True)
    files = [
        ("Report for a funder", "report.pdf", PDF, report),
        ("Counts as CSV", "trends.csv", CSV, partial(as_csv, counts[0])),
        ("Counts as Excel", "trends.xlsx", EXCEL, partial(as_excel, counts, origin)),
    ]
    show_downloads(
        visit,
        [
            Export(
                kind="aggregates",
                label=label,
                file_name=f"unstuck-{visit.snapshot.run_id}-{ending}",
                mime=mime,
                what=ending,
                make=make,
            )
            for label, ending, mime, make in files
        ],
    )


def counts_sheet(name: str, rows: pl.DataFrame) -> Sheet:
    """Return a table of counts after suppression; where a cell is hidden it says so, and no more.

    Not how small: a larger count or a 0 may be hidden for another's sake (Origin says so once).
    """
    words = [
        "hidden" if is_suppressed else "not applicable"
        for is_suppressed in rows["is_suppressed"].to_list()
    ]
    return Sheet(name=name, rows=rows, instead_of_null=words)
