"""The options of `unstuck talking-therapies`: which files, which columns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def talking_therapies(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row a score")],
    cases: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet file, one row a case; else all are taken for finished"),
    ] = None,
    case: Annotated[str, typer.Option(help="column of the case, in both files")] = "case_id",
    time: Annotated[str, typer.Option(help="column that tells first from last")] = "time",
    measure: Annotated[str, typer.Option(help="column of the measure: PHQ-9, GAD-7 ...")] = (
        "measure"
    ),
    score: Annotated[str, typer.Option(help="column of the score")] = "score",
    problem: Annotated[
        str, typer.Option(help="column of the problem, among --cases: ICD-10 or a word")
    ] = "problem_code",
    sessions: Annotated[
        str, typer.Option(help="column of the treatment sessions attended, among --cases")
    ] = "sessions_attended",
    ended: Annotated[
        str, typer.Option(help="column of yes and no: has care ended, among --cases")
    ] = "is_ended",
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Judge the cases of a file by England's official rule: recovery, reliable improvement ..."""
    from pipelines import telling_talking_therapies as telling

    found = telling.outcomes_of(
        file, cases,
        columns={
            "case": case, "time": time, "measure": measure, "score": score,
            "problem": problem, "sessions": sessions, "ended": ended,
        },
    )  # fmt: skip
    typer.echo(telling.outcomes_as_json(found) if json else telling.outcomes_as_text(found))
