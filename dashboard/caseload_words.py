"""How are a therapist's cases, in words: now, and when they had ended?

No sentence ranks, blames or names a cause; GLOSSARY.md says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dashboard.words import counted, mark, since
from data_contracts.suppression import suppression_rule
from data_contracts.tables_judged import FLAG_KINDS, STATUSES_IN_ORDER

MINUS = "\N{MINUS SIGN}"
_BEYOND = {"beyond 95 %": "5 in 100", "beyond 99.8 %": "2 in 1,000"}

HOW_COMPUTED = """
**Cases now.** Statuses, flags and sentences are those of the last published night, as in the queue.

**Ended cases.** Cases that begin high have farther to fall. So each ended case is compared with the
change that is usual from where it began: its severity adjusted effect size, in standard deviations
of the first score (SAES; psychoutcomes.org, read). The therapist's mean is then drawn towards the
mean of all, the more the fewer cases there are (a random intercept, fitted by REML); the interval
counts in that mean and spread are themselves estimated. Of all differences in outcome about 5 to
8 in 100 parts go with the therapist (Saxon, Firth and Barkham 2016: 5.8 %, read).

**What chance allows.** Limits around the mean of all within which chance alone keeps 95, and 998 of
1,000, means of so many cases (funnel limits; Spiegelhalter 2005, recalled, unverified). Where
therapists here differ more than chance explains, the limits are widened by as much.

**Not shown.** Anything about few cases, or that would give a small number away; exact counts; any
other therapist; any rank. Two therapists whose intervals overlap cannot be told apart, and nearly
all overlap. Who is sent to whom, who stays until the last score and when is measured differ too,
and no adjustment knows that. How often the intervals held in trials: docs/caseload.md.
"""


def now_sentences(therapist_id: str, cases: pl.DataFrame) -> list[str]:
    """Return how the open cases stand, and which have waited longest.

    `cases` is as `reading.open_cases` returns it; not empty.
    """
    counts = dict(cases["status"].value_counts().iter_rows())
    mix = ", ".join(
        f"{counts[status]} {mark(status).text}" for status in STATUSES_IN_ORDER if status in counts
    )
    said = [f"{therapist_id} has {counted(cases.height, 'open case')}: {mix}."]
    flagged = cases.filter(pl.col("is_flagged").fill_null(value=False))
    if flagged.is_empty():
        return [*said, "None of them is flagged."]
    kinds = dict(flagged["kind"].value_counts().iter_rows())
    listed = ", ".join(f"{kinds[kind]} {mark(kind).text}" for kind in FLAG_KINDS if kind in kinds)
    are = "is" if flagged.height == 1 else "are"
    return [*said, f"{flagged.height} {are} flagged: {listed}.", *_waiting(flagged)]


def _waiting(flagged: pl.DataFrame) -> list[str]:
    said = []
    longest = flagged.drop_nulls("waiting_days").sort("waiting_days", descending=True)
    if longest.height:
        row = longest.row(0, named=True)
        began = since(row["since_session"], row["since_day"])
        days = counted(row["waiting_days"], "day")
        said.append(f"Flagged longest: {row['case_id']}, {began}, {days} ago.")
    unseen = flagged.drop_nulls("days_since_contact").sort("days_since_contact", descending=True)
    if unseen.height:
        row = unseen.row(0, named=True)
        said.append(
            f"Of the flagged, not seen for longest: {row['case_id']}, "
            f"{counted(row['days_since_contact'], 'day')}."
        )
    return said


def ended_sentences(row: dict[str, Any] | None, preset: str) -> list[str]:
    """Return what came of the ended cases, given how they began; or why nothing is said."""
    if row is None:
        return [
            "No ended case of this therapist could be counted yet. A case counts when its care has "
            "ended, it began in the clinical range, and it has a first and a last score."
        ]
    if row["is_suppressed"]:
        fewest = suppression_rule(preset).hide_up_to + 1
        return [
            "Too few ended cases to say anything fair about their outcome: at least "
            f"{fewest} are needed, and nothing is shown where it would give a smaller number away."
        ]
    said = [
        f"About {row['case_count']} ended cases count. Their mean gain as it is, given how they "
        f"began: {signed(row['mean_saes'])} standard deviations of the first score."
    ]
    if row["effect"] is None:
        return [
            *said,
            "There are too few therapists with ended cases here to say what of this is chance: no "
            "estimate is shown.",
        ]
    return [*said, _effect(row), *_place(row)]


def _effect(row: dict[str, Any]) -> str:
    low, high = row["effect_low"], row["effect_high"]
    interval = f"(95 % interval {signed(low)} to {signed(high)})"
    start = (
        "Allowing for how few cases this is, the difference from the mean of all therapists' cases "
        f"is about {signed(row['effect'])} {interval}"
    )
    if low > 0:
        return f"{start}: above it. Worth asking what others could learn from it."
    if high < 0:
        return (
            f"{start}: below it. A reason to look together at which cases come, who stays, and "
            "when is measured."
        )
    if row["funnel"] in _BEYOND:
        return f"{start}. The interval holds zero: with so few cases the estimate stays unsure."
    return f"{start}. The interval holds zero: these cases cannot be told apart from all others."


def _place(row: dict[str, Any]) -> list[str]:
    if row["funnel"] not in _BEYOND:
        return ["The mean as it is lies within what chance alone explains for so many cases."]
    return [
        "The mean as it is lies where chance alone puts "
        f"{_BEYOND[row['funnel']]} therapists with so many cases: worth looking at these cases "
        "together."
    ]


def signed(value: float) -> str:
    """Return a difference with its sign, as printed: a plus or a true minus, none for zero."""
    shown = f"{value:+.2f}".replace("-", MINUS)
    return "0.00" if shown[1:] == "0.00" else shown


def effect_alternative(row: dict[str, Any], sentences: Sequence[str]) -> str:
    """Return the picture of an effect in words, for who cannot see it."""
    low, high = (row[f"funnel_{end}_95"] - row["mean_of_all"] for end in ("low", "high"))
    return (
        "Difference from the mean of all therapists' cases, in standard deviations of the first "
        f"score. Chance alone keeps 95 in 100 means of so many cases between {signed(low)} and "
        f"{signed(high)}. {' '.join(sentences)}"
    )
