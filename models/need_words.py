"""Why does a case stand at its place in the queue, in words?

Numbers come from `need.py`; the sentences from data_contracts/wording.toml, section [need].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from data_contracts.measure import Measure
from data_contracts.wording import templates
from models.case_ends import PRIMARY
from models.reasons import tenths_text


def with_need_words(cases: pl.DataFrame, measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Add `need_words`: chance, severity and time unseen in one sentence.

    Parameters
    ----------
    cases
        One row a case: `decided_by, probability, probability_from, outcome` (which end is asked
        about), `distance, cutoff, is_deteriorating, weeks_unseen, was_reviewed`;
        `is_by_outlook_only`: the headline says the chance, it is not said again here;
        `headline_measure`: where it is another one, the measure that decides is named.

    >>> from data_contracts.measures import built_in_measures
    >>> cases = pl.DataFrame(
    ...     {"decided_by": ["phq9"], "probability": [0.7], "probability_from": ["outlook"],
    ...      "outcome": ["clinical_without_gain"], "distance": [9.0], "cutoff": [10.0],
    ...      "is_deteriorating": [False], "weeks_unseen": [5.2], "was_reviewed": [False],
    ...      "is_by_outlook_only": [False], "headline_measure": ["phq9"]}
    ... )
    >>> said = with_need_words(cases, built_in_measures())["need_words"][0].split("; ")
    >>> said[0]
    'Of 10 cases with such a course, about 7 end without clear improvement'
    >>> said[1:]
    ['9 points above the cut-off', 'not talked about for 5 weeks.']
    """
    words = templates("need")
    said = [
        _as_sentence(_on_measure(row, "; ".join(_parts(row, words, measures)), words, measures))
        for row in cases.iter_rows(named=True)
    ]
    return cases.with_columns(need_words=pl.Series(said, dtype=pl.String))


def _parts(
    row: Mapping[str, Any], words: Mapping[str, str], measures: Mapping[str, Measure]
) -> list[str]:
    end = row["outcome"] or PRIMARY
    chance = words[f"chance.{row['probability_from']}"].format(
        tenths=tenths_text(row["probability"]),
        end=words[f"end.{end}"],
        ended=words[f"ended.{end}"],
    )
    others = [_severity(row, words, measures.get(row["decided_by"] or "")), _unseen(row, words)]
    return others if row["is_by_outlook_only"] else [chance, *others]


def _on_measure(
    row: Mapping[str, Any], said: str, words: Mapping[str, str], measures: Mapping[str, Measure]
) -> str:
    """Return what is said, with the measure where the headline is about another one."""
    decisive = measures.get(row["decided_by"] or "")
    if decisive is None or row["headline_measure"] in (None, row["decided_by"]):
        return said
    return words["on_measure"].format(name=decisive.name, words=said)


def _as_sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _severity(row: Mapping[str, Any], words: Mapping[str, str], measure: Measure | None) -> str:
    if row["is_deteriorating"]:
        return words["severity.deteriorating"]
    distance = row["distance"]
    if distance is None or measure is None:
        return words["severity.unknown"]
    if row["cutoff"] is None:
        code = "short" if distance > 0 else "changed"
    else:
        code = "at" if distance == 0 else "above" if distance > 0 else "outside"
    return words[f"severity.{code}"].format(
        points=_counted(distance, "point"), worse="above" if measure.direction > 0 else "below"
    )


def _unseen(row: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if row["weeks_unseen"] is None:
        return words["unseen.unknown"]
    weeks = int(row["weeks_unseen"])
    if not weeks:
        return words["unseen.reviewed_lately" if row["was_reviewed"] else "unseen.new"]
    return words["unseen.reviewed" if row["was_reviewed"] else "unseen.never"].format(
        weeks=_counted(weeks, "week")
    )


def _counted(number: float, one: str) -> str:
    return f"{round(number, 1):g} {one if number == 1 else one + 's'}"
