"""Print the rule in force, what its version changed, and every measure's numbers and sources."""

from __future__ import annotations

import json
from pathlib import Path

from data_contracts.errors import SourceError
from data_contracts.measure import Measure
from data_contracts.measures import measures_for
from data_contracts.places import Places
from data_contracts.rule import StatusRule, rule_text, status_rule
from data_contracts.settings import settings_of


def existing_home(home: Path) -> Path:
    """Return the home that was asked for; the built-in numbers are no answer for one not there.

    Raises
    ------
    SourceError
        If there is no such folder.
    """
    if not home.expanduser().is_dir():
        message = f"there is no home {home}: correct --home, or leave it out for the built-in rule"
        raise SourceError(message)
    return home


def _in_force(places: Places) -> tuple[StatusRule, dict[str, Measure]]:
    rule = status_rule(settings_of(places).rule)
    return rule, measures_for(places.measures)


def rules_as_text(places: Places) -> str:
    """Return the rule as it is written, what the practice overrides, and the measures."""
    rule, measures = _in_force(places)
    parts = [f"Status rule {rule.version} (conditions in their order: docs/status_rule.md)", ""]
    parts.append("What changed")
    parts += [
        f"  {change.version}  {change.what}\n{'':<5}Why: {change.why}" for change in rule.changes
    ]
    parts += ["", rule_text().split("\n# What changed", maxsplit=1)[0].rstrip(), ""]
    overrides = settings_of(places).rule
    if overrides:
        parts.append(f"Overridden by {places.settings}:")
        parts += [f"  {name} = {value:g}" for name, value in overrides.items()]
        parts.append("")
    parts.append("Measures (RC = reliable change, C = last score still in the clinical range)")
    for measure in sorted(measures.values(), key=lambda each: each.measure_id):
        parts.append(_line(measure))
    parts += ["", "Shown beside every safety item: " + settings_of(places).safety_protocol]
    return "\n".join(parts)


def _line(measure: Measure) -> str:
    change = measure.reliable_change_points
    numbers = [
        f"{measure.measure_id:<18} {measure.name}, {measure.minimum:g} to {measure.maximum:g}, "
        f"higher is {measure.higher_is}"
    ]
    if measure.role == "outcome":
        source = measure.reliable_change.source if measure.reliable_change else "computed"
        told = "none known" if change is None else f"{change:g} ({source})"
        numbers.append(f"{'':<18}   RC {told}")
        if measure.clinical_cutoff:
            numbers.append(f"{'':<18}   C {measure.cutoff:g} ({measure.clinical_cutoff.source})")
    if measure.alliance:
        numbers.append(
            f"{'':<18}   concern at or below {measure.alliance.low_at:g} "
            f"({measure.alliance.low_source})"
        )
        numbers.append(
            f"{'':<18}   at the top from {measure.alliance.ceiling_at:g} on "
            f"({measure.alliance.ceiling_source}); error of one rating "
            f"{measure.alliance.standard_error_of_measurement:g} "
            f"({measure.alliance.standard_error_source})"
        )
    numbers += [
        f"{'':<18}   safety item, shown as answered: {part.name}, flag from {part.flag_from:g}"
        + (" or when it rises from zero" if part.flag_rise_from_zero else "")
        + f" ({part.source})"
        for part in measure.subscales
        if part.safety
    ]
    if measure.unverified_numbers:
        numbers.append(f"{'':<18}   NOT YET VERIFIED: {', '.join(measure.unverified_numbers)}")
    return "\n".join(numbers)


def rules_as_json(places: Places) -> str:
    """Return rule and measures for programs."""
    rule, measures = _in_force(places)
    return json.dumps(
        {
            "rule_version": rule.version,
            "thresholds": rule.thresholds.model_dump(),
            "changes": [change.model_dump() for change in rule.changes],
            "safety_protocol": settings_of(places).safety_protocol,
            "measures": {
                name: {
                    "name": measure.name,
                    "reliable_change": measure.reliable_change_points,
                    "cutoff": measure.cutoff,
                    "verified": measure.is_verified,
                    "unverified_numbers": list(measure.unverified_numbers),
                }
                for name, measure in sorted(measures.items())
            },
        },
        indent=1,
    )
