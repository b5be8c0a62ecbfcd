"""Reviews: append-only events with a sequence per case.

Spelled out, not derived from the contract: a migration says what was true when it was written.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_DECISIONS = "'discussed', 'plan_changed', 'watch_until', 'not_stuck_because', 'refer_on'"
_LENSES = "'safety', 'missing_data', 'alliance', 'client', 'action', 'life', 'process', 'therapist'"


def upgrade() -> None:
    """Create review_events."""
    op.create_table(
        "review_events",
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("supervisor_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("decision", sa.Text),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("lens", sa.Text),
        sa.Column("follow_up_on", sa.Date),
        sa.Column("watch_until", sa.Date),
        sa.Column("was_useful", sa.Boolean),
        sa.Column("note", sa.Text),
        sa.Column("undoes", sa.Integer),
        sa.Column("shown_run_id", sa.Text, nullable=False),
        sa.Column("shown_kind", sa.Text),
        sa.Column("shown_kinds", sa.Text, nullable=False),
        sa.Column("shown_flags", sa.Text, nullable=False),
        sa.Column("shown_status", sa.Text),
        sa.Column("rule_version", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "sequence", name=op.f("pk_review_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_review_events_event_id")),
        sa.UniqueConstraint("case_id", "undoes", name=op.f("uq_review_events_case_id_undoes")),
        sa.ForeignKeyConstraint(
            ["case_id", "undoes"],
            ["review_events.case_id", "review_events.sequence"],
            name=op.f("fk_review_events_case_id_undoes"),
        ),
        *(
            sa.CheckConstraint(condition, name=op.f(f"ck_review_events_{name}"))
            for name, condition in {
                "kind_is_known": "kind in ('review', 'undo')",
                "decision_is_known": f"decision in ({_DECISIONS})",
                "lens_is_known": f"lens in ({_LENSES})",
                "sequence_from_1": "sequence >= 1",
                "review_decides": "(kind = 'review') = (decision is not null)",
                "undo_names_a_review": "(kind = 'undo') = (undoes is not null)",
                "undo_comes_later": "undoes < sequence",
                "watching_has_a_day": (
                    "(coalesce(decision, '') = 'watch_until') = (watch_until is not null)"
                ),
            }.items()
        ),
    )
