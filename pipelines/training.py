"""How does a practice get its models, and when does a new one replace the one in use?

Apart from the night, on its own schedule: every measure and outcome with enough ended cases is
trained and compared (models/trained_outlook.py), the version shelved whole, and what is not worse
put in use in one rename. The home is held only while its tables are read. A training that fails or
is killed leaves what is in use, for promoting comes last; the next night judges with what is then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Literal

from data_contracts.errors import ModelNotUsableError, UnstuckError
from data_contracts.places import LastTraining, Places
from data_contracts.suppression import suppression_rule
from models.case_ends import PRIMARY
from models.model_contest import Rival, Terms
from models.trained_outlook import TrainedOutlook, how_few, trained_outlook
from pipelines.locks import held
from pipelines.model_shelf import (
    TrainedModel,
    model_in_use,
    packages_here,
    put_on_shelf,
    reference_on_shelf,
    sweep_shelf,
    version_of,
)
from pipelines.models_in_use import InUse, in_use, write_in_use
from pipelines.opening_past import GivenPast, past_of_home, warehouse_to_read
from pipelines.piece_store import PieceStore, code_version
from pipelines.reading_reviews import on_practice_days, review_days, with_reviews
from pipelines.training_evidence import publish_evidence

OUTCOMES_TRAINED = (PRIMARY, "reliable_deterioration", "drop_out")
"""What an outlook is given for."""

Watch = Callable[[int, int, str], None]
"""Told how many parts are done, of how many, and what is being done."""


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """How a training went."""

    version: str
    trained: tuple[TrainedOutlook, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def promoted(self) -> tuple[TrainedOutlook, ...]:
        """What was put in use."""
        return tuple(each for each in self.trained if each.state == "promoted")

    def sentences(self) -> list[str]:
        """Return what was done, one line a measure and outcome."""
        return [
            f"{each.measure_id}, {each.outcome.replace('_', ' ')}: {each.state}. {each.why[-1]}"
            for each in self.trained
        ]


def train(
    places: Places,
    *,
    started_at: datetime,
    trigger: Literal["hand", "schedule"] = "hand",
    watch: Watch | None = None,
) -> TrainingReport:
    """Train every measure and outcome that has enough ended cases; put in use what is not worse.

    Parameters
    ----------
    started_at
        Now, with a time zone; the version is named after it.

    Raises
    ------
    NightRunningError
        If another training holds this home, or a night holds its tables.
    ModelNotUsableError
        If `in_use.json` is there and cannot be read: nothing is trained over it.
    NothingPublishedError
        If no night has published yet.
    UnstuckError
        For everything else a person can act on; what is in use stays.
    """
    places.pointer()  # before anything is made: a mistyped home must stay as it is
    started_at = started_at.astimezone(UTC)
    began = perf_counter()
    with held(places.training_lock, "training", started_at):
        version = version_of(started_at, places)
        noted = LastTraining(
            version=version, state="running", trigger=trigger, started_at=started_at
        )
        places.note_training(noted)
        try:
            trained, notes = _train(places, version, started_at, watch)
        except BaseException as error:
            _note_end(places, noted, "failed", _told(error))
            raise
        report = TrainingReport(
            version=version, trained=tuple(trained), notes=tuple(notes),
            seconds=perf_counter() - began,
        )  # fmt: skip
        anything = any(each.card for each in trained)
        _note_end(
            places, noted, "trained" if anything else "nothing to train",
            " ".join([*report.sentences(), *notes]),
        )  # fmt: skip
    return report


def _train(
    places: Places, version: str, started_at: datetime, watch: Watch | None
) -> tuple[list[TrainedOutlook], list[str]]:
    state = in_use(places)  # damaged: nothing may be written over what could be put back
    notes: list[str] = []
    pasts = _pasts(places, started_at, notes)
    store = PieceStore(folder=places.backtest_pieces, made_by=code_version(), now=started_at)
    trained = []
    for given in pasts:
        terms = _terms(given, version)
        for outcome in OUTCOMES_TRAINED:
            rival = _rival(places, state, given.past.measure.measure_id, outcome, notes)
            trained.append(
                trained_outlook(
                    given.past, outcome, terms, rival=rival, store=store,
                    watch=_naming(watch, f"{given.past.measure.name}, {outcome}"),
                )
            )  # fmt: skip
    store.sweep()
    promoted = _shelved(places, version, trained, state, started_at)
    if pasts:
        publish_evidence(places, trained, pasts, started_at, promoted)
    if promoted != state:  # last: a training that failed before has changed nothing in use
        write_in_use(places, promoted)
    sweep_shelf(places)
    return trained, notes


def _pasts(places: Places, started_at: datetime, notes: list[str]) -> list[GivenPast]:
    """Return the past cases of every measure with enough of them; each knows its reviews."""
    first = past_of_home(places, started_at)
    minimum = first.settings.models.minimum_cases
    found = [first] + [
        past_of_home(places, started_at, measure_id=measure_id)
        for measure_id, count in first.measures
        if measure_id != first.past.measure.measure_id and count >= minimum
    ]
    with warehouse_to_read(places, started_at) as connection:
        runs = connection.sql("select run_id, as_of, started_at from runs").pl()
    try:
        reviews = on_practice_days(review_days(places, first.settings), runs)
    except UnstuckError as error:
        # Learning from cases that were reviewed would be worse than not learning at all.
        message = f"nothing was trained, because reviews could not be read: {error}"
        raise type(error)(message) from None
    suppression = suppression_rule(first.settings.publishing.suppression)
    notes += [
        f"{measure_id}: not trained: it takes {minimum} ended cases with a known end, and "
        f"{how_few(count, suppression)} of its cases have a score after the first."
        for measure_id, count in first.measures
        if measure_id != first.past.measure.measure_id and count < minimum
    ]
    notes += first.notes
    return [replace(given, past=with_reviews(given.past, reviews)) for given in found]


def _terms(given: GivenPast, version: str) -> Terms:
    models = given.settings.models
    return Terms(
        rule=given.rule,
        suppression=suppression_rule(given.settings.publishing.suppression),
        version=version,
        packages=packages_here(),
        minimum_cases=models.minimum_cases,
        minimum_bad=models.minimum_bad,
    )


def _rival(
    places: Places, state: InUse, measure_id: str, outcome: str, notes: list[str]
) -> Rival | None:
    """Return the model in use; one that cannot be opened is no rival, and that is said."""
    shelved = state.current(measure_id, outcome)
    if shelved is None:
        return None
    try:
        model = model_in_use(places, measure_id, outcome, known=state)
    except ModelNotUsableError as error:
        notes.append(str(error))
        return None
    if model is None:
        return None
    reference = reference_on_shelf(places, shelved.version, shelved.place) or {}
    return Rival(model=model, learned_until=reference.get("learned_until"))


def _naming(watch: Watch | None, what: str) -> Watch | None:
    if watch is None:
        return None
    return lambda done, total, doing: watch(done, total, f"{what}: {doing}")


def _shelved(
    places: Places,
    version: str,
    trained: list[TrainedOutlook],
    state: InUse,
    started_at: datetime,
) -> InUse:
    """Put the version on the shelf; return the state in which what was promoted is in use."""
    there = [
        TrainedModel(card=each.card, counts=each.counts, model=each.model, reference=each.reference)
        for each in trained
        if each.card is not None and each.counts is not None
    ]
    if not there:
        return state
    shelved = put_on_shelf(places, version, there)
    why = {(each.measure_id, each.outcome): each.why[-1] for each in trained}
    return state.with_promoted(shelved, at=started_at, why=why)


def _told(error: BaseException) -> str:
    """Return what may be written of an error: ours are written for people, others may hold data."""
    if isinstance(error, UnstuckError):
        return str(error)
    return f"stopped by an unforeseen {type(error).__name__}; see the terminal or Prefect's log"


def _note_end(
    places: Places,
    noted: LastTraining,
    state: Literal["trained", "nothing to train", "failed"],
    message: str,
) -> None:
    ended = {"state": state, "finished_at": datetime.now(tz=UTC), "message": message}
    places.note_training(noted.model_copy(update=ended))
