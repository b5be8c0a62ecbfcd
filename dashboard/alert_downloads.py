"""What can be taken out of the Alert quality screen?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from dashboard.chart_pictures import PNG, Picture, as_png
from dashboard.download_buttons import Export, show_downloads
from dashboard.downloads import CSV, EXCEL, Sheet, as_csv, as_excel
from dashboard.origin import origin_of
from dashboard.reading_evidence import Asked, Evidence
from dashboard.visit import Visit

HOW_TESTED = (
    "How it is computed: past cases of this practice are replayed with what was known then "
    "(docs/backtest.md); small counts hidden, the others rounded; shares and their 95 % intervals "
    "(Wilson) come from the rounded counts, other intervals from a bootstrap by client."
)


def show_alert_downloads(
    visit: Visit,
    evidence: Evidence,
    asked: Asked,
    about: str,
    *,
    tables: Sequence[tuple[str, pl.DataFrame]],
    pictures: Sequence[Picture],
) -> None:
    """Draw the ways to take the evidence on one measure and end out.

    `about` names both in words; `tables` begin with the figures.
    """
    origin = origin_of(visit, f"Alert quality: {about}", HOW_TESTED, counts_people=True)
    sheets = [_sheet(name, rows) for name, rows in tables]
    remarks = [f"Asked at {asked.landmark.replace('_', ' ')}. Evidence {evidence.evidence_id}."]
    files = [
        ("Figures as CSV", "alert-quality.csv", CSV, partial(as_csv, sheets[0])),
        ("Everything as Excel", "alert-quality.xlsx", EXCEL, partial(as_excel, sheets, origin)),
        ("Charts as PNG", "alert-quality.png", PNG, partial(as_png, pictures, origin, remarks)),
    ]
    show_downloads(
        visit,
        [
            Export(
                kind="aggregates",
                label=label,
                file_name=f"unstuck-{evidence.evidence_id}-{asked.outcome}-{ending}",
                mime=mime,
                what=f"{asked.measure_id} {asked.outcome} {ending}",
                make=make,
            )
            for label, ending, mime, make in files
        ],
    )


def _sheet(name: str, rows: pl.DataFrame) -> Sheet:
    if "is_suppressed" not in rows.columns:
        return Sheet(name=name, rows=rows)
    words = ["hidden" if is_hidden else "no figure" for is_hidden in rows["is_suppressed"]]
    return Sheet(name=name, rows=rows, instead_of_null=words)
