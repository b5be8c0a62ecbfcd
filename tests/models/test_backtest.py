"""A back-test as its users see it: figures, what is kept, what is refused."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from cases_by_hand import PHQ9, past_of

from data_contracts.rule import status_rule
from models.backtest import ALL, backtest
from models.case_ends import Outcome
from models.expected_course import ExpectedCourse
from models.landmarks import Landmark
from models.moments import moments_of
from models.past_cases import PastCases, PastCasesError
from models.replay import replay
from models.rival_rules import RANK_OF_STATUS, Question, judge
from models.splits import cross_validation
from models.status import judge as judge_occasions

RULES = ("naive_last_change", "naive_two_score", "status_rule")
FOURTH = (Landmark.named("4"),)


def simulated(cases: int = 160, *, seed: int = 1, days: int = 900) -> PastCases:
    """Weekly PHQ-9 over 6 to 12 sessions; practice days, ends, two supervisors."""
    random = np.random.default_rng(seed)
    start = random.uniform(11, 22, cases)
    per_week = random.choice([0.0, 0.6, 1.4], cases)
    length = random.integers(6, 13, cases)
    courses = {
        f"c{number:04d}": np.clip(
            np.rint(
                start[number]
                - per_week[number] * np.arange(length[number])
                + random.normal(0, 2, length[number])
            ),
            0,
            27,
        ).tolist()
        for number in range(cases)
    }
    past = past_of(courses)
    began = pl.DataFrame(
        {
            "case_id": list(courses),
            "started_on": random.integers(0, days, cases),
            "length": length.astype(np.int64),
            "supervisor_id": [f"S-{number % 2}" for number in range(cases)],
            "sex": [("F", "M")[number % 2] for number in range(cases)],
        }
    )
    told = began.with_columns(
        is_ended=pl.lit(value=True), ended_on=pl.col("started_on") + 7 * pl.col("length")
    )
    points = past.points.join(began.select("case_id", "started_on"), on="case_id").with_columns(
        practice_day=pl.col("started_on") + pl.col("days")
    )
    return PastCases.of(PHQ9, told, points)


class Kept:
    """A store in memory that counts what it is asked."""

    def __init__(self) -> None:
        self.frames: dict[str, pl.DataFrame] = {}

    def recall(self, key: str) -> pl.DataFrame | None:
        return self.frames.get(key)

    def keep(self, key: str, frame: pl.DataFrame) -> None:
        self.frames[key] = frame


def test_the_json_is_plain_and_names_nobody() -> None:
    past = simulated()
    text = json.dumps(backtest(past, landmarks=FOURTH, resamples=20).as_json(), allow_nan=False)
    assert not [case for case in past.cases["case_id"] if case in text]
    assert "S-1" not in text
    found = json.loads(text)
    assert found["outcome"] == "clinical_without_gain"
    assert set(found["rules"]) == set(ALL)
    at = found["rules"]["naive_two_score"]["occasion_4"]
    assert at["auc_low"] <= at["auc"] <= at["auc_high"]
    difference = found["paired"]["occasion_4"]["outlook - naive_two_score"]
    assert difference["auc_low"] <= difference["auc"] <= difference["auc_high"]


def test_counts_of_a_landmark_add_up() -> None:
    found = backtest(simulated(), landmarks=FOURTH, rules=RULES, resamples=0).as_json()
    at = found["landmarks"]["occasion_4"]
    assert at["known"] + at["unknown"] + at["reviewed"] == at["at_risk"]
    assert sum(at["why_unknown"].values()) == at["unknown"]
    assert at["base_rate"] == pytest.approx(at["bad"] / at["known"])
    assert at["base_rate_if_unknown_good"] <= at["base_rate"] <= at["base_rate_if_unknown_bad"]
    rule = found["rules"]["status_rule"]["occasion_4"]
    assert rule["true_alarms"] + rule["missed"] == rule["bad"]
    assert rule["true_alarms"] + rule["false_alarms"] == rule["flagged"]


def test_a_second_back_test_reuses_what_did_not_change_and_says_the_same() -> None:
    past, store = simulated(), Kept()
    first = backtest(past, landmarks=FOURTH, rules=RULES, resamples=20, store=store).as_json()
    again = backtest(past, landmarks=FOURTH, rules=RULES, resamples=20, store=store).as_json()
    assert (first["split"].pop("reused"), again["split"].pop("reused")) == (
        0,
        again["split"]["blocks"],
    )
    assert first == again


def test_new_cases_cost_only_the_quarters_they_are_asked_in() -> None:
    past, store = simulated(), Kept()
    last = past.cases["started_on"].max()
    before = past.only(past.cases.filter(pl.col("ended_on") < last - 120)["case_id"])
    asked = backtest(before, landmarks=FOURTH, rules=RULES, resamples=0, store=store).as_json()
    found = backtest(past, landmarks=FOURTH, rules=RULES, resamples=0, store=store).as_json()
    assert asked["split"]["blocks"] - 2 <= found["split"]["reused"] < found["split"]["blocks"]


def test_the_status_in_the_replay_is_the_status_of_the_rule() -> None:
    past, rule = simulated(), status_rule()
    what = Outcome()
    moments = moments_of(past, what, [Landmark.named(str(k)) for k in range(1, 8)], rule)
    question = Question(measure=PHQ9, outcome=what, band_chance=rule.thresholds.band_chance)
    parts = list(
        cross_validation(
            moments.cases["client_id"], moments.is_bad[:160], repeats=1, folds=2, seed=1
        )
    )
    said = replay(question, moments, parts, ["status_rule"]).said["status_rule"]["score"][0]
    for part in parts:
        learned = moments.points.filter(
            pl.Series(part.learns_from[moments.points["case"].to_numpy()])
        )
        course = ExpectedCourse().fit(
            learned.select("baseline", "time").to_numpy(),
            learned["value"].to_numpy(),
            learned["case"].to_numpy(),
        )
        later = past.points.filter(pl.col("occasion") >= 1)
        design = np.column_stack([later["baseline"], np.log1p(later["occasion"].to_numpy())])
        chance = course.chance_this_bad(design, later["value"].to_numpy(), higher_is="worse")
        points = past.points.join(
            later.select("case_id", "occasion", chance_this_bad=pl.Series(chance)),
            on=["case_id", "occasion"],
            how="left",
        )
        whole = judge_occasions(points, rule, {"phq9": PHQ9}).select(
            "case_id",
            pl.col("occasion").cast(pl.Float64),
            rank=pl.col("status").replace_strict(RANK_OF_STATUS, return_dtype=pl.Float64),
        )
        asked = part.asks[moments.rows["case"].to_numpy()]
        wanted = moments.rows.select("case_id", "occasion").join(
            whole, on=["case_id", "occasion"], how="left", maintain_order="left"
        )["rank"]
        assert np.array_equal(said[asked], wanted.to_numpy()[asked])
    assert len(set(said.tolist())) >= 5


def test_an_outcome_of_which_hardly_a_case_has_three_later_scores_is_said_to_be_nearer() -> None:
    short = {f"c{k}": [18.0, 17.0, 10.0 + k % 9] for k in range(60)}
    past = past_of(short)
    cases = past.cases.with_columns(is_ended=pl.lit(value=True))
    found = backtest(
        PastCases.of(PHQ9, cases, past.points), rules=RULES, repeats=1, resamples=0
    ).as_json()
    assert found["later_scores"] == 1
    assert "partly defines its own outcome" in found["notes"][0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rules": ["guess"]}, "is no rule: choose from"),
        ({"outcome": "cured"}, "is no outcome: choose one of"),
        ({"landmarks": [Landmark.named("40")]}, "no case stands at"),
        ({"split": "calendar"}, "no calendar"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(options: dict[str, object], told: str) -> None:
    past = simulated()
    if options.get("split"):
        past = PastCases.of(PHQ9, past.cases, past.points.drop("practice_day"))
    with pytest.raises(PastCasesError, match=told):
        backtest(past, resamples=0, **options)  # type: ignore[arg-type]


def test_each_rule_flags_whom_its_own_line_says() -> None:
    asked = moments_of(
        past_of({"still": [18, 17], "fell": [18, 14], "gone": [18, 8], "worse": [12, 18]}),
        Outcome(),
        [Landmark.named("1")],
        status_rule(),
    )
    from models.rival_rules import Asked

    known = asked.rows.with_columns(chance_this_bad=pl.Series([0.2, 0.3, 0.9, 0.01]))
    question = Question(measure=PHQ9, outcome=Outcome(), band_chance=0.25)
    nobody = np.full(known.height, np.nan)
    here = Asked(known=known, is_bad=nobody, end_score=nobody)
    order = known["case_id"].to_list()
    flagged = {
        rule: {
            case
            for case, flag in zip(
                order, judge(rule, question, here.ended, here).is_flagged, strict=True
            )
            if flag == 1
        }
        for rule in ("reliable_change", "early_percent_change", "expected_course",
                     "naive_last_change")
    }  # fmt: skip
    assert flagged["reliable_change"] == {"still", "fell", "worse"}
    assert flagged["naive_last_change"] == {"still", "fell", "worse"}
    assert flagged["early_percent_change"] == {"still", "worse"}
    assert len(flagged["expected_course"]) == 1


def leaving_by_lot(*, days: int = 900) -> PastCases:
    """Everybody scores alike; a coin decides who drops out after two scores, on day 15."""
    random = np.random.default_rng(3)
    courses = {
        f"c{number:03d}": random.integers(12, 20, 3 if number % 2 else 14).astype(float).tolist()
        for number in range(200)
    }
    past = past_of(courses)
    told = past.cases.with_columns(
        started_on=pl.Series(random.integers(0, days, 200)),
        length=pl.Series([len(course) for course in courses.values()]),
        is_ended=pl.lit(value=True),
    ).with_columns(
        ended_on=pl.col("started_on") + 7 * (pl.col("length") - 1) + 1,
        dropped_out=pl.col("length") == 3,
    )
    points = past.points.join(
        told.select("case_id", began="started_on"), on="case_id"
    ).with_columns(practice_day=pl.col("began") + pl.col("days"))
    return PastCases.of(PHQ9, told, points.drop("began"))


def test_who_has_left_by_a_day_is_not_asked_about_leaving() -> None:
    past = leaving_by_lot()
    asked = [Landmark.named("day:14"), Landmark.named("day:28")]
    found = backtest(past, outcome="drop_out", landmarks=asked, rules=("naive_two_score",),
                     resamples=0).as_json()  # fmt: skip
    assert found["landmarks"]["day_14"]["at_risk"] == 200
    assert found["landmarks"]["day_28"]["at_risk"] == 100
    assert found["landmarks"]["day_28"]["bad"] == 0
    assert found["rules"]["naive_two_score"]["day_14"]["auc"] == pytest.approx(0.5, abs=0.12)


def test_drop_out_at_a_day_is_refused_where_nobody_knows_when_care_ended() -> None:
    past = leaving_by_lot()
    without = PastCases.of(
        PHQ9, past.cases.drop("ended_on", "started_on"), past.points.drop("practice_day")
    )
    with pytest.raises(PastCasesError, match="cannot be asked at a day"):
        backtest(without, outcome="drop_out", landmarks=[Landmark.named("day:28")])


def test_ends_that_nobody_told_are_an_error_and_no_empty_table() -> None:
    with pytest.raises(PastCasesError, match="how care ended is not told"):
        backtest(simulated(), outcome="drop_out", landmarks=FOURTH)


def test_reviewed_cases_are_neither_good_nor_unknown_in_the_bounds() -> None:
    past = simulated()
    cases = past.cases.with_columns(
        reviewed_on=pl.when(pl.int_range(pl.len()) < 40).then(pl.col("started_on") + 20)
    )
    reviewed = PastCases.of(PHQ9, cases, past.points)
    at = backtest(reviewed, landmarks=FOURTH, rules=RULES, resamples=0).as_json()["landmarks"]
    told = at["occasion_4"]
    assert told["reviewed"] > 0
    whole = told["known"] + told["unknown"]
    assert told["base_rate_if_unknown_good"] == pytest.approx(told["bad"] / whole)
    assert told["base_rate_if_unknown_bad"] == pytest.approx(
        (told["bad"] + told["unknown"]) / whole
    )


def test_how_care_ended_is_null_where_nobody_told_it() -> None:
    at = backtest(simulated(), landmarks=FOURTH, rules=RULES, resamples=0).as_json()["landmarks"]
    assert at["occasion_4"]["dropped_out"] is None
    assert at["occasion_4"]["ended_otherwise"] is None
