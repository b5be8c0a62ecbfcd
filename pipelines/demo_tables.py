"""Which tables does the simulated practice send? Therapists, cases, sessions, scores and homework.

Simulated. All columns are text, as in a CSV file, and null where empty. Every number is chosen.
"""

import numpy as np
import polars as pl

from pipelines.demo_calendar import END_REASONS, Calendar
from pipelines.demo_courses import TrueCourses
from pipelines.demo_draws import Counts, category
from pipelines.demo_reasons import Homework
from pipelines.demo_scores import MEASURES

CASES_PER_THERAPIST = 22  # over two years; more than a quarter of them are open at the end
THERAPISTS_PER_SUPERVISOR = 6
SITES, SITE_SHARES = ("north", "south", "river"), (0.45, 0.35, 0.20)  # of the therapists
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
AGE_SHARES = (0.17, 0.28, 0.23, 0.17, 0.10, 0.05)
SEXES, SEX_SHARES = ("f", "m", "x"), (0.64, 0.33, 0.03)
ETHNICITIES = ("A", "B", "C", "D", "E", None)  # coarse codes without a key; None: not asked
ETHNICITY_SHARES = (0.70, 0.10, 0.08, 0.04, 0.03, 0.05)


def ids(column: str, prefix: str, count: int, digits: int) -> pl.Series:
    """Return `count` identifiers, numbered from 1 with at least so many digits."""
    number = pl.int_range(1, count + 1).cast(pl.String)
    filled = number.str.zfill(max(digits, len(str(count))))
    return pl.select((pl.lit(prefix) + filled).alias(column)).to_series()


def site_of_therapists(cases: int) -> Counts:
    """Return the site (index into `SITES`) of every therapist a practice of this size has."""
    therapists = np.rint(cases / CASES_PER_THERAPIST * np.array(SITE_SHARES))
    return np.repeat(np.arange(len(SITES)), np.maximum(therapists, 1).astype(np.int64))


def therapists_table(site_of_therapist: Counts) -> pl.DataFrame:
    """List the therapists; the therapists of one supervisor work at one site."""
    therapists_in_site = np.bincount(site_of_therapist)
    supervisors_in_site = np.maximum(np.rint(therapists_in_site / THERAPISTS_PER_SUPERVISOR), 1)
    before_site = np.cumsum(supervisors_in_site) - supervisors_in_site
    place = np.concatenate([np.arange(count) for count in therapists_in_site])
    supervisor = before_site[site_of_therapist] + place % supervisors_in_site[site_of_therapist]
    return pl.DataFrame(
        {
            "therapist_id": ids("therapist_id", "T-", len(site_of_therapist), 3),
            "site_id": np.array(SITES)[site_of_therapist],
            "supervisor_id": (supervisor + 1).astype(np.int64),
        }
    ).with_columns(pl.format("S-{}", "supervisor_id").alias("supervisor_id"))


def cases_table(
    rng: np.random.Generator, calendar: Calendar, courses: TrueCourses, people: pl.DataFrame
) -> pl.DataFrame:
    """List the cases; `people` has case_id, site_id and therapist_id, one row per case."""
    ethnicity = category(rng, ETHNICITY_SHARES, people.height)
    drawn = pl.DataFrame(
        {
            "practice_day_start": calendar.start,
            "referral_day": calendar.referral_day,
            "end_day": calendar.end_day,
            "end_reason": np.array(END_REASONS)[calendar.end_reason],
            "planned_sessions": calendar.planned,
            "problem_code": np.where(courses.is_anxiety, "anxiety", "depression"),
            "age_band": np.array(AGE_BANDS)[category(rng, AGE_SHARES, people.height)],
            "sex": np.array(SEXES)[category(rng, SEX_SHARES, people.height)],
            "ethnicity": pl.Series(ETHNICITIES).gather(ethnicity),
        }
    ).with_columns(pl.when(pl.Series(~calendar.is_open)).then(pl.col("end_day", "end_reason")))
    known = people.select("case_id", "site_id", "therapist_id")
    return pl.concat([known, drawn], how="horizontal").cast(pl.String)


def sessions_table(calendar: Calendar, people: pl.DataFrame) -> pl.DataFrame:
    """List the sessions offered, attended or missed."""
    case, column = np.nonzero(calendar.is_offered)
    day = calendar.day[case, column]
    return pl.DataFrame(
        {
            "case_id": people["case_id"].gather(case),
            "session": column + 1,
            "day": day,
            "practice_day": calendar.start[case] + day,
            "therapist_id": people["therapist_id"].gather(case),
            "attended": np.where(calendar.is_attended[case, column], "yes", "no"),
        }
    ).cast(pl.String)


def scores_table(scores: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """List the scores drawn by `demo_scores.draw_scores` as the practice sends them."""
    measures, subscales = zip(*MEASURES, strict=True)
    return scores.select(
        people["case_id"].gather(scores["case"]),
        pl.col("session", "day", "practice_day").cast(pl.String),
        pl.Series("measure", measures).gather(scores["position"]),
        pl.Series("subscale", subscales).gather(scores["position"]),
        pl.lit("client").alias("rater"),
        pl.col("value").cast(pl.String),
    )


def homework_table(homework: Homework, calendar: Calendar, people: pl.DataFrame) -> pl.DataFrame:
    """List what was agreed in every attended session.

    What became of it is told at the next attended session, so it is empty for the last one.
    """
    case, column = np.nonzero(calendar.is_attended)
    is_last = np.append(case[1:] != case[:-1], True)
    is_assigned = homework.is_assigned[case, column]
    done_percent = homework.done_percent[case, column]
    is_told = is_assigned & ~is_last
    return (
        pl.DataFrame(
            {
                "case_id": people["case_id"].gather(case),
                "session": column + 1,
                "assigned": np.where(is_assigned, "yes", "no"),
                "done_percent": done_percent,
                "quality": homework.quality[case, column],
            }
        )
        .with_columns(
            pl.when(pl.Series(is_told)).then("done_percent"),
            pl.when(pl.Series(is_told & (done_percent > 0))).then("quality"),
        )
        .cast(pl.String)
    )
