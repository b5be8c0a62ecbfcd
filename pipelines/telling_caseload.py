"""Add up what came of the cases of one file by therapist and site; tell it as text or JSON.

The file is looked at and left as it is. Everything told is suppressed as published figures are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from models.caseload import REASONS, Caseload, case_effects, caseload
from models.severity_adjustment import SeverityAdjustment
from models.suppression import rounded
from pipelines.reading_columns import each_its_own, read_columns
from pipelines.telling_flags import counted

if TYPE_CHECKING:
    from data_contracts.suppression import SuppressionRule
    from models.change_reference import Direction

CAVEAT = (
    "No rank: rows are in the order of ids, and therapists whose intervals overlap cannot be told "
    "apart. Who is sent to whom, who stays and what is measured differ too."
)
NUMBERS = ("first_score", "last_score", "first_session")
MEASURE = "the file's measure"


@dataclass(frozen=True, kw_only=True)
class ToldCaseload:
    """The answer, and what it rests on."""

    found: Caseload
    reference: SeverityAdjustment
    rule: SuppressionRule
    rows_not_used: dict[str, int | None]
    """Rounded; None: a count that is hidden."""


ROW_REASONS = {"no_case": "the case is missing", "same_case": "the case has another row"}


def cases_of(file: Path, columns: Mapping[str, str]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return one row a case, and rows not used by reason.

    Parameters
    ----------
    columns
        Our names (`case_id, therapist_id, first_score, last_score`; `site_id, first_session,
        problem` as given) and the file's.
    """
    each_its_own(columns, file)
    texts = [name for name in columns if name not in NUMBERS]
    read = read_columns(file, columns, texts=texts, numbers=NUMBERS)
    named = read.with_columns(
        pl.col("case_id", "therapist_id").cast(pl.String),
        *(pl.col(name).cast(pl.String) for name in ("site_id", "problem") if name in columns),
        *(pl.col(name).cast(pl.Float64, strict=False) for name in NUMBERS if name in columns),
        measure_id=pl.lit(MEASURE),
    )
    known = named.filter(pl.col("case_id").is_not_null())
    used = known.filter(~pl.col("case_id").is_duplicated())
    counted = {
        "no_case": named.height - known.height,
        "same_case": known.height - used.height,
    }
    return used, {reason: count for reason, count in counted.items() if count}


def told_caseload(
    cases: pl.DataFrame,
    rows_not_used: dict[str, int],
    *,
    reference_cases: pl.DataFrame | None,
    reference_name: str,
    higher_is: Direction,
    cutoff: float,
    rule: SuppressionRule,
    minimum_cases: int,
) -> ToldCaseload:
    """Learn the reference (from the cases themselves if no others are given) and add up."""
    reference = SeverityAdjustment.learn(
        cases if reference_cases is None else reference_cases,
        name=reference_name,
        higher_is=higher_is,
        cutoff=cutoff,
    )
    effects = case_effects(cases, {MEASURE: reference})
    found = caseload(effects, rule, minimum_cases=minimum_cases)
    return ToldCaseload(
        found=found,
        reference=reference,
        rule=rule,
        rows_not_used={
            reason: rounded(count, rule) if count > rule.hide_up_to else None
            for reason, count in rows_not_used.items()
        },
    )


def caseload_as_json(told: ToldCaseload) -> str:
    """Return one object; hidden numbers are null."""
    found, reference = told.found, told.reference
    return json.dumps(
        {
            "reference": {
                "name": reference.name,
                "case_count": rounded(reference.case_count, told.rule),
                "mean_change": round(reference.mean_change, 2),
                "sd_intake": round(reference.sd_intake, 2),
                "cutoff": reference.cutoff,
                "higher_is": reference.higher_is,
            },
            "suppression": told.rule.model_dump(),
            "case_count": found.case_count,
            "mean_saes": found.mean_saes,
            "variances": None if found.variances is None else asdict(found.variances),
            "overdispersion": found.overdispersion,
            "therapists": found.therapists.to_dicts(),
            "sites": found.sites.to_dicts(),
            "funnel": found.funnel.to_dicts(),
            "cases_not_used": found.not_used,
            "rows_not_used": told.rows_not_used,
            "notes": list(found.notes),
            "caveat": CAVEAT,
        },
        indent=1,
        allow_nan=False,
    )


def caseload_as_text(told: ToldCaseload) -> str:
    """Return a line a therapist and site in the order of ids, then what it rests on."""
    found = told.found
    lines = [
        f"{counted(found.case_count, 'case')} (rounded); mean severity adjusted effect size "
        f"{_told(found.mean_saes)} SD, reference {told.reference.name}."
    ]
    if found.variances is not None:
        shares = found.variances
        lines.append(
            f"Share of therapists in the variance: {shares.therapist_share:.1%} (95 % "
            f"{shares.therapist_share_low:.1%} to {shares.therapist_share_high:.1%})."
        )
    for kind, rows in (("therapist", found.therapists), ("site", found.sites)):
        open_rows = rows.filter(~pl.col("is_suppressed"))
        lines += [_line(row, f"{kind}_id") for row in open_rows.iter_rows(named=True)]
        hidden = rows.height - open_rows.height
        if hidden:
            are = "is" if hidden == 1 else "are"
            told_why = "too few cases, or a total gives away."
            lines.append(f"{counted(hidden, kind)} {are} not shown: {told_why}")
    lines += [
        f"{_many(count, 'case')} not used: {REASONS[name]}."
        for name, count in found.not_used.items()
    ]
    lines += [
        f"{_many(count, 'row')} not used: {ROW_REASONS[name]}."
        for name, count in told.rows_not_used.items()
    ]
    return "\n".join([*lines, *found.notes, CAVEAT])


def _many(count: int | None, thing: str) -> str:
    return f"A hidden number of {thing}s" if count is None else counted(count, thing)


def _line(row: dict[str, object], key: str) -> str:
    head = f"{row[key]}: about {row['case_count']} cases, mean {_told(row['mean_saes'])}"
    if row["effect"] is None:
        return f"{head}; not enough groups for a shrunken estimate"
    place = f"; {row['funnel']} in the funnel" if row.get("funnel") else ""
    return (
        f"{head}; difference {_told(row['effect'], sign=True)} (95 % "
        f"{_told(row['effect_low'], sign=True)} to {_told(row['effect_high'], sign=True)}){place}"
    )


def _told(value: object, *, sign: bool = False) -> str:
    if not isinstance(value, float):
        return "not shown"
    return f"{value:+.2f}" if sign else f"{value:.2f}"
