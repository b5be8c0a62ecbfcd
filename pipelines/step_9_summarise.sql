-- Step 9, summarise. In: current_statuses, course_points, case_facts, cases, sessions, quarantine.
-- Out: what is counted of every case and session; models/trend_counts.py counts, models/
-- trend_tables.py hides small numbers.
-- Rule: outcomes of closed cases by the published rule: first against last score of the primary
-- measure; closed cases without a pair are counted as such. England's official rule reads its own
-- frames (official_cases, official_scores): models/talking_therapies.py.

-- name: quarter_of
-- A quarter is 91 days on the practice clock; the end counts. Two digits, three from the 100th on.
create or replace temp macro quarter_of(practice_day_start, end_day) as
case
    when practice_day_start is not null and end_day is not null
        then printf(
            'quarter %02d', 1 + floor((practice_day_start + end_day) / 91)::bigint
        )
    else 'no calendar'
end

-- name: month_of
-- Months of 4, 4 and 5 weeks make up a quarter n: 3 n - 2, 3 n - 1 and 3 n.
create or replace temp macro month_of(practice_day_start, end_day) as
case
    when practice_day_start is not null and end_day is not null
        then printf(
            'month %02d',
            1
            + 3 * floor((practice_day_start + end_day) / 91)::bigint
            + least(
                (
                    practice_day_start + end_day
                    - 91 * floor((practice_day_start + end_day) / 91)::bigint
                ) // 28, 2
            )
        )
    else 'no calendar'
end

-- name: problem_of
-- A problem is the practice's code; of an ICD-10 code the first three characters.
create or replace temp macro problem_of(problem_code) as
coalesce(
    nullif(
        case
            when regexp_matches(problem_code, '^[A-Za-z][0-9]{2}')
                then upper(left(problem_code, 3))
            else problem_code
        end, ''
    ),
    'not given'
)

-- name: spelling_of
-- Codes of an end are compared without regard to capitals, spaces and hyphens.
create or replace temp macro spelling_of(code) as
regexp_replace(lower(trim(code)), '[ -]+', '_', 'g')

-- name: drop_out_codes
create or replace temp table drop_out_codes as
select distinct spelling_of(code) as code from drop_out_spellings

-- name: groups_of_cases
create or replace temp table groups_of_cases as
select
    case_id,
    practice_day_start,
    coalesce(site_id, 'not given') as site,
    problem_of(problem_code) as problem,
    coalesce(age_band, 'not given') as age_band,
    coalesce(sex, 'not given') as sex,
    coalesce(ethnicity, 'not given') as ethnicity
from cases

-- name: primary_measures
-- The measure that stands for a case: it decides wherever no other measure got worse.
create or replace temp table primary_measures as
select case_id, arg_max(decided_by, occasion) as measure_id
from statuses
where measure_id = 'case' and status != 'deteriorating'
group by case_id

-- name: closed_outcomes
create or replace temp table closed_outcomes as
with

closed as (
    select
        case_facts.case_id,
        coalesce(cases.site_id, 'not given') as site_id,
        case_facts.end_reason,
        quarter_of(case_facts.practice_day_start, case_facts.end_day) as period,
        month_of(case_facts.practice_day_start, case_facts.end_day) as month,
        courses.source_case_id
    from case_facts
    inner join courses using (case_id)
    inner join cases on courses.source_case_id = cases.case_id
    where not case_facts.is_open
),

pairs as (
    select
        course_points.case_id,
        course_points.measure_id,
        arg_max(course_points.gain, course_points.occasion) as last_gain,
        any_value(course_points.baseline) as baseline,
        arg_max(course_points.value, course_points.occasion) as last_score
    from course_points
    semi join primary_measures using (case_id, measure_id)
    semi join measure_facts using (measure_id, subscale, rater)
    where
        course_points.subscale = 'total'
        and course_points.has_baseline
        and course_points.occasion >= 1
    group by course_points.case_id, course_points.measure_id
)

select
    closed.case_id,
    closed.source_case_id,
    closed.site_id,
    closed.period,
    closed.month,
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

-- name: ended_cases
-- What is counted of every case whose care has ended. Grain: a course of care that has ended.
with

first_improved as (
    -- sessions attended by the first score that is clearly better; scored days where none are sent
    select
        closed_outcomes.case_id,
        min(coalesce(course_points.sessions_attended, course_points.occasion)) as first_session
    from closed_outcomes
    inner join course_points using (case_id, measure_id)
    semi join measure_facts using (measure_id, subscale, rater)
    inner join measure_names using (measure_id)
    where
        closed_outcomes.is_paired
        and course_points.subscale = 'total'
        and course_points.has_baseline
        and course_points.occasion >= 1
        and course_points.gain >= measure_names.reliable_change
    group by closed_outcomes.case_id
)

select
    closed_outcomes.case_id,
    closed_outcomes.period as quarter,
    closed_outcomes.month,
    groups_of_cases.* exclude (case_id, practice_day_start),
    1 as ended,
    (end_reason is not null)::int as end_known,
    (drop_out_codes.code is not null)::int as dropped_out,
    is_paired::int as paired,
    coalesce(is_paired and is_improved, false)::int as improved,
    coalesce(is_paired and is_deteriorated, false)::int as deteriorated,
    coalesce(is_paired and starts_clinical, false)::int as clinical_at_start,
    coalesce(is_paired and starts_clinical and not ends_clinical, false)::int as recovered,
    coalesce(is_paired and starts_clinical and not ends_clinical and is_improved, false)::int
        as reliably_recovered,
    coalesce(first_session <= 4, false)::int as improved_by_4,
    coalesce(first_session <= 8, false)::int as improved_by_8,
    coalesce(first_session <= 16, false)::int as improved_by_16
from closed_outcomes
inner join groups_of_cases on closed_outcomes.source_case_id = groups_of_cases.case_id
left join first_improved on closed_outcomes.case_id = first_improved.case_id
left join drop_out_codes on spelling_of(closed_outcomes.end_reason) = drop_out_codes.code

-- name: started_cases
-- How long a case waited from referral to the first session it came to. Grain: a case with both.
with

first_sessions as (
    select
        sessions.case_id,
        min(coalesce(sessions.day, sessions.practice_day - groups_of_cases.practice_day_start))
            as first_day
    from sessions
    inner join groups_of_cases using (case_id)
    where sessions.attended and sessions.session >= 1
    group by sessions.case_id
)

select
    cases.case_id,
    quarter_of(cases.practice_day_start, first_day) as quarter,
    month_of(cases.practice_day_start, first_day) as month,
    groups_of_cases.* exclude (case_id, practice_day_start),
    1 as wait_known,
    (first_day - cases.referral_day <= 126)::int as waited_126,
    (first_day - cases.referral_day <= 42)::int as waited_42
from cases
inner join first_sessions using (case_id)
inner join groups_of_cases using (case_id)
where first_day >= cases.referral_day

-- name: offered_sessions
-- Sessions offered, attended, and attended with an outcome score. Grain: a case and month.
with

scored_sessions as (
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
),

dated as (
    select
        sessions.case_id,
        sessions.attended,
        sessions.attended and scored_sessions.case_id is not null as is_scored,
        groups_of_cases.* exclude (case_id, practice_day_start),
        groups_of_cases.practice_day_start,
        coalesce(sessions.day, sessions.practice_day - groups_of_cases.practice_day_start) as day
    from sessions
    left join groups_of_cases using (case_id)
    left join scored_sessions using (case_id, session)
    where sessions.session >= 1
)

select
    case_id,
    quarter_of(practice_day_start, day) as quarter,
    month_of(practice_day_start, day) as month,
    coalesce(site, 'not given') as site,
    coalesce(problem, 'not given') as problem,
    coalesce(age_band, 'not given') as age_band,
    coalesce(sex, 'not given') as sex,
    coalesce(ethnicity, 'not given') as ethnicity,
    count(*)::int as offered,
    count(*) filter (attended)::int as attended,
    count(*) filter (is_scored)::int as scored
from dated
group by all

-- name: status_now
-- Open cases by status. Grain: a site and status.
select
    coalesce(cases.site_id, 'not given') as site,
    current_statuses.status,
    count(*)::bigint as case_count
from current_statuses
inner join case_facts using (case_id)
inner join courses using (case_id)
left join cases on courses.source_case_id = cases.case_id
where current_statuses.measure_id = 'case' and case_facts.is_open
group by all
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
