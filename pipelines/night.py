"""What every step of the night is given: places, contracts, one connection, the run's facts.

Steps meet in tables. `staging` is a database in memory, attached beside the warehouse: whatever
the de-identification gate refuses never touches a disk, and a killed night leaves nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import polars as pl

from data_contracts.contract import Column, Layer, Table, ddl, quoted
from data_contracts.errors import UnstuckError
from data_contracts.mapping import Mapping
from data_contracts.measure import Measure
from data_contracts.places import Places
from data_contracts.rule import StatusRule
from data_contracts.settings import Settings
from data_contracts.tables import WAREHOUSE, sent_columns
from pipelines.models_in_use import InUse

Trigger = Literal["hand", "schedule", "demo"]

# Rows a step counts; a key of run_counts each.
COUNTED = ("rows_in", "rows_out", "duplicate", "superseded", "quarantined", "withdrawn")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a step did, in rows."""

    rows_in: int = 0
    rows_out: int = 0
    duplicate: int = 0
    superseded: int = 0
    quarantined: int = 0
    withdrawn: int = 0


@dataclass(kw_only=True)
class Night:
    """One night over one home; made by `nightly.open_night`, closed by it too."""

    places: Places
    settings: Settings
    mapping: Mapping
    source: Path
    measures: dict[str, Measure]
    rule: StatusRule
    connection: duckdb.DuckDBPyConnection
    run_id: str
    started_at: datetime
    trigger: Trigger
    contract_version: str
    in_use: InUse = field(default_factory=InUse)
    """Which models are in use, read once when the night opened."""
    as_of: int | None = None
    seed: int = 0
    refit: bool = False
    rebuild: bool = False
    warnings: list[str] = field(default_factory=list)

    def frame(self, query: str, **parameters: object) -> pl.DataFrame:
        """Return the rows of a query."""
        return self.connection.sql(query, params=parameters or None).pl()

    def rows(self, query: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query as tuples."""
        return self.connection.sql(query, params=parameters or None).fetchall()

    def number(self, query: str, **parameters: object) -> int:
        """Return the one whole number a query gives; 0 for null."""
        return int(self.rows(query, **parameters)[0][0] or 0)

    def run(self, statement: str, **parameters: object) -> None:
        """Run a statement for its effect."""
        self.connection.execute(statement, parameters or None)

    def insert_empty_staging(self, table: Table) -> None:
        """Create the staging table that takes the good rows of an incoming table."""
        columns = ", ".join(
            f"{quoted(column.name)} {column.type}" for column in sent_columns(table)
        )
        self.run(
            f"create table staging.good_{table.name} "
            f"(file_id text, line bigint, {columns}, is_withdrawn boolean)"
        )

    def make(self, table: str, rows: pl.DataFrame) -> None:
        """Make a temporary table of a frame, in place of one of the same name."""
        self.connection.register("rows_of_table", rows.to_arrow())
        self.connection.execute(
            f"create or replace temp table {table} as select * from rows_of_table"
        )
        self.connection.unregister("rows_of_table")

    def insert(self, table: str, rows: pl.DataFrame) -> int:
        """Append a frame to a table by column name; return how many rows."""
        if rows.height:
            self.connection.register("rows_to_insert", rows.to_arrow())
            self.connection.execute(f"insert into {table} by name select * from rows_to_insert")
            self.connection.unregister("rows_to_insert")
        return rows.height


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing of the warehouse, and bring one from an older version up to date.

    A new version has a new contract version, so the night judges every case again: judged tables of
    another shape are made anew. Everything else is kept and gets its new columns, empty.
    """
    for table in WAREHOUSE:
        there = {
            name
            for (name,) in connection.execute(
                "select column_name from information_schema.columns "
                "where table_catalog = current_database() and table_name = $name",
                {"name": table.name},
            ).fetchall()
        }
        wanted = {column.name for column in table.columns}
        if there and there != wanted and table.layer is Layer.JUDGED:
            connection.execute(f"drop table {table.name}")
        elif there:
            for column in table.columns:
                if column.name not in there:
                    _add_column(connection, table, column)
        connection.execute(ddl(table))


def _add_column(connection: duckdb.DuckDBPyConnection, table: Table, column: Column) -> None:
    if not column.nullable:
        message = (
            f"the warehouse is of an older version: its table {table.name} has no column "
            f"{column.name}. Start a new home and run the night on the exports again"
        )
        raise UnstuckError(message)
    connection.execute(f"alter table {table.name} add column {quoted(column.name)} {column.type}")
