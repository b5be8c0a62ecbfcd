"""Step 2, de-identify: refuse files that identify people, keep mapped columns, replace ids.

In: the text tables of step 1. Out: one table `staging.clean_N` a file, still text, in our column
names, with `line`; dates have become days. A refused file goes no further than memory.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from data_contracts.errors import ContractError
from data_contracts.mapping import FileMapping
from pipelines.identifiers import Identifying, by_content, by_name
from pipelines.night import Counts, Night
from pipelines.pseudonyms import crosswalk_path, keyed_ids, practice_start, random_ids
from pipelines.reading_files import LINE, in_days, spelled_number

# Columns the mapping sends to numbers or truths: their strict patterns guard them better.
_NUMERIC = {"value", "session", "day", "practice_day", "practice_day_start", "referral_day",
            "end_day", "planned_sessions", "attended", "assigned", "done_percent", "quality",
            "is_agreed", "withdrawn", "measure", "subscale", "rater"}  # fmt: skip
_WHOLE = r"^[+-]?\d{1,9}(?:[.,]0+)?$"
# A date outside this range is a slip of the pen, and one in the future would make every case look
# unseen for years (the run's day is the last one in the data). One day for time zones. Chosen.
_OLDEST_DATE_DAYS = 50 * 366


def deidentify(night: Night) -> Counts:
    """Let only de-identified files through, in our names."""
    staged = night.rows(
        "select number, file_id, entry from staging.staged_files "
        "where state = 'staged' order by number"
    )
    passed: dict[int, tuple[pl.DataFrame, FileMapping, str]] = {}
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
        passed[number] = (clean, file, file_id)
    _replace_practice_days(night, passed)
    for number, (clean, file, _) in passed.items():
        if file.table != "scores" and "time" in clean.columns:
            clean = clean.rename({"time": "day"})
        night.connection.register("clean_rows", clean.to_arrow())
        night.run(f"create table staging.clean_{number} as select * from clean_rows")
        night.connection.unregister("clean_rows")
    rows_out = sum(clean.height for clean, _, _ in passed.values())
    refused = "select count(*) from staging.staged_files where state = 'refused'"
    return Counts(rows_in=len(staged), rows_out=rows_out, quarantined=night.number(refused))


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
    _refuse_ids_already_kept(night, source_ids)
    if night.mapping.case_ids == "keyed":
        ids = keyed_ids(night.places, night.settings, source_ids)
    else:
        ids = random_ids(crosswalk_path(night.places, night.settings), source_ids)
    return clean.with_columns(
        pl.col("case_id").replace_strict(ids, default=None, return_dtype=pl.String)
    )


def _refuse_ids_already_kept(night: Night, source_ids: list[str]) -> None:
    """Stop where ids to be replaced were taken in as they are by an earlier night.

    Raises
    ------
    ContractError
        The home would keep them, and every case would be there twice.
    """
    kept = night.number(
        "select count(*) from cases where list_contains($source_ids, case_id)",
        source_ids=source_ids,
    )
    if kept:
        message = (
            f"the mapping replaces case ids, but {kept} of them are in this home as they were "
            'sent (an earlier mapping said case_ids = "keep"): start a new home, and delete this '
            "one. Nothing was changed"
        )
        raise ContractError(message)


def _replace_practice_days(
    night: Night, passed: dict[int, tuple[pl.DataFrame, FileMapping, str]]
) -> None:
    """Turn dates, and days on the practice's clock, into days within the case, in place.

    All files of one night share a case's day 0: the one it has already, else the one sent with the
    cases or sessions, else the first moment in the first file that has one.
    """
    clocked = [
        number
        for number, (clean, file, _) in passed.items()
        if "time" in clean.columns
        and (file.time.unit == "date" or file.time.origin == "practice")
        and file.time.unit != "session"
    ]
    if not clocked:
        return
    starts = _add_starts(_known_starts(night), *(clean for clean, _, _ in passed.values()))
    for number in clocked:
        clean, file, file_id = passed[number]
        if file.time.unit == "date":
            dated = _dates_as_practice_days(night, clean, file, file_id)
        else:
            moment = in_days(spelled_number("time", file.decimal), file.time.unit)
            dated = clean.with_columns(
                moment=pl.when(moment == moment.round()).then(moment).cast(pl.Int64)
            )
        first = dated.group_by("case_id").agg(start=pl.col("moment").min())
        starts = _new_starts(starts, first)
        clean = (
            dated.join(starts, on="case_id", how="left", maintain_order="left")
            .with_columns(
                time=pl.coalesce(
                    (pl.col("moment") - pl.col("start")).cast(pl.String),
                    pl.when(pl.col("moment").is_not_null()).then(pl.lit("0")),  # no case: set aside
                    "time",
                ),
                practice_day=pl.col("moment").cast(pl.String),
            )
            .drop("moment", "start")
        )
        passed[number] = (clean, file, file_id)


def _known_starts(night: Night) -> pl.DataFrame:
    """Return `case_id, start`: the practice day of day 0 of each case in the warehouse."""
    landed = night.frame(
        "select case_id, min(practice_day - day) as start from "
        "(select case_id, practice_day, day from scores union all "
        "select case_id, practice_day, day from sessions) group by case_id"
    )
    sent = night.frame("select case_id, practice_day_start as start from cases")
    return _new_starts(landed.drop_nulls(), sent)


def _add_starts(starts: pl.DataFrame, *tables: pl.DataFrame) -> pl.DataFrame:
    """Add the days 0 that tonight's tables tell: as such, or as a day on both clocks."""

    def whole(name: str) -> pl.Expr:
        digits = pl.col(name).str.replace(r"[.,]0+$", "")
        return pl.when(pl.col(name).str.contains(_WHOLE)).then(digits).cast(pl.Float64)

    for table in tables:
        if {"case_id", "practice_day_start"} <= set(table.columns):
            told = whole("practice_day_start")
        elif {"case_id", "practice_day", "day"} <= set(table.columns):
            told = whole("practice_day") - whole("day")
        else:
            continue
        starts = _new_starts(starts, table.group_by("case_id").agg(start=told.min().cast(pl.Int64)))
    return starts


def _new_starts(starts: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([starts, more.drop_nulls().join(starts, on="case_id", how="anti")])


def _dates_as_practice_days(
    night: Night, clean: pl.DataFrame, file: FileMapping, file_id: str
) -> pl.DataFrame:
    """Add `moment`, the practice day; set aside what is no date, or a date of another age."""
    parsed = clean.with_columns(
        parsed=pl.col("time").str.to_date(file.time.format, strict=False, exact=True)
    )
    night_date = night.started_at.date()
    is_plausible = pl.col("parsed").is_between(
        night_date - timedelta(days=_OLDEST_DATE_DAYS), night_date + timedelta(days=1)
    )
    bad = parsed.filter(~is_plausible.fill_null(value=False))
    night.insert(
        "staging.rejects",
        bad.select(
            "line",
            file_id=pl.lit(file_id),
            rule_id=pl.when(pl.col("time").is_null())
            .then(pl.lit("time_missing"))
            .when(pl.col("parsed").is_null())
            .then(pl.lit("date_format"))
            .otherwise(pl.lit("date_out_of_range")),
            column_name=pl.lit(file.columns["time"]),
            severity=pl.lit("row"),
            cell=pl.coalesce("measure", pl.lit("")) if file.values else pl.lit("*"),
        ),
    )
    good = parsed.filter(is_plausible)
    earliest = good["parsed"].min()
    if earliest is None:
        return good.drop("parsed").with_columns(moment=pl.lit(None, dtype=pl.Int64))
    start = practice_start(crosswalk_path(night.places, night.settings), earliest)  # type: ignore[arg-type] # polars types min() loosely
    days = (pl.col("parsed") - pl.lit(start)).dt.total_days()
    return good.with_columns(moment=days).drop("parsed")
