"""The simulated practice keeps its promises: truth, noise, reasons, broken lines, same bytes."""

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_contracts.mapping import read_mapping
from pipelines.demo_calendar import LAST_PRACTICE_DAY
from pipelines.demo_dirty_rows import DIRTY_SCORES, DIRTY_SESSIONS, VALUES_OUT_OF_RANGE
from pipelines.demo_draws import reflected
from pipelines.demo_kinds import COURSES
from pipelines.demo_practice import Practice, simulate_practice, write_practice
from pipelines.demo_scores import RESIDUAL_SD_GAD7, RESIDUAL_SD_PHQ9

RELIABLE_CHANGE = {"phq9": 6, "gad7": 4}
RANGES = {
    ("PHQ-9", "total"): 27,
    ("PHQ-9", "item_9"): 3,
    ("GAD-7", "total"): 21,
    ("SRS", "total"): 40,
    ("EXPECTATION", "total"): 10,
    ("SUPPORT", "total"): 10,
}
NUMBERS = ["session", "day", "practice_day", "value"]
KEY = ["case_id", "session", "measure", "subscale", "rater"]


@pytest.fixture(scope="module")
def practice() -> Practice:
    return simulate_practice(cases=5000, seed=20240601, dirty_rows=False)


@pytest.fixture(scope="module")
def soiled() -> Practice:
    return simulate_practice(cases=5000, seed=20240601)


@pytest.fixture(scope="module")
def scores(practice: Practice) -> pl.DataFrame:
    return practice.scores.with_columns(pl.col(NUMBERS).cast(pl.Int64)).join(
        practice.truth, on="case_id"
    )


def mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean())


def least(values: pl.Series) -> float:
    return float(values.to_numpy().min())


def most(values: pl.Series) -> float:
    return float(values.to_numpy().max())


def kind_of(practice: Practice, *kinds: str) -> pl.DataFrame:
    return practice.truth.filter(pl.col("kind").is_in(kinds))


def levels_of(practice: Practice, kind: str) -> pl.DataFrame:
    gain = pl.col("baseline_true") - pl.col("true_phq9")
    truth = kind_of(practice, kind).select("case_id", "baseline_true", "sudden_gain_session")
    return practice.truth_by_session.join(truth, on="case_id").with_columns(gain=gain)


def written(practice: Practice, folder: Path) -> dict[str, bytes]:
    write_practice(practice, folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# --- what is promised of the whole -------------------------------------------------------------


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first = written(simulate_practice(cases=200, seed=7), tmp_path / "first")
    again = written(simulate_practice(cases=200, seed=7), tmp_path / "again")
    other = written(simulate_practice(cases=200, seed=8), tmp_path / "other")
    assert first == again
    assert first["scores.csv"] != other["scores.csv"]


def test_the_truth_goes_where_it_is_told_and_never_beside_the_data(tmp_path: Path) -> None:
    practice = simulate_practice(cases=50, seed=1)
    write_practice(practice, tmp_path / "sent", truth_path=tmp_path / "truth" / "demo.parquet")
    names = sorted(path.name for path in (tmp_path / "sent").iterdir())
    assert names == sorted([*(f"{name}.csv" for name in practice.sent()), "mapping.toml"])
    assert pl.read_parquet(tmp_path / "truth" / "demo.parquet").equals(practice.truth)
    by_session = pl.read_parquet(tmp_path / "truth" / "demo_by_session.parquet")
    assert by_session.equals(practice.truth_by_session)


def test_the_mapping_is_accepted_says_simulated_and_names_every_column(tmp_path: Path) -> None:
    practice = simulate_practice(cases=50, seed=1)
    write_practice(practice, tmp_path)
    mapping = read_mapping(tmp_path / "mapping.toml")
    assert mapping.simulated
    assert mapping.title == "Simulated practice"
    assert {file.table for file in mapping.file} == set(practice.sent())
    for file in mapping.file:
        header = (tmp_path / file.path).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert set(header) == set(file.columns.values())


@pytest.mark.parametrize("cases", [1, 2, 30])
def test_a_tiny_practice_works(cases: int, tmp_path: Path) -> None:
    practice = simulate_practice(cases=cases, seed=3)
    write_practice(practice, tmp_path)
    assert practice.truth.height == practice.cases.height == cases


def test_no_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 case, not 0"):
        simulate_practice(cases=0, seed=1)


def test_nothing_lies_after_the_last_practice_day(practice: Practice) -> None:
    for table in (practice.sessions, practice.scores):
        assert table["practice_day"].cast(pl.Int64).is_between(0, LAST_PRACTICE_DAY).all()
    ended = practice.cases.drop_nulls("end_day").select(
        pl.col("practice_day_start").cast(pl.Int64) + pl.col("end_day").cast(pl.Int64)
    )
    assert ended.max().item() <= LAST_PRACTICE_DAY


def test_between_a_quarter_and_a_third_of_the_cases_are_open(practice: Practice) -> None:
    is_open = practice.cases["end_day"].is_null()
    assert 0.25 < mean(is_open) < 0.35
    assert (practice.cases["end_reason"].is_null() == is_open).all()


# --- who works where ---------------------------------------------------------------------------


def test_every_therapist_has_a_supervisor_of_the_same_site_and_few_colleagues(
    practice: Practice,
) -> None:
    therapists = practice.therapists
    assert therapists.null_count().sum_horizontal().item() == 0
    assert set(therapists["site_id"]) == set(practice.sites["site_id"])
    by_supervisor = therapists.group_by("supervisor_id").agg(pl.len(), pl.col("site_id").n_unique())
    assert by_supervisor["site_id"].max() == 1
    assert by_supervisor["len"].is_between(4, 8).all()
    of_cases = practice.cases.join(therapists, on=["therapist_id", "site_id"], how="semi")
    assert of_cases.height == practice.cases.height


def test_a_supervisor_has_a_caseload_to_talk_about(practice: Practice) -> None:
    is_open = practice.cases.filter(pl.col("end_day").is_null())
    load = is_open.join(practice.therapists, on="therapist_id").group_by("supervisor_id").len()
    assert 25 <= float(np.median(load["len"].to_numpy())) <= 60


def test_therapists_explain_about_a_twentieth_of_the_gain(practice: Practice) -> None:
    truth = practice.truth.join(practice.cases.select("case_id", "therapist_id"), on="case_id")
    by_therapist = truth.group_by("therapist_id").agg(
        mean=pl.col("true_gain_at_8").mean(), variance=pl.col("true_gain_at_8").var(), n=pl.len()
    )
    mean_gain, variance, cases = by_therapist.drop("therapist_id").to_numpy().T
    within = np.average(variance, weights=cases - 1)
    between = mean_gain.var(ddof=1) - within * (1 / cases).mean()
    assert 0.02 < between / (between + within) < 0.09


def test_case_ids_are_in_order_and_say_nothing_about_the_kind(practice: Practice) -> None:
    assert practice.truth["case_id"].is_sorted()
    assert practice.truth["case_id"][0] == "C-00001"
    place = np.arange(practice.truth.height) / practice.truth.height
    for kind, course in COURSES.items():
        is_kind = (practice.truth["kind"] == kind).to_numpy()
        deviation = np.sqrt(1 / 12 / (course.share * len(place)))
        assert abs(place[is_kind].mean() - 0.5) < 4 * deviation


# --- the truth of the kinds --------------------------------------------------------------------


def test_the_shares_of_the_kinds_hold(practice: Practice) -> None:
    assert sum(course.share for course in COURSES.values()) == pytest.approx(1)
    counts = dict(practice.truth["kind"].value_counts().iter_rows())
    for kind, course in COURSES.items():
        assert abs(counts[kind] - course.share * practice.truth.height) <= 1


def test_no_change_cases_truly_do_not_change(practice: Practice) -> None:
    levels = levels_of(practice, "no_change")
    assert most(levels["gain"].abs()) < 1
    assert most(levels.filter(pl.col("session") <= 8)["gain"].abs()) <= 0.5
    gad7 = kind_of(practice, "no_change")["true_gain_at_8_gad7"]
    assert most(gad7.abs()) < 1
    assert mean(kind_of(practice, "no_change")["starts_clinical"]) > 0.6


def test_enough_no_change_cases_start_clinical_and_have_eight_later_scores(
    scores: pl.DataFrame,
) -> None:
    phq9 = scores.filter(
        (pl.col("measure") == "PHQ-9")
        & (pl.col("subscale") == "total")
        & (pl.col("kind") == "no_change")
        & pl.col("starts_clinical")
    )
    assert (phq9.group_by("case_id").len()["len"] >= 9).sum() > 300


@pytest.mark.parametrize("kind", ["steady_improver", "early_responder", "sudden_gain"])
def test_improvers_truly_gain_a_reliable_change_by_session_8(practice: Practice, kind: str) -> None:
    truth = kind_of(practice, kind)
    assert least(truth["true_gain_at_8"]) >= RELIABLE_CHANGE["phq9"]
    assert least(truth["true_gain_at_8_gad7"]) >= RELIABLE_CHANGE["gad7"]


def test_early_responders_are_done_by_session_4(practice: Practice) -> None:
    later = levels_of(practice, "early_responder").filter(pl.col("session") >= 4)
    assert least(later["gain"]) >= RELIABLE_CHANGE["phq9"]
    spread = later.group_by("case_id").agg(pl.col("gain").max() - pl.col("gain").min())
    assert spread["gain"].max() == pytest.approx(0)


def test_late_responders_gain_nothing_up_to_session_6_and_enough_by_12(practice: Practice) -> None:
    levels = levels_of(practice, "late_responder")
    assert levels.filter(pl.col("session") <= 6)["gain"].abs().max() == 0
    gain_at_12 = kind_of(practice, "late_responder")["true_gain_at_12"]
    assert least(gain_at_12) >= RELIABLE_CHANGE["phq9"]


def test_sudden_gains_happen_between_two_sessions_and_stay(practice: Practice) -> None:
    levels = levels_of(practice, "sudden_gain")
    is_after = pl.col("session") >= pl.col("sudden_gain_session")
    assert levels.filter(~is_after)["gain"].abs().max() == 0
    after = levels.filter(is_after)
    assert least(after["gain"]) >= 7
    assert least(after["gain"] / after["baseline_true"]) > 0.25


def test_decliners_truly_lose_a_reliable_change_by_session_12(practice: Practice) -> None:
    assert most(kind_of(practice, "decline")["true_gain_at_12"]) <= -RELIABLE_CHANGE["phq9"]


def test_good_enough_cases_start_clinical_reach_a_level_of_their_own_and_stay_in_care(
    practice: Practice,
) -> None:
    levels = levels_of(practice, "good_enough")
    assert kind_of(practice, "good_enough")["starts_clinical"].all()
    later = levels.filter(pl.col("session") >= 8)["true_phq9"]
    assert later.is_between(3, 8.5).all()
    completed = practice.cases.filter(pl.col("end_reason") == "completed")
    of_kind = completed.join(kind_of(practice, "good_enough"), on="case_id", how="semi")
    offered = practice.sessions.group_by("case_id").len().join(of_kind, on="case_id")
    assert (offered["len"] > offered["planned_sessions"].cast(pl.Int64)).all()


def test_drop_outs_end_early(practice: Practice) -> None:
    offered = practice.sessions.group_by("case_id").len()
    of_kind = offered.join(kind_of(practice, "drop_out"), on="case_id")
    assert most(of_kind["len"]) <= 6
    ended = practice.cases.drop_nulls("end_reason")
    reasons = ended.join(kind_of(practice, "drop_out"), on="case_id", how="semi")["end_reason"]
    assert set(reasons) == {"dropped_out"}


def test_true_levels_stay_in_range_and_the_measures_go_together(practice: Practice) -> None:
    assert practice.truth_by_session["true_phq9"].is_between(0, 27).all()
    assert practice.truth_by_session["true_gad7"].is_between(0, 21).all()
    together = practice.truth.select(pl.corr("baseline_true", "baseline_true_gad7")).item()
    assert 0.6 < together < 0.8


# --- what is measured --------------------------------------------------------------------------


def test_every_score_is_a_whole_number_in_range(scores: pl.DataFrame) -> None:
    assert set(scores.select("measure", "subscale").unique().iter_rows()) == set(RANGES)
    for (measure, subscale), highest in RANGES.items():
        of_measure = (pl.col("measure") == measure) & (pl.col("subscale") == subscale)
        values = scores.filter(of_measure)["value"]
        assert values.is_between(0, highest).all()
    assert not scores.select(KEY).is_duplicated().any()


@pytest.mark.parametrize(
    ("measure", "truth", "middle", "expected"),
    [
        ("PHQ-9", "true_phq9", (9, 18), RESIDUAL_SD_PHQ9),
        ("GAD-7", "true_gad7", (7, 14), RESIDUAL_SD_GAD7),
    ],
)
def test_the_residual_spread_is_recovered_away_from_floor_and_ceiling(
    scores: pl.DataFrame,
    practice: Practice,
    measure: str,
    truth: str,
    middle: tuple[int, int],
    expected: float,
) -> None:
    totals = scores.filter((pl.col("measure") == measure) & (pl.col("subscale") == "total"))
    both = totals.join(practice.truth_by_session, on=["case_id", "session"])
    residual = both.filter(pl.col(truth).is_between(*middle)).select(
        pl.col("value") - pl.col(truth)
    )
    of_rounding = 1 / 12
    assert residual.std().item() == pytest.approx(np.sqrt(expected**2 + of_rounding), abs=0.04)
    assert residual.mean().item() == pytest.approx(0, abs=0.06)


def test_item_9_is_rare_likelier_at_a_high_total_and_never_above_it(scores: pl.DataFrame) -> None:
    wide = scores.filter(pl.col("measure") == "PHQ-9").pivot(
        "subscale", index=["case_id", "session"], values="value"
    )
    assert (wide["item_9"] <= wide["total"]).all()
    assert mean(wide["item_9"] > 0) < 0.06
    high, low = (
        wide.filter(is_high)["item_9"] for is_high in (wide["total"] > 19, wide["total"] < 10)
    )
    assert mean(high > 0) > 5 * mean(low > 0)


def test_the_gad7_is_given_to_all_with_anxiety_and_some_of_the_others(practice: Practice) -> None:
    both = practice.truth.join(practice.cases, on="case_id")
    by_problem = dict(both.group_by("problem_code").agg(pl.col("has_gad7").mean()).iter_rows())
    assert by_problem["anxiety"] == 1
    assert by_problem["depression"] == pytest.approx(0.6, abs=0.04)
    given = practice.scores.filter(pl.col("measure") == "GAD-7")["case_id"].unique()
    assert both.filter(pl.col("case_id").is_in(given.implode()))["has_gad7"].all()


def test_sessions_are_missed_and_forms_are_missing_more_often_by_decliners(
    practice: Practice,
) -> None:
    assert (practice.sessions["attended"] == "no").mean() == pytest.approx(0.08, abs=0.01)
    attended = practice.sessions.filter(pl.col("attended") == "yes")
    phq9 = practice.scores.filter((pl.col("measure") == "PHQ-9") & (pl.col("subscale") == "total"))
    no_form = attended.join(phq9, on=["case_id", "session"], how="anti")
    assert no_form.height / attended.height == pytest.approx(0.10, abs=0.02)
    decline = kind_of(practice, "decline")
    share = no_form.join(decline, on="case_id").height / attended.join(decline, on="case_id").height
    assert share > 0.14
    assert phq9.join(attended, on=["case_id", "session"], how="anti").is_empty()


def test_sessions_are_numbered_from_1_on_day_0_and_go_forward(practice: Practice) -> None:
    sessions = practice.sessions.with_columns(pl.col("session", "day").cast(pl.Int64))
    first = sessions.filter(pl.col("session") == 1)
    assert first.height == practice.cases.height
    assert (first["day"] == 0).all()
    assert (first["attended"] == "yes").all()
    step = sessions.select(pl.col("session", "day").diff().over("case_id")).drop_nulls()
    assert (step["session"] == 1).all()
    assert least(step["day"]) >= 5


# --- planted reasons ---------------------------------------------------------------------------


def test_reasons_are_planted_more_often_where_nothing_moves(practice: Practice) -> None:
    is_stuck = pl.col("kind").is_in(["no_change", "decline"])
    shares = practice.truth.group_by(is_stuck).agg(
        (pl.col("alliance_kind").is_in(["low", "rupture_unrepaired"])).mean(),
        (pl.col("homework_kind") != "does_it").mean(),
        (pl.col("hope_kind") == "falling").mean(),
        (pl.col("support_kind") == "unsupportive").mean(),
    )
    stuck = shares.filter("kind").drop("kind").row(0)
    others = shares.filter(~pl.col("kind")).drop("kind").row(0)
    assert all(first > 1.8 * second for first, second in zip(stuck, others, strict=True))


def test_the_alliance_shows_ceilings_ruptures_and_repairs(scores: pl.DataFrame) -> None:
    srs = scores.filter(pl.col("measure") == "SRS")
    assert srs.filter(pl.col("alliance_kind") == "ceiling_rater")["value"].min() == 39
    assert mean(srs.filter(pl.col("alliance_kind") == "low")["value"]) < 33
    normal = srs.filter(pl.col("alliance_kind") == "normal")
    early, late = (normal.filter(pl.col("session").is_between(*of)) for of in ((1, 3), (10, 15)))
    assert 0.5 < mean(late["value"]) - mean(early["value"]) < 1.5
    planted = scores["rupture_depth"].drop_nulls()
    assert (planted.min(), planted.max()) == (4, 8)
    repair = srs["repaired_session"] - srs["rupture_session"]
    assert (repair.min(), repair.max()) == (1, 3)


@pytest.mark.parametrize(
    ("kind", "comes_back"), [("rupture_repaired", True), ("rupture_unrepaired", False)]
)
def test_a_rupture_is_a_drop_that_lasts_unless_repaired(
    scores: pl.DataFrame, kind: str, *, comes_back: bool
) -> None:
    srs = scores.filter((pl.col("measure") == "SRS") & (pl.col("alliance_kind") == kind))
    since = pl.col("session") - pl.col("rupture_session")
    before, at, after = (
        mean(srs.filter(when)["value"]) for when in (since < 0, since == 0, since.is_between(3, 8))
    )
    assert 4 < before - at < 8
    assert (abs(before - after) < 1.2) == comes_back


def test_falling_hope_falls_and_is_asked_every_second_session(scores: pl.DataFrame) -> None:
    expectation = scores.filter(pl.col("measure") == "EXPECTATION")
    assert set(expectation["session"] % 2) == {1}
    by_hope = expectation.group_by("hope_kind").agg(
        pl.col("value").filter(pl.col("session") == 1).mean()
        - pl.col("value").filter(pl.col("session") == 9).mean()
    )
    fall = dict(by_hope.iter_rows())
    assert fall["falling"] > 2.5
    assert abs(fall["steady"]) < 0.5


def test_unsupportive_people_show_in_the_ratings_of_support(scores: pl.DataFrame) -> None:
    support = scores.filter(pl.col("measure") == "SUPPORT")
    assert set(support["session"] % 3) == {1}
    means = dict(support.group_by("support_kind").agg(pl.col("value").mean()).iter_rows())
    assert means["ok"] > 6.5
    assert means["unsupportive"] < 3


def test_support_was_added_without_touching_anything_else(practice: Practice) -> None:
    is_support = practice.scores["measure"] == "SUPPORT"
    before = practice.scores.height - is_support.sum()
    assert is_support.tail(is_support.sum()).all()
    assert not is_support.head(before).any()


def test_homework_follows_its_kind_and_what_became_of_the_last_is_not_known(
    practice: Practice,
) -> None:
    homework = practice.homework.with_columns(
        pl.col("session", "done_percent", "quality").cast(pl.Int64)
    ).join(practice.truth, on="case_id")
    assert homework["done_percent"].drop_nulls().is_between(0, 100).all()
    assert homework["quality"].drop_nulls().is_between(0, 4).all()
    assert homework.filter(pl.col("assigned") == "no")["done_percent"].is_null().all()
    last = homework.filter(pl.col("session") == pl.col("session").max().over("case_id"))
    assert last["done_percent"].is_null().all()
    by_kind = homework.group_by("homework_kind").agg(
        (pl.col("assigned") == "yes").mean(), pl.col("done_percent").mean()
    )
    rows = {kind: (assigned, done) for kind, assigned, done in by_kind.iter_rows()}
    assert rows["does_it"][0] > 0.8
    assert rows["does_it"][1] > 65
    assert rows["none_done"][0] > 0.8
    assert rows["none_done"][1] < 25
    assert rows["not_assigned"][0] < 0.12


def test_what_is_in_the_truth_only_is_not_sent(practice: Practice) -> None:
    sent = {column for table in practice.sent().values() for column in table.columns}
    assert sent.isdisjoint({"kind", "support_kind", "true_phq9"})


# --- broken lines ------------------------------------------------------------------------------


def test_a_clean_practice_counts_no_broken_lines(practice: Practice) -> None:
    assert practice.dirty_counts == {}


def test_broken_lines_are_added_and_all_others_are_the_same(
    practice: Practice, soiled: Practice
) -> None:
    added = {"scores": DIRTY_SCORES, "sessions": DIRTY_SESSIONS}
    for name, clean in practice.sent().items():
        expected = sum(added.get(name, {}).values())
        assert soiled.sent()[name].height == clean.height + expected
        assert clean.join(
            soiled.sent()[name], on=clean.columns, how="anti", nulls_equal=True
        ).is_empty()


def test_every_kind_of_broken_line_is_there_as_often_as_counted(
    practice: Practice, soiled: Practice, tmp_path: Path
) -> None:
    wanted = {f"scores.{kind}": count for kind, count in DIRTY_SCORES.items()}
    wanted |= {f"sessions.{kind}": count for kind, count in DIRTY_SESSIONS.items()}
    assert soiled.dirty_counts == wanted
    write_practice(soiled, tmp_path)
    for name, kinds in (("scores", DIRTY_SCORES), ("sessions", DIRTY_SESSIONS)):
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
            header, *rows = csv.reader(lines)
        filled = [dict(zip(header, row, strict=True)) for row in rows if row]
        found = {
            "blank_line": sum(not row for row in rows),
            "missing_case_id": sum(not row["case_id"] for row in filled),
            "fractional_session": sum(row["session"] == "3.5" for row in filled),
            "exact_duplicate": len(filled) - len({tuple(row.values()) for row in filled}),
        }
        if name == "scores":
            found["text_in_value"] = sum(row["value"] == "n/a?" for row in filled)
            found["unknown_measure"] = sum(row["measure"] == "PHQ9x" for row in filled)
            found["value_out_of_range"] = sum(row["value"] in VALUES_OUT_OF_RANGE for row in filled)
            found["contradicting_value"] = contradictions(soiled.scores)
        assert found == kinds


def contradictions(sent: pl.DataFrame) -> int:
    is_good = (
        pl.col("value").is_in([*VALUES_OUT_OF_RANGE, "n/a?"]).not_()
        & pl.col("case_id").is_not_null()
    )
    values = sent.filter(is_good).group_by(KEY).agg(pl.col("value").n_unique())
    return values.filter(pl.col("value") > 1).height


# --- drawing -----------------------------------------------------------------------------------


def test_reflected_values_stay_inside_and_do_not_pile_up() -> None:
    values = np.random.default_rng(1).normal(0, 10, 10_000)
    inside = reflected(values, -1, 2)
    assert inside.min() >= -1
    assert inside.max() <= 2
    assert len(np.unique(inside)) > 9_990
    kept = np.array([-1.0, 0.5, 2.0])
    assert reflected(kept, -1, 2) == pytest.approx(kept)
