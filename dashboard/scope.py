"""Who may see which cases? Decided here, enforced by every function of reading.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from data_contracts.errors import UnstuckError
from data_contracts.settings import Role as Role
from data_contracts.settings import Roles

ROLE_WORDS: dict[Role, str] = {
    "supervisor": "supervisor",
    "manager": "practice manager",
    "analyst": "analyst",
}
# Stands in where cases have no supervisor and the settings name no lead.
UNNAMED_LEAD = "lead"


class OutsideScopeError(UnstuckError):
    """The viewer's role does not see what was asked for."""

    exit_code = 9


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What one viewer may see. Without therapists a supervisor sees no case."""

    role: Role
    supervisor_id: str = ""
    therapist_ids: tuple[str, ...] = ()
    sees_cases_without_therapist: bool = False

    def require_cases(self) -> None:
        """Refuse everybody who is not a supervisor.

        Raises
        ------
        OutsideScopeError
            If the role sees no cases.
        """
        if self.role != "supervisor":
            message = (
                f"Cases are shown to supervisors only. As {ROLE_WORDS[self.role]} you see counts "
                "over many cases, and no case."
            )
            raise OutsideScopeError(message)


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A therapist and who supervises them, as the practice's tables say."""

    therapist_id: str
    supervisor_id: str | None


def supervised(roles: Roles, assignments: Iterable[Assignment]) -> dict[str, set[str]]:
    """Return each supervisor's therapists; '' holds those nobody supervises.

    The settings' list replaces what the practice's tables say.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    if not roles.supervisors:
        for assignment in assignments:
            found[assignment.supervisor_id or ""].add(assignment.therapist_id)
        return found
    listed: defaultdict[str, list[str]] = defaultdict(list)
    for supervisor_id, therapist_ids in roles.supervisors.items():
        for therapist_id in therapist_ids:
            listed[therapist_id].append(supervisor_id)
    for assignment in assignments:
        for holder in listed.get(assignment.therapist_id, [""]):
            found[holder].add(assignment.therapist_id)
    return found


def supervisor_ids(
    roles: Roles, assignments: Iterable[Assignment], *, has_unassigned: bool
) -> list[str]:
    """Return who can be chosen as supervisor: everybody named, and a lead where one is needed."""
    therapists = supervised(roles, assignments)
    named = {*therapists, *roles.supervisors} - {""}
    if roles.lead_supervisor:
        named.add(roles.lead_supervisor)
    elif has_unassigned or "" in therapists or not named:
        named.add(UNNAMED_LEAD)
    # S-2 before S-10
    return sorted(named, key=lambda name: (len(name), name))


def scope_of_supervisor(
    supervisor_id: str,
    roles: Roles,
    assignments: Iterable[Assignment],
    *,
    unnamed_lead: str = UNNAMED_LEAD,
) -> Scope:
    """Return a supervisor's scope: own therapists; for the lead also those nobody supervises.

    Without an id a supervisor sees no case. `unnamed_lead` leads where the settings name nobody;
    '' is nobody.
    """
    if not supervisor_id:
        return Scope(role="supervisor")
    therapists = supervised(roles, assignments)
    is_lead = supervisor_id == (roles.lead_supervisor or unnamed_lead)
    own = therapists.get(supervisor_id, set())
    if is_lead:
        own = own | therapists.get("", set())
    return Scope(
        role="supervisor",
        supervisor_id=supervisor_id,
        therapist_ids=tuple(sorted(own)),
        sees_cases_without_therapist=is_lead,
    )
