"""No table that leaves can be run by a spreadsheet, and every cell can be read back."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import UTC, datetime

import fastexcel
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard.downloads import ABOUT, CELL_LETTERS, Sheet, as_csv, as_excel, as_sent, harmless
from dashboard.origin import SIMULATED, Origin

ORIGIN = Origin(
    what="Practice trends",
    practice="Invented practice",
    run_id="20261123T050000Z-demo",
    rule_version="2",
    published_at=datetime(2026, 11, 23, 5, 2, tzinfo=UTC),
    is_simulated=True,
    how="Counts after suppression.",
    small_numbers="Counts of 1 to 7 are hidden.",
)
NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\u00a0=1",
    "\ufeff=1",
    '"=1+1"',
    "'=1",
    "''",
    "\uff1d1+1",
    "\uff20x",
    'a";=1+1;"',
    "a;=cmd|' /C calc'!A0",
    "a\n=1",
    "a|@b",
    "https://example.invalid/?=1",
    "{=1}",
    "%0A-3+3",
    "PHQ-9 fell by 3 - slowly",
]
# What a text can hold: no half of a pair, which UTF-8 does not know.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MADE_UP = st.one_of(
    st.sampled_from(NASTY),
    TEXT,
    st.text(st.sampled_from("=+-@'\";|\t\r\n \u00a0\u200b\uff1d\uff0da1"), max_size=8),
)
DANGEROUS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def read_back(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), delimiter=delimiter))


def read_by_a_careless_spreadsheet(content: bytes) -> list[str]:
    """Every piece that some spreadsheet may take for a cell, whatever its separator and quotes."""
    pieces = re.split(r"[;|\t\r\n]", content.decode("utf-8").replace('","', "\n"))
    return [piece.lstrip('" \u00a0\u200b\u2060\ufeff\x00') for piece in pieces]


@given(MADE_UP)
@example("=+-@")
def test_what_was_made_harmless_can_be_had_back(text: str) -> None:
    assert as_sent(harmless(text)) == text


@given(st.lists(MADE_UP, min_size=1, max_size=6))
def test_no_cell_of_a_csv_begins_like_a_formula_however_it_is_split(cells: list[str]) -> None:
    content = as_csv(Sheet(name="Cells", rows=pl.DataFrame({"cell": cells})))
    assert not [
        piece for piece in read_by_a_careless_spreadsheet(content) if piece.startswith(DANGEROUS)
    ]
    assert [[as_sent(cell) for cell in row] for row in read_back(content)[1:]] == [
        [cell] if cell else [] for cell in cells
    ]


@pytest.mark.parametrize("text", [*NASTY[:10], "\uff1d1+1", "\uff20x"])
def test_owasps_signs_get_an_apostrophe(text: str) -> None:
    assert harmless(text).lstrip(' \u00a0\ufeff"').startswith("'")


def test_ordinary_words_leave_as_they_are() -> None:
    for text in ("C-00012", "PHQ-9 17", "quarter 03", "a-b=c", "49 % (47 % to 52 %), n = 1,380"):
        assert harmless(text) == text


def test_numbers_stay_numbers_and_what_is_hidden_is_said_in_words() -> None:
    rows = pl.DataFrame(
        {"site": ["north", "south"], "rate": [-0.25, None], "n": [40, None], "open": [True, False]}
    )
    sheet = Sheet(name="Trends", rows=rows, instead_of_null=["", "hidden (fewer than 8)"])
    hidden = "hidden (fewer than 8)"
    assert as_csv(sheet).decode() == (
        '"site","rate","n","open"\r\n'
        '"north",-0.25,40,true\r\n'
        f'"south","{hidden}","{hidden}",false\r\n'
    )  # fmt: skip
    book = fastexcel.read_excel(as_excel([sheet], ORIGIN))
    assert book.sheet_names == [ABOUT, "Trends"]
    cells = book.load_sheet("Trends", dtypes="string").to_polars().rows()
    assert cells[0] == ("north", "-0.25", "40", "true")
    assert cells[1] == ("south", hidden, hidden, "false")
    xml = sheet_xml(as_excel([sheet], ORIGIN), 2)
    assert "<v>-0.25</v>" in xml
    assert "<v>40</v>" in xml


def sheet_xml(content: bytes, place: int) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return book.read(f"xl/worksheets/sheet{place}.xml").decode()


# Excel's XML knows no control signs but these; xlsxwriter writes others as _x0001_.
EXCEL_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=30,
).filter(lambda text: "_x" not in text)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(NASTY), EXCEL_TEXT), min_size=1, max_size=8))
def test_an_excel_file_holds_every_text_as_text(cells: list[str]) -> None:
    content = as_excel([Sheet(name="Cells", rows=pl.DataFrame({"cell": cells}))], ORIGIN)
    for place in (1, 2):
        xml = sheet_xml(content, place)
        assert "<f>" not in xml
        assert "<f " not in xml
        assert "<hyperlink" not in xml
    book = fastexcel.read_excel(content)
    found = book.load_sheet("Cells", dtypes="string", skip_whitespace_tail_rows=False)
    read = found.to_polars()["cell"].to_list()
    # \r becomes \n in any XML
    assert [cell.replace("\r", "\n") for cell in cells] == [
        (cell or "").replace("_x000D_", "\n").replace("\r", "\n") for cell in read
    ]


def test_a_text_stays_a_text_when_somebody_edits_the_cell() -> None:
    content = as_excel([Sheet(name="Cells", rows=pl.DataFrame({"cell": ["=1+1"]}))], ORIGIN)
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert 'quotePrefix="1"' in book.read("xl/styles.xml").decode()


def test_the_first_sheet_says_where_the_numbers_come_from() -> None:
    content = as_excel([Sheet(name="Trends", rows=pl.DataFrame({"n": [1]}))], ORIGIN)
    about = fastexcel.read_excel(content).load_sheet(0, header_row=None).to_polars()
    said = dict(about.rows())
    assert said["What"] == "Practice trends"
    assert said["Run"] == "20261123T050000Z-demo"
    assert said["Rule version"] == "2"
    assert said["State of"] == "23 Nov 2026, 05:02 UTC"
    assert SIMULATED in said["Simulated"]
    assert said["Small numbers"] == "Counts of 1 to 7 are hidden."
    assert "not a diagnosis" in said["Please note"]


def test_the_same_table_gives_the_same_bytes() -> None:
    sheets = [Sheet(name="Trends", rows=pl.DataFrame({"n": [1], "at": [datetime(2026, 1, 2)]}))]  # noqa: DTZ001 - as the contract's timestamps
    assert as_excel(sheets, ORIGIN) == as_excel(sheets, ORIGIN)
    assert b"2026-01-02T00:00:00+00:00" in as_csv(sheets[0])


def test_a_text_too_long_for_excel_is_cut_and_says_so() -> None:
    content = as_excel(
        [Sheet(name="Long", rows=pl.DataFrame({"cell": ["a" * (CELL_LETTERS + 1)]}))], ORIGIN
    )
    [cell] = fastexcel.read_excel(content).load_sheet("Long").to_polars()["cell"]
    assert len(cell) == CELL_LETTERS
    assert cell.endswith("(cut: Excel holds no more in a cell)")


def test_an_empty_table_leaves_as_its_header() -> None:
    sheet = Sheet(name="None", rows=pl.DataFrame(schema={"a": pl.Int64, "b": pl.String}))
    assert as_csv(sheet) == b'"a","b"\r\n'
    assert fastexcel.read_excel(as_excel([sheet], ORIGIN)).sheet_names == [ABOUT, "None"]
