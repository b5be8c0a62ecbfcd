"""How is a published file asked? Read-only, locked, and opened once; the only file with DuckDB.

Opening costs more than asking: 12 ms, and with 100,000 cases 30 ms more until DuckDB knows the
tables (docs/benchmarks.md). So a file stays open until others are asked instead. While it is open
no process can write into it: what changes a snapshot writes another file and renames it, as the
night does. The renamed one is seen at once, because the file's identity is looked at every time.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock

import duckdb
import polars as pl

from data_contracts.errors import SourceError

Value = str | bool | int | list[str] | None
Identity = tuple[int, int, int]
"""Time of writing, size, place on the disk."""

FileError = duckdb.Error
"""A file that is damaged, or does not have the table or column that is asked for."""
FILES_OPEN = 4  # cases and aggregates, of this night and of the one before
# One thread: many viewers ask at once, and each question is small. The memory is for blocks kept.
_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "threads": 1,
    "memory_limit": "512MB",
    "lock_configuration": True,
}


class SnapshotFiles:
    """The open files, the one asked last at the end; one question at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: OrderedDict[str, tuple[Identity, duckdb.DuckDBPyConnection]] = OrderedDict()

    def answers(
        self, path: str, identity: Identity, queries: dict[str, str], values: dict[str, Value]
    ) -> dict[str, pl.DataFrame]:
        """Return the answer to each query, asked of the file that has this identity now.

        Raises
        ------
        SourceError
            If the file cannot be opened or read.
        """
        with self._lock:
            try:
                connection = self._connection(path, identity)
                return {
                    name: connection.sql(query, params=values or None).pl()
                    for name, query in queries.items()
                }
            except duckdb.Error as error:
                self._close(path)
                if isinstance(error, duckdb.IOException):
                    raise unreadable(Path(path)) from None
                raise

    def _connection(self, path: str, identity: Identity) -> duckdb.DuckDBPyConnection:
        if path in self._open and self._open[path][0] == identity:
            self._open.move_to_end(path)
            return self._open[path][1]
        # DuckDB gives whoever opens a path a second time what it has open under that path.
        self._close(path)
        while len(self._open) >= FILES_OPEN:
            self._close(next(iter(self._open)))
        connection = duckdb.connect(path, read_only=True, config=_LOCKED)
        self._open[path] = (identity, connection)
        return connection

    def _close(self, path: str) -> None:
        if path in self._open:
            self._open.pop(path)[1].close()


def identity_of(path: Path) -> Identity:
    """Return what changes when a file is replaced.

    Raises
    ------
    SourceError
        If there is no such file.
    """
    try:
        state = path.stat()
    except FileNotFoundError:
        raise unreadable(path) from None
    return state.st_mtime_ns, state.st_size, state.st_ino


def unreadable(path: Path) -> SourceError:
    """Return what to say of a snapshot that cannot be read."""
    return SourceError(
        f"The snapshot {path.name} cannot be opened. Run 'unstuck doctor' on the server; the next "
        "night publishes a new one."
    )
