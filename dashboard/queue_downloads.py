"""What can be taken out of the queue?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from dashboard.agenda import AgendaCase, agenda_pdf
from dashboard.download_buttons import Export, show_downloads
from dashboard.downloads import CSV, EXCEL, Sheet, as_csv, as_excel
from dashboard.origin import HOW_STATUS, Origin, origin_of
from dashboard.pdf_pages import PDF
from dashboard.queue_order import Hour, Row
from dashboard.queue_rows import Told
from dashboard.review_saving import today
from dashboard.review_sentences import queue_review_words
from dashboard.review_state import QueuePlace, ReviewState
from dashboard.sparkline import scores_in, sparkline, sparkline_words
from dashboard.visit import Visit
from dashboard.words import counted, mark, since


def show_queue_downloads(
    visit: Visit,
    rows: Sequence[Row],
    told: Told,
    hour: Hour,
    *,
    minutes: int,
    resting: int = 0,
    below: int = 0,
) -> None:
    """Draw the ways to take the queue out: the agenda of the hour, and the list.

    `rows` are all to talk about, worst need first; `hour` is what the screen shows of them;
    `resting` counts those decided about, `below` those below the line of a number of cases a week.
    """
    agenda = partial(
        _agenda,
        visit,
        hour,
        told,
        origin_of(visit, f"Agenda for supervision, {minutes} minutes", HOW_STATUS),
        minutes=minutes,
        remarks=_remarks(minutes, hour.waiting, told, resting, below),
    )
    everything = tuple(row["case_id"] for row in rows)
    listed = origin_of(visit, "Supervision queue", HOW_STATUS)
    files = [
        (
            f"Agenda for {minutes} minutes",
            f"agenda-{minutes}.pdf",
            PDF,
            agenda,
            hour.case_ids,
        ),
        ("List as CSV", "queue.csv", CSV, partial(_csv, rows, told), everything),
        ("List as Excel", "queue.xlsx", EXCEL, partial(_excel, rows, told, listed), everything),
    ]
    show_downloads(
        visit,
        [
            Export(
                kind="case",
                label=label,
                file_name=f"unstuck-{visit.snapshot.run_id}-{ending}",
                mime=mime,
                what=ending,
                make=make,
                case_ids=case_ids,
            )
            for label, ending, mime, make, case_ids in files
        ],
    )


def queue_sheet(rows: Sequence[Row], told: Told) -> Sheet:
    """Return the list to talk about as a table of words and numbers, worst need first."""
    schema = {
        "Order": pl.Int64,
        "Case": pl.String,
        "Therapist": pl.String,
        "Site": pl.String,
        "Flag": pl.String,
        "Why": pl.String,
        "Its place": pl.String,
        "Sessions attended": pl.Int64,
        "Days since last contact": pl.Int64,
        "Decided": pl.String,
    }
    lines = [
        (
            place,
            row["case_id"],
            row["therapist_id"],
            row["site_id"],
            mark(row["kind"]).word,
            row["sentence"],
            row["need_words"],
            row["sessions_attended"],
            row["days_since_contact"],
            queue_review_words(*told[row["case_id"]], today=today()) or "no decision yet",
        )
        for place, row in enumerate(rows, start=1)
    ]
    table = pl.DataFrame(lines, schema=schema, orient="row")
    return Sheet(name="Queue", rows=table, instead_of_null=["not known"] * len(table))


def _agenda(
    visit: Visit,
    hour: Hour,
    told: Told,
    origin: Origin,
    *,
    minutes: int,
    remarks: Sequence[str],
) -> bytes:
    cases = [_in_queue(visit, row, *told[row["case_id"]]) for row in hour.cases]
    look_backs = [_in_queue(visit, row, *told[row["case_id"]]) for row in hour.watched]
    look_backs += [_look_back(case, state) for case, state in hour.look_backs]
    return agenda_pdf(cases, look_backs, origin, minutes=minutes, remarks=remarks)


def _remarks(
    minutes: int, waiting: Sequence[Row], told: Told, resting: int, below: int
) -> list[str]:
    said = []
    if waiting:
        due = sum(told[row["case_id"]][1].why in ("due", "overdue") for row in waiting)
        others = f"Not in these {minutes} minutes: {counted(len(waiting), 'case')} of the list"
        said.append(f"{others}, {due} with a follow-up due." if due else f"{others}.")
    if below:
        said.append(f"{counted(below, 'flagged case')} below the line of cases a week.")
    if resting:
        said.append(f"{counted(resting, 'case')} decided about and resting.")
    return said


def _csv(rows: Sequence[Row], told: Told) -> bytes:
    return as_csv(queue_sheet(rows, told))


def _excel(rows: Sequence[Row], told: Told, origin: Origin) -> bytes:
    return as_excel([queue_sheet(rows, told)], origin)


def _in_queue(visit: Visit, row: Row, state: ReviewState, place: QueuePlace) -> AgendaCase:
    scores = scores_in(row["sparkline"])
    seen = row["sessions_attended"]
    facts = [
        "" if seen is None else f"{counted(seen, 'session')} attended",
        visit.last_contact(row["days_since_contact"]),
        since(row["since_session"], row["since_day"]),
        queue_review_words(state, place, today=today()),
    ]
    return AgendaCase(
        case=row["case_id"],
        who=row["therapist_id"] or "no therapist",
        mark=mark(row["kind"]).text,
        sentence=row["sentence"],
        facts=" · ".join(fact for fact in facts if fact),
        picture=sparkline(scores, row["scale_minimum"], row["scale_maximum"]),
        picture_words=sparkline_words(scores),
    )


def _look_back(case: Row, state: ReviewState) -> AgendaCase:
    return AgendaCase(
        case=case["case_id"],
        who=case["therapist_id"] or "no therapist",
        mark=mark(case["status"] or "cannot_judge").text,
        sentence="A follow-up is due. No flag is open now.",
        facts=queue_review_words(state, today=today()),
        picture="",
        picture_words="",
    )
