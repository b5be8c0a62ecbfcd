-- Step 8, lenses. In: published_queue, current_statuses, course_points, alliance_points, events,
-- flags, courses, sessions, homework, session_focus, life_events. Out: lenses (renewed for cases
-- that were touched), and what the rows about therapists rest on. Grain by contract.

-- name: forget
-- Of cases that left the queue, and of touched ones (those are looked at anew).
delete from lenses
where
    case_id in (select case_id from touched_courses)
    or case_id not in (select case_id from published_queue)

-- name: lens_cases
-- Cases in the queue that have no lenses yet: touched, or new in it.
create or replace temp table lens_cases as
select
    published_queue.case_id,
    courses.source_case_id,
    courses.is_latest,
    courses.first_day,
    courses.last_day
from published_queue
inner join courses using (case_id)
anti join lenses using (case_id)

-- name: cases
-- A clear gain is what the status says, at the last score where it has grown stale since; null
-- where no outcome could be judged.
with

safety as (
    select case_id, list(distinct measure_id order by measure_id) as safety
    from flags
    where kind = 'safety' and closed_run_id is null
    group by case_id
)

select
    lens_cases.case_id,
    lens_cases.last_day as day,
    nullif(standing.last_status, 'cannot_judge')
    in ('recovered', 'improved', 'on_track') as has_clear_gain,
    coalesce(nullif(standing.decided_by, ''), published_queue.measure_id) as measure_id,
    safety.safety
from lens_cases
inner join published_queue using (case_id)
left join (select * from current_statuses where measure_id = 'case') as standing using (case_id)
left join safety using (case_id)
order by lens_cases.case_id

-- name: points
select
    course_points.case_id,
    course_points.measure_id,
    course_points.subscale,
    course_points.rater,
    course_points.occasion,
    course_points."at",
    course_points.session,
    course_points.day,
    course_points.value,
    course_points.level_gain
from course_points
semi join lens_cases using (case_id)

-- name: alliance
select alliance_points.*
from alliance_points
semi join lens_cases using (case_id)

-- name: patterns
-- Patterns of ratings that hold now.
select
    events.case_id,
    events.measure_id,
    events.kind,
    events.session,
    events.day,
    events.parameters
from events
semi join lens_cases using (case_id)
where events.kind like 'alliance%' and events.until_occasion is null

-- name: sessions
-- Sessions of the course, by their day; without one they belong to the latest course.
select
    lens_cases.case_id,
    sessions.session,
    sessions.day,
    sessions.attended,
    sessions.is_late_cancellation
from sessions
inner join lens_cases
    on
        sessions.case_id = lens_cases.source_case_id
        and coalesce(
            sessions.day between lens_cases.first_day and lens_cases.last_day,
            lens_cases.is_latest
        )

-- name: noted
-- Homework, or focus, of the sessions of the course.
select
    lens_cases.case_id,
    noted.* exclude (case_id)
from {table} as noted
inner join lens_cases on noted.case_id = lens_cases.source_case_id
left join sessions
    on noted.case_id = sessions.case_id and noted.session = sessions.session
where
    coalesce(
        sessions.day between lens_cases.first_day and lens_cases.last_day,
        lens_cases.is_latest
    )

-- name: life_events
-- Up to the last contact: what came later is told at the next one.
select
    lens_cases.case_id,
    life_events.day,
    life_events.kind
from life_events
inner join lens_cases
    on
        life_events.case_id = lens_cases.source_case_id
        and coalesce(
            life_events.day between lens_cases.first_day and lens_cases.last_day,
            lens_cases.is_latest
        )

-- name: rated_cases
-- Whether the last two alliance ratings of a case were low; one row a case with two or more.
-- A case with several alliance measures counts by the one rated most often.
with

last_ratings as (
    select
        case_id,
        measure_id,
        count(*) as ratings,
        arg_max(is_low, occasion) as is_low
    from alliance_points
    group by case_id, measure_id
    having count(*) >= $ratings
)

select
    last_ratings.case_id,
    cases.therapist_id,
    coalesce(cases.site_id, therapists.site_id) as site_id,
    last_ratings.is_low
from last_ratings
inner join courses using (case_id)
inner join cases on courses.source_case_id = cases.case_id
left join therapists on cases.therapist_id = therapists.therapist_id
where cases.therapist_id is not null
qualify row_number() over (
    partition by last_ratings.case_id order by last_ratings.ratings desc, last_ratings.measure_id
) = 1
order by last_ratings.case_id
