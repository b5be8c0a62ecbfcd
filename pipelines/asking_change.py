"""Which rule and which cut-off does a caller of `unstuck change` mean? Options become models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import polars as pl

from data_contracts.errors import UnstuckError, nearest
from data_contracts.measure import Measure
from data_contracts.measures import built_in_measures
from models.change_reference import ChangeRuleError, Direction, Norm, Reference
from models.clinical_cutoff import (
    KINDS,
    AtCutoff,
    ClinicalCutoff,
    SdOfB,
    computed_cutoff,
    published_cutoff,
    true_score_cutoff,
)
from models.clinical_significance import (
    ChangeRule,
    cutoff_of_measure,
    rule_of_measure,
)
from models.meaningful_change import PercentageChange, PointsChange
from models.reliable_change import METHODS, ReliableChange

SAMPLE = "sample"
_GIVEN = "given on the command line"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the caller gave; the options of `unstuck change`."""

    file: Path
    case: str
    time: str
    score: str
    pre: str | None
    post: str | None
    pre_column: str | None
    post_column: str | None
    method: str
    higher_is: str
    reliability: float | None
    reliability_post: float | None
    post_error: str
    confidence: float
    reference: str | None
    mean_pre: float | None
    sd_pre: float | None
    mean_post: float | None
    sd_post: float | None
    correlation: float | None
    cutoff: str | None
    functional_mean: float | None
    functional_sd: float | None
    sd_of_b: str
    reliability_functional: float | None
    at_cutoff: str
    crossing: bool
    points: float | None
    worse_points: float | None
    percent: float | None
    worse_percent: float | None
    effect: str | None
    group: str | None
    reference_group: str | None
    measure: str | None


def measure_of(name: str | None) -> Measure | None:
    """Return the contract of a measure by its id, or None if none was named."""
    if name is None:
        return None
    known = built_in_measures()
    if name not in known:
        message = f"no contract for measure {name!r}{nearest(name, list(known))}"
        raise UnstuckError(message)
    return known[name]


def reference_of(asked: Asked, pairs: pl.DataFrame | None) -> Reference | None:
    """Return the named reference; that of the sample only where it is asked for by name."""
    if asked.reference == SAMPLE:
        if pairs is None:
            message = "--reference sample needs pairs; for HLM give --mean-pre and --sd-pre"
            raise ChangeRuleError(message)
        return Reference.of_sample(pairs["pre"].to_numpy(), pairs["post"].to_numpy())
    if asked.sd_pre is None:
        return None
    return Reference(
        name=asked.reference or _GIVEN,
        mean_pre=asked.mean_pre,
        sd_pre=asked.sd_pre,
        mean_post=asked.mean_post,
        sd_post=asked.sd_post,
        correlation=asked.correlation,
    )


def rule_of(
    asked: Asked, higher_is: Direction, known: Reference | None, measure: Measure | None
) -> ChangeRule:
    """Return the rule of change; published points go before what could be computed."""
    if asked.method.lower() == "percent":
        if asked.percent is None:
            message = "method percent needs --percent, such as --percent 50"
            raise ChangeRuleError(message)
        worse = None if asked.worse_percent is None else asked.worse_percent / 100
        return PercentageChange(share=asked.percent / 100, worse_share=worse, higher_is=higher_is)
    if asked.points is not None:  # published or agreed: goes before what could be computed
        return PointsChange(
            points=asked.points, worse_points=asked.worse_points, higher_is=higher_is, source=_GIVEN
        )
    method = asked.method.upper()
    if measure is not None and method == "JT":
        return rule_of_measure(measure, reference=known, reliability=asked.reliability)
    if method not in METHODS:
        known_methods = ", ".join([*METHODS, "HLM", "points", "percent"])
        message = (
            f"--method {asked.method!r} needs --points"
            if asked.method.lower() == "points"
            else f"--method {asked.method!r} is not known: expected one of {known_methods}"
        )
        raise ChangeRuleError(message)
    if asked.reliability is None:
        message = f"method {method} needs --reliability; or give a published change by --points"
        raise ChangeRuleError(message)
    if known is None:
        message = (
            f"method {method} needs the SD of a reference: give --sd-pre (published), or "
            "--reference sample to take these very cases (classes then change with every case)"
        )
        raise ChangeRuleError(message)
    return ReliableChange(
        reference=known,
        reliability=asked.reliability,
        reliability_post=asked.reliability_post,
        post_error=_one_of(asked.post_error, "--post-error", ("sd_pre", "sd_post")),
        higher_is=higher_is,
        method=method,
        confidence=asked.confidence,
    )


def cutoff_of(
    asked: Asked,
    higher_is: Direction,
    known: Reference | None,
    rule: ChangeRule | None,
    measure: Measure | None,
) -> ClinicalCutoff | None:
    """Return the cut-off; a published one goes before a computed one."""
    given = asked.cutoff
    at_cutoff: AtCutoff = _one_of(asked.at_cutoff, "--at-cutoff", ("clinical", "must_cross"))
    if measure is not None and (given is None or given in KINDS):
        published = cutoff_of_measure(measure)
        if published is not None:
            return published
    if given is None:
        return None
    if given not in KINDS:
        try:
            value = float(given)
        except ValueError:
            message = f"--cutoff {given!r} is neither a, b, c nor a number"
            raise ChangeRuleError(message) from None
        published = published_cutoff(value, higher_is=higher_is, source=_GIVEN)
        return replace(published, at_cutoff=at_cutoff)
    functional = None
    if asked.functional_mean is not None and asked.functional_sd is not None:
        functional = Norm(
            name="functional population", mean=asked.functional_mean, sd=asked.functional_sd
        )
    elif given != "a":
        message = f"--cutoff {given} needs --functional-mean and --functional-sd; without take a"
        raise ChangeRuleError(message)
    kind = given
    sd_of_b: SdOfB = _one_of(asked.sd_of_b, "--sd-of-b", ("functional", "clinical"))
    if isinstance(rule, ReliableChange) and rule.method == "HA":
        return true_score_cutoff(
            kind, rule, functional=functional, sd_of_b=sd_of_b, at_cutoff=at_cutoff,
            reliability_functional=asked.reliability_functional,
        )  # fmt: skip
    clinical = None
    if known is not None and known.mean_pre is not None:
        clinical = Norm(name=known.name, mean=known.mean_pre, sd=known.sd_pre)
    elif kind != "b" or sd_of_b == "clinical":
        message = f"--cutoff {given} needs --mean-pre and --sd-pre of a clinical population"
        raise ChangeRuleError(message)
    return computed_cutoff(
        kind, higher_is=higher_is, clinical=clinical, functional=functional, sd_of_b=sd_of_b,
        at_cutoff=at_cutoff,
    )  # fmt: skip


Word = TypeVar("Word", bound=str)


def _one_of(given: str, option: str, words: tuple[Word, ...]) -> Word:
    """Return a word of a closed set as that set spells it."""
    for word in words:
        if given == word:
            return word
    message = f"{option} {given!r} is neither {' nor '.join(words)}"
    raise ChangeRuleError(message)
