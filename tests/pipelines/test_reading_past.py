"""Past cases come out of a warehouse as the status rule saw them and as the trends count them."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from data_contracts.errors import (
    ContractError,
    EverythingRefusedError,
    NightRunningError,
    NothingPublishedError,
    SourceError,
)
from data_contracts.measures import built_in_measures
from models.past_cases import PastCases
from pipelines import locks
from pipelines.locks import held
from pipelines.opening_past import GivenPast, past_of_files, past_of_home
from pipelines.reading_past import measures_with_a_past, past_cases

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared" / "data"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NEEDS_SHARED = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"published data sets are not beside this repository: {SHARED}"
)

SCORES = """
format = 1
site = "north"
case_ids = "keep"

[[file]]
table = "scores"
path = "scores*.csv"

[file.columns]
case_id = "case"
time = "day"
measure = "measure"
value = "score"

[file.measures]
"PHQ-9" = "phq9"
"GAD-7" = "gad7"
"SRS" = "srs"
"""
CASES = """
[[file]]
table = "cases"
path = "cases*.csv"

[file.columns]
case_id = "case"
practice_day_start = "start"
end_day = "end"
end_reason = "how"
therapist_id = "therapist"
sex = "sex"
"""
SESSIONS = """
[[file]]
table = "sessions"
path = "sessions*.csv"

[file.columns]
case_id = "case"
session = "session"
day = "day"
attended = "came"
"""
DRAWN = """
case,day,measure,score
C-1,0,PHQ-9,18
C-1,7,PHQ-9,16
C-1,7,SRS,30
C-1,14,PHQ-9,9
C-2,0,PHQ-9,20
C-2,9,PHQ-9,21
C-2,300,PHQ-9,12
C-2,310,PHQ-9,10
C-3,0,PHQ-9,15
C-3,8,PHQ-9,14
C-3,0,GAD-7,14
C-3,8,GAD-7,12
C-4,0,GAD-7,14
""".lstrip()
ENDED = """
case,start,end,how,therapist,sex
C-1,100,20,Dropped-Out,T1,f
C-2,50,320,completed,T1,m
C-3,60,,,T2,f
C-4,70,5,completed,T2,f
""".lstrip()


def past_of(practice: Any, measure_id: str = "phq9", **how: Any) -> PastCases:
    measures = built_in_measures()
    with closing(duckdb.connect(str(practice.places.warehouse), read_only=True)) as warehouse:
        return past_cases(warehouse, measures[measure_id], measures=measures, **how)


def ends(past: PastCases) -> dict[str, tuple[bool, int | None, bool | None]]:
    rows = past.cases.select("case_id", "is_ended", "ended_on", "dropped_out").iter_rows()
    return {case_id: tuple(rest) for case_id, *rest in rows}  # type: ignore[misc]


def begun(practice: Any) -> Any:
    """Return the practice after its first night, with scores and how cases ended."""
    practice.map(SCORES + CASES)
    practice.send(ENDED, "cases.csv")
    practice.send(DRAWN)
    practice.night()
    return practice


@pytest.fixture(scope="module")
def with_ends(new_practice: Any) -> Any:
    """For tests that only look."""
    return begun(new_practice())


# --- A home --------------------------------------------------------------------------------------


def test_cases_end_on_the_practice_day_that_was_sent_and_the_codes_tell_who_dropped_out(
    with_ends: Any,
) -> None:
    assert ends(past_of(with_ends)) == {
        "C-1": (True, 120, True),
        "C-2": (True, 50 + 9, None),  # its second course followed: it ended with its last contact
        "C-2~2": (True, 370, False),
        "C-3": (False, None, None),
    }


def test_both_courses_of_one_client_stay_on_one_side(with_ends: Any) -> None:
    cases = past_of(with_ends).cases
    assert dict(cases.select("case_id", "client_id").iter_rows()) == {
        "C-1": "C-1",
        "C-2": "C-2",
        "C-2~2": "C-2",
        "C-3": "C-3",
    }
    assert cases["started_on"].to_list() == [100, 50, 350, 60]
    assert cases["therapist_id"].to_list() == ["T1", "T1", "T1", "T2"]


def test_the_scores_are_those_the_status_rule_judged(with_ends: Any) -> None:
    points = past_of(with_ends).points
    judged = with_ends.warehouse(
        "select case_id, occasion from statuses where measure_id = 'phq9' order by all"
    )
    assert points.select("case_id", "occasion").rows() == judged.rows()
    assert points.filter(case_id="C-1")["gain"].to_list() == [0, 2, 9]
    assert points.filter(case_id="C-1")["practice_day"].to_list() == [100, 107, 114]
    assert "chance_this_bad" not in points.columns  # it was learned from all cases of today


def test_the_alliance_comes_as_a_share_of_its_range(with_ends: Any) -> None:
    alliance = past_of(with_ends).alliance
    assert alliance.select("case_id", "day", "value", "share").rows() == [("C-1", 7, 30.0, 0.75)]


def test_a_practice_whose_end_codes_say_nothing_of_dropping_out_knows_nobody_who_did(
    practice: Any,
) -> None:
    with_ends = begun(practice)
    with_ends.send(ENDED.replace("Dropped-Out", "client left"), "cases.csv")
    with_ends.night()
    assert past_of(with_ends).cases["dropped_out"].null_count() == 4
    named = past_of(with_ends, drop_out_codes=["Client-Left"])
    assert ends(named)["C-1"] == (True, 120, True)
    given = past_of_home(with_ends.places, NOW, measure_id="phq9")
    assert any("care.drop_out_codes" in note for note in given.notes)


def test_measures_come_with_their_cases_most_first(with_ends: Any) -> None:
    with closing(duckdb.connect(str(with_ends.places.warehouse), read_only=True)) as warehouse:
        found = measures_with_a_past(warehouse, built_in_measures())
    assert found == [("phq9", 4), ("gad7", 1)]  # C-4 has one score, and the SRS is no outcome
    assert past_of_home(with_ends.places, NOW).past.measure.measure_id == "phq9"


def test_reading_changes_nothing_in_the_home(with_ends: Any) -> None:
    before = with_ends.places.warehouse.read_bytes()
    past_of_home(with_ends.places, NOW)
    assert with_ends.places.warehouse.read_bytes() == before


def test_a_session_belongs_to_the_course_that_had_begun_by_its_day(practice: Any) -> None:
    practice.map(SCORES + SESSIONS)
    practice.send(DRAWN)
    practice.send(
        "case,session,day,came\nC-2,1,0,yes\nC-2,2,20,no\nC-2,3,300,yes\nC-2,4,330,no\n",
        "sessions.csv",
    )
    practice.night()
    found = past_of(practice).sessions.select("case_id", "session", "attended").rows()
    assert found == [("C-2", 1, True), ("C-2", 2, False), ("C-2~2", 3, True), ("C-2~2", 4, False)]


def test_scores_alone_count_as_ended_without_a_day(practice: Any) -> None:
    practice.map(SCORES)
    practice.send(DRAWN)
    practice.night()
    past = past_of(practice)
    assert past.cases["is_ended"].all()
    assert past.cases["ended_on"].null_count() == past.cases.height
    assert not past.has_calendar
    (note,) = past_of_home(practice.places, NOW).notes
    assert "every case counts as ended" in note


def test_scores_alone_with_practice_days_end_on_the_day_of_the_last_contact(practice: Any) -> None:
    practice.map(SCORES + '\n[file.time]\nunit = "date"\nformat = "%Y-%m-%d"\n')
    practice.send(
        "case,day,measure,score\nC-1,2025-01-06,PHQ-9,18\nC-1,2025-01-20,PHQ-9,12\n"
        "C-2,2025-01-07,PHQ-9,14\nC-2,2025-02-06,PHQ-9,15\n"
    )
    practice.map(practice.mapping.read_text().replace('"keep"', '"crosswalk"'))
    practice.night()
    cases = past_of(practice).cases
    lengths = (cases["ended_on"] - cases["started_on"]).to_list()
    assert sorted(lengths) == [14, 30]
    assert past_of(practice).has_calendar


def test_a_practice_that_just_began_has_no_past_yet(practice: Any) -> None:
    """Its cases came with a cases file and all are open: none of them may count as ended."""
    practice.map(SCORES + CASES)
    practice.send("case,start,end,how,therapist,sex\nC-1,100,,,T1,f\nC-3,60,,,T2,f\n", "cases.csv")
    practice.send(DRAWN)
    practice.night()
    past = past_of(practice)
    assert past.cases.filter(case_id="C-1")["is_ended"].to_list() == [False]
    assert past_of(practice, without_ends="ended").cases["is_ended"].all()


def test_in_a_night_the_facts_of_the_night_are_used_and_left_alone(with_ends: Any) -> None:
    measures = built_in_measures()
    with closing(duckdb.connect(str(with_ends.places.warehouse))) as warehouse:
        past_cases(warehouse, measures["phq9"], measures=measures)
        warehouse.execute("update case_facts set today = 4711")
        past_cases(warehouse, measures["phq9"], measures=measures)
        assert warehouse.sql("select distinct today from case_facts").fetchall() == [(4711,)]


# --- Who holds the home --------------------------------------------------------------------------


def test_while_a_night_runs_nothing_is_read_and_the_message_says_so(with_ends: Any) -> None:
    with (
        held(with_ends.places.lock, "night", NOW),
        pytest.raises(NightRunningError, match="another night is running"),
    ):
        past_of_home(with_ends.places, NOW)


def test_a_night_waits_for_a_reader_and_gives_up_on_one_that_does_not_end(
    practice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_ends = begun(practice)
    monkeypatch.setattr(locks, "_READING_ENDS_WITHIN", 0.2)
    with (
        held(with_ends.places.lock, "night", NOW, reading=True),
        pytest.raises(NightRunningError, match="reading past cases"),
    ):
        with_ends.night()
    looks = []
    reader = held(with_ends.places.lock, "night", NOW, reading=True)
    reader.__enter__()

    def ends_soon(_seconds: float) -> None:
        if not looks:
            reader.__exit__(None, None, None)
        looks.append("again")

    monkeypatch.setattr(locks, "sleep", ends_soon)
    assert with_ends.night().outcome in ("published", "unchanged")
    assert looks == ["again"]


def test_a_home_without_a_night_says_what_to_do(practice: Any) -> None:
    with pytest.raises(NothingPublishedError, match="unstuck run"):
        past_of_home(practice.places, NOW)
    assert not practice.places.home.exists()


def test_a_measure_nobody_has_is_refused_with_those_there_are(with_ends: Any) -> None:
    with pytest.raises(ContractError, match="did you mean 'phq9'.*phq9, gad7"):
        past_of_home(with_ends.places, NOW, measure_id="phq-9")
    with pytest.raises(ContractError, match="no case has a score of pcl5.*phq9, gad7"):
        past_of_home(with_ends.places, NOW, measure_id="pcl5")


# --- Files ---------------------------------------------------------------------------------------


def of_files(practice: Any, **how: Any) -> GivenPast:
    return past_of_files(practice.source, practice.mapping, NOW, **how)


def test_files_are_landed_as_by_night_and_leave_nothing_behind(
    practice: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice.map(SCORES + CASES)
    practice.send(ENDED, "cases.csv")
    practice.send(DRAWN)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    from_files = of_files(practice).past
    assert list(temporary.iterdir()) == []
    assert not practice.places.home.exists()
    practice.night()
    for name in ("cases", "points", "sessions", "alliance"):
        assert getattr(from_files, name).equals(getattr(past_of(practice), name)), name


def test_rows_set_aside_are_counted_by_reason_and_never_by_value(practice: Any) -> None:
    practice.map(SCORES)
    practice.send(DRAWN + "CANARY-1,3,PHQ-9,9999\nCANARY-2,x17,PHQ-9,4\n")
    notes = " ".join(of_files(practice).notes)
    assert "column score: 1 row set aside" in notes
    assert "column day: 1 row set aside" in notes
    assert not any(value in notes for value in ("CANARY", "9999", "x17"))


def test_ids_and_days_of_files_are_the_same_every_time(practice: Any) -> None:
    """Folds are cut along them: a random crosswalk would give other numbers each time."""
    practice.map(
        SCORES.replace('"keep"', '"crosswalk"')
        + '\n[file.time]\nunit = "date"\nformat = "%Y-%m-%d"\n'
    )
    practice.send(
        "case,day,measure,score\nC-1,2025-01-06,PHQ-9,18\nC-1,2025-01-20,PHQ-9,12\n"
        "C-2,2025-01-07,PHQ-9,14\nC-2,2025-02-06,PHQ-9,15\n"
    )
    first, second = of_files(practice).past, of_files(practice).past
    assert first.points.equals(second.points)
    assert not set(first.cases["case_id"]) & {"C-1", "C-2"}


def test_a_measure_of_ones_own_lies_beside_the_mapping_or_is_named(practice: Any) -> None:
    practice.map(SCORES.replace('"SRS" = "srs"', '"MOOD" = "mood"'))
    practice.send(DRAWN.replace("GAD-7", "MOOD"))
    with pytest.raises(ContractError, match="'mood', which has no contract"):
        of_files(practice)
    contract = (REPOSITORY / "docs/examples/measures/imps79.toml").read_text(encoding="utf-8")
    own = practice.mapping.parent / "measures"
    own.mkdir()
    changed = contract.replace('"imps79"', '"mood"').replace("maximum = 7", "maximum = 20")
    (own / "mood.toml").write_text(changed.replace('"clinician"', '"client"'), encoding="utf-8")
    assert of_files(practice).measures == (("phq9", 4), ("mood", 1))
    elsewhere = own.rename(practice.mapping.parent / "elsewhere")
    assert of_files(practice, measures=elsewhere, measure_id="mood").past.cases.height == 2
    with pytest.raises(ContractError, match="--measures"):
        of_files(practice, measures=own)


def test_files_that_cannot_be_used_say_what_to_do(practice: Any) -> None:
    practice.map(SCORES)
    with pytest.raises(SourceError, match="--source"):
        of_files(practice)
    practice.send("case,day,measure,score\nC-1,0,PHQ-9,x\n")
    with pytest.raises(EverythingRefusedError, match="no score could be taken"):
        of_files(practice)
    practice.send("case,day,measure,score\nC-1,0,PHQ-9,12\nC-2,0,PHQ-9,12\n")
    with pytest.raises(ContractError, match="nothing to replay"):
        of_files(practice)


# --- Published data (counts stand in the PROVENANCE.md of each data set) -------------------


@NEEDS_SHARED
def test_enrichd_has_557_cases_and_338_with_an_end_of_which_a_quarter_little_better() -> None:
    """557 people; 84 of the 338 with a score by day 28 and one from day 140 on kept over half."""
    given = past_of_files(
        SHARED / "enrichd_bdi_cbt", REPOSITORY / "docs/examples/enrichd.toml", NOW
    )
    later = given.past.points.filter(pl.col("occasion") >= 1)
    assert (given.past.cases.height, later.height) == (557, 6407)
    by_28 = later.filter(pl.col("days") <= 28).select("case_id").unique()
    last = later.filter(pl.col("days") >= 140).group_by("case_id", maintain_order=True).last()
    asked = last.join(by_28, on="case_id", how="semi")
    under_half = asked.filter(pl.col("value") > 0.5 * pl.col("baseline")).height
    assert (asked.height, round(under_half / asked.height, 3)) == (338, 0.249)


@NEEDS_SHARED
@pytest.mark.parametrize(
    ("folder", "mapping", "measure_id", "cases", "day", "end", "known"),
    [
        ("dia_antidepressant_hamd17", "dia_antidepressant", "hamd17", 172, 14, 42, 129),
        ("bright_group_cbt", "bright", "bdi2", 299, 91, 183, 232),
        ("beat_the_blues", "beat_the_blues", "bdi2", 100, 61, 244, 52),
        ("nimh_schizophrenia_imps", "nimh", "imps79", 437, 7, 42, 325),
    ],
)
def test_the_other_published_sets_reach_their_landmark_and_end(
    folder: str, mapping: str, measure_id: str, cases: int, day: int, end: int, known: int
) -> None:
    given = past_of_files(SHARED / folder, REPOSITORY / f"docs/examples/{mapping}.toml", NOW)
    past = given.past
    assert past.measure.measure_id == measure_id
    assert past.cases["client_id"].n_unique() == cases
    later = past.points.filter(pl.col("occasion") >= 1)
    asked = later.filter(pl.col("days") <= day).select("case_id").unique()
    ended = later.filter(pl.col("days") >= end).select("case_id").unique()
    assert asked.join(ended, on="case_id").height == known
