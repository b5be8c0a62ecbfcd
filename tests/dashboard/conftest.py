"""A small invented practice, built from the contracts' own DDL; no row comes from a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy2, copytree, ignore_patterns
from typing import Any

import duckdb
import pytest
from streamlit import config

from data_contracts.contract import ddl
from data_contracts.places import LastRun, Places, Pointer
from data_contracts.tables_published import (
    PUBLISHED_FOR_ALL,
    PUBLISHED_FOR_CASES,
    PUBLISHED_MEASURES,
)

PUBLISHED_AT = datetime(2026, 11, 23, 5, 2, tzinfo=UTC)
RULE = "2"
HIGH, LOW = "worse", "better"

MEASURES = [
    # measure, subscale, name, role, higher_is, minimum, maximum, cutoff, reliable change,
    # concern line, is safety item, is verified
    ("phq9", "total", "PHQ-9", "outcome", HIGH, 0, 27, 10, 6, None, False, True),
    ("phq9", "item_9", "PHQ-9 item 9", "outcome", HIGH, 0, 3, None, None, None, True, False),
    ("gad7", "total", "GAD-7", "outcome", HIGH, 0, 21, 8, 4, None, False, True),
    ("ors", "total", "ORS", "outcome", LOW, 0, 40, 25, 5, None, False, True),
    ("bdi", "total", "BDI", "outcome", HIGH, 0, 63, 10, 8.46, None, False, False),
    ("srs", "total", "SRS", "alliance", LOW, 0, 40, None, None, 36, False, True),
]
_BY_NAME = {row[0]: row for row in reversed(MEASURES) if row[1] == "total"}

# kind of story: measure, scores by session from 0 (None: no score), status from score k on, flag
STORIES: dict[str, dict[str, Any]] = {
    "deteriorating": {
        "scores": [15, 16, 15, 17, 19, 21, 22, 22],
        "status": {0: "cannot_judge", 3: "on_track", 5: "watch", 6: "deteriorating"},
        "flag": ("deteriorating", 6),
        "sentence": "The last two PHQ-9 scores average 7 above the start, more than measurement "
        "error. See the safety item and the local protocol.",
        "code": "two_scores",
    },
    "stuck": {
        "sudden": 3,
        "scores": [19, 18, 19, 17, 18, 18, 17, 17, 17, None, 18, 16, 17],
        "status": {0: "cannot_judge", 3: "watch", 6: "watch", 8: "stuck"},
        "flag": ("stuck", 8),
        "sentence": "Session 12: the last two PHQ-9 scores average 16.5; the start was 19. By now "
        "a clear change (6 points) is the line for a review. Still above the cut-off.",
        "code": "no_gain",
        "gad7": [14, 14, 13, 13, 14, 13, 12, 12, 12, None, 12, 11, 11],
    },
    "lost": {
        "scores": [20, 18, 15, 12, 12, 13, 15, 17, 18, 18, 18],
        "status": {0: "cannot_judge", 3: "improved", 6: "watch", 9: "stuck"},
        "flag": ("stuck", 9),
        "sentence": "An earlier gain of 8 has shrunk to 2.",
        "code": "gain_lost",
    },
    "alliance": {
        "scores": [16, 15, 15, 14, 13, 13, 12],
        "status": {0: "cannot_judge", 3: "on_track"},
        "flag": ("alliance_drop", 5),
        "sentence": "The alliance (SRS) fell by 6 in session 5 and has not come back since.",
        "code": "on_track",
        "srs": [37, 38, 38, 37, 38, 32, 33],
    },
    "safety": {
        "scores": [14, 13, 14, 13, 12],
        "status": {0: "cannot_judge", 3: "on_track"},
        "flag": ("safety", 4),
        "sentence": "PHQ-9 item 9 was answered with 2 in session 4. Follow the local protocol.",
        "code": "on_track",
        "item_9": [0, 0, 1, 0, 2],
    },
    "better": {  # ORS: higher is better
        "measure": "ors",
        "scores": [16, 15, 17, 16, 15, 17, 16, 16, 17],
        "status": {0: "cannot_judge", 3: "watch", 6: "watch", 8: "stuck"},
        "flag": ("stuck", 8),
        "sentence": "Session 8: the last two ORS scores average 16.5; the start was 16. Clear "
        "change is 5 points.",
        "code": "no_gain",
    },
    "days": {  # no sessions sent
        "measure": "bdi",
        "days": [0, 30, 61, 92, 190, 223],
        "scores": [28, 27, 29, 26, 27, 28],
        "status": {0: "cannot_judge", 3: "stuck"},
        "flag": ("stuck", 3),
        "sentence": "Day 223: the last two BDI scores average 27.5; the start was 28.",
        "code": "no_gain",
    },
    "watch": {
        "scores": [15, 14, 14, 13, 22],
        "status": {0: "cannot_judge", 3: "on_track", 4: "watch"},
        "flag": None,
        "sentence": "One score is 7 above the start. Single rises often pass: please measure next "
        "session.",
        "code": "worse_once",
    },
    "on_track": {
        "scores": [18, 16, 15, 14, 13],
        "status": {0: "cannot_judge", 3: "on_track"},
        "flag": None,
        "sentence": "On the way.",
        "code": "on_track",
    },
    "recovered": {
        "scores": [18, 14, 11, 9, 7, 6],
        "status": {0: "cannot_judge", 3: "improved", 4: "recovered"},
        "flag": None,
        "sentence": "Clearly better, and below the cut-off.",
        "code": "recovered",
    },
    "unjudged": {
        "scores": [17],
        "status": {0: "cannot_judge"},
        "flag": None,
        "sentence": "Cannot judge: no score after the first.",
        "code": "no_score",
    },
}
# how often each story comes, in the order of need
PLAN = {
    "safety": 2,
    "deteriorating": 4,
    "stuck": 6,
    "lost": 4,
    "better": 2,
    "days": 2,
    "alliance": 3,
    "watch": 5,
    "on_track": 6,
    "recovered": 4,
    "unjudged": 4,
}
FLAG_MEASURE = {"alliance_drop": "srs", "safety": "phq9/item_9"}
THERAPISTS = [(f"T-{number:03}", "north" if number % 2 else "south") for number in range(1, 8)]
# T-007 has no supervisor; S-01 has T-001..T-004, S-02 the next two
SUPERVISORS = {f"T-{n:03}": ("S-01" if n <= 4 else "S-02" if n <= 6 else None) for n in range(1, 8)}


def _put(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))


def _story_of(number: int) -> str:
    return [name for name, times in PLAN.items() for _ in range(times)][number]


def _course(case_id: str, measure: str, subscale: str, story: dict[str, Any], scores: list[Any]):
    higher = _BY_NAME[measure][4] == HIGH
    _, _, _, _, _, low, high, _, change, _, _, _ = _BY_NAME[measure]
    baseline = scores[0]
    rows = []
    for moment, score in enumerate(scores):
        if score is None:
            continue
        day = story["days"][moment] if "days" in story else 7 * moment
        occasion = len(rows)
        drift = 0.35 * (change or 0) * (1 - 0.8**moment) * 3
        expected = baseline - drift if higher else baseline + drift
        spread = 2 + 5 * (1 - 0.75**moment)
        gain = (baseline - score) if higher else (score - baseline)
        rows.append(
            {
                "case_id": case_id,
                "measure_id": measure,
                "subscale": subscale,
                "rater": "client",
                "occasion": occasion,
                "clock": "day" if "days" in story else "session",
                "at": day if "days" in story else moment,
                "session": None if "days" in story else moment,
                "day": day,
                "days": day,
                "weeks": day / 7,
                "sessions_attended": None if "days" in story else moment,
                "value": score,
                "value_count": 1,
                "has_baseline": True,
                "baseline": baseline,
                "gain": gain,
                "level_gain": gain,
                "level": score,
                "is_pair": occasion >= 2,
                "clear_change_at": None
                if change is None
                else baseline - change
                if higher
                else baseline + change,
                "expected": expected,
                "band_80_low": max(low, expected - spread),
                "band_80_high": min(high, expected + spread),
                "band_95_low": max(low, expected - 1.5 * spread),
                "band_95_high": min(high, expected + 1.5 * spread),
                "chance_this_bad": 0.2,
                "curve_id": "curve-1",
            }
        )
    return rows


def _fill_cases(connection: duckdb.DuckDBPyConnection, run_id: str, title: str) -> None:
    _put(
        connection,
        "published_therapists",
        [
            {"therapist_id": t, "site_id": site, "supervisor_id": SUPERVISORS[t]}
            for t, site in THERAPISTS
        ],
    )
    _put_measures(connection)
    _put(connection, "published_runs", [_run(run_id, title)])
    position = 0
    for number in range(sum(PLAN.values())):
        name = _story_of(number)
        story = STORIES[name]
        case_id = f"C-{number + 1:03}"
        therapist, site = THERAPISTS[number % len(THERAPISTS)]
        if number % 11 == 10:
            therapist = None
        supervisor = SUPERVISORS.get(therapist or "")
        measure = story.get("measure", "phq9")
        courses = {(measure, "total"): _course(case_id, measure, "total", story, story["scores"])}
        if "gad7" in story:
            courses["gad7", "total"] = _course(case_id, "gad7", "total", story, story["gad7"])
        if "item_9" in story:
            courses["phq9", "item_9"] = _course(case_id, "phq9", "item_9", story, story["item_9"])
        for rows in courses.values():
            _put(connection, "published_course_points", rows)
        points = courses[measure, "total"]
        has_sessions = "days" not in story
        sessions = len(story["scores"]) - 1 if has_sessions else None
        last = points[-1]
        status_by_occasion, now = [], "cannot_judge"
        moments = [m for m, score in enumerate(story["scores"]) if score is not None]
        for point, m in zip(points, moments, strict=True):
            now = story["status"].get(m, now)
            status_by_occasion.append(now)
            for measure_id in (measure, "case"):
                _put(
                    connection,
                    "published_statuses",
                    [
                        {
                            "case_id": case_id,
                            "measure_id": measure_id,
                            "occasion": point["occasion"],
                            "at": point["at"],
                            "day": point["day"],
                            "status": now,
                            "code": story["code"] if m == moments[-1] else "too_early",
                            "tags": "",
                            "decided_by": measure,
                            "rule_version": RULE,
                            "curve_id": "curve-1",
                        }
                    ],
                )
        since_occasion = next(
            i for i in range(len(status_by_occasion)) if set(status_by_occasion[i:]) == {now}
        )
        for measure_id in (measure, "case"):
            _put(
                connection,
                "published_current_statuses",
                [
                    {
                        "case_id": case_id,
                        "measure_id": measure_id,
                        "occasion": last["occasion"],
                        "status": now,
                        "code": story["code"],
                        "tags": "",
                        "decided_by": measure,
                        "last_status": now,
                        "since_occasion": since_occasion,
                        "since_day": points[since_occasion]["day"],
                        "last_day": last["day"],
                        "is_open": True,
                        "is_verified": measure != "bdi",
                        "rule_version": RULE,
                    }
                ],
            )
            kind = story["flag"][0] if story["flag"] else ""
            is_own = kind in ("safety", "alliance_drop")
            reasons = [(f"{now}.{story['code']}", "On course." if is_own else story["sentence"])]
            if kind in ("stuck", "deteriorating"):
                leaves = "This flag goes when the last two scores average 13 or lower."
                reasons.append((f"leaves_{kind}", leaves))
            if measure_id == "case":
                measure_id = FLAG_MEASURE.get(kind, "")
                reasons = [
                    (kind, story["sentence"]),
                    (f"leaves_{kind}", "This flag goes when it has come back."),
                ]
            if not measure_id:
                continue
            _put(
                connection,
                "published_reasons",
                [
                    {
                        "case_id": case_id,
                        "measure_id": measure_id,
                        "occasion": story["flag"][1] - 1 if is_own else last["occasion"],
                        "position": place,
                        "code": code,
                        "parameters": "{}",
                        "sentence": sentence,
                    }
                    for place, (code, sentence) in enumerate(reasons)
                ],
            )
        if has_sessions:
            _put(
                connection,
                "published_sessions",
                [
                    {
                        "case_id": case_id,
                        "session": session,
                        "day": 7 * session,
                        "therapist_id": therapist,
                        "attended": True,
                    }
                    for session in range(1, len(story["scores"]))
                ],
            )
        ratings = story.get("srs", [36, 37, 37, 38, 37, 38, 37, 37, 38, 37, 38, 37, 38])
        if has_sessions:
            ratings = ratings[: len(story["scores"])][1:]
            _put(
                connection,
                "published_alliance_points",
                [
                    {
                        "case_id": case_id,
                        "measure_id": "srs",
                        "occasion": occasion,
                        "at": occasion + 1,
                        "session": occasion + 1,
                        "day": 7 * (occasion + 1),
                        "value": rating,
                        "prior_mean": 37 if occasion else None,
                        "personal_low": 34 if occasion >= 2 else None,
                        "is_low": rating < 36,
                        "is_dropped": rating < 34,
                        "ratings_since_drop": 0,
                        "is_ceiling": False,
                    }
                    for occasion, rating in enumerate(ratings)
                ],
            )
        if "sudden" in story:
            _put(connection, "published_events", [_sudden_gain(case_id, measure, story["sudden"])])
            _put(connection, "published_forecasts", [_forecast(case_id, measure, last)])
        flag_kind, flag_moment = story["flag"] or ("watch", len(moments) - 1)
        flag_point = next(
            (p for p in points if p["at"] == flag_moment), points[flag_moment % len(points)]
        )
        if story["flag"]:
            flag_measure = FLAG_MEASURE.get(flag_kind, measure)
            _put(
                connection,
                "published_flags",
                [
                    {
                        "flag_id": f"F-{case_id}",
                        "case_id": case_id,
                        "kind": flag_kind,
                        "measure_id": flag_measure,
                        "opened_occasion": flag_point["occasion"],
                        "opened_day": flag_point["day"],
                        "closed_occasion": None,
                        "closed_day": None,
                        "opened_run_id": run_id,
                        "closed_run_id": None,
                    }
                ],
            )
        case = {
            "case_id": case_id,
            "site_id": site,
            "therapist_id": therapist,
            "planned_sessions": 16 if has_sessions else None,
            "problem_code": "depression",
            "supervisor_id": supervisor,
            "primary_measure_id": measure,
            "sessions_attended": sessions,
            "last_session": sessions,
            "last_contact_day": last["day"],
            "days_since_contact": 2 + number % 9,
            "is_open": True,
        }
        _put(connection, "published_cases", [case])
        if story["flag"] or now == "watch":
            position += 1
            _put(
                connection,
                "published_queue",
                [
                    {
                        "position": position,
                        "case_id": case_id,
                        "therapist_id": therapist,
                        "supervisor_id": supervisor,
                        "site_id": site,
                        "kind": flag_kind,
                        "kinds": flag_kind,
                        "is_flagged": story["flag"] is not None,
                        "measure_id": measure,
                        "measure_name": _BY_NAME[measure][2],
                        "status": now,
                        "code": story["code"],
                        "sentence": story["sentence"],
                        "also": "GAD-7: watch." if "gad7" in story else "",
                        "sparkline": json.dumps(story["scores"]),
                        "scale_minimum": _BY_NAME[measure][5],
                        "scale_maximum": _BY_NAME[measure][6],
                        "since_occasion": flag_point["occasion"],
                        "since_session": flag_point["session"],
                        "since_day": flag_point["day"],
                        "sessions_attended": sessions,
                        "days_since_contact": case["days_since_contact"],
                        "is_verified": measure != "bdi",
                        "need": 5.0 - position / 20,
                        "probability": 0.45,
                        "probability_from": "chosen",
                        "severity": 2.0,
                        "unseen": 1.0,
                        "need_words": "No outlook, so the status rule stands in.",
                    }
                ],
            )


def _put_measures(connection: duckdb.DuckDBPyConnection) -> None:
    more = {"rater": "client"}
    names = [name for name in PUBLISHED_MEASURES.column_names if name not in ("sources", *more)]
    _put(
        connection,
        "published_measures",
        [
            {
                **dict(zip(names, row, strict=True)),
                **more,
                "sources": f"{row[2]}: invented for this test.",
            }
            for row in MEASURES
        ],
    )


def _sudden_gain(case_id: str, measure: str, session: int) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "measure_id": measure,
        "kind": "sudden_gain",
        "occasion": session,
        "session": session,
        "day": 7 * session,
        "parameters": "{}",
        "sentence": f"Sudden gain between session {session - 1} and session {session}.",
    }


def _forecast(case_id: str, measure: str, last: dict[str, Any]) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "measure_id": measure,
        "occasion": last["occasion"],
        "ahead": 4.0,
        "clock": "session",
        "sentences": json.dumps(["From all scores so far, PHQ-9 would be about 17."]),
    }


def _run(run_id: str, title: str, state: str = "published") -> dict[str, Any]:
    return {
        "run_id": run_id,
        "started_at": datetime(2026, 11, 23, 5, 0),  # noqa: DTZ001 - the contract's type
        "finished_at": datetime(2026, 11, 23, 5, 2),  # noqa: DTZ001 - the contract's type
        "as_of": 900,
        "trigger": "demo",
        "state": state,
        "contract_version": "c0ffee",
        "rule_version": RULE,
        "package_versions": "{}",
        "seed": 1,
        "is_simulated": True,
        "title": title,
    }


def _trend(
    figure: str, period: str, site: str, category: str, share: tuple[int, int] | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "figure": figure,
        "period": period,
        "site_id": site,
        "category": category,
        "is_suppressed": share is None,
    }
    if share is None:
        return row
    numerator, denominator = share
    rate = numerator / denominator
    half = 1.96 * (rate * (1 - rate) / denominator) ** 0.5
    return row | {
        "numerator": numerator,
        "denominator": denominator,
        "rate": rate,
        "rate_low": max(0, rate - half),
        "rate_high": min(1, rate + half),
    }


def _fill_aggregates(connection: duckdb.DuckDBPyConnection, run_id: str, title: str) -> None:
    _put_measures(connection)
    _put(connection, "published_runs", [_run(run_id, title)])
    steps = ("stage", "de-identify", "validate", "accept", "course", "expect", "judge", "publish")
    _put(
        connection,
        "published_run_counts",
        [
            {
                "run_id": run_id,
                "step": step,
                "position": place,
                "rows_in": 2000,
                "rows_out": 1990,
                "duplicate": 4,
                "superseded": 2,
                "quarantined": 4,
                "withdrawn": 0,
                "seconds": 0.4,
            }
            for place, step in enumerate(steps, 1)
        ],
    )
    _put(
        connection,
        "published_files",
        [
            {
                "file_id": f"file-{place}",
                "content_id": f"content-{place}",
                "position": place,
                "path": f"{table}.csv",
                "table_name": table,
                "lines": 1001,
                "header_lines": 1,
                "blank_lines": 0,
                "landed": 1000,
                "duplicate": 4,
                "quarantined": 3,
                "accepted": 983,
                "superseded": 10,
                "withdrawn": 0,
                "state": "refused" if table == "contacts" else "accepted",
                "reason": "column 'name' identifies people; take it out of the export"
                if table == "contacts"
                else None,
                "run_id": run_id,
            }
            for place, table in enumerate(("cases", "sessions", "scores", "contacts"))
        ],
    )
    _put(
        connection,
        "published_quarantine",
        [
            {
                "path": "scores.csv",
                "rule_id": "score_in_range",
                "column_name": "value",
                "severity": "row",
                "explanation": "The score lies outside the measure's range. Correct it in the "
                "practice's system and export again.",
                "row_count": 3,
                "first_line": 17,
                "received_run_id": run_id,
            }
        ],
    )
    figures = {
        "reliable_improvement": 0.5,
        "recovery": 0.4,
        "deterioration": 0.15,
        "drop_out": 0.25,
    }
    rows = []
    for figure, share in figures.items():
        for period in ("all", "2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3"):
            for site, size in (("all", 200), ("north", 120), ("south", 80), ("west", 0)):
                cases = size if period == "all" else size // 4
                hit = int(cases * share / 5) * 5
                rows.append(_trend(figure, period, site, "all", (hit, cases) if hit > 7 else None))
    mix = {"on_track": 60, "improved": 40, "recovered": 40, "watch": 25, "stuck": 20}
    rows += [_trend("status_mix", "now", "all", s, (n, 200)) for s, n in mix.items()]
    rows += [_trend("status_mix", "now", "all", "deteriorating", None)]
    rows += [_trend("status_mix", "now", "all", "cannot_judge", (15, 200))]
    rows += [
        _trend("completeness", "all", site, "all", (hit, 200))
        for site, hit in (("all", 180), ("north", 190), ("south", 150))
    ]
    _put(connection, "published_trends", rows)


def publish(
    home: Path, run_id: str = "20261123T050000Z-demo", title: str = "Invented practice"
) -> Places:
    """Write a snapshot into the home and point to it, as the night does."""
    places = Places.at(home)
    places.published.mkdir(parents=True, exist_ok=True)
    names = {"cases": f"{run_id}.cases.duckdb", "aggregates": f"{run_id}.aggregates.duckdb"}
    for tables, fill, name in (
        (PUBLISHED_FOR_CASES, _fill_cases, names["cases"]),
        (PUBLISHED_FOR_ALL, _fill_aggregates, names["aggregates"]),
    ):
        with duckdb.connect(str(places.published / name)) as connection:
            connection.execute("begin")
            for table in tables:
                connection.execute(ddl(table))
            fill(connection, run_id, title)
            connection.execute("commit")
    places.point_to(
        Pointer(run_id=run_id, as_of=900, published_at=PUBLISHED_AT, **names),
    )
    places.note_run(
        LastRun(
            run_id=run_id,
            state="published",
            trigger="demo",
            started_at=PUBLISHED_AT - timedelta(minutes=2),
            finished_at=PUBLISHED_AT,
        )
    )
    return places


@pytest.fixture
def served_on_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let AppTest believe that the screens are served to this machine only, and show its errors."""
    monkeypatch.setenv("STREAMLIT_CLIENT_SHOW_ERROR_DETAILS", "full")
    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


@pytest.fixture(scope="session")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Return the invented practice; tests must not change it."""
    return publish(tmp_path_factory.mktemp("home"))


@pytest.fixture
def own_practice(practice: Places, tmp_path: Path) -> Places:
    """Return a copy of the invented practice that a test may change; nobody was there before."""
    not_store = ignore_patterns("workspace.sqlite*")
    return Places.at(Path(copytree(practice.home, tmp_path / "home", ignore=not_store)))


@pytest.fixture(scope="session")
def rewriting() -> Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]:
    """Change a published file as an erasure does: a rewritten one takes its place.

    The screens keep a file open that they were asked for; nobody can write into that one.
    """

    @contextmanager
    def change(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        beside = Path(copy2(path, path.with_suffix(".changed")))
        with duckdb.connect(str(beside)) as connection:
            yield connection
        beside.replace(path)

    return change


@pytest.fixture(name="publish")
def _publish() -> Any:
    """Return the builder, for tests that publish again."""
    return publish
