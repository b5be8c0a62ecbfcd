"""Which k reference cases lie nearest to a case? Exactly, and fast for a million of them.

The reference is cut into leaves (k-d tree of Bentley 1975, unverified), each with the box that
holds it. A leaf whose box is farther away than the k-th neighbour found so far cannot hold a
nearer one. Inside the leaves that remain, distances to many cases at once are one matrix product
in single precision: |x - q|^2 / 2 = |q|^2 / 2 + (|x|^2 / 2 - q x). What passes is measured again
in double precision, one feature after the other, and ranked by distance, then by place in the
reference: a tie has one answer, the same as a plain loop would give (`tests/models/test_nearest`).

Why nothing is lost. (1) Boxes: rounding is monotone, and box and case are measured by the same
steps in the same order, so a rounded box distance is never above the rounded distance of a case in
the box. (2) Single precision: with u = 2^-24, d features, centred x and q, storing costs at most
2u |q||x| + u |x|^2 / 2, and a sum of d + 1 products in any order at most (d + 2)u (|q||x| +
|x|^2 / 2) (Higham 2002, Accuracy and Stability of Numerical Algorithms, ch. 3, unverified). The
line is raised by (d + 9)u |x|(|x| + |q|), by the rounding of the line itself, and by a floor for
numbers too small for single precision. So a case that is left out is truly farther away.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.nearest_leaves import Floats, Indices, Leaves, Singles, leaves_of

CASES_PER_LEAF = 2048
"""Of 300, 600, 1024 and 2048 the fastest for a million cases with 10 independent features."""
QUERIES_AT_ONCE = 1024
"""At most 65,536: they are numbered in 16 bits."""
FIRST_LEAVES = 4
"""Leaves that give a first upper limit of the k-th distance."""
SEARCHED_FIRST = 0.7
"""Leaves nearer than this part of the limit (of squares) are searched first: they tighten it."""
MOST_WAITING = 2_000_000
"""Pairs of query and case that wait for their exact distance; keeps memory bounded."""
UNIT_OF_SINGLE = 2.0**-24
TOO_SMALL_FOR_SINGLE, LARGEST_SINGLE = 1e-35, 1e38
LARGEST = 1e100
"""Squares of larger features overflow."""


class NearestCases:
    """The k nearest rows of a reference, by Euclidean distance.

    `fit` and `kneighbors` are named as in scikit-learn, and answers agree with its brute force; it
    does not claim to be a scikit-learn estimator (`check_estimator` is not run on it).

    Parameters
    ----------
    cases_per_leaf
        Rows in a leaf at most (a leaf of equal rows may hold more).
    workers
        Threads that share the queries.

    Examples
    --------
    >>> nearest = NearestCases().fit([[0.0], [1.0], [1.0], [5.0]])
    >>> distance, row = nearest.kneighbors([[0.9]], n_neighbors=3)
    >>> row.tolist(), distance.round(2).tolist()
    ([[1, 2, 0]], [[0.1, 0.1, 0.9]])
    """

    n_features_in_: int
    n_samples_fit_: int

    def __init__(self, *, cases_per_leaf: int = CASES_PER_LEAF, workers: int = 1) -> None:
        self.cases_per_leaf = cases_per_leaf
        self.workers = workers

    def fit(self, X: ArrayLike) -> Self:
        """Arrange the reference, shape (cases, features), all finite.

        Raises
        ------
        ValueError
            If the reference is empty, not a table, or has a missing or infinite value.
        """
        table = _table(X)
        if not table.size:
            raise ValueError("The reference is empty; fit needs at least one case and feature.")
        if np.abs(table).max() > LARGEST:
            raise ValueError("X has values too large to be squared; standardise features.")
        self.n_samples_fit_, self.n_features_in_ = table.shape
        self._leaves = leaves_of(table, max(self.cases_per_leaf, 1))
        return self

    def kneighbors(self, X: ArrayLike, n_neighbors: int) -> tuple[Floats, Indices]:
        """Return distances and rows of the reference, each (queries, k), nearest first.

        Equal distances come in the order of the reference.

        Raises
        ------
        ValueError
            If k is not 1 to the size of the reference, columns differ, a value is missing, or a
            query lies absurdly far away (standardise features first).
        """
        if not hasattr(self, "_leaves"):
            raise ValueError("No reference yet; call fit first.")
        queries = _table(X)
        if queries.shape[1] != self.n_features_in_:
            message = f"{queries.shape[1]} features asked, {self.n_features_in_} in the reference."
            raise ValueError(message)
        if not 1 <= n_neighbors <= self.n_samples_fit_:
            message = f"n_neighbors is 1 to {self.n_samples_fit_} here, not {n_neighbors}."
            raise ValueError(message)
        if queries.size and self._leaves.are_far_away(queries):
            raise ValueError("A query lies absurdly far from the reference; standardise features.")
        at_once = max(1, min(QUERIES_AT_ONCE, -(-len(queries) // max(self.workers, 1))))
        blocks = [queries[at : at + at_once] for at in range(0, len(queries), at_once)]
        if not blocks:
            return np.empty((0, n_neighbors)), np.empty((0, n_neighbors), dtype=np.intp)
        found = self._shared(blocks, n_neighbors)
        squares, rows = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return np.sqrt(squares), rows

    def _shared(self, blocks: list[Floats], k: int) -> list[tuple[Floats, Indices]]:
        """Search blocks of queries, each in one thread.

        The matrix products are small: with threads of their own they wait for one another, on a
        busy machine twenty times as long as the product takes.
        """
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # sklearn's

        with threadpool_limits(limits=1, user_api="blas"):
            if self.workers == 1:
                return [_search(self._leaves, block, k) for block in blocks]
            with ThreadPoolExecutor(self.workers) as threads:
                return list(threads.map(lambda block: _search(self._leaves, block, k), blocks))


class _Asked:
    """One block of queries: what was found so far, and what waits for its exact distance."""

    def __init__(self, leaves: Leaves, queries: Floats, k: int) -> None:
        self.leaves, self.queries, self.k = leaves, queries, k
        centred = (queries - leaves.centre) / leaves.scale
        self.norm: Floats = np.sqrt(np.einsum("ij,ij->i", centred, centred))
        self.single: Singles = np.column_stack([-centred, np.ones(len(queries))]).astype(np.float32)
        self.limit: Floats = np.full(len(queries), np.inf)
        """Upper limit of the squared distance of the k-th nearest."""
        self.line: Floats = self.limit
        """The same as the products measure it, raised by what may be rounded but `slack`."""
        self.squares: Floats = np.full((len(queries), k), np.inf)
        self.places: Indices = np.zeros((len(queries), k), dtype=np.intp)
        self.waiting: list[tuple[Indices, Indices]] = []
        self.waiting_count = 0

    def slack(self, leaf: int, members: Indices) -> Floats:
        """Return what single precision may be wrong by, in halves of scaled squares."""
        reach = float(self.leaves.reach[leaf])
        by_norm = (self.queries.shape[1] + 9) * UNIT_OF_SINGLE * reach + TOO_SMALL_FOR_SINGLE
        return np.asarray(by_norm * self.norm[members] + (by_norm * reach + TOO_SMALL_FOR_SINGLE))

    def lower_limit(self, limit: Floats) -> None:
        """Take the lower of two limits, and draw the line of the products anew."""
        self.limit = np.minimum(self.limit, limit)
        square, norm_squared = self.limit / self.leaves.scale**2, self.norm**2
        line = 0.5 * (square - norm_squared) + 1e-14 * (square + norm_squared)
        self.line = line + 4.0 * UNIT_OF_SINGLE * np.abs(line)

    def lower_limit_by_nearest_boxes(self, to_box: Floats) -> None:
        """Take the k-th of all cases in the few nearest leaves for a first limit."""
        leaf_count = min(FIRST_LEAVES, len(to_box))
        near = np.argpartition(to_box, leaf_count - 1, axis=0)[:leaf_count]
        wanted = np.zeros_like(to_box, dtype=bool)
        np.put_along_axis(wanted, near, values=True, axis=0)
        best = np.full((len(self.queries), leaf_count * self.k), np.inf)
        filled = np.zeros(len(self.queries), dtype=np.intp)
        for leaf, members in _grouped(wanted):
            half = self.single[members] @ self.leaves.single[self.leaves.places_of(leaf, self.k)].T
            kept = min(self.k, half.shape[1])
            smallest = np.partition(half, kept - 1, axis=1)[:, :kept]
            columns = filled[members, None] + np.arange(kept)
            best[members[:, None], columns] = smallest + self.slack(leaf, members)[:, None]
            filled[members] += kept
        kth = np.partition(best, self.k - 1, axis=1)[:, self.k - 1]
        known = np.isfinite(kth)
        square = 2.0 * kth[known] + self.norm[known] ** 2
        rounding = 1e-14 * (np.abs(kth[known]) + self.norm[known] ** 2)
        limit = np.full(len(kth), np.inf)
        limit[known] = (np.maximum(square, 0.0) + rounding) * self.leaves.scale**2
        self.lower_limit(limit)

    def search(self, leaf: int, members: Indices) -> None:
        """Let wait the cases of a leaf that may be nearer than the limit."""
        places = self.leaves.places_of(leaf, self.k)
        half = self.single[members] @ self.leaves.single[places].T
        line = np.minimum(self.line[members] + self.slack(leaf, members), LARGEST_SINGLE)
        passed = np.flatnonzero(half <= line.astype(np.float32)[:, None])
        if len(passed):
            member, place = np.divmod(passed, half.shape[1])
            self.wait(members[member], places.start + place)

    def wait(self, queries: Indices, places: Indices) -> None:
        """Note pairs of query and place for the next settling."""
        self.waiting.append((queries, places))
        self.waiting_count += len(queries)
        if self.waiting_count > MOST_WAITING:
            self.settle()

    def settle(self) -> None:
        """Measure what waits exactly, keep the k nearest of each query, lower the limits."""
        if not self.waiting:
            return
        query, place = (np.concatenate(parts) for parts in zip(*self.waiting, strict=True))
        self.waiting, self.waiting_count = [], 0
        square = exact_squares(self.leaves.table[place], self.queries[query])
        held, rank = np.nonzero(np.isfinite(self.squares))
        query = np.concatenate([held, query])
        place = np.concatenate([self.places[held, rank], place])
        square = np.concatenate([self.squares[held, rank], square])
        near = np.flatnonzero(square <= _kth(query, square, len(self.queries), self.k)[query])
        query, place, square = query[near], place[near], square[near]
        order = np.lexsort((self.leaves.row[place], square, query))
        query = query[order]
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        is_kept = rank < self.k
        kept, query, rank = order[is_kept], query[is_kept], rank[is_kept]
        self.squares[query, rank] = square[kept]
        self.places[query, rank] = place[kept]
        self.lower_limit(self.squares[:, -1])


def _search(leaves: Leaves, queries: Floats, k: int) -> tuple[Floats, Indices]:
    """Return squared distances and rows of the k nearest of one block of queries."""
    asked = _Asked(leaves, queries, k)
    to_box = leaves.squares_to_boxes(queries)
    asked.lower_limit_by_nearest_boxes(to_box)
    is_new = np.ones_like(to_box, dtype=bool)
    for part in (SEARCHED_FIRST, 1.0):
        wanted = (to_box <= part * asked.limit) & is_new
        is_new &= ~wanted
        for leaf, members in _grouped(wanted):
            asked.search(leaf, members)
        asked.settle()
    return asked.squares, leaves.row[asked.places]


def exact_squares(rows: Floats, queries: Floats) -> Floats:
    """Return squared distances (n,) of rows and queries (n, features), feature by feature.

    The order of the sum is fixed, so the same two rows give the same number everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> exact_squares(np.array([[0.0, 3.0]]), np.array([[4.0, 0.0]])).tolist()
    [25.0]
    """
    total = np.zeros(len(rows))
    for feature in range(rows.shape[1]):
        gap = rows[:, feature] - queries[:, feature]
        total += gap * gap
    return total


def _kth(query: Indices, square: Floats, queries: int, k: int) -> Floats:
    """Return the k-th smallest square (queries,), so that few are left to be sorted."""
    count = np.bincount(query, minlength=queries)
    width = max(int(count.max()), k)
    if width * queries > 8 * MOST_WAITING:  # one query with nearly all of them: sort them all
        return np.full(queries, np.inf)
    order = np.argsort(query.astype(np.uint16), kind="stable")
    rank = np.arange(len(query)) - (np.cumsum(count) - count)[query[order]]
    table = np.full((queries, width), np.inf)
    table[query[order], rank] = square[order]
    return np.asarray(np.partition(table, k - 1, axis=1)[:, k - 1])


def _grouped(wanted: NDArray[np.bool_]) -> Iterator[tuple[int, Indices]]:
    """Yield each leaf that somebody wants, and which queries do."""
    leaf, query = np.nonzero(wanted)
    ends = np.cumsum(np.bincount(leaf, minlength=len(wanted)))
    start = 0
    for number, end in enumerate(ends):
        if end > start:
            yield number, query[start:end]
        start = end


def _table(X: ArrayLike) -> Floats:
    table = np.asarray(X, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"X has shape {table.shape}, not (cases, features).")
    if not np.isfinite(table).all():
        raise ValueError("X has a missing or infinite value; such cases cannot be compared.")
    return table
