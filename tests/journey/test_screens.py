"""The screens in a real browser: a supervisor's Monday morning, a manager's quarter.

Needs Chromium: `apt-get install chromium`. Without it these tests are skipped, and fail where
UNSTUCK_NEEDS_BROWSER=1 says that they must run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
MILLISECONDS = 30_000
DESKTOP, PHONE = 1280, 420
LEAST_CONTRAST = 4.5
MOST_TABS = 60

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
def server(home: Path, serve: Callable[[Path], AbstractContextManager[str]]) -> Iterator[str]:
    """Serve the screens as `unstuck dashboard` does."""
    with serve(home) as address:
        yield address


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
    page.get_by_role("heading", name="Decide").wait_for()
    still(page)
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
    page.goto(f"{server}/data?role=analyst")
    page.get_by_role("heading", name="Data quality").wait_for()
    settled(page, "data-quality", tmp_path)
    assert "scores.csv" in page.get_by_test_id("stMain").inner_text()


def test_an_analyst_sees_first_whether_last_night_worked(server: str, page, tmp_path: Path) -> None:
    page.goto(f"{server}/?role=analyst")
    page.get_by_role("heading", name="Does every row add up?").wait_for()
    settled(page, "runs", tmp_path)
    assert "It adds up" in page.get_by_test_id("stMain").inner_text()


def test_a_supervisor_reviews_a_case_by_keyboard_alone(server: str, browser) -> None:
    page = browser.new_page(viewport={"width": DESKTOP, "height": 900})
    page.set_default_timeout(MILLISECONDS)
    page.goto(f"{server}/queue?role=supervisor")
    page.get_by_role("link", name="Open ").nth(1).wait_for()
    still(page)
    case_id = tab_to(page, "Open ").removeprefix("Open ").strip()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Case {case_id}").wait_for()
    page.get_by_role("heading", name="Decide").wait_for()
    still(page)
    tab_to(page, "Discussed")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").wait_for()
    still(page)
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    page.get_by_text("Saved: discussed").wait_for()
    still(page)
    tab_to(page, "Undo")
    page.keyboard.press("Enter")
    page.get_by_text("The decision was taken back").wait_for()
    page.close()


def still(page) -> None:
    """Wait until the script has run and nothing moves."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(700)


def tab_to(page, words: str) -> str:
    """Press Tab until a control with these words has the focus, visibly, and return its words."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        tag, told, outline = page.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.tagName, e.getAttribute('aria-label') || e.innerText || '',"
            " s.outlineStyle + ' ' + s.outlineWidth]; }"
        )
        if tag == "BODY":  # what had the focus is gone from the screen
            continue
        assert outline == "solid 3px", f"nobody sees that {tag} {told[:40]!r} has the focus"
        if told.startswith(words):
            return str(told)
    pytest.fail(f"no {words!r} within {MOST_TABS} tabs")
