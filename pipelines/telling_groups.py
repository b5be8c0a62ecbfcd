"""How much did groups change as a whole, measured by the points that matter? As text or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import cast

import numpy as np
import polars as pl

from models.change_reference import ChangeRuleError, Direction, Floats, sign_of
from models.meaningful_change import GroupChange, change_between, change_within
from pipelines.asking_change import Asked, measure_of
from pipelines.asking_scores import SentScores, groups_in, moment_of, pairs_of, sent_of
from pipelines.telling_flags import counted


@dataclass(frozen=True, kw_only=True)
class GroupsTold:
    """The answer: every group, or every comparison, and what it rests on."""

    effect: str
    points: float
    higher_is: Direction
    confidence: float
    groups: tuple[tuple[str | None, GroupChange], ...]
    reference_group: str | None = None
    no_case_count: int = 0
    """Rows left out because nobody knows whose they are."""


def answer(asked: Asked) -> GroupsTold:
    """Read the file and judge every group by the interval of its mean change or difference.

    Raises
    ------
    SourceError
        If file or columns cannot be read.
    ChangeRuleError
        If the points, or the groups to compare, were not given.
    """
    measure = measure_of(asked.measure)
    higher_is = measure.higher_is if measure else cast("Direction", asked.higher_is)
    sign_of(higher_is)
    if asked.points is None:
        message = "--effect needs --points: by how much must a group change for it to matter?"
        raise ChangeRuleError(message)
    if asked.effect not in ("within", "between"):
        message = f"--effect {asked.effect!r} is neither within nor between"
        raise ChangeRuleError(message)
    judge = _within if asked.effect == "within" else _between
    sent = sent_of(asked)
    return GroupsTold(
        effect=asked.effect,
        points=asked.points,
        higher_is=higher_is,
        confidence=asked.confidence,
        groups=tuple(judge(asked, sent, asked.points, higher_is)),
        no_case_count=sent.no_case_count,
        reference_group=asked.reference_group if asked.effect == "between" else None,
    )


def _within(
    asked: Asked, sent: SentScores, points: float, higher_is: Direction
) -> list[tuple[str | None, GroupChange]]:
    found = []
    for name, members in groups_in(pairs_of(asked, sent)):
        pre, post = (_numbers(members[side]) for side in ("pre", "post"))
        change = change_within(
            pre, post, points=points, higher_is=higher_is, confidence=asked.confidence
        )
        found.append((name, change))
    return found


def _between(
    asked: Asked, sent: SentScores, points: float, higher_is: Direction
) -> list[tuple[str | None, GroupChange]]:
    if asked.group is None or asked.reference_group is None:
        message = "--effect between needs --group and --reference-group: who is compared with whom?"
        raise ChangeRuleError(message)
    if "pre" in sent.rows.columns:
        pairs = pairs_of(asked, sent)
        after = pairs.select("case_id", "group", score="post")
    else:
        scores = sent.rows
        after = scores.filter(pl.col("time") == pl.lit(moment_of(scores, asked.post, "post")))
        if after["case_id"].n_unique() < after.height:
            message = "a case has more than one score after: which one counts was not said"
            raise ChangeRuleError(message)
    groups = {name: _numbers(members["score"]) for name, members in groups_in(after)}
    if asked.reference_group not in groups:
        message = f"no case with a score after is in the group {asked.reference_group!r}"
        raise ChangeRuleError(message)
    reference = groups.pop(asked.reference_group)
    return [
        (name, change_between(reference, scores, points=points, higher_is=higher_is,
                              confidence=asked.confidence))
        for name, scores in groups.items()
    ]  # fmt: skip


def _numbers(scores: pl.Series) -> Floats:
    numbers: Floats = scores.cast(pl.Float64).to_numpy().astype(np.float64)
    return numbers


def as_json(told: GroupsTold) -> str:
    """Return the answer for programs."""
    head = asdict(told)
    head["groups"] = [{"group": name, **asdict(change)} for name, change in told.groups]
    return json.dumps(head, indent=1, allow_nan=False)


def as_text(told: GroupsTold) -> str:
    """Return a line a group, and what it rests on."""
    against = "" if told.reference_group is None else f" compared with {told.reference_group}"
    lines = []
    for name, change in told.groups:
        who = "all cases" if name is None else name
        if change.difference is None:
            lines.append(f"{who}{against}: not computable, {change.reason}")
            continue
        lines.append(
            f"{who}{against}: {change.difference:.4g} points ({change.low:.4g} to "
            f"{change.high:.4g}), {counted(change.count, 'case')}: {change.verdict}"
        )
    lines.append(
        f"Rests on: {told.points:g} points matter, higher is {told.higher_is}, intervals at "
        f"{100 * told.confidence:g} %"
    )
    if told.no_case_count:
        lines.append(f"{counted(told.no_case_count, 'row')} set aside: the case is missing.")
    return "\n".join(lines)
