"""Which counts of cases does a back-test hold at one moment, and how are they tied together?

The figures of a back-test are shares of few counts: of all cases asked, those that ended so and
those that did not, flagged and not. Rules asked about the same cases share them, and two rules side
by side split them again. Whoever knows some can work out others (models/derivable_counts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data_contracts.suppression import SuppressionRule
from models.derivable_counts import showable

Backtest = Mapping[str, Any]
"""What `Backtest.as_json` gives: see docs/backtest.md."""
Name = tuple[str, ...]
"""Of a count: ("true_alarms", "status_rule"), ("bad",), ("both", "status_rule|outlook")."""

# Worth more: hidden later. Totals carry every figure; agreement and groups carry their own alone.
_TOTAL, _RULE, _COURSE, _AGREEMENT, _BIN, _GROUP = 50, 40, 30, 20, 15, 10
_SIDES = ("true_alarms", "false_alarms", "missed", "rightly_not")
DROPPED_OUT = (
    "dropped_out",
    "dropped_out_of_known",
    "dropped_out_of_unknown",
    "ended_otherwise",
)
_PAIRS = ("both", "first_only", "second_only", "neither")


@dataclass(kw_only=True)
class CountsAtOnce:
    """Counts of one moment, their ties, and how much each is worth."""

    counts: dict[Name, int] = field(default_factory=dict)
    worth: dict[Name, int] = field(default_factory=dict)
    sums: list[tuple[Name, list[Name]]] = field(default_factory=list)

    def put(self, name: Name, count: float | None, worth: int) -> bool:
        """Note a count that is meant to be shown; return whether there is one."""
        if count is None:
            return False
        self.counts[name] = round(count)
        self.worth[name] = worth
        return True

    def tie(self, total: Name, parts: list[Name]) -> None:
        """Note that a total is made of parts; what is left over becomes a part that is not shown.

        Counts that contradict one another (a rule that was asked about other cases) are not tied.
        """
        there = [part for part in parts if part in self.counts]
        if total not in self.counts or len(there) < len(parts):
            return
        left = self.counts[total] - sum(self.counts[part] for part in parts)
        if left < 0:
            return
        if left:
            rest: Name = ("rest of", *total, *(word for part in parts for word in part))
            self.counts[rest] = left
            parts = [*parts, rest]
        self.sums.append((total, parts))

    def shown(self, rule: SuppressionRule) -> set[Name]:
        """Return the names of the counts that may be shown."""
        return showable(
            self.counts,
            self.worth,
            self.sums,
            hide_up_to=rule.hide_up_to,
            round_to=rule.round_to,
            shows_nobody=True,
        )


def counts_at(backtest: Backtest, landmark: str) -> CountsAtOnce:
    """Return every count of one landmark.

    >>> backtest = {
    ...     "landmarks": {"occasion_4": {"at_risk": 100, "known": 90, "unknown": 10, "bad": 30}},
    ...     "rules": {"status_rule": {"occasion_4": {
    ...         "n": 90, "flagged": 40, "true_alarms": 25, "false_alarms": 15, "missed": 5}}},
    ... }
    >>> found = counts_at(backtest, "occasion_4")
    >>> found.counts[("rightly_not", "status_rule")], found.counts[("good",)]
    (45, 60)
    """
    found = CountsAtOnce()
    _put_landmark(found, backtest.get("landmarks", {}).get(landmark, {}))
    for rule, by_landmark in backtest.get("rules", {}).items():
        _put_rule(found, rule, by_landmark.get(landmark) or {})
    for pair, cells in (backtest.get("agreement", {}).get(landmark) or {}).items():
        _put_agreement(found, pair, cells)
    for rule, bins in backtest.get("calibration", {}).items():
        _put_bins(found, rule, bins.get(landmark) or [])
    groups = [row for row in backtest.get("subgroups", []) if row.get("landmark") == landmark]
    _put_groups(found, groups)
    return found


def counts_over_the_course(backtest: Backtest) -> CountsAtOnce:
    """Return the counts that belong to no landmark: ends, whole courses, starts, reviewed cases.

    >>> course = {"cases": 100, "bad": 30, "ever_flagged": 40, "ever_flagged_of_bad": 0.8}
    >>> found = counts_over_the_course(
    ...     {"n": 100, "base_rate": 0.3, "over_the_course": {"status_rule": course}})
    >>> found.counts[("ever and bad", "status_rule")]
    24
    """
    found = CountsAtOnce()
    number, base_rate = backtest.get("n"), backtest.get("base_rate")
    if number is not None and base_rate is not None:
        bad = round(number * base_rate)
        for name, count in (("n", number), ("bad", bad), ("good", number - bad)):
            found.put((name,), count, _TOTAL)
        found.tie(("n",), [("bad",), ("good",)])
    for rule, figures in backtest.get("over_the_course", {}).items():
        _put_course(found, rule, figures)
    for place, cohort in enumerate(backtest.get("cohorts", [])):
        name = str(place)
        for part in ("cases", "known", "bad"):
            found.put((f"cohort {part}", name), cohort.get(part), _GROUP)
        if cohort.get("known") is not None and cohort.get("bad") is not None:
            found.put(("cohort good", name), cohort["known"] - cohort["bad"], _GROUP)
        found.tie(("cohort cases", name), [("cohort known", name)])
        found.tie(("cohort known", name), [("cohort bad", name), ("cohort good", name)])
    reviewed = backtest.get("reviewed") or {}
    for part in ("cases", "known", "bad"):
        found.put((f"reviewed {part}",), reviewed.get(part), _GROUP)
    if reviewed.get("known") is not None and reviewed.get("bad") is not None:
        found.put(("reviewed good",), reviewed["known"] - reviewed["bad"], _GROUP)
    found.tie(("reviewed cases",), [("reviewed known",)])
    found.tie(("reviewed known",), [("reviewed bad",), ("reviewed good",)])
    return found


def _put_course(found: CountsAtOnce, rule: str, figures: Mapping[str, Any]) -> None:
    """Note who was ever flagged, of those who ended so and of the others."""
    number, bad, ever = (figures.get(name) for name in ("cases", "bad", "ever_flagged"))
    if number is None or bad is None or ever is None:
        return
    ever_bad = round((figures.get("ever_flagged_of_bad") or 0.0) * bad)
    for name, count in (
        ("cases", number),
        ("bad", bad),
        ("good", number - bad),
        ("ever", ever),
        ("never", number - ever),
        ("ever and bad", ever_bad),
        ("ever and good", ever - ever_bad),
        ("never and bad", bad - ever_bad),
        ("never and good", number - ever - bad + ever_bad),
    ):
        found.put((name, rule), count, _COURSE)
    for total, parts in (
        ("cases", ("bad", "good")),
        ("cases", ("ever", "never")),
        ("bad", ("ever and bad", "never and bad")),
        ("good", ("ever and good", "never and good")),
        ("ever", ("ever and bad", "ever and good")),
        ("never", ("never and bad", "never and good")),
    ):
        found.tie((total, rule), [(part, rule) for part in parts])
    for whole, part in (("n", "cases"), ("bad", "bad"), ("good", "good")):
        found.tie((whole,), [(part, rule)])


def group_name(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what a group's counts are called: rule, by what it is grouped, group.

    >>> group_name({"rule": "outlook", "by": "sex", "group": "f"})
    ('outlook', 'sex', 'f')
    """
    return str(row.get("rule") or ""), str(row["by"]), str(row["group"])


def _put_landmark(found: CountsAtOnce, facts: Mapping[str, Any]) -> None:
    for name in ("at_risk", "known", "unknown", "bad", "reviewed"):
        found.put((name,), facts.get(name), _TOTAL)
    if ("known",) in found.counts and ("bad",) in found.counts:
        found.put(("good",), found.counts["known",] - found.counts["bad",], _TOTAL)
    for name in DROPPED_OUT:
        found.put((name,), facts.get(name), _COURSE)
    for reason, count in facts.get("why_unknown", {}).items():
        found.put(("why_unknown", reason), count, _COURSE)
    found.tie(("at_risk",), [("known",), ("unknown",), ("reviewed",)])
    found.tie(("known",), [("bad",), ("good",)])
    found.tie(("known",), [("dropped_out_of_known",), ("ended_otherwise",)])
    found.tie(("dropped_out",), [("dropped_out_of_known",), ("dropped_out_of_unknown",)])
    found.tie(("unknown",), [("dropped_out_of_unknown",)])
    found.tie(("unknown",), [("why_unknown", reason) for reason in facts.get("why_unknown", {})])


def _put_rule(found: CountsAtOnce, rule: str, figures: Mapping[str, Any]) -> None:
    """Note the four-fold table of a rule, its margins, and the margins' place in the whole."""
    if any(figures.get(name) is None for name in ("n", "flagged", "true_alarms", "missed")):
        return
    number, flagged, hits, missed = (
        round(figures[name]) for name in ("n", "flagged", "true_alarms", "missed")
    )
    sides = (hits, flagged - hits, missed, number - flagged - missed)
    for name, count in (
        *zip(_SIDES, sides, strict=True),
        ("n", number),
        ("flagged", flagged),
        ("not_flagged", number - flagged),
        ("bad", hits + missed),
        ("good", number - hits - missed),
    ):
        found.put((name, rule), count, _RULE)
    for total, parts in (
        ("flagged", ("true_alarms", "false_alarms")),
        ("not_flagged", ("missed", "rightly_not")),
        ("bad", ("true_alarms", "missed")),
        ("good", ("false_alarms", "rightly_not")),
        ("n", ("flagged", "not_flagged")),
        ("n", ("bad", "good")),
    ):
        found.tie((total, rule), [(part, rule) for part in parts])
    for whole, part in (("known", "n"), ("bad", "bad"), ("good", "good")):
        found.tie((whole,), [(part, rule)])


def _put_agreement(found: CountsAtOnce, pair: str, cells: Mapping[str, Any]) -> None:
    if any(cells.get(name) is None for name in _PAIRS):
        return
    first, second = pair.split("|")
    for name in _PAIRS:
        found.put((name, pair), cells[name], _AGREEMENT)
    whole = sum(round(cells[name]) for name in _PAIRS)
    for rule, own in ((first, "first_only"), (second, "second_only")):
        if found.counts.get(("n", rule)) == whole:
            found.tie(("flagged", rule), [("both", pair), (own, pair)])
            other = "second_only" if own == "first_only" else "first_only"
            found.tie(("not_flagged", rule), [("neither", pair), (other, pair)])


def _put_bins(found: CountsAtOnce, rule: str, bins: list[Mapping[str, Any]]) -> None:
    for place, each in enumerate(bins):
        name = (rule, str(place))
        if not found.put(("bin", *name), each.get("n"), _BIN) or each.get("share_bad") is None:
            continue
        bad = round(each["share_bad"] * each["n"])
        found.put(("bin bad", *name), bad, _BIN)
        found.put(("bin good", *name), round(each["n"]) - bad, _BIN)
        found.tie(("bin", *name), [("bin bad", *name), ("bin good", *name)])
    places = [str(place) for place in range(len(bins))]
    for total, part in (("n", "bin"), ("bad", "bin bad"), ("good", "bin good")):
        found.tie((total, rule), [(part, rule, place) for place in places])


def _put_groups(found: CountsAtOnce, rows: list[Mapping[str, Any]]) -> None:
    """Note groups: parts of the cases that a rule was asked about."""
    groups: dict[tuple[str, str], list[Name]] = {}
    for row in rows:
        place = group_name(row)
        if row.get("n") is None or row.get("bad") is None:
            continue
        found.put(("group", *place), row["n"], _GROUP)
        found.put(("group bad", *place), row["bad"], _GROUP)
        found.put(("group good", *place), round(row["n"]) - round(row["bad"]), _GROUP)
        found.tie(("group", *place), [("group bad", *place), ("group good", *place)])
        groups.setdefault(place[:2], []).append(place)
    for (rule, _), places in groups.items():
        for total, part in (("n", "group"), ("bad", "group bad"), ("good", "group good")):
            found.tie((total, rule), [(part, *place) for place in places])
