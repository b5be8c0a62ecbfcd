"""The slow reading of the status rule gives the numbers printed in `status_rule.md`.

Published numbers are typed in from `../shared/design/status_rule.md`, "What it does on real
people"; the real scores lie in `../shared/data`. Tests that need them are skipped without them.

The printed occasion is k: n = 556, 468, 395, 250 cases have a k-th later score for k = 4, 6, 8, 12.
The text does not say how the accuracy figures were counted. This way was found by trying 360 ways,
and gives the plain rule's figures too: cases with at least three scores after occasion k; flagged =
stuck or deteriorating; the outcome is the last level gain, not the last score by itself. One-score
spells leave out a spell that the data end in.
"""

import csv
from collections import Counter, defaultdict
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from status_rule_reference import (
    GAINED,
    MeasureFacts,
    Score,
    Verdict,
    baseline_position,
    baseline_value,
    case_status,
    gap,
    is_stale,
    judge_measure,
    primary_measure,
)

SHARED = Path(__file__).resolve().parents[3] / "shared"
ENRICHD = SHARED / "data" / "enrichd_bdi_cbt" / "long.csv"
BEAT_THE_BLUES = SHARED / "data" / "beat_the_blues" / "long.csv"

BDI = MeasureFacts(higher_is="worse", reliable_change=8.46, cutoff=10)
BDI_2 = MeasureFacts(higher_is="worse", reliable_change=8, cutoff=14)
POINTS = MeasureFacts(higher_is="worse", reliable_change=8, cutoff=10)
POINTS_WITHOUT_C = MeasureFacts(higher_is="worse", reliable_change=8, cutoff=None)

Cases = dict[str, list[Score]]
Verdicts = dict[str, list[Verdict]]


def as_printed(number: float, step: float) -> object:
    """Return the printed number with room for rounding, twice if need be (42.52, 42.5, 42)."""
    return pytest.approx(number, abs=0.55 * step)


def same_day_scores(path: Path, time_column: str, days_per_unit: float) -> Cases:
    """Read the real scores of a file, scores of one day averaged."""
    if not path.exists():
        pytest.skip(f"real data not found: {path}; put the shared folder beside the repository")
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            day = round(float(line[time_column]) * days_per_unit)
            values[line["patient_id"]][day].append(float(line["score"]))
    return {
        case_id: [
            Score(at=day, day=day, value=sum(of_day) / len(of_day), t=None)
            for day, of_day in sorted(days.items())
        ]
        for case_id, days in values.items()
    }


@pytest.fixture(scope="module")
def cases() -> Cases:
    """Return the ENRICHD cases."""
    return same_day_scores(ENRICHD, "day", 1)


@pytest.fixture(scope="module")
def verdicts(cases: Cases) -> Verdicts:
    """Return the verdicts on the ENRICHD cases, without the clause `below_band`."""
    return {case_id: judge_measure(scores, BDI) for case_id, scores in cases.items()}


def level_at_end_is_clinical_without_gain(scores: list[Score], judged: list[Verdict]) -> bool:
    """Tell whether a case ends clinical without reliable gain, by its last level."""
    level_gain = judged[-1].level_gain
    assert level_gain is not None
    return level_gain < 8.46 and scores[0].value - level_gain >= 10


def per_cent(judged: list[Verdict], status: str) -> float:
    """Return the share of verdicts with a status."""
    return 100 * Counter(verdict.status for verdict in judged)[status] / len(judged)


# ---- the published table ------------------------------------------------------------------------


def test_the_later_occasions_are_the_published_6407(verdicts: Verdicts) -> None:
    assert len(verdicts) == 557
    assert sum(len(judged) - 1 for judged in verdicts.values()) == 6407


# on_track: the published column plus the published watch, less the published watch without band.
@pytest.mark.parametrize(
    ("k", "n", "recovered", "improved", "on_track_and_watch", "watch", "stuck", "deteriorating"),
    [
        pytest.param(4, 556, 34, 13, 30 + 18, 15, 4, 0.9, id="occasion-4"),
        pytest.param(6, 468, 42, 13, 24 + 8, 2, 11, 1.5, id="occasion-6"),
        pytest.param(8, 395, 49, 11, 21 + 5, 0.8, 12, 1.8, id="occasion-8"),
        pytest.param(12, 250, 48, 12, 13 + 0.4, 0.4, 24, 2.0, id="occasion-12"),
        pytest.param(-1, 557, 63, 9, 17 + 0.9, 0.5, 10, 0.7, id="last"),
    ],
)
def test_the_published_table_of_statuses_comes_out(
    verdicts: Verdicts,
    k: int,
    n: int,
    recovered: float,
    improved: float,
    on_track_and_watch: float,
    watch: float,
    stuck: float,
    deteriorating: float,
) -> None:
    here = [judged[k] for judged in verdicts.values() if len(judged) > k]
    assert len(here) == n
    assert per_cent(here, "recovered") == as_printed(recovered, 1)
    assert per_cent(here, "improved") == as_printed(improved, 1)
    assert per_cent(here, "watch") == as_printed(watch, 1 if watch >= 1 else 0.1)
    assert per_cent(here, "stuck") == as_printed(stuck, 1)
    assert per_cent(here, "deteriorating") == as_printed(deteriorating, 0.1)
    assert per_cent(here, "cannot_judge") == 0
    both = per_cent(here, "on_track") + per_cent(here, "watch")
    assert both == as_printed(on_track_and_watch, 2)  # two printed numbers, two roundings


@pytest.mark.parametrize(
    ("k", "predictive_value", "sensitivity"),
    [
        pytest.param(6, 0.48, 0.46, id="occasion-6"),
        pytest.param(8, 0.50, 0.54, id="occasion-8"),
        pytest.param(12, 0.35, 0.74, id="occasion-12"),
    ],
)
def test_predictive_value_and_sensitivity_are_the_published_ones(
    cases: Cases, verdicts: Verdicts, k: int, predictive_value: float, sensitivity: float
) -> None:
    seen_on = [case_id for case_id, judged in verdicts.items() if len(judged) > k + 3]
    flagged = {
        case_id for case_id in seen_on if verdicts[case_id][k].status in ("stuck", "deteriorating")
    }
    failed = {
        case_id
        for case_id in seen_on
        if level_at_end_is_clinical_without_gain(cases[case_id], verdicts[case_id])
    }
    assert 0.14 <= round(len(failed) / len(seen_on), 2) <= 0.15
    assert len(flagged & failed) / len(flagged) == as_printed(predictive_value, 0.01)
    assert len(flagged & failed) / len(failed) == as_printed(sensitivity, 0.01)


def test_thirty_per_cent_of_those_stuck_at_6_end_reliably_improved(verdicts: Verdicts) -> None:
    last_gains = [
        judged[-1].level_gain or 0.0
        for judged in verdicts.values()
        if len(judged) > 6 + 3 and judged[6].status == "stuck"
    ]
    share = 100 * sum(level_gain >= 8.46 for level_gain in last_gains) / len(last_gains)
    assert share == as_printed(30, 1)


def test_thirty_per_cent_of_the_finished_stuck_spells_last_one_score(verdicts: Verdicts) -> None:
    lengths: list[int] = []
    for judged in verdicts.values():
        spells = [
            (status, len(list(spell)))
            for status, spell in groupby(judged, key=lambda verdict: verdict.status)
        ]
        lengths += [length for status, length in spells[:-1] if status == "stuck"]
    assert 100 * lengths.count(1) / len(lengths) == as_printed(30, 1)


def test_statuses_change_no_more_often_than_published(verdicts: Verdicts) -> None:
    # Published with the clause `below_band`: .20 and .023. Without it .188 and .018 over the judged
    # scores (cannot_judge left out); a rough band of one's own brings .196 and .023.
    changes = pairs = returns = triples = 0
    for judged in verdicts.values():
        statuses = [verdict.status for verdict in judged if verdict.status != "cannot_judge"]
        changes += sum(one != other for one, other in pairwise(statuses))
        pairs += max(len(statuses) - 1, 0)
        returns += sum(
            one == third != other
            for one, other, third in zip(statuses, statuses[1:], statuses[2:], strict=False)
        )
        triples += max(len(statuses) - 2, 0)
    assert 0.18 <= changes / pairs <= 0.205
    assert 0.015 <= returns / triples <= 0.0235


def test_59_people_touched_a_reliable_worsening_once(verdicts: Verdicts) -> None:
    still_there: list[bool] = []
    for judged in verdicts.values():
        gains = [verdict.gain for verdict in judged if verdict.gain is not None]
        first = next((k for k, gain in enumerate(gains) if gain <= -8.46), None)
        if first is not None:
            still_there.append(any(gain <= -8.46 for gain in gains[first + 1 : first + 2]))
    assert len(still_there) == 59
    assert 100 * sum(still_there) / len(still_there) == as_printed(24, 1)


def test_recovered_at_the_end_falls_to_forty_per_cent_from_the_second_score(cases: Cases) -> None:
    ends = [judge_measure(scores[1:], BDI)[-1] for scores in cases.values()]
    assert per_cent(ends, "recovered") == as_printed(40, 1)


def test_beat_the_blues_has_the_published_shares_of_stuck() -> None:
    by_month: dict[int, list[Verdict]] = defaultdict(list)
    last_seen: list[Verdict] = []
    for of_day in same_day_scores(BEAT_THE_BLUES, "month", 30.4375).values():
        months = [round(score.at / 30.4375) for score in of_day]
        scores = [
            Score(at=score.at, day=score.day, value=score.value, t=7 + month // 2)
            for score, month in zip(of_day, months, strict=True)
        ]
        judged = judge_measure(scores, BDI_2)
        for month, verdict in zip(months, judged, strict=True):
            by_month[month].append(verdict)
        if len(judged) > 1:
            last_seen.append(judged[-1])
    assert per_cent(by_month[2], "stuck") == 0
    assert per_cent(by_month[4], "stuck") == as_printed(23, 1)
    assert per_cent(by_month[6], "stuck") == as_printed(21, 1)
    assert per_cent(by_month[8], "stuck") == as_printed(13, 1)
    assert per_cent(last_seen, "stuck") == as_printed(13, 1)


# ---- one small case for each row ----------------------------------------------------------------


def weekly(*values: float) -> list[Score]:
    """Return scores a week apart, one per session."""
    return [Score(at=k, day=7 * k, value=value, t=None) for k, value in enumerate(values)]


def on_days(*days_and_values: tuple[int, float]) -> list[Score]:
    """Return scores on the days named, one per session."""
    return [Score(at=day, day=day, value=value, t=None) for day, value in days_and_values]


def ends_as(scores: list[Score], measure: MeasureFacts = POINTS) -> str:
    """Return the last verdict as `status : code`."""
    last = judge_measure(scores, measure)[-1]
    return f"{last.status} : {last.code}".removesuffix(" : ")


def test_a_baseline_alone_has_no_score_to_judge() -> None:
    assert ends_as(weekly(20)) == "cannot_judge : no_score"


def test_without_reliable_change_there_is_no_threshold() -> None:
    without = MeasureFacts(higher_is="worse", reliable_change=None, cutoff=10)
    assert ends_as(weekly(20, 2, 2, 2), without) == "cannot_judge : no_threshold"


def test_a_score_43_days_or_four_sessions_old_is_stale_in_an_open_case() -> None:
    def stale(sessions: int, days: int | None, *, case_is_open: bool = True) -> bool:
        return is_stale(
            case_is_open=case_is_open,
            attended_sessions_since_last_score=sessions,
            days_since_last_score=days,
        )

    assert not stale(3, 42)
    assert stale(4, 1)
    assert stale(0, 43)
    assert not stale(3, None)
    assert not stale(9, 99, case_is_open=False)


def test_two_scores_a_reliable_change_worse_are_deteriorating() -> None:
    assert ends_as(weekly(20, 28, 28)) == "deteriorating : two_scores"
    assert ends_as(weekly(20, 24, 32)) == "deteriorating : two_scores"


def test_two_scores_worse_are_deteriorating_however_far_apart() -> None:
    assert ends_as(on_days((0, 20), (7, 28), (70, 28))) == "deteriorating : two_scores"
    assert ends_as(on_days((0, 20), (7, 24), (70, 32))) == "watch : worse_once"


def test_deteriorating_stays_until_half_of_it_is_made_good() -> None:
    assert ends_as(weekly(20, 28, 28, 20)) == "deteriorating : easing"
    assert ends_as(weekly(20, 28, 28, 20, 28)) == "deteriorating : easing"
    assert ends_as(weekly(20, 28, 28, 19)) == "watch : no_gain_yet"


def test_one_score_a_reliable_change_worse_is_watched() -> None:
    assert ends_as(weekly(20, 28)) == "watch : worse_once"


def test_a_reliable_gain_over_the_cut_off_is_recovered_else_improved() -> None:
    assert ends_as(weekly(20, 9, 9)) == "recovered"
    assert ends_as(weekly(30, 22, 22)) == "improved"
    assert ends_as(weekly(20, 2, 2), POINTS_WITHOUT_C) == "improved"
    assert ends_as(weekly(9, 1, 1)) == "improved"


def test_a_single_later_score_is_a_gain_only_after_42_days() -> None:
    assert ends_as(on_days((0, 20), (42, 2))) == "cannot_judge : too_early"
    assert ends_as(on_days((0, 20), (43, 2))) == "recovered"


def test_a_gain_stays_down_to_three_quarters_of_a_reliable_change() -> None:
    assert ends_as(weekly(30, 22, 22, 26)) == "improved"
    assert ends_as(weekly(30, 22, 22, 26.5)) == "watch : gain_lost"


def test_a_gain_that_is_level_and_still_clinical_is_stalled() -> None:
    level = weekly(40, 30, *[30] * 11)
    last = judge_measure(level, POINTS)[-1]
    assert (last.status, last.code, last.tags) == ("improved", "gain_stalled", ("gain_stalled",))
    assert ends_as(weekly(40, 30, *[30] * 10)) == "improved"
    assert ends_as(level, POINTS_WITHOUT_C) == "improved"


def test_fewer_than_three_sessions_are_too_early() -> None:
    assert ends_as(weekly(20, 20, 20)) == "cannot_judge : too_early"
    assert ends_as(on_days((0, 20), (60, 20), (84, 20))) == "stuck : no_gain"


def test_the_pace_is_nothing_at_4_a_quarter_at_6_half_at_8_and_all_at_12() -> None:
    assert ends_as(weekly(20, 20, 20, 20, 20)) == "watch : no_gain_yet"
    assert ends_as(weekly(20, *[20] * 4, 18.5, 18.5)) == "stuck : no_gain"
    assert ends_as(weekly(20, *[20] * 3, 18, 18, 18)) == "on_track"
    assert ends_as(weekly(20, *[17] * 7, 16)) == "stuck : slow_gain"
    assert ends_as(weekly(20, *[17] * 4, 16, 16, 16, 16)) == "on_track"
    assert ends_as(weekly(20, *[13] * 12)) == "stuck : slow_gain"


def test_a_pace_only_just_kept_does_not_end_stuck() -> None:
    assert ends_as(weekly(20, *[20] * 6, 16, 16)) == "stuck : slow_gain"
    assert ends_as(weekly(20, *[20] * 6, 14, 14)) == "on_track"


def test_a_gain_ever_seen_and_lost_is_stuck_as_gain_lost() -> None:
    assert ends_as(weekly(30, 22, 22, 30, 30, 30, 30)) == "stuck : gain_lost"


def test_a_score_half_a_reliable_change_worse_is_watched() -> None:
    assert ends_as(weekly(20, 20, 20, 24)) == "watch : half_worse"


def test_below_the_cut_off_is_on_track() -> None:
    assert ends_as(weekly(9, 9, 9, 9)) == "on_track : below_cut_at_start"
    assert ends_as(weekly(12, 9, 9, 9)) == "on_track : below_cut_not_reliable"


def test_a_gain_just_lost_is_watched_for_one_occasion() -> None:
    assert ends_as(weekly(30, 22, 22, 27)) == "watch : gain_lost"
    assert ends_as(weekly(30, 22, 22, 27, 27)) == "on_track"


def test_a_gain_below_a_quarter_is_not_a_gain_yet() -> None:
    assert ends_as(weekly(20, 20, 20, 18)) == "watch : no_gain_yet"


def test_a_course_this_bad_for_fewer_than_a_quarter_is_below_the_band() -> None:
    scores = weekly(30, 27, 27, 27)
    assert judge_measure(scores, POINTS, [None, None, None, 0.24])[-1].code == "below_band"
    assert judge_measure(scores, POINTS, [None, None, None, 0.25])[-1].status == "on_track"
    assert judge_measure(scores, POINTS, [None, None, None, None])[-1].status == "on_track"


def test_without_days_neighbours_are_averaged_and_nothing_is_sparse() -> None:
    scores = [Score(at=k, day=None, value=value, t=None) for k, value in enumerate((20, 20, 4))]
    last = judge_measure(scores, POINTS)[-1]
    assert (last.gain, last.level_gain, last.status) == (16, 8, "improved")


def test_sessions_without_a_score_count() -> None:
    scores = [Score(at=k, day=7 * k, value=20, t=4 * k) for k in range(4)]
    assert ends_as(scores) == "watch : no_gain_yet"
    assert ends_as([*scores, Score(at=4, day=28, value=20, t=16)]) == "stuck : no_gain"


def test_a_change_of_exactly_the_reliable_one_counts_on_tenths_too() -> None:
    tenths = MeasureFacts(higher_is="worse", reliable_change=0.5, cutoff=1.0)
    assert ends_as(weekly(1.4, 0.9, 0.9), tenths) == "recovered"


# ---- baseline, gaps, several measures ------------------------------------------------------------


def test_the_baseline_is_the_last_score_before_treatment_if_not_too_old() -> None:
    scores = on_days((0, 20), (10, 21), (30, 22), (45, 23))
    assert baseline_position(scores, None) == 0
    assert baseline_position(scores, []) == 3
    assert baseline_position(scores, [30, 37]) == 2
    assert baseline_position(scores, [52]) == 3
    assert baseline_position([], [30]) is None


def test_the_baseline_may_be_the_first_score_by_session_two_and_no_later() -> None:
    scores = on_days((0, 20), (50, 21), (57, 22))
    assert baseline_position(scores, [42, 49]) == 0
    assert baseline_position(scores, [43, 49]) is None
    assert baseline_position(scores, [43, 50]) == 1
    assert baseline_position(scores, [43]) == 1


def test_two_scores_on_the_baseline_day_give_the_one_taken_at_the_session_or_the_mean() -> None:
    assert baseline_value([20, 22], 22) == 22
    assert baseline_value([20, 22], None) == 21


def test_a_gap_pauses_after_90_days_and_starts_anew_after_180() -> None:
    assert [gap(days) for days in (90, 91, 180, 181)] == ["", "paused", "paused", "new_course"]


def test_the_primary_measure_is_declared_or_deepest_or_scored_most() -> None:
    facts = {"phq9": POINTS, "gad7": POINTS, "ors": POINTS_WITHOUT_C}
    baselines = {"phq9": 20.0, "gad7": 24.0, "ors": 30.0}
    counts = {"phq9": 3, "gad7": 3, "ors": 9}
    assert primary_measure("phq9", facts, baselines, counts) == "phq9"
    assert primary_measure("wsas", facts, baselines, counts) == "gad7"
    assert primary_measure(None, facts, {**baselines, "phq9": 24.0}, counts) == "gad7"
    assert primary_measure(None, {"ors": POINTS_WITHOUT_C}, {"ors": 30.0}, counts) == "ors"


@pytest.mark.parametrize(
    ("primary", "other", "case"),
    [
        (
            ("stuck", "no_gain", True),
            ("deteriorating", "easing", True),
            ("deteriorating", "easing"),
        ),
        (
            ("improved", "", True),
            ("deteriorating", "two_scores", True),
            ("watch", "measures_disagree"),
        ),
        (("stuck", "no_gain", True), ("improved", "", True), ("watch", "measures_disagree")),
        (("recovered", "", True), ("stuck", "no_gain", True), ("improved", "")),
        (("stuck", "no_gain", False), ("improved", "", True), ("cannot_judge", "stale")),
        (("stuck", "no_gain", True), ("improved", "", False), ("stuck", "no_gain")),
        (("on_track", "", True), ("stuck", "no_gain", True), ("on_track", "")),
    ],
)
def test_several_measures_give_one_case_status(
    primary: tuple[str, str, bool], other: tuple[str, str, bool], case: tuple[str, str]
) -> None:
    assert case_status("phq9", {"phq9": primary, "gad7": other}) == case


# ---- laws ---------------------------------------------------------------------------------------

quarter_points = st.integers(0, 160).map(lambda quarters: quarters / 4)
days_apart = st.integers(0, 60)


@st.composite
def judged_inputs(
    draw: st.DrawFn,
) -> tuple[list[Score], MeasureFacts, list[float | None]]:
    """Draw scores, facts and chances that reach every row."""
    count = draw(st.integers(1, 16))
    has_days = draw(st.booleans())
    sessions_per_score = draw(st.sampled_from([None, 0, 1, 3]))
    day = 0
    scores: list[Score] = []
    for k in range(count):
        day += draw(days_apart)
        scores.append(
            Score(
                at=k,
                day=day if has_days else None,
                value=draw(quarter_points),
                t=None if sessions_per_score is None else sessions_per_score * k,
            )
        )
    facts = MeasureFacts(
        higher_is=draw(st.sampled_from(["worse", "better"])),
        reliable_change=draw(st.none() | st.sampled_from([4, 6, 8.46, 0.5, 12])),
        cutoff=draw(st.none() | quarter_points),
    )
    chances = draw(
        st.lists(st.none() | st.sampled_from([0.1, 0.25, 0.5]), min_size=count, max_size=count)
    )
    return scores, facts, chances


def mirrored(number: float) -> float:
    """Return a number on the mirrored scale of 0 to 40."""
    return 40 - number


@given(judged_inputs())
def test_mirroring_the_scale_changes_nothing(
    inputs: tuple[list[Score], MeasureFacts, list[float | None]],
) -> None:
    scores, facts, chances = inputs
    mirrored_scores = [
        Score(at=score.at, day=score.day, value=mirrored(score.value), t=score.t)
        for score in scores
    ]
    mirrored_facts = MeasureFacts(
        higher_is="better" if facts.higher_is == "worse" else "worse",
        reliable_change=facts.reliable_change,
        cutoff=None if facts.cutoff is None else mirrored(facts.cutoff),
    )
    assert judge_measure(mirrored_scores, mirrored_facts, chances) == judge_measure(
        scores, facts, chances
    )


@given(judged_inputs(), st.integers(1, 16))
def test_later_scores_never_change_an_earlier_verdict(
    inputs: tuple[list[Score], MeasureFacts, list[float | None]], known: int
) -> None:
    scores, facts, chances = inputs
    in_full = judge_measure(scores, facts, chances)
    assert judge_measure(scores[:known], facts, chances[:known]) == in_full[:known]


@given(judged_inputs())
def test_recovered_needs_a_cut_off(
    inputs: tuple[list[Score], MeasureFacts, list[float | None]],
) -> None:
    scores, facts, chances = inputs
    statuses = {verdict.status for verdict in judge_measure(scores, facts, chances)}
    assert facts.cutoff is not None or "recovered" not in statuses
    assert facts.reliable_change is not None or not statuses & {*GAINED, "stuck", "deteriorating"}
