"""Where does the clinical range end? Cut-offs a, b and c, of scores and of true scores.

With M1, s1 of a clinical and M0, s0 of a functional population, a lower score being better
(Jacobson & Truax 1991; mirrored where a higher one is):

    a = M1 - 2 s1     outside the clinical range
    b = M0 + 2 s0     inside the functional range
    c = (s1 M0 + s0 M1) / (s1 + s0)     nearer to the functional mean

c is to be preferred where both are known. R28 takes s1 in b: here only as `sd_of_b="clinical"`.
A published cut-off goes before a computed one, and is the last score still in the clinical range.

True scores (Hageman & Arrindell 1999) replace s by s sqrt(reliability); a case is functional after
if its estimated true score lies beyond the cut-off by more than its error, clinical if it lies as
far on the other side, and undecided between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Literal

import polars as pl

from models.change_reference import (
    ChangeRuleError,
    Direction,
    Norm,
    must,
    sign_of,
)
from models.reliable_change import ReliableChange
from models.verdicts import constants

Kind = Literal["a", "b", "c"]
KINDS: tuple[Kind, ...] = ("a", "b", "c")

SIDES = ("clinical", "functional", "undecided", "unknown")

SdOfB = Literal["functional", "clinical"]
AtCutoff = Literal["clinical", "must_cross"]


@dataclass(frozen=True, kw_only=True)
class TrueScore:
    """What tells a true score after from an observed one."""

    mean_post: float
    reliability_post: float
    standard_error_of_measurement: float
    critical_value: float

    def index(self, post: pl.Expr, cutoff: float) -> pl.Expr:
        """Return how far the true score after lies above the cut-off, in its errors."""
        estimate = self.mean_post + (post - self.mean_post) * self.reliability_post
        error = sqrt(self.reliability_post) * self.standard_error_of_measurement
        return (estimate - cutoff) * (1 / error)


@dataclass(frozen=True, kw_only=True)
class ClinicalCutoff:
    """The border of the clinical range, and on which side of it scores lie."""

    value: float
    """In points of the measure."""
    higher_is: Direction
    name: str
    """Where it comes from, such as "c: outpatients and students" or "published: R2"."""
    at_cutoff: AtCutoff = "clinical"
    """A score exactly at the cut-off is the last clinical one. R28 lets it count against the case:
    not clinical before, not functional after (`must_cross`)."""
    true_score: TrueScore | None = None
    obstacle: str | None = None
    """Why no case is computable, as a code of `paired_scores.REASONS`."""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        must(isfinite(self.value) or self.obstacle is not None, "cut-off", self.value, "a number")
        must(self.at_cutoff in ("clinical", "must_cross"), "at_cutoff", self.at_cutoff,
             "'clinical' or 'must_cross'")  # fmt: skip
        sign_of(self.higher_is)

    def before(self, pre: pl.Expr) -> pl.Expr:
        """Return the side of scores before, an Enum of `SIDES`."""
        return self._side(pre, at_cutoff_is_functional=self.at_cutoff == "must_cross")

    def after(self, post: pl.Expr) -> pl.Expr:
        """Return the side of scores after, or of their true scores, an Enum of `SIDES`.

        Examples
        --------
        >>> cutoff = published_cutoff(10, higher_is="worse", source="a manual")
        >>> scores = pl.DataFrame({"post": [9, 10, None]})
        >>> scores.select(cutoff.after(pl.col("post"))).to_series().to_list()
        ['functional', 'clinical', 'unknown']
        """
        if self.true_score is None or self.obstacle:
            return self._side(post, at_cutoff_is_functional=False)
        clinical, functional, undecided, unknown = constants(SIDES)
        index = self.true_score.index(post, self.value)
        beyond = index if self.higher_is == "better" else -index
        limit = self.true_score.critical_value
        return (
            pl.when(beyond > limit).then(functional)
            .when(beyond < -limit).then(clinical)
            .when(beyond.is_null()).then(unknown)
            .otherwise(undecided)
        )  # fmt: skip

    def _side(self, score: pl.Expr, *, at_cutoff_is_functional: bool) -> pl.Expr:
        clinical, functional, _, unknown = constants(SIDES)
        if self.obstacle:
            return unknown
        is_functional = {
            ("better", False): score > self.value,
            ("better", True): score >= self.value,
            ("worse", False): score < self.value,
            ("worse", True): score <= self.value,
        }[self.higher_is, at_cutoff_is_functional]
        return (
            pl.when(is_functional).then(functional)
            .when(score.is_null()).then(unknown)
            .otherwise(clinical)
        )  # fmt: skip


def published_cutoff(value: float, *, higher_is: Direction, source: str) -> ClinicalCutoff:
    """Return a cut-off as published: the last score still in the clinical range.

    Examples
    --------
    >>> published_cutoff(10, higher_is="worse", source="R2").name
    'published: R2'
    """
    return ClinicalCutoff(value=value, higher_is=higher_is, name=f"published: {source}")


def computed_cutoff(
    kind: Kind,
    *,
    higher_is: Direction,
    clinical: Norm | None = None,
    functional: Norm | None = None,
    sd_of_b: SdOfB = "functional",
    at_cutoff: AtCutoff = "clinical",
) -> ClinicalCutoff:
    """Return cut-off a, b or c of two populations.

    Raises
    ------
    ChangeRuleError
        If a population that this cut-off needs is missing.

    Examples
    --------
    >>> couples = Norm(name="couples in therapy", mean=40, sd=7.5)
    >>> others = Norm(name="couples out of therapy", mean=60, sd=7.5)
    >>> computed_cutoff("c", higher_is="better", clinical=couples, functional=others).value
    50.0
    """
    must(kind in KINDS, "cut-off", kind, f"one of {', '.join(KINDS)}")
    must(sd_of_b in ("functional", "clinical"), "sd_of_b", sd_of_b, "'functional' or 'clinical'")
    needs_clinical = kind in ("a", "c") or sd_of_b == "clinical"
    if needs_clinical and clinical is None:
        message = f"cut-off {kind} needs mean and SD of a clinical population"
        raise ChangeRuleError(message)
    if kind != "a" and functional is None:
        message = f"cut-off {kind} needs mean and SD of a functional population; without take a"
        raise ChangeRuleError(message)
    ill, well = clinical or functional, functional or clinical
    if ill is None or well is None:
        message = f"cut-off {kind} needs a population"
        raise ChangeRuleError(message)
    sign = sign_of(higher_is)
    match kind:
        case "a":
            value, name = ill.mean + sign * 2 * ill.sd, f"a: {ill.name}"
        case "b":
            sd = well.sd if sd_of_b == "functional" else ill.sd
            named = "" if sd_of_b == "functional" else ", with the clinical SD as in R28"
            value, name = well.mean - sign * 2 * sd, f"b: {well.name}{named}"
        case "c":
            value = (ill.sd * well.mean + well.sd * ill.mean) / (ill.sd + well.sd)
            name = f"c: {ill.name} and {well.name}"
    is_upside_down = clinical is not None and sign * (well.mean - ill.mean) < 0
    return ClinicalCutoff(
        value=value,
        higher_is=higher_is,
        name=name,
        at_cutoff=at_cutoff,
        warnings=(_UPSIDE_DOWN,) if is_upside_down else (),
    )


_UPSIDE_DOWN = (
    "The functional mean is worse than the clinical one: is the direction of the measure right?"
)


def true_score_cutoff(
    kind: Kind,
    rule: ReliableChange,
    *,
    functional: Norm | None = None,
    reliability_functional: float | None = None,
    sd_of_b: SdOfB = "functional",
    at_cutoff: AtCutoff = "clinical",
) -> ClinicalCutoff:
    """Return Hageman & Arrindell's cut-off of true scores; the rule is a HA rule.

    Unless `reliability_functional` is known, the error of measurement is taken to be the same in
    all populations: the reliability of another standard deviation s is 1 - SEM^2 / s^2. Where that
    is not above zero after, nothing can be said of true scores, and no case is computable.

    Examples
    --------
    >>> from models.change_reference import Reference
    >>> people = Reference(
    ...     name="x", mean_pre=20, sd_pre=7, mean_post=14, sd_post=8, correlation=0.5
    ... )
    >>> rule = ReliableChange(
    ...     reference=people, reliability=0.85, higher_is="worse", method="HA"
    ... )
    >>> round(true_score_cutoff("a", rule).value, 2)  # 20 - 2 * 7 * sqrt(.85)
    7.09
    """
    must(rule.method == "HA", "method", rule.method, "HA for a cut-off of true scores")
    it, sem = rule.reference, rule.standard_error_of_measurement
    must(it.mean_pre is not None and it.mean_post is not None and it.sd_post is not None,
         "reference", it.name, "one with means and SDs before and after")  # fmt: skip
    mean_pre, mean_post, sd_post = it.mean_pre or 0.0, it.mean_post or 0.0, it.sd_post or 0.0
    reliability_post = 1 - sem**2 / sd_post**2
    if functional is not None:
        r = reliability_functional
        must(r is None or 0 < r < 1, "reliability_functional", r, "above 0 and below 1")
        variance = functional.sd**2
        sd_true = sqrt(max(variance - sem**2 if r is None else variance * r, 0.0))
        needs_it = kind == "c" or (kind == "b" and sd_of_b == "functional")
        if sd_true <= 0 and needs_it:
            message = (
                f"the functional SD of {functional.sd:g} is not above the measurement error of "
                f"{sem:g} points: there are no true differences to set a cut-off by"
            )
            raise ChangeRuleError(message)
        functional = replace(functional, sd=sd_true or functional.sd)
    clinical = Norm(name=it.name, mean=mean_pre, sd=it.sd_pre * sqrt(rule.reliability))
    observed = computed_cutoff(
        kind, higher_is=rule.higher_is, clinical=clinical, functional=functional,
        sd_of_b=sd_of_b, at_cutoff=at_cutoff,
    )  # fmt: skip
    if reliability_post <= 0:
        return replace(observed, name=f"true {observed.name}", obstacle="reliability_after")
    return replace(
        observed,
        name=f"true {observed.name}",
        true_score=TrueScore(
            mean_post=mean_post,
            reliability_post=reliability_post,
            standard_error_of_measurement=sem,
            critical_value=rule.critical_value,
        ),
    )
