"""How much does an open case need to be talked about: how probable, how severe, how long unseen?

need = probability x severity x unseen. The chance that the case ends badly counts as it is; how far
it is from well can make it three times as much, and waiting twice, so that no factor decides alone.
All bounds are chosen, none is a finding. Words: `need_words.py`; who is in the queue: step 8.

- **Probability**: the outlook of the measure that decides. Where there is none the status rule
  stands in: how often cases with such a status ended so in this practice's own back-test, else a
  number chosen after ENRICHD (design/status_rule.md: of those stuck at sessions 6 to 12 about half
  ended clinical without reliable gain, of all one in seven).
- **Severity**: how far the level lies in the clinical range, in reliable changes of the measure.
  Without a cut-off: how far it is short of a reliable change from the start.
- **Unseen**: weeks since the case was last reviewed, else since it came into view.

A deteriorating case has the last two factors in full: it is clearly worse than at its start, and
does not stand behind an equally probable stuck one because it is milder or has not waited.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure
from models.case_ends import PRIMARY

SEVERITY_CHANGES = 2.0
"""Reliable changes into the clinical range beyond which severity grows no more (chosen)."""
UNSEEN_WEEKS = 8.0
"""Weeks beyond which waiting counts no more (chosen): what is due is talked about before that."""
MOST_SEVERE, LONGEST_UNSEEN = 1 + SEVERITY_CHANGES, 2.0

CHOSEN_CHANCES = {
    "deteriorating": 0.6,
    "stuck": 0.45,
    "watch": 0.25,
    "cannot_judge": 0.25,
    "on_track": 0.1,
    "improved": 0.05,
    "recovered": 0.05,
}
"""Stands in where neither an outlook nor a back-test says more; chosen, see above."""
_FLAGGED = ("stuck", "deteriorating")


def with_severity(cases: pl.DataFrame, measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Add `distance` (points from well), `gain_in_changes` and `severity` (1 to 3).

    Parameters
    ----------
    cases
        `decided_by` (a measure), `level` and `level_gain` in its points, `is_deteriorating`. The
        distance is into the clinical range, negative outside it; without a cut-off what is missing
        to a reliable change; null where neither can be told (then the severity is 1).

    >>> from data_contracts.measures import built_in_measures
    >>> cases = pl.DataFrame(
    ...     {"decided_by": ["phq9", "ors"], "level": [19.0, 30.0], "level_gain": [0.0, 4.0],
    ...      "is_deteriorating": [False, False]}
    ... )
    >>> with_severity(cases, built_in_measures()).select("distance", "severity").rows()
    [(9.0, 2.5), (-5.0, 1.0)]
    """
    numbers = pl.DataFrame(
        [
            (name, float(measure.direction), measure.cutoff, measure.reliable_change_points)
            for name, measure in measures.items()
        ],
        schema={
            "decided_by": pl.String,
            "direction": pl.Float64,
            "cutoff": pl.Float64,
            "change": pl.Float64,
        },
        orient="row",
    )
    distance = pl.coalesce(
        pl.col("direction") * (pl.col("level") - pl.col("cutoff")),
        pl.col("change") - pl.col("level_gain"),
    )
    in_changes = (distance / pl.col("change")).clip(0.0, SEVERITY_CHANGES).fill_null(0.0)
    return (
        cases.join(numbers, on="decided_by", how="left", maintain_order="left")
        .with_columns(
            distance=distance,
            gain_in_changes=pl.col("level_gain") / pl.col("change"),
            severity=pl.when("is_deteriorating").then(MOST_SEVERE).otherwise(1.0 + in_changes),
        )
        .drop("direction", "change")
    )


def with_chance(cases: pl.DataFrame, backtested: pl.DataFrame) -> pl.DataFrame:
    """Add `probability` (0 to 1) of a bad end and `probability_from`, where it comes from.

    Parameters
    ----------
    cases
        `decided_by, occasion, last_status` (a status of the rule), `outcome` (which end is asked
        about; null: the primary one), `outlook` (a chance, null where refused).
    backtested
        What the practice's back-test says of the status rule: `measure_id, outcome, occasion`, and
        of the cases at risk there the shares that ended so, `if_flagged` and `if_not_flagged` (null
        where too few to say). The nearest occasion counts. May be empty.

    >>> cases = pl.DataFrame(
    ...     {"decided_by": ["phq9", "phq9", "gad7"], "occasion": [4, 9, 4],
    ...      "last_status": ["stuck", "watch", "stuck"], "outlook": [0.7, None, None],
    ...      "outcome": pl.Series([None] * 3, dtype=pl.String)}
    ... )
    >>> backtested = pl.DataFrame(
    ...     {"measure_id": ["phq9"], "outcome": ["clinical_without_gain"], "occasion": [8],
    ...      "if_flagged": [0.5], "if_not_flagged": [0.1]}
    ... )
    >>> with_chance(cases, backtested).select("probability", "probability_from").rows()
    [(0.7, 'outlook'), (0.1, 'backtest'), (0.45, 'chosen')]
    """
    near = backtested.select(
        pl.col("measure_id").alias("decided_by"),
        pl.col("outcome").alias("asked_end"),
        pl.col("occasion").cast(pl.Int64),
        pl.col("if_flagged").cast(pl.Float64),
        pl.col("if_not_flagged").cast(pl.Float64),
    )
    ordered = cases.with_row_index("place").with_columns(pl.col("occasion").cast(pl.Int64))
    # Rows whose occasion is not known cannot be joined by it: the first one asked stands for them.
    found = (
        ordered.with_columns(
            pl.col("occasion").fill_null(0).alias("asked"),
            pl.col("outcome").fill_null(PRIMARY).alias("asked_end"),
        )
        .sort("asked")
        .join_asof(
            near.rename({"occasion": "asked"}).sort("asked"),
            on="asked",
            by=["decided_by", "asked_end"],
            strategy="nearest",
            check_sortedness=False,
        )
        .sort("place")
    )
    by_rule = (
        pl.when(pl.col("last_status").is_in(_FLAGGED))
        .then("if_flagged")
        .otherwise("if_not_flagged")
    )
    chosen = pl.col("last_status").replace_strict(
        CHOSEN_CHANCES, default=CHOSEN_CHANCES["cannot_judge"], return_dtype=pl.Float64
    )
    return found.with_columns(
        probability=pl.coalesce("outlook", by_rule, chosen).clip(0.0, 1.0),
        probability_from=pl.when(pl.col("outlook").is_not_null())
        .then(pl.lit("outlook"))
        .when(by_rule.is_not_null())
        .then(pl.lit("backtest"))
        .otherwise(pl.lit("chosen")),
    ).drop("place", "asked", "asked_end", "if_flagged", "if_not_flagged")


def with_need(cases: pl.DataFrame) -> pl.DataFrame:
    """Add `unseen` (1 to 2) and `need`, which grows with every factor.

    Parameters
    ----------
    cases
        `probability, severity, is_deteriorating, weeks_unseen` (null where nobody knows: then
        waiting does not count).

    >>> cases = pl.DataFrame(
    ...     {"probability": [0.5, 0.5], "severity": [2.0, 3.0], "weeks_unseen": [4.0, 0.0],
    ...      "is_deteriorating": [False, True]}
    ... )
    >>> with_need(cases).select("unseen", "need").rows()
    [(1.5, 1.5), (2.0, 3.0)]
    """
    waited = 1.0 + pl.col("weeks_unseen").clip(0.0, UNSEEN_WEEKS).fill_null(0.0) / UNSEEN_WEEKS
    unseen = pl.when("is_deteriorating").then(LONGEST_UNSEEN).otherwise(waited)
    return cases.with_columns(
        unseen=unseen, need=pl.col("probability") * pl.col("severity") * unseen
    )
