"""Is a mean of so many cases farther from the average than chance alone would put it?

Limits of a funnel plot about the mean of all: mean +- z SD / sqrt(cases), z 1.96 for 95 % and 3.09
for 99.8 % (Spiegelhalter 2005, Statistics in Medicine 24, 1185, unverified). SD is that of cases
within a therapist. Therapists who truly differ a little fall outside more often than 5 %; so does
a practice whose case mix is not fully adjusted for. That is overdispersion: the mean squared z, the
outer tenth on each side drawn in. Above 1 the limits are also told widened by its root.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Place = Literal["inside", "beyond 95 %", "beyond 99.8 %"]

Z_95, Z_998 = 1.959963984540054, 3.090232306167813
DRAWN_IN = 0.1


def funnel_limits(
    case_count: ArrayLike, *, mean: float, sd: float, z: float, overdispersion: float = 1.0
) -> tuple[Floats, Floats]:
    """Return the lower and upper limit for means of so many cases.

    Examples
    --------
    >>> low, high = funnel_limits([4, 100], mean=0.8, sd=1.0, z=Z_95)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([-0.18, 0.604], [1.78, 0.996])
    """
    half = z * sd * np.sqrt(max(overdispersion, 1.0) / np.asarray(case_count, dtype=np.float64))
    return mean - half, mean + half


def places_in_funnel(
    group_mean: Floats, case_count: ArrayLike, *, mean: float, sd: float, overdispersion: float
) -> list[Place]:
    """Say of each mean where it lies; with overdispersion above 1 limits are widened.

    Examples
    --------
    >>> places_in_funnel(np.array([0.5, 1.0, 2.0]), [25, 25, 25], mean=1.0, sd=1.0,
    ...                  overdispersion=1.0)
    ['beyond 95 %', 'inside', 'beyond 99.8 %']
    """
    z = np.abs(_standardised(group_mean, case_count, mean, sd)) / np.sqrt(max(overdispersion, 1.0))
    return [
        "beyond 99.8 %" if each > Z_998 else "beyond 95 %" if each > Z_95 else "inside"
        for each in z.tolist()
    ]


def overdispersion(group_mean: Floats, case_count: ArrayLike, *, mean: float, sd: float) -> float:
    """Return the mean squared z of the groups, about 1 if they differ by chance alone.

    Examples
    --------
    >>> round(overdispersion(np.array([0.8, 1.0, 1.2]), [25, 25, 25], mean=1.0, sd=1.0), 3)
    0.427
    """
    z = _standardised(group_mean, case_count, mean, sd)
    low, high = np.quantile(z, (DRAWN_IN, 1.0 - DRAWN_IN))
    return float(np.mean(np.clip(z, low, high) ** 2))


def _standardised(group_mean: Floats, case_count: ArrayLike, mean: float, sd: float) -> Floats:
    root = np.sqrt(np.asarray(case_count, dtype=np.float64))
    return np.asarray((group_mean - mean) * root / sd if sd > 0 else np.zeros_like(group_mean))
