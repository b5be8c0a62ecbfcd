"""The command line: the door for people and cron. One short function a command.

Everything heavy is imported inside the command that needs it: `unstuck --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data_contracts.errors import UnstuckError
from pipelines.cli_alliance import alliance
from pipelines.cli_audit import audit
from pipelines.cli_backtest import backtest
from pipelines.cli_caseload import caseload
from pipelines.cli_change import change
from pipelines.cli_digest import digest
from pipelines.cli_gains import gains
from pipelines.cli_growth import growth
from pipelines.cli_models import models
from pipelines.cli_processes import processes
from pipelines.cli_similar import similar
from pipelines.cli_talking_therapies import talking_therapies
from pipelines.cli_train import train

if TYPE_CHECKING:
    from pipelines.answers import Answer

app = typer.Typer(
    name="unstuck",
    help="Find psychotherapy cases that make no progress while there is still time to help.\n\n"
    "A quality-review aid for supervision: not a diagnosis, not a choice of treatment, "
    "not crisis detection.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Home = Annotated[
    Path | None,
    typer.Option("--home", help="the practice's home; else $UNSTUCK_HOME, else ./unstuck-home"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="what was SHOWN on this date (2026-01-31) or practice day (412)"),
]
AtDay = Annotated[
    int | None,
    typer.Option("--at-day", help="what today's rule says with each case's data up to its day N"),
]


def say(text: str = "") -> None:
    """Print for a person or a pipe."""
    typer.echo(text)


@app.command(epilog="Example: unstuck init --home ~/practice")
def init(home: Home = None) -> None:
    """Make a home for a practice: settings and a mapping to fill in. Overwrites nothing."""
    from data_contracts.places import Places
    from pipelines.setting_up import make_home

    for line in make_home(Places.at(home)):
        say(line)


@app.command(
    epilog="Example: unstuck run --source /exports --mapping mapping.toml --home ~/practice"
)
def run(
    source: Annotated[Path | None, typer.Option(help="folder the practice exports to")] = None,
    mapping: Annotated[Path | None, typer.Option(help="mapping file (docs/mapping.md)")] = None,
    home: Home = None,
    as_of: Annotated[
        int | None,
        typer.Option("--as-of", help="practice day of this run; else the last in the data"),
    ] = None,
    refit: Annotated[bool, typer.Option(help="fit the expected courses anew")] = False,
    rebuild: Annotated[
        bool, typer.Option(help="judge every case anew from what has landed")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="no progress, only the result")] = False,
) -> None:
    """Run the night once: read, check, judge, publish. Safe to repeat: a rerun changes nothing."""
    from data_contracts.places import Places
    from pipelines.running import chosen_inputs, run_once, told

    places = Places.at(home)
    source, mapping = chosen_inputs(places, source, mapping)
    report = run_once(
        places, source, mapping,
        as_of=as_of, refit=refit, rebuild=rebuild, quiet=quiet, say=say,
    )  # fmt: skip
    for line in told(report, places):
        say(line)


@app.command(epilog="Example: unstuck flags --home ~/practice --json")
def flags(
    home: Home = None,
    everything: Annotated[
        bool, typer.Option("--all", help="also cases that are not flagged, closed ones too")
    ] = False,
    as_of: AsOf = None,
    at_day: AtDay = None,
    json: Json = False,
) -> None:
    """List flagged cases with their reasons."""
    from data_contracts.places import Places
    from pipelines import answers

    places = Places.at(home)
    _one_question_about_time(as_of, at_day)
    if at_day is not None:
        found = answers.flags_at_day(places, at_day, everything=everything)
    elif as_of is not None:
        found = answers.flags_as_of(places, _moment(as_of), everything=everything)
    else:
        found = answers.flags_now(places, everything=everything)
    _print_answers(found, as_json=json)


@app.command(epilog="Example: unstuck explain C-00012 --home ~/practice --as-of 2026-01-31")
def explain(
    case: Annotated[str, typer.Argument(help="case id")],
    home: Home = None,
    as_of: AsOf = None,
    at_day: AtDay = None,
    json: Json = False,
) -> None:
    """Say why a case is flagged, or where it stands: now, as shown then, or at one of its days."""
    from data_contracts.places import Places
    from pipelines import answers

    _one_question_about_time(as_of, at_day)
    moment = None if as_of is None else _moment(as_of)
    found = answers.answers_for_case(Places.at(home), case, moment=moment, day=at_day)
    _print_answers(found, as_json=json)


@app.command(epilog="Example: unstuck rules --home ~/practice")
def rules(home: Home = None, json: Json = False) -> None:
    """Print the status rule in force, its thresholds, and every measure's numbers with sources."""
    from data_contracts.places import Places
    from pipelines.telling_rules import existing_home, rules_as_json, rules_as_text

    places = Places.at(None if home is None else existing_home(home))
    say(rules_as_json(places) if json else rules_as_text(places))


app.command(
    epilog="Example: unstuck change scores.csv --case client --time week --score phq9 --pre 0 "
    "--post 12 --reliability 0.86 --sd-pre 6.1 --mean-pre 16 --cutoff 10"
)(change)


app.command(
    epilog="Example: unstuck gains scores.csv --case case --time session --score bdi --cutoff 7"
)(gains)


app.command(
    epilog="Example: unstuck growth scores.parquet --case case --time session --score phq9 "
    "--baseline intake --log-time"
)(growth)


app.command(
    epilog="Example: unstuck alliance ratings.csv --measure srs --case client --time session "
    "--score srs_total"
)(alliance)


app.command(
    epilog="Example: unstuck processes diary.csv --case client --time day --outcome low_mood "
    "--process worry"
)(processes)


app.command(
    name="talking-therapies",
    epilog="Example: unstuck talking-therapies scores.csv --cases cases.csv --case client "
    "--time week --measure questionnaire --score total",
)(talking_therapies)


app.command(
    epilog="Example: unstuck similar scores.csv --case client --time week --score phq9 "
    "--ended-on ended --feature age"
)(similar)


app.command(
    epilog="Example: unstuck caseload cases.csv --therapist therapist --first-score phq9_first "
    "--last-score phq9_last --measure phq9"
)(caseload)


app.command(epilog="Example: unstuck train --home ~/practice")(train)


app.command(epilog="Example: unstuck models --roll-back --home ~/practice")(models)


app.command(
    epilog="Example: unstuck backtest --home ~/practice --outcome no_reliable_improvement "
    "--landmark 4 --landmark 8"
)(backtest)


@app.command(epilog="Example: unstuck dashboard --home ~/practice")
def dashboard(
    home: Home = None,
    port: Annotated[int | None, typer.Option(help="port on 127.0.0.1")] = None,
) -> None:
    """Open the screens on 127.0.0.1. Ctrl-C stops them."""
    from data_contracts.places import Places
    from data_contracts.settings import settings_of
    from pipelines import serving

    places = Places.at(home)
    places.pointer()
    serving.dashboard(places, port or settings_of(places).dashboard.port)


@app.command(epilog='Example: unstuck serve --home ~/practice --cron "0 5 * * *"')
def serve(
    home: Home = None,
    cron: Annotated[
        str | None, typer.Option(help="when the night runs; else from settings")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="folder the practice exports to")] = None,
    mapping: Annotated[Path | None, typer.Option(help="mapping file (docs/mapping.md)")] = None,
    port: Annotated[int | None, typer.Option(help="port of the screens on 127.0.0.1")] = None,
) -> None:
    """Run the night on a schedule (Prefect) and serve the screens. Ctrl-C stops both."""
    from data_contracts.places import Places
    from data_contracts.settings import settings_of
    from pipelines import serving
    from pipelines.running import chosen_inputs

    places = Places.at(home)
    settings = settings_of(places)
    source, mapping = chosen_inputs(places, source, mapping)
    serving.serve(
        places,
        source=source,
        mapping=mapping,
        cron=cron or settings.schedule,
        port=port or settings.dashboard.port,
    )


app.command(epilog="Example: unstuck digest --home ~/practice --send")(digest)


app.command(epilog="Example: unstuck audit --home ~/practice --case C-00012")(audit)


@app.command(epilog="Example: unstuck demo --cases 2000 --home ./unstuck-demo")
def demo(
    home: Annotated[Path, typer.Option("--home", help="where the simulated practice lives")] = Path(
        "unstuck-demo"
    ),
    cases: Annotated[int, typer.Option(min=50, max=200_000, help="how many cases")] = 2000,
    seed: Annotated[int, typer.Option(help="the same seed gives the same practice")] = 1,
    dashboard: Annotated[bool, typer.Option(help="open the screens at the end")] = True,
    port: Annotated[int, typer.Option(help="port of the screens on 127.0.0.1")] = 8501,
) -> None:
    """Simulate a practice, run the night (Prefect), train on its past, open the screens."""
    from data_contracts.places import Places
    from pipelines import serving
    from pipelines.running import demo_nights, told

    places = Places.at(home)
    report = demo_nights(places, cases=cases, seed=seed, say=say)
    for line in told(report, places):
        say(line)
    if dashboard:
        serving.dashboard(places, port)


@app.command(epilog="Example: unstuck doctor --home ~/practice")
def doctor(home: Home = None) -> None:
    """Check this machine and this home; say what is wrong and what to do."""
    from data_contracts.places import Places
    from pipelines.checking import checks

    found = checks(Places.at(home))
    for check in found:
        say(f"{'ok     ' if check.is_fine else 'PROBLEM'}  {check.what}: {check.told}")
    if not all(check.is_fine for check in found):
        raise typer.Exit(code=UnstuckError.exit_code)


def _one_question_about_time(as_of: str | None, at_day: int | None) -> None:
    if as_of is not None and at_day is not None:
        message = (
            "--as-of (what was shown then) and --at-day (what today's rule says of a case's day) "
            "are two questions: ask one"
        )
        raise typer.BadParameter(message)


def _moment(text: str) -> date | int:
    """Return a date, or a practice day."""
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        message = f"{text!r} is neither a date (2026-01-31) nor a practice day (412)"
        raise typer.BadParameter(message) from None


def _print_answers(found: list[Answer], *, as_json: bool) -> None:
    from pipelines.telling_flags import answers_as_json, answers_as_text

    say(answers_as_json(found) if as_json else answers_as_text(found))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. Errors are told without data of clients."""
    try:
        result = app(args=arguments, standalone_mode=False)
    except UnstuckError as error:
        typer.echo(f"unstuck: {error}", err=True)
        return error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        return 130
    except Exception as error:  # noqa: BLE001 - the last door: told without data, exit code 1
        shown = getattr(error, "show", None)
        if callable(shown):  # a wrong call: Typer's own message
            shown()
            return int(getattr(error, "exit_code", 2))
        return _unforeseen(error)
    return int(result or 0)


def _unforeseen(error: Exception) -> int:
    """Say where it broke. The error's own text may hold data: it is shown only on request."""
    if os.environ.get("UNSTUCK_DEBUG"):
        traceback.print_exception(error)
        return 1
    last = traceback.extract_tb(error.__traceback__)[-1]
    typer.echo(
        f"unstuck: unforeseen {type(error).__name__} in {Path(last.filename).name}, line "
        f"{last.lineno}. Nothing half-done was published. Please report this; UNSTUCK_DEBUG=1 "
        "shows the whole error, which may hold data of clients",
        err=True,
    )
    return 1


def entry() -> None:
    """Be the `unstuck` command."""
    sys.exit(main())
