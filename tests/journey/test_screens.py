"""The screens in a real browser: a supervisor's Monday morning, a manager's quarter.

Needs Chromium: `apt-get install chromium`. Without it these tests are skipped, and fail where
UNSTUCK_NEEDS_BROWSER=1 says that they must run.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import pytest

from dashboard.launch import streamlit_arguments

NO_BROWSER = "no Chromium here: `apt-get install chromium` lets this journey run"
CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CASES, SEED = 160, 7
SECONDS_TO_START = 60
pytestmark = pytest.mark.browser
MILLISECONDS = 30_000
DESKTOP, PHONE = 1280, 420
LEAST_CONTRAST = 4.5

# Colour of every piece of visible text against the nearest opaque ground behind it; disabled
# controls are exempt in WCAG 2.2, 1.4.3; icons need 3 : 1 only (1.4.11).
FAINT_TEXT = """() => {
  const numbers = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const found = numbers(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const exempt = '[disabled], script, style, svg, [data-testid=stIconMaterial]';
    if (!text || !element.checkVisibility() || element.closest(exempt)) continue;
    const ink = numbers(getComputedStyle(element).color), paper = ground(element);
    const alpha = ink.length > 3 ? ink[3] : 1;
    const seen = [0, 1, 2].map(i => ink[i] * alpha + paper[i] * (1 - alpha));
    const [light, dark] = [luminance(seen), luminance(paper)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < LEAST) faint.push([text.slice(0, 40), contrast.toFixed(2)]);
  }
  return faint;
}""".replace("LEAST", str(LEAST_CONTRAST))

WIDTHS = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return [document.documentElement, main].map(e => [e.scrollWidth, e.clientWidth]);
}"""


@pytest.fixture(scope="module")
def chromium() -> str:
    """Return where Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("UNSTUCK_NEEDS_BROWSER") == "1":
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which one night has published a simulated practice."""
    from pipelines.demo_practice import simulate_practice, write_practice

    source, home = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("home")
    write_practice(simulate_practice(cases=CASES, seed=SEED), source)
    # As cron does it: in a process of its own.
    command = "from pipelines.cli import main; main()"
    subprocess.run(
        [
            *(sys.executable, "-c", command, "run", "--source", str(source)),
            *("--mapping", str(source / "mapping.toml"), "--home", str(home)),
        ],
        check=True,
        capture_output=True,
    )
    return home


@pytest.fixture(scope="module")
def server(chromium: str, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the screens as `unstuck dashboard` does, far from the repository's config file."""
    del chromium  # no server without a browser
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with (elsewhere / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", *streamlit_arguments(port)],
            cwd=elsewhere,
            env={**os.environ, "UNSTUCK_HOME": str(home)},
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
                connection.request("GET", "/_stcore/health")
                if connection.getresponse().status == HTTPStatus.OK:
                    return
        except OSError:
            if time.monotonic() > ends:
                raise
        time.sleep(0.2)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[object]:
    """Return a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(params=[DESKTOP, PHONE])
def page(browser, request: pytest.FixtureRequest) -> Iterator[object]:
    """Return a page on a desk or a phone; afterwards nothing may have left the machine."""
    opened = browser.new_page(viewport={"width": request.param, "height": 900})
    opened.set_default_timeout(MILLISECONDS)
    asked: list[str] = []
    opened.on("request", lambda sent: asked.append(sent.url))
    opened.on("websocket", lambda sent: asked.append(sent.url))
    yield opened
    opened.close()
    inside = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    assert [url for url in asked if not url.startswith(inside)] == []


def settled(page, name: str, folder: Path) -> None:
    """Wait until the screen stands still, look at it, and check what holds for every screen."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(700)
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    for scrolled, visible in page.evaluate(WIDTHS):
        assert scrolled <= visible, f"{name} scrolls sideways"
    assert page.evaluate(FAINT_TEXT) == [], f"{name} has text too faint to read"
    for chrome in ("stAppDeployButton", "stMainMenu", "stStatusWidget"):
        assert not page.get_by_test_id(chrome).is_visible()


def test_a_supervisor_opens_a_case_and_comes_back(server: str, page, tmp_path: Path) -> None:
    page.goto(f"{server}/?role=supervisor")
    page.get_by_role("heading", name="Supervision queue").wait_for()
    settled(page, "queue", tmp_path)
    reason = page.locator("h3").first.inner_text()
    sizes = page.evaluate(
        "() => ['h3', '[data-testid=stMarkdownContainer] p']"
        ".map(found => parseFloat(getComputedStyle(document.querySelector(found)).fontSize))"
    )
    assert sizes[0] > sizes[1], "the reason is the largest thing in its row"

    link = page.get_by_role("link", name="Open ").first
    case_id = link.inner_text().removeprefix("Open ").strip()
    assert f"case={case_id}" in (link.get_attribute("href") or "")
    link.click()
    page.get_by_role("heading", name=f"Case {case_id}").wait_for()
    settled(page, "case", tmp_path)
    assert reason in page.get_by_test_id("stMain").inner_text()
    assert f"case={case_id}" in page.url
    assert page.get_by_role("heading", name="Why it is here").is_visible()

    page.get_by_role("link", name="Back to the queue").click()
    page.get_by_role("heading", name="Supervision queue").wait_for()
    assert page.locator("h3").first.inner_text() == reason


def test_the_next_case_is_one_key_away(server: str, page, tmp_path: Path) -> None:
    page.goto(f"{server}/queue?role=supervisor")
    links = page.get_by_role("link", name="Open ")
    links.first.wait_for()
    first, second = (links.nth(place).inner_text().removeprefix("Open ") for place in (0, 1))
    links.first.click()
    page.get_by_role("heading", name=f"Case {first}").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.keyboard.press("n")
    page.get_by_role("heading", name=f"Case {second}").wait_for()
    settled(page, "next-case", tmp_path)


def test_a_sent_link_opens_the_case(server: str, page, tmp_path: Path) -> None:
    page.goto(f"{server}/queue?role=supervisor")
    link = page.get_by_role("link", name="Open ").first
    address = link.get_attribute("href") or ""
    case_id = link.inner_text().removeprefix("Open ").strip()
    page.goto(address if address.startswith("http") else f"{server}/{address.lstrip('/')}")
    page.get_by_role("heading", name=f"Case {case_id}").wait_for()
    settled(page, "sent-link", tmp_path)


def test_a_manager_sees_trends_and_no_case(server: str, page, tmp_path: Path) -> None:
    page.goto(f"{server}/queue?role=supervisor")
    case_id = page.get_by_role("link", name="Open ").first.inner_text().removeprefix("Open ")
    page.goto(f"{server}/?role=manager")
    page.get_by_role("heading", name="Practice trends").wait_for()
    page.get_by_role("heading", name="Open cases now, by status").wait_for()
    settled(page, "trends", tmp_path)
    assert "hidden (fewer than 8)" in page.get_by_test_id("stMain").inner_text()

    page.goto(f"{server}/case?role=manager&case={case_id.strip()}")
    page.get_by_text("Cases are shown to supervisors only").wait_for()
    settled(page, "refused", tmp_path)
    assert page.locator("canvas, svg.marks").count() == 0


def test_an_analyst_sees_what_came_in(server: str, page, tmp_path: Path) -> None:
    page.goto(f"{server}/?role=analyst")
    page.get_by_role("heading", name="Data quality").wait_for()
    page.get_by_role("heading", name="Runs").wait_for()
    settled(page, "data-quality", tmp_path)
    assert "scores.csv" in page.get_by_test_id("stMain").inner_text()
