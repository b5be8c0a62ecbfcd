"""The options of `unstuck processes`: which file, which outcome, which processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def processes(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row a case and day")],
    outcome: Annotated[str, typer.Option(help="column of the outcome")],
    process: Annotated[list[str], typer.Option(help="column of a process; may be repeated")],
    case: Annotated[str, typer.Option(help="column of the case")] = "case_id",
    time: Annotated[
        str, typer.Option(help="column of the day or week: whole numbers, or dates")
    ] = "time",
    lag: Annotated[
        int, typer.Option(min=0, max=1, help="1: the process one day (or week) before")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Ask what moves with the outcome for each client alone, and what the clients share."""
    from pipelines import telling_processes as telling

    found = telling.processes_of(
        file, outcome=outcome, processes=process, case=case, time=time, lag=1 if lag else 0
    )
    typer.echo(telling.processes_as_json(found) if json else telling.processes_as_text(found))
