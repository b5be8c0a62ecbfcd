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

from data_contracts.identifying import (
    BIRTH_YEARS_AGO,
    DATE,
    EMAIL,
    NAMES,
    NATIONAL_NUMBERS,
    PHONES,
    POSTCODE,
)

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

_PHONE = "|".join(f"^{form}$" for form in PHONES)
_POSTCODE = f"^{POSTCODE}$"
_NATIONAL = "|".join(f"^{form}$" for form in NATIONAL_NUMBERS)
_DATE = f"^{DATE}"
_CAPITALISED_PAIR = r"^[A-ZÀ-Þ][\p{L}'-]+,?\s+[A-ZÀ-Þ][\p{L}'-]+$"

_SHARE = 0.2  # of the filled rows: below this a hit may be chance; e-mails count from the first
_PAIR_SHARE = 0.6  # two capitalised words are only telling when most rows have them
_PAIR_DISTINCT = 10
_FREE_TEXT_WORDS = 5


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
    emails = int(filled.str.contains(EMAIL).sum())
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
    old = int((years <= this_year - BIRTH_YEARS_AGO).sum())
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
    return words.list.eval(pl.element().is_in(list(NAMES))).list.any()
