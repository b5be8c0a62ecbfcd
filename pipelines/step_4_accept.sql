-- Step 4, accept. In: staging.good_TABLE, TABLE_versions. Out: TABLE_versions (append-only),
-- TABLE (what is in force), touched. Grain: one row a landed row; key and columns by contract.
-- Rule: identical rows count once; a later file replaces the rows of a key; absence deletes nothing.

-- name: distinct_rows
create or replace temp table distinct_rows as
select
    min(line) as line,
    count(*) as copies,
    {columns},
    is_withdrawn
from staging.good_{table}
where file_id = $file_id
group by {columns}, is_withdrawn

-- name: contradicting_keys
-- Rows of one file that cannot both be true. Scores may differ (they are averaged and counted),
-- but not be sent and withdrawn at once.
create or replace temp table contradicting_keys as
select {key}
from distinct_rows
group by {key}
having {contradiction}

-- name: set_aside
-- Everything set aside, before this step and in it.
create or replace temp view set_aside as
select * from staging.rejects
union all by name
select * from contradictions

-- name: set_contradictions_aside
-- (A transaction may write to one database only, and staging is another one.)
insert into contradictions by name
select
    $file_id as file_id,
    good_rows.line,
    'contradicting_rows' as rule_id,
    '' as column_name,
    {cell} as cell,
    'row' as severity
from staging.good_{table} as good_rows
semi join contradicting_keys using ({key})
where good_rows.file_id = $file_id

-- name: file_keys
-- What this file says of each key, as one text to compare: how many rows, and the sum of their
-- hashes (64 bits each), so that their order does not matter.
create or replace temp table file_keys as
select
    {key},
    count(*) || ':' || sum(hash(row_text)::hugeint) as content
from (
    select {key}, {row_text} as row_text
    from distinct_rows
    anti join contradicting_keys using ({key})
)
group by {key}

-- name: changed_keys
create or replace temp table changed_keys as
with

in_force as (
    select
        {key},
        count(*) || ':' || sum(hash(row_text)::hugeint) as content
    from (
        select {key}, {version_text} as row_text
        from {versions}
        semi join file_keys using ({key})
        where state in ('accepted', 'withdrawn')
    )
    group by {key}
)

select {key}
from file_keys
left join in_force using ({key})
where in_force.content is distinct from file_keys.content

-- name: supersede
update {versions}
set state = 'superseded'
where
    state in ('accepted', 'withdrawn')
    and ({key}) in (select ({key}) from changed_keys)

-- name: append
insert into {versions} by name
select
    $file_id as file_id,
    distinct_rows.line,
    $position as position,
    {columns},
    $run_id as received_run_id,
    case when is_withdrawn then 'withdrawn' else 'accepted' end as state
from distinct_rows
semi join changed_keys using ({key})

-- name: outdated_readings
-- Earlier readings of the same content of the same path that no entry of the mapping makes any
-- more: the mapping (or a measure) was mended, and what it said by mistake must not stay in force.
select files.file_id, files.table_name
from files
inner join staging.staged_files as staged using (path, content_id)
where
    staged.number = $number
    and files.file_id != staged.file_id
    and split_part(files.file_id, '.', 1) not in (select file_id from staging.current_files)

-- name: keys_said_by_mistake
create or replace temp table changed_keys as
select distinct {key}
from {versions}
anti join file_keys using ({key})
where file_id = $outdated and state in ('accepted', 'withdrawn')

-- name: take_back
update {versions}
set state = 'superseded'
where
    file_id = $outdated
    and state in ('accepted', 'withdrawn')
    and ({key}) in (select ({key}) from changed_keys)

-- name: touch
insert into touched
select distinct case_id
from changed_keys

-- name: forget_current
delete from {table}
where ({key}) in (select ({key}) from changed_keys)

-- name: renew_current
insert into {table} by name
select {current}
from {versions}
semi join changed_keys using ({key})
where state = 'accepted'
{grouping}

-- name: forget_derived_cases
-- A case that was made up from its scores goes when they are withdrawn; one that was sent stays.
delete from cases
where
    case_id in (select case_id from touched)
    and case_id not in (select case_id from case_versions where state = 'accepted')

-- name: derive_cases
-- A case with scores or sessions and no row of its own is open, with everything else unknown.
insert into cases by name
select distinct
    case_id,
    nullif($site, '') as site_id
from (
    select case_id from scores
    semi join touched using (case_id)
    union
    select case_id from sessions
    semi join touched using (case_id)
)
anti join cases using (case_id)

-- name: wrong_accounts
with

counted as (
    {version_counts}
)

select
    files.path,
    files.landed,
    coalesce(sum(counted.row_count), 0) + files.duplicate + files.quarantined as accounted
from files
left join counted using (file_id)
group by files.file_id, files.path, files.landed, files.duplicate, files.quarantined
having landed != accounted
