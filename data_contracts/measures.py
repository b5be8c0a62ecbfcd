"""Which measures are there? One TOML file a measure, in ``data_contracts/measures/``.

A practice replaces them or adds its own by dropping files into its home.
"""

from __future__ import annotations

import json
import tomllib
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING

from pydantic import ValidationError

from data_contracts.errors import nearest
from data_contracts.measure import (
    Alliance,
    ClinicalCutoff,
    Measure,
    MeasureContractError,
    MinimalImportantChange,
    NotChosen,
    Reliability,
    ReliableChange,
    SeverityBand,
    StandardDeviation,
    Subscale,
    TomlTable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


def built_in_measures() -> dict[str, Measure]:
    """Return the measures that ship with unstuck, by id, in order of id."""
    folder = files("data_contracts") / "measures"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return _by_id(_measure(name, (folder / name).read_bytes()) for name in names)


def measures_for(home_measures: Path | None) -> dict[str, Measure]:
    """Return the built-in measures and those of the practice, by id, in order of id.

    Parameters
    ----------
    home_measures
        The practice's folder of TOML files. A file with the id of a built-in measure replaces it
        as a whole. None, or a folder that does not exist, adds nothing.

    Raises
    ------
    MeasureContractError
        If a file cannot be used: names the file, the key and what is expected.
    """
    measures = built_in_measures()
    if home_measures is None or not home_measures.exists():
        return measures
    if not home_measures.is_dir():
        message = f"{home_measures}: expected a folder of TOML files, one a measure"
        raise MeasureContractError(message)
    paths = sorted(home_measures.glob("*.toml"))
    own_measures = _by_id(_measure(str(path), path.read_bytes()) for path in paths)
    return _by_id(iter((measures | own_measures).values()))


def measures_fingerprint(measures: dict[str, Measure]) -> str:
    """Return 16 hex digits that change with any content of any measure, and with nothing else."""
    contents = {
        measure_id: measure.model_dump(mode="json", by_alias=True)
        for measure_id, measure in measures.items()
    }
    canonical = json.dumps(contents, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:16]


def _by_id(measures: Iterator[Measure]) -> dict[str, Measure]:
    return {measure.measure_id: measure for measure in sorted(measures, key=_id_of)}


def _id_of(measure: Measure) -> str:
    return measure.measure_id


def _measure(file: str, content: bytes) -> Measure:
    """Read one TOML file; `file` is its name or path, as a message should show it."""
    try:
        measure = Measure.model_validate(tomllib.loads(content.decode("utf-8")))
    except UnicodeDecodeError as error:
        message = f"{file}: expected text saved as UTF-8"
        raise MeasureContractError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"{file}: expected TOML, but could not read it: {error}"
        raise MeasureContractError(message) from error
    except ValidationError as error:
        complaints = [line for one in error.errors() for line in _complaints(one)]
        message = "\n".join(f"{file}: {complaint}" for complaint in complaints)
        raise MeasureContractError(message) from error
    if measure.measure_id != PurePath(file).stem:
        message = f"{file}: key `measure_id`: expected {PurePath(file).stem!r}, the file's name"
        raise MeasureContractError(message)
    return measure


_WRONG_IN_WORDS = {
    "missing": "is missing",
    "model_type": "is not a table",
    "tuple_type": "is not a list",
    "string_type": "is not text in quotes",
    "string_too_short": "is empty",
    "float_type": "is not a number",
    "int_type": "is not a whole number",
    "bool_type": "is neither true nor false",
}

_TABLES: dict[str, type[TomlTable]] = {
    "clinical_cutoff": ClinicalCutoff,
    "reliable_change": ReliableChange,
    "reliability": Reliability,
    "standard_deviation": StandardDeviation,
    "minimal_important_change": MinimalImportantChange,
    "alliance": Alliance,
    "severity": SeverityBand,
    "subscale": Subscale,
    "not_chosen": NotChosen,
}


def _complaints(error: ErrorDetails) -> list[str]:
    """Say what is wrong with which key and what is expected, one line a complaint."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"]).splitlines()
    key = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).removeprefix(".")
    names = [part for part in error["loc"] if isinstance(part, str)]
    keys = _keys(_TABLES[names[0]] if len(names) > 1 else Measure)
    if error["type"] == "extra_forbidden":
        hint = nearest(names[-1], list(keys)) or f"; expected one of {', '.join(keys)}"
        return [f"key `{key}` is not known{hint}"]
    wrong = _WRONG_IN_WORDS.get(error["type"], "is not usable")
    return [f"key `{key}` {wrong}; expected {(keys[names[-1]].description or '').strip()}"]


def _keys(table: type[TomlTable]) -> dict[str, FieldInfo]:
    """Return the keys of a table as they are written in TOML."""
    return {field.alias or name: field for name, field in table.model_fields.items()}
