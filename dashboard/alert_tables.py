"""What do the tables and charts of the Alert quality screen show, row by row, in words?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dashboard.alert_rules import (
    COMPARED_WITH,
    NO_FIGURE,
    OWN_RULES,
    RULE_ORDER,
    SHORT,
    count_words,
    mean_words,
    number_words,
    rule_name,
    rules_in_order,
    share_words,
    value_of,
)
from dashboard.figures import percent

_DIMENSIONS = {
    "baseline_severity": "First score, in thirds",
    "site_id": "Site",
    "sex": "Sex",
    "age_band": "Age band",
    "ethnicity": "Ethnic group",
}
_THIRDS = {"mild": 0, "middle": 1, "severe": 2}


def found_rows(rules: Mapping[str, Mapping[str, dict[str, Any]]], hidden: str) -> pl.DataFrame:
    """Return the rows of `chart_alerts.found_chart`."""
    return pl.DataFrame(
        [
            {
                "label": rule_name(rule),
                "share_flagged": value_of(own, "share_flagged"),
                "sensitivity": value_of(own, "sensitivity"),
                "sensitivity_low": value_of(own, "sensitivity", "low"),
                "sensitivity_high": value_of(own, "sensitivity", "high"),
                "words": _found_words(own, hidden),
            }
            for rule, own in rules.items()
        ],
        schema=dict.fromkeys(("label",), pl.String)
        | dict.fromkeys(
            ("share_flagged", "sensitivity", "sensitivity_low", "sensitivity_high"), pl.Float64
        )
        | {"words": pl.String},
    )


def _found_words(own: Mapping[str, dict[str, Any]], hidden: str) -> str:
    if value_of(own, "sensitivity") is None:
        return share_words(own.get("sensitivity"), hidden)
    return (
        f"flags {share_words(own.get('share_flagged'), hidden)}; "
        f"finds {share_words(own.get('sensitivity'), hidden)}"
    )


def auc_rows(rules: Mapping[str, Mapping[str, dict[str, Any]]], hidden: str) -> pl.DataFrame:
    """Return the rows of `chart_alerts.auc_chart`."""
    return pl.DataFrame(
        [
            {
                "label": rule_name(rule),
                "auc": value_of(own, "auc"),
                "auc_low": value_of(own, "auc", "low"),
                "auc_high": value_of(own, "auc", "high"),
                "words": number_words(own.get("auc"), hidden),
            }
            for rule, own in rules.items()
        ],
        schema={
            "label": pl.String,
            "auc": pl.Float64,
            "auc_low": pl.Float64,
            "auc_high": pl.Float64,
            "words": pl.String,
        },
    )


def moment_rows(figures: pl.DataFrame, landmarks: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `chart_alerts.by_moment_chart` for the queue's rules and the naive one."""
    return (
        figures.filter(
            (pl.col("figure") == "auc") & pl.col("rule").is_in([*OWN_RULES, COMPARED_WITH])
        )
        .join(landmarks.select("landmark", "at"), on="landmark")
        .select(
            pl.col("rule").replace(SHORT).alias("label"),
            "at",
            auc="value",
            auc_low="low",
            auc_high="high",
        )
    )


def flag_rows(rules: Mapping[str, Mapping[str, dict[str, Any]]], hidden: str) -> pl.DataFrame:
    """Return what all rules flag and find at one moment."""
    return pl.DataFrame(
        [
            {
                "Rule": rule_name(rule),
                "Flagged": share_words(own.get("share_flagged"), hidden),
                "Found, of those that ended so": share_words(own.get("sensitivity"), hidden),
                "Ended so, of the flagged": share_words(own.get("ppv"), hidden),
                "Ended so, of the others": share_words(own.get("bad_if_not_flagged"), hidden),
            }
            for rule, own in rules.items()
        ]
    )


def quality_rows(rules: Mapping[str, Mapping[str, dict[str, Any]]], hidden: str) -> pl.DataFrame:
    """Return how well all rules tell cases apart at one moment, and how true their chances are."""
    return pl.DataFrame(
        [
            {
                "Rule": rule_name(rule),
                "AUC": number_words(own.get("auc"), hidden),
                "Balanced accuracy": number_words(own.get("balanced_accuracy"), hidden),
                "Brier": number_words(own.get("brier"), hidden),
                "Calibration slope": number_words(own.get("calibration_slope"), hidden),
            }
            for rule, own in rules.items()
        ]
    )


def difference_rows(paired: pl.DataFrame, hidden: str) -> pl.DataFrame:
    """Return how each rule's AUC differs from that of looking at two scores."""
    rows = []
    for row in paired.filter(pl.col("figure") == "auc").to_dicts():
        pair = (row["first_rule"], row["second_rule"])
        if COMPARED_WITH not in pair:
            continue
        sign = 1 if pair[1] == COMPARED_WITH else -1
        other = pair[0] if sign == 1 else pair[1]
        if row["difference"] is None:
            rows.append((other, hidden if row["is_suppressed"] else NO_FIGURE, ""))
            continue
        low, high = sorted((sign * (row["low"] or 0), sign * (row["high"] or 0)))
        ends = "" if row["low"] is None else f" ({low:+.3f} to {high:+.3f})"
        chance = {"not known": "", "could be chance": "could be chance"}.get(
            row["verdict"], "beyond chance"
        )
        rows.append((other, f"{sign * row['difference']:+.3f}{ends}", chance))
    by_name = {rule: (words, chance) for rule, words, chance in rows}
    return pl.DataFrame(
        [
            {"Rule": rule_name(rule), "AUC, less two scores only": words, "Chance?": chance}
            for rule in rules_in_order(list(by_name))
            for words, chance in (by_name[rule],)
        ]
    )


def agreement_rows(agreement: pl.DataFrame, hidden: str) -> pl.DataFrame:
    """Return how the queue's rules and each other rule flag the same cases."""
    order = {rule: place for place, rule in enumerate(RULE_ORDER)}
    rows = []
    for row in agreement.to_dicts():
        first, second = row["first_rule"], row["second_rule"]
        alone = (row["flagged_by_first"], row["flagged_by_second"])
        if order.get(first, len(order)) > order.get(second, len(order)):
            first, second, alone = second, first, alone[::-1]
        if first in OWN_RULES:
            cells = {
                "Rule": rule_name(first),
                "Beside": rule_name(second),
                "Both flag": count_words(row["flagged_by_both"], hidden),
                "The first alone": count_words(alone[0], hidden),
                "The second alone": count_words(alone[1], hidden),
                "Neither": count_words(row["flagged_by_neither"], hidden),
                "Kappa": hidden if row["kappa"] is None else f"{row['kappa']:.2f}",
            }
            rows.append((order[first], order.get(second, len(order)), cells))
    return pl.DataFrame([cells for _, _, cells in sorted(rows, key=lambda each: each[:2])])


def group_rows(subgroups: pl.DataFrame, dimension: str, hidden: str) -> pl.DataFrame:
    """Return the groups of one dimension, in the order of codes."""
    own = subgroups.filter(pl.col("dimension") == dimension)
    if own.is_empty():
        return pl.DataFrame()
    found: dict[str, dict[str, str]] = {}
    in_order = pl.col("group_id").replace_strict(_THIRDS, default=0, return_dtype=pl.Int64)
    for row in own.sort(in_order, "group_id").to_dicts():
        line = found.setdefault(row["group_id"], {"Group": row["group_id"]})
        if row["figure"] in ("auc", "sensitivity"):
            what = "AUC" if row["figure"] == "auc" else "found"
            words = number_of_group if row["figure"] == "auc" else share_of_group
            line[f"{rule_name(row['rule'])}, {what}"] = words(row, hidden)
    told = {name for line in found.values() for name in line}
    columns = [
        column
        for what in ("AUC", "found")
        for rule in rules_in_order(own["rule"].unique().to_list())
        if (column := f"{rule_name(rule)}, {what}") in told
    ]
    return pl.DataFrame(list(found.values())).select("Group", *columns)


def share_of_group(row: Mapping[str, Any], hidden: str) -> str:
    """Return the share found, of those of a group that ended so."""
    return share_words({**row, "case_count": row["bad_count"]}, hidden)


def number_of_group(row: Mapping[str, Any], hidden: str) -> str:
    """Return a figure of a group with the cases this rule was asked about: rules differ in them."""
    words = number_words(row, hidden)
    is_bare = row["value"] is None or row["case_count"] is None
    return words if is_bare else f"{words}, n = {row['case_count']:,}"


def dimensions(subgroups: pl.DataFrame) -> dict[str, str]:
    """Return the dimensions there are, by their names on the screen."""
    present = set(subgroups["dimension"]) if subgroups.height else set()
    return {words: name for name, words in _DIMENSIONS.items() if name in present}


def course_rows(course: pl.DataFrame, hidden: str) -> pl.DataFrame:
    """Return what rules did over whole courses."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in course.to_dicts():
        found.setdefault(row["rule"], {})[row["figure"]] = row
    return pl.DataFrame(
        [
            {
                "Rule": rule_name(rule),
                "Ever flagged": share_words(own.get("ever_flagged_share"), hidden),
                "of those that ended so": share_words(own.get("ever_flagged_of_bad"), hidden),
                "of the others": share_words(own.get("ever_flagged_of_good"), hidden),
                "Ended so, never flagged": share_words(own.get("bad_if_never_flagged"), hidden),
                "Scores before the end": mean_words(own.get("lead_occasions_mean")),
                "Weeks before the end": mean_words(own.get("lead_weeks_mean")),
                "Flags a supervisor and week": mean_words(own.get("flags_a_supervisor_week")),
            }
            for rule in rules_in_order(list(found))
            for own in (found[rule],)
        ]
    )


def cohort_rows(cohorts: pl.DataFrame, hidden: str) -> pl.DataFrame:
    """Return how cases ended by when they started."""
    return pl.DataFrame(
        [
            {
                "Started on practice days": f"{row['started_from']} to {row['started_to']}",
                "Cases": count_words(row["case_count"], hidden),
                "End known": count_words(row["known_count"], hidden),
                "Ended so": hidden
                if row["base_rate"] is None
                else f"{percent(row['base_rate'])} "
                f"({percent(row['base_rate_low'])} to {percent(row['base_rate_high'])})",
            }
            for row in cohorts.to_dicts()
        ]
    )


def risk_rows(landmarks: pl.DataFrame, hidden: str) -> pl.DataFrame:
    """Return who was there at each moment, and what became of them."""
    return pl.DataFrame(
        [
            {
                "When": row["landmark_words"],
                "Cases there": count_words(row["at_risk"], hidden),
                "End known": count_words(row["known"], hidden),
                "End not known": count_words(row["unknown"], hidden),
                "Reviewed, apart": count_words(row["reviewed"], hidden),
                "Dropped out later": count_words(row["dropped_out"], hidden),
                "Ended so": _bounds(row, hidden),
            }
            for row in landmarks.to_dicts()
        ]
    )


def _bounds(row: Mapping[str, Any], hidden: str) -> str:
    if row["base_rate"] is None:
        return hidden
    low, high = row["base_rate_if_unknown_good"], row["base_rate_if_unknown_bad"]
    ends = "" if low is None or high is None else f"; of all {percent(low)} to {percent(high)}"
    return f"{percent(row['base_rate'])} of those known{ends}"
