"""A card says what the numbers say, hides small ones, and answers what it claims to answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from data_contracts.suppression import suppression_rule
from data_contracts.words_not_used import words_not_used
from models.model_card import NOT_FOR, Decision, ModelCard, TrainingCounts, model_card
from models.model_card_text import card_text
from models.shown_backtest import shown_backtest
from models.tripod_ai import ITEMS

RULE = suppression_rule("default")
SECRET = 6  # at or below 7: no card may hold it


def shown(**changes: Any) -> dict[str, Any]:
    figures = {
        "n": 180, "flagged": 58, "true_alarms": 41, "false_alarms": 17, "missed": 19,
        "auc": 0.78, "auc_low": 0.7, "auc_high": 0.85, "brier": 0.18,
        "calibration_slope": 1.31, "calibration_slope_low": 0.9, "calibration_slope_high": 1.7,
    }  # fmt: skip
    raw = {
        "measure": "phq9", "outcome": "clinical_without_gain",
        "outcome_in_words": "starts in the clinical range and ends there without clear improvement "
        "(reliable change)",
        "later_scores": 3, "n": 180, "base_rate": 60 / 180,
        "split": {"kind": "calendar", "blocks": 7, "repeats": 1, "folds": None, "seed": 1},
        "landmarks": {"occasion_4": {"kind": "occasion", "at": 4, "at_risk": 260, "known": 180,
                                     "unknown": 80, "bad": 60}},
        "rules": {"outlook": {"occasion_4": figures},
                  "naive_two_score": {"occasion_4": figures | {"auc": 0.74}}},
        "calibration": {"outlook": {"occasion_4": [
            {"low": 0.0, "high": 0.3, "n": 90, "mean_probability": 0.12, "share_bad": 0.1},
            {"low": 0.3, "high": 1.0, "n": 90, "mean_probability": 0.55, "share_bad": 0.57},
        ]}},
        "notes": [],
    }  # fmt: skip
    return shown_backtest(raw | changes, RULE)


def card(**changes: Any) -> ModelCard:
    given: dict[str, Any] = {
        "shown": shown(),
        "measure_name": "PHQ-9",
        "version": "20261122T030000-abcdef",
        "seed": 1,
        "packages": {"scikit-learn": "1.9.1"},
        "counts": TrainingCounts(
            cases=321, known=187, bad=63, reviewed=SECRET, newest=52, fitted=181, fitted_bad=60,
            first_end=73, last_end=401,
        ),
        "decision": Decision(is_promoted=True, why=("Not worse.", "Put in use.")),
        "features": ["score", "missed_lately"],
        "tried": [{"step": "course", "gain in log loss": 0.0123, "kept": "yes"}],
        "suppression": RULE,
    }  # fmt: skip
    return model_card(**given | changes)


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_card_says_what_the_numbers_say() -> None:
    text = card_text(card())
    assert text.startswith("# Model card: PHQ-9, starts in the clinical range")
    assert "0.78 (0.70 to 0.85), that of first and last score alone 0.74" in text
    assert "Cases with a score after the first: 320." in section(text, "Data")
    assert "with a known end: 185, of which ended so: 65" in section(text, "Data")
    assert "between days 70 and 406 of the practice clock" in section(text, "Data")
    assert "7 blocks of time" in section(text, "Data")
    assert "missed sessions among the last three" in section(text, "Predictors")
    assert "| course | 0.012 | yes |" in section(text, "What was tried")
    assert "| 0.55 |" in section(text, "Calibration")
    assert "- Not worse." in section(text, "Compared with what was there")


def test_what_it_is_not_for_stands_on_every_card() -> None:
    text = section(card_text(card()), "What it is not for")
    assert all(each in text for each in NOT_FOR)
    assert all(word in text for word in ("diagnosis", "crisis", "ranking", "ending"))


def test_small_counts_are_on_no_card() -> None:
    made = card()
    assert made.counts["reviewed"] is None
    assert "Left out, as reviewed after a flag: hidden." in card_text(made)
    assert {count % 5 for count in made.counts.values() if count is not None} == {0}
    fewer = card(
        counts=TrainingCounts(
            cases=321, known=187, bad=SECRET, reviewed=0, newest=52, fitted=187, fitted_bad=SECRET
        )
    )
    numbers = re.findall(r"\d+", section(card_text(fewer), "Data"))
    assert str(SECRET) not in numbers


def test_the_card_is_plain_json_without_dates_or_cases() -> None:
    told = json.loads(json.dumps(card().as_json(), allow_nan=False))
    assert told["format"] == "model card 1"
    assert len(told["tripod_ai"]) == len(ITEMS)
    assert "case_id" not in json.dumps(told)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "calibration slope lies outside 0.9 to 1.1 at occasion 4"),
        ({}, "More than 20% of the ends are not known at occasion 4"),
        ({}, "fewer than 100 ends of one kind"),
        ({}, "No figures by group of people"),
        ({"shown": shown(notes=["Hardly a case has three scores."])}, "Hardly a case"),
    ],
)
def test_limits_follow_from_the_numbers(changes: dict[str, Any], said: str) -> None:
    assert said in section(card_text(card(**changes)), "Limits")


def test_good_numbers_have_fewer_limits() -> None:
    fine = shown()
    fine["rules"]["outlook"]["occasion_4"]["calibration_slope"] = 1.02
    fine["landmarks"]["occasion_4"]["unknown"] = 20
    many = TrainingCounts(
        cases=900, known=800, bad=300, reviewed=0, newest=160, fitted=800, fitted_bad=300
    )
    text = section(card_text(card(shown=fine, counts=many)), "Limits")
    assert "slope" not in text
    assert "not known at" not in text
    assert "fewer than" not in text


def test_a_card_without_a_figure_says_so() -> None:
    text = card_text(card(shown=shown(rules={}, calibration={})))
    assert "No figure may be shown" in text
    assert "area under the curve is" not in text


def test_the_checklist_has_its_52_parts_and_every_section_named_is_there() -> None:
    assert len(ITEMS) == 52
    assert len({item.number for item in ITEMS}) == 52
    assert {int(re.match(r"\d+", item.number)[0]) for item in ITEMS} == set(range(1, 28))  # type: ignore[index]  # all begin so
    text = card_text(card())
    titles = {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")}
    for item in ITEMS:
        if item.by != "card" or item.where in ("title",) or item.where.startswith("first section"):
            continue
        for named in item.where.split(" (")[0].split(", "):
            assert any(title.startswith(named) for title in titles), (item.number, named)


def test_no_card_names_a_cause_or_blames() -> None:
    text = card_text(card())
    for denial in ("Nothing here is a cause", "none is a cause"):
        text = text.replace(denial, "")
    assert words_not_used(text) == []
