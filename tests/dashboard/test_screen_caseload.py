"""The caseload of one therapist: fair words, no rank, nobody else's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard import reading
from dashboard.caseload_words import MINUS, ended_sentences, signed
from dashboard.scope import OutsideScopeError, Scope
from data_contracts.places import Places

APP = Path(dashboard.__file__).parent / "app.py"
SECONDS = 30
S_01 = Scope(
    role="supervisor", supervisor_id="S-01", therapist_ids=("T-001", "T-002", "T-003", "T-004")
)
ALIKE: dict[str, Any] = {
    "therapist_id": "T-001",
    "site_id": "north",
    "case_count": 15,
    "mean_saes": 1.31,
    "effect": -0.14,
    "effect_low": -0.61,
    "effect_high": 0.33,
    "funnel": "inside",
    "mean_of_all": 1.67,
    "funnel_low_95": 0.91,
    "funnel_high_95": 2.43,
    "funnel_low_998": 0.47,
    "funnel_high_998": 2.87,
    "is_suppressed": False,
    "reference_name": "run-1",
}
NUMBERS = [name for name, value in ALIKE.items() if isinstance(value, float | int | str)][2:-2]
FEW = ALIKE | dict.fromkeys(NUMBERS) | {"therapist_id": "T-002", "is_suppressed": True}
FOREIGN = ALIKE | {"therapist_id": "T-006", "effect": 0.77, "mean_saes": 2.77}


@pytest.fixture
def caseloads(own_practice: Places) -> Places:
    """Return a practice whose night published what came of three therapists' ended cases."""
    path = own_practice.published / own_practice.pointer().cases
    rows = pl.DataFrame([ALIKE, FEW, FOREIGN])
    with duckdb.connect(str(path)) as connection:
        connection.register("sent", rows.to_arrow())
        connection.execute("insert into published_caseload by name select * from sent")
    return own_practice


pytestmark = pytest.mark.usefixtures("served_on_loopback")


def opened(places: Places, monkeypatch: pytest.MonkeyPatch, **address: str) -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=SECONDS)
    for name, value in address.items():
        test.query_params[name] = value
    test._page_hash = calc_hash("caseload")
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.title, *test.header, *test.markdown, *test.info, *test.warning, *test.error]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def at(places: Places, monkeypatch: pytest.MonkeyPatch, therapist: str, **more: str) -> Any:
    address = {"role": "supervisor", "supervisor": "S-01", "therapist": therapist} | more
    return opened(places, monkeypatch, **address)


def test_words_first_then_the_picture_then_the_cases(caseloads: Places, monkeypatch) -> None:
    test = at(caseloads, monkeypatch, "T-001")
    text = said(test)
    assert test.title[0].value == "Caseload"
    assert "T-001 has " in text
    assert "are flagged: " in text
    assert "Flagged longest: C-" in text or "not seen for longest: C-" in text
    assert "About 15 ended cases count" in text
    assert f"about {MINUS}0.14 (95 % interval {MINUS}0.61 to +0.33)" in text
    assert "cannot be told apart from all others" in text
    assert len(test.get("arrow_vega_lite_chart") or test.get("vega_lite_chart")) == 1


def test_few_ended_cases_are_said_in_words_and_nothing_is_drawn(
    caseloads: Places, monkeypatch
) -> None:
    test = at(caseloads, monkeypatch, "T-002")
    assert "Too few ended cases to say anything fair" in said(test)
    assert "at least 8 are needed" in said(test)
    assert not (test.get("arrow_vega_lite_chart") or test.get("vega_lite_chart"))


def test_a_therapist_without_ended_cases_is_explained(caseloads: Places, monkeypatch) -> None:
    assert "No ended case of this therapist" in said(at(caseloads, monkeypatch, "T-003"))


def test_another_s_therapist_by_address_shows_no_number(caseloads: Places, monkeypatch) -> None:
    test = at(caseloads, monkeypatch, "T-006")
    text = said(test)
    assert "not among those you supervise" in text
    assert "2.77" not in text
    assert "T-006" not in text
    assert test.selectbox(key="caseload_therapist").options == list(S_01.therapist_ids)
    unknown = said(at(caseloads, monkeypatch, "T-999"))
    assert "not among those you supervise" in unknown  # the same words: existence is not told


def test_questions_for_the_hour_are_asked_and_never_inferred(
    caseloads: Places, monkeypatch
) -> None:
    path = caseloads.published / caseloads.pointer().cases
    told = "Low alliance ratings cannot be told apart from those of others here."
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "insert into published_therapist_lenses by name select 'T-001' as therapist_id, "
            "'therapist_listening' as row_id, $told as sentence, false as is_suppressed "
            "union all by name select 'T-002' as therapist_id, "
            "'therapist_listening' as row_id, '' as sentence, true as is_suppressed",
            {"told": told},
        )
    text = said(at(caseloads, monkeypatch, "T-001"))
    assert told in text
    assert "What would you like us to listen to together?" in text
    assert "strain is only ever the therapist's own word" in text
    assert "Too few rated cases" in said(at(caseloads, monkeypatch, "T-002"))
    assert "Nothing was measured. Let clients rate" in said(at(caseloads, monkeypatch, "T-003"))
    snapshot = reading.current_snapshot(caseloads)
    other = Scope(role="supervisor", supervisor_id="S-02", therapist_ids=("T-005", "T-006"))
    assert reading.therapist_lenses(snapshot, S_01).height == 2
    assert reading.therapist_lenses(snapshot, other).is_empty()
    with pytest.raises(OutsideScopeError):
        reading.therapist_lenses(snapshot, Scope(role="manager"))


def test_choosing_another_therapist_stands_in_the_address(caseloads: Places, monkeypatch) -> None:
    test = at(caseloads, monkeypatch, "T-001")
    test.selectbox(key="caseload_therapist").set_value("T-002").run()
    assert "T-002 has " in said(test)
    assert test.query_params["therapist"] in ("T-002", ["T-002"])


@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_managers_and_analysts_see_no_caseload(caseloads: Places, monkeypatch, role: str) -> None:
    text = said(opened(caseloads, monkeypatch, role=role))
    assert "Cases are shown to supervisors only" in text
    assert "T-001" not in text


def test_a_supervisor_without_therapists_is_told_where_they_come_from(
    caseloads: Places, monkeypatch
) -> None:
    caseloads.settings.write_text('[roles]\nlead_supervisor = "S-77"\n[roles.supervisors]\n'
                                  'S-09 = []\nS-77 = ["T-001"]\n')  # fmt: skip
    test = opened(caseloads, monkeypatch, role="supervisor", supervisor="S-09")
    assert "No therapist is assigned to you" in said(test)


def test_the_table_gives_own_therapists_only(caseloads: Places) -> None:
    snapshot = reading.current_snapshot(caseloads)
    assert reading.caseload(snapshot, S_01)["therapist_id"].to_list() == ["T-001", "T-002"]
    nobody = Scope(role="supervisor", supervisor_id="S-09", sees_cases_without_therapist=True)
    assert reading.caseload(snapshot, nobody).is_empty()
    with pytest.raises(OutsideScopeError):
        reading.caseload(snapshot, Scope(role="manager"))


def test_open_cases_of_another_s_therapist_are_none(caseloads: Places) -> None:
    snapshot = reading.current_snapshot(caseloads)
    own = reading.open_cases(snapshot, S_01, "T-001")
    assert own.height > 3
    assert own["case_id"].n_unique() == own.height
    assert own["position"].drop_nulls().is_sorted()
    assert own.filter(pl.col("position").is_not_null())["sentence"].null_count() == 0
    assert reading.open_cases(snapshot, S_01, "T-006").is_empty()
    with pytest.raises(OutsideScopeError):
        reading.open_cases(snapshot, Scope(role="analyst"), "T-001")


def test_a_snapshot_from_before_the_caseload_opens(
    caseloads: Places, monkeypatch, rewriting
) -> None:
    path = caseloads.published / caseloads.pointer().cases
    with rewriting(path) as connection:
        for limit in ("mean_of_all", "funnel_low_95"):
            connection.execute(f"alter table published_caseload drop column {limit}")
    test = at(caseloads, monkeypatch, "T-001")
    assert f"about {MINUS}0.14" in said(test)
    assert not (test.get("arrow_vega_lite_chart") or test.get("vega_lite_chart"))
    with rewriting(path) as connection:
        connection.execute("drop table published_caseload")
    assert "No ended case of this therapist" in said(at(caseloads, monkeypatch, "T-001"))


def test_a_mean_beyond_chance_with_an_unsure_estimate_is_no_contradiction() -> None:
    row = ALIKE | {"funnel": "beyond 99.8 %", "mean_saes": -0.05, "effect_high": 0.06}
    text = " ".join(ended_sentences(row, "default"))
    assert "chance alone puts 2 in 1,000 therapists" in text
    assert "the estimate stays unsure" in text
    assert "cannot be told apart" not in text


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ({"effect": 0.5, "effect_low": 0.1, "effect_high": 0.9}, "what others could learn"),
        ({"effect": -0.5, "effect_low": -0.9, "effect_high": -0.1}, "look together at which cases"),
        ({"effect": None}, "too few therapists"),
    ],
)
def test_no_sentence_blames_or_ranks(effect: dict[str, Any], words: str) -> None:
    text = " ".join(ended_sentences(ALIKE | effect, "default")).lower()
    assert words in text
    forbidden = ("best", "worst", "rank", "because of the therapist", "poor", "fault", "fail")
    assert not [word for word in forbidden if word in text]


def test_differences_carry_their_sign() -> None:
    assert [signed(value) for value in (0.15, -0.2, 0.0, -0.001)] == [
        "+0.15", f"{MINUS}0.20", "0.00", "0.00",
    ]  # fmt: skip
