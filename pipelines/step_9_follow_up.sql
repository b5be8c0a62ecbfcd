-- Step 9, follow-up. In: flags, runs, case_facts, primary_measures, course_points, statuses.
-- Out: what models/follow_up.py follows. Days are practice days. Grain below.

-- name: flags_followed
-- Grain: a flag. It was on a screen if it still stood after the run that first saw it.
with

days_of_runs as (
    -- the run that is going on has its day before its row in the ledger does
    select
        run_id,
        case when run_id = $run_id then $as_of else as_of end as as_of
    from runs
)

select
    flags.case_id,
    flags.kind,
    case_facts.practice_day_start + flags.opened_day as opened_on,
    days_of_runs.as_of as first_seen_on,
    flags.closed_run_id is distinct from flags.opened_run_id as was_open
from flags
inner join case_facts using (case_id)
inner join days_of_runs on flags.opened_run_id = days_of_runs.run_id
where case_facts.practice_day_start + flags.opened_day is not null and days_of_runs.as_of is not null

-- name: cases_followed
-- Grain: a course of care. Care that is over without a day ended with its last contact.
select
    case_facts.case_id,
    case when not case_facts.is_open
        then case_facts.practice_day_start
            + coalesce(case_facts.end_day, case_facts.last_contact_day) end as ended_on,
    case when case_facts.end_reason is not null then drop_out_codes.code is not null end
        as dropped_out
from case_facts
left join drop_out_codes on spelling_of(case_facts.end_reason) = drop_out_codes.code

-- name: scores_followed
-- Grain: a score of the measure that stands for a case. Gain in clear changes.
select
    course_points.case_id,
    case_facts.practice_day_start + course_points.day as "on",
    statuses.status,
    course_points.gain / measure_names.reliable_change as gain
from course_points
semi join primary_measures using (case_id, measure_id)
semi join measure_facts using (measure_id, subscale, rater)
inner join case_facts using (case_id)
inner join measure_names using (measure_id)
inner join statuses
    on
        course_points.case_id = statuses.case_id
        and course_points.day = statuses.day
        and statuses.measure_id = 'case'
where
    course_points.subscale = 'total'
    and course_points.has_baseline
    and case_facts.practice_day_start + course_points.day is not null
