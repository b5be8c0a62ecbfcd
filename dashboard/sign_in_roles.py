"""Which roles do the claims of a signed-in person give, and which cases come with them?

Nobody by default: a claim of another type than expected, an unknown value or an empty id gives
nothing. What the settings say of a person replaces what the provider says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dashboard.scope import Assignment, Role, Scope, scope_of_supervisor
from data_contracts.settings import Roles, SignIn

LONGEST_ID = 255  # characters; a column of the workspace store


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who signed in and what they are.

    `name` is for the head of the page and kept nowhere. `therapist_ids` is None where the
    practice's tables say who supervises whom.
    """

    user_id: str
    name: str = ""
    roles: tuple[Role, ...] = ()
    supervisor_id: str = ""
    therapist_ids: tuple[str, ...] | None = None


def person_of(claims: Mapping[str, object], rules: SignIn) -> Person:
    """Return who the claims are of; without a usable name somebody without a role."""
    user_id = _one(_claim(claims, rules.user_claim))
    if rules.user_claim == "email" and claims.get("email_verified") is not True:
        user_id = ""  # whoever can write the address into an account would be that person
    if not user_id or len(user_id) > LONGEST_ID:
        return Person(user_id="")
    name = _one(claims.get("name")) or user_id
    if user_id.casefold() in {refused.casefold() for refused in rules.refused}:
        return Person(user_id=user_id, name=name)
    known = rules.users.get(user_id)
    if known is not None:
        return Person(
            user_id=user_id,
            name=name,
            roles=tuple(dict.fromkeys(known.roles)),
            supervisor_id=known.supervisor_id.strip(),
        )
    found = set(_words(_claim(claims, rules.role_claim)))
    given: dict[Role, list[str]] = {
        "supervisor": rules.supervisor_values,
        "manager": rules.manager_values,
        "analyst": rules.analyst_values,
    }
    listed = _words(_claim(claims, rules.therapists_claim)) if rules.therapists_claim else None
    return Person(
        user_id=user_id,
        name=name,
        roles=tuple(role for role, values in given.items() if found & set(values)),
        supervisor_id=_one(_claim(claims, rules.supervisor_claim)),
        therapist_ids=None if listed is None else tuple(sorted(set(listed))),
    )


def scope_of(
    person: Person, role: Role, roles: Roles, assignments: Iterable[Assignment] = ()
) -> Scope:
    """Return what a person may see in one of their roles."""
    if role not in person.roles:
        message = f"a person without the role {role} was given its scope"
        raise ValueError(message)
    if role != "supervisor":
        return Scope(role=role)
    found = scope_of_supervisor(person.supervisor_id, roles, assignments, unnamed_lead="")
    if person.therapist_ids is None:
        return found
    own = set(person.therapist_ids)
    if found.sees_cases_without_therapist:  # the lead keeps those whom nobody supervises
        own |= set(found.therapist_ids)
    return replace(found, therapist_ids=tuple(sorted(own)))


def _claim(claims: Mapping[str, object], name: str) -> object:
    """Return a claim by its name, else by its way into nested claims, as 'realm_access.roles'."""
    if not name:
        return None
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _words(claim: object) -> list[str]:
    """Return the words of a claim, which may be one or a list; anything else gives none."""
    items = [claim] if isinstance(claim, str) else claim if isinstance(claim, list | tuple) else []
    words = [item.strip() for item in items if isinstance(item, str)]
    return [word for word in words if word]


def _one(claim: object) -> str:
    """Return a claim's only word; '' where there is none or where there are several."""
    words = _words(claim)
    return words[0] if len(words) == 1 else ""
