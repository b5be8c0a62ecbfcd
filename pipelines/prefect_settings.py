"""Which Prefect server is meant, and how is it set? Answered without importing Prefect.

Prefect reads its settings, and makes its folder, when it is imported. So they are put into the
environment first. Sources: prefect/settings/sources.py and settings/models (3.8.8).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_contracts.places import Places

API = "PREFECT_API_URL"
_CONSOLE_LEVEL = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"

# Nothing is told to anybody.
_PRIVATE = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # calls an analytics host even with analytics off
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_LOGGING_LOG_PRINTS": "false",
}
# What a practice may choose differently in its environment.
_CHOSEN = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # 20 is too short on a busy machine
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
# For the server that we start ourselves.
_OWN_SERVER = {
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    # In memory, the slot of a night that was killed with the server would never come free.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    # A page in the browser must not reach the API, whatever site it comes from.
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://127.0.0.1",
}


def prefect_api_is_configured() -> bool:
    """Return whether the practice has a Prefect server: in the environment or its profile."""
    return API in os.environ or API in _active_profile()


def prefect_environment(places: Places) -> dict[str, str]:
    """Return what must be in the environment before Prefect is imported.

    With a server of the practice's own, its settings stay where they are; else all that Prefect
    writes goes into the home.
    """
    chosen = {name: os.environ.get(name, value) for name, value in _CHOSEN.items()}
    if prefect_api_is_configured():
        return _PRIVATE | chosen
    return _PRIVATE | chosen | _OWN_SERVER | {"PREFECT_HOME": str(places.prefect)}


@contextmanager
def environment_for_prefect(places: Places) -> Iterator[None]:
    """Have the environment for a flow in this process: import Prefect, and run it, inside.

    Prefect would write every library's messages and its own tracebacks between ours; its server
    has them all.
    """
    level = os.environ.get(_CONSOLE_LEVEL, "CRITICAL")
    wanted = prefect_environment(places) | {_CONSOLE_LEVEL: level}
    # Prefect makes its folder only if the one above it is there.
    Path(wanted.get("PREFECT_HOME", places.home)).mkdir(mode=0o700, parents=True, exist_ok=True)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _active_profile() -> dict[str, object]:
    """Return the active profile of Prefect; empty where there is none."""
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    name = os.environ.get("PREFECT_PROFILE") or content.get("active")
    profile = content.get("profiles", {}).get(name, {})
    return profile if isinstance(profile, dict) else {}
