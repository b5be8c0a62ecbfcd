"""What is said of a model in use: is it still right, and what should be done if not?

Sentences for people over counts that may be shown; the words for outcomes come from wording.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import polars as pl

from data_contracts.suppression import SuppressionRule
from data_contracts.wording import templates
from models.drift import FEWEST_RECENT, CalibrationDrift
from models.feature_words import feature_words
from models.suppression import rounded

Concern = Literal["", "inputs", "calibration", "unusable", "unknown"]
"""What is the matter with a model; '' is nothing, 'unknown' that nobody can tell any more."""

_CLEARLY = "moved_clearly"
_MOVED = ("moved", _CLEARLY)


def outcome_words(outcome: str) -> str:
    """Return how cases end that end so: 'end clearly worse than they began'.

    Examples
    --------
    >>> outcome_words("drop_out")
    'drop out'
    """
    return templates("outlook")[f"end.{outcome}"]


def inputs_sentence(found: pl.DataFrame) -> str:
    """Return whether what goes into a model lies as it did, from `inputs_drift`.

    Examples
    --------
    >>> found = pl.DataFrame({"feature": ["score", "gain"], "verdict": ["as_before", "moved"]})
    >>> inputs_sentence(found)
    'What goes into it has moved since it was learned: gain from the first to the last score.'
    """
    if found.is_empty() or (found["verdict"] == "too_few").all():
        return (
            f"Whether what goes into it has moved cannot be said yet: fewer than {FEWEST_RECENT} "
            "cases came to that point in the last quarter."
        )
    moved = found.filter(pl.col("verdict").is_in(_MOVED))
    if moved.is_empty():
        return "What goes into it lies as it did when it was learned."
    told = [
        feature_words(name) + (" (clearly)" if verdict == _CLEARLY else "")
        for name, verdict in moved.select("feature", "verdict").iter_rows()
    ]
    return f"What goes into it has moved since it was learned: {', '.join(told)}."


def calibration_sentence(
    found: CalibrationDrift, newest: Mapping[str, Any] | None, outcome: str, rule: SuppressionRule
) -> str:
    """Return whether what a model expected came about.

    Parameters
    ----------
    newest
        The same of the cases held back when it was trained; told while too few have ended since.

    Examples
    --------
    >>> from data_contracts.suppression import suppression_rule
    >>> found = CalibrationDrift(
    ...     n=100, bad=30, expected=40.0, gap=-0.1, gap_low=-0.22, gap_high=0.02,
    ...     verdict="as_expected",
    ... )
    >>> said = calibration_sentence(found, None, "drop_out", suppression_rule("default"))
    >>> said.split(", ")[1]
    'it expected 40 in 100 to drop out; 30 in 100 did: no more apart than chance allows.'
    """
    if found.verdict != "too_few":
        return _came(found, "Of about {n} cases that ended since", outcome, rule)
    waiting = (
        f"Whether its chances come true cannot be said yet: fewer than {FEWEST_RECENT} cases have "
        "ended since it was learned."
    )
    if newest is None or newest.get("verdict") in (None, "too_few"):
        return waiting
    before = CalibrationDrift(**newest)
    head = "When it was trained, of about {n} of the newest cases held back"
    return f"{waiting} {_came(before, head, outcome, rule)}"


def concern_of(inputs: pl.DataFrame, calibration: CalibrationDrift) -> Concern:
    """Return what is the matter, gravest first: '' if nothing is.

    Examples
    --------
    >>> none = pl.DataFrame({"verdict": ["as_before"]})
    >>> concern_of(none, CalibrationDrift(n=80, verdict="more"))
    'calibration'
    """
    if calibration.verdict in ("more", "fewer", "less_exact"):
        return "calibration"
    return "inputs" if (inputs["verdict"] == _CLEARLY).any() else ""


def advice(concern: Concern, *, measure_id: str, outcome: str, lacking: str | None = None) -> str:
    """Return what to do about it, with the command.

    Parameters
    ----------
    lacking
        What the measure lacks for this outcome, in words (`Outcome.needs`); None: nothing.

    Examples
    --------
    >>> advice("", measure_id="phq9", outcome="drop_out")
    'Nothing to do.'
    """
    back = f"`unstuck models --roll-back --measure {measure_id} --outcome {outcome}`"
    match concern:
        case "":
            return "Nothing to do."
        case "inputs":
            return (
                "Look at Data quality first: is something sent otherwise than before? If cases "
                "themselves have changed, train again: `unstuck train`."
            )
        case "calibration":
            return (
                "Train again: `unstuck train`. Until a new model is in use, take this one back "
                f"with {back}."
            )
        case "unusable" if lacking:
            return (
                f"It says nothing and the status rule stands in: {lacking}. Put it back into the "
                f"measure's contract, or use {back}."
            )
        case "unusable":
            return (
                "It cannot be opened or gives no answer, so it says nothing and the status "
                f"rule stands in. Train again, `unstuck train`, or use {back}."
            )
        case "unknown":
            return (
                "What it was learned from is not noted any more, so nobody can see whether it is "
                "still right. Train again: `unstuck train`."
            )


def model_sentence(
    *, version: str, case_count: int | None, figures: Mapping[str, Any] | None
) -> str:
    """Return which model it is and how good it was out of sample.

    Parameters
    ----------
    case_count
        Rounded; None: too few to be told.
    figures
        `landmark, auc, auc_low, auc_high`; None where there are none.

    Examples
    --------
    >>> model_sentence(version="v1", case_count=410, figures=None)
    'Version v1, learned from about 410 ended cases.'
    """
    learned = "few" if case_count is None else f"about {case_count:,}"
    said = f"Version {version}, learned from {learned} ended cases"
    if figures is None or figures.get("auc") is None:
        return f"{said}."
    at = str(figures["landmark"]).replace("_", " ")
    interval = ""
    if figures.get("auc_low") is not None:
        interval = f" ({figures['auc_low']:.2f} to {figures['auc_high']:.2f})"
    return f"{said}; area under the curve at {at}, out of sample: {figures['auc']:.2f}{interval}."


def _came(found: CalibrationDrift, head: str, outcome: str, rule: SuppressionRule) -> str:
    verdict = {
        "as_expected": "no more apart than chance allows",
        "more": "more than chance allows",
        "fewer": "fewer than chance allows",
        "less_exact": "right on the whole, but single cases less exactly than at the training",
    }[found.verdict]
    n = rounded(found.n, rule)
    told = head.format(n=n)
    if found.bad is None or found.expected is None or _is_small(found, rule):
        return f"{told}: {verdict}. The numbers behind it are too small to show."
    expected = round(100 * found.expected / found.n)
    observed = round(100 * min(rounded(found.bad, rule) / n, 1.0))
    return (
        f"{told}, it expected {expected} in 100 to {outcome_words(outcome)}; {observed} in 100 "
        f"did: {verdict}."
    )


def _is_small(found: CalibrationDrift, rule: SuppressionRule) -> bool:
    sides: Sequence[int] = (found.bad or 0, found.n - (found.bad or 0))
    return any(0 < side <= rule.hide_up_to for side in sides)
