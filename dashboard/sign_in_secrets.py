"""What does Streamlit's login need to know?"""

from __future__ import annotations

import secrets

from streamlit.runtime.secrets import SecretsValue

from data_contracts.client_secret import client_secret
from data_contracts.places import Places
from data_contracts.settings import SignIn


def streamlit_secrets(places: Places, rules: SignIn) -> dict[str, SecretsValue]:
    """Return what Streamlit takes as its secrets; nothing without sign-in.

    The key that signs cookies is drawn anew with every start and kept nowhere: whoever is signed in
    signs in again after a restart, and a cookie from before is worth nothing.

    Raises
    ------
    ContractError
        If the client secret cannot be read; never says what is in the file.
    """
    if not rules.is_on:
        return {}
    return {
        "auth": {
            "redirect_uri": f"{rules.address.rstrip('/')}/oauth2callback",
            "cookie_secret": secrets.token_urlsafe(32),
            "client_id": rules.client_id,
            "client_secret": client_secret(places, rules),
            "server_metadata_url": rules.provider,
        }
    }
