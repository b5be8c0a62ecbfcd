"""Which word does a change get, and what can judge changes at all?

A verdict is one of four words; other questions bring words of their own, in the same order.
"""

from __future__ import annotations

from typing import Protocol

import polars as pl

from models.change_reference import Direction, Floats

VERDICTS = ("improved", "unchanged", "deteriorated", "not_computable")


class Judges(Protocol):
    """What judges changes by the columns `pre` and `post`."""

    def columns(self) -> dict[str, pl.Expr]:
        """Return the numbers that are reckoned of `pre` and `post` first, by name."""
        ...

    def verdict(self) -> pl.Expr:
        """Return the verdict, an Enum of `VERDICTS`, of scores and those numbers."""
        ...


def judged_scores(rule: Judges, pre: Floats, post: Floats) -> pl.DataFrame:
    """Judge scores (n,) that stand in arrays, NaN missing; for many cases see `judged_pairs`.

    Examples
    --------
    >>> import numpy as np
    >>> from models.change_reference import Reference
    >>> from models.reliable_change import ReliableChange
    >>> rule = ReliableChange(
    ...     reference=Reference(name="x", sd_pre=7.5), reliability=0.8, higher_is="better"
    ... )
    >>> judged_scores(rule, np.array([40.0]), np.array([52.5]))["verdict"].to_list()
    ['improved']
    """
    scores = pl.DataFrame({"pre": pre, "post": post}).fill_nan(None)
    return scores.with_columns(**rule.columns()).with_columns(verdict=rule.verdict())


def verdict_beyond(
    change: pl.Expr, limit: float, higher_is: Direction, words: tuple[str, ...] = VERDICTS
) -> pl.Expr:
    """Return the verdict on changes (after minus before, null is none) strictly beyond a limit.

    Parameters
    ----------
    change, limit
        In one unit, such as standard errors or points.
    words
        What to call the verdicts, in the order of `VERDICTS`.

    Examples
    --------
    >>> changes = pl.DataFrame({"index": [2.0, 1.96, -3.0, None]})
    >>> changes.select(verdict_beyond(pl.col("index"), 1.96, "better")).to_series().to_list()
    ['improved', 'unchanged', 'deteriorated', 'not_computable']
    """
    improved, unchanged, deteriorated, not_computable = constants(words)
    rise, fall = (improved, deteriorated) if higher_is == "better" else (deteriorated, improved)
    return (
        pl.when(change > limit).then(rise)
        .when(change < -limit).then(fall)
        .when(change.is_null()).then(not_computable)
        .otherwise(unchanged)
    )  # fmt: skip


def constants(words: tuple[str, ...]) -> list[pl.Expr]:
    """Return each word as a constant of the Enum of all of them.

    A choice between constants makes a column of words ten times as quickly as codes do.

    Examples
    --------
    >>> pl.select(constants(("low", "high"))[1]).item()
    'high'
    """
    known = pl.Enum(words)
    return [pl.lit(word, dtype=known) for word in words]
