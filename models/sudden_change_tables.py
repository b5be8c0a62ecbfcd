"""What is told of every sudden change, and of every case?

A gain is reversed if a later score, from session n + 2 on, gives back more than half of it (Tang &
DeRubeis 1999). The R package looks from n + 3 on, unless the baseline is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.sudden_change import UNTESTED, Columns, SuddenChangeRule

AROUND = (
    "score_two_before",
    "score_one_before",
    "score_before",
    "score_after",
    "score_one_later",
    "score_two_later",
)
"""Scores at sessions n - 2 to n + 3."""


REASONS: dict[str, str] = {
    "no_score": "no score in the sessions looked at",
    "too_few_sessions": "fewer than four sessions from the first to the last score: no interval "
    "has two sessions on each side",
    "negative_score": "a share of a negative score means nothing: switch criterion 2 off",
    "gaps": "no two neighbouring sessions have a score with enough scores around them",
}
"""Why no interval of a case could be judged; the first that applies."""


EVENT_COLUMNS = (
    "case_id",
    "session",
    "changes_of_case",
    *AROUND,
    "points_better",
    "treatment_gain",
    "share_of_treatment_gain",
    "reversal_level",
    "is_reversed",
)


SERIES_COLUMNS = (
    "case_id",
    "score_count",
    "between_sessions",
    "judged",
    "not_judged",
    "change_count",
    "has_enough_scores",
    "reason",
)


@dataclass(frozen=True, kw_only=True)
class SuddenChanges:
    """What was found, and what could not be asked."""

    rule: SuddenChangeRule
    events: pl.DataFrame
    """One row a jump between sessions n and n + 1, by case and session:
    `case_id, session` (n), `changes_of_case, <AROUND>, points_better` (of the jump; negative for a
    loss), `treatment_gain` (first score minus last, as points better), `share_of_treatment_gain`
    (null where that gain is 0 or unknown), `reversal_level, is_reversed` (null where no later score
    could show it)."""
    series: pl.DataFrame
    """One row a case: `case_id, score_count, between_sessions, judged, not_judged` (intervals),
    `change_count` (null where nothing could be judged), `has_enough_scores` (for all three
    criteria, somewhere), `reason` (a key of REASONS; null where an interval was judged)."""


def joined_blocks(
    blocks: list[Block], case_ids: pl.Series, rule: SuddenChangeRule
) -> SuddenChanges:
    """Put together what was found block by block; `case_ids` are those of all blocks in turn.

    Examples
    --------
    >>> rule = SuddenChangeRule(cutoff=7)
    >>> from models.sudden_change_rows import Rows, changes_in_rows
    >>> scores = pl.Series([30, 31, 30, 15, 14, 14])
    >>> rows = Rows.of(pl.Series(["a"] * 6), pl.Series(range(1, 7)), scores)
    >>> block = Block.of(*changes_in_rows(rows, rule, None), 0)
    >>> joined_blocks([block], pl.Series(["a"]), rule).series["change_count"].to_list()
    [1]
    """
    return SuddenChanges(
        rule=rule,
        events=_events([block.events for block in blocks], case_ids, rule),
        series=_series([block.series for block in blocks], case_ids, rule),
    )


@dataclass(frozen=True, kw_only=True)
class Block:
    """Columns of the events and of the cases of some courses."""

    events: Columns
    series: Columns

    def numbered(self, first_case: int) -> Block:
        """Return it with its cases numbered from here on."""
        return replace(self, events=self.events | {"case": self.events["case"] + first_case})

    @classmethod
    def of(cls, events: Columns, series: Columns, first_case: int) -> Block:
        """Return what was found in rows or courses, its cases numbered from here on."""
        around = dict(zip(AROUND, events["around"], strict=True))
        named = {name: column for name, column in events.items() if name != "around"} | around
        return cls(events=named, series=series).numbered(first_case)


def _events(blocks: list[Columns], case_ids: pl.Series, rule: SuddenChangeRule) -> pl.DataFrame:
    columns = _joined(blocks)
    points, treatment = pl.col("points_better"), pl.col("treatment_gain")
    return (
        pl.DataFrame(columns)
        .with_columns(pl.col(*AROUND, "treatment_gain", "reversal_level").fill_nan(None))
        .with_columns(
            case_id=case_ids.gather(columns["case"]),
            points_better=rule.better_sign * (pl.col("score_before") - pl.col("score_after")),
            is_reversed=pl.when("can_tell").then("is_reversed"),
        )
        .with_columns(
            share_of_treatment_gain=pl.when(treatment != 0).then(points.abs() / treatment)
        )
        .select(*EVENT_COLUMNS)
    )


def _series(blocks: list[Columns], case_ids: pl.Series, rule: SuddenChangeRule) -> pl.DataFrame:
    words = {word: pl.lit(word, dtype=pl.Enum(list(REASONS))) for word in REASONS}
    reason = (
        pl.when(pl.col("judged") > 0).then(None)
        .when(pl.col("score_count") == 0).then(words["no_score"])
        .when(pl.col("between_sessions") < UNTESTED).then(words["too_few_sessions"])
        .when(pl.col("has_negative") & (rule.share is not None)).then(words["negative_score"])
        .otherwise(words["gaps"])
    )  # fmt: skip
    return (
        pl.DataFrame(_joined(blocks))
        .with_columns(
            case_id=case_ids,
            change_count=pl.when(pl.col("judged") > 0).then("change_count"),
            reason=reason,
        )
        .select(*SERIES_COLUMNS)
    )


def _joined(blocks: list[Columns]) -> Columns:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
