"""What the night writes about itself: files seen, runs, their counts, what was set aside."""

from __future__ import annotations

from data_contracts.contract import Layer, Table, technical

RUN_ID = technical("run_id", "text", "the run of the night; sorts by time")

FILES = Table(
    name="files",
    one_row_is="a file seen, read once with one mapping and one set of measures",
    layer=Layer.LEDGER,
    key=("file_id",),
    columns=(
        technical("file_id", "text", "hash of the content, its mapping and the contracts used"),
        technical("content_id", "text", "hash of the content alone"),
        technical("position", "bigint", "order in which files landed; later replaces earlier"),
        technical("path", "text", "path below the source folder"),
        technical("table_name", "text", "incoming table the mapping sends it to"),
        technical("lines", "bigint", "physical lines (rows in Parquet)", unit="count"),
        technical("header_lines", "bigint", "lines of header", unit="count"),
        technical("blank_lines", "bigint", "empty lines", unit="count"),
        technical("landed", "bigint", "data rows: lines times value columns", unit="count"),
        technical("duplicate", "bigint", "rows that said nothing new", unit="count"),
        technical("quarantined", "bigint", "rows set aside", unit="count"),
        technical("state", "text", "what became of it", values=("accepted", "refused")),
        technical("reason", "text", "why it was refused, without values", nullable=True),
        RUN_ID,
    ),
)

RUNS = Table(
    name="runs",
    one_row_is="an execution of the night",
    layer=Layer.LEDGER,
    key=("run_id",),
    columns=(
        RUN_ID,
        technical("started_at", "timestamp", "start, UTC"),
        technical("finished_at", "timestamp", "end, UTC", nullable=True),
        technical("as_of", "bigint", "the run's day on the practice clock", nullable=True),
        technical("trigger", "text", "what started it", values=("hand", "schedule", "demo")),
        technical(
            "state", "text", "how it ended", values=("running", "published", "unchanged", "failed")
        ),
        technical(
            "contract_version",
            "text",
            "hash of tables, measures, settings of care and models in use",
        ),
        technical("rule_version", "text", "version of the status rule"),
        technical("package_versions", "text", "packages that computed it, JSON"),
        technical("seed", "bigint", "seed of everything random in it"),
        technical("is_simulated", "boolean", "whether any file was declared simulated"),
        technical("title", "text", "title of the practice, from the mapping", nullable=True),
    ),
)

RUN_COUNTS = Table(
    name="run_counts",
    one_row_is="a step of a run",
    layer=Layer.LEDGER,
    key=("run_id", "step"),
    columns=(
        RUN_ID,
        technical("step", "text", "name of the step"),
        technical("position", "bigint", "its place in the night, from 1"),
        technical("rows_in", "bigint", "rows it read", unit="count"),
        technical("rows_out", "bigint", "rows it wrote", unit="count"),
        technical("duplicate", "bigint", "rows that said nothing new", unit="count"),
        technical("superseded", "bigint", "earlier rows replaced by later ones", unit="count"),
        technical("quarantined", "bigint", "rows set aside", unit="count"),
        technical("withdrawn", "bigint", "rows taken back by the practice", unit="count"),
        technical("seconds", "double", "how long it took", unit="seconds"),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    one_row_is="a reason why a row or a file was set aside; never its value",
    layer=Layer.LEDGER,
    key=("file_id", "line", "rule_id", "column_name"),
    columns=(
        technical("file_id", "text", "the file"),
        technical("line", "bigint", "physical line (row in Parquet); 0 is the whole file"),
        technical("rule_id", "text", "the rule it broke"),
        technical("column_name", "text", "the column, in the source's own words; may be empty"),
        technical("severity", "text", "how bad", values=("row", "file", "warning")),
        RUN_ID,
    ),
)

LEDGER: tuple[Table, ...] = (FILES, RUNS, RUN_COUNTS, QUARANTINE)
