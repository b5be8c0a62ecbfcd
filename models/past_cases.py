"""What is known of past cases on one measure, in the form in which rules are replayed on them?

Frames only: where they come from (a warehouse, a file, a simulation) is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import polars as pl

from data_contracts.errors import UnstuckError
from data_contracts.measure import Measure

CASE_COLUMNS: dict[str, pl.DataType] = {
    "case_id": pl.String(),
    "client_id": pl.String(),  # cases of one client are never on both sides of a split
    "started_on": pl.Int64(),  # practice day of the baseline; null without a calendar
    "ended_on": pl.Int64(),  # practice day on which care ended; null while open, or unknown
    "is_ended": pl.Boolean(),
    "dropped_out": pl.Boolean(),  # null where how it ended is not told
    "site_id": pl.String(),
    "sex": pl.String(),
    "age_band": pl.String(),
    "ethnicity": pl.String(),
    "therapist_id": pl.String(),
    "supervisor_id": pl.String(),
    "planned_sessions": pl.Int64(),
    "problem_code": pl.String(),
    "reviewed_on": pl.Int64(),  # practice day of the first review after a flag; null: none
}
POINT_COLUMNS: dict[str, pl.DataType] = {
    "case_id": pl.String(),
    "measure_id": pl.String(),
    "occasion": pl.Int64(),  # 0 is the baseline
    "has_baseline": pl.Boolean(),
    "value": pl.Float64(),
    "baseline": pl.Float64(),
    "gain": pl.Float64(),
    "level_gain": pl.Float64(),
    "is_pair": pl.Boolean(),
    "days": pl.Int64(),  # since the baseline
    "sessions_attended": pl.Int64(),
    "day": pl.Int64(),  # within the case
    "practice_day": pl.Int64(),
    "clock": pl.String(),
    "at": pl.Int64(),
}
SESSION_COLUMNS: dict[str, pl.DataType] = {
    "case_id": pl.String(),
    "session": pl.Int64(),
    "day": pl.Int64(),
    "attended": pl.Boolean(),
}
ALLIANCE_COLUMNS: dict[str, pl.DataType] = {
    "case_id": pl.String(),
    "measure_id": pl.String(),
    "session": pl.Int64(),
    "day": pl.Int64(),
    "value": pl.Float64(),
    "share": pl.Float64(),  # 0 is the worst rating the measure has, 1 the best
}


class PastCasesError(UnstuckError):
    """The frames of past cases contradict one another."""


@dataclass(frozen=True, kw_only=True)
class PastCases:
    """Cases with the scores of one measure; frames have at least the columns named above."""

    measure: Measure
    cases: pl.DataFrame
    """One row a case."""
    points: pl.DataFrame
    """One row a scored occasion, from the baseline on; sorted by case and occasion."""
    sessions: pl.DataFrame
    """One row an offered session; may be empty."""
    alliance: pl.DataFrame
    """One row an alliance rating; may be empty."""

    @classmethod
    def of(
        cls,
        measure: Measure,
        cases: pl.DataFrame,
        points: pl.DataFrame,
        *,
        sessions: pl.DataFrame | None = None,
        alliance: pl.DataFrame | None = None,
    ) -> Self:
        """Arrange frames; columns that nobody sent become null, points without a case are refused.

        Raises
        ------
        PastCasesError
            If a case comes twice, a point belongs to no case, or two points are at one occasion.

        Examples
        --------
        >>> from data_contracts.measures import built_in_measures
        >>> cases = pl.DataFrame({"case_id": ["a"], "is_ended": [True]})
        >>> points = pl.DataFrame(
        ...     {"case_id": ["a"] * 2, "occasion": [0, 1], "value": [18.0, 11.0]}
        ... ).with_columns(baseline=pl.lit(18.0), gain=18.0 - pl.col("value"))
        >>> past = PastCases.of(built_in_measures()["phq9"], cases, points)
        >>> past.points["gain"].to_list(), past.cases["client_id"].to_list()
        ([0.0, 7.0], ['a'])
        """
        whole = _with(cases, CASE_COLUMNS).with_columns(pl.coalesce("client_id", "case_id"))
        if whole["case_id"].n_unique() < whole.height or whole["case_id"].null_count():
            message = "every row of past cases needs a case_id of its own"
            raise PastCasesError(message)
        scored = _with(points, POINT_COLUMNS).with_columns(
            pl.lit(measure.measure_id).alias("measure_id"),
            pl.col("has_baseline").fill_null(value=True),
            pl.col("level_gain").fill_null(pl.col("gain")),
            pl.col("is_pair").fill_null(value=False),
        )
        if scored.join(whole, on="case_id", how="anti").height:
            message = "scores of past cases belong to a case that is not among them"
            raise PastCasesError(message)
        if scored.select(pl.struct("case_id", "occasion").is_duplicated().any()).item():
            message = "a past case has two scores at one occasion"
            raise PastCasesError(message)
        return cls(
            measure=measure,
            cases=whole.sort("case_id"),
            points=scored.filter(pl.col("occasion") >= 0).sort("case_id", "occasion"),
            sessions=_with(sessions, SESSION_COLUMNS),
            alliance=_with(alliance, ALLIANCE_COLUMNS),
        )

    @classmethod
    def weekly(cls, measure: Measure, courses: Mapping[str, Sequence[float]]) -> Self:
        """Return ended cases from their scores alone: one a week, at sessions 1, 2 and so on.

        Examples
        --------
        >>> from data_contracts.measures import built_in_measures
        >>> past = PastCases.weekly(built_in_measures()["phq9"], {"a": [18, 12, 10]})
        >>> past.points.select("occasion", "days", "gain", "level_gain").row(2)
        (2, 14, 8.0, 7.0)
        """
        scores = pl.DataFrame(
            [
                (case, occasion, float(score))
                for case, course in courses.items()
                for occasion, score in enumerate(course)
            ],
            schema=["case_id", "occasion", "value"],
            orient="row",
        )
        days = 7 * pl.col("occasion")
        points = scores.with_columns(
            days=days,
            day=days,
            sessions_attended=pl.col("occasion") + 1,
            baseline=pl.col("value").first().over("case_id"),
            is_pair=pl.col("occasion") >= 2,
        ).with_columns(gain=measure.direction * (pl.col("baseline") - pl.col("value")))
        paired = (pl.col("gain") + pl.col("gain").shift(1).over("case_id")) / 2
        points = points.with_columns(level_gain=pl.when("is_pair").then(paired).otherwise("gain"))
        cases = pl.DataFrame({"case_id": list(courses)}).with_columns(is_ended=pl.lit(value=True))
        return cls.of(measure, cases, points)

    def only(self, case_ids: Sequence[str] | pl.Series) -> Self:
        """Return some of the cases, with everything known of them."""
        wanted = pl.DataFrame({"case_id": pl.Series(case_ids, dtype=pl.String)}).unique()
        return replace(
            self,
            cases=self.cases.join(wanted, on="case_id", how="semi", maintain_order="left"),
            points=self.points.join(wanted, on="case_id", how="semi", maintain_order="left"),
            sessions=self.sessions.join(wanted, on="case_id", how="semi", maintain_order="left"),
            alliance=self.alliance.join(wanted, on="case_id", how="semi", maintain_order="left"),
        )

    @property
    def has_calendar(self) -> bool:
        """Whether it is known on which day of the practice cases began, scored and ended."""
        days = self.points["practice_day"]
        ends = self.cases.filter(pl.col("is_ended").fill_null(value=False))["ended_on"]
        return (
            not self.points.is_empty()
            and not days.null_count()
            and ends.len() > 0
            and not ends.null_count()
        )


def _with(frame: pl.DataFrame | None, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    """Return the frame with these columns and types; those it lacks are null, others stay."""
    if frame is None:
        return pl.DataFrame(schema=columns)
    return frame.with_columns(
        pl.lit(None, kind).alias(name) if name not in frame.columns else pl.col(name).cast(kind)
        for name, kind in columns.items()
    )
