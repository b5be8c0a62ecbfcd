"""What is counted for the trends, and that what is shown of it keeps small numbers safe."""

from __future__ import annotations

import polars as pl
import pytest

from dashboard import figures
from data_contracts.benchmarks import OFFICIAL, benchmarks
from data_contracts.suppression import suppression_rule
from data_contracts.talking_therapies_words import FIGURES_IN_ORDER
from models.derivable_counts import showable
from models.trend_counts import ALL, FIGURES, TrendCounts, status_counts, trend_counts
from models.trend_tables import funnel_of_sites, trend_tables

RULE = suppression_rule("default")


def sessions(
    rows: list[tuple[str, str, str, int, int, int]], hide_up_to: int = RULE.hide_up_to
) -> TrendCounts:
    """Count rows of case, month, site, and sessions offered, attended, scored."""
    return trend_counts(
        pl.DataFrame(
            [
                (case, f"quarter {(int(month[-2:]) + 2) // 3:02}", month, site, *numbers)
                for case, month, site, *numbers in rows
            ],
            schema=["case_id", "quarter", "month", "site", "offered", "attended", "scored"],
            orient="row",
        ).with_columns(
            pl.lit("not given").alias(name) for name in ("problem", "age_band", "sex", "ethnicity")
        ),
        "offered_sessions",
        hide_up_to=hide_up_to,
    )


def test_months_make_up_quarters_and_sites_the_practice() -> None:
    found = sessions(
        [
            ("a", "month 03", "north", 5, 4, 4),
            ("a", "month 04", "north", 3, 3, 1),
            ("b", "month 04", "south", 2, 0, 0),
        ],
        hide_up_to=0,
    )
    assert found.counts["attended", "practice", "all", "quarter 01"] == 4
    assert found.counts["attended", "practice", "all", "quarter 02"] == 3
    assert found.counts["offered", "site", "north", "all"] == 8
    assert found.people["offered", "practice", "all", "all"] == 2
    for total, parts in found.sums:
        assert found.counts[total] == sum(found.counts[part] for part in parts)


def test_a_group_has_a_row_in_every_quarter_and_a_quarter_all_its_months() -> None:
    found = sessions(
        [*((f"c{case}", "month 01", "north", 1, 1, 1) for case in range(9)),
         ("d", "month 05", "river", 1, 1, 1)]
    )  # fmt: skip
    dated = {cell[1:]: count for cell, count in found.counts.items() if cell[0] == "offered"}
    assert dated["site", "river", "quarter 01"] == 0
    assert dated["site", "river", "quarter 02"] == 1
    assert [dated["practice", "all", f"month {n:02}"] for n in range(1, 7)] == [9, 0, 0, 0, 1, 0]


def test_so_few_people_that_their_total_is_hidden_have_no_rows_by_period() -> None:
    found = sessions([(f"c{case}", "month 01", "north", 1, 1, 1) for case in range(7)])
    assert {period for _, _, _, period in found.counts} == {"all"}


def test_groups_of_few_people_stand_together_and_their_labels_nowhere() -> None:
    rows = pl.DataFrame({"case_id": [f"c{case}" for case in range(22)]}).with_columns(
        quarter=pl.lit("quarter 01"),
        month=pl.lit("month 01"),
        site=pl.Series(["north"] * 21 + ["river"]),
        problem=pl.lit("not given"),
        age_band=pl.lit("25-44"),
        sex=pl.Series(["f"] * 19 + ["x"] * 3),
        ethnicity=pl.Series(["A"] * 13 + ["B"] * 8 + ["Z"]),
        wait_known=1,
        waited_126=1,
        waited_42=1,
    )
    found = trend_counts(rows, "started_cases", hide_up_to=7).counts
    groups = {
        cell[1:3]: n for cell, n in found.items() if (cell[0], cell[3]) == ("wait_known", ALL)
    }
    assert groups == {
        ("practice", "all"): 22, ("site", "north"): 21, ("site", "river"): 1,
        ("age_band", "25-44"): 22, ("sex", "f"): 19, ("sex", "other groups"): 3,
        ("ethnicity", "A"): 13, ("ethnicity", "B"): 8, ("ethnicity", "other groups"): 1,
    }  # fmt: skip


def test_zeros_far_below_a_hidden_total_are_hidden_too() -> None:
    counts = {"all": 30, "year": 3, "north": 27, "spring": 0, "autumn": 3, "march": 0, "april": 0}
    sums = [("all", ["year", "north"]), ("year", ["spring", "autumn"]),
            ("spring", ["march", "april"])]  # fmt: skip
    shown = showable(
        counts, dict.fromkeys(counts, 1), sums, hide_up_to=7, round_to=5, shows_nobody=True
    )
    assert shown.isdisjoint({"year", "spring", "march", "april"})


def test_many_sessions_of_few_people_are_hidden() -> None:
    found = sessions([(f"c{case}", "month 01", "north", 30, 20, 20) for case in range(5)])
    shown = trend_tables(found, RULE).trends
    assert shown["numerator"].null_count() == shown.height


def test_sessions_of_many_people_are_shown() -> None:
    found = sessions([(f"c{case}", "month 01", "north", 30, 20, 20) for case in range(40)])
    row = trend_tables(found, RULE).trends.filter(figure="attendance", site_id="all", period="all")
    assert row.select("numerator", "denominator").rows() == [(800, 1200)]


def test_a_zero_is_shown_unless_it_would_tell_where_a_hidden_number_lies() -> None:
    statuses = ["stuck", "watch", "on_track"]
    mix = pl.DataFrame(
        {"site": ["a", "a", "b", "b"], "status": ["stuck", "watch"] * 2,
         "case_count": [30, 3, 30, 0]}
    )  # fmt: skip
    shown = trend_tables(status_counts(mix, statuses), RULE).trends
    by_place = {
        (site, status): count
        for site, status, count in shown.select("site_id", "category", "numerator").iter_rows()
    }
    assert by_place["b", "on_track"] == 0  # nobody at all
    assert by_place["all", "watch"] is None
    assert by_place["b", "watch"] is None  # else all three were at the other site


def test_a_part_that_rounding_alone_does_not_blur_is_sheltered() -> None:
    # shown as 25 less 15 less 15: no more than 27 - 13 - 13 is left for the third
    counts = {"all": 27, "north": 13, "south": 13, "river": 1}
    shown = showable(
        counts,
        {"all": 1, "north": 0, "south": 0, "river": 0},
        [("all", ["north", "south", "river"])],
        hide_up_to=7,
        round_to=5,
    )
    assert shown < {"all", "north", "south"}


def test_what_is_known_from_elsewhere_is_not_hidden_for_others() -> None:
    counts = {"all": 40, "stayed": 37, "left": 3}
    shown = showable(
        counts, {"all": 0, "stayed": 1}, [("all", ["stayed", "left"])], hide_up_to=7, known={"all"}
    )
    assert shown == {"all"}


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_has_its_words_and_says_how_it_is_computed(figure: str) -> None:
    found = figures.figure_named(figure)
    assert found.computed
    assert found.source
    assert found.title != figure.replace("_", " ").capitalize()


def test_every_benchmark_is_of_a_figure_and_says_how_it_differs() -> None:
    for each in benchmarks():
        official = {OFFICIAL + figure for figure in FIGURES_IN_ORDER}
        assert each.figure in {*FIGURES, *official}
        assert ("England" in each.name) == (each.figure in official)
        assert each.differs.endswith(".")
        assert each.source.startswith("R")
        assert ("not read" not in each.source) or not each.is_verified


def test_a_funnel_needs_two_sites_whose_numbers_may_be_shown() -> None:
    trends = pl.DataFrame(
        {
            "figure": "recovery", "period": "all", "site_id": ["all", "north", "south"],
            "numerator": [100, 65, None], "denominator": [200, 100, 100],
        }
    )  # fmt: skip
    assert funnel_of_sites(trends).is_empty()
