"""What is every screen given?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.reading import Snapshot
from dashboard.scope import Scope
from dashboard.viewer import address_of
from dashboard.words import days_ago
from data_contracts.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What every screen is given: the snapshot, who looks, the settings, the way to a case."""

    snapshot: Snapshot
    scope: Scope
    settings: Settings
    run: dict[str, Any]
    case_page: Any
    queue_page: Any
    head: Any

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
        """What this session remembers; another role or another night starts with nothing."""
        key = f"memory {self.snapshot.run_id} {self.scope}"
        found: dict[str, Any] = st.session_state.setdefault(key, {})
        return found

    @property
    def address(self) -> dict[str, str]:
        """The query of a link to a screen without a case."""
        return address_of(self.scope)
