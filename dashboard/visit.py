"""What is every screen given?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from sqlalchemy import Engine
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import audit, reading
from dashboard.reading import Snapshot
from dashboard.scope import Scope
from dashboard.sign_in_sessions import still_there
from dashboard.viewer import Viewer, address_of
from dashboard.viewer_now import viewer_now
from dashboard.words import days_ago
from dashboard.workspace_store import workspace
from data_contracts.places import Places
from data_contracts.settings import Settings, settings_of

_CASE, _LIST = "case", "list"


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What every screen is given: the snapshot, who looks, the settings, the way to a case."""

    places: Places
    snapshot: Snapshot
    viewer: Viewer
    settings: Settings
    run: dict[str, Any]
    case_page: Any
    queue_page: Any
    head: Any

    @property
    def scope(self) -> Scope:
        """What the viewer may see."""
        return self.viewer.scope

    @property
    def workspace(self) -> Engine:
        """The store of reviews and of the audit log."""
        return workspace(self.places, self.settings)

    def now(self) -> Visit | None:
        """Return this visit as app.py would begin it now; None where it would let nobody in.

        Settings, night, sign-in, role and scope are asked anew, and Streamlit is not: ask this
        where app.py is not passed (downloads, fragments, callbacks of buttons).

        Raises
        ------
        UnstuckError
            If the settings, the published night or the workspace store cannot be read.
        """
        settings = settings_of(self.places)
        snapshot = reading.current_snapshot(self.places)
        engine = workspace(self.places, settings)
        viewer = viewer_now(self.viewer, snapshot, settings, engine)
        if viewer is None:
            return None
        return replace(self, settings=settings, snapshot=snapshot, viewer=viewer)

    def still_signed_in(self) -> bool:
        """Return whether the viewer may still act in this role."""
        return self.now() is not None

    def still_here(self) -> bool:
        """Return whether a fragment may draw itself again, and count that it did as a click.

        Only for fragments that run again because somebody did something. Where it says no, draw
        nothing and call `st.rerun(scope="app")`: app.py says why.
        """
        now = self.now()
        if now is None or now.scope != self.scope:
            return False
        context, token = get_script_run_ctx(), now.viewer.token
        # A run of the whole script was counted by app.py, which knows who began it.
        if token is None or context is None or not context.fragment_ids_this_run:
            return True
        rules = now.settings.sign_in
        return still_there(now.workspace, token, rules, now=datetime.now(UTC))

    def note_case(self, case_id: str) -> None:
        """Write into the audit log that this case is shown: once, until another screen or case.

        Raises
        ------
        WorkspaceError
            If it cannot be written: do not show the case.
        """
        if self.memory.get("on_screen") == (_CASE, case_id):
            return
        audit.note(self.workspace, viewer=self.viewer, action="case_viewed", case_id=case_id)
        self.memory["on_screen"] = (_CASE, case_id)

    def note_list(self, name: str) -> None:
        """Write into the audit log that a list of cases is shown: once, until another screen.

        Raises
        ------
        WorkspaceError
            If it cannot be written: do not show the list.
        """
        if self.memory.get("on_screen") == (_LIST, name):
            return
        audit.note(self.workspace, viewer=self.viewer, action="list_viewed", detail=name)
        self.memory["on_screen"] = (_LIST, name)

    def note_refused_case(self, case_id: str) -> None:
        """Write into the audit log that this case was asked for and is not shown.

        Raises
        ------
        WorkspaceError
            If it cannot be written.
        """
        if self.memory.get("case_refused") != case_id:
            self.write_refused_case(case_id)
            self.memory["case_refused"] = case_id

    def write_refused_case(self, case_id: str) -> None:
        """Do the same every time; asks nothing of Streamlit.

        Raises
        ------
        WorkspaceError
            If it cannot be written.
        """
        named, why = None, "this role sees no case"
        if self.scope.role == "supervisor":
            is_case = reading.is_published(self.snapshot, self.scope, case_id)
            # What was typed is kept only where it is the id of a case: it could be a name.
            named, why = (case_id, "outside scope") if is_case else (None, "no case of this id")
        audit.note(
            self.workspace, viewer=self.viewer, action="case_refused", case_id=named, detail=why
        )

    def leave_cases(self) -> None:
        """Forget which case or list was on the screen: the next time is a view of its own."""
        self.memory.pop("on_screen", None)

    def title(self, text: str) -> None:
        """Draw the screen's title beside the role switch."""
        self.head.title(text, anchor=False)

    def case_address(self, case_id: str) -> dict[str, str]:
        """Return the query of a link to one case; it holds the pseudonym and the role only."""
        return {"case": case_id, **address_of(self.scope)}

    def last_contact(self, days: int | None) -> str:
        """Return how long ago the last contact was; without a calendar nobody knows."""
        return days_ago(days if self.snapshot.as_of is not None else None)

    @property
    def memory(self) -> dict[str, Any]:
        """What this session remembers; another viewer or another night starts with nothing."""
        key = f"memory {self.snapshot.run_id} {self.viewer.user_id} {self.scope}"
        found: dict[str, Any] = st.session_state.setdefault(key, {})
        return found

    @property
    def address(self) -> dict[str, str]:
        """The query of a link to a screen without a case."""
        return address_of(self.scope)
