"""Did the score jump between two sessions, beyond noise, share and spread? The three criteria.

Between session n and n + 1, for a gain on a measure where higher is worse (Tang & DeRubeis 1999,
J Consult Clin Psychol 67(6), 894-904; R29, R30):

1. x(n) - x(n+1) is at least a cut-off in points (7 on the BDI).
2. It is at least a share (25 %) of x(n).
3. mean(x(n-2), x(n-1), x(n)) - mean(x(n+1), x(n+2), x(n+3)) exceeds t times the pooled standard
   deviation of the two windows; t is Student's two-sided quantile at the scores there are, less
   two: 2.776, 3.182, 4.303 with 0, 1, 2 missing (Lutz and others 2013). Each window needs two
   scores. There is no 1/n under the root: the criterion is no t test.

A loss is the same jump upwards, criterion 2 included: x(n+1) - x(n) >= 25 % of x(n). (The R
package's own form, x(n) - x(n+1) <= 25 % of x(n), holds for every rise.) Where higher is better,
gains are the rises.

An event describes; it is never a flag. Without any true change, 5 to 27 % of courses of ten to
twenty scores hold a "sudden gain", and up to half of those that fall in a straight line (R30).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.sudden_change_cutoff import student_quantile

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]
Codes = NDArray[np.int8]

Around = tuple[Numbers, ...]
"""Scores at sessions n - 2 to n + 3, six arrays of one shape, one entry an interval n to n + 1."""

Present = tuple[Truths, ...]
"""Which of those six scores are there."""

Direction = Literal["gain", "loss"]
WINDOW = 3
"""Scores on each side of an interval that criterion 3 looks at."""
LEAST_IN_WINDOW = 2
"""Scores a window must hold for its standard deviation to exist."""
UNTESTED = 3
"""Intervals fewer than sessions: the first and the last have one session on one side."""

MET, NOT_MET, UNKNOWN = 1, 0, -1
"""What an interval's code says of a criterion, or of all of them."""

ROUNDING = 1e-9
"""Points. Keeps 1.4 - 0.9 at least 0.5, and a mean of tenths no larger than itself."""


@dataclass(frozen=True, kw_only=True)
class SuddenChangeRule:
    """Which jumps count; criteria that are None or False are switched off.

    Raises
    ------
    ValueError
        If every criterion is off, or a parameter lies outside its range.
    """

    direction: Direction = "gain"
    higher_is: Literal["worse", "better"] = "worse"
    cutoff: float | None
    """Criterion 1, in points, positive for gains and losses alike."""
    share: float | None = 0.25
    """Criterion 2, as a share of the score before."""
    beyond_spread: bool = True
    """Criterion 3."""
    alpha: float = 0.05
    """Two-sided level of criterion 3's quantile."""
    critical_value: float | None = None
    """Takes the place of the quantile, however many scores are missing; 2.776 is usual."""
    uses_baseline: bool = False
    """Session 0 is the first score: a jump between sessions 1 and 2 can be seen."""

    def __post_init__(self) -> None:
        if self.direction not in ("gain", "loss"):
            raise ValueError(f"direction is 'gain' or 'loss', not {self.direction!r}")
        if self.higher_is not in ("worse", "better"):
            raise ValueError(f"higher_is is 'worse' or 'better', not {self.higher_is!r}")
        if self.cutoff is None and self.share is None and not self.beyond_spread:
            raise ValueError("all three criteria are switched off: keep at least one")
        for name, value in (
            ("cutoff", self.cutoff),
            ("share", self.share),
            ("critical_value", self.critical_value),
        ):
            if value is not None and not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number, not {value}")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not {self.alpha}")

    @property
    def sign(self) -> int:
        """What scores are multiplied by so that the change looked for is a fall."""
        return 1 if (self.direction == "gain") == (self.higher_is == "worse") else -1

    @property
    def better_sign(self) -> int:
        """What a fall is multiplied by to read as points better."""
        return 1 if self.higher_is == "worse" else -1

    @property
    def first_session(self) -> int:
        """Number of the first session whose score is used."""
        return 0 if self.uses_baseline else 1

    @property
    def critical_values(self) -> Numbers:
        """Critical value by degrees of freedom 0 to 4; nan where two windows have no spread."""
        nan = float("nan")
        if self.critical_value is not None:
            return np.array([nan, nan, *[self.critical_value] * 3])
        return np.array([nan, nan, *(student_quantile(self.alpha, df) for df in (2, 3, 4))])


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
    """Return the criteria that are switched on, the cheapest first."""
    in_use: list[Criterion] = []
    if rule.cutoff is not None:
        in_use.append(is_far)
    if rule.share is not None:
        in_use.append(is_large_share)
    if rule.beyond_spread:
        in_use.append(is_beyond_spread)
    return in_use


def can_judge(around: Around, present: Present, rule: SuddenChangeRule) -> Truths:
    """Return whether every criterion in use can be told."""
    known = has_windows(present) if rule.beyond_spread else has_both_beside(present)
    if rule.cutoff is not None or rule.share is not None:
        known &= has_both_beside(present)
    if rule.share is not None:
        known &= ~is_negative(around)
    return known


def has_both_beside(present: Present) -> Truths:
    """Return whether the score before and the score after are there."""
    return present[2] & present[3]


def has_windows(present: Present) -> Truths:
    """Return whether two scores lie on each side (of three sessions)."""
    a, b, c, d, e, f = present
    return ((a & b) | (c & (a | b))) & ((d & e) | (f & (d | e)))


def is_negative(around: Around) -> Truths:
    """Return whether the score before is below 0: a share of it means nothing."""
    return around[2] < 0


def is_far(around: Around, rule: SuddenChangeRule) -> Truths:
    """Return whether criterion 1 holds; false where a score is missing."""
    assert rule.cutoff is not None  # noqa: S101 - callers ask only for criteria in use
    return rule.sign * (around[2] - around[3]) >= rule.cutoff - ROUNDING


def is_large_share(around: Around, rule: SuddenChangeRule) -> Truths:
    """Return whether criterion 2 holds; false where a score is missing."""
    assert rule.share is not None  # noqa: S101 - callers ask only for criteria in use
    return rule.sign * (around[2] - around[3]) >= rule.share * around[2] - ROUNDING


def is_beyond_spread(around: Around, rule: SuddenChangeRule) -> Truths:
    """Return whether criterion 3 holds; false where a window has fewer than two scores."""
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
        present = [~np.isnan(each) for each in scores]
        self.count = np.sum(present, axis=0)
        divisor = np.maximum(self.count, 1)
        self.mean = np.nansum(scores, axis=0) / divisor
        self.squares = np.nansum([(a - b) ** 2, (b - c) ** 2, (a - c) ** 2], axis=0) / divisor
