"""What are the numbers of England's official outcome rule, and which measure goes with a problem?

Sources stand beside each number in ``talking_therapies.toml`` and in the measures' contracts.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from data_contracts.errors import ContractError
from data_contracts.measure import Measure
from data_contracts.measures import built_in_measures


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    verified: bool


class _Finished(_Part):
    least_sessions: int


class Problem(_Part):
    """A problem with a measure of its own."""

    name: str
    icd10: tuple[str, ...]
    words: tuple[str, ...]
    measures: tuple[str, ...]


class _OwnThreshold(_Part):
    measure: str
    caseness_from: float
    reliable_change: float
    why: str


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    depression: str
    fallback: str
    finished: _Finished
    recovery: _Part
    improvement: _Part
    improvement_other_not_worse: _Part
    deterioration: _Part
    problem: tuple[Problem, ...]
    threshold: tuple[_OwnThreshold, ...]


class Thresholds(BaseModel):
    """The two numbers of a measure; a higher score is worse for each of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    caseness_from: float
    """the lowest score that counts as a case"""
    reliable_change: float
    """points, inclusive"""
    source: str
    verified: bool


class TalkingTherapiesRule(BaseModel):
    """The rule as the models use it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depression: str
    fallback: str
    least_sessions: int
    problems: tuple[Problem, ...]
    thresholds: dict[str, Thresholds]
    """by measure_id, every measure the rule may look at"""
    recalled: tuple[str, ...]
    """what of the rule was not read in a source, in words"""

    def problem_of(self, code: str | None) -> Problem | None:
        """Return the problem with a measure of its own that a code means, else None.

        >>> talking_therapies_rule().problem_of("f401").name
        'social anxiety'
        """
        if code is None:
            return None
        spelled = " ".join(code.replace("_", " ").split()).casefold()
        icd10 = spelled.replace(".", "")
        for problem in self.problems:
            if spelled in problem.words or icd10.startswith(
                tuple(key.casefold().replace(".", "") for key in problem.icd10)
            ):
                return problem
        return None

    def anxiety_measures_of(self, code: str | None) -> tuple[str, ...]:
        """Return the measures in which an anxiety pair is looked for, in order; fallback last.

        >>> talking_therapies_rule().anxiety_measures_of("F43.1")
        ('pcl5', 'iesr', 'gad7')
        """
        problem = self.problem_of(code)
        return (*(problem.measures if problem else ()), self.fallback)


@cache
def talking_therapies_rule() -> TalkingTherapiesRule:
    """Return the official rule, with the numbers of the measures as they ship.

    Raises
    ------
    ContractError
        If a measure of the rule lacks a number.
    """
    text = (files("data_contracts") / "talking_therapies.toml").read_text(encoding="utf-8")
    read = _File.model_validate(tomllib.loads(text))
    shipped = built_in_measures()
    own = {threshold.measure: threshold for threshold in read.threshold}
    of_problems = [measure for problem in read.problem for measure in problem.measures]
    thresholds = {
        measure_id: _thresholds(shipped[measure_id], own.get(measure_id))
        for measure_id in (read.depression, *of_problems, read.fallback)
    }
    return TalkingTherapiesRule(
        depression=read.depression,
        fallback=read.fallback,
        least_sessions=read.finished.least_sessions,
        problems=read.problem,
        thresholds=thresholds,
        recalled=tuple(_recalled(read, thresholds)),
    )


def _thresholds(measure: Measure, own: _OwnThreshold | None) -> Thresholds:
    if own is not None:
        return Thresholds(
            name=measure.name,
            caseness_from=own.caseness_from,
            reliable_change=own.reliable_change,
            source=own.source,
            verified=own.verified,
        )
    cutoff, change = measure.clinical_cutoff, measure.reliable_change
    if cutoff is None or change is None or measure.higher_is != "worse":
        message = f"talking_therapies.toml names {measure.measure_id}, which lacks a number for it"
        raise ContractError(message)
    return Thresholds(
        name=measure.name,
        caseness_from=cutoff.value,
        reliable_change=change.points,
        source=f"cut-off: {cutoff.source}; reliable change: {change.source}",
        verified=cutoff.verified and change.verified,
    )


def _recalled(read: _File, thresholds: dict[str, Thresholds]) -> list[str]:
    """Name what of the rule is recalled and not read."""
    said = []
    if not read.improvement_other_not_worse.verified:
        said.append("that an improvement needs the other measure not reliably worse")
    if not read.deterioration.verified:
        said.append("deterioration as the mirror of improvement")
    unread = [numbers.name for numbers in thresholds.values() if not numbers.verified]
    if unread:
        said.append(f"the cut-off or reliable change of {', '.join(unread)}")
    said += [
        f"which measure goes with {problem.name}"
        for problem in read.problem
        if not problem.verified
    ]
    return said
