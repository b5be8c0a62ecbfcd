-- Step 7, foresee. In: course_points, measure_facts, courses, case_facts,
-- touched_courses. Out: what the forecasts of open cases rest on. Grain: a scored day of a case and measure.

-- name: forget
delete from forecasts
where
    case_id in (select case_id from touched_courses)
    or case_id not in (select case_id from case_facts where is_open)

-- name: open_series
select distinct course_points.measure_id, course_points.clock
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

-- name: last_occasions
select course_points.case_id, course_points.measure_id, max(course_points.occasion) as occasion
from course_points
inner join measure_facts using (measure_id, subscale, rater)
semi join touched_courses using (case_id)
where course_points.subscale = 'total'
group by all
having count(distinct course_points.clock) = 1

-- name: open_points
-- Time: occasions, or weeks since the baseline.
select
    course_points.case_id,
    courses.source_case_id as client_id,
    course_points.occasion,
    case when course_points.clock = 'day' then course_points.weeks
    else course_points.occasion end::double as time,
    course_points.baseline,
    course_points.value
from course_points
inner join measure_facts using (measure_id, subscale, rater)
inner join case_facts using (case_id)
inner join courses using (case_id)
semi join touched_courses using (case_id)
where
    course_points.measure_id = $measure_id
    and course_points.clock = $clock
    and course_points.subscale = 'total'
    and course_points.has_baseline
    and course_points.occasion >= 0
    and (course_points.clock != 'day' or course_points.weeks is not null)
    and case_facts.is_open
order by course_points.case_id, course_points.occasion

-- name: ended_points
select
    course_points.case_id,
    courses.source_case_id as client_id,
    course_points.occasion,
    course_points.value
from course_points
inner join measure_facts using (measure_id, subscale, rater)
inner join case_facts using (case_id)
inner join courses using (case_id)
where
    course_points.measure_id = $measure_id
    and course_points.subscale = 'total'
    and course_points.has_baseline
    and course_points.occasion >= 0
    and not case_facts.is_open
