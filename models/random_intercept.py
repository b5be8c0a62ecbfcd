"""How much of a result goes with the therapist or the site, and how sure is any one of them?

y = mean + site + therapist + rest, all random but the mean; therapists within sites; REML
(`random_intercept_sums` has the likelihood).

A therapist's estimate is shrunken towards the mean by n t / (1 + n t), a site's by s W / (1 + s W)
(empirical Bayes). Its interval counts in that the mean is estimated and that the variances are:
Var = E[Var given variances] + Var[estimate given variances], over the likelihood of the two
standard deviations (Kass and Steffey 1989, unverified; weights flat in the SD: Gelman 2006,
unverified). So a variance estimated as zero does not make intervals of no width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data_contracts.errors import UnstuckError
from models.random_intercept_sums import At, Floats, Indices, Sums

FEWEST_GROUPS = 5
"""Fewer therapists, or sites, cannot show how much they differ."""
Z_95 = 1.959963984540054
CHI_SQUARE_95 = 3.841458820694124
WIDEST_SD = 4.0
"""Largest standard deviation searched, in units of the rest's: a share of 94 %."""
COARSE, GRID_ONE, GRID_TWO = 81, 401, 41
MOST_TURNS = 100
NOTHING = 20.0
"""A criterion so much higher has e^-10 of the likelihood."""


class TooFewGroupsError(UnstuckError):
    """Too few groups, or cases, to tell groups from chance."""


@dataclass(frozen=True, kw_only=True)
class GroupEffects:
    """One entry a group, in the order of its codes; in units of y."""

    case_count: Indices
    mean: Floats
    """Of the group's cases, as they are."""
    effect: Floats
    """Shrunken difference from the mean of all."""
    low: Floats
    high: Floats
    """95 % interval of the effect."""


@dataclass(frozen=True, kw_only=True)
class Variances:
    """What was estimated of all groups together; tells nothing of any one of them."""

    mean: float
    mean_se: float
    rest_variance: float
    therapist_variance: float
    site_variance: float | None
    """None: sites are not in the model, and therapists hold their share."""
    therapist_share: float
    """Of the whole variance."""
    therapist_share_low: float
    therapist_share_high: float
    """95 % by profile likelihood."""
    criterion: float
    """REML criterion, -2 restricted log-likelihood."""


@dataclass(frozen=True, kw_only=True)
class RandomIntercepts:
    """Variances, and every group, however few its cases: suppress before showing."""

    variances: Variances
    therapists: GroupEffects
    sites: GroupEffects | None


def random_intercepts(
    y: ArrayLike, therapist: ArrayLike, site_of_therapist: ArrayLike | None = None
) -> RandomIntercepts:
    """Estimate therapist (and site) effects.

    Parameters
    ----------
    y
        (cases,) results, finite.
    therapist
        (cases,) codes 0 to therapists - 1, every code used.
    site_of_therapist
        (therapists,) codes 0 to sites - 1; None leaves sites out of the model.

    Raises
    ------
    TooFewGroupsError
        If there are fewer than 5 therapists (or sites), or no therapist has two cases.

    Examples
    --------
    >>> found = random_intercepts([1, 3, 2, 4, 3, 5, 6, 8, 9, 11.0], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    >>> round(found.variances.therapist_variance, 3), round(found.variances.rest_variance, 3)
    (9.7, 2.0)
    >>> found.therapists.effect.round(3).tolist()
    [-2.901, -1.994, -1.088, 1.632, 4.351]
    """
    result = np.asarray(y, dtype=np.float64)
    sums, centre = _sums(result, np.asarray(therapist), site_of_therapist)
    with_sites = site_of_therapist is not None
    t_sd, s_sd = _best(sums, with_sites=with_sites)
    best = sums.at(t_sd**2, s_sd**2)
    grid = _grid(sums, (t_sd, s_sd), with_sites=with_sites)
    therapist_sd, site_sd = _spread(grid)
    low, high = _share_interval(grid, best.criterion)
    sites = None
    if with_sites:
        cases_of_site = np.bincount(sums.site, weights=sums.count, minlength=sums.sites)
        total = np.bincount(sums.site, weights=sums.count * sums.mean, minlength=sums.sites)
        sites = _effects(cases_of_site, centre + total / cases_of_site, best.site, site_sd)
    whole = 1.0 + t_sd**2 + s_sd**2
    return RandomIntercepts(
        variances=Variances(
            mean=best.mean + centre,
            mean_se=float(np.sqrt(best.mean_variance)),
            rest_variance=best.rest,
            therapist_variance=best.rest * t_sd**2,
            site_variance=best.rest * s_sd**2 if with_sites else None,
            therapist_share=t_sd**2 / whole,
            therapist_share_low=low,
            therapist_share_high=high,
            criterion=best.criterion,
        ),
        therapists=_effects(sums.count, centre + sums.mean, best.effect, therapist_sd),
        sites=sites,
    )


def _effects(count: NDArray[np.generic], mean: Floats, effect: Floats, sd: Floats) -> GroupEffects:
    return GroupEffects(
        case_count=count.astype(np.intp),
        mean=mean,
        effect=effect,
        low=effect - Z_95 * sd,
        high=effect + Z_95 * sd,
    )


def _sums(
    y: Floats, therapist: NDArray[np.intp], site_of_therapist: ArrayLike | None
) -> tuple[Sums, float]:
    if not np.isfinite(y).all():
        raise ValueError("y has a missing or infinite value; leave such cases out.")
    count = np.bincount(therapist).astype(np.float64)
    if len(count) < FEWEST_GROUPS or count.max() < 2:
        raise TooFewGroupsError(
            f"{len(count)} therapists with cases, of whom {int((count > 1).sum())} have two or "
            f"more; {FEWEST_GROUPS} are needed, and one with two cases, to tell them from chance."
        )
    site = (
        np.zeros(len(count), dtype=np.intp)
        if site_of_therapist is None
        else np.asarray(site_of_therapist, dtype=np.intp)
    )
    sites = int(site.max()) + 1
    if site_of_therapist is not None and sites < FEWEST_GROUPS:
        raise TooFewGroupsError(
            f"{sites} sites cannot show how much sites differ, {FEWEST_GROUPS} are needed; without "
            "sites in the model therapists' effects hold what is their site's."
        )
    centre = float(y.mean())
    centred = y - centre
    mean = np.bincount(therapist, weights=centred) / count
    within = float(((centred - mean[therapist]) ** 2).sum())
    return Sums(count=count, mean=mean, within=within, site=site, sites=sites), centre


def _best(sums: Sums, *, with_sites: bool) -> tuple[float, float]:
    """Return the standard deviations (therapists, sites), relative to the rest's."""
    t_sd, s_sd = _lowest(lambda sd: sums.at(sd**2, 0.0).criterion), 0.0
    for _ in range(MOST_TURNS if with_sites else 0):
        before = np.array([t_sd, s_sd])
        s_sd = _lowest(lambda sd, t=t_sd: sums.at(t**2, sd**2).criterion)
        t_sd = _lowest(lambda sd, s=s_sd: sums.at(sd**2, s**2).criterion)
        if np.abs(before - [t_sd, s_sd]).max() < 1e-9:
            break
    return t_sd, s_sd


def _lowest(criterion: Callable[..., float]) -> float:
    """Return the standard deviation, 0 to the widest, of the lowest criterion."""
    from scipy.optimize import minimize_scalar  # 0.4 s to import

    tried = np.linspace(0.0, WIDEST_SD, COARSE)
    values = [criterion(float(sd)) for sd in tried]
    place = int(np.argmin(values))
    bounds = (tried[max(place - 1, 0)], tried[min(place + 1, COARSE - 1)])
    found = minimize_scalar(criterion, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return float(found.x) if found.fun < values[place] else float(tried[place])


def _grid(
    sums: Sums, best: tuple[float, float], *, with_sites: bool
) -> list[tuple[float, float, At]]:
    """Return points (t SD, s SD, everything there) evenly over where the likelihood is."""
    lowest = sums.at(best[0] ** 2, best[1] ** 2).criterion

    def until(at: Callable[[float], float]) -> float:
        """Return the SD beyond which the likelihood is nothing."""
        tried = np.linspace(WIDEST_SD, 0.0, COARSE)
        return next((float(sd) for sd in tried if at(float(sd)) < lowest + NOTHING), WIDEST_SD)

    t_end = until(lambda sd: sums.at(sd**2, best[1] ** 2).criterion)
    s_end = until(lambda sd: sums.at(best[0] ** 2, sd**2).criterion) if with_sites else 0.0
    points = GRID_TWO if with_sites else GRID_ONE
    return [
        (t, s, sums.at(t**2, s**2))
        for t in np.linspace(0.0, t_end + WIDEST_SD / COARSE, points).tolist()
        for s in (np.linspace(0.0, s_end + WIDEST_SD / COARSE, points) if with_sites else [0.0])
    ]


def _spread(grid: list[tuple[float, float, At]]) -> tuple[Floats, Floats]:
    """Return the SD of every therapist's and every site's effect, variances being uncertain."""
    criterion = np.array([here.criterion for _, _, here in grid])
    weight = np.exp(-0.5 * (criterion - criterion.min()))
    weight /= weight.sum()
    told = []
    for effects, variances in (
        ([here.effect for *_, here in grid], [here.effect_variance for *_, here in grid]),
        ([here.site for *_, here in grid], [here.site_variance for *_, here in grid]),
    ):
        effect = np.array(effects)
        mean = weight @ effect
        between = weight @ (effect - mean) ** 2
        told.append(np.sqrt(weight @ np.array(variances) + between))
    return told[0], told[1]


def _share_interval(grid: list[tuple[float, float, At]], lowest: float) -> tuple[float, float]:
    """Return the shares of therapists that the profile likelihood does not rule out."""
    inside = [
        t**2 / (1.0 + t**2 + s**2)
        for t, s, here in grid
        if here.criterion <= lowest + CHI_SQUARE_95
    ]
    return min(inside), max(inside)
