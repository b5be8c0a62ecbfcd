"""Where things lie in a practice's home; the only reader of the environment for paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from data_contracts.errors import NothingPublishedError, SourceError

HOME_VARIABLE = "UNSTUCK_HOME"


class Pointer(BaseModel):
    """Which snapshot is current: the one small file that a publication replaces."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    cases: str
    aggregates: str
    as_of: int | None
    published_at: datetime


class EvidencePointer(BaseModel):
    """Which evidence on the flags is current."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    evidence_id: str
    file: str
    made_at: datetime


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


class LastTraining(BaseModel):
    """How the last training ended, also when it failed and changed nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    state: Literal["running", "trained", "nothing to train", "failed"]
    trigger: Literal["hand", "schedule"]
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""
    """What it did, one sentence a model; or why it failed."""


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
    def evidence_pointer_file(self) -> Path:
        """Names the current evidence on how good the flags are."""
        return self.published / "evidence.json"

    @property
    def evidence_lock(self) -> Path:
        """Held while evidence is written."""
        return self.home / "evidence.lock"

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
    def models(self) -> Path:
        """Folder of trained models, one folder a version."""
        return self.home / "models"

    @property
    def models_in_use_file(self) -> Path:
        """Which version is in use for each measure and outcome, and which was before."""
        return self.models / "in_use.json"

    @property
    def training_lock(self) -> Path:
        """Held by a training while it runs."""
        return self.home / "training.lock"

    @property
    def last_training_file(self) -> Path:
        """How the last training ended."""
        return self.home / "last_training.json"

    @property
    def backtest_pieces(self) -> Path:
        """Folder of what a back-test worked out and a later one may use again."""
        return self.home / "backtest"

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

    def evidence_pointer(self) -> EvidencePointer | None:
        """Return the pointer to the current evidence; None where the flags were never tested.

        Raises
        ------
        SourceError
            If it is damaged.
        """
        if not self.evidence_pointer_file.exists():
            return None
        try:
            text = self.evidence_pointer_file.read_text(encoding="utf-8")
            return EvidencePointer.model_validate_json(text)
        except (OSError, ValueError):
            raise unreadable_evidence(self.evidence_pointer_file) from None

    def point_to_evidence(self, pointer: EvidencePointer) -> None:
        """Make finished evidence the current one, in one rename."""
        write_whole(self.evidence_pointer_file, pointer.model_dump_json(indent=2))

    def last_run(self) -> LastRun | None:
        """Return how the last night ended; None before the first."""
        if not self.last_run_file.exists():
            return None
        return LastRun.model_validate_json(self.last_run_file.read_text(encoding="utf-8"))

    def last_training(self) -> LastTraining | None:
        """Return how the last training ended; None before the first."""
        if not self.last_training_file.exists():
            return None
        return LastTraining.model_validate_json(self.last_training_file.read_text(encoding="utf-8"))

    def note_training(self, last_training: LastTraining) -> None:
        """Record how the last training ended."""
        write_whole(self.last_training_file, last_training.model_dump_json(indent=2))

    def note_run(self, last_run: LastRun) -> None:
        """Record how the last night ended."""
        write_whole(self.last_run_file, last_run.model_dump_json(indent=2))

    def point_to(self, pointer: Pointer) -> None:
        """Make a finished snapshot the current one, in one rename."""
        write_whole(self.pointer_file, pointer.model_dump_json(indent=2))


def unreadable_evidence(path: Path) -> SourceError:
    """Return what to say of evidence that cannot be read: no night makes it anew."""
    return SourceError(
        f"How good the flags are here cannot be read now: the evidence file {path.name} is missing "
        "or damaged. Run 'unstuck train' on the server to make it anew."
    )


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
