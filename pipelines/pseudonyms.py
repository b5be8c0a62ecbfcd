"""Turn a practice's own case ids into pseudonyms, and dates into days since a secret start.

Default for ids that are not pseudonymous yet: a random crosswalk, kept outside the home (whoever
holds the home then cannot lead a case back). Option: a keyed hash (BLAKE2b). An unkeyed hash of a
record number falls within hours, so there is none.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path

from data_contracts.errors import ContractError
from data_contracts.places import Places
from data_contracts.settings import Settings

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no 0 O 1 I
_ID_LENGTH = 8
_SHORTEST_KEY = 16
_START_SPREAD_DAYS = 365


def crosswalk_path(places: Places, settings: Settings) -> Path:
    """Return where the crosswalk lies.

    Raises
    ------
    ContractError
        If the settings put it inside the home it must stay out of.
    """
    if not settings.crosswalk:
        return places.home.with_name(f"{places.home.name}-crosswalk.sqlite3")
    path = (places.home / Path(settings.crosswalk).expanduser()).resolve()
    if path.is_relative_to(places.home):
        message = (
            f"crosswalk = {path} lies inside the home {places.home}: "
            "keep it somewhere only the practice's data officer can read"
        )
        raise ContractError(message)
    return path


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    path.chmod(0o600)
    connection.execute("pragma synchronous = full")
    connection.execute("create table if not exists ids (source_id text primary key, case_id text)")
    connection.execute("create table if not exists start (practice_start text)")
    return connection


def random_ids(path: Path, source_ids: list[str]) -> dict[str, str]:
    """Return the random id of each source id; new ones are drawn and kept."""
    with closing(_opened(path)) as connection, connection:
        known = dict(connection.execute("select source_id, case_id from ids").fetchall())
        taken = set(known.values())
        for source_id in source_ids:
            if source_id not in known:
                known[source_id] = _new_id(taken)
                connection.execute("insert into ids values (?, ?)", (source_id, known[source_id]))
    return {source_id: known[source_id] for source_id in source_ids}


def _new_id(taken: set[str]) -> str:
    while True:
        drawn = "C-" + "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
        if drawn not in taken:
            taken.add(drawn)
            return drawn


def keyed_ids(places: Places, settings: Settings, source_ids: list[str]) -> dict[str, str]:
    """Return a keyed hash of each source id.

    Raises
    ------
    ContractError
        If there is no key, or it is too short to keep anybody out.
    """
    if not settings.case_key_file:
        message = 'case_ids = "keyed" needs case_key_file in unstuck.toml: a file with the key'
        raise ContractError(message)
    path = places.home / Path(settings.case_key_file).expanduser()
    if not path.is_file():
        message = f"case_key_file {path} does not exist"
        raise ContractError(message)
    key = path.read_bytes().strip()
    if len(key) < _SHORTEST_KEY:
        message = f"the key in {path} has {len(key)} bytes; it must have at least {_SHORTEST_KEY}"
        raise ContractError(message)
    return {
        source_id: "K-" + blake2b(source_id.encode(), key=key[:64], digest_size=8).hexdigest()
        for source_id in source_ids
    }


def practice_start(path: Path, earliest: date, spread_days: int = _START_SPREAD_DAYS) -> date:
    """Return the practice's secret first day: drawn once, up to a year before the first date."""
    with closing(_opened(path)) as connection, connection:
        row = connection.execute("select practice_start from start").fetchone()
        if row:
            return date.fromisoformat(row[0])
        drawn = earliest - timedelta(days=secrets.randbelow(spread_days + 1))
        connection.execute("insert into start values (?)", (drawn.isoformat(),))
    return drawn
