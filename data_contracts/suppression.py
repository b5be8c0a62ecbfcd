"""Which small numbers are hidden and how the others are rounded."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field


class SuppressionRule(BaseModel):
    """One preset of suppression.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hide_up_to: int = Field(ge=0)
    round_to: int = Field(ge=1)
    source: str


def suppression_rule(preset: str) -> SuppressionRule:
    """Return a preset by its name ("default" or "england")."""
    text = (files("data_contracts") / "suppression.toml").read_text(encoding="utf-8")
    return SuppressionRule(**tomllib.loads(text)[preset])


def official_suppression(preset: str) -> SuppressionRule:
    """Return the rule for England's official outcomes: theirs, or the practice's where stricter."""
    england, own = suppression_rule("england"), suppression_rule(preset)
    return SuppressionRule(
        hide_up_to=max(england.hide_up_to, own.hide_up_to),
        round_to=max(england.round_to, own.round_to),
        source=own.source if own.hide_up_to > england.hide_up_to else england.source,
    )
