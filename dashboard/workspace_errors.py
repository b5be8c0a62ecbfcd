"""What is wrong with the workspace store, and what is to be done?

Neither a value nor a password gets into these words.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from data_contracts.errors import WorkspaceError

# What SQLite's result codes mean to a practice: https://www.sqlite.org/rescode.html
_SQLITE = {
    "SQLITE_BUSY": "is held by another program. Try again; if it stays so, close what holds it",
    "SQLITE_LOCKED": "is held by another program. Try again; if it stays so, close what holds it",
    "SQLITE_READONLY": "cannot be written to. Make it writable for the account that runs the "
    "screens",
    "SQLITE_CANTOPEN": "cannot be opened. Check that its folder is there and writable for the "
    "account that runs the screens",
    "SQLITE_PERM": "cannot be opened. Make it readable and writable for the account that runs the "
    "screens",
    "SQLITE_FULL": "cannot grow: the disk is full. Make room",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error. Check the disk and the "
    "room on it",
    "SQLITE_NOTADB": "is damaged or not ours. Put a backup in its place (docs/reviews.md)",
    "SQLITE_CORRUPT": "is damaged. Put a backup in its place (docs/reviews.md)",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html, by the longest that fits
_POSTGRESQL = {
    "28": "refuses the account of workspace.url. Check its name and password",
    "3D": "does not exist. Create it (docs/reviews.md)",
    "42501": "does not let this account do that. Grant it the rights (docs/reviews.md)",
    "25006": "is read-only now. Set workspace.url to the server that takes writes",
    "53100": "cannot grow: the server's disk is full. Make room there",
    "53300": "has no connection left. Try again; raise the server's limit if it stays so",
    "55P03": "is held by another program. Try again",
    "57": "is being stopped or started. Try again in a minute",
    "42P01": "lacks a table. It was replaced while in use: start the screens again",
}
_UNREACHABLE = "cannot be reached. Check that the server runs and workspace.url names it"
_UNKNOWN = "cannot be used"


def place_of(url: URL) -> str:
    """Return where the store is, without account and password."""
    if url.drivername.startswith("sqlite"):
        return f"({url.database})"
    server = f"{url.host or 'this machine'}{f':{url.port}' if url.port else ''}"
    return f"(PostgreSQL database {url.database or 'of no name'!r} on {server})"


def explained(error: SQLAlchemyError, url: URL) -> WorkspaceError:
    """Return what went wrong in words; whether something was kept is not known to this function."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        words = _of_sqlite(cause)
    elif cause is not None:
        words = _of_postgresql(getattr(cause, "sqlstate", None))
    else:
        # The pool had no connection to give, or the connection broke before a statement.
        words = f"{_UNKNOWN} now: too many wait for it. Try again"
    return WorkspaceError(f"The workspace store {place_of(url)} {words}.")


def _of_sqlite(cause: sqlite3.Error) -> str:
    if "no such table" in str(cause):
        return "lacks a table. It was replaced while in use: start the screens again"
    name = getattr(cause, "sqlite_errorname", "") or ""
    for code, words in _SQLITE.items():
        if name.startswith(code):
            return words
    return f"{_UNKNOWN} ({name or type(cause).__name__})"


def _of_postgresql(code: str | None) -> str:
    if not code:
        return _UNREACHABLE
    fitting = [start for start in _POSTGRESQL if code.startswith(start)]
    if fitting:
        return _POSTGRESQL[max(fitting, key=len)]
    return _UNREACHABLE if code.startswith("08") else f"{_UNKNOWN} (SQLSTATE {code})"
