"""Which figures of a rule may be shown once small numbers are hidden?

Shares and their intervals (Wilson) come from rounded counts, so they hold nothing that the counts
do not. What comes from the scores of many cases (AUC, Brier, calibration) is told to two decimals,
where both ends have more cases than are hidden. Differences of two rules: of AUC and Brier as they
are, of shares those of the shown shares, as a share of nothing or of all gives the other away.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

from models.alert_words import verdict
from models.shown_counts import ShownCounts, in_steps, told

SHARES: dict[str, tuple[str, str]] = {
    "sensitivity": ("true_alarms", "bad"),
    "specificity": ("rightly_not", "good"),
    "ppv": ("true_alarms", "flagged"),
    "npv": ("rightly_not", "not_flagged"),
    "bad_if_not_flagged": ("missed", "not_flagged"),
    "share_flagged": ("flagged", "n"),
}
"""Each share of a rule's four-fold table: numerator and denominator."""
OF_SCORES = (
    "auc",
    "auc_weighted",
    "brier",
    "brier_skill",
    "calibration_slope",
    "calibration_intercept",
    "expected_error",
)
RULE_COUNTS = ("n", "flagged", "true_alarms", "false_alarms", "missed")
_MARGINS = ("bad", "not_flagged")
BOUNDS = (
    "ppv_if_unknown_good",
    "ppv_if_unknown_bad",
    "sensitivity_if_unknown_good",
    "sensitivity_if_unknown_bad",
)
MEANS = (
    "lead_occasions_mean",
    "lead_weeks_mean",
    "flags_a_supervisor_week",
    "flags_per_30_cases_week",
)
AT_SHARE = ("sensitivity_at_30_percent", "ppv_at_30_percent")
_PAIRS = ("both", "first_only", "second_only", "neither")
DECIMALS, _DECIMALS_OF_DIFFERENCES = 2, 3
_SAME = 1e-6
_EXACT_DIFFERENCES = ("auc", "brier")


def shown_figures(rule: str, raw: Mapping[str, Any], shown: ShownCounts) -> dict[str, Any]:
    """Return the figures of a rule at one landmark; those that are hidden are null, and named.

    >>> from data_contracts.suppression import suppression_rule
    >>> from models.backtest_counts import counts_at
    >>> raw = {"n": 90, "flagged": 33, "true_alarms": 21, "false_alarms": 12, "missed": 9}
    >>> counts = counts_at({"rules": {"outlook": {"day_28": raw}}}, "day_28")
    >>> shown = ShownCounts(counts, suppression_rule("default"))
    >>> figures = shown_figures("outlook", raw, shown)
    >>> figures["flagged"], figures["true_alarms"], figures["missed"], round(figures["ppv"], 2)
    (35, 20, 10, 0.57)
    """
    found: dict[str, Any] = {name: shown.count(name, rule) for name in (*RULE_COUNTS, *_MARGINS)}
    found["reason"] = raw.get("reason")
    for figure, (part, whole) in SHARES.items():
        share = shown.share((part, rule), (whole, rule))
        found |= dict(zip((figure, f"{figure}_low", f"{figure}_high"), share, strict=True))
    found |= _balanced(found)
    is_enough = shown.are_enough(("bad", rule), ("good", rule))
    sides = [(name, rule) for name in ("true_alarms", "false_alarms", "missed", "rightly_not")]
    for figure in OF_SCORES:
        may_show = is_enough
        if figure.startswith("auc") and _is_the_flag_alone(raw):
            # Told exactly, it would give the four counts away.
            may_show = is_enough and shown.are_shown(*sides)
        for name in (figure, f"{figure}_low", f"{figure}_high"):
            found[name] = told(raw.get(name), DECIMALS) if may_show else None
    for name in (*BOUNDS, *AT_SHARE):
        beside = found["ppv" if name.startswith("ppv") else "sensitivity"]
        found[name] = None if beside is None else in_steps(raw.get(name))
    asked = (*RULE_COUNTS, *SHARES, "balanced_accuracy", *OF_SCORES, *BOUNDS, *AT_SHARE)
    found["hidden"] = [name for name in asked if raw.get(name) is not None and found[name] is None]
    found["is_suppressed"] = bool(set(found["hidden"]) & set(RULE_COUNTS))
    return found


def _balanced(found: Mapping[str, Any]) -> dict[str, float | None]:
    """Return balanced accuracy and its interval: sensitivity and specificity are of other cases."""
    parts = [
        tuple(found[f"{name}{end}"] for end in ("", "_low", "_high"))
        for name in ("sensitivity", "specificity")
    ]
    names = ("balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high")
    if any(part[0] is None for part in parts):
        return dict.fromkeys(names)
    mean = sum(part[0] for part in parts) / 2
    below = hypot(*(part[0] - part[1] for part in parts)) / 2
    above = hypot(*(part[2] - part[0] for part in parts)) / 2
    return dict(zip(names, (mean, mean - below, mean + above), strict=True))


def _is_the_flag_alone(raw: Mapping[str, Any]) -> bool:
    """Return whether a rule ranks cases by its flag alone: its AUC is then its counts."""
    auc, balanced = raw.get("auc"), raw.get("balanced_accuracy")
    return auc is not None and balanced is not None and abs(auc - balanced) < _SAME


def shown_bins(
    rule: str, bins: list[Mapping[str, Any]], shown: ShownCounts
) -> list[dict[str, Any]]:
    """Return the bins of a calibration curve at one landmark.

    >>> from data_contracts.suppression import suppression_rule
    >>> from models.backtest_counts import counts_at
    >>> bins = [{"n": 41, "mean_probability": 0.312, "share_bad": 12 / 41}]
    >>> counts = counts_at({"calibration": {"outlook": {"day_28": bins}}}, "day_28")
    >>> shown = ShownCounts(counts, suppression_rule("default"))
    >>> found = shown_bins("outlook", bins, shown)[0]
    >>> found["n"], found["mean_probability"], found["share_bad"]
    (40, 0.31, 0.25)
    """
    found = []
    for place, each in enumerate(bins):
        name = (rule, str(place))
        share, low, high = shown.share(("bin bad", *name), ("bin", *name))
        is_hidden = share is None
        found.append(
            {
                "n": shown.count("bin", *name),
                "share_bad": share,
                "share_low": low,
                "share_high": high,
                "is_suppressed": is_hidden,
                **{
                    name: None if is_hidden else told(each.get(name), DECIMALS)
                    for name in ("low", "high", "mean_probability")
                },
            }
        )
    return found


def shown_agreement(pair: str, cells: Mapping[str, Any], shown: ShownCounts) -> dict[str, Any]:
    """Return how two rules flag the same cases at one landmark.

    >>> from data_contracts.suppression import suppression_rule
    >>> from models.backtest_counts import counts_at
    >>> cells = {"both": 33, "first_only": 12, "second_only": 3, "neither": 60, "kappa": 0.7}
    >>> counts = counts_at({"agreement": {"day_28": {"a|b": cells}}}, "day_28")
    >>> shown = ShownCounts(counts, suppression_rule("default"))
    >>> found = shown_agreement("a|b", cells, shown)
    >>> found["both"], found["second_only"], found["kappa"]
    (35, None, None)
    """
    counts = {name: shown.count(name, pair) for name in _PAIRS}
    is_whole = None not in counts.values()
    return {
        **counts,
        "kappa": told(cells.get("kappa"), DECIMALS) if is_whole else None,
        "is_suppressed": not is_whole,
    }


def shown_differences(
    backtest: Mapping[str, Any], rules: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return differences of figures that are both shown, and whether chance could be all of each.

    Parameters
    ----------
    backtest
        Before suppression: its `paired` and `rules`.
    rules
        What is shown of the rules.

    Returns
    -------
    dict
        By landmark and pair each figure with `_low`, `_high` and `_verdict`. Where exact numbers
        would give counts away it is the difference of what is shown, without an interval.

    Examples
    --------
    >>> shown = {"a": {"day_28": {"ppv": 0.75, "auc": 0.7}}, "b": {"day_28": {"ppv": 0.5}}}
    >>> pair = {"n": 90, "auc": 0.04, "ppv": 0.2347, "ppv_low": 0.1, "ppv_high": 0.4}
    >>> found = shown_differences({"paired": {"day_28": {"a - b": pair}}}, shown)
    >>> found["day_28"]["a - b"]["auc"], found["day_28"]["a - b"]["ppv"]
    (None, 0.25)
    >>> found["day_28"]["a - b"]["ppv_low"], found["day_28"]["a - b"]["ppv_verdict"]
    (None, 'higher')
    """
    found: dict[str, dict[str, Any]] = {}
    for landmark, pairs in backtest.get("paired", {}).items():
        found[landmark] = {}
        for pair, figures in pairs.items():
            names = pair.split(" - ")
            shown = [rules.get(rule, {}).get(landmark) or {} for rule in names]
            raw = [backtest.get("rules", {}).get(rule, {}).get(landmark) or {} for rule in names]
            of_flags = any(_is_the_flag_alone(side) for side in raw)
            found[landmark][pair] = {
                end: value
                for figure in figures
                if figure != "n" and not figure.endswith(("_low", "_high"))
                for end, value in _shown_difference(figure, figures, shown, of_flags).items()
            }
    return found


def _shown_difference(
    figure: str, figures: Mapping[str, Any], shown: list[dict[str, Any]], of_flags: bool
) -> dict[str, Any]:
    names = (figure, f"{figure}_low", f"{figure}_high")
    first, second = (side.get(figure) for side in shown)
    if figures[figure] is None or first is None or second is None:
        return {**dict.fromkeys(names), f"{figure}_verdict": "not known"}
    is_exact = figure in _EXACT_DIFFERENCES and not (figure == "auc" and of_flags)
    values = [figures.get(name) for name in names] if is_exact else [first - second, None, None]
    return {
        **{
            name: told(value, _DECIMALS_OF_DIFFERENCES)
            for name, value in zip(names, values, strict=True)
        },
        f"{figure}_verdict": verdict(figures.get(names[1]), figures.get(names[2])),
    }


def shown_course(rule: str, raw: Mapping[str, Any], shown: ShownCounts) -> dict[str, Any]:
    """Return the figures of a rule over whole courses.

    >>> from data_contracts.suppression import suppression_rule
    >>> from models.backtest_counts import counts_over_the_course
    >>> raw = {"cases": 100, "bad": 30, "ever_flagged": 40, "ever_flagged_of_bad": 2 / 3}
    >>> counts = counts_over_the_course({"over_the_course": {"outlook": raw}})
    >>> shown = ShownCounts(counts, suppression_rule("default"))
    >>> round(shown_course("outlook", raw, shown)["ever_flagged_of_bad"], 2)
    0.67
    """
    found: dict[str, Any] = {}
    for figure, part, whole in (
        ("ever_flagged_share", ("ever", rule), ("cases", rule)),
        ("ever_flagged_of_bad", ("ever and bad", rule), ("bad", rule)),
        ("ever_flagged_of_good", ("ever and good", rule), ("good", rule)),
        ("bad_if_never_flagged", ("never and bad", rule), ("never", rule)),
        ("bad_if_ever_flagged", ("ever and bad", rule), ("ever", rule)),
    ):
        share, low, high = shown.share(part, whole)
        found |= {
            figure: share,
            f"{figure}_low": low,
            f"{figure}_high": high,
            f"{figure}_n": shown.count(*whole),
        }
    may_show = found["ever_flagged_of_bad"] is not None
    for figure in MEANS:
        found[figure] = told(raw.get(figure), 1) if may_show else None
    hidden = [name for name, value in found.items() if value is None and raw.get(name) is not None]
    return found | {"hidden": hidden, "is_suppressed": not may_show}
