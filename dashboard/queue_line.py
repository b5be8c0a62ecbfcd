"""Which cases come up with so many cases a week to talk about, and what is said of that?

The line is a chance that the night published with what it catches and misses on the practice's own
past. Here it is only held against the chance that the night published of each case.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dashboard.queue_order import Row

FEWEST, MOST = 1, 15
_ALWAYS = {"safety", "deteriorating"}
_BY_OUTLOOK = "outlook"

NOT_TESTED = (
    "How many cases that end badly this list catches, and how many it misses, is not known here: "
    "the flags were never tested on this practice's own past. The command 'unstuck train' does "
    "that. Until then every flagged case comes up, in the order of need."
)
NOT_READABLE = (
    "What a number of cases a week catches and misses here cannot be read now: run 'unstuck train' "
    "to make it anew. Until then every flagged case comes up, in the order of need."
)
NO_WEEKS = (
    "The back-test of this practice knows no days, so nobody can say what a week brings: every "
    "flagged case comes up, in the order of need."
)
NO_OUTLOOK = (
    "No case here has an outlook to hold against a number of cases a week: every flagged case "
    "comes up, in the order of need."
)
LINE_IN_WORDS = (
    "**Cases a week** sets a line: a case comes up if its outlook lies above it, with a flag or "
    "without. What lies below is folded, never dropped. A safety item or a case that is "
    "deteriorating always comes up, and so does a flagged case without an outlook: on top of the "
    "number. The number is reckoned for one measure, the one with most cases in the back-test; its "
    "line is held against cases decided by another measure too, and these come on top. What the "
    "line catches and misses comes from a back-test on this practice's own ended cases; the words "
    "beside it say how many."
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """From where on cases come up. Without a threshold every flagged case does.

    Parameters
    ----------
    sentence
        What that catches and misses, or why there is no line.
    """

    threshold: float | None = None
    sentence: str = ""

    def takes(self, row: Row) -> bool:
        """Return whether a row of the queue comes up."""
        always = not _ALWAYS.isdisjoint(row["kinds"].split(","))
        if self.threshold is None or always or row["probability_from"] != _BY_OUTLOOK:
            return bool(row["is_flagged"])
        return bool(row["probability"] >= self.threshold)

    def remark(self, row: Row) -> str:
        """Return where a case lies, seen from the line; nothing where there is no line."""
        if self.threshold is None or row["probability_from"] != _BY_OUTLOOK:
            return ""
        return "above your line" if row["probability"] >= self.threshold else "below your line"


NO_LINE = Line()


def most_tested(backtests: pl.DataFrame) -> tuple[str, str] | None:
    """Return the measure and the end whose back-test holds for the queue; None without one.

    Of the primary end the measure with most cases: chances of all measures are about the same end,
    so that one line serves them all.

    Parameters
    ----------
    backtests
        Rows of evidence_backtests.
    """
    asked = backtests.filter("is_primary").sort(
        "case_count", "measure_id", descending=[True, False], nulls_last=True
    )
    return asked.select("measure_id", "outcome").row(0) if len(asked) else None


def line_at(budget: pl.DataFrame, cases_a_week: int) -> Line:
    """Return the line of a number of cases a week; `budget` are rows of evidence_budget."""
    found = budget.filter(pl.col("cases_a_week") == cases_a_week).to_dicts()
    if not found:
        return Line(sentence=NO_WEEKS)
    return Line(threshold=found[0]["threshold"], sentence=found[0]["sentence"])
