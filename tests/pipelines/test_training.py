"""A training puts in use what held its own, and whatever happens to it leaves what was in use."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import (
    ContractError,
    ModelNotUsableError,
    NightRunningError,
    NothingPublishedError,
)
from data_contracts.measures import built_in_measures
from data_contracts.places import Places
from data_contracts.settings import Settings
from data_contracts.suppression import suppression_rule
from models import backtest as backtest_module
from models import trained_outlook
from models.case_ends import PRIMARY
from models.landmarks import Landmark
from models.model_card import Decision, TrainingCounts, model_card
from models.outlook import OutlookByOccasion
from models.past_cases import PastCases
from models.trained_outlook import TrainedOutlook
from pipelines import training, training_evidence
from pipelines.cli import main
from pipelines.locks import held
from pipelines.model_shelf import versions_on_shelf
from pipelines.models_in_use import InUse, fingerprint_in_use, in_use
from pipelines.reading_reviews import REVIEWS
from pipelines.telling_models import moves_as_text, training_as_text
from pipelines.training import train

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
COURSE = """
case day measure score
A    0   PHQ-9   18
A    7   PHQ-9   18
A    14  PHQ-9   17
"""
COUNTS = TrainingCounts(
    cases=200, known=200, bad=67, reviewed=0, newest=50, fitted=200, fitted_bad=67
)
CANARY = "KANARIENVOGEL4711"


@pytest.fixture(scope="module")
def model() -> OutlookByOccasion:
    case = np.arange(100)
    first = np.random.default_rng(1).integers(12, 25, 100)
    known = pl.DataFrame({"case_id": case, "baseline": first}).select(
        "case_id",
        "baseline",
        occasion=pl.lit(1.0),
        score=pl.col("baseline") - pl.Series(np.where(case % 3 == 0, 0.0, 6.0)),
    )
    ends = pl.DataFrame({"case_id": case, "end_score": [20.0, 5.0, 5.0] * 33 + [20.0]})
    ends = ends.with_columns(is_asked=True, is_bad=pl.col("end_score") > 10, end_occasion=9)
    return OutlookByOccasion(reliable_change=6.0, cutoff=10.0).fit(known, ends)


@pytest.fixture
def places(practice: Any) -> Places:
    """Return the home of a practice with one case, after its first night."""
    practice.night(COURSE)
    return practice.places


def stand_in(
    monkeypatch: pytest.MonkeyPatch, model: OutlookByOccasion | None
) -> list[tuple[PastCases, str, Any]]:
    """Let models be trained by somebody else, who notes what was asked; None: never promoted."""
    asked = []

    def trained(
        past: PastCases, outcome: str, terms: Any, *, rival: Any, **_: Any
    ) -> TrainedOutlook:
        asked.append((past, outcome, rival))
        why = ("Not worse.",) if model else ("Not put in use: worse.",)
        card = model_card(
            shown={
                "measure": past.measure.measure_id,
                "outcome": outcome,
                "outcome_in_words": "ends so",
            },
            measure_name="PHQ-9",
            version=terms.version,
            seed=1,
            packages=terms.packages,
            counts=COUNTS,
            decision=Decision(is_promoted=model is not None, why=why),
            features=[],
            tried=[],
            suppression=suppression_rule("default"),
        )
        return TrainedOutlook(
            measure_id=past.measure.measure_id,
            outcome=outcome,
            state="promoted" if model else "not promoted",
            why=why,
            counts=COUNTS,
            card=card,
            model=model,
            reference={"format": "drift reference 1", "learned_until": 400},
        )

    monkeypatch.setattr(training, "trained_outlook", trained)
    return asked


def test_what_is_promoted_is_in_use_and_the_next_training_knows_it(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = stand_in(monkeypatch, model)
    report = train(places, started_at=NOW)
    assert [outcome for _, outcome, _ in asked] == list(training.OUTCOMES_TRAINED)
    assert [rival for _, _, rival in asked] == [None] * 3
    current = in_use(places).current("phq9", PRIMARY)
    assert current is not None
    assert (current.version, current.case_count) == (report.version, 200)
    last = places.last_training()
    assert last is not None
    assert (last.state, last.trigger) == ("trained", "hand")
    asked.clear()
    train(places, started_at=NOW + timedelta(days=7), trigger="schedule")
    assert [rival.learned_until for _, _, rival in asked] == [400] * 3


def test_what_is_not_promoted_leaves_its_card_and_nothing_in_use(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, None)
    report = train(places, started_at=NOW)
    assert not report.promoted
    assert fingerprint_in_use(places) == "none"
    folder = places.models / report.version
    assert {path.suffix for path in folder.iterdir()} == {".json", ".md"}


def test_the_home_is_held_only_while_it_is_read(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, model)
    with (
        held(places.lock, "night", NOW),
        pytest.raises(NightRunningError, match="another night is running"),
    ):
        train(places, started_at=NOW)
    last = places.last_training()
    assert last is not None
    assert last.state == "failed"
    assert fingerprint_in_use(places) == "none"
    whole = training.trained_outlook

    def trains_while_a_night_runs(*given: Any, **named: Any) -> TrainedOutlook:
        with held(places.lock, "night", NOW):
            return whole(*given, **named)

    monkeypatch.setattr(training, "trained_outlook", trains_while_a_night_runs)
    assert train(places, started_at=NOW + timedelta(hours=1)).promoted


def test_two_trainings_do_not_run_at_once(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, model)
    with (
        held(places.training_lock, "training", NOW),
        pytest.raises(NightRunningError, match="another training is running"),
    ):
        train(places, started_at=NOW)
    assert places.last_training() is None


def test_a_training_that_breaks_leaves_what_is_in_use_and_no_data_in_its_note(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, model)
    train(places, started_at=NOW)
    before = fingerprint_in_use(places)

    def breaks(*_: Any, **__: Any) -> TrainedOutlook:
        raise ValueError(CANARY)

    monkeypatch.setattr(training, "trained_outlook", breaks)
    with pytest.raises(ValueError, match=CANARY):
        train(places, started_at=NOW + timedelta(days=7))
    assert fingerprint_in_use(places) == before
    last = places.last_training()
    assert last is not None
    assert last.state == "failed"
    assert "ValueError" in last.message
    assert CANARY not in places.last_training_file.read_text(encoding="utf-8")


def test_over_a_damaged_list_of_what_is_in_use_nothing_is_trained(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = stand_in(monkeypatch, model)
    report = train(places, started_at=NOW)
    asked.clear()
    damaged = places.models_in_use_file.read_bytes()[:-3]
    places.models_in_use_file.write_bytes(damaged)
    with pytest.raises(ModelNotUsableError, match="put back a copy of it, or move it away"):
        train(places, started_at=NOW + timedelta(days=7))
    assert not asked
    assert places.models_in_use_file.read_bytes() == damaged
    assert versions_on_shelf(places) == [report.version]


def test_a_training_whose_evidence_cannot_be_written_leaves_what_is_in_use(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, model)
    train(places, started_at=NOW)
    before = places.models_in_use_file.read_bytes()
    told: list[InUse] = []

    def full(*given: Any) -> None:
        told.append(given[-1])
        raise OSError(CANARY)

    monkeypatch.setattr(training, "publish_evidence", full)
    with pytest.raises(OSError, match=CANARY):
        train(places, started_at=NOW + timedelta(days=7))
    assert places.models_in_use_file.read_bytes() == before
    last = places.last_training()
    assert last is not None
    assert last.state == "failed"
    coming = told[0].current("phq9", PRIMARY)
    assert coming is not None
    assert coming.version == last.version


def test_cases_the_outlook_is_not_asked_about_are_no_load_of_the_alarm_budget() -> None:
    case = pl.Series([f"c{number}" for number in range(80)])
    cases = pl.DataFrame({"case_id": case, "supervisor_id": "S"}).with_columns(
        started_on=pl.int_range(80, dtype=pl.Int64) * 7,
        ended_on=pl.int_range(80, dtype=pl.Int64) * 7 + 70,
    )
    mild = cases.with_columns(case_id=pl.lit("m") + pl.col("case_id"))
    predictions = cases.select(
        "case_id", "started_on", rule=pl.lit("outlook"), asked_on=pl.col("started_on") + 28,
        probability=pl.int_range(80) / 80, is_bad=pl.int_range(80) >= 50, later_scores=5,
        weeks_left=6.0, occasions_left=5, is_reviewed=False,
    )  # fmt: skip
    unasked = mild.select(
        "case_id", "started_on", rule=pl.lit("status_rule"), asked_on=pl.col("started_on") + 28,
        probability=pl.lit(None, pl.Float64), is_bad=pl.lit(None, pl.Boolean), later_scores=5,
        weeks_left=6.0, occasions_left=5, is_reviewed=False,
    )  # fmt: skip
    tested: Any = SimpleNamespace(
        predictions=pl.concat([predictions, unasked], how="vertical_relaxed"),
        as_json=lambda: {"outcome": PRIMARY},
    )
    points = pl.DataFrame({"case_id": case[:1], "occasion": [0], "value": [18.0]})
    alone, with_mild = (
        training_evidence._with_budget(
            tested, PastCases.of(built_in_measures()["phq9"], load, points), Settings()
        )["budget"]
        for load in (cases, pl.concat([cases, mild]))
    )
    assert {row["unit"] for row in alone} == {"supervisor"}
    assert with_mild == alone


def test_without_knowing_who_was_reviewed_nothing_is_trained(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, model)
    places.workspace.write_bytes(b"no database")
    with pytest.raises(Exception, match="nothing was trained, because reviews could not be read"):
        train(places, started_at=NOW)
    assert fingerprint_in_use(places) == "none"


def test_a_reviewed_case_is_known_as_one_also_where_nobody_knows_the_day(
    places: Places, model: OutlookByOccasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = stand_in(monkeypatch, model)
    reviews = pl.DataFrame(
        {"case_id": ["A"], "reviewed_at": [NOW], "decision": ["discussed"], "was_useful": [None],
         "shown_run_id": ["r"], "shown_kind": ["stuck"], "shown_flags": ["stuck|phq9|day 14"]},
        schema=REVIEWS,
    )  # fmt: skip
    monkeypatch.setattr(training, "review_days", lambda *_: reviews)
    train(places, started_at=NOW)
    past = asked[0][0]
    assert not past.has_calendar
    assert past.cases["reviewed_on"].null_count() == 0


def test_a_home_without_a_night_has_nothing_to_train(tmp_path: Path) -> None:
    with pytest.raises(NothingPublishedError, match="unstuck run"):
        train(Places.at(tmp_path), started_at=NOW)


@pytest.mark.parametrize("asked", [["train"], ["models"], ["models", "--roll-back"]])
def test_a_mistyped_home_is_refused_and_not_made(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "nowhere"
    assert main([*asked, "--home", str(nowhere)]) == NothingPublishedError.exit_code
    assert "nothing is published" in capsys.readouterr().err
    assert not nowhere.exists()


@pytest.mark.parametrize("more", [[], ["--card"], ["--roll-back"]])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--measure", "phq"], "did you mean 'phq9'?"),
        (["--outcome", "drop-out"], "did you mean 'drop_out'?"),
    ],
)
def test_a_measure_or_outcome_no_model_is_of_is_refused_with_the_nearest(
    more: list[str],
    asked: list[str],
    said: str,
    places: Places,
    model: OutlookByOccasion,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = ["--home", str(places.home)]
    assert main(["models", *asked, *more, *home]) == ModelNotUsableError.exit_code
    assert f"run 'unstuck train --home {places.home}'" in capsys.readouterr().err
    stand_in(monkeypatch, model)
    train(places, started_at=NOW)
    assert main(["models", *asked, *more, *home]) == ModelNotUsableError.exit_code
    assert said in capsys.readouterr().err


def test_what_is_out_of_use_is_told_so_with_the_way_back(
    places: Places,
    model: OutlookByOccasion,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(monkeypatch, model)
    home = ["--home", str(places.home)]
    first = train(places, started_at=NOW)
    second = train(places, started_at=NOW + timedelta(days=7))
    assert main(["models", "--roll-back", "--card", *home]) == 2
    assert "one thing at a time" in capsys.readouterr().err
    assert len(in_use(places).all_current) == 3
    assert main(["models", *home]) == 0
    assert f"Was in use, replaced by {second.version} on" in capsys.readouterr().out
    for _ in range(2):
        assert main(["models", "--roll-back", *home]) == 0
    told = capsys.readouterr().out
    assert f"{first.version} is in use again." in told
    assert f"The way back is a new training: unstuck train --home {places.home}" in told
    assert main(["models", *home]) == 0
    listed = capsys.readouterr().out
    assert "Not worse." not in listed
    assert listed.count("Was in use, rolled back on") == 6


def test_the_command_of_the_next_night_names_the_home_and_what_its_settings_lack(
    practice: Any,
    model: OutlookByOccasion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    practice.night(COURSE)
    places = practice.places
    stand_in(monkeypatch, model)
    report = train(places, started_at=NOW)
    run = f"unstuck run --home {places.home}"
    for told in (training_as_text(report, places), moves_as_text([], places)):
        assert f"{run} --source DIR --mapping FILE (as for the last night)" in told
    practice.settings('source = "source"\nmapping = "mapping.toml"\n')
    assert moves_as_text([], places).endswith(run)


def test_too_few_cases_are_counted_and_every_outcome_measure_is_named(practice: Any) -> None:
    practice.settings("[models]\nminimum_cases = 50\n")
    practice.simulate(cases=40, seed=3)
    practice.night()
    told = training_as_text(train(practice.places, started_at=NOW), practice.places)
    assert re.search(
        r"it takes 50 ended cases with a known end, and there are (\d+|at most 7)\.", told
    )
    assert "phq9" in told
    assert "gad7: not trained" in told
    assert "Nothing was put in use.\n" in told
    assert "stays" not in told


def test_the_commands_train_list_and_roll_back(
    places: Places,
    model: OutlookByOccasion,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(monkeypatch, model)
    home = ["--home", str(places.home)]
    assert main(["models", *home]) == 0
    assert "No model has been trained" in capsys.readouterr().out
    assert main(["train", "--json", *home]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in told["models"]] == ["promoted"] * 3
    assert main(["models", "--json", *home]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["outcome"], each["is_in_use"]) for each in listed] == [
        (outcome, True) for outcome in sorted(training.OUTCOMES_TRAINED)
    ]
    assert main(["models", "--card", "--outcome", "drop_out", *home]) == 0
    assert capsys.readouterr().out.count("# Model card: PHQ-9") == 1
    assert main(["models", "--roll-back", "--outcome", "drop_out", *home]) == 0
    out = capsys.readouterr().out
    assert "phq9, drop out" in out
    assert "no model is in use, the status rule stands in" in out
    assert main(["models", "--roll-back", "--json", *home]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert main(["models", "--roll-back", *home]) == 14
    assert "nothing was rolled back" in capsys.readouterr().err


@pytest.fixture(scope="module")
def simulated(new_practice: Any) -> Any:
    """Return a simulated practice after a night, a training and the night behind it."""
    practice = new_practice()
    practice.settings("[models]\nminimum_cases = 50\nminimum_bad = 10\n")
    practice.simulate(cases=300, seed=3)
    practice.night()
    with pytest.MonkeyPatch.context() as monkeypatch:
        asked = partial(
            backtest_module.backtest,
            landmarks=[Landmark.named("4")],
            rules=("outlook", "naive_two_score"),
            resamples=60,
        )
        monkeypatch.setattr(trained_outlook, "backtest", asked)
        monkeypatch.setattr(training, "OUTCOMES_TRAINED", (PRIMARY,))
        practice.report = train(practice.places, started_at=NOW)  # type: ignore[attr-defined]
    practice.night()
    return practice


def test_a_simulated_practice_gets_models_outlooks_evidence_and_a_look_at_drift(
    simulated: Any,
) -> None:
    promoted = {each.measure_id for each in simulated.report.promoted}
    assert promoted, [each.why for each in simulated.report.trained]
    assert set(simulated.published("models")["measure_id"]) == promoted
    assert set(simulated.published("models")["concern"]) <= {"", "inputs"}
    drift = simulated.published("drift")
    assert set(drift["kind"]) == {"calibration", "input", "inputs"}
    assert set(drift.filter(kind="calibration")["verdict"]) == {"too_few"}
    outlooks = simulated.published("outlooks").filter(
        pl.col("measure_id").is_in(promoted), outcome=PRIMARY
    )
    assert outlooks["probability"].drop_nulls().len() > 0
    assert set(outlooks.filter(pl.col("probability").is_not_null())["model_version"]) == {
        simulated.report.version
    }
    assert simulated.places.evidence_pointer() is not None


def test_no_card_note_or_state_of_a_training_holds_a_case_or_member_of_staff(
    simulated: Any,
) -> None:
    cases = simulated.published("cases")
    ids = {*cases["case_id"], *cases["therapist_id"].drop_nulls()}
    written = [
        path.read_text(encoding="utf-8")
        for path in simulated.places.models.rglob("*")
        if path.suffix in (".json", ".md")
    ]
    written.append(simulated.places.last_training_file.read_text(encoding="utf-8"))
    assert len(written) > 3
    for text in written:
        assert not [each for each in ids if f'"{each}"' in text or f" {each} " in text]


def test_small_counts_are_in_no_published_row_of_drift(simulated: Any) -> None:
    counts = [
        *simulated.published("drift")["case_count"].drop_nulls(),
        *simulated.published("models")["case_count"].drop_nulls(),
    ]
    assert counts
    assert all(count % 5 == 0 for count in counts)


@pytest.mark.prefect
def test_trainings_have_a_schedule_of_their_own_or_none(practice: Any) -> None:
    from pipelines.prefect_settings import environment_for_prefect

    with environment_for_prefect(practice.places):
        from pipelines import deployments

        def deployed() -> list[Any]:
            # Playwright leaves a loop running in its thread, in which Prefect would answer later.
            with ThreadPoolExecutor(1) as apart:
                return apart.submit(deployments._training_deployment, practice.places.home).result()

        (made,) = deployed()
        assert made.schedules[0].schedule.cron == "0 3 * * 0"
        assert made.entrypoint == "pipelines.deployments.training"
        practice.settings('[models]\nschedule = ""\n')
        assert deployed() == []
        practice.settings('[models]\nschedule = "every Sunday"\n')
        with pytest.raises(ContractError, match="is no schedule"):
            deployed()
