"""What happened in a course that is worth seeing, though no reason for a flag? Events in words.

Sudden gains and losses by the three published criteria (`sudden_change.py`), with the measure's
reliable change as the first; early responses (`early_response.py`); patterns of alliance ratings
(`alliance_patterns.py`). Events describe: courses without any true change show sudden gains too
(R30), so none is ever a flag.
An event of an open case is told once the scores around it are complete, so that a later score
cannot take it back; that it was reversed can be added later.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure
from data_contracts.rule import RuleThresholds
from data_contracts.wording import templates
from models.early_response import early_responses
from models.meaningful_change import PointsChange
from models.reasons import count_word, fill, number_text
from models.sudden_change import WINDOW, SuddenChangeRule
from models.sudden_change_courses import LAST_SESSION
from models.sudden_change_events import sudden_changes

EVENT_COLUMNS = (
    "case_id",
    "measure_id",
    "kind",
    "occasion",
    "session",
    "day",
    "until_occasion",
    "until_session",
    "until_day",
    "parameters",
    "sentence",
)
_RATERS = {"client": "client", "clinician": "therapist"}
_KEY = ("case_id", "measure_id", "occasion")


def sudden_events(
    points: pl.DataFrame, measures: Mapping[str, Measure], thresholds: RuleThresholds
) -> pl.DataFrame:
    """Return the sudden gains and losses of all cases, one row each, with their sentences.

    Parameters
    ----------
    points
        Totals of outcome measures, in points: `case_id, measure_id, occasion` (0 or more),
        `session` (null where none is sent), `day, value, is_open` (whether care goes on).

    Returns
    -------
    `EVENT_COLUMNS`; `occasion, session, day` are those of the score after the jump. Measures
    without a reliable change have none.

    >>> from data_contracts.measures import built_in_measures
    >>> points = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 7,
    ...         "measure_id": ["phq9"] * 7,
    ...         "occasion": range(7),
    ...         "session": range(1, 8),
    ...         "day": range(0, 49, 7),
    ...         "value": [20.0, 21, 20, 9, 9, 10, 9],
    ...         "is_open": [True] * 7,
    ...     }
    ... )
    >>> from data_contracts.rule import status_rule
    >>> thresholds = status_rule().thresholds
    >>> sudden_events(points, built_in_measures(), thresholds)["sentence"].to_list()
    ['Sudden gain on PHQ-9 between session 3 and session 4: 20 to 9.']
    """
    numbered = _numbered(points, thresholds)
    found = [_none()]
    for (measure_id,), scores in numbered.group_by("measure_id", maintain_order=True):
        measure = measures[str(measure_id)]
        change = measure.reliable_change_points
        if change is None:
            continue
        for direction in ("gain", "loss"):
            rule = SuddenChangeRule(
                direction=direction, higher_is=measure.higher_is, cutoff=change
            )  # fmt: skip
            events = sudden_changes(scores.select("case_id", "session", "score"), rule).events
            found.append(_told(events, scores, measure, direction))
    return pl.concat(found).sort("case_id", "measure_id", "occasion", "kind")


def _numbered(points: pl.DataFrame, thresholds: RuleThresholds) -> pl.DataFrame:
    """Add `score`, and as `session` the number by which scores follow one another.

    Where the first score has a session number, sessions; later scores without one, or with one that
    does not rise, are left out. Else the count of scores; a gap of more than `pair_days` counts as
    a missing score, so that nothing is called sudden across it. Nothing later changes a number.
    """
    series = ["case_id", "measure_id"]
    sent = pl.col("session")
    first = sent.first().over(series)
    gap = (pl.col("day") - pl.col("day").shift(1).over(series)) > thresholds.pair_days
    count = (1 + gap.fill_null(value=False).cast(pl.Int64)).cum_sum().over(series)
    rises = (sent > sent.cum_max().shift(1).over(series)).fill_null(value=True)
    ordered = points.sort(*series, "occasion").with_columns(
        by_session=(first <= LAST_SESSION).fill_null(value=False),
        sent_session=sent,
        counted=count,
        score="value",
        days=pl.col("day") - pl.col("day").first().over(series),
        is_placed=sent.is_not_null() & rises,
    )
    used = ordered.filter(~pl.col("by_session") | pl.col("is_placed"))
    number = pl.when("by_session").then("session").otherwise("counted")
    return (
        used.with_columns(
            session=number,
            told_as=pl.when("by_session").then("session").otherwise(pl.col("occasion") + 1),
        )
        .filter(pl.col("session") <= LAST_SESSION)
        .with_columns(last=pl.col("session").max().over(series))
    )


def _told(
    events: pl.DataFrame, scores: pl.DataFrame, measure: Measure, direction: str
) -> pl.DataFrame:
    name = f"sudden_{direction}"
    after = scores.select(
        "case_id", "measure_id", "occasion", "sent_session", "day", "by_session", "is_open", "last",
        "told_as", session=pl.col("session") - 1,
    )  # fmt: skip
    rows = (
        events.join(after, on=["case_id", "session"])
        .filter((pl.col("session") + WINDOW <= pl.col("last")) | ~pl.col("is_open"))
        .with_columns(
            name=pl.lit(measure.name),
            before=number_text(pl.col("score_before")),
            after=number_text(pl.col("score_after")),
            from_when=pl.format("{} {}", _counted(), pl.col("told_as") - 1),
            to_when=pl.format("{} {}", _counted(), "told_as"),
            session=pl.col("sent_session"),
            is_reversed=pl.col("is_reversed").fill_null(value=False),
        )
    )
    words = templates("event")
    return pl.concat(
        [
            _as_events(rows.filter(pl.col("is_reversed") == is_reversed), name, words[key])
            for is_reversed, key in ((False, name), (True, f"{name}_reversed"))
        ]
    )


def early_events(
    points: pl.DataFrame, measures: Mapping[str, Measure], thresholds: RuleThresholds
) -> pl.DataFrame:
    """Return the early responses of all cases, one row each, with their sentences.

    A gain of the measure's reliable change from the first score to the last one by session
    `BY_SESSION` (`early_response.py`), told once that session is reached. Where no sessions are
    sent, scores are counted, and the later one must lie within `pair_days` of the first.

    Parameters
    ----------
    points
        As for `sudden_events`.

    Returns
    -------
    `EVENT_COLUMNS`; `occasion, session, day` are those of the later score.

    >>> from data_contracts.measures import built_in_measures
    >>> points = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 4, "measure_id": ["phq9"] * 4, "occasion": range(4),
    ...         "session": range(1, 5), "day": range(0, 28, 7), "value": [20.0, 16, 14, 13],
    ...         "is_open": [True] * 4,
    ...     }
    ... )
    >>> from data_contracts.rule import status_rule
    >>> thresholds = status_rule().thresholds
    >>> early_events(points, built_in_measures(), thresholds)["sentence"].to_list()
    ['Early response on PHQ-9: 20 to 13 by session 4, a clear change.']
    """
    found = [_none()]
    for (measure_id,), scores in _numbered(points, thresholds).group_by(
        "measure_id", maintain_order=True
    ):
        measure = measures[str(measure_id)]
        change = measure.reliable_change_points
        if change is None:
            continue
        rule = PointsChange(points=change, higher_is=measure.higher_is, source="contract")
        responded = early_responses(scores.select("case_id", "session", "score"), rule).filter(
            pl.col("response") == "early_response"
        )
        rows = responded.join(
            scores.drop("score", "value"),
            left_on=["case_id", "session_after"],
            right_on=["case_id", "session"],
        )
        in_time = pl.col("by_session") | (pl.col("days") <= thresholds.pair_days).fill_null(
            value=True
        )
        rows = rows.filter(in_time).with_columns(
            name=pl.lit(measure.name),
            before=number_text(pl.col("pre")),
            after=number_text(pl.col("post")),
            to_when=pl.format("{} {}", _counted(), "told_as"),
            session=pl.col("sent_session"),
        )
        found.append(_as_events(rows, "early_response", templates("event")["early_response"]))
    return pl.concat(found).sort("case_id", "measure_id", "occasion", "kind")


def _counted() -> pl.Expr:
    """Return what scores are counted by: sessions where they are sent."""
    return pl.when("by_session").then(pl.lit("session")).otherwise(pl.lit("score"))


def alliance_events(
    patterns: pl.DataFrame, measure: Measure, thresholds: RuleThresholds
) -> pl.DataFrame:
    """Return patterns of alliance ratings (`alliance_patterns`) as events with their sentences.

    Returns
    -------
    `EVENT_COLUMNS`; `occasion` counts the case's rated moments of this measure.

    >>> from data_contracts.measures import built_in_measures
    >>> patterns = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"], "measure_id": ["srs"], "kind": ["alliance_flat"],
    ...         "occasion": [3], "session": [4], "day": [21], "until_occasion": [None],
    ...         "until_session": [None], "until_day": [None], "rating": [37.0],
    ...         "other_rating": [None], "bond": [None], "work": [None], "work_part": [None],
    ...     }
    ... )
    >>> from data_contracts.rule import status_rule
    >>> srs, thresholds = built_in_measures()["srs"], status_rule().thresholds
    >>> alliance_events(patterns, srs, thresholds)["sentence"].to_list()
    ['SRS was 37 in the last four ratings.']
    """
    rows = patterns.with_columns(
        name=pl.lit(measure.name),
        rating=number_text(pl.col("rating")),
        other_rating=number_text(pl.col("other_rating").cast(pl.Float64)),
        own_rater=pl.lit(_RATERS[measure.rater]),
        other_rater=pl.lit(_RATERS["clinician" if measure.rater == "client" else "client"]),
        bond=number_text(pl.col("bond").cast(pl.Float64)),
        work=number_text(pl.col("work").cast(pl.Float64)),
        last=pl.lit(count_word(thresholds.alliance_flat_ratings)),
        bond_part=pl.lit(_bond_name(measure)),
    )
    words = templates("event")
    found = [_none()]
    for (kind,), part in rows.group_by("kind", maintain_order=True):
        found.append(_as_events(part, str(kind), words[str(kind)]))
    return pl.concat(found).sort("case_id", "occasion", "kind")


def _bond_name(measure: Measure) -> str:
    bond = measure.alliance.bond if measure.alliance else None
    return next((part.name for part in measure.subscales if part.subscale == bond), "")


def _as_events(rows: pl.DataFrame, kind: str, template: str) -> pl.DataFrame:
    said = fill(rows, template, kind, 0).select(*_KEY, "parameters", "sentence", kind="code")
    if "until_occasion" not in rows.columns:
        nothing = pl.lit(None, dtype=pl.Int64)
        rows = rows.with_columns(until_occasion=nothing, until_session=nothing, until_day=nothing)
    when = rows.select(*_KEY, "session", "day", "until_occasion", "until_session", "until_day")
    return said.join(when, on=list(_KEY)).select(EVENT_COLUMNS).cast(_none().schema)


def _none() -> pl.DataFrame:
    texts = ("case_id", "measure_id", "kind", "parameters", "sentence")
    return pl.DataFrame(
        schema={name: pl.String if name in texts else pl.Int64 for name in EVENT_COLUMNS}
    )
