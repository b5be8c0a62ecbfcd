"""Fifty supervisors decide through the real server while it is killed: nothing told is lost.

What a supervisor is told counts: "Saved" on the screen, as a browser would get it.
"""

from __future__ import annotations

import importlib.util
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from websockets.exceptions import WebSocketException

from dashboard import reviews
from dashboard.launch import streamlit_arguments
from dashboard.workspace_store import workspace
from data_contracts.places import Places
from data_contracts.settings import Settings, settings_of

CASES = [f"C-{number:03}" for number in range(1, 11)]
LOST_ON_THE_WAY = (WebSocketException, OSError, TimeoutError)


def browser_protocol() -> ModuleType:
    """Load the benchmark's client, which is in no package."""
    path = Path(__file__).parents[2] / "benchmarks" / "screens_client.py"
    spec = importlib.util.spec_from_file_location("screens_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["screens_client"] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Server:
    """The screens of a home, served as `unstuck serve` does."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"UNSTUCK_HOME": str(self.home)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", *streamlit_arguments(self.port)],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        assert self.process.wait() == -9


@dataclass
class Heard:
    """What the supervisors were told, by case and user."""

    saved: Counter[tuple[str, str]] = field(default_factory=Counter)
    unanswered: Counter[tuple[str, str]] = field(default_factory=Counter)
    conflicts: int = 0
    wrong: list[str] = field(default_factory=list)


def decide_on(server: Server, name: str, heard: Heard, stop: threading.Event) -> None:
    chance = random.Random(name)
    browser = sys.modules["screens_client"].Browser(f"127.0.0.1:{server.port}")
    user = f"demo-supervisor {name}"
    while not stop.is_set():
        case, is_asked = chance.choice(CASES), False
        try:
            browser.open("case", role="supervisor", supervisor=name, case=case)
            browser.expect(f"Case {case}")
            for _ in range(chance.randint(1, 4)):
                browser.fill("Decision", [chance.choice(["Discussed", "Refer on"])])
                is_asked = True
                browser.press("Save")
                is_asked = False
                if "Not saved for case" in browser.said():
                    heard.conflicts += 1
                    browser.press("Discard mine")
                elif "✓ Saved" in browser.said():
                    heard.saved[case, user] += 1
                else:
                    heard.wrong.append(browser.said()[:500])
        except sys.modules["screens_client"].WrongScreenError as wrong:
            heard.wrong.append(str(wrong))
            return
        except LOST_ON_THE_WAY:
            heard.unanswered[case, user] += is_asked
            stop.wait(0.3)
    browser.close()


def wait_for_an_answer(heard: Heard, seconds: float = 120) -> None:
    before, until = heard.saved.total(), time.monotonic() + seconds
    while heard.saved.total() <= before and not heard.wrong:
        assert time.monotonic() < until, "the server gave no answer"
        time.sleep(0.05)


def check(places: Places, *, supervisors: int, kills: int, seconds: float, seed: int) -> Heard:
    browser_protocol()
    names = [f"V-{number:02}" for number in range(1, supervisors + 1)]
    therapists = [f"T-{number:03}" for number in range(1, 8)]
    with places.settings.open("a", encoding="utf-8") as settings:
        settings.write("\n[roles.supervisors]\n")
        settings.writelines(f"{name} = {therapists}\n" for name in names)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(places.home, free.getsockname()[1])
    heard, stop, chance = Heard(), threading.Event(), random.Random(seed)
    threads = [
        threading.Thread(target=decide_on, args=(server, name, heard, stop)) for name in names
    ]
    server.start()
    try:
        for thread in threads:
            thread.start()
        for _ in range(kills):
            wait_for_an_answer(heard)  # at least one between two kills
            time.sleep(chance.uniform(0, seconds))
            server.kill()
            server.start()
        wait_for_an_answer(heard)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        server.kill()

    assert heard.wrong == []
    stored: Counter[tuple[str, str]] = Counter()
    engine = workspace(places, settings_of(places))
    for case in CASES:
        events = reviews.history(engine, case)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        stored.update((case, event.user_id) for event in events)
    assert {key: count for key, count in heard.saved.items() if stored[key] < count} == {}
    more = stored - heard.saved
    assert {key: count for key, count in more.items() if heard.unanswered[key] < count} == {}
    print(  # noqa: T201 - for the note
        f"{supervisors} supervisors, {kills} kills: {heard.saved.total()} told saved, "
        f"{stored.total()} stored, {heard.conflicts} conflicts, "
        f"{heard.unanswered.total()} unanswered"
    )
    return heard


def test_nothing_that_was_told_saved_is_lost_when_the_server_is_killed(
    own_practice: Places,
) -> None:
    heard = check(own_practice, supervisors=6, kills=1, seconds=2, seed=1)
    assert heard.saved.total() >= 2


@pytest.mark.reliability
def test_fifty_supervisors_lose_nothing_in_many_kills_of_the_server(
    own_practice: Places, workspace_settings: Settings
) -> None:
    if url := workspace_settings.workspace.url:
        with own_practice.settings.open("a", encoding="utf-8") as settings:
            settings.write(f'\n[workspace]\nurl = "{url}"\n')
    heard = check(own_practice, supervisors=50, kills=10, seconds=10, seed=3)
    assert heard.saved.total() > 100
    assert heard.conflicts > 0
