"""Would the front door still let this viewer in, and to see what?

Streamlit runs downloads, fragments and callbacks of buttons without app.py, some of them outside
the script; so nothing here asks Streamlit.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Engine

from dashboard import reading
from dashboard.reading import Snapshot
from dashboard.scope import Assignment, Scope, scope_of_supervisor
from dashboard.sign_in_roles import person_of, scope_of
from dashboard.sign_in_sessions import left
from dashboard.viewer import Viewer
from data_contracts.settings import Settings


def viewer_now(
    viewer: Viewer, snapshot: Snapshot, settings: Settings, engine: Engine
) -> Viewer | None:
    """Return the viewer in the same role with what they may see now; None where they may not look.

    Raises
    ------
    WorkspaceError
        If the workspace store cannot be asked.
    """
    rules, role = settings.sign_in, viewer.scope.role
    therapists: list[Assignment] = []
    if role == "supervisor":
        therapists, _ = reading.assignments(snapshot, Scope(role="supervisor"))
    if viewer.token is None:
        if rules.is_on or not settings.roles.switch_on_loopback:
            return None
        if role != "supervisor":
            return viewer
        chosen = scope_of_supervisor(viewer.scope.supervisor_id, settings.roles, therapists)
        return replace(viewer, scope=chosen)
    person = person_of(viewer.claims, rules)
    if not rules.is_on or person.user_id != viewer.user_id or role not in person.roles:
        return None
    if left(engine, viewer.token, rules, now=datetime.now(UTC)) is None:
        return None
    return replace(viewer, scope=scope_of(person, role, settings.roles, therapists))
