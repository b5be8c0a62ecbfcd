"""Where does somebody come to after signing in? To the screen whose address they opened.

Streamlit leads everybody to the bare address. So the browser is given the address of the page it
loaded as a cookie that no script can read, for ten minutes; the way back from the provider ends
there. It holds a screen, a role and pseudonyms, as the address itself does, and no other site.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "unstuck_asked"
SECONDS_KEPT = 600
_KEPT = f"{COOKIE}={{}}; Path=/; HttpOnly; SameSite=Lax; Max-Age={{}}"
_SCREEN = re.compile(r"/[a-z]+")
_PARTS = ("case", "therapist", "role", "supervisor")
_LONGEST = 100  # characters of one part; a pseudonym has fewer
_CAME_BACK, _LEAVES = "/oauth2callback", "/auth/logout"


class WayBack:
    """Remembers which page was loaded, and leads there from the provider."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and change the answer to a page, to a sign-in and to a sign-out."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                _change(scope, MutableHeaders(scope=message))
            await send(message)

        await self.app(scope, receive, sent)


def _change(scope: Scope, answer: MutableHeaders) -> None:
    path = scope["path"]
    if path == _CAME_BACK and answer.get("location") == "/":
        cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
        answer["location"] = screen_address(unquote(cookies.get(COOKIE, ""))) or "/"
    elif path != _LEAVES and not answer.get("content-type", "").startswith("text/html"):
        return
    asked = scope.get("query_string", b"").decode("latin-1")
    address = "" if path in (_CAME_BACK, _LEAVES) else screen_address(f"{path}?{asked}")
    kept = _KEPT.format(quote(address, safe=""), SECONDS_KEPT if address else 0)
    answer.append("set-cookie", kept)


def screen_address(asked: str) -> str:
    """Return the address of a screen of ours with what belongs to it; '' for any other."""
    try:
        parts = urlsplit(asked)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or not _SCREEN.fullmatch(parts.path):
        return ""
    known = [(name, value) for name, value in parse_qsl(parts.query) if name in _PARTS]
    query = urlencode([pair for pair in known if len(pair[1]) <= _LONGEST])
    return f"{parts.path}?{query}" if query else parts.path
