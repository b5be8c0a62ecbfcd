"""Laws of the night: order, repetition and later data change nothing they must not change.

Histories are drawn from a seed: nights cost half a second each, so Hypothesis draws few seeds and
the same ones every time (`derandomize`); to look for more, raise `EXAMPLES`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import duckdb
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.night import create_tables

EXAMPLES = 1
seeds = st.integers(0, 10**6)
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
NO_CURVES = "[curves]\nminimum_cases = 1000000\n"
MAPPING = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "cases"
path = "cases_*.csv"

[file.columns]
case_id = "case"
end_day = "end_day"
planned_sessions = "planned"
problem_code = "problem"
practice_day_start = "start"
withdrawn = "gone"

[[file]]
table = "sessions"
path = "sessions_*.csv"

[file.columns]
case_id = "case"
session = "session"
day = "day"
practice_day = "practice_day"
attended = "came"
withdrawn = "gone"

[[file]]
table = "scores"
path = "scores_*.csv"

[file.columns]
case_id = "case"
time = "day"
practice_day = "practice_day"
measure = "measure"
value = "score"
withdrawn = "gone"

[file.measures]
"phq" = "phq9"
"gad" = "gad7"
"srs" = "srs"
"phq 9" = { measure = "phq9", subscale = "item_9" }
"""
HEADERS = {
    "cases": "case,end_day,planned,problem,start,gone",
    "sessions": "case,session,day,practice_day,came,gone",
    "scores": "case,day,practice_day,measure,score,gone",
}
HIGHEST = {"phq": 27, "gad": 21, "srs": 40, "phq 9": 3}
# What a rebuild must give again, row for row.
CURRENT = ("scores", "sessions", "cases", "courses", "course_points", "statuses",
           "alliance_points", "current_statuses", "reasons", "lenses", "outlooks")  # fmt: skip


@dataclass(kw_only=True)
class History:
    """Rows of a practice by table, each with the practice day on which it is known."""

    rows: dict[str, list[tuple[int, tuple[Any, ...]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, table: str, known_on: int, *cells: Any) -> None:
        self.rows[table].append((known_on, cells))

    def files(self, count: int) -> list[dict[str, str]]:
        """Cut the rows by the day on which they are known into `count` exports."""
        days = sorted({day for rows in self.rows.values() for day, _ in rows})
        ends = [days[(place + 1) * len(days) // count - 1] for place in range(count)]
        exports: list[dict[str, str]] = []
        begin = -(10**9)
        for end in ends:
            export = {
                table: as_csv(table, [cells for day, cells in rows if begin < day <= end])
                for table, rows in self.rows.items()
            }
            exports.append({name: text for name, text in export.items() if "\n" in text.strip()})
            begin = end
        return exports


def as_csv(table: str, rows: list[tuple[Any, ...]]) -> str:
    lines = [",".join("" if cell is None else str(cell) for cell in cells) for cells in rows]
    return "\n".join([HEADERS[table], *lines]) + "\n"


def drawn_history(
    seed: int, *, cases: int = 5, disturbed: bool = True, least_drift: float = -1.2
) -> History:
    """Draw cases with sessions, two outcome measures, an alliance measure and a safety item.

    Some begin before treatment, pause, come back after half a year, miss sessions or measures; a
    disturbed history also holds duplicates, contradictions, corrections and withdrawals.
    """
    chance = random.Random(seed)
    history = History()
    for number in range(cases):
        case_id, start = f"c-{number}", chance.randrange(0, 120)
        ends = chance.random() < 0.3
        history.add("cases", start, case_id, None, chance.choice([None, 6, 12]),
                    chance.choice([None, "anxiety", "depression"]), start, None)  # fmt: skip
        level = {"phq": chance.uniform(6, 24), "gad": chance.uniform(4, 19), "srs": 36.0,
                 "phq 9": chance.choice([0.0, 0.0, 1.5])}  # fmt: skip
        drift = {name: chance.uniform(least_drift, 0.8) for name in level}
        has = {"phq": True, "gad": chance.random() < 0.7, "srs": chance.random() < 0.5,
               "phq 9": chance.random() < 0.4}  # fmt: skip
        day = 0
        first_session = chance.choice([0, 0, 0, 1, 2, 3])
        for moment in range(chance.randrange(3, 14)):
            if moment >= first_session:
                came = chance.random() < 0.9
                history.add("sessions", start + day, case_id, moment - first_session + 1, day,
                            start + day, "yes" if came else "no", None)  # fmt: skip
            for name, known in has.items():
                level[name] += drift[name] + chance.gauss(0, 1.5)
                if known and chance.random() < 0.85:
                    value = min(max(round(level[name]), 0), HIGHEST[name])
                    history.add("scores", start + day, case_id, day, start + day, name, value, None)
            day += chance.choice([5, 7, 7, 7, 7, 8, 14, 30, 50, 100, 200])
        if ends:
            history.add("cases", start + day, case_id, day, None, None, start, None)
    if disturbed:
        disturb(history, chance)
    return history


def disturb(history: History, chance: random.Random) -> None:
    """Add duplicates, contradictions, corrections and withdrawals of what was sent."""
    for known_on, cells in list(history.rows["scores"]):
        case_id, day, practice_day, name, value, _ = cells
        kind = chance.random()
        later = known_on + chance.randrange(0, 60)
        other = min(max(value + chance.choice([-3, -1, 1, 3]), 0), HIGHEST[name])
        if kind < 0.05:
            history.add("scores", known_on, *cells)
        elif kind < 0.10:
            history.add("scores", known_on, case_id, day, practice_day, name, other, None)
        elif kind < 0.20:
            history.add("scores", later, case_id, day, practice_day, name, other, "no")
        elif kind < 0.25:
            history.add("scores", later, case_id, day, practice_day, name, None, "yes")
    for known_on, cells in list(history.rows["sessions"]):
        if chance.random() < 0.06:
            swapped = (*cells[:4], "no" if cells[4] == "yes" else "yes", None)
            history.add("sessions", known_on + chance.randrange(0, 40), *swapped)
        elif chance.random() < 0.04:
            gone = (*cells[:5], "yes")
            history.add("sessions", known_on + chance.randrange(0, 40), *gone)
    if chance.random() < 0.5:  # a case is taken back as a whole
        for table in ("scores", "sessions", "cases"):
            for _, cells in list(history.rows[table]):
                if cells[0] == "c-0":
                    history.add(table, 10**6, *cells[:-1], "yes")


def send(practice: Any, exports: list[dict[str, str]], first: int = 0) -> None:
    for number, export in enumerate(exports, first):
        for table, text in export.items():
            practice.send(text, f"{table}_{number:03}.csv")


def contents(practice: Any, tables: tuple[str, ...] = CURRENT) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of warehouse tables, sorted."""
    return {name: sorted(practice.warehouse(name).rows(), key=repr) for name in tables}


def published_contents(practice: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every published table, without when and from which file."""
    found = {}
    pointer = practice.places.pointer()
    for part in (pointer.cases, pointer.aggregates):
        with duckdb.connect(str(practice.places.published / part), read_only=True) as snapshot:
            for (name,) in snapshot.execute("show tables").fetchall():
                frame = snapshot.sql(f"from {name}").pl()
                timed = [
                    column
                    for column in frame.columns
                    if column.endswith(
                        ("run_id", "_at", "seconds", "file_id", "content_id", "first_line")
                    )
                    or column == "seconds"
                ]
                found[f"{part.split('.')[1]}.{name}"] = sorted(frame.drop(timed).rows(), key=repr)
    return found


# ---- order and repetition -----------------------------------------------------------------------


@few
@given(seed=seeds)
def test_the_order_of_rows_changes_nothing_that_is_published(
    new_practice: Callable[[], Any], trusted: None, seed: int
) -> None:
    [export] = drawn_history(seed).files(1)
    seen = []
    for shuffled in (False, True):
        practice = new_practice()
        practice.map(MAPPING)
        practice.settings("[curves]\nminimum_cases = 20\n")
        for table, text in export.items():
            header, *lines = text.splitlines()
            if shuffled:
                random.Random(seed).shuffle(lines)
            practice.send("\n".join([header, *lines]) + "\n", f"{table}_000.csv")
        practice.night()
        seen.append(published_contents(practice))
    assert seen[0] == seen[1]


def everything(practice: Any) -> dict[str, str]:
    """Return hashes of the published files and of the rows of every table of the warehouse."""
    found = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in practice.places.published.iterdir()
    }
    with duckdb.connect(str(practice.places.warehouse), read_only=True) as warehouse:
        for (name,) in warehouse.execute("show tables").fetchall():
            rows = sorted(warehouse.sql(f"from {name}").fetchall(), key=repr)
            found[name] = sha256(repr(rows).encode()).hexdigest()
    return found


def test_a_second_night_changes_nothing_at_all_and_says_so(practice: Any, trusted: None) -> None:
    practice.map(MAPPING)
    send(practice, drawn_history(7).files(3))
    practice.night()
    before = everything(practice)
    assert practice.night().outcome == "unchanged"
    assert everything(practice) == before
    assert practice.places.last_run().state == "unchanged"


def test_a_forced_rebuild_of_the_same_files_shows_nothing_new(practice: Any, trusted: None) -> None:
    practice.map(MAPPING)
    practice.settings(NO_CURVES)
    send(practice, drawn_history(11).files(3))
    practice.night()
    before = contents(practice, (*CURRENT, "flags", "shown"))
    assert practice.night(rebuild=True).outcome == "published"
    assert contents(practice, (*CURRENT, "flags", "shown")) == before


# ---- accounting ---------------------------------------------------------------------------------


@few
@given(seed=seeds)
def test_landed_rows_are_accepted_duplicate_superseded_quarantined_or_withdrawn_by_file(
    new_practice: Callable[[], Any], seed: int
) -> None:
    practice = new_practice()
    practice.map(MAPPING)
    practice.settings(NO_CURVES)
    chance = random.Random(seed)
    sent: dict[str, int] = {}
    for number, export in enumerate(drawn_history(seed, cases=3).files(4)):
        for table, text in export.items():
            for _ in range(chance.randrange(3)):  # what no rule lets through
                text += chance.choice(["a,b\n", '"\n', ",,,,,\n", "c-1,x,y,z,99,perhaps\n"])
            practice.send(text, f"{table}_{number:03}.csv")
            sent[f"{table}_{number:03}.csv"] = text.count("\n") - 1
        practice.night()
    names = [
        name
        for (name,) in practice.warehouse("show tables").iter_rows()
        if name.endswith("_versions")
    ]
    union = " union all ".join(f"select file_id, state from {name}" for name in names)
    accounts = practice.warehouse(
        "select files.path, landed, duplicate, quarantined, "
        "count(*) filter (versions.state = 'accepted') as accepted, "
        "count(*) filter (versions.state = 'superseded') as superseded, "
        "count(*) filter (versions.state = 'withdrawn') as withdrawn "
        f"from files left join ({union}) as versions using (file_id) group by all"
    )
    parts = ["accepted", "duplicate", "superseded", "quarantined", "withdrawn"]
    assert accounts.select(pl.sum_horizontal(parts)).to_series().to_list() == (
        accounts["landed"].to_list()
    )
    assert dict(accounts.select("path", "landed").iter_rows()) == sent
    totals = {part: accounts[part].sum() for part in parts}
    assert all(totals[part] > 0 for part in ("accepted", "superseded", "quarantined"))


# ---- time ---------------------------------------------------------------------------------------


def said_by_day(practice: Any) -> dict[tuple[str, str, int], tuple[str, ...]]:
    """Return status, code and deciding measure by case, measure and day.

    Before the baseline nothing can be judged, and whether a score will be the baseline is known
    only when treatment begins: the codes of what cannot be judged then count as one.
    """
    rows = practice.warehouse(
        "select case_id, measure_id, day, status, "
        "case when code in ('no_score', 'no_baseline', 'stale') then 'no start' else code end, "
        "case when status = 'cannot_judge' then '' else decided_by end from statuses"
    )
    return {(case_id, measure, day): tuple(said) for case_id, measure, day, *said in rows.rows()}


def up_to(history: History, day: int) -> dict[str, str]:
    """Return one export with what was known of every case up to its own day N."""
    place = {"cases": None, "sessions": 2, "scores": 1}
    return {
        table: as_csv(
            table,
            [
                cells
                for _, cells in rows
                if place[table] is None or cells[place[table]] <= day
            ],
        )
        for table, rows in history.rows.items()
    }  # fmt: skip


def anchored(history: History) -> History:
    """Add a case with a session on day 0, so that the site sends sessions from the start."""
    history.add("sessions", 0, "anchor", 1, 0, 0, "yes", None)
    return history


@few
@given(seed=seeds)
def test_data_after_day_n_never_changes_a_status_up_to_day_n(
    new_practice: Callable[[], Any], trusted: None, seed: int
) -> None:
    history = anchored(drawn_history(seed, cases=25, disturbed=False))
    whole = new_practice()
    whole.map(MAPPING)
    whole.settings(NO_CURVES)
    send(whole, [up_to(history, 10**6)])
    whole.night()
    in_full = said_by_day(whole)
    assert len({case_id for case_id, _, _ in in_full}) >= 25
    for day in (0, 14, 35, 70, 150):
        cut = new_practice()
        cut.map(MAPPING)
        cut.settings(NO_CURVES)
        send(cut, [up_to(history, day)])
        cut.night()
        assert said_by_day(cut) == {key: said for key, said in in_full.items() if key[2] <= day}, (
            day
        )


def test_with_the_same_curve_later_data_changes_no_earlier_status(
    new_practice: Callable[[], Any], trusted: None
) -> None:
    history = anchored(drawn_history(3, cases=60, disturbed=False, least_drift=-4))
    below_band = "[rule]\nband_chance = 0.7\n"  # else too few are below the band to tell
    whole = new_practice()
    whole.map(MAPPING)
    whole.settings("[curves]\nminimum_cases = 20\n" + below_band)
    send(whole, [up_to(history, 10**6)])
    whole.night()
    assert whole.warehouse("select count(*) from curves where fit is not null").item() == 2
    in_full = said_by_day(whole)
    codes = {code for _, code, _ in in_full.values()}
    assert codes >= {"below_band", "no_gain", "measures_disagree"}
    for day in (21, 56):
        cut = new_practice()
        cut.map(MAPPING)
        cut.settings(NO_CURVES + below_band)
        with duckdb.connect(str(cut.places.warehouse)) as warehouse:
            create_tables(warehouse)
            warehouse.execute(f"attach '{whole.places.warehouse}' as source (read_only)")
            warehouse.execute("insert into curves from source.curves")
        send(cut, [up_to(history, day)])
        cut.night()
        assert said_by_day(cut) == {key: said for key, said in in_full.items() if key[2] <= day}


# ---- increments ---------------------------------------------------------------------------------


def flags_are_consistent(practice: Any) -> None:
    """Check that the open flags are just the conditions that hold at the last occasion."""
    flags = practice.warehouse("flags")
    is_open = dict(practice.published("cases").select("case_id", "is_open").iter_rows())
    statuses = practice.warehouse(
        "select case_id, status from statuses where measure_id = 'case' "
        "qualify row_number() over (partition by case_id order by occasion desc) = 1"
    )
    expected = {
        (case_id, status)
        for case_id, status in statuses.iter_rows()
        if status in ("stuck", "deteriorating") and is_open[case_id]
    }
    still = flags.filter(pl.col("closed_run_id").is_null())
    of_status = still.filter(pl.col("kind").is_in(["stuck", "deteriorating"]))
    assert sorted(of_status.select("case_id", "kind").rows()) == sorted(expected)
    assert all(is_open[case_id] for case_id in still["case_id"])
    alliance = practice.warehouse(
        "select case_id, is_low, is_dropped from alliance_points "
        "qualify row_number() over (partition by case_id, measure_id order by occasion desc) = 1"
    )
    for kind, column in (("alliance_low", "is_low"), ("alliance_drop", "is_dropped")):
        holds = alliance.filter(pl.col(column))["case_id"].to_list()
        assert sorted(still.filter(pl.col("kind") == kind)["case_id"].to_list()) == sorted(
            case_id for case_id in holds if is_open[case_id]
        )
    closed = flags.filter(pl.col("closed_run_id").is_not_null())
    assert closed.filter(pl.col("closed_run_id") < pl.col("opened_run_id")).is_empty()
    assert closed.filter(pl.col("closed_occasion") <= pl.col("opened_occasion")).is_empty()
    assert still.filter(pl.col("closed_occasion").is_not_null()).is_empty()
    queue = practice.published("queue")
    assert set(queue.filter("is_flagged")["case_id"]) == set(still["case_id"])


@few
@given(seed=seeds)
def test_thirty_increments_equal_a_rebuild_and_one_night_over_all_files(
    new_practice: Callable[[], Any], trusted: None, seed: int
) -> None:
    exports = [export for export in drawn_history(seed).files(30) if export]
    step_by_step = new_practice()
    step_by_step.map(MAPPING)
    step_by_step.settings(NO_CURVES)
    shown: dict[str, list[tuple[Any, ...]]] = {}
    has_scores = False
    for number, export in enumerate(exports):
        send(step_by_step, [export], number)
        has_scores = has_scores or "scores" in export
        if not has_scores:
            continue
        report = step_by_step.night()
        flags_are_consistent(step_by_step)
        rows = step_by_step.warehouse("shown").sort("run_id", "case_id", "measure_id")
        for run_id, before in shown.items():  # what was shown then is what was shown then
            assert rows.filter(pl.col("run_id") <= run_id).rows() == before
        shown[report.run_id] = rows.rows()
    at_once = new_practice()
    at_once.map(MAPPING)
    at_once.settings(NO_CURVES)
    send(at_once, exports)
    at_once.night()
    incremental = contents(step_by_step)
    assert incremental == contents(at_once)
    step_by_step.night(rebuild=True)
    assert incremental == contents(step_by_step)
    flags_are_consistent(step_by_step)


# ---- withdrawal of a whole case -----------------------------------------------------------------

STUCK = "".join(f"c-1,{7 * k},,phq,20,\n" for k in range(8))
OTHER = "c-2,0,,phq,20,\nc-2,7,,phq,19,\n"


def withdrawn_as_a_whole(practice: Any) -> None:
    """Send a stuck case that has scores only, then take all of it back."""
    practice.map(MAPPING)
    practice.settings(NO_CURVES)
    practice.send(HEADERS["scores"] + "\n" + STUCK + OTHER, "scores_000.csv")
    practice.night()
    assert practice.statuses()["c-1"][0] == "stuck"
    gone = STUCK.replace(",20,\n", ",,yes\n")
    practice.send(HEADERS["scores"] + "\n" + gone, "scores_001.csv")
    practice.night()
    assert set(practice.statuses()) == {"c-2"}


def test_a_case_made_up_from_its_scores_goes_when_they_are_withdrawn(
    practice: Any, trusted: None
) -> None:
    withdrawn_as_a_whole(practice)
    assert practice.warehouse("cases")["case_id"].to_list() == ["c-2"]
    before = contents(practice)
    practice.night(rebuild=True)
    assert contents(practice) == before


def test_the_flags_of_a_withdrawn_case_are_closed(practice: Any, trusted: None) -> None:
    withdrawn_as_a_whole(practice)
    flags = practice.warehouse("flags").filter(pl.col("case_id") == "c-1")
    assert flags.height == 1
    assert flags["closed_run_id"].null_count() == 0
