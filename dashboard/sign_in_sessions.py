"""Does this sign-in still hold? Kept here, because the login cookie outlives a logout.

The cookie lives in the browser and can be copied, so a sign-in is a row of the workspace store: it
begins with a token that was issued just now, and what has ended stays ended. The row's id is a
fingerprint of the token. Every login has another, because the provider must put the nonce drawn
for that login into its token (OpenID Connect Core 1.0, 3.1.3.7, step 11; Authlib checks it).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from dashboard.workspace_store import only_reading, writing
from data_contracts.settings import SignIn
from data_contracts.workspace_tables import SIGN_INS, SignInEnd

# A browser shows a new token at once. An older one without a row is a copy, or the store was lost.
FRESH = timedelta(minutes=10)
CLOCKS_APART = timedelta(minutes=2)  # as Authlib allows
SEEN_EVERY = timedelta(minutes=1)  # how exactly the last click is kept

Standing = Literal["begun", "live", "ended", "idle", "too_long", "stale"]


@dataclass(frozen=True, kw_only=True)
class Token:
    """What tells one login from every other."""

    sign_in_id: str
    issued_at: datetime


def token_of(claims: Mapping[str, object]) -> Token | None:
    """Return which login these claims come from; None where the provider did not say enough."""
    issued = claims.get("iat")
    if not isinstance(issued, int | float) or isinstance(issued, bool):
        return None
    if not all(isinstance(claims.get(name), str) for name in ("iss", "sub", "nonce")):
        return None
    try:
        issued_at = datetime.fromtimestamp(issued, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    names = ("iss", "sub", "aud", "iat", "exp", "nonce")
    told = json.dumps([claims.get(name) for name in names], default=str)
    return Token(sign_in_id=hashlib.sha256(told.encode()).hexdigest(), issued_at=issued_at)


def admit(
    engine: Engine, token: Token, user_id: str, rules: SignIn, *, now: datetime, by_hand: bool
) -> Standing:
    """Return how a sign-in stands, and write what follows from it: begun, seen, or ended.

    `by_hand`: a person did something; a screen that draws itself anew is no sign of life.

    Raises
    ------
    WorkspaceError
        If the workspace store cannot be used; then nobody is let in.
    """
    row = _row(engine, token)
    if row is None:
        if not -CLOCKS_APART <= now - token.issued_at <= FRESH:
            return "stale"
        return _begin(engine, token, user_id, now=now)
    if row.ended_at is not None:
        return "ended"
    overdue = _overdue(row, rules, now)
    if overdue is not None:
        end(engine, token, overdue, now=now)
        return overdue
    if by_hand and now - row.last_seen_at >= SEEN_EVERY:
        _change(engine, token, last_seen_at=now)
    return "live"


@dataclass(frozen=True, kw_only=True)
class Left:
    """How long a sign-in still holds, and whether a click makes it longer."""

    time: timedelta
    can_be_longer: bool


def left(engine: Engine, token: Token, rules: SignIn, *, now: datetime) -> Left | None:
    """Return how long a sign-in still holds, and write nothing; None where it does not."""
    row = _live_row(engine, token, rules, now)
    if row is None:
        return None
    until_idle = row.last_seen_at + timedelta(minutes=rules.idle_minutes) - now
    until_over = row.started_at + timedelta(hours=rules.session_hours) - now
    return Left(time=min(until_idle, until_over), can_be_longer=until_idle < until_over)


def still_there(engine: Engine, token: Token, rules: SignIn, *, now: datetime) -> bool:
    """Return whether a sign-in holds, and note that a person is there: once a minute at most."""
    row = _live_row(engine, token, rules, now)
    if row is not None and now - row.last_seen_at >= SEEN_EVERY:
        stay(engine, token, now=now)
    return row is not None


def stay(engine: Engine, token: Token, *, now: datetime) -> None:
    """Note that a person is there."""
    _change(engine, token, last_seen_at=now)


def end(engine: Engine, token: Token, by: SignInEnd, *, now: datetime) -> None:
    """End a sign-in for ever; one that has ended keeps its end."""
    _change(engine, token, ended_at=now, ended_by=by)


def _begin(engine: Engine, token: Token, user_id: str, *, now: datetime) -> Standing:
    begun = insert(SIGN_INS).values(
        sign_in_id=token.sign_in_id, user_id=user_id, started_at=now, last_seen_at=now
    )
    try:
        with writing(engine) as connection:
            connection.execute(begun)
    except IntegrityError:  # another tab of the same browser was faster
        return "live"
    return "begun"


def _change(engine: Engine, token: Token, **values: object) -> None:
    is_open = (SIGN_INS.c.sign_in_id == token.sign_in_id) & SIGN_INS.c.ended_at.is_(None)
    with writing(engine) as connection:
        connection.execute(update(SIGN_INS).where(is_open).values(**values))


def _row(engine: Engine, token: Token) -> Row[Any] | None:
    asked = select(SIGN_INS).where(SIGN_INS.c.sign_in_id == token.sign_in_id)
    with only_reading(engine) as connection:
        return connection.execute(asked).one_or_none()


def _live_row(engine: Engine, token: Token, rules: SignIn, now: datetime) -> Row[Any] | None:
    row = _row(engine, token)
    if row is None or row.ended_at is not None or _overdue(row, rules, now) is not None:
        return None
    return row


def _overdue(row: Row[Any], rules: SignIn, now: datetime) -> Literal["idle", "too_long"] | None:
    if now - row.started_at > timedelta(hours=rules.session_hours):
        return "too_long"
    if now - row.last_seen_at > timedelta(minutes=rules.idle_minutes):
        return "idle"
    return None
