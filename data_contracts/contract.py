"""What a table promises: grain, key, and for each column type, meaning and privacy class."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

SqlType = Literal["text", "bigint", "integer", "double", "boolean", "timestamp", "date"]


class Privacy(StrEnum):
    """How close a column comes to a person. There is no default: somebody must decide."""

    PSEUDONYM = "pseudonym"  # stands for one client or one member of staff
    CLINICAL = "clinical"  # says something about one client
    QUASI = "quasi-identifier"  # harmless alone, identifying in combination
    TECHNICAL = "technical"  # about files, runs and versions
    AGGREGATE = "aggregate"  # counts and rates after suppression


class Layer(StrEnum):
    """Where a table lives."""

    INCOMING = "incoming"  # rows a practice may send; kept in versions
    LEDGER = "ledger"  # runs, files, quarantine
    JUDGED = "judged"  # rebuilt for the cases a night touches
    KEPT = "kept"  # append-only: what was shown, which flags were open
    CASES = "published cases"  # in <run>.cases.duckdb
    AGGREGATES = "published aggregates"  # in <run>.aggregates.duckdb
    EVIDENCE = "published evidence"  # in evidence-<id>.duckdb
    STORE = "own store"  # written by the screens


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of one table."""

    name: str
    type: SqlType
    meaning: str
    privacy: Privacy
    unit: str = ""
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a column nobody explained."""
        if not self.meaning:
            message = f"column {self.name}: every column needs a meaning"
            raise ValueError(message)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: what a row is, what tells rows apart, and its columns in order."""

    name: str
    one_row_is: str
    layer: Layer
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a key that names no column."""
        unknown = [name for name in self.key if name not in self.column_names]
        if unknown:
            message = f"table {self.name}: key names unknown columns {unknown}"
            raise ValueError(message)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the order of the contract."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return one column by name."""
        return next(column for column in self.columns if column.name == name)


def technical(
    name: str,
    kind: SqlType,
    meaning: str,
    *,
    nullable: bool = False,
    unit: str = "",
    values: tuple[str, ...] = (),
) -> Column:
    """Return a column about files, runs or versions."""
    return Column(
        name=name,
        type=kind,
        privacy=Privacy.TECHNICAL,
        meaning=meaning,
        nullable=nullable,
        unit=unit,
        values=values,
    )


def clinical(
    name: str,
    kind: SqlType,
    meaning: str,
    *,
    nullable: bool = False,
    unit: str = "",
    values: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Column:
    """Return a column that says something about one case."""
    return Column(
        name=name,
        type=kind,
        privacy=Privacy.CLINICAL,
        meaning=meaning,
        nullable=nullable,
        unit=unit,
        values=values,
        minimum=minimum,
        maximum=maximum,
    )


def quoted(name: str) -> str:
    """Return a column name as SQL may hold it: `at` is a word of DuckDB's own."""
    return f'"{name}"' if name == "at" else name


def ddl(table: Table, *, name: str | None = None) -> str:
    """Return the DuckDB statement that creates the table, not-null constraints included.

    Keys are checked by the audit before publication, not by an index: DuckDB's
    index refuses to delete and insert one key in one transaction.
    """
    lines = [
        f"    {quoted(column.name)} {column.type}{'' if column.nullable else ' not null'}"
        for column in table.columns
    ]
    return f"create table if not exists {name or table.name} (\n" + ",\n".join(lines) + "\n)"
