"""Does a band hold what it says? Shares of scores inside, by severity at the start and session.

A band that is right on average can be wrong for the severe and wrong the other way for the mild
(status_rule.md, corrections: above the "10 %" line at session 8 were 3 % of mild and 19 % of severe
cases). So every share is counted in cells of baseline tercile x session. To be counted on cases the
course was not fitted on.

Scores are whole and stop at a floor: where a fifth of scores are zero, no score lies below an 80 %
band and 90 % lie inside. That says nothing against the band. `spread_inside` therefore spreads each
score evenly over the chance it has (non-randomised probability integral transform; Czado, Gneiting
& Held 2009, Biometrics 65; recalled): a fifth of scores at zero count as lying evenly between the
chances 0 and .2, half of them below the line of 10 %.
"""

from collections.abc import Hashable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

SESSION_STARTS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Where the cells of sessions begin."""
TERCILES = ("mild", "middle", "severe")


def coverage_by_cell(
    baseline: Floats,
    session: Floats,
    counted: dict[str, Floats | Truths],
    *,
    higher_is_worse: bool = True,
) -> pl.DataFrame:
    """Return the mean of what is counted, in cells of baseline tercile x session.

    Parameters
    ----------
    baseline, session
        (n,) of each score, in points and as a number from 1.
    counted
        By name, (n,) each: whether the score lies inside or above, or `spread_inside`.

    Returns
    -------
    `severity, session, count` and a column for each name; severity and session "all" hold all.

    Examples
    --------
    >>> inside = np.array([True, True, False, True])
    >>> table = coverage_by_cell(np.array([1.0, 2, 3, 4]), np.ones(4), {"inside": inside})
    >>> table.row(0)
    ('all', 'all', 4, 0.75)
    """
    severity = baseline if higher_is_worse else -baseline
    place = np.digitize(severity, np.quantile(severity, [1 / 3, 2 / 3]))
    starts = np.array(SESSION_STARTS)
    cell = np.maximum(np.searchsorted(starts, session, side="right") - 1, 0)
    rows = pl.DataFrame(
        {
            "severity": np.array(TERCILES)[place],
            "session": np.array(_session_names())[cell],
            "place": place,
            "cell": cell,
            **{name: np.asarray(values, dtype=np.float64) for name, values in counted.items()},
        }
    )
    means = [pl.len().alias("count"), *(pl.col(name).mean() for name in counted)]
    overall = rows.select(pl.lit("all").alias("severity"), pl.lit("all").alias("session"), *means)
    cells = rows.group_by("place", "cell", "severity", "session").agg(means).sort("place", "cell")
    return pl.concat([overall[:1], cells.drop("place", "cell")], how="vertical_relaxed")


def spread_inside(share_below: Floats, share_up_to: Floats, coverage: float) -> Floats:
    """Return which part (n,) of each score's chance lies inside the central coverage.

    Parameters
    ----------
    share_below, share_up_to
        (n,) predicted chance of a score below this one, and up to and with this one.

    Examples
    --------
    >>> spread_inside(np.array([0.0, 0.4]), np.array([0.2, 0.5]), 0.8)
    array([0.5, 1. ])
    """
    low, high = (1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0
    inside = np.minimum(share_up_to, high) - np.maximum(share_below, low)
    width = np.maximum(share_up_to - share_below, 1e-12)
    return np.asarray(np.clip(inside / width, 0.0, 1.0))


def share_ever(groups: Sequence[Hashable] | NDArray[np.generic], is_beyond: Truths) -> float:
    """Return the share of cases with at least one score beyond a line.

    A band of 80 % is left on its worse side by 10 % of scores, but by many more cases at some time:
    the more scores a case has, the more chances to cross once. To be shown beside the band.

    Examples
    --------
    >>> share_ever(["c1", "c1", "c2"], np.array([False, True, False]))
    0.5
    """
    cases = pl.DataFrame({"case": pl.Series(groups), "is_beyond": is_beyond})
    ever = cases.group_by("case").agg(pl.col("is_beyond").any())["is_beyond"].mean()
    return float(ever) if isinstance(ever, float) else float("nan")


def _session_names() -> list[str]:
    ends = [*(start - 1 for start in SESSION_STARTS[1:]), None]
    return [
        f"{start}+" if end is None else str(start) if end == start else f"{start}-{end}"
        for start, end in zip(SESSION_STARTS, ends, strict=True)
    ]
