"""Pages print on one side, say what they must, run no text as markup and fetch no font."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pypdfium2
import typst

import dashboard
from dashboard import reading
from dashboard.agenda import AgendaCase, agenda_pdf
from dashboard.case_charts import case_charts
from dashboard.origin import HOW_COUNTS, HOW_STATUS, Origin
from dashboard.practice_report import REPORTED, report_pdf
from dashboard.reading import CaseRecord
from dashboard.scope import Scope
from dashboard.sparkline import sparkline, sparkline_words
from dashboard.supervision_sheet import sheet_pdf
from data_contracts.benchmarks import benchmarks_of
from data_contracts.lenses import lens_contract, lens_row
from data_contracts.places import Places

ORIGIN = Origin(
    what="Supervision sheet, case C-007",
    practice="Invented practice",
    run_id="20261123T050000Z-demo",
    rule_version="2",
    published_at=datetime(2026, 11, 23, 5, 2, tzinfo=UTC),
    is_simulated=True,
    how=HOW_STATUS,
)
COUNTS = replace(
    ORIGIN, what="Practice report", how=HOW_COUNTS, small_numbers="Counts of 1 to 7 are hidden."
)
EVERYBODY = Scope(
    role="supervisor",
    supervisor_id="S-01",
    therapist_ids=tuple(f"T-{number:03}" for number in range(1, 8)),
    sees_cases_without_therapist=True,
)
PROTOCOL = "Follow your practice's own safety protocol."
NOT_MARKUP = 'a #panic("x") *b* _c_ $x$ \\ @q <l> `r` = + - // /* */ ~ [d] {e} 1. ---'


def pages(made: bytes) -> list[str]:
    found = pypdfium2.PdfDocument(made)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in found]


def letters(text: str) -> str:
    return re.sub(r"\s+|\ufffe", "", text)


def records(practice: Places) -> list[CaseRecord]:
    snapshot = reading.current_snapshot(practice)
    queue = reading.queue(snapshot, EVERYBODY)
    first = queue.unique("kind", keep="first", maintain_order=True)["case_id"]
    return [reading.case_record(snapshot, EVERYBODY, case_id) for case_id in first]


def sheet(record: CaseRecord, **more: Any) -> bytes:
    told: dict[str, Any] = {
        "facts": "therapist T-001 · 12 sessions attended",
        "reviews": ["discussed on 2 Nov 2026; follow-up due since 16 Nov 2026"],
        "safety_protocol": PROTOCOL,
        **more,
    }
    return sheet_pdf(record, case_charts(record, 21), ORIGIN, **told)


def test_every_kind_of_case_stands_on_one_page_that_can_be_read_aloud(practice: Places) -> None:
    for record in records(practice):
        made = sheet(record)
        [text] = pages(made)
        assert f"Case {record.case['case_id']}" in text
        assert "Why it is here" in text
        for words in (
            "discussed on 2 Nov 2026",
            "not a diagnosis",
            "rule 2",
            "run 20261123T050000Z-demo",
            "How it is computed",
            "In the conversation",
            "Was the flag useful?",
        ):
            assert words in text
        assert record.queue_row is not None
        assert letters(record.queue_row["sentence"])[:60] in letters(text)
        assert b"pdfuaid" in made, "claims PDF/UA"
        assert b"/Lang(en-GB)" in made


def test_a_safety_item_stands_first_with_the_protocol(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    queue = reading.queue(snapshot, EVERYBODY).filter(pl.col("kind") == "safety")
    record = reading.case_record(snapshot, EVERYBODY, queue["case_id"][0])
    [text] = pages(sheet(record))
    place = text.index("! safety item PHQ-9 item 9, as answered")
    assert place < text.index("Why it is here")
    assert PROTOCOL in text
    begun = f"{lens_contract().words.opening_title}: “{lens_row('safety_item').opening}”"
    assert letters(begun) in letters(text)


def worst(record: CaseRecord) -> CaseRecord:
    """Return the case with more and longer sentences than any night writes."""
    long = "This sentence is far longer than any that a night has ever written. " * 8
    one = record.reasons.tail(1)
    said = [one.with_columns(code=pl.lit(f"made_up_{k}"), sentence=pl.lit(f"{k} {long}"))
            for k in range(12)]  # fmt: skip
    said.append(one.with_columns(code=pl.lit("leaves_stuck"), sentence=pl.lit(long)))
    lenses = pl.DataFrame(
        [
            {"row_id": row.id, "position": place, "sentence": f"{row.name}: {long}"}
            for place, row in enumerate(lens_contract().of_cases)
        ]
    ).with_columns(
        strength=pl.lit("strong"), is_leading=pl.lit(value=True), has_data=pl.lit(value=True)
    )
    flags = pl.concat(
        [
            record.flags.tail(1).with_columns(
                kind=pl.lit(kind), measure_id=record.flags["measure_id"].tail(1)
            )
            for kind in ("deteriorating", "stuck", "alliance_drop", "alliance_low")
        ]
    )
    return replace(record, reasons=pl.concat(said), flags=flags, lenses=lenses)


def test_the_worst_case_stays_on_one_page_and_says_that_there_is_more(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    stuck = reading.queue(snapshot, EVERYBODY).filter(pl.col("kind") == "stuck")["case_id"][0]
    record = worst(reading.case_record(snapshot, EVERYBODY, stuck))
    [text] = pages(
        sheet(
            record,
            facts="a fact · " * 60,
            reviews=["decided " * 60, "and again " * 60],
            safety_protocol="Call somebody. " * 80,
        )
    )
    assert "more on screen" in text
    assert re.search(r"… \d+ more on screen\.", text), "lenses that do not fit are counted"
    assert "Was the flag useful?" in text


def test_text_that_looks_like_markup_stays_text(practice: Places) -> None:
    record = records(practice)[0]
    text = letters(pages(sheet(record, facts=NOT_MARKUP, reviews=[NOT_MARKUP]))[0])
    assert text.count(letters(NOT_MARKUP)) == 2


def test_the_same_case_gives_the_same_bytes(practice: Places) -> None:
    record = records(practice)[0]
    assert sheet(record) == sheet(record)
    assert b"2026-11-23" in sheet(record), "made at the run's time"


def test_letters_come_from_the_wheel() -> None:
    frame = (Path(dashboard.__file__).parent / "pdf_frame.typ").read_text(encoding="utf-8")
    [named] = re.findall(r"#set text\(font: \(([^)]*)\)", frame)
    carried = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True).families()
    assert set(re.findall(r'"([^"]+)"', named)) <= set(carried)
    templates = Path(dashboard.__file__).parent.glob("pdf_*.typ")
    assert not [path.name for path in templates if "#import" in path.read_text(encoding="utf-8")]


def test_a_letter_without_a_font_costs_the_claim_and_not_the_page(practice: Places) -> None:
    made = sheet(records(practice)[0], facts="中文")
    assert len(pages(made)) == 1
    assert b"pdfuaid" not in made


def an_agenda_case(number: int, **more: Any) -> AgendaCase:
    return AgendaCase(
        **{
            "case": f"C-{number:03}",
            "who": "T-001",
            "mark": "■ stuck",
            "sentence": NOT_MARKUP,
            "facts": "12 sessions attended · follow-up due since 16 Nov 2026",
            "picture": sparkline([10.0, 12.0, None, 9.0], 0, 27),
            "picture_words": sparkline_words([10.0, 12.0, None, 9.0]),
            **more,
        }
    )


def test_the_agenda_has_a_box_an_order_and_minutes_for_each_case() -> None:
    made = agenda_pdf(
        [an_agenda_case(1), an_agenda_case(2, picture="")],
        [an_agenda_case(3)],
        ORIGIN,
        minutes=60,
        remarks=["Not in these 60 minutes: 3 cases of the list."],
    )
    [text] = pages(made)
    assert "Supervision, 60 minutes" in text
    assert "2 cases, 12 minutes each (chosen, not a finding)" in text
    assert text.index("C-001") < text.index("C-002") < text.index("C-003")
    assert text.count("12 min") == 3
    assert "short look-backs" in text
    assert "Not in these 60 minutes: 3 cases of the list." in text
    assert "follow-up due since 16 Nov 2026" in text
    assert letters(NOT_MARKUP) in letters(text)


def test_an_agenda_of_a_long_day_takes_two_pages_at_most() -> None:
    cases = [an_agenda_case(number, sentence="A long reason. " * 20) for number in range(15)]
    made = agenda_pdf(cases, [], ORIGIN, minutes=180)
    assert len(pages(made)) <= 2


def test_an_agenda_without_cases_says_so() -> None:
    [text] = pages(agenda_pdf([], [], ORIGIN, minutes=30))
    assert "Nothing waits to be talked about." in text


def trends_of(practice: Places) -> pl.DataFrame:
    return reading.trends(reading.current_snapshot(practice), Scope(role="manager"))


def official_of(practice: Places) -> pl.DataFrame:
    return reading.talking_therapies(reading.current_snapshot(practice), Scope(role="manager"))


def with_quarters(practice: Places) -> pl.DataFrame:
    """Return the trends with shares of drop-out and improvement in six quarters."""
    trends = trends_of(practice)
    row = trends.filter(
        (pl.col("figure") == "reliable_improvement")
        & (pl.col("period") == "all")
        & (pl.col("site_id") == "all")
    )
    quarters = [
        row.with_columns(pl.lit(name).alias("figure"), pl.lit(f"quarter {at:02}").alias("period"))
        for name in ("reliable_improvement", "drop_out")
        for at in range(1, 7)
    ]
    return pl.concat(
        [trends.filter(~pl.col("period").str.starts_with("quarter")), row, *quarters]
    ).unique(maintain_order=True)


def test_the_report_says_that_early_quarters_are_no_trend(practice: Places) -> None:
    trends = with_quarters(practice)
    made = report_pdf(trends, official_of(practice), COUNTS, "default")
    [text] = pages(made)
    assert "Quarter 01 to quarter 04: first year of data." in text
    assert "No trend is claimed: the intervals of neighbouring quarters overlap." in text
    assert text.count("do not read a trend out of it") == 1


def test_england_s_recovery_stands_beside_the_official_rule_s_alone(practice: Places) -> None:
    official = pl.DataFrame(
        {
            "figure": ["recovery"], "period": ["all"], "category": ["all"],
            "numerator": [40], "denominator": [100], "rate": [0.41], "rate_low": [0.3],
            "rate_high": [0.5], "is_suppressed": [False],
        }
    )  # fmt: skip
    [text] = pages(report_pdf(trends_of(practice), official, COUNTS, "default"))
    [without] = pages(report_pdf(trends_of(practice), official.clear(), COUNTS, "default"))
    row = text[text.index("Recovery by England's official rule") :]
    assert "41 % (30 % to 50 %), n = 100" in row
    assert "50.8 % (reported second-hand, original not read: R66)" in row
    assert text.count("50.8 %") == 1
    assert "counts finished cases without a first and last score as not recovered" in text
    assert "50.8 %" not in without


def test_the_report_has_each_figure_with_interval_n_and_what_to_compare_with(
    practice: Places,
) -> None:
    made = report_pdf(trends_of(practice), official_of(practice), COUNTS, "default")
    [text] = pages(made)
    assert "Invented practice: outcomes of care" in text
    assert re.search(r"Clearly better at the end .*?\d+ % \(\d+ % to \d+ %\), n = 200", text)
    first = benchmarks_of("reliable_improvement")[0]
    assert f"{first.name}: {first.share} (" in text
    assert "R and a number: a source in the source list of unstuck" in text
    assert "no published figure to compare with" in text
    assert "Counts of 1 to 7 are hidden." in text
    assert "95 % interval (Wilson)" in text
    assert b"pdfuaid" in made


def test_what_is_hidden_on_the_screen_is_hidden_in_the_report(practice: Places) -> None:
    trends = trends_of(practice)
    numbers = ("numerator", "denominator", "rate", "rate_low", "rate_high")
    hidden = trends.with_columns(
        pl.lit(True).alias("is_suppressed"),
        *(pl.lit(None).cast(trends.schema[name]).alias(name) for name in numbers),
    )
    [text] = pages(report_pdf(hidden, official_of(practice).clear(), COUNTS, "default"))
    table = text[text.index("This practice") : text.index("How to read this")]
    shown = set(REPORTED) & set(trends["figure"])
    assert table.count("hidden (fewer than 8)") == len(shown) > 3
    assert "n =" not in table


def test_a_report_before_the_first_end_of_care_says_so(practice: Places) -> None:
    none = official_of(practice).clear()
    [text] = pages(report_pdf(trends_of(practice).clear(), none, COUNTS, "default"))
    assert "No outcome can be told yet" in text


def test_no_page_writes_a_file(practice: Places, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sheet(records(practice)[0])
    assert list(tmp_path.iterdir()) == []
