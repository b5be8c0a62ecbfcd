"""At which variances is a growth curve most likely? The search over theta.

Theta is left free in sign: the criterion is even in each column of L, so a boundary (a variance of
zero, a correlation of 1) is an ordinary minimum and not an edge. But the gradient vanishes there
whether or not it is the best point, so each minimum near a boundary is checked on the cone of
covariances: where the gradient with respect to Psi has a negative eigenvalue, more variance in that
direction helps, and the search goes on from there.

Cases come first. Their optimum and Hessian are the start for therapists and serial correlation.
Where there are many cells, every k-th of them finds a start and a Hessian that are nearly right, so
that few passes over all cells are needed; the end is decided by the exact gradient of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from models.curve_sums import CurveSums, Floats, Method
from models.newton import Function, Minimum, minimise
from models.profiled_likelihood import Profile, criterion_of, evaluate

SMALLEST_GAIN = 1e-13
"""A step that lowers the criterion by less than this, a score, is rounding."""

SMALLEST_GAIN_OF_ALL, SMALLEST_GAIN_EACH = 1e-11, 1e-16
"""Predicted gain in the criterion at which the search ends, of all scores or a score: less than
1e-4 standard errors from the best point, and of the order of the criterion's rounding."""

MOST_SEARCHES = 20
"""Searches before the best point so far is taken; more than three were never needed in tests."""

START = (1.0, 0.0, 0.7)
"""l11, l21, l22 in units of a typical time: cases differ about as much as their scores do."""

MANY_CELLS = 20_000
"""Cells of one case from which on a part of them finds the start."""
THINNED_BY = 30
"""Of n cells 30 times the root of n are kept: 4 of 20 thousand, 30 of a million."""

NEAR_THE_BOUNDARY = 1e-2
"""Relative standard deviation below which a minimum is checked on the cone of covariances."""

LARGEST_CORRELATION = 1.0 - 1e-9
"""Of neighbouring residuals: at 1 they would be one number."""

COMPLEX_STEP = 1e-20
"""Too small to be seen beside the value, so the derivative is exact to rounding."""

ADDED = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""Relative variances that are tried where the gradient at a boundary asks for more."""

DEAR = 20_000
"""Cells and pairs from which on Hessians by differences cost too much."""

SumsAt = Callable[[complex], CurveSums]
"""The sums at one serial correlation; complex for a derivative."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The best variances, and what profiling gives there."""

    theta: Floats
    """(3,) or, with therapists, (4,); l11, l22 and the last at least 0."""
    serial_correlation: float | None
    profile: Profile


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What is searched over: variances in units of a typical time, so the unit does not matter."""

    sums_at: SumsAt
    method: Method
    effects: int
    has_therapists: bool
    is_serial: bool
    time_unit: float
    freedom: int
    remembered: dict[bytes, Profile] = field(default_factory=dict)
    """The last point's, so that a look at where the search ended costs nothing."""

    @property
    def cone(self) -> int:
        """How many numbers of theta are free."""
        return (0, 1, 3)[self.effects]

    @property
    def smallest_gain(self) -> float:
        """Predicted gain, a score, at which the search ends."""
        return max(SMALLEST_GAIN_OF_ALL / self.freedom, SMALLEST_GAIN_EACH)

    def theta(self, point: Floats) -> Floats:
        theta = np.zeros(4 if self.has_therapists else 3)
        theta[: self.cone] = point[: self.cone]
        theta[1:3] /= self.time_unit
        if self.has_therapists:
            theta[3] = point[self.cone]
        return theta

    def correlation(self, point: Floats) -> float:
        return LARGEST_CORRELATION * float(np.tanh(point[-1])) if self.is_serial else 0.0

    def profile(self, point: Floats) -> Profile:
        key = point.tobytes()
        if key not in self.remembered:
            self.remembered.clear()
            sums = self.sums_at(self.correlation(point))
            self.remembered[key] = evaluate(sums, self.theta(point), self.method)
        return self.remembered[key]

    def __call__(self, point: Floats) -> tuple[float, Floats]:
        """Return criterion and gradient, divided by the scores so that tolerances mean the same."""
        here = self.profile(point)
        gradient = here.gradient.copy()
        gradient[1:3] /= self.time_unit
        gradient = np.concatenate([gradient[: self.cone], gradient[3:]])
        if self.is_serial:
            gradient = np.append(gradient, self._by_correlation(point))
        return here.criterion / self.freedom, gradient / self.freedom

    def _by_correlation(self, point: Floats) -> float:
        correlation = self.correlation(point)
        sums = self.sums_at(complex(correlation, COMPLEX_STEP))
        slope = criterion_of(sums, self.theta(point), self.method).imag / COMPLEX_STEP
        return slope * LARGEST_CORRELATION * (1.0 - (correlation / LARGEST_CORRELATION) ** 2)


def search(
    sums_at: SumsAt, effects: int, *, method: Method, is_serial: bool, is_dear: bool = False
) -> Found:
    """Find the variances that make the scores most likely.

    Parameters
    ----------
    sums_at
        Returns the sums at one serial correlation; asked for 0 alone if not `is_serial`.
    effects
        Random effects a case: 2 (intercept and slope), 1 (intercept) or 0.
    is_serial
        Whether the serial correlation is searched over too.
    is_dear
        Whether sums at another serial correlation cost much.

    Examples
    --------
    Between cases the mean square is 146 / 3, within them 2 / 3: 73 times as much. Two scores a case
    make the relative variance (73 - 1) / 2 = 36 and the relative standard deviation 6.

    >>> from models.case_sums import case_sums
    >>> score = np.array([4.0, 4, 8, 6, 12, 12, 16, 14])
    >>> case, time = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)
    >>> sums = case_sums(np.full(8, 10.0), time, score, case)
    >>> found = search(lambda _: sums.curve_sums(), 1, method="reml", is_serial=False)
    >>> found.theta.round(3).tolist(), round(found.profile.residual_variance, 3)
    ([6.0, 0.0, 0.0], 0.667)
    """
    sums = sums_at(0.0)
    pairs, (count, _, time_squared) = sums.pairs, sums.A
    typical = float(np.sqrt((sums.cases @ time_squared) / (sums.cases @ count)))
    cases_only = _Search(
        sums_at=lambda _: sums.without_therapists(),
        method=method,
        effects=effects,
        has_therapists=False,
        is_serial=False,
        time_unit=typical or 1.0,
        freedom=sums.freedom(method),
    )
    found = _of_cases(cases_only, sums.without_therapists())
    wanted = replace(
        cases_only,
        sums_at=lru_cache(maxsize=2)(sums_at) if is_serial else lambda _: sums,
        has_therapists=pairs is not None,
        is_serial=is_serial,
        remembered={},
    )
    if pairs is not None or is_serial:
        extra = [0.3] * (pairs is not None) + [0.2] * is_serial
        is_dear = is_dear or (pairs is not None and pairs.sums.shape[1] > DEAR)
        start = np.append(found.point, extra)
        hessian = _widened(wanted, start, found.hessian) if is_dear else None
        found = _inside_the_cone(wanted, minimise(wanted, start, hessian, wanted.smallest_gain))
    theta = wanted.theta(found.point)
    theta[:3] *= np.where(theta[[0, 0, 2]] < 0.0, -1.0, 1.0)
    theta[3:] = np.abs(theta[3:])
    return Found(
        theta=theta,
        serial_correlation=wanted.correlation(found.point) if is_serial else None,
        profile=wanted.profile(found.point),
    )


def _of_cases(task: _Search, sums: CurveSums) -> Minimum:
    start, hessian = np.array(START)[: task.cone], None
    if not task.cone:
        return Minimum(point=start, value=0.0, hessian=np.zeros((0, 0)), evaluations=0)
    if sums.is_by_case and sums.cells.shape[1] > MANY_CELLS:
        few = _thinned(sums)
        nearly = minimise(
            replace(task, sums_at=lambda _: few, freedom=few.freedom(task.method), remembered={}),
            start,
        )
        start, hessian = nearly.point, nearly.hessian
        if np.linalg.eigvalsh(hessian)[0] <= 0.0:
            hessian = None
    return _inside_the_cone(task, minimise(task, start, hessian, task.smallest_gain))


def _thinned(sums: CurveSums) -> CurveSums:
    """Keep every k-th cell; their share of the squared residuals is taken to be that of scores."""
    every = int(sums.cells.shape[1] ** 0.5 / THINNED_BY)
    few = replace(sums, cells=np.ascontiguousarray(sums.cells[:, ::every]))
    count = float(few.cases @ few.A[0])
    return replace(
        few,
        residual_squared=sums.residual_squared * count / sums.score_count,
        score_count=round(count),
    )


def _widened(function: Function, point: Floats, hessian: Floats) -> Floats:
    """Return a Hessian of more parameters: that of the first, and differences for the others."""
    known = len(hessian)
    gradient = function(point)[1]
    wide = np.zeros((len(point), len(point)))
    wide[:known, :known] = hessian
    for place in range(known, len(point)):
        step = np.zeros(len(point))
        step[place] = 1e-5
        wide[place] = wide[:, place] = (function(point + step)[1] - gradient) / step[place]
    return wide


def _inside_the_cone(task: _Search, found: Minimum) -> Minimum:
    """Search on for as long as a minimum on the boundary gains by more variance."""
    for _ in range(MOST_SEARCHES):
        better = _more_variance(task, found)
        if better is None:
            break
        found = minimise(task, better, None, task.smallest_gain)
    return found


def _more_variance(task: _Search, found: Minimum) -> Floats | None:
    """Add relative variance where the gradient asks for it; None if that is no use."""
    point = found.point
    candidates: list[Callable[[float], Floats]] = []
    is_near = task.cone and min(abs(point[0]), abs(point[task.cone - 1])) < NEAR_THE_BOUNDARY
    is_near_with_therapists = task.has_therapists and abs(point[task.cone]) < NEAR_THE_BOUNDARY
    if not (is_near or is_near_with_therapists):
        return None
    here = task.profile(point)
    if is_near:
        unit = np.array([1.0, task.time_unit])[: task.effects]
        uphill = here.covariance_gradient[: task.effects, : task.effects] / np.outer(unit, unit)
        values, vectors = np.linalg.eigh(uphill)
        if values[0] < 0.0:
            candidates.append(lambda variance: _wider(point, task.cone, variance, vectors[:, 0]))
    if is_near_with_therapists and here.therapist_gradient < 0.0:
        step = np.zeros(len(point))
        step[task.cone] = 1.0
        candidates.append(lambda variance: point + step * np.sqrt(variance))
    for candidate in candidates:
        for variance in ADDED:
            tried = candidate(variance)
            if task(tried)[0] < found.value - SMALLEST_GAIN:
                return tried
    return None


def _wider(point: Floats, cone: int, variance: float, direction: Floats) -> Floats:
    """Return the point with more relative variance of the random effects in a direction."""
    tried = point.copy()
    if cone == 1:
        tried[0] = np.sqrt(point[0] ** 2 + variance)
        return tried
    factor = np.array([[point[0], 0.0], [point[1], point[2]]])
    wider = factor @ factor.T + variance * np.outer(direction, direction)
    l11 = np.sqrt(wider[0, 0])
    l21 = wider[0, 1] / l11 if l11 > 0.0 else 0.0
    tried[:3] = l11, l21, np.sqrt(max(wider[1, 1] - l21 * l21, 0.0))
    return tried
