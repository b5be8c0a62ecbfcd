"""How often, how large, how lasting: what sudden changes add up to over cases.

Percentages and means are not rounded; None where there is nothing to divide by. Small numbers are
not suppressed here: whoever shows these figures does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from models.sudden_change_tables import SuddenChanges

Choice = Literal["first", "last", "smallest", "largest"]


@dataclass(frozen=True, kw_only=True)
class ChangeSummary:
    """Figures over changes."""

    change_count: int
    """All changes of all cases."""
    several_percent: float | None
    """Rows whose case has more than one change, in percent of the rows: changes, or cases."""
    reversed_count: int
    reversed_percent: float | None
    """Of the changes summed up."""
    mean_points: float | None
    """Points better; negative for losses."""
    sd_points: float | None
    """Sample standard deviation; None below two changes."""


@dataclass(frozen=True, kw_only=True)
class CaseSummary(ChangeSummary):
    """Figures over cases; size and reversal are those of one change of each."""

    case_count: int
    judged_count: int
    """Cases of which at least one interval could be judged."""
    cases_with_change: int
    cases_with_several: int
    percent_of_all_cases: float | None
    """Cases with a change, in percent of all cases (the R package's figure)."""
    percent_of_judged_cases: float | None
    """Cases with a change, in percent of the cases that could be judged."""


@dataclass(frozen=True, kw_only=True)
class IntervalCounts:
    """Intervals between sessions, over all cases."""

    between_sessions: int
    judged: int
    not_judged: int
    """Intervals with two sessions on each side where scores are missing."""


def one_per_case(found: SuddenChanges, choice: Choice) -> pl.DataFrame:
    """Return one row a case: the columns of `series`, and one of its changes or nulls.

    Of changes equally large or small the first is taken; size counts without its sign.

    Examples
    --------
    >>> from models.sudden_change import SuddenChangeRule
    >>> from models.sudden_change_events import sudden_changes
    >>> scores = pl.DataFrame(
    ...     {"case_id": ["a"] * 6, "session": range(1, 7), "score": [30, 31, 30, 15, 14, 14]}
    ... )
    >>> found = sudden_changes(scores, SuddenChangeRule(cutoff=7))
    >>> one_per_case(found, "largest")["points_better"].to_list()
    [15.0]
    """
    chosen = _chosen(found.events, choice).drop("changes_of_case")
    return found.series.join(chosen, on="case_id", how="left", maintain_order="left")


def _chosen(events: pl.DataFrame, choice: Choice) -> pl.DataFrame:
    size = pl.col("points_better").abs()
    keys: dict[Choice, list[pl.Expr]] = {
        "first": [pl.col("session")],
        "last": [-pl.col("session")],
        "smallest": [size, pl.col("session")],
        "largest": [-size, pl.col("session")],
    }
    if choice not in keys:
        raise ValueError(f"choose one of {', '.join(keys)}, not {choice!r}")
    return events.sort("case_id", *keys[choice], nulls_last=True).unique(
        "case_id", keep="first", maintain_order=True
    )


def describe_changes(found: SuddenChanges) -> ChangeSummary:
    """Return figures over all changes.

    Examples
    --------
    >>> from models.sudden_change import SuddenChangeRule
    >>> from models.sudden_change_events import sudden_changes
    >>> scores = pl.DataFrame(
    ...     {"case_id": ["a"] * 6, "session": range(1, 7), "score": [30, 31, 30, 15, 14, 14]}
    ... )
    >>> found = sudden_changes(scores, SuddenChangeRule(cutoff=7))
    >>> describe_changes(found).mean_points
    15.0
    """
    events = found.events
    several = int((events["changes_of_case"] > 1).sum())
    reversals = int(events["is_reversed"].sum())
    return ChangeSummary(
        change_count=events.height,
        several_percent=_percent(several, events.height),
        reversed_count=reversals,
        reversed_percent=_percent(reversals, events.height),
        mean_points=_number(events["points_better"].mean()),
        sd_points=_number(events["points_better"].std()),
    )


def describe_cases(found: SuddenChanges, choice: Choice = "first") -> CaseSummary:
    """Return figures over cases; size and reversal are those of the chosen change.

    Examples
    --------
    >>> from models.sudden_change import SuddenChangeRule
    >>> from models.sudden_change_events import sudden_changes
    >>> scores = pl.DataFrame(
    ...     {"case_id": ["a"] * 6, "session": range(1, 7), "score": [30, 31, 30, 15, 14, 14]}
    ... )
    >>> found = sudden_changes(scores, SuddenChangeRule(cutoff=7))
    >>> describe_cases(found).percent_of_judged_cases
    100.0
    """
    series, chosen = found.series, _chosen(found.events, choice)
    judged = int((series["judged"] > 0).sum())
    several = int((chosen["changes_of_case"] > 1).sum())
    reversals = int(chosen["is_reversed"].sum())
    return CaseSummary(
        case_count=series.height,
        judged_count=judged,
        change_count=found.events.height,
        cases_with_change=chosen.height,
        cases_with_several=several,
        percent_of_all_cases=_percent(chosen.height, series.height),
        percent_of_judged_cases=_percent(chosen.height, judged),
        several_percent=_percent(several, series.height),
        reversed_count=reversals,
        reversed_percent=_percent(reversals, chosen.height),
        mean_points=_number(chosen["points_better"].mean()),
        sd_points=_number(chosen["points_better"].std()),
    )


def count_intervals(found: SuddenChanges) -> IntervalCounts:
    """Return how many intervals there are, and how many the criteria could be applied to.

    `judged` and `not_judged` add up to the intervals with two sessions on each side.

    Examples
    --------
    >>> from models.sudden_change import SuddenChangeRule
    >>> from models.sudden_change_events import sudden_changes
    >>> scores = pl.DataFrame(
    ...     {"case_id": ["a"] * 6, "session": range(1, 7), "score": [30, 31, 30, 15, 14, 14]}
    ... )
    >>> found = sudden_changes(scores, SuddenChangeRule(cutoff=7))
    >>> count_intervals(found)
    IntervalCounts(between_sessions=5, judged=3, not_judged=0)
    """
    return IntervalCounts(
        between_sessions=int(found.series["between_sessions"].sum()),
        judged=int(found.series["judged"].sum()),
        not_judged=int(found.series["not_judged"].sum()),
    )


def select_cases(found: SuddenChanges, *, at_least: int | None = None) -> pl.DataFrame:
    """Return `case_id, is_selected`: who has scores enough to be asked at all.

    Parameters
    ----------
    at_least
        Select by this number of scores; None selects by pattern: somewhere two neighbouring
        sessions with a score, and two of three scores on each side of the gap between them.

    Examples
    --------
    >>> from models.sudden_change import SuddenChangeRule
    >>> from models.sudden_change_events import sudden_changes
    >>> scores = pl.DataFrame(
    ...     {"case_id": ["a"] * 6, "session": range(1, 7), "score": [30, 31, 30, 15, 14, 14]}
    ... )
    >>> found = sudden_changes(scores, SuddenChangeRule(cutoff=7))
    >>> select_cases(found, at_least=8).rows()
    [('a', False)]
    """
    selected = (
        pl.col("has_enough_scores") if at_least is None else pl.col("score_count") >= at_least
    )
    return found.series.select("case_id", is_selected=selected)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
