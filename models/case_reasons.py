"""The sentences of a case as a whole: measures that disagree, a status grown stale, its flags."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from data_contracts.measure import Measure
from data_contracts.rule import RuleThresholds
from data_contracts.wording import templates
from models.reasons import LEAVES, SENTENCE, UNVERIFIED, count_word, fill, number_text

_IN_WORDS = {
    "recovered": "clearly better",
    "improved": "clearly better",
    "stuck": "unchanged",
    "deteriorating": "clearly worse",
}

# Which number of an alliance contract a kind of flag rests on: (whether it was read, its name).
_RESTS_ON = {
    "alliance_low": ("low_verified", "concern line"),
    "alliance_drop": ("error_verified", "standard error of measurement"),
    "alliance_ceiling": ("ceiling_verified", "ceiling line"),
}


def disagreement_reasons(
    of_cases: pl.DataFrame, of_measures: pl.DataFrame, measures: Mapping[str, Measure]
) -> pl.DataFrame:
    """Return one sentence for every occasion on which a case's measures disagree.

    Both frames hold `case_id, measure_id, occasion, at, day, status, code` (measure_id 'case' in
    the first).

    >>> from data_contracts.measures import built_in_measures
    >>> of_measures = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 2, "measure_id": ["gad7", "phq9"], "occasion": [7, 7],
    ...         "at": [8, 8], "day": [49, 49], "status": ["improved", "stuck"],
    ...         "code": ["", "no_gain"],
    ...     }
    ... )
    >>> of_cases = of_measures.head(1).with_columns(
    ...     measure_id=pl.lit("case"), status=pl.lit("watch"), code=pl.lit("measures_disagree")
    ... )
    >>> disagreement_reasons(of_cases, of_measures, built_in_measures())["sentence"].to_list()
    ['The measures disagree: GAD-7 clearly better, PHQ-9 unchanged. Not called stuck.']
    """
    words = templates("status")
    wanted = of_cases.filter(pl.col("code").is_in(["measures_disagree", "another_stuck"]))
    names = {name: measure.name for name, measure in measures.items()}
    latest = (
        wanted.with_columns(moment=pl.coalesce("day", "at"))
        .select("case_id", "occasion", "moment", key=pl.col("status") + "." + pl.col("code"))
        .join(
            of_measures.select("case_id", judged_measure="measure_id").unique(), on="case_id"
        )
        .sort("moment")
        .join_asof(
            of_measures.select(
                "case_id",
                "status",
                judged_measure="measure_id",
                moment=pl.coalesce("day", "at"),
            ).sort("moment"),
            on="moment",
            by=["case_id", "judged_measure"],
            strategy="backward",
            check_sortedness=False,
        )
        .filter(pl.col("status").is_not_null())
        .with_columns(
            said=pl.col("judged_measure").replace_strict(names, default="?")
            + " "
            + pl.col("status").replace_strict(_IN_WORDS, default="in between")
        )
        .sort("case_id", "occasion", "judged_measure")
        .group_by("case_id", "occasion", "key", maintain_order=True)
        .agg(
            disagreement=pl.col("said").str.join(", "),
            name=pl.col("judged_measure").replace_strict(names, default="?")
            .filter(pl.col("status") == "recovered").first(),
        )
        .with_columns(measure_id=pl.lit("case"))
    )  # fmt: skip
    found = [
        fill(part, words[str(code)], str(code), SENTENCE)
        for (code,), part in latest.group_by("key", maintain_order=True)
    ]
    return pl.concat(found) if found else _none()


def stale_reasons(current: pl.DataFrame, measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Return one sentence for every case and measure that is stale today.

    `current` holds rows of current_statuses, all with code stale; `last_day, last_occasion,
    last_status` are those of the measure that decides.

    >>> from data_contracts.measures import built_in_measures
    >>> current = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"], "measure_id": ["case"], "occasion": [8], "decided_by": ["phq9"],
    ...         "last_day": [56], "last_occasion": [8], "last_status": ["stuck"],
    ...     }
    ... )
    >>> stale_reasons(current, built_in_measures())["sentence"].to_list()
    ['Cannot judge: no PHQ-9 score for a while (last on day 56). Last known: stuck.']
    """
    names = {name: measure.name for name, measure in measures.items()}
    words = templates("status_words")
    rows = current.with_columns(
        was_judged=pl.col("last_status") != "cannot_judge",
        name=pl.col("decided_by").replace_strict(names, default="?"),
        last_when=pl.when(pl.col("last_day").is_not_null())
        .then(pl.format("day {}", "last_day"))
        .otherwise(pl.format("score {}", pl.col("last_occasion") + 1)),
        last_status=pl.col("last_status").replace_strict(words, default="?"),
    )
    sentences = {
        True: templates("status")["cannot_judge.stale"],
        False: templates("context")["stale_never_judged"],
    }
    return pl.concat(
        fill(rows.filter(pl.col("was_judged") == judged), sentence, "cannot_judge.stale", 0)
        for judged, sentence in sentences.items()
    )


def alliance_reasons(
    flagged: pl.DataFrame,
    points: pl.DataFrame,
    measures: Mapping[str, Measure],
    thresholds: RuleThresholds,
) -> pl.DataFrame:
    """Return the sentences of alliance flags at the occasions asked for.

    Parameters
    ----------
    flagged
        `case_id, measure_id, kind, occasion`.
    points
        `alliance_points` of those cases.

    >>> from data_contracts.measures import built_in_measures
    >>> points = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 4, "measure_id": ["srs"] * 4, "occasion": range(4),
    ...         "at": range(1, 5), "session": range(1, 5), "day": range(0, 28, 7),
    ...         "value": [38.0, 37, 35, 34], "prior_mean": [None] * 4,
    ...         "ratings_since_drop": [0] * 4,
    ...     },
    ...     schema_overrides={"prior_mean": pl.Float64},
    ... )
    >>> flagged = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"], "measure_id": ["srs"], "kind": ["alliance_low"],
    ...         "occasion": [3],
    ...     }
    ... )
    >>> from data_contracts.rule import status_rule
    >>> thresholds = status_rule().thresholds
    >>> alliance_reasons(flagged, points, built_in_measures(), thresholds)["sentence"][0]
    'SRS was at or below 36 in the last two ratings (35 and 34).'
    """
    ordered = points.sort("case_id", "measure_id", "occasion")
    series = ["case_id", "measure_id"]
    value = pl.col("value")
    is_low = pl.col("kind") == "alliance_low"
    last = {
        "alliance_low": thresholds.alliance_low_ratings,
        "alliance_ceiling": thresholds.alliance_ceiling_ratings,
    }
    facts = _alliance_facts(measures)
    rows = (
        ordered.with_columns(
            began_session=pl.col("session").gather(_fall_began()).over(series),
            began_day=pl.col("day").gather(_fall_began()).over(series),
            lowest=number_text(pl.col("prior_mean") - value),
            **{kind: _last_values(count).over(series) for kind, count in last.items()},
        )
        .join(flagged, on=[*series, "occasion"])
        .join(facts, on="measure_id")
        .with_columns(
            values=pl.when(is_low).then("alliance_low").otherwise("alliance_ceiling"),
            last=pl.when(is_low)
            .then(pl.lit(count_word(last["alliance_low"])))
            .otherwise(pl.lit(count_word(last["alliance_ceiling"]))),
            line=pl.when(is_low)
            .then(number_text(pl.col("low_at")))
            .otherwise(number_text(pl.col("ceiling_at"))),
            drop=pl.col("lowest"),
            mean=number_text(pl.col("prior_mean").round(1)),
            ratings=pl.col("ratings_since_drop").cast(pl.String),
            since_when=pl.when(pl.col("began_session").is_not_null())
            .then(pl.format("session {}", "began_session"))
            .otherwise(pl.format("day {}", "began_day")),
        )
    )
    words = templates("flag")
    found = []
    for place, kind in enumerate(_RESTS_ON, SENTENCE):
        part = rows.filter(pl.col("kind") == kind)
        found.append(fill(part, words[kind], kind, place))
        found.append(fill(part, words[f"leaves_{kind}"], f"leaves_{kind}", LEAVES * 10 + place))
        recalled, name = _RESTS_ON[kind]
        found.append(
            fill(
                part.filter(~pl.col(recalled)).with_columns(numbers=pl.lit(name)),
                templates("context")["unverified"],
                f"unverified_{kind}",
                UNVERIFIED * 10 + place,
            )
        )
    return pl.concat(found)


def _last_values(count: int) -> pl.Expr:
    """Return the last ratings in words: one, two in their order, more from lowest to highest."""
    value = pl.col("value")
    if count == 1:
        return number_text(value)
    if count == 2:
        return number_text(value.shift(1)) + " and " + number_text(value)
    return number_text(value.rolling_min(count)) + " to " + number_text(value.rolling_max(count))


def _alliance_facts(measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Return, per alliance measure, its lines and whether each was read in its source."""
    return pl.DataFrame(
        [
            (
                name,
                measure.name,
                float(measure.alliance.low_at),
                float(measure.alliance.ceiling_at),
                measure.alliance.low_verified,
                measure.alliance.ceiling_verified,
                measure.alliance.standard_error_verified,
            )
            for name, measure in measures.items()
            if measure.alliance is not None
        ],
        schema={
            "measure_id": pl.String,
            "name": pl.String,
            "low_at": pl.Float64,
            "ceiling_at": pl.Float64,
            "low_verified": pl.Boolean,
            "ceiling_verified": pl.Boolean,
            "error_verified": pl.Boolean,
        },
        orient="row",
    )


def _fall_began() -> pl.Expr:
    """Return the place, within a case's ratings, of the rating with which a fall began."""
    steps_back = (pl.col("ratings_since_drop") - 1).clip(0)
    return (pl.int_range(pl.len()) - steps_back).clip(0)


def safety_reasons(flagged: pl.DataFrame, measures: Mapping[str, Measure]) -> pl.DataFrame:
    """Return the sentences of safety flags.

    `flagged` holds `case_id, measure_id` ("phq9/item_9"), `occasion, value, before` (the answer
    before, null for the first).

    >>> from data_contracts.measures import built_in_measures
    >>> flagged = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"], "measure_id": ["phq9/item_9"], "occasion": [4], "value": [1.0],
    ...         "before": [0.0],
    ...     }
    ... )
    >>> safety_reasons(flagged, built_in_measures())["sentence"][0]
    'PHQ-9 item 9 was answered 1 (before: 0). Shown as answered: see the local protocol.'
    """
    names = {
        f"{measure.measure_id}/{part.subscale}": part.name
        for measure in measures.values()
        for part in measure.subscales
    }
    rows = flagged.with_columns(
        name=pl.col("measure_id").replace_strict(names, default="?"),
        value=number_text(pl.col("value")),
        before=pl.when(pl.col("before").is_null())
        .then(pl.lit(""))
        .otherwise(pl.format(" (before: {})", number_text(pl.col("before")))),
    )
    words = templates("flag")
    return pl.concat(
        [
            fill(rows, words["safety"], "safety", SENTENCE),
            fill(rows, words["leaves_safety"], "leaves_safety", LEAVES),
        ]
    )


def _none() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "case_id": pl.String,
            "measure_id": pl.String,
            "occasion": pl.Int64,
            "position": pl.Int64,
            "code": pl.String,
            "parameters": pl.String,
            "sentence": pl.String,
        }
    )
