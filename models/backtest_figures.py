"""How good was each rule at one landmark: figures, differences, calibration, agreement?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from models.calibration import calibration
from models.case_ends import WHY_UNKNOWN
from models.discrimination import compare
from models.flag_shares import at_share_flagged
from models.learned_curve import weights_of_known
from models.replay import Replay
from models.resampling import draw_cases
from models.rival_rules import LEARNS_PROBABILITY, Numbers, Question
from models.rule_agreement import agreement
from models.unknown_ends import if_unknown

SHARE_FLAGGED = 0.3
"""At which share flagged rules are compared beside their own line (accuracy_goals.md, G17)."""


def figures_at(replayed: Replay, number: int, *, resamples: int, seed: int) -> dict[str, Any]:
    """Return `rules`, `paired`, `calibration`, `agreement`, `final_score` of one landmark.

    Only cases with a known end that were not reviewed after a flag are counted.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.case_ends import Outcome
    >>> from models.landmarks import Landmark
    >>> from models.moments import moments_of
    >>> from models.past_cases import PastCases
    >>> from models.backtest_split import parts_of
    >>> from models.replay import replay
    >>> from models.rival_rules import Question
    >>> phq9 = built_in_measures()["phq9"]
    >>> courses = {f"c{case:02d}": [18, 17 - case % 9, 16, 15, 17 - case % 9] for case in range(40)}
    >>> past, asked = PastCases.weekly(phq9, courses), [Landmark.named("1")]
    >>> moments = moments_of(past, Outcome(), asked, status_rule())
    >>> parts = parts_of(past, moments, "cross_validation", repeats=1, folds=2, seed=1)
    >>> question = Question(measure=phq9, outcome=Outcome(), band_chance=0.25)
    >>> replayed = replay(question, moments, parts, ["naive_last_change"])
    >>> figures_at(replayed, 0, resamples=0, seed=1)["rules"]["naive_last_change"]["auc"]
    1.0
    """
    moments = replayed.moments
    rows = moments.rows
    here = (rows["landmark"] == number).to_numpy()
    is_bad = moments.is_bad
    reviewed = rows["is_reviewed"].to_numpy()
    known = np.flatnonzero(here & ~np.isnan(is_bad) & ~reviewed)
    others = np.flatnonzero(here & np.isnan(is_bad) & ~reviewed)
    bad = is_bad[known] == 1
    judged = {rule: replayed.judged(rule, known) for rule in replayed.said}
    # One set of draws for everything told here, by client.
    client = rows["client_id"].gather(known).rank("dense").to_numpy()
    drawn = draw_cases(client, times=resamples, seed=seed)
    found = compare(bad, judged, drawn)
    weight = weights_of_known(rows, np.flatnonzero(here & ~reviewed), is_bad)
    weighted = compare(
        bad, judged, draw_cases(np.arange(len(known)), times=0), weights=weight[known]
    )
    rules: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for rule, said in judged.items():
        # Of a curve through somebody else's score an interval would say nothing of the rule.
        calibrated = calibration(
            bad, said.probability, drawn if rule in LEARNS_PROBABILITY else drawn.once
        )
        at_share = at_share_flagged(bad, said.score_by_fold(), [SHARE_FLAGGED])[0]
        rules[rule] = {
            **found.of[rule].flat(),
            **_without_counts(calibrated.flat()),
            "probability_is_of_the_rule": rule in LEARNS_PROBABILITY,
            "auc_weighted": _number(weighted.of[rule].metrics["auc"].value),
            "sensitivity_at_30_percent": _number(at_share.sensitivity),
            "ppv_at_30_percent": _number(at_share.ppv),
            **{
                name: _number(value)
                for name, value in if_unknown(bad, said, replayed.judged(rule, others)).items()
            },
            "reason": _reason(replayed, rule, number, found.of[rule].n),
        }
        curves[rule] = calibrated.curve_rows()
    return {
        "rules": rules,
        "paired": {
            f"{first} - {second}": difference.flat()
            for (first, second), difference in found.paired.items()
        },
        "calibration": curves,
        "agreement": {
            f"{first}|{second}": both.flat() for (first, second), both in agreement(judged).items()
        },
        "final_score": _final_scores(replayed, known),
    }


def unknown_ends(replayed: Replay, number: int, question: Question) -> dict[str, Any]:
    """Return how many stand at a landmark, how they ended, and whose end is not known, and why.

    Drop-out is told beside good and bad ends: a case that dropped out is never silently good.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.case_ends import Outcome
    >>> from models.landmarks import Landmark
    >>> from models.moments import moments_of
    >>> from models.past_cases import PastCases
    >>> from models.backtest_split import parts_of
    >>> from models.replay import replay
    >>> from models.rival_rules import Question
    >>> phq9 = built_in_measures()["phq9"]
    >>> courses = {f"c{case:02d}": [18, 17 - case % 9, 16, 15, 17 - case % 9] for case in range(40)}
    >>> past, asked = PastCases.weekly(phq9, courses), [Landmark.named("1")]
    >>> moments = moments_of(past, Outcome(), asked, status_rule())
    >>> parts = parts_of(past, moments, "cross_validation", repeats=1, folds=2, seed=1)
    >>> question = Question(measure=phq9, outcome=Outcome(), band_chance=0.25)
    >>> replayed = replay(question, moments, parts, ["naive_last_change"])
    >>> told = unknown_ends(replayed, 0, question)
    >>> told["at_risk"], told["known"], told["unknown"]
    (40, 40, 0)
    """
    rows = replayed.moments.rows.filter(pl.col("landmark") == number)
    others = rows.filter(~pl.col("is_reviewed"))
    judged = others.filter(pl.col("is_bad").is_not_null())
    unknown = others.filter(pl.col("is_bad").is_null())
    bad = judged.filter("is_bad").height
    return {
        "at_risk": rows.height,
        "known": judged.height,
        "unknown": unknown.height,
        "why_unknown": {
            reason: unknown.filter(pl.col("why_unknown") == reason).height
            for reason in WHY_UNKNOWN
            if (unknown["why_unknown"] == reason).any()
        },
        "bad": bad,
        "base_rate": _ratio(bad, judged.height),
        "base_rate_if_unknown_good": _ratio(bad, others.height),
        "base_rate_if_unknown_bad": _ratio(bad + unknown.height, others.height),
        "later_scores": question.outcome.later_scores,
        "dropped_out": _told(others, dropped_out=True),
        "dropped_out_of_known": _told(judged, dropped_out=True),
        "dropped_out_of_unknown": _told(unknown, dropped_out=True),
        "ended_otherwise": _told(judged, dropped_out=False),
        "reviewed": rows.height - others.height,
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _told(rows: pl.DataFrame, *, dropped_out: bool) -> int | None:
    """Return how many dropped out, or did not; None where nobody tells how care ended."""
    if rows["dropped_out"].is_null().all():
        return None
    return rows.filter(pl.col("dropped_out") == dropped_out).height


def _final_scores(replayed: Replay, known: np.ndarray) -> dict[str, Any]:
    """Return by how many points forecasts of the last score are off, beside the last score."""
    rows = replayed.moments.rows[known]
    end = rows["end_score"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    last = rows["score"].to_numpy()
    found = {"naive_last_score": _error(end, last[None, :])}
    for rule, said in replayed.said.items():
        expected = said["expected_end"][:, known]
        if not np.isnan(expected).all():
            found[rule] = _error(end, expected)
    return {rule: error for rule, error in found.items() if error is not None}


def _error(end: Numbers, expected: Numbers) -> dict[str, float | int] | None:
    known = ~np.isnan(end)[None, :] & ~np.isnan(expected)
    if not known.any():
        return None
    off = np.abs(expected - end[None, :])[known]
    return {"n": int(known.any(axis=0).sum()), "mean_absolute_error": float(off.mean())}


def _reason(replayed: Replay, rule: str, number: int, judged: int) -> str | None:
    """Return why there is no number; None where somebody was judged."""
    return None if judged else replayed.reasons[rule].get(number, "nobody_asked")


def _without_counts(flat: dict[str, Any]) -> dict[str, Any]:
    """Return the calibration's numbers; n and Brier stand among the others already."""
    kept = ("calibration_", "brier_skill", "expected_error")
    return {name: value for name, value in flat.items() if name.startswith(kept)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
