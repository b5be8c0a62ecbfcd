"""Where may one look for what keeps a case stuck? Every lens row, from one reviewed file.

`lenses.toml` holds what is looked at, by which line and source, what is said and what may be asked.
The rules are in models/lens_signals_*.py. Prompts for a talk: no row says why, and none says who.
"""

from __future__ import annotations

import tomllib
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Lens = Literal[
    "safety", "missing_data", "alliance", "client", "action", "life", "process", "therapist"
]
LENSES_IN_ORDER: tuple[Lens, ...] = (
    "safety",
    "missing_data",
    "alliance",
    "client",
    "action",
    "life",
    "process",
    "therapist",
)
"""The order in which lenses are asked (product.md)."""
FIRST_LENSES: tuple[Lens, ...] = ("safety", "missing_data")
"""They come before all others, and never lead."""

Strength = Literal["strong", "moderate", "weak"]
STRENGTHS_IN_ORDER: tuple[Strength, ...] = ("strong", "moderate", "weak")

Evidence = Literal["meta-analysis", "single studies", "clinical writing", "chosen", "none found"]
HINDRANCES = {
    "forgot": "forgot",
    "no_time": "no time",
    "too_big": "too big a step",
    "lost_faith": "lost faith in it",
}
"""Codes of what got in the way of homework, in words; others are told as "something else"."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Threshold(_Part):
    """One number of a row's rule, and where it comes from."""

    value: float
    meaning: str = Field(min_length=1)
    source: str = Field(min_length=1)
    verified: bool


class LensRow(_Part):
    """One place to look."""

    id: str = Field(pattern=r"^[a-z][a-z_]*$")
    lens: Lens
    name: str = Field(min_length=1)
    kind: Literal["signal", "resource", "question"]
    """A sign in the data; something to build on; or asked and never inferred."""
    place: Literal["case", "caseload"] = "case"
    """Where it is shown: rows about therapists never stand beside a case."""
    safeguarding: bool = False
    """Whether the practice's safety protocol stands before any prompt (the screen shows it beside
    a safety item anyway)."""
    evidence: Evidence
    """How well it is known that such a sign goes with the outcome."""
    source: str = Field(min_length=1)
    needs: str = Field(min_length=1)
    thresholds: dict[str, Threshold] = Field(default_factory=dict)
    sentences: dict[str, str] = Field(default_factory=dict)
    """By variant; marks in braces are filled in by the night."""
    questions: tuple[str, ...] = Field(min_length=2, max_length=3)
    no_data: str = Field(min_length=1)
    """What to ask or measure where nothing was sent."""
    opening: str = Field(min_length=1)
    """A sentence to open the talk with: therapist to client; in Caseload, to the therapist."""
    computed: str = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.kind != "question" and not self.sentences:
            message = f"lens row {self.id}: a {self.kind} needs a sentence"
            raise ValueError(message)
        if (self.lens == "therapist") != (self.place == "caseload"):
            message = (
                f"lens row {self.id}: rows about therapists belong to the caseload, others not"
            )
            raise ValueError(message)
        return self

    @property
    def most(self) -> Strength:
        """The strongest a sign of this row is called: without a figure in a source, moderate."""
        has_figure = self.evidence in ("meta-analysis", "single studies")
        return "strong" if has_figure or self.lens in FIRST_LENSES else "moderate"

    def line(self, name: str) -> float:
        """Return one threshold's value."""
        return self.thresholds[name].value


class Domains(_Part):
    """Which subscales of a measure are areas of life."""

    parts: tuple[str, ...]
    people: str


class LensWords(_Part):
    """Words around the rows."""

    title: str
    strong: str
    moderate: str
    weak: str
    resource: str
    as_answered: str
    more: str
    questions_only: str
    nothing_measured: str
    no_data_count: str
    what_to_add: str
    nothing_seen: str
    nothing_leads: str
    opening_title: str
    opening: str
    note: str

    def of_strength(self, strength: Strength) -> str:
        """Return 'strong sign', 'moderate sign' or 'weak sign'."""
        return {"strong": self.strong, "moderate": self.moderate, "weak": self.weak}[strength]


class LensContract(_Part):
    """All of lenses.toml."""

    version: str
    words: LensWords
    lens_names: dict[Lens, str]
    domains: dict[str, Domains]
    rows: tuple[LensRow, ...] = Field(alias="row")

    @model_validator(mode="after")
    def _names_each_row_once_in_order(self) -> Self:
        named = [row.id for row in self.rows]
        if len(set(named)) < len(named):
            message = "lenses.toml names a row twice"
            raise ValueError(message)
        places = [LENSES_IN_ORDER.index(row.lens) for row in self.rows]
        if places != sorted(places) or set(self.lens_names) != set(LENSES_IN_ORDER):
            message = "lenses.toml: rows stand in the order of the lenses, and each lens has a name"
            raise ValueError(message)
        return self

    @property
    def of_cases(self) -> tuple[LensRow, ...]:
        """The rows that are looked at in a case, in the order of the lenses."""
        return tuple(row for row in self.rows if row.place == "case")


@cache
def _content() -> str:
    return (files("data_contracts") / "lenses.toml").read_text(encoding="utf-8")


@cache
def lens_contract() -> LensContract:
    """Return every lens row and the words around them."""
    return LensContract(**tomllib.loads(_content()))


def lens_row(row_id: str) -> LensRow:
    """Return one row by its id."""
    return next(row for row in lens_contract().rows if row.id == row_id)


def therapist_rows() -> tuple[LensRow, ...]:
    """Return the rows about therapists: for the supervisor's caseload view, never for a case."""
    return tuple(row for row in lens_contract().rows if row.place == "caseload")


def lenses_fingerprint() -> str:
    """Return a hash of the file (8 hex digits): after a change every case is looked at anew."""
    return sha256(_content().encode()).hexdigest()[:8]
