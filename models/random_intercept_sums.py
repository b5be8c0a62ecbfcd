"""How likely are given variances of therapists and sites? What a random intercept needs to know.

y = mean + site + therapist + rest, all random but the mean; therapists within sites; REML. With
variances relative to the rest's, t for therapists and s for sites, and n cases of a therapist with
mean m, everything the likelihood needs is in sums over therapists:

    w = n / (1 + n t),  W = sum of w over a site's therapists,  M = sum of w m
    mean     = sum M / (1 + s W)  /  sum W / (1 + s W)
    R^2      = within + sum w m^2 - sum s M^2 / (1 + s W) - mean^2 sum W / (1 + s W)
    criterion = sum log(1 + n t) + sum log(1 + s W) + log sum W / (1 + s W)
                + (N - 1)(1 + log(2 pi R^2 / (N - 1)))            (as lme4 profiles it, Bates 2015)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class At(NamedTuple):
    """Everything at one pair of relative variances."""

    criterion: float
    rest: float
    mean: float
    mean_variance: float
    effect: Floats
    effect_variance: Floats
    site: Floats
    site_variance: Floats


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What the likelihood needs, about a mean of zero."""

    count: Floats
    """(therapists,)"""
    mean: Floats
    within: float
    site: Indices
    """(therapists,): the site of each."""
    sites: int

    def at(self, t: float, s: float) -> At:
        """Return likelihood, means, effects and their variances at relative variances t and s."""
        cases = self.count.sum()
        weight = self.count / (1.0 + self.count * t)
        by_site = np.bincount(self.site, weights=weight, minlength=self.sites)
        moment = np.bincount(self.site, weights=weight * self.mean, minlength=self.sites)
        damped = 1.0 + s * by_site
        information = float((by_site / damped).sum())
        mean = float((moment / damped).sum()) / information
        squares = (
            self.within
            + float(weight @ self.mean**2)
            - float((s * moment**2 / damped).sum())
            - mean**2 * information
        )
        rest = max(squares, 1e-300) / float(cases - 1.0)
        mean_variance = rest / information
        site = s * (moment - by_site * mean) / damped
        kept = s * by_site / damped
        about_site = mean + site
        about_site_variance = rest * s / damped + (1.0 - kept) ** 2 * mean_variance
        shrunken = weight * t  # n t / (1 + n t)
        return At(
            criterion=float(np.log1p(self.count * t).sum() + np.log(damped).sum())
            + float(np.log(information) + (cases - 1.0) * (1.0 + np.log(2.0 * np.pi * rest))),
            rest=rest,
            mean=mean,
            mean_variance=mean_variance,
            effect=shrunken * (self.mean - about_site[self.site]),
            effect_variance=rest * t / (1.0 + self.count * t)
            + shrunken**2 * about_site_variance[self.site],
            site=site,
            site_variance=rest * s / damped + kept**2 * mean_variance,
        )
