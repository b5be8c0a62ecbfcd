-- Step 7, outlook. In: course_points, measure_facts, case_facts, touched_courses. Out: which open cases
-- are asked about, measure by measure. Grain: a case, or a measure.

-- name: forget
delete from outlooks
where
    case_id in (select case_id from touched_courses)
    or case_id not in (select case_id from case_facts where is_open)

-- name: open_measures
select distinct course_points.measure_id
from course_points
inner join measure_facts using (measure_id, subscale, rater)
inner join case_facts using (case_id)
semi join touched_courses using (case_id)
where
    measure_facts.role = 'outcome'
    and course_points.subscale = 'total'
    and course_points.has_baseline
    and course_points.occasion >= 0
    and case_facts.is_open
order by all

-- name: asked_cases
create or replace temp table asked_cases as
select distinct course_points.case_id
from course_points
inner join measure_facts using (measure_id, subscale, rater)
inner join case_facts using (case_id)
semi join touched_courses using (case_id)
where
    course_points.measure_id = $measure_id
    and course_points.subscale = 'total'
    and course_points.has_baseline
    and course_points.occasion >= 0
    and case_facts.is_open
