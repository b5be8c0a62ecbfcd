"""What else do alliance ratings show? Flat, always at the top, parts apart, raters apart.

None of it is a flag: each is a pattern that is shown with its numbers and asked about.

Flat: the last four ratings are equal, below the top. At the top: more than half of at least five
ratings at or above the ceiling line, so that a personal limit says little. Work behind bond, bond
behind work: in two ratings one after the other a part of the alliance lies a quarter of its range
(one point an item on five-point items) below the other; warmth without agreed work is the one that
goes with less change, because agreement on goals and tasks predicts later change and the bond does
not (R56). Raters apart: client and therapist rated the same session, and differ by more than
1.96 sqrt(2) standard errors of measurement.

Sources: R13, R14 (flat and full ratings), R18 (parts of the WAI-SR), R55 (a median at the ceiling
is uninformative; corrections in algorithms.md), R56; the number of ratings, and the line for raters
apart, are chosen. Numbers: `alliance_*` in data_contracts/rule.toml.
"""

from __future__ import annotations

from functools import reduce
from math import sqrt

import polars as pl

from data_contracts.measure import TOTAL, Alliance, Measure
from data_contracts.rule import RuleThresholds
from models.alliance import client_totals
from models.episodes import episodes

PATTERNS = (
    "alliance_flat",
    "alliance_at_top",
    "alliance_work_behind_bond",
    "alliance_bond_behind_work",
    "alliance_raters_apart",
)
NORMAL_95 = 1.96
"""Two-sided 95 % of a normal error, as in reliable change."""

_MOMENT = ["case_id", "moment"]


def alliance_patterns(
    ratings: pl.DataFrame, measure: Measure, thresholds: RuleThresholds
) -> pl.DataFrame:
    """Return the spells in which a pattern held, with the numbers at their beginning.

    Parameters
    ----------
    ratings
        All ratings of one alliance measure, in points: `case_id, at, session, day, subscale,
        rater, value`; `subscale` is 'total' or a part of the contract, one row a key.

    Returns
    -------
    `case_id, measure_id, kind` (of PATTERNS), `occasion` (0-based count of the case's rated
    moments at which the spell began), `session, day` (likewise), `until_occasion, until_session,
    until_day` (the first rating without it; null while it lasts), `rating` (the total by the
    contract's rater), `other_rating` (the others'), `bond, work` (the part and the lowest part of
    the work, in points), `work_part` (its name); null where they were not sent.

    Raises
    ------
    ValueError
        If the measure's contract has no lines for an alliance.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> ratings = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 4,
    ...         "at": range(1, 5),
    ...         "session": range(1, 5),
    ...         "day": [0, 7, 14, 21],
    ...         "subscale": ["total"] * 4,
    ...         "rater": ["client"] * 4,
    ...         "value": [37.0] * 4,
    ...     }
    ... )
    >>> found = alliance_patterns(ratings, built_in_measures()["srs"], status_rule().thresholds)
    >>> found.select("kind", "session", "rating").rows()
    [('alliance_flat', 4, 37.0)]
    """
    alliance = measure.alliance
    if alliance is None:
        raise ValueError(f"{measure.measure_id} is no alliance measure")
    rated = _by_session(ratings, measure, alliance)
    # kind, the column that must be known for it to be looked at, whether it holds
    conditions = (
        ("alliance_flat", "rating", _is_flat(alliance, thresholds)),
        ("alliance_at_top", "rating", _is_mostly_at_top(alliance, thresholds)),
        ("alliance_work_behind_bond", "work_share", _lags("bond_share", "work_share", thresholds)),
        ("alliance_bond_behind_work", "work_share", _lags("work_share", "bond_share", thresholds)),
        ("alliance_raters_apart", "points_apart", _raters_apart(alliance)),
    )
    spells = episodes(
        pl.concat(
            rated.filter(pl.col(known).is_not_null()).select(
                "case_id",
                "occasion",
                "day",
                kind=pl.lit(kind),
                series=pl.lit(kind),
                measure_id=pl.lit(measure.measure_id),
                holds=holds.fill_null(value=False),
            )
            for kind, known, holds in conditions
        )
    )
    return (
        spells.select(
            "case_id",
            "measure_id",
            "kind",
            occasion="opened_occasion",
            until_occasion="closed_occasion",
            until_day="closed_day",
        )
        .join(rated, on=["case_id", "occasion"])
        .join(
            rated.select("case_id", until_occasion="occasion", until_session="session"),
            on=["case_id", "until_occasion"],
            how="left",
        )
        .select(
            "case_id", "measure_id", "kind", "occasion", "session", "day", "until_occasion",
            "until_session", "until_day", "rating", "other_rating", "bond", "work", "work_part",
        )
        .sort("case_id", "occasion", "kind")
    )  # fmt: skip


def _by_session(ratings: pl.DataFrame, measure: Measure, alliance: Alliance) -> pl.DataFrame:
    """Return one row a case and rated moment, with totals of both raters and the client's parts."""
    moment = pl.coalesce("day", "at")
    rated = ratings.with_columns(moment=moment)
    own = rated.filter(pl.col("rater") == measure.rater)
    others = rated.filter((pl.col("rater") != measure.rater) & (pl.col("subscale") == TOTAL))
    totals = client_totals(ratings, measure).with_columns(moment=moment)
    tables = [
        totals.group_by(_MOMENT).agg(rating=pl.col("value").mean()),
        others.group_by(_MOMENT).agg(other_rating=pl.col("value").mean()),
        _parts(own, measure, alliance),
    ]
    # one of two raters may have sent no session number
    moments = rated.group_by(_MOMENT).agg(pl.col("session", "day").max())
    joined = reduce(lambda left, right: left.join(right, on=_MOMENT, how="left"), tables, moments)
    return joined.sort(_MOMENT).with_columns(
        occasion=pl.int_range(pl.len()).over("case_id"),
        points_apart=pl.col("rating") - pl.col("other_rating"),
    )


def _parts(own: pl.DataFrame, measure: Measure, alliance: Alliance) -> pl.DataFrame:
    """Return bond and lowest part of the work, in points and as a share of their range."""
    named = {part.subscale: part for part in measure.subscales}
    wanted = [*([alliance.bond] if alliance.bond else []), *alliance.work]
    facts = pl.DataFrame(
        [
            (name, named[name].name, named[name].minimum, named[name].maximum)
            for name in wanted
        ],
        schema={
            "subscale": pl.String,
            "part": pl.String,
            "lowest": pl.Float64,
            "highest": pl.Float64,
        },
        orient="row",
    )  # fmt: skip
    shares = own.join(facts, on="subscale").with_columns(
        share=(pl.col("value") - pl.col("lowest")) / (pl.col("highest") - pl.col("lowest")),
        is_bond=pl.col("subscale") == (alliance.bond or ""),
    )
    bond = shares.filter("is_bond").select(*_MOMENT, bond="value", bond_share="share")
    work = (
        shares.filter(~pl.col("is_bond"))
        .sort(*_MOMENT, "share", "subscale")
        .group_by(_MOMENT, maintain_order=True)
        .agg(
            pl.len().alias("sent_parts"),
            work=pl.col("value").first(),
            work_part=pl.col("part").first(),
            work_share=pl.col("share").first(),
        )
        .filter(pl.col("sent_parts") == len(alliance.work))
        .drop("sent_parts")
    )
    return bond.join(work, on=_MOMENT)


def _is_flat(alliance: Alliance, thresholds: RuleThresholds) -> pl.Expr:
    """Return whether the last ratings are all equal, below the top (of rows with a rating)."""
    last = thresholds.alliance_flat_ratings
    rating = pl.col("rating")
    return (
        (rating.rolling_max(last) == rating.rolling_min(last)).over("case_id")
        & (rating < alliance.ceiling_at)
    )  # fmt: skip


def _is_mostly_at_top(alliance: Alliance, thresholds: RuleThresholds) -> pl.Expr:
    """Return whether more than half of the ratings so far lie at or above the ceiling line."""
    at_top = (pl.col("rating") >= alliance.ceiling_at).cast(pl.Int64).cum_sum().over("case_id")
    count = pl.col("rating").is_not_null().cast(pl.Int64).cum_sum().over("case_id")
    return (count >= thresholds.alliance_prior_ratings) & (2 * at_top > count)


def _lags(ahead: str, behind: str, thresholds: RuleThresholds) -> pl.Expr:
    """Return whether one part has lain below another in the last ratings of both."""
    apart = pl.col(ahead) - pl.col(behind) >= thresholds.alliance_parts_share - 1e-9
    lasting = thresholds.alliance_parts_ratings
    return apart.cast(pl.Int64).rolling_sum(lasting).over("case_id") == lasting


def _raters_apart(alliance: Alliance) -> pl.Expr:
    """Return whether two raters of one session differ by more than errors of both explain."""
    line = NORMAL_95 * sqrt(2) * alliance.standard_error_of_measurement
    return pl.col("points_apart").abs() > line
