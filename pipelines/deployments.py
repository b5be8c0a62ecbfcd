"""How does Prefect run the night? The only file that knows Prefect.

Prefect is the trigger, the retry and the record; what is right is decided in `nightly.run_night`,
which is the same without it. No frame, connection or Night is a parameter or a result here, and no
text of an unforeseen error leaves a step: a database's message may hold a client's value.
"""

from __future__ import annotations

import fcntl
import os
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import available_timezones

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from data_contracts.errors import (
    ContractError,
    NightRunningError,
    NotAvailableError,
    SourceError,
    UnstuckError,
)
from data_contracts.places import Places
from data_contracts.settings import settings_of
from pipelines.night import COUNTED, Counts, Night, Trigger
from pipelines.nightly import STEPS, NightReport, Step, Watch, run_night
from pipelines.prefect_settings import (
    environment_for_prefect,
    prefect_api_is_configured,
    prefect_environment,
)

if TYPE_CHECKING:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, State
    from prefect.deployments.runner import RunnerDeployment

__all__ = [
    "artifact_key",
    "deployment_name",
    "nightly",
    "prefect_api_is_configured",
    "prefect_environment",
    "run_now",
    "serve_schedule",
    "training",
    "weekly_digest",
]

# A network share that is not there yet at night: seconds to wait before looking again.
_SHARE_DELAYS = (10, 60)
# A night that still runs when a training begins: seconds to wait before looking again.
_HOME_DELAYS = (300, 1200, 3600)
# Shows progress where the flow runs in the caller's process. Prefect would serialise a parameter.
_beside: ContextVar[Watch | None] = ContextVar("beside", default=None)


class UnforeseenError(UnstuckError):
    """A step broke in a way nobody foresaw; says where, and withholds what the error says."""

    exit_code = 1


def _night_name() -> str:
    return f"{datetime.now(tz=UTC).astimezone():%Y-%m-%d %H:%M}"


@flow(
    name="nightly",
    flow_run_name=_night_name,
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
)
def nightly(
    source: str,
    mapping: str,
    home: str,
    trigger: Trigger = "schedule",
    as_of: int | None = None,
    refit: bool = False,
    rebuild: bool = False,
) -> NightReport:
    """Take a practice's files to one published state, or leave the last one."""
    counts: dict[str, Counts] = {}
    places = Places.at(Path(home))
    try:
        report = run_night(
            source=Path(source),
            mapping=Path(mapping),
            home=places.home,
            started_at=datetime.now(tz=UTC),
            trigger=trigger,
            as_of=as_of,
            refit=refit,
            rebuild=rebuild,
            watch=_watch_as_tasks(counts, trigger, _beside.get()),
        )
    except Exception as error:  # noqa: BLE001 - raised again, without what may be data
        _note_counts(places, counts, "failed")
        raise _without_data(error, "the night") from None
    _note_counts(places, report.counts, report.outcome)
    return report


@flow(
    name="weekly digest",
    flow_run_name=_night_name,
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
)
def weekly_digest(home: str) -> str:
    """Send the weekly message without client data; return what was done, in words."""
    from pipelines.sending import send_digest

    try:
        return send_digest(Places.at(Path(home)), datetime.now(tz=UTC))
    except Exception as error:  # noqa: BLE001 - raised again, without what may be data
        raise _without_data(error, "the digest") from None


@flow(
    name="training",
    flow_run_name=_night_name,
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
)
def training(home: str) -> list[str]:
    """Train the models; put in use what is not worse. Return what was done, in words."""
    from pipelines.training import train

    def taken() -> list[str]:
        try:
            report = train(
                Places.at(Path(home)), started_at=datetime.now(tz=UTC), trigger="schedule"
            )
        except Exception as error:  # noqa: BLE001 - raised again, without what may be data
            raise _without_data(error, "the training") from None
        return [*report.sentences(), *report.notes]

    run_training = task(
        name="train",
        task_run_name="train",
        cache_policy=NO_CACHE,
        persist_result=False,
        log_prints=False,
        retries=len(_HOME_DELAYS),
        retry_delay_seconds=list(_HOME_DELAYS),
        retry_condition_fn=_home_may_come_free,
    )(taken)
    return run_training()


def run_now(
    *,
    source: Path,
    mapping: Path,
    home: Path,
    trigger: Trigger = "hand",
    as_of: int | None = None,
    refit: bool = False,
    rebuild: bool = False,
    watch: Watch | None = None,
) -> NightReport:
    """Run the night as a Prefect flow in this process.

    It is recorded by the practice's Prefect server if one is configured, else by one that Prefect
    starts for the time being, with its files in the home.

    Raises
    ------
    NotAvailableError
        If no Prefect server answers; nothing was run.
    UnstuckError
        As `run_night`.
    """
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    with environment_for_prefect(Places.at(home)):
        refresh_global_settings_context()
        setup_logging()
        token = _beside.set(watch)
        try:
            _need_server()
            return nightly(
                source=str(source.expanduser().resolve()),
                mapping=str(mapping.expanduser().resolve()),
                home=str(home.expanduser().resolve()),
                trigger=trigger,
                as_of=as_of,
                refit=refit,
                rebuild=rebuild,
            )
        finally:
            _beside.reset(token)
    # The settings stay as they were for the run: Prefect's threads may still be sending.


def serve_schedule(*, source: Path, mapping: Path, home: Path, cron: str) -> None:
    """Run the night whenever the schedule says, until this process is told to stop.

    Models are trained and the weekly digest goes out on schedules of their own, the digest where
    the settings name addresses.

    The API must be in the environment (`prefect_environment`) before this module is imported.
    A night that would overlap the last one is cancelled.

    Raises
    ------
    ContractError
        If `cron` is no schedule.
    """
    from prefect import serve
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    _check_cron(cron)
    _close_lost_runs(Places.at(home))
    deployment = nightly.to_deployment(
        name=deployment_name(home),
        schedule=Cron(cron, timezone=time_zone_here()),
        parameters={
            "source": str(source.expanduser().resolve()),
            "mapping": str(mapping.expanduser().resolve()),
            "home": str(home.expanduser().resolve()),
            "trigger": "schedule",
        },
        concurrency_limit=_one_at_a_time(),
        tags=["unstuck"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    deployments = [deployment, *_training_deployment(home), *_digest_deployment(home)]
    # Each night imports the flow by name in a process of its own: `nightly.serve` would pickle it.
    serve(*(cast("RunnerDeployment", each) for each in deployments), print_starting_message=False)


def _training_deployment(home: Path) -> list[Any]:
    """Return the schedule of the training; nothing where models are trained by hand only."""
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    cron = settings_of(Places.at(home)).models.schedule
    if not cron:
        return []
    _check_cron(cron)
    return [
        training.to_deployment(
            name=deployment_name(home),
            schedule=Cron(cron, timezone=time_zone_here()),
            parameters={"home": str(home.expanduser().resolve())},
            concurrency_limit=_one_at_a_time(),
            tags=["unstuck"],
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    ]


def _digest_deployment(home: Path) -> list[Any]:
    """Return the schedule of the weekly digest; nothing where nobody is to get it."""
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    digest = settings_of(Places.at(home)).digest
    if not digest.addresses_file:
        return []
    _check_cron(digest.schedule)
    return [
        weekly_digest.to_deployment(
            name=deployment_name(home),
            schedule=Cron(digest.schedule, timezone=time_zone_here()),
            parameters={"home": str(home.expanduser().resolve())},
            tags=["unstuck"],
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    ]


def deployment_name(home: Path) -> str:
    """Return the deployment's name: the home's, made unique by its path (6 hex digits)."""
    path = home.expanduser().resolve()
    return f"{path.name}-{sha256(str(path).encode()).hexdigest()[:6]}"


def artifact_key(places: Places) -> str:
    """Return the key under which Prefect keeps the counts of this home's nights."""
    name = "".join(letter if letter.isalnum() else "-" for letter in places.home.name.lower())
    ascii_only = name.encode("ascii", "ignore").decode().strip("-")
    return f"night-counts-{ascii_only}".strip("-")


def time_zone_here() -> str:
    """Return this machine's time zone: '5 in the morning' is meant here, not in UTC."""
    links = (Path("/etc/localtime"),)
    names = [os.environ.get("TZ", "").removeprefix(":")]
    names += [str(link.resolve()).rpartition("zoneinfo/")[2] for link in links if link.exists()]
    known = available_timezones()
    return next((name for name in names if name in known), "UTC")


def _watch_as_tasks(counts: dict[str, Counts], trigger: Trigger, beside: Watch | None) -> Watch:
    """Return a watch that runs each step as one task, and keeps what it counted."""

    def watch(name: str, step: Step, night: Night) -> Counts:
        def taken() -> Counts:
            try:
                return beside(name, step, night) if beside else step(night)
            except Exception as error:  # noqa: BLE001 - as in `nightly`
                raise _without_data(error, f"step '{name}'") from None

        waits = trigger == "schedule" and name == STEPS[0][0]
        run_step = task(
            name=name,
            task_run_name=name,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
            retries=len(_SHARE_DELAYS) if waits else 0,
            retry_delay_seconds=list(_SHARE_DELAYS) if waits else None,
            retry_condition_fn=_may_come_yet if waits else None,
        )(taken)
        counts[name] = run_step()
        return counts[name]

    return watch


def _may_come_yet(_task: object, _run: object, state: State[Any]) -> bool:
    """Return whether the folder may only be late; a wrong mapping stays wrong."""
    return isinstance(state.result(raise_on_failure=False), SourceError)


def _home_may_come_free(_task: object, _run: object, state: State[Any]) -> bool:
    """Return whether a night was only still running: what else is wrong stays wrong."""
    return isinstance(state.result(raise_on_failure=False), NightRunningError)


def _without_data(error: Exception, what: str) -> UnstuckError:
    """Return our own error as it is, of any other only where it arose."""
    if isinstance(error, UnstuckError):
        return error
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent.name in ("pipelines", "models", "data_contracts")
        and Path(frame.filename).name != "night.py"  # where every step's SQL passes through
    ]
    place = f"{Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else "unknown place"
    message = (
        f"{what} stopped by an unforeseen {type(error).__name__} ({place}). The last snapshot "
        "stays. What the error says is withheld, because it may hold data of clients: to see "
        "it, run 'unstuck run' at the terminal with UNSTUCK_DEBUG=1 and without PREFECT_API_URL. "
        "Please report it"
    )
    return UnforeseenError(message)


def _note_counts(places: Places, counts: dict[str, Counts], outcome: str) -> None:
    """Leave the counts with Prefect; a night does not fail because that failed."""
    lines = [
        f"Night of `{places.home.name}`: **{outcome}**",
        "",
        "| step | " + " | ".join(name.replace("_", " ") for name in COUNTED) + " |",
        "|---|" + "---:|" * len(COUNTED),
    ]
    lines += [
        f"| {name} | " + " | ".join(f"{getattr(done, column):,}" for column in COUNTED) + " |"
        for name, done in counts.items()
    ]
    try:
        create_markdown_artifact(
            "\n".join(lines), key=artifact_key(places), description="Rows by step"
        )
    except Exception as error:  # noqa: BLE001 - whatever Prefect raises, the night has ended well
        get_run_logger().warning("the counts could not be kept (%s)", type(error).__name__)


def _check_cron(cron: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError:
        message = (
            f"{cron!r} is no schedule: five fields are meant, minute hour day month weekday, "
            'such as "0 5 * * *" for 5 in the morning'
        )
        raise ContractError(message) from None


def _one_at_a_time() -> ConcurrencyLimitConfig:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

    return ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)


def _close_lost_runs(places: Places) -> None:
    """Tell Prefect of runs that ended without a word: killed, or the machine went down.

    Else they would count as running for ever. The locks say that none of this home runs now.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
    from prefect.states import Crashed

    name = deployment_name(places.home)
    unfinished = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
    if any(_is_held(lock) for lock in (places.lock, places.training_lock)):
        return
    with get_client(sync_client=True) as client:
        for lost in client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(unfinished),
            deployment_filter=DeploymentFilter.model_validate({"name": {"any_": [name]}}),
        ):
            ended: State[Any] = Crashed(message="ended without a word; the last snapshot stays")
            client.set_flow_run_state(lost.id, ended, force=True)


def _is_held(path: Path) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _need_server() -> None:
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            trouble = client.api_healthcheck()
    except RuntimeError as error:  # its own server did not start in time
        trouble = error
    if trouble is not None:
        message = (
            f"Prefect's server does not answer ({type(trouble).__name__}). If PREFECT_API_URL or "
            "your Prefect profile names a server, start it or remove the setting; if the machine "
            "is busy, set PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS higher. Then run "
            "again: nothing was changed"
        )
        raise NotAvailableError(message) from None
