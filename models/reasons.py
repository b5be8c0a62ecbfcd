"""Why does a case have its status? The numbers behind each sentence, and the sentence.

Words come from data_contracts/wording.toml; this module supplies the numbers they name and fills
them in, for all occasions at once. It decides nothing: statuses come from `models/status.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure
from data_contracts.rule import RuleThresholds
from data_contracts.wording import marks, pieces, templates
from models.status import pace

SENTENCE, STILL_CLINICAL, REMARK, LEAVES, UNVERIFIED = 1, 2, 3, 8, 9

_COUNT_WORDS = dict(enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight"), 1))


def number_text(column: pl.Expr) -> pl.Expr:
    """Return points as a person writes them: 17, 16.5, 8.46; no sign, no trailing zeros.

    >>> gains = pl.DataFrame({"gain": [17.0, -16.5, 8.456]})
    >>> gains.select(number_text(pl.col("gain")))["gain"].to_list()
    ['17', '16.5', '8.46']
    """
    rounded = column.abs().round(2)
    return (
        pl.when(rounded == rounded.round())
        .then(rounded.cast(pl.Int64).cast(pl.String))
        .otherwise(rounded.cast(pl.String))
    )


def count_word(count: int) -> str:
    """Return a small count as a word, a larger one in digits.

    >>> count_word(4), count_word(12)
    ('four', '12')
    """
    return _COUNT_WORDS.get(count, str(count))


def tenths_text(chance: float) -> str:
    """Return how many of ten a chance (0 to 1) comes to, without false exactness.

    >>> tenths_text(0.66), tenths_text(0.02), tenths_text(0.99)
    ('about 7', 'fewer than 1', 'more than 9')
    """
    tenths = round(10 * chance)
    if tenths >= 10:
        return "more than 9"
    return "fewer than 1" if tenths < 1 else f"about {tenths}"


def fill(rows: pl.DataFrame, template: str, code: str, position: int) -> pl.DataFrame:
    """Return the rows' key with `position, code, parameters, sentence`.

    `rows` holds a text column for every mark of the template.

    >>> rows = pl.DataFrame(
    ...     {"case_id": ["c1"], "measure_id": ["phq9"], "occasion": [8], "gain": ["2"]}
    ... )
    >>> filled = fill(rows, "A gain of {gain} points.", "no_gain", SENTENCE)
    >>> filled.select("code", "parameters", "sentence").row(0)
    ('no_gain', '{"gain":"2"}', 'A gain of 2 points.')
    """
    parts = [
        pl.col(text).fill_null("?") if is_mark else pl.lit(text)
        for is_mark, text in pieces(template)
    ]
    named = sorted(set(marks(template)))
    parameters = pl.struct(named).struct.json_encode() if named else pl.lit("{}")
    return rows.select(
        "case_id",
        "measure_id",
        "occasion",
        position=pl.lit(position, dtype=pl.Int64),
        code=pl.lit(code),
        parameters=parameters,
        sentence=pl.concat_str(parts),
    )


def status_reasons(
    judged: pl.DataFrame, measures: Mapping[str, Measure], thresholds: RuleThresholds
) -> pl.DataFrame:
    """Return the reasons of every judged occasion.

    `judged` has one row a case, measure and occasion: what `models.status.judge` returns, with
    `session`, `tags`, `expected` and `planned_sessions`.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> judged = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"], "measure_id": ["phq9"], "occasion": [7], "status": ["stuck"],
    ...         "code": ["no_gain"], "tags": [""], "session": [8], "day": [49], "days": [49],
    ...         "sessions_attended": [8], "value": [18.0], "baseline": [19.0], "gain": [1.0],
    ...         "level_gain": [1.0], "is_pair": [True], "expected": [12.0],
    ...         "planned_sessions": [16],
    ...     }
    ... )
    >>> reasons = status_reasons(judged, built_in_measures(), status_rule().thresholds)
    >>> reasons["sentence"][0].split(". ")[0]
    'Session 8: the last two PHQ-9 scores average 18; the start was 19'
    """
    rows = _with_words(judged, measures, thresholds)
    words = templates("status")
    found = [
        fill(part, words[code], code, SENTENCE)
        for (code,), part in rows.group_by("key", maintain_order=True)
        for code in [str(code)]
    ]
    context = templates("context")

    def add(name: str, position: int, holds: pl.Expr) -> None:
        found.append(fill(rows.filter(holds), context[name], name, position))

    flagged = pl.col("status").is_in(["stuck", "deteriorating"])
    stuck = pl.col("status") == "stuck"
    add("still_clinical", STILL_CLINICAL, stuck & pl.col("cutoff").is_not_null())
    add("paused", REMARK, pl.col("tags").str.contains("paused"))
    add("past_plan", REMARK + 1, pl.col("tags").str.contains("past_plan"))
    add("leaves_stuck", LEAVES, stuck & ~pl.col("cut_comes_first"))
    add("leaves_stuck_at_cut", LEAVES, stuck & pl.col("cut_comes_first"))
    add("leaves_deteriorating", LEAVES, pl.col("status") == "deteriorating")
    add("unverified", UNVERIFIED, flagged & (pl.col("numbers") != ""))
    return pl.concat(found).sort("case_id", "measure_id", "occasion", "position")


def _with_words(
    judged: pl.DataFrame, measures: Mapping[str, Measure], thresholds: RuleThresholds
) -> pl.DataFrame:
    """Add a text column for every mark the status sentences name."""
    facts = pl.DataFrame(
        [
            (
                name,
                measure.name,
                float(measure.direction),
                measure.reliable_change_points,
                measure.cutoff,
                ", ".join(measure.unverified_numbers),
            )
            for name, measure in measures.items()
        ],
        schema={
            "measure_id": pl.String,
            "name": pl.String,
            "h": pl.Float64,
            "rc": pl.Float64,
            "c": pl.Float64,
            "numbers": pl.String,
        },
        orient="row",
    )
    rows = judged.join(facts, on="measure_id", how="left", maintain_order="left")
    t = pl.coalesce("sessions_attended", "occasion")
    sparse = (pl.col("occasion") >= thresholds.sparse_occasions) & (
        pl.col("days") >= thresholds.sparse_days
    ).fill_null(value=False)
    rows = rows.with_columns(t=t, is_sparse=sparse)
    rows = rows.with_columns(
        asked=_asked(rows, thresholds),
        asked_next=_asked(rows.with_columns(t=pl.col("t") + 1), thresholds),
        best=pl.col("level_gain").cum_max().shift(1).over("case_id", "measure_id"),
    )
    hold_beyond = thresholds.stuck_hold_share * pl.col("rc")
    hold = pl.min_horizontal("rc", pl.col("asked") + hold_beyond)
    # the pace rises: what ends the flag is asked of the next session
    leave_at = pl.col("baseline") - pl.col("h") * pl.min_horizontal(
        "rc", pl.col("asked_next") + hold_beyond
    )
    is_held = (
        (pl.col("status") == "stuck")
        & (pl.col("code") != "gain_lost")
        & (pl.col("level_gain") >= pl.col("asked"))
    ).fill_null(value=False)
    is_kept = (
        pl.col("status").is_in(["recovered", "improved"])
        & (pl.col("code") == "")
        & (pl.col("level_gain") < pl.col("rc"))
    ).fill_null(value=False)
    higher_is_worse = pl.col("h") > 0
    return rows.with_columns(
        key=pl.when(is_held)
        .then(pl.lit("stuck.held"))
        .when(is_kept)
        .then(pl.col("status") + ".held")
        .otherwise(pl.col("status") + "." + pl.col("code")),
        when=_when(pl.col("session"), pl.col("day"), pl.col("occasion")),
        sessions=t.cast(pl.String),
        recent=pl.when("is_pair")
        .then(pl.format("the last two {} scores average", "name"))
        .otherwise(pl.format("the last {} score is", "name")),
        level=number_text(pl.col("baseline") - pl.col("h") * pl.col("level_gain")),
        baseline=number_text(pl.col("baseline")),
        value=number_text(pl.col("value")),
        expected=number_text(pl.col("expected").round(0)),
        gain=_signed(pl.col("level_gain")),
        best_gain=_signed(pl.col("best")),
        loss=number_text(
            pl.when(pl.col("code") == "two_scores")
            .then((pl.col("gain") + pl.col("gain").shift(1).over("case_id", "measure_id")) / 2)
            .otherwise("level_gain")
        ),
        score_loss=number_text(pl.col("gain")),
        change=number_text(pl.col("rc")),
        half_change=number_text(pl.col("rc") * thresholds.easing_share),
        quarter=number_text(pl.col("rc") * thresholds.no_gain_share),
        pace=number_text(pl.col("asked")),
        hold=number_text(hold),
        keep=number_text(pl.col("rc") * thresholds.hold_share),
        cutoff=number_text(pl.col("c")),
        leave_at=number_text(leave_at),
        cut_comes_first=(pl.col("h") * leave_at < pl.col("h") * pl.col("c")).fill_null(value=False),
        worse=pl.when(higher_is_worse).then(pl.lit("above")).otherwise(pl.lit("below")),
        better=pl.when(higher_is_worse).then(pl.lit("below")).otherwise(pl.lit("above")),
        lower=pl.when(higher_is_worse).then(pl.lit("lower")).otherwise(pl.lit("higher")),
        swings=pl.when(higher_is_worse).then(pl.lit("rises")).otherwise(pl.lit("falls")),
        paused_days=pl.lit(str(thresholds.paused_days)),
        planned_sessions=pl.col("planned_sessions").cast(pl.String),
    ).with_columns(when_lower=pl.col("when").str.to_lowercase())


def _asked(rows: pl.DataFrame, thresholds: RuleThresholds) -> pl.Series:
    """Return the gain to be seen at session `t`, in points; null without a reliable change."""
    return pl.Series(
        pace(
            rows["t"].cast(pl.Float64).to_numpy(),
            is_sparse=rows["is_sparse"].to_numpy(),
            reliable_change=rows["rc"].fill_null(float("nan")).to_numpy(),
            rule=thresholds,
        ),
        nan_to_null=True,
    )


def _signed(column: pl.Expr) -> pl.Expr:
    """Return a gain with a minus where it is a loss."""
    return (
        pl.when(column < 0)
        .then(pl.concat_str(pl.lit("-"), number_text(column)))
        .otherwise(number_text(column))
    )


def _when(session: pl.Expr, day: pl.Expr, occasion: pl.Expr) -> pl.Expr:
    """Return "Session 8", else "Day 56", else "Score 5"."""
    return (
        pl.when(session.is_not_null())
        .then(pl.concat_str(pl.lit("Session "), session.cast(pl.String)))
        .when(day.is_not_null())
        .then(pl.concat_str(pl.lit("Day "), day.cast(pl.String)))
        .otherwise(pl.concat_str(pl.lit("Score "), (occasion + 1).cast(pl.String)))
    )
