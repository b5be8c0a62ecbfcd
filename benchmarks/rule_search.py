"""Is there a better setting of the status rule's thresholds? Searched by cross-validation.

Settings are judged by what their flags (stuck or deteriorating) at scores 6, 8 and 12 foretell of
the end: in the clinical range without reliable gain, at least three scores later. ENRICHD: chosen
on four fifths of the people, measured on the others, again and again; simulated practices: chosen
on one, measured on two others. Prints the tables of docs/decisions/0022 and of docs/status_rule.md.
Run: python benchmarks/rule_search.py [--quick]
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl
from measuring import chosen, parser, table
from numpy.typing import NDArray
from past_practices import SHARED, beat_the_blues, enrichd, simulated

from data_contracts.rule import status_rule
from models.past_cases import PastCases
from models.resampling import Drawn, draw_cases, middle, ratio
from models.splits import cross_validation
from models.status import judge
from pipelines.demo_practice import simulate_practice

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Setting = dict[str, float]

OCCASIONS = (6, 8, 12)
LATER_SCORES = 3
FLAGS = ("stuck", "deteriorating")
CHOSEN_ON, MEASURED_ON = 301, (304, 305)  # seeds of simulated practices
TRIED: dict[str, tuple[float, ...]] = {  # thresholds that move flags; ours is among each
    "pace_from": (2, 3, 4, 5, 6),
    "pace_over": (4, 6, 8, 10, 12),
    "stuck_sessions": (5, 6, 7),
    "stuck_hold_share": (0.0, 0.25, 0.5),
    "hold_share": (0.5, 0.75, 1.0),
}
TRIED_ALONE: dict[str, tuple[float, ...]] = {
    "stuck_occasions": (3, 5),
    "easing_share": (0.25, 0.75),
    "settled_days": (21, 84),
    "sparse_days": (56, 112),
    "sparse_sessions": (6, 10),
}


MARGIN = "margin above the cut-off"
"""Not a threshold of the rule: a stuck level would have to lie so far inside the clinical range, as
a share of RC. Tried because ends just above the cut-off are the least certain."""
MARGINS = (0.05, 0.1, 0.15, 0.25, 0.5)


def with_margins(tried: list[Setting]) -> list[Setting]:
    """Return the settings of pace and hold, each without and with every margin; ours first."""
    plain = [one for one in tried if not one.keys() & {"hold_share", *TRIED_ALONE}]
    return plain + [{**one, MARGIN: margin} for one in plain for margin in MARGINS]


def settings() -> list[Setting]:
    """Return the settings, ours first; each names only what it changes."""
    ours = status_rule().thresholds.model_dump()
    grid = [dict(zip(TRIED, values, strict=True)) for values in product(*TRIED.values())]
    alone = [{name: value} for name, values in TRIED_ALONE.items() for value in values]
    changed = [
        {name: value for name, value in one.items() if ours[name] != value} for one in grid + alone
    ]
    return [{}, *(one for one in changed if one)]


CANDIDATES: list[Setting] = [
    {"pace_over": 10, "stuck_hold_share": 0.5},
    {"stuck_hold_share": 0.5, MARGIN: 0.05},
    {MARGIN: 0.1},
]
"""Settings that did well on all of ENRICHD: measured on practices they were not chosen on."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What every setting flags of the same cases."""

    flagged: Truths  # (settings, cases, occasions)
    changes: Floats  # (settings, cases): how often the flag comes or goes
    scores: Floats  # (cases,): scores at which it could have
    is_asked: Truths  # (cases, occasions): clinical start, ended, enough later scores
    is_bad: Truths  # (cases,)

    def counts(self, cases: Truths | slice = slice(None)) -> tuple[Floats, Floats, Floats]:
        """Return hits, flagged (settings, occasions) and bad (occasions,) among some cases."""
        asked = self.is_asked[cases]
        bad = asked & self.is_bad[cases, None]
        flagged = self.flagged[:, cases]
        hits = np.einsum("sco,co->so", flagged, bad.astype(np.float64))
        every = np.einsum("sco,co->so", flagged, asked.astype(np.float64))
        return hits, every, bad.sum(axis=0).astype(np.float64)

    def flips(self, cases: Truths | slice = slice(None)) -> Floats:
        """Return how often a flag comes or goes per score, (settings,)."""
        rate: Floats = self.changes[:, cases].sum(axis=1) / self.scores[cases].sum()
        return rate


def flags_of(
    past: PastCases,
    tried: list[Setting],
    *,
    by_level: bool,
    occasions: tuple[int, ...] = OCCASIONS,
    later_scores: int = LATER_SCORES,
) -> Flags:
    """Judge all cases under every setting.

    Parameters
    ----------
    by_level
        Whether the end is the mean of the last two scores, as in the design's figures, or the last.
    """
    measure = past.measure
    direction, cutoff = measure.direction, float(measure.cutoff or 0)
    points = past.points.with_columns(chance_this_bad=pl.lit(None, pl.Float64))
    gain = pl.col("level_gain" if by_level else "gain").last()
    ends = (
        points.group_by("case_id", maintain_order=True)
        .agg(last=pl.col("occasion").last(), gain=gain, baseline=pl.col("baseline").first())
        .join(past.cases.select("case_id", "is_ended"), on="case_id", maintain_order="left")
        .with_columns(
            starts_clinical=direction * pl.col("baseline") >= direction * cutoff,
            ends_clinical=direction * pl.col("baseline") - pl.col("gain") >= direction * cutoff,
        )
        .with_columns(
            is_bad=pl.col("starts_clinical")
            & pl.col("ends_clinical")
            & (pl.col("gain").round(9) < measure.reliable_change_points)
        )
    )
    case = points["case_id"].rle_id().to_numpy()
    occasion = points["occasion"].to_numpy()
    level = direction * points["baseline"] - points["level_gain"]
    change = float(measure.reliable_change_points or np.nan)
    inside = ((level - direction * cutoff) / change).round(9).to_numpy()
    flagged = np.zeros((len(tried), ends.height, len(occasions)), dtype=bool)
    changes = np.zeros((len(tried), ends.height))
    may_change = (occasion[1:] >= 2) & (case[1:] == case[:-1])
    for number, setting in enumerate(tried):
        known = {name: value for name, value in setting.items() if name != MARGIN}
        status = judge(points, status_rule(known), {measure.measure_id: measure})["status"]
        outside = (status == "stuck").to_numpy() & (inside < setting.get(MARGIN, 0.0))
        is_flagged = status.is_in(FLAGS).to_numpy() & ~outside
        for place, at in enumerate(occasions):
            rows = occasion == at
            flagged[number, case[rows], place] = is_flagged[rows]
        moved = may_change & (is_flagged[1:] != is_flagged[:-1])
        changes[number] = np.bincount(case[1:][moved], minlength=ends.height)
    asked = (ends["starts_clinical"] & ends["is_ended"]).to_numpy()
    long_enough = ends["last"].to_numpy()[:, None] >= np.array(occasions) + later_scores
    return Flags(
        flagged=flagged,
        changes=changes,
        scores=np.bincount(case[1:][may_change], minlength=ends.height).astype(np.float64),
        is_asked=asked[:, None] & long_enough,
        is_bad=ends["is_bad"].to_numpy(),
    )


def best(flags: Flags, cases: Truths | slice = slice(None), *, equal_share: bool) -> int:
    """Return the setting that does best on these cases; ours where none does better.

    Parameters
    ----------
    equal_share
        True: the highest mean sensitivity of those that flag no more in all than ours and whose
        flags come and go no more often. False: the highest mean of F1 (the harmonic mean of
        predictive value and sensitivity), whatever is flagged.
    """
    hits, flagged, bad = flags.counts(cases)
    if not equal_share:
        return int(np.argmax((2 * hits / (flagged + bad)).mean(axis=1)))
    flips = flags.flips(cases)
    allowed = (flagged.sum(axis=1) <= flagged[0].sum()) & (flips <= flips[0])
    return int(np.argmax(np.where(allowed, (hits / bad).mean(axis=1), -1.0)))


def held_out(
    flags: Flags, *, repeats: int, equal_share: bool
) -> tuple[Floats, Floats, Counter[int]]:
    """Return how often each case is flagged (cases, occasions) and flips, and what was chosen."""
    cases = len(flags.is_bad)
    flagged, changes = np.zeros((cases, len(OCCASIONS))), np.zeros(cases)
    picked: Counter[int] = Counter()
    name = pl.Series([str(number) for number in range(cases)])
    is_bad = np.where(flags.is_asked.any(axis=1), flags.is_bad.astype(np.float64), np.nan)
    for part in cross_validation(name, is_bad, repeats=repeats, folds=5, seed=1):
        setting = best(flags, part.learns_from, equal_share=equal_share)
        picked[setting] += 1
        flagged[part.asks] += flags.flagged[setting][part.asks] / repeats
        changes[part.asks] += flags.changes[setting][part.asks] / repeats
    return flagged, changes, picked


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What flags foretold, over the cases themselves (row 0) and over draws of them."""

    ppv: Floats  # (1 + times, occasions)
    sensitivity: Floats
    share_flagged: Floats
    flips: Floats  # (1 + times, 1): per score

    def minus(self, other: Answer) -> Answer:
        """Return the differences, draw by draw."""
        return Answer(
            ppv=self.ppv - other.ppv,
            sensitivity=self.sensitivity - other.sensitivity,
            share_flagged=self.share_flagged - other.share_flagged,
            flips=self.flips - other.flips,
        )

    def cells(self, at: int | None = None) -> list[str]:
        """Return predictive value, sensitivity, share flagged at an occasion (None: their mean)."""
        columns = slice(None) if at is None else slice(at, at + 1)
        return [
            _with_interval(numbers[:, columns].mean(axis=1))
            for numbers in (self.ppv, self.sensitivity, self.share_flagged)
        ]

    @property
    def flips_cell(self) -> str:
        """Flags that come or go per score, with its interval."""
        return _with_interval(self.flips[:, 0])


def _with_interval(numbers: Floats) -> str:
    found = middle(numbers)
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})".replace("+", "")


def answer(flagged: Floats | Truths, changes: Floats, flags: Flags, drawn: Drawn) -> Answer:
    """Return what these flags (cases, occasions) foretold; shares of repeats count as such."""
    asked = flags.is_asked.astype(np.float64)
    bad = asked * flags.is_bad[:, None]
    hits, every = drawn.sums(flagged * bad), drawn.sums(flagged * asked)
    return Answer(
        ppv=ratio(hits, every),
        sensitivity=ratio(hits, drawn.sums(bad)),
        share_flagged=ratio(every, drawn.sums(asked)),
        flips=ratio(drawn.sums(changes[:, None]), drawn.sums(flags.scores[:, None])),
    )


def of_setting(flags: Flags, setting: int, drawn: Drawn) -> Answer:
    """Return what one setting foretold."""
    return answer(flags.flagged[setting], flags.changes[setting], flags, drawn)


def in_words(setting: Setting) -> str:
    """Return what a setting changes."""
    told = ", ".join(f"{name} {value:g}" for name, value in setting.items())
    return told or "ours, nothing changed"


def rule_on_enrichd(past: PastCases, *, times: int) -> str:
    """Return the table of the rule in force on ENRICHD, by two definitions of the end."""
    rows = []
    for by_level, end in ((True, "mean of the last two scores"), (False, "last score")):
        flags = flags_of(past, [{}], by_level=by_level)
        drawn = draw_cases(np.arange(len(flags.is_bad)), times=times, seed=1)
        found = of_setting(flags, 0, drawn)
        _, flagged, bad = flags.counts()
        for place, at in enumerate(OCCASIONS):
            asked = int(flags.is_asked[:, place].sum())
            counts = [str(asked), f"{bad[place]:.0f}", f"{flagged[0, place]:.0f}"]
            rows.append([end, str(at), *counts, *found.cells(place)[:2]])
    head = ["end", "occasion", "asked", "bad", "flagged", "predictive value", "sensitivity"]
    return table(head, rows)


def search_on_enrichd(past: PastCases, tried: list[Setting], *, repeats: int, times: int) -> str:
    """Return the table of settings chosen on some people and measured on others."""
    rows: list[list[str]] = []
    for some, equal_share, name in (
        (tried, True, "no more flags, no more flips"),
        (tried, False, "highest F1"),
        (with_margins(tried), True, "the same, with a margin above the cut-off"),
    ):
        flags = flags_of(past, some, by_level=True)
        drawn = draw_cases(np.arange(len(flags.is_bad)), times=times, seed=1)
        ours = of_setting(flags, 0, drawn)
        if not rows:
            rows.append(["the rule in force", "", *ours.cells(), ours.flips_cell])
        flagged, changes, picked = held_out(flags, repeats=repeats, equal_share=equal_share)
        found = answer(flagged, changes, flags, drawn)
        often = "; ".join(
            f"{in_words(some[setting])}: {count}" for setting, count in picked.most_common(3)
        )
        of_all = f"{often}; of {5 * repeats}, among {len(some)}"
        rows.append([f"chosen elsewhere: {name}", of_all, *found.cells(), found.flips_cell])
        less = found.minus(ours)
        rows.append(["less the rule in force", "", *less.cells(), less.flips_cell])
    return table(_HEAD, rows)


_HEAD = [
    "setting",
    "chosen how often",
    "predictive value",
    "sensitivity",
    "share flagged",
    "flips a score",
]


def search_on_practices(tried: list[Setting], *, cases: int, times: int) -> str:
    """Return the table of settings chosen on one simulated practice and measured on two others."""

    def practice(seed: int, some: list[Setting]) -> Flags:
        made = simulate_practice(cases=cases, seed=seed, dirty_rows=False)
        return flags_of(simulated(made), some, by_level=False)

    chooses = practice(CHOSEN_ON, tried)
    picked = {best(chooses, equal_share=equal) for equal in (True, False)}
    asked = [{}, *(tried[number] for number in sorted(picked - {0})), *CANDIDATES]
    real = flags_of(enrichd(), asked, by_level=True) if SHARED.is_dir() else None
    measured = {f"seed {seed}": practice(seed, asked) for seed in MEASURED_ON}
    if real is not None:
        measured["ENRICHD"] = real
    rows = []
    for name, flags in measured.items():
        drawn = draw_cases(np.arange(len(flags.is_bad)), times=times, seed=1)
        ours = of_setting(flags, 0, drawn)
        rows.append([name, in_words({}), *ours.cells(), ours.flips_cell])
        for number, setting in enumerate(asked[1:], 1):
            less = of_setting(flags, number, drawn).minus(ours)
            rows.append([f"{name}, less ours", in_words(setting), *less.cells(), less.flips_cell])
    return table(["measured on", "setting", *_HEAD[2:]], rows)


def on_beat_the_blues(asked: list[Setting]) -> str:
    """Return what settings flag at months 4 and 6 of Beat the Blues; at least one later score."""
    flags = flags_of(beat_the_blues(), asked, by_level=False, occasions=(2, 3), later_scores=1)
    hits, flagged, bad = flags.counts()
    rows = [
        [in_words(setting), *(f"{hits[n, k]:.0f} of {flagged[n, k]:.0f}" for k in range(2))]
        for n, setting in enumerate(asked)
    ]
    rows.append(
        ["bad ends of asked", *(f"{bad[k]:.0f} of {flags.is_asked[:, k].sum()}" for k in (0, 1))]
    )
    return table(["setting", "month 4: bad of flagged", "month 6: bad of flagged"], rows)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    told = chosen(parser(__doc__, repeats=(20, 1), cases=(5_000, 600), times=(2_000, 50)), argv)
    tried = settings()[:: 40 if told.quick else 1]
    write = sys.stdout.write
    if SHARED.is_dir():
        past = enrichd()
        write(rule_on_enrichd(past, times=told.times) + "\n")
        write(search_on_enrichd(past, tried, repeats=told.repeats, times=told.times) + "\n")
        write(on_beat_the_blues([{}, *CANDIDATES]) + "\n")
    else:
        write("../shared is not here: simulated practices only\n\n")
    write(search_on_practices(tried, cases=told.cases, times=told.times))


if __name__ == "__main__":
    main()
