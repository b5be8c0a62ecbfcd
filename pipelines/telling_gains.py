"""Find sudden gains or losses in a file of scores; tell them as text or JSON.

The file is looked at and left as it is: nothing lands, nothing is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.errors import SourceError
from models.sudden_change_events import sudden_changes, sudden_changes_in_columns
from models.sudden_change_summary import count_intervals, describe_cases, describe_changes
from models.sudden_change_tables import REASONS
from pipelines.reading_columns import read_columns

if TYPE_CHECKING:
    from models.sudden_change import SuddenChangeRule
    from models.sudden_change_tables import SuddenChanges

CAVEAT = (
    "Events that describe a course; none is a flag. Courses without any true change show them too: "
    "5 to 27 of 100 on a measure of reliability .9 to .7 (R30)."
)


def scores_of(
    file: Path, *, case: str, time: str, score: str, first_session: int, in_order: bool
) -> pl.DataFrame:
    """Read the columns `case_id, session, score` from a CSV or Parquet file.

    Parameters
    ----------
    in_order
        Number the rows of a case by `time`, instead of taking `time` for the session's number.

    Raises
    ------
    SourceError
        If the file or a column is missing, or the file cannot be read.
    """
    columns = [case, time, score]
    if len(set(columns)) < len(columns):
        raise SourceError("case, time and score must be three columns")
    named = read_columns(file, {"case_id": case, "session": time, "score": score})
    return _numbered(named, first_session) if in_order else named


def wide_scores_of(file: Path, *, case: str, session_columns: list[str]) -> pl.DataFrame:
    """Read `case_id` and a column a session, in order, from a file with one row a case.

    Raises
    ------
    SourceError
        If the file or a column is missing, or the file cannot be read.
    """
    columns = [case, *session_columns]
    if len(set(columns)) < len(columns):
        raise SourceError("a column is named twice: case and sessions are a column each")
    named = {"case_id": case, **{name: name for name in session_columns}}
    return read_columns(file, named, numbers=session_columns)


def _numbered(scores: pl.DataFrame, first_session: int) -> pl.DataFrame:
    ordered = scores.sort("case_id", "session")
    untold = ordered["session"].null_count()
    if untold:
        raise SourceError(f"{untold} rows have no time: they cannot be put in order")
    twice = ordered.height - ordered.n_unique(["case_id", "session"])
    if twice:
        raise SourceError(f"{twice} rows have the case and time of another: which comes first?")
    place = pl.int_range(first_session, pl.len() + first_session).over("case_id")
    return ordered.with_columns(session=place)


def gains(
    file: Path,
    rule: SuddenChangeRule,
    *,
    case: str,
    time: str,
    score: str,
    in_order: bool,
    planned_sessions: int | None,
    session_columns: list[str],
) -> SuddenChanges:
    """Return the sudden changes in a file: one row a score, or a column a session."""
    if session_columns:
        wide = wide_scores_of(file, case=case, session_columns=session_columns)
        return sudden_changes_in_columns(wide, rule, planned_sessions=planned_sessions)
    scores = scores_of(
        file,
        case=case,
        time=time,
        score=score,
        first_session=rule.first_session,
        in_order=in_order,
    )
    return sudden_changes(scores, rule, planned_sessions=planned_sessions)


def gains_as_json(found: SuddenChanges) -> str:
    """Return one object: rule, counts, figures, events, and who could not be judged why."""
    refused = found.series.filter(pl.col("reason").is_not_null())
    head = {
        "rule": asdict(found.rule),
        "cases": asdict(describe_cases(found)),
        "changes": asdict(describe_changes(found)),
        "intervals": asdict(count_intervals(found)),
        "not_judged_by_reason": _by_reason(found),
        "caveat": CAVEAT,
    }
    tables = {
        "events": found.events.write_json(),
        "not_judged": refused.select("case_id", "score_count", "reason").write_json(),
    }
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    parts += [f"{json.dumps(name)}: {table}" for name, table in tables.items()]
    return "{" + ",\n ".join(parts) + "}"


def gains_as_text(found: SuddenChanges) -> str:
    """Return a line an event, then what they add up to."""
    kind = found.rule.direction
    lines = [_line(event, kind) for event in found.events.iter_rows(named=True)]
    cases = describe_cases(found)
    intervals = count_intervals(found)
    lines.append(
        f"{found.events.height} sudden {'gains' if kind == 'gain' else 'losses'} in "
        f"{cases.cases_with_change} of {cases.judged_count} cases that could be judged; "
        f"{intervals.judged} intervals judged, {intervals.not_judged} not."
    )
    lines += [
        f"{count} cases could not be judged: {REASONS[reason]}."
        for reason, count in _by_reason(found).items()
    ]
    return "\n".join([*lines, CAVEAT])


def _line(event: dict[str, object], kind: str) -> str:
    session = event["session"]
    outlook = {True: "given back by half later on", False: "held", None: "no later score"}
    return (
        f"{event['case_id']}: {kind} between sessions {session} and {int(str(session)) + 1}, "
        f"{_told(event['score_before'])} to {_told(event['score_after'])} "
        f"({outlook[event['is_reversed']]})"  # type: ignore[index]  # a column of truths
    )


def _told(score: object) -> str:
    return "no score" if score is None else f"{score:g}"


def _by_reason(found: SuddenChanges) -> dict[str, int]:
    counted = found.series["reason"].drop_nulls().value_counts(name="count")
    by_reason = dict(counted.iter_rows())
    return {reason: by_reason[reason] for reason in REASONS if reason in by_reason}
