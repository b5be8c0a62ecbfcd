"""What of a back-test may be shown once small numbers are hidden?

Counts of few cases become null, and others that would give them away; the rest is rounded. Shares
and their intervals (Wilson) come from the rounded counts, so they hold nothing the counts do not.
Numbers that come from the scores of many cases (AUC, Brier, calibration) are told to two decimals,
where both ends have more cases than are hidden. Presets: data_contracts/suppression.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from data_contracts.suppression import SuppressionRule
from models.backtest_counts import (
    DROPPED_OUT,
    Backtest,
    counts_at,
    counts_over_the_course,
    group_name,
)
from models.shown_counts import ShownCounts, in_steps, told
from models.shown_figures import (
    DECIMALS,
    shown_agreement,
    shown_bins,
    shown_course,
    shown_differences,
    shown_figures,
)
from models.suppression import rounded

_TOLD_AS_THEY_ARE = (
    "format",
    "measure",
    "outcome",
    "outcome_in_words",
    "later_scores",
    "end_from_day",
    "split",
    "budget",  # suppressed where it is made: models/alarm_budget.py
)
_OF_GROUPS = ("auc", "sensitivity", "ppv", "share_flagged")
# A note counts moments exactly; their numbers stand, rounded, beside each landmark.
_MOMENTS = re.compile(r"^\d+ of \d+ moments")


def shown_backtest(backtest: Backtest, rule: SuppressionRule) -> dict[str, Any]:
    """Return a back-test in its own form, with what may be shown; what is hidden is null.

    Figures get `is_suppressed`; a group or cohort also where only its end counts are hidden.

    >>> from data_contracts.suppression import suppression_rule
    >>> raw = {
    ...     "n": 212, "base_rate": 0.3,
    ...     "landmarks": {"occasion_4": {"at_risk": 200, "known": 180, "unknown": 20, "bad": 60}},
    ...     "rules": {"status_rule": {"occasion_4": {
    ...         "n": 180, "flagged": 58, "true_alarms": 41, "false_alarms": 17, "missed": 19}}},
    ... }
    >>> found = shown_backtest(raw, suppression_rule("default"))
    >>> figures = found["rules"]["status_rule"]["occasion_4"]
    >>> figures["flagged"], figures["true_alarms"], round(figures["ppv"], 2)
    (60, 40, 0.67)
    """
    at = {
        name: ShownCounts(counts_at(backtest, name), rule) for name in backtest.get("landmarks", {})
    }
    whole = ShownCounts(counts_over_the_course(backtest), rule)
    number, bad = whole.count("n"), whole.count("bad")
    # Named one by one: what is not thought of here is not shown.
    found = {name: backtest[name] for name in _TOLD_AS_THEY_ARE if name in backtest} | {
        "n": number,
        "bad": bad,
        "base_rate": bad / number if number and bad is not None else None,
        "is_suppressed": bad is None,
        "landmarks": {
            name: _landmark(facts, at[name]) for name, facts in backtest["landmarks"].items()
        },
        "rules": {
            name: {
                landmark: shown_figures(name, figures or {}, at[landmark])
                for landmark, figures in by_landmark.items()
                if landmark in at
            }
            for name, by_landmark in backtest.get("rules", {}).items()
        },
        "calibration": {
            name: {
                landmark: shown_bins(name, bins, at[landmark])
                for landmark, bins in by_landmark.items()
                if landmark in at
            }
            for name, by_landmark in backtest.get("calibration", {}).items()
        },
        "agreement": {
            landmark: {
                pair: shown_agreement(pair, cells, at[landmark]) for pair, cells in pairs.items()
            }
            for landmark, pairs in backtest.get("agreement", {}).items()
            if landmark in at
        },
        "over_the_course": {
            name: shown_course(name, figures, whole)
            for name, figures in backtest.get("over_the_course", {}).items()
        },
    }
    found["paired"] = shown_differences(backtest, found["rules"])
    found["subgroups"] = [
        _group(row, at[row["landmark"]])
        for row in backtest.get("subgroups", [])
        if row.get("landmark") in at
    ]
    found["cohorts"] = [
        row | _ends("cohort", str(place), shown=whole)
        for place, row in enumerate(backtest.get("cohorts", []))
    ]
    found["reviewed"] = _ends("reviewed", shown=whole)
    found["final_score"] = {
        name: {
            landmark: {
                "n": None if error["n"] <= rule.hide_up_to else rounded(error["n"], rule),
                "mean_absolute_error": told(error["mean_absolute_error"], DECIMALS)
                if error["n"] > rule.hide_up_to
                else None,
            }
            for landmark, error in by_landmark.items()
            if error
        }
        for name, by_landmark in backtest.get("final_score", {}).items()
    }
    found["notes"] = [_MOMENTS.sub("Some moments", note) for note in backtest.get("notes", [])]
    return found


def _landmark(facts: Mapping[str, Any], shown: ShownCounts) -> dict[str, Any]:
    counts = ("at_risk", "known", "unknown", "bad", "reviewed", *DROPPED_OUT)
    share, _, _ = shown.share(("bad",), ("known",))
    return {
        **facts,
        **{name: shown.count(name) for name in counts},
        "why_unknown": {
            reason: shown.count("why_unknown", reason) for reason in facts.get("why_unknown", {})
        },
        "base_rate": share,
        **{
            name: None if share is None else in_steps(facts.get(name))
            for name in ("base_rate_if_unknown_good", "base_rate_if_unknown_bad")
        },
        "is_suppressed": share is None and facts.get("bad") is not None,
    }


def _group(row: Mapping[str, Any], shown: ShownCounts) -> dict[str, Any]:
    place = group_name(row)
    whole, bad, good = ((name, *place) for name in ("group", "group bad", "group good"))
    is_shown = not row.get("suppressed") and shown.are_shown(whole, bad, good)
    found: dict[str, Any] = {
        **{name: row[name] for name in ("rule", "by", "group", "landmark")},
        "n": shown.count(*whole),
        "bad": shown.count(*bad) if is_shown else None,
        **{
            name: told(row.get(name), DECIMALS) if is_shown else None
            for name in ("auc", "auc_low", "auc_high")
        },
    }
    for name, part, of in _flagged_of_group(row):
        share = shown.share_of(part, of) if is_shown else (None, None, None)
        found |= dict(zip((name, f"{name}_low", f"{name}_high"), share, strict=True))
    hidden = [name for name in _OF_GROUPS if found[name] is None]
    return found | {"hidden": hidden, "is_suppressed": not is_shown}


def _flagged_of_group(row: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return shares of a group as numerator and denominator, before suppression."""
    number, bad, flagged, found = (
        row.get(name) or 0 for name in ("n", "bad", "flagged", "sensitivity")
    )
    hits = found * bad
    return [
        ("sensitivity", hits, bad),
        ("ppv", hits, flagged),
        ("share_flagged", flagged, number),
    ]


def _ends(of: str, *name: str, shown: ShownCounts) -> dict[str, Any]:
    """Return how cases that belong together ended: all of them, those known, those bad."""
    cases, known, bad = ((f"{of} {part}", *name) for part in ("cases", "known", "bad"))
    share, low, high = shown.share(bad, known)
    return {
        "cases": shown.count(*cases),
        "known": shown.count(*known),
        "bad": shown.count(*bad),
        "base_rate": share,
        "base_rate_low": low,
        "base_rate_high": high,
        "is_suppressed": shown.count(*known) is None or shown.count(*bad) is None,
    }
