-- What `unstuck flags` and `unstuck explain` read. In: a published cases snapshot. Grain: below.

-- name: cases_now
-- One row a case: where it stands in the published state.
select
    standing.case_id,
    standing.status,
    standing.code,
    standing.tags,
    standing.decided_by as measure,
    standing.since_occasion,
    standing.since_day,
    standing.last_day,
    standing.last_status,
    measure_standing.occasion,
    standing.occasion as case_occasion,
    standing.is_open,
    standing.rule_version
from published_current_statuses as standing
left join published_current_statuses as measure_standing
    on
        standing.case_id = measure_standing.case_id
        and standing.decided_by = measure_standing.measure_id
where standing.measure_id = 'case'
order by standing.case_id

-- name: cases_at_day
-- One row a case: what the rule says with its data up to a day.
with

known as (
    select *
    from published_statuses
    where coalesce(day, "at") <= $day
),

spells as (
    select
        *,
        coalesce(
            status != lag(status) over (partition by case_id order by occasion), true
        ) as starts
    from known
    where measure_id = 'case'
),

numbered as (
    select
        *,
        sum(starts::int) over (partition by case_id order by occasion) as spell
    from spells
),

began as (
    select case_id, spell, min(occasion) as since_occasion, arg_min(day, occasion) as since_day
    from numbered
    group by case_id, spell
),

last_known as (
    select *
    from numbered
    qualify row_number() over (partition by case_id order by occasion desc) = 1
),

measure_known as (
    select case_id, measure_id, max(occasion) as occasion
    from known
    group by case_id, measure_id
)

select
    last_known.case_id,
    last_known.status,
    last_known.code,
    last_known.tags,
    last_known.decided_by as measure,
    began.since_occasion,
    began.since_day,
    last_known.day as last_day,
    last_known.status as last_status,
    measure_known.occasion,
    last_known.occasion as case_occasion,
    true as is_open,
    last_known.rule_version
from last_known
inner join began using (case_id, spell)
inner join measure_known
    on
        last_known.case_id = measure_known.case_id
        and last_known.decided_by = measure_known.measure_id
order by last_known.case_id

-- name: open_flags
select case_id, kind, measure_id, opened_occasion, opened_day
from published_flags
semi join (select case_id from published_cases where is_open) using (case_id)
where closed_run_id is null

-- name: flags_at_day
-- Alliance and safety flags open on a day; stuck and deteriorating follow from the status.
select case_id, kind, measure_id, opened_occasion, opened_day
from published_flags
where
    kind not in ('stuck', 'deteriorating')
    and opened_day <= $day
    and (closed_day > $day or (closed_day is null and closed_run_id is null))

-- name: points
-- First score, last score and gain of every case and measure at the occasion asked for.
select case_id, measure_id, occasion, baseline, value, gain
from published_course_points
where subscale = 'total' and occasion >= 0

-- name: reasons
select case_id, measure_id, occasion, position, code, sentence
from published_reasons
order by case_id, measure_id, occasion, position

-- name: therapists
select case_id, therapist_id from published_cases

-- name: verified
select
    case when subscale = 'total' then measure_id else measure_id || '/' || subscale end
        as measure_id,
    is_verified
from published_measures

-- name: shown_by_run_day
select *
from published_shown
where as_of <= $day
qualify row_number() over (partition by case_id, measure_id order by run_id desc) = 1

-- name: shown_by_date
select *
from published_shown
where shown_at::date <= $date
qualify row_number() over (partition by case_id, measure_id order by run_id desc) = 1
