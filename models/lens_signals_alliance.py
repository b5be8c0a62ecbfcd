"""What do ratings of the alliance say to a supervisor who asks where a case may be stuck?

A fall that has not come back, low ratings, ratings at the top or flat, warmth without agreed work,
goal or task behind the bond, two raters apart. Lines: the measures' contracts, rule.toml
(`alliance_*`) and lenses.toml, each with its source. Patterns come from `alliance_patterns.py`.
"""

from __future__ import annotations

import polars as pl

from data_contracts.lenses import lens_row
from data_contracts.measure import Measure
from models.alliance import alliance_points
from models.lens_findings import FINDING_SCHEMA, findings, strength, when
from models.lens_inputs import LensInputs
from models.reasons import count_word, number_text

_LAST = 2  # ratings that are looked at for a low item, as for a low total (rule.toml)


def alliance_findings(inputs: LensInputs) -> pl.DataFrame:
    """Return the findings of every alliance row, one or more a case and row.

    >>> from data_contracts.measures import built_in_measures
    >>> from data_contracts.rule import status_rule
    >>> from models.lens_inputs import lens_inputs
    >>> ratings = pl.DataFrame(
    ...     {
    ...         "case_id": ["c1"] * 4, "at": range(1, 5), "session": range(1, 5),
    ...         "day": range(0, 28, 7), "value": [37.0, 37, 31, 30],
    ...     }
    ... )
    >>> measures, thresholds = built_in_measures(), status_rule().thresholds
    >>> points = alliance_points(ratings, measures["srs"], thresholds)
    >>> found = alliance_findings(lens_inputs(measures, thresholds, alliance=points))
    >>> found.filter(strength="strong").select("row_id", "sentence").rows()
    [('alliance_weak', 'SRS was at or below 36 in the last two ratings (31 and 30).')]
    """
    found = [pl.DataFrame(schema=FINDING_SCHEMA)]
    for measure in inputs.measures.values():
        if measure.alliance is None:
            continue
        ratings = inputs.alliance.filter(pl.col("measure_id") == measure.measure_id).sort(
            "case_id", "occasion"
        )
        if ratings.height:
            found += [
                _fallen(inputs, ratings, measure),
                _low(inputs, ratings, measure),
                _at_the_top(inputs, ratings, measure),
            ]
        found += _parts(inputs, measure)
        found.append(_raters_apart(inputs, measure))
    return pl.concat(found)


def _fallen(inputs: LensInputs, ratings: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    row = lens_row("alliance_unrepaired")
    rough = alliance_points(
        ratings.select("case_id", "at", "session", "day", "value"),
        measure,
        inputs.thresholds.model_copy(
            update={"alliance_prior_ratings": int(row.line("early_ratings"))}
        ),
    )
    falls = {
        variant: _with_beginning(points)
        .group_by("case_id", maintain_order=True)
        .last()
        .filter("is_dropped")
        .select(
            "case_id",
            strength=pl.lit(sign),
            name=pl.lit(measure.name),
            since_when="began",
            mean=number_text(pl.col("prior_mean").round(1)),
            value=number_text(pl.col("fell_to")),
            now=number_text(pl.col("value")),
            ratings=pl.col("ratings_since_drop").cast(pl.String),
        )
        for variant, points, sign in (
            ("fell", ratings, "strong"),
            ("fell_early", rough, "moderate"),
        )
    }
    enough = row.line("early_ratings") + inputs.thresholds.alliance_unrepaired_ratings
    seen = ratings.filter(pl.len().over("case_id") >= enough)
    return findings(row, seen, **falls)


def _with_beginning(points: pl.DataFrame) -> pl.DataFrame:
    """Add `began` and `fell_to`, when the fall of each rating began, and that first rating."""
    is_first = pl.col("ratings_since_drop") == 1
    return points.sort("case_id", "occasion").with_columns(
        began=pl.when(is_first).then(when()).forward_fill().over("case_id"),
        fell_to=pl.when(is_first).then("value").forward_fill().over("case_id"),
    )


def _low(inputs: LensInputs, ratings: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    row, facts = lens_row("alliance_weak"), measure.alliance
    assert facts is not None  # noqa: S101 - the caller asks alliance measures only
    count = inputs.thresholds.alliance_low_ratings
    last = (
        ratings.group_by("case_id", maintain_order=True)
        .agg(
            pl.col("is_low").last(),
            ratings=pl.len(),
            mean=pl.col("value").tail(count).mean(),
            values=_in_words(pl.col("value").tail(count)),
        )
        .with_columns(
            strength(
                moderate=pl.col("is_low"),
                strong=pl.col("is_low")
                & (pl.col("mean") <= facts.low_at - facts.standard_error_of_measurement),
            )
        )
    )
    low = last.filter("is_low").with_columns(
        name=pl.lit(measure.name), line=number_text(pl.lit(float(facts.low_at)))
    )
    items = _low_items(inputs, measure, (facts.bond,) if facts.bond else (), row.line("item_below"))
    return findings(row, last.filter(pl.col("ratings") >= count), low=low, relationship=items)


def _low_items(
    inputs: LensInputs, measure: Measure, parts: tuple[str, ...], below: float
) -> pl.DataFrame:
    """Return items of one line (SRS) that were below the check-in line in the last two ratings."""
    single = {
        part.subscale: part
        for part in measure.subscales
        if part.subscale in parts and part.maximum == 10  # the line is one of 0 to 10
    }
    rated = inputs.points.filter(
        (pl.col("measure_id") == measure.measure_id)
        & pl.col("subscale").is_in(list(single))
        & (pl.col("rater") == measure.rater)
    ).sort("case_id", "subscale", "occasion")
    last = rated.group_by("case_id", "subscale", maintain_order=True).agg(
        pl.len().alias("count"),
        highest=pl.col("value").tail(_LAST).max(),
        mean=pl.col("value").tail(_LAST).mean(),
        values=_in_words(pl.col("value").tail(_LAST)),
    )
    return (
        last.filter((pl.col("count") >= _LAST) & (pl.col("highest") < below))
        .sort("case_id", "mean", "subscale")
        .unique("case_id", keep="first", maintain_order=True)
        .select(
            "case_id",
            "values",
            strength=pl.lit("weak"),
            name=pl.col("subscale").replace_strict(
                {key: part.name for key, part in single.items()}, return_dtype=pl.String
            ),
            most=pl.lit("10"),
        )
    )


def _at_the_top(inputs: LensInputs, ratings: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    row, facts = lens_row("alliance_ceiling"), measure.alliance
    assert facts is not None  # noqa: S101 - the caller asks alliance measures only
    limits = inputs.thresholds
    last = (
        ratings.join(inputs.judged, on="case_id", how="semi", maintain_order="left")
        .group_by("case_id", maintain_order=True)
        .agg(pl.col("is_ceiling").last(), pl.col("value").last(), ratings=pl.len())
    )
    words = last.with_columns(
        name=pl.lit(measure.name),
        line=number_text(pl.lit(float(facts.ceiling_at))),
        rating=number_text(pl.col("value")),
        last=pl.lit(count_word(limits.alliance_ceiling_ratings)),
    ).join(inputs.without_gain, on="case_id", how="semi")
    at_top, flat = (
        inputs.patterns.filter(
            (pl.col("measure_id") == measure.measure_id) & (pl.col("kind") == kind)
        )
        for kind in ("alliance_at_top", "alliance_flat")
    )
    top = words.filter("is_ceiling")
    return findings(
        row,
        last.filter(pl.col("ratings") >= limits.alliance_ceiling_ratings),
        mostly=top.join(at_top, on="case_id", how="semi").with_columns(strength=pl.lit("strong")),
        last=top.join(at_top, on="case_id", how="anti").with_columns(strength=pl.lit("moderate")),
        flat=words.join(flat, on="case_id", how="semi").with_columns(
            strength=pl.lit("weak"), last=pl.lit(count_word(limits.alliance_flat_ratings))
        ),
    )


def _parts(inputs: LensInputs, measure: Measure) -> list[pl.DataFrame]:
    """Return the findings about bond, goal and task, where the parts were sent."""
    facts = measure.alliance
    if facts is None or facts.bond is None or not facts.work:
        return []
    bond = next(part for part in measure.subscales if part.subscale == facts.bond)
    sent = inputs.points.filter(
        (pl.col("measure_id") == measure.measure_id)
        & pl.col("subscale").is_in([facts.bond, *facts.work])
        & (pl.col("rater") == measure.rater)
    )
    if sent.is_empty():
        return []
    seen = sent.group_by("case_id").agg(moments=pl.col("at").n_unique()).filter(
        pl.col("moments") >= inputs.thresholds.alliance_parts_ratings
    )  # fmt: skip
    behind = (
        _pattern(inputs, measure, "alliance_work_behind_bond")
        .with_columns(strength=pl.lit("moderate"))
    )  # fmt: skip
    work_row, warm_row = lens_row("work_disagreement"), lens_row("too_congenial")
    items = _low_items(inputs, measure, facts.work, work_row.line("item_below"))
    last_bond = sent.filter(pl.col("subscale") == facts.bond).sort("case_id", "occasion").group_by(
        "case_id", maintain_order=True
    ).agg(bond_now=pl.col("value").last())  # fmt: skip
    warm_at = bond.minimum + warm_row.line("bond_share") * (bond.maximum - bond.minimum)
    warm = (
        behind.join(last_bond.filter(pl.col("bond_now") >= warm_at), on="case_id")
        .join(inputs.without_gain, on="case_id", how="semi")
        .with_columns(bond=number_text(pl.col("bond_now")))
        .join(_seldom_set(inputs), on="case_id", how="left")
    )
    no_task = pl.col("set").is_not_null()
    return [
        findings(work_row, seen, behind=behind, item=items),
        findings(
            warm_row,
            seen.join(inputs.judged, on="case_id", how="semi"),
            warm=warm.filter(~no_task),
            warm_no_task=warm.filter(no_task).with_columns(strength=pl.lit("strong")),
        ),
    ]


def _seldom_set(inputs: LensInputs) -> pl.DataFrame:
    """Return `case_id, set, known` of cases with nothing set in most of the last sessions."""
    row = lens_row("homework_not_set")
    window = int(row.line("sessions"))
    return (
        inputs.homework.sort("case_id", "session")
        .group_by("case_id", maintain_order=True)
        .agg(known=pl.col("assigned").tail(window).len(), set=pl.col("assigned").tail(window).sum())
        .filter(
            (pl.col("known") == window) & (pl.col("known") - pl.col("set") >= row.line("without"))
        )
        .with_columns(pl.col("known", "set").cast(pl.String))
    )


def _raters_apart(inputs: LensInputs, measure: Measure) -> pl.DataFrame:
    moment = pl.coalesce("day", "at")
    totals = inputs.points.filter(
        (pl.col("measure_id") == measure.measure_id) & (pl.col("subscale") == "total")
    ).with_columns(moment=moment)
    both = totals.group_by("case_id", "moment").agg(raters=pl.col("rater").n_unique())
    apart = _pattern(inputs, measure, "alliance_raters_apart")
    return findings(
        lens_row("raters_apart"),
        both.filter(pl.col("raters") > 1),
        apart=apart.with_columns(strength=pl.lit("moderate")),
    )


def _pattern(inputs: LensInputs, measure: Measure, kind: str) -> pl.DataFrame:
    """Return open spells of a pattern with the numbers at their beginning, each as text."""
    open_now = inputs.patterns.filter(
        (pl.col("measure_id") == measure.measure_id) & (pl.col("kind") == kind)
    )
    names = ("name", "rating", "other_rating", "own_rater", "other_rater", "bond", "work",
             "bond_part", "work_part")  # fmt: skip
    return open_now.select(
        "case_id",
        *(
            pl.col("parameters").str.json_path_match(f"$.{name}").alias(name)
            for name in names
        ),
        since_when=when(at="day"),
    )  # fmt: skip


def _in_words(values: pl.Expr) -> pl.Expr:
    """Return the last ratings as text: '35 and 34'."""
    return number_text(values).str.join(" and ")
