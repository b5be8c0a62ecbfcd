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
union all
-- no outcome score yet, but perhaps an alliance or safety flag
select
    published_cases.case_id,
    'cannot_judge' as status,
    'no_score' as code,
    '' as tags,
    null as measure,
    null as since_occasion,
    null as since_day,
    null as last_day,
    'cannot_judge' as last_status,
    null as occasion,
    null as case_occasion,
    published_cases.is_open,
    (select arg_max(rule_version, run_id) from published_runs) as rule_version
from published_cases
anti join (select case_id from published_current_statuses where measure_id = 'case') as judged
    using (case_id)
order by case_id

-- name: queue_order
select case_id, position
from published_queue

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
    last_known.rule_version
from last_known
inner join began using (case_id, spell)
inner join measure_known
    on
        last_known.case_id = measure_known.case_id
        and last_known.decided_by = measure_known.measure_id
union all
select distinct
    published_course_points.case_id,
    'cannot_judge' as status,
    'no_score' as code,
    '' as tags,
    null as measure,
    null as since_occasion,
    null as since_day,
    null as last_day,
    'cannot_judge' as last_status,
    null as occasion,
    null as case_occasion,
    (select arg_max(rule_version, run_id) from published_runs) as rule_version
from published_course_points
anti join last_known using (case_id)
where coalesce(published_course_points.day, published_course_points."at") <= $day
order by case_id

-- name: open_flags
select
    case_id, kind, measure_id, opened_occasion, opened_day,
    null::bigint as said_occasion
from published_flags
semi join (select case_id from published_cases where is_open) using (case_id)
where closed_run_id is null

-- name: flags_at_day
-- Flags open on a day, from what was known on it: whether care went on afterwards is not asked,
-- but a course of care is over once the next one of the client (C-1~2) has begun.
with

judged as (
    -- where the measure that decides had grown stale nobody looked: the flag stayed as it was
    select
        *,
        coalesce(
            status != lag(status) over (partition by case_id order by occasion), true
        ) as starts
    from published_statuses
    where measure_id = 'case' and code != 'stale' and coalesce(day, "at") <= $day
),

spells as (
    select
        *,
        sum(starts::int) over (partition by case_id order by occasion) as spell
    from judged
),

of_status as (
    select
        case_id,
        any_value(status) as kind,
        arg_max(decided_by, occasion) as measure_id,
        min(occasion) as opened_occasion,
        arg_min(day, occasion) as opened_day
    from spells
    group by case_id, spell
    qualify row_number() over (partition by case_id order by spell desc) = 1
),

moments as (
    select case_id, measure_id, occasion, coalesce(day, "at") as moment
    from published_alliance_points
    union all
    select
        points.case_id,
        points.measure_id || '/' || points.subscale as measure_id,
        row_number() over (
            partition by points.case_id, points.measure_id, points.subscale
            order by coalesce(points.day, points."at"), points."at"
        ) - 1 as occasion,
        coalesce(points.day, points."at") as moment
    from published_course_points as points
    semi join (select * from published_measures where is_safety) as items
        using (measure_id, subscale)
),

of_events as (
    select flags.case_id, flags.kind, flags.measure_id, flags.opened_occasion, flags.opened_day
    from published_flags as flags
    -- one that a correction took away has no sentence
    semi join published_reasons as said
        on
            flags.case_id = said.case_id
            and flags.measure_id = said.measure_id
            and flags.opened_occasion = said.occasion
            and flags.kind = said.code
    inner join moments as opened
        on
            flags.case_id = opened.case_id
            and flags.measure_id = opened.measure_id
            and flags.opened_occasion = opened.occasion
    left join moments as closed
        on
            flags.case_id = closed.case_id
            and flags.measure_id = closed.measure_id
            and flags.closed_occasion = closed.occasion
    where opened.moment <= $day and coalesce(closed.moment > $day, true)
),

last_courses as (
    select case_id
    from published_course_points
    where coalesce(day, "at") <= $day
    qualify row_number() over (
        partition by split_part(case_id, '~', 1)
        order by coalesce(try_cast(split_part(case_id, '~', 2) as integer), 1) desc
    ) = 1
)

select *, null::bigint as said_occasion
from of_status
semi join last_courses using (case_id)
where kind in ('stuck', 'deteriorating')
union all
select *, opened_occasion as said_occasion
from of_events
semi join last_courses using (case_id)

-- name: points
-- First score, last score and gain of every case and measure at the occasion asked for.
select
    points.case_id,
    points.measure_id,
    points.occasion,
    points.baseline,
    points.value,
    points.gain
from published_course_points as points
semi join published_measures using (measure_id, subscale, rater)
where points.subscale = 'total' and points.occasion >= 0

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
qualify
    row_number() over (partition by case_id, measure_id order by run_id desc) = 1
    and code != 'withdrawn'

-- name: shown_by_date
select *
from published_shown
where shown_at::date <= $date
qualify
    row_number() over (partition by case_id, measure_id order by run_id desc) = 1
    and code != 'withdrawn'

-- name: flag_history
select case_id, kind, measure_id, opened_occasion, opened_day, opened_run_id, closed_run_id
from published_flags
order by case_id, kind, opened_occasion
