"""Does the working alliance give reason to talk? Low, fallen and not repaired, or at the ceiling.

Low: the last two ratings at or below the concern line of the measure's contract.
Fallen: a rating below the client's own limit and not back since, for at least three ratings. The
limit comes from the ratings before the fall alone: mean - 2 sigma, sigma the mean moving range /
1.128, never below the standard error of measurement (without that floor 48 % of simulated stable
raters have a "rupture" in 16 ratings). At least five earlier ratings are needed.
Ceiling: the last four ratings at or above the ceiling line. It becomes a flag only where the
outcome does not move; `step_7_judge` joins the two.
How many ratings, and how wide a limit: `alliance_*` in data_contracts/rule.toml. What ratings show
beside these flags: `alliance_patterns.py`.

Sources: personal control chart Lipner 2022 (R55; limits recalled), repair within 3 to 5 sessions;
concern line and politeness at the ceiling R13; corrections in docs/alliance.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from data_contracts.measure import TOTAL, Measure
from data_contracts.rule import RuleThresholds

MOVING_RANGE_TO_SIGMA = 1.128  # mean range of two normal draws, in standard deviations


def client_totals(ratings: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    """Return totals by the rater of the contract: as sent, else the sum where all parts were sent.

    Parameters
    ----------
    ratings
        `case_id, at, session, day, subscale, rater, value` of one alliance measure, in points.

    Returns
    -------
    `case_id, at, session, day, value`, one row a case and moment, in no order.

    >>> from data_contracts.measures import built_in_measures
    >>> ratings = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 3,
    ...         "at": [1] * 3,
    ...         "session": [1] * 3,
    ...         "day": [0] * 3,
    ...         "subscale": ["goal", "task", "bond"],
    ...         "rater": ["client"] * 3,
    ...         "value": [15.0, 16, 18],
    ...     }
    ... )
    >>> client_totals(ratings, built_in_measures()["wai_sr"])["value"].to_list()
    [49.0]
    """
    moment = ["case_id", "at", "session", "day"]
    own = ratings.filter(pl.col("rater") == measure.rater)
    sent = own.filter(pl.col("subscale") == TOTAL).select(*moment, "value")
    parts = measure.alliance.total_is_sum_of if measure.alliance else ()
    summed = (
        own.filter(pl.col("subscale").is_in(parts))
        .group_by(moment)
        .agg(pl.col("value").sum(), sent_parts=pl.col("subscale").n_unique())
        .filter(pl.col("sent_parts") == len(parts))
        .drop("sent_parts")
        .join(sent, on=["case_id", "at"], how="anti")
    )
    return pl.concat([sent, summed])


@dataclass(kw_only=True)
class _Fall:
    """A fall that has not been repaired yet."""

    repaired_at: float
    ratings: int


def alliance_points(
    ratings: pl.DataFrame, measure: Measure, thresholds: RuleThresholds
) -> pl.DataFrame:
    """Return each rating with the client's own limits at that time.

    Parameters
    ----------
    ratings
        Totals of one alliance measure in points: `case_id, at, session, day, value`.

    Returns
    -------
    The columns of `alliance_points` in the contract, ordered by case and occasion. Nothing later
    than a rating changes its row.

    Raises
    ------
    ValueError
        If the measure's contract has no lines for an alliance.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> ratings = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 8,
    ...         "at": range(1, 9),
    ...         "session": range(1, 9),
    ...         "day": range(0, 56, 7),
    ...         "value": [38.0, 38, 38, 38, 38, 30, 30, 30],
    ...     }
    ... )
    >>> points = alliance_points(ratings, built_in_measures()["srs"], status_rule().thresholds)
    >>> points["personal_low"].to_list()[-1], points["is_dropped"].to_list()[-1]
    (34.0, True)
    """
    facts = measure.alliance
    if facts is None:
        message = f"{measure.measure_id} is no alliance measure"
        raise ValueError(message)
    low_ratings, ceiling_ratings = (
        thresholds.alliance_low_ratings,
        thresholds.alliance_ceiling_ratings,
    )
    ordered = ratings.sort("case_id", pl.coalesce("day", "at"), "at")
    found: list[tuple[object, ...]] = []
    for (case_id,), rows in ordered.group_by("case_id", maintain_order=True):
        values = rows["value"].to_list()
        states = _states(values, facts.standard_error_of_measurement, thresholds)
        for occasion, (row, state) in enumerate(
            zip(rows.select("at", "session", "day", "value").iter_rows(), states, strict=True)
        ):
            low = values[max(0, occasion + 1 - low_ratings) : occasion + 1]
            top = values[max(0, occasion + 1 - ceiling_ratings) : occasion + 1]
            found.append(
                (
                    case_id,
                    measure.measure_id,
                    occasion,
                    *row,
                    *state,
                    len(low) == low_ratings and max(low) <= facts.low_at,
                    len(top) == ceiling_ratings and min(top) >= facts.ceiling_at,
                )
            )
    return pl.DataFrame(
        found,
        schema={
            "case_id": pl.String,
            "measure_id": pl.String,
            "occasion": pl.Int64,
            "at": pl.Int64,
            "session": pl.Int64,
            "day": pl.Int64,
            "value": pl.Float64,
            "prior_mean": pl.Float64,
            "personal_low": pl.Float64,
            "is_dropped": pl.Boolean,
            "ratings_since_drop": pl.Int64,
            "is_low": pl.Boolean,
            "is_ceiling": pl.Boolean,
        },
        orient="row",
    )


def _states(
    values: list[float], error: float, thresholds: RuleThresholds
) -> list[tuple[float | None, float | None, bool, int]]:
    """Return (prior mean, personal limit, dropped for long enough, ratings since) per rating.

    While a fall lasts its ratings stay out of the limits: a low would otherwise become normal.
    """
    states: list[tuple[float | None, float | None, bool, int]] = []
    prior: list[float] = []
    fall: _Fall | None = None
    waiting: list[float] = []
    for value in values:
        if fall is not None and value >= fall.repaired_at:
            prior += [*waiting, value]
            fall, waiting = None, []
            states.append((*_limits(prior[:-1], error, thresholds), False, 0))
            continue
        mean, limit = _limits(prior, error, thresholds)
        if fall is not None:
            fall.ratings += 1
            waiting.append(value)
            lasts = fall.ratings >= thresholds.alliance_unrepaired_ratings
            states.append((mean, limit, lasts, fall.ratings))
        elif mean is not None and limit is not None and value < limit:
            sigma = (mean - limit) / thresholds.alliance_limit_sigmas
            repaired_at = mean - thresholds.alliance_repaired_sigmas * sigma
            fall, waiting = _Fall(repaired_at=repaired_at, ratings=1), [value]
            states.append((mean, limit, thresholds.alliance_unrepaired_ratings <= 1, 1))
        else:
            prior.append(value)
            states.append((mean, limit, False, 0))
    return states


def _limits(
    prior: list[float], error: float, thresholds: RuleThresholds
) -> tuple[float | None, float | None]:
    if len(prior) < thresholds.alliance_prior_ratings:
        return None, None
    mean = sum(prior) / len(prior)
    ranges = [abs(after - before) for before, after in pairwise(prior)]
    sigma = max(sum(ranges) / len(ranges) / MOVING_RANGE_TO_SIGMA, error)
    return mean, mean - thresholds.alliance_limit_sigmas * sigma
