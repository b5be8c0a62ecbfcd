"""The ceiling of the outlook's benchmark: an oracle that knows the generator's own numbers."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from models.backtest import backtest
from models.flag_shares import at_share_flagged
from models.landmarks import Landmark
from pipelines.demo_practice import simulate_practice

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
OCCASION = 6
OUTCOME = "clinical_without_gain"
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def oracle() -> ModuleType:
    """Load the benchmark, which is in no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import generator_oracle
    return generator_oracle


@pytest.fixture(scope="module")
def seen(oracle: ModuleType) -> Any:
    return oracle.seen_of(simulate_practice(cases=1_200, seed=77, dirty_rows=False))


def foretold(oracle: ModuleType, seen: Any, **knowing: Any) -> Any:
    return oracle.foretell(
        seen,
        seen.session_of(OCCASION),
        draws=60_000,
        batch=60_000,
        seed=1,
        reliable_change=6.0,
        cutoff=10.0,
        **knowing,
    )


def asked(oracle: ModuleType, seen: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who is asked for the primary outcome, and who ended so."""
    limit = oracle.bad_from(seen.baseline, reliable_change=6.0, cutoff=10.0)[OUTCOME]
    return (seen.session_of(OCCASION) >= 0) & (seen.baseline >= 10.0), seen.last >= limit


def test_of_cases_the_oracle_gives_a_chance_so_many_end_badly(
    oracle: ModuleType, seen: Any
) -> None:
    rows, is_bad = asked(oracle, seen)
    chance, bad = foretold(oracle, seen).bad[OUTCOME][rows], is_bad[rows]
    for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 1.01), (0.0, 1.01)):
        inside = (chance >= low) & (chance < high)
        expected = chance[inside].sum()
        error = np.sqrt((chance[inside] * (1 - chance[inside])).sum())
        assert inside.sum() > 20
        assert abs(bad[inside].sum() - expected) < 3 * error


def test_who_knows_the_true_levels_ranks_better_and_who_knows_two_scores_worse(
    oracle: ModuleType, seen: Any
) -> None:
    rows, is_bad = asked(oracle, seen)
    column = seen.session_of(OCCASION)
    at_landmark = seen.phq9[np.arange(len(column)), column]
    best = roc_auc_score(is_bad[rows], foretold(oracle, seen, level_sd=0.5).bad[OUTCOME][rows])
    ceiling = roc_auc_score(is_bad[rows], foretold(oracle, seen).bad[OUTCOME][rows])
    score = at_landmark - seen.baseline
    assert best > ceiling > roc_auc_score(is_bad[rows], score[rows])


def test_what_comes_after_the_landmark_changes_nothing_the_oracle_says(
    oracle: ModuleType, seen: Any
) -> None:
    """But that the case has three later scores: shuffle their values among cases."""
    column = seen.session_of(OCCASION)
    later = np.arange(seen.phq9.shape[1])[None, :] > column[:, None]
    scored = later & ~np.isnan(seen.phq9)
    shuffled = seen.phq9.copy()
    shuffled[scored] = np.random.default_rng(1).permutation(shuffled[scored])
    other = replace(seen, phq9=shuffled)
    assert (other.session_of(OCCASION) == column).all()
    before, after = foretold(oracle, seen), foretold(oracle, other)
    np.testing.assert_array_equal(before.bad[OUTCOME], after.bad[OUTCOME])


def test_scores_are_as_likely_as_rounding_and_clipping_make_them(oracle: ModuleType) -> None:
    score, level = np.arange(28.0)[:, None], np.array([[0.5], [4.0], [13.2], [26.0]])
    upper = np.where(score == 27, np.inf, score + 0.5)
    lower = np.where(score == 0, -np.inf, score - 0.5)
    exact = ndtr((upper - level.T) / 2.4) - ndtr((lower - level.T) / 2.4)
    found = oracle._clipped_normal(score, level, 2.4, 27)
    near = np.abs(score - level.T) < 8
    constant = found[near] - np.log(exact[near])
    assert np.ptp(constant) < 0.02


def test_alliance_ratings_speak_for_stuck_kinds_only_where_they_are_low_or_fall(
    oracle: ModuleType, seen: Any
) -> None:
    column = np.full(len(seen.planned), 5)
    flat = replace(seen, srs=np.full_like(seen.srs, 37.0))
    low = replace(seen, srs=np.full_like(seen.srs, 30.0))
    none = replace(seen, srs=np.full_like(seen.srs, np.nan))
    evidence = oracle._srs_stuck_evidence
    assert evidence(flat, column)[0] < 0 < evidence(low, column)[0]
    assert evidence(low, column)[0] == pytest.approx(np.log(0.18 / 0.06), abs=0.1)
    assert evidence(none, column)[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.reliability
def test_the_outlook_reaches_nearly_what_knowing_the_generator_would(oracle: ModuleType) -> None:
    """The whole measurement: benchmarks/outlook_truth.py; this is a small part of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        from past_practices import simulated
    practice = simulate_practice(cases=2_500, seed=78, dirty_rows=False)
    seen = oracle.seen_of(practice)
    rows, is_bad = asked(oracle, seen)
    ceiling = foretold(oracle, seen).bad[OUTCOME]
    found = backtest(
        simulated(practice),
        landmarks=[Landmark(kind="occasion", at=OCCASION)],
        rules=["outlook"],
        repeats=1,
        resamples=0,
        split="cross_validation",
    )
    said = found.predictions.filter(pl.col("is_bad").is_not_null())
    number = {name: row for row, name in enumerate(practice.cases["case_id"])}
    row = said["case_id"].replace_strict(number, return_dtype=pl.Int64).to_numpy()
    assert sorted(row.tolist()) == np.flatnonzero(rows).tolist()  # both are asked about the same
    bad, best = is_bad[row], ceiling[row]
    assert (bad == said["is_bad"].to_numpy()).all()
    reached = roc_auc_score(bad, said["score"].to_numpy()) / roc_auc_score(bad, best)
    sensitivity = [
        at_share_flagged(bad, score, [0.3])[0].sensitivity
        for score in (said["score"].to_numpy(), best)
    ]
    assert reached >= 0.95
    assert sensitivity[0] / sensitivity[1] >= 0.95
