"""The numbers of England's official rule: which were read, and which measure goes with what."""

from __future__ import annotations

import pytest

from data_contracts.measures import built_in_measures
from data_contracts.problems import problem_measures
from data_contracts.talking_therapies import talking_therapies_rule
from data_contracts.talking_therapies_words import (
    FIGURES_IN_ORDER,
    category_words,
    figure_sentence,
    figure_title,
    rule_in_words,
    share_words,
)
from models.talking_therapies import NOT_FINISHED, NOT_PAIRED
from models.talking_therapies_rates import FIGURES

RULE = talking_therapies_rule()
SHOWN = {
    "numerator": 535, "denominator": 1315, "rate": 0.41, "rate_low": 0.38, "rate_high": 0.43,
    "is_suppressed": False,
}  # fmt: skip
HIDDEN = {**dict.fromkeys(SHOWN), "is_suppressed": True}


@pytest.mark.parametrize(
    ("measure_id", "caseness_from", "reliable_change", "verified"),
    # PHQ-9 and GAD-7 as read in R2; the others recalled (measures.md of the clinical ledger)
    [
        ("phq9", 10, 6, True),
        ("gad7", 8, 4, True),
        ("spin", 19, 10, False),
        ("iesr", 33, 9, False),
        ("pcl5", 32, 10, False),
        ("mi", 2.3, 0.73, False),
        ("oci", 40, 32, False),
        ("pdss", 8, 5, False),
        ("hai", 18, 4, False),
    ],
)
def test_every_measure_has_its_two_numbers_and_says_whether_they_were_read(
    measure_id: str, caseness_from: float, reliable_change: float, verified: bool
) -> None:
    numbers = RULE.thresholds[measure_id]
    assert (numbers.caseness_from, numbers.reliable_change) == (caseness_from, reliable_change)
    assert numbers.verified is verified
    assert numbers.source


def test_only_the_pcl_5_differs_from_our_contracts() -> None:
    measures = built_in_measures()
    different = {
        name
        for name, numbers in RULE.thresholds.items()
        if (numbers.caseness_from, numbers.reliable_change)
        != (measures[name].cutoff, measures[name].reliable_change_points)
    }
    assert different == {"pcl5"}


@pytest.mark.parametrize(
    ("code", "measures"),
    [
        ("F40.0", ("mi", "gad7")),
        ("f40.01", ("mi", "gad7")),
        ("F401", ("spin", "gad7")),
        ("F41.0", ("pdss", "gad7")),
        ("F42", ("oci", "gad7")),
        ("F42.1", ("oci", "gad7")),
        ("F43.1", ("pcl5", "iesr", "gad7")),
        ("F45.2", ("hai", "gad7")),
        ("Social_Anxiety", ("spin", "gad7")),
        (" ptsd ", ("pcl5", "iesr", "gad7")),
        # all else
        ("F40.2", ("gad7",)),
        ("F41.1", ("gad7",)),
        ("F43.2", ("gad7",)),
        ("depression", ("gad7",)),
        ("", ("gad7",)),
        (None, ("gad7",)),
    ],
)
def test_a_problem_leads_to_its_measure_and_everything_else_to_the_gad_7(
    code: str | None, measures: tuple[str, ...]
) -> None:
    assert RULE.anxiety_measures_of(code) == measures


def test_every_problem_our_contract_knows_is_understood() -> None:
    on_their_own = {"spin", "mi", "pdss", "pcl5", "hai", "ocir"}
    for code, measure_id in problem_measures().items():
        assert (RULE.problem_of(code) is not None) is (measure_id in on_their_own), code


def test_what_is_recalled_is_named() -> None:
    told = rule_in_words("england")[-1]
    assert "deterioration as the mirror of improvement" in told
    assert "PCL-5" in told
    assert "PHQ-9" not in told


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_can_be_said(figure: str) -> None:
    assert figure in FIGURES_IN_ORDER
    assert figure_title(figure)
    said = figure_sentence({"figure": figure, **SHOWN}, "england")
    assert said.startswith("41 % (38 % to 43 %) of 1,315 ")
    assert said.endswith(" (535 cases).")
    assert "{" not in said


@pytest.mark.parametrize("figure", FIGURES)
def test_a_hidden_figure_is_said_without_a_number_of_its_own(figure: str) -> None:
    said = figure_sentence({"figure": figure, **HIDDEN}, "england")
    assert said.startswith("hidden (fewer than 5, or such a number could be worked out from it)")
    assert "None" not in said
    assert share_words(HIDDEN, "england") == "hidden (fewer than 5)"
    assert share_words(HIDDEN, "default") == "hidden (fewer than 8)"


def test_every_reason_and_measure_can_be_said() -> None:
    codes = [code for code in {**NOT_FINISHED, **NOT_PAIRED} if code != "care_goes_on"]
    assert all(category_words({"figure": "not_paired", "category": code}) for code in codes)
    assert (
        category_words({"figure": "anxiety_measure", "category": "spin"}) == "paired with the SPIN"
    )
