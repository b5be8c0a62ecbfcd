"""How good is a flag like this one here, on past cases: hits, and misses?"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import streamlit as st

from dashboard import reading_evidence
from dashboard.case_words import Standing, open_flags
from dashboard.reading import CaseRecord
from dashboard.reading_evidence import Asked, Evidence
from dashboard.visit import Visit
from dashboard.words import mark, plain, small
from data_contracts.errors import SourceError
from data_contracts.suppression import suppression_rule

RULE = "status_rule"
FLAGGED = {"stuck": "clinical_without_gain", "deteriorating": "reliable_deterioration"}
"""The end each kind of flag is held against first."""
_INSTEAD = ("clinical_without_gain", "no_reliable_improvement")
_BEGAN_BELOW = ("reliable_deterioration",)
"""What is asked of a case that began outside the clinical range: the primary end is not."""
NOT_TESTED = "How good such a flag is here has not been tested yet."
NOT_THIS_START = (
    "How good a flag is here on cases that began outside the clinical range has not been tested."
)
NOT_THIS_MEASURE = "How good a flag on this measure is here has not been tested."

NOT_A_WORD = (
    "Past cases of this practice, tested as on their day. It says nothing about this case: see "
    "Alert quality for the rest. Counts are rounded to {round_to}."
)
NOT_OF_THE_RULE = (
    "What is flagged here ({kinds}) was not held against how past cases ended: how good such a "
    "flag is here cannot be said."
)


@dataclass(frozen=True, kw_only=True)
class FlagQuality:
    """What past cases say of a status at about this moment."""

    sentences: tuple[str, ...]
    small_print: str


def flag_quality(
    visit: Visit, evidence: Evidence | None, standing: Standing, *, began_below: bool = False
) -> FlagQuality:
    """Return what is known of a status: of a flag hits and misses, else what became of others.

    Of a case that began outside the clinical range only by an end that is asked of it.
    """
    if evidence is None:
        return FlagQuality(sentences=(), small_print=NOT_TESTED)
    tests = reading_evidence.backtests(evidence, visit.scope)
    outcomes = set(tests.filter(pl.col("measure_id") == standing.decided_by)["outcome"])
    by_status = (FLAGGED.get(standing.status, _INSTEAD[0]), *_INSTEAD)
    wanted = _BEGAN_BELOW if began_below else by_status
    outcome = next((name for name in wanted if name in outcomes), None)
    if outcome is None:
        not_tested = NOT_THIS_START if began_below else NOT_THIS_MEASURE
        return FlagQuality(sentences=(), small_print=not_tested)
    asked = Asked(measure_id=standing.decided_by, outcome=outcome)
    codes = ("hits", "found") if standing.status in FLAGGED else ("unflagged",)
    own = reading_evidence.sentences(evidence, visit.scope, asked).filter(
        (pl.col("rule") == RULE) & pl.col("code").is_in(codes)
    )
    moments = reading_evidence.landmarks(evidence, visit.scope, asked)
    said = own.filter(pl.col("landmark") == _nearest(moments, own, standing.occasion))
    by_code = dict(said.select("code", "sentence").rows())
    round_to = suppression_rule(visit.settings.publishing.suppression).round_to
    return FlagQuality(
        sentences=tuple(by_code[code] for code in codes if code in by_code),
        small_print=NOT_A_WORD.format(round_to=round_to),
    )


def _nearest(moments: pl.DataFrame, said: pl.DataFrame, occasion: int) -> str:
    """Return the moment nearest to an occasion at which something can be said, else the nearest.

    Of equals the earlier; where days were asked, the last of them.
    """
    answered = said.filter("is_answer").select("landmark").unique()
    place = pl.when(pl.col("kind") == "occasion").then(pl.col("at")).otherwise(-pl.col("at"))
    away = (place - occasion).abs()
    in_order = moments.sort(pl.col("kind") != "occasion", away, "at")
    able = in_order.join(answered, on="landmark", how="semi", maintain_order="left")
    return str((able if able.height else in_order)["landmark"][0])


def began_outside_clinical_range(record: CaseRecord, measure_id: str) -> bool:
    """Return whether the first score lies on the well side of the cut-off; False if not known."""
    of_total = (pl.col("measure_id") == measure_id) & (pl.col("subscale") == "total")
    measure = record.measures.filter(of_total).to_dicts()
    first = record.course.filter(of_total & (pl.col("occasion") == 0))["value"].to_list()
    if not measure or measure[0]["cutoff"] is None or not first:
        return False
    direction = 1 if measure[0]["higher_is"] == "worse" else -1
    return bool(direction * first[0] < direction * measure[0]["cutoff"])


def show_flag_quality(visit: Visit, record: CaseRecord, standing: Standing | None) -> None:
    """Draw the block on the case screen; nothing where the case cannot be judged.

    Nor where a case is in the queue for its outlook: "no flag" says nothing of that.
    """
    if standing is None or standing.status == "cannot_judge":
        return
    is_flag = standing.status in FLAGGED
    kinds = dict.fromkeys(flag["kind"] for flag in open_flags(record))
    if kinds and not is_flag and not set(kinds) & set(FLAGGED):
        names = ", ".join(mark(kind).text for kind in kinds)
        st.markdown(small(plain(NOT_OF_THE_RULE.format(kinds=names))))
        return
    if record.queue_row is not None and record.queue_row["kind"] == "outlook":
        return
    try:
        evidence = reading_evidence.current_evidence(visit.places)
        began_below = began_outside_clinical_range(record, standing.decided_by)
        found = flag_quality(visit, evidence, standing, began_below=began_below)
    except SourceError as error:  # the case is there without it
        st.markdown(small(plain(str(error))))
        return
    if not found.sentences:
        if is_flag:
            st.markdown(small(plain(found.small_print)))
        return
    with st.container(border=True):
        title = "How good is this flag here?" if is_flag else "How good is “no flag” here?"
        st.header(title, anchor=False)
        for sentence in found.sentences:
            st.markdown(f"- {plain(sentence)}")
        st.markdown(small(plain(found.small_print)))
