"""Does a model that has not seen the newest cases hold its own on them?

It is compared with the logistic regression on first and last score, learned from the same cases,
and with the model in use if there is one (models/promotion.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.measure import Measure
from data_contracts.rule import StatusRule
from data_contracts.suppression import SuppressionRule
from models.case_ends import Outcome
from models.drift import CalibrationDrift, calibration_drift
from models.held_back import HOW_WORDS, held_back
from models.known_at import known_at
from models.known_so_far import known_so_far
from models.landmarks import Landmark
from models.model_card import MODEL, Decision
from models.outlook import OutlookByOccasion
from models.past_cases import PastCases
from models.promotion import FEWEST_CASES, FEWEST_OF_EACH, Against, against
from models.rival_rules import Asked, Question, judge

Floats = NDArray[np.float64]

BASELINE = "naive_two_score"
BASELINE_WORDS = "first and last score alone (logistic regression)"
IN_USE_WORDS = "the model in use"
NOT_BESIDE_IN_USE = (
    "Not compared with the model in use: until when that one learned is not noted any more, so "
    "nobody knows which cases it has not seen."
)
CHANCE = 0.5
"""Area under the curve of a model that says nothing."""
_FIRST_CHOICE = ("occasion_4", "day_28")


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The model in use, which a new one must not be worse than."""

    model: OutlookByOccasion
    learned_until: int | None
    """Practice day of the last end it learned from; None: not known, so it is not compared with."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms models are trained; the same for every measure and outcome."""

    rule: StatusRule
    suppression: SuppressionRule
    version: str
    packages: Mapping[str, str]
    minimum_cases: int = 100
    """Ended cases with a known end."""
    minimum_bad: int = 20
    """Bad ends, and good ones."""
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class AskedAt:
    """Where models are compared, and what is known there."""

    landmark: Landmark
    later_scores: int
    figures: Mapping[str, Any]
    """The model's there, from the back-test."""
    known: pl.DataFrame
    """`known_so_far` at every occasion."""
    rows: pl.DataFrame
    """`known_at` of the cases that can be learned from."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What a model that has not seen the newest cases said of them, beside its rivals."""

    decision: Decision
    newest: int = 0
    came_true: CalibrationDrift = field(default_factory=lambda: CalibrationDrift(n=0))


def asked_where(
    past: PastCases, outcome: str, told: Mapping[str, Any], learnable: pl.DataFrame
) -> AskedAt | None:
    """Return where models are compared: occasion 4, or the last landmark the model speaks at.

    Parameters
    ----------
    told
        A back-test as its JSON says it.
    learnable
        `case_ends` that may be learned from.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> past = PastCases.of(
    ...     built_in_measures()["phq9"], pl.DataFrame({"case_id": ["a"]}),
    ...     pl.DataFrame({"case_id": ["a"], "occasion": [0], "value": [18.0]}),
    ... )
    >>> asked_where(past, "drop_out", {"landmarks": {}, "rules": {}}, pl.DataFrame()) is None
    True
    """
    figures = told["rules"].get(MODEL, {})
    spoken = [name for name in told["landmarks"] if figures.get(name, {}).get("auc") is not None]
    if not spoken:
        return None
    name = next((each for each in _FIRST_CHOICE if each in spoken), spoken[-1])
    landmark, later_scores = Landmark.named(name), int(told["later_scores"])
    known = known_so_far(past)
    return AskedAt(
        landmark=landmark,
        later_scores=later_scores,
        figures=figures[name],
        known=known,
        rows=known_at(known, learnable, landmark, later_scores, outcome),
    )


def contest(
    past: PastCases,
    outcome: str,
    terms: Terms,
    asked_at: AskedAt,
    learnable: pl.DataFrame,
    rival: Rival | None,
) -> Contest:
    """Return whether a model learned without the newest cases holds its own on them.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from data_contracts.suppression import suppression_rule
    >>> known = pl.DataFrame({"case_id": ["a"], "occasion": [4.0], "days": [28]}).with_columns(
    ...     baseline=pl.lit(18.0), score=pl.lit(17.0)
    ... )
    >>> ends = pl.DataFrame(
    ...     {"case_id": ["a"], "client_id": ["a"], "ended_on": [90], "is_asked": [True],
    ...      "is_bad": [True], "end_score": [17.0], "end_occasion": [9]}
    ... )
    >>> asked_at = AskedAt(
    ...     landmark=Landmark.named("4"), later_scores=3, figures={"auc_low": 0.6}, known=known,
    ...     rows=known_at(known, ends, Landmark.named("4"), 3, "clinical_without_gain"),
    ... )
    >>> past = PastCases.of(
    ...     built_in_measures()["phq9"], pl.DataFrame({"case_id": ["a"]}),
    ...     pl.DataFrame({"case_id": ["a"], "occasion": [0], "value": [18.0]}),
    ... )
    >>> terms = Terms(
    ...     rule=status_rule(), suppression=suppression_rule("default"), version="v1", packages={}
    ... )
    >>> contest(past, "clinical_without_gain", terms, asked_at, ends, None).decision.is_promoted
    False
    """
    stays = "The status rule stands in." if rival is None else "The model in use stays."
    chosen = held_back(
        asked_at.rows,
        has_calendar=past.has_calendar,
        learned_until=rival.learned_until if rival else None,
        seed=terms.seed,
    )
    if chosen is None:
        why = (
            f"Not put in use: fewer than {FEWEST_CASES} cases that models can be compared on have "
            f"ended since the model in use was learned, or fewer than {FEWEST_OF_EACH} of either "
            f"kind. {stays}"
        )
        return Contest(decision=Decision(is_promoted=False, why=(why,)))
    older, newest = chosen.older(learnable), chosen.newest(asked_at.rows)
    candidate = new_model(past.measure, outcome, asked_at.later_scores).fit(asked_at.known, older)
    said = candidate.predict(newest).probability
    is_bad, clients = newest["is_bad"].to_numpy(), newest["client_id"].to_numpy()
    rivals = {BASELINE_WORDS: _baseline(past, outcome, terms, asked_at, older, newest)}
    how = [HOW_WORDS[chosen.how]]
    if rival is not None and chosen.how == "since the last training":
        rivals[IN_USE_WORDS] = rival.model.predict(newest).probability
    elif rival is not None and chosen.how == "newest":  # it may have learned from any of them
        how.append(NOT_BESIDE_IN_USE)
    compared = [
        against(is_bad, said, other, clients, rival=words, seed=terms.seed)
        for words, other in rivals.items()
    ]
    above_chance = (asked_at.figures.get("auc_low") or 0.0) > CHANCE
    return Contest(
        decision=_decision(compared, how, stays, above_chance=above_chance),
        newest=newest.height,
        came_true=calibration_drift(is_bad, said, brier_then=None),
    )


def new_model(measure: Measure, outcome: str, later_scores: int) -> OutlookByOccasion:
    """Return a model of this measure and outcome that has learned nothing yet.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> new_model(built_in_measures()["phq9"], "drop_out", 3).outcome
    'drop_out'
    """
    return OutlookByOccasion(
        outcome=outcome,
        higher_is=measure.higher_is,
        reliable_change=measure.reliable_change_points,
        cutoff=measure.cutoff,
        minimum=float(measure.minimum),
        maximum=float(measure.maximum),
        later_scores=later_scores,
    )


def _baseline(
    past: PastCases,
    outcome: str,
    terms: Terms,
    asked_at: AskedAt,
    older: pl.DataFrame,
    newest: pl.DataFrame,
) -> Floats:
    """Return what the two-score logistic regression says, learned from the same cases."""
    learned = known_at(asked_at.known, older, asked_at.landmark, asked_at.later_scores, outcome)
    question = Question(
        measure=past.measure,
        outcome=Outcome(name=outcome, later_scores=asked_at.later_scores),
        band_chance=terms.rule.thresholds.band_chance,
    )
    return judge(BASELINE, question, _as_asked(learned), _as_asked(newest)).probability


def _as_asked(rows: pl.DataFrame) -> Asked:
    return Asked(
        known=rows,
        is_bad=rows["is_bad"].cast(pl.Float64).to_numpy(),
        end_score=rows["end_score"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
    )


def _decision(
    compared: list[Against | None], how: list[str], stays: str, *, above_chance: bool
) -> Decision:
    """Return whether the model is put in use; the last sentence sums it up."""
    found = [each for each in compared if each is not None]
    said = (*how, *(each.why for each in found))
    worse = [each.rival for each in found if each.is_worse]
    if not above_chance:
        why = (
            "Not put in use: in the back-test the interval of its area under the curve holds .5, "
            f"which is chance. {stays}"
        )
    elif len(found) < len(compared):
        why = (
            f"Not put in use: models are compared on {FEWEST_CASES} of the newest cases that both "
            f"speak of, with {FEWEST_OF_EACH} ends of either kind, and there are fewer. {stays}"
        )
    elif worse:
        why = f"Not put in use: worse than {' and than '.join(worse)}. {stays}"
    else:
        return Decision(is_promoted=True, why=(*said, "Put in use, learned from all ended cases."))
    return Decision(is_promoted=False, why=(*said, why))
