"""A simulated practice, the screens served as in earnest, and a browser to look at them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from dashboard.launch import streamlit_arguments
from data_contracts.places import Places
from data_contracts.settings import settings_of

NO_BROWSER = "no Chromium here: `apt-get install chromium` lets this journey run"
CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name for what is served behind a proxy; nobody is asked where it is.
    "--host-resolver-rules=MAP unstuck.example.org 127.0.0.1",
)
CASES, SEED = 160, 7
CLIENT_SECRET = "between-us-and-the-provider"  # noqa: S105 - invented
PEOPLE: dict[str, dict[str, Any]] = {
    "supervisor-1": {"groups": ["unstuck-supervisors"], "supervisor_id": "S-1"},
    "idler-1": {"groups": ["unstuck-supervisors"], "supervisor_id": "S-1"},
    "leaver-1": {"groups": ["unstuck-supervisors"], "supervisor_id": "S-1"},
    "manager-1": {"groups": ["unstuck-managers", "staff"]},
    "analyst-1": {"groups": ["unstuck-analysts"]},
    "nobody-1": {"groups": ["staff"]},
}
SETTINGS = """
[sign_in]
provider = "http://localhost:{provider}/.well-known/openid-configuration"
client_id = "unstuck"
client_secret_file = "{secret}"
address = "{address}"
role_claim = "groups"
supervisor_values = ["unstuck-supervisors"]
manager_values = ["unstuck-managers"]
analyst_values = ["unstuck-analysts"]
supervisor_claim = "supervisor_id"
"""
SECONDS_TO_START = 60


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return where Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("UNSTUCK_NEEDS_BROWSER") == "1":
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    return found


@pytest.fixture(scope="session")
def home(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which one night has published a simulated practice."""
    from pipelines.demo_practice import simulate_practice, write_practice

    del chromium  # no night without a browser to look at it
    source, home = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("home")
    write_practice(simulate_practice(cases=CASES, seed=SEED), source)
    # As cron does it: in a process of its own.
    command = "from pipelines.cli import main; main()"
    subprocess.run(
        [
            *(sys.executable, "-c", command, "run", "--source", str(source)),
            *("--mapping", str(source / "mapping.toml"), "--home", str(home)),
        ],
        check=True,
        capture_output=True,
    )
    return home


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Return what finds a port of 127.0.0.1 that nobody listens on."""

    def found() -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return int(free.getsockname()[1])

    return found


@pytest.fixture(scope="session")
def serve(
    free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[str]]:
    """Return what serves a home as `unstuck dashboard` does, far from the repository's config."""

    @contextmanager
    def served(home: Path, port: int | None = None) -> Iterator[str]:
        port = port or free_port()
        address = settings_of(Places.at(home)).sign_in.address
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        with (elsewhere / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", *streamlit_arguments(port, address)],
                cwd=elsewhere,
                env={**os.environ, "UNSTUCK_HOME": str(home)},
                stdout=log,
                stderr=log,
            )
            try:
                wait_for(port, "/_stcore/health")
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(timeout=10)

    return served


def wait_for(port: int, path: str) -> None:
    ends = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
                connection.request("GET", path)
                if connection.getresponse().status == HTTPStatus.OK:
                    return
        except OSError:
            if time.monotonic() > ends:
                raise
        time.sleep(0.2)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[object]:
    """Return a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def client_secret() -> str:
    """Return the secret that the screens and the provider share."""
    return CLIENT_SECRET


@pytest.fixture(scope="session")
def sign_in_settings(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return what writes the settings of a sign-in."""
    secret = tmp_path_factory.mktemp("secret") / "client_secret"
    secret.write_text(f"{CLIENT_SECRET}\n", encoding="utf-8")

    def written(*, provider: int, address: str) -> str:
        return SETTINGS.format(provider=provider, address=address, secret=secret)

    return written


@pytest.fixture(scope="session")
def provider(
    free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Run an OpenID Connect provider that knows a few people."""
    port = free_port()
    log = (tmp_path_factory.mktemp("provider") / "provider.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"],
        stdout=log,
        stderr=log,
    )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                for sub, claims in PEOPLE.items():
                    _put(port, f"/users/{sub}", claims)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)
        log.close()


def _put(port: int, path: str, content: object) -> None:
    with closing(HTTPConnection("localhost", port, timeout=5)) as connection:
        headers = {"Content-Type": "application/json"}
        connection.request("PUT", path, json.dumps(content), headers)
        assert connection.getresponse().status == 204
