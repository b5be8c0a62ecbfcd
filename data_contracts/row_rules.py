"""What every incoming row must satisfy, derived from the contracts; one rule, one name.

The validation step turns these into Great Expectations suites; the wording file says, for each
rule id, what is wrong and what to do. Rules on text come before rules on the number it spells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from data_contracts.contract import Column, Table
from data_contracts.mapping import FileMapping
from data_contracts.measure import Measure
from data_contracts.tables import sent_columns

RuleKind = Literal["present", "pattern", "one_of", "between", "at_least", "at_most", "equal"]

WHOLE_NUMBER = r"^[+-]?\d{1,9}(?:[.]0+)?$"
NUMBER = r"^[+-]?\d{1,9}(?:[.]\d+)?$"
IDENTIFIER = r"^[A-Za-z0-9._:/-]{1,64}$"
CODE = r"^.{1,40}$"

_IDENTIFIERS = ("case_id", "therapist_id", "supervisor_id", "site_id")


@dataclass(frozen=True, kw_only=True)
class RowRule:
    """One rule on one column; `other` names the second column of a comparison."""

    rule_id: str
    kind: RuleKind
    column: str  # the column examined
    about: str  # the column of ours a person should look at
    pattern: str = ""
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    other: str = ""


def number_pattern(pattern: str, decimal: str) -> str:
    """Return a number pattern with the file's decimal sign."""
    return pattern.replace("[.]", f"[{decimal}]")


def row_rules(
    file: FileMapping, table: Table, measures: Mapping[str, Measure]
) -> tuple[RowRule, ...]:
    """Return all rules for the rows of one file.

    The frame they examine holds our column names as text, and for numeric columns `X_number`;
    scores also `pair` (measure and subscale), `value_minimum`, `value_maximum`, `value_whole`,
    `time_number` and `time_whole`.
    """
    present = {*file.columns, *file.constants}
    rules: list[RowRule] = []
    for column in sent_columns(table):
        if column.name in present and not (table.name == "scores" and column.name == "value"):
            rules += _column_rules(column, file)
    if "withdrawn" in present:
        rules.append(_true_or_false("withdrawn", file))
    if table.name == "scores":
        rules += _score_rules(file, measures)
    return tuple(rules)


def _true_or_false(name: str, file: FileMapping) -> RowRule:
    known = (*file.true_values, *file.false_values)
    return RowRule(
        rule_id="not_true_or_false", kind="one_of", column=name, about=name, values=known
    )


def _column_rules(column: Column, file: FileMapping) -> list[RowRule]:
    name = column.name
    rules = []
    if not column.nullable:
        rules.append(RowRule(rule_id="missing", kind="present", column=name, about=name))
    if column.type == "boolean":
        rules.append(_true_or_false(name, file))
    elif column.type in ("bigint", "double"):
        whole = column.type == "bigint"
        rules.append(
            RowRule(
                rule_id="not_a_whole_number" if whole else "not_a_number",
                kind="pattern",
                column=name,
                about=name,
                pattern=number_pattern(WHOLE_NUMBER if whole else NUMBER, file.decimal),
            )
        )
        rules.append(
            RowRule(
                rule_id="out_of_range",
                kind="between",
                column=f"{name}_number",
                about=name,
                minimum=column.minimum,
                maximum=column.maximum,
            )
        )
    else:
        pattern = IDENTIFIER if name in _IDENTIFIERS else CODE
        rules.append(
            RowRule(
                rule_id="identifier_form" if name in _IDENTIFIERS else "code_form",
                kind="pattern",
                column=name,
                about=name,
                pattern=pattern,
            )
        )
    return rules


def _score_rules(file: FileMapping, measures: Mapping[str, Measure]) -> list[RowRule]:
    pairs = tuple(
        f"{measure.measure_id}/{subscale}"
        for measure in measures.values()
        for subscale in ("total", *(part.subscale for part in measure.subscales))
    )
    number = number_pattern(NUMBER, file.decimal)

    def rule(rule_id: str, kind: RuleKind, column: str, about: str, **more: object) -> RowRule:
        return RowRule(rule_id=rule_id, kind=kind, column=column, about=about, **more)  # type: ignore[arg-type] # mypy cannot see through **more

    return [
        rule("no_value", "present", "value", "value"),
        rule("missing", "present", "time", "time"),
        rule("missing", "present", "measure", "measure"),
        rule("unknown_measure", "present", "measure_id", "measure"),
        rule("unknown_subscale", "one_of", "pair", "subscale", values=pairs),
        rule("not_a_number", "pattern", "value", "value", pattern=number),
        rule("score_out_of_range", "at_least", "value_number", "value", other="value_minimum"),
        rule("score_out_of_range", "at_most", "value_number", "value", other="value_maximum"),
        rule("score_not_whole", "equal", "value_number", "value", other="value_whole"),
        rule("not_a_number", "pattern", "time", "time", pattern=number),
        rule("time_not_whole", "equal", "time_number", "time", other="time_whole"),
        rule("out_of_range", "between", "time_whole", "time", minimum=-3660, maximum=36600),
    ]
