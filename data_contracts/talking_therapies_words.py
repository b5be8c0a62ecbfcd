"""How is a figure of England's official outcomes said, on the command line and on the screens?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from data_contracts.suppression import SuppressionRule, official_suppression
from data_contracts.talking_therapies import talking_therapies_rule
from data_contracts.wording import sentence

SECTION: Final = "talking_therapies"
FIGURES_IN_ORDER = (
    "recovery",
    "reliable_recovery",
    "reliable_improvement",
    "reliable_deterioration",
    "not_caseness",
    "paired",
    "finished",
)

Row = Mapping[str, object]
"""A row of published_talking_therapies, by column."""


def figure_title(figure: str) -> str:
    """Return the name of a figure, such as 'Recovery'."""
    return sentence(SECTION, f"{figure}.title")


def share_words(row: Row, preset: str) -> str:
    """Return '41 % (38 % to 43 %)', or that it is hidden."""
    if row["is_suppressed"]:
        return f"hidden (fewer than {_few(preset)})"
    return f"{_percent(row['rate'])} ({_percent(row['rate_low'])} to {_percent(row['rate_high'])})"


def share_with_counts(row: Row, preset: str) -> str:
    """Return the share and the two rounded counts it stands on, or that it is hidden."""
    said = share_words(row, preset)
    if row["is_suppressed"]:
        return said
    return f"{said}, {row['numerator']:,} of {row['denominator']:,}"


def figure_sentence(row: Row, preset: str) -> str:
    """Return a figure in one sentence: the share, of whom, and what it counts."""
    figure = str(row["figure"])
    words = {name: sentence(SECTION, f"{figure}.{name}") for name in ("counts", "of")}
    if row["is_suppressed"]:
        return sentence(SECTION, "hidden", few=str(_few(preset)), **words)
    return sentence(
        SECTION,
        "shown",
        share=share_words(row, preset),
        numerator=f"{row['numerator']:,}",
        denominator=f"{row['denominator']:,}",
        **words,
    )


def category_words(row: Row) -> str:
    """Return what a reason or an anxiety measure stands for."""
    category = str(row["category"])
    if row["figure"] == "anxiety_measure":
        thresholds = talking_therapies_rule().thresholds.get(category)
        return sentence(SECTION, "reason.measure", name=thresholds.name if thresholds else category)
    return sentence(SECTION, f"reason.{category}")


def rule_in_words(preset: str) -> list[str]:
    """Return how the figures are computed, from which sources, and what of it is recalled."""
    rule: SuppressionRule = official_suppression(preset)
    return [
        sentence(SECTION, "rule.apart"),
        sentence(SECTION, "rule.pair"),
        sentence(SECTION, "rule.caseness"),
        sentence(SECTION, "rule.shown", round_to=str(rule.round_to), few=str(_few(preset))),
        sentence(SECTION, "rule.sources"),
        sentence(SECTION, "rule.recalled", recalled="; ".join(talking_therapies_rule().recalled)),
    ]


def _few(preset: str) -> int:
    return official_suppression(preset).hide_up_to + 1


def _percent(share: object) -> str:
    return f"{float(str(share)) * 100:.0f} %"
