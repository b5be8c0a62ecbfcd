"""Where do the screens write? One SQLAlchemy engine: SQLite in the home, or PostgreSQL by URL.

What `writing` has let go of without an error is on disk: SQLite keeps a write-ahead log and syncs
it at every commit, and takes the write lock at the begin, so that nothing fails half-way for want
of it. The store is brought up to date at its first use, under a lock, by the migrations beside this
file. Errors are told in the practice's terms; they hold neither a value nor a password.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DisconnectionError, IntegrityError, SQLAlchemyError

from dashboard.workspace_errors import explained, place_of
from data_contracts.errors import WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.workspace_engine import postgresql

_MIGRATIONS = Path(__file__).parent / "migrations"
_SECONDS_TO_WAIT = 30  # for another writer; a review takes milliseconds
_LOCK_KEY = 7_205_759  # any number; the same for everybody who brings a store up to date
_ONLY_READS = "unstuck_only_reads"
# One engine a store and process. The lock also guards Alembic, whose context is one a process.
_open: dict[tuple[str, str], Engine] = {}
_opening = Lock()


def workspace(places: Places, settings: Settings) -> Engine:
    """Return the store of this practice, brought up to date; kept open afterwards.

    Raises
    ------
    ContractError
        If `[workspace] url` is no address of a PostgreSQL database.
    WorkspaceError
        If the store cannot be opened or was written by a newer unstuck.
    """
    key = (settings.workspace.url, str(places.workspace))
    with _opening:
        if key not in _open:
            _open[key] = _opened(*key)
        return _open[key]


def close_stores() -> None:
    """Let go of every store this process has open; the next question opens it anew."""
    with _opening:
        while _open:
            _open.popitem()[1].dispose()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction of its own; it is kept when the block ends well.

    Raises
    ------
    IntegrityError
        If a row breaks a constraint of its table.
    WorkspaceError
        If the store cannot be used. Unless it says otherwise nothing was kept.
    """
    with _told(engine), engine.begin() as connection:
        yield connection


@contextmanager
def only_reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of the store and keeps no writer waiting.

    Raises
    ------
    WorkspaceError
        If the store cannot be used.
    """
    with (
        _told(engine),
        engine.connect().execution_options(**{_ONLY_READS: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        # Without the cause: it would carry the statement, its values and the address.
        raise explained(error, engine.url) from None


def _opened(url: str, path: str) -> Engine:
    if url:
        engine = _postgresql(url)
        _bring_up_to_date(engine)
        return engine
    file = Path(path)
    with _alone(file):
        engine = _sqlite(file)
        _bring_up_to_date(engine)
    return engine


def _postgresql(address: str) -> Engine:
    engine = postgresql(address)

    @event.listens_for(engine, "connect")
    def _keep_what_is_acknowledged(connection: Any, _record: object) -> None:  # noqa: ANN401 - any driver's
        with connection.cursor() as cursor:
            cursor.execute("set synchronous_commit to on")
        connection.commit()

    return engine


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        hide_parameters=True,
        connect_args={"timeout": _SECONDS_TO_WAIT},
    )
    try:
        # Made before SQLite does, so that its log files are as private as the store itself. Never
        # opened when it is there: closing it again would drop the locks SQLite holds on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        path.chmod(0o600)
    except OSError as error:
        message = (
            f"The workspace store cannot be made {place_of(engine.url)}: {error.strerror}. "
            "Make the folder writable for the account that runs the screens."
        )
        raise WorkspaceError(message) from None

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: Any) -> None:  # noqa: ANN401 - of the pool
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on",
                       "secure_delete=on"):  # fmt: skip
            connection.execute(f"pragma {pragma}")
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _still_the_same_file(_connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401 - of the pool
        # A restored backup is another file: what goes into the old one would be lost.
        if record.info.get("file") != _identity(path):
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_ONLY_READS)
        connection.exec_driver_sql("begin" if reads else "begin immediate")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    """Keep other processes from making or migrating the same file."""
    beside = store.with_name(f"{store.name}.lock")
    try:
        handle = os.open(beside, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        message = (
            f"The workspace store cannot be opened in {store.parent}: {error.strerror}. Make the "
            "folder writable for the account that runs the screens."
        )
        raise WorkspaceError(message) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _bring_up_to_date(engine: Engine) -> None:
    try:
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            _migrate(connection, engine.url)
    except IntegrityError as error:
        engine.dispose()
        raise explained(error, engine.url) from None
    except WorkspaceError:
        engine.dispose()
        raise


def _migrate(connection: Connection, url: URL) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {found.revision for found in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        message = (
            f"The workspace store {place_of(url)} was written by a newer unstuck (its version is "
            f"{current}). Nothing was changed. Update unstuck on this machine."
        )
        raise WorkspaceError(message)
    command.upgrade(config, "head")
