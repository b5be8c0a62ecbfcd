"""Which reasons for being stuck are planted in the simulated cases? Four, and how they show.

Simulated. Alliance, hope and support show in the scores, homework in its own table. Each reason is
drawn apart from the others, and more often for `no_change` and `decline`. Every number is chosen
unless a source (R#) stands beside it.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.demo_courses import SESSIONS_AT_MOST
from pipelines.demo_draws import Counts, Numbers, Truths, as_score, category
from pipelines.demo_kinds import KINDS

STUCK_KINDS = ("no_change", "decline")  # the kinds with more planted reasons

# Shares for the stuck kinds, and for all others; R57: alliance, homework and expectation go with
# outcome (r = .28, .26, .18).
ALLIANCE_SHARES: dict[str, tuple[float, float]] = {
    "normal": (0.36, 0.64),
    "ceiling_rater": (0.14, 0.12),  # R13: 40 of 40 may be reluctance
    "rupture_repaired": (0.12, 0.13),  # R55: a repaired rupture is not tied to outcome
    "rupture_unrepaired": (0.20, 0.05),
    "low": (0.18, 0.06),
}
HOMEWORK_SHARES: dict[str, tuple[float, float]] = {
    "does_it": (0.46, 0.78),
    "none_done": (0.34, 0.10),
    "not_assigned": (0.20, 0.12),
}
HOPE_SHARES: dict[str, tuple[float, float]] = {"steady": (0.62, 0.90), "falling": (0.38, 0.10)}
SUPPORT_SHARES: dict[str, tuple[float, float]] = {"ok": (0.60, 0.85), "unsupportive": (0.40, 0.15)}
ALLIANCE_KINDS, HOMEWORK_KINDS = tuple(ALLIANCE_SHARES), tuple(HOMEWORK_SHARES)
HOPE_KINDS, SUPPORT_KINDS = tuple(HOPE_SHARES), tuple(SUPPORT_SHARES)

HIGHEST_SRS = 40
SRS_MEAN, SRS_SD, SRS_NOISE_SD = 37.2, 0.9, 1.1  # R13: up to 36 is a concern
SRS_LOW_MEAN, SRS_LOW_SD = 31.0, 2.0
SRS_RISE, SRS_RISE_MOST = 0.1, 1.2  # points per session, in all (R14, R55: it rises slowly)
SRS_CEILING_LEAST, SRS_FULL_SHARE = 39, 0.8  # a ceiling rater gives 40 in this share, else 39
RUPTURE_FROM, RUPTURE_TO = 3, 7  # session of the drop
RUPTURE_LEAST, RUPTURE_MOST = 4, 8  # points
REPAIR_LEAST, REPAIR_MOST = 1, 3  # sessions from the drop to being back

HIGHEST_EXPECTATION = 10
EXPECTATION_MEAN, EXPECTATION_SD, EXPECTATION_NOISE_SD = 6.5, 1.2, 0.7
EXPECTATION_FALL = 0.4  # points per session where hope is falling

HIGHEST_SUPPORT = 10
SUPPORT_MEANS = np.array([7.0, 2.5])  # by support kind
SUPPORT_SD, SUPPORT_NOISE_SD = 1.3, 1.0

ASSIGNED_SHARE = np.array([0.85, 0.85, 0.08])  # by homework kind
DONE_MEAN = np.array([75.0, 12.0, 50.0])  # per cent, by homework kind
DONE_SD, DONE_STEP = 18.0, 10  # per cent
QUALITY_MEAN, QUALITY_SD, HIGHEST_QUALITY = np.array([2.8, 0.9, 2.0]), 0.8, 4


@dataclass(frozen=True, kw_only=True)
class PlantedReasons:
    """What is planted, arrays of shape (cases,); the first four are indexes into `*_KINDS`."""

    alliance: Counts
    homework: Counts
    hope: Counts
    support: Counts
    rupture_session: Counts  # meaningful for the two rupture kinds
    rupture_depth: Counts  # points, likewise
    repaired_session: Counts  # first session back; meaningful for `rupture_repaired`


@dataclass(frozen=True, kw_only=True)
class Homework:
    """What was agreed in a session for the time until the next, shape (cases, sessions)."""

    is_assigned: Truths
    done_percent: Counts  # meaningful where assigned
    quality: Counts  # meaningful where something was done


def draw_reasons(rng: np.random.Generator, kind: Counts) -> PlantedReasons:
    """Draw the planted reasons of every case, given its kind (index into `KINDS`)."""
    is_stuck = np.isin(kind, [KINDS.index(name) for name in STUCK_KINDS])

    def planted(shares: dict[str, tuple[float, float]]) -> Counts:
        stuck, others = np.array(list(shares.values())).T
        return category(rng, np.where(is_stuck[:, None], stuck, others), len(kind))

    rupture_session = rng.integers(RUPTURE_FROM, RUPTURE_TO + 1, len(kind))
    return PlantedReasons(
        alliance=planted(ALLIANCE_SHARES),
        homework=planted(HOMEWORK_SHARES),
        hope=planted(HOPE_SHARES),
        support=planted(SUPPORT_SHARES),
        rupture_session=rupture_session,
        rupture_depth=rng.integers(RUPTURE_LEAST, RUPTURE_MOST + 1, len(kind)),
        repaired_session=rupture_session + rng.integers(REPAIR_LEAST, REPAIR_MOST + 1, len(kind)),
    )


def truth_of_reasons(reasons: PlantedReasons) -> pl.DataFrame:
    """List the planted reasons, one row per case, in the order of the cases."""
    is_repaired = pl.col("alliance_kind") == "rupture_repaired"
    is_rupture = is_repaired | (pl.col("alliance_kind") == "rupture_unrepaired")
    return pl.DataFrame(
        {
            "alliance_kind": np.array(ALLIANCE_KINDS)[reasons.alliance],
            "rupture_session": reasons.rupture_session,
            "rupture_depth": reasons.rupture_depth,
            "repaired_session": reasons.repaired_session,
            "homework_kind": np.array(HOMEWORK_KINDS)[reasons.homework],
            "hope_kind": np.array(HOPE_KINDS)[reasons.hope],
            "support_kind": np.array(SUPPORT_KINDS)[reasons.support],
        }
    ).with_columns(
        pl.when(is_rupture).then(pl.col("rupture_session", "rupture_depth")),
        pl.when(is_repaired).then("repaired_session").alias("repaired_session"),
    )


def draw_srs(rng: np.random.Generator, reasons: PlantedReasons) -> Counts:
    """Draw the Session Rating Scale, shape (cases, sessions), 0 to 40, 40 is best."""
    shape = (len(reasons.alliance), SESSIONS_AT_MOST)
    session = np.arange(1, SESSIONS_AT_MOST + 1)[None, :]
    is_low = reasons.alliance == ALLIANCE_KINDS.index("low")
    own_mean = np.where(is_low, SRS_LOW_MEAN, SRS_MEAN)
    own_mean = own_mean + np.where(is_low, SRS_LOW_SD, SRS_SD) * rng.normal(size=shape[0])
    rise = np.where(is_low[:, None], 0, np.minimum(SRS_RISE * (session - 1), SRS_RISE_MOST))
    level = own_mean[:, None] + rise - _rupture(reasons, session)
    noisy = as_score(level + rng.normal(0, SRS_NOISE_SD, shape), HIGHEST_SRS)
    ceiling = SRS_CEILING_LEAST + (rng.random(shape) < SRS_FULL_SHARE)
    is_ceiling = reasons.alliance == ALLIANCE_KINDS.index("ceiling_rater")
    return np.where(is_ceiling[:, None], ceiling, noisy)


def draw_expectation(rng: np.random.Generator, reasons: PlantedReasons) -> Counts:
    """Draw the outcome expectation, shape (cases, sessions), 0 to 10, 10 is best."""
    shape = (len(reasons.hope), SESSIONS_AT_MOST)
    is_falling = reasons.hope == HOPE_KINDS.index("falling")
    own_mean = rng.normal(EXPECTATION_MEAN, EXPECTATION_SD, shape[0])
    fall = EXPECTATION_FALL * is_falling[:, None] * np.arange(SESSIONS_AT_MOST)
    noise: Numbers = rng.normal(0, EXPECTATION_NOISE_SD, shape)
    return as_score(own_mean[:, None] - fall + noise, HIGHEST_EXPECTATION)


def draw_support(rng: np.random.Generator, reasons: PlantedReasons) -> Counts:
    """Draw support from others, shape (cases, sessions), 0 to 10, 10 is best."""
    shape = (len(reasons.support), SESSIONS_AT_MOST)
    own_mean = SUPPORT_MEANS[reasons.support] + rng.normal(0, SUPPORT_SD, shape[0])
    noise: Numbers = rng.normal(0, SUPPORT_NOISE_SD, shape)
    return as_score(own_mean[:, None] + noise, HIGHEST_SUPPORT)


def draw_homework(rng: np.random.Generator, reasons: PlantedReasons) -> Homework:
    """Draw what was agreed in every session, how much of it was done, and how well."""
    shape = (len(reasons.homework), SESSIONS_AT_MOST)
    row = reasons.homework[:, None]
    done = np.clip(rng.normal(DONE_MEAN[row], DONE_SD, shape), 0, 100)
    return Homework(
        is_assigned=rng.random(shape) < ASSIGNED_SHARE[row],
        done_percent=(np.rint(done / DONE_STEP) * DONE_STEP).astype(np.int64),
        quality=as_score(rng.normal(QUALITY_MEAN[row], QUALITY_SD, shape), HIGHEST_QUALITY),
    )


def _rupture(reasons: PlantedReasons, session: Counts) -> Numbers:
    """Return by how many points the alliance is down at every session, shape (cases, sessions)."""
    is_repaired = reasons.alliance == ALLIANCE_KINDS.index("rupture_repaired")
    is_rupture = is_repaired | (reasons.alliance == ALLIANCE_KINDS.index("rupture_unrepaired"))
    is_down = is_rupture[:, None] & (session >= reasons.rupture_session[:, None])
    is_back = is_repaired[:, None] & (session >= reasons.repaired_session[:, None])
    return np.where(is_down & ~is_back, reasons.rupture_depth[:, None], 0).astype(np.float64)
