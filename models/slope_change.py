"""Does a case change faster or slower than the others? The growth-curve index (HLM).

A mixed growth curve score ~ time + (time | case) is fitted by REML (`mixed_model`); the index is
the case's conditional mode of the slope over its conditional standard deviation:

    index = u_slope / sqrt(var),   var = sigma^2 [L (I + L' Z'Z L)^-1 L']_slope,   Psi = L L'

It is relative to the mean slope: somebody who gains, but less than the others, lies below zero.
So the verdicts are "faster", "like" and "slower than the mean", and never deterioration; R28 calls
them improved, unchanged and deteriorated. Near a singular fit the index is hardly determined.

Source: R28 after Raudenbush & Bryk 2002; conditional variances as in lme4.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl

from models.change_reference import Direction, must
from models.clinical_cutoff import ClinicalCutoff
from models.clinical_significance import combined_class, crossing
from models.mixed_model import (
    CannotLearnError,
    CaseSums,
    Floats,
    MixedModelFit,
    case_sums,
    conditional_modes,
    fit_mixed_model,
)
from models.paired_scores import REASON
from models.verdicts import verdict_beyond

RELATIVE_VERDICTS = (
    "faster_than_mean",
    "like_the_mean",
    "slower_than_mean",
    "not_computable",
)
"""In the order of `reliable_change.VERDICTS`."""

RELATIVE_CLASSES = (
    "faster_than_mean_and_left_clinical_range",
    "faster_than_mean",
    "like_the_mean",
    "slower_than_mean",
    "slower_than_mean_and_entered_clinical_range",
    "not_computable",
)
"""In the order of `clinical_significance.CLASSES`."""

LEAST_TIMES = 3
"""Scores at so many times are needed for a slope of one's own."""

SINGULAR = 1e-4
"""lme4's tolerance: a fit is singular if a diagonal entry of theta lies below it."""

WARNINGS = (
    "The growth-curve index is relative to the mean slope of these very cases: who gains less than "
    "the others is 'slower', not worse, and every case added changes the others.",
)


@dataclass(frozen=True, kw_only=True)
class SlopeChange:
    """The slopes of many cases beside their mean."""

    cases: pl.DataFrame
    """One row a case: `case_id, scores_count, pre, post, change, index, verdict, reason`, and with
    a cut-off `before, after, crossing, class`. `pre` and `post` are first and last in time."""
    fit: MixedModelFit | None
    """None if no shared curve could be fitted; then every case says why."""
    is_singular: bool
    """True if slopes or intercepts do not differ, or move as one: the index is then uncertain."""
    warnings: tuple[str, ...]


def slope_changes(
    scores: pl.DataFrame,
    *,
    higher_is: str,
    cutoff: ClinicalCutoff | None = None,
    confidence: float = 0.95,
) -> SlopeChange:
    """Fit the growth curve and say how each case's slope lies to the mean.

    Parameters
    ----------
    scores
        Any order, one row a score: `case_id`, `time` (a number), `score` (null or NaN: missing).

    Examples
    --------
    >>> scores = pl.DataFrame({"case_id": ["A"], "time": [0], "score": [20.0]})
    >>> slope_changes(scores, higher_is="worse").cases["reason"].to_list()
    ['fewer_than_three_scores']
    """
    must(0 < confidence < 1, "confidence", confidence, "above 0 and below 1")
    must(higher_is in ("better", "worse"), "higher_is", higher_is, "'better' or 'worse'")
    direction: Direction = "better" if higher_is == "better" else "worse"
    must(scores["time"].dtype.is_numeric(), "time", str(scores["time"].dtype),
         "a number for a growth curve, such as the session or the week")  # fmt: skip
    cases = _first_and_last(scores)
    cases, fit = _with_index(cases, scores)
    limit = NormalDist().inv_cdf((1 + confidence) / 2)
    cases = cases.with_columns(
        verdict=verdict_beyond(pl.col("index"), limit, direction, RELATIVE_VERDICTS)
    )
    if cutoff is not None:
        cases = (
            cases.with_columns(
                before=cutoff.before(pl.col("pre")), after=cutoff.after(pl.col("post"))
            )
            .with_columns(crossing=crossing())
            .with_columns(combined_class(RELATIVE_CLASSES).alias("class"))
        )
    return SlopeChange(
        cases=cases,
        fit=fit,
        is_singular=fit is not None and _is_singular(fit),
        warnings=WARNINGS,
    )


def _first_and_last(scores: pl.DataFrame) -> pl.DataFrame:
    """Return one row a case, first and last score in order of time, and what stops a slope."""
    number = pl.col("score").cast(pl.Float64)
    known = scores.filter(number.is_finite() & pl.col("time").is_finite()).with_columns(number)
    by_time = (
        known.sort("time", maintain_order=True)
        .group_by("case_id", maintain_order=True)
        .agg(
            pl.col("score").first().alias("pre"),
            pl.col("score").last().alias("post"),
            pl.len().alias("scores_count"),
            pl.col("time").n_unique().alias("times"),
        )
    )
    cases = scores.select("case_id").unique(maintain_order=True)
    return cases.join(by_time, on="case_id", how="left", maintain_order="left").select(
        "case_id",
        pl.col("scores_count").fill_null(0),
        "pre",
        "post",
        change=pl.col("post") - pl.col("pre"),
        reason=pl.when(pl.col("scores_count") > pl.col("times"))
        .then(pl.lit("two_scores_at_once", dtype=REASON))
        .when(pl.col("times").fill_null(0) < LEAST_TIMES)
        .then(pl.lit("fewer_than_three_scores", dtype=REASON)),
    )


def _with_index(
    cases: pl.DataFrame, scores: pl.DataFrame
) -> tuple[pl.DataFrame, MixedModelFit | None]:
    """Fit the curve to the cases that have a slope, and add `index`."""
    whole = cases.filter(pl.col("reason").is_null()).select("case_id").with_row_index("code")
    number = pl.col("score").cast(pl.Float64)
    rows = scores.filter(number.is_finite()).join(whole, on="case_id", how="inner")
    try:
        if not rows.height:
            raise CannotLearnError("no case has a slope")
        sums = case_sums(
            np.zeros(rows.height),
            rows["time"].cast(pl.Float64).to_numpy(),
            rows["score"].cast(pl.Float64).to_numpy(),
            rows["code"].cast(pl.Int64).to_numpy(),
        )
        fit = fit_mixed_model(sums)
    except (CannotLearnError, ValueError):  # ValueError: no more scores than fixed effects
        said = pl.col("reason").fill_null(pl.lit("no_curve", dtype=REASON))
        return cases.with_columns(said, index=pl.lit(None, dtype=pl.Float64)), None
    index = conditional_modes(sums, fit.theta)[:, 1] / _conditional_sd(sums, fit)
    found = whole.select("case_id", index=pl.Series(index, nan_to_null=True))
    cases = cases.join(found, on="case_id", how="left", maintain_order="left")
    no_spread = pl.col("reason").is_null() & pl.col("index").is_null()
    return cases.with_columns(
        reason=pl.when(no_spread).then(pl.lit("no_curve", dtype=REASON)).otherwise("reason")
    ), fit  # fmt: skip


def _conditional_sd(sums: CaseSums, fit: MixedModelFit) -> Floats:
    """Return the standard deviation of each case's slope, given its scores (cases,).

    With L lower triangular, the slope row of L (I + L'AL)^-1 L' is written out for 2 x 2.
    """
    l11, l21, l22 = (float(value) for value in fit.theta)
    a11, a12, a22 = sums.count, sums.time, sums.time_squared
    h11 = 1.0 + l11 * l11 * a11 + 2.0 * l11 * l21 * a12 + l21 * l21 * a22
    h12 = l22 * (l11 * a12 + l21 * a22)
    h22 = 1.0 + l22 * l22 * a22
    relative = (l21 * l21 * h22 - 2.0 * l21 * l22 * h12 + l22 * l22 * h11) / (h11 * h22 - h12 * h12)
    sd: Floats = np.sqrt(np.where(relative > 0.0, relative, np.nan)) * fit.residual_sd
    return sd


def _is_singular(fit: MixedModelFit) -> bool:
    return bool(min(fit.theta[0], fit.theta[2]) < SINGULAR)
