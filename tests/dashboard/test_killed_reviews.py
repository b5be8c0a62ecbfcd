"""Fifty supervisors decide at once while the dashboard is killed: nothing acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dashboard import reviews
from dashboard.workspace_store import workspace
from data_contracts.places import Places
from data_contracts.settings import Settings

SCRIPT = Path(__file__).with_name("killed_reviews.py")
SUPERVISORS = 50


def told(home: Path) -> list[tuple[str, str, str, int]]:
    """Return what the supervisors wanted and were told: what, event, case, number."""
    return [
        tuple(json.loads(line))
        for log in sorted((home / "log").iterdir())
        for line in log.read_text().splitlines()
    ]


def check(home: Path, settings: Settings, *, processes: int, kills: int, seed: int) -> Counter[str]:
    subprocess.run(
        [sys.executable, str(SCRIPT), str(home), settings.workspace.url or "-",
         str(processes), str(SUPERVISORS), str(kills), str(seed)],
        check=True, timeout=550,
    )  # fmt: skip
    engine = workspace(Places.at(home), settings)
    lines = told(home)
    cases = {case_id for _, _, case_id, _ in lines}
    stored = {case_id: reviews.history(engine, case_id) for case_id in sorted(cases)}
    by_id = {event.event_id: event for events in stored.values() for event in events}

    lost = [
        line
        for line in lines
        if line[0] == "stored"
        and (line[1] not in by_id or (by_id[line[1]].case_id, by_id[line[1]].sequence) != line[2:])
    ]
    assert lost == []
    for case_id, events in stored.items():
        assert [event.sequence for event in events] == list(range(1, len(events) + 1)), case_id
    assert len(by_id) == sum(map(len, stored.values()))
    refused = {event_id for what, event_id, _, _ in lines if what == "conflict"}
    assert not refused & set(by_id), "a supervisor was told of a conflict, and it was stored"
    # Everybody asked until there was an answer, so each stored event was also acknowledged.
    assert {event_id for what, event_id, _, _ in lines if what == "stored"} == set(by_id)
    counted = Counter(what for what, *_ in lines)
    store = "PostgreSQL" if settings.workspace.url else "SQLite"
    print(f"{store}, {processes} processes: {kills} kills, {counted}")  # noqa: T201 - for the note
    return counted


def test_nothing_acknowledged_is_lost_when_the_dashboard_is_killed(
    tmp_path: Path, workspace_settings: Settings
) -> None:
    counted = check(tmp_path, workspace_settings, processes=2, kills=3, seed=1)
    assert counted["stored"] > SUPERVISORS


@pytest.mark.reliability
@pytest.mark.parametrize("processes", [1, 5])
def test_nothing_acknowledged_is_lost_in_many_kills(
    tmp_path: Path, workspace_settings: Settings, processes: int
) -> None:
    counted = check(tmp_path, workspace_settings, processes=processes, kills=80, seed=7)
    assert counted["stored"] > 10 * SUPERVISORS
    assert counted["conflict"] > 0
