"""Which score stands before and which after? One row a case, and what is missing said.

A case is never dropped: where a score is missing, twice there or no number, its row says so.
"""

from __future__ import annotations

import polars as pl

REASONS = {
    "no_score_before": "no score before",
    "no_score_after": "no score after",
    "no_scores": "no score before and none after",
    "two_scores_before": "more than one score before: which one counts was not said",
    "two_scores_after": "more than one score after: which one counts was not said",
    "two_scores_at_once": "more than one score at the same time: which one counts was not said",
    "fewer_than_three_scores": "fewer than three scores at different times: no slope of its own",
    "reliability_of_difference": "the reliability of the difference is zero or negative: this "
    "reference leaves no true change to find",
    "reliability_after": "the reliability of the scores after is zero or negative: this reference "
    "leaves no true score to find",
    "negative_before": "a percentage of a score below zero means nothing",
    "no_curve": "these scores determine no shared growth curve",
}
"""Why a case is not computable, by code, in words."""

REASON = pl.Enum(list(REASONS))


def paired_scores(scores: pl.DataFrame, *, before: object, after: object) -> pl.DataFrame:
    """Pair the scores of each case at two times.

    Parameters
    ----------
    scores
        Any order, one row a score: `case_id`, `time`, `score` (number; null or NaN is missing).
    before, after
        The two values of `time` to pair, of the type of that column.

    Returns
    -------
    One row a case, sorted as the cases first come: `case_id`, `pre`, `post` (Float64, null where
    missing) and `reason` (a code of `REASONS` why the case cannot be judged, else null).

    Examples
    --------
    >>> scores = pl.DataFrame({"case_id": ["A", "A"], "time": [1, 4], "score": [20, 12]})
    >>> paired_scores(scores, before=1, after=4)["post"].to_list()
    [12.0]
    """
    number = pl.col("score").cast(pl.Float64)
    known = pl.when(number.is_finite()).then(number)
    sides = [
        scores.lazy().filter(pl.col("time") == pl.lit(time)).select("case_id", score=known)
        for time in (before, after)
    ]
    first, last = pl.collect_all(sides)
    if (
        first.height * 2 == scores.height
        and first["case_id"].equals(last["case_id"])
        and _are_all_different(first["case_id"])
    ):  # every case twice, in the same order: nothing to look up
        pairs = first.rename({"score": "pre"}).with_columns(post=last["score"])
        return pairs.with_columns(reason=_reason(counted=False))
    return (
        scores.lazy()
        .select(
            "case_id",
            pre=pl.when(pl.col("time") == pl.lit(before)).then(known),
            post=pl.when(pl.col("time") == pl.lit(after)).then(known),
        )
        .group_by("case_id", maintain_order=True)
        .agg(
            pl.col("pre", "post").max(),
            pl.col("pre", "post").count().name.suffix("_count"),
        )
        .select(
            "case_id",
            pre=pl.when(pl.col("pre_count") == 1).then("pre"),
            post=pl.when(pl.col("post_count") == 1).then("post"),
            reason=_reason(counted=True),
        )
        .collect()
    )


def _are_all_different(cases: pl.Series) -> bool:
    if cases.is_sorted():
        return not (cases == cases.shift()).any()
    return cases.n_unique() == len(cases)


def _reason(*, counted: bool) -> pl.Expr:
    """Say what is missing or there twice; of two scores at one time none is chosen."""
    missing = [pl.col(name).is_null() for name in ("pre", "post")]
    double = [
        pl.col(f"{name}_count") > 1 if counted else pl.lit(value=False) for name in ("pre", "post")
    ]
    return (
        pl.when(double[0])
        .then(pl.lit("two_scores_before", dtype=REASON))
        .when(double[1])
        .then(pl.lit("two_scores_after", dtype=REASON))
        .when(missing[0] & missing[1])
        .then(pl.lit("no_scores", dtype=REASON))
        .when(missing[0])
        .then(pl.lit("no_score_before", dtype=REASON))
        .when(missing[1])
        .then(pl.lit("no_score_after", dtype=REASON))
    )
