"""What the screens read is the current snapshot, read-only and locked."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from dashboard import reading
from dashboard.scope import Scope
from data_contracts.errors import NothingPublishedError, SourceError, UnknownCaseError
from data_contracts.places import Places

MANAGER = Scope(role="manager")
SUPERVISOR = Scope(role="supervisor", supervisor_id="S-01", therapist_ids=("T-001",))


def test_a_moved_pointer_shows_the_new_snapshot_at_once(own_practice: Places, publish) -> None:
    before = reading.current_snapshot(own_practice)
    assert reading.run(before, MANAGER)["title"] == "Invented practice"
    publish(own_practice.home, run_id="20261124T050000Z-demo", title="A day later")
    after = reading.current_snapshot(own_practice)
    assert after.run_id == "20261124T050000Z-demo"
    assert reading.run(after, MANAGER)["title"] == "A day later"
    assert reading.run(before, MANAGER)["title"] == "Invented practice"  # the old one stays whole


def test_a_rewritten_snapshot_of_the_same_name_is_not_answered_from_memory(
    own_practice: Places, rewriting
) -> None:
    snapshot = reading.current_snapshot(own_practice)
    case_id = reading.queue(snapshot, SUPERVISOR)["case_id"][0]
    with rewriting(snapshot.cases) as connection:
        connection.execute("delete from published_queue where case_id = ?", [case_id])
    assert case_id not in set(reading.queue(snapshot, SUPERVISOR)["case_id"])


def test_a_case_opens_from_a_snapshot_of_an_older_version(own_practice: Places) -> None:
    snapshot = reading.current_snapshot(own_practice)
    with duckdb.connect(str(snapshot.cases)) as older:
        older.execute("drop table published_events")
        older.execute("drop table published_forecasts")
        older.execute("drop table published_lenses")
    record = reading.case_record(snapshot, SUPERVISOR, "C-008")
    assert len(record.course)
    assert record.events.is_empty()
    assert record.forecasts.is_empty()
    assert record.lenses.is_empty()


def test_nothing_but_the_snapshot_can_be_reached(practice: Places, tmp_path: Path) -> None:
    path = reading.current_snapshot(practice).aggregates
    for query in (
        "select * from read_csv('/etc/passwd')",
        f"attach '{tmp_path}/other.duckdb'",
        "set enable_external_access = true",
        "delete from published_trends",
    ):
        with pytest.raises((duckdb.Error, RuntimeError, AttributeError)):
            reading._rows(path, query)


def test_unknown_and_foreign_cases_are_refused_alike(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    messages = []
    for case_id in ("C-002", "C-999"):  # the first is T-002's
        with pytest.raises(UnknownCaseError) as refused:
            reading.case_record(snapshot, SUPERVISOR, case_id)
        messages.append(str(refused.value).replace(case_id, "ID"))
    assert messages[0] == messages[1]


def test_an_empty_home_says_what_to_do(tmp_path) -> None:
    with pytest.raises(NothingPublishedError, match="unstuck demo"):
        reading.current_snapshot(Places.at(tmp_path))


def test_a_missing_snapshot_says_what_to_do(own_practice: Places) -> None:
    snapshot = reading.current_snapshot(own_practice)
    snapshot.aggregates.unlink()
    with pytest.raises(SourceError, match="unstuck doctor"):
        reading.trends(snapshot, MANAGER)


def test_a_broken_snapshot_says_what_to_do(own_practice: Places) -> None:
    snapshot = reading.current_snapshot(own_practice)
    snapshot.aggregates.write_bytes(b"not a database")
    with pytest.raises(SourceError, match="unstuck doctor"):
        reading.trends(snapshot, MANAGER)
