"""What do the courses of many cases add up to? One small matrix for each set of sessions.

Cases with scores at the same sessions share a design. For them one cross-product (Gram) matrix

    G = sum over the cases of [y; 1; c] [y; 1; c]'      (y: scores by session, c: baseline)

is an exact sufficient statistic of the growth curve in `mixed_model`. The matrices are whole
numbers where scores and baselines are. They depend neither on the function of time nor on the
correlation of residuals, so any number of curves is fitted from one scan; and they add up over
nights, files and machines, as long as all rows of a case come together. Beside them, for
therapists, stand the sums of [y; 1; c] of each therapist and design.

A design with one case holds that person's scores. Pool the matrices of several practices only after
small designs are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.course_rows import CourseRows, Masks, Numbers, course_rows
from models.curve_sums import Floats

ROWS_AT_ONCE = 4096
"""Cases multiplied together: they stay in the cache."""
EXACT_FLOAT32 = 2.0**24
"""Whole numbers up to here are exact in float32, and multiply twice as fast."""
ENOUGH_FOR_A_PRODUCT = 24
"""Cases from which on a matrix product of its own is faster than one with designs of that size."""
NUMBERS_AT_ONCE = 1 << 19


@dataclass(frozen=True, kw_only=True, eq=False)
class TherapistSums:
    """One entry for each therapist and design that have cases together."""

    therapist: NDArray[np.intp]
    """Place in `CrossProducts.therapist_ids`."""
    design: NDArray[np.intp]
    """Place in `Designs.masks`."""
    sums: Floats
    """(entries, k + 2): [y; 1; c] added up over cases."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Designs:
    """The designs of k scores a case, in order of their masks."""

    masks: Masks
    """Bit s is set if there is a score at session s."""
    gram: Floats
    """(designs, k + 2, k + 2)"""
    therapists: TherapistSums | None = None

    @property
    def count(self) -> int:
        """Scores a case, k."""
        return int(self.gram.shape[1]) - 2

    @property
    def cases(self) -> Floats:
        """Cases of each design."""
        cases: Floats = self.gram[:, -2, -2]
        return cases

    @property
    def sessions(self) -> NDArray[np.intp]:
        """(designs, k): at which sessions scores stand."""
        bits = (self.masks[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
        return np.nonzero(bits)[1].reshape(-1, self.count)


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossProducts:
    """Sufficient statistics of many courses; `+` joins those of different cases."""

    designs: tuple[Designs, ...]
    """In order of scores a case."""
    therapist_ids: Numbers | None = None
    """None if therapists are not told apart."""

    @property
    def case_count(self) -> int:
        """Cases."""
        return round(sum(float(each.cases.sum()) for each in self.designs))

    @property
    def score_count(self) -> int:
        """Scores."""
        return round(sum(each.count * float(each.cases.sum()) for each in self.designs))

    def __add__(self, other: CrossProducts) -> CrossProducts:
        """Join the statistics of different cases.

        Examples
        --------
        >>> one = cross_products(np.array([1, 1, 2]), np.array([0, 1, 0]), np.array([9, 7, 12]),
        ...                      np.array([10, 10, 14]))
        >>> other = cross_products(np.array([3, 3]), np.array([0, 1]), np.array([8, 8]),
        ...                        np.array([8, 8]))
        >>> both = one + other
        >>> both.case_count, both.score_count, both.designs[1].gram[0, 0, 0]
        (3, 5, np.float64(145.0))
        """
        return joined([self, other])


def cross_products(
    case: Numbers,
    session: Numbers,
    score: Numbers,
    baseline: Numbers,
    therapist: Numbers | None = None,
) -> CrossProducts:
    """Add up the courses of many cases in one scan; arguments and errors: see `course_rows`.

    Examples
    --------
    >>> sums = cross_products(np.array([1, 1, 2, 2]), np.array([0, 1, 0, 1]),
    ...                       np.array([9, 7, 12, 11]), np.array([10, 10, 14, 14]))
    >>> sums.designs[0].gram[0]
    array([[225., 195.,  21., 258.],
           [195., 170.,  18., 224.],
           [ 21.,  18.,   2.,  24.],
           [258., 224.,  24., 296.]])
    """
    return of_rows(course_rows(case, session, score, baseline, therapist))


def of_rows(rows: CourseRows) -> CrossProducts:
    """Add up courses that are laid out, design by design.

    Examples
    --------
    >>> rows = course_rows(np.array([1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0]),
    ...                    np.array([9, 7, 12, 11, 8]), np.array([10, 10, 14, 14, 9]))
    >>> [(each.count, each.cases.tolist()) for each in of_rows(rows).designs]
    [(1, [1.0]), (2, [2.0])]
    """
    order = np.argsort(rows.count, kind="stable")
    if rows.therapist is not None:
        few = rows.therapist.astype(np.uint16 if rows.therapist.max() < 1 << 16 else np.intp)
        order = np.argsort(few, kind="stable")
        order = order[np.argsort(rows.count[order], kind="stable")]
    counts = rows.count[order]
    ends = np.searchsorted(counts, np.arange(int(counts[-1]) + 1), side="right")
    designs = [
        _designs(rows, order[first:last], count)
        for count, (first, last) in enumerate(pairwise(ends), start=1)
        if last > first
    ]
    return CrossProducts(designs=tuple(designs), therapist_ids=rows.therapist_ids)


def _designs(rows: CourseRows, cases: NDArray[np.intp], count: int) -> Designs:
    """Add up the cases with `count` scores."""
    if rows.mask is None:
        masks, starts = np.array([(1 << count) - 1], dtype=np.uint64), np.array([0])
    else:
        mask = rows.mask[cases]
        by_mask = np.argsort(mask, kind="stable")
        cases, mask = cases[by_mask], mask[by_mask]
        starts = np.concatenate([[0], np.flatnonzero(mask[1:] != mask[:-1]) + 1])
        masks = mask[starts]
    courses = _Courses(rows, cases, count)
    return Designs(
        masks=masks,
        gram=_grams(courses, starts),
        therapists=(
            None if rows.therapist is None else _by_therapist(courses, rows.therapist, starts)
        ),
    )


@dataclass(frozen=True)
class _Courses:
    """Courses [y; 1; c] of cases with the same number of scores."""

    rows: CourseRows
    cases: NDArray[np.intp]
    count: int

    def __len__(self) -> int:
        return len(self.cases)

    def block(self, first: int, last: int, kind: type[np.floating[Any]] = np.float64) -> Numbers:
        """Return (last - first, count + 2)."""
        cases, score = self.cases[first:last], self.rows.score
        # Every stretch of `count` scores seen as one item, so that a course is copied at once.
        item = score.dtype.itemsize
        stretches: NDArray[np.void] = np.ndarray(
            (len(score) - self.count + 1,), f"V{self.count * item}", score, strides=(item,)
        )
        block = np.empty((len(cases), self.count + 2), dtype=kind)
        block[:, : self.count] = (
            stretches[self.rows.first[cases]].view(score.dtype).reshape(-1, self.count)
        )
        block[:, -2] = 1.0
        block[:, -1] = self.rows.baseline[cases]
        return block

    @property
    def kind(self) -> type[np.floating[Any]]:
        """The shortest float in which products of `ROWS_AT_ONCE` courses are exact."""
        is_exact = min(ROWS_AT_ONCE, len(self)) * self.rows.largest**2 <= EXACT_FLOAT32
        return np.float32 if is_exact else np.float64


def _grams(courses: _Courses, starts: NDArray[np.intp]) -> Floats:
    width = courses.count + 2
    grams = np.zeros((len(starts), width, width))
    kind = courses.kind
    ends = np.append(starts[1:], len(courses))
    is_large = ends - starts >= ENOUGH_FOR_A_PRODUCT
    for large in np.flatnonzero(is_large | (len(starts) == 1)):
        for first in range(starts[large], ends[large], ROWS_AT_ONCE):
            block = courses.block(first, min(first + ROWS_AT_ONCE, ends[large]), kind)
            grams[large] += block.T @ block
    if len(starts) == 1:
        return grams
    sizes = ends - starts
    for size in np.unique(sizes[~is_large]):
        small = np.flatnonzero(sizes == size)
        at_once = max(NUMBERS_AT_ONCE // (int(size) * width), 1)
        for first in range(0, len(small), at_once):
            designs = small[first : first + at_once]
            places = (starts[designs][:, None] + np.arange(size)).ravel()
            few = _Courses(courses.rows, courses.cases[places], courses.count)
            block = few.block(0, len(few)).reshape(len(designs), size, width)
            grams[designs] = block.transpose(0, 2, 1) @ block
    return grams


def _by_therapist(
    courses: _Courses, therapist: NDArray[np.intp], starts: NDArray[np.intp]
) -> TherapistSums:
    """Add [y; 1; c] up by design and therapist; cases of a design stand in order of therapist."""
    therapist = therapist[courses.cases]
    design = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(courses)))
    is_new = (np.diff(therapist, prepend=-1) != 0) | (np.diff(design, prepend=-1) != 0)
    begins = np.flatnonzero(is_new)
    sums = np.add.reduceat(courses.block(0, len(courses)), begins, axis=0)
    return TherapistSums(therapist=therapist[begins], design=design[begins], sums=sums)


_SOME_WITHOUT = "some statistics tell therapists apart and some do not"


def joined(parts: Sequence[CrossProducts]) -> CrossProducts:
    """Join the statistics of different cases; therapists with the same id are one.

    Parameters
    ----------
    parts
        One or more; no case may stand in two of them, which cannot be checked here.

    Raises
    ------
    ValueError
        If some parts tell therapists apart and some do not.

    Examples
    --------
    >>> one = cross_products(np.array([1]), np.array([0]), np.array([9]), np.array([10]))
    >>> other = cross_products(np.array([2]), np.array([0]), np.array([8]), np.array([14]))
    >>> joined([one, other]).designs[0].gram[0].tolist()  # 81 + 64, 9 + 8, 90 + 112 ...
    [[145.0, 17.0, 202.0], [17.0, 2.0, 24.0], [202.0, 24.0, 296.0]]
    """
    told_apart = [part.therapist_ids for part in parts if part.therapist_ids is not None]
    if told_apart and len(told_apart) < len(parts):
        raise ValueError(_SOME_WITHOUT)
    ids = np.unique(np.concatenate(told_apart)) if told_apart else None
    counts = sorted({each.count for part in parts for each in part.designs})
    return CrossProducts(
        designs=tuple(_joined_designs(parts, count, ids) for count in counts), therapist_ids=ids
    )


def _joined_designs(parts: Sequence[CrossProducts], count: int, ids: Numbers | None) -> Designs:
    same = [(part, each) for part in parts for each in part.designs if each.count == count]
    masks, place = np.unique(np.concatenate([each.masks for _, each in same]), return_inverse=True)
    gram = np.zeros((len(masks), count + 2, count + 2))
    np.add.at(gram, place, np.concatenate([each.gram for _, each in same]))
    if ids is None:
        return Designs(masks=masks, gram=gram)
    therapist, design, sums = [], [], []
    offset = 0
    for part, each in same:
        if each.therapists is None or part.therapist_ids is None:
            raise ValueError(_SOME_WITHOUT)
        therapist.append(np.searchsorted(ids, part.therapist_ids)[each.therapists.therapist])
        design.append(place[offset : offset + len(each.masks)][each.therapists.design])
        sums.append(each.therapists.sums)
        offset += len(each.masks)
    keys = np.concatenate(design) * len(ids) + np.concatenate(therapist)
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
    keys = keys[order][begins]
    added = np.add.reduceat(np.concatenate(sums)[order], begins, axis=0)
    return Designs(
        masks=masks,
        gram=gram,
        therapists=TherapistSums(therapist=keys % len(ids), design=keys // len(ids), sums=added),
    )
