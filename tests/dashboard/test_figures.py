"""Figures over many cases say what they stand on, and small numbers are hidden, never 0."""

from __future__ import annotations

import polars as pl

from dashboard.figures import (
    figure_named,
    hidden,
    outcome_figures,
    rate_words,
    sentence,
    status_mix,
)

HIDDEN = {
    "is_suppressed": True,
    "numerator": None,
    "denominator": None,
    "rate": None,
    "rate_low": None,
    "rate_high": None,
}
SHOWN = {
    "is_suppressed": False,
    "numerator": 100,
    "denominator": 200,
    "rate": 0.5,
    "rate_low": 0.43,
    "rate_high": 0.57,
}


def test_a_hidden_count_says_so_by_the_practice_s_preset() -> None:
    assert rate_words(HIDDEN, "default") == "hidden (fewer than 8)"
    assert rate_words(HIDDEN, "england") == "hidden (fewer than 5)"
    assert "0" not in hidden("default")


def test_a_hidden_count_never_becomes_a_number_in_the_sentence() -> None:
    said = sentence(figure_named("recovery"), HIDDEN, "default")
    assert "hidden: fewer than 8 do, or do not" in said
    assert "%" not in said
    assert " 0" not in said


def test_a_rate_has_its_interval_and_its_n() -> None:
    assert rate_words(SHOWN, "default") == "50 % (43 % to 57 %), n = 200"
    said = sentence(figure_named("recovery"), SHOWN, "default")
    assert said.startswith("Of 200 ended cases that started in the clinical range, 50 % (43 % to")


def test_no_cases_is_not_hidden() -> None:
    row = {**HIDDEN, "is_suppressed": False, "denominator": 0}
    assert rate_words(row, "default") == "no cases"


def test_unknown_figures_are_shown_under_their_own_name() -> None:
    trends = pl.DataFrame({"figure": ["waiting", "recovery", "status_mix", "completeness"]})
    titles = [figure.title for figure in outcome_figures(trends)]
    assert titles == ["Out of the clinical range at the end", "Waiting"]


def test_the_status_mix_comes_in_the_rule_s_order_and_hides_small_counts() -> None:
    base = {"figure": "status_mix", "site_id": "all", "period": "now"}
    trends = pl.DataFrame(
        [
            {**base, "category": "watch", **SHOWN, "numerator": 100},
            {**base, "category": "deteriorating", **HIDDEN},
        ],
        infer_schema_length=None,
    )
    assert status_mix(trends, "default") == [
        "▼ deteriorating: hidden (fewer than 8)",
        "◆ watch: 100 (50 %)",
    ]
