"""Is there still gain to come? The chance that what is still gained is too little to matter.

The expected course and the forecast follow a logarithm, which flattens whatever the client does, so
they cannot say whether a course has flattened. Here the true level moves with a slope of its own
that changes as it goes (`trend_filter`):

    level moves by slope x time, and by chance
    slope is drawn towards a long-run slope, and by chance away from it
    score = level + error, whose variance grows with the level

It does not flatten by construction: at every session the slope varies as much as at the first, so a
late case may begin to gain as well as stop. Only the mean slope may differ at the start. A Kalman
filter gives level and slope from the scores so far, the later ones never enter, and the gain still
to come up to the horizon is normal. A level that is closer to the healthy end of the scale than the
gain asked for leaves no room for it; that is counted as well.

The variances are the practice's own, by maximum likelihood of the next score and, with the same
weight, of the fourth next (a horizon is several scores away; the next one alone chose variances
that were too wide there). Tried and left: a slope that never forgets (said .56 where .77 of
simulated cases gained little, .64 where it was .92), one that only fades (as good at the start, but
it flattens by construction), and variances that grow with the level (sharper on ENRICHD, but it
said .66 where it was .45). How often its chances come true: docs/expected_course.md. To be shown,
never flagged: docs/status_rule.md has the rule.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.course_input import Cases, Floats, sign_of
from models.mixed_model import CannotLearnError
from models.trend_filter import Courses, Trend

MINIMUM_SCORES = 4
"""Baseline and three scores: two scores are a line, three a line and some error."""
FARTHEST_HORIZON = 12.0
"""In typical times between scores. Beyond it was not tried."""
LEAD = 4
MOST_CASES = 500
"""Cases the variances are learned from; 1,500 gave the same chances to .02."""
REASONS = ("computable", "too_few_scores", "horizon_too_far")
"""What the codes of `LittleGain.reason` mean."""


class NoTrendError(CannotLearnError):
    """Too few cases have enough scores to learn how levels and slopes vary."""

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(
            f"{found} cases have {MINIMUM_SCORES + 1} scores or more; the chance of little gain "
            f"needs {needed}. Until then it is not shown; nothing else depends on it."
        )


@dataclass(frozen=True, kw_only=True)
class LittleGain:
    """The chance that less than what matters is still gained, at each score."""

    chance: Floats
    """(n,) 0 to 1; NaN where it is not computable."""
    reason: NDArray[np.int8]
    """(n,) 0, or why it is not computable: a place in `REASONS`."""


def fit_trend(
    time: ArrayLike,
    y: ArrayLike,
    groups: Cases,
    *,
    minimum: float,
    maximum: float,
    higher_is: Literal["worse", "better"],
    minimum_cases: int = 50,
) -> Trend:
    """Learn how levels and slopes vary from the scores of a practice, the baseline among them.

    Parameters
    ----------
    time
        (n,) sessions or weeks since the baseline, no logarithm.
    y, groups
        (n,) scores and their cases; rows of a case together and in order of time.

    Raises
    ------
    NoTrendError
        If fewer than `minimum_cases` cases have enough scores.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> time, case = np.tile(np.arange(6.0), 60), np.repeat(np.arange(60), 6)
    >>> score = 18 - 1.5 * time + random.normal(0, 3, 60)[case] + random.normal(0, 2, 360)
    >>> trend = fit_trend(time, score, case, minimum=0, maximum=27, higher_is="worse")
    >>> bool(trend.start_slope < 0), trend.typical_gap
    (True, 1.0)
    """
    sign = sign_of(higher_is)
    healthy_end = minimum if sign > 0 else maximum
    courses = Courses.of(time, y, groups, healthy_end=healthy_end, sign=sign)
    enough = len(courses.rows[MINIMUM_SCORES]) if len(courses.rows) > MINIMUM_SCORES else 0
    if enough < max(minimum_cases, 1):
        raise NoTrendError(enough, max(minimum_cases, 1))
    courses = courses.every(-(-len(courses.rows[0]) // MOST_CASES))
    steps = np.concatenate([late - early[: len(late)] for early, late in pairwise(courses.time)])
    gap = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    scale = float(np.std(np.concatenate(courses.severity))) or 1.0

    def trend_at(searched: Floats) -> Trend:
        """Arrange what is searched, in units of the spread of scores and the typical gap."""
        logarithms = np.exp(np.clip(searched[2:], -12.0, 6.0))
        return Trend(
            start_level=float(courses.severity[0].mean()),
            start_variance=float(courses.severity[0].var()) + 1e-6 * scale**2,
            start_slope=float(searched[0]) * scale / gap,
            long_run_slope=float(searched[1]) * scale / gap,
            slope_variance=float(logarithms[0]) * (scale / gap) ** 2,
            level_variance=float(logarithms[1]) * scale**2 / gap,
            error_variance=float(logarithms[2]) * scale**2,
            error_by_level=float(logarithms[3]) * scale,
            forgetting=float(logarithms[4]) / gap,
            typical_gap=gap,
            healthy_end=healthy_end,
            sign=sign,
        )

    from scipy.optimize import minimize  # 0.4 s to import: only when a trend is learned

    first = np.concatenate([[-0.15, -0.02], np.log([0.02, 0.03, 0.1, 0.05, 0.3])])
    count = sum(len(rows) for rows in courses.rows)
    found = minimize(
        lambda searched: trend_at(searched).misfit(courses, LEAD) / count,
        first,
        method="BFGS",
        options={"gtol": 1e-4, "maxiter": 100},
    )
    return trend_at(np.asarray(found.x, dtype=np.float64))


def little_gain(
    trend: Trend,
    time: ArrayLike,
    y: ArrayLike,
    groups: Cases,
    *,
    horizon: float,
    points: float,
) -> LittleGain:
    """Return the chance that less than `points` are gained from each score to the horizon.

    Parameters
    ----------
    time, y, groups
        As for `fit`: every score of the cases from the baseline on.
    horizon
        How far ahead, in the same unit as time.
    points
        The gain that matters, in points: half a reliable change, say.

    Examples
    --------
    >>> trend = Trend(
    ...     start_level=15.0, start_variance=20.0, start_slope=-1.5, long_run_slope=0.0,
    ...     slope_variance=0.2, level_variance=0.6, error_variance=2.0, error_by_level=0.4,
    ...     forgetting=0.2, typical_gap=1.0, healthy_end=0.0, sign=1,
    ... )
    >>> sessions, case = range(6), ["c1"] * 6
    >>> flat = little_gain(trend, sessions, [19, 18, 19, 18, 18, 19], case, horizon=6, points=3)
    >>> falling = little_gain(trend, sessions, [27, 25, 22, 19, 17, 15], case, horizon=6, points=3)
    >>> bool(flat.chance[-1] > falling.chance[-1])
    True
    >>> REASONS[flat.reason[0]], REASONS[flat.reason[-1]]
    ('too_few_scores', 'computable')
    """
    from scipy.special import ndtr  # the normal distribution function

    courses = Courses.of(time, y, groups, healthy_end=trend.healthy_end, sign=trend.sign)
    rows = sum(len(here) for here in courses.rows)
    chance = np.full(rows, np.nan)
    reason = np.ones(rows, dtype=np.int8)
    for number, state in enumerate(trend.states(courses)):
        if number + 1 < MINIMUM_SCORES:
            continue
        change, variance = trend.ahead(state, np.full(len(state.level), float(horizon)))
        is_too_little = ndtr((points + change) / np.sqrt(variance))
        has_room = ndtr((state.level - points) / np.sqrt(state.level_variance))
        chance[courses.rows[number]] = 1.0 - (1.0 - is_too_little) * has_room
        reason[courses.rows[number]] = 0
    if horizon > FARTHEST_HORIZON * trend.typical_gap:
        chance[:] = np.nan
        reason[reason == 0] = 2
    return LittleGain(chance=chance, reason=reason)
