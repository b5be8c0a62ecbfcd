-- Step 9, caseload. In: closed_outcomes, courses, cases. Out: ended cases with a pair of scores.
-- Grain: a course of care that has ended.

-- name: ended_cases
select
    closed_outcomes.case_id,
    closed_outcomes.measure_id,
    cases.therapist_id,
    coalesce(cases.site_id, therapists.site_id) as site_id,
    closed_outcomes.baseline as first_score,
    closed_outcomes.last_score,
    cases.problem_code as problem
from closed_outcomes
inner join courses using (case_id)
inner join cases on courses.source_case_id = cases.case_id
left join therapists on cases.therapist_id = therapists.therapist_id
where closed_outcomes.measure_id is not null
order by closed_outcomes.case_id
