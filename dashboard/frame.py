"""Which screens are there for whom, and what stands around each of them?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from dashboard import (
    reading,
    screen_alert_quality,
    screen_case,
    screen_caseload,
    screen_data_quality,
    screen_queue,
    screen_runs,
    screen_trends,
)
from dashboard.reading import Snapshot
from dashboard.scope import Role
from dashboard.viewer import Viewer, address_of, has_changed_role
from dashboard.visit import Visit
from dashboard.words import plain, small
from data_contracts.errors import UnstuckError
from data_contracts.places import Places
from data_contracts.settings import Settings

NOT_NOW = (
    "These screens cannot be shown now. Whoever runs unstuck finds out why with 'unstuck doctor' "
    "on the server."
)
PAGE_WIDTH = 1180  # pixels; longer lines are hard to read


_SEES: dict[str, tuple[Role, ...]] = {
    "queue": ("supervisor",),
    "case": ("supervisor",),
    "caseload": ("supervisor",),
    "trends": ("manager", "analyst", "supervisor"),
    "alerts": ("manager", "analyst", "supervisor"),
    "data": ("analyst", "manager"),
    "runs": ("analyst", "manager"),
}
_NOTED = ("queue", "case", "caseload")  # screens that write into the audit log what they show
_FIRST: dict[Role, str] = {"supervisor": "queue", "manager": "trends", "analyst": "runs"}


def navigation(
    places: Places,
    snapshot: Snapshot,
    viewer: Viewer,
    settings: Settings,
    head: Any,  # noqa: ANN401 - a container of Streamlit
) -> Any:  # noqa: ANN401 - a page of Streamlit
    """Return the screens of this role; those of others stay reachable and refuse in words."""
    screens: dict[str, tuple[str, Callable[[Visit], None]]] = {
        "queue": ("Supervision queue", screen_queue.show),
        "case": ("Case", screen_case.show),
        "caseload": ("Caseload", screen_caseload.show),
        "trends": ("Practice trends", screen_trends.show),
        "alerts": ("Alert quality", screen_alert_quality.show),
        "data": ("Data quality", screen_data_quality.show),
        "runs": ("Runs", screen_runs.show),
    }
    pages: dict[str, Any] = {}
    scope = viewer.scope

    def draw(name: str) -> None:
        visit = Visit(
            places=places,
            snapshot=snapshot,
            viewer=viewer,
            settings=settings,
            run=reading.run(snapshot, scope),
            case_page=pages["case"],
            queue_page=pages["queue"],
            head=head,
        )
        if name not in _NOTED:
            visit.leave_cases()
        try:
            screens[name][1](visit)
        except UnstuckError as error:
            explain(error)
        _footer(visit)

    for name, (title, _) in screens.items():
        pages[name] = st.Page(
            partial(draw, name),
            title=title,
            url_path=name,
            visibility="visible" if scope.role in _SEES[name] else "hidden",
        )

    def first_screen() -> None:
        st.switch_page(pages[_FIRST[scope.role]], query_params=address_of(scope))

    # Every screen keeps an address of its own; the bare address leads to the role's first one.
    start = st.Page(first_screen, title="unstuck", default=True, visibility="hidden")
    asked = st.navigation([start, *pages.values()], position="top")
    if has_changed_role() and scope.role not in _SEES.get(asked.url_path, (scope.role,)):
        first_screen()
    return asked


def explain(error: UnstuckError) -> None:
    """Show what went wrong and what to do, without a traceback."""
    st.info(plain(str(error)), icon="💬")


def nothing_yet(message: str) -> None:
    """Explain an empty home: what will fill it."""
    st.title("Nothing to show yet", anchor=False)
    st.markdown(
        "The screens show what a night has published: cases worth talking about, trends and data "
        "quality. No night has published here yet. This page fills by itself when one has."
    )
    st.markdown(small(plain(message)))


def _footer(visit: Visit) -> None:
    said = ["A flag is a reason to talk, not a diagnosis and not crisis detection."]
    if visit.run["is_simulated"]:
        said.insert(0, "**Simulated practice: no row comes from a person.**")
    if visit.settings.title or visit.run["title"]:
        said.append(plain(visit.settings.title or visit.run["title"]) + ".")
    said.append(plain(f"Rule version {visit.run['rule_version']}, run {visit.snapshot.run_id}."))
    st.space("small")
    st.markdown(small(" ".join(said)))
