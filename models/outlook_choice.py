"""Which step of complexity do a practice's own cases support?

Each step is learned on four fifths of the cases and asked about the last fifth, for all fifths; it
is kept if the mean log loss of the cases falls by more than its own standard error (the
one-standard-error rule of Breiman and others 1984 [recalled], turned towards the plainer side) and
cases are ordered no worse than before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.outlook_arithmetic import (
    Bools,
    Floats,
    logistic,
    ordered_right,
    ridge_logistic,
)

Indices = NDArray[np.intp]

FOLDS = 5
MOST_CASES = 20_000
"""More are not looked at for the choice: a gain that shows among fewer is a gain."""
_SMALLEST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What one step gained among cases it had not learned from."""

    auc: float
    """Mean over fifths: of pairs within one fifth."""
    log_loss: float
    gain: float
    """Log loss of the last step that was kept, less that of this one; 0 for the first."""
    gain_error: float
    """Standard error of the gain."""
    is_kept: bool


def choose(
    design: Floats,
    penalty: Floats,
    steps: Sequence[Indices],
    bad: Bools,
    order: Floats,
    *,
    surely: int = 1,
) -> list[Tried]:
    """Return what each step gained and whether it is kept.

    Parameters
    ----------
    design
        (n, p) standardised columns.
    penalty
        (p,)
    steps
        Columns each step adds to those kept before it.
    order
        (n,) a rough order of the cases: fifths are dealt out along it, so that each has its part of
        bad ends and of all degrees, and the order of the rows does not matter.
    surely
        How many of the first steps are kept whatever they gain.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> columns = random.normal(size=(400, 3))
    >>> bad = random.normal(size=400) < columns[:, 1]
    >>> steps = [np.array([0]), np.array([1]), np.array([2])]
    >>> tried = choose(columns, np.ones(3), steps, bad, columns[:, 1])
    >>> [step.is_kept for step in tried], tried[1].auc > 0.7
    ([True, True, False], True)
    """
    rows = np.lexsort((order, bad))
    each = -(-len(rows) // MOST_CASES)
    rows = rows[each // 2 :: each]
    fold = np.arange(len(rows)) % FOLDS
    happened = bad[rows]
    asked, free = np.column_stack([np.ones(len(rows)), design[rows]]), np.r_[0.0, penalty]
    found: list[Tried] = []
    held, kept, best = np.zeros(1, dtype=np.intp), np.full(len(rows), np.nan), 0.0
    for number, step in enumerate(steps):
        columns = np.r_[held, step + 1]
        chance = _left_out(asked[:, columns], happened, free[columns], fold)
        loss = -np.log(np.clip(np.where(happened, chance, 1.0 - chance), _SMALLEST, 1.0))
        saved = kept - loss if number else np.zeros(len(rows))
        gain, error = float(saved.mean()), float(saved.std() / np.sqrt(len(saved)))
        area = _within_folds(chance, happened, fold)
        is_kept = number < surely or (gain > error and area >= best)
        if is_kept:
            held, kept, best = columns, loss, area
        found.append(
            Tried(
                auc=area,
                log_loss=float(loss.mean()),
                gain=gain,
                gain_error=error,
                is_kept=is_kept,
            )
        )
    return found


def _left_out(design: Floats, bad: Bools, penalty: Floats, fold: Indices) -> Floats:
    """Return the chance of each row by the rows of the other folds."""
    happened = bad.astype(np.float64)
    start = ridge_logistic(design, happened, penalty)
    chance = np.empty(len(bad))
    for number in range(FOLDS):
        asked = fold == number
        weights = ridge_logistic(design[~asked], happened[~asked], penalty, start=start)
        chance[asked] = logistic(design[asked] @ weights)
    return chance


def _within_folds(chance: Floats, bad: Bools, fold: Indices) -> float:
    """Return the share of pairs in the right order, of pairs within one fold.

    Pairs across folds would compare curves learned from different cases, which costs whoever learns
    (Forman and Scholz 2010, SIGKDD Explorations 12, 49 [recalled]).
    """
    areas, pairs = [], []
    for number in range(FOLDS):
        here = fold == number
        pairs.append(float(bad[here].sum() * (~bad[here]).sum()))
        areas.append(ordered_right(chance[here], bad[here]) if pairs[-1] else 0.0)
    return float(np.average(areas, weights=pairs)) if sum(pairs) else float("nan")
