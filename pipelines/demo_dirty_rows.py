"""Which broken lines does the simulated practice send among the good ones? Kinds and counts.

Broken lines are added, never put in the place of a good one: what is left once they are refused
(and duplicates dropped, contradictions averaged) is the clean practice. Every count is chosen.
"""

import numpy as np
import polars as pl

VALUES_OUT_OF_RANGE = ("99", "-1", "41")  # outside the range of every measure of the practice
TEXT_IN_VALUE = "n/a?"
UNKNOWN_MEASURE = "PHQ9x"
FRACTIONAL_SESSION = "3.5"
CONTRADICTION = 2  # points between two values for the same key, both in range

DIRTY_SCORES: dict[str, int] = {
    "value_out_of_range": 6,
    "text_in_value": 5,
    "unknown_measure": 4,
    "exact_duplicate": 8,
    "contradicting_value": 5,
    "missing_case_id": 4,
    "fractional_session": 4,
    "blank_line": 3,
}
DIRTY_SESSIONS: dict[str, int] = {
    "exact_duplicate": 4,
    "missing_case_id": 3,
    "fractional_session": 3,
    "blank_line": 2,
}


def soil(
    rng: np.random.Generator, table: pl.DataFrame, wanted: dict[str, int]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Add broken copies of rows at random places.

    Parameters
    ----------
    table
        Text columns, as sent; read are case_id, session and, where wanted, measure and value.
    wanted
        Lines of each kind; a table with fewer rows than wanted lines gets as many as it has rows.

    Returns
    -------
    The table with a row of nulls for a blank line, and the lines of each kind that were added.
    """
    sources = rng.permutation(table.height)[: sum(wanted.values())]
    ends = np.cumsum(list(wanted.values()))
    parts = dict(zip(wanted, np.split(sources, ends[:-1]), strict=True))
    broken = [table[rows.tolist()].with_columns(_damage(kind)) for kind, rows in parts.items()]
    place = rng.integers(0, table.height + 1, len(sources))
    soiled = (
        pl.concat([table, *broken])
        .with_columns(pl.Series("place", np.concatenate([np.arange(table.height), place - 0.5])))
        .sort("place", maintain_order=True)
        .drop("place")
    )
    return soiled, {kind: len(rows) for kind, rows in parts.items()}


def _damage(kind: str) -> list[pl.Expr]:
    """Return what to change in a good row to make a broken one of this kind."""
    value = pl.col("value").cast(pl.Int64)
    is_room_below = value >= CONTRADICTION
    other = pl.when(is_room_below).then(value - CONTRADICTION).otherwise(value + CONTRADICTION)
    position = pl.int_range(pl.len()) % len(VALUES_OUT_OF_RANGE)
    damages: dict[str, list[pl.Expr]] = {
        "value_out_of_range": [
            position.replace_strict(dict(enumerate(VALUES_OUT_OF_RANGE))).alias("value")
        ],
        "text_in_value": [pl.lit(TEXT_IN_VALUE).alias("value")],
        "unknown_measure": [pl.lit(UNKNOWN_MEASURE).alias("measure")],
        "exact_duplicate": [],
        "contradicting_value": [other.cast(pl.String).alias("value")],
        "missing_case_id": [pl.lit(None, dtype=pl.String).alias("case_id")],
        "fractional_session": [pl.lit(FRACTIONAL_SESSION).alias("session")],
        "blank_line": [pl.when(pl.lit(value=False)).then(pl.all())],
    }
    return damages[kind]
