"""Do as many cases end badly as their probabilities say?

Slope and intercept (Cox 1958, Biometrika 45, 562; Van Calster and others 2016, Journal of Clinical
Epidemiology 74, 167, and 2019, BMC Medicine 17, 230; all recalled): with l = log(p / (1 - p)),

- slope b of logit P(bad) = a + b l: below 1 the probabilities are too extreme, above 1 too timid;
- intercept of logit P(bad) = a + l, "calibration in the large": above 0 more end badly than said.

Brier skill: 1 - Brier / what saying the share of bad ends of everyone would have: 1 perfect, 0
no better than that share. Probabilities of repeated cross-validation are counted together, each
repeat with its part of a case; in the curve a case stands once, at its mean over the repeats.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.recalibration import logits, offsets, slopes
from models.resampling import Drawn, Interval, by_name, middle, ratio, told

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Z_95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Cases with neighbouring probabilities, and how many of them ended badly."""

    low: float
    high: float
    """The lowest and the highest probability in it."""
    n: int
    mean_probability: float
    share_bad: float
    share_low: float
    share_high: float
    """Wilson's 95 % interval of the share (1927, Journal of the American Statistical Association
    22, 209, recalled): it is not empty where none, or all, ended badly."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far the probabilities of one rule at one landmark can be taken at their word."""

    n: int
    bad: int
    slope: Interval
    """nan where the two kinds do not overlap (no finite slope), or all probabilities are one."""
    intercept: Interval
    """In logits; nan where all ended alike."""
    brier: Interval
    brier_skill: Interval
    expected_error: float
    """Mean distance of probability and share over the curve's bins, 0 to 1. Chance alone makes it
    larger the fewer cases a bin has: compare it on the same cases only."""
    curve: tuple[Bin, ...]

    def flat(self) -> dict[str, float | None]:
        """Return all but the curve by name, with _low and _high; None where there is none."""
        intervals = {
            "calibration_slope": self.slope,
            "calibration_intercept": self.intercept,
            "brier": self.brier,
            "brier_skill": self.brier_skill,
        }
        counts: dict[str, float | None] = {"n": self.n, "bad": self.bad}
        return counts | by_name(intervals) | {"expected_error": told(self.expected_error)}

    def curve_rows(self) -> list[dict[str, float]]:
        """Return the curve's bins by name, from the lowest probability up."""
        return [asdict(each) for each in self.curve]


def calibration(
    is_bad: ArrayLike,
    probability: ArrayLike | None,
    drawn: Drawn,
    *,
    weights: ArrayLike | None = None,
    most_bins: int = 10,
    fewest_in_bin: int = 20,
) -> Calibration:
    """Return how well probabilities agree with what became of the cases.

    Parameters
    ----------
    is_bad
        (n,)
    probability
        (n,) or (repeats, n) of a bad end. nan: there is none; a case counts if it has one in more
        than half of the repeats. None: the rule has none at all.
    drawn
        The draws of these n cases.
    weights
        (n,) Positive, for slope, intercept and Brier; the curve counts cases as they are.
    most_bins, fewest_in_bin
        The curve has so many bins, with about equally many cases, as leave each enough.

    Examples
    --------
    Of 40 cases of whom a quarter was said to end badly half did; of 40 of whom three quarters were
    said to, three quarters did.

    >>> from models.resampling import draw_cases
    >>> is_bad = np.repeat([True, False, True, False], [20, 20, 30, 10])
    >>> found = calibration(is_bad, np.repeat([0.25, 0.75], 40), draw_cases(range(80), times=0))
    >>> round(found.slope.value, 2), round(found.intercept.value, 2)
    (0.5, 0.67)
    >>> [(each.n, each.mean_probability, each.share_bad) for each in found.curve]
    [(40, 0.25, 0.5), (40, 0.75, 0.75)]
    >>> found.expected_error
    0.125
    """
    ended_badly = np.asarray(is_bad, dtype=np.bool_)
    weight = np.ones(len(ended_badly)) if weights is None else np.asarray(weights, dtype=np.float64)
    chances = np.atleast_2d(np.asarray(nan if probability is None else probability, np.float64))
    has_chance = np.broadcast_to(~np.isnan(chances), (len(chances), len(ended_badly)))
    rows = 2 * has_chance.sum(0) > len(has_chance)
    bad = ended_badly[rows]
    if not rows.any():
        none = Interval(value=nan)
        return Calibration(
            n=0,
            bad=0,
            slope=none,
            intercept=none,
            brier=none,
            brier_skill=none,
            expected_error=nan,
            curve=(),
        )
    has_chance = has_chance[:, rows]
    chance = np.where(has_chance, chances[:, rows], 0.0)
    part = has_chance * (weight[rows] / has_chance.sum(0))
    counted = drawn.only(rows)
    logit = logits(chance)
    brier, skill = _brier(bad, chance, part, counted)
    curve = _curve(bad, chance.sum(0) / has_chance.sum(0), most_bins, fewest_in_bin)
    return Calibration(
        n=len(bad),
        bad=int(bad.sum()),
        slope=middle(slopes(bad, logit, part, counted)),
        intercept=middle(offsets(bad, logit, part, counted)),
        brier=middle(brier),
        brier_skill=middle(skill),
        expected_error=sum(b.n * abs(b.mean_probability - b.share_bad) for b in curve) / len(bad),
        curve=curve,
    )


def _brier(bad: Bools, chance: Floats, part: Floats, drawn: Drawn) -> tuple[Floats, Floats]:
    """Return Brier and its skill over the cases and each draw, (1 + times,) each."""
    weight = part.sum(0)
    columns = np.stack((weight, weight * bad, (part * (chance - bad) ** 2).sum(0)), axis=1)
    n, of_bad, error = drawn.sums(columns).T
    brier, share = ratio(error, n), ratio(of_bad, n)
    return brier, 1.0 - ratio(brier, share * (1.0 - share))


def _curve(bad: Bools, chance: Floats, most: int, fewest: int) -> tuple[Bin, ...]:
    """Return bins of about equally many cases; those of one probability stay together."""
    order = np.argsort(chance, kind="stable")
    chance, bad = chance[order], bad[order]
    bins = max(1, min(most, len(chance) // fewest))
    wanted = np.arange(1, bins) * len(chance) // bins
    # A cut within cases of one probability moves to where that probability begins.
    cuts = np.unique(np.searchsorted(chance, chance[wanted]))
    starts = [0, *cuts[cuts > 0].tolist()]
    ends = [*starts[1:], len(chance)]
    return tuple(_bin(chance[a:b], bad[a:b]) for a, b in zip(starts, ends, strict=True))


def _bin(chance: Floats, bad: Bools) -> Bin:
    n, share = len(bad), float(bad.mean())
    spread = Z_95 * sqrt(share * (1.0 - share) / n + Z_95**2 / (4.0 * n**2))
    centre, shrink = share + Z_95**2 / (2.0 * n), 1.0 + Z_95**2 / n
    return Bin(
        low=float(chance[0]),
        high=float(chance[-1]),
        n=n,
        mean_probability=float(chance.mean()),
        share_bad=share,
        share_low=max(0.0, (centre - spread) / shrink),
        share_high=min(1.0, (centre + spread) / shrink),
    )
