"""What was decided changes what the queue shows: nothing lost, nothing nagging."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import reading, reviews
from dashboard.review_events import Review, new_event_id, shown_of
from dashboard.scope import Scope
from dashboard.workspace_store import workspace
from data_contracts.places import Places
from data_contracts.settings import settings_of

APP = Path(dashboard.__file__).parent / "app.py"
TODAY = datetime.now(UTC)


pytestmark = pytest.mark.usefixtures("served_on_loopback")


def queue(places: Places, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=30)
    test.query_params["role"], test.query_params["supervisor"] = "supervisor", "S-01"
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.title, *test.markdown, *test.info, *test.warning]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def folds(test: AppTest) -> list[str]:
    return [found.label for found in test.expander]


def engine_of(places: Places) -> Engine:
    return workspace(places, settings_of(places))


def own_scope(places: Places) -> Scope:
    return Scope(
        role="supervisor",
        supervisor_id="S-01",
        therapist_ids=("T-001", "T-002", "T-003", "T-004"),
    )


def decide(places: Places, case_id: str, *, at: datetime, **given: object) -> None:
    """Store what a supervisor decided about a case at a moment, seeing the present queue."""
    snapshot = reading.current_snapshot(places)
    rows = {row["case_id"]: row for row in reading.queue(snapshot, own_scope(places)).to_dicts()}
    review = Review(
        **{
            "event_id": new_event_id(),
            "case_id": case_id,
            "user_id": "demo-supervisor S-01",
            "supervisor_id": "S-01",
            "decision": "discussed",
            "shown": shown_of(snapshot.run_id, "2", rows.get(case_id)),
            **given,
        }
    )
    reviews.record(engine_of(places), review, 0, at=at)


def flagged(places: Places) -> list[str]:
    rows = reading.queue(reading.current_snapshot(places), own_scope(places))
    return [row["case_id"] for row in rows.to_dicts() if row["kind"] == "stuck"]


def test_a_case_that_was_discussed_rests_and_stays_findable(
    own_practice: Places, monkeypatch
) -> None:
    before = said(queue(own_practice, monkeypatch))
    case_id = flagged(own_practice)[0]
    decide(own_practice, case_id, at=TODAY)
    test = queue(own_practice, monkeypatch)
    text = said(test)
    assert "12 to talk about" in before
    assert "11 to talk about · 1 decided and resting" in text
    assert "Decided, resting for now (1)" in folds(test)


def test_a_second_flag_of_the_same_kind_brings_it_back(
    own_practice: Places, monkeypatch, rewriting
) -> None:
    case_id = flagged(own_practice)[0]
    decide(own_practice, case_id, at=TODAY)
    with rewriting(reading.current_snapshot(own_practice).cases) as cases:
        cases.execute(
            """insert into published_flags
            select * replace ('F-2' as flag_id, 'gad7' as measure_id, 77 as opened_day)
            from published_flags where case_id = ?""",
            [case_id],
        )
    text = said(queue(own_practice, monkeypatch))
    assert "back: a flag has opened since" in text
    assert "12 to talk about" in text


def test_an_old_score_that_comes_in_late_wakes_nobody(
    own_practice: Places, monkeypatch, rewriting
) -> None:
    case_id = flagged(own_practice)[0]
    decide(own_practice, case_id, at=TODAY)
    with rewriting(reading.current_snapshot(own_practice).cases) as cases:
        cases.execute("update published_flags set opened_occasion = opened_occasion + 1")
        cases.execute("update published_queue set since_occasion = since_occasion + 1")
    assert "11 to talk about · 1 decided and resting" in said(queue(own_practice, monkeypatch))


def test_a_due_follow_up_brings_it_back_and_says_so(own_practice: Places, monkeypatch) -> None:
    case_id = flagged(own_practice)[0]
    decide(
        own_practice,
        case_id,
        at=TODAY - timedelta(days=10),
        follow_up_on=(TODAY - timedelta(days=1)).date(),
    )
    test = queue(own_practice, monkeypatch)
    test.segmented_control(key="minutes").set_value(90).run()
    assert "follow-up due since" in said(test)
    assert "12 to talk about" in said(test)


def test_a_follow_up_is_not_lost_when_the_flag_has_gone(own_practice: Places, monkeypatch) -> None:
    cases = reading.cases_outside_queue(
        reading.current_snapshot(own_practice), own_scope(own_practice)
    )
    outside = cases.filter(cases["is_open"])["case_id"][0]
    decide(
        own_practice,
        outside,
        at=TODAY - timedelta(days=10),
        decision="plan_changed",
        follow_up_on=TODAY.date(),
    )
    text = said(queue(own_practice, monkeypatch))
    assert "1 more with a follow-up due" in text
    assert "Follow-up due, no flag now (1)" in text
    assert "follow-up due today" in text


def test_a_safety_flag_is_not_snoozed_away(own_practice: Places, monkeypatch) -> None:
    decide(
        own_practice,
        "C-001",
        at=TODAY,
        decision="watch_until",
        watch_until=(TODAY + timedelta(days=14)).date(),
    )
    text = said(queue(own_practice, monkeypatch))
    assert "stays: a safety flag is never snoozed away" in text
    assert "12 to talk about" in text


def test_when_everything_rests_the_screen_says_what_brings_it_back(
    own_practice: Places, monkeypatch
) -> None:
    rows = reading.queue(reading.current_snapshot(own_practice), own_scope(own_practice))
    for row in rows.filter("is_flagged").to_dicts():
        decide(own_practice, row["case_id"], at=TODAY)
    text = said(queue(own_practice, monkeypatch))
    assert "every flagged case here was decided about and rests" in text
    assert "at once when a new flag opens" in text
