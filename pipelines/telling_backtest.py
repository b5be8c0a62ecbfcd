"""Tell a back-test to a person on a terminal, words first, or to a program as JSON.

Counts are raw, for whoever holds the home or the files; what the screens show is suppressed
(models/shown_backtest.py). Shares in tenths come from rounded counts on both, so that one figure
has one number of tenths.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from data_contracts.measure import Measure
from data_contracts.suppression import suppression_rule
from models.alert_words import alert_sentences, ended_words, rule_words, verdict, when_words
from models.case_ends import WHY_UNKNOWN
from models.shown_backtest import shown_backtest
from pipelines.telling_flags import counted

Content = Mapping[str, Any]

WIDTH = 100
LEGEND = (
    "n: cases asked whose end is known; flagged: how many of them the rule flags. AUC: of two "
    "cases, one that ended so and one that did not, how often the rule is more worried about the "
    "right one (.5 is chance). Found: share flagged of those that ended so. Spared: share not "
    "flagged of the others. Right: share that ended so of those flagged. Slope: 1 where "
    "probabilities are as extreme as they should be, below 1 where they are too extreme. Beside "
    "each its 95 % interval, by client; beside a slope only for the outlook, similar cases and two "
    "scores: the other rules have no probability of their own, so theirs has none on purpose. "
    "What is said of 10 comes from counts rounded to 5, as on the "
    "screens; the tables are exact."
)
CAVEAT = (
    "Counts are not suppressed: they may tell of single people. Before they leave the practice, "
    "take what the Alert quality screen shows. Flags and ends go together or not; nothing here "
    "says what a flag, a review or the care did."
)
_FLAGGING = ("status_rule", "outlook")  # whose flags and order the screens show: told in words
_COLUMNS: dict[str, tuple[str, int]] = {  # figure and width
    "AUC": ("auc", 12),
    "found": ("sensitivity", 12),
    "spared": ("specificity", 12),
    "right": ("ppv", 12),
    "slope": ("calibration_slope", 17),
}
_REASONS = {
    "too_few_ended": "too few ended cases to learn from",
    "too_few_bad": "too few bad ends to learn from",
    "no_threshold": "the measure lacks a number this rule needs",
    "outside_range": "the cases lie outside what was learned from",
    "too_late": "this late in a course nothing was learned",
    "not_known": "too little is known of the cases",
    "nobody_asked": "no case with a known end was asked",
}
_SPOKEN = ("hits", "found", "unflagged")


def backtest_as_json(content: Content) -> str:
    """Return the whole content; what is no number is null."""
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False)


def backtest_as_text(content: Content, measure: Measure) -> str:
    """Return words first, then a table a landmark, then what limits all of it."""
    spoken = _with_rounded_counts(content)
    paragraphs = [_head(content, spoken, measure)]
    for landmark in content["landmarks"]:
        paragraphs += _landmark(content, spoken, landmark)
        if _asked(content, landmark):
            paragraphs.append(_table(content, landmark))
    paragraphs += _over_the_course(content, spoken)
    paragraphs += [_filled(LEGEND), *(_filled(note) for note in content["notes"])]
    return "\n\n".join([*paragraphs, _filled(CAVEAT)])


def _with_rounded_counts(content: Content) -> Content:
    """Return what the screens' tenths come from: every count rounded as there, none hidden."""
    round_to = suppression_rule("default")
    return shown_backtest(content, round_to.model_copy(update={"hide_up_to": 0}))


def _plain(value: object) -> object:
    """Return numbers, texts and null as JSON knows them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float) and not isfinite(number):
        return None
    return number


def _head(content: Content, spoken: Content, measure: Measure) -> str:
    split = content["split"]
    learned = (
        f"Each rule learned from cases that were over before it was asked "
        f"({counted(split['blocks'], 'quarter')} of the practice's calendar)."
        if split["kind"] == "calendar"
        else f"Each rule learned from other clients' cases ({counted(split['folds'], 'fold')}, "
        f"{counted(split['repeats'], 'time')})."
    )
    ends = (
        f"Of 10 cases asked about whose end is known, "
        f"{_of_ten(content['base_rate'], spoken['base_rate'])} ended so."
        if content["n"]
        else "No case asked about has a known end."
    )
    return _filled(
        f"{measure.name}, {content['cases']:,} past cases, {content['n']:,} with a known "
        "end. Which of them "
        f"{ended_words(content)}? {ends} {learned}"
    )


def _landmark(content: Content, spoken: Content, landmark: str) -> Iterator[str]:
    """Yield who was asked, how flags went together with ends, and what differs between rules."""
    facts = content["landmarks"][landmark]
    if not _asked(content, landmark):
        yield _filled(
            f"{_capital(when_words(facts['kind'], facts['at']))}, "
            f"{facts['at_risk']:,} cases: no rule could be asked: "
            f"{_why_fewer(content, landmark)}."
        )
        return
    of_ten = _of_ten(facts["base_rate"], spoken["landmarks"][landmark]["base_rate"])
    when = when_words(facts["kind"], facts["at"])
    known = (
        f"of 10 whose end is known {of_ten} {ended_words(content)} "
        f"({facts['bad']:,} of {facts['known']:,})."
        if facts["known"]
        else "no end is known."
    )
    unknown = [f"{count:,} {WHY_UNKNOWN[why]}" for why, count in facts["why_unknown"].items()]
    others = f" Not known: {'; '.join(unknown)}." if unknown else ""
    dropped = (
        f" Of all, {facts['dropped_out']:,} dropped out later." if facts["dropped_out"] else ""
    )
    reviewed = (
        f" {facts['reviewed']:,} more were reviewed after a flag and are left out."
        if facts["reviewed"]
        else ""
    )
    yield _filled(
        f"{_capital(when)}, {facts['at_risk']:,} cases: {known}{_fewer_asked(content, landmark)}"
        f"{others}{dropped}{reviewed}"
    )
    for rule in [name for name in _FLAGGING if name in content["rules"]]:
        said = {each.code: each.sentence for each in alert_sentences(spoken, rule, landmark)}
        words = [said[code] for code in _SPOKEN if code in said]
        if words:
            yield _filled(f"{_capital(rule_words(rule))}: {' '.join(words)}")
    if differences := list(_differences(content, landmark)):
        yield _filled(f"Who ranks better, beyond chance, by AUC: {'; '.join(differences)}.")


def _asked(content: Content, landmark: str) -> int:
    """Return of how many cases with a known end the rule that answered most was asked."""
    said = (by_landmark.get(landmark) or {} for by_landmark in content["rules"].values())
    return max((figures.get("n") or 0 for figures in said), default=0)


def _fewer_asked(content: Content, landmark: str) -> str:
    asked, known = _asked(content, landmark), content["landmarks"][landmark]["known"]
    if asked >= known:
        return ""
    return f" {asked:,} of {known:,} were asked: {_why_fewer(content, landmark)}."


def _why_fewer(content: Content, landmark: str) -> str:
    """Return why no rule answers about some cases there."""
    if not content["landmarks"][landmark]["known"]:
        return "no end is known"
    if content["split"]["kind"] == "calendar":
        return "too few cases were over before"
    said = (by_landmark.get(landmark) or {} for by_landmark in content["rules"].values())
    reasons = [figures["reason"] for figures in said if figures.get("reason")]
    return _REASONS.get(reasons[0], reasons[0]) if reasons else "no rule has an answer for the rest"


def _differences(content: Content, landmark: str) -> Iterator[str]:
    """Yield in words which rules rank better or worse than one that flags, beyond chance."""
    for pair, difference in content["paired"].get(landmark, {}).items():
        first, second = pair.split(" - ")
        if not {first, second} & set(_FLAGGING):
            continue
        low, high = (difference.get(f"auc{end}") for end in ("_low", "_high"))
        found = verdict(low, high)
        if found not in ("higher", "lower"):
            continue
        better, worse = (first, second) if found == "higher" else (second, first)
        ends = sorted((abs(low), abs(high)))
        yield (
            f"{rule_words(better)} over {rule_words(worse)} by {_number(abs(difference['auc']))} "
            f"({_number(ends[0])} to {_number(ends[1])}; {difference['n']:,} cases)"
        )


def _table(content: Content, landmark: str) -> str:
    head = "".join(f"{name:>{width}}" for name, (_, width) in _COLUMNS.items())
    lines = [f"{'rule':<20}{'n':>6}{'flagged':>8}{head}"]
    for rule, by_landmark in content["rules"].items():
        figures = by_landmark.get(landmark) or {}
        if not figures.get("n"):
            reason = figures.get("reason") or "nobody_asked"
            lines.append(f"{rule:<20}{'-':>6}  {_REASONS.get(reason, reason.replace('_', ' '))}")
            continue
        flagged = figures.get("flagged")
        lines.append(
            f"{rule:<20}{figures['n']:>6,}{'-' if flagged is None else f'{flagged:,.0f}':>8}"
            + "".join(
                f"{_with_ends(figures, figure):>{width}}" for figure, width in _COLUMNS.values()
            )
        )
    return "\n".join(lines)


def _over_the_course(content: Content, spoken: Content) -> Iterator[str]:
    """Yield how often each rule that flags did so at all, and what that asks of supervisors."""
    for rule in _FLAGGING:
        course = content["over_the_course"].get(rule)
        if not course or not course.get("cases"):
            continue
        rounded = spoken["over_the_course"].get(rule) or {}
        of_ten = {
            name: _of_ten(course[name], rounded.get(name))
            for name in ("ever_flagged_of_bad", "ever_flagged_of_good", "bad_if_never_flagged")
        }
        lead = course.get("lead_occasions_mean")
        weeks = course.get("lead_weeks_mean")
        before = "" if weeks is None else f" ({weeks:.0f} weeks)"
        load = course.get("flags_a_supervisor_week")
        parts = [
            f"Over whole courses {rule_words(rule)} flagged {course['ever_flagged']:,} of "
            f"{course['cases']:,} cases at some landmark: of 10 that ended so "
            f"{of_ten['ever_flagged_of_bad']}, of 10 others "
            f"{of_ten['ever_flagged_of_good']}; of 10 never flagged "
            f"{of_ten['bad_if_never_flagged']} ended so.",
            "" if lead is None else f"First flagged {lead:.1f} scores{before} before the end.",
            "" if load is None else f"New flags a supervisor and week: {load:.1f}.",
        ]
        yield _filled(" ".join(part for part in parts if part))


def _of_ten(share: float | None, of_rounded: float | None) -> str:
    """Return a share as so many of 10, as the screens say it; none and all where it is exact."""
    if share is None:
        return "an unknown number"
    tenths = round(10 * (share if of_rounded is None else of_rounded))
    if tenths == 0:
        return "none" if share == 0 else "hardly any"
    if tenths == 10:
        return "all" if share == 1 else "nearly all"
    return str(tenths)


def _with_ends(figures: Mapping[str, Any], figure: str) -> str:
    value, low, high = (figures.get(f"{figure}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    ends = "" if low is None or high is None else f" {_number(low)}-{_number(high)}"
    return f"{_number(value)}{ends}"


def _number(value: float) -> str:
    """Return two decimals without the leading zero: .73, -.05, 1.02; 1 is 1."""
    if value == round(value):
        return f"{value:.0f}"
    text = f"{value:.2f}"
    return "1" if text == "1.00" else text.replace("0.", ".", 1) if abs(value) < 1 else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _filled(text: str) -> str:
    return textwrap.fill(text, width=WIDTH)
