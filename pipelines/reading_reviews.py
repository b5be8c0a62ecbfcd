"""Which cases were talked about, and when? The reviews the screens wrote, read without a change.

Who decided, notes and reasons stay where they are. A moment in UTC becomes a practice day without
the secret start day: the day the run stood for that was on the screen, plus the days since that
run. Where a practice sends its data late, such a day is early by as much.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from data_contracts.local_day import local_day
from data_contracts.places import Places
from data_contracts.reviews_in_force import in_force
from data_contracts.settings import Settings
from data_contracts.workspace_engine import rows_to_read
from data_contracts.workspace_tables import REVIEW_EVENTS
from models.past_cases import PastCases

REVIEWS: dict[str, pl.DataType] = {
    "case_id": pl.String(),
    "reviewed_at": pl.Datetime("us", "UTC"),
    "decision": pl.String(),
    "was_useful": pl.Boolean(),  # null where the supervisor did not say
    "shown_run_id": pl.String(),
    "shown_kind": pl.String(),  # what led then; null outside the queue
    "shown_flags": pl.String(),  # every flag open then, as 'stuck|phq9|day 63,...'; may be ""
}
_ASKED = (
    "case_id", "sequence", "kind", "undoes", "recorded_at", "decision", "was_useful",
    "shown_run_id", "shown_kind", "shown_flags",
)  # fmt: skip


def review_days(places: Places, settings: Settings) -> pl.DataFrame:
    """Return every review that was not undone, oldest first; none before the screens were opened.

    Returns
    -------
    Columns of `REVIEWS`, one row a review.

    Raises
    ------
    ContractError
        If `[workspace] url` is no address of a PostgreSQL database.
    WorkspaceError
        If the store cannot be read; says neither its password nor a value.
    """
    from sqlalchemy import select

    asked = select(*(REVIEW_EVENTS.c[name] for name in _ASKED))
    counted = in_force(rows_to_read(places, settings, asked))
    return pl.DataFrame(
        [
            (event.case_id, event.recorded_at, *event[_ASKED.index("decision") :])
            for event in counted
        ],
        schema=REVIEWS,
        orient="row",
    ).sort("reviewed_at", "case_id")


def on_practice_days(reviews: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Add `practice_day` to reviews: never before the day of the run that was on the screen.

    Where that run is not known any more (a home made anew), the run nearest in time stands in.

    Parameters
    ----------
    runs
        `run_id, as_of, started_at` (UTC), one row a run. Without a calendar `as_of` is null, and so
        is the day.
    """
    known = (
        runs.select("run_id", "as_of", pl.col("started_at").cast(pl.Datetime("us")))
        .filter(pl.col("as_of").is_not_null())
        .with_columns(started_at=pl.col("started_at").dt.replace_time_zone("UTC"))
        .sort("started_at")
    )
    shown = reviews.join(
        known.rename({"run_id": "shown_run_id", "as_of": "own", "started_at": "own_start"}),
        on="shown_run_id",
        how="left",
        maintain_order="left",
    ).sort("reviewed_at")
    nearest = shown.join_asof(
        known.drop("run_id"), left_on="reviewed_at", right_on="started_at", strategy="nearest"
    )
    from_day, from_moment = pl.coalesce("own", "as_of"), pl.coalesce("own_start", "started_at")
    days_since = _local_days("reviewed_at") - _local_days(from_moment)
    return nearest.with_columns(practice_day=from_day + days_since).drop(
        "own", "own_start", "as_of", "started_at"
    )


def last_reviewed(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return `case_id, reviewed_on`: the practice day of each case's last review.

    Parameters
    ----------
    reviews
        As `on_practice_days` returns them.
    """
    return reviews.group_by("case_id").agg(reviewed_on=pl.col("practice_day").max()).sort("case_id")


def with_reviews(past: PastCases, reviews: pl.DataFrame) -> PastCases:
    """Return past cases that know when they were first reviewed with a flag open (`reviewed_on`).

    Parameters
    ----------
    reviews
        As `on_practice_days` returns them.
    """
    first = (
        reviews.filter(pl.col("shown_flags") != "")
        .group_by("case_id")
        # Without a calendar nobody knows the day: reviewed it was all the same.
        .agg(reviewed_on=pl.col("practice_day").min().fill_null(0))
    )
    cases = past.cases.drop("reviewed_on").join(
        first, on="case_id", how="left", maintain_order="left"
    )
    return replace(past, cases=cases.select(past.cases.columns))


def _local_days(moment: pl.Expr | str) -> pl.Expr:
    """Return the practice's calendar day of a moment, as a count of days."""
    column = pl.col(moment) if isinstance(moment, str) else moment
    return column.map_elements(lambda at: local_day(at).toordinal(), return_dtype=pl.Int64)
