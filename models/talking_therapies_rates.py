"""What do the official outcomes of many cases add up to, and which of it may be shown?

    recovery                reliable recovery        recovered / (finished - not caseness at start)
    reliable improvement    reliable deterioration   improved, deteriorated / finished

A finished case without a pair stays in these denominators, as in England's published figures (R1).
Shown to others: counts below the rule's line hidden, the rest rounded; percentages from the counts
before rounding, in whole per cent, and only where numerator and denominator may be shown (R1).
Ours: no small count can be worked out from shown ones (models/derivable_counts.py): within each
period those who do not count in a figure, and over the periods; for the whole practice also those
between two figures (recovered, but not reliably). Within a quarter the last are blurred by the
rounding alone, as in England.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from data_contracts.suppression import SuppressionRule
from models.derivable_counts import showable
from models.suppression import FIGURE_NUMBERS, rounded, wilson
from models.talking_therapies import NOT_FINISHED, NOT_PAIRED

Cell = tuple[str, str]
"""Period and name of a count; of reasons and measures figure and category."""
Sum = tuple[Cell, list[Cell]]
"""A total and its parts."""

ALL = "all"
NO_CALENDAR = "no calendar"

FIGURES = {
    "recovery": ("recovered", "could_recover"),
    "reliable_recovery": ("reliably_recovered", "could_recover"),
    "reliable_improvement": ("improved", "finished"),
    "reliable_deterioration": ("deteriorated", "finished"),
    "not_caseness": ("not_caseness", "finished"),
    "paired": ("paired", "finished"),
    "finished": ("finished", "ended"),
}
"""Each figure with its numerator and denominator, as names of `OutcomeCounts`."""

_QUARTERLY = (
    "recovery",
    "reliable_recovery",
    "reliable_improvement",
    "reliable_deterioration",
    "paired",
)

# How much a count is worth where another must be hidden for it (models/derivable_counts.py); one of
# the whole practice is worth more than any of a quarter, a reason or a measure least.
_WORTH = {
    "finished": 9,
    "could_recover": 8,
    "recovered": 7,
    "improved": 6,
    "reliably_recovered": 5,
    "deteriorated": 4,
    "paired": 3,
    "not_caseness": 2,
    "ended": 10,  # the trends show it as well: hiding it here would hide nothing
}
_WHOLE_PRACTICE = 10

# What a reader could work out of the whole practice besides: each total with its parts.
_BETWEEN_FIGURES = (
    ("finished", ("could_recover", "not_caseness")),
    ("could_recover", ("caseness", "not_paired")),
    ("caseness", ("recovered", "caseness_not_recovered")),
    ("recovered", ("reliably_recovered", "recovered_only")),
    ("improved", ("reliably_recovered", "improved_only")),
    ("paired", ("improved", "paired_not_improved")),
    ("paired_not_improved", ("deteriorated", "no_reliable_change")),
)


@dataclass(frozen=True, kw_only=True)
class OutcomeCounts:
    """How many cases, before any suppression."""

    ended: int
    finished: int
    paired: int
    not_caseness: int
    """finished and paired, below both cut-offs at the start"""
    recovered: int
    reliably_recovered: int
    improved: int
    deteriorated: int
    mixed: int
    """paired, reliably better on one measure and reliably worse on the other"""
    no_change: int
    """paired, reliably neither better nor worse on either"""
    by_reason: dict[str, int]
    """ended cases that are not finished or not paired, by code of `REASONS`"""
    by_measure: dict[str, int]
    """paired cases, by the anxiety measure of the pair"""

    @property
    def could_recover(self) -> int:
        """Finished cases less those not at caseness: of them recovery is counted."""
        return self.finished - self.not_caseness

    def share(self, figure: str) -> tuple[int, int, float | None]:
        """Return numerator, denominator and share (0 to 1, None of nobody) of one of `FIGURES`."""
        numerator, denominator = (getattr(self, name) for name in FIGURES[figure])
        return numerator, denominator, numerator / denominator if denominator else None

    def of_figures(self, figures: Iterable[str]) -> dict[str, int]:
        """Return the counts behind some of `FIGURES`, and how many do not count in each."""
        counts: dict[str, int] = {}
        for numerator, denominator in (FIGURES[figure] for figure in figures):
            part, total = getattr(self, numerator), getattr(self, denominator)
            counts |= {denominator: total, numerator: part, f"not_{numerator}": total - part}
        return counts

    def between_figures(self) -> dict[str, int]:
        """Return the counts that one figure less another gives."""
        not_paired = self.finished - self.paired
        caseness = self.could_recover - not_paired
        return {
            "caseness": caseness,
            "caseness_not_recovered": caseness - self.recovered,
            "recovered_only": self.recovered - self.reliably_recovered,
            "improved_only": self.improved - self.reliably_recovered,
            "paired_not_improved": self.paired - self.improved,
            "no_reliable_change": self.mixed + self.no_change,
        }


def outcome_counts(outcomes: pl.DataFrame) -> OutcomeCounts:
    """Count the outcomes of cases whose care has ended; open ones are passed over.

    Parameters
    ----------
    outcomes
        As `talking_therapies_outcomes` returns them.

    >>> from data_contracts.talking_therapies import talking_therapies_rule
    >>> from models.talking_therapies import talking_therapies_outcomes
    >>> ids = [f"c{number}" for number in range(40)]
    >>> scores = pl.DataFrame(
    ...     [
    ...         (case, measure, time, value)
    ...         for number, case in enumerate(ids)
    ...         for measure, first in (("phq9", 15.0), ("gad7", 12.0))
    ...         for time, value in ((1, first), (8, first if number % 2 else 5.0))
    ...     ],
    ...     schema=["case_id", "measure_id", "time", "value"],
    ...     orient="row",
    ... )
    >>> cases = pl.DataFrame({"case_id": ids}).with_columns(
    ...     problem_code=pl.lit("depression"), is_ended=pl.lit(True), sessions_attended=8
    ... )
    >>> outcomes = talking_therapies_outcomes(scores, cases, talking_therapies_rule())
    >>> outcome_counts(outcomes).share("recovery")
    (20, 40, 0.5)
    """
    ended = outcomes.filter(pl.col("reason").is_null() | (pl.col("reason") != "care_goes_on"))
    finished = ended.filter("is_finished")
    paired = finished.filter(pl.col("reason").is_null())
    change = paired["change"]
    return OutcomeCounts(
        ended=ended.height,
        finished=finished.height,
        paired=paired.height,
        not_caseness=int((~paired["is_case_at_start"]).sum()),
        recovered=int(paired["is_recovered"].sum()),
        reliably_recovered=int(paired["is_reliably_recovered"].sum()),
        improved=int((change == "improved").sum()),
        deteriorated=int((change == "deteriorated").sum()),
        mixed=int((change == "mixed").sum()),
        no_change=int((change == "no_change").sum()),
        by_reason=_counted(ended["reason"].cast(pl.String)),
        by_measure=_counted(paired["anxiety_measure"]),
    )


def _counted(values: pl.Series) -> dict[str, int]:
    found = values.drop_nulls().alias("value").value_counts(name="count").sort("value")
    return dict(found.iter_rows())


def published_outcomes(
    outcomes: pl.DataFrame, measures: tuple[str, ...], rule: SuppressionRule
) -> pl.DataFrame:
    """Return published_talking_therapies: what the practice may show, small numbers hidden.

    Parameters
    ----------
    outcomes
        As `talking_therapies_outcomes` returns them, with `period`: a quarter, or `NO_CALENDAR`.
        Quarters are published where there are any; the whole practice always.
    measures
        Every anxiety measure a pair may be of.
    rule
        `hide_up_to` counts are hidden, 0 among them, as England does.

    Returns
    -------
    One row a `figure, period, category`, with `numerator`, `denominator` (rounded, null where
    hidden), `rate`, `rate_low`, `rate_high` (95 % Wilson, whole per cent, null where hidden) and
    `is_suppressed`. Category 'all' holds `FIGURES`; for the whole practice figures `not_finished`
    and `not_paired` have a row a reason, `anxiety_measure` a row a measure.

    >>> from data_contracts.talking_therapies import talking_therapies_rule
    >>> from models.talking_therapies import talking_therapies_outcomes
    >>> ids = [f"c{number}" for number in range(40)]
    >>> scores = pl.DataFrame(
    ...     [
    ...         (case, measure, time, value)
    ...         for number, case in enumerate(ids)
    ...         for measure, first in (("phq9", 15.0), ("gad7", 12.0))
    ...         for time, value in ((1, first), (8, first if number % 2 else 5.0))
    ...     ],
    ...     schema=["case_id", "measure_id", "time", "value"],
    ...     orient="row",
    ... )
    >>> cases = pl.DataFrame({"case_id": ids}).with_columns(
    ...     problem_code=pl.lit("depression"), is_ended=pl.lit(True), sessions_attended=8
    ... )
    >>> outcomes = talking_therapies_outcomes(scores, cases, talking_therapies_rule())
    >>> from data_contracts.suppression import suppression_rule
    >>> told = outcomes.with_columns(period=pl.lit(NO_CALENDAR))
    >>> shown = published_outcomes(told, ("gad7",), suppression_rule("england"))
    >>> shown.filter(figure="recovery").select("numerator", "denominator", "rate").row(0)
    (20, 40, 0.5)
    """
    whole = outcome_counts(outcomes)
    if not whole.ended:
        return pl.DataFrame(schema=_SCHEMA)
    by_period = {
        str(name): outcome_counts(rows)
        for (name,), rows in outcomes.sort("period").group_by("period", maintain_order=True)
    }
    quarters = [period for period in by_period if period != NO_CALENDAR]
    by_category = {
        "not_finished": {code: whole.by_reason.get(code, 0) for code in _ENDED_NOT_FINISHED},
        "not_paired": {code: whole.by_reason.get(code, 0) for code in NOT_PAIRED},
        "anxiety_measure": {measure: whole.by_measure.get(measure, 0) for measure in measures},
    }
    counts, sums = _ties(whole, by_period, by_category)
    worth: dict[Cell, int] = {}
    for name, value in _WORTH.items():
        worth[ALL, name] = _WHOLE_PRACTICE + value
    worth |= {(period, name): _WORTH[name] for period in quarters for name in _names(_QUARTERLY)}
    worth |= {(figure, category): 0 for figure, those in by_category.items() for category in those}
    shown = showable(counts, worth, sums, hide_up_to=rule.hide_up_to)
    asked: list[tuple[str, str, str, Cell, Cell]] = [
        (figure, period, ALL, (period, FIGURES[figure][0]), (period, FIGURES[figure][1]))
        for period, figures in {ALL: tuple(FIGURES), **dict.fromkeys(quarters, _QUARTERLY)}.items()
        for figure in figures
    ]
    asked += [
        (figure, ALL, category, (figure, category), (ALL, _BASE_OF_CATEGORIES[figure]))
        for figure, those in by_category.items()
        for category in those
    ]
    rows = [(*key, *_numbers(part, base, counts, shown, rule)) for *key, part, base in asked]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("figure", "period", "category")


def _names(figures: Iterable[str]) -> set[str]:
    return {name for figure in figures for name in FIGURES[figure]}


def _ties(
    whole: OutcomeCounts,
    by_period: dict[str, OutcomeCounts],
    by_category: dict[str, dict[str, int]],
) -> tuple[dict[Cell, int], list[Sum]]:
    """Return every count a reader could work out, and the sums by which."""
    counts: dict[Cell, int] = {}
    sums: list[Sum] = []
    for period, found in {ALL: whole, **by_period}.items():
        figures = tuple(FIGURES) if period == ALL else _QUARTERLY
        counts |= {(period, name): count for name, count in found.of_figures(figures).items()}
        sums += [
            ((period, total), [(period, part), (period, f"not_{part}")])
            for part, total in (FIGURES[figure] for figure in figures)
        ]
    counts |= {(ALL, name): count for name, count in whole.between_figures().items()}
    sums += [((ALL, total), [(ALL, part) for part in parts]) for total, parts in _BETWEEN_FIGURES]
    sums += [
        ((ALL, name), [(period, name) for period in by_period])
        for name in whole.of_figures(_QUARTERLY)
    ]
    for figure, those in by_category.items():
        counts |= {(figure, category): count for category, count in those.items()}
        total = "paired" if figure == "anxiety_measure" else figure
        sums.append(((ALL, total), [(figure, category) for category in those]))
    return counts, sums


_ENDED_NOT_FINISHED = tuple(code for code in NOT_FINISHED if code != "care_goes_on")
_BASE_OF_CATEGORIES = {
    "not_finished": "ended",
    "not_paired": "finished",
    "anxiety_measure": "paired",
}
_SCHEMA: dict[str, type[pl.DataType]] = {
    "figure": pl.String,
    "period": pl.String,
    "category": pl.String,
    **FIGURE_NUMBERS,
}


def _numbers(
    part: Cell,
    base: Cell,
    counts: dict[Cell, int],
    shown: set[Cell],
    rule: SuppressionRule,
) -> tuple[int | None, int | None, float | None, float | None, float | None, bool]:
    """Return what a row may say: rounded counts, and the percentage from those before rounding."""
    denominator = rounded(counts[base], rule) if base in shown else None
    if denominator is None or part not in shown:
        return None, denominator, None, None, None, True
    numerator = min(rounded(counts[part], rule), denominator)
    low, high = wilson(counts[part], counts[base])
    share = counts[part] / counts[base]
    return numerator, denominator, round(share, 2), round(low, 2), round(high, 2), False
