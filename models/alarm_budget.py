"""With so many cases a week to talk about: which come up, what is caught in time, what is missed?

Every number comes from predictions a rule made for cases it did not learn from (a back-test). For a
number of cases a week the threshold is the lowest chance, in whole per cent, at which no more come
up on average. A case that has come up does so again after a rest at the earliest. Caught in time is
a bad end with at least three scores between coming up and the end (an alarm at the last score
defines its own outcome: clinical/accuracy_goals.md). Cases that were reviewed after a flag count
for the time they take, never as a right or false alarm: the talk may have changed the end.

A threshold on one number that decides who is talked about permits, later, a comparison of the cases
just above with those just below it (regression discontinuity: Thistlethwaite and Campbell 1960,
recalled); see docs/alarm_budget.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.suppression import SuppressionRule
from models.suppression import rounded, suppress

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BUDGETS = tuple(range(1, 16))
"""Cases a week a supervisor may be able to talk about."""
REST_DAYS = 28
"""A case that came up does so again after this many days at the earliest (chosen: four weeks)."""
LATER_SCORES = 3
"""Fewest scores after coming up for a bad end to be caught in time (accuracy_goals.md)."""
OPEN_CASES = 30.0
"""Where nobody knows how many open cases a supervisor has, weeks are told of this many."""
BY_SUPERVISOR, BY_OPEN_CASES = "supervisor", "30_open_cases"

LOWEST_PERCENT = 10
"""Below this chance, in 100, no case comes up, however much time there is (chosen)."""

_DAYS_IN_WEEK = 7.0
_THRESHOLDS = np.arange(LOWEST_PERCENT, 100) / 100
BUDGET_COLUMNS: dict[str, type[pl.DataType]] = {
    "cases_a_week": pl.Int64,
    "unit": pl.String,  # a supervisor, or 30 open cases
    "threshold": pl.Float64,  # chance from which on a case comes up
    "flags_a_week": pl.Float64,  # cases that come up in a week of the unit
    "case_count": pl.Int64,  # cases with a known end, rounded
    "bad_count": pl.Int64,  # of them, those that ended badly, rounded
    "reviewed_count": pl.Int64,  # cases left out because they were reviewed, rounded
    "ever_flagged": pl.Float64,  # share of cases that came up at all
    "sensitivity": pl.Float64,  # share of bad ends that came up in time
    "sensitivity_low": pl.Float64,
    "sensitivity_high": pl.Float64,
    "caught_in_ten": pl.Int64,  # the same of ten, and the others
    "missed_in_ten": pl.Int64,
    "ppv": pl.Float64,  # share of those that came up in time which ended badly
    "ppv_low": pl.Float64,
    "ppv_high": pl.Float64,
    "ended_so_in_ten": pl.Int64,
    "lead_weeks": pl.Float64,  # mean, from coming up in time to a bad end
    "lead_occasions": pl.Float64,
    "is_suppressed": pl.Boolean,
}
_FIGURES = ("sensitivity", "ppv", "ever_flagged")


def caseload_per_supervisor(cases: pl.DataFrame) -> float | None:
    """Return how many cases a supervisor has open at a time, on average over past years.

    Parameters
    ----------
    cases
        `supervisor_id, started_on, ended_on` (practice days; no end: open to the last day known).

    Returns
    -------
    None without supervisors or without a calendar.

    >>> cases = pl.DataFrame(
    ...     {"supervisor_id": ["S", "S"], "started_on": [0, 70], "ended_on": [70, 140]}
    ... )
    >>> caseload_per_supervisor(cases)
    1.0
    """
    known = cases.drop_nulls(["supervisor_id", "started_on"])
    if known.is_empty():
        return None
    until = pl.col("ended_on").fill_null(
        pl.max_horizontal(pl.col("started_on").max(), pl.col("ended_on").max())
    )
    by_supervisor = (
        known.with_columns(until=until)
        .group_by("supervisor_id")
        .agg(
            open_days=(pl.col("until") - pl.col("started_on")).sum(),
            days=pl.col("until").max() - pl.col("started_on").min(),
        )
    )
    days = float(by_supervisor["days"].sum())
    return float(by_supervisor["open_days"].sum()) / days if days > 0 else None


def alarm_budget(
    predictions: pl.DataFrame,
    suppression: SuppressionRule,
    *,
    rule: str = "outlook",
    open_cases: float | None = None,
    budgets: Sequence[int] = BUDGETS,
) -> pl.DataFrame:
    """Return one row a number of cases a week: `BUDGET_COLUMNS`, small counts hidden.

    Parameters
    ----------
    predictions
        What rules said of cases they did not learn from: `case_id, rule, probability` (null where
        the rule refused), `is_bad` (null: end unknown), `later_scores, started_on, asked_on`
        (practice days), `weeks_left, occasions_left, is_reviewed`; one row a case and landmark.
    open_cases
        Open cases a supervisor has at a time; without, weeks are told of 30 open cases.

    Returns
    -------
    No row where no prediction has a place in time: then nobody can say what a week is.

    >>> from data_contracts.suppression import suppression_rule
    >>> predictions = pl.DataFrame(
    ...     {
    ...         "case_id": [f"c{number}" for number in range(100)],
    ...         "rule": "outlook",
    ...         "probability": [number / 100 for number in range(100)],
    ...         "is_bad": [number >= 50 for number in range(100)],
    ...         "later_scores": 6, "started_on": 0, "asked_on": 28, "weeks_left": 6.0,
    ...         "occasions_left": 6, "is_reviewed": False,
    ...     }
    ... )
    >>> budget = alarm_budget(predictions, suppression_rule("default"), budgets=[2])
    >>> budget.select("threshold", "sensitivity", "ppv", "lead_weeks").row(0)
    (0.34, 1.0, 0.7692307692307693, 6.0)
    """
    asked = _asked(predictions, rule)
    if asked is None:
        return pl.DataFrame(schema=BUDGET_COLUMNS)
    caseload = OPEN_CASES if open_cases is None else open_cases
    loads = np.array([asked.times_up(threshold) for threshold in _THRESHOLDS], dtype=np.float64)
    a_week = loads * caseload / asked.case_weeks
    first_within = np.searchsorted(-a_week, -np.array(budgets, dtype=np.float64))
    places = np.minimum(first_within, len(_THRESHOLDS) - 1).tolist()
    chosen: dict[int, int] = dict(zip(budgets, places, strict=True))
    counted = {place: asked.counts(float(_THRESHOLDS[place])) for place in set(chosen.values())}
    shown = _shown(counted, suppression)
    unit = BY_OPEN_CASES if open_cases is None else BY_SUPERVISOR
    rows = [
        {
            "cases_a_week": number,
            "unit": unit,
            "threshold": float(_THRESHOLDS[place]),
            "flags_a_week": float(a_week[place]),
            **shown[place],
        }
        for number, place in chosen.items()
    ]
    return pl.DataFrame(rows, schema=BUDGET_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """Raw counts of cases at a threshold; never shown as they are."""

    cases: int
    bad: int
    reviewed: int
    flagged: int
    in_time: int
    caught: int
    lead_weeks: float
    lead_occasions: float


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Predictions as arrays of shape (cases, landmarks at most), each row in the order of time.

    Beyond a case's last landmark the chance is nan.
    """

    chance: Floats
    week: Floats
    is_in_time: Bools
    weeks_left: Floats
    scores_left: Floats
    is_bad: Floats  # (cases,) nan where the end is not known
    is_reviewed: Bools  # (cases,)
    case_weeks: float

    def times_up(self, threshold: float) -> int:
        """Return how often cases come up, each again after its rest only."""
        last = np.full(len(self.chance), -np.inf)
        times = 0
        for place in range(self.chance.shape[1]):
            week = self.week[:, place]
            comes_up = (self.chance[:, place] >= threshold) & (
                week - last >= REST_DAYS / _DAYS_IN_WEEK
            )
            last[comes_up] = week[comes_up]
            times += int(comes_up.sum())
        return times

    def counts(self, threshold: float) -> _Counts:
        """Return what would have been caught at a threshold, of the cases whose end tells."""
        tells = ~np.isnan(self.is_bad) & ~self.is_reviewed
        bad = tells & (self.is_bad > 0)
        up = self.chance >= threshold
        up_in_time = up & self.is_in_time
        in_time = tells & up_in_time.any(axis=1)
        caught = in_time & bad
        first = up_in_time.argmax(axis=1)
        rows = np.flatnonzero(caught)
        return _Counts(
            cases=int(tells.sum()),
            bad=int(bad.sum()),
            reviewed=int(self.is_reviewed.sum()),
            flagged=int((tells & up.any(axis=1)).sum()),
            in_time=int(in_time.sum()),
            caught=int(caught.sum()),
            lead_weeks=_mean(self.weeks_left[rows, first[rows]]),
            lead_occasions=_mean(self.scores_left[rows, first[rows]]),
        )


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else nan


def _asked(predictions: pl.DataFrame, rule: str) -> _Asked | None:
    """Return the rule's predictions case by case; None where they have no place in time."""
    week = pl.coalesce(
        (pl.col("asked_on") - pl.col("started_on")) / _DAYS_IN_WEEK, -pl.col("weeks_left")
    )
    rows = (
        predictions.filter(pl.col("rule") == rule)
        .with_columns(week=week.cast(pl.Float64))
        .drop_nulls(["probability", "week"])
        .filter(pl.col("probability").is_not_nan())
        .sort("case_id", "week")
    )
    if rows.is_empty():
        return None
    cases = rows.group_by("case_id", maintain_order=True).agg(
        # An end is known or not by landmark: the first one asked has most scores after it.
        is_bad=pl.col("is_bad").drop_nulls().first(),
        is_reviewed=pl.col("is_reviewed").fill_null(value=False).any(),
        weeks=(pl.col("week").first() + pl.col("weeks_left").first()),
        # In care from the start on, also before the first question; without a calendar from there.
        asked_weeks=pl.col("weeks_left").first(),
    )
    case_weeks = float(
        pl.select(
            pl.when(cases["weeks"] > 0).then(cases["weeks"]).otherwise(cases["asked_weeks"]).sum()
        ).item()
        or 0.0
    )
    if case_weeks <= 0:
        return None
    case = rows["case_id"].rle_id().to_numpy()
    place = rows.select(pl.int_range(pl.len()).over("case_id")).to_series().to_numpy()
    shape = (len(cases), int(place.max()) + 1)

    def grid(name: str) -> Floats:
        made = np.full(shape, nan)
        made[case, place] = rows[name].cast(pl.Float64).fill_null(nan).to_numpy()
        return made

    return _Asked(
        chance=grid("probability"),
        week=grid("week"),
        is_in_time=grid("later_scores") >= LATER_SCORES,
        weeks_left=grid("weeks_left"),
        scores_left=grid("occasions_left"),
        is_bad=cases["is_bad"].cast(pl.Float64).fill_null(nan).to_numpy(),
        is_reviewed=cases["is_reviewed"].to_numpy(),
        case_weeks=case_weeks,
    )


def _shown(counted: dict[int, _Counts], rule: SuppressionRule) -> dict[int, dict[str, object]]:
    """Return what may be shown of the counts at each threshold, rates from rounded counts."""
    cells = [
        (figure, str(place), "all", "all", numerator, denominator)
        for place, found in counted.items()
        for figure, numerator, denominator in (
            ("sensitivity", found.caught, found.bad),
            ("ppv", found.caught, found.in_time),
            ("ever_flagged", found.flagged, found.cases),
        )
    ]
    names = ("figure", "period", "site_id", "category", "numerator", "denominator")
    published = {
        (row["figure"], int(row["period"])): row
        for row in suppress(pl.DataFrame(cells, schema=names, orient="row"), rule).to_dicts()
    }
    return {
        place: _row({figure: published[figure, place] for figure in _FIGURES}, found, rule)
        for place, found in counted.items()
    }


def _row(
    figures: Mapping[str, Mapping[str, Any]], found: _Counts, rule: SuppressionRule
) -> dict[str, object]:
    """Return one threshold's row; what would tell a hidden number is hidden with it."""
    caught, right = figures["sensitivity"], figures["ppv"]
    is_hidden = caught["is_suppressed"] or right["is_suppressed"]
    row: dict[str, object] = {
        "caught_in_ten": _of_ten(caught["rate"]),
        "missed_in_ten": _of_ten(caught["rate"], rest=True),
        "ended_so_in_ten": _of_ten(right["rate"]),
        "lead_weeks": _number(found.lead_weeks),
        "lead_occasions": _number(found.lead_occasions),
    }
    for name, figure in (("sensitivity", caught), ("ppv", right)):
        row |= {name: figure["rate"]}
        row |= {f"{name}_{end}": figure[f"rate_{end}"] for end in ("low", "high")}
    if is_hidden:
        row = dict.fromkeys(row)
    return row | {
        "case_count": _count(found.cases, rule),
        "bad_count": _count(found.bad, rule),
        "reviewed_count": _count(found.reviewed, rule),
        "ever_flagged": figures["ever_flagged"]["rate"],
        "is_suppressed": is_hidden,
    }


def _of_ten(share: float | None, *, rest: bool = False) -> int | None:
    if share is None:
        return None
    return 10 - round(10 * share) if rest else round(10 * share)


def _count(count: int, rule: SuppressionRule) -> int | None:
    return None if 0 < count <= rule.hide_up_to else rounded(count, rule)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 1)
