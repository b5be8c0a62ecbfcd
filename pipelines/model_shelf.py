"""Where do trained models lie, how do they get there whole, and which files are opened again?

`models/<version>/<measure>-<outcome>.skops` beside its card. A version is written into a folder
beside, brought to the disk and renamed: a training that is killed leaves what was there. A file is
opened only if its checksum is the one noted when it was put in use, and only if every type in it is
on the list below: skops builds nothing before it has looked (its `load`, version 0.16), and unlike
pickle it runs nothing it was not told to trust.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED

from data_contracts.errors import ModelNotUsableError, UnstuckError
from data_contracts.places import Places, sync_folder
from models.drift import REFERENCE_FORMAT
from pipelines.models_in_use import InUse, Place, Shelved, in_use, write_in_use

if TYPE_CHECKING:
    from models.model_card import ModelCard, TrainingCounts
    from models.outlook import OutlookByOccasion
    from pipelines.night import Night

KEPT_VERSIONS = 10
"""Versions kept on the shelf, besides those in use and those behind them."""

TRUSTED_TYPES = ("models.outlook.Outlook", "models.outlook.OutlookByOccasion")
"""Classes a model file may hold besides scikit-learn's estimators and NumPy's arrays."""

PACKAGES = ("unstuck", "scikit-learn", "numpy", "skops")
OWN_CODE = "code of the outlook"
_OWN_CODE = ("outlook", "known_so_far")  # modules a stored model and its answers rest on
_WORDS = "outlook_words.py"  # says what was answered, answers nothing
_MUST_BE_AS_THEN = ("scikit-learn", OWN_CODE)
_WRITING = ".writing"
_MODEL, _FIRST_CHOICE = "outlook", "occasion_4"
_AUC = ("auc", "auc_low", "auc_high")


@dataclass(frozen=True, kw_only=True)
class ReadyModel:
    """A model that was opened, and what is known of it."""

    model: OutlookByOccasion
    shelved: Shelved

    @property
    def version(self) -> str:
        """The version it is of."""
        return self.shelved.version


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What a training puts on the shelf for one measure and outcome."""

    card: ModelCard
    counts: TrainingCounts
    model: OutlookByOccasion | None
    """None: it is not to be used; only its card is kept."""
    reference: Mapping[str, Any] | None = None
    """What drift is measured against; see models/drift.py."""


def version_of(started_at: datetime, places: Places) -> str:
    """Return the version a training writes: its start, and 6 hex digits; sorts by time."""
    unique = sha256(f"training {started_at.isoformat()}{places.home}".encode()).hexdigest()[:6]
    return f"{started_at:%Y%m%dT%H%M%S}-{unique}"


def put_on_shelf(places: Places, name: str, trained: list[TrainedModel]) -> list[Shelved]:
    """Write one version, whole or not at all; return its models. Nothing is in use by that.

    Raises
    ------
    ModelNotUsableError
        If a model would not load again with what is trusted here.
    """
    from models.model_card_text import card_text

    folder, beside = places.models / name, places.models / f".{name}{_WRITING}"
    places.models.mkdir(parents=True, exist_ok=True)
    for left in places.models.glob(f".*{_WRITING}"):  # of a training that was killed
        shutil.rmtree(left)
    beside.mkdir()
    shelved = []
    for each in trained:
        place = (each.card.measure_id, each.card.outcome)
        stem = _stem(place)
        _write(beside / f"{stem}.card.json", _json(each.card.as_json()))
        _write(beside / f"{stem}.card.md", card_text(each.card).encode())
        if each.reference is not None:
            _write(beside / f"{stem}.reference.json", _json(each.reference))
        if each.model is not None:
            content = _dumped(each.model, place)
            _write(beside / f"{stem}.skops", content)
            shelved.append(
                Shelved(
                    measure_id=place[0],
                    outcome=place[1],
                    version=name,
                    checksum=sha256(content).hexdigest(),
                    case_count=each.counts.fitted,
                    bad_count=each.counts.fitted_bad,
                    packages=packages_here(),
                )
            )
    sync_folder(beside)
    beside.rename(folder)
    sync_folder(places.models)
    return shelved


def model_in_use(
    places: Places, measure_id: str, outcome: str, *, known: InUse | None = None
) -> OutlookByOccasion | None:
    """Return the model in use for a measure and outcome; None if there is none.

    Parameters
    ----------
    known
        What is in use, if it was read before; else it is read now.

    Raises
    ------
    ModelNotUsableError
        If its file is missing, was changed, or holds a type that is not trusted.
    """
    state = in_use(places) if known is None else known
    shelved = state.current(measure_id, outcome)
    return None if shelved is None else _loaded(places, shelved)


def models_for_the_night(night: Night) -> dict[Place, ReadyModel]:
    """Return every model in use that can be opened; of the others the night warns and goes on."""
    ready = {}
    for shelved in night.in_use.all_current:
        try:
            model = _loaded(night.places, shelved)
        except UnstuckError as error:
            if str(error) not in night.warnings:
                night.warnings.append(str(error))
            continue
        ready[shelved.place] = ReadyModel(model=model, shelved=shelved)
    return ready


def warn_of_no_answer(night: Night, ready: ReadyModel, error: Exception) -> None:
    """Say once a night that a model in use cannot be asked; never what it was asked."""
    message = (
        f"the model in use {ready.version} gives no answer ({type(error).__name__}), so the "
        "status rule stands in: train again with 'unstuck train'"
    )
    if message not in night.warnings:
        night.warnings.append(message)


def card_on_shelf(places: Places, name: str, place: Place) -> dict[str, Any] | None:
    """Return the card of a version as its JSON says it; None where there is none to be read."""
    return _read(places.models / name / f"{_stem(place)}.card.json")


def cards_of_version(places: Places, name: str) -> list[dict[str, Any]]:
    """Return every card of a version that can be read, in the order of their names."""
    paths = sorted((places.models / name).glob("*.card.json"))
    return [card for path in paths if (card := _read(path)) is not None]


def figures_told_first(card: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return `landmark, auc, auc_low, auc_high` where a card tells it first; None without any."""
    by_landmark = {
        at: rules.get(_MODEL, {})
        for at, rules in (card.get("figures") or {}).items()
        if rules.get(_MODEL, {}).get("auc") is not None
    }
    if not by_landmark:
        return None
    at = _FIRST_CHOICE if _FIRST_CHOICE in by_landmark else list(by_landmark)[-1]
    figures = by_landmark[at]
    return {"landmark": at, **{name: figures.get(name) for name in _AUC}}


def card_text_on_shelf(places: Places, name: str, place: Place) -> str | None:
    """Return the card of a version as people read it; None where there is none to be read."""
    try:
        return (places.models / name / f"{_stem(place)}.card.md").read_text(encoding="utf-8")
    except OSError:
        return None


def reference_on_shelf(places: Places, name: str, place: Place) -> dict[str, Any] | None:
    """Return what drift of a version is measured against; None where there is none to be read."""
    content = _read(places.models / name / f"{_stem(place)}.reference.json")
    is_ours = content is not None and content.get("format") == REFERENCE_FORMAT
    return content if is_ours else None


def versions_on_shelf(places: Places) -> list[str]:
    """Return the versions that are there, latest first."""
    if not places.models.exists():
        return []
    folders = (path.name for path in places.models.iterdir() if path.is_dir())
    return sorted((name for name in folders if not name.startswith(".")), reverse=True)


def sweep_shelf(places: Places) -> None:
    """Remove versions older than the newest ten; never one in use, nor the one behind it."""
    state = in_use(places)
    there = versions_on_shelf(places)
    gone = set(there[KEPT_VERSIONS:]) - state.versions_needed
    if not gone:
        return
    write_in_use(places, state.without(gone))
    for name in gone:
        shutil.rmtree(places.models / name)


def _loaded(places: Places, shelved: Shelved) -> OutlookByOccasion:
    path = places.models / shelved.version / f"{_stem(shelved.place)}.skops"
    remedy = (
        "Take it out of use with 'unstuck models --roll-back --measure "
        f"{shelved.measure_id} --outcome {shelved.outcome}', or train again with 'unstuck train'"
    )
    try:
        content = path.read_bytes()
    except OSError:
        message = f"the model in use {path} cannot be read. {remedy}"
        raise ModelNotUsableError(message) from None
    if sha256(content).hexdigest() != shelved.checksum:
        message = (
            f"the model in use {path} is not the file that was put in use: it was changed or "
            f"damaged, and is not opened. {remedy}"
        )
        raise ModelNotUsableError(message)
    _check_packages(shelved)
    return _opened(content, f"the model in use {path}", remedy)


def _check_packages(shelved: Shelved) -> None:
    """Refuse a model that may answer otherwise; said alike of all, so that a night says it once."""
    for name, here in packages_here().items():
        written = shelved.packages.get(name, "?")
        if name in _MUST_BE_AS_THEN and _minor(written) != _minor(here):
            message = (
                f"models in use were written with {name} {written}, here is {here}: whether they "
                "would answer the same is not known, so the status rule stands in. Train again: "
                "'unstuck train'"
            )
            raise ModelNotUsableError(message)


def _opened(content: bytes, what: str, remedy: str) -> OutlookByOccasion:
    """Return the model of these bytes; of a file that does not say what it should, only that."""
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    from models.outlook import OutlookByOccasion

    try:
        model = loads(content, trusted=list(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        # Names of types only: skops' words for what it found before it built anything.
        told = str(error).splitlines()[0]
        message = f"{what} holds types that are not trusted and was not opened. {told} {remedy}"
        raise ModelNotUsableError(message) from None
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes skops raise
        message = f"{what} cannot be opened ({type(error).__name__}). {remedy}"
        raise ModelNotUsableError(message) from None
    if not isinstance(model, OutlookByOccasion):
        message = f"{what} holds a {type(model).__name__} and no outlook. {remedy}"
        raise ModelNotUsableError(message)
    return model


def _dumped(model: OutlookByOccasion, place: Place) -> bytes:
    from skops.io import dumps

    content: bytes = dumps(model, compression=ZIP_DEFLATED)
    _opened(content, f"the model just trained for {' '.join(place)}", "Please report this")
    return content


def _stem(place: Place) -> str:
    return "-".join(place)


@cache
def packages_here() -> dict[str, str]:
    """Return the versions of what a model is written and opened with; of its own code a hash."""
    code = sha256()
    for entry in sorted(files("models").iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith(_OWN_CODE) and entry.name.endswith(".py") and entry.name != _WORDS:
            code.update(entry.name.encode() + entry.read_bytes())
    return {name: version(name) for name in PACKAGES} | {OWN_CODE: code.hexdigest()[:12]}


def _minor(told: str) -> list[str]:
    return told.split(".")[:2]


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
