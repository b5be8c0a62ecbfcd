"""What can be taken out of one case?"""

from __future__ import annotations

from functools import partial

from dashboard import reviews
from dashboard.case_charts import case_charts
from dashboard.case_header import case_facts
from dashboard.chart_pictures import PNG, SVG, Picture, as_png, as_svg
from dashboard.download_buttons import Export, show_downloads
from dashboard.downloads import CSV, EXCEL, Sheet, as_csv, as_excel
from dashboard.origin import HOW_STATUS, Origin, origin_of
from dashboard.pdf_pages import PDF
from dashboard.reading import CaseRecord
from dashboard.review_saving import today
from dashboard.review_sentences import decision_words, queue_review_words
from dashboard.review_state import review_state
from dashboard.supervision_sheet import sheet_pdf
from dashboard.visit import Visit
from dashboard.words import counted
from data_contracts.rule import status_rule


def show_case_downloads(visit: Visit, record: CaseRecord) -> None:
    """Draw the ways to take a case out: the sheet for supervision, its charts, its tables."""
    show_downloads(visit, case_exports(visit, record))


def case_exports(visit: Visit, record: CaseRecord) -> list[Export]:
    """Return the files of a case; each is made at its click."""
    case_id = record.case["case_id"]
    origin = origin_of(visit, f"Case {case_id}", HOW_STATUS)
    sheets = case_sheets(record)
    pair_days = status_rule(visit.settings.rule).thresholds.pair_days
    files = [
        ("Supervision sheet", "sheet.pdf", PDF, partial(_sheet, visit, record, pair_days)),
        ("Charts as PNG", "charts.png", PNG, partial(_png, record, pair_days, origin)),
        ("Charts as SVG", "charts.svg", SVG, partial(_svg, record, pair_days, origin)),
        ("Scores as CSV", "scores.csv", CSV, partial(as_csv, sheets[0])),
        ("All as Excel", "tables.xlsx", EXCEL, partial(as_excel, sheets, origin)),
    ]
    has_charts = len(record.course) or len(record.alliance)
    return [
        Export(
            kind="case",
            label=label,
            file_name=f"unstuck-{case_id}-{ending}",
            mime=mime,
            what=f"case {ending}",
            make=make,
            case_ids=(case_id,),
        )
        for label, ending, mime, make in files
        if has_charts or mime not in (PNG, SVG)
    ]


def case_sheets(record: CaseRecord) -> list[Sheet]:
    """Return the tables of a case: scores, alliance, statuses, flags, and their sentences."""
    return [
        Sheet(name="Scores", rows=record.course),
        Sheet(name="Alliance", rows=record.alliance),
        Sheet(name="Statuses", rows=record.statuses),
        Sheet(name="Flags", rows=record.flags),
        Sheet(name="Reasons", rows=record.reasons),
    ]


def _sheet(visit: Visit, record: CaseRecord, pair_days: int) -> bytes:
    case_id = record.case["case_id"]
    return sheet_pdf(
        record,
        case_charts(record, pair_days),
        origin_of(visit, f"Supervision sheet, case {case_id}", HOW_STATUS),
        facts=" · ".join(case_facts(record, visit.last_contact(record.case["days_since_contact"]))),
        reviews=_reviews(visit, case_id),
        safety_protocol=visit.settings.safety_protocol,
    )


def _reviews(visit: Visit, case_id: str) -> list[str]:
    state = review_state(reviews.history(visit.workspace, case_id), today())
    if state.latest is None:
        return ["No decision yet."]
    return [decision_words(state.latest), queue_review_words(state, today=today())]


def _pictures(record: CaseRecord, pair_days: int) -> list[Picture]:
    return [
        Picture(heading=f"{chart.name}: {chart.scale}", chart=chart.chart, words=chart.words)
        for chart in case_charts(record, pair_days)
    ]


def _remarks(record: CaseRecord) -> list[str]:
    totals = record.course["subscale"].eq("total").sum()
    ratings = counted(len(record.alliance), "alliance rating")
    return [f"n = {counted(int(totals), 'score')} and {ratings} of one case."]


def _png(record: CaseRecord, pair_days: int, origin: Origin) -> bytes:
    return as_png(_pictures(record, pair_days), origin, _remarks(record))


def _svg(record: CaseRecord, pair_days: int, origin: Origin) -> bytes:
    return as_svg(_pictures(record, pair_days), origin, _remarks(record))
