"""How does a message leave the machine? By the addresses in a file of the practice's, with apprise.

An address may hold a password or a token (mailto://user:secret@host): it is in a file of its own
that nobody else may read, never in settings, logs or errors. An error names the line of the file.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from data_contracts.errors import ContractError, SendingError
from data_contracts.places import Places
from data_contracts.settings import settings_of
from pipelines.digest import remember, weekly_digest
from pipelines.telling_flags import counted


def send_digest(places: Places, now: datetime) -> str:
    """Send the weekly digest and keep what it stood on; return what was done, in words.

    Raises
    ------
    ContractError
        If the settings name no file of addresses, or it cannot be used; nothing was sent.
    SendingError
        If an address did not take it.
    """
    file = addresses_of(places)
    if file is None:
        message = (
            f"{places.settings} names nobody to send to: set addresses_file under [digest] to a "
            "file with one apprise address a line (docs/operations.md)"
        )
        raise ContractError(message)
    digest = weekly_digest(places, settings_of(places), now)
    count = send(digest.title, digest.body, file)
    remember(places, digest, now)
    return f"Sent to {counted(count, 'receiver')}."


def addresses_of(places: Places) -> Path | None:
    """Return the file of receivers that the settings name; None where nobody is to get it."""
    named = settings_of(places).digest.addresses_file
    return places.home / Path(named).expanduser() if named else None


def addresses_in(file: Path) -> dict[int, str]:
    """Return the addresses of a file by line number; '#' begins a remark.

    Raises
    ------
    ContractError
        If the file is missing, others may read it, or it names no address.
    """
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        message = (
            f"{file} (digest.addresses_file) cannot be read: make it a text file with one apprise "
            "address a line, such as mailto://user:password@mail.example.org?to=you@example.org"
        )
        raise ContractError(message) from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        message = f"{file} may hold passwords and others can read it: chmod 600 {file}"
        raise ContractError(message)
    found = {
        number: line.strip()
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    if not found:
        message = f"{file} (digest.addresses_file) names no address: one a line"
        raise ContractError(message)
    return found


def send(title: str, body: str, file: Path) -> int:
    """Send a message to every address of a file; return how many took it.

    Raises
    ------
    ContractError
        If the file cannot be used, or a line is no address; nothing was sent.
    SendingError
        If an address did not take the message; the others were tried.
    """
    from apprise import Apprise, AppriseAsset, NotifyFormat

    addresses = addresses_in(file)
    asset = AppriseAsset(async_mode=False, secure_logging=True)
    with _silent():
        receivers = {}
        for line, address in addresses.items():
            receivers[line] = Apprise(asset=asset)
            if not receivers[line].add(address):
                message = (
                    f"line {line} of {file} is no address that apprise knows; nothing was sent. "
                    "It is not shown here because it may hold a password"
                )
                raise ContractError(message)
        failed = [
            line
            for line, receiver in receivers.items()
            if not receiver.notify(body=body, title=title, body_format=NotifyFormat.TEXT)
        ]
    if failed:
        lines = ", ".join(map(str, failed))
        message = (
            f"the digest was not taken by {len(failed)} of {len(receivers)} addresses (line "
            f"{lines} of {file}): is the service up, and are name and password right? Send again "
            "with 'unstuck digest --send'"
        )
        raise SendingError(message)
    return len(receivers)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep apprise from logging: its warnings may name an address."""
    logger = logging.getLogger("apprise")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
