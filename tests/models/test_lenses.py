"""Each place to look says what it saw at its line, is silent before it, and keeps its order."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from data_contracts.lenses import lens_contract
from data_contracts.measures import built_in_measures
from data_contracts.rule import status_rule
from data_contracts.wording import marks
from models.alliance import alliance_points
from models.alliance_patterns import alliance_patterns
from models.course_events import alliance_events
from models.lens_inputs import LensInputs, lens_inputs
from models.lenses import lenses

MEASURES = built_in_measures()
THRESHOLDS = status_rule().thresholds
DAY = 140


def scored(measure_id: str, values: list[float], **more: Any) -> list[dict[str, Any]]:
    """Return one score a session, from session 1, a week apart."""
    row = {"case_id": "c1", "measure_id": measure_id, "subscale": "total", "rater": "client"}
    return [
        row
        | {
            "occasion": place,
            "at": place + 1,
            "session": place + 1,
            "day": 7 * place,
            "value": float(value),
        }
        | more
        for place, value in enumerate(values)
    ]


def attended(count: int, missed: tuple[int, ...] = (), late: tuple[int, ...] = ()) -> list[Any]:
    return [
        {
            "case_id": "c1",
            "session": session,
            "day": 7 * (session - 1),
            "attended": session not in missed,
            "is_late_cancellation": session in late or None,
        }
        for session in range(1, count + 1)
    ]


def tasks(done: list[float | None], **more: Any) -> list[dict[str, Any]]:
    """Return homework by session; None: nothing was set."""
    return [
        {"case_id": "c1", "session": place, "assigned": share is not None, "done_percent": share}
        | more
        for place, share in enumerate(done, 1)
    ]


def inputs(*, has_clear_gain: bool | None = False, **frames: Any) -> LensInputs:
    """Return one stuck case; alliance points and patterns follow from its scores."""
    case = {
        "case_id": "c1",
        "day": DAY,
        "has_clear_gain": has_clear_gain,
        "measure_id": "phq9",
        "safety": frames.pop("safety", []),
    }
    given = lens_inputs(MEASURES, THRESHOLDS, cases=[case], **frames)
    points, events = [given.alliance], [given.patterns]
    for name in ("srs", "wai_sr"):
        rated = given.points.filter(pl.col("measure_id") == name)
        totals = rated.filter((pl.col("subscale") == "total") & (pl.col("rater") == "client"))
        if rated.is_empty():
            continue
        ratings = totals.select("case_id", "at", "session", "day", "value")
        points.append(alliance_points(ratings, MEASURES[name], THRESHOLDS))
        patterns = alliance_patterns(rated, MEASURES[name], THRESHOLDS)
        events.append(
            alliance_events(patterns, MEASURES[name], THRESHOLDS)
            .filter(pl.col("until_occasion").is_null())
            .select("case_id", "measure_id", "kind", "session", "day", "parameters")
        )
    return lens_inputs(
        MEASURES,
        THRESHOLDS,
        cases=given.cases,
        points=given.points,
        alliance=pl.concat(points, how="diagonal"),
        patterns=pl.concat(events, how="diagonal"),
        sessions=given.sessions,
        homework=given.homework,
        focus=given.focus,
        life_events=given.life_events,
    )


def told(**frames: Any) -> dict[str, tuple[str | None, str]]:
    """Return strength and sentence of every row with a sentence."""
    found = lenses(inputs(**frames)).filter(pl.col("sentence") != "")
    return {
        row[0]: (row[1], row[2]) for row in found.select("row_id", "strength", "sentence").rows()
    }


def in_order(**frames: Any) -> list[str]:
    return lenses(inputs(**frames)).sort("position")["row_id"].to_list()


def leading(**frames: Any) -> list[str]:
    return lenses(inputs(**frames)).filter("is_leading")["row_id"].to_list()


def parts(bond: list[float], goal: list[float], task: list[float]) -> list[dict[str, Any]]:
    return [
        *scored("wai_sr", bond, subscale="bond"),
        *scored("wai_sr", goal, subscale="goal"),
        *scored("wai_sr", task, subscale="task"),
    ]


def areas(individual: list[float], interpersonal: list[float], social: list[float]) -> list[Any]:
    return [
        *scored("ors", individual, subscale="individual"),
        *scored("ors", interpersonal, subscale="interpersonal"),
        *scored("ors", social, subscale="social"),
    ]


STEADY = [37.0, 38, 37, 38, 37]

SAYS: list[tuple[str, str, str | None, dict[str, Any], str]] = [
    # row, variant, strength, inputs, words of the sentence
    ("safety_item", "flagged", "strong",
     {"points": scored("phq9", [0, 2], subscale="item_9"), "safety": ["phq9/item_9"]},
     "was answered 2 (session 2)"),
    ("safety_item", "above", "moderate",
     {"points": scored("phq9", [0, 1], subscale="item_9")}, "was last answered 1 (session 2)"),
    ("safety_item", "recent", "weak",
     {"points": scored("phq9", [0, 1, 0, 0], subscale="item_9")},
     "was answered 1 (session 2), 0 since."),
    ("safety_item", "recent", "weak",
     {"points": scored("phq9", [2, 1, 0], subscale="item_9")}, "1 (session 2), 0 since."),
    ("unsafe_people", "high", "strong", {"points": scored("unsafe_people", [0, 7])}, "7 of 10"),
    ("unsafe_people", "high", "moderate", {"points": scored("unsafe_people", [0, 3])}, "3 of 10"),
    ("scores_missing", "missing", "moderate",
     {"points": scored("phq9", [20, 20, 20]), "sessions": attended(6)},
     "3 of the last 6 attended sessions have no PHQ-9 score"),
    ("alliance_unrepaired", "fell", "strong", {"points": scored("srs", [*STEADY, 30, 30, 30])},
     "SRS fell at session 6 from about 37.4 to 30 and has not come back in 3 ratings (now 30)."),
    ("alliance_unrepaired", "fell", "strong", {"points": scored("srs", [*STEADY, 30, 31, 32])},
     "SRS fell at session 6 from about 37.4 to 30 and has not come back in 3 ratings (now 32)."),
    ("alliance_unrepaired", "fell_early", "moderate",
     {"points": scored("srs", [38, 38, 38, 30, 30, 31])},
     "fell at session 4 from about 38 to 30 and has not come back in 3 ratings (now 31; few"),
    ("alliance_weak", "low", "strong", {"points": scored("srs", [37, 34, 34])}, "(34 and 34)"),
    ("alliance_weak", "low", "moderate", {"points": scored("srs", [37, 36, 35])}, "(36 and 35)"),
    ("alliance_weak", "relationship", "weak",
     {"points": [*scored("srs", [38, 38]), *scored("srs", [8, 8.5], subscale="relationship")]},
     "SRS Relationship was rated 8 and 8.5 of 10"),
    ("alliance_ceiling", "mostly", "moderate", {"points": scored("srs", [40, 39, 40, 40, 40])},
     "in the last four ratings and in most before"),
    ("alliance_ceiling", "last", "moderate",
     {"points": scored("srs", [36, 36, 36, 36, 39, 40, 40, 40])}, "last four ratings, while"),
    ("alliance_ceiling", "flat", "weak", {"points": scored("srs", [37, 37, 37, 37])},
     "was 37 in each of the last four ratings"),
    ("too_congenial", "warm", "moderate",
     {"points": parts([20, 20, 20], [12, 12, 12], [18, 18, 18])},
     "WAI-SR Bond is high (20) while WAI-SR Goal (12)"),
    ("too_congenial", "warm_no_task", "strong",
     {"points": parts([20, 20], [12, 12], [18, 18]), "homework": tasks([None, 50.0, None, None])},
     "set in 1 of the last 4 sessions"),
    ("work_disagreement", "behind", "moderate",
     {"points": parts([17, 17], [11, 11], [15, 15])}, "WAI-SR Goal (11) has been well below"),
    ("work_disagreement", "item", "weak",
     {"points": [row for name, value in (("relationship", 9.5), ("goals", 8.0), ("approach", 9.0))
                 for row in scored("srs", [value] * 2, subscale=name)]},
     "SRS Goals and topics was rated 8 and 8 of 10"),
    ("raters_apart", "apart", "moderate",
     {"points": [*scored("srs", [38, 38]), *scored("srs", [38, 30], rater="clinician")]},
     "SRS: client 38, therapist 30 (session 2)"),
    ("problem_disagreement", "apart", "moderate",
     {"points": [*scored("problem_agreement", [8]),
                 *scored("problem_agreement", [5], rater="clinician")]},
     "client 8, therapist 5 of 10"),
    ("problem_disagreement", "low", "moderate", {"points": scored("problem_agreement", [6, 4])},
     "last rated 4 of 10"),
    ("focus_not_agreed", "other", "moderate",
     {"focus": [{"case_id": "c1", "session": s, "is_agreed": s == 1} for s in range(1, 5)]},
     "In 3 of the last 4 sessions"),
    ("hope", "low", "moderate", {"points": scored("expectation", [4, 3, 3])}, "3 of 10"),
    ("hope", "low", "strong", {"points": scored("expectation", [6, 3, 3])}, "(first 6)"),
    ("hope", "low", "weak", {"points": scored("expectation", [2])}, "in the only rating so far"),
    ("hope", "fell", "moderate", {"points": scored("expectation", [8, 7, 5])},
     "fell from 8 (session 1) to 6 of 10 in the last two ratings"),
    ("hope", "fell", "strong", {"points": scored("expectation", [9, 5, 4])}, "to 4.5 of 10"),
    ("hope", "fell_once", "weak", {"points": scored("expectation", [8, 8, 6])}, "after 8 at first"),
    ("relief_only", "relief", "moderate", {"points": scored("relief", [7, 7, 8])}, "7.3 of 10"),
    ("safety_behaviour", "high", "moderate", {"points": scored("safety_behaviour", [7, 6, 6])},
     "6.3 of 10 in the last three ratings (first 7)"),
    ("unspoken_doubts", "not_held", "moderate", {"sessions": attended(6, (2, 4, 5), (5,))},
     "3 of the last 6 sessions offered did not take place, 1 of them cancelled late."),
    ("unspoken_doubts", "not_held", "weak", {"sessions": attended(6, (2, 4))},
     "2 of the last 6 sessions offered did not take place."),
    ("unspoken_doubts", "skipped", "moderate",
     {"sessions": attended(6), "points": scored("srs", [38, 38, 37])},
     "3 of the last 6 attended sessions have no session rating"),
    ("unspoken_doubts", "both", "moderate",
     {"sessions": attended(6, (5, 6)), "points": scored("srs", [38])}, "and 3 of the last 4"),
    ("insight_without_action", "gap", "moderate",
     {"points": scored("understanding", [8, 9]), "homework": tasks([10.0, 20, 30])},
     "Understanding averaged 8.5 of 10, while 20 % of what was set was done"),
    ("bearing_discomfort", "low", "moderate", {"points": scored("willingness", [4, 4])}, "4 of 10"),
    ("bearing_discomfort", "fell", "moderate", {"points": scored("willingness", [9, 7, 6])}, "6.5"),
    ("bearing_discomfort", "fell_once", "weak", {"points": scored("willingness", [9, 9, 6])}, "6"),
    ("homework_not_done", "little", "strong", {"homework": tasks([100.0, 10, 20, 30])},
     "the last 3 times, 20 % was done"),
    ("homework_not_done", "little", "moderate", {"homework": tasks([40.0, 40, 50])}, "43 %"),
    ("homework_not_set", "seldom", "strong", {"homework": tasks([80.0, None, None, None, None])},
     "set in 0 of the last 4"),
    ("homework_not_set", "seldom", "moderate", {"homework": tasks([None, None, 80.0, None])},
     "set in 1 of the last 4"),
    ("homework_quality", "low", "moderate", {"homework": tasks([60.0, 60, 60], quality=1.0)},
     "rated 1 of 4 on average, the last 3 times"),
    ("homework_hindrance", "noted", "weak", {"homework": tasks([0.0, 0, 0], hindrance="too_big")},
     "too big a step (3 of the last 3)"),
    ("homework_hindrance", "noted", "weak", {"homework": tasks([0.0], hindrance="a name")},
     "something else (1 of the last 1)"),
    ("strongest_domain", "best", None, {"points": areas([3, 3], [4, 4], [7, 8])},
     "ORS Socially goes best at present (7.5 of 10)"),
    ("support", "low", "moderate", {"points": scored("support", [5, 4, 4])}, "(first 5)"),
    ("support", "low", "strong", {"points": scored("support", [2, 2])}, "2 of 10"),
    ("support", "fell", "moderate", {"points": scored("support", [9, 7, 6])}, "to 6.5 of 10"),
    ("support", "fell_once", "weak", {"points": scored("support", [9, 9, 6])}, "was rated 6 of 10"),
    ("support", "part", "moderate", {"points": areas([5, 6, 6], [3, 3, 3], [6, 7, 7])},
     "ORS Interpersonally is the lowest area (3 of 10)"),
    ("domain_flat", "still", "weak",
     {"points": [*areas([4, 7, 7], [4, 6, 6], [4, 4, 4]),
                 *scored("ors", [18, 24, 24], level_gain=6.0)]},
     "ORS Socially is about where it was at the start (4 of 10), while ORS as a whole has"),
    ("life_events", "new", "moderate",
     {"life_events": [{"case_id": "c1", "day": DAY - 28, "kind": "bereavement"},
                      {"case_id": "c1", "day": DAY - 29, "kind": "move"}]},
     "before the last contact: bereavement (day 112)."),
    ("own_processes", "enough", None, {"points": scored("relief", [5.0] * 20)},
     "There are 20 ratings of relief after the session"),
    ("flexibility", "still", "moderate", {"points": scored("flexibility", [3, 4, 4])}, "(first 3)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row_id", "variant", "strength", "frames", "words"),
    SAYS,
    ids=[f"{row}-{variant}-{strength}" for row, variant, strength, *_ in SAYS],
)
def test_a_row_says_what_it_saw(
    row_id: str, variant: str, strength: str | None, frames: dict[str, Any], words: str
) -> None:
    found = told(**frames)
    assert row_id in found, variant
    assert found[row_id][0] == strength
    assert words in found[row_id][1]
    assert "{" not in found[row_id][1]
    assert "?" not in found[row_id][1]


def test_every_sentence_of_every_row_of_a_case_is_tried_above() -> None:
    tried = {(row, variant) for row, variant, *_ in SAYS}
    declared = {(row.id, name) for row in lens_contract().of_cases for name in row.sentences}
    assert tried == declared


SILENT: list[tuple[str, dict[str, Any]]] = [
    ("unsafe_people", {"points": scored("unsafe_people", [5, 2])}),
    ("safety_item", {"points": scored("phq9", [1, 0, 0, 0, 0], subscale="item_9")}),
    ("scores_missing", {"points": scored("phq9", [20] * 5), "sessions": attended(6)}),
    ("alliance_unrepaired", {"points": scored("srs", [*STEADY, 30, 30, 37])}),
    ("alliance_weak", {"points": scored("srs", [30, 37, 36])}),
    ("alliance_ceiling", {"points": scored("srs", [40, 40, 38, 40])}),
    ("alliance_ceiling", {"points": scored("srs", [40] * 5), "has_clear_gain": True}),
    ("too_congenial", {"points": parts([17, 17], [11, 11], [15, 15])}),
    ("too_congenial", {"points": parts([20, 20], [12, 12], [18, 18]), "has_clear_gain": True}),
    ("work_disagreement", {"points": parts([17, 17], [14, 14], [15, 15])}),
    ("raters_apart", {"points": [*scored("srs", [38]), *scored("srs", [34], rater="clinician")]}),
    ("focus_not_agreed", {"focus": [{"case_id": "c1", "session": s, "is_agreed": s > 2}
                                    for s in range(1, 5)]}),
    ("hope", {"points": scored("expectation", [6, 5, 5])}),
    ("relief_only", {"points": scored("relief", [9, 9, 9]), "has_clear_gain": True}),
    ("safety_behaviour", {"points": scored("safety_behaviour", [9, 7, 6, 6])}),
    ("unspoken_doubts", {"sessions": attended(6, (3,))}),
    ("strongest_domain", {"points": areas([1, 1], [1, 1], [1, 1])}),
    ("strongest_domain", {"points": areas([3, 3], [8, 8], [8, 8])}),
    ("strongest_domain", {"points": areas([3, 3], [2, 2], [5, 5])}),
    ("strongest_domain", {"points": [row for part in ("work", "home")
                                     for row in scored("wsas", [8], subscale=part)]}),
    ("strongest_domain", {"points": [row for part, value in (("work", 8.0), ("home", 7.0))
                                     for row in scored("wsas", [value], subscale=part)]}),
    ("strongest_domain", {"points": scored("ors", [8, 8], subscale="social")}),
    ("insight_without_action", {"points": scored("understanding", [9, 9]),
                                "homework": tasks([80.0, 80, 80])}),
    ("homework_not_done", {"homework": tasks([10.0, 60, 50, 40])}),
    ("homework_not_set", {"homework": tasks([None, None, 80.0, 80.0])}),
    ("support", {"points": scored("support", [6, 5, 5])}),
    ("support", {"points": areas([5, 6, 6], [3, 5, 5], [6, 7, 7])}),
    ("support", {"points": areas([3, 3, 3], [3, 3, 3], [6, 7, 7])}),
    ("support", {"points": areas([10, 10, 10], [9, 9, 9], [10, 10, 10])}),
    ("support", {"points": scored("ors", [3, 3, 3], subscale="interpersonal")}),
    ("domain_flat", {"points": [*areas([4, 7, 7], [4, 6, 6], [4, 4, 4]),
                                *scored("ors", [18, 20, 20], level_gain=2.0)]}),
    ("flexibility", {"points": scored("flexibility", [2, 4, 4])}),
]  # fmt: skip


@pytest.mark.parametrize(("row_id", "frames"), SILENT, ids=[row for row, _ in SILENT])
def test_before_its_line_a_row_was_looked_at_and_says_nothing(
    row_id: str, frames: dict[str, Any]
) -> None:
    found = lenses(inputs(**frames)).filter(pl.col("row_id") == row_id)
    assert found.select("has_data", "strength", "sentence").rows() == [(True, None, "")]


WHILE_NO_GAIN: list[tuple[str, list[dict[str, Any]]]] = [
    ("relief_only", scored("relief", [9, 9, 9])),
    ("alliance_ceiling", scored("srs", [40] * 5)),
    ("alliance_ceiling", scored("srs", [37] * 5)),
    ("too_congenial", parts([20, 20], [12, 12], [18, 18])),
]


@pytest.mark.parametrize(("row_id", "points"), WHILE_NO_GAIN)
def test_where_no_outcome_was_judged_nothing_is_said_about_its_gain(
    row_id: str, points: list[dict[str, Any]]
) -> None:
    assert "the outcome shows no clear gain" in told(points=points)[row_id][1]
    unknown = lenses(inputs(points=points, has_clear_gain=None)).filter(pl.col("row_id") == row_id)
    assert unknown.select("has_data", "strength", "sentence").rows() == [(False, None, "")]


def test_sessions_that_did_not_take_place_are_not_called_late_unless_that_was_noted() -> None:
    cancelled_in_good_time = [
        row | {"is_late_cancellation": False} for row in attended(6, (2, 4, 5))
    ]
    said = told(sessions=cancelled_in_good_time)["unspoken_doubts"][1]
    assert said == "3 of the last 6 sessions offered did not take place."


def test_an_assessment_session_counts_neither_as_offered_nor_as_one_that_did_not_take_place() -> (
    None
):
    assessment = [row | {"session": row["session"] - 1} for row in attended(6, (1, 3))]
    assert "unspoken_doubts" not in told(sessions=assessment)
    later = [*assessment, *attended(6, (6,))[5:]]
    assert told(sessions=later)["unspoken_doubts"][1].startswith("2 of the last 6")


def test_events_after_the_last_contact_are_told_at_the_next_one() -> None:
    later = [{"case_id": "c1", "day": DAY + 1, "kind": "move"}]
    assert not lenses(inputs(life_events=later)).filter(row_id="life_events")["has_data"].any()
    today = [{"case_id": "c1", "day": DAY, "kind": "bereavement"}]
    assert told(life_events=today + later)["life_events"][1].endswith("bereavement (day 140).")


FAR = {"day": 200, "session": 20, "at": 20}


def test_two_raters_of_the_problem_are_compared_only_about_the_same_time() -> None:
    client = scored("problem_agreement", [9])
    far = scored("problem_agreement", [5], rater="clinician", **FAR)
    assert "problem_disagreement" not in told(points=client + far)
    near = [row | {"day": THRESHOLDS.pair_days} for row in far]
    assert told(points=client + near)["problem_disagreement"][1].endswith("therapist 5 of 10.")
    same_session = [row | {"session": 1} for row in far]
    assert "problem_disagreement" in told(points=client + same_session)


def test_an_old_rating_of_the_problem_is_not_called_the_last_one() -> None:
    old = scored("problem_agreement", [2])
    last = scored("problem_agreement", [8], rater="clinician", **FAR)
    assert "problem_disagreement" not in told(points=old + last)
    low_now = [row | {"value": 3.0} for row in last]
    said = told(points=old + low_now)["problem_disagreement"][1]
    assert said == "Agreement on the problem was last rated 3 of 10."


def test_three_tasks_four_sessions_and_six_sessions_are_waited_for() -> None:
    found = lenses(inputs(homework=tasks([0.0, 0.0, None]), sessions=attended(5, (2,)))).filter(
        "has_data"
    )
    assert set(found["row_id"]) == set()


def test_without_any_data_every_row_of_a_case_is_there_and_says_so() -> None:
    found = lenses(inputs())
    assert set(found["row_id"]) == {row.id for row in lens_contract().of_cases}
    assert not found["has_data"].any()
    assert not found["is_leading"].any()
    assert found["position"].to_list() == list(range(1, found.height + 1))


def test_the_marks_of_a_sentence_are_its_parameters() -> None:
    found = lenses(inputs(points=scored("expectation", [4, 3, 3]))).filter(row_id="hope")
    named = set(pl.Series(found["parameters"]).str.json_decode(
        pl.Struct(dict.fromkeys(("first", "level", "over"), pl.String))
    ).struct.fields)  # fmt: skip
    assert named == set(marks(lens_contract().rows[12].sentences["low"]))


# --- order -------------------------------------------------------------------------------------


def test_safety_and_missing_data_come_first_and_never_lead() -> None:
    frames = {
        "points": [
            *scored("phq9", [20, 20]),
            *scored("phq9", [0, 2], subscale="item_9"),
            *scored("expectation", [4, 3, 3]),
        ],
        "sessions": attended(6),
        "safety": ["phq9/item_9"],
    }
    assert in_order(**frames)[:4] == ["safety_item", "unsafe_people", "scores_missing", "hope"]
    assert leading(**frames) == ["hope"]


def test_the_strongest_sign_leads_whatever_its_lens() -> None:
    homework = tasks([10.0, 10, 10])  # strong
    assert leading(points=scored("srs", [37, 36, 35]), homework=homework) == ["homework_not_done"]
    assert leading(points=scored("support", [2, 2])) == ["support"]


def test_of_equally_strong_signs_the_lens_asked_first_leads() -> None:
    homework = tasks([10.0, 10, 10])
    assert leading(points=scored("srs", [37, 30, 30]), homework=homework) == ["alliance_weak"]
    both = [*scored("support", [4, 4]), *scored("expectation", [4, 3, 3])]
    assert leading(points=both) == ["hope"]


def test_rows_of_one_lens_stand_together_the_strongest_sign_first() -> None:
    points = [*scored("srs", [*STEADY, 36, 36, 36, 30, 30, 30]), *scored("expectation", [4, 3, 3])]
    order = in_order(points=points, homework=tasks([10.0, 10, 10]))
    assert order.index("homework_not_done") < order.index("hope")
    alliance = [place for place, row in enumerate(order) if row.startswith(("alliance", "raters"))]
    assert max(alliance) < order.index("homework_not_done")


def test_what_goes_best_stands_before_what_does_not_and_never_leads() -> None:
    points = [*areas([3, 3, 3], [2, 2, 2], [7, 8, 8])]
    order = in_order(points=points)
    assert order.index("strongest_domain") < order.index("support")
    assert leading(points=points) == ["support"]


def test_a_case_has_one_leading_row_at_most_whatever_is_found() -> None:
    points = [*scored("srs", [30, 30]), *scored("expectation", [3, 3]), *scored("support", [2, 2])]
    assert len(leading(points=points, homework=tasks([0.0, 0, 0]))) == 1


def test_cases_do_not_see_each_other_and_the_order_of_rows_does_not_matter() -> None:
    one = inputs(points=scored("srs", [37, 30, 30]), homework=tasks([10.0, 10, 10]))
    others = {
        name: pl.concat(
            [frame, frame.with_columns(case_id=pl.lit("c2"))]
            if name != "points"
            else [frame.with_columns(value=20.0, case_id=pl.lit("c2")), frame.reverse()]
        )
        for name in ("cases", "points", "alliance", "patterns", "homework")
        for frame in [getattr(one, name)]
    }
    both = lens_inputs(MEASURES, THRESHOLDS, **others)
    assert lenses(both).filter(case_id="c1").equals(lenses(one))


def test_two_alliance_measures_say_the_stronger_of_the_two() -> None:
    points = [*scored("srs", [37, 36, 36]), *scored("wai_sr", [40, 30, 30])]
    assert told(points=points)["alliance_weak"][1].startswith("WAI-SR")
