"""Outlook and need in the night: nothing later counts, nothing is lost, the worst need is first."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_contracts.tables_evidence import (
    EVIDENCE_BUDGET,
    EVIDENCE_FIGURES,
    EVIDENCE_LANDMARKS,
)
from models.outlook import OutlookAnswer
from pipelines import step_7_outlook, step_8_need
from pipelines.evidence_tables import rows_of
from pipelines.reading_reviews import REVIEWS

pytestmark = pytest.mark.usefixtures("trusted")

PRIMARY = "clinical_without_gain"
WORSE, DROP_OUT = "reliable_deterioration", "drop_out"


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """What a night must know of a model."""

    case_count: int = 412


@dataclass(kw_only=True)
class ByLastScore:
    """A model whose chance is the last score, from 0 to 27; it refuses the ninth occasion on."""

    version: str = "v1"
    slope: float = 1.0
    asked: int = 0
    shelved: Shelved = Shelved()

    @property
    def model(self) -> ByLastScore:
        return self

    def predict(self, known: pl.DataFrame) -> OutlookAnswer:
        self.asked += known.height
        is_known = known["occasion"].to_numpy() < 9
        chance = np.where(is_known, self.slope * known["score"].to_numpy() / 27, np.nan)
        return OutlookAnswer(
            probability=chance,
            reason=np.where(is_known, None, "too_late"),
            expected_end=chance,
        )


@pytest.fixture
def in_use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ByLastScore]:
    """Put a model in use for PHQ-9 and an outcome, or several."""

    def put(*outcomes: str, **how: Any) -> ByLastScore:
        ready = ByLastScore(**how)
        found = {("phq9", outcome): ready for outcome in outcomes or (PRIMARY,)}
        monkeypatch.setattr(step_7_outlook, "models_for_the_night", lambda _: found)
        return ready

    return put


@pytest.fixture
def backtested(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Publish a line of the alarm budget, and what the back-test says of the status rule."""

    def put(*, line: float | None = None, ppv: float | None = None) -> None:
        about = {"measure_id": "phq9", "outcome": PRIMARY, "is_suppressed": False}
        budget = [about | {"cases_a_week": 15, "threshold": line}] if line else []
        at = {"landmark": "occasion_8", "kind": "occasion", "at": 8}
        asked = about | {"rule": "status_rule", "landmark": "occasion_8"}
        figures = [
            asked | {"figure": name, "value": value}
            for name, value in (("ppv", ppv), ("bad_if_not_flagged", 0.1))
        ]
        tables = {
            EVIDENCE_BUDGET.name: rows_of(EVIDENCE_BUDGET, budget),
            EVIDENCE_LANDMARKS.name: rows_of(EVIDENCE_LANDMARKS, [about | at] if ppv else []),
            EVIDENCE_FIGURES.name: rows_of(EVIDENCE_FIGURES, figures if ppv else []),
        }
        monkeypatch.setattr(step_8_need, "read_evidence", lambda _, table: tables[table.name])

    return put


def weekly(case: str, *scores: int, measure: str = "PHQ-9") -> str:
    """Draw one score a week."""
    return "".join(f"{case} {7 * week} {measure} {score}\n" for week, score in enumerate(scores))


HEADER = "case day measure score\n"
STUCK = (19, 19, 18, 19, 18, 19, 18, 19)


def scores_mapping_with_ends() -> str:
    """Return the mapping of drawn scores, and of a file that says when care ended."""
    ends = """
[[file]]
table = "cases"
path = "ends*.csv"

[file.columns]
case_id = "case"
end_day = "end"
"""
    return WITH_CALENDAR.replace('practice_day = "practice_day"\n', "") + ends


def outlooks(practice: Any) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = practice.published("outlooks").select(
        "case_id", "outcome", "occasion", "probability", "reason", "stands_in"
    )
    return {(case, outcome): tuple(said) for case, outcome, *said in rows.iter_rows()}


def queue(practice: Any) -> list[dict[str, Any]]:
    return practice.published("queue").sort("position").to_dicts()


FIRST_NIGHT = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
WITH_CALENDAR = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "scores"
path = "scores*.csv"

[file.columns]
case_id = "case"
time = "day"
practice_day = "practice_day"
measure = "measure"
value = "score"

[file.time]
unit = "day"

[file.measures]
"PHQ-9" = "phq9"
"""


# ---- the outlook --------------------------------------------------------------------------------


def test_an_open_case_has_its_outlook_from_its_last_score(practice: Any, in_use: Any) -> None:
    in_use()
    practice.night(HEADER + weekly("A", 20, 15, 9))
    assert outlooks(practice) == {("A", PRIMARY): (2, round(9 / 27, 4), None, None)}
    said = practice.published("outlooks").row(0, named=True)
    assert said["model_version"] == "v1"
    assert said["sentence"] == (
        "With a course like this one on PHQ-9, about 3 of 10 end in the clinical range without "
        "clear improvement (a model's estimate, learned from 410 past cases of this practice)."
    )


def test_without_a_model_the_row_says_that_the_status_rule_stands_in(practice: Any) -> None:
    practice.night(HEADER + weekly("A", 20, 15, 9))
    assert outlooks(practice) == {("A", PRIMARY): (2, None, "no_model", "status_rule")}
    assert "The status rule stands in" in practice.published("outlooks")["sentence"].item()


def test_what_a_model_cannot_say_is_said(practice: Any, in_use: Any) -> None:
    in_use()
    drawn_cases = weekly("one", 20) + weekly("mild", 8, 9) + weekly("long", 20, *[18] * 9)
    practice.night(HEADER + drawn_cases)
    assert outlooks(practice) == {
        ("one", PRIMARY): (0, None, "no_later_score", "status_rule"),
        ("mild", PRIMARY): (1, None, "not_asked", "status_rule"),
        ("long", PRIMARY): (9, None, "too_late", "status_rule"),
    }
    sentences = " ".join(practice.published("outlooks")["sentence"])
    assert "No outlook on PHQ-9: this late in a course nothing was learned." in sentences


def test_other_ends_are_told_where_a_model_is_in_use_for_them(practice: Any, in_use: Any) -> None:
    in_use(PRIMARY, WORSE, DROP_OUT)
    practice.night(HEADER + weekly("A", 8, 9) + weekly("G", 12, 12, measure="GAD-7"))
    found = practice.published("outlooks").select("case_id", "measure_id", "outcome", "reason")
    assert set(found.iter_rows()) == {
        ("A", "phq9", PRIMARY, "not_asked"),
        ("A", "phq9", WORSE, None),
        ("A", "phq9", DROP_OUT, None),
        ("G", "gad7", PRIMARY, "no_model"),
    }


def drawn(seed: int, *, cases: int = 12) -> list[tuple[int, str, int]]:
    """Draw (day, case, score) rows of cases that begin in the first weeks."""
    chance = random.Random(seed)
    rows = []
    for number in range(cases):
        day, level = chance.randrange(0, 20), chance.uniform(12, 22)
        for _ in range(chance.randrange(2, 11)):
            level += chance.uniform(-2.5, 1.2)
            rows.append((day, f"c{number}", min(max(round(level), 0), 27)))
            day += chance.choice([6, 7, 8, 14])
    return sorted(rows)


def told_at(rows: list[tuple[int, str, int]]) -> str:
    return HEADER + "".join(f"{case} {day} PHQ-9 {score}\n" for day, case, score in rows)


def judged(practice: Any) -> dict[str, list[Any]]:
    return {
        name: sorted(practice.published(name).rows(), key=repr) for name in ("outlooks", "queue")
    }


def test_nothing_later_than_the_last_score_changes_an_outlook(
    new_practice: Callable[[], Any], in_use: Any
) -> None:
    in_use()
    rows = drawn(1)
    for day in (30, 60):
        known = [row for row in rows if row[0] <= day]
        cut = new_practice()
        cut.night(told_at(known))
        last = {case: score for _, case, score in known}
        for (case, _), (occasion, chance, reason, _) in outlooks(cut).items():
            assert occasion == sum(row[1] == case for row in known) - 1
            if reason is None:
                assert chance == pytest.approx(last[case] / 27, abs=1e-4)


def test_nights_one_after_the_other_say_what_a_rebuild_says(
    new_practice: Callable[[], Any], in_use: Any, backtested: Any
) -> None:
    in_use(PRIMARY, DROP_OUT)
    backtested(line=0.5, ppv=0.4)
    rows = drawn(2)
    step_by_step = new_practice()
    cuts = [0, 25, 50, 200]
    for begin, end in pairwise(cuts):
        step_by_step.night(told_at([row for row in rows if begin <= row[0] < end]))
    seen = judged(step_by_step)
    assert seen["outlooks"]
    assert step_by_step.night(rebuild=True).outcome == "published"
    assert judged(step_by_step) == seen
    at_once = new_practice()
    at_once.night(told_at(rows))
    assert judged(at_once) == seen


def test_a_night_asks_the_model_about_touched_cases_only(practice: Any, in_use: Any) -> None:
    model = in_use()
    practice.night(HEADER + weekly("A", 20, 19) + weekly("B", 18, 17))
    assert model.asked == 2
    practice.night(HEADER + "A 14 PHQ-9 18\n")
    assert model.asked == 3
    assert outlooks(practice)["B", PRIMARY][0] == 1
    assert practice.night().outcome == "unchanged"
    assert model.asked == 3


def test_a_model_that_cannot_answer_stops_no_night(practice: Any, in_use: Any) -> None:
    model = in_use()
    model.slope = "of another version"
    report = practice.night(HEADER + weekly("A", 20, 19))
    assert report.outcome == "published"
    assert outlooks(practice) == {("A", PRIMARY): (1, None, "no_model", "status_rule")}
    (warning,) = (said for said in report.warnings if "model in use v1" in said)
    assert "unstuck train" in warning
    assert "another version" not in warning


def test_a_closed_case_has_no_outlook(practice: Any, in_use: Any) -> None:
    in_use()
    practice.map(scores_mapping_with_ends())
    practice.send((HEADER + weekly("A", 20, 19)).replace(" ", ","))
    practice.night()
    assert ("A", PRIMARY) in outlooks(practice)
    practice.send("case,end\nA,7\n", "ends.csv")
    practice.night()
    assert outlooks(practice) == {}


def test_no_status_and_no_flag_looks_at_an_outlook(
    new_practice: Callable[[], Any], in_use: Any
) -> None:
    seen = []
    for slope in (0.1, 1.0):
        in_use(slope=slope)
        practice = new_practice()
        practice.night(told_at(drawn(3)))
        flags = practice.published("flags").drop("opened_run_id", "closed_run_id")
        seen.append((practice.statuses(), sorted(flags.rows(), key=repr)))
    assert seen[0] == seen[1]


# ---- the queue ----------------------------------------------------------------------------------


def test_the_queue_is_in_the_order_of_need(practice: Any, in_use: Any) -> None:
    in_use()
    practice.night(HEADER + weekly("A", *STUCK) + weekly("B", *[score + 6 for score in STUCK]))
    rows = queue(practice)
    assert [row["case_id"] for row in rows] == ["B", "A"]
    assert rows[0]["need"] > rows[1]["need"]
    for row in rows:
        product = row["probability"] * row["severity"] * row["unseen"]
        assert row["need"] == pytest.approx(product)
        assert row["probability_from"] == "outlook"
    assert "about 9 end without clear improvement" in rows[0]["need_words"]
    assert "14.5 points above the cut-off" in rows[0]["need_words"]


def test_a_safety_item_comes_first_whatever_need_says(practice: Any, in_use: Any) -> None:
    in_use()
    practice.map_scores(measures='"item 9" = { measure = "phq9", subscale = "item_9" }')
    safe = weekly("S", 12, 6, 5, 4, 3, 3, 3, 3)
    item = "".join(f"S,{7 * week},item 9,{min(week, 1)}\n" for week in range(8))
    drawing = (HEADER + safe + weekly("A", *STUCK)).replace(" ", ",")
    practice.send(drawing + item)
    practice.night()
    rows = queue(practice)
    assert [row["case_id"] for row in rows] == ["S", "A"]
    assert rows[0]["need"] < rows[1]["need"]


def test_a_place_names_its_measure_where_the_headline_is_about_another(practice: Any) -> None:
    practice.map_scores(measures='"item 9" = { measure = "phq9", subscale = "item_9" }')
    drawing = HEADER + weekly("A", 4, 4, 4, 4, 4, 4, 4, 4)
    drawing += weekly("A", *STUCK, measure="GAD-7") + weekly("B", *STUCK)
    item = "".join(
        f"{case},{7 * week},item 9,{min(week, 1)}\n" for week in range(8) for case in "AB"
    )
    practice.send(drawing.replace(" ", ",") + item)
    practice.night()
    rows = {row["case_id"]: row for row in queue(practice)}
    assert {row["kind"] for row in rows.values()} == {"safety"}
    assert rows["A"]["need_words"].startswith("On GAD-7, no outlook")
    assert rows["B"]["need_words"].startswith("No outlook")


def test_a_likely_bad_end_without_a_flag_comes_up_from_the_lowest_line_on(
    practice: Any, in_use: Any, backtested: Any
) -> None:
    in_use()
    backtested(line=0.5)
    practice.night(HEADER + weekly("A", 22, 20, 18, 17, 17) + weekly("B", 22, 18, 13, 9, 9))
    assert practice.statuses()["A"][0] == "on_track"
    (row,) = queue(practice)
    assert (row["case_id"], row["kind"], row["is_flagged"]) == ("A", "outlook", False)
    assert row["sentence"].startswith("No flag by the status rule. With a course")
    assert "of 10" not in row["need_words"].lower()


def test_a_likely_drop_out_brings_no_case_into_the_queue(
    practice: Any, in_use: Any, backtested: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_use(DROP_OUT)
    backtested(line=0.2)
    budget = step_8_need.read_evidence(practice.places, EVIDENCE_BUDGET)
    lines = {EVIDENCE_BUDGET: budget.with_columns(outcome=pl.lit(DROP_OUT))}
    monkeypatch.setattr(
        step_8_need, "read_evidence", lambda _, table: lines.get(table, rows_of(table, []))
    )
    practice.night(HEADER + weekly("A", 22, 20, 18, 17, 17))
    assert queue(practice) == []


def test_without_a_back_test_only_flags_and_watch_are_there(practice: Any, in_use: Any) -> None:
    in_use()
    practice.night(HEADER + weekly("A", 22, 20, 17))
    assert queue(practice) == []


def test_the_status_rule_stands_in_by_the_back_test_of_the_practice(
    practice: Any, backtested: Any
) -> None:
    backtested(ppv=0.4)
    practice.night(HEADER + weekly("A", *STUCK))
    (row,) = queue(practice)
    assert (row["probability"], row["probability_from"]) == (0.4, "backtest")
    assert "of 10 such cases here, about 4 ended" in row["need_words"]


def test_without_one_the_row_says_that_its_status_alone_places_it(practice: Any) -> None:
    practice.night(HEADER + weekly("A", *STUCK))
    (row,) = queue(practice)
    assert row["probability_from"] == "chosen"
    assert row["need_words"].startswith("No outlook and no back-test yet: placed by its status")
    assert "of 10" not in row["need_words"]


def test_a_case_that_began_well_is_not_placed_by_ends_without_improvement(
    practice: Any, backtested: Any
) -> None:
    backtested(ppv=0.4)
    practice.night(HEADER + weekly("A", 4, 5, 12, 12, 13, 13, 14, 14))
    (row,) = queue(practice)
    assert row["probability_from"] == "chosen"
    assert "without clear improvement" not in row["need_words"]


def test_what_was_talked_about_needs_less_than_what_was_not(
    practice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice.map(WITH_CALENDAR)
    rows = "".join(
        f"{case},{7 * week},{700 + 7 * week},PHQ-9,{score}\n"
        for case in "AB"
        for week, score in enumerate((*STUCK, 18, 19, 18, 19))
    )
    practice.send("case,day,practice_day,measure,score\n" + rows)
    report = practice.night()
    before = {row["case_id"]: row for row in queue(practice)}
    assert before["A"]["need"] == before["B"]["need"]
    assert "not talked about for 5 weeks" in before["A"]["need_words"]
    review = {"case_id": "A", "reviewed_at": FIRST_NIGHT, "shown_run_id": report.run_id}
    reviews = pl.DataFrame([dict.fromkeys(REVIEWS) | review], schema=REVIEWS)
    monkeypatch.setattr(step_8_need, "review_days", lambda *_: reviews)
    practice.night(rebuild=True)
    after = {row["case_id"]: row for row in queue(practice)}
    assert after["A"]["need"] < after["B"]["need"] == before["B"]["need"]
    assert [row["case_id"] for row in queue(practice)] == ["B", "A"]
    assert "talked about within the last week" in after["A"]["need_words"]


def test_evidence_that_cannot_be_read_stops_no_night(practice: Any) -> None:
    practice.night(HEADER + weekly("A", *STUCK[:7]))
    practice.places.evidence_pointer_file.write_text("not what it was")
    report = practice.night(HEADER + f"A 49 PHQ-9 {STUCK[-1]}\n")
    assert report.outcome == "published"
    assert any("cannot be read" in warning for warning in report.warnings)
    assert len(queue(practice)) == 1
