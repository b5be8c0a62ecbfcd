"""Kill nights where they hurt, each in a process of its own; write what was left as JSON.

Run by test_killed_night.py: `python killed_nights.py SOURCE MAPPING HOME OUT`. HOME holds one good
night, SOURCE holds what came since, all of it good: Great Expectations is left out, which takes
most of a night and writes nothing. Nothing is used before the first fork: threads would not
survive it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from data_contracts.places import Places
from pipelines import nightly, step_3_validate, step_10_publish
from pipelines.night import Counts, Night

KILLED_AT = datetime(2026, 1, 6, 5, 0, tzinfo=UTC)
NEXT_AT = datetime(2026, 1, 7, 5, 0, tzinfo=UTC)
STEPS = [name for name, _ in nightly.STEPS]
POINTS = [*(f"before {name}" for name in STEPS), "after publish", "between the two snapshots",
          "between commit and pointer", "after the pointer"]  # fmt: skip
NOT_COMPARED = ("run_id", "_at", "seconds")


def nothing_broken(_rows: pl.DataFrame, _rules: object) -> pl.DataFrame:
    schema = {"row": pl.UInt32, "rule_id": pl.String, "about": pl.String, "line": pl.Int64}
    return pl.DataFrame(schema=schema)


def die(*_given: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killing_watch(point: str) -> nightly.Watch:
    def watch(name: str, step: nightly.Step, night: Night) -> Counts:
        if point == f"before {name}":
            die()
        counts = step(night)
        if point == f"after {name}":
            die()
        return counts

    return watch


def arm(point: str) -> None:
    """Put the kill where no step begins or ends."""
    if point == "between the two snapshots":
        step_10_publish.sync_folder = die
    if point == "between commit and pointer":
        Places.point_to = die  # type: ignore[method-assign] - a night that dies here
    if point == "after the pointer":
        nightly.sweep = die


def contents(home: Path) -> str:
    """Return what is published and what is in force, without when and by which run."""
    places = Places.at(home)
    pointer = places.pointer()
    found = {}
    paths = (places.warehouse, places.published / pointer.cases,
             places.published / pointer.aggregates)  # fmt: skip
    for part, path in enumerate(paths):
        with duckdb.connect(str(path), read_only=True) as database:
            for (name,) in database.execute("show tables").fetchall():
                columns = [
                    f'"{row[0]}"'
                    for row in database.execute(f"describe {name}").fetchall()
                    if not row[0].endswith(NOT_COMPARED)
                ]
                if name.removeprefix("published_") not in ("runs", "run_counts"):
                    rows = database.execute(f"select {', '.join(columns)} from {name}").fetchall()
                    found[f"{part}.{name}"] = sorted(map(repr, rows))
    return json.dumps(found)


def in_a_child(work: Callable[[], str]) -> tuple[int, str]:
    """Return the exit status of a fork that does the work, and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            said = work()
            with os.fdopen(writing, "w") as pipe:
                pipe.write(said)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return status, said


def main(source: Path, mapping: Path, home: Path) -> dict[str, dict[str, object]]:
    def night(at: datetime, into: Path, watch: nightly.Watch | None = None) -> str:
        report = nightly.run_night(
            source=source, mapping=mapping, home=into, started_at=at, watch=watch
        )
        return report.outcome

    undisturbed = home.with_name("undisturbed")
    shutil.copytree(home, undisturbed)
    _, before = in_a_child(lambda: contents(home))
    _, _ = in_a_child(lambda: night(KILLED_AT, undisturbed))
    _, wanted = in_a_child(lambda: contents(undisturbed))
    found = {"undisturbed": {"is_new": wanted != before}}
    for point in POINTS:
        copy = home.with_name(point.replace(" ", "_"))
        shutil.copytree(home, copy)

        def killed(point: str = point, copy: Path = copy) -> str:
            arm(point)
            return night(KILLED_AT, copy, killing_watch(point))

        def readable(copy: Path = copy) -> str:
            places = Places.at(copy)
            pointer = places.pointer()
            for part in (pointer.cases, pointer.aggregates):
                with duckdb.connect(str(places.published / part), read_only=True) as snapshot:
                    for (name,) in snapshot.execute("show tables").fetchall():
                        snapshot.execute(f"from {name}").fetchall()
            return pointer.run_id

        def after(copy: Path = copy) -> str:
            outcome = night(NEXT_AT, copy)
            places = Places.at(copy)
            left = [path.name for path in places.published.iterdir() if ".writing" in path.name]
            state = places.last_run()
            return json.dumps([outcome, left, state.state if state else ""])

        signal_number = os.WTERMSIG(in_a_child(killed)[0])
        _, shown = in_a_child(readable)
        status, said = in_a_child(after)
        _, result = in_a_child(lambda copy=copy: contents(copy))
        found[point] = {
            "killed_by": signal_number,
            "shown_run": shown,
            "next_night": json.loads(said) if said else f"failed ({status})",
            "is_as_undisturbed": result == wanted,
        }
        shutil.rmtree(copy)
    return found


if __name__ == "__main__":
    step_3_validate.broken_rules = nothing_broken
    places = [Path(argument) for argument in sys.argv[1:]]
    places[3].write_text(json.dumps(main(places[0], places[1], places[2])))
