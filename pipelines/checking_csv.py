"""Is a CSV file written as we read it: UTF-8, commas, and as many cells a line as its header has?

A reader that takes some columns alone does not see that a line has a cell too many, and reads
numbers of the wrong column. Messages hold numbers of lines and cells, never a value.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import BinaryIO

from data_contracts.errors import SourceError
from pipelines.telling_flags import counted

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def checked_header(file: Path) -> list[str]:
    """Return the names in the first line; every other line has as many cells, or is empty.

    Raises
    ------
    OSError
        If the file cannot be opened.
    SourceError
        If the file is empty, no UTF-8 text, separated by something else than commas, or a line has
        more or fewer cells than the header.
    """
    with file.open("rb") as lines:
        header = _header(lines, file)
        lines.seek(0)
        wrong = _wrong_line(lines, file, len(header))
    if wrong is not None:
        line, count = wrong
        message = (
            f"{file.name}, line {line} has {counted(count, 'cell')} and the header {len(header)}: "
            "a decimal comma or other comma without quotes, or a missing one? Correct the line, "
            "or export the file again"
        )
        raise SourceError(message)
    return header


def has_empty_lines(file: Path) -> bool:
    """Return whether a line holds nothing: it is no row."""
    with file.open("rb") as lines:
        return any(not line.strip(b"\r\n") for line in lines)


def _header(lines: BinaryIO, file: Path) -> list[str]:
    first = lines.readline()
    try:
        text = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        message = f"{file.name} is no UTF-8 text (saved as UTF-16?): save it as CSV in UTF-8"
        raise SourceError(message)
    if not text.strip():
        message = f"{file.name} has no header: its first line must hold the names of the columns"
        raise SourceError(message)
    names = next(csv.reader([text]))
    for separator, told in _SEPARATORS.items():
        if len(names) == 1 and separator in text:
            message = f"{file.name} is separated by {told}: save it as CSV separated by commas"
            raise SourceError(message)
    return names


def _wrong_line(lines: BinaryIO, file: Path, cells: int) -> tuple[int, int] | None:
    """Return number and count of cells of the first line that has others, or nothing."""
    wrong = None
    for number, line in enumerate(lines, start=1):
        if b'"' in line:
            return _wrong_quoted_line(file, cells)
        if wrong is None and line.count(b",") != cells - 1 and line.strip():
            wrong = number, line.count(b",") + 1
    return wrong


def _wrong_quoted_line(file: Path, cells: int) -> tuple[int, int] | None:
    """Do the same where commas and ends of lines may stand within quotes."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.reader(text)
        begin = 1
        try:
            for row in rows:
                is_empty = not row or (len(row) == 1 and not row[0].strip())
                if len(row) != cells and not is_empty:
                    return begin, len(row)
                begin = rows.line_num + 1
        except csv.Error:
            message = f"{file.name}, line {begin} cannot be read: is a quote not closed?"
            raise SourceError(message) from None
    return None
