"""Which cases are flagged, and why? Answers from the published snapshot, now or in the past.

Two questions about time (docs/data_model.md): `as of` a date or practice day asks what was SHOWN
then; `at day` N asks what the rule of today says with a case's data up to its day N.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import duckdb
import polars as pl

from data_contracts.errors import UnknownCaseError
from data_contracts.places import Places
from data_contracts.tables_judged import FLAG_KINDS
from pipelines.sql import statement

_STEM = "answers"
_STATUS_KINDS = ("stuck", "deteriorating")
_STALE = "cannot_judge.stale"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One flag of a case, or a case without any (`kind` None); the fields of `flags --json`.

    `occasions` counts the scored days of the measure from its baseline on; `since_occasion` and
    `since_day` say when the flag (else the status) began; `gain` is positive where it is better.
    """

    case_id: str
    therapist_id: str | None
    kind: str | None
    measure: str | None
    status: str
    code: str
    tags: list[str]
    since_occasion: int | None
    since_day: int | None
    occasions: int | None
    first_score: float | None
    last_score: float | None
    gain: float | None
    reasons: list[str]
    as_of: str
    run_id: str
    rule_version: str
    verified: bool

    def to_json(self) -> dict[str, object]:
        """Return the fields as JSON knows them."""
        return asdict(self)


class Snapshot:
    """The published cases, opened read-only by the run's own file name."""

    def __init__(self, places: Places) -> None:
        self.pointer = places.pointer()
        self._path = places.published / self.pointer.cases

    def frame(self, name: str, **parameters: object) -> pl.DataFrame:
        """Return the rows of one statement of answers.sql."""
        with closing(duckdb.connect(str(self._path), read_only=True)) as connection:
            return connection.sql(statement(_STEM, name), params=parameters or None).pl()


def flags_now(places: Places, *, everything: bool = False) -> list[Answer]:
    """Return open flags of open cases in the order of the queue, worst need first.

    With `everything` also the cases without a flag, by their id.
    """
    snapshot = Snapshot(places)
    told = f"run of {snapshot.pointer.published_at:%Y-%m-%d %H:%M} UTC"
    if snapshot.pointer.as_of is not None:
        told = f"practice day {snapshot.pointer.as_of}, {told}"
    found = _answers(
        snapshot,
        snapshot.frame("cases_now"),
        snapshot.frame("open_flags"),
        as_of=told,
        everything=everything,
    )
    return _worst_first(found, dict(snapshot.frame("queue_order").iter_rows()))


def flags_at_day(places: Places, day: int, *, everything: bool = False) -> list[Answer]:
    """Return what the rule of today says with every case's data up to its day."""
    snapshot = Snapshot(places)
    return _answers(
        snapshot,
        snapshot.frame("cases_at_day", day=day),
        snapshot.frame("flags_at_day", day=day),
        as_of=f"day {day} of each case",
        everything=everything,
    )


def flags_as_of(places: Places, moment: date | int, *, everything: bool = False) -> list[Answer]:
    """Return what was shown on a date, or by the run of a practice day."""
    snapshot = Snapshot(places)
    if isinstance(moment, date):
        shown = snapshot.frame("shown_by_date", date=moment)
        told = f"shown on {moment.isoformat()}"
    else:
        shown = snapshot.frame("shown_by_run_day", day=moment)
        told = f"shown on practice day {moment}"
    therapists = dict(snapshot.frame("therapists").iter_rows())
    flags = snapshot.frame("flag_history")
    found = []
    for row in shown.filter(pl.col("measure_id") == "case").iter_rows(named=True):
        kinds: list[str | None] = [kind for kind in row["kinds"].split(",") if kind]
        if not kinds and everything:
            kinds = [None]
        found += [
            Answer(
                case_id=row["case_id"],
                therapist_id=therapists.get(row["case_id"]),
                kind=kind,
                measure=flag["measure_id"] if flag else row["decided_by"],
                status=row["status"],
                code=row["code"],
                tags=[],
                since_occasion=flag["opened_occasion"] if flag else row["since_occasion"],
                since_day=flag["opened_day"] if flag else row["since_day"],
                occasions=row["occasion"] + 1,
                first_score=row["first_score"],
                last_score=row["last_score"],
                gain=row["gain"],
                reasons=json.loads(row["sentences"]),
                as_of=told,
                run_id=row["run_id"],
                rule_version=json.loads(row["versions"])["rule"],
                verified=row["is_verified"],
            )
            for kind in kinds
            for flag in [_flag_then(flags, row["case_id"], kind, row["run_id"])]
        ]
    return _worst_first(found, {})


def _flag_then(
    flags: pl.DataFrame, case_id: str, kind: str | None, run_id: str
) -> dict[str, Any] | None:
    """Return the flag of a kind that a run had open for a case."""
    found = flags.filter(
        (pl.col("case_id") == case_id)
        & (pl.col("kind") == kind)
        & (pl.col("opened_run_id") <= run_id)
        & (pl.col("closed_run_id").is_null() | (pl.col("closed_run_id") > run_id))
    )
    return found.row(0, named=True) if found.height else None


def answers_for_case(
    places: Places, case_id: str, *, moment: date | int | None = None, day: int | None = None
) -> list[Answer]:
    """Return a case's flags, or its standing where it has none.

    Raises
    ------
    UnknownCaseError
        If nothing is published of this case (at that time).
    """
    if day is not None:
        found = flags_at_day(places, day, everything=True)
    elif moment is not None:
        found = flags_as_of(places, moment, everything=True)
    else:
        found = flags_now(places, everything=True)
    of_case = [answer for answer in found if answer.case_id == case_id]
    if not of_case:
        message = (
            f"nothing is published of a case {case_id!r} at that time: "
            "'unstuck flags --all' lists the cases there are"
        )
        raise UnknownCaseError(message)
    return of_case


def _answers(
    snapshot: Snapshot,
    cases: pl.DataFrame,
    flags: pl.DataFrame,
    *,
    as_of: str,
    everything: bool,
) -> list[Answer]:
    rows = cases.join(flags, on="case_id", how="left" if everything else "inner")
    points = snapshot.frame("points")
    firsts = {
        (case_id, measure_id, occasion): (baseline, value, gain)
        for case_id, measure_id, occasion, baseline, value, gain in points.iter_rows()
    }
    therapists = dict(snapshot.frame("therapists").iter_rows())
    verified = dict(snapshot.frame("verified").iter_rows())
    sentences = _sentences(snapshot.frame("reasons"))
    found = []
    for row in rows.iter_rows(named=True):
        measure = row["measure_id"] or row["measure"]
        first, last, gain = firsts.get(
            (row["case_id"], row["measure"], row["occasion"]), (None, None, None)
        )
        has_flag = row["kind"] is not None
        codes, reasons = _reasons(row, sentences)
        recalled = any(code.startswith("unverified") for code in codes)
        found.append(
            Answer(
                case_id=row["case_id"],
                therapist_id=therapists.get(row["case_id"]),
                kind=row["kind"],
                measure=measure,
                status=row["status"],
                code=row["code"],
                tags=[tag for tag in row["tags"].split(",") if tag],
                since_occasion=row["opened_occasion"] if has_flag else row["since_occasion"],
                since_day=row["opened_day"] if has_flag else row["since_day"],
                occasions=None if row["occasion"] is None else row["occasion"] + 1,
                first_score=first,
                last_score=last,
                gain=gain,
                reasons=reasons,
                as_of=as_of,
                run_id=snapshot.pointer.run_id,
                rule_version=row["rule_version"],
                verified=not recalled if has_flag else bool(verified.get(measure, False)),
            )
        )
    return _worst_first(found, {})


def _sentences(reasons: pl.DataFrame) -> dict[tuple[str, str], list[tuple[int, str, str]]]:
    """Return (occasion, code, sentence) in order by case and measure."""
    found: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for case_id, measure_id, occasion, _, code, sentence in reasons.iter_rows():
        found.setdefault((case_id, measure_id), []).append((occasion, code, sentence))
    return found


def _reasons(
    row: dict[str, object], sentences: dict[tuple[str, str], list[tuple[int, str, str]]]
) -> tuple[list[str], list[str]]:
    """Return codes and sentences of a flag (or of the status) at the occasion asked for."""
    case_id, kind = str(row["case_id"]), row["kind"]
    if kind is not None and kind not in _STATUS_KINDS:
        own = [
            said
            for said in sentences.get((case_id, str(row["measure_id"])), [])
            if said[1] in (kind, f"leaves_{kind}", f"unverified_{kind}")
        ]
        wanted = row["said_occasion"]  # of a day in the past: what was said when it opened
        newest = max((occasion for occasion, _, _ in own), default=0)
        chosen = [said for said in own if said[0] == (newest if wanted is None else wanted)]
    else:
        is_stale = row["code"] == "stale"
        chosen = [
            said
            for said in sentences.get((case_id, "case"), [])
            if said[0] == row["case_occasion"] and (is_stale or said[1] != _STALE)
        ] + [
            said
            for said in sentences.get((case_id, str(row["measure"])), [])
            if said[0] == row["occasion"] and said[1] != _STALE
        ]
    return [code for _, code, _ in chosen], [text for _, _, text in chosen]


def _worst_first(found: list[Answer], queue: Mapping[str, int]) -> list[Answer]:
    """Sort by place in the queue; where there is none, by the worst flag of a case, then its id."""
    kinds = {kind: place for place, kind in enumerate(FLAG_KINDS)}
    worst: dict[str, int] = {}
    for answer in found:
        kind = kinds.get(answer.kind or "", len(kinds))
        worst[answer.case_id] = min(kind, worst.get(answer.case_id, kind))
    return sorted(
        found,
        key=lambda answer: (
            queue.get(answer.case_id, len(queue) + 1),
            worst[answer.case_id],
            answer.case_id,
            kinds.get(answer.kind or "", len(kinds)),
        ),
    )
