-- Step 9, summarise. In: current_statuses, course_points, case_facts, cases, sessions, quarantine.
-- Out: raw counts for suppression. Grain: figure, period, site, category.
-- Rule: outcomes of closed cases by the published rule: first against last score of the primary
-- measure; closed cases without a pair are counted as such. England's official rule reads its own
-- frames (official_cases, official_scores): models/talking_therapies.py.

-- name: quarter_of
-- A quarter is 91 days on the practice clock; the end counts.
create or replace temp macro quarter_of(practice_day_start, end_day) as
case
    when practice_day_start is not null and end_day is not null
        then 'quarter ' || lpad((1 + (practice_day_start + end_day) // 91)::text, 2, '0')
    else 'no calendar'
end

-- name: closed_outcomes
create or replace temp table closed_outcomes as
with

closed as (
    select
        case_facts.case_id,
        coalesce(cases.site_id, 'not given') as site_id,
        case_facts.end_reason,
        quarter_of(case_facts.practice_day_start, case_facts.end_day) as period
    from case_facts
    inner join courses using (case_id)
    inner join cases on courses.source_case_id = cases.case_id
    where not case_facts.is_open
),

primaries as (
    -- the primary decides wherever no other measure got worse
    select case_id, arg_max(decided_by, occasion) as measure_id
    from statuses
    where measure_id = 'case' and status != 'deteriorating'
    group by case_id
),

pairs as (
    select
        course_points.case_id,
        course_points.measure_id,
        arg_max(course_points.gain, course_points.occasion) as last_gain,
        any_value(course_points.baseline) as baseline,
        arg_max(course_points.value, course_points.occasion) as last_score
    from course_points
    semi join primaries using (case_id, measure_id)
    semi join measure_facts using (measure_id, subscale, rater)
    where
        course_points.subscale = 'total'
        and course_points.has_baseline
        and course_points.occasion >= 1
    group by course_points.case_id, course_points.measure_id
)

select
    closed.case_id,
    closed.site_id,
    closed.period,
    closed.end_reason,
    pairs.measure_id,
    pairs.baseline,
    pairs.last_score,
    pairs.case_id is not null and measure_names.reliable_change is not null as is_paired,
    pairs.last_gain >= measure_names.reliable_change as is_improved,
    pairs.last_gain <= -measure_names.reliable_change as is_deteriorated,
    measure_lines.direction * pairs.baseline >= measure_lines.direction * measure_lines.cutoff
        as starts_clinical,
    measure_lines.direction * pairs.last_score >= measure_lines.direction * measure_lines.cutoff
        as ends_clinical
from closed
left join pairs using (case_id)
left join measure_names on pairs.measure_id = measure_names.measure_id
left join measure_lines on pairs.measure_id = measure_lines.measure_id

-- name: counts
-- Every figure for each site and period, and their sums.
with

status_now as (
    select
        'status_mix' as figure,
        'now' as period,
        coalesce(cases.site_id, 'not given') as site_id,
        current_statuses.status as category,
        1 as numerator
    from current_statuses
    inner join case_facts using (case_id)
    inner join courses using (case_id)
    left join cases on courses.source_case_id = cases.case_id
    where current_statuses.measure_id = 'case' and case_facts.is_open
),

outcomes as (
    select 'reliable_improvement' as figure, period, site_id, is_improved as holds
    from closed_outcomes
    where is_paired
    union all
    select 'deterioration' as figure, period, site_id, is_deteriorated as holds
    from closed_outcomes
    where is_paired
    union all
    select 'recovery' as figure, period, site_id, not ends_clinical as holds
    from closed_outcomes
    where is_paired and starts_clinical
    union all
    select
        'reliable_recovery' as figure,
        period,
        site_id,
        not ends_clinical and is_improved as holds
    from closed_outcomes
    where is_paired and starts_clinical
    union all
    select
        'drop_out' as figure,
        period,
        site_id,
        end_reason in ('dropped_out', 'drop_out', 'dropout') as holds
    from closed_outcomes
    where end_reason is not null
    union all
    select 'paired' as figure, period, site_id, is_paired as holds
    from closed_outcomes
    union all
    -- sessions attended with an outcome score: completeness of measurement
    select
        'completeness' as figure,
        'all' as period,
        coalesce(cases.site_id, 'not given') as site_id,
        scored_sessions.case_id is not null as holds
    from sessions
    left join cases on sessions.case_id = cases.case_id
    left join (
        -- the score says its session, or lies on its day
        select distinct
            sessions.case_id,
            sessions.session
        from sessions
        inner join scores
            on
                sessions.case_id = scores.case_id
                and coalesce(scores.session = sessions.session, scores.day = sessions.day)
        inner join measure_facts using (measure_id, subscale)
        where measure_facts.role = 'outcome' and scores.subscale = 'total'
    ) as scored_sessions
        on
            sessions.case_id = scored_sessions.case_id
            and sessions.session = scored_sessions.session
    where sessions.attended and sessions.session >= 1
),

binary_counts as (
    select
        figure,
        coalesce(period, 'all') as period,
        coalesce(site_id, 'all') as site_id,
        'all' as category,
        count(*) filter (holds)::bigint as numerator,
        count(*)::bigint as denominator
    from outcomes
    where figure != 'completeness'
    group by grouping sets ((figure, period, site_id), (figure, period), (figure, site_id), (figure))
    union all
    select
        figure,
        'all' as period,
        coalesce(site_id, 'all') as site_id,
        'all' as category,
        count(*) filter (holds)::bigint as numerator,
        count(*)::bigint as denominator
    from outcomes
    where figure = 'completeness'
    group by grouping sets ((figure, site_id), (figure))
),

mix_sites as (
    select figure, period, coalesce(site_id, 'all') as site_id, count(*)::bigint as denominator
    from status_now
    group by grouping sets ((figure, period, site_id), (figure, period))
),

mix_counts as (
    select
        mix_sites.figure,
        mix_sites.period,
        mix_sites.site_id,
        status_words.status as category,
        count(status_now.numerator)::bigint as numerator,
        any_value(mix_sites.denominator) as denominator
    from mix_sites
    cross join status_words
    left join status_now
        on
            status_words.status = status_now.category
            and mix_sites.site_id in (status_now.site_id, 'all')
    group by all
)

select * from binary_counts
union all
select * from mix_counts
order by all

-- name: official_cases
-- Every course of care that has ended, for England's official rule. Grain: a case.
-- Sessions are unknown where the site sends none; a case of a site that does has at least none.
with

sending as (
    select distinct coalesce(cases.site_id, '') as site_id
    from sessions
    left join cases using (case_id)
)

select
    case_facts.case_id,
    cases.problem_code,
    true as is_ended,
    case
        when coalesce(cases.site_id, '') in (select site_id from sending)
            then coalesce(case_facts.sessions_attended, 0)
    end as sessions_attended,
    quarter_of(case_facts.practice_day_start, case_facts.end_day) as period
from case_facts
left join cases on case_facts.source_case_id = cases.case_id
where not case_facts.is_open
order by case_facts.case_id

-- name: official_scores
-- Totals of ended cases by the judged rater, from the first to the end of care. Grain: a score.
-- The baseline of the status rule plays no part here: occasions before it count too.
select
    course_points.case_id,
    course_points.measure_id,
    course_points.occasion as "time",
    course_points.value
from course_points
inner join case_facts using (case_id)
semi join measure_facts using (measure_id, subscale, rater)
where
    course_points.subscale = 'total'
    and not case_facts.is_open
    and coalesce(course_points.day <= case_facts.end_day, true)

-- name: quarantine
-- What is wrong now: of a path that was sent again, only what its newest content was set aside for.
create or replace temp table published_quarantine as
with

newest as (
    select path, max(run_id) as run_id
    from files
    group by path
)

select
    files.path,
    quarantine.rule_id,
    quarantine.column_name,
    any_value(quarantine.severity) as severity,
    any_value(coalesce(rule_words.explanation, ''))
        || coalesce(' ' || max(files.reason) filter (quarantine.severity = 'file'), '')
        as explanation,
    case when any_value(quarantine.severity) = 'file' then max(files.quarantined)
        else count(*) end::bigint as row_count,
    min(quarantine.line) as first_line,
    max(quarantine.run_id) as received_run_id
from quarantine
inner join files using (file_id)
semi join newest on files.path = newest.path and files.run_id = newest.run_id
left join rule_words using (rule_id)
group by files.path, quarantine.rule_id, quarantine.column_name
