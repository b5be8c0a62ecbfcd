"""What does the practice's last back-test say? Read by steps, without a change."""

from __future__ import annotations

from contextlib import closing

import duckdb
import polars as pl

from data_contracts.contract import Table
from data_contracts.places import Places
from pipelines.evidence_tables import rows_of


def read_evidence(places: Places, table: Table) -> pl.DataFrame:
    """Return a table of the current evidence; no row where there is none, or an older one."""
    pointer = places.evidence_pointer()
    if pointer is None:
        return rows_of(table, [])
    path = str(places.published / pointer.file)
    with closing(duckdb.connect(path, read_only=True)) as connection:
        names = connection.sql("select table_name from duckdb_tables()").fetchall()
        if (table.name,) not in names:
            return rows_of(table, [])
        return connection.sql(f"from {table.name}").pl()
