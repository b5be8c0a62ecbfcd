"""After signing in people come to the screen whose address they had opened, and nowhere else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.types import Message, Receive, Scope, Send

from dashboard.way_back import COOKIE, WayBack, screen_address


async def streamlit_itself(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for Streamlit: pages, a file, and the way back from the provider."""
    answer: Any = HTMLResponse("<html></html>")
    if scope["path"] == "/oauth2callback":
        answer = RedirectResponse("/", status_code=302)
    elif scope["path"] == "/auth/logout":
        answer = RedirectResponse("https://login.example.org/logout")
    elif scope["path"].startswith("/static"):
        answer = PlainTextResponse("a script")
    await answer(scope, receive, send)


def asked(path: str, cookie: str = "") -> Headers:
    bare, _, query = path.partition("?")
    answered: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": bare,
        "query_string": query.encode(),
        "headers": [(b"cookie", cookie.encode())],
    }
    asyncio.run(WayBack(streamlit_itself)(scope, receive, send))
    return Headers(raw=answered[0]["headers"])


def test_who_opened_a_case_comes_to_it_after_signing_in() -> None:
    kept = asked("/case?case=C-00012&role=supervisor")["set-cookie"]
    cookie, *attributes = kept.split("; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} == set(attributes)
    back = asked("/oauth2callback?code=1&state=2", f"other=1; {cookie}")
    assert back["location"] == "/case?case=C-00012&role=supervisor"
    assert back["set-cookie"].startswith(f"{COOKIE}=;")
    assert "Max-Age=0" in back["set-cookie"]


def test_who_opened_the_bare_address_comes_to_the_first_screen() -> None:
    assert "Max-Age=0" in asked("/")["set-cookie"], "what was asked for before is forgotten"
    assert asked("/oauth2callback")["location"] == "/"


def test_signing_out_forgets_what_was_asked_for() -> None:
    answer = asked("/auth/logout", f"{COOKIE}=%2Fcase%3Fcase%3DC-00012")
    assert answer["location"] == "https://login.example.org/logout"
    assert "Max-Age=0" in answer["set-cookie"]


def test_only_pages_are_remembered() -> None:
    assert "set-cookie" not in asked("/static/index.js")


@pytest.mark.parametrize(
    "planted",
    [
        "https://evil.example/case", "//evil.example", "/\\evil.example", "%2F%2Fevil.example",
        "javascript:1", "http://[", "/../case", "/case/x", "/auth/logout", "/oauth2callback",
    ],
)  # fmt: skip
def test_a_planted_cookie_leads_to_no_other_site(planted: str) -> None:
    assert screen_address(planted) == ""
    assert asked("/oauth2callback", f"{COOKIE}={planted}")["location"] == "/"


def test_what_does_not_belong_to_an_address_of_ours_is_not_kept() -> None:
    assert screen_address("/case?case=C-1&name=Anna+Example#x") == "/case?case=C-1"
    assert screen_address(f"/case?case={'x' * 101}") == "/case"
    assert screen_address("/case?case=a%0d%0aSet-Cookie:+b") == "/case?case=a%0D%0ASet-Cookie%3A+b"
