"""How good are the rules on a practice's own past cases, side by side?

Past cases are replayed landmark by landmark (`replay`), each rule learning only from cases that
were over by then, and what they said is held against what became of the cases. What is not known
stays unknown and is counted; nothing is asked so late that the answer is already the end.

The list of what makes such a test honest: docs/backtest.md, after accuracy_goals.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from data_contracts.rule import StatusRule, status_rule
from models.backtest_course import over_the_course
from models.backtest_figures import figures_at, unknown_ends
from models.backtest_groups import cohorts, reviewed_cases, subgroups
from models.backtest_predictions import predictions_of
from models.backtest_split import SplitKind, kind_of_split, parts_of, usual_repeats
from models.case_ends import LATER_SCORES, OUTCOMES, PRIMARY, WHY_UNKNOWN, Outcome
from models.known_so_far import known_so_far
from models.landmarks import Landmark, usual_landmarks
from models.moments import Moments, moments_of
from models.past_cases import PastCases, PastCasesError
from models.replay import Replay, Store, Watch, replay
from models.rival_rules import RULES, Numbers, Question
from models.splits import Part

ALL = tuple(RULES)
FORMAT = "backtest 1"
_FEWEST_KNOWN = 30  # a landmark with fewer known ends asks for fewer later scores, if it may


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """What came out."""

    replayed: Replay
    content: dict[str, Any] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain numbers, texts and null: no case, client or therapist."""
        return self.content

    @property
    def predictions(self) -> pl.DataFrame:
        """What every rule said of every case at every landmark; means over repeats.

        `case_id, landmark, rule, score, is_flagged, probability, is_bad, why_unknown, later_scores,
        started_on, asked_on, weeks_left, occasions_left, is_reviewed`.
        """
        return pl.concat(
            predictions_of(self.replayed, rule, said) for rule, said in self.replayed.said.items()
        )


def backtest(
    past: PastCases,
    *,
    outcome: str = PRIMARY,
    landmarks: Sequence[Landmark] | None = None,
    rules: Sequence[str] = ALL,
    repeats: int | None = None,
    folds: int = 5,
    seed: int = 1,
    later_scores: int | Literal["auto"] = "auto",
    end_from_day: int | None = None,
    split: SplitKind = "auto",
    resamples: int = 500,
    rule: StatusRule | None = None,
    hide_up_to: int = 7,
    watch: Watch | None = None,
    store: Store | None = None,
) -> Backtest:
    """Replay past cases and measure every rule.

    Parameters
    ----------
    landmarks
        Moments at which rules are asked; by default those enough cases reach.
    repeats
        Of cross-validation; by default 20, fewer with thousands of cases.
    later_scores
        Fewest scores between landmark and end; 'auto' is 3, and fewer only where hardly a case has
        so many, which is then said.
    end_from_day
        See `Outcome`.
    hide_up_to
        Groups with as many people or fewer are not told apart.

    Raises
    ------
    PastCasesError
        If the measure cannot tell the outcome, or nobody reaches a landmark.

    Examples
    --------
    >>> from data_contracts.measures import built_in_measures
    >>> random = np.random.default_rng(1)
    >>> occasion, case = np.tile(np.arange(6), 60), np.repeat(np.arange(60), 6)
    >>> slope = random.normal(-1.5, 1.5, 60)[case]
    >>> value = np.clip(np.rint(18 + slope * occasion + random.normal(0, 2, 360)), 0, 27)
    >>> points = pl.DataFrame(
    ...     {"case_id": [f"c{number}" for number in case], "occasion": occasion, "value": value}
    ... ).with_columns(baseline=pl.col("value").first().over("case_id"))
    >>> points = points.with_columns(gain=pl.col("baseline") - pl.col("value"))
    >>> cases = points.select("case_id").unique().with_columns(is_ended=pl.lit(True))
    >>> past = PastCases.of(built_in_measures()["phq9"], cases, points)
    >>> asked = [Landmark.named("2")]
    >>> rules = ["naive_last_change", "naive_two_score"]
    >>> found = backtest(past, landmarks=asked, rules=rules, repeats=1, resamples=0).as_json()
    >>> found["landmarks"]["occasion_2"]["known"], found["rules"]["naive_last_change"][
    ...     "occasion_2"
    ... ]["auc"] > 0.7
    (60, True)
    """
    unknown = [name for name in rules if name not in RULES]
    if unknown:
        message = f"{unknown[0]!r} is no rule: choose from {', '.join(RULES)}"
        raise PastCasesError(message)
    chosen_rule = rule or status_rule()
    # A day is a moment of care only where it is known until when care went on.
    has_days = outcome != "drop_out" or past.has_calendar
    asked_at = tuple(landmarks or usual_landmarks(known_so_far(past), by_day=has_days))
    if not has_days and any(landmark.kind == "day" for landmark in asked_at):
        message = (
            "drop-out cannot be asked at a day where nobody knows on which day care ended: those "
            "who had left would be asked about. Ask at occasions"
        )
        raise PastCasesError(message)
    if not asked_at:
        message = (
            "too few cases have a score after their baseline: a back-test needs 20 at least at a "
            "landmark. Name landmarks yourself to see what there is"
        )
        raise PastCasesError(message)
    moments, what, notes = _moments(
        past, outcome, later_scores, end_from_day, asked_at, chosen_rule
    )
    question = Question(
        measure=past.measure, outcome=what, band_chance=chosen_rule.thresholds.band_chance
    )
    empty = [at.name for n, at in enumerate(asked_at) if n not in set(moments.rows["landmark"])]
    if empty:
        message = f"no case stands at {', '.join(empty)}: name landmarks that cases reach"
        raise PastCasesError(message)
    if moments.rows["is_bad"].is_null().all():
        message = (
            "no end is known at any landmark, so there is nothing to hold rules against: "
            + "; ".join(
                f"{count} times {WHY_UNKNOWN[reason]}"
                for reason, count in moments.rows["why_unknown"].value_counts(sort=True).iter_rows()
            )
        )
        raise PastCasesError(message)
    kind = kind_of_split(past, split)
    times = repeats or usual_repeats(moments.cases.height)
    parts = parts_of(past, moments, kind, repeats=times, folds=folds, seed=seed)
    if not parts:
        message = (
            "no case could be asked about after enough others were over: "
            "choose cross-validation, or wait for more ended cases"
        )
        raise PastCasesError(message)
    replayed = replay(question, moments, parts, tuple(rules), watch=watch, store=store)
    content = _content(
        past, replayed, question, parts, kind, notes,
        resamples=resamples, seed=seed, folds=folds, hide_up_to=hide_up_to, watch=watch,
    )  # fmt: skip
    return Backtest(replayed=replayed, content=content)


def _moments(
    past: PastCases,
    outcome: str,
    later_scores: int | Literal["auto"],
    end_from_day: int | None,
    landmarks: tuple[Landmark, ...],
    rule: StatusRule,
) -> tuple[Moments, Outcome, list[str]]:
    """Return the moments, asking for three later scores or as many as the data have."""
    if later_scores != "auto":
        what = Outcome(name=outcome, later_scores=later_scores, end_from_day=end_from_day)
        return moments_of(past, what, landmarks, rule), what, []
    if end_from_day is not None:
        what = Outcome(name=outcome, later_scores=1, end_from_day=end_from_day)
        note = (
            f"The end is the last score on day {end_from_day} or later, of cases that have one. "
            "Who stays so long is not like all: for comparison with published figures."
        )
        return moments_of(past, what, landmarks, rule), what, [note]
    for wanted in range(LATER_SCORES, 0, -1):
        what = Outcome(name=outcome, later_scores=wanted)
        moments = moments_of(past, what, landmarks, rule)
        most = moments.rows.filter(pl.col("is_bad").is_not_null())["landmark"].value_counts()
        if wanted == 1 or (most["count"].max() or 0) >= _FEWEST_KNOWN:  # type: ignore[operator]
            break
    note = (
        f"Hardly a case has {LATER_SCORES} scores after a landmark, so {what.later_scores} "
        f"{'is' if what.later_scores == 1 else 'are'} enough here. An alarm so near the end partly "
        "defines its own outcome."
    )
    return moments, what, [] if what.later_scores == LATER_SCORES else [note]


def _content(
    past: PastCases,
    replayed: Replay,
    question: Question,
    parts: Sequence[Part],
    kind: str,
    notes: list[str],
    *,
    resamples: int,
    seed: int,
    folds: int,
    hide_up_to: int,
    watch: Watch | None,
) -> dict[str, Any]:
    moments = replayed.moments
    told: dict[str, Any] = {
        name: {} for name in ("landmarks", "paired", "calibration", "agreement")
    }
    rules: dict[str, dict[str, Any]] = {name: {} for name in replayed.said}
    final_score: dict[str, dict[str, Any]] = {}
    for number, landmark in enumerate(moments.landmarks):
        if watch:
            watch(number, len(moments.landmarks), f"measuring the rules at {landmark.name}")
        found = figures_at(replayed, number, resamples=resamples, seed=seed)
        told["landmarks"][landmark.name] = {
            "kind": landmark.kind, "at": landmark.at, **unknown_ends(replayed, number, question)
        }  # fmt: skip
        for name in ("paired", "calibration", "agreement"):
            told[name][landmark.name] = found[name]
        for name, figures in found["rules"].items():
            rules[name][landmark.name] = figures
        for name, error in found["final_score"].items():
            final_score.setdefault(name, {})[landmark.name] = error
    if watch:
        watch(len(moments.landmarks), len(moments.landmarks), "measuring the rules")
    ends = moments.cases.filter("is_asked", pl.col("is_bad").is_not_null())
    by_rule = {
        name: {at: told["calibration"][at].get(name, []) for at in told["calibration"]}
        for name in rules
    }
    return {
        "format": FORMAT,
        "measure": past.measure.measure_id,
        "outcome": question.outcome.name,
        "outcome_in_words": OUTCOMES[question.outcome.name],
        "later_scores": question.outcome.later_scores,
        "end_from_day": question.outcome.end_from_day,
        "n": ends.height,
        "base_rate": _share(ends["is_bad"]),
        "cases": moments.cases.height,
        "split": {
            "kind": kind,
            "repeats": len({part.repeat for part in parts}),
            "folds": folds if kind == "cross_validation" else None,
            "blocks": len(parts) if kind == "calendar" else None,
            "from_day": parts[0].from_day,
            "to_day": parts[-1].to_day,
            "seed": seed,
            "reused": replayed.reused,
        },
        "landmarks": told["landmarks"],
        "rules": rules,
        "paired": told["paired"],
        "over_the_course": over_the_course(replayed, past),
        "calibration": by_rule,
        "agreement": told["agreement"],
        "subgroups": subgroups(replayed, past, hide_up_to=hide_up_to, seed=seed),
        "cohorts": cohorts(replayed, hide_up_to=hide_up_to),
        "reviewed": reviewed_cases(replayed, hide_up_to=hide_up_to),
        "final_score": final_score,
        "notes": [*notes, *_notes(replayed, kind)],
    }


def _notes(replayed: Replay, kind: str) -> list[str]:
    found = [
        "n and base rate at the top are of all cases with a known end; each landmark and each rule "
        "has its own, of the cases that were asked there."
    ]
    rows = replayed.moments.rows
    if kind == "calendar":
        never = np.isnan(_first(replayed)).all(axis=0).sum()
        if never:
            found.append(
                f"{never} of {rows.height} moments lie too early: too few cases were over before, "
                "so no rule is asked there."
            )
    else:
        found.append(
            "There is no calendar, so the rules learned from cases of other folds, whenever those "
            "were."
        )
    dropped = rows.filter(pl.col("why_unknown") == "too_few_later_scores").height
    if dropped:
        found.append(
            f"{dropped} of {rows.height} moments have too few scores after them and are counted as "
            "unknown."
        )
    return found


def _first(replayed: Replay) -> Numbers:
    columns = [said["score"] for said in replayed.said.values()]
    return np.where(np.isnan(columns[0]), columns[-1], columns[0])


def _share(values: pl.Series) -> float | None:
    return None if values.is_empty() else float(values.cast(pl.Float64).mean())  # type: ignore[arg-type]
