"""The options of `unstuck models`: list them, or take the last promotion back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def models(
    home: Annotated[
        Path | None,
        typer.Option("--home", help="the practice's home; else $UNSTUCK_HOME, else ./unstuck-home"),
    ] = None,
    roll_back: Annotated[
        bool,
        typer.Option(
            "--roll-back", help="take the last promotion back: the model before is in use again"
        ),
    ] = False,
    measure: Annotated[str | None, typer.Option(help="only models of this measure")] = None,
    outcome: Annotated[str | None, typer.Option(help="only models of this outcome")] = None,
    card: Annotated[
        bool, typer.Option("--card", help="print the cards of the models in use")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """List trained models and which are in use; roll back with one command."""
    from data_contracts.places import Places
    from pipelines import telling_models
    from pipelines.models_in_use import roll_back as take_back

    if roll_back and card:
        raise typer.BadParameter("give --roll-back or --card: one thing at a time")
    places = Places.at(home)
    places.pointer()  # a home that was mistyped has no models to list
    telling_models.check_there_is(places, measure, outcome)
    if roll_back:
        moves = take_back(places, at=datetime.now(tz=UTC), measure_id=measure, outcome=outcome)
        typer.echo(
            telling_models.moves_as_json(moves)
            if json
            else telling_models.moves_as_text(moves, places)
        )
    elif card:
        typer.echo(telling_models.cards_as_text(places, measure, outcome))
    else:
        found = telling_models.models_of(places, measure, outcome)
        typer.echo(
            telling_models.models_as_json(found)
            if json
            else telling_models.models_as_text(found, places)
        )
