"""Do new cases still look like those a model was learned from, and do its chances still come true?

**Inputs**, one feature at a time, of cases as they stand at one landmark: the population stability
index over tenths of the training cases and a bin of its own for "not known",

    PSI = sum over bins of (share now - share then) * ln(share now / share then)

Rules of thumb for it (up to .10 little, above .25 a clear change) know no number of cases; without
any change it is about (1/now + 1/then) times chi-square with one degree of freedom less than bins
(Yurdakul and Naranjo 2020, Journal of Risk Model Validation: the rules read in the abstract, the
distribution recalled; it follows from the second-order expansion of the formula). Here a change
must pass both: the rule of thumb, and what chance alone gives.

**Calibration**, of cases that ended after the training: expected bad ends, the sum of the chances,
beside those that came (calibration in the large), and the mean squared error (Brier 1950).
Intervals are of 99 %: they are looked at every night.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

REFERENCE_FORMAT = "drift reference 1"
SOME, CLEAR = 0.10, 0.25
"""Stability index above which inputs moved somewhat, and clearly (rule of thumb, see above)."""
FEWEST_RECENT = 50
"""Fewest new cases of which anything is said (ours)."""
GAP_THAT_MATTERS = 0.05
"""Difference of expected and observed share that is told as drift (ours)."""
_TENTHS = 10
_Z_99 = 2.5758293035489004
_HALF_A_CASE = 0.5  # in every bin, so that an empty one does not make the index infinite

Moved = Literal["too_few", "as_before", "moved", "moved_clearly"]
Came = Literal["too_few", "as_expected", "more", "fewer", "less_exact"]


def inputs_reference(known: pl.DataFrame, features: Sequence[str]) -> dict[str, Any]:
    """Return what later cases are compared with: for each feature its bins and their shares.

    Parameters
    ----------
    known
        One row a training case, as it stood at the landmark; null is "not known".

    Examples
    --------
    >>> known = pl.DataFrame({"score": [1.0, 1.0, 2.0, 2.0, None]})
    >>> inputs_reference(known, ["score"])["features"]["score"]
    {'edges': [1.0], 'counts': [2, 2], 'not_known': 1}
    """
    features_told = {}
    for name in features:
        values = known[name].cast(pl.Float64).fill_nan(None)
        told = values.drop_nulls().to_numpy()
        edges = _edges(told)
        features_told[name] = {
            "edges": edges.tolist(),
            "counts": _counts(told, edges).tolist(),
            "not_known": values.null_count(),
        }
    return {"cases": known.height, "features": features_told}


def inputs_drift(reference: Mapping[str, Any], recent: pl.DataFrame) -> pl.DataFrame:
    """Return for each feature whether recent cases look like those of the training.

    Returns
    -------
    One row a feature: `feature, recent_cases, stability_index, by_chance` (what 19 of 20 nights
    without any change stay below, all features taken together), `not_known_then, not_known_now`
    (shares), `verdict`. Without numbers where cases are too few.

    Examples
    --------
    >>> then = pl.DataFrame({"score": [float(number % 20) for number in range(400)]})
    >>> now = pl.DataFrame({"score": [10.0 + number % 20 for number in range(400)]})
    >>> reference = inputs_reference(then, ["score"])
    >>> inputs_drift(reference, then)["verdict"].item()
    'as_before'
    >>> inputs_drift(reference, now)["verdict"].item()
    'moved_clearly'
    """
    features = reference["features"]
    rows = [
        _one_input(name, told, recent, reference["cases"], tests=len(features))
        for name, told in features.items()
        if name in recent.columns
    ]
    return pl.DataFrame(
        rows,
        schema={
            "feature": pl.String,
            "recent_cases": pl.Int64,
            "stability_index": pl.Float64,
            "by_chance": pl.Float64,
            "not_known_then": pl.Float64,
            "not_known_now": pl.Float64,
            "verdict": pl.String,
        },
        orient="row",
    )


def stability_index(then: Floats, now: Floats) -> float:
    """Return the population stability index of two rows of counts over the same bins.

    Half a case is added to every bin of both.

    Examples
    --------
    >>> stability_index(np.array([50.0, 50.0]), np.array([50.0, 50.0]))
    0.0
    """
    before, after = then + _HALF_A_CASE, now + _HALF_A_CASE
    before, after = before / before.sum(), after / after.sum()
    return float(((after - before) * np.log(after / before)).sum())


@dataclass(frozen=True, kw_only=True)
class CalibrationDrift:
    """Whether chances came true among cases the model had not seen; None of too few cases."""

    n: int
    bad: int | None = None
    expected: float | None = None
    """Bad ends the model expected: the sum of its chances."""
    gap: float | None = None
    """Observed less expected share of bad ends, with its interval."""
    gap_low: float | None = None
    gap_high: float | None = None
    brier: float | None = None
    brier_low: float | None = None
    brier_high: float | None = None
    brier_then: float | None = None
    """Out of sample, when the model was trained."""
    verdict: Came = "too_few"


def calibration_drift(
    is_bad: Bools, probability: Floats, *, brier_then: float | None
) -> CalibrationDrift:
    """Return whether what the model expected came about.

    Parameters
    ----------
    is_bad, probability
        (n,) Cases that ended after the training, and what the model says of them as they stood at
        the landmark; nan where it says nothing, which is left out.

    Examples
    --------
    >>> is_bad = np.array([True] * 30 + [False] * 70)
    >>> calibration_drift(is_bad, np.full(100, 0.3), brier_then=0.21).verdict
    'as_expected'
    >>> calibration_drift(is_bad, np.full(100, 0.6), brier_then=0.24).verdict
    'fewer'
    """
    said = ~np.isnan(probability)
    known, chance = is_bad[said].astype(np.float64), probability[said]
    n = len(known)
    if n < FEWEST_RECENT:
        return CalibrationDrift(n=n)
    gap, gap_half = _mean_and_half_width(known - chance)
    brier, brier_half = _mean_and_half_width((known - chance) ** 2)
    verdict: Came = "as_expected"
    if abs(gap) > max(gap_half, GAP_THAT_MATTERS):
        verdict = "more" if gap > 0 else "fewer"
    elif brier_then is not None and brier - brier_half > brier_then:
        verdict = "less_exact"
    return CalibrationDrift(
        n=n,
        bad=int(known.sum()),
        expected=float(chance.sum()),
        gap=gap,
        gap_low=gap - gap_half,
        gap_high=gap + gap_half,
        brier=brier,
        brier_low=brier - brier_half,
        brier_high=brier + brier_half,
        brier_then=brier_then,
        verdict=verdict,
    )


def _mean_and_half_width(values: Floats) -> tuple[float, float]:
    return float(values.mean()), _Z_99 * float(values.std(ddof=1)) / sqrt(len(values))


def _edges(told: Floats) -> Floats:
    """Return the inner borders of tenths; fewer where many cases share a value."""
    if not len(told):
        return np.empty(0)
    inner = np.quantile(told, np.arange(1, _TENTHS) / _TENTHS, method="lower")
    borders: Floats = np.unique(inner[inner < told.max()])
    return borders


def _counts(told: Floats, edges: Floats) -> NDArray[np.int64]:
    """Return how many values lie in each bin; a value on a border belongs to the bin below."""
    return np.bincount(np.searchsorted(edges, told, side="left"), minlength=len(edges) + 1)


def _one_input(
    name: str, told: Mapping[str, Any], recent: pl.DataFrame, cases_then: int, *, tests: int
) -> tuple[str, int, float | None, float | None, float | None, float | None, Moved]:
    values = recent[name].cast(pl.Float64).fill_nan(None)
    if len(values) < FEWEST_RECENT or cases_then < FEWEST_RECENT:
        return name, len(values), None, None, None, None, "too_few"
    edges = np.array(told["edges"], dtype=np.float64)
    then = np.array([*told["counts"], told["not_known"]], dtype=np.float64)
    now = np.array(
        [*_counts(values.drop_nulls().to_numpy(), edges), values.null_count()], dtype=np.float64
    )
    used = (then + now) > 0
    index = stability_index(then[used], now[used])
    chance = _by_chance(int(used.sum()), cases_then, len(values), tests)
    verdict: Moved = "as_before"
    if index > max(SOME, chance):
        verdict = "moved_clearly" if index > CLEAR else "moved"
    return (
        name, len(values), index, chance, told["not_known"] / cases_then,
        values.null_count() / len(values), verdict,
    )  # fmt: skip


def _by_chance(bins: int, then: int, now: int, tests: int) -> float:
    """Return the index that chance alone passes once in twenty nights over all features."""
    from scipy.stats import chi2

    if bins < 2:
        return 0.0
    return float((1.0 / then + 1.0 / now) * chi2.ppf(1.0 - 0.05 / tests, bins - 1))
