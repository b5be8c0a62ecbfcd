"""Where is this case heading, given all its scores so far? The forecast of a later occasion.

The forecast is the expected score at the later time, from intake alone, and what is known of how
far this case lies from it (`forecast_weights`): where the case's own line goes (`own_lines`), its
distance now and at the score before. The own line alone is not good enough: it goes on along a
logarithm and holds an early slope for true. On held-out ENRICHD cases it misses the next score by
4.4 points (root mean square) and the eighth next by 6.4; weighted with the rest 4.1 and 5.5.

The weights are learned from the forecasts of the first, second, fourth and eighth next score of the
practice's own cases, each made from what was known then. How scores lie about the forecast is
learned in the same way, at the nodes of a grid of level x scores so far x gap, so that floor and
ceiling are seen as they are. Nothing later than a score changes its forecast.

How often the intervals hold what they say: docs/expected_course.md, by benchmarks/coverage.py.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from models.course_input import Cases, Floats, Indices, case_codes, columns, scores
from models.expected_course import ExpectedCourse
from models.forecast_weights import Weights
from models.local_quantiles import (
    Corners,
    Grid,
    local_quantiles,
    nodes_at_quantiles,
    quantile,
    share_below,
    some_cases,
)
from models.mixed_model import CannotLearnError
from models.own_lines import (
    Known,
    case_blocks,
    case_starts,
    known_so_far,
    pairs_of_scores,
)

COUNT_NODES = (1, 2, 3, 5, 8, 12, 16, 24)
MOST_LEVEL_NODES = 7
CASES_PER_NODE = 50
SMALLEST_SPREAD = 0.25
FARTHEST = 1.5
"""How far beyond the longest gap learned from a forecast may reach, as a multiple of it."""
JSON_FORMAT = "forecast 1"


class NoPairsError(CannotLearnError):
    """Too few cases have two scores after the baseline."""

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(
            f"{found} cases have two scores after the baseline; a forecast needs {needed}. "
            "Until then there is no forecast; the expected course and the status work without it."
        )


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Where each row's case is heading, in points; NaN where the later time is too far ahead."""

    expected: Floats
    """(n,)"""
    low: Floats
    """(coverages, n): lower ends of the intervals, within the measure's range."""
    high: Floats


class CaseForecast:
    """The forecast of one measure in one practice; `X`, `y`, `groups` as in `ExpectedCourse`.

    Parameters
    ----------
    course
        A fitted expected course.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> case, occasion = np.repeat(np.arange(60), 5), np.tile(np.arange(1.0, 6.0), 60)
    >>> X = np.column_stack([random.integers(8, 20, 60)[case], np.log1p(occasion)])
    >>> y = X[:, 0] - 3 * X[:, 1] + random.normal(0, 3, 300)
    >>> forecast = CaseForecast(ExpectedCourse().fit(X, y, case)).fit(X, y, case)
    >>> later = np.log1p(occasion + 2)  # two occasions ahead of each score
    >>> heading = forecast.heading(X, y, case, later, minimum=0, maximum=27, coverages=(0.8,))
    >>> bool(heading.low[0, 0] < heading.expected[0] < heading.high[0, 0])
    True
    """

    count_nodes_: Floats
    """Logarithms of the scores so far."""
    gap_nodes_: Floats
    """Logarithms of the gaps, in occasions or weeks."""
    level_nodes_: Floats
    """Forecasts, in points."""
    middle_: float
    """What the expected score is measured from, in points."""
    weights_: Floats
    """(nodes of count x gap, 5)."""
    spread_line_: Floats
    """(2,): spread in points = [0] + [1] x forecast."""
    lowest_spread_: float
    quantiles_: Floats
    """(nodes of level x count x gap, 100)."""
    n_cases_: int

    def __init__(self, course: ExpectedCourse) -> None:
        self.course = course

    def fit(self, X: ArrayLike, y: ArrayLike, groups: Cases) -> Self:
        """Learn from scores after the baseline; rows in any order.

        Raises
        ------
        NoPairsError
            If fewer cases than the course's `minimum_cases` have two scores after the baseline.
        """
        baseline, time = columns(X)
        score = scores(y, len(baseline))
        codes, _ = case_codes(groups, len(baseline))
        order = np.lexsort((time, codes))
        order = order[some_cases(codes[order])]
        baseline, time, score, codes = baseline[order], time[order], score[order], codes[order]
        now, later = pairs_of_scores(codes, time)
        self.n_cases_ = len(np.unique(codes[now]))
        needed = max(self.course.minimum_cases, 1)
        if self.n_cases_ < needed:
            raise NoPairsError(self.n_cases_, needed)
        known = known_so_far(self.course, baseline, time, score, case_starts(codes)).at(now)
        gap = np.log(np.expm1(time[later]) - np.expm1(time[now]))
        typical = [np.median(gap[later - now == lead]) for lead in np.unique(later - now)]
        self.gap_nodes_ = np.unique(typical)
        used = some_cases(codes[now])
        self._learn(known.at(used), time[later[used]], score[later[used]], codes[now[used]])
        return self

    def heading(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: Cases,
        later: ArrayLike,
        *,
        minimum: float,
        maximum: float,
        coverages: tuple[float, ...] = (0.8, 0.95),
    ) -> Heading:
        """Return where each row's case is heading, from its scores up to and with that row.

        Parameters
        ----------
        X, y, groups
            All scores after the baseline of each case, its rows together and in order of time.
        later
            (n,) the later time of each row, as in `X`.
        minimum, maximum
            Range of the measure in points.
        """
        level = np.empty(len(columns(X)[0]))
        edges = np.empty((2, len(coverages), len(level)))
        for rows, expected, spread, corners in self._places(X, y, groups, later):
            level[rows] = expected
            for number, coverage in enumerate(coverages):
                for side, share in enumerate(((1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0)):
                    away = quantile(corners, self.quantiles_, share)
                    edges[side, number, rows] = expected + spread * away
        low, high = np.clip(edges, minimum, maximum)
        return Heading(expected=np.clip(level, minimum, maximum), low=low, high=high)

    def share_below(
        self, X: ArrayLike, y: ArrayLike, groups: Cases, later: ArrayLike, value: ArrayLike
    ) -> Floats:
        """Return the chance (n,), .005 to .995, of a score below a value (n,) at the later time."""
        wanted = scores(value, len(columns(X)[0]), name="value")
        below = np.empty(len(wanted))
        for rows, expected, spread, corners in self._places(X, y, groups, later):
            residual = (wanted[rows] - expected) / spread
            below[rows] = share_below(corners, self.quantiles_, residual)
            below[rows] = np.where(np.isnan(expected), np.nan, below[rows])
        return below

    def linear_weights(self, time: Floats, later: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the forecast as weights of running sums; see `Weights.linear`."""
        return self._weights.linear(time, later)

    def distance_at(self, share: float, level: Floats, count: Floats, gap: Floats) -> Floats:
        """Return (n,) how far above the forecast, in points, a share of later scores ends.

        Parameters
        ----------
        level
            (n,) the forecast in points.
        count, gap
            (n,) scores so far, and occasions or weeks from now to the later time.
        """
        corners = self._grid.corners(level, np.log(count), np.log(gap))
        return self._spread(level) * quantile(corners, self.quantiles_, share)

    def to_json(self) -> str:
        """Write forecast and course as text; `from_json` gives back exactly the same numbers."""
        learned = {name: getattr(self, name) for name in CaseForecast.__annotations__}
        stored = {"format": JSON_FORMAT, "course": self.course.to_json(), **learned}
        return json.dumps(stored, default=np.ndarray.tolist, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a forecast written by `to_json`; ValueError if it is something else."""
        stored = json.loads(text)
        if not isinstance(stored, dict) or stored.get("format") != JSON_FORMAT:
            raise ValueError(f"This text is not of format {JSON_FORMAT!r}; fit the forecast again.")
        forecast = cls(ExpectedCourse.from_json(stored["course"]))
        for name in CaseForecast.__annotations__:
            value = stored[name]
            setattr(forecast, name, np.array(value) if isinstance(value, list) else value)
        return forecast

    def _places(
        self, X: ArrayLike, y: ArrayLike, groups: Cases, later: ArrayLike
    ) -> Iterator[tuple[slice, Floats, Floats, Corners]]:
        """Yield rows, forecast, spread and place on the grid, in blocks of whole cases."""
        if not hasattr(self, "quantiles_"):
            raise ValueError("This forecast is not fitted yet; call fit first.")
        baseline, time = columns(X)
        score, then = scores(y, len(time)), scores(later, len(time), name="later")
        codes, cases = case_codes(groups, len(time))
        starts = case_starts(codes)
        if (starts.sum() != cases) or (np.diff(time)[~starts[1:]] < 0).any():
            raise ValueError("Rows of a case must stand together, in order of time.")
        if (then <= time).any():
            raise ValueError("later must lie after the time of the row.")
        for rows in case_blocks(starts):
            known = known_so_far(self.course, baseline[rows], time[rows], score[rows], starts[rows])
            level, gap = self._weights.level(known, then[rows])
            level[gap > self.gap_nodes_[-1] + np.log(FARTHEST)] = np.nan
            corners = self._grid.corners(np.nan_to_num(level), np.log(known.scores_so_far), gap)
            yield rows, level, self._spread(level), corners

    def _learn(self, known: Known, later: Floats, score: Floats, codes: Indices) -> None:
        self.middle_ = float(score.mean())
        gap = np.log(np.expm1(later) - np.expm1(known.time))
        log_count = np.log(known.scores_so_far)
        enough = [
            len(np.unique(codes[known.scores_so_far >= node])) >= CASES_PER_NODE
            for node in COUNT_NODES
        ]
        self.count_nodes_ = np.log(np.array(COUNT_NODES, dtype=np.float64)[[True, *enough[1:]]])
        self.weights_ = np.zeros((len(self.count_nodes_) * len(self.gap_nodes_), 5))
        self.weights_ = self._weights.learned(known, later, score).at_nodes
        level, _ = self._weights.level(known, later)
        residual = score - level
        absolute = np.abs(residual)
        line = np.column_stack([np.ones_like(level), level])
        self.spread_line_ = np.linalg.lstsq(line, absolute, rcond=None)[0]
        self.lowest_spread_ = SMALLEST_SPREAD * float(absolute.mean())
        wanted = min(max(self.n_cases_ // CASES_PER_NODE, 1), MOST_LEVEL_NODES)
        self.level_nodes_ = nodes_at_quantiles(level, wanted)
        self.quantiles_ = local_quantiles(
            self._grid.corners(level, log_count, gap),
            self._grid.size,
            residual / self._spread(level),
            codes,
        )

    @property
    def _weights(self) -> Weights:
        return Weights(
            course=self.course,
            count_nodes=self.count_nodes_,
            gap_nodes=self.gap_nodes_,
            middle=self.middle_,
            at_nodes=self.weights_,
        )

    @property
    def _grid(self) -> Grid:
        return Grid(nodes=(self.level_nodes_, self.count_nodes_, self.gap_nodes_))

    def _spread(self, level: Floats) -> Floats:
        intercept, by_level = self.spread_line_
        return np.asarray(np.maximum(intercept + by_level * level, self.lowest_spread_))
