"""A practice drawn as text, its nights, and what they published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from data_contracts.places import Places
from pipelines import step_3_validate
from pipelines.demo_practice import simulate_practice, write_practice
from pipelines.nightly import NightReport, run_night

FIRST_NIGHT = datetime(2026, 1, 5, 5, 0, tzinfo=UTC)

# What every drawn practice sends unless a test says otherwise: columns as drawn, days of the case.
SCORES = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "scores"
path = "scores*.csv"
missing = ["", "NA"]
{more}

[file.columns]
case_id = "case"
time = "day"
measure = "measure"
value = "score"
{columns}

[file.time]
{time}

[file.measures]
"PHQ-9" = "phq9"
"GAD-7" = "gad7"
"ORS" = "ors"
{measures}
"""


def scores_mapping(
    *, more: str = "", columns: str = "", time: str = 'unit = "day"', measures: str = ""
) -> str:
    """Return the mapping of drawn scores, with more lines in any of its parts."""
    return SCORES.format(more=more, columns=columns, time=time, measures=measures)


def as_csv(drawing: str, delimiter: str = ",") -> str:
    """Return rows drawn with blanks between them as CSV; a dot is an empty cell."""
    rows = [line.split() for line in drawing.strip().splitlines()]
    cells = [["" if cell == "." else cell for cell in row] for row in rows]
    return "".join(delimiter.join(row) + "\n" for row in cells)


@dataclass(kw_only=True)
class DrawnPractice:
    """One practice: a folder it exports to, a home, and nights one day apart."""

    folder: Path
    nights: int = 0

    @property
    def source(self) -> Path:
        return self.folder / "export"

    @property
    def mapping(self) -> Path:
        return self.folder / "mapping.toml"

    @property
    def places(self) -> Places:
        return Places.at(self.folder / "home")

    def map(self, text: str) -> None:
        self.mapping.write_text(text, encoding="utf-8")

    def map_scores(self, **parts: str) -> None:
        """Map drawn scores, with more lines in any part of the mapping."""
        self.map(scores_mapping(**parts))

    def settings(self, text: str) -> None:
        self.places.home.mkdir(parents=True, exist_ok=True)
        self.places.settings.write_text(text, encoding="utf-8")

    def send(self, content: str | bytes, name: str = "scores.csv") -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def night(self, drawing: str | None = None, **how: Any) -> NightReport:
        """Send what is drawn, if anything, and run the next night."""
        if drawing is not None:
            self.send(as_csv(drawing), f"scores_{self.nights:03}.csv")
        if not self.mapping.exists():
            self.map(scores_mapping())
        started_at = FIRST_NIGHT + timedelta(days=self.nights)
        self.nights += 1
        return run_night(
            source=self.source,
            mapping=self.mapping,
            home=self.places.home,
            **({"started_at": started_at} | how),
        )

    def simulate(self, *, cases: int, seed: int) -> None:
        """Send the export of a simulated practice, with its own mapping."""
        write_practice(simulate_practice(cases=cases, seed=seed), self.source)
        self.map((self.source / "mapping.toml").read_text(encoding="utf-8"))

    def published(self, table: str) -> pl.DataFrame:
        """Return a published table, by its name without `published_`."""
        pointer = self.places.pointer()
        for name in (pointer.cases, pointer.aggregates):
            with duckdb.connect(str(self.places.published / name), read_only=True) as snapshot:
                tables = {row[0] for row in snapshot.execute("show tables").fetchall()}
                if f"published_{table}" in tables:
                    return snapshot.sql(f"from published_{table}").pl()
        raise LookupError(table)

    def warehouse(self, query: str) -> pl.DataFrame:
        """Return what a query, or a table, says in the warehouse."""
        query = query if " " in query else f"from {query}"
        with duckdb.connect(str(self.places.warehouse), read_only=True) as warehouse:
            return warehouse.sql(query).pl()

    def set_aside(self) -> set[tuple[int, str, str]]:
        """Return (line, rule, column) of everything set aside so far."""
        rows = self.warehouse("select line, rule_id, column_name from quarantine")
        return set(rows.iter_rows())

    def scores(self) -> set[tuple[str, int, float]]:
        """Return (case, at, value) of the scores in force."""
        return set(self.warehouse('select case_id, "at", value from scores').iter_rows())

    def statuses(self) -> dict[str, tuple[str, str]]:
        """Return status and code of each case as published."""
        rows = self.published("current_statuses").filter(pl.col("measure_id") == "case")
        return {
            case_id: (status, code)
            for case_id, status, code in rows.select("case_id", "status", "code").iter_rows()
        }


@pytest.fixture(scope="module")
def trusted() -> Iterator[None]:
    """Leave out Great Expectations, half of a night, where all rows are known to be good."""

    def nothing_broken(_rows: pl.DataFrame, _rules: object) -> pl.DataFrame:
        schema = {"row": pl.UInt32, "rule_id": pl.String, "about": pl.String, "line": pl.Int64}
        return pl.DataFrame(schema=schema)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_3_validate, "broken_rules", nothing_broken)
        yield


@pytest.fixture(scope="session")
def new_practice(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], DrawnPractice]:
    """Return what makes a practice that has sent nothing yet, as many as a test needs."""
    return lambda: DrawnPractice(folder=tmp_path_factory.mktemp("practice"))


@pytest.fixture
def practice(tmp_path: Path) -> DrawnPractice:
    """Return a practice that has sent nothing yet."""
    return DrawnPractice(folder=tmp_path)


@pytest.fixture
def home(practice: DrawnPractice) -> Path:
    """Return the home of that practice."""
    return practice.places.home
