"""Where does the secret come from that unstuck shares with the sign-in provider?

From a file or a variable, never from the settings: these are shown, copied and kept in versions.
"""

from __future__ import annotations

import os
from pathlib import Path

from data_contracts.errors import ContractError
from data_contracts.places import Places
from data_contracts.settings import SignIn

SECRET_VARIABLE = "UNSTUCK_CLIENT_SECRET"  # noqa: S105 - the name of a variable


def client_secret(places: Places, rules: SignIn) -> str:
    """Return the secret: from its file where the settings name one, else from its variable.

    Raises
    ------
    ContractError
        If it cannot be read; never says what is in the file.
    """
    if not rules.client_secret_file:
        found = os.environ.get(SECRET_VARIABLE, "").strip()
        if not found:
            message = (
                "sign_in needs the client secret: set sign_in.client_secret_file to a file that "
                f"holds it, or the variable {SECRET_VARIABLE}"
            )
            raise ContractError(message)
        return found
    path = places.home / Path(rules.client_secret_file).expanduser()
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found:
        message = (
            f"the client secret cannot be read from {path} (sign_in.client_secret_file): it must "
            "be a text file that the account of the screens may read, with the secret alone"
        )
        raise ContractError(message)
    return found
