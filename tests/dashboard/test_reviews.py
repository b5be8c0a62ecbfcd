"""Decisions that stick: stored once, in order, never lost, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.exc import IntegrityError

from dashboard import reviews
from dashboard.review_events import Review, ReviewEvent, Shown, Undo, new_event_id, shown_of
from dashboard.reviews import ReviewConflictError, ReviewRefusedError
from dashboard.scope import Scope
from dashboard.viewer import Viewer
from dashboard.workspace_store import only_reading, workspace, writing
from data_contracts.errors import WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.workspace_tables import AUDIT_EVENTS

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
TODAY = NOW.date()
VIEWER = Viewer(user_id="demo S-1", scope=Scope(role="supervisor", supervisor_id="S-1"))
SHOWN = Shown(
    run_id="run-1", rule_version="2", kind="stuck", kinds=("stuck", "alliance_low"),
    open_flags=("alliance_low|srs|day 49", "stuck|phq9|day 63"), status="stuck",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, workspace_settings: Settings) -> Engine:
    return workspace(Places.at(tmp_path), workspace_settings)


def review(case_id: str = "C-1", **values) -> Review:
    return Review(
        **{
            "event_id": new_event_id(),
            "case_id": case_id,
            "user_id": "demo S-1",
            "supervisor_id": "S-1",
            "decision": "discussed",
            "shown": SHOWN,
        }
        | values
    )


def undo_of(stored: ReviewEvent, **values) -> Undo:
    return Undo(
        **{
            "event_id": new_event_id(),
            "case_id": stored.case_id,
            "user_id": "demo S-1",
            "supervisor_id": "S-1",
            "undoes": stored.sequence,
            "shown": SHOWN,
        }
        | values
    )


def test_what_was_decided_is_read_back_as_it_was_given(store: Engine) -> None:
    given = review(
        decision="plan_changed",
        reasons=("goal", "dose"),
        lens="alliance",
        follow_up_on=date(2026, 12, 7),
        was_useful=True,
        note="More sessions, then PHQ-9 again.",
    )
    stored = reviews.record(store, given, 0, at=NOW, takes_notes=True)
    (read,) = reviews.history(store, "C-1")
    assert read == stored
    assert read.says(given)
    assert (read.sequence, read.recorded_at) == (1, NOW)


def test_a_moment_is_kept_in_utc(store: Engine) -> None:
    from zoneinfo import ZoneInfo

    reviews.record(store, review(), 0, at=NOW.astimezone(ZoneInfo("Asia/Tokyo")))
    (read,) = reviews.history(store, "C-1")
    assert read.recorded_at == NOW
    assert read.recorded_at.tzinfo is UTC


def test_each_case_counts_for_itself(store: Engine) -> None:
    for case_id, seen in (("C-1", 0), ("C-2", 0), ("C-1", 1), ("C-1", 2)):
        reviews.record(store, review(case_id), seen, at=NOW)
    assert [found.sequence for found in reviews.history(store, "C-1")] == [1, 2, 3]
    assert [found.sequence for found in reviews.history(store, "C-2")] == [1]
    assert reviews.history(store, "C-3") == []


# --- Two at once ---------------------------------------------------------------------------------


def test_who_decided_meanwhile_is_told_and_a_second_look_may_save(store: Engine) -> None:
    theirs = reviews.record(store, review(user_id="demo S-2", decision="refer_on"), 0, at=NOW)
    mine = review()
    with pytest.raises(ReviewConflictError) as conflict:
        reviews.record(store, mine, 0, at=NOW + timedelta(minutes=1))
    assert conflict.value.meanwhile == (theirs,)
    assert "C-1" not in str(conflict.value)
    assert reviews.history(store, "C-1") == [theirs]
    kept = reviews.record(store, mine, 1, at=NOW + timedelta(minutes=2))
    assert kept.sequence == 2


def test_of_many_at_once_one_decides_and_the_others_are_told(store: Engine) -> None:
    many = 12
    together = Barrier(many)

    def decide(number: int) -> ReviewEvent | ReviewConflictError:
        together.wait()
        try:
            return reviews.record(store, review(user_id=f"demo S-{number}"), 0, at=NOW)
        except ReviewConflictError as conflict:
            return conflict

    with ThreadPoolExecutor(many) as pool:
        outcomes = list(pool.map(decide, range(many)))
    stored = [found for found in outcomes if isinstance(found, ReviewEvent)]
    assert reviews.history(store, "C-1") == stored
    assert len(stored) == 1
    told = [found for found in outcomes if isinstance(found, ReviewConflictError)]
    assert {found.meanwhile for found in told} == {(stored[0],)}


def test_a_writer_who_looked_before_another_wrote_is_told_by_the_table(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL lets two writers look at once: only the key of the table keeps them apart."""
    theirs = reviews.record(store, review(user_id="demo S-2"), 0, at=NOW)
    look, looked = reviews._events, []

    def too_early(connection, case_ids):
        looked.append(case_ids)
        return [] if len(looked) == 1 else look(connection, case_ids)

    monkeypatch.setattr(reviews, "_events", too_early)
    with pytest.raises(ReviewConflictError) as conflict:
        reviews.record(store, review(), 0, at=NOW)
    assert conflict.value.meanwhile == (theirs,)


# --- The same again ------------------------------------------------------------------------------


def test_the_same_decision_sent_twice_is_stored_once(store: Engine) -> None:
    given = review()
    first = reviews.record(store, given, 0, at=NOW)
    again = reviews.record(store, given, 0, at=NOW + timedelta(hours=1))
    assert again == first
    assert reviews.history(store, "C-1") == [first]


def test_an_answer_that_was_lost_on_the_way_may_be_asked_for_again(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = review()

    @event.listens_for(store, "commit")
    def _breaks_after_the_commit(connection) -> None:
        connection.connection.dbapi_connection.commit()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        reviews.record(store, given, 0, at=NOW)
    event.remove(store, "commit", _breaks_after_the_commit)
    stored = reviews.record(store, given, 0, at=NOW)
    assert reviews.history(store, "C-1") == [stored]


def test_a_changed_decision_is_not_taken_for_the_one_that_arrived_earlier(store: Engine) -> None:
    given = review()
    arrived = reviews.record(store, given, 0, at=NOW)
    changed = replace(given, decision="refer_on")
    with pytest.raises(ReviewConflictError, match="earlier version") as conflict:
        reviews.record(store, changed, 0, at=NOW)
    assert conflict.value.meanwhile == (arrived,)


# --- The audit log -------------------------------------------------------------------------------


def logged(store: Engine) -> list[tuple[str, str | None, str]]:
    columns = AUDIT_EVENTS.c
    with only_reading(store) as connection:
        found = connection.execute(select(columns.action, columns.case_id, columns.detail))
        return [tuple(row) for row in found]


def test_the_log_holds_what_was_decided_and_nothing_that_was_not(store: Engine) -> None:
    mine, theirs = review(), review(user_id="demo S-2")
    stored = reviews.record(store, mine, 0, at=NOW, viewer=VIEWER)
    reviews.record(store, mine, 0, at=NOW, viewer=VIEWER)  # sent twice
    with pytest.raises(ReviewConflictError):
        reviews.record(store, theirs, 0, at=NOW, viewer=VIEWER)
    with pytest.raises(ReviewRefusedError):
        reviews.record(store, review(note="ring Maria"), 1, at=NOW, viewer=VIEWER)
    assert logged(store) == [("reviewed", "C-1", "")]
    reviews.record(store, undo_of(stored), 1, at=NOW, viewer=VIEWER)
    assert sorted(logged(store)) == [("reviewed", "C-1", ""), ("reviewed", "C-1", "undo")]


def test_a_decision_that_cannot_be_logged_is_not_kept(store: Engine) -> None:
    with writing(store) as connection:
        connection.execute(text("drop table audit_events"))
    with pytest.raises(WorkspaceError):
        reviews.record(store, review(), 0, at=NOW, viewer=VIEWER)
    assert reviews.history(store, "C-1") == []


# --- Undo ----------------------------------------------------------------------------------------


def test_an_undo_is_an_event_of_its_own(store: Engine) -> None:
    stored = reviews.record(store, review(), 0, at=NOW)
    taken_back = reviews.undo(store, undo_of(stored), 1, at=NOW)
    assert reviews.history(store, "C-1") == [stored, taken_back]
    assert (taken_back.kind, taken_back.undoes, taken_back.decision) == ("undo", 1, None)
    assert reviews.states(store, TODAY)["C-1"].standing == "new"


def test_only_a_decision_in_force_can_be_undone(store: Engine) -> None:
    stored = reviews.record(store, review(), 0, at=NOW)
    taken_back = reviews.undo(store, undo_of(stored), 1, at=NOW)
    for wrong in (stored, taken_back, replace(stored, sequence=7)):
        with pytest.raises(ReviewRefusedError, match="already been undone, or was never taken"):
            reviews.undo(store, undo_of(wrong), 2, at=NOW)


def test_an_undo_of_what_somebody_has_built_on_is_told(store: Engine) -> None:
    stored = reviews.record(store, review(), 0, at=NOW)
    reviews.record(store, review(user_id="demo S-2"), 1, at=NOW)
    with pytest.raises(ReviewConflictError):
        reviews.undo(store, undo_of(stored), 1, at=NOW)


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"reasons": ("bad luck",)}, "No such reason"),
        ({"reasons": ("data_error",)}, "No such reason"),  # of another decision
        ({"decision": "watch_until"}, "until which day"),
        ({"watch_until": date(2026, 12, 1)}, "until which day"),
        ({"follow_up_on": TODAY}, "after today"),
        ({"follow_up_on": date(2025, 1, 1)}, "after today"),
        ({"follow_up_on": date(2028, 1, 1)}, "within 365 days"),
    ],
    ids=str,
)
def test_a_review_that_cannot_be_meant_is_refused(store: Engine, values, why: str) -> None:
    with pytest.raises(ReviewRefusedError, match=why):
        reviews.record(store, review(**values), 0, at=NOW)
    assert reviews.history(store, "C-1") == []


def test_a_note_is_refused_until_the_practice_switches_it_on(store: Engine) -> None:
    with pytest.raises(ReviewRefusedError, match=r"workspace\.free_text"):
        reviews.record(store, review(note="The plan stands."), 0, at=NOW)
    reviews.record(store, review(note="The plan stands."), 0, at=NOW, takes_notes=True)


def test_a_note_that_names_somebody_is_refused_without_repeating_it(store: Engine) -> None:
    note = "Maria to ring 07700 900123 before Christmas"
    with pytest.raises(ReviewRefusedError) as refused:
        reviews.record(store, review(note=note), 0, at=NOW, takes_notes=True)
    assert "a phone number" in str(refused.value)
    assert "a name" in str(refused.value)
    assert "Maria" not in str(refused.value)
    assert "900123" not in str(refused.value)


def test_a_long_note_is_refused(store: Engine) -> None:
    with pytest.raises(ReviewRefusedError, match="at most 300 characters"):
        reviews.record(store, review(note="and so on " * 40), 0, at=NOW, takes_notes=True)


def test_a_broken_constraint_that_nobody_explains_is_told(store: Engine, monkeypatch) -> None:
    def broken(*_given, **_more):
        raise IntegrityError("", {}, Exception("a value of a client"))

    monkeypatch.setattr(reviews, "_append", broken)
    with pytest.raises(ReviewRefusedError) as refused:
        reviews.record(store, review(), 0, at=NOW)
    assert "a value" not in str(refused.value)


# --- Where cases stand ---------------------------------------------------------------------------


def test_states_are_told_for_the_cases_asked_for(store: Engine, monkeypatch) -> None:
    monkeypatch.setattr(reviews, "_CASES_A_QUESTION", 2)
    for case_id in ("C-1", "C-2", "C-3", "C-4", "C-5"):
        reviews.record(store, review(case_id, follow_up_on=date(2026, 12, 7)), 0, at=NOW)
    assert set(reviews.states(store, TODAY)) == {"C-1", "C-2", "C-3", "C-4", "C-5"}
    asked = reviews.states(store, date(2026, 12, 8), ["C-5", "C-1", "C-9", "C-2", "C-1"])
    assert {case_id: state.standing for case_id, state in asked.items()} == {
        "C-1": "due", "C-2": "due", "C-5": "due",
    }  # fmt: skip
    assert reviews.states(store, TODAY, []) == {}


def test_what_a_row_of_the_queue_shows_is_kept() -> None:
    row = {
        "kind": "stuck", "kinds": "stuck,alliance_low", "status": "stuck",
        "open_flags": "alliance_low|srs|day 49,stuck|phq9|day 63",
    }  # fmt: skip
    assert shown_of("run-1", "2", row) == SHOWN
    assert shown_of("run-1", "2", None).kind is None


# --- Erasing is possible -------------------------------------------------------------------------


def test_a_case_can_be_erased_whole_and_its_bytes_are_gone(tmp_path: Path) -> None:
    engine = workspace(Places.at(tmp_path), Settings())
    stored = reviews.record(engine, review("C-to-be-erased"), 0, at=NOW)
    reviews.undo(engine, undo_of(stored), 1, at=NOW)
    with writing(engine) as connection:
        connection.execute(text("delete from review_events where case_id = 'C-to-be-erased'"))
    engine.dispose()  # the last one to leave empties the write-ahead log
    for path in tmp_path.iterdir():
        assert b"C-to-be-erased" not in path.read_bytes(), path
