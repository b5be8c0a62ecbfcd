"""Read a source file as text, every physical line accounted for.

A typed CSV reader turns 3.5 into 4 and swallows rows after an unclosed quote. So lines are cut
first, fields second, and nothing is guessed: a line that does not have the header's fields is set
aside with its number, and its neighbours go on.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from data_contracts.errors import SourceError
from data_contracts.mapping import FileMapping

LINE = "source_line"  # the column that carries the physical line (row in Parquet)
_DAYS_PER_WEEK = 7
_DAYS_PER_MONTH = 30.4375
_WHOLE_WITHIN = 1e-6


@dataclass(frozen=True, kw_only=True)
class TextRows:
    """A file as text: one row a well-formed line, and what was wrong with the others."""

    rows: pl.DataFrame  # LINE and one text column per column of the file
    header: tuple[str, ...]
    lines: int
    header_lines: int
    blank_lines: int
    rejects: tuple[tuple[int, str], ...] = field(default=())  # (line, rule)


class ShapeError(SourceError):
    """The whole file cannot be read as what the mapping says it is."""


def read_text_rows(path: Path, mapping: FileMapping) -> TextRows:
    """Return a file's rows as text.

    Raises
    ------
    ShapeError
        If the file as a whole is not what the mapping says; the message holds no value of it.
    """
    if mapping.kind == "parquet":
        return _parquet_rows(path)
    return _csv_rows(path.read_bytes(), mapping)


def _parquet_rows(path: Path) -> TextRows:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError, ValueError):
        message = "is no readable Parquet file (cut off?): export it again"
        raise ShapeError(message) from None
    if _has_repeated_names(frame.columns):
        raise ShapeError(_REPEATED_NAMES)
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    if nested:
        message = f"columns {', '.join(nested)} hold lists or structures; export plain columns"
        raise ShapeError(message)
    text = frame.select(pl.all().cast(pl.String, strict=False)).with_row_index(LINE, offset=1)
    return TextRows(
        rows=text.with_columns(pl.col(LINE).cast(pl.Int64)),
        header=tuple(frame.columns),
        lines=frame.height,
        header_lines=0,
        blank_lines=0,
    )


_REPEATED_NAMES = "has a header with empty or repeated column names (upper and lower case alike)"


def _has_repeated_names(header: list[str]) -> bool:
    """Return whether names repeat for a database, which does not tell A from a."""
    return len({name.casefold() for name in (*header, LINE)}) != len(header) + 1


def _csv_rows(content: bytes, mapping: FileMapping) -> TextRows:
    lines, bad_lines = _decoded_lines(content, mapping.encoding)
    if not any(line.strip() for line in lines):
        message = "is empty: expected a header line and data"
        raise ShapeError(message)
    header = _fields(lines[0], mapping.delimiter)
    if header is None or 1 in bad_lines:
        message = f"has a header that cannot be read as {mapping.encoding} with quotes closed"
        raise ShapeError(message)
    header = [name.strip() for name in header]
    if "" in header or _has_repeated_names(header):
        raise ShapeError(_REPEATED_NAMES)
    numbered = pl.DataFrame(
        {LINE: pl.Series(range(1, len(lines) + 1), dtype=pl.Int64), "text": lines}
    ).slice(1)
    blank = pl.col("text").str.strip_chars() == ""
    kept = numbered.filter(~blank & ~pl.col(LINE).is_in(list(bad_lines)))
    rows, rejects = _split(kept, header, mapping.delimiter)
    rejects += [(line, "encoding") for line in bad_lines]
    return TextRows(
        rows=rows,
        header=tuple(header),
        lines=len(lines),
        header_lines=1,
        blank_lines=numbered.filter(blank & ~pl.col(LINE).is_in(list(bad_lines))).height,
        rejects=tuple(sorted(rejects)),
    )


def _decoded_lines(content: bytes, encoding: str) -> tuple[list[str], set[int]]:
    """Return the physical lines as text, and the numbers of those the encoding cannot read."""
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode(encoding)
    except LookupError:
        message = f"is declared as {encoding!r}, which is no known encoding"
        raise ShapeError(message) from None
    except UnicodeDecodeError:
        return _decoded_one_by_one(content, encoding)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines, {number for number, line in enumerate(lines, 1) if "\0" in line}


def _decoded_one_by_one(content: bytes, encoding: str) -> tuple[list[str], set[int]]:
    if "\n".encode(encoding) != b"\n":  # lines cannot be told apart before decoding
        message = f"cannot be read as {encoding}"
        raise ShapeError(message)
    lines: list[str] = []
    bad: set[int] = set()
    pieces = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if pieces[-1] == b"":
        pieces.pop()
    for number, piece in enumerate(pieces, 1):
        try:
            lines.append(piece.decode(encoding))
        except UnicodeDecodeError:
            lines.append("")
            bad.add(number)
        if b"\0" in piece:
            bad.add(number)
    return lines, bad


def _fields(line: str, delimiter: str) -> list[str] | None:
    """Return the fields of one line; None where a quote is left open."""
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None


def _split(
    lines: pl.DataFrame, header: list[str], delimiter: str
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """Cut lines into fields; lines with a quote take the slow, exact way."""
    quoted = pl.col("text").str.contains('"', literal=True)
    plain = lines.filter(~quoted).with_columns(fields=pl.col("text").str.split(delimiter))
    careful = lines.filter(quoted).with_columns(
        fields=pl.col("text").map_elements(
            lambda line: _fields(line, delimiter), return_dtype=pl.List(pl.String)
        )
    )
    split = pl.concat([plain, careful]).sort(LINE)
    whole = pl.col("fields").list.len() == len(header)
    rejects = [
        (line, "unclosed_quote" if fields is None else "field_count")
        for line, fields in split.filter(~whole.fill_null(value=False))
        .select(LINE, "fields")
        .iter_rows()
    ]
    good = split.filter(whole.fill_null(value=False))
    rows = good.select(
        LINE, *(pl.col("fields").list.get(place).alias(name) for place, name in enumerate(header))
    )
    return rows, rejects


def spelled_number(name: str, decimal: str) -> pl.Expr:
    """Return the number a text column spells with this decimal sign; null where it spells none."""
    text = pl.col(name)
    if decimal == ",":
        text = pl.when(~text.str.contains(".", literal=True)).then(text.str.replace(",", "."))
    spelled = text.str.contains(r"^[+-]?\d{1,9}(?:\.\d+)?$")
    return pl.when(spelled).then(text).cast(pl.Float64, strict=False)


def in_days(time: pl.Expr, unit: str) -> pl.Expr:
    """Return a count of days, weeks or months as days, whole where it is nearly so."""
    if unit == "week":
        time = time * _DAYS_PER_WEEK
    elif unit == "month":
        time = (time * _DAYS_PER_MONTH).round()
    near = (time - time.round()).abs() <= _WHOLE_WITHIN
    return pl.when(near).then(time.round()).otherwise(time)
