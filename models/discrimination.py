"""How well do rules, asked at one landmark, tell cases that end badly from those that end well?

Every number has an interval by case, and every difference between two rules one of its own: both
are counted over the same draws, on the cases both have judged. With repeated cross-validation a
case counts with its mean over the repeats (share of repeats in which it was flagged, mean squared
error), and the AUC is the mean over repeats. Nothing that is not defined is 0: no flags, no
predictive value. Terms as in Altman and Bland (1994), BMJ 308, 1552 and 309, 102; Brier (1950),
Monthly Weather Review 78, 1 (all recalled).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.auc import areas
from models.resampling import Drawn, Interval, by_name, middle, ratio, told

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

METRICS = (
    "auc",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "balanced_accuracy",
    "brier",
    "share_flagged",
    "bad_if_not_flagged",
)
PAIRED = ("auc", "sensitivity", "specificity", "ppv", "brier")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one rule says of each case: (n,), or (repeats, n) of repeated cross-validation."""

    score: ArrayLike
    """Higher: worse expected. nan: the rule refused; flag and probability are then not read. A case
    counts as judged if it has a score in more than half of the repeats."""
    is_flagged: ArrayLike | None = None
    """True or 1, False or 0. None, or nan: a rule without a flag; where one case that it judged has
    none, nothing is said of its flags."""
    fold: ArrayLike | None = None
    """(repeats, n) In which fold each case was asked. Scores of folds come from different fits, so
    the AUC then compares cases of one fold only (Forman and Scholz 2010, SIGKDD Explorations 12,
    49, recalled). None: all are compared."""
    probability: ArrayLike | None = None
    """Of a bad end, 0 to 1, nan where there is none. None: a rule without probabilities."""

    def has_score(self) -> Bools:
        """Return whether each repeat has a score of each case, (repeats, n)."""
        return ~np.isnan(np.atleast_2d(np.asarray(self.score, dtype=np.float64)))

    def score_by_fold(self) -> Floats:
        """Return the scores, one row a repeat and fold, (repeats x folds, n); nan elsewhere."""
        scores = np.atleast_2d(np.asarray(self.score, dtype=np.float64))
        if self.fold is None or not scores.size:
            return scores
        folds = np.atleast_2d(np.asarray(self.fold))
        return np.concatenate(
            [np.where(folds == number, scores, nan) for number in np.unique(folds)]
        )

    def is_judged(self) -> Bools:
        """Return whether each case has a score in more than half of the repeats, (n,)."""
        return _in_most(self.has_score())

    def flags(self) -> Floats:
        """Return 1 for a flag, 0 for none, nan where not judged, (repeats, n)."""
        flag = np.asarray(nan if self.is_flagged is None else self.is_flagged, dtype=np.float64)
        return np.where(self.has_score(), flag, nan)

    def flag_share(self) -> Floats:
        """Return the share of its repeats in which each case was flagged, (n,), nan for none."""
        flags = self.flags()
        return _mean_where(flags, ~np.isnan(flags))


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How good one rule is; counts are means over repeats, of cases, never weighted."""

    n: int
    bad: int
    flagged: float
    true_alarms: float
    false_alarms: float
    missed: float
    metrics: dict[str, Interval]

    def flat(self) -> dict[str, float | None]:
        """Return counts and metrics as name, name_low and name_high; None where there is none."""
        counts = ("n", "bad", "flagged", "true_alarms", "false_alarms", "missed")
        return {name: told(getattr(self, name)) for name in counts} | by_name(self.metrics)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One rule less another, on the cases both have judged."""

    n: int
    metrics: dict[str, Interval]

    def flat(self) -> dict[str, float | None]:
        """Return n and the metrics as name, name_low and name_high; None where there is none."""
        return {"n": self.n} | by_name(self.metrics)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Rules side by side at one landmark."""

    of: dict[str, Quality]
    paired: dict[tuple[str, str], Difference]
    """(rule, other): rule less other, every pair in the order in which the rules were given."""


def compare(
    is_bad: ArrayLike,
    judged: Mapping[str, Judged],
    drawn: Drawn,
    *,
    weights: ArrayLike | None = None,
) -> Comparison:
    """Return how good each rule is, and how much better than each other one.

    Parameters
    ----------
    is_bad
        (n,) Whether the case ended badly. Cases whose end is not known are not in here.
    drawn
        The draws of these n cases, one set for everything told of one landmark.
    weights
        (n,) Positive, such as inverse probabilities of a known end. None: all count alike.

    Examples
    --------
    >>> from models.resampling import draw_cases
    >>> fell = Judged(score=[5, 4, 3, 3, 1, 0], is_flagged=[True, True, True, False, False, False])
    >>> other = Judged(score=[5, np.nan, 0, 3, 1, 0])
    >>> is_bad = [True, True, False, True, False, False]
    >>> found = compare(is_bad, {"fell": fell, "other": other}, draw_cases(range(6), times=0))
    >>> {name: round(found.of["fell"].metrics[name].value, 3) for name in ("auc", "ppv", "brier")}
    {'auc': 0.944, 'ppv': 0.667, 'brier': nan}
    >>> difference = found.paired["fell", "other"]
    >>> difference.n, round(difference.metrics["auc"].value, 3)
    (5, -0.083)
    """
    ended_badly = np.asarray(is_bad, dtype=np.bool_)
    weight = np.ones(len(ended_badly)) if weights is None else np.asarray(weights, dtype=np.float64)
    asked = {name: _Asked(ended_badly, weight, rule, drawn) for name, rule in judged.items()}
    for rule in asked.values():
        rule.count(list(asked.values()))
    paired = {}
    for (name, rule), (other_name, other) in combinations(asked.items(), 2):
        first, second = rule.beside(other), other.beside(rule)
        paired[name, other_name] = Difference(
            n=int((rule.rows & other.rows).sum()),
            metrics={metric: middle(first[metric] - second[metric]) for metric in PAIRED},
        )
    return Comparison(of={name: rule.quality() for name, rule in asked.items()}, paired=paired)


class _Asked:
    """One rule's answers, a number a case, and what is counted over them."""

    def __init__(self, is_bad: Bools, weight: Floats, rule: Judged, drawn: Drawn) -> None:
        self.is_bad, self.weight, self.drawn = is_bad, weight, drawn
        self.score = rule.score_by_fold()
        self.rows, self.flag = rule.is_judged(), rule.flag_share()
        probability = nan if rule.probability is None else rule.probability
        error = (np.asarray(probability, dtype=np.float64) - is_bad) ** 2
        has_error = rule.has_score() & ~np.isnan(error)
        self.error = _mean_where(error, has_error)
        self.has_probability = self.rows & _in_most(has_error)
        # By the rows counted over: many pairs of rules have judged the same cases.
        self._counted: dict[bytes, dict[str, Floats]] = {}
        self._error: dict[bytes, Floats] = {}

    def count(self, others: Sequence[_Asked]) -> None:
        """Count over the cases judged, and over those of them that each other rule has judged."""
        rows = {each.tobytes(): each for each in (self.rows & other.rows for other in others)}
        counted = self._counted_over(np.array(list(rows.values())))
        self._counted = dict(zip(rows, counted, strict=True))
        probable = (self.has_probability & other.has_probability for other in others)
        of_error = {each.tobytes(): each for each in probable}
        errors = self._error_over(np.array(list(of_error.values())))
        self._error = dict(zip(of_error, errors.T, strict=True))

    def beside(self, other: _Asked) -> dict[str, Floats]:
        """Return each metric over the cases and each draw, (1 + times,), where both have judged."""
        brier = self._error[(self.has_probability & other.has_probability).tobytes()]
        return self._counted[(self.rows & other.rows).tobytes()] | {"brier": brier}

    def _counted_over(self, rows: Bools) -> list[dict[str, Floats]]:
        """Return each metric but Brier, (1 + times,), for each of some sets of rows (k, n)."""
        bad, good = self.weight * (rows & self.is_bad), self.weight * (rows & ~self.is_bad)
        flag = np.where(self.rows, self.flag, 0.0)
        columns = np.concatenate((bad * flag, bad * (1.0 - flag), good * flag, good * (1.0 - flag)))
        found, missed, false, quiet = np.split(self.drawn.sums(columns.T), 4, axis=1)
        sensitivity, specificity = ratio(found, found + missed), ratio(quiet, quiet + false)
        numbers = {
            "auc": areas(self.is_bad, self.score, rows, self.weight, self.drawn),
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": ratio(found, found + false),
            "npv": ratio(quiet, quiet + missed),
            "balanced_accuracy": (sensitivity + specificity) / 2.0,
            "share_flagged": ratio(found + false, found + false + missed + quiet),
            "bad_if_not_flagged": ratio(missed, quiet + missed),
        }
        return [{name: each[:, k] for name, each in numbers.items()} for k in range(len(rows))]

    def _error_over(self, rows: Bools) -> Floats:
        """Return the mean squared error of the probability, (1 + times, k), for rows (k, n)."""
        if not rows.any():
            return np.full((len(self.drawn.counts), len(rows)), nan)
        here = self.weight * rows
        columns = np.concatenate((np.where(rows, here * self.error, 0.0), here))
        error, whole = np.split(self.drawn.sums(columns.T), 2, axis=1)
        return ratio(error, whole)

    def quality(self) -> Quality:
        rows, bad = self.rows, self.rows & self.is_bad
        good = self.rows & ~self.is_bad
        numbers = self.beside(self)
        flags = np.where(rows, self.flag, 0.0)
        cases = {"sensitivity": bad, "specificity": good, "share_flagged": rows}
        apart = {metric: self.drawn.apart(of) for metric, of in cases.items()}
        apart["ppv"] = self.drawn.apart(flags > 0.0)
        apart["npv"] = apart["bad_if_not_flagged"] = self.drawn.apart(rows & (flags < 1.0))
        # As many pairs of a bad and a good case, no case in two of them, are independent.
        apart["auc"] = apart["balanced_accuracy"] = min(
            self.drawn.apart(bad), self.drawn.apart(good)
        )
        return Quality(
            n=int(rows.sum()),
            bad=int(bad.sum()),
            flagged=float(flags.sum()),
            true_alarms=float(flags[bad].sum()),
            false_alarms=float(flags[good].sum()),
            missed=float((1.0 - flags)[bad].sum()),
            metrics={name: middle(numbers[name], apart=apart.get(name)) for name in METRICS},
        )


def _in_most(has_number: Bools) -> Bools:
    """Return whether each case has a number in more than half of the repeats, (n,)."""
    in_most: Bools = 2 * has_number.sum(0) > len(has_number)
    return in_most


def _mean_where(number: Floats, has_number: Bools) -> Floats:
    """Return each case's mean over the repeats (repeats, n) that have a number, (n,), or nan."""
    number, has_number = np.broadcast_arrays(number, has_number)
    number = np.where(has_number, number, 0.0)
    return ratio(number.sum(0), has_number.sum(0).astype(np.float64))
