"""What does the outlook read of a case, in which steps, and what does it do where nothing is known?

Columns are those of `known_so_far`. Steps are ordered from the plainest on; a later step holds all
before it. What a case lacks is filled with the middle of those that have it, and where some of the
cases learned from lacked it, that it is lacking is a column of its own: missing is information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.outlook_arithmetic import Floats

SCORES = ("baseline", "score", "mean_between")
"""What the forecast of the end reads."""
DETAILS = ("best", "worst", "slope", "variability", "occasion", "weeks", "weeks_since_previous")
CARE = (
    "sessions_attended",
    "planned_share",
    "scores_missing_share",
    "missed_sessions_share",
    "missed_lately",
    "alliance_last",
    "alliance_fall",
)

READ = frozenset((*SCORES, "previous", *DETAILS, *CARE))

FREE = 0.3
"""Penalty of what is surely of use: keeps numbers finite where few cases part completely."""
COURSE = 30.0
"""Penalty of what refines it, in cases: with 30 cases the data and the prior weigh about the same.
"""
MORE = 100.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of complexity: columns it adds and how hard their weights are pulled to 0."""

    name: str
    says: str
    columns: tuple[str, ...]
    penalties: tuple[float, ...]
    is_sure: bool = False
    """Kept whatever it gains."""


def _step(
    name: str, says: str, *parts: tuple[tuple[str, ...], float], is_sure: bool = False
) -> Step:
    return Step(
        name=name,
        says=says,
        columns=tuple(column for columns, _ in parts for column in columns),
        penalties=tuple(penalty for columns, penalty in parts for _ in columns),
        is_sure=is_sure,
    )


TWO_SCORE = _step("two_score", "first and last score", (("baseline", "score"), FREE), is_sure=True)
OF_SCORES = (
    _step(
        "standing_and_forecast",
        "where the case stands, and its forecast",
        (("index",), FREE),
        is_sure=True,
    ),
    _step(
        "first_and_last",
        "first and last score, with weights of their own",
        (("baseline", "score"), MORE),
        is_sure=True,
    ),
    _step(
        "course",
        "forecast and standing apart, earlier scores",
        (("forecast_less_now", "standing_between", "standing_previous"), COURSE),
    ),
    _step("details", "best, worst, slope, scatter and time of the scores", (DETAILS, MORE)),
    _step("care", "sessions, missed sessions, missing scores, alliance", (CARE, MORE)),
)
"""For ends that are told by a score. The second is kept whatever it gains: it costs .001 where the
index is right and saves .004 where the first score matters more than the line says
(docs/outlook.md)."""
OF_DROP_OUT = (
    TWO_SCORE,
    _step(
        "details",
        "earlier scores; best, worst, slope, scatter and time of the scores",
        (("mean_between", "previous", *DETAILS), COURSE),
    ),
    _step("care", "sessions, missed sessions, missing scores, alliance", (CARE, COURSE)),
)


def told(known: pl.DataFrame) -> dict[str, Floats]:
    """Return every column that may be read, (n,) each; nan where it is not known.

    Where there is only one score after the baseline, it stands for those before it.

    Examples
    --------
    >>> known = pl.DataFrame({"baseline": [18.0], "score": [11.0], "previous": [18.0]})
    >>> columns = told(known)
    >>> columns["previous"].tolist(), columns["slope"].tolist()
    ([11.0], [nan])
    """
    here = [name for name in sorted(READ) if name in known.columns]
    values = known.select(pl.col(here).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    columns = {name: np.full(known.height, np.nan) for name in READ.difference(here)}
    columns |= {name: values[:, place] for place, name in enumerate(here)}
    alone = np.isnan(columns["mean_between"])
    for name in ("mean_between", "previous"):
        columns[name] = np.where(alone, columns["score"], columns[name])
    return columns


def square_root(points: Floats, best: float) -> Floats:
    """Return points on a scale on which low and high scores scatter alike.

    Scores near the best end of a scale lie close together and those far from it do not: the root of
    the distance evens this out (Bartlett 1936 for counts [recalled]).

    Parameters
    ----------
    best
        The best score there is, turned so that higher is worse.

    Examples
    --------
    >>> square_root(np.array([0.0, 3.5, 24.5]), 0.0).round(2).tolist()
    [0.71, 2.0, 5.0]
    """
    root: Floats = np.sqrt(np.maximum(points - best, 0.0) + 0.5)
    return root


def from_square_root(root: Floats, best: float) -> Floats:
    """Return points of `square_root`.

    Examples
    --------
    >>> from_square_root(square_root(np.array([7.0]), 0.0), 0.0).round(6).tolist()
    [7.0]
    """
    points: Floats = np.maximum(root, 0.0) ** 2 - 0.5 + best
    return points
