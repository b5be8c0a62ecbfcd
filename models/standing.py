"""Where does a case stand on the run's day? The last status, how long it holds, and is it stale.

Staleness concerns the run's day, not an occasion: an open case whose last score lies too many
attended sessions or days back cannot be judged now. Its last status stays in view. Rule:
status_rule.md, row 0.
"""

from __future__ import annotations

import polars as pl

from data_contracts.rule import RuleThresholds


def last_statuses(statuses: pl.DataFrame) -> pl.DataFrame:
    """Return the last status of each case and measure, and since when it holds unbroken.

    `statuses` holds `case_id, measure_id, occasion, day, status, code, tags, decided_by`. Added:
    `since_occasion`, `since_day`, `last_day`.

    >>> statuses = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 3,
    ...         "measure_id": ["phq9"] * 3,
    ...         "occasion": [5, 6, 7],
    ...         "day": [35, 42, 49],
    ...         "status": ["watch", "stuck", "stuck"],
    ...         "code": ["no_gain_yet", "no_gain", "no_gain"],
    ...         "tags": [""] * 3,
    ...         "decided_by": ["phq9"] * 3,
    ...     }
    ... )
    >>> last_statuses(statuses).select("status", "since_occasion", "last_day").row(0)
    ('stuck', 6, 49)
    """
    series = ["case_id", "measure_id"]
    ordered = statuses.sort(*series, "occasion")
    spells = ordered.with_columns(
        starts=(pl.col("status") != pl.col("status").shift(1).over(series)).fill_null(value=True)
    ).with_columns(spell=pl.col("starts").cum_sum().over(series))
    last_spell = pl.col("spell") == pl.col("spell").max().over(series)
    return (
        spells.filter(last_spell)
        .group_by(series, maintain_order=True)
        .agg(
            pl.col("occasion").last(),
            pl.col("status").last(),
            pl.col("code").last(),
            pl.col("tags").last(),
            pl.col("decided_by").last(),
            since_occasion=pl.col("occasion").first(),
            since_day=pl.col("day").first(),
            last_day=pl.col("day").last(),
        )
    )


def with_staleness(standing: pl.DataFrame, thresholds: RuleThresholds) -> pl.DataFrame:
    """Call an open case without a recent score `cannot_judge : stale`; keep its `last_status`.

    `standing` holds `status, code, is_open, sessions_since` (attended since the last score, null
    where no sessions are sent) and `days_since` (up to the run's day, null without a calendar).

    >>> from data_contracts.rule import status_rule
    >>> standing = pl.DataFrame(
    ...     {
    ...         "status": ["stuck", "stuck"],
    ...         "code": ["no_gain", "no_gain"],
    ...         "is_open": [True, True],
    ...         "sessions_since": [1, 4],
    ...         "days_since": [7, 28],
    ...     }
    ... )
    >>> with_staleness(standing, status_rule().thresholds)["code"].to_list()
    ['no_gain', 'stale']
    """
    too_old = (pl.col("sessions_since") > thresholds.stale_sessions).fill_null(value=False) | (
        pl.col("days_since") > thresholds.stale_days
    ).fill_null(value=False)
    judged = (pl.col("status") != "cannot_judge") | pl.col("code").is_in(["too_early", "stale"])
    stale = pl.col("is_open") & too_old & judged
    return standing.with_columns(
        last_status=pl.col("status"),
        status=pl.when(stale).then(pl.lit("cannot_judge")).otherwise("status"),
        code=pl.when(stale).then(pl.lit("stale")).otherwise("code"),
    )
