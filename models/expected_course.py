"""How do scores usually go on in this practice, given the baseline? The expected course.

The curve is a linear mixed model of the scores AFTER the baseline (see `mixed_model`):

    score ~ 1 + time + baseline + time x baseline, random intercept and slope a case

The baseline is a covariate and never a response as well: its false residual put 15 % of cases
above the "10 %" line at session 1. The curve answers "from intake alone", so how far a new score
may lie from it is learned from the residuals (score minus the fixed part), in two steps:

1. their spread is a line in the predicted level and time, fitted to the absolute residuals. A
   constant spread put 3 % of mild and 19 % of severe cases above the "10 %" line at session 8;
2. quantiles of residual / spread are kept at up to five predicted levels, with interpolation in
   between, because scores near the floor are skewed and others are not.

Chosen among some 20 variants by 5-fold cross-validation by case, on ENRICHD and one simulated
practice; largest distance from 80 % of the 80 % band in cells of baseline tercile x session, in
points of per cent, ENRICHD / that practice / a practice simulated only afterwards:

    normal, the model's own variance   16 / 8 / 8      beta distribution         12 / 5 / 4
    normal, spread line                14 / 6 / 7      quantiles, five levels    10 / 4 / 6
    quantiles, one level               12 / 6 / 8

The beta distribution puts 7.3 % of simulated scores beyond a chance of .10 where it expects 8.3 %,
and misses by twice as much on average. The 4 and 6 of the five levels are one cell, mild and late,
where 21 % of scores are zero and no band holds just 80 %; all other simulated cells are within 2.
ENRICHD has cases for four levels; there the curve itself is too high for mild cases at sessions 3
to 11 (6 % above the band instead of 10), and quantiles by level do not mend that.

`sklearn.base` takes 1.7 s to import, so this class keeps scikit-learn's rules by itself: keyword
parameters stored as they are, learned attributes end in `_`, `fit` returns self, `clone` works.

Sources: Finch, Lambert & Schaalje (2001) for the curve; Bates and others (2015) for the fit.
"""

import json
from collections.abc import Hashable, Sequence
from itertools import pairwise
from math import isnan
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.mixed_model import CannotLearnError, Floats, case_sums, design, fit_mixed_model

Indices = NDArray[np.intp]
Cases = Sequence[Hashable] | NDArray[np.generic]

MOST_LEVELS = 5
CASES_PER_LEVEL = 100
"""With fewer cases more levels cost more in noise than they mend (250 simulated cases: no gain)."""
SHARES: Floats = (np.arange(100) + 0.5) / 100
"""The shares of residuals whose quantiles are kept: chances run from .005 to .995."""
SMALLEST_SPREAD = 0.25
"""The spread line is cut off at this part of its mean: a line may cross zero, a spread may not."""
JSON_FORMAT = "expected course 1"


class TooFewCasesError(CannotLearnError):
    """Too few cases have a score after the baseline."""

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(
            f"{found} cases have a score after the baseline; an expected course needs {needed}. "
            "Until then there is no expected band; the status rule works without it."
        )
        self.found = found
        self.needed = needed


class ExpectedCourse:
    """The expected course of one measure in one practice.

    Everywhere `X` has shape (n, 2): the baseline in points, and the time of the score: log1p of the
    occasion (1, 2 ...) or log1p of the weeks since the baseline, float64 before log1p.

    Parameters
    ----------
    minimum_cases
        Fewest cases with a score after the baseline.
    """

    coefficients_: Floats
    """(4,): intercept, time, baseline, time x baseline."""
    random_covariance_: Floats
    """(2, 2): of the random intercept and slope, in points squared."""
    residual_sd_: float
    criterion_: float
    """REML criterion (-2 restricted log-likelihood)."""
    spread_line_: Floats
    """(3,): spread in points = [0] + [1] x predicted level + [2] x time."""
    lowest_spread_: float
    levels_: Floats
    """(k,): predicted levels in points, rising."""
    quantiles_: Floats
    """(k, 100): quantiles of residual / spread at `SHARES`, near each level."""
    n_cases_: int
    n_scores_: int
    n_features_in_: int

    def __init__(self, *, minimum_cases: int = 50) -> None:
        self.minimum_cases = minimum_cases

    def fit(self, X: ArrayLike, y: ArrayLike, groups: Cases) -> Self:
        """Learn from scores after the baseline; rows in any order.

        Parameters
        ----------
        y
            (n,) scores in points.
        groups
            (n,) the case of each row; all rows of a case have the same baseline.

        Raises
        ------
        TooFewCasesError
            If fewer than `minimum_cases` cases come.
        NoSpreadError
            If baseline and time predict every score exactly, as when all scores are equal.
        ValueError
            If shapes differ, a value is missing, or a case has two baselines.
        """
        baseline, time = _columns(X)
        score = _scores(y, len(baseline))
        codes, cases = _case_codes(groups, len(baseline))
        if cases < max(self.minimum_cases, 1):
            raise TooFewCasesError(cases, max(self.minimum_cases, 1))
        curve = fit_mixed_model(case_sums(baseline, time, score, codes))
        self.coefficients_ = curve.coefficients
        self.random_covariance_ = curve.covariance
        self.residual_sd_ = curve.residual_sd
        self.criterion_ = curve.criterion
        self.n_cases_, self.n_scores_, self.n_features_in_ = cases, len(score), 2

        level = design(baseline, time) @ self.coefficients_
        residual = score - level
        self._learn_spread(level, time, residual)
        self._learn_quantiles(level, residual / self._spread(level, time))
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Return the expected score (n,) in points, from intake alone; may leave the range."""
        return self._level_and_time(X)[0]

    def spread(self, X: ArrayLike) -> Floats:
        """Return the standard deviation (n,) in points of a new score about the prediction."""
        return self._spread(*self._level_and_time(X))

    def chance_this_bad(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        higher_is: Literal["worse", "better"],
        integer: bool = True,
    ) -> Floats:
        """Return the chance (n,), .005 to .995, of a score as bad as y or worse, from intake alone.

        Parameters
        ----------
        y
            (n,) scores in points.
        integer
            Scores are whole points, so "y or worse" begins half a point before y. Fewer than 25 %
            of scores then have a chance below .25, as whole scores rarely sit on the line: 21 %
            of simulated PHQ-9 scores.
        """
        level, time = self._level_and_time(X)
        score = _scores(y, len(level))
        sign = _sign(higher_is)
        from_here = score - sign * (0.5 if integer else 0.0)
        below = self._share_below(level, (from_here - level) / self._spread(level, time))
        return 1.0 - below if sign > 0 else below

    def band(
        self, X: ArrayLike, *, coverage: float, minimum: float, maximum: float
    ) -> tuple[Floats, Floats]:
        """Return the lowest and highest expected score (n,) each, within the measure's range.

        Parameters
        ----------
        coverage
            Share of new scores inside, up to .99; half of the rest lies on each side. Near the
            floor or ceiling more is inside, because nothing can lie beyond.
        minimum, maximum
            Range of the measure in points.
        """
        if not 0.0 < coverage <= 0.99:
            raise ValueError(f"coverage is a share above 0 and up to .99, not {coverage}.")
        level, time = self._level_and_time(X)
        spread = self._spread(level, time)
        low, high = (
            np.clip(level + spread * self._quantile(level, share), minimum, maximum)
            for share in ((1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0)
        )
        return low, high

    def get_params(self, deep: bool = True) -> dict[str, int]:  # noqa: ARG002 - scikit-learn's
        """Return the parameters by name; `deep` is scikit-learn's and changes nothing here."""
        return {"minimum_cases": self.minimum_cases}

    def set_params(self, **params: int) -> Self:
        """Change parameters by name."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"ExpectedCourse has no parameter {name!r}.")
            setattr(self, name, value)
        return self

    def to_json(self) -> str:
        """Write the fitted course as text; `from_json` gives back exactly the same numbers."""
        self._check_fitted()
        learned = {name: getattr(self, name) for name in ExpectedCourse.__annotations__}
        stored = {"format": JSON_FORMAT, **self.get_params(), **learned}
        return json.dumps(stored, default=np.ndarray.tolist, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a course written by `to_json`; ValueError if it is something else."""
        stored = json.loads(text)
        if not isinstance(stored, dict) or stored.get("format") != JSON_FORMAT:
            raise ValueError(f"This text is not of format {JSON_FORMAT!r}; fit the course again.")
        course = cls(minimum_cases=stored["minimum_cases"])
        for name in ExpectedCourse.__annotations__:
            value = stored[name]
            setattr(course, name, np.array(value) if isinstance(value, list) else value)
        return course

    def _check_fitted(self) -> None:
        if not hasattr(self, "quantiles_"):
            raise ValueError("This expected course is not fitted yet; call fit first.")

    def _level_and_time(self, X: ArrayLike) -> tuple[Floats, Floats]:
        self._check_fitted()
        baseline, time = _columns(X)
        return design(baseline, time) @ self.coefficients_, time

    def _learn_spread(self, level: Floats, time: Floats, residual: Floats) -> None:
        absolute = np.abs(residual)
        columns = np.column_stack([np.ones_like(level), level, time])
        self.spread_line_ = np.linalg.lstsq(columns, absolute, rcond=None)[0]
        self.lowest_spread_ = SMALLEST_SPREAD * float(absolute.mean())
        # From mean absolute residual to standard deviation, whatever the shape.
        ratio = float(np.sqrt(np.mean((residual / self._spread(level, time)) ** 2)))
        self.spread_line_ = self.spread_line_ * ratio
        self.lowest_spread_ *= ratio

    def _spread(self, level: Floats, time: Floats) -> Floats:
        intercept, by_level, by_time = self.spread_line_
        return np.asarray(
            np.maximum(intercept + by_level * level + by_time * time, self.lowest_spread_)
        )

    def _learn_quantiles(self, level: Floats, standardised: Floats) -> None:
        """Keep quantiles by level: one level for every 100 cases, five at most."""
        wanted = min(max(self.n_cases_ // CASES_PER_LEVEL, 1), MOST_LEVELS)
        rounded = np.round(level, 6)  # the same prediction is the same in every row
        edges = np.unique(np.quantile(rounded, np.arange(1, wanted) / wanted))
        # A prediction on an edge counts on both sides, so that a mirrored scale gives the same.
        near = [
            (low <= rounded) & (rounded <= high)
            for low, high in pairwise([-np.inf, *edges, np.inf])
        ]
        self.levels_ = np.array([np.median(rounded[rows]) for rows in near])
        # The k-th of n values is the quantile k / (n + 1): then a new one lies below it that often.
        self.quantiles_ = np.array(
            [np.quantile(standardised[rows], SHARES, method="weibull") for rows in near]
        )

    def _between_levels(self, level: Floats) -> tuple[Indices, Indices, Floats]:
        """Return the stored level below and above (n,), and how far between them (0 to 1)."""
        last = len(self.levels_) - 1
        position = np.interp(level, self.levels_, np.arange(last + 1.0))
        below = position.astype(np.intp)
        return below, np.minimum(below + 1, last), position - below

    def _quantile(self, level: Floats, share: float) -> Floats:
        below, above, part = self._between_levels(level)
        stored = np.array([np.interp(share, SHARES, row) for row in self.quantiles_])
        return np.asarray((1.0 - part) * stored[below] + part * stored[above])

    def _share_below(self, level: Floats, standardised: Floats) -> Floats:
        """Invert the quantiles: a binary search in all rows at once, then a straight line."""
        below, above, part = self._between_levels(level)

        def quantile(index: Indices) -> Floats:
            lower, upper = self.quantiles_[below, index], self.quantiles_[above, index]
            return np.asarray((1.0 - part) * lower + part * upper)

        last = len(SHARES) - 1
        low = np.zeros(len(level), dtype=np.intp)
        high = np.full(len(level), last, dtype=np.intp)
        for _ in range(last.bit_length()):
            middle = (low + high + 1) // 2
            fits = quantile(middle) <= standardised
            low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
        left, right = quantile(low), quantile(np.minimum(low + 1, last))
        width = np.where(right > left, right - left, np.inf)
        step = np.clip((standardised - left) / width, 0.0, 1.0)
        return (low + step + 0.5) / len(SHARES)


def _sign(higher_is: Literal["worse", "better"]) -> int:
    if higher_is not in ("worse", "better"):
        raise ValueError(f"higher_is is 'worse' or 'better', not {higher_is!r}.")
    return 1 if higher_is == "worse" else -1


def _columns(X: ArrayLike) -> tuple[Floats, Floats]:
    table = np.asarray(X, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"X has shape {table.shape}, not (n, 2): baseline and time.")
    if not np.isfinite(table).all():
        raise ValueError("X has a missing or infinite value; leave such rows out.")
    return table[:, 0], table[:, 1]


def _scores(y: ArrayLike, rows: int) -> Floats:
    score = np.asarray(y, dtype=np.float64)
    if score.shape != (rows,):
        raise ValueError(f"y has shape {score.shape}, not ({rows},) as X has {rows} rows.")
    if not np.isfinite(score).all():
        raise ValueError("y has a missing or infinite value; leave such rows out.")
    return score


def _case_codes(groups: Cases, rows: int) -> tuple[Indices, int]:
    """Give each case a number, by first appearance: (n,) numbers, and how many cases."""
    if len(groups) != rows:
        raise ValueError(f"groups has {len(groups)} entries, not {rows} as X has {rows} rows.")
    number: dict[Hashable, int] = {}
    listed = groups.tolist() if isinstance(groups, np.ndarray) else groups
    codes = np.fromiter(
        (number.setdefault(case, len(number)) for case in listed), dtype=np.intp, count=rows
    )
    if any(case is None or (isinstance(case, float) and isnan(case)) for case in number):
        raise ValueError("groups has a missing value; every row belongs to a case.")
    return codes, len(number)
