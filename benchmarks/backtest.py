"""How long does a back-test of a very large practice take, and a second one that may reuse?

A simulated practice: every rule, ten landmarks, intervals by case. The second back-test has every
piece of the first; the third is asked a quarter later, when newer cases have come. Goal: 100,000
cases in 10 minutes on two cores (stretch: 3). Run: python benchmarks/backtest.py [--quick]
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import polars as pl
from measuring import chosen, machine, parser, table
from past_practices import simulated

from models.backtest import ALL, backtest
from models.landmarks import Landmark
from models.past_cases import PastCases
from models.replay import Store
from models.splits import BLOCK_DAYS
from pipelines.demo_practice import simulate_practice
from pipelines.piece_store import PieceStore, code_version

SEED = 501
LANDMARKS = tuple(Landmark(kind="occasion", at=at) for at in range(1, 11))
GOAL, STRETCH = 600, 180  # seconds


class Parts:
    """Shows how far a back-test has come, and adds up how long each of its parts took."""

    def __init__(self) -> None:
        """Begin with what comes before the first part."""
        self.seconds: dict[str, float] = {}
        self.doing, self.since = "reading what was known", perf_counter()

    def __call__(self, done: int, total: int, doing: str) -> None:
        """Note a step."""
        self.note(doing.partition(" at ")[0])
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{doing}: {done} of {total}".ljust(78))
            sys.stderr.flush()

    def note(self, doing: str) -> None:
        """Book the time since the last step on what was done."""
        now = perf_counter()
        self.seconds[self.doing] = self.seconds.get(self.doing, 0.0) + now - self.since
        self.doing, self.since = doing, now


def until(past: PastCases, day: int) -> PastCases:
    """Return the past as it stood at the end of a practice day: younger cases are not there yet."""
    cases = past.cases.filter(pl.col("started_on") <= day).with_columns(
        is_ended=pl.col("is_ended") & (pl.col("ended_on") <= day),
        ended_on=pl.when(pl.col("ended_on") <= day).then("ended_on"),
        dropped_out=pl.when(pl.col("ended_on") <= day).then("dropped_out"),
    )
    start = cases.select("case_id", "started_on")

    def seen(frame: pl.DataFrame) -> pl.DataFrame:
        dated = frame.join(start, on="case_id", how="inner", maintain_order="left")
        return dated.filter(pl.col("started_on") + pl.col("day") <= day).drop("started_on")

    return PastCases.of(
        past.measure,
        cases,
        seen(past.points),
        sessions=seen(past.sessions),
        alliance=seen(past.alliance),
    )


def timed(past: PastCases, split: str, store: Store | None) -> tuple[list[str], int]:
    """Back-test once; return seconds in all, of processor and by part, and pieces reused."""
    parts = Parts()
    began, worked = perf_counter(), process_time()
    found = backtest(
        past,
        landmarks=LANDMARKS,
        rules=ALL,
        repeats=1,
        split="calendar" if split == "calendar" else "cross_validation",
        store=store,
        watch=parts,
    )
    whole = perf_counter() - began
    parts.note("")
    if sys.stderr.isatty():
        sys.stderr.write("\r" + " " * 78 + "\r")
    known = ("reading what was known", "replaying past cases", "measuring the rules")
    cells = [
        f"{whole:.0f}",
        f"{process_time() - worked:.0f}",
        *(f"{parts.seconds.get(name, 0.0):.0f}" for name in known),
    ]
    return cells, found.replayed.reused


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    told = chosen(parser(__doc__, cases=(100_000, 2_000)), argv)
    write = sys.stdout.write
    began = perf_counter()
    practice = simulate_practice(cases=told.cases, seed=SEED, dirty_rows=False)
    past = simulated(practice)
    del practice
    write(
        f"{machine('scikit-learn')}; {past.cases.height:,} cases, {past.points.height:,} scores, "
    )
    write(f"{len(ALL)} rules, {len(LANDMARKS)} landmarks, 500 draws; simulated in ")
    write(f"{perf_counter() - began:.0f} s (not counted)\n\n")
    newest = int(past.points["practice_day"].max() or 0)  # type: ignore[arg-type]  # whole days
    rows: list[list[str]] = []

    def told_of(what: str, work: Callable[[], tuple[list[str], int]]) -> None:
        cells, reused = work()
        rows.append([what, *cells, str(reused)])
        sys.stderr.write(" | ".join(rows[-1]) + "\n")  # the rest may take minutes

    with TemporaryDirectory() as folder:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        store = PieceStore(folder=Path(folder), made_by=code_version(), now=now)
        earlier = until(past, newest - BLOCK_DAYS)
        told_of("by calendar, nothing kept", lambda: timed(past, "calendar", None))
        told_of("by calendar, a quarter before", lambda: timed(earlier, "calendar", store))
        told_of("by calendar, now: new cases and blocks", lambda: timed(past, "calendar", store))
        told_of("by calendar, again", lambda: timed(past, "calendar", store))
        told_of("without calendar, 1 x 5 folds", lambda: timed(past, "cross_validation", None))
    head = [
        "",
        "seconds",
        "of processor",
        "what was known",
        "replaying",
        "measuring",
        "pieces reused",
    ]
    write(table(head, rows))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write(f"\ngoal {GOAL} s, stretch {STRETCH} s; most memory {most:,.0f} MiB\n")


if __name__ == "__main__":
    main()
