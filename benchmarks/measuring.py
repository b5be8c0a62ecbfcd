"""On which machine, and side by side: what every benchmark here shares.

Times of one machine mean little on another, and shared machines change by the minute. So what is
compared is timed in turn within one run, and the ratio is taken pair by pair: the median of ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter

Work = Callable[[], object]


def machine(*libraries: str) -> str:
    """Return one line: processor, cores, memory, Python and the versions of libraries."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = [f"{_processor()}, {cores} cores", f"{_memory()}", f"{platform.system()}"]
    told += [f"Python {platform.python_version()}"]
    told += [f"{library} {version(library)}" for library in ("polars", "numpy", *libraries)]
    return ", ".join(told)


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "memory unknown"
    return f"{size / 2**30:.0f} GB"


def seconds(work: Work) -> float:
    """Return how long it took."""
    began = perf_counter()
    work()
    return perf_counter() - began


def side_by_side(first: Work, second: Work, *, repeats: int) -> tuple[float, float, float]:
    """Return the median seconds of both, done in turn, and the median of second over first."""
    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    return (
        median(one for one, _ in pairs),
        median(other for _, other in pairs),
        median(other / one for one, other in pairs),
    )


def process(code: str) -> Work:
    """Return work that runs this code in a Python process of its own, imports and all."""

    def run() -> object:
        return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)  # noqa: S603 - our own code

    return run


def parser(question: str | None, **sizes: tuple[int, int]) -> argparse.ArgumentParser:
    """Return options: `--quick`, and a number for each size as (whole, quick)."""
    made = argparse.ArgumentParser(description=question)
    made.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    for name, (whole, quick) in sizes.items():
        made.add_argument(f"--{name}", type=int, help=f"{whole:,}; with --quick {quick:,}")
    made.set_defaults(sizes=sizes)
    return made


def chosen(options: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """Read the options; a size that was not given is the whole or the quick one."""
    told = options.parse_args(argv)
    for name, (whole, quick) in told.sizes.items():
        if getattr(told, name) is None:
            setattr(told, name, quick if told.quick else whole)
    return told


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
