"""How is a model card said, so that a clinician and a reviewer can both read it? As Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.model_card import MODEL, ModelCard
from models.tripod_ai import ITEMS, SOURCE

_RULE_WORDS = {
    MODEL: "the model",
    "naive_two_score": "first and last score (logistic)",
    "status_rule": "status rule",
}
_HIDDEN = "hidden"
_NONE = "-"


def card_text(card: ModelCard) -> str:
    """Return the card as Markdown; every number in it comes from the card.

    Examples
    --------
    >>> from data_contracts.suppression import suppression_rule
    >>> from models.model_card import Decision, TrainingCounts, model_card
    >>> card = model_card(
    ...     shown={"measure": "phq9", "outcome": "drop_out", "outcome_in_words": "care ends so"},
    ...     measure_name="PHQ-9", version="v1", seed=1, packages={},
    ...     counts=TrainingCounts(
    ...         cases=420, known=400, bad=61, reviewed=3, newest=80, fitted=397, fitted_bad=61
    ...     ),
    ...     decision=Decision(is_promoted=False, why=("Worse.",)), features=[], tried=[],
    ...     suppression=suppression_rule("default"),
    ... )
    >>> card_text(card).splitlines()[0]
    '# Model card: PHQ-9, care ends so'
    """
    parts = [
        [f"# Model card: {card.measure_name}, {card.outcome_in_words}", *_first(card)],
        ["## What it says", *_says(card)],
        ["## What it is for", *_purpose()],
        ["## What it is not for", *(f"- {each}" for each in card.not_for)],
        ["## Data", *_data(card)],
        ["## Outcome", *_outcome(card)],
        ["## Predictors", *_predictors(card)],
        ["## Missing values", *_missing()],
        ["## What was tried", *_tried(card)],
        ["## How good, out of sample", *_figures(card)],
        ["## Calibration", *_calibration(card)],
        ["## Subgroups", *_subgroups(card)],
        ["## Compared with what was there", *(f"- {each}" for each in card.decision.why)],
        ["## Limits", *(f"- {each}" for each in card.limits)],
        ["## When it says nothing", *_refusals()],
        ["## TRIPOD+AI", *_tripod()],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _first(card: ModelCard) -> list[str]:
    state = "put in use" if card.decision.is_promoted else "not put in use"
    packages = ", ".join(f"{name} {version}" for name, version in card.packages.items())
    said = [
        "",
        f"Version `{card.version}` for {card.measure_name}, {state}. Developed and evaluated on "
        "one practice's past cases. A program made this card from numbers; nobody wrote it.",
    ]
    told = card.first_figures
    if told is not None:
        at, rules = told
        said.append(
            f"At {_landmark(at)} its area under the curve is {_with_interval(rules[MODEL], 'auc')}"
            f"{_beside(rules)}; .5 is chance, 1 is perfect."
        )
    return [*said, f"Seed {card.seed}; {packages or 'packages not noted'}."]


def _beside(rules: Mapping[str, Any]) -> str:
    other = rules.get("naive_two_score", {})
    if other.get("auc") is None:
        return ""
    return f", that of first and last score alone {_with_interval(other, 'auc')}"


def _says(card: ModelCard) -> list[str]:
    return [
        "",
        "The chance, from 0 to 1, that an open case ends so, from what is known of it now: "
        f"{card.outcome_in_words}. It gives no yes or no. Where a line is drawn through the "
        "chances follows from how many cases a supervisor can talk about (alarm budget).",
    ]


def _purpose() -> list[str]:
    return [
        "",
        "For clinical supervisors, to choose which open cases to talk about first. It needs no "
        "input by hand; whoever reads it must know the case, and that a chance is no finding.",
    ]


def _data(card: ModelCard) -> list[str]:
    counts = {name: _count(value) for name, value in card.counts.items()}
    said = [
        "",
        "Routine care of this practice, as it was sent; nothing leaves the practice. Cases with a "
        f"score after the first: {counts['cases']}. Of those the outcome is about, with a known "
        f"end: {counts['known']}, of which ended so: {counts['bad']}.",
        f"Left out, as reviewed after a flag: {counts['reviewed']}. Held back to "
        f"compare models: {counts['newest']}, the newest. After that the model in the file learned "
        f"from {counts['fitted']} ({counts['fitted_bad']} ended so).",
        "Small counts are hidden, others rounded.",
    ]
    if card.days is not None:
        first, last = card.days
        said.append(f"They ended between days {first:,} and {last:,} of the practice clock.")
    return [*said, _split(card.split)]


def _split(split: Mapping[str, Any]) -> str:
    if split.get("kind") == "calendar":
        return (
            f"The figures below come from {split.get('blocks')} blocks of time: each case was "
            "asked about by a model that had learned from cases over before that block."
        )
    if split.get("kind") == "cross_validation":
        return (
            f"The figures below come from {split.get('repeats')} times {split.get('folds')}-fold "
            "cross-validation, no client on both sides: there is no calendar."
        )
    return "How cases were divided for the figures below was not noted."


def _outcome(card: ModelCard) -> list[str]:
    return [
        "",
        f"A case counts as bad if it {_as_verb(card.outcome_in_words)}. Told by scores and ends as "
        f"they were sent, after at least {card.later_scores} later scores where a score tells it; "
        "nobody judges it, so there is nothing to blind. It is the same for every group of people.",
    ]


def _as_verb(words: str) -> str:
    return words if words.startswith(("starts", "ends")) else f"is one where {words}"


def _predictors(card: ModelCard) -> list[str]:
    told = [f"- {words} (`{name}`)" for name, words in card.predictors]
    head = "All known on the day the model is asked, never later; points turned so that higher is "
    return ["", f"{head}worse.", "", *(told or ["- not noted"])]


def _missing() -> list[str]:
    return [
        "",
        "What is not known stays unknown and is never zero. That something is missing is itself "
        "known and may count. Where a score the model needs is missing it says nothing.",
    ]


def _tried(card: ModelCard) -> list[str]:
    if not card.tried:
        return ["", "Not noted for this model; docs/outlook.md says what was tried in building it."]
    columns = list(dict.fromkeys(name for row in card.tried for name in row))
    rows = [[_cell(row.get(name)) for name in columns] for row in card.tried]
    return ["", *_table([name.replace("_", " ") for name in columns], rows)]


def _figures(card: ModelCard) -> list[str]:
    head = ["when", "rule", "area under the curve", "Brier", "calibration slope"]
    rows = [
        [
            _landmark(at),
            _RULE_WORDS[name],
            _with_interval(figures, "auc"),
            _number(figures.get("brier")),
            _with_interval(figures, "calibration_slope"),
        ]
        for at, rules in card.figures.items()
        for name, figures in rules.items()
        if figures.get("auc") is not None
    ]
    if not rows:
        return ["", "No figure may be shown: too few cases."]
    return ["", "With 95 % intervals, drawn by client.", "", *_table(head, rows)]


def _calibration(card: ModelCard) -> list[str]:
    told = card.first_figures
    at = told[0] if told else next(iter(card.calibration), "")
    bins = [each for each in card.calibration.get(at, ()) if each.get("share_bad") is not None]
    if not bins:
        return ["", "Too few cases to show chances beside what came of them."]
    rows = [
        [_number(each.get("mean_probability")), _number(each.get("share_bad")), _count(each["n"])]
        for each in bins
    ]
    return [
        "",
        f"At {_landmark(at)}: of cases the model gave about this chance, so many ended so.",
        "",
        *_table(["chance said", "share that ended so", "cases"], rows),
    ]


def _subgroups(card: ModelCard) -> list[str]:
    if not card.subgroups:
        return ["", "None can be shown: groups were not sent, or are too small."]
    rows = [
        [
            str(row.get("by")).replace("_", " "),
            str(row.get("group")),
            _count(row.get("n")),
            _HIDDEN if row.get("is_suppressed") else _with_interval(row, "auc"),
        ]
        for row in card.subgroups
    ]
    landmark = _landmark(str(card.subgroups[0].get("landmark")))
    return [
        "",
        "Groups of few people are hidden; differences between groups may be chance, and none is a "
        f"cause. At {landmark}.",
        "",
        *_table(["by", "group", "cases", "area under the curve"], rows),
    ]


def _refusals() -> list[str]:
    return [
        "",
        "Below a minimum of ended cases, of bad or of good ends; outside the scores it was learned "
        "from; where a score it needs is missing. Then the status rule stands in, and the screen "
        "says so.",
    ]


def _tripod() -> list[str]:
    rows = [[item.number, item.topic, item.by, item.where] for item in ITEMS]
    return [
        "",
        f"{SOURCE}. Which of its items this card answers, what the documentation answers, and what "
        "only the practice can add.",
        "",
        *_table(["item", "topic", "answered by", "where"], rows),
    ]


def _landmark(name: str) -> str:
    kind, _, at = name.rpartition("_")
    return f"{kind} {at}" if kind else name


def _with_interval(figures: Mapping[str, Any], name: str) -> str:
    value = figures.get(name)
    if value is None:
        return _NONE
    low, high = figures.get(f"{name}_low"), figures.get(f"{name}_high")
    if low is None or high is None:
        return _number(value)
    return f"{_number(value)} ({_number(low)} to {_number(high)})"


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else _NONE


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else _HIDDEN


def _cell(value: object) -> str:
    if value is None:
        return _NONE
    return f"{value:.3f}" if isinstance(value, float) else str(value).replace("_", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table; a bar in a cell would break it."""
    lines = ([str(cell).replace("|", "/") for cell in line] for line in (head, *rows))
    told = [f"| {' | '.join(line)} |" for line in lines]
    return [told[0], "|" + "---|" * len(head), *told[1:]]
