"""The options of `unstuck audit`: which events of the audit log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer


def audit(
    home: Annotated[
        Path | None,
        typer.Option("--home", help="the practice's home; else $UNSTUCK_HOME, else ./unstuck-home"),
    ] = None,
    case: Annotated[str, typer.Option(help="only what was about this case")] = "",
    user: Annotated[str, typer.Option(help="only what this person did or was refused")] = "",
    action: Annotated[str, typer.Option(help="only this, such as case_refused")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="only from this day on, UTC")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Print who saw, took out or decided what on the screens, and who was refused."""
    from data_contracts.places import Places
    from data_contracts.settings import settings_of
    from pipelines.reading_audit import Wanted, audit_events
    from pipelines.telling_audit import audit_as_json, audit_as_text

    places = Places.at(home)
    wanted = Wanted(
        case_id=case, user_id=user, action=action, since=since.date() if since else None
    )
    found = audit_events(places, settings_of(places), wanted)
    typer.echo(audit_as_json(found) if json else audit_as_text(found))
