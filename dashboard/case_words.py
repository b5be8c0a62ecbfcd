"""Why is this case here, since when, and what would take it out again?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboard.chart_course import EventMark, FlagLine
from dashboard.reading import CaseRecord
from dashboard.time_axis import DAYS_IN_A_WEEK, TimeAxis
from dashboard.words import Mark, code_words, mark, number, since
from data_contracts.tables_judged import FLAG_KINDS, OUTLOOK_OUTCOMES, STATUSES_IN_ORDER

WHOLE_CASE = "case"
LEAVES = "leaves_"
ANSWERS_SHOWN = 5
PRIMARY_END = OUTLOOK_OUTCOMES[0]  # what an outlook is asked first


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the case as a whole stands on the run's day."""

    status: str
    code: str
    tags: str
    last_status: str
    since_words: str
    decided_by: str
    last_day: int | None
    occasion: int
    is_verified: bool
    rule_version: str


@dataclass(frozen=True, kw_only=True)
class SafetyItem:
    """A safety item: every answer as given, oldest first."""

    name: str
    answers: list[str]
    is_flagged: bool
    is_above_lowest: bool  # among the latest answers


@dataclass(frozen=True, kw_only=True)
class Block:
    """One thing found in the case: since when, why in sentences, and what would remove it."""

    heading: Mark
    since_words: str
    sentences: list[str]
    leaves: list[str]
    says_unverified: bool


def standing_of(record: CaseRecord) -> Standing | None:
    """Return the case's status; None where nothing could be judged at all."""
    rows = record.current.filter(pl.col("measure_id") == WHOLE_CASE).to_dicts()
    if not rows:
        return None
    row = rows[0]
    return Standing(
        status=row["status"],
        code=row["code"],
        tags=row["tags"],
        last_status=row["last_status"],
        since_words=since_day_words(record, row["since_day"]),
        decided_by=row["decided_by"],
        last_day=row["last_day"],
        occasion=row["occasion"],
        is_verified=row["is_verified"],
        rule_version=row["rule_version"],
    )


def session_of_day(record: CaseRecord, day: int | None) -> int | None:
    """Return the session on a day of the case; None where the practice sends no sessions."""
    return None if day is None else record.session_by_day.get(day)


def since_day_words(record: CaseRecord, day: int | None) -> str:
    """Return 'since session 8' or 'since day 57'."""
    return since(session_of_day(record, day), day)


def open_flags(record: CaseRecord) -> list[dict[str, Any]]:
    """Return the flags that are open now, worst first."""
    found = record.flags.filter(pl.col("closed_run_id").is_null()).to_dicts()
    return sorted(found, key=lambda flag: FLAG_KINDS.index(flag["kind"]))


def measure_names(record: CaseRecord) -> dict[str, str]:
    """Return the names of measures, and of their parts as 'phq9/item_9'."""
    return {
        measure_id if subscale == "total" else f"{measure_id}/{subscale}": name
        for measure_id, subscale, name in record.measures.select(
            "measure_id", "subscale", "name"
        ).rows()
    }


def case_blocks(record: CaseRecord) -> list[Block]:
    """Return why the case is here: a block for each open flag, worst first, then the status.

    Flags of the outcome take the sentences of the status at the last score; alliance and safety
    flags take their own.
    """
    standing = standing_of(record)
    flags = open_flags(record)
    blocks = []
    for flag in flags:
        kind = flag["kind"]
        if kind in STATUSES_IN_ORDER:
            reasons = _status_reasons(record, standing)
        else:
            reasons = _latest(record, flag["measure_id"]).filter(
                pl.col("code").is_in([kind, f"{LEAVES}{kind}"])
            )
        blocks.append(_block(mark(kind), since_day_words(record, flag["opened_day"]), reasons))
    if standing and standing.status not in {flag["kind"] for flag in flags}:
        reasons = _status_reasons(record, standing)
        blocks.append(_block(mark(standing.status), standing.since_words, reasons))
    return blocks


def _status_reasons(record: CaseRecord, standing: Standing | None) -> pl.DataFrame:
    whole = record.reasons.filter(pl.col("measure_id") == WHOLE_CASE)
    if standing is None:
        return whole.clear()
    whole = whole.filter(pl.col("occasion") == standing.occasion)
    return pl.concat([whole, _latest(record, standing.decided_by)])


def _latest(record: CaseRecord, measure_id: str) -> pl.DataFrame:
    reasons = record.reasons.filter(pl.col("measure_id") == measure_id)
    return reasons.filter(pl.col("occasion") == pl.col("occasion").max())


def _block(heading: Mark, since_words: str, reasons: pl.DataFrame) -> Block:
    leaves = pl.col("code").str.starts_with(LEAVES)
    return Block(
        heading=heading,
        since_words=since_words,
        sentences=reasons.filter(~leaves)["sentence"].unique(maintain_order=True).to_list(),
        leaves=reasons.filter(leaves)["sentence"].unique(maintain_order=True).to_list(),
        says_unverified="unverified" in reasons["code"],
    )


def flag_line(record: CaseRecord, axis: TimeAxis) -> FlagLine | None:
    """Return when the flag that leads the queue began; None where nothing is flagged."""
    row = record.queue_row
    if row is None or not row["is_flagged"]:
        return None
    time = row["since_session"] if axis.unit == "session" else row["since_day"]
    if time is None:
        return None
    if axis.unit == "week":
        time = time / DAYS_IN_A_WEEK
    words = since(row["since_session"], row["since_day"])
    return FlagLine(time=float(time), mark=mark(row["kind"]), words=words)


def event_marks(record: CaseRecord, measure_id: str, axis: TimeAxis) -> list[EventMark]:
    """Return the sudden gains and losses of a measure, where the axis has a place for them."""
    events = record.events.filter(
        (pl.col("measure_id") == measure_id) & pl.col("kind").str.starts_with("sudden")
    ).with_columns(at="day")
    return [
        EventMark(time=time, words=kind.replace("_", " "))
        for time, kind in axis.times(events).select("time", "kind").rows()
        if time is not None
    ]


def event_sentences(record: CaseRecord) -> list[str]:
    """Return what happened in the course beside its flags, in the order of time.

    Of a pattern of ratings that came and went only the last spell is told.
    """
    is_pattern = pl.col("kind").str.starts_with("alliance")
    spells = record.events.filter(is_pattern).unique(
        ["measure_id", "kind"], keep="last", maintain_order=True
    )
    said = record.events.filter(~is_pattern)["sentence"].to_list()
    for row in spells.to_dicts():
        until = since(row["until_session"], row["until_day"]).replace("since", "until")
        if row["until_occasion"] is not None:
            until = until or "over by now"
        when = " ".join(part for part in (since(row["session"], row["day"]), until) if part)
        said.append(f"{when.capitalize()}: {row['sentence']}" if when else row["sentence"])
    return said


def outlook_sentences(record: CaseRecord, measure_id: str) -> list[str]:
    """Return how the case may end on a measure, or what stands in; nothing for a closed case."""
    rows = record.outlooks.filter(pl.col("measure_id") == measure_id)
    said = rows.filter((pl.col("outcome") == PRIMARY_END) | pl.col("probability").is_not_null())
    return said.sort(pl.col("outcome") != PRIMARY_END, "outcome")["sentence"].to_list()


def heading_sentences(record: CaseRecord, measure_id: str) -> list[str]:
    """Return where the case may be heading on a measure; nothing for a closed case."""
    rows = record.forecasts.filter(pl.col("measure_id") == measure_id)
    return json.loads(rows["sentences"][0]) if len(rows) else []


def safety_answers(record: CaseRecord) -> list[SafetyItem]:
    """Return each safety item with its answers as given."""
    names = measure_names(record)
    flagged = {flag["measure_id"] for flag in open_flags(record) if flag["kind"] == "safety"}
    found = []
    for item in record.measures.filter("is_safety").to_dicts():
        answers = record.course.filter(
            (pl.col("measure_id") == item["measure_id"]) & (pl.col("subscale") == item["subscale"])
        )
        if len(answers):
            said = [
                f"{since(session, day).removeprefix('since ')}: {number(value)}"
                for session, day, value in answers.select("session", "day", "value").rows()
            ]
            key = f"{item['measure_id']}/{item['subscale']}"
            found.append(
                SafetyItem(
                    name=names[key],
                    answers=said,
                    is_flagged=key in flagged,
                    is_above_lowest=bool(
                        (answers["value"].tail(ANSWERS_SHOWN) > item["minimum"]).any()
                    ),
                )
            )
    return found


def status_history(record: CaseRecord) -> pl.DataFrame:
    """Return the status at each occasion as a table of words, latest first."""
    standing = standing_of(record)
    names = measure_names(record)
    totals = record.course.filter(pl.col("subscale") == "total")
    rows = []
    for row in record.statuses.filter(pl.col("measure_id") == WHOLE_CASE).to_dicts():
        decided = row["decided_by"] or (standing.decided_by if standing else "")
        scored = totals.filter(
            (pl.col("measure_id") == decided) & (pl.col("day").eq_missing(row["day"]))
        )
        when = since(session_of_day(record, row["day"]), row["day"]).removeprefix("since ")
        rows.append(
            {
                "When": when or f"at {row['at']}",
                "Score": f"{names.get(decided, decided)} {number(scored['value'][0])}"
                if len(scored)
                else "",
                "Status": mark(row["status"]).text,
                "Because": code_words(row["code"]),
            }
        )
    return pl.DataFrame(rows[::-1])


def flag_history(record: CaseRecord) -> pl.DataFrame:
    """Return every flag the case ever had as a table of words."""
    names = measure_names(record)
    rows = []
    for flag in record.flags.to_dicts():
        closed = session_of_day(record, flag["closed_day"]), flag["closed_day"]
        rows.append(
            {
                "Flag": mark(flag["kind"]).text,
                "Measure": names.get(flag["measure_id"], flag["measure_id"]),
                "From": since_day_words(record, flag["opened_day"]).removeprefix("since "),
                "Until": since(*closed).removeprefix("since ")
                or ("open" if flag["closed_run_id"] is None else "closed"),
            }
        )
    return pl.DataFrame(rows)
