"""How do scores usually go on in this practice, given the baseline? The expected course.

The curve is a linear mixed model of the scores AFTER the baseline (see `mixed_model`):

    score ~ 1 + time + baseline + time x baseline, random intercept and slope a case

The baseline is a covariate and never a response as well: its false residual put 15 % of cases
above the "10 %" line at session 1. The curve answers "from intake alone"; "from all scores so far"
is `forecast`. How a new score lies about the curve is learned from the residuals (score minus the
fixed part) at the nodes of a grid of baseline x time (`local_quantiles`), in three steps:

1. where the curve lies too high or too low its mean is shifted: a logarithm is one shape of course,
   and a practice has several;
2. the spread is a line in the predicted level and time, fitted to the absolute residuals. A
   constant spread put 3 % of mild and 19 % of severe cases above the "10 %" line at session 8;
3. quantiles of residual / spread are kept at each node, because scores near the floor are skewed
   and the first session is not like the tenth.

What was tried, and how often a band of 80 and 95 % holds that share of scores of held-out cases, by
baseline and session: docs/expected_course.md, measured by benchmarks/coverage.py.

This class is not a scikit-learn estimator and does not pass `check_estimator`: it needs the case of
every row (`groups`) and exactly two columns, so generic checks cannot call it. It keeps the rules
that make it easy to use with scikit-learn: keyword parameters stored as they are, `get_params` and
`set_params`, learned attributes that end in `_`, `fit` returns self, `clone` works. `sklearn.base`
takes 1.7 s to import and is not needed for that.

Sources: Finch, Lambert & Schaalje (2001) for the curve; Bates and others (2015) for the fit.
"""

import json
from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from models.course_input import Cases, Indices, case_codes, columns, scores, sign_of
from models.local_quantiles import (
    BLOCK_ROWS,
    Corners,
    Grid,
    local_means,
    local_quantiles,
    nodes_at_quantiles,
    quantile,
    share_below,
    some_cases,
)
from models.mixed_model import CannotLearnError, Floats, case_sums, design, fit_mixed_model

MOST_BASELINE_NODES = 7
CASES_PER_BASELINE_NODE = 50
MOST_TIME_NODES = 12
LATE_SHARES = (0.98, 0.995)
"""Later nodes of their own: those who stay long are fewer and more alike than the rest."""
SMALLEST_SPREAD = 0.25
"""The spread line is cut off at this part of its mean: a line may cross zero, a spread may not."""
JSON_FORMAT = "expected course 2"


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

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> case, occasion = np.repeat(np.arange(60), 5), np.tile(np.arange(1.0, 6.0), 60)
    >>> X = np.column_stack([random.integers(8, 20, 60)[case], np.log1p(occasion)])
    >>> y = X[:, 0] - 3 * X[:, 1] + random.normal(0, 3, 300)
    >>> course = ExpectedCourse().fit(X, y, case)
    >>> low, high = course.band(X[:1], coverage=0.8, minimum=0, maximum=27)
    >>> bool(low[0] < course.predict(X[:1])[0] < high[0])
    True
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
    baseline_nodes_: Floats
    """Baselines in points, rising: the first side of the grid."""
    time_nodes_: Floats
    """Times, rising: the second side of the grid."""
    shift_: Floats
    """(nodes,): what is added to the curve at each node of the grid, in points."""
    quantiles_: Floats
    """(nodes, 100): quantiles of residual / spread at `SHARES`, near each node of the grid."""
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
        baseline, time = columns(X)
        score = scores(y, len(baseline))
        codes, cases = case_codes(groups, len(baseline))
        if cases < max(self.minimum_cases, 1):
            raise TooFewCasesError(cases, max(self.minimum_cases, 1))
        curve = fit_mixed_model(case_sums(baseline, time, score, codes))
        self.coefficients_ = curve.coefficients
        self.random_covariance_ = curve.covariance
        self.residual_sd_ = curve.residual_sd
        self.criterion_ = curve.criterion
        self.n_cases_, self.n_scores_, self.n_features_in_ = cases, len(score), 2

        wanted = min(max(cases // CASES_PER_BASELINE_NODE, 1), MOST_BASELINE_NODES)
        of_case = np.empty(cases)
        of_case[codes] = baseline
        self.baseline_nodes_ = nodes_at_quantiles(of_case, wanted)
        used = some_cases(codes)
        late = np.quantile(time[used], LATE_SHARES)
        nodes = nodes_at_quantiles(time[used], MOST_TIME_NODES)
        self.time_nodes_ = np.unique(np.append(nodes, late))
        self._learn_residuals(baseline[used], time[used], score[used], codes[used])
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Return the expected score (n,) in points, from intake alone; may leave the range."""
        return np.concatenate([level for level, _, _ in self._blocks(X)])

    def spread(self, X: ArrayLike) -> Floats:
        """Return the standard deviation (n,) in points of a new score about the prediction."""
        return np.concatenate([spread for _, spread, _ in self._blocks(X)])

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
        sign = sign_of(higher_is)
        from_here = scores(y, len(columns(X)[0])) - sign * (0.5 if integer else 0.0)
        below, done = np.empty(len(from_here)), 0
        for level, spread, corners in self._blocks(X):
            rows = slice(done, done + len(level))
            residual = (from_here[rows] - level) / spread
            below[rows] = share_below(corners, self.quantiles_, residual)
            done = rows.stop
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
        shares = ((1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0)
        edges = [
            [level + spread * quantile(corners, self.quantiles_, share) for share in shares]
            for level, spread, corners in self._blocks(X)
        ]
        low, high = np.clip(np.concatenate(edges, axis=1), minimum, maximum)
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

    @property
    def _grid(self) -> Grid:
        return Grid(nodes=(self.baseline_nodes_, self.time_nodes_))

    def _blocks(self, X: ArrayLike) -> Iterator[tuple[Floats, Floats, Corners]]:
        """Yield level, spread and place on the grid, block by block."""
        self._check_fitted()
        all_baselines, all_times = columns(X)
        for first in range(0, max(len(all_baselines), 1), BLOCK_ROWS):
            baseline = all_baselines[first : first + BLOCK_ROWS]
            time = all_times[first : first + BLOCK_ROWS]
            corners = self._grid.corners(baseline, time)
            level = design(baseline, time) @ self.coefficients_ + corners.interpolate(self.shift_)
            yield level, self._spread(level, time), corners

    def _learn_residuals(
        self, baseline: Floats, time: Floats, score: Floats, codes: Indices
    ) -> None:
        """Learn the shift of the curve, the spread line and the quantiles, in this order."""
        corners, nodes = self._grid.corners(baseline, time), self._grid.size
        curve = design(baseline, time) @ self.coefficients_
        self.shift_ = local_means(corners, nodes, score - curve)
        level = curve + corners.interpolate(self.shift_)
        residual = score - level

        absolute = np.abs(residual)
        line = np.column_stack([np.ones_like(level), level, time])
        self.spread_line_ = np.linalg.lstsq(line, absolute, rcond=None)[0]
        self.lowest_spread_ = SMALLEST_SPREAD * float(absolute.mean())
        # From mean absolute residual to standard deviation, whatever the shape.
        ratio = float(np.sqrt(np.mean((residual / self._spread(level, time)) ** 2)))
        self.spread_line_ = self.spread_line_ * ratio
        self.lowest_spread_ *= ratio
        standardised = residual / self._spread(level, time)
        self.quantiles_ = local_quantiles(corners, nodes, standardised, codes)

    def _spread(self, level: Floats, time: Floats) -> Floats:
        intercept, by_level, by_time = self.spread_line_
        return np.asarray(
            np.maximum(intercept + by_level * level + by_time * time, self.lowest_spread_)
        )
