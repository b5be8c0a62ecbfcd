"""How much did a case change, given how it began? The severity adjusted effect size, SAES (R54).

A reference of cases that began in the clinical range is learned once and kept: ordinary least
squares of the change on intake score, session of the first score and problem (case mix), one line a
measure. Then

    residual = actual change - predicted change
    SAES     = (mean change of the reference + residual) / SD of the reference's intake scores

in standard deviations; positive is better. The source's bands are left out: words like "highly
effective" say more than the number knows.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.errors import UnstuckError
from models.change_reference import Direction, sign_of

Floats = NDArray[np.float64]

JSON_FORMAT = "severity adjustment 1"
OTHER, UNTOLD = "(other)", "(not told)"
SMALLEST_PROBLEM = 10
"""Problems with fewer reference cases are taken together."""
MINIMUM_CASES = 50
"""Fewest cases a reference is learned from (ours; R54 names none)."""

REASONS = {
    "no_score": "the first or the last score is missing",
    "not_clinical": "the first score is not in the clinical range",
    "no_first_session": "the session of the first score is missing",
    "problem_not_in_reference": "no reference case has this problem",
}


class ReferenceTooSmallError(UnstuckError):
    """Too few cases to learn what change is usual."""


@dataclass(frozen=True, kw_only=True)
class SeverityAdjustment:
    """A reference: which change is usual, given how a case began. Points are the measure's.

    Examples
    --------
    >>> first = [10.0 + number % 10 for number in range(60)]
    >>> cases = pl.DataFrame({
    ...     "case_id": [f"c{number}" for number in range(60)],
    ...     "first_score": first,
    ...     "last_score": [score / 2 + number % 3 for number, score in enumerate(first)],
    ... })
    >>> reference = SeverityAdjustment.learn(cases, name="2025", higher_is="worse", cutoff=10)
    >>> round(reference.mean_change, 2), round(reference.sd_intake, 2)
    (6.25, 2.9)
    >>> effects = reference.effects(cases)
    >>> round(effects["saes"].mean(), 3) == round(6.25 / reference.sd_intake, 3)
    True
    """

    name: str
    """Whose changes these are; the reference is frozen under this name."""
    higher_is: Direction
    cutoff: float
    """The last score still in the clinical range."""
    case_count: int
    mean_change: float
    """Points better."""
    sd_intake: float
    mean_intake: float
    mean_first_session: float | None
    """None: the session of the first score is not used."""
    problems: tuple[str, ...]
    """Problems with a column of their own; the first is the one others are compared with."""
    coefficients: tuple[float, ...]
    """Mean, intake score, first session if used, every further problem; in points."""

    @classmethod
    def learn(
        cls,
        cases: pl.DataFrame,
        *,
        name: str,
        higher_is: Direction,
        cutoff: float,
        minimum_cases: int = MINIMUM_CASES,
    ) -> Self:
        """Learn from ended cases: `case_id, first_score, last_score`, `first_session`, `problem`.

        The last two columns are used if they are there. Cases that cannot be used are left out, by
        the reasons of `REASONS`.

        Raises
        ------
        ReferenceTooSmallError
            If fewer than `minimum_cases` remain, or all began with the same score.
        """
        used = usable(cases, higher_is=higher_is, cutoff=cutoff).filter(pl.col("reason").is_null())
        if used.height < minimum_cases:
            raise ReferenceTooSmallError(
                f"{used.height} cases with two scores began in the clinical range; a reference "
                f"needs {minimum_cases}. Take a longer time span, or several practices together."
            )
        first = used["first_score"].to_numpy()
        sd_intake = float(first.std(ddof=1))
        if sd_intake == 0.0:
            raise ReferenceTooSmallError("All cases began with the same score: no SD to divide by.")
        change = _change(used, higher_is)
        sizes = used["problem"].value_counts().sort("count", "problem", descending=[True, False])
        large = sizes.filter(pl.col("count") >= SMALLEST_PROBLEM)["problem"].to_list()
        problems = tuple(large + [OTHER] * (len(large) < sizes.height))
        session = used["first_session"].mean() if "first_session" in cases.columns else None
        blank = cls(
            name=name,
            higher_is=higher_is,
            cutoff=cutoff,
            case_count=used.height,
            mean_change=float(change.mean()),
            sd_intake=sd_intake,
            mean_intake=float(first.mean()),
            mean_first_session=float(session) if isinstance(session, int | float) else None,
            problems=problems,
            coefficients=(),
        )
        columns = blank._columns(used)
        solved = np.linalg.lstsq(columns, change, rcond=None)[0]
        return cls(**{**blank.__dict__, "coefficients": tuple(map(float, solved))})

    def to_json(self) -> str:
        """Write the reference as text, to keep it; `from_json` gives back the same numbers."""
        return json.dumps({"format": JSON_FORMAT, **asdict(self)}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a reference written by `to_json`; ValueError if it is something else."""
        stored = json.loads(text)
        if not isinstance(stored, dict) or stored.pop("format", None) != JSON_FORMAT:
            raise ValueError(f"This text is not of format {JSON_FORMAT!r}; learn it again.")
        lists = {name: tuple(stored[name]) for name in ("problems", "coefficients")}
        return cls(**{**stored, **lists})

    def effects(self, cases: pl.DataFrame) -> pl.DataFrame:
        """Return `case_id, change, predicted_change, saes, reason`, one row a case, as they came.

        Change is in points better, SAES in standard deviations of intake; null with a reason.
        """
        judged = usable(cases, higher_is=self.higher_is, cutoff=self.cutoff)
        unknown = ~pl.col("problem").is_in(self.problems)
        if OTHER in self.problems:
            unknown = pl.lit(value=False)
        no_session = pl.lit(self.mean_first_session is not None) & (
            pl.col("first_session").is_null()
        )
        judged = judged.with_columns(
            reason=pl.coalesce(
                "reason",
                pl.when(no_session).then(pl.lit("no_first_session")),
                pl.when(unknown).then(pl.lit("problem_not_in_reference")),
            )
        )
        filled = judged.with_columns(
            pl.col("first_score", "last_score").fill_null(0.0),
            pl.col("first_session").fill_null(0.0),
        )
        change = _change(filled, self.higher_is)
        predicted = self._columns(filled) @ np.array(self.coefficients)
        saes = (self.mean_change + change - predicted) / self.sd_intake
        told = pl.DataFrame({"change": change, "predicted_change": predicted, "saes": saes})
        return pl.concat([judged.select("case_id", "reason"), told], how="horizontal").select(
            "case_id",
            pl.when(pl.col("reason").is_null()).then(pl.col("change", "predicted_change", "saes")),
            "reason",
        )

    def _columns(self, used: pl.DataFrame) -> Floats:
        problem = used["problem"]
        own = set(self.problems)
        place = [each if each in own else OTHER for each in problem.to_list()]
        columns = [np.ones(used.height), used["first_score"].to_numpy() - self.mean_intake]
        if self.mean_first_session is not None:
            columns.append(used["first_session"].to_numpy() - self.mean_first_session)
        columns += [np.array([each == name for each in place]) for name in self.problems[1:]]
        return np.column_stack(columns).astype(np.float64)


def usable(cases: pl.DataFrame, *, higher_is: Direction, cutoff: float) -> pl.DataFrame:
    """Return the columns of `SeverityAdjustment` with a `reason` where a case cannot be used.

    Examples
    --------
    >>> cases = pl.DataFrame({
    ...     "case_id": ["c1", "c2", "c3"],
    ...     "first_score": [15, 9, 15],
    ...     "last_score": [5, 5, None],
    ... })
    >>> usable(cases, higher_is="worse", cutoff=10)["reason"].to_list()
    [None, 'not_clinical', 'no_score']
    """
    clinical = (pl.col("first_score") - cutoff) * sign_of(higher_is) <= 0
    given = set(cases.columns)
    problem = pl.col("problem").cast(pl.String) if "problem" in given else pl.lit(UNTOLD)
    session = pl.col("first_session") if "first_session" in given else pl.lit(None)
    named = cases.select(
        "case_id",
        pl.col("first_score", "last_score").cast(pl.Float64),
        first_session=session.cast(pl.Float64),
        problem=problem.fill_null(UNTOLD),
    )
    whole = pl.col("first_score").is_finite() & pl.col("last_score").is_finite()
    no_session = pl.lit("first_session" in given) & pl.col("first_session").is_null()
    return named.with_columns(
        reason=pl.when(~whole.fill_null(value=False))
        .then(pl.lit("no_score"))
        .when(~clinical)
        .then(pl.lit("not_clinical"))
        .when(no_session)
        .then(pl.lit("no_first_session"))
    )


def _change(used: pl.DataFrame, higher_is: Direction) -> Floats:
    """Return points better (cases,)."""
    rise = used["last_score"].to_numpy() - used["first_score"].to_numpy()
    return np.asarray(sign_of(higher_is) * rise, dtype=np.float64)
