"""The options of `unstuck backtest`: whose past cases, which end, which rules, at which moments."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

OutcomeName = Literal[
    "clinical_without_gain",
    "no_reliable_improvement",
    "under_half_reduction",
    "reliable_deterioration",
    "drop_out",
]


class RuleName(StrEnum):
    """The rules there are; Typer offers several of an enum only."""

    RELIABLE_CHANGE = "reliable_change"
    EARLY_PERCENT_CHANGE = "early_percent_change"
    EXPECTED_COURSE = "expected_course"
    SIMILAR_CASES = "similar_cases"
    OUTLOOK = "outlook"
    STATUS_RULE = "status_rule"
    NAIVE_LAST_CHANGE = "naive_last_change"
    NAIVE_TWO_SCORE = "naive_two_score"


def backtest(
    home: Annotated[
        Path | None,
        typer.Option("--home", help="the practice's home; else $UNSTUCK_HOME, else ./unstuck-home"),
    ] = None,
    source: Annotated[
        Path | None, typer.Option(help="folder of files to look at once, in place of a home")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="mapping of these files (docs/mapping.md)")
    ] = None,
    measures: Annotated[
        Path | None,
        typer.Option(help="folder of measure contracts; else `measures` beside the mapping"),
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="measure by its short name; else the one most cases have")
    ] = None,
    outcome: Annotated[
        OutcomeName, typer.Option(help="which end counts as bad (docs/backtest.md)")
    ] = "clinical_without_gain",
    landmark: Annotated[
        list[str] | None,
        typer.Option(
            help="when rules are asked: `4` or `occasion:4`, the 4th score after the baseline; "
            "`day:28`, the last score up to day 28; repeat it; else those enough cases reach"
        ),
    ] = None,
    rule: Annotated[
        list[RuleName] | None, typer.Option(help="a rule to compare; repeat it; else all")
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="of cross-validation; else 20, fewer for many cases"),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=100, help="of cross-validation")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same numbers")] = 1,
    later_scores: Annotated[
        int | None,
        typer.Option(min=1, help="scores needed after a landmark; else 3, or as many as there are"),
    ] = None,
    end_from_day: Annotated[
        int | None,
        typer.Option(min=1, help="the end is the last score on this day or later, if there is one"),
    ] = None,
    split: Annotated[
        Literal["auto", "calendar", "cross-validation"],
        typer.Option(help="learn from cases over before, or from other folds"),
    ] = "auto",
    resamples: Annotated[
        int, typer.Option(min=0, max=100_000, help="of the bootstrap by case; 0: no intervals")
    ] = 500,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Replay past cases: how good would each rule have been, and at what cost?"""
    from datetime import UTC, datetime

    from data_contracts.places import Places
    from models.backtest import ALL
    from models.landmarks import Landmark
    from pipelines import running_backtest, telling_backtest
    from pipelines.progress import shown_backtest_progress

    _check_where_from(home, source, mapping, measures)
    question = running_backtest.BacktestQuestion(
        outcome=outcome,
        landmarks=tuple(dict.fromkeys(Landmark.named(text) for text in landmark or ())),
        rules=tuple(dict.fromkeys(str(name) for name in rule or ALL)),
        repeats=repeats,
        folds=folds,
        seed=seed,
        later_scores=later_scores,
        end_from_day=end_from_day,
        split=split,
        resamples=resamples,
    )
    now = datetime.now(tz=UTC)
    with shown_backtest_progress() as watches:
        if source is not None and mapping is not None:
            answer = running_backtest.backtest_of_files(
                source, mapping, question, now,
                measures=measures, measure_id=measure, watches=watches,
            )  # fmt: skip
        else:
            answer = running_backtest.backtest_of_home(
                Places.at(home), question, now,
                measure_id=measure, watch=watches.parts if watches else None,
            )  # fmt: skip
    told = answer.as_json()
    typer.echo(
        telling_backtest.backtest_as_json(told)
        if json
        else telling_backtest.backtest_as_text(told, answer.past.measure)
    )


def _check_where_from(
    home: Path | None, source: Path | None, mapping: Path | None, measures: Path | None
) -> None:
    if (source is None) != (mapping is None):
        raise typer.BadParameter("--source and --mapping belong together: give both, or --home")
    if source is not None and home is not None:
        raise typer.BadParameter("give --home, or --source with --mapping: one past at a time")
    if source is None and measures is not None:
        raise typer.BadParameter("--measures goes with --source; a home has its own measures")
