"""What does every rule say of the rows of one part, having learned from the cases of that part?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.expected_course import ExpectedCourse
from models.known_so_far import FEATURES
from models.landmarks import Landmark
from models.mixed_model import CannotLearnError
from models.moments import Moments
from models.rival_rules import RANK_OF_STATUS, Asked, Judgement, Question, judge
from models.splits import Part

PIECE_FORMAT = "replay 1"
SAID = ("score", "is_flagged", "probability", "expected_end")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One part: whom to learn from, whom to ask."""

    question: Question
    landmarks: tuple[Landmark, ...]
    rules: tuple[str, ...]
    learned: pl.DataFrame
    asked: pl.DataFrame
    points: pl.DataFrame

    @classmethod
    def of(
        cls,
        question: Question,
        moments: Moments,
        part: Part,
        rows: NDArray[np.intp],
        rules: Sequence[str],
    ) -> Piece:
        """Take from all moments what this part may learn from, and the rows it is asked about."""
        learns_from = part.learns_from & moments.cases["reviewed_on"].is_null().to_numpy()
        of_case = learns_from[moments.rows["case"].to_numpy()]
        learned = moments.rows.filter(pl.Series(of_case), pl.col("is_bad").is_not_null())
        from_case = learns_from[moments.points["case"].to_numpy()]
        return cls(
            question=question,
            landmarks=moments.landmarks,
            rules=tuple(rules),
            learned=learned,
            asked=moments.rows[rows],
            points=moments.points.filter(pl.Series(from_case)),
        )

    def key(self) -> str:
        """Return a hash of everything the answers depend on."""
        features = [*FEATURES, "landmark", "status_rank", "may_be_below_band", "time"]
        measure = self.question.measure
        digest = sha256(
            repr(
                (PIECE_FORMAT, self.rules, self.landmarks, self.question.outcome,
                 self.question.band_chance, measure.measure_id, measure.reliable_change_points,
                 measure.cutoff, measure.minimum, measure.maximum, measure.higher_is,
                 measure.integer)
            ).encode()
        )  # fmt: skip
        for frame in (
            self.learned.select(*features, "is_bad", "end_score"),
            self.asked.select(features),
            # Which scores are of one case, in numbers that a new case elsewhere does not move.
            self.points.select(
                "occasion", "baseline", "value", "time", case=pl.col("case").rank("dense")
            ),
        ):
            digest.update(frame.hash_rows(seed=1).to_numpy().tobytes())
        return digest.hexdigest()

    def answers(self) -> pl.DataFrame:
        """Return what every rule says of the rows asked, in their order."""
        course = self._course()
        learned, asked = (
            self._against(course, self.learned),
            self._against(course, self.asked),
        )
        said = [
            self._at_landmark(number, learned, asked)
            for number in sorted(set(asked["landmark"].to_list()))
        ]
        if not said:
            return self._nothing()
        return pl.concat(said).sort("_row").drop("_row")

    def _at_landmark(self, number: int, learned: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
        here = asked.with_row_index("_row").filter(pl.col("landmark") == number)
        past = _asked(learned.filter(pl.col("landmark") == number))
        now = _asked(here)
        columns = [here["_row"]]
        for rule in self.rules:
            columns += _as_columns(rule, judge(rule, self.question, past, now), here.height)
        return pl.DataFrame(columns)

    def _nothing(self) -> pl.DataFrame:
        empty = Judgement(score=np.empty(0), is_flagged=np.empty(0), probability=np.empty(0))
        return pl.DataFrame(
            [column for rule in self.rules for column in _as_columns(rule, empty, 0)]
        )

    def _course(self) -> ExpectedCourse | None:
        """Return the expected course of the cases learned from; None where too few tell."""
        design = self.points.select("baseline", "time").to_numpy()
        try:
            return ExpectedCourse().fit(
                design, self.points["value"].to_numpy(), self.points["case"].to_numpy()
            )
        except CannotLearnError:
            return None

    def _against(self, course: ExpectedCourse | None, rows: pl.DataFrame) -> pl.DataFrame:
        """Add how rows lie about the expected course, and the status it may change to `watch`."""
        if course is None or rows.is_empty():
            return rows.with_columns(
                chance_this_bad=pl.lit(None, pl.Float64), expected_gap=pl.lit(None, pl.Float64)
            )
        measure = self.question.measure
        value = measure.direction * rows["score"].to_numpy()
        design = np.column_stack([measure.direction * rows["baseline"].to_numpy(), rows["time"]])
        gap = measure.direction * (value - course.predict(design)) / course.spread(design)
        chance = course.chance_this_bad(
            design, value, higher_is=measure.higher_is, integer=measure.integer
        )
        below = pl.col("may_be_below_band") & (
            pl.col("chance_this_bad") < self.question.band_chance
        )
        return rows.with_columns(
            chance_this_bad=pl.Series(chance), expected_gap=pl.Series(gap)
        ).with_columns(
            status_rank=pl.when(below).then(RANK_OF_STATUS["watch"]).otherwise("status_rank")
        )


def _asked(rows: pl.DataFrame) -> Asked:
    return Asked(
        known=rows,
        is_bad=rows["is_bad"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        end_score=rows["end_score"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
    )


def _as_columns(rule: str, judged: Judgement, height: int) -> Iterator[pl.Series]:
    nothing = np.full(height, np.nan)
    expected = nothing if judged.expected_end is None else judged.expected_end
    for name, values in zip(
        SAID, (judged.score, judged.is_flagged, judged.probability, expected), strict=True
    ):
        yield pl.Series(f"{rule}.{name}", values, dtype=pl.Float64)
    yield pl.Series(f"{rule}.reason", [judged.reason] * height, dtype=pl.String)
