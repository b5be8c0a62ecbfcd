"""Deciding on the screens: two clicks, a confirmation with Undo, and nothing lost on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard import reviews
from dashboard.review_events import Review, ReviewEvent, Shown, new_event_id
from dashboard.review_saving import Waiting, today
from dashboard.visit import Visit
from dashboard.workspace_store import only_reading, workspace
from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.workspace_tables import AUDIT_EVENTS

APP = Path(dashboard.__file__).parent / "app.py"
CASE = "C-008"  # of S-01, stuck
THEIRS = "C-020"  # of S-02
SAFETY = "C-001"


pytestmark = pytest.mark.usefixtures("served_on_loopback")


def opened(
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    screen: str = "case",
    case: str = CASE,
    supervisor: str = "S-01",
) -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=60)
    address = {"role": "supervisor", "supervisor": supervisor}
    for name, value in (address | ({"case": case} if screen == "case" else {})).items():
        test.query_params[name] = value
    test._page_hash = calc_hash(screen)
    return ran(test.run())


def ran(test: AppTest) -> AppTest:
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.title, *test.header, *test.markdown, *test.info, *test.warning, *test.error]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def press(test: AppTest, label: str) -> AppTest:
    found = [button for button in test.button if button.label == label]
    assert found, [button.label for button in test.button]
    return ran(found[0].click().run())


def choose(test: AppTest, decision: str, case: str = CASE) -> AppTest:
    return ran(group(test, f"review {case} ", " decision").set_value(decision).run())


def group(test: AppTest, start: str, end: str):
    keyed = [*test.pills, *test.segmented_control, *test.selectbox]
    return next(
        widget
        for widget in keyed
        if (widget.key or "").startswith(start) and (widget.key or "").endswith(end)
    )


def stored(places: Places, case: str = CASE) -> list[ReviewEvent]:
    return reviews.history(workspace(places, Settings()), case)


def decided_by_another(places: Places, case: str = CASE, sequence: int = 0) -> ReviewEvent:
    given = Review(
        event_id=new_event_id(),
        case_id=case,
        user_id="demo-supervisor S-02",
        supervisor_id="S-02",
        decision="refer_on",
        shown=Shown(run_id="run", rule_version="2", kind="stuck", kinds=("stuck",)),
    )
    return reviews.record(workspace(places, Settings()), given, sequence, at=datetime.now(UTC))


def test_a_button_and_save_are_a_decision(own_practice: Places, monkeypatch) -> None:
    test = opened(own_practice, monkeypatch)
    assert "No decision yet." in said(test)
    test = press(choose(test, "discussed"), "Save")
    (event,) = stored(own_practice)
    assert (event.decision, event.supervisor_id, event.sequence) == ("discussed", "S-01", 1)
    assert (event.shown.kind, event.shown.status) == ("stuck", "stuck")
    back = today() + timedelta(days=28)
    assert f"✓ Saved: discussed. Rests until {back.day} {back:%b %Y}." in said(test)
    assert "Nobody has decided anything" not in said(test)


def test_what_goes_with_a_decision_is_stored(own_practice: Places, monkeypatch) -> None:
    test = choose(opened(own_practice, monkeypatch), "plan_changed")
    group(test, "review", " day").set_value("in 2 weeks").run()
    group(test, "review", " reasons").set_value(["goal", "dose"]).run()
    group(test, "review", " lens").set_value("alliance").run()
    group(test, "review", " useful").set_value("yes").run()
    press(test, "Save")
    (event,) = stored(own_practice)
    assert event.follow_up_on == today() + timedelta(weeks=2)
    assert (event.reasons, event.lens, event.was_useful) == (("goal", "dose"), "alliance", True)
    assert "goal or focus agreed anew, more, fewer or longer sessions" in said(test)


def test_undo_takes_the_last_decision_back(own_practice: Places, monkeypatch) -> None:
    test = press(choose(opened(own_practice, monkeypatch), "refer_on"), "Save")
    test = press(test, "Undo")
    assert [event.kind for event in stored(own_practice)] == ["review", "undo"]
    assert "The decision was taken back." in said(test)
    assert "(taken back)" in said(test)
    assert "Undo" not in [button.label for button in test.button]


def test_two_clicks_decide_from_the_queue_and_the_case_leaves_the_list(
    own_practice: Places, monkeypatch
) -> None:
    test = opened(own_practice, monkeypatch, "queue")
    test.session_state[f"quick {CASE} 0"] = True  # the first click: AppTest has none for popovers
    test = press(ran(test.run()), "Discussed")
    assert [event.decision for event in stored(own_practice)] == ["discussed"]
    assert f"Case {CASE}. Saved: discussed." in said(test)
    assert "Decided, resting for now (1)" in [found.label for found in test.expander]
    test = press(test, "Undo")
    assert "Decided, resting for now (1)" not in [found.label for found in test.expander]


def test_who_decided_meanwhile_is_said_and_mine_may_be_saved_as_well(
    own_practice: Places, monkeypatch
) -> None:
    test = choose(opened(own_practice, monkeypatch), "plan_changed")
    group(test, "review", " reasons").set_value(["dose"]).run()
    theirs = decided_by_another(own_practice)
    test = press(test, "Save")
    text = said(test)
    assert f"Not saved for case {CASE}: plan changed · more, fewer or longer sessions." in text
    assert "Somebody else has decided" in text
    assert "demo-supervisor S-02: referral agreed" in text
    assert stored(own_practice) == [theirs]
    assert group(test, "review", " reasons").value == ["dose"], "the form is as it was filled in"
    test = press(test, "Save mine as well")
    assert [event.decision for event in stored(own_practice)] == ["refer_on", "plan_changed"]
    assert "Not saved" not in said(test)


def test_what_was_chosen_and_not_saved_is_named_on_other_screens_and_still_there(
    own_practice: Places, monkeypatch
) -> None:
    test = choose(opened(own_practice, monkeypatch), "plan_changed")
    group(test, "review", " reasons").set_value(["dose"]).run()
    test.query_params["case"] = "C-009"
    test = ran(test.run())
    assert test.title[0].value == "Case C-009"
    assert "Chosen and not saved yet:" in said(test)
    test.query_params["case"] = CASE
    test = ran(test.run())
    assert group(test, "review", " decision").value == "plan_changed"
    assert group(test, "review", " reasons").value == ["dose"]
    test = press(test, "Discard")
    assert group(test, "review", " decision").value is None
    assert stored(own_practice) == []


def test_another_s_case_cannot_be_decided_about_even_with_a_forged_form(
    own_practice: Places, monkeypatch
) -> None:
    test = press(choose(opened(own_practice, monkeypatch), "discussed"), "Save")
    desk = test.session_state["review desk demo-supervisor S-01 S-01"]
    given = Review(
        event_id=new_event_id(),
        case_id=THEIRS,
        user_id=desk.saved.user_id,
        supervisor_id="S-01",
        decision="discussed",
        shown=desk.saved.shown,
    )
    desk.waiting[THEIRS] = Waiting(given=given, expected_sequence=0)
    ran(test.run())
    assert stored(own_practice, THEIRS) == []
    assert "No case 'C-020' is among the cases you supervise" in desk.unsaved[THEIRS].problem
    with only_reading(workspace(own_practice, Settings())) as connection:
        logged = connection.execute(select(AUDIT_EVENTS.c.action, AUDIT_EVENTS.c.case_id)).all()
    assert ("case_refused", THEIRS) in logged


def test_a_safety_flag_is_not_snoozed_and_the_screen_says_so(
    own_practice: Places, monkeypatch
) -> None:
    test = choose(opened(own_practice, monkeypatch, case=SAFETY), "watch_until", SAFETY)
    assert "this case stays in the list, whatever day you choose" in said(test)
    test = press(test, "Save")
    assert "It stays in the list: a safety flag is never snoozed away." in said(test)
    assert "Rests until" not in said(test)
    again = opened(own_practice, monkeypatch, case=SAFETY)
    assert "stays: a safety flag is never snoozed away" in said(again)


def test_a_note_is_asked_for_only_where_the_practice_wants_notes(
    own_practice: Places, monkeypatch
) -> None:
    test = choose(opened(own_practice, monkeypatch), "discussed")
    assert not test.text_area
    with own_practice.settings.open("a", encoding="utf-8") as settings:
        settings.write("\n[workspace]\nfree_text = true\n")
    test = choose(opened(own_practice, monkeypatch), "discussed")
    test.text_area[0].set_value("Maria agreed to more sessions").run()
    test = press(test, "Save")
    assert "The note seems to hold a name" in said(test)
    assert stored(own_practice) == []
    test.text_area[0].set_value("More sessions agreed").run()
    test = press(test, "Save")
    assert [event.note for event in stored(own_practice)] == ["More sessions agreed"]
    assert "Not saved" not in said(test)


def test_a_store_that_cannot_be_written_keeps_the_decision_on_the_screen(
    own_practice: Places, monkeypatch
) -> None:
    from data_contracts.errors import WorkspaceError

    test = choose(opened(own_practice, monkeypatch), "discussed")
    record = reviews.record

    def full(*_given, **_more):
        raise WorkspaceError("The workspace store cannot grow: the disk is full. Make room.")

    monkeypatch.setattr(reviews, "record", full)
    test = press(test, "Save")
    assert f"Not saved for case {CASE}: discussed." in said(test)
    assert "the disk is full. Make room." in said(test)
    monkeypatch.setattr(reviews, "record", record)
    test = press(test, "Try again")
    assert [event.decision for event in stored(own_practice)] == ["discussed"]
    assert "Not saved" not in said(test)


def test_the_rule_is_told_where_it_is_asked_for(own_practice: Places, monkeypatch) -> None:
    assert "A safety flag is never snoozed away" in said(opened(own_practice, monkeypatch))


def test_a_click_in_a_form_after_the_sign_in_ended_is_kept_to_be_told(
    own_practice: Places, monkeypatch
) -> None:
    test = opened(own_practice, monkeypatch, "queue")
    asked: list[Visit] = []
    # Says no once, as in the run of the menu alone; the whole screen then runs again.
    monkeypatch.setattr(Visit, "still_here", lambda visit: bool(asked) or bool(asked.append(visit)))
    test.session_state[f"quick {CASE} 0"] = True
    text = said(ran(test.run()))
    assert len(asked) == 1
    assert "Chosen and not saved yet:" in text
    assert stored(own_practice) == []
