"""Step 1, stage: find the files not seen before and read them as text, into memory.

In: the source folder and the mapping. Out: `staging.staged_files` (one row a new file),
`staging.rejects` (one row a reason for setting a line or file aside), and one text table a file.
"""

from __future__ import annotations

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
    seen = {file_id for (file_id,) in night.rows("select file_id from files")}
    latest = dict(night.rows("select path, arg_max(file_id, position) from files group by path"))
    found = 0
    unread: list[tuple[int, FileMapping, Path, str]] = []
    for entry, file in enumerate(night.mapping.file):
        matching = _matching(night.source, file)
        if not matching:
            night.warnings.append(
                f"no file matches {file.path!r}, which the mapping sends to {file.table}: "
                "has an export stopped coming?"
            )
        for path in matching:
            found += 1
            file_id = _file_id(night, file, path)
            night.run("insert into staging.current_files values ($file_id)", file_id=file_id)
            last = latest.get(path.relative_to(night.source).as_posix(), file_id)
            if file_id in seen and not last.startswith(file_id):
                file_id = _as_read_again(file_id, seen)
            if file_id not in seen:
                seen.add(file_id)
                unread.append((entry, file, path, file_id))
    for entry, file, path, file_id in _as_they_came(night, unread):
        _stage_file(night, entry, file, path, file_id)
    if not found:
        wanted = ", ".join(file.path for file in night.mapping.file)
        message = f"no file in {night.source} matches the mapping (looked for {wanted})"
        raise SourceError(message)
    return Counts(
        rows_in=found,
        rows_out=night.number("select sum(lines) from staging.staged_files"),
        quarantined=night.number("select count(*) from staging.rejects"),
    )


def _as_read_again(file_id: str, seen: set[str]) -> str:
    """Return an id of its own for a file that went back to what it held before: it is news."""
    times = sum(known.startswith(file_id) for known in seen)
    return f"{file_id}.{times}"


def _as_they_came(
    night: Night, unread: list[tuple[int, FileMapping, Path, str]]
) -> list[tuple[int, FileMapping, Path, str]]:
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

    def place(file: tuple[int, FileMapping, Path, str]) -> int:
        _, mapped, path, _ = file
        return landed.get((path.relative_to(night.source).as_posix(), mapped.table), new)

    return sorted(unread, key=place)


def _matching(source: Path, file: FileMapping) -> list[Path]:
    if not source.is_dir():
        message = f"there is no folder {source}: give the folder the practice exports to (--source)"
        raise SourceError(message)
    return sorted(path for path in source.glob(file.path) if path.is_file())


def _content_id(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:24]


def _file_id(night: Night, file: FileMapping, path: Path) -> str:
    """Return a hash of content, mapping and the measures used: a change of any reads it again."""
    used = file.measures_used()
    contracts = measures_fingerprint(
        {name: measure for name, measure in night.measures.items() if name in used}
    )
    content = _content_id(path)
    fingerprint = night.mapping.fingerprint(file, contracts)
    return sha256(f"{content}{fingerprint}".encode()).hexdigest()[:24]


def _stage_file(night: Night, entry: int, file: FileMapping, path: Path, file_id: str) -> None:
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
                "content_id": [_content_id(path)],
                "path": [path.relative_to(night.source).as_posix()],
                "entry": [entry],
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
