"""Kill processes in which supervisors decide, again and again; write down what was acknowledged.

Run by test_killed_reviews.py: `python killed_reviews.py HOME URL PROCESSES SUPERVISORS KILLS SEED`
(URL '-' for SQLite). Each process stands for a running dashboard: its threads are supervisors who
decide as fast as they can about the same few cases. What a supervisor was told goes into HOME/log
line by line, in one write each, which a kill of the process cannot tear. A supervisor who heard no
answer asks again after the restart, with the same event. Nothing is opened before a fork.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import alembic.command  # noqa: F401 - imported before the forks, that they open the store quickly

from dashboard import reviews
from dashboard.review_events import Review, Shown
from dashboard.reviews import ReviewConflictError
from dashboard.workspace_store import workspace
from data_contracts.errors import WorkspaceError
from data_contracts.places import Places
from data_contracts.review_words import DECISIONS
from data_contracts.settings import Settings, Workspace

CASES = 40
SHOWN = Shown(
    run_id="run-1",
    rule_version="2",
    kind="stuck",
    kinds=("stuck",),
    open_flags=("stuck|phq9|day 63",),
)
Say = Callable[[str, str, str, int], None]


def saying(log: Path) -> Say:
    handle = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def say(what: str, event_id: str, about: str, number: int) -> None:
        line = json.dumps([what, event_id, about, number]) + "\n"
        assert os.write(handle, line.encode()) == len(line)

    return say


def unanswered(log: Path) -> tuple[str, str, int] | None:
    """Return the last thing this supervisor wanted and was told nothing about."""
    lines = log.read_text().splitlines() if log.exists() else []
    if not lines:
        return None
    what, event_id, case_id, number = json.loads(lines[-1])
    return (event_id, case_id, number) if what == "wanted" else None


def decide(supervisor: str, engine, log: Path, chance: random.Random, stop: Event) -> None:
    open_wish, say = unanswered(log), saying(log)
    while not stop.is_set() or open_wish:
        if open_wish is None:
            case_id = f"C-{chance.randrange(CASES)}"
            try:
                seen = len(reviews.history(engine, case_id))
            except WorkspaceError:
                continue
            event_id = f"{chance.getrandbits(128):032x}"
            open_wish = event_id, case_id, seen
            say("wanted", *open_wish)
        event_id, case_id, seen = open_wish
        given = Review(
            event_id=event_id,
            case_id=case_id,
            user_id=supervisor,
            supervisor_id=supervisor,
            decision=next(d for d in DECISIONS if d != "watch_until"),
            shown=SHOWN,
        )
        try:
            stored = reviews.record(engine, given, seen, at=datetime.now(UTC))
        except ReviewConflictError:
            say("conflict", event_id, case_id, seen)
        except WorkspaceError:
            continue
        else:
            say("stored", event_id, case_id, stored.sequence)
        open_wish = None


def dashboard(home: Path, url: str, supervisors: list[str], seed: int) -> None:
    """Be a dashboard with these supervisors at work, until told to stop (or killed)."""
    stop = Event()
    threading.excepthook = lambda _error: os._exit(1)  # no supervisor drops out unseen
    signal.signal(signal.SIGTERM, lambda *_given: stop.set())
    engine = workspace(Places.at(home), Settings(workspace=Workspace(url=url)))
    threads = [
        Thread(
            target=decide,
            args=(name, engine, home / "log" / name, random.Random(f"{seed} {name}"), stop),
        )
        for name in supervisors
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.05)


def started(home: Path, url: str, supervisors: list[str], seed: int) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            dashboard(home, url, supervisors, seed)
            code = 0
        finally:
            os._exit(code)
    return child


def main(home: Path, url: str, processes: int, supervisors: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"S-{number}" for number in range(supervisors)]
    (home / "log").mkdir()
    shares = [names[start::processes] for start in range(processes)]
    running = [started(home, url, share, seed) for share in shares]
    for kill in range(kills):
        # now and then while the store is being opened
        time.sleep(chance.uniform(0.0, 0.2) if kill % 5 == 4 else chance.uniform(0.2, 1.0))
        place = chance.randrange(processes)
        os.kill(running[place], signal.SIGKILL)
        _, status = os.waitpid(running[place], 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        running[place] = started(home, url, shares[place], seed + kill + 1)
    time.sleep(1)
    for child in running:
        os.kill(child, signal.SIGTERM)
    codes = [os.waitpid(child, 0)[1] for child in running]
    assert codes == [0] * processes, codes


if __name__ == "__main__":
    given_home, given_url, *numbers = sys.argv[1:]
    main(Path(given_home), "" if given_url == "-" else given_url, *map(int, numbers))
