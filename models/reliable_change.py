"""Is a change larger than measurement error explains? Six published indices, one line each.

Every index compares the score after with the one to be expected from the score before:

    index = (post - (slope * pre + intercept)) / error

With M, s, r mean, standard deviation and reliability of the scores before, M2, s2, r2 of those
after, r12 their correlation, SEM = s sqrt(1 - r):

    method  slope  intercept                 error
    JT      1      0                         sqrt(2) SEM
    GLN     r      (1 - r) M                 s sqrt(1 - r^2)
    HLL     r      M2 - r M                  s sqrt(1 - r^2)
    EN      r      (1 - r) M                 SEM
    NK      r      (1 - r) M                 sqrt(r^2 SEM^2 + s^2 (1 - r2))
    HA      1      -(M2 - M)(1 - rdd)/rdd    sqrt(2) SEM / sqrt(rdd)

rdd is the reliability of the difference (Hageman & Arrindell 1999). Sources: Jacobson & Truax 1991;
Gulliksen 1950, Lord & Novick 1968; Hsu 1989; Speer 1992 (Edwards and others 1978); Nunnally &
Kotsch 1983; formulas as in algorithms.md, section 1, read in R28's documentation.

Only JT and HA stand without a mean to regress to. The reference (means, standard deviations) is
frozen and named: taken from the sample it would change everyone's class whenever a case is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

import polars as pl

from models.change_reference import (
    SAMPLE_WARNING,
    ChangeRuleError,
    Direction,
    Floats,
    Reference,
    must,
    sign_of,
)
from models.verdicts import judged_scores, verdict_beyond

Method = Literal["JT", "GLN", "HLL", "EN", "NK", "HA"]

METHODS: tuple[Method, ...] = ("JT", "GLN", "HLL", "EN", "NK", "HA")


_NEEDED: dict[Method, tuple[str, ...]] = {
    "JT": ("sd_pre",),
    "GLN": ("mean_pre", "sd_pre"),
    "HLL": ("mean_pre", "sd_pre", "mean_post"),
    "EN": ("mean_pre", "sd_pre"),
    "NK": ("mean_pre", "sd_pre"),
    "HA": ("mean_pre", "sd_pre", "mean_post", "sd_post", "correlation"),
}

_WARNINGS: dict[Method, str] = {
    "EN": "EN leaves out the error in the estimated true score: at a reliability of .9 it calls "
    "15 % of unchanged people changed. Prefer JT.",
    "HLL": "HLL is relative to the mean change of the reference: if everybody gains alike, 2.5 % "
    "are called improved and 2.5 % deteriorated.",
}


@dataclass(frozen=True, kw_only=True)
class ReliableChange:
    """A change index with its limits; judges any number of cases at once.

    Examples
    --------
    >>> published = Reference(name="Jacobson & Truax 1991, couples", sd_pre=7.5)
    >>> rule = ReliableChange(reference=published, reliability=0.8, higher_is="better")
    >>> round(rule.points, 2)
    9.3
    """

    reference: Reference
    reliability: float
    """Of the scores before; above 0, below 1."""
    higher_is: Direction
    method: Method = "JT"
    confidence: float = 0.95
    """Two-sided, except HA: one-sided, as published (1.96 and 1.645 at 0.95)."""
    reliability_post: float | None = None
    """NK only: of the scores after; the same as before if not given."""
    post_error: Literal["sd_pre", "sd_post"] = "sd_pre"
    """NK only: the standard deviation behind the error after; R28 takes `sd_pre`."""

    def __post_init__(self) -> None:
        must(self.method in METHODS, "method", self.method, f"one of {', '.join(METHODS)}")
        sign_of(self.higher_is)
        must(0 < self.reliability < 1, "reliability", self.reliability, "above 0 and below 1")
        must(0 < self.confidence < 1, "confidence", self.confidence, "above 0 and below 1")
        r = self.reliability_post
        must(r is None or 0 < r < 1, "reliability_post", r, "above 0 and below 1")
        must(r is None or self.method == "NK", "reliability_post", r, "left out, except with NK")
        must(self.post_error in ("sd_pre", "sd_post"), "post_error", self.post_error,
             "'sd_pre' or 'sd_post'")  # fmt: skip
        needed = _NEEDED[self.method]
        if self.method == "NK" and self.post_error == "sd_post":
            needed = (*needed, "sd_post")
        missing = [name for name in needed if getattr(self.reference, name) is None]
        if missing:
            message = (
                f"method {self.method} needs {', '.join(missing)}, which the reference "
                f"{self.reference.name!r} does not have; give it, or take method JT"
            )
            raise ChangeRuleError(message)

    @property
    def standard_error_of_measurement(self) -> float:
        """Standard deviation of one score with no true difference, in points."""
        return self.reference.sd_pre * sqrt(1 - self.reliability)

    @property
    def standard_error_of_difference(self) -> float:
        """Standard deviation of the difference of two scores with no true change, in points."""
        return sqrt(2) * self.standard_error_of_measurement

    @property
    def standard_error_of_prediction(self) -> float:
        """Standard deviation of the score after, given the one before, in points (GLN, HLL)."""
        return self.reference.sd_pre * sqrt(1 - self.reliability**2)

    @property
    def critical_value(self) -> float:
        """How many standard errors are too many."""
        tail = 1 - self.confidence
        return NormalDist().inv_cdf(1 - (tail if self.method == "HA" else tail / 2))

    @property
    def reliability_of_difference(self) -> float | None:
        """Return rdd of Hageman & Arrindell; None where the method needs none.

        Zero or negative where the scores differ less than their error: then nothing is computable.
        """
        if self.method != "HA":
            return None
        it = self.reference
        sd_post, correlation = it.sd_post or 0.0, it.correlation or 0.0
        variance = it.sd_pre**2 + sd_post**2 - 2 * it.sd_pre * sd_post * correlation
        if variance <= 0.0:  # everybody moved by the same number of points
            return 0.0
        return 1 - 2 * self.standard_error_of_measurement**2 / variance

    @property
    def obstacle(self) -> str | None:
        """Say why no case at all is computable, as a code of `paired_scores.REASONS`, or None."""
        rdd = self.reliability_of_difference
        return "reliability_of_difference" if rdd is not None and rdd <= 0 else None

    @property
    def error(self) -> float:
        """Standard deviation of the score after around the expected one, in points."""
        sem = self.standard_error_of_measurement
        match self.method:
            case "JT":
                return self.standard_error_of_difference
            case "GLN" | "HLL":
                return self.standard_error_of_prediction
            case "EN":
                return sem
            case "NK":
                sd = self.reference.sd_pre
                sd_after = sd if self.post_error == "sd_pre" else (self.reference.sd_post or sd)
                after = self.reliability_post or self.reliability
                return sqrt((self.reliability * sem) ** 2 + sd_after**2 * (1 - after))
            case "HA":
                return self.standard_error_of_difference / sqrt(self._rdd)

    @property
    def points(self) -> float:
        """The change that must be exceeded, in points, counted from the expected score."""
        return self.critical_value * self.error

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of these verdicts must know."""
        told = [_WARNINGS[self.method]] if self.method in _WARNINGS else []
        if self.reference.is_sample:
            told.append(SAMPLE_WARNING)
        return tuple(told)

    def expected(self, pre: Floats) -> Floats:
        """Return the score after that no true change lets expect, in points (n,)."""
        slope, intercept = self._line
        return slope * pre + intercept

    def band(self, pre: Floats) -> tuple[Floats, Floats]:
        """Return the scores after (n,) between which a case is unchanged: lower and upper end."""
        middle = self.expected(pre)
        return middle - self.points, middle + self.points

    def columns(self) -> dict[str, pl.Expr]:
        """Return what is reckoned of `pre` and `post` first: `index`, in standard errors.

        Signed as after minus before; null where a score is, everywhere if there is an `obstacle`.
        """
        if self.obstacle:
            return {"index": pl.lit(None, dtype=pl.Float64)}
        slope, intercept = self._line
        before = pl.col("pre") if slope == 1.0 else slope * pl.col("pre")
        beyond = pl.col("post") - before
        beyond = beyond - intercept if intercept else beyond
        # Not divided by: Polars 2.1 rounds a division by a constant in two ways.
        return {"index": beyond * (1 / self.error)}

    def verdict(self) -> pl.Expr:
        """Return the verdict of each case, an Enum of `VERDICTS`, by its `index`."""
        return verdict_beyond(pl.col("index"), self.critical_value, self.higher_is)

    def index(self, pre: Floats, post: Floats) -> Floats:
        """Return the change of some cases in standard errors (n,); NaN where there is none.

        Examples
        --------
        >>> import numpy as np
        >>> rule = ReliableChange(
        ...     reference=Reference(name="x", sd_pre=7.5), reliability=0.8, higher_is="better"
        ... )
        >>> rule.index(np.array([40.0]), np.array([52.5])).round(2).tolist()
        [2.64]
        """
        return judged_scores(self, pre, post)["index"].cast(pl.Float64).to_numpy()

    def verdicts(self, pre: Floats, post: Floats) -> list[str]:
        """Return the verdicts (n,) on some cases, words of `VERDICTS`; NaN is a missing score.

        Examples
        --------
        >>> import numpy as np
        >>> rule = ReliableChange(
        ...     reference=Reference(name="x", sd_pre=7.5), reliability=0.8, higher_is="better"
        ... )
        >>> rule.verdicts(np.array([40.0, 40.0]), np.array([52.5, 45.0]))
        ['improved', 'unchanged']
        """
        return judged_scores(self, pre, post)["verdict"].to_list()

    @property
    def _rdd(self) -> float:
        rdd = self.reliability_of_difference or 0.0
        if rdd <= 0:
            message = "the reliability of the difference is not above zero: HA has no error term"
            raise ChangeRuleError(message)
        return rdd

    @property
    def _line(self) -> tuple[float, float]:
        """Slope and intercept of the expected score after."""
        it, r = self.reference, self.reliability
        mean_pre, mean_post = it.mean_pre or 0.0, it.mean_post or 0.0
        match self.method:
            case "JT":
                return 1.0, 0.0
            case "GLN" | "EN" | "NK":
                return r, (1 - r) * mean_pre
            case "HLL":
                return r, mean_post - r * mean_pre
            case "HA":
                return 1.0, -(mean_post - mean_pre) * (1 - self._rdd) / self._rdd
