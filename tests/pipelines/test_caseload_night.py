"""What a night publishes of therapists: shrunken, suppressed, by id, on a kept reference."""

from typing import Any

import duckdb
import polars as pl
import pytest

FEW = 7  # the default preset hides counts up to this


@pytest.fixture(scope="module")
def simulated(new_practice: Any) -> Any:
    """Return a practice of 500 simulated cases after its first night."""
    practice = new_practice()
    practice.simulate(cases=500, seed=5)
    practice.night()
    return practice


def ended_cases_by_therapist(practice: Any) -> dict[str, int]:
    counted = (
        practice.published("cases")
        .filter(~pl.col("is_open") & pl.col("therapist_id").is_not_null())
        .group_by("therapist_id")
        .len()
    )
    return dict(counted.iter_rows())


def test_nothing_is_said_of_a_therapist_with_few_ended_cases(simulated: Any) -> None:
    caseload = simulated.published("caseload")
    ended = ended_cases_by_therapist(simulated)
    shown = caseload.filter(~pl.col("is_suppressed"))
    assert shown.height > 2
    assert all(ended[therapist] > FEW for therapist in shown["therapist_id"])
    hidden = caseload.filter("is_suppressed").drop(
        "therapist_id", "site_id", "is_suppressed", "reference_name"
    )
    assert hidden.height > 0
    assert hidden.null_count().row(0) == (hidden.height,) * hidden.width
    assert all(count % 5 == 0 for count in shown["case_count"])


def test_the_order_is_that_of_the_ids_and_tells_nothing(simulated: Any) -> None:
    caseload = simulated.published("caseload")
    assert caseload["therapist_id"].is_sorted()
    assert not any("rank" in name for name in caseload.columns)


def test_the_reference_is_kept_from_night_to_night_until_a_refit(simulated: Any) -> None:
    names = simulated.published("caseload")["reference_name"].unique().to_list()
    simulated.night(rebuild=True)
    assert simulated.published("caseload")["reference_name"].unique().to_list() == names
    simulated.night(refit=True)
    renewed = simulated.published("caseload")["reference_name"].unique().to_list()
    assert renewed != names
    kept = simulated.warehouse("change_references").group_by("measure_id").agg("is_current")
    assert all(sorted(current) == [False, True] for current in kept["is_current"])


def test_managers_file_holds_nothing_of_therapists(simulated: Any) -> None:
    pointer = simulated.places.pointer()
    with duckdb.connect(
        str(simulated.places.published / pointer.aggregates), read_only=True
    ) as snapshot:
        columns = snapshot.execute("select column_name from duckdb_columns()").fetchall()
    assert not any(name.startswith("therapist") for (name,) in columns)
