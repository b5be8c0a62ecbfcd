"""Which words does no sentence about a case, a client or a therapist hold, and why?"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field


class _Kind(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    why: str
    words: tuple[str, ...]


class _Allowed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    why: str = Field(min_length=1)


class _NotUsed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: _Kind
    blame: _Kind
    allowed: tuple[_Allowed, ...]


@cache
def _content() -> _NotUsed:
    text = (files("data_contracts") / "words_not_used.toml").read_text(encoding="utf-8")
    return _NotUsed(**tomllib.loads(text))


@cache
def _pattern() -> re.Pattern[str]:
    words = [*_content().cause.words, *_content().blame.words]
    return re.compile(rf"(?<![\w-])({'|'.join(words)})(?![\w-])", re.IGNORECASE)


def words_not_used(text: str) -> list[str]:
    """Return the words of cause and blame in a text; none where it is allowed as a whole."""
    if text in {entry.text for entry in _content().allowed}:
        return []
    return [found.group(0) for found in _pattern().finditer(text)]
