"""10,000 random pairs of a user and a case: nothing outside the user's scope comes back.

Practices, people and addresses are drawn; what each person may see is worked out here, apart from
the code under test, when the person is drawn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import copy
from typing import Any

import duckdb
import polars as pl
import pytest

from dashboard import reading
from dashboard.reading import Snapshot
from dashboard.scope import OutsideScopeError, Scope
from dashboard.sign_in_roles import person_of, scope_of
from data_contracts.errors import UnknownCaseError
from data_contracts.places import Places
from data_contracts.settings import Role, Roles, SignedInUser, SignIn

SEED = 20261122
PAIRS = 10_000
PRACTICES, PEOPLE = 4, 50
CASES_A_PERSON = PAIRS // (PRACTICES * PEOPLE)
THERAPISTS = [f"T-{number:03}" for number in range(1, 8)]
SUPERVISORS = ["S-01", "S-02", "lead", "S-10"]
LEAD = "S-10"
RULES = SignIn(
    provider="https://login.example.org/.well-known/openid-configuration",
    client_id="unstuck",
    address="https://unstuck.example.org",
    role_claim="groups",
    supervisor_values=["sup"],
    manager_values=["man"],
    analyst_values=["ana"],
    supervisor_claim="sid",
    refused=["Gone"],
    users={"mapped": SignedInUser(roles=["analyst", "supervisor"], supervisor_id="S-02")},
)
LISTING = RULES.model_copy(update={"therapists_claim": "therapists"})
ODD_VALUES: list[Any] = [None, "", " ", 7, 1.5, True, {}, {"sup": "sup"}, [["sup"]], [7, None]]
UNKNOWN_CASES = ["C-999", "", "' or true --", "c-001", "C-001 ", "C-001\x00", "%"]
EVERY_ID = [*(f"C-{number:03}" for number in range(100)), *UNKNOWN_CASES]
# Read by everybody with a role: after suppression, or about measures and runs.
WITHOUT_CASES = (
    reading.run,
    reading.runs,
    reading.run_counts,
    reading.models,
    reading.drift,
    reading.files,
    reading.quarantine,
    reading.trends,
    reading.trend_groups,
    reading.funnel,
    reading.talking_therapies,
    reading.follow_up,
    reading.measures,
)
NOT_ROWS = {
    "assignments": "therapists and supervisors, from which a scope is made; no case",
    "is_published": "one word for the audit log, never shown",
}


@dataclass(frozen=True)
class Drawn:
    """A person, and what they may see by the way they were drawn."""

    claims: dict[str, Any]
    rules: SignIn = RULES
    roles: set[Role] = field(default_factory=set)
    supervisor_id: str = ""
    listed: set[str] | None = None


def a_person(random: Random) -> Drawn:
    sub = f"user-{random.randrange(1000)}"
    own = random.choice(SUPERVISORS)
    other: Any = random.choice(ODD_VALUES)
    match random.randrange(14):
        case 0 | 1 | 2 | 3:
            return Drawn(
                {"sub": sub, "groups": ["sup", "x"], "sid": own}, RULES, {"supervisor"}, own
            )
        case 4:
            groups = random.sample(["sup", "man", "ana"], k=2)
            names: dict[str, Role] = {"sup": "supervisor", "man": "manager", "ana": "analyst"}
            roles = {names[group] for group in groups}
            return Drawn({"sub": sub, "groups": groups, "sid": [own]}, RULES, roles, own)
        case 5:
            return Drawn({"sub": sub, "groups": "man", "sid": own}, RULES, {"manager"})
        case 6:
            return Drawn({"sub": sub, "groups": ["ana"], "sid": own}, RULES, {"analyst"})
        case 7:  # roles that are none
            wrong = random.choice([*ODD_VALUES, "Sup", "sup man", "sup,man", ["supervisor"]])
            return Drawn({"sub": sub, "groups": wrong, "sid": own})
        case 8:  # a supervisor whose id is none
            odd = other if not isinstance(other, str) else ""
            return Drawn({"sub": sub, "groups": ["sup"], "sid": odd}, RULES, {"supervisor"})
        case 9:  # which of them?
            return Drawn(
                {"sub": sub, "groups": ["sup"], "sid": ["S-01", "S-02"]}, RULES, {"supervisor"}
            )
        case 10:  # nobody, whatever the roles say
            who = random.choice([other if other != 7 else [], "gone", "GONE", ["a", "b"]])
            return Drawn({"sub": who, "groups": ["sup"], "sid": own})
        case 11:  # the settings know this one; claims do not count
            claims = {"sub": "mapped", "groups": ["man"], "sid": "S-01"}
            return Drawn(claims, RULES, {"analyst", "supervisor"}, "S-02")
        case 12:  # therapists by claim
            listed = random.sample(THERAPISTS, k=random.randrange(4))
            claims = {"sub": sub, "groups": ["sup"], "sid": own, "therapists": listed}
            return Drawn(claims, LISTING, {"supervisor"}, own, set(listed))
        case _:
            claims = {"sub": sub, "groups": ["sup"], "sid": own, "therapists": other}
            return Drawn(claims, LISTING, {"supervisor"}, own, set())


@dataclass(frozen=True)
class Practice:
    snapshot: Snapshot
    roles: Roles
    therapist_of: dict[str, str | None]
    supervisor_of: dict[str, str | None]

    def visible(self, drawn: Drawn) -> set[str]:
        """Which cases a supervisor sees, worked out anew."""
        if not drawn.supervisor_id and drawn.listed is None:
            return set()
        leads = drawn.supervisor_id == self.roles.lead_supervisor != ""
        seen = set()
        for case_id, therapist in self.therapist_of.items():
            if therapist is None:
                is_own = leads
            elif drawn.listed is not None:
                is_own = therapist in drawn.listed or (
                    leads and self.supervisor_of[therapist] in (None, LEAD)
                )
            else:
                holder = self.supervisor_of[therapist]
                is_own = holder == drawn.supervisor_id or (leads and holder is None)
            if is_own:
                seen.add(case_id)
        return seen


@pytest.fixture(scope="module")
def practices(practice: Places, tmp_path_factory: pytest.TempPathFactory) -> list[Practice]:
    """Return copies of the invented practice whose cases and therapists were dealt out anew."""
    found = []
    for number in range(PRACTICES):
        random = Random(SEED + number)
        home = tmp_path_factory.mktemp("dealt")
        old = reading.current_snapshot(practice)
        cases, aggregates = (Path(copy(path, home)) for path in (old.cases, old.aggregates))
        snapshot = Snapshot(
            run_id=old.run_id,
            cases=cases,
            aggregates=aggregates,
            as_of=old.as_of,
            published_at=old.published_at,
        )
        supervisor_of = {name: random.choice([*SUPERVISORS, None]) for name in THERAPISTS}
        with duckdb.connect(str(cases)) as connection:
            ids = [
                row[0] for row in connection.sql("select case_id from published_cases").fetchall()
            ]
            therapist_of = {case_id: random.choice([*THERAPISTS, None]) for case_id in ids}
            _deal(connection, therapist_of, supervisor_of)
        roles = Roles(lead_supervisor=LEAD if number % 2 else "")
        found.append(Practice(snapshot, roles, therapist_of, supervisor_of))
    return found


def _deal(
    connection: duckdb.DuckDBPyConnection,
    therapist_of: dict[str, str | None],
    supervisor_of: dict[str, str | None],
) -> None:
    holding = connection.sql(
        "select table_name from duckdb_columns() where column_name in ('case_id', 'therapist_id') "
        "group by all having count(*) = 2"
    ).fetchall()
    connection.execute(
        "create temp table dealt as select unnest(?) as case_id, unnest(?) as therapist_id",
        [list(therapist_of), list(therapist_of.values())],
    )
    for (table,) in holding:
        connection.execute(
            f"update {table} set therapist_id = dealt.therapist_id from dealt "
            f"where {table}.case_id = dealt.case_id"
        )
    for therapist, supervisor in supervisor_of.items():
        connection.execute(
            "update published_therapists set supervisor_id = ? where therapist_id = ?",
            [supervisor, therapist],
        )


@pytest.fixture
def _remembered_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember answers in a dictionary: Streamlit copies each, which takes a minute in all."""
    known: dict[str, dict[str, pl.DataFrame]] = {}

    def answers(path: str, identity: Any, queries: Any, values: Any) -> dict[str, pl.DataFrame]:
        key = repr((path, queries, values))
        if key not in known:
            known[key] = reading._FILES.answers(path, identity, queries, values)
        return dict(known[key])

    monkeypatch.setattr(reading, "_answers", answers)


def asked_for(
    snapshot: Snapshot, scope: Scope, case_id: str, therapist_id: str
) -> dict[str, Callable[[], Any]]:
    """Every function of the query layer that gives rows of cases, as a screen would ask it."""
    return {
        "case_record": lambda: reading.case_record(snapshot, scope, case_id),
        "queue": lambda: reading.queue(snapshot, scope),
        "standing": lambda: reading.standing(snapshot, scope),
        "cases_in_scope": lambda: pl.DataFrame(
            {"case_id": sorted(reading.cases_in_scope(snapshot, scope, EVERY_ID))},
            schema={"case_id": pl.String},
        ),
        "caseload": lambda: reading.caseload(snapshot, scope),
        "therapist_lenses": lambda: reading.therapist_lenses(snapshot, scope),
        "open_cases": lambda: reading.open_cases(snapshot, scope, therapist_id),
        "cases_outside_queue": lambda: reading.cases_outside_queue(snapshot, scope),
    }


def test_every_function_of_the_query_layer_is_tried() -> None:
    scoped = {
        name
        for name, function in inspect.getmembers(reading, inspect.isfunction)
        if function.__module__ == reading.__name__
        and not name.startswith("_")
        and "scope" in inspect.signature(function).parameters
    }
    nobody = Scope(role="manager")
    tried = {
        *asked_for(None, nobody, "", ""),  # type: ignore[arg-type]  # names only
        *(function.__name__ for function in WITHOUT_CASES),
        *NOT_ROWS,
    }
    assert scoped == tried, "add the new function to this test"


@pytest.mark.usefixtures("_remembered_plainly")
def test_ten_thousand_random_pairs_show_no_row_outside_the_scope(
    practices: list[Practice],
) -> None:
    random = Random(SEED)
    pairs = inside = nobodies = 0
    asked_before: set[Any] = set()
    for practice in practices:
        known = reading.assignments(practice.snapshot, Scope(role="supervisor"))[0]
        everything = [*practice.therapist_of, *UNKNOWN_CASES]
        people = 0
        while people < PEOPLE:
            drawn = a_person(random)
            person = person_of(drawn.claims, drawn.rules)
            assert set(person.roles) == drawn.roles
            for role in ("supervisor", "manager", "analyst"):
                if role not in drawn.roles:
                    with pytest.raises(ValueError, match="without the role"):
                        scope_of(person, role, practice.roles, known)
            if not person.roles:  # no scope, so nothing can be asked
                nobodies += 1
                continue
            people += 1
            for place in range(CASES_A_PERSON):
                role = person.roles[place % len(person.roles)]
                scope = scope_of(person, role, practice.roles, known)
                may_see = practice.visible(drawn) if role == "supervisor" else set()
                case_id = random.choice(everything)
                therapist = random.choice([*THERAPISTS, "", "T-999"])
                asked = asked_for(practice.snapshot, scope, case_id, therapist)
                for name, ask in asked.items():
                    subject = case_id if name == "case_record" else therapist
                    question = (practice.snapshot.cases, name, scope, subject, frozenset(may_see))
                    if name != "case_record" and question in asked_before:
                        continue  # of the same person's like, with the same answer to be expected
                    asked_before.add(question)
                    inside += tried(name, ask, scope, case_id, may_see, practice)
                pairs += 1
    assert pairs == PAIRS
    assert inside > PAIRS / 50, "hardly any pair was a case somebody may see: the test says little"
    assert nobodies > PRACTICES


def tried(
    name: str,
    ask: Callable[[], Any],
    scope: Scope,
    case_id: str,
    may_see: set[str],
    practice: Practice,
) -> bool:
    """Ask once; return whether a case was rightly shown."""
    if scope.role != "supervisor":
        with pytest.raises(OutsideScopeError):
            ask()
        return False
    try:
        answer = ask()
    except UnknownCaseError:
        assert name == "case_record"
        assert case_id not in may_see
        return False
    if name == "case_record":
        assert case_id in may_see
        assert answer.case["case_id"] == case_id
        frames = [value for value in vars(answer).values() if isinstance(value, pl.DataFrame)]
        assert all(
            set(rows["case_id"]) <= {case_id} for rows in frames if "case_id" in rows.columns
        )
        return True
    if name == "standing":
        assert answer["case_count"].sum() <= len(may_see)
    elif name in ("caseload", "therapist_lenses"):  # by therapist: their own ones only
        holders = {practice.therapist_of[case] for case in may_see} | set(scope.therapist_ids)
        assert answer.is_empty() or set(answer["therapist_id"]) <= holders
    else:
        assert answer.is_empty() or set(answer["case_id"]) <= may_see
    return False


@pytest.mark.parametrize("ask", WITHOUT_CASES, ids=lambda ask: ask.__name__)
def test_what_everybody_may_read_names_no_case(practices: list[Practice], ask: Any) -> None:
    answer = ask(practices[0].snapshot, Scope(role="manager"))
    columns = answer.columns if isinstance(answer, pl.DataFrame) else list(answer)
    assert not {"case_id", "therapist_id"} & set(columns)


@pytest.mark.parametrize("lead", ["", LEAD])
def test_the_made_up_lead_of_the_demo_is_nobody_for_a_claim(
    practices: list[Practice], lead: str
) -> None:
    known = reading.assignments(practices[0].snapshot, Scope(role="supervisor"))[0]
    person = person_of({"sub": "x", "groups": ["sup"], "sid": "lead"}, RULES)
    scope = scope_of(person, "supervisor", Roles(lead_supervisor=lead), known)
    assert not scope.sees_cases_without_therapist
