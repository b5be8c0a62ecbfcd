-- Step 6, expect. In: course_points, measure_facts, touched. Out: expected columns of course_points.
-- Rule: the curve takes the occasions after the baseline, given the baseline.

-- name: judged_series
select distinct course_points.measure_id, course_points.clock
from course_points
inner join measure_facts using (measure_id, subscale)
where
    measure_facts.role = 'outcome'
    and course_points.subscale = 'total'
    and course_points.rater = measure_facts.rater
    and course_points.has_baseline
    and course_points.occasion >= 1
order by all

-- name: fit_rows
select
    course_points.case_id,
    course_points.rater,
    course_points.occasion,
    course_points.weeks,
    course_points.baseline,
    course_points.value
from course_points
inner join measure_facts using (measure_id, subscale)
where
    course_points.measure_id = $measure_id
    and course_points.clock = $clock
    and course_points.subscale = 'total'
    and course_points.rater = measure_facts.rater
    and course_points.has_baseline
    and course_points.occasion >= 1
    and (course_points.clock = 'session' or course_points.weeks is not null)

-- name: trend_rows
-- Scores from the baseline on, on a clock without logarithm: sessions (occasions), or weeks.
select
    course_points.case_id,
    case when course_points.clock = 'day' then course_points.weeks
    else course_points.occasion end::double as time,
    course_points.value
from course_points
inner join measure_facts using (measure_id, subscale, rater)
where
    course_points.measure_id = $measure_id
    and course_points.clock = $clock
    and course_points.subscale = 'total'
    and course_points.has_baseline
    and course_points.occasion >= 0
    and (course_points.clock != 'day' or course_points.weeks is not null)
order by course_points.case_id, course_points.occasion

-- name: touch_series
-- A new curve may change the status of every case that has this measure.
insert into touched
select distinct courses.source_case_id
from course_points
inner join courses using (case_id)
where course_points.measure_id = $measure_id and course_points.clock = $clock

-- name: points_to_draw
select
    course_points.case_id,
    course_points.measure_id,
    course_points.subscale,
    course_points.rater,
    course_points.occasion,
    course_points.weeks,
    course_points.baseline,
    course_points.value
from course_points
inner join measure_facts using (measure_id, subscale)
inner join courses using (case_id)
where
    courses.source_case_id in (select case_id from touched)
    and course_points.measure_id = $measure_id
    and course_points.clock = $clock
    and course_points.subscale = 'total'
    and course_points.rater = measure_facts.rater
    and course_points.has_baseline
    and course_points.occasion >= 1
    and (course_points.clock = 'session' or course_points.weeks is not null)
order by case_id, occasion

-- name: draw
update course_points
set
    expected = drawn.expected,
    band_80_low = drawn.band_80_low,
    band_80_high = drawn.band_80_high,
    band_95_low = drawn.band_95_low,
    band_95_high = drawn.band_95_high,
    chance_this_bad = drawn.chance_this_bad,
    curve_id = drawn.curve_id
from drawn
where
    course_points.case_id = drawn.case_id
    and course_points.measure_id = drawn.measure_id
    and course_points.subscale = drawn.subscale
    and course_points.rater = drawn.rater
    and course_points.occasion = drawn.occasion
