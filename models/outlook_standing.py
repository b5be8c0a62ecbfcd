"""How far is a score from the one at which care would end badly?

Every end that is told by a score has such a line: a case ends badly if its last score lies on the
wrong side. How far the last score lies from that line today is the strongest single thing known of
the end, and it needs nothing learned.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from models.outlook_arithmetic import Floats

OutlookOutcome = Literal[
    "clinical_without_gain",
    "no_reliable_improvement",
    "under_half_reduction",
    "reliable_deterioration",
    "drop_out",
]


_SMALLEST_HALF = 0.5
"""Points: who starts at the best score has no half to lose."""


def bad_from(
    outcome: str,
    baseline: Floats,
    *,
    reliable_change: float | None,
    cutoff: float | None,
    best: float = 0.0,
) -> Floats:
    """Return the score (n,) from which on a case ends badly; points, higher is worse.

    Parameters
    ----------
    baseline
        (n,) first scores, turned so that higher is worse.
    reliable_change
        Points; None only for outcomes that do not ask for it.
    cutoff
        Last score still in the clinical range, turned so that higher is worse; None: there is none.
    best
        The best score there can be: half of a score is half of what lies above it, as in
        `case_ends`.

    Raises
    ------
    ValueError
        If the outcome needs a reliable change and there is none, or is not told by a score.

    Examples
    --------
    >>> first = np.array([12.0, 20.0])
    >>> bad_from("clinical_without_gain", first, reliable_change=6.0, cutoff=10.0).tolist()
    [10.0, 14.0]
    >>> bad_from("under_half_reduction", first, reliable_change=None, cutoff=None).tolist()
    [6.0, 10.0]
    """
    if outcome == "under_half_reduction":
        return best + 0.5 * (baseline - best)
    if reliable_change is None:
        raise ValueError(f"{outcome!r} is told by a reliable change; this measure has none.")
    if outcome == "reliable_deterioration":
        return baseline + reliable_change
    if outcome == "no_reliable_improvement" or (
        outcome == "clinical_without_gain" and cutoff is None
    ):
        return baseline - reliable_change
    if outcome == "clinical_without_gain" and cutoff is not None:
        return np.maximum(baseline - reliable_change, cutoff)
    raise ValueError(f"{outcome!r} is not an end that is told by a score.")


def standing(
    outcome: str,
    score: Floats,
    baseline: Floats,
    *,
    reliable_change: float | None,
    cutoff: float | None,
    best: float = 0.0,
) -> Floats:
    """Return how far scores (n,) lie on the wrong side of `bad_from`: above 0 is bad.

    In reliable changes; for half of the first score as a share of that half, because there the line
    itself is a share.

    Examples
    --------
    >>> score, first = np.array([13.0, 4.0]), np.array([12.0, 16.0])
    >>> standing(
    ...     "clinical_without_gain", score, first, reliable_change=6.0, cutoff=10.0
    ... ).tolist()
    [0.5, -1.0]
    """
    line = bad_from(outcome, baseline, reliable_change=reliable_change, cutoff=cutoff, best=best)
    if outcome == "under_half_reduction":
        ratio = np.maximum(score - best, 0.0) / np.maximum(line - best, _SMALLEST_HALF)
        return np.asarray(ratio - 1.0)
    unit = reliable_change if reliable_change is not None else 1.0
    return (score - line) / unit
