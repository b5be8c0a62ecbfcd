"""Step 2, de-identify: refuse files that identify people, keep mapped columns, replace ids.

In: the text tables of step 1. Out: one table `staging.clean_N` a file, still text, in our column
names, with `line`; dates have become days. A refused file goes no further than memory.
"""

from __future__ import annotations

import polars as pl

from data_contracts.mapping import FileMapping
from pipelines.identifiers import Identifying, by_content, by_name
from pipelines.night import Counts, Night
from pipelines.pseudonyms import crosswalk_path, keyed_ids, practice_start, random_ids
from pipelines.reading_files import LINE

# Columns the mapping sends to numbers or truths: their strict patterns guard them better.
_NUMERIC = {"value", "session", "day", "practice_day", "practice_day_start", "referral_day",
            "end_day", "planned_sessions", "attended", "assigned", "done_percent", "quality",
            "is_agreed", "withdrawn", "measure", "subscale", "rater"}  # fmt: skip
_WHOLE = r"^[+-]?\d+(\.0+)?$"


def deidentify(night: Night) -> Counts:
    """Let only de-identified files through, in our names."""
    staged = night.rows(
        "select number, file_id, entry from staging.staged_files "
        "where state = 'staged' order by number"
    )
    passed = 0
    for number, file_id, entry in staged:
        file = night.mapping.file[entry]
        text = night.frame(f"select * from staging.text_{number}")
        night.run(f"drop table staging.text_{number}")
        found = _identifying(
            text,
            file,
            this_year=night.started_at.year,
            replaces_ids=night.mapping.case_ids != "keep",
        )
        if found:
            _refuse(night, number, found)
            continue
        clean = _with_pseudonyms(night, _in_our_names(text, file))
        clean = _with_days(night, clean, file, file_id)
        night.connection.register("clean_rows", clean.to_arrow())
        night.run(f"create table staging.clean_{number} as select * from clean_rows")
        night.connection.unregister("clean_rows")
        passed += clean.height
    refused = "select count(*) from staging.staged_files where state = 'refused'"
    return Counts(rows_in=len(staged), rows_out=passed, quarantined=night.number(refused))


def _identifying(
    text: pl.DataFrame, file: FileMapping, *, this_year: int, replaces_ids: bool
) -> list[Identifying]:
    """Return the columns, mapped or not, that identify people.

    A source id that is replaced by a pseudonym may be as telling as it likes.
    """
    theirs_to_ours = {theirs: ours for ours, theirs in file.columns.items()}
    numeric = {column.column for column in file.values}
    found = []
    for column in text.columns:
        if column == LINE:
            continue
        ours = theirs_to_ours.get(column, "")
        if ours == "case_id" and replaces_ids:
            continue
        kind = by_name(column) if ours in ("", "case_id") else None
        if kind:
            filled = int(text[column].fill_null("").ne("").sum())
            found.append(Identifying(column=column, kind=f"{kind}s".replace("texts", "text"),
                                     row_count=filled))  # fmt: skip
            continue
        if ours in _NUMERIC or column in numeric:
            continue
        hit = by_content(text[column], this_year=this_year, is_time=ours == "time")
        if hit:
            found.append(Identifying(column=column, kind=hit[0], row_count=hit[1]))
    return found


def _refuse(night: Night, number: int, found: list[Identifying]) -> None:
    reason = "; ".join(column.sentence for column in found)
    night.run(
        "update staging.staged_files set state = 'refused', reason = $reason, "
        "rule_id = 'identifying_column', column_name = $column_name where number = $number",
        reason=reason,
        column_name=found[0].column,
        number=number,
    )


def _in_our_names(text: pl.DataFrame, file: FileMapping) -> pl.DataFrame:
    """Return mapped columns under our names; what is declared missing becomes null."""
    mapped = [pl.col(theirs).str.strip_chars().alias(ours) for ours, theirs in file.columns.items()]
    constants = [
        pl.lit(value).alias(name)
        for name, value in file.constants.items()
        if name not in file.columns
    ]
    if not file.values:
        clean = text.select(pl.col(LINE).alias("line"), *mapped, *constants)
    else:
        clean = pl.concat(
            text.select(
                pl.col(LINE).alias("line"),
                *mapped,
                *constants,
                pl.col(column.column).str.strip_chars().alias("value"),
                pl.lit(column.column).alias("measure"),
            )
            for column in file.values
        )
    names = [name for name in clean.columns if name != "line"]
    return clean.with_columns(
        pl.when(pl.col(name).is_in(list(file.missing))).then(None).otherwise(pl.col(name))
        .alias(name)
        for name in names
    )  # fmt: skip


def _with_pseudonyms(night: Night, clean: pl.DataFrame) -> pl.DataFrame:
    if night.mapping.case_ids == "keep" or "case_id" not in clean.columns:
        return clean
    source_ids = clean["case_id"].drop_nulls().unique().sort().to_list()
    if night.mapping.case_ids == "keyed":
        ids = keyed_ids(night.settings, source_ids)
    else:
        ids = random_ids(crosswalk_path(night.places, night.settings), source_ids)
    return clean.with_columns(
        pl.col("case_id").replace_strict(ids, default=None, return_dtype=pl.String)
    )


def _with_days(night: Night, clean: pl.DataFrame, file: FileMapping, file_id: str) -> pl.DataFrame:
    """Turn dates, and days on the practice's clock, into days within the case."""
    if "time" not in clean.columns:
        return clean
    if file.time.unit == "date":
        clean = _dates_as_practice_days(night, clean, file, file_id)
    elif file.time.origin == "case" or file.time.unit == "session":
        return clean
    known = night.frame(
        "select case_id, min(practice_day - day) as known_start from "
        "(select case_id, practice_day, day from scores union all "
        "select case_id, practice_day, day from sessions) group by case_id"
    ).drop_nulls()
    whole = pl.col("time").str.contains(_WHOLE)
    practice_day = pl.when(whole).then(pl.col("time")).cast(pl.Float64).cast(pl.Int64)
    dated = clean.with_columns(moment=practice_day).join(known, on="case_id", how="left")
    start = pl.coalesce("known_start", pl.col("moment").min().over("case_id"))
    return dated.with_columns(
        time=pl.when(whole).then((pl.col("moment") - start).cast(pl.String)).otherwise("time"),
        practice_day=pl.col("moment").cast(pl.String),
    ).drop("moment", "known_start")


def _dates_as_practice_days(
    night: Night, clean: pl.DataFrame, file: FileMapping, file_id: str
) -> pl.DataFrame:
    parsed = clean.with_columns(
        parsed=pl.col("time").str.to_date(file.time.format, strict=False, exact=True)
    )
    bad = parsed.filter(pl.col("parsed").is_null())
    night.insert(
        "staging.rejects",
        bad.select(
            "line",
            file_id=pl.lit(file_id),
            rule_id=pl.when(pl.col("time").is_null())
            .then(pl.lit("time_missing"))
            .otherwise(pl.lit("date_format")),
            column_name=pl.lit(file.columns["time"]),
            severity=pl.lit("row"),
            cell=pl.coalesce("measure", pl.lit("")) if file.values else pl.lit("*"),
        ),
    )
    good = parsed.filter(pl.col("parsed").is_not_null())
    earliest = good["parsed"].min()
    if earliest is None:
        return good.drop("parsed")
    start = practice_start(crosswalk_path(night.places, night.settings), earliest)  # type: ignore[arg-type] # polars types min() loosely
    days = (pl.col("parsed") - pl.lit(start)).dt.total_days()
    return good.with_columns(time=days.cast(pl.String)).drop("parsed")
