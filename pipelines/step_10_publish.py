"""Step 10, publish: two immutable files beside the old ones, then one pointer moves.

In: everything judged. Out: `shown` (kept), `<run>.cases.duckdb`, `<run>.aggregates.duckdb`. The
pointer moves after the warehouse has committed (`nightly.run_night`), in one rename; a night killed
anywhere before leaves the last snapshot.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from data_contracts.contract import Table, ddl, quoted
from data_contracts.errors import AccountingError
from data_contracts.measure import Measure
from data_contracts.places import Pointer, sync_folder
from data_contracts.tables import JUDGED_TABLES, VERSIONS
from data_contracts.tables_published import PUBLISHED_FOR_ALL, PUBLISHED_FOR_CASES
from pipelines.night import Counts, Night
from pipelines.sql import statement

EVIDENCE = "evidence"
"""What begins so in the folder of snapshots is written, and swept, by evidence.py."""
_STEM = "step_10_publish"
_STORAGE_VERSION = "v1.5.0"


def publish(night: Night) -> Counts:
    """Keep what will be shown, and write both snapshot files beside the current ones.

    Raises
    ------
    AccountingError
        If a key of the contract is not unique: then nothing is published.
    """
    _audit_keys(night)
    night.run(statement(_STEM, "shown_now"))
    night.run(
        statement(_STEM, "keep_shown"),
        run_id=night.run_id,
        as_of=night.as_of,
        shown_at=night.started_at.replace(tzinfo=None),
        versions=json.dumps(
            {"rule": night.rule.version, "contract": night.contract_version}, sort_keys=True
        ),
    )
    night.run(
        "update runs set state = 'published', finished_at = $finished_at, as_of = $as_of "
        "where run_id = $run_id",
        finished_at=datetime.now(tz=night.started_at.tzinfo).replace(tzinfo=None),
        as_of=night.as_of,
        run_id=night.run_id,
    )
    rows = 0
    for tables, path in (
        (PUBLISHED_FOR_CASES, snapshot_path(night, "cases")),
        (PUBLISHED_FOR_ALL, snapshot_path(night, "aggregates")),
    ):
        rows += write_snapshot(path, {table: _content(night, table) for table in tables})
    return Counts(rows_in=rows, rows_out=rows)


def snapshot_path(night: Night, part: str) -> Path:
    """Return where this run's snapshot lies."""
    return night.places.published / f"{night.run_id}.{part}.duckdb"


def pointer_of(night: Night) -> Pointer:
    """Return the pointer to this run's snapshot."""
    return Pointer(
        run_id=night.run_id,
        cases=snapshot_path(night, "cases").name,
        aggregates=snapshot_path(night, "aggregates").name,
        as_of=night.as_of,
        published_at=night.started_at,
    )


def sweep(night: Night) -> None:
    """Remove snapshots nobody points to, but the newest ones, and what killed nights left."""
    folder = night.places.published
    kept = night.settings.publishing.snapshots_kept
    current = night.places.pointer().run_id
    snapshots = sorted(folder.glob("*.cases.duckdb"), reverse=True)
    keep = {current} | {path.name.split(".")[0] for path in snapshots[: kept + 1]}
    for path in folder.iterdir():
        is_evidence = path.name.lstrip(".").startswith(EVIDENCE)
        is_own = path != night.places.pointer_file and not is_evidence
        if is_own and path.name.split(".")[0] not in keep:
            path.unlink()


def _audit_keys(night: Night) -> None:
    for table in JUDGED_TABLES:
        key = ", ".join(quoted(name) for name in table.key)
        twice = night.number(
            "select count(*) from "
            f"(select {key} from {table.name} group by all having count(*) > 1)"
        )
        if twice:
            message = (
                f"{table.name} holds {twice} keys ({key}) more than once. "
                "Nothing was published; please report this"
            )
            raise AccountingError(message)


def _content(night: Night, table: Table) -> pl.DataFrame:
    """Return what a published table will hold."""
    source: str
    match table.name:
        case "published_cases":
            return night.frame(statement(_STEM, "published_cases"))
        case "published_files":
            counts = " union all ".join(
                f"select file_id, state, count(*) as row_count from {versions.name} group by all"
                for versions in VERSIONS
            )
            return night.frame(statement(_STEM, "published_files", version_counts=counts))
        case "published_measures":
            return measure_rows(night.measures)
        case (
            "published_queue"
            | "published_trends"
            | "published_trend_groups"
            | "published_funnel"
            | "published_caseload"
            | "published_therapist_lenses"
            | "published_talking_therapies"
            | "published_follow_up"
            | "published_models"
            | "published_drift"
            | "published_quarantine"
        ):
            source = table.name
        case _:
            source = table.name.removeprefix("published_")
    columns = ", ".join(quoted(name) for name in table.column_names)
    order = ", ".join(quoted(name) for name in table.key)
    return night.frame(f"select {columns} from {source} order by {order}")


def measure_rows(measures: dict[str, Measure]) -> pl.DataFrame:
    """Return published_measures: what charts and small print need of every measure."""
    rows = []
    for measure in measures.values():
        shared = (measure.role, measure.rater, measure.higher_is)
        rows.append(
            (measure.measure_id, "total", measure.name, *shared, float(measure.minimum),
             float(measure.maximum), measure.cutoff, measure.reliable_change_points,
             measure.alliance.low_at if measure.alliance else None, False, measure.is_verified,
             _sources(measure))
        )  # fmt: skip
        rows += [
            (measure.measure_id, part.subscale, part.name, *shared, float(part.minimum),
             float(part.maximum), None, None, None, part.safety, part.verified, part.source)
            for part in measure.subscales
        ]  # fmt: skip
    return pl.DataFrame(
        rows,
        schema={
            "measure_id": pl.String,
            "subscale": pl.String,
            "name": pl.String,
            "role": pl.String,
            "rater": pl.String,
            "higher_is": pl.String,
            "minimum": pl.Float64,
            "maximum": pl.Float64,
            "cutoff": pl.Float64,
            "reliable_change": pl.Float64,
            "concern_line": pl.Float64,
            "is_safety": pl.Boolean,
            "is_verified": pl.Boolean,
            "sources": pl.String,
        },
        orient="row",
    )


def _sources(measure: Measure) -> str:
    parts = []
    if measure.clinical_cutoff:
        parts.append(f"cut-off {measure.cutoff:g}: {measure.clinical_cutoff.source}")
    if measure.reliable_change:
        parts.append(
            f"reliable change {measure.reliable_change_points:g}: {measure.reliable_change.source}"
        )
    elif measure.reliable_change_points is not None and measure.standard_deviation:
        parts.append(
            f"reliable change {measure.reliable_change_points:g}, computed from the standard "
            f"deviation ({measure.standard_deviation.source}) and the reliability "
            f"({measure.reliability.source if measure.reliability else '?'})"
        )
    if measure.alliance:
        parts.append(f"concern line {measure.alliance.low_at:g}: {measure.alliance.low_source}")
    if measure.unverified_numbers:
        parts.append(f"not yet read in a source: {', '.join(measure.unverified_numbers)}")
    return "; ".join(parts)


def write_snapshot(path: Path, tables: dict[Table, pl.DataFrame]) -> int:
    """Write one database beside the others, whole and on disk; return its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".writing")
    for old in (beside, beside.with_name(beside.name + ".wal")):
        old.unlink(missing_ok=True)
    rows = 0
    with closing(duckdb.connect()) as connection:
        connection.execute(
            f"attach '{_quoted(beside)}' as snapshot (storage_version '{_STORAGE_VERSION}')"
        )
        connection.execute("use snapshot")
        for table, frame in tables.items():
            connection.execute(ddl(table))
            if frame.height:
                connection.register("rows_to_publish", frame.to_arrow())
                connection.execute(f"insert into {table.name} by name from rows_to_publish")
                connection.unregister("rows_to_publish")
            rows += frame.height
        connection.execute("checkpoint snapshot")
        connection.execute("use memory")
        connection.execute("detach snapshot")
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)
    return rows


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
