"""What does each rule say of cases at a landmark, having learned from others? Eight rules.

Each gives a score (higher: more likely bad), which orders cases; a flag, which is what a supervisor
would see; and a probability. Rules that know no probability get one by a logistic curve through
their own score, learned from the same past cases, and the back-test says so.

| rule | score | flag |
|---|---|---|
| reliable_change | reliably better, below the cut-off, neither, worse | not better, clinical |
| early_percent_change | share of the way to the best score left | less than a fifth gone |
| expected_course | how rare a score this bad is, from intake alone | rarer than 1 in 10 |
| similar_cases | share of the most similar past cases that ended so | as many as ended so |
| outlook | its probability | as many as ended so |
| status_rule | order of the statuses | stuck or deteriorating |
| naive_last_change | change from the first to the last score | it would be bad if care ended now |
| naive_two_score | logistic regression on first and last score | as many as ended so |

"As many as ended so": the line lies where the share flagged among the cases learned from equals the
share of them that ended badly. A line at one half would flag nobody where bad ends are rare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.measure import Measure
from models.case_ends import Outcome, would_be_bad
from models.learned_curve import logistic, through_score
from models.nearest import NearestCases
from models.similar_courses import nearness
from models.similar_features import Scale
from models.similar_rule import SimilarCasesRule

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]

EARLY_PERCENT = 0.20
"""Less than this share gone is early non-response: the usual line at two weeks (recalled from
Szegedi and others 2009, unverified)."""
RARE_SCORE = 0.10
"""Upper end of a band of 80 %: the amber line of expected-response systems (algorithms.md, 3a)."""
RANK_OF_STATUS: dict[str, float] = {
    "recovered": 0.0,
    "improved": 1.0,
    "on_track": 2.0,
    "cannot_judge": 2.5,  # too early: neither on track nor to be watched
    "watch": 3.0,
    "stuck": 4.0,
    "deteriorating": 5.0,
}
FLAGGED_FROM = RANK_OF_STATUS["stuck"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Cases at one landmark."""

    known: pl.DataFrame
    """`known_so_far`, with `chance_this_bad`, `expected_gap`, and `status_rank` (null: not judged).
    """
    is_bad: Numbers
    """(n,) 1 bad, 0 not, nan unknown."""
    end_score: Numbers
    """(n,) points, higher is worse; nan unknown."""

    @property
    def ended(self) -> Asked:
        """Those whose end is known: who can be learned from."""
        rows = np.flatnonzero(~np.isnan(self.is_bad))
        return Asked(
            known=self.known[rows], is_bad=self.is_bad[rows], end_score=self.end_score[rows]
        )


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What one rule says: (n,) each; nan where it refuses."""

    score: Numbers
    is_flagged: Numbers
    """1 or 0."""
    probability: Numbers
    reason: str | None = None
    """Why it refused everybody."""
    expected_end: Numbers | None = None
    """(n,) forecast of the last score, higher is worse; None where the rule makes none."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """About which end of which measure rules are asked."""

    measure: Measure
    outcome: Outcome
    band_chance: float
    """`below_band` of the status rule."""


Rule = Callable[[Question, Asked, Asked], Judgement]


def judge(rule: str, question: Question, learned: Asked, asked: Asked) -> Judgement:
    """Return what a rule says of `asked`, having learned from `learned` alone.

    Parameters
    ----------
    learned
        Past cases at the same landmark, all with a known end (`Asked.ended`).

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> phq9 = built_in_measures()["phq9"]
    >>> question = Question(measure=phq9, outcome=Outcome(), band_chance=0.25)
    >>> known = pl.DataFrame({"baseline": [18.0, 18.0], "score": [17.0, 6.0]})
    >>> asked = Asked(known=known, is_bad=np.full(2, np.nan), end_score=np.full(2, np.nan))
    >>> said = judge("early_percent_change", question, asked.ended, asked)
    >>> said.is_flagged.tolist(), said.score.round(2).tolist()
    ([1.0, 0.0], [0.94, 0.33])
    """
    said = RULES[rule](question, learned, asked)
    if said.reason is None and np.isnan(said.probability).all():
        curve = (
            RULES[rule](question, learned, learned).score if len(learned.is_bad) else np.empty(0)
        )
        return Judgement(
            score=said.score,
            is_flagged=said.is_flagged,
            probability=through_score(curve, learned.is_bad, said.score),
            expected_end=said.expected_end,
        )
    return said


def _reliable_change(question: Question, _learned: Asked, asked: Asked) -> Judgement:
    change = question.measure.reliable_change_points
    if change is None:
        return _refused(asked, "no_threshold")
    gain = _column(asked, "level_gain")
    baseline = _column(asked, "baseline")
    level = baseline - gain
    cutoff = question.measure.cutoff
    line = -np.inf if cutoff is None else question.measure.direction * cutoff
    below = (level < line) | (baseline < line)
    score = np.select([gain <= -change, gain >= change, below], [3.0, 0.0, 1.0], default=2.0)
    from_here = 3.0 if question.outcome.name == "reliable_deterioration" else 2.0
    return _said(score, score >= from_here)


def _early_percent_change(question: Question, _learned: Asked, asked: Asked) -> Judgement:
    baseline, score = _column(asked, "baseline"), _column(asked, "score")
    # Of the way to the best score there can be, as for half of a score (case_ends).
    measure = question.measure
    best = float(measure.minimum if measure.direction > 0 else -measure.maximum)
    size = baseline - best
    left = 1.0 - (baseline - score) / np.where(size > 0, size, np.nan)
    return _said(left, np.round(left, 9) > 1.0 - EARLY_PERCENT)


def _expected_course(_question: Question, _learned: Asked, asked: Asked) -> Judgement:
    chance = _column(asked, "chance_this_bad")
    if np.isnan(chance).all():
        return _refused(asked, "too_few_ended")
    return _said(1.0 - chance, chance < RARE_SCORE)


def _status_rule(question: Question, _learned: Asked, asked: Asked) -> Judgement:
    if question.measure.reliable_change_points is None:
        return _refused(asked, "no_threshold")
    rank = _column(asked, "status_rank")
    from_here = (
        RANK_OF_STATUS["deteriorating"]
        if question.outcome.name == "reliable_deterioration"
        else FLAGGED_FROM
    )
    return _said(rank, rank >= from_here)


def _naive_last_change(question: Question, _learned: Asked, asked: Asked) -> Judgement:
    now = asked.known.select(
        would_be_bad(pl.col("score"), question.measure, question.outcome).cast(pl.Float64)
    ).to_series()
    flag = now.fill_null(np.nan).to_numpy()
    gain = _column(asked, "baseline") - _column(asked, "score")
    return Judgement(score=-gain, is_flagged=flag, probability=np.full(len(gain), np.nan))


def _naive_two_score(_question: Question, learned: Asked, asked: Asked) -> Judgement:
    features = [_features(some, ("baseline", "score")) for some in (learned, asked)]
    model = logistic(features[0], learned.is_bad)
    if model is None:
        return _refused(asked, "too_few_ended")
    return _by_probability(model(features[0]), model(features[1]), learned)


def _similar_cases(_question: Question, learned: Asked, asked: Asked) -> Judgement:
    """Return the share of bad ends among the 40 nearest of those learned from, by nearness."""
    rule = SimilarCasesRule()
    theirs, others = _features(learned, _COMPARED), _features(asked, _COMPARED)
    usable = np.flatnonzero(~np.isnan(theirs).any(axis=1))
    if len(usable) < rule.minimum_reference:
        return _refused(asked, "too_few_ended")
    scale = Scale.of(theirs[usable])
    nearest = NearestCases().fit(scale.standardised(theirs[usable]))
    is_bad = learned.is_bad[usable]

    def share(features: Numbers, skip: int) -> Numbers:
        found = np.full(len(features), np.nan)
        rows = np.flatnonzero(~np.isnan(features).any(axis=1))
        if len(rows):
            # Scores are whole points: of many cases few differ.
            different, which = np.unique(features[rows], axis=0, return_inverse=True)
            apart, place = nearest.kneighbors(scale.standardised(different), rule.neighbours + skip)
            apart, place = apart[:, skip:], place[:, skip:]
            weight = nearness(apart)
            bad = (weight * is_bad[place]).sum(axis=1) / weight.sum(axis=1)
            found[rows] = bad[which.reshape(-1)]
        return found

    # Of those learned from, each is its own nearest: left out, or the line would lie too high.
    sampled = theirs[usable][:: -(-len(usable) // 2_000)]
    return _by_probability(share(sampled, 1), share(others, 0), learned)


_COMPARED = ("baseline", "score", "level")


def _outlook(question: Question, learned: Asked, asked: Asked) -> Judgement:
    from models.outlook import Outlook

    measure = question.measure
    model = Outlook(
        outcome=question.outcome.name,
        higher_is=measure.higher_is,
        reliable_change=measure.reliable_change_points,
        cutoff=measure.cutoff,
        minimum=float(measure.minimum),
        maximum=float(measure.maximum),
    ).fit(learned.known, learned.is_bad == 1, learned.end_score)
    said = model.predict(asked.known)
    if np.isnan(said.probability).all():
        reasons = [reason for reason in said.reason if reason]
        return _refused(asked, reasons[0] if reasons else "not_known")
    own = model.predict(learned.known).probability
    judged = _by_probability(own, said.probability, learned)
    return Judgement(
        score=judged.score,
        is_flagged=judged.is_flagged,
        probability=judged.probability,
        expected_end=said.expected_end,
    )


RULES: dict[str, Rule] = {
    "reliable_change": _reliable_change,
    "early_percent_change": _early_percent_change,
    "expected_course": _expected_course,
    "similar_cases": _similar_cases,
    "outlook": _outlook,
    "status_rule": _status_rule,
    "naive_last_change": _naive_last_change,
    "naive_two_score": _naive_two_score,
}
LEARNS_PROBABILITY = ("outlook", "similar_cases", "naive_two_score")


def _said(score: Numbers, is_flagged: Truths) -> Judgement:
    refused = np.isnan(score)
    return Judgement(
        score=score,
        is_flagged=np.where(refused, np.nan, is_flagged),
        probability=np.full(len(score), np.nan),
    )


def _refused(asked: Asked, reason: str) -> Judgement:
    nothing = np.full(asked.known.height, np.nan)
    return Judgement(score=nothing, is_flagged=nothing, probability=nothing, reason=reason)


def _by_probability(own: Numbers, said: Numbers, learned: Asked) -> Judgement:
    """Return a judgement whose line flags as many of those learned from as ended badly."""
    own = own[~np.isnan(own)]
    line = np.quantile(own, 1.0 - learned.is_bad.mean()) if len(own) else 0.5
    return Judgement(
        score=said,
        is_flagged=np.where(np.isnan(said), np.nan, said >= line),
        probability=said,
    )


def _column(asked: Asked, name: str) -> Numbers:
    return asked.known[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _features(asked: Asked, names: tuple[str, ...]) -> Numbers:
    return np.column_stack([_column(asked, name) for name in names])
