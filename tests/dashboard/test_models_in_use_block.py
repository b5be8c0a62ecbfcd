"""Whoever reads Runs sees whether the models are still right, and what to do if not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard.models_in_use_block import input_table, summary, training_sentence
from data_contracts.places import LastTraining, Places

APP = Path(dashboard.__file__).parent / "app.py"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
BACK = "`unstuck models --roll-back --measure phq9 --outcome drop_out`"

pytestmark = pytest.mark.usefixtures("served_on_loopback")


def model(outcome: str, concern: str = "", advice: str = "Nothing to do.") -> dict[str, Any]:
    return {
        "measure_id": "phq9",
        "outcome": outcome,
        "version": "v1",
        "measure_name": "PHQ-9",
        "outcome_words": outcome.replace("_", " "),
        "in_use_since": NOW.replace(tzinfo=None),
        "case_count": 410,
        "landmark": "occasion_4",
        "auc": 0.78,
        "auc_low": 0.7,
        "auc_high": 0.85,
        "concern": concern,
        "sentence": f"Version v1 of {outcome}.",
        "advice": advice,
    }


def drift(outcome: str, kind: str, sentence: str, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("value", "low", "high", "share_then", "share_now"))
    about = {"measure_id": "phq9", "outcome": outcome, "version": "v1", "kind": kind}
    words = {"feature": "", "feature_words": "", "case_count": 60, "verdict": "as_before"}
    return {**about, **empty, **words, "sentence": sentence, **more}


def publish(places: Places) -> None:
    """Write two models, one of them with something to do, into the published file."""
    rows = {
        "published_models": [
            model("drop_out", "calibration", f"Train again, or take this one back with {BACK}."),
            model("reliable_deterioration"),
        ],
        "published_drift": [
            drift("drop_out", "inputs", "What goes into it lies as it did."),
            drift("drop_out", "calibration", "It expected 15 in 100; 31 in 100 did."),
            drift(
                "drop_out", "input", "", feature="score", feature_words="last score", value=0.31,
                high=0.12, share_then=0.0, share_now=0.25, verdict="moved_clearly",
            ),
        ],
    }  # fmt: skip
    path = places.published / places.pointer().aggregates
    with duckdb.connect(str(path)) as snapshot:
        for table, told in rows.items():
            snapshot.register("told", pl.DataFrame(told, infer_schema_length=None).to_arrow())
            snapshot.execute(f"insert into {table} by name from told")
            snapshot.unregister("told")


def runs_of(places: Places, monkeypatch: pytest.MonkeyPatch, role: str = "analyst") -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=60)
    test.query_params["role"] = role
    test._page_hash = calc_hash("runs")
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.header, *test.markdown, *test.info]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def test_without_a_model_it_says_what_stands_in_and_what_helps(
    own_practice: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(runs_of(own_practice, monkeypatch))
    assert "Models in use" in text
    assert "the status rule stands in" in text
    assert "`unstuck train`" in text


@pytest.mark.parametrize("role", ["analyst", "manager"])
def test_a_model_with_something_to_do_stands_open_with_the_command(
    own_practice: Places, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    publish(own_practice)
    test = runs_of(own_practice, monkeypatch, role)
    text = said(test)
    assert "2 models are in use; there is something to do for 1." in text
    assert "PHQ-9, chance to drop out" in text
    assert "It expected 15 in 100; 31 in 100 did." in text
    assert f"**What to do:** Train again, or take this one back with {BACK}." in text
    assert text.count("What to do:") == 1
    assert [box.label for box in test.selectbox if box.key == "model_shown"] == ["Model"]


def test_the_inputs_of_a_model_are_told_what_moved_most_first() -> None:
    rows = [
        drift("drop_out", "input", "", feature_words="gain", value=0.02, high=0.1),
        drift("drop_out", "input", "", feature_words="level", verdict="too_few", case_count=None),
        drift("drop_out", "input", "", feature_words="last score", value=0.31, high=0.12,
              share_now=0.25, verdict="moved_clearly"),
    ]  # fmt: skip
    table = input_table(pl.DataFrame(rows, infer_schema_length=None))
    assert table["Input"].to_list() == ["last score", "gain", "level"]
    assert table.row(0)[1:] == ("moved clearly", "0.31", "0.12", None, "25%", "60")
    assert table["Verdict"].to_list()[2] == "too few cases to say"


def test_one_model_with_nothing_to_do_is_said_in_the_singular() -> None:
    assert summary(pl.DataFrame([model("drop_out")])) == "1 model is in use, with nothing to do."


@pytest.mark.parametrize(
    ("state", "message", "words"),
    [
        ("trained", "", "ended well."),
        ("nothing to train", "", "found too few ended cases for any model."),
        ("failed", "the disk is full.", "failed, so what was in use before stays: the disk is"),
        ("running", "", "is under way, or was stopped from outside"),
    ],
)
def test_how_the_last_training_went_is_one_sentence(state: Any, message: str, words: str) -> None:
    last = LastTraining(
        version="v1", state=state, trigger="schedule", started_at=NOW, message=message
    )
    told = training_sentence(last)
    assert told.startswith("The last training (22 Nov 2026, 03:00 UTC, by the schedule)")
    assert words in told
