"""How are rules and their figures named on the Alert quality screen, and in which order?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dashboard.figures import percent

OWN_RULES = ("status_rule", "outlook")
"""What the queue goes by: told first and in words."""
COMPARED_WITH = "naive_two_score"
RULE_ORDER = (
    *OWN_RULES,
    "expected_course",
    "similar_cases",
    "reliable_change",
    "early_percent_change",
    COMPARED_WITH,
    "naive_last_change",
)
SHORT = {
    "status_rule": "Status rule",
    "outlook": "Outlook",
    "expected_course": "Expected course",
    "similar_cases": "Similar cases",
    "reliable_change": "Clear change alone",
    "early_percent_change": "Early percentage",
    "naive_two_score": "Two scores only",
    "naive_last_change": "Last change only",
    "naive_last_score": "Last score only",
}
_REASONS = {
    "nobody_asked": "nobody could be asked",
    "too_few_ended": "too few ended cases",
    "too_few_bad": "too few cases ended so",
}
NO_FIGURE, HIDDEN = "no figure", "hidden"


def rule_name(rule: str) -> str:
    """Return a rule as a table names it."""
    return SHORT.get(rule, rule.replace("_", " ").capitalize())


def rules_in_order(rules: Sequence[str]) -> list[str]:
    """Return rules, the queue's own first and the naive ones last."""
    known = [rule for rule in RULE_ORDER if rule in rules]
    return [*known, *sorted(set(rules) - set(known))]


def by_rule(figures: pl.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the figures of one moment: rule, figure, row."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in figures.to_dicts():
        found.setdefault(row["rule"], {})[row["figure"]] = row
    return {rule: found[rule] for rule in rules_in_order(list(found)) if "auc" in found[rule]}


def share_words(row: Mapping[str, Any] | None, hidden: str) -> str:
    """Return a share with its interval and how many it is of, or why there is none."""
    if row is None:
        return NO_FIGURE
    if row["value"] is None:
        return _why_not(row, hidden)
    ends = "" if row["low"] is None else f" ({percent(row['low'])} to {percent(row['high'])})"
    of = "" if row["case_count"] is None else f", n = {row['case_count']:,}"
    return f"{percent(row['value'])}{ends}{of}"


def number_words(row: Mapping[str, Any] | None, hidden: str) -> str:
    """Return a figure between numbers, such as an AUC, with its interval."""
    if row is None:
        return NO_FIGURE
    if row["value"] is None:
        return _why_not(row, hidden)
    ends = "" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f})"
    return f"{row['value']:.2f}{ends}"


def _why_not(row: Mapping[str, Any], hidden: str) -> str:
    if row["is_suppressed"]:
        return hidden
    reason = row.get("reason")
    return _REASONS.get(reason, reason.replace("_", " ")) if reason else NO_FIGURE


def value_of(own: Mapping[str, dict[str, Any]], figure: str, end: str = "value") -> float | None:
    """Return one number of a rule: a figure, or an end of its interval."""
    found = own.get(figure)
    return None if found is None else found[end]


def mean_words(row: Mapping[str, Any] | None) -> str:
    """Return a mean to one decimal; nothing where there is none."""
    return "" if row is None or row["value"] is None else f"{row['value']:.1f}"


def count_words(count: int | None, hidden: str) -> str:
    """Return a number of cases, or that it is hidden."""
    return hidden if count is None else f"{count:,}"


def calibration_note(
    bins: pl.DataFrame, rules: Mapping[str, Mapping[str, dict[str, Any]]], hidden: str
) -> str:
    """Return of each curve how many groups of cases it has, how many are hidden, and its n."""
    said = []
    for rule in rules_in_order(bins["rule"].unique().to_list()):
        own = bins.filter(pl.col("rule") == rule)
        unseen = own["share_bad"].null_count()
        asked = rules.get(rule, {}).get("auc", {}).get("case_count")
        groups = f"{own.height} groups, {unseen or 'none'} hidden for small numbers"
        said.append(f"{rule_name(rule)}: {groups}, n = {count_words(asked, hidden)}.")
    return " ".join(said)
