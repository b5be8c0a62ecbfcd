"""The options of `unstuck gains`: which file, which columns, which criteria."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def gains(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row a score")],
    case: Annotated[str, typer.Option(help="column of the case")] = "case_id",
    time: Annotated[
        str, typer.Option(help="column of the session's number: 1, 2, 3 ...; 0 is a baseline")
    ] = "time",
    score: Annotated[str, typer.Option(help="column of the score")] = "score",
    session_column: Annotated[
        list[str] | None,
        typer.Option(
            help="one row a case: a session's column; repeat it, in order, from session 1"
            " on (from the baseline with --baseline)"
        ),
    ] = None,
    cutoff: Annotated[
        float | None, typer.Option(help="criterion 1: points; not needed with --without 1")
    ] = None,
    share: Annotated[float, typer.Option(help="criterion 2: share of the score before")] = 0.25,
    alpha: Annotated[float, typer.Option(help="criterion 3: two-sided level")] = 0.05,
    critical_value: Annotated[
        float | None, typer.Option(help="criterion 3: the same value however many are missing")
    ] = None,
    without: Annotated[
        list[int] | None, typer.Option(min=1, max=3, help="criterion to switch off")
    ] = None,
    losses: Annotated[bool, typer.Option("--losses", help="sudden losses, not gains")] = False,
    higher_is: Annotated[
        Literal["worse", "better"], typer.Option(help="what a higher score means")
    ] = "worse",
    baseline: Annotated[
        bool, typer.Option("--baseline", help="session 0 counts as the first score")
    ] = False,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="time is a day or date: number a case's rows by it")
    ] = False,
    planned: Annotated[
        int | None, typer.Option(min=1, help="length of the treatment in sessions")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Find sudden gains or losses in a file of scores: events that describe, never flags."""
    from models.sudden_change import SuddenChangeRule
    from pipelines import telling_gains

    off = without or []
    if cutoff is None and 1 not in off:
        raise typer.BadParameter("give --cutoff in points, or switch criterion 1 off: --without 1")
    try:
        rule = SuddenChangeRule(
            direction="loss" if losses else "gain",
            higher_is=higher_is,
            cutoff=None if 1 in off else cutoff,
            share=None if 2 in off else share,
            beyond_spread=3 not in off,
            alpha=alpha,
            critical_value=critical_value,
            uses_baseline=baseline,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    found = telling_gains.gains(
        file, rule,
        case=case, time=time, score=score, in_order=in_order, planned_sessions=planned,
        session_columns=session_column or [],
    )  # fmt: skip
    typer.echo(telling_gains.gains_as_json(found) if json else telling_gains.gains_as_text(found))
