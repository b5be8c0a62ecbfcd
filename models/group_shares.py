"""Which share of a group truly improved, and which truly recovered? By true scores.

Source: Hageman & Arrindell 1999; formulas as in R28.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from models.change_reference import Floats, must, sign_of
from models.clinical_cutoff import ClinicalCutoff
from models.reliable_change import ReliableChange


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

    Examples
    --------
    >>> from models.change_reference import Reference
    >>> from models.clinical_cutoff import true_score_cutoff
    >>> people = Reference(
    ...     name="x", mean_pre=20, sd_pre=7, mean_post=14, sd_post=8, correlation=0.5
    ... )
    >>> rule = ReliableChange(
    ...     reference=people, reliability=0.85, higher_is="worse", method="HA"
    ... )
    >>> pre, post = np.array([20.0, 22, 24, 18]), np.array([10.0, 14, 13, 15])
    >>> shares = shares_of_group(rule, true_score_cutoff("a", rule), pre, post)
    >>> 0.5 < shares.improved < 1
    True
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
