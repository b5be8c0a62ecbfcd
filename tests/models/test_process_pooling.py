"""What many persons' links share: against what metafor prints, and laws."""

import numpy as np
import pytest

from models.process_pooling import TooFewPersonsError, own_links, pooled_link

# Colditz and others 1994, as metafor's dat.bcg prints it: tuberculosis yes and no, vaccinated, not.
BCG = np.array(
    [
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619),
        (33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892),
        (29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ]
).astype(float)  # fmt: skip
# Kacker 2004, as the tests of statsmodels 0.15 print what metafor returns for it.
KACKER = [61.0, 61.4, 62.21, 62.3, 62.34, 62.6, 62.7, 62.84, 65.9]
KACKER_V = [0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225]


def log_risk_ratios() -> tuple[np.ndarray, np.ndarray]:
    a, b, c, d = BCG.T
    return np.log(a / (a + b) / (c / (c + d))), np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))


def test_restricted_likelihood_with_hartung_and_knapp_as_metafor_s_readme_prints_it() -> None:
    y, error = log_risk_ratios()
    found = pooled_link(y, error)
    printed = {
        "mean": -0.7145, "standard_error": 0.1808, "low": -1.1084, "high": -0.3206,
        "tau2": 0.3132, "i2": 0.9222,
    }  # fmt: skip
    assert {name: round(getattr(found, name), 4) for name in printed} == printed
    assert round(found.q, 3) == 152.233
    interval = np.exp([found.prediction_low, found.prediction_high])
    assert interval.round(2).tolist() == [0.14, 1.76]


def test_moments_with_hartung_and_knapp_as_metafor_returns_them() -> None:
    found = pooled_link(KACKER, np.sqrt(KACKER_V), method="moments")
    assert found.mean == pytest.approx(62.3901386044504, rel=1e-10)
    assert found.standard_error == pytest.approx(0.29477605699879, rel=1e-10)
    assert (found.low, found.high) == pytest.approx((61.710383798052, 63.0698934108488), rel=1e-10)
    assert found.tau2 == pytest.approx(0.288049246973751, rel=1e-10)
    assert found.i2 == pytest.approx(0.67744403741711, rel=1e-10)
    assert found.q == pytest.approx(24.801897741835, rel=1e-10)


def test_with_equal_errors_everything_is_known_in_closed_form() -> None:
    # Balanced: the mean is the mean, tau2 the variance of the links less that of the error.
    links = np.array([0.1, 0.2, 0.3, 0.5, 0.9])
    found = pooled_link(links, np.full(5, 0.1))
    assert found.mean == pytest.approx(0.4)
    assert found.tau2 == pytest.approx(0.1 - 0.01)  # the squares add up to 0.4, divided by 4
    assert found.standard_error == pytest.approx(np.sqrt(0.1 / 5))


def test_persons_who_differ_by_error_alone_get_no_heterogeneity_and_no_shorter_interval() -> None:
    found = pooled_link([0.30, 0.31, 0.29, 0.30, 0.30], [0.1] * 5)
    assert (found.tau2, found.i2, found.tau2_low) == (0.0, 0.0, 0.0)
    assert found.standard_error == pytest.approx(0.1 / np.sqrt(5))  # not the tiny spread


def test_the_interval_of_heterogeneity_holds_the_estimate() -> None:
    found = pooled_link(*log_risk_ratios())
    assert found.tau2_low < found.tau2 < found.tau2_high


def test_an_unsure_link_is_drawn_farther_towards_the_mean() -> None:
    links, errors = [0.0, 0.2, 0.4, 0.6, 1.0, 1.0], [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]
    found = pooled_link(links, errors)
    own = own_links(links, errors, found)
    assert found.mean < own.link[5] < own.link[4] < 1.0
    assert (own.low < own.link).all()
    assert (own.link < own.high).all()


def test_a_mean_of_four_persons_is_refused() -> None:
    with pytest.raises(TooFewPersonsError, match="4 persons"):
        pooled_link([0.1] * 4, [0.1] * 4)


@pytest.mark.parametrize("true_tau", [0.0, 0.2])
def test_the_mean_s_interval_holds_as_often_as_it_says(true_tau: float) -> None:
    draw = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        errors = draw.uniform(0.08, 0.25, 12)
        links = 0.3 + true_tau * draw.normal(size=12) + errors * draw.normal(size=12)
        found = pooled_link(links, errors)
        held += found.low <= 0.3 <= found.high
    assert held / 300 >= 0.92


def test_own_intervals_hold_the_person_s_own_link_on_average() -> None:
    draw = np.random.default_rng(4)
    held = 0
    for _ in range(100):
        errors = draw.uniform(0.08, 0.25, 30)
        true = 0.3 + 0.2 * draw.normal(size=30)
        links = true + errors * draw.normal(size=30)
        own = own_links(links, errors, pooled_link(links, errors))
        held += int(((own.low <= true) & (true <= own.high)).sum())
    assert 0.92 < held / 3000 < 0.97
