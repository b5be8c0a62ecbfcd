"""Caseload: effects given how cases began, shrunken, suppressed, and never a rank."""

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.suppression import suppression_rule
from models.caseload import REASONS, Caseload, case_effects, caseload
from models.funnel import Z_95, Z_998, funnel_limits
from models.random_intercept import TooFewGroupsError, random_intercepts
from models.severity_adjustment import OTHER, ReferenceTooSmallError, SeverityAdjustment

RULE = suppression_rule("default")  # hides up to 7

# --- Severity adjusted effect size, by hand ------------------------------------------------------


def four_kinds(**columns: Any) -> pl.DataFrame:
    """Return 60 cases: intake 10 or 20, changes 2, 4 and 8, 10."""
    first = [10.0, 10.0, 20.0, 20.0] * 15
    last = [8.0, 6.0, 12.0, 10.0] * 15
    cases = {"case_id": [f"c{place:02}" for place in range(60)], "first_score": first}
    return pl.DataFrame(cases | {"last_score": last} | columns)


def learned(cases: pl.DataFrame, **how: Any) -> SeverityAdjustment:
    given = {"name": "test", "higher_is": "worse", "cutoff": 10.0} | how
    return SeverityAdjustment.learn(cases, **given)


def test_the_effect_of_a_case_by_hand() -> None:
    reference = learned(four_kinds())
    # The line runs through (10, 3) and (20, 9); residuals are -1, +1, -1, +1; mean change 6.
    sd = sqrt(60 * 25 / 59)
    assert (reference.mean_change, reference.sd_intake) == (6.0, pytest.approx(sd))
    found = reference.effects(four_kinds()).head(4)
    assert found["change"].to_list() == [2.0, 4.0, 8.0, 10.0]
    assert found["predicted_change"].to_list() == pytest.approx([3.0, 3.0, 9.0, 9.0])
    assert found["saes"].to_list() == pytest.approx([5 / sd, 7 / sd, 5 / sd, 7 / sd])


def test_the_reference_keeps_its_numbers_when_others_are_judged() -> None:
    reference = learned(four_kinds())
    other = pl.DataFrame({"case_id": ["x"], "first_score": [15.0], "last_score": [1.0]})
    # Predicted 6 at 15; 14 points better: residual 8.
    found = reference.effects(other).row(0, named=True)
    assert found["predicted_change"] == pytest.approx(6.0)
    assert found["saes"] == pytest.approx(14 / sqrt(60 * 25 / 59))


def test_a_reference_can_be_kept_as_text() -> None:
    reference = learned(four_kinds(problem=["a"] * 30 + ["b"] * 30))
    assert SeverityAdjustment.from_json(reference.to_json()) == reference
    with pytest.raises(ValueError, match="learn it again"):
        SeverityAdjustment.from_json("[]")


def test_where_higher_is_better_the_mirror_gives_the_same_effects() -> None:
    cases = four_kinds()
    mirrored = cases.with_columns(-pl.col("first_score"), -pl.col("last_score"))
    found = learned(mirrored, higher_is="better", cutoff=-10.0).effects(mirrored)
    expected = learned(cases).effects(cases)
    np.testing.assert_allclose(found["saes"], expected["saes"], atol=1e-12)


def test_problem_and_first_session_are_adjusted_for() -> None:
    rng = np.random.default_rng(1)
    problem = rng.choice(["fear", "grief", "low mood"], 400)
    session = rng.integers(1, 4, 400).astype(float)
    first = rng.uniform(10, 27, 400)
    shift = {"fear": 0.0, "grief": 3.0, "low mood": -2.0}
    change = 2 + 0.5 * first - 1.5 * session + np.array([shift[each] for each in problem])
    cases = pl.DataFrame(
        {
            "case_id": [f"c{place}" for place in range(400)],
            "first_score": first,
            "last_score": first - change,
            "first_session": session,
            "problem": problem,
        }
    )
    # Change is an exact function of all four: no residual is left, every SAES is the mean change.
    reference = learned(cases)
    saes = reference.effects(cases)["saes"]
    np.testing.assert_allclose(saes, reference.mean_change / reference.sd_intake, atol=1e-9)


def test_rare_problems_are_taken_together() -> None:
    problems = ["common"] * 40 + ["rare"] * 9 + ["rarer"] * 5 + [None] * 6
    reference = learned(four_kinds(problem=problems))
    assert reference.problems == ("common", OTHER)
    new = four_kinds().head(1).with_columns(problem=pl.lit("never seen"))
    assert reference.effects(new)["reason"].to_list() == [None]


def test_a_case_that_cannot_be_judged_says_why_and_has_no_effect() -> None:
    reference = learned(four_kinds(first_session=[1.0, 2.0] * 30, problem=["a"] * 60))
    cases = pl.DataFrame(
        {
            "case_id": ["fine", "mild", "one", "odd", "when"],
            "first_score": [15.0, 9.0, 15.0, 15.0, 15.0],
            "last_score": [5.0, 5.0, None, 5.0, 5.0],
            "first_session": [1.0, 1.0, 1.0, 1.0, None],
            "problem": ["a", "a", "a", "b", "a"],
        }
    )
    found = reference.effects(cases)
    assert found["reason"].to_list() == [
        None, "not_clinical", "no_score", "problem_not_in_reference", "no_first_session",
    ]  # fmt: skip
    assert found["saes"].is_null().to_list() == [False, True, True, True, True]


def test_only_clinical_intakes_make_the_reference() -> None:
    cases = four_kinds()
    mild = cases.with_columns(pl.col("case_id") + "m", pl.lit(9.0).alias("first_score"))
    assert learned(pl.concat([cases, mild])) == learned(cases)


def test_a_reference_of_few_cases_or_of_one_score_is_refused() -> None:
    with pytest.raises(ReferenceTooSmallError, match="49 cases"):
        learned(four_kinds().head(49))
    with pytest.raises(ReferenceTooSmallError, match="same score"):
        learned(four_kinds().with_columns(first_score=pl.lit(20.0)))


# --- Shrinkage, by hand and by the peer ----------------------------------------------------------

BALANCED = [1.0, 3, 2, 4, 3, 5, 6, 8, 9, 11]
"""Means 2, 3, 4, 7, 10 (variance 10.7), every within variance 2: analysis of variance by hand."""
OF = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_balanced_layout_gives_what_analysis_of_variance_gives() -> None:
    found = random_intercepts(BALANCED, OF)
    # Rest = mean square within = 2; therapists = (2 x 10.7 - 2) / 2 = 9.7.
    assert found.variances.rest_variance == pytest.approx(2.0, abs=1e-6)
    assert found.variances.therapist_variance == pytest.approx(9.7, abs=1e-6)
    assert found.variances.therapist_share == pytest.approx(9.7 / 11.7, abs=1e-7)
    assert found.variances.mean == pytest.approx(5.2)
    # Standard error of the mean: root of 10.7 / 5.
    assert found.variances.mean_se == pytest.approx(1.46287, abs=1e-5)
    # Shrunken by 9.7 / 10.7 towards 5.2.
    assert found.therapists.effect == pytest.approx(
        [-2.900935, -1.994393, -1.087850, 1.631776, 4.351402], abs=1e-5
    )
    assert found.therapists.mean == pytest.approx([2, 3, 4, 7, 10])


def test_therapists_who_differ_less_than_chance_have_no_variance_but_intervals_have_width() -> None:
    y = [0.0, 2, 0, 2, 0, 2, 0, 2, 0, 2]
    found = random_intercepts(y, OF)
    assert found.variances.therapist_variance == 0.0
    assert found.variances.therapist_share_low == 0.0
    assert found.variances.therapist_share_high > 0.1
    assert found.therapists.effect.tolist() == [0.0] * 5
    assert (found.therapists.high - found.therapists.low > 0.1).all()


def uneven(therapists: int, sites: int, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    site = np.arange(therapists) % sites
    count = rng.integers(1, 40, therapists)
    therapist = np.repeat(np.arange(therapists), count)
    level = 0.3 * rng.normal(size=sites)[site] + 0.4 * rng.normal(size=therapists)
    return 0.8 + level[therapist] + rng.normal(size=len(therapist)), therapist, site


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_statsmodels_finds_the_same_variances_and_effects() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    y, therapist, _ = uneven(40, 1, seed=2)
    found = random_intercepts(y, therapist)
    peer = MixedLM(y, np.ones((len(y), 1)), groups=therapist).fit(reml=True)
    assert found.variances.mean == pytest.approx(peer.fe_params[0], abs=1e-5)
    assert found.variances.mean_se == pytest.approx(peer.bse_fe[0], rel=0.02)
    assert found.variances.rest_variance == pytest.approx(peer.scale, rel=1e-4)
    assert found.variances.therapist_variance == pytest.approx(
        float(np.asarray(peer.cov_re)[0, 0]), rel=1e-3
    )
    assert found.variances.criterion == pytest.approx(-2 * peer.llf, abs=1e-5)
    theirs = [float(np.asarray(peer.random_effects[code])[0]) for code in range(40)]
    np.testing.assert_allclose(found.therapists.effect, theirs, atol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_statsmodels_finds_the_same_variances_of_therapists_within_sites() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    y, therapist, site = uneven(40, 8, seed=3)
    found = random_intercepts(y, therapist, site)
    group = site[therapist]
    matrices, names = [], []
    for number in range(8):
        inside = therapist[group == number]
        each = np.unique(inside)
        matrices.append((inside[:, None] == each).astype(float))
        names.append([str(one) for one in each])
    spec = VCSpec(["therapist"], [names], [matrices])
    ones = np.ones((len(y), 1))
    order = np.argsort(group, kind="stable")
    peer = MixedLM(
        y[order], ones, groups=group[order], exog_re=ones, exog_vc=spec
    ).fit(reml=True)  # fmt: skip
    assert found.variances.criterion == pytest.approx(-2 * peer.llf, abs=1e-4)
    assert found.variances.therapist_variance == pytest.approx(peer.vcomp[0], rel=0.01)
    assert found.variances.site_variance == pytest.approx(
        float(np.asarray(peer.cov_re)[0, 0]), rel=0.02, abs=1e-3
    )


def test_known_variances_are_found_again() -> None:
    shares, covered, inside = [], 0, []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        count = 1 + rng.negative_binomial(3, 3 / 18, 150)
        therapist = np.repeat(np.arange(150), count)
        true = sqrt(0.08) * rng.normal(size=150)
        y = true[therapist] + sqrt(0.92) * rng.normal(size=len(therapist))
        found = random_intercepts(y, therapist)
        shares.append(found.variances.therapist_share)
        low, high = found.variances.therapist_share_low, found.variances.therapist_share_high
        covered += low <= 0.08 <= high
        inside.append(((found.therapists.low <= true) & (true <= found.therapists.high)).mean())
    assert np.mean(shares) == pytest.approx(0.08, abs=0.015)
    assert covered >= 7
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("y", "therapist", "site", "said"),
    [
        ([1.0, 2, 3, 4], [0, 0, 1, 1], None, "2 therapists"),
        ([1.0, 2, 3, 4, 5], [0, 1, 2, 3, 4], None, "one with two cases"),
        (BALANCED, OF, [0, 0, 1, 1, 2], "3 sites"),
    ],
)
def test_too_few_groups_cannot_be_told_from_chance(
    y: list[float], therapist: list[int], site: list[int] | None, said: str
) -> None:
    with pytest.raises(TooFewGroupsError, match=said):
        random_intercepts(y, therapist, site)


def test_a_missing_result_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        random_intercepts([float("nan"), *BALANCED[1:]], OF)


# --- Caseload ------------------------------------------------------------------------------------


def effects_of(counts: dict[str, int], *, seed: int = 4, **sites: str) -> pl.DataFrame:
    """Return effects of so many cases a therapist, all at one site unless told."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{therapist}-{place}", therapist, sites.get(therapist, "north"), float(rng.normal(0.8)))
        for therapist, count in counts.items()
        for place in range(count)
    ]
    return pl.DataFrame(
        rows,
        schema={
            "case_id": pl.String,
            "therapist_id": pl.String,
            "site_id": pl.String,
            "saes": pl.Float64,
        },
        orient="row",
    ).with_columns(measure_id=pl.lit("phq9"), reason=pl.lit(None, pl.String))


MANY = {f"t{place}": 20 + place for place in range(6)}


def hidden(found: Caseload) -> list[str]:
    return found.therapists.filter(pl.col("is_suppressed"))["therapist_id"].to_list()


def test_a_therapist_of_one_case_is_never_shown() -> None:
    found = caseload(effects_of(MANY | {"one": 1, "two": 2}), RULE)
    assert {"one", "two"} <= set(hidden(found))
    row = found.therapists.filter(pl.col("therapist_id") == "one").row(0, named=True)
    numbers = ("case_count", "mean_saes", "effect", "effect_low", "effect_high", "funnel")
    assert [row[name] for name in numbers] == [None] * 6
    assert found.therapists["therapist_id"].to_list() == [*["one"], *MANY, "two"]


def test_a_single_hidden_therapist_is_not_given_back_by_the_total() -> None:
    found = caseload(effects_of(MANY | {"few": 3}), RULE)
    assert hidden(found) == ["few", "t0"]


def test_a_single_hidden_therapist_of_a_site_is_not_given_back_by_its_total() -> None:
    places = {"few": "south", "t0": "south", "t1": "south"}
    found = caseload(effects_of(MANY | {"few": 3, "less": 2}, **places), RULE)
    assert {"few", "less"} < set(hidden(found))
    south = found.therapists.filter(pl.col("site_id") == "south")
    assert south["is_suppressed"].sum() >= 2
    assert found.sites["site_id"].to_list() == ["north", "south"]


def test_the_rule_of_the_practice_can_only_hide_more() -> None:
    counts = MANY | {"five": 5, "six": 6, "nine": 9}
    england = suppression_rule("england")
    assert hidden(caseload(effects_of(counts), england)) == []
    assert set(hidden(caseload(effects_of(counts), england, minimum_cases=10))) == {
        "five", "nine", "six",
    }  # fmt: skip
    assert set(hidden(caseload(effects_of(counts), RULE, minimum_cases=2))) == {"five", "six"}


def test_shown_counts_are_rounded() -> None:
    found = caseload(effects_of(MANY), RULE)
    assert set(found.therapists["case_count"]) == {20, 25}
    assert found.case_count == 135


def test_hidden_rows_hold_nothing_but_their_ids() -> None:
    places = {"few": "south", "less": "south"}
    found = caseload(effects_of(MANY | {"few": 3, "less": 2}, **places), RULE)
    for rows in (found.therapists, found.sites):
        secret = rows.filter(pl.col("is_suppressed")).drop("is_suppressed")
        assert not secret.is_empty()
        told = secret.drop("therapist_id", "site_id", strict=False)
        assert all(column.null_count() == secret.height for column in told.get_columns())


def test_the_order_is_that_of_the_ids_and_says_nothing() -> None:
    effects = effects_of({f"t{place}": 30 for place in range(8)})
    better = pl.col("therapist_id").str.slice(1).cast(pl.Int64)
    for sign in (1.0, -1.0):
        found = caseload(effects.with_columns(saes=pl.col("saes") + sign * better), RULE)
        assert found.therapists["therapist_id"].to_list() == [f"t{place}" for place in range(8)]
    words = " ".join([*found.therapists.columns, *found.sites.columns]).lower()
    assert not any(word in words for word in ("rank", "place", "best", "quartile", "percentile"))


@given(st.permutations(list(range(6))))
@settings(max_examples=10)
def test_other_ids_for_the_same_therapists_move_rows_and_change_nothing(order: list[int]) -> None:
    effects = effects_of({f"t{place}": 20 + 2 * place for place in range(6)})
    new = {f"t{old}": f"t{place}" for old, place in enumerate(order)}
    renamed = effects.with_columns(pl.col("therapist_id").replace(new))
    first, second = caseload(effects, RULE).therapists, caseload(renamed, RULE).therapists
    moved = first.with_columns(pl.col("therapist_id").replace(new)).sort("therapist_id")
    assert moved.drop("is_suppressed").equals(second.drop("is_suppressed"), null_equal=True)


def test_no_module_of_the_caseload_says_how_good_anybody_is() -> None:
    for name in ("caseload", "severity_adjustment", "random_intercept", "funnel"):
        path = Path(__file__).resolve().parents[2] / "models" / f"{name}.py"
        code = path.read_text(encoding="utf-8").split('"""', 2)[2].lower()
        assert "effective" not in code
        assert "rank(" not in code.replace('rank("dense")', "")


def test_five_sites_get_effects_and_fewer_are_said_to_be_too_few() -> None:
    counts = {f"t{place:02}": 15 for place in range(20)}
    five = {name: f"s{place % 5}" for place, name in enumerate(counts)}
    found = caseload(effects_of(counts, **five), RULE)
    assert found.sites["effect"].null_count() == 0
    assert found.variances is not None
    assert found.variances.site_variance is not None
    three = {name: f"s{place % 3}" for place, name in enumerate(counts)}
    fewer = caseload(effects_of(counts, **three), RULE)
    assert fewer.sites["effect"].null_count() == 3
    assert fewer.sites["mean_saes"].null_count() == 0
    assert any("3 sites" in note for note in fewer.notes)


def test_too_few_therapists_get_no_estimates() -> None:
    found = caseload(effects_of({"t1": 40, "t2": 40}), RULE)
    assert found.variances is None
    assert found.funnel.is_empty()
    assert found.therapists["effect"].null_count() == 2
    assert "2 therapists" in found.notes[0]


def test_nobody_gives_an_empty_answer() -> None:
    found = caseload(effects_of({}), RULE)
    assert found.therapists.is_empty()
    assert (found.case_count, found.mean_saes) == (0, None)


def test_cases_that_cannot_be_used_are_counted_and_few_are_hidden() -> None:
    reference = learned(four_kinds())
    kinds = four_kinds(
        measure_id=["phq9"] * 40 + ["gad7"] * 20,
        therapist_id=[f"t{place % 4}" for place in range(30)] + [None] * 8 + ["t1"] * 22,
    ).with_columns(first_score=pl.when(pl.int_range(60) < 3).then(5.0).otherwise("first_score"))
    effects = case_effects(kinds, {"phq9": reference})
    assert effects.height == 60
    counted = dict(effects["reason"].drop_nulls().value_counts().iter_rows())
    assert counted == {"no_therapist": 8, "no_reference": 20, "not_clinical": 3}
    found = caseload(effects, RULE)
    assert found.not_used == {"not_clinical": None, "no_therapist": 10, "no_reference": 20}
    assert set(counted) <= set(REASONS)


# --- Funnel --------------------------------------------------------------------------------------


def test_funnel_limits_by_hand() -> None:
    low, high = funnel_limits([25], mean=0.8, sd=1.0, z=Z_95)
    assert (low[0], high[0]) == (pytest.approx(0.408, abs=1e-3), pytest.approx(1.192, abs=1e-3))
    low, high = funnel_limits([25], mean=0.8, sd=1.0, z=Z_998)
    assert (low[0], high[0]) == (pytest.approx(0.182, abs=1e-3), pytest.approx(1.418, abs=1e-3))
    _, wide = funnel_limits([25], mean=0.8, sd=1.0, z=Z_95, overdispersion=4.0)
    assert wide[0] == pytest.approx(0.8 + 2 * 0.392, abs=1e-3)


def test_chance_alone_puts_about_one_in_twenty_beyond_the_limits() -> None:
    found = caseload(effects_of({f"t{place:03}": 20 for place in range(400)}), RULE)
    beyond = found.therapists["funnel"] != "inside"
    assert 0.02 < beyond.mean() < 0.08
    assert found.overdispersion is not None
    assert 0.6 < found.overdispersion < 1.2


def test_therapists_who_truly_differ_widen_the_funnel_and_it_is_said() -> None:
    effects = effects_of({f"t{place:02}": 30 for place in range(40)})
    apart = pl.col("therapist_id").str.slice(1).cast(pl.Int64) % 2 * 2.0
    found = caseload(effects.with_columns(saes=pl.col("saes") + apart), RULE)
    assert found.overdispersion is not None
    assert found.overdispersion > 5
    assert any("differ more than chance" in note for note in found.notes)
    row = found.funnel.row(0, named=True)
    assert row["wide_high_95"] - row["wide_low_95"] > row["high_95"] - row["low_95"]
