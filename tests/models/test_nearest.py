"""Nearest cases: the same answer as a plain loop, ties and duplicates included, and as the peer."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.nearest import NearestCases

Floats = NDArray[np.float64]


def looked_up_one_by_one(reference: Floats, queries: Floats, k: int) -> tuple[Floats, Any]:
    """Return the k nearest by sorting every distance; ties in the order of the reference."""
    squares = np.zeros((len(queries), len(reference)))
    for feature in range(reference.shape[1]):
        squares += (reference[:, feature] - queries[:, feature, None]) ** 2
    rows = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squares, rows, axis=1)), rows


def assert_same(reference: Floats, queries: Floats, k: int, **how: int) -> None:
    distance, row = NearestCases(**how).fit(reference).kneighbors(queries, k)
    true_distance, true_row = looked_up_one_by_one(reference, queries, k)
    np.testing.assert_array_equal(row, true_row)
    np.testing.assert_array_equal(distance, true_distance)


def drawn(kind: str, cases: int, features: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    match kind:
        case "spread evenly":
            return rng.normal(size=(cases, features))
        case "in clusters":
            centres = rng.normal(0, 50, (7, features))
            return centres[rng.integers(0, 7, cases)] + rng.normal(0, 0.01, (cases, features))
        case "whole points, many equal":
            return rng.integers(0, 3, (cases, features)).astype(float)
        case "all equal":
            return np.full((cases, features), 3.7)
        case "along a line":
            return rng.normal(size=(cases, 1)) @ rng.normal(size=(1, features))
        case "far from zero":
            return 1e9 + rng.integers(0, 40, (cases, features)) / 4
        case "tiny":
            return 1e-200 * rng.normal(size=(cases, features))
        case "one far away":
            table = rng.normal(size=(cases, features))
            table[0] = 1e8
            return table
        case _:
            raise LookupError(kind)


KINDS = [
    "spread evenly",
    "in clusters",
    "whole points, many equal",
    "all equal",
    "along a line",
    "far from zero",
    "tiny",
    "one far away",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [{}, {"cases_per_leaf": 40}, {"cases_per_leaf": 40, "workers": 2}])
def test_the_answer_is_that_of_a_plain_loop(kind: str, how: dict[str, int]) -> None:
    table = drawn(kind, 3000, 6, seed=1)
    queries = np.concatenate([table[::60], drawn(kind, 30, 6, seed=2)])
    assert_same(table, queries, 50, **how)


@given(
    st.sampled_from(KINDS),
    st.integers(1, 300),
    st.integers(1, 12),
    st.integers(1, 20),
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
)
@settings(max_examples=150)
def test_the_answer_is_that_of_a_plain_loop_for_whatever_is_drawn(
    kind: str, cases: int, features: int, leaf: int, seed: int, k: int
) -> None:
    table = drawn(kind, cases, features, seed)
    queries = np.concatenate([table[:5], drawn(kind, 5, features, seed + 1)])
    assert_same(table, queries, min(k, cases), cases_per_leaf=leaf)


def test_more_queries_than_one_block_are_answered_in_their_order() -> None:
    table = drawn("spread evenly", 500, 3, seed=3)
    assert_same(table, drawn("spread evenly", 2500, 3, seed=4), 4, cases_per_leaf=50)


def test_pairs_that_wait_are_settled_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.nearest.MOST_WAITING", 100)
    table = drawn("whole points, many equal", 3000, 4, seed=5)
    assert_same(table, table[:40], 50, cases_per_leaf=100)


@pytest.mark.parametrize("kind", ["spread evenly", "in clusters"])
def test_scikit_learn_names_the_same_neighbours(kind: str) -> None:
    from sklearn.neighbors import NearestNeighbors

    table, queries = drawn(kind, 5000, 10, seed=6), drawn(kind, 200, 10, seed=7)
    distance, row = NearestCases(cases_per_leaf=200).fit(table).kneighbors(queries, 30)
    peer = NearestNeighbors(n_neighbors=30, algorithm="brute").fit(table)
    their_distance, their_row = peer.kneighbors(queries)
    np.testing.assert_allclose(distance, their_distance, rtol=1e-6, atol=1e-6)
    # Its distances come from rounded products: where two are closer than that, it may swap them.
    gaps = np.diff(distance, axis=1).min(axis=1) > 1e-6
    assert gaps.sum() > 10
    np.testing.assert_array_equal(row[gaps], their_row[gaps])


def test_a_case_is_its_own_nearest_neighbour_at_distance_zero() -> None:
    table = drawn("spread evenly", 400, 5, seed=8)
    distance, row = NearestCases(cases_per_leaf=64).fit(table).kneighbors(table, 1)
    assert row[:, 0].tolist() == list(range(400))
    assert not distance.any()


def test_nobody_asking_gets_an_empty_answer() -> None:
    distance, row = NearestCases().fit(np.zeros((3, 2))).kneighbors(np.empty((0, 2)), 2)
    assert distance.shape == row.shape == (0, 2)


@pytest.mark.parametrize(
    ("reference", "queries", "k", "said"),
    [
        ([[1.0], [float("nan")]], [[1.0]], 1, "missing"),
        ([[1.0], [2.0]], [[float("inf")]], 1, "missing or infinite"),
        ([[1.0], [2.0]], [[1.0, 2.0]], 1, "2 features asked, 1"),
        ([[1.0], [2.0]], [[1.0]], 3, "1 to 2"),
        ([[1.0], [2.0]], [[1.0]], 0, "1 to 2"),
        ([[1.0], [2.0]], [1.0], 1, "shape"),
        ([[1.0], [2.0]], [[1e35]], 1, "absurdly far"),
        ([[1.0], [1e120]], [[1.0]], 1, "too large"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    reference: Any, queries: Any, k: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        NearestCases().fit(reference).kneighbors(queries, k)


def test_an_empty_reference_and_one_not_fitted_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        NearestCases().fit(np.empty((0, 3)))
    with pytest.raises(ValueError, match="call fit first"):
        NearestCases().kneighbors([[1.0]], 1)
