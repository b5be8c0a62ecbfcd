"""What does the network get to see of Streamlit, and with which headers?

Streamlit 1.67 sends no security header, answers metrics, uploads and component files to everybody,
serves a download to whoever knows its address, and keeps its login cookie for 30 days without
`Secure`. This stands before it, in the same process; a reverse proxy in front adds TLS
(docs/reverse_proxy.md).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
# All that the screens need of Streamlit's own paths; the rest is refused.
_OWN_PATHS = ("/_stcore/health", "/_stcore/host-config", "/_stcore/stream")
_REFUSED_TREES = ("/_stcore", "/component", "/app/static")
_DOWNLOADS = "/media/"
_METHODS = ("GET", "HEAD")
# Streamlit styles from script, hence the one 'unsafe'. Charts need no eval: seen in Chromium.
_POLICY = (
    "default-src 'none'; "
    "script-src 'self'{scripts}; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; "
    "font-src 'self' data:; "
    "connect-src 'self'{sockets}; "
    "worker-src 'self' blob:; "
    "manifest-src 'self'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_A_YEAR = 365 * 24 * 3600  # seconds
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_LIFE = re.compile(r"(?i)\bmax-age=(\d+)")
_SECURE = re.compile(r"(?i);\s*secure\b")

MayDownload = Callable[[Headers], bool]


class Guards:
    """Lets through what the screens need, from here, and adds the headers that are missing.

    Parameters
    ----------
    address
        Where people reach the screens, such as https://unstuck.example.org; '' means on this
        machine only.
    cookie_seconds
        How long a browser keeps the login cookie.
    may_download
        Whether who sends these headers may have a download.
    page
        The page Streamlit serves; the scripts written into it are let through by their hash.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        address: str,
        cookie_seconds: int,
        may_download: MayDownload,
        page: str,
    ) -> None:
        parts = urlsplit(address)
        self.app = app
        self.hosts = {*LOCAL_HOSTS, *([parts.hostname] if parts.hostname else [])}
        self.origin = f"{parts.scheme}://{parts.netloc}" if address else ""
        self.is_https = parts.scheme == "https"
        self.cookie_seconds = cookie_seconds
        self.may_download = may_download
        # A page of https may open wss of its own host; older browsers do not count that as 'self'.
        sockets = f" wss://{parts.netloc}" if self.is_https else ""
        scripts = "".join(f" '{found}'" for found in hashes_of_scripts(page))
        policy = _POLICY.format(sockets=sockets, scripts=scripts)
        self.headers = {"Content-Security-Policy": policy, **_HEADERS}
        if self.is_https:
            self.headers["Strict-Transport-Security"] = f"max-age={_A_YEAR}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not (self._is_host_known(headers) and self._is_from_here(headers)):
            await self._refuse(HTTPStatus.MISDIRECTED_REQUEST, scope, receive, send)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        elif scope["method"] not in _METHODS:
            await self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, scope, receive, send)
        elif not _is_needed(scope["path"]):
            await self._refuse(HTTPStatus.NOT_FOUND, scope, receive, send)
        elif _is_download(scope["path"]) and not await run_in_threadpool(
            self.may_download, headers
        ):
            await self._refuse(HTTPStatus.FORBIDDEN, scope, receive, send)
        else:
            await self.app(scope, receive, self._adding(send, scope["path"]))

    def _is_host_known(self, headers: Headers) -> bool:
        return _host(headers.get("host", "")) in self.hosts

    def _is_from_here(self, headers: Headers) -> bool:
        """Return whether no page of another site asks. Not every request names its page."""
        origin = headers.get("origin")
        if origin is None:
            return True
        if self.origin:
            return origin == self.origin
        return urlsplit(origin).netloc == headers.get("host")

    def _adding(self, send: Send, path: str) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
                if _is_download(path):
                    headers["Cache-Control"] = "no-store"
                message["headers"] = [
                    (name, self._cookie(value) if name == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        return sent

    def _cookie(self, value: bytes) -> bytes:
        """Return a Set-Cookie that lives no longer than a sign-in, Secure where it can be."""
        text = _LIFE.sub(self._shortened, value.decode("latin-1"))
        if self.is_https and not _SECURE.search(text):
            text += "; Secure"
        return text.encode("latin-1")

    def _shortened(self, life: re.Match[str]) -> str:
        return f"Max-Age={min(int(life[1]), self.cookie_seconds)}"

    async def _refuse(self, status: HTTPStatus, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()  # the handshake; closing before it is accepted answers 403
            await send({"type": "websocket.close", "code": 1008})
            return
        response = PlainTextResponse(status.phrase, status_code=status)
        await response(scope, receive, self._adding(send, ""))


def hashes_of_scripts(page: str) -> list[str]:
    """Return the hash of every script written into a page, as a policy names it."""
    return [
        f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
        for script in _INLINE.findall(page)
    ]


def _is_needed(path: str) -> bool:
    plain = re.sub("/+", "/", path)
    in_tree = any(plain == tree or plain.startswith(f"{tree}/") for tree in _REFUSED_TREES)
    return not in_tree or plain in _OWN_PATHS


def _is_download(path: str) -> bool:
    return re.sub("/+", "/", path).startswith(_DOWNLOADS)


def _host(header: str) -> str:
    """Return the host of a Host header without its port, in lower case."""
    bare = re.sub(r":\d+$", "", header.strip().lower())
    return bare.rstrip(".")
