"""What a measure is, and which of its numbers were read in a source.

Keys into the sources ("R2") are those of the source ledger; "M" is recalled and not read, "chosen"
is ours. Where sources disagree: ``docs/decisions/0003-contradicting-sources.md``.
"""

from __future__ import annotations

from math import floor, sqrt
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_contracts.errors import ContractError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

TOTAL = "total"
"""The subscale name of a measure's total."""

Text = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Points = Annotated[float, Field(gt=0)]


class MeasureContractError(ContractError):
    """The TOML file of a measure cannot be used as it stands."""


class TomlTable(BaseModel):
    """A table of a measure's file: no unknown keys, no guessed types."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,  # the docstring of a key is what an error says was expected
    )


class _SourcedTable(TomlTable):
    source: Text
    """key of the source and a short citation, such as "R2: BMC Psychiatry 2018, Table 1" """
    verified: bool
    """true if the number was read in that source, false if it is recalled or chosen by us"""
    note: Text | None = None
    """a remark in words"""


class ClinicalCutoff(_SourcedTable):
    """Where the clinical range ends (C of the status rule)."""

    value: float
    """the last score still in the clinical range, in points of the total"""


class ReliableChange(_SourcedTable):
    """Published change beyond measurement error."""

    points: Points
    """the published reliable change, in points, above zero; a change of exactly this much counts"""
    confidence: Annotated[float, Field(gt=0, lt=1)]
    """the confidence it was published at, such as 0.95"""


class Reliability(_SourcedTable):
    """How far scores repeat themselves."""

    value: Annotated[float, Field(gt=0, lt=1)]
    """a coefficient between 0 and 1"""
    kind: Literal["retest", "alpha", "not_stated"]
    """"retest", "alpha", or "not_stated" if the source does not say which"""


class StandardDeviation(_SourcedTable):
    """How far people differ, in the population that the reliable change refers to."""

    value: Points
    """standard deviation of the total, in points, above zero"""
    population: Text
    """the people it was found in, in words"""


class MinimalImportantChange(_SourcedTable):
    """The smallest change that people call a difference; shown, never judged by."""

    points: Points
    """change in points of the total, above zero"""


class SeverityBand(_SourcedTable):
    """A range of totals with a published word for it; shown, never judged by."""

    label: Text
    """the word for this range of scores"""
    from_score: float = Field(alias="from")
    """the first score of the band"""
    to_score: float = Field(alias="to")
    """the last score of the band"""


class Subscale(_SourcedTable):
    """A subscale or single item sent beside the total."""

    subscale: Slug
    """its short name in the scores table: lower-case letters, digits and _"""
    name: Text
    """as a clinician says it"""
    minimum: float
    """the lowest possible score"""
    maximum: float
    """the highest possible score"""
    integer: bool
    """true if only whole scores exist"""
    loinc: Text | None = None
    """its LOINC code in quotes"""
    safety: bool = False
    """true for an item about harm: it is shown raw and first, with the practice's own protocol"""
    flag_from: float | None = None
    """safety items only: a flag opens at this score or more"""
    flag_rise_from_zero: bool = False
    """safety items only: true if a flag also opens when the answer rises from zero"""


class Alliance(TomlTable):
    """Lines for a rating of the working alliance, in points of the total."""

    low_at: float
    """the highest total that is still a concern"""
    low_source: Text
    """key of the source of low_at and a short citation"""
    low_verified: bool
    """true if low_at was read in that source"""
    ceiling_at: float
    """the lowest total so near the top that it says nothing more"""
    ceiling_source: Text
    """key of the source of ceiling_at and a short citation"""
    ceiling_verified: bool
    """true if ceiling_at was read in that source"""
    standard_error_of_measurement: Points
    """measurement error of one rating in points: the client's own limits are never narrower"""
    standard_error_source: Text
    """key of the source of the standard error and a short citation"""
    standard_error_verified: bool
    """true if the standard error, or what it is computed from, was read in that source"""
    total_is_sum_of: tuple[Slug, ...] = Field(default=(), strict=False)
    """a list of the subscales that add up to the total; empty if none"""
    bond: Slug | None = None
    """the subscale for the bond between client and therapist, if there is one"""
    work: tuple[Slug, ...] = Field(default=(), strict=False)
    """a list of the subscales for agreement on the work: goals, tasks; empty if none"""
    note: Text | None = None
    """a remark in words"""


class NotChosen(TomlTable):
    """A number that contradicts the one taken."""

    what: Text
    """the key that the number would have been the value of, such as "reliable_change" """
    value: float
    """the number not taken"""
    source: Text
    """key of the source and a short citation"""
    why: Text
    """why it was not taken"""


class Measure(TomlTable):
    """One questionnaire: range, direction, thresholds, and where each number comes from."""

    measure_id: Slug
    """the same short name as the file: lower-case letters, digits and _"""
    name: Text
    """as a clinician says it, used in sentences"""
    long_name: Text
    """the full name"""
    role: Literal["outcome", "alliance", "process"]
    """"outcome" (judged by the status rule), "alliance" or "process" (flags and lenses only)"""
    construct_name: Text = Field(alias="construct")
    """what it measures, in words, such as "depression" """
    rater: Literal["client", "clinician"]
    """who fills it in: "client" or "clinician"; its totals by this rater are judged"""
    higher_is: Literal["worse", "better"]
    """"worse" or "better": what a high total means"""
    integer: bool
    """true if only whole totals exist"""
    items: Annotated[int, Field(ge=1)]
    """the number of items, a whole number of 1 or more"""
    minimum: float
    """the lowest possible total"""
    maximum: float
    """the highest possible total"""
    missing_item_rule: Text
    """what the practice's system must do before it sends a total (unstuck receives totals only)"""
    loinc: Text | None = None
    """the LOINC code of the total in quotes"""
    licence: Text
    """who owns it and what use is free; no item text ships with unstuck"""
    licence_source: Text
    """key of the source of the licence and a short citation"""
    licence_verified: bool
    """true if the licence was read in that source"""
    note: Text | None = None
    """a remark in words"""

    clinical_cutoff: ClinicalCutoff | None = None
    """a table [clinical_cutoff]"""
    reliable_change: ReliableChange | None = None
    """a table [reliable_change], published values only"""
    reliability: Reliability | None = None
    """a table [reliability]"""
    standard_deviation: StandardDeviation | None = None
    """a table [standard_deviation]"""
    minimal_important_change: MinimalImportantChange | None = None
    """a table [minimal_important_change]"""
    alliance: Alliance | None = None
    """a table [alliance], for measures whose role is "alliance" and for no others"""
    severity_bands: tuple[SeverityBand, ...] = Field(default=(), alias="severity", strict=False)
    """tables [[severity]]"""
    subscales: tuple[Subscale, ...] = Field(default=(), alias="subscale", strict=False)
    """tables [[subscale]]"""
    not_chosen: tuple[NotChosen, ...] = Field(default=(), strict=False)
    """tables [[not_chosen]]"""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        contradictions = tuple(_contradictions(self))
        if contradictions:
            raise ValueError("\n".join(contradictions))
        return self

    @property
    def direction(self) -> int:
        """Return +1 where a high score is worse, -1 where it is better (h of the status rule)."""
        return 1 if self.higher_is == "worse" else -1

    @property
    def cutoff(self) -> float | None:
        """Return the last score still in the clinical range; None if no cut-off is known."""
        return self.clinical_cutoff.value if self.clinical_cutoff else None

    @property
    def reliable_change_points(self) -> float | None:
        """Return the reliable change in points, inclusive; None if nothing is known to base it on.

        The published one, else Jacobson and Truax at 95 %: 1.96 sqrt(2) SD sqrt(1 - r). On a scale
        of whole scores that is the first whole number above it, else it is rounded to two decimals.
        """
        if self.reliable_change:
            return self.reliable_change.points
        if not (self.standard_deviation and self.reliability):
            return None
        spread, repeats = self.standard_deviation.value, self.reliability.value
        change = 1.96 * sqrt(2) * spread * sqrt(1 - repeats)
        return float(floor(change) + 1) if self.integer else round(change, 2)

    @property
    def reliable_change_is_verified(self) -> bool:
        """Tell whether the reliable change, or both numbers it is computed from, were read."""
        if self.reliable_change:
            return self.reliable_change.verified
        if not (self.standard_deviation and self.reliability):
            return False
        return self.standard_deviation.verified and self.reliability.verified

    @property
    def is_verified(self) -> bool:
        """Tell whether every number that unstuck judges by was read in its source."""
        return not self.unverified_numbers

    @property
    def unverified_numbers(self) -> tuple[str, ...]:
        """Name, in words, the numbers judged by that are recalled or chosen by us.

        For outcomes those of the status rule; for alliance measures the lines in ``[alliance]``
        too. Severity bands, important change and safety flags are left out: no status needs them.
        """
        return tuple(words for words, verified in _judging_numbers(self) if not verified)

    def score_range(self, subscale: str = TOTAL) -> tuple[float, float]:
        """Return the lowest and highest possible score of the total or of a subscale.

        Raises
        ------
        MeasureContractError
            If the measure has no such subscale.
        """
        ranges = {part.subscale: (part.minimum, part.maximum) for part in self.subscales}
        ranges[TOTAL] = (self.minimum, self.maximum)
        if subscale not in ranges:
            hint = nearest(subscale, list(ranges))
            message = f"{self.name} has no subscale {subscale!r}{hint}; it has {', '.join(ranges)}"
            raise MeasureContractError(message)
        return ranges[subscale]

    def is_clinical(self, score: float) -> bool:
        """Tell whether a total lies in the clinical range, cut-off included; true without one."""
        return self.cutoff is None or self.direction * score >= self.direction * self.cutoff


def _judging_numbers(measure: Measure) -> Iterator[tuple[str, bool]]:
    """Yield each number that decides something: its name in words, and whether it was read."""
    if measure.reliable_change:
        yield "reliable change", measure.reliable_change.verified
    elif measure.standard_deviation and measure.reliability:
        yield "standard deviation", measure.standard_deviation.verified
        yield "reliability", measure.reliability.verified
    if measure.clinical_cutoff:
        yield "clinical cut-off", measure.clinical_cutoff.verified
    if measure.alliance:
        yield "concern line of the alliance", measure.alliance.low_verified
        yield "ceiling of the alliance", measure.alliance.ceiling_verified
        yield "standard error of measurement", measure.alliance.standard_error_verified


def _contradictions(measure: Measure) -> Iterator[str]:
    """Yield what no single key shows: numbers outside the range, parts that do not fit."""
    low, high = measure.minimum, measure.maximum
    expected = f"expected {low:g} to {high:g}, the range of the total"
    if low >= high:
        yield "key `maximum`: expected more than `minimum`"
        return
    for key, value in _totals(measure):
        if not low <= value <= high:
            yield f"key `{key}`: {expected}"
    if measure.reliable_change and measure.reliable_change.points > high - low:
        yield f"key `reliable_change.points`: expected at most {high - low:g}, the whole range"
    if (measure.role == "alliance") != (measure.alliance is not None):
        yield 'key `alliance`: expected a table [alliance] when `role` is "alliance", else none'
    for place, band in enumerate(measure.severity_bands):
        if band.from_score > band.to_score:
            yield f"key `severity[{place}].to`: expected `from` or more"
    yield from _contradictions_of_subscales(measure)


def _totals(measure: Measure) -> Iterator[tuple[str, float]]:
    if measure.clinical_cutoff:
        yield "clinical_cutoff.value", measure.clinical_cutoff.value
    if measure.alliance:
        yield "alliance.low_at", measure.alliance.low_at
        yield "alliance.ceiling_at", measure.alliance.ceiling_at
    for place, band in enumerate(measure.severity_bands):
        yield f"severity[{place}].from", band.from_score
        yield f"severity[{place}].to", band.to_score


def _contradictions_of_subscales(measure: Measure) -> Iterator[str]:
    known = [part.subscale for part in measure.subscales]
    for place, part in enumerate(measure.subscales):
        if part.subscale == TOTAL or known.index(part.subscale) != place:
            yield f"key `subscale[{place}].subscale`: expected a name used once, and not {TOTAL!r}"
        if part.minimum >= part.maximum:
            yield f"key `subscale[{place}].maximum`: expected more than `minimum`"
        if part.safety != (part.flag_from is not None) or (
            part.flag_rise_from_zero and not part.safety
        ):
            yield f"key `subscale[{place}].flag_from`: expected with `safety = true`, else no flag"
        elif part.flag_from is not None and not part.minimum <= part.flag_from <= part.maximum:
            yield f"key `subscale[{place}].flag_from`: expected a score within its range"
    for key, names in _named_parts(measure.alliance) if measure.alliance else ():
        for name in names:
            if name not in known:
                hint = nearest(name, known)
                yield f"key `alliance.{key}`: expected only subscales listed here{hint}"


def _named_parts(alliance: Alliance) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "total_is_sum_of", alliance.total_is_sum_of
    yield "bond", (alliance.bond,) if alliance.bond else ()
    yield "work", alliance.work
