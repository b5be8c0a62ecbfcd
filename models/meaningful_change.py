"""Does a change matter? By a number of points that matters, or by a share of the first score.

`PointsChange` is both the anchor of a minimal important difference and a published reliable change:
a change of exactly that many points counts. `PercentageChange` asks for a share of the score
before. A group is judged by the interval of its mean gain against the points that matter.

R28 can also take the interval from a Bayesian t test. That is left out: it asks the same question,
R28's own code ignores the level asked for between groups (D6), and none of its output is at hand to
agree with.

Sources: R28 (anchor and percentage approaches); R2 (England's integer thresholds, inclusive).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Literal

import numpy as np
import polars as pl

from models.change_reference import Direction, Floats, must, sign_of
from models.verdicts import VERDICTS, constants, judged_scores


@dataclass(frozen=True, kw_only=True)
class PointsChange:
    """A change of so many points counts, whatever the score before.

    Examples
    --------
    >>> rule = PointsChange(points=6, higher_is="worse", source="R2, Table 1")
    >>> rule.verdicts(np.array([18.0, 18.0]), np.array([12.0, 13.0]))
    ['improved', 'unchanged']
    """

    points: float
    higher_is: Direction
    source: str
    worse_points: float | None = None
    """For deterioration, if it differs."""

    def __post_init__(self) -> None:
        must(0 < self.points < float("inf"), "points", self.points, "above zero")
        worse = self.worse_points
        must(worse is None or 0 < worse < float("inf"), "worse_points", worse, "above zero")
        sign_of(self.higher_is)

    @property
    def obstacle(self) -> str | None:
        """Return None: points can always be counted."""
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return nothing: what the number rests on is its source."""
        return ()

    def columns(self) -> dict[str, pl.Expr]:
        """Return nothing: points are counted as they are."""
        return {}

    def verdict(self) -> pl.Expr:
        """Return the verdict of `pre` and `post`, an Enum of `VERDICTS`."""
        gain = signed(pl.col("post") - pl.col("pre"), self.higher_is)
        return _verdict_from(gain, self.points, self.worse_points or self.points)

    def verdicts(self, pre: Floats, post: Floats) -> list[str]:
        """Return the verdicts (n,) on some cases, words of `VERDICTS`; NaN is a missing score."""
        return judged_scores(self, pre, post)["verdict"].to_list()


@dataclass(frozen=True, kw_only=True)
class PercentageChange:
    """A change of so large a share of the score before counts.

    From a score of zero any change is more than any percentage: it is judged by its direction, and
    has no percentage. A score before below zero is not computable.
    """

    share: float
    """0.5 is half of the score before."""
    higher_is: Direction
    worse_share: float | None = None
    """For deterioration, if it differs."""

    def __post_init__(self) -> None:
        must(0 < self.share < float("inf"), "share", self.share, "above zero (0.5 is 50 %)")
        worse = self.worse_share
        must(worse is None or 0 < worse < float("inf"), "worse_share", worse, "above zero")
        sign_of(self.higher_is)

    @property
    def obstacle(self) -> str | None:
        """Return None: it is a matter of each case."""
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Say what a percentage rests on."""
        return ("A percentage depends on where the measure has its zero, which is a convention.",)

    def columns(self) -> dict[str, pl.Expr]:
        """Return `share`, the change as a share of the score before; null where there is none."""
        change = pl.col("post") - pl.col("pre")
        return {"share": pl.when(pl.col("pre") > 0).then(change / pl.col("pre"))}

    def verdict(self) -> pl.Expr:
        """Return the verdict by `share`, an Enum of `VERDICTS`; from zero by the direction."""
        from_zero = pl.when(pl.col("pre") == 0).then(
            pl.when(pl.col("post") == 0).then(0.0).otherwise(pl.col("post") * float("inf"))
        )
        gain = signed(pl.coalesce("share", from_zero), self.higher_is)
        return _verdict_from(gain, self.share, self.worse_share or self.share)

    def verdicts(self, pre: Floats, post: Floats) -> list[str]:
        """Return the verdicts (n,) on some cases, words of `VERDICTS`; NaN is a missing score."""
        return judged_scores(self, pre, post)["verdict"].to_list()


def signed(change: pl.Expr, higher_is: Direction) -> pl.Expr:
    """Return a change as a gain: positive is better.

    Examples
    --------
    >>> pl.select(signed(pl.lit(-3), "worse")).item()
    3
    """
    return change if higher_is == "better" else -change


def _verdict_from(gain: pl.Expr, better: float, worse: float) -> pl.Expr:
    """Return the verdict on gains that reach a limit: exactly the limit counts."""
    improved, unchanged, deteriorated, not_computable = constants(VERDICTS)
    return (
        pl.when(gain >= better).then(improved)
        .when(gain <= -worse).then(deteriorated)
        .when(gain.is_null()).then(not_computable)
        .otherwise(unchanged)
    )  # fmt: skip


GroupVerdict = Literal[
    "large", "probable", "possible", "too_small", "not_significant", "worse", "not_computable"
]


@dataclass(frozen=True, kw_only=True)
class GroupChange:
    """What happened to a group as a whole: the mean difference with its interval, in points."""

    difference: float | None
    """After minus before, or comparison minus reference group; None if not computable."""
    low: float | None
    high: float | None
    count: int
    verdict: GroupVerdict
    """`large`: all of the interval reaches the points that matter. `probable`: the mean does.
    `possible`: only the interval's better end does. `too_small`: better, but not by what matters.
    `not_significant`: the interval holds zero. `worse`: all of it is worse."""
    reason: str | None = None
    """Why it is not computable."""


def change_within(
    pre: Floats, post: Floats, *, points: float, higher_is: Direction, confidence: float = 0.95
) -> GroupChange:
    """Judge the mean change of one group by the paired t interval; incomplete pairs are left out.

    Examples
    --------
    >>> pre, post = np.array([20.0, 22.0, 24.0]), np.array([10.0, 11.0, 15.0])
    >>> change_within(pre, post, points=5, higher_is="worse").verdict
    'large'
    """
    changes = post - pre
    changes = changes[np.isfinite(changes)]
    count = len(changes)
    if count < 2:
        return _no_group(count, "fewer than two complete pairs")
    error = float(changes.std(ddof=1)) / sqrt(count)
    return _judged(float(changes.mean()), error, count - 1, count, points, higher_is, confidence)


def change_between(
    reference: Floats,
    comparison: Floats,
    *,
    points: float,
    higher_is: Direction,
    confidence: float = 0.95,
) -> GroupChange:
    """Judge how a group's scores after differ from a reference group's (Welch's t interval).

    Examples
    --------
    >>> waiting, treated = np.array([20.0, 22.0, 24.0]), np.array([10.0, 11.0, 15.0])
    >>> change_between(waiting, treated, points=3, higher_is="worse").verdict
    'large'
    """
    groups = [group[np.isfinite(group)] for group in (reference, comparison)]
    count = sum(len(group) for group in groups)
    if min(len(group) for group in groups) < 2:
        return _no_group(count, "a group has fewer than two scores")
    parts = [float(group.var(ddof=1)) / len(group) for group in groups]
    error = sqrt(sum(parts))
    spread = sum(part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True))
    freedom = error**4 / spread if spread > 0 else float(count - 2)
    difference = float(groups[1].mean() - groups[0].mean())
    return _judged(difference, error, freedom, count, points, higher_is, confidence)


def _judged(
    difference: float,
    error: float,
    freedom: float,
    count: int,
    points: float,
    higher_is: Direction,
    confidence: float,
) -> GroupChange:
    from scipy.stats import t  # slow to import: only where a group is asked for

    must(0 < points < float("inf"), "points", points, "above zero")
    must(0 < confidence < 1, "confidence", confidence, "above 0 and below 1")
    half = float(t.ppf((1 + confidence) / 2, freedom)) * error
    low, high = difference - half, difference + half
    sign = sign_of(higher_is)
    gain, least, most = (
        sign * difference,
        min(sign * low, sign * high),
        max(sign * low, sign * high),
    )
    verdict: GroupVerdict
    if least >= points:
        verdict = "large"
    elif least <= 0 <= most:
        verdict = "not_significant"
    elif most < 0:
        verdict = "worse"
    elif gain >= points:
        verdict = "probable"
    else:
        verdict = "possible" if most >= points else "too_small"
    if not isfinite(half):
        return _no_group(count, "the interval is not finite")
    return GroupChange(difference=difference, low=low, high=high, count=count, verdict=verdict)


def _no_group(count: int, reason: str) -> GroupChange:
    return GroupChange(
        difference=None, low=None, high=None, count=count, verdict="not_computable", reason=reason
    )
