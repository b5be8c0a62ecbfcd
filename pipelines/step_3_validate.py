"""Step 3, validate: Great Expectations judges every row; what fails is set aside, the rest goes on.

In: `staging.clean_N` (text). Out: `staging.good_TABLE` (typed, one row a good row) and
`staging.rejects`. The rules come from data_contracts/row_rules.py. The only file that knows Great
Expectations.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from data_contracts.contract import Table
from data_contracts.errors import UnstuckError
from data_contracts.mapping import FileMapping
from data_contracts.measure import Measure
from data_contracts.row_rules import RowRule, row_rules
from data_contracts.tables import incoming, sent_columns
from data_contracts.tables_incoming import INCOMING
from pipelines.night import Counts, Night
from pipelines.reading_files import in_days, spelled_number

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation

_POLARS_TYPES = {
    "bigint": pl.Int64,
    "integer": pl.Int64,
    "double": pl.Float64,
    "boolean": pl.Boolean,
    "text": pl.String,
}


def validate(night: Night) -> Counts:
    """Split the rows of every file into good and set aside."""
    for table in INCOMING:
        night.insert_empty_staging(table)
    examined = good = 0
    for number, file_id, entry in night.rows(
        "select number, file_id, entry from staging.staged_files "
        "where state = 'staged' order by number"
    ):
        file = night.mapping.file[entry]
        table = incoming(file.table)
        clean = night.frame(f"select * from staging.clean_{number}")
        night.run(f"drop table staging.clean_{number}")
        typed = typed_rows(clean, file, table, night.measures)
        failures = broken_rules(typed, row_rules(file, table, night.measures))
        _set_aside(night, file, file_id, typed, failures)
        kept = typed.join(failures.select("row").unique(), on="row", how="anti")
        examined += typed.height
        good += night.insert(f"staging.good_{table.name}", _good_rows(kept, file, table, file_id))
    return Counts(rows_in=examined, rows_out=good, quarantined=examined - good)


def typed_rows(
    clean: pl.DataFrame, file: FileMapping, table: Table, measures: dict[str, Measure]
) -> pl.DataFrame:
    """Add to each text column the number it spells, and to scores what its measure allows.

    Null where the text does not spell a number: the pattern rule says so.
    """
    numeric = {
        column.name
        for column in sent_columns(table)
        if column.type in ("bigint", "double") and column.name in clean.columns
    }
    rows = clean.with_row_index("row").with_columns(
        spelled_number(name, file.decimal).alias(f"{name}_number")
        for name in sorted(numeric | {"time"})
        if name in clean.columns
    )
    if table.name != "scores":
        return rows
    return _with_time(_with_measure(rows, file, measures), file)


def _with_measure(
    rows: pl.DataFrame, file: FileMapping, measures: dict[str, Measure]
) -> pl.DataFrame:
    meanings = [
        (spelling, meant.measure, meant.subscale or None, meant.reversed, None)
        for spelling, meant in file.measures.items()
    ] + [
        (column.column, column.measure, column.subscale, column.reversed, column.rater or None)
        for column in file.values
    ]
    spellings = pl.DataFrame(
        meanings,
        schema={
            "measure": pl.String,
            "measure_id": pl.String,
            "meant_subscale": pl.String,
            "reversed": pl.Boolean,
            "meant_rater": pl.String,
        },
        orient="row",
    ).filter(pl.col("measure_id").is_in(list(measures)))
    ranges = pl.DataFrame(
        [
            (f"{measure.measure_id}/{subscale}", *measure.score_range(subscale), measure.integer)
            for measure in measures.values()
            for subscale in ("total", *(part.subscale for part in measure.subscales))
        ],
        schema={
            "pair": pl.String,
            "value_minimum": pl.Float64,
            "value_maximum": pl.Float64,
            "is_whole": pl.Boolean,
        },
        orient="row",
    )
    for name in ("subscale", "rater"):
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    joined = rows.join(spellings, on="measure", how="left", maintain_order="left").with_columns(
        subscale=pl.coalesce("meant_subscale", "subscale", pl.lit("total")),
        rater=pl.coalesce(
            "meant_rater",
            "rater",
            pl.col("measure_id").replace_strict(
                {name: measure.rater for name, measure in measures.items()}, default="client"
            ),
        ),
    )
    paired = joined.with_columns(pair=pl.col("measure_id") + "/" + pl.col("subscale")).join(
        ranges, on="pair", how="left", maintain_order="left"
    )
    if "withdrawn" in rows.columns:  # what is taken back needs no value: one stands in, unread
        is_bare = pl.col("withdrawn").is_in(list(file.true_values)) & pl.col("value").is_null()
        paired = paired.with_columns(
            value=pl.when(is_bare).then(pl.lit("0")).otherwise("value"),
            value_number=pl.when(is_bare).then("value_minimum").otherwise("value_number"),
        )
    upright = (
        pl.when("reversed")
        .then(pl.col("value_minimum") + pl.col("value_maximum") - pl.col("value_number"))
        .otherwise("value_number")
    )
    return paired.with_columns(value_number=upright).with_columns(
        value_whole=pl.when("is_whole").then(pl.col("value_number").round())
        .otherwise("value_number")
    )  # fmt: skip


def _with_time(rows: pl.DataFrame, file: FileMapping) -> pl.DataFrame:
    time = pl.col("time_number")
    if file.time.origin == "case":  # else step 2 has counted days already
        time = in_days(time, file.time.unit)
    return rows.with_columns(time_number=time, time_whole=time.round())


def broken_rules(rows: pl.DataFrame, rules: tuple[RowRule, ...]) -> pl.DataFrame:
    """Return one row for each rule a row breaks: `row`, `line`, `rule_id`, `about`, measure.

    Raises
    ------
    UnstuckError
        If an expectation itself fails to run: then nothing is known about the rows.
    """
    import great_expectations as gx

    empty = pl.DataFrame(schema={"row": pl.UInt32, "rule_id": pl.String, "about": pl.String})
    if not rows.height:
        return empty.with_columns(line=pl.lit(None, dtype=pl.Int64))
    asset = _context().data_sources.add_or_update_pandas("staged").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("all")
    suite = gx.ExpectationSuite(
        "rows", expectations=[_expectation(rule, place) for place, rule in enumerate(rules)]
    )
    examined = sorted({name for rule in rules for name in (rule.column, rule.other) if name})
    batch = definition.get_batch(
        {"dataframe": rows.select(examined).to_pandas(use_pyarrow_extension_array=True)}
    )
    report = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    found = [empty]
    for result in report.results:
        rule = rules[_place(result)]
        positions = result.result.get("unexpected_index_list") if result.result else None
        if positions is None and not result.success:
            message = f"the check {rule.rule_id!r} on {rule.column!r} could not run"
            raise UnstuckError(message)
        found.append(
            pl.DataFrame({"row": pl.Series(positions or [], dtype=pl.UInt32)}).with_columns(
                rule_id=pl.lit(rule.rule_id), about=pl.lit(rule.about)
            )
        )
    return _first_cause(pl.concat(found)).join(
        rows.select("row", "line"), on="row", how="left", maintain_order="left"
    )


@cache
def _context() -> EphemeralDataContext:
    """Return Great Expectations' context: in memory, no progress bars, no folders in /tmp."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    in_memory = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    context = gx.get_context(
        mode="ephemeral", project_config=DataContextConfig(store_backend_defaults=in_memory)
    )
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _place(result: ExpectationValidationResult) -> int:
    """Return the place of the rule behind a result: results come in another order."""
    configuration = result.expectation_config
    if configuration is None or configuration.meta is None:
        message = "a check of the rows has lost its name"
        raise UnstuckError(message)
    return int(configuration.meta["place"])


def _first_cause(failures: pl.DataFrame) -> pl.DataFrame:
    """Drop what only follows: a missing measure is not also an unknown one."""
    follows = {"unknown_measure": "missing", "unknown_subscale": "unknown_measure"}
    for later, earlier in follows.items():
        causes = failures.filter(
            (pl.col("rule_id") == earlier) & pl.col("about").is_in(["measure", "subscale"])
        ).select("row")
        failures = pl.concat(
            [
                failures.filter(pl.col("rule_id") != later),
                failures.filter(pl.col("rule_id") == later).join(causes, on="row", how="anti"),
            ]
        )
    return failures.unique(maintain_order=True)


def _expectation(rule: RowRule, place: int) -> Expectation:
    import great_expectations.expectations as gxe

    meta: dict[str, Any] = {"place": place}
    skip: Literal["either_value_is_missing"] = "either_value_is_missing"
    match rule.kind:
        case "present":
            return gxe.ExpectColumnValuesToNotBeNull(column=rule.column, meta=meta)
        case "pattern":
            return gxe.ExpectColumnValuesToMatchRegex(
                column=rule.column, regex=rule.pattern, meta=meta
            )
        case "one_of":
            return gxe.ExpectColumnValuesToBeInSet(
                column=rule.column, value_set=list(rule.values), meta=meta
            )
        case "between":
            return gxe.ExpectColumnValuesToBeBetween(
                column=rule.column,
                min_value=-1e12 if rule.minimum is None else rule.minimum,
                max_value=1e12 if rule.maximum is None else rule.maximum,
                meta=meta,
            )
        case "at_least" | "at_most":
            larger, smaller = (
                (rule.column, rule.other) if rule.kind == "at_least" else (rule.other, rule.column)
            )
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=larger,
                column_B=smaller,
                or_equal=True,
                ignore_row_if=skip,
                meta=meta,
            )
        case "equal":
            return gxe.ExpectColumnPairValuesToBeEqual(
                column_A=rule.column, column_B=rule.other, ignore_row_if=skip, meta=meta
            )


def _set_aside(
    night: Night, file: FileMapping, file_id: str, rows: pl.DataFrame, failures: pl.DataFrame
) -> None:
    theirs = {name: file.columns.get(name, name) for name in failures["about"].unique()}
    column_name = pl.col("about").replace_strict(theirs, default="", return_dtype=pl.String)
    cell = pl.lit("*")
    if file.values:  # in a wide file the cell is the value column
        failures = failures.join(rows.select("row", "measure"), on="row", how="left")
        cell = pl.col("measure")
        column_name = pl.when(pl.col("about") == "value").then("measure").otherwise(column_name)
    night.insert(
        "staging.rejects",
        failures.select(
            "line",
            "rule_id",
            file_id=pl.lit(file_id),
            column_name=column_name,
            cell=cell,
            severity=pl.when(pl.col("rule_id") == "no_value")
            .then(pl.lit("warning"))
            .otherwise(pl.lit("row")),
        ),
    )


def _good_rows(rows: pl.DataFrame, file: FileMapping, table: Table, file_id: str) -> pl.DataFrame:
    """Return typed rows in the columns of the contract; columns not sent are null."""
    columns = [
        _typed_column(column.name, column.type, rows, file).alias(column.name)
        for column in sent_columns(table)
    ]
    withdrawn = (
        pl.col("withdrawn").is_in(list(file.true_values))
        if "withdrawn" in rows.columns
        else pl.lit(value=False)
    )
    return rows.select(
        pl.lit(file_id).alias("file_id"), "line", *columns, withdrawn.alias("is_withdrawn")
    )


def _typed_column(name: str, kind: str, rows: pl.DataFrame, file: FileMapping) -> pl.Expr:
    by_session = file.time.unit == "session"
    if name == "clock":
        return pl.lit("session" if by_session else "day")
    if name == "at":
        return pl.col("time_whole").cast(pl.Int64)
    if (
        name == "session"
        and by_session
        and "session" not in rows.columns
        and "time" in rows.columns
    ):
        return pl.col("time_whole").cast(pl.Int64)
    if name == "day" and not by_session and "day" not in rows.columns and "time" in rows.columns:
        return pl.col("time_whole").cast(pl.Int64)
    if f"{name}_number" in rows.columns:
        return pl.col(f"{name}_number").cast(_POLARS_TYPES[kind])
    if name not in rows.columns:
        return pl.lit(None, dtype=_POLARS_TYPES[kind])
    if kind == "boolean":
        return pl.col(name).is_in(list(file.true_values))
    return pl.col(name).cast(_POLARS_TYPES[kind])
