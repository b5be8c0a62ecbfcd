"""What may this viewer read from the published snapshot? Every question to it.

Every function asks for a scope and enforces it. Cases are read from `<run>.cases.duckdb`, which
is never opened for anybody but a supervisor; all others read `<run>.aggregates.duckdb`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from dashboard.scope import Assignment, Scope
from dashboard.snapshot_files import FILES_OPEN, Identity, SnapshotFiles, Value, identity_of
from data_contracts.contract import SqlType, Table
from data_contracts.errors import UnknownCaseError
from data_contracts.places import Places
from data_contracts.tables_judged import EVENTS, FORECASTS, LENSES, OUTLOOKS
from data_contracts.tables_published import PUBLISHED_CASELOAD, PUBLISHED_QUEUE

# Remembered answers: enough for the screens of a morning, dropped after an hour.
ANSWERS_KEPT = 400
SECONDS_KEPT = 3600

_FILES = SnapshotFiles()

# Every query on cases must hold these words; they become the condition below.
_SCOPE_WORDS = "{in_scope}"
_IN_SCOPE = """
    (list_contains($therapist_ids::varchar[], therapist_id)
     or (therapist_id is null and $sees_cases_without_therapist::boolean))
"""


# What tells one open flag from every other. Its day, because a score that comes in late numbers the
# occasions anew; the occasion only where nobody knows the day.
_QUEUE = """
    select *, coalesce((
        select string_agg(
            concat_ws(
                '|', flags.kind, flags.measure_id,
                coalesce('day ' || flags.opened_day, 'occasion ' || flags.opened_occasion)
            ), ',' order by flags.kind, flags.measure_id
        )
        from published_flags as flags
        where flags.case_id = published_queue.case_id and flags.closed_run_id is null
    ), '') as open_flags
    from published_queue
"""

_OF_CASE = {
    "queue": f"{_QUEUE} where case_id = $case_id",
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
    "outlooks": "select * from published_outlooks where case_id = $case_id "
    "order by measure_id, outcome",
    "lenses": "select * from published_lenses where case_id = $case_id order by position",
}

# Tables that a snapshot of an older version does not hold.
_SINCE_VERSION_2 = {
    "events": EVENTS,
    "forecasts": FORECASTS,
    "outlooks": OUTLOOKS,
    "lenses": LENSES,
}


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
    outlooks: pl.DataFrame
    lenses: pl.DataFrame
    measures: pl.DataFrame

    @cached_property
    def session_by_day(self) -> dict[int, int]:
        """The session on each day of the case, where the practice sends sessions."""
        found: dict[int, int] = {}
        for frame in (self.course, self.alliance, self.sessions):
            for day, session in frame.select("day", "session").drop_nulls().rows():
                found.setdefault(day, session)
        return found


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
    found, has_unassigned = _assigned(str(snapshot.cases), identity_of(snapshot.cases))
    return list(found), has_unassigned


# Asked in every run: kept as it is, not copied like an answer.
@st.cache_resource(max_entries=FILES_OPEN, ttl=SECONDS_KEPT, show_spinner=False)
def _assigned(path: str, identity: Identity) -> tuple[tuple[Assignment, ...], bool]:
    del identity  # part of the cache's key only
    rows = _rows(
        Path(path),
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
    return tuple(found), rows["therapist_id"].null_count() > 0


def queue(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the viewer's part of the queue, worst need first.

    `open_flags` names every open flag, comma-separated: 'stuck|phq9|day 63'. Columns that a
    snapshot of an older version does not hold are null.
    """
    found = _case_rows(snapshot, scope, f"{_QUEUE} where {{in_scope}} order by position")
    return _with_columns_of(PUBLISHED_QUEUE, found)


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


def caseload(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return what came of the ended cases of the viewer's own therapists, by id; of nobody else.

    A snapshot of an older version has no row, or null where it does not know a column.
    """
    scope.require_cases()
    if "published_caseload" not in _tables(snapshot.cases):
        return pl.DataFrame()
    found = _case_rows(
        snapshot, scope, "select * from published_caseload where {in_scope} order by therapist_id"
    )
    return _with_columns_of(PUBLISHED_CASELOAD, found)


def therapist_lenses(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return what lens rows say of the viewer's own therapists, by id; of nobody else."""
    scope.require_cases()
    if "published_therapist_lenses" not in _tables(snapshot.cases):
        return pl.DataFrame(schema={"therapist_id": pl.String})
    query = (
        "select * from published_therapist_lenses where {in_scope} order by therapist_id, row_id"
    )
    return _case_rows(snapshot, scope, query)


def open_cases(snapshot: Snapshot, scope: Scope, therapist_id: str) -> pl.DataFrame:
    """Return the open cases of one therapist: those of the queue in its order, then by id.

    `position`, `is_flagged`, `since_session`, `since_day` and `waiting_days` (days since what leads
    the queue began) are null outside the queue; `sentence` is null where the night wrote none.
    """
    return _case_rows(
        snapshot,
        scope,
        """
        with

        own_cases as (
            select * from published_cases
            where {in_scope} and is_open and therapist_id = $therapist_id
        ),

        said as (
            select
                standing.case_id,
                standing.status,
                standing.code,
                first(
                    reasons.sentence
                    order by reasons.measure_id = 'case' desc, reasons.occasion desc, position
                ) as sentence
            from published_current_statuses as standing
            semi join own_cases using (case_id)
            left join published_reasons as reasons
                on standing.case_id = reasons.case_id
                and not starts_with(reasons.code, 'leaves_')
                and (
                    reasons.measure_id = standing.decided_by
                    or (reasons.measure_id = 'case' and reasons.occasion = standing.occasion)
                )
            where standing.measure_id = 'case'
            group by all
        )

        select
            own_cases.case_id,
            own_cases.sessions_attended,
            own_cases.days_since_contact,
            coalesce(said.status, 'cannot_judge') as status,
            coalesce(said.code, 'no_score') as code,
            coalesce(queue.sentence, said.sentence) as sentence,
            queue.position,
            queue.kind,
            queue.is_flagged,
            queue.since_session,
            queue.since_day,
            $as_of::bigint - own_cases.practice_day_start - queue.since_day as waiting_days
        from own_cases
        left join said using (case_id)
        left join published_queue as queue using (case_id)
        order by queue.position nulls last, own_cases.case_id
        """,
        therapist_id=therapist_id,
        as_of=snapshot.as_of,
    )


def cases_outside_queue(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the viewer's cases that are not in the queue, open or ended, and where they stand."""
    return _case_rows(
        snapshot,
        scope,
        """
        select own_cases.case_id, own_cases.therapist_id, own_cases.is_open,
               own_cases.closed_class, standing.status, standing.code
        from (select * from published_cases where {in_scope}) as own_cases
        left join published_current_statuses as standing
            on own_cases.case_id = standing.case_id and standing.measure_id = 'case'
        where own_cases.case_id not in (select case_id from published_queue)
        order by own_cases.case_id
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
    # Alike for every case: remembered once.
    frames["measures"] = _rows(snapshot.cases, "select * from published_measures order by all")
    queue_rows = frames.pop("queue").to_dicts()
    return CaseRecord(
        case=found.to_dicts()[0], queue_row=queue_rows[0] if queue_rows else None, **frames
    )


def cases_in_scope(snapshot: Snapshot, scope: Scope, case_ids: Sequence[str]) -> set[str]:
    """Return which of these cases the viewer may see."""
    query = (
        "select case_id from published_cases where {in_scope} and list_contains($asked, case_id)"
    )
    return set(_case_rows(snapshot, scope, query, asked=list(case_ids))["case_id"])


def is_published(snapshot: Snapshot, scope: Scope, case_id: str) -> bool:
    """Return whether any case has this id: for the audit log alone, never to be shown."""
    scope.require_cases()
    query = "select 1 from published_cases where case_id = $case_id"
    return len(_rows(snapshot.cases, query, case_id=case_id)) > 0


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


def models(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the models in use and what to do about each; no row before there is one."""
    query = "select * from published_models order by measure_id, outcome"
    return _if_there(snapshot, scope, "published_models", query)


def drift(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return what the models in use rest on, beside what it was when they were trained."""
    query = "select * from published_drift order by measure_id, outcome, kind, feature"
    return _if_there(snapshot, scope, "published_drift", query)


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


def trend_groups(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return figures by problem, age, sex and ethnicity; none in a snapshot from before."""
    query = "select * from published_trend_groups order by figure, dimension, group_id, period"
    return _if_there(snapshot, scope, "published_trend_groups", query)


def funnel(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return sites in the funnel of each figure; none in a snapshot from before."""
    query = "select * from published_funnel order by figure, site_id"
    return _if_there(snapshot, scope, "published_funnel", query)


def talking_therapies(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return England's official outcomes, after suppression; no row in a snapshot from before."""
    query = "select * from published_talking_therapies order by figure, period, category"
    return _if_there(snapshot, scope, "published_talking_therapies", query)


def follow_up(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return what followed flags, after suppression; no row in a snapshot from before."""
    query = "select * from published_follow_up order by kind, figure, group_id, category"
    return _if_there(snapshot, scope, "published_follow_up", query)


def measures(snapshot: Snapshot, scope: Scope) -> pl.DataFrame:
    """Return the measures in use and where their numbers come from."""
    return _aggregate_rows(snapshot, scope, "select * from published_measures order by all")


def _tables(path: Path) -> set[str]:
    return set(_rows(path, "select table_name from duckdb_tables()")["table_name"])


_TYPES: dict[SqlType, type[pl.DataType]] = {
    "text": pl.String,
    "bigint": pl.Int64,
    "integer": pl.Int32,
    "double": pl.Float64,
    "boolean": pl.Boolean,
    "timestamp": pl.Datetime,
    "date": pl.Date,
}


def _with_columns_of(table: Table, found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with every column of the contract; null where the snapshot is older."""
    since_then = [column for column in table.columns if column.name not in found.columns]
    return found.with_columns(
        # With its type: a column of nothing at all can be compared with nothing.
        pl.lit(None, _TYPES[column.type]).alias(column.name)
        for column in since_then
    )


def _nothing_of(table: Table) -> str:
    """Return a query with the columns of a table and no row."""
    columns = ", ".join(f"null::{column.type} as {column.name}" for column in table.columns)
    return f"select {columns} where $case_id is null"


def _case_rows(snapshot: Snapshot, scope: Scope, query: str, **values: Value) -> pl.DataFrame:
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


def _if_there(snapshot: Snapshot, scope: Scope, table: str, query: str) -> pl.DataFrame:
    """Return a table of aggregates that snapshots of older versions do not hold."""
    if table not in _tables(snapshot.aggregates):
        return pl.DataFrame()
    return _aggregate_rows(snapshot, scope, query)


def _rows(path: Path, query: str, **values: Value) -> pl.DataFrame:
    return _frames(path, {"rows": query}, **values)["rows"]


def _frames(path: Path, queries: dict[str, str], **values: Value) -> dict[str, pl.DataFrame]:
    return _answers(str(path), identity_of(path), queries, values)


def _answers(
    path: str, identity: Identity, queries: dict[str, str], values: dict[str, Value]
) -> dict[str, pl.DataFrame]:
    # Said as one text, because Streamlit is slow to tell nested values apart. The file's identity
    # is in it: an erasure that rewrites the file is seen at once. So is everything of the scope.
    key = repr((path, identity, queries, values))
    return _remembered(key, path, identity, queries, values)


@st.cache_data(max_entries=ANSWERS_KEPT, ttl=SECONDS_KEPT, show_spinner=False)
def _remembered(
    key: str,
    _path: str,
    _identity: Identity,
    _queries: dict[str, str],
    _values: dict[str, Value],
) -> dict[str, pl.DataFrame]:
    del key  # the arguments with an underscore are not looked at
    return _FILES.answers(_path, _identity, _queries, _values)
