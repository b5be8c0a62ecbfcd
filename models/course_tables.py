"""How are both predictions made for every session of a large practice? By looking them up.

Where time is the number of the occasion and scores are whole steps of a scale, the expected course
has one value for each baseline and occasion, and the forecast is linear in two running sums of the
case with weights that depend on the occasion alone. So everything is worked out once, in tables
of some thousand numbers, and a row costs a few additions and look-ups (`benchmarks/predictions.py`
measures them). The numbers are those of `ExpectedCourse` and `CaseForecast`; only the half-widths
of the forecast's intervals are read at the nearest of `LEVEL_STEPS` levels a point.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.course_input import Floats, Indices
from models.forecast import CaseForecast

Singles = NDArray[np.float32]

BLOCK_CASES = 1 << 14
"""Cases worked on at once: their columns stay in the cache of one core."""
LEVEL_STEPS = 8
"""Levels a point at which half-widths are kept: read off by at most 1/16 point of level."""
BEYOND = 0.5
"""How far levels go on outside the measure's range, as a part of it."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Both predictions of each row, in points; float32, (n,) each or (coverages, n)."""

    expected: Singles
    """From intake alone."""
    low: Singles
    high: Singles
    chance_this_bad: Singles
    """Chance of a score as bad as this one or worse, from intake alone."""
    heading: Singles
    """From all scores so far: the score `ahead` occasions later."""
    heading_low: Singles
    heading_high: Singles


@dataclass(frozen=True, kw_only=True)
class CourseTables:
    """What is looked up; flat tables over baseline x occasion unless said otherwise."""

    minimum: float
    maximum: float
    step: float
    occasions: int
    time: Floats
    """(occasions,)"""
    expected: Floats
    low: Singles
    """(coverages, baselines x occasions)"""
    high: Singles
    chance: Singles
    """(baselines x occasions x scores,)"""
    heading_start: Floats
    """The forecast of a case with no distance from its expected course."""
    by_occasion: Floats
    """(4, occasions): weights of the two running sums, of the distance now and before."""
    heading_low: Singles
    """(coverages, occasions x levels): from the forecast to the end of its interval, in points."""
    heading_high: Singles

    @classmethod
    def of(
        cls,
        forecast: CaseForecast,
        *,
        minimum: float,
        maximum: float,
        higher_is: Literal["worse", "better"],
        ahead: int = 1,
        occasions: int = 60,
        step: float = 1.0,
        coverages: tuple[float, ...] = (0.8, 0.95),
    ) -> Self:
        """Work out the tables.

        Parameters
        ----------
        minimum, maximum, step
            The scale of the measure: every baseline and score is minimum + a whole number of steps.
        ahead
            How many occasions ahead the forecast looks.
        occasions
            The most scores after the baseline that a case has.
        """
        course = forecast.course
        scale = np.arange(minimum, maximum + step / 2, step)
        occasion = np.arange(1.0, occasions + 1.0)
        time, later = np.log1p(occasion), np.log1p(occasion + ahead)
        here = _crossed(scale, time)
        bands = [
            course.band(here, coverage=one, minimum=minimum, maximum=maximum) for one in coverages
        ]
        chances = [
            course.chance_this_bad(
                here, np.full(len(here), score), higher_is=higher_is, integer=step == 1.0
            )
            for score in scale
        ]
        by_occasion, start, by_expected = forecast.linear_weights(time, later)
        heading_start = start + (1.0 + by_expected) * course.predict(
            _crossed(scale, later)
        ).reshape(len(scale), occasions)
        ends = _half_widths(forecast, time, later, _levels(minimum, maximum), coverages)
        return cls(
            minimum=minimum,
            maximum=maximum,
            step=step,
            occasions=occasions,
            time=time,
            expected=course.predict(here),
            low=np.array([low for low, _ in bands], dtype=np.float32),
            high=np.array([high for _, high in bands], dtype=np.float32),
            chance=np.column_stack(chances).astype(np.float32).ravel(),
            heading_start=heading_start.ravel(),
            by_occasion=by_occasion,
            heading_low=ends[0],
            heading_high=ends[1],
        )

    def predict(
        self, baseline: Floats, counts: Indices, score: NDArray[np.floating | np.integer]
    ) -> Iterator[tuple[Indices, Predictions]]:
        """Yield rows and both predictions of them, some thousand rows of one occasion at once.

        Writing them down as they come keeps memory small, and saves most of the time: fresh
        memory for all rows of a large practice costs more than the predictions. Rows come occasion
        by occasion, so that the weights of an occasion are numbers and sums simply grow.

        Parameters
        ----------
        baseline
            (cases,) in points.
        counts
            (cases,) scores after the baseline of each case, at least 1.
        score
            (n,) these scores in points: the first case's in order of occasion, then the second's.

        Raises
        ------
        ValueError
            If a score or baseline is not on the scale, or a case has more scores than the tables.
        """
        if len(counts) and (counts.max() > self.occasions or counts.min() < 1):
            raise ValueError(f"Every case needs 1 to {self.occasions} scores after the baseline.")
        self._check_scale(baseline)
        self._check_scale(score)
        start = self._on_scale(baseline) * self.occasions
        first = np.cumsum(counts) - counts
        if counts.sum() != len(score):
            raise ValueError(f"{counts.sum()} scores are counted, but {len(score)} came.")
        for begin in range(0, len(counts), BLOCK_CASES):
            some = slice(begin, begin + BLOCK_CASES)
            yield from self._predict_cases(start[some], counts[some], first[some], score)

    def _on_scale(self, values: NDArray[np.floating | np.integer]) -> Indices:
        """Return how many steps above the minimum each value lies."""
        if np.issubdtype(values.dtype, np.integer) and self.minimum == 0 and self.step == 1:
            return values.astype(np.intp)
        return ((values - self.minimum) / self.step).astype(np.intp)

    def _check_scale(self, values: NDArray[np.floating | np.integer]) -> None:
        for begin in range(0, len(values), 1 << 16):
            steps = (values[begin : begin + (1 << 16)] - self.minimum) / self.step
            last = round((self.maximum - self.minimum) / self.step)
            if steps.min() < 0 or steps.max() > last or (steps != np.rint(steps)).any():
                raise ValueError(
                    f"A score is not {self.minimum} to {self.maximum} in steps of {self.step}; "
                    "use ExpectedCourse and CaseForecast, which take any score."
                )

    def _predict_cases(
        self,
        start: Indices,
        counts: Indices,
        first: Indices,
        score: NDArray[np.floating | np.integer],
    ) -> Iterator[tuple[Indices, Predictions]]:
        """Go through the occasions of some cases, the longest first; sums grow in place."""
        longest_first = np.argsort((self.occasions - counts).astype(np.uint16), kind="stable")
        start, first = start[longest_first], first[longest_first]
        ordered = counts[longest_first]
        total, timed_total, before = np.zeros((3, len(counts)))
        for occasion in range(int(ordered[0])):
            active = int(np.searchsorted(-ordered, -occasion, side="left"))
            rows, cell = first[:active] + occasion, start[:active] + occasion
            expected = self.expected.take(cell)
            scored = score.take(rows)
            distance = scored - expected
            total, timed_total, before = total[:active], timed_total[:active], before[:active]
            total += distance
            timed_total += self.time[occasion] * distance
            by_sum, by_time_sum, by_now, by_before = self.by_occasion[:, occasion]
            heading = self.heading_start.take(cell)
            for weight, values in (
                (by_sum, total),
                (by_time_sum, timed_total),
                (by_now, distance),
                (by_before, before),
            ):
                heading += weight * values
            before = distance
            yield rows, self._described(expected, heading, cell, occasion, self._on_scale(scored))

    def _described(
        self, expected: Floats, heading: Floats, cell: Indices, occasion: int, step: Indices
    ) -> Predictions:
        """Look up what belongs to the expected scores and forecasts of one occasion."""
        single = heading.astype(np.float32)
        levels = self.heading_low.shape[1] // self.occasions
        lowest = self.minimum - BEYOND * (self.maximum - self.minimum)
        place = ((single - np.float32(lowest)) * np.float32(LEVEL_STEPS) + np.float32(0.5)).astype(
            np.intp
        )
        place = np.minimum(np.maximum(place, 0, out=place), levels - 1, out=place)
        here = slice(occasion * levels, (occasion + 1) * levels)
        heading_low = self.heading_low[:, here].take(place, axis=1)
        heading_high = self.heading_high[:, here].take(place, axis=1)
        heading_low += single
        heading_high += single
        step += cell * (round((self.maximum - self.minimum) / self.step) + 1)
        return Predictions(
            expected=expected.astype(np.float32),
            low=self.low.take(cell, axis=1),
            high=self.high.take(cell, axis=1),
            chance_this_bad=self.chance.take(step),
            heading=_within(single, self.minimum, self.maximum),
            heading_low=_within(heading_low, self.minimum, self.maximum),
            heading_high=_within(heading_high, self.minimum, self.maximum),
        )


def _crossed(scale: Floats, time: Floats) -> Floats:
    return np.column_stack([np.repeat(scale, len(time)), np.tile(time, len(scale))])


def _within(points: Singles, minimum: float, maximum: float) -> Singles:
    np.maximum(points, minimum, out=points)
    np.minimum(points, maximum, out=points)
    return points


def _levels(minimum: float, maximum: float) -> Floats:
    """Return the levels of the half-widths: a forecast before clipping may leave the range."""
    beyond = BEYOND * (maximum - minimum)
    return np.arange(minimum - beyond, maximum + beyond, 1.0 / LEVEL_STEPS)


def _half_widths(
    forecast: CaseForecast,
    time: Floats,
    later: Floats,
    levels: Floats,
    coverages: tuple[float, ...],
) -> Singles:
    """Return (2, coverages, occasions x levels): below and above the forecast."""
    rows = len(time) * len(levels)
    level = np.tile(levels, len(time))
    count = np.repeat(np.arange(1.0, len(time) + 1.0), len(levels))
    gap = np.repeat(np.expm1(later) - np.expm1(time), len(levels))
    found = np.empty((2, len(coverages), rows), dtype=np.float32)
    for number, coverage in enumerate(coverages):
        for side, share in enumerate(((1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0)):
            found[side, number] = forecast.distance_at(share, level, count, gap)
    return found
