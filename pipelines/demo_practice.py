"""What would a practice send if we knew the truth about every case? A simulated practice.

No row comes from a person. It serves `unstuck demo`, the documentation, the tests and the
benchmarks. What kinds of course there are and what they promise: `demo_kinds`; true levels:
`demo_courses`; days: `demo_calendar`; planted reasons: `demo_reasons`; measurement: `demo_scores`;
tables: `demo_tables`; broken lines: `demo_dirty_rows`. The same seed gives the same bytes
(for one version of numpy, which may change how it draws).
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.demo_calendar import Calendar, draw_calendar
from pipelines.demo_courses import TrueCourses, draw_true_courses, truth_of_courses
from pipelines.demo_dirty_rows import DIRTY_SCORES, DIRTY_SESSIONS, soil
from pipelines.demo_reasons import draw_homework, draw_reasons, truth_of_reasons
from pipelines.demo_scores import draw_scores, draw_support_scores
from pipelines.demo_tables import (
    SITES,
    cases_table,
    homework_table,
    ids,
    scores_table,
    sessions_table,
    site_of_therapists,
    therapists_table,
)

_SUPPORT = 1  # a generator beside that of the seed, for what was added later


@dataclass(frozen=True, kw_only=True)
class Practice:
    """A simulated practice: six tables as sent (text columns, null where empty) and the truth."""

    sites: pl.DataFrame
    therapists: pl.DataFrame
    cases: pl.DataFrame
    sessions: pl.DataFrame
    scores: pl.DataFrame
    homework: pl.DataFrame
    truth: pl.DataFrame  # one row per case; gains as promised in `demo_kinds`, planted reasons
    truth_by_session: pl.DataFrame  # one row per session sent: case_id, session, true levels
    dirty_counts: dict[str, int]  # broken lines added, by table and kind: "scores.blank_line"

    def sent(self) -> dict[str, pl.DataFrame]:
        """Return the six tables that the practice sends, by name."""
        return {
            "sites": self.sites,
            "therapists": self.therapists,
            "cases": self.cases,
            "sessions": self.sessions,
            "scores": self.scores,
            "homework": self.homework,
        }


def simulate_practice(*, cases: int, seed: int, dirty_rows: bool = True) -> Practice:
    """Simulate a practice that has run for two years and exports its tables on its last day.

    Parameters
    ----------
    cases
        Courses of care begun within the two years, open or ended; at least 1. They are drawn
        alike and numbered afterwards, so that a case's number says nothing about it.
    seed
        The only source of randomness.
    dirty_rows
        Whether broken lines are added to sessions and scores; all other lines are the same.

    Raises
    ------
    ValueError
        If `cases` is less than 1.
    """
    if cases < 1:
        message = f"a simulated practice needs at least 1 case, not {cases}"
        raise ValueError(message)
    rng = np.random.default_rng(seed)
    site_of_therapist = site_of_therapists(cases)
    therapists = therapists_table(site_of_therapist)
    therapist = rng.integers(0, therapists.height, cases)
    case_ids = ids("case_id", "C-", cases, 5)
    people = therapists[therapist.tolist()].with_columns(case_ids)

    courses = draw_true_courses(rng, therapist=therapist, site_of_therapist=site_of_therapist)
    calendar = draw_calendar(rng, courses.kind)
    reasons = draw_reasons(rng, courses.kind)
    drawn_scores, has_gad7 = draw_scores(rng, courses, calendar, reasons)
    homework = draw_homework(rng, reasons)
    sent_cases = cases_table(rng, calendar, courses, people)
    sessions, scores = sessions_table(calendar, people), scores_table(drawn_scores, people)
    dirty_counts: dict[str, int] = {}
    if dirty_rows:
        scores, in_scores = soil(rng, scores, DIRTY_SCORES)
        sessions, in_sessions = soil(rng, sessions, DIRTY_SESSIONS)
        dirty_counts |= {f"scores.{kind}": count for kind, count in in_scores.items()}
        dirty_counts |= {f"sessions.{kind}": count for kind, count in in_sessions.items()}
    support = draw_support_scores(np.random.default_rng([seed, _SUPPORT]), calendar, reasons)
    truth = pl.concat([truth_of_courses(courses), truth_of_reasons(reasons)], how="horizontal")
    return Practice(
        sites=pl.DataFrame({"site_id": SITES}),
        therapists=therapists,
        cases=sent_cases,
        sessions=sessions,
        scores=pl.concat([scores, scores_table(support, people)]),
        homework=homework_table(homework, calendar, people),
        truth=truth.select(case_ids, pl.all(), pl.Series("has_gad7", has_gad7)),
        truth_by_session=_truth_by_session(calendar, courses, case_ids),
        dirty_counts=dirty_counts,
    )


def write_practice(practice: Practice, folder: Path, *, truth_path: Path | None = None) -> None:
    """Write what the practice sends and its mapping into a folder, and the truth elsewhere.

    Parameters
    ----------
    folder
        Gets six CSV files (utf-8, comma) and `mapping.toml`; created if missing.
    truth_path
        Parquet file of the truth by case; the truth by session goes beside it, with
        `_by_session` at the end of its stem. None: the truth is not written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in practice.sent().items():
        text = re.sub(r"(?m)^,+$", "", table.write_csv())  # a row of nulls is a blank line
        (folder / f"{name}.csv").write_bytes(text.encode())
    mapping = files("pipelines") / "demo_mapping.toml"
    (folder / "mapping.toml").write_bytes(mapping.read_bytes())
    if truth_path is not None:
        truth_path.parent.mkdir(parents=True, exist_ok=True)
        practice.truth.write_parquet(truth_path)
        by_session = truth_path.with_stem(f"{truth_path.stem}_by_session")
        practice.truth_by_session.write_parquet(by_session)


def _truth_by_session(
    calendar: Calendar, courses: TrueCourses, case_ids: pl.Series
) -> pl.DataFrame:
    case, column = np.nonzero(calendar.is_offered)
    return pl.DataFrame(
        {
            "case_id": case_ids.gather(case),
            "session": column + 1,
            "true_phq9": courses.phq9[case, column],
            "true_gad7": courses.gad7[case, column],
        }
    )
