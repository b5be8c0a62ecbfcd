"""The screens with sign-in, as Streamlit runs them; who is logged in is put in its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard import reviews, sign_in
from dashboard.reading import current_snapshot
from dashboard.scope import Scope
from dashboard.sign_in import DRAWN_BY_ITSELF
from dashboard.sign_in_sessions import admit, end, token_of
from dashboard.viewer import Viewer
from dashboard.visit import Visit
from dashboard.workspace_store import workspace
from data_contracts.errors import NotAvailableError
from data_contracts.places import Places
from data_contracts.settings import Settings, settings_of
from data_contracts.workspace_tables import AUDIT_EVENTS, SIGN_INS

APP = Path(dashboard.__file__).parent / "app.py"
SECONDS = 30
SETTINGS = """
[sign_in]
provider = "https://login.example.org/.well-known/openid-configuration"
client_id = "unstuck"
address = "https://unstuck.example.org"
role_claim = "groups"
supervisor_values = ["sup"]
manager_values = ["man"]
analyst_values = ["ana"]
supervisor_claim = "sid"
"""
LOGINS = count()


def login(**more: Any) -> dict[str, Any]:
    """Return the claims of somebody who has just logged in."""
    issued = int(datetime.now(UTC).timestamp())
    return {
        "is_logged_in": True,
        "iss": "https://login.example.org",
        "sub": "user-1",
        "name": "Somebody",
        "aud": "unstuck",
        "iat": issued,
        "exp": issued + 300,
        "nonce": f"login-{next(LOGINS)}",
        **more,
    }


@pytest.fixture
def home(own_practice: Places) -> Places:
    own_practice.settings.write_text(SETTINGS, encoding="utf-8")
    (own_practice.home / "workspace.sqlite").unlink(missing_ok=True)
    return own_practice


@pytest.fixture(autouse=True)
def _full_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_CLIENT_SHOW_ERROR_DETAILS", "full")


@pytest.fixture
def open_as(home: Places, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Return what opens a screen for the bearer of these claims."""
    monkeypatch.setenv("UNSTUCK_HOME", str(home.home))

    def opened(claims: dict[str, Any], screen: str = "", **query: str) -> AppTest:
        monkeypatch.setattr(sign_in, "claims_of_visitor", lambda: claims)
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        for name, value in query.items():
            test.query_params[name] = value
        if screen:
            test._page_hash = calc_hash(screen)
        test.run()
        assert not test.exception, test.exception
        return test

    return opened


def said(test: AppTest) -> str:
    parts = [*test.title, *test.header, *test.markdown, *test.info, *test.error, *test.warning]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def store(home: Places) -> Engine:
    return workspace(home, Settings())


def noted(home: Places) -> list[tuple[str, str, str | None, str]]:
    asked = select(
        AUDIT_EVENTS.c.action, AUDIT_EVENTS.c.user_id, AUDIT_EVENTS.c.case_id, AUDIT_EVENTS.c.detail
    ).order_by(AUDIT_EVENTS.c.noted_at)
    with store(home).connect() as connection:
        return [tuple(row) for row in connection.execute(asked)]


def test_who_is_not_signed_in_sees_a_way_in_and_nothing_else(home: Places, open_as) -> None:
    for screen in ("", "queue", "case", "trends"):
        test = open_as({}, screen, role="supervisor", supervisor="S-01", case="C-008")
        assert [button.label for button in test.button] == ["Sign in"]
        assert "Sign in to see" in said(test)
        assert not test.error
        assert not test.selectbox
        assert "Invented practice" not in said(test)
    assert noted(home) == []


def test_a_supervisor_starts_with_the_queue_of_their_own_therapists(home: Places, open_as) -> None:
    test = open_as(login(groups=["sup"], sid="S-01"))
    assert "Supervision queue" in said(test)
    assert "of your 4 therapists" in said(test)
    assert "Somebody" in said(test)
    assert not test.selectbox, "no switch of roles for somebody with one role"
    assert noted(home) == [
        ("signed_in", "user-1", None, ""),
        ("list_viewed", "user-1", None, "queue"),
    ]


@pytest.mark.parametrize(("group", "first"), [("man", "Practice trends"), ("ana", "Runs")])
def test_managers_and_analysts_start_with_their_own_screen(
    home: Places, open_as, group: str, first: str
) -> None:
    assert first in said(open_as(login(groups=[group])))


def test_a_role_in_the_address_gives_nobody_a_role(home: Places, open_as) -> None:
    test = open_as(login(groups=["man"]), role="supervisor", supervisor="S-01")
    assert "Practice trends" in said(test)
    assert ("role_refused", "user-1", None, "a role not theirs") in noted(home)


def test_who_has_two_roles_chooses_between_these(home: Places, open_as) -> None:
    test = open_as(login(groups=["sup", "man"], sid="S-02"))
    assert test.selectbox(key="role").options == ["supervisor", "manager"]
    test.selectbox(key="role").set_value("manager").run()
    assert "Practice trends" in said(test)
    assert "Supervision queue" not in said(test)


def test_a_person_without_a_role_is_told_so_and_what_to_do(home: Places, open_as) -> None:
    test = open_as(login(groups=["other"]))
    assert "No role here yet" in said(test)
    assert "Ask whoever runs unstuck" in said(test)
    assert [button.label for button in test.button] == ["Sign out"]
    test.run()
    assert [action for action, *_ in noted(home)] == ["signed_in", "role_refused"]


def test_a_provider_that_names_nobody_is_told_of(home: Places, open_as) -> None:
    home.settings.write_text(SETTINGS + 'user_claim = "email"\n', encoding="utf-8")
    test = open_as(login(groups=["sup"], email="a@b.example", email_verified=False))
    assert "did not say who you are" in said(test)


def test_a_case_is_in_the_log_before_it_is_drawn(home: Places, open_as) -> None:
    test = open_as(login(groups=["sup"], sid="S-01"), "case", case="C-008")
    assert "Why it is here" in said(test)
    test.run()
    views = [row for row in noted(home) if row[0] == "case_viewed"]
    assert views == [("case_viewed", "user-1", "C-008", "")], "one view, however often it is drawn"


def test_a_case_that_cannot_be_logged_is_not_drawn(
    home: Places, open_as, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store(home).begin() as connection:
        connection.exec_driver_sql("drop table audit_events")
    home.settings.write_text("", encoding="utf-8")  # the demo: nothing was logged up to the case
    monkeypatch.setattr("dashboard.viewer.is_loopback", lambda _address: True)
    test = open_as({}, "case", role="supervisor", supervisor="S-01", case="C-008")
    assert "workspace store" in said(test)
    assert "Why it is here" not in said(test)
    assert "PHQ-9" not in said(test)


def test_another_supervisor_s_case_by_address_is_refused_and_logged(home: Places, open_as) -> None:
    test = open_as(login(groups=["sup"], sid="S-02"), "case")
    for case_id in ("C-008", "C-008", "Anna Example"):
        test.query_params["case"] = case_id
        test.run()
        assert "Why it is here" not in said(test)
    refused = [row for row in noted(home) if row[0] == "case_refused"]
    assert refused == [
        ("case_refused", "user-1", "C-008", "outside scope"),
        ("case_refused", "user-1", None, "no case of this id"),
    ], "what was typed and is no id is not kept: it could be a name"


@pytest.mark.parametrize("group", ["man", "ana"])
def test_a_case_asked_for_by_a_role_without_cases_is_logged(
    home: Places, open_as, group: str
) -> None:
    test = open_as(login(groups=[group]), "case", case="C-008")
    assert "Cases are shown to supervisors only" in said(test)
    assert ("case_refused", "user-1", None, "this role sees no case") in noted(home)


def test_after_signing_out_the_same_login_is_refused_in_words(home: Places, open_as) -> None:
    claims = login(groups=["sup"], sid="S-01")
    test = open_as(claims)
    test.button(key="sign_out").click().run()
    assert "Supervision queue" not in said(test)
    again = open_as(claims)
    assert "has ended and cannot be used again" in said(again)
    assert [button.label for button in again.button] == ["Sign in"]
    again.run()
    assert [action for action, *_ in noted(home)] == [
        "signed_in",
        "list_viewed",
        "signed_out",
        "replay_refused",
    ]


def make_idle(home: Places, minutes: float) -> None:
    with store(home).begin() as connection:
        seen = datetime.now(UTC) - timedelta(minutes=minutes)
        connection.execute(update(SIGN_INS).values(last_seen_at=seen, started_at=seen))


def test_half_an_hour_without_a_click_ends_the_sign_in(home: Places, open_as) -> None:
    claims = login(groups=["sup"], sid="S-01")
    test = open_as(claims)
    make_idle(home, 31)
    test.run()
    assert "ended after 30 minutes without a click" in said(test)
    assert "Supervision queue" not in said(test)
    assert ("timed_out", "user-1", None, "sign-in idle") in noted(home)


def test_a_decision_that_the_end_of_a_sign_in_cut_off_is_named(home: Places, open_as) -> None:
    test = open_as(login(groups=["sup"], sid="S-01"), "case", case="C-008")
    form = next(pills for pills in test.pills if pills.key.endswith("decision"))
    form.set_value("discussed").run()
    make_idle(home, 31)
    next(button for button in test.button if button.label == "Save").click().run()
    assert "ended after 30 minutes without a click" in said(test)
    assert "A decision was not saved: C-008." in said(test)
    assert "iscussed" not in said(test), "what was chosen is not for an unattended screen"
    assert reviews.history(store(home), "C-008") == []


def test_a_warning_comes_before_and_a_click_prolongs_the_sign_in(home: Places, open_as) -> None:
    test = open_as(login(groups=["man"]))
    make_idle(home, 28)
    test.session_state[DRAWN_BY_ITSELF] = True
    test.run()
    assert "You will be signed out within minutes" in said(test)
    test.button(key="stay").click().run()
    assert "You will be signed out" not in said(test)


def test_a_cookie_from_before_without_a_sign_in_begins_nothing(home: Places, open_as) -> None:
    claims = login(groups=["sup"], sid="S-01")
    test = open_as({**claims, "iat": claims["iat"] - 3600})
    assert "not begun just now" in said(test)
    assert [row[0] for row in noted(home)] == ["replay_refused"]


def test_a_role_taken_away_in_the_settings_is_gone_at_the_next_click(home: Places, open_as) -> None:
    test = open_as(login(groups=["sup"], sid="S-01"))
    home.settings.write_text(SETTINGS + 'refused = ["USER-1"]\n', encoding="utf-8")
    test.run()
    assert "No role here yet" in said(test)


def test_screens_started_without_the_secret_do_not_fall_back_to_the_switch(
    home: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSTUCK_HOME", str(home.home))
    monkeypatch.setattr("dashboard.viewer.is_loopback", lambda _address: True)
    test = AppTest.from_file(str(APP), default_timeout=SECONDS)
    test.query_params["role"] = "supervisor"
    test.run()
    assert "started without it" in said(test)
    assert not test.selectbox
    with pytest.raises(NotAvailableError):
        sign_in.claims_of_visitor()


def test_a_stranger_is_told_no_path_when_the_store_is_broken(
    home: Places, open_as, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.viewer.is_loopback", lambda _address: False)
    with store(home).begin() as connection:
        connection.exec_driver_sql("drop table sign_ins")
    test = open_as(login(groups=["sup"], sid="S-01"))
    assert "cannot be shown now" in said(test)
    assert str(home.home) not in said(test)


@pytest.mark.parametrize(
    ("screen", "named"), [("queue", "queue"), ("caseload", "caseload of T-001")]
)
def test_a_list_is_in_the_log_once_a_visit_and_not_drawn_where_it_cannot_be(
    home: Places, open_as, screen: str, named: str
) -> None:
    heading = {"queue": "open cases", "caseload": "Cases now"}[screen]
    test = open_as(login(groups=["sup"], sid="S-01"), screen)
    assert heading in said(test)
    test.run()
    views = [row for row in noted(home) if row[0] == "list_viewed"]
    assert views == [("list_viewed", "user-1", None, named)], "one view, however often it is drawn"

    with store(home).begin() as connection:
        connection.exec_driver_sql("drop table audit_events")
    home.settings.write_text("", encoding="utf-8")  # the demo: nothing is logged up to the list
    other = open_as({}, screen, role="supervisor", supervisor="S-01")
    assert "workspace store" in said(other)
    assert heading not in said(other)
    assert "C-0" not in said(other)


def test_a_list_seen_again_after_another_screen_is_a_view_of_its_own(home: Places, open_as) -> None:
    test = open_as(login(groups=["sup"], sid="S-01"), "queue")
    for screen in ("trends", "queue"):
        test._page_hash = calc_hash(screen)
        test.run()
    assert [row[0] for row in noted(home)] == ["signed_in", "list_viewed", "list_viewed"]


def test_without_sign_in_views_are_logged_under_the_role_that_was_chosen(
    home: Places, open_as, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.settings.write_text("", encoding="utf-8")
    monkeypatch.setattr("dashboard.viewer.is_loopback", lambda _address: True)
    test = open_as({}, "case", role="supervisor", supervisor="S-01", case="C-008")
    assert "Why it is here" in said(test)
    assert noted(home) == [("case_viewed", "demo-supervisor S-01", "C-008", "")]


def a_visit(home: Places, viewer: Viewer) -> Visit:
    nothing: Any = None
    return Visit(
        places=home,
        snapshot=current_snapshot(home),
        viewer=viewer,
        settings=settings_of(home),
        run={},
        case_page=nothing,
        queue_page=nothing,
        head=nothing,
    )


def a_manager() -> Viewer:
    claims = login(groups=["man"])
    return Viewer(
        user_id="user-1", scope=Scope(role="manager"), token=token_of(claims), claims=claims
    )


def test_what_runs_without_the_front_door_can_ask_whether_the_sign_in_holds(home: Places) -> None:
    signed_in = a_visit(home, a_manager())
    token, settings, now = signed_in.viewer.token, signed_in.settings, datetime.now(UTC)
    assert token is not None
    assert not signed_in.still_signed_in()
    admit(store(home), token, "user-1", settings.sign_in, now=now, by_hand=True)
    assert signed_in.still_signed_in()
    end(store(home), token, "signed_out", now=now)
    assert not signed_in.still_signed_in()
    demo = Viewer(user_id="demo-manager", scope=Scope(role="manager"))
    assert not a_visit(home, demo).still_signed_in()


def test_a_fragment_that_somebody_used_is_a_sign_of_life_once_a_minute(
    home: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = a_visit(home, a_manager())
    token, now = visit.viewer.token, datetime.now(UTC)
    assert token is not None
    admit(store(home), token, "user-1", visit.settings.sign_in, now=now, by_hand=True)
    run = SimpleNamespace(fragment_ids_this_run=[])
    monkeypatch.setattr("dashboard.visit.get_script_run_ctx", lambda: run)

    def seen() -> datetime:
        with store(home).connect() as connection:
            return connection.execute(select(SIGN_INS.c.last_seen_at)).scalar_one()

    make_idle(home, 25)
    then = seen()
    assert visit.still_here()
    assert seen() == then, "a run of the whole script was counted by app.py, or was no click"
    run.fragment_ids_this_run = ["the form of a review"]
    assert visit.still_here()
    first = seen()
    assert first >= now
    assert visit.still_here()
    assert seen() == first, "not written again within a minute"


def test_a_fragment_draws_nothing_more_once_the_scope_changed(home: Places) -> None:
    claims = login(groups=["sup"], sid="S-01")
    token, now = token_of(claims), datetime.now(UTC)
    assert token is not None
    own = Scope(
        role="supervisor",
        supervisor_id="S-01",
        therapist_ids=tuple(f"T-00{number}" for number in range(1, 5)),
    )
    visit = a_visit(home, Viewer(user_id="user-1", scope=own, token=token, claims=claims))
    admit(store(home), token, "user-1", visit.settings.sign_in, now=now, by_hand=True)
    assert visit.still_here()
    given_away = SETTINGS + '[roles.supervisors]\n"S-02" = ["T-001"]\n'
    home.settings.write_text(given_away, encoding="utf-8")
    assert not visit.still_here()
    assert visit.still_signed_in()
