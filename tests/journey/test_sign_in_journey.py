"""Sign-in in a real browser, against a real OpenID Connect provider on this machine.

For each role: the way in, the first screen, another's case refused and logged, the way out, and a
copied login cookie that is worth nothing afterwards. axe-core looks at every screen on the way.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, update

from dashboard import reading
from dashboard.scope import Scope, scope_of_supervisor
from dashboard.sign_in import SECONDS_BETWEEN_LOOKS
from data_contracts.places import Places
from data_contracts.settings import Roles
from data_contracts.workspace_tables import AUDIT_EVENTS, REVIEW_EVENTS, SIGN_INS

pytestmark = pytest.mark.browser
MILLISECONDS = 30_000
WIDE: Any = {"width": 1280, "height": 900}
NARROW: Any = {"width": 420, "height": 900}
OWN, OTHER = "S-1", "S-2"
# What axe-core finds in elements that Streamlit 1.67 draws itself and lets nobody change: the rule,
# the widget it is inside of, and why it may stay. Everything else is ours to mend.
STREAMLIT_S_OWN: tuple[tuple[str, str, str], ...] = (
    (
        "scrollable-region-focusable",
        "stTable",
        "a wide table scrolls sideways on a phone, in a box of Streamlit's without tabindex; "
        "Firefox, and Chrome since 130, let the keyboard into such a box by themselves",
    ),
)
LINKS = "a:not([data-testid=stSkipToContent])"
GRAVE = ("serious", "critical")


@dataclass(frozen=True)
class Practice:
    """A served practice with sign-in, its store, and the cases to try."""

    address: str
    home: Path
    own_case: str
    other_case: str

    def noted(self, user_id: str) -> list[tuple[str, str | None, str]]:
        asked = (
            select(AUDIT_EVENTS.c.action, AUDIT_EVENTS.c.case_id, AUDIT_EVENTS.c.detail)
            .where(AUDIT_EVENTS.c.user_id == user_id)
            .order_by(AUDIT_EVENTS.c.noted_at)
        )
        return [tuple(row) for row in self.ask(asked)]

    def ask(self, statement: Any) -> list[Any]:
        engine = create_engine(f"sqlite:///{self.home / 'workspace.sqlite'}")
        try:
            with engine.begin() as connection:
                found = connection.execute(statement)
                return list(found) if found.returns_rows else []
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def practice(
    home: Path,
    provider: int,
    free_port: Callable[[], int],
    serve: Callable[[Path, int], AbstractContextManager[str]],
    sign_in_settings: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Practice]:
    """Serve a copy of the simulated practice with sign-in."""
    own_home = Path(shutil.copytree(home, tmp_path_factory.mktemp("signed") / "home"))
    for left_over in own_home.glob("workspace.sqlite*"):
        left_over.unlink()
    port = free_port()
    settings = sign_in_settings(provider=provider, address=f"http://127.0.0.1:{port}")
    (own_home / "unstuck.toml").write_text(settings, encoding="utf-8")
    snapshot = reading.current_snapshot(Places.at(own_home))
    therapists, _ = reading.assignments(snapshot, Scope(role="supervisor"))
    own_case, other_case = (
        reading.queue(snapshot, scope_of_supervisor(supervisor, Roles(), therapists))["case_id"][0]
        for supervisor in (OWN, OTHER)
    )
    with serve(own_home, port) as address:
        yield Practice(address, own_home, own_case, other_case)


@pytest.fixture
def visit(browser, practice: Practice) -> Iterator[Callable[..., Any]]:
    """Return what opens somebody's own browser; afterwards nothing of ours left the machine."""
    contexts, asked = [], []

    def opened(cookies: list[Any] | None = None) -> Any:
        context = browser.new_context(viewport=WIDE, reduced_motion="reduce")
        contexts.append(context)
        context.add_cookies(cookies or [])
        # The provider's own pages want a style sheet from elsewhere; it is not needed.
        context.route(lambda url: not _is_local(url), lambda route: route.abort())
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.on("request", lambda sent: asked.append((page.url, sent.url)))
        return page

    yield opened
    for context in contexts:
        context.close()
    ours = [url for shown, url in asked if shown.startswith(practice.address)]
    assert [url for url in ours if not _is_local(url)] == []


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "http://localhost:", "ws://127.0.0.1:", "data:"))


@pytest.fixture(scope="module")
def supervisor_s(browser, practice: Practice) -> list[Any]:
    """Return the cookies of a supervisor who signed in once for the tests that only look."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    come_in(page, practice, "supervisor-1")
    cookies = context.cookies()
    context.close()
    return cookies


def settled(page: Any) -> None:
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_function("document.querySelector('[data-stale=true]') === null")
    page.wait_for_timeout(300)


def looked_at(page: Any, name: str, folder: Path) -> None:
    """Wait until the screen stands still, keep a picture, and let axe-core judge it."""
    from axe_playwright_python.sync_playwright import Axe

    settled(page)
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    found = [
        (violation["id"], violation["help"], node["target"], node["html"][:200])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
        if not is_streamlit_s_own(violation["id"], page.evaluate(WIDGET, node["target"][-1]))
    ]
    assert found == [], f"{name}: axe-core"


# In which of Streamlit's widgets is the element?
WIDGET = """selector =>
  document.querySelector(selector)?.closest('[data-testid]')?.dataset.testid"""


def is_streamlit_s_own(rule: str, widget: str | None) -> bool:
    return any((rule, widget) == (known, inside) for known, inside, _why in STREAMLIT_S_OWN)


def half_a_minute_passes(page: Any) -> None:
    """Let the clock of this browser run on: what a screen does by itself, its timers begin."""
    page.clock.fast_forward((SECONDS_BETWEEN_LOOKS + 1) * 1000)


def come_in(page: Any, practice: Practice, who: str, path: str = "/") -> None:
    page.goto(f"{practice.address}{path}")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_placeholder("sub").fill(who)
    page.get_by_role("button", name="Authorize").click()
    page.get_by_role("button", name="Sign out").wait_for()
    settled(page)


def leave(page: Any, practice: Practice) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()  # at the provider
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.url.startswith(practice.address)


def text_of(page: Any) -> str:
    return page.get_by_test_id("stMain").inner_text()


def test_nothing_is_shown_before_somebody_signs_in(
    practice: Practice, visit, tmp_path: Path
) -> None:
    page = visit()
    for path in ("/", f"/case?case={practice.own_case}", "/queue?role=supervisor&supervisor=S-1"):
        page.goto(f"{practice.address}{path}")
        page.get_by_role("button", name="Sign in").wait_for()
        settled(page)
        assert practice.own_case not in text_of(page)
        assert page.locator(LINKS).count() == 0
    looked_at(page, "sign-in", tmp_path)


FIRST_SCREENS = {
    "supervisor-1": "Supervision queue",
    "manager-1": "Practice trends",
    "analyst-1": "Runs",
}


@pytest.mark.parametrize("who", FIRST_SCREENS)
def test_each_role_comes_in_sees_its_first_screen_and_leaves_for_good(
    practice: Practice, visit, tmp_path: Path, who: str
) -> None:
    page = visit()
    come_in(page, practice, who)
    page.get_by_role("heading", name=FIRST_SCREENS[who], exact=True).wait_for()
    looked_at(page, who, tmp_path)
    page.set_viewport_size(NARROW)
    looked_at(page, f"{who}-narrow", tmp_path)
    cookies = page.context.cookies()
    leave(page, practice)

    elsewhere = visit(cookies)  # the cookie was copied before
    elsewhere.goto(practice.address)
    elsewhere.get_by_text("has ended and cannot be used again").wait_for()
    looked_at(elsewhere, "replayed", tmp_path)
    assert elsewhere.get_by_role("button", name="Sign in").is_visible()
    assert FIRST_SCREENS[who] not in text_of(elsewhere)
    told = [action for action, _, _ in practice.noted(who)]
    seen = ["list_viewed"] if who == "supervisor-1" else []
    assert told[-3 - len(seen) :] == ["signed_in", *seen, "signed_out", "replay_refused"]


def test_a_supervisor_goes_from_the_queue_to_a_case_and_the_view_is_logged(
    practice: Practice, visit, supervisor_s, tmp_path: Path
) -> None:
    page = visit(supervisor_s)
    page.goto(practice.address)
    page.get_by_role("link", name="Open ").first.click()
    page.get_by_role("heading", name=f"Case {practice.own_case}").wait_for()
    looked_at(page, "case", tmp_path)
    assert ("case_viewed", practice.own_case, "") in practice.noted("supervisor-1")
    assert "role=" not in page.url, "with one role there is none to choose"


def test_a_decision_is_kept_under_the_name_of_who_signed_in(
    practice: Practice, visit, supervisor_s, tmp_path: Path
) -> None:
    page = visit(supervisor_s)
    page.goto(practice.address)
    case_id = page.get_by_role("link", name="Open ").nth(1).inner_text().removeprefix("Open ")
    page.get_by_role("button", name="Decide").nth(1).click()
    page.get_by_role("button", name="Discussed").click()  # the second click
    page.get_by_text("✓").wait_for()
    looked_at(page, "decided", tmp_path)
    columns = REVIEW_EVENTS.c
    kept = practice.ask(select(columns.case_id, columns.user_id, columns.supervisor_id))
    assert [tuple(row) for row in kept] == [(case_id.strip(), "supervisor-1", OWN)]
    assert ("reviewed", case_id.strip(), "") in practice.noted("supervisor-1")


def test_a_follow_up_comes_back_on_its_day(practice: Practice, visit, tmp_path: Path) -> None:
    page = visit()
    come_in(page, practice, "supervisor-1")
    case_id = (
        page.get_by_role("link", name="Open ").first.inner_text().removeprefix("Open ").strip()
    )
    page.get_by_role("button", name="Decide").first.click()
    page.get_by_role("radio", name="in 1 week").click()
    page.get_by_role("button", name="Plan changed").click()
    page.get_by_text("Saved: plan changed").wait_for()
    page.get_by_text("follow-up on").first.wait_for()
    # The week goes by.
    columns = REVIEW_EVENTS.c
    last_month = datetime.now(UTC) - timedelta(days=30)
    practice.ask(
        update(REVIEW_EVENTS)
        .where(columns.case_id == case_id, columns.decision == "plan_changed")
        .values(recorded_at=last_month, follow_up_on=(datetime.now(UTC) - timedelta(days=1)).date())
    )
    page.reload()
    page.get_by_text("follow-up due since").first.wait_for()
    looked_at(page, "follow-up", tmp_path)
    assert page.get_by_role("link", name=f"Open {case_id}").is_visible()


def test_another_supervisor_s_case_by_address_is_refused_and_logged(
    practice: Practice, visit, supervisor_s, tmp_path: Path
) -> None:
    page = visit(supervisor_s)
    for query in (f"case={practice.other_case}", f"case={practice.other_case}&supervisor=S-2"):
        page.goto(f"{practice.address}/case?{query}")
        page.get_by_text("is among the cases you supervise").wait_for()
        settled(page)
        assert page.get_by_role("heading", name="Why it is here").count() == 0
    looked_at(page, "refused", tmp_path)
    told = practice.noted("supervisor-1")
    assert told.count(("case_refused", practice.other_case, "outside scope")) == 2
    assert ("case_viewed", practice.other_case, "") not in told


@pytest.mark.parametrize("who", ["manager-1", "analyst-1"])
def test_who_sees_no_cases_sees_none_by_address_either(
    practice: Practice, visit, tmp_path: Path, who: str
) -> None:
    page = visit()
    come_in(page, practice, who, f"/case?role=supervisor&supervisor=S-1&case={practice.own_case}")
    page.get_by_text("Cases are shown to supervisors only").wait_for()
    looked_at(page, "no-cases", tmp_path)
    told = practice.noted(who)
    assert ("role_refused", None, "a role not theirs") in told
    assert ("case_refused", None, "this role sees no case") in told


def test_somebody_without_a_role_is_told_so_and_sees_nothing(
    practice: Practice, visit, tmp_path: Path
) -> None:
    page = visit()
    come_in(page, practice, "nobody-1", f"/case?case={practice.own_case}")
    page.get_by_role("heading", name="No role here yet").wait_for()
    looked_at(page, "nobody", tmp_path)
    assert "nobody-1" in text_of(page)
    assert page.locator(LINKS).count() == 0
    leave(page, practice)
    assert [action for action, _, _ in practice.noted("nobody-1")] == [
        "signed_in",
        "role_refused",
        "signed_out",
    ]


def test_who_clicked_a_link_to_a_case_comes_to_it_after_signing_in_and_an_unattended_one_clears(
    practice: Practice, visit, tmp_path: Path
) -> None:
    page = visit()
    page.clock.install()
    come_in(page, practice, "idler-1", f"/case?case={practice.own_case}")
    page.get_by_role("heading", name=f"Case {practice.own_case}").wait_for()
    page.get_by_role("heading", name="Why it is here").wait_for()
    half_an_hour_ago = datetime.now(UTC) - timedelta(minutes=31)
    practice.ask(
        update(SIGN_INS)
        .where(SIGN_INS.c.user_id == "idler-1", SIGN_INS.c.ended_at.is_(None))
        .values(last_seen_at=half_an_hour_ago)
    )
    half_a_minute_passes(page)  # nobody touches it
    page.get_by_text("ended after 30 minutes without a click").wait_for()
    looked_at(page, "idle", tmp_path)
    assert practice.own_case not in text_of(page)
    assert ("timed_out", None, "sign-in idle") in practice.noted("idler-1")


def test_who_is_refused_in_the_settings_loses_an_open_case_in_half_a_minute(
    practice: Practice, visit
) -> None:
    page = visit()
    page.clock.install()
    come_in(page, practice, "leaver-1", f"/case?case={practice.own_case}")
    page.get_by_role("heading", name="Why it is here").wait_for()
    settings = practice.home / "unstuck.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'{text}refused = ["leaver-1"]\n', encoding="utf-8")
    half_a_minute_passes(page)
    page.get_by_role("heading", name="No role here yet").wait_for()
    assert practice.own_case not in text_of(page)
    settings.write_text(text, encoding="utf-8")


def test_signing_out_in_one_tab_ends_the_other(practice: Practice, visit) -> None:
    first = visit()
    come_in(first, practice, "manager-1")
    second = first.context.new_page()
    second.clock.install()
    second.set_default_timeout(MILLISECONDS)
    second.goto(practice.address)
    second.get_by_role("heading", name="Practice trends").wait_for()
    settled(second)
    leave(first, practice)
    half_a_minute_passes(second)
    second.get_by_text("has ended and cannot be used again").wait_for()


def test_the_running_server_refuses_what_the_screens_do_not_need(practice: Practice) -> None:
    port = int(practice.address.rpartition(":")[2])

    def asked(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}

    assert asked("/_stcore/health")[0] == 200
    for path in ("/_stcore/metrics", "/%5Fstcore/metrics", "//_stcore/metrics", "/component/x",
                 "/_stcore/agent/openapi.json", "/_stcore/script-health-check"):  # fmt: skip
        assert asked(path)[0] == 404, path
    assert asked("/_stcore/upload_file/a/b", "PUT")[0] == 405
    assert asked("/media/anything.pdf")[0] == 403
    assert asked("/", Host="evil.example")[0] == 421
    headers = asked("/")[1]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_client_secret_is_in_no_argument_variable_or_log(
    practice: Practice, client_secret: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = practice.address.rpartition(":")[2]
    ours = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes()
            if b"guarded_server.py" in arguments and port.encode() in arguments:
                ours.append(arguments + (folder / "environ").read_bytes())
        except OSError:
            continue
    if os.name == "posix" and Path("/proc/self").exists():
        assert ours
    assert all(client_secret.encode() not in told for told in ours)
    logs = [path.read_bytes() for path in tmp_path_factory.getbasetemp().rglob("*.log")]
    assert logs
    assert all(client_secret.encode() not in log for log in logs)
    assert client_secret not in (practice.home / "unstuck.toml").read_text(encoding="utf-8")
