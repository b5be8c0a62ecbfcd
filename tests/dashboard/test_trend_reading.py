"""Quarters side by side: the first year is marked, and no trend is claimed."""

from __future__ import annotations

import polars as pl

from dashboard.figures import figure_named
from dashboard.trend_reading import first_year, interval_words


def quarters(*intervals: tuple[float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(f"quarter {at:02}", *each) for at, each in enumerate(intervals, start=1)],
        schema={"label": pl.String, "rate_low": pl.Float64, "rate_high": pl.Float64},
        orient="row",
    )


def test_intervals_that_overlap_or_touch_are_said_to_overlap() -> None:
    said = interval_words(quarters((0.1, 0.3), (0.3, 0.5), (0.2, 0.4)), "quarter")
    assert said == "No trend is claimed: the intervals of neighbouring quarters overlap."


def test_neighbours_apart_are_named_for_better_or_worse_alike_and_still_no_trend() -> None:
    for intervals in (((0.1, 0.3), (0.4, 0.5)), ((0.4, 0.5), (0.1, 0.3))):
        said = interval_words(quarters(*intervals), "quarter")
        assert said.startswith("No trend is claimed. The intervals of quarter 01 and quarter 02 ")
        assert "does not show a change in care" in said


def test_hidden_quarters_leave_nothing_to_compare() -> None:
    said = interval_words(quarters((0.1, 0.3), (None, None)), "quarter")
    assert "fewer than two quarters have a share that can be shown" in said


def test_the_first_year_is_four_quarters_and_twelve_months_of_the_earliest_in_time() -> None:
    names = [f"quarter {at}" for at in range(98, 104)]
    names += [f"month {at}" for at in range(292, 306)]
    trends = pl.DataFrame({"period": ["all", "now", *reversed(names)]})
    found = first_year(trends, figure_named("recovery"))
    assert found == [*names[:4], *(f"month {at}" for at in range(292, 304))]


def test_waiting_and_sessions_are_not_marked() -> None:
    trends = pl.DataFrame({"period": ["quarter 01", "quarter 02"]})
    assert first_year(trends, figure_named("waiting_42")) == []
    assert first_year(trends, figure_named("attendance")) == []
