"""Step 9, caseload: what came of each therapist's ended cases, given how they began.

In: closed_outcomes, cases. Out: `published_caseload` (in the cases' file, for supervisors), and
`change_references`, learned once and kept. Small numbers are hidden before anything is written.
"""

from __future__ import annotations

import polars as pl

from data_contracts.measure import Measure
from data_contracts.suppression import suppression_rule
from models.caseload import case_effects, caseload
from models.severity_adjustment import ReferenceTooSmallError, SeverityAdjustment
from pipelines.night import Night
from pipelines.sql import statement

_STEM = "step_9_caseload"


def summarise_caseload(night: Night) -> int:
    """Add up the ended cases of every therapist; return how many rows are published."""
    ended = night.frame(statement(_STEM, "ended_cases"))
    references = {
        measure_id: reference
        for measure_id in ended["measure_id"].unique().sort()
        if (reference := _reference(night, measure_id, ended)) is not None
    }
    rule = suppression_rule(night.settings.publishing.suppression)
    therapists = caseload(case_effects(ended, references), rule).therapists
    shown = therapists.with_columns(
        reference_name=pl.lit(", ".join(sorted({each.name for each in references.values()})))
    )
    night.make("published_caseload", shown)
    return shown.height


def _reference(night: Night, measure_id: str, ended: pl.DataFrame) -> SeverityAdjustment | None:
    """Return the measure's reference, learned now if none fits; None of too few cases."""
    measure = night.measures.get(measure_id)
    if measure is None or measure.cutoff is None:
        return None
    kept = _kept(night, measure)
    if kept is not None and not night.refit:
        return kept
    try:
        reference = SeverityAdjustment.learn(
            ended.filter(pl.col("measure_id") == measure_id),
            name=night.run_id,
            higher_is=measure.higher_is,
            cutoff=measure.cutoff,
        )
    except ReferenceTooSmallError:
        return kept
    night.run(
        "update change_references set is_current = false where measure_id = $measure_id",
        measure_id=measure_id,
    )
    night.insert(
        "change_references",
        pl.DataFrame(
            {
                "measure_id": [measure_id],
                "name": [reference.name],
                "reference": [reference.to_json()],
                "case_count": [reference.case_count],
                "is_current": [True],
            }
        ),
    )
    return reference


def _kept(night: Night, measure: Measure) -> SeverityAdjustment | None:
    """Return the reference in use; None if there is none for this cut-off and direction."""
    stored = night.rows(
        "select reference from change_references where is_current and measure_id = $measure_id",
        measure_id=measure.measure_id,
    )
    if not stored:
        return None
    try:
        kept = SeverityAdjustment.from_json(stored[0][0])
    except ValueError:  # written by another version: learned anew
        return None
    fits = kept.cutoff == measure.cutoff and kept.higher_is == measure.higher_is
    return kept if fits else None
