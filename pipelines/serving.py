"""What runs while a practice is served: Prefect's server, the schedule, the screens.

This process only starts them, says where they are, and watches. Each runs in a process group of
its own with its output in a log; when one ends, or this process does, in whatever way, all end.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from types import FrameType
from typing import IO

import typer

from data_contracts.errors import NotAvailableError
from data_contracts.places import HOME_VARIABLE, Places
from pipelines.prefect_settings import API, prefect_api_is_configured, prefect_environment

Say = Callable[[str], None]

HOST = "127.0.0.1"
PREFECT_PORT = 4200  # Prefect's own default; a bookmark stays right while it is free
_START_SECONDS = 180
_FIRST_GRACE_SECONDS = 6.0  # the schedule says goodbye to Prefect's server while that still lives
_GRACE_SECONDS = 2.5
_TOLD = "unstuck: "  # begins a line in a log that was written for people
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process to start."""

    name: str
    arguments: tuple[str, ...]  # of `python -m pipelines.serving_parts`
    environment: dict[str, str]
    log: Path


@dataclass(frozen=True, kw_only=True)
class Running:
    """A part that was started, and the pipe that ends it when this process dies."""

    part: Part
    process: subprocess.Popen[bytes]
    lifeline: IO[bytes]


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked
    """Ctrl-C, or the system, asks this process to end."""


def serve(
    places: Places, *, source: Path, mapping: Path, cron: str, port: int, say: Say = typer.echo
) -> None:
    """Run the night on a schedule and serve the screens, until Ctrl-C.

    Raises
    ------
    NotAvailableError
        If the port is taken, or a part does not start or ends; the others are stopped.
    """
    need_port(port)
    environment = prefect_environment(places)
    with _supervised() as parts:
        screens = parts.start(_screens(places, port))
        own_server = not prefect_api_is_configured()
        if own_server:
            prefect_port = PREFECT_PORT if is_free(PREFECT_PORT) else free_port()
            address = f"http://{HOST}:{prefect_port}"
            environment |= {
                API: f"{address}/api",
                "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": address,
            }
            server = parts.start(
                Part(
                    name="Prefect's server",
                    arguments=("server", str(prefect_port)),
                    environment=environment,
                    log=_log(places, "server"),
                )
            )
            parts.wait_for(server, f"{address}/api/health")
            say(f"Prefect    {address}")
        else:
            say(f"Prefect    {os.environ.get(API, 'as your Prefect profile says')}")
        schedule = Part(
            name="the schedule",
            arguments=("schedule", str(source), str(mapping), str(places.home), cron),
            environment=environment,
            log=_log(places, "schedule"),
        )
        parts.start(schedule)
        say(f"Night      at {cron!r}; log: {schedule.log}")
        parts.wait_for(screens, f"http://{HOST}:{port}/_stcore/health")
        say(f"Screens    http://{HOST}:{port}")
        say("Ctrl-C stops all.")
        parts.watch()
    say("Stopped.")


def dashboard(places: Places, port: int, *, say: Say = typer.echo) -> None:
    """Serve the screens on this machine, until Ctrl-C.

    Raises
    ------
    NotAvailableError
        If the port is taken, or the screens do not start or end.
    """
    need_port(port)
    with _supervised() as parts:
        screens = parts.start(_screens(places, port))
        parts.wait_for(screens, f"http://{HOST}:{port}/_stcore/health")
        say(f"Screens    http://{HOST}:{port}   (Ctrl-C stops them)")
        parts.watch()
    say("Stopped.")


def is_free(port: int) -> bool:
    """Return whether nobody listens on this port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.bind((HOST, 0))
        return int(tried.getsockname()[1])


def need_port(port: int) -> None:
    """Stop with a way out if the port is taken.

    Raises
    ------
    NotAvailableError
        Names the next free port.
    """
    if is_free(port):
        return
    after = next((other for other in range(port + 1, port + 100) if is_free(other)), free_port())
    message = (
        f"port {port} of {HOST} is taken, perhaps by screens that are open already: use them, "
        f"stop them, or choose another: --port {after}"
    )
    raise NotAvailableError(message)


class Parts:
    """The processes that live and end together."""

    def __init__(self, stop: Event) -> None:
        self.stop = stop
        self.running: list[Running] = []

    def start(self, part: Part) -> Running:
        """Start one, its output in its log."""
        part.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - no shell, our own module
                # -P and PYTHONSAFEPATH: a folder in the working directory that is named like one
                # of our packages must not be imported instead.
                [sys.executable, "-P", "-m", "pipelines.serving_parts", *part.arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONSAFEPATH": "1", **part.environment},
                start_new_session=True,
            )
        assert process.stdin is not None  # noqa: S101 - narrows the type
        started = Running(part=part, process=process, lifeline=process.stdin)
        self.running.append(started)
        return started

    def wait_for(self, running: Running, address: str) -> None:
        """Wait until a part answers.

        Raises
        ------
        NotAvailableError
            If it does not in time, or one of the parts ends.
        """
        until = monotonic() + _START_SECONDS
        while not _answers(address):
            self._look()
            if monotonic() > until:
                message = (
                    f"{running.part.name} did not answer within {_START_SECONDS} seconds: see "
                    f"{running.part.log}. All was stopped"
                )
                raise NotAvailableError(message)

    def watch(self) -> None:
        """Wait until somebody asks to stop.

        Raises
        ------
        NotAvailableError
            If one of the parts ends.
        """
        while True:
            self._look(seconds=0.5)

    def _look(self, seconds: float = 0.1) -> None:
        if self.stop.wait(seconds):
            raise Stopped
        for running in self.running:
            if running.process.poll() is not None:
                raise NotAvailableError(_ended(running))

    def end(self) -> None:
        """End all, the last started first, with whatever they started themselves."""
        until = monotonic() + _FIRST_GRACE_SECONDS
        for running in reversed(self.running):
            # To the whole group: told by Prefect alone, a night would be killed before it could
            # note that it failed.
            _signal(running, signal.SIGTERM)
            _wait(running, until)
        until = monotonic() + _GRACE_SECONDS
        for running in self.running:
            _wait(running, until)
        for running in self.running:
            _signal(running, signal.SIGKILL)
            running.process.wait()
            running.lifeline.close()


@contextmanager
def _supervised() -> Iterator[Parts]:
    """Give what starts parts; at the end, however it comes, end them all."""
    stop = Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    with ExitStack() as undo:
        for number in _STOPPING:
            undo.callback(signal.signal, number, signal.signal(number, ask_to_stop))
        parts = Parts(stop)
        undo.callback(parts.end)
        with suppress(Stopped):
            yield parts


def _screens(places: Places, port: int) -> Part:
    return Part(
        name="the screens",
        arguments=("screens", str(port)),
        environment={HOME_VARIABLE: str(places.home)},
        log=_log(places, "screens"),
    )


def _log(places: Places, name: str) -> Path:
    return places.prefect / f"{name}.log"


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _ended(running: Running) -> str:
    """Return what to tell of a part that ended: its own words, if they were written for people."""
    text = running.part.log.read_text(encoding="utf-8", errors="replace")
    told = [line.removeprefix(_TOLD) for line in text.splitlines() if line.startswith(_TOLD)]
    why = told[-1] if told else f"see {running.part.log}"
    return (
        f"{running.part.name} ended by itself (exit code {running.process.returncode}): {why}. "
        "All was stopped; start it again when that is put right"
    )


def _signal(running: Running, number: int) -> bool:
    """Send to all in the part's process group, which may outlive the part; False if none is left.

    A night that runs is in the group of the schedule.
    """
    try:
        os.killpg(running.process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait(running: Running, until: float) -> None:
    """Wait until the last of the group has ended."""
    while monotonic() < until:
        running.process.poll()
        if not _signal(running, 0):
            return
        sleep(0.05)
