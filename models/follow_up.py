"""What happened to flagged cases after a talk about them, and without one? Described, not tried.

Who is talked about is chosen, so the groups differ before anything is done: nothing here says what
a review does. Three things would make it look as if it did, and are kept out:

- *Immortal time*: whoever is reviewed later was in care until then. So cases are told apart by what
  had happened on one day, the landmark, 14 days after the flag was first on a screen, and are
  followed from there. A review after it does not move a case to the other group.
- *Chance to be seen*: a flag nobody could see (from before unstuck was in use) is a group apart. It
  is one only if its whole window had passed by then: whether it still stood when it was first shown
  may not decide, because what stands long is what does not get better.
- *Frequent scores*: every case is followed for the same 84 days, over or not.

Regression to the mean stays: a flag opens on bad scores, and the next ones are on average less bad
whatever anybody does. Source of the landmark: Anderson, Cain and Gelber (1983), Journal of Clinical
Oncology 1, 710 (M, recalled). The numbers of days are chosen, not findings.
"""

from __future__ import annotations

import polars as pl

from data_contracts.tables_judged import FLAG_KINDS

LANDMARK_DAYS = 14
LATER_SCORES = 4
WINDOW_DAYS = 84
"""Twelve weeks: four scores even where one comes every third week."""

GROUPS = ("reviewed", "not_reviewed", "not_shown")
"""Talked about by the landmark; on a screen, but not; on no screen by then."""
ENDED_FIRST = "ended_first"
"""Care had ended by the landmark: in none of the groups."""
MEASURED = ("better", "under_way", "stuck", "worse")
"""Where the case stands at its fourth score after the landmark."""
UNMEASURED = ("dropped_out", "ended", "fewer_scores")
"""Why there is no fourth score within the window; none of them is taken for good or bad."""
WENT_ON = (*MEASURED, *UNMEASURED)

_STANDS = {
    "recovered": "better",
    "improved": "better",
    "stuck": "stuck",
    "deteriorating": "worse",
}
_CASE_AND_KIND = ["case_id", "kind"]


def followed_flags(
    flags: pl.DataFrame,
    cases: pl.DataFrame,
    scores: pl.DataFrame,
    reviews: pl.DataFrame,
    as_of: int,
) -> pl.DataFrame:
    """Return what followed the first flag of each kind of a case, where its window has passed.

    Parameters
    ----------
    flags
        One row a flag: `case_id, kind, opened_on, first_seen_on` (practice days on which it opened,
        and of the run that first saw it), `was_open` (then, so that it was shown).
    cases
        `case_id, ended_on` (practice day; null while open), `dropped_out` (null: not told).
    scores
        One row a score of the measure that stands for the case: `case_id, on` (practice day),
        `status` of the case then, `gain` since the baseline (in clear changes; null: none known).
    reviews
        `case_id, practice_day, decision`.
    as_of
        The practice day up to which anything is known.

    Returns
    -------
    One row a case and kind: `case_id, kind, group` (of `GROUPS`, or `ENDED_FIRST`), `decision` of
    the first review by the landmark, `is_reviewed_later` (within the window), `went_on` (of
    `WENT_ON`; null where care had ended first), `gain` from the landmark to the fourth score (in
    clear changes, null without one), `weeks_to_next` (from the landmark to the next score). Cases
    without a score by the landmark are not there.

    Examples
    --------
    >>> flags = pl.DataFrame(
    ...     {
    ...         "case_id": ["a"], "kind": ["stuck"], "opened_on": [100], "first_seen_on": [101],
    ...         "was_open": [True],
    ...     }
    ... )
    >>> cases = pl.DataFrame(
    ...     {"case_id": ["a"], "ended_on": [None], "dropped_out": [None]},
    ...     schema_overrides={"ended_on": pl.Int64, "dropped_out": pl.Boolean},
    ... )
    >>> scores = pl.DataFrame(
    ...     {
    ...         "case_id": ["a"] * 5, "on": [114, 121, 128, 135, 142],
    ...         "status": ["stuck"] * 4 + ["improved"], "gain": [0.0, 0.25, 0.5, 0.5, 1.25],
    ...     }
    ... )
    >>> reviews = pl.DataFrame(
    ...     {"case_id": ["a"], "practice_day": [105], "decision": ["plan_changed"]}
    ... )
    >>> followed_flags(flags, cases, scores, reviews, as_of=300).select(
    ...     "group", "decision", "went_on", "gain"
    ... ).row(0)
    ('reviewed', 'plan_changed', 'better', 1.25)
    """
    begun = _first_of_each_kind(flags).filter(pl.col("landmark_on") + WINDOW_DAYS <= as_of)
    at_landmark = _last_score(begun, scores)
    later = _later_scores(at_landmark, scores)
    return (
        at_landmark.join(later, on=_CASE_AND_KIND, how="left", maintain_order="left")
        .join(_reviewed(at_landmark, reviews), on=_CASE_AND_KIND, how="left", maintain_order="left")
        .join(cases, on="case_id", how="left", maintain_order="left")
        .with_columns(is_over=(pl.col("ended_on") <= pl.col("landmark_on")).fill_null(value=False))
        .select(
            *_CASE_AND_KIND,
            group=_group(),
            decision="decision",
            is_reviewed_later=pl.col("is_reviewed_later").fill_null(value=False),
            went_on=pl.when(~pl.col("is_over")).then(_went_on()),
            gain=pl.when(~pl.col("is_over")).then(pl.col("fourth_gain") - pl.col("gain")),
            weeks_to_next=pl.when(~pl.col("is_over")).then(
                (pl.col("next_on") - pl.col("landmark_on")) / 7
            ),
        )
        .sort(_CASE_AND_KIND)
    )


def _first_of_each_kind(flags: pl.DataFrame) -> pl.DataFrame:
    """Return the flag of each case and kind that is followed, with the day of its landmark.

    What comes later never chooses it: the first flag of which it can be said who could see it.
    """
    was_over = pl.col("opened_on") + LANDMARK_DAYS + WINDOW_DAYS <= pl.col("first_seen_on")
    begins_on = pl.when(was_over).then("opened_on").otherwise(
        pl.max_horizontal("opened_on", "first_seen_on")
    )  # fmt: skip
    return (
        flags.filter(pl.col("kind").is_in(FLAG_KINDS))
        .with_columns(is_shown=~was_over, begins_on=begins_on)
        .filter(~pl.col("is_shown") | pl.col("was_open"))
        .sort(*_CASE_AND_KIND, "opened_on", "begins_on")
        .unique(_CASE_AND_KIND, keep="first", maintain_order=True)
        .select(
            *_CASE_AND_KIND,
            "is_shown",
            "begins_on",
            landmark_on=pl.col("begins_on") + LANDMARK_DAYS,
        )
    )


def _last_score(begun: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Add the gain of the last score up to the landmark; without such a score the row goes."""
    last = (
        begun.join(scores, on="case_id")
        .filter(pl.col("on") <= pl.col("landmark_on"))
        .sort(*_CASE_AND_KIND, "on")
        .unique(_CASE_AND_KIND, keep="last", maintain_order=True)
        .select(*_CASE_AND_KIND, "gain")
    )
    return begun.join(last, on=_CASE_AND_KIND, maintain_order="left")


def _later_scores(at_landmark: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Return when the next score came, and what the fourth one said, within the window."""
    place = pl.int_range(pl.len()).over(_CASE_AND_KIND)
    is_fourth = pl.col("place") == LATER_SCORES - 1
    return (
        at_landmark.select(*_CASE_AND_KIND, "landmark_on")
        .join(scores, on="case_id")
        .filter((pl.col("on") - pl.col("landmark_on")).is_between(1, WINDOW_DAYS))
        .sort(*_CASE_AND_KIND, "on")
        .with_columns(place=place)
        .group_by(_CASE_AND_KIND, maintain_order=True)
        .agg(
            next_on=pl.col("on").first(),
            has_fourth=is_fourth.any(),
            fourth_status=pl.col("status").filter(is_fourth).first(),
            fourth_gain=pl.col("gain").filter(is_fourth).first(),
        )
    )


def _reviewed(at_landmark: pl.DataFrame, reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the first decision by the landmark, and whether one came after it in the window."""
    after = pl.col("practice_day") - pl.col("landmark_on")
    by_landmark = after.is_between(-LANDMARK_DAYS, 0)
    return (
        at_landmark.join(reviews, on="case_id")
        .sort(*_CASE_AND_KIND, "practice_day", maintain_order=True)
        .group_by(_CASE_AND_KIND, maintain_order=True)
        .agg(
            decision=pl.col("decision").filter(by_landmark).first(),
            is_reviewed_later=after.is_between(1, WINDOW_DAYS).any(),
        )
    )


def _group() -> pl.Expr:
    return (
        pl.when("is_over").then(pl.lit(ENDED_FIRST))
        .when(~pl.col("is_shown")).then(pl.lit("not_shown"))
        .when(pl.col("decision").is_not_null()).then(pl.lit("reviewed"))
        .otherwise(pl.lit("not_reviewed"))
    )  # fmt: skip


def _went_on() -> pl.Expr:
    has_ended = pl.col("ended_on") <= pl.col("landmark_on") + WINDOW_DAYS
    stands = pl.col("fourth_status").replace_strict(_STANDS, default="under_way")
    return (
        pl.when(pl.col("has_fourth")).then(stands)
        .when(has_ended & pl.col("dropped_out")).then(pl.lit("dropped_out"))
        .when(has_ended).then(pl.lit("ended"))
        .otherwise(pl.lit("fewer_scores"))
    )  # fmt: skip
