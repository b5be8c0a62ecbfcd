"""What is known of a case at each of its scores, as numbers a rule may use, and nothing later?

One row a case and occasion from the first score after the baseline on. Every column is made of
running sums over the rows before it, so what comes later cannot change it. All points are turned so
that higher is worse: for a measure where higher is better they are negative. Null means unknown; it
is never zero, and that something is unknown is itself known.
"""

from __future__ import annotations

import polars as pl

from models.past_cases import PastCases

SCORES_AND_COURSE = (
    "baseline",  # first score, points
    "score",  # last score
    "previous",  # the score before it
    "level",  # mean of the last two where they lie close enough, else the last
    "mean_between",  # mean of the scores between baseline and last; null where there are none
    "best",  # best score so far, the baseline too
    "worst",  # worst score so far, the baseline too
    "gain",  # better than the baseline, by the last score
    "level_gain",  # the same, by the level
    "slope",  # least-squares points an occasion, the baseline too
    "variability",  # standard deviation of one score from the changes between neighbours; from 2 on
)
TIME = (
    "occasion",  # 1 is the first score after the baseline
    "weeks",  # since the baseline
    "weeks_since_previous",  # since the score before
    "sessions_attended",  # treatment sessions up to this score
    "planned_share",  # of the sessions that were agreed, how many have been
)
MISSING = (
    "scores_missing_share",  # sessions attended since the baseline without a score
    "missed_sessions_share",  # sessions offered up to now that were not attended
    "missed_lately",  # of the last three sessions offered, how many were missed
)
ALLIANCE = (
    "alliance_last",  # last rating, 0 worst to 1 best of its range
    "alliance_fall",  # mean of the ratings before it less the last one, in the same unit
)
FEATURES = (*SCORES_AND_COURSE, *TIME, *MISSING, *ALLIANCE)

_LAST_SESSIONS = 3
_CASE = "case_id"


def known_so_far(past: PastCases) -> pl.DataFrame:
    """Return `case_id, day, days, practice_day` and `FEATURES` of every score after the baseline.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> cases = pl.DataFrame({"case_id": ["a"]})
    >>> points = pl.DataFrame(
    ...     {"case_id": ["a"] * 4, "occasion": range(4), "value": [18.0, 16.0, 17.0, 9.0]}
    ... ).with_columns(baseline=pl.lit(18.0), gain=18.0 - pl.col("value"))
    >>> past = PastCases.of(built_in_measures()["phq9"], cases, points)
    >>> known_so_far(past).select("score", "previous", "mean_between", "best").rows()
    [(16.0, 18.0, None, 16.0), (17.0, 16.0, 16.0, 16.0), (9.0, 17.0, 16.5, 9.0)]
    """
    rows = _course(past.points.filter("has_baseline"), float(past.measure.direction))
    rows = _sessions(rows, past)
    rows = _alliance(rows, past)
    planned = past.cases.select(_CASE, "planned_sessions")
    return (
        rows.join(planned, on=_CASE, how="left", maintain_order="left")
        .with_columns(planned_share=pl.col("sessions_attended") / pl.col("planned_sessions"))
        .select(_CASE, "day", "days", "practice_day", *FEATURES)
    )


def _course(points: pl.DataFrame, direction: float) -> pl.DataFrame:
    """Return the columns that rest on the scores of the measure alone."""
    score, baseline = direction * pl.col("value"), direction * pl.col("baseline")
    occasion = pl.col("occasion").cast(pl.Float64)

    def so_far(values: pl.Expr) -> pl.Expr:
        return values.cum_sum().over(_CASE)

    count = occasion + 1.0
    occasion_sum, occasion_squares = so_far(occasion), so_far(occasion * occasion)
    change = (score - score.shift(1)).over(_CASE).fill_null(0.0)
    spread = occasion_squares - occasion_sum * occasion_sum / count
    together = so_far(occasion * score) - occasion_sum * so_far(score) / count
    since_start = pl.col("sessions_attended") - pl.col("sessions_attended").first().over(_CASE)
    return (
        points.with_columns(
            baseline=baseline,
            score=score,
            previous=score.shift(1).over(_CASE),
            level=baseline - pl.col("level_gain"),
            mean_between=pl.when(occasion > 1).then(
                (so_far(score) - score - score.first().over(_CASE)) / (occasion - 1.0)
            ),
            best=score.cum_min().over(_CASE),
            worst=score.cum_max().over(_CASE),
            slope=together / spread,
            # Successive differences: a steady course has none of it (von Neumann 1941 [recalled]).
            variability=pl.when(occasion > 1).then(
                (so_far(change * change) / (2.0 * occasion)).sqrt()
            ),
            weeks=pl.col("days") / 7.0,
            weeks_since_previous=(pl.col("days") - pl.col("days").shift(1)).over(_CASE) / 7.0,
            scores_missing_share=pl.when(since_start > 0).then(
                (1.0 - occasion / since_start).clip(0.0, 1.0)
            ),
        )
        .filter(pl.col("occasion") >= 1)
        .with_columns(pl.col("sessions_attended").cast(pl.Float64), occasion=occasion)
    )


def _sessions(rows: pl.DataFrame, past: PastCases) -> pl.DataFrame:
    """Add which part of the sessions offered so far was missed; unknown without days."""
    offered = past.sessions.filter(pl.col("day").is_not_null()).sort("day", "session")
    missed = (~pl.col("attended")).cast(pl.Float64)
    counted = offered.select(
        _CASE,
        "day",
        missed_sessions_share=missed.cum_sum().over(_CASE)
        / pl.int_range(1, pl.len() + 1).over(_CASE),
        missed_lately=missed.rolling_sum(_LAST_SESSIONS, min_samples=1).over(_CASE),
    )
    return _as_of(rows, counted, ("missed_sessions_share", "missed_lately"))


def _alliance(rows: pl.DataFrame, past: PastCases) -> pl.DataFrame:
    """Add the last alliance rating and how far it lies below those before; unknown without days."""
    rated = (
        past.alliance.filter(pl.col("day").is_not_null(), pl.col("share").is_not_null())
        .group_by(_CASE, "day")
        .agg(pl.col("share").mean())
        .sort("day", _CASE)
    )
    before = pl.int_range(pl.len()).over(_CASE)
    rated = rated.select(
        _CASE,
        "day",
        alliance_last="share",
        alliance_fall=pl.when(before > 0).then(
            (pl.col("share").cum_sum().over(_CASE) - pl.col("share")) / before - pl.col("share")
        ),
    )
    return _as_of(rows, rated, ("alliance_last", "alliance_fall"))


def _as_of(rows: pl.DataFrame, told: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Add what was told last on the day of a score or before; rows come back in their order."""
    if told.is_empty():
        return rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in columns)
    placed = rows.with_row_index("_row").sort("day", nulls_last=True)
    dated = placed.filter(pl.col("day").is_not_null())
    joined = dated.join_asof(
        told.sort("day"), on="day", by=_CASE, strategy="backward", check_sortedness=False
    )
    return (
        pl.concat([joined, placed.filter(pl.col("day").is_null())], how="diagonal")
        .sort("_row")
        .drop("_row")
    )
