"""The evidence on the flags: a file that never changes, a pointer that moves, and no case in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from sample_backtest import sample_backtest

from data_contracts.errors import NightRunningError, SourceError
from data_contracts.measures import built_in_measures
from data_contracts.places import Places, Pointer
from data_contracts.settings import Settings
from data_contracts.tables_evidence import (
    EVIDENCE,
    EVIDENCE_BACKTESTS,
    EVIDENCE_FIGURES,
    EVIDENCE_MODELS,
    EVIDENCE_SENTENCES,
    EVIDENCE_SUBGROUPS,
)
from models.backtest import backtest
from models.landmarks import Landmark
from models.past_cases import PastCases
from pipelines import evidence
from pipelines.evidence import EvidenceCard, write_evidence
from pipelines.locks import held
from pipelines.reading_evidence import read_evidence
from pipelines.step_10_publish import sweep

MADE_AT = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
CARD = EvidenceCard(
    measure_id="phq9",
    outcome="drop_out",
    version="20261122-1",
    trained_at=MADE_AT,
    markdown="# Outlook\n\nNot for a diagnosis.",
    content={"format": "model card 1"},
)


def wrote(places: Places, *backtests: Any, after: int = 0, kept: int = 2, **more: Any) -> str:
    return write_evidence(
        places,
        backtests,
        made_at=MADE_AT + timedelta(minutes=after),
        suppression="default",
        measure_names={"phq9": "PHQ-9"},
        snapshots_kept=kept,
        **more,
    )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.at(tmp_path / "home")


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    return sample_backtest(cases=300, occasions=(4,))


def test_every_table_keeps_its_contract(places: Places, small: dict[str, Any]) -> None:
    wrote(
        places, small, sample_backtest(cases=90, outcome="drop_out", occasions=(4,)), cards=[CARD]
    )
    pointer = places.evidence_pointer()
    assert pointer
    with duckdb.connect(str(places.published / pointer.file), read_only=True) as file:
        tables = {row[0] for row in file.execute("show tables").fetchall()}
    assert tables == {table.name for table in EVIDENCE}
    for table in EVIDENCE:
        rows = read_evidence(places, table)
        assert rows.columns == list(table.column_names)
        assert rows.height, table.name
        assert not rows.select(table.key).is_duplicated().any(), table.name
        for column in table.columns:
            if column.values:
                assert set(rows[column.name].drop_nulls()) <= set(column.values), column.name
            if rows[column.name].dtype.is_float():
                assert not rows[column.name].is_nan().any(), column.name


def test_everything_names_its_measure_and_its_end(places: Places, small: dict[str, Any]) -> None:
    assert all(table.key[:2] == ("measure_id", "outcome") for table in EVIDENCE)
    other = sample_backtest(cases=300, outcome="drop_out", base_rate=0.5, occasions=(4,))
    wrote(places, small, other)
    tests = read_evidence(places, EVIDENCE_BACKTESTS)
    assert dict(tests.select("outcome", "is_primary").rows()) == {
        "clinical_without_gain": True,
        "drop_out": False,
    }
    said = read_evidence(places, EVIDENCE_SENTENCES).filter(pl.col("code") == "hits")
    for outcome, words in tests.select("outcome", "outcome_words").rows():
        own = said.filter(pl.col("outcome") == outcome)["sentence"].to_list()
        assert own
        assert all(words in sentence for sentence in own)


def test_what_is_hidden_says_so_and_is_null(places: Places, small: dict[str, Any]) -> None:
    wrote(places, small)
    for table in (EVIDENCE_FIGURES, EVIDENCE_SUBGROUPS):
        rows = read_evidence(places, table)
        assert rows.filter("is_suppressed")["value"].null_count() == rows["is_suppressed"].sum()
    groups = read_evidence(places, EVIDENCE_SUBGROUPS)
    assert groups.filter(pl.col("group_id") == "west")["is_suppressed"].all()


def test_a_card_is_kept_as_it_was_written(places: Places, small: dict[str, Any]) -> None:
    wrote(places, small, cards=[CARD])
    (row,) = read_evidence(places, EVIDENCE_MODELS).to_dicts()
    assert row["card_markdown"] == CARD.markdown
    assert row["version"] == CARD.version


def test_without_evidence_there_is_no_row(places: Places) -> None:
    assert places.evidence_pointer() is None
    assert read_evidence(places, EVIDENCE_FIGURES).is_empty()


@pytest.mark.parametrize("damaged", ["", "not what it was", '{"evidence_id": "e"}'])
def test_a_damaged_pointer_says_how_the_evidence_is_made_anew(places: Places, damaged: str) -> None:
    places.published.mkdir(parents=True, exist_ok=True)
    places.evidence_pointer_file.write_text(damaged)
    with pytest.raises(SourceError, match="unstuck train") as raised:
        places.evidence_pointer()
    assert "next night" not in str(raised.value)


def test_the_last_evidence_stays_whatever_stops_the_next(
    places: Places, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = wrote(places, small)
    before = read_evidence(places, EVIDENCE_FIGURES)

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    for name, where in (
        ("write_snapshot", evidence),
        ("rows_of", evidence),
    ):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(where, name, killed)
            wrote(places, small, after=1)
        assert places.evidence_pointer().evidence_id == first
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Places, "point_to_evidence", killed)  # whole, but nobody points to it
        wrote(places, small, after=2)
    assert places.evidence_pointer().evidence_id == first
    assert read_evidence(places, EVIDENCE_FIGURES).equals(before)
    # what was left is swept by the next that ends well, and a half-written file too
    (places.published / "evidence-20200101T000000-aaaaaa.writing").write_bytes(b"half")
    (places.published / ".evidence.json.123").write_text("half", encoding="utf-8")
    last = wrote(places, small, after=3, kept=0)
    assert sorted(path.name for path in places.published.iterdir()) == [
        f"{last}.duckdb",
        "evidence.json",
    ]


def test_as_many_old_ones_stay_as_the_practice_keeps(places: Places) -> None:
    bare = sample_backtest(cases=60, occasions=(4,)) | {"agreement": {}, "calibration": {}}
    ids = [wrote(places, bare, after=minute, kept=2) for minute in range(5)]
    kept = sorted(path.stem for path in places.published.glob("evidence-*.duckdb"))
    assert kept == ids[-3:]


def test_two_writers_do_not_mix(places: Places, small: dict[str, Any]) -> None:
    with (
        held(places.evidence_lock, "writing of evidence", MADE_AT),
        pytest.raises(NightRunningError, match="writing of evidence"),
    ):
        wrote(places, small)
    assert wrote(places, small)


def test_a_night_sweeps_its_own_snapshots_and_leaves_the_evidence_alone(
    places: Places, small: dict[str, Any]
) -> None:
    wrote(places, small)
    for run in range(20):
        for part in ("cases", "aggregates"):
            (places.published / f"run{run:02}.{part}.duckdb").touch()
    (places.published / ".evidence.json.123").touch()  # being written just now
    names = {"cases": "run19.cases.duckdb", "aggregates": "run19.aggregates.duckdb"}
    places.point_to(Pointer(run_id="run19", as_of=1, published_at=MADE_AT, **names))
    sweep(SimpleNamespace(places=places, settings=Settings()))  # type: ignore[arg-type] - all it asks for
    assert read_evidence(places, EVIDENCE_SENTENCES).height
    assert (places.published / ".evidence.json.123").exists()
    assert len(list(places.published.glob("run*.cases.duckdb"))) == 8


CASES, SCORES = 150, 9


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Test the flags on invented past cases whose ids are easily found again."""
    random = np.random.default_rng(7)
    case, occasion = np.repeat(np.arange(CASES), SCORES), np.tile(np.arange(SCORES), CASES)
    slope = random.normal(-0.8, 0.8, CASES)[case]
    value = np.clip(np.rint(17 + slope * occasion + random.normal(0, 2, len(case))), 0, 27)
    points = (
        pl.DataFrame({"case_id": [f"case-canary-{one:03}" for one in case], "occasion": occasion})
        .with_columns(value=value, days=7 * occasion)
        .with_columns(baseline=pl.col("value").first().over("case_id"))
        .with_columns(gain=pl.col("baseline") - pl.col("value"))
    )
    cases = (
        points.select("case_id")
        .unique(maintain_order=True)
        .with_columns(
            is_ended=pl.lit(value=True),
            client_id=pl.col("case_id").str.replace("case", "client"),
            therapist_id=pl.lit("therapist-canary"),
            supervisor_id=pl.lit("supervisor-canary"),
            sex=pl.Series(random.choice(["f", "m"], CASES)),
        )
    )
    found = backtest(
        PastCases.of(built_in_measures()["phq9"], cases, points),
        outcome="no_reliable_improvement",
        landmarks=[Landmark(kind="occasion", at=4)],
        rules=("status_rule", "naive_two_score"),
        resamples=20,
        repeats=1,
    )
    places = Places.at(tmp_path_factory.mktemp("tested"))
    wrote(places, found.as_json())
    return places.home


def test_no_byte_of_the_evidence_is_a_case_a_client_a_therapist_or_a_supervisor(
    home: Path,
) -> None:
    places = Places.at(home)
    content = (places.published / places.evidence_pointer().file).read_bytes()
    assert b"status_rule" in content  # texts lie in the file as they are
    for canary in (b"canary", b"case-", b"client-", b"therapist-", b"supervisor-"):
        assert canary not in content
    for table in EVIDENCE:  # and what the file may hold compressed
        texts = read_evidence(places, table).select(pl.col(pl.String))
        assert "canary" not in str(texts.rows())


def test_a_real_back_test_fills_what_the_screen_reads(home: Path) -> None:
    places = Places.at(home)
    codes = set(read_evidence(places, EVIDENCE_SENTENCES)["code"])
    assert {"everybody", "limits"} <= codes
    assert any(code.startswith("split.") for code in codes)
    figures = read_evidence(places, EVIDENCE_FIGURES)
    assert {"auc", "sensitivity", "ppv", "bad_if_not_flagged", "brier"} <= set(figures["figure"])
    assert figures.filter(pl.col("figure") == "auc")["value"].drop_nulls().len()
