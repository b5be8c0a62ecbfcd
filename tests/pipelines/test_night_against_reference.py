"""The night says what the slow reading of the status rule says, on real and simulated practices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from status_rule_reference import (
    MeasureFacts,
    Score,
    baseline_position,
    case_status,
    gap,
    is_stale,
    judge_measure,
    primary_measure,
)

from data_contracts.measures import built_in_measures
from data_contracts.problems import problem_measures
from pipelines.demo_practice import simulate_practice, write_practice

REPOSITORY = Path(__file__).resolve().parents[2]
ENRICHD = REPOSITORY.parent / "shared" / "data" / "enrichd_bdi_cbt"
FACTS = {
    name: MeasureFacts(
        higher_is=measure.higher_is,
        reliable_change=measure.reliable_change_points,
        cutoff=measure.cutoff,
    )
    for name, measure in built_in_measures().items()
}
OUTCOMES = [name for name, measure in built_in_measures().items() if measure.role == "outcome"]
SAID = """
select case_id, measure_id, occasion, "at", day, status, code, decided_by,
    value, chance_this_bad, baseline
from statuses left join (
    select * from course_points where subscale = 'total' and rater = 'client'
) as points using (case_id, measure_id, occasion, "at", day)
order by case_id, measure_id, occasion
"""


def by_series(rows: pl.DataFrame) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    for (case_id, measure_id), part in rows.group_by("case_id", "measure_id", maintain_order=True):
        yield str(case_id), str(measure_id), part.to_dicts()


# ---- ENRICHD ------------------------------------------------------------------------------------


def test_all_557_enrichd_cases_are_judged_as_the_reference_does(
    new_practice: Callable[[], Any],
) -> None:
    if not ENRICHD.exists():
        pytest.skip(f"real data not found: {ENRICHD}; put the shared folder beside the repository")
    practice = new_practice()
    practice.map((REPOSITORY / "docs/examples/enrichd.toml").read_text(encoding="utf-8"))
    practice.send((ENRICHD / "long.csv").read_bytes(), "long.csv")
    practice.night()
    rows = practice.warehouse(SAID).filter(pl.col("measure_id") == "bdi")
    differences: Counter[tuple[str, ...]] = Counter()
    cases = later = 0
    for _, _, said in by_series(rows):
        cases += 1
        later += len(said) - 1
        points = practice_scores(said)
        chances = [row["chance_this_bad"] for row in said]
        for verdict, row in zip(judge_measure(points, FACTS["bdi"], chances), said, strict=True):
            if (verdict.status, verdict.code) != (row["status"], row["code"]):
                differences[verdict.status, verdict.code, row["status"], row["code"]] += 1
    assert (cases, later) == (557, 6407)
    assert rows["chance_this_bad"].drop_nulls().len() == 6407
    assert differences == {}


def practice_scores(said: list[dict[str, Any]]) -> list[Score]:
    """Return the scores behind statuses, from `value` of the points (no sessions are sent)."""
    return [Score(at=row["at"], day=row["day"], value=row["value"], t=None) for row in said]


# ---- the simulated practice ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(new_practice: Callable[[], Any]) -> Any:
    practice = new_practice()
    write_practice(simulate_practice(cases=400, seed=20240601), practice.source)
    (practice.source / "mapping.toml").rename(practice.mapping)
    practice.night()
    return practice


def contacts_by_case(practice: Any) -> dict[str, list[int]]:
    """Return the days of scores and attended sessions."""
    days = practice.warehouse(
        "select distinct case_id, day from (select case_id, day from scores union all "
        "select case_id, day from sessions where attended) where day is not null order by all"
    )
    found: dict[str, list[int]] = defaultdict(list)
    for case_id, day in days.iter_rows():
        found[case_id].append(day)
    return found


def courses_by_case(practice: Any) -> dict[str, list[tuple[int, int]]]:
    """Return (first, last day) of each course of care: a long gap begins a new one."""
    courses = {}
    for case_id, days in contacts_by_case(practice).items():
        starts = [days[0]] + [
            after for before, after in pairwise(days) if gap(after - before) == "new_course"
        ]
        ends = [
            before for before, after in pairwise(days) if gap(after - before) == "new_course"
        ] + [days[-1]]
        courses[case_id] = list(zip(starts, ends, strict=True))
    return courses


Series = dict[tuple[str, str], tuple[list[Score], list[int]]]


@pytest.fixture(scope="module")
def series(simulated: Any) -> Series:
    """Return scores and session days by course and measure, from the current tables alone."""
    scores = simulated.warehouse(
        'select case_id, measure_id, "at", day, value from scores '
        "where subscale = 'total' and rater = 'client' order by all"
    ).filter(pl.col("measure_id").is_in(OUTCOMES))
    attended: dict[str, list[int]] = defaultdict(list)
    for case_id, day in simulated.warehouse(
        "select case_id, day from sessions where attended and session >= 1 order by session"
    ).iter_rows():
        attended[case_id].append(day)
    found: Series = {}
    for case_id, courses in courses_by_case(simulated).items():
        own = scores.filter(pl.col("case_id") == case_id)
        for number, (first, last) in enumerate(courses, 1):
            name = case_id if number == 1 else f"{case_id}~{number}"
            session_days = [day for day in attended[case_id] if first <= day <= last]
            for measure_id in own["measure_id"].unique():
                points = [
                    Score(at=at, day=day, value=value,
                          t=sum(session_day <= day for session_day in session_days))
                    for _, of_measure, at, day, value in own.iter_rows()
                    if of_measure == measure_id and first <= day <= last
                ]  # fmt: skip
                if points:
                    found[name, measure_id] = (points, session_days)
    return found


def test_every_measure_of_the_simulated_practice_is_judged_as_the_reference_does(
    simulated: Any, series: Series
) -> None:
    differences: Counter[tuple[str, ...]] = Counter()
    judged = simulated.warehouse(SAID).filter(pl.col("measure_id") != "case")
    seen = set()
    for case_id, measure_id, said in by_series(judged):
        seen.add((case_id, measure_id))
        points, session_days = series[case_id, measure_id]
        start = baseline_position(points, session_days)
        if start is None:
            expected = [("cannot_judge", "no_baseline")] * len(points)
        else:
            assert said[start]["occasion"] == 0
            assert said[start]["baseline"] == points[start].value
            chances = [row["chance_this_bad"] for row in said][start:]
            verdicts = judge_measure(points[start:], FACTS[measure_id], chances)
            expected = [("cannot_judge", "no_score")] * start
            expected += [(verdict.status, verdict.code) for verdict in verdicts]
        for (status, code), row in zip(expected, said, strict=True):
            if (status, code) == ("cannot_judge", "no_baseline") != (row["status"], row["code"]):
                # before the second score: "no later score" and "no baseline" are both true
                assert row["status"] == "cannot_judge"
            elif (status, code) != (row["status"], row["code"]):
                differences[measure_id, status, code, row["status"], row["code"]] += 1
    assert seen == set(series)
    assert {measure_id for _, measure_id in seen} == {"phq9", "gad7", "expectation"} & set(OUTCOMES)
    assert judged["chance_this_bad"].drop_nulls().len() > 1000
    assert differences == {}


def test_sessions_attended_are_counted_as_the_reference_counts_t(
    simulated: Any, series: Series
) -> None:
    points = simulated.warehouse(
        "select case_id, measure_id, day, sessions_attended from course_points "
        "where subscale = 'total' order by case_id, measure_id, occasion"
    )
    counted: dict[tuple[str, str], list[int]] = defaultdict(list)
    for case_id, measure_id, _, t in points.iter_rows():
        counted[case_id, measure_id].append(t)
    for key, (scores, _) in series.items():
        assert counted[key] == [score.t for score in scores], key


def test_every_case_of_the_simulated_practice_has_the_reference_s_case_status(
    simulated: Any, series: Series
) -> None:
    """Freshness is asked on the day of each score, as the night does."""
    declared = problem_measures()
    problems = dict(simulated.warehouse("select case_id, problem_code from cases").iter_rows())
    judged = simulated.warehouse(SAID)
    by_case: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(dict)
    for case_id, measure_id, said in by_series(judged):
        by_case[case_id][measure_id] = said
    several = 0
    differences: Counter[tuple[str, ...]] = Counter()
    for case_id, measures in by_case.items():
        of_case = measures.pop("case")
        starts = {
            measure_id: row
            for measure_id, said in measures.items()
            for row in said
            if row["occasion"] == 0 and row["baseline"] is not None
        }
        if not starts:
            continue
        first_day = min(row["day"] for row in starts.values())
        candidates = {name: row for name, row in starts.items() if row["day"] == first_day}
        several += len(measures) > 1
        for row in of_case:
            if row["day"] < first_day:
                continue
            latest = {
                name: [one for one in said if one["day"] <= row["day"]][-1]
                for name, said in measures.items()
                if said[0]["day"] <= row["day"]
            }
            primary = primary_measure(
                declared.get(problems[case_id.split("~")[0]] or ""),
                {name: FACTS[name] for name in candidates},
                {name: start["baseline"] for name, start in candidates.items()},
                {name: latest[name]["occasion"] + 1 for name in candidates},
            )
            status, code = case_status(
                primary,
                {
                    name: (said["status"], said["code"], not stale_on(row, said, name, series))
                    for name, said in latest.items()
                },
            )
            if (status, code) == ("improved", "") and row["code"] == "another_stuck":
                code = "another_stuck"  # the night gives this improved a name of its own
            if (status, code) != (row["status"], row["code"]):
                differences[status, code, row["status"], row["code"]] += 1
            if row["code"] not in ("two_scores", "easing"):
                assert row["decided_by"] == primary
    assert several > 100
    assert differences == {}
    codes = set(judged.filter(pl.col("measure_id") == "case")["code"])
    assert codes >= {"measures_disagree", "another_stuck"}


def stale_on(now: dict[str, Any], said: dict[str, Any], measure_id: str, series: Series) -> bool:
    """Tell whether what a measure said last is too old on the day of another score."""
    _, session_days = series[now["case_id"], measure_id]
    since = sum(said["day"] < session_day <= now["day"] for session_day in session_days)
    return is_stale(
        case_is_open=True,
        attended_sessions_since_last_score=since,
        days_since_last_score=now["day"] - said["day"],
    )
