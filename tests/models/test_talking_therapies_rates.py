"""The official figures of a practice: rounded, hidden where small, not to be worked out."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.suppression import official_suppression, suppression_rule
from models.talking_therapies import CHANGES, REASONS
from models.talking_therapies_rates import published_outcomes

# figure: the kinds it counts
COUNTED = {
    "recovery": ("recovered", "just_recovered"),
    "reliable_recovery": ("recovered",),
    "reliable_improvement": ("recovered", "improved"),
    "reliable_deterioration": ("worse",),
    "not_caseness": ("below",),
}
ENGLAND = suppression_rule("england")
MEASURES = ("gad7", "spin")
Y, N = True, False
# kind of case: finished, measure, case at start, at end, change, recovered, reliably, reason
KINDS = {
    "recovered": (Y, "gad7", Y, N, "improved", Y, Y, None),
    "just_recovered": (Y, "gad7", Y, N, "no_change", Y, N, None),
    "improved": (Y, "gad7", Y, Y, "improved", N, N, None),
    "worse": (Y, "gad7", Y, Y, "deteriorated", N, N, None),
    "same": (Y, "spin", Y, Y, "no_change", N, N, None),
    "below": (Y, "gad7", N, N, "no_change", N, N, None),
    "unpaired": (Y, None, None, None, "not_computable", None, None, "no_anxiety_pair"),
    "one_session": (N, None, None, None, "not_computable", None, None, "fewer_than_two_sessions"),
}
# 90 finished of 97: 81 paired, 11 below from the start, 79 could recover, 29 did, 23 reliably
PRACTICE = {
    "recovered": 23, "just_recovered": 6, "improved": 12, "worse": 8, "same": 21, "below": 11,
    "unpaired": 9, "one_session": 7,
}  # fmt: skip


def outcomes(counts: dict[tuple[str, str], int]) -> pl.DataFrame:
    """Return judged cases: so many of each period and kind."""
    rows = [
        (f"c{place}", *KINDS[kind], period)
        for place, (period, kind) in enumerate(
            pair for pair, count in counts.items() for _ in range(count)
        )
    ]
    return pl.DataFrame(
        rows,
        schema={
            "case_id": pl.String,
            "is_finished": pl.Boolean,
            "anxiety_measure": pl.String,
            "is_case_at_start": pl.Boolean,
            "is_case_at_end": pl.Boolean,
            "change": pl.Enum(CHANGES),
            "is_recovered": pl.Boolean,
            "is_reliably_recovered": pl.Boolean,
            "reason": pl.Enum(list(REASONS)),
            "period": pl.String,
        },
        orient="row",
    )


def in_one_period(period: str = "no calendar") -> pl.DataFrame:
    return outcomes({(period, kind): count for kind, count in PRACTICE.items()})


def row_of(shown: pl.DataFrame, figure: str, category: str = "all", period: str = "all") -> tuple:
    return shown.row(
        by_predicate=(pl.col("figure") == figure)
        & (pl.col("category") == category)
        & (pl.col("period") == period)
    )[3:]


@pytest.mark.parametrize(
    ("figure", "numerator", "denominator", "rate", "low", "high"),
    # counts rounded by hand; shares of 29/79, 23/79, 35/90, 8/90, 11/90, 81/90, 90/97 and their
    # Wilson intervals from statsmodels 0.14, proportion_confint
    [
        ("recovery", 30, 80, 0.37, 0.27, 0.48),
        ("reliable_recovery", 25, 80, 0.29, 0.20, 0.40),
        ("reliable_improvement", 35, 90, 0.39, 0.29, 0.49),
        ("reliable_deterioration", 10, 90, 0.09, 0.05, 0.17),
        ("not_caseness", 10, 90, 0.12, 0.07, 0.21),
        ("paired", 80, 90, 0.90, 0.82, 0.95),
        ("finished", 90, 95, 0.93, 0.86, 0.96),
    ],
)
def test_counts_are_rounded_and_shares_come_from_the_counts_before(
    figure: str, numerator: int, denominator: int, rate: float, low: float, high: float
) -> None:
    shown = published_outcomes(in_one_period(), MEASURES, ENGLAND)
    assert row_of(shown, figure) == (numerator, denominator, rate, low, high, False)


def test_why_some_are_not_computable_is_counted_and_small_reasons_are_hidden() -> None:
    shown = published_outcomes(in_one_period(), MEASURES, ENGLAND)
    assert row_of(shown, "not_paired", "no_anxiety_pair")[:2] == (10, 90)
    assert row_of(shown, "not_finished", "fewer_than_two_sessions")[:2] == (5, 95)
    assert row_of(shown, "not_paired", "no_pairs") == (None, 90, None, None, None, True)
    assert row_of(shown, "anxiety_measure", "spin")[:2] == (20, 80)


def test_without_a_calendar_there_is_the_whole_practice_only() -> None:
    shown = published_outcomes(in_one_period(), MEASURES, ENGLAND)
    assert set(shown["period"]) == {"all"}


def test_quarters_are_shown_beside_the_whole_practice() -> None:
    twice = pl.concat([in_one_period("quarter 01"), in_one_period("quarter 02")])
    shown = published_outcomes(twice, MEASURES, ENGLAND)
    assert row_of(shown, "recovery", period="quarter 02")[:3] == (30, 80, 0.37)
    assert row_of(shown, "recovery")[:3] == (60, 160, 0.37)


def test_where_the_practice_is_stricter_its_line_is_taken() -> None:
    rule = official_suppression("default")
    assert (rule.hide_up_to, rule.round_to) == (7, 5)
    assert official_suppression("england") == ENGLAND
    shown = published_outcomes(in_one_period(), MEASURES, rule)
    # 29 recovered, 23 of them reliably: the 6 between them would be given away
    assert row_of(shown, "recovery")[:2] == (30, 80)
    assert row_of(shown, "reliable_recovery") == (None, 80, None, None, None, True)
    # 97 ended, 90 finished: so would the 7 with one session
    assert row_of(shown, "finished") == (None, 95, None, None, None, True)


def test_one_small_quarter_cannot_be_had_from_the_others() -> None:
    small = {**PRACTICE, "worse": 2}
    cases = outcomes(
        {("quarter 01", kind): count for kind, count in PRACTICE.items()}
        | {("quarter 02", kind): count for kind, count in small.items()}
    )
    shown = published_outcomes(cases, MEASURES, ENGLAND)
    quarters = [
        row_of(shown, "reliable_deterioration", period=period)[0]
        for period in ("quarter 01", "quarter 02")
    ]
    assert quarters == [None, None]
    assert row_of(shown, "reliable_deterioration")[0] == 10


def test_nobody_who_ended_is_an_empty_table_of_the_same_columns() -> None:
    nobody = published_outcomes(outcomes({}), MEASURES, ENGLAND)
    assert nobody.height == 0
    assert nobody.schema == published_outcomes(in_one_period(), MEASURES, ENGLAND).schema


@given(
    drawn=st.dictionaries(
        st.tuples(st.sampled_from(["quarter 01", "quarter 02", "no calendar"]),
                  st.sampled_from(list(KINDS))),
        st.integers(0, 15),
        min_size=1,
    ),
    preset=st.sampled_from(["england", "default"]),
)  # fmt: skip
def test_no_small_count_is_published_nor_a_share_of_one(
    drawn: dict[tuple[str, str], int], preset: str
) -> None:
    rule = official_suppression(preset)
    shown = published_outcomes(outcomes(drawn), MEASURES, rule)
    for row in shown.to_dicts():
        for name in ("numerator", "denominator"):
            assert row[name] is None or row[name] >= rule.hide_up_to
            assert row[name] is None or row[name] % rule.round_to == 0
        numbers = [row[name] for name in ("numerator", "rate", "rate_low", "rate_high")]
        assert all((number is None) is row["is_suppressed"] for number in numbers)
    for figure, kinds in COUNTED.items():
        truth = sum(count for (_, kind), count in drawn.items() if kind in kinds)
        published = shown.filter(figure=figure, period="all", category="all")["numerator"].to_list()
        assert published in ([], [None]) or truth > rule.hide_up_to
