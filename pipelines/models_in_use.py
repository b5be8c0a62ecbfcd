"""Which trained model is in use for each measure and outcome, and which was before?

One small file, `models/in_use.json`, replaced in one rename: a reader sees the old state or the
new. The folders it names never change. Taking a model out of use moves a pointer, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from data_contracts.errors import ModelNotUsableError
from data_contracts.places import Places, write_whole
from pipelines.locks import held

NONE_IN_USE = "none"

Place = tuple[str, str]
"""A measure and an outcome: what one model is for."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shelved(_Record):
    """One model on the shelf, as whoever uses it must know it."""

    measure_id: str
    outcome: str
    version: str
    checksum: str
    """SHA-256 of the file; a file with another one is not loaded."""
    case_count: int
    """Ended cases it was fitted on; for sentences that hide small numbers."""
    bad_count: int
    """Of these, how many ended so."""
    packages: dict[str, str] = {}
    """Versions of the packages that wrote it."""

    @property
    def place(self) -> Place:
        """What it is for."""
        return self.measure_id, self.outcome


class Move(_Record):
    """One change of what is in use; only ever added to."""

    at: datetime
    what: Literal["promoted", "rolled back"]
    measure_id: str
    outcome: str
    version: str | None
    """In use from then on; None: no model."""
    before: str | None
    why: str


class InUse(_Record):
    """What is in use, what stands behind it, and how that came about."""

    format: Literal["models in use 1"] = "models in use 1"
    stacks: tuple[tuple[Shelved, ...], ...] = ()
    """One a measure and outcome, oldest first; the last is in use, the one before comes back."""
    moves: tuple[Move, ...] = ()

    def current(self, measure_id: str, outcome: str) -> Shelved | None:
        """Return the model in use for a measure and outcome; None if there is none."""
        stack = self._stack((measure_id, outcome))
        return stack[-1] if stack else None

    @property
    def all_current(self) -> tuple[Shelved, ...]:
        """Every model in use."""
        return tuple(stack[-1] for stack in self.stacks if stack)

    @property
    def versions_needed(self) -> set[str]:
        """Versions that must stay: those in use, and those that would come back."""
        return {model.version for stack in self.stacks for model in stack[-2:]}

    def since(self, measure_id: str, outcome: str) -> datetime | None:
        """Return since when the model in use has been so."""
        moments = [m.at for m in self.moves if (m.measure_id, m.outcome) == (measure_id, outcome)]
        return moments[-1] if moments and self.current(measure_id, outcome) else None

    def fingerprint(self) -> str:
        """Return 8 hex digits that change with what is in use; "none" where nothing is."""
        if not self.all_current:
            return NONE_IN_USE
        told = sorted((*model.place, model.version, model.checksum) for model in self.all_current)
        return sha256(repr(told).encode()).hexdigest()[:8]

    def with_promoted(
        self, models: Iterable[Shelved], *, at: datetime, why: Mapping[Place, str]
    ) -> Self:
        """Return the state in which these models are in use."""
        state = self
        for model in models:
            now = state.current(*model.place)
            state = state._moved(
                (*state._stack(model.place), model), model.place, "promoted", now, at,
                why[model.place],
            )  # fmt: skip
        return state

    def with_rolled_back(self, places: Iterable[Place], *, at: datetime, why: str) -> Self:
        """Return the state in which each of these is what it was before; perhaps without model."""
        state = self
        for place in places:
            stack = state._stack(place)
            state = state._moved(stack[:-1], place, "rolled back", stack[-1], at, why)
        return state

    def without(self, versions: set[str]) -> Self:
        """Return the state that no longer could go back to these versions."""
        stacks = (tuple(m for m in stack if m.version not in versions) for stack in self.stacks)
        return self.model_copy(update={"stacks": tuple(stack for stack in stacks if stack)})

    def _stack(self, place: Place) -> tuple[Shelved, ...]:
        return next((stack for stack in self.stacks if stack and stack[-1].place == place), ())

    def _moved(
        self,
        stack: tuple[Shelved, ...],
        place: Place,
        what: Literal["promoted", "rolled back"],
        before: Shelved | None,
        at: datetime,
        why: str,
    ) -> Self:
        move = Move(
            at=at,
            what=what,
            measure_id=place[0],
            outcome=place[1],
            version=stack[-1].version if stack else None,
            before=before.version if before else None,
            why=why,
        )
        others = [each for each in self.stacks if each and each[-1].place != place]
        stacks = sorted([*others, stack] if stack else others, key=lambda each: each[-1].place)
        return self.model_copy(update={"stacks": tuple(stacks), "moves": (*self.moves, move)})


def in_use(places: Places) -> InUse:
    """Return which models are in use; none before the first training.

    Raises
    ------
    ModelNotUsableError
        If the file cannot be read as what it should be.
    """
    path = places.models_in_use_file
    if not path.exists():
        return InUse()
    try:
        return InUse.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        message = (
            f"{path} is not what a training wrote: put back a copy of it, or move it away and run "
            "'unstuck train'. Until then no model is in use"
        )
        raise ModelNotUsableError(message) from None


def in_use_or_none(places: Places) -> tuple[InUse, str | None]:
    """Return what is in use, and what is wrong with its file: a night must not fail by that."""
    try:
        return in_use(places), None
    except ModelNotUsableError as error:
        return InUse(), str(error)


def fingerprint_in_use(places: Places) -> str:
    """Return 8 hex digits that change with what is in use; "none" where nothing is."""
    return in_use(places).fingerprint()


def write_in_use(places: Places, state: InUse) -> None:
    """Make a state the one in force, in one rename."""
    write_whole(places.models_in_use_file, state.model_dump_json(indent=2))


def roll_back(
    places: Places, *, at: datetime, measure_id: str | None = None, outcome: str | None = None
) -> list[Move]:
    """Take the last promotion back: the model before is in use again, or none if there was none.

    Without a measure or outcome: everything the last training promoted that is still in use.
    Nothing is deleted. The next night judges with what is in use then.

    Raises
    ------
    ModelNotUsableError
        If there is no model in use to take back.
    NightRunningError
        If a training is running: it may be about to promote.
    """
    with held(places.training_lock, "training", at):
        return _roll_back(places, at, measure_id, outcome)


def _roll_back(
    places: Places, at: datetime, measure_id: str | None, outcome: str | None
) -> list[Move]:
    state = in_use(places)
    wanted = [
        model
        for model in state.all_current
        if measure_id in (None, model.measure_id) and outcome in (None, model.outcome)
    ]
    if not wanted:
        known = ", ".join(" ".join(model.place) for model in state.all_current) or "none"
        message = f"no such model is in use, so nothing was rolled back; in use: {known}"
        raise ModelNotUsableError(message)
    if measure_id is None and outcome is None:
        newest = max(model.version for model in wanted)
        wanted = [model for model in wanted if model.version == newest]
    changed = state.with_rolled_back(
        [model.place for model in wanted], at=at, why="rolled back by hand"
    )
    write_in_use(places, changed)
    return list(changed.moves[len(state.moves) :])
