"""How is a review said on a screen? Who decided, when, what, and what that means for the queue."""

from __future__ import annotations

from datetime import date

from dashboard.review_events import Review, ReviewEvent
from dashboard.review_state import QueuePlace, ReviewState
from dashboard.words import code_words, counted, mark, moment
from data_contracts.lenses import lens_contract
from data_contracts.review_words import review_words

_BACK_BECAUSE = {
    "new_flag": "back: a flag has opened since",
    "flag_again": "back: a flag went and opened again",
    "safety": "stays: a safety flag is never snoozed away",
}


def day_words(day: date) -> str:
    """Return a day as '6 Dec 2026'."""
    return f"{day.day} {day:%b %Y}"


def queue_review_words(state: ReviewState, place: QueuePlace | None = None, *, today: date) -> str:
    """Return where a case stands in supervision, short enough for a row of the queue."""
    if state.latest is None:
        return "decision undone" if state.is_undone else ""
    decision = review_words().decision[state.latest.decision or "discussed"].past
    taken = day_words(state.latest.recorded_on)
    said = [f"{decision} on {taken}"]
    is_back = place is not None and place.why in _BACK_BECAUSE
    if state.rests_until is not None and not (is_back and state.standing == "discussed"):
        until = day_words((place and place.rests_until) or state.rests_until)
        late = (today - state.rests_until).days
        said.append(
            {
                "discussed": f"rests until {until}",
                "snoozed": f"watch until {until}",
                "due": f"follow-up due since {until}" if late else "follow-up due today",
                "overdue": f"follow-up overdue since {until}",
                "new": "",
            }[state.standing]
        )
    if place is not None:
        said.append(_BACK_BECAUSE.get(place.why, ""))
    return "; ".join(part for part in said if part)


def decision_words(given: Review | ReviewEvent) -> str:
    """Return what was decided, with reasons, lens and day, as one line."""
    words = review_words()
    assert given.decision is not None  # noqa: S101 - event_words says undos
    said = [words.decision[given.decision].past]
    if given.reasons:
        said.append(", ".join(words.reason_words(code) for code in given.reasons))
    if given.lens:
        said.append(f"looked at: {lens_contract().lens_names[given.lens]}")
    if given.watch_until:
        said.append(f"until {day_words(given.watch_until)}")
    if given.follow_up_on:
        said.append(f"follow-up on {day_words(given.follow_up_on)}")
    if given.was_useful is not None:
        said.append("the flag was useful" if given.was_useful else "the flag was not useful")
    return " · ".join(said)


def event_words(event: ReviewEvent) -> str:
    """Return one event of the history: when, who, and what."""
    who = f"{moment(event.recorded_at)}, {event.user_id}"
    if event.supervisor_id not in ("", event.user_id, *event.user_id.split()):
        who += f" as {event.supervisor_id}"
    if event.kind == "undo":
        return f"{who}: took back a decision"
    return f"{who}: {decision_words(event)}"


def shown_words(event: ReviewEvent) -> str:
    """Return what the screen showed when the decision was taken."""
    shown = event.shown
    if shown.kind is None:
        before = "not in the queue"
    else:
        before = mark(shown.kind).word
        if shown.status and shown.status != shown.kind:
            before += f", status {code_words(shown.status)}"
    return f"Shown then: {before}; rule {shown.rule_version}, run {shown.run_id}"


def saved_words(event: ReviewEvent, place: QueuePlace) -> str:
    """Return what was just stored and what it does to the case's place in the queue."""
    if event.kind == "undo":
        return "The decision was taken back."
    said = f"Saved: {decision_words(event)}."
    if place.rests_until is not None:
        return f"{said} Rests until {day_words(place.rests_until)}."
    if place.why == "safety":
        return f"{said} It stays in the list: a safety flag is never snoozed away."
    return said


def meanwhile_words(meanwhile: tuple[ReviewEvent, ...]) -> list[str]:
    """Return what others decided meanwhile: who, when and what."""
    return [event_words(event) for event in meanwhile]


def rule_in_words() -> str:
    """Return how decisions change the queue, for "How is this computed?"; chosen numbers named."""
    days = review_words().days
    return (
        "A decision takes a case out of the list until its follow-up day, or without one for "
        f"{days.discussed} days ({days.not_stuck_because} after *not stuck because*). It comes "
        "back at once when a flag opens that was not open when you decided: another kind, the same "
        "on another measure, or one that went and opened again. *Watch until* rests until its "
        "day. A safety flag is never snoozed away: while one is open, *watch until* and *not stuck "
        "because* leave the case in "
        f"the list, and other decisions let it rest for {counted(days.open_safety_flag, 'day')} at "
        "most. A follow-up is due from its day on, and overdue "
        f"{counted(days.overdue_after, 'day')} later. All these days are chosen, not findings."
    )
