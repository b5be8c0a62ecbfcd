"""When do the simulated cases start, meet, miss a session and end? Days and attendance.

Simulated. The practice has run for two years and its export is cut at the last practice day, so
many cases are still open. Every number is chosen.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.demo_courses import SESSIONS_AT_MOST
from pipelines.demo_draws import Counts, Truths, category
from pipelines.demo_kinds import KINDS

PRACTICE_DAYS = 730  # about two years
LAST_PRACTICE_DAY = PRACTICE_DAYS - 1  # nothing after it is in the export

PLANNED_SESSIONS, PLANNED_SHARES = (8, 12, 16, 20), (0.10, 0.25, 0.35, 0.30)
DAYS_BETWEEN_SESSIONS, RHYTHM_SHARES = (7, 14), (0.25, 0.75)  # a case keeps its rhythm
EARLIER_DAYS, LATER_DAYS = 1, 4  # a session may be moved by so many days
BREAK_SHARE, BREAK_LEAST, BREAK_MOST = 0.07, 14, 28  # extra days: holiday or illness
WAITING_SHAPE, WAITING_MEAN = 2.0, 45.0  # gamma distributed days from referral to start

MISSED_SHARE, MISSED_SHARE_LEAVING = 0.07, 0.12  # the second for `decline` and `drop_out`
LAST_MISSED_SHARE = 0.6  # people who drop out often miss the last session they were offered

END_REASONS = ("completed", "dropped_out", "referred_on")
END_SHARES: dict[str, tuple[float, float, float]] = {
    "decline": (0.40, 0.40, 0.20),
    "no_change": (0.62, 0.23, 0.15),
    "drop_out": (0.00, 1.00, 0.00),
    "late_responder": (0.88, 0.09, 0.03),
    "good_enough": (0.96, 0.04, 0.00),
    "steady_improver": (0.90, 0.08, 0.02),
    "sudden_gain": (0.90, 0.08, 0.02),
    "early_responder": (0.92, 0.07, 0.01),
}
# Sessions beyond the plan (negative: fewer) of those who complete: from, to
BEYOND_PLAN: dict[str, tuple[int, int]] = {
    "decline": (-2, 3),
    "no_change": (0, 5),
    "drop_out": (0, 0),
    "late_responder": (0, 3),
    "good_enough": (3, 8),
    "steady_improver": (-2, 2),
    "sudden_gain": (-3, 1),
    "early_responder": (-4, 0),
}
DROP_OUT_FROM, DROP_OUT_TO = 2, 6  # last session offered to the kind `drop_out`
OTHER_DROP_OUT_FROM, REFERRED_ON_FROM = 4, 6  # earliest last session of others who leave
CLOSING_DAYS = ((0, 14), (28, 70), (7, 28))  # from the last session to the end, by end reason


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Days and attendance, one row per case; arrays of shape (cases,) or (cases, sessions)."""

    start: Counts  # practice day of session 1
    referral_day: Counts  # within the case, negative
    planned: Counts
    day: Counts  # within the case; session 1 is day 0
    is_offered: Truths  # offered and not after the last practice day
    is_attended: Truths  # of those offered
    end_day: Counts  # within the case; meaningful unless open
    end_reason: Counts  # index into END_REASONS
    is_open: Truths  # the end lies after the last practice day


def draw_calendar(rng: np.random.Generator, kind: Counts) -> Calendar:
    """Draw when every case starts, meets and ends, given its kind (index into `KINDS`)."""
    cases = len(kind)
    start = rng.integers(0, PRACTICE_DAYS, cases)
    waiting = np.rint(rng.gamma(WAITING_SHAPE, WAITING_MEAN / WAITING_SHAPE, cases))
    planned = np.array(PLANNED_SESSIONS)[category(rng, PLANNED_SHARES, cases)]
    end_reason = category(rng, np.array([END_SHARES[name] for name in KINDS])[kind], cases)
    sessions = _sessions_until_end(rng, kind, planned, end_reason)
    day = _days(rng, cases)
    closing = np.array(CLOSING_DAYS)[end_reason]
    end_day = day[np.arange(cases), sessions - 1] + rng.integers(closing[:, 0], closing[:, 1] + 1)

    session = np.arange(1, SESSIONS_AT_MOST + 1)
    is_within_course = session[None, :] <= sessions[:, None]
    is_offered = is_within_course & (start[:, None] + day <= LAST_PRACTICE_DAY)
    return Calendar(
        start=start,
        referral_day=-np.maximum(waiting, 1).astype(np.int64),
        planned=planned,
        day=day,
        is_offered=is_offered,
        is_attended=is_offered & ~_missed(rng, kind, sessions, end_reason),
        end_day=end_day,
        end_reason=end_reason,
        is_open=start + end_day > LAST_PRACTICE_DAY,
    )


def _sessions_until_end(
    rng: np.random.Generator, kind: Counts, planned: Counts, end_reason: Counts
) -> Counts:
    """Return how many sessions each case is offered if nobody cuts the data."""
    beyond = np.array([BEYOND_PLAN[name] for name in KINDS])[kind]
    completed = planned + rng.integers(beyond[:, 0], beyond[:, 1] + 1)
    early = rng.integers(DROP_OUT_FROM, DROP_OUT_TO + 1, len(kind))
    later = rng.integers(OTHER_DROP_OUT_FROM, planned)
    referred = rng.integers(REFERRED_ON_FROM, planned + 1)
    dropped = np.where(kind == KINDS.index("drop_out"), early, later)
    return np.choose(end_reason, [completed, dropped, referred]).astype(np.int64)


def _days(rng: np.random.Generator, cases: int) -> Counts:
    """Return the day of every session within its case, shape (cases, sessions)."""
    shape = (cases, SESSIONS_AT_MOST)
    rhythm = np.array(DAYS_BETWEEN_SESSIONS)[category(rng, RHYTHM_SHARES, cases)]
    moved = rng.integers(-EARLIER_DAYS, LATER_DAYS + 1, shape)
    paused = rng.integers(BREAK_LEAST, BREAK_MOST + 1, shape) * (rng.random(shape) < BREAK_SHARE)
    gap = rhythm[:, None] + moved + paused
    gap[:, 0] = 0
    return np.cumsum(gap, axis=1)


def _missed(rng: np.random.Generator, kind: Counts, sessions: Counts, end_reason: Counts) -> Truths:
    """Return which sessions are missed, shape (cases, sessions); the first never is."""
    is_leaving = np.isin(kind, [KINDS.index("decline"), KINDS.index("drop_out")])
    share = np.where(is_leaving, MISSED_SHARE_LEAVING, MISSED_SHARE)
    missed = rng.random((len(kind), SESSIONS_AT_MOST)) < share[:, None]
    is_last_missed = (rng.random(len(kind)) < LAST_MISSED_SHARE) & (
        end_reason == END_REASONS.index("dropped_out")
    )
    missed[np.arange(len(kind)), sessions - 1] |= is_last_missed
    missed[:, 0] = False
    return missed
