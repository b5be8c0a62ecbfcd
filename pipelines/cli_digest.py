"""The options of `unstuck digest`: which home, and whether to send."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def digest(
    home: Annotated[
        Path | None,
        typer.Option("--home", help="the practice's home; else $UNSTUCK_HOME, else ./unstuck-home"),
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="send it; else it is only printed")] = False,
) -> None:
    """Print the weekly digest, or send it. It holds no client data."""
    from data_contracts.places import Places
    from data_contracts.settings import settings_of
    from pipelines.digest import weekly_digest
    from pipelines.sending import send_digest

    places, now = Places.at(home), datetime.now(tz=UTC)
    if send:
        typer.echo(send_digest(places, now))
        return
    made = weekly_digest(places, settings_of(places), now)
    typer.echo(f"{made.title}\n\n{made.body}\n\nNot sent: this is what --send would send.")
