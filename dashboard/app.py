"""The front door of the screens: which snapshot, who looks, which screen.

Started with `streamlit run dashboard/app.py`; the practice's home comes from UNSTUCK_HOME.
"""

from __future__ import annotations

import streamlit as st

from dashboard import banner, frame, reading, viewer
from data_contracts.errors import NothingPublishedError, UnstuckError
from data_contracts.places import Places
from data_contracts.settings import settings_of

st.set_page_config(page_title="unstuck", page_icon="🧭", layout="wide")
places = Places.at(None)
banner.watch_for_news(places, banner.news_mark(places))
try:
    snapshot = reading.current_snapshot(places)
except NothingPublishedError as nothing:
    banner.show_banner(places, None)
    frame.nothing_yet(str(nothing))
    st.stop()

try:
    settings = settings_of(places)
    with st.container(width=frame.PAGE_WIDTH):
        head, role = st.columns([3, 1.5], vertical_alignment="center")
        with role:
            scope = viewer.chosen_scope(snapshot, settings)
        if scope is None:
            st.error(viewer.NOBODY)
            st.stop()
        banner.show_banner(places, snapshot)
        frame.navigation(snapshot, scope, settings, head.empty()).run()
except UnstuckError as error:
    frame.explain(error)
