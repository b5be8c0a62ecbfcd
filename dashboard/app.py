"""The front door of the screens: who looks, which snapshot, which screen.

Run by the server of guarded_server.py; the practice's home comes from UNSTUCK_HOME.
"""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard import banner, frame, reading, review_saving, sign_in, viewer
from dashboard.workspace_store import workspace
from data_contracts.errors import NothingPublishedError, UnstuckError
from data_contracts.places import Places
from data_contracts.settings import settings_of

st.set_page_config(page_title="unstuck", page_icon="🧭", layout="wide")
places = Places.at(None)
signed_in: sign_in.SignedIn | None = None
looking: viewer.Viewer | None = None
try:
    mark = banner.news_mark(places)  # before what it marks is read
    settings = settings_of(places)
    if settings.sign_in.is_on:  # first of all: nothing is said to somebody unknown
        engine = workspace(places, settings)
        signed_in = sign_in.signed_in(engine, settings.sign_in, now=datetime.now(UTC))
        if signed_in is None:
            review_saving.say_what_is_lost()
            st.stop()
    banner.watch_for_news(places, mark)
    snapshot = reading.current_snapshot(places)
    with st.container(width=frame.PAGE_WIDTH):
        head, role = st.columns([3, 1.5], vertical_alignment="center")
        with (
            role,
            st.container(
                horizontal=True,
                horizontal_alignment="right",
                vertical_alignment="center",
                key="role_switch",
            ),
        ):
            if signed_in is not None:
                looking = viewer.viewer_of(snapshot, settings, engine, signed_in)
                sign_in.show_who(engine, signed_in)
            else:
                looking = viewer.chosen_viewer(snapshot, settings)
        if looking is None:
            st.error(viewer.NOBODY)
            st.stop()
        banner.show_banner(places, snapshot)
        frame.navigation(places, snapshot, looking, settings, head.empty()).run()
except NothingPublishedError as nothing:
    banner.show_banner(places, None)
    frame.nothing_yet(str(nothing))
except UnstuckError as error:
    is_known = signed_in is not None or viewer.is_on_this_machine()
    frame.explain(error if is_known else UnstuckError(frame.NOT_NOW))
