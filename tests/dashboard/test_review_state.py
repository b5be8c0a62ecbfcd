"""Where a case stands in supervision: examples on a calendar, and laws."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.review_events import ReviewEvent, Shown
from dashboard.review_sentences import event_words, queue_review_words, rule_in_words
from dashboard.review_state import queue_place, review_state
from data_contracts.review_words import DECISIONS, Decision, review_words

MONDAY = date(2026, 11, 23)


def shown(*flags: str) -> Shown:
    """Return what was shown with these flags open, the first one leading."""
    kinds = tuple(dict.fromkeys(flag.split("|")[0] for flag in flags))
    return Shown(run_id="run-1", rule_version="2", kind=kinds[0], kinds=kinds, open_flags=flags)


STUCK = shown("stuck|phq9|day 63")


def decided(
    decision: Decision = "discussed", sequence: int = 1, *, on: date = MONDAY, **values
) -> ReviewEvent:
    return ReviewEvent(
        **{
            "case_id": "C-1",
            "sequence": sequence,
            "event_id": f"id {sequence}",
            "recorded_at": datetime(on.year, on.month, on.day, 10, tzinfo=UTC),
            "user_id": "S-1",
            "supervisor_id": "S-1",
            "kind": "review",
            "decision": decision,
            "shown": STUCK,
        }
        | values
    )


def undone(undoes: int, sequence: int) -> ReviewEvent:
    return decided(sequence=sequence, kind="undo", undoes=undoes, decision=None)


def after(days: int) -> date:
    return MONDAY + timedelta(days=days)


def test_a_case_without_events_is_new() -> None:
    state = review_state([], MONDAY)
    assert (state.standing, state.last_sequence, state.rests_until) == ("new", 0, None)


@pytest.mark.parametrize(
    ("days_later", "standing"),
    [(0, "discussed"), (13, "discussed"), (14, "due"), (20, "due"), (21, "overdue")],
)
def test_a_follow_up_is_due_on_its_day_and_overdue_a_week_later(
    days_later: int, standing: str
) -> None:
    state = review_state([decided(follow_up_on=after(14))], after(days_later))
    assert state.standing == standing


def test_watching_rests_until_its_day() -> None:
    watched = decided("watch_until", watch_until=after(7))
    assert review_state([watched], after(6)).standing == "snoozed"
    assert review_state([watched], after(7)).standing == "due"


@pytest.mark.parametrize(
    ("decision", "days"),
    [("discussed", 28), ("plan_changed", 28), ("refer_on", 28), ("not_stuck_because", 84)],
)
def test_without_a_day_a_case_comes_back_by_itself(decision: Decision, days: int) -> None:
    assert review_state([decided(decision)], after(days - 1)).standing == "discussed"
    assert review_state([decided(decision)], after(days)).standing == "due"


def test_the_last_decision_counts() -> None:
    events = [decided(follow_up_on=after(7)), decided("refer_on", 2, on=after(3))]
    state = review_state(events, after(8))
    assert state.latest == events[1]
    assert state.rests_until == after(3 + 28)


def test_an_undone_decision_counts_as_never_taken() -> None:
    first, second = decided(follow_up_on=after(7)), decided("refer_on", 2)
    state = review_state([first, second, undone(2, 3)], after(1))
    assert (state.latest, state.is_undone, state.last_sequence) == (first, True, 3)
    nothing = review_state([first, undone(1, 2)], after(1))
    assert (nothing.standing, nothing.latest, nothing.is_undone) == ("new", None, True)
    assert queue_place(nothing, STUCK, after(1)).is_in_list


# --- The list --------------------------------------------------------------------------------


def place(events: list[ReviewEvent], now: Shown, on: date) -> tuple[bool, str]:
    found = queue_place(review_state(events, on), now, on)
    return found.is_in_list, found.why


def test_a_discussed_case_leaves_the_list_and_comes_back_for_its_follow_up() -> None:
    events = [decided(follow_up_on=after(14))]
    assert place([], STUCK, after(1)) == (True, "new")
    assert place(events, STUCK, after(1)) == (False, "resting")
    assert place(events, STUCK, after(14)) == (True, "due")
    assert place(events, STUCK, after(30)) == (True, "overdue")


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_flag_that_was_not_open_then_brings_a_case_back(decision: Decision) -> None:
    watch_until = after(14) if decision == "watch_until" else None
    events = [decided(decision, watch_until=watch_until)]
    worse = shown("deteriorating|phq9|day 70")
    further = shown("stuck|phq9|day 63", "alliance_low|srs|day 70")
    assert place(events, worse, after(1)) == (True, "new_flag")
    assert place(events, further, after(1)) == (True, "new_flag")


def test_a_flag_that_went_and_opened_again_brings_a_case_back() -> None:
    again = shown("stuck|phq9|day 112")
    assert place([decided()], again, after(1)) == (True, "flag_again")


def test_a_second_flag_of_the_same_kind_brings_a_case_back() -> None:
    both = shown("stuck|phq9|day 63", "stuck|gad7|day 70")
    assert place([decided()], both, after(1)) == (True, "new_flag")
    safety = shown("safety|phq9/item_9|day 7")
    other_item = shown("safety|phq9/item_9|day 7", "safety|core10/item_6|day 70")
    assert place([decided(shown=safety)], other_item, after(1)) == (True, "new_flag")


def test_a_flag_behind_the_leading_one_that_opened_again_brings_a_case_back() -> None:
    then = shown("safety|phq9/item_9|day 7", "stuck|phq9|day 63")
    now = shown("safety|phq9/item_9|day 7", "stuck|phq9|day 112")
    assert place([decided(shown=then)], now, after(1)) == (True, "flag_again")


def test_a_flag_that_went_does_not_bring_a_case_back() -> None:
    both = shown("deteriorating|phq9|day 63", "alliance_low|srs|day 21")
    left = shown("alliance_low|srs|day 21")
    assert place([decided(shown=both)], left, after(1)) == (False, "resting")


SAFETY = shown("safety|phq9/item_9|day 28", "stuck|phq9|day 63")


def test_a_safety_flag_is_never_snoozed_away() -> None:
    watched = decided("watch_until", watch_until=after(28), shown=SAFETY)
    known = decided("not_stuck_because", follow_up_on=after(28), shown=SAFETY)
    for event in (watched, known):
        assert place([event], SAFETY, after(0)) == (True, "safety")
    # When the safety flag is gone, the decision holds for what is left.
    assert place([watched], STUCK, after(1)) == (False, "resting")


def test_with_an_open_safety_flag_a_discussed_case_rests_a_week_at_most() -> None:
    discussed = decided(follow_up_on=after(28), shown=SAFETY)
    assert place([discussed], SAFETY, after(6)) == (False, "resting")
    assert place([discussed], SAFETY, after(7)) == (True, "safety")
    state = review_state([discussed], after(1))
    told = queue_place(state, SAFETY, after(1))
    assert told.rests_until == after(7)
    said = queue_review_words(state, told, today=after(1))
    assert said == "discussed on 23 Nov 2026; rests until 30 Nov 2026"


def test_a_safety_flag_that_opens_later_wakes_a_snoozed_case() -> None:
    watched = decided("watch_until", watch_until=after(28))
    assert place([watched], SAFETY, after(1)) == (True, "new_flag")


# --- Laws ------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[ReviewEvent]:
    events: list[ReviewEvent] = []
    for sequence in range(1, draw(st.integers(1, 8)) + 1):
        on = after(draw(st.integers(0, 60)))
        taken_back = {event.undoes for event in events}
        open_reviews = [
            event.sequence
            for event in events
            if event.kind == "review" and event.sequence not in taken_back
        ]
        if open_reviews and draw(st.booleans()):
            events.append(undone(draw(st.sampled_from(open_reviews)), sequence))
            continue
        decision = draw(st.sampled_from(DECISIONS))
        day = on + timedelta(days=draw(st.integers(1, 60)))
        days = (
            {"watch_until": day}
            if decision == "watch_until"
            else {"follow_up_on": draw(st.sampled_from([None, day]))}
        )
        events.append(decided(decision, sequence, on=on, **days))
    return events


@given(histories(), st.integers(0, 200), st.randoms(use_true_random=False))
def test_a_state_depends_on_the_events_and_their_sequence_only(events, days, chance) -> None:
    shuffled = events.copy()
    chance.shuffle(shuffled)
    assert review_state(shuffled, after(days)) == review_state(events, after(days))


@given(histories(), st.integers(0, 200))
def test_a_decision_that_is_taken_back_leaves_the_state_as_it_was(events, days) -> None:
    before = review_state(events, after(days))
    last = events[-1].sequence
    both = [*events, decided("refer_on", last + 1), undone(last + 1, last + 2)]
    then = review_state(both, after(days))
    assert (then.standing, then.latest) == (before.standing, before.latest)
    assert then.is_undone
    assert then.last_sequence == last + 2


@given(histories(), st.integers(0, 200), st.integers(0, 200))
def test_no_case_rests_for_ever_and_waiting_never_hides_one(events, days, more) -> None:
    now = queue_place(review_state(events, after(days)), STUCK, after(days))
    later = queue_place(review_state(events, after(days + more)), STUCK, after(days + more))
    assert later.is_in_list >= now.is_in_list
    longest = 60 + review_words().days.longest
    assert queue_place(review_state(events, after(longest)), STUCK, after(longest)).is_in_list


@given(histories(), st.integers(0, 200))
def test_an_open_safety_flag_is_out_of_sight_for_a_week_at_most(events, days) -> None:
    on = after(days)
    state = review_state(events, on)
    if not queue_place(state, SAFETY, on).is_in_list:
        assert state.latest is not None
        assert (on - state.latest.recorded_on).days < 7


# --- Words -----------------------------------------------------------------------------------


def test_the_queue_says_where_a_case_stands() -> None:
    events = [decided("plan_changed", follow_up_on=after(14))]

    def said(on: date) -> str:
        return queue_review_words(review_state(events, on), today=on)

    assert queue_review_words(review_state([], MONDAY), today=MONDAY) == ""
    assert said(after(1)) == "plan changed on 23 Nov 2026; rests until 7 Dec 2026"
    assert said(after(14)) == "plan changed on 23 Nov 2026; follow-up due today"
    assert said(after(16)) == "plan changed on 23 Nov 2026; follow-up due since 7 Dec 2026"
    assert said(after(30)) == "plan changed on 23 Nov 2026; follow-up overdue since 7 Dec 2026"
    worse = shown("deteriorating|phq9|day 70")
    state = review_state(events, after(1))
    back = queue_review_words(state, queue_place(state, worse, after(1)), today=after(1))
    assert back == "plan changed on 23 Nov 2026; back: a flag has opened since"
    gone = review_state([*events, undone(1, 2)], after(1))
    assert queue_review_words(gone, today=after(1)) == "decision undone"


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        # Monday 17:30 there is Tuesday in UTC.
        ("America/Los_Angeles", datetime(2026, 11, 24, 1, 30, tzinfo=UTC), MONDAY),
        # Tuesday 09:00 there is Monday in UTC.
        ("Australia/Sydney", datetime(2026, 11, 23, 22, 0, tzinfo=UTC), after(1)),
    ],
)
def test_days_are_those_of_the_practice_s_own_calendar(in_zone, zone, moment, day) -> None:
    in_zone(zone)
    state = review_state([decided(recorded_at=moment)], day)
    assert state.rests_until == day + timedelta(days=28)
    assert f"discussed on {day.day} Nov 2026" in queue_review_words(state, today=day)
    week = queue_place(review_state([decided(recorded_at=moment, shown=SAFETY)], day), SAFETY, day)
    assert week.rests_until == day + timedelta(days=7)


@pytest.mark.parametrize(
    ("user", "supervisor", "who"),
    [
        ("ann", "", "ann: discussed"),
        ("ann", "S-1", "ann as S-1: discussed"),
        ("S-1", "S-1", "S-1: discussed"),
        ("demo-supervisor S-1", "S-1", "demo-supervisor S-1: discussed"),
    ],
)
def test_the_history_says_who_and_as_whom(user: str, supervisor: str, who: str) -> None:
    said = event_words(decided(user_id=user, supervisor_id=supervisor))
    assert said == f"23 Nov 2026, 10:00 UTC, {who}"


def test_the_rule_told_on_the_screen_holds_the_numbers_of_the_file() -> None:
    told = rule_in_words()
    days = review_words().days
    for number in (days.discussed, days.not_stuck_because, days.open_safety_flag):
        assert str(number) in told
    assert "never snoozed away" in told
    assert days.discussed == days.plan_changed == days.refer_on, "the sentence says one number"


def test_every_reason_has_one_meaning() -> None:
    words = review_words()
    told: dict[str, str] = {}
    for reasons in words.reason.values():
        for code, text in reasons.items():
            assert "," not in code
            assert told.setdefault(code, text) == text
            assert len(text) <= 40, "longer ones are cut off on a narrow screen"
