"""How did the most similar past cases go on, and where would that be a bad course?

The k nearest ended cases on intake features and on the course so far, by Euclidean distance of
standardised features; their weighted mean is the expected course, the weighted quantile on the
worse side the boundary; both anew at every occasion (Lutz and others 2005 and 2019, recalled:
../shared/clinical/algorithms.md section 3d). What is said at an occasion rests on the scores up to
it, and on cases that had ended before the reference was closed.

Missing features are never filled in. A case is compared on the features it has, if they are enough,
and only with reference cases that have these too; both numbers are told. A case farther from its
neighbours than reference cases are from theirs is refused: its neighbours are not similar.

Frames and a fitted reference; this does not claim to be a scikit-learn estimator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.nearest import NearestCases
from models.similar_courses import effective_number, nearness, weighted_mean, weighted_quantile
from models.similar_features import Courses, Floats, Indices, Scale, own_count
from models.similar_rule import SimilarCasesError, SimilarCasesRule

SAMPLED_FOR_RANGE = 1000
"""Reference cases whose distance to their own neighbours is measured; evenly through the ids."""


@dataclass(frozen=True, kw_only=True)
class SimilarCourses:
    """What similar cases say: one row an asked occasion, and one row a foreseen score."""

    asked: pl.DataFrame
    """`case_id, made_at` (occasion; null without any score), `feature_count, reference_count,
    neighbour_count, distance` to the last neighbour, `largest_distance` allowed, `reason` (null:
    answered)."""
    foreseen: pl.DataFrame
    """`case_id, made_at, occasion, expected, better_boundary, worse_boundary` in points,
    `neighbour_count, effective_number` at that occasion, `reason`; answered cases only."""


class SimilarCases:
    """A closed reference of ended cases that open ones are compared with.

    Examples
    --------
    >>> ids = [f"c{number:03}" for number in range(300)]
    >>> cases = pl.DataFrame({"case_id": ids, "ended_on": list(range(300))})
    >>> rows = [(case, at, 20.0 - at + number % 7) for number, case in enumerate(ids)
    ...         for at in range(4)]
    >>> scores = pl.DataFrame(rows, schema=["case_id", "occasion", "score"], orient="row")
    >>> similar = SimilarCases(SimilarCasesRule(horizon=1)).fit(cases, scores, as_of=290)
    >>> asked = similar.expect(
    ...     pl.DataFrame({"case_id": ["new"]}),
    ...     pl.DataFrame({"case_id": ["new"], "occasion": [0], "score": [23.0]}),
    ... )
    >>> asked.foreseen.select("made_at", "occasion", "expected").rows()
    [(0, 1, 22.0)]
    """

    known_until_: int
    """Day of the practice before which every reference case had ended."""
    reference_count_: int

    def __init__(self, rule: SimilarCasesRule) -> None:
        self.rule = rule

    def fit(self, cases: pl.DataFrame, scores: pl.DataFrame, *, as_of: int) -> Self:
        """Close a reference: cases ended before a day, with a baseline.

        Parameters
        ----------
        cases
            `case_id`, `ended_on` (day of a clock all cases share; null while open), the features,
            and `client_id` if clients may have several cases.
        scores
            `case_id, occasion` (0 is the baseline), `score`; and `known_on` (day of the same clock)
            to leave out scores that came on `as_of` or later.
        as_of
            Cases that ended on this day or later are not in it.
        """
        ended = cases.filter(pl.col("ended_on") < as_of).sort("case_id")
        if "known_on" in scores.columns:
            scores = scores.filter(pl.col("known_on") < as_of)
        known = Courses.of(ended, scores, self.rule)
        known = known.at(np.flatnonzero(~np.isnan(known.score[:, 0])))
        self._reference, self.known_until_ = known, as_of
        self.reference_count_ = len(known.score)
        return self

    def expect(
        self, cases: pl.DataFrame, scores: pl.DataFrame, *, at: Literal["last", "every"] = "last"
    ) -> SimilarCourses:
        """Say how similar cases went on after the last, or after every, occasion of some cases.

        Neither a case itself nor another case of its client is ever its neighbour.

        Parameters
        ----------
        cases, scores
            As in `fit`; `ended_on` is not needed. With `known_on` and `at="every"`, an occasion
            before the reference was closed is refused: cases in it ended later than that score.
        """
        if not hasattr(self, "_reference"):
            raise SimilarCasesError("there is no reference yet; call fit first")
        courses = Courses.of(cases.sort("case_id"), scores, self.rule)
        has_score = ~np.isnan(courses.score)
        asked = [_without_score(courses.case_id.filter(pl.Series(~has_score.any(axis=1))))]
        foreseen = [_NOTHING_FORESEEN]
        last = has_score.shape[1] - 1 - has_score[:, ::-1].argmax(axis=1)
        for occasion in range(courses.score.shape[1]):
            here = has_score[:, occasion]
            rows = np.flatnonzero(here & (last == occasion) if at == "last" else here)
            for each in self._expect_at(occasion, courses.at(rows)):
                asked.append(each.asked)
                foreseen.append(each.foreseen)
        return SimilarCourses(
            asked=pl.concat(asked).sort("case_id", "made_at"),
            foreseen=pl.concat(foreseen).sort("case_id", "made_at", "occasion"),
        )

    def _expect_at(self, occasion: int, courses: Courses) -> Iterator[SimilarCourses]:
        """Answer cases at one occasion, those with the same features known together."""
        feature = courses.features(occasion)
        is_known = ~np.isnan(feature)
        reason = np.full(len(feature), "", dtype="<U20")
        reason[is_known.mean(axis=1) < self.rule.least_share_of_features] = "too_little_known"
        reason[np.isnan(courses.score[:, 0])] = "no_baseline"
        reason[courses.known_on[:, occasion] < self.known_until_] = "reference_is_newer"
        refused = np.flatnonzero(reason != "")
        if len(refused):
            yield _refused(occasion, courses.at(refused), is_known[refused], reason[refused])
        open_rows = np.flatnonzero(reason == "")
        if not len(open_rows):
            return
        patterns, member = np.unique(is_known[open_rows], axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = open_rows[member.ravel() == number]
            yield from self._expect_alike(occasion, courses.at(rows), feature[rows], pattern)

    def _expect_alike(
        self, occasion: int, courses: Courses, feature: Floats, pattern: NDArray[np.bool_]
    ) -> Iterator[SimilarCourses]:
        """Answer cases at one occasion of which the same features are known."""
        rule, reference = self.rule, self._reference
        theirs = (
            reference.features(occasion)[:, pattern]
            if occasion < reference.score.shape[1]
            else np.full((len(reference.score), int(pattern.sum())), np.nan)
        )
        usable = np.flatnonzero(~np.isnan(theirs).any(axis=1))
        is_known = np.broadcast_to(pattern, feature.shape)
        own = own_count(reference.owner[usable], courses.owner)
        has_enough = len(usable) - own >= rule.minimum_reference
        if not has_enough.all():  # each for itself: who else is asked changes nothing
            few = np.flatnonzero(~has_enough)
            reason = np.full(len(few), "too_few_similar")
            yield _refused(occasion, courses.at(few), is_known[few], reason, len(usable) - own[few])
            enough = np.flatnonzero(has_enough)
            courses, feature, own = courses.at(enough), feature[enough], own[enough]
        if not len(feature):
            return
        spare = int(own.max()) + 1  # and the case itself, should its client be untold
        scale = Scale.of(theirs[usable])
        compared = scale.standardised(theirs[usable])
        nearest = NearestCases().fit(compared)
        sampled = compared[:: -(-len(compared) // SAMPLED_FOR_RANGE)]
        apart, _ = nearest.kneighbors(sampled, rule.neighbours + 1)
        largest = float(np.quantile(apart[:, -1], rule.outside_quantile))

        distance, row = nearest.kneighbors(
            scale.standardised(feature[:, pattern]),
            min(rule.neighbours + spare, len(usable)),
        )
        is_own = (reference.owner[usable][row] == courses.owner[:, None]) | (
            reference.case_id.to_numpy()[usable][row] == courses.case_id.to_numpy()[:, None]
        )
        order = np.argsort(is_own, axis=1, kind="stable")[:, : rule.neighbours]
        distance = np.take_along_axis(distance, order, axis=1)
        neighbour = usable[np.take_along_axis(row, order, axis=1)]

        is_outside = distance[:, -1] > largest
        asked = pl.DataFrame(
            {
                "case_id": courses.case_id,
                "made_at": occasion,
                "feature_count": int(pattern.sum()),
                "reference_count": len(usable) - own,
                "neighbour_count": rule.neighbours,
                "distance": distance[:, -1],
                "largest_distance": largest,
                "reason": np.where(is_outside, "outside_reference", ""),
            },
            schema=_ASKED,
        ).with_columns(pl.col("reason").replace("", None))
        inside = np.flatnonzero(~is_outside)
        foreseen = self._foreseen(
            occasion, courses.case_id.gather(inside), neighbour[inside], distance[inside]
        )
        yield SimilarCourses(asked=asked, foreseen=foreseen)

    def _foreseen(
        self, occasion: int, case_id: pl.Series, neighbour: Indices, distance: Floats
    ) -> pl.DataFrame:
        """Return the courses of the neighbours (cases, k) after an occasion."""
        rule, score = self.rule, self._reference.score
        weight = nearness(distance)
        tables = [_NOTHING_FORESEEN]
        for later in range(occasion + 1, min(occasion + rule.horizon + 1, score.shape[1])):
            theirs = score[neighbour, later]
            counted = np.where(np.isnan(theirs), 0.0, weight)
            effective = effective_number(counted)
            high = weighted_quantile(theirs, counted, rule.percentile)
            low = weighted_quantile(theirs, counted, 1.0 - rule.percentile)
            worse, better = (high, low) if rule.higher_is == "worse" else (low, high)
            few = effective < rule.minimum_effective
            table = pl.DataFrame(
                {
                    "case_id": case_id,
                    "made_at": occasion,
                    "occasion": later,
                    "expected": weighted_mean(theirs, counted),
                    "better_boundary": better,
                    "worse_boundary": worse,
                    "neighbour_count": (counted > 0).sum(axis=1),
                    "effective_number": effective,
                    "reason": np.where(few, "too_few_left", ""),
                },
                schema=_FORESEEN,
            )
            points = ("expected", "better_boundary", "worse_boundary")
            tables.append(
                table.with_columns(
                    pl.when(pl.col("reason") == "").then(pl.col(points)),
                    pl.col("reason").replace("", None),
                )
            )
        return pl.concat(tables)


_ASKED = {
    "case_id": pl.String,
    "made_at": pl.Int64,
    "feature_count": pl.Int64,
    "reference_count": pl.Int64,
    "neighbour_count": pl.Int64,
    "distance": pl.Float64,
    "largest_distance": pl.Float64,
    "reason": pl.String,
}
_FORESEEN = {
    "case_id": pl.String,
    "made_at": pl.Int64,
    "occasion": pl.Int64,
    "expected": pl.Float64,
    "better_boundary": pl.Float64,
    "worse_boundary": pl.Float64,
    "neighbour_count": pl.Int64,
    "effective_number": pl.Float64,
    "reason": pl.String,
}
_NOTHING_FORESEEN = pl.DataFrame(schema=_FORESEEN)


def _without_score(case_id: pl.Series) -> pl.DataFrame:
    """Return the answer to cases without any score: refused, at no occasion."""
    row = {name: case_id if name == "case_id" else None for name in _ASKED}
    row["reason"] = pl.Series(["no_baseline"] * len(case_id), dtype=pl.String)
    return pl.DataFrame(row, schema=_ASKED) if len(case_id) else pl.DataFrame(schema=_ASKED)


def _refused(
    occasion: int,
    courses: Courses,
    is_known: NDArray[np.bool_],
    reason: NDArray[np.str_],
    reference_count: Indices | None = None,
) -> SimilarCourses:
    asked = pl.DataFrame(
        {
            "case_id": courses.case_id,
            "made_at": occasion,
            "feature_count": is_known.sum(axis=1),
            "reference_count": reference_count,
            "neighbour_count": None,
            "distance": None,
            "largest_distance": None,
            "reason": reason,
        },
        schema=_ASKED,
    )
    return SimilarCourses(asked=asked, foreseen=_NOTHING_FORESEEN)
