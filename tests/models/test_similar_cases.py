"""Similar cases: who counts as similar, what their courses say, and what is never looked at."""

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.similar_cases import SimilarCases, SimilarCourses
from models.similar_courses import (
    effective_number,
    nearness,
    weighted_mean,
    weighted_quantile,
)
from models.similar_rule import REASONS, SimilarCasesError, SimilarCasesRule
from pipelines.demo_practice import simulate_practice

CLOSED = 1000
"""Day on which the reference of these tests is closed."""


def small(**changed: Any) -> SimilarCasesRule:
    """Return a rule for references of a few cases."""
    few = {"neighbours": 2, "minimum_reference": 3, "percentile": 0.6, "minimum_effective": 1.5}
    return SimilarCasesRule(**({"horizon": 1, "outside_quantile": 1.0} | few | changed))


def scores_of(courses: dict[str, list[float | None]]) -> pl.DataFrame:
    rows = [
        (case, occasion, score)
        for case, course in courses.items()
        for occasion, score in enumerate(course)
    ]
    return pl.DataFrame(
        rows,
        schema={"case_id": pl.String, "occasion": pl.Int64, "score": pl.Float64},
        orient="row",
    ).drop_nulls("score")


def cases_of(courses: dict[str, Any], **columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({"case_id": list(courses), "ended_on": [1] * len(courses), **columns})


def asked(
    reference: dict[str, list[float | None]],
    case: dict[str, list[float | None]],
    rule: SimilarCasesRule,
    **how: Any,
) -> SimilarCourses:
    similar = SimilarCases(rule).fit(cases_of(reference), scores_of(reference), as_of=CLOSED)
    return similar.expect(cases_of(case), scores_of(case), **how)


# --- Weighing, by hand ---------------------------------------------------------------------------


def test_equal_weights_count_as_many_as_they_are() -> None:
    assert effective_number(np.array([[2.0, 2.0, 2.0, 2.0, 0.0]])).tolist() == [4.0]


def test_one_heavy_neighbour_counts_for_hardly_more_than_one() -> None:
    # (9 + 1)^2 / (81 + 1) = 1.2195
    assert effective_number(np.array([[9.0, 1.0]]))[0] == pytest.approx(1.2195, abs=1e-4)


def test_nobody_counts_for_nobody() -> None:
    assert effective_number(np.zeros((1, 3))).tolist() == [0.0]
    assert np.isnan(weighted_mean(np.ones((1, 3)), np.zeros((1, 3)))).all()
    assert np.isnan(weighted_quantile(np.ones((1, 3)), np.zeros((1, 3)), 0.9)).all()


def test_nearer_neighbours_weigh_more_and_equal_ones_the_same() -> None:
    weight = nearness(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
    assert weight[0, 0] > weight[0, 1] > weight[0, 2] > 0
    assert weight[1].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("share", "quantile"), [(0.5, 5.0), (0.9, 9.0), (0.85, 8.5), (0.1, 1.0), (0.99, 9.0)]
)
def test_the_kth_of_nine_equal_scores_is_the_quantile_k_tenths(
    share: float, quantile: float
) -> None:
    score = np.array([[9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0]])
    assert weighted_quantile(score, np.ones((1, 9)), share)[0] == pytest.approx(quantile)


def test_a_new_score_lies_below_the_boundary_as_often_as_promised() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=(20_000, 41))
    boundary = weighted_quantile(drawn[:, :40], np.ones((20_000, 40)), 0.9)
    assert (drawn[:, 40] <= boundary).mean() == pytest.approx(0.9, abs=0.01)


def test_a_score_without_weight_is_left_out() -> None:
    score, weight = np.array([[10.0, 20.0, 1000.0]]), np.array([[1.0, 3.0, 0.0]])
    assert weighted_mean(score, weight)[0] == 17.5
    assert weighted_quantile(score, weight, 0.99)[0] == 20.0


# --- Who is similar ------------------------------------------------------------------------------

FIVE: dict[str, list[float | None]] = {
    "r1": [10, 4],
    "r2": [12, 6],
    "r3": [20, 18],
    "r4": [22, 20],
    "r5": [30, 33],
}


def test_the_nearest_cases_by_hand_are_expected_and_bound() -> None:
    found = asked(FIVE, {"new": [21]}, small()).foreseen.row(0, named=True)
    # r3 and r4, both one point away: weights equal, mean of 18 and 20; quantile at 0.6 of 3 places.
    assert found["expected"] == pytest.approx(19.0)
    assert found["worse_boundary"] == pytest.approx(19.6)
    assert found["better_boundary"] == pytest.approx(18.4)
    assert (found["neighbour_count"], found["effective_number"]) == (2, pytest.approx(2.0))
    assert (found["made_at"], found["occasion"]) == (0, 1)


def test_scikit_learn_finds_the_same_neighbours_in_the_same_standardised_features() -> None:
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(2)
    reference = {f"r{place:03}": list(rng.normal(15, 5, 3)) for place in range(200)}
    new = {f"n{place:02}": list(rng.normal(15, 3, 2)) for place in range(20)}
    rule = SimilarCasesRule(neighbours=10, horizon=1, percentile=0.8, minimum_effective=4)
    found = asked(reference, new, rule)
    table, queries = np.array(list(reference.values())), np.array(list(new.values()))
    scaler = StandardScaler().fit(table[:, :2])
    distance, _ = (
        NearestNeighbors(n_neighbors=10, algorithm="brute")
        .fit(scaler.transform(table[:, :2]))
        .kneighbors(scaler.transform(queries))
    )
    np.testing.assert_allclose(found.asked["distance"], distance[:, -1], rtol=1e-9)


def test_neither_the_case_itself_nor_another_case_of_its_client_is_a_neighbour() -> None:
    clients = ["p1", "p2", "p3", "p4", "p5"]
    similar = SimilarCases(small(horizon=1)).fit(
        cases_of(FIVE, client_id=clients), scores_of(FIVE), as_of=CLOSED
    )
    again = pl.DataFrame({"case_id": ["again"], "client_id": ["p3"]})
    found = similar.expect(again, scores_of({"again": [20.0]}))
    # Without r3 the nearest to 20 are r4 (22) and r2 (12).
    row = found.foreseen.row(0, named=True)
    assert 6 < row["expected"] < 20
    assert row["better_boundary"] > 6
    assert found.asked["reference_count"].to_list() == [4]
    itself = similar.expect(pl.DataFrame({"case_id": ["r3"]}), scores_of({"r3": [20.0]}))
    assert itself.foreseen["expected"].to_list() == [pytest.approx(row["expected"])]


def test_the_reference_holds_only_cases_that_ended_before_its_day() -> None:
    cases = cases_of(FIVE).with_columns(ended_on=pl.Series([1, 2, 3, 50, None]))
    similar = SimilarCases(small(minimum_reference=3)).fit(cases, scores_of(FIVE), as_of=50)
    assert similar.reference_count_ == 3
    changed = scores_of(FIVE | {"r4": [21, 0], "r5": [21, 0]})
    again = SimilarCases(small(minimum_reference=3)).fit(cases, changed, as_of=50)
    new = {"new": [21.0]}
    first, second = (each.expect(cases_of(new), scores_of(new)) for each in (similar, again))
    assert first.foreseen.equals(second.foreseen)


def test_a_score_that_came_after_the_reference_closed_is_not_in_it() -> None:
    late = scores_of(FIVE).with_columns(known_on=pl.when(pl.col("occasion") == 1).then(60))
    late = late.with_columns(pl.col("known_on").fill_null(5))
    similar = SimilarCases(small()).fit(cases_of(FIVE), late, as_of=50)
    new = {"new": [21.0]}
    assert similar.expect(cases_of(new), scores_of(new)).foreseen.is_empty()


# --- Missing features ----------------------------------------------------------------------------


def grown(count: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return cases with two features, and courses that depend on the first."""
    rng = np.random.default_rng(seed)
    age, other = rng.normal(0, 1, (2, count))
    ids = [f"g{place:03}" for place in range(count)]
    cases = pl.DataFrame({"case_id": ids, "ended_on": 1, "age": age, "other": other})
    level = rng.normal(15, 3, count)
    courses = {
        case: [level[place], level[place] + 3 * age[place], level[place] + 5 * age[place]]
        for place, case in enumerate(ids)
    }
    return cases, scores_of(courses)


def test_a_missing_feature_is_left_out_of_the_comparison_and_never_a_zero() -> None:
    cases, scores = grown(300, seed=3)
    new = pl.DataFrame(
        {"case_id": ["x", "y"], "age": [1.0, 1.0], "other": [None, float("nan")]},
        schema_overrides={"other": pl.Float64},
    )
    course = scores_of({"x": [15.0], "y": [15.0]})
    with_both = SimilarCases(SimilarCasesRule(features=("age", "other"))).fit(
        cases, scores, as_of=CLOSED
    )
    with_one = SimilarCases(SimilarCasesRule(features=("age",))).fit(cases, scores, as_of=CLOSED)
    found = with_both.expect(new, course)
    assert found.foreseen.equals(with_one.expect(new, course).foreseen)
    assert found.asked["feature_count"].to_list() == [2, 2]


def test_reference_cases_without_a_feature_of_the_case_are_not_compared() -> None:
    cases, scores = grown(300, seed=4)
    gaps = cases.with_columns(other=pl.when(pl.int_range(pl.len()) >= 120).then("other"))
    similar = SimilarCases(SimilarCasesRule(features=("age", "other"))).fit(
        gaps, scores, as_of=CLOSED
    )
    new = pl.DataFrame({"case_id": ["x"], "age": [0.0], "other": [0.0]})
    found = similar.expect(new, scores_of({"x": [15.0]}))
    assert found.asked["reference_count"].to_list() == [180]


def test_a_case_of_which_too_little_is_known_is_refused() -> None:
    cases, scores = grown(300, seed=5)
    similar = SimilarCases(SimilarCasesRule(features=("age", "other"))).fit(
        cases, scores, as_of=CLOSED
    )
    new = pl.DataFrame(
        {"case_id": ["x"], "age": [None], "other": [None]},
        schema={"case_id": pl.String, "age": pl.Float64, "other": pl.Float64},
    )
    found = similar.expect(new, scores_of({"x": [15.0]}))
    assert found.asked["reason"].to_list() == ["too_little_known"]
    assert found.foreseen.is_empty()


# --- Refusals ------------------------------------------------------------------------------------


def test_too_few_ended_cases_are_no_reference() -> None:
    found = asked(FIVE, {"new": [21]}, SimilarCasesRule())
    assert found.asked.select("reason", "reference_count").rows() == [("too_few_similar", 5)]


def test_a_case_unlike_all_others_is_refused() -> None:
    cases, scores = grown(300, seed=6)
    similar = SimilarCases(SimilarCasesRule(features=("age",))).fit(cases, scores, as_of=CLOSED)
    for far in (40.0, 1e30):
        new = pl.DataFrame({"case_id": ["near", "far"], "age": [0.0, far]})
        found = similar.expect(new, scores_of({"near": [15.0], "far": [15.0]}))
        assert dict(found.asked.select("case_id", "reason").iter_rows()) == {
            "near": None,
            "far": "outside_reference",
        }
        assert found.foreseen["case_id"].unique().to_list() == ["near"]


def test_about_one_in_a_hundred_cases_like_the_reference_counts_as_outside() -> None:
    cases, scores = grown(2000, seed=7)
    new, courses = grown(2000, seed=8)
    similar = SimilarCases(SimilarCasesRule(features=("age", "other"))).fit(
        cases, scores, as_of=CLOSED
    )
    first = courses.filter(pl.col("occasion") == 0)
    outside = similar.expect(new, first).asked["reason"].eq("outside_reference").fill_null(False)
    assert 0.002 < outside.mean() < 0.025


def test_where_too_few_similar_cases_have_a_later_score_nothing_is_foreseen() -> None:
    cases, scores = grown(300, seed=9)
    short = scores.filter((pl.col("occasion") < 2) | pl.col("case_id").str.ends_with("0"))
    similar = SimilarCases(SimilarCasesRule()).fit(cases, short, as_of=CLOSED)
    new = {"x": [15.0]}
    found = similar.expect(cases_of(new), scores_of(new)).foreseen
    assert found.select("occasion", "reason").rows() == [(1, None), (2, "too_few_left")]
    assert found["expected"].is_null().to_list() == [False, True]


def test_a_case_without_baseline_is_refused() -> None:
    found = asked(FIVE, {"new": [None, 21]}, small())
    assert found.asked["reason"].to_list() == ["no_baseline"]


def test_a_case_without_any_score_is_told_as_such() -> None:
    similar = SimilarCases(small()).fit(cases_of(FIVE), scores_of(FIVE), as_of=CLOSED)
    found = similar.expect(cases_of({"new": [], "old": []}), scores_of({"old": [21]}))
    assert found.asked.select("case_id", "made_at", "reason").rows() == [
        ("new", None, "no_baseline"),
        ("old", 0, None),
    ]


def test_a_score_from_before_the_reference_closed_is_not_judged_by_it() -> None:
    similar = SimilarCases(small()).fit(cases_of(FIVE), scores_of(FIVE), as_of=50)
    course = scores_of({"new": [21, 20]}).with_columns(known_on=pl.Series([49, 50]))
    found = similar.expect(cases_of({"new": []}), course, at="every")
    assert found.asked["reason"].to_list()[0] == "reference_is_newer"
    assert found.asked["reason"].to_list()[1] != "reference_is_newer"


def test_every_reason_has_its_words() -> None:
    assert all(words and not words.endswith(".") for words in REASONS.values())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"percentile": 0.5}, "above .5"),
        ({"percentile": 1.0}, "below 1"),
        ({"neighbours": 1}, "at least 2"),
        ({"minimum_reference": 40}, "everybody is a neighbour"),
        ({"percentile": 0.95}, "cannot show a percentile"),
        ({"higher_is": "bad"}, "'worse' or 'better'"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SimilarCasesError, match=said):
        SimilarCasesRule(**changed)


def test_frames_that_contradict_themselves_are_refused() -> None:
    twice = pl.concat([scores_of(FIVE), scores_of(FIVE)])
    with pytest.raises(SimilarCasesError, match="two scores"):
        SimilarCases(small()).fit(cases_of(FIVE), twice, as_of=CLOSED)
    with pytest.raises(SimilarCasesError, match="case_id of its own"):
        SimilarCases(small()).fit(
            pl.concat([cases_of(FIVE), cases_of(FIVE)]), scores_of(FIVE), as_of=CLOSED
        )
    with pytest.raises(SimilarCasesError, match="no column age"):
        SimilarCases(small(features=("age",))).fit(cases_of(FIVE), scores_of(FIVE), as_of=CLOSED)
    with pytest.raises(SimilarCasesError, match="call fit first"):
        SimilarCases(small()).expect(cases_of(FIVE), scores_of(FIVE))


# --- Laws ----------------------------------------------------------------------------------------

COURSE = st.lists(st.integers(0, 27).map(float), min_size=2, max_size=8)


@given(COURSE, st.data())
@settings(max_examples=30)
def test_a_later_score_changes_nothing_shown_earlier(course: list[float], data: Any) -> None:
    until = data.draw(st.integers(0, len(course) - 2))
    other = data.draw(st.lists(st.integers(0, 27).map(float), max_size=6))
    shown = [
        drawn_reference().expect(cases_of({"c": []}), scores_of({"c": each}), at="every")
        for each in (course, course[: until + 1] + other)
    ]
    for table in ("asked", "foreseen"):
        first, second = (getattr(each, table).filter(pl.col("made_at") <= until) for each in shown)
        assert first.equals(second)


def test_who_else_is_asked_changes_nothing() -> None:
    # Client p1 has so many cases in the reference that too few others are left.
    rng = np.random.default_rng(11)
    ids = [f"m{place:03}" for place in range(150)]
    client = ["p1"] * 60 + [f"q{place}" for place in range(90)]
    reference = pl.DataFrame({"case_id": ids, "client_id": client, "ended_on": 1})
    courses = scores_of({case: rng.integers(5, 25, 3).tolist() for case in ids})
    rule = SimilarCasesRule(minimum_reference=91)
    similar = SimilarCases(rule).fit(reference, courses, as_of=CLOSED)
    new = pl.DataFrame({"case_id": ["a", "b"], "client_id": ["p1", "q1"]})
    scores = scores_of({"a": [15.0], "b": [15.0]})
    together = similar.expect(new, scores)
    assert together.asked["reason"].to_list() == ["too_few_similar", None]
    assert together.asked["reference_count"].to_list() == [90, 149]
    alone = similar.expect(new.tail(1), scores)
    assert alone.asked.equals(together.asked.tail(1))
    assert alone.foreseen.equals(together.foreseen)


@given(st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_of_rows_changes_nothing(random: Any) -> None:
    cases, scores = drawn_practice()
    new = scores.filter(pl.col("case_id").is_in(["d000", "d001", "d002"]))
    found = SimilarCases(SimilarCasesRule()).fit(cases, scores, as_of=CLOSED)
    seed = random.randrange(10**6)
    mixed = [each.sample(fraction=1.0, shuffle=True, seed=seed) for each in (cases, scores, new)]
    again = SimilarCases(SimilarCasesRule()).fit(mixed[0], mixed[1], as_of=CLOSED)
    asked_cases = pl.DataFrame({"case_id": ["d000", "d001", "d002"]})
    first = found.expect(asked_cases, new, at="every")
    second = again.expect(asked_cases.reverse(), mixed[2], at="every")
    assert first.foreseen.equals(second.foreseen)
    assert first.asked.equals(second.asked)


def test_a_mirrored_scale_gives_mirrored_answers() -> None:
    cases, scores = drawn_practice()
    new = {"c": [20.0, 15.0, 17.0]}
    found = [
        SimilarCases(SimilarCasesRule(higher_is=direction))
        .fit(cases, scores.with_columns(pl.col("score") * sign), as_of=CLOSED)
        .expect(cases_of(new), scores_of(new).with_columns(pl.col("score") * sign))
        .foreseen
        for direction, sign in (("worse", 1), ("better", -1))
    ]
    for name in ("expected", "worse_boundary", "better_boundary"):
        np.testing.assert_allclose(found[0][name], -found[1][name], atol=1e-9)


@cache
def drawn_reference() -> SimilarCases:
    cases, scores = drawn_practice()
    return SimilarCases(SimilarCasesRule()).fit(cases, scores, as_of=CLOSED)


def drawn_practice() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return 150 ended cases with whole scores, as many ties as there are in practice."""
    rng = np.random.default_rng(10)
    level = rng.integers(8, 25, 150)
    courses = {
        f"d{place:03}": np.clip(
            level[place] - np.arange(6) * rng.integers(0, 4) + rng.integers(-2, 3, 6), 0, 27
        ).tolist()
        for place in range(150)
    }
    return cases_of(courses), scores_of(courses)


# --- How often it holds --------------------------------------------------------------------------


def test_the_boundary_holds_on_cases_that_began_after_the_reference_was_closed() -> None:
    practice = simulate_practice(cases=4000, seed=5, dirty_rows=False)
    scores = (
        practice.scores.filter((pl.col("measure") == "PHQ-9") & (pl.col("subscale") == "total"))
        .select(
            "case_id",
            pl.col("session").cast(pl.Int64),
            score=pl.col("value").cast(pl.Float64, strict=False),
            known_on=pl.col("practice_day").cast(pl.Int64),
        )
        .drop_nulls()
        .sort("case_id", "session")
        .with_columns(occasion=pl.int_range(pl.len()).over("case_id"))
    )
    start = pl.col("practice_day_start").cast(pl.Int64)
    cases = practice.cases.select(
        "case_id", began_on=start, ended_on=start + pl.col("end_day").cast(pl.Int64)
    )
    closed = int(cases["ended_on"].drop_nulls().quantile(0.6) or 0)
    similar = SimilarCases(SimilarCasesRule()).fit(cases, scores, as_of=closed)
    new = cases.filter(pl.col("began_on") >= closed)
    found = similar.expect(new, scores, at="every").foreseen.drop_nulls("expected")
    seen = found.join(scores, on=["case_id", "occasion"])
    assert seen.height > 3000
    # Whole scores lie on the boundary itself; half of those count as beyond.
    at = (seen["score"] == seen["worse_boundary"]).mean()
    beyond = (seen["score"] > seen["worse_boundary"]).mean()
    assert beyond + at / 2 == pytest.approx(0.10, abs=0.03)
    inside = seen["score"].is_between(seen["better_boundary"], seen["worse_boundary"], "both")
    strictly = seen["score"].is_between(seen["better_boundary"], seen["worse_boundary"], "none")
    assert (inside.mean() + strictly.mean()) / 2 == pytest.approx(0.80, abs=0.03)
