"""What followed flags, in words: each group for itself, and never one against the other.

Every number comes from published_follow_up. No sentence says that a group did better or worse than
another one: who is talked about is chosen, and the groups were different before.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboard.figures import ALL, hidden, rate_words, share_words
from dashboard.words import mark, number
from data_contracts.review_words import DECISIONS, review_words
from data_contracts.tables_judged import FLAG_KINDS

NO_TRIAL = (
    "This describes, it is no trial. Who is talked about is chosen, often a case that worries "
    "somebody: the groups were different before anything was done. So a difference between them, "
    "or none, says nothing about what talking does."
)
REGRESSION = (
    "A flag opens on bad scores, so the next ones are on average less bad whatever anybody does "
    "(regression to the mean). Flags on no screen show it too."
)
BY_DECISION = (
    "Which decision is taken depends on the case, so this does not tell decisions apart by what "
    "they do."
)
COMPUTED = (
    "Counted is the first flag of its kind in a case, once its 14 weeks have passed: 14 days after "
    "it was first on a screen, then 12 weeks in which the case is followed.",
    "Who had been talked about is asked on one day, the 14th, and stays so: whoever is talked "
    "about later was in care until then, and would look better for that alone. Cases whose care "
    "had ended by that day are in no group.",
    "A talk is a decision in the workspace that was not taken back; what was said elsewhere is not "
    "known.",
    "Flags on no screen are those whose 14 weeks were over when unstuck first saw them. The same "
    "14 days and 12 weeks count from the day they opened.",
    "Four scores later: where the case stands at its fourth score after the 14th day, by the same "
    "rule as everywhere. Without a fourth score within 12 weeks it is said why, and such a case is "
    "taken for neither good nor bad.",
    "Gain is counted from the last score up to the 14th day to that fourth score, in clear "
    "changes: 1 is what measurement error alone does not explain. Shown is the middle case with "
    "the middle half of all, of 20 cases or more.",
    "A case may be there under several kinds of flag. Intervals: Wilson, 95 %, from the rounded "
    "counts.",
    "What it would take to say more: an alarm budget draws a line, and cases just above and just "
    "below it are alike but for the talk; comparing these, agreed on beforehand and with enough "
    "cases, is a discontinuity design. Or chance decides which of equal cases is talked about "
    "first.",
)
GROUPS = {
    "reviewed": "talked about within 14 days",
    "not_reviewed": "on a screen, not talked about by then",
    "not_shown": "on no screen (from before unstuck was in use)",
}
_WENT_ON = {
    "better": "better (improved or recovered)",
    "under_way": "on track, on watch or not judged",
    "stuck": "stuck",
    "worse": "deteriorating",
    "dropped_out": "dropped out before",
    "ended": "care ended before, otherwise or for reasons not sent",
    "fewer_scores": "in care, fewer than four scores",
}


def kinds_told(rows: pl.DataFrame) -> list[str]:
    """Return the kinds of flag there is something to tell of, in the order of need."""
    told = set(rows["kind"]) if rows.height else set()
    return [kind for kind in FLAG_KINDS if kind in told]


def group_sentences(of_kind: pl.DataFrame, preset: str) -> list[str]:
    """Return what is known of each group of one kind of flag, a sentence or two each."""
    rows = _by_key(of_kind)
    return [
        sentence
        for group in GROUPS
        if (sentence := _group_sentence(rows, group, preset)) is not None
    ]


def _group_sentence(
    rows: dict[tuple[str, str, str], dict[str, Any]], group: str, preset: str
) -> str | None:
    size = rows.get(("flagged", group, ALL))
    if size is None:
        return None
    opening = GROUPS[group].capitalize()
    if size["is_suppressed"]:
        return f"{opening}: {hidden(preset)}."
    if not size["numerator"]:
        return f"{opening}: no case yet."
    better, stuck = (rows[("went_on", group, each)] for each in ("better", "stuck"))
    said = (
        f"{opening}: of {size['numerator']:,} cases, {_of_them(better, preset)} were better four "
        f"scores later, {_of_them(stuck, preset)} were stuck."
    )
    later = rows.get(("reviewed_later", group, ALL))
    return (
        f"{said} {_of_them(later, preset).capitalize()} were talked about later." if later else said
    )


def _of_them(row: dict[str, Any], preset: str) -> str:
    return f"a number that is {hidden(preset)}" if row["is_suppressed"] else share_words(row)


def went_on_table(of_kind: pl.DataFrame, preset: str) -> pl.DataFrame:
    """Return how the groups of one kind went on, as a table of words."""
    rows = _by_key(of_kind)
    there = [group for group in GROUPS if ("went_on", group, "better") in rows]
    lines = {
        words: [rate_words(rows["went_on", group, each], preset) for group in there]
        for each, words in _WENT_ON.items()
    }
    lines["gain to the fourth score, in clear changes"] = [
        _middle(rows.get(("measured", group, ALL))) for group in there
    ]
    lines["weeks to the next score"] = [
        _middle(rows.get(("next_score", group, ALL))) for group in there
    ]
    if not there:
        return pl.DataFrame()
    return pl.DataFrame(
        {"Four scores later": list(lines)}
        | {
            GROUPS[group].capitalize(): [said[place] for said in lines.values()]
            for place, group in enumerate(there)
        }
    )


def decision_table(of_kind: pl.DataFrame, preset: str) -> pl.DataFrame:
    """Return the decisions of the first talk, and how many cases were better four scores later."""
    rows = _by_key(of_kind)
    told = [each for each in DECISIONS if ("decided", each, ALL) in rows]
    words = review_words()
    return pl.DataFrame(
        {
            "Decision": [words.decision[each].button for each in told],
            "Of those talked about": [
                rate_words(rows["decided", each, ALL], preset) for each in told
            ],
            "Better four scores later": [
                rate_words(rows["better", each, ALL], preset)
                if ("better", each, ALL) in rows
                else "no cases"
                for each in told
            ],
        }
    )


def useful_sentence(of_kind: pl.DataFrame, kind: str, preset: str) -> str:
    """Return how often such a flag was called useful by those who looked at the case."""
    row = _by_key(of_kind).get(("useful", ALL, ALL))
    word = mark(kind).word
    if row is None:
        return f"Nobody has said yet whether a flag “{word}” was useful."
    return (
        f"Called useful by the supervisor, where “{word}” led and this was answered: "
        f"{rate_words(row, preset)}."
    )


def _middle(row: dict[str, Any] | None) -> str:
    if row is None or row["middle"] is None:
        return "too few to tell"
    middle, low, high = (number(row[each]) for each in ("middle", "low_quarter", "high_quarter"))
    return f"{middle} (middle half: {low} to {high})"


def _by_key(of_kind: pl.DataFrame) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(row["figure"], row["group_id"], row["category"]): row for row in of_kind.to_dicts()}
