"""A home that an older version wrote is brought up to date by the next night, or says why not."""

from typing import Any

import duckdb
import polars as pl
import pytest

from data_contracts.errors import UnstuckError

COURSE = """
case day measure score
A    0   PHQ-9   18
A    7   PHQ-9   18
A    14  PHQ-9   17
A    21  PHQ-9   18
A    28  PHQ-9   18
A    35  PHQ-9   17
A    42  PHQ-9   18
"""
LATER = """
case day measure score
A    49  PHQ-9   17
"""


def without(practice: Any, table: str, column: str) -> None:
    """Make a table as it was before a column came."""
    with duckdb.connect(str(practice.places.warehouse)) as warehouse:
        warehouse.execute(f"create table older as select * exclude ({column}) from {table}")
        warehouse.execute(f"drop table {table}")
        warehouse.execute(f"alter table older rename to {table}")


def test_new_columns_and_tables_come_and_nothing_is_lost(practice: Any) -> None:
    practice.night(COURSE)
    before = practice.statuses(), practice.scores(), practice.published("flags").height
    without(practice, "curves", "forecast")
    without(practice, "statuses", "tags")
    with duckdb.connect(str(practice.places.warehouse)) as warehouse:
        warehouse.execute("drop table events")
    practice.night(rebuild=True)
    after = practice.statuses(), practice.scores(), practice.published("flags").height
    assert after == before
    practice.night(LATER)
    assert practice.published("statuses").filter(pl.col("day") == 49)["status"].to_list() == [
        "stuck",
        "stuck",
    ]


def test_a_home_too_old_to_mend_says_what_to_do_and_keeps_what_is_shown(
    practice: Any,
) -> None:
    practice.night(COURSE)
    shown = practice.statuses()
    without(practice, "flags", "kind")
    with pytest.raises(UnstuckError, match="older version.*flags has no column kind.*new home"):
        practice.night(LATER)
    assert practice.statuses() == shown
