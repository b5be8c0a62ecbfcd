"""Is a newly trained model at least as good as what it would replace, on cases it has not seen?

Both answer for the same cases, so their differences are paired, and drawn again client by client. A
new model is put in use unless it is worse:

- its area under the curve may not lie more than .01 below, nor may the whole interval of the
  difference lie on the worse side;
- the whole interval of the difference in log loss may not lie on the worse side.

What it must not be worse than: the two-score logistic regression always, and the model in use if
there is one. Without the first of the two each training could give away .01, and ten of them .1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.discrimination import Judged, compare
from models.resampling import Interval, draw_cases, middle

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MAY_LOSE = 0.01
"""Area under the curve a new model may lie below the old one (ours; the goal of the outlook)."""
FEWEST_CASES = 50
FEWEST_OF_EACH = 10
"""Fewest new cases, and fewest of each kind of end, that two models are compared on (ours)."""
_NO_LOSS_BEYOND = 1e-6  # a probability of 0 or 1 that turns out wrong would cost without bound


@dataclass(frozen=True, kw_only=True)
class Against:
    """How a new model did beside one other on the newest cases."""

    rival: str
    """In words: what it was compared with."""
    n: int
    bad: int
    auc: Interval
    rival_auc: Interval
    auc_difference: Interval
    """New less rival; positive is better."""
    log_loss_difference: Interval
    """New less rival; positive is worse."""
    is_worse: bool
    why: str
    """One sentence, without a count of people."""


def against(
    is_bad: Bools,
    probability: Floats,
    rival_probability: Floats,
    groups: NDArray[np.str_],
    *,
    rival: str,
    times: int = 500,
    seed: int = 1,
) -> Against | None:
    """Return how a new model did beside a rival; None of too few cases to tell.

    Parameters
    ----------
    is_bad, probability, rival_probability
        (n,) How the newest cases ended and what either model said; nan where it said nothing.
        Cases count that both spoke of.
    groups
        (n,) Whose case it is; cases of one client are drawn together.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> truth = random.uniform(0.1, 0.9, 400)
    >>> is_bad = random.uniform(size=400) < truth
    >>> clients = np.arange(400).astype(str)
    >>> found = against(is_bad, truth, 1 - truth, clients, rival="its opposite")
    >>> found.is_worse, found.auc.value > 0.5 > found.rival_auc.value
    (False, True)
    >>> against(is_bad, 1 - truth, truth, clients, rival="the truth").is_worse
    True
    """
    both = ~np.isnan(probability) & ~np.isnan(rival_probability)
    known, ours, theirs = is_bad[both], probability[both], rival_probability[both]
    bad = int(known.sum())
    if len(known) < FEWEST_CASES or min(bad, len(known) - bad) < FEWEST_OF_EACH:
        return None
    drawn = draw_cases(groups[both], times=times, seed=seed)
    said = {
        name: Judged(score=chance, probability=chance)
        for name, chance in (("new", ours), ("rival", theirs))
    }
    compared = compare(known, said, drawn)
    auc = compared.paired["new", "rival"].metrics["auc"]
    difference = _log_loss(known, ours) - _log_loss(known, theirs)
    sums = drawn.sums(np.column_stack([difference, np.ones(len(known))]))
    loss = middle(sums[:, 0] / sums[:, 1])
    reasons = _reasons(auc, loss)
    return Against(
        rival=rival,
        n=len(known),
        bad=bad,
        auc=compared.of["new"].metrics["auc"],
        rival_auc=compared.of["rival"].metrics["auc"],
        auc_difference=auc,
        log_loss_difference=loss,
        is_worse=bool(reasons),
        why=_said(rival, auc, loss, reasons),
    )


def _log_loss(is_bad: Bools, probability: Floats) -> Floats:
    kept = np.clip(probability, _NO_LOSS_BEYOND, 1.0 - _NO_LOSS_BEYOND)
    return -np.where(is_bad, np.log(kept), np.log(1.0 - kept))


def _reasons(auc: Interval, loss: Interval) -> list[str]:
    reasons = []
    if auc.value < -MAY_LOSE:
        reasons.append(f"more than {MAY_LOSE:g} is lost in the area under the curve")
    if auc.high < 0:
        reasons.append("the whole interval of that difference lies on the worse side")
    if loss.low > 0:
        reasons.append("the whole interval of the difference in log loss lies on the worse side")
    return reasons


def _said(rival: str, auc: Interval, loss: Interval, reasons: list[str]) -> str:
    numbers = (
        f"area under the curve {auc.value:+.3f} ({auc.low:+.3f} to {auc.high:+.3f}), log loss "
        f"{loss.value:+.4f} ({loss.low:+.4f} to {loss.high:+.4f}; less is better)"
    )
    verdict = f"worse: {'; '.join(reasons)}" if reasons else "not worse"
    return f"Beside {rival}, on the newest cases: {numbers}. {verdict.capitalize()}."
