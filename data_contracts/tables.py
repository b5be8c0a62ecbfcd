"""Every table by name, and what is derived from the declarations."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from data_contracts.contract import Column, Layer, Privacy, Table, technical
from data_contracts.tables_evidence import EVIDENCE
from data_contracts.tables_incoming import INCOMING
from data_contracts.tables_judged import JUDGED, KEPT
from data_contracts.tables_ledger import FILES, LEDGER, RUN_ID
from data_contracts.tables_published import PUBLISHED_FOR_ALL, PUBLISHED_FOR_CASES

# Columns of scores that arise when versions are put together; no practice sends them.
_DERIVED_COLUMNS = ("value_count", "value_at_session")

_VERSION_NAMES = {
    "sites": "site_versions",
    "therapists": "therapist_versions",
    "cases": "case_versions",
    "sessions": "session_versions",
    "scores": "score_versions",
    "homework": "homework_versions",
    "session_focus": "session_focus_versions",
    "life_events": "life_event_versions",
}


def sent_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns of an incoming table that a practice can send."""
    return tuple(column for column in table.columns if column.name not in _DERIVED_COLUMNS)


def versions_of(table: Table) -> Table:
    """Return the append-only table that keeps every accepted row of an incoming table."""
    return Table(
        name=_VERSION_NAMES[table.name],
        one_row_is=f"a landed row of {table.name}, append-only",
        layer=Layer.LEDGER,
        key=("file_id", "line", *(("measure_id", "subscale") if table.name == "scores" else ())),
        columns=(
            FILES.column("file_id"),
            technical("line", "bigint", "physical line (row in Parquet)"),
            FILES.column("position"),
            *sent_columns(table),
            replace(RUN_ID, name="received_run_id"),
            technical(
                "state",
                "text",
                "whether it is in force",
                values=("accepted", "superseded", "withdrawn"),
            ),
        ),
    )


VERSIONS: tuple[Table, ...] = tuple(versions_of(table) for table in INCOMING)
JUDGED_TABLES: tuple[Table, ...] = (*INCOMING, *JUDGED, *KEPT)
WAREHOUSE: tuple[Table, ...] = (*LEDGER, *VERSIONS, *INCOMING, *JUDGED, *KEPT)
EVERY_TABLE: tuple[Table, ...] = (
    *WAREHOUSE,
    *PUBLISHED_FOR_CASES,
    *PUBLISHED_FOR_ALL,
    *EVIDENCE,
)


def incoming(name: str) -> Table:
    """Return an incoming table by name."""
    return next(table for table in INCOMING if table.name == name)


def tables_fingerprint() -> str:
    """Return a hash that changes when any declaration of a table does (16 hex digits)."""
    return sha256(repr(EVERY_TABLE).encode()).hexdigest()[:16]


def identifying_columns() -> tuple[tuple[str, str], ...]:
    """Return (table, column) of every pseudonym, for the privacy test and for erasure."""
    return tuple(
        (table.name, column.name)
        for table in EVERY_TABLE
        for column in table.columns
        if column.privacy is Privacy.PSEUDONYM
    )
