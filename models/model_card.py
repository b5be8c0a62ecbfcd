"""What must be known of a trained model before anybody looks at what it says? Its card, as numbers.

Made of numbers alone, never written by hand: the back-test (out of sample), the counts of the
training, what was tried. Small counts are hidden and others rounded before they come here
(`shown_backtest`), so the card may lie anywhere; it holds no case. What TRIPOD+AI asks for and the
card answers: models/tripod_ai.py. The text: models/model_card_text.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from data_contracts.suppression import SuppressionRule
from models.feature_words import feature_words
from models.suppression import rounded
from models.tripod_ai import ITEMS

FORMAT = "model card 1"
MODEL = "outlook"
BESIDE = ("naive_two_score", "status_rule")
"""Rules whose figures stand beside the model's."""
_TOLD = ("auc", "brier", "calibration_slope", "calibration_intercept")
SLOPE_FINE = (0.9, 1.1)
"""Calibration slope that counts as good (the goal of the back-test)."""
FEW_BAD = 100
"""Fewer bad ends than this, and the card says that its numbers are unsure (Vergouwe and others
2005, J Clin Epidemiol 58, 475: at least 100 events to evaluate a model; recalled)."""
MUCH_UNKNOWN = 0.2
_WEEK = 7

NOT_FOR = (
    "a diagnosis",
    "recognising a crisis: safety items are shown as they were answered, whatever the model says",
    "ranking or judging therapists, sites or supervisors",
    "ending, shortening or not offering care, or choosing a treatment",
    "deciding anything about a person without talking about the case",
    "cases of another practice: it was learned and tested here only",
)


@dataclass(frozen=True, kw_only=True)
class TrainingCounts:
    """How many cases a training saw, exactly as counted; the card shows them suppressed."""

    cases: int
    """With a score after the first."""
    known: int
    """With a known end, of those the outcome is about."""
    bad: int
    reviewed: int
    """Left out: they were talked about after a flag, so how they ended is not how care goes."""
    newest: int
    """Held back, to compare models on."""
    fitted: int
    """The model in the file learned from."""
    fitted_bad: int
    first_end: int | None = None
    """Practice day of the first end and the last; None without a calendar."""
    last_end: int | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether the model was put in use, and why."""

    is_promoted: bool
    why: tuple[str, ...]
    """Sentences."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """One card; every count in it may be shown."""

    measure_id: str
    measure_name: str
    outcome: str
    outcome_in_words: str
    later_scores: int
    version: str
    seed: int
    packages: Mapping[str, str]
    decision: Decision
    counts: Mapping[str, int | None]
    """Rounded; None: hidden."""
    days: tuple[int, int] | None
    """First and last end, in days of the practice clock, widened to whole weeks."""
    split: Mapping[str, Any]
    predictors: tuple[tuple[str, str], ...]
    """Name and words."""
    tried: tuple[Mapping[str, Any], ...]
    figures: Mapping[str, Mapping[str, Any]]
    """By landmark and rule, out of sample."""
    landmarks: Mapping[str, Any]
    calibration: Mapping[str, Sequence[Mapping[str, Any]]]
    """By landmark: bins of the model's chances beside what came of them."""
    subgroups: tuple[Mapping[str, Any], ...]
    limits: tuple[str, ...]
    not_for: tuple[str, ...] = NOT_FOR

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain numbers, texts and null."""
        return {"format": FORMAT, **asdict(self), "tripod_ai": [asdict(item) for item in ITEMS]}

    @property
    def first_figures(self) -> tuple[str, Mapping[str, Any]] | None:
        """The landmark told first (occasion 4, or the last with figures), and its figures."""
        with_auc = [
            name
            for name, rules in self.figures.items()
            if rules.get(MODEL, {}).get("auc") is not None
        ]
        if not with_auc:
            return None
        name = "occasion_4" if "occasion_4" in with_auc else with_auc[-1]
        return name, self.figures[name]


def model_card(
    *,
    shown: Mapping[str, Any],
    measure_name: str,
    version: str,
    seed: int,
    packages: Mapping[str, str],
    counts: TrainingCounts,
    decision: Decision,
    features: Sequence[str],
    tried: Sequence[Mapping[str, Any]],
    suppression: SuppressionRule,
) -> ModelCard:
    """Return the card of one trained model.

    Parameters
    ----------
    shown
        The back-test's JSON after `shown_backtest`.
    features
        Columns of `known_so_far` the model reads.
    tried
        What was tried while it was built, and what each gained out of sample.

    Examples
    --------
    >>> from data_contracts.suppression import suppression_rule
    >>> shown = {
    ...     "measure": "phq9", "outcome": "drop_out", "outcome_in_words": "care ends because ...",
    ...     "rules": {"outlook": {"occasion_4": {"auc": 0.71, "auc_low": 0.64, "auc_high": 0.78}}},
    ... }
    >>> counts = TrainingCounts(
    ...     cases=420, known=400, bad=61, reviewed=3, newest=80, fitted=397, fitted_bad=61
    ... )
    >>> card = model_card(
    ...     shown=shown, measure_name="PHQ-9", version="v1", seed=1, packages={}, counts=counts,
    ...     decision=Decision(is_promoted=True, why=()), features=["score"], tried=[],
    ...     suppression=suppression_rule("default"),
    ... )
    >>> card.counts["bad"], card.counts["reviewed"], card.first_figures[0]
    (60, None, 'occasion_4')
    """
    names = (MODEL, *BESIDE)
    rules = shown.get("rules", {})
    landmarks = shown.get("landmarks", {})
    figures = {
        at: {name: _told(rules[name][at]) for name in names if at in rules.get(name, {})}
        for at in landmarks or rules.get(MODEL, {})
    }
    calibration = shown.get("calibration", {}).get(MODEL, {})
    subgroups = tuple(row for row in shown.get("subgroups", []) if row.get("rule") == MODEL)
    return ModelCard(
        measure_id=shown["measure"],
        measure_name=measure_name,
        outcome=shown["outcome"],
        outcome_in_words=shown["outcome_in_words"],
        later_scores=shown.get("later_scores", 0),
        version=version,
        seed=seed,
        packages=packages,
        decision=decision,
        counts={
            name: shown_count(getattr(counts, name), suppression)
            for name in ("cases", "known", "bad", "reviewed", "newest", "fitted", "fitted_bad")
        },
        days=_whole_weeks(counts),
        split=shown.get("split", {}),
        predictors=tuple((name, feature_words(name)) for name in features),
        tried=tuple(tried),
        figures=figures,
        landmarks=landmarks,
        calibration=calibration,
        subgroups=subgroups,
        limits=tuple(_limits(counts, landmarks, figures, subgroups, shown.get("notes", []))),
    )


def shown_count(count: int, rule: SuppressionRule) -> int | None:
    """Return a count of people as it may be shown: rounded, None where it is small.

    Examples
    --------
    >>> from data_contracts.suppression import suppression_rule
    >>> [shown_count(count, suppression_rule("default")) for count in (0, 7, 8, 43)]
    [0, None, 10, 45]
    """
    return None if 0 < count <= rule.hide_up_to else rounded(count, rule)


def _told(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that need no line to be drawn; those that do are on Alert quality."""
    names = [f"{name}{end}" for name in _TOLD for end in ("", "_low", "_high")]
    return {name: figures.get(name) for name in ("n", *names, "reason")}


def _whole_weeks(counts: TrainingCounts) -> tuple[int, int] | None:
    if counts.first_end is None or counts.last_end is None:
        return None
    return counts.first_end // _WEEK * _WEEK, -(-counts.last_end // _WEEK) * _WEEK


def _limits(
    counts: TrainingCounts,
    landmarks: Mapping[str, Any],
    figures: Mapping[str, Mapping[str, Any]],
    subgroups: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> list[str]:
    """Return what a reader must know before believing the numbers, as far as numbers tell it."""
    said = [
        "Learned and tested on one practice's past cases. How it would do elsewhere, or after care "
        "here has changed, is not known; the night looks for drift.",
        "Nothing here is a cause: the model orders cases by what went along with such ends.",
        "Cases that were talked about after a flag are left out: the talk may have changed "
        "how they ended. The more cases are reviewed, the less the others stand for all.",
    ]
    if min(counts.bad, counts.known - counts.bad) < FEW_BAD:
        said.append(
            f"There are fewer than {FEW_BAD} ends of one kind, so every figure here is unsure: "
            "read the intervals, not the numbers."
        )
    off = [at for at, rules in figures.items() if _is_off(rules.get(MODEL, {}))]
    if off:
        said.append(
            f"The calibration slope lies outside {SLOPE_FINE[0]:g} to {SLOPE_FINE[1]:g} at "
            f"{_told_landmarks(off)}: chances there may be too bold (below 1) or too timid; see "
            "the intervals."
        )
    unknown = [at for at, facts in landmarks.items() if _much_unknown(facts)]
    if unknown:
        said.append(
            f"More than {MUCH_UNKNOWN:.0%} of the ends are not known at "
            f"{_told_landmarks(unknown)}; the back-test gives bounds."
        )
    if not subgroups:
        said.append("No figures by group of people: they were not sent, or groups are too small.")
    elif any(row.get("is_suppressed") for row in subgroups):
        said.append("Some groups of people are too small to say how good the model is for them.")
    return [*said, *notes]


def _is_off(figures: Mapping[str, Any]) -> bool:
    slope = figures.get("calibration_slope")
    return slope is not None and not SLOPE_FINE[0] <= slope <= SLOPE_FINE[1]


def _much_unknown(facts: Mapping[str, Any]) -> bool:
    unknown, at_risk = facts.get("unknown"), facts.get("at_risk")
    return bool(at_risk) and unknown is not None and unknown / at_risk > MUCH_UNKNOWN


def _told_landmarks(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
