"""What does the likelihood of a growth curve need to know of the data, and what does it add up?

Cells, D, M, T and m: see the derivation in `profiled_likelihood`. One pass over the cells adds up
all that criterion and gradient need; no cell is looked at twice. Sums are taken over residuals of
ordinary least squares: the criterion is the same, the rounding smaller. The pass is written without
conjugates, so complex sums give exact derivatives (complex step: Squire & Trapp 1998, SIAM Review
40(1), 110-112).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.therapist_effect import TherapistPairs

Floats = NDArray[np.float64]
Numbers = NDArray[Any]
"""float64, or complex128 for a derivative by complex step."""
Method = Literal["reml", "ml"]

SMALLEST_PART = 1e-10
"""Parts of a sum of squares below this are rounding: a dependent column, a residual of zero."""

BLOCK = 8192
"""Cells a pass looks at together: they stay in the cache."""

SUMS = (
    "cases", "baseline", "baseline_squared",
    "a11", "a12", "a22", "b1", "b2", "baseline_b1", "baseline_b2", "b1_b1", "b1_b2", "b2_b2",
)  # fmt: skip
"""Rows of `CurveSums.cells`; A is that of one case, the others are added up over its cases."""

SUMS_OF_ONE_CASE = ("baseline", "a11", "a12", "a22", "b1", "b2")
"""Rows where every cell is one case: less to keep, and fewer steps."""


@dataclass(frozen=True, kw_only=True)
class CurveSums:
    """All the likelihood needs to know of the data; residuals are scores minus `start`'s line."""

    cells: Numbers
    """(13, cells): see `SUMS`; or (6, cells): see `SUMS_OF_ONE_CASE`."""
    residual_squared: complex
    """Sum of r'R^-1 r; real unless a derivative is taken."""
    log_correlation: complex = 0.0
    """Sum of log|R|."""
    score_count: int
    start: Floats
    """Ordinary least squares coefficients (4,): intercept, time, baseline, time x baseline."""
    kept: NDArray[np.intp]
    """Which of the four columns are linearly independent; the others have coefficient 0."""
    pairs: TherapistPairs | None = None

    def freedom(self, method: Method) -> int:
        """Scores, in REML minus fixed effects."""
        return self.score_count - (len(self.kept) if method == "reml" else 0)

    @property
    def is_by_case(self) -> bool:
        """Whether every cell is one case."""
        return len(self.cells) == len(SUMS_OF_ONE_CASE)

    @property
    def A(self) -> Numbers:  # noqa: N802 - the matrix of the derivation
        """Three numbers of Z'R^-1 Z (3, cells)."""
        return self.cells[1:4] if self.is_by_case else self.cells[3:6]

    @property
    def cases(self) -> Numbers:
        """Cases of each cell (cells,)."""
        return np.ones(self.cells.shape[1]) if self.is_by_case else self.cells[0]

    def without_therapists(self) -> CurveSums:
        """Leave the therapists out."""
        return replace(self, pairs=None)


class Totals(NamedTuple):
    """What one pass over the cells adds up; `m` and M as in the derivation."""

    log_d: Any
    taken_off: Any
    M: Numbers
    """(3, 3): M's three numbers, weighted by 1, c and c^2 (rows)."""
    m: Numbers
    """(4,): m and c m."""
    products: Numbers
    """(3, 6): products of M's numbers, weighted by 1, c and c^2."""
    mixed: Numbers
    """(4, 3): products of m and c m with M's numbers."""
    squares: Numbers
    """(3,): m m'."""


def by_baseline(numbers: Numbers) -> Numbers:
    """Arrange three numbers of a 2 x 2 matrix, weighted by 1, c and c^2 (3, 3), as (4, 4).

    Examples
    --------
    One score at time 2 and baseline 10 gives x x' of its columns x = (1, 2, 10, 20).

    >>> by_baseline(np.outer([1, 10, 100], [1, 2, 4])).tolist()
    [[1, 2, 10, 20], [2, 4, 20, 40], [10, 20, 100, 200], [20, 40, 200, 400]]
    """
    arranged = np.empty((4, 4), dtype=numbers.dtype)
    once, by_c, by_c_squared = numbers[:, [[0, 1], [1, 2]]]
    arranged[:2, :2] = once
    arranged[:2, 2:] = arranged[2:, :2] = by_c
    arranged[2:, 2:] = by_c_squared
    return arranged


def inverted(A: Numbers, theta: Floats) -> tuple[Numbers, Numbers, Numbers]:
    """Return D (cells,), M (3, cells) and T (4, cells: t11, t12, t21, t22) of the derivation.

    Parameters
    ----------
    A
        (3, cells): a11, a12, a22.
    theta
        (3,) or more: l11, l21, l22.

    Examples
    --------
    Scores at times 0 and 1, intercepts with 4 times the residual's variance: V is [[5, 4], [4, 5]],
    |V| is 9 and 9 V^-1 is [[5, -4], [-4, 5]], of which M adds up all, one column, one corner.

    >>> D, M, T = inverted(np.array([[2.0], [1.0], [1.0]]), np.array([2.0, 0.0, 0.0]))
    >>> D.tolist(), (9.0 * M[:, 0]).round(6).tolist()
    ([9.0], [2.0, 1.0, 5.0])
    """
    psi11, psi12, psi22, d = _relative_covariance(theta)
    a11, a12, a22 = A
    determinant = a11 * a22 - a12 * a12
    determinant = np.where(determinant.real > 0.0, determinant, 0.0)
    by_psi12 = psi12 * a12
    M = np.empty((3, A.shape[1]), dtype=A.dtype)
    T = np.empty((4, A.shape[1]), dtype=A.dtype)
    np.add(psi22 * a22 + 1.0, by_psi12, out=T[0])
    np.subtract(-psi22 * a12, psi12 * a11, out=T[1])
    np.subtract(-psi11 * a12, psi12 * a22, out=T[2])
    np.add(psi11 * a11 + 1.0, by_psi12, out=T[3])
    np.add(a11, psi22 * determinant, out=M[0])
    np.subtract(a12, psi12 * determinant, out=M[1])
    np.add(a22, psi11 * determinant, out=M[2])
    big_d = T[0] + T[3]
    big_d += d * determinant - 1.0
    part = 1.0 / big_d
    M *= part
    T *= part
    return big_d, M, T


def _relative_covariance(theta: Floats) -> tuple[float, float, float, float]:
    """Return psi11, psi12, psi22 and |Psi| of theta: l11, l21, l22 (others are not looked at)."""
    l11, l21, l22 = (float(value) for value in theta[:3])
    return l11 * l11, l11 * l21, l21 * l21 + l22 * l22, (l11 * l22) ** 2


def added_up(cells: Numbers, theta: Floats) -> Totals:
    """Pass over the cells once.

    Parameters
    ----------
    cells
        (6, cells) or (13, cells), as in `CurveSums`.
    theta
        (3,) or more: l11, l21, l22.

    Examples
    --------
    Where cases do not differ, M is A and m is b, added up over two cases of 3 and 4 scores.

    >>> cells = np.array([[10.0, 14], [3, 4], [6, 10], [14, 30], [-1, 2], [-2, 5]])
    >>> totals = added_up(cells, np.zeros(3))
    >>> totals.M[0].tolist(), totals.m.tolist()
    ([7.0, 16.0, 44.0], [1.0, 3.0, 18.0, 50.0])
    """
    blocks = [
        _block_totals(cells[:, first : first + BLOCK], theta)
        for first in range(0, cells.shape[1], BLOCK)
    ]
    return Totals(*(np.sum(np.array(parts), axis=0) for parts in zip(*blocks, strict=True)))


def _block_totals(cells: Numbers, theta: Floats) -> Totals:
    psi11, psi12, psi22, _ = _relative_covariance(theta)
    if len(cells) == len(SUMS_OF_ONE_CASE):
        big_d, M, T = inverted(cells[1:4], theta)
        weights, m, m_b, m_m = _of_single_cases(cells, T)
    else:
        big_d, M, T = inverted(cells[3:6], theta)
        weights, m, m_b, m_m = _of_designs(cells, T)
    M_M = np.empty((6, cells.shape[1]), dtype=cells.dtype)
    np.multiply(M, M[0], out=M_M[:3])
    np.multiply(M[1:], M[1], out=M_M[3:5])
    np.multiply(M[2], M[2], out=M_M[5])
    return Totals(
        log_d=weights[0] @ np.log(big_d),
        # V^-1 = R^-1 - R^-1 Z Psi Z'V^-1
        taken_off=psi11 * m_b[0, 0] + psi12 * (m_b[0, 1] + m_b[1, 0]) + psi22 * m_b[1, 1],
        M=weights @ M.T,
        m=m.sum(axis=1),
        products=weights @ M_M.T,
        mixed=m @ M.T,
        squares=m_m,
    )


def _of_single_cases(cells: Numbers, T: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return 1, c, c^2 (3, cells); m and c m (4, cells); sum m b' (2, 2); sum m m' (3,)."""
    c, b = cells[0], cells[4:6]
    weights = np.ones((3, len(c)), dtype=cells.dtype)
    weights[1] = c
    np.multiply(c, c, out=weights[2])
    m = np.empty((4, len(c)), dtype=cells.dtype)
    np.add(T[0] * b[0], T[1] * b[1], out=m[0])
    np.add(T[2] * b[0], T[3] * b[1], out=m[1])
    np.multiply(m[:2], c, out=m[2:])
    return weights, m, m[:2] @ b.T, (m[:2] @ m[:2].T)[[0, 0, 1], [0, 1, 1]]


def _of_designs(cells: Numbers, T: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return the same for designs, weights and all added up over their cases."""
    b1, b2, cb1, cb2, bb11, bb12, bb22 = cells[6:]
    t11, t12, t21, t22 = T
    m = np.empty((4, cells.shape[1]), dtype=cells.dtype)
    np.add(t11 * b1, t12 * b2, out=m[0])
    np.add(t21 * b1, t22 * b2, out=m[1])
    np.add(t11 * cb1, t12 * cb2, out=m[2])
    np.add(t21 * cb1, t22 * cb2, out=m[3])
    m_b11, m_b12 = t11 * bb11 + t12 * bb12, t11 * bb12 + t12 * bb22
    m_b21, m_b22 = t21 * bb11 + t22 * bb12, t21 * bb12 + t22 * bb22
    m_b = np.array([[m_b11.sum(), m_b12.sum()], [m_b21.sum(), m_b22.sum()]])
    m_m = np.array([m_b11 @ t11 + m_b12 @ t12, m_b11 @ t21 + m_b12 @ t22,
                    m_b21 @ t21 + m_b22 @ t22])  # fmt: skip
    return cells[:3], m, m_b, m_m
