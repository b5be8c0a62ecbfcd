"""Are the rules as good for everybody: by group, by when care began, and where it was reviewed?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from models.discrimination import compare
from models.past_cases import PastCases
from models.replay import Replay
from models.resampling import draw_cases

GROUPED_BY = ("site_id", "sex", "age_band", "ethnicity")
SHOWN_RULES = ("outlook", "status_rule", "naive_two_score")
COHORT_DAYS = 182
_TOLD = ("n", "bad", "flagged", "auc", "auc_low", "auc_high", "sensitivity", "ppv", "share_flagged")
_RESAMPLES = 200


def subgroups(
    replayed: Replay, past: PastCases, *, hide_up_to: int, seed: int
) -> list[dict[str, Any]]:
    """Return the figures of each group at the middle landmark; small groups are not told.

    Groups: site, sex, age band, ethnicity as sent, and thirds of the baseline. A group is hidden
    where it, or those in it who ended badly or did not, are `hide_up_to` or fewer.

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
    >>> subgroups(replayed, past, hide_up_to=7, seed=1)
    []
    """
    moments = replayed.moments
    rows = moments.rows
    number = _middle(rows)
    if number is None:
        return []
    groups = _groups(rows, past)
    is_bad, reviewed = moments.is_bad, rows["is_reviewed"].to_numpy()
    usable = (rows["landmark"] == number).to_numpy() & ~np.isnan(is_bad) & ~reviewed
    landmark = moments.landmarks[number].name
    found = []
    for by, column in groups.items():
        for group in sorted(column.filter(pl.Series(usable)).drop_nulls().unique().to_list()):
            inside = np.flatnonzero(usable & (column == group).fill_null(value=False).to_numpy())
            bad = is_bad[inside] == 1
            is_small = min(int(bad.sum()), int((~bad).sum())) <= hide_up_to
            rules = [rule for rule in SHOWN_RULES if rule in replayed.said]
            told: dict[str, dict[str, Any]] = {rule: dict.fromkeys(_TOLD) for rule in rules}
            if not is_small:
                client = rows["client_id"].gather(inside).rank("dense").to_numpy()
                drawn = draw_cases(client, times=_RESAMPLES, seed=seed)
                judged = {rule: replayed.judged(rule, inside) for rule in rules}
                measured = compare(bad, judged, drawn)
                told = {rule: measured.of[rule].flat() for rule in rules}
            found += [
                {
                    "by": by, "group": group, "landmark": landmark, "rule": rule,
                    "suppressed": is_small, **{name: told[rule].get(name) for name in _TOLD},
                }
                for rule in rules
            ]  # fmt: skip
    return found


def _groups(rows: pl.DataFrame, past: PastCases) -> dict[str, pl.Series]:
    placed = rows.select("case_id", "baseline").join(
        past.cases.select("case_id", *GROUPED_BY), on="case_id", how="left", maintain_order="left"
    )
    lower, upper = (placed["baseline"].quantile(share) for share in (1 / 3, 2 / 3))
    baseline = pl.col("baseline")
    third = (
        pl.when(baseline <= lower)
        .then(pl.lit("mild"))
        .when(baseline <= upper)
        .then(pl.lit("middle"))
        .otherwise(pl.lit("severe"))
    )
    return {
        "baseline_severity": placed.select(third).to_series(),
        **{name: placed[name] for name in GROUPED_BY if placed[name].null_count() < rows.height},
    }


def _middle(rows: pl.DataFrame) -> int | None:
    """Return the landmark in the middle of those at which ends are known."""
    known = rows.filter(pl.col("is_bad").is_not_null())["landmark"].unique().sort()
    return None if known.is_empty() else int(known[(len(known) - 1) // 2])


def cohorts(replayed: Replay, *, hide_up_to: int) -> list[dict[str, Any]]:
    """Return, by when care began, how many ends are known and bad: recent starters end later.

    Half-years of the practice clock; empty without a calendar.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.case_ends import Outcome
    >>> from models.landmarks import Landmark
    >>> from models.moments import moments_of
    >>> from models.past_cases import PastCases
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
    >>> cohorts(replayed, hide_up_to=7)
    []
    """
    rows = replayed.moments.rows.filter(pl.col("started_on").is_not_null()).unique(
        "case", keep="first", maintain_order=True
    )
    if rows.is_empty():
        return []
    began = rows.with_columns(block=pl.col("started_on") // COHORT_DAYS)
    found = []
    for block in sorted(began["block"].unique().to_list()):
        cases = began.filter(pl.col("block") == block)
        known = cases.filter(pl.col("is_bad").is_not_null())
        bad = known.filter("is_bad").height
        is_small = min(bad, known.height - bad) <= hide_up_to
        found.append(
            {
                "started_from": block * COHORT_DAYS,
                "started_to": (block + 1) * COHORT_DAYS - 1,
                "cases": None if cases.height <= hide_up_to else cases.height,
                "known": None if is_small else known.height,
                "bad": None if is_small else bad,
                "base_rate": None if is_small else bad / known.height,
                "suppressed": is_small,
            }
        )
    return found


def reviewed_cases(replayed: Replay, *, hide_up_to: int) -> dict[str, Any]:
    """Return how many cases were reviewed after a flag and how they ended: never false alarms.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.case_ends import Outcome
    >>> from models.landmarks import Landmark
    >>> from models.moments import moments_of
    >>> from models.past_cases import PastCases
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
    >>> reviewed_cases(replayed, hide_up_to=7)["cases"]
    0
    """
    cases = replayed.moments.rows.filter("is_reviewed").unique(
        "case", keep="first", maintain_order=True
    )
    known = cases.filter(pl.col("is_bad").is_not_null())
    bad = known.filter("is_bad").height
    is_small = min(bad, known.height - bad) <= hide_up_to and cases.height > 0
    return {
        "cases": None if 0 < cases.height <= hide_up_to else cases.height,
        "known": None if is_small else known.height,
        "bad": None if is_small else bad,
        "suppressed": is_small,
    }
