"""Who somebody is, from the claims of their token: nobody by default."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.scope import Assignment
from dashboard.sign_in_roles import person_of, scope_of
from data_contracts.errors import ContractError
from data_contracts.places import Places
from data_contracts.settings import Roles, SignedInUser, SignIn, settings_of

PROVIDER = {
    "provider": "https://login.example.org/.well-known/openid-configuration",
    "client_id": "unstuck",
    "address": "https://unstuck.example.org",
}


def rules(**more: Any) -> SignIn:
    return SignIn(**PROVIDER, **more)


def test_without_a_rule_everybody_is_nobody() -> None:
    assert person_of({"sub": "a", "roles": ["supervisor", "admin"]}, rules()).roles == ()


def test_a_role_comes_from_the_values_the_settings_name() -> None:
    own = rules(role_claim="roles", supervisor_values=["sup"], manager_values=["man", "boss"])
    assert person_of({"sub": "a", "roles": ["boss", "other"]}, own).roles == ("manager",)
    assert person_of({"sub": "a", "roles": "sup"}, own).roles == ("supervisor",)
    assert person_of({"sub": "a", "roles": ["sup", "man"]}, own).roles == ("supervisor", "manager")


@pytest.mark.parametrize("value", [None, 7, True, {"sup": 1}, [["sup"]], "sup ervisor", "SUP", []])
def test_a_claim_of_another_kind_gives_no_role(value: Any) -> None:
    own = rules(role_claim="roles", supervisor_values=["sup"])
    assert person_of({"sub": "a", "roles": value}, own).roles == ()


def test_a_nested_claim_is_found_by_its_way_and_a_name_with_dots_by_itself() -> None:
    nested = rules(role_claim="realm_access.roles", analyst_values=["ana"])
    assert person_of({"sub": "a", "realm_access": {"roles": ["ana"]}}, nested).roles == ("analyst",)
    assert person_of({"sub": "a", "realm_access": ["ana"]}, nested).roles == ()
    dotted = rules(role_claim="https://practice.example/roles", analyst_values=["ana"])
    claims = {"sub": "a", "https://practice.example/roles": ["ana"]}
    assert person_of(claims, dotted).roles == ("analyst",)


def test_what_the_settings_say_of_a_person_replaces_the_claims() -> None:
    own = rules(
        role_claim="roles",
        manager_values=["man"],
        users={"a": SignedInUser(roles=["analyst"]), "b": SignedInUser()},
    )
    assert person_of({"sub": "a", "roles": ["man"]}, own).roles == ("analyst",)
    assert person_of({"sub": "b", "roles": ["man"]}, own).roles == ()
    assert person_of({"sub": "A", "roles": []}, own).roles == ()


def test_a_refused_person_stays_out_however_the_name_is_written() -> None:
    own = rules(
        user_claim="preferred_username",
        users={"Gone@practice.example": SignedInUser(roles=["manager"])},
        refused=["gone@practice.example"],
    )
    for name in ("Gone@practice.example", "gone@practice.example", " GONE@practice.example "):
        assert person_of({"preferred_username": name}, own).roles == ()


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_counts_only_when_the_provider_verified_it(verified: object) -> None:
    own = rules(user_claim="email", users={"a@b.example": SignedInUser(roles=["manager"])})
    claims = {"sub": "x", "email": "a@b.example"}
    assert person_of({**claims, "email_verified": True}, own).roles == ("manager",)
    unproved = person_of({**claims, "email_verified": verified}, own)
    assert unproved.user_id == ""
    assert unproved.roles == ()


@pytest.mark.parametrize("sub", [None, "", "  ", 7, [], ["a", "b"], "x" * 256])
def test_without_a_usable_name_nobody_is_known(sub: object) -> None:
    own = rules(role_claim="roles", supervisor_values=["sup"])
    assert person_of({"sub": sub, "roles": ["sup"]}, own).roles == ()


def test_a_supervisor_without_an_id_sees_no_case_even_those_nobody_supervises() -> None:
    own = rules(role_claim="roles", supervisor_values=["sup"], supervisor_claim="sid")
    nobody_s = [Assignment(therapist_id="T-1", supervisor_id=None)]
    for sid in ("", " ", None, ["S-1", "S-2"], 1):
        person = person_of({"sub": "a", "roles": ["sup"], "sid": sid}, own)
        scope = scope_of(person, "supervisor", Roles(), nobody_s)
        assert scope.therapist_ids == ()
        assert not scope.sees_cases_without_therapist


def test_the_lead_by_settings_also_sees_those_nobody_supervises() -> None:
    own = rules(users={"a": SignedInUser(roles=["supervisor"], supervisor_id="S-9")})
    therapists = [
        Assignment(therapist_id="T-1", supervisor_id=None),
        Assignment(therapist_id="T-2", supervisor_id="S-2"),
    ]
    person = person_of({"sub": "a"}, own)
    scope = scope_of(person, "supervisor", Roles(lead_supervisor="S-9"), therapists)
    assert scope.therapist_ids == ("T-1",)
    assert scope.sees_cases_without_therapist


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('client_id = "unstuck"', "names no provider"),
        ('provider = "https://a.example"', "needs client_id"),
        ('provider = "https://a.example"\nclient_id = "u"', "needs address"),
        (
            'provider = "http://a.example"\nclient_id = "u"\naddress = "https://b.example"',
            "provider must begin with https",
        ),
        (
            'provider = "https://a.example"\nclient_id = "u"\naddress = "http://b.example"',
            "address must begin with https",
        ),
        (
            'provider = "https://a.example"\nclient_id = "u"\naddress = "https://b.example/x"',
            "without a path",
        ),
        ('provder = "https://a.example"', "did you mean 'sign_in.provider'"),
    ],
)
def test_a_sign_in_that_is_half_set_up_is_refused(
    own_practice: Places, text: str, said: str
) -> None:
    own_practice.settings.write_text(f"[sign_in]\n{text}\n", encoding="utf-8")
    with pytest.raises(ContractError, match=said):
        settings_of(own_practice)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8501", "http://localhost:8501"])
def test_on_the_machine_itself_sign_in_needs_no_tls(address: str) -> None:
    assert SignIn(**{**PROVIDER, "address": address}).is_on
