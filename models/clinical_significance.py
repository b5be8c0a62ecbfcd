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

from typing import TYPE_CHECKING, Protocol

import polars as pl

from models.change_reference import (
    ChangeRuleError,
    Direction,
    Reference,
)
from models.clinical_cutoff import ClinicalCutoff, published_cutoff
from models.meaningful_change import PercentageChange, PointsChange
from models.paired_scores import REASON
from models.reliable_change import ReliableChange
from models.verdicts import constants

if TYPE_CHECKING:  # building the contracts takes longer than judging a million cases
    from data_contracts.measure import Measure

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

    def columns(self) -> dict[str, pl.Expr]:
        """Return the numbers that are reckoned of `pre` and `post` first, by name."""
        ...

    def verdict(self) -> pl.Expr:
        """Return the verdict, an Enum of `VERDICTS`."""
        ...


def combined_class(words: tuple[str, ...] = CLASSES) -> pl.Expr:
    """Return the class of each case by its columns `verdict`, `before` and `after`.

    Parameters
    ----------
    words
        What to call them, in the order of `CLASSES`; the verdicts are the same words, or the second
        to fourth of them.

    Examples
    --------
    >>> judged = pl.DataFrame(
    ...     {
    ...         "verdict": ["improved", "deteriorated", "improved"],
    ...         "before": ["clinical", "functional", "unknown"],
    ...         "after": ["functional", "clinical", "functional"],
    ...     }
    ... )
    >>> judged.select(combined_class()).to_series().to_list()
    ['recovered', 'entered_clinical_range', 'not_computable']
    """
    recovered, improved, unchanged, deteriorated, entered, not_computable = constants(words)
    verdict, before, after = pl.col("verdict"), pl.col("before"), pl.col("after")
    # UNDECIDED exists for true scores only: no longer shown to be functional.
    return (
        pl.when((before == "unknown") | (after == "unknown")).then(not_computable)
        .when(verdict == words[2]).then(unchanged)
        .when(verdict == words[1])
        .then(pl.when((before == "clinical") & (after == "functional")).then(recovered)
              .otherwise(improved))
        .when(verdict == words[3])
        .then(pl.when((before == "functional") & (after != "functional")).then(entered)
              .otherwise(deteriorated))
        .otherwise(not_computable)
    )  # fmt: skip


def crossing() -> pl.Expr:
    """Return what the cut-off alone says, an Enum of `CROSSINGS`, by `before` and `after`.

    Examples
    --------
    >>> sides = pl.DataFrame({"before": ["clinical", "clinical"], "after": ["functional"] * 2})
    >>> sides.select(crossing()).to_series().to_list()
    ['left_clinical_range', 'left_clinical_range']
    """
    left, stayed, entered, not_computable = constants(CROSSINGS)
    before, after = pl.col("before"), pl.col("after")
    return (
        pl.when((before == "unknown") | (after == "unknown")).then(not_computable)
        .when((before == "clinical") & (after == "functional")).then(left)
        .when((before == "functional") & (after == "clinical")).then(entered)
        .otherwise(stayed)
    )  # fmt: skip


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

    Examples
    --------
    >>> pairs = pl.DataFrame({"case_id": ["A", "B"], "pre": [18, 18], "post": [8, 17]})
    >>> rule = PointsChange(points=6, higher_is="worse", source="R2")
    >>> cutoff = published_cutoff(10, higher_is="worse", source="R2")
    >>> unknown = pl.lit(None, dtype=REASON)
    >>> judged_pairs(pairs.with_columns(reason=unknown), rule, cutoff)["class"].to_list()
    ['recovered', 'unchanged']
    """
    if rule is None and cutoff is None:
        message = "neither a rule of change nor a cut-off was given: give one of them"
        raise ChangeRuleError(message)
    if rule is not None and cutoff is not None and rule.higher_is != cutoff.higher_is:
        message = f"the rule says higher is {rule.higher_is}, the cut-off {cutoff.higher_is}"
        raise ChangeRuleError(message)
    pre, post = (_score(pairs, name) for name in ("pre", "post"))
    judged = pairs.lazy().select(pre=pre, post=post, reason="reason")
    first = {"change": pl.col("post") - pl.col("pre")}  # what stands side by side is in parallel
    then: dict[str, pl.Expr] = {}
    last: dict[str, pl.Expr] = {}
    if rule is not None:
        first |= rule.columns()
        then["verdict"] = rule.verdict()
    if cutoff is not None:
        first |= {"before": cutoff.before(pl.col("pre")), "after": cutoff.after(pl.col("post"))}
        then["crossing"] = crossing()
    if rule is not None and cutoff is not None:
        last["class"] = combined_class()
    judged = judged.with_columns(**first).with_columns(**then).with_columns(**last)
    order = [*(rule.columns() if rule else ()), "verdict", "before", "after", "crossing", "class"]
    added = ["change", *(name for name in order if name in {**first, **then, **last})]
    return pairs.with_columns(judged.select(*added, reason=_reason(rule, cutoff)).collect())


def _score(pairs: pl.DataFrame, name: str) -> pl.Expr:
    """Return scores as numbers, null where missing or where the pair cannot be judged."""
    score = pl.col(name)
    if pairs[name].dtype.is_float() and pairs[name].is_nan().any():
        score = score.fill_nan(None)
    if pairs["reason"].null_count() != pairs.height:
        score = pl.when(pl.col("reason").is_null()).then(score)
    return score.cast(pl.Float64)


def _reason(rule: ChangeRule | None, cutoff: ClinicalCutoff | None) -> pl.Expr:
    """Add why the rule or the cut-off cannot judge to why the scores cannot be judged."""
    said = pl.col("reason")
    for part in (rule, cutoff):
        if part is not None and part.obstacle is not None:
            said = said.fill_null(pl.lit(part.obstacle, dtype=REASON))
    if isinstance(rule, PercentageChange):
        negative = pl.when(pl.col("pre") < 0).then(pl.lit("negative_before", dtype=REASON))
        said = pl.coalesce(said, negative)
    return said


def rule_of_measure(
    measure: Measure, *, reference: Reference | None = None, reliability: float | None = None
) -> PointsChange | ReliableChange:
    """Return the measure's own rule of reliable change: the published number goes before all.

    Without one, JT is computed from `reference` and `reliability`, else from those of its contract.

    Raises
    ------
    ChangeRuleError
        If neither is known.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> rule_of_measure(built_in_measures()["phq9"]).points
    6.0
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
    """Return the published cut-off of a measure, or None where none is known.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> cutoff_of_measure(built_in_measures()["phq9"]).value
    10.0
    """
    known = measure.clinical_cutoff
    if known is None:
        return None
    return published_cutoff(known.value, higher_is=measure.higher_is, source=known.source)
