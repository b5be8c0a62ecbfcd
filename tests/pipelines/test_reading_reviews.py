"""Reviews as pipelines read them: none taken back, nobody named, on practice days, unchanged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from dashboard import reviews
from dashboard.review_events import Review, ReviewEvent, Shown, Undo, new_event_id
from dashboard.workspace_store import close_stores, workspace
from data_contracts.errors import WorkspaceError
from data_contracts.measures import built_in_measures
from data_contracts.places import Places
from data_contracts.settings import Settings
from models.past_cases import PastCases
from pipelines.reading_reviews import (
    REVIEWS,
    last_reviewed,
    on_practice_days,
    review_days,
    with_reviews,
)

MONDAY = datetime(2026, 3, 2, 5, tzinfo=UTC)
RUNS = pl.DataFrame(
    {
        "run_id": ["run-1", "run-2", "failed"],
        "as_of": [700, 707, None],
        "started_at": [
            each.replace(tzinfo=None)
            for each in (MONDAY, MONDAY + timedelta(days=7), MONDAY + timedelta(days=8))
        ],
    }
)


@pytest.fixture
def decide(tmp_path: Path, workspace_settings: Settings) -> Callable[..., ReviewEvent]:
    engine = workspace(Places.at(tmp_path), workspace_settings)

    def taken(
        case_id: str = "C-1",
        at: datetime = MONDAY + timedelta(hours=5),
        run_id: str = "run-1",
        flags: tuple[str, ...] = ("stuck|phq9|day 63",),
        **values: object,
    ) -> ReviewEvent:
        shown = Shown(run_id=run_id, rule_version="2", kind="stuck", open_flags=flags)
        given = Review(
            **{
                "event_id": new_event_id(),
                "case_id": case_id,
                "user_id": "ann@example.org",
                "supervisor_id": "S-1",
                "decision": "discussed",
                "shown": shown,
            }
            | values
        )
        events = reviews.history(engine, case_id)
        return reviews.record(
            engine, given, events[-1].sequence if events else 0, at=at, takes_notes=True
        )

    taken.engine = engine
    return taken


def test_a_practice_whose_screens_were_never_opened_has_no_reviews(tmp_path: Path) -> None:
    found = review_days(Places.at(tmp_path), Settings())
    assert found.is_empty()
    assert found.schema == REVIEWS
    assert on_practice_days(found, RUNS).columns == [*REVIEWS, "practice_day"]


def test_what_is_read_names_nobody_and_holds_no_free_text(
    decide: Callable[..., ReviewEvent], tmp_path: Path, workspace_settings: Settings
) -> None:
    decide(note="the plan stands", was_useful=True)
    found = review_days(Places.at(tmp_path), workspace_settings)
    assert found.schema == REVIEWS
    assert found.select("case_id", "decision", "was_useful", "shown_flags").rows() == [
        ("C-1", "discussed", True, "stuck|phq9|day 63")
    ]
    assert found["reviewed_at"].to_list() == [MONDAY + timedelta(hours=5)]
    assert "ann" not in str(found.rows())
    assert "plan stands" not in str(found.rows())


def test_a_review_that_was_taken_back_was_never_taken(
    decide: Callable[..., ReviewEvent], tmp_path: Path, workspace_settings: Settings
) -> None:
    first = decide()
    decide(at=MONDAY + timedelta(days=1), decision="plan_changed")
    decide("C-2")  # its sequence 1 is not the one that is undone
    back = Undo(
        event_id=new_event_id(), case_id="C-1", user_id="S-1", supervisor_id="S-1",
        undoes=first.sequence, shown=first.shown,
    )  # fmt: skip
    reviews.undo(decide.engine, back, 2, at=MONDAY + timedelta(days=2))
    found = review_days(Places.at(tmp_path), workspace_settings)
    assert found.select("case_id", "decision").rows() == [
        ("C-2", "discussed"),
        ("C-1", "plan_changed"),
    ]


def test_reading_changes_no_byte_of_the_file(
    decide: Callable[..., ReviewEvent], tmp_path: Path, workspace_settings: Settings
) -> None:
    if workspace_settings.workspace.url:
        pytest.skip("a server keeps its own files; the connection is read only there")
    decide()
    close_stores()
    places = Places.at(tmp_path)
    before = sha256(places.workspace.read_bytes()).hexdigest()
    assert review_days(places, workspace_settings).height == 1
    assert sha256(places.workspace.read_bytes()).hexdigest() == before


def test_a_store_that_cannot_be_read_is_said_without_its_address(tmp_path: Path) -> None:
    Places.at(tmp_path).workspace.write_text("no database", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="cannot be read") as told:
        review_days(Places.at(tmp_path), Settings())
    assert str(tmp_path) not in str(told.value)


def seen(case_id: str, at: datetime, run_id: str, flags: str = "stuck|phq9|day 63") -> tuple:
    return (case_id, at, "discussed", None, run_id, "stuck", flags)


def days_of(*rows: tuple) -> list[int | None]:
    given = pl.DataFrame(list(rows), schema=REVIEWS, orient="row").sort("reviewed_at")
    return on_practice_days(given, RUNS)["practice_day"].to_list()


def test_a_moment_lies_as_many_days_after_the_run_on_the_screen_as_have_passed(
    in_zone: Callable[[str], None],
) -> None:
    in_zone("UTC")
    same_day = seen("C-1", MONDAY + timedelta(hours=12), "run-1")
    on_thursday = seen("C-1", MONDAY + timedelta(days=3), "run-1")
    # seen on a window that was left open when the next run had come
    next_week = seen("C-1", MONDAY + timedelta(days=8), "run-1")
    with_the_next = seen("C-1", MONDAY + timedelta(days=9), "run-2")
    assert days_of(same_day, on_thursday, next_week, with_the_next) == [700, 703, 708, 709]


def test_days_are_those_of_the_calendar_where_the_machine_stands(
    in_zone: Callable[[str], None],
) -> None:
    in_zone("America/Los_Angeles")
    # Monday 5:00 UTC is Sunday there; Monday 17:30 there is Tuesday in UTC
    assert days_of(seen("C-1", datetime(2026, 3, 3, 1, 30, tzinfo=UTC), "run-1")) == [701]


def test_a_run_nobody_knows_any_more_is_stood_in_for_by_the_nearest_in_time() -> None:
    gone = seen("C-1", MONDAY + timedelta(days=6), "of another home")
    assert days_of(gone) == [706]


def test_without_a_calendar_a_review_has_no_practice_day() -> None:
    given = pl.DataFrame([seen("C-1", MONDAY, "failed")], schema=REVIEWS, orient="row")
    no_calendar = RUNS.with_columns(as_of=pl.lit(None, pl.Int64))
    assert on_practice_days(given, no_calendar)["practice_day"].to_list() == [None]


def test_past_cases_learn_of_the_first_review_with_a_flag_open() -> None:
    cases = pl.DataFrame({"case_id": ["C-1", "C-2", "C-3"]})
    points = pl.DataFrame({"case_id": ["C-1"], "occasion": [0], "value": [18.0]})
    past = PastCases.of(built_in_measures()["phq9"], cases, points)
    given = pl.DataFrame(
        [
            seen("C-1", MONDAY, "run-1", flags=""),  # looked at before there was a flag
            seen("C-1", MONDAY + timedelta(days=9), "run-2"),
            seen("C-1", MONDAY + timedelta(days=20), "run-2"),
            seen("C-2", MONDAY, "run-1", flags=""),
            seen("C-9", MONDAY, "run-1"),  # in another snapshot, not among these
        ],
        schema=REVIEWS,
        orient="row",
    ).sort("reviewed_at")
    dated = on_practice_days(given, RUNS)
    known = with_reviews(past, dated)
    assert known.cases.columns == past.cases.columns
    assert known.cases.select("case_id", "reviewed_on").rows() == [
        ("C-1", 709),
        ("C-2", None),
        ("C-3", None),
    ]
    assert dict(last_reviewed(dated).iter_rows()) == {"C-1": 720, "C-2": 700, "C-9": 700}
