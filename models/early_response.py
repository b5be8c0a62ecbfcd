"""Did the case respond early? A change from the first score to the last one by an early session.

The change counts as the caller's rule of change says: by the measure's reliable change (PHQ-9 6,
GAD-7 4 points: R2), by a share of the first score, or by an index. Early reliable improvement goes
with recovery (R38: Delgadillo and others 2014, n = 1,850; more than 70 % of those who would recover
were found by sessions 1 to 3, AUC .62 to .88). But who has not responded by session 3 may still:
late responders improve after session 6 (R39: Saunders and others 2019, n = 4,394).

So it is an event that describes a course, never a flag; nothing follows from its absence. No source
with a percentage (such as 20 % after two weeks: recalled, unverified) has been read: no share is
given here, callers name theirs.
"""

from __future__ import annotations

import polars as pl

from models.change_reference import must
from models.clinical_significance import ChangeRule
from models.meaningful_change import PercentageChange
from models.sudden_change_courses import ScoresError, by_case
from models.verdicts import VERDICTS, constants

BY_SESSION = 4
"""The design's choice (algorithms.md, section 5) after R38, which looked at sessions 1 to 3."""

RESPONSES = ("early_response", "no_early_response", "early_deterioration", "not_computable")
"""In the order of `VERDICTS`."""

REASONS = {
    "no_first_score": "no score at the first session or before it",
    "session_not_reached": "the session to judge by has not taken place yet",
    "no_later_score": "no score after the first one up to the session to judge by",
    "negative_before": "a percentage of a score below zero means nothing",
    "rule": "the rule of change cannot judge with its reference",
}
"""Why a case is not computable, by code, in words; the first that applies."""

REASON = pl.Enum(list(REASONS))


def early_responses(
    scores: pl.DataFrame, rule: ChangeRule, *, by_session: int = BY_SESSION, first_session: int = 1
) -> pl.DataFrame:
    """Say of each case whether it responded by a session.

    Parameters
    ----------
    scores
        One row a session, in any order: `case_id`, `session` (whole, from 0 on), `score` (null or
        nan is missing: the session took place without one).
    rule
        What counts as a change.
    by_session
        Scores after this session change nothing.
    first_session
        A first score counts as one up to this session: 1, or 0 where a baseline is required.

    Returns
    -------
    One row a case, by `case_id`: `session_before`, `session_after` (of the two scores), `pre`,
    `post`, `change` (points, after minus before), `share` (of the first score; null from zero),
    `response` (a word of `RESPONSES`) and `reason` (a code of `REASONS`; null where judged).

    Raises
    ------
    ScoresError
        If a session of a case has two scores, or sessions or scores are no numbers.
    ChangeRuleError
        If `by_session` is not after `first_session`.

    Examples
    --------
    >>> from models.meaningful_change import PointsChange
    >>> phq9 = PointsChange(points=6, higher_is="worse", source="R2")
    >>> scores = pl.DataFrame(
    ...     {
    ...         "case_id": ["a"] * 4 + ["b"] * 4 + ["c"] * 2,
    ...         "session": [1, 2, 3, 4, 1, 2, 3, 4, 1, 2],
    ...         "score": [18, 15, 13, 11, 18, 18, 17, 16, 18, 9],
    ...     }
    ... )
    >>> early_responses(scores, phq9).select("case_id", "response", "reason").rows()
    [('a', 'early_response', None), ('b', 'no_early_response', None), \
('c', 'not_computable', 'session_not_reached')]
    """
    must(by_session > first_session, "by_session", by_session, f"after session {first_session}")
    checked = by_case(scores)
    early = _first_and_last(checked, by_session, first_session)
    said = (
        pl.when(pl.col("pre").is_null()).then(_reason("no_first_score"))
        .when(pl.col("last_session") < by_session).then(_reason("session_not_reached"))
        .when(pl.col("post").is_null()).then(_reason("no_later_score"))
    )  # fmt: skip
    judged = (
        early.with_columns(reason=said)
        .with_columns(
            pl.when(pl.col("reason").is_null()).then(pl.col("pre", "post")),
            first_score="pre", last_score="post",
        )
        .with_columns(**rule.columns())
        .with_columns(verdict=rule.verdict())
    )  # fmt: skip
    cannot = pl.col("reason").is_null() & (pl.col("verdict") == "not_computable")
    why = "negative_before" if isinstance(rule, PercentageChange) else "rule"
    change = pl.col("post") - pl.col("pre")
    return judged.select(
        "case_id", "session_before", "session_after",
        pre="first_score", post="last_score", change=change,
        share=pl.when(pl.col("pre") > 0).then(change / pl.col("pre")),
        response=_response(pl.col("verdict")),
        reason=pl.when(cannot).then(_reason(why)).otherwise("reason"),
    )  # fmt: skip


def _first_and_last(checked: pl.DataFrame, by_session: int, first_session: int) -> pl.DataFrame:
    """Return one row a case: the two scores with their sessions, and the last session there was."""
    session, score = pl.col("session").cast(pl.Int64), pl.col("score").cast(pl.Float64)
    rows = checked.select("case_id", session, score.fill_nan(None))
    known = rows.filter(pl.col("score").is_not_null())
    twice = known.height - known.n_unique(["case_id", "session"])
    if twice:
        raise ScoresError(f"{twice} scores stand beside another of the same case and session")
    inside = known.filter(pl.col("session") <= by_session).sort("case_id", "session")
    firsts = inside.filter(pl.col("session") <= first_session).group_by("case_id").first()
    lasts = inside.group_by("case_id").last()
    reached = rows.group_by("case_id").agg(last_session=pl.col("session").max()).sort("case_id")
    both = reached.join(
        firsts.rename({"session": "session_before", "score": "pre"}), on="case_id", how="left"
    ).join(lasts.rename({"session": "session_after", "score": "post"}), on="case_id", how="left")
    is_later = pl.col("session_after") > pl.col("session_before").fill_null(first_session)
    return both.with_columns(
        pl.when(is_later).then(pl.col("session_after", "post"))
    ).sort("case_id")  # fmt: skip


def _reason(code: str) -> pl.Expr:
    return pl.lit(code, dtype=REASON)


def _response(verdict: pl.Expr) -> pl.Expr:
    """Return the word of `RESPONSES` for each word of `VERDICTS`."""
    response, none, deterioration, not_computable = constants(RESPONSES)
    return (
        pl.when(verdict == VERDICTS[0]).then(response)
        .when(verdict == VERDICTS[1]).then(none)
        .when(verdict == VERDICTS[2]).then(deterioration)
        .otherwise(not_computable)
    )  # fmt: skip
