"""Does the working alliance give reason to talk? Low, fallen and not repaired, or at the ceiling.

Low: the last two ratings at or below the concern line of the measure's contract.
Fallen: a rating below the client's own limit and not back since, for at least three ratings. The
limit comes from the ratings before the fall alone: mean - 2 sigma, sigma the mean moving range /
1.128, never below the standard error of measurement (without that floor 48 % of simulated stable
raters have a "rupture" in 16 ratings). At least five earlier ratings are needed.
Ceiling: the last four ratings at or above the ceiling line. It becomes a flag only where the
outcome does not move; `step_7_judge` joins the two.

Sources: personal control chart Lipner 2022 (R55; limits recalled), repair within 3 to 5 sessions;
concern line and politeness at the ceiling R13; corrections in docs/status_rule.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from data_contracts.measure import Measure

LOW_RATINGS = 2  # chosen: one low rating is often a bad day
CEILING_RATINGS = 4  # R13: flat top ratings over four sessions
PRIOR_RATINGS = 5  # R55: at least five ratings before a personal limit
LIMIT_SIGMAS = 2.0  # R55: 1.5 to 3 were tested
MOVING_RANGE_TO_SIGMA = 1.128  # mean range of two normal draws, in standard deviations
REPAIRED_WITHIN_SIGMAS = 0.25  # Strauss 2006 [recalled]: back within a quarter of a deviation
UNREPAIRED_RATINGS = 3  # R55: flagged only when still down at the third rating


@dataclass(kw_only=True)
class _Fall:
    """A fall that has not been repaired yet."""

    mean: float
    repaired_at: float
    ratings: int


def alliance_points(ratings: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    """Return each rating with the client's own limits at that time.

    Parameters
    ----------
    ratings
        Totals of one alliance measure: `case_id, at, session, day, value`.

    Returns
    -------
    The columns of `alliance_points` in the contract, ordered by case and occasion. Nothing later
    than a rating changes its row.
    """
    facts = measure.alliance
    if facts is None:
        message = f"{measure.measure_id} is no alliance measure"
        raise ValueError(message)
    ordered = ratings.sort("case_id", pl.coalesce("day", "at"), "at")
    found: list[tuple[object, ...]] = []
    for (case_id,), rows in ordered.group_by("case_id", maintain_order=True):
        values = rows["value"].to_list()
        states = _states(values, error=facts.standard_error_of_measurement)
        for occasion, (row, state) in enumerate(
            zip(rows.select("at", "session", "day", "value").iter_rows(), states, strict=True)
        ):
            low = values[max(0, occasion + 1 - LOW_RATINGS) : occasion + 1]
            top = values[max(0, occasion + 1 - CEILING_RATINGS) : occasion + 1]
            found.append(
                (
                    case_id,
                    measure.measure_id,
                    occasion,
                    *row,
                    *state,
                    len(low) == LOW_RATINGS and max(low) <= facts.low_at,
                    len(top) == CEILING_RATINGS and min(top) >= facts.ceiling_at,
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
    values: list[float], *, error: float
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
            states.append((*_limits(prior[:-1], error), False, 0))
            continue
        if fall is not None:
            fall.ratings += 1
            waiting.append(value)
            mean, limit = _limits(prior, error)
            states.append((mean, limit, fall.ratings >= UNREPAIRED_RATINGS, fall.ratings))
            continue
        mean, limit = _limits(prior, error)
        if mean is not None and limit is not None and value < limit:
            sigma = (mean - limit) / LIMIT_SIGMAS
            fall = _Fall(mean=mean, repaired_at=mean - REPAIRED_WITHIN_SIGMAS * sigma, ratings=1)
            waiting = [value]
            states.append((mean, limit, False, 1))
            continue
        prior.append(value)
        states.append((mean, limit, False, 0))
    return states


def _limits(prior: list[float], error: float) -> tuple[float | None, float | None]:
    if len(prior) < PRIOR_RATINGS:
        return None, None
    mean = sum(prior) / len(prior)
    ranges = [abs(after - before) for before, after in pairwise(prior)]
    sigma = max(sum(ranges) / len(ranges) / MOVING_RANGE_TO_SIGMA, error)
    return mean, mean - LIMIT_SIGMAS * sigma
