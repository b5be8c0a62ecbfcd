"""The growth curve finds the truth that sessions were simulated with, and its errors are honest."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from models.cross_products import CrossProducts, cross_products
from models.growth_curve import fit_growth_curve, log_time
from models.mixed_model import Floats, MixedModelFit

FIXED = np.array([3.0, -0.4, 0.72, -0.13])
"""Intercept, log(1 + session), baseline, and their product."""
COVARIANCE = np.array([[3.2**2, -0.35 * 3.2 * 1.9], [-0.35 * 3.2 * 1.9, 1.9**2]])
SIGMA = 2.4
THERAPIST_SD = 0.8
RHO = 0.4
Z95 = 1.959964


class Truth(NamedTuple):
    therapists: bool
    is_serial: bool


def courses(seed: int, cases: int, truth: Truth) -> CrossProducts:
    """Simulate continuous scores, 1 to 15 sessions a case."""
    random = np.random.default_rng(seed)
    count = 1 + np.minimum(random.negative_binomial(2, 2 / 9, cases), 14)
    case = np.repeat(np.arange(cases), count)
    session = np.concatenate([np.arange(one) for one in count])
    baseline = np.clip(np.rint(random.normal(14.5, 5.0, cases)), 0, 27)
    own = random.multivariate_normal([0, 0], COVARIANCE, cases)
    therapist = random.integers(0, max(cases // 15, 2), cases)
    if truth.therapists:
        own[:, 0] += random.normal(0, THERAPIST_SD, cases)[therapist]
    error = random.normal(0, SIGMA, (cases, 15))
    if truth.is_serial:
        for one in range(1, 15):
            error[:, one] = RHO * error[:, one - 1] + np.sqrt(1 - RHO**2) * error[:, one]
    time = np.log1p(session)
    line = FIXED[:2] + np.outer(baseline, FIXED[2:]) + own
    score = line[case, 0] + line[case, 1] * time + error[case, session]
    return cross_products(
        case, session, score, baseline[case], therapist[case] if truth.therapists else None
    )


def fits(seeds: range, cases: int, truth: Truth) -> list[MixedModelFit]:
    return [
        fit_growth_curve(
            courses(seed, cases, truth), log_time(),
            therapists=truth.therapists, is_serial=truth.is_serial,
        )
        for seed in seeds
    ]  # fmt: skip


def bias(found: list[MixedModelFit], number: Callable[[MixedModelFit], Floats | float],
         truth: Floats | float) -> Floats:  # fmt: skip
    """Return the mean error over its own standard error."""
    errors = np.array([number(fit) for fit in found]) - truth
    return np.abs(errors.mean(axis=0)) / (errors.std(axis=0, ddof=1) / np.sqrt(len(errors)))


def covered(found: list[MixedModelFit]) -> Floats:
    """Return the share of 95 % intervals that hold the truth, by fixed effect."""
    errors = np.array([fit.coefficients - FIXED for fit in found])
    sizes = np.array([np.sqrt(np.diag(fit.coefficient_covariance)) for fit in found])
    return np.asarray((np.abs(errors) < Z95 * sizes).mean(axis=0))


MODELS = [
    pytest.param(Truth(therapists=False, is_serial=False), id="cases"),
    pytest.param(Truth(therapists=True, is_serial=False), id="therapists"),
    pytest.param(Truth(therapists=False, is_serial=True), id="correlated residuals"),
    pytest.param(Truth(therapists=True, is_serial=True), id="both"),
]


def found_without_bias(found: list[MixedModelFit], truth: Truth, limit: float) -> None:
    assert (bias(found, lambda fit: fit.coefficients, FIXED) < limit).all()
    assert (bias(found, lambda fit: fit.covariance, COVARIANCE) < limit).all()
    assert bias(found, lambda fit: fit.residual_sd**2, SIGMA**2) < limit
    if truth.therapists:
        assert bias(found, lambda fit: fit.therapist_variance or 0.0, THERAPIST_SD**2) < limit
    if truth.is_serial:
        assert bias(found, lambda fit: fit.serial_correlation or 0.0, RHO) < limit


@pytest.mark.parametrize("truth", MODELS)
def test_twenty_practices_lead_to_the_truth_and_their_intervals_hold_it(truth: Truth) -> None:
    """The four intervals of a fit move in pairs, so 80 are worth 40: a share of .95 +- .034."""
    found = fits(range(20), 400, truth)
    found_without_bias(found, truth, 4.0)
    assert covered(found).mean() >= 0.80


@pytest.mark.reliability
@pytest.mark.parametrize("truth", MODELS)
def test_two_hundred_practices_lead_to_the_truth_and_their_intervals_hold_it(truth: Truth) -> None:
    """Limits are four standard errors of a share of 200, and of one worth 400."""
    found = fits(range(1000, 1200), 2000, truth)
    found_without_bias(found, truth, 4.0)
    assert (np.abs(covered(found) - 0.95) < 0.062).all()
    assert abs(covered(found).mean() - 0.95) < 0.044
