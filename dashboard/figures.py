"""What does each figure over many cases mean, of which cases, and what goes with it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboard.words import mark
from data_contracts.suppression import suppression_rule
from data_contracts.tables_judged import STATUSES_IN_ORDER

ALL = "all"
NOW = "now"
NO_CALENDAR = "no calendar"
STATUS_MIX = "status_mix"
IN_TIME = pl.col("period").str.extract(r"(-?\d+)").cast(pl.Int64)
"""Sorts periods: "quarter 100" comes after "quarter 99"."""
DROP_OUT_MISSING = (
    "Drop-out is not shown: no kind of end that is known as drop-out has been sent. Where the "
    "practice has codes of its own, they are named in its settings: care.drop_out_codes."
)
COMPLETENESS = "completeness"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure: its title, what it counts and of how many, and how it is computed."""

    name: str
    title: str
    counts: str
    denominator: str
    computed: str = ""
    """How, in sentences; "" of a figure this version does not know."""
    source: str = ""
    dated_by: str = "the end of care"


_PAIR = (
    "First against last score of the measure that stands for the case, within one course of care. "
    "Cases without both are not counted here; how many there are stands under “Outcome known”."
)
_CHANGE = "Jacobson and Truax: R28; the points of each measure: docs/measures.md."
_FIRST_CHANGE = (
    "Counted is the first score at least one clear change better than the start, whether or not it "
    "lasted; the session is the number attended by then (of scored days where no sessions are "
    "sent). Care that ended earlier without such a score counts as not improved by then. Open "
    "cases are not counted, so no time is cut off; cases that ended soon are early in this figure."
)
_SESSIONS = (
    "The interval takes sessions for independent; those of one client are alike, so it is too "
    "narrow."
)
_WAIT = (
    "Days from referral to the first session the client came to. Only those who came are counted: "
    "who still waits, or never came, is not in this figure. By the day of that session."
)

_FIGURES = (
    Figure(
        name="reliable_improvement",
        title="Clearly better at the end",
        counts="ended at least one clear change better than they started",
        denominator="ended cases with a first and a last score",
        computed=f"A clear change is more than measurement error explains. {_PAIR}",
        source=_CHANGE,
    ),
    Figure(
        name="recovery",
        title="Out of the clinical range at the end",
        counts="ended outside it",
        denominator="ended cases that started in the clinical range",
        computed=f"The last score lies beyond the cut-off of the measure. {_PAIR}",
        source="Cut-offs of each measure: docs/measures.md.",
    ),
    Figure(
        name="reliable_recovery",
        title="Recovered: out of the clinical range and clearly better",
        counts="ended outside it and at least one clear change better",
        denominator="ended cases that started in the clinical range",
        computed=f"Beyond the cut-off, and better by a clear change. {_PAIR}",
        source=_CHANGE,
    ),
    Figure(
        name="deterioration",
        title="Clearly worse at the end",
        counts="ended at least one clear change worse than they started",
        denominator="ended cases with a first and a last score",
        computed=f"The same change, for the worse. Scores do not say why. {_PAIR}",
        source=_CHANGE,
    ),
    Figure(
        name="improved_by_4",
        title="A first clear improvement by session 4",
        counts="had been clearly better than at the start at least once by session 4",
        denominator="ended cases with a first and a last score",
        computed=_FIRST_CHANGE,
        source=_CHANGE,
    ),
    Figure(
        name="improved_by_8",
        title="A first clear improvement by session 8",
        counts="had been clearly better than at the start at least once by session 8",
        denominator="ended cases with a first and a last score",
        computed=_FIRST_CHANGE,
        source=_CHANGE,
    ),
    Figure(
        name="improved_by_16",
        title="A first clear improvement by session 16",
        counts="had been clearly better than at the start at least once by session 16",
        denominator="ended cases with a first and a last score",
        computed=_FIRST_CHANGE,
        source=_CHANGE,
    ),
    Figure(
        name="drop_out",
        title="Ended by dropping out",
        counts="ended without an agreed end",
        denominator="ended cases whose kind of end is known",
        computed="The kind of end as the practice sends it: dropped_out, drop_out, dropout, or a "
        "code that its settings name (care.drop_out_codes). Any other kind counts as not "
        "dropped out: ask whether that list is whole.",
        source="The practice's own codes; definitions of drop-out differ widely between services.",
    ),
    Figure(
        name="attendance",
        title="Sessions attended",
        counts="were attended",
        denominator="sessions offered",
        computed="Every session sent, from number 1 on, of open and ended cases; hidden where the "
        f"number stands for few people. {_SESSIONS}",
        source="The practice's own sessions.",
        dated_by="the session",
    ),
    Figure(
        name="waiting_42",
        title="First session within 42 days of referral",
        counts="came to a first session within 42 days of referral",
        denominator="cases with a day of referral and a first session",
        computed=_WAIT,
        source="England reports waits up to 6 weeks (42 days): known from memory, in no source of "
        "ours yet.",
        dated_by="the first session",
    ),
    Figure(
        name="waiting_126",
        title="First session within 126 days of referral",
        counts="came to a first session within 126 days of referral",
        denominator="cases with a day of referral and a first session",
        computed=_WAIT,
        source="England reports waits up to 18 weeks (126 days): known from memory, in no source "
        "of ours yet.",
        dated_by="the first session",
    ),
    Figure(
        name="paired",
        title="Outcome known",
        counts="have a first and a last score",
        denominator="ended cases",
        computed="A score to start from and at least one after it, of a measure with a known "
        "clear change. Outcomes of the others are not known: they may differ.",
        source="docs/status_rule.md, “Baseline, gaps”.",
    ),
    Figure(
        name=COMPLETENESS,
        title="Sessions with a score",
        counts="have a score",
        denominator="attended sessions",
        computed="Attended sessions with the total of an outcome measure, by the number of the "
        f"session or on its day; hidden where the number stands for few people. {_SESSIONS}",
        source="The practice's own sessions and scores.",
        dated_by="the session",
    ),
)


def figure_named(name: str) -> Figure:
    """Return a figure; one this screen does not know is shown under its own name."""
    known = {figure.name: figure for figure in _FIGURES}
    words = name.replace("_", " ")
    return known.get(name) or Figure(
        name=name, title=words.capitalize(), counts=f"count as {words}", denominator="cases"
    )


def outcome_figures(trends: pl.DataFrame) -> list[Figure]:
    """Return the figures of cases to show as trends, the known ones first and in their order."""
    present = set(trends["figure"]) - {STATUS_MIX, COMPLETENESS}
    known = [figure for figure in _FIGURES if figure.name in present]
    others = sorted(present - {figure.name for figure in known})
    return [*known, *(figure_named(name) for name in others)]


def hidden(preset: str) -> str:
    """Return the words that stand where a small number is hidden; never a 0."""
    return f"hidden (fewer than {suppression_rule(preset).hide_up_to + 1})"


def rate_words(row: dict[str, Any], preset: str) -> str:
    """Return a rate with its interval and what it stands on, or that it is hidden."""
    if row["is_suppressed"]:
        return hidden(preset)
    if row["rate"] is None:
        return "no cases"
    return f"{share_words(row)}, n = {row['denominator']:,}"


def sentence(figure: Figure, row: dict[str, Any], preset: str) -> str:
    """Return the figure in one sentence."""
    if row["is_suppressed"]:
        few = suppression_rule(preset).hide_up_to + 1
        return (
            f"How many of the {figure.denominator} {figure.counts} is hidden: fewer than {few} "
            "do, or do not, or it would give such a number away."
        )
    if row["rate"] is None:
        return f"There are no {figure.denominator} yet."
    return (
        f"Of {row['denominator']:,} {figure.denominator}, {share_words(row)} {figure.counts}. "
        "In brackets: 95 % interval."
    )


def status_mix(trends: pl.DataFrame, preset: str) -> list[str]:
    """Return how many open cases have each status now, in words, in the rule's order."""
    now = trends.filter((pl.col("figure") == STATUS_MIX) & (pl.col("site_id") == ALL))
    by_status = {row["category"]: row for row in now.to_dicts()}
    known = [status for status in STATUSES_IN_ORDER if status in by_status]
    return [f"{mark(status).text}: {_count_words(by_status[status], preset)}" for status in known]


def _count_words(row: dict[str, Any], preset: str) -> str:
    if row["is_suppressed"]:
        return hidden(preset)
    share = "" if row["rate"] is None else f" ({percent(row['rate'])})"
    return f"{row['numerator']:,}{share}"


def percent(rate: float) -> str:
    """Return a share in whole per cent."""
    return f"{rate * 100:.0f} %"


def share_words(row: dict[str, Any]) -> str:
    """Return a share that is shown, with its interval in brackets."""
    if row["rate_low"] is None:
        return percent(row["rate"])
    return f"{percent(row['rate'])} ({percent(row['rate_low'])} to {percent(row['rate_high'])})"
