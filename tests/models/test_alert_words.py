"""What is said of a rule: hits and misses, honestly rounded, against two scores, and its limits."""

from __future__ import annotations

from typing import Any

import pytest
from sample_backtest import sample_backtest

from data_contracts.suppression import suppression_rule
from data_contracts.wording import marks, templates
from data_contracts.words_not_used import words_not_used
from models.alert_words import alert_sentences, ended_words, tenths
from models.backtest_counts import Backtest
from models.case_ends import OUTCOMES
from models.rival_rules import RULES
from models.shown_backtest import shown_backtest


def said(backtest: Backtest, rule: str = "status_rule", at: str = "occasion_4") -> dict[str, str]:
    return {found.code: found.sentence for found in alert_sentences(backtest, rule, at)}


def a_backtest(**figures: Any) -> dict[str, Any]:
    """Return a back-test of one rule beside looking at two scores, at the 4th score."""
    own: dict[str, Any] = {
        "n": 212, "flagged": 60, "true_alarms": 42, "false_alarms": 18, "missed": 10,
        "ppv": 0.7, "ppv_low": 0.57, "ppv_high": 0.8,
        "sensitivity": 42 / 52, "sensitivity_low": 0.68, "sensitivity_high": 0.89,
        "bad_if_not_flagged": 10 / 152, "bad_if_not_flagged_low": 0.036,
        "bad_if_not_flagged_high": 0.117, "share_flagged": 60 / 212, "auc": 0.83,
        "ppv_if_unknown_good": 0.55, "ppv_if_unknown_bad": 0.76,
    }  # fmt: skip
    other = {"sensitivity": 0.5, "share_flagged": 0.3, "auc": 0.74}
    return {
        "outcome": "clinical_without_gain",
        "n": 212,
        "base_rate": 52 / 212,
        "split": {"kind": "cross_validation", "repeats": 20, "folds": 5},
        "landmarks": {
            "occasion_4": {
                "kind": "occasion", "at": 4, "at_risk": 250, "known": 212, "unknown": 38,
                "bad": 52, "later_scores": 3, "reviewed": 0,
            }
        },
        "rules": {
            "status_rule": {"occasion_4": own | figures},
            "naive_two_score": {"occasion_4": other},
        },
        "paired": {
            "occasion_4": {
                "status_rule - naive_two_score": {
                    "sensitivity": 0.3, "sensitivity_low": 0.1, "sensitivity_high": 0.5,
                    "auc": 0.09, "auc_low": -0.01, "auc_high": 0.19,
                }
            }
        },
        "over_the_course": {
            "status_rule": {
                "cases": 212, "bad": 52, "ever_flagged": 80, "ever_flagged_of_bad": 0.81,
                "ever_flagged_of_good": 0.24, "lead_occasions_mean": 5.2,
            }
        },
    }  # fmt: skip


def test_hits_and_misses_are_said_with_the_cases_behind_them() -> None:
    found = said(a_backtest())
    assert found["hits"] == (
        "Of 10 cases flagged at the 4th score after the start, about 7 ended in the clinical range "
        "without clear improvement (60 cases; 95 % interval 6 to 8 of 10)."
    )
    assert found["found"] == (
        "Of 10 that ended in the clinical range without clear improvement, about 8 had been "
        "flagged by then; the others were missed (52 cases; 95 % interval 7 to 9 of 10)."
    )
    assert "Of 10 not flagged at the 4th score after the start, about 1 ended" in found["unflagged"]
    assert "on average 5 scores before the end" in found["ever"]


def test_nobody_is_called_the_others_where_nearly_all_were_found() -> None:
    for bad, share in ((20, 1.0), (60, 0.97)):
        figures = {"true_alarms": round(bad * share), "missed": bad - round(bad * share)}
        found = said(a_backtest(**figures, sensitivity=share))["found"]
        assert "nearly all had been flagged by then; hardly any were missed" in found
        assert "others" not in found


def test_a_difference_within_a_tenth_is_told_in_two_decimals() -> None:
    backtest = a_backtest(auc=0.92, sensitivity=0.84)
    backtest["rules"]["naive_two_score"]["occasion_4"] |= {"auc": 0.9, "sensitivity": 0.8}
    found = said(backtest)
    assert "the right one in .92 of such pairs" in found["ranked"]
    assert "the last score in .90 (1 is all of them)" in found["ranked"]
    assert found["compared"].startswith("The status rule finds .84 of those that ended in the")
    assert "the last score finds .80 and flags .30" in found["compared"]


def test_hits_never_stand_without_misses() -> None:
    for cases in (60, 150, 3000):
        raw = sample_backtest(cases=cases, occasions=(4,))
        for backtest in (raw, shown_backtest(raw, suppression_rule("default"))):
            for rule in backtest["rules"]:
                codes = [found.code for found in alert_sentences(backtest, rule, "occasion_4")]
                assert {"hits", "found", "unflagged", "everybody", "limits"} <= set(codes)
                assert codes.index("found") == codes.index("hits") + 1


@pytest.mark.parametrize(
    ("flagged", "words"),
    [
        (40, "Of 10 cases flagged"),
        (39, "Of about 39 cases flagged at the 4th score after the start, about 27 ended"),
        (15, "Of about 15 cases flagged at the 4th score after the start, about 10 ended"),
        (14, "cannot be said: too few"),
        (0, "Nobody was flagged at the 4th score after the start."),
    ],
)
def test_few_cases_are_told_as_counts_and_fewer_not_at_all(flagged: int, words: str) -> None:
    hits = int(0.7 * flagged)
    found = said(a_backtest(flagged=flagged, true_alarms=hits))
    assert words in found["hits"]


@pytest.mark.parametrize("number", [0, None])
@pytest.mark.parametrize("flagged", [0, None])
def test_nobody_flagged_is_not_said_where_nobody_was_asked(
    number: int | None, flagged: int | None
) -> None:
    refused = dict.fromkeys(("true_alarms", "missed", "ppv", "sensitivity", "bad_if_not_flagged"))
    backtest = a_backtest(**refused, n=number, flagged=flagged, reason="too_few_ended")
    found = {each.code: each for each in alert_sentences(backtest, "status_rule", "occasion_4")}
    assert found["hits"].sentence.startswith("No case could be asked at the 4th score")
    assert not any(found[code].is_answer for code in ("hits", "found", "unflagged"))


def test_the_verdict_on_a_difference_outlives_its_hidden_interval() -> None:
    shown = {"sensitivity_low": None, "sensitivity_high": None, "sensitivity_verdict": "higher"}
    backtest = a_backtest()
    backtest["paired"]["occasion_4"]["status_rule - naive_two_score"] |= shown
    assert said(backtest)["compared"].endswith("is larger than chance alone would make it.")
    turned = {"sensitivity": -0.3} | shown
    backtest["paired"] = {"occasion_4": {"naive_two_score - status_rule": turned}}
    assert said(backtest)["compared"].endswith("to the disadvantage of the status rule.")


def test_a_hidden_number_is_not_said() -> None:
    hidden = dict.fromkeys(("flagged", "true_alarms", "missed", "ppv", "sensitivity"), None)
    found = said(a_backtest(**hidden, bad_if_not_flagged=None))
    for code in ("hits", "found", "unflagged"):
        assert "cannot be said" in found[code]
    assert "compared" not in found


def test_next_to_none_and_next_to_all_are_not_said_as_none_and_all() -> None:
    assert tenths(0.0) == tenths(0.04) == "hardly any"
    assert tenths(1.0) == tenths(0.96) == "nearly all"
    found = said(a_backtest(bad_if_not_flagged=0.01))
    assert "hardly any ended" in found["unflagged"]
    few = said(a_backtest(flagged=20, true_alarms=20))["hits"]
    assert few.startswith("Of about 20 cases flagged at the 4th score after the start, nearly all")
    none = said(a_backtest(flagged=20, true_alarms=0))["hits"]
    assert "hardly any ended" in none


def test_a_difference_that_could_be_chance_is_called_so() -> None:
    found = said(a_backtest())
    assert found["compared"] == (
        "The status rule finds about 8 of 10 and flags about 3 of 10; looking only at the first "
        "and the last score finds about 5 of 10 and flags about 3 of 10. The difference in what is "
        "found is larger than chance alone would make it."
    )
    assert found["ranked"].endswith("The difference could be chance.")


def test_a_rule_that_does_worse_than_two_scores_is_told_so_whichever_way_the_pair_is_written() -> (
    None
):
    backtest = a_backtest()
    worse = {"auc": 0.1, "auc_low": 0.02, "auc_high": 0.2}
    backtest["paired"] = {"occasion_4": {"naive_two_score - status_rule": worse}}
    found = said(backtest)
    assert found["ranked"].endswith("to the disadvantage of the status rule.")
    assert "compared" not in found  # nothing is known of that difference


def test_unknown_ends_are_counted_with_both_extremes() -> None:
    assert said(a_backtest())["unknown"] == (
        "How 38 more cases ended is not known. With them, 6 to 8 of 10 flagged ended in the "
        "clinical range without clear improvement, whichever way theirs went."
    )


def test_reviewed_cases_stand_apart_and_are_never_wrongly_flagged() -> None:
    backtest = a_backtest()
    assert "reviewed" not in said(backtest)
    backtest["landmarks"]["occasion_4"]["reviewed"] = 25
    assert said(backtest)["reviewed"].startswith("25 further cases were reviewed after a flag")
    assert "never count as wrongly flagged" in said(backtest)["reviewed"]


def test_how_cases_were_split_and_what_is_not_said_stand_below() -> None:
    found = said(a_backtest())
    assert "20 times 5 parts, no client on both sides" in found["split.cross_validation"]
    assert "does not say what a flag, a review or the care did" in found["limits"]
    assert "fewer than 3 later scores" in found["limits.later"]
    calendar = a_backtest() | {"split": {"kind": "calendar"}}
    assert "cases that were over by then" in said(calendar)["split.calendar"]


def test_days_are_told_as_days() -> None:
    backtest = a_backtest()
    facts = backtest["landmarks"].pop("occasion_4") | {"kind": "day", "at": 28}
    backtest["landmarks"]["day_28"] = facts
    backtest["rules"]["status_rule"]["day_28"] = backtest["rules"]["status_rule"]["occasion_4"]
    assert "flagged at the last score up to day 28" in said(backtest, at="day_28")["hits"]


def test_nothing_is_said_of_a_rule_or_a_moment_that_was_not_asked() -> None:
    assert alert_sentences(a_backtest(), "outlook", "occasion_4") == []
    assert alert_sentences(a_backtest(), "status_rule", "occasion_9") == []


def test_every_end_and_every_rule_of_the_back_test_has_words() -> None:
    known = templates("alert")
    assert {f"outcome.{name}" for name in OUTCOMES} <= set(known)
    assert {f"rule.{name}" for name in RULES} <= set(known)
    assert ended_words({"outcome": "new", "outcome_in_words": "x"}) == "had this end: x"


def test_no_sentence_blames_or_names_a_cause_and_every_mark_is_filled() -> None:
    shown = shown_backtest(
        sample_backtest(cases=900, occasions=(2, 4)), suppression_rule("default")
    )
    sentences = [
        found.sentence
        for rule in shown["rules"]
        for landmark in shown["landmarks"]
        for found in alert_sentences(shown, rule, landmark)
    ]
    assert len(sentences) > 100
    for sentence in sentences:
        assert not words_not_used(sentence), sentence
        assert not marks(sentence), sentence
        assert "None" not in sentence
        assert "nan" not in sentence.split()
        assert sentence[0].isupper() or sentence[0].isdigit()
