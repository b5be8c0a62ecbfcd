"""On which time axis does a case lie, and which of its scores follow one another?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import median
from typing import Literal

import polars as pl

Unit = Literal["session", "day", "week"]
DAYS_IN_A_WEEK = 7
WEEKS_FROM_DAYS = 100  # a longer case without sessions is drawn in weeks
TICKS_AT_MOST = 13
_TICK_STEPS = (1, 2, 4, 5, 10, 20, 26, 52, 100)
# A break of half as long again as this case's usual step is no score; below it, a late one.
USUAL_STEPS = 1.5


@dataclass(frozen=True, kw_only=True)
class TimeAxis:
    """Whole sessions where the practice sends them, else days, else weeks of a long case."""

    unit: Unit
    first: int
    last: int

    def times(self, points: pl.DataFrame) -> pl.DataFrame:
        """Add `time` to points with `session`, `day` and `at`."""
        if self.unit == "session":
            return points.with_columns(time=pl.col("session").cast(pl.Float64))
        days = pl.coalesce("day", "at").cast(pl.Float64)
        return points.with_columns(time=days / (DAYS_IN_A_WEEK if self.unit == "week" else 1))

    @property
    def ticks(self) -> list[int]:
        """Whole numbers to write under the axis."""
        span = max(1, self.last - self.first)
        step = next((s for s in _TICK_STEPS if span / s < TICKS_AT_MOST), ceil(span / 10))
        return list(range(self.first, self.last + 1, step))

    def words(self, time: float) -> str:
        """Return 'session 8', 'day 57' or 'week 12'."""
        return f"{self.unit} {time:.0f}"


def time_axis(*frames: pl.DataFrame) -> TimeAxis:
    """Return one axis for everything drawn of a case; frames have `session`, `day` and `at`."""
    points = pl.concat([frame.select("session", "day", "at") for frame in frames])
    if len(points) and points["session"].null_count() == 0:
        times = points["session"]
        unit: Unit = "session"
    else:
        times = points.select(pl.coalesce("day", "at"))["day"]
        unit = "day"
    first, last = (_whole(times.min()), _whole(times.max())) if len(points) else (0, 1)
    if unit == "day" and last - first > WEEKS_FROM_DAYS:
        unit, first, last = "week", first // DAYS_IN_A_WEEK, ceil(last / DAYS_IN_A_WEEK)
    first = min(0, first)
    return TimeAxis(unit=unit, first=first, last=max(last, first + 1))


def unbroken_runs(
    times: Sequence[float], axis: TimeAxis, *, attended: Iterable[int], pair_days: int
) -> list[int]:
    """Return for each score the number of its run; scores of one run follow one another.

    Sessions follow one another where no attended session lies unscored between them; days where
    they lie no further apart than the rule averages (`pair_days`). A case that is measured more
    rarely as a habit is joined at its own usual step.
    """
    seen = sorted(set(attended))
    steps = [_step(before, after, axis, seen) for before, after in pairwise(times)]
    if not steps:
        return [0] * len(times)
    if axis.unit == "session":
        allowed: float = max(1, ceil(median(steps)))
    else:
        days = pair_days / (DAYS_IN_A_WEEK if axis.unit == "week" else 1)
        allowed = max(days, USUAL_STEPS * median(steps))
    runs = [0]
    for step in steps:
        runs.append(runs[-1] + (step > allowed))
    return runs


def gaps(times: Sequence[float], runs: Sequence[int]) -> list[tuple[float, float]]:
    """Return where no score lies: from the last score of one run to the first of the next."""
    together = list(zip(times, runs, strict=True))
    return [
        (before, after)
        for (before, run_before), (after, run_after) in pairwise(together)
        if run_before != run_after
    ]


def _step(before: float, after: float, axis: TimeAxis, seen: list[int]) -> float:
    if axis.unit == "session" and seen:
        return max(1, sum(before < session <= after for session in seen))
    return after - before


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
