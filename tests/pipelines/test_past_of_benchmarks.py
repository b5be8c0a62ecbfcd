"""Benchmarks replay the same past cases as a practice's own files would give."""

from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from models.past_cases import PastCases
from pipelines.demo_practice import simulate_practice, write_practice
from pipelines.opening_past import past_of_files

ROOT = Path(__file__).resolve().parents[2]
READ_ON = datetime(2026, 1, 1, tzinfo=UTC)
POINTS = (
    "case_id",
    "occasion",
    "value",
    "baseline",
    "gain",
    "level_gain",
    "is_pair",
    "days",
    "sessions_attended",
    "day",
    "practice_day",
)


@pytest.fixture
def past_practices(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the module of the benchmarks, which is in no package."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import past_practices

    return past_practices


def points(past: PastCases, *columns: str) -> pl.DataFrame:
    return past.points.filter("has_baseline").select(columns)


def test_a_simulated_practice_gives_the_same_past_in_memory_as_by_files(
    past_practices: ModuleType, tmp_path: Path
) -> None:
    practice = simulate_practice(cases=300, seed=5, dirty_rows=False)
    write_practice(practice, tmp_path)
    landed = past_of_files(tmp_path, tmp_path / "mapping.toml", READ_ON, measure_id="phq9").past
    made = past_practices.simulated(practice)
    assert_frame_equal(points(made, *POINTS), points(landed, *POINTS))
    told = [name for name in landed.cases.columns if name != "age_band"]
    assert_frame_equal(made.cases.select(told), landed.cases.select(told), check_row_order=False)
    rated = ["case_id", "day", "value", "share"]
    assert_frame_equal(
        made.alliance.select(rated), landed.alliance.select(rated), check_row_order=False
    )


def test_enrichd_read_for_the_benchmarks_is_enrichd_as_landed(past_practices: ModuleType) -> None:
    if not past_practices.SHARED.is_dir():
        pytest.skip("ENRICHD is not here (../shared)")
    mapping = ROOT / "docs/examples/enrichd.toml"
    folder = past_practices.SHARED / "enrichd_bdi_cbt"
    landed = past_of_files(folder, mapping, READ_ON, measure_id="bdi").past
    columns = [name for name in POINTS if name not in ("sessions_attended", "practice_day")]
    made = points(past_practices.enrichd(), *columns)
    assert_frame_equal(made, points(landed, *columns))
