"""Which models are there, which are in use, and what did a training or a roll-back do, in words?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from data_contracts.errors import ContractError, ModelNotUsableError, nearest
from data_contracts.places import LastTraining, Places
from data_contracts.settings import settings_of
from pipelines.model_shelf import (
    card_text_on_shelf,
    cards_of_version,
    figures_told_first,
    versions_on_shelf,
)
from pipelines.models_in_use import InUse, Move, Place, in_use
from pipelines.telling_flags import counted

if TYPE_CHECKING:
    from pipelines.training import TrainingReport

_NO_FIGURES: dict[str, Any] = dict.fromkeys(("landmark", "auc", "auc_low", "auc_high"))


@dataclass(frozen=True, kw_only=True)
class TrainedBefore:
    """One model of one version, as the list of models tells it; counts are suppressed."""

    version: str
    measure_id: str
    outcome: str
    is_in_use: bool
    in_use_since: str | None
    was_promoted: bool
    cases: int | None
    landmark: str | None
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    why: str


def models_of(
    places: Places, measure_id: str | None = None, outcome: str | None = None
) -> list[TrainedBefore]:
    """Return every model on the shelf, the latest version first."""
    state = in_use(places)
    return [
        _trained_before(version, card, state)
        for version in versions_on_shelf(places)
        for card in cards_of_version(places, version)
        if measure_id in (None, card.get("measure_id")) and outcome in (None, card.get("outcome"))
    ]


def check_there_is(places: Places, measure_id: str | None, outcome: str | None) -> None:
    """Refuse a measure or outcome that no model was trained for.

    Raises
    ------
    ModelNotUsableError
        If there is none; with the name most like it.
    """
    if (measure_id is None and outcome is None) or models_of(places, measure_id, outcome):
        return
    found = models_of(places)
    if not found:
        message = f"no model has been trained in {places.home}: {_train(places)}"
        raise ModelNotUsableError(message)
    measures = sorted({each.measure_id for each in found})
    outcomes = sorted({each.outcome for each in found})
    if measure_id is not None and measure_id not in measures:
        what = f"measure {measure_id!r}{nearest(measure_id, measures)}"
    elif outcome is not None and outcome not in outcomes:
        what = f"outcome {outcome!r}{nearest(outcome, outcomes)}"
    else:
        what = f"measure {measure_id!r} with outcome {outcome!r}"
    message = (
        f"no model of {what}: there are models of {', '.join(measures)}, for {', '.join(outcomes)}"
    )
    raise ModelNotUsableError(message)


def models_as_json(found: Sequence[TrainedBefore]) -> str:
    """Return the list for programs."""
    return json.dumps([asdict(each) for each in found], indent=2)


def models_as_text(found: Sequence[TrainedBefore], places: Places) -> str:
    """Return the list for people, and how the last training went."""
    lines = [_line(each) for each in found]
    if not lines:
        lines = [f"No model has been trained in {places.home}: {_train(places)}."]
    last = places.last_training()
    return "\n".join([*lines, *([] if last is None else ["", _last(last)])])


def cards_as_text(places: Places, measure_id: str | None, outcome: str | None) -> str:
    """Return the cards of the models in use, one after the other.

    Raises
    ------
    ModelNotUsableError
        If a measure or outcome is named and no model of it is in use.
    """
    texts = [
        card_text_on_shelf(places, shelved.version, shelved.place)
        or f"The card of {' '.join(shelved.place)}, version {shelved.version}, is not there."
        for shelved in in_use(places).all_current
        if measure_id in (None, shelved.measure_id) and outcome in (None, shelved.outcome)
    ]
    if not texts and (measure_id or outcome):
        known = ", ".join(" ".join(each.place) for each in in_use(places).all_current) or "none"
        message = f"no such model is in use, so there is no card to print; in use: {known}"
        raise ModelNotUsableError(message)
    return "\n".join(texts) if texts else f"No model is in use: {_train(places)}."


def moves_as_json(moves: Sequence[Move]) -> str:
    """Return what a roll-back did, for programs."""
    return json.dumps([move.model_dump(mode="json") for move in moves], indent=2)


def moves_as_text(moves: Sequence[Move], places: Places) -> str:
    """Return what a roll-back did, for people."""
    lines = [
        f"{move.measure_id}, {_plain(move.outcome)}: {move.before} is out of use; "
        + (
            f"{move.version} is in use again."
            if move.version
            else "no model is in use, the status rule stands in. The way back is a new training: "
            f"unstuck train --home {places.home}"
        )
        for move in moves
    ]
    return "\n".join([*lines, f"The screens follow with the next night: {_next_night(places)}"])


def training_as_json(report: TrainingReport) -> str:
    """Return what a training did, for programs."""
    return json.dumps(
        {
            "version": report.version,
            "seconds": round(report.seconds, 1),
            "notes": list(report.notes),
            "models": [
                {
                    "measure": each.measure_id,
                    "outcome": each.outcome,
                    "state": each.state,
                    "why": list(each.why),
                    "figures": None
                    if each.card is None
                    else figures_told_first(each.card.as_json()),
                }
                for each in report.trained
            ],
        },
        indent=2,
    )


def training_as_text(report: TrainingReport, places: Places) -> str:
    """Return what a training did, for people."""
    lines = []
    for each in report.trained:
        lines.append(f"{each.measure_id}, {_plain(each.outcome)}: {each.state}")
        lines += [f"  {sentence}" for sentence in each.why]
    lines += report.notes
    if report.promoted:
        lines.append(
            f"{counted(len(report.promoted), 'model')} put in use (version {report.version}); the "
            f"next night judges with what is in use then: {_next_night(places)}"
        )
        lines.append(f"Cards: unstuck models --card --home {places.home}")
    else:
        stays = "; what was in use stays" if in_use(places).all_current else ""
        lines.append(f"Nothing was put in use{stays}.")
    return "\n".join([*lines, f"It took {report.seconds:.0f} s."])


def _trained_before(version: str, card: Mapping[str, Any], state: InUse) -> TrainedBefore:
    place = (str(card.get("measure_id")), str(card.get("outcome")))
    current = state.current(*place)
    is_in_use = current is not None and current.version == version
    since = state.since(*place) if is_in_use else None
    decision = card.get("decision") or {}
    was_promoted = bool(decision.get("is_promoted"))
    why = (decision.get("why") or [""])[-1]
    return TrainedBefore(
        version=version,
        measure_id=place[0],
        outcome=place[1],
        is_in_use=is_in_use,
        in_use_since=None if since is None else since.isoformat(timespec="minutes"),
        was_promoted=was_promoted,
        cases=(card.get("counts") or {}).get("fitted"),
        why=_out_of_use(version, place, state) if was_promoted and not is_in_use else why,
        **(figures_told_first(card) or _NO_FIGURES),
    )


def _out_of_use(version: str, place: Place, state: InUse) -> str:
    """Return how a model that was once put in use came out of it."""
    moves = [
        move
        for move in state.moves
        if (move.measure_id, move.outcome) == place and move.before == version
    ]
    if not moves:
        return "Not in use."
    last = moves[-1]
    how = "rolled back" if last.what == "rolled back" else f"replaced by {last.version}"
    return f"Was in use, {how} on {last.at:%Y-%m-%d %H:%M} UTC."


def _train(places: Places) -> str:
    return f"run 'unstuck train --home {places.home}'"


def _next_night(places: Places) -> str:
    """Return the command of the next night; what only the caller of the last one knows is named."""
    command = f"unstuck run --home {places.home}"
    try:
        settings = settings_of(places)
    except ContractError:  # what was done is told all the same; the night says what is wrong there
        return command
    lacking = [
        f"--{name} {what}"
        for name, what, known in (
            ("source", "DIR", settings.source),
            ("mapping", "FILE", settings.mapping),
        )
        if not known
    ]
    return f"{' '.join([command, *lacking])} (as for the last night)" if lacking else command


def _line(each: TrainedBefore) -> str:
    mark = "in use " if each.is_in_use else "       "
    auc = "no figure"
    if each.auc is not None:
        auc = f"AUC {each.auc:.2f} ({each.auc_low:.2f} to {each.auc_high:.2f})"
        auc += f" at {_plain(each.landmark or '')}"
    cases = "few cases" if each.cases is None else f"{each.cases:,} cases"
    since = f", since {each.in_use_since}" if each.in_use_since else ""
    head = (
        f"{mark} {each.version}  {each.measure_id}, {_plain(each.outcome)}{since}: {cases}, {auc}"
    )
    return f"{head}\n          {each.why}"


def _last(last: LastTraining) -> str:
    ended = f"Last training ({last.started_at:%Y-%m-%d %H:%M} UTC, {last.trigger}): {last.state}."
    return f"{ended} {last.message}" if last.state == "failed" else ended


def _plain(name: str) -> str:
    return name.replace("_", " ")
