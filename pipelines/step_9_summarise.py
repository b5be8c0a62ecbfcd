"""Step 9, summarise: what the practice as a whole may see, small numbers suppressed.

In: current_statuses, course_points, cases, sessions, quarantine. Out: `published_trends`,
`published_quarantine`. Suppression: models/suppression.py with the practice's preset.
"""

from __future__ import annotations

import polars as pl

from data_contracts.suppression import suppression_rule
from data_contracts.wording import templates
from models.suppression import suppress
from pipelines.night import Counts, Night
from pipelines.sql import statement

_STEM = "step_9_summarise"


def summarise(night: Night) -> Counts:
    """Count, suppress, and put side by side what was set aside."""
    night.run(
        "create or replace temp table measure_lines "
        "(measure_id text, direction double, cutoff double)"
    )
    night.insert(
        "measure_lines",
        pl.DataFrame(
            [
                (measure.measure_id, float(measure.direction), measure.cutoff)
                for measure in night.measures.values()
            ],
            schema={"measure_id": pl.String, "direction": pl.Float64, "cutoff": pl.Float64},
            orient="row",
        ),
    )
    night.run(statement(_STEM, "closed_outcomes"))
    counts = night.frame(statement(_STEM, "counts"))
    trends = suppress(counts, suppression_rule(night.settings.publishing.suppression))
    night.run("drop table if exists published_trends")
    night.connection.register("trends", trends.to_arrow())
    night.run("create temp table published_trends as select * from trends")
    night.connection.unregister("trends")
    night.run("create or replace temp table rule_words (rule_id text, explanation text)")
    night.insert(
        "rule_words",
        pl.DataFrame(
            list(templates("quarantine").items()),
            schema={"rule_id": pl.String, "explanation": pl.String},
            orient="row",
        ),
    )
    night.run(statement(_STEM, "quarantine"))
    return Counts(rows_in=counts.height, rows_out=trends.height)
