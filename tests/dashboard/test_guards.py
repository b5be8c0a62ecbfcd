"""What the network gets to see of Streamlit, and with which headers.

Asked as a server asks (ASGI); tests/journey asks the running server the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from dashboard.guards import Guards, hashes_of_scripts
from dashboard.sign_in_cookie import may_download
from dashboard.sign_in_secrets import streamlit_secrets
from dashboard.sign_in_sessions import admit, end, token_of
from dashboard.workspace_store import workspace
from data_contracts.client_secret import SECRET_VARIABLE
from data_contracts.errors import ContractError
from data_contracts.places import Places
from data_contracts.settings import Settings, SignedInUser, SignIn

PUBLIC = "https://unstuck.example.org"
PAGE = (files("streamlit") / "static" / "index.html").read_text(encoding="utf-8")
SECRET = "between-us"  # noqa: S105 - invented
HALF_A_DAY, A_MONTH = 12 * 3600, 30 * 24 * 3600


async def streamlit_itself(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for Streamlit: answer everything, with a login cookie as it sets one."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    answer = PlainTextResponse(f"reached {scope['path']}")
    answer.set_cookie("_streamlit_user", "signed", max_age=A_MONTH, httponly=True)
    answer.set_cookie("_streamlit_xsrf", "token")
    await answer(scope, receive, send)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    text: str


@dataclass(frozen=True)
class Client:
    """Asks the guards as uvicorn would."""

    address: str = PUBLIC
    may_download: bool = True

    def asked(self, kind: str, path: str, method: str, sent: dict[str, str]) -> list[Message]:
        host = urlsplit(self.address or "http://127.0.0.1:8501").netloc
        headers = {"host": host, **sent}
        scope = {
            "type": kind,
            "method": method,
            "path": unquote(path),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        guards = Guards(
            streamlit_itself,
            address=self.address,
            cookie_seconds=HALF_A_DAY,
            may_download=lambda _headers: self.may_download,
            page=PAGE,
        )
        answered: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

        async def send(message: Message) -> None:
            answered.append(message)

        asyncio.run(guards(scope, receive, send))
        return answered

    def get(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
    ) -> Answer:
        start, *body = self.asked("http", path, method, headers or {})
        return Answer(
            start["status"],
            Headers(raw=start["headers"]),
            b"".join(part.get("body", b"") for part in body).decode(),
        )

    def connected(self, origin: str) -> bool:
        answered = self.asked("websocket", "/_stcore/stream", "GET", {"origin": origin})
        return [message["type"] for message in answered] == ["websocket.accept"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/queue",
        "/case",
        "/static/js/index.js",
        "/_stcore/health",
        "/_stcore/host-config",
        "/auth/login",
        "/auth/logout",
        "/oauth2callback",
        "/favicon.png",
    ],
)
def test_what_the_screens_need_is_reached(path: str) -> None:
    assert Client().get(path).text == f"reached {path}"


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/%5Fstcore/metrics",
        "//_stcore//metrics",
        "/_stcore/metrics/",
        "/_stcore/script-health-check",
        "/_stcore/upload_file/session/file",
        "/_stcore/agent/openapi.json",
        "/_stcore/agent/mcp",
        "/_stcore/bidi-components/x/y",
        "/_stcore/whatever-a-later-streamlit-adds",
        "/component/x/index.html",
        "/app/static/file",
    ],
)
def test_everything_else_of_streamlit_s_own_is_not_there(path: str) -> None:
    assert Client().get(path).status == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/_stcore/upload_file/session/file", "/media/file"])
def test_nothing_can_be_sent_in(method: str, path: str) -> None:
    assert Client().get(path, method=method).status == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "unstuck.example.org.evil.example", "", "127.0.0.1.evil.example"]
)
def test_another_host_name_is_refused_by_every_path(host: str) -> None:
    for path in ("/", "/_stcore/health", "/media/file"):
        assert Client().get(path, headers={"host": host}).status == 421


def test_the_machine_s_own_names_are_let_in_for_health_checks() -> None:
    for host in ("127.0.0.1:8501", "localhost:8501", "unstuck.example.org", "UNSTUCK.example.org."):
        assert Client().get("/_stcore/health", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    ("address", "origin", "is_let_in"),
    [
        (PUBLIC, PUBLIC, True),
        (PUBLIC, "http://unstuck.example.org", False),
        (PUBLIC, "https://evil.example", False),
        (PUBLIC, "null", False),
        ("", "http://127.0.0.1:8501", True),
        ("", "http://127.0.0.1:9999", False),
        ("", "http://evil.example", False),
    ],
)
def test_a_page_of_another_site_opens_no_connection(
    address: str, origin: str, is_let_in: bool
) -> None:
    asking = Client(address)
    assert asking.connected(origin) is is_let_in
    assert asking.get("/", headers={"origin": origin}).status == (200 if is_let_in else 421)


def test_every_answer_carries_the_headers_that_streamlit_leaves_out() -> None:
    for path in ("/", "/_stcore/metrics", "/media/file"):
        headers = Client().get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"] == "max-age=31536000"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "connect-src 'self' wss://unstuck.example.org;" in policy
    assert Client().get("/media/file").headers["cache-control"] == "no-store"


def test_without_tls_nothing_says_that_there_is() -> None:
    answer = Client("").get("/")
    assert "strict-transport-security" not in answer.headers
    assert "wss:" not in answer.headers["content-security-policy"]
    assert all("secure" not in cookie.lower() for cookie in answer.headers.getlist("set-cookie"))


def test_cookies_live_no_longer_than_a_sign_in_and_go_over_tls_alone() -> None:
    login, xsrf = Client().get("/").headers.getlist("set-cookie")
    assert f"Max-Age={HALF_A_DAY}" in login
    assert login.endswith("; Secure")
    assert "HttpOnly" in login
    assert "Max-Age" not in xsrf
    assert xsrf.endswith("; Secure")


def test_the_script_written_into_the_page_is_let_through_by_its_hash() -> None:
    # Held against what Chromium asked for: THxz9J9+... is what it computed for Streamlit 1.67.
    assert hashes_of_scripts("<script>\n      window.prerenderReady = false\n    </script>") == [
        "sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA="
    ]
    assert hashes_of_scripts('<script src="x.js"></script>') == []
    policy = Client().get("/").headers["content-security-policy"]
    assert all(found in policy for found in hashes_of_scripts(PAGE))


def test_a_download_is_given_to_nobody_who_is_not_signed_in() -> None:
    for path in ("/media/file.pdf", "//media/file.pdf", "/%6dedia/file.pdf"):
        assert Client(may_download=False).get(path).status == 403
        assert Client(may_download=True).get(path).status == 200


# --- Who may download ----------------------------------------------------------------------------

RULES = SignIn(
    provider="https://login.example.org",
    client_id="unstuck",
    address=PUBLIC,
    users={"user-1": SignedInUser(roles=["manager"])},
)
SETTINGS = Settings(sign_in=RULES)
WRITTEN = f"""
[sign_in]
provider = "https://login.example.org"
client_id = "unstuck"
address = "{PUBLIC}"
users = {{ user-1 = {{ roles = ["manager"] }} }}
"""


def claims(**more: Any) -> dict[str, Any]:
    issued = int(datetime.now(UTC).timestamp())
    return {"iss": "i", "sub": "user-1", "aud": "a", "iat": issued, "exp": 0, "nonce": "n", **more}


def cookie(content: dict[str, Any]) -> Headers:
    signed = create_signed_value(get_cookie_secret(), USER_COOKIE_NAME, json.dumps(content))
    return Headers({"cookie": f"other=1; {USER_COOKIE_NAME}={signed.decode()}"})


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    found = Places.at(tmp_path)
    found.settings.write_text(WRITTEN, encoding="utf-8")
    yield found
    workspace(found, SETTINGS).dispose()


def test_a_download_needs_a_sign_in_that_is_open(places: Places) -> None:
    own = claims()
    token = token_of(own)
    assert token is not None
    engine, now = workspace(places, SETTINGS), datetime.now(UTC)
    assert not may_download(places, RULES, cookie(own))
    admit(engine, token, "user-1", RULES, now=now, by_hand=True)
    assert may_download(places, RULES, cookie(own))
    end(engine, token, "signed_out", now=now)
    assert not may_download(places, RULES, cookie(own))


@pytest.mark.parametrize(
    "settings",
    [f'{WRITTEN}refused = ["USER-1"]', WRITTEN.replace("manager", ""), "", "no settings at all ["],
)
def test_a_download_is_refused_once_the_settings_say_so(places: Places, settings: str) -> None:
    own = claims()
    token = token_of(own)
    assert token is not None
    admit(workspace(places, SETTINGS), token, "user-1", RULES, now=datetime.now(UTC), by_hand=True)
    assert may_download(places, RULES, cookie(own))
    places.settings.write_text(settings.replace('[""]', "[]"), encoding="utf-8")
    assert not may_download(places, RULES, cookie(own))


def test_a_download_needs_a_role(places: Places) -> None:
    own = claims(sub="user-2")
    token = token_of(own)
    assert token is not None
    engine = workspace(places, SETTINGS)
    admit(engine, token, "user-2", RULES, now=datetime.now(UTC), by_hand=True)
    assert not may_download(places, RULES, cookie(own))


@pytest.mark.parametrize(
    "sent", ["", f"{USER_COOKIE_NAME}=", f"{USER_COOKIE_NAME}=eyJhIjoxfQ.x.y", "\x00;=;"]
)
def test_a_cookie_that_is_not_ours_counts_for_nothing(places: Places, sent: str) -> None:
    assert not may_download(places, RULES, Headers({"cookie": sent}))


def test_without_sign_in_everybody_on_the_machine_may_download(places: Places) -> None:
    places.settings.unlink()
    assert may_download(places, SignIn(), Headers({}))


# --- The client secret ---------------------------------------------------------------------------


def test_without_sign_in_streamlit_is_told_nothing(tmp_path: Path) -> None:
    assert streamlit_secrets(Places.at(tmp_path), SignIn()) == {}


def test_the_secret_comes_from_its_file_and_stands_in_no_setting(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    rules = RULES.model_copy(update={"client_secret_file": "secret"})
    told: Any = streamlit_secrets(Places.at(tmp_path), rules)["auth"]
    assert told["client_secret"] == SECRET
    assert told["redirect_uri"] == f"{PUBLIC}/oauth2callback"
    assert SECRET not in repr(rules)


def test_the_secret_may_come_from_a_variable(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    told: Any = streamlit_secrets(Places.at(tmp_path), RULES)["auth"]
    assert told["client_secret"] == SECRET


def test_every_start_signs_cookies_with_another_key(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "x")
    keys = {
        str(streamlit_secrets(Places.at(tmp_path), RULES)["auth"]["cookie_secret"])  # type: ignore[index, call-overload]  # a nested table of secrets
        for _ in range(3)
    }
    assert len(keys) == 3
    assert all(len(key) >= 32 for key in keys)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_secret_that_cannot_be_read_is_told_without_its_content(
    tmp_path: Path, monkeypatch, content: bytes | None
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    rules = RULES.model_copy(update={"client_secret_file": "secret"})
    with pytest.raises(ContractError, match=r"client_secret_file"):
        streamlit_secrets(Places.at(tmp_path), rules)
    with pytest.raises(ContractError, match=SECRET_VARIABLE):
        streamlit_secrets(Places.at(tmp_path), RULES)
