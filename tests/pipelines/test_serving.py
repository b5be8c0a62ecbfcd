"""`serve` starts server, schedule and screens, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import NotAvailableError
from data_contracts.places import Places
from pipelines import serving
from pipelines.demo_practice import simulate_practice, write_practice
from pipelines.serving import free_port, is_free

pytestmark = pytest.mark.prefect

SERVE = """
import sys
from pathlib import Path
from data_contracts.errors import UnstuckError
from data_contracts.places import Places
from pipelines import serving
home, source, cron, port = sys.argv[1:]
try:
    serving.serve(
        Places.at(Path(home)), source=Path(source), mapping=Path(source) / "mapping.toml",
        cron=cron, port=int(port),
    )
except UnstuckError as error:
    print("unstuck:", error)
    sys.exit(error.exit_code)
"""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A process that serves, what it said, and where."""

    process: subprocess.Popen[bytes]
    out: Path
    home: Path
    port: int

    def said(self) -> str:
        return self.out.read_text(encoding="utf-8")

    def processes(self) -> set[int]:
        """Return every process that belongs to this home, found by its environment."""
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(self.home).encode() in command + environment:
                found.add(int(folder.name))
        return found


def wait_for(found: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s for {what}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start `serve` in a process of its own, as the command line would."""
    started: list[Served] = []
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")
    } | {"PREFECT_HOME": str(tmp_path / "nobody"), "PYTHONUNBUFFERED": "1"}

    def serve(cron: str = "0 5 * * *") -> Served:
        source, home, port = tmp_path / "source", tmp_path / "home", free_port()
        write_practice(simulate_practice(cases=20, seed=5), source)
        out = tmp_path / "out"
        with out.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(home), str(source), cron, str(port)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        started.append(Served(process=process, out=out, home=home, port=port))
        return started[-1]

    yield serve
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_ctrl_c_stops_server_schedule_and_screens_and_a_kill_does_too(
    start: Callable[..., Served],
) -> None:
    served = start()
    wait_for(lambda: "Ctrl-C stops all" in served.said(), f"serve: {served.said()}")
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/_stcore/health") as answer:
        assert answer.read() == b"ok"
    assert f"Screens    http://127.0.0.1:{served.port}" in served.said()
    assert "Prefect    http://127.0.0.1:" in served.said()
    assert len(served.processes()) == 4
    assert (served.home / "prefect" / "prefect.db").exists()

    served.process.send_signal(signal.SIGINT)

    began = time.monotonic()
    assert served.process.wait(timeout=15) == 0
    assert time.monotonic() - began < 10
    assert served.said().endswith("Stopped.\n")
    assert served.processes() == set()
    assert is_free(served.port)

    again = start()
    wait_for(lambda: "Ctrl-C stops all" in again.said(), f"serve: {again.said()}")
    again.process.kill()
    again.process.wait()
    wait_for(lambda: not again.processes(), "the others to end with it", seconds=15)


def test_a_part_that_ends_is_named_with_its_reason_and_the_others_are_stopped(
    start: Callable[..., Served],
) -> None:
    served = start("every morning")
    assert served.process.wait(timeout=90) == NotAvailableError.exit_code
    assert "the schedule ended by itself" in served.said()
    assert "'every morning' is no schedule" in served.said()
    assert served.processes() == set()


def test_a_taken_port_is_named_with_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NotAvailableError, match=f"port {port} .* --port ") as caught:
            serving.dashboard(Places.at(tmp_path), port)
    suggested = int(str(caught.value).rpartition(" ")[2])
    assert suggested != port
    assert is_free(suggested)


def test_screens_alone_answer_and_stop(tmp_path: Path) -> None:
    port, said = free_port(), []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("Screens"):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    serving.dashboard(Places.at(tmp_path), port, say=say)
    assert [line.split("   ")[0] for line in said] == ["Screens", "Stopped."]
    assert f"http://127.0.0.1:{port}" in said[0]
    assert is_free(port)
    assert signal.getsignal(signal.SIGINT) is before
