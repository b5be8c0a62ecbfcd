"""Which parts of an earlier back-test still hold? Frames kept under what they were made of.

A piece is a Parquet file behind its own checksum, under a hash of its key and of the version of
what made it: another version, other inputs or a torn file are not there. File names say nothing of
a case. Pieces hold pseudonyms, as the warehouse beside them does, and go when nobody asks for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import polars as pl

KEPT = timedelta(days=30)
"""How long a piece is kept that nobody asked for (chosen: a monthly back-test finds its own)."""
MOST_BYTES = 2_000_000_000
"""Beyond this the pieces asked for longest ago go (chosen: four back-tests of 100,000 cases)."""

_SUFFIX = ".piece"
_MADE_WITH = ("unstuck", "numpy", "polars", "scipy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class PieceStore:
    """Pieces in a folder.

    Parameters
    ----------
    folder
        Where they lie; made when the first one comes.
    made_by
        Version of what makes them; see `code_version`.
    now
        When this back-test began: pieces asked for are stamped with it.
    """

    folder: Path
    made_by: str
    now: datetime

    def recall(self, key: str) -> pl.DataFrame | None:
        """Return what was kept under this key; None if nothing whole is there."""
        path = self._path(key)
        try:
            checksum, _, content = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        if sha256(content).hexdigest().encode() != checksum:
            path.unlink(missing_ok=True)
            return None
        with suppress(OSError):  # another back-test may just have swept it
            os.utime(path, (self.now.timestamp(), self.now.timestamp()))
        return pl.read_parquet(BytesIO(content))

    def keep(self, key: str, frame: pl.DataFrame) -> None:
        """Keep a frame under this key, in place of what was there; a full disk keeps nothing."""
        written = BytesIO()
        frame.write_parquet(written, compression="zstd")
        content = written.getvalue()
        path = self._path(key)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(sha256(content).hexdigest().encode() + b"\n" + content)
            os.utime(beside, (self.now.timestamp(), self.now.timestamp()))
            beside.replace(path)
        except OSError:  # it only saves time: the answer is the same without it
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what nobody asked for lately, or what is too much; return how many files went."""
        oldest = (self.now - KEPT).timestamp()
        swept = size = 0
        for moment, bytes_, path in sorted(self._stamped(), reverse=True):
            size += bytes_
            if moment < oldest or size > MOST_BYTES:
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def _stamped(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each file was asked for last, and its size; half-written ones too."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if _SUFFIX in path.name:
                with suppress(FileNotFoundError):  # another back-test may just have swept it
                    told = path.stat()
                    yield told.st_mtime, told.st_size, path

    def _path(self, key: str) -> Path:
        name = sha256(f"{self.made_by}\n{key}".encode()).hexdigest()[:40]
        return self.folder / f"{name}{_SUFFIX}"


@cache
def code_version() -> str:
    """Return a hash of the code of the models and of the packages they reckon with (16 digits).

    Whoever changes a model gets no piece of the old one, without having to remember to say so.
    """
    found = sha256(sys.version.encode())
    for name in _MADE_WITH:
        found.update(f"{name} {version(name)}\n".encode())
    for package in ("models", "data_contracts"):
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith((".py", ".toml")):
                found.update(entry.name.encode() + entry.read_bytes())
    return found.hexdigest()[:16]
