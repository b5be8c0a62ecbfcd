"""Who holds this home? One lock a kind of work; the system frees it when its process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import TextIO

from data_contracts.errors import NightRunningError

# Readers hold the warehouse for seconds: a night that comes meanwhile waits and does not fail.
_READING_ENDS_WITHIN = 60.0
_READING = "reading past cases"
_LOOK_AGAIN_AFTER = 0.1  # seconds


@contextmanager
def held(path: Path, what: str, started_at: datetime, *, reading: bool = False) -> Iterator[None]:
    """Hold a lock file while the block runs.

    Parameters
    ----------
    what
        The work it stands for, as "night"; for the message to whoever comes second.
    reading
        Whether what this work writes is only read now, and left at once.

    Raises
    ------
    NightRunningError
        If another process holds it, and is no reader that ends soon; says which.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as lock:
        _take(lock, path, what)
        lock.truncate(0)
        doing = f", {_READING}" if reading else ""
        lock.write(f"process {os.getpid()}, since {started_at:%Y-%m-%d %H:%M}{doing}")
        lock.flush()
        yield


def _take(lock: TextIO, path: Path, what: str) -> None:
    began = perf_counter()
    while not _is_taken(lock):
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        if not holder.endswith(_READING) or perf_counter() - began > _READING_ENDS_WITHIN:
            message = (
                f"another {what} is running in {path.parent} ({holder}): wait for it to end. "
                "Nothing was changed"
            )
            raise NightRunningError(message)
        sleep(_LOOK_AGAIN_AFTER)


def _is_taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
