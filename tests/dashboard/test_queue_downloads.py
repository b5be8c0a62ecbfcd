"""Agenda and list hold the cases of the screen in the order of need; counts stay hidden."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pypdfium2
import pytest

from dashboard import queue_downloads, reading, trend_downloads
from dashboard.download_buttons import Export
from dashboard.downloads import Sheet, as_csv
from dashboard.queue_downloads import queue_sheet, show_queue_downloads
from dashboard.queue_order import hour_of
from dashboard.review_events import ReviewEvent, Shown
from dashboard.review_state import NEVER_REVIEWED, QueuePlace, ReviewState
from dashboard.scope import Scope
from dashboard.trend_downloads import counts_sheet, show_trend_downloads
from dashboard.viewer import Viewer
from dashboard.visit import Visit
from data_contracts.places import Places
from data_contracts.settings import Settings

SUPERVISOR = Scope(
    role="supervisor",
    supervisor_id="S-01",
    therapist_ids=tuple(f"T-{number:03}" for number in range(1, 8)),
)
NEW = (NEVER_REVIEWED, QueuePlace(is_in_list=True, why="new"))


def visit_of(places: Places, scope: Scope) -> Visit:
    snapshot = reading.current_snapshot(places)
    return Visit(
        places=places,
        snapshot=snapshot,
        viewer=Viewer(user_id="somebody", scope=scope),
        settings=Settings(),
        run=reading.run(snapshot, scope),
        case_page=None,
        queue_page=None,
        head=None,
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Export]:
    """Return the exports whose buttons are drawn."""
    found: list[Export] = []
    for module in (queue_downloads, trend_downloads):
        monkeypatch.setattr(module, "show_downloads", lambda _, exports: found.extend(exports))
    return found


def due_since(day: datetime) -> ReviewState:
    shown = Shown(run_id="r", rule_version="2", kind="stuck", kinds=("stuck",), status="stuck")
    review = ReviewEvent(
        event_id="e1",
        case_id="C-900",
        sequence=1,
        kind="review",
        decision="discussed",
        recorded_at=day,
        user_id="somebody",
        supervisor_id="S-01",
        shown=shown,
    )
    return ReviewState(standing="due", latest=review, rests_until=day.date(), last_sequence=1)


def test_the_agenda_holds_the_cases_of_the_screen_in_its_order(
    practice: Places, drawn: list[Export]
) -> None:
    visit = visit_of(practice, SUPERVISOR)
    queue = reading.queue(visit.snapshot, visit.scope).to_dicts()
    rows = [row for row in queue if row["is_flagged"]]
    watched = next(row for row in queue if not row["is_flagged"])
    told = {row["case_id"]: NEW for row in queue}
    state = due_since(datetime(2026, 11, 16, tzinfo=UTC))
    due = (state, QueuePlace(is_in_list=True, why="due"))
    told |= {row["case_id"]: due for row in (rows[2], rows[-1], watched)}
    elsewhere = {
        "case_id": "C-900", "therapist_id": None, "status": "on_track", "is_open": True
    }  # fmt: skip
    everything = [*rows, watched]
    hour = hour_of(everything, [(elsewhere, state)], 60)
    show_queue_downloads(visit, everything, told, hour, minutes=60, resting=2)
    agenda, listed, _ = drawn
    by_need = [row["case_id"] for row in rows]
    assert [row["case_id"] for row in hour.cases] == by_need[:5], "what is due moves nobody"
    assert agenda.case_ids == (*by_need[:5], watched["case_id"], "C-900")
    assert listed.case_ids == (*by_need, watched["case_id"]), "all are audited"
    text = " ".join(pypdfium2.PdfDocument(agenda.make())[0].get_textpage().get_text_range().split())
    assert [text.index(case_id) for case_id in agenda.case_ids] == sorted(
        text.index(case_id) for case_id in agenda.case_ids
    )
    waiting = f"Not in these 60 minutes: {len(rows) - 5} cases of the list"
    assert f"{waiting}, 1 with a follow-up due." in text
    assert "2 cases decided about and resting." in text
    assert "A follow-up is due. No flag is open now." in text
    assert text.count("follow-up due since 16 Nov 2026") == 3
    assert "short look-backs" in text


def test_the_list_says_in_words_what_is_not_known(practice: Places) -> None:
    visit = visit_of(practice, SUPERVISOR)
    rows = reading.queue(visit.snapshot, visit.scope).to_dicts()[:1]
    rows[0] |= {"site_id": None, "sentence": "=HYPERLINK(1)"}
    text = as_csv(queue_sheet(rows, {rows[0]["case_id"]: NEW})).decode()
    assert '"not known"' in text
    assert '"no decision yet"' in text
    assert '"\'=HYPERLINK(1)"' in text


def test_an_empty_queue_can_be_taken_out_too(practice: Places, drawn: list[Export]) -> None:
    show_queue_downloads(visit_of(practice, SUPERVISOR), [], {}, hour_of([], [], 30), minutes=30)
    for export in drawn:
        assert export.make()


def test_counts_leave_with_words_where_they_are_hidden(practice: Places) -> None:
    trends = reading.trends(reading.current_snapshot(practice), Scope(role="manager"))
    sheet = counts_sheet("Trends", trends)
    hidden_rows = trends.filter("is_suppressed")
    assert len(hidden_rows)
    assert hidden_rows["numerator"].null_count() == len(hidden_rows)
    lines = [line for line in as_csv(sheet).decode().splitlines() if line.endswith("true")]
    assert len(lines) == len(hidden_rows)
    assert all('"hidden"' in line for line in lines)
    # a larger count may be hidden for another's sake: the cell must not say how small it is
    assert not any("fewer than" in line for line in lines)


def test_trends_leave_as_report_and_tables(practice: Places, drawn: list[Export]) -> None:
    visit = visit_of(practice, Scope(role="manager"))
    trends = reading.trends(visit.snapshot, visit.scope)
    more = Sheet(name="More", rows=pl.DataFrame({"n": [1]}))
    official = reading.talking_therapies(visit.snapshot, visit.scope)
    show_trend_downloads(visit, trends, official, more=[more])
    starts: list[Any] = [export.make()[:4] for export in drawn]
    assert starts == [b"%PDF", b'"fig', b"PK\x03\x04"]
    assert {export.kind for export in drawn} == {"aggregates"}
    assert all(export.case_ids == () for export in drawn)
