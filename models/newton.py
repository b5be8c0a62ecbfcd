"""Where is a smooth function of a few parameters smallest? Newton's method with safeguards.

The gradient is exact; the Hessian is the gradient's differences, or, where the function is dear,
one that the caller knows nearly, brought up to date from step to step (BFGS). Negative curvature is
turned round, steps are cut, and a step that does not help is halved (Nocedal & Wright 2006,
Numerical Optimization, chapters 3, 6 and 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Function = Callable[[Floats], tuple[float, Floats]]
"""Takes a point; returns value and gradient."""

MOST_STEPS = 60
LONGEST_STEP = 1.0
"""In units of the point's largest entry, at least 1."""
SMALLEST_PREDICTED = 1e-17
"""Predicted gain at which the search ends unless said otherwise; values are of the order of 1."""
VALUES_CANNOT_TELL = 1e-11
"""Predicted gain below which the value's rounding hides the gain: the gradient decides."""
UPDATES_IN_A_ROW = 8
"""A Hessian that is brought up to date for longer may have been too wrong: it is found anew."""
DIFFERENCE = 1e-6
FLATTEST = 1e-9
"""Smallest curvature, as a part of the largest."""


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """Where the search ended."""

    point: Floats
    value: float
    hessian: Floats
    evaluations: int


def _differenced_hessian(function: Function, point: Floats, gradient: Floats) -> Floats:
    """Return the Hessian (p, p) by differences of the gradient (p,) at a point (p,)."""
    steps = DIFFERENCE * np.eye(len(point))
    rows = np.array([function(point + step)[1] - gradient for step in steps]) / DIFFERENCE
    hessian: Floats = (rows + rows.T) / 2.0
    return hessian


def minimise(
    function: Function,
    start: Floats,
    hessian: Floats | None = None,
    smallest_gain: float = SMALLEST_PREDICTED,
) -> Minimum:
    """Go downhill from `start`.

    Where no step helps, or after `MOST_STEPS`, the last point is returned; nothing is raised.

    Parameters
    ----------
    start
        (p,)
    hessian
        (p, p) nearly the Hessian near the minimum: saves the differences.
    smallest_gain
        Predicted gain at which the search ends.

    Examples
    --------
    >>> def bowl(x):
    ...     return float(np.cosh(x[0] - 1.0) + x[1] ** 2), np.array([np.sinh(x[0] - 1.0), 2 * x[1]])
    >>> (minimise(bowl, np.array([4.0, 1.0])).point.round(6) + 0.0).tolist()
    [1.0, 0.0]
    """
    point = start
    value, gradient = function(point)
    evaluations, is_dear = 1, hessian is not None
    if hessian is None:
        hessian = _differenced_hessian(function, point, gradient)
        evaluations += len(point)
    for taken in range(1, MOST_STEPS + 1):
        longest = LONGEST_STEP * max(1.0, float(np.abs(point).max()))
        step = _downhill(hessian, gradient, longest)
        predicted = -float(step @ gradient) / 2.0
        if predicted < smallest_gain:
            break
        tried = None
        for _ in range(40):
            new_value, new_gradient = function(point + step)
            evaluations += 1
            gained = value - new_value
            if gained >= 1e-4 * predicted:
                tried = point + step
                break
            if predicted < VALUES_CANNOT_TELL and abs(gained) < VALUES_CANNOT_TELL:
                next_step = _downhill(hessian, new_gradient, longest)
                if -float(next_step @ new_gradient) / 2.0 < predicted / 4.0:
                    tried = point + step
                break
            step = step / 2.0
            predicted /= 2.0
        if tried is None:
            break
        if is_dear and taken % UPDATES_IN_A_ROW:
            hessian = _updated(hessian, step, new_gradient - gradient)
        elif predicted > VALUES_CANNOT_TELL:
            hessian = _differenced_hessian(function, tried, new_gradient)
            evaluations += len(point)
        point, value, gradient = tried, new_value, new_gradient
    return Minimum(point=point, value=value, hessian=hessian, evaluations=evaluations)


def _downhill(hessian: Floats, gradient: Floats, longest: float) -> Floats:
    """Return Newton's step with every curvature taken as positive, no longer than allowed."""
    curvatures, directions = np.linalg.eigh(hessian)
    curvatures = np.abs(curvatures)
    curvatures = np.maximum(curvatures, FLATTEST * max(float(curvatures.max()), 1e-300))
    step: Floats = -directions @ ((directions.T @ gradient) / curvatures)
    length = float(np.abs(step).max())
    return step * (longest / length) if length > longest else step


def _updated(hessian: Floats, step: Floats, change: Floats) -> Floats:
    """Return the Hessian after what the gradient's change along a step has told (BFGS)."""
    along = float(step @ change)
    by_step = hessian @ step
    if along <= 1e-12 * float(np.linalg.norm(step) * np.linalg.norm(change)):
        return hessian
    told: Floats = np.outer(change, change) / along
    return hessian + told - np.outer(by_step, by_step) / float(step @ by_step)
