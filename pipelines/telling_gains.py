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
from models.sudden_change_courses import ScoresError
from models.sudden_change_events import sudden_changes, sudden_changes_in_columns
from models.sudden_change_summary import count_intervals, describe_cases, describe_changes
from models.sudden_change_tables import REASONS
from pipelines.reading_columns import moments, read_columns
from pipelines.telling_flags import counted

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
    if in_order:
        return _numbered(named, first_session, time, file)
    if not (named["session"].dtype.is_numeric() or named["session"].dtype == pl.Null):
        message = (
            f"column {time!r} of {file.name}: sessions must be numbers (1, 2, 3 ...); with "
            "--in-order a date numbers the rows of a case"
        )
        raise SourceError(message)
    return named


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


def _numbered(scores: pl.DataFrame, first_session: int, time: str, file: Path) -> pl.DataFrame:
    when = moments(scores["session"], time, file)
    ordered = scores.with_columns(session=when).sort("case_id", "session")
    twice = ordered.height - ordered.n_unique(["case_id", "session"])
    if twice:
        raise SourceError(
            f"{file.name}, column {time!r}: {counted(twice, 'row')} with the case and time of "
            "another: which comes first?"
        )
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
        try:
            return sudden_changes_in_columns(wide, rule, planned_sessions=planned_sessions)
        except ScoresError as error:
            raise ScoresError(f"{file.name}: {error}") from None
    scores = scores_of(
        file,
        case=case,
        time=time,
        score=score,
        first_session=rule.first_session,
        in_order=in_order,
    )
    try:
        return sudden_changes(scores, rule, planned_sessions=planned_sessions)
    except ScoresError as error:
        columns = f"columns {case!r}, {time!r}, {score!r}"
        raise ScoresError(f"{file.name} ({columns}): {error}") from None


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
        f"{_events_told(found.events.height, kind)} in {cases.cases_with_change} of "
        f"{counted(cases.judged_count, 'case')} that could be judged; "
        f"{counted(intervals.judged, 'interval')} judged, {intervals.not_judged} not."
    )
    lines += [
        f"{counted(count, 'case')} could not be judged: {REASONS[reason]}."
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


def _events_told(count: int, kind: str) -> str:
    many = "gains" if kind == "gain" else "losses"
    return f"1 sudden {kind}" if count == 1 else f"{count} sudden {many}"


def _told(score: object) -> str:
    return "no score" if score is None else f"{score:g}"


def _by_reason(found: SuddenChanges) -> dict[str, int]:
    counted = found.series["reason"].drop_nulls().value_counts(name="count")
    by_reason = dict(counted.iter_rows())
    return {reason: by_reason[reason] for reason in REASONS if reason in by_reason}
