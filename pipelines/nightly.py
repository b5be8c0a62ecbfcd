"""The night: from a practice's files to published snapshots, one list of steps.

This file is the table of contents. It runs the steps in this process; `deployments.py` runs the
same list under Prefect. The warehouse changes in one transaction: a night that fails or is killed
leaves the last published state, and the next one starts where the last whole one ended.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Literal

import duckdb

from data_contracts.contract_version import joined
from data_contracts.errors import EverythingRefusedError, UnstuckError
from data_contracts.lenses import lenses_fingerprint
from data_contracts.mapping import Mapping, read_mapping
from data_contracts.measure import Measure
from data_contracts.measures import measures_fingerprint, measures_for
from data_contracts.places import LastRun, Places
from data_contracts.rule import status_rule
from data_contracts.settings import Settings, settings_of
from data_contracts.tables import tables_fingerprint
from data_contracts.wording import wording_fingerprint
from pipelines.locks import held
from pipelines.models_in_use import InUse, in_use_or_none
from pipelines.night import Counts, Night, Trigger, create_tables
from pipelines.step_1_stage import stage
from pipelines.step_2_deidentify import deidentify
from pipelines.step_3_validate import validate
from pipelines.step_4_accept import accept
from pipelines.step_5_course import course
from pipelines.step_6_expect import expect
from pipelines.step_7_judge import judge
from pipelines.step_8_explain import explain
from pipelines.step_9_summarise import summarise
from pipelines.step_10_publish import pointer_of, publish, sweep

Step = Callable[[Night], Counts]
Watch = Callable[[str, Step, Night], Counts]
Outcome = Literal["published", "unchanged"]

STEPS: tuple[tuple[str, Step], ...] = (
    ("stage", stage),
    ("de-identify", deidentify),
    ("validate", validate),
    ("accept", accept),
    ("course", course),
    ("expect", expect),
    ("judge", judge),
    ("explain", explain),
    ("summarise", summarise),
    ("publish", publish),
)
BEFORE_ACCEPT = 3  # steps that write to staging only
BEFORE_EXPECT = 5  # steps that put scores in order and judge nothing
_PACKAGES = ("unstuck", "duckdb", "polars", "numpy", "scipy", "great-expectations", "prefect")


@dataclass(frozen=True, kw_only=True)
class NightReport:
    """How a night went, for people and for the exit code."""

    run_id: str
    outcome: Outcome
    counts: dict[str, Counts]
    warnings: tuple[str, ...]
    seconds: float
    refused: tuple[tuple[str, str], ...] = ()


def run_night(
    *,
    source: Path,
    mapping: Path,
    home: Path,
    started_at: datetime,
    trigger: Trigger = "hand",
    as_of: int | None = None,
    refit: bool = False,
    rebuild: bool = False,
    watch: Watch | None = None,
) -> NightReport:
    """Take a practice's files to one published state, or leave the last one.

    Parameters
    ----------
    started_at
        Now, with a time zone; the night has no clock of its own.
    as_of
        The run's day on the practice clock; the last day in the data if not given.
    watch
        Runs one step (to show progress, or under Prefect); by default it is just called.

    Raises
    ------
    NightRunningError
        If another night holds this home.
    EverythingRefusedError
        If new files came and not one row of them could be taken.
    UnstuckError
        For everything else a person can act on; the last snapshot stays.
    """
    places = Places.at(home)
    started_at = started_at.astimezone(UTC)
    began = perf_counter()
    run_id = run_id_of(started_at, places)
    with held(places.lock, "night", started_at):
        noted = LastRun(run_id=run_id, state="running", trigger=trigger, started_at=started_at)
        places.note_run(noted)
        try:
            with open_night(
                places, settings_of(places), measures_for(places.measures), read_mapping(mapping),
                source, run_id, started_at, trigger, as_of, refit=refit, rebuild=rebuild,
            ) as night:  # fmt: skip
                outcome, counts, refused = _steps(night, watch or just_call)
        except BaseException as error:
            places.note_run(
                noted.model_copy(
                    update={
                        "state": "failed",
                        "finished_at": datetime.now(tz=started_at.tzinfo),
                        "message": _told(error),
                    }
                )
            )
            raise
        places.note_run(
            noted.model_copy(
                update={
                    "state": outcome,
                    "finished_at": datetime.now(tz=started_at.tzinfo),
                    "message": "; ".join(night.warnings),
                }
            )
        )
    return NightReport(
        run_id=run_id,
        outcome=outcome,
        counts=counts,
        warnings=tuple(night.warnings),
        seconds=perf_counter() - began,
        refused=refused,
    )


def just_call(_name: str, step: Step, night: Night) -> Counts:
    """Run one step, and show nothing."""
    return step(night)


def _told(error: BaseException) -> str:
    """Return what may be written of an error: ours are written for people, others may hold data."""
    if isinstance(error, UnstuckError):
        return str(error)
    return f"stopped by an unforeseen {type(error).__name__}; see the terminal or Prefect's log"


def run_id_of(started_at: datetime, places: Places) -> str:
    """Return an id that sorts by time."""
    unique = sha256(f"{started_at.isoformat()}{places.home}".encode()).hexdigest()[:6]
    return f"{started_at:%Y%m%dT%H%M%S}-{unique}"


@contextmanager
def open_night(
    places: Places,
    settings: Settings,
    measures: dict[str, Measure],
    practice: Mapping,
    source: Path,
    run_id: str,
    started_at: datetime,
    trigger: Trigger,
    as_of: int | None,
    *,
    refit: bool,
    rebuild: bool,
) -> Iterator[Night]:
    """Open the warehouse of a home for one night, with everything its steps are given."""
    practice.check_measures(measures)
    models, trouble = in_use_or_none(places)
    with tempfile.TemporaryDirectory(prefix="unstuck-night-") as spill:
        connection = duckdb.connect(
            str(places.warehouse),
            config={"temp_directory": spill, "preserve_insertion_order": True},
        )
        try:
            connection.execute("attach ':memory:' as staging")
            create_tables(connection)
            _check_clock(connection, run_id)
            yield Night(
                places=places,
                settings=settings,
                mapping=practice,
                source=source.expanduser().resolve(),
                measures=measures,
                rule=status_rule(settings.rule),
                connection=connection,
                run_id=run_id,
                started_at=started_at,
                trigger=trigger,
                contract_version=_contract_version(measures, settings, models),
                in_use=models,
                as_of=as_of,
                refit=refit,
                rebuild=rebuild,
                warnings=[trouble] if trouble else [],
            )
        finally:
            connection.close()


def _check_clock(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Refuse a clock set back: runs are ordered by id, and old answers would come up again."""
    last = connection.execute("select max(run_id) from runs").fetchone()
    if last and last[0] and last[0] >= run_id:
        message = (
            f"this night ({run_id}) does not start after the last one ({last[0]}): check the "
            "clock of this machine. Nothing was changed"
        )
        raise UnstuckError(message)


def _contract_version(measures: dict[str, Measure], settings: Settings, models: InUse) -> str:
    """Return a hash of all that changes what is said: tables to settings, and models in use."""
    decisive = (settings.care, settings.publishing.suppression, settings.curves)
    chosen = sha256(repr(decisive).encode()).hexdigest()[:8]
    return joined(
        {
            "tables": tables_fingerprint(),
            "measures": measures_fingerprint(measures),
            "sentences": wording_fingerprint(),
            "lenses": lenses_fingerprint(),
            "settings of care": chosen,
            "models in use": models.fingerprint(),
        }
    )


def _steps(
    night: Night, watch: Watch
) -> tuple[Outcome, dict[str, Counts], tuple[tuple[str, str], ...]]:
    taken = Taken(night, watch)
    taken.take(STEPS[:1])
    if _nothing_new(night):
        return "unchanged", taken.counts, ()
    taken.take(STEPS[1:BEFORE_ACCEPT])
    night.run("begin transaction")
    try:
        put_in_order(night, taken)
        taken.take(STEPS[BEFORE_EXPECT:-1])
        refused = tuple(
            night.rows("select path, reason from staging.staged_files where state = 'refused'")
        )
        _count_steps(night, taken.counts, taken.seconds)
        taken.take(STEPS[-1:])
        night.run("commit")
    except BaseException:
        with suppress(duckdb.Error):
            night.run("rollback")
        raise
    night.places.point_to(pointer_of(night))
    sweep(night)
    return "published", taken.counts, refused


class Taken:
    """The steps taken so far: what they counted, and how long they took."""

    def __init__(self, night: Night, watch: Watch) -> None:
        self.counts: dict[str, Counts] = {}
        self.seconds: dict[str, float] = {}
        self._night, self._watch = night, watch

    def take(self, steps: Sequence[tuple[str, Step]]) -> None:
        """Run some of the steps, one after the other."""
        for name, step in steps:
            began = perf_counter()
            self.counts[name] = self._watch(name, step, self._night)
            self.seconds[name] = perf_counter() - began


def put_in_order(night: Night, taken: Taken) -> None:
    """Take the rows in that passed, and put the scores of the cases they touch in order."""
    _open_ledger(night)
    for name, step in STEPS[BEFORE_ACCEPT:BEFORE_EXPECT]:
        taken.take([(name, step)])
        if name == "accept":
            _check_something_new_was_taken(night)
            _set_as_of(night)
            _touch_all_if_versions_changed(night)
    if not night.number("select count(*) from scores"):
        raise EverythingRefusedError(_nothing_left(night))


def _nothing_new(night: Night) -> bool:
    """Return whether files, versions and day are those of the published snapshot."""
    if night.refit or night.rebuild or night.number("select count(*) from staging.staged_files"):
        return False
    if not night.places.pointer_file.exists():
        return False
    last = night.rows(
        "select run_id, contract_version, rule_version, as_of from runs "
        "where state = 'published' order by run_id desc limit 1"
    )
    if not last or last[0][0] != night.places.pointer().run_id:
        return False  # a night was killed between its commit and the pointer: publish again
    _, contract_version, rule_version, as_of = last[0]
    return (
        contract_version == night.contract_version
        and rule_version == night.rule.version
        and (night.as_of is None or night.as_of == as_of)
    )


def _check_something_new_was_taken(night: Night) -> None:
    """Stop where new files came and nothing of them can be used: somebody must look first."""
    taken = night.number(
        "select sum(landed - quarantined) from files where run_id = $run_id", run_id=night.run_id
    )
    bad = night.number(
        "select count(*) from quarantine where run_id = $run_id and severity != 'warning'",
        run_id=night.run_id,
    )
    if bad and not taken:
        raise EverythingRefusedError(_nothing_left(night))


def _open_ledger(night: Night) -> None:
    night.run(
        "insert into runs by name select $run_id as run_id, $started_at as started_at, "
        "null as finished_at, $as_of as as_of, $trigger as trigger, 'running' as state, "
        "$contract_version as contract_version, $rule_version as rule_version, "
        "$package_versions as package_versions, $seed as seed, $is_simulated as is_simulated, "
        "$title as title",
        run_id=night.run_id,
        started_at=night.started_at.replace(tzinfo=None),
        as_of=night.as_of,
        trigger=night.trigger,
        contract_version=night.contract_version,
        rule_version=night.rule.version,
        package_versions=json.dumps({name: version(name) for name in _PACKAGES}),
        seed=night.seed,
        is_simulated=night.mapping.simulated,
        title=night.settings.title or night.mapping.title or None,
    )


def _set_as_of(night: Night) -> None:
    """Without a given day the run's day is the last one in the data: a rerun gives the same."""
    if night.as_of is None:
        last = night.rows(
            "select max(practice_day) from (select practice_day from scores "
            "union all select practice_day from sessions)"
        )[0][0]
        night.as_of = None if last is None else int(last)


def _touch_all_if_versions_changed(night: Night) -> None:
    last = night.rows(
        "select contract_version, rule_version from runs "
        "where state = 'published' order by run_id desc limit 1"
    )
    if last and last[0] != (night.contract_version, night.rule.version):
        night.run("insert into touched select case_id from cases")


def _count_steps(night: Night, counts: dict[str, Counts], seconds: dict[str, float]) -> None:
    for position, (name, done) in enumerate(counts.items(), 1):
        night.run(
            "insert into run_counts by name select $run_id as run_id, $step as step, "
            "$position as position, "
            "$rows_in as rows_in, $rows_out as rows_out, $duplicate as duplicate, "
            "$superseded as superseded, $quarantined as quarantined, $withdrawn as withdrawn, "
            "$seconds as seconds",
            run_id=night.run_id,
            step=name,
            position=position,
            rows_in=done.rows_in,
            rows_out=done.rows_out,
            duplicate=done.duplicate,
            superseded=done.superseded,
            quarantined=done.quarantined,
            withdrawn=done.withdrawn,
            seconds=seconds[name],
        )


def _nothing_left(night: Night) -> str:
    reasons = night.rows(
        "select path, coalesce(nullif(any_value(reason), ''), 'no row passed: ' || "
        "coalesce(string_agg(row_count || ' x ' || rejects.rule_id, ', ' "
        "order by row_count desc), 'there are no rows')) from staging.staged_files "
        "left join (select file_id, rule_id, count(*) as row_count from staging.rejects "
        "group by all) as rejects using (file_id) group by path order by path"
    )
    told = "\n".join(f"  {path}: {reason}" for path, reason in reasons)
    return f"no score could be taken from the files:\n{told}\nThe last snapshot stays"
