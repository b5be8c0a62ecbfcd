"""Alliance ratings: low, fallen and not repaired, at the ceiling."""

import polars as pl
import pytest

from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from models.alliance import alliance_points

SRS = built_in_measures()["srs"]
THRESHOLDS = status_rule().thresholds


def rated(*values: float) -> pl.DataFrame:
    """Return the points of one case with these SRS totals, a week apart."""
    count = len(values)
    return alliance_points(
        pl.DataFrame(
            {
                "case_id": ["c"] * count,
                "at": list(range(1, count + 1)),
                "session": list(range(1, count + 1)),
                "day": [7 * place for place in range(count)],
                "value": [float(value) for value in values],
            }
        ),
        SRS,
        THRESHOLDS,
    )


@pytest.mark.parametrize(
    ("values", "is_low"),
    [
        ((36, 36), True),  # R13: concern at 36 or less, so 36 counts
        ((37, 36), False),
        ((36, 37), False),
        ((36,), False),  # one rating says little
        ((30, 38, 33, 35), True),
    ],
)
def test_low_is_two_ratings_at_or_below_the_concern_line(
    values: tuple[float, ...], is_low: bool
) -> None:
    assert rated(*values)["is_low"].to_list()[-1] is is_low


def test_a_fall_is_flagged_only_when_it_is_still_there_at_the_third_rating() -> None:
    points = rated(38, 38, 38, 38, 38, 30, 30, 30, 30)
    assert points["is_dropped"].to_list() == [False] * 7 + [True] * 2
    assert points["ratings_since_drop"].to_list() == [0] * 5 + [1, 2, 3, 4]


def test_a_repaired_fall_is_no_flag() -> None:
    points = rated(38, 38, 38, 38, 38, 30, 38, 38, 38)
    assert not points["is_dropped"].any()
    assert points["ratings_since_drop"].to_list()[-3:] == [0, 0, 0]


def test_no_personal_limit_is_drawn_before_five_ratings() -> None:
    points = rated(38, 38, 38, 38, 20, 20, 20, 20)
    assert points["personal_low"].to_list()[:5] == [None] * 5


def test_the_limit_never_lies_closer_than_the_error_of_measurement_allows() -> None:
    # identical ratings: the moving range is zero, the limit still 2 x 2.0 points below the mean
    points = rated(38, 38, 38, 38, 38, 35)
    assert points["personal_low"].to_list()[-1] == 34
    assert points["ratings_since_drop"].to_list()[-1] == 0


def test_low_ratings_of_a_lasting_fall_do_not_lower_the_limit() -> None:
    points = rated(38, 38, 38, 38, 38, 28, 28, 28, 28, 28, 28)
    assert set(points["personal_low"].to_list()[5:]) == {34.0}
    assert points["is_dropped"].to_list()[-1] is True


def test_the_ceiling_is_four_ratings_at_the_top() -> None:
    assert rated(40, 39, 40)["is_ceiling"].to_list() == [False] * 3
    assert rated(40, 39, 40, 39)["is_ceiling"].to_list()[-1] is True
    assert rated(40, 39, 38, 39)["is_ceiling"].to_list()[-1] is False


def test_nothing_later_changes_an_earlier_rating() -> None:
    values = (38, 36, 37, 39, 38, 30, 31, 38, 29, 29, 29, 40)
    whole = rated(*values)
    for known in range(1, len(values)):
        assert rated(*values[:known]).equals(whole[:known])


def test_an_outcome_measure_has_no_alliance() -> None:
    with pytest.raises(ValueError, match="phq9 is no alliance measure"):
        alliance_points(pl.DataFrame(), built_in_measures()["phq9"], THRESHOLDS)
