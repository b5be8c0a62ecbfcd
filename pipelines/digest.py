"""What may a weekly message say? That there is news and that nights ran; nothing of a client.

No id of a client, therapist or supervisor, no status, no small number: counts of people are words
or rounded by the practice's own rule for small numbers. The message leaves the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
from pydantic import BaseModel, ConfigDict, ValidationError

from data_contracts.errors import ContractError, NothingPublishedError
from data_contracts.local_day import local_day
from data_contracts.places import Places, Pointer
from data_contracts.settings import Settings
from data_contracts.suppression import SuppressionRule, suppression_rule
from models.suppression import rounded
from pipelines.telling_flags import counted

TITLE = "unstuck: weekly digest"
DAYS = 7
_CLOSING = (
    "This message holds no client data by design. A flag is a reason to talk, not a diagnosis and "
    "not crisis detection."
)


class LastDigest(BaseModel):
    """What the last digest that was sent stood on: one small file in the home."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sent_at: datetime
    queue_mark: str
    """A fingerprint of who is in the queue and why; says nothing by itself."""


@dataclass(frozen=True, kw_only=True)
class Digest:
    """A message, and what the next one will be compared with."""

    title: str
    body: str
    queue_mark: str


def weekly_digest(places: Places, settings: Settings, now: datetime) -> Digest:
    """Return the message for these seven days.

    Parameters
    ----------
    now
        When the digest is made, with a time zone.
    """
    rule = suppression_rule(settings.publishing.suppression)
    lines = [_last_night(places, now)]
    queue_mark = ""
    try:
        pointer = places.pointer()
    except NothingPublishedError:
        lines.append("Nothing has been published yet.")
    else:
        lines.append(_age(pointer, now))
        lines += _recent(places.published / pointer.aggregates, rule, now)
        flagged, still_open = _cases(places.published / pointer.cases)
        queue_mark = sha256("\n".join(flagged).encode()).hexdigest()
        lines.append(_news(_last_digest(places), queue_mark))
        lines.append(_follow_ups(places, settings, rule, still_open, local_day(now)))
    lines += [f"Open the screens: {_address(settings)}", _CLOSING]
    return Digest(
        title=TITLE, body="\n".join(line for line in lines if line), queue_mark=queue_mark
    )


def remember(places: Places, digest: Digest, now: datetime) -> None:
    """Keep what was sent, so that the next digest can say whether the queue has changed."""
    kept = LastDigest(sent_at=now, queue_mark=digest.queue_mark)
    places.last_digest_file.write_text(kept.model_dump_json(indent=2) + "\n", encoding="utf-8")


def rough(count: int, rule: SuppressionRule) -> str:
    """Return a count of people or their rows as a message may tell it.

    Examples
    --------
    >>> rule = suppression_rule("default")
    >>> [rough(count, rule) for count in (0, 1, 7, 8, 43)]
    ['none', 'a few', 'a few', 'about 10', 'about 45']
    """
    if count == 0:
        return "none"
    return "a few" if count <= rule.hide_up_to else f"about {rounded(count, rule)}"


def _last_night(places: Places, now: datetime) -> str:
    last = places.last_run()
    if last is None:
        return "No night has run yet."
    said = {
        "published": "The last night worked and published a new state",
        "unchanged": "The last night worked and found nothing new",
        "running": "A night is running, or was ended without a word",
        "failed": "The last night FAILED; the screens say why and keep the last whole state",
    }[last.state]
    ended = last.finished_at or last.started_at
    days = (now - ended).days
    warned = " It warned of something: see the screen Runs." if last.message else ""
    return f"{said} ({_ago(days)}).{warned if last.state != 'failed' else ''}"


def _age(pointer: Pointer, now: datetime) -> str:
    days = (now - pointer.published_at).days
    return "" if days < DAYS else f"The state on the screens is {days} days old: do exports come?"


def _ago(days: int) -> str:
    return "today" if days <= 0 else f"{counted(days, 'day')} ago"


def _recent(path: Path, rule: SuppressionRule, now: datetime) -> list[str]:
    """Return what the nights of the last days did and set aside."""
    since = (now - timedelta(days=DAYS)).astimezone(UTC).replace(tzinfo=None)
    runs = _rows(
        path, "select count(*) from published_runs where started_at >= $since", since=since
    )[0]
    rows = _rows(
        path,
        "select coalesce(sum(row_count), 0)::bigint, count(distinct rule_id) "
        "from published_quarantine "
        "join published_runs on received_run_id = run_id where started_at >= $since",
        since=since,
    )[0]
    refused = _rows(
        path,
        "select count(*) from published_files join published_runs using (run_id) "
        "where published_files.state = 'refused' and started_at >= $since",
        since=since,
    )[0][0]
    said = [f"Nights of the last {DAYS} days that published something: {runs[0]}."]
    if rows[0]:
        said.append(
            f"Rows set aside in that time: {rough(rows[0], rule)}, by {counted(rows[1], 'rule')} "
            "(screen Data quality)."
        )
    if refused:
        said.append(f"Files refused as a whole in that time: {refused} (screen Data quality).")
    return said


def _cases(path: Path) -> tuple[list[str], set[str]]:
    """Return who is in the queue and why, in a fixed order, and which cases are open."""
    flagged = _rows(
        path, "select case_id || ' ' || kinds from published_queue where is_flagged order by all"
    )
    still_open = _rows(path, "select case_id from published_cases where is_open")
    return [row[0] for row in flagged], {row[0] for row in still_open}


def _news(last: LastDigest | None, queue_mark: str) -> str:
    if last is None:
        return "The supervision queue is on the screens."
    if last.queue_mark == queue_mark:
        return "The supervision queue is as it was at the last digest."
    return "The supervision queue has changed since the last digest."


def _follow_ups(
    places: Places, settings: Settings, rule: SuppressionRule, still_open: set[str], today: date
) -> str:
    """Return how many follow-ups have come; nothing where no review was ever recorded."""
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from data_contracts.review_words import review_words
    from data_contracts.workspace_engine import engine_to_read
    from data_contracts.workspace_tables import REVIEW_EVENTS

    columns = REVIEW_EVENTS.c
    asked = select(
        columns.case_id, columns.kind, columns.undoes, columns.sequence,
        columns.follow_up_on, columns.watch_until, columns.decision, columns.recorded_at,
    ).order_by(columns.case_id, columns.sequence)  # fmt: skip
    try:
        store = engine_to_read(places, settings)
        if store is None:
            return ""
        with store.connect() as connection:
            events = connection.execute(asked).all()
        store.dispose()
    except (ContractError, SQLAlchemyError):  # its text may hold an address with a password
        return "Follow-ups: not known, the store of reviews could not be read."
    undone = {(event.case_id, event.undoes) for event in events if event.kind == "undo"}
    latest = {
        event.case_id: review_words().days.rests_until(
            event.decision,
            chosen=event.watch_until or event.follow_up_on,
            decided_on=local_day(event.recorded_at),
        )
        for event in events
        if event.kind == "review" and (event.case_id, event.sequence) not in undone
    }
    due = sum(day <= today for case_id, day in latest.items() if case_id in still_open)
    return f"Follow-ups whose day has come: {rough(due, rule)}."


def _last_digest(places: Places) -> LastDigest | None:
    if not places.last_digest_file.exists():
        return None
    try:
        return LastDigest.model_validate_json(places.last_digest_file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError):  # of another version: as if none was sent
        return None


def _address(settings: Settings) -> str:
    return settings.sign_in.address or f"http://127.0.0.1:{settings.dashboard.port}"


def _rows(path: Path, query: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - what DuckDB takes and gives
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.sql(query, params=values or None).fetchall()
