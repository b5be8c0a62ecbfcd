"""Which of the three criteria does an interval between two sessions meet?

What they are and where they come from: `sudden_change`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.sudden_change import (
    LEAST_IN_WINDOW,
    ROUNDING,
    UNKNOWN,
    UNTESTED,
    WINDOW,
    Around,
    Codes,
    Numbers,
    Present,
    SuddenChangeRule,
    Truths,
)

Criterion = Callable[[Around, SuddenChangeRule], Truths]


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """What the criteria say of each interval: MET, NOT_MET or UNKNOWN.

    Shape (cases, sessions - 3): interval j lies between columns j + 1 and j + 2 of the scores. The
    first interval and the last have one session on one side and are never looked at. A criterion
    that is switched off is None.
    """

    first: Codes | None
    second: Codes | None
    third: Codes | None
    verdict: Codes
    """MET if all criteria in use are, UNKNOWN if one of them is."""


def judge_intervals(scores: ArrayLike, rule: SuddenChangeRule) -> Intervals:
    """Return what each criterion says of each interval between two sessions.

    Parameters
    ----------
    scores
        Shape (cases, sessions), consecutive sessions; nan is missing.

    >>> rule = SuddenChangeRule(cutoff=7)
    >>> judge_intervals([[30, 31, 30, 15, 14, 14]], rule).verdict.tolist()
    [[0, 1, 0]]
    >>> judge_intervals([[30, 31, float("nan"), 15, 14, 14]], rule).verdict.tolist()
    [[-1, -1, 0]]
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError("scores have one row a case and one column a session")
    count = max(table.shape[1] - UNTESTED, 0)
    padded = np.pad(table, ((0, 0), (1, 1)), constant_values=float("nan"))
    around = tuple(padded[:, place : place + count] for place in range(2 * WINDOW))
    present = tuple(~np.isnan(scores) for scores in around)
    beside, in_windows = has_both_beside(present), has_windows(present)
    first = second = third = None
    if rule.cutoff is not None:
        first = _codes(is_far(around, rule), beside)
    if rule.share is not None:
        second = _codes(is_large_share(around, rule), beside & ~is_negative(around))
    if rule.beyond_spread:
        third = _codes(is_beyond_spread(around, rule), in_windows)
    used = [codes for codes in (first, second, third) if codes is not None]
    return Intervals(first=first, second=second, third=third, verdict=np.minimum.reduce(used))


def _codes(is_met: Truths, is_known: Truths) -> Codes:
    return np.where(is_known, is_met, np.int8(UNKNOWN)).astype(np.int8)


def criteria_in_use(rule: SuddenChangeRule) -> list[Criterion]:
    """Return the criteria that are switched on, the cheapest first.

    Examples
    --------
    >>> rule = SuddenChangeRule(cutoff=7, share=None)
    >>> [criterion.__name__ for criterion in criteria_in_use(rule)]
    ['is_far', 'is_beyond_spread']
    """
    in_use: list[Criterion] = []
    if rule.cutoff is not None:
        in_use.append(is_far)
    if rule.share is not None:
        in_use.append(is_large_share)
    if rule.beyond_spread:
        in_use.append(is_beyond_spread)
    return in_use


def can_judge(around: Around, present: Present, rule: SuddenChangeRule) -> Truths:
    """Return whether every criterion in use can be told.

    Examples
    --------
    >>> around = tuple(np.array([score]) for score in (30.0, 31.0, 30.0, 15.0, 14.0, 14.0))
    >>> present = tuple(~np.isnan(scores) for scores in around)
    >>> can_judge(around, present, SuddenChangeRule(cutoff=7)).tolist()
    [True]
    """
    known = has_windows(present) if rule.beyond_spread else has_both_beside(present)
    if rule.cutoff is not None or rule.share is not None:
        known &= has_both_beside(present)
    if rule.share is not None:
        known &= ~is_negative(around)
    return known


def has_both_beside(present: Present) -> Truths:
    """Return whether the score before and the score after are there.

    Examples
    --------
    >>> there, missing = np.array([True]), np.array([False])
    >>> has_both_beside((there, there, there, missing, there, there)).tolist()
    [False]
    """
    return present[2] & present[3]


def has_windows(present: Present) -> Truths:
    """Return whether two scores lie on each side (of three sessions).

    Examples
    --------
    >>> there, missing = np.array([True]), np.array([False])
    >>> has_windows((there, missing, there, there, there, missing)).tolist()
    [True]
    """
    a, b, c, d, e, f = present
    return ((a & b) | (c & (a | b))) & ((d & e) | (f & (d | e)))


def is_negative(around: Around) -> Truths:
    """Return whether the score before is below 0: a share of it means nothing.

    Examples
    --------
    >>> zero, below = np.array([0.0]), np.array([-1.0])
    >>> is_negative((zero, zero, below, zero, zero, zero)).tolist()
    [True]
    """
    return around[2] < 0


def is_far(around: Around, rule: SuddenChangeRule) -> Truths:
    """Return whether criterion 1 holds; false where a score is missing.

    Examples
    --------
    >>> around = tuple(np.array([score]) for score in (30.0, 30.0, 30.0, 23.0, 23.0, 23.0))
    >>> is_far(around, SuddenChangeRule(cutoff=7)).tolist()
    [True]
    """
    assert rule.cutoff is not None  # noqa: S101 - callers ask only for criteria in use
    return _fall(around, rule) >= rule.cutoff - ROUNDING


def is_large_share(around: Around, rule: SuddenChangeRule) -> Truths:
    """Return whether criterion 2 holds; false where a score is missing.

    Examples
    --------
    >>> around = tuple(np.array([score]) for score in (40.0, 40.0, 40.0, 31.0, 31.0, 31.0))
    >>> is_large_share(around, SuddenChangeRule(cutoff=7)).tolist()  # 9 of 40 are under a quarter
    [False]
    """
    assert rule.share is not None  # noqa: S101 - callers ask only for criteria in use
    return _fall(around, rule) >= rule.share * around[2] - ROUNDING


def _fall(around: Around, rule: SuddenChangeRule) -> Numbers:
    """Return the change from session n to n + 1 in the direction looked for, in points."""
    fall: Numbers = around[2] - around[3] if rule.sign > 0 else around[3] - around[2]
    return fall


def is_beyond_spread(around: Around, rule: SuddenChangeRule) -> Truths:
    """Return whether criterion 3 holds; false where a window has fewer than two scores.

    Examples
    --------
    >>> around = tuple(np.array([score]) for score in (30.0, 10.0, 30.0, 15.0, 25.0, 5.0))
    >>> is_beyond_spread(around, SuddenChangeRule(cutoff=7)).tolist()
    [False]
    """
    a, b, c, d, e, f = around
    means = ((a + b + c) - (d + e + f)) / WINDOW
    squares = ((a - b) ** 2 + (b - c) ** 2 + (a - c) ** 2) / WINDOW
    squares += ((d - e) ** 2 + (e - f) ** 2 + (d - f) ** 2) / WINDOW
    limit = rule.critical_values[-1] * np.sqrt(squares / (2 * WINDOW - 2))
    beyond: Truths = rule.sign * means > limit + ROUNDING
    lacks = np.nonzero(np.isnan(squares))
    if lacks[0].size:
        beyond[lacks] = _is_beyond_spread_of_fewer(tuple(each[lacks] for each in around), rule)
    return beyond


def _is_beyond_spread_of_fewer(around: Around, rule: SuddenChangeRule) -> Truths:
    before, after = _Window(around[:WINDOW]), _Window(around[WINDOW:])
    degrees = np.maximum(before.count + after.count - 2, 0)
    spread = np.sqrt((before.squares + after.squares) / np.maximum(degrees, 1))
    limit = rule.critical_values.take(degrees) * spread
    beyond: Truths = rule.sign * (before.mean - after.mean) > limit + ROUNDING
    has_two: Truths = np.minimum(before.count, after.count) >= LEAST_IN_WINDOW
    return beyond & has_two


class _Window:
    """Count, mean and sum of squares about the mean of up to three scores.

    Squares come from differences of pairs: a constant added to all scores cancels before anything
    is squared.
    """

    def __init__(self, scores: Around) -> None:
        a, b, c = scores
        self.count = np.sum([~np.isnan(each) for each in scores], axis=0)
        divisor = np.maximum(self.count, 1)
        self.mean = (_or_zero(a) + _or_zero(b) + _or_zero(c)) / divisor
        pairs = _or_zero((a - b) ** 2) + _or_zero((b - c) ** 2) + _or_zero((a - c) ** 2)
        self.squares = pairs / divisor


def _or_zero(numbers: Numbers) -> Numbers:
    return np.where(np.isnan(numbers), 0.0, numbers)
