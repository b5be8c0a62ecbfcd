"""How good is every rule on the published sets, by the same back-test as a practice gets?

Five sets of real people (../shared/data, not in this repository), landed with the mappings of
docs/examples, 20 x 5 folds by case. Two outcomes: the primary one, and 'less than half of the first
score gone' among who reaches the end window, for which there are figures to compare with. Prints
the tables of docs/backtest_results.md. Run: python benchmarks/backtest_shared.py [--quick]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

from measuring import chosen, machine, parser, table
from past_practices import SHARED

from models.backtest import ALL, backtest
from models.case_ends import PRIMARY, Outcome
from models.landmarks import Landmark
from models.past_cases import PastCases
from pipelines.opening_past import past_of_files

EXAMPLES = Path(__file__).resolve().parents[1] / "docs/examples"
COMPARED = "under_half_reduction"
NAIVE = ("naive_last_change", "naive_two_score")
BESIDE = (*NAIVE, "early_percent_change")
READ_ON = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published set: where it is, at which landmarks rules are asked, and when it ends."""

    name: str
    folder: str
    mapping: str
    landmarks: tuple[str, ...]
    end_from_day: int  # of those who reach it; the primary outcome takes the last score there is


SETS = (
    Published(
        name="ENRICHD",
        folder="enrichd_bdi_cbt",
        mapping="enrichd",
        landmarks=("day:14", "day:28", "day:42", "day:56", "day:84"),
        end_from_day=140,
    ),
    Published(
        name="DIA",
        folder="dia_antidepressant_hamd17",
        mapping="dia_antidepressant",
        landmarks=("day:14",),
        end_from_day=42,
    ),
    Published(
        name="BRIGHT",
        folder="bright_group_cbt",
        mapping="bright",
        landmarks=("day:91",),
        end_from_day=182,
    ),
    Published(
        name="Beat the Blues",
        folder="beat_the_blues",
        mapping="beat_the_blues",
        landmarks=("1",),
        end_from_day=240,
    ),
    Published(
        name="NIMH",
        folder="nimh_schizophrenia_imps",
        mapping="nimh",
        landmarks=("day:7",),
        end_from_day=42,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one back-test said at one landmark."""

    place: str
    landmark: str
    content: dict[str, Any]

    @property
    def counts(self) -> list[str]:
        """Cases with a known end and how many ended so."""
        found = self.content["landmarks"][self.landmark]
        return [str(found["known"]), str(found["bad"])]

    def of(self, rule: str) -> dict[str, Any]:
        """Return the figures of a rule."""
        figures: dict[str, Any] = self.content["rules"][rule][self.landmark]
        return figures

    def difference(self, rule: str, other: str) -> tuple[float, float, float] | None:
        """Return by how much the AUC of a rule is above that of another, with its interval."""
        pairs = self.content["paired"][self.landmark]
        for first, second, sign in ((rule, other, 1), (other, rule, -1)):
            found = pairs.get(f"{first} - {second}")
            if found and found["auc"] is not None and found["auc_low"] is not None:
                ends = sorted((sign * found["auc_low"], sign * found["auc_high"]))
                return sign * found["auc"], ends[0], ends[1]
        return None

    def better_naive(self) -> str | None:
        """Return the naive rule with the higher AUC; None where neither has one."""
        known = [rule for rule in NAIVE if self.of(rule)["auc"] is not None]
        return max(known, key=lambda rule: float(self.of(rule)["auc"]), default=None)


def lines_of(
    published: Published, past: PastCases, outcome: str, *, repeats: int, resamples: int
) -> list[Line]:
    """Back-test one set for one outcome."""
    found = backtest(
        past,
        outcome=outcome,
        landmarks=[Landmark.named(text) for text in published.landmarks],
        repeats=repeats,
        resamples=resamples,
        end_from_day=published.end_from_day if outcome == COMPARED else None,
        split="cross_validation",
    ).as_json()
    return [
        Line(place=f"{published.name} {name.replace('_', ' ')}", landmark=name, content=found)
        for name in found["landmarks"]
    ]


def _auc(figures: dict[str, Any]) -> str:
    if figures["auc"] is None:
        return "-"
    if figures["auc_low"] is None:
        return f"{figures['auc']:.3f}"
    return f"{figures['auc']:.3f} ({figures['auc_low']:.2f}-{figures['auc_high']:.2f})"


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def auc_table(lines: list[Line]) -> str:
    """Return the AUC of every rule."""
    head = ["set and landmark", "ends known", "bad", *ALL]
    rows = [[line.place, *line.counts, *(_auc(line.of(rule)) for rule in ALL)] for line in lines]
    return table(head, rows)


def paired_table(lines: list[Line]) -> str:
    """Return how far the outlook is above others, where both answer, and above the better naive."""
    rows, above = [], []
    for line in lines:
        better = line.better_naive()
        told = [line.difference("outlook", other) for other in BESIDE]
        if better is not None and (found := told[NAIVE.index(better)]) is not None:
            above.append(found[0])
        cells = [
            "-" if one is None else f"{one[0]:+.3f} ({one[1]:+.3f} to {one[2]:+.3f})"
            for one in told
        ]
        answered = f"{line.of('outlook')['n'] or 0:.0f}"
        rows.append([line.place, answered, *cells, better or "-"])
    if above:
        said = f"{mean(above):+.3f}; lowest {min(above):+.3f}"
        rows.append(["mean over the better naive rule", "", said, "", "", ""])
    return table(["outlook less", "answered", *BESIDE, "better naive rule"], rows)


def calibration_table(lines: list[Line]) -> str:
    """Return calibration and flags of the outlook, and by how much forecasts of the end are off."""
    rows = []
    for line in lines:
        found = line.of("outlook")
        slope = (
            "-"
            if found["calibration_slope"] is None
            else f"{found['calibration_slope']:.2f} ({_number(found['calibration_slope_low'])}-"
            f"{_number(found['calibration_slope_high'])})"
        )
        errors = line.content["final_score"]
        off = [
            _number(errors.get(rule, {}).get(line.landmark, {}).get("mean_absolute_error"))
            for rule in ("outlook", "naive_last_score")
        ]
        brier = [_number(line.of(rule)["brier"], 3) for rule in ("outlook", "naive_two_score")]
        flags = [_number(found[name]) for name in ("share_flagged", "sensitivity", "ppv")]
        rows.append([line.place, slope, *brier, *flags, *off])
    head = [
        "",
        "calibration slope",
        "Brier",
        "Brier, two scores",
        "share flagged",
        "sensitivity",
        "predictive value",
        "end off by",
        "last score off by",
    ]
    return table(head, rows)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    told = chosen(parser(__doc__, repeats=(20, 1), resamples=(1_000, 20)), argv)
    write = sys.stdout.write
    write(f"{machine('scikit-learn')}; {told.repeats} x 5 folds, {told.resamples} draws\n")
    if not SHARED.is_dir():
        write("../shared is not here: nothing to replay\n")
        return
    began = perf_counter()
    pasts = {
        published: past_of_files(
            SHARED / published.folder, EXAMPLES / f"{published.mapping}.toml", READ_ON
        ).past
        for published in SETS
    }
    for outcome in (PRIMARY, COMPARED):
        lines = [
            line
            for published, past in pasts.items()
            if Outcome(name=outcome).needs(past.measure) is None
            for line in lines_of(
                published, past, outcome, repeats=told.repeats, resamples=told.resamples
            )
        ]
        write(f"\n## {outcome}\n\n{auc_table(lines)}\n{paired_table(lines)}\n")
        write(calibration_table(lines))
    write(f"\n{perf_counter() - began:.0f} s in all\n")


if __name__ == "__main__":
    main()
