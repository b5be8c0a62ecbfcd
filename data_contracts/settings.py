"""What a practice may set: one unstuck.toml in its home, the environment may override."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from data_contracts.errors import ContractError, nearest
from data_contracts.places import Places

_SAFETY_TEXT = (
    "This item is shown as it was answered. It is not crisis detection. Follow your practice's own "
    "safety protocol; if none is written down here, ask the practice's lead today."
)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Roles(_Section):
    """Who sees what. Without sign-in a role can be chosen on this machine only."""

    switch_on_loopback: bool = Field(
        default=True, description="let the screen's user choose a role, on loopback only"
    )
    lead_supervisor: str = Field(
        default="", description="supervisor who also sees cases without a therapist"
    )
    supervisors: dict[str, list[str]] = Field(
        default_factory=dict,
        description="supervisor id = therapist ids; replaces what the practice's tables say",
    )


class Care(_Section):
    """How a course of care is told apart."""

    new_course_after_days: int = Field(
        default=180, ge=0, description="days without contact that start a new course; 0 never"
    )
    problem_measures: dict[str, str] = Field(
        default_factory=dict,
        description="problem code = measure that stands for it; added to the built-in list",
    )


class Publishing(_Section):
    """What the night keeps and hides."""

    suppression: Literal["default", "england"] = Field(
        default="default", description="preset of suppression.toml"
    )
    snapshots_kept: int = Field(default=7, ge=2, description="snapshots kept besides the current")


class Curves(_Section):
    """When the expected course is fitted."""

    minimum_cases: int = Field(
        default=50, ge=20, description="cases with a later score needed for a curve"
    )
    refit_growth: float = Field(
        default=0.25, gt=0, description="refit when this share of new scores has come"
    )


class Dashboard(_Section):
    """Where the screens are served."""

    port: int = Field(default=8501, ge=1024, le=65535, description="port on 127.0.0.1")


class Settings(BaseSettings):
    """All settings of one practice. Clinical numbers live in contracts, not here."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="UNSTUCK_SET_", env_nested_delimiter="__"
    )

    title: str = Field(default="", description="name of the practice on the screens")
    source: str = Field(default="", description="folder the practice exports to")
    mapping: str = Field(default="", description="mapping file")
    schedule: str = Field(default="0 5 * * *", description="when the night runs, cron")
    safety_protocol: str = Field(default=_SAFETY_TEXT, description="shown beside a safety item")
    crosswalk: str = Field(
        default="", description="file outside the home that keeps random case ids"
    )
    case_key_file: str = Field(default="", description="file with the key for keyed case ids")
    roles: Roles = Field(default_factory=Roles, description="who sees what")
    care: Care = Field(default_factory=Care, description="how a course of care is told apart")
    publishing: Publishing = Field(
        default_factory=Publishing, description="what the night keeps and hides"
    )
    curves: Curves = Field(default_factory=Curves, description="when curves are fitted")
    dashboard: Dashboard = Field(default_factory=Dashboard, description="where screens are served")
    rule: dict[str, float] = Field(
        default_factory=dict,
        description="thresholds of the status rule that this practice overrides",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings names the arguments
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file (which comes as init values)."""
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101 - narrows the type
        return env_settings, init_settings


def known_settings(model: type[BaseModel] = Settings, prefix: str = "") -> dict[str, str]:
    """Return every setting's dotted name and what it means."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, _Section):
            found |= known_settings(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = field.description or ""
    return found


def settings_of(places: Places) -> Settings:
    """Return the practice's settings; defaults where it has no file.

    Raises
    ------
    ContractError
        If the file is no TOML, or a key or value is not known; names the nearest key.
    """
    content: dict[str, Any] = {}
    if places.settings.exists():
        content = _toml(places.settings)
    try:
        return Settings(**content)
    except ValidationError as error:
        raise ContractError(_explained(places.settings, error)) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not valid TOML: {error}"
        raise ContractError(message) from None


def _explained(path: Path, error: ValidationError) -> str:
    lines = [f"{path} cannot be used:"]
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {key} is not a setting{nearest(key, list(known_settings()))}")
        else:
            lines.append(f"  {key}: {problem['msg']}")
    return "\n".join(lines)
