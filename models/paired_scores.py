"""Which score stands before and which after? One row a case, and what is missing said.

A case is never dropped: where a score is missing, twice there or no number, its row says so.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.rows_by_case import rows_by_case

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
    pairs = _two_rows_a_case(scores, before, after)
    if pairs is not None:
        return pairs
    times = [(pl.col("time") == pl.lit(time)).fill_null(value=False) for time in (before, after)]
    counted = _counted(scores, *times)
    return counted.select(
        "case_id",
        pre=pl.when(pl.col("pre_count") == 1).then("pre"),
        post=pl.when(pl.col("post_count") == 1).then("post"),
        reason=_reason(counted=True),
    )


def paired_columns(scores: pl.DataFrame) -> pl.DataFrame:
    """Say of scores that stand in two columns what is missing.

    Parameters
    ----------
    scores
        One row a case: `case_id`, `pre`, `post` (numbers; null or NaN is missing).

    Returns
    -------
    As `paired_scores`, in the order of the rows. A case with several rows has `reason`
    `two_scores_before` in each of them: which one counts was not said.

    Examples
    --------
    >>> scores = pl.DataFrame({"case_id": ["A", "B"], "pre": [20, None], "post": [12, 9]})
    >>> paired_columns(scores)["reason"].to_list()
    [None, 'no_score_before']
    """
    pairs = _with_reason(scores.select("case_id", "pre", "post"))
    if _are_all_different(scores["case_id"]):
        return pairs
    twice = pl.when(pl.col("case_id").is_duplicated())
    return pairs.with_columns(
        twice.then(pl.lit(None)).otherwise("pre").alias("pre"),
        twice.then(pl.lit(None)).otherwise("post").alias("post"),
        twice.then(pl.lit("two_scores_before", dtype=REASON)).otherwise("reason").alias("reason"),
    )


def _known(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.Float64)
    return pl.when(number.is_finite()).then(number)


def _two_rows_a_case(scores: pl.DataFrame, before: object, after: object) -> pl.DataFrame | None:
    """Return the pairs if both times name the same cases in the same order, each once, else None.

    So files lie that are sorted by case, or by time and case: nothing has to be looked up.
    """
    sides = [
        scores.lazy()
        .filter(pl.col("time") == pl.lit(time))
        .select("case_id", pl.col("score").alias(name))
        for time, name in ((before, "pre"), (after, "post"))
    ]
    first, last = pl.collect_all(sides)
    if first.height * 2 != scores.height or not _name_the_same(first["case_id"], last["case_id"]):
        return None
    return _with_reason(first.with_columns(last["post"]))


def _with_reason(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the scores as numbers, null where there is none, and say what is missing."""
    if _is_whole(pairs["pre"]) and _is_whole(pairs["post"]):
        none = pl.lit(None, dtype=REASON)
        return pairs.with_columns(pl.col("pre", "post").cast(pl.Float64), reason=none)
    known = pairs.with_columns(_known("pre").alias("pre"), _known("post").alias("post"))
    return known.with_columns(reason=_reason(counted=False))


def _counted(scores: pl.DataFrame, is_before: pl.Expr, is_after: pl.Expr) -> pl.DataFrame:
    """Return one row a case: how many scores stand before and after, and their sums."""
    known = scores.select(
        pl.when(there).then(_known("score")).alias(name)
        for there, name in ((is_before, "pre"), (is_after, "post"))
    )
    rows = rows_by_case(scores["case_id"])
    if rows is None:
        return (
            known.with_columns(scores["case_id"])
            .group_by("case_id", maintain_order=True)
            .agg(pl.col("pre", "post").sum(), pl.col("pre", "post").count().name.suffix("_count"))
        )
    order = np.argsort(rows.first)
    counted = {}
    for name in ("pre", "post"):
        score = known[name].to_numpy()[rows.row]
        there = ~np.isnan(score)
        count = np.add.reduceat(there.view(np.int8), rows.start, dtype=np.int32)
        counted[name] = np.add.reduceat(np.where(there, score, 0.0), rows.start)[order]
        counted[f"{name}_count"] = count[order]
    return pl.DataFrame({"case_id": scores["case_id"].gather(rows.first[order]), **counted})


def _name_the_same(cases: pl.Series, others: pl.Series) -> bool:
    """Return whether both hold the same cases in the same order, each of them once."""
    if len(cases) != len(others):
        return False
    both = pl.LazyFrame({"case": cases, "other": others})
    checks = (
        (pl.col("case") == pl.col("other")).all(),
        pl.col("case").null_count() == 0,
        pl.lit(value=cases.is_sorted()),
        (pl.col("case") != pl.col("case").shift()).all(),
    )
    same, known, in_order, new = (
        frame.item() for frame in pl.collect_all([both.select(check) for check in checks])
    )
    return same and known and (new if in_order else cases.n_unique() == len(cases))


def _is_whole(scores: pl.Series) -> bool:
    """Return whether there is a number in every place."""
    if scores.null_count():
        return False
    return not scores.dtype.is_float() or bool(scores.is_finite().all())


def _are_all_different(cases: pl.Series) -> bool:
    if cases.is_sorted():
        return not (cases.slice(1) == cases.slice(0, max(len(cases) - 1, 0))).any()
    return cases.n_unique() == len(cases)


def _reason(*, counted: bool) -> pl.Expr:
    """Say what is missing or there twice; of two scores at one time none is chosen."""
    missing = [
        pl.col(f"{name}_count") == 0 if counted else pl.col(name).is_null()
        for name in ("pre", "post")
    ]
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
