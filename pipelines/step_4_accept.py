"""Step 4, accept: good rows become versions, and what is in force changes where they say so.

In: `staging.good_TABLE`, `staging.rejects`. Out: `files`, `quarantine`, `TABLE_versions`, the
current tables, and `touched` (one row a case whose judgement must be renewed).
The identity landed = accepted + duplicate + superseded + quarantined + withdrawn is checked here,
by file, for all files ever landed.
"""

from __future__ import annotations

from data_contracts.contract import Table, quoted
from data_contracts.errors import AccountingError
from data_contracts.tables import incoming, sent_columns, versions_of
from data_contracts.tables_incoming import INCOMING
from pipelines.night import Counts, Night
from pipelines.sql import statement

_STEM = "step_4_accept"

# A score in force: the mean of the different values one file gave, counted; and the mean of those
# taken at a session where only some were (the baseline prefers them). Decimal sums are exact, so
# the order of rows does not matter.
_CURRENT_SCORE = """
    case_id, measure_id, subscale, rater, clock, "at",
    sum(value::decimal(18, 6))::double / count(*) as value,
    count(distinct value) as value_count,
    case when count(session) between 1 and count(*) - 1
        then (sum(value::decimal(18, 6)) filter (session is not null))::double / count(session)
    end as value_at_session,
    max(session) as session, max(day) as day, max(practice_day) as practice_day"""


def accept(night: Night) -> Counts:
    """Take good rows in, file by file, in the order of the mapping.

    Raises
    ------
    AccountingError
        If the rows of any file do not add up.
    """
    night.run("create or replace temp table touched (case_id text)")
    night.run("create or replace temp table contradictions as from staging.rejects limit 0")
    night.run(statement(_STEM, "set_aside"))
    before = _version_states(night)
    landed = 0
    for number, state in night.rows(
        "select number, state from staging.staged_files order by number"
    ):
        landed += _accept_file(night, number, refused=state == "refused")
    if night.rebuild:
        _rebuild_current(night)
    night.run(statement(_STEM, "forget_derived_cases"))
    night.run(statement(_STEM, "derive_cases"), site=night.mapping.site)
    night.run("create or replace temp table touched as select distinct case_id from touched")
    _check_accounts(night)
    after = _version_states(night)
    return Counts(
        rows_in=landed,
        rows_out=sum(after.values()) - sum(before.values()),
        duplicate=_of_this_run(night, "duplicate"),
        superseded=after.get("superseded", 0) - before.get("superseded", 0),
        quarantined=_of_this_run(night, "quarantined"),
        withdrawn=after.get("withdrawn", 0) - before.get("withdrawn", 0),
    )


def _names(table: Table) -> dict[str, str]:
    columns = [quoted(column.name) for column in sent_columns(table)]
    key = ", ".join(quoted(name) for name in table.key)

    def text(last: str) -> str:
        parts = ", ".join(f"coalesce({name}::text, '')" for name in columns)
        return f"concat_ws(chr(31), {parts}, {last})"

    is_scores = table.name == "scores"
    return {
        "table": table.name,
        "versions": versions_of(table).name,
        "key": key,
        "columns": ", ".join(columns),
        "contradiction": (
            "bool_or(is_withdrawn) and not bool_and(is_withdrawn)" if is_scores else "count(*) > 1"
        ),
        "cell": "concat_ws('/', good_rows.measure_id, good_rows.subscale, good_rows.rater)"
        if is_scores
        else "'*'",
        "row_text": text("is_withdrawn::text"),
        "version_text": text("(state = 'withdrawn')::text"),
        "current": _CURRENT_SCORE if is_scores else ", ".join(columns),
        "grouping": f"group by {key}" if is_scores else "",
    }


def _accept_file(night: Night, number: int, *, refused: bool) -> int:
    file_id, table_name, landed = night.rows(
        "select file_id, table_name, (lines - header_lines - blank_lines) * value_columns "
        "from staging.staged_files where number = $number",
        number=number,
    )[0]
    table = incoming(table_name)
    position = 1 + night.number("select max(position) from files")
    good = duplicate = 0
    if not refused:
        good, duplicate = _accept_rows(night, table, file_id, position)
        _take_back_outdated(night, table, number)
    quarantined = landed if refused else _quarantined(night, file_id)
    if not refused and landed != good + quarantined:
        message = (
            f"{landed} rows landed, {good} passed and {quarantined} were set aside in one file of "
            f"{table_name}: they must add up. Nothing was published; please report this"
        )
        raise AccountingError(message)
    night.run(
        "insert into files by name select file_id, content_id, $position as position, path, "
        "table_name, "
        "lines, header_lines, blank_lines, $landed as landed, $duplicate as duplicate, "
        "$quarantined as quarantined, "
        "case state when 'refused' then 'refused' else 'accepted' end as state, "
        "nullif(reason, '') as reason, $run_id as run_id "
        "from staging.staged_files where number = $number",
        position=position,
        landed=landed,
        duplicate=duplicate,
        quarantined=quarantined,
        run_id=night.run_id,
        number=number,
    )
    _write_quarantine(night, number, file_id, refused=refused)
    return int(landed)


def _accept_rows(night: Night, table: Table, file_id: str, position: int) -> tuple[int, int]:
    """Return (rows that passed validation and are not contradicting, of them duplicates)."""
    names = _names(table)

    def run(name: str, **parameters: object) -> None:
        night.run(statement(_STEM, name, **names), **parameters)

    passed = night.number(
        f"select count(*) from staging.good_{table.name} where file_id = $file_id",
        file_id=file_id,
    )
    run("distinct_rows", file_id=file_id)
    run("contradicting_keys")
    run("set_contradictions_aside", file_id=file_id)
    run("file_keys")
    run("changed_keys")
    run("supersede")
    run("append", file_id=file_id, position=position, run_id=night.run_id)
    if "case_id" in table.key:
        run("touch")
    run("forget_current")
    run("renew_current")
    contradicting = night.number(
        "select count(*) from contradictions where file_id = $file_id",
        file_id=file_id,
    )
    appended = night.number(
        f"select count(*) from {names['versions']} where file_id = $file_id",
        file_id=file_id,
    )
    good = passed - contradicting
    return good, good - appended


def _take_back_outdated(night: Night, table: Table, number: int) -> None:
    """Supersede what an earlier mapping read out of the same content under other keys."""
    for outdated, table_name in night.rows(statement(_STEM, "outdated_readings"), number=number):
        earlier = incoming(table_name)
        names = _names(earlier)
        if earlier != table:  # nothing of the new reading stands in that table
            night.run(
                "create or replace temp table file_keys as "
                f"select {names['key']} from {names['versions']} limit 0"
            )
        night.run(statement(_STEM, "keys_said_by_mistake", **names), outdated=outdated)
        night.run(statement(_STEM, "take_back", **names), outdated=outdated)
        if "case_id" in earlier.key:
            night.run(statement(_STEM, "touch", **names))
        night.run(statement(_STEM, "forget_current", **names))
        night.run(statement(_STEM, "renew_current", **names))


def _quarantined(night: Night, file_id: str) -> int:
    """Count rows set aside; a whole line of a wide file stands for all its value columns."""
    return night.number(
        "select sum(case when whole_line then value_columns else cells end) from ("
        "select line, bool_or(cell = '*') as whole_line, count(distinct cell) as cells "
        "from set_aside where file_id = $file_id group by line), "
        "(select value_columns from staging.staged_files where file_id = $file_id)",
        file_id=file_id,
    )


def _write_quarantine(night: Night, number: int, file_id: str, *, refused: bool) -> None:
    if refused:
        night.run(
            "insert into quarantine by name select file_id, 0 as line, rule_id, column_name, "
            "'file' as severity, $run_id as run_id "
            "from staging.staged_files where number = $number",
            number=number,
            run_id=night.run_id,
        )
        return
    night.run(
        "insert into quarantine by name select distinct file_id, line, rule_id, column_name, "
        "severity, $run_id as run_id from set_aside where file_id = $file_id",
        file_id=file_id,
        run_id=night.run_id,
    )


def _rebuild_current(night: Night) -> None:
    """Make the current tables anew from the versions; touch every case."""
    for table in INCOMING:
        names = _names(table)
        night.run(
            f"create or replace temp table changed_keys as "
            f"select distinct {names['key']} from {names['versions']}"
        )
        night.run(f"delete from {table.name}")
        night.run(statement(_STEM, "renew_current", **names))
        if "case_id" in table.key:
            night.run(statement(_STEM, "touch", **names))


def _version_states(night: Night) -> dict[str, int]:
    union = " union all ".join(
        f"select state, count(*) as row_count from {versions_of(table).name} group by state"
        for table in INCOMING
    )
    return dict(night.rows(f"select state, sum(row_count)::bigint from ({union}) group by state"))


def _of_this_run(night: Night, column: str) -> int:
    return night.number(
        f"select sum({column}) from files where run_id = $run_id",
        run_id=night.run_id,
    )


def _check_accounts(night: Night) -> None:
    counts = " union all ".join(
        f"select file_id, count(*) as row_count from {versions_of(table).name} group by file_id"
        for table in INCOMING
    )
    wrong = night.rows(statement(_STEM, "wrong_accounts", version_counts=counts))
    if wrong:
        path, landed, accounted = wrong[0]
        message = (
            f"rows of {path} do not add up: {landed} landed, {accounted} accounted for. "
            "Nothing was published; please report this"
        )
        raise AccountingError(message)
