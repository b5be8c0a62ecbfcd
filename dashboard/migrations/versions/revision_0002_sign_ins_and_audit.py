"""Sign-ins, which end on the server, and the audit log, which only grows.

Spelled out, not derived from the contract: a migration says what was true when it was written.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ENDS = "'signed_out', 'idle', 'too_long'"
_ACTIONS = (
    "'signed_in', 'signed_out', 'timed_out', 'replay_refused', 'role_refused', 'case_viewed', "
    "'list_viewed', 'case_refused', 'exported', 'reviewed'"
)


def upgrade() -> None:
    """Create sign_ins and audit_events."""
    op.create_table(
        "sign_ins",
        sa.Column("sign_in_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ended_by", sa.Text),
        sa.PrimaryKeyConstraint("sign_in_id", name=op.f("pk_sign_ins")),
        sa.CheckConstraint(f"ended_by in ({_ENDS})", name=op.f("ck_sign_ins_ended_by_is_known")),
        sa.CheckConstraint(
            "(ended_at is null) = (ended_by is null)", name=op.f("ck_sign_ins_an_end_says_why")
        ),
    )
    op.create_table(
        "audit_events",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("case_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_events")),
        sa.CheckConstraint(f"action in ({_ACTIONS})", name=op.f("ck_audit_events_action_is_known")),
    )
    op.create_index(op.f("ix_audit_events_noted_at"), "audit_events", ["noted_at"])
    op.create_index(op.f("ix_audit_events_case_id"), "audit_events", ["case_id"])
