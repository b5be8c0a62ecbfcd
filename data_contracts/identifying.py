"""What do names, contacts and numbers of people look like? Plain patterns, one home for them.

The night looks at whole columns with them (pipelines/identifiers.py), the screens at a note before
it is stored. They find common forms, not every person: an answer of "nothing found" is no proof.
Kinds follow the HIPAA Safe Harbor list, 45 CFR 164.514(b)(2) (R62).
"""

from __future__ import annotations

import re

# Frequent given and family names: enough to recognise a column of names, not every person.
NAMES = frozenset(
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
EMAIL = r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}"
# The forms a phone number, postcode or national number is written in; without anchors.
PHONES = (
    r"(?:\+|00)[1-9][\d\s()/.-]{7,}",
    r"0\d{2,4}[\s/-]\d[\d\s/-]{4,}",
    r"\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}",
)
POSTCODE = r"[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}"
NATIONAL_NUMBERS = (
    r"\d{3}-\d{2}-\d{4}",
    r"[A-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]",
    r"\d{3}\s\d{3}\s\d{4}",
)
DATE = r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4})"
BIRTH_YEARS_AGO = 12  # a date at least this long ago may be a day of birth

# What only running text holds.
_MONTHS = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*"
_WRITTEN_DATE = rf"\d{{1,2}}(?:st|nd|rd|th|\.)?\s+{_MONTHS}\s+\d{{4}}"
_OF_TEXT = {
    "an e-mail address": (EMAIL,),
    "a web address": (r"https?://\S+", r"www\.\S+"),
    "a phone number": PHONES,
    # a German postcode is only telling with the town behind it
    "a postcode": (POSTCODE, r"\d{5}\s+(?-i:[A-ZÄÖÜ])[a-zäöüß]{2,}"),
    "a street address": (
        r"\d+[a-z]?\s+(?:\w+\s+){1,3}(?:street|road|avenue|lane|close|drive)",
        r"\w+(?:stra(?:ß|ss)e|str\.|weg|platz|gasse)\s+\d+",
    ),
    "a national number": NATIONAL_NUMBERS,
    "a record number": (r"[a-z]{0,4}[-\s]?\d{6,}",),
    "a date of birth": (r"born\s+(?:on|in)", r"dob", r"date of birth", r"geboren", r"geb\."),
}
_TITLED = (
    r"(?:mr|mrs|ms|miss|dr|prof|herr|frau|mme|monsieur|madame|se[ñn]ora?)\.?\s+(?-i:[A-ZÀ-Þ])\w+"
)
_PAIR = r"\b[A-ZÀ-Þ][a-zß-ÿ][\w'-]*\s+[A-ZÀ-Þ][a-zß-ÿ][\w'-]*"
# Capitalised in running text without being anybody.
_NOBODY = {
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january",
    "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december", "christmas", "easter", "new", "year", "on", "in", "at", "by", "after",
    "before", "since", "until", "from", "the",
}  # fmt: skip
# Names that are also everyday words: only a capital tells.
_ALSO_WORDS = {
    "mark", "rose", "young", "white", "brown", "green", "hill", "hall", "wood", "wolf", "max",
    "grace", "frank", "jack", "carol", "jean", "turner", "walker", "wright", "taylor", "smith",
    "weber", "koch", "becker", "fischer", "richter", "klein", "schneider", "schwarz", "ella",
    "lee", "ben", "ali", "ana",
}  # fmt: skip


def identifiers_in(text: str, *, this_year: int) -> list[str]:
    """Return which kinds of identifiers a note seems to hold, never what they are.

    It errs towards finding: a note that is refused can be said in other words.
    """
    found = [
        kind
        for kind, forms in _OF_TEXT.items()
        if any(re.search(rf"(?<!\w)(?:{form})(?!\w)", text, re.IGNORECASE) for form in forms)
    ]
    if "a date of birth" not in found and _holds_old_date(text, this_year):
        found.append("a date of birth")
    if _holds_name(text):
        found.append("a name")
    return found


def _holds_old_date(text: str, this_year: int) -> bool:
    dates = re.findall(rf"(?<!\w)(?:{DATE}|{_WRITTEN_DATE})(?!\w)", text, re.IGNORECASE)
    years = [int(year) for date in dates for year in re.findall(r"\d{4}", date)]
    return any(year <= this_year - BIRTH_YEARS_AGO for year in years)


def _holds_name(text: str) -> bool:
    if re.search(rf"(?<!\w){_TITLED}", text, re.IGNORECASE):
        return True
    words = re.findall(r"[^\W\d_]+", text)
    if any(
        word.lower() in NAMES and (word[0].isupper() or word not in _ALSO_WORDS) for word in words
    ):
        return True
    pairs = (pair.split() for pair in re.findall(_PAIR, text))
    return any(not {word.lower() for word in pair} & _NOBODY for pair in pairs)
