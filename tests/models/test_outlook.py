"""What the outlook says, when it says nothing, and what it may learn from."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
from cases_by_hand import past_of
from sklearn.base import clone

from models.case_ends import Outcome, case_ends
from models.known_so_far import known_so_far
from models.outlook import Outlook, OutlookByOccasion
from models.outlook_arithmetic import logistic, ordered_right, ridge_logistic
from models.outlook_standing import bad_from, standing
from models.past_cases import PastCases

SHARED = Path(__file__).parents[3] / "shared/data"
PHQ9_LIMITS = {"reliable_change": 6.0, "cutoff": 10.0}


def cases(count: int = 400, seed: int = 1) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return what is known at the fourth score of simulated cases, bad ends and last scores."""
    random = np.random.default_rng(seed)
    first, gain = random.uniform(11, 24, count), random.normal(6, 5, count)
    score, between, previous = (
        np.clip(np.rint(first - share * gain + random.normal(0, 2.4, count)), 0, 27)
        for share in (0.7, 0.4, 0.6)
    )
    end = np.clip(np.rint(first - gain + random.normal(0, 2.4, count)), 0, 27)
    first = np.rint(first)
    known = pl.DataFrame(
        {"baseline": first, "score": score, "mean_between": between, "previous": previous}
    )
    return known, (end >= 10) & (first - end < 6), end


def fitted(count: int = 400) -> Outlook:
    return Outlook(**PHQ9_LIMITS).fit(*cases(count))


def at(baseline: float, score: float, **more: float | None) -> pl.DataFrame:
    return pl.DataFrame(
        {name: [value] for name, value in {"baseline": baseline, "score": score, **more}.items()}
    ).cast(pl.Float64)


# --- scikit-learn's rules


def test_it_follows_scikit_learns_rules_for_estimators() -> None:
    outlook = Outlook(outcome="reliable_deterioration", reliable_change=6.0)
    assert set(vars(outlook)) == set(outlook.get_params())  # nothing is worked out in __init__
    assert clone(outlook).get_params() == outlook.get_params()
    assert outlook.set_params(minimum_cases=50) is outlook
    assert outlook.minimum_cases == 50
    with pytest.raises(ValueError, match="no parameter 'cut_off'"):
        outlook.set_params(cut_off=10)
    with pytest.raises(ValueError, match="not fitted yet"):
        outlook.predict(at(18, 12))
    parameters = outlook.get_params()
    known, bad, end = cases()
    assert outlook.fit(known, bad, end) is outlook
    assert outlook.get_params() == parameters
    learned = set(vars(outlook)) - set(parameters)
    assert learned
    assert all(name.endswith("_") for name in learned)


def test_it_is_stored_and_read_again_without_types_of_others() -> None:
    past = courses()
    outlook = by_occasion(past)
    stored = skops.io.dumps(outlook)
    types = skops.io.get_untrusted_types(data=stored)
    assert set(types) == {"models.outlook.Outlook", "models.outlook.OutlookByOccasion"}
    again = skops.io.loads(stored, trusted=types)
    known = known_so_far(past)
    np.testing.assert_array_equal(
        again.predict(known).probability, outlook.predict(known).probability
    )
    assert again.tried_ == outlook.tried_


# --- what it says


def test_the_worse_the_last_score_the_likelier_a_bad_end() -> None:
    known = pl.concat([at(18.0, float(score)) for score in range(2, 25)])
    chance = fitted().predict(known).probability
    assert all(earlier < later for earlier, later in pairwise(chance))
    assert chance[0] < 0.05
    assert chance[-1] > 0.6


def test_chances_come_true() -> None:
    known, bad, _ = cases(4000, seed=2)
    chance = fitted(1000).predict(known).probability
    told = ~np.isnan(chance)
    assert told.mean() > 0.99
    log_odds = np.log(chance[told] / (1 - chance[told]))
    design = np.column_stack([np.ones(told.sum()), log_odds])
    slope = ridge_logistic(design, bad[told].astype(float), np.zeros(2))[1]
    assert 0.9 < slope < 1.1
    assert chance[told].mean() == pytest.approx(bad[told].mean(), abs=0.03)


def test_earlier_scores_help_where_one_score_is_unsure() -> None:
    known, bad, end = cases(2000)
    new, new_bad, _ = cases(4000, seed=2)
    two = ["baseline", "score"]
    plain = Outlook(**PHQ9_LIMITS).fit(known.select(two), bad, end).predict(new.select(two))
    whole = Outlook(**PHQ9_LIMITS).fit(known, bad, end).predict(new)
    areas = []
    for answer in (plain, whole):
        told = ~np.isnan(answer.probability)
        areas.append(ordered_right(answer.probability[told], new_bad[told]))
    assert areas[1] > areas[0] + 0.01


def test_the_last_score_is_foreseen_better_than_by_the_score_now() -> None:
    known, _, end = cases(2000, seed=2)
    expected = fitted().predict(known).expected_end
    told = ~np.isnan(expected)
    missed = np.abs(expected - end)[told].mean()
    assert missed < np.abs(known["score"].to_numpy() - end)[told].mean() - 0.3
    assert expected[told].min() >= 0
    assert expected[told].max() <= 27


def test_a_measure_where_higher_is_better_gets_the_same_answers() -> None:
    known, bad, end = cases()
    better = Outlook(
        **{"reliable_change": 6.0, "cutoff": 30.0}, higher_is="better", minimum=13.0, maximum=40.0
    ).fit(known.select(pl.all() - 40.0), bad, end - 40.0)
    same = Outlook(**PHQ9_LIMITS).fit(known, bad, end)
    answer = better.predict(known.select(pl.all() - 40.0))
    np.testing.assert_allclose(answer.probability, same.predict(known).probability)
    np.testing.assert_allclose(answer.expected_end, same.predict(known).expected_end - 40.0)


def test_the_order_of_rows_changes_nothing() -> None:
    known, bad, end = cases()
    order = np.random.default_rng(3).permutation(len(bad))
    shuffled = Outlook(**PHQ9_LIMITS).fit(known[order], bad[order], end[order])
    np.testing.assert_allclose(
        shuffled.predict(known).probability, fitted().predict(known).probability, atol=1e-6
    )


def test_what_is_said_of_a_case_rests_on_its_own_row() -> None:
    known, _, _ = cases()
    outlook = fitted()
    alone = outlook.predict(known[7:8]).probability[0]
    assert outlook.predict(known).probability[7] == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize(
    ("outcome", "better_off", "worse_off"),
    [
        ("under_half_reduction", at(20, 6), at(20, 18)),
        ("no_reliable_improvement", at(20, 10), at(20, 18)),
        ("reliable_deterioration", at(14, 12), at(14, 20)),
        ("drop_out", at(14, 6), at(14, 20)),
    ],
)
def test_every_outcome_is_answered(
    outcome: str, better_off: pl.DataFrame, worse_off: pl.DataFrame
) -> None:
    known, _, end = cases(600)
    first = known["baseline"].to_numpy()
    bad = {
        "under_half_reduction": end > 0.5 * first,
        "no_reliable_improvement": first - end < 6,
        "reliable_deterioration": end - first >= 6,
        "drop_out": np.random.default_rng(4).random(600)
        < logistic((known["score"].to_numpy() - 14) / 4),
    }[outcome]
    assert bad.sum() >= 10
    ends = np.full(600, np.nan) if outcome == "drop_out" else end
    outlook = Outlook(outcome=outcome, reliable_change=6.0, cutoff=10.0).fit(known, bad, ends)
    chances = outlook.predict(pl.concat([better_off, worse_off])).probability
    assert chances[0] < bad.mean() < chances[1]


def test_half_of_a_score_is_half_of_what_lies_above_the_best_one() -> None:
    first = np.array([7.0, 3.0])
    limits = {"reliable_change": None, "cutoff": None, "best": 1.0}
    assert bad_from("under_half_reduction", first, **limits).tolist() == [4.0, 2.0]
    same = standing("under_half_reduction", np.array([5.5, 2.5]), first, **limits)
    assert same.tolist() == [0.5, 0.5]


# --- when it says nothing


def test_too_few_ended_cases_are_a_refusal_with_its_reason() -> None:
    known, bad, end = cases(29)
    outlook = Outlook(**PHQ9_LIMITS).fit(known, bad, end)
    answer = outlook.predict(known)
    assert set(answer.reason) == {"too_few_ended"}
    assert np.isnan(answer.probability).all()
    assert outlook.tried_ == []


def test_too_few_bad_ends_or_too_few_good_ones_are_a_refusal() -> None:
    known, _, end = cases(100)
    for few in (np.arange(100) < 4, np.arange(100) >= 4):
        answer = Outlook(**PHQ9_LIMITS).fit(known, few, end).predict(known)
        assert set(answer.reason) == {"too_few_bad"}
    enough = Outlook(**PHQ9_LIMITS).fit(known, np.arange(100) < 5, end).predict(known)
    assert set(enough.reason) == {None}


def test_scores_farther_from_any_seen_than_a_reliable_change_are_refused() -> None:
    known, bad, end = cases()
    some = known["baseline"].to_numpy() <= 18
    outlook = Outlook(**PHQ9_LIMITS).fit(known.filter(some), bad[some], end[some])
    answer = outlook.predict(pl.concat([at(18, 12), at(24, 12), at(25, 12)]))
    assert answer.reason.tolist() == [None, None, "outside_range"]
    assert np.isnan(answer.probability).tolist() == [False, False, True]
    assert np.isnan(answer.expected_end).tolist() == [False, False, True]


def test_a_case_without_baseline_is_not_known() -> None:
    answer = fitted().predict(pl.DataFrame({"baseline": [None, 18.0], "score": [12.0, 12.0]}))
    assert answer.reason.tolist() == ["not_known", None]


def test_an_outcome_of_change_needs_a_reliable_change() -> None:
    with pytest.raises(ValueError, match="this measure has none"):
        Outlook(outcome="no_reliable_improvement").fit(*cases())


def test_where_all_cases_look_alike_the_chance_is_the_share_that_ended_badly() -> None:
    known = pl.concat([at(18, 12)] * 60)
    bad = np.arange(60) < 15
    answer = Outlook(**PHQ9_LIMITS).fit(known, bad, np.where(bad, 18.0, 6.0)).predict(known)
    np.testing.assert_allclose(answer.probability, 0.25, atol=0.01)


def test_where_scores_part_bad_from_good_ends_completely_chances_stay_short_of_sure() -> None:
    known = pl.concat([at(18, score) for score in [4.0, 5.0, 18.0, 19.0] * 15])
    bad = (known["score"] > 10).to_numpy()
    answer = Outlook(**PHQ9_LIMITS).fit(known, bad, np.where(bad, 18.0, 5.0)).predict(known)
    assert answer.probability[bad].min() > 0.9
    assert answer.probability[bad].max() < 1.0
    assert answer.probability[~bad].max() < 0.1


def test_nobody_asked_is_nobody_answered() -> None:
    answer = fitted().predict(at(18, 12).clear())
    assert len(answer.probability) == len(answer.reason) == len(answer.expected_end) == 0


# --- what is missing, and what is left out


def test_what_is_missing_is_told_and_never_taken_for_zero() -> None:
    random = np.random.default_rng(5)
    known, _, end = cases(1500)
    unrated = random.random(1500) < 0.3
    rated = np.where(unrated, np.nan, random.uniform(0.4, 1.0, 1500))
    known = known.with_columns(alliance_last=pl.Series(rated).fill_nan(None))
    bad = random.random(1500) < np.where(unrated, 0.7, 0.2)
    outlook = Outlook(outcome="drop_out").fit(known, bad, end)
    asked = pl.concat(
        [at(18, 12, alliance_last=None), at(18, 12, alliance_last=0.7)], how="vertical_relaxed"
    )
    missing, middling = outlook.predict(asked).probability
    assert missing > 0.5
    assert middling < 0.3
    assert "alliance_last" in outlook.features_


def test_what_gains_nothing_is_left_out_and_what_gains_is_kept() -> None:
    known, bad, end = cases(1500)
    noise = known.with_columns(missed_lately=pl.Series(np.arange(1500) % 3))
    kept = {entry["name"]: entry for entry in Outlook(**PHQ9_LIMITS).fit(noise, bad, end).tried_}
    assert not kept["care"]["is_kept"]
    assert kept["care"]["gain"] <= kept["care"]["gain_error"]

    telling = known.with_columns(missed_lately=pl.Series(bad * 2.0 + np.arange(1500) % 3))
    outlook = Outlook(**PHQ9_LIMITS).fit(telling, bad, end)
    care = outlook.tried_[-1]
    assert care["is_kept"]
    assert care["gain"] > care["gain_error"]
    assert care["gain_over_two_score"] > 0
    assert "missed_lately" in outlook.features_


def test_everything_tried_is_told_beside_the_two_score_model() -> None:
    tried = fitted().tried_
    assert [entry["name"] for entry in tried] == [
        "two_score", "standing_and_forecast", "first_and_last", "course", "details", "care",
    ]  # fmt: skip
    assert not tried[0]["is_kept"]
    assert all(0.5 < entry["auc"] < 1 for entry in tried)


# --- by occasion


def courses(later: int = 6, count: int = 120) -> PastCases:
    """Return ended cases with a first score and so many later ones."""
    random = np.random.default_rng(6)
    scores = {}
    for number in range(count):
        first, slope = random.uniform(12, 22), random.normal(-1.2, 1.5)
        course = first + slope * np.arange(later + 1)
        course[1:] += random.normal(0, 2, later)
        scores[f"c{number:03}"] = np.clip(np.rint(course), 0, 27).tolist()
    past = past_of(scores)
    return replace(past, cases=past.cases.with_columns(is_ended=pl.lit(value=True)))


def by_occasion(past: PastCases) -> OutlookByOccasion:
    return OutlookByOccasion(**PHQ9_LIMITS).fit(known_so_far(past), case_ends(past, Outcome()))


def test_an_occasion_learns_only_from_cases_with_three_later_scores() -> None:
    outlook = by_occasion(courses(later=6))
    assert len(outlook.outlooks_) == 3
    assert [entry.n_cases_ for entry in outlook.outlooks_] == [120, 120, 120]


def test_cases_that_go_on_are_not_learned_from() -> None:
    past = courses()
    open_ones = replace(
        past,
        cases=past.cases.with_columns(is_ended=pl.int_range(pl.len()) < 40),
    )
    assert by_occasion(open_ones).outlooks_[0].n_cases_ == 40


def test_the_last_outlook_answers_half_as_many_occasions_more_and_then_refuses() -> None:
    outlook = by_occasion(courses(later=7))
    known = at(18, 12).select(pl.all(), occasion=pl.lit(1.0))
    asked = pl.concat([known.with_columns(occasion=pl.lit(float(k))) for k in (4, 6, 7)])
    assert len(outlook.outlooks_) == 4
    assert outlook.predict(asked).reason.tolist() == [None, None, "too_late"]


def test_each_occasion_is_answered_by_its_own_outlook() -> None:
    past = courses()
    outlook, known = by_occasion(past), known_so_far(past)
    answer = outlook.predict(known)
    for number, own in enumerate(outlook.outlooks_, start=1):
        here = (known["occasion"] == number).to_numpy()
        np.testing.assert_array_equal(
            answer.probability[here], own.predict(known.filter(here)).probability
        )
    assert {entry["occasion"] for entry in outlook.tried_} == {1, 2, 3}
    assert {"baseline", "score"} <= set(outlook.features_)


def test_a_practice_that_has_just_begun_is_refused_at_every_occasion() -> None:
    outlook = by_occasion(courses(count=20))
    answer = outlook.predict(known_so_far(courses(count=20)))
    assert set(answer.reason[:1]) == {"too_few_ended"}
    assert np.isnan(answer.probability).all()


# --- on people (docs/outlook.md has all of them)


@pytest.mark.skipif(not SHARED.exists(), reason="the published data sets are not here")
def test_on_enrichd_it_is_not_worse_than_the_better_naive_rule_and_is_calibrated() -> None:
    known, bad, end = enrichd_at(28)
    found: dict[str, list[float]] = {"outlook": [], "two_score": [], "percent": [], "missed": []}
    log_odds = []
    for repeat in range(4):
        fold = folds(bad, repeat)
        chance, missed, plain = np.full((3, len(bad)), np.nan)
        for number in range(5):
            learns, asked = fold != number, fold == number
            outlook = Outlook(reliable_change=8.46, cutoff=10.0, maximum=63.0)
            outlook.set_params(outcome="under_half_reduction")
            outlook.fit(known.filter(learns), bad[learns], end[learns])
            answer = outlook.predict(known.filter(asked))
            chance[asked], missed[asked] = answer.probability, answer.expected_end - end[asked]
            plain[asked] = two_score(known, bad, learns)[asked]
        left = (known["score"] / known["baseline"]).to_numpy()
        told = ~np.isnan(chance)
        for name, score in (("outlook", chance), ("two_score", plain), ("percent", left)):
            found[name].append(within(score, bad, np.where(told, fold, -1)))
        found["missed"].append(float(np.abs(missed[told]).mean()))
        log_odds.append(np.column_stack([np.log(chance / (1 - chance)), bad])[told])
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    assert mean["outlook"] > max(mean["two_score"], mean["percent"]) - 0.01
    assert mean["missed"] < 3.7
    pairs = np.vstack(log_odds)
    design = np.column_stack([np.ones(len(pairs)), pairs[:, 0]])
    assert 0.9 < ridge_logistic(design, pairs[:, 1], np.zeros(2))[1] < 1.1


def enrichd_at(day: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return what was known on a day, whether less than half was gone on day 140 or later, end."""
    scores = (
        pl.read_csv(SHARED / "enrichd_bdi_cbt/long.csv")
        .group_by(pl.col("patient_id").cast(pl.String), "day")
        .agg(pl.col("score").mean())
        .sort("patient_id", "day")
    )
    course = pl.col("score").filter(pl.col("day") <= day)
    rows = (
        scores.group_by("patient_id", maintain_order=True)
        .agg(
            baseline=course.first(),
            score=course.last(),
            previous=course.slice(-2, 1).first(),
            mean_between=course.slice(1, course.len() - 2).mean(),
            count=course.len(),
            end=pl.col("score").filter(pl.col("day") >= 140).last(),
        )
        .filter(pl.col("count") >= 2, pl.col("end").is_not_null())
    )
    bad = (rows["end"] > 0.5 * rows["baseline"]).to_numpy()
    return rows, bad, rows["end"].to_numpy()


def two_score(known: pl.DataFrame, bad: np.ndarray, learns: np.ndarray) -> np.ndarray:
    values = known.select("baseline", "score").to_numpy() / 10.0
    design = np.column_stack([np.ones(len(bad)), values])
    return design @ ridge_logistic(design[learns], bad[learns].astype(float), np.full(3, 1e-3))


def folds(bad: np.ndarray, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    fold = np.empty(len(bad), dtype=int)
    for kind in (False, True):
        rows = random.permutation(np.flatnonzero(bad == kind))
        fold[rows] = np.arange(len(rows)) % 5
    return fold


def within(score: np.ndarray, bad: np.ndarray, fold: np.ndarray) -> float:
    """Return the AUC of pairs within one fold."""
    areas = [ordered_right(score[fold == number], bad[fold == number]) for number in range(5)]
    return float(np.mean(areas))
