"""How much does each thing known of a case count for where it is heading?

The forecast is the expected score at the later time, and five things by which the case will differ
from it, each with a weight:

    1, the expected score there, the case's own line there, its distance now, its distance before

The weights are least squares at the nodes of a grid of scores so far x gap, with straight lines in
between; thin nodes are drawn towards the weights of the whole practice.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from models.course_input import Floats
from models.expected_course import ExpectedCourse
from models.local_quantiles import Grid
from models.own_lines import Known, line_weights

PRIOR_ROWS = 20.0
"""Rows by which the weights at a node are drawn towards those of the whole practice."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of the five things, by scores so far and gap."""

    course: ExpectedCourse
    count_nodes: Floats
    """Logarithms of the scores so far."""
    gap_nodes: Floats
    """Logarithms of the gaps, in occasions or weeks."""
    middle: float
    """What the expected score is measured from, in points."""
    at_nodes: Floats
    """(nodes, 5)"""

    def learned(self, known: Known, later: Floats, score: Floats) -> Self:
        """Return the weights that fit the later scores (n,) best."""
        expected, evidence, gap = self._evidence(known, later)
        distance = score - expected
        corners = self._grid.corners(np.log(known.scores_so_far), gap)
        overall = np.linalg.lstsq(evidence, distance, rcond=None)[0]
        prior = np.diag(PRIOR_ROWS * (evidence**2).mean(axis=0) + 1e-9)
        found = np.empty((self._grid.size, evidence.shape[1]))
        for node in range(len(found)):
            near = (corners.weight * (corners.index == node)).sum(axis=0)
            weighted = evidence * near[:, None]
            found[node] = np.linalg.solve(
                weighted.T @ evidence + prior, weighted.T @ distance + prior @ overall
            )
        return replace(self, at_nodes=found)

    def level(self, known: Known, later: Floats) -> tuple[Floats, Floats]:
        """Return the forecast (n,) in points and the logarithm of the gap (n,)."""
        expected, evidence, gap = self._evidence(known, later)
        corners = self._grid.corners(np.log(known.scores_so_far), gap)
        weights = np.column_stack([corners.interpolate(one) for one in self.at_nodes.T])
        return expected + (weights * evidence).sum(axis=1), gap

    def linear(self, time: Floats, later: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the forecast as weights of running sums, for cases scored at every `time`.

        Parameters
        ----------
        time, later
            (n,) the times of a case's scores in order, and the later time of each.

        Returns
        -------
        (4, n) weights of the sums of distance and of time x distance so far, of the distance now
        and before (0 at the first); (n,) what is added; (n,) the weight of the expected score at
        the later time beyond its 1.
        """
        count = np.arange(1.0, len(time) + 1.0)
        gap = np.log(np.expm1(later) - np.expm1(time))
        corners = self._grid.corners(np.log(count), gap)
        start, by_expected, by_line, by_now, by_before = (
            corners.interpolate(one) for one in self.at_nodes.T
        )
        c11, c12, c22 = line_weights(self.course, count, np.cumsum(time), np.cumsum(time * time))
        by_sum, by_time_sum = by_line * (c11 + later * c12), by_line * (c12 + later * c22)
        by_before = np.where(count == 1.0, 0.0, by_before)
        weights = np.stack([by_sum, by_time_sum, by_now, by_before])
        return weights, start - by_expected * self.middle, by_expected

    @property
    def _grid(self) -> Grid:
        return Grid(nodes=(self.count_nodes, self.gap_nodes))

    def _evidence(self, known: Known, later: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the expected score (n,), the five predictors (n, 5) and the log gap (n,)."""
        expected = self.course.predict(np.column_stack([known.baseline, later]))
        evidence = np.column_stack(
            [
                np.ones_like(expected),
                expected - self.middle,
                known.intercept + known.slope * later,
                known.distance,
                known.distance_before,
            ]
        )
        return expected, evidence, np.log(np.expm1(later) - np.expm1(known.time))
