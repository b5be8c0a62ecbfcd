"""Sudden gains and losses: what the criteria say, who cannot be asked, and laws of all drawings."""

from math import nan
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.sudden_change_events as sudden_change_events
from models.sudden_change import (
    MET,
    NOT_MET,
    UNKNOWN,
    UNTESTED,
    SuddenChangeRule,
)
from models.sudden_change_courses import ScoresError, by_case
from models.sudden_change_criteria import Intervals, judge_intervals
from models.sudden_change_cutoff import ReliableCutoff, student_quantile
from models.sudden_change_events import sudden_changes, sudden_changes_in_columns
from models.sudden_change_summary import (
    count_intervals,
    describe_cases,
    describe_changes,
    one_per_case,
    select_cases,
)
from models.sudden_change_tables import REASONS, SuddenChanges

PUBLISHED = SuddenChangeRule(cutoff=7)  # Tang & DeRubeis 1999 on the BDI
Score = float | None


def row(*scores: Score) -> list[float]:
    return [nan if score is None else score for score in scores]


def verdicts(rule: SuddenChangeRule, *scores: Score) -> list[int]:
    return judge_intervals([row(*scores)], rule).verdict[0].tolist()


def scored(courses: dict[str, list[Score]], *, first: int = 1) -> pl.DataFrame:
    """Return one row a session of each case."""
    return pl.DataFrame(
        [
            (case, session, score)
            for case, scores in courses.items()
            for session, score in enumerate(scores, start=first)
        ],
        schema={"case_id": pl.String, "session": pl.Int64, "score": pl.Float64},
        orient="row",
    )


def found(
    *scores: Score, rule: SuddenChangeRule = PUBLISHED, planned: int | None = None
) -> SuddenChanges:
    first = rule.first_session
    return sudden_changes(scored({"c": list(scores)}, first=first), rule, planned_sessions=planned)


# --- The criteria --------------------------------------------------------------------------------


def test_a_clear_fall_is_a_gain_in_its_interval_and_in_no_other() -> None:
    assert verdicts(PUBLISHED, 30, 31, 30, 15, 14, 14) == [NOT_MET, MET, NOT_MET]


@pytest.mark.parametrize(
    ("rule", "scores"),
    [
        (PUBLISHED, (30, 30, 30, 24, 24, 24)),  # 6 points: too few
        (PUBLISHED, (40, 40, 40, 31, 31, 31)),  # 9 points, but under a quarter of 40
        (PUBLISHED, (30, 10, 30, 15, 25, 5)),  # 15 points, but no more than the spread
    ],
)
def test_each_criterion_can_refuse(rule: SuddenChangeRule, scores: tuple[float, ...]) -> None:
    assert verdicts(rule, *scores)[1] == NOT_MET


@pytest.mark.parametrize(
    ("rule", "scores"),
    [
        (SuddenChangeRule(cutoff=None), (30, 30, 30, 22, 22, 22)),
        (SuddenChangeRule(cutoff=7, share=None), (40, 40, 40, 31, 31, 31)),
        (SuddenChangeRule(cutoff=7, beyond_spread=False), (30, 10, 30, 15, 25, 5)),
    ],
)
def test_a_criterion_that_is_off_refuses_nothing(
    rule: SuddenChangeRule, scores: tuple[float, ...]
) -> None:
    assert verdicts(rule, *scores)[1] == MET


def test_a_criterion_that_is_off_is_not_told() -> None:
    told = judge_intervals([row(30, 30, 30, 22, 22, 22)], SuddenChangeRule(cutoff=7, share=None))
    assert told.second is None
    assert told.first is not None


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((30, None, 30, 15, 14, 14), MET),  # two of three are enough
        ((None, None, 30, 15, 14, 14), UNKNOWN),
        ((30, 31, 30, 15, None, None), UNKNOWN),
        ((30, 31, None, 15, 14, 14), UNKNOWN),
        ((30, 31, 30, None, 14, 14), UNKNOWN),
    ],
)
def test_missing_scores_leave_an_interval_without_an_answer(
    scores: tuple[Score, ...], expected: int
) -> None:
    assert verdicts(PUBLISHED, *scores)[1] == expected


def test_a_missing_score_raises_the_critical_value_unless_one_is_given() -> None:
    scores = (32, 28, 30, 22.5, 20, None)  # means 8.75 apart, pooled SD 1.9: 4.6 of them
    assert verdicts(SuddenChangeRule(cutoff=7), *scores)[1] == MET
    spread = (32, None, 28, 20.5, 18, None)  # 10.75 apart, pooled SD 2.35: 4.57 of them
    assert verdicts(SuddenChangeRule(cutoff=7), *spread)[1] == MET
    wider = (32, None, 27, 20, 16, None)  # 11.5 apart, pooled SD 3.2: 3.6 of them
    assert verdicts(SuddenChangeRule(cutoff=7), *wider)[1] == NOT_MET
    assert verdicts(SuddenChangeRule(cutoff=7, critical_value=2.776), *wider)[1] == MET


def test_a_loss_is_a_rise_by_a_share_of_the_score_before() -> None:
    loss = SuddenChangeRule(direction="loss", cutoff=7)
    assert verdicts(loss, 14, 14, 15, 30, 31, 30)[1] == MET
    assert verdicts(loss, 40, 40, 40, 49, 49, 49)[1] == NOT_MET  # the R package would say yes
    assert verdicts(loss, 30, 31, 30, 15, 14, 14)[1] == NOT_MET


def test_where_higher_is_better_a_gain_is_a_rise() -> None:
    ors = SuddenChangeRule(cutoff=5, higher_is="better")
    assert verdicts(ors, 14, 14, 15, 30, 31, 30)[1] == MET
    events = found(14, 14, 15, 30, 31, 30, rule=ors).events
    assert events["points_better"].to_list() == [15]
    assert events["treatment_gain"].to_list() == [16]


def test_tenths_count_as_they_are_printed() -> None:
    rule = SuddenChangeRule(cutoff=0.5, share=None, beyond_spread=False)
    assert verdicts(rule, 1.4, 1.4, 0.9, 0.9)[0] == MET  # 1.4 - 0.9 is a little less in binary


def test_equal_tenths_are_no_change_beyond_a_spread_of_nothing() -> None:
    rule = SuddenChangeRule(cutoff=None, share=None)
    assert MET not in verdicts(rule, 0.1, 0.1, 0.1, 0.1, None, 0.1, 0.1)


def test_a_share_of_a_negative_score_has_no_answer() -> None:
    assert verdicts(PUBLISHED, -4, -4, -4, -20, -20, -20)[1] == UNKNOWN
    assert verdicts(SuddenChangeRule(cutoff=7, share=None), -4, -4, -4, -20, -20, -20)[1] == MET


@pytest.mark.parametrize(
    "wrong",
    [
        {"cutoff": 0},
        {"cutoff": -7, "direction": "loss"},
        {"cutoff": nan},
        {"cutoff": None, "share": None, "beyond_spread": False},
        {"cutoff": 7, "share": 0},
        {"cutoff": 7, "alpha": 1},
        {"cutoff": 7, "critical_value": -1},
        {"cutoff": 7, "direction": "rise"},
        {"cutoff": 7, "higher_is": "good"},
    ],
)
def test_a_rule_that_means_nothing_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|is|lies|off"):
        SuddenChangeRule(**wrong)


def test_the_quantiles_are_those_of_the_tables() -> None:
    # Printed in Lutz and others 2013 (5 %) and every table of Student's t (1 %, 10 %)
    for alpha, printed in {
        0.05: (2.776, 3.182, 4.303),
        0.01: (4.604, 5.841, 9.925),
        0.10: (2.132, 2.353, 2.920),
    }.items():
        assert [student_quantile(alpha, df) for df in (4, 3, 2)] == pytest.approx(
            printed, abs=0.0005
        )
    with pytest.raises(ValueError, match="2 to 4"):
        student_quantile(0.05, 5)


@pytest.mark.parametrize("wrong", [{"sd": 0, "reliability": 0.8}, {"sd": 5, "reliability": 1}])
def test_a_cutoff_needs_a_spread_and_a_reliability(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must|lies"):
        ReliableCutoff(**wrong)
    with pytest.raises(ValueError, match="two scores"):
        ReliableCutoff.from_scores([3, nan], reliability=0.8)


# --- Events and cases ----------------------------------------------------------------------------


def test_an_event_is_told_with_what_stands_around_it() -> None:
    (event,) = found(30, 31, 30, 15, 14, 14).events.rows(named=True)
    assert event == {
        "case_id": "c",
        "session": 3,
        "changes_of_case": 1,
        "score_two_before": 30,
        "score_one_before": 31,
        "score_before": 30,
        "score_after": 15,
        "score_one_later": 14,
        "score_two_later": 14,
        "points_better": 15,
        "treatment_gain": 16,
        "share_of_treatment_gain": 15 / 16,
        "reversal_level": 22.5,
        "is_reversed": False,
    }


@pytest.mark.parametrize(("later", "is_reversed"), [(22.5, False), (23, True), (None, False)])
def test_a_gain_is_reversed_by_a_later_score_beyond_its_middle(
    later: Score, is_reversed: bool
) -> None:
    events = found(30, 31, 30, 15, 14, 14, 14, later, 14).events
    assert events["is_reversed"].to_list() == [is_reversed]


def test_without_a_later_score_nobody_knows_whether_it_holds() -> None:
    rule = SuddenChangeRule(cutoff=7, beyond_spread=False)
    events = found(30, 30, 15, None, rule=rule, planned=4).events
    assert events["is_reversed"].to_list() == [None]


def test_the_first_interval_is_looked_at_with_a_baseline_only() -> None:
    with_baseline = SuddenChangeRule(cutoff=7, uses_baseline=True)
    scores = scored({"c": [30, 30, 15, 15, 15]}, first=0)
    assert sudden_changes(scores, with_baseline).events["session"].to_list() == [1]
    assert sudden_changes(scores, PUBLISHED).events.is_empty()
    assert sudden_changes(scores, PUBLISHED).series["score_count"].to_list() == [4]


def test_a_planned_end_that_has_no_score_leaves_the_treatment_gain_open() -> None:
    scores = (30, 31, 30, 15, 14, 14)
    event = found(*scores, planned=12).events.row(0, named=True)
    assert event["treatment_gain"] is None
    assert event["share_of_treatment_gain"] is None
    assert found(*scores, 9, 9, planned=6).events["treatment_gain"].to_list() == [16]


def test_no_treatment_gain_has_no_share() -> None:
    event = found(30, 31, 30, 15, 14, 14, 30).events.row(0, named=True)
    assert (event["treatment_gain"], event["share_of_treatment_gain"]) == (0, None)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ((None, None), "no_score"),
        ((30, 15, 14), "too_few_sessions"),
        ((30, None, 15, None, 14, None, 13), "gaps"),
        ((-5, -5, -5, -20, -20), "negative_score"),
        ((30, 31, 15, 14), None),
    ],
)
def test_a_case_that_cannot_be_judged_says_why(
    scores: tuple[Score, ...], reason: str | None
) -> None:
    (series,) = found(*scores).series.rows(named=True)
    assert series["reason"] == reason
    assert (series["change_count"] is None) is (reason is not None)
    assert reason is None or REASONS[reason]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (scored({"c": [1, 2]}).vstack(scored({"c": [3]})), "1 scores stand beside another"),
        (scored({"c": [1, 2]}).with_columns(session=pl.lit(1.5)), "2 rows .* no whole number"),
        (scored({"c": [1, 2]}).with_columns(session=pl.lit(-1)), "2 rows .* below 0"),
        (scored({"c": [1, 2]}).with_columns(session=pl.lit(20260101)), "is it a day"),
        (scored({"c": [1, float("inf")]}), "1 row has an infinite score"),
        (scored({"c": [1]}).with_columns(case_id=pl.lit(None)), "1 row has no case"),
        (scored({"c": [1]}).with_columns(session=pl.lit(None, pl.Int64)), "1 row has no session"),
        (scored({"c": [1]}).with_columns(score=pl.lit("7")), "must be numbers"),
        (scored({"c": [1]}).drop("score"), "no column score"),
    ],
)
def test_scores_that_cannot_be_laid_out_are_refused(scores: pl.DataFrame, told: str) -> None:
    with pytest.raises(ScoresError, match=told):
        sudden_changes(scores, PUBLISHED)


def test_no_scores_at_all_are_no_error() -> None:
    nothing = sudden_changes(scored({}), PUBLISHED)
    assert (nothing.events.height, nothing.series.height) == (0, 0)
    figures = describe_cases(nothing)
    assert (figures.case_count, figures.percent_of_all_cases, figures.mean_points) == (
        0,
        None,
        None,
    )
    assert describe_changes(nothing).reversed_percent is None
    assert one_per_case(nothing, "first").is_empty()


def test_figures_count_who_could_be_judged_apart() -> None:
    changes = sudden_changes(
        scored({"a": [30, 31, 30, 15, 14, 14], "b": [9, 9, 9, 9], "c": [30]}), PUBLISHED
    )
    figures = describe_cases(changes)
    assert (figures.case_count, figures.judged_count, figures.cases_with_change) == (3, 2, 1)
    assert figures.percent_of_judged_cases == 50
    assert figures.sd_points is None
    assert count_intervals(changes).judged == 4
    assert select_cases(changes)["is_selected"].to_list() == [True, True, False]
    assert select_cases(changes, at_least=5)["is_selected"].to_list() == [True, False, False]


def test_of_several_changes_one_can_be_chosen() -> None:
    changes = found(40, 41, 40, 30, 29, 30, 29, 10, 11, 10)
    assert changes.events["points_better"].to_list() == [10, 19]
    chosen = {
        choice: one_per_case(changes, choice)["session"].item()
        for choice in ("first", "last", "smallest", "largest")
    }
    assert chosen == {"first": 3, "last": 7, "smallest": 3, "largest": 7}
    with pytest.raises(ValueError, match="choose one of"):
        one_per_case(changes, "middle")


# --- Laws ----------------------------------------------------------------------------------------

scores_drawn = st.lists(
    st.one_of(st.none(), st.integers(0, 27), st.integers(0, 270).map(lambda tenths: tenths / 10)),
    min_size=0,
    max_size=14,
)
long_scores = st.lists(
    st.one_of(st.none(), st.integers(0, 270).map(lambda tenths: tenths / 10)),
    min_size=UNTESTED + 1,
    max_size=14,
)
switches = {
    "direction": st.sampled_from(["gain", "loss"]),
    "higher_is": st.sampled_from(["worse", "better"]),
    "share": st.sampled_from([None, 0.1, 0.25]),
    "critical_value": st.sampled_from([None, 2.776]),
    "uses_baseline": st.booleans(),
}
rules_drawn = st.one_of(
    st.builds(SuddenChangeRule, cutoff=st.sampled_from([None, 3, 5.5, 7]), **switches),
    st.builds(
        SuddenChangeRule,
        cutoff=st.sampled_from([3, 5.5, 7]),
        beyond_spread=st.just(False),
        **switches,
    ),
)
practices = st.dictionaries(st.text("abc", min_size=1), scores_drawn, min_size=1, max_size=6)


def codes(told: Intervals) -> list[object]:
    return [
        None if of is None else of.tolist()
        for of in (told.first, told.second, told.third, told.verdict)
    ]


@given(scores=long_scores, mirror=st.sampled_from([27.0, 40.0]))
def test_mirroring_swaps_gains_and_losses(scores: list[Score], mirror: float) -> None:
    # Criterion 2 is a share of the score before: it has no mirror image, so it is off.
    gain = SuddenChangeRule(cutoff=5, share=None)
    loss = SuddenChangeRule(cutoff=5, share=None, direction="loss")
    table = np.array([row(*scores)])
    assert codes(judge_intervals(mirror - table, gain)) == codes(judge_intervals(table, loss))


@given(scores=long_scores, share=st.sampled_from([None, 0.25]))
def test_a_gain_where_higher_is_worse_is_a_loss_where_it_is_better(
    scores: list[Score], share: float | None
) -> None:
    gain = SuddenChangeRule(cutoff=5, share=share)
    loss = SuddenChangeRule(cutoff=5, share=share, direction="loss", higher_is="better")
    assert codes(judge_intervals([row(*scores)], gain)) == codes(
        judge_intervals([row(*scores)], loss)
    )


@given(scores=long_scores, constant=st.integers(0, 1000).map(lambda tenths: tenths / 10))
def test_a_constant_added_changes_criteria_1_and_3_not_at_all(
    scores: list[Score], constant: float
) -> None:
    rule = SuddenChangeRule(cutoff=5, share=None)
    table = np.array([row(*scores)])
    assert codes(judge_intervals(table + constant, rule)) == codes(judge_intervals(table, rule))


@given(scores=long_scores, later=scores_drawn, rule=rules_drawn)
def test_a_score_more_than_three_sessions_ahead_changes_no_earlier_interval(
    scores: list[Score], later: list[Score], rule: SuddenChangeRule
) -> None:
    settled = len(scores) - UNTESTED - 1  # intervals with all three sessions after them
    before = judge_intervals([row(*scores)], rule).verdict[0, :settled]
    after = judge_intervals([row(*scores, *later)], rule).verdict[0, :settled]
    assert before.tolist() == after.tolist()


@given(scores=long_scores, later=scores_drawn, rule=rules_drawn)
def test_a_later_score_takes_no_settled_event_away_and_adds_none(
    scores: list[Score], later: list[Score], rule: SuddenChangeRule
) -> None:
    # A course ends with its last score: sessions after it are not in the data yet.
    known = max((place for place, score in enumerate(scores, 1) if score is not None), default=0)
    last_settled = rule.first_session + known - 1 - UNTESTED
    about_the_event = ["session", "score_before", "score_after", "points_better", "reversal_level"]

    def settled(*told: Score) -> list[tuple[object, ...]]:
        events = found(*told, rule=rule).events
        return events.filter(pl.col("session") <= last_settled).select(about_the_event).rows()

    assert settled(*scores) == settled(*scores, *later)


@given(practice=practices, rule=rules_drawn, random=st.randoms(use_true_random=False))
def test_rows_in_any_order_give_the_same_changes(
    practice: dict[str, list[Score]], rule: SuddenChangeRule, random: Random
) -> None:
    rows = scored(practice)
    places = list(range(rows.height))
    random.shuffle(places)
    shuffled = sudden_changes(rows[places], rule)
    in_order = sudden_changes(rows, rule)
    assert shuffled.events.equals(in_order.events)
    assert shuffled.series.equals(in_order.series)


@given(practice=practices, rule=rules_drawn, planned=st.one_of(st.none(), st.integers(1, 16)))
def test_cases_together_are_what_they_are_alone(
    practice: dict[str, list[Score]], rule: SuddenChangeRule, planned: int | None
) -> None:
    rows = scored(practice, first=rule.first_session)
    together = sudden_changes(rows, rule, planned_sessions=planned)
    alone = [
        sudden_changes(rows.filter(case_id=case), rule, planned_sessions=planned)
        for case in sorted(rows["case_id"].unique())
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sudden_change_events, "_BLOCK", 1)
        in_blocks = sudden_changes(rows, rule, planned_sessions=planned)
    for split in (alone, [in_blocks]):
        if split:
            assert together.events.equals(pl.concat([each.events for each in split]))
            assert together.series.equals(pl.concat([each.series for each in split]))


@given(scores=scores_drawn, rule=rules_drawn, planned=st.integers(4, 14))
def test_events_are_the_intervals_that_are_met(
    scores: list[Score], rule: SuddenChangeRule, planned: int
) -> None:
    width = planned - rule.first_session + 1
    padded = row(*(scores + [None] * width)[:width])
    told = judge_intervals([padded], rule).verdict[0]
    if not scores:
        return
    changes = found(*scores, rule=rule, planned=planned)
    expected = np.flatnonzero(told == MET) + rule.first_session + 1
    assert changes.events["session"].to_list() == expected.tolist()
    assert changes.series["judged"].item() == np.count_nonzero(told != UNKNOWN)
    assert changes.series["not_judged"].item() == np.count_nonzero(told == UNKNOWN)


@given(practice=practices, rule=rules_drawn, planned=st.one_of(st.none(), st.integers(1, 16)))
def test_rows_and_courses_laid_out_give_the_same_changes(
    practice: dict[str, list[Score]], rule: SuddenChangeRule, planned: int | None
) -> None:
    rows = scored(practice, first=rule.first_session)
    quick = sudden_changes(rows, rule, planned_sessions=planned)
    laid_out = sudden_change_events._from_courses(by_case(rows), rule, planned)
    assert quick.events.equals(laid_out.events)
    assert quick.series.equals(laid_out.series)


@given(
    drawn=st.lists(st.lists(st.integers(0, 27) | st.none(), min_size=6, max_size=6), max_size=5),
    rule=rules_drawn,
    planned=st.one_of(st.none(), st.integers(1, 8)),
)
def test_a_column_a_session_gives_the_same_changes(
    drawn: list[list[Score]], rule: SuddenChangeRule, planned: int | None
) -> None:
    rows = scored({f"c{n}": scores for n, scores in enumerate(drawn)}, first=rule.first_session)
    names = [f"s{session}" for session in range(6)]
    wide = pl.DataFrame(
        [(f"c{n}", *scores) for n, scores in enumerate(drawn)],
        schema={"case_id": pl.String, **dict.fromkeys(names, pl.Float64)}, orient="row",
    )  # fmt: skip
    one = sudden_changes(rows, rule, planned_sessions=planned)
    other = sudden_changes_in_columns(wide.reverse(), rule, planned_sessions=planned)
    assert one.events.equals(other.events)
    assert one.series.equals(other.series)


@pytest.mark.parametrize(
    ("wide", "told"),
    [
        ({"case_id": ["a", "a"], "s1": [1, 2]}, "twice or has no id"),
        ({"case_id": ["a"], "s1": ["x"]}, "column s1 holds no numbers"),
        ({"case_id": ["a"], "s1": [float("inf")]}, "column s1 holds an infinite score"),
    ],
)
def test_columns_that_hold_no_courses_are_refused(wide: dict[str, object], told: str) -> None:
    with pytest.raises(ScoresError, match=told):
        sudden_changes_in_columns(pl.DataFrame(wide), PUBLISHED)


@given(practice=practices, scale=st.sampled_from([27.0, 40.0]))
def test_losses_on_the_mirrored_scale_are_the_gains(
    practice: dict[str, list[Score]], scale: float
) -> None:
    # Criterion 2 is a share of the score before: it has no mirror image, so it is off.
    rows = scored(practice)
    mirrored = rows.with_columns(score=scale - pl.col("score"))
    gains = sudden_changes(rows, SuddenChangeRule(cutoff=5, share=None))
    losses = sudden_changes(mirrored, SuddenChangeRule(cutoff=5, share=None, direction="loss"))
    assert gains.events.select("case_id", "session", "is_reversed").equals(
        losses.events.select("case_id", "session", "is_reversed")
    )
