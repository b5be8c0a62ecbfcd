"""Did last night work, and is there news? Stands above every screen."""

from __future__ import annotations

import streamlit as st

from dashboard.reading import Snapshot
from dashboard.sign_in import DRAWN_BY_ITSELF
from dashboard.words import moment, plain
from data_contracts.places import LastRun, Places

SECONDS_BETWEEN_LOOKS = 30


def banner_text(last_run: LastRun | None, snapshot: Snapshot | None) -> str:
    """Return the sentence about a failed or running night; '' when all is well."""
    if last_run is None or last_run.state not in ("failed", "running"):
        return ""
    state = (
        f"You see the state of {moment(snapshot.published_at)}."
        if snapshot
        else "Nothing was published before, so there is nothing to show yet."
    )
    if last_run.state == "running":
        return (
            f"A run is under way since {moment(last_run.started_at)}. {state} "
            "This page shows the new state by itself when the run is done."
        )
    ended = moment(last_run.finished_at or last_run.started_at)
    message = last_run.message.strip().rstrip(".") or "no message was left"
    return f"Last night's run failed at {ended}: {message}. {state}"


def show_banner(places: Places, snapshot: Snapshot | None) -> None:
    """Show the banner where there is something to say."""
    text = banner_text(places.last_run(), snapshot)
    if text:
        st.warning(plain(text), icon="⏳" if "under way" in text else "⚠️")


def news_mark(places: Places) -> tuple[int, ...]:
    """Return what changes when a night ends or publishes, evidence is made, or settings change.

    Who is refused in the settings is so in front of an open screen too: app.py asks anew.
    """
    watched = (
        places.pointer_file,
        places.evidence_pointer_file,
        places.last_run_file,
        places.settings,
    )
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in watched)


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def watch_for_news(places: Places, seen: tuple[int, ...]) -> None:
    """Draw the whole screen anew once there is news."""
    if news_mark(places) != seen:
        st.session_state[DRAWN_BY_ITSELF] = True
        st.rerun(scope="app")
