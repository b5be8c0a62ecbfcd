"""The order of the queue: every factor counts, none decides alone, and words say which."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.measures import built_in_measures
from models.case_ends import PRIMARY
from models.need import (
    CHOSEN_CHANCES,
    LONGEST_UNSEEN,
    MOST_SEVERE,
    with_chance,
    with_need,
    with_severity,
)
from models.need_words import with_need_words

MEASURES = built_in_measures()
NOTHING_TESTED = pl.DataFrame(
    schema={
        "measure_id": pl.String,
        "outcome": pl.String,
        "occasion": pl.Int64,
        "if_flagged": pl.Float64,
        "if_not_flagged": pl.Float64,
    }
)
chances = st.floats(0, 1)
levels = st.floats(0, 27)
waits = st.none() | st.floats(0, 200)


def needed(tested: pl.DataFrame = NOTHING_TESTED, **cases: Any) -> pl.DataFrame:
    """Return cases as the night weighs them; a stuck PHQ-9 case unless said otherwise."""
    usual: dict[str, Any] = {
        "decided_by": "phq9",
        "occasion": 8,
        "last_status": "stuck",
        "outlook": None,
        "level": 18.0,
        "level_gain": 1.0,
        "is_deteriorating": False,
        "weeks_unseen": 0.0,
        "was_reviewed": False,
        "outcome": PRIMARY,
        "is_by_outlook_only": False,
        "headline_measure": "phq9",
    }
    count = max((len(value) for value in cases.values() if isinstance(value, list)), default=1)
    columns = {
        name: value if isinstance(value, list) else [value] * count
        for name, value in (usual | cases).items()
    }
    frame = pl.DataFrame(
        columns,
        schema_overrides=dict.fromkeys(
            ("outlook", "level", "level_gain", "weeks_unseen"), pl.Float64
        )
        | {"decided_by": pl.String, "outcome": pl.String},
    )
    weighed = frame.pipe(with_chance, tested).pipe(with_severity, MEASURES).pipe(with_need)
    return with_need_words(weighed, MEASURES)


@given(chance=st.tuples(chances, chances), level=levels, weeks=waits)
def test_the_more_probable_case_never_needs_less(
    chance: tuple[float, float], level: float, weeks: float | None
) -> None:
    low, high = needed(outlook=sorted(chance), level=level, weeks_unseen=weeks)["need"]
    assert low <= high


@given(chance=chances, level=st.tuples(levels, levels), weeks=waits)
def test_the_more_severe_case_never_needs_less(
    chance: float, level: tuple[float, float], weeks: float | None
) -> None:
    low, high = needed(outlook=chance, level=sorted(level), weeks_unseen=weeks)["need"]
    assert low <= high


@given(chance=chances, level=levels, weeks=st.tuples(st.floats(0, 200), st.floats(0, 200)))
def test_the_case_that_waited_longer_never_needs_less(
    chance: float, level: float, weeks: tuple[float, float]
) -> None:
    low, high = needed(outlook=chance, level=level, weeks_unseen=sorted(weeks))["need"]
    assert low <= high


@given(chance=chances, level=st.tuples(levels, levels), weeks=st.tuples(waits, waits))
def test_a_deteriorating_case_is_never_below_an_equally_probable_stuck_one(
    chance: float, level: tuple[float, float], weeks: tuple[float | None, float | None]
) -> None:
    stuck, worse = needed(
        outlook=chance,
        level=list(level),
        weeks_unseen=list(weeks),
        is_deteriorating=[False, True],
        last_status=["stuck", "deteriorating"],
    )["need"]
    assert worse >= stuck


@given(chance=chances, level=levels, weeks=waits, worse=st.booleans())
def test_no_factor_leaves_its_bounds(
    chance: float, level: float, weeks: float | None, worse: bool
) -> None:
    found = needed(outlook=chance, level=level, weeks_unseen=weeks, is_deteriorating=worse)
    row = found.row(0, named=True)
    assert 1 <= row["severity"] <= MOST_SEVERE
    assert 1 <= row["unseen"] <= LONGEST_UNSEEN
    assert row["need"] == pytest.approx(row["probability"] * row["severity"] * row["unseen"])


@given(level=levels, gain=st.floats(-27, 27))
def test_mirroring_the_scale_changes_no_severity(level: float, gain: float) -> None:
    measure = MEASURES["phq9"]
    mirrored = measure.model_copy(
        update={
            "measure_id": "mirror",
            "higher_is": "better",
            "clinical_cutoff": measure.clinical_cutoff.model_copy(update={"value": 17.0}),
        }
    )
    cases = pl.DataFrame(
        {
            "decided_by": ["phq9", "mirror"],
            "level": [level, 27 - level],
            "level_gain": [gain, gain],
            "is_deteriorating": [False, False],
        }
    )
    one, other = with_severity(cases, {"phq9": measure, "mirror": mirrored})["severity"]
    assert one == pytest.approx(other)


def test_without_a_cutoff_severity_is_what_is_missing_to_a_clear_change() -> None:
    bare = MEASURES["phq9"].model_copy(update={"clinical_cutoff": None})
    cases = pl.DataFrame(
        {
            "decided_by": ["phq9"] * 3,
            "level": [18.0, 18.0, 18.0],
            "level_gain": [-6.0, 0.0, 7.0],
            "is_deteriorating": [False] * 3,
        }
    )
    found = with_severity(cases, {"phq9": bare})
    assert found["severity"].to_list() == [3.0, 2.0, 1.0]
    assert found["distance"].to_list() == [12.0, 6.0, -1.0]


def test_where_nothing_can_be_told_of_severity_the_case_is_still_there() -> None:
    row = needed(decided_by=None, level=None, level_gain=None, occasion=None).row(0, named=True)
    assert row["severity"] == 1.0
    assert "how severe is not known" in row["need_words"]


def test_the_back_test_stands_in_before_a_chosen_number_does() -> None:
    tested = pl.DataFrame(
        {
            "measure_id": ["phq9", "phq9", "gad7"],
            "outcome": [PRIMARY] * 3,
            "occasion": [4, 12, 4],
            "if_flagged": [0.7, 0.3, None],
            "if_not_flagged": [0.2, 0.1, None],
        }
    )
    cases = pl.DataFrame(
        {
            "decided_by": ["phq9", "phq9", "phq9", "gad7", None],
            "occasion": [5, 11, 2, 5, None],
            "last_status": ["stuck", "deteriorating", "on_track", "stuck", "cannot_judge"],
            "outcome": pl.Series([None] * 5, dtype=pl.String),
            "outlook": pl.Series([None] * 5, dtype=pl.Float64),
        }
    )
    found = with_chance(cases, tested)
    assert found["probability"].to_list() == [0.7, 0.3, 0.2, CHOSEN_CHANCES["stuck"], 0.25]
    assert found["probability_from"].to_list() == ["backtest"] * 3 + ["chosen"] * 2


def test_among_chosen_chances_worse_statuses_come_first() -> None:
    in_order = ["deteriorating", "stuck", "watch", "on_track", "recovered"]
    found = [CHOSEN_CHANCES[status] for status in in_order]
    assert found == sorted(found, reverse=True)


def test_an_unlikely_bad_end_does_not_pass_a_likely_one_by_severity_alone() -> None:
    mild, severe = needed(outlook=[0.8, 0.2], level=[11.0, 27.0])["need"]
    assert mild > severe


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"outlook": 0.71}, "Of 10 cases with such a course, about 7 end"),
        ({"outlook": None}, "No outlook and no back-test yet: placed by its status alone; 8"),
        ({"is_by_outlook_only": True}, "8 points above the cut-off; came into view"),
        ({"headline_measure": "gad7", "outlook": 0.7}, "On PHQ-9, of 10 cases with such a course"),
        ({"level": 18.0}, "8 points above the cut-off"),
        ({"level": 9.0}, "no longer in the clinical range"),
        ({"level": 10.0}, "at the cut-off"),
        ({"decided_by": "ors", "level": 20.0}, "5 points below the cut-off"),
        ({"is_deteriorating": True}, "clearly worse than at the start"),
        ({"weeks_unseen": 5.4}, "not talked about for 5 weeks"),
        ({"weeks_unseen": 5.4, "was_reviewed": True}, "last talked about 5 weeks ago"),
        ({"weeks_unseen": 1.0, "was_reviewed": True}, "last talked about 1 week ago"),
        ({"weeks_unseen": 0.5, "was_reviewed": True}, "talked about within the last week"),
        ({"weeks_unseen": 0.5}, "came into view within the last week"),
        ({"weeks_unseen": None}, "since when is not known"),
    ],
)
def test_the_words_say_which_factor_is_how_large(case: dict[str, Any], words: str) -> None:
    assert words in needed(**case)["need_words"][0]


def test_a_chance_that_the_headline_says_is_not_said_again() -> None:
    words = needed(outlook=0.7, is_by_outlook_only=True)["need_words"][0]
    assert "of 10" not in words.lower()
    assert words.startswith("8 points")


def test_a_case_that_began_well_is_placed_by_how_many_end_clearly_worse() -> None:
    tested = pl.DataFrame(
        {
            "measure_id": ["phq9"] * 2,
            "outcome": [PRIMARY, "reliable_deterioration"],
            "occasion": [8, 8],
            "if_flagged": [0.7, 0.2],
            "if_not_flagged": [0.1, 0.1],
        }
    )
    began = [PRIMARY, "reliable_deterioration"]
    sick, well = needed(tested, outcome=began)["need_words"]
    assert "about 7 ended without clear improvement" in sick
    assert "about 2 ended clearly worse than they began" in well
    (none_tested,) = needed(tested[:1], outcome=["reliable_deterioration"])["probability_from"]
    assert none_tested == "chosen"
