-- Step 5, course. In: scores, sessions, cases, measure_facts, touched. Out: courses, course_points.
-- Grain of course_points: one row a scored day of a case and measure.
-- Rules: status_rule.md, "Baseline, gaps" and "Symbols".

-- name: touch_where_counting_changed
-- When a site sends its first sessions, or takes its last one back, t of all its cases changes.
insert into touched
select courses.source_case_id
from course_points
inner join courses using (case_id)
inner join cases on courses.source_case_id = cases.case_id
where
    (course_points.sessions_attended is not null)
    != (coalesce(cases.site_id, '') in (select site_id from sending_sites))

-- name: sending_sites
-- Sites whose sessions can be put beside their scores: by day, or by the number of the session.
create or replace temp table sending_sites as
select distinct coalesce(cases.site_id, '') as site_id
from sessions
inner join cases using (case_id)
where
    sessions.day is not null
    or sessions.case_id in (
        select case_id from scores
        where session is not null or clock = 'session'
    )

-- name: unplaced_sites
select count(distinct coalesce(cases.site_id, ''))
from sessions
inner join cases using (case_id)
where coalesce(cases.site_id, '') not in (select site_id from sending_sites)

-- name: forget
delete from {table}
where case_id in (
    select courses.case_id
    from courses
    semi join touched on courses.source_case_id = touched.case_id
)

-- name: forget_courses
delete from courses
where source_case_id in (select case_id from touched)

-- name: cases_without_sessions
-- Where the site sends sessions, a case without any has t = 0: too early to judge.
select count(distinct scores.case_id)
from scores
semi join touched using (case_id)
inner join cases using (case_id)
anti join sessions using (case_id)
where coalesce(cases.site_id, '') in (select site_id from sending_sites)

-- name: mixed_clocks
-- Scores of one series by session number and by day cannot be put in order without days for all.
select measure_id, count(distinct case_id) as cases
from (
    select case_id, measure_id
    from placed
    group by case_id, measure_id, subscale, rater
    having count(distinct clock) > 1 and count(day) < count(*)
)
group by measure_id
order by measure_id

-- name: scored
-- Every score with its day, and its place among the sessions.
create or replace temp table scored as
with

touched_sessions as (
    select sessions.*
    from sessions
    semi join touched using (case_id)
)

select
    scores.case_id as source_case_id,
    scores.measure_id,
    scores.subscale,
    scores.rater,
    scores.clock,
    scores."at",
    coalesce(scores.session, case when scores.clock = 'session' then scores."at" end) as session,
    coalesce(
        scores.day,
        case when scores.clock = 'day' then scores."at" end,
        touched_sessions.day
    ) as day,
    scores.value,
    scores.value_count,
    scores.value_at_session
from scores
semi join touched using (case_id)
left join touched_sessions
    on
        scores.case_id = touched_sessions.case_id
        and coalesce(scores.session, case when scores.clock = 'session' then scores."at" end)
        = touched_sessions.session

-- name: courses
-- A long time without any contact starts a new course of care, judged apart: C-1, then C-1~2.
insert into courses by name
with

contacts as (
    select source_case_id, day
    from scored
    where day is not null
    union
    select sessions.case_id as source_case_id, sessions.day
    from sessions
    semi join touched using (case_id)
    where sessions.attended and sessions.day is not null
),

gaps as (
    select
        source_case_id,
        day,
        day - lag(day) over (partition by source_case_id order by day) as days_before
    from contacts
),

numbered as (
    select
        source_case_id,
        day,
        sum(case when $new_course_after > 0 and days_before > $new_course_after then 1 else 0 end)
            over (partition by source_case_id order by day) as breaks
    from gaps
),

spans as (
    select
        source_case_id,
        breaks + 1 as course,
        min(day) as first_day,
        max(day) as last_day
    from numbered
    group by all
    union all
    -- cases without any day: one course
    select distinct
        source_case_id,
        1 as course,
        null::bigint as first_day,
        null::bigint as last_day
    from scored
    where source_case_id not in (select source_case_id from contacts)
)

select
    case when course = 1 then source_case_id else source_case_id || '~' || course end as case_id,
    source_case_id,
    course::bigint as course,
    first_day,
    last_day,
    course = max(course) over (partition by source_case_id) as is_latest
from spans

-- name: course_sessions
-- Attended treatment sessions of each course, counted.
create or replace temp table course_sessions as
select
    courses.case_id,
    sessions.session,
    sessions.day,
    row_number() over (partition by courses.case_id order by sessions.session)::bigint as attended
from sessions
inner join courses
    on
        sessions.case_id = courses.source_case_id
        and (
            courses.first_day is null
            or sessions.day is null
            or sessions.day between courses.first_day and courses.last_day
        )
semi join touched on sessions.case_id = touched.case_id
where sessions.attended and sessions.session >= 1

-- name: placed
-- Scores within their course, in order, with t where the site sends sessions.
create or replace temp table placed as
with

in_course as (
    select
        courses.case_id,
        scored.*,
        coalesce(cases.site_id, '') in (select site_id from sending_sites) as is_sending
    from scored
    inner join courses
        on
            scored.source_case_id = courses.source_case_id
            and (
                courses.first_day is null
                or scored.day between courses.first_day and courses.last_day
                or (scored.day is null and courses.course = 1)
            )
    left join cases on scored.source_case_id = cases.case_id
),

numbered as (
    select *, row_number() over () as score_number
    from in_course
),

-- Sessions and scores on one line, sessions first: t is the running count of sessions. By session
-- number where the score has one, else by day. (A window: an asof join was quadratic here.)
timeline as (
    select case_id, 'session' as ruler, session as moment, 1 as is_session, null as score_number
    from course_sessions
    union all
    select case_id, 'day' as ruler, day as moment, 1 as is_session, null as score_number
    from course_sessions
    where day is not null
    union all
    select
        case_id,
        case when session is not null then 'session' else 'day' end as ruler,
        coalesce(session, day) as moment,
        0 as is_session,
        score_number
    from numbered
),

counted as (
    select
        score_number,
        (sum(is_session) over (
            partition by case_id, ruler
            order by moment, is_session desc
            rows unbounded preceding
        ))::bigint as attended
    from timeline
    qualify score_number is not null
)

select
    numbered.* exclude (score_number),
    case when is_sending then counted.attended end as sessions_attended,
    row_number() over (
        partition by case_id, measure_id, subscale, rater
        order by coalesce(day, "at"), "at"
    ) as place
from numbered
inner join counted using (score_number)

-- name: baselines
-- The last score up to session 1 that is fresh enough; else the first one by session 2; where no
-- sessions are sent the first score. Before any session the baseline is the last score so far.
create or replace temp table baselines as
with

first_sessions as (
    select case_id, session as first_session, day as first_day
    from course_sessions
    where attended = 1
),

candidates as (
    select
        placed.*,
        first_sessions.case_id is not null as has_started,
        coalesce(
            placed.session <= first_sessions.first_session,
            placed.day <= first_sessions.first_day,
            placed.sessions_attended = 0
        ) as is_before,
        coalesce(first_sessions.first_day - placed.day <= $baseline_days, true) as is_fresh
    from placed
    left join first_sessions using (case_id)
)

select
    case_id, measure_id, subscale, rater,
    case
        when not bool_or(is_sending) then min(place)
        when not bool_or(has_started) then max(place)
        else coalesce(
            max(place) filter (is_before and is_fresh),
            min(place) filter (not is_before and sessions_attended <= $baseline_sessions)
        )
    end as baseline_place
from candidates
group by all

-- name: course_points
insert into course_points by name
with

from_baseline as (
    select
        placed.*,
        baselines.baseline_place is not null as has_baseline,
        placed.place - coalesce(baselines.baseline_place, 1) as occasion,
        measure_facts.direction,
        measure_facts.reliable_change
    from placed
    inner join baselines using (case_id, measure_id, subscale, rater)
    inner join measure_facts using (measure_id, subscale)
),

first_scores as (
    select
        case_id, measure_id, subscale, rater,
        coalesce(value_at_session, value) as baseline,
        day as baseline_day
    from from_baseline
    where occasion = 0 and has_baseline
),

gains as (
    select
        from_baseline.* exclude (value),
        case when occasion = 0 then coalesce(value_at_session, value) else value end as value,
        first_scores.baseline,
        from_baseline.day - first_scores.baseline_day as days,
        case
            when occasion >= 0 then direction * (first_scores.baseline - value)
        end as raw_gain,
        coalesce(
            from_baseline.day - lag(from_baseline.day) over series <= $pair_days,
            true
        ) as is_near
    from from_baseline
    left join first_scores using (case_id, measure_id, subscale, rater)
    window series as (
        partition by case_id, measure_id, subscale, rater order by place
    )
),

clean_gains as (
    select
        * exclude (raw_gain),
        case when occasion = 0 and has_baseline then 0 else raw_gain end as gain,
        occasion >= 2 and is_near as is_pair
    from gains
),

levels as (
    select
        *,
        case
            when is_pair then (gain + lag(gain) over series) / 2
            else gain
        end as level_gain
    from clean_gains
    window series as (
        partition by case_id, measure_id, subscale, rater order by place
    )
)

select
    case_id,
    measure_id,
    subscale,
    rater,
    occasion::bigint as occasion,
    clock,
    "at",
    session,
    day,
    days,
    days / 7.0 as weeks,
    sessions_attended,
    value,
    case when occasion = 0 and value_at_session is not null then 1 else value_count end
        as value_count,
    has_baseline,
    baseline,
    gain,
    level_gain,
    baseline - direction * level_gain as level,
    is_pair,
    case when subscale = 'total' then baseline - direction * reliable_change end as clear_change_at
from levels

-- name: mean_gains
-- The gain of each case's last score, where it has at least two after the baseline.
with

last_gains as (
    select course_points.measure_id, course_points.gain
    from course_points
    semi join measure_facts using (measure_id, subscale, rater)
    where
        course_points.subscale = 'total'
        and course_points.has_baseline
        and course_points.occasion >= 2
    qualify row_number() over (
        partition by course_points.case_id, course_points.measure_id
        order by course_points.occasion desc
    ) = 1
)

select
    measure_id,
    count(*) as cases,
    avg(gain) as mean_gain
from last_gains
group by measure_id
order by measure_id

-- name: opposite_measures
-- Pairs of outcome measures that move apart. Scores are turned so that high is worse, and centred
-- within each case, so that only change over time counts. Grain: one row a doubtful pair.
with

turned as (
    select
        course_points.case_id,
        course_points.measure_id,
        coalesce(course_points.day, course_points."at") as moment,
        measure_facts.direction * course_points.value as value
    from course_points
    inner join measure_facts using (measure_id, subscale, rater)
    where measure_facts.role = 'outcome' and course_points.subscale = 'total'
),

together as (
    select
        turned.case_id,
        turned.measure_id as one,
        others.measure_id as other,
        turned.value - avg(turned.value) over joint as one_change,
        others.value - avg(others.value) over joint as other_change
    from turned
    inner join turned as others
        on
            turned.case_id = others.case_id
            and turned.moment = others.moment
            and turned.measure_id < others.measure_id
    window joint as (partition by turned.case_id, turned.measure_id, others.measure_id)
    qualify count(*) over joint >= 3
),

correlated as (
    select
        one,
        other,
        count(distinct case_id) as cases,
        count(*) as moments,
        corr(one_change, other_change) as correlation
    from together
    group by one, other
)

select one, other, cases, correlation
from correlated
where
    cases >= $least_cases
    and correlation <= $doubtful_correlation
    and correlation * sqrt(moments - cases) <= -$standard_errors::double
order by one, other
