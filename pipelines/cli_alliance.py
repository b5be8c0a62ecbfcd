"""The options of `unstuck alliance`: which file, which columns, which measure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def alliance(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row a rating")],
    measure: Annotated[str, typer.Option(help="srs, wai_sr, or a contract of your home")],
    case: Annotated[str, typer.Option(help="column of the case")] = "case_id",
    time: Annotated[
        str, typer.Option(help="column of the session's number (or day): whole numbers")
    ] = "time",
    score: Annotated[str, typer.Option(help="column of the rating, in points")] = "score",
    subscale: Annotated[
        str | None, typer.Option(help="column of the part: total, goal, task ...; else all totals")
    ] = None,
    rater: Annotated[
        str | None, typer.Option(help="column of the rater; else all by the client")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="home whose rule and measures hold; else the built-in ones")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Look at alliance ratings in a file: low, fallen, at the top, and patterns to ask about."""
    from pipelines import telling_alliance as telling

    found = telling.alliance_of(
        file,
        measure,
        columns={
            "case_id": case, "time": time, "score": score,
            **({"subscale": subscale} if subscale else {}), **({"rater": rater} if rater else {}),
        },
        home=home,
    )  # fmt: skip
    typer.echo(telling.alliance_as_json(found) if json else telling.alliance_as_text(found))
