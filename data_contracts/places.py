"""Where things lie in a practice's home; the only reader of the environment for paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from data_contracts.errors import NothingPublishedError

HOME_VARIABLE = "UNSTUCK_HOME"


class Pointer(BaseModel):
    """Which snapshot is current: the one small file that a publication replaces."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    cases: str
    aggregates: str
    as_of: int | None
    published_at: datetime


class LastRun(BaseModel):
    """How the last night ended, also when it failed and published nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    state: Literal["running", "published", "unchanged", "failed"]
    trigger: Literal["hand", "schedule", "demo"]
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""
    """Why it failed, or what it warned of."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Paths inside one practice's home."""

    home: Path

    @classmethod
    def at(cls, home: Path | None) -> Places:
        """Return the places of this home, else of $UNSTUCK_HOME, else of ./unstuck-home."""
        chosen = home or Path(os.environ.get(HOME_VARIABLE) or "unstuck-home")
        return cls(home=chosen.expanduser().resolve())

    @property
    def settings(self) -> Path:
        """The practice's settings."""
        return self.home / "unstuck.toml"

    @property
    def measures(self) -> Path:
        """Folder of the practice's own measure contracts."""
        return self.home / "measures"

    @property
    def warehouse(self) -> Path:
        """The database only the night opens."""
        return self.home / "warehouse.duckdb"

    @property
    def lock(self) -> Path:
        """Held by a night while it runs."""
        return self.home / "night.lock"

    @property
    def published(self) -> Path:
        """Folder of immutable snapshots."""
        return self.home / "published"

    @property
    def pointer_file(self) -> Path:
        """Names the current snapshot."""
        return self.published / "current.json"

    @property
    def last_run_file(self) -> Path:
        """How the last night ended."""
        return self.home / "last_run.json"

    @property
    def workspace(self) -> Path:
        """Reviews, sign-ins and the audit log, where no database server is set."""
        return self.home / "workspace.sqlite"

    @property
    def last_digest_file(self) -> Path:
        """What the last digest that was sent stood on."""
        return self.home / "last_digest.json"

    @property
    def prefect(self) -> Path:
        """Prefect's own files, when we start its server."""
        return self.home / "prefect"

    def pointer(self) -> Pointer:
        """Return the current snapshot's pointer.

        Raises
        ------
        NothingPublishedError
            If no night has published yet.
        """
        if not self.pointer_file.exists():
            message = (
                f"nothing is published in {self.home} yet: run 'unstuck run --source DIR "
                f"--mapping FILE --home {self.home}' or 'unstuck demo' first"
            )
            raise NothingPublishedError(message)
        return Pointer.model_validate_json(self.pointer_file.read_text(encoding="utf-8"))

    def last_run(self) -> LastRun | None:
        """Return how the last night ended; None before the first."""
        if not self.last_run_file.exists():
            return None
        return LastRun.model_validate_json(self.last_run_file.read_text(encoding="utf-8"))

    def note_run(self, last_run: LastRun) -> None:
        """Record how the last night ended."""
        write_whole(self.last_run_file, last_run.model_dump_json(indent=2))

    def point_to(self, pointer: Pointer) -> None:
        """Make a finished snapshot the current one, in one rename."""
        write_whole(self.pointer_file, pointer.model_dump_json(indent=2))


def write_whole(path: Path, text: str) -> None:
    """Replace a small file so that a reader sees the old text or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
