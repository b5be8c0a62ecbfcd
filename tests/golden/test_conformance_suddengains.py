"""Agreement with suddengains (R29): its output on its own data, and its own unit tests.

Expected numbers are read from the peer's output in ../shared/conformance and never recomputed.
Where we differ on purpose (S1 to S3), the difference is a named translation below.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from models.sudden_change import MET, UNKNOWN, SuddenChangeRule
from models.sudden_change_criteria import judge_intervals
from models.sudden_change_cutoff import ReliableCutoff
from models.sudden_change_events import sudden_changes
from models.sudden_change_summary import (
    count_intervals,
    describe_cases,
    describe_changes,
    one_per_case,
    select_cases,
)
from models.sudden_change_tables import AROUND, SuddenChanges

SHARED = Path(__file__).resolve().parents[3] / "shared" / "conformance"
ABSENT = "the peers' outputs are not beside this repository (../shared/conformance)"
EXACT = {"rel": 1e-9, "abs": 1e-9}
TWO_DECIMALS = {"rel": 0, "abs": 0.005 + 1e-9}
"""describe_sg rounds; ours does not."""

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason=ABSENT)


@cache
def peer(name: str) -> dict[str, Any]:
    return json.loads((SHARED / name).read_text()) if SHARED.exists() else {}


def cases(function: str, **having: Any) -> list[Any]:
    return [
        pytest.param(case, id=case["case_id"])
        for case in peer("suddengains/sgdata.json").get("cases", [])
        if case["function"] == function
        and all(case["args"].get(name, value) == value for name, value in having.items())
    ]


@cache
def sgdata() -> pl.DataFrame:
    return pl.read_csv(SHARED / "datasets" / "sgdata.csv", infer_schema_length=None)


def rule_of(args: dict[str, Any], direction: str = "gain") -> SuddenChangeRule:
    """Return our rule for the peer's arguments.

    S1: its cut-off for losses is negative, and so is a share that says anything; ours are positive.
    """
    cutoff, share = args.get("sg_crit1_cutoff"), args.get("sg_crit2_pct", 0.25)
    adjusted = args.get("sg_crit3_adjust", True)
    return SuddenChangeRule(
        direction=direction,
        cutoff=None if cutoff is None else abs(cutoff),
        share=None if share is None else abs(share),
        beyond_spread=args.get("sg_crit3", True),
        alpha=args.get("sg_crit3_alpha", 0.05),
        critical_value=None if adjusted else args.get("sg_crit3_critical_value", 2.776),
        uses_baseline=args["identify_sg_1to2"],
    )


def long(table: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Return one row a score; the session is the number at the end of the column's name."""
    return (
        table.select("id", *columns)
        .unpivot(index="id", variable_name="column", value_name="score")
        .select(
            case_id="id",
            session=pl.col("column").str.extract(r"(\d+)$").cast(pl.Int64),
            score=pl.col("score").cast(pl.Float64),
        )
    )


def found_for(args: dict[str, Any], direction: str = "gain") -> SuddenChanges:
    args = {
        "sg_crit1_cutoff": None,
        "identify_sg_1to2": args["sg_var_list"][0][-2:] == "s0",
        **args,
    }
    return sudden_changes(
        long(sgdata(), args["sg_var_list"]), rule_of(args, direction), planned_sessions=12
    )


# --- Each interval -------------------------------------------------------------------------------


def told(values: list[Any]) -> list[int]:
    """Null is UNKNOWN, true MET."""
    return [UNKNOWN if value is None else int(value) for value in values]


def judged(case: dict[str, Any], direction: str) -> dict[str, list[int]]:
    """Return our codes under the peer's names."""
    args, prefix = case["args"], {"gain": "sg", "loss": "sl"}[direction]
    assert sgdata()["id"].to_list() == case["expected"]["id"]
    scores = sgdata().select(args["sg_var_list"]).cast(pl.Float64).to_numpy()
    found = judge_intervals(scores, rule_of(args, direction))
    first = 1 if args["identify_sg_1to2"] else 2
    codes: dict[str, list[int]] = {}
    for interval in range(found.verdict.shape[1]):
        n = first + interval
        for name, of in {
            "_crit1": found.first,
            "_crit2": found.second,
            "_crit3": found.third,
            "": found.verdict,
        }.items():
            column = np.full(len(scores), UNKNOWN) if of is None else of[:, interval]
            codes[f"{prefix}{name}_{n}to{n + 1}"] = column.tolist()
    return codes


@pytest.mark.parametrize("case", cases("identify_sg"))
def test_every_criterion_of_every_interval_is_that_of_the_peer(case: dict[str, Any]) -> None:
    expected = {name: told(of) for name, of in case["expected"].items() if name != "id"}
    assert judged(case, "gain") == expected


@pytest.mark.parametrize("case", cases("identify_sl"))
def test_losses_are_those_of_the_peer_where_its_criterion_2_says_anything(
    case: dict[str, Any],
) -> None:
    expected = {name: told(of) for name, of in case["expected"].items() if name != "id"}
    ours = judged(case, "loss")
    assert set(ours) == set(expected)
    for name, codes in expected.items():
        if "note" in case and "crit1" not in name and "crit3" not in name:
            _is_stricter(ours[name], codes)  # S1: any rise is at most 25 % of the score lower
        else:
            assert ours[name] == codes, name


def _is_stricter(ours: list[int], theirs: list[int]) -> None:
    assert [code == UNKNOWN for code in ours] == [code == UNKNOWN for code in theirs]
    assert all(their == MET for our, their in zip(ours, theirs, strict=True) if our == MET)


# --- One row a change, one row a case ------------------------------------------------------------


def as_theirs(measure: str) -> dict[str, str]:
    """Return our name for each of the peer's columns."""
    around = zip(("2n", "1n", "n", "n1", "n2", "n3"), AROUND, strict=True)
    return {
        "id": "case_id",
        "sg_session_n": "session",
        **{f"sg_{measure}_{theirs}": ours for theirs, ours in around},
        "sg_magnitude": "points_better",
        f"sg_{measure}_tx_change": "treatment_gain",
        "sg_change_proportion": "share_of_treatment_gain",
        "sg_reversal_value": "reversal_level",
        "sg_reversal": "is_reversed",
    }


def assert_columns(ours: pl.DataFrame, theirs: dict[str, Any], names: dict[str, str]) -> None:
    assert ours.height == len(theirs["id"])
    for their_name, our_name in names.items():
        expected = theirs[their_name]
        for our, their in zip(ours[our_name].to_list(), expected, strict=True):
            assert (our is None) == (their is None), their_name
            assert our is None or our == pytest.approx(their, **EXACT), their_name


@pytest.mark.parametrize("case", cases("create_bysg"))
def test_one_row_a_change(case: dict[str, Any]) -> None:
    args = case["args"]
    found = found_for(args, "loss" if args.get("identify") == "sl" else "gain")
    if "error" in case["expected"]:  # "No sudden losses were identified.": ours says an empty table
        assert found.events.is_empty()
        assert found.series["judged"].sum() > 0
        return
    names = as_theirs(args["sg_measure_name"]) | {"sg_freq_byperson": "changes_of_case"}
    assert_columns(found.events, case["expected"], names)
    keys = found.events.select(pl.format("{}_sg_{}", "case_id", "session")).to_series()
    assert keys.to_list() == case["expected"]["id_sg"]


@pytest.mark.parametrize("case", cases("create_byperson"))
def test_one_row_a_case(case: dict[str, Any]) -> None:
    args, theirs = case["args"], case["expected"]
    ours = one_per_case(found_for(args), args["multiple_sg_select"])
    assert_columns(ours, theirs, as_theirs(args["sg_measure_name"]))
    count = ours["change_count"]
    # A case that cannot be judged has no gain there; here it has no answer.
    assert (count.is_null() == ours["reason"].is_not_null()).all()
    assert count.fill_null(0).to_list() == theirs["sg_freq_byperson"]
    assert (count.fill_null(0) > 0).cast(int).to_list() == theirs["sg_crit123"]


@pytest.mark.parametrize("case", cases("create_bysg", identify="sg"))
def test_reversals_are_looked_for_from_session_n_plus_2(case: dict[str, Any]) -> None:
    (corrected,) = [
        each
        for each in peer("suddengains_reversal_textbook.json")["cases"]
        if each["case_id"] == case["case_id"]
    ]
    ours = found_for(case["args"]).events
    assert ours["session"].to_list() == corrected["sg_session_n"]
    assert ours["is_reversed"].cast(int).to_list() == corrected["textbook_from_n_plus_2"]


def test_the_reversal_the_peer_misses_is_seen() -> None:
    (S2,) = [each for each in peer("deviations.json")["items"] if each["id"] == "S2"]
    scores = S2["demo"]["scores"]
    found = sudden_changes(
        pl.DataFrame({"case_id": "x", "session": range(1, len(scores) + 1), "score": scores}),
        SuddenChangeRule(cutoff=7, beyond_spread=False),
    )
    event = found.events.row(0, named=True)
    assert f"{event['session']}to{event['session'] + 1}" == S2["demo"]["gain"]
    assert event["reversal_level"] == S2["demo"]["reversal_value"]
    assert event["is_reversed"] is bool(S2["demo"]["upstream_1to2_TRUE_same_scores_with_s0_29"])
    assert event["is_reversed"] is not bool(S2["demo"]["upstream_1to2_FALSE"])


def test_a_share_for_losses_is_a_share_of_the_rise() -> None:
    (S1,) = [each for each in peer("deviations.json")["items"] if each["id"] == "S1"]
    columns = [f"bdi_s{session}" for session in range(1, 13)]
    scores = sgdata().select(columns).cast(pl.Float64).to_numpy()
    rule = SuddenChangeRule(direction="loss", cutoff=None, share=0.25, beyond_spread=False)
    met = int((judge_intervals(scores, rule).verdict == MET).sum())
    assert met == S1["demo"]["only_criterion_2"]["pct_minus_0_25"]
    assert met != S1["demo"]["only_criterion_2"]["pct_0_25"]


# --- Figures -------------------------------------------------------------------------------------

PEER_FIGURES = {
    "sg_total_n": "change_count",
    "sg_multiple_pct": "several_percent",
    "sg_reversal_n": "reversed_count",
    "sg_reversal_pct": "reversed_percent",
    "sg_magnitude_m": "mean_points",
    "sg_magnitude_sd": "sd_points",
}
PEER_CASE_FIGURES = PEER_FIGURES | {
    "total_n": "case_count",
    "sg_n": "cases_with_change",
    "sg_pct": "percent_of_all_cases",
    "sg_multiple_n": "cases_with_several",
}
ROWS_ARE_CHANGES = {"total_n", "sg_pct"}
"""Of a table that holds changes only: as many rows as changes, 100 % of them changes."""


@pytest.mark.parametrize("case", cases("describe_sg"))
def test_figures(case: dict[str, Any]) -> None:
    args, theirs = case["args"], case["expected"]
    found = found_for(args)
    if args["sg_data_structure"] == "bysg":
        ours, names = describe_changes(found), PEER_FIGURES
        assert (theirs["total_n"], theirs["sg_pct"]) == (ours.change_count, 100)
        assert set(theirs) == set(names) | ROWS_ARE_CHANGES
    else:
        ours, names = describe_cases(found, args["multiple_sg_select"]), PEER_CASE_FIGURES
        assert set(theirs) == set(names)
    for their_name, our_name in names.items():
        assert getattr(ours, our_name) == pytest.approx(theirs[their_name], **TWO_DECIMALS)


@pytest.mark.parametrize("case", cases("count_intervals"))
def test_intervals(case: dict[str, Any]) -> None:
    ours = count_intervals(found_for(case["args"] | {"sg_crit1_cutoff": 7}))
    theirs = case["expected"]
    assert ours.between_sessions == theirs["total_between_sess_intervals"]
    assert ours.judged == theirs["available_between_sess_intervals_sg"]
    assert ours.not_judged == theirs["not_available_between_sess_intervals_sg"]
    if case["args"]["identify_sg_1to2"]:
        # S3, not in deviations.json: with a baseline the peer leaves out the last interval only,
        # and its total is one a case more than the two parts it has looked at.
        lost = theirs["total_between_sess_intervals_sg"] - ours.judged - ours.not_judged
        assert lost == sgdata().height
    else:
        assert ours.judged + ours.not_judged == theirs["total_between_sess_intervals_sg"]


@pytest.mark.parametrize("case", cases("select_cases"))
def test_who_has_scores_enough(case: dict[str, Any]) -> None:
    ours = select_cases(found_for(case["args"]), at_least=case["args"].get("min_sess_num"))
    assert ours["case_id"].to_list() == case["expected"]["id"]
    assert ours["is_selected"].to_list() == case["expected"]["sg_select"]


@pytest.mark.parametrize("case", cases("define_crit1_cutoff"))
def test_cutoff_from_reliability(case: dict[str, Any]) -> None:
    args, theirs = case["args"], case["expected"]
    if "data_sd" in args:
        first = sgdata()[args["data_sd"]].cast(pl.Float64).to_numpy()
        ours = ReliableCutoff.from_scores(first, reliability=args["reliability"])
    else:
        ours = ReliableCutoff(sd=args["sd"], reliability=args["reliability"])
    assert_cutoff(ours, theirs, EXACT)


def assert_cutoff(ours: ReliableCutoff, theirs: dict[str, Any], within: dict[str, float]) -> None:
    assert ours.sd == pytest.approx(theirs["sd"], **within)
    assert ours.reliability == theirs["reliability"]
    for name in ("standard_error_of_measurement", "standard_error_of_difference"):
        their_name = name.replace("_of_", "_")
        assert getattr(ours, name) == pytest.approx(theirs[their_name], **within)
    assert ours.points == pytest.approx(theirs["reliable_change_value"], **within)


def test_no_case_of_the_peer_is_left_out() -> None:
    compared = (
        "identify_sg", "identify_sl", "create_bysg", "create_byperson", "describe_sg",
        "count_intervals", "select_cases", "define_crit1_cutoff",
    )  # fmt: skip
    told_by_peer = peer("suddengains/sgdata.json")["cases"]
    assert sum(len(cases(function)) for function in compared) == len(told_by_peer) == 322


# --- The peer's own unit tests -------------------------------------------------------------------


def entries(file: str) -> list[dict[str, Any]]:
    return [
        entry
        for entry in peer("upstream_unit_tests.json")["entries"]
        if entry["package"] == "suddengains" and entry["file"].endswith(f"test-{file}.R")
    ]


def fixture(file: str, name: str) -> pl.DataFrame:
    (found,) = [entry["value"] for entry in entries(file) if entry.get("fixture") == name]
    return pl.DataFrame(found, strict=False)


def asserted(file: str) -> list[dict[str, Any]]:
    return [entry for entry in entries(file) if "fixture" not in entry]


def verdicts(file: str, name: str, direction: str) -> list[list[int]]:
    scores = fixture(file, name).drop("id").cast(pl.Float64).to_numpy()
    rule = SuddenChangeRule(direction=direction, cutoff=7)
    return judge_intervals(scores, rule).verdict.tolist()


def test_unit_tests_of_identify_sg() -> None:
    whole, *rows = asserted("identify_sg")
    columns = [whole["expected"][f"sg_{n}to{n + 1}"] for n in (2, 3, 4)]
    theirs = [list(row) for row in zip(*map(told, columns), strict=True)]
    assert verdicts("identify_sg", "df1", "gain") == theirs
    assert verdicts("identify_sg", "df2", "gain") == [row["expected"] for row in rows]


def test_unit_tests_of_identify_sl() -> None:
    theirs = [row["expected"] for row in asserted("identify_sl")]
    assert verdicts("identify_sl", "df2", "loss") == theirs


def twelve_sessions(file: str) -> SuddenChanges:
    table = fixture(file, "df")
    columns = [f"bdi_s{session}" for session in range(1, 13)]
    return sudden_changes(
        long(table, columns), SuddenChangeRule(cutoff=7), planned_sessions=len(columns)
    )


def test_unit_tests_of_create_bysg() -> None:
    (theirs,) = (entry["expected"] for entry in asserted("create_bysg"))
    names = as_theirs("bdi") | {"sg_freq_byperson": "changes_of_case"}
    assert_columns(twelve_sessions("create_bysg").events, theirs, names)


def test_unit_tests_of_create_byperson() -> None:
    found = twelve_sessions("create_byperson")
    for entry in asserted("create_byperson"):
        choice = re.search(r"select (\w+) gain", entry["test"])[1]
        assert_columns(one_per_case(found, choice), entry["expected"], as_theirs("bdi"))


def test_unit_tests_of_describe_sg() -> None:
    columns = [f"bdi_s{session}" for session in range(1, 13)]
    found = found_for({"sg_var_list": columns, "sg_crit1_cutoff": 7, "identify_sg_1to2": False})
    by_change, by_case = describe_changes(found), describe_cases(found)
    for entry in asserted("describe_sg"):
        name = entry["call"].removeprefix("test_describe_sg$")
        if entry["test"].endswith("by sg works") and name in PEER_FIGURES:
            ours = getattr(by_change, PEER_FIGURES[name])
        elif entry["test"].endswith("by person works") and name in PEER_CASE_FIGURES:
            ours = getattr(by_case, PEER_CASE_FIGURES[name])
        else:
            assert name in ROWS_ARE_CHANGES | {"names_expect"}
            continue
        assert ours == pytest.approx(entry["expected"], **TWO_DECIMALS), name


def test_unit_tests_of_count_intervals() -> None:
    """The peer's test lists bdi_s7 twice and forgets bdi_s6: its totals count the column twice."""
    columns = [f"bdi_s{session}" for session in (0, 1, 2, 3, 4, 5, 7, 8)]
    in_order = {column: f"at_{place}" for place, column in enumerate(columns, start=1)}
    table = fixture("count_intervals", "df").rename(in_order)
    found = sudden_changes(
        long(table, list(in_order.values())),
        SuddenChangeRule(cutoff=7),
        planned_sessions=len(columns),
    )
    ours = count_intervals(found)
    for entry in asserted("count_intervals"):
        match entry["call"].removeprefix("count_intervals_test$"):
            case "available_between_sess_intervals_sg":
                assert ours.judged == entry["expected"]
            case "not_available_between_sess_intervals_sg":
                assert ours.not_judged == entry["expected"]
            case "total_between_sess_intervals":
                assert ours.between_sessions + table.height == entry["expected"]


def test_unit_tests_of_select_cases() -> None:
    found = sudden_changes(
        long(fixture("select_cases", "df"), [f"bdi_s{session}" for session in range(1, 7)]),
        SuddenChangeRule(cutoff=7),
        planned_sessions=6,
    )
    by_pattern, by_count = (entry["expected"]["sg_select"] for entry in asserted("select_cases"))
    assert select_cases(found)["is_selected"].to_list() == by_pattern
    assert select_cases(found, at_least=5)["is_selected"].to_list() == by_count


def test_unit_tests_of_define_crit1_cutoff() -> None:
    by_test: dict[str, dict[str, float]] = {}
    for entry in asserted("define_crit1_cutoff"):
        name = entry["call"].removeprefix("crit1_test$")
        by_test.setdefault(entry["test"], {})[name] = entry["expected"]
    for theirs in by_test.values():
        ours = ReliableCutoff(sd=theirs["sd"], reliability=theirs["reliability"])
        assert_cutoff(ours, theirs, {"rel": 1e-6, "abs": 0})
    first = sgdata()["bdi_s0"].cast(pl.Float64).to_numpy()
    printed = by_test["Define crit 1 cutoff from data works"]
    from_data = ReliableCutoff.from_scores(first, reliability=printed["reliability"])
    assert from_data.sd == pytest.approx(printed["sd"], rel=1e-6)
