"""Does the night find the cases that were built not to change, and leave the others alone?

And do the lenses of a stuck case lead to the reason that was planted in it, and not elsewhere?
Simulated practice of 5,000 cases with known truth, ends of care not sent, so that every flagged
case is open; one night for all tests. Floors of the statuses: the project's acceptance criteria.

Lenses: of cases flagged as stuck or deteriorating with one planted reason, how often that reason
leads; of those without it, how often it leads all the same. The lines were not fitted to these
seeds; docs/lenses.md has the tables. Support is planted and measured by the same authors, so its
share says that the chain works, not how well the item would do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.demo_practice import simulate_practice, write_practice
from pipelines.nightly import run_night

CLEAR_CHANGE_PHQ9 = 6
LEAST_RATINGS_SINCE = 3  # a fall is "not repaired" at its third rating

# Planted reason: its column in the truth, and the rows that speak for it.
PLANTED: dict[str, tuple[str, frozenset[str]]] = {
    "ceiling_rater": ("alliance_kind", frozenset({"alliance_ceiling"})),
    "rupture_unrepaired": ("alliance_kind", frozenset({"alliance_unrepaired", "alliance_weak"})),
    "none_done": ("homework_kind", frozenset({"homework_not_done"})),
    "falling": ("hope_kind", frozenset({"hope"})),
    "unsupportive": ("support_kind", frozenset({"support"})),
}
HARMLESS = {"normal", "rupture_repaired", "does_it", "steady", "ok"}


def open_practice(folder: Path, *, cases: int, seed: int) -> tuple[pl.DataFrame, Path]:
    """Simulate a practice without ends of care and run a night; return its truth and its home."""
    simulated = simulate_practice(cases=cases, seed=seed)
    nothing = pl.lit(None, dtype=pl.String)
    sent = simulated.cases.with_columns(end_day=nothing, end_reason=nothing)
    write_practice(replace(simulated, cases=sent), folder / "source", truth_path=None)
    run_night(
        source=folder / "source",
        mapping=folder / "source" / "mapping.toml",
        home=folder / "home",
        started_at=datetime(2026, 1, 5, 5, tzinfo=UTC),
    )
    return simulated.truth, folder / "home"


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, Path]:
    return open_practice(tmp_path_factory.mktemp("known_truth"), cases=5000, seed=1)


@pytest.fixture(scope="module")
def statuses(practice: tuple[pl.DataFrame, Path]) -> pl.DataFrame:
    with duckdb.connect(str(practice[1] / "warehouse.duckdb"), read_only=True) as connection:
        return connection.sql(
            "select case_id, measure_id, occasion, day, status, code from statuses"
        ).pl()


def test_four_in_five_unchanged_clinical_cases_are_stuck_by_the_eighth_later_score(
    practice: tuple[pl.DataFrame, Path], statuses: pl.DataFrame
) -> None:
    phq9 = statuses.filter(pl.col("measure_id") == "phq9")
    with_eight = phq9.filter(pl.col("occasion") == 8).select("case_id", eighth_day="day")
    unchanged = practice[0].filter((pl.col("kind") == "no_change") & pl.col("starts_clinical"))
    by_eight = (
        phq9.filter(pl.col("occasion").is_between(1, 8))
        .group_by("case_id")
        .agg(is_stuck=(pl.col("status") == "stuck").any())
        .join(with_eight, on="case_id")
        .join(unchanged, on="case_id")
    )
    assert by_eight.height > 300
    assert by_eight["is_stuck"].mean() >= 0.80
    # the case as a whole: another measure may disagree, or noise may look like a decline;
    # nearly nine in ten are flagged one way or the other
    flagged = (
        statuses.filter(pl.col("measure_id") == "case")
        .join(with_eight, on="case_id")
        .filter(pl.col("day") <= pl.col("eighth_day"))
        .group_by("case_id")
        .agg(is_flagged=pl.col("status").is_in(["stuck", "deteriorating"]).any())
        .join(unchanged, on="case_id")
    )
    assert flagged["is_flagged"].mean() >= 0.85


def test_at_most_one_in_ten_steady_improvers_is_ever_called_stuck(
    practice: tuple[pl.DataFrame, Path], statuses: pl.DataFrame
) -> None:
    steady = practice[0].filter(
        (pl.col("kind") == "steady_improver") & (pl.col("true_gain_at_8") >= CLEAR_CHANGE_PHQ9)
    )
    ever = (
        statuses.filter(pl.col("measure_id").is_in(["phq9", "case"]))
        .group_by("case_id")
        .agg(was_stuck=(pl.col("status") == "stuck").any())
        .join(steady, on="case_id")
    )
    assert ever.height > 1000
    assert ever["was_stuck"].mean() <= 0.10


def test_every_case_with_a_baseline_has_a_status_at_every_occasion(
    practice: tuple[pl.DataFrame, Path], statuses: pl.DataFrame
) -> None:
    with duckdb.connect(str(practice[1] / "warehouse.duckdb"), read_only=True) as connection:
        without = connection.sql(
            "select count(*) from course_points anti join statuses "
            "using (case_id, measure_id, occasion) "
            "where measure_id in ('phq9', 'gad7') and subscale = 'total'"
        ).fetchall()
    assert without == [(0,)]
    assert statuses.filter(pl.col("status") == "").height == 0


# --- lenses: does what was planted lead? ---------------------------------------------------------


def flagged_cases(truth: pl.DataFrame, home: Path) -> pl.DataFrame:
    """Return `case_id`, what is planted (a list), what leads and what is seen."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.sql(
            "select case_id, list(row_id) filter (strength is not null) as seen, "
            "max(row_id) filter (is_leading) as leads from lenses "
            "where case_id in (select case_id from flags where closed_run_id is null "
            "and kind in ('stuck', 'deteriorating')) group by case_id"
        ).pl()
        ratings = connection.sql("select case_id, session from alliance_points").pl()
    since = (
        ratings.join(truth.select("case_id", "rupture_session"), on="case_id")
        .group_by("case_id")
        .agg(ratings_since=(pl.col("session") >= pl.col("rupture_session")).sum())
    )
    kinds = [*dict.fromkeys(column for column, _ in PLANTED.values())]
    return (
        found.join(truth, on="case_id")
        .join(since, on="case_id", how="left")
        .with_columns(
            planted=pl.concat_list(
                pl.when(~pl.col(kind).is_in(HARMLESS)).then(pl.col(kind)) for kind in kinds
            ).list.drop_nulls()
        )
    )


def hits(cases: pl.DataFrame, reason: str) -> pl.Series:
    """Return whether the reason leads, of the cases in which it alone is planted."""
    alone = cases.filter(pl.col("planted") == [reason])
    if reason == "rupture_unrepaired":
        alone = alone.filter(pl.col("ratings_since") >= LEAST_RATINGS_SINCE)
    return alone["leads"].is_in(list(PLANTED[reason][1])).fill_null(value=False)


def false_leads(cases: pl.DataFrame, reason: str) -> pl.Series:
    """Return whether the reason's rows lead where nothing that they stand for is planted."""
    column, rows = PLANTED[reason]
    without = cases.filter(pl.col(column).is_in(HARMLESS))
    return without["leads"].is_in(list(rows)).fill_null(value=False)


@pytest.fixture(scope="module")
def flagged(practice: tuple[pl.DataFrame, Path]) -> pl.DataFrame:
    return flagged_cases(*practice)


def test_what_is_planted_leads_in_four_of_five_flagged_cases(flagged: pl.DataFrame) -> None:
    by_reason = {reason: hits(flagged, reason) for reason in PLANTED}
    assert all(len(found) >= 10 for found in by_reason.values())
    assert pl.concat(by_reason.values()).mean() >= 0.80
    # of one seed each reason has few cases: the five apart are held to 80 % over three seeds
    assert {reason for reason, found in by_reason.items() if found.mean() < 0.70} == set()


def test_what_is_not_planted_seldom_leads(flagged: pl.DataFrame) -> None:
    shares = {reason: false_leads(flagged, reason).mean() for reason in PLANTED}
    assert {reason for reason, share in shares.items() if share > 0.10} == set()


def test_with_several_planted_what_leads_is_one_of_them(flagged: pl.DataFrame) -> None:
    several = flagged.filter(pl.col("planted").list.len() > 1)
    rows = {reason: rows for reason, (_, rows) in PLANTED.items()} | {
        "low": frozenset({"alliance_weak"}),
        "not_assigned": frozenset({"homework_not_set"}),
    }
    is_one = [
        any(leads in rows[reason] for reason in planted)
        for leads, planted in several.select("leads", "planted").rows()
    ]
    assert len(is_one) > 100
    assert sum(is_one) / len(is_one) >= 0.90


@pytest.mark.reliability
def test_each_planted_reason_leads_in_four_of_five_over_three_other_seeds(
    tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    practices = [
        flagged_cases(*open_practice(tmp_path_factory.mktemp(f"s{seed}"), cases=4000, seed=seed))
        for seed in (21, 22, 23)
    ]
    columns = ["case_id", "planted", "leads", "ratings_since", *{c for c, _ in PLANTED.values()}]
    cases = pl.concat(practice.select(columns) for practice in practices)
    shares = {reason: hits(cases, reason).mean() for reason in PLANTED}
    record_property("shares", shares)
    assert {reason for reason, share in shares.items() if share < 0.80} == set()
