"""A model comes back as it was put there, or not at all; what is in use changes in one step."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ModelNotUsableError, NightRunningError
from data_contracts.places import Places
from data_contracts.suppression import suppression_rule
from models.drift import REFERENCE_FORMAT, inputs_reference
from models.model_card import Decision, TrainingCounts, model_card
from models.outlook import OutlookByOccasion
from pipelines import model_shelf, step_9_drift
from pipelines.locks import held
from pipelines.model_shelf import (
    KEPT_VERSIONS,
    TrainedModel,
    model_in_use,
    put_on_shelf,
    sweep_shelf,
    versions_on_shelf,
)
from pipelines.models_in_use import fingerprint_in_use, in_use, roll_back, write_in_use

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PRIMARY = "clinical_without_gain"
OUTCOMES = (PRIMARY, "drop_out")
COUNTS = TrainingCounts(
    cases=200, known=200, bad=67, reviewed=0, newest=50, fitted=200, fitted_bad=67
)
COURSE = """
case day measure score
A    0   PHQ-9   18
A    7   PHQ-9   18
A    14  PHQ-9   17
A    21  PHQ-9   18
"""


OF_ANOTHER_MAKE = {"format": "another"}
REFERENCE = {
    "format": REFERENCE_FORMAT,
    "landmark": "occasion_1",
    "later_scores": 1,
    "learned_until": 0,
    "brier": 0.2,
    "inputs": inputs_reference(pl.DataFrame({"score": [12.0, 15.0, 18.0]}), ["score"]),
    "newest": None,
}
CANARY = "KANARIENVOGEL4711"


@pytest.fixture(scope="module")
def model() -> OutlookByOccasion:
    case, occasion = np.repeat(np.arange(100), 3), np.tile(np.arange(1.0, 4.0), 100)
    first = np.random.default_rng(1).integers(12, 25, 100)[case]
    better = np.where(case % 3 == 0, 0.0, 2.0)
    known = pl.DataFrame({"case_id": case, "occasion": occasion, "baseline": first}).select(
        "case_id", "occasion", "baseline", score=pl.col("baseline") - better * occasion
    )
    ends = pl.DataFrame({"case_id": range(100), "end_score": [20.0, 5.0, 5.0] * 33 + [20.0]})
    ends = ends.with_columns(is_asked=True, is_bad=pl.col("end_score") > 10, end_occasion=pl.lit(9))
    return OutlookByOccasion(reliable_change=6.0, cutoff=10.0).fit(known, ends)


ASKED = pl.DataFrame(
    {"occasion": [1.0, 2.0, 3.0], "baseline": [18.0] * 3, "score": [17.0, 9.0, 18.0]}
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.at(tmp_path)


def trained(
    outcome: str, model: OutlookByOccasion | None, reference: dict[str, Any]
) -> TrainedModel:
    card = model_card(
        shown={"measure": "phq9", "outcome": outcome, "outcome_in_words": "ends so"},
        measure_name="PHQ-9",
        version="v",
        seed=1,
        packages={},
        counts=COUNTS,
        decision=Decision(is_promoted=model is not None, why=("Said.",)),
        features=["score"],
        tried=[],
        suppression=suppression_rule("default"),
    )
    return TrainedModel(card=card, counts=COUNTS, model=model, reference=reference)


def promote(
    places: Places,
    name: str,
    model: OutlookByOccasion,
    outcomes: tuple[str, ...] = OUTCOMES,
    reference: dict[str, Any] = OF_ANOTHER_MAKE,
) -> None:
    """Shelve a version and put it in use for these outcomes."""
    shelved = put_on_shelf(
        places, name, [trained(outcome, model, reference) for outcome in outcomes]
    )
    why = {each.place: "Not worse." for each in shelved}
    write_in_use(places, in_use(places).with_promoted(shelved, at=NOW, why=why))


def version_of(places: Places, outcome: str = PRIMARY) -> str | None:
    current = in_use(places).current("phq9", outcome)
    return None if current is None else current.version


def in_place_of_the_model(places: Places, content: bytes, outcome: str = PRIMARY) -> None:
    """Replace the file in use and its checksum, as somebody who may write here could."""
    state = in_use(places)
    current = state.current("phq9", outcome)
    assert current is not None
    (places.models / current.version / f"phq9-{outcome}.skops").write_bytes(content)
    forged = places.models_in_use_file.read_text(encoding="utf-8").replace(
        current.checksum, sha256(content).hexdigest()
    )
    places.models_in_use_file.write_text(forged, encoding="utf-8")


def test_a_model_comes_back_and_says_the_same(places: Places, model: OutlookByOccasion) -> None:
    promote(places, "v1", model)
    again = model_in_use(places, "phq9", PRIMARY)
    assert again is not None
    before, after = model.predict(ASKED), again.predict(ASKED)
    np.testing.assert_array_equal(before.probability, after.probability)
    assert before.reason.tolist() == after.reason.tolist()
    assert model_in_use(places, "gad7", PRIMARY) is None


def test_beside_each_model_lie_its_card_for_people_and_for_programs(
    places: Places, model: OutlookByOccasion
) -> None:
    promote(places, "v1", model, (PRIMARY,))
    folder = places.models / "v1"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"phq9-{PRIMARY}.card.json",
        f"phq9-{PRIMARY}.card.md",
        f"phq9-{PRIMARY}.reference.json",
        f"phq9-{PRIMARY}.skops",
    ]
    assert json.loads((folder / f"phq9-{PRIMARY}.card.json").read_text())["measure_id"] == "phq9"


class PulledPlugError(BaseException):
    """The machine goes down."""


@pytest.mark.parametrize("point", ["_write", "sync_folder", "_json"])
@pytest.mark.parametrize("time", [1, 2])
def test_a_training_that_is_killed_leaves_what_is_in_use(
    places: Places,
    model: OutlookByOccasion,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    time: int,
) -> None:
    promote(places, "v1", model)
    before = fingerprint_in_use(places)
    whole = getattr(model_shelf, point)
    calls = []

    def dies(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == time:
            raise PulledPlugError
        return whole(*given)

    monkeypatch.setattr(model_shelf, point, dies)
    with pytest.raises(PulledPlugError):
        promote(places, "v2", model)
    monkeypatch.undo()
    assert fingerprint_in_use(places) == before
    assert model_in_use(places, "phq9", PRIMARY) is not None
    promote(places, "v3", model)
    assert version_of(places) == "v3"
    assert not [path for path in places.models.iterdir() if path.name.endswith(".writing")]


def test_a_file_that_was_changed_is_not_opened(places: Places, model: OutlookByOccasion) -> None:
    promote(places, "v1", model)
    path = places.models / "v1" / f"phq9-{PRIMARY}.skops"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(
        ModelNotUsableError, match=r"changed or damaged.*--roll-back --measure phq9"
    ):
        model_in_use(places, "phq9", PRIMARY)
    assert model_in_use(places, "phq9", "drop_out") is not None
    path.unlink()
    with pytest.raises(ModelNotUsableError, match="cannot be read"):
        model_in_use(places, "phq9", PRIMARY)


def test_a_file_that_could_run_code_is_not_opened(
    places: Places, model: OutlookByOccasion, tmp_path: Path
) -> None:
    import pickle
    import subprocess

    from sklearn.preprocessing import FunctionTransformer
    from sklearn.tree import DecisionTreeClassifier
    from skops.io import dumps

    promote(places, "v1", model)
    in_place_of_the_model(places, dumps(FunctionTransformer(func=subprocess.getoutput)))
    with pytest.raises(ModelNotUsableError, match=r"not trusted.*subprocess"):
        model_in_use(places, "phq9", PRIMARY)
    tree = DecisionTreeClassifier().fit([[0], [1]], [0, 1])
    in_place_of_the_model(places, dumps(tree))
    with pytest.raises(ModelNotUsableError, match=r"not trusted.*Tree"):
        model_in_use(places, "phq9", PRIMARY)

    class Runs:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]  # for pickle

    in_place_of_the_model(places, pickle.dumps(Runs()))
    with pytest.raises(ModelNotUsableError, match="cannot be opened"):
        model_in_use(places, "phq9", PRIMARY)
    assert not (tmp_path / "ran").exists()


def test_a_file_with_something_else_in_it_is_no_outlook(
    places: Places, model: OutlookByOccasion
) -> None:
    from sklearn.linear_model import LogisticRegression
    from skops.io import dumps

    promote(places, "v1", model)
    in_place_of_the_model(places, dumps(LogisticRegression().fit([[0], [1]], [0, 1])))
    with pytest.raises(ModelNotUsableError, match="LogisticRegression and no outlook"):
        model_in_use(places, "phq9", PRIMARY)


def test_a_model_of_another_scikit_learn_is_not_asked(
    places: Places, model: OutlookByOccasion
) -> None:
    from importlib.metadata import version

    promote(places, "v1", model)
    text = places.models_in_use_file.read_text(encoding="utf-8")
    older = text.replace(f'"scikit-learn": "{version("scikit-learn")}"', '"scikit-learn": "1.2.0"')
    assert older != text
    places.models_in_use_file.write_text(older, encoding="utf-8")
    with pytest.raises(ModelNotUsableError, match=r"written with scikit-learn 1\.2\.0"):
        model_in_use(places, "phq9", PRIMARY)


def test_a_model_of_older_code_is_not_asked(places: Places, model: OutlookByOccasion) -> None:
    promote(places, "v1", model)
    text = places.models_in_use_file.read_text(encoding="utf-8")
    own = model_shelf.packages_here()[model_shelf.OWN_CODE]
    assert own in text
    places.models_in_use_file.write_text(text.replace(own, "0" * 12), encoding="utf-8")
    with pytest.raises(ModelNotUsableError, match=r"code of the outlook 000000000000"):
        model_in_use(places, "phq9", PRIMARY)


def test_rolling_back_brings_the_model_before_and_then_none(
    places: Places, model: OutlookByOccasion
) -> None:
    promote(places, "v1", model)
    first = fingerprint_in_use(places)
    promote(places, "v2", model)
    assert fingerprint_in_use(places) != first
    moves = roll_back(places, at=NOW)
    assert {(move.outcome, move.before, move.version) for move in moves} == {
        (outcome, "v2", "v1") for outcome in OUTCOMES
    }
    assert version_of(places) == "v1"
    assert fingerprint_in_use(places) == first
    roll_back(places, at=NOW)
    assert version_of(places) is None
    assert fingerprint_in_use(places) == "none"
    with pytest.raises(ModelNotUsableError, match="nothing was rolled back; in use: none"):
        roll_back(places, at=NOW)
    assert [move.what for move in in_use(places).moves] == ["promoted"] * 4 + ["rolled back"] * 4


def test_one_training_is_taken_back_not_the_ones_before(
    places: Places, model: OutlookByOccasion
) -> None:
    promote(places, "v1", model)
    promote(places, "v2", model, ("drop_out",))
    roll_back(places, at=NOW)
    assert (version_of(places), version_of(places, "drop_out")) == ("v1", "v1")
    roll_back(places, at=NOW, outcome="drop_out")
    assert (version_of(places), version_of(places, "drop_out")) == ("v1", None)
    with pytest.raises(ModelNotUsableError, match="in use: phq9 clinical_without_gain"):
        roll_back(places, at=NOW, measure_id="gad7")


def test_nothing_is_rolled_back_while_a_training_may_promote(
    places: Places, model: OutlookByOccasion
) -> None:
    promote(places, "v1", model)
    with (
        held(places.training_lock, "training", NOW),
        pytest.raises(NightRunningError, match="another training is running"),
    ):
        roll_back(places, at=NOW)
    assert version_of(places) == "v1"


def test_old_versions_go_but_never_one_in_use_or_the_one_behind_it(
    places: Places, model: OutlookByOccasion
) -> None:
    promote(places, "v00", model)
    promote(places, "v01", model, ("drop_out",))
    for number in range(2, KEPT_VERSIONS + 4):
        put_on_shelf(places, f"v{number:02}", [trained("drop_out", None, OF_ANOTHER_MAKE)])
    sweep_shelf(places)
    there = versions_on_shelf(places)
    assert there[-2:] == ["v01", "v00"]
    assert len(there) == KEPT_VERSIONS + 2
    assert there[-3] == "v04"
    roll_back(places, at=NOW)
    assert model_in_use(places, "phq9", "drop_out") is not None


def test_a_night_over_a_damaged_shelf_warns_and_works(practice: Any) -> None:
    practice.places.models.mkdir(parents=True)
    practice.places.models_in_use_file.write_text("{", encoding="utf-8")
    report = practice.night(COURSE)
    assert report.outcome == "published"
    assert any("in_use.json is not what a training wrote" in each for each in report.warnings)


def test_another_model_in_use_makes_the_next_night_say_it_anew(
    practice: Any, model: OutlookByOccasion
) -> None:
    practice.night(COURSE)
    assert practice.night().outcome == "unchanged"
    promote(practice.places, "v1", model)
    report = practice.night()
    assert report.outcome == "published"
    assert not [each for each in report.warnings if "model" in each]
    told = practice.published("models")
    assert told["version"].to_list() == ["v1", "v1"]
    assert told["concern"].to_list() == ["unknown", "unknown"]
    assert practice.night().outcome == "unchanged"
    roll_back(practice.places, at=NOW + timedelta(days=9))
    assert practice.night().outcome == "published"
    assert practice.published("models").is_empty()


def test_a_model_that_cannot_be_opened_is_told_and_the_night_goes_on(
    practice: Any, model: OutlookByOccasion
) -> None:
    promote(practice.places, "v1", model, (PRIMARY,))
    (practice.places.models / "v1" / f"phq9-{PRIMARY}.skops").write_bytes(b"torn")
    report = practice.night(COURSE)
    assert sum("changed or damaged" in each for each in report.warnings) == 1
    told = practice.published("models").row(0, named=True)
    assert told["concern"] == "unusable"
    assert "--roll-back --measure phq9" in told["advice"]


def test_a_measure_that_lost_its_cutoff_leaves_its_model_unusable_and_the_night_goes_on(
    practice: Any, model: OutlookByOccasion
) -> None:
    promote(practice.places, "v1", model, reference=REFERENCE)
    contract = (files("data_contracts") / "measures" / "phq9.toml").read_text(encoding="utf-8")
    practice.places.measures.mkdir(parents=True)
    without = re.sub(r"(?ms)^\[clinical_cutoff\]\n.*?(?=^\[)", "", contract)
    (practice.places.measures / "phq9.toml").write_text(without, encoding="utf-8")
    report = practice.night(COURSE)
    assert report.outcome == "published"
    (warning,) = (each for each in report.warnings if "has no cut-off" in each)
    assert "the status rule stands in" in warning
    told = {row["outcome"]: row for row in practice.published("models").to_dicts()}
    assert told[PRIMARY]["concern"] == "unusable"
    assert "has no cut-off" in told[PRIMARY]["advice"]
    assert "unstuck train" not in told[PRIMARY]["advice"]
    assert told["drop_out"]["concern"] == ""


def test_a_wrong_address_of_the_store_of_reviews_stops_no_night(
    practice: Any, model: OutlookByOccasion
) -> None:
    promote(practice.places, "v1", model, reference=REFERENCE)
    practice.settings('[workspace]\nurl = "mysql://nowhere/reviews"\n')
    report = practice.night(COURSE)
    assert report.outcome == "published"
    assert any("drift of the models in use is left out" in each for each in report.warnings)


def test_a_model_that_gives_no_answer_to_the_look_at_drift_stops_no_night(
    practice: Any, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(practice.places, "v1", model, (PRIMARY,), reference=REFERENCE)
    monkeypatch.setattr(step_9_drift, "known_at", lambda *_: pl.DataFrame({"is_bad": [True]}))

    def breaks(*_: Any) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr(OutlookByOccasion, "predict", breaks)
    report = practice.night(COURSE)
    assert report.outcome == "published"
    assert sum("v1 gives no answer (ValueError)" in each for each in report.warnings) == 1
    assert not any(CANARY in each for each in report.warnings)
    assert practice.published("models")["concern"].to_list() == ["unusable"]
