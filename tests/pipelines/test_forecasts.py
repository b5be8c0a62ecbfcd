"""Where open cases may be heading: shown in words, and decided upon by nothing."""

import json
from typing import Any

import duckdb
import polars as pl
import pytest


@pytest.fixture(scope="module")
def simulated(new_practice: Any) -> Any:
    """Return a practice of 400 simulated cases after its first night."""
    practice = new_practice()
    practice.simulate(cases=400, seed=4)
    practice.night()
    return practice


def test_every_open_case_with_a_baseline_has_a_forecast_or_a_reason(simulated: Any) -> None:
    forecasts = simulated.published("forecasts")
    open_cases = set(simulated.published("cases").filter("is_open")["case_id"])
    assert set(forecasts["case_id"]) <= open_cases
    scored = simulated.published("course_points").filter(
        (pl.col("measure_id") == "phq9")
        & (pl.col("subscale") == "total")
        & pl.col("has_baseline")
        & pl.col("case_id").is_in(list(open_cases))
    )
    assert set(forecasts.filter(pl.col("measure_id") == "phq9")["case_id"]) == set(
        scored["case_id"]
    )
    said = [" ".join(json.loads(text)) for text in forecasts["sentences"]]
    assert all("From all scores so far" in text or "No forecast" in text for text in said)
    assert any("From all scores so far" in text for text in said)
    assert all("most similar past cases" in text or "No similar" in text for text in said)


def test_a_forecast_lies_within_its_intervals_and_the_measures_range(simulated: Any) -> None:
    forecasts = simulated.published("forecasts").drop_nulls("expected")
    assert forecasts.height > 20
    highest = pl.when(pl.col("measure_id") == "phq9").then(27.0).otherwise(21.0)
    in_order = (
        (pl.col("low_95") >= 0)
        & (pl.col("low_95") <= pl.col("low_80"))
        & (pl.col("low_80") <= pl.col("expected"))
        & (pl.col("expected") <= pl.col("high_80"))
        & (pl.col("high_80") <= pl.col("high_95"))
        & (pl.col("high_95") <= highest)
    )
    assert forecasts.filter(~in_order).is_empty()


def test_a_further_gain_is_asked_for_only_in_the_clinical_range(simulated: Any) -> None:
    last = (
        simulated.published("course_points")
        .filter((pl.col("measure_id") == "phq9") & (pl.col("subscale") == "total"))
        .sort("occasion")
        .group_by("case_id")
        .agg(pl.col("value").last())
    )
    said = (
        simulated.published("forecasts")
        .filter(pl.col("measure_id") == "phq9")
        .join(last, on="case_id")
        .with_columns(tells_gain=pl.col("sentences").str.contains("less than half a clear change"))
    )
    assert not said.filter(pl.col("value") < 10)["tells_gain"].any()
    assert said.filter((pl.col("value") >= 10) & pl.col("little_gain_chance").is_not_null())[
        "tells_gain"
    ].all()


def test_a_small_practice_is_told_that_it_is_too_small(practice: Any) -> None:
    practice.night(
        """
        case day measure score
        A    0   PHQ-9   18
        A    7   PHQ-9   17
        """
    )
    (said,) = practice.published("forecasts")["sentences"].to_list()
    assert json.loads(said) == [
        "No forecast from the scores so far: too few courses here to learn from.",
        "No similar past cases are shown: too few ended cases reached this occasion with these "
        "features known.",
    ]


def test_no_status_and_no_flag_knows_of_it(simulated: Any) -> None:
    # forecasts are written after statuses and flags; taking the fits away changes neither
    before = simulated.statuses(), simulated.published("flags").drop("opened_run_id")

    with duckdb.connect(str(simulated.places.warehouse)) as warehouse:
        warehouse.execute("update curves set forecast = null, trend = null")
    simulated.night(rebuild=True)
    after = simulated.statuses(), simulated.published("flags").drop("opened_run_id")
    assert before[0] == after[0]
    assert before[1].sort("flag_id").equals(after[1].sort("flag_id"))
    assert simulated.published("forecasts")["expected"].null_count() > 0


WEEKLY = (20, 21, 20, 9, 9, 10, 9)


def exported(case: str, *, gone: bool = False, days: int = 7) -> str:
    return "".join(
        f"{case},{days * week},PHQ-9,{score},{'yes' if gone else 'no'}\n"
        for week, score in enumerate(WEEKLY)
    )


def test_what_is_withdrawn_leaves_no_event_and_no_forecast(practice: Any) -> None:
    practice.map_scores(columns='withdrawn = "gone"')
    header = "case,day,measure,score,gone\n"
    practice.send(header + exported("A") + exported("B"))
    practice.night()
    for table in ("events", "forecasts"):
        assert set(practice.published(table)["case_id"]) == {"A", "B"}
    practice.send(header + exported("A", gone=True), "scores_later.csv")
    practice.night()
    for table in ("events", "forecasts"):
        assert set(practice.published(table)["case_id"]) == {"B"}
