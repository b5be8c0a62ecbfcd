"""What is served? The screens behind their guards: what `streamlit run` starts.

Streamlit finds `app` by reading this file: it must be made here, under this name, by a plain call.
The provider's secret goes straight into Streamlit's memory: no file, no argument, no variable.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from importlib.resources import files

from starlette.middleware import Middleware
from streamlit.starlette import App

from dashboard.guards import Guards
from dashboard.page_style import PageStyle
from dashboard.sign_in_cookie import may_download
from dashboard.sign_in_secrets import streamlit_secrets
from dashboard.way_back import WayBack
from data_contracts.places import Places
from data_contracts.settings import settings_of

_places = Places.at(None)
_settings = settings_of(_places)
app = App(
    str(files("dashboard") / "app.py"),
    secrets=streamlit_secrets(_places, _settings.sign_in),
    middleware=[
        Middleware(
            Guards,
            address=_settings.sign_in.address,
            cookie_seconds=int(timedelta(hours=_settings.sign_in.session_hours).total_seconds()),
            may_download=partial(may_download, _places, _settings.sign_in),
            page=(files("streamlit") / "static" / "index.html").read_text(encoding="utf-8"),
        ),
        *([Middleware(WayBack)] if _settings.sign_in.is_on else []),
        Middleware(PageStyle),
    ],
)
