"""What do sessions say about where a case may be stuck: forms, attendance, focus, homework, events?

Windows are counts of last sessions, so that nothing depends on the day a night runs. Lines are in
lenses.toml with their sources.
"""

from __future__ import annotations

import polars as pl

from data_contracts.lenses import HINDRANCES, LensRow, lens_row
from data_contracts.measure import TOTAL
from models.lens_findings import FINDING_SCHEMA, findings, strength
from models.lens_inputs import LensInputs
from models.lens_signals_items import item_levels
from models.reasons import number_text


def session_findings(inputs: LensInputs) -> pl.DataFrame:
    """Return the findings of every row that rests on sessions and what was noted of them.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.lens_inputs import lens_inputs
    >>> homework = [
    ...     {"case_id": "c1", "session": session, "assigned": True, "done_percent": 10.0}
    ...     for session in range(1, 4)
    ... ]
    >>> inputs = lens_inputs(built_in_measures(), status_rule().thresholds, homework=homework)
    >>> found = session_findings(inputs)
    >>> found.filter(strength="strong").select("row_id", "sentence").rows()
    [('homework_not_done', 'Of what was set the last 3 times, 10 % was done on average.')]
    """
    told = inputs.homework.sort("case_id", "session")
    return pl.concat(
        [
            pl.DataFrame(schema=FINDING_SCHEMA),
            _scores_missing(inputs),
            _doubts(inputs),
            _focus(inputs),
            _not_done(told),
            _not_set(told),
            _quality(told),
            _hindrance(told),
            _insight(inputs, told),
            _events(inputs),
        ]
    )


def _attended(inputs: LensInputs) -> pl.DataFrame:
    """Return attended treatment sessions: `case_id, session, day`, in order."""
    return (
        inputs.sessions.filter(pl.col("attended") & (pl.col("session") >= 1))
        .select("case_id", "session", "day")
        .sort("case_id", "session")
    )


def _without(sessions: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Return the sessions without a score, by number of the session, else by day."""
    by_session = scores.filter(pl.col("session").is_not_null()).select("case_id", "session")
    by_day = scores.filter(pl.col("day").is_not_null()).select("case_id", "day")
    return sessions.join(by_session.unique(), on=["case_id", "session"], how="anti").join(
        by_day.unique(), on=["case_id", "day"], how="anti"
    )


def _last(rows: pl.DataFrame, window: int) -> pl.DataFrame:
    return rows.group_by("case_id", maintain_order=True).tail(window)


def _scores_missing(inputs: LensInputs) -> pl.DataFrame:
    row = lens_row("scores_missing")
    last = _last(_attended(inputs), int(row.line("sessions")))
    decisive = inputs.cases.select("case_id", "measure_id")
    scores = inputs.points.filter(pl.col("subscale") == TOTAL).join(
        decisive, on=["case_id", "measure_id"], how="semi"
    )
    asked = last.join(scores.select("case_id").unique(), on="case_id", how="semi")
    names = {name: measure.name for name, measure in inputs.measures.items()}
    counted = (
        asked.group_by("case_id")
        .agg(asked=pl.len())
        .join(_without(asked, scores).group_by("case_id").agg(missing=pl.len()), on="case_id")
        .join(decisive, on="case_id")
        .with_columns(
            strength(
                moderate=pl.col("missing") >= row.line("moderate_from"),
                strong=pl.col("missing") >= row.line("strong_from"),
                weak=pl.col("missing") >= row.line("weak_from"),
            ),
            pl.col("asked", "missing").cast(pl.String),
            name=pl.col("measure_id").replace_strict(names, default="?"),
        )
    )
    return findings(row, asked, missing=counted.filter(pl.col("strength").is_not_null()))


def _doubts(inputs: LensInputs) -> pl.DataFrame:
    """Return sessions that did not take place, and session ratings left out.

    Who cancelled a session is not sent, and whether in good time only where a practice notes it.
    """
    row = lens_row("unspoken_doubts")
    window = int(row.line("sessions"))
    treatment = inputs.sessions.filter(pl.col("session") >= 1)
    offered = _last(treatment.sort("case_id", "session"), window)
    is_late = pl.col("is_late_cancellation").fill_null(value=False)
    alliance = [name for name, measure in inputs.measures.items() if measure.role == "alliance"]
    ratings = inputs.points.filter(pl.col("measure_id").is_in(alliance))
    attended = _last(_attended(inputs), window).join(
        ratings.select("case_id").unique(), on="case_id", how="semi"
    )
    counted = (
        offered.group_by("case_id")
        .agg(offered=pl.len(), not_held=(~pl.col("attended") | is_late).sum(), late=is_late.sum())
        .join(attended.group_by("case_id").agg(attended=pl.len()), on="case_id", how="left")
        .join(
            _without(attended, ratings).group_by("case_id").agg(skipped=pl.len()),
            on="case_id",
            how="left",
        )
        .with_columns(pl.col("attended", "skipped").fill_null(0))
    )
    weak, moderate = row.line("weak_from"), row.line("moderate_from")
    not_held, skipped = pl.col("not_held"), pl.col("skipped")
    judged = counted.with_columns(
        strength(
            moderate=(not_held >= moderate) | (skipped >= moderate),
            weak=(not_held >= weak) | (skipped >= weak),
        ),
        pl.col("offered", "attended", "not_held", "skipped").cast(pl.String),
        late=pl.when(pl.col("late") > 0)
        .then(pl.format(", {} of them cancelled late", "late"))
        .otherwise(pl.lit("")),
        says_not_held=not_held >= weak,
        says_skipped=skipped >= weak,
    )
    return findings(
        row,
        counted.filter(pl.col("offered") >= window),
        not_held=judged.filter(pl.col("says_not_held") & ~pl.col("says_skipped")),
        skipped=judged.filter(~pl.col("says_not_held") & pl.col("says_skipped")),
        both=judged.filter(pl.col("says_not_held") & pl.col("says_skipped")),
    )


def _focus(inputs: LensInputs) -> pl.DataFrame:
    row = lens_row("focus_not_agreed")
    noted = inputs.focus.filter(pl.col("is_agreed").is_not_null()).sort("case_id", "session")
    counted = (
        _last(noted, int(row.line("sessions")))
        .group_by("case_id")
        .agg(known=pl.len(), times=(~pl.col("is_agreed")).sum())
    )
    other = counted.filter(pl.col("times") >= row.line("moderate_from")).with_columns(
        pl.col("known", "times").cast(pl.String), strength=pl.lit("moderate")
    )
    return findings(row, counted, other=other)


def _told(homework: pl.DataFrame, row: LensRow) -> pl.DataFrame:
    """Return the last tasks that were told about, of cases with enough of them."""
    window = int(row.line("tasks"))
    told = homework.filter(pl.col("assigned") & pl.col("done_percent").is_not_null())
    return _last(told, window).filter(pl.len().over("case_id") == window)


def _not_done(homework: pl.DataFrame) -> pl.DataFrame:
    row = lens_row("homework_not_done")
    done = (
        _told(homework, row)
        .group_by("case_id")
        .agg(done=pl.col("done_percent").mean(), told=pl.len().cast(pl.String))
        .with_columns(
            strength(
                moderate=pl.col("done") < row.line("low_below"),
                strong=pl.col("done") < row.line("strong_below"),
            )
        )
    )
    little = done.filter(pl.col("strength").is_not_null()).with_columns(
        done=number_text(pl.col("done").round(0))
    )
    return findings(row, done, little=little)


def _not_set(homework: pl.DataFrame) -> pl.DataFrame:
    row = lens_row("homework_not_set")
    window = int(row.line("sessions"))
    counted = (
        _last(homework, window)
        .group_by("case_id")
        .agg(known=pl.len(), set=pl.col("assigned").sum())
        .filter(pl.col("known") == window)
        .with_columns(
            strength(
                moderate=pl.col("known") - pl.col("set") >= row.line("without"),
                strong=pl.col("set") == 0,
            )
        )
    )
    seldom = counted.filter(pl.col("strength").is_not_null()).with_columns(
        pl.col("known", "set").cast(pl.String)
    )
    return findings(row, counted, seldom=seldom)


def _quality(homework: pl.DataFrame) -> pl.DataFrame:
    row = lens_row("homework_quality")
    tasks = int(lens_row("homework_not_done").line("tasks"))
    rated = (
        _last(homework.filter(pl.col("quality").is_not_null()), tasks)
        .group_by("case_id")
        .agg(quality=pl.col("quality").mean(), times=pl.len())
        .filter(pl.col("times") == tasks)
    )
    low = rated.filter(pl.col("quality") <= row.line("low_at")).with_columns(
        quality=number_text(pl.col("quality").round(1)),
        told=pl.col("times").cast(pl.String),
        strength=pl.lit("moderate"),
    )
    return findings(row, rated, low=low)


def _hindrance(homework: pl.DataFrame) -> pl.DataFrame:
    """Return what was noted most often as having got in the way; a weak sign, as it was noted."""
    row = lens_row("homework_hindrance")
    noted = _last(
        homework.filter(pl.col("hindrance").is_not_null()), int(row.line("noted"))
    ).with_columns(
        hindrance=pl.col("hindrance").replace_strict(HINDRANCES, default="something else")
    )
    most = (
        noted.with_columns(known=pl.len().over("case_id"))
        .group_by("case_id", "hindrance")
        .agg(times=pl.len(), known=pl.col("known").first())
        .sort("case_id", "times", "hindrance", descending=[False, True, False])
        .unique("case_id", keep="first", maintain_order=True)
        .with_columns(pl.col("times", "known").cast(pl.String), strength=pl.lit("weak"))
    )
    return findings(row, most, noted=most)


def _insight(inputs: LensInputs, homework: pl.DataFrame) -> pl.DataFrame:
    row = lens_row("insight_without_action")
    done = (
        _told(homework, lens_row("homework_not_done"))
        .group_by("case_id")
        .agg(done=pl.col("done_percent").mean())
    )
    both = (
        item_levels(inputs)
        .filter(pl.col("measure_id") == "understanding")
        .join(done, on="case_id")
        .filter(pl.col("ratings") > 1)
    )
    gap = both.filter(pl.col("long") - pl.col("done") / 10 >= row.line("gap")).select(
        "case_id",
        strength=pl.lit("moderate"),
        level=number_text(pl.col("long").round(1)),
        done=number_text(pl.col("done").round(0)),
    )
    return findings(row, both, gap=gap)


def _events(inputs: LensInputs) -> pl.DataFrame:
    row = lens_row("life_events")
    until = inputs.cases.select("case_id", until=pl.col("day"))
    known = (
        inputs.life_events.join(until, on="case_id")
        .with_columns(days_before=pl.col("until") - pl.col("day"))
        .filter(pl.col("days_before") >= 0)
    )
    new = (
        known.filter(pl.col("days_before") <= row.line("days"))
        .sort("case_id", "day", "kind")
        .group_by("case_id", maintain_order=True)
        .agg(kinds=pl.format("{} (day {})", "kind", "day").str.join(", "))
        .with_columns(strength=pl.lit("moderate"))
    )
    return findings(row, known, new=new)
