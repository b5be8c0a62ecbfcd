"""Who looked at what? The audit log the screens write, read without changing anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.workspace_engine import rows_to_read
from data_contracts.workspace_tables import AUDIT_EVENTS

if TYPE_CHECKING:
    from sqlalchemy import Select


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """One thing somebody saw, took out, decided or was refused; `case_id` is None for none."""

    noted_at: datetime
    user_id: str
    role: str
    action: str
    case_id: str | None
    detail: str


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events are asked for; what is None or '' is not asked about. `since` begins in UTC."""

    case_id: str = ""
    user_id: str = ""
    action: str = ""
    since: date | None = None


def audit_events(places: Places, settings: Settings, wanted: Wanted) -> list[AuditEvent]:
    """Return the events asked for, in the order of time; none before the screens were opened.

    Raises
    ------
    ContractError
        If `[workspace] url` is no address of a PostgreSQL database.
    WorkspaceError
        If the store cannot be read; says neither its password nor a value.
    """
    rows = rows_to_read(places, settings, _asked(wanted))
    return [AuditEvent(**row._asdict()) for row in rows]


def last_event_at(places: Places, settings: Settings) -> datetime | None:
    """Return when something was last written; None before the screens were opened.

    Raises
    ------
    WorkspaceError
        If the store cannot be read.
    """
    from sqlalchemy import func, select

    rows = rows_to_read(places, settings, select(func.max(AUDIT_EVENTS.c.noted_at)))
    return rows[0][0] if rows else None


def _asked(wanted: Wanted) -> Select[Any]:
    from sqlalchemy import select

    columns = AUDIT_EVENTS.c
    asked = select(*(columns[name] for name in AuditEvent.__dataclass_fields__))
    for name in ("case_id", "user_id", "action"):
        if value := getattr(wanted, name):
            asked = asked.where(columns[name] == value)
    if wanted.since is not None:
        asked = asked.where(columns.noted_at >= datetime.combine(wanted.since, time(), UTC))
    return asked.order_by(columns.noted_at, columns.event_id)
