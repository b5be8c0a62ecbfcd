"""Can I believe the flags here?"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from dashboard import reading_evidence
from dashboard.alert_blocks import pictures, published_tables, show_charts, show_numbers
from dashboard.alert_downloads import show_alert_downloads
from dashboard.alert_rules import HIDDEN, OWN_RULES, rule_name
from dashboard.follow_up_block import show_follow_up
from dashboard.reading_evidence import Asked, Evidence
from dashboard.visit import Visit
from dashboard.words import moment, plain, small
from data_contracts.errors import SourceError
from data_contracts.suppression import suppression_rule

NOTHING = (
    "Nobody has tested the flags on this practice's own past cases yet, so nobody can say how good "
    "they are here. The training does: it runs on its schedule where `unstuck serve` runs, or by "
    "hand: `unstuck train --home ...`. It needs ended cases with several scores. `unstuck backtest "
    "--home ...` shows the same in a terminal."
)
_EVERYBODY, _MAIN = "everybody", ("hits", "found", "unflagged")
_MORE = ("ever", "compared", "ranked")
_WIDTHS = {"measure": 200, "outcome": 460, "landmark": 310}
_BEGINS_AT = 4  # the score after the start that is shown first, where it was asked
_DAYS_A_YEAR = 365
_WHAT_IT_DOES = {
    "status_rule": "Puts a case into the queue as stuck or deteriorating.",
    "outlook": "Puts the queue in order. Flagged here: as many as ended so among the cases it "
    "learned from.",
}
HOW_COMPUTED = """
- **Tested on the practice's own past**: every past case is replayed score by score; a rule knows
  only what was known on that day, and learned only from cases that were over by then (without a
  calendar: from other cases).
- **Ended so**: the end chosen above, from the last score; a rule is asked only where later scores
  follow.
- **Found**: of those that ended so, how many were flagged then (sensitivity). **Ended so, of the
  flagged**: the positive predictive value. What is not found is missed.
- **AUC**: of two cases, one that ended so and one that did not, how often the rule is more worried
  about the right one; one half is chance. Intervals: bootstrap by client; of shares Wilson, from
  rounded counts.
- **Cases reviewed after a flag** stand apart and never count as wrongly flagged.
- **Unknown ends** are counted, with both extremes.

More: docs/alert_quality.md and docs/backtest.md.
"""


def show(visit: Visit) -> None:
    """Draw how good the flags are, from published evidence only."""
    visit.title("Alert quality")
    try:
        _show_evidence(visit)
    except SourceError as error:  # what followed a flag is there without it
        st.warning(plain(str(error)))
    show_follow_up(visit)


def _show_evidence(visit: Visit) -> None:
    evidence = reading_evidence.current_evidence(visit.places)
    tests = (
        pl.DataFrame() if evidence is None else reading_evidence.backtests(evidence, visit.scope)
    )
    if evidence is None or tests.is_empty():
        st.info(NOTHING)
        return
    test, asked = _chosen(visit, evidence, tests)
    preset = visit.settings.publishing.suppression
    st.markdown(_stands_on(evidence, test, preset))
    said = reading_evidence.sentences(evidence, visit.scope, asked)
    _words(said)
    _small_print(said, test)
    with st.popover("How is this computed?", type="tertiary"):
        st.markdown(HOW_COMPUTED)
        st.markdown(small(plain(f"Evidence {evidence.evidence_id}.")))
    charts = pictures(visit, evidence, asked, HIDDEN)
    show_charts(charts)
    with st.container(key="alerts_numbers"):  # page_style.css knows it by this name
        show_numbers(visit, evidence, asked, HIDDEN)
        _card(visit, evidence, asked)
    show_alert_downloads(
        visit,
        evidence,
        asked,
        f"{test['measure_name']}, cases that {test['outcome_words']}",
        tables=published_tables(visit, evidence, asked),
        pictures=list(charts.values()),
    )


def _chosen(visit: Visit, evidence: Evidence, tests: pl.DataFrame) -> tuple[dict[str, Any], Asked]:
    """Return the test and the moment that the address names, or that are chosen."""
    names = dict(tests.select("measure_id", "measure_name").rows())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = _choice("Measure", "measure", list(names), names, next(iter(names)))
        own = tests.filter(pl.col("measure_id") == measure)
        outcomes = dict(own.select("outcome", "outcome_words").rows())
        outcome = _choice(
            "Cases that ...", "outcome", list(outcomes), outcomes, next(iter(outcomes))
        )
        asked = Asked(measure_id=measure, outcome=outcome)
        moments = reading_evidence.landmarks(evidence, visit.scope, asked)
        words = dict(moments.select("landmark", "landmark_words").rows())
        asked_at = _choice("Asked ...", "landmark", list(words), words, _first_moment(moments))
    test = own.filter(pl.col("outcome") == outcome).to_dicts()[0]
    return test, Asked(measure_id=measure, outcome=outcome, landmark=asked_at)


def _first_moment(moments: pl.DataFrame) -> str:
    """Return the 4th score, or the moment in the middle."""
    fourth = moments.filter((pl.col("kind") == "occasion") & (pl.col("at") == _BEGINS_AT))
    row = fourth if fourth.height else moments.slice(moments.height // 2)
    return str(row["landmark"][0])


def _choice(
    label: str, name: str, options: Sequence[str], words: dict[str, str], first: str
) -> str:
    """Draw one choice; the address holds it, so that a link shows the same."""
    key = f"alerts_{name}"
    if st.session_state.get(key) not in options:
        wanted = st.query_params.get(name)
        st.session_state[key] = wanted if wanted in options else first
    chosen: str = st.selectbox(
        label,
        options,
        format_func=lambda option: words[option],
        key=key,
        width=_WIDTHS[name],
        on_change=_into_the_address,
        args=(name, key),
    )
    return chosen


def _into_the_address(name: str, key: str) -> None:
    st.query_params[name] = st.session_state[key]


def _stands_on(evidence: Evidence, test: dict[str, Any], preset: str) -> str:
    rule = suppression_rule(preset)
    count = test["case_count"]
    cases = HIDDEN if count is None else f"{count:,}"
    days = test["days_covered"]
    over = "" if days is None else f" that started over about {_years(days)}"
    return small(
        plain(
            f"{test['measure_name']} · {cases} past cases with a known end{over} · tested "
            f"{moment(evidence.made_at)} · counts rounded to {rule.round_to}; “{HIDDEN}”: fewer "
            f"than {rule.hide_up_to + 1}, or it would give such a number away"
        )
    )


def _years(days: int) -> str:
    halves = max(1, round(2 * days / _DAYS_A_YEAR))
    if halves == 1:
        return "half a year"
    return f"{halves // 2}{'½' if halves % 2 else ''} year{'' if halves == 2 else 's'}"


def _words(said: pl.DataFrame) -> None:
    """Tell hits and misses of the rules the queue goes by: the largest thing on the screen."""
    everybody = said.filter(pl.col("code") == _EVERYBODY)["sentence"].head(1).to_list()
    st.markdown("".join(plain(sentence) for sentence in everybody))
    rules = [rule for rule in OWN_RULES if rule in set(said["rule"])]
    for column, rule in zip(st.columns(max(1, len(rules)), gap="medium"), rules, strict=False):
        own = dict(said.filter(pl.col("rule") == rule).select("code", "sentence").rows())
        with column, st.container(border=True):
            st.header(rule_name(rule), anchor=False)
            st.markdown(small(_WHAT_IT_DOES[rule]))
            for code in _MAIN:
                if code in own:
                    st.markdown(plain(own[code]))
            more = [plain(own[code]) for code in _MORE if code in own]
            st.markdown("\n".join(f"- {small(line)}" for line in more))


def _small_print(said: pl.DataFrame, test: dict[str, Any]) -> None:
    """Say once what holds for every rule, and what the numbers do not say."""
    own = said.filter(~pl.col("code").is_in([_EVERYBODY, *_MAIN, *_MORE])).unique(
        "code", keep="first"
    )
    in_order = said["code"].unique(maintain_order=True).to_list()
    told = dict(own.select("code", "sentence").rows())
    lines = [told[code] for code in in_order if code in told]
    lines += json.loads(test["notes"])
    st.markdown("\n".join(f"- {small(plain(line))}" for line in lines))


def _card(visit: Visit, evidence: Evidence, asked: Asked) -> None:
    card = reading_evidence.card(evidence, visit.scope, asked)
    if card is None:
        st.markdown(small("No trained model is in use for this measure and end."))
        return
    with st.expander(f"Card of the model in use, version {plain(card['version'])}"):
        # The screen has one title, and the card's sections stand under it.
        st.markdown(re.sub(r"^(#+ )", r"##\1", card["card_markdown"], flags=re.MULTILINE))
