"""Tell the audit log to a person on a terminal, or to a program as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from pipelines.reading_audit import AuditEvent


def audit_as_json(events: Sequence[AuditEvent]) -> str:
    """Return a JSON list of objects, one an event."""
    told = [{**asdict(event), "noted_at": event.noted_at.isoformat()} for event in events]
    return json.dumps(told, indent=1, ensure_ascii=False)


def audit_as_text(events: Sequence[AuditEvent]) -> str:
    """Return a line for each event: when, who as what, did what."""
    if not events:
        return "Nothing of that kind is in the audit log."
    lines = [_line(event) for event in events]
    return "\n".join([*lines, f"{len(events):,} in the audit log. Times are UTC."])


def _line(event: AuditEvent) -> str:
    who = f"{event.user_id or 'somebody unnamed'}{f' ({event.role})' if event.role else ''}"
    about = "".join(f"  {part}" for part in (event.case_id, event.detail) if part)
    return f"{event.noted_at:%Y-%m-%d %H:%M:%S}  {who}  {event.action}{about}"
