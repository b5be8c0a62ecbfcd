"""Coverage is counted by severity and session, fairly at the floor, and by case."""

import numpy as np
import pytest

from models.course_coverage import SESSION_STARTS, coverage_by_cell, share_ever, spread_inside
from models.local_quantiles import Grid, local_means, local_quantiles, quantile, share_below


def test_cells_add_up_to_the_whole() -> None:
    random = np.random.default_rng(1)
    inside = random.random(5000) < 0.8
    session = random.integers(1, 25, 5000).astype(float)
    table = coverage_by_cell(random.normal(15, 5, 5000), session, {"inside": inside})
    cells = table[1:]
    assert cells["count"].sum() == table["count"][0] == 5000
    weighted = (cells["inside"] * cells["count"]).sum() / 5000
    assert weighted == pytest.approx(inside.mean())
    assert len(cells) == 3 * len(SESSION_STARTS)
    assert cells["session"].unique(maintain_order=True)[-1] == "16+"


def test_the_severe_are_the_low_scorers_where_low_is_worse() -> None:
    baseline = np.array([1.0, 2.0, 3.0])
    table = coverage_by_cell(
        baseline, np.ones(3), {"inside": np.array([1.0, 0.0, 0.0])}, higher_is_worse=False
    )
    assert table.filter(severity="severe")["inside"].item() == 1.0


def test_scores_drawn_from_the_predicted_chances_cover_what_was_said_also_at_the_floor() -> None:
    random = np.random.default_rng(2)
    shares = np.array([0.3, 0.2, 0.2, 0.15, 0.1, 0.05])  # of scores 0 to 5; a third at the floor
    below = np.concatenate([[0.0], np.cumsum(shares)[:-1]])
    score = random.choice(6, 200_000, p=shares)
    for coverage in (0.5, 0.8, 0.95):
        inside = spread_inside(below[score], below[score] + shares[score], coverage)
        assert inside.mean() == pytest.approx(coverage, abs=0.005)
    # Counted plainly, the band from 0 to 4 holds 95 % where 80 % are meant.
    assert (score <= 4).mean() == pytest.approx(0.95, abs=0.005)


def test_more_cases_cross_a_line_once_than_scores_lie_beyond_it() -> None:
    random = np.random.default_rng(3)
    case = np.repeat(np.arange(2000), 10)
    is_beyond = random.random(20_000) < 0.1
    assert share_ever(case, is_beyond) == pytest.approx(1 - 0.9**10, abs=0.03)


def test_no_scores_have_no_share() -> None:
    assert np.isnan(share_ever([], np.array([], dtype=bool)))


# --- What is learned at the nodes of a grid -------------------------------------------------------


def test_local_means_follow_a_bend_that_no_line_has() -> None:
    random = np.random.default_rng(4)
    time = random.uniform(0, 10, 4000)
    grid = Grid(nodes=(np.array([0.0, 5.0, 10.0]),))
    corners = grid.corners(time)
    means = local_means(corners, grid.size, np.abs(time - 5) + random.normal(0, 1, 4000))
    np.testing.assert_allclose(means, [5, 0, 5], atol=0.2)


def test_local_quantiles_are_those_of_the_place() -> None:
    random = np.random.default_rng(5)
    place = random.uniform(0, 1, 40_000)
    residual = random.normal(0, 1 + 2 * place)
    grid = Grid(nodes=(np.array([0.0, 0.5, 1.0]),))
    found = local_quantiles(grid.corners(place), 3, residual, np.arange(40_000))
    asked = grid.corners(np.array([0.25, 0.5, 0.75]))
    np.testing.assert_allclose(
        quantile(asked, found, 0.9), 1.2816 * np.array([1.5, 2.0, 2.5]), rtol=0.12
    )
    back = share_below(asked, found, quantile(asked, found, 0.9))
    np.testing.assert_allclose(back, 0.9, atol=1e-6)


def test_rows_of_one_case_count_as_one() -> None:
    """Ten equal rows of each case are no more evidence than one: the tails stay as wide."""
    random = np.random.default_rng(6)
    residual, grid = random.normal(size=60), Grid(nodes=(np.array([0.0]),))
    once = local_quantiles(grid.corners(np.zeros(60)), 1, residual, np.arange(60))
    many = local_quantiles(
        grid.corners(np.zeros(600)), 1, np.repeat(residual, 10), np.repeat(np.arange(60), 10)
    )
    np.testing.assert_allclose(many[0, 5:95], once[0, 5:95], atol=0.25)


def test_outside_the_grid_its_edge_holds() -> None:
    grid = Grid(nodes=(np.array([0.0, 1.0]), np.array([0.0, 1.0])))
    corners = grid.corners(np.array([-9.0, 9.0]), np.array([-9.0, 9.0]))
    values = corners.interpolate(np.array([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(values, [1.0, 4.0])
