"""What is counted for the practice's trends, of whom, and how are the counts tied together?

Every figure is one count over another. Counts are parts of each other (improved, paired, ended),
and each is the sum of its groups: months make up quarters, quarters, sites, problems and groups of
people the practice. Whoever knows some can work out others, so all of them stand here by one name
each, and models/derivable_counts.py decides which may be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

Cell = tuple[str, str, str, str]
"""Name of a count, dimension, group, period: ("improved", "site", "north", "quarter 02")."""
Sum = tuple[Cell, list[Cell]]
"""A total and its parts."""

ALL = "all"
NOW = "now"
PRACTICE = "practice"
NO_CALENDAR = "no calendar"
NOT_GIVEN = "not given"
OTHER_GROUPS = "other groups"
"""Groups of too few people, together: the label of a group must not name one person."""
QUARTERLY_DIMENSIONS = ("site", "problem")
FLAT_DIMENSIONS = ("age_band", "sex", "ethnicity")
DIMENSIONS = (*QUARTERLY_DIMENSIONS, *FLAT_DIMENSIONS)
POOLED_DIMENSIONS = ("problem", *FLAT_DIMENSIONS)

SESSION_MARKS = (4, 8, 16)
"""By which sessions a first clear improvement is counted. Closer marks hide more: few improve
between them."""
WAITING_MARKS = (42, 126)
"""Days from referral to the first session: England's 6 and 18 weeks (M, recalled)."""

FIGURES: dict[str, tuple[str, str]] = {
    "reliable_improvement": ("improved", "paired"),
    "recovery": ("recovered", "clinical_at_start"),
    "reliable_recovery": ("reliably_recovered", "clinical_at_start"),
    "deterioration": ("deteriorated", "paired"),
    "drop_out": ("dropped_out", "end_known"),
    "paired": ("paired", "ended"),
    **{f"improved_by_{mark}": (f"improved_by_{mark}", "paired") for mark in SESSION_MARKS},
    **{f"waiting_{mark}": (f"waited_{mark}", "wait_known") for mark in WAITING_MARKS},
    "attendance": ("attended", "offered"),
    "completeness": ("scored", "attended"),
}
"""Each figure with its numerator and denominator."""

# Each total with parts that exclude one another; what is left over is a count too.
_PARTS = {
    "ended_cases": (
        ("ended", ("end_known",)),
        ("end_known", ("dropped_out",)),
        ("ended", ("paired",)),
        ("paired", ("improved", "deteriorated")),
        ("paired", ("clinical_at_start",)),
        ("clinical_at_start", ("recovered",)),
        ("recovered", ("reliably_recovered",)),
        ("improved", ("reliably_recovered",)),
        ("paired", ("improved_by_16",)),
        ("improved_by_16", ("improved_by_8",)),
        ("improved_by_8", ("improved_by_4",)),
    ),
    "started_cases": (
        ("wait_known", ("waited_126",)),
        ("waited_126", ("waited_42",)),
    ),
    "offered_sessions": (
        ("offered", ("attended",)),
        ("attended", ("scored",)),
    ),
}

# How much a count is worth where another must be hidden for it: the wider the group, the more; then
# what other figures stand on; then outcomes before the rest.
_WORTH_OF_COUNT = (
    "improved_by_4",
    "improved_by_16",
    "improved_by_8",
    "waited_126",
    "scored",
    "dropped_out",
    "waited_42",
    "attended",
    "deteriorated",
    "recovered",
    "improved",
    "reliably_recovered",
    "clinical_at_start",
    "end_known",
    "paired",
    "wait_known",
    "offered",
    "ended",
)
_LEVEL = 100


@dataclass(frozen=True, kw_only=True)
class TrendCounts:
    """Every count of the practice's trends, before any suppression, and how they are tied."""

    counts: dict[Cell, int]
    people: dict[Cell, int]
    sums: list[Sum]

    def with_more(self, other: TrendCounts) -> TrendCounts:
        """Return these counts and others, which share none of them."""
        return TrendCounts(
            counts=self.counts | other.counts,
            people=self.people | other.people,
            sums=self.sums + other.sums,
        )


def trend_counts(marks: pl.DataFrame, family: str, *, hide_up_to: int) -> TrendCounts:
    """Count one family of marks for every group and period, also where it finds nobody.

    That a row is missing must not say where the people of a hidden total are.

    Parameters
    ----------
    marks
        One row a case, or a case and month: `case_id`, `quarter`, `month`, a column for each of
        `DIMENSIONS`, and one whole number for each count of the family.
    family
        "ended_cases", "started_cases" or "offered_sessions".
    hide_up_to
        Groups of so many people or fewer (sites aside) are counted together, as `OTHER_GROUPS`; in
        a practice of so many or fewer nothing is counted by period.

    Examples
    --------
    >>> marks = pl.DataFrame(
    ...     {
    ...         "case_id": ["a", "b"], "quarter": "quarter 01", "month": ["month 01", "month 02"],
    ...         "site": ["north", "south"], "problem": "depression", "age_band": "25-34",
    ...         "sex": "f", "ethnicity": "not given",
    ...         "wait_known": [1, 1], "waited_126": [1, 1], "waited_42": [1, 0],
    ...     }
    ... )
    >>> found = trend_counts(marks, "started_cases", hide_up_to=0)
    >>> found.counts["waited_42", "practice", "all", "quarter 01"]
    1
    >>> found.counts["waited_42", "site", "south", "all"]
    0
    """
    parts = _PARTS[family]
    names = list(dict.fromkeys(name for total, those in parts for name in (total, *those)))
    rests = {_rest(total, those): (total, those) for total, those in parts}
    whole = _pooled(marks, hide_up_to).with_columns(
        pl.col(total).sub(sum((pl.col(part) for part in those), pl.lit(0))).alias(rest)
        for rest, (total, those) in rests.items()
    )
    counts: dict[Cell, int] = {}
    people: dict[Cell, int] = {}
    is_dated = marks["case_id"].n_unique() > hide_up_to
    quarters = whole["quarter"].unique(maintain_order=True).to_list() if is_dated else []
    quarter_of_month = _months_of(quarters)
    for dimension, period, places in _places(whole, quarters, list(quarter_of_month)):
        counted = whole.group_by(places.columns).agg(
            *(pl.col(name).sum() for name in (*names, *rests)),
            *(
                pl.col("case_id").filter(pl.col(name) > 0).n_unique().alias(f"people {name}")
                for name in (*names, *rests)
            ),
        )
        there = places.join(counted, on=places.columns, how="left", maintain_order="left")
        for row in there.fill_null(0).iter_rows(named=True):
            group = str(row[dimension]) if dimension != PRACTICE else ALL
            when = str(row[period]) if period != ALL else ALL
            for name in (*names, *rests):
                counts[name, dimension, group, when] = int(row[name])
                people[name, dimension, group, when] = int(row[f"people {name}"])
    sums: list[Sum] = []
    for _, dimension, group, period in (cell for cell in counts if cell[0] == names[0]):
        place = (dimension, group, period)
        sums += [
            ((total, *place), [(part, *place) for part in (*those, rest)])
            for rest, (total, those) in rests.items()
        ]
    for name in names:
        sums += _sums_of_groups(name, counts, quarter_of_month)
    return TrendCounts(counts=counts, people=people, sums=sums)


def status_counts(mix: pl.DataFrame, statuses: Sequence[str]) -> TrendCounts:
    """Count the open cases by status, for the practice and each site.

    `mix` has `site, status, case_count`, one row a pair that occurs.

    >>> mix = pl.DataFrame({"site": ["a", "b"], "status": ["stuck", "watch"], "case_count": 9})
    >>> status_counts(mix, ["stuck", "watch"]).counts["stuck", "site", "b", "now"]
    0
    """
    found = {(site, status): count for site, status, count in mix.iter_rows()}
    sites = sorted({site for site, _ in found})
    counts: dict[Cell, int] = {}
    sums: list[Sum] = []
    places = [("site", site) for site in sites] + ([(PRACTICE, ALL)] if sites else [])
    for dimension, group in places:
        own = sites if dimension == PRACTICE else [group]
        parts: list[Cell] = []
        for status in statuses:
            cell = (status, dimension, group, NOW)
            counts[cell] = sum(found.get((site, status), 0) for site in own)
            parts.append(cell)
        counts["open", dimension, group, NOW] = sum(counts[part] for part in parts)
        sums.append((("open", dimension, group, NOW), parts))
    if sites:
        sums += [
            ((name, PRACTICE, ALL, NOW), [(name, "site", site, NOW) for site in sites])
            for name in ("open", *statuses)
        ]
    return TrendCounts(counts=counts, people=dict(counts), sums=sums)


def worth_of(cells: Iterable[Cell]) -> dict[Cell, int]:
    """Return how much each count is worth that is meant for publication; others are left out.

    >>> worth_of([("improved", "practice", "all", "all"), ("recovered, rest", "sex", "f", "all")])
    {('improved', 'practice', 'all', 'all'): 510}
    """
    by_count = {name: place for place, name in enumerate(_WORTH_OF_COUNT)}
    return {
        cell: _LEVEL * _level(cell) + by_count.get(cell[0], 0)
        for cell in cells
        if cell[0] in by_count or cell[3] == NOW
    }


def _level(cell: Cell) -> int:
    _, dimension, _, period = cell
    if dimension == PRACTICE:
        return 0 if period.startswith("month") else 3 if period.startswith("quarter") else 5
    if dimension in FLAT_DIMENSIONS:
        return 2
    return 4 if period == ALL else 1


def _rest(total: str, parts: Sequence[str]) -> str:
    return f"{total} less {' and '.join(parts)}"


def _pooled(marks: pl.DataFrame, hide_up_to: int) -> pl.DataFrame:
    """Put groups of few people together, and add the practice as a group of everybody."""
    return marks.with_columns(
        pl.lit(ALL).alias(PRACTICE),
        *(
            pl.when(pl.col("case_id").n_unique().over(dimension) <= hide_up_to)
            .then(pl.lit(OTHER_GROUPS))
            .otherwise(dimension)
            .alias(dimension)
            for dimension in POOLED_DIMENSIONS
        ),
    )


def _months_of(quarters: Iterable[str]) -> dict[str, str]:
    """Return the quarter of each month, as step_9_summarise.sql names them."""
    return {
        f"month {3 * number + place:02}": quarter
        for quarter in quarters
        if quarter != NO_CALENDAR
        for number in (int(quarter.split()[1]),)
        for place in (-2, -1, 0)
    }


def _places(
    marks: pl.DataFrame, quarters: Sequence[str], months: Sequence[str]
) -> Iterable[tuple[str, str, pl.DataFrame]]:
    """Return every group, and every group and period, as dimension, kind of period and rows.

    A group has a row in every period in which the practice has one.
    """
    for dimension in (PRACTICE, *DIMENSIONS):
        groups = marks.select(dimension).unique(maintain_order=True)
        if dimension in POOLED_DIMENSIONS and set(groups[dimension]) <= {NOT_GIVEN, OTHER_GROUPS}:
            continue
        yield dimension, ALL, groups
        if dimension in (PRACTICE, *QUARTERLY_DIMENSIONS):
            yield dimension, "quarter", groups.join(_named("quarter", quarters), how="cross")
        if dimension == PRACTICE:
            yield dimension, "month", groups.join(_named("month", months), how="cross")


def _named(name: str, periods: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({name: periods}, schema={name: pl.String})


def _sums_of_groups(
    name: str, counts: Mapping[Cell, int], quarter_of_month: Mapping[str, str]
) -> list[Sum]:
    """Return one count of the practice as the sum of its groups and periods."""
    parts: dict[tuple[Cell, str], list[Cell]] = {}
    for cell in counts:
        if cell[0] != name:
            continue
        _, dimension, group, period = cell
        if dimension != PRACTICE:
            parts.setdefault(((name, PRACTICE, ALL, period), dimension), []).append(cell)
        if period == ALL:
            continue
        quarter = quarter_of_month.get(period)
        above: Cell = (name, dimension, group, quarter or ALL)
        parts.setdefault((above, "month" if quarter else "quarter"), []).append(cell)
    return [(total, those) for (total, _), those in parts.items()]
