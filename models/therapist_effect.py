"""How much do therapists differ? A shared intercept for the cases of one therapist.

Each case has one therapist (cases are nested in therapists). With tau the variance of therapists
relative to the residual's, the cases of therapist h together have V_h = blockdiag(V_i) + tau 1 1',
so by the Sherman-Morrison formula, with all sums over the cases i of h,

    s = sum 1'V_i^-1 1 = sum M11,   x = sum X_i'V_i^-1 1 = sum (M11, M12, c M11, c M12),
    v = sum 1'V_i^-1 y = sum m1,    kappa = tau / (1 + tau s):

    log|V_h|    = sum log|V_i| + log(1 + tau s)
    X'V_h^-1 X  = sum X_i'V_i^-1 X_i - kappa x x',   likewise X'V_h^-1 y (- kappa x v) and
    y'V_h^-1 y  (- kappa v^2).

The shrunken therapist effect is u = kappa (v - x'beta). For a case it is a shift of the intercept,
g -> g + u e1 in `profiled_likelihood`, and Z'V_h^-1 X = M ([I, cI] - kappa e1 x'). With a = M e1,
r = Q kappa x and n, c, m summed over the cases of one therapist and design, this adds to G

    sum a (My)' + (My) a' + z a a' + (u m a' + a u m') / sigma^2,
    y = n r[:2] + c r[2:] - (n g + c g') u / sigma^2,   z = -n (kappa + kappa x'r + u^2 / sigma^2),

and the gradient with respect to tau is, with f = 1 / (1 + tau s),

    sum over h of  f s - f^2 x'Qx - f^2 (v - x'beta)^2 / sigma^2.

So small tables, one row for each therapist and design, are enough beside the cells: how many cases,
the sum of their baselines, and of their b.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.curve_sums import CurveSums, Floats, Method, Numbers, Totals, inverted
from models.profiled_likelihood import Profiled


@dataclass(frozen=True, kw_only=True)
class TherapistPairs:
    """One entry for each therapist and cell that has cases of both, ordered by therapist."""

    first: NDArray[np.intp]
    """(therapists,): where each therapist's entries begin."""
    cell: NDArray[np.intp] | slice
    """(pairs,): which cell; a slice where cells stand in the order of pairs."""
    sums: Numbers
    """(4, pairs): cases, baseline, b1 and b2 (over residuals), added up over cases."""

    def taken_off(self, A: Numbers, theta: Floats) -> _TakenOff:
        """Say what the therapists' intercept takes off the sums over cases."""
        tau = float(theta[3]) ** 2
        _, M, T = inverted(A, theta)
        count, baseline, b1, b2 = self.sums
        m11, m12, m22 = M[:, self.cell]
        t11, t12, t21, t22 = T[:, self.cell]
        m1, m2 = t11 * b1 + t12 * b2, t21 * b1 + t22 * b2
        by_pair = np.stack([count * m11, count * m12, baseline * m11, baseline * m12, m1])
        by_therapist = np.add.reduceat(by_pair, self.first, axis=1)
        x, v = by_therapist[:4], by_therapist[4]
        growth = 1.0 + tau * x[0]
        kappa = tau / growth
        information = (kappa * x) @ x.T
        totals = Totals(
            log_d=np.log(growth).sum(),
            taken_off=(kappa * v) @ v,
            M=information,
            m=x @ (kappa * v),
            products=np.zeros(0),
            mixed=np.zeros(0),
            squares=np.zeros(0),
        )
        return _TakenOff(totals, self, np.stack([m11, m12, m22]), np.stack([m1, m2]), x, v, growth,
                         kappa)  # fmt: skip


class _TakenOff(NamedTuple):
    totals: Totals
    """`M` is here the (4, 4) that is taken off X'V^-1 X."""
    pairs: TherapistPairs
    M: Numbers
    m: Numbers
    """(2, pairs): added up over the cases of a pair."""
    x: Numbers
    """(4, therapists)"""
    v: Numbers
    growth: Numbers
    """(therapists,): 1 + tau s."""
    kappa: Numbers

    def gradients(
        self, fit: Profiled, precision: float, method: Method
    ) -> tuple[Floats, float, Floats]:
        """Return what is added to G (2, 2), the gradient by tau, and the therapists' effects u."""
        count, baseline = self.pairs.sums[:2]
        left = self.v - fit.shift @ self.x
        u = self.kappa * left
        Qx = fit.inverse @ self.x if method == "reml" else np.zeros_like(self.x)
        xQx = (self.x * Qx).sum(axis=0)
        by_tau = self.x[0] / self.growth - (xQx + precision * left * left) / self.growth**2

        sizes = np.diff(self.pairs.first, append=len(count))
        z = np.repeat(-(self.kappa + self.kappa**2 * xQx + precision * u * u), sizes) * count
        r1, r2, r3, r4 = np.repeat(self.kappa * Qx, sizes, axis=1)
        u_of_pair = np.repeat(u, sizes)
        g1, g2, g3, g4 = precision * fit.shift
        y1 = count * r1 + baseline * r3 - u_of_pair * (count * g1 + baseline * g3)
        y2 = count * r2 + baseline * r4 - u_of_pair * (count * g2 + baseline * g4)
        a1, a2, m22 = self.M
        # (z / 2) a a' is put half on each side of a symmetric sum, and u m with it.
        half1 = a1 * y1 + a2 * y2 + 0.5 * z * a1 + precision * u_of_pair * self.m[0]
        half2 = a2 * y1 + m22 * y2 + 0.5 * z * a2 + precision * u_of_pair * self.m[1]
        side = np.array([[a1 @ half1, a1 @ half2], [a2 @ half1, a2 @ half2]])
        added: Floats = side + side.T
        return added, float(by_tau.sum()), u


def with_therapists(sums: CurveSums, therapist: NDArray[np.intp]) -> CurveSums:
    """Add each case's therapist to sums of one case a cell, put in the therapists' order.

    Parameters
    ----------
    therapist
        (cases,): the therapist of each case, 0 to therapists - 1, every code used.

    Examples
    --------
    Therapist 0 has the cases with baselines 12 and 16, therapist 1 those with 10 and 14.

    >>> from models.case_sums import case_sums
    >>> score = np.array([4.0, 4, 8, 6, 12, 12, 16, 14])
    >>> case, time = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)
    >>> sums = case_sums(np.array([10.0, 12, 14, 16])[case], time, score, case)
    >>> nested = with_therapists(sums.curve_sums(), np.array([1, 0, 1, 0]))
    >>> nested.cells[0].tolist(), nested.pairs.first.tolist()
    ([12.0, 16.0, 10.0, 14.0], [0, 2])
    """
    order = np.argsort(therapist, kind="stable")
    cells = sums.cells[:, order]  # in this order, no cell has to be looked for
    pairs = TherapistPairs(
        first=np.flatnonzero(np.diff(therapist[order], prepend=-1)),
        cell=slice(None),
        sums=np.stack([np.ones(len(order)), cells[0], cells[4], cells[5]]),
    )
    return replace(sums, cells=cells, pairs=pairs)
