"""Which growth curve fits these courses, by which time, with therapists, with correlated residuals?

The front door of `mixed_model` for scores at numbered sessions: statistics in, estimates out. The
same statistics serve any number of curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.case_sums import CannotLearnError
from models.course_rows import MOST_SESSIONS, Numbers
from models.cross_products import CrossProducts, cross_products
from models.curve_sums import Floats, Method
from models.mixed_model import MixedModelFit, fit_curve
from models.serial_correlation import CurveSumsOfDesigns

DEAR = 300_000
"""Numbers in the statistics from which on another serial correlation costs much."""


def log_time() -> Floats:
    """Return log(1 + session) for sessions 0 to 63 (64,).

    Examples
    --------
    >>> log_time()[[0, 1, 7, 63]].round(2).tolist()
    [0.0, 0.69, 2.08, 4.16]
    """
    return np.log1p(np.arange(MOST_SESSIONS, dtype=np.float64))


def fit_growth_curve(
    products: CrossProducts,
    time_of_session: Floats | None = None,
    *,
    method: Method = "reml",
    therapists: bool = False,
    is_serial: bool = False,
) -> MixedModelFit:
    """Fit a growth curve.

    Parameters
    ----------
    time_of_session
        (64,): the function of time at sessions 0 to 63; the session itself if None.
    therapists
        Add an intercept for each therapist.
    is_serial
        Let residuals of one case be correlated by rho^|difference of sessions|.

    Raises
    ------
    ValueError
        If there are no more scores than fixed effects.
    CannotLearnError
        If the scores have no spread, or cannot carry what is asked for.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> case, session = np.repeat(np.arange(300), 6), np.tile(np.arange(6), 300)
    >>> intake = random.integers(5, 28, 300)[case]
    >>> score = intake - 3 * np.log1p(session) + random.normal(0, 3, 300)[case]
    >>> score = np.rint(score + random.normal(0, 2, 1800))
    >>> fit = fit_growth_curve(cross_products(case, session, score, intake), log_time())
    >>> fit.coefficients.round(0).tolist(), round(fit.residual_sd)
    ([-1.0, -2.0, 1.0, -0.0], 2)
    """
    time = time_of_session
    if time is None:
        time = np.arange(MOST_SESSIONS, dtype=np.float64)
    clustered_or_error(products.case_count, products.score_count)
    if therapists:
        ids = products.therapist_ids
        told_apart_or_error(0 if ids is None else len(ids), products.case_count)
    sums = CurveSumsOfDesigns(products, time, therapists=therapists)
    if is_serial and sums.effects < 2:
        raise CannotLearnError(
            "Correlated residuals cannot be told from a line of each case's own: too few cases "
            "have three or more scores. Fit without serial correlation."
        )
    return fit_curve(
        sums if is_serial else sums(0.0), sums.effects, method=method, is_serial=is_serial,
        is_dear=sums.size > DEAR,
    )  # fmt: skip


def clustered_or_error(case_count: int, score_count: int) -> None:
    """Raise CannotLearnError where cases cannot be told from their scores.

    Raises
    ------
    CannotLearnError
        If there is one case, or no case has two scores.

    Examples
    --------
    >>> clustered_or_error(2, 3)
    >>> clustered_or_error(40, 40)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    models.case_sums.CannotLearnError: Every one of the 40 cases has one score: ...
    """
    if case_count < 2:
        raise CannotLearnError(
            "There is one case: how cases differ needs two or more. Fit an ordinary line instead."
        )
    if score_count == case_count:
        raise CannotLearnError(
            f"Every one of the {case_count} cases has one score: a course needs two scores, a "
            "slope of one's own three. Is the case's column right?"
        )


def told_apart_or_error(therapist_count: int, case_count: int) -> None:
    """Raise CannotLearnError where therapists cannot be told from their cases.

    Raises
    ------
    CannotLearnError
        If there are fewer than two therapists, or each has one case.

    Examples
    --------
    >>> told_apart_or_error(2, 3)
    >>> told_apart_or_error(1, 40)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    models.case_sums.CannotLearnError: 1 therapist for 40 cases: ...
    """
    if therapist_count < 2 or therapist_count == case_count:
        raise CannotLearnError(
            f"{therapist_count} therapist{'s' * (therapist_count != 1)} for {case_count} "
            f"case{'s' * (case_count != 1)}: how much therapists differ "
            "needs two or more of them, and some with more than one case. Leave the therapist out."
        )


def cross_products_by(
    group: Numbers, case: Numbers, session: Numbers, score: Numbers, baseline: Numbers
) -> dict[Any, CrossProducts]:
    """Add up the courses of each group, such as a measure, from one scan of all rows.

    Parameters
    ----------
    group
        The group of each row, numbers or text; the other arguments: see `course_rows`. A case may
        have rows in several groups, with a baseline in each.

    Raises
    ------
    NotOnAGridError, ValueError
        As `course_rows` does, for any of the groups.

    Examples
    --------
    >>> sums = cross_products_by(
    ...     np.array(["phq9", "gad7", "phq9"]), case=np.array([1, 1, 1]),
    ...     session=np.array([0, 0, 1]), score=np.array([9, 6, 7]), baseline=np.array([12, 8, 12]))
    >>> {measure: each.score_count for measure, each in sums.items()}
    {'gad7': 1, 'phq9': 2}
    """
    ids, code = np.unique(group, return_inverse=True)
    order = np.argsort(code.astype(np.uint16 if len(ids) < 1 << 16 else np.intp), kind="stable")
    ends = np.cumsum(np.bincount(code))
    return {
        one.item(): cross_products(*(
            values[order[first:last]] for values in (case, session, score, baseline)
        ))
        for one, first, last in zip(ids, [0, *ends[:-1]], ends, strict=True)
    }  # fmt: skip


def fit_many(
    products: Mapping[Any, CrossProducts],
    time_of_session: Floats | None = None,
    *,
    method: Method = "reml",
) -> dict[Any, MixedModelFit | str]:
    """Fit one curve for each group; where that is impossible, say why.

    Parameters
    ----------
    products
        The statistics of each group, from `cross_products_by`.
    time_of_session
        (64,): see `fit_growth_curve`.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> case, session = np.repeat(np.arange(60), 4), np.tile(np.arange(4), 60)
    >>> score = random.integers(0, 20, 60)[case] - session + random.integers(-2, 3, 240)
    >>> measure = np.repeat(["phq9", "gad7"], 120)
    >>> fits = fit_many(cross_products_by(measure, case, session, score, 0 * case))
    >>> {name: round(float(fit.coefficients[1])) for name, fit in fits.items()}
    {'gad7': -1, 'phq9': -1}
    """
    fits: dict[Any, MixedModelFit | str] = {}
    for name, each in products.items():
        try:
            fits[name] = fit_growth_curve(each, time_of_session, method=method)
        except (CannotLearnError, ValueError) as error:
            fits[name] = str(error)
    return fits
