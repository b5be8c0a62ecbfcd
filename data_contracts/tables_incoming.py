"""The tables a practice may send. Only scores are needed; each other one opens more lenses."""

from __future__ import annotations

from functools import partial

from data_contracts.contract import Column, Layer, Privacy, Table, clinical


def _case_id() -> Column:
    return Column(
        name="case_id",
        type="text",
        privacy=Privacy.PSEUDONYM,
        meaning="pseudonym of one course of care of one client",
    )


def _therapist_id(*, nullable: bool) -> Column:
    return Column(
        name="therapist_id",
        type="text",
        privacy=Privacy.PSEUDONYM,
        nullable=nullable,
        meaning="pseudonym of a therapist",
    )


def _site_id(*, nullable: bool) -> Column:
    return Column(
        name="site_id",
        type="text",
        privacy=Privacy.QUASI,
        nullable=nullable,
        meaning="short code of a site",
    )


def _session(*, nullable: bool) -> Column:
    return Column(
        name="session",
        type="bigint",
        privacy=Privacy.CLINICAL,
        nullable=nullable,
        minimum=0,
        maximum=2000,
        unit="count",
        meaning="number of the session within the case, as the practice counts it; 1 is the "
        "first treatment session, 0 an assessment before it",
    )


def _day(meaning: str, name: str = "day", *, low: float = -3660, nullable: bool = True) -> Column:
    return Column(
        name=name,
        type="bigint",
        privacy=Privacy.CLINICAL,
        nullable=nullable,
        minimum=low,
        maximum=36600,
        unit="days",
        meaning=meaning,
    )


def _practice_day() -> Column:
    return _day("days since a secret start day shared by all cases of the practice", "practice_day")


def _quasi(name: str, meaning: str) -> Column:
    return Column(name=name, type="text", privacy=Privacy.QUASI, nullable=True, meaning=meaning)


# Most of what a practice sends is optional.
_optional = partial(clinical, nullable=True)

SITES = Table(
    name="sites",
    one_row_is="a site of the practice",
    layer=Layer.INCOMING,
    key=("site_id",),
    columns=(_site_id(nullable=False),),
)

THERAPISTS = Table(
    name="therapists",
    one_row_is="a therapist and who supervises them",
    layer=Layer.INCOMING,
    key=("therapist_id",),
    columns=(
        _therapist_id(nullable=False),
        _site_id(nullable=True),
        Column(
            name="supervisor_id",
            type="text",
            privacy=Privacy.PSEUDONYM,
            nullable=True,
            meaning="pseudonym of the supervisor whose queue holds this therapist's cases",
        ),
    ),
)

CASES = Table(
    name="cases",
    one_row_is="a course of care of one client",
    layer=Layer.INCOMING,
    key=("case_id",),
    note="A case with scores and no row here is open, with everything else unknown.",
    columns=(
        _case_id(),
        _site_id(nullable=True),
        _therapist_id(nullable=True),
        _day("practice day of the case's day 0", "practice_day_start"),
        _day("day of the referral within the case; negative before day 0", "referral_day"),
        _day("day within the case on which care ended; empty while open", "end_day"),
        _optional("end_reason", "text", "how care ended, in the practice's code"),
        _optional(
            "planned_sessions",
            "bigint",
            "sessions agreed at the start",
            minimum=1,
            maximum=2000,
            unit="count",
        ),
        _optional("problem_code", "text", "main problem, in the practice's code or ICD-10"),
        _quasi("age_band", "age at the start, in bands of at least five years"),
        _quasi("sex", "sex or gender as the practice codes it"),
        _quasi("ethnicity", "ethnic group as the practice codes it"),
    ),
)

SESSIONS = Table(
    name="sessions",
    one_row_is="a session offered to a case",
    layer=Layer.INCOMING,
    key=("case_id", "session"),
    columns=(
        _case_id(),
        _session(nullable=False),
        _day("day within the case"),
        _practice_day(),
        _therapist_id(nullable=True),
        clinical("attended", "boolean", "whether the client came"),
        _optional(
            "is_late_cancellation",
            "boolean",
            "whether it was cancelled late, by the practice's own meaning of late",
        ),
    ),
)

SCORES = Table(
    name="scores",
    one_row_is="one questionnaire (or item) filled in for one case at one moment",
    layer=Layer.INCOMING,
    key=("case_id", "measure_id", "subscale", "rater", "clock", "at"),
    note="The current score: different values that one file gives for one key are averaged and "
    "counted; a later file replaces an earlier one.",
    columns=(
        _case_id(),
        clinical("measure_id", "text", "which measure, by the name of its contract"),
        clinical("subscale", "text", "'total', or a subscale or item of it"),
        clinical("rater", "text", "who filled it in: client, clinician, ..."),
        Column(
            name="clock",
            type="text",
            privacy=Privacy.TECHNICAL,
            values=("session", "day"),
            meaning="what `at` counts",
        ),
        _day("when, on that clock", "at", nullable=False),
        clinical("value", "double", "the score, on the measure's own scale"),
        clinical(
            "value_count",
            "bigint",
            "how many different values one file gave for this key",
            minimum=1,
        ),
        _optional(
            "value_at_session",
            "double",
            "of several values on one day, the mean of those taken at a session; empty where "
            "all or none were",
        ),
        _session(nullable=True),
        _day("day within the case"),
        _practice_day(),
    ),
)

HOMEWORK = Table(
    name="homework",
    one_row_is="what was agreed in one session for the time until the next",
    layer=Layer.INCOMING,
    key=("case_id", "session"),
    columns=(
        _case_id(),
        _session(nullable=False),
        clinical("assigned", "boolean", "whether anything was agreed"),
        _optional("done_percent", "double", "share done", minimum=0, maximum=100, unit="per cent"),
        _optional("quality", "double", "how well, 0 not at all to 4 fully", minimum=0, maximum=4),
        _optional(
            "hindrance",
            "text",
            "what got in the way: forgot, no_time, too_big, lost_faith; others count as one",
        ),
    ),
)

SESSION_FOCUS = Table(
    name="session_focus",
    one_row_is="what one session was about",
    layer=Layer.INCOMING,
    key=("case_id", "session"),
    columns=(
        _case_id(),
        _session(nullable=False),
        _optional("focus", "text", "past, present, future, or the practice's own code"),
        _optional("is_agreed", "boolean", "whether this is the focus agreed on"),
    ),
)

LIFE_EVENTS = Table(
    name="life_events",
    one_row_is="an event in a client's life that was noted",
    layer=Layer.INCOMING,
    key=("case_id", "day", "kind"),
    columns=(
        _case_id(),
        _day("day within the case", nullable=False),
        clinical("kind", "text", "code of the event, never free text"),
    ),
)

INCOMING: tuple[Table, ...] = (
    SITES,
    THERAPISTS,
    CASES,
    SESSIONS,
    SCORES,
    HOMEWORK,
    SESSION_FOCUS,
    LIFE_EVENTS,
)
