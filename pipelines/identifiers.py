"""Does a column identify people? Detectors for names, contacts, numbers, birth dates, free text.

They look at what columns are called and at what they hold, and answer with a kind and a row
count, never with a value. A practice that meets a false alarm renames or removes the column.
Kinds follow the HIPAA Safe Harbor list, 45 CFR 164.514(b)(2) (R62).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

# Whole words of a column's name that say it identifies (English, German, French, Spanish).
_TELLING = {
    "name": {"firstname", "lastname", "surname", "forename", "fullname", "vorname", "nachname",
             "prenom", "nombre", "apellido", "patientname", "clientname", "initials"},
    "contact": {"email", "mail", "phone", "telephone", "mobile", "telefon", "handy", "fax",
                "address", "street", "adresse", "strasse", "postcode", "zip", "zipcode", "plz",
                "telefono", "url", "ip"},
    "number": {"ssn", "nhsnumber", "nhsno", "mrn", "passport", "iban", "insurance",
               "versichertennummer", "licence", "nino"},
    "birth date": {"dob", "birthdate", "birthday", "dateofbirth", "geburtsdatum", "birth",
                   "naissance"},
    "free text": {"note", "notes", "comment", "comments", "freetext", "narrative", "remarks",
                  "bemerkung", "kommentar"},
}  # fmt: skip
_PERSON_WORDS = {"patient", "client", "first", "last", "full", "given", "family", "middle",
                 "therapist", "person", "user", "maiden", "my"}  # fmt: skip

# Frequent given and family names: enough to recognise a column of names, not every person.
_NAMES = frozenset(
    """
    aaron adam ahmed aisha alan albert alex alexander alexandra ali alice amanda amy ana andrea
    andreas andrew angela anita ann anna anne anthony antonio arthur barbara ben benjamin bernd
    bernhard beth brian brigitte carl carla carlos carol caroline catherine charles charlotte
    chloe chris christian christina christine christopher claire clara claudia daniel daniela
    david deborah dennis diana dieter donald donna dorothy edward elena elisabeth elizabeth ella
    ellen emily emma eric erika ethan eva fatima felix florian frances francesca frank franz
    fred gabriel gary george georg gerhard grace greg hannah hans harry heather heidi heike
    heinz helen helga helmut henry holger ian ibrahim ingrid isabel jack jacob jakob james jan
    jane janet jason jean jennifer jens jessica jim joan joe johanna john jonas jonathan jordan
    jorge jose joseph joshua juan judith julia julie jurgen justin karen karin karl katharina
    katherine kathleen katie kelly kenneth kevin kim klaus laura lea lena leon leonie linda lisa
    lucas lucia lucy luis lukas maja manfred manuel marco margaret maria marie marion mark
    markus martin martina mary matthew matthias max maximilian megan melanie mia michael
    michelle miguel mike mohamed mohammed monika nadine nancy natalie nicholas nicole nina nora
    norbert olivia omar oliver oscar pablo pamela patricia patrick paul paula pedro peter petra
    philip rachel rainer ralf raymond rebecca renate richard rita robert robin roger rosa rose
    ruth ryan sabine samantha samuel sandra sara sarah scott sean sebastian sharon silvia simon
    sofia sophia sophie stefan stefanie stephanie stephen steven susan susanne sven tanja teresa
    theresa thomas tim timothy tobias tom tony ursula ute uwe valerie vanessa vera victoria
    walter werner william wolfgang yusuf yvonne zoe
    becker brown clark davies davis evans fischer garcia gonzalez green hall harris hill
    hoffmann hughes jackson johnson jones khan klein koch kowalski lee lewis lopez martinez
    meyer miller moore mueller muller nguyen novak patel perez richter roberts robinson
    rodriguez rossi schmidt schneider schulz schwarz singh smith taylor thompson turner wagner
    walker weber white williams wilson wolf wood wright young zimmermann
    """.split()  # noqa: SIM905 - a list of 400 quoted names would be unreadable
)
_EMAIL = r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}"
_PHONE = (
    r"^(\+|00)[1-9][\d\s()/.-]{7,}$|^0\d{2,4}[\s/-]\d[\d\s/-]{4,}$"
    r"|^\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}$"
)
_POSTCODE = r"^[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}$"
_NATIONAL = r"^\d{3}-\d{2}-\d{4}$|^[A-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]$|^\d{3}\s\d{3}\s\d{4}$"
_DATE = r"^(\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4})"
_CAPITALISED_PAIR = r"^[A-ZÀ-Þ][\p{L}'-]+,?\s+[A-ZÀ-Þ][\p{L}'-]+$"

_SHARE = 0.2  # of the filled rows: below this a hit may be chance; e-mails count from the first
_PAIR_SHARE = 0.6  # two capitalised words are only telling when most rows have them
_PAIR_DISTINCT = 10
_FREE_TEXT_WORDS = 5
_BIRTH_YEARS_AGO = 12


@dataclass(frozen=True, kw_only=True)
class Identifying:
    """A column that identifies people: which, what kind, in how many rows."""

    column: str
    kind: str
    row_count: int

    @property
    def sentence(self) -> str:
        """What is wrong, where, and what to do; no value."""
        return (
            f"column {self.column!r} looks like {self.kind} ({self.row_count} rows): "
            "remove it from the export, or send a pseudonym in its place"
        )


def by_name(column: str) -> str | None:
    """Return the kind of identifier a column's name gives away, if any."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-z])", column)]
    joined = {"".join(words), *words, *(a + b for a, b in pairwise(words))}
    joined |= {"".join(words[place : place + 3]) for place in range(len(words))}
    for kind, telling in _TELLING.items():
        if joined & telling:
            return kind
    if words == ["name"] or ("name" in words and set(words) & _PERSON_WORDS):
        return "name"
    return None


def by_content(values: pl.Series, *, this_year: int, is_time: bool) -> tuple[str, int] | None:
    """Return (kind, row count) where a column's values look like identifiers.

    Parameters
    ----------
    values
        Text, one entry a row.
    is_time
        Whether the mapping declares this column as the time axis (dates are then expected).
    """
    filled = values.drop_nulls().str.strip_chars()
    filled = filled.filter(filled != "")
    if not filled.len():
        return None
    emails = int(filled.str.contains(_EMAIL).sum())
    if emails:
        return "e-mail addresses", emails
    for kind, pattern in (
        ("phone numbers", _PHONE),
        ("postcodes", _POSTCODE),
        ("national identifiers", _NATIONAL),
    ):
        hits = int(filled.str.contains(pattern).sum())
        if hits / filled.len() >= _SHARE:
            return kind, hits
    if not is_time and (births := _birth_dates(filled, this_year)):
        return "dates of birth", births
    if wordy := int((filled.str.count_matches(r"\s+") >= _FREE_TEXT_WORDS).sum()):
        return "free text", wordy
    return _names(filled)


def _birth_dates(filled: pl.Series, this_year: int) -> int:
    dates = filled.filter(filled.str.contains(_DATE))
    if dates.len() / filled.len() < _SHARE:
        return 0
    years = dates.str.extract(r"(\d{4})").cast(pl.Int64)
    old = int((years <= this_year - _BIRTH_YEARS_AGO).sum())
    return old if old / filled.len() >= _SHARE else 0


def _names(filled: pl.Series) -> tuple[str, int] | None:
    counts = filled.value_counts(name="row_count")
    texts = counts.to_series(0)
    lettered = texts.str.contains(r"^[\p{L}\s.,'-]+$")
    known = _has_known_name(texts)
    hits = int(counts.filter(lettered & known)["row_count"].sum())
    if hits / filled.len() >= _SHARE:
        return "names", hits
    pairs = counts.filter(texts.str.contains(_CAPITALISED_PAIR))
    row_count = int(pairs["row_count"].sum())
    if pairs.height >= _PAIR_DISTINCT and row_count / filled.len() >= _PAIR_SHARE:
        return "names", row_count
    return None


def _has_known_name(texts: pl.Series) -> pl.Series:
    words = texts.str.to_lowercase().str.replace_all(r"[^\p{L}]+", " ").str.split(" ")
    return words.list.eval(pl.element().is_in(list(_NAMES))).list.any()
