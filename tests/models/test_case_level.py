"""Several measures, where a case stands today, episodes, safety items."""

import polars as pl
import pytest

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.case_status import case_statuses
from models.episodes import episodes
from models.safety import safety_points
from models.standing import last_statuses, with_staleness

MEASURES = built_in_measures()
THRESHOLDS = status_rule().thresholds
NOBODY = pl.DataFrame(schema={"case_id": pl.String, "measure_id": pl.String})


def said(*rows: tuple[str, int, int, float, str, str]) -> pl.DataFrame:
    """Return statuses of one case from (measure, occasion, day, baseline, status, code)."""
    return pl.DataFrame(
        [
            ("c", measure, occasion, day, day, None, True, baseline, status, code, "", None)
            for measure, occasion, day, baseline, status, code in rows
        ],
        schema={
            "case_id": pl.String, "measure_id": pl.String, "occasion": pl.Int64, "at": pl.Int64,
            "day": pl.Int64, "sessions_attended": pl.Int64, "has_baseline": pl.Boolean,
            "baseline": pl.Float64, "status": pl.String, "code": pl.String, "tags": pl.String,
            "curve_id": pl.String,
        },
        orient="row",
    )  # fmt: skip


def last(statuses: pl.DataFrame, declared: pl.DataFrame = NOBODY) -> tuple[str, str, str]:
    found = case_statuses(statuses, declared, MEASURES, THRESHOLDS)
    return found.select("status", "code", "decided_by").row(-1)


def both(phq9: tuple[str, str], gad7: tuple[str, str], *, days: int = 56) -> pl.DataFrame:
    """Both measures at day 0, PHQ-9 (more severe at the start) again later, GAD-7 on that day."""
    return said(
        ("phq9", 0, 0, 20, "cannot_judge", "no_score"),
        ("gad7", 0, 0, 9, "cannot_judge", "no_score"),
        ("phq9", 1, 56, 20, *phq9),
        ("gad7", 1, days, 9, *gad7),
    )


@pytest.mark.parametrize(
    ("phq9", "gad7", "expected"),
    [
        # status_rule.md, "Several outcome measures", in its order
        (("stuck", "no_gain"), ("deteriorating", "two_scores"), ("deteriorating", "gad7")),
        (("improved", ""), ("deteriorating", "two_scores"), ("watch", "phq9")),
        (("deteriorating", "two_scores"), ("recovered", ""), ("watch", "phq9")),
        (("stuck", "no_gain"), ("improved", ""), ("watch", "phq9")),
        (("recovered", ""), ("stuck", "no_gain"), ("improved", "phq9")),
        (("stuck", "no_gain"), ("on_track", ""), ("stuck", "phq9")),
        (("on_track", ""), ("stuck", "no_gain"), ("on_track", "phq9")),
    ],
)
def test_measures_are_combined_as_the_rule_says(
    phq9: tuple[str, str], gad7: tuple[str, str], expected: tuple[str, str]
) -> None:
    status, _, decided_by = last(both(phq9, gad7))
    assert (status, decided_by) == expected


def test_disagreement_is_named() -> None:
    assert last(both(("stuck", "no_gain"), ("improved", "")))[1] == "measures_disagree"


def test_a_gain_of_long_ago_does_not_hold_back_a_stuck_primary() -> None:
    assert last(both(("stuck", "no_gain"), ("improved", ""), days=7))[0] == "stuck"


def test_the_problem_declares_the_primary_measure() -> None:
    declared = pl.DataFrame({"case_id": ["c"], "measure_id": ["gad7"]})
    statuses = both(("on_track", ""), ("stuck", "no_gain"))
    assert last(statuses, declared)[0] == "stuck"
    assert last(statuses)[0] == "on_track"


def test_a_measure_that_begins_later_cannot_become_primary() -> None:
    statuses = said(
        ("gad7", 0, 0, 9, "cannot_judge", "no_score"),
        ("gad7", 1, 7, 9, "on_track", ""),
        ("phq9", 0, 7, 25, "cannot_judge", "no_score"),
        ("gad7", 2, 14, 9, "on_track", ""),
        ("phq9", 1, 14, 25, "stuck", "no_gain"),
    )
    assert last(statuses) == ("on_track", "", "gad7")


def test_occasions_of_a_case_are_its_scored_days_from_the_first_baseline() -> None:
    statuses = said(
        ("phq9", -1, -7, 20, "cannot_judge", "no_score"),
        ("phq9", 0, 0, 20, "cannot_judge", "no_score"),
        ("gad7", 0, 7, 9, "cannot_judge", "no_score"),
        ("phq9", 1, 7, 20, "on_track", ""),
    )
    found = case_statuses(statuses, NOBODY, MEASURES, THRESHOLDS)
    assert found["occasion"].to_list() == [-1, 0, 1]


def standing(**facts: object) -> tuple[str, str, str]:
    row = {
        "status": "stuck", "code": "no_gain", "is_open": True, "sessions_since": 0,
        "days_since": 0,
    } | facts  # fmt: skip
    frame = pl.DataFrame(
        [row], schema_overrides={"sessions_since": pl.Int64, "days_since": pl.Int64}
    )
    return with_staleness(frame, THRESHOLDS).select("status", "code", "last_status").row(0)


def test_an_open_case_without_a_recent_score_is_stale_and_keeps_its_last_status() -> None:
    assert standing(days_since=42) == ("stuck", "no_gain", "stuck")
    assert standing(days_since=43) == ("cannot_judge", "stale", "stuck")
    assert standing(sessions_since=3) == ("stuck", "no_gain", "stuck")
    assert standing(sessions_since=4) == ("cannot_judge", "stale", "stuck")
    assert standing(days_since=None, sessions_since=None) == ("stuck", "no_gain", "stuck")
    assert standing(days_since=400, is_open=False) == ("stuck", "no_gain", "stuck")


def test_a_status_holds_since_the_first_occasion_of_its_unbroken_spell() -> None:
    rows = [(0, "watch"), (1, "stuck"), (2, "watch"), (3, "stuck"), (4, "stuck")]
    statuses = pl.DataFrame(
        {
            "case_id": "c",
            "measure_id": "phq9",
            "occasion": [occasion for occasion, _ in rows],
            "day": [7 * occasion for occasion, _ in rows],
            "status": [status for _, status in rows],
            "code": "",
            "tags": "",
            "decided_by": "phq9",
        }
    )
    found = last_statuses(statuses).row(0, named=True)
    assert (found["status"], found["since_occasion"], found["since_day"]) == ("stuck", 3, 21)


def test_a_spell_is_one_episode_and_closes_where_it_ends() -> None:
    holds = [False, True, True, False, True]
    found = episodes(
        pl.DataFrame(
            {
                "case_id": "c",
                "kind": "stuck",
                "series": "case",
                "measure_id": "phq9",
                "occasion": list(range(5)),
                "day": [7 * place for place in range(5)],
                "holds": holds,
            }
        )
    )
    assert found.select("opened_occasion", "closed_occasion").rows() == [(1, 3), (4, None)]


@pytest.mark.parametrize(
    ("answers", "is_open"),
    [
        ([1], [False]),  # steady low answers from the start are shown, not flagged
        ([0, 1], [False, True]),
        ([0, 1, 1, 0], [False, True, True, False]),
        ([2], [True]),
        ([2, 1, 0], [True, True, False]),
        ([1, 1, 1], [False, False, False]),
    ],
)
def test_a_safety_item_opens_when_it_reaches_the_line_or_rises_from_zero(
    answers: list[int], is_open: list[bool]
) -> None:
    count = len(answers)
    items = pl.DataFrame(
        {
            "case_id": ["c"] * count,
            "measure_id": ["phq9"] * count,
            "subscale": ["item_9"] * count,
            "at": list(range(count)),
            "session": list(range(count)),
            "day": list(range(count)),
            "value": [float(answer) for answer in answers],
        }
    )
    assert safety_points(items, MEASURES)["is_open"].to_list() == is_open
