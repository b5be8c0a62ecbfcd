"""Drift is told where there is some, and not where chance alone moves the numbers."""

from __future__ import annotations

from math import log

import numpy as np
import polars as pl
import pytest

from data_contracts.suppression import suppression_rule
from models.drift import (
    FEWEST_RECENT,
    CalibrationDrift,
    calibration_drift,
    inputs_drift,
    inputs_reference,
    stability_index,
)
from models.drift_words import (
    advice,
    calibration_sentence,
    concern_of,
    inputs_sentence,
)
from models.feature_words import FEATURE_WORDS
from models.known_so_far import FEATURES

RULE = suppression_rule("default")


def cases(size: int, seed: int, shift: float = 0.0, missing: float = 0.0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    score = np.rint(random.normal(14.0 + shift, 5.0, size))
    unknown = random.uniform(size=size) < missing
    return pl.DataFrame(
        {"score": score, "alliance_last": np.where(unknown, np.nan, random.uniform(size=size))}
    )


def test_the_index_is_that_of_the_formula() -> None:
    # By hand: shares .25/.75 then, .5/.5 now: .25 ln 2 - .25 ln (2/3) = .25 ln 3.
    many = 1_000_000.0
    found = stability_index(np.array([1.0, 3.0]) * many, np.array([2.0, 2.0]) * many)
    assert found == pytest.approx(0.25 * log(3.0), abs=1e-5)


def test_without_a_change_hardly_a_night_in_twenty_says_there_is_one() -> None:
    reference = inputs_reference(cases(600, seed=0), ["score", "alliance_last"])
    said = [
        (inputs_drift(reference, cases(120, seed=seed))["verdict"] != "as_before").any()
        for seed in range(1, 201)
    ]
    assert sum(said) <= 20  # 10 are expected; more than 20 would be one in a thousand


def test_the_limit_of_chance_is_near_what_chance_gives() -> None:
    reference = inputs_reference(cases(5000, seed=0), ["score"])
    found = [inputs_drift(reference, cases(400, seed=seed)) for seed in range(1, 301)]
    index = np.array([each["stability_index"].item() for each in found])
    limit = found[0]["by_chance"].item()
    assert 0.01 < (index > limit).mean() < 0.10  # nominal .05


def test_a_shift_of_scores_is_told_and_named() -> None:
    reference = inputs_reference(cases(600, seed=0), ["score", "alliance_last"])
    found = inputs_drift(reference, cases(150, seed=1, shift=5.0))
    assert dict(found.select("feature", "verdict").iter_rows()) == {
        "score": "moved_clearly",
        "alliance_last": "as_before",
    }
    assert inputs_sentence(found).endswith("since it was learned: last score (clearly).")


def test_that_something_is_no_longer_sent_is_a_shift_too() -> None:
    reference = inputs_reference(cases(600, seed=0), ["alliance_last"])
    found = inputs_drift(reference, cases(150, seed=1, missing=0.5)).row(0, named=True)
    assert found["verdict"] == "moved_clearly"
    assert found["not_known_then"] == 0.0
    assert found["not_known_now"] == pytest.approx(0.5, abs=0.12)


def test_of_few_cases_nothing_is_said() -> None:
    reference = inputs_reference(cases(600, seed=0), ["score"])
    few = cases(FEWEST_RECENT - 1, seed=1, shift=20.0)
    found = inputs_drift(reference, few)
    assert found["verdict"].to_list() == ["too_few"]
    assert found["stability_index"].to_list() == [None]
    assert "cannot be said yet" in inputs_sentence(found)
    said = calibration_drift(np.ones(49, dtype=bool), np.full(49, 0.1), brier_then=0.1)
    assert said == CalibrationDrift(n=49)


def test_a_column_that_is_always_the_same_has_not_moved() -> None:
    same = pl.DataFrame({"score": [3.0] * 200})
    found = inputs_drift(inputs_reference(same, ["score"]), same)
    assert found["verdict"].to_list() == ["as_before"]


def test_chances_that_come_true_are_told_so_and_wrong_ones_too() -> None:
    random = np.random.default_rng(1)
    chance = random.uniform(0.05, 0.6, 400)
    brier = float((chance * (1 - chance)).mean())
    nights = [random.uniform(size=400) < chance for _ in range(300)]
    found = [calibration_drift(came, chance, brier_then=brier) for came in nights]
    assert sum(each.verdict != "as_expected" for each in found) <= 12  # at most 2 % are expected
    assert found[0].expected == pytest.approx(chance.sum())
    came = nights[0]
    too_low = calibration_drift(came, chance / 3.0, brier_then=0.2)
    too_high = calibration_drift(came, np.clip(chance * 2.0, 0, 1), brier_then=0.2)
    assert (too_low.verdict, too_high.verdict) == ("more", "fewer")


def test_a_small_gap_is_no_drift_however_sure() -> None:
    came = np.arange(100_000) % 100 < 33
    assert calibration_drift(came, np.full(100_000, 0.30), brier_then=0.23).verdict == "as_expected"


def test_chances_that_are_right_on_the_whole_only_are_less_exact() -> None:
    came = np.arange(1000) % 10 < 3
    assert calibration_drift(came, np.full(1000, 0.3), brier_then=0.1).verdict == "less_exact"


def test_cases_without_a_chance_are_left_out() -> None:
    chance = np.concatenate([np.full(60, 0.5), np.full(40, np.nan)])
    assert calibration_drift(np.arange(100) % 2 == 0, chance, brier_then=None).n == 60


def test_small_counts_are_in_no_sentence() -> None:
    came = np.arange(60) < 4
    said = calibration_sentence(
        calibration_drift(came, np.full(60, 0.3), brier_then=None), None, "drop_out", RULE
    )
    assert "too small to show" in said
    assert "60" in said
    assert not {"4", "7", "30"} & set(said.replace(",", " ").replace(".", " ").split())


def test_while_too_few_have_ended_since_the_newest_of_the_training_are_told() -> None:
    newest = {
        "n": 120, "bad": 40, "expected": 36.0, "gap": 0.03, "gap_low": -0.08, "gap_high": 0.14,
        "brier": 0.2, "brier_low": 0.17, "brier_high": 0.23, "brier_then": None,
        "verdict": "as_expected",
    }  # fmt: skip
    said = calibration_sentence(CalibrationDrift(n=3), newest, "drop_out", RULE)
    assert "cannot be said yet" in said
    assert "it expected 30 in 100 to drop out; 33 in 100 did" in said


def test_what_is_wrong_comes_with_the_command_that_helps() -> None:
    moved = pl.DataFrame({"verdict": ["moved_clearly"]})
    somewhat = pl.DataFrame({"verdict": ["moved", "as_before"]})
    fine = CalibrationDrift(n=90, verdict="as_expected")
    off = CalibrationDrift(n=90, verdict="fewer")
    assert concern_of(somewhat, fine) == ""
    assert concern_of(moved, fine) == "inputs"
    assert concern_of(moved, off) == "calibration"
    said = advice("calibration", measure_id="phq9", outcome="drop_out")
    assert "unstuck train" in said
    assert "unstuck models --roll-back --measure phq9 --outcome drop_out" in said


def test_everything_known_of_a_case_has_words() -> None:
    assert [name for name in FEATURES if name not in FEATURE_WORDS] == []
