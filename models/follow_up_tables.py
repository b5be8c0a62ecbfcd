"""What may be said of what followed flags, once small numbers are hidden?

In: one row a case and kind of flag (models/follow_up.py), and what supervisors said of flags.
Out: published_follow_up. Every count of a kind is tied to the others of it, so
models/derivable_counts.py decides which may be shown. A case counts once within a kind, and kinds
are not added up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from data_contracts.review_words import DECISIONS
from data_contracts.suppression import SuppressionRule
from data_contracts.tables_judged import FLAG_KINDS
from models.derivable_counts import showable
from models.follow_up import ENDED_FIRST, GROUPS, MEASURED, WENT_ON
from models.suppression import ALL, FIGURE_NUMBERS, figure_numbers

Cell = tuple[str, str]
"""Name of a count and the group it is counted in: ("better", "reviewed")."""

FEWEST_FOR_QUARTERS = 20
"""Below it the quarters of a distribution are single people."""
FOLLOW_UP_COLUMNS: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("figure", "kind", "group_id", "category"), pl.String),
    **FIGURE_NUMBERS,
    "middle": pl.Float64,
    "low_quarter": pl.Float64,
    "high_quarter": pl.Float64,
}

_FLAGGED: Cell = ("flagged", ALL)
_REVIEWED, _WAITING = GROUPS[:2]
_SPREAD = {"measured": "gain", "next_score": "weeks_to_next"}
"""Figures that also tell how something is spread among those counted."""


def follow_up(followed: pl.DataFrame, answers: pl.DataFrame, rule: SuppressionRule) -> pl.DataFrame:
    """Return published_follow_up: a row for each kind of flag, figure, group and category.

    Parameters
    ----------
    followed
        As models.follow_up.followed_flags returns it.
    answers
        `case_id, kind, was_useful`: what was said of the flag that led, in order of time. The
        first answer about a case and kind counts.

    Examples
    --------
    >>> from data_contracts.suppression import suppression_rule
    >>> followed = pl.DataFrame(
    ...     {
    ...         "case_id": [f"c{case}" for case in range(60)],
    ...         "kind": "stuck",
    ...         "group": "not_shown",
    ...         "decision": None,
    ...         "is_reviewed_later": False,
    ...         "went_on": ["better"] * 20 + ["stuck"] * 40,
    ...         "gain": [1.0] * 20 + [0.0] * 40,
    ...         "weeks_to_next": 1.0,
    ...     }
    ... )
    >>> answers = pl.DataFrame(schema={"case_id": str, "kind": str, "was_useful": bool})
    >>> found = follow_up(followed, answers, suppression_rule("default"))
    >>> found.filter(figure="went_on", category="better", group_id="not_shown").select(
    ...     "numerator", "denominator"
    ... ).row(0)
    (20, 60)
    """
    said = answers.filter(
        pl.col("was_useful").is_not_null() & pl.col("kind").is_in(FLAG_KINDS)
    ).unique(["case_id", "kind"], keep="first", maintain_order=True)
    rows: list[tuple[object, ...]] = []
    for kind in FLAG_KINDS:
        of_kind = followed.filter(kind=kind)
        useful = said.filter(kind=kind)["was_useful"]
        if of_kind.height or useful.len():
            rows += _rows(kind, of_kind, useful, rule)
    return pl.DataFrame(rows, schema=FOLLOW_UP_COLUMNS, orient="row").sort(
        "figure", "kind", "group_id", "category"
    )


def _rows(
    kind: str, of_kind: pl.DataFrame, useful: pl.Series, rule: SuppressionRule
) -> list[tuple[object, ...]]:
    counted = _counted(of_kind, useful)
    asked = _asked()
    # Where one must be hidden to protect another: a part before what it is a part of.
    worth = {part: 0 for *_, part, _ in asked} | {whole: 1 for *_, whole in asked}
    shown = showable(
        counted.counts,
        worth,
        counted.sums,
        hide_up_to=rule.hide_up_to,
        round_to=rule.round_to,
        shows_nobody=True,
    )
    may_say = {cell: count for cell, count in counted.counts.items() if cell in shown}
    return [
        (
            figure,
            kind,
            group,
            category,
            *figure_numbers(may_say.get(part), may_say.get(whole), rule),
            *_quarters(of_kind.filter(group=group), figure, may_say.get(part, 0)),
        )
        for figure, group, category, part, whole in asked
        if figure == "flagged" or may_say.get(whole) != 0  # of nobody there is nothing to tell
    ]


def _asked() -> list[tuple[str, str, str, Cell, Cell]]:
    """Return every row to publish: figure, group, category, numerator, denominator."""
    rows: list[tuple[str, str, str, Cell, Cell]] = [
        ("flagged", group, ALL, ("cases", group), _FLAGGED) for group in (*GROUPS, ENDED_FIRST)
    ]
    for group in GROUPS:
        cases = ("cases", group)
        rows += [("went_on", group, each, (each, group), cases) for each in WENT_ON]
        rows += [(each, group, ALL, (each, group), cases) for each in _SPREAD]
    rows.append(("reviewed_later", _WAITING, ALL, ("later", _WAITING), ("cases", _WAITING)))
    for each in DECISIONS:
        rows.append(("decided", each, ALL, ("cases", each), ("cases", _REVIEWED)))
        rows.append(("better", each, ALL, ("better", each), ("cases", each)))
    rows.append(("useful", ALL, ALL, ("useful", ALL), ("answered", ALL)))
    return rows


@dataclass(frozen=True)
class _Counted:
    """Every count of a kind that a reader could work out, and the sums by which."""

    counts: dict[Cell, int] = field(default_factory=dict)
    sums: list[tuple[Cell, list[Cell]]] = field(default_factory=list)

    def split(self, total: Cell, parts: dict[Cell, int]) -> None:
        """Note that a total is the sum of parts that exclude one another."""
        self.counts[total] = sum(parts.values())
        self.counts.update(parts)
        self.sums.append((total, list(parts)))


def _counted(of_kind: pl.DataFrame, useful: pl.Series) -> _Counted:
    counted = _Counted()
    groups = {group: of_kind.filter(group=group) for group in (*GROUPS, ENDED_FIRST)}
    counted.split(_FLAGGED, {("cases", group): rows.height for group, rows in groups.items()})
    for group in GROUPS:
        rows = groups[group]
        went_on = {(each, group): rows.filter(went_on=each).height for each in WENT_ON}
        counted.split(("cases", group), went_on)
        measured = {(each, group): went_on[each, group] for each in MEASURED}
        counted.split(("measured", group), measured)
        few = rows["weeks_to_next"].count() - sum(measured.values())
        counted.split(
            ("next_score", group),
            {("measured", group): sum(measured.values()), ("too_few_scores", group): few},
        )
        counted.split(
            ("cases", group),
            {
                ("next_score", group): rows["weeks_to_next"].count(),
                ("no_next_score", group): rows["weeks_to_next"].null_count(),
            },
        )
    later = groups[_WAITING].filter("is_reviewed_later").height
    counted.split(
        ("cases", _WAITING),
        {("later", _WAITING): later, ("never", _WAITING): groups[_WAITING].height - later},
    )
    _split_by_decision(counted, groups[_REVIEWED])
    yes = int(useful.sum())
    counted.split(
        ("answered", ALL), {("useful", ALL): yes, ("not_useful", ALL): useful.len() - yes}
    )
    return counted


def _split_by_decision(counted: _Counted, reviewed: pl.DataFrame) -> None:
    decided = {each: reviewed.filter(decision=each) for each in DECISIONS}
    better = {each: rows.filter(went_on="better").height for each, rows in decided.items()}
    for each, rows in decided.items():
        counted.split(
            ("cases", each),
            {("better", each): better[each], ("not_better", each): rows.height - better[each]},
        )
    counted.split(("cases", _REVIEWED), {("cases", each): decided[each].height for each in decided})
    counted.split(("better", _REVIEWED), {("better", each): better[each] for each in decided})


def _quarters(rows: pl.DataFrame, figure: str, count: int) -> tuple[float | None, ...]:
    """Return median and quarters of what a figure tells of those counted; nothing of few."""
    if figure not in _SPREAD or count < FEWEST_FOR_QUARTERS:
        return None, None, None
    values = rows[_SPREAD[figure]].drop_nulls()
    if values.len() < FEWEST_FOR_QUARTERS:
        return None, None, None
    return tuple(
        round(float(values.quantile(at, interpolation="linear") or 0.0), 2)
        for at in (0.5, 0.25, 0.75)
    )
