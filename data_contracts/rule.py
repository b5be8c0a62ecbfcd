"""The thresholds of the status rule, with a version that changes when any of them does."""

from __future__ import annotations

import tomllib
from hashlib import sha256
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from data_contracts.errors import ContractError, nearest


class RuleThresholds(BaseModel):
    """Every number of the status rule; meanings beside the numbers in rule.toml.

    Shares are parts of the reliable change (RC) of a measure; days and sessions are counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair_days: int = Field(ge=1)
    stale_sessions: int = Field(ge=1)
    stale_days: int = Field(ge=1)
    easing_share: float = Field(ge=0, le=1)
    settled_days: int = Field(ge=0)
    hold_share: float = Field(ge=0, le=1)
    stalled_sessions: int = Field(ge=1)
    stalled_occasions: int = Field(ge=2)
    stalled_back: int = Field(ge=2)
    stalled_share: float = Field(ge=0, le=1)
    early_sessions: int = Field(ge=0)
    sparse_days: int = Field(ge=1)
    sparse_occasions: int = Field(ge=1)
    sparse_sessions: int = Field(ge=0)
    pace_from: float = Field(ge=0)
    pace_over: float = Field(gt=0)
    stuck_sessions: int = Field(ge=1)
    stuck_occasions: int = Field(ge=1)
    stuck_hold_share: float = Field(ge=0, le=1)
    no_gain_share: float = Field(ge=0, le=1)
    half_worse_share: float = Field(ge=0, le=1)
    band_chance: float = Field(ge=0, le=1)
    baseline_days: int = Field(ge=0)
    baseline_sessions: int = Field(ge=1)
    paused_days: int = Field(ge=1)
    alliance_low_ratings: int = Field(ge=1)
    alliance_ceiling_ratings: int = Field(ge=2)
    alliance_prior_ratings: int = Field(ge=5)
    alliance_limit_sigmas: float = Field(gt=0)
    alliance_repaired_sigmas: float = Field(ge=0)
    alliance_unrepaired_ratings: int = Field(ge=1)
    alliance_flat_ratings: int = Field(ge=2)
    alliance_parts_share: float = Field(gt=0, le=1)
    alliance_parts_ratings: int = Field(ge=1)


class RuleChange(BaseModel):
    """What a version of the rule does otherwise than the one before, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    what: str
    why: str


class StatusRule(BaseModel):
    """Thresholds, the version they carry, and what that version changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    thresholds: RuleThresholds
    changes: tuple[RuleChange, ...] = ()


def rule_text() -> str:
    """Return rule.toml as it is written, comments included."""
    return (files("data_contracts") / "rule.toml").read_text(encoding="utf-8")


def status_rule(overrides: dict[str, float] | None = None) -> StatusRule:
    """Return the rule in force: ours, or ours with a practice's overrides and its own version.

    Raises
    ------
    ContractError
        If an override names no threshold, or its value is out of range.
    """
    content = tomllib.loads(rule_text())
    chosen = {
        name: value
        for name, value in (overrides or {}).items()
        if content["thresholds"].get(name) != value
    }
    for name in chosen:
        if name not in content["thresholds"]:
            known = list(content["thresholds"])
            message = f"[rule] {name} is not a threshold of the status rule{nearest(name, known)}"
            raise ContractError(message)
    version = content["version"]
    if chosen:
        version += "+" + sha256(repr(sorted(chosen.items())).encode()).hexdigest()[:8]
    try:
        thresholds = RuleThresholds(**(content["thresholds"] | chosen))
    except ValueError as error:
        message = f"[rule] in unstuck.toml cannot be used: {error}"
        raise ContractError(message) from None
    return StatusRule(
        version=version, thresholds=thresholds, changes=tuple(content.get("changes", ()))
    )
