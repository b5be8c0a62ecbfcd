"""How much faster are exact neighbours than scikit-learn's brute force, with the same answer?

Side by side in one run, one after the other in every round, both held to the same number of
threads; the ratio is the median of the rounds' ratios. Every answer is compared: same distances,
and the same rows wherever the next distance differs. Prints a table for docs/similar_cases.md.
Run: python benchmarks/neighbours.py
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np
from measuring import machine
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from models.nearest import NearestCases

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEATURES = 10
CLOSE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One call."""

    wall: float
    cpu: float
    distance: Floats
    row: NDArray[np.intp]


def independent(rng: np.random.Generator, cases: int) -> Floats:
    """Return independent normal features: the hardest, for no box is nearer than another."""
    return rng.normal(size=(cases, FEATURES))


def course(rng: np.random.Generator, cases: int) -> Floats:
    """Return whole scores of six sessions, age, and three more, as cases have them: correlated."""
    level, slope = rng.normal(15, 5, cases), rng.normal(-3, 1.9, cases)
    scores = level[:, None] + slope[:, None] * np.log1p(np.arange(6)) + rng.normal(0, 2, (cases, 6))
    other = np.column_stack(
        [rng.integers(18, 80, cases), rng.normal(size=cases), 0.6 * level + rng.normal(0, 3, cases)]
    )
    kind = rng.integers(0, 2, (cases, 1))
    features = np.hstack([np.clip(scores, 0, 27).round(), other, kind])
    return np.asarray((features - features.mean(axis=0)) / features.std(axis=0))


def clustered(rng: np.random.Generator, cases: int) -> Floats:
    """Return a hundred clusters."""
    centres = np.random.default_rng(99).normal(0, 3, (100, FEATURES))
    return centres[rng.integers(0, 100, cases)] + rng.normal(0, 0.5, (cases, FEATURES))


KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "independent normal": independent,
    "courses (whole scores)": course,
    "100 clusters": clustered,
}


def timed(call: Callable[[], tuple[Floats, NDArray[np.intp]]]) -> Timed:
    """Time one call by the wall clock and by all threads' processor time."""
    wall, cpu = perf_counter(), process_time()
    distance, row = call()
    return Timed(wall=perf_counter() - wall, cpu=process_time() - cpu, distance=distance, row=row)


def are_the_same(ours: Timed, theirs: Timed) -> bool:
    """Say whether two answers agree, ties aside: brute force swaps what is closer than rounding."""
    if not np.allclose(ours.distance, theirs.distance, rtol=CLOSE, atol=CLOSE):
        return False
    is_tied = np.zeros(ours.row.shape, dtype=bool)
    close = np.diff(ours.distance, axis=1) < CLOSE
    is_tied[:, 1:] |= close
    is_tied[:, :-1] |= close
    is_tied[:, -1] = True  # the next one, not asked for, may be as far away
    return bool((ours.row == theirs.row)[~is_tied].all())


def measured(kind: str, *, cases: int, queries: int, k: int, threads: int, rounds: int) -> str:
    """Return a row of the table."""
    rng = np.random.default_rng(1)
    reference, asked = KINDS[kind](rng, cases), KINDS[kind](rng, queries)
    with threadpool_limits(threads):
        began = perf_counter()
        ours = NearestCases(workers=threads).fit(reference)
        built = perf_counter() - began
        began = perf_counter()
        theirs = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(reference)
        theirs_built = perf_counter() - began
        pairs = [
            (timed(lambda: ours.kneighbors(asked, k)), timed(lambda: theirs.kneighbors(asked)))
            for _ in range(rounds)
        ]
    same = all(are_the_same(one, other) for one, other in pairs)
    wall = [other.wall / one.wall for one, other in pairs]
    cpu = [other.cpu / one.cpu for one, other in pairs]
    cells = [
        kind,
        str(threads),
        f"{median(one.wall for one, _ in pairs):.2f}",
        f"{median(other.wall for _, other in pairs):.2f}",
        f"{median(wall):.1f} ({min(wall):.1f} to {max(wall):.1f})",
        f"{median(cpu):.1f}",
        f"{built:.1f} / {theirs_built:.2f}",
        "yes" if same else "NO",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--k", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="small: does it run at all?")
    options = parser.parse_args()
    if options.quick:
        options.cases, options.queries, options.rounds = 20_000, 100, 2
    say = sys.stdout.write
    say(
        f"{options.queries:,} queries, k = {options.k}, {FEATURES} features, {options.cases:,} "
        f"reference cases; {options.rounds} rounds. {machine('scikit-learn')}; load "
        f"{os.getloadavg()[0]:.1f} at the start.\n\n"
        "| reference | threads | ours, s | brute force, s | times faster (range) | by processor "
        "time | fit, s: ours / theirs | same answers |\n|---|---|---|---|---|---|---|---|\n"
    )
    for threads in options.threads:
        for kind in KINDS:
            row = measured(
                kind,
                cases=options.cases,
                queries=options.queries,
                k=options.k,
                threads=threads,
                rounds=options.rounds,
            )
            say(row + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
