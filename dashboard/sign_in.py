"""Is somebody signed in, and what does everybody else see instead of the screens?

Streamlit's own OpenID Connect login says who; sign_in_sessions.py says whether that still holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st
from sqlalchemy import Engine

from dashboard import audit, sign_in_sessions
from dashboard.sign_in_roles import Person, person_of
from dashboard.sign_in_sessions import Standing, Token, token_of
from dashboard.words import plain, small
from data_contracts.errors import NotAvailableError
from data_contracts.settings import SignIn
from data_contracts.workspace_tables import AuditAction

SECONDS_BETWEEN_LOOKS = 30
WARNED_BEFORE = timedelta(minutes=3)
# Set by what draws the screen anew by itself, so that it does not pass for a person.
DRAWN_BY_ITSELF = "drawn_by_itself"

_REFUSALS: dict[Standing, AuditAction] = {
    "ended": "replay_refused",
    "stale": "replay_refused",
    "idle": "timed_out",
    "too_long": "timed_out",
}
_HELP = "Who may come in is decided by your practice: ask whoever runs unstuck there."


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A person with at least one role, and the login they came by.

    `claims` are what the provider said, to ask again later who this is by the settings of then.
    """

    person: Person
    token: Token
    claims: Mapping[str, Any]


def signed_in(engine: Engine, rules: SignIn, *, now: datetime) -> SignedIn | None:
    """Return who is signed in; None after drawing what is to be done instead.

    Raises
    ------
    WorkspaceError
        If the workspace store cannot be asked or written; then nobody is let in.
    NotAvailableError
        If the screens were started without the provider's secret.
    """
    claims = claims_of_visitor()
    if not claims:
        _page("Sign in to see the cases you supervise, or your practice's figures.")
        return None
    token, person = token_of(claims), person_of(claims, rules)
    if token is None:
        _page(
            "The provider's token does not say who issued it, when, and for which login (iss, sub, "
            "iat, nonce), so it cannot be told from a copy."
        )
        return None
    by_hand = not st.session_state.pop(DRAWN_BY_ITSELF, False)
    standing = sign_in_sessions.admit(
        engine, token, person.user_id, rules, now=now, by_hand=by_hand
    )
    if standing == "begun":
        audit.note_person(engine, user_id=person.user_id, action="signed_in")
    elif standing in _REFUSALS:
        _note_once(engine, person, _REFUSALS[standing], f"sign-in {standing.replace('_', ' ')}")
        _page(_why_not(standing, rules))
        return None
    _watch(engine, token, rules)
    if not person.roles:
        _without_role(engine, token, person, rules)
        return None
    return SignedIn(person=person, token=token, claims=claims)


def claims_of_visitor() -> Mapping[str, Any]:
    """Return the claims of the visitor's login cookie; nothing where nobody is logged in.

    Raises
    ------
    NotAvailableError
        If the screens were started without the provider's secret.
    """
    claims = dict(st.user.to_dict())
    if "is_logged_in" not in claims:
        message = (
            "sign_in is set in unstuck.toml, but these screens were started without it. Start them "
            "with 'unstuck dashboard' or 'unstuck serve'."
        )
        raise NotAvailableError(message)
    return claims if claims["is_logged_in"] is True else {}


def show_who(engine: Engine, signed_in: SignedIn) -> None:
    """Show who is signed in, and the way out."""
    st.markdown(small(plain(signed_in.person.name)), width="content")
    _way_out(engine, signed_in.person, signed_in.token)


def _way_out(engine: Engine, person: Person, token: Token) -> None:
    """End the sign-in here, in the browser and, where it takes part, at the provider."""
    if st.button("Sign out", key="sign_out"):
        sign_in_sessions.end(engine, token, "signed_out", now=datetime.now(UTC))
        audit.note_person(engine, user_id=person.user_id, action="signed_out")
        st.logout()
        st.stop()


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def _watch(engine: Engine, token: Token, rules: SignIn) -> None:
    """Clear an unattended screen, and say so before (WCAG 2.2, 2.2.1 Timing Adjustable)."""
    now = datetime.now(UTC)
    found = sign_in_sessions.left(engine, token, rules, now=now)
    if found is None:
        st.session_state[DRAWN_BY_ITSELF] = True
        st.rerun(scope="app")
    if found.time > min(WARNED_BEFORE, timedelta(minutes=rules.idle_minutes) / 2):
        return
    if not found.can_be_longer:
        st.warning("This sign-in reaches its longest time within minutes. Finish what is open.")
        return
    st.warning(
        "You will be signed out within minutes, because nothing was clicked for a while. What was "
        "chosen and not saved is forgotten then."
    )
    if st.button("Stay signed in", key="stay"):
        sign_in_sessions.stay(engine, token, now=now)
        st.rerun(scope="fragment")


def _page(why: str) -> None:
    st.title("unstuck", anchor=False)
    st.markdown(plain(why))
    if st.button("Sign in", type="primary", key="sign_in"):
        st.login()
    st.markdown(small(plain(_HELP)))


def _why_not(standing: Standing, rules: SignIn) -> str:
    match standing:
        case "idle":
            return (
                f"This sign-in ended after {rules.idle_minutes} minutes without a click, so that "
                "an unattended screen shows nothing. Sign in again to go on."
            )
        case "too_long":
            return f"A sign-in lasts {rules.session_hours} hours at most. Sign in again to go on."
        case "ended":
            return "This sign-in has ended and cannot be used again. Sign in anew."
        case _:
            return (
                "This sign-in was not begun just now and is not among those that are open. Sign in "
                "anew. If this comes right after signing in, the clock of this server or of the "
                "provider is wrong."
            )


def _without_role(engine: Engine, token: Token, person: Person, rules: SignIn) -> None:
    _note_once(engine, person, "role_refused", "no role")
    st.title("No role here yet", anchor=False)
    if person.user_id:
        st.markdown(
            plain(f"You are signed in as {person.name}, and nothing is shown to you: your account ")
            + "has no role in unstuck. Ask whoever runs unstuck in your practice for one of "
            "*supervisor*, *manager* or *analyst*; then sign out and in again."
        )
        st.markdown(small(plain(f"Your name here, for whoever sets that up: {person.user_id}")))
    else:
        st.markdown(
            plain(
                f"The provider did not say who you are: the claim {rules.user_claim!r} is missing, "
                "empty or, for an address, not verified. Whoever runs unstuck can name another "
                "claim (sign_in.user_claim)."
            )
        )
    _way_out(engine, person, token)


def _note_once(engine: Engine, person: Person, action: AuditAction, detail: str) -> None:
    """Write a refusal once a visit, not with every drawing of its page."""
    noted = st.session_state.setdefault("noted_refusals", set())
    if action not in noted:
        audit.note_person(engine, user_id=person.user_id, action=action, detail=detail)
        noted.add(action)
