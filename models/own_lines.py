"""What is known of a case at each of its scores? Its own line and its distances, so far.

The own line is the case's departure from the expected course, shrunken: the conditional modes of
the mixed model given the scores up to now (best linear unbiased prediction, Laird & Ware 1982,
Biometrics 38; recalled). With r the distances from the expected course, Z = [1, time], relative
covariance Psi, d = |Psi| and D as in `mixed_model`:

    Psi Z' V^-1 r = (Psi + d adj(A)) b / D    with A = Z'Z and b = Z'r over the scores so far

(V^-1 = I - Z (Psi^-1 + A)^-1 Z' gives Psi Z' V^-1 r = (Psi^-1 + A)^-1 b, and the adjugate of a sum
of 2 x 2 matrices is the sum of their adjugates.) A and b are running sums, so all occasions of all
cases cost one pass. A later score enters no sum of an earlier row.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.course_input import Floats, Indices
from models.expected_course import ExpectedCourse
from models.local_quantiles import BLOCK_ROWS

Truths = NDArray[np.bool_]

LEADS = (1, 2, 4, 8)
"""Which next scores a forecast learns from."""


class Known(NamedTuple):
    """What is known at each row; (n,) each, points and the caller's time."""

    scores_so_far: Floats
    baseline: Floats
    time: Floats
    distance: Floats
    """Score minus expected score."""
    distance_before: Floats
    """That of the score before; 0 at the first."""
    intercept: Floats
    slope: Floats
    """Of the case's own line, given the scores up to this row."""

    def at(self, rows: Indices | Truths) -> "Known":
        """Return what is known at some of the rows."""
        return Known(*(values[rows] for values in self))


def known_so_far(
    course: ExpectedCourse, baseline: Floats, time: Floats, score: Floats, starts: Truths
) -> Known:
    """Return what is known at each row.

    Parameters
    ----------
    baseline, time, score
        (n,) scores after the baseline, the rows of a case together and in order of time.
    starts
        (n,) whether a row is the first of its case.

    Examples
    --------
    >>> course = ExpectedCourse()
    >>> course.coefficients_ = np.array([2.0, -1.0, 0.5, 0.0])
    >>> course.random_covariance_, course.residual_sd_ = np.diag([4.0, 1.0]), 2.0
    >>> course.predict = lambda X: 2.0 - X[:, 1] + 0.5 * X[:, 0]
    >>> time = np.log1p([1.0, 2.0, 3.0])
    >>> above = 2.0 - time + 0.5 * 16.0 + 3.0  # three points above what was expected
    >>> known = known_so_far(course, np.full(3, 16.0), time, above, np.array([True, False, False]))
    >>> np.round(known.distance, 6), bool(0 < known.intercept[0] < known.intercept[2] < 3)
    (array([3., 3., 3.]), True)
    """
    distance = score - course.predict(np.column_stack([baseline, time]))
    first = np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))
    count = np.arange(1.0, len(starts) + 1.0) - first
    a12, a22, b1, b2 = (
        _running(values, first) for values in (time, time * time, distance, time * distance)
    )
    c11, c12, c22 = line_weights(course, count, a12, a22)
    return Known(
        scores_so_far=count,
        baseline=baseline,
        time=time,
        distance=distance,
        distance_before=np.where(starts, 0.0, np.roll(distance, 1)),
        intercept=c11 * b1 + c12 * b2,
        slope=c12 * b1 + c22 * b2,
    )


def line_weights(
    course: ExpectedCourse, count: Floats, time: Floats, time_squared: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the symmetric matrix (11, 12, 22; (n,) each) that turns b into the own line.

    Parameters
    ----------
    count, time, time_squared
        (n,) A = Z'Z so far: the number of scores, and the sums of their times and squared times.

    Examples
    --------
    >>> course = ExpectedCourse()
    >>> course.random_covariance_, course.residual_sd_ = np.diag([4.0, 0.0]), 2.0
    >>> by_intercept, *_ = line_weights(course, np.array([1.0, 3.0]), np.zeros(2), np.zeros(2))
    >>> by_intercept  # of the sum of 1 and of 3 distances: shrunk by 1/2 and by 3/4
    array([0.5 , 0.25])
    """
    relative = course.random_covariance_ / course.residual_sd_**2
    psi11, psi12, psi22 = relative[0, 0], relative[0, 1], relative[1, 1]
    d = max(psi11 * psi22 - psi12 * psi12, 0.0)
    determinant = np.maximum(count * time_squared - time * time, 0.0)
    big_d = 1.0 + psi11 * count + 2.0 * psi12 * time + psi22 * time_squared + d * determinant
    return (
        (psi11 + d * time_squared) / big_d,
        (psi12 - d * time) / big_d,
        (psi22 + d * count) / big_d,
    )


def case_starts(codes: Indices) -> Truths:
    """Say which rows (n,) are the first of their case; a case's rows stand together.

    Examples
    --------
    >>> case_starts(np.array([0, 0, 1]))
    array([ True, False,  True])
    """
    return np.concatenate([[True], codes[1:] != codes[:-1]])[: len(codes)]


def case_blocks(starts: Truths) -> Iterator[slice]:
    """Yield slices of about `BLOCK_ROWS` rows that do not cut through a case.

    Examples
    --------
    >>> list(case_blocks(np.array([True, False, True])))
    [slice(0, 3, None)]
    """
    firsts = np.append(np.flatnonzero(starts), len(starts))
    begin = 0
    while begin < len(starts):
        wanted = min(begin + BLOCK_ROWS, len(starts))
        end = int(firsts[np.searchsorted(firsts, wanted)])
        yield slice(begin, end)
        begin = end


def pairs_of_scores(codes: Indices, time: Floats) -> tuple[Indices, Indices]:
    """Return rows, and a later row of the same case for each: the next, second, fourth, eighth.

    Examples
    --------
    >>> now, later = pairs_of_scores(np.array([0, 0, 0]), np.array([0.7, 1.1, 1.4]))
    >>> now.tolist(), later.tolist()
    ([0, 1, 0], [1, 2, 2])
    """
    now, later = [], []
    for lead in LEADS:
        row = np.arange(max(len(codes) - lead, 0))
        row = row[(codes[row] == codes[row + lead]) & (time[row] < time[row + lead])]
        now.append(row)
        later.append(row + lead)
    return np.concatenate(now), np.concatenate(later)


def _running(values: Floats, first: Indices) -> Floats:
    """Return the sum (n,) from the first row of the case up to each row."""
    total = np.cumsum(values)
    return np.asarray(total - (total - values)[first])
