"""What do the screens write? Reviews, sign-ins and the audit log, in a store of their own.

Declared as contracts like every other table; SQLAlchemy Core tables are derived from them, for
SQLite and PostgreSQL alike. How a stored table comes about in an existing store is told by the
migrations beside dashboard/workspace_store.py; tests/dashboard/test_workspace_store.py holds the
two together.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy import Column as StoredColumn
from sqlalchemy import Table as StoredTable
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from data_contracts.contract import Column, Layer, Privacy, SqlType, Table, clinical, technical
from data_contracts.lenses import LENSES_IN_ORDER
from data_contracts.review_words import DECISIONS
from data_contracts.tables_judged import CASE_ID, RULE_VERSION


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone: it is taken off on the way in and put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone; nobody could say when it was."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_STORED_AS: dict[SqlType, type[TypeEngine[Any]]] = {
    "text": Text,
    "bigint": BigInteger,
    "integer": Integer,
    "double": Double,
    "boolean": Boolean,
    "timestamp": UtcTime,
    "date": Date,
}

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def stored(table: Table, *constraints: SchemaItem) -> StoredTable:
    """Return the SQLAlchemy table of a contract; closed sets become check constraints."""
    return StoredTable(
        table.name,
        METADATA,
        *(
            StoredColumn(
                column.name,
                _STORED_AS[column.type](),
                nullable=column.nullable,
                autoincrement=False,
            )
            for column in table.columns
        ),
        PrimaryKeyConstraint(*table.key),
        *(one_of(column) for column in table.columns if column.values),
        *constraints,
    )


def one_of(column: Column) -> CheckConstraint:
    """Return the check that a column holds a value of its closed set."""
    allowed = ", ".join(f"'{value}'" for value in column.values)
    return CheckConstraint(f"{column.name} in ({allowed})", name=f"{column.name}_is_known")


def staff(name: str, meaning: str) -> Column:
    """Return a column that stands for one member of staff."""
    return Column(name=name, type="text", privacy=Privacy.PSEUDONYM, meaning=meaning)


REVIEWS = Table(
    name="review_events",
    one_row_is="a decision a supervisor took about a case, or the undoing of one",
    layer=Layer.STORE,
    key=("case_id", "sequence"),
    note="Append-only: nothing is ever changed, an undo is a row of its own. Sequences of a case "
    "begin at 1 and have no gap.",
    columns=(
        CASE_ID,
        technical("sequence", "integer", "place among the case's events, from 1"),
        technical("event_id", "text", "random id (UUID); the same decision sent twice counts once"),
        technical("recorded_at", "timestamp", "when it was stored, UTC"),
        staff("user_id", "who decided, as signed in"),
        staff("supervisor_id", "as which supervisor"),
        clinical("kind", "text", "whether it decides or undoes", values=("review", "undo")),
        clinical(
            "decision",
            "text",
            "what was decided; empty for an undo",
            nullable=True,
            values=DECISIONS,
        ),
        clinical("reasons", "text", "coded reasons, comma-separated; may be empty"),
        clinical("lens", "text", "where the talk looked", nullable=True, values=LENSES_IN_ORDER),
        clinical("follow_up_on", "date", "day on which to look again", nullable=True),
        clinical("watch_until", "date", "day until which the case rests", nullable=True),
        clinical("was_useful", "boolean", "whether the flag was; empty: not said", nullable=True),
        clinical(
            "note", "text", "free text; only where the practice switched it on", nullable=True
        ),
        technical("undoes", "integer", "sequence of the review that is undone", nullable=True),
        technical("shown_run_id", "text", "the run whose results were on the screen"),
        # Copies of what was shown: no closed sets, they may grow with a later version of the rule.
        clinical("shown_kind", "text", "what led then; empty: not in the queue", nullable=True),
        clinical("shown_kinds", "text", "kinds open then, comma-separated; may be empty"),
        clinical(
            "shown_flags",
            "text",
            "every flag open then as kind|measure|day, comma-separated; may be empty",
        ),
        clinical("shown_status", "text", "status then", nullable=True),
        RULE_VERSION,
    ),
)

REVIEW_EVENTS = stored(
    REVIEWS,
    UniqueConstraint("event_id"),
    UniqueConstraint("case_id", "undoes"),
    ForeignKeyConstraint(
        ["case_id", "undoes"], ["review_events.case_id", "review_events.sequence"]
    ),
    CheckConstraint("sequence >= 1", name="sequence_from_1"),
    CheckConstraint("(kind = 'review') = (decision is not null)", name="review_decides"),
    CheckConstraint("(kind = 'undo') = (undoes is not null)", name="undo_names_a_review"),
    CheckConstraint("undoes < sequence", name="undo_comes_later"),
    CheckConstraint(
        "(coalesce(decision, '') = 'watch_until') = (watch_until is not null)",
        name="watching_has_a_day",
    ),
)

SignInEnd = Literal["signed_out", "idle", "too_long"]

SIGN_IN_SESSIONS = Table(
    name="sign_ins",
    one_row_is="a login of one person",
    layer=Layer.STORE,
    key=("sign_in_id",),
    note="The login cookie outlives a logout; this row does not: what has ended stays ended.",
    columns=(
        technical("sign_in_id", "text", "fingerprint of the token of this login (SHA-256)"),
        staff("user_id", "who, as the provider names them"),
        technical("started_at", "timestamp", "when it began, UTC"),
        technical("last_seen_at", "timestamp", "last click, to a minute, UTC"),
        technical("ended_at", "timestamp", "when it ended, UTC", nullable=True),
        technical("ended_by", "text", "what ended it", nullable=True, values=get_args(SignInEnd)),
    ),
)

SIGN_INS = stored(
    SIGN_IN_SESSIONS,
    CheckConstraint("(ended_at is null) = (ended_by is null)", name="an_end_says_why"),
)

AuditAction = Literal[
    "signed_in",
    "signed_out",
    "timed_out",
    "replay_refused",
    "role_refused",
    "case_viewed",
    "list_viewed",
    "case_refused",
    "exported",
    "reviewed",
]

AUDIT = Table(
    name="audit_events",
    one_row_is="a thing somebody saw, took out, decided or was refused",
    layer=Layer.STORE,
    key=("event_id",),
    note="Append-only, written before the thing is shown; a decision's row is kept with it or "
    "not at all. No value of a client but the pseudonym.",
    columns=(
        technical("event_id", "text", "random id (UUID)"),
        technical("noted_at", "timestamp", "when it was written, UTC"),
        staff("user_id", "who; empty where the provider named nobody"),
        technical("role", "text", "as what; empty before there is a role"),
        technical("action", "text", "what was done or refused", values=get_args(AuditAction)),
        replace(CASE_ID, nullable=True, meaning="the case it was about; empty: none, or unknown"),
        technical("detail", "text", "which export, or why refused; never a value"),
    ),
)

AUDIT_EVENTS = stored(AUDIT, Index(None, "noted_at"), Index(None, "case_id"))

# Every stored table, as the data dictionary tells it.
STORED: tuple[Table, ...] = (REVIEWS, SIGN_IN_SESSIONS, AUDIT)
