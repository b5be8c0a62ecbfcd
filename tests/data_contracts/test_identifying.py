"""Does a note identify people? Common forms are found; what supervisors write passes."""

import pytest

from data_contracts.identifying import identifiers_in


@pytest.mark.parametrize(
    ("note", "kind"),
    [
        ("ring 07700 900123", "a phone number"),
        ("+49 170 1234567", "a phone number"),
        ("mail to a.b@example.org", "an e-mail address"),
        ("see www.example.org", "a web address"),
        ("lives in SW1A 1AA", "a postcode"),
        ("lives in sw1a 1aa", "a postcode"),
        ("10115 Berlin", "a postcode"),
        ("12 Old Mill Road", "a street address"),
        ("Lindenstraße 12", "a street address"),
        ("123-45-6789", "a national number"),
        ("NHS 943 476 5919", "a national number"),
        ("MRN 1234567", "a record number"),
        ("patient AB-123456", "a record number"),
        ("3 May 1985", "a date of birth"),
        ("1985-05-03", "a date of birth"),
        ("3.5.1985", "a date of birth"),
        ("born in spring", "a date of birth"),
        ("Maria agreed", "a name"),
        ("spoke to maria", "a name"),
        ("Frau Okonkwo", "a name"),
        ("dr. Adebayo", "a name"),
        ("Ngozi Okafor called", "a name"),
    ],
)
def test_what_identifies_somebody_is_found_and_named_by_kind_only(note: str, kind: str) -> None:
    found = identifiers_in(note, this_year=2026)
    assert kind in found
    assert not set(note.split()) & {word for told in found for word in told.split()} - {"a"}


@pytest.mark.parametrize(
    "note",
    [
        "",
        "Plan stands; PHQ-9 weekly, GAD-7 every other week.",
        "On Monday we look again",
        "Follow-up 2026-12-06, before Christmas Eve",
        "Working alliance first, then exposure",
        "PHQ-9 fell from 19 to 12 in 6 weeks",
        "mark the score; rose by 4",
        "More sessions (12 to 16)",
        "See C-01216; T-012 asks for support",
        "score 12/27 on 6.12.2026",
        "Long wait since May; client says it is better",
        "24 of 27 on the last two, 3-4 sessions a month",
    ],
)
def test_what_supervisors_write_passes(note: str) -> None:
    assert identifiers_in(note, this_year=2026) == []


def test_a_recent_date_is_no_date_of_birth() -> None:
    assert identifiers_in("on 2015-01-01", this_year=2026) == []
    assert identifiers_in("on 2014-01-01", this_year=2026) == ["a date of birth"]
