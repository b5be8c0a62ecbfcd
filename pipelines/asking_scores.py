"""Which scores does a caller of `unstuck change` mean? A file becomes one row a case."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from models.change_reference import ChangeRuleError
from models.paired_scores import paired_columns, paired_scores
from pipelines.asking_change import Asked
from pipelines.reading_columns import each_its_own, read_columns


@dataclass(frozen=True, kw_only=True)
class SentScores:
    """What a file holds; `group` is a column if one was named."""

    rows: pl.DataFrame
    """`case_id`, `time`, `score`, one row a score; or `case_id`, `pre`, `post`, one row a case."""
    no_case_count: int
    """Rows left out because nobody knows whose they are."""


def scores_of(asked: Asked) -> SentScores:
    """Return the scores of the file, one row a score.

    Raises
    ------
    SourceError
        If file or columns cannot be read; the message holds no value of it.
    """
    names = {"case_id": asked.case, "time": asked.time, "score": asked.score}
    return _sent(asked, names, numbers=("score",))


def columns_of(asked: Asked) -> SentScores:
    """Return the scores of a file with one row a case.

    Raises
    ------
    SourceError
        If file or columns cannot be read; the message holds no value of it.
    """
    if asked.pre_column is None or asked.post_column is None:
        message = "--pre-column and --post-column go together: name both columns"
        raise ChangeRuleError(message)
    names = {"case_id": asked.case, "pre": asked.pre_column, "post": asked.post_column}
    return _sent(asked, names, numbers=("pre", "post"))


def _sent(asked: Asked, names: dict[str, str], *, numbers: tuple[str, ...]) -> SentScores:
    each_its_own(names, asked.file)
    if asked.group is not None:
        names = {**names, "group": asked.group}
    read = read_columns(asked.file, names, texts=("case_id", "group"), numbers=numbers)
    known = read.filter(pl.col("case_id").is_not_null())
    return SentScores(rows=known, no_case_count=read.height - known.height)


def sent_of(asked: Asked) -> SentScores:
    """Return the scores in the shape the caller named columns for."""
    in_columns = asked.pre_column is not None or asked.post_column is not None
    return columns_of(asked) if in_columns else scores_of(asked)


def pairs_of(asked: Asked, sent: SentScores) -> pl.DataFrame:
    """Return one row a case with `pre`, `post`, `reason`, and `group` if one is named.

    Raises
    ------
    ChangeRuleError
        If a time is missing or nowhere in the file, or a case belongs to two groups.
    """
    scores = sent.rows
    if "pre" in scores.columns:
        pairs = paired_columns(scores)
    else:
        before, after = (
            moment_of(scores, value, name)
            for value, name in ((asked.pre, "pre"), (asked.post, "post"))
        )
        pairs = paired_scores(scores, before=before, after=after)
    if asked.group is None:
        return pairs
    groups = scores.select("case_id", "group").drop_nulls("group").unique(maintain_order=True)
    if groups["case_id"].n_unique() < groups.height:
        message = f"a case has two values of {asked.group!r}: a case belongs to one group"
        raise ChangeRuleError(message)
    return pairs.join(groups, on="case_id", how="left", maintain_order="left")


def groups_in(cases: pl.DataFrame) -> list[tuple[str | None, pl.DataFrame]]:
    """Return name and rows of each group as they first come; all rows if no group was named."""
    if "group" not in cases.columns:
        return [(None, cases)]
    named = cases.filter(pl.col("group").is_not_null())
    parts = named.partition_by("group", as_dict=True, maintain_order=True)
    return [(str(name), members) for (name,), members in parts.items()]


def moment_of(scores: pl.DataFrame, value: str | None, option: str) -> object:
    """Return the time as the column spells it."""
    if value is None:
        message = f"--{option} is missing: give the times of the scores before and after"
        raise ChangeRuleError(message)
    times = scores["time"]
    found = pl.Series([value]).cast(times.dtype, strict=False)
    if found.null_count() or not (times == found[0]).any():
        message = f"no row has the time {value!r}: correct --{option}, or --time"
        raise ChangeRuleError(message)
    return found[0]
