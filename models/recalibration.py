"""By which slope, or which shift, would probabilities fit what happened, in every draw of cases?

Logistic regression of the outcome on the logits, by Newton's method. With few cases it is fitted to
every draw. With many, each draw's answer is read off the fit to the cases themselves: gradient,
curvature and its change are sums over cases, so a draw's are sums over the draw, and one step of
Chebyshev's method leads to its answer but for terms of the third order in its distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.resampling import Drawn

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CLOSEST = 0.001
"""Probabilities nearer to 0 or 1 are taken as this near: 0 and 1 have no logit, and a single case
in the wrong would outweigh all others."""
FITTED_EACH = 1_000_000
"""Up to so many cases times repeats times draws, each draw is fitted."""
_MOST_STEPS = 50
_LONGEST_STEP = 2.0
_ALMOST = 1e-9


def logits(probability: Floats) -> Floats:
    """Return log(p / (1 - p)), p no nearer to 0 or 1 than `CLOSEST`.

    Examples
    --------
    >>> logits(np.array([0.0, 0.5, 0.75])).round(2).tolist()
    [-6.91, 0.0, 1.1]
    """
    chance = np.clip(probability, CLOSEST, 1.0 - CLOSEST)
    answer: Floats = np.log(chance / (1.0 - chance))
    return answer


def slopes(is_bad: Bools, logit: Floats, part: Floats, drawn: Drawn) -> Floats:
    """Return the slope of the logits over the cases and each draw, (1 + times,).

    nan if all ended alike or all logits are the same; infinite if they part the two kinds.

    Parameters
    ----------
    is_bad
        (n,)
    logit, part
        (repeats, n) and with which weight each counts; a case's weight is shared by its repeats.

    Examples
    --------
    >>> from models.resampling import draw_cases
    >>> is_bad = np.array([False, True, False, False, True, True])
    >>> logit = np.array([[-1.0, -1.0, 0.0, 1.0, 1.0, 2.0]])
    >>> drawn = draw_cases(np.arange(6), times=0)
    >>> slopes(is_bad, logit, np.ones((1, 6)), drawn).round(2).tolist()
    [0.57]
    """
    middle, spread = logit[part > 0.0].mean(), logit[part > 0.0].std()
    if spread < _ALMOST:
        return np.full(len(drawn.counts), np.nan)
    design = np.stack((np.ones_like(logit), (logit - middle) / spread))
    found: Floats = _fitted(is_bad, design, np.zeros_like(logit), part, drawn) / spread
    return found


def offsets(is_bad: Bools, logit: Floats, part: Floats, drawn: Drawn) -> Floats:
    """Return by how much the logits must be shifted, over the cases and each draw, (1 + times,).

    nan if all ended alike.

    Examples
    --------
    >>> from models.resampling import draw_cases
    >>> drawn = draw_cases(np.arange(4), times=0)
    >>> is_bad, logit = np.array([True, True, True, False]), np.zeros((1, 4))
    >>> bool(np.isclose(offsets(is_bad, logit, np.ones((1, 4)), drawn), np.log(3.0))[0])
    True
    """
    return _fitted(is_bad, np.ones((1, *logit.shape)), logit, part, drawn)


def _fitted(is_bad: Bools, design: Floats, offset: Floats, part: Floats, drawn: Drawn) -> Floats:
    """Return the last coefficient over the cases and each draw, (1 + times,).

    `design` (p, repeats, n), `offset` and `part` (repeats, n).
    """
    repeats, n = offset.shape
    shape = (len(design), repeats * n)
    bad = np.tile(is_bad, repeats)
    first, at_all = design.reshape(shape), offset.ravel()
    if drawn.counts.size * repeats <= FITTED_EACH:
        weight = (drawn.counts[:, None, :] * part).reshape(len(drawn.counts), -1)
        return _newton(bad, first, at_all, weight)[:, -1]
    start = _newton(bad, first, at_all, part.reshape(1, -1))[0]
    if not np.isfinite(start).all():
        return np.full(len(drawn.counts), np.nan)
    chance = _chance(at_all + start @ first).reshape(repeats, n)
    curvature = part * chance * (1.0 - chance)
    # One column a sum, the repeats of a case in one number.
    terms = [np.einsum("rn,prn->np", part * (is_bad - chance), design)]
    terms.append(np.einsum("rn,prn,qrn->npq", curvature, design, design).reshape(n, -1))
    third = curvature * (1.0 - 2.0 * chance)
    terms.append(np.einsum("rn,prn,qrn,srn->npqs", third, design, design, design).reshape(n, -1))
    sums, p = drawn.sums(np.concatenate(terms, axis=1)), len(design)
    gradient, hessian = sums[:, :p], sums[:, p : p + p * p].reshape(-1, p, p)
    bend = sums[:, p + p * p :].reshape(-1, p, p, p)
    step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
    bent = gradient - 0.5 * np.einsum("bpqs,bq,bs->bp", bend, step, step)
    last: Floats = (start + np.linalg.solve(hessian, bent[..., None])[..., 0])[:, -1]
    return last


def _newton(is_bad: Bools, design: Floats, offset: Floats, weight: Floats) -> Floats:
    """Return the coefficients (draws, p); `design` (p, m), `weight` (draws, m).

    Draws without a finite answer are not fitted: nan, or infinite in the direction they part.
    """
    answer = np.full((len(weight), len(design)), np.nan)
    parts = _parts(is_bad, design[-1] if len(design) > 1 else None, weight)
    answer[np.isinf(parts)] = parts[np.isinf(parts), None]
    weight = weight[parts == 0.0]
    found = np.zeros((len(weight), len(design)))
    for _ in range(_MOST_STEPS if len(weight) else 0):
        chance = _chance(offset + found @ design)
        gradient = (weight * (is_bad - chance)) @ design.T
        curvature = weight * (chance * (1.0 - chance))
        hessian = np.stack([(curvature * row) @ design.T for row in design], axis=1)
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        found += step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, _ALMOST))
        if longest.max() < _ALMOST:
            break
    answer[parts == 0.0] = found
    return answer


def _parts(is_bad: Bools, line: Floats | None, weight: Floats) -> Floats:
    """Say of each draw whether a finite fit exists: 0 yes, nan no, infinite: the line parts it."""
    is_in = weight > 0.0
    bad, good = is_in & is_bad, is_in & ~is_bad
    parts = np.where(bad.any(1) & good.any(1), 0.0, np.nan)
    if line is None:
        return parts
    lowest_bad, highest_bad = _ends(bad, line)
    lowest_good, highest_good = _ends(good, line)
    exists = parts == 0.0
    upwards, downwards = lowest_bad >= highest_good, highest_bad <= lowest_good
    parts[exists & upwards] = np.inf
    parts[exists & downwards] = -np.inf
    parts[exists & upwards & downwards] = np.nan
    return parts


def _ends(is_in: Bools, line: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest of what each draw has, (draws,)."""
    return np.where(is_in, line, np.inf).min(1), np.where(is_in, line, -np.inf).max(1)


def _chance(logit: Floats) -> Floats:
    """Return 1 / (1 + exp(-logit)), which cannot overflow so."""
    chance: Floats = 0.5 + 0.5 * np.tanh(0.5 * logit)
    return chance
