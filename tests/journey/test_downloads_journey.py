"""In a real browser: what is clicked arrives whole, stands in the audit log, and is not kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fastexcel
import pypdfium2
import pytest
from sqlalchemy import select

from dashboard.download_buttons import SECONDS_KEPT
from dashboard.workspace_store import workspace
from data_contracts.places import Places
from data_contracts.settings import settings_of
from data_contracts.workspace_tables import AUDIT_EVENTS

pytestmark = pytest.mark.browser
MILLISECONDS = 60_000


@pytest.fixture(scope="module")
def server(home: Path, serve: Callable[[Path], AbstractContextManager[str]]) -> Iterator[str]:
    """Serve the screens as `unstuck dashboard` does."""
    with serve(home) as address:
        yield address


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(MILLISECONDS)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert not [url for url in asked if urlsplit(url).hostname not in ("127.0.0.1", None)]


def take_out(page: Any, label: str) -> tuple[str, bytes, str]:
    """Click a download and return its name, its bytes and its address."""
    button = page.get_by_role("button", name=label, exact=True)
    button.wait_for()
    with page.expect_download() as waiting:
        button.click()
    taken = waiting.value
    return taken.suggested_filename, Path(taken.path()).read_bytes(), taken.url


def status_of(address: str) -> int:
    """Return what another client gets, who has no cookie and no screen."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port or 0, timeout=10)
    connection.request("GET", parts.path)
    status = connection.getresponse().status
    connection.close()
    return status


def exported(home: Path) -> list[tuple[str, str | None, str]]:
    places = Places.at(home)
    with workspace(places, settings_of(places)).connect() as connection:
        events = connection.execute(
            select(AUDIT_EVENTS.c.user_id, AUDIT_EVENTS.c.case_id, AUDIT_EVENTS.c.detail)
            .where(AUDIT_EVENTS.c.action == "exported")
            .order_by(AUDIT_EVENTS.c.noted_at)
        )
        return [tuple(event) for event in events]


def test_a_supervisor_takes_out_the_agenda_and_a_sheet(server: str, page: Any, home: Path) -> None:
    before = len(exported(home))
    page.goto(f"{server}/queue?role=supervisor&supervisor=S-1")
    name, agenda, _ = take_out(page, "Agenda for 60 minutes")
    assert name.endswith("-agenda-60.pdf")
    assert len(pypdfium2.PdfDocument(agenda)) == 1
    on_agenda = exported(home)[before:]
    assert on_agenda, "every case on it is in the audit log"
    assert {(user, detail) for user, _, detail in on_agenda} == {
        ("demo-supervisor S-1", "agenda-60.pdf")
    }
    text = pypdfium2.PdfDocument(agenda)[0].get_textpage().get_text_range()
    assert all(str(case_id) in text for _, case_id, _ in on_agenda)

    case_id = str(on_agenda[0][1])
    page.goto(f"{server}/case?case={case_id}&role=supervisor&supervisor=S-1")
    name, sheet, address = take_out(page, "Supervision sheet")
    assert name == f"unstuck-{case_id}-sheet.pdf"
    assert len(pypdfium2.PdfDocument(sheet)) == 1
    assert exported(home)[-1] == ("demo-supervisor S-1", case_id, "case sheet.pdf")

    gone_by = time.monotonic() + SECONDS_KEPT + 10
    while status_of(address) != HTTPStatus.NOT_FOUND:
        assert time.monotonic() < gone_by, "a download is thrown away in half a minute"
        time.sleep(2)


def test_an_analyst_takes_out_the_runs(server: str, page: Any) -> None:
    page.goto(f"{server}/runs?role=analyst")
    name, book, _ = take_out(page, "All as Excel")
    assert name.startswith("unstuck-runs-")
    sheets = fastexcel.read_excel(book)
    assert sheets.sheet_names == ["About", "Runs", "Steps", "Files"]
    files = sheets.load_sheet("Files").to_polars()
    assert files["landed"].sum() > 0
    assert set(files["rest"]) == {0}
