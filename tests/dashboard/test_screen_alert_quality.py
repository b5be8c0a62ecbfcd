"""Can I believe the flags here: words first, hits with misses, hidden said so, nobody's case."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altair
import duckdb
import polars as pl
import pytest
from sample_backtest import sample_backtest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard
from dashboard import alert_tables, reading_evidence
from dashboard.alert_blocks import pictures
from dashboard.alert_rules import calibration_note
from dashboard.case_flag_quality import _nearest
from dashboard.chart_alerts import by_moment_chart, calibration_chart, found_chart
from dashboard.chart_pictures import as_png
from dashboard.queue_line import NOT_READABLE
from dashboard.reading_evidence import Asked, Evidence, current_evidence
from dashboard.scope import Scope
from data_contracts.places import Places
from data_contracts.tables_evidence import EVIDENCE
from pipelines.evidence import EvidenceCard, write_evidence

APP = Path(dashboard.__file__).parent / "app.py"
STUCK, ON_TRACK = "C-008", "C-029"
PRIMARY = Asked(measure_id="phq9", outcome="clinical_without_gain", landmark="occasion_4")
ROLES = ("manager", "analyst", "supervisor")

pytestmark = pytest.mark.usefixtures("served_on_loopback")


@pytest.fixture(scope="module")
def evidence_file(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Return a home that holds evidence alone: two ends of the PHQ-9, four moments."""
    places = Places.at(tmp_path_factory.mktemp("evidence"))
    write_evidence(
        places,
        [
            sample_backtest(cases=400, occasions=(2, 4, 6, 8)),
            sample_backtest(cases=120, outcome="reliable_deterioration", base_rate=0.1,
                            occasions=(4,)),
        ],
        cards=[
            EvidenceCard(
                measure_id="phq9", outcome="clinical_without_gain", version="20261122-1",
                trained_at=None, markdown="# Outlook of the PHQ-9\n\nNot for a diagnosis.",
                content={},
            )
        ],
        made_at=datetime(2026, 11, 22, 5, 0, tzinfo=UTC),
        suppression="default",
        measure_names={"phq9": "PHQ-9"},
        snapshots_kept=2,
    )  # fmt: skip
    return places


@pytest.fixture
def tested(own_practice: Places, evidence_file: Places) -> Places:
    """Return the invented practice with that evidence beside its snapshots."""
    for path in evidence_file.published.glob("evidence*"):
        (own_practice.published / path.name).write_bytes(path.read_bytes())
    return own_practice


@pytest.fixture
def evidence(evidence_file: Places) -> Evidence:
    found = current_evidence(evidence_file)
    assert found
    return found


def opened(
    places: Places, monkeypatch: pytest.MonkeyPatch, role: str = "manager", **address: str
) -> AppTest:
    monkeypatch.setenv("UNSTUCK_HOME", str(places.home))
    test = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in {"role": role, **address}.items():
        test.query_params[name] = value
    test._page_hash = calc_hash("case" if "case" in address else "alerts")
    test.run()
    assert not test.exception, [found.value for found in test.exception]
    return test


def said(test: AppTest) -> str:
    parts = [*test.header, *test.markdown, *test.info]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


# --- The screen ----------------------------------------------------------------------------------


def test_without_a_test_the_screen_says_what_to_run(practice: Places, monkeypatch) -> None:
    text = said(opened(practice, monkeypatch))
    assert "Nobody has tested the flags on this practice's own past cases yet" in text
    assert "unstuck train --home" in text


@pytest.mark.parametrize("role", ROLES)
def test_hits_and_misses_stand_first_and_together(tested: Places, monkeypatch, role: str) -> None:
    test = opened(tested, monkeypatch, role)
    text = said(test)
    hits = text.index("cases flagged at the 4th score after the start, about")
    misses = text.index("had been flagged by then; the others were missed")
    assert hits < misses
    kinds = [node.type for node in test.main]
    words = [str(getattr(node, "value", "")) for node in test.main]
    assert next(i for i, word in enumerate(words) if "others were missed" in word) < kinds.index(
        "vega_lite_chart"
    )
    assert "Of 10 not flagged at the 4th score after the start" in text
    assert "looking only at the first and the last score finds" in text
    assert "It does not say what a flag, a review or the care did." in text
    assert "Card of the model" not in text  # folded
    assert not re.search(r"C-\d{3}", text)


def test_what_the_numbers_stand_on_is_said_above_them(tested: Places, monkeypatch) -> None:
    text = said(opened(tested, monkeypatch))
    assert "400 past cases with a known end" in text
    assert "tested 22 Nov 2026, 05:00 UTC" in text
    assert "“hidden”: fewer than 8, or it would give such a number away" in text


def test_another_end_is_named_in_every_sentence_about_it(tested: Places, monkeypatch) -> None:
    test = opened(tested, monkeypatch, outcome="reliable_deterioration")
    text = said(test)
    assert "ended clearly worse than they began" in text
    assert "ended in the clinical range" not in text
    assert "cannot be said: too few" in text


def test_what_is_chosen_stands_in_the_address(tested: Places, monkeypatch) -> None:
    test = opened(tested, monkeypatch, landmark="occasion_6")
    assert "at the 6th score after the start" in said(test)
    test.selectbox(key="alerts_landmark").set_value("occasion_8").run()
    assert not test.exception
    assert test.query_params["landmark"] in ("occasion_8", ["occasion_8"])
    assert "at the 8th score after the start" in said(test)
    test.selectbox(key="alerts_outcome").set_value("reliable_deterioration").run()
    assert not test.exception  # that end was asked at another moment only
    assert "at the 4th score after the start" in said(test)


@pytest.mark.parametrize(
    "address", [{"outcome": "<b>"}, {"landmark": "occasion_99"}, {"measure": "C-008"}]
)
def test_an_address_that_names_nothing_known_shows_the_first(
    tested: Places, monkeypatch, address: dict[str, str]
) -> None:
    text = said(opened(tested, monkeypatch, **address))
    assert "ended in the clinical range without clear improvement" in text
    assert "at the 4th score" in text
    assert not set(address.values()) & set(text.split())


def test_a_small_group_is_hidden_and_said_so(tested: Places, monkeypatch) -> None:
    tables = [table.value for table in opened(tested, monkeypatch).table]
    groups = next(rows for rows in tables if "Group" in rows)
    west = groups[groups["Group"] == "west"].iloc[0]
    assert set(west.drop("Group")) == {"hidden"}
    north = groups[groups["Group"] == "north"].iloc[0]
    assert north["Status rule, AUC"].startswith("0.")
    assert re.search(r", n = \d+$", north["Status rule, AUC"])


def test_each_rule_of_a_group_stands_beside_its_own_n() -> None:
    row = {"dimension": "site_id", "group_id": "north", "figure": "auc", "value": 0.7,
           "low": None, "high": None, "is_suppressed": False, "reason": None}  # fmt: skip
    subgroups = pl.DataFrame(
        [
            row | {"rule": "status_rule", "case_count": 120, "bad_count": 40},
            row | {"rule": "outlook", "case_count": 80, "bad_count": 30},
            row | {"rule": "outlook", "figure": "sensitivity", "case_count": 80, "bad_count": 30},
        ]
    )
    (told,) = alert_tables.group_rows(subgroups, "site_id", "hidden").to_dicts()
    assert told["Status rule, AUC"] == "0.70, n = 120"
    assert told["Outlook, AUC"] == "0.70, n = 80"
    assert told["Outlook, found"].endswith(", n = 30")


def test_hidden_groups_of_the_calibration_are_counted_beside_its_n() -> None:
    bins = pl.DataFrame({"rule": ["outlook"] * 3, "share_bad": [0.2, None, 0.5]})
    rules = {"outlook": {"auc": {"case_count": 240}}}
    assert calibration_note(bins, rules, "hidden") == (
        "Outlook: 3 groups, 1 hidden for small numbers, n = 240."
    )


def test_the_calibration_says_what_is_hidden_below_it(tested: Places, monkeypatch) -> None:
    text = said(opened(tested, monkeypatch))
    assert re.search(r"Outlook: \d+ groups, (\d+|none) hidden for small numbers, n = \d+", text)


def test_rules_stand_side_by_side_the_queues_own_first(tested: Places, monkeypatch) -> None:
    tables = [table.value for table in opened(tested, monkeypatch).table]
    assert any("Balanced accuracy" in rows for rows in tables)
    rules = next(rows for rows in tables if "Flagged" in rows)
    assert list(rules["Rule"])[:2] == ["Status rule", "Outlook"]
    assert len(rules) == 8
    assert all(re.search(r"n = [\d,]+", words) for words in rules["Flagged"])


def test_the_card_of_the_model_is_folded_below(tested: Places, monkeypatch) -> None:
    test = opened(tested, monkeypatch)
    assert "Card of the model in use, version 20261122-1" in [one.label for one in test.expander]
    other = opened(tested, monkeypatch, outcome="reliable_deterioration")
    assert "No trained model is in use for this measure and end." in said(other)


@pytest.mark.parametrize(("role", "may"), [("manager", True), ("supervisor", False)])
def test_managers_and_analysts_take_the_numbers_out(
    tested: Places, monkeypatch, role: str, may: bool
) -> None:
    test = opened(tested, monkeypatch, role)
    labels = [button.proto.label for button in test.get("download_button")]
    assert ("Figures as CSV" in labels) == may
    assert ("Charts as PNG" in labels) == may


def test_a_queue_from_before_the_outlook_opens_beside_evidence(
    tested: Places, monkeypatch, rewriting
) -> None:
    with rewriting(tested.published / tested.pointer().cases) as file:
        for column in ("need", "probability", "probability_from"):
            file.execute(f"alter table published_queue drop column {column}")
    monkeypatch.setenv("UNSTUCK_HOME", str(tested.home))
    test = AppTest.from_file(str(APP), default_timeout=30)
    test.query_params["role"] = "supervisor"
    test.run()
    assert not test.exception, [found.value for found in test.exception]


# --- The case screen -----------------------------------------------------------------------------


def test_a_flag_on_a_case_says_its_hits_and_its_misses(tested: Places, monkeypatch) -> None:
    text = said(opened(tested, monkeypatch, "supervisor", case=STUCK))
    assert "How good is this flag here?" in text
    assert "cases flagged at the 8th score after the start" in text  # the nearest moment asked
    assert "had been flagged by then; the others were missed" in text
    assert "It says nothing about this case" in text


def test_a_moment_at_which_something_can_be_said_is_chosen() -> None:
    moments = pl.DataFrame(
        {
            "landmark": ["occasion_2", "occasion_6", "occasion_8", "day_28"],
            "kind": ["occasion"] * 3 + ["day"],
            "at": [2, 6, 8, 28],
        }
    )
    said = moments.select("landmark").with_columns(is_answer=pl.Series([True, False, False, True]))
    assert _nearest(moments, said, 7) == "occasion_2"
    assert _nearest(moments, said.with_columns(is_answer=True), 7) == "occasion_6"
    assert _nearest(moments, said.with_columns(is_answer=False), 30) == "occasion_8"
    assert _nearest(moments.tail(1), said, 7) == "day_28"


def test_no_flag_is_no_promise_either(tested: Places, monkeypatch) -> None:
    text = said(opened(tested, monkeypatch, "supervisor", case=ON_TRACK))
    assert "How good is “no flag” here?" in text
    assert "Of 10 not flagged at the 4th score after the start" in text
    assert "cases flagged at" not in text


def test_rounding_is_said_once_on_a_case(tested: Places, monkeypatch) -> None:
    text = said(opened(tested, monkeypatch, "supervisor", case=STUCK))
    assert text.count("Counts are rounded to 5.") == 1


def test_a_flag_the_rule_did_not_raise_is_not_called_no_flag(
    tested: Places, monkeypatch, rewriting
) -> None:
    with rewriting(tested.published / tested.pointer().cases) as file:
        file.execute(
            "insert into published_flags by name select * replace "
            f"('{ON_TRACK}' as case_id, 'alliance_low' as kind) from published_flags "
            f"where case_id = '{STUCK}' and kind = 'stuck' limit 1"
        )
    text = said(opened(tested, monkeypatch, "supervisor", case=ON_TRACK))
    assert "was not held against how past cases ended" in text
    assert "How good is “no flag” here?" not in text


def test_a_case_that_began_below_the_cut_off_is_not_asked_of_the_clinical_range(
    tested: Places, monkeypatch, rewriting
) -> None:
    with rewriting(tested.published / tested.pointer().cases) as file:
        file.execute(
            "update published_course_points set value = 8 where occasion = 0 and "
            f"subscale = 'total' and measure_id = 'phq9' and case_id in ('{STUCK}', '{ON_TRACK}')"
        )
    for case, box in ((STUCK, "this flag"), (ON_TRACK, "“no flag”")):
        text = said(opened(tested, monkeypatch, "supervisor", case=case))
        _, found, block = text.partition(f"How good is {box} here?")
        assert found
        assert "clearly worse" in block
        assert "in the clinical range" not in block.split("It says nothing about this case")[0]


def test_a_case_in_the_queue_for_its_outlook_is_not_told_that_no_flag_is_good(
    tested: Places, monkeypatch, rewriting
) -> None:
    with rewriting(tested.published / tested.pointer().cases) as file:
        file.execute(
            "insert into published_queue by name select * replace "
            f"('{ON_TRACK}' as case_id, 'outlook' as kind, 'outlook' as kinds, "
            "'on_track' as status, false as is_flagged, 999 as position) "
            "from published_queue limit 1"
        )
    text = said(opened(tested, monkeypatch, "supervisor", case=ON_TRACK))
    assert "How good is “no flag” here?" not in text


def test_an_untested_flag_says_so_in_one_line(own_practice: Places, monkeypatch) -> None:
    text = said(opened(own_practice, monkeypatch, "supervisor", case=STUCK))
    assert "How good such a flag is here has not been tested yet." in text
    assert "How good is this flag here?" not in text


BREAKAGES = ("pointer", "missing", "junk", "empty")


def broken(places: Places, how: str) -> None:
    """Damage the evidence, or what names it, in one of the ways it can be."""
    (file,) = places.published.glob("evidence-*.duckdb")
    file.unlink()
    if how == "pointer":
        places.evidence_pointer_file.write_text('{"evidence_id": 7', encoding="utf-8")
    elif how == "junk":
        file.write_bytes(b"not a database" * 1000)
    elif how == "empty":
        duckdb.connect(file).close()


@pytest.mark.parametrize("how", BREAKAGES)
def test_broken_evidence_takes_only_its_own_block(tested: Places, monkeypatch, how: str) -> None:
    broken(tested, how)
    case = opened(tested, monkeypatch, "supervisor", case=STUCK)
    alerts = opened(tested, monkeypatch, "manager")
    for screen, stays in ((case, "Why it is here"), (alerts, "After a flag")):
        assert not screen.error
        text = "\n".join([said(screen), *(str(found.value) for found in screen.warning)])
        assert stays in text
        assert "How good the flags are here cannot be read now" in text
        assert "unstuck train" in text
        assert "next night" not in text
    # What is drawn after it, to the last.
    assert "History: status at each score, and every flag" in [each.label for each in case.expander]
    queue = AppTest.from_file(str(APP), default_timeout=30)
    queue.query_params["role"] = "supervisor"
    queue.run()
    assert not queue.exception
    assert not queue.error
    assert NOT_READABLE.replace("`", "") in said(queue).replace("`", "")


# --- Reading, tables and charts ------------------------------------------------------------------


def test_every_question_asks_for_a_scope_and_no_answer_holds_a_case(evidence: Evidence) -> None:
    asking = [
        function
        for name, function in inspect.getmembers(reading_evidence, inspect.isfunction)
        if function.__module__ == reading_evidence.__name__
        and not name.startswith("_")
        and "evidence" in inspect.signature(function).parameters
    ]
    assert len(asking) == len(EVIDENCE)
    for ask in asking:
        assert "scope" in inspect.signature(ask).parameters, ask.__name__
        more = [PRIMARY] if "asked" in inspect.signature(ask).parameters else []
        answer = ask(evidence, Scope(role="manager"), *more)
        columns = answer.columns if isinstance(answer, pl.DataFrame) else list(answer or {})
        assert not {"case_id", "therapist_id", "supervisor_id"} & set(columns), ask.__name__


class Looking:
    """As much of a visit as the charts ask for."""

    scope = Scope(role="manager")


@pytest.fixture
def drawn(evidence: Evidence) -> dict[str, Any]:
    return pictures(Looking(), evidence, PRIMARY, "hidden")  # type: ignore[arg-type] - see there


def test_every_chart_is_vega_lite_with_its_words(drawn: dict[str, Any]) -> None:
    assert set(drawn) == {"found", "auc", "moments", "calibration"}
    for picture in drawn.values():
        altair.LayerChart.from_dict(picture.chart.to_dict())
        assert len(picture.words) > 100
        assert "nan" not in picture.words
    assert "Status rule: flags 31 %" in drawn["found"].words


def test_the_charts_leave_as_a_picture(drawn: dict[str, Any]) -> None:
    from dashboard.origin import Origin

    origin = Origin(
        what="Alert quality", practice="Invented", run_id="run", rule_version="2",
        published_at=datetime(2026, 11, 22, tzinfo=UTC), is_simulated=True, how="",
    )  # fmt: skip
    assert as_png(list(drawn.values()), origin).startswith(b"\x89PNG")


def marks_of(chart: Any) -> set[tuple[str, bool]]:
    return {
        (layer["mark"]["shape"], layer["mark"]["filled"])
        for layer in chart.to_dict()["layer"]
        if "shape" in layer["mark"]
    }


def test_rules_and_shares_are_told_apart_without_colour(drawn: dict[str, Any]) -> None:
    assert marks_of(drawn["found"].chart) == {("square", False), ("circle", True)}
    assert len(marks_of(drawn["moments"].chart)) == 3
    assert marks_of(drawn["calibration"].chart) == {("circle", True), ("diamond", False)}


def test_hidden_rules_are_drawn_as_words_and_empty_charts_can_be_drawn() -> None:
    hidden = {"value": None, "low": None, "high": None, "case_count": None, "is_suppressed": True}
    rules = {"outlook": dict.fromkeys(("auc", "sensitivity", "share_flagged"), hidden)}
    rows = alert_tables.found_rows(rules, "hidden")
    chart = found_chart(rows).to_dict()
    assert "hidden" in [
        value.get("words") for layer in chart["layer"] for value in layer["data"]["values"]
    ]
    nothing = pl.DataFrame(
        schema={
            **dict.fromkeys(("label",), pl.String),
            **dict.fromkeys(
                ("at", "auc", "auc_low", "auc_high", "mean_probability", "share_bad", "share_low",
                 "share_high"),
                pl.Float64,
            ),
        }
    )  # fmt: skip
    assert by_moment_chart(nothing, ["Outlook"], "day")
    assert calibration_chart(nothing, ["Outlook"])


def test_a_difference_is_told_as_the_rule_less_two_scores_whichever_way_it_is_stored() -> None:
    rows = pl.DataFrame(
        {
            "first_rule": ["naive_two_score", "status_rule", "reliable_change"],
            "second_rule": ["outlook", "naive_two_score", "naive_two_score"],
            "figure": ["auc"] * 3,
            "difference": [-0.04, -0.02, -0.1],
            "low": [-0.07, -0.05, None],
            "high": [-0.01, 0.01, None],
            "verdict": ["lower", "could be chance", "lower"],
            "is_suppressed": [False] * 3,
        }
    )
    told = alert_tables.difference_rows(rows, "hidden").rows()
    assert told == [
        ("Status rule", "-0.020 (-0.050 to +0.010)", "could be chance"),
        ("Outlook", "+0.040 (+0.010 to +0.070)", "beyond chance"),
        ("Clear change alone", "-0.100", "beyond chance"),
    ]
