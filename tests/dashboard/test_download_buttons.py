"""A file leaves only for those who may have it, after the audit log knows, and is not kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy
from types import SimpleNamespace
from typing import Any

import duckdb
import polars as pl
import pytest
from sqlalchemy import select
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from dashboard import download_buttons, reading
from dashboard.case_downloads import case_exports
from dashboard.download_buttons import (
    MAY_EXPORT,
    SECONDS_KEPT,
    Export,
    ExportError,
    forget_downloads,
    released,
)
from dashboard.downloads import CSV
from dashboard.scope import OutsideScopeError, Scope
from dashboard.sign_in_roles import person_of, scope_of
from dashboard.sign_in_sessions import admit, token_of
from dashboard.viewer import Viewer
from dashboard.visit import Visit
from data_contracts.errors import WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings, settings_of
from data_contracts.workspace_tables import AUDIT_EVENTS

CASE_SCOPE = Scope(role="supervisor", supervisor_id="S-01", therapist_ids=("T-001", "T-002"))


def visit_of(places: Places, scope: Scope, settings: Settings | None = None) -> Visit:
    snapshot = reading.current_snapshot(places)
    return Visit(
        places=places,
        snapshot=snapshot,
        viewer=Viewer(user_id="somebody", scope=scope),
        settings=settings or Settings(),
        run=reading.run(snapshot, scope),
        case_page=None,
        queue_page=None,
        head=None,
    )


def noted(visit: Visit) -> list[tuple[Any, ...]]:
    with visit.workspace.connect() as connection:
        events = connection.execute(
            select(
                AUDIT_EVENTS.c.user_id,
                AUDIT_EVENTS.c.role,
                AUDIT_EVENTS.c.action,
                AUDIT_EVENTS.c.case_id,
                AUDIT_EVENTS.c.detail,
            ).order_by(AUDIT_EVENTS.c.case_id)
        )
        return [tuple(event) for event in events]


def an_export(**more: Any) -> Export:
    return Export(
        **{
            "kind": "case",
            "label": "Scores",
            "file_name": "scores.csv",
            "mime": CSV,
            "what": "case scores.csv",
            "make": lambda: b"made",
            "case_ids": ("C-001",),
            **more,
        }
    )


def test_every_case_in_a_file_is_in_the_audit_log(own_practice: Places) -> None:
    visit = visit_of(own_practice, CASE_SCOPE)
    assert released(visit, an_export(case_ids=("C-001", "C-002"))) == b"made"
    assert noted(visit) == [
        ("somebody", "supervisor", "exported", "C-001", "case scores.csv"),
        ("somebody", "supervisor", "exported", "C-002", "case scores.csv"),
    ]


def test_the_audit_log_is_written_before_the_file_is_made(own_practice: Places) -> None:
    visit = visit_of(own_practice, CASE_SCOPE)
    seen: list[int] = []

    def make() -> bytes:
        seen.append(len(noted(visit)))
        return b"made"

    released(visit, an_export(make=make))
    assert seen == [1]


def test_without_an_audit_log_nothing_leaves(own_practice: Places, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        message = "The audit log cannot be written"
        raise WorkspaceError(message)

    monkeypatch.setattr(download_buttons.audit, "note_cases", broken)
    made: list[int] = []
    with pytest.raises(WorkspaceError):
        released(
            visit_of(own_practice, CASE_SCOPE),
            an_export(make=lambda: made.append(1) or b""),
        )
    assert made == []


@pytest.mark.parametrize("kind", list(MAY_EXPORT))
@pytest.mark.parametrize("role", ["supervisor", "manager", "analyst"])
def test_each_role_takes_out_what_is_theirs_and_nothing_else(
    own_practice: Places, kind, role
) -> None:
    visit = visit_of(own_practice, Scope(role=role))
    export = an_export(kind=kind, case_ids=())
    if (role, kind) in {
        ("supervisor", "case"),
        ("manager", "aggregates"),
        ("analyst", "aggregates"),
        ("analyst", "runs"),
    }:
        assert released(visit, export) == b"made"
    else:
        with pytest.raises(OutsideScopeError):
            released(visit, export)
        assert noted(visit) == []


def test_who_has_signed_out_gets_nothing(own_practice: Places, monkeypatch) -> None:
    monkeypatch.setattr(Visit, "now", lambda _: None)
    visit = visit_of(own_practice, CASE_SCOPE)
    with pytest.raises(ExportError, match="Sign in again"):
        released(visit, an_export())
    assert noted(visit) == []


# --- A tab that has been open for long -----------------------------------------------------------

SIGN_IN = """
[sign_in]
provider = "https://login.example.org"
client_id = "unstuck"
address = "https://unstuck.example.org"
role_claim = "groups"
supervisor_values = ["sup"]
manager_values = ["man"]
supervisor_claim = "sid"
"""


@pytest.fixture
def open_tab(own_practice: Places) -> Callable[..., Visit]:
    """Return what signs somebody in and keeps their visit, as a button on the screen does."""
    own_practice.settings.write_text(SIGN_IN, encoding="utf-8")

    def opened(**more: str) -> Visit:
        issued = int(datetime.now(UTC).timestamp())
        claims = {"iss": "i", "sub": "user-1", "nonce": "n", "iat": issued, **more}
        token, settings = token_of(claims), settings_of(own_practice)
        assert token is not None
        person = person_of(claims, settings.sign_in)
        snapshot = reading.current_snapshot(own_practice)
        known, _ = reading.assignments(snapshot, Scope(role="supervisor"))
        scope = scope_of(person, person.roles[0], settings.roles, known)
        visit = visit_of(own_practice, scope, settings)
        admit(
            visit.workspace, token, "user-1", settings.sign_in, now=datetime.now(UTC), by_hand=True
        )
        return replace(
            visit, viewer=Viewer(user_id="user-1", scope=scope, token=token, claims=claims)
        )

    return opened


def released_as_streamlit_does(visit: Visit, export: Export) -> bytes:
    """Release outside the script, in a thread of its own."""
    return asyncio.run(asyncio.to_thread(released, visit, export))


def nothing_leaves(visit: Visit, why: type[Exception], **more: Any) -> None:
    made: list[int] = []
    with pytest.raises(why):
        released_as_streamlit_does(visit, an_export(make=lambda: made.append(1) or b"", **more))
    assert made == []
    assert "exported" not in {action for _, _, action, _, _ in noted(visit)}


def test_who_is_still_allowed_takes_the_file_out_of_an_old_tab(open_tab) -> None:
    assert released_as_streamlit_does(open_tab(groups="sup", sid="S-01"), an_export()) == b"made"


def test_who_was_refused_in_the_settings_takes_nothing_out_of_an_open_tab(open_tab) -> None:
    visit = open_tab(groups="sup", sid="S-01")
    visit.places.settings.write_text(f'{SIGN_IN}refused = ["User-1"]\n', encoding="utf-8")
    nothing_leaves(visit, ExportError)


def test_who_is_no_manager_any_more_takes_no_counts_out(open_tab) -> None:
    visit = open_tab(groups="man")
    counts = an_export(kind="aggregates", case_ids=())
    assert released_as_streamlit_does(visit, counts) == b"made"
    changed = SIGN_IN.replace('"man"', '"men"')
    visit.places.settings.write_text(changed, encoding="utf-8")
    with pytest.raises(ExportError):
        released_as_streamlit_does(visit, counts)


def test_a_case_that_went_to_another_supervisor_stays_and_the_try_is_logged(open_tab) -> None:
    visit = open_tab(groups="sup", sid="S-01")
    visit.places.settings.write_text(
        f'{SIGN_IN}[roles.supervisors]\n"S-01" = ["T-002"]\n"S-02" = ["T-001"]\n',
        encoding="utf-8",
    )
    nothing_leaves(visit, OutsideScopeError, case_ids=("C-001", "C-002"))
    assert noted(visit) == [("user-1", "supervisor", "case_refused", "C-001", "outside scope")]


def test_a_case_that_was_erased_stays_and_its_id_is_not_written_again(open_tab, rewriting) -> None:
    visit = open_tab(groups="sup", sid="S-01")
    with rewriting(visit.snapshot.cases) as connection:
        connection.execute("delete from published_cases where case_id = 'C-001'")
    nothing_leaves(visit, OutsideScopeError)
    assert noted(visit) == [("user-1", "supervisor", "case_refused", None, "no case of this id")]


def test_a_case_that_the_next_night_no_longer_publishes_stays(open_tab) -> None:
    visit = open_tab(groups="sup", sid="S-01")
    new = copy(visit.snapshot.cases, visit.places.published / "next.cases.duckdb")
    with duckdb.connect(str(new)) as connection:
        connection.execute("delete from published_cases where case_id = 'C-001'")
    pointer = visit.places.pointer()
    visit.places.point_to(pointer.model_copy(update={"cases": Path(new).name}))
    nothing_leaves(visit, OutsideScopeError)


def test_a_tab_from_before_sign_in_was_set_up_gives_nothing(own_practice: Places) -> None:
    visit = visit_of(own_practice, CASE_SCOPE)
    own_practice.settings.write_text(SIGN_IN, encoding="utf-8")
    nothing_leaves(visit, ExportError)


def test_an_error_in_making_says_nothing_of_its_content(own_practice: Places) -> None:
    def make() -> bytes:
        message = "score 27 of C-001"
        raise ValueError(message)

    with pytest.raises(ExportError) as told:
        released(visit_of(own_practice, CASE_SCOPE), an_export(make=make))
    assert "ValueError" in str(told.value)
    assert "27" not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[MediaFileManager]:
    manager = MediaFileManager(MemoryMediaFileStorage("/media"))
    monkeypatch.setattr(download_buttons.runtime, "exists", lambda: True)
    monkeypatch.setattr(
        download_buttons.runtime, "get_instance", lambda: SimpleNamespace(media_file_mgr=manager)
    )
    return manager


def test_streamlit_throws_a_download_away_when_told_twice(kept: MediaFileManager) -> None:
    button = kept.add_deferred(lambda: b"made", CSV, "1.1", "scores.csv")
    file_id = kept.execute_deferred(button).removeprefix("/media/").split(".")[0]
    forget_downloads()
    assert kept.read_file(file_id) is not None, "somebody may just be fetching it"
    forget_downloads()
    assert kept.read_file(file_id) is None
    assert kept.execute_deferred(button), "the button on the screen still works"


def test_a_released_file_is_thrown_away_in_half_a_minute(
    kept: MediaFileManager, own_practice: Places, monkeypatch
) -> None:
    started: list[float] = []

    class Clock:
        daemon = False

        def __init__(self, seconds: float, then: object) -> None:
            assert then is forget_downloads
            self.seconds = seconds

        def start(self) -> None:
            started.append(self.seconds)

    monkeypatch.setattr(download_buttons, "Timer", Clock)
    released(visit_of(own_practice, CASE_SCOPE), an_export())
    assert started == [SECONDS_KEPT / 2, SECONDS_KEPT] == [15, 30]


def test_every_file_of_a_case_can_be_made_and_names_only_the_pseudonym(
    own_practice: Places,
) -> None:
    visit = visit_of(
        own_practice, replace(CASE_SCOPE, therapist_ids=tuple(f"T-{n:03}" for n in range(1, 5)))
    )
    queue = reading.queue(visit.snapshot, visit.scope)
    stuck = queue.filter(pl.col("kind") == "stuck")["case_id"][0]
    record = reading.case_record(visit.snapshot, visit.scope, stuck)
    exports = case_exports(visit, record)
    assert [export.file_name for export in exports] == [
        f"unstuck-{stuck}-{ending}"
        for ending in ("sheet.pdf", "charts.png", "charts.svg", "scores.csv", "tables.xlsx")
    ]
    starts = {
        "pdf": b"%PDF-", "png": b"\x89PNG", "svg": b"<svg", "csv": b'"case_id"', "xlsx": b"PK"
    }  # fmt: skip
    for export in exports:
        made = released(visit, export)
        assert made.startswith(starts[export.file_name.rsplit(".", 1)[1]])
    assert {event[3] for event in noted(visit)} == {stuck}
    assert len(noted(visit)) == len(exports)
