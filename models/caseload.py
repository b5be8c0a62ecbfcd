"""What came of the cases of each therapist and site, given how they began, and how sure is that?

Severity adjusted effect sizes of cases (`severity_adjustment`), therapists and sites as shrunken
estimates with intervals (`random_intercept`), the place in the funnel (`funnel`), and nothing about
anybody with few cases (`suppression`, also by way of what totals give back).

Never a rank: rows come in the order of ids and there is no column to sort out who is best. Two
therapists whose intervals overlap cannot be told apart. Differences have reasons the scores do not
know: who is sent to whom, who stays, what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np
import polars as pl

from data_contracts.suppression import SuppressionRule
from models.funnel import Z_95, Z_998, funnel_limits, overdispersion, places_in_funnel
from models.random_intercept import (
    GroupEffects,
    RandomIntercepts,
    TooFewGroupsError,
    Variances,
    random_intercepts,
)
from models.severity_adjustment import REASONS as CASE_REASONS
from models.severity_adjustment import SeverityAdjustment
from models.suppression import ALL, rounded, suppress

REASONS = {
    **CASE_REASONS,
    "no_therapist": "the therapist is not told",
    "no_reference": "there is no reference for this measure",
}
MINIMUM_CASES = 5
"""A therapist with fewer cases is not shown, whatever the suppression rule (ours)."""
ONE_SITE = "(site not told)"
FUNNEL_LIMITS = (
    "mean_of_all",
    "funnel_low_95",
    "funnel_high_95",
    "funnel_low_998",
    "funnel_high_998",
)
_NUMBERS = (
    "case_count",
    "mean_saes",
    "effect",
    "effect_low",
    "effect_high",
    "funnel",
    *FUNNEL_LIMITS,
)
FUNNEL_COUNTS = (5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500)


@dataclass(frozen=True, kw_only=True)
class Caseload:
    """What may be shown. Effects are in standard deviations of intake; positive is better."""

    therapists: pl.DataFrame
    """By id: `therapist_id, site_id, case_count` (rounded), `mean_saes` as it is, `effect`
    (shrunken difference from the mean), its 95 % interval `effect_low, effect_high`, `funnel`
    (inside, beyond 95 %, beyond 99.8 %), `mean_of_all` and the limits it was judged by there,
    `funnel_low_95, funnel_high_95, funnel_low_998, funnel_high_998` (of `mean_saes`),
    `is_suppressed` (all others null)."""
    sites: pl.DataFrame
    """The same by site, without `therapist_id`; effects null where sites are not in the model."""
    funnel: pl.DataFrame
    """Limits by `case_count`: `low_95, high_95, low_998, high_998`, and `wide_` for each."""
    variances: Variances | None
    """None: too few therapists or cases; then no effects are shown."""
    case_count: int
    """Cases used, rounded."""
    mean_saes: float | None
    overdispersion: float | None
    not_used: dict[str, int | None]
    """Cases by reason, rounded; None: a count that is hidden."""
    notes: tuple[str, ...]


def case_effects(cases: pl.DataFrame, references: Mapping[str, SeverityAdjustment]) -> pl.DataFrame:
    """Return `case_id, measure_id, therapist_id, site_id, saes, reason`: one row a case.

    Parameters
    ----------
    cases
        Ended cases: `case_id, measure_id, therapist_id, first_score, last_score`, and where they
        are known `site_id, first_session, problem`. One row a case: its primary measure.
    references
        By measure; frozen.

    Examples
    --------
    >>> numbers = range(60)
    >>> cases = pl.DataFrame({
    ...     "case_id": [f"c{number:02}" for number in numbers],
    ...     "measure_id": "phq9",
    ...     "therapist_id": ["t1"] * 59 + [None],
    ...     "first_score": [10.0 + number % 10 for number in numbers],
    ...     "last_score": [5.0 + number % 3 for number in numbers],
    ... })
    >>> reference = SeverityAdjustment.learn(cases, name="2025", higher_is="worse", cutoff=10)
    >>> case_effects(cases, {"phq9": reference})["reason"].drop_nulls().to_list()
    ['no_therapist']
    """
    place = cases.with_columns(
        site_id=pl.col("site_id").fill_null(ONE_SITE)
        if "site_id" in cases.columns
        else pl.lit(ONE_SITE)
    )
    named = place.select("case_id", "measure_id", "therapist_id", "site_id")
    judged = [
        named.filter(pl.col("measure_id") == measure_id).join(
            reference.effects(place.filter(pl.col("measure_id") == measure_id)), on="case_id"
        )
        for measure_id, reference in sorted(references.items())
    ]
    unknown = named.filter(~pl.col("measure_id").is_in(list(references))).with_columns(
        saes=pl.lit(None, pl.Float64), reason=pl.lit("no_reference")
    )
    columns = ["case_id", "measure_id", "therapist_id", "site_id", "saes", "reason"]
    every = pl.concat([*(each.select(columns) for each in judged), unknown.select(columns)])
    untold = pl.col("therapist_id").is_null()
    return every.with_columns(
        reason=pl.when(untold).then(pl.lit("no_therapist")).otherwise("reason"),
        saes=pl.when(~untold).then("saes"),
    ).sort("case_id")


def caseload(
    effects: pl.DataFrame, rule: SuppressionRule, *, minimum_cases: int = MINIMUM_CASES
) -> Caseload:
    """Add up case effects over therapists and sites, and hide what may not be shown.

    Parameters
    ----------
    effects
        As `case_effects` returns them.
    rule
        Counts up to `hide_up_to` are hidden, the others rounded.
    minimum_cases
        Fewest cases of a therapist who is shown; at least one more than `hide_up_to`.

    Examples
    --------
    >>> from data_contracts.suppression import suppression_rule
    >>> effects = pl.DataFrame({
    ...     "case_id": [f"c{number:03}" for number in range(63)],
    ...     "therapist_id": [f"t{number % 6}" for number in range(60)] + ["u", "v", "v"],
    ...     "site_id": "north",
    ...     "saes": [0.5 + number % 6 / 10 + number % 5 / 5 for number in range(63)],
    ...     "reason": pl.Series([None] * 63, dtype=pl.String),
    ... })
    >>> shown = caseload(effects, suppression_rule("default")).therapists
    >>> shown.select("therapist_id", "case_count", "mean_saes", "is_suppressed").rows()[5:]
    [('t5', 10, 1.4, False), ('u', None, None, True), ('v', None, None, True)]
    """
    rule = rule.model_copy(update={"hide_up_to": max(rule.hide_up_to, minimum_cases - 1, 1)})
    used = effects.filter(pl.col("reason").is_null())
    groups = _therapists(used)
    too_few = used.height <= rule.hide_up_to
    fit, notes = (None, ["Too few cases to say anything."]) if too_few else _fit(used, groups)
    variances = fit.variances if fit else None
    funnel = _Funnel.of(groups, variances)
    if funnel and funnel.overdispersion > 1.0:
        notes.append(
            "Therapists differ more than chance alone explains (overdispersion "
            f"{funnel.overdispersion:.1f}): places in the funnel are judged by the wide limits."
        )
    by_site = groups.group_by("site_id").agg(
        count=pl.col("count").sum(),
        mean=(pl.col("mean") * pl.col("count")).sum() / pl.col("count").sum(),
    )
    shown = _shown(groups, rule)
    return Caseload(
        therapists=_published(groups, fit.therapists if fit else None, shown[0], rule, funnel),
        sites=_published(
            by_site.sort("site_id"), fit.sites if fit else None, shown[1], rule, None
        ).drop("funnel", *FUNNEL_LIMITS),
        funnel=funnel.limits() if funnel else pl.DataFrame(),
        variances=variances,
        case_count=0 if too_few else rounded(used.height, rule),
        mean_saes=None if too_few else round(float(used["saes"].to_numpy().mean()), 2),
        overdispersion=funnel.overdispersion if funnel else None,
        not_used=_not_used(effects, rule),
        notes=tuple(notes),
    )


@dataclass(frozen=True, kw_only=True)
class _Funnel:
    mean: float
    sd: float
    overdispersion: float

    @classmethod
    def of(cls, groups: pl.DataFrame, variances: Variances | None) -> Self | None:
        if variances is None:
            return None
        mean, sd = variances.mean, sqrt(variances.rest_variance)
        spread = overdispersion(
            groups["mean"].to_numpy(), groups["count"].to_numpy(), mean=mean, sd=sd
        )
        return cls(mean=mean, sd=sd, overdispersion=spread)

    def places(self, groups: pl.DataFrame) -> pl.Series:
        return pl.Series(
            places_in_funnel(
                groups["mean"].to_numpy(),
                groups["count"].to_numpy(),
                mean=self.mean,
                sd=self.sd,
                overdispersion=self.overdispersion,
            ),
            dtype=pl.String,
        )

    def limits_of(self, counts: pl.Series) -> list[pl.Series]:
        """Return the mean of all and the limits that `places` judges by, one column each."""
        columns = [pl.Series(np.full(len(counts), self.mean))]
        for z in (Z_95, Z_998):
            columns += map(
                pl.Series,
                funnel_limits(
                    counts.to_numpy(),
                    mean=self.mean,
                    sd=self.sd,
                    z=z,
                    overdispersion=self.overdispersion,
                ),
            )
        return columns

    def limits(self) -> pl.DataFrame:
        columns: dict[str, object] = {"case_count": FUNNEL_COUNTS}
        for prefix, widening in (("", 1.0), ("wide_", self.overdispersion)):
            for name, z in (("95", Z_95), ("998", Z_998)):
                columns[f"{prefix}low_{name}"], columns[f"{prefix}high_{name}"] = funnel_limits(
                    FUNNEL_COUNTS, mean=self.mean, sd=self.sd, z=z, overdispersion=widening
                )
        return pl.DataFrame(columns)


def _therapists(used: pl.DataFrame) -> pl.DataFrame:
    """Return `therapist_id, site_id, count, mean` by id; the site is that of most of the cases."""
    site = (
        used.group_by("therapist_id", "site_id")
        .len()
        .sort("therapist_id", "len", "site_id", descending=[False, True, False])
        .unique("therapist_id", keep="first", maintain_order=True)
    )
    ordered = used.sort("therapist_id", "case_id")
    counted = ordered.group_by("therapist_id", maintain_order=True).agg(
        count=pl.len().cast(pl.Int64), mean=pl.col("saes").mean()
    )
    return counted.join(site.select("therapist_id", "site_id"), on="therapist_id").sort(
        "therapist_id"
    )


def _fit(used: pl.DataFrame, groups: pl.DataFrame) -> tuple[RandomIntercepts | None, list[str]]:
    """Return the random intercepts, with sites if there are enough of them, and what was missed."""
    coded = used.sort("therapist_id", "case_id").join(
        groups.select("therapist_id").with_row_index("code"), on="therapist_id"
    )
    therapist, y = coded["code"].to_numpy().astype(np.intp), coded["saes"].to_numpy()
    site = groups["site_id"].rank("dense").to_numpy().astype(np.intp) - 1
    notes: list[str] = []
    if groups["site_id"].n_unique() > 1:
        try:
            return random_intercepts(y, therapist, site), notes
        except TooFewGroupsError as error:
            notes.append(str(error))
    try:
        return random_intercepts(y, therapist), notes
    except TooFewGroupsError as error:
        return None, [str(error)]


def _shown(groups: pl.DataFrame, rule: SuppressionRule) -> tuple[list[str], list[str]]:
    """Return the therapists and sites to show, once totals give nobody hidden back."""
    rows = groups.select("site_id", category="therapist_id", numerator="count")
    whole = pl.concat([rows, rows.with_columns(site_id=pl.lit(ALL))]).with_columns(
        figure=pl.lit("cases"),
        period=pl.lit(ALL),
        denominator=pl.col("numerator").sum().over("site_id"),
    )
    told = suppress(whole, rule)
    hidden = told.filter(pl.col("is_suppressed"))["category"].unique()
    therapists = groups.filter(~pl.col("therapist_id").is_in(hidden.to_list()))
    sites = told.filter(pl.col("denominator").is_not_null(), pl.col("site_id") != ALL)
    return therapists["therapist_id"].to_list(), sites["site_id"].unique().to_list()


def _published(
    groups: pl.DataFrame,
    effects: GroupEffects | None,
    shown: list[str],
    rule: SuppressionRule,
    funnel: _Funnel | None,
) -> pl.DataFrame:
    """Return the rows of therapists or sites, by id, with null for all that is hidden."""
    key = "therapist_id" if "therapist_id" in groups.columns else "site_id"
    unknown = pl.Series([None] * groups.height, dtype=pl.Float64)
    table = groups.with_columns(
        case_count=pl.Series([rounded(count, rule) for count in groups["count"]], dtype=pl.Int64),
        mean_saes=pl.col("mean").round(2),
        effect=unknown if effects is None else pl.Series(effects.effect).round(2),
        effect_low=unknown if effects is None else pl.Series(effects.low).round(2),
        effect_high=unknown if effects is None else pl.Series(effects.high).round(2),
        funnel=unknown.cast(pl.String) if funnel is None else funnel.places(groups),
        **dict(
            zip(
                FUNNEL_LIMITS,
                [unknown] * len(FUNNEL_LIMITS)
                if funnel is None
                else [limit.round(2) for limit in funnel.limits_of(groups["count"])],
                strict=True,
            )
        ),
        is_suppressed=~pl.col(key).is_in(shown),
    )
    return table.select(
        *(name for name in ("therapist_id", "site_id") if name in groups.columns),
        pl.when(~pl.col("is_suppressed")).then(pl.col(_NUMBERS)),
        "is_suppressed",
    ).sort(key)


def _not_used(effects: pl.DataFrame, rule: SuppressionRule) -> dict[str, int | None]:
    found = dict(effects["reason"].drop_nulls().value_counts().iter_rows())
    return {
        reason: rounded(found[reason], rule) if found[reason] > rule.hide_up_to else None
        for reason in REASONS
        if reason in found
    }
