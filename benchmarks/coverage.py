"""Do the predictions hold what they say? Coverage of both predictions, and chances come true.

Simulated practices (fitted on half of the cases, judged on the other half) and ENRICHD (fitted on
four fifths, judged on the fifth) where the file is at hand. Prints the tables of
docs/expected_course.md. Run: python benchmarks/coverage.py [--practices 12] [--enrichd long.csv]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from held_out import ENRICHD, HORIZONS, Scores, Source, enrichd, fifths, halves, simulated
from scipy.special import ndtr

from models.course_coverage import coverage_by_cell, share_ever, spread_inside
from models.expected_course import ExpectedCourse
from models.forecast import CaseForecast
from models.own_lines import LEADS, case_starts, known_so_far
from models.plateau import MINIMUM_SCORES, fit_trend, little_gain
from models.pooled_courses import MeasureCourse, MeasureScores, courses_by_measure
from models.trend_filter import Courses, Trend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_COVERAGES = (0.8, 0.95)
_FEWEST = {"simulated": 400, "ENRICHD": 60}  # scores a cell must have to be called worst


@dataclass(kw_only=True)
class Counted:
    """What was counted of one prediction on held-out cases, split by split."""

    baseline: list[Floats]
    occasion: list[Floats]
    columns: dict[str, list[Floats]]

    @classmethod
    def empty(cls) -> Counted:
        """Return a count of nothing."""
        return cls(baseline=[], occasion=[], columns={})

    def add(self, baseline: Floats, occasion: Floats, columns: dict[str, Floats]) -> None:
        """Add the scores of one split."""
        self.baseline.append(baseline)
        self.occasion.append(occasion)
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(values)

    def table(self) -> pl.DataFrame:
        """Return the means by cell."""
        return coverage_by_cell(
            np.concatenate(self.baseline),
            np.concatenate(self.occasion),
            {name: np.concatenate(values) for name, values in self.columns.items()},
        )


def _count(
    score: Floats,
    ends: Iterator[tuple[Floats, Floats]],
    below: Floats,
    up_to: Floats,
    maximum: float,
) -> dict[str, Floats]:
    """Count scores inside and above the intervals."""
    below, up_to = np.where(score <= 0, 0.0, below), np.where(score >= maximum, 1.0, up_to)
    counted: dict[str, Floats] = {}
    for coverage, (low, high) in zip(_COVERAGES, ends, strict=True):
        percent = f"{100 * coverage:.0f}"
        counted[f"inside {percent}"] = ((score >= low) & (score <= high)).astype(np.float64)
        counted[f"above {percent}"] = (score > high).astype(np.float64)
        counted[f"spread {percent}"] = spread_inside(below, up_to, coverage)
    return counted


def judge_intake(course: ExpectedCourse, held: Scores, maximum: float) -> dict[str, Floats]:
    """Count how the band from intake alone holds."""
    ends = (course.band(held.design, coverage=c, minimum=0, maximum=maximum) for c in _COVERAGES)
    below = 1 - course.chance_this_bad(held.design, held.score, higher_is="worse")
    up_to = 1 - course.chance_this_bad(held.design, held.score + 1, higher_is="worse")
    counted = _count(held.score, ends, below, up_to, maximum)
    return counted | {"squared miss": (held.score - course.predict(held.design)) ** 2}


def judge_forecast(
    forecast: CaseForecast, held: Scores, lead: int, maximum: float
) -> tuple[NDArray[np.intp], dict[str, Floats]]:
    """Return the rows forecast from, and what was counted."""
    now = np.arange(len(held.case) - lead)
    now = now[held.case[now] == held.case[now + lead]]
    score = held.score[now + lead]
    later = np.log1p(held.occasion + lead)
    heading = forecast.heading(
        held.design, held.score, held.case, later, minimum=0, maximum=maximum
    )
    bar = np.zeros(len(held.case))
    bar[now] = score
    below, up_to = (
        forecast.share_below(held.design, held.score, held.case, later, bar + half)[now]
        for half in (-0.5, 0.5)
    )
    ends = ((heading.low[n][now], heading.high[n][now]) for n in range(len(_COVERAGES)))
    counted = _count(score, ends, below, up_to, maximum)
    known = known_so_far(
        forecast.course, held.baseline, np.log1p(held.occasion), held.score, case_starts(held.case)
    )
    expected = forecast.course.predict(np.column_stack([held.baseline, later]))
    own_line = (expected + known.intercept + known.slope * later)[now]
    return now, counted | {
        "squared miss": (score - heading.expected[now]) ** 2,
        "own line": (score - own_line) ** 2,
        "last score": (score - held.score[now]) ** 2,
        "intake": (score - expected[now]) ** 2,
    }


def _summary(table: pl.DataFrame, fewest: int) -> str:
    cells = table.filter((pl.col("severity") != "all") & (pl.col("count") >= fewest))
    parts = []
    for name, target in (
        ("inside 80", 80), ("spread 80", 80), ("above 80", 10),
        ("inside 95", 95), ("spread 95", 95), ("above 95", 2.5),
    ):  # fmt: skip
        worst = float(np.abs(100 * cells[name].to_numpy() - target).max(initial=0.0))
        parts.append(f"{100 * float(table[name][0]):.1f} ({worst:.1f})")
    return " | ".join(parts)


def _cells(table: pl.DataFrame, name: str, fewest: int) -> None:
    wide = table.filter(pl.col("count") >= fewest, pl.col("severity") != "all")
    sessions = wide["session"].unique(maintain_order=True).to_list()
    _say(f"| {name} | " + " | ".join(sessions) + " |")
    _say("|---" * (len(sessions) + 1) + "|")
    for severity in ("mild", "middle", "severe"):
        row = dict(wide.filter(severity=severity).select("session", name).iter_rows())
        shown = (f"{100 * row[s]:.1f}" if s in row else "" for s in sessions)
        _say(f"| {severity} | " + " | ".join(shown) + " |")


def report_coverage(source: Source) -> None:
    """Say how both predictions hold."""
    intake, leads = Counted.empty(), {lead: Counted.empty() for lead in LEADS}
    ever: dict[str, list[float]] = {}
    for fitted_on, judged_on in source.splits:
        fitted, held = fitted_on.after, judged_on.after
        course = ExpectedCourse().fit(fitted.design, fitted.score, fitted.case)
        forecast = CaseForecast(course).fit(fitted.design, fitted.score, fitted.case)
        counted = judge_intake(course, held, source.maximum)
        intake.add(held.baseline, held.occasion, counted)
        for percent in ("80", "95"):
            inside, above = counted[f"inside {percent}"] == 1, counted[f"above {percent}"] == 1
            ever.setdefault(f"above {percent}", []).append(share_ever(held.case, above))
            ever.setdefault(f"outside {percent}", []).append(share_ever(held.case, ~inside))
        for lead in LEADS:
            now, ahead = judge_forecast(forecast, held, lead, source.maximum)
            leads[lead].add(held.baseline[now], held.occasion[now], ahead)
    fewest = _FEWEST[source.name]
    table = intake.table()
    _say(f"\n## {source.name}: {table['count'][0]} held-out scores")
    _say("\nPer cent of all held-out scores (largest distance of a cell, in points)\n")
    _say("| prediction | inside 80 | spread 80 | above 80 | inside 95 | spread 95 | above 95 |")
    _say("|---|---|---|---|---|---|---|")
    _say(f"| from intake alone | {_summary(table, fewest)} |")
    for lead, counts in leads.items():
        _say(f"| from all scores, {lead} ahead | {_summary(counts.table(), fewest)} |")
    _say("\nRoot mean square miss in points\n")
    _say("| ahead | forecast | own line alone | last score | intake alone |")
    _say("|---|---|---|---|---|")
    for lead, counts in leads.items():
        row = counts.table().row(0, named=True)
        names = ("squared miss", "own line", "last score", "intake")
        _say(f"| {lead} | " + " | ".join(f"{row[name] ** 0.5:.2f}" for name in names) + " |")
    _say(f"\nIntake alone, root mean square miss {table['squared miss'][0] ** 0.5:.2f}")
    for name in ("inside 80", "spread 80", "above 80", "inside 95"):
        _cells(table, name, fewest)
    _say("\nNext score, from all scores so far")
    for name in ("inside 80", "spread 80"):
        _cells(leads[1].table(), name, fewest)
    shares = (f"{name}: {100 * float(np.mean(values)):.0f} %" for name, values in ever.items())
    _say("\nCases that are ever outside the band from intake: " + "; ".join(shares))


def report_few_cases(source: Source) -> None:
    """Say how the band from intake alone holds where it was fitted on few cases."""
    _say("\nFitted on few cases, from intake alone\n")
    _say("| cases | inside 80 | spread 80 | above 80 | inside 95 | spread 95 | above 95 |")
    _say("|---|---|---|---|---|---|---|")
    for few in (50, 100, 250, 500):
        counts = Counted.empty()
        for seed, (fitted_on, judged_on) in enumerate(source.splits):
            fitted, held = fitted_on.after, judged_on.after
            chosen = np.random.default_rng(seed).permutation(fitted.case.max() + 1) < few
            some = fitted.of(chosen[fitted.case])
            course = ExpectedCourse(minimum_cases=few // 2).fit(some.design, some.score, some.case)
            counts.add(held.baseline, held.occasion, judge_intake(course, held, source.maximum))
        _say(f"| {few} | {_summary(counts.table(), _FEWEST[source.name])} |")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _reliability(title: str, chance: Floats, came_true: Floats) -> None:
    known = np.isfinite(chance) & np.isfinite(came_true)
    chance, came_true = chance[known], came_true[known]
    bins = np.minimum((chance * 10).astype(int), 9)
    said = " ".join(
        f"{chance[bins == b].mean():.2f}:{came_true[bins == b].mean():.2f} (n {(bins == b).sum()})"
        for b in range(10)
        if (bins == b).sum() >= 50
    )
    share = came_true.mean()
    _say(
        f"- {title}: n {len(chance)}, said {chance.mean():.3f}, came true {share:.3f}, Brier score "
        f"{np.mean((chance - came_true) ** 2):.4f} (base rate {share * (1 - share):.4f}). {said}"
    )


def report_plateau(source: Source, points: float) -> None:
    """Say how chances of little gain come true."""
    _say(f"\n## {source.name}: chance that less than {points} points are still gained; said:true")
    for number, horizon in enumerate(HORIZONS):
        chances, truths, occasions = [], [], []
        said_observed, observed = [], []
        for fitted_on, judged_on in source.splits:
            trend = fit_trend(
                fitted_on.clock, fitted_on.score, fitted_on.case,
                minimum=0, maximum=source.maximum, higher_is="worse",
            )  # fmt: skip
            held = judged_on
            chances.append(
                little_gain(
                    trend, held.clock, held.score, held.case, horizon=horizon, points=points
                ).chance
            )
            is_known = np.isfinite(held.truth[number])
            gained = np.where(is_known, -held.truth[number] < points, np.nan)
            truths.append(gained.astype(np.float64))
            said, later = _of_a_score(trend, held, horizon, points)
            said_observed.append(said)
            observed.append(later)
            occasions.append(held.occasion)
        chance, occasion = np.concatenate(chances), np.concatenate(occasions)
        if np.isfinite(np.concatenate(truths)).any():
            truth = np.concatenate(truths)
            _reliability(f"{horizon} ahead, true level", chance, truth)
            late = np.where(occasion >= 10, chance, np.nan)
            _reliability(f"{horizon} ahead, true level, from occasion 10 on", late, truth)
        _reliability(
            f"{horizon} scores ahead, the score itself",
            np.concatenate(said_observed),
            np.concatenate(observed),
        )


def _of_a_score(trend: Trend, held: Scores, lead: int, points: float) -> tuple[Floats, Floats]:
    """Return chance and fact that a later score lies less than `points` below the level now.

    True levels are not seen in real care. A later score is, so its error is added to the forecast.
    """
    courses = Courses.of(held.clock, held.score, held.case, healthy_end=0.0, sign=1)
    said, came_true = [np.full(len(held.case), np.nan) for _ in range(2)]
    for number, state in enumerate(trend.states(courses)):
        if number + 1 < MINIMUM_SCORES or number + lead >= len(courses.rows):
            continue
        later = courses.severity[number + lead]
        known = state.first(len(later))
        moved = trend.moved(known, courses.time[number + lead] - courses.time[number][: len(later)])
        spread = np.sqrt(moved.level_variance + trend.error(moved.level))
        rows = courses.rows[number][: len(later)]
        said[rows] = ndtr((moved.level - known.level + points) / spread)
        came_true[rows] = known.level - later < points
    return said, came_true


def report_small_groups(practices: int) -> None:
    """Coverage of pooled bands for measures with few cases, among six simulated measures."""
    _say("\n## Pooled bands of small measures (simulated)")
    _say("\n| own cases | inside 80 | above 80 | inside 95 | bands from |\n|---|---|---|---|---|")
    for own_cases in (1, 5, 15, 40):
        inside: dict[float, list[float]] = {0.8: [], 0.95: []}
        above: list[float] = []
        for seed in range(practices):
            small, held = halves(simulated(1000, 500 + seed), seed)
            gad, _ = halves(simulated(400, 600 + seed, "GAD-7"), seed)
            others = {
                f"other {n}": halves(simulated(120, 700 + 10 * seed + n), n)[0] for n in range(4)
            }
            few = small.of(small.case < own_cases).after
            measures = {"small": _measure(few, 27.0, 6.0), "gad": _measure(gad.after, 21.0, 4.0)}
            # Measures like it on other scales: twice as many points, and high is better.
            for number, (name, other) in enumerate(others.items()):
                turned = number % 2 == 1
                measures[name] = _measure(other.after, 27.0, 6.0, factor=2.0, turned=turned)
            course = courses_by_measure(measures)["small"]
            if not isinstance(course, MeasureCourse):
                continue
            after = held.after
            for coverage, shares in inside.items():
                low, high = course.band(after.design, coverage=coverage)
                shares.append(float(((after.score >= low) & (after.score <= high)).mean()))
                if coverage == 0.8:
                    above.append(float((after.score > high).mean()))
        cells = [np.mean(inside[0.8]), np.mean(above), np.mean(inside[0.95])]
        _say(
            f"| {own_cases} | "
            + " | ".join(f"{100 * float(v):.1f}" for v in cells)
            + f" | {course.label if isinstance(course, MeasureCourse) else ''} |"
        )


def _measure(
    scores: Scores, maximum: float, unit: float, *, factor: float = 1.0, turned: bool = False
) -> MeasureScores:
    def on_scale(points: Floats) -> Floats:
        return factor * ((maximum - points) if turned else points)

    return MeasureScores(
        X=np.column_stack([on_scale(scores.baseline), np.log1p(scores.occasion)]),
        y=on_scale(scores.score),
        groups=scores.case,
        minimum=0,
        maximum=factor * maximum,
        higher_is="better" if turned else "worse",
        unit=factor * unit,
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--practices", type=int, default=12)
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0, help="of the first practice")
    parser.add_argument("--enrichd", type=Path, default=ENRICHD)
    parser.add_argument("--quick", action="store_true", help="two small practices")
    asked = parser.parse_args()
    if asked.quick:
        asked.practices, asked.cases = 2, 1000
    splits = [
        halves(simulated(asked.cases, seed), seed)
        for seed in range(asked.seed, asked.seed + asked.practices)
    ]
    sources = [Source(name="simulated", maximum=27.0, splits=splits)]
    if asked.enrichd.is_file():
        sources.append(Source(name="ENRICHD", maximum=63.0, splits=fifths(enrichd(asked.enrichd))))
    for source in sources:
        report_coverage(source)
    report_few_cases(sources[0])
    for source, points in zip(sources, (3.0, 4.2), strict=False):
        report_plateau(source, points)
    report_small_groups(asked.practices)


if __name__ == "__main__":
    main()
