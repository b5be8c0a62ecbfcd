"""What is looked at is written down first; what cannot be written is not shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import select

from dashboard import audit
from dashboard.scope import Scope
from dashboard.viewer import Viewer
from dashboard.workspace_store import workspace
from data_contracts.errors import WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.workspace_tables import AUDIT_EVENTS, AuditAction

VIEWER = Viewer(user_id="user-1", scope=Scope(role="supervisor", supervisor_id="S-1"))


def test_a_note_says_who_as_what_when_and_about_which_case(tmp_path: Path) -> None:
    engine = workspace(Places.at(tmp_path), Settings())
    before = datetime.now(UTC)
    audit.note(engine, viewer=VIEWER, action="case_viewed", case_id="C-1", detail="case screen")
    with engine.connect() as connection:
        row = connection.execute(select(AUDIT_EVENTS)).one()
    assert (row.user_id, row.role, row.action) == ("user-1", "supervisor", "case_viewed")
    assert (row.case_id, row.detail) == ("C-1", "case screen")
    assert before <= row.noted_at <= datetime.now(UTC)
    engine.dispose()


@pytest.mark.parametrize("action", get_args(AuditAction))
def test_every_action_can_be_written(tmp_path: Path, action: AuditAction) -> None:
    engine = workspace(Places.at(tmp_path), Settings())
    audit.note(engine, viewer=VIEWER, action=action)
    engine.dispose()


def test_a_note_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    engine = workspace(Places.at(tmp_path), Settings())
    with engine.begin() as connection:
        connection.exec_driver_sql("drop table audit_events")
    with pytest.raises(WorkspaceError):
        audit.note(engine, viewer=VIEWER, action="case_viewed", case_id="C-1")
    engine.dispose()
