"""What became of a case by England's official rule: recovered, improved, deteriorated?

Finished: care has ended, with at least two attended treatment sessions. Paired: a first and a last
PHQ-9 score, and a first and a last score of the problem's own anxiety measure; where that pair is
missing, of the GAD-7. A score is the first or last of the whole course of care, not the baseline of
the status rule.

    caseness               PHQ-9 or the anxiety measure at or above its cut-off
    recovered              caseness first, neither last
    reliably improved      reliably better on one or both, and neither reliably worse
    reliably deteriorated  the mirror: reliably worse on one or both, and neither reliably better
    reliably recovered     recovered and reliably improved

Sources: R1 (nhsengland/Talking-Therapies, SQL), R2 (thresholds), R4 (Clark 2018: measure of each
problem, GAD-7 in its place), R5 (finished, caseness). "Neither reliably worse" and its mirror are
recalled, not read; CORC (R6) improves alike and calls any reliable worsening deterioration. Where
each number comes from: data_contracts/talking_therapies.toml.
"""

from __future__ import annotations

import polars as pl

from data_contracts.errors import UnstuckError
from data_contracts.talking_therapies import TalkingTherapiesRule

NOT_FINISHED = {
    "care_goes_on": "care has not ended",
    "sessions_not_known": "no sessions are sent, so nobody can tell whether two were attended",
    "fewer_than_two_sessions": "fewer than two treatment sessions were attended",
}
"""Why a case is not among the finished ones, by code, in words."""

NOT_PAIRED = {
    "no_pairs": "neither measure was filled in twice",
    "no_depression_pair": "no first and last PHQ-9 score",
    "no_anxiety_pair": "no first and last score of an anxiety measure",
    "two_scores_at_once": "different scores at the first or last moment: which one counts was not "
    "said",
}
"""Why a finished case is not computable, by code, in words."""

REASONS = NOT_FINISHED | NOT_PAIRED
CHANGES = ("improved", "no_change", "mixed", "deteriorated", "not_computable")

_DIGITS = 6  # 4.02 - 3.29 is not 0.73 in binary; no scale has steps this small


class OutcomeInputError(UnstuckError):
    """The scores or cases cannot be judged as they stand."""


def talking_therapies_outcomes(
    scores: pl.DataFrame, cases: pl.DataFrame, rule: TalkingTherapiesRule
) -> pl.DataFrame:
    """Judge each case by the official rule; no case is left out.

    Parameters
    ----------
    scores
        Any order, one row a score: `case_id`, `measure_id`, `time` (anything that can be put in
        order within a case and measure), `value` (points; null is no score). Measures the rule
        does not know are passed over.
    cases
        One row a case: `case_id`, `problem_code` (null: not known), `is_ended`,
        `sessions_attended` (treatment sessions; null: not known).

    Returns
    -------
    One row a case in the order of `cases`: `case_id`, `is_finished`, `anxiety_measure` (of the
    pair), `is_fallback` (the problem has its own measure, the GAD-7 stands in), `depression_first`,
    `depression_last`, `anxiety_first`, `anxiety_last`, `is_case_at_start`, `is_case_at_end`,
    `change` (one of `CHANGES`), `is_recovered`, `is_reliably_recovered`, and `reason`: a code of
    `REASONS` for every case that is not computable, else null. Of these all truths but
    `is_finished` are null.

    Raises
    ------
    OutcomeInputError
        If a case stands in `cases` twice.

    Examples
    --------
    >>> from data_contracts.talking_therapies import talking_therapies_rule
    >>> scores = pl.DataFrame(
    ...     {"case_id": ["c1"] * 4, "measure_id": ["phq9", "phq9", "gad7", "gad7"],
    ...      "time": [1, 8, 1, 8], "value": [15.0, 8.0, 12.0, 7.0]}
    ... )
    >>> cases = pl.DataFrame(
    ...     {"case_id": ["c1"], "problem_code": ["depression"], "is_ended": [True],
    ...      "sessions_attended": [8]}
    ... )
    >>> outcome = talking_therapies_outcomes(scores, cases, talking_therapies_rule())
    >>> outcome.select("change", "is_recovered", "is_reliably_recovered").row(0)
    ('improved', True, True)
    """
    twice = cases.height - cases["case_id"].n_unique()
    if twice:
        message = f"{twice} rows tell of a case that has a row already: give each case one row"
        raise OutcomeInputError(message)
    pairs = _pairs(scores, rule)
    depression = pairs.filter(pl.col("measure_id") == rule.depression).select(
        "case_id",
        depression_first="first", depression_last="last", depression_doubt="is_doubtful",
    )  # fmt: skip
    judged = (
        cases.select("case_id", "problem_code", "is_ended", "sessions_attended")
        .join(depression, on="case_id", how="left", maintain_order="left")
        .join(_anxiety_pairs(pairs, cases, rule), on="case_id", how="left", maintain_order="left")
        .with_columns(
            is_finished=pl.col("is_ended") & (pl.col("sessions_attended") >= rule.least_sessions)
        )
        .with_columns(pl.col("is_finished").fill_null(value=False))
        .with_columns(reason=_reason(rule))
    )
    return _verdicts(judged, rule)


def _pairs(scores: pl.DataFrame, rule: TalkingTherapiesRule) -> pl.DataFrame:
    """Return the first and last score of each case and measure that was scored at two moments.

    Different scores at the first or last moment leave a doubtful pair, without scores.
    """
    value = pl.col("value").cast(pl.Float64)
    moments = (
        scores.lazy()
        .filter(pl.col("measure_id").is_in(list(rule.thresholds)) & value.is_finite())
        .group_by("case_id", "measure_id", "time")
        .agg(pl.when(value.n_unique() == 1).then(value.first()).alias("value"))
        .sort("time")
    )
    ends = moments.group_by("case_id", "measure_id").agg(
        moments=pl.len(), first=pl.col("value").first(), last=pl.col("value").last()
    )
    return (
        ends.filter(pl.col("moments") >= 2)
        .with_columns(is_doubtful=pl.any_horizontal(pl.col("first", "last").is_null()))
        .with_columns(pl.when(~pl.col("is_doubtful")).then(pl.col("first", "last")))
        .collect()
    )


def _anxiety_pairs(
    pairs: pl.DataFrame, cases: pl.DataFrame, rule: TalkingTherapiesRule
) -> pl.DataFrame:
    """Return the pair each case is judged by: that of its problem's measure, else of the GAD-7."""
    codes = cases["problem_code"].cast(pl.String).unique().to_list()
    wanted = pl.DataFrame(
        [
            (code, measure, place, measure == rule.fallback and place > 0)
            for code in codes
            for place, measure in enumerate(rule.anxiety_measures_of(code))
        ],
        schema={
            "problem_code": pl.String,
            "measure_id": pl.String,
            "place": pl.Int64,
            "is_fallback": pl.Boolean,
        },
        orient="row",
    )
    return (
        cases.select("case_id", pl.col("problem_code").cast(pl.String))
        .join(wanted, on="problem_code", nulls_equal=True)
        .join(pairs, on=["case_id", "measure_id"])
        .sort("place")
        .unique("case_id", keep="first", maintain_order=True)
        .select(
            "case_id", "is_fallback",
            anxiety_measure="measure_id", anxiety_first="first", anxiety_last="last",
            anxiety_doubt="is_doubtful",
        )
    )  # fmt: skip


def _reason(rule: TalkingTherapiesRule) -> pl.Expr:
    no_depression = pl.col("depression_doubt").is_null()
    no_anxiety = pl.col("anxiety_doubt").is_null()
    return (
        pl.when(~pl.col("is_ended").fill_null(value=False))
        .then(pl.lit("care_goes_on"))
        .when(pl.col("sessions_attended").is_null())
        .then(pl.lit("sessions_not_known"))
        .when(pl.col("sessions_attended") < rule.least_sessions)
        .then(pl.lit("fewer_than_two_sessions"))
        .when(no_depression & no_anxiety)
        .then(pl.lit("no_pairs"))
        .when(no_depression)
        .then(pl.lit("no_depression_pair"))
        .when(no_anxiety)
        .then(pl.lit("no_anxiety_pair"))
        .when(pl.col("depression_doubt") | pl.col("anxiety_doubt"))
        .then(pl.lit("two_scores_at_once"))
        .cast(pl.Enum(list(REASONS)))
    )


def _verdicts(judged: pl.DataFrame, rule: TalkingTherapiesRule) -> pl.DataFrame:
    is_known = pl.col("reason").is_null()
    for_anxiety = pl.col("anxiety_measure")
    caseness = {measure: numbers.caseness_from for measure, numbers in rule.thresholds.items()}
    change = {measure: numbers.reliable_change for measure, numbers in rule.thresholds.items()}
    anxiety_cut = for_anxiety.replace_strict(caseness, default=None, return_dtype=pl.Float64)
    anxiety_change = for_anxiety.replace_strict(change, default=None, return_dtype=pl.Float64)

    def is_case(moment: str) -> pl.Expr:
        """Either or both at or above the cut-off."""
        return (pl.col(f"depression_{moment}") >= caseness[rule.depression]) | (
            pl.col(f"anxiety_{moment}") >= anxiety_cut
        )

    drop = {
        name: (pl.col(f"{name}_first") - pl.col(f"{name}_last")).round(_DIGITS)
        for name in ("depression", "anxiety")
    }
    points = {"depression": pl.lit(change[rule.depression]), "anxiety": anxiety_change}
    better = pl.any_horizontal(drop[name] >= points[name] for name in drop)
    worse = pl.any_horizontal(-drop[name] >= points[name] for name in drop)
    return (
        judged.with_columns(
            is_case_at_start=pl.when(is_known).then(is_case("first")),
            is_case_at_end=pl.when(is_known).then(is_case("last")),
            change=pl.when(~is_known)
            .then(pl.lit("not_computable"))
            .when(better & worse)
            .then(pl.lit("mixed"))
            .when(better)
            .then(pl.lit("improved"))
            .when(worse)
            .then(pl.lit("deteriorated"))
            .otherwise(pl.lit("no_change"))
            .cast(pl.Enum(CHANGES)),
        )
        .with_columns(is_recovered=pl.col("is_case_at_start") & ~pl.col("is_case_at_end"))
        .with_columns(
            is_reliably_recovered=pl.when(is_known).then(
                pl.col("is_recovered") & (pl.col("change") == "improved")
            )
        )
        .select(
            "case_id", "is_finished", "anxiety_measure", "is_fallback",
            "depression_first", "depression_last", "anxiety_first", "anxiety_last",
            "is_case_at_start", "is_case_at_end", "change",
            "is_recovered", "is_reliably_recovered", "reason",
        )
    )  # fmt: skip
