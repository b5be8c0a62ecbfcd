"""Where does a case stand in supervision, and does it belong in the list again? Pure rules.

The rule in words (docs/reviews.md and the queue say the same). A case without a decision is new.
After a decision it rests until the follow-up day that was set or, without one, for the days of
review_words.toml; then it is due, and a week later overdue. "Watch until" rests until its day. A
resting case is out of the list, but it comes back at once when a flag is open that was not shown
when the decision was taken: another kind, the same kind on another measure, or one that went and
opened again on another day. An open safety flag is
never snoozed away: "watch until" and "not stuck because" leave such a case in the list, and other
decisions let it rest for a week at most. An undone decision counts as never taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from dashboard.review_events import ReviewEvent, Shown
from data_contracts.review_words import review_words
from data_contracts.reviews_in_force import in_force

Standing = Literal["new", "discussed", "snoozed", "due", "overdue"]
_SAFETY = "safety"
# What a supervisor knows about the scores says nothing about a safety item.
_NO_REST_FROM_SAFETY = ("watch_until", "not_stuck_because")


@dataclass(frozen=True, kw_only=True)
class ReviewState:
    """Where a case stands in supervision on a day, from its events alone.

    Parameters
    ----------
    latest
        The decision in force; None before the first, and when all were undone.
    rests_until
        First day on which the case is due again; None without a decision.
    last_sequence
        Sequence of the last event, undos included; 0 before the first.
    is_undone
        Whether the last event took a decision back.
    """

    standing: Standing = "new"
    latest: ReviewEvent | None = None
    rests_until: date | None = None
    last_sequence: int = 0
    is_undone: bool = False


NEVER_REVIEWED = ReviewState()


def review_state(events: Iterable[ReviewEvent], today: date) -> ReviewState:
    """Return where a case stands on a day; the order of its events is their sequence."""
    ordered = sorted(events, key=lambda event: event.sequence)
    if not ordered:
        return NEVER_REVIEWED
    last = ordered[-1]
    if not (counted := in_force(ordered)):
        return ReviewState(last_sequence=last.sequence, is_undone=last.kind == "undo")
    latest = counted[-1]
    until = rests_until(latest)
    return ReviewState(
        standing=_standing(latest, until, today),
        latest=latest,
        rests_until=until,
        last_sequence=last.sequence,
        is_undone=last.kind == "undo",
    )


def rests_until(review: ReviewEvent) -> date:
    """Return the day on which a reviewed case is due again: the day that was set, else by rule."""
    assert review.decision is not None  # noqa: S101 - undos never get here
    return review_words().days.rests_until(
        review.decision,
        chosen=review.watch_until or review.follow_up_on,
        decided_on=review.recorded_on,
    )


def _standing(review: ReviewEvent, until: date, today: date) -> Standing:
    if today < until:
        return "snoozed" if review.decision == "watch_until" else "discussed"
    late = timedelta(days=review_words().days.overdue_after)
    return "overdue" if today >= until + late else "due"


@dataclass(frozen=True, kw_only=True)
class QueuePlace:
    """Whether a case belongs in the list to talk about now, and why in a code.

    `rests_until` is the first day on which it is back if nothing new happens; None in the list.
    """

    is_in_list: bool
    why: Literal["new", "resting", "due", "overdue", "new_flag", "flag_again", "safety"]
    rests_until: date | None = None


def queue_place(state: ReviewState, now: Shown, today: date) -> QueuePlace:
    """Return whether a flagged case belongs in the list, given what is shown of it now."""
    if state.latest is None:
        return QueuePlace(is_in_list=True, why="new")
    if state.standing in ("due", "overdue"):
        return QueuePlace(is_in_list=True, why="due" if state.standing == "due" else "overdue")
    then = state.latest.shown
    if opened := set(now.open_flags) - set(then.open_flags):
        known = {_kind_and_measure(flag) for flag in then.open_flags}
        is_again = all(_kind_and_measure(flag) in known for flag in opened)
        return QueuePlace(is_in_list=True, why="flag_again" if is_again else "new_flag")
    until = rests_until(state.latest)
    if _SAFETY in now.kinds:
        if state.latest.decision in _NO_REST_FROM_SAFETY:
            return QueuePlace(is_in_list=True, why="safety")
        longest = timedelta(days=review_words().days.open_safety_flag)
        until = min(until, state.latest.recorded_on + longest)
        if today >= until:
            return QueuePlace(is_in_list=True, why="safety")
    return QueuePlace(is_in_list=False, why="resting", rests_until=until)


def _kind_and_measure(flag: str) -> str:
    return flag.rpartition("|")[0]
