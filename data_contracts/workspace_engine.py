"""How is the store the screens write into reached? Its address, looked at in one place.

The screens open it to write (dashboard/workspace_store.py); whoever only reads opens it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Engine, Row, Select, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from data_contracts.errors import ContractError, WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings

_DRIVER = "postgresql+psycopg"
_SECONDS_TO_CONNECT = 5


def engine_to_read(places: Places, settings: Settings) -> Engine | None:
    """Return the store as one that cannot be written; None before anything opened it.

    The caller disposes of it. Errors of its use are SQLAlchemy's, without values.

    Raises
    ------
    ContractError
        If `[workspace] url` is no address of a PostgreSQL database.
    """
    if settings.workspace.url:
        return postgresql(settings.workspace.url, execution_options={"postgresql_readonly": True})
    if not places.workspace.exists():
        return None
    file = f"file:{places.workspace}"
    address = URL.create("sqlite+pysqlite", database=file, query={"mode": "ro", "uri": "true"})
    return create_engine(address, hide_parameters=True)


def rows_to_read(places: Places, settings: Settings, asked: Select[Any]) -> Sequence[Row[Any]]:
    """Return what is asked of the store, without changing it; nothing before anything opened it.

    Raises
    ------
    ContractError
        If `[workspace] url` is no address of a PostgreSQL database.
    WorkspaceError
        If the store cannot be read; says neither its password nor a value.
    """
    engine = engine_to_read(places, settings)
    if engine is None:
        return []
    try:
        with engine.connect() as connection:
            return connection.execute(asked).all()
    except SQLAlchemyError as error:
        message = (
            f"the workspace store cannot be read ({type(error).__name__}): is it there, and has "
            "this version of the screens opened it once?"
        )
        raise WorkspaceError(message) from None
    finally:
        engine.dispose()


def postgresql(address: str, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own options
    """Return the engine of a PostgreSQL address; nothing is connected to yet.

    Raises
    ------
    ContractError
        If it is no such address. The message does not repeat it: it may hold a password.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        url = None
    if url is None or url.drivername not in ("postgresql", "postgres", _DRIVER):
        message = (
            "workspace.url in unstuck.toml is no address of a PostgreSQL database. It looks like "
            "postgresql://user@host:5432/database; leave it empty to use a file in the home."
        )
        raise ContractError(message)
    return create_engine(
        url.set(drivername=_DRIVER),
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"connect_timeout": _SECONDS_TO_CONNECT},
        **options,
    )
