"""How long does a supervisor wait for a screen when twenty work at once? Does size matter?

The screens are started as the product starts them, on a home of screens_home.py: first the small
practice, then the copied one. Twenty tabs (screens_users.py), each of another supervisor, act every
10 seconds on average. Measured from sending until Streamlit says that the run has finished, with
the audit log on; what the browser then needs to draw is not in it. Goals with 100,000 cases: queue
1 s, case 0.5 s, at the 95th percentile.

Run: make bench, or python benchmarks/screens.py [--quick] [--home FOLDER]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from statistics import median
from time import monotonic, sleep

from measuring import chosen, machine, parser, table
from screens_home import larger_home, simulated_home, size, supervisors
from screens_users import CASE, QUEUE, alone, together

from data_contracts.places import HOME_VARIABLE, Places

_START_SECONDS = 120
_ALONE = 12  # supervisors who come one after the other


@contextmanager
def screens(places: Places, port: int) -> Iterator[int]:
    """Serve the screens of a home as `unstuck dashboard` does; give the process id."""
    command = [sys.executable, "-m", "pipelines.serving_parts", "screens", str(port)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, HOME_VARIABLE: str(places.home)},
            start_new_session=True,  # it ends its whole process group
        ) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield server.pid
        finally:
            server.terminate()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    until = monotonic() + _START_SECONDS
    while monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, OSError):
            sleep(0.2)
    message = "the screens did not start; look at them with 'unstuck dashboard'"
    raise SystemExit(message)


def usage(pid: int) -> tuple[float, float]:
    """Return processor seconds so far and resident memory in MiB; zero where there is no /proc."""
    folder = Path("/proc") / str(pid)
    if not folder.exists():
        return 0.0, 0.0
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int((folder / "statm").read_text(encoding="utf-8").split()[1])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)] if values else float("nan")


def rows_of(
    name: str, places: Places, port: int, users: int, seconds: float
) -> tuple[list[list[str]], list[str]]:
    """Measure one home; return the rows of the table, and what failed."""
    host = f"127.0.0.1:{port}"
    sample = _spread(supervisors(places), users)
    others = [one for one in supervisors(places) if one not in sample] or sample
    with screens(places, port) as pid:
        first = alone(host, others[:1])
        later = alone(host, _spread(others[1:] or others, _ALONE))
        processor, _ = usage(pid)
        acts, since = together(host, sample, seconds)
        busy, memory = usage(pid)
    found = []
    for what in (QUEUE, CASE):
        costs = acts.of(what, since)
        times = [cost.seconds for cost in costs]
        shares = [f"{percentile(times, share):.2f}" for share in (0.5, 0.95, 0.99)]
        start, single = (percentile([cost.seconds for cost in one.of(what)], 0.5)
                         for one in (first, later))  # fmt: skip
        weight = median(cost.received_bytes for cost in costs) / 1000 if costs else float("nan")
        found.append([name, what, f"{start:.2f}", f"{single:.2f}", str(len(costs)), *shares,
                      f"{weight:.0f}"])  # fmt: skip
    each = (busy - processor) / max(1, len(acts.drawn))
    sys.stdout.write(
        f"{name}: {size(places)}. {users} users for {seconds:.0f} s, {len(acts.failed)} acts "
        f"failed; the server took {each:.3f} s of processor time an act, {memory:,.0f} MiB.\n\n"
    )
    return found, acts.failed


def _spread(names: list[str], number: int) -> list[str]:
    """Return so many of the names, evenly from the first to the last; some twice if need be."""
    return [names[round(place * (len(names) - 1) / max(1, number - 1))] for place in range(number)]


def main(argv: list[str] | None = None) -> int:
    """Print the tables; return 1 if a screen was not the right one."""
    options = parser(
        __doc__,
        cases=(2000, 300),
        copies=(50, 2),
        users=(20, 3),
        seconds=(180, 10),
        port=(8671, 8671),
    )
    options.add_argument("--home", type=Path, help="keep the homes here, or use those that are")
    told = chosen(options, argv)
    rows: list[list[str]] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = told.home or Path(scratch)
        small, large = Places.at(folder / "small"), Places.at(folder / "large")
        if not small.pointer_file.exists():
            simulated_home(small.home, told.cases)
        if not large.pointer_file.exists():
            larger_home(small, large.home, told.copies)
        sys.stdout.write(f"{machine('streamlit', 'duckdb')}; load {os.getloadavg()[0]:.1f}\n\n")
        for name, places in (("as simulated", small), (f"{told.copies} times as many", large)):
            measured, wrong = rows_of(name, places, told.port, told.users, told.seconds)
            rows, failed = rows + measured, failed + wrong
    head = ["cases", "screen", "first after the start, s", "alone, s", "acts",
            "median, s", "95 %, s", "99 %, s", "kB"]  # fmt: skip
    sys.stdout.write(table(head, rows))
    for problem in failed:
        sys.stderr.write(f"failed: {problem}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
