"""Patterns of alliance ratings: flat, mostly at the top, parts apart, raters apart."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.alliance_patterns import alliance_patterns
from models.course_events import alliance_events

SRS, WAI = (built_in_measures()[name] for name in ("srs", "wai_sr"))
THRESHOLDS = status_rule().thresholds


def ratings(
    *values: float, subscale: str = "total", rater: str = "client", first: int = 1
) -> pl.DataFrame:
    """Return ratings of one case in sessions one after the other, a week apart."""
    sessions = range(first, first + len(values))
    return pl.DataFrame(
        {
            "case_id": ["c1"] * len(values),
            "at": list(sessions),
            "session": list(sessions),
            "day": [7 * session for session in sessions],
            "subscale": [subscale] * len(values),
            "rater": [rater] * len(values),
            "value": [float(value) for value in values],
        }
    )


def spells(*frames: pl.DataFrame, measure=SRS) -> list[tuple[str, int, int | None]]:
    """Return (kind, session it began, first occasion without it)."""
    found = alliance_patterns(pl.concat(frames), measure, THRESHOLDS)
    return found.select("kind", "session", "until_occasion").rows()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((37, 37, 37, 37), [("alliance_flat", 4, None)]),
        ((37, 37, 37), []),  # three equal ratings are no pattern yet
        ((37, 37, 36.5, 37), []),
        ((37, 37, 37, 37, 36), [("alliance_flat", 4, 4)]),
        ((40, 40, 40, 40), []),  # at the top is a pattern of its own
    ],
)
def test_four_equal_ratings_below_the_top_are_flat(values, expected) -> None:
    assert spells(ratings(*values)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((40, 39, 40, 30, 40), [("alliance_at_top", 5, None)]),
        ((40, 39, 40, 40), []),  # fewer than five ratings
        ((40, 39, 30, 30, 38.9), []),
        ((40, 39, 40, 30, 30, 38), [("alliance_at_top", 5, 5)]),  # 3 of 6 is not more than half
    ],
)
def test_mostly_at_the_top_needs_five_ratings_and_more_than_half(values, expected) -> None:
    assert spells(ratings(*values)) == expected


def parts(goal: float, task: float, bond: float, session: int) -> pl.DataFrame:
    return pl.concat(
        ratings(value, subscale=name, first=session)
        for name, value in (("goal", goal), ("task", task), ("bond", bond))
    )


def test_warmth_without_agreed_work_shows_after_two_ratings() -> None:
    # one point an item: 4 of the 16 points between the lowest and highest subscale score
    once = [parts(18, 14, 18, 1)]
    assert spells(*once, measure=WAI) == []
    twice = [*once, parts(15, 18, 19, 2)]
    assert spells(*twice, measure=WAI) == [("alliance_work_behind_bond", 2, None)]
    nearly = [*once, parts(15.5, 18, 19, 2)]
    assert spells(*nearly, measure=WAI) == []


def test_the_bond_behind_the_work_is_the_other_pattern() -> None:
    found = [parts(18, 17, 12, 1), parts(18, 18, 13, 2)]
    assert spells(*found, measure=WAI) == [("alliance_bond_behind_work", 2, None)]


def test_a_missing_part_is_no_pattern_and_no_end_of_one() -> None:
    without_task = pl.concat(
        [ratings(10, subscale="goal", first=2), ratings(20, subscale="bond", first=2)]
    )
    found = [parts(14, 18, 18, 1), without_task, parts(14, 18, 18, 3)]
    assert spells(*found, measure=WAI) == [("alliance_work_behind_bond", 3, None)]


def test_raters_are_apart_beyond_the_error_of_both() -> None:
    # 1.96 x sqrt(2) x 3.0 points = 8.3 on the WAI-SR
    client = ratings(40, 40, 40)
    therapist = ratings(48, 49, 44, rater="therapist")
    assert spells(client, therapist, measure=WAI) == [("alliance_raters_apart", 2, 2)]


def test_raters_are_apart_also_where_one_of_them_sent_no_session() -> None:
    client = ratings(40, 30)
    therapist = ratings(41, 58, rater="therapist").with_columns(
        session=pl.lit(None, dtype=pl.Int64)
    )
    assert spells(client, therapist, measure=WAI) == [("alliance_raters_apart", 2, None)]


def test_each_rater_is_named_by_who_rated() -> None:
    by_clinician = WAI.model_copy(update={"rater": "clinician"})
    found = alliance_patterns(
        pl.concat([ratings(40), ratings(30, rater="clinician")]), by_clinician, THRESHOLDS
    )
    (sentence,) = alliance_events(found, by_clinician, THRESHOLDS)["sentence"]
    assert "therapist 30, client 40" in sentence


def test_a_therapists_ratings_are_never_taken_for_the_clients() -> None:
    assert spells(ratings(37, 37, 37, 37, rater="therapist")) == []


def test_parts_stand_for_a_total_that_was_not_sent() -> None:
    found = alliance_patterns(
        pl.concat([parts(12, 12, 12, session) for session in range(1, 5)]), WAI, THRESHOLDS
    )
    assert found.select("kind", "rating").rows() == [("alliance_flat", 36.0)]


def test_every_pattern_has_a_sentence_with_its_numbers() -> None:
    found = alliance_patterns(
        pl.concat(
            [
                *(parts(12, 17, 18, session) for session in range(1, 5)),
                ratings(60, first=2, rater="therapist"),
            ]
        ),
        WAI,
        THRESHOLDS,
    )
    assert alliance_events(found, WAI, THRESHOLDS)["sentence"].to_list() == [
        "WAI-SR: client 47, therapist 60, more apart than measurement error explains.",
        "WAI-SR: WAI-SR Goal (12) lies well below WAI-SR Bond (18). Is there agreement on what "
        "the work is?",
        "WAI-SR was 47 in the last four ratings.",
    ]


@given(st.lists(st.sampled_from([30.0, 37.0, 39.0, 40.0]), min_size=1, max_size=12), st.data())
def test_nothing_later_changes_when_a_pattern_began(values: list[float], data) -> None:
    known = data.draw(st.integers(1, len(values)))
    whole = [(kind, began) for kind, began, _ in spells(ratings(*values)) if began <= known]
    assert [(kind, began) for kind, began, _ in spells(ratings(*values[:known]))] == whole


def test_an_outcome_measure_has_no_patterns_of_alliance() -> None:
    with pytest.raises(ValueError, match="phq9 is no alliance measure"):
        alliance_patterns(ratings(1), built_in_measures()["phq9"], THRESHOLDS)
