"""What became of a past case, by which outcome, and what is not known of its end?

An end is known only where it lies far enough behind the moment at which a rule is asked: an alarm
at the last score defines its own outcome. What is not known stays unknown and is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from data_contracts.measure import Measure
from models.past_cases import PastCases, PastCasesError

PRIMARY = "clinical_without_gain"
OUTCOMES: dict[str, str] = {
    PRIMARY: "starts in the clinical range and ends there without clear improvement "
    "(reliable change)",
    "no_reliable_improvement": "ends without clear improvement (reliable change), wherever it "
    "started",
    "under_half_reduction": "ends with less than half of the first score gone (to compare)",
    "reliable_deterioration": "ends reliably worse than it began",
    "drop_out": "care ends because the client drops out",
}
LATER_SCORES = 3
"""Fewest scores between a landmark and the end (accuracy_goals.md, "How to be honest about it")."""

WHY_UNKNOWN: dict[str, str] = {
    "still_open": "care goes on",
    "too_few_later_scores": "too few scores after the landmark",
    "no_score_in_end_window": "no score in the end window",
    "how_not_told": "how care ended is not told",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Which end is in question.

    Parameters
    ----------
    later_scores
        Fewest scores after the landmark; drop-out needs none.
    end_from_day
        If set, the end is the last score this many days after the baseline or later, of cases that
        have one (who stays that long is not like all: for comparison with published figures).
    """

    name: str = PRIMARY
    later_scores: int = LATER_SCORES
    end_from_day: int | None = None

    def __post_init__(self) -> None:
        """Refuse outcomes that are not known."""
        if self.name not in OUTCOMES:
            message = f"{self.name!r} is no outcome: choose one of {', '.join(OUTCOMES)}"
            raise PastCasesError(message)
        if self.later_scores < 1:
            message = f"an end lies at least 1 score after the landmark, not {self.later_scores}"
            raise PastCasesError(message)

    @property
    def is_of_scores(self) -> bool:
        """Whether the end is told by a score."""
        return self.name != "drop_out"

    def needs(self, measure: Measure) -> str | None:
        """Return what the measure lacks for this outcome in words; None if it can be told.

        Examples
        --------
        >>> from data_contracts.measures import built_in_measures
        >>> Outcome().needs(built_in_measures()["phq9"]) is None
        True
        """
        if self.name == "under_half_reduction" and measure.direction < 0:
            return f"half of a score means nothing where higher is better ({measure.name})"
        if self.name in ("drop_out", "under_half_reduction"):
            return None
        if measure.reliable_change_points is None:
            return f"{measure.name} has no reliable change, so no clear improvement can be told"
        if self.name == PRIMARY and measure.cutoff is None:
            return f"{measure.name} has no cut-off, so no clinical range can be told"
        return None


def case_ends(past: PastCases, outcome: Outcome) -> pl.DataFrame:
    """Return how each case ended: one row a case.

    Returns
    -------
    `case_id, client_id, started_on, ended_on, dropped_out, reviewed_on, is_asked` (belongs to those
    the outcome is about), `is_bad` (null: unknown), `why_unknown`, `end_score` (points, higher is
    worse), `end_occasion`, `end_days`.

    Raises
    ------
    PastCasesError
        If the measure lacks what the outcome needs.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> cases = pl.DataFrame({"case_id": ["a", "b"], "is_ended": [True, False]})
    >>> points = pl.DataFrame(
    ...     {
    ...         "case_id": ["a", "a", "b"],
    ...         "occasion": [0, 1, 0],
    ...         "value": [18.0, 17.0, 12.0],
    ...         "baseline": [18.0, 18.0, 12.0],
    ...         "gain": [0.0, 1.0, 0.0],
    ...     }
    ... )
    >>> past = PastCases.of(built_in_measures()["phq9"], cases, points)
    >>> case_ends(past, Outcome()).select("case_id", "is_bad", "why_unknown").rows()
    [('a', True, None), ('b', None, 'still_open')]
    """
    lacking = outcome.needs(past.measure)
    if lacking:
        raise PastCasesError(lacking)
    ends = (
        past.cases.join(
            _last_scores(past, outcome), on="case_id", how="left", maintain_order="left"
        )
        .join(_baselines(past), on="case_id", how="inner", maintain_order="left")
        .with_columns(is_asked=_is_asked(past.measure, outcome))
        .with_columns(why_unknown=_why_unknown(outcome))
    )
    bad = _is_bad(past.measure, outcome)
    return ends.select(
        "case_id",
        "client_id",
        "started_on",
        "ended_on",
        "dropped_out",
        "reviewed_on",
        "is_asked",
        is_bad=pl.when(pl.col("why_unknown").is_null()).then(bad),
        why_unknown="why_unknown",
        end_score="end_score",
        end_occasion="end_occasion",
        end_days="end_days",
    )


def would_be_bad(score: pl.Expr, measure: Measure, outcome: Outcome) -> pl.Expr:
    """Return whether care would have ended badly with this score (points, higher is worse).

    Reads the column `baseline` (points, higher is worse). Drop-out has no score; there the primary
    outcome stands in, as far as the measure can tell it. Null where nothing can be told.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> rows = pl.DataFrame({"baseline": [18.0, 18.0], "score": [13.0, 12.0]})
    >>> bad = would_be_bad(pl.col("score"), built_in_measures()["phq9"], Outcome())
    >>> rows.select(bad.alias("bad"))["bad"].to_list()
    [True, False]
    """
    baseline, change = pl.col("baseline"), measure.reliable_change_points
    gain = (baseline - score).round(9)
    cutoff = None if measure.cutoff is None else measure.direction * measure.cutoff
    if outcome.name == "under_half_reduction":
        # Of what there is above the best score there can be: on a scale from 1 to 7 nobody
        # reaches half of a 2 (so also PANSS less 30: Leucht and others 2007, unverified).
        least = float(measure.minimum)
        return score - least > 0.5 * (baseline - least)
    if change is None:
        return pl.lit(None, pl.Boolean)
    if outcome.name == "reliable_deterioration":
        return gain <= -change
    if outcome.name == "no_reliable_improvement" or cutoff is None:
        return gain < change
    return (baseline.round(9) >= cutoff) & (score.round(9) >= cutoff) & (gain < change)


def _last_scores(past: PastCases, outcome: Outcome) -> pl.DataFrame:
    """Return the last score of each case, within the end window if there is one."""
    rows = past.points.filter(pl.col("occasion") >= 1)
    if outcome.end_from_day is not None:
        rows = rows.filter(pl.col("days") >= outcome.end_from_day)
    return rows.group_by("case_id", maintain_order=True).agg(
        end_score=past.measure.direction * pl.col("value").last(),
        end_occasion=pl.col("occasion").last(),
        end_days=pl.col("days").last(),
    )


def _baselines(past: PastCases) -> pl.DataFrame:
    return past.points.filter("has_baseline", occasion=0).select(
        "case_id", baseline=past.measure.direction * pl.col("baseline")
    )


def _is_asked(measure: Measure, outcome: Outcome) -> pl.Expr:
    if outcome.name != PRIMARY or measure.cutoff is None:
        return pl.lit(value=True)
    return pl.col("baseline").round(9) >= measure.direction * measure.cutoff


def _why_unknown(outcome: Outcome) -> pl.Expr:
    ended = pl.col("is_ended").fill_null(value=False)
    if outcome.name == "drop_out":
        return (
            pl.when(~ended)
            .then(pl.lit("still_open"))
            .when(pl.col("dropped_out").is_null())
            .then(pl.lit("how_not_told"))
        )
    if outcome.end_from_day is not None:
        return pl.when(pl.col("end_score").is_null()).then(pl.lit("no_score_in_end_window"))
    return (
        pl.when(~ended)
        .then(pl.lit("still_open"))
        .when(pl.col("end_score").is_null())
        .then(pl.lit("too_few_later_scores"))
    )


def _is_bad(measure: Measure, outcome: Outcome) -> pl.Expr:
    if outcome.name == "drop_out":
        return pl.col("dropped_out")
    return would_be_bad(pl.col("end_score"), measure, outcome)
