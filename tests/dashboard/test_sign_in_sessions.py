"""A sign-in begins once, ends for ever, and a copy of its cookie is worth nothing afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from dashboard.sign_in_sessions import FRESH, Standing, Token, admit, end, left, stay, token_of
from dashboard.workspace_store import workspace
from data_contracts.errors import WorkspaceError
from data_contracts.places import Places
from data_contracts.settings import Settings, SignIn
from data_contracts.workspace_tables import SIGN_INS

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RULES = SignIn(
    provider="https://login.example.org",
    client_id="unstuck",
    address="https://unstuck.example.org",
    idle_minutes=30,
    session_hours=12,
)
MINUTE = timedelta(minutes=1)


def claims(**more: Any) -> dict[str, Any]:
    issued = int(NOW.timestamp())
    return {
        "iss": "https://login.example.org",
        "sub": "user-1",
        "aud": "unstuck",
        "iat": issued,
        "exp": issued + 300,
        "nonce": "drawn-for-this-login",
        **more,
    }


def token(**more: Any) -> Token:
    found = token_of(claims(**more))
    assert found is not None
    return found


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = workspace(Places.at(tmp_path), Settings())
    yield found
    found.dispose()


def admitted(
    engine: Engine, at: datetime, *, by_hand: bool = True, login: Token | None = None
) -> Standing:
    return admit(engine, login or token(), "user-1", RULES, now=at, by_hand=by_hand)


def test_a_new_token_begins_a_sign_in_and_holds(engine: Engine) -> None:
    assert admitted(engine, NOW) == "begun"
    assert admitted(engine, NOW + MINUTE) == "live"
    held = left(engine, token(), RULES, now=NOW + MINUTE)
    assert held is not None
    assert held.can_be_longer


def test_after_a_logout_the_same_cookie_is_refused_for_ever(engine: Engine) -> None:
    admitted(engine, NOW)
    end(engine, token(), "signed_out", now=NOW + MINUTE)
    for later in (MINUTE, timedelta(hours=1), timedelta(days=29)):
        assert admitted(engine, NOW + later) == "ended"
    assert left(engine, token(), RULES, now=NOW + MINUTE) is None


def test_a_new_login_after_a_logout_is_another_sign_in_even_within_the_same_second(
    engine: Engine,
) -> None:
    admitted(engine, NOW)
    end(engine, token(), "signed_out", now=NOW)
    assert admitted(engine, NOW, login=token(nonce="drawn-for-the-next")) == "begun"
    assert admitted(engine, NOW) == "ended"


def test_a_signing_out_ends_this_login_only(engine: Engine) -> None:
    elsewhere = token(nonce="on-another-machine")
    admitted(engine, NOW)
    admitted(engine, NOW, login=elsewhere)
    end(engine, token(), "signed_out", now=NOW)
    assert admitted(engine, NOW, login=elsewhere) == "live"


def test_an_old_token_without_a_row_begins_nothing(engine: Engine) -> None:
    assert admitted(engine, NOW + FRESH) == "begun"
    late = token(nonce="shown-too-late")
    assert admitted(engine, NOW + FRESH + MINUTE, login=late) == "stale"
    assert left(engine, late, RULES, now=NOW) is None


def test_a_token_from_the_future_begins_nothing(engine: Engine) -> None:
    assert admitted(engine, NOW - 3 * MINUTE) == "stale"
    assert admitted(engine, NOW - MINUTE) == "begun"  # clocks differ a little


def test_idleness_ends_a_sign_in_and_a_click_afterwards_does_not_wake_it(engine: Engine) -> None:
    admitted(engine, NOW)
    assert admitted(engine, NOW + 30 * MINUTE) == "live"
    assert admitted(engine, NOW + 61 * MINUTE) == "idle"
    assert admitted(engine, NOW + 61 * MINUTE) == "ended"


def test_a_screen_that_draws_itself_anew_is_no_sign_of_life(engine: Engine) -> None:
    admitted(engine, NOW)
    assert admitted(engine, NOW + 29 * MINUTE, by_hand=False) == "live"
    assert admitted(engine, NOW + 31 * MINUTE) == "idle"


def test_nobody_stays_longer_than_the_longest_session_however_busy(engine: Engine) -> None:
    admitted(engine, NOW)
    for minutes in range(20, 12 * 60, 20):
        assert admitted(engine, NOW + minutes * MINUTE) == "live"
    held = left(engine, token(), RULES, now=NOW + timedelta(hours=11, minutes=50))
    assert held is not None
    assert held.time == 10 * MINUTE
    assert not held.can_be_longer
    assert admitted(engine, NOW + timedelta(hours=12, seconds=1)) == "too_long"


def test_the_last_click_is_written_once_a_minute_at_most(engine: Engine) -> None:
    admitted(engine, NOW)
    seen = []
    for seconds in (1, 59, 60, 61, 119, 120):
        admitted(engine, NOW + timedelta(seconds=seconds))
        with engine.connect() as connection:
            seen.append(connection.execute(select(SIGN_INS.c.last_seen_at)).scalar_one())
    assert seen == [NOW, NOW, NOW + MINUTE, NOW + MINUTE, NOW + MINUTE, NOW + 2 * MINUTE]


def test_staying_needs_a_sign_in_that_is_open(engine: Engine) -> None:
    admitted(engine, NOW)
    stay(engine, token(), now=NOW + 20 * MINUTE)
    assert left(engine, token(), RULES, now=NOW + 45 * MINUTE) is not None
    end(engine, token(), "signed_out", now=NOW + 46 * MINUTE)
    stay(engine, token(), now=NOW + 47 * MINUTE)
    assert left(engine, token(), RULES, now=NOW + 47 * MINUTE) is None


def test_tabs_that_open_at_once_share_one_sign_in(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as tabs:
        standings = list(tabs.map(lambda _: admitted(engine, NOW), range(8)))
    assert sorted(standings) == ["begun", *["live"] * 7]


@pytest.mark.parametrize("left_out", ["iss", "sub", "iat", "nonce"])
def test_a_token_that_cannot_be_told_from_a_copy_is_none(left_out: str) -> None:
    some = claims()
    del some[left_out]
    assert token_of(some) is None


@pytest.mark.parametrize("iat", [True, "1795421234", None, 10**30, [1]])
def test_a_time_of_issue_of_another_kind_is_none(iat: object) -> None:
    assert token_of(claims(iat=iat)) is None


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "nonce"])
def test_every_part_that_tells_logins_apart_counts(name: str) -> None:
    assert token(**{name: "another" if name != "exp" else 1}).sign_in_id != token().sign_in_id


def test_a_store_that_cannot_be_asked_lets_nobody_in(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("drop table sign_ins")
    with pytest.raises(WorkspaceError):
        admitted(engine, NOW)
