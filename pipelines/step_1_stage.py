"""Step 1, stage: find the files not seen before and read them as text, into memory.

In: the source folder and the mapping. Out: `staging.staged_files` (one row a new file),
`staging.rejects` (one row a reason for setting a line or file aside), and one text table a file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import polars as pl

from data_contracts.errors import SourceError
from data_contracts.mapping import FileMapping
from data_contracts.measures import measures_fingerprint
from pipelines.night import Counts, Night
from pipelines.reading_files import ShapeError, TextRows, read_text_rows

STAGED_FILES = """
create or replace table staging.staged_files (
    number bigint, file_id text, content_id text, path text, entry bigint, table_name text,
    lines bigint, header_lines bigint, blank_lines bigint, value_columns bigint,
    state text, reason text, rule_id text, column_name text
)
"""
REJECTS = """
create or replace table staging.rejects (
    file_id text, line bigint, rule_id text, column_name text, severity text, cell text
)
"""


@dataclass(frozen=True, kw_only=True)
class Current:
    """A file as it lies there now, as one entry of the mapping reads it."""

    entry: int
    mapped: FileMapping
    path: Path
    told: str  # the path below the source folder
    content_id: str
    file_id: str


def stage(night: Night) -> Counts:
    """Read every new file as text.

    Raises
    ------
    SourceError
        If the folder is missing, or no file at all matches the mapping.
    """
    night.run(STAGED_FILES)
    night.run(REJECTS)
    night.run("create or replace table staging.current_files (file_id text)")
    current = _current(night)
    for file in current:
        night.run("insert into staging.current_files values ($file_id)", file_id=file.file_id)
    for file in _as_they_came(night, _unread(night, current)):
        _stage_file(night, file)
    found = len(current)
    if not found:
        wanted = ", ".join(file.path for file in night.mapping.file)
        message = f"no file in {night.source} matches the mapping (looked for {wanted})"
        raise SourceError(message)
    return Counts(
        rows_in=found,
        rows_out=night.number("select sum(lines) from staging.staged_files"),
        quarantined=night.number("select count(*) from staging.rejects"),
    )


def _current(night: Night) -> list[Current]:
    """Return every file that matches the mapping now, once for each entry that names it."""
    found = []
    for entry, mapped in enumerate(night.mapping.file):
        matching = _matching(night.source, mapped)
        if not matching:
            night.warnings.append(
                f"no file matches {mapped.path!r}, which the mapping sends to {mapped.table}: "
                "has an export stopped coming?"
            )
        for path in matching:
            content_id = sha256(path.read_bytes()).hexdigest()[:24]
            found.append(
                Current(
                    entry=entry,
                    mapped=mapped,
                    path=path,
                    told=path.relative_to(night.source).as_posix(),
                    content_id=content_id,
                    file_id=_file_id(night, mapped, content_id),
                )
            )
    return found


def _unread(night: Night, current: list[Current]) -> list[Current]:
    """Return files never read before, and those that went back to what they were before.

    A file is as it was read if nothing but readings still current came after for its path: a path
    may have several, one an entry. A copy of an old file under another name is not news.
    """
    history: dict[str, list[str]] = {}
    for path, file_id in night.rows("select path, file_id from files order by position"):
        history.setdefault(path, []).append(file_id)
    seen = {file_id for readings in history.values() for file_id in readings}
    valid = {file.file_id for file in current}
    unread = []
    for file in current:
        if file.file_id in seen:
            bases = [reading.split(".")[0] for reading in history.get(file.told, [])]
            if set(_after_last(file.file_id, bases)) <= valid:
                continue
            times = sum(known.startswith(file.file_id) for known in seen)
            unread.append(replace(file, file_id=f"{file.file_id}.{times}"))
        else:
            unread.append(file)
        seen.add(unread[-1].file_id)
    return unread


def _after_last(reading: str, readings: list[str]) -> list[str]:
    """Return what came after the last of this reading; nothing where it never came."""
    if reading not in readings:
        return []
    return readings[len(readings) - readings[::-1].index(reading) :]


def _as_they_came(night: Night, unread: list[Current]) -> list[Current]:
    """Return files read before in the order they landed, then new ones in that of the mapping.

    A changed mapping or measure has all its files read again in one night: a correction must still
    come after what it corrects.
    """
    landed: dict[tuple[str, str], int] = {
        (path, table): position
        for path, table, position in night.rows(
            "select path, table_name, max(position) from files group by path, table_name"
        )
    }
    new = len(landed) + max(landed.values(), default=0)

    def place(file: Current) -> int:
        return landed.get((file.told, file.mapped.table), new)

    return sorted(unread, key=place)


def _matching(source: Path, file: FileMapping) -> list[Path]:
    if not source.is_dir():
        message = f"there is no folder {source}: give the folder the practice exports to (--source)"
        raise SourceError(message)
    return sorted(path for path in source.glob(file.path) if path.is_file())


def _file_id(night: Night, file: FileMapping, content_id: str) -> str:
    """Return a hash of content, mapping and the measures used: a change of any reads it again."""
    used = file.measures_used()
    contracts = measures_fingerprint(
        {name: measure for name, measure in night.measures.items() if name in used}
    )
    fingerprint = night.mapping.fingerprint(file, contracts)
    return sha256(f"{content_id}{fingerprint}".encode()).hexdigest()[:24]


def _stage_file(night: Night, current: Current) -> None:
    file, path, file_id = current.mapped, current.path, current.file_id
    number = night.number("select count(*) from staging.staged_files")
    refusal: tuple[str, str, str] | None = None
    try:
        text = read_text_rows(path, file)
        refusal = _missing_columns(file, text)
    except ShapeError as error:
        text = TextRows(rows=pl.DataFrame(), header=(), lines=0, header_lines=0, blank_lines=0)
        refusal = (str(error), "unreadable_file", "")
    reason, rule_id, column_name = refusal or ("", "", "")
    night.insert(
        "staging.staged_files",
        pl.DataFrame(
            {
                "number": [number],
                "file_id": [file_id],
                "content_id": [current.content_id],
                "path": [current.told],
                "entry": [current.entry],
                "table_name": [file.table],
                "lines": [text.lines],
                "header_lines": [text.header_lines],
                "blank_lines": [text.blank_lines],
                "value_columns": [len(file.values) or 1],
                "state": ["refused" if refusal else "staged"],
                "reason": [reason],
                "rule_id": [rule_id],
                "column_name": [column_name],
            }
        ),
    )
    if refusal:
        return
    _warn_of_unknown_columns(night, file, text, path)
    rejects = pl.DataFrame(
        text.rejects, schema={"line": pl.Int64, "rule_id": pl.String}, orient="row"
    ).with_columns(
        file_id=pl.lit(file_id), column_name=pl.lit(""), severity=pl.lit("row"), cell=pl.lit("*")
    )
    night.insert("staging.rejects", rejects)
    night.connection.register("text_rows", text.rows.to_arrow())
    night.run(f"create or replace table staging.text_{number} as select * from text_rows")
    night.connection.unregister("text_rows")


def _missing_columns(file: FileMapping, text: TextRows) -> tuple[str, str, str] | None:
    wanted = [*file.columns.values(), *(column.column for column in file.values)]
    missing = sorted(set(wanted) - set(text.header))
    if not missing:
        return None
    reason = f"expected the columns {', '.join(sorted(set(wanted)))}; "
    if len(missing) < len(set(wanted)):
        reason += f"missing: {', '.join(missing)}; the file has: {', '.join(text.header)}"
    else:  # perhaps no header but a row of data: then its fields are values, and stay out of here
        reason += (
            f"none of them is in the first line ({len(text.header)} fields): is the header line "
            f"missing or renamed{_other_delimiter(file, text, set(wanted))}?"
        )
    return reason, "missing_column", missing[0]


def _other_delimiter(file: FileMapping, text: TextRows, wanted: set[str]) -> str:
    """Return a hint where the first line holds what is wanted, cut another way."""
    line = file.delimiter.join(text.header)
    for delimiter in ",;\t|":
        if wanted <= {name.strip(' "') for name in line.split(delimiter)}:
            return f", or is the delimiter {delimiter!r}"
    return ""


def _warn_of_unknown_columns(night: Night, file: FileMapping, text: TextRows, path: Path) -> None:
    mapped = {*file.columns.values(), *(column.column for column in file.values), *file.ignore}
    unknown = sorted(set(text.header) - mapped)
    if unknown:
        night.warnings.append(
            f"{path.name}: columns neither mapped nor ignored were left out: {', '.join(unknown)}"
        )
