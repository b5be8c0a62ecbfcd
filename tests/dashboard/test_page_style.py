"""The one page that Streamlit serves names our style sheet, however a browser asks for it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from dashboard.page_style import ADDRESS, PageStyle

PAGE = "<html><head><title>t</title></head><body>" + "b" * 2000 + "</body></html>"


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def answer(request: Request) -> Response:
    return JSONResponse({"said": "</head>"})


def asked(path: str, method: str = "GET", encoding: str = "identity") -> httpx.Response:
    # As Streamlit does it: what is ours stands outside its compression.
    app = Starlette(
        routes=[Route("/queue", page, methods=["GET"]), Route("/_stcore/health", answer)],
        middleware=[Middleware(PageStyle), Middleware(GZipMiddleware, minimum_size=100)],
    )

    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers={"Accept-Encoding": encoding})

    # In a thread of its own: a browser test before this one leaves a loop running here.
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(asyncio.run, asking()).result()


@pytest.mark.parametrize("encoding", ["identity", "gzip, deflate, br, zstd"])
def test_every_page_names_the_sheet_once_and_is_otherwise_unchanged(encoding: str) -> None:
    got = asked("/queue", encoding=encoding)
    assert got.text.count(f'href="{ADDRESS}"') == 1
    assert got.text.replace(f'<link rel="stylesheet" href="{ADDRESS}">', "") == PAGE
    assert int(got.headers["content-length"]) == len(got.content)


def test_what_is_no_page_stays_as_it_is() -> None:
    assert asked("/_stcore/health").json() == {"said": "</head>"}


def test_the_sheet_shows_where_the_keyboard_is() -> None:
    got = asked(ADDRESS)
    assert got.headers["content-type"].startswith("text/css")
    assert ":focus-visible" in got.text


def test_only_the_head_of_a_page_can_be_asked_for() -> None:
    got = asked("/queue", "HEAD")
    assert got.status_code == 200
    assert got.content == b""
