"""Is this machine and this home in order? One check, one line, one thing to do."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from data_contracts.errors import NothingPublishedError, UnstuckError
from data_contracts.measures import measures_for
from data_contracts.places import Places
from data_contracts.rule import status_rule
from data_contracts.settings import settings_of

# package, first version that breaks, what breaks (docs/decisions/0002-versions.md)
_TOO_NEW = (
    ("fastapi", (0, 151), "Prefect's server does not start"),
    ("sqlalchemy", (2, 1), "Prefect's schedules silently never fire"),
    ("duckdb", (1, 6), "not yet tried"),
)
_LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at."""

    what: str
    is_fine: bool
    told: str


def checks(places: Places) -> list[Check]:
    """Look at interpreter, packages, settings, measures, the published state, disk and port."""
    found = [_python(), *_packages(), _settings(places), _measures(places), _published(places)]
    found += [_last_run(places), _disk(places), _port(places)]
    return found


def _python() -> Check:
    told = ".".join(str(part) for part in sys.version_info[:3])
    return Check(what="Python", is_fine=sys.version_info >= (3, 11), told=f"{told} (3.11 or newer)")


def _packages() -> list[Check]:
    found = []
    for name, first_bad, breaks in _TOO_NEW:
        try:
            have = version(name)
        except PackageNotFoundError:
            found.append(Check(what=name, is_fine=False, told="missing: run 'uv sync'"))
            continue
        parts = tuple(int(part) for part in have.split(".")[:2] if part.isdigit())
        is_fine = parts < first_bad
        told = have if is_fine else f"{have} is too new ({breaks}): run 'uv sync --locked'"
        found.append(Check(what=name, is_fine=is_fine, told=told))
    return found


def _settings(places: Places) -> Check:
    try:
        rule = status_rule(settings_of(places).rule)
    except UnstuckError as error:
        return Check(what="settings", is_fine=False, told=str(error))
    where = places.settings if places.settings.exists() else "defaults (no unstuck.toml)"
    return Check(what="settings", is_fine=True, told=f"{where}; rule {rule.version}")


def _measures(places: Places) -> Check:
    try:
        measures = measures_for(places.measures if places.measures.exists() else None)
    except UnstuckError as error:
        return Check(what="measures", is_fine=False, told=str(error))
    return Check(what="measures", is_fine=True, told=f"{len(measures)} contracts")


def _published(places: Places) -> Check:
    try:
        pointer = places.pointer()
    except NothingPublishedError as error:
        return Check(what="published", is_fine=True, told=str(error))
    missing = [
        name
        for name in (pointer.cases, pointer.aggregates)
        if not (places.published / name).exists()
    ]
    if missing:
        told = f"{', '.join(missing)} is gone: run the night with --rebuild"
        return Check(what="published", is_fine=False, told=told)
    return Check(what="published", is_fine=True, told=f"run {pointer.run_id}")


def _last_run(places: Places) -> Check:
    last = places.last_run()
    if last is None:
        return Check(what="last run", is_fine=True, told="none yet")
    is_fine = last.state != "failed"
    told = f"{last.state}, started {last.started_at:%Y-%m-%d %H:%M}"
    return Check(what="last run", is_fine=is_fine, told=f"{told} {last.message}".strip())


def _disk(places: Places) -> Check:
    folder = places.home if places.home.exists() else places.home.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    is_fine = free >= _LEAST_FREE_BYTES and os.access(folder, os.W_OK)
    return Check(
        what="disk",
        is_fine=is_fine,
        told=f"{free / (1 << 30):.1f} GiB free and writable at {folder}"
        if is_fine
        else f"{folder} is not writable, or has less than 1 GiB free",
    )


def _port(places: Places) -> Check:
    try:
        port = settings_of(places).dashboard.port
    except UnstuckError:
        return Check(what="port", is_fine=True, told="not checked: settings are broken")
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    told = f"{port} is in use (by the screens?)" if taken else f"{port} is free"
    return Check(what="port", is_fine=True, told=told)
