"""What stands on the sheet of one case that supervisor and therapist lay between them?"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from dashboard.case_charts import CaseChart
from dashboard.case_header import case_marks
from dashboard.case_lenses import LensLine, lens_lines, nothing_measured, opening_sentence
from dashboard.case_words import (
    ANSWERS_SHOWN,
    Block,
    case_blocks,
    heading_sentences,
    safety_answers,
    standing_of,
)
from dashboard.chart_pictures import bare_svg
from dashboard.origin import NOT_A_DIAGNOSIS, Origin
from dashboard.pdf_pages import as_pdf
from dashboard.reading import CaseRecord
from dashboard.words import counted, mark
from data_contracts.lenses import lens_contract, lens_row
from data_contracts.review_words import review_words

CHARTS_SHOWN = 2
CHART_WIDTH = 370  # pixels of the plot: printed, its labels are about 7 points
SENTENCE_LETTERS, PROTOCOL_LETTERS = 240, 300
ON_SCREEN = "… more on screen"


def sheet_pdf(
    record: CaseRecord,
    charts: Sequence[CaseChart],
    origin: Origin,
    *,
    facts: str,
    reviews: Sequence[str],
    safety_protocol: str,
) -> bytes:
    """Return the sheet: one A4 page, whatever is known of the case.

    What does not fit is set smaller, then cut, and the page says that there is more on screen.
    `facts` is known of the case beside its scores, `reviews` what was decided last.
    """
    safety = _safety(record, safety_protocol)  # known of a case without lenses, too
    return as_pdf(
        "pdf_supervision_sheet.typ",
        {
            "case": record.case["case_id"],
            "note": NOT_A_DIAGNOSIS,
            "marks": [f"{found.text} {since}".strip() for found, since in case_marks(record)],
            "facts": f"Supervision sheet · {facts}",
            "safety": safety,
            **_why(record),
            "charts": [
                {
                    "name": chart.name,
                    "scale": chart.scale,
                    "words": chart.words,
                    "svg": bare_svg(chart.chart, CHART_WIDTH),
                }
                for chart in charts[:CHARTS_SHOWN]
            ],
            "more_charts": _more(len(charts) - CHARTS_SHOWN, "measure"),
            "lenses": [_lens(line) for line in lens_lines(record)],
            "nothing_measured": _cut(nothing_measured(record)),
            "opening_title": lens_contract().words.opening_title,
            "opening": lens_row("safety_item").opening if safety else opening_sentence(record),
            "reviews": [_cut(said) for said in reviews],
            "decisions": [words.button for words in review_words().decision.values()],
        },
        origin,
    )


def _why(record: CaseRecord) -> dict[str, Any]:
    standing = standing_of(record)
    blocks = _said_once(case_blocks(record))
    several = len(blocks) > 1
    is_ahead = standing is not None and standing.code != "stale"
    return {
        "blocks": [
            {
                "heading": f"{block.heading.text} {block.since_words}".strip(),
                "sentences": [_cut(said) for said in block.sentences],
            }
            for block in blocks
        ],
        "leaves": [
            _cut(f"{block.heading.text}: {said}" if several else said)
            for block in blocks
            for said in block.leaves
        ],
        "heading": [_cut(said) for said in heading_sentences(record, standing.decided_by)]
        if standing and is_ahead
        else [],
    }


def _said_once(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks without those that only repeat sentences of one before."""
    kept: list[Block] = []
    for block in blocks:
        said = {sentence for before in kept for sentence in before.sentences}
        if not said or not said.issuperset(block.sentences):
            kept.append(block)
    return kept


def _safety(record: CaseRecord, protocol: str) -> list[dict[str, str]]:
    return [
        {
            "heading": f"{mark('safety').text} {item.name}, as answered:",
            "answers": "; ".join(item.answers[-ANSWERS_SHOWN:]) + ".",
            "protocol": shorten(protocol, PROTOCOL_LETTERS, placeholder=f" {ON_SCREEN}"),
        }
        for item in safety_answers(record)
        if item.is_flagged or item.is_above_lowest
    ]


def _lens(line: LensLine) -> dict[str, Any]:
    return {
        "name": line.lens if line.name == line.lens else f"{line.lens}: {line.name}",
        "sentence": _cut(line.sentence),
        "small": line.small,
        "questions": [_cut(question) for question in line.questions],
    }


def _cut(text: str) -> str:
    return shorten(text, SENTENCE_LETTERS, placeholder=f" {ON_SCREEN}")


def _more(number: int, what: str) -> str:
    return f"… {counted(number, f'more {what}')} on screen." if number > 0 else ""
