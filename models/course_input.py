"""Are these rows fit for an expected course? Shapes, missing values and cases are checked here.

Shared by `expected_course` and `forecast`: rows are (baseline, time), a score and a case each.
"""

from collections.abc import Hashable, Sequence
from math import isnan
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Cases = Sequence[Hashable] | NDArray[np.generic]


def sign_of(higher_is: Literal["worse", "better"]) -> int:
    """Return +1 where a high score is worse, -1 where it is better.

    Examples
    --------
    >>> sign_of("worse")
    1
    """
    if higher_is not in ("worse", "better"):
        raise ValueError(f"higher_is is 'worse' or 'better', not {higher_is!r}.")
    return 1 if higher_is == "worse" else -1


def columns(X: ArrayLike) -> tuple[Floats, Floats]:
    """Return baseline and time, (n,) each; ValueError unless X is (n, 2) without gaps.

    Examples
    --------
    >>> columns([[14.0, 0.7], [14.0, 1.1]])
    (array([14., 14.]), array([0.7, 1.1]))
    """
    table = np.asarray(X, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"X has shape {table.shape}, not (n, 2): baseline and time.")
    if not np.isfinite(table).all():
        raise ValueError("X has a missing or infinite value; leave such rows out.")
    return table[:, 0], table[:, 1]


def scores(y: ArrayLike, rows: int, name: str = "y") -> Floats:
    """Return the scores (rows,) as float64; ValueError if one is missing or the shape differs.

    Examples
    --------
    >>> scores([3, 4], 2)
    array([3., 4.])
    """
    score = np.asarray(y, dtype=np.float64)
    if score.shape != (rows,):
        raise ValueError(f"{name} has shape {score.shape}, not ({rows},) as X has {rows} rows.")
    if not np.isfinite(score).all():
        raise ValueError(f"{name} has a missing or infinite value; leave such rows out.")
    return score


def case_codes(groups: Cases, rows: int) -> tuple[Indices, int]:
    """Give each case a number, by first appearance: (n,) numbers, and how many cases.

    Examples
    --------
    >>> case_codes(["c2", "c1", "c2"], 3)
    (array([0, 1, 0]), 2)
    """
    if len(groups) != rows:
        raise ValueError(f"groups has {len(groups)} entries, not {rows} as X has {rows} rows.")
    if isinstance(groups, np.ndarray) and rows:
        # Rows of a case mostly stand together: only where the case changes is it looked up.
        starts = np.concatenate([[True], groups[1:] != groups[:-1]])
        of_runs, cases = _numbered(groups[starts].tolist())
        return of_runs[np.cumsum(starts) - 1], cases
    return _numbered(groups)


def _numbered(listed: Sequence[Hashable] | NDArray[np.generic]) -> tuple[Indices, int]:
    number: dict[Hashable, int] = {}
    codes = np.fromiter(
        (number.setdefault(case, len(number)) for case in listed), dtype=np.intp, count=len(listed)
    )
    if any(case is None or (isinstance(case, float) and isnan(case)) for case in number):
        raise ValueError("groups has a missing value; every row belongs to a case.")
    return codes, len(number)
