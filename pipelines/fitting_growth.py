"""Fit the growth curve of a file of scores, by the fastest of three paths.

Cross-products of complete sessions, cross-products by design, or sums by case: the path changes the
time it takes, never the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.errors import SourceError
from models.case_sums import CannotLearnError, carried_effects
from models.course_rows import CourseRows, NotOnAGridError, coded, course_rows
from models.cross_products import of_rows
from models.curve_sums import Method
from models.growth_curve import (
    clustered_or_error,
    fit_growth_curve,
    log_time,
    told_apart_or_error,
)
from models.mixed_model import SINGULAR, MixedModelFit, case_sums, fit_curve
from models.therapist_effect import with_therapists
from pipelines.reading_growth import Columns, GrowthRows, growth_rows
from pipelines.telling_flags import counted

TERMS = ("intercept", "time", "baseline", "time:baseline")
MANY_CASES = 5_000
"""From here on adding up by design is faster than adding up by case."""
SLOPE_NOTE = (
    "The scores left over by a line through each case are too few to tell slopes from the residual "
    "(two scores a case?): cases differ in level only. Slopes need three or more scores a case."
)
SINGULAR_NOTE = (
    "The fit is singular: a variance is zero, or level and slope move as one. The fixed effects "
    "stand; do not read the covariance as an estimate of much."
)


@dataclass(frozen=True, kw_only=True)
class ToldGrowth:
    """A fit and what it rests on."""

    fit: MixedModelFit
    columns: Columns
    is_log_time: bool
    case_count: int
    score_count: int
    row_count: int
    set_aside: Mapping[str, int]
    has_slopes: bool
    """Cases differ in slope too; false: in level alone."""
    left_out: tuple[str, ...]
    """Fixed effects that the data cannot tell from the others."""
    notes: tuple[str, ...]
    seconds: float
    """From opening the file to the fit."""


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    fit: MixedModelFit
    case_count: int
    effects: int

    @property
    def is_singular(self) -> bool:
        """Whether a variance that was fitted is zero, or level and slope move as one."""
        own = self.fit.theta[[0]] if self.effects == 1 else self.fit.theta[[0, 2]]
        return bool(min([*own, *self.fit.theta[3:]]) < SINGULAR)


def growth(
    file: Path, columns: Columns, *, is_log_time: bool, method: Method, is_serial: bool
) -> ToldGrowth:
    """Fit the curve.

    Raises
    ------
    SourceError
        If the file cannot be read as such scores.
    CannotLearnError
        If the scores allow no growth curve.
    """
    started = perf_counter()
    rows = growth_rows(file, columns)
    if is_log_time and float(rows.time.min()) <= -1.0:
        raise SourceError(
            f"{file.name}, column {columns.time!r}: log(1 + time) needs times of 0 or more"
        )
    try:
        fitted = _fitted(rows, is_log_time=is_log_time, method=method, is_serial=is_serial)
    except ValueError as error:
        raise _said(error, rows, columns, file) from None
    left_out = tuple(
        term for term, own in zip(TERMS, np.diag(fitted.fit.coefficient_covariance), strict=True)
        if own == 0.0
    )  # fmt: skip
    notes = [SLOPE_NOTE] * (fitted.effects == 1) + [SINGULAR_NOTE] * fitted.is_singular
    if left_out:
        notes.append(f"Left out, because the data cannot tell them apart: {', '.join(left_out)}.")
    return ToldGrowth(
        fit=fitted.fit,
        columns=columns,
        is_log_time=is_log_time,
        case_count=fitted.case_count,
        score_count=len(rows.score),
        row_count=rows.row_count,
        set_aside=rows.set_aside,
        has_slopes=fitted.effects > 1,
        left_out=left_out,
        notes=tuple(notes),
        seconds=perf_counter() - started,
    )


def _fitted(rows: GrowthRows, *, is_log_time: bool, method: Method, is_serial: bool) -> _Fitted:
    has_therapists = rows.therapist is not None
    try:
        courses = course_rows(rows.case, rows.time, rows.score, rows.baseline, rows.therapist)
    except NotOnAGridError as error:
        if is_serial:
            raise CannotLearnError(
                f"--ar1 needs numbered sessions, 0 to 63, one score each: {error}. Number the "
                "sessions of each case, or fit without --ar1."
            ) from None
        return _fitted_by_case(rows, is_log_time=is_log_time, method=method)
    are_shared = courses.mask is None or (has_therapists and _share_designs(courses))
    if not (is_serial or (are_shared and len(courses.count) >= MANY_CASES)):
        return _fitted_by_case(rows, is_log_time=is_log_time, method=method)
    products = of_rows(courses)
    fit = fit_growth_curve(
        products, log_time() if is_log_time else None,
        method=method, therapists=has_therapists, is_serial=is_serial,
    )  # fmt: skip
    counts = np.concatenate([np.full(len(each.masks), float(each.count))
                             for each in products.designs])  # fmt: skip
    cases = np.concatenate([each.cases for each in products.designs])
    kept = int((np.diag(fit.coefficient_covariance) > 0.0).sum())
    return _Fitted(
        fit=fit, case_count=products.case_count, effects=carried_effects(counts, cases, kept)
    )


def _share_designs(courses: CourseRows) -> bool:
    """Return whether cases share designs often enough for one matrix a design."""
    return courses.mask is not None and len(np.unique(courses.mask)) * 4 < len(courses.mask)


def _fitted_by_case(rows: GrowthRows, *, is_log_time: bool, method: Method) -> _Fitted:
    case, therapist = rows.case, rows.therapist
    is_in_order = bool((case[1:] >= case[:-1]).all())
    if is_in_order:
        case_count = int((case[1:] != case[:-1]).sum()) + 1
    if not is_in_order or therapist is not None:
        case = coded(case)[1]
        case_count = int(case.max()) + 1
    clustered_or_error(case_count, len(case))
    sums = case_sums(
        rows.baseline, rows.time, rows.score, case,
        time_function=np.log1p if is_log_time else None,
    )  # fmt: skip
    curve = sums.curve_sums()
    if therapist is not None:
        curve = with_therapists(curve, _therapist_of_case(case, therapist, case_count))
    effects = sums.random_effects
    return _Fitted(
        fit=fit_curve(curve, effects, method=method), case_count=case_count, effects=effects
    )


def _therapist_of_case(
    case: NDArray[Any], therapist: NDArray[Any], case_count: int
) -> NDArray[np.intp]:
    """Return each case's therapist as a code from 0."""
    of_row = coded(therapist)[1]
    of_case = np.zeros(case_count, dtype=np.intp)
    of_case[case] = of_row
    if not np.array_equal(of_case[case], of_row):
        raise ValueError("A case has more than one therapist")
    told_apart_or_error(int(of_row.max()) + 1, case_count)
    return of_case


def _said(error: ValueError, rows: GrowthRows, columns: Columns, file: Path) -> Exception:
    """Say in the terms of the file what the model refused."""
    for name, values, column in (
        ("baseline", rows.baseline, columns.baseline),
        ("therapist", rows.therapist, columns.therapist),
    ):
        if f"more than one {name}" in str(error) and values is not None:
            count = _cases_with_several(rows.case, values)
            what = (
                "give every row of a case the same baseline"
                if name == "baseline"
                else "cases must lie within therapists: give every row of a case one therapist, "
                "such as the first, or leave --therapist out"
            )
            return SourceError(
                f"{file.name}, column {column!r}: {counted(count, 'case')} "
                f"{'has' if count == 1 else 'have'} more than one {name}; {what}"
            )
    return CannotLearnError(f"{file.name}: {error} A growth curve needs more scores.")


def _cases_with_several(case: NDArray[Any], values: NDArray[Any]) -> int:
    frame = pl.DataFrame({"case": case, "value": values})
    return int(frame.group_by("case").agg(pl.col("value").n_unique() > 1)["value"].sum())
