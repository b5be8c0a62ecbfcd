"""How is a review worded, and how long does a decision let a case rest? One reviewed file."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Decision = Literal["discussed", "plan_changed", "watch_until", "not_stuck_because", "refer_on"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)


class DecisionWords(BaseModel):
    """How one decision is asked, said afterwards, and explained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    button: str
    past: str
    meaning: str


class Days(BaseModel):
    """How long a case rests, in days. Chosen numbers, not findings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    discussed: int = Field(ge=1)
    plan_changed: int = Field(ge=1)
    refer_on: int = Field(ge=1)
    not_stuck_because: int = Field(ge=1)
    open_safety_flag: int = Field(ge=1)
    overdue_after: int = Field(ge=1)
    longest: int = Field(ge=1)

    def rest_after(self, decision: Decision) -> int:
        """Return how many days a case rests after a decision without a day of its own."""
        rests: dict[Decision, int] = {
            "discussed": self.discussed,
            "plan_changed": self.plan_changed,
            "refer_on": self.refer_on,
            "not_stuck_because": self.not_stuck_because,
            "watch_until": 0,  # has a day of its own, always
        }
        return rests[decision]

    def rests_until(self, decision: Decision, *, chosen: date | None, decided_on: date) -> date:
        """Return the day on which a reviewed case is due again: the chosen one, else by rule."""
        return chosen or decided_on + timedelta(days=self.rest_after(decision))


class ReviewWords(BaseModel):
    """The whole of review_words.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: dict[Decision, DecisionWords]
    reason: dict[Decision, dict[str, str]]
    days: Days

    @model_validator(mode="after")
    def _words_everything(self) -> ReviewWords:
        if tuple(self.decision) != DECISIONS or tuple(self.reason) != DECISIONS:
            raise ValueError("every decision needs words and reasons, in the order of the buttons")
        return self

    def reason_words(self, code: str) -> str:
        """Return the words of a coded reason; codes mean the same under every decision."""
        for reasons in self.reason.values():
            if code in reasons:
                return reasons[code]
        return code.replace("_", " ")


@cache
def review_words() -> ReviewWords:
    """Return the words of reviews."""
    text = (files("data_contracts") / "review_words.toml").read_text(encoding="utf-8")
    return ReviewWords.model_validate(tomllib.loads(text))
