"""How do the scores of many cases lie, case after case and session after session?

Rows come in any order, mostly in this one. Rows in order are only looked at; others are put into a
matrix case x session instead of being sorted (ten times faster for eight million scores). A session
number is a whole number from 0 to 63, so the sessions of a case are the bits of one number, its
design. Scores that are whole numbers are kept in as few bytes as they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
Masks = NDArray[np.uint64]

MOST_SESSIONS = 64
"""Bits of a design."""

LARGEST_MATRIX = 128 * 1024 * 1024
"""Bytes; rows that would need more are sorted."""


class NotOnAGridError(ValueError):
    """Times are not whole numbers 0 to 63, or a case has two scores at one of them."""


@dataclass(frozen=True, kw_only=True)
class CourseRows:
    """Scores in order, and where each case's scores lie; one entry a case where not said."""

    score: Numbers
    """Scores of a case stand together, in order of session."""
    first: NDArray[np.intp]
    count: NDArray[np.uint8]
    mask: Masks | None
    """Bit s is set if the case has a score at session s; None: everybody has 0 to count - 1."""
    baseline: Numbers
    therapist: NDArray[np.intp] | None
    """Codes from 0 in `therapist_ids`."""
    therapist_ids: Numbers | None
    largest: float
    """Absolute value of scores and baselines; infinity if any is no whole number."""


def course_rows(
    case: Numbers,
    session: Numbers,
    score: Numbers,
    baseline: Numbers,
    therapist: Numbers | None = None,
) -> CourseRows:
    """Lay scores out; all arguments have one entry a score, in any order, nothing missing.

    Parameters
    ----------
    case
        Whole numbers that tell cases apart.
    session
        Whole numbers 0 to 63.
    baseline, therapist
        The same in all rows of a case; a therapist is any number or text.

    Raises
    ------
    NotOnAGridError
        If sessions are no whole numbers from 0 to 63, or a case has two scores at one session.
    ValueError
        If a case has two baselines or two therapists, or there is no row.

    Examples
    --------
    Case 3 has scores 12 and 11 at sessions 0 and 1, case 7 has 9 and 6 at sessions 0 and 2.

    >>> rows = course_rows(np.array([7, 7, 3, 3]), np.array([2, 0, 0, 1]),
    ...                    np.array([6, 9, 12, 11]), np.array([10, 10, 14, 14]))
    >>> rows.score.tolist(), rows.first.tolist(), rows.baseline.tolist()
    ([12, 11, 9, 6], [0, 2], [14, 10])
    >>> [f"{mask:b}" for mask in rows.mask.tolist()]
    ['11', '101']
    """
    if not len(score):
        raise ValueError("there is no score to learn from")
    session, score, baseline = _on_the_grid(session), _compact(score), _compact(baseline)
    largest = max(_largest(score), _largest(baseline))
    is_same = case[1:] == case[:-1]
    code, case_count = case, len(case) - int(is_same.sum())
    if not bool((case[1:] >= case[:-1]).all()):
        runs = case_count
        code, case_count = _codes(case)
        is_together = runs == case_count
    else:
        is_together = True
    step = session[1:] - session[:-1]
    if is_together and bool(((step > 0) | ~is_same).all()):
        _one_a_case((baseline[1:] == baseline[:-1]) | ~is_same, "baseline")
        first = np.concatenate([[0], np.flatnonzero(~is_same) + 1])
        is_complete = bool((session[first] == 0).all()) and np.array_equal(step == 1, is_same)
        count = np.diff(first, append=len(case)).astype(np.uint8)
        mask = None if is_complete else np.bitwise_or.reduceat(_bits(session), first)
        if therapist is not None:
            _one_a_case((therapist[1:] == therapist[:-1]) | ~is_same, "therapist")
            therapist = therapist[first]
        baseline = baseline[first]
    else:
        if code is case:
            code, case_count = _codes(case)
        score, first, count, mask = _in_order(code, session, score, case_count)
        baseline = _of_case(code, case_count, baseline, "baseline")
        if therapist is not None:
            therapist = _of_case(code, case_count, therapist, "therapist")
    ids, codes = (None, None) if therapist is None else coded(therapist)
    return CourseRows(
        score=score,
        first=first,
        count=count,
        mask=mask,
        baseline=baseline,
        therapist=codes,
        therapist_ids=ids,
        largest=largest,
    )


def _on_the_grid(session: Numbers) -> Numbers:
    """Return sessions as small whole numbers, or raise NotOnAGridError."""
    lowest, highest = session.min(), session.max()
    if not (lowest >= 0 and highest < MOST_SESSIONS):  # NaN fails too
        raise NotOnAGridError(f"sessions must be whole numbers from 0 to {MOST_SESSIONS - 1}")
    if session.dtype.kind in "iu":
        return session if session.dtype == np.int16 else session.astype(np.int8)
    whole = session.astype(np.int8)
    if not np.array_equal(whole, session):
        raise NotOnAGridError(f"sessions must be whole numbers from 0 to {MOST_SESSIONS - 1}")
    return whole


def _compact(values: Numbers) -> Numbers:
    """Return whole numbers in the fewest bytes they need, other numbers as float64."""
    lowest, highest = float(values.min()), float(values.max())
    kind = next(
        (kind for kind in (np.int8, np.int16) if -np.iinfo(kind).max <= lowest
         and highest <= np.iinfo(kind).max), None,
    )  # fmt: skip
    if kind is None or values.dtype == kind:
        return np.ascontiguousarray(values if kind else values.astype(np.float64))
    whole = values.astype(kind)
    if values.dtype.kind in "iu" or np.array_equal(whole, values):
        return whole
    return np.ascontiguousarray(values, dtype=np.float64)


def _largest(values: Numbers) -> float:
    return (
        float("inf") if values.dtype.kind == "f" else max(1, int(values.max()), -int(values.min()))
    )


def _one_a_case(is_fine: NDArray[np.bool_], what: str) -> None:
    if not bool(is_fine.all()):
        raise ValueError(f"A case has more than one {what}; give every row of a case the same.")


def _bits(session: Numbers) -> Masks:
    bits: Masks = np.left_shift(np.uint64(1), session.astype(np.uint64))
    return bits


def _codes(case: Numbers) -> tuple[Numbers, int]:
    """Return each row's case as a code from 0, and how many there are."""
    lowest, highest = int(case.min()), int(case.max())
    if highest - lowest <= 2 * len(case):
        code = case if lowest == 0 else case - case.dtype.type(lowest)
        is_there = np.zeros(highest - lowest + 1, dtype=np.bool_)
        is_there[code] = True
        if bool(is_there.all()):
            return code, len(is_there)
        return (np.cumsum(is_there, dtype=np.int32) - 1)[code], int(is_there.sum())
    ids, code = np.unique(case, return_inverse=True)
    return code, len(ids)


def _of_case(code: Numbers, case_count: int, values: Numbers, what: str) -> Numbers:
    """Return the value of each case; refuse cases with several."""
    of_case = np.empty(case_count, dtype=values.dtype)
    of_case[code] = values
    _one_a_case(of_case[code] == values, what)
    return of_case


def coded(ids: Numbers) -> tuple[Numbers, NDArray[np.intp]]:
    """Return the distinct ids in order, and each one's place among them.

    Examples
    --------
    >>> coded(np.array([7, 9, 7]))
    (array([7, 9]), array([0, 1, 0]))
    """
    if ids.dtype.kind in "iu":
        lowest, highest = int(ids.min()), int(ids.max())
        if highest - lowest <= 2 * len(ids):
            is_there = np.zeros(highest - lowest + 1, dtype=np.bool_)
            is_there[ids - lowest] = True
            places = np.cumsum(is_there, dtype=np.intp) - 1
            return np.flatnonzero(is_there) + lowest, places[ids - lowest]
    distinct, codes = np.unique(ids, return_inverse=True)
    return distinct, codes


def _in_order(
    code: Numbers, session: Numbers, score: Numbers, cases: int
) -> tuple[Numbers, NDArray[np.intp], NDArray[np.uint8], Masks | None]:
    """Return scores in order of case and session, first and count of each case, and its mask."""
    width = int(session.max()) + 1
    kind = np.int32 if cases * width < 1 << 31 else np.int64
    place = np.multiply(code, width, dtype=kind, casting="unsafe")
    np.add(place, session, out=place)
    if cases * width * score.dtype.itemsize > LARGEST_MATRIX:
        order = np.argsort(place, kind="stable")
        place, score = place[order], score[order]
        code, session = code[order], session[order]
        if bool((place[1:] == place[:-1]).any()):
            raise NotOnAGridError(_TWICE)
        first = np.flatnonzero(np.diff(code, prepend=-1))
        count = np.diff(first, append=len(code)).astype(np.uint8)
        mask = np.bitwise_or.reduceat(_bits(session), first)
        return score, first, count, mask
    nothing = np.nan if score.dtype.kind == "f" else np.iinfo(score.dtype).min
    matrix = np.full(cases * width, nothing, dtype=score.dtype)
    matrix[place] = score
    is_there = (~np.isnan(matrix) if score.dtype.kind == "f" else matrix != nothing).reshape(
        cases, width
    )
    bits = np.zeros((cases, 8), dtype=np.uint8)
    packed = np.packbits(is_there, axis=1, bitorder="little")
    bits[:, : packed.shape[1]] = packed
    mask = bits.view("<u8").ravel().astype(np.uint64)
    count = np.bitwise_count(mask)
    if int(count.sum(dtype=np.int64)) != len(score):
        raise NotOnAGridError(_TWICE)
    if bool((mask & (mask + np.uint64(1)) == 0).all()):
        return matrix, np.arange(cases) * width, count, None
    first = np.concatenate([[0], np.cumsum(count, dtype=np.intp)[:-1]])
    return matrix[is_there.ravel()], first, count, mask


_TWICE = "a case has two scores at one session"
