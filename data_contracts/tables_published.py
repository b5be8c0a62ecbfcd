"""What the screens may open: one file of cases, one of aggregates that managers can see."""

from __future__ import annotations

from dataclasses import replace

from data_contracts.contract import Column, Layer, Privacy, SqlType, Table, clinical, technical
from data_contracts.tables_incoming import CASES, HOMEWORK, SESSIONS, THERAPISTS
from data_contracts.tables_judged import (
    ALLIANCE_POINTS,
    CASE_ID,
    COURSE_POINTS,
    CURRENT_STATUSES,
    EVENTS,
    FLAG_KINDS,
    FLAGS,
    FORECASTS,
    LENSES,
    OUTLOOKS,
    REASONS,
    SHOWN,
    STATUSES,
    STATUSES_IN_ORDER,
)
from data_contracts.tables_ledger import FILES, RUN_COUNTS, RUNS


def _as_published(table: Table) -> Table:
    return replace(table, name=f"published_{table.name}", layer=Layer.CASES)


def _aggregate(
    name: str, kind: SqlType, meaning: str, *, nullable: bool = False, unit: str = ""
) -> Column:
    return Column(
        name=name,
        type=kind,
        privacy=Privacy.AGGREGATE,
        meaning=meaning,
        nullable=nullable,
        unit=unit,
    )


def _figures_after_suppression(share: str) -> tuple[Column, ...]:
    """Return what a row of figures over many cases may say; `share` is what its rate is."""
    return (
        _aggregate("numerator", "bigint", "cases with it, rounded", nullable=True, unit="cases"),
        _aggregate("denominator", "bigint", "cases at all, rounded", nullable=True, unit="cases"),
        _aggregate("rate", "double", share, nullable=True),
        _aggregate("rate_low", "double", "95 % Wilson interval, lower end", nullable=True),
        _aggregate("rate_high", "double", "95 % Wilson interval, upper end", nullable=True),
        _aggregate("is_suppressed", "boolean", "hidden because of small numbers"),
    )


PUBLISHED_CASES = Table(
    name="published_cases",
    one_row_is="a case as the supervisor meets it",
    layer=Layer.CASES,
    key=("case_id",),
    columns=(
        CASE_ID,
        *(column for column in CASES.columns if column.name != "case_id"),
        THERAPISTS.column("supervisor_id"),
        clinical("primary_measure_id", "text", "the measure that stands for it", nullable=True),
        clinical("sessions_attended", "bigint", "treatment sessions attended", nullable=True),
        clinical("last_session", "bigint", "number of the last session attended", nullable=True),
        clinical("last_contact_day", "bigint", "day of the last contact", nullable=True),
        clinical("days_since_contact", "bigint", "up to the run's day", nullable=True, unit="days"),
        clinical("is_open", "boolean", "whether care goes on"),
        clinical(
            "closed_class", "text", "outcome by the published rule; closed only", nullable=True
        ),
    ),
)

PUBLISHED_QUEUE = Table(
    name="published_queue",
    one_row_is="an open case worth talking about (or to keep an eye on), worst need first",
    layer=Layer.CASES,
    key=("case_id",),
    columns=(
        technical(
            "position", "bigint", "place in the whole practice's queue, from 1: safety, then need"
        ),
        CASE_ID,
        CASES.column("therapist_id"),
        THERAPISTS.column("supervisor_id"),
        CASES.column("site_id"),
        clinical("kind", "text", "what leads", values=(*FLAG_KINDS, "watch", "outlook")),
        clinical("kinds", "text", "everything open, comma-separated"),
        clinical("is_flagged", "boolean", "false for those on watch, or there by their outlook"),
        clinical("measure_id", "text", "the measure that leads"),
        clinical("measure_name", "text", "its name as a clinician says it"),
        clinical("status", "text", "status of the case", values=STATUSES_IN_ORDER),
        clinical("code", "text", "code of the status"),
        clinical("sentence", "text", "why, in one sentence"),
        clinical("also", "text", "what the other measures say, in words; may be empty"),
        clinical("sparkline", "text", "outcome scores of the measure that decides, JSON list"),
        clinical("scale_minimum", "double", "lowest possible score"),
        clinical("scale_maximum", "double", "highest possible score"),
        clinical("since_occasion", "bigint", "occasion on which it was flagged", nullable=True),
        clinical("since_session", "bigint", "session on which it was flagged", nullable=True),
        clinical("since_day", "bigint", "day within the case", nullable=True),
        clinical("sessions_attended", "bigint", "treatment sessions attended", nullable=True),
        clinical(
            "days_since_contact", "bigint", "days since last seen", nullable=True, unit="days"
        ),
        clinical("is_verified", "boolean", "whether every number behind it was read in its source"),
        clinical("need", "double", "probability x severity x unseen; docs/need.md"),
        clinical("probability", "double", "chance of a bad end, 0 to 1"),
        clinical(
            "probability_from",
            "text",
            "outlook; else the status rule stands in: by the back-test here, or chosen",
            values=("outlook", "backtest", "chosen"),
        ),
        clinical("severity", "double", "how far from well, 1 to 3"),
        clinical("unseen", "double", "how long not talked about, 1 to 2"),
        clinical("need_words", "text", "why it stands at its place, in words"),
    ),
)

PUBLISHED_MEASURES = Table(
    name="published_measures",
    one_row_is="a measure in use, as the charts and the small print need it",
    layer=Layer.CASES,
    key=("measure_id", "subscale"),
    columns=(
        technical("measure_id", "text", "the measure"),
        technical("subscale", "text", "'total', or a subscale or item"),
        technical("name", "text", "as a clinician says it"),
        technical("role", "text", "outcome, alliance or process"),
        technical("rater", "text", "who fills it in: scores by others are not judged"),
        technical("higher_is", "text", "worse or better"),
        technical("minimum", "double", "lowest possible score"),
        technical("maximum", "double", "highest possible score"),
        technical("cutoff", "double", "last score still in the clinical range", nullable=True),
        technical("reliable_change", "double", "clear change", nullable=True, unit="points"),
        technical("concern_line", "double", "alliance: low at or below this", nullable=True),
        technical("is_safety", "boolean", "whether it is shown raw with the local protocol"),
        technical("is_verified", "boolean", "whether its numbers were read in their sources"),
        technical("sources", "text", "where its numbers come from, in words"),
    ),
)

PUBLISHED_TRENDS = Table(
    name="published_trends",
    one_row_is="a figure for a period and group, after suppression",
    layer=Layer.AGGREGATES,
    key=("figure", "period", "site_id", "category"),
    note="Counts of few people are hidden, others rounded; rates and intervals come from the "
    "rounded counts.",
    columns=(
        _aggregate("figure", "text", "what is counted: status_mix, reliable_improvement, ..."),
        _aggregate("period", "text", "quarter or month on the practice clock, 'all', or 'now'"),
        _aggregate("site_id", "text", "site, or 'all'; months are there for 'all' only"),
        _aggregate("category", "text", "category within the figure, or 'all'"),
        *_figures_after_suppression("share"),
    ),
)

PUBLISHED_TREND_GROUPS = Table(
    name="published_trend_groups",
    one_row_is="a figure for a group of cases by problem, age, sex or ethnicity, after suppression",
    layer=Layer.AGGREGATES,
    key=("figure", "dimension", "group_id", "period"),
    note="Suppressed together with published_trends: what either shows gives no small count of the "
    "other away. In order of codes, never a rank.",
    columns=(
        _aggregate("figure", "text", "what is counted, as in published_trends"),
        _aggregate("dimension", "text", "problem, age_band, sex or ethnicity"),
        _aggregate("group_id", "text", "the practice's code, 'not given' or 'other groups'"),
        _aggregate("period", "text", "'all'; of problems also quarters"),
        *_figures_after_suppression("share"),
    ),
)

PUBLISHED_FUNNEL = Table(
    name="published_funnel",
    one_row_is="a site's share beside what chance alone would let it be, in order of sites",
    layer=Layer.AGGREGATES,
    key=("figure", "site_id"),
    note="From the rounded counts of published_trends; sites whose share is hidden are not there. "
    "Never a rank: cases of sites differ in how they began.",
    columns=(
        _aggregate("figure", "text", "what is counted, as in published_trends"),
        _aggregate("site_id", "text", "site"),
        _aggregate("denominator", "bigint", "cases at all, rounded", unit="cases"),
        _aggregate("rate", "double", "share"),
        _aggregate("practice_rate", "double", "share of the whole practice"),
        _aggregate("low_95", "double", "95 % limit of the funnel, lower"),
        _aggregate("high_95", "double", "95 % limit of the funnel, upper"),
        _aggregate("low_998", "double", "99.8 % limit of the funnel, lower"),
        _aggregate("high_998", "double", "99.8 % limit of the funnel, upper"),
        _aggregate("place", "text", "inside, beyond 95 %, beyond 99.8 %"),
    ),
)

PUBLISHED_TALKING_THERAPIES = Table(
    name="published_talking_therapies",
    one_row_is="a figure of England's official outcomes for a period, after suppression",
    layer=Layer.AGGREGATES,
    key=("figure", "period", "category"),
    note="Counts of few people are hidden, others rounded; within the table no hidden count can be "
    "worked out from shown ones. Shares come from the counts before rounding, in whole per cent.",
    columns=(
        _aggregate("figure", "text", "what is counted: recovery, reliable_improvement, ..."),
        _aggregate("period", "text", "quarter on the practice clock by the end of care, or 'all'"),
        _aggregate("category", "text", "reason or anxiety measure within the figure, or 'all'"),
        *_figures_after_suppression("share, in whole per cent"),
    ),
)

PUBLISHED_CASELOAD = Table(
    name="published_caseload",
    one_row_is="what came of a therapist's ended cases, given how they began; in order of ids",
    layer=Layer.CASES,
    key=("therapist_id",),
    note="Never a rank. Nothing is said of a therapist with few cases, or whose number others give "
    "away. Effects are severity adjusted, in standard deviations of the first score; positive is "
    "better. For the therapist and their supervisor only.",
    columns=(
        THERAPISTS.column("therapist_id"),
        clinical("site_id", "text", "where most of the cases are", nullable=True),
        clinical("case_count", "bigint", "ended cases, rounded", nullable=True, unit="cases"),
        clinical("mean_saes", "double", "their mean effect as it is", nullable=True),
        clinical("effect", "double", "difference from the mean of all, shrunken", nullable=True),
        clinical("effect_low", "double", "95 % interval, lower end", nullable=True),
        clinical("effect_high", "double", "95 % interval, upper end", nullable=True),
        clinical("funnel", "text", "inside, beyond 95 %, beyond 99.8 %", nullable=True),
        clinical("mean_of_all", "double", "mean effect of all therapists' cases", nullable=True),
        clinical("funnel_low_95", "double", "95 % limit for so many cases", nullable=True),
        clinical("funnel_high_95", "double", "its upper limit", nullable=True),
        clinical("funnel_low_998", "double", "99.8 % limit for so many cases", nullable=True),
        clinical("funnel_high_998", "double", "its upper limit", nullable=True),
        clinical("is_suppressed", "boolean", "hidden because of small numbers"),
        technical("reference_name", "text", "the run whose reference is used"),
    ),
)

PUBLISHED_THERAPIST_LENSES = Table(
    name="published_therapist_lenses",
    one_row_is="what a lens row about therapists says of one of them; in order of ids",
    layer=Layer.CASES,
    key=("therapist_id", "row_id"),
    note="Never a rank, and never from few cases. For the therapist and their supervisor only, "
    "beside published_caseload.",
    columns=(
        THERAPISTS.column("therapist_id"),
        technical("row_id", "text", "the row of lenses.toml"),
        clinical("case_count", "bigint", "cases with ratings, rounded", nullable=True),
        clinical("effect", "double", "difference from all, shrunken, of 100 cases", nullable=True),
        clinical("effect_low", "double", "95 % interval, lower end", nullable=True),
        clinical("effect_high", "double", "95 % interval, upper end", nullable=True),
        clinical("sentence", "text", "the same in words; empty where nothing is shown"),
        clinical("is_suppressed", "boolean", "hidden because of small numbers"),
    ),
)

PUBLISHED_FOLLOW_UP = Table(
    name="published_follow_up",
    one_row_is="what followed flags of a kind, in a group of cases, after suppression",
    layer=Layer.AGGREGATES,
    key=("figure", "kind", "group_id", "category"),
    note="Described, not tried: who is talked about is chosen. A case counts once within a kind, "
    "with its first flag of it; followed for 84 days from 14 days after it was on a screen.",
    columns=(
        _aggregate("figure", "text", "what is counted: flagged, went_on, decided, useful, ..."),
        _aggregate("kind", "text", "kind of flag"),
        _aggregate("group_id", "text", "reviewed, not_reviewed, not_shown; a decision; or 'all'"),
        _aggregate("category", "text", "how it went on, or 'all'"),
        *_figures_after_suppression("share"),
        _aggregate(
            "middle",
            "double",
            "median of what the figure measures: gain to the fourth score (in clear changes), or "
            "weeks to the next; only of 20 cases or more",
            nullable=True,
        ),
        _aggregate("low_quarter", "double", "a quarter lies below this", nullable=True),
        _aggregate("high_quarter", "double", "a quarter lies above this", nullable=True),
    ),
)

PUBLISHED_QUARANTINE = Table(
    name="published_quarantine",
    one_row_is="how many rows of a file one rule set aside",
    layer=Layer.AGGREGATES,
    key=("path", "rule_id", "column_name"),
    columns=(
        technical("path", "text", "path below the source folder"),
        technical("rule_id", "text", "the rule"),
        technical("column_name", "text", "the column, in the source's words; may be empty"),
        technical("severity", "text", "row, file or warning"),
        technical("explanation", "text", "what is wrong and what to do"),
        technical("row_count", "bigint", "rows", unit="count"),
        technical("first_line", "bigint", "first of them"),
        technical("received_run_id", "text", "the run that set them aside"),
    ),
)

_ABOUT_MODEL = (
    technical("measure_id", "text", "the measure"),
    technical("outcome", "text", "the end it gives a chance of, such as drop_out"),
    technical("version", "text", "version of the model; sorts by time"),
)
PUBLISHED_MODELS = Table(
    name="published_models",
    one_row_is="a model in use",
    layer=Layer.AGGREGATES,
    key=("measure_id", "outcome"),
    note="Its card lies beside its file in the home (docs/models_in_use.md).",
    columns=(
        *_ABOUT_MODEL,
        technical("measure_name", "text", "the measure as a clinician says it"),
        technical("outcome_words", "text", "how cases end that end so"),
        technical("in_use_since", "timestamp", "since when it is in use, UTC", nullable=True),
        _aggregate(
            "case_count",
            "bigint",
            "ended cases it learned from, rounded",
            nullable=True,
            unit="cases",
        ),
        technical("landmark", "text", "where its figure was taken: occasion_4", nullable=True),
        _aggregate("auc", "double", "area under the curve out of sample", nullable=True),
        _aggregate("auc_low", "double", "95 % interval, lower end", nullable=True),
        _aggregate("auc_high", "double", "95 % interval, upper end", nullable=True),
        technical(
            "concern",
            "text",
            "what is the matter: '' (nothing), inputs, calibration, unusable, unknown",
        ),
        technical("sentence", "text", "which model it is, in words"),
        technical("advice", "text", "what to do, with the command"),
    ),
)
PUBLISHED_DRIFT = Table(
    name="published_drift",
    one_row_is="something a model in use rests on, beside what it was at the training",
    layer=Layer.AGGREGATES,
    key=("measure_id", "outcome", "kind", "feature"),
    note="Sources of the figures and their limits: models/drift.py.",
    columns=(
        *_ABOUT_MODEL,
        technical("kind", "text", "inputs (all), input (one of them) or calibration"),
        technical("feature", "text", "the input; empty for all of them"),
        technical("feature_words", "text", "the same in words"),
        _aggregate(
            "case_count", "bigint", "cases it is seen in, rounded", nullable=True, unit="cases"
        ),
        _aggregate(
            "value",
            "double",
            "input: population stability index; calibration: observed less "
            "expected share of such ends",
            nullable=True,
        ),
        _aggregate("low", "double", "calibration: 99 % interval, lower end", nullable=True),
        _aggregate(
            "high",
            "double",
            "input: what chance alone gives; calibration: upper end",
            nullable=True,
        ),
        _aggregate(
            "share_then",
            "double",
            "input: share not known at the training; calibration: mean "
            "squared error (Brier) out of sample at the training",
            nullable=True,
        ),
        _aggregate("share_now", "double", "the same now", nullable=True),
        technical("verdict", "text", "what is concluded, a code"),
        technical("sentence", "text", "the same in words; empty for a single input"),
    ),
)

_CASE_TABLES = (
    COURSE_POINTS,
    STATUSES,
    CURRENT_STATUSES,
    REASONS,
    ALLIANCE_POINTS,
    EVENTS,
    FORECASTS,
    OUTLOOKS,
    LENSES,
    FLAGS,
    SHOWN,
)

PUBLISHED_FILES = replace(
    FILES,
    name="published_files",
    layer=Layer.AGGREGATES,
    note="landed = accepted + duplicate + superseded + quarantined + withdrawn",
    columns=(
        *FILES.columns,
        technical("accepted", "bigint", "rows in force now", unit="count"),
        technical("superseded", "bigint", "rows a later file replaced", unit="count"),
        technical("withdrawn", "bigint", "rows the practice took back", unit="count"),
    ),
)

PUBLISHED_FOR_CASES: tuple[Table, ...] = (
    PUBLISHED_CASES,
    PUBLISHED_QUEUE,
    PUBLISHED_CASELOAD,
    PUBLISHED_THERAPIST_LENSES,
    PUBLISHED_MEASURES,
    *(_as_published(table) for table in _CASE_TABLES),
    _as_published(SESSIONS),
    _as_published(HOMEWORK),
    _as_published(THERAPISTS),
    _as_published(RUNS),
)
PUBLISHED_FOR_ALL: tuple[Table, ...] = (
    PUBLISHED_TRENDS,
    PUBLISHED_TREND_GROUPS,
    PUBLISHED_FUNNEL,
    PUBLISHED_TALKING_THERAPIES,
    PUBLISHED_FOLLOW_UP,
    PUBLISHED_MODELS,
    PUBLISHED_DRIFT,
    PUBLISHED_QUARANTINE,
    replace(PUBLISHED_MEASURES, layer=Layer.AGGREGATES),
    replace(RUNS, name="published_runs", layer=Layer.AGGREGATES),
    replace(RUN_COUNTS, name="published_run_counts", layer=Layer.AGGREGATES),
    PUBLISHED_FILES,
)
