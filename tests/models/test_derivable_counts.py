"""No small count can be worked out from the shown ones; checked with exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.derivable_counts import showable

Sum = tuple[str, list[str]]


def solved(counts: dict[str, int], shown: set[str], sums: list[Sum]) -> set[str]:
    """Return what is not shown and still known, by Gauss and Jordan in whole fractions."""
    unknown = [name for name in counts if name not in shown]
    rows = []
    for total, parts in sums:
        row = [Fraction(0)] * len(unknown)
        for name, sign in ((total, -1), *((part, 1) for part in parts)):
            if name in unknown:
                row[unknown.index(name)] += sign
        rows.append(row)
    pivots = 0
    for column in range(len(unknown)):
        below = next((place for place in range(pivots, len(rows)) if rows[place][column]), None)
        if below is None:
            continue
        rows[pivots], rows[below] = rows[below], rows[pivots]
        head = rows[pivots][column]
        rows[pivots] = [value / head for value in rows[pivots]]
        for place, row in enumerate(rows):
            if place != pivots and row[column]:
                factor = row[column]
                rows[place] = [
                    value - factor * of_pivot
                    for value, of_pivot in zip(row, rows[pivots], strict=True)
                ]
        pivots += 1
    alone = [row for row in rows if sum(value != 0 for value in row) == 1]
    return {unknown[next(i for i, value in enumerate(row) if value)] for row in alone}


def practice(quarters: list[list[int]]) -> tuple[dict[str, int], list[Sum], dict[str, int]]:
    """Return a total, its parts by kind, and their sums over quarters."""
    kinds = "abc"
    counts, sums = {}, []
    for place, quarter in enumerate(quarters):
        names = [f"{kind}{place}" for kind in kinds]
        counts |= dict(zip(names, quarter, strict=True))
        counts[f"total{place}"] = sum(quarter)
        sums.append((f"total{place}", names))
    for kind in (*kinds, "total"):
        parts = [f"{kind}{place}" for place in range(len(quarters))]
        counts[f"{kind}_all"] = sum(counts[part] for part in parts)
        sums.append((f"{kind}_all", parts))
    worth = {name: 10 * name.endswith("all") + 5 * name.startswith("total") for name in counts}
    return counts, sums, worth


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=1, max_size=4),
    st.sampled_from([4, 7]),
)
def test_no_small_count_can_be_worked_out(quarters: list[list[int]], hide_up_to: int) -> None:
    counts, sums, worth = practice(quarters)
    shown = showable(counts, worth, sums, hide_up_to=hide_up_to)
    assert all(counts[name] > hide_up_to for name in shown)
    known = solved(counts, shown, sums)
    assert not {name for name in known if 0 < counts[name] <= hide_up_to}


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    counts, sums, worth = practice([[20, 30, 40], [25, 35, 45]])
    assert showable(counts, worth, sums, hide_up_to=4) == set(counts)


def test_two_small_quarters_protect_each_other() -> None:
    counts = {"all": 43, "first": 2, "second": 3, "third": 38}
    shown = showable(
        counts, dict.fromkeys(counts, 0), [("all", ["first", "second", "third"])], hide_up_to=4
    )
    assert shown == {"all", "third"}


def test_the_count_worth_least_is_hidden_for_another() -> None:
    counts = {"all": 43, "first": 3, "second": 20, "third": 20}
    worth = {"all": 3, "first": 0, "second": 2, "third": 1}
    shown = showable(counts, worth, [("all", ["first", "second", "third"])], hide_up_to=4)
    assert shown == {"all", "second"}


def test_a_small_count_that_is_never_published_is_protected_too() -> None:
    counts = {"finished": 50, "improved": 47, "not_improved": 3}
    shown = showable(
        counts,
        {"finished": 2, "improved": 1},
        [("finished", ["improved", "not_improved"])],
        hide_up_to=4,
    )
    assert shown == {"finished"}


def test_nobody_is_not_shown_and_nobody_is_hidden_for_it() -> None:
    counts = {"all": 20, "stayed": 20, "left": 0}
    worth = dict.fromkeys(counts, 0)
    assert showable(counts, worth, [("all", ["stayed", "left"])], hide_up_to=4) == {"all", "stayed"}


@pytest.mark.parametrize("hide_up_to", [4, 7])
def test_a_table_of_ones_shows_nothing_that_gives_them_away(hide_up_to: int) -> None:
    counts, sums, worth = practice([[1, 1, 1]] * 4)
    shown = showable(counts, worth, sums, hide_up_to=hide_up_to)
    assert not {name for name in solved(counts, shown, sums) if 0 < counts[name] <= hide_up_to}


def test_a_sum_that_does_not_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="all is not the sum of stayed, left"):
        showable(
            {"all": 5, "stayed": 3, "left": 3}, {}, [("all", ["stayed", "left"])], hide_up_to=4
        )
