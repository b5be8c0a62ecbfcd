"""Step 9, follow-up: what happened to flagged cases after a review, and without one.

In: flags, runs, case_facts, primary_measures, course_points, statuses; and the reviews the screens
wrote, read only. Out: `published_follow_up`, small numbers hidden. A store that cannot be read is a
warning: what followed flags is then left out for this night, never told as if nobody had reviewed.
"""

from __future__ import annotations

import polars as pl

from data_contracts.errors import UnstuckError
from data_contracts.suppression import suppression_rule
from models.follow_up import followed_flags
from models.follow_up_tables import FOLLOW_UP_COLUMNS, follow_up
from pipelines.night import Night
from pipelines.sql import statement

_STEM = "step_9_follow_up"


def summarise_follow_up(night: Night) -> int:
    """Follow the flags whose time has passed; return how many rows are published."""
    from pipelines.reading_reviews import on_practice_days, review_days  # SQLAlchemy: 0.4 s

    try:
        reviews = review_days(night.places, night.settings)
    except UnstuckError as error:
        night.warnings.append(f"what followed flags is left out of this night: {error}")
        night.make("published_follow_up", pl.DataFrame(schema=FOLLOW_UP_COLUMNS))
        return 0
    answers = reviews.select("case_id", "was_useful", kind="shown_kind")
    shown = follow_up(
        _followed(night, on_practice_days(reviews, _runs(night))),
        answers,
        suppression_rule(night.settings.publishing.suppression),
    )
    night.make("published_follow_up", shown)
    return shown.height


def _followed(night: Night, reviews: pl.DataFrame) -> pl.DataFrame:
    flags = night.frame(statement(_STEM, "flags_followed"), run_id=night.run_id, as_of=night.as_of)
    return followed_flags(
        flags,
        night.frame(statement(_STEM, "cases_followed")),
        night.frame(statement(_STEM, "scores_followed")),
        reviews.filter(pl.col("practice_day").is_not_null()),
        night.as_of if night.as_of is not None else 0,
    )


def _runs(night: Night) -> pl.DataFrame:
    return night.frame(
        "select run_id, as_of, started_at from runs where run_id < $run_id", run_id=night.run_id
    )
