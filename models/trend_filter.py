"""How do level and slope of a case stand after each score? A Kalman filter over all cases at once.

The true level of a case moves with a slope of its own, and the slope forgets: a local linear trend
whose slope is an Ornstein-Uhlenbeck process (Harvey 1989, Forecasting, structural time series
models and the Kalman filter; recalled). Over a time `step`, with f = exp(-forgetting x step) and
reach = (1 - f) / forgetting:

    level moves by long-run slope x step + reach x (slope - long-run slope), and by chance
    slope - long-run slope shrinks to f of it, and moves by chance: its variance stays the same

Integrated exactly, so gaps between scores may be of any length. Cases are sorted by their number of
scores, so that a step of the filter is arithmetic on the first so many cases.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from models.course_input import Cases, Floats, Indices, case_codes, scores


class State(NamedTuple):
    """What is known of level and slope of each case after a score; (cases,) each."""

    level: Floats
    slope: Floats
    level_variance: Floats
    covariance: Floats
    slope_variance: Floats

    def first(self, cases: int) -> "State":
        """Return what is known of the first so many cases."""
        return State(*(one[:cases] for one in self))


@dataclass(frozen=True, kw_only=True)
class Courses:
    """Scores of many cases, the longest first: entry k is of the cases that have a k-th score."""

    rows: list[Indices]
    """Where the scores came from."""
    time: list[Floats]
    severity: list[Floats]
    """Distance from the healthy end of the scale in points, so that high is worse."""

    @classmethod
    def of(
        cls, time: ArrayLike, y: ArrayLike, groups: Cases, *, healthy_end: float, sign: int
    ) -> "Courses":
        """Sort scores into first, second ... of each case; ValueError if a case is out of order."""
        at = np.asarray(time, dtype=np.float64)
        score = scores(y, len(at))
        codes, cases = case_codes(groups, len(at))
        first = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]])[: len(codes)])
        if len(first) != cases or (np.diff(at)[np.diff(codes) == 0] < 0).any():
            raise ValueError("Rows of a case must stand together, in order of time.")
        if not np.isfinite(at).all():
            raise ValueError("time has a missing or infinite value; leave such rows out.")
        count = np.diff(np.append(first, len(at)))
        longest_first = np.argsort(-count, kind="stable")
        first, count = first[longest_first], count[longest_first]
        severity = sign * (score - healthy_end)
        rows = [
            first[: np.searchsorted(-count, -number, side="left")] + number
            for number in range(int(count.max()) if len(count) else 0)
        ]
        return cls(
            rows=rows,
            time=[at[here] for here in rows],
            severity=[severity[here] for here in rows],
        )

    def every(self, step: int) -> "Courses":
        """Keep every second, third ... case, from the longest to the shortest."""
        return Courses(
            rows=[one[::step] for one in self.rows],
            time=[one[::step] for one in self.time],
            severity=[one[::step] for one in self.severity],
        )


@dataclass(frozen=True, kw_only=True)
class Trend:
    """How true levels and slopes vary in a practice, in points of severity and units of time."""

    start_level: float
    start_variance: float
    start_slope: float
    """Points a unit of time; negative is a gain."""
    long_run_slope: float
    slope_variance: float
    level_variance: float
    error_variance: float
    """Of a score at the healthy end."""
    error_by_level: float
    """What a point of severity adds to it."""
    forgetting: float
    """A slope keeps exp(-forgetting) of its distance from the long-run slope in a unit of time."""
    typical_gap: float
    """Median time between scores."""
    healthy_end: float
    sign: int
    """+1 where a high score is worse."""

    def states(self, courses: Courses) -> Iterator[State]:
        """Yield level and slope after each score: the Kalman filter, all cases at once."""
        cases = len(courses.rows[0]) if courses.rows else 0
        state = State(
            np.full(cases, self.start_level),
            np.full(cases, self.start_slope),
            np.full(cases, self.start_variance),
            np.zeros(cases),
            np.full(cases, self.slope_variance),
        )
        for number, severity in enumerate(courses.severity):
            if number:
                step = courses.time[number] - courses.time[number - 1][: len(severity)]
                state = self.moved(state.first(len(severity)), step)
            total = state.level_variance + self.error(state.level)
            surprise = severity - state.level
            for_level, for_slope = state.level_variance / total, state.covariance / total
            state = State(
                state.level + for_level * surprise,
                state.slope + for_slope * surprise,
                state.level_variance * (1.0 - for_level),
                state.covariance * (1.0 - for_level),
                state.slope_variance - for_slope * state.covariance,
            )
            yield state

    def moved(self, state: State, step: Floats) -> State:
        """Return what is known of the time `step` (cases,) later, before the next score."""
        kept, reach, level_noise, shared_noise, slope_noise = self._noise(step)
        return State(
            state.level + self._drift(state, step, reach),
            self.long_run_slope + kept * (state.slope - self.long_run_slope),
            state.level_variance
            + 2.0 * reach * state.covariance
            + reach**2 * state.slope_variance
            + level_noise,
            kept * (state.covariance + reach * state.slope_variance) + shared_noise,
            kept**2 * state.slope_variance + slope_noise,
        )

    def _drift(self, state: State, step: Floats, reach: Floats) -> Floats:
        return self.long_run_slope * step + reach * (state.slope - self.long_run_slope)

    def _noise(self, step: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Return how much of a slope is kept and how far it reaches, and what chance adds."""
        rate = self.forgetting
        kept = np.exp(-rate * step)
        reach = (1.0 - kept) / rate
        twice = 2.0 * self.slope_variance / rate
        wander = np.maximum(twice * (step - 2.0 * reach + (1.0 - kept**2) / (2.0 * rate)), 0.0)
        return (
            kept,
            reach,
            wander + self.level_variance * step,
            self.slope_variance * (1.0 - kept) ** 2 / rate,
            self.slope_variance * (1.0 - kept**2),
        )

    def ahead(self, state: State, step: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance of the change of the level from now to later."""
        _, reach, level_noise, _, _ = self._noise(step)
        return self._drift(state, step, reach), reach**2 * state.slope_variance + level_noise

    def error(self, level: Floats) -> Floats:
        """Return the variance of the error of a score at each level."""
        return self.error_variance + self.error_by_level * np.maximum(level, 0.0)

    def misfit(self, courses: Courses, lead_too: int) -> float:
        """Return minus the log-likelihood of the next and a later next score, without constants."""
        misfit = 0.0
        for number, state in enumerate(self.states(courses)):
            for lead in (1, lead_too):
                # From the baseline alone only the next score is asked for.
                if number + lead >= len(courses.rows) or (lead > 1 and number == 0):
                    continue
                later = courses.severity[number + lead]
                known = state.first(len(later))
                step = courses.time[number + lead] - courses.time[number][: len(later)]
                moved = self.moved(known, step)
                total = moved.level_variance + self.error(moved.level)
                misfit += float(np.sum(np.log(total) + (later - moved.level) ** 2 / total))
        return 0.5 * misfit
