"""Is there a model to be had for one measure and outcome, and is it worth being used?

Back-test first: how good is such a model on this practice's past? Then a candidate that has seen
neither the newest cases nor their clients, compared on these with what it would replace. Not worse:
learned once more, from all ended cases. Reviewed cases are left out of learning and comparing: how
they ended may be due to the talk (accuracy_goals.md: never retrain on them unadjusted).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from data_contracts.suppression import SuppressionRule
from models.backtest import Backtest, backtest
from models.case_ends import Outcome, case_ends
from models.drift import REFERENCE_FORMAT, inputs_reference
from models.known_at import arrivals
from models.model_card import ModelCard, TrainingCounts, model_card
from models.model_contest import AskedAt, Contest, Rival, Terms, asked_where, contest, new_model
from models.outlook import OutlookByOccasion
from models.past_cases import PastCases
from models.replay import Store, Watch
from models.shown_backtest import shown_backtest

State = Literal["promoted", "not promoted", "not trained"]


@dataclass(frozen=True, kw_only=True)
class TrainedOutlook:
    """What came of one measure and outcome."""

    measure_id: str
    outcome: str
    state: State
    why: tuple[str, ...]
    """Sentences, without a small count."""
    counts: TrainingCounts | None = None
    card: ModelCard | None = None
    model: OutlookByOccasion | None = None
    """Learned from all ended cases; None unless promoted."""
    reference: Mapping[str, Any] | None = None
    """What drift is measured against."""
    backtest: Backtest | None = None


def trained_outlook(
    past: PastCases,
    outcome: str,
    terms: Terms,
    *,
    rival: Rival | None = None,
    watch: Watch | None = None,
    store: Store | None = None,
) -> TrainedOutlook:
    """Train a model for one measure and outcome, and say whether it should be used.

    Parameters
    ----------
    past
        Cases that know when they were reviewed (`reviewed_on`).
    watch, store
        As `backtest` takes them.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from data_contracts.suppression import suppression_rule
    >>> cases = pl.DataFrame({"case_id": ["a"], "is_ended": [True]})
    >>> points = pl.DataFrame(
    ...     {"case_id": ["a"] * 2, "occasion": [0, 1], "value": [18.0, 11.0]}
    ... ).with_columns(baseline=pl.lit(18.0), gain=18.0 - pl.col("value"))
    >>> past = PastCases.of(built_in_measures()["phq9"], cases, points)
    >>> terms = Terms(
    ...     rule=status_rule(), suppression=suppression_rule("default"), version="v1", packages={}
    ... )
    >>> trained_outlook(past, "drop_out", terms).why
    ('Not trained: it takes 100 ended cases with a known end, and there are none.',)
    """
    lacking = Outcome(name=outcome).needs(past.measure)
    if lacking:
        return _not_trained(past, outcome, f"Not trained: {lacking}.")
    known_ends = _known_ends(past, outcome)
    learnable = known_ends.filter(pl.col("reviewed_on").is_null())
    lacking = _too_few(learnable, terms)
    if lacking:
        return _not_trained(past, outcome, lacking)
    tested = backtest(
        past, outcome=outcome, seed=terms.seed, rule=terms.rule,
        hide_up_to=terms.suppression.hide_up_to, watch=watch, store=store,
    )  # fmt: skip
    asked_at = asked_where(past, outcome, tested.as_json(), learnable)
    if asked_at is None:
        return _not_trained(
            past, outcome, "Not trained: the back-test could not ask a model at any landmark."
        )
    held = contest(past, outcome, terms, asked_at, learnable, rival)
    return _trained(past, outcome, terms, tested, asked_at, known_ends, learnable, held)


def _trained(
    past: PastCases,
    outcome: str,
    terms: Terms,
    tested: Backtest,
    asked_at: AskedAt,
    known_ends: pl.DataFrame,
    learnable: pl.DataFrame,
    held: Contest,
) -> TrainedOutlook:
    """Learn once more, from all ended cases, and write down what there is to know of it."""
    final = new_model(past.measure, outcome, asked_at.later_scores).fit(asked_at.known, learnable)
    counts = _counts(past, asked_at.known, known_ends, learnable, held.newest)
    decision = held.decision
    card = model_card(
        shown=shown_backtest(tested.as_json(), terms.suppression),
        measure_name=past.measure.name,
        version=terms.version,
        seed=terms.seed,
        packages=terms.packages,
        counts=counts,
        decision=decision,
        features=final.features_,
        tried=_tried(final, asked_at.rows),
        suppression=terms.suppression,
    )
    came = arrivals(past, asked_at.known, outcome, asked_at.landmark)
    return TrainedOutlook(
        measure_id=past.measure.measure_id,
        outcome=outcome,
        state="promoted" if decision.is_promoted else "not promoted",
        why=decision.why,
        counts=counts,
        card=card,
        model=final if decision.is_promoted else None,
        reference={
            "format": REFERENCE_FORMAT,
            "landmark": asked_at.landmark.name,
            "later_scores": asked_at.later_scores,
            "learned_until": counts.last_end,
            "brier": asked_at.figures.get("brier"),
            "inputs": inputs_reference(came, final.features_),
            "newest": asdict(held.came_true),
        },
        backtest=tested,
    )


def _known_ends(past: PastCases, outcome: str) -> pl.DataFrame:
    ends = case_ends(past, Outcome(name=outcome, later_scores=1))
    return ends.filter("is_asked", pl.col("is_bad").is_not_null())


def _too_few(learnable: pl.DataFrame, terms: Terms) -> str | None:
    bad = int(learnable["is_bad"].sum())
    if learnable.height < terms.minimum_cases:
        return (
            f"Not trained: it takes {terms.minimum_cases} ended cases with a known end, and there "
            f"are {how_few(learnable.height, terms.suppression)}."
        )
    if min(bad, learnable.height - bad) < terms.minimum_bad:
        return (
            f"Not trained: it takes {terms.minimum_bad} ends of either kind, and there are fewer."
        )
    return None


def how_few(cases: int, suppression: SuppressionRule) -> str:
    """Return how many cases there are, within a sentence; a small number is hidden.

    Examples
    --------
    >>> from data_contracts.suppression import suppression_rule
    >>> [how_few(cases, suppression_rule("default")) for cases in (0, 1, 63)]
    ['none', 'at most 7', '63']
    """
    is_small = 0 < cases <= suppression.hide_up_to
    return f"at most {suppression.hide_up_to}" if is_small else f"{cases:,}" if cases else "none"


def _not_trained(past: PastCases, outcome: str, why: str) -> TrainedOutlook:
    return TrainedOutlook(
        measure_id=past.measure.measure_id, outcome=outcome, state="not trained", why=(why,)
    )


def _tried(model: OutlookByOccasion, asked: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what was tried at the occasion models are compared at, in plain numbers."""
    occasion = round(float(asked["occasion"].median() or 1.0))  # type: ignore[arg-type]  # numbers
    return [
        {
            "step": each["name"],
            "what": each["says"],
            "area under the curve": _plain(each["auc"]),
            "gain over first and last score": _plain(each["gain_over_two_score"]),
            "gain in log loss": _plain(each["gain"]),
            "kept": "yes" if each["is_kept"] else "no",
        }
        for each in model.tried_
        if each["occasion"] == occasion
    ]


def _plain(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 4)


def _counts(
    past: PastCases,
    known: pl.DataFrame,
    known_ends: pl.DataFrame,
    learnable: pl.DataFrame,
    newest: int,
) -> TrainingCounts:
    days = (
        learnable["ended_on"].drop_nulls() if past.has_calendar else learnable["ended_on"].head(0)
    )
    return TrainingCounts(
        cases=known["case_id"].n_unique(),
        known=known_ends.height,
        bad=int(known_ends["is_bad"].sum()),
        reviewed=known_ends.height - learnable.height,
        newest=newest,
        fitted=learnable.height,
        fitted_bad=int(learnable["is_bad"].sum()),
        first_end=None if days.is_empty() else int(days.min()),  # type: ignore[arg-type]  # days
        last_end=None if days.is_empty() else int(days.max()),  # type: ignore[arg-type]  # as above
    )
