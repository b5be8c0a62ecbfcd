"""How do cross-products look through a function of time and correlated residuals?

Residuals of one case at sessions j and k are correlated by rho^|j - k| (a first-order
autoregression, as corAR1 in nlme; gaps count as sessions). With q = rho^gap for neighbouring
scores, the inverse of this matrix R has three diagonals,

    R^-1_jj = 1 + e_before + e_after,   R^-1_j,j+1 = o,   e = q^2 / (1 - q^2),   o = -q / (1 - q^2),

and log|R| = sum log(1 - q^2). With H = R^-1 Z, the sums of a design that the likelihood needs are
A = Z'H, sum b = H'G_r1, sum c b = H'G_rc, sum b b' = H'G_rr H and sum r'R^-1 r = tr(R^-1 G_rr),
where G is taken over residuals r of ordinary least squares. So no score is looked at again,
whatever the function of time and rho. rho = 0 is the model of independent residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.case_sums import carried_effects, least_squares, spread_or_error
from models.cross_products import CrossProducts, Designs
from models.curve_sums import CurveSums, Floats, Numbers, by_baseline
from models.therapist_effect import TherapistPairs

MOST_TO_FILL_UP = 1 << 18
"""Numbers, counted with those that are filled in."""


@dataclass(frozen=True, kw_only=True)
class _Residuals:
    """Cross-products of the residuals of designs with k scores, or of fewer and filled up to k."""

    is_there: Floats
    """(designs, k): 1, and 0 where filled up."""
    gaps: NDArray[np.intp]
    """(designs, k - 1): sessions from one score to the next; 0 where filled up."""
    time: Floats
    """(designs, k)"""
    weights: Floats
    """(3, designs): cases, sum of baselines, of their squares."""
    rr: Floats
    """(designs, k, k)"""
    r: Floats
    """(designs, k): sum of residuals."""
    c_r: Floats
    design_of_pair: Numbers
    r_of_pair: Floats
    """(pairs, k)"""


class CurveSumsOfDesigns:
    """Call it with a serial correlation to get what the likelihood needs.

    Parameters
    ----------
    time_of_session
        (64,): the function of time at sessions 0 to 63.
    """

    def __init__(
        self, products: CrossProducts, time_of_session: Floats, *, therapists: bool = False
    ) -> None:
        self._score_count = products.score_count
        self._start, self.kept = _ordinary(products, time_of_session)
        self._parts = _filled_up([
            _residuals(each, time_of_session, self._start, therapists=therapists)
            for each in products.designs
        ])  # fmt: skip
        self.effects = carried_effects(
            np.concatenate([np.full(len(each.masks), float(each.count))
                            for each in products.designs]),
            np.concatenate([each.cases for each in products.designs]), len(self.kept),
        )  # fmt: skip
        self._pairs: tuple[Numbers, Numbers, Numbers] | None = None
        if therapists:
            self._pairs = _pairs_in_order(products)

    @property
    def size(self) -> int:
        """Numbers that are looked at for one correlation."""
        return sum(part.rr.size + part.r_of_pair.size for part in self._parts)

    def __call__(self, correlation: complex) -> CurveSums:
        """Return the sums; complex if the correlation is, for a derivative."""
        cells, pair_b = [], []
        squares: complex = 0.0
        log_correlation: complex = 0.0
        for part in self._parts:
            through = _through(part, correlation)
            cells.append(through.cells)
            pair_b.append(through.pair_b)
            squares += through.squares
            log_correlation += through.log_correlation
        pairs = None
        if self._pairs is not None:
            order, first, fixed = self._pairs
            b = np.concatenate(pair_b, axis=1)[:, order]
            pairs = TherapistPairs(
                first=first,
                cell=fixed[0].astype(np.intp),
                sums=np.concatenate([fixed[1:], b]),
            )
        return CurveSums(
            cells=np.concatenate(cells, axis=1),
            residual_squared=squares,
            log_correlation=log_correlation,
            score_count=self._score_count,
            start=self._start,
            kept=self.kept,
            pairs=pairs,
        )


def _ordinary(products: CrossProducts, time_of_session: Floats) -> tuple[Floats, Numbers]:
    """Return the coefficients of ordinary least squares, and which columns are independent."""
    middle = round(
        sum(float(each.gram[:, :-2, -2].sum()) for each in products.designs)
        / max(products.score_count, 1)
    )  # about a middle point, squares lose nothing to a constant in the scores
    gram, right_side, squared = np.zeros((4, 4)), np.zeros(4), 0.0
    for each in products.designs:
        time = time_of_session[each.sessions]
        n, c, cc = each.gram[:, -2, -2], each.gram[:, -2, -1], each.gram[:, -1, -1]
        y, cy = each.gram[:, :-2, -2], each.gram[:, :-2, -1]
        y, cy = y - middle * n[:, None], cy - middle * c[:, None]
        squared += float(np.trace(each.gram[:, :-2, :-2], axis1=1, axis2=2).sum())
        squared -= middle * float((2.0 * y + middle * n[:, None]).sum())
        a = np.stack([np.full(len(n), float(each.count)), time.sum(1), (time * time).sum(1)])
        gram += by_baseline(np.stack([n, c, cc]) @ a.T)
        right_side += [y.sum(), (time * y).sum(), cy.sum(), (time * cy).sum()]
    start, kept, explained = least_squares(gram, right_side, products.score_count)
    spread_or_error(squared - explained, squared, products.score_count, middle)
    start[0] += middle
    return start, kept


def _residuals(
    designs: Designs, time_of_session: Floats, start: Floats, *, therapists: bool
) -> _Residuals:
    """Take the ordinary line off: G_rr = G_yy - (p h' + h p') - (q k' + k q'), lines p + c q."""
    sessions = designs.sessions
    time = time_of_session[sessions]
    gram = designs.gram
    n, c, cc = (gram[:, i, j][:, None] for i, j in ((-2, -2), (-2, -1), (-1, -1)))
    p, q = start[0] + start[1] * time, start[2] + start[3] * time
    y, cy = gram[:, :-2, -2], gram[:, :-2, -1]
    h, k = y - (n * p + c * q) / 2.0, cy - (c * p + cc * q) / 2.0
    off = p[:, :, None] * h[:, None, :]
    off += q[:, :, None] * k[:, None, :]
    rr = gram[:, :-2, :-2] - off
    rr -= off.transpose(0, 2, 1)
    entries = designs.therapists if therapists else None
    design_of_pair = np.zeros(0, dtype=np.intp) if entries is None else entries.design
    r_of_pair = np.zeros((0, designs.count))
    if entries is not None:
        sums = entries.sums
        r_of_pair = sums[:, :-2] - sums[:, -2:-1] * p[design_of_pair]
        r_of_pair -= sums[:, -1:] * q[design_of_pair]
    return _Residuals(
        is_there=np.ones(time.shape),
        gaps=np.diff(sessions, axis=1),
        time=time,
        weights=np.stack([n[:, 0], c[:, 0], cc[:, 0]]),
        rr=rr,
        r=y - n * p - c * q,
        c_r=cy - c * p - cc * q,
        design_of_pair=design_of_pair,
        r_of_pair=r_of_pair,
    )


def _filled_up(parts: list[_Residuals]) -> list[_Residuals]:
    """Join a few designs of different numbers of scores: one look at all of them is faster."""
    most = max(part.time.shape[1] for part in parts)
    designs = sum(len(part.time) for part in parts)
    if most * (most * designs + sum(len(part.r_of_pair) for part in parts)) > MOST_TO_FILL_UP:
        return parts
    offsets = np.cumsum([0, *(len(part.time) for part in parts[:-1])])

    def wide(values: Numbers, width: int) -> Numbers:
        missing = [(0, 0), *[(0, width - size) for size in values.shape[1:]]]
        return np.pad(values, missing)

    def joined(name: str, width: int = most) -> Numbers:
        return np.concatenate([wide(getattr(part, name), width) for part in parts])

    return [_Residuals(
        is_there=joined("is_there"),
        gaps=joined("gaps", most - 1),
        time=joined("time"),
        weights=np.concatenate([part.weights for part in parts], axis=1),
        rr=joined("rr"),
        r=joined("r"),
        c_r=joined("c_r"),
        design_of_pair=np.concatenate(
            [part.design_of_pair + offset for part, offset in zip(parts, offsets, strict=True)]
        ),
        r_of_pair=joined("r_of_pair"),
    )]  # fmt: skip


@dataclass(frozen=True)
class _Through:
    cells: Numbers
    squares: complex
    log_correlation: complex
    pair_b: Numbers


def _through(part: _Residuals, correlation: complex) -> _Through:
    """Return the sums of designs through R^-1; complex if the correlation is."""
    time, (n, _, _) = part.time, part.weights
    q = np.power(correlation, part.gaps) * (part.gaps > 0)
    left = 1.0 - q * q
    e, o = q * q / left, -q / left
    diagonal = part.is_there.astype(q.dtype)
    diagonal[:, :-1] += e
    diagonal[:, 1:] += e
    H1 = diagonal.copy()
    H1[:, :-1] += o
    H1[:, 1:] += o
    H2 = diagonal * time
    H2[:, :-1] += o * time[:, 1:]
    H2[:, 1:] += o * time[:, :-1]
    H = np.stack([H1, H2], axis=2)
    bb = H.transpose(0, 2, 1) @ (part.rr @ H)
    b = (part.r[:, None, :] @ H)[:, 0]
    c_b = (part.c_r[:, None, :] @ H)[:, 0]
    squares = (diagonal * np.diagonal(part.rr, axis1=1, axis2=2)).sum()
    squares += 2.0 * (o * np.diagonal(part.rr, offset=1, axis1=1, axis2=2)).sum()
    pair_b = np.zeros((2, 0))
    if len(part.r_of_pair):
        of_pair = part.design_of_pair
        pair_b = (
            (part.r_of_pair @ H[0]).T if len(H) == 1
            else np.einsum("pk,pkj->jp", part.r_of_pair, H[of_pair])
        )  # fmt: skip
    return _Through(
        cells=np.concatenate([
            part.weights,
            [H1.sum(1), H2.sum(1), (time * H2).sum(1)],
            b.T, c_b.T, [bb[:, 0, 0], bb[:, 0, 1], bb[:, 1, 1]],
        ]),
        squares=squares.item(),
        log_correlation=(n @ np.log(left).sum(axis=1)).item(),
        pair_b=pair_b,
    )  # fmt: skip


def _pairs_in_order(products: CrossProducts) -> tuple[Numbers, Numbers, Numbers]:
    """Return the pairs' order by therapist, where each begins, and (cell, cases, baseline)."""
    therapist, fixed, offset = [], [], 0
    for each in products.designs:
        if each.therapists is None:
            raise ValueError("these statistics do not tell therapists apart")
        therapist.append(each.therapists.therapist)
        sums = each.therapists.sums
        fixed.append(np.stack([each.therapists.design + float(offset), sums[:, -2], sums[:, -1]]))
        offset += len(each.masks)
    codes = np.concatenate(therapist)
    order = np.argsort(codes, kind="stable")
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return order, first, np.concatenate(fixed, axis=1)[:, order]
