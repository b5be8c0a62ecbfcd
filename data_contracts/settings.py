"""What a practice may set: one unstuck.toml in its home, the environment may override."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from data_contracts.errors import ContractError, nearest
from data_contracts.places import Places

Role = Literal["supervisor", "manager", "analyst"]

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


class SignedInUser(_Section):
    """What one person may see, where the settings say so and not the provider."""

    roles: list[Role] = Field(default_factory=list, description="what this person is")
    supervisor_id: str = Field(default="", description="whose therapists a supervisor sees")


class SignIn(_Section):
    """Who may come in, by an OpenID Connect provider. Without a provider there is no sign-in."""

    provider: str = Field(
        default="", description="address of the provider's openid-configuration; empty: no sign-in"
    )
    client_id: str = Field(default="", description="name of unstuck at the provider")
    client_secret_file: str = Field(
        default="",
        description="file with the client secret; else the variable UNSTUCK_CLIENT_SECRET",
    )
    address: str = Field(default="", description="where people reach the screens, without a path")
    user_claim: str = Field(
        default="sub", description="claim that names the person in reviews, audit log and users"
    )
    role_claim: str = Field(default="", description="claim that holds the person's roles or groups")
    supervisor_values: list[str] = Field(
        default_factory=list, description="values of role_claim that make a supervisor"
    )
    manager_values: list[str] = Field(
        default_factory=list, description="values of role_claim that make a manager"
    )
    analyst_values: list[str] = Field(
        default_factory=list, description="values of role_claim that make an analyst"
    )
    supervisor_claim: str = Field(default="", description="claim that holds the supervisor id")
    therapists_claim: str = Field(
        default="", description="claim that lists a supervisor's therapists, instead of the tables"
    )
    users: dict[str, SignedInUser] = Field(
        default_factory=dict, description="person = their roles; replaces what the claims say"
    )
    refused: list[str] = Field(
        default_factory=list, description="people who are kept out whatever the provider says"
    )
    idle_minutes: int = Field(
        default=30, ge=1, le=480, description="minutes without a click that end a sign-in"
    )
    session_hours: int = Field(
        default=12, ge=1, le=24, description="hours after which everybody signs in again"
    )

    @property
    def is_on(self) -> bool:
        """Whether people must sign in."""
        return bool(self.provider)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.is_on:
            if self.model_fields_set:
                message = (
                    "sign_in is begun but names no provider: set provider to the address of its "
                    "openid-configuration, or take the section out"
                )
                raise ValueError(message)
            return self
        for name in ("client_id", "address"):
            if not getattr(self, name):
                message = f"sign_in needs {name}"
                raise ValueError(message)
        for name in ("provider", "address"):
            if not _is_protected(getattr(self, name)):
                message = (
                    f"{name} must begin with https://; http:// is for 127.0.0.1 and localhost only"
                )
                raise ValueError(message)
        if urlsplit(self.address).path.strip("/"):
            message = "address must be without a path, such as https://unstuck.example.org"
            raise ValueError(message)
        return self


def _is_protected(address: str) -> bool:
    parts = urlsplit(address)
    is_local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_local)
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
    drop_out_codes: list[str] = Field(
        default_factory=list,
        description="codes of end_reason that mean dropping out; added to the built-in list",
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


class Models(_Section):
    """When models of the outlook are trained, and on how many cases at least."""

    schedule: str = Field(
        default="0 3 * * 0", description="when models are trained, cron; empty: only by hand"
    )
    minimum_cases: int = Field(
        default=100, ge=50, description="ended cases with a known end that a model needs"
    )
    minimum_bad: int = Field(
        default=20, ge=10, description="bad ends among them that a model needs, and good ones"
    )


class Dashboard(_Section):
    """Where the screens are served."""

    port: int = Field(default=8501, ge=1024, le=65535, description="port on 127.0.0.1")


class Workspace(_Section):
    """Where the screens keep reviews, sign-ins and the audit log."""

    # May hold a password: never part of what is printed.
    url: str = Field(
        default="",
        repr=False,
        description="PostgreSQL database of reviews and audit; empty: a SQLite file in the home",
    )
    free_text: bool = Field(
        default=False, description="let supervisors add a short note to a review"
    )


class DigestSettings(_Section):
    """Whether and when a weekly message without client data is sent."""

    addresses_file: str = Field(
        default="",
        description="file with one apprise address a line, for you alone to read; empty: no digest",
    )
    schedule: str = Field(default="0 7 * * 1", description="when it is sent, cron")


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
    sign_in: SignIn = Field(default_factory=SignIn, description="who may come in")
    care: Care = Field(default_factory=Care, description="how a course of care is told apart")
    publishing: Publishing = Field(
        default_factory=Publishing, description="what the night keeps and hides"
    )
    curves: Curves = Field(default_factory=Curves, description="when curves are fitted")
    models: Models = Field(default_factory=Models, description="when models are trained")
    dashboard: Dashboard = Field(default_factory=Dashboard, description="where screens are served")
    workspace: Workspace = Field(
        default_factory=Workspace, description="where reviews and the audit log are kept"
    )
    digest: DigestSettings = Field(
        default_factory=DigestSettings, description="a weekly message without client data"
    )
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
