"""Reliable and clinically significant change: rules, laws, and what is never done."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.measures import built_in_measures
from models.change_reference import ChangeRuleError, Norm, Reference
from models.clinical_cutoff import (
    SIDES,
    ClinicalCutoff,
    computed_cutoff,
    published_cutoff,
    true_score_cutoff,
)
from models.clinical_significance import (
    CLASSES,
    cutoff_of_measure,
    judged_pairs,
    rule_of_measure,
)
from models.group_shares import shares_of_group
from models.meaningful_change import PercentageChange, PointsChange, change_between, change_within
from models.paired_scores import REASON, REASONS, paired_scores
from models.reliable_change import METHODS, ReliableChange
from models.slope_change import RELATIVE_CLASSES, RELATIVE_VERDICTS, slope_changes

PEOPLE = Reference(name="a manual", mean_pre=20, sd_pre=7, mean_post=14, sd_post=8, correlation=0.5)
WELL = Norm(name="students", mean=6, sd=5)
ILL = Norm(name="outpatients", mean=20, sd=7)


def rule_by(method: Any = "JT", **changes: Any) -> ReliableChange:
    given = {"reference": PEOPLE, "reliability": 0.85, "higher_is": "worse", "method": method}
    return ReliableChange(**(given | changes))


def pairs_of(*scores: tuple[float | None, float | None]) -> pl.DataFrame:
    """Return pairs of cases 0, 1, ... as `paired_scores` makes them."""
    rows = [
        (str(case), time, score)
        for case, two in enumerate(scores)
        for time, score in zip((0, 1), two, strict=True)
    ]
    drawn = pl.DataFrame(
        rows,
        schema={"case_id": pl.String, "time": pl.Int64, "score": pl.Float64},
        orient="row",
    )
    return paired_scores(drawn, before=0, after=1)


def classes(rule: Any, cutoff: ClinicalCutoff, *scores: tuple[float, float]) -> list[str]:
    return judged_pairs(pairs_of(*scores), rule, cutoff)["class"].to_list()


# --- Rules ---------------------------------------------------------------------------------------


def test_jacobson_truax_as_its_formula_says() -> None:
    """SEM 7 sqrt(.15) = 2.711, Sdiff 3.834, limit 7.514: by hand."""
    rule = rule_by()
    assert rule.standard_error_of_measurement == pytest.approx(2.7111, abs=1e-4)
    assert rule.standard_error_of_difference == pytest.approx(3.8341, abs=1e-4)
    assert rule.points == pytest.approx(7.5146, abs=1e-4)
    found = judged_pairs(pairs_of((20, 12), (20, 13), (20, 28)), rule)
    assert found["verdict"].to_list() == ["improved", "unchanged", "deteriorated"]
    assert found["index"].to_list() == pytest.approx([-2.0866, -1.8257, 2.0866], abs=1e-4)


def test_cutoffs_of_jacobson_and_truax() -> None:
    higher = {"higher_is": "better"}
    couples, others = Norm(name="in therapy", mean=40, sd=7.5), Norm(name="not", mean=60, sd=7.5)
    values = [
        computed_cutoff(kind, clinical=couples, functional=others, **higher).value
        for kind in ("a", "b", "c")
    ]
    assert values == [55, 45, 50]


def test_cutoff_b_takes_the_functional_sd_and_the_other_only_by_name() -> None:
    given = {"higher_is": "worse", "clinical": ILL, "functional": WELL}
    assert computed_cutoff("b", **given).value == 16
    assert computed_cutoff("b", sd_of_b="clinical", **given).value == 20
    assert "as in R28" in computed_cutoff("b", sd_of_b="clinical", **given).name


def test_the_five_classes() -> None:
    cutoff = published_cutoff(10, higher_is="worse", source="a manual")
    drawn = [(20.0, 8.0), (25.0, 15.0), (20.0, 18.0), (15.0, 25.0), (5.0, 15.0)]
    assert classes(rule_by(), cutoff, *drawn) == list(CLASSES[:5])


def test_out_of_the_clinical_range_without_a_change_is_no_recovery_but_is_told() -> None:
    cutoff = published_cutoff(10, higher_is="worse", source="a manual")
    found = judged_pairs(pairs_of((11, 8)), rule_by(), cutoff)
    assert found["class"].to_list() == ["unchanged"]
    assert found["crossing"].to_list() == ["left_clinical_range"]


def test_the_cutoff_is_the_last_score_in_the_clinical_range() -> None:
    cutoff = published_cutoff(10, higher_is="worse", source="a manual")
    assert classes(rule_by(), cutoff, (10, 1), (20, 10)) == ["recovered", "improved"]
    theirs = replace(cutoff, at_cutoff="must_cross")
    assert classes(rule_by(), theirs, (10, 1), (20, 10)) == ["improved", "improved"]


def test_a_published_change_counts_when_it_is_just_reached() -> None:
    rule = PointsChange(points=6, higher_is="worse", source="R2")
    found = judged_pairs(pairs_of((18, 12), (18, 13), (12, 18)), rule)
    assert found["verdict"].to_list() == ["improved", "unchanged", "deteriorated"]


def test_published_numbers_of_a_measure_go_before_computed_ones() -> None:
    measures = built_in_measures()
    rule = rule_of_measure(measures["phq9"], reference=PEOPLE, reliability=0.5)
    assert isinstance(rule, PointsChange)
    assert rule.points == 6
    cutoff = cutoff_of_measure(measures["phq9"])
    assert cutoff is not None
    assert cutoff.value == 10
    assert classes(rule, cutoff, (16, 10), (16, 9)) == ["improved", "recovered"]


def test_a_measure_without_a_published_change_is_computed_or_says_what_it_lacks() -> None:
    bare = built_in_measures()["phq9"].model_copy(
        update={"reliable_change": None, "standard_deviation": None, "reliability": None}
    )
    with pytest.raises(ChangeRuleError, match="lacks a standard deviation or a reliability"):
        rule_of_measure(bare)
    rule = rule_of_measure(bare, reference=PEOPLE, reliability=0.85)
    assert isinstance(rule, ReliableChange)
    assert rule.points == rule_by().points


def test_higher_is_better_mirrors_everything() -> None:
    rule = rule_by(higher_is="better")
    cutoff = computed_cutoff(
        "c", higher_is="better",
        clinical=Norm(name="ill", mean=20, sd=5), functional=Norm(name="well", mean=40, sd=5),
    )  # fmt: skip
    assert classes(rule, cutoff, (20, 35), (35, 20), (20, 22)) == [
        "recovered", "entered_clinical_range", "unchanged",
    ]  # fmt: skip


def test_percentages_count_from_the_first_score() -> None:
    rule = PercentageChange(share=0.5, worse_share=0.3, higher_is="worse")
    found = judged_pairs(pairs_of((20, 10), (20, 11), (20, 26), (20, 25)), rule)
    assert found["verdict"].to_list() == ["improved", "unchanged", "deteriorated", "unchanged"]
    assert found["share"].to_list() == [-0.5, -0.45, 0.3, 0.25]


def test_a_rise_from_zero_is_never_called_improved_where_higher_is_worse() -> None:
    """D3: the peer calls 0 to 5 improved, and deteriorated."""
    found = judged_pairs(pairs_of((0, 5), (0, 0)), PercentageChange(share=0.3, higher_is="worse"))
    assert found["verdict"].to_list() == ["deteriorated", "unchanged"]
    assert found["share"].to_list() == [None, None]


def test_no_percentage_of_a_score_below_zero() -> None:
    rule = PercentageChange(share=0.3, higher_is="worse")
    found = judged_pairs(pairs_of((-2, 5), (4, 1)), rule)
    assert found["verdict"].to_list() == ["not_computable", "improved"]
    assert found["reason"].to_list() == ["negative_before", None]


def test_true_scores_may_leave_a_case_undecided() -> None:
    rule = rule_by("HA")
    cutoff = true_score_cutoff("c", rule, functional=WELL)
    found = judged_pairs(pairs_of((25, 2), (25, 12), (25, 26)), rule, cutoff)
    assert found["after"].to_list() == ["functional", "undecided", "clinical"]
    assert found["class"].to_list() == ["recovered", "improved", "unchanged"]


def test_who_is_still_functional_did_not_enter_the_clinical_range() -> None:
    rule = rule_by("HA", reliability=0.97)
    cutoff = true_score_cutoff("c", rule, functional=WELL)
    found = judged_pairs(pairs_of((1, 5), (1, 30)), rule, cutoff)
    assert found["after"].to_list() == ["functional", "clinical"]
    assert found["class"].to_list()[1] == "entered_clinical_range"
    assert found["class"].to_list()[0] != "entered_clinical_range"


def test_nk_takes_the_error_after_from_the_sd_asked_for() -> None:
    as_peer, original = rule_by("NK"), rule_by("NK", post_error="sd_post")
    assert original.error > as_peer.error


def test_shares_of_a_group_need_more_than_one_case() -> None:
    rule = rule_by("HA")
    cutoff = true_score_cutoff("a", rule)
    one = np.array([20.0])
    assert shares_of_group(rule, cutoff, one, one).improved is None
    pre, post = np.array([20.0, 22, 24, 18]), np.array([10.0, 14, 13, 15])
    shares = shares_of_group(rule, cutoff, pre, post)
    assert shares.improved is not None
    assert 0.5 < shares.improved < 1


# --- Warnings and references ---------------------------------------------------------------------


def test_methods_that_mislead_say_so() -> None:
    assert rule_by().warnings == ()
    assert "15 %" in rule_by("EN").warnings[0]
    assert "relative to the mean change" in rule_by("HLL").warnings[0]


def test_a_reference_from_the_sample_says_so() -> None:
    sample = Reference.of_sample(np.array([1.0, 2, 4, np.nan]), np.array([2.0, 2, 5, 1]))
    assert sample.is_sample
    assert sample.name == "these 3 cases themselves"
    assert "taken from these very cases" in rule_by(reference=sample).warnings[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reliability": 1.0}, "reliability == 1.0, must be above 0 and below 1"),
        ({"confidence": 95}, "confidence == 95, must be"),
        ({"method": "XX"}, "method == 'XX', must be one of JT"),
        ({"higher_is": "lower"}, "higher_is == 'lower', must be 'better' or 'worse'"),
        ({"method": "HLL", "reference": Reference(name="x", sd_pre=3)}, "needs mean_pre"),
        ({"reliability_post": 0.8}, "left out, except with NK"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_in_words(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ChangeRuleError, match=told):
        rule_by(**changes)


def test_a_cutoff_that_lacks_its_population_is_refused() -> None:
    with pytest.raises(ChangeRuleError, match="functional population; without take a"):
        computed_cutoff("c", higher_is="worse", clinical=ILL)
    with pytest.raises(ChangeRuleError, match="needs mean and SD of a clinical population"):
        computed_cutoff("a", higher_is="worse", functional=WELL)
    with pytest.raises(ChangeRuleError, match="higher is worse, the cut-off better"):
        judged_pairs(
            pairs_of((1, 2)), rule_by(), ClinicalCutoff(value=1, higher_is="better", name="x")
        )
    with pytest.raises(ChangeRuleError, match="give one of them"):
        judged_pairs(pairs_of((1, 2)), None, None)


def test_populations_the_wrong_way_round_are_remarked() -> None:
    cutoff = computed_cutoff("c", higher_is="better", clinical=ILL, functional=WELL)
    assert "right?" in cutoff.warnings[0]


# --- Never NaN, never silent ---------------------------------------------------------------------


def test_every_case_that_cannot_be_judged_says_why() -> None:
    drawn = pl.DataFrame(
        [
            ("A", 0, 20.0), ("A", 1, 9.0), ("B", 0, 20.0), ("C", 1, 9.0), ("D", 2, 9.0),
            ("E", 0, 20.0), ("E", 0, 21.0), ("E", 1, 9.0), ("F", 0, float("nan")), ("F", 1, 9.0),
            ("G", 0, 9.0), ("G", 1, 3.0), ("G", 1, 3.0),
        ],
        schema=["case_id", "time", "score"], orient="row",
    )  # fmt: skip
    found = judged_pairs(
        paired_scores(drawn, before=0, after=1),
        rule_by(),
        published_cutoff(10, higher_is="worse", source="x"),
    )
    told = dict(found.select("case_id", "reason").iter_rows())
    assert told == {
        "A": None, "B": "no_score_after", "C": "no_score_before", "D": "no_scores",
        "E": "two_scores_before", "F": "no_score_before", "G": "two_scores_after",
    }  # fmt: skip
    judged = dict(found.select("case_id", "class").iter_rows())
    assert judged.pop("A") == "recovered"
    assert set(judged.values()) == {"not_computable"}
    assert not any(found[name].is_nan().any() for name in ("change", "index", "pre", "post"))
    assert found.filter(pl.col("reason").is_not_null())["index"].null_count() == 6


def test_a_reference_without_true_change_makes_nothing_computable() -> None:
    rule = rule_by("HA", reliability=0.3)
    assert rule.reliability_of_difference is not None
    assert rule.reliability_of_difference <= 0
    found = judged_pairs(pairs_of((20, 2), (5, 30)), rule)
    assert found["verdict"].to_list() == ["not_computable"] * 2
    assert found["reason"].to_list() == ["reliability_of_difference"] * 2
    moved = replace(PEOPLE, sd_post=7, correlation=1)
    assert rule_by("HA", reference=moved).obstacle == "reliability_of_difference"


def test_a_reference_without_true_scores_after_makes_nothing_computable() -> None:
    few = replace(PEOPLE, sd_post=2)
    rule = rule_by("HA", reference=few, reliability=0.85)
    cutoff = true_score_cutoff("a", rule)
    found = judged_pairs(pairs_of((20, 2)), rule, cutoff)
    assert found["class"].to_list() == ["not_computable"]
    assert found["reason"].to_list() == ["reliability_after"]


def test_every_reason_is_a_sentence_and_no_cases_are_no_error() -> None:
    assert REASON.categories.to_list() == list(REASONS)
    found = judged_pairs(pairs_of(), rule_by(), published_cutoff(3, higher_is="worse", source="x"))
    assert found.height == 0


# --- Groups --------------------------------------------------------------------------------------


def test_group_verdicts_and_their_mirror() -> None:
    rng = np.random.default_rng(1)
    pre = rng.normal(30, 1, 40)
    by_shift = {
        -10.0: "large", -5.0: "probable", -4.6: "possible", -2.0: "too_small", 0.0:
        "not_significant", 2.0: "worse",
    }  # fmt: skip
    for shift, verdict in by_shift.items():
        noise = rng.normal(0, 2, 40)
        post = pre + shift + noise - noise.mean()
        points = 4.9 if verdict != "possible" else 5.0
        found = change_within(pre, post, points=points, higher_is="worse")
        mirrored = change_within(-pre, -post, points=points, higher_is="better")
        assert found.verdict == mirrored.verdict == verdict
        between = change_between(pre, post, points=points, higher_is="worse")
        assert between.difference == pytest.approx(found.difference)


def test_an_interval_over_zero_is_not_significant_whatever_is_better() -> None:
    """D5: the peer has no label where higher is better."""
    pre, post = np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3])
    for higher_is in ("better", "worse"):
        assert change_within(pre, post, points=1, higher_is=higher_is).verdict == "not_significant"


def test_too_small_a_group_says_so() -> None:
    one = np.array([1.0])
    found = change_within(one, one, points=1, higher_is="worse")
    assert (found.verdict, found.reason) == ("not_computable", "fewer than two complete pairs")
    assert change_between(one, one, points=1, higher_is="worse").verdict == "not_computable"


# --- Slopes --------------------------------------------------------------------------------------


def courses() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = [
        (f"C{case}", float(week), 25 - slope * week + rng.normal(0, 1.0))
        for case, slope in enumerate(rng.normal(1.0, 0.6, 40))
        for week in range(6)
    ]
    return pl.DataFrame(rows, schema=["case_id", "time", "score"], orient="row")


def test_slopes_are_told_relative_to_the_mean_and_never_as_deterioration() -> None:
    cutoff = published_cutoff(20, higher_is="worse", source="x")
    found = slope_changes(courses(), higher_is="worse", cutoff=cutoff)
    assert set(found.cases["verdict"].unique()) >= {"faster_than_mean", "slower_than_mean"}
    assert not {"improved", "deteriorated"} & {*RELATIVE_VERDICTS, *RELATIVE_CLASSES}
    assert "relative to the mean slope" in found.warnings[0]
    faster = found.cases.filter(pl.col("verdict") == "faster_than_mean")
    assert (faster["index"] < 0).all()


def test_slopes_do_not_depend_on_the_order_of_rows_or_the_unit_of_time() -> None:
    drawn = courses()
    one = slope_changes(drawn, higher_is="worse").cases.sort("case_id")
    days = drawn.sample(fraction=1, shuffle=True, seed=1).with_columns(pl.col("time") * 7)
    other = slope_changes(days, higher_is="worse").cases.sort("case_id")
    assert one["index"].to_list() == pytest.approx(other["index"].to_list(), abs=1e-5)
    assert one["pre"].to_list() == other["pre"].to_list()


def test_a_case_without_a_slope_says_why() -> None:
    more = pl.DataFrame(
        [("X", 0.0, 20.0), ("X", 1.0, 18.0), ("Y", 0.0, 20.0), ("Y", 0.0, 18.0), ("Y", 3.0, 1.0),
         ("Z", 0.0, None)],
        schema=["case_id", "time", "score"], orient="row",
    )  # fmt: skip
    cases = slope_changes(pl.concat([courses(), more]), higher_is="worse").cases
    told = dict(cases.select("case_id", "reason").iter_rows())
    assert told["X"] == told["Z"] == "fewer_than_three_scores"
    assert told["Y"] == "two_scores_at_once"
    alone = slope_changes(more, higher_is="worse")
    assert alone.fit is None
    assert set(alone.cases["verdict"]) == {"not_computable"}


def test_scores_without_any_spread_have_no_curve() -> None:
    flat = pl.DataFrame({"case_id": ["A"] * 4, "time": [0, 1, 2, 3], "score": [5.0] * 4})
    found = slope_changes(flat, higher_is="worse").cases
    assert found["reason"].to_list() == ["no_curve"]
    assert found["index"].to_list() == [None]


# --- Laws ----------------------------------------------------------------------------------------

points = st.integers(min_value=0, max_value=60)
two_scores = st.tuples(points, points)
many = st.lists(two_scores, min_size=1, max_size=20)
methods = st.sampled_from(METHODS)
MIRROR = {
    "improved": "deteriorated", "deteriorated": "improved", "unchanged": "unchanged",
    "not_computable": "not_computable",
}  # fmt: skip


def shifted(reference: Reference, by: float) -> Reference:
    return replace(
        reference,
        mean_pre=(reference.mean_pre or 0) + by,
        mean_post=(reference.mean_post or 0) + by,
    )


@given(method=methods, drawn=many, by=st.integers(min_value=-50, max_value=50))
def test_adding_a_constant_changes_no_change(method: Any, drawn: Any, by: int) -> None:
    moved = [(one + by, two + by) for one, two in drawn]
    functional = replace(WELL, mean=WELL.mean + by)
    before, after = rule_by(method), rule_by(method, reference=shifted(PEOPLE, by))
    found = [
        judged_pairs(pairs_of(*scores), rule, cutoff_for(rule, norm))
        for scores, rule, norm in ((drawn, before, WELL), (moved, after, functional))
    ]
    for name in ("verdict", "crossing", "class"):
        assert found[0][name].to_list() == found[1][name].to_list()
    assert found[0]["index"].to_list() == pytest.approx(found[1]["index"].to_list(), abs=1e-9)


def cutoff_for(rule: ReliableChange, functional: Norm) -> ClinicalCutoff:
    if rule.method == "HA":
        return true_score_cutoff("c", rule, functional=functional)
    ill = Norm(name="ill", mean=rule.reference.mean_pre or 0, sd=rule.reference.sd_pre)
    return computed_cutoff("c", higher_is=rule.higher_is, clinical=ill, functional=functional)


@given(method=methods, drawn=many)
def test_turning_the_direction_swaps_improved_and_deteriorated(method: Any, drawn: Any) -> None:
    pairs = pairs_of(*drawn)
    worse = judged_pairs(pairs, rule_by(method))["verdict"].to_list()
    better = judged_pairs(pairs, rule_by(method, higher_is="better"))["verdict"].to_list()
    assert better == [MIRROR[one] for one in worse]


@given(method=methods, drawn=many)
def test_mirroring_the_scale_and_its_direction_changes_nothing(method: Any, drawn: Any) -> None:
    mirrored = [(60 - one, 60 - two) for one, two in drawn]
    people = replace(PEOPLE, mean_pre=60 - 20, mean_post=60 - 14)
    norm = replace(WELL, mean=60 - WELL.mean)
    rule = rule_by(method)
    other = rule_by(method, reference=people, higher_is="better")
    found = judged_pairs(pairs_of(*drawn), rule, cutoff_for(rule, WELL))
    again = judged_pairs(pairs_of(*mirrored), other, cutoff_for(other, norm))
    for name in ("verdict", "before", "after", "crossing", "class"):
        assert found[name].to_list() == again[name].to_list()


@given(drawn=many, share=st.sampled_from([0.2, 0.5]))
def test_turning_the_direction_swaps_percentages_and_points(drawn: Any, share: float) -> None:
    pairs = pairs_of(*drawn)
    for made in (
        lambda side: PercentageChange(share=share, higher_is=side),
        lambda side: PointsChange(points=10 * share, higher_is=side, source="x"),
    ):
        worse = judged_pairs(pairs, made("worse"))["verdict"].to_list()
        better = judged_pairs(pairs, made("better"))["verdict"].to_list()
        assert better == [MIRROR[one] for one in worse]


@given(method=methods, drawn=many, seed=st.integers(min_value=0, max_value=9))
def test_cases_and_rows_may_come_in_any_order(method: Any, drawn: Any, seed: int) -> None:
    rows = [
        (case, time, float(score))
        for case, two in enumerate(drawn)
        for time, score in enumerate(two)
    ]
    scores = pl.DataFrame(rows, schema=["case_id", "time", "score"], orient="row")
    shuffled = scores.sample(fraction=1, shuffle=True, seed=seed)
    rule = rule_by(method)
    found = [
        judged_pairs(paired_scores(one, before=0, after=1), rule, cutoff_for(rule, WELL))
        for one in (scores, shuffled)
    ]
    assert found[0].equals(found[1].sort("case_id"))


@given(drawn=many, more=two_scores)
def test_a_case_added_changes_no_other_with_a_frozen_reference(drawn: Any, more: Any) -> None:
    alone = judged_pairs(pairs_of(*drawn), rule_by("HLL"))
    joined = judged_pairs(pairs_of(*drawn, more), rule_by("HLL"))
    assert alone.equals(joined.head(len(drawn)))


@given(method=methods, pre=points)
def test_more_points_are_never_a_smaller_change(method: Any, pre: int) -> None:
    rule = rule_by(method)
    after = np.arange(61.0)
    words = rule.verdicts(np.full(61, float(pre)), after)
    order = {"improved": 0, "unchanged": 1, "deteriorated": 2}
    assert all(order[one] <= order[two] for one, two in pairwise(words))


@given(method=methods, pre=points, post=points)
def test_the_band_is_where_a_case_is_unchanged(method: Any, pre: int, post: int) -> None:
    rule = rule_by(method)
    low, high = (float(end[0]) for end in rule.band(np.array([float(pre)])))
    (verdict,) = rule.verdicts(np.array([float(pre)]), np.array([float(post)]))
    expected = "unchanged" if low <= post <= high else "improved" if post < low else "deteriorated"
    assert verdict == expected


def test_every_side_has_a_place_in_the_table_of_classes() -> None:
    assert SIDES[0] == "clinical"
    cutoff = published_cutoff(10, higher_is="worse", source="x")
    found = judged_pairs(pairs_of((5, 15), (15, 5), (5, 5), (15, 15), (5, None)), None, cutoff)
    assert found["crossing"].to_list() == [
        "entered_clinical_range", "left_clinical_range", "stayed", "stayed", "not_computable",
    ]  # fmt: skip
