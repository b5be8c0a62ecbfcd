"""Nobody sees a case outside their scope."""

from __future__ import annotations

from random import Random
from shutil import copy2

import polars as pl
import pytest

from dashboard import reading
from dashboard.scope import (
    UNNAMED_LEAD,
    Assignment,
    OutsideScopeError,
    Scope,
    scope_of_supervisor,
    supervised,
    supervisor_ids,
)
from data_contracts.errors import UnknownCaseError
from data_contracts.places import Places
from data_contracts.settings import Roles

THERAPISTS = [
    Assignment(therapist_id="T-1", supervisor_id="S-1"),
    Assignment(therapist_id="T-2", supervisor_id="S-2"),
    Assignment(therapist_id="T-3", supervisor_id=None),
]
AGGREGATES = (
    reading.trends,
    reading.talking_therapies,
    reading.follow_up,
    reading.quarantine,
    reading.runs,
    reading.run_counts,
    reading.files,
)


def scopes_of(places: Places, roles: Roles) -> dict[str, Scope]:
    snapshot = reading.current_snapshot(places)
    known, has_unassigned = reading.assignments(snapshot, Scope(role="supervisor"))
    return {
        supervisor: scope_of_supervisor(supervisor, roles, known)
        for supervisor in supervisor_ids(roles, known, has_unassigned=has_unassigned)
    }


def holders(places: Places) -> dict[str, str]:
    """Who should see which case, worked out apart from the code under test."""
    import duckdb

    # The screens keep the file itself open, with settings of their own.
    path = reading.current_snapshot(places).cases
    with duckdb.connect(str(copy2(path, path.with_suffix(".apart")))) as connection:
        rows = connection.sql("select case_id, therapist_id from published_cases").fetchall()
        of_therapist = dict(
            connection.sql(
                "select therapist_id, supervisor_id from published_therapists"
            ).fetchall()
        )
    return {case: of_therapist.get(therapist) or UNNAMED_LEAD for case, therapist in rows}


def test_a_thousand_random_pairs_show_no_case_outside_the_scope(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    scopes = scopes_of(practice, Roles())
    expected = holders(practice)
    random = Random(20261122)
    seen_inside = 0
    for _ in range(1000):
        supervisor = random.choice(list(scopes))
        case_id = random.choice([*expected, "C-999", "' or true --"])
        belongs = expected.get(case_id) == supervisor
        try:
            record = reading.case_record(snapshot, scopes[supervisor], case_id)
        except UnknownCaseError:
            assert not belongs
        else:
            assert belongs
            assert record.case["case_id"] == case_id
            seen_inside += 1
    assert seen_inside > 100


def test_queue_and_standing_hold_own_cases_only(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    expected = holders(practice)
    every_case = []
    for supervisor, scope in scopes_of(practice, Roles()).items():
        own = {case for case, holder in expected.items() if holder == supervisor}
        queued = set(reading.queue(snapshot, scope)["case_id"])
        assert queued <= own
        assert reading.standing(snapshot, scope)["case_count"].sum() == len(own)
        every_case += own
    assert sorted(every_case) == sorted(expected)  # every case has exactly one supervisor


def test_a_supervisor_without_therapists_sees_nothing(practice: Places) -> None:
    snapshot = reading.current_snapshot(practice)
    assert reading.queue(snapshot, Scope(role="supervisor")).is_empty()


def test_settings_replace_what_the_tables_say() -> None:
    roles = Roles(supervisors={"S-9": ["T-1", "T-3"]}, lead_supervisor="S-0")
    assert supervised(roles, THERAPISTS) == {"S-9": {"T-1", "T-3"}, "": {"T-2"}}
    assert scope_of_supervisor("S-9", roles, THERAPISTS).therapist_ids == ("T-1", "T-3")
    assert scope_of_supervisor("S-1", roles, THERAPISTS).therapist_ids == ()


def test_the_lead_also_sees_cases_nobody_supervises() -> None:
    roles = Roles(lead_supervisor="S-1")
    lead = scope_of_supervisor("S-1", roles, THERAPISTS)
    assert lead.therapist_ids == ("T-1", "T-3")
    assert lead.sees_cases_without_therapist
    assert not scope_of_supervisor("S-2", roles, THERAPISTS).sees_cases_without_therapist


def test_cases_without_supervisor_and_without_named_lead_still_have_one_to_choose() -> None:
    assert supervisor_ids(Roles(), THERAPISTS, has_unassigned=False) == ["S-1", "S-2", UNNAMED_LEAD]
    assert supervisor_ids(Roles(), [], has_unassigned=True) == [UNNAMED_LEAD]
    assert supervisor_ids(Roles(), THERAPISTS[:2], has_unassigned=False) == ["S-1", "S-2"]


@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_managers_and_analysts_are_refused_every_case(practice: Places, role: str) -> None:
    snapshot = reading.current_snapshot(practice)
    scope = Scope(role=role, therapist_ids=("T-001",), sees_cases_without_therapist=True)  # type: ignore[arg-type]  # from parametrize
    for ask in (reading.queue, reading.standing, reading.assignments):
        with pytest.raises(OutsideScopeError, match="supervisors only"):
            ask(snapshot, scope)
    with pytest.raises(OutsideScopeError, match="supervisors only"):
        reading.case_record(snapshot, scope, "C-001")


@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_the_cases_file_is_never_opened_for_a_manager(own_practice: Places, role: str) -> None:
    snapshot = reading.current_snapshot(own_practice)
    snapshot.cases.unlink()
    for ask in AGGREGATES:
        assert isinstance(ask(snapshot, Scope(role=role)), pl.DataFrame)  # type: ignore[arg-type]  # from parametrize
