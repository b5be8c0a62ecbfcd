"""Which case is this: what is found in it, and how far is it?"""

from __future__ import annotations

from dashboard.case_words import open_flags, since_day_words, standing_of
from dashboard.reading import CaseRecord
from dashboard.words import Mark, code_words, counted, mark


def case_marks(record: CaseRecord) -> list[tuple[Mark, str]]:
    """Return the open flags, worst first, then the status, each with since when."""
    flags, standing = open_flags(record), standing_of(record)
    found = [(mark(flag["kind"]), since_day_words(record, flag["opened_day"])) for flag in flags]
    if standing and standing.status not in {flag["kind"] for flag in flags}:
        found.append((mark(standing.status), standing.since_words))
    return found


def case_facts(record: CaseRecord, last_contact: str) -> list[str]:
    """Return what is known of the case beside its scores; `last_contact` in words."""
    case, standing = record.case, standing_of(record)
    seen, planned = case["sessions_attended"], case["planned_sessions"]
    facts = [
        ""
        if case["is_open"]
        else f"care has ended: {code_words(case['closed_class'] or 'outcome not known')}",
        case["therapist_id"] and f"therapist {case['therapist_id']}",
        case["site_id"] and f"site {case['site_id']}",
        case["problem_code"],
        seen is not None
        and (f"{seen} of {planned} planned sessions" if planned else counted(seen, "session"))
        + " attended",
        last_contact,
        standing and f"rule {standing.rule_version}",
    ]
    return [fact for fact in facts if fact]
