"""What of a back-test may be shown: small numbers are hidden, and cannot be had back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sample_backtest import sample_backtest

from data_contracts.suppression import SuppressionRule, suppression_rule
from models.backtest_counts import counts_at, counts_over_the_course
from models.shown_backtest import shown_backtest
from models.shown_figures import SHARES

RULE = suppression_rule("default")
SIZES = (60, 150, 400)


def numbers_of(shown: dict[str, Any]) -> list[tuple[str, int]]:
    """Return every whole number of a shown back-test that counts cases, with where it stands."""
    found = []

    def walk(place: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name not in ("split", "at", "later_scores", "budget", "started_from",
                                "started_to"):  # fmt: skip
                    walk(f"{place}.{name}", inner)
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                walk(f"{place}.{number}", inner)
        elif isinstance(value, int) and not isinstance(value, bool):
            found.append((place, value))

    walk("", shown)
    return found


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("preset", ["default", "england"])
def test_no_small_count_is_shown_and_all_are_rounded(cases: int, preset: str) -> None:
    rule = suppression_rule(preset)
    shown = shown_backtest(sample_backtest(cases=cases, occasions=(4,)), rule)
    counts = numbers_of(shown)
    for place, count in counts:
        assert count % rule.round_to == 0, place
        assert count == 0 or count > rule.hide_up_to - rule.round_to // 2, place
    if cases >= 150:
        assert len(counts) > 100


@pytest.mark.parametrize("cases", SIZES)
def test_shares_hold_nothing_that_the_rounded_counts_do_not(cases: int) -> None:
    shown = shown_backtest(sample_backtest(cases=cases, occasions=(4,)), RULE)
    seen = 0
    for rule, by_landmark in shown["rules"].items():
        for figures in by_landmark.values():
            if figures["ppv"] is None:
                continue
            seen += 1
            assert (
                figures["ppv"]
                == min(figures["true_alarms"], figures["flagged"]) / (figures["flagged"])
            ), rule
            assert figures["ppv_low"] < figures["ppv"] < figures["ppv_high"]
    assert seen or cases < 150


def test_what_nobody_thought_of_is_not_shown() -> None:
    raw = sample_backtest(cases=400, occasions=(4,)) | {
        "cases": 1988,
        "case_ids": ["C-1"],
        "smallest": 3,
    }
    shown = shown_backtest(raw, RULE)
    assert not {"cases", "case_ids", "smallest"} & set(shown)


def test_exact_numbers_do_not_leave_in_a_note() -> None:
    raw = sample_backtest(cases=400, occasions=(4,))
    raw["notes"] = ["7 of 2119 moments lie too early: too few cases were over before."]
    assert shown_backtest(raw, RULE)["notes"] == [
        "Some moments lie too early: too few cases were over before."
    ]


def test_the_auc_of_a_flag_alone_is_hidden_where_one_of_its_counts_is() -> None:
    raw = sample_backtest(cases=400, occasions=(4,))
    figures = raw["rules"]["reliable_change"]["occasion_4"]
    figures["auc"] = figures["balanced_accuracy"]
    assert shown_backtest(raw, RULE)["rules"]["reliable_change"]["occasion_4"]["auc"] is not None
    figures |= {"flagged": 5, "true_alarms": 3, "false_alarms": 2}
    figures["missed"] = raw["landmarks"]["occasion_4"]["bad"] - 3
    found = shown_backtest(raw, RULE)["rules"]["reliable_change"]["occasion_4"]
    assert found["flagged"] is None
    assert found["auc"] is None
    assert found["auc_low"] is None
    assert "auc" in found["hidden"]


def test_no_auc_is_shown_where_hardly_anybody_ended_so() -> None:
    shown = shown_backtest(sample_backtest(cases=300, base_rate=0.01, occasions=(4,)), RULE)
    for by_landmark in shown["rules"].values():
        for figures in by_landmark.values():
            assert figures["auc"] is None
    assert shown["bad"] is None
    assert shown["base_rate"] is None


def test_a_difference_is_shown_only_where_both_figures_are() -> None:
    raw = sample_backtest(cases=400, occasions=(4,))
    raw["rules"]["outlook"]["occasion_4"]["auc"] = None
    pairs = shown_backtest(raw, RULE)["paired"]["occasion_4"]
    for pair, figures in pairs.items():
        assert (figures["auc"] is None) == ("outlook" in pair.split(" - ")), pair


@pytest.mark.parametrize("share", ["sensitivity", "specificity", "ppv"])
def test_a_difference_of_shares_holds_nothing_that_the_shown_shares_do_not(share: str) -> None:
    raw = sample_backtest(cases=400, occasions=(4,))
    pairs = raw["paired"]["occasion_4"]
    for figures in pairs.values():  # one rule's share is 1: the difference is the other's, exactly
        figures |= {share: 0.98765, f"{share}_low": 0.97, f"{share}_high": 0.99}
    found = shown_backtest(raw, RULE)
    for pair, figures in found["paired"]["occasion_4"].items():
        first, second = (found["rules"][rule]["occasion_4"][share] for rule in pair.split(" - "))
        assert figures[f"{share}_low"] is figures[f"{share}_high"] is None
        if first is None or second is None:
            assert figures[share] is None
            assert figures[f"{share}_verdict"] == "not known"
        else:
            assert figures[share] == pytest.approx(first - second, abs=5e-4)
            assert figures[f"{share}_verdict"] == "higher"


def test_a_difference_to_the_auc_of_a_flag_alone_is_that_of_the_shown_ones() -> None:
    raw = sample_backtest(cases=400, occasions=(4,))
    figures = raw["rules"]["reliable_change"]["occasion_4"]
    figures["auc"] = figures["balanced_accuracy"]
    found = shown_backtest(raw, RULE)
    aucs = {rule: by_landmark["occasion_4"]["auc"] for rule, by_landmark in found["rules"].items()}
    for pair, difference in found["paired"]["occasion_4"].items():
        first, second = pair.split(" - ")
        if "reliable_change" in (first, second):
            assert difference["auc"] == pytest.approx(aucs[first] - aucs[second])
        assert (difference["auc_low"] is None) == ("reliable_change" in (first, second)), pair


def test_a_small_group_says_that_it_is_hidden_and_shows_nothing() -> None:
    shown = shown_backtest(sample_backtest(cases=400, occasions=(4,)), RULE)
    groups = [row for row in shown["subgroups"] if row["group"] == "west"]
    assert groups
    for row in groups:
        assert row["is_suppressed"]
        assert row["bad"] is None
        assert row["auc"] is None
        assert row["sensitivity"] is None
    shown_ones = [row for row in shown["subgroups"] if row["group"] == "north"]
    assert all(row["auc"] is not None for row in shown_ones)


def test_the_share_found_in_a_group_is_hidden_where_few_were_missed() -> None:
    raw = sample_backtest(cases=400, occasions=(4,))
    for row in raw["subgroups"]:
        if row["group"] == "north":
            row["sensitivity"] = 1 - 3 / row["bad"]
    shown = shown_backtest(raw, RULE)
    rows = [row for row in shown["subgroups"] if row["group"] == "north"]
    assert all(row["sensitivity"] is None and "sensitivity" in row["hidden"] for row in rows)


@pytest.mark.parametrize("cases", SIZES)
def test_every_tie_between_counts_holds(cases: int) -> None:
    raw = sample_backtest(cases=cases, occasions=(4,))
    for found in (counts_at(raw, "occasion_4"), counts_over_the_course(raw)):
        assert found.sums
        for total, parts in found.sums:
            assert found.counts[total] == sum(found.counts[part] for part in parts)


def test_the_four_counts_of_a_rule_and_their_margins_are_tied() -> None:
    found = counts_at(sample_backtest(cases=400, occasions=(4,)), "occasion_4")
    tied = {total for total, _ in found.sums}
    for whole in ("flagged", "not_flagged", "bad", "good", "n"):
        assert (whole, "status_rule") in tied
    assert {whole for _, whole in SHARES.values()} <= {total[0] for total in tied}


def test_numbers_that_contradict_each_other_are_not_tied_and_do_not_stop_it() -> None:
    raw = sample_backtest(cases=400, occasions=(4,))
    raw["rules"]["outlook"]["occasion_4"]["n"] = 9_999
    raw["agreement"]["occasion_4"]["outlook|status_rule"]["both"] = 9_999
    assert shown_backtest(raw, RULE)["rules"]["status_rule"]["occasion_4"]["flagged"]


def test_a_back_test_without_rules_or_ends_can_be_shown() -> None:
    bare = {"measure": "phq9", "outcome": "drop_out", "landmarks": {}, "rules": {}}
    shown = shown_backtest(bare, SuppressionRule(hide_up_to=7, round_to=5, source="x"))
    assert shown["n"] is None
    assert json.dumps(shown)
