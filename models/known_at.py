"""Which cases stand at a landmark, and of which of them is the end known?"""

from __future__ import annotations

import polars as pl

from models.case_ends import Outcome, case_ends
from models.landmarks import Landmark, in_care, rows_at
from models.past_cases import PastCases


def arrivals(
    past: PastCases, known: pl.DataFrame, outcome: str, landmark: Landmark
) -> pl.DataFrame:
    """Return every case the outcome is about as it stood at a landmark, open ones too.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from models.known_so_far import known_so_far
    >>> points = pl.DataFrame(
    ...     {"case_id": ["a"] * 2, "occasion": [0, 1], "value": [18.0, 11.0]}
    ... ).with_columns(baseline=pl.lit(18.0), gain=18.0 - pl.col("value"))
    >>> past = PastCases.of(
    ...     built_in_measures()["phq9"], pl.DataFrame({"case_id": ["a"]}), points
    ... )
    >>> found = arrivals(past, known_so_far(past), "drop_out", Landmark.named("1"))
    >>> found.select("case_id", "score").rows()
    [('a', 11.0)]
    """
    about = case_ends(past, Outcome(name=outcome)).filter("is_asked").filter(in_care(landmark))
    return rows_at(known, landmark).join(about, on="case_id", how="semi", maintain_order="left")


def known_at(
    known: pl.DataFrame, ends: pl.DataFrame, landmark: Landmark, later_scores: int, outcome: str
) -> pl.DataFrame:
    """Return cases at a landmark with what became of them: one row a case with a known end.

    Parameters
    ----------
    ends
        `case_ends`; only cases the outcome is about, with enough scores after the landmark, stay.

    Examples
    --------
    >>> known = pl.DataFrame({"case_id": ["a", "b"], "occasion": [4.0, 4.0], "days": [28, 28]})
    >>> ends = pl.DataFrame(
    ...     {
    ...         "case_id": ["a", "b"], "client_id": ["a", "b"], "ended_on": [90, 40],
    ...         "is_asked": [True, True], "is_bad": [True, False],
    ...         "end_score": [17.0, 4.0], "end_occasion": [9, 5],
    ...     }
    ... )
    >>> known_at(known, ends, Landmark.named("4"), 3, "clinical_without_gain")["case_id"].to_list()
    ['a']
    """
    told = ends.filter("is_asked", pl.col("is_bad").is_not_null(), in_care(landmark)).select(
        "case_id", "client_id", "ended_on", "is_bad", "end_score", "end_occasion"
    )
    rows = rows_at(known, landmark).join(told, on="case_id", how="inner", maintain_order="left")
    if Outcome(name=outcome).is_of_scores:
        rows = rows.filter(pl.col("end_occasion") - pl.col("occasion") >= later_scores)
    return rows
