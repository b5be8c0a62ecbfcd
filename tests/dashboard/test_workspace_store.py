"""The store of the screens: made once, brought up to date, and never silent about what is wrong."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from dashboard import workspace_store
from dashboard.workspace_store import only_reading, workspace, writing
from data_contracts.errors import ContractError, WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings, Workspace
from data_contracts.workspace_tables import METADATA, STORED

MINIMAL = {
    "case_id": "C-1",
    "sequence": 1,
    "event_id": "an id",
    "recorded_at": "2026-11-23 10:00:00",
    "user_id": "S-1",
    "supervisor_id": "S-1",
    "kind": "review",
    "decision": "discussed",
    "reasons": "",
    "shown_run_id": "run",
    "shown_kinds": "",
    "shown_flags": "",
    "rule_version": "2",
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.at(tmp_path)


@pytest.fixture
def store(places: Places, workspace_settings: Settings) -> Engine:
    return workspace(places, workspace_settings)


def put(engine: Engine, **values: object) -> None:
    row = MINIMAL | values
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    with writing(engine) as connection:
        connection.execute(text(f"insert into review_events ({names}) values ({marks})"), row)


def migrated_to(engine: Engine, revision: str) -> None:
    with writing(engine) as connection:
        connection.execute(text("update alembic_version set version_num = :to"), {"to": revision})


# --- Coming about --------------------------------------------------------------------------------


def test_what_the_migrations_make_is_what_the_contracts_say(store: Engine) -> None:
    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    made, told = inspect(store), METADATA.tables
    for name, table in told.items():
        checks = {found["name"] for found in made.get_check_constraints(name)}
        declared = {
            str(item.name) for item in table.constraints if type(item).__name__ == "CheckConstraint"
        }
        assert checks == declared, name


def test_every_stored_table_is_told_in_the_dictionary() -> None:
    assert {table.name for table in STORED} == set(METADATA.tables)


def test_a_second_opening_changes_nothing(places: Places, workspace_settings: Settings) -> None:
    first = workspace(places, workspace_settings)
    put(first)
    workspace_store.close_stores()
    second = workspace(places, workspace_settings)
    assert second is not first
    with only_reading(second) as connection:
        assert connection.execute(text("select count(*) from review_events")).scalar() == 1


def test_a_store_of_the_first_version_is_brought_up_to_date(
    places: Places, workspace_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    upgrade = command.upgrade
    with monkeypatch.context() as older:
        older.setattr(command, "upgrade", lambda config, _head: upgrade(config, "0001"))
        put(workspace(places, workspace_settings))
    workspace_store.close_stores()
    newer = workspace(places, workspace_settings)
    assert set(METADATA.tables) <= set(inspect(newer).get_table_names())
    with only_reading(newer) as connection:
        assert connection.execute(text("select count(*) from review_events")).scalar() == 1


def _open_in_a_process(home: Path, url: str, answers: multiprocessing.Queue) -> None:
    try:
        engine = workspace(Places.at(home), Settings(workspace=Workspace(url=url)))
        answers.put(sorted(inspect(engine).get_table_names()))
    except Exception as error:  # noqa: BLE001 - told to the test
        answers.put(repr(error))


def test_many_processes_may_open_a_new_store_at_once(
    places: Places, workspace_settings: Settings
) -> None:
    spawn = multiprocessing.get_context("fork")
    answers = spawn.Queue()
    url = workspace_settings.workspace.url
    children = [
        spawn.Process(target=_open_in_a_process, args=(places.home, url, answers)) for _ in range(8)
    ]
    for child in children:
        child.start()
    found = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert found == [["alembic_version", *sorted(METADATA.tables)]] * len(children)


def test_a_store_of_a_newer_unstuck_is_refused_and_left_alone(
    places: Places, workspace_settings: Settings
) -> None:
    migrated_to(workspace(places, workspace_settings), "9999")
    workspace_store.close_stores()
    with pytest.raises(WorkspaceError, match="newer unstuck .its version is 9999.*Update unstuck"):
        workspace(places, workspace_settings)


# --- What the tables refuse ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"sequence": 0},
        {"kind": "thought"},
        {"decision": "sent home"},
        {"decision": None},
        {"lens": "luck"},
        {"undoes": 1, "kind": "undo"},
        {"decision": "watch_until"},
        {"watch_until": "2026-12-01"},
        {"kind": "undo", "decision": None},
        {"kind": "undo", "decision": None, "sequence": 2, "undoes": 2},
        {"kind": "undo", "decision": None, "sequence": 3, "undoes": 2},
    ],
    ids=str,
)
def test_a_row_outside_the_contract_is_refused(store: Engine, values: dict[str, object]) -> None:
    with pytest.raises(IntegrityError):
        put(store, **values)


def test_one_place_and_one_id_hold_one_event(store: Engine) -> None:
    put(store)
    with pytest.raises(IntegrityError):
        put(store, event_id="another id")
    with pytest.raises(IntegrityError):
        put(store, sequence=2)


def test_an_error_keeps_nothing_of_its_transaction(store: Engine) -> None:
    with pytest.raises(RuntimeError), writing(store) as connection:
        connection.execute(text("delete from alembic_version"))
        raise RuntimeError
    with only_reading(store) as connection:
        assert connection.execute(text("select count(*) from alembic_version")).scalar() == 1


# --- SQLite --------------------------------------------------------------------------------------


def test_the_file_is_for_its_owner_only_and_synced_at_every_commit(places: Places) -> None:
    engine = workspace(places, Settings())
    put(engine)
    modes = {path.name: path.stat().st_mode & 0o777 for path in places.home.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    with engine.connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_a_reader_waits_for_no_writer(places: Places) -> None:
    engine = workspace(places, Settings())
    with writing(engine) as writer:
        writer.execute(text("delete from review_events"))
        with only_reading(engine) as reader:
            assert reader.execute(text("select count(*) from review_events")).scalar() == 0


def test_a_backup_put_in_its_place_is_written_to_at_once(places: Places, tmp_path: Path) -> None:
    engine = workspace(places, Settings())
    backup = tmp_path / "backup.sqlite"
    with sqlite3.connect(places.workspace) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    put(engine)
    for ending in ("", "-wal", "-shm"):
        places.workspace.with_name(places.workspace.name + ending).unlink()
    shutil.move(backup, places.workspace)
    put(engine, event_id="after", case_id="C-2")
    with sqlite3.connect(places.workspace) as fresh:
        assert fresh.execute("select event_id from review_events").fetchall() == [("after",)]


def test_a_store_that_another_program_holds_is_told(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace_store, "_SECONDS_TO_WAIT", 0.1)
    engine = workspace(places, Settings())
    with sqlite3.connect(places.workspace, isolation_level=None) as other:
        other.execute("begin immediate")
        with pytest.raises(WorkspaceError, match="held by another program. Try again"):
            put(engine)


def test_a_damaged_store_is_told(places: Places) -> None:
    places.workspace.write_bytes(b"this is no database, and never was one" * 100)
    with pytest.raises(WorkspaceError, match="damaged or not ours.*backup"):
        workspace(places, Settings())


def test_a_full_disk_is_told_and_the_next_write_may_succeed(places: Places) -> None:
    engine = workspace(places, Settings())
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("pragma page_count").scalar()
        connection.exec_driver_sql(f"pragma max_page_count={pages}")
        connection.commit()
        with pytest.raises(Exception, match="full"), connection.begin():
            connection.execute(
                text("insert into alembic_version values (:much)"), {"much": "x" * 100_000}
            )
    engine.dispose()
    put(engine)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_to_is_told(places: Places) -> None:
    places.home.chmod(0o500)
    with pytest.raises(WorkspaceError, match="writable"):
        workspace(places, Settings())


def test_a_home_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="No such file or directory"):
        workspace(Places.at(tmp_path / "nowhere"), Settings())


# --- PostgreSQL ----------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["mysql://root:hush@db/x", "not a url", "sqlite:///x.db"])
def test_another_kind_of_database_is_refused_without_the_address(url: str, places: Places) -> None:
    with pytest.raises(ContractError) as refused:
        workspace(places, Settings(workspace=Workspace(url=url)))
    assert "postgresql://user@host:5432/database" in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_server_that_does_not_answer_is_told_without_the_password(places: Places) -> None:
    settings = Settings(workspace=Workspace(url="postgresql://me:hush@127.0.0.1:1/reviews"))
    with pytest.raises(WorkspaceError) as refused:
        workspace(places, settings)
    said = str(refused.value)
    assert "'reviews' on 127.0.0.1:1" in said
    assert "cannot be reached" in said
    assert "hush" not in said + repr(refused.value.__cause__) + repr(settings)


def test_a_database_that_is_not_there_is_told(postgresql, places: Places) -> None:
    url = postgresql.new_database().replace("/unstuck_", "/nothing_")
    with pytest.raises(WorkspaceError, match="does not exist|cannot be reached"):
        workspace(places, Settings(workspace=Workspace(url=url)))


def test_an_account_without_rights_is_told(postgresql, places: Places) -> None:
    url = postgresql.new_database()
    with writing(workspace(places, Settings(workspace=Workspace(url=url)))) as owner:
        owner.execute(text("drop role if exists visitor"))
        owner.execute(text("create role visitor login"))
    visitor = Settings(workspace=Workspace(url=url.replace("postgres@", "visitor@")))
    with pytest.raises(WorkspaceError, match="Grant it the rights"):
        workspace(places, visitor)
