"""Does a plain request, such as for a download, come from somebody who is signed in?

Screens come over one connection that app.py watches. A download is a request of its own, which
Streamlit answers to whoever knows its address; so the login cookie is asked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from dashboard.sign_in_roles import person_of
from dashboard.sign_in_sessions import left, token_of
from dashboard.workspace_store import workspace
from data_contracts.errors import UnstuckError
from data_contracts.places import Places
from data_contracts.settings import SignIn, settings_of


def may_download(places: Places, began_with: SignIn, headers: Headers) -> bool:
    """Return whether a download may be given out; without sign-in to everybody on this machine.

    The settings are read anew, so that who is refused there gets nothing at once. `began_with` is
    what they were at the start: a sign-in that was on then is not off before the next start.
    """
    claims = claims_of_cookie(headers)
    token = token_of(claims)
    try:
        settings = settings_of(places)
        rules = settings.sign_in
        if not (began_with.is_on or rules.is_on):
            return True
        if token is None or not rules.is_on or not person_of(claims, rules).roles:
            return False
        held = left(workspace(places, settings), token, rules, now=datetime.now(UTC))
    except UnstuckError:
        return False
    return held is not None


def claims_of_cookie(headers: Headers) -> Mapping[str, object]:
    """Return the claims in the login cookie; nothing where there is none or it is not ours."""
    cookies = cookie_parser(headers.get("cookie", ""))

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        if value is None:
            return None
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1"))

    try:
        found = json.loads(get_cookie_with_chunks(signed, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
