"""The manager's screen: words first, hidden numbers said so, nobody ranked, nothing from before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard.trend_blocks import first_improvement_words
from data_contracts.places import Places

APP = Path(dashboard.__file__).parent / "app.py"


pytestmark = pytest.mark.usefixtures("served_on_loopback")


def opened(places: Places, monkeypatch: pytest.MonkeyPatch, view: str = "") -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=30)
    test.query_params["role"] = "manager"
    test._page_hash = calc_hash("trends")
    if view:
        test.session_state["trends_view"] = view
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.header, *test.markdown, *test.info]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def cell(part: int | None, whole: int | None) -> tuple[Any, ...]:
    if part is None or whole is None:
        return (None, whole, None, None, None, True)
    return (part, whole, part / whole, 0.3, 0.7, False)


TRENDS = [
    *(("waiting_42", period, "all", "all", *cell(120, 200)) for period in ("all", "quarter 02")),
    *(("waiting_42", f"month {month:02}", "all", "all", *cell(40, 65)) for month in (4, 5)),
    ("waiting_42", "month 06", "all", "all", *cell(None, 70)),
    ("waiting_42", "all", "west", "all", *cell(None, None)),
    ("attendance", "all", "all", "all", *cell(900, 1000)),
    ("improved_by_4", "all", "all", "all", *cell(40, 100)),
    ("improved_by_8", "all", "all", "all", *cell(60, 100)),
    ("improved_by_16", "all", "all", "all", *cell(None, 100)),
]
GROUPS = [
    ("recovery", "problem", "F32", "all", *cell(50, 100)),
    ("reliable_improvement", "sex", "f", "all", *cell(70, 100)),
    ("reliable_improvement", "sex", "m", "all", *cell(20, 40)),
    ("reliable_improvement", "sex", "x", "all", *cell(None, None)),
    ("waiting_42", "problem", "F32", "all", *cell(70, 100)),
    ("waiting_42", "problem", "F32", "quarter 02", *cell(35, 50)),
]
FUNNEL = [
    ("recovery", "east", 100, 0.5, 0.6, 0.5, 0.7, 0.45, 0.75, "inside"),
    ("recovery", "west", 100, 0.8, 0.6, 0.5, 0.7, 0.45, 0.75, "beyond 99.8 %"),
]


@pytest.fixture
def trended(own_practice: Places) -> Places:
    """Return the practice with waiting, attendance, groups of people and a funnel."""
    with duckdb.connect(str(own_practice.published / own_practice.pointer().aggregates)) as file:
        for table, rows in (
            ("published_trends", TRENDS),
            ("published_trend_groups", GROUPS),
            ("published_funnel", FUNNEL),
        ):
            marks = ", ".join("?" * len(rows[0]))
            figures = ", ".join(f"'{row[0]}'" for row in rows)
            file.execute(f"delete from {table} where figure in ({figures})")
            file.executemany(f"insert into {table} values ({marks})", rows)
    return own_practice


def test_waiting_is_said_in_words_before_it_is_drawn(trended: Places, monkeypatch) -> None:
    test = opened(trended, monkeypatch, "Coming to care")
    text = said(test)
    assert "First session within 42 days of referral" in text
    assert "Of 200 cases with a day of referral and a first session, 60 % (30 % to 70 %)" in text
    assert "Of 1,000 sessions offered, 90 %" in text
    assert "who still waits, or never came, is not in this figure" in text
    assert "west" in text or any("west" in str(table.value) for table in test.table)


def test_months_come_in_order_and_a_hidden_one_says_so(trended: Places, monkeypatch) -> None:
    test = opened(trended, monkeypatch, "Coming to care")
    test.button_group(key="trends_clock").set_value("Months").run()
    assert not test.exception
    months = [
        list(zip(table.value["Of"], table.value["Share"], strict=True))
        for table in test.table
        if "month 04" in list(table.value["Of"])
    ]
    assert months[0] == [
        ("month 04", "62 % (30 % to 70 %), n = 65"),
        ("month 05", "62 % (30 % to 70 %), n = 65"),
        ("month 06", "hidden (fewer than 8)"),
    ]


def test_one_problem_can_be_looked_at_by_quarter(trended: Places, monkeypatch) -> None:
    test = opened(trended, monkeypatch, "Coming to care")
    test.selectbox(key="trends_group").set_value("Problem F32").run()
    assert not test.exception
    assert "Of 100 cases with a day of referral and a first session, 70 %" in said(test)
    assert any("quarter 02" in list(table.value["Of"]) for table in test.table)


def test_sites_stand_by_name_within_the_limits_of_chance(trended: Places, monkeypatch) -> None:
    test = opened(trended, monkeypatch, "Sites")
    text = said(test)
    assert "95 in 100 sites would keep by chance: west (above the practice's share)" in text
    assert "a question, not an answer" in text
    assert list(test.table[0].value["Site"]) == ["east", "west"]
    beyond = "beyond the 99.8 % limits, above the practice's share"
    assert beyond in test.table[0].value["Share and limits"][1]


def test_a_site_below_the_limits_is_said_to_lie_below(trended: Places, monkeypatch) -> None:
    with duckdb.connect(str(trended.published / trended.pointer().aggregates)) as file:
        file.execute(
            "update published_funnel set rate = 0.4, place = 'beyond 99.8 %' "
            "where site_id = 'east' and figure = 'recovery'"
        )
    text = said(opened(trended, monkeypatch, "Sites"))
    assert "east (below the practice's share), west (above the practice's share)" in text


def test_quarters_of_the_first_year_of_data_are_marked_and_no_trend_is_claimed(
    trended: Places, monkeypatch
) -> None:
    with duckdb.connect(str(trended.published / trended.pointer().aggregates)) as file:
        file.execute("delete from published_trends where figure = 'recovery'")
        rows = [
            ("recovery", f"quarter {quarter:02}", "all", "all", *cell(50, 100))
            for quarter in range(2, 8)
        ]
        file.executemany(
            "insert into published_trends values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [("recovery", "all", "all", "all", *cell(300, 600)), *rows],
        )
        file.execute("delete from published_trends where period in ('quarter 00', 'quarter 01')")
    test = opened(trended, monkeypatch)
    [shares] = [
        dict(zip(table.value["Of"], table.value["Share"], strict=True))
        for table in test.table
        if "quarter 07" in list(table.value["Of"])
    ]
    marked = {label for label, words in shares.items() if words.endswith("; first year of data")}
    assert marked == {"quarter 02", "quarter 03", "quarter 04", "quarter 05"}
    text = said(test)
    assert "short courses end first, so early quarters show more drop-out" in text
    assert "No trend is claimed: the intervals of neighbouring quarters overlap." in text


def test_groups_of_people_come_with_what_a_difference_can_mean(
    trended: Places, monkeypatch
) -> None:
    test = opened(trended, monkeypatch, "Groups of people")
    text = said(test)
    assert "Counts cannot tell these apart: they say where to ask" in text
    assert list(test.table[0].value["Of"]) == ["f", "m", "x"]
    assert test.table[0].value["Share"][2] == "hidden (fewer than 8)"


def test_benchmarks_stand_beside_with_their_source_and_are_no_verdict(
    trended: Places, monkeypatch
) -> None:
    text = said(opened(trended, monkeypatch))
    services = "CORC services for children and young people 2011-15"
    assert f"Beside it: {services}: 51 % to 53 % (R6, CORC's definitions)" in text
    assert "England, NHS" not in text, "another definition: it stands beside the official rule's"
    assert "They are no target and no verdict" in text
    for word in ("better than", "worse than", "below target", "above target", "passed", "failed"):
        assert word not in text.replace("better than they started", "").replace(
            "worse than they started", ""
        ).replace("better than the start", "")


@pytest.mark.parametrize("view", ["How soon", "Coming to care", "Sites", "Groups of people"])
def test_a_snapshot_from_before_says_what_will_fill_the_view(
    own_practice: Places, monkeypatch, view: str
) -> None:
    path = str(own_practice.published / own_practice.pointer().aggregates)
    with duckdb.connect(path) as snapshot:
        snapshot.execute("drop table published_trend_groups")
        snapshot.execute("drop table published_funnel")
    test = opened(own_practice, monkeypatch, view)
    assert test.info or test.header


def test_by_when_half_had_improved_is_said_as_far_as_the_shares_tell() -> None:
    def words(*parts: int | None, whole: int = 100) -> str:
        marks = zip((4, 8, 16), parts, strict=False)
        return first_improvement_words(
            [
                {"figure": f"improved_by_{mark}", "numerator": part, "denominator": whole,
                 "rate": None if part is None else part / whole}
                for mark, part in marks
            ],
            "default",
        )  # fmt: skip

    assert words(40, 60) == (
        "At least half of the ended cases with a first and a last score had a first clear "
        "improvement by session 8."
    )
    assert words(40).startswith("Fewer than half of the ended cases with a first and a last score")
    assert "hidden" in words(None)
    # shown 50 of 100 may be 48 of 102, and shown 10 of 20 may be 12 of 18
    assert words(40, 50).startswith("About half")
    assert words(10, whole=20).startswith("About half")
    assert words(50, 55).startswith("At least half")
    assert "by session 8." in words(50, 55)


def test_a_practice_without_a_known_drop_out_code_is_told_why_there_is_no_figure(
    trended: Places, monkeypatch
) -> None:
    with duckdb.connect(str(trended.published / trended.pointer().aggregates)) as file:
        file.execute("delete from published_trends where figure = 'drop_out'")
    text = said(opened(trended, monkeypatch, "Coming to care"))
    assert "Ended by dropping out" not in text
    assert "Drop-out is not shown" in text
    assert "care.drop_out_codes" in text


def test_the_hundredth_month_comes_last(trended: Places, monkeypatch) -> None:
    with duckdb.connect(str(trended.published / trended.pointer().aggregates)) as file:
        file.execute(
            "update published_trends set period = 'month 100' "
            "where figure = 'waiting_42' and period = 'month 05'"
        )
    test = opened(trended, monkeypatch, "Coming to care")
    test.button_group(key="trends_clock").set_value("Months").run()
    months = [list(table.value["Of"]) for table in test.table]
    assert ["month 04", "month 06", "month 100"] in months
