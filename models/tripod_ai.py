"""Which items of TRIPOD+AI does a model card answer, and where?

TRIPOD+AI: Collins and others (2024), BMJ 385, e078378: 27 items in 52 parts on reporting models
that predict. Numbers, topics and parts were read in a reproduction of the published checklist
(CC BY 4.0) that says it was checked against the official supplements, not in the BMJ's own pages;
what an item asks for is said here in our words. A card is made by a machine from numbers: what it
cannot know is left to the practice and said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SOURCE = "TRIPOD+AI: Collins and others (2024), BMJ 385, e078378"

By = Literal["card", "documentation", "practice", "does not apply"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One part of the checklist and who answers it."""

    number: str
    topic: str
    by: By
    where: str
    """Section of the card, page of the documentation, or what the practice must add."""


def _item(number: str, topic: str, by: By, where: str) -> Item:
    return Item(number=number, topic=topic, by=by, where=where)


_OUTLOOK = "docs/outlook.md"
_BACKTEST = "docs/backtest.md"
_SHELF = "docs/models_in_use.md"

ITEMS: tuple[Item, ...] = (
    _item("1", "Title", "card", "title"),
    _item("2", "Abstract", "card", "first section"),
    _item("3a", "Background: context, rationale, earlier models", "documentation", _OUTLOOK),
    _item("3b", "Background: for whom, for what, used by whom", "card", "What it is for"),
    _item("3c", "Background: known inequalities", "practice", "what is known of its own clients"),
    _item("4", "Objectives: developed, evaluated, or both", "card", "first section"),
    _item("5a", "Data: sources, and how representative", "card", "Data"),
    _item("5b", "Data: dates", "card", "Data (days of the practice clock; dates stay secret)"),
    _item("6a", "Participants: setting and centres", "practice", "its setting and sites"),
    _item("6b", "Participants: who was eligible", "card", "Data"),
    _item("6c", "Participants: treatments", "practice", "which treatments it offers"),
    _item("7", "Data preparation", "documentation", "docs/data_model.md, docs/mapping.md"),
    _item("8a", "Outcome: definition and horizon", "card", "Outcome"),
    _item("8b", "Outcome: who judged it", "does not apply", "a score or a sent end, no judgement"),
    _item("8c", "Outcome: blinding", "card", "Outcome"),
    _item("9a", "Predictors: how chosen", "card", "What was tried"),
    _item("9b", "Predictors: definitions", "card", "Predictors"),
    _item("9c", "Predictors: who judged them", "does not apply", "scores and attendance as sent"),
    _item("10", "Sample size", "card", "Data, Limits"),
    _item("11", "Missing data", "card", "Missing values"),
    _item("12a", "Methods: use of the data, partitions", "card", "Data"),
    _item("12b", "Methods: handling of predictors", "documentation", _OUTLOOK),
    _item("12c", "Methods: model, steps, internal validation", "documentation", _OUTLOOK),
    _item("12d", "Methods: differences between clusters", "card", "Subgroups (sites)"),
    _item("12e", "Methods: measures of performance", "documentation", _BACKTEST),
    _item("12f", "Methods: updating", "documentation", _SHELF),
    _item("12g", "Methods: how predictions are made", "documentation", _OUTLOOK),
    _item("13", "Class imbalance", "does not apply", "no case is weighted or drawn twice"),
    _item("14", "Fairness", "card", "Subgroups"),
    _item("15", "Output and thresholds", "card", "What it says"),
    _item("16", "Training versus evaluation", "card", "Data"),
    _item("17", "Ethical approval", "practice", "approval or waiver for this use of its data"),
    _item("18a", "Funding", "practice", "who pays"),
    _item("18b", "Conflicts of interest", "practice", "declare them"),
    _item("18c", "Protocol", "documentation", f"{_BACKTEST}, {_SHELF}"),
    _item("18d", "Registration", "practice", "registered or not"),
    _item("18e", "Data sharing", "card", "Data (nothing leaves the practice)"),
    _item("18f", "Code sharing", "documentation", "README.md: the whole code is open"),
    _item("19", "Patient and public involvement", "practice", "whether clients took part"),
    _item("20a", "Results: flow of cases", "card", "Data"),
    _item("20b", "Results: characteristics", "card", "Data, Subgroups"),
    _item("20c", "Results: new data beside old", "documentation", f"{_SHELF}: drift, on Runs"),
    _item("21", "Results: cases and events in each analysis", "card", "Data, How good"),
    _item("22", "Results: the whole model", "card", "first section (file beside this card)"),
    _item("23a", "Results: performance with intervals", "card", "How good, Subgroups"),
    _item("23b", "Results: differences between clusters", "card", "Subgroups (sites)"),
    _item("24", "Results of updating", "card", "Compared with what was there"),
    _item("25", "Interpretation", "practice", "what follows for its own work"),
    _item("26", "Limitations", "card", "Limits"),
    _item("27a", "Use: poor or missing input", "card", "When it says nothing"),
    _item("27b", "Use: expertise needed", "card", "What it is for"),
    _item("27c", "Use: next steps", "documentation", _OUTLOOK),
)
