"""What is talked about in the hour, in which order, and for how long?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any

from dashboard.origin import NOT_A_DIAGNOSIS, Origin
from dashboard.pdf_pages import as_pdf
from dashboard.queue_order import MINUTES_A_CASE, ORDER_IN_WORDS
from dashboard.words import counted

SENTENCE_LETTERS = 200


@dataclass(frozen=True, kw_only=True)
class AgendaCase:
    """A case on the agenda.

    `mark` is shape and word; `who` the therapist; `facts` small print; `picture` an SVG of its
    scores, '' where there is none, and `picture_words` the same in words.
    """

    case: str
    who: str
    mark: str
    sentence: str
    facts: str
    picture: str
    picture_words: str


def agenda_pdf(
    cases: Sequence[AgendaCase],
    look_backs: Sequence[AgendaCase],
    origin: Origin,
    *,
    minutes: int,
    remarks: Sequence[str] = (),
) -> bytes:
    """Return the agenda of these cases; `remarks` say who is not on it."""
    told = [(case, f"{MINUTES_A_CASE} min") for case in cases]
    told += [(case, "short") for case in look_backs]
    facts = (
        f"{counted(len(cases), 'case')}, {MINUTES_A_CASE} minutes each (chosen, not a finding), in "
        f"the order of the screen: worst need first, safety items before all. {ORDER_IN_WORDS}"
    )
    return as_pdf(
        "pdf_agenda.typ",
        {
            "heading": f"Supervision, {minutes} minutes",
            "facts": facts if told else "",
            "note": NOT_A_DIAGNOSIS,
            "nothing": "Nothing waits to be talked about.",
            "rows": [_row(case, place, time) for place, (case, time) in enumerate(told, 1)],
            "remarks": list(remarks),
        },
        origin,
    )


def _row(case: AgendaCase, place: int, time: str) -> dict[str, Any]:
    sentence = shorten(case.sentence, SENTENCE_LETTERS, placeholder=" … more on screen")
    return asdict(case) | {"sentence": sentence, "place": place, "time": time}
