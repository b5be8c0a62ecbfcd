"""The options of `unstuck growth`: which file, which columns, which model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def growth(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row a score")],
    case: Annotated[str, typer.Option(help="column of the case")] = "case_id",
    time: Annotated[
        str, typer.Option(help="column of the time: session, day or week, a number")
    ] = "time",
    score: Annotated[str, typer.Option(help="column of the score")] = "score",
    baseline: Annotated[
        str, typer.Option(help="column of the baseline, the same in all rows of a case")
    ] = "baseline",
    therapist: Annotated[
        str | None, typer.Option(help="column of the therapist: adds an intercept for each")
    ] = None,
    log_time: Annotated[
        bool, typer.Option("--log-time", help="the curve is a line in log(1 + time)")
    ] = False,
    ml: Annotated[
        bool, typer.Option("--ml", help="maximum likelihood, to compare fixed effects; else REML")
    ] = False,
    ar1: Annotated[
        bool,
        typer.Option(
            "--ar1",
            help="residuals of neighbouring sessions are correlated; "
            "time is the session's number, 0 to 63",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Fit the growth curve many cases share: score ~ baseline x time, cases differing."""
    from pipelines import fitting_growth, telling_growth
    from pipelines.reading_growth import Columns

    told = fitting_growth.growth(
        file,
        Columns(case=case, time=time, score=score, baseline=baseline, therapist=therapist),
        is_log_time=log_time,
        method="ml" if ml else "reml",
        is_serial=ar1,
    )
    typer.echo(telling_growth.as_json(told) if json else telling_growth.as_text(told))
