"""Small numbers: hidden, rounded, and not to be had back from the margins."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.suppression import suppression_rule
from models.suppression import rounded, suppress, wilson

RULE = suppression_rule("default")


def table(cells: dict[tuple[str, str], int], figure: str = "status_mix") -> pl.DataFrame:
    """Return raw counts of a site x category table with its margins."""
    sites = sorted({site for site, _ in cells})
    categories = sorted({category for _, category in cells})
    rows = []
    for site in [*sites, "all"]:
        inside = sites if site == "all" else [site]
        total = sum(cells[one, category] for one in inside for category in categories)
        for category in categories:
            count = sum(cells[one, category] for one in inside)
            rows.append((figure, "now", site, category, count, total))
    return pl.DataFrame(
        rows,
        schema=["figure", "period", "site_id", "category", "numerator", "denominator"],
        orient="row",
    )


def test_up_to_seven_is_hidden_and_the_rest_rounded_to_five() -> None:
    found = suppress(table({("a", "x"): 7, ("a", "y"): 8, ("a", "z"): 43}), RULE)
    shown = dict(found.filter(pl.col("site_id") == "a").select("category", "numerator").iter_rows())
    assert shown["x"] is None
    assert shown["z"] == 45


def test_one_hidden_cell_takes_a_second_with_it() -> None:
    found = suppress(table({("a", "x"): 3, ("a", "y"): 20, ("a", "z"): 40}), RULE)
    hidden = found.filter((pl.col("site_id") == "a") & pl.col("is_suppressed"))
    assert set(hidden["category"]) == {"x", "y"}


@pytest.mark.parametrize("whole", [5, 10, 65, 400, 12_345])
def test_the_interval_of_none_begins_at_nought_and_of_all_ends_at_one(whole: int) -> None:
    assert wilson(0, whole)[0] == 0.0
    assert wilson(whole, whole)[1] == 1.0


def test_a_rate_whose_complement_is_small_is_hidden() -> None:
    counts = pl.DataFrame(
        {
            "figure": ["drop_out"],
            "period": ["all"],
            "site_id": ["all"],
            "category": ["all"],
            "numerator": [97],
            "denominator": [100],
        }
    )
    assert suppress(counts, RULE)["rate"].to_list() == [None]


def test_nobody_is_shown_as_nobody() -> None:
    found = suppress(table({("a", "x"): 0, ("a", "y"): 20}), RULE)
    assert found.filter((pl.col("site_id") == "a") & (pl.col("category") == "x"))[
        "numerator"
    ].to_list() == [0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=4), min_size=2, max_size=4).filter(
        lambda rows: len({len(row) for row in rows}) == 1
    )
)
def test_no_sum_of_shown_cells_gives_back_a_hidden_one(rows: list[list[int]]) -> None:
    cells = {
        (f"s{site}", f"c{category}"): count
        for site, row in enumerate(rows)
        for category, count in enumerate(row)
    }
    found = suppress(table(cells), RULE)
    is_hidden = {
        (site, category): hidden
        for site, category, hidden in found.select(
            "site_id", "category", "is_suppressed"
        ).iter_rows()
    }
    sites = sorted({site for site, _ in is_hidden})
    categories = sorted({category for _, category in is_hidden})
    for category in categories:
        assert sum(is_hidden[site, category] for site in sites) != 1
    for key, count in cells.items():
        assert is_hidden[key] or not 0 < count <= RULE.hide_up_to
    for site in sites:
        totals = found.filter(pl.col("site_id") == site)["denominator"].to_list()
        if totals[0] is not None:
            assert sum(is_hidden[site, category] for category in categories) != 1


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17:857, Table I, method 3: 81/263, 15/148, 0/20, 1/29
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_intervals_are_wilson_s(numerator: int, denominator: int, low: float, high: float) -> None:
    assert wilson(numerator, denominator) == pytest.approx((low, high), abs=5e-5)


def test_rounding_is_to_the_nearest_five() -> None:
    assert [rounded(count, RULE) for count in (8, 12, 13, 17, 18)] == [10, 10, 15, 15, 20]
