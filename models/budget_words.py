"""What does a number of cases a week catch and miss, in words?

Numbers come from `alarm_budget.py`; the sentences from data_contracts/wording.toml, [budget].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from data_contracts.wording import templates
from models.alarm_budget import LOWEST_PERCENT
from models.reasons import tenths_text


def with_budget_words(budget: pl.DataFrame, outcome: str) -> pl.DataFrame:
    """Add `sentence` to what `alarm_budget` returns: the line, what it catches, how early.

    >>> budget = pl.DataFrame(
    ...     {"cases_a_week": [5], "unit": ["supervisor"], "threshold": [0.41],
    ...      "case_count": [400], "caught_in_ten": [6], "missed_in_ten": [4],
    ...      "ended_so_in_ten": [5], "lead_weeks": [7.0], "ever_flagged": [0.6],
    ...      "is_suppressed": [False]},
    ... )
    >>> said = with_budget_words(budget, "drop_out")["sentence"][0].split(". ")
    >>> said[0]
    'With 5 cases a week for a supervisor, cases come up whose chance to drop out is 41 in 100 \
or more'
    >>> said[1].split(";")[0]
    'Of 10 past cases that ended so, 6 came up in time and 4 were missed'
    """
    words, ends = templates("budget"), templates("outlook")
    said, shown = [], None
    enough = _enough(budget)
    for row in budget.sort("cases_a_week").iter_rows(named=True):
        sentences = _sentences(row, shown, words, ends[f"end.{outcome}"])
        if enough is not None and row["cases_a_week"] >= enough:
            sentences += _nothing_more(row, enough, words)
        said.append(" ".join(sentences))
        shown = shown if row["caught_in_ten"] is None else row
    return budget.sort("cases_a_week").with_columns(sentence=pl.Series(said, dtype=pl.String))


def _enough(budget: pl.DataFrame) -> int | None:
    """Return the fewest cases a week at the lowest line there is; None where none reaches it."""
    at_lowest = budget.filter((100 * pl.col("threshold")).round() <= LOWEST_PERCENT)
    return None if at_lowest.is_empty() else int(at_lowest["cases_a_week"].to_numpy().min())


def _nothing_more(row: Mapping[str, Any], enough: int, words: Mapping[str, str]) -> list[str]:
    said = [words["nothing_more"].format(number=enough, percent=LOWEST_PERCENT)]
    if row["ever_flagged"] is not None and not row["is_suppressed"]:
        said.append(words["ever_flagged"].format(tenths=tenths_text(row["ever_flagged"])))
    return said


def _sentences(
    row: Mapping[str, Any], shown: Mapping[str, Any] | None, words: Mapping[str, str], end: str
) -> list[str]:
    """Return the sentences of a row; `shown` is the last row before it whose numbers are shown."""
    said = [
        words[f"line_{row['unit']}"].format(
            number=_counted(row["cases_a_week"], "case"),
            end=end,
            percent=round(100 * row["threshold"]),
        )
    ]
    if row["is_suppressed"]:
        if shown is None:
            return [*said, words["hidden"]]
        # More time never catches less, so what fewer cases a week caught holds here too.
        at_least = words["hidden_at_least"].format(
            caught=shown["caught_in_ten"], number=_counted(shown["cases_a_week"], "case")
        )
        return [*said, at_least]
    if row["ended_so_in_ten"] is None:
        return [*said, words["none"].format(count=row["case_count"])]
    said.append(
        words["catches"].format(
            caught=row["caught_in_ten"],
            missed=row["missed_in_ten"],
            ended_so=row["ended_so_in_ten"],
            count=f"{row['case_count']:,}",
        )
    )
    if row["lead_weeks"] is not None:
        weeks = round(row["lead_weeks"])
        said.append(words["lead"].format(weeks=_counted(weeks, "week")))
    return said


def _counted(number: int, one: str) -> str:
    return f"{number} {one if number == 1 else one + 's'}"
