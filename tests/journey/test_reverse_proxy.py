"""The nginx recipe of docs/reverse_proxy.md, run as it stands there, with sign-in over TLS.

Needs nginx and openssl beside Chromium; skipped without them.
"""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reverse_proxy.md"
NAME = "unstuck.example.org"
MILLISECONDS = 30_000


@pytest.fixture(scope="module")
def recipe() -> str:
    """Return the nginx configuration as the page gives it."""
    if not (shutil.which("nginx") and shutil.which("openssl")):
        pytest.skip("no nginx or openssl: `apt-get install nginx openssl` lets this journey run")
    found = re.search(r"```nginx\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def proxied(
    recipe: str,
    home: Path,
    provider: int,
    free_port: Callable[[], int],
    serve: Callable[[Path, int], AbstractContextManager[str]],
    sign_in_settings: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Serve a practice with sign-in behind nginx; its places and ports are put in, nothing else."""
    folder = tmp_path_factory.mktemp("nginx")
    own_home = Path(shutil.copytree(home, folder / "home"))
    screens, plain, tls = free_port(), free_port(), free_port()
    address = f"https://{NAME}:{tls}"
    settings = sign_in_settings(provider=provider, address=address)
    (own_home / "unstuck.toml").write_text(settings, encoding="utf-8")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         f"/CN={NAME}", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    text = recipe
    for old, new in {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{tls} ssl http2;",
        "/etc/ssl/unstuck": str(folder),
        "/var/log/nginx": str(folder),
        "127.0.0.1:8501": f"127.0.0.1:{screens}",
    }.items():
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    whole = (
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n"
        f"  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"{text}\n}}\n"
    )
    (folder / "nginx.conf").write_text(whole, encoding="utf-8")
    with serve(own_home, screens):
        nginx = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"])
        try:
            _wait_for(tls)
            yield address
        finally:
            nginx.terminate()
            nginx.wait(timeout=10)


def asked(port: int, path: str, method: str = "GET", host: str = "") -> tuple[int, dict[str, str]]:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with closing(HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)) as connection:
        connection.request(method, path, headers={"Host": host or f"{NAME}:{port}"})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            if asked(port, "/_stcore/health")[0] == 200:
                return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)


def test_people_sign_in_through_the_proxy_and_cookies_go_over_tls_alone(
    proxied: str, browser: Any
) -> None:
    context = browser.new_context(ignore_https_errors=True)
    try:
        _signed_in_and_out(context, proxied)
    finally:
        context.close()


def _signed_in_and_out(context: Any, address: str) -> None:
    refused: list[str] = []
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    page.on("console", lambda said: refused.append(said.text) if "violates" in said.text else None)
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_placeholder("sub").fill("supervisor-1")
    page.get_by_role("button", name="Authorize").click()
    page.get_by_role("heading", name="Supervision queue").wait_for()
    cookies = [cookie for cookie in context.cookies() if NAME in cookie["domain"]]
    assert {"_streamlit_user", "_streamlit_xsrf"} <= {cookie["name"] for cookie in cookies}
    assert all(cookie["secure"] for cookie in cookies)
    half_a_day = time.time() + 12 * 3600 + 60
    assert all(cookie["expires"] < half_a_day for cookie in cookies)
    page.get_by_role("link", name="Open ").first.click()
    page.get_by_role("heading", name="Why it is here").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert refused == [], "our own policy refused something of ours"


def test_the_proxy_and_what_is_behind_it_refuse_the_same(proxied: str) -> None:
    port = int(proxied.rpartition(":")[2])
    assert asked(port, "/_stcore/health")[0] == 200
    for path in ("/_stcore/metrics", "//_stcore/metrics", "/%5Fstcore/metrics", "/component/x"):
        assert asked(port, path)[0] == 404, path
    assert asked(port, "/_stcore/upload_file/a/b", "PUT")[0] in (403, 404)
    assert asked(port, "/", "POST")[0] == 403
    assert asked(port, "/", host="evil.example")[0] == 421
    assert asked(port, "/media/anything.pdf")[0] == 403
    headers = asked(port, "/")[1]
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert "wss://unstuck.example.org" in headers["content-security-policy"]
    assert headers["server"] == "nginx"


def test_the_proxy_s_log_holds_no_case(
    proxied: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = int(proxied.rpartition(":")[2])
    asked(port, "/case?case=C-00042")
    (log,) = tmp_path_factory.getbasetemp().glob("nginx[0-9]*/unstuck.log")
    text = log.read_text(encoding="utf-8")
    assert "GET /case" in text
    assert "C-00042" not in text
