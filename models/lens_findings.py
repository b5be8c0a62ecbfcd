"""How is a finding of a lens said, and how strong a sign is it?

A finding is one case and lens row that was looked at: with a sentence where something was found,
without one where nothing stands out. Words and lines come from data_contracts/lenses.toml.
"""

from __future__ import annotations

import polars as pl

from data_contracts.lenses import LensRow
from data_contracts.wording import marks, pieces

FINDING_SCHEMA = {
    "case_id": pl.String,
    "row_id": pl.String,
    "strength": pl.String,
    "parameters": pl.String,
    "sentence": pl.String,
}


def said(rows: pl.DataFrame, row: LensRow, variant: str) -> pl.DataFrame:
    """Return findings with their sentence.

    `rows` holds `case_id`, `strength` (null: told without one) and a text column for every mark.

    >>> from data_contracts.lenses import lens_row
    >>> rows = pl.DataFrame(
    ...     {"case_id": ["c1"], "strength": ["strong"], "told": ["3"], "done": ["10"]}
    ... )
    >>> said(rows, lens_row("homework_not_done"), "little")["sentence"].to_list()
    ['Of what was set the last 3 times, 10 % was done on average.']
    """
    template = row.sentences[variant]
    named = sorted(set(marks(template)))
    return rows.select(
        "case_id",
        row_id=pl.lit(row.id),
        strength=_at_most(pl.col("strength").cast(pl.String), row),
        parameters=pl.struct(named).struct.json_encode() if named else pl.lit("{}"),
        sentence=pl.concat_str(
            pl.col(text).fill_null("?") if is_mark else pl.lit(text)
            for is_mark, text in pieces(template)
        ),
    )


def _at_most(strength: pl.Expr, row: LensRow) -> pl.Expr:
    """Return the strength a row may have: moderate at most where no figure is known."""
    if row.most == "strong":
        return strength
    return pl.when(strength == "strong").then(pl.lit(row.most)).otherwise(strength)


def looked_at(rows: pl.DataFrame, row: LensRow) -> pl.DataFrame:
    """Return findings without a sentence: there were data, and nothing stands out.

    >>> from data_contracts.lenses import lens_row
    >>> looked_at(pl.DataFrame({"case_id": ["c1", "c1"]}), lens_row("hope")).rows()
    [('c1', 'hope', None, '{}', '')]
    """
    return rows.select(
        pl.col("case_id").unique(),
    ).select(
        "case_id",
        row_id=pl.lit(row.id),
        strength=pl.lit(None, dtype=pl.String),
        parameters=pl.lit("{}"),
        sentence=pl.lit(""),
    )


def findings(row: LensRow, seen: pl.DataFrame, **variants: pl.DataFrame) -> pl.DataFrame:
    """Return the findings of one row: its variants where they hold, and who was looked at.

    Parameters
    ----------
    seen
        Cases with enough data: `case_id`.
    variants
        By name of the sentence: rows as for `said`.

    >>> from data_contracts.lenses import lens_row
    >>> seen = pl.DataFrame({"case_id": ["c1", "c2"]})
    >>> told = pl.DataFrame(
    ...     {"case_id": ["c1"], "strength": ["strong"], "told": ["3"], "done": ["10"]}
    ... )
    >>> findings(lens_row("homework_not_done"), seen, little=told)["strength"].to_list()
    ['strong', None, None]
    """
    return pl.concat(
        [said(rows, row, variant) for variant, rows in variants.items()] + [looked_at(seen, row)]
    )


def strength(
    *, moderate: pl.Expr, strong: pl.Expr | None = None, weak: pl.Expr | None = None
) -> pl.Expr:
    """Return the strongest of the conditions that hold, as `strength`; null where none does.

    >>> rows = pl.DataFrame({"fall": [1, 2, 4]})
    >>> rows.select(strength(moderate=pl.col("fall") >= 2, strong=pl.col("fall") >= 4))[
    ...     "strength"
    ... ].to_list()
    [None, 'moderate', 'strong']
    """
    nothing = pl.lit(value=False)
    return (
        pl.when(nothing if strong is None else strong)
        .then(pl.lit("strong"))
        .when(moderate)
        .then(pl.lit("moderate"))
        .when(nothing if weak is None else weak)
        .then(pl.lit("weak"))
        .alias("strength")
    )


def when(session: str = "session", day: str = "day", at: str = "at") -> pl.Expr:
    """Return "session 8", else "day 56", else "score at 5".

    >>> rows = pl.DataFrame({"session": [8, None], "day": [56, 56], "at": [8, 56]})
    >>> rows.select(said=when())["said"].to_list()
    ['session 8', 'day 56']
    """
    return (
        pl.when(pl.col(session).is_not_null())
        .then(pl.format("session {}", session))
        .when(pl.col(day).is_not_null())
        .then(pl.format("day {}", day))
        .otherwise(pl.format("score at {}", at))
    )
