"""What does the simulated practice measure, and what is missing? Scores from true levels.

Simulated. An observed score is the true level plus noise, in whole points within the range of its
measure. Every number is chosen unless a source stands beside it.
"""

import numpy as np
import polars as pl

from pipelines.demo_calendar import Calendar
from pipelines.demo_courses import HIGHEST_GAD7, HIGHEST_PHQ9, TrueCourses
from pipelines.demo_draws import Counts, Truths, as_score
from pipelines.demo_kinds import KINDS
from pipelines.demo_reasons import PlantedReasons, draw_expectation, draw_srs, draw_support

RESIDUAL_SD_PHQ9 = 2.4  # generate_sessions.py
RESIDUAL_SD_GAD7 = 2.0  # about SD 4.7 and retest .83 of the measure (measures.csv, recalled there)
RESIDUAL_CORRELATION = 0.5  # of PHQ-9 and GAD-7 in one session

GAD7_SHARE_OTHERS = 0.60  # of the cases without an anxiety problem; all with one are measured

FORM_MISSING_SHARE, FORM_MISSING_SHARE_DECLINE = 0.09, 0.20
FIRST_FORM_MISSING_SHARE = 0.03
ONE_SCALE_MISSING_SHARE = 0.02  # GAD-7 left out of a form that was handed in
RATING_MISSING_SHARE = 0.08  # session rating or expectation
SESSIONS_BETWEEN_EXPECTATIONS = 2
SESSIONS_BETWEEN_SUPPORT = 3

# Item 9 of the PHQ-9: logistic in the total, with a tendency of the case; thresholds for 1, 2 and 3
ITEM_9_AT_NO_SCORE, ITEM_9_PER_POINT, ITEM_9_CASE_SD = -6.0, 0.17, 1.2
ITEM_9_THRESHOLDS = (0.0, 1.4, 2.6)

MEASURES = (  # in the order in which a session's rows are sent
    ("PHQ-9", "total"),
    ("PHQ-9", "item_9"),
    ("GAD-7", "total"),
    ("SRS", "total"),
    ("EXPECTATION", "total"),
    ("SUPPORT", "total"),  # sent behind the others: `draw_support_scores`
)


def draw_scores(
    rng: np.random.Generator, courses: TrueCourses, calendar: Calendar, reasons: PlantedReasons
) -> tuple[pl.DataFrame, Truths]:
    """Draw every score that the practice sends, and which cases are given the GAD-7.

    Returns
    -------
    One row per case, session, measure and subscale: case (row of the case), session, day,
    practice_day, value and position (in `MEASURES`), all whole numbers, sorted; and which cases
    are given the GAD-7, shape (cases,).
    """
    shape = courses.phq9.shape
    noise, other = rng.normal(size=(2, *shape))
    own = np.sqrt(1 - RESIDUAL_CORRELATION**2)
    noise_gad7 = RESIDUAL_CORRELATION * noise + own * other
    phq9 = as_score(courses.phq9 + RESIDUAL_SD_PHQ9 * noise, HIGHEST_PHQ9)
    gad7 = as_score(courses.gad7 + RESIDUAL_SD_GAD7 * noise_gad7, HIGHEST_GAD7)

    has_gad7 = courses.is_anxiety | (rng.random(shape[0]) < GAD7_SHARE_OTHERS)
    has_form = calendar.is_attended & ~_missing_form(rng, courses.kind, shape)
    has_gad7_form = has_form & has_gad7[:, None] & (rng.random(shape) >= ONE_SCALE_MISSING_SHARE)
    has_srs = calendar.is_attended & (rng.random(shape) >= RATING_MISSING_SHARE)
    has_expectation = calendar.is_attended & (rng.random(shape) >= RATING_MISSING_SHARE)
    is_asked = np.arange(shape[1]) % SESSIONS_BETWEEN_EXPECTATIONS == 0
    drawn = (
        (phq9, has_form),
        (_item_9(rng, phq9), has_form),
        (gad7, has_gad7_form),
        (draw_srs(rng, reasons), has_srs),
        (draw_expectation(rng, reasons), has_expectation & is_asked),
    )
    scores = pl.concat(
        [
            _rows(calendar, value, present).with_columns(pl.lit(position).alias("position"))
            for position, (value, present) in enumerate(drawn)
        ]
    )
    return scores.sort("case", "session", "position"), has_gad7


def draw_support_scores(
    rng: np.random.Generator, calendar: Calendar, reasons: PlantedReasons
) -> pl.DataFrame:
    """Draw the ratings of support, rows as of `draw_scores`.

    They have a generator of their own, so that all else is the same bytes as without them.
    """
    shape = calendar.is_attended.shape
    has_rating = calendar.is_attended & (rng.random(shape) >= RATING_MISSING_SHARE)
    is_asked = np.arange(shape[1]) % SESSIONS_BETWEEN_SUPPORT == 0
    rows = _rows(calendar, draw_support(rng, reasons), has_rating & is_asked)
    position = MEASURES.index(("SUPPORT", "total"))
    return rows.with_columns(pl.lit(position).alias("position")).sort("case", "session")


def _rows(calendar: Calendar, value: Counts, present: Truths) -> pl.DataFrame:
    case, column = np.nonzero(present)
    day = calendar.day[case, column]
    return pl.DataFrame(
        {
            "case": case,
            "session": column + 1,
            "day": day,
            "practice_day": calendar.start[case] + day,
            "value": value[case, column],
        }
    )


def _missing_form(rng: np.random.Generator, kind: Counts, shape: tuple[int, ...]) -> Truths:
    is_decline = kind == KINDS.index("decline")
    share = np.where(is_decline, FORM_MISSING_SHARE_DECLINE, FORM_MISSING_SHARE)
    shares = np.broadcast_to(share[:, None], shape).copy()
    shares[:, 0] = FIRST_FORM_MISSING_SHARE
    return rng.random(shape) < shares


def _item_9(rng: np.random.Generator, phq9: Counts) -> Counts:
    """Draw item 9 (0 to 3, mostly 0), likelier at a high total and never above it."""
    tendency = rng.normal(0, ITEM_9_CASE_SD, len(phq9))[:, None]
    latent = ITEM_9_AT_NO_SCORE + ITEM_9_PER_POINT * phq9 + tendency + rng.logistic(size=phq9.shape)
    answer = (latent[..., None] > np.array(ITEM_9_THRESHOLDS)).sum(axis=-1)
    limited: Counts = np.minimum(answer, phq9)
    return limited
