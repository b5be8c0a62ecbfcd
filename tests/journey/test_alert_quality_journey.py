"""The Alert quality screen in a real browser, on a desk and a phone: everything unfolded, no case.

Needs Chromium, as test_screens.py says.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from sample_backtest import sample_backtest

from data_contracts.places import Places
from pipelines.evidence import write_evidence

pytestmark = pytest.mark.browser
MILLISECONDS = 30_000
DESKTOP, PHONE = 1280, 420
WIDTHS = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return [document.documentElement, main].map(e => [e.scrollWidth, e.clientWidth]);
}"""


@pytest.fixture(scope="module")
def server(
    home: Path,
    serve: Callable[[Path], AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Serve a home whose flags were tested."""
    tested = Places.at(tmp_path_factory.mktemp("tested") / "home")
    shutil.copytree(home, tested.home, ignore=shutil.ignore_patterns("workspace.sqlite*"))
    write_evidence(
        tested,
        [sample_backtest(cases=400, occasions=(2, 4, 6, 8))],
        made_at=datetime(2026, 11, 22, 5, 0, tzinfo=UTC),
        suppression="default",
        measure_names={"phq9": "PHQ-9"},
        snapshots_kept=2,
    )
    with serve(tested.home) as address:
        yield address


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_a_manager_reads_hits_and_misses(server: str, browser, width: int, tmp_path: Path) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(MILLISECONDS)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(f"{server}/alerts?role=manager&landmark=occasion_6")
    page.get_by_text("had been flagged by then; the others were missed").first.wait_for()
    page.get_by_role("heading", name="Predicted, and what came").wait_for()
    for summary in page.locator("[data-testid=stExpander] summary").all():
        summary.click()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(700)
    page.screenshot(path=tmp_path / f"alerts-{width}.png", full_page=True)
    for scrolled, visible in page.evaluate(WIDTHS):
        assert scrolled <= visible, "scrolls sideways"
    charts = page.locator("[data-testid=stVegaLiteChart]")
    assert charts.count() == 4
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag22aa"]})
    assert [each["id"] for each in found.response["violations"]] == []
    text = page.get_by_test_id("stMain").inner_text()
    assert "at the 6th score after the start" in text
    assert "C-0" not in text
    assert all(url.startswith((server, "data:", "blob:")) for url in asked)
    page.close()
