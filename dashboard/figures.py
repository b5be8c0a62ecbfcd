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
COMPLETENESS = "completeness"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure: its title, what it counts, and of how many."""

    name: str
    title: str
    counts: str
    denominator: str


_FIGURES = (
    Figure(
        name="reliable_improvement",
        title="Clearly better at the end",
        counts="ended at least one clear change better than they started",
        denominator="ended cases with a first and a last score",
    ),
    Figure(
        name="recovery",
        title="Out of the clinical range at the end",
        counts="ended outside it",
        denominator="ended cases that started in the clinical range",
    ),
    Figure(
        name="reliable_recovery",
        title="Recovered: out of the clinical range and clearly better",
        counts="ended outside it and at least one clear change better",
        denominator="ended cases that started in the clinical range",
    ),
    Figure(
        name="deterioration",
        title="Clearly worse at the end",
        counts="ended at least one clear change worse than they started",
        denominator="ended cases with a first and a last score",
    ),
    Figure(
        name="drop_out",
        title="Ended by dropping out",
        counts="ended without an agreed end",
        denominator="ended cases whose kind of end is known",
    ),
    Figure(
        name="paired",
        title="Outcome known",
        counts="have a first and a last score",
        denominator="ended cases",
    ),
    Figure(
        name=COMPLETENESS,
        title="Sessions with a score",
        counts="have a score",
        denominator="attended sessions",
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
    """Return the figures to show as trends, the known ones first and in their order."""
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
    return f"{_share(row)}, n = {row['denominator']:,}"


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
        f"Of {row['denominator']:,} {figure.denominator}, {_share(row)} {figure.counts}. "
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


def _share(row: dict[str, Any]) -> str:
    if row["rate_low"] is None:
        return percent(row["rate"])
    return f"{percent(row['rate'])} ({percent(row['rate_low'])} to {percent(row['rate_high'])})"
