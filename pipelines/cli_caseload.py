"""The options of `unstuck caseload`: which file, which columns, which reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def caseload(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, one row an ended case")],
    case: Annotated[str, typer.Option(help="column of the case")] = "case_id",
    therapist: Annotated[str, typer.Option(help="column of the therapist")] = "therapist_id",
    first_score: Annotated[str, typer.Option(help="column of the first score")] = "first_score",
    last_score: Annotated[str, typer.Option(help="column of the last score")] = "last_score",
    site: Annotated[str | None, typer.Option(help="column of the site")] = None,
    first_session: Annotated[
        str | None, typer.Option(help="column of the session of the first score")
    ] = None,
    problem: Annotated[str | None, typer.Option(help="column of the problem (case mix)")] = None,
    measure: Annotated[
        str | None, typer.Option(help="take cut-off and direction from its contract")
    ] = None,
    cutoff: Annotated[
        float | None, typer.Option(help="last score still clinical; others are left out")
    ] = None,
    higher_is: Annotated[
        Literal["worse", "better"], typer.Option(help="what a higher score means")
    ] = "worse",
    reference: Annotated[
        Path | None, typer.Option(help="file of the same form to learn usual change from")
    ] = None,
    preset: Annotated[
        Literal["default", "england"], typer.Option(help="how small numbers are hidden")
    ] = "default",
    minimum_cases: Annotated[
        int, typer.Option(min=2, help="fewest cases of a therapist who is shown")
    ] = 5,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Say what came of therapists' and sites' cases, given how they began. Never a rank."""
    from data_contracts.suppression import suppression_rule
    from pipelines import telling_caseload
    from pipelines.asking_change import measure_of

    contract = measure_of(measure)
    if contract is not None:
        higher_is, cutoff = contract.higher_is, contract.cutoff if cutoff is None else cutoff
    if cutoff is None:
        raise typer.BadParameter("give --cutoff, or a --measure whose contract has one")
    columns = {
        "case_id": case,
        "therapist_id": therapist,
        "first_score": first_score,
        "last_score": last_score,
        "site_id": site,
        "first_session": first_session,
        "problem": problem,
    }
    named = {name: column for name, column in columns.items() if column is not None}
    cases, rows_not_used = telling_caseload.cases_of(file, named)
    others = None if reference is None else telling_caseload.cases_of(reference, named)[0]
    told = telling_caseload.told_caseload(
        cases,
        rows_not_used,
        reference_cases=others,
        reference_name="these cases" if reference is None else reference.name,
        higher_is=higher_is,
        cutoff=cutoff,
        rule=suppression_rule(preset),
        minimum_cases=minimum_cases,
    )
    typer.echo(
        telling_caseload.caseload_as_json(told) if json else telling_caseload.caseload_as_text(told)
    )
