"""How often, how early and for whom did each rule speak up over the whole course of a case?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from models.past_cases import PastCases
from models.replay import Replay
from models.rival_rules import Numbers

REST_DAYS = 28
"""A case that was flagged counts once in so many days: it is talked about once."""
PER_CASES = 30
"""Where supervisors are not told, load is told for so many open cases."""


def over_the_course(replayed: Replay, past: PastCases) -> dict[str, Any]:
    """Return, by rule, shares ever flagged, lead time, the outcome of the unflagged, and the load.

    Over the landmarks that were asked, of cases with a known end that were not reviewed. Lead is
    counted from the first flag to the end, in occasions and weeks, of those who ended badly.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.case_ends import Outcome
    >>> from models.landmarks import Landmark
    >>> from models.moments import moments_of
    >>> from models.backtest_split import parts_of
    >>> from models.replay import replay
    >>> from models.rival_rules import Question
    >>> phq9 = built_in_measures()["phq9"]
    >>> courses = {f"c{case:02d}": [18, 17 - case % 9, 16, 15, 17 - case % 9] for case in range(40)}
    >>> past, asked = PastCases.weekly(phq9, courses), [Landmark.named("1")]
    >>> moments = moments_of(past, Outcome(), asked, status_rule())
    >>> parts = parts_of(past, moments, "cross_validation", repeats=1, folds=2, seed=1)
    >>> question = Question(measure=phq9, outcome=Outcome(), band_chance=0.25)
    >>> replayed = replay(question, moments, parts, ["naive_last_change"])
    >>> found = over_the_course(replayed, past)["naive_last_change"]
    >>> found["cases"], found["lead_occasions_mean"], found["bad_if_never_flagged"]
    (40, 3.0, 0.0)
    """
    rows = replayed.moments.rows
    usable = ~rows["is_reviewed"].to_numpy() & ~np.isnan(replayed.moments.is_bad)
    found = {}
    for rule, said in replayed.said.items():
        flagged = _share_flagged(said["is_flagged"])
        told = rows.select(
            "case", "case_id", "is_bad", "occasion", "end_occasion", "days", "end_days",
            "practice_day",
        ).with_columns(flagged=pl.Series(flagged), usable=pl.Series(usable))  # fmt: skip
        told = told.filter(~pl.col("flagged").is_nan())
        found[rule] = _figures(told.filter("usable")) | _load(told, past)
    return found


def _share_flagged(is_flagged: Numbers) -> Numbers:
    """Return in which share of repeats a row was flagged; nan where it was never judged."""
    known = ~np.isnan(is_flagged)
    count = known.sum(axis=0)
    summed = np.where(known, is_flagged, 0.0).sum(axis=0)
    return np.where(count > 0, summed / np.maximum(count, 1), np.nan)


def _figures(told: pl.DataFrame) -> dict[str, Any]:
    is_flagged = pl.col("flagged") >= 0.5
    by_case = (
        told.sort("case", "occasion")
        .group_by("case", maintain_order=True)
        .agg(
            is_bad=pl.col("is_bad").any(),
            ever=is_flagged.any(),
            lead_occasions=(pl.col("end_occasion") - pl.col("occasion")).filter(is_flagged).first(),
            lead_weeks=((pl.col("end_days") - pl.col("days")) / 7.0).filter(is_flagged).first(),
        )
    )
    bad, good = by_case.filter("is_bad"), by_case.filter(~pl.col("is_bad"))
    caught = bad.filter("ever")
    return {
        "cases": by_case.height,
        "bad": bad.height,
        "ever_flagged": by_case.filter("ever").height,
        "ever_flagged_share": _mean(by_case["ever"]),
        "ever_flagged_of_bad": _mean(bad["ever"]),
        "ever_flagged_of_good": _mean(good["ever"]),
        "bad_if_ever_flagged": _mean(by_case.filter("ever")["is_bad"]),
        "bad_if_never_flagged": _mean(by_case.filter(~pl.col("ever"))["is_bad"]),
        "lead_occasions_mean": _mean(caught["lead_occasions"]),
        "lead_weeks_mean": _mean(caught["lead_weeks"]),
    }


def _load(told: pl.DataFrame, past: PastCases) -> dict[str, Any]:
    """Return how many cases a week come up: flags of one case within a rest count once."""
    days = told["practice_day"]
    if told.is_empty() or days.null_count():
        return {"flags_a_supervisor_week": None, "flags_per_30_cases_week": None}
    flags = told.filter(pl.col("flagged") >= 0.5).sort("case", "practice_day")
    raised = 0
    last_case, last_day = -1, 0
    for case, day in flags.select("case", "practice_day").iter_rows():
        if case != last_case or day - last_day >= REST_DAYS:
            raised += 1
            last_case, last_day = case, day
    weeks = (float(days.max()) - float(days.min()) + 1.0) / 7.0  # type: ignore[arg-type]
    supervisors = (
        past.cases.join(told.select("case_id").unique(), on="case_id", how="semi")
        ["supervisor_id"].drop_nulls().n_unique()
    )  # fmt: skip
    care = told.group_by("case").agg(
        weeks=(pl.col("practice_day").max() - pl.col("practice_day").min()) / 7.0 + 1.0
    )
    case_weeks = float(care["weeks"].sum())
    return {
        "flags_a_supervisor_week": raised / weeks / supervisors if supervisors else None,
        "flags_per_30_cases_week": PER_CASES * raised / case_weeks if case_weeks else None,
    }


def _mean(values: pl.Series) -> float | None:
    known = values.drop_nulls()
    return None if known.is_empty() else float(known.cast(pl.Float64).mean())  # type: ignore[arg-type]
