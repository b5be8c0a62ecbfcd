"""What followed flags: groups fixed on a day, nobody good by silence, few people hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from data_contracts.suppression import suppression_rule
from models.follow_up import (
    GROUPS,
    LANDMARK_DAYS,
    MEASURED,
    UNMEASURED,
    WENT_ON,
    WINDOW_DAYS,
    followed_flags,
)
from models.follow_up_tables import FEWEST_FOR_QUARTERS, follow_up

OPENED = 200
LANDMARK = OPENED + LANDMARK_DAYS
AS_OF = LANDMARK + WINDOW_DAYS
NO_ANSWERS = pl.DataFrame(
    schema={"case_id": pl.String, "kind": pl.String, "was_useful": pl.Boolean}
)


def flag(case_id: str = "a", **values: Any) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "kind": "stuck",
        "opened_on": OPENED,
        "first_seen_on": OPENED,
        "was_open": True,
    } | values


def weekly(case_id: str, *statuses: str, first: int = OPENED) -> list[tuple[str, int, str, float]]:
    return [(case_id, first + 7 * week, each, 0.0) for week, each in enumerate(statuses)]


def followed(
    flags: list[dict[str, Any]],
    scores: list[tuple[str, int, str, float]],
    *,
    ends: dict[str, tuple[int, bool | None]] | None = None,
    reviews: list[tuple[str, int, str]] | None = None,
    as_of: int = AS_OF,
) -> pl.DataFrame:
    ids = sorted({each["case_id"] for each in flags})
    found = [(each, *(ends or {}).get(each, (None, None))) for each in ids]
    return followed_flags(
        pl.DataFrame(flags),
        pl.DataFrame(
            found,
            schema={"case_id": pl.String, "ended_on": pl.Int64, "dropped_out": pl.Boolean},
            orient="row",
        ),
        pl.DataFrame(
            scores,
            schema={
                "case_id": pl.String,
                "on": pl.Int64,
                "status": pl.String,
                "gain": pl.Float64,
            },
            orient="row",
        ),
        pl.DataFrame(
            reviews or [],
            schema={"case_id": pl.String, "practice_day": pl.Int64, "decision": pl.String},
            orient="row",
        ),
        as_of,
    )


STUCK = ["stuck"] * 7


@pytest.mark.parametrize(
    ("day", "group", "is_later"),
    [
        (OPENED - 1, "not_reviewed", False),
        (OPENED, "reviewed", False),
        (LANDMARK, "reviewed", False),
        (LANDMARK + 1, "not_reviewed", True),
        (LANDMARK + WINDOW_DAYS + 1, "not_reviewed", False),
    ],
)
def test_the_group_is_fixed_on_the_fourteenth_day(day: int, group: str, is_later: bool) -> None:
    found = followed([flag()], weekly("a", *STUCK), reviews=[("a", day, "discussed")])
    assert found.select("group", "is_reviewed_later").row(0) == (group, is_later)


def test_a_flag_is_followed_from_the_day_it_was_first_on_a_screen() -> None:
    seen = OPENED + 40
    scores = weekly("a", *["stuck"] * 20)
    found = followed(
        [flag(first_seen_on=seen)],
        scores,
        reviews=[("a", seen + 3, "discussed")],
        as_of=seen + LANDMARK_DAYS + WINDOW_DAYS,
    )
    assert found["group"].to_list() == ["reviewed"]


def test_a_flag_nobody_could_see_is_told_apart_whether_or_not_it_still_stood() -> None:
    scores = weekly("a", *STUCK) + weekly("b", *STUCK)
    flags = [
        flag("a", first_seen_on=AS_OF, was_open=True),
        flag("b", first_seen_on=AS_OF, was_open=False),
    ]
    assert followed(flags, scores)["group"].to_list() == ["not_shown"] * 2


def test_what_was_over_before_it_was_shown_is_not_followed_while_its_weeks_have_not_passed() -> (
    None
):
    flags = [flag(first_seen_on=OPENED + 20, was_open=False)]
    assert followed(flags, weekly("a", *STUCK), as_of=AS_OF + 500).is_empty()


def test_a_flag_whose_weeks_have_not_passed_is_not_told_of() -> None:
    assert followed([flag()], weekly("a", *STUCK), as_of=AS_OF - 1).is_empty()


@pytest.mark.parametrize(
    ("status", "went_on"),
    [
        ("recovered", "better"),
        ("improved", "better"),
        ("on_track", "under_way"),
        ("watch", "under_way"),
        ("cannot_judge", "under_way"),
        ("stuck", "stuck"),
        ("deteriorating", "worse"),
    ],
)
def test_the_fourth_later_score_says_how_it_went_on(status: str, went_on: str) -> None:
    # scores on days 0, 7 and 14 lie before the landmark; the fourth after it is the seventh
    course = ["stuck"] * 6 + [status] + ["recovered"] * 2
    assert followed([flag()], weekly("a", *course))["went_on"].to_list() == [went_on]


@pytest.mark.parametrize(
    ("end", "went_on"),
    [
        ((LANDMARK + 8, True), "dropped_out"),
        ((LANDMARK + 8, False), "ended"),
        ((LANDMARK + 8, None), "ended"),
        (None, "fewer_scores"),
    ],
)
def test_without_a_fourth_score_a_case_is_neither_good_nor_bad(
    end: tuple[int, bool | None] | None, went_on: str
) -> None:
    course = ["stuck", "stuck", "stuck", "recovered"]  # better at the only later score
    ends = {"a": end} if end else {}
    found = followed([flag()], weekly("a", *course), ends=ends)
    assert found["went_on"].to_list() == [went_on]
    assert went_on in UNMEASURED
    assert found["gain"].to_list() == [None]


def test_care_that_had_ended_by_the_landmark_is_in_no_group() -> None:
    found = followed(
        [flag()], weekly("a", "stuck"), ends={"a": (LANDMARK, True)}, reviews=[("a", OPENED, "x")]
    )
    assert found.select("group", "went_on").row(0) == ("ended_first", None)


def test_a_case_counts_once_within_a_kind_with_its_first_flag() -> None:
    again = flag(opened_on=OPENED + 60, first_seen_on=OPENED + 60)
    alliance = flag(kind="alliance_low", opened_on=OPENED + 7, first_seen_on=OPENED + 7)
    found = followed(
        [again, flag(), alliance],
        weekly("a", *["stuck"] * 12),
        reviews=[("a", OPENED + 61, "discussed")],
        as_of=AS_OF + 100,
    )
    assert found.select("kind", "group").rows() == [
        ("alliance_low", "not_reviewed"),
        ("stuck", "not_reviewed"),
    ]


def test_scores_and_ends_after_the_landmark_change_no_group() -> None:
    draw = np.random.default_rng(1)
    ids = [f"c{number}" for number in range(80)]
    flags = [flag(each, first_seen_on=OPENED + int(draw.integers(0, 120))) for each in ids]
    before = [row for each in ids for row in weekly(each, "stuck", "stuck", "stuck")]
    reviews = [(each, OPENED + int(draw.integers(0, 60)), "discussed") for each in ids[::2]]
    last = OPENED + 120 + LANDMARK_DAYS
    groups = []
    for later in ("recovered", "deteriorating"):
        scores = before + [row for each in ids for row in weekly(each, *[later] * 9, first=last)]
        ends = {each: (last + int(draw.integers(1, 200)), True) for each in ids}
        found = followed(flags, scores, ends=ends, reviews=reviews, as_of=last + 500)
        groups.append(found.select("case_id", "group").rows())
    assert groups[0] == groups[1]
    assert {group for _, group in groups[0]} == {"reviewed", "not_reviewed", "not_shown"} or {
        group for _, group in groups[0]
    } == {"reviewed", "not_reviewed"}


def practice_without_any_effect(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Talks and ends by chance: what is followed; and was it ever talked about, did it last?"""
    draw = np.random.default_rng(seed)
    flags, scores, reviews, ends, plain = [], [], [], {}, []
    for number in range(3000):
        case = f"c{number}"
        end, talk = (int(day) for day in draw.exponential((90, 60)))
        flags.append(flag(case))
        statuses = draw.choice(["improved", "stuck"], size=40, p=[0.3, 0.7])
        scores += [row for row in weekly(case, *statuses) if row[1] <= OPENED + end]
        ends[case] = (OPENED + end, True)
        if talk < end:
            reviews.append((case, OPENED + talk, "discussed"))
        plain.append((talk < end, end > LANDMARK_DAYS + WINDOW_DAYS))
    found = followed(flags, scores, ends=ends, reviews=reviews, as_of=AS_OF + 2000)
    return found, pl.DataFrame(plain, schema=["ever", "lasted"], orient="row")


def test_talks_and_ends_by_chance_look_alike_from_the_landmark_and_only_from_there() -> None:
    found, plain = practice_without_any_effect(seed=3)
    share = {
        group: (found.filter(group=group)["went_on"] == "dropped_out").mean()
        for group in ("reviewed", "not_reviewed")
    }
    assert share["reviewed"] == pytest.approx(share["not_reviewed"], abs=0.06)
    # the comparison that is not made: ever talked about against never
    lasted = dict(plain.group_by("ever").agg(pl.col("lasted").mean()).iter_rows())
    assert lasted[True] - lasted[False] > 0.3


def counted(sizes: dict[tuple[str, str], int], later: int = 0) -> pl.DataFrame:
    rows = []
    for (group, went_on), size in sizes.items():
        for number in range(size):
            is_measured = went_on in MEASURED
            rows.append(
                {
                    "case_id": f"{group}-{went_on}-{number}",
                    "kind": "stuck",
                    "group": group,
                    "decision": "discussed" if group == "reviewed" else None,
                    "is_reviewed_later": group == "not_reviewed" and number < later,
                    "went_on": went_on,
                    "gain": 1.0 if is_measured else None,
                    "weeks_to_next": 1.0 if is_measured else None,
                }
            )
    return pl.DataFrame(rows, schema_overrides={"decision": pl.String})


def test_counts_of_few_people_are_nowhere_to_be_seen() -> None:
    draw = np.random.default_rng(7)
    rule = suppression_rule("default")
    for _ in range(15):
        sizes = {
            (group, each): int(draw.choice([0, 2, 5, 9, 14, 40]))
            for group in GROUPS
            for each in WENT_ON
        }
        if not sum(sizes.values()):
            continue
        told = follow_up(counted(sizes, later=3), NO_ANSWERS, rule)
        for column in ("numerator", "denominator"):
            small = told.filter(pl.col(column).is_between(1, rule.hide_up_to, closed="both"))
            # 8 and 9 people round to 10: what is shown stands for more than are hidden
            assert small.is_empty()
            assert (told[column].drop_nulls() % rule.round_to == 0).all()
        hidden = told.filter("is_suppressed")
        assert hidden["numerator"].null_count() == hidden.height
        by_key = {(row["group_id"], row["category"]): row for row in told.to_dicts()}
        for (group, each), size in sizes.items():
            if 0 < size <= rule.hide_up_to and (group, each) in by_key:
                assert by_key[group, each]["is_suppressed"]


def test_one_hidden_outcome_cannot_be_had_from_the_rest_of_its_group() -> None:
    rule = suppression_rule("england")
    sizes = {("reviewed", each): 41 for each in WENT_ON} | {("reviewed", "worse"): 3}
    told = follow_up(counted(sizes), NO_ANSWERS, rule)
    rows = told.filter(figure="went_on", group_id="reviewed")
    off = (rule.round_to - 1) // 2
    bounds = [
        (0, rule.hide_up_to if category == "worse" else None)
        if count is None
        else (count - off, count + off)
        for category, count in rows.select("category", "numerator").iter_rows()
    ]
    total = told.filter(figure="flagged", group_id="reviewed")["numerator"][0]
    wish = np.array(rows["category"] == "worse", dtype=float)
    ends = [
        sign * linprog(
            sign * wish,
            A_ub=[[1.0] * rows.height, [-1.0] * rows.height],
            b_ub=[1e4 if total is None else total + off, 0 if total is None else off - total],
            bounds=bounds,
        ).fun
        for sign in (1, -1)
    ]  # fmt: skip
    assert rows.filter(category="worse")["is_suppressed"].item()
    assert ends[1] - ends[0] >= rule.hide_up_to - 1


def test_the_spread_of_few_gains_is_not_told() -> None:
    rule = suppression_rule("default")
    for size in (FEWEST_FOR_QUARTERS - 1, FEWEST_FOR_QUARTERS):
        told = follow_up(counted({("reviewed", "better"): size}), NO_ANSWERS, rule)
        middle = told.filter(figure="measured", group_id="reviewed")["middle"].to_list()
        assert middle == ([1.0] if size >= FEWEST_FOR_QUARTERS else [None])


def test_the_first_answer_about_a_case_and_kind_counts_and_silence_is_no_answer() -> None:
    answers = pl.DataFrame(
        [(f"c{number}", "stuck", True) for number in range(30)]
        + [(f"c{number}", "stuck", False) for number in range(30)]
        + [(f"d{number}", "stuck", None) for number in range(30)]
        + [(f"e{number}", "watch", True) for number in range(30)],
        schema={"case_id": pl.String, "kind": pl.String, "was_useful": pl.Boolean},
        orient="row",
    )
    none = counted({("reviewed", "better"): 1}).clear()
    told = follow_up(none, answers, suppression_rule("default")).filter(figure="useful")
    assert told.select("kind", "numerator", "denominator").rows() == [("stuck", 30, 30)]


def test_the_order_of_rows_changes_nothing() -> None:
    found, _ = practice_without_any_effect(seed=4)
    rule = suppression_rule("default")
    shuffled = found.sample(fraction=1.0, shuffle=True, seed=1)
    assert follow_up(found, NO_ANSWERS, rule).equals(follow_up(shuffled, NO_ANSWERS, rule))
