"""Every sentence, from one reviewed file; nothing else words a reason."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal

Section = Literal[
    "status",
    "context",
    "flag",
    "event",
    "forecast",
    "alert",
    "status_words",
    "talking_therapies",
    "outlook",
    "need",
    "budget",
    "quarantine",
]


@cache
def _content() -> dict[str, dict[str, str]]:
    text = (files("data_contracts") / "wording.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def wording_fingerprint() -> str:
    """Return a hash of all sentences (8 hex digits): changed words are said anew of every case."""
    return sha256(repr(_content()).encode()).hexdigest()[:8]


def templates(section: Section) -> dict[str, str]:
    """Return the sentences of a section by code."""
    return dict(_content()[section])


def marks(template: str) -> list[str]:
    """Return the names in braces, in order."""
    return re.findall(r"\{(\w+)\}", template)


def pieces(template: str) -> list[tuple[bool, str]]:
    """Return the template cut at its marks: (is a mark, text or name)."""
    return [
        (place % 2 == 1, part)
        for place, part in enumerate(re.split(r"\{(\w+)\}", template))
        if part
    ]


def explanation(rule_id: str) -> str:
    """Return what is wrong with a row that broke this rule, and what to do."""
    return _content()["quarantine"].get(rule_id, "See docs/mapping.md.")


def sentence(section: Section, code: str, **parameters: str) -> str:
    """Return one sentence with its marks filled."""
    text = _content()[section][code]
    for name, value in parameters.items():
        text = text.replace("{" + name + "}", value)
    return text
