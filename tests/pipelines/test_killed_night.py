"""A night that is killed anywhere leaves the last snapshot, and the next night makes it good."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import NightRunningError

SCRIPT = Path(__file__).with_name("killed_nights.py")
FIRST = """
case day measure score
c-1 0 PHQ-9 20
c-1 7 PHQ-9 19
c-2 0 PHQ-9 12
"""
SECOND = """
case day measure score
c-1 7 PHQ-9 21
c-1 14 PHQ-9 20
c-1 21 PHQ-9 20
c-1 28 PHQ-9 20
c-1 35 PHQ-9 20
c-1 42 PHQ-9 20
c-2 7 PHQ-9 9
c-3 0 PHQ-9 9
"""


def test_a_night_killed_anywhere_leaves_the_last_snapshot_and_the_next_one_succeeds(
    practice: Any, tmp_path: Path
) -> None:
    first = practice.night(FIRST)
    second = "20260106T050000"
    practice.send("\n".join(",".join(row.split()) for row in SECOND.split("\n") if row),
                  "scores_001.csv")  # fmt: skip
    out = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, (practice.source, practice.mapping,
                                                 practice.places.home, out))],
        capture_output=True, text=True, timeout=300, check=False,
        cwd=Path(__file__).resolve().parents[2], env={"PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text())
    assert found.pop("undisturbed") == {"is_new": True}
    assert len(found) == 14
    for point, left in found.items():
        is_shown = point == "after the pointer"
        assert left["killed_by"] == signal.SIGKILL, point
        assert left["shown_run"] == first.run_id or (
            is_shown and left["shown_run"].startswith(second)
        ), point
        outcome = "unchanged" if is_shown else "published"
        assert left["next_night"] == [outcome, [], outcome], point
        assert left["is_as_undisturbed"], point


def test_a_second_night_at_the_same_time_is_told_so_and_changes_nothing(practice: Any) -> None:
    practice.night(FIRST)
    refused: list[NightRunningError] = []

    def watch(name: str, step: Any, night: Any) -> Any:
        if name == "judge":
            before = practice.places.pointer(), practice.places.last_run()
            with pytest.raises(NightRunningError) as running:
                practice.night()
            refused.append(running.value)
            assert (practice.places.pointer(), practice.places.last_run()) == before
        return step(night)

    report = practice.night(SECOND, watch=watch)
    [error] = refused
    assert error.exit_code == 7
    assert "another night is running" in str(error)
    assert "since 2026-01-06 05:00" in str(error)
    assert report.outcome == "published"
    assert practice.places.last_run().state == "published"


def test_a_night_that_ended_frees_the_home(practice: Any) -> None:
    def watch(name: str, step: Any, night: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        practice.night(FIRST, watch=watch)
    assert practice.places.last_run().state == "failed"
    assert practice.night().outcome == "published"
