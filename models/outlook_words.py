"""How may an open case end, in words, and what stands in where there is no outlook?

Chances come from models/outlook.py; the sentences from data_contracts/wording.toml, [outlook].
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure
from data_contracts.suppression import SuppressionRule
from data_contracts.wording import templates
from models.case_ends import PRIMARY
from models.reasons import tenths_text
from models.suppression import rounded

STATUS_RULE = "status_rule"
"""What stands in where there is no outlook."""


def with_outlook_words(
    outlooks: pl.DataFrame, measures: Mapping[str, Measure], suppression: SuppressionRule
) -> pl.DataFrame:
    """Add `stands_in` (null where there is an outlook) and `sentence`.

    Parameters
    ----------
    outlooks
        `measure_id, outcome, probability` (null where refused), `reason` (why, a code; null where
        there is one), `past_cases` (ended cases learned from; null without a model).

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.suppression import suppression_rule
    >>> outlooks = pl.DataFrame(
    ...     {"measure_id": ["phq9"] * 2, "outcome": ["clinical_without_gain"] * 2,
    ...      "probability": [0.68, None], "reason": [None, "outside_range"],
    ...      "past_cases": [412, 412]}
    ... )
    >>> said = with_outlook_words(outlooks, built_in_measures(), suppression_rule("default"))
    >>> said["sentence"][1]
    'No outlook on PHQ-9: no past case here had scores like these. The status rule stands in.'
    >>> said["sentence"][0].split(" (")[1]
    "a model's estimate, learned from 410 past cases of this practice)."
    """
    words = templates("outlook")
    said = []
    for measure_id, outcome, chance, reason, count in outlooks.select(
        "measure_id", "outcome", "probability", "reason", "past_cases"
    ).iter_rows():
        name = measures[measure_id].name if measure_id in measures else measure_id
        if chance is None:
            template = words["refused" if outcome == PRIMARY else "refused_other"]
            why = words.get(f"why.{reason}", words["why.other"])
            said.append(template.format(name=name, why=why, end=words[f"end.{outcome}"]))
            continue
        is_few = count is None or count <= suppression.hide_up_to
        said.append(
            words["said_of_few" if is_few else "said"].format(
                name=name,
                tenths=tenths_text(chance),
                end=words[f"end.{outcome}"],
                count="" if is_few else f"{rounded(count, suppression):,}",
            )
        )
    return outlooks.with_columns(
        sentence=pl.Series(said, dtype=pl.String),
        stands_in=pl.when(pl.col("probability").is_null()).then(pl.lit(STATUS_RULE)),
    )
