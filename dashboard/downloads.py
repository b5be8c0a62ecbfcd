"""How does a table leave as a file that no spreadsheet can be made to run?

A cell that begins like a formula is run by spreadsheets that open a CSV file. Text is made harmless
as OWASP's page "CSV Injection" says: an apostrophe before every sign that could begin a formula,
at the start of a cell and after whatever a spreadsheet may take for the start of one. Numbers stay
numbers. `as_sent` takes the apostrophes off again, exactly. An Excel file knows text from formulas
and keeps text as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from math import isfinite
from typing import Any

import polars as pl

from dashboard.origin import Origin

CSV, EXCEL = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ABOUT = "About"
# Excel reads no more of a cell, and more of a sheet's name.
CELL_LETTERS, NAME_LETTERS = 32_767, 31
CUT = " … (cut: Excel holds no more in a cell)"

# Signs that begin a formula, also full-width; the apostrophe itself, so that it can be taken off.
_BEGINS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20'"
# A spreadsheet set to another separator, or one that ignores quotes, starts a cell after these.
_STARTS = ";|\t\r\n"
# Skipped by spreadsheets before they look for a formula.
_SKIPPED = '" \u00a0\u200b\u2060\ufeff\x00'  # quote, spaces, signs that do not show
_FORMULA = re.compile(f"(^|[{_STARTS}])([{_SKIPPED}]*)(?=[{_BEGINS}])")
_MADE_HARMLESS = re.compile(f"(^|[{_STARTS}])([{_SKIPPED}]*)'(?=[{_BEGINS}])")

Cell = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table to send: its name, its rows, and for each row what stands where nothing is known.

    `instead_of_null` says why a cell is empty, such as "hidden"; never a 0.
    """

    name: str
    rows: pl.DataFrame
    instead_of_null: Sequence[str] = ()

    @property
    def lines(self) -> list[list[Cell]]:
        """The rows as cells."""
        words = self.instead_of_null or [""] * len(self.rows)
        return [
            [_cell(value, instead) for value in row]
            for row, instead in zip(self.rows.rows(), words, strict=True)
        ]


def harmless(text: str) -> str:
    """Return the text so that no spreadsheet takes any of it for a formula.

    >>> harmless("=1+1"), harmless("a;-2"), harmless("PHQ-9 17")
    ("'=1+1", "a;'-2", 'PHQ-9 17')
    """
    return _FORMULA.sub(r"\1\2'", text)


def as_sent(text: str) -> str:
    """Return the text that `harmless` was given.

    >>> as_sent("'=1+1")
    '=1+1'
    """
    return _MADE_HARMLESS.sub(r"\1\2", text)


def as_csv(sheet: Sheet) -> bytes:
    """Return the table as CSV: UTF-8, commas, a header, text in quotes, RFC 4180."""
    lines = [[_quoted(name) for name in sheet.rows.columns]]
    lines += [[_csv_cell(value) for value in line] for line in sheet.lines]
    return "".join(",".join(line) + "\r\n" for line in lines).encode()


def as_excel(sheets: Sequence[Sheet], origin: Origin) -> bytes:
    """Return the tables as an Excel file that begins with where they come from."""
    import xlsxwriter

    held = BytesIO()
    options = {
        "in_memory": True,  # nothing of a client on a disk
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(held, options) as book:
        # The time is the run's, so that the same table gives the same bytes.
        book.set_properties(
            {"title": origin.what, "author": "unstuck", "created": origin.published_at}
        )
        looks = {
            "head": book.add_format({"bold": True, "text_wrap": True, "bottom": 1}),
            "text": book.add_format({"text_wrap": True, "valign": "top"}),
            # Stays text when somebody edits the cell.
            "quoted": book.add_format({"text_wrap": True, "valign": "top", "quote_prefix": True}),
            "number": book.add_format({"valign": "top"}),
        }
        about = pl.DataFrame(origin.lines, schema=["", " "], orient="row")
        _write(book, Sheet(name=ABOUT, rows=about), looks, with_header=False)
        for sheet in sheets:
            _write(book, sheet, looks, with_header=True)
    return held.getvalue()


def _write(book: Any, sheet: Sheet, looks: dict[str, Any], *, with_header: bool) -> None:  # noqa: ANN401 - xlsxwriter has no types
    page = book.add_worksheet(sheet.name[:NAME_LETTERS])
    if with_header:
        for place, name in enumerate(sheet.rows.columns):
            page.write_string(0, place, name, looks["head"])
        page.freeze_panes(1, 0)
        page.repeat_rows(0)
    for down, line in enumerate(sheet.lines, start=int(with_header)):
        for across, value in enumerate(line):
            _write_cell(page, down, across, value, looks)
    for place, width in enumerate(_widths(sheet)):
        page.set_column(place, place, width)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    page.set_paper(9)  # A4


def _write_cell(page: Any, down: int, across: int, value: Cell, looks: dict[str, Any]) -> None:  # noqa: ANN401 - xlsxwriter has no types
    if isinstance(value, bool):
        page.write_boolean(down, across, value, looks["number"])
    elif isinstance(value, int | float):
        page.write_number(down, across, value, looks["number"])
    elif value:
        look = looks["quoted"] if harmless(value) != value else looks["text"]
        page.write_string(down, across, _cut(value), look)


def _cut(text: str) -> str:
    return text if len(text) <= CELL_LETTERS else text[: CELL_LETTERS - len(CUT)] + CUT


def _widths(sheet: Sheet) -> list[int]:
    """Return how wide each column is, in letters: as its longest cell, within reason."""
    narrow, wide = 9, 60
    columns = zip(sheet.rows.columns, *sheet.lines, strict=True)
    return [
        min(wide, max(narrow, *(len(str(value)) + 2 for value in column))) for column in columns
    ]


def _cell(value: object, instead: str) -> Cell:
    if value is None:
        return instead
    if isinstance(value, datetime):
        in_utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return in_utc.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not isfinite(value):
        return "not a number"
    return value if isinstance(value, str | int | float | bool) else str(value)


def _csv_cell(value: Cell) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return _quoted(value) if value else ""


def _quoted(text: str) -> str:
    return '"' + harmless(text).replace('"', '""') + '"'
