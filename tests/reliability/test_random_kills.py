"""Nights killed at random moments: nothing published is lost, torn or doubled. make reliability."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from data_contracts.places import Places
from pipelines.demo_practice import simulate_practice, write_practice

pytestmark = pytest.mark.reliability

KILLS = 40
SLOWEST_NIGHT_SECONDS = 9.0


def night(source: Path, home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable, "-c", "from pipelines.cli import entry; entry()", "run", "--quiet",
            "--source", str(source), "--mapping", str(source / "mapping.toml"),
            "--home", str(home),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def published(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the judged tables of the published snapshot; fails if it is torn."""
    places = Places.at(home)
    found = {}
    with duckdb.connect(str(places.published / places.pointer().cases), read_only=True) as snapshot:
        for table in ("published_statuses", "published_course_points", "published_cases"):
            columns = "* exclude (curve_id)" if table != "published_cases" else "*"
            found[table] = snapshot.sql(f"select {columns} from {table} order by all").fetchall()
    return found


def test_killed_nights_leave_a_whole_state_and_the_next_night_goes_on(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    source, home, calm = tmp_path / "export", tmp_path / "home", tmp_path / "calm"
    write_practice(simulate_practice(cases=200, seed=1), source)
    assert night(source, calm).wait() == 0
    for number in range(KILLS):
        # every few kills the export has changed, so that there is something to land
        scores = source / "scores.csv"
        if number % 4 == 3:
            scores.write_text(scores.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        running = night(source, home)
        time.sleep(chance.uniform(0.2, SLOWEST_NIGHT_SECONDS))
        running.kill()
        running.wait()
        if Places.at(home).pointer_file.exists():
            assert published(home)["published_cases"]
    assert night(source, home).wait() == 0
    assert published(home) == published(calm)
    assert json.loads((home / "last_run.json").read_text(encoding="utf-8"))["state"] in (
        "published", "unchanged",
    )  # fmt: skip
