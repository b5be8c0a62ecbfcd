-- Step 7, judge. In: course_points, courses, cases, course sessions, flags, touched.
-- Out: statuses, alliance_points, events, current_statuses, flags. Grain by contract.

-- name: touched_courses
create or replace temp table touched_courses as
select courses.case_id, courses.source_case_id, courses.is_latest
from courses
semi join touched on courses.source_case_id = touched.case_id

-- name: forget
delete from {table}
where case_id in (select case_id from touched_courses)

-- name: outcome_points
-- What the status rule judges: totals of outcome measures by the rater of their contract.
select
    course_points.case_id,
    course_points.measure_id,
    course_points.occasion,
    course_points."at",
    course_points.session,
    course_points.day,
    course_points.days,
    course_points.sessions_attended,
    course_points.value,
    course_points.value_count,
    course_points.has_baseline,
    course_points.baseline,
    course_points.gain,
    course_points.level_gain,
    course_points.is_pair,
    course_points.chance_this_bad,
    course_points.curve_id,
    cases.planned_sessions,
    case
        when course_points.day - lag(course_points.day) over (
            partition by course_points.case_id, course_points.measure_id
            order by course_points.occasion
        ) > $paused_days then true
        else false
    end as is_after_pause
from course_points
inner join measure_facts using (measure_id, subscale)
inner join touched_courses using (case_id)
left join cases on touched_courses.source_case_id = cases.case_id
where
    measure_facts.role = 'outcome'
    and course_points.subscale = 'total'
    and course_points.rater = measure_facts.rater

-- name: declared_measures
select
    touched_courses.case_id,
    problem_measures.measure_id
from touched_courses
inner join cases on touched_courses.source_case_id = cases.case_id
inner join problem_measures using (problem_code)

-- name: alliance_ratings
-- Every rating of one alliance measure: whole and parts, by whoever rated.
select
    course_points.case_id,
    course_points."at",
    course_points.session,
    course_points.day,
    course_points.subscale,
    course_points.rater,
    course_points.value
from course_points
semi join touched_courses using (case_id)
where course_points.measure_id = $measure_id
order by all

-- name: outcome_scores
-- Totals by the rater the status rule listens to, from the baseline on.
select
    course_points.case_id,
    course_points.measure_id,
    course_points.occasion,
    course_points.session,
    course_points.day,
    course_points.value,
    case_facts.is_open
from course_points
inner join measure_facts using (measure_id, subscale, rater)
inner join case_facts using (case_id)
semi join touched_courses using (case_id)
where
    measure_facts.role = 'outcome'
    and course_points.subscale = 'total'
    and course_points.occasion >= 0
order by course_points.case_id, course_points.measure_id, course_points.occasion

-- name: safety_items
select
    course_points.case_id,
    course_points.measure_id,
    course_points.subscale,
    course_points."at",
    course_points.session,
    course_points.day,
    course_points.value
from course_points
semi join touched_courses using (case_id)
semi join safety_subscales using (measure_id, subscale)

-- name: case_facts
-- What a case's standing today depends on besides its scores.
create or replace temp table case_facts as
with

starts as (
    select case_id, min(practice_day - day) as start_day
    from (
        select case_id, practice_day, day from scores
        union all
        select case_id, practice_day, day from sessions
    )
    where practice_day is not null and day is not null
    group by case_id
),

attended as (
    select
        courses.case_id,
        count(*)::bigint as sessions_attended,
        max(sessions.session) as last_session,
        max(sessions.day) as last_session_day
    from courses
    inner join sessions on courses.source_case_id = sessions.case_id
    where
        sessions.attended
        and sessions.session >= 1
        and (
            courses.first_day is null
            or sessions.day is null
            or sessions.day between courses.first_day and courses.last_day
        )
    group by courses.case_id
),

-- A case has one end, and it is that of the last course begun by then: a client who comes back
-- after it is in care again. A course that another one followed has ended with its last contact.
ends as (
    select
        courses.case_id,
        courses.is_latest,
        courses.last_day,
        (cases.end_day is not null or cases.end_reason is not null)
        and (courses.course = 1 or coalesce(courses.first_day <= cases.end_day, true))
        and (
            courses.is_latest
            or coalesce(
                cases.end_day < lead(courses.first_day) over (
                    partition by courses.source_case_id order by courses.course
                ),
                false
            )
        ) as has_sent_end,
        cases.end_day,
        cases.end_reason
    from courses
    left join cases on courses.source_case_id = cases.case_id
)

select
    courses.case_id,
    courses.source_case_id,
    ends.is_latest and not ends.has_sent_end as is_open,
    case
        when ends.has_sent_end then ends.end_day
        when not ends.is_latest then ends.last_day
    end as end_day,
    case when ends.has_sent_end then ends.end_reason end as end_reason,
    coalesce(cases.practice_day_start, starts.start_day) as practice_day_start,
    attended.sessions_attended,
    attended.last_session,
    courses.last_day as last_contact_day,
    $as_of - coalesce(cases.practice_day_start, starts.start_day) as today
from courses
inner join ends using (case_id)
left join cases on courses.source_case_id = cases.case_id
left join starts on courses.source_case_id = starts.case_id
left join attended on courses.case_id = attended.case_id

-- name: standing_inputs
-- Every status of the cases whose standing may differ today: touched, or open.
select
    statuses.case_id,
    statuses.measure_id,
    statuses.occasion,
    statuses.day,
    statuses.status,
    statuses.code,
    statuses.tags,
    statuses.decided_by
from statuses
inner join case_facts using (case_id)
where case_facts.is_open or statuses.case_id in (select case_id from touched_courses)

-- name: standing_facts
select
    case_facts.case_id,
    case_facts.is_open,
    case_facts.today,
    case_facts.sessions_attended
from case_facts

-- name: last_attended
-- t at the last score of each case and measure.
select
    course_points.case_id,
    course_points.measure_id,
    course_points.sessions_attended as score_sessions
from course_points
semi join measure_facts using (measure_id, subscale, rater)
where course_points.subscale = 'total'
qualify row_number() over (
    partition by course_points.case_id, course_points.measure_id
    order by course_points.occasion desc
) = 1

-- name: forget_standing
delete from current_statuses
where case_id in (select case_id from standing)

-- name: close_gone_flags
-- An open flag whose spell ended, or that a correction or withdrawal took away.
update flags
set
    closed_occasion = found.closed_occasion,
    closed_day = found.closed_day,
    closed_run_id = $run_id
from (
    select
        flags.flag_id,
        flag_episodes.closed_occasion,
        flag_episodes.closed_day
    from flags
    left join flag_episodes using (flag_id)
    where
        flags.closed_run_id is null
        and (
            flags.case_id in (select case_id from touched_courses)
            or flags.case_id not in (select case_id from courses)
        )
        and (flag_episodes.flag_id is null or flag_episodes.is_closed)
) as found
where flags.flag_id = found.flag_id

-- name: mend_closed_flags
-- A correction may move the end of a spell that is over.
update flags
set
    closed_occasion = flag_episodes.closed_occasion,
    closed_day = flag_episodes.closed_day
from flag_episodes
where
    flags.flag_id = flag_episodes.flag_id
    and flags.closed_run_id is not null
    and flag_episodes.is_closed

-- name: reopen_flags
-- A correction may also bring back a spell that an earlier night had closed.
update flags
set closed_occasion = null, closed_day = null, closed_run_id = null
where
    closed_run_id is not null
    and flag_id in (select flag_id from flag_episodes where not is_closed)

-- name: open_new_flags
insert into flags by name
select
    flag_episodes.flag_id,
    flag_episodes.case_id,
    flag_episodes.kind,
    flag_episodes.measure_id,
    flag_episodes.opened_occasion,
    flag_episodes.opened_day,
    flag_episodes.closed_occasion,
    flag_episodes.closed_day,
    $run_id as opened_run_id,
    case when flag_episodes.is_closed then $run_id end as closed_run_id
from flag_episodes
anti join flags using (flag_id)
