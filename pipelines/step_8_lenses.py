"""Step 8, lenses: where to look in the cases of the queue, and what therapists' rows say.

In: the queue and everything known of its cases. Out: `lenses`, renewed for cases that were touched
or are new in the queue, and `published_therapist_lenses`. Nothing of it leads back into a status, a
flag or the queue.
"""

from __future__ import annotations

import polars as pl

from data_contracts.suppression import suppression_rule
from models.lens_inputs import lens_inputs
from models.lenses import lenses
from models.therapist_lenses import therapist_lenses
from pipelines.night import Night
from pipelines.sql import statement

_STEM = "step_8_lenses"


def look(night: Night) -> int:
    """Write where to look in the cases of the queue; return how many rows."""
    night.run(statement(_STEM, "forget"))
    night.run(statement(_STEM, "lens_cases"))
    frames = {
        name: night.frame(statement(_STEM, name))
        for name in (
            "cases",
            "points",
            "alliance",
            "patterns",
            "sessions",
            "life_events",
        )
    }
    inputs = lens_inputs(
        night.measures,
        night.rule.thresholds,
        **frames,
        homework=_noted(night, "homework"),
        focus=_noted(night, "session_focus"),
    )
    return night.insert("lenses", lenses(inputs))


def look_at_therapists(night: Night) -> None:
    """Write what the rows about therapists say, small numbers hidden."""
    rated = night.frame(
        statement(_STEM, "rated_cases"), ratings=night.rule.thresholds.alliance_low_ratings
    )
    rule = suppression_rule(night.settings.publishing.suppression)
    night.make("published_therapist_lenses", therapist_lenses(rated, rule))


def _noted(night: Night, table: str) -> pl.DataFrame:
    return night.frame(statement(_STEM, "noted", table=table))
