"""What could be foretold of a simulated case if the generator and its numbers were known?

A Bayes oracle by importance sampling: many cases are drawn from the generator with their true
levels; each is weighted by the likelihood of what was observed of the case in question up to a
landmark, among the drawn cases that can be asked there (in care long enough, ended). The mean of
the weighted outcomes is the probability of the outcome; nobody who sees no more can rank better.
Seen are: scores of PHQ-9 and GAD-7, attendance and missing forms, planned sessions, the problem,
and alliance ratings. Not used: therapist and site (6 % of the variance of prognosis).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import demo_reasons as reasons
from pipelines import demo_scores as scoring
from pipelines.demo_calendar import MISSED_SHARE, MISSED_SHARE_LEAVING, draw_calendar
from pipelines.demo_courses import HIGHEST_GAD7, HIGHEST_PHQ9, SESSIONS_AT_MOST, draw_true_courses
from pipelines.demo_kinds import KINDS
from pipelines.demo_practice import Practice
from pipelines.demo_tables import site_of_therapists

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]

LATER_SCORES = 3
"""Later scores that a landmark needs, as for every rule (accuracy_goals.md)."""
DECLINE, DROP_OUT = KINDS.index("decline"), KINDS.index("drop_out")
STUCK = [KINDS.index(name) for name in reasons.STUCK_KINDS]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a practice sees of its cases; (n, sessions), nan where there is no score."""

    planned: Ints
    is_anxiety: Truths
    is_ended: Truths
    is_offered: Truths
    is_attended: Truths
    phq9: Floats
    gad7: Floats
    srs: Floats
    true_phq9: Floats

    def session_of(self, occasion: int) -> Ints:
        """Return the column of the k-th score after the baseline; -1 where it may not be asked.

        Asked are ended cases whose first score is of the first two sessions attended, with at
        least three scores later than this one.
        """
        has = ~np.isnan(self.phq9)
        count = has.cumsum(axis=1)
        first = has.argmax(axis=1)
        rows = np.arange(len(has))
        early = self.is_attended.cumsum(axis=1)[rows, first] <= 2
        may = self.is_ended & early & (count[:, -1] >= occasion + 1 + LATER_SCORES)
        column = (count >= occasion + 1).argmax(axis=1)
        return np.where(may, column, -1)

    @property
    def baseline(self) -> Floats:
        """The first score of each case, (n,)."""
        return _first(self.phq9)

    @property
    def last(self) -> Floats:
        """The last score of each case, (n,)."""
        return _first(self.phq9[:, ::-1])


def _first(scores: Floats) -> Floats:
    has = ~np.isnan(scores)
    return scores[np.arange(len(scores)), has.argmax(axis=1)]


def seen_of(practice: Practice) -> Seen:
    """Arrange what a simulated practice sends by case and session."""
    number = {name: row for row, name in enumerate(practice.cases["case_id"])}

    def grid(measure: str) -> Floats:
        rows = practice.scores.filter(
            (practice.scores["measure"] == measure) & (practice.scores["subscale"] == "total")
        )
        values = np.full((len(number), SESSIONS_AT_MOST), np.nan)
        case = rows["case_id"].replace_strict(number).to_numpy()
        values[case, rows["session"].cast(int).to_numpy() - 1] = rows["value"].cast(float)
        return values

    offered = np.zeros((len(number), SESSIONS_AT_MOST), dtype=bool)
    attended, true = offered.copy(), np.full(offered.shape, np.nan)
    case = practice.sessions["case_id"].replace_strict(number).to_numpy()
    column = practice.sessions["session"].cast(int).to_numpy() - 1
    offered[case, column] = True
    attended[case, column] = (practice.sessions["attended"] == "yes").to_numpy()
    truth = practice.truth_by_session
    case = truth["case_id"].replace_strict(number).to_numpy()
    true[case, truth["session"].to_numpy() - 1] = truth["true_phq9"]
    return Seen(
        planned=practice.cases["planned_sessions"].cast(int).to_numpy(),
        is_anxiety=(practice.cases["problem_code"] == "anxiety").to_numpy(),
        is_ended=practice.cases["end_reason"].is_not_null().to_numpy(),
        is_offered=offered,
        is_attended=attended,
        phq9=grid("PHQ-9"),
        gad7=grid("GAD-7"),
        srs=grid("SRS"),
        true_phq9=true,
    )


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Cases drawn from the generator, with their truth and which forms will be there."""

    kind: Ints
    planned: Ints
    is_anxiety: Truths
    phq9: Floats  # true levels, (n, sessions)
    gad7: Floats
    has_form: Truths
    is_ended: Truths


def draw_cases(rng: np.random.Generator, cases: int) -> Drawn:
    """Draw cases with the generator's own functions; scores are left to their likelihood."""
    site_of_therapist = site_of_therapists(cases)
    therapist = rng.integers(0, len(site_of_therapist), cases)
    courses = draw_true_courses(rng, therapist=therapist, site_of_therapist=site_of_therapist)
    calendar = draw_calendar(rng, courses.kind)
    missing = np.repeat(_form_missing(courses.kind)[:, None], SESSIONS_AT_MOST, axis=1)
    missing[:, 0] = scoring.FIRST_FORM_MISSING_SHARE
    return Drawn(
        kind=courses.kind,
        planned=calendar.planned,
        is_anxiety=courses.is_anxiety,
        phq9=courses.phq9,
        gad7=courses.gad7,
        has_form=calendar.is_attended & (rng.random(missing.shape) >= missing),
        is_ended=~calendar.is_open,
    )


def _form_missing(kind: Ints) -> Floats:
    return np.where(kind == DECLINE, scoring.FORM_MISSING_SHARE_DECLINE, scoring.FORM_MISSING_SHARE)


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """Probabilities of the cases asked, and on how many drawn cases they rest."""

    bad: dict[str, Floats]
    effective: Floats  # (sum of weights)^2 / sum of squared weights


def bad_from(baseline: Floats, *, reliable_change: float, cutoff: float) -> dict[str, Floats]:
    """Return the lowest end score that is bad, by outcome, for each baseline."""
    return {
        "clinical_without_gain": np.maximum(cutoff, baseline - reliable_change + 1),
        "reliable_deterioration": baseline + reliable_change,
    }


def foretell(
    seen: Seen,
    column: Ints,
    *,
    draws: int,
    batch: int,
    seed: int,
    reliable_change: float,
    cutoff: float,
    uses_gad7: bool = True,
    uses_srs: bool = True,
    level_sd: float | None = None,
) -> Foretold:
    """Return the oracle's probabilities at each case's own landmark session.

    Parameters
    ----------
    column
        (n,) column of the landmark's score of each case; -1: not asked (nan).
    level_sd
        None: scores are seen. A number: the true PHQ-9 levels so far are seen to within so many
        points at every session, as the stronger ceiling.
    """
    asked = np.flatnonzero(column >= 0)
    limit = bad_from(seen.baseline, reliable_change=reliable_change, cutoff=cutoff)
    sums = {name: np.zeros(len(column)) for name in limit}
    weight, squared = np.zeros(len(column)), np.zeros(len(column))
    height = np.full(len(column), np.nan)
    rating = _srs_stuck_evidence(seen, column) if uses_srs else np.zeros(len(column))
    rng = np.random.default_rng(seed)
    groups: dict[tuple[int, bool, int], list[int]] = {}
    for row in asked:
        key = (int(seen.planned[row]), bool(seen.is_anxiety[row]), int(column[row]))
        groups.setdefault(key, []).append(int(row))
    for _ in range(-(-draws // batch)):
        drawn = draw_cases(rng, batch)
        forms_left = drawn.has_form[:, ::-1].cumsum(axis=1)[:, ::-1]
        last = SESSIONS_AT_MOST - 1 - drawn.has_form[:, ::-1].argmax(axis=1)
        end_level = drawn.phq9[np.arange(batch), last]
        for (planned, is_anxiety, at), rows_ in groups.items():
            rows = np.array(rows_)
            of = np.flatnonzero(
                drawn.is_ended
                & (drawn.planned == planned)
                & (drawn.is_anxiety == is_anxiety)
                & (forms_left[:, at + 1] >= LATER_SCORES)
            )
            for some in np.array_split(rows, max(1, len(rows) // 64)):
                log = _log_likelihood(
                    seen, some, at, drawn, of, uses_gad7=uses_gad7, level_sd=level_sd
                )
                log += np.outer(rating[some], np.isin(drawn.kind[of], STUCK))
                fresh = np.isnan(height[some])
                height[some[fresh]] = log[fresh].max(axis=1)
                one = np.exp(log - height[some][:, None])
                weight[some] += one.sum(axis=1)
                squared[some] += np.einsum("ij,ij->i", one, one)
                for name, least in limit.items():
                    sums[name][some] += np.einsum(
                        "ij,ij->i", one, _reaches(end_level[of], least[some])
                    )
    with np.errstate(invalid="ignore"):
        return Foretold(
            bad={name: total / weight for name, total in sums.items()},
            effective=weight**2 / squared,
        )


def _reaches(level: Floats, least: Floats) -> Floats:
    """Return P(score at least this | true level), (least, level): rounded and clipped."""
    from scipy.special import ndtr

    values, where = np.unique(least, return_inverse=True)
    table = ndtr((level[None, :] - values[:, None] + 0.5) / scoring.RESIDUAL_SD_PHQ9)
    table[values > HIGHEST_PHQ9] = 0.0
    return table[where]


def _log_likelihood(
    seen: Seen,
    rows: Ints,
    at: int,
    drawn: Drawn,
    of: Ints,
    *,
    uses_gad7: bool,
    level_sd: float | None,
) -> Floats:
    """Return log P(what was seen of each case up to column `at` | drawn case), (rows, of)."""
    until = slice(0, at + 1)
    level = drawn.phq9[of, until]
    if level_sd is not None:
        observed = seen.true_phq9[rows, until]
        log = _normal(observed, level, level_sd)
    else:
        log = _clipped_normal(seen.phq9[rows, until], level, scoring.RESIDUAL_SD_PHQ9, HIGHEST_PHQ9)
        if uses_gad7:
            log += _gad7_given_phq9(seen, rows, until, drawn, of)
    return log + _attendance(seen, rows, at, drawn.kind[of])


def _normal(observed: Floats, level: Floats, sd: float) -> Floats:
    """Return sums over sessions of -(x - m)^2 / 2 sd^2 by matrix products; nan is not seen."""
    has = (~np.isnan(observed)).astype(np.float64)
    x = np.nan_to_num(observed)
    total: Floats = (x**2 * has).sum(axis=1)[:, None] - 2 * x @ level.T + has @ (level**2).T
    return -total / (2 * sd**2)


def _clipped_normal(observed: Floats, level: Floats, sd: float, highest: int) -> Floats:
    """As `_normal` with rounding to whole points, and exact at the two ends of the scale."""
    from scipy.special import log_ndtr

    rounded = float(np.sqrt(sd**2 + 1 / 12))  # Sheppard's correction for rounding
    inside = np.where((observed <= 0) | (observed >= highest), np.nan, observed)
    log = _normal(inside, level, rounded)
    constant = np.log(rounded * np.sqrt(2 * np.pi))  # ends are probabilities of a whole point too
    for ends, edge in (
        (observed <= 0, (0.5 - level) / sd),
        (observed >= highest, (level - highest + 0.5) / sd),
    ):
        if ends.any():
            log += ends.astype(np.float64) @ (log_ndtr(edge) + constant).T
    return log


def _gad7_given_phq9(seen: Seen, rows: Ints, until: slice, drawn: Drawn, of: Ints) -> Floats:
    """Return the log likelihood of GAD-7 scores given the PHQ-9 of the same form.

    The noise of both correlates; at the ends of a scale it is taken as if it did not.
    """
    phq9, gad7 = seen.phq9[rows, until], seen.gad7[rows, until]
    level, level_gad7 = drawn.phq9[of, until], drawn.gad7[of, until]
    share = scoring.RESIDUAL_CORRELATION * scoring.RESIDUAL_SD_GAD7 / scoring.RESIDUAL_SD_PHQ9
    own = scoring.RESIDUAL_SD_GAD7 * np.sqrt(1 - scoring.RESIDUAL_CORRELATION**2)
    at_end = (phq9 <= 0) | (phq9 >= HIGHEST_PHQ9) | (gad7 <= 0) | (gad7 >= HIGHEST_GAD7)
    inside = np.where(at_end, np.nan, gad7 - share * phq9)
    log = _normal(inside, level_gad7 - share * level, float(np.sqrt(own**2 + (1 + share**2) / 12)))
    alone = np.where(at_end, gad7, np.nan)
    return log + _clipped_normal(alone, level_gad7, scoring.RESIDUAL_SD_GAD7, HIGHEST_GAD7)


def _attendance(seen: Seen, rows: Ints, at: int, kind: Ints) -> Floats:
    """Return the log likelihood of sessions missed and forms left out, (rows, kinds given)."""
    offered = seen.is_offered[rows, 1 : at + 1].sum(axis=1)
    attended = seen.is_attended[rows, 1 : at + 1].sum(axis=1)
    forms = (~np.isnan(seen.phq9[rows, 1 : at + 1])).sum(axis=1)
    leaving = np.isin(kind, [DECLINE, DROP_OUT])
    missed = np.where(leaving, MISSED_SHARE_LEAVING, MISSED_SHARE)
    blank = _form_missing(kind)
    log: Floats = (
        np.outer(offered - attended, np.log(missed))
        + np.outer(attended, np.log1p(-missed))
        + np.outer(attended - forms, np.log(blank))
        + np.outer(forms, np.log1p(-blank))
    )
    return log


def _srs_stuck_evidence(seen: Seen, column: Ints) -> Floats:
    """Return log P(alliance ratings so far | stuck kinds) - log P(... | other kinds), (n,)."""
    from scipy.special import logsumexp

    session = np.arange(SESSIONS_AT_MOST)
    ratings = np.where(session[None, :] <= column[:, None], seen.srs, np.nan)
    likelihoods = [_srs_log_likelihood(ratings, name) for name in reasons.ALLIANCE_KINDS]
    by_kind = np.column_stack(likelihoods)
    stuck, others = np.log(np.array(list(reasons.ALLIANCE_SHARES.values())).T)
    evidence: Floats = logsumexp(by_kind + stuck, axis=1) - logsumexp(by_kind + others, axis=1)
    return evidence


def _srs_log_likelihood(ratings: Floats, alliance: str) -> Floats:
    """Integrate over the case's own mean and over when, how deep and how long a rupture is."""
    from scipy.special import logsumexp, ndtr

    has = ~np.isnan(ratings)
    highest = reasons.HIGHEST_SRS
    value = np.where(has, ratings, 0).astype(np.int64)
    if alliance == "ceiling_rater":
        full, nearly = np.log(reasons.SRS_FULL_SHARE), np.log1p(-reasons.SRS_FULL_SHARE)
        one = np.where(value == highest, full, np.where(value == highest - 1, nearly, -30.0))
        return np.where(has, one, 0).sum(axis=1)
    is_low = alliance == "low"
    mean, sd = (
        (reasons.SRS_LOW_MEAN, reasons.SRS_LOW_SD) if is_low else (reasons.SRS_MEAN, reasons.SRS_SD)
    )
    z = np.linspace(-3.5, 3.5, 29)
    prior = np.log(np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum())
    session = np.arange(1, SESSIONS_AT_MOST + 1)
    rise = 0 if is_low else np.minimum(reasons.SRS_RISE * (session - 1), reasons.SRS_RISE_MOST)
    downs = [np.zeros(SESSIONS_AT_MOST)]
    if alliance.startswith("rupture"):
        repairs = range(reasons.REPAIR_LEAST, reasons.REPAIR_MOST + 1)
        lengths = list(repairs) if alliance == "rupture_repaired" else [SESSIONS_AT_MOST]
        downs = [
            depth * ((session >= begins) & (session < begins + length))
            for begins in range(reasons.RUPTURE_FROM, reasons.RUPTURE_TO + 1)
            for depth in range(reasons.RUPTURE_LEAST, reasons.RUPTURE_MOST + 1)
            for length in lengths
        ]
    points = np.arange(highest + 1)
    total = np.full(len(ratings), -np.inf)
    for down in downs:
        level = mean + sd * z[:, None] + (rise - down)[None, :]
        upper = np.where(points == highest, np.inf, points + 0.5)
        lower = np.where(points == 0, -np.inf, points - 0.5)
        chance = ndtr((upper - level[..., None]) / reasons.SRS_NOISE_SD) - ndtr(
            (lower - level[..., None]) / reasons.SRS_NOISE_SD
        )
        log = np.log(np.maximum(chance, 1e-13))  # (z, session, points)
        summed = np.zeros((len(ratings), len(z)))
        for at in range(SESSIONS_AT_MOST):
            rows = np.flatnonzero(has[:, at])
            if rows.size:
                summed[rows] += log[:, at, value[rows, at]].T
        total = np.logaddexp(total, logsumexp(summed + prior, axis=1))
    return total - np.log(len(downs))
