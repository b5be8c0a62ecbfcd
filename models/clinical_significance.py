"""What became of a case: recovered, improved, unchanged, deteriorated, entered the clinical range?

Two questions are put together (Jacobson & Truax 1991): is there a change, and on which side of the
cut-off does the case stand before and after?

    recovered               improved, clinical before, functional after
    improved                improved otherwise
    unchanged               no change, whatever was crossed
    deteriorated            deteriorated otherwise
    entered_clinical_range  deteriorated, functional before, not functional after

"Harmed", the word of R28 for the last, names a cause that scores do not know. A case that cannot
be judged is `not_computable`, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Protocol

import numpy as np
import polars as pl

from data_contracts.measure import Measure
from models.change_reference import (
    ChangeRuleError,
    Direction,
    Floats,
    Reference,
    must,
    sign_of,
)
from models.clinical_cutoff import (
    CLINICAL,
    FUNCTIONAL,
    SIDES,
    UNDECIDED,
    UNKNOWN,
    ClinicalCutoff,
    published_cutoff,
)
from models.meaningful_change import PercentageChange, PointsChange
from models.paired_scores import REASON
from models.reliable_change import (
    DETERIORATED,
    IMPROVED,
    NOT_COMPUTABLE,
    UNCHANGED,
    VERDICTS,
    Codes,
    ReliableChange,
    worded,
)

CLASSES = (
    "recovered",
    "improved",
    "unchanged",
    "deteriorated",
    "entered_clinical_range",
    "not_computable",
)

CROSSINGS = (
    "left_clinical_range",
    "stayed",
    "entered_clinical_range",
    "not_computable",
)


class ChangeRule(Protocol):
    """Anything that judges changes: reliable change, points, a percentage."""

    @property
    def higher_is(self) -> Direction:
        """What a higher score means."""
        ...

    @property
    def obstacle(self) -> str | None:
        """Why no case at all is computable, as a code of `paired_scores.REASONS`."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know."""
        ...

    def verdicts(self, pre: Floats, post: Floats) -> Codes:
        """Return places in `VERDICTS` (n,)."""
        ...


def _class_table() -> Codes:
    """Return the class of each verdict, side before and side after (4, 4, 4)."""
    table = np.full((len(VERDICTS), len(SIDES), len(SIDES)), CLASSES.index("not_computable"))
    table[IMPROVED] = CLASSES.index("improved")
    table[UNCHANGED] = CLASSES.index("unchanged")
    table[DETERIORATED] = CLASSES.index("deteriorated")
    table[IMPROVED, CLINICAL, FUNCTIONAL] = CLASSES.index("recovered")
    # UNDECIDED exists for true scores only: no longer shown to be functional.
    table[DETERIORATED, FUNCTIONAL, [CLINICAL, UNDECIDED]] = CLASSES.index("entered_clinical_range")
    table[NOT_COMPUTABLE] = CLASSES.index("not_computable")
    table[:, UNKNOWN, :] = table[:, :, UNKNOWN] = CLASSES.index("not_computable")
    return table.astype(np.uint8)


def _crossing_table() -> Codes:
    table = np.full((len(SIDES), len(SIDES)), CROSSINGS.index("stayed"))
    table[CLINICAL, FUNCTIONAL] = CROSSINGS.index("left_clinical_range")
    table[FUNCTIONAL, CLINICAL] = CROSSINGS.index("entered_clinical_range")
    table[UNKNOWN, :] = table[:, UNKNOWN] = CROSSINGS.index("not_computable")
    return table.astype(np.uint8)


_CLASS_OF = _class_table().ravel()
_CROSSING_OF = _crossing_table().ravel()
_SIDES = len(SIDES)


def combined_classes(verdicts: Codes, before: Codes, after: Codes) -> Codes:
    """Return places in `CLASSES` (n,) of places in `VERDICTS` and, before and after, in `SIDES`."""
    place = verdicts * np.uint8(_SIDES * _SIDES)
    place += before * np.uint8(_SIDES)
    place += after
    return _CLASS_OF.take(place)


def crossings(before: Codes, after: Codes) -> Codes:
    """Return places in `CROSSINGS` (n,): what the cut-off alone says of a case."""
    return _CROSSING_OF.take(before * np.uint8(_SIDES) + after)


def judged_pairs(
    pairs: pl.DataFrame, rule: ChangeRule | None, cutoff: ClinicalCutoff | None = None
) -> pl.DataFrame:
    """Judge each case of a frame of pairs.

    Parameters
    ----------
    pairs
        One row a case: `pre`, `post` (null where missing) and `reason`, as `paired_scores` makes
        them. Other columns stay as they are.
    rule
        None with a cut-off asks for the crossing alone.
    cutoff
        None asks for the verdict of the rule alone.

    Returns
    -------
    `pairs` with `change` (after minus before, in points), with a rule `verdict` and, where it has
    one, `index` (standard errors, after minus before) or `share` (of the score before); with a
    cut-off `before`, `after` (sides) and `crossing`; with both `class`. `reason` says of every
    `not_computable` case why; values that do not exist are null.
    """
    if rule is None and cutoff is None:
        message = "neither a rule of change nor a cut-off was given: give one of them"
        raise ChangeRuleError(message)
    if rule is not None and cutoff is not None and rule.higher_is != cutoff.higher_is:
        message = f"the rule says higher is {rule.higher_is}, the cut-off {cutoff.higher_is}"
        raise ChangeRuleError(message)
    pre, post = pairs["pre"].to_numpy(), pairs["post"].to_numpy()
    if pairs["reason"].null_count() != pairs.height:
        unknown = pairs["reason"].is_not_null().to_numpy()
        pre, post = np.where(unknown, np.nan, pre), np.where(unknown, np.nan, post)
    added: list[pl.Series] = [_known("change", post - pre)]
    verdicts = None
    if rule is not None:
        if isinstance(rule, ReliableChange):
            index = rule.index(pre, post)
            verdicts = rule.verdicts_of(index)
            added.append(_known("index", index))
        else:
            verdicts = rule.verdicts(pre, post)
        if isinstance(rule, PercentageChange):
            added.append(_known("share", rule.shares(pre, post)))
        added.append(worded(verdicts, VERDICTS).alias("verdict"))
    last = verdicts
    if cutoff is not None:
        before, after = cutoff.before(pre), cutoff.after(post)
        crossed = crossings(before, after)
        added += [
            worded(before, SIDES).alias("before"),
            worded(after, SIDES).alias("after"),
            worded(crossed, CROSSINGS).alias("crossing"),
        ]
        last = crossed
        if verdicts is not None:
            last = combined_classes(verdicts, before, after)
            added.append(worded(last, CLASSES).alias("class"))
    reason = _reasons(pairs["reason"], pre, rule, cutoff)
    return pairs.with_columns(*added, reason)


def _known(name: str, values: Floats) -> pl.Series:
    """Return numbers with null where there is none: NaN never leaves this module."""
    return pl.Series(name, values, nan_to_null=True)


def _reasons(
    reasons: pl.Series, pre: Floats, rule: ChangeRule | None, cutoff: ClinicalCutoff | None
) -> pl.Series:
    """Add why the rule or the cut-off cannot judge to why the scores cannot be judged."""
    said = reasons.rename("reason").to_frame()
    for part in (rule, cutoff):
        if part is not None and part.obstacle is not None:
            said = said.with_columns(
                pl.col("reason").fill_null(pl.lit(part.obstacle, dtype=REASON))
            )
    if isinstance(rule, PercentageChange) and (pre < 0).any():
        negative = pl.Series("negative", pre < 0)
        said = said.with_columns(
            pl.when(pl.col("reason").is_null() & negative)
            .then(pl.lit("negative_before", dtype=REASON))
            .otherwise("reason")
            .alias("reason")
        )
    return said["reason"]


@dataclass(frozen=True, kw_only=True)
class GroupShares:
    """What Hageman & Arrindell say of a group: shares of true change and of true recovery."""

    improved: float | None
    """Share of cases whose true score improved; None if not computable."""
    functional: float | None
    """Share of cases whose true score after lies on the functional side of the cut-off."""


def shares_of_group(
    rule: ReliableChange, cutoff: ClinicalCutoff, pre: Floats, post: Floats
) -> GroupShares:
    """Estimate the shares of truly improved and truly functional cases in a group.

    `pre` and `post` (n,) are the group's scores; incomplete pairs are left out. Reliabilities come
    from the rule's reference. True scores are taken to be normal (Hageman & Arrindell 1999).
    """
    must(rule.method == "HA", "method", rule.method, "HA for shares of a group")
    whole = np.isfinite(pre) & np.isfinite(post)
    change, post = (post - pre)[whole], post[whole]
    if len(post) < 2:
        return GroupShares(improved=None, functional=None)
    sign, rdd = sign_of(rule.higher_is), rule.reliability_of_difference or 0.0
    sd_change, sd_post = float(change.std(ddof=1)), float(post.std(ddof=1))
    improved = functional = None
    if rdd > 0 and sd_change > 0:
        improved = NormalDist().cdf(sign * float(change.mean()) / (sd_change * sqrt(rdd)))
    if cutoff.true_score is not None and sd_post > 0:
        sd_true = sd_post * sqrt(cutoff.true_score.reliability_post)
        functional = NormalDist().cdf(sign * (float(post.mean()) - cutoff.value) / sd_true)
    return GroupShares(improved=improved, functional=functional)


def rule_of_measure(
    measure: Measure, *, reference: Reference | None = None, reliability: float | None = None
) -> PointsChange | ReliableChange:
    """Return the measure's own rule of reliable change: the published number goes before all.

    Without one, JT is computed from `reference` and `reliability`, else from those of its contract.

    Raises
    ------
    ChangeRuleError
        If neither is known.
    """
    published = measure.reliable_change
    if published is not None:
        return PointsChange(
            points=published.points, higher_is=measure.higher_is, source=published.source
        )
    if reference is None and measure.standard_deviation is not None:
        spread = measure.standard_deviation
        reference = Reference(name=f"{spread.population} ({spread.source})", sd_pre=spread.value)
    if reliability is None and measure.reliability is not None:
        reliability = measure.reliability.value
    if reference is None or reliability is None:
        message = (
            f"{measure.measure_id} has no published reliable change, and its contract lacks a "
            "standard deviation or a reliability to compute one: give both"
        )
        raise ChangeRuleError(message)
    return ReliableChange(reference=reference, reliability=reliability, higher_is=measure.higher_is)


def cutoff_of_measure(measure: Measure) -> ClinicalCutoff | None:
    """Return the published cut-off of a measure, or None where none is known."""
    known = measure.clinical_cutoff
    if known is None:
        return None
    return published_cutoff(known.value, higher_is=measure.higher_is, source=known.source)
