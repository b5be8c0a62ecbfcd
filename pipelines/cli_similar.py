"""The options of `unstuck similar`: which file, which columns, who counts as similar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def similar(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row a score")],
    case: Annotated[str, typer.Option(help="column of the case")] = "case_id",
    time: Annotated[
        str, typer.Option(help="column that orders the scores of a case: a number or date")
    ] = "time",
    score: Annotated[str, typer.Option(help="column of the score")] = "score",
    ended_on: Annotated[
        str, typer.Option(help="column of the day care ended, on a clock all cases share; or empty")
    ] = "ended_on",
    known_on: Annotated[
        str | None, typer.Option(help="column of the score's day on the same clock")
    ] = None,
    client: Annotated[
        str | None, typer.Option(help="column of the client: own other cases are left out")
    ] = None,
    feature: Annotated[
        list[str] | None, typer.Option(help="column of a number known at intake; may be repeated")
    ] = None,
    higher_is: Annotated[
        Literal["worse", "better"], typer.Option(help="what a higher score means")
    ] = "worse",
    neighbours: Annotated[int, typer.Option(min=2, help="how many similar cases")] = 40,
    percentile: Annotated[
        float, typer.Option(help="share of similar cases on the better side of the boundary")
    ] = 0.9,
    horizon: Annotated[int, typer.Option(min=1, help="how many scores ahead")] = 4,
    as_of: Annotated[
        int | None, typer.Option("--as-of", help="ask as on this day; else after the last")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="ask this case alone; may be repeated")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Say how the most similar ended cases of a file went on, for each of its open cases."""
    from models.similar_rule import SimilarCasesError, SimilarCasesRule
    from pipelines import telling_similar
    from pipelines.asking_similar import read_similar

    features = tuple(feature or ())
    try:
        rule = SimilarCasesRule(
            features=features,
            higher_is=higher_is,
            neighbours=neighbours,
            percentile=percentile,
            horizon=horizon,
            minimum_reference=max(100, 2 * neighbours),
        )
    except SimilarCasesError as error:
        raise typer.BadParameter(str(error)) from None
    given = read_similar(
        file, case=case, time=time, score=score, ended_on=ended_on, known_on=known_on,
        client=client, features=features,
    )  # fmt: skip
    told = telling_similar.similar(given, rule, as_of=as_of, only=only or [])
    typer.echo(
        telling_similar.similar_as_json(told) if json else telling_similar.similar_as_text(told)
    )
