"""Where is a case heading, in words? One list of sentences a case and measure.

Numbers come from `forecast.py`, `plateau.py` and `similar_cases.py`; nothing is decided here, and
no status or flag looks at any of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure
from data_contracts.wording import templates
from models.reasons import count_word, number_text, tenths_text
from models.similar_rule import REASONS

SCORES_AHEAD = 4
"""How many scores ahead a forecast looks; a later one says little (chosen)."""
GAIN_SCORES_AHEAD = 8
"""How many scores ahead a further gain is looked for (chosen)."""


def with_forecast_words(forecasts: pl.DataFrame, measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Add `sentences` (JSON list) to forecasts.

    Parameters
    ----------
    forecasts
        Columns of `forecasts` in the contract, and `similar_reason` (null where there are similar
        cases), `heading_reason` (why there is no forecast, in words; null where there is one) and
        `is_clinical` (the last score; below the cut-off no further gain is asked for, so none is
        told).

    >>> from data_contracts.measures import built_in_measures
    >>> forecasts = pl.DataFrame(
    ...     {
    ...         "measure_id": ["phq9"], "clock": ["session"], "ahead": [4.0], "expected": [12.4],
    ...         "low_80": [7.6], "high_80": [17.3], "gain_asked": [3.0], "gain_ahead": [8.0],
    ...         "little_gain_chance": [0.66], "similar_count": [None],
    ...         "similar_effective": [None], "similar_expected": [None], "similar_worse": [None],
    ...         "similar_reason": ["too_few_similar"], "heading_reason": [None],
    ...         "is_clinical": [True],
    ...     },
    ...     schema_overrides={
    ...         name: pl.Float64
    ...         for name in (
    ...             "similar_count", "similar_effective", "similar_expected", "similar_worse"
    ...         )
    ...     },
    ... )
    >>> said = json.loads(with_forecast_words(forecasts, built_in_measures())["sentences"][0])
    >>> said[0].split(";")[0]
    'From all scores so far, PHQ-9 would be about 12, four scores on'
    >>> said[1].split(" gain")[0], said[1].split(" in ")[1]
    ('Of 10 courses like this one, about 7', 'the next eight scores.')
    """
    words = templates("forecast")
    names = {name: measure.name for name, measure in measures.items()}
    told = forecasts.with_columns(
        name=pl.col("measure_id").replace_strict(names, default="?"),
        when=_ahead("ahead", SCORES_AHEAD),
        gain_when=_ahead("gain_ahead", GAIN_SCORES_AHEAD),
    )
    said = []
    for row in told.with_columns(
        **{name: _whole(name) for name in _WHOLE}, asked=number_text(pl.col("gain_asked"))
    ).iter_rows(named=True):
        sentences = [_heading(row, words)]
        if row["little_gain_chance"] is not None and row["is_clinical"]:
            sentences.append(
                words["little_gain"].format(
                    tenths=tenths_text(row["little_gain_chance"]),
                    asked=row["asked"],
                    gain_ahead=row["gain_when"],
                )
            )
        measure = measures.get(str(row["measure_id"]))
        sentences.append(_similar(row, words, _worst_score(measure) if measure else ""))
        said.append(json.dumps(sentences))
    return forecasts.with_columns(sentences=pl.Series(said, dtype=pl.String))


_WHOLE = ("expected", "low_80", "high_80", "similar_expected", "similar_worse", "similar_effective")


def _whole(name: str) -> pl.Expr:
    """Return a number of points or cases rounded, as text: a forecast has no decimals."""
    return number_text(pl.col(name).cast(pl.Float64).round(0))


def _ahead(column: str, scores: int) -> pl.Expr:
    days = (7 * pl.col(column)).round(0).cast(pl.Int64, strict=False)
    weeks = pl.col(column).round(0).cast(pl.Int64, strict=False)
    return (
        pl.when(pl.col("clock") == "session").then(pl.lit(f"{count_word(scores)} scores"))
        .when(days == 1).then(pl.lit("1 day"))
        .when(pl.col(column) < 2).then(pl.format("{} days", days))
        .otherwise(pl.format("{} weeks", weeks))
    )  # fmt: skip


def _heading(row: Mapping[str, object], words: Mapping[str, str]) -> str:
    if row["expected"] is None:
        return words["no_heading"].format(why=row["heading_reason"] or "too few scores")
    return words["heading"].format(
        name=row["name"], expected=row["expected"], ahead=row["when"], low=row["low_80"],
        high=row["high_80"],
    )  # fmt: skip


def _worst_score(measure: Measure) -> str:
    worst = measure.maximum if measure.direction > 0 else measure.minimum
    return f"{worst:g}"


def _similar(row: Mapping[str, object], words: Mapping[str, str], worst: str) -> str:
    if row["similar_expected"] is None:
        why = REASONS.get(str(row["similar_reason"]), "too few ended cases so far")
        return words["no_similar"].format(why=why)
    return words["similar"].format(
        count=row["similar_count"], expected=row["similar_expected"],
        was_worse=words["at_worst" if row["similar_worse"] == worst else "worse_than"].format(
            worse=row["similar_worse"]
        ),
        later=f"{count_word(SCORES_AHEAD)} scores", effective=row["similar_effective"],
    )  # fmt: skip
