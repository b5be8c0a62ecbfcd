"""Tell how similar past cases of one file went on, as text or JSON.

The file is looked at and left as it is: nothing lands, nothing is kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.errors import UnknownCaseError
from models.similar_cases import SimilarCases, SimilarCourses
from models.similar_rule import REASONS
from pipelines.asking_similar import ROW_REASONS
from pipelines.telling_flags import counted

if TYPE_CHECKING:
    from models.similar_rule import SimilarCasesRule
    from pipelines.asking_similar import SimilarInput

CAVEAT = (
    "What happened to similar cases, not what will happen to this one: similar in the features "
    "given, and still in care at that occasion. Beyond the boundary is a reason to talk."
)


@dataclass(frozen=True, kw_only=True)
class ToldSimilar:
    """The answer, and what it rests on."""

    rule: SimilarCasesRule
    known_until: int
    reference_count: int
    courses: SimilarCourses
    rows: int
    rows_not_used: dict[str, int]


def similar(
    given: SimilarInput, rule: SimilarCasesRule, *, as_of: int | None, only: list[str]
) -> ToldSimilar:
    """Compare open cases with the ended ones.

    Parameters
    ----------
    as_of
        Ask as on this day: cases that ended before it are the reference, the others are asked with
        the scores known before it. None: after the last day of the file.
    only
        Ask these cases alone; an ended one too. Empty: all open ones.
    """
    cases, scores = given.cases, given.scores
    last = [table[name].max() for table, name in ((cases, "ended_on"), (scores, "known_on"))
            if name in table.columns]  # fmt: skip
    day = 1 + max((each for each in last if isinstance(each, int)), default=0)
    day = day if as_of is None else as_of
    unknown = set(only) - set(cases["case_id"])
    if unknown:
        message = f"{len(unknown)} of the cases asked by --only have no score in the file"
        raise UnknownCaseError(message)
    asked = cases.filter(
        pl.col("case_id").is_in(only)
        if only
        else pl.col("ended_on").is_null() | (pl.col("ended_on") >= day)
    )
    if "known_on" in scores.columns:
        scores = scores.filter(pl.col("known_on") < day)
    reference = SimilarCases(rule).fit(cases, scores, as_of=day)
    now = scores.select("case_id", "occasion", "score")
    return ToldSimilar(
        rule=rule,
        known_until=day,
        reference_count=reference.reference_count_,
        courses=reference.expect(asked, now),
        rows=given.rows,
        rows_not_used=given.not_used,
    )


def not_answered(told: ToldSimilar) -> dict[str, int]:
    """Return how many cases got no answer for which reason."""
    counted = dict(told.courses.asked["reason"].drop_nulls().value_counts().iter_rows())
    return {reason: counted[reason] for reason in REASONS if reason in counted}


def similar_as_json(told: ToldSimilar) -> str:
    """Return one object: rule, reference, cases asked, what is foreseen, what was left out."""
    return json.dumps(
        {
            "rule": asdict(told.rule),
            "reference": {"case_count": told.reference_count, "ended_before": told.known_until},
            "rows": told.rows,
            "rows_not_used": told.rows_not_used,
            "not_answered": not_answered(told),
            "asked": told.courses.asked.to_dicts(),
            "foreseen": told.courses.foreseen.to_dicts(),
            "caveat": CAVEAT,
        },
        indent=1,
        allow_nan=False,
    )


def similar_as_text(told: ToldSimilar) -> str:
    """Return a line a case with what is foreseen next, then what it rests on."""
    next_ones = told.courses.foreseen.filter(pl.col("occasion") == pl.col("made_at") + 1)
    lines = [_line(row) for row in next_ones.iter_rows(named=True)]
    answered = told.courses.asked.filter(pl.col("reason").is_null()).height
    lines.append(
        f"{answered} of {counted(told.courses.asked.height, 'open case')} compared with "
        f"{counted(told.reference_count, 'ended one')}."
    )
    lines += [
        f"{counted(count, 'case')}: {REASONS[reason]}."
        for reason, count in not_answered(told).items()
    ]
    lines += [
        f"{count} of {counted(told.rows, 'row')} not used: {ROW_REASONS[reason]}."
        for reason, count in told.rows_not_used.items()
    ]
    return "\n".join([*lines, CAVEAT])


def _line(row: dict[str, object]) -> str:
    head = f"{row['case_id']}: after {counted(int(str(row['occasion'])), 'score')}"
    if row["reason"] is not None:
        return f"{head}, {REASONS[str(row['reason'])]}"
    return (
        f"{head}, next expected {row['expected']:.1f}; boundary {row['worse_boundary']:.1f} "
        f"(other side {row['better_boundary']:.1f}); {row['neighbour_count']} similar cases, "
        f"worth {row['effective_number']:.0f}"
    )
