-- Step 8, need. In: flags, current_statuses, course_points, outlooks, case_facts; outlook_lines and
-- last_reviews, made by the Python. Out: candidates, and what their need rests on.

-- name: candidates
-- Open cases worth talking about. Grain: a case and a reason to talk: an open flag, else the status
-- watch, else an outlook from which on some number of cases a week would take it up.
create or replace temp table candidates as
with

kinds as (
    select unnest($kinds) as kind, unnest(range(len($kinds))) as kind_place
),

open_flags as (
    select
        flags.case_id,
        flags.kind,
        flags.measure_id,
        flags.opened_occasion,
        flags.opened_day,
        kinds.kind_place
    from flags
    inner join kinds using (kind)
    inner join case_facts using (case_id)
    where flags.closed_run_id is null and case_facts.is_open
),

watched as (
    select
        current_statuses.case_id,
        'watch' as kind,
        current_statuses.decided_by as measure_id,
        current_statuses.since_occasion as opened_occasion,
        current_statuses.since_day as opened_day,
        len($kinds) as kind_place
    from current_statuses
    inner join case_facts using (case_id)
    where
        current_statuses.measure_id = 'case'
        and current_statuses.status = 'watch'
        and case_facts.is_open
),

foreseen as (
    -- as of the last score: that is when the outlook was made
    select
        standing.case_id,
        'outlook' as kind,
        standing.decided_by as measure_id,
        outlooks.occasion as opened_occasion,
        decisive.last_day as opened_day,
        len($kinds) + 1 as kind_place
    from current_statuses as standing
    inner join case_facts using (case_id)
    inner join outlooks
        on
            standing.case_id = outlooks.case_id
            and standing.decided_by = outlooks.measure_id
    inner join outlook_lines
        on
            outlooks.measure_id = outlook_lines.measure_id
            and outlooks.outcome = outlook_lines.outcome
    left join current_statuses as decisive
        on
            standing.case_id = decisive.case_id
            and standing.decided_by = decisive.measure_id
    where
        standing.measure_id = 'case'
        and standing.code != 'stale'
        and case_facts.is_open
        and outlooks.probability >= outlook_lines.line
)

select * from open_flags
union all
select * from watched
union all
select * from foreseen
where
    case_id not in (select case_id from open_flags)
    and case_id not in (select case_id from watched)

-- name: need_inputs
-- What the need of each candidate rests on. Grain: a case.
with

into_view as (
    select
        case_id,
        min(opened_day) as opened_day,
        bool_or(kind = 'deteriorating') as is_deteriorating
    from candidates
    group by case_id
),

leaders as (
    -- as in step_8_explain.sql: what the headline of a case is about
    select
        case_id,
        kind,
        measure_id
    from candidates
    qualify row_number() over (
        partition by case_id order by kind_place, opened_day, measure_id
    ) = 1
),

standing as (
    select * from current_statuses
    where measure_id = 'case'
),

began_outside as (
    -- outside the clinical range: only asked whether they end clearly worse
    select case_id, measure_id
    from outlooks
    where outcome = 'clinical_without_gain' and reason = 'not_asked'
),

last_points as (
    select
        standing.case_id,
        arg_max(course_points.occasion, course_points.occasion) as occasion,
        arg_max(course_points.level, course_points.occasion) as level,
        arg_max(course_points.level_gain, course_points.occasion) as level_gain
    from standing
    semi join into_view using (case_id)
    inner join course_points
        on
            standing.case_id = course_points.case_id
            and standing.decided_by = course_points.measure_id
    semi join measure_facts
        on
            course_points.measure_id = measure_facts.measure_id
            and course_points.subscale = measure_facts.subscale
            and course_points.rater = measure_facts.rater
    where
        course_points.subscale = 'total'
        and course_points.occasion >= 0
    group by standing.case_id
),

asked as (
    -- of cases that began outside the clinical range only the second is asked
    select case_id, measure_id, outcome, probability, sentence
    from outlooks
    where
        outcome in ('clinical_without_gain', 'reliable_deterioration')
        and probability is not null
    qualify row_number() over (partition by case_id, measure_id order by outcome) = 1
)

select
    into_view.case_id,
    into_view.is_deteriorating,
    standing.decided_by,
    coalesce(standing.last_status, 'cannot_judge') as last_status,
    last_points.occasion,
    last_points.level,
    last_points.level_gain,
    coalesce(
        asked.outcome,
        case when began_outside.case_id is not null then 'reliable_deterioration' end
    ) as outcome,
    leaders.kind = 'outlook' as is_by_outlook_only,
    -- a safety flag is about a part of a measure: phq9/item_9
    case when leaders.kind = 'safety' or leaders.kind like 'alliance%'
        then split_part(leaders.measure_id, '/', 1)
        else standing.decided_by end as headline_measure,
    asked.probability as outlook,
    asked.sentence as outlook_sentence,
    last_reviews.practice_day is not null as was_reviewed,
    -- without a calendar nobody knows today: up to the last contact
    greatest(coalesce(
        $as_of::bigint - last_reviews.practice_day,
        coalesce(case_facts.today, case_facts.last_contact_day) - into_view.opened_day
    ), 0) / 7.0 as weeks_unseen
from into_view
inner join case_facts using (case_id)
inner join leaders using (case_id)
left join standing using (case_id)
left join last_points using (case_id)
left join began_outside
    on
        into_view.case_id = began_outside.case_id
        and standing.decided_by = began_outside.measure_id
left join asked
    on
        into_view.case_id = asked.case_id
        and standing.decided_by = asked.measure_id
left join last_reviews on into_view.case_id = last_reviews.case_id
order by into_view.case_id
