"""Who saw, took out or decided what, and who was refused? Written before the screen is drawn.

Rows are only ever added. What is not written is not shown: `note` raises, and the caller stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, insert

from dashboard.workspace_store import writing
from data_contracts.workspace_tables import AUDIT_EVENTS, AuditAction

if TYPE_CHECKING:
    from dashboard.viewer import Viewer


def note(
    engine: Engine,
    *,
    viewer: Viewer,
    action: AuditAction,
    case_id: str | None = None,
    detail: str = "",
) -> None:
    """Write what a viewer does, and return once it is kept.

    `detail` names an export, a screen or a rule; never a value.

    Raises
    ------
    WorkspaceError
        If it cannot be kept: do not show, export or decide it.
    """
    note_cases(engine, viewer=viewer, action=action, case_ids=[case_id], detail=detail)


def note_cases(
    engine: Engine,
    *,
    viewer: Viewer,
    action: AuditAction,
    case_ids: Sequence[str | None],
    detail: str = "",
) -> None:
    """Write what a viewer does with several cases, a row for each: all of them or none."""
    user_id, role = viewer.user_id, viewer.scope.role
    _write(engine, [_row(user_id, role, action, case_id, detail) for case_id in case_ids])


def note_within(
    connection: Connection,
    *,
    viewer: Viewer,
    action: AuditAction,
    case_id: str,
    detail: str = "",
) -> None:
    """Write what a viewer does in the transaction that does it: both are kept, or neither."""
    row = _row(viewer.user_id, viewer.scope.role, action, case_id, detail)
    connection.execute(insert(AUDIT_EVENTS), row)


def note_person(
    engine: Engine,
    *,
    user_id: str,
    action: AuditAction,
    role: str = "",
    case_id: str | None = None,
    detail: str = "",
) -> None:
    """Write what somebody does who has no role yet, or none at all."""
    _write(engine, [_row(user_id, role, action, case_id, detail)])


def _write(engine: Engine, rows: list[dict[str, Any]]) -> None:
    with writing(engine) as connection:
        connection.execute(insert(AUDIT_EVENTS), rows)


def _row(
    user_id: str, role: str, action: AuditAction, case_id: str | None, detail: str
) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "noted_at": datetime.now(UTC),
        "user_id": user_id,
        "role": role,
        "action": action,
        "case_id": case_id,
        "detail": detail,
    }
