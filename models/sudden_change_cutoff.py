"""From which size on is a jump beyond error? The cut-offs of criteria 1 and 3.

Criterion 1: the reliable change of Jacobson & Truax (1991). Criterion 3: Student's two-sided
quantile with 2 to 4 degrees of freedom, in closed form, so that no statistics library is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, cos, isfinite, pi, sin, sqrt, tan
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

RELIABLE_Z = 1.96
"""Two-sided 95 % of a normal distribution, as Jacobson & Truax (1991) print it."""


@dataclass(frozen=True, kw_only=True)
class ReliableCutoff:
    """A cut-off for criterion 1 from the reliability of a measure (Jacobson & Truax 1991).

    >>> round(ReliableCutoff(sd=10.5, reliability=0.931).points, 3)
    7.645
    """

    sd: float
    """Standard deviation of scores before treatment, in points."""
    reliability: float

    def __post_init__(self) -> None:
        if not (isfinite(self.sd) and self.sd > 0):
            raise ValueError("the standard deviation must be a positive number")
        if not 0 <= self.reliability < 1:
            raise ValueError(f"reliability lies from 0 to below 1, not {self.reliability}")

    @classmethod
    def from_scores(cls, scores: ArrayLike, *, reliability: float) -> Self:
        """Take the sample standard deviation of first scores; nan is missing."""
        known = np.asarray(scores, dtype=np.float64)
        known = known[~np.isnan(known)]
        if known.size < 2:
            raise ValueError("a standard deviation needs two scores")
        return cls(sd=float(known.std(ddof=1)), reliability=reliability)

    @property
    def standard_error_of_measurement(self) -> float:
        """In points."""
        return self.sd * sqrt(1 - self.reliability)

    @property
    def standard_error_of_difference(self) -> float:
        """Standard deviation of the difference of two scores with no true change, in points."""
        return sqrt(2) * self.standard_error_of_measurement

    @property
    def points(self) -> float:
        """The cut-off."""
        return RELIABLE_Z * self.standard_error_of_difference


def student_quantile(alpha: float, degrees: int) -> float:
    """Return the two-sided quantile of Student's t with 2, 3 or 4 degrees of freedom.

    Closed forms for 2 and 4 (Shaw 2006, J Comput Finance 9(4)); for 3 the angle
    atan(t / sqrt 3) solves an equation of Kepler's kind.

    >>> [round(student_quantile(0.05, degrees), 3) for degrees in (4, 3, 2)]
    [2.776, 3.182, 4.303]
    """
    tails = alpha * (2 - alpha)  # 4 p (1 - p) at p = 1 - alpha / 2
    if degrees == 2:
        return (1 - alpha) * sqrt(2 / tails)
    if degrees == 4:
        return 2 * sqrt(cos(acos(sqrt(tails)) / 3) / sqrt(tails) - 1)
    if degrees != 3:
        raise ValueError(f"two windows of two or three scores leave 2 to 4, not {degrees}")
    # With b = pi - 2 * angle the equation is b - sin b = pi * alpha: convex, so Newton's steps
    # from the right end never leave it.
    rest = pi
    for _ in range(100):
        step = (rest - sin(rest) - pi * alpha) / (1 - cos(rest))
        rest -= step
        if abs(step) <= 1e-16 * rest:
            break
    return sqrt(3) / tan(rest / 2)
