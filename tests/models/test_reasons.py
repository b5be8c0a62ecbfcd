"""A sentence never contradicts the numbers in it."""

import polars as pl
import pytest

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.reasons import status_reasons


@pytest.mark.parametrize(
    ("status", "level_gain", "said"),
    [
        ("recovered", 9.0, "Clearly better on PHQ-9 (9 points; clear change is 6) and out of"),
        ("recovered", 4.5, "Clearly better on PHQ-9 at an earlier score, still 4.5 points better"),
        ("improved", 6.0, "Clearly better on PHQ-9: 6 points; clear change is 6."),
        ("improved", 5.0, "Clearly better on PHQ-9 at an earlier score, still 5 points better"),
    ],
)
def test_a_gain_below_a_clear_change_is_called_kept_and_not_clear(
    status: str, level_gain: float, said: str
) -> None:
    judged = pl.DataFrame(
        {
            "case_id": ["c1"], "measure_id": ["phq9"], "occasion": [7], "status": [status],
            "code": [""], "tags": [""], "session": [8], "day": [49], "days": [49],
            "sessions_attended": [8], "value": [9.0], "baseline": [19.0], "gain": [10.0],
            "level_gain": [level_gain], "is_pair": [True], "expected": [12.0],
            "planned_sessions": [16],
        }
    )  # fmt: skip
    reasons = status_reasons(judged, built_in_measures(), status_rule().thresholds)
    (sentence,) = reasons.filter(pl.col("code").str.starts_with(status))["sentence"]
    assert sentence.startswith(said)
    if "earlier" in said:
        assert sentence.endswith("down to a gain of 4.5.")
