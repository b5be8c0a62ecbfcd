"""How likely does a case end badly, given what is known of it now? The outlook at one landmark.

For ends that are told by a score, two things are put together half and half: how far the case
stands today from the line of a bad end (`outlook_standing`), and how far its forecast stands from
that line, in its own spread (`outlook_forecast`). A logistic curve with two numbers makes a chance
of it, so the order of cases rests on next to nothing that was learned and few cases are enough.
Everything else - earlier scores, attendance, alliance, what is missing - may move the chance a
little: each weight is pulled to zero, and whole steps are left out unless they gain in cases they
were not learned from (`outlook_choice`). What was tried and what it gained: `tried_`, and
docs/outlook.md for many data sets.

Refused is what lies outside the scores learned from, and everything where too few cases ended.
Follows scikit-learn's rules for estimators without importing it (1.7 s, not needed), except that
`fit` takes a frame of `known_so_far`, ends and end scores instead of X and y.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from models.outlook_answer import OutlookAnswer, Parameters, Reasons
from models.outlook_arithmetic import Floats, logistic, spread_of
from models.outlook_features import (
    OF_DROP_OUT,
    OF_SCORES,
    READ,
    SCORES,
    from_square_root,
    square_root,
    told,
)
from models.outlook_forecast import forecast, learn_forecast, spread_of_forecast
from models.outlook_standing import bad_from, standing
from models.outlook_weights import Weights, learn_weights

__all__ = ["Outlook", "OutlookAnswer", "OutlookByOccasion"]

DROP_OUT = "drop_out"
_BEYOND = 1.0
"""How far beyond the scores learned from it answers, in reliable changes: within one, a score
cannot be told from one that was seen. Without one, in standard deviations of first scores (chosen).
"""
_LONGER = 1.5
"""How far beyond its occasion the last outlook answers, as in `forecast` (chosen)."""


class Outlook(Parameters):
    """The outlook of cases at one landmark.

    Points of frames and of `end_score` are turned so that higher is worse, as `known_so_far` and
    `case_ends` give them; `cutoff`, `minimum` and `maximum` are those of the measure, not turned.

    Parameters
    ----------
    outcome
        One of `case_ends.OUTCOMES`.
    higher_is
        'worse' or 'better': how the measure is read.
    reliable_change
        Points; asked for by all outcomes but under_half_reduction and drop_out.
    cutoff
        Last score in the clinical range; None: the measure has none.
    minimum_cases, minimum_bad
        Fewest cases to learn from, and fewest that ended badly, and well (chosen: as few as the
        two-score rule of the back-test learns from; with five the base rate is known to a factor of
        two and a half. A model that is put in use asks for more: setting `models.minimum_bad`).

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> first, last = random.uniform(10, 24, 200), random.uniform(2, 24, 200)
    >>> known = pl.DataFrame({"baseline": first, "score": last})
    >>> end = np.clip(last + random.normal(0, 3, 200), 0, 27)
    >>> outlook = Outlook(reliable_change=6.0, cutoff=10.0)
    >>> outlook = outlook.fit(known, (end >= 10) & (first - end < 6), end)
    >>> answer = outlook.predict(pl.DataFrame({"baseline": [18.0, 18.0], "score": [5.0, 19.0]}))
    >>> bool(answer.probability[0] < 0.2 < 0.6 < answer.probability[1])
    True
    """

    n_cases_: int
    n_bad_: int
    refusal_: str | None
    """Why nothing was learned: 'too_few_ended', 'too_few_bad' or None."""
    tried_: list[dict[str, Any]]
    """One entry a step: name, says, auc, log_loss, gain (of log loss, over the last step kept),
    gain_error (its standard error), gain_over_two_score (of AUC), is_kept; all out of sample."""
    features_: list[str]
    """Columns of `known_so_far` that are read."""
    lowest_: Floats
    """(2,) lowest first and last score that it answers about; `highest_` alike."""
    highest_: Floats
    forecast_: Floats
    """See `outlook_forecast`; not there for drop-out."""
    halves_: Floats
    """(2, 2) middle and spread of standing and forecast, which make one index half and half."""
    weights_: dict[str, Any]
    """Fields of `outlook_weights.Weights`: plain, so that it can be stored."""

    def __init__(
        self,
        *,
        outcome: str = "clinical_without_gain",
        higher_is: str = "worse",
        reliable_change: float | None = None,
        cutoff: float | None = None,
        minimum: float = 0.0,
        maximum: float = 27.0,
        minimum_cases: int = 30,
        minimum_bad: int = 5,
    ) -> None:
        self.outcome = outcome
        self.higher_is = higher_is
        self.reliable_change = reliable_change
        self.cutoff = cutoff
        self.minimum = minimum
        self.maximum = maximum
        self.minimum_cases = minimum_cases
        self.minimum_bad = minimum_bad

    def fit(self, known: pl.DataFrame, is_bad: ArrayLike, end_score: ArrayLike) -> Self:
        """Learn from cases at one landmark whose end is known.

        Parameters
        ----------
        known
            Rows of `known_so_far`; columns that are not there are not known.
        is_bad
            (n,) whether the case ended badly.
        end_score
            (n,) last score; not read for drop-out.
        """
        bad, end = np.asarray(is_bad, dtype=bool), np.asarray(end_score, dtype=np.float64)
        columns = told(known)
        usable = ~np.isnan(columns["baseline"]) & ~np.isnan(columns["score"])
        if self._is_of_scores:
            usable &= ~np.isnan(end)
        columns = {name: column[usable] for name, column in columns.items()}
        bad, end = bad[usable], end[usable]
        self.n_cases_, self.n_bad_ = len(bad), int(bad.sum())
        self.tried_, self.features_ = [], []
        self.refusal_ = self._too_few()
        if self.refusal_ is not None:
            return self
        asked = np.stack([columns["baseline"], columns["score"]])
        beyond = _BEYOND * (self.reliable_change or float(asked[0].std()))
        self.lowest_, self.highest_ = asked.min(axis=1) - beyond, asked.max(axis=1) + beyond
        if self._is_of_scores:
            self.forecast_, ahead = learn_forecast(columns, end, self._best)
            columns |= self._signs(columns, ahead)
            signs = np.stack([columns["now"], columns["forecast"]], axis=1)
            self.halves_ = np.stack([signs.mean(axis=0), spread_of(signs)])
            columns |= self._index(columns)
        steps = OF_SCORES if self._is_of_scores else OF_DROP_OUT
        weights, self.tried_ = learn_weights(steps, columns, bad)
        self.weights_ = asdict(weights)
        read = SCORES if self._is_of_scores else ()
        self.features_ = sorted(READ & {*read, *weights.columns})
        return self

    def predict(self, known: pl.DataFrame) -> OutlookAnswer:
        """Return the chance of a bad end of each row, or why there is none."""
        if not hasattr(self, "refusal_"):
            raise ValueError("This outlook is not fitted yet; call fit first.")
        probability, expected = np.full((2, known.height), np.nan)
        reason: Reasons = np.full(known.height, self.refusal_, dtype=object)
        if self.refusal_ is not None:
            return OutlookAnswer(probability=probability, reason=reason, expected_end=expected)
        columns = told(known)
        asked = np.stack([columns["baseline"], columns["score"]], axis=1)
        unknown = np.isnan(asked).any(axis=1)
        outside = ~unknown & ((asked < self.lowest_) | (asked > self.highest_)).any(axis=1)
        reason[unknown], reason[outside] = "not_known", "outside_range"
        rows = np.flatnonzero(~unknown & ~outside)
        columns = {name: column[rows] for name, column in columns.items()}
        if self._is_of_scores:
            ahead, _ = forecast(self.forecast_, columns, self._best)
            points = from_square_root(ahead, self._best)
            expected[rows] = np.clip(points, self._best, self._worst)
            columns |= self._signs(columns, ahead)
            columns |= self._index(columns)
        probability[rows] = logistic(Weights(**self.weights_).log_odds(columns))
        return OutlookAnswer(probability=probability, reason=reason, expected_end=expected)

    @property
    def _is_of_scores(self) -> bool:
        return self.outcome != DROP_OUT

    @property
    def _best(self) -> float:
        return self.minimum if self.higher_is == "worse" else -self.maximum

    @property
    def _worst(self) -> float:
        return self.maximum if self.higher_is == "worse" else -self.minimum

    def _too_few(self) -> str | None:
        if self.n_cases_ < self.minimum_cases:
            return "too_few_ended"
        if min(self.n_bad_, self.n_cases_ - self.n_bad_) < self.minimum_bad:
            return "too_few_bad"
        return None

    def _signs(self, columns: dict[str, Floats], ahead: Floats) -> dict[str, Floats]:
        """Return how far beyond the line of a bad end a case stands and is foreseen to stand."""
        turned = 1.0 if self.higher_is == "worse" else -1.0
        cutoff = None if self.cutoff is None else turned * self.cutoff
        baseline, change, best = columns["baseline"], self.reliable_change, self._best

        def stands(score: Floats) -> Floats:
            return standing(
                self.outcome, score, baseline, reliable_change=change, cutoff=cutoff, best=best
            )

        line = bad_from(self.outcome, baseline, reliable_change=change, cutoff=cutoff, best=best)
        spread = spread_of_forecast(self.forecast_, ahead)
        return {
            "now": stands(columns["score"]),
            "standing_between": stands(columns["mean_between"]),
            "standing_previous": stands(columns["previous"]),
            "forecast": (ahead - square_root(line, self._best)) / spread,
        }

    def _index(self, columns: dict[str, Floats]) -> dict[str, Floats]:
        """Return standing and forecast half and half, and what the forecast adds."""
        middle, spread = self.halves_
        now = (columns["now"] - middle[0]) / spread[0]
        ahead = (columns["forecast"] - middle[1]) / spread[1]
        return {"index": (now + ahead) / 2.0, "forecast_less_now": ahead - now}


class OutlookByOccasion(Parameters):
    """An outlook for every occasion, from the first to the last with enough ended cases.

    Parameters
    ----------
    later_scores
        Fewest scores between an occasion learned from and the end; drop-out needs none.
    most_occasions
        Last occasion for which one is learned.

    The other parameters are those of `Outlook`. A case later than the last outlook is answered by
    it up to half as many occasions more, and refused ('too_late') beyond.

    Examples
    --------
    >>> case, occasion = np.repeat(np.arange(100), 5), np.tile(np.arange(1.0, 6.0), 100)
    >>> first = np.random.default_rng(1).integers(12, 25, 100)[case]
    >>> worse = np.where(case % 3 == 0, 0.0, 2.0)
    >>> known = pl.DataFrame({"case_id": case, "occasion": occasion, "baseline": first}).select(
    ...     "case_id", "occasion", "baseline", score=pl.col("baseline") - worse * occasion
    ... )
    >>> ends = pl.DataFrame({"case_id": range(100), "end_score": [20.0, 5.0, 5.0] * 33 + [20.0]})
    >>> ends = ends.with_columns(
    ...     is_asked=True, is_bad=pl.col("end_score") > 10, end_occasion=pl.lit(9)
    ... )
    >>> outlook = OutlookByOccasion(reliable_change=6.0, cutoff=10.0).fit(known, ends)
    >>> len(outlook.outlooks_), outlook.predict(known[:5]).probability.round(1).tolist()
    (5, [1.0, 1.0, 1.0, 1.0, 1.0])
    """

    outlooks_: list[Outlook]
    """That of the first occasion first."""
    features_: tuple[str, ...]
    """Columns of `known_so_far` that any of them reads."""
    tried_: list[dict[str, Any]]
    """As of `Outlook`, with the occasion."""

    def __init__(
        self,
        *,
        outcome: str = "clinical_without_gain",
        higher_is: str = "worse",
        reliable_change: float | None = None,
        cutoff: float | None = None,
        minimum: float = 0.0,
        maximum: float = 27.0,
        minimum_cases: int = 30,
        minimum_bad: int = 5,
        later_scores: int = 3,
        most_occasions: int = 20,
    ) -> None:
        self.outcome = outcome
        self.higher_is = higher_is
        self.reliable_change = reliable_change
        self.cutoff = cutoff
        self.minimum = minimum
        self.maximum = maximum
        self.minimum_cases = minimum_cases
        self.minimum_bad = minimum_bad
        self.later_scores = later_scores
        self.most_occasions = most_occasions

    def fit(self, known: pl.DataFrame, ends: pl.DataFrame) -> Self:
        """Learn from `known_so_far` of past cases and their `case_ends`, in any order."""
        ended = ends.filter("is_asked", pl.col("is_bad").is_not_null())
        rows = known.join(
            ended.select("case_id", "is_bad", "end_score", "end_occasion"), on="case_id"
        )
        if self.outcome != DROP_OUT:
            rows = rows.filter(pl.col("end_occasion") - pl.col("occasion") >= self.later_scores)
        parameters = {
            name: value
            for name, value in self.get_params().items()
            if name not in ("later_scores", "most_occasions")
        }
        self.outlooks_ = []
        for occasion in range(1, self.most_occasions + 1):
            here = rows.filter(pl.col("occasion") == occasion)
            bad, end = here["is_bad"].to_numpy(), here["end_score"].cast(pl.Float64).to_numpy()
            outlook = Outlook(**parameters).fit(here, bad, end)
            if outlook.refusal_ is not None and self.outlooks_:
                break
            self.outlooks_.append(outlook)
        self.features_ = tuple(
            sorted({name for outlook in self.outlooks_ for name in outlook.features_})
        )
        self.tried_ = [
            {"occasion": occasion, **entry}
            for occasion, outlook in enumerate(self.outlooks_, start=1)
            for entry in outlook.tried_
        ]
        return self

    def predict(self, known: pl.DataFrame) -> OutlookAnswer:
        """Return the chance of a bad end of each row, by the outlook of its occasion."""
        if not hasattr(self, "outlooks_"):
            raise ValueError("This outlook is not fitted yet; call fit first.")
        occasion = known["occasion"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        probability, expected = np.full((2, known.height), np.nan)
        reason: Reasons = np.full(known.height, "too_late", dtype=object)
        reason[~(occasion >= 1)] = "not_known"
        last = len(self.outlooks_)
        for number, outlook in enumerate(self.outlooks_, start=1):
            until = _LONGER * number if number == last else number
            rows = np.flatnonzero((occasion >= number) & (occasion <= until))
            answer = outlook.predict(known[rows])
            probability[rows], expected[rows] = answer.probability, answer.expected_end
            reason[rows] = answer.reason
        return OutlookAnswer(probability=probability, reason=reason, expected_end=expected)
