"""How are the rules drawn and put side by side on the Alert quality screen?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import streamlit as st

from dashboard import alert_rules as rules_of
from dashboard import alert_tables as tables
from dashboard import reading_evidence
from dashboard.chart_alerts import (
    FLAGGED,
    FOUND,
    auc_chart,
    auc_words,
    by_moment_chart,
    by_moment_words,
    calibration_chart,
    calibration_words,
    found_chart,
    found_words,
)
from dashboard.chart_pictures import Picture
from dashboard.reading_evidence import Asked, Evidence
from dashboard.visit import Visit
from dashboard.words import plain, small

_WITH_CURVE = ("outlook", rules_of.COMPARED_WITH)
_UNDER = {
    "found": f"{FLAGGED} share of all cases it flags · {FOUND} share it finds of those that ended "
    "so, with 95 % interval. What is not found is missed.",
    "auc": "1 tells every pair apart, one half (broken line) is chance.",
    "moments": "Later is easier: more is known, and fewer are left.",
    "calibration": "On the broken line as many ended so as was predicted. ● outlook, ◇ two scores "
    "only; upright lines: 95 % intervals.",
}

GROUPS_WORDS = (
    "In the order of codes, no rank. Differences between groups can be chance, how cases began, or "
    "a questionnaire that fits some people less: they say where to ask."
)


def pictures(visit: Visit, evidence: Evidence, asked: Asked, hidden: str) -> dict[str, Picture]:
    """Return the charts of the screen, each with its heading and its words."""
    scope = visit.scope
    whole = Asked(measure_id=asked.measure_id, outcome=asked.outcome)
    rules = rules_of.by_rule(reading_evidence.figures(evidence, scope, asked))
    found, auc = tables.found_rows(rules, hidden), tables.auc_rows(rules, hidden)
    moments = reading_evidence.landmarks(evidence, scope, whole)
    moments = moments.filter(pl.col("kind") == asked.landmark.split("_")[0])
    over = tables.moment_rows(reading_evidence.figures(evidence, scope, whole), moments)
    labels = [rules_of.rule_name(rule) for rule in (*rules_of.OWN_RULES, rules_of.COMPARED_WITH)]
    unit = "day" if asked.landmark.startswith("day") else "score after the start"
    curves = reading_evidence.calibration(evidence, scope, asked).filter(
        pl.col("rule").is_in(_WITH_CURVE)
    )
    curves = curves.with_columns(
        label=pl.col("rule").replace({rule: rules_of.rule_name(rule) for rule in _WITH_CURVE})
    )
    of_curves = [rules_of.rule_name(rule) for rule in _WITH_CURVE]
    made = {
        "found": Picture(
            heading="Flagged and found", chart=found_chart(found), words=found_words(found)
        ),
        "auc": Picture(heading="Told apart (AUC)", chart=auc_chart(auc), words=auc_words(auc)),
        "moments": Picture(
            heading="Told apart, earlier and later",
            chart=by_moment_chart(over, labels, unit),
            words=by_moment_words(over, labels, unit),
        ),
    }
    if curves.drop_nulls("share_bad").height:
        made["calibration"] = Picture(
            heading="Predicted, and what came",
            chart=calibration_chart(curves, of_curves),
            words=calibration_words(curves, of_curves),
            note=rules_of.calibration_note(curves, rules, hidden),
        )
    return made


def show_charts(charts: Mapping[str, Picture]) -> None:
    """Draw the curves, two in a row."""
    made = list(charts.items())
    for pair in (made[:2], made[2:]):
        for column, (name, picture) in zip(st.columns(2, gap="medium"), pair, strict=False):
            with column:
                st.header(picture.heading, anchor=False)
                st.vega_lite_chart(
                    picture.chart.to_dict(), theme=None, alt=picture.words, key=f"alerts_{name}"
                )
                st.markdown(small(plain(f"{_UNDER[name]} {picture.note}".strip())))


def show_numbers(visit: Visit, evidence: Evidence, asked: Asked, hidden: str) -> None:
    """Draw the tables, folded: every rule, agreement, groups, starts, weeks."""
    scope = visit.scope
    whole = Asked(measure_id=asked.measure_id, outcome=asked.outcome)
    with st.expander("All rules side by side"):
        rules = rules_of.by_rule(reading_evidence.figures(evidence, scope, asked))
        _table(tables.flag_rows(rules, hidden))
        _table(tables.quality_rows(rules, hidden))
        _table(tables.difference_rows(reading_evidence.paired(evidence, scope, asked), hidden))
        st.markdown(
            small(
                "In brackets: 95 % intervals. Rules that learn are asked about fewer cases: only "
                "once enough others were over. Differences are of the same cases, so they can be "
                "clear where the intervals of the rules overlap."
            )
        )
    with st.expander("Over whole courses: how often, how early, how much to talk about"):
        _table(tables.course_rows(reading_evidence.over_the_course(evidence, scope, whole), hidden))
        st.markdown(small("A case counts as flagged once it was flagged at some score."))
    with st.expander("Do the rules flag the same cases?"):
        _table(tables.agreement_rows(reading_evidence.agreement(evidence, scope, asked), hidden))
        st.markdown(small("Kappa: agreement beyond chance (Cohen 1960); 1 is whole."))
    with st.expander("Is it as good for everybody?"):
        _groups(reading_evidence.subgroups(evidence, scope, whole), hidden)
    with st.expander("Whose end is known, and by when cases started"):
        _table(tables.risk_rows(reading_evidence.landmarks(evidence, scope, whole), hidden))
        st.markdown(
            small("“Of all”: if none, or every one, of the cases whose end is not known ended so.")
        )
        _table(tables.cohort_rows(reading_evidence.cohorts(evidence, scope, whole), hidden))
        st.markdown(
            small("Of recent starts those who ended soon are known first: read the last with care.")
        )
    with st.expander("With so many cases a week"):
        _weeks(reading_evidence.budget(evidence, scope, whole))


def _groups(subgroups: pl.DataFrame, hidden: str) -> None:
    offered = tables.dimensions(subgroups)
    if not offered:
        st.markdown("Nothing to show: the practice sends no groups, or all are too small.")
        return
    moment = subgroups["landmark"][0]
    for words, name in offered.items():
        st.markdown(f"**{words}**")
        _table(tables.group_rows(subgroups, name, hidden))
    kind, _, at = moment.partition("_")
    asked_at = f"Asked at {'score' if kind == 'occasion' else 'day'} {at} after the start"
    st.markdown(small(f"{asked_at}, whatever is chosen above. {GROUPS_WORDS}"))


def _weeks(budget: pl.DataFrame) -> None:
    # Beyond some number there is nothing more to come up: the line stays where it is.
    lines = budget.unique("threshold", keep="first", maintain_order=True)
    said = [text for text in lines["sentence"].to_list() if text]
    if not said:
        st.markdown(
            "Nothing to show: what fits into a week is said of the outlook, where practice days or "
            "weeks are known."
        )
        return
    st.markdown("\n".join(f"- {plain(text)}" for text in said))


def _table(rows: pl.DataFrame) -> None:
    if rows.is_empty():
        st.markdown("Nothing to show here.")
        return
    st.table(rows, border="horizontal", hide_index=True)


def published_tables(
    visit: Visit, evidence: Evidence, asked: Asked
) -> Sequence[tuple[str, pl.DataFrame]]:
    """Return the published tables of one measure and end, by the name a sheet has."""
    whole = Asked(measure_id=asked.measure_id, outcome=asked.outcome)
    asking = {
        "Figures": reading_evidence.figures,
        "Differences": reading_evidence.paired,
        "Agreement": reading_evidence.agreement,
        "Calibration": reading_evidence.calibration,
        "Groups": reading_evidence.subgroups,
        "Whole courses": reading_evidence.over_the_course,
        "Moments": reading_evidence.landmarks,
        "Starts": reading_evidence.cohorts,
        "Cases a week": reading_evidence.budget,
        "Sentences": reading_evidence.sentences,
    }
    return [(name, ask(evidence, visit.scope, whole)) for name, ask in asking.items()]
