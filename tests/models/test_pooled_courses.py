"""Every measure gets a course of its own, a pooled one that says so, or a reason."""

from typing import NamedTuple

import numpy as np
import pytest

from models.expected_course import ExpectedCourse
from models.pooled_courses import MeasureCourse, MeasureScores, NoCourse, courses_by_measure


class Scale(NamedTuple):
    """Points of a measure as factor x severity, turned round where high is better."""

    factor: float = 1.0
    is_turned: bool = False


PHQ9 = Scale()


def measured(
    seed: int, cases: int, scale: Scale = PHQ9, shift: float = 0.0, most_scores: int = 12
) -> MeasureScores:
    random = np.random.default_rng(seed)
    count = random.integers(1, most_scores + 1, cases)
    case = np.repeat(np.arange(cases), count)
    baseline = np.clip(np.rint(random.normal(14.5, 5.0, cases)), 0, 27)[case]
    occasion = np.concatenate([np.arange(1.0, one + 1) for one in count] or [np.empty(0)])
    time = np.log1p(occasion)
    own = random.normal(size=(cases, 2)) * (3.0, 1.8)
    score = 3.0 + shift + 0.7 * baseline + (-0.4 - 0.13 * baseline) * time
    score = score + own[case, 0] + own[case, 1] * time + random.normal(0, 2.4, len(case))
    score = np.clip(np.rint(score), 0, 27)
    if scale.is_turned:
        baseline, score = 27 - baseline, 27 - score
    return MeasureScores(
        X=np.column_stack([scale.factor * baseline, time]),
        y=scale.factor * score,
        groups=case,
        minimum=0,
        maximum=27 * scale.factor,
        higher_is="better" if scale.is_turned else "worse",
        unit=6 * scale.factor,
    )


SCALES = [PHQ9, Scale(2.0), Scale(1.0, True), Scale(0.5, True), Scale(3.0)]


def course_of(found: MeasureCourse | NoCourse) -> MeasureCourse:
    assert isinstance(found, MeasureCourse)
    return found


def test_forty_measures_at_once_each_get_an_answer() -> None:
    sizes = [0, 1, 2, 9, 30, 49, 50, 120]
    measures = {
        f"m{number}": measured(number, sizes[number % len(sizes)], SCALES[number % len(SCALES)])
        for number in range(40)
    }
    found = courses_by_measure(measures)
    assert list(found) == list(measures)
    for name, course in found.items():
        cases = len(set(np.asarray(measures[name].groups).tolist()))
        assert course.own_cases == cases
        known = course_of(course)
        assert known.is_pooled == (cases < 50)
        assert known.cases >= 50


def test_a_large_measure_keeps_its_own_course_exactly() -> None:
    large = measured(1, 200)
    found = course_of(courses_by_measure({"large": large, "small": measured(2, 5)})["large"])
    alone = ExpectedCourse().fit(large.X, large.y, large.groups)
    X = np.asarray(large.X)[:20]
    np.testing.assert_array_equal(found.predict(X), alone.predict(X))
    low, high = alone.band(X, coverage=0.8, minimum=0, maximum=27)
    np.testing.assert_array_equal(found.band(X, coverage=0.8), (low, high))
    assert found.label == "From 200 cases."


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("cases", [1, 12])
def test_pooled_bands_hold_on_new_cases_of_a_small_measure(scale: Scale, cases: int) -> None:
    measures = {f"m{n}": measured(10 + n, 150, one) for n, one in enumerate(SCALES)}
    found = courses_by_measure({**measures, "small": measured(30, cases, scale)})
    course, held = course_of(found["small"]), measured(31, 1500, scale)
    score = np.asarray(held.y)
    for coverage in (0.8, 0.95):
        low, high = course.band(held.X, coverage=coverage)
        assert ((low <= score) & (score <= high)).mean() == pytest.approx(coverage, abs=0.035)
        assert low.min() >= 0
        assert high.max() <= held.maximum
    bar = np.full(len(score), 10 * scale.factor if not scale.is_turned else 17 * scale.factor)
    said = course.chance_this_bad(held.X, bar, integer=False)
    came_true = score >= bar if held.higher_is == "worse" else score <= bar
    # Scores go in steps of the factor; the line is drawn half a step early.
    half = 0.5 * scale.factor * (1 if held.higher_is == "worse" else -1)
    early = course.chance_this_bad(held.X, bar - half, integer=False)
    assert said.mean() <= came_true.mean() + 0.03 <= early.mean() + 0.06


def test_a_measure_that_goes_its_own_way_is_followed_as_far_as_its_cases_can_be_trusted() -> None:
    others = {f"m{n}": measured(40 + n, 100, shift=shift) for n, shift in enumerate((-3, 0, 3, 1))}
    X = [[15.0, np.log1p(8.0)]]

    def mean_expected(cases: int) -> float:
        drawn = [
            courses_by_measure({**others, "small": measured(50 + seed, cases, shift=4.0)})["small"]
            for seed in range(8)
        ]
        return float(np.mean([course_of(one).predict(X)[0] for one in drawn]))

    truth = 3.0 + 4.0 + 0.7 * 15 + (-0.4 - 0.13 * 15) * np.log1p(8.0)
    of_all = float(np.mean([course_of(one).predict(X)[0] for one in pooled_only(others)]))
    few, many = mean_expected(2), mean_expected(45)
    assert of_all < few < many
    assert many == pytest.approx(truth, abs=1.5)  # others touch the floor, this one does not


def pooled_only(measures: dict[str, MeasureScores]) -> list[MeasureCourse | NoCourse]:
    return list(courses_by_measure(measures).values())


def test_a_pooled_course_names_its_measures_and_cases() -> None:
    found = courses_by_measure({"a": measured(60, 40), "b": measured(61, 30)})
    assert course_of(found["a"]).label == (
        "Pooled from 70 cases of 2 measures (a, b); 40 of them have this measure."
    )


def test_a_pool_that_is_too_small_as_well_leaves_the_sentence_of_the_measure() -> None:
    found = courses_by_measure({"a": measured(62, 12), "b": measured(63, 9)})
    assert isinstance(found["a"], NoCourse)
    assert found["a"].reason.startswith("12 cases have a score after the baseline; an expected")


def test_a_single_small_measure_is_not_pooled_with_itself() -> None:
    found = courses_by_measure({"a": measured(64, 12)})
    assert isinstance(found["a"], NoCourse)


def test_one_case_and_one_score_each_and_scores_that_never_change_have_answers() -> None:
    still = measured(65, 80)
    still = MeasureScores(
        **{**still.__dict__, "X": np.column_stack([np.full(len(still.groups), 9.0),
                                                   np.asarray(still.X)[:, 1]]),
           "y": np.full(len(still.groups), 9.0)}
    )  # fmt: skip
    found = courses_by_measure(
        {
            "large": measured(66, 100),
            "two waves": measured(67, 100, most_scores=1),
            "one score each": measured(68, 20, most_scores=1),
            "one case": measured(69, 1),
            "none": measured(70, 0),
            "still": still,
        }
    )
    assert not course_of(found["two waves"]).is_pooled
    for name in ("one score each", "one case", "none"):
        course = course_of(found[name])
        assert course.is_pooled
        low, high = course.band([[15.0, np.log1p(3.0)]], coverage=0.8)
        assert 0 <= low[0] < high[0] <= 27
    assert isinstance(found["still"], NoCourse)
    assert "no spread to learn" in found["still"].reason
