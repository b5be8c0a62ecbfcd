"""What a night publishes of flags and the talks about them: two nights, and reviews in between."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dashboard import reviews
from dashboard.review_events import Review, new_event_id, shown_of
from dashboard.workspace_store import workspace
from data_contracts.settings import Settings

CASES = [f"C-{number:02}" for number in range(24)]
REVIEWED = CASES[:12]
MONDAY = date(2026, 1, 5)
FIRST, SECOND = (datetime(2026, 1, 5, 20, tzinfo=UTC) + timedelta(weeks=weeks) for weeks in (0, 20))


def scores(first_week: int, last_week: int, score: int) -> str:
    days = [MONDAY + timedelta(weeks=week) for week in range(first_week, last_week + 1)]
    rows = [f"{case} {day} PHQ-9 {score}" for case in CASES for day in days]
    return "\n".join(["case day measure score", *rows])


@pytest.fixture(scope="module")
def practice(new_practice: Any) -> Any:
    """Return 24 stuck cases, shown on a Monday; half of them were talked about two days later."""
    made = new_practice()
    made.map_scores(time='unit = "date"\nformat = "%Y-%m-%d"')
    made.night(scores(-13, 0, 20), started_at=FIRST)
    rows = made.published("queue").to_dicts()
    flags = {row["case_id"]: row for row in made.published("flags").to_dicts()}
    assert {row["kind"] for row in rows} == {"stuck"}
    engine = workspace(made.places, Settings())
    for row in rows:
        if row["case_id"] in REVIEWED:
            flag = flags[row["case_id"]]
            seen = row | {"open_flags": f"stuck|phq9|day {flag['opened_day']}"}
            run = made.places.pointer().run_id
            given = Review(
                event_id=new_event_id(),
                case_id=row["case_id"],
                user_id="S-1",
                supervisor_id="S-1",
                decision="discussed",
                was_useful=True,
                shown=shown_of(run, "2", seen),
            )
            reviews.record(engine, given, 0, at=FIRST + timedelta(days=2))
    made.night(scores(1, 20, 8), started_at=SECOND)
    return made


def told(practice: Any, figure: str, group: str, category: str = "all") -> tuple[int, int]:
    rows = practice.published("follow_up").filter(
        figure=figure, kind="stuck", group_id=group, category=category
    )
    return rows.select("numerator", "denominator").row(0)


def test_reviewed_cases_and_the_others_are_told_apart(practice: Any) -> None:
    assert told(practice, "flagged", "reviewed") == (10, 25)  # 12 of 24, rounded
    assert told(practice, "flagged", "not_reviewed") == (10, 25)
    assert told(practice, "flagged", "not_shown") == (0, 25)


def test_every_case_is_followed_to_its_fourth_score_after_the_fourteenth_day(practice: Any) -> None:
    for group in ("reviewed", "not_reviewed"):
        assert told(practice, "went_on", group, "better") == (10, 10)
        assert told(practice, "measured", group) == (10, 10)


def test_what_supervisors_said_of_the_flag_is_counted(practice: Any) -> None:
    assert told(practice, "useful", "all") == (10, 10)


def test_a_store_that_cannot_be_read_stops_no_night_and_nobody_counts_as_not_reviewed(
    practice: Any,
) -> None:
    kept = practice.places.workspace.read_bytes()
    practice.places.workspace.write_text("no database", encoding="utf-8")
    try:
        report = practice.night(started_at=SECOND + timedelta(hours=1), rebuild=True)
    finally:
        practice.places.workspace.write_bytes(kept)
    assert report.outcome == "published"
    assert any("what followed flags is left out" in warning for warning in report.warnings)
    assert practice.published("follow_up").is_empty()
