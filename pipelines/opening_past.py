"""Where do past cases come from: the home of a practice, or files that are looked at once?

Either way everything is read into frames and closed before any work begins: the warehouse belongs
to the night.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.errors import (
    ContractError,
    NothingPublishedError,
    WorkspaceError,
    nearest,
)
from data_contracts.measures import measures_for
from data_contracts.places import Places
from data_contracts.rule import StatusRule, status_rule
from data_contracts.settings import Settings, settings_of
from data_contracts.wording import templates
from pipelines.locks import held
from pipelines.reading_past import measures_with_a_past, past_cases, says_no_ends
from pipelines.reading_reviews import on_practice_days, review_days, with_reviews
from pipelines.sql import statement
from pipelines.telling_flags import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import polars as pl

    from data_contracts.measure import Measure
    from models.past_cases import PastCases
    from pipelines.nightly import Watch
    from pipelines.reading_past import WithoutEnds


@dataclass(frozen=True, kw_only=True)
class GivenPast:
    """Past cases on one measure, and what is to be said of where they come from."""

    past: PastCases
    measures: tuple[tuple[str, int], ...]
    """Measures with a past and their cases, most first."""
    settings: Settings
    rule: StatusRule
    notes: tuple[str, ...]
    is_simulated: bool


def past_of_home(
    places: Places, started_at: datetime, *, measure_id: str | None = None
) -> GivenPast:
    """Return a practice's past cases on one measure; on the one most cases have if none is named.

    Raises
    ------
    NightRunningError
        If a night holds the home.
    NothingPublishedError
        If no night has taken any score in yet.
    ContractError
        If no case has two scores of this measure.
    """
    settings, measures = settings_of(places), measures_for(places.measures)
    with warehouse_to_read(places, started_at) as connection:
        runs = connection.sql(
            "select run_id, as_of, started_at, is_simulated from runs order by run_id"
        ).pl()
        given = _given(
            connection, measures, settings, measure_id, None, is_simulated=runs["is_simulated"][-1]
        )
    return _with_reviews(given, places, runs)


def _with_reviews(given: GivenPast, places: Places, runs: pl.DataFrame) -> GivenPast:
    """Note which cases were reviewed after a flag: they are told apart, and never learned from."""
    try:
        reviews = on_practice_days(review_days(places, given.settings), runs)
    except WorkspaceError as error:
        note = (
            "Which cases were reviewed after a flag is not known, so they count like all others: "
            f"{error}"
        )
        return replace(given, notes=(*given.notes, note))
    return replace(given, past=with_reviews(given.past, reviews))


def past_of_files(
    source: Path,
    mapping: Path,
    started_at: datetime,
    *,
    measures: Path | None = None,
    measure_id: str | None = None,
    watch: Watch | None = None,
) -> GivenPast:
    """Return the past cases in files, landed as by night in a home that is deleted at once.

    Parameters
    ----------
    measures
        Folder of measure contracts; the folder `measures` beside the mapping if not given.

    Raises
    ------
    ContractError
        If the mapping or a measure cannot be used, or no case has two scores of the measure.
    SourceError
        If folder or files are missing.
    EverythingRefusedError
        If not one score could be taken.
    """
    from pipelines.landing import landed
    from pipelines.nightly import just_call

    if measures is not None and not measures.is_dir():
        message = (
            f"there is no folder {measures}: give the folder of measure contracts (--measures)"
        )
        raise ContractError(message)
    own = measures or mapping.parent / "measures"
    with landed(
        source=source, mapping=mapping, measures=own, started_at=started_at,
        watch=watch or just_call,
    ) as night:  # fmt: skip
        notes = (*night.warnings, *_set_aside(night.connection))
        return _given(
            night.connection, night.measures, night.settings, measure_id, "ended",
            is_simulated=night.mapping.simulated, notes=notes,
        )  # fmt: skip


@contextmanager
def warehouse_to_read(places: Places, started_at: datetime) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse of a home for reading, while no night runs; leave it soon.

    Raises
    ------
    NightRunningError
        If a night holds the home.
    NothingPublishedError
        If there is no warehouse, or none of a published state.
    """
    import duckdb

    places.pointer()  # says what to do where nothing is published
    if not places.warehouse.exists():
        message = (
            f"there is no warehouse in {places.home}: its past cases are gone. Run the night on "
            "all exports again ('unstuck run')"
        )
        raise NothingPublishedError(message)
    with (
        held(places.lock, "night", started_at, reading=True),
        closing(duckdb.connect(str(places.warehouse), read_only=True)) as connection,
    ):
        yield connection


def _given(
    connection: duckdb.DuckDBPyConnection,
    measures: Mapping[str, Measure],
    settings: Settings,
    measure_id: str | None,
    without_ends: WithoutEnds | None,
    *,
    is_simulated: bool,
    notes: tuple[str, ...] = (),
) -> GivenPast:
    found = measures_with_a_past(connection, measures)
    chosen = measures[_chosen(measure_id, found, measures)]
    past = past_cases(
        connection,
        chosen,
        measures=measures,
        drop_out_codes=settings.care.drop_out_codes,
        without_ends=without_ends,
    )
    return GivenPast(
        past=past,
        measures=tuple(found),
        settings=settings,
        rule=status_rule(settings.rule),
        notes=(*notes, *_told_of(past, no_ends=says_no_ends(connection))),
        is_simulated=is_simulated,
    )


def _chosen(
    measure_id: str | None, found: list[tuple[str, int]], measures: Mapping[str, Measure]
) -> str:
    known = [name for name, _ in found]
    if measure_id is None and known:
        return known[0]
    if measure_id in known:
        return str(measure_id)
    if measure_id is not None and measure_id not in measures:
        message = (
            f"no contract for measure {measure_id!r}{nearest(measure_id, list(measures))}: "
            f"measures with past scores here are {', '.join(known) or 'none'}"
        )
    elif measure_id is not None:
        message = (
            f"no case has a score of {measure_id} after a baseline: measures with past scores "
            f"here are {', '.join(known) or 'none'}"
        )
    else:
        message = "no case has a score of an outcome measure after a baseline: nothing to replay"
    raise ContractError(message)


def _told_of(past: PastCases, *, no_ends: bool) -> list[str]:
    """Return what the reader of any number must know of how the ends were found."""
    cases = past.cases
    ended = cases.filter("is_ended")
    notes = []
    if no_ends and ended.height == cases.height:
        calendar = (
            "" if ended["ended_on"].null_count() else " and its day to be that of the last contact"
        )
        notes.append(
            "Nothing in the data says how or when care ended: every case counts as ended, and its "
            f"last score is taken to be its end{calendar}."
        )
    elif no_ends and ended.is_empty():
        notes.append(
            "No case came with an end (end_day, end_reason): all count as open, so nothing is "
            "known of how they ended. Send the ends with the cases."
        )
    if not ended.is_empty() and ended["dropped_out"].null_count() == ended.height and not no_ends:
        notes.append(
            "No code of an end is known to mean dropping out: name the practice's own in "
            "care.drop_out_codes. Until then nobody counts as having dropped out."
        )
    return notes


def _set_aside(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return how many rows were set aside for which reason; never a value."""
    words = templates("quarantine")
    notes = []
    rows = connection.sql(statement("reading_past", "set_aside")).fetchall()
    for severity, rule_id, column, path, count, reason in rows:
        if severity == "file":
            notes.append(f"{path} was refused as a whole: {reason or words[rule_id]}")
        else:
            what = "set aside" if severity == "row" else "taken, but look"
            notes.append(
                f"{path}, column {column or '-'}: {counted(count, 'row')} {what}: {words[rule_id]}"
            )
    return notes
