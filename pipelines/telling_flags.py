"""Tell flags to a person on a terminal, or to a program as JSON."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.answers import Answer

_SHAPES = {
    "deteriorating": "▼",
    "stuck": "■",
    "safety": "!",
    "alliance_low": "●",
    "alliance_drop": "●",
    "alliance_ceiling": "●",
}


def answers_as_json(found: list[Answer]) -> str:
    """Return a JSON list of objects, one a flag."""
    return json.dumps([answer.to_json() for answer in found], indent=1, ensure_ascii=False)


def answers_as_text(found: list[Answer]) -> str:
    """Return paragraphs: what, since when, and the reasons."""
    if not found:
        return "No case is flagged."
    paragraphs = [_paragraph(answer) for answer in found]
    count = sum(answer.kind is not None for answer in found)
    cases = len({answer.case_id for answer in found if answer.kind is not None})
    flags = f"{counted(count, 'flag')} on {counted(cases, 'case')}" if count else "No flag"
    paragraphs.append(
        f"{flags}; {found[0].as_of}; "
        f"rule {found[0].rule_version}. "
        "A flag is a reason to talk, not a diagnosis."
    )
    return "\n\n".join(paragraphs)


def counted(count: int, thing: str) -> str:
    """Return "1 flag", "2 flags"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _paragraph(answer: Answer) -> str:
    kind = answer.kind or answer.status
    since = "" if answer.since_day is None else f", since day {answer.since_day}"
    code = f" ({answer.code})" if answer.code and answer.kind is None else ""
    therapist = f"  therapist {answer.therapist_id}" if answer.therapist_id else ""
    head = (
        f"{_SHAPES.get(kind, '·')} {answer.case_id}  {kind.replace('_', ' ')}{code}{since}"
        f"  {answer.measure or ''}{therapist}"
    )
    body = [
        textwrap.fill(reason, width=96, initial_indent="    ", subsequent_indent="    ")
        for reason in answer.reasons
    ]
    return "\n".join([head, *body])
