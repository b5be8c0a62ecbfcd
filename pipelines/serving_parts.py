"""What does one process of `serving` do? `python -m pipelines.serving_parts PART ARGUMENTS`.

It ends with the process that started it, also when that one was killed: its standard input is a
pipe from there, and nobody else holds the other end.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from importlib import import_module
from pathlib import Path
from threading import Thread

from data_contracts.errors import UnstuckError
from data_contracts.places import Places
from data_contracts.settings import settings_of


def main(arguments: list[str]) -> int:
    """Be one part until told to stop; return the exit code."""
    Thread(target=_end_with_parent, daemon=True).start()
    part, *given = arguments
    try:
        match part:
            case "server":
                _be("prefect", ["server", "start", "--host", "127.0.0.1", "--port", *given])
            case "screens":
                # Found by name, not imported: pipelines must not depend on the screens.
                launch = import_module("dashboard.launch")
                address = settings_of(Places.at(None)).sign_in.address
                _be("streamlit", launch.streamlit_arguments(int(given[0]), address))
            case "schedule":
                from pipelines.deployments import serve_schedule

                source, mapping, home, cron = given
                serve_schedule(
                    source=Path(source), mapping=Path(mapping), home=Path(home), cron=cron
                )
            case _:
                message = f"there is no part {part!r}"
                raise ValueError(message)
    except UnstuckError as error:
        sys.stderr.write(f"unstuck: {error}\n")
        return error.exit_code
    return 0


def _be(module: str, arguments: list[str]) -> None:
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
