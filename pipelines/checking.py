"""Is this machine and this home in order? One check, one line, one thing to do."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from data_contracts.errors import NothingPublishedError, UnstuckError
from data_contracts.mapping import read_mapping
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
    """Look at interpreter, packages, home, settings, inputs, what is published, disk and port."""
    found = [_python(), *_packages(), _home(places), _settings(places), *_inputs(places)]
    found += [_measures(places), _published(places)]
    found += [_last_run(places), *_digest(places), *_screens(places)]
    found += [_disk(places), _port(places)]
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


def _home(places: Places) -> Check:
    exists = places.home.is_dir()
    told = str(places.home) if exists else (
        f"there is no {places.home} yet: 'unstuck init --home {places.home}' makes one"
    )  # fmt: skip
    return Check(what="home", is_fine=True, told=told)


def _inputs(places: Places) -> list[Check]:
    """Look at source and mapping where the settings name them."""
    try:
        settings = settings_of(places)
    except UnstuckError:
        return []
    found = []
    if settings.source:
        source = (places.home / settings.source).resolve()
        told = str(source) if source.is_dir() else f"there is no folder {source}: see 'source'"
        found.append(Check(what="source", is_fine=source.is_dir(), told=told))
    if settings.mapping:
        mapping = (places.home / settings.mapping).resolve()
        try:
            count = len(read_mapping(mapping).file)
        except UnstuckError as error:
            found.append(Check(what="mapping", is_fine=False, told=str(error)))
        else:
            told = f"{mapping}: {count} [[file]] {'entry' if count == 1 else 'entries'}"
            found.append(Check(what="mapping", is_fine=True, told=told))
    return found


def _measures(places: Places) -> Check:
    try:
        measures = measures_for(places.measures)
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
    told = f"{last.state}, started {last.started_at:%Y-%m-%d %H:%M} UTC"
    return Check(
        what="last run", is_fine=is_fine, told=f"{told}: {last.message}" if last.message else told
    )


def _digest(places: Places) -> list[Check]:
    """Look at the file of receivers where the settings name one."""
    from pipelines.sending import addresses_in, addresses_of

    try:
        file = addresses_of(places)
    except UnstuckError:  # told as "settings"
        return []
    if file is None:
        return []
    try:
        count = len(addresses_in(file))
    except UnstuckError as error:
        return [Check(what="digest", is_fine=False, told=str(error))]
    told = f"{count} {'receiver' if count == 1 else 'receivers'} in {file}"
    return [Check(what="digest", is_fine=True, told=told)]


def _screens(places: Places) -> list[Check]:
    """Look at what the screens need to let people in and to keep what they decide."""
    from data_contracts.client_secret import client_secret
    from pipelines.reading_audit import last_event_at

    try:
        settings = settings_of(places)
    except UnstuckError:  # told as "settings"
        return []
    told = "off: a role is chosen, on this machine only"
    try:
        if settings.sign_in.is_on:
            client_secret(places, settings.sign_in)
            told = f"by {settings.sign_in.provider}, at {settings.sign_in.address}"
        found = [Check(what="sign-in", is_fine=True, told=told)]
    except UnstuckError as error:
        found = [Check(what="sign-in", is_fine=False, told=str(error))]
    try:
        last = last_event_at(places, settings)
    except UnstuckError as error:
        return [*found, Check(what="workspace", is_fine=False, told=str(error))]
    told = f"last written {last:%Y-%m-%d %H:%M} UTC" if last else "nothing written yet"
    return [*found, Check(what="workspace", is_fine=True, told=told)]


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
