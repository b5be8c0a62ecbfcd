"""An attack by linear programme on everything published: no hidden count comes back.

The reader of this file knows every published table and how counts are tied, that a shown count was
rounded, and the exact number of ended and open cases and of offered sessions (from the number of
rows received). What that leaves possible for a hidden count is a linear programme. Written apart
from models/derivable_counts.py on purpose: it sees published rows, never a count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, milp
from scipy.sparse import csr_array, vstack

from data_contracts.suppression import SuppressionRule, suppression_rule
from models.suppression import wilson
from models.trend_counts import OTHER_GROUPS, TrendCounts, status_counts, trend_counts
from models.trend_tables import TrendTables, funnel_of_sites, trend_tables
from pipelines import step_9_summarise

ENDED = {
    "reliable_improvement": ("improved", "paired"),
    "deterioration": ("deteriorated", "paired"),
    "recovery": ("recovered", "clinical"),
    "reliable_recovery": ("reliably_recovered", "clinical"),
    "drop_out": ("dropped_out", "end_known"),
    "paired": ("paired", "ended"),
    "improved_by_4": ("improved_by_4", "paired"),
    "improved_by_8": ("improved_by_8", "paired"),
    "improved_by_16": ("improved_by_16", "paired"),
}
STARTED = {"waiting_42": ("waited_42", "wait_known"), "waiting_126": ("waited_126", "wait_known")}
SESSIONS = {"attendance": ("attended", "offered"), "completeness": ("scored", "attended")}
FIGURES = ENDED | STARTED | SESSIONS
# part, whole; two parts of one whole exclude one another
WITHIN = (
    *dict.fromkeys(FIGURES.values()),
    ("end_known", "ended"),
    ("clinical", "paired"),
    ("reliably_recovered", "recovered"),
    ("reliably_recovered", "improved"),
    ("improved_by_4", "improved_by_8"),
    ("improved_by_8", "improved_by_16"),
    ("waited_42", "waited_126"),
)
Cell = tuple[str, str, str, str]


@dataclass(kw_only=True)
class Reader:
    """What somebody knows who has the published tables: bounds and ties between counts."""

    half: int = 2
    low: dict[Cell, float] = field(default_factory=dict)
    high: dict[Cell, float] = field(default_factory=dict)
    hidden: set[Cell] = field(default_factory=set)
    ties: list[tuple[dict[Cell, float], float, float]] = field(default_factory=list)

    def take(self, cell: Cell, count: int | None) -> None:
        low, high = (0.0, np.inf) if count is None else (count - self.half, count + self.half)
        if count == 0:
            low = high = 0.0
        if count is None:
            self.hidden.add(cell)
        self.low[cell] = max(self.low.get(cell, 0.0), low)
        self.high[cell] = min(self.high.get(cell, np.inf), high)

    def know(self, cell: Cell, count: int) -> None:
        self.low[cell] = self.high[cell] = count

    def tie(self, members: dict[Cell, float], least: float = 0.0, most: float = 0.0) -> None:
        self.ties.append((members, least, most))

    def cells(self) -> list[Cell]:
        return list(self.low)


def rows_of(trends: pl.DataFrame, groups: pl.DataFrame) -> Iterable[tuple[Any, ...]]:
    for figure, period, site, category, part, whole in trends.select(
        "figure", "period", "site_id", "category", "numerator", "denominator"
    ).iter_rows():
        dimension = "practice" if site == "all" else "site"
        yield figure, (dimension, site, period), category, part, whole
    for figure, dimension, group, period, part, whole in groups.select(
        "figure", "dimension", "group_id", "period", "numerator", "denominator"
    ).iter_rows():
        yield figure, (dimension, group, period), "all", part, whole


def quarter_of(month: str) -> str:
    return f"quarter {(int(month.split()[1]) + 2) // 3:02}"


def reads(trends: pl.DataFrame, groups: pl.DataFrame, *, half: int = 2) -> Reader:
    """Return all that the two tables say, and every tie between their counts."""
    reader = Reader(half=half)
    for figure, place, category, part, whole in rows_of(trends, groups):
        names = FIGURES.get(figure, (category, "open"))
        reader.take((names[1], *place), whole)
        reader.take((names[0], *place), part)
    # a count hidden in one row and shown in another is shown
    reader.hidden = {
        cell for cell in reader.hidden if reader.low[cell] == 0 and reader.high[cell] == np.inf
    }
    for cell in reader.cells():
        name, *place = cell
        for part, whole in WITHIN:
            if name == whole and (part, *place) in reader.low:
                reader.tie({cell: 1.0, (part, *place): -1.0}, 0.0, np.inf)
        if name == "paired" and ("improved", *place) in reader.low:
            parts = {("improved", *place): -1.0, ("deteriorated", *place): -1.0}
            reader.tie({cell: 1.0} | parts, 0.0, np.inf)
    parts: dict[tuple[Cell, str], list[Cell]] = {}
    for cell in reader.cells():
        name, dimension, group, period = cell
        if dimension != "practice":
            parts.setdefault(((name, "practice", "all", period), dimension), []).append(cell)
        if period.startswith("month"):
            above = (name, dimension, group, quarter_of(period))
            parts.setdefault((above, "months"), []).append(cell)
        elif period not in ("all", "now"):
            parts.setdefault(((name, dimension, group, "all"), "quarters"), []).append(cell)
        if period == "now" and name != "open":
            parts.setdefault((("open", dimension, group, "now"), "statuses"), []).append(cell)
    for (total, _), members in parts.items():
        if total in reader.low:
            reader.tie({total: -1.0} | dict.fromkeys(members, 1.0))
    return reader


def reads_official(reader: Reader, official: pl.DataFrame, rule: SuppressionRule) -> None:
    """Add England's official outcomes: shares in whole per cent of counts before rounding."""
    names = {
        "recovery": ("o recovered", "o could_recover"),
        "reliable_recovery": ("o reliably_recovered", "o could_recover"),
        "reliable_improvement": ("o improved", "o finished"),
        "reliable_deterioration": ("o deteriorated", "o finished"),
        "not_caseness": ("o not_caseness", "o finished"),
        "paired": ("o paired", "o finished"),
        "finished": ("o finished", "ended"),
    }
    for figure, period, category, part, whole, rate in official.select(
        "figure", "period", "category", "numerator", "denominator", "rate"
    ).iter_rows():
        bases = {"not_finished": "ended", "not_paired": "o finished"}
        pair = names.get(figure, (f"{figure} {category}", bases.get(figure, "o paired")))
        one, other = ((name, "practice", "all", period) for name in pair)
        reader.take(other, whole)
        reader.take(one, part)
        reader.tie({other: 1.0, one: -1.0}, 0.0, np.inf)
        if rate is not None:
            reader.tie({one: 1.0, other: -(rate - 0.005)}, -1e-9, np.inf)
            reader.tie({one: -1.0, other: rate + 0.005}, -1e-9, np.inf)
    for cell in reader.cells():
        name, *place = cell
        finished, ended = ("o finished", *place), ("ended", *place)
        if name == "o finished" and ended in reader.low:
            reader.tie({ended: 1.0, finished: -1.0}, 0.0, np.inf)
    quarters: dict[Cell, list[Cell]] = {}
    for name, dimension, group, period in reader.cells():
        if name.startswith("o ") and period != "all":
            total = (name, dimension, group, "all")
            quarters.setdefault(total, []).append((name, dimension, group, period))
    for total, members in quarters.items():
        if total in reader.low and not any(m[3] == "no calendar" for m in members):
            reader.tie({total: 1.0} | dict.fromkeys(members, -1.0), 0.0, np.inf)
    reader.hidden = {cell for cell in reader.hidden if reader.high[cell] == np.inf}


def left_possible(reader: Reader, wanted: int, *, sampled: int = 0) -> dict[Cell, int]:
    """Return how many whole numbers are left for each hidden count, up to `wanted`.

    A linear programme may think of parts of people; so many of the counts are asked for again, in
    tables of whole people.
    """
    cells = reader.cells()
    place = {cell: number for number, cell in enumerate(cells)}
    entries = [
        (row, place[cell], weight)
        for row, (members, _, _) in enumerate(reader.ties)
        for cell, weight in members.items()
    ]
    rows, columns, weights = (np.array(each) for each in zip(*entries, strict=True))
    matrix = csr_array((weights, (rows, columns)), shape=(len(reader.ties), len(cells)))
    least = np.array([low for _, low, _ in reader.ties])
    most = np.array([high for _, _, high in reader.ties])
    is_equal = least == most
    bounds = np.array([(reader.low[cell], min(reader.high[cell], 1e6)) for cell in cells])
    above = (most < np.inf) & ~is_equal

    def table_towards(wish: np.ndarray) -> np.ndarray:
        found = linprog(
            -wish,
            A_ub=vstack([matrix[above], -matrix[~is_equal]]),
            b_ub=np.concatenate([most[above], -least[~is_equal]]),
            A_eq=matrix[is_equal],
            b_eq=least[is_equal],
            bounds=bounds,
            method="highs",
        )
        assert found.x is not None, f"no table fits what is published: {found.message}"
        return found.x

    def whole_table_towards(wish: np.ndarray) -> np.ndarray:
        found = milp(
            -wish,
            constraints=LinearConstraint(matrix, least, most),
            integrality=np.ones(len(cells)),
            bounds=(bounds[:, 0], bounds[:, 1]),
        )
        assert found.x is not None, found.message
        return found.x

    hidden = np.array([place[cell] for cell in cells if cell in reader.hidden], dtype=int)
    low, high = np.full(len(cells), np.inf), np.full(len(cells), -np.inf)

    def look(wish: np.ndarray, solve: Callable[[np.ndarray], np.ndarray]) -> None:
        found = solve(wish)
        np.minimum(low, found, out=low)
        np.maximum(high, found, out=high)

    def narrow() -> np.ndarray:
        values = np.floor(high[hidden] + 1e-6) - np.ceil(low[hidden] - 1e-6) + 1
        return hidden[values < wanted]

    draw = np.random.default_rng(1)
    for sweep in range(8):
        if len(narrow()) == 0:
            break
        wish = np.zeros(len(cells))
        wish[narrow()] = draw.choice((-1.0, 1.0), len(narrow())) if sweep > 1 else (-1.0) ** sweep
        look(wish, table_towards)
    for column in narrow():
        for sign in (1.0, -1.0):
            wish = np.zeros(len(cells))
            wish[column] = sign
            look(wish, table_towards)
    sample = draw.permutation(hidden)[:sampled]
    for column in dict.fromkeys([*narrow().tolist(), *sample.tolist()]):
        low[column], high[column] = np.inf, -np.inf
        for sign in (1.0, -1.0):
            wish = np.zeros(len(cells))
            wish[column] = sign
            look(wish, whole_table_towards)
    values = np.floor(high[hidden] + 1e-6) - np.ceil(low[hidden] - 1e-6) + 1
    return {cells[column]: int(count) for column, count in zip(hidden, values, strict=True)}


def placed_in_time(reader: Reader) -> dict[Cell, list[str]]:
    """Return the hidden counts of which a reader knows periods that hold none of their people.

    A row that is missing says as much as a 0. A 0 of the practice, or of the count that this one
    is part of, is known to everybody.
    """

    def is_nobody(cell: Cell) -> bool:
        return reader.high.get(cell, 0.0) == 0

    def is_known_anyway(cell: Cell) -> bool:
        name, dimension, group, period = cell
        wholes = [(whole, dimension, group, period) for part, whole in WITHIN if part == name]
        if dimension != "practice":
            wholes.append((name, "practice", "all", period))
        return any(
            is_nobody(whole) and (not hides_total(whole) or is_known_anyway(whole))
            for whole in wholes
        )

    def hides_total(cell: Cell) -> bool:
        name, dimension, group, period = cell
        above = quarter_of(period) if period.startswith("month") else "all"
        return (name, dimension, group, above) in reader.hidden

    periods: dict[str, set[str]] = {}
    dated: dict[tuple[str, str, str], bool] = {}
    for name, dimension, group, period in reader.cells():
        if period not in ("all", "now"):
            periods.setdefault(name, set()).add(period)
            dated[name, dimension, group] = True
    found: dict[Cell, list[str]] = {}
    for cell in reader.hidden:
        name, dimension, group, period = cell
        if (name, dimension, group) not in dated:
            continue
        if period == "all":
            below = {each for each in periods[name] if not each.startswith("month")}
            if dimension == "practice" and name in ("ended", "wait_known", "offered"):
                found[cell] = sorted(below)  # these periods, and no others
                continue
        elif period.startswith("quarter") and dimension == "practice":
            last = 3 * int(period.split()[1])
            below = {f"month {month:02}" for month in (last - 2, last - 1, last)}
        else:
            continue
        parts = [(name, dimension, group, each) for each in sorted(below)]
        empty = [part[3] for part in parts if is_nobody(part) and not is_known_anyway(part)]
        if empty:
            found[cell] = empty
    return found


def drawn(
    cases: int, *, seed: int, quarters: int, sites: int, improved: float, dropped: float
) -> dict[str, pl.DataFrame]:
    """Return what is counted of every case and session of an invented practice."""
    draw = np.random.default_rng(seed)

    def chance(share: float, among: np.ndarray | None = None) -> np.ndarray:
        hit = draw.random(cases) < share
        return (hit if among is None else hit & (among > 0)).astype(int)

    day = draw.integers(0, 91 * quarters, cases)
    number = 1 + 3 * (day // 91) + np.minimum(day % 91 // 28, 2)
    people = pl.DataFrame(
        {
            "case_id": [f"c{case}" for case in range(cases)],
            "quarter": [f"quarter {1 + each // 91:02}" for each in day],
            "month": [f"month {each:02}" for each in number],
            "site": [f"s{each}" for each in draw.integers(0, sites, cases) ** 2 % (sites + 1)],
            "problem": draw.choice(["F32", "F41", "other"], cases, p=[0.6, 0.35, 0.05]),
            "age_band": draw.choice(["18-24", "25-44", "45-64", "65+"], cases),
            "sex": draw.choice(["f", "m", "x"], cases, p=[0.64, 0.33, 0.03]),
            "ethnicity": draw.choice(["A", "B", "C", "not given"], cases, p=[0.8, 0.1, 0.06, 0.04]),
        }
    )
    paired = chance(0.93)
    better = chance(improved, paired)
    clinical = chance(0.85, paired)
    recovered = np.where(better, chance(0.8, clinical), chance(0.2, clinical))
    by_16 = np.maximum(better, chance(0.2, paired))
    by_12, end_known = chance(0.9, by_16), chance(0.97)
    by_8 = chance(0.8, by_12)
    ended = {
        "ended": np.ones(cases, dtype=int), "end_known": end_known,
        "dropped_out": chance(dropped, end_known), "paired": paired, "improved": better,
        "deteriorated": chance(0.08, paired & (1 - better)), "clinical_at_start": clinical,
        "recovered": recovered, "reliably_recovered": recovered * better,
        "improved_by_16": by_16, "improved_by_8": by_8,
        "improved_by_4": chance(0.5, by_8),
    }  # fmt: skip
    waited_126 = chance(0.95)
    offered = draw.integers(0, 6, cases)
    attended = draw.binomial(offered, 0.9)
    return {
        "ended_cases": people.with_columns(**{k: pl.Series(v) for k, v in ended.items()}),
        "started_cases": people.with_columns(
            wait_known=pl.lit(1),
            waited_126=pl.Series(waited_126),
            waited_42=pl.Series(chance(0.7, waited_126)),
        ),
        "offered_sessions": people.with_columns(
            offered=pl.Series(offered),
            attended=pl.Series(attended),
            scored=pl.Series(draw.binomial(attended, 0.92)),
        ).filter(pl.col("offered") > 0),
    }


def published(
    practice: dict[str, pl.DataFrame], rule: SuppressionRule
) -> tuple[TrendTables, Reader]:
    """Return what a night would publish of the practice, and who reads it."""
    statuses = ["stuck", "watch", "on_track"]
    mix = practice["ended_cases"].group_by("site", pl.col("sex").replace_strict(
        ["f", "m", "x"], statuses).alias("status")).len("case_count")  # fmt: skip
    counted = status_counts(mix, statuses)
    for family, marks in practice.items():
        counted = counted.with_more(trend_counts(marks, family, hide_up_to=rule.hide_up_to))
    tables = trend_tables(counted, rule)
    reader = reads(tables.trends, tables.groups)
    for name, period in (("ended", "all"), ("offered", "all"), ("open", "now")):
        cell = (name, "practice", "all", period)
        if counted.people.get(cell, 0) > rule.hide_up_to:
            reader.know(cell, counted.counts[cell])
    # a larger count, or a 0, that was hidden for a small one needs no shelter of its own
    reader.hidden = {
        cell for cell in reader.hidden if 0 < counted.people[whole_name(cell)] <= rule.hide_up_to
    }
    return tables, reader


def whole_name(cell: Cell) -> Cell:
    name, *place = cell
    return ({"clinical": "clinical_at_start"}.get(name, name), *place)


def few_values_left(practice: dict[str, pl.DataFrame], preset: str) -> dict[Cell, int]:
    """Return the hidden small counts of which fewer values are left than are promised."""
    rule = suppression_rule(preset)
    _, reader = published(practice, rule)
    assert placed_in_time(reader) == {}
    wanted = min(5, rule.hide_up_to)
    return {cell: n for cell, n in left_possible(reader, wanted).items() if n < wanted}


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )


PRACTICES: dict[str, Any] = {
    "seed": st.integers(0, 10_000),
    "quarters": st.integers(1, 4),
    "sites": st.integers(1, 4),
    "improved": st.sampled_from([0.05, 0.5, 0.95]),
    "dropped": st.sampled_from([0.02, 0.25, 0.9]),
}
PRESETS = st.sampled_from(["default", "england"])


@examples(2)
@given(preset=PRESETS, cases=st.integers(8, 40), shape=st.fixed_dictionaries(PRACTICES))
def test_of_no_hidden_count_a_reader_is_left_fewer_than_five_values(
    preset: str, cases: int, shape: dict[str, Any]
) -> None:
    assert few_values_left(drawn(cases, **shape), preset) == {}


@pytest.mark.reliability
@examples(40)
@given(preset=PRESETS, cases=st.integers(8, 150), shape=st.fixed_dictionaries(PRACTICES))
def test_of_no_hidden_count_of_many_practices_a_reader_is_left_fewer_than_five_values(
    preset: str, cases: int, shape: dict[str, Any]
) -> None:
    assert few_values_left(drawn(cases, **shape), preset) == {}


def test_no_label_of_a_group_and_no_missing_row_gives_a_rare_group_away() -> None:
    """One person of a code of its own, and three at a site of their own, all in one quarter."""
    rule = suppression_rule("default")
    practice = drawn(40, seed=2, quarters=3, sites=2, improved=0.5, dropped=0.25)
    rare = pl.col("case_id").is_in(["c1", "c2", "c3"])
    practice = {
        family: marks.with_columns(
            problem=pl.when(case_id="c1").then(pl.lit("F20")).otherwise("problem"),
            ethnicity=pl.when(case_id="c1").then(pl.lit("Z")).otherwise("ethnicity"),
            site=pl.when(rare).then(pl.lit("river")).otherwise("site"),
            quarter=pl.when(rare).then(pl.lit("quarter 02")).otherwise("quarter"),
            month=pl.when(rare).then(pl.lit("month 05")).otherwise("month"),
        )
        for family, marks in practice.items()
        if family == "ended_cases"
    }
    tables, reader = published(practice, rule)
    assert {"F20", "Z"}.isdisjoint(tables.groups["group_id"])
    assert placed_in_time(reader) == {}
    ended = tables.trends.filter(pl.col("site_id") == "river", pl.col("figure") == "paired")
    assert set(ended["period"]) == {"all", "quarter 01", "quarter 02", "quarter 03"}
    assert ended["is_suppressed"].all()
    # as before: rows only where somebody was found
    fewer = tables.trends.filter(
        (pl.col("site_id") != "river") | pl.col("period").is_in(["all", "quarter 02"])
    )
    before = reads(fewer, tables.groups)
    assert ("ended", "site", "river", "all") in placed_in_time(before)


SMALL = {"cases": 40, "quarters": 2, "sites": 3, "improved": 0.5, "dropped": 0.25}


def test_the_attack_wins_where_only_small_counts_are_hidden_and_nothing_is_rounded() -> None:
    # 40 ended, 17 and 20 of two sites: the third had 3
    numbers = {"rate": None, "rate_low": None, "rate_high": None}
    trends = pl.DataFrame(
        [
            {"figure": "paired", "period": "all", "site_id": site, "category": "all",
             "numerator": None, "denominator": whole, "is_suppressed": True, **numbers}
            for site, whole in (("all", 40), ("a", 17), ("b", 20), ("c", None))
        ]
    )  # fmt: skip
    left = left_possible(reads(trends, pl.DataFrame(schema=GROUPS), half=0), 5)
    assert left["ended", "site", "c", "all"] == 1


GROUPS = dict.fromkeys(("figure", "dimension", "group_id", "period"), pl.String) | dict.fromkeys(
    ("numerator", "denominator"), pl.Int64
)


def test_the_attack_finds_more_than_two_hidden_parts_can_shelter() -> None:
    # five sites of 13 (shown as 15) and two of one, 67 in all (shown as 65): at most 67 - 5 * 13
    # are left for the two: 0 to 2 each, and whoever knows they are not 0 knows both
    numbers = {"rate": None, "rate_low": None, "rate_high": None, "is_suppressed": True}
    shown = [("all", 65), *((f"s{site}", 15) for site in range(5)), ("t", None), ("u", None)]
    trends = pl.DataFrame(
        [
            {"figure": "paired", "period": "all", "site_id": site, "category": "all",
             "numerator": None, "denominator": whole, **numbers}
            for site, whole in shown
        ]
    )  # fmt: skip
    left = left_possible(reads(trends, pl.DataFrame(schema=GROUPS)), 5)
    assert left["ended", "site", "t", "all"] == 3


def test_rates_intervals_and_funnels_hold_nothing_but_the_rounded_counts() -> None:
    tables, _ = published(drawn(seed=3, **SMALL | {"cases": 400}), suppression_rule("default"))
    for rows in (tables.trends, tables.groups):
        for part, whole, rate, low, high, is_hidden in rows.select(
            "numerator", "denominator", "rate", "rate_low", "rate_high", "is_suppressed"
        ).iter_rows():
            told = part is not None and whole is not None and whole > 0
            assert (rate, low, high) == (
                (part / whole, *wilson(part, whole)) if told else (None, None, None)
            )
            assert is_hidden == (part is None)
            assert all(count is None or count % 5 == 0 for count in (part, whole))
    assert tables.funnel.equals(funnel_of_sites(tables.trends))
    assert tables.funnel.height


@pytest.mark.reliability
def test_whole_people_leave_as_many_values_as_the_linear_programme() -> None:
    _, reader = published(drawn(seed=11, **SMALL), suppression_rule("default"))
    left = left_possible(reader, 5, sampled=6)
    assert min(left.values()) >= 5


@pytest.mark.reliability
def test_two_nights_together_give_no_small_count_away() -> None:
    """Cases of quarters that are over stay as they are; seven more cases end between the nights."""
    rule = suppression_rule("default")
    later = drawn(seed=5, **SMALL | {"cases": 40, "quarters": 3})
    newest = later["ended_cases"].filter(pl.col("quarter") == "quarter 03")["case_id"].tail(7)
    earlier = {
        family: marks.filter(~pl.col("case_id").is_in(newest.to_list()))
        for family, marks in later.items()
    }
    _, first = published(earlier, rule)
    _, second = published(later, rule)
    both = Reader()
    for night, reader in (("", second), (" before", first)):
        named = {cell: second_night(cell, night) for cell in reader.cells()}
        for cell, name in named.items():
            both.low[name] = max(both.low.get(name, 0.0), reader.low[cell])
            both.high[name] = min(both.high.get(name, np.inf), reader.high[cell])
        both.hidden |= {named[cell] for cell in reader.hidden}
        both.ties += [
            ({named[cell]: weight for cell, weight in members.items()}, low, high)
            for members, low, high in reader.ties
        ]
    for cell in first.cells():
        before = second_night(cell, " before")
        if before != cell and cell in both.low and cell[3] != "now" and cell[2] != OTHER_GROUPS:
            both.tie({cell: 1.0, before: -1.0}, 0.0, 7.0 if cell[0] == "ended" else np.inf)
    left = left_possible(both, 5)
    assert min(left.values()) > 1


def second_night(cell: Cell, night: str) -> Cell:
    """Return the name of a count on one of two nights; what is over has the same on both.

    Groups of few people are not: one of them may have grown out of `other groups` in between.
    """
    name, dimension, group, period = cell
    if group == OTHER_GROUPS:
        return (name, dimension, group + night, period)
    is_over = period in ("quarter 01", "quarter 02") or period in (
        f"month {month:02}" for month in range(1, 7)
    )
    return cell if is_over else (name + night, dimension, group, period)


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night of a small simulated practice: what it counted, and what it published."""

    counted: TrendCounts
    published: Callable[[str], pl.DataFrame]
    source: Path


@pytest.fixture(scope="module")
def night(new_practice: Callable[[], Any]) -> Iterator[Night]:
    counted: list[TrendCounts] = []

    def remembered(found: TrendCounts, rule: SuppressionRule) -> TrendTables:
        counted.append(found)
        return trend_tables(found, rule)

    practice = new_practice()
    practice.simulate(cases=110, seed=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_9_summarise, "trend_tables", remembered)
        practice.night()
    yield Night(counted=counted[0], published=practice.published, source=practice.source)


def test_a_published_night_with_its_official_outcomes_gives_no_hidden_count_back(
    night: Night,
) -> None:
    rule = suppression_rule("default")
    reader = reads(night.published("trends"), night.published("trend_groups"))
    people = night.counted.people
    every_hidden = set(reader.hidden)
    reader.hidden = {
        cell for cell in every_hidden if 0 < people[whole_name(cell)] <= rule.hide_up_to
    }
    assert placed_in_time(reader) == {}
    reader.hidden = every_hidden
    reads_official(reader, night.published("talking_therapies"), rule)
    for name, period in (("ended", "all"), ("offered", "all"), ("open", "now")):
        cell = (name, "practice", "all", period)
        reader.know(cell, night.counted.counts[cell])
    reader.hidden = {
        cell for cell in reader.hidden if 0 < people.get(whole_name(cell), 1) <= rule.hide_up_to
    }
    assert len(reader.hidden) > 100
    left = left_possible(reader, 5)
    few = {cell: count for cell, count in left.items() if count < 5}
    # England's shares are of the counts before rounding; the trends promise five values each
    assert {cell for cell in few if not cell[0].startswith(("o ", "not_", "anxiety"))} == set()
    assert {cell for cell, count in few.items() if count == 1} == set()


def test_the_night_counts_what_was_sent(night: Night) -> None:
    cases = pl.read_csv(night.source / "cases.csv", infer_schema_length=None)
    sessions = pl.read_csv(night.source / "sessions.csv", infer_schema=False).with_columns(
        pl.col("session", "day").cast(pl.Int64, strict=False)
    )
    came = sessions.filter((pl.col("attended") == "yes") & (pl.col("session") >= 1))
    waited = (
        came.group_by("case_id")
        .agg(pl.col("day").min())
        .join(cases.select("case_id", "referral_day"), on="case_id")
        .select(days=pl.col("day") - pl.col("referral_day"))
    )
    counts = night.counted.counts
    whole = ("practice", "all", "all")
    assert counts["wait_known", *whole] == waited.height
    assert counts["waited_42", *whole] == waited.filter(pl.col("days") <= 42).height
    assert counts["waited_126", *whole] == waited.filter(pl.col("days") <= 126).height
    assert counts["ended", *whole] == cases["end_day"].count()
    assert counts["dropped_out", *whole] == (cases["end_reason"] == "dropped_out").sum()
    of_women = cases.filter((pl.col("sex") == "f") & pl.col("end_day").is_not_null())
    assert counts["ended", "sex", "f", "all"] == of_women.height


def test_a_month_is_four_four_or_five_weeks_of_its_quarter(night: Night) -> None:
    cases = pl.read_csv(night.source / "cases.csv", infer_schema_length=None)
    ended = (cases["practice_day_start"] + cases["end_day"]).drop_nulls()
    for quarter in range(3):
        for place, (first, last) in enumerate(((0, 27), (28, 55), (56, 90))):
            inside = ended.is_between(91 * quarter + first, 91 * quarter + last).sum()
            cell = ("ended", "practice", "all", f"month {3 * quarter + place + 1:02}")
            assert night.counted.counts.get(cell, 0) == inside


def test_a_first_clear_improvement_is_counted_once_and_stays_counted(night: Night) -> None:
    whole = ("practice", "all", "all")
    by = [night.counted.counts[f"improved_by_{mark}", *whole] for mark in (4, 8, 16)]
    assert 0 < by[0] <= by[1] <= by[2] <= night.counted.counts["paired", *whole]
