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

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.sudden_change_cutoff import student_quantile

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]
Codes = NDArray[np.int8]

Columns = dict[str, NDArray[np.generic]]
"""Columns of a table, by name."""

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
