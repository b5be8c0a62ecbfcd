"""How long do both predictions take for every session of a very large practice, on one core?

Simulated scores, eight million rows by default, numpy only. Prints nanoseconds a row and the most
memory used. Run: OMP_NUM_THREADS=1 python benchmarks/predictions.py [--rows 8000000]
"""

from __future__ import annotations

import argparse
import resource
import sys
from statistics import median
from time import perf_counter, process_time

import numpy as np
from measuring import machine

from models.course_tables import CourseTables
from models.expected_course import ExpectedCourse
from models.forecast import CaseForecast
from models.plateau import fit_trend, little_gain


def simulated(cases: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return baselines and counts (cases,), and the scores, of cases with lines of their own."""
    random = np.random.default_rng(seed)
    counts = random.integers(2, 15, cases)
    baseline = np.clip(np.rint(random.normal(14.5, 5.0, cases)), 0, 27)
    score = np.empty(counts.sum(), dtype=np.int8)
    ends = np.concatenate([[0], np.cumsum(counts)])
    for begin in range(0, cases, 100_000):
        some = slice(begin, min(begin + 100_000, cases))
        many = np.repeat(baseline[some], counts[some])
        rows = slice(ends[some.start], ends[some.stop])
        first = np.repeat(ends[some.start : some.stop], counts[some])
        time = np.log1p(np.arange(rows.start, rows.stop) - first + 1.0)
        own = np.repeat(random.normal(size=(2, counts[some].size)), counts[some], axis=1)
        course = 3.0 + 0.7 * many + (-0.4 - 0.13 * many + 1.8 * own[1]) * time + 3.0 * own[0]
        score[rows] = np.clip(np.rint(course + random.normal(0, 2.4, len(many))), 0, 27)
    return baseline, counts, score


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="200,000 rows, once")
    asked = parser.parse_args()
    if asked.quick:
        asked.rows, asked.repeats = 200_000, 1
    write = sys.stdout.write

    baseline, counts, score = simulated(3000, 1)
    case = np.repeat(np.arange(len(counts)), counts)
    occasion = np.arange(len(score)) - np.repeat(np.cumsum(counts) - counts, counts) + 1.0
    X = np.column_stack([baseline[case], np.log1p(occasion)])
    course = ExpectedCourse().fit(X, score, case)
    forecast = CaseForecast(course).fit(X, score, case)
    write(f"{machine()}; CPU time of this process, median of {asked.repeats}\n\n")

    baseline, counts, score = simulated(asked.rows // 8, 2)
    rows = len(score)
    for coverages in ((0.8,), (0.8, 0.95)):
        seconds, looked_at = [], 0.0
        for _ in range(asked.repeats):
            began = process_time()
            tables = CourseTables.of(
                forecast, minimum=0, maximum=27, higher_is="worse", ahead=4, coverages=coverages
            )
            for _, both in tables.predict(baseline, counts, score):
                looked_at += float(both.heading[0])
            seconds.append(process_time() - began)
        names = " and ".join(f"{100 * one:.0f} %" for one in coverages)
        write(f"both predictions with bands of {names}, {rows:,} rows: ")
        write(f"{1e9 * median(seconds) / rows:.1f} ns a row\n")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write(f"most memory so far, scores included: {most:.0f} MiB\n")

    some = rows // 20
    cases = int(np.searchsorted(np.cumsum(counts), some))
    counts, score = counts[:cases], score[: counts[:cases].sum()]
    case = np.repeat(np.arange(cases), counts)
    occasion = np.arange(len(score)) - np.repeat(np.cumsum(counts) - counts, counts) + 1.0
    X = np.column_stack([baseline[case], np.log1p(occasion)])
    later = np.log1p(occasion + 4)
    trend = fit_trend(
        occasion[:20_000], score[:20_000], case[:20_000], minimum=0, maximum=27, higher_is="worse"
    )
    for name, call in (
        (
            "band from intake, any times",
            lambda: course.band(X, coverage=0.8, minimum=0, maximum=27),
        ),
        ("chance this bad, any times", lambda: course.chance_this_bad(X, score, higher_is="worse")),
        (
            "forecast, any times",
            lambda: forecast.heading(X, score, case, later, minimum=0, maximum=27),
        ),
        ("little gain", lambda: little_gain(trend, occasion, score, case, horizon=6, points=3)),
    ):
        began = perf_counter()
        call()
        write(
            f"{name}, {len(score):,} rows: {1e9 * (perf_counter() - began) / len(score):.0f} ns\n"
        )


if __name__ == "__main__":
    main()
