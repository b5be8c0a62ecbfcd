"""Show which step of the night is running; on a terminal as a bar, elsewhere as lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.replay import Watch as PartsWatch
    from pipelines.night import Counts, Night
    from pipelines.nightly import Step, Watch

_MEANING = {
    "stage": "reading new files as text",
    "de-identify": "looking for anything that identifies people",
    "validate": "checking every row against its contract",
    "accept": "taking good rows in",
    "course": "putting scores in order",
    "expect": "learning the expected course",
    "judge": "applying the status rule",
    "explain": "putting reasons in words",
    "summarise": "counting, small numbers suppressed",
    "publish": "writing the new snapshot",
}


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Watch]:
    """Give a watch for `run_night` that names each step while it runs, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, quiet=quiet, highlight=False)
    if not console.is_terminal:

        def line(name: str, step: Step, night: Night) -> Counts:
            began = perf_counter()
            counts = step(night)
            console.print(
                f"  {name:<12} {perf_counter() - began:6.1f} s  "
                f"{counts.rows_in:>9,} in  {counts.rows_out:>9,} out"
            )
            return counts

        yield line
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[meaning]}"),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("night", total=len(_MEANING), meaning="")

        def watch(name: str, step: Step, night: Night) -> Counts:
            progress.update(bar, description=f"{name:<12}", meaning=_MEANING.get(name, ""))
            counts = step(night)
            progress.advance(bar)
            return counts

        yield watch


@dataclass(frozen=True, kw_only=True)
class BacktestWatches:
    """What shows how far a back-test is: while files land, and while cases are replayed."""

    landing: Watch
    parts: PartsWatch


@contextmanager
def shown_backtest_progress() -> Iterator[BacktestWatches | None]:
    """Give watches that show a bar on standard error; None where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield None
        return
    with Progress(
        TextColumn("{task.description:<40}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("reading past cases", total=None)

        def landing(name: str, step: Step, night: Night) -> Counts:
            progress.update(bar, description=_MEANING.get(name, name))
            return step(night)

        def parts(done: int, total: int, doing: str) -> None:
            progress.update(bar, description=doing, completed=done, total=total)

        yield BacktestWatches(landing=landing, parts=parts)
