"""`unstuck audit` tells who looked at what, and changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from dashboard import audit
from dashboard.workspace_store import workspace, writing
from data_contracts.client_secret import SECRET_VARIABLE
from data_contracts.errors import WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.workspace_tables import AUDIT_EVENTS
from pipelines.checking import checks
from pipelines.cli import app
from pipelines.reading_audit import Wanted, audit_events

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVENTS = [
    ("S", "supervisor", "signed_in", None, ""),
    ("S", "supervisor", "case_viewed", "C-1", ""),
    ("S", "supervisor", "case_refused", "C-2", "outside scope"),
    ("M", "manager", "exported", None, "practice report"),
    ("", "", "role_refused", None, "no role"),
]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.at(tmp_path)


@pytest.fixture
def filled(places: Places, workspace_settings: Settings) -> Settings:
    """Settings whose store, of each kind, holds one event a day."""
    with writing(workspace(places, workspace_settings)) as connection:
        for day, (user, role, action, case_id, detail) in enumerate(EVENTS):
            connection.execute(
                insert(AUDIT_EVENTS).values(
                    event_id=str(day),
                    noted_at=NOON + timedelta(days=day),
                    user_id=user,
                    role=role,
                    action=action,
                    case_id=case_id,
                    detail=detail,
                )
            )
    return workspace_settings


def actions(places: Places, settings: Settings, **wanted: object) -> list[str]:
    return [event.action for event in audit_events(places, settings, Wanted(**wanted))]  # type: ignore[arg-type]  # from the tests


def test_events_come_in_the_order_of_time_and_can_be_asked_for(
    places: Places, filled: Settings
) -> None:
    assert actions(places, filled) == [event[2] for event in EVENTS]
    assert actions(places, filled, case_id="C-2") == ["case_refused"]
    assert actions(places, filled, user_id="M") == ["exported"]
    assert actions(places, filled, action="case_viewed") == ["case_viewed"]
    since = (NOON + timedelta(days=3)).date()
    assert actions(places, filled, since=since) == ["exported", "role_refused"]
    first = audit_events(places, filled, Wanted())[0]
    assert first.noted_at == NOON


def test_the_command_prints_lines_for_people_and_json_for_programs(places: Places) -> None:
    with writing(workspace(places, Settings())) as connection:
        connection.execute(
            insert(AUDIT_EVENTS).values(
                event_id="1",
                noted_at=NOON,
                user_id="S",
                role="supervisor",
                action="case_viewed",
                case_id="C-1",
                detail="",
            )
        )
    run = CliRunner().invoke
    text = run(app, ["audit", "--home", str(places.home)]).output
    assert "2026-11-20 12:00:00  S (supervisor)  case_viewed  C-1" in text
    told = json.loads(run(app, ["audit", "--home", str(places.home), "--json"]).output)
    assert [event["case_id"] for event in told] == ["C-1"]
    nothing = run(app, ["audit", "--home", str(places.home), "--since", "2026-11-21"]).output
    assert "Nothing of that kind" in nothing


def test_before_the_screens_were_opened_there_is_nothing_and_no_file_is_made(
    places: Places,
) -> None:
    assert audit_events(places, Settings(), Wanted()) == []
    assert not places.workspace.exists()


def test_a_store_that_is_none_is_told_in_words(places: Places) -> None:
    places.workspace.write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(WorkspaceError, match="cannot be read"):
        audit_events(places, Settings(), Wanted())


def told(places: Places, what: str) -> tuple[bool, str]:
    (found,) = [check for check in checks(places) if check.what == what]
    return found.is_fine, found.told


def test_doctor_looks_at_the_store_and_at_sign_in(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    assert told(places, "workspace") == (True, "nothing written yet")
    assert told(places, "sign-in")[1].startswith("off")
    workspace(places, Settings())
    audit.note_person(workspace(places, Settings()), user_id="S", action="signed_in")
    assert told(places, "workspace")[1].startswith("last written 20")
    places.settings.write_text(
        '[sign_in]\nprovider = "https://a.example"\nclient_id = "u"\n'
        'address = "https://b.example"\nclient_secret_file = "secret"\n',
        encoding="utf-8",
    )
    is_fine, words = told(places, "sign-in")
    assert not is_fine
    assert "client_secret_file" in words
    (places.home / "secret").write_text("between us", encoding="utf-8")
    assert told(places, "sign-in") == (True, "by https://a.example, at https://b.example")


def test_doctor_tells_of_a_store_that_cannot_be_read(places: Places) -> None:
    places.workspace.write_bytes(b"not a database, and long enough to be looked at" * 100)
    is_fine, words = told(places, "workspace")
    assert not is_fine
    assert "cannot be read" in words
