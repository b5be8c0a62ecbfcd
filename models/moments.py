"""Who stands at which landmark, what was known of them then, and how did they end?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.rule import StatusRule
from models.case_ends import Outcome, case_ends
from models.known_so_far import known_so_far
from models.landmarks import Landmark, in_care, rows_at
from models.past_cases import PastCases
from models.rival_rules import RANK_OF_STATUS
from models.status import judge as judge_occasions

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Every case at every landmark it reaches: one row each, landmark by landmark."""

    landmarks: tuple[Landmark, ...]
    rows: pl.DataFrame
    """`landmark` (its number), `case` (its number), what was known, and how the case ended."""
    points: pl.DataFrame
    """Scores after the baseline that an expected course is learned from."""
    cases: pl.DataFrame
    """`case_ends`, one row a case; a case's number is its place here."""

    @property
    def is_bad(self) -> Numbers:
        """(rows,) 1 bad, 0 not, nan unknown."""
        return self.rows["is_bad"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def moments_of(
    past: PastCases, outcome: Outcome, landmarks: Sequence[Landmark], rule: StatusRule
) -> Moments:
    """Return all moments at which rules are asked, with what was known and how it ended.

    `why_unknown` says why an end does not count: care goes on, or ended too soon after.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> cases = pl.DataFrame({"case_id": ["a"], "is_ended": [True]})
    >>> points = pl.DataFrame(
    ...     {"case_id": ["a"] * 5, "occasion": range(5), "value": [18.0, 16.0, 17.0, 19.0, 17.0]}
    ... ).with_columns(baseline=pl.lit(18.0), gain=18.0 - pl.col("value"))
    >>> past = PastCases.of(built_in_measures()["phq9"], cases, points)
    >>> asked = [Landmark.named("1"), Landmark.named("2")]
    >>> found = moments_of(past, Outcome(), asked, status_rule())
    >>> found.rows.select("occasion", "is_bad", "why_unknown").rows()
    [(1.0, True, None), (2.0, None, 'too_few_later_scores')]
    """
    known = _with_statuses(known_so_far(past), past, rule)
    cases = case_ends(past, outcome).with_row_index("case")
    rows = pl.concat(
        rows_at(known, landmark)
        .with_columns(landmark=pl.lit(number, pl.Int32))
        .join(cases, on="case_id", how="inner", maintain_order="left")
        .filter(in_care(landmark))
        for number, landmark in enumerate(landmarks)
    )
    later = pl.col("end_occasion") - pl.col("occasion")
    too_few = (
        later.fill_null(0) < outcome.later_scores if outcome.is_of_scores else pl.lit(value=False)
    )
    rows = rows.filter("is_asked").with_columns(
        later_scores=later.cast(pl.Int64),
        why_unknown=pl.coalesce(
            "why_unknown", pl.when(too_few).then(pl.lit("too_few_later_scores"))
        ),
    )
    points = _points(past, cases)
    rows = rows.with_columns(
        is_bad=pl.when(pl.col("why_unknown").is_null()).then("is_bad"),
        is_reviewed=pl.col("reviewed_on").is_not_null(),
    ).join(
        points.select("case", pl.col("occasion").cast(pl.Float64), "time"),
        on=["case", "occasion"],
        how="left",
        maintain_order="left",
    )
    return Moments(landmarks=tuple(landmarks), rows=rows, points=points, cases=cases)


def _with_statuses(known: pl.DataFrame, past: PastCases, rule: StatusRule) -> pl.DataFrame:
    """Add the status at each row without the expected course, which each part learns anew.

    Nothing in the rule looks back at `below_band`, so it may be decided row by row afterwards.
    """
    measure = past.measure
    judged = judge_occasions(
        past.points.with_columns(chance_this_bad=pl.lit(None, pl.Float64)),
        rule,
        {measure.measure_id: measure},
    )
    told = judged.select(
        "case_id",
        pl.col("occasion").cast(pl.Float64),
        status_rank=pl.col("status").replace_strict(RANK_OF_STATUS, return_dtype=pl.Float64),
        may_be_below_band=(pl.col("status") == "on_track") & (pl.col("code") == ""),
    )
    return known.join(told, on=["case_id", "occasion"], how="left", maintain_order="left")


def _points(past: PastCases, cases: pl.DataFrame) -> pl.DataFrame:
    """Return `case, baseline, time, value`: occasions, or weeks where only days are known."""
    rows = past.points.filter("has_baseline", pl.col("occasion") >= 1)
    by_day = (rows["clock"] == "day").any() and not rows["days"].null_count()
    time = pl.col("days") / 7.0 if by_day else pl.col("occasion").cast(pl.Float64)
    return rows.select(
        "case_id", "occasion", "baseline", "value", time=time.clip(lower_bound=0.0).log1p()
    ).join(cases.select("case_id", "case"), on="case_id", how="inner", maintain_order="left")
