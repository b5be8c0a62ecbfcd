"""What can the command line do? Writes docs/cli.md from the commands themselves.

Run: python -m pipelines.cli_reference --check | --write (in the repository). Typer's own help is
not copied, because its layout changes with its version; the words are the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from data_contracts.errors import UnstuckError
from pipelines.cli import app

PAGE = Path("docs") / "cli.md"

_HEAD = """\
# The command line

Made by `uv run python -m pipelines.cli_reference --write` from the commands themselves; every
command also answers `--help`. In a checkout write `uv run unstuck ...` (or
`.venv/bin/unstuck ...`), once installed `unstuck ...`.

Results go to standard output, progress and errors to standard error. No command ever prints a
score with a name: ids are pseudonyms."""

_EXIT_HEAD = """\
## Exit codes

`cron` and other programs can tell by the code what happened. 0 is success. 1 is an unforeseen
error: its own text may hold data, so only its kind and place are shown; `UNSTUCK_DEBUG=1` shows
all of it. 2 is a wrong call. 130 is Ctrl-C at a question."""


def cli_reference() -> str:
    """Return the whole page."""
    commands = commands_of_the_app()
    contents = "\n".join(f"- [`unstuck {name}`](#unstuck-{name})" for name in commands)
    parts = [_HEAD, contents, *(_command(name, commands[name]) for name in commands), _exit_codes()]
    return "\n\n".join(parts) + "\n"


def commands_of_the_app() -> dict[str, Any]:
    """Return Typer's own record of each command, by name, in the order of the help."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def _command(name: str, command: Any) -> str:  # noqa: ANN401 - Typer's vendored Click has no public types
    arguments = [option for option in command.params if not _is_option(option)]
    options = [option for option in command.params if _is_option(option)]
    usage = " ".join(
        [
            f"unstuck {name}",
            *(one.name.upper() for one in arguments),
            *(["[OPTIONS]"] * bool(options)),
        ]
    )
    lines = [f"## unstuck {name}", " ".join(command.help.split()), f"```\n{usage}\n```"]
    if command.params:
        rows = [f"| {_names(one)} | {one.help or ''} | {_default(one)} |" for one in command.params]
        lines.append("\n".join(["| option | meaning | default |", "| --- | --- | --- |", *rows]))
    lines.append(f"```\n{command.epilog}\n```")
    return "\n\n".join(lines)


def _is_option(parameter: Any) -> bool:  # noqa: ANN401 - as above
    return any(name.startswith("-") for name in parameter.opts)


def _names(parameter: Any) -> str:  # noqa: ANN401 - as above
    if not _is_option(parameter):
        return f"`{parameter.name.upper()}`"
    return " / ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:  # noqa: ANN401 - as above
    if parameter.required:
        return "needed"
    if isinstance(parameter.default, bool):
        return "yes" if parameter.default else "no"
    return "" if parameter.default is None else f"`{parameter.default}`"


def _exit_codes() -> str:
    rows = [
        f"| {kind.exit_code} | {' '.join((kind.__doc__ or '').split())} |"
        for kind in sorted(_kinds(), key=lambda kind: kind.exit_code)
    ]
    return "\n".join([_EXIT_HEAD, "", "| code | what happened |", "| --- | --- |", *rows])


def _kinds() -> Iterator[type[UnstuckError]]:
    """Yield the errors that have an exit code of their own."""
    yield UnstuckError
    for kind in UnstuckError.__subclasses__():
        if kind.__module__ == UnstuckError.__module__:
            yield kind


def main(arguments: Sequence[str], page: Path = PAGE) -> int:
    """Write the page, or check that it is current; return the exit code."""
    if list(arguments) == ["--write"]:
        page.write_text(cli_reference(), encoding="utf-8")
        return 0
    if list(arguments) != ["--check"]:
        sys.stderr.write("usage: python -m pipelines.cli_reference --check | --write\n")
        return 2
    if page.exists() and page.read_text(encoding="utf-8") == cli_reference():
        return 0
    sys.stderr.write(f"{page} is out of date: run 'python -m pipelines.cli_reference --write'\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
