"""Which past cases count as similar, where does their boundary lie, and when is nothing said?

Numbers without a source beside them are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_contracts.errors import UnstuckError

REASONS = {
    "no_baseline": "there is no score at occasion 0",
    "too_little_known": "too many features are missing to call anybody similar",
    "reference_is_newer": "the reference holds cases that ended after this score",
    "too_few_similar": "too few ended cases reached this occasion with these features known",
    "outside_reference": "no ended case is as near as ended cases are to one another",
    "too_few_left": "too few of the similar cases have a score at this later occasion",
}


class SimilarCasesError(UnstuckError):
    """The rule or the frames for similar cases mean nothing."""


@dataclass(frozen=True, kw_only=True)
class SimilarCasesRule:
    """Who counts as similar, and where the boundary lies."""

    features: tuple[str, ...] = ()
    """Numeric columns of the cases known at intake, besides the baseline."""
    higher_is: Literal["worse", "better"] = "worse"
    neighbours: int = 40
    percentile: float = 0.9
    """Share of similar cases on the better side of the worse boundary (Lutz: .80 to .95); between
    the two boundaries lie 2 x percentile - 1, so 80 % for .9."""
    horizon: int = 4
    """Occasions ahead."""
    minimum_reference: int = 100
    minimum_effective: float = 15.0
    least_share_of_features: float = 0.6
    outside_quantile: float = 0.99
    """Of the distance of reference cases to their own k-th neighbour; beyond it is outside."""
    last_occasion: int = 60
    """Scores of later occasions are not looked at."""

    def __post_init__(self) -> None:
        """Refuse a rule that means nothing."""
        if not 0.5 < self.percentile < 1:
            raise SimilarCasesError(f"percentile is above .5 and below 1, not {self.percentile}")
        if self.neighbours < 2 or self.horizon < 1 or self.last_occasion < 1:
            raise SimilarCasesError("neighbours is at least 2, horizon and last_occasion 1")
        if self.minimum_reference <= self.neighbours:
            raise SimilarCasesError(
                f"minimum_reference ({self.minimum_reference}) must be above neighbours "
                f"({self.neighbours}): else everybody is a neighbour of everybody"
            )
        if self.minimum_effective < self.percentile / (1 - self.percentile) - 1e-9:
            raise SimilarCasesError(
                f"{self.minimum_effective:g} neighbours cannot show a percentile of "
                f"{self.percentile:g}; raise minimum_effective to "
                f"{self.percentile / (1 - self.percentile):.3g} or lower the percentile"
            )
        if self.higher_is not in ("worse", "better"):
            raise SimilarCasesError(f"higher_is is 'worse' or 'better', not {self.higher_is!r}")
