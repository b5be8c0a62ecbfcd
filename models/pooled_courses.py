"""Which expected course does each measure have, when some have few cases? Its own, or a pooled one.

A measure with enough cases has a course of its own. The others share one, fitted on all measures
given: scores become distances from the healthy end of the scale in units of the measure (its
reliable change, say), so that high is worse and floors lie together. Measures with many cases give
only `MOST_CASES` of them, so that none drowns the rest. What a small measure's own cases show is
kept as far as it can be trusted: its mean distance from the pooled course, shrunken by

    between-measure variance / (between-measure variance + its own sampling variance)

(a random-effects mean; the variance between measures by the method of moments, DerSimonian & Laird
1986, Controlled Clinical Trials 7; recalled). One case, or cases with one score each, are enough to
be counted. Whatever comes back says which measures and how many cases stand behind it. How well
pooled bands hold for small groups: docs/expected_course.md, by benchmarks/coverage.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from models.course_input import Cases, Floats, Indices, case_codes, columns, scores, sign_of
from models.expected_course import ExpectedCourse, TooFewCasesError
from models.mixed_model import CannotLearnError

MOST_CASES = 500
"""Cases a measure gives to the pool."""
CASES_FOR_VARIANCE = 5
"""Measures with fewer say nothing about the variance between measures."""


@dataclass(frozen=True, kw_only=True)
class MeasureScores:
    """The scores after the baseline of one measure; `X`, `y`, `groups` as in `ExpectedCourse`."""

    X: ArrayLike
    y: ArrayLike
    groups: Cases
    minimum: float
    maximum: float
    higher_is: Literal["worse", "better"]
    unit: float
    """Points that mean the same in every measure: reliable change, or a standard deviation."""


@dataclass(frozen=True, kw_only=True)
class MeasureCourse:
    """The expected course of one measure, its own or pooled; `X` and `y` in its points."""

    course: ExpectedCourse
    measures: tuple[str, ...]
    """Whose scores it was learned from."""
    cases: int
    """How many cases stand behind it; a case with two measures counts twice in a pool."""
    own_cases: int
    is_pooled: bool
    minimum: float
    maximum: float
    higher_is: Literal["worse", "better"]
    unit: float = 1.0
    offset: float = 0.0
    """How far this measure lies from the pooled course, in units; positive is worse."""

    @property
    def label(self) -> str:
        """What to say beside the band."""
        if not self.is_pooled:
            return f"From {self.cases} cases."
        return (
            f"Pooled from {self.cases} cases of {len(self.measures)} measures "
            f"({', '.join(self.measures)}); {self.own_cases} of them have this measure."
        )

    def predict(self, X: ArrayLike) -> Floats:
        """Return the expected score (n,) in points, from intake alone; may leave the range."""
        return self._points(self.course.predict(self._standard(X)) + self.offset)

    def band(self, X: ArrayLike, *, coverage: float) -> tuple[Floats, Floats]:
        """Return the lowest and highest expected score (n,) each, within the measure's range."""
        own = self._standard(X)
        ends = self.course.band(own, coverage=coverage, minimum=-np.inf, maximum=np.inf)
        points = [
            np.clip(self._points(end + self.offset), self.minimum, self.maximum) for end in ends
        ]
        low, high = points if self._turn > 0 else points[::-1]
        return low, high

    def chance_this_bad(self, X: ArrayLike, y: ArrayLike, *, integer: bool = True) -> Floats:
        """Return the chance (n,), .005 to .995, of a score as bad as y or worse."""
        own = self._standard(X)
        worse = sign_of(self.higher_is)
        bar = scores(y, len(own)) - worse * (0.5 if integer else 0.0)
        return self.course.chance_this_bad(
            own,
            self._turn * (bar - self._zero) / self.unit - self.offset,
            higher_is="worse" if self.is_pooled else self.higher_is,
            integer=False,
        )

    @property
    def _turn(self) -> int:
        return sign_of(self.higher_is) if self.is_pooled else 1

    @property
    def _zero(self) -> float:
        return (self.minimum if self._turn > 0 else self.maximum) if self.is_pooled else 0.0

    def _standard(self, X: ArrayLike) -> Floats:
        baseline, time = columns(X)
        return np.column_stack([self._turn * (baseline - self._zero) / self.unit, time])

    def _points(self, standard: Floats) -> Floats:
        return self._zero + self._turn * self.unit * standard


@dataclass(frozen=True, kw_only=True)
class NoCourse:
    """Why a measure has no expected course, in a sentence for the person who asks."""

    reason: str
    own_cases: int


def courses_by_measure(
    measures: Mapping[str, MeasureScores], *, minimum_cases: int = 50
) -> dict[str, MeasureCourse | NoCourse]:
    """Return the expected course of every measure: its own, a pooled one, or why there is none.

    Parameters
    ----------
    measures
        By measure. Give together only measures that may share a course: outcomes with outcomes,
        never an alliance measure, and one clock for all.
    minimum_cases
        Fewest cases for a course, own or pooled.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> def some(cases: int) -> MeasureScores:
    ...     case, occasion = np.repeat(np.arange(cases), 4), np.tile(np.arange(1.0, 5.0), cases)
    ...     X = np.column_stack([random.integers(8, 20, cases)[case], np.log1p(occasion)])
    ...     y = X[:, 0] - 3 * X[:, 1] + random.normal(0, 3, len(case))
    ...     return MeasureScores(
    ...         X=X, y=y, groups=case, minimum=0, maximum=27, higher_is="worse", unit=6
    ...     )
    >>> found = courses_by_measure({"large": some(80), "small": some(9)})
    >>> found["large"].label
    'From 80 cases.'
    >>> found["small"].label
    'Pooled from 89 cases of 2 measures (large, small); 9 of them have this measure.'
    """
    found: dict[str, MeasureCourse | NoCourse] = {}
    small: list[str] = []
    for name, measure in measures.items():
        cases = case_codes(measure.groups, len(columns(measure.X)[0]))[1]
        try:
            course = ExpectedCourse(minimum_cases=minimum_cases).fit(
                measure.X, measure.y, measure.groups
            )
        except CannotLearnError as error:
            found[name] = NoCourse(reason=str(error), own_cases=cases)
            if isinstance(error, TooFewCasesError):
                small.append(name)
            continue
        found[name] = MeasureCourse(
            course=course,
            measures=(name,),
            cases=cases,
            own_cases=cases,
            is_pooled=False,
            minimum=measure.minimum,
            maximum=measure.maximum,
            higher_is=measure.higher_is,
        )
    if small and len(measures) > 1:
        own_cases = {name: one.own_cases for name, one in found.items()}
        found |= _pooled(measures, small, own_cases, minimum_cases)
    return found


def _pooled(
    measures: Mapping[str, MeasureScores],
    small: list[str],
    own_cases: dict[str, int],
    minimum_cases: int,
) -> dict[str, MeasureCourse]:
    """Return the pooled course of each small measure; nothing if the pool is too small as well."""
    given = {name: _given(one) for name, one in measures.items() if own_cases[name]}
    X = np.concatenate([rows for rows, _, _ in given.values()])
    y = np.concatenate([score for _, score, _ in given.values()])
    first = np.cumsum([0] + [int(codes.max()) + 1 for _, _, codes in given.values()])
    groups = np.concatenate(
        [codes + start for (_, _, codes), start in zip(given.values(), first[:-1], strict=True)]
    )
    try:
        course = ExpectedCourse(minimum_cases=minimum_cases).fit(X, y, groups)
    except CannotLearnError:
        return {}
    offsets = _offsets(course, given)
    return {
        name: MeasureCourse(
            course=course,
            measures=tuple(given),
            cases=course.n_cases_,
            own_cases=own_cases[name],
            is_pooled=True,
            minimum=measures[name].minimum,
            maximum=measures[name].maximum,
            higher_is=measures[name].higher_is,
            unit=measures[name].unit,
            offset=offsets.get(name, 0.0),
        )
        for name in small
    }


def _given(measure: MeasureScores) -> tuple[Floats, Floats, Indices]:
    """Return what a measure gives to the pool: X and y in its units, and the case of each row."""
    turn = sign_of(measure.higher_is)
    healthy_end = measure.minimum if turn > 0 else measure.maximum
    baseline, time = columns(measure.X)
    score = scores(measure.y, len(time))
    codes, cases = case_codes(measure.groups, len(time))
    used = codes % -(-cases // MOST_CASES) == 0
    codes = np.unique(codes[used], return_inverse=True)[1]
    return (
        np.column_stack([turn * (baseline[used] - healthy_end) / measure.unit, time[used]]),
        turn * (score[used] - healthy_end) / measure.unit,
        codes,
    )


def _offsets(
    course: ExpectedCourse, given: dict[str, tuple[Floats, Floats, Indices]]
) -> dict[str, float]:
    """Return each measure's mean distance from the pooled course in units, shrunken."""
    means: dict[str, tuple[float, int]] = {}
    within: list[Floats] = []
    for name, (X, y, codes) in given.items():
        distance = y - course.predict(X)
        of_case = np.bincount(codes, weights=distance) / np.bincount(codes)
        means[name] = (float(of_case.mean()), len(of_case))
        within.append(of_case - of_case.mean())
    spread = np.concatenate(within)
    variance = float(spread @ spread) / max(len(spread) - len(given), 1)
    told = [(mean, count) for mean, count in means.values() if count >= CASES_FOR_VARIANCE]
    between = _between([mean for mean, _ in told], [count / variance for _, count in told])
    return {
        name: mean * between / (between + variance / count) if between > 0.0 else 0.0
        for name, (mean, count) in means.items()
    }


def _between(means: list[float], weights: list[float]) -> float:
    """Return the variance between measures by the method of moments; 0 for fewer than three."""
    if len(means) < 3:
        return 0.0
    mean, weight = np.array(means), np.array(weights)
    total = weight.sum()
    centre = float(weight @ mean) / total
    heterogeneity = float(weight @ (mean - centre) ** 2) - (len(means) - 1)
    return max(heterogeneity / float(total - weight @ weight / total), 0.0)
