"""The options of `unstuck train`: which home."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def train(
    home: Annotated[
        Path | None,
        typer.Option("--home", help="the practice's home; else $UNSTUCK_HOME, else ./unstuck-home"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Train the models of the outlook on past cases; put in use what is not worse than before."""
    from data_contracts.places import Places
    from pipelines.progress import shown_backtest_progress
    from pipelines.telling_models import training_as_json, training_as_text
    from pipelines.training import train as train_models

    places = Places.at(home)
    with shown_backtest_progress() as watches:
        report = train_models(
            places, started_at=datetime.now(tz=UTC), watch=watches.parts if watches else None
        )
    typer.echo(training_as_json(report) if json else training_as_text(report, places))
