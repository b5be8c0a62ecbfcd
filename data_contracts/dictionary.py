"""What does every table and column mean? Writes docs/data_dictionary.md from the contracts.

Run: python -m data_contracts.dictionary --check | --write (in the repository). The page is never
written by hand; a test fails when it no longer says what the contracts say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_contracts.contract import Column, Layer, Privacy, Table
from data_contracts.lenses import LensRow, lens_contract
from data_contracts.measure import Measure
from data_contracts.measures import built_in_measures
from data_contracts.tables import EVERY_TABLE, VERSIONS
from data_contracts.tables_incoming import INCOMING
from data_contracts.workspace_tables import STORED

PAGE = Path("docs") / "data_dictionary.md"

_PRIVACY = {
    Privacy.PSEUDONYM: "stands for one client or one member of staff",
    Privacy.CLINICAL: "says something about one client",
    Privacy.QUASI: "harmless alone, identifying in combination",
    Privacy.TECHNICAL: "about files, runs and versions; nothing about a client",
    Privacy.AGGREGATE: "counts and rates over many cases, after suppression",
}
_LAYERS = {
    Layer.INCOMING: "What a practice may send, in force now. In `warehouse.duckdb`.",
    Layer.LEDGER: "What came in and what became of it. In `warehouse.duckdb`.",
    Layer.JUDGED: "What the night makes anew for the cases it touches. In `warehouse.duckdb`.",
    Layer.KEPT: "What is never made anew. In `warehouse.duckdb`.",
    Layer.CASES: "What a supervisor's screens read. In `<run>.cases.duckdb`; never for managers.",
    Layer.AGGREGATES: "What everybody's screens may read. In `<run>.aggregates.duckdb`.",
    Layer.EVIDENCE: "How good the flags are here, for everybody. In `evidence-<id>.duckdb`.",
    Layer.STORE: "What the screens write. In `workspace.sqlite`, or the PostgreSQL database set.",
}
_HEAD = """\
# Data dictionary

Every table, column and measure, as `data_contracts/` declares them. This page is made by
`uv run poe dictionary`; changes belong into the declarations, not here.

Text holds UTF-8, days and sessions are whole numbers, times are UTC. "Empty" says whether a column
may be empty (null)."""


def data_dictionary() -> str:
    """Return the whole page."""
    parts = [_HEAD, _privacy_classes()]
    for layer, meaning in _LAYERS.items():
        tables = [table for table in (*EVERY_TABLE, *STORED) if table.layer is layer]
        if tables:
            parts.append(f"## {layer.value.capitalize()}\n\n{meaning}")
            parts += [_table(table) for table in tables]
    parts.append(_measures(built_in_measures()))
    parts.append(_lenses())
    return "\n\n".join(parts) + "\n"


def _privacy_classes() -> str:
    rows = [(f"`{privacy.value}`", meaning) for privacy, meaning in _PRIVACY.items()]
    told = "Every column has a privacy class. There is no default: somebody had to decide."
    return f"## Privacy classes\n\n{told}\n\n{_grid(('class', 'what it means'), rows)}"


def _table(table: Table) -> str:
    lines = [
        f"### {table.name}",
        f"One row is {table.one_row_is}. Key: {', '.join(f'`{name}`' for name in table.key)}.",
    ]
    if table.note:
        lines.append(table.note)
    source, told_there = _told_elsewhere(table)
    own = [column for column in table.columns if column not in told_there]
    if source:
        names = ", ".join(f"`{column.name}`" for column in table.columns if column in told_there)
        lines.append(f"As in `{source}`: {names}.")
    if own:
        lines.append(_grid(_COLUMNS_OF_A_COLUMN, [_column(column) for column in own]))
    return "\n\n".join(lines)


def _told_elsewhere(table: Table) -> tuple[str, tuple[Column, ...]]:
    """Return the table whose columns this one repeats, and those columns; '' if it repeats none."""
    for sent, versions in zip(INCOMING, VERSIONS, strict=True):
        if table is versions:
            return sent.name, sent.columns
    for earlier in EVERY_TABLE:
        if earlier is table:
            break
        if earlier.columns == table.columns:
            return earlier.name, earlier.columns
    return "", ()


_COLUMNS_OF_A_COLUMN = ("column", "type", "unit", "meaning", "privacy", "empty", "allowed")


def _column(column: Column) -> tuple[str, ...]:
    return (
        f"`{column.name}`",
        column.type,
        column.unit,
        column.meaning,
        column.privacy.value,
        "yes" if column.nullable else "no",
        _allowed(column),
    )


def _allowed(column: Column) -> str:
    if column.values:
        return ", ".join(f"`{value}`" for value in column.values)
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"{low:g} or more"
    return "" if high is None else f"{high:g} or less"


def _measures(measures: dict[str, Measure]) -> str:
    heads = ("measure", "name", "role", "rater", "range", "RC", "C", "source", "verified")
    told = (
        "RC is the reliable change in points, C the last score still in the clinical range (for "
        "alliance measures the concern line). `R` numbers and `M` are keys of the source ledger: "
        "R was read, M is recalled. What every key of a measure's file means: "
        "[measures.md](measures.md); where sources contradict each other: "
        "[decision 0003](decisions/0003-contradicting-sources.md)."
    )
    return f"## Measures\n\n{told}\n\n{_grid(heads, [_measure(one) for one in measures.values()])}"


def _lenses() -> str:
    told = (
        "Where to look when a case is stuck, in the order in which it is asked; how the rows are "
        "put in order: [lenses.md](lenses.md). Questions and sentences: `lenses.toml`."
    )
    heads = ("row", "lens", "needs", "rule", "evidence", "source", "numbers")
    return f"## Lenses\n\n{told}\n\n{_grid(heads, [_lens(row) for row in lens_contract().rows])}"


def _lens(row: LensRow) -> tuple[str, ...]:
    numbers = "; ".join(
        f"{threshold.value:g} {threshold.meaning} ({threshold.source})"
        for threshold in row.thresholds.values()
    )
    where = f"{row.lens} (caseload view)" if row.place == "caseload" else row.lens
    return f"`{row.id}`", where, row.needs, row.computed, row.evidence, row.source, numbers


def _measure(measure: Measure) -> tuple[str, ...]:
    line = measure.alliance.low_at if measure.alliance else measure.cutoff
    return (
        f"`{measure.measure_id}`",
        measure.name,
        measure.role,
        measure.rater,
        f"{measure.minimum:g} to {measure.maximum:g}, higher is {measure.higher_is}",
        _number(measure.reliable_change_points) if measure.role == "outcome" else "",
        _number(line),
        "; ".join(_sources(measure)),
        _verified(measure),
    )


def _verified(measure: Measure) -> str:
    if not any(_sources(measure)):
        return "nothing is judged by it"
    return "yes" if measure.is_verified else f"no: {', '.join(measure.unverified_numbers)}"


def _sources(measure: Measure) -> Iterator[str]:
    """Yield the source of each number that something is judged by."""
    if measure.reliable_change:
        yield f"RC {measure.reliable_change.source}"
    elif measure.standard_deviation and measure.reliability:
        yield f"SD {measure.standard_deviation.source}"
        yield f"reliability {measure.reliability.source}"
    if measure.clinical_cutoff:
        yield f"C {measure.clinical_cutoff.source}"
    if measure.alliance:
        yield f"concern line {measure.alliance.low_source}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; an upright bar in a cell would end it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def main(arguments: Sequence[str], page: Path = PAGE) -> int:
    """Write the page, or check that it is current; return the exit code."""
    if list(arguments) == ["--write"]:
        page.write_text(data_dictionary(), encoding="utf-8")
        return 0
    if list(arguments) != ["--check"]:
        sys.stderr.write("usage: python -m data_contracts.dictionary --check | --write\n")
        return 2
    if page.exists() and page.read_text(encoding="utf-8") == data_dictionary():
        return 0
    sys.stderr.write(f"{page} is out of date: run 'uv run poe dictionary'\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
