"""What do the scores of each case add up to? Six sums a case, for times of any kind.

The sums are exact sufficient statistics of the growth curve in `mixed_model`: an evaluation costs
the same for 5 or 500 scores a case, and the scores are looked at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import UnstuckError
from models.curve_sums import SMALLEST_PART, CurveSums, Floats, Numbers, by_baseline

ROWS_AT_ONCE = 1 << 15
"""Rows that are squared and multiplied together: they stay in the cache."""


class CannotLearnError(UnstuckError):
    """These scores allow no expected course; the status rule works without it."""


class NoSpreadError(CannotLearnError):
    """The scores leave nothing to explain: all equal, or an exact function of baseline and time."""


@dataclass(frozen=True, kw_only=True)
class CaseSums:
    """What the likelihood needs to know of the data.

    Arrays have one entry a case; `residual` means score minus `start`'s prediction, in points.
    """

    count: Floats
    time: Floats
    time_squared: Floats
    residual: Floats
    time_residual: Floats
    baseline: Floats
    residual_squared: float
    """Sum over all scores."""
    start: Floats
    """Ordinary least squares coefficients (4,): intercept, time, baseline, time x baseline."""
    kept: NDArray[np.intp]
    """Which of the four columns are linearly independent; the others have coefficient 0."""

    @property
    def freedom(self) -> int:
        """Scores minus fixed effects."""
        return int(self.count.sum()) - len(self.kept)

    @property
    def random_effects(self) -> int:
        """How many random effects a case the scores can carry: see `carried_effects`."""
        return carried_effects(self.count, np.ones_like(self.count), len(self.kept))

    def curve_sums(self) -> CurveSums:
        """Write them as the likelihood wants them: one cell a case."""
        return CurveSums(
            cells=np.stack([
                self.baseline, self.count, self.time, self.time_squared, self.residual,
                self.time_residual,
            ]),
            residual_squared=self.residual_squared,
            score_count=int(self.count.sum()),
            start=self.start,
            kept=self.kept,
        )  # fmt: skip


def carried_effects(counts: Floats, cases: Floats, fixed_effects: int) -> int:
    """Say how many random effects a case the scores can carry: 2 (intercept and slope), 1 or 0.

    A line through each case must leave more scores over than there are fixed effects, else the
    residual could shrink to zero. Pre-post data, one score a case, carry none.

    Parameters
    ----------
    counts, cases
        (groups,) both: scores a case, and how many cases have so many.
    fixed_effects
        How many coefficients are estimated, 0 to 4.

    Examples
    --------
    Of ten cases, lines through six scores each leave 40 over, through two scores none.

    >>> [carried_effects(np.array([n]), np.array([10.0]), 4) for n in (6.0, 2.0, 1.0)]
    [2, 1, 0]
    """
    for effects in (2, 1):
        if float(cases @ np.maximum(counts - effects, 0.0)) > fixed_effects:
            return effects
    return 0


def design(baseline: Floats, time: Floats) -> Floats:
    """Fixed-effect columns (n, 4): 1, time, baseline, time x baseline.

    Parameters
    ----------
    baseline, time
        (n,) in points and in the caller's time.

    Examples
    --------
    >>> design(np.array([10.0, 14.0]), np.array([1.0, 2.0])).tolist()
    [[1.0, 1.0, 10.0, 10.0], [1.0, 2.0, 14.0, 28.0]]
    """
    return np.column_stack([np.ones_like(time), time, baseline, time * baseline])


def case_sums(
    baseline: Numbers,
    time: Numbers,
    score: Numbers,
    codes: Numbers,
    *,
    time_function: Callable[[Floats], Floats] | None = None,
) -> CaseSums:
    """Add up the scores after the baseline, case by case.

    Parameters
    ----------
    baseline, time, score
        One entry a score, in any order; the baseline is the same in all rows of a case.
    codes
        The case of each row, 0 to cases - 1, every code used; where they never fall, any numbers.
    time_function
        Applied to the times as float64 (`np.log1p` of int16 is float32 and costs 4e-5 on the
        criterion), a stretch at a time, so that the function of all times is never kept.

    Raises
    ------
    ValueError
        If a case has two baselines, or there are no more scores than fixed effects.
    NoSpreadError
        If baseline and time predict every score exactly.

    Examples
    --------
    >>> scores = np.array([9.0, 7, 4, 12, 11, 7, 5])
    >>> baseline, time = np.array([10.0] * 3 + [14.0] * 4), np.array([1.0, 2, 3, 1, 2, 3, 4])
    >>> sums = case_sums(baseline, time, scores, np.array([0, 0, 0, 1, 1, 1, 1]))
    >>> sums.count.tolist(), sums.time.tolist()
    ([3.0, 4.0], [6.0, 10.0])
    """
    if not len(score):
        raise ValueError("0 scores after the baseline cannot determine any fixed effect.")
    is_sorted = bool((codes[1:] >= codes[:-1]).all())
    added = _added_in_order if is_sorted else _added_in_any_order
    # About a middle point, squares lose nothing to a constant in the scores.
    middle = float(np.rint(score.mean()))
    baseline_of_case, scores_squared, sums = added(
        baseline, time, score, codes, middle, time_function or np.asarray
    )
    count, times, times_squared, scores, time_scores = sums
    c = baseline_of_case
    by_power = np.stack([sums[:3].sum(axis=1), sums[:3] @ c, sums[:3] @ (c * c)])
    gram = by_baseline(by_power)
    right_side = np.concatenate([sums[3:].sum(axis=1), sums[3:] @ c])
    start, kept, explained = least_squares(gram, right_side, len(score))
    residual_squared = scores_squared - explained
    spread_or_error(residual_squared, scores_squared, len(score), middle)
    level, slope = start[0] + c * start[2], start[1] + c * start[3]
    start[0] += middle
    return CaseSums(
        count=count,
        time=times,
        time_squared=times_squared,
        residual=scores - level * count - slope * times,
        time_residual=time_scores - level * times - slope * times_squared,
        baseline=c,
        residual_squared=residual_squared,
        start=start,
        kept=kept,
    )


def least_squares(
    gram: Floats, right_side: Floats, score_count: int
) -> tuple[Floats, NDArray[np.intp], float]:
    """Return ordinary least squares from X'X and X'y: coefficients, columns kept, part explained.

    Parameters
    ----------
    gram, right_side
        (4, 4) and (4,): X'X and X'y, with the columns of `design`. A column that is a combination
        of those before it is left out and has coefficient 0.

    Raises
    ------
    ValueError
        If there are no more scores than fixed effects.

    Examples
    --------
    Scores 9, 6, 6 at times 0, 1, 2: the line 8.5 - 1.5 time misses by .5, -1 and .5.

    >>> X, y = design(np.zeros(3), np.array([0.0, 1.0, 2.0])), np.array([9.0, 6.0, 6.0])
    >>> start, kept, explained = least_squares(X.T @ X, X.T @ y, 3)
    >>> start.round(6).tolist(), kept.tolist(), round(float(y @ y) - explained, 6)
    ([8.5, -1.5, 0.0, 0.0], [0, 1], 1.5)
    """
    kept = _independent(gram)
    if score_count <= len(kept):
        raise ValueError(
            f"{score_count} scores after the baseline cannot determine {len(kept)} fixed effects."
        )
    start = np.zeros(4)
    # In units of each column, so that the equations are as well conditioned as they can be.
    unit = np.sqrt(np.diag(gram)[kept])
    scaled = gram[np.ix_(kept, kept)] / np.outer(unit, unit)
    start[kept] = np.linalg.solve(scaled, right_side[kept] / unit) / unit
    return start, kept, float(2.0 * right_side @ start - start @ gram @ start)


def spread_or_error(
    residual_squared: float, scores_squared: float, score_count: int, middle: float
) -> None:
    """Raise NoSpreadError where nothing but rounding is left to explain.

    Parameters
    ----------
    residual_squared, scores_squared
        Sums of squares in points squared: about the line, and of scores about `middle`.
    middle
        The point, in points, that was taken off the scores.

    Raises
    ------
    NoSpreadError
        If baseline and time predict every score exactly.

    Examples
    --------
    >>> spread_or_error(1.5, 6.0, 3, 7.0)
    >>> spread_or_error(0.0, 6.0, 3, 7.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    models.case_sums.NoSpreadError: Baseline and time predict every score ...
    """
    all_squared = scores_squared + score_count * middle * middle
    if residual_squared <= SMALLEST_PART**2 * score_count + SMALLEST_PART * all_squared:
        raise NoSpreadError(
            "Baseline and time predict every score after the baseline exactly (are all scores "
            "equal, or copied from the baseline?); there is no spread to learn."
        )


def _added_in_order(
    baseline: Numbers,
    time: Numbers,
    score: Numbers,
    codes: Numbers,
    middle: float,
    function: Callable[[Floats], Floats],
) -> tuple[Floats, float, Floats]:
    """Add up scores whose cases stand together: baselines, squares, and the five sums a case."""
    is_new = codes[1:] != codes[:-1]
    _one_baseline((baseline[1:] == baseline[:-1]) | is_new)
    begins = np.concatenate([[0], np.flatnonzero(is_new) + 1])
    sums = np.empty((5, len(begins)))
    sums[0] = np.diff(begins, append=len(score))
    squares = 0.0
    stretches = np.searchsorted(begins, np.arange(0, len(score), ROWS_AT_ONCE))
    for first, last in pairwise(np.unique([*stretches, len(begins)])):
        rows = slice(begins[first], begins[last] if last < len(begins) else len(score))
        places = begins[first:last] - begins[first]
        t = function(time[rows].astype(np.float64, copy=False))
        y = score[rows] - middle
        squares += float(y @ y)
        for place, values in enumerate((t, t * t, y, t * y), start=1):
            np.add.reduceat(values, places, out=sums[place, first:last])
    return baseline[begins].astype(np.float64), squares, sums


def _added_in_any_order(
    baseline: Numbers,
    time: Numbers,
    score: Numbers,
    codes: Numbers,
    middle: float,
    function: Callable[[Floats], Floats],
) -> tuple[Floats, float, Floats]:
    """Do the same for scores in any order."""
    baseline_of_case = np.empty(int(codes.max()) + 1)
    baseline_of_case[codes] = baseline
    _one_baseline(baseline_of_case[codes] == baseline)
    t, y = function(time.astype(np.float64, copy=False)), score - middle
    weights = (None, t, t * t, y, t * y)
    sums = np.stack([np.bincount(codes, weights=each).astype(np.float64) for each in weights])
    return baseline_of_case, float(y @ y), sums


def _one_baseline(is_fine: NDArray[np.bool_]) -> None:
    if not bool(is_fine.all()):
        raise ValueError("A case has more than one baseline; give every row of a case the same.")


def _independent(gram: Floats) -> NDArray[np.intp]:
    """Find, from X'X, the columns that are no combination of the columns before them."""
    kept: list[int] = []
    for column in range(len(gram)):
        left = gram[column, column]
        if kept:
            cross = gram[kept, column]
            left = left - cross @ np.linalg.solve(gram[np.ix_(kept, kept)], cross)
        if left > SMALLEST_PART * gram[column, column]:
            kept.append(column)
    return np.array(kept, dtype=np.intp)
