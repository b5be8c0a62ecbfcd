"""What did every rule say of every case at every landmark, as one table?"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.replay import Replay
from models.rival_rules import Numbers


def predictions_of(replayed: Replay, rule: str, said: dict[str, Numbers]) -> pl.DataFrame:
    """Return one row a case and landmark; means over the repeats.

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
    >>> said = replayed.said["naive_last_change"]
    >>> predictions_of(replayed, "naive_last_change", said).height
    40
    """
    moments = replayed.moments
    names = [landmark.name for landmark in moments.landmarks]
    score, flagged, probability = (
        _mean(said[name]) for name in ("score", "is_flagged", "probability")
    )
    return moments.rows.select(
        "case_id",
        landmark=pl.col("landmark").replace_strict(dict(enumerate(names)), return_dtype=pl.String),
        rule=pl.lit(rule),
        score=pl.Series(score).fill_nan(None),
        is_flagged=pl.Series(flagged).fill_nan(None) >= 0.5,
        probability=pl.Series(probability).fill_nan(None),
        is_bad="is_bad",
        why_unknown="why_unknown",
        later_scores="later_scores",
        started_on="started_on",
        asked_on="practice_day",
        weeks_left=(pl.col("end_days") - pl.col("days")) / 7.0,
        occasions_left="later_scores",
        is_reviewed="is_reviewed",
    )


def _mean(values: Numbers) -> Numbers:
    """Return the mean over repeats (rows,); nan where no repeat says anything."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    summed = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, summed / np.maximum(count, 1), np.nan)
