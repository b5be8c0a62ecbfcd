"""The tables of judgement: what a night concludes, and what is kept for ever."""

from __future__ import annotations

from data_contracts.contract import Column, Layer, Privacy, Table, clinical, technical
from data_contracts.lenses import LENSES_IN_ORDER, STRENGTHS_IN_ORDER
from data_contracts.tables_incoming import CASES, SCORES
from data_contracts.tables_ledger import RUN_ID

STATUSES_IN_ORDER = (
    "deteriorating",
    "stuck",
    "watch",
    "on_track",
    "improved",
    "recovered",
    "cannot_judge",
)
FLAG_KINDS = (
    "safety",
    "deteriorating",
    "stuck",
    "alliance_drop",
    "alliance_low",
    "alliance_ceiling",
)
# What an outlook may be about; models/case_ends.py says what each means.
OUTLOOK_OUTCOMES = ("clinical_without_gain", "reliable_deterioration", "drop_out")
EVENT_KINDS = (
    "sudden_gain",
    "sudden_loss",
    "early_response",
    "alliance_flat",
    "alliance_at_top",
    "alliance_work_behind_bond",
    "alliance_bond_behind_work",
    "alliance_raters_apart",
)


CASE_ID = CASES.column("case_id")
MEASURE_ID = clinical("measure_id", "text", "which measure; 'case' for the case as a whole")
OCCASION = clinical(
    "occasion",
    "bigint",
    "0-based count of scored days from the baseline; negative before it",
    unit="count",
)
CURVES = Table(
    name="curves",
    one_row_is="a fitted expected course",
    layer=Layer.KEPT,
    key=("curve_id",),
    columns=(
        technical("curve_id", "text", "hash of what it was fitted on, and how"),
        technical("measure_id", "text", "the measure"),
        technical("group_name", "text", "which cases: all, for now"),
        technical("clock", "text", "time axis of the fit", values=("session", "day")),
        technical("fit", "text", "the fitted numbers, JSON", nullable=True),
        technical("forecast", "text", "the fitted forecast of later scores, JSON", nullable=True),
        technical("trend", "text", "how levels and slopes vary, JSON", nullable=True),
        technical("note", "text", "why there is no fit, and what stands in", nullable=True),
        technical("case_count", "bigint", "cases it was fitted on", unit="count"),
        technical("score_count", "bigint", "scores it was fitted on", unit="count"),
        technical("data_fingerprint", "text", "hash of the scores it was fitted on"),
        technical("fitted_run_id", "text", "the run that fitted it"),
        technical("is_current", "boolean", "whether nights use it now"),
    ),
)
CHANGE_REFERENCES = Table(
    name="change_references",
    one_row_is="which change is usual on a measure, given how a case began; frozen under its name",
    layer=Layer.KEPT,
    key=("measure_id", "name"),
    note="Learned once from ended cases, and kept until a refit: else every case that ends would "
    "change what is said of all therapists.",
    columns=(
        technical("measure_id", "text", "the measure"),
        technical("name", "text", "the run that learned it"),
        technical("reference", "text", "the learned numbers, JSON"),
        technical("case_count", "bigint", "cases it was learned from", unit="count"),
        technical("is_current", "boolean", "whether nights use it now"),
    ),
)


def _points(name: str, meaning: str) -> Column:
    return clinical(name, "double", meaning, nullable=True, unit="points")


COURSES = Table(
    name="courses",
    one_row_is="a course of care: a sent case, or its part after a long time without contact",
    layer=Layer.JUDGED,
    key=("case_id",),
    columns=(
        CASE_ID,
        Column(
            name="source_case_id",
            type="text",
            privacy=Privacy.PSEUDONYM,
            meaning="the case as it was sent; C-1~2 is its second course",
        ),
        clinical("course", "bigint", "which course, from 1", unit="count"),
        clinical("first_day", "bigint", "day of its first contact", nullable=True),
        clinical("last_day", "bigint", "day of its last contact", nullable=True),
        clinical("is_latest", "boolean", "whether no later course has begun"),
    ),
)

COURSE_POINTS = Table(
    name="course_points",
    one_row_is="a scored day of a case and measure",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id", "subscale", "rater", "occasion"),
    columns=(
        CASE_ID,
        MEASURE_ID,
        SCORES.column("subscale"),
        SCORES.column("rater"),
        OCCASION,
        SCORES.column("clock"),
        SCORES.column("at"),
        SCORES.column("session"),
        SCORES.column("day"),
        clinical("days", "bigint", "days since the baseline", nullable=True, unit="days"),
        clinical("weeks", "double", "weeks since the baseline", nullable=True, unit="weeks"),
        clinical(
            "sessions_attended",
            "bigint",
            "treatment sessions attended up to this score (t of the rule)",
            nullable=True,
            unit="count",
        ),
        clinical("value", "double", "the score"),
        clinical("value_count", "bigint", "different values averaged into it", unit="count"),
        clinical("has_baseline", "boolean", "whether the case has a usable baseline here"),
        _points("baseline", "the baseline score"),
        _points("gain", "better than the baseline, positive is better for every measure"),
        _points("level_gain", "mean gain of the last two scores where they lie close enough"),
        _points("level", "baseline moved by the level gain: what the rule looks at"),
        clinical("is_pair", "boolean", "whether level_gain rests on two scores"),
        _points("clear_change_at", "the score at which the gain is a clear change"),
        _points("expected", "expected score from the baseline alone"),
        _points("band_80_low", "8 in 10 similar cases lie above this"),
        _points("band_80_high", "8 in 10 similar cases lie below this"),
        _points("band_95_low", "95 in 100 similar cases lie above this"),
        _points("band_95_high", "95 in 100 similar cases lie below this"),
        clinical(
            "chance_this_bad",
            "double",
            "chance of a score this bad or worse, given the baseline alone",
            nullable=True,
        ),
        clinical("curve_id", "text", "the curve behind the band", nullable=True),
    ),
)

STATUS = clinical("status", "text", "what the rule says", values=STATUSES_IN_ORDER)
CODE = clinical("code", "text", "which of the rule's conditions held")
TAGS = clinical("tags", "text", "remarks that change no status, comma-separated; may be empty")
RULE_VERSION = technical("rule_version", "text", "version of the rule that said so")

STATUSES = Table(
    name="statuses",
    one_row_is="what the rule says of a case and measure at an occasion",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id", "occasion"),
    columns=(
        CASE_ID,
        MEASURE_ID,
        OCCASION,
        SCORES.column("at"),
        SCORES.column("day"),
        STATUS,
        CODE,
        TAGS,
        clinical("decided_by", "text", "the measure whose status the case took"),
        RULE_VERSION,
        technical("curve_id", "text", "the curve used", nullable=True),
    ),
)

CURRENT_STATUSES = Table(
    name="current_statuses",
    one_row_is="where a case and measure stand on the run's day",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id"),
    columns=(
        CASE_ID,
        MEASURE_ID,
        clinical("occasion", "bigint", "the last scored occasion", unit="count"),
        STATUS,
        CODE,
        TAGS,
        clinical("decided_by", "text", "the measure whose status the case took"),
        clinical("last_status", "text", "status at the last score, also when stale now"),
        clinical("since_occasion", "bigint", "first occasion of this unbroken status"),
        clinical("since_day", "bigint", "its day within the case", nullable=True),
        clinical("last_day", "bigint", "day of the last score", nullable=True),
        clinical("is_open", "boolean", "whether care goes on"),
        clinical("is_verified", "boolean", "whether every number behind it was read in its source"),
        RULE_VERSION,
    ),
)

REASONS = Table(
    name="reasons",
    one_row_is="a reason for a status at an occasion, or for a flag",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id", "occasion", "position"),
    columns=(
        CASE_ID,
        MEASURE_ID,
        OCCASION,
        technical("position", "bigint", "order of reading"),
        clinical("code", "text", "the sentence's name in the wording file"),
        clinical("parameters", "text", "the numbers in it, JSON"),
        clinical("sentence", "text", "the reason in words"),
    ),
)

ALLIANCE_POINTS = Table(
    name="alliance_points",
    one_row_is="an alliance rating with the client's own limits from earlier ratings",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id", "occasion"),
    columns=(
        CASE_ID,
        MEASURE_ID,
        clinical("occasion", "bigint", "0-based count of ratings", unit="count"),
        SCORES.column("at"),
        SCORES.column("session"),
        SCORES.column("day"),
        clinical("value", "double", "the rating"),
        clinical("prior_mean", "double", "mean of the earlier ratings", nullable=True),
        clinical("personal_low", "double", "limit from earlier ratings alone", nullable=True),
        clinical("is_low", "boolean", "the last two ratings at or below the concern line"),
        clinical("is_dropped", "boolean", "below the personal limit and not back since"),
        clinical("ratings_since_drop", "bigint", "ratings since the fall began", unit="count"),
        clinical("is_ceiling", "boolean", "the last four ratings at the top"),
    ),
)

EVENTS = Table(
    name="events",
    one_row_is="something worth seeing in a course; never a reason for a flag",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id", "kind", "occasion"),
    columns=(
        CASE_ID,
        MEASURE_ID,
        clinical("kind", "text", "what happened", values=EVENT_KINDS),
        clinical("occasion", "bigint", "occasion at which it is seen, or began", unit="count"),
        SCORES.column("session"),
        SCORES.column("day"),
        clinical("until_occasion", "bigint", "first occasion without it", nullable=True),
        clinical("until_session", "bigint", "its session", nullable=True),
        clinical("until_day", "bigint", "its day within the case", nullable=True),
        clinical("parameters", "text", "the numbers in the sentence, JSON"),
        clinical("sentence", "text", "the event in words"),
    ),
)

FORECASTS = Table(
    name="forecasts",
    one_row_is="where an open case is heading on a measure, from its scores so far; never a flag",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id"),
    note="Shown beside the course. No status and no flag looks at it.",
    columns=(
        CASE_ID,
        MEASURE_ID,
        clinical("occasion", "bigint", "the last scored occasion: nothing later is used"),
        clinical("ahead", "double", "how far ahead, in the unit of `clock`"),
        clinical("clock", "text", "sessions or weeks", values=("session", "week")),
        _points("expected", "expected score then, from all scores so far"),
        _points("low_80", "8 in 10 such cases lie above this then"),
        _points("high_80", "8 in 10 such cases lie below this then"),
        _points("low_95", "95 in 100 such cases lie above this then"),
        _points("high_95", "95 in 100 such cases lie below this then"),
        _points("gain_asked", "the gain that matters: half a clear change"),
        clinical("gain_ahead", "double", "how far ahead that gain is looked for", nullable=True),
        clinical(
            "little_gain_chance",
            "double",
            "chance that less than that is gained by then",
            nullable=True,
        ),
        clinical("similar_count", "bigint", "similar ended cases", nullable=True, unit="cases"),
        clinical(
            "similar_effective",
            "double",
            "how many equally similar cases would say as much",
            nullable=True,
            unit="cases",
        ),
        _points("similar_expected", "weighted mean of the similar cases then"),
        _points("similar_better", "1 in 10 of them were better than this then"),
        _points("similar_worse", "1 in 10 of them were worse than this then"),
        clinical("sentences", "text", "all of it in words, JSON list"),
        technical("curve_id", "text", "the curve behind it", nullable=True),
    ),
)

OUTLOOKS = Table(
    name="outlooks",
    one_row_is="how an open case may end on a measure, from what is known so far; never a flag",
    layer=Layer.JUDGED,
    key=("case_id", "measure_id", "outcome"),
    note="No status and no flag looks at it. The order of the queue does.",
    columns=(
        CASE_ID,
        MEASURE_ID,
        clinical("outcome", "text", "which end is asked about", values=OUTLOOK_OUTCOMES),
        clinical("occasion", "bigint", "the last scored occasion: nothing later is used"),
        clinical("probability", "double", "chance of that end, 0 to 1", nullable=True),
        clinical("reason", "text", "why there is none, a code", nullable=True),
        clinical("stands_in", "text", "which rule stands in where there is none", nullable=True),
        technical("model_version", "text", "the model behind it", nullable=True),
        clinical("sentence", "text", "the same in words"),
    ),
)

LENSES = Table(
    name="lenses",
    one_row_is="a place to look in an open case in the queue, with what was seen there",
    layer=Layer.JUDGED,
    key=("case_id", "row_id"),
    note="A prompt for a talk. No status and no flag looks at it. What each row looks at, asks and "
    "rests on: lenses.toml. A row without data says so.",
    columns=(
        CASE_ID,
        technical("row_id", "text", "the row of lenses.toml"),
        technical("lens", "text", "the lens it belongs to", values=LENSES_IN_ORDER),
        clinical("position", "bigint", "place among the rows of the case, from 1", unit="count"),
        clinical("is_leading", "boolean", "the first sign behind safety and missing data"),
        clinical(
            "strength",
            "text",
            "how clear the sign is; empty where nothing stands out",
            nullable=True,
            values=STRENGTHS_IN_ORDER,
        ),
        clinical("has_data", "boolean", "whether there were data to look at"),
        technical("is_question_only", "boolean", "whether it is asked and never inferred"),
        clinical("day", "bigint", "last contact it rests on", nullable=True),
        clinical("sentence", "text", "what was seen, in words; may be empty"),
        clinical("parameters", "text", "the numbers in the sentence, JSON"),
    ),
)

FLAGS = Table(
    name="flags",
    one_row_is="an episode of a case being flagged",
    layer=Layer.KEPT,
    key=("flag_id",),
    columns=(
        clinical("flag_id", "text", "hash of case, kind, measure and first occasion"),
        CASE_ID,
        clinical("kind", "text", "what was flagged", values=FLAG_KINDS),
        MEASURE_ID,
        clinical("opened_occasion", "bigint", "occasion of the measure on which it began"),
        clinical("opened_day", "bigint", "its day within the case", nullable=True),
        clinical("closed_occasion", "bigint", "first occasion without it", nullable=True),
        clinical("closed_day", "bigint", "its day within the case", nullable=True),
        technical("opened_run_id", "text", "the run that first saw it"),
        technical("closed_run_id", "text", "the run that saw it gone", nullable=True),
    ),
)

SHOWN = Table(
    name="shown",
    one_row_is="what was published for a case and measure, written when it changes",
    layer=Layer.KEPT,
    key=("case_id", "measure_id", "run_id"),
    columns=(
        CASE_ID,
        MEASURE_ID,
        RUN_ID,
        technical("as_of", "bigint", "the run's day on the practice clock", nullable=True),
        technical("shown_at", "timestamp", "when it was published, UTC"),
        STATUS,
        CODE,
        clinical("kinds", "text", "kinds of open flags, comma-separated; may be empty"),
        clinical("decided_by", "text", "the measure whose status the case took"),
        clinical("is_verified", "boolean", "whether every number behind it was read in its source"),
        clinical("occasion", "bigint", "the last scored occasion", unit="count"),
        clinical("since_occasion", "bigint", "first occasion of this unbroken status"),
        clinical("since_day", "bigint", "its day within the case", nullable=True),
        clinical("first_score", "double", "the baseline", nullable=True),
        clinical("last_score", "double", "the last score", nullable=True),
        clinical("gain", "double", "gain of the last score", nullable=True, unit="points"),
        clinical("sentences", "text", "the reasons in words, JSON list"),
        technical("versions", "text", "rule, curve and contract, JSON"),
    ),
)

JUDGED: tuple[Table, ...] = (
    COURSES,
    COURSE_POINTS,
    STATUSES,
    CURRENT_STATUSES,
    REASONS,
    ALLIANCE_POINTS,
    EVENTS,
    FORECASTS,
    OUTLOOKS,
    LENSES,
)
KEPT: tuple[Table, ...] = (CURVES, CHANGE_REFERENCES, FLAGS, SHOWN)
