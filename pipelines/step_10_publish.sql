-- Step 10, publish. In: everything judged. Out: shown (kept), and the frames of the two snapshots.
-- Grain by contract (tables_published.py).

-- name: shown_now
create or replace temp table shown_now as
with

open_kinds as (
    select case_id, string_agg(distinct kind, ',' order by kind) as kinds
    from flags
    where closed_run_id is null
    group by case_id
),

last_points as (
    select
        case_id,
        measure_id,
        any_value(baseline) as first_score,
        arg_max(value, occasion) as last_score,
        arg_max(gain, occasion) as gain
    from course_points
    semi join measure_facts using (measure_id, subscale, rater)
    where subscale = 'total'
    group by case_id, measure_id
),

last_said as (
    -- the sentences of each measure (and item) at its last occasion
    select *
    from reasons
    qualify occasion = max(occasion) over (partition by case_id, measure_id)
),

told as (
    -- a measure tells its own; a case its own, those of the measure that decides, and its flags'
    select
        current_statuses.case_id,
        current_statuses.measure_id,
        case when last_said.measure_id = 'case' then 0 else 1 end as turn,
        last_said.position,
        last_said.sentence
    from current_statuses
    inner join last_said
        on
            current_statuses.case_id = last_said.case_id
            and (
                current_statuses.measure_id = last_said.measure_id
                or (
                    current_statuses.measure_id = 'case'
                    and current_statuses.decided_by = last_said.measure_id
                    and last_said.code != 'cannot_judge.stale'
                )
            )
    where
        last_said.measure_id != 'case'
        or last_said.occasion = current_statuses.occasion
    union all
    select
        flags.case_id,
        'case' as measure_id,
        2 as turn,
        last_said.position,
        last_said.sentence
    from flags
    inner join last_said using (case_id, measure_id)
    where
        flags.closed_run_id is null
        and (flags.kind = 'safety' or flags.kind like 'alliance%')
        and last_said.code in (flags.kind, 'leaves_' || flags.kind, 'unverified_' || flags.kind)
),

said as (
    select
        case_id,
        measure_id,
        to_json(list(sentence order by turn, position, sentence))::text as sentences
    from told
    group by case_id, measure_id
)

select
    current_statuses.case_id,
    current_statuses.measure_id,
    current_statuses.status,
    current_statuses.code,
    case when current_statuses.measure_id = 'case' then coalesce(open_kinds.kinds, '') else '' end
        as kinds,
    current_statuses.occasion,
    current_statuses.since_occasion,
    current_statuses.since_day,
    last_points.first_score,
    last_points.last_score,
    last_points.gain,
    current_statuses.decided_by,
    current_statuses.is_verified,
    coalesce(said.sentences, '[]') as sentences
from current_statuses
left join open_kinds using (case_id)
left join last_points
    on
        current_statuses.case_id = last_points.case_id
        and current_statuses.decided_by = last_points.measure_id
left join said
    on
        current_statuses.case_id = said.case_id
        and current_statuses.measure_id = said.measure_id
union all
-- no outcome score yet, but a flag
select
    flags.case_id,
    'case' as measure_id,
    'cannot_judge' as status,
    'no_score' as code,
    any_value(open_kinds.kinds) as kinds,
    -1 as occasion,
    min(flags.opened_occasion) as since_occasion,
    min(flags.opened_day) as since_day,
    null as first_score,
    null as last_score,
    null as gain,
    min(flags.measure_id) as decided_by,
    false as is_verified,
    any_value(coalesce(said.sentences, '[]')) as sentences
from flags
inner join open_kinds using (case_id)
left join said on flags.case_id = said.case_id and said.measure_id = 'case'
where
    flags.closed_run_id is null
    and flags.case_id not in (select case_id from current_statuses where measure_id = 'case')
group by flags.case_id

-- name: keep_shown
-- A row only where something changed since it was last shown.
insert into shown by name
with

last_shown as (
    select *
    from shown
    qualify row_number() over (partition by case_id, measure_id order by run_id desc) = 1
),

changed as (
    select shown_now.*
    from shown_now
    left join last_shown using (case_id, measure_id)
    where
        last_shown.case_id is null
        or (
            shown_now.status, shown_now.code, shown_now.kinds, shown_now.occasion,
            shown_now.since_occasion, shown_now.sentences
        ) is distinct from (
            last_shown.status, last_shown.code, last_shown.kinds, last_shown.occasion,
            last_shown.since_occasion, last_shown.sentences
        )
        or shown_now.last_score is distinct from last_shown.last_score
        or shown_now.first_score is distinct from last_shown.first_score
    union all
    -- what was taken back is shown no longer
    select
        case_id,
        measure_id,
        'cannot_judge' as status,
        'withdrawn' as code,
        '' as kinds,
        occasion,
        since_occasion,
        since_day,
        null as first_score,
        null as last_score,
        null as gain,
        decided_by,
        is_verified,
        '[]' as sentences
    from last_shown
    anti join shown_now using (case_id, measure_id)
    where last_shown.code != 'withdrawn'
)

select
    changed.*,
    $run_id as run_id,
    $as_of as as_of,
    $shown_at as shown_at,
    $versions as versions
from changed

-- name: published_files
select
    files.*,
    coalesce(sum(counted.row_count) filter (counted.state = 'accepted'), 0)::bigint as accepted,
    coalesce(sum(counted.row_count) filter (counted.state = 'superseded'), 0)::bigint as superseded,
    coalesce(sum(counted.row_count) filter (counted.state = 'withdrawn'), 0)::bigint as withdrawn
from files
left join ({version_counts}) as counted using (file_id)
group by all
order by files.position

-- name: published_cases
select
    courses.case_id,
    coalesce(cases.site_id, therapists.site_id) as site_id,
    cases.therapist_id,
    case_facts.practice_day_start,
    cases.referral_day,
    case_facts.end_day,
    case_facts.end_reason,
    cases.planned_sessions,
    cases.problem_code,
    cases.age_band,
    cases.sex,
    cases.ethnicity,
    therapists.supervisor_id,
    standing.decided_by as primary_measure_id,
    case_facts.sessions_attended,
    case_facts.last_session,
    case_facts.last_contact_day,
    case when case_facts.is_open and case_facts.today is not null
        then greatest(case_facts.today - case_facts.last_contact_day, 0) end as days_since_contact,
    case_facts.is_open,
    case
        when case_facts.is_open then null
        when closed_outcomes.is_paired is distinct from true then 'not paired'
        when closed_outcomes.is_improved and closed_outcomes.starts_clinical
            and not closed_outcomes.ends_clinical then 'recovered'
        when closed_outcomes.is_improved then 'improved'
        when closed_outcomes.is_deteriorated then 'deteriorated'
        else 'unchanged'
    end as closed_class
from courses
inner join case_facts using (case_id)
left join cases on courses.source_case_id = cases.case_id
left join therapists on cases.therapist_id = therapists.therapist_id
left join (select * from current_statuses where measure_id = 'case') as standing
    on courses.case_id = standing.case_id
left join closed_outcomes on courses.case_id = closed_outcomes.case_id
order by courses.case_id
