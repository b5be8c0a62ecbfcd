"""Who is looking, and in which role? By sign-in; else by a switch, on this machine only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, TypeVar

import streamlit as st
from sqlalchemy import Engine

from dashboard import audit, reading
from dashboard.reading import Snapshot
from dashboard.scope import (
    Assignment,
    Role,
    Scope,
    scope_of_supervisor,
    supervisor_ids,
)
from dashboard.sign_in import SignedIn
from dashboard.sign_in_roles import scope_of
from dashboard.sign_in_sessions import Token
from data_contracts.settings import Settings

Choice = TypeVar("Choice", bound=str)
ROLES: tuple[Role, ...] = ("supervisor", "manager", "analyst")
NOBODY = (
    "Nobody is signed in. Choosing a role without sign-in works only on the machine itself "
    "(server.address 127.0.0.1, no proxy in front) and while roles.switch_on_loopback is true in "
    "unstuck.toml. For everybody else: docs/sign_in.md."
)
# A proxy in front makes every visitor look local.
_PROXY_HEADERS = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded")


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks, under the name that reviews and the audit log keep, and what they may see.

    `token` and `claims` are of the login; None and nothing where a role was chosen without one.
    """

    user_id: str
    scope: Scope
    token: Token | None = None
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def is_loopback(address: str | None) -> bool:
    """Return whether a server on this address is reached from its own machine only."""
    if address == "localhost":
        return True
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False


def is_on_this_machine() -> bool:
    """Return whether the visitor sits at the machine itself."""
    headers = st.context.headers
    return is_loopback(st.get_option("server.address")) and not any(
        name in headers for name in _PROXY_HEADERS
    )


def may_switch(settings: Settings) -> bool:
    """Return whether the viewer may choose any role: without sign-in, on this machine."""
    return not settings.sign_in.is_on and settings.roles.switch_on_loopback and is_on_this_machine()


def chosen_viewer(snapshot: Snapshot, settings: Settings) -> Viewer | None:
    """Show the role switch and return who looks; None where switching is not allowed.

    The choice stands in the address, so that a reload or a link keeps it.
    """
    if not may_switch(settings):
        return None
    role = _chosen("role", ROLES, "You look as")
    if role != "supervisor":
        return Viewer(user_id=f"demo-{role}", scope=Scope(role=role))
    therapists, has_unassigned = reading.assignments(snapshot, Scope(role="supervisor"))
    known = supervisor_ids(settings.roles, therapists, has_unassigned=has_unassigned)
    supervisor_id = _chosen("supervisor", known, "Supervisor")
    scope = scope_of_supervisor(supervisor_id, settings.roles, therapists)
    return Viewer(user_id=f"demo-supervisor {supervisor_id}", scope=scope)


def viewer_of(
    snapshot: Snapshot, settings: Settings, engine: Engine, signed_in: SignedIn
) -> Viewer:
    """Return a signed-in person in one of their roles; who has several chooses among these."""
    person = signed_in.person
    asked = st.query_params.get("role")
    if asked is not None and asked not in person.roles:
        audit.note_person(
            engine, user_id=person.user_id, action="role_refused", detail="a role not theirs"
        )
        del st.query_params["role"]
    role = person.roles[0]
    if len(person.roles) > 1:
        role = _chosen("role", person.roles, "You look as")
    therapists: list[Assignment] = []
    if role == "supervisor":
        therapists, _ = reading.assignments(snapshot, Scope(role="supervisor"))
    scope = scope_of(person, role, settings.roles, therapists)
    return Viewer(
        user_id=person.user_id, scope=scope, token=signed_in.token, claims=signed_in.claims
    )


def _chosen(name: str, options: Sequence[Choice], label: str) -> Choice:
    # By hand, not by `bind="query-params"`: st.switch_page refuses bound parameters.
    asked = st.query_params.get(name)
    if name not in st.session_state and asked in options:
        st.session_state[name] = asked
    chosen = st.selectbox(
        label,
        options,
        key=name,
        label_visibility="collapsed",
        width=150,
        on_change=_remember_change,
    )
    if asked != chosen:
        st.query_params[name] = chosen
    return chosen


def _remember_change() -> None:
    st.session_state["has_changed_role"] = True


def has_changed_role() -> bool:
    """Return whether the viewer has just chosen another role or supervisor; says so once."""
    return bool(st.session_state.pop("has_changed_role", False))


def address_of(scope: Scope) -> dict[str, str]:
    """Return the part of an address that keeps the chosen role."""
    if not st.session_state.get("role"):
        return {}
    chosen: dict[str, str] = {"role": scope.role}
    if scope.supervisor_id and st.session_state.get("supervisor"):
        chosen["supervisor"] = scope.supervisor_id
    return chosen
