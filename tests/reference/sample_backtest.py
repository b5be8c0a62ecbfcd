"""A back-test of invented cases in the form that `Backtest.as_json` promises.

Every count is counted, so that the counts fit one another; how good the rules are is made up.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

RULES = {  # how much of the end each rule sees, and which share of cases it flags
    "reliable_change": (0.5, 0.25),
    "early_percent_change": (0.7, 0.4),
    "expected_course": (0.8, 0.3),
    "similar_cases": (0.8, 0.3),
    "outlook": (1.3, 0.3),
    "status_rule": (1.1, 0.3),
    "naive_last_change": (0.4, 0.35),
    "naive_two_score": (1.2, 0.3),
}
WITH_PROBABILITY = ("outlook", "naive_two_score")
OUTCOMES = {
    "clinical_without_gain": "starts in the clinical range and ends there "
    "without clear improvement (reliable change)",
    "reliable_deterioration": "ends reliably worse than it began",
    "drop_out": "care ends because the client drops out",
}


def sample_backtest(
    *,
    cases: int = 400,
    outcome: str = "clinical_without_gain",
    measure: str = "phq9",
    base_rate: float = 0.3,
    occasions: tuple[int, ...] = (2, 4, 6, 8),
    seed: int = 1,
) -> dict[str, Any]:
    """Return a back-test of so many invented cases with a known end."""
    random = np.random.default_rng(seed)
    is_bad = random.random(cases) < base_rate
    scores = {rule: sees * is_bad + random.normal(0, 1, cases) for rule, (sees, _) in RULES.items()}
    sites = random.choice(["north", "south", "west"], size=cases, p=[0.55, 0.41, 0.04])
    found: dict[str, Any] = {
        "format": "backtest 1",
        "measure": measure,
        "outcome": outcome,
        "outcome_in_words": OUTCOMES[outcome],
        "n": cases,
        "base_rate": float(is_bad.mean()),
        "split": {"kind": "calendar", "repeats": 1, "folds": None, "blocks": 9, "seed": 1},
        "landmarks": {},
        "rules": {rule: {} for rule in RULES},
        "paired": {},
        "calibration": {rule: {} for rule in WITH_PROBABILITY},
        "agreement": {},
        "subgroups": [],
        "cohorts": _cohorts(is_bad),
        "reviewed": {"cases": 31, "known": 23, "bad": 9, "suppressed": False},
        "budget": _budget(),
        "over_the_course": {},
        "notes": ["Cases that were reviewed after a flag stand apart."],
    }
    for place, occasion in enumerate(occasions):
        name = f"occasion_{occasion}"
        there = np.arange(cases) < cases * (1 - 0.1 * place)
        found["landmarks"][name] = _landmark(occasion, is_bad[there])
        flags = {
            rule: scores[rule][there] > np.quantile(scores[rule][there], 1 - share)
            for rule, (_, share) in RULES.items()
        }
        for rule, flagged in flags.items():
            found["rules"][rule][name] = _figures(is_bad[there], scores[rule][there], flagged)
        found["paired"][name] = {
            f"{first} - {second}": _difference(
                found["rules"][first][name], found["rules"][second][name]
            )
            for first, second in combinations(RULES, 2)
        }
        found["agreement"][name] = {
            f"{first}|{second}": _agreement(flags[first], flags[second])
            for first, second in combinations(RULES, 2)
        }
        for rule in WITH_PROBABILITY:
            found["calibration"][rule][name] = _bins(scores[rule][there], is_bad[there])
        for group in np.unique(sites[there]):
            own = sites[there] == group
            found["subgroups"] += [
                {"by": "site_id", "group": str(group), "landmark": name, "rule": rule}
                | _figures(is_bad[there][own], scores[rule][there][own], flags[rule][own])
                | {"suppressed": False}
                for rule in ("status_rule", "outlook")
            ]
    for rule, (_, share) in RULES.items():
        ever = scores[rule] > np.quantile(scores[rule], 1 - min(0.9, share * 1.3))
        found["over_the_course"][rule] = {
            "cases": cases,
            "bad": int(is_bad.sum()),
            "ever_flagged": int(ever.sum()),
            "ever_flagged_share": float(ever.mean()),
            "ever_flagged_of_bad": float(ever[is_bad].mean()) if is_bad.any() else None,
            "ever_flagged_of_good": float(ever[~is_bad].mean()),
            "lead_occasions_mean": 4.83,
            "lead_weeks_mean": 6.2,
            "bad_if_never_flagged": float(is_bad[~ever].mean()),
            "flags_a_supervisor_week": 1.4,
        }
    return found


def _landmark(occasion: int, is_bad: np.ndarray) -> dict[str, Any]:
    known, bad = len(is_bad), int(is_bad.sum())
    return {
        "kind": "occasion",
        "at": occasion,
        "at_risk": known + 52 + 23,
        "known": known,
        "unknown": 52,
        "bad": bad,
        "base_rate": bad / known,
        "later_scores": 3,
        "why_unknown": {"still_open": 30, "too_few_later_scores": 22},
        "base_rate_if_unknown_good": bad / (known + 75),
        "base_rate_if_unknown_bad": (bad + 75) / (known + 75),
        "dropped_out": 20,
        "dropped_out_of_known": 9,
        "dropped_out_of_unknown": 11,
        "ended_otherwise": known - 9,
        "reviewed": 23,
    }


def _cohorts(is_bad: np.ndarray) -> list[dict[str, Any]]:
    found = []
    for place, part in enumerate(np.array_split(is_bad, 3)):
        bad = int(part.sum())
        found.append(
            {
                "started_from": 182 * place,
                "started_to": 182 * place + 181,
                "cases": len(part) + 20,
                "known": len(part),
                "bad": bad,
                "base_rate": bad / len(part),
                "suppressed": False,
            }
        )
    return found


def _figures(is_bad: np.ndarray, score: np.ndarray, flagged: np.ndarray) -> dict[str, Any]:
    hits, false = int((flagged & is_bad).sum()), int((flagged & ~is_bad).sum())
    bad, good = int(is_bad.sum()), int((~is_bad).sum())
    if not bad or not good:
        return {"n": len(is_bad), "bad": bad, "auc": None, "reason": "nobody_asked"}
    above = (score[is_bad][:, None] > score[~is_bad][None, :]).mean()
    found: dict[str, Any] = {
        "n": len(is_bad),
        "bad": bad,
        "auc": float(above),
        "sensitivity": hits / bad,
        "specificity": 1 - false / good,
        "ppv": hits / max(1, hits + false),
        "npv": (good - false) / max(1, len(is_bad) - hits - false),
        "balanced_accuracy": (hits / bad + 1 - false / good) / 2,
        "brier": 0.19,
        "calibration_slope": 0.98,
        "share_flagged": float(flagged.mean()),
        "bad_if_not_flagged": (bad - hits) / max(1, len(is_bad) - hits - false),
    }
    for name in tuple(found)[2:]:
        found |= {f"{name}_low": found[name] - 0.05, f"{name}_high": found[name] + 0.05}
    return found | {
        "flagged": hits + false,
        "true_alarms": hits,
        "false_alarms": false,
        "missed": bad - hits,
        "calibration_intercept": 0.02,
        "ppv_if_unknown_good": 0.52,
        "ppv_if_unknown_bad": 0.71,
        "sensitivity_if_unknown_good": 0.6,
        "sensitivity_if_unknown_bad": 0.5,
        "auc_weighted": float(above) - 0.01,
        "reason": None,
    }


def _difference(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("auc", "sensitivity", "ppv"):
        if first.get(name) is None or second.get(name) is None:
            continue
        less = first[name] - second[name]
        found |= {name: less, f"{name}_low": less - 0.06, f"{name}_high": less + 0.06}
    return found


def _agreement(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    return {
        "both": int((first & second).sum()),
        "first_only": int((first & ~second).sum()),
        "second_only": int((~first & second).sum()),
        "neither": int((~first & ~second).sum()),
        "kappa": 0.4123,
    }


def _bins(score: np.ndarray, is_bad: np.ndarray) -> list[dict[str, Any]]:
    probability = 1 / (1 + np.exp(1.1 - score))
    order = np.argsort(probability)
    return [
        {
            "low": float(probability[part].min()),
            "high": float(probability[part].max()),
            "n": len(part),
            "mean_probability": float(probability[part].mean()),
            "share_bad": float(is_bad[part].mean()),
        }
        for part in np.array_split(order, max(1, len(order) // 40))
    ]


def _budget() -> list[dict[str, Any]]:
    return [
        {
            "cases_a_week": cases,
            "unit": "supervisor",
            "threshold": round(0.75 - 0.04 * cases, 2),
            "flags_a_week": cases - 0.2,
            "case_count": 400,
            "bad_count": 120,
            "ever_flagged": 0.05 * cases,
            "sensitivity": 0.1 * cases,
            "sensitivity_low": 0.1 * cases - 0.05,
            "sensitivity_high": 0.1 * cases + 0.05,
            "ppv": 0.7 - 0.03 * cases,
            "ppv_low": 0.6 - 0.03 * cases,
            "ppv_high": 0.8 - 0.03 * cases,
            "missed_in_ten": 10 - cases,
            "caught_in_ten": cases,
            "ended_so_in_ten": 5,
            "reviewed_count": 20,
            "lead_weeks": 6.0,
            "lead_occasions": 5.0,
            "is_suppressed": False,
            "sentence": f"Talking about {cases} cases a week would find {cases} of 10.",
        }
        for cases in range(1, 6)
    ]
