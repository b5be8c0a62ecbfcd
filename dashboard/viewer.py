"""Who is looking? Without sign-in a role can be chosen, on this machine only."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TypeVar

import streamlit as st

from dashboard import reading
from dashboard.reading import Snapshot
from dashboard.scope import (
    Role,
    Scope,
    scope_of_supervisor,
    supervisor_ids,
)
from data_contracts.settings import Settings

Choice = TypeVar("Choice", bound=str)
ROLES: tuple[Role, ...] = ("supervisor", "manager", "analyst")
NOBODY = (
    "Nobody is signed in. Choosing a role without sign-in works only on the machine itself "
    "(server.address 127.0.0.1, no proxy in front) and while roles.switch_on_loopback is true in "
    "unstuck.toml."
)
# A proxy in front makes every visitor look local.
_PROXY_HEADERS = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded")


def is_loopback(address: str | None) -> bool:
    """Return whether a server on this address is reached from its own machine only."""
    if address == "localhost":
        return True
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False


def may_switch(settings: Settings) -> bool:
    """Return whether the viewer may choose a role."""
    headers = st.context.headers
    return (
        settings.roles.switch_on_loopback
        and is_loopback(st.get_option("server.address"))
        and not any(name in headers for name in _PROXY_HEADERS)
    )


def chosen_scope(snapshot: Snapshot, settings: Settings) -> Scope | None:
    """Show the role switch and return the scope chosen; None where switching is not allowed.

    The choice stands in the address, so that a reload or a link keeps it.
    """
    if not may_switch(settings):
        return None
    with st.container(horizontal=True, horizontal_alignment="right", key="role_switch"):
        role = _chosen("role", ROLES, "You look as")
        if role != "supervisor":
            return Scope(role=role)
        therapists, has_unassigned = reading.assignments(snapshot, Scope(role="supervisor"))
        known = supervisor_ids(settings.roles, therapists, has_unassigned=has_unassigned)
        supervisor_id = _chosen("supervisor", known, "Supervisor")
    return scope_of_supervisor(supervisor_id, settings.roles, therapists)


def _chosen(name: str, options: Sequence[Choice], label: str) -> Choice:
    # By hand, not by `bind="query-params"`: st.switch_page refuses bound parameters.
    asked = st.query_params.get(name)
    if name not in st.session_state and asked in options:
        st.session_state[name] = asked
    chosen = st.selectbox(label, options, key=name, label_visibility="collapsed", width=150)
    if asked != chosen:
        st.query_params[name] = chosen
    return chosen


def address_of(scope: Scope) -> dict[str, str]:
    """Return the part of an address that keeps the chosen role."""
    chosen: dict[str, str] = {"role": scope.role}
    if scope.supervisor_id:
        chosen["supervisor"] = scope.supervisor_id
    return chosen if st.session_state.get("role") else {}
