"""How good are the flags here? What the evidence snapshot promises: aggregates alone, no case.

Every table names the measure and the outcome a number is about. Counts are hidden and rounded by
models/shown_backtest.py before they come here.
"""

from __future__ import annotations

from data_contracts.contract import Column, Layer, Privacy, SqlType, Table, technical


def _figure(
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


_ABOUT = (
    technical("measure_id", "text", "the measure"),
    technical("outcome", "text", "the end asked about, such as clinical_without_gain"),
)
_LANDMARK = technical("landmark", "text", "when the rules were asked: occasion_4, day_28")
_RULE = technical("rule", "text", "the rule asked: status_rule, outlook, naive_two_score, ...")
_TWO_RULES = (
    technical("first_rule", "text", "one rule"),
    technical("second_rule", "text", "the rule beside it"),
)
_POSITION = technical("position", "bigint", "order, from 0")
_IS_SUPPRESSED = _figure("is_suppressed", "boolean", "hidden because of small numbers")
_VALUE = (
    _figure("value", "double", "the figure; null where there is none", nullable=True),
    _figure("low", "double", "95 % interval, lower end", nullable=True),
    _figure("high", "double", "95 % interval, upper end", nullable=True),
)


def _cases(name: str, meaning: str) -> Column:
    return _figure(name, "bigint", f"{meaning}, rounded", nullable=True, unit="cases")


EVIDENCE_BACKTESTS = Table(
    name="evidence_backtests",
    one_row_is="a back-test: a measure and an outcome",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome"),
    columns=(
        *_ABOUT,
        technical("measure_name", "text", "the measure as a clinician says it"),
        technical("outcome_words", "text", "the outcome in words: 'ended ... without ...'"),
        technical("is_primary", "boolean", "whether it is the outcome the screens begin with"),
        _cases("case_count", "past cases with a known end"),
        _cases("bad_count", "of them, those that ended so"),
        _figure("base_rate", "double", "share of them, from the rounded counts", nullable=True),
        technical("split_kind", "text", "calendar or cross_validation"),
        technical("split_words", "text", "how no case was judged by what was learned from it"),
        _figure("days_covered", "bigint", "from the first start to the last", nullable=True),
        technical("made_at", "timestamp", "when the evidence was made, UTC"),
        technical("notes", "text", "what else must be known to read it, JSON list of sentences"),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_LANDMARKS = Table(
    name="evidence_landmarks",
    one_row_is="a moment at which the rules were asked, and what became of the cases",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "landmark"),
    columns=(
        *_ABOUT,
        _LANDMARK,
        _POSITION,
        technical("kind", "text", "what is counted", values=("occasion", "day")),
        technical("at", "bigint", "which of them"),
        technical("landmark_words", "text", "the same in words"),
        technical("later_scores", "bigint", "later scores asked for at least", nullable=True),
        _cases("at_risk", "cases that were there"),
        _cases("known", "cases whose end is known"),
        _cases("unknown", "cases whose end is not known"),
        _cases("bad", "cases that ended so"),
        _figure("base_rate", "double", "share of those known", nullable=True),
        _figure(
            "base_rate_if_unknown_good",
            "double",
            "the same of all, if none of the others ended so",
            nullable=True,
        ),
        _figure(
            "base_rate_if_unknown_bad",
            "double",
            "the same of all, if all of the others ended so",
            nullable=True,
        ),
        _cases("dropped_out", "cases that dropped out later"),
        _cases("dropped_out_of_known", "of them, those whose end is known"),
        _cases("ended_otherwise", "cases with a known end whose care ended in another way"),
        _cases("reviewed", "cases talked about after a flag; reported apart"),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_FIGURES = Table(
    name="evidence_figures",
    one_row_is="a figure of a rule at a moment",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "rule", "landmark", "figure"),
    note="Shares come from the rounded counts (Wilson 95 %); auc, brier and calibration from the "
    "scores (95 % by bootstrap of cases), to two decimals.",
    columns=(
        *_ABOUT,
        _RULE,
        _LANDMARK,
        technical("figure", "text", "auc, sensitivity, ppv, flagged, true_alarms, ..."),
        *_VALUE,
        _cases("case_count", "cases the figure is of"),
        _IS_SUPPRESSED,
        technical("reason", "text", "why there is no figure", nullable=True),
    ),
)

EVIDENCE_PAIRED = Table(
    name="evidence_paired",
    one_row_is="a difference of two rules on the same cases",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "landmark", "first_rule", "second_rule", "figure"),
    columns=(
        *_ABOUT,
        _LANDMARK,
        *_TWO_RULES,
        technical("figure", "text", "of which figure, such as auc"),
        _figure("difference", "double", "first less second", nullable=True),
        _figure("low", "double", "95 % interval by case, lower end", nullable=True),
        _figure("high", "double", "95 % interval by case, upper end", nullable=True),
        technical(
            "verdict",
            "text",
            "whether chance alone could be the difference",
            values=("higher", "lower", "could be chance", "not known"),
        ),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_CALIBRATION = Table(
    name="evidence_calibration",
    one_row_is="cases with much the same predicted probability",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "rule", "landmark", "position"),
    columns=(
        *_ABOUT,
        _RULE,
        _LANDMARK,
        _POSITION,
        _figure("low", "double", "lowest probability", nullable=True),
        _figure("high", "double", "highest probability", nullable=True),
        _cases("case_count", "cases"),
        _figure("mean_probability", "double", "mean of what was predicted", nullable=True),
        _figure("share_bad", "double", "share that ended so, from rounded counts", nullable=True),
        _figure("share_low", "double", "95 % Wilson interval, lower end", nullable=True),
        _figure("share_high", "double", "95 % Wilson interval, upper end", nullable=True),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_AGREEMENT = Table(
    name="evidence_agreement",
    one_row_is="how two rules flag the same cases",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "landmark", "first_rule", "second_rule"),
    columns=(
        *_ABOUT,
        _LANDMARK,
        *_TWO_RULES,
        _cases("flagged_by_both", "flagged by both"),
        _cases("flagged_by_first", "by the first alone"),
        _cases("flagged_by_second", "by the second alone"),
        _cases("flagged_by_neither", "by neither"),
        _figure("kappa", "double", "agreement beyond chance (Cohen)", nullable=True),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_SUBGROUPS = Table(
    name="evidence_subgroups",
    one_row_is="a figure of a rule in a group of cases",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "landmark", "rule", "dimension", "group_id", "figure"),
    note="In the order of codes, never a rank.",
    columns=(
        *_ABOUT,
        _LANDMARK,
        _RULE,
        technical("dimension", "text", "site_id, sex, age_band, ethnicity or baseline_severity"),
        _figure("group_id", "text", "the practice's code"),
        technical("figure", "text", "auc, sensitivity, ..."),
        *_VALUE,
        _cases("case_count", "cases of the group"),
        _cases("bad_count", "of them, those that ended so"),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_COHORTS = Table(
    name="evidence_cohorts",
    one_row_is="cases that started in one half-year of the practice clock, and how they ended",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "position"),
    columns=(
        *_ABOUT,
        _POSITION,
        _figure("started_from", "bigint", "first practice day of a start"),
        _figure("started_to", "bigint", "last practice day of a start"),
        _cases("case_count", "cases that started"),
        _cases("known_count", "of them, those whose end is known"),
        _cases("bad_count", "of those, the ones that ended so"),
        _figure("base_rate", "double", "share of those known", nullable=True),
        _figure("base_rate_low", "double", "95 % Wilson interval, lower end", nullable=True),
        _figure("base_rate_high", "double", "95 % Wilson interval, upper end", nullable=True),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_COURSE = Table(
    name="evidence_course",
    one_row_is="a figure of a rule over whole courses",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "rule", "figure"),
    columns=(
        *_ABOUT,
        _RULE,
        technical("figure", "text", "ever_flagged_share, lead_occasions_mean, ..."),
        *_VALUE,
        _cases("case_count", "cases the figure is of"),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_BUDGET = Table(
    name="evidence_budget",
    one_row_is="what talking about so many cases a week would find and miss",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "cases_a_week"),
    note="Hidden and rounded by models/alarm_budget.py, which makes it.",
    columns=(
        *_ABOUT,
        _figure("cases_a_week", "bigint", "cases that can be talked about", unit="cases a week"),
        technical("unit", "text", "by whom: 'supervisor', or for '30_open_cases'"),
        _figure("threshold", "double", "probability from which on it flags", nullable=True),
        _figure("flags_a_week", "double", "flags a week at that threshold", nullable=True),
        _cases("case_count", "cases it stands on"),
        _cases("bad_count", "of them, those that ended so"),
        _cases("reviewed_count", "cases left out, reviewed after a flag"),
        _figure("ever_flagged", "double", "share ever flagged", nullable=True),
        _figure("sensitivity", "double", "share of those that ended so, flagged", nullable=True),
        _figure("sensitivity_low", "double", "95 % interval, lower end", nullable=True),
        _figure("sensitivity_high", "double", "95 % interval, upper end", nullable=True),
        _figure("ppv", "double", "share of the flagged that ended so", nullable=True),
        _figure("ppv_low", "double", "95 % interval, lower end", nullable=True),
        _figure("ppv_high", "double", "95 % interval, upper end", nullable=True),
        _figure("missed_in_ten", "bigint", "of ten that ended so, not flagged", nullable=True),
        _figure("caught_in_ten", "bigint", "of ten that ended so, flagged", nullable=True),
        _figure("ended_so_in_ten", "bigint", "of ten flagged, ended so", nullable=True),
        _figure("lead_weeks", "double", "weeks from flag to end, mean", nullable=True),
        _figure("lead_occasions", "double", "scores from flag to end, mean", nullable=True),
        _figure("sentence", "text", "the same in words", nullable=True),
        _IS_SUPPRESSED,
    ),
)

EVIDENCE_SENTENCES = Table(
    name="evidence_sentences",
    one_row_is="a sentence about a rule at a moment, in the order in which it is read",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome", "rule", "landmark", "position"),
    columns=(
        *_ABOUT,
        _RULE,
        _LANDMARK,
        _POSITION,
        technical("code", "text", "which sentence of [alert] in wording.toml"),
        _figure("is_answer", "boolean", "false where it says that too few are known to say it"),
        _figure("sentence", "text", "the sentence"),
    ),
)

EVIDENCE_MODELS = Table(
    name="evidence_models",
    one_row_is="a card of a model in use",
    layer=Layer.EVIDENCE,
    key=("measure_id", "outcome"),
    columns=(
        *_ABOUT,
        technical("version", "text", "version of the model"),
        technical("trained_at", "timestamp", "when it was fitted, UTC", nullable=True),
        _figure("card_markdown", "text", "the card, for people"),
        _figure("card_json", "text", "the card, for programs"),
    ),
)

EVIDENCE: tuple[Table, ...] = (
    EVIDENCE_BACKTESTS,
    EVIDENCE_LANDMARKS,
    EVIDENCE_FIGURES,
    EVIDENCE_PAIRED,
    EVIDENCE_CALIBRATION,
    EVIDENCE_AGREEMENT,
    EVIDENCE_SUBGROUPS,
    EVIDENCE_COHORTS,
    EVIDENCE_COURSE,
    EVIDENCE_BUDGET,
    EVIDENCE_SENTENCES,
    EVIDENCE_MODELS,
)
