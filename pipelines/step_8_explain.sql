-- Step 8, explain. In: statuses, course_points, flags, alliance_points, current_statuses; candidates
-- and needs (step_8_need.sql).
-- Out: reasons; the queue (published_queue), one row an open case worth talking about.

-- name: judged
-- Statuses of the touched cases with the numbers behind them.
select
    statuses.case_id,
    statuses.measure_id,
    statuses.occasion,
    statuses.status,
    statuses.code,
    statuses.tags,
    course_points.session,
    course_points.day,
    course_points.days,
    course_points.sessions_attended,
    course_points.value,
    course_points.baseline,
    course_points.gain,
    course_points.level_gain,
    course_points.is_pair,
    course_points.expected,
    cases.planned_sessions
from statuses
semi join touched_courses using (case_id)
inner join course_points using (case_id, measure_id, occasion)
inner join measure_facts
    on
        course_points.measure_id = measure_facts.measure_id
        and course_points.subscale = measure_facts.subscale
        and course_points.rater = measure_facts.rater
inner join courses using (case_id)
left join cases on courses.source_case_id = cases.case_id
where course_points.subscale = 'total'
order by statuses.case_id, statuses.measure_id, statuses.occasion

-- name: touched_statuses
select
    statuses.case_id, statuses.measure_id, statuses.occasion,
    statuses."at", statuses.day, statuses.status, statuses.code
from statuses
semi join touched_courses using (case_id)

-- name: alliance_flagged
-- Where a flag's sentence is wanted: where it began, and at the last rating while it is open.
select distinct
    flags.case_id,
    flags.measure_id,
    flags.kind,
    unnest(list_distinct([
        flags.opened_occasion,
        case when flags.closed_run_id is null then last_ratings.occasion
        else flags.opened_occasion end
    ])) as occasion
from flags
semi join flag_episodes using (flag_id)  -- not what a correction took away
semi join touched_courses using (case_id)
inner join (
    select case_id, measure_id, max(occasion) as occasion
    from alliance_points
    group by all
) as last_ratings using (case_id, measure_id)
where flags.kind like 'alliance%'

-- name: safety_flagged
with

answers as (
    select
        course_points.case_id,
        course_points.measure_id || '/' || course_points.subscale as measure_id,
        row_number() over series - 1 as occasion,
        course_points.value,
        lag(course_points.value) over series as before
    from course_points
    semi join touched_courses using (case_id)
    semi join safety_subscales using (measure_id, subscale)
    window series as (
        partition by course_points.case_id, course_points.measure_id, course_points.subscale
        order by coalesce(course_points.day, course_points."at"), course_points."at"
    )
),

wanted as (
    select
        flags.case_id,
        flags.measure_id,
        unnest(list_distinct([
            flags.opened_occasion,
            case when flags.closed_run_id is null then last_answers.occasion
            else flags.opened_occasion end
        ])) as occasion
    from flags
    semi join flag_episodes using (flag_id)
    inner join (
        select case_id, measure_id, max(occasion) as occasion
        from answers
        group by all
    ) as last_answers using (case_id, measure_id)
    where flags.kind = 'safety'
)

select answers.*
from answers
semi join wanted using (case_id, measure_id, occasion)

-- name: stale
-- (What grew stale is the measure that decides; others may have been filled in since.)
select
    standing.case_id,
    standing.measure_id,
    standing.occasion,
    standing.decided_by,
    coalesce(decisive.occasion, standing.occasion) as last_occasion,
    case when decisive.case_id is null then standing.last_day else decisive.last_day end
        as last_day,
    case
        when standing.last_status != 'cannot_judge' then standing.last_status
        else coalesce(decisive.last_status, standing.last_status)
    end as last_status
from current_statuses as standing
left join current_statuses as decisive
    on
        standing.case_id = decisive.case_id
        and standing.decided_by = decisive.measure_id
where standing.code = 'stale'

-- name: queue
-- Rule: one row an open case; the worst kind of its open flags leads.
-- Order: safety items, then need (models/need.py), then the level gain in units of clear change, then
-- who has waited longest.
create or replace temp table published_queue as
with

leader as (
    select
        *,
        string_agg(kind, ',') over (
            partition by case_id order by kind_place
            rows between unbounded preceding and unbounded following
        ) as kinds
    from candidates
    qualify row_number() over (
        partition by case_id order by kind_place, opened_day, measure_id
    ) = 1
),

standing as (
    select * from current_statuses
    where measure_id = 'case'
),

headlines as (
    -- what leads says why: the flag's own sentence, else the sentence of the status
    select
        leader.case_id,
        reasons.sentence
    from leader
    left join standing using (case_id)
    inner join reasons
        on
            leader.case_id = reasons.case_id
            and case
                when leader.kind = 'safety' or leader.kind like 'alliance%'
                    then reasons.measure_id = leader.measure_id
                else reasons.measure_id in ('case', standing.decided_by)
            end
    where
        reasons.position < 8
        and (
            leader.kind not like 'alliance%' or reasons.code = leader.kind
        )
    qualify row_number() over (
        partition by leader.case_id
        order by
            case when reasons.measure_id = 'case' and reasons.occasion < standing.occasion
                then 1 else 0 end,
            case when reasons.measure_id = 'case' then 0 else 1 end,
            reasons.occasion desc,
            reasons.position
    ) = 1
),

others as (
    select
        leader.case_id,
        string_agg(measure_names.name || ': ' || status_words.words, ' · '
            order by measure_names.name) as also_says
    from leader
    inner join standing using (case_id)
    inner join current_statuses as other
        on
            leader.case_id = other.case_id
            and other.measure_id not in ('case', standing.decided_by)
    inner join measure_names on other.measure_id = measure_names.measure_id
    inner join status_words on other.status = status_words.status
    group by leader.case_id
),

judged_points as (
    -- totals by the rater the status rule listens to
    select course_points.*
    from course_points
    semi join measure_facts using (measure_id, subscale, rater)
    where course_points.subscale = 'total'
),

sparks as (
    select
        leader.case_id,
        to_json(list(judged_points.value order by judged_points.occasion))::text as sparkline
    from leader
    left join standing using (case_id)
    inner join judged_points
        on
            leader.case_id = judged_points.case_id
            and judged_points.measure_id = coalesce(standing.decided_by, leader.measure_id)
            and judged_points.occasion >= 0
    group by leader.case_id
),

recalled as (
    -- some number behind the flag that leads was never read in a source
    select distinct leader.case_id
    from leader
    left join standing using (case_id)
    inner join reasons
        on
            leader.case_id = reasons.case_id
            and (
                reasons.code = 'unverified_' || leader.kind
                or (
                    reasons.code = 'unverified'
                    and reasons.measure_id = standing.decided_by
                    and leader.kind in ('stuck', 'deteriorating')
                )
            )
),

opened_sessions as (
    select
        leader.case_id,
        max(course_points.session) as since_session
    from leader
    inner join course_points using (case_id)
    where course_points.day = leader.opened_day
    group by leader.case_id
)

select
    row_number() over (
        order by
            leader.kind = 'safety' desc,
            needs.need desc,
            needs.gain_in_changes nulls last,
            leader.opened_day nulls last,
            leader.case_id
    ) as position,
    leader.case_id,
    cases.therapist_id,
    therapists.supervisor_id,
    coalesce(cases.site_id, therapists.site_id) as site_id,
    leader.kind,
    leader.kinds,
    leader.kind not in ('watch', 'outlook') as is_flagged,
    leader.measure_id,
    coalesce(measure_names.name, leader.measure_id) as measure_name,
    coalesce(standing.status, 'cannot_judge') as status,
    coalesce(standing.code, 'no_score') as code,
    case when leader.kind = 'outlook' then needs.outlook_words
        else coalesce(headlines.sentence, '') end as sentence,
    coalesce(others.also_says, '') as also,
    coalesce(sparks.sparkline, '[]') as sparkline,
    coalesce(spark_names.minimum, measure_names.minimum, 0) as scale_minimum,
    coalesce(spark_names.maximum, measure_names.maximum, 0) as scale_maximum,
    leader.opened_occasion as since_occasion,
    opened_sessions.since_session,
    leader.opened_day as since_day,
    case_facts.sessions_attended,
    -- greatest(null, 0) would be 0: without a calendar nobody was "seen today"
    case when case_facts.today is not null
        then greatest(case_facts.today - case_facts.last_contact_day, 0) end as days_since_contact,
    recalled.case_id is null as is_verified,
    needs.need,
    needs.probability,
    needs.probability_from,
    needs.severity,
    needs.unseen,
    needs.need_words
from leader
inner join case_facts using (case_id)
inner join courses using (case_id)
inner join needs using (case_id)
left join standing using (case_id)
left join cases on courses.source_case_id = cases.case_id
left join therapists on cases.therapist_id = therapists.therapist_id
left join headlines using (case_id)
left join others using (case_id)
left join sparks using (case_id)
left join opened_sessions using (case_id)
left join recalled using (case_id)
left join measure_names on leader.measure_id = measure_names.measure_id
left join measure_names as spark_names on standing.decided_by = spark_names.measure_id
