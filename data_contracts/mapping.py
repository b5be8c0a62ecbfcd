"""How a practice's files become our tables: one mapping file, every column declared."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from data_contracts.errors import ContractError, nearest
from data_contracts.tables import sent_columns
from data_contracts.tables_incoming import INCOMING

# Columns of ours a mapping may name besides those of the contract.
_SCORES_EXTRA = ("measure", "time", "withdrawn")
_LATER_KINDS = ("excel", "sql", "fhir", "redcap")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeColumn(_Part):
    """What the time column counts, and from where."""

    unit: Literal["day", "week", "month", "session", "date"] = "day"
    origin: Literal["case", "practice"] = "case"
    format: str = ""

    @model_validator(mode="after")
    def _dates_declare_their_format(self) -> TimeColumn:
        if (self.unit == "date") != bool(self.format):
            message = 'dates need a format such as "%d.%m.%Y", and only dates have one'
            raise ValueError(message)
        return self


class ValueColumn(_Part):
    """A column of a wide file that holds one measure."""

    column: str
    measure: str
    subscale: str = "total"
    rater: str = ""
    reversed: bool = False


class MeasureSpelling(_Part):
    """What one spelling of theirs means, where it is more than a plain total."""

    measure: str
    subscale: str = ""
    reversed: bool = False


class FileMapping(_Part):
    """One file (or glob) and the table it becomes."""

    table: str
    path: str
    kind: Literal["csv", "parquet"] = "csv"
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ("",)
    true_values: tuple[str, ...] = ("true", "yes", "1")
    false_values: tuple[str, ...] = ("false", "no", "0")
    ignore: tuple[str, ...] = ()
    columns: dict[str, str]
    time: TimeColumn = TimeColumn()
    constants: dict[str, str] = Field(default_factory=dict)
    measures: dict[str, MeasureSpelling] = Field(default_factory=dict)
    values: tuple[ValueColumn, ...] = ()

    @field_validator("measures", mode="before")
    @classmethod
    def _plain_names_are_totals(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {
            spelling: {"measure": meant} if isinstance(meant, str) else meant
            for spelling, meant in given.items()
        }

    @field_validator("path")
    @classmethod
    def _lies_below_the_source(cls, path: str) -> str:
        if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
            message = (
                f"path {path!r} must lie below the source folder: give it relative to --source"
            )
            raise ValueError(message)
        return path

    @model_validator(mode="after")
    def _names_what_the_contract_knows(self) -> FileMapping:
        known_tables = [table.name for table in INCOMING]
        if self.table not in known_tables:
            message = f"table {self.table!r} is not one of {', '.join(known_tables)}"
            raise ValueError(message + nearest(self.table, known_tables))
        known = self.known_columns()
        for name in (*self.columns, *self.constants):
            if name not in known:
                message = f"{name!r} is not a column of {self.table}{nearest(name, list(known))}"
                raise ValueError(message)
        if self.table == "scores":
            self._check_scores()
        else:
            table = next(table for table in INCOMING if table.name == self.table)
            needed = [column.name for column in sent_columns(table) if not column.nullable]
            if "time" in self.columns:
                self._check_time_becomes_days()
                needed = [name for name in needed if name != "day"]
            self._check_has(needed)
        return self

    def measures_used(self) -> set[str]:
        """Return the measure ids this file's rows can have."""
        return {
            *(spelling.measure for spelling in self.measures.values()),
            *(column.measure for column in self.values),
        }

    def known_columns(self) -> tuple[str, ...]:
        """Return our names that this file may map."""
        table = next(table for table in INCOMING if table.name == self.table)
        names = tuple(column.name for column in sent_columns(table))
        if self.table != "scores":
            return (*names, "withdrawn", *(("time",) if self._has_own_day(names) else ()))
        hidden = ("measure_id", "clock", "at")
        return (*(name for name in names if name not in hidden), *_SCORES_EXTRA)

    @staticmethod
    def _has_own_day(names: tuple[str, ...]) -> bool:
        """Return whether rows have a day of their own, which a time column can give."""
        return "day" in names

    def _check_time_becomes_days(self) -> None:
        if "day" in self.columns or self.time.unit not in ("day", "date"):
            message = f"the time of {self.table} is a day or a date, in place of a day column"
            raise ValueError(message)

    def _check_scores(self) -> None:
        self._check_has(["case_id", "time"] + ([] if self.values else ["measure", "value"]))
        if not self.values and not self.measures:
            message = "scores need [file.measures]: their spelling = our measure_id"
            raise ValueError(message)

    def _check_has(self, needed: list[str]) -> None:
        have = {*self.columns, *self.constants}
        missing = [name for name in needed if name not in have]
        if missing:
            message = f"{self.table} need columns for {', '.join(missing)}"
            raise ValueError(message)


class Mapping(_Part):
    """A whole mapping file."""

    format: Literal[1]
    title: str = ""
    simulated: bool = False
    site: str = ""
    case_ids: Literal["keep", "crosswalk", "keyed"]
    file: tuple[FileMapping, ...] = Field(min_length=1)

    def check_measures(self, known: Collection[str]) -> None:
        """Refuse a measure that has no contract: every one of its rows would be set aside.

        Raises
        ------
        ContractError
            Names the measure and the nearest one known.
        """
        for place, file in enumerate(self.file, 1):
            for measure_id in sorted(file.measures_used() - set(known)):
                message = (
                    f"the mapping's file.{place} names the measure {measure_id!r}, which has no "
                    f"contract{nearest(measure_id, list(known))}: correct it, or put a contract "
                    "into the home's folder measures"
                )
                raise ContractError(message)

    def fingerprint(self, file: FileMapping, contracts: str) -> str:
        """Return a hash of all that decides how this file is read (16 hex digits)."""
        decisive = [file.model_dump(mode="json"), self.site, self.case_ids, contracts]
        return sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def read_mapping(path: Path) -> Mapping:
    """Return a mapping file's content, checked.

    Raises
    ------
    ContractError
        If it is missing, no TOML, or names what no contract knows; says where and what instead.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"there is no mapping file {path}: see docs/mapping.md for how to write one"
        raise ContractError(message) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not valid TOML: {error}"
        raise ContractError(message) from None
    for entry in content.get("file", []):
        if isinstance(entry, dict) and entry.get("kind") in _LATER_KINDS:
            message = f"{path}: kind {entry['kind']!r} cannot be read yet; export CSV or Parquet"
            raise ContractError(message)
    try:
        return Mapping(**content)
    except ValidationError as error:
        raise ContractError(_explained(path, error)) from None


def _explained(path: Path, error: ValidationError) -> str:
    lines = [f"{path} cannot be used:"]
    for problem in error.errors():
        where = ".".join(
            str(part + 1 if isinstance(part, int) else part) for part in problem["loc"]
        )
        if problem["type"] == "extra_forbidden":
            known = [*Mapping.model_fields, *FileMapping.model_fields, *TimeColumn.model_fields]
            hint = nearest(str(problem["loc"][-1]), known)
            lines.append(f"  {where} is not part of a mapping{hint}")
        else:
            lines.append(f"  {where}: {problem['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
