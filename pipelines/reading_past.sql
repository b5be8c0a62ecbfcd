-- What is known of past cases. In: the warehouse up to course_points; case_facts of step 7.
-- Out: the frames of models/past_cases.py. Nothing of what was judged or fitted is read: it rests
-- on all cases of today. {only} is nothing, or a semi join with the cases wanted.

-- name: measures_with_a_past
-- Cases with a score after a baseline, by measure and rater. Grain: one row a measure and rater.
select
    measure_id,
    rater,
    count(distinct case_id) as cases
from course_points
where subscale = 'total' and has_baseline and occasion >= 1
group by all

-- name: ends_sent
-- Whether a cases file ever landed, and whether any case came with an end.
select
    exists (select 1 from files where table_name = 'cases' and state = 'accepted') as has_cases,
    exists (
        select 1 from cases where end_day is not null or end_reason is not null
    ) as has_ends

-- name: case_facts_there
select count(*) from duckdb_tables() where table_name = 'case_facts' and temporary

-- name: drop_out_spellings
create or replace temp table drop_out_spellings (code text)

-- name: ends_of_courses
-- How each course ended. An end without a day counts from the last contact. Grain: one row a
-- course.
select
    case_facts.case_id,
    case_facts.source_case_id as client_id,
    not case_facts.is_open as is_ended,
    case_facts.practice_day_start
    + case
        when not case_facts.is_open then coalesce(case_facts.end_day, courses.last_day)
    end as ended_on,
    case_facts.practice_day_start + courses.last_day as last_contact_on,
    case
        when not case_facts.is_open and case_facts.end_reason is not null
            then drop_out_codes.code is not null
    end as dropped_out,
    cases.site_id,
    cases.sex,
    cases.age_band,
    cases.ethnicity,
    cases.therapist_id,
    therapists.supervisor_id,
    cases.planned_sessions,
    cases.problem_code
from case_facts
inner join courses using (case_id)
{only}
left join cases on case_facts.source_case_id = cases.case_id
left join therapists using (therapist_id)
left join drop_out_codes on spelling_of(case_facts.end_reason) = drop_out_codes.code
order by case_facts.case_id

-- name: points
-- What the status rule judges: totals by the rater of the contract. Grain: one row a scored day of
-- a case, from the baseline on.
select
    course_points.case_id,
    course_points.measure_id,
    course_points.occasion,
    course_points.has_baseline,
    course_points.value,
    course_points.baseline,
    course_points.gain,
    course_points.level_gain,
    course_points.is_pair,
    course_points.days,
    course_points.sessions_attended,
    course_points.day,
    case_facts.practice_day_start + course_points.day as practice_day,
    course_points.clock,
    course_points."at"
from course_points
inner join case_facts using (case_id)
{only}
where
    course_points.measure_id = $measure_id
    and course_points.subscale = 'total'
    and course_points.rater = $rater
    and course_points.occasion >= 0
order by course_points.case_id, course_points.occasion

-- name: sessions
-- Offered treatment sessions, each in the course that had begun by its day; without a day in the
-- first. Grain: one row a session.
with

spans as (
    select
        case_id,
        source_case_id,
        course,
        first_day,
        lead(first_day) over (partition by source_case_id order by course) as next_first_day
    from courses
)

select
    spans.case_id,
    sessions.session,
    sessions.day,
    sessions.attended
from sessions
inner join (select * from spans {only}) as spans
    on
        sessions.case_id = spans.source_case_id
        and (spans.course = 1 or coalesce(sessions.day >= spans.first_day, false))
        and coalesce(sessions.day < spans.next_first_day, true)
where
    sessions.session >= 1
    and (sessions.day is not null or spans.course = 1)
order by spans.case_id, sessions.session

-- name: alliance_ratings
select
    case_id,
    "at",
    session,
    day,
    subscale,
    rater,
    value
from course_points
{only}
where measure_id = $measure_id
order by all

-- name: last_day
select max(practice_day) as last_day
from (
    select practice_day from scores
    union all
    select practice_day from sessions
)

-- name: set_aside
-- Why rows and files were set aside, without a value. Grain: one row a severity, rule and column.
select
    quarantine.severity,
    quarantine.rule_id,
    quarantine.column_name,
    files.path,
    count(distinct (quarantine.file_id, quarantine.line)) as row_count,
    any_value(files.reason) as reason
from quarantine
inner join files using (file_id)
group by all
order by row_count desc, path, rule_id
