"""The analyst sees at once whether last night worked, and that every row is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from data_contracts.places import LastRun, Places

APP = Path(dashboard.__file__).parent / "app.py"


pytestmark = pytest.mark.usefixtures("served_on_loopback")


def runs_of(
    places: Places, monkeypatch: pytest.MonkeyPatch, role: str, screen: str = "runs"
) -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=60)
    test.query_params["role"] = role
    test._page_hash = calc_hash(screen)
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.title, *test.header, *test.markdown, *test.info, *test.warning]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def labels(test: AppTest) -> list[str]:
    return [found.proto.label for found in test.get("download_button")]


def test_runs_say_whether_last_night_worked_and_that_rows_add_up(
    own_practice: Places, monkeypatch
) -> None:
    now = datetime.now(UTC)
    own_practice.note_run(
        LastRun(
            run_id="r",
            state="published",
            trigger="schedule",
            started_at=now - timedelta(minutes=9),
            finished_at=now - timedelta(minutes=8),
        )
    )
    test = runs_of(own_practice, monkeypatch, "analyst")
    text = said(test)
    assert "### Yes. The run that started at" in text
    assert "rows landed in" in text
    assert "It adds up" in text
    assert "the longest was" in text
    assert "What to do" not in text
    steps = test.table[2].value["Step"].tolist()
    assert steps[:3] == ["stage", "de-identify", "validate"]


def test_a_failed_night_shows_what_to_do(own_practice: Places, monkeypatch) -> None:
    now = datetime.now(UTC)
    own_practice.note_run(
        LastRun(
            run_id="r2",
            state="failed",
            trigger="schedule",
            started_at=now - timedelta(hours=1),
            finished_at=now,
            message="the export folder is missing",
        )
    )
    text = said(runs_of(own_practice, monkeypatch, "analyst"))
    assert "### No. The run that started at" in text
    assert "the export folder is missing" in text
    assert "What to do" in text
    assert "`unstuck doctor`" in text


def test_the_analyst_may_take_runs_out_and_the_manager_only_sees_them(
    practice: Places, monkeypatch
) -> None:
    found = labels(runs_of(practice, monkeypatch, "analyst"))
    assert found == ["All as Excel", "Runs as CSV", "Steps as CSV", "Files as CSV"]
    assert labels(runs_of(practice, monkeypatch, "manager")) == []


def test_a_supervisor_is_told_who_sees_runs(practice: Places, monkeypatch) -> None:
    test = runs_of(practice, monkeypatch, "supervisor")
    assert "shown to analysts and managers" in said(test)
    assert labels(test) == []


def test_the_analyst_may_take_out_what_was_set_aside(practice: Places, monkeypatch) -> None:
    found = labels(runs_of(practice, monkeypatch, "analyst", "data"))
    assert found == ["All as Excel", "Set aside as CSV", "Files as CSV"]
    assert labels(runs_of(practice, monkeypatch, "manager", "data")) == []
