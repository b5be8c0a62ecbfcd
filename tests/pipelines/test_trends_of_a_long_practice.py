"""Ten years of a practice, and its own codes of how care ended, go through the night."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

MAPPING = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "cases"
path = "cases.csv"
[file.columns]
case_id = "case"
practice_day_start = "start"
end_day = "end"
end_reason = "why"

[[file]]
table = "scores"
path = "scores.csv"
[file.columns]
case_id = "case"
time = "day"
measure = "measure"
value = "score"
[file.time]
unit = "day"
[file.measures]
"PHQ-9" = "phq9"
"""
# The end of care lies 30 days on: in the 10th, the 100th and the 121st month.
STARTS = (273 - 30, 91 * 33 - 30, 91 * 40 - 30)
ENGLAND = '[publishing]\nsuppression = "england"\n'


@pytest.fixture(scope="module")
def long_practice(new_practice: Callable[[], Any]) -> Any:
    practice = new_practice()
    practice.map(MAPPING)
    practice.settings(ENGLAND)
    cases, scores = ["case,start,end,why"], ["case,day,measure,score"]
    for number in range(30):
        why = "Client left" if number % 6 < 2 else "agreed"
        cases.append(f"c{number},{STARTS[number % 3]},30,{why}")
        scores += [f"c{number},0,PHQ-9,18", f"c{number},28,PHQ-9,{6 if number % 2 else 17}"]
    practice.send("\n".join(cases) + "\n", "cases.csv")
    practice.send("\n".join(scores) + "\n", "scores.csv")
    practice.night()
    return practice


def figure(practice: Any, name: str) -> pl.DataFrame:
    return practice.published("trends").filter(figure=name, site_id="all")


def test_the_hundredth_month_is_not_taken_for_the_tenth(long_practice: Any) -> None:
    by_period = dict(figure(long_practice, "paired").select("period", "denominator").rows())
    ends = {"quarter 04", "quarter 34", "quarter 41", "month 10", "month 100", "month 121"}
    assert {period: by_period[period] for period in ends} == dict.fromkeys(ends, 10)
    assert by_period["all"] == 30
    assert by_period["month 11"] == by_period["month 101"] == 0


def test_codes_of_its_own_are_no_drop_out_until_the_settings_name_them(long_practice: Any) -> None:
    assert figure(long_practice, "drop_out").is_empty()
    long_practice.settings(f'{ENGLAND}[care]\ndrop_out_codes = ["client-left"]\n')
    long_practice.night()
    whole = figure(long_practice, "drop_out").filter(period="all")
    assert whole.select("numerator", "denominator").rows() == [(10, 30)]
