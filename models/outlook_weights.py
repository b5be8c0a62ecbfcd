"""How much does each thing known of a case move its chance? Weights, shrunken, of chosen steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.outlook_arithmetic import Bools, Floats, less_sure, ridge_logistic, spread_of
from models.outlook_choice import Indices, Tried, choose
from models.outlook_features import FREE, TWO_SCORE, Step


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Log odds as a sum over columns, and over which of them a case lacks."""

    columns: list[str]
    fill: Floats
    """(columns,) what stands in where a case lacks one: the middle of those that have it."""
    lacking: list[str]
    """Columns that some of the cases learned from lacked: lacking is a column of its own."""
    scale: Floats
    """(2, columns and lacking) middle and spread."""
    weights: Floats
    """Of one, of the standardised columns, of what is lacking."""

    def log_odds(self, known: Mapping[str, Floats]) -> Floats:
        """Return the log odds (n,) of a bad end from columns (n,) each, nan where not known."""
        relative = (_design(known, self.columns, self.fill, self.lacking) - self.scale[0]) / (
            self.scale[1]
        )
        return np.asarray(self.weights[0] + relative @ self.weights[1:])


def learn_weights(
    steps: Sequence[Step], known: Mapping[str, Floats], bad: Bools
) -> tuple[Weights, list[dict[str, Any]]]:
    """Choose the steps that the cases support and learn the weights of their columns.

    Parameters
    ----------
    steps
        From the plainest on.
    known
        (n,) every column of the steps, `baseline` and `score`; nan where not known.

    Returns
    -------
    The weights, and what was tried: the two-score logistic regression, to compare, and each step.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> known = {name: random.normal(size=300) for name in ("baseline", "score")}
    >>> bad = random.normal(size=300) < known["score"]
    >>> weights, tried = learn_weights([TWO_SCORE], known, bad)
    >>> weights.columns, [entry["name"] for entry in tried]
    (['baseline', 'score'], ['two_score', 'two_score'])
    """
    offered = [_telling(step, known) for step in steps]
    columns = [name for step in offered for name in step.columns]
    values = np.stack([known[name] for name in columns], axis=1)
    fill = np.nanmedian(values, axis=0)
    lacking = [name for name in columns if np.isnan(known[name]).any()]
    design = _design(known, columns, fill, lacking)
    scale = np.stack([design.mean(axis=0), spread_of(design)])
    design = (design - scale[0]) / scale[1]
    places, penalty = _places(offered, [*columns, *lacking])
    order = known[columns[0]]
    found = choose(design, penalty, places, bad, order, surely=sum(s.is_sure for s in offered))
    tried = _told(offered, found, _two_score(known, bad, order))
    held = np.sort(np.concatenate([p for p, f in zip(places, found, strict=True) if f.is_kept]))
    asked = np.column_stack([np.ones(len(bad)), design[:, held]])
    own, happened, pull = (
        held[held < len(columns)],
        bad.astype(np.float64),
        np.r_[0.0, penalty[held]],
    )
    weights = ridge_logistic(asked, happened, pull)
    return Weights(
        columns=[columns[place] for place in own],
        fill=fill[own],
        lacking=[lacking[place - len(columns)] for place in held[len(own) :]],
        scale=scale[:, held],
        weights=less_sure(asked, happened, pull, weights),
    ), tried


def _two_score(known: Mapping[str, Floats], bad: Bools, order: Floats) -> Tried:
    """Return how a logistic regression on first and last score does in the same fifths."""
    design = np.stack([known["baseline"], known["score"]], axis=1)
    design = (design - design.mean(axis=0)) / spread_of(design)
    return choose(design, np.full(2, FREE), [np.arange(2)], bad, order)[0]


def _told(steps: Sequence[Step], found: Sequence[Tried], plain: Tried) -> list[dict[str, Any]]:
    entries = [
        {
            "name": step.name,
            "says": step.says,
            **asdict(each),
            "gain_over_two_score": each.auc - plain.auc,
        }
        for step, each in zip((TWO_SCORE, *steps), (plain, *found), strict=True)
    ]
    entries[0]["is_kept"] = False
    return entries


def _telling(step: Step, known: Mapping[str, Floats]) -> Step:
    """Return the step with those of its columns in which cases differ; a sure one as it is."""
    if step.is_sure:
        return step
    held = [
        place
        for place, name in enumerate(step.columns)
        if not np.isnan(known[name]).all()
        and (np.isnan(known[name]).any() or np.ptp(known[name]) > 0.0)
    ]
    return Step(
        name=step.name,
        says=step.says,
        columns=tuple(step.columns[place] for place in held),
        penalties=tuple(step.penalties[place] for place in held),
        is_sure=step.is_sure,
    )


def _places(steps: Sequence[Step], every: Sequence[str]) -> tuple[list[Indices], Floats]:
    """Return which columns of the design each step adds, and the penalty of every column."""
    places = [
        np.array([place for place, name in enumerate(every) if name in step.columns], dtype=np.intp)
        for step in steps
    ]
    penalties = {
        name: penalty
        for step in steps
        for name, penalty in zip(step.columns, step.penalties, strict=True)
    }
    return places, np.array([penalties[name] for name in every])


def _design(
    known: Mapping[str, Floats], columns: Sequence[str], fill: Floats, lacking: Sequence[str]
) -> Floats:
    """Return (n, columns and lacking): values, filled, and 1 where a value is lacking."""
    values = np.stack([known[name] for name in columns], axis=1)
    unknown = np.isnan(values)
    places = [columns.index(name) for name in lacking]
    return np.hstack([np.where(unknown, fill, values), unknown[:, places]])
