"""How does a page look where Streamlit's theme has no word for it? Focus, margins, print.

Streamlit's way to add a style is HTML inside a screen, which we do not allow. So the one page it
serves names a style sheet of ours.
"""

from __future__ import annotations

from importlib.resources import files

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADDRESS = "/unstuck.css"
_LINK = f'<link rel="stylesheet" href="{ADDRESS}">'.encode()
_HEAD_ENDS = b"</head>"
_STATIC = "/static/"


class PageStyle:
    """Serves the style sheet, and names it in every page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.sheet = (files("dashboard") / "page_style.css").read_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the sheet, or pass on and add the link to a page."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == ADDRESS:
            kept = {"Cache-Control": "no-cache"}
            await Response(self.sheet, media_type="text/css", headers=kept)(scope, receive, send)
        elif scope["path"].startswith(_STATIC):
            await self.app(scope, receive, send)
        else:
            await self.app(_asked_plainly(scope), receive, _Linking(send).send)


class _Linking:
    """Holds a page back until it is whole, then sends it with the link; all else passes."""

    def __init__(self, send: Send) -> None:
        self.send_on = send
        self.start: Message | None = None
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self.start = message
        elif message["type"] == "http.response.body" and self.start is not None:
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_whole(self.start)
        else:
            await self.send_on(message)

    async def _send_whole(self, start: Message) -> None:
        body = self.body.replace(_HEAD_ENDS, _LINK + _HEAD_ENDS, 1)
        headers = MutableHeaders(scope=start)
        if self.body:  # the answer to HEAD has none
            headers["content-length"] = str(len(body))
        await self.send_on(start)
        await self.send_on({"type": "http.response.body", "body": body})


def _asked_plainly(scope: Scope) -> Scope:
    """Return the request without its wish for compression: the page is 8 kB, and is changed."""
    kept = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    return {**scope, "headers": kept}


def _is_page(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
