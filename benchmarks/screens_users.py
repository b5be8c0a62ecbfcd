"""What do supervisors at the screens do, and how long does each of their acts take?

Each user is a tab (screens_client.py): opens a case from the queue, goes to the next, back to the
queue, loads an address anew; looks for news as every open tab does. Acts come at random moments,
so that some fall together. Whatever is drawn is checked: the right case, and no error.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic, sleep

from screens_client import Browser, Drawn, WrongScreenError
from websockets.exceptions import WebSocketException

QUEUE, CASE, NEWS = "queue", "case", "look for news"
_BETWEEN = 10.0  # seconds between the acts of one user, on average
_WARM_UP = 20.0  # seconds that do not count: every user's first screens


@dataclass
class Acts:
    """What users did and how it went."""

    drawn: list[tuple[float, str, Drawn]] = field(default_factory=list)  # when, what, cost
    failed: list[str] = field(default_factory=list)

    def of(self, what: str, since: float = 0.0) -> list[Drawn]:
        """Return the acts of one kind from a moment on."""
        return [cost for at, kind, cost in self.drawn if kind == what and at >= since]


Act = Callable[[], tuple[str, Drawn]]


class User(Thread):
    """A supervisor with one open tab."""

    def __init__(self, host: str, supervisor_id: str, until: float, acts: Acts) -> None:
        super().__init__(daemon=True)
        self.host, self.supervisor_id, self.until, self.acts = host, supervisor_id, until, acts
        self.random = random.Random(supervisor_id)  # noqa: S311 - when to click, not a secret
        self.browser = Browser(host)

    def run(self) -> None:
        """Act until the time is over; what fails is noted and begun again."""
        at = monotonic() + self.random.uniform(0, _BETWEEN)
        act: Act = self.load_queue
        while at < self.until:
            self._wait(at)
            at = max(at, monotonic()) + self.random.expovariate(1 / _BETWEEN)
            try:
                what, cost = act()
                self.acts.drawn.append((monotonic(), what, cost))
                act = self._next_act(what)
            except (WrongScreenError, WebSocketException, OSError) as error:
                self.acts.failed.append(f"{type(error).__name__}: {error}"[:300])
                act = self.load_queue
        self.browser.close()

    def load_queue(self) -> tuple[str, Drawn]:
        """Load the queue's address, as in the morning."""
        cost = self.browser.open("queue", role="supervisor", supervisor=self.supervisor_id)
        self.browser.expect("Supervision queue")
        return QUEUE, cost

    def open_case(self) -> tuple[str, Drawn]:
        """Follow the link of one of the rows shown."""
        rows = [one.widget.label for one in self.browser.all("page_link") if one.widget.label]
        cases = [label for label in rows if "Open " in label]
        if not cases:
            return self.load_queue()
        cost = self.browser.follow(self.random.choice(cases))
        self.browser.expect(f"Case {self.browser.query['case']}")
        return CASE, cost

    def next_case(self) -> tuple[str, Drawn]:
        """Press "Next"; after the last case go back to the queue."""
        before = self.browser.query["case"]
        try:
            cost = self.browser.press("Next")
        except WrongScreenError:
            return self.back()
        case_id = self.browser.query["case"]
        if case_id == before:
            message = f"still at case {before} after 'Next'"
            raise WrongScreenError(message)
        self.browser.expect(f"Case {case_id}")
        return CASE, cost

    def back(self) -> tuple[str, Drawn]:
        """Go back to the queue."""
        cost = self.browser.follow("Back to the queue")
        self.browser.expect("Supervision queue")
        return QUEUE, cost

    def load_case(self) -> tuple[str, Drawn]:
        """Load the case's address anew, as from a link or with the key F5."""
        query = self.browser.query
        cost = self.browser.open("case", **query)
        self.browser.expect(f"Case {query['case']}")
        return CASE, cost

    def _next_act(self, what: str) -> Act:
        on_queue = ((self.open_case, 85), (self.load_queue, 15))
        on_case = ((self.next_case, 55), (self.back, 35), (self.load_case, 10))
        acts, weights = zip(*(on_queue if what == QUEUE else on_case), strict=True)
        return self.random.choices(acts, weights)[0]

    def _wait(self, at: float) -> None:
        while (left := at - monotonic()) > 0:
            sleep(min(left, 1.0))
            try:
                for cost in self.browser.due_reruns():
                    self.acts.drawn.append((monotonic(), NEWS, cost))
            except (WebSocketException, OSError) as error:
                self.acts.failed.append(f"news: {type(error).__name__}")
                return


def alone(host: str, supervisor_ids: Sequence[str]) -> Acts:
    """Return what users saw who came one after the other: nothing of theirs was asked before."""
    acts = Acts()
    for supervisor_id in supervisor_ids:
        user = User(host, supervisor_id, 0.0, acts)
        for act in (user.load_queue, user.open_case, user.next_case):
            what, cost = act()
            acts.drawn.append((monotonic(), what, cost))
        user.browser.close()
    return acts


def together(host: str, supervisor_ids: Sequence[str], seconds: float) -> tuple[Acts, float]:
    """Return what so many users did at once, and from which moment on it counts."""
    acts, begin = Acts(), monotonic()
    until = begin + _WARM_UP + seconds
    users = [User(host, supervisor_id, until, acts) for supervisor_id in supervisor_ids]
    for user in users:
        user.start()
    for user in users:
        user.join()
    return acts, begin + _WARM_UP
