"""What may this viewer read from the published snapshot? The only file that opens DuckDB.

Every function asks for a scope and enforces it. Cases are read from `<run>.cases.duckdb`, which
is never opened for anybody but a supervisor; all others read `<run>.aggregates.duckdb`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import streamlit as st

from dashboard.scope import Assignment, Scope
from data_contracts.contract import Table
from data_contracts.errors import SourceError, UnknownCaseError
from data_contracts.places import Places
from data_contracts.tables_judged import EVENTS, FORECASTS

# Remembered answers: enough for the screens of a morning, dropped after an hour.
ANSWERS_KEPT = 400
SECONDS_KEPT = 3600

# Every query on cases must hold these words; they become the condition below.
_SCOPE_WORDS = "{in_scope}"
_IN_SCOPE = """
    (list_contains($therapist_ids::varchar[], therapist_id)
     or (therapist_id is null and $sees_cases_without_therapist::boolean))
"""


_OF_CASE = {
    "queue": "select * from published_queue where case_id = $case_id",
    "course": "select * from published_course_points where case_id = $case_id "
    "order by measure_id, subscale, rater, occasion",
    "alliance": "select * from published_alliance_points where case_id = $case_id "
    "order by measure_id, occasion",
    "sessions": "select * from published_sessions where case_id = $case_id order by session",
    "statuses": "select * from published_statuses where case_id = $case_id "
    "order by measure_id, occasion",
    "current": "select * from published_current_statuses where case_id = $case_id "
    "order by measure_id",
    "reasons": "select * from published_reasons where case_id = $case_id "
    "order by measure_id, occasion, position",
    "flags": "select * from published_flags where case_id = $case_id "
    "order by opened_day, opened_occasion",
    "events": "select * from published_events where case_id = $case_id "
    "order by measure_id, occasion, kind",
    "forecasts": "select * from published_forecasts where case_id = $case_id order by measure_id",
    "measures": "select * from published_measures where $case_id is not null order by all",
}

# Tables that a snapshot of an older version does not hold.
_SINCE_VERSION_2 = {"events": EVENTS, "forecasts": FORECASTS}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One finished publication: two immutable files and when they were made."""

    run_id: str
    cases: Path
    aggregates: Path
    as_of: int | None
    published_at: datetime


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """Everything published about one case, each frame in the order of time."""

    case: dict[str, Any]
    queue_row: dict[str, Any] | None
    course: pl.DataFrame
    alliance: pl.DataFrame
    sessions: pl.DataFrame
    statuses: pl.DataFrame
    current: pl.DataFrame
    reasons: pl.DataFrame
    flags: pl.DataFrame
    events: pl.DataFrame
    forecasts: pl.DataFrame
    measures: pl.DataFrame


def current_snapshot(places: Places) -> Snapshot:
    """Return the snapshot the pointer names now; read anew on every call.

    Raises
    ------
    NothingPublishedError
        If no night has published yet.
    """
    pointer = places.pointer()
    return Snapshot(
        run_id=pointer.run_id,
        cases=places.published / pointer.cases,
        aggregates=places.published / pointer.aggregates,
        as_of=pointer.as_of,
        published_at=pointer.published_at,
    )


def assignments(snapshot: Snapshot, scope: Scope) -> tuple[list[Assignment], bool]:
    """Return every therapist with their supervisor, and whether a case has no therapist."""
    scope.require_cases()
    rows = _rows(
        snapshot.cases,
        """
        select therapist_id, supervisor_id from published_therapists
        union
        select therapist_id, null from published_cases
        where therapist_id not in (select therapist_id from published_therapists)
           or therapist_id is null
        order by all
        """,
    )
    found = [Assignment(**row) for row in rows.to_dicts() if row["therapist_id"] is not None]
    return found, rows["therapist_id"].null_count() > 0


def queue(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the viewer's part of the queue, worst need first."""
    return _case_rows(
        snapshot, scope, "select * from published_queue where {in_scope} order by position"
    )


def standing(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return how many open cases of the viewer have which status and code, and how many queue."""
    return _case_rows(
        snapshot,
        scope,
        """
        select status, code, count(*) as case_count,
               count(*) filter (where case_id in (select case_id from published_queue))
                   as queued_count
        from (select * from published_cases where {in_scope} and is_open) as own_cases
        join published_current_statuses using (case_id)
        where measure_id = 'case'
        group by all
        order by all
        """,
    )


def case_record(snapshot: Snapshot, scope: Scope, case_id: str) -> CaseRecord:
    """Return everything published about one case.

    Raises
    ------
    UnknownCaseError
        If no such case is in the viewer's scope; whether it exists elsewhere is not said.
    """
    found = _case_rows(
        snapshot,
        scope,
        "select * from published_cases where {in_scope} and case_id = $case_id",
        case_id=case_id,
    )
    if found.is_empty():
        message = (
            f"No case {case_id!r} is among the cases you supervise. Check the id, or ask the "
            "supervisor of its therapist."
        )
        raise UnknownCaseError(message)

    missing = {
        name: _nothing_of(table)
        for name, table in _SINCE_VERSION_2.items()
        if f"published_{table.name}" not in _tables(snapshot.cases)
    }
    frames = _frames(snapshot.cases, _OF_CASE | missing, case_id=case_id)
    queue_rows = frames.pop("queue").to_dicts()
    return CaseRecord(
        case=found.to_dicts()[0], queue_row=queue_rows[0] if queue_rows else None, **frames
    )


def run(snapshot: Snapshot, scope: Scope) -> dict[str, Any]:
    """Return the run that made the snapshot: rule version, whether simulated, title."""
    found = runs(snapshot, scope).filter(pl.col("run_id") == snapshot.run_id).to_dicts()
    return found[0] if found else {"is_simulated": False, "title": None, "rule_version": "?"}


def runs(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the runs of the night, latest first."""
    return _aggregate_rows(snapshot, scope, "select * from published_runs order by run_id desc")


def run_counts(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return what each step of each run read and wrote."""
    return _aggregate_rows(snapshot, scope, "select * from published_run_counts order by run_id")


def files(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the files seen, latest first."""
    return _aggregate_rows(snapshot, scope, "select * from published_files order by position desc")


def quarantine(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return what was set aside, by file and rule, most rows first."""
    query = "select * from published_quarantine order by row_count desc, path, rule_id"
    return _aggregate_rows(snapshot, scope, query)


def trends(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return figures over many cases, after suppression."""
    query = "select * from published_trends order by figure, period, site_id, category"
    return _aggregate_rows(snapshot, scope, query)


def talking_therapies(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return England's official outcomes, after suppression; no row in a snapshot from before."""
    if "published_talking_therapies" not in _tables(snapshot.aggregates):
        return pl.DataFrame()
    query = "select * from published_talking_therapies order by figure, period, category"
    return _aggregate_rows(snapshot, scope, query)


def measures(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the measures in use and where their numbers come from."""
    return _aggregate_rows(snapshot, scope, "select * from published_measures order by all")


def _tables(path: Path) -> set[str]:
    return set(_rows(path, "select table_name from duckdb_tables()")["table_name"])


def _nothing_of(table: Table) -> str:
    """Return a query with the columns of a table and no row."""
    columns = ", ".join(f"null::{column.type} as {column.name}" for column in table.columns)
    return f"select {columns} where $case_id is null"


def _case_rows(snapshot: Snapshot, scope: Scope, query: str, **values: str) -> pl.DataFrame:
    scope.require_cases()
    assert _SCOPE_WORDS in query, "a query on cases without a scope"  # noqa: S101 - a guard
    return _rows(
        snapshot.cases,
        query.replace(_SCOPE_WORDS, _IN_SCOPE),
        therapist_ids=list(scope.therapist_ids),
        sees_cases_without_therapist=scope.sees_cases_without_therapist,
        **values,
    )


def _aggregate_rows(snapshot: Snapshot, scope: Scope, query: str) -> pl.DataFrame:
    assert scope.role, "aggregates are shown to signed-in roles only"  # noqa: S101 - a guard
    return _rows(snapshot.aggregates, query)


def _rows(path: Path, query: str, **values: str | bool | list[str]) -> pl.DataFrame:
    return _frames(path, {"rows": query}, **values)["rows"]


def _frames(
    path: Path, queries: dict[str, str], **values: str | bool | list[str]
) -> dict[str, pl.DataFrame]:
    # The file's identity is part of the key: an erasure that rewrites it is seen at once.
    try:
        state = path.stat()
    except FileNotFoundError:
        raise _unreadable(path) from None
    return _answers(str(path), (state.st_mtime_ns, state.st_size, state.st_ino), queries, values)


@st.cache_data(max_entries=ANSWERS_KEPT, ttl=SECONDS_KEPT, show_spinner=False)
def _answers(
    path: str,
    identity: tuple[int, int, int],
    queries: dict[str, str],
    values: dict[str, str | bool | list[str]],
) -> dict[str, pl.DataFrame]:
    del identity  # part of the cache's key only
    locked: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "lock_configuration": True,
    }
    try:
        with duckdb.connect(path, read_only=True, config=locked) as connection:
            return {
                name: connection.sql(query, params=values or None).pl()
                for name, query in queries.items()
            }
    except duckdb.IOException:
        raise _unreadable(Path(path)) from None


def _unreadable(path: Path) -> SourceError:
    return SourceError(
        f"The snapshot {path.name} cannot be opened. Run 'unstuck doctor' on the server; the next "
        "night publishes a new one."
    )
