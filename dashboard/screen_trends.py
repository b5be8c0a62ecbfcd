"""Is the practice getting better, and can I say so?"""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboard import reading
from dashboard.figures import (
    ALL,
    DROP_OUT_MISSING,
    IN_TIME,
    NOW,
    Figure,
    figure_named,
    hidden,
    outcome_figures,
    status_mix,
)
from dashboard.trend_blocks import (
    first_improvement_words,
    labelled_by,
    show_figure,
    show_funnel,
)
from dashboard.trend_downloads import counts_sheet, show_trend_downloads
from dashboard.trend_reading import first_year
from dashboard.trends_official import show_official
from dashboard.visit import Visit
from dashboard.words import moment, plain, small
from data_contracts.suppression import suppression_rule

QUARTERS_SHOWN, MONTHS_SHOWN = 8, 12
QUARTERS, MONTHS = "Quarters", "Months"

OUTCOMES, SOON, CARE, MEASURED = "Outcomes", "How soon", "Coming to care", "Measurement"
SITES, FAIRNESS = "Sites", "Groups of people"
_FIGURES_OF = {
    SOON: ("improved_by_4", "improved_by_8", "improved_by_16"),
    CARE: ("waiting_42", "waiting_126", "attendance", "drop_out"),
    MEASURED: ("paired", "completeness"),
}
_OF_PEOPLE = (
    "reliable_improvement",
    "reliable_recovery",
    "deterioration",
    "drop_out",
    "waiting_42",
    "attendance",
    "paired",
)
_DIMENSIONS = {
    "Age band": "age_band",
    "Sex": "sex",
    "Ethnic group": "ethnicity",
    "Problem": "problem",
}
_WHOLE = "Whole practice"
FAIRNESS_WORDS = (
    "A difference between groups can be chance, a difference in how cases began, in who was "
    "referred and who stayed, or in how well a questionnaire fits. It can also mean that care is "
    "not reaching people alike. Counts cannot tell these apart: they say where to ask. Groups "
    "stand in the order of their codes, and where intervals overlap widely nothing is said. Groups "
    "of too few people stand together, as “other groups”."
)


def show(visit: Visit) -> None:
    """Draw the trends of the practice from published counts only."""
    visit.title("Practice trends")
    with st.spinner("Reading the published counts ..."):
        trends = reading.trends(visit.snapshot, visit.scope)
        groups = reading.trend_groups(visit.snapshot, visit.scope)
    preset = visit.settings.publishing.suppression
    rule = suppression_rule(preset)
    st.markdown(
        small(
            f"State of {moment(visit.snapshot.published_at)} · counts rounded to "
            f"{rule.round_to} · in alphabetical order: this is no ranking  \n"
            f"“{hidden(preset)}”: so few count, or a larger number would give such a small one "
            "away; a 0 is hidden too where it would tell.  \n"
            "Quarters are 91 days on the practice's own clock, months 4, 4 and 5 weeks of them; "
            "the last may not be over."
        )
    )
    if trends.is_empty():
        st.info(
            "No figure is published yet. Figures come with the first night that finds ended cases; "
            "quarters need a practice day in the data."
        )
        return
    views = [OUTCOMES, SOON, CARE, MEASURED, SITES, FAIRNESS]
    view = st.segmented_control(
        "Look at", views, default=OUTCOMES, key="trends_view", required=True, width="stretch"
    )
    if view == SITES:
        _sites(visit)
    elif view == FAIRNESS:
        _fairness(groups, preset)
    else:
        _over_time(visit, trends, groups, view or OUTCOMES, preset)
    official = reading.talking_therapies(visit.snapshot, visit.scope)
    more = [("Groups", groups)] if groups.height else []
    show_trend_downloads(
        visit, trends, official, more=[counts_sheet(name, rows) for name, rows in more]
    )


def _over_time(
    visit: Visit, trends: pl.DataFrame, groups: pl.DataFrame, view: str, preset: str
) -> None:
    if view == OUTCOMES:
        _mix(trends, preset)
    else:
        st.space("small")
    others = {name for names in _FIGURES_OF.values() for name in names}
    figures = (
        [figure for figure in outcome_figures(trends) if figure.name not in others]
        if view == OUTCOMES
        else [figure_named(name) for name in _FIGURES_OF[view] if name in set(trends["figure"])]
    )
    if not figures:
        st.info(
            "No figure of this kind is published yet: outcomes are counted when care has ended, "
            "waiting and attendance where the practice sends referrals and sessions."
        )
    else:
        clock, group = _choices(trends, groups)
        if view == SOON:
            whole = trends.filter((pl.col("period") == ALL) & (pl.col("site_id") == ALL))
            rows = whole.filter(pl.col("figure").is_in(_FIGURES_OF[SOON])).to_dicts()
            st.markdown(plain(first_improvement_words(rows, preset)))
        for figure in figures:
            _figure(figure, trends, groups, clock, group, preset)
    if view == CARE and "drop_out" not in set(trends["figure"]):
        st.markdown(small(plain(DROP_OUT_MISSING)))
    if view == OUTCOMES:
        show_official(reading.talking_therapies(visit.snapshot, visit.scope), preset)


def _choices(trends: pl.DataFrame, groups: pl.DataFrame) -> tuple[str, tuple[str, str]]:
    """Return the clock chosen, and the group: ("practice", "all"), ("site", "north") ..."""
    named: dict[str, tuple[str, str]] = {_WHOLE: ("practice", ALL)}
    for site in trends["site_id"].unique().sort():
        if site != ALL:
            named[f"Site {site}"] = ("site", site)
    if groups.height:
        for problem in groups.filter(pl.col("dimension") == "problem")["group_id"].unique().sort():
            named[f"Problem {problem}"] = ("problem", problem)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        clock = st.segmented_control(
            "By", [QUARTERS, MONTHS], default=QUARTERS, key="trends_clock", required=True
        )
        chosen = st.selectbox("Of", list(named), key="trends_group", width=260)
    if clock == MONTHS and chosen != _WHOLE:
        st.markdown(
            small("Months are counted for the whole practice only: parts of it would be too small.")
        )
        clock = QUARTERS
    return clock or QUARTERS, named.get(chosen, named[_WHOLE])


def _mix(trends: pl.DataFrame, preset: str) -> None:
    said = status_mix(trends, preset)
    if not said:
        return
    st.header("Open cases now, by status", anchor=False)
    st.markdown("  \n".join(plain(line) for line in said))
    st.markdown(small("Counts of open cases; shares of all open cases."))


def _figure(
    figure: Figure,
    trends: pl.DataFrame,
    groups: pl.DataFrame,
    clock: str,
    group: tuple[str, str],
    preset: str,
) -> None:
    own = trends.filter((pl.col("figure") == figure.name) & (pl.col("category") == ALL))
    dimension, name = group
    if dimension == "problem":
        rows = groups.filter(
            (pl.col("figure") == figure.name)
            & (pl.col("dimension") == dimension)
            & (pl.col("group_id") == name)
        )
    else:
        rows = own.filter(pl.col("site_id") == name)
    whole = rows.filter(pl.col("period").is_in([ALL, NOW])).to_dicts()
    kind, count = ("month", MONTHS_SHOWN) if clock == MONTHS else ("quarter", QUARTERS_SHOWN)
    dated = rows.filter(pl.col("period").str.starts_with(kind))
    dated = dated.sort(IN_TIME).tail(count)
    parts = {f"by {kind} of {figure.dated_by}": dated.with_columns(label=pl.col("period"))}
    if dimension == "practice":
        parts["by site"] = labelled_by(own.filter(pl.col("period").is_in([ALL, NOW])), "site_id")
    early = first_year(trends, figure)
    show_figure(figure, whole[0] if whole else None, parts, preset, early)


def _sites(visit: Visit) -> None:
    funnel = reading.funnel(visit.snapshot, visit.scope)
    if funnel.is_empty():
        st.info(
            "Sites are put side by side where at least two have numbers large enough to be shown."
        )
        return
    st.markdown(
        "Each dot is a site. The bands show how far off the whole practice's share a site of its "
        "size would lie by chance alone."
    )
    for figure in outcome_figures(funnel):
        show_funnel(figure, funnel.filter(pl.col("figure") == figure.name))


def _fairness(groups: pl.DataFrame, preset: str) -> None:
    present = set(groups["dimension"]) if groups.height else set()
    offered = [label for label, name in _DIMENSIONS.items() if name in present]
    if not offered:
        st.info(
            "Nothing to show: the practice sends no age band, sex, ethnic group or problem, or the "
            "snapshot is older than these figures. The next night fills it."
        )
        return
    chosen = st.segmented_control(
        "By", offered, default=offered[0], key="trends_people", required=True
    )
    st.markdown(FAIRNESS_WORDS)
    rows = groups.filter(
        (pl.col("dimension") == _DIMENSIONS[chosen or offered[0]]) & (pl.col("period") == ALL)
    )
    for name in _OF_PEOPLE:
        of_figure = rows.filter(pl.col("figure") == name)
        if of_figure.height:
            parts = {f"by {chosen or offered[0]}".lower(): labelled_by(of_figure, "group_id")}
            show_figure(figure_named(name), None, parts, preset)
